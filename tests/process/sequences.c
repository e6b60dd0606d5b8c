/* Legal and illegal calls in random order, also from several threads, with handles that live, lived or never did. Nothing may
 * crash, hang or fail inside, and the numbers add up at every moment. argv: seed, calls, threads. */
#include <pthread.h>
#include <stdatomic.h>

#include "../abi/check.h"

enum { KEPT = 24 };

/* Shared by all threads on purpose: one frees what another uses. */
static _Atomic(void *) handles[KEPT];
static long calls;
static atomic_int done_calls, begun_calls;

static uint64_t draw(uint64_t *state, uint64_t below) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % below;
}

static const char *const TEXTS[] = {
    NULL, "", "name", "password", "\xff\xfe not utf-8", "{\"name\": \"a\", \"password\": \"x\"}", "{", "[1, 2", "null",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Content-Type: application/json\r\nCookie: a=b", "no header",
    "application/json", "text/html", "a=1&password=2", "<a password='x'>y</a>", "{\"session_attributes\": 7}", "12",
};

static const char *text(uint64_t *state) { return TEXTS[draw(state, sizeof TEXTS / sizeof *TEXTS)]; }

static void *any(uint64_t *state) {
    switch (draw(state, 12)) {
        case 0: return NULL;
        case 1: return (void *)(uintptr_t)draw(state, UINT32_MAX);
        default: return handles[draw(state, KEPT)];
    }
}

static void keep(uint64_t *state, void *handle) { handles[draw(state, KEPT)] = handle; }

static void done(mpr_status status, void *user) {
    (void)user;
    if (status == MPR_ERR_INTERNAL) CHECK_FAIL("inside: %s", mpr_last_error());
    done_calls++;
}

static void attribute(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    (void)user;
    if (key[key_len] || value[value_len]) CHECK_FAIL("no NUL behind an attribute");
}

