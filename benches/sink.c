/* The receiver of `make bench-delivery`: an OTLP/HTTP receiver in a process of its own that keeps each body as it came, answers
 * at once, and counts spans when all is over, so that counting costs the measurement nothing. Arguments: how it misbehaves, and
 * for how long or how often. Prints its port, and at the end of its standard input what it got, as a line of JSON. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { MAX_REQUESTS = 1 << 20, MAX_HEAD = 16384 };

static const char *fault = "none";
static long amount, times;
static int listener;
static uint8_t *arena; /* the bodies, one behind the other */
static size_t arena_size = (size_t)768 << 20;
static atomic_size_t arena_used;
static atomic_long arrived, overflowed;
static struct request {
    const uint8_t *body;
    size_t len;
    double when, wall;
    int gzip;
} requests[MAX_REQUESTS];
static atomic_long kept;

static double now(clockid_t which) {
    struct timespec time;
    clock_gettime(which, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void pause_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void keep(const uint8_t *body, size_t len, int gzip) {
    long at = atomic_fetch_add(&kept, 1);
    if (at < MAX_REQUESTS) requests[at] = (struct request){body, len, now(CLOCK_MONOTONIC), now(CLOCK_REALTIME), gzip};
}

static int answer(int connection, const char *line, const char *header) {
    char text[256];
    int len = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: application/x-protobuf\r\n%sContent-Length: 0\r\n\r\n", line, header);
    return send(connection, text, (size_t)len, MSG_NOSIGNAL) == len;
}

/* What is done with a request that was read whole; whether the connection goes on. */
static int treat(int connection, const uint8_t *body, size_t len, int gzip) {
    long number = atomic_fetch_add(&arrived, 1);
    if (!strcmp(fault, "every-other-503") && number % 2 == 0) return answer(connection, "503 Service Unavailable", "");
    if (number < times) {
        if (!strcmp(fault, "503")) return answer(connection, "503 Service Unavailable", "");
        if (!strcmp(fault, "429")) return answer(connection, "429 Too Many Requests", "Retry-After: 2\r\n");
        if (!strcmp(fault, "reset")) {
            struct linger linger = {1, 0};
            setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
            return 0;
        }
        if (!strcmp(fault, "answer-lost")) return keep(body, len, gzip), 0;
        if (!strcmp(fault, "hang")) return pause_ms(amount), 0;
    }
    if (!strcmp(fault, "latency")) pause_ms(amount);
    keep(body, len, gzip);
    return answer(connection, "200 OK", "");
}

static void *serve(void *argument) {
    int connection = (int)(long)argument;
    char head[MAX_HEAD + 1];
    size_t held = 0;
    for (;;) {
        ssize_t got = recv(connection, head + held, MAX_HEAD - held, 0);
        if (got <= 0) break;
        held += (size_t)got;
        head[held] = 0;
        char *end = strstr(head, "\r\n\r\n");
        if (!end) continue;
        *end = 0;
        const char *length = strcasestr(head, "\r\ncontent-length:");
        int gzip = strcasestr(head, "\r\ncontent-encoding: gzip") != NULL;
        size_t body_len = length ? strtoul(length + 17, NULL, 10) : 0, have = held - (size_t)(end + 4 - head);
        if (strcasestr(head, "\r\nexpect: 100-continue") && send(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) < 0) break;
        size_t at = atomic_fetch_add(&arena_used, body_len);
        if (!length || have > body_len || at + body_len > arena_size) {
            atomic_fetch_add(&overflowed, 1);
            break;
        }
        memcpy(arena + at, end + 4, have);
        while (have < body_len && (got = recv(connection, arena + at + have, body_len - have, 0)) > 0) have += (size_t)got;
        if (have < body_len || !treat(connection, arena + at, body_len, gzip)) break;
        held = 0;
    }
    close(connection);
    return NULL;
}

static void *accept_all(void *unused) {
    (void)unused;
    if (!strcmp(fault, "down")) pause_ms(amount);
    if (listen(listener, 64)) return perror("listen"), NULL;
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        pthread_t thread;
        if (connection < 0 || pthread_create(&thread, NULL, serve, (void *)(long)connection)) return NULL;
        pthread_detach(thread);
    }
}

/* ---- Counting ---- */

static long spans, doubled, broken;
static float *ages; /* seconds from a span's end to its arrival */
enum { SEEN = 1 << 21 };
static uint64_t seen[SEEN];

static const uint8_t *varint(const uint8_t *p, const uint8_t *end, uint64_t *value) {
    *value = 0;
    for (int shift = 0; p && p < end && shift < 64; shift += 7) {
        *value |= (uint64_t)(*p & 127) << shift;
        if (!(*p++ & 128)) return p;
    }
    return NULL;
}

/* Calls `got` for each field of a message; for a length its bytes, for a fixed64 its eight. */
static void fields(const uint8_t *p, const uint8_t *end, void (*got)(uint64_t field, const uint8_t *value, size_t len, void *data), void *data) {
    while (p && p < end) {
        uint64_t key, len;
        if (!(p = varint(p, end, &key))) break;
        switch (key & 7) {
        case 0: p = varint(p, end, &len); continue;
        case 1: len = 8; break;
        case 5: len = 4; break;
        case 2: p = varint(p, end, &len); break;
        default: p = NULL;
        }
        if (!p || len > (uint64_t)(end - p)) {
            p = NULL;
            break;
        }
        got(key >> 3, p, len, data);
        p += len;
    }
    broken += !p;
}

struct found {
    uint64_t id, end;
};

static void in_span(uint64_t field, const uint8_t *value, size_t len, void *data) {
    struct found *found = data;
    if (field == 2 && len == 8) memcpy(&found->id, value, 8);
    if (field == 8 && len == 8) memcpy(&found->end, value, 8);
}

static void in_scope_spans(uint64_t field, const uint8_t *value, size_t len, void *data) {
    const struct request *request = data;
    if (field != 2) return;
    struct found found = {0, 0};
    fields(value, value + len, in_span, &found);
    size_t at = found.id * 0x9e3779b97f4a7c15u >> 43;
    while (seen[at] && seen[at] != found.id) at = (at + 1) % SEEN;
    if (seen[at] || spans + doubled >= SEEN / 2) {
        doubled++;
        return;
    }
    seen[at] = found.id;
    ages[spans++] = (float)(request->wall - (double)found.end / 1e9);
}

static void in_resource_spans(uint64_t field, const uint8_t *value, size_t len, void *data) {
    if (field == 2) fields(value, value + len, in_scope_spans, data);
}

static void in_request(uint64_t field, const uint8_t *value, size_t len, void *data) {
    if (field == 1) fields(value, value + len, in_resource_spans, data);
}

static void count(struct request *request) {
    if (!request->gzip) {
        fields(request->body, request->body + request->len, in_request, request);
        return;
    }
    static uint8_t plain[64 << 20];
    z_stream stream = {.next_in = (uint8_t *)request->body, .avail_in = (uInt)request->len, .next_out = plain, .avail_out = sizeof plain};
    if (inflateInit2(&stream, 31) != Z_OK || inflate(&stream, Z_FINISH) != Z_STREAM_END) broken++;
    else fields(plain, plain + stream.total_out, in_request, request);
    inflateEnd(&stream);
}

static int order(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc > 1) fault = argv[1];
    if (argc > 2) amount = strtol(argv[2], NULL, 10);
    if (argc > 3) times = strtol(argv[3], NULL, 10);
    if (argc > 4) arena_size = (size_t)strtol(argv[4], NULL, 10) << 20;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    pthread_t thread;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    /* Its pages are there before the first request. */
    arena = mmap(NULL, arena_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    ages = malloc(sizeof *ages * SEEN);
    if (arena == MAP_FAILED || !ages || bind(listener, (struct sockaddr *)&address, sizeof address) ||
        getsockname(listener, (struct sockaddr *)&address, &length) || pthread_create(&thread, NULL, accept_all, NULL))
        return perror("sink"), 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (getchar() != EOF) continue;

    double last = 0;
    size_t bytes = 0;
    long total = kept < MAX_REQUESTS ? kept : MAX_REQUESTS;
    for (long i = 0; i < total; i++) {
        count(&requests[i]);
        bytes += requests[i].len;
        if (requests[i].when > last) last = requests[i].when;
    }
    qsort(ages, (size_t)spans, sizeof *ages, order);
    printf("{\"spans\": %ld, \"doubled\": %ld, \"requests\": %ld, \"bytes\": %zu, \"last\": %.6f, \"broken\": %ld, \"age_median\": %.3f, \"age_max\": %.3f}\n",
           spans, doubled, total, bytes, last, broken + overflowed, spans ? (double)ages[spans / 2] : 0.0, spans ? (double)ages[spans - 1] : 0.0);
    return 0;
}
