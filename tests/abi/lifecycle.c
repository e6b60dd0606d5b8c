/* Recording on and off: init, flush, shutdown, statistics; every function before init and after shutdown. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "check.h"

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int attributes_seen;

static void attribute(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    (void)user, (void)key, (void)key_len, (void)value, (void)value_len;
    attributes_seen++;
}

static int done_seen;

static void done(mpr_status status, void *user) {
    (void)status, (void)user;
    done_seen++;
}

/* A host needs no special case for recording that is off. */
static void recording_off(void) {
    static const uint8_t session_id[16] = {0xde, 0xbd, 0xeb, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    uint8_t first[16] = {0}, second[16] = {0}, span_first[8] = {0}, span_second[8] = {0};
    CHECK_STATUS(mpr_generate_trace_id(first), MPR_SKIPPED);
    CHECK_STATUS(mpr_generate_trace_id(second), MPR_SKIPPED);
    CHECK(!all_zero(first, 16) && memcmp(first, second, 16));
    CHECK_INT(mpr_trace_kind(first), MPR_TRACE_NONE);
    CHECK_STATUS(mpr_generate_span_id(span_first), MPR_SKIPPED);
    CHECK_STATUS(mpr_generate_span_id(span_second), MPR_SKIPPED);
    CHECK(!all_zero(span_first, 8) && memcmp(span_first, span_second, 8));
    CHECK_INT(mpr_trace_kind(session_id), MPR_TRACE_MANUAL);
    CHECK_INT(mpr_should_sample(session_id, 0), MPR_RECORD_AND_SAMPLE);

    CHECK_STATUS(mpr_capture_payload(MPR_PAYLOAD_HTTP_REQUEST, session_id, "a: b", 4, (const uint8_t *)"{}", 2, attribute, NULL),
                 MPR_SKIPPED);
    CHECK(mpr_capture_begin(MPR_PAYLOAD_HTTP_REQUEST, session_id) == NULL);
    CHECK_STATUS(mpr_capture_header(NULL, "a", 1, "b", 1), MPR_SKIPPED);
    CHECK_STATUS(mpr_capture_body(NULL, (const uint8_t *)"x", 1), MPR_SKIPPED);
    CHECK_STATUS(mpr_capture_end(NULL, attribute, NULL), MPR_SKIPPED);
    mpr_capture_free(NULL);
    CHECK_INT(attributes_seen, 0);

    mpr_span_context parent, context;
    CHECK_OK(mpr_traceparent_parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &parent));
    mpr_span *span = mpr_span_begin("off", MPR_SPAN_KIND_SERVER, &parent);
    CHECK(span != NULL);
    CHECK_OK(mpr_span_get_context(span, &context));
    CHECK(!memcmp(context.trace_id, parent.trace_id, 16) && memcmp(context.span_id, parent.span_id, 8));
    CHECK(!all_zero(context.span_id, 8));
    CHECK_STATUS(mpr_span_set_string(span, "k", "v"), MPR_SKIPPED);
    CHECK_STATUS(mpr_span_set_int(span, "k", 1), MPR_SKIPPED);
    CHECK_STATUS(mpr_span_set_double(span, "k", 1), MPR_SKIPPED);
    CHECK_STATUS(mpr_span_set_bool(span, "k", 1), MPR_SKIPPED);
    CHECK_STATUS(mpr_span_add_event(span, "e", NULL), MPR_SKIPPED);
    CHECK_STATUS(mpr_span_set_status(span, MPR_SPAN_STATUS_ERROR, "m"), MPR_SKIPPED);
    CHECK_STATUS(mpr_span_record_exception(span, "t", "m", NULL), MPR_SKIPPED);
    CHECK_STATUS(mpr_span_capture_payload(span, MPR_PAYLOAD_HTTP_REQUEST, NULL, 0, (const uint8_t *)"{}", 2), MPR_SKIPPED);
    mpr_span_end(span);
    mpr_span *root = mpr_span_begin("root", 0, NULL);
    CHECK_OK(mpr_span_get_context(root, &context));
    CHECK(!all_zero(context.trace_id, 16) && !all_zero(context.span_id, 8));
    CHECK_INT(context.trace_flags & 1, 0);
    mpr_span_end(root);
    CHECK_STATUS(mpr_capture_exception("t", "m", NULL, NULL), MPR_SKIPPED);
    CHECK_STATUS(mpr_log(MPR_SEVERITY_INFO, "b", 1, NULL, NULL), MPR_SKIPPED);
    CHECK_STATUS(mpr_export_traces(NULL, 0), MPR_SKIPPED);
    CHECK_STATUS(mpr_export_logs(NULL, 0), MPR_SKIPPED);

    CHECK_STATUS(mpr_flush(100), MPR_ERR_NOT_INITIALIZED);
    CHECK_STATUS(mpr_start(MPR_SESSION_MANUAL, NULL), MPR_ERR_NOT_INITIALIZED);
    CHECK_STATUS(mpr_stop(NULL), MPR_ERR_NOT_INITIALIZED);
    CHECK_STATUS(mpr_save(NULL), MPR_ERR_NOT_INITIALIZED);
    CHECK_STATUS(mpr_cancel(), MPR_ERR_NOT_INITIALIZED);
    CHECK_STATUS(mpr_check_remote(NULL), MPR_ERR_NOT_INITIALIZED);
    CHECK_STATUS(mpr_start_async(MPR_SESSION_MANUAL, NULL, done, NULL), MPR_ERR_NOT_INITIALIZED);
    CHECK_STATUS(mpr_stop_async(NULL, done, NULL), MPR_ERR_NOT_INITIALIZED);
    CHECK_STATUS(mpr_save_async(NULL, done, NULL), MPR_ERR_NOT_INITIALIZED);
    CHECK_STATUS(mpr_cancel_async(done, NULL), MPR_ERR_NOT_INITIALIZED);
    CHECK_STATUS(mpr_check_remote_async(NULL, done, NULL), MPR_ERR_NOT_INITIALIZED);
    CHECK_INT(done_seen, 0);
    char json[1024];
    CHECK_STATUS(mpr_session_info(json, sizeof json, NULL), MPR_ERR_NOT_INITIALIZED);
    CHECK_CONTAINS(mpr_last_error(), "mpr_init");
    CHECK_STATUS(mpr_shutdown(100), MPR_SKIPPED);

    uint8_t out[256];
    size_t needed = 0;
    const char body[] = "{\"password\": \"hunter2\"}";
    CHECK_OK(mpr_mask("application/json", (const uint8_t *)body, sizeof body - 1, out, sizeof out, &needed));
    CHECK(needed < sizeof out);
    out[needed] = 0;
    CHECK(!strstr((char *)out, "hunter2") && strstr((char *)out, "password"));
}