static mpr_status step(uint64_t *s) {
    uint8_t id[16], out[300];
    char json[200];
    size_t needed;
    mpr_span_context context;
    memset(&context, (int)draw(s, 3), sizeof context);
    memset(id, (int)draw(s, 256), sizeof id);
    const char *a = text(s), *b = text(s);
    size_t len = b ? strlen(b) : 0;
    switch (draw(s, 48)) {
        case 0: return mpr_init(draw(s, 2) ? NULL : any(s));
        case 1: return mpr_shutdown((uint32_t)draw(s, 300));
        case 2: return mpr_flush((uint32_t)draw(s, 50));
        case 3: return mpr_start((int32_t)draw(s, 4) - 1, a);
        case 4: return mpr_stop(a);
        case 5: return mpr_save(a);
        case 6: return mpr_cancel();
        case 7: return mpr_check_remote(a);
        case 8: return mpr_session_info(draw(s, 2) ? json : NULL, draw(s, 2) ? sizeof json : 0, draw(s, 2) ? &needed : NULL);
        case 9: case 10: case 11: {
            mpr_status status = draw(s, 2) ? mpr_start_async((int32_t)draw(s, 3), a, done, NULL) : mpr_stop_async(a, done, NULL);
            if (status == MPR_OK) begun_calls++;
            return status;
        }
        case 12: return mpr_generate_trace_id(draw(s, 9) ? id : NULL);
        case 13: return mpr_generate_span_id(draw(s, 9) ? id : NULL);
        case 14: return mpr_should_sample(draw(s, 9) ? id : NULL, (double)draw(s, 5) - 2), MPR_OK;
        case 15: return mpr_trace_kind(draw(s, 9) ? id : NULL), MPR_OK;
        case 16: return mpr_capture_payload((int32_t)draw(s, 10), id, a, a ? strlen(a) : draw(s, 2), (const uint8_t *)b, len, attribute, NULL);
        case 17: case 18: mpr_generate_trace_id(id); return keep(s, mpr_capture_begin((int32_t)draw(s, 9), id)), MPR_OK;
        case 19: return mpr_capture_header(any(s), a, a ? strlen(a) : 0, b, len);
        case 20: case 21: return mpr_capture_body(any(s), (const uint8_t *)b, len);
        case 22: return mpr_capture_end(any(s), draw(s, 5) ? attribute : NULL, NULL);
        case 23: return mpr_capture_free(any(s)), MPR_OK;
        case 24: return mpr_mask(a, (const uint8_t *)b, len, out, draw(s, sizeof out), draw(s, 2) ? &needed : NULL);
        case 25: return mpr_explain_mask(a, (const uint8_t *)b, len, out, draw(s, sizeof out), draw(s, 2) ? &needed : NULL);
        case 26: case 27: case 28: case 29: return keep(s, mpr_span_begin(a, (int32_t)draw(s, 7), draw(s, 2) ? &context : NULL)), MPR_OK;
        case 30: return mpr_span_set_string(any(s), a, b);
        case 31: return mpr_span_set_int(any(s), a, (int64_t)*s);
        case 32: return mpr_span_set_double(any(s), a, (double)*s);
        case 33: return mpr_span_set_bool(any(s), a, (int32_t)draw(s, 3));
        case 34: return mpr_span_add_event(any(s), a, b);
        case 35: return mpr_span_set_status(any(s), (int32_t)draw(s, 5) - 1, a);
        case 36: return mpr_span_record_exception(any(s), a, b, text(s));
        case 37: return mpr_span_capture_payload(any(s), (int32_t)draw(s, 9), a, a ? strlen(a) : 0, (const uint8_t *)b, len);
        case 38: return mpr_span_capture_end(any(s), any(s));
        case 39: return mpr_span_get_context(any(s), draw(s, 9) ? &context : NULL);
        case 40: case 41: return mpr_span_end(any(s)), MPR_OK;
        case 42: return mpr_traceparent_parse(a, draw(s, 9) ? &context : NULL);
        case 43: return mpr_capture_exception(a, b, text(s), draw(s, 2) ? &context : NULL);
        case 44: return mpr_log((int32_t)draw(s, 30) - 2, b, len, a, draw(s, 2) ? &context : NULL);
        case 45: return draw(s, 2) ? mpr_export_traces((const uint8_t *)b, len) : mpr_export_logs((const uint8_t *)b, len);
        case 46: return keep(s, mpr_options_new()), MPR_OK;
        default: {
            mpr_options *options = any(s);
            switch (draw(s, 5)) {
                case 0: return mpr_options_set_json(options, b);
                case 1: return mpr_options_set_mask_patterns(options, a);
                case 2: return mpr_options_set_queue_max_bytes(options, draw(s, 1 << 20));
                case 3: return mpr_options_free(options), MPR_OK;
                default: return mpr_options_set_service_name(options, a);
            }
        }
    }
}

static void *many(void *seed) {
    uint64_t state = (uint64_t)(uintptr_t)seed * 0x9E3779B97F4A7C15u | 1;
    for (long n = 0; n < calls; n++) {
        mpr_status status = step(&state);
        if (status == MPR_ERR_INTERNAL) CHECK_FAIL("inside: %s", mpr_last_error());
        if (status < 0 && !*mpr_last_error()) CHECK_FAIL("%s without a message", mpr_status_name(status));
        if (n % 64 == 0) check_accounting();
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    uintptr_t seed = (uintptr_t)atol(argv[1]);
    int count = atoi(argv[3]);
    calls = atol(argv[2]);
    pthread_t threads[16];
    for (int n = 0; n < count && n < 16; n++) pthread_create(&threads[n], NULL, many, (void *)(seed * 16 + (uintptr_t)n + 1));
    for (int n = 0; n < count && n < 16; n++) pthread_join(threads[n], NULL);
    for (int n = 0; n < KEPT; n++) {
        mpr_span_end(handles[n]);
        mpr_capture_free(handles[n]);
        mpr_options_free(handles[n]);
    }
    mpr_shutdown(10000);
    check_accounting();
    CHECK_INT(done_calls, begun_calls);
    return check_result();
}
