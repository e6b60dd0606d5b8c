/* Spans from many threads to a receiver that takes everything: how many a second, what they cost, what is lost.
 * The receiver is a thread of this program that reads requests and answers 200; its cost (a copy out of the kernel) is in
 * the figures. Arguments: protocol (default http/protobuf), compression (default gzip). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <mpr.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SPANS 200000

static int listener;

/* One connection: heads and bodies as they come. */
static void *serve(void *argument) {
    int connection = (int)(long)argument;
    size_t capacity = 1 << 20, held = 0;
    char *buffer = malloc(capacity + 1);
    for (;;) {
        ssize_t got = recv(connection, buffer + held, capacity - held, 0);
        if (got <= 0) break;
        held += (size_t)got;
        buffer[held] = 0;
        char *end = strstr(buffer, "\r\n\r\n");
        if (!end) continue;
        const char *length = strcasestr(buffer, "content-length:");
        size_t body = length ? strtoul(length + 15, NULL, 10) : 0;
        size_t left = body - (held - (size_t)(end + 4 - buffer));
        while (left > 0 && (got = recv(connection, buffer, left < capacity ? left : capacity, 0)) > 0) left -= (size_t)got;
        if (left) break;
        const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        if (send(connection, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) break;
        held = 0;
    }
    close(connection);
    free(buffer);
    return NULL;
}

static void *accept_all(void *unused) {
    (void)unused;
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        pthread_t thread;
        if (connection < 0 || pthread_create(&thread, NULL, serve, (void *)(long)connection)) return NULL;
        pthread_detach(thread);
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double processor(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int large;

static void *produce(void *argument) {
    static char body[2049];
    if (!body[0]) memset(body, 'x', sizeof body - 1);
    for (long n = (long)argument; n > 0; n--) {
        mpr_span *span = mpr_span_begin("GET /cart/{id}", MPR_SPAN_KIND_SERVER, NULL);
        mpr_span_set_string(span, "http.request.method", "GET");
        mpr_span_set_string(span, "http.route", "/cart/{id}");
        mpr_span_set_string(span, "url.path", "/cart/18334");
        mpr_span_set_int(span, "http.response.status_code", 200);
        mpr_span_set_string(span, "server.address", "shop.example.com");
        mpr_span_set_int(span, "server.port", 443);
        mpr_span_set_string(span, "user_agent.original", "curl/8.5.0");
        mpr_span_set_string(span, "network.protocol.version", "1.1");
        mpr_span_set_int(span, "cart.items", (int64_t)n);
        mpr_span_set_bool(span, "cart.paid", 1);
        if (large) {
            mpr_span_set_string(span, "request.text", body);
            mpr_span_set_string(span, "response.text", body);
        }
        mpr_span_end(span);
    }
    return NULL;
}

static int run(const char *protocol, const char *compression, int producers, long spans, const char *budget) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &length);
    char json[512];
    snprintf(json, sizeof json,
             "{\"api_key\": \"bench\", \"sample_ratio\": 1.0, \"protocol\": \"%s\", \"compression\": \"%s\", \"queue_max_bytes\": %s,"
             " \"traces_endpoint\": \"http://127.0.0.1:%d/v1/traces\"}",
             protocol, compression, budget, ntohs(address.sin_port));
    mpr_options *options = mpr_options_new();
    if (mpr_options_set_json(options, json) != MPR_OK || mpr_init(options) != MPR_OK) return puts(mpr_last_error()), 1;
    double begin = seconds(), cpu = processor();
    pthread_t threads[16];
    for (int i = 0; i < producers; i++) pthread_create(&threads[i], NULL, produce, (void *)(spans / producers));
    for (int i = 0; i < producers; i++) pthread_join(threads[i], NULL);
    double made = seconds();
    mpr_status flushed = mpr_flush(60000);
    double took = seconds() - begin;
    cpu = processor() - cpu;
    mpr_stats stats = {.struct_size = sizeof stats};
    mpr_get_stats(&stats);
    mpr_shutdown(5000);
    printf("%-13s %-5s %-9s %d producer%s %9.0f delivered/s %6.2f us a span made %6.2f CPU s for 100,000 %5.1f %% dropped%s\n",
           protocol, compression, large ? "2 x 2 KB" : "small", producers, producers > 1 ? "s" : " ", (double)stats.exported / took,
           (made - begin) * 1e6 / (double)spans, cpu * 1e5 / (double)stats.exported,
           100.0 * (double)(stats.accepted - stats.exported) / (double)spans, flushed == MPR_OK ? "" : ", not all in time");
    return 0;
}

int main(int argc, char **argv) {
    const char *protocol = argc > 1 ? argv[1] : "http/protobuf", *compression = argc > 2 ? argv[2] : "gzip";
    listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pthread_t thread;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64) ||
        pthread_create(&thread, NULL, accept_all, NULL))
        return perror("receiver"), 1;
    for (large = 0; large < 2; large++)
        for (int producers = 1; producers <= 4; producers += 3)
            /* Large enough for all, then the default. */
            for (int small_budget = 0; small_budget < 2; small_budget++)
                if (run(protocol, compression, producers, large ? SPANS / 4 : SPANS, small_budget ? "33554432" : "1073741824")) return 1;
    return 0;
}
