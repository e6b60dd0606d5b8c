/* A process of benches/scale.py: makes so many spans in a session, from four threads, delivers them to where the environment says, and
 * prints what that cost. Arguments: spans, large (0 or 1: with a request and a response of 2 KB of JSON, captured and masked). */
#define _GNU_SOURCE
#include <mpr.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define THREADS 4

static int large;
static long spans;

/* Bodies that differ, as those of users do: one body again and again would cost next to nothing to send. */
#define BODIES 4096
static char bodies[BODIES][2200];
static size_t sizes[BODIES];

static unsigned dice = 1;
static unsigned roll(unsigned below) { return (dice = dice * 1103515245 + 12345) / 65536 % below; }

static void write_bodies(void) {
    static const char *names[] = {"name", "price", "street", "amount", "currency", "id", "comment", "articles", "created_at"};
    static const char letters[] = "eeeeettttaaaooiinnsshhrrdlucmfwygpbvk    ";
    for (int n = 0; n < BODIES; n++) {
        char *at = bodies[n] + sprintf(bodies[n], "[{\"password\": \"open sesame\"");
        while (at - bodies[n] < 2000) {
            at += sprintf(at, ", \"%s\": ", names[roll(9)]);
            if (roll(2)) {
                at += sprintf(at, "%u.%02u", roll(10000), roll(100));
                continue;
            }
            *at++ = '"';
            for (unsigned left = 5 + roll(30); left; left--) *at++ = letters[roll(sizeof letters - 1)];
            *at++ = '"';
            if (!roll(4)) at += sprintf(at, "}, {\"n\": %u", roll(100));
        }
        sizes[n] = (size_t)(at + sprintf(at, "}]") - bodies[n]);
    }
}

static void *produce(void *argument) {
    static const char headers[] = "Content-Type: application/json\r\nAuthorization: Bearer open-sesame\r\n";
    char path[64];
    for (long n = (long)argument, last = n - spans / THREADS; n > last; n--) {
        mpr_span *span = mpr_span_begin("GET /cart/{id}", MPR_SPAN_KIND_SERVER, NULL);
        mpr_span_set_string(span, "http.request.method", "GET");
        mpr_span_set_string(span, "http.route", "/cart/{id}");
        snprintf(path, sizeof path, "/cart/%ld", n * 2654435761L % 1000003);
        mpr_span_set_string(span, "url.path", path);
        mpr_span_set_int(span, "http.response.status_code", 200);
        mpr_span_set_string(span, "server.address", "shop.example.com");
        mpr_span_set_int(span, "server.port", 443);
        mpr_span_set_string(span, "user_agent.original", "curl/8.5.0");
        mpr_span_set_int(span, "cart.items", (int64_t)n);
        mpr_span_set_bool(span, "cart.paid", 1);
        if (large) {
            for (int part = 0; part < 2; part++) {
                long body = (n * 2 + part) % BODIES;
                mpr_span_capture_payload(span, part ? MPR_PAYLOAD_HTTP_RESPONSE : MPR_PAYLOAD_HTTP_REQUEST, headers, sizeof headers - 1,
                                         (const uint8_t *)bodies[body], sizes[body]);
            }
        }
        mpr_span_end(span);
    }
    return NULL;
}

static double processor(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    spans = argc > 1 ? atol(argv[1]) : 100000;
    large = argc > 2 && atoi(argv[2]);
    write_bodies();
    mpr_options *options = mpr_options_new();
    if (mpr_options_set_json(options, "{\"queue_max_bytes\": 4294967296}") != MPR_OK || mpr_init(options) != MPR_OK ||
        mpr_start(MPR_SESSION_MANUAL, NULL) != MPR_OK)
        return puts(mpr_last_error()), 1;
    double begin = now(), cpu = processor();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, produce, (void *)(spans / THREADS * (i + 1)));
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    mpr_status flushed = mpr_flush(120000);
    double took = now() - begin;
    mpr_stats stats = {.struct_size = sizeof stats};
    mpr_get_stats(&stats);
    printf("{\"flushed\": %d, \"exported\": %llu, \"requests\": %llu, \"seconds\": %f, \"cpu\": %f}\n", (int)flushed,
           (unsigned long long)stats.exported, (unsigned long long)stats.requests, took, processor() - cpu);
    mpr_shutdown(5000);
    return 0;
}