static void stats_of_any_size(void) {
    union {
        mpr_stats stats;
        unsigned char bytes[sizeof(mpr_stats) + 64];
    } u;
    /* Older and smaller callers: nothing behind their end is written, whatever the size. */
    for (size_t size = 2 * sizeof(size_t); size <= sizeof(mpr_stats); size++) {
        memset(&u, 0xa5, sizeof u);
        u.stats.struct_size = size;
        CHECK_OK(mpr_get_stats(&u.stats));
        CHECK_INT(u.stats.struct_size, size);
        for (size_t at = size; at < sizeof u.bytes; at++)
            if (u.bytes[at] != 0xa5) {
                CHECK_FAIL("size %zu: byte %zu was written", size, at);
                break;
            }
        CHECK(u.stats.accepted != 0xa5a5a5a5a5a5a5a5);
    }
    /* A newer and larger caller: its tail is zero. */
    memset(&u, 0xa5, sizeof u);
    u.stats.struct_size = sizeof u;
    CHECK_OK(mpr_get_stats(&u.stats));
    CHECK(all_zero(u.bytes + sizeof(mpr_stats), 64));
    CHECK(u.stats.panics == 0);
    /* Not set. */
    memset(&u, 0, sizeof u);
    CHECK_ERROR(mpr_get_stats(&u.stats), MPR_ERR_INVALID_ARGUMENT, "struct_size", "", "sizeof");
    u.stats.struct_size = sizeof(size_t) - 1;
    CHECK_STATUS(mpr_get_stats(&u.stats), MPR_ERR_INVALID_ARGUMENT);
    CHECK(all_zero(u.bytes + sizeof(size_t), sizeof u.bytes - sizeof(size_t)));
}

int main(void) {
    mpr_stats stats = stats_now();
    CHECK(all_zero((char *)&stats + sizeof(size_t), sizeof stats - sizeof(size_t)));
    recording_off();
    stats_of_any_size();

    CHECK_OK(mpr_init(NULL));
    CHECK_ERROR(mpr_init(NULL), MPR_ERR_ALREADY_INITIALIZED, "mpr_init", "mpr_shutdown", "");
    mpr_options *second = mpr_options_new();
    CHECK_STATUS(mpr_init(second), MPR_ERR_ALREADY_INITIALIZED);
    CHECK_STATUS(mpr_options_set_timeout_ms(second, 5), MPR_ERR_INVALID_ARGUMENT); /* taken also on failure */
    mpr_options_free(second);
    double begin = seconds();
    CHECK_OK(mpr_flush(10000)); /* nothing to wait for */
    CHECK_OK(mpr_flush(0));
    CHECK(seconds() - begin < 5);
    CHECK_CONTAINS(session_info(), "\"stopped\"");
    CHECK_STATUS(mpr_log(MPR_SEVERITY_INFO, "no session", 10, NULL, NULL), MPR_SKIPPED);
    stats_of_any_size();
    check_accounting();
    CHECK_OK(mpr_shutdown(1000));
    CHECK_STATUS(mpr_shutdown(1000), MPR_SKIPPED);
    recording_off();
    check_accounting();

    /* Again, as often as one likes; each begins its numbers anew and keeps those of its end. */
    for (int round = 0; round < 3; round++) {
        CHECK_OK(mpr_init(NULL));
        CHECK_INT(stats_now().accepted, 0);
        CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
        mpr_span *span = mpr_span_begin("lifecycle", 0, NULL);
        CHECK_OK(mpr_span_set_int(span, "round", round));
        mpr_span_end(span);
        check_accounting();
        CHECK_OK(mpr_flush(10000));
        CHECK_INT(stats_now().exported, 1);
        /* A span over the end: its end does nothing. */
        mpr_span *late = mpr_span_begin("late", 0, NULL);
        CHECK_OK(mpr_shutdown(10000)); /* ends the session too */
        CHECK_OK(mpr_span_set_int(late, "k", 1)); /* a span goes on to its end, and is then counted as dropped */
        mpr_span_context context;
        CHECK_OK(mpr_span_get_context(late, &context));
        mpr_span_end(late);
        stats = stats_now();
        CHECK_INT(stats.exported, 1);
        CHECK_INT(stats.queued, 0);
        CHECK_INT(stats.queued_bytes, 0);
        CHECK(stats.requests >= 1);
        check_accounting();
    }
    recording_off();
    return check_result();
}
