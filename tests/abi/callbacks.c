/* Callbacks: what they are given, what they may answer, and that their data is freed exactly once. */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

static atomic_int frees;
static void free_user(void *user) {
    CHECK(user == &frees);
    frees++;
}

static atomic_int log_lines;
static void log_line(int32_t level, const char *message, void *user) {
    CHECK(user == &frees);
    CHECK(level >= 1 && level <= 4);
    CHECK(message && *message && !strchr(message, '\n'));
    CHECK(!strstr(message, "test-key"));
    log_lines++;
    /* Called back into: anything but a blocking call. */
    (void)stats_now();
    (void)mpr_last_error();
    char json[16];
    size_t needed;
    (void)mpr_session_info(json, sizeof json, &needed);
    (void)mpr_log(9, "from the log callback", 21, NULL, NULL);
}

static enum { MASK, MASK_FAILS, MASK_ENDLESS, MASK_LATIN1, MASK_GROWS, MASK_LIES, MASK_EMPTY } mask_mode;
static mpr_status mask(const char *type, const uint8_t *in, size_t len, uint8_t *out, size_t capacity, size_t *needed, void *user) {
    CHECK(user == &frees);
    (void)in, (void)len;
    static const char text[] = "masked by the host";
    size_t size = sizeof text - 1;
    if (mask_mode == MASK) CHECK(type && strstr(type, "application/json"));
    switch (mask_mode) {
    case MASK_FAILS: return MPR_ERR_IO;
    case MASK_ENDLESS: *needed = SIZE_MAX; return MPR_OK;
    case MASK_LATIN1:
        *needed = 3;
        if (capacity >= 3) memcpy(out, "\xe9\xff\xfe", 3);
        return MPR_OK;
    case MASK_GROWS: *needed = capacity + 1; return MPR_OK; /* never content with what it gets */
    case MASK_LIES: return MPR_OK;                          /* writes nothing at all */
    case MASK_EMPTY: *needed = 0; return MPR_OK;
    default: break;
    }
    *needed = size;
    if (capacity >= size) memcpy(out, text, size);
    (void)stats_now();
    return MPR_OK;
}

static enum { ID, ID_FAILS, ID_ZERO } id_mode;
static atomic_int ids_made;
static mpr_status make_id(uint8_t *out, void *user) {
    CHECK(user == &frees);
    ids_made++;
    if (id_mode == ID_FAILS) return MPR_ERR_IO;
    memset(out, id_mode == ID_ZERO ? 0 : 0x5a, 16);
    return MPR_OK;
}

static mpr_status make_short_id(char *out, void *user) {
    CHECK(user == &frees);
    memcpy(out, "0badcafe", 9);
    return MPR_OK;
}

static int32_t sampler_answer;
static int32_t sampler(const uint8_t *trace, double ratio, void *user) {
    CHECK(user == &frees && trace && ratio == 0.25);
    return sampler_answer;
}

static void attribute(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    (void)key_len;
    if (strstr(key, "body")) snprintf(user, 256, "%.*s", (int)value_len, value);
    /* Called back into. */
    (void)stats_now();
    mpr_span_end(mpr_span_begin("in attribute", 0, NULL));
}

/* Registers all five. */
static void register_all(mpr_options *options, mpr_status wanted) {
    CHECK_STATUS(mpr_options_set_log_callback(options, log_line, &frees, free_user), wanted);
    CHECK_STATUS(mpr_options_set_mask_callback(options, mask, &frees, free_user), wanted);
    CHECK_STATUS(mpr_options_set_trace_id_hook(options, make_id, &frees, free_user), wanted);
    CHECK_STATUS(mpr_options_set_short_id_hook(options, make_short_id, &frees, free_user), wanted);
    CHECK_STATUS(mpr_options_set_sampler_hook(options, sampler, &frees, free_user), wanted);
}

#define CHECK_FREED(count)          \
    do {                            \
        CHECK_INT(frees, (count));  \
        frees = 0;                  \
    } while (0)

static void freed_once(void) {
    mpr_options *options = mpr_options_new();
    register_all(options, MPR_OK);
    CHECK_FREED(0);
    register_all(options, MPR_OK); /* replaced */
    CHECK_FREED(5);
    CHECK_OK(mpr_options_set_log_callback(options, NULL, NULL, NULL)); /* removed */
    CHECK_FREED(1);
    CHECK_OK(mpr_options_set_mask_callback(options, NULL, &frees, free_user)); /* no function, but data */
    CHECK_FREED(2);
    CHECK_OK(mpr_options_set_log_callback(options, log_line, &frees, NULL)); /* nothing to free */
    mpr_options_free(options);
    CHECK_FREED(3);
    register_all(NULL, MPR_ERR_INVALID_ARGUMENT); /* failed registrations */
    CHECK_FREED(5);
    register_all(options, MPR_ERR_INVALID_ARGUMENT);
    CHECK_FREED(5);
    register_all((mpr_options *)(uintptr_t)0x1234567, MPR_ERR_INVALID_ARGUMENT);
    CHECK_FREED(5);

    options = mpr_options_new();
    register_all(options, MPR_OK);
    CHECK_OK(mpr_options_set_json(options, "{\"client_cert\": \"x\"}"));
    CHECK_STATUS(mpr_init(options), MPR_ERR_INVALID_ARGUMENT); /* a failed init takes them too */
    CHECK_FREED(5);
    options = mpr_options_new();
    register_all(options, MPR_OK);
    CHECK_OK(mpr_init(options));
    CHECK_FREED(0);
    register_all(options, MPR_ERR_INVALID_ARGUMENT); /* taken by then */
    CHECK_FREED(5);
    mpr_options *second = mpr_options_new();
    register_all(second, MPR_OK);
    CHECK_STATUS(mpr_init(second), MPR_ERR_ALREADY_INITIALIZED);
    CHECK_FREED(5);
    CHECK_OK(mpr_shutdown(5000));
    CHECK_FREED(5);
}

