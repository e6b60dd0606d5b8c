/* A program of the time of libmpr 0.1: compiled against the header beside it, as it was then, and run with the library of today
 * (test_policy.py). It is not changed any more once 0.1 is released: what breaks it breaks other people's programs. */
#include <mpr.h>
#include <stdio.h>
#include <string.h>

static int failed;
#define CHECK(what) \
    ((what) ? (void)0 : (void)(failed++, fprintf(stderr, "client.c:%d: %s: %s\n", __LINE__, #what, mpr_last_error())))

static int attributes, freed, done_calls;

static void attribute(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    CHECK(user == &attributes && strlen(key) == key_len && strlen(value) == value_len);
    CHECK(!strstr(value, "correct-horse"));
    attributes++;
}

static mpr_status mask(const char *content_type, const uint8_t *in, size_t len, uint8_t *out, size_t capacity, size_t *needed,
                       void *user) {
    (void)content_type, (void)in, (void)user;
    *needed = 6;
    if (capacity < 6) return MPR_ERR_BUFFER_TOO_SMALL;
    memcpy(out, "masked", 6);
    return len ? MPR_OK : MPR_SKIPPED;
}

static void log_line(int32_t level, const char *message, void *user) {
    CHECK(level >= 1 && level <= 4 && message && user == &freed);
}

static void freed_once(void *user) { (*(int *)user)++; }

static void done(mpr_status status, void *user) {
    CHECK(status == MPR_OK);
    __atomic_add_fetch((int *)user, 1, __ATOMIC_SEQ_CST);
}

/* As large as the struct was, and what stands behind it stays. */
static void stats(uint64_t exported) {
    struct {
        mpr_stats stats;
        unsigned char behind[64];
    } s;
    memset(&s, 0xee, sizeof s);
    s.stats.struct_size = sizeof s.stats;
    CHECK(mpr_get_stats(&s.stats) == MPR_OK);
    CHECK(s.stats.struct_size == sizeof s.stats);
    CHECK(s.stats.exported == exported && s.stats.queued == 0 && s.stats.spool_failures == 0 && s.stats.panics == 0);
    for (size_t n = 0; n < sizeof s.behind; n++) CHECK(s.behind[n] == 0xee);
    memset(&s, 0xee, sizeof s);
    s.stats.struct_size = 16;
    CHECK(mpr_get_stats(&s.stats) == MPR_OK);
    CHECK(((unsigned char *)&s)[16] == 0xee);
}

static void options(void) {
    mpr_options *options = mpr_options_new();
    CHECK(mpr_options_set_json(options, "{\"service_version\": \"7\", \"max_payload_bytes\": 5000}") == MPR_OK);
    CHECK(mpr_options_set_timeout_ms(options, 9000) == MPR_OK);
    CHECK(mpr_options_set_sample_ratio(options, 0.25) == MPR_OK);
    CHECK(mpr_options_set_queue_max_bytes(options, 1 << 22) == MPR_OK);
    CHECK(mpr_options_set_mask_body_fields(options, "[\"nickname\"]") == MPR_OK);
    char text[64];
    size_t needed = 0;
    uint32_t ms = 0;
    double ratio = 0;
    uint64_t bytes = 0;
    CHECK(mpr_options_get_service_version(options, text, sizeof text, &needed) == MPR_OK && !strcmp(text, "7") && needed == 2);
    CHECK(mpr_options_get_timeout_ms(options, &ms) == MPR_OK && ms == 9000);
    CHECK(mpr_options_get_sample_ratio(options, &ratio) == MPR_OK && ratio == 0.25);
    CHECK(mpr_options_get_queue_max_bytes(options, &bytes) == MPR_OK && bytes == 1 << 22);
    CHECK(mpr_options_set_protocol(options, "telepathy") == MPR_ERR_INVALID_ARGUMENT);
    CHECK(mpr_options_set_log_callback(options, log_line, &freed, freed_once) == MPR_OK);
    CHECK(mpr_init(options) == MPR_OK);
    CHECK(mpr_init(NULL) == MPR_ERR_ALREADY_INITIALIZED);
}

static void record(void) {
    uint8_t trace[16], span_id[8];
    CHECK(mpr_generate_trace_id(trace) == MPR_OK && mpr_generate_span_id(span_id) == MPR_OK);
    CHECK(mpr_trace_kind(trace) == MPR_TRACE_MANUAL && mpr_should_sample(trace, 0.0) == MPR_RECORD_AND_SAMPLE);

    mpr_span *server = mpr_span_begin("POST /login", MPR_SPAN_KIND_SERVER, NULL);
    mpr_span_context context, parsed;
    char traceparent[56];
    CHECK(mpr_span_get_context(server, &context) == MPR_OK);
    CHECK(mpr_traceparent_format(&context, traceparent) == MPR_OK && mpr_traceparent_parse(traceparent, &parsed) == MPR_OK);
    CHECK(!memcmp(parsed.trace_id, context.trace_id, 16) && !memcmp(parsed.span_id, context.span_id, 8));
    const char headers[] = "Content-Type: application/json";
    const uint8_t body[] = "{\"user\": \"ann\", \"password\": \"correct-horse\"}";
    CHECK(mpr_span_capture_payload(server, MPR_PAYLOAD_HTTP_REQUEST, headers, sizeof headers - 1, body, sizeof body - 1) == MPR_OK);
    CHECK(mpr_capture_payload(MPR_PAYLOAD_RPC_REQUEST, context.trace_id, NULL, 0, body, sizeof body - 1, attribute, &attributes) == MPR_OK);
    mpr_capture *capture = mpr_capture_begin(MPR_PAYLOAD_HTTP_RESPONSE, context.trace_id);
    CHECK(mpr_capture_header(capture, "Content-Type", 12, "application/json", 16) == MPR_OK);
    CHECK(mpr_capture_body(capture, body, 20) == MPR_OK && mpr_capture_body(capture, body + 20, sizeof body - 21) == MPR_OK);
    CHECK(mpr_span_capture_end(server, capture) == MPR_OK);
    mpr_capture_free(capture);

    mpr_span *child = mpr_span_begin("SELECT users", MPR_SPAN_KIND_CLIENT, &context);
    CHECK(mpr_span_set_string(child, "db.system", "sqlite") == MPR_OK && mpr_span_set_int(child, "rows", 3) == MPR_OK);
    CHECK(mpr_span_set_double(child, "share", 0.5) == MPR_OK && mpr_span_set_bool(child, "cached", 1) == MPR_OK);
    CHECK(mpr_span_add_event(child, "row", "{\"n\": 1}") == MPR_OK);
    CHECK(mpr_span_record_exception(child, "Away", "no replica", "query (db.c:7)") == MPR_OK);
    CHECK(mpr_span_set_status(child, MPR_SPAN_STATUS_ERROR, "no replica") == MPR_OK);
    mpr_span_end(child);
    CHECK(mpr_log(MPR_SEVERITY_WARN, "no replica", 10, "{\"user\": \"ann\"}", &context) == MPR_OK);
    mpr_span_end(server);
    CHECK(mpr_capture_exception("Late", NULL, NULL, &context) == MPR_OK);
}

int main(void) {
    CHECK(mpr_abi_version() >= MPR_ABI_VERSION && *mpr_version() && !*mpr_last_error());
    CHECK(!strcmp(mpr_status_name(MPR_ERR_POISONED), "MPR_ERR_POISONED") && mpr_status_is_retryable(MPR_ERR_NETWORK) == 1);
    /* With recording off. */
    uint8_t trace[16];
    CHECK(mpr_generate_trace_id(trace) == MPR_SKIPPED && mpr_flush(10) == MPR_ERR_NOT_INITIALIZED);
    mpr_span_end(mpr_span_begin("off", 0, NULL));

    options();
    CHECK(mpr_start(MPR_SESSION_MANUAL, "{\"name\": \"old client\"}") == MPR_OK);
    CHECK(mpr_start(MPR_SESSION_MANUAL, NULL) == MPR_ERR_INVALID_STATE);
    char info[4096];
    size_t needed;
    CHECK(mpr_session_info(info, sizeof info, &needed) == MPR_OK && strstr(info, "\"started\"") && needed == strlen(info) + 1);
    CHECK(mpr_session_info(info, 4, &needed) == MPR_ERR_BUFFER_TOO_SMALL);
    record();
    CHECK(attributes == 1);
    CHECK(mpr_flush(5000) == MPR_OK);
    stats(4); /* three spans, one of which is the late exception's, and a log */
    CHECK(mpr_set_consent(1) == MPR_SKIPPED); /* it was given already */
    CHECK(mpr_stop_async(NULL, done, &done_calls) == MPR_OK);
    CHECK(mpr_shutdown(5000) == MPR_OK);
    CHECK(__atomic_load_n(&done_calls, __ATOMIC_SEQ_CST) == 1 && freed == 1);

    uint8_t masked[64];
    mpr_options *own = mpr_options_new();
    CHECK(mpr_options_set_mask_callback(own, mask, NULL, NULL) == MPR_OK && mpr_init(own) == MPR_OK);
    CHECK(mpr_mask("text/plain", (const uint8_t *)"secret", 6, masked, sizeof masked, &needed) == MPR_OK);
    CHECK(needed == 6 && !memcmp(masked, "masked", 6));
    CHECK(mpr_export_traces((const uint8_t *)"\xff", 1) == MPR_ERR_INVALID_ARGUMENT);
    CHECK(mpr_shutdown(5000) == MPR_OK);
    return failed ? 1 : 0;
}
