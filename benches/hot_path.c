/* What the hot path costs through the C ABI, in nanoseconds a call: medians of rounds, recording into a session whose
 * receiver is a socket that nobody listens on, so that nothing but the producer's side is measured. `make bench`. */
#define _POSIX_C_SOURCE 200809L
#include <mpr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 21 };

static uint8_t trace_id[16], span_id[8], session_trace[16] = {0xde, 0xbd, 0xeb, 1, 2, 3, 4, 9};
static char body[2048];
static const char headers[] = "Content-Type: application/json\r\nAuthorization: Bearer abc\r\nAccept: */*";
static size_t body_len;

static void ignore(void *data, const char *key, size_t key_len, const char *value, size_t value_len) {
    (void)data, (void)key, (void)key_len, (void)value, (void)value_len;
}

static void new_trace_id(void) { mpr_generate_trace_id(trace_id); }
static void new_span_id(void) { mpr_generate_span_id(span_id); }
static void sample(void) { mpr_should_sample(trace_id, 0.1); }
static void capture(const uint8_t id[16]) {
    mpr_capture_payload(MPR_PAYLOAD_HTTP_REQUEST, id, headers, sizeof headers - 1, (const uint8_t *)body, body_len,
                        ignore, NULL);
}
static void capture_unrecorded(void) { capture(trace_id); }
static void capture_2k(void) { capture(session_trace); }

static void ten_attributes(const mpr_span_context *parent) {
    mpr_span *span = mpr_span_begin("GET /cart", MPR_SPAN_KIND_SERVER, parent);
    mpr_span_set_string(span, "http.request.method", "GET");
    mpr_span_set_string(span, "url.path", "/cart");
    mpr_span_set_string(span, "url.scheme", "https");
    mpr_span_set_string(span, "http.route", "/cart");
    mpr_span_set_string(span, "server.address", "shop.example");
    mpr_span_set_string(span, "user_agent.original", "curl/8");
    mpr_span_set_int(span, "server.port", 443);
    mpr_span_set_int(span, "http.response.status_code", 200);
    mpr_span_set_int(span, "http.response.body.size", 1234);
    mpr_span_set_bool(span, "cache.hit", 1);
    mpr_span_end(span);
}
static void span_recorded(void) {
    mpr_span_context parent = {.trace_flags = 1};
    memcpy(parent.trace_id, session_trace, 16);
    parent.span_id[0] = 1;
    ten_attributes(&parent);
}
static void span_unrecorded(void) { ten_attributes(NULL); }

static int by_size(const void *a, const void *b) {
    double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

static void measure(const char *name, void (*call)(void), int calls) {
    double rounds[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (int i = 0; i < calls; i++) call();
        clock_gettime(CLOCK_MONOTONIC, &end);
        rounds[round] = ((end.tv_sec - begin.tv_sec) * 1e9 + (end.tv_nsec - begin.tv_nsec)) / calls;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, by_size);
    printf("%-44s %10.1f ns   (%.1f to %.1f)\n", name, rounds[ROUNDS / 2], rounds[0], rounds[ROUNDS - 1]);
}

int main(void) {
    struct timespec begin, end;
    mpr_options *options = mpr_options_new();
    mpr_options_set_api_key(options, "bench");
    mpr_options_set_api_base_url(options, "http://127.0.0.1:9");
    mpr_options_set_traces_endpoint(options, "http://127.0.0.1:9/v1/traces");
    mpr_options_set_logs_endpoint(options, "http://127.0.0.1:9/v1/logs");
    mpr_options_set_queue_max_bytes(options, (uint64_t)1 << 30);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (mpr_init(options) != MPR_OK) return fprintf(stderr, "%s\n", mpr_last_error()), 1;
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%-44s %10.1f us\n", "mpr_init", (end.tv_sec - begin.tv_sec) * 1e6 + (end.tv_nsec - begin.tv_nsec) / 1e3);

    strcpy(body, "{\"items\":[");
    while (strlen(body) < 1900) strcat(body, "{\"sku\":\"blue-mug\",\"quantity\":2,\"note\":\"as soon as possible\"},");
    strcat(body, "{\"password\":\"secret\"}]}");
    body_len = strlen(body);

    measure("trace id", new_trace_id, 200000);
    measure("span id", new_span_id, 200000);
    measure("sampling decision", sample, 200000);
    measure("payload of a trace that is not recorded", capture_unrecorded, 200000);
    measure("payload of 2 KB JSON, captured and masked", capture_2k, 5000);
    measure("span with 10 attributes, not recorded", span_unrecorded, 50000);
    measure("span with 10 attributes, recorded and queued", span_recorded, 5000);
    mpr_shutdown(0);
    return 0;
}
