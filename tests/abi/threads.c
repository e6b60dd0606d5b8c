/* 16 threads call everything for two seconds, with handles that they share and take from each other, while recording is
 * turned on and off. Argument: milliseconds. Any result is fine; no crash, hang, defect or output is. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "check.h"

#define THREADS 16
#define SHARED 8

static _Atomic(mpr_span *) spans[SHARED];
static _Atomic(mpr_capture *) captures[SHARED];
static _Atomic(mpr_options *) options[SHARED];
static atomic_int over, done_calls, async_taken, frees, registered;
static atomic_llong calls;

static void done(mpr_status status, void *user) {
    (void)user;
    if (!strcmp(mpr_status_name(status), "MPR_UNKNOWN")) CHECK_FAIL("done with %d", status);
    done_calls++;
}

static void attribute(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    (void)user;
    CHECK(!key[key_len] && !value[value_len]);
}

static void log_line(int32_t level, const char *message, void *user) {
    (void)level, (void)user;
    CHECK(message && *message);
}

static void free_user(void *user) {
    (void)user;
    frees++;
}

static void see(mpr_status status) {
    if (!strcmp(mpr_status_name(status), "MPR_UNKNOWN") || status == MPR_ERR_INTERNAL || status == MPR_ERR_POISONED)
        CHECK_FAIL("%d %s: %s", status, mpr_status_name(status), mpr_last_error());
    calls++;
}

static void see_async(mpr_status status) {
    see(status);
    if (status == MPR_OK) async_taken++;
}

static void *hammer(void *seed) {
    unsigned random = (unsigned)(uintptr_t)seed * 2654435761u + 1;
    uint8_t trace[16] = {0}, span_id[8], out[256];
    char text[2048];
    size_t needed;
    mpr_span_context context;
    memset(&context, 0, sizeof context);
    while (!over) {
        random = random * 1664525u + 1013904223u;
        unsigned pick = (random >> 16) % 64, at = (random >> 24) % SHARED;
        mpr_span *span = spans[at];
        mpr_capture *capture = captures[at];
        mpr_options *option = options[at];
        switch (pick) {
        case 0: see(mpr_init(NULL)); break;
        case 1: see(mpr_init(atomic_exchange(&options[at], NULL))); break; /* another thread may hold it still */
        case 2: if (random % 8 == 0) see(mpr_shutdown(random % 50)); break;
        case 3: see(mpr_start(random % 2, NULL)); break;
        case 4: see(mpr_stop(NULL)); break;
        case 5: see(mpr_save("{\"name\": \"s\"}")); break;
        case 6: see(mpr_cancel()); break;
        case 7: see(mpr_check_remote(NULL)); break;
        case 8: see_async(mpr_start_async(0, NULL, done, NULL)); break;
        case 9: see_async(mpr_stop_async(NULL, done, NULL)); break;
        case 10: see_async(mpr_save_async(NULL, done, NULL)); break;
        case 11: see_async(mpr_cancel_async(done, NULL)); break;
        case 12: see_async(mpr_check_remote_async(NULL, done, NULL)); break;
        case 13: see(mpr_flush(random % 20)); break;
        case 14: see(mpr_session_info(text, sizeof text, &needed)); break;
        case 15: (void)stats_now(); break;
        case 16: mpr_options_free(atomic_exchange(&options[at], mpr_options_new())); break;
        case 17: see(mpr_options_set_json(option, "{\"timeout_ms\": 500, \"log_level\": \"debug\"}")); break;
        case 18:
            registered++;
            see(mpr_options_set_log_callback(option, log_line, NULL, free_user));
            break;
        case 19: see(mpr_options_get_headers(option, text, sizeof text, &needed)); break;
        case 20: case 21: mpr_span_end(atomic_exchange(&spans[at], mpr_span_begin("shared", 0, random % 2 ? &context : NULL))); break;
        case 22: mpr_span_end(span); mpr_span_end(span); break; /* double, and under the others' hands */
        case 23: mpr_capture_free(atomic_exchange(&captures[at], mpr_capture_begin(1, trace))); break;
        case 24: mpr_capture_free(capture); break;
        case 25: see(mpr_capture_header(capture, "content-type", 12, "application/json", 16)); break;
        case 26: see(mpr_capture_body(capture, (const uint8_t *)"{\"password\": 1}", 15)); break;
        case 27: see(mpr_capture_end(capture, attribute, NULL)); break;
        case 28: see(mpr_span_set_string(span, "k", "v")); break;
        case 29: see(mpr_span_set_int(span, "i", 7)); break;
        case 30: see(mpr_span_add_event(span, "e", "{\"a\": 1}")); break;
        case 31: see(mpr_span_record_exception(span, "T", "m", "f (a.c:1)")); break;
        case 32: see(mpr_span_set_status(span, 2, "broke")); break;
        case 33: see(mpr_span_get_context(span, &context)); break;
        case 34: see(mpr_span_capture_payload(span, 2, NULL, 0, (const uint8_t *)"{}", 2)); break;
        case 35: see(mpr_log(9, "text", 4, NULL, random % 2 ? &context : NULL)); break;
        case 36: see(mpr_capture_exception("T", "m", NULL, NULL)); break;
        case 37: see(mpr_capture_payload(1, trace, NULL, 0, (const uint8_t *)"a=b", 3, attribute, NULL)); break;
        case 38: see(mpr_mask(NULL, (const uint8_t *)"{\"pin\": 1}", 10, out, sizeof out, &needed)); break;
        case 39: see(mpr_export_traces((const uint8_t *)"\x0a\x00", 2)); break;
        case 40: see(mpr_export_logs((const uint8_t *)"\x0a\x00", 2)); break;
        case 41: see(mpr_generate_span_id(span_id)); break;
        case 42: (void)mpr_should_sample(trace, 0.5); break;
        case 43: (void)mpr_last_error(); break;
        default:
            see(mpr_generate_trace_id(trace));
            if (all_zero(trace, 16)) CHECK_FAIL("a zero id");
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    long ms = argc > 1 ? atol(argv[1]) : 2000;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) CHECK_INT(pthread_create(&threads[i], NULL, hammer, (void *)i), 0);
    /* The one thing here that is a time: how long they do it. */
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
    over = 1;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    mpr_shutdown(10000);
    for (int i = 0; i < SHARED; i++) {
        mpr_span_end(spans[i]);
        mpr_capture_free(captures[i]);
        mpr_options_free(options[i]);
    }
    check_accounting();
    CHECK_INT(stats_now().queued, 0);
    CHECK_INT(done_calls, async_taken); /* each exactly once, also those that the shutdowns met */
    CHECK_INT(frees, registered);
    CHECK(calls > 100);
    /* And it still works. */
    CHECK_OK(mpr_init(NULL));
    CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
    mpr_span_end(mpr_span_begin("after all", 0, NULL));
    CHECK_OK(mpr_stop(NULL));
    CHECK_OK(mpr_shutdown(10000));
    CHECK_INT(stats_now().exported, 1);
    return check_result();
}