static mpr_options *with_all(void) {
    mpr_options *options = mpr_options_new();
    register_all(options, MPR_OK);
    CHECK_OK(mpr_options_set_sample_ratio(options, 0.25));
    CHECK_OK(mpr_options_set_log_level(options, "debug"));
    return options;
}

int main(void) {
    freed_once();

    CHECK_OK(mpr_init(with_all()));
    /* Outside a session: the host's ids, the host's sampler. */
    mpr_span_context context;
    uint8_t wanted[16];
    memset(wanted, 0x5a, sizeof wanted);
    static const struct { int32_t answer; int sampled; } answers[] = {
        {MPR_RECORD_AND_SAMPLE, 1}, {MPR_DROP, 0}, {1, -1}, {77, -1}, {INT32_MIN, -1}};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        sampler_answer = answers[i].answer;
        mpr_span *span = mpr_span_begin("hooked", 0, NULL);
        CHECK_OK(mpr_span_get_context(span, &context));
        CHECK(!memcmp(context.trace_id, wanted, 16));
        if (answers[i].sampled >= 0) CHECK_INT(context.trace_flags & 1, answers[i].sampled);
        mpr_span_end(span);
    }
    sampler_answer = MPR_DROP;
    for (id_mode = ID_FAILS; id_mode <= ID_ZERO; id_mode++) { /* the library makes it */
        mpr_span *span = mpr_span_begin("own id", 0, NULL);
        CHECK_OK(mpr_span_get_context(span, &context));
        CHECK(!all_zero(context.trace_id, 16) && memcmp(context.trace_id, wanted, 16));
        mpr_span_end(span);
    }
    id_mode = ID;
    /* In a session, whose server gave no short id: the hook's, in the first seven bytes of the host's id. */
    CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
    CHECK_CONTAINS(session_info(), "\"shortId\":\"0badcafe\"");
    mpr_span *span = mpr_span_begin("in session", 0, NULL);
    CHECK_OK(mpr_span_get_context(span, &context));
    CHECK(!memcmp(context.trace_id, "\xde\xbd\xeb\x0b\xad\xca\xfe", 7) && !memcmp(context.trace_id + 7, wanted, 9));
    mpr_span_end(span);
    for (id_mode = ID_FAILS; id_mode <= ID_ZERO; id_mode++) { /* the session's, and what the library makes */
        span = mpr_span_begin("own id in session", 0, NULL);
        CHECK_OK(mpr_span_get_context(span, &context));
        CHECK(!memcmp(context.trace_id, "\xde\xbd\xeb\x0b\xad\xca\xfe", 7) && !all_zero(context.trace_id + 7, 9));
        mpr_span_end(span);
    }
    id_mode = ID;

    static const struct { int mode; const char *wanted; } modes[] = {
        {MASK, "masked by the host"}, {MASK_FAILS, NULL}, {MASK_ENDLESS, NULL}, {MASK_LATIN1, NULL}, {MASK_GROWS, NULL},
    };
    uint64_t failures = 0;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        mask_mode = modes[i].mode;
        char value[256] = "";
        const char body[] = "{\"user\": \"ann\"}", headers[] = "Content-Type: application/json";
        CHECK_OK(mpr_capture_payload(1, context.trace_id, headers, sizeof headers - 1, (const uint8_t *)body, sizeof body - 1, attribute, value));
        if (modes[i].wanted) {
            CHECK_STR(value, modes[i].wanted);
        } else { /* masked whole and counted: not the body, not the callback's rest */
            failures++;
            CHECK(value[0] && !strstr(value, "ann") && !strstr(value, "masked by the host"));
        }
        if (stats_now().mask_callback_failures != failures) CHECK_FAIL("mode %d: %" PRIu64 " failures", mask_mode, stats_now().mask_callback_failures);
    }
    for (mask_mode = MASK_LIES; mask_mode <= MASK_EMPTY; mask_mode++) {
        char value[256] = "";
        CHECK_OK(mpr_capture_payload(1, context.trace_id, NULL, 0, (const uint8_t *)"{\"user\": \"ann\"}", 15, attribute, value));
        CHECK(!strstr(value, "ann"));
    }
    CHECK_OK(mpr_stop(NULL));
    CHECK(ids_made > 0);
    CHECK(log_lines > 0);
    CHECK_OK(mpr_shutdown(10000));
    CHECK_FREED(5);
    check_accounting();
    return check_result();
}
