/* Payloads: all kinds, at once and in pieces, cut, huge, masked. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

#include "check.h"

static uint8_t trace[16]; /* of the session */

static struct seen {
    int count;
    char key[8][64];
    char *value[8];
    size_t len[8];
    pthread_t thread;
} seen;

static void forget(void) {
    for (int i = 0; i < seen.count; i++) free(seen.value[i]);
    memset(&seen, 0, sizeof seen);
}

static void attribute(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    CHECK(user == &seen);
    CHECK(key[key_len] == 0 && strlen(key) == key_len); /* the NUL that the length does not count */
    CHECK(value[value_len] == 0);
    if (seen.count == 8) return;
    snprintf(seen.key[seen.count], sizeof seen.key[0], "%s", key);
    seen.value[seen.count] = malloc(value_len + 1);
    memcpy(seen.value[seen.count], value, value_len + 1);
    seen.len[seen.count++] = value_len;
    seen.thread = pthread_self();
}

static const char *value_of(const char *key) {
    for (int i = 0; i < seen.count; i++)
        if (!strcmp(seen.key[i], key)) return seen.value[i];
    return NULL;
}

static mpr_status capture(int32_t kind, const char *headers, const void *body, size_t len) {
    forget();
    return mpr_capture_payload(kind, trace, headers, headers ? strlen(headers) : 0, body, len, attribute, &seen);
}

static mpr_status capture_in_pieces(int32_t kind, const char *content_type, const char *body, size_t len, size_t piece) {
    forget();
    mpr_capture *c = mpr_capture_begin(kind, trace);
    CHECK(c != NULL);
    if (content_type) CHECK_OK(mpr_capture_header(c, "Content-Type", 12, content_type, strlen(content_type)));
    CHECK_OK(mpr_capture_header(c, "Authorization", 13, "Bearer hunter2", 14));
    for (size_t at = 0; at < len; at += piece)
        CHECK_OK(mpr_capture_body(c, (const uint8_t *)body + at, piece < len - at ? piece : len - at));
    CHECK_OK(mpr_capture_body(c, NULL, 0));
    mpr_status status = mpr_capture_end(c, attribute, &seen);
    int after = seen.count;
    CHECK_OK(mpr_capture_end(c, attribute, &seen)); /* a second end finds it empty */
    CHECK_INT(seen.count, after);
    mpr_capture_free(c);
    return status;
}

static void kinds(void) {
    static const struct { int32_t kind; const char *headers, *body; } names[] = {
        {MPR_PAYLOAD_HTTP_REQUEST, "multiplayer.http.request.headers", "multiplayer.http.request.body"},
        {MPR_PAYLOAD_HTTP_RESPONSE, "multiplayer.http.response.headers", "multiplayer.http.response.body"},
        {MPR_PAYLOAD_RPC_REQUEST, "multiplayer.rpc.request.headers", "multiplayer.rpc.request.message"},
        {MPR_PAYLOAD_RPC_RESPONSE, "multiplayer.rpc.response.headers", "multiplayer.rpc.response.message"},
        {MPR_PAYLOAD_GRPC_REQUEST, "multiplayer.rpc.grpc.request.metadata", "multiplayer.rpc.grpc.request.message"},
        {MPR_PAYLOAD_GRPC_RESPONSE, "multiplayer.rpc.grpc.response.metadata", "multiplayer.rpc.grpc.response.message"},
        {MPR_PAYLOAD_MESSAGE, "multiplayer.messaging.message.headers", "multiplayer.messaging.message.body"},
    };
    const char body[] = "{\"user\": \"ann\", \"password\": \"hunter2\"}";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK_OK(capture(names[i].kind, "Content-Type: application/json\r\nX-Api-Key: hunter2\r\nAccept: */*", body, sizeof body - 1));
        CHECK(pthread_equal(seen.thread, pthread_self()));
        CHECK_CONTAINS(value_of(names[i].headers), "\"Accept\":\"*/*\"");
        CHECK_CONTAINS(value_of(names[i].body), "ann");
        for (int at = 0; at < seen.count; at++) CHECK(!strstr(seen.value[at], "hunter2"));
        /* Headers alone, body alone, neither. */
        CHECK_OK(capture(names[i].kind, "Accept: x", NULL, 0));
        CHECK(value_of(names[i].headers) && !value_of(names[i].body));
        CHECK_OK(capture(names[i].kind, NULL, body, sizeof body - 1));
        CHECK(!value_of(names[i].headers) && value_of(names[i].body));
        CHECK_OK(capture(names[i].kind, NULL, NULL, 0));
        CHECK_INT(seen.count, 0);
        /* In pieces of any size the same comes out. */
        CHECK_OK(capture(names[i].kind, "Content-Type: application/json\r\nAuthorization: Bearer hunter2", body, sizeof body - 1));
        struct seen whole = seen;
        memset(&seen, 0, sizeof seen);
        for (size_t piece = 1; piece <= sizeof body; piece++) {
            CHECK_OK(capture_in_pieces(names[i].kind, "application/json", body, sizeof body - 1, piece));
            CHECK_INT(seen.count, whole.count);
            for (int at = 0; at < whole.count && at < seen.count; at++) {
                CHECK_STR(seen.key[at], whole.key[at]);
                CHECK_STR(seen.value[at], whole.value[at]);
            }
        }
        for (int at = 0; at < whole.count; at++) free(whole.value[at]);
    }
}

/* Cut at every byte, by the sender or by the limit: the secret never leaves. */
static void secrets(void) {
    static const struct { const char *type, *body; } bodies[] = {
        {"application/json", "{\"a\": [1, {\"Password\": \"S3CRET-S3CRET\", \"b\": \"x\"}], \"token\": {\"deep\": [\"S3CRET\"]}}"},
        {"application/json; charset=utf-8", "{\"api_key\":\"S3CR\\u0045T-\\\"S3CRET\",\"c\":1}"},
        {"application/x-www-form-urlencoded", "user=ann&PASSWORD=S3CRET+S3CRET&x=1&user%5Btoken%5D=S3CRET"},
        {NULL, "{\"password\": \"S3CRET-S3CRET\"}"},
        {NULL, "password=S3CRET&a=b"},
        {"text/plain", "password=S3CRET Authorization: Bearer S3CRET\n"},
        {"application/json", "{\"password\": \"S3CRET\""},
        {"application/octet-stream", "\x00\x01\x02S3CRET"},
        {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nS3CRET\r\n--x--\r\n"},
        {"application/xml", "<a><password>S3CRET</password></a>"},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        size_t len = bodies[i].body[0] ? strlen(bodies[i].body) : 9;
        char headers[128];
        snprintf(headers, sizeof headers, "Content-Type: %s", bodies[i].type ? bodies[i].type : "");
        for (size_t cut = 1; cut <= len; cut++) {
            CHECK_OK(capture(MPR_PAYLOAD_HTTP_REQUEST, bodies[i].type ? headers : NULL, bodies[i].body, cut));
            for (int at = 0; at < seen.count; at++)
                if (strstr(seen.value[at], "S3CR")) CHECK_FAIL("body %zu cut at %zu leaves as %s", i, cut, seen.value[at]);
        }
        uint8_t out[1024];
        size_t needed = 0;
        CHECK_OK(mpr_mask(bodies[i].type, (const uint8_t *)bodies[i].body, len, out, sizeof out - 1, &needed));
        out[needed] = 0;
        CHECK(!strstr((char *)out, "S3CR"));
        /* Exactly the size that is needed, and one byte less. */
        size_t again = 0;
        uint8_t *exact = malloc(needed + 1);
        CHECK_OK(mpr_mask(bodies[i].type, (const uint8_t *)bodies[i].body, len, exact, needed, &again));
        CHECK_INT(again, needed);
        CHECK_STATUS(mpr_mask(bodies[i].type, (const uint8_t *)bodies[i].body, len, exact, needed - 1, &again), MPR_ERR_BUFFER_TOO_SMALL);
        CHECK_INT(again, needed);
        CHECK_STATUS(mpr_mask(bodies[i].type, (const uint8_t *)bodies[i].body, len, NULL, 0, &again), MPR_ERR_BUFFER_TOO_SMALL);
        CHECK_INT(again, needed);
        CHECK_OK(mpr_mask(bodies[i].type, (const uint8_t *)bodies[i].body, len, exact, needed, NULL));
        free(exact);
    }
    /* Headers that are none, or of two. */
    static const char *const headers[] = {
        "Authorization: Bearer S3CRET", "authorization:S3CRET\r\n", "X: y\nAUTHORIZATION : S3CRET", "Cookie: sid=S3CRET; b=S3CRET",
        "Set-Cookie: sid=S3CRET; Path=/\r\nSet-Cookie: b=S3CRET", "X-Api-Key: S3CRET\r\n\r\nbody S3CRET", "Proxy-Authorization: Basic S3CRET",
        "Referer: http://x/?token=S3CRET&a=b",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        mpr_status status = capture(MPR_PAYLOAD_HTTP_REQUEST, headers[i], NULL, 0);
        CHECK(status == MPR_OK || status == MPR_ERR_INVALID_ARGUMENT);
        for (int at = 0; at < seen.count; at++)
            if (strstr(seen.value[at], "S3CR")) CHECK_FAIL("headers %zu leave as %s", i, seen.value[at]);
        CHECK(!strstr(mpr_last_error(), "S3CR"));
    }
}

static const char *told(mpr_status (*what)(const char *, const uint8_t *, size_t, uint8_t *, size_t, size_t *),
                        const char *type, const char *body) {
    static char out[4096];
    size_t needed = 0;
    CHECK_OK(what(type, (const uint8_t *)body, strlen(body), (uint8_t *)out, sizeof out - 1, &needed));
    out[needed < sizeof out ? needed : 0] = 0;
    return out;
}

/* The host's own rules, and what mpr_explain_mask() tells of them. */
static void own_rules(void) {
    const char *text = "{\"user\": {\"email\": \"ann\", \"nick\": \"S3CRET\", \"pin\": \"S3CRET\"}, \"note\": \"EMP-S3CRET a@S3CRET.io\", \"error\": {\"token\": 7}}";
    /* With the default rules, also before mpr_init(). */
    CHECK_CONTAINS(told(mpr_mask, "application/json", text), "\"nick\": \"S3CRET\"");
    CHECK_CONTAINS(told(mpr_explain_mask, "application/json", text), "{\"path\":\"user.email\",\"rule\":\"name\",\"entry\":\"email\",\"by\":\"default\"}");
    mpr_options *o = mpr_options_new();
    CHECK_OK(mpr_options_set_json(o, "{\"api_key\": \"k\", \"mask_allow_fields\": [\"email\"], \"mask_paths\": [\"user.nick\"],"
                                     "\"mask_allow_paths\": \"error\", \"mask_patterns\": [\"EMP-(?P<secret>[A-Z0-9]+)\"], \"mask_emails\": true}"));
    CHECK_OK(mpr_init(o));
    CHECK_STR(told(mpr_mask, "application/json", text),
              "{\"user\": {\"email\": \"ann\", \"nick\": \"***MASKED***\", \"pin\": \"***MASKED***\"}, \"note\": \"EMP-***MASKED*** ***MASKED***\", \"error\": {\"token\": 7}}");
    const char *why = told(mpr_explain_mask, "application/json", text);
    CHECK(!strstr(why, "S3CR"));
    CHECK_CONTAINS(why, "{\"content_type\":\"application/json\",\"kind\":\"json\",\"size\":");
    CHECK_CONTAINS(why, "{\"path\":\"user.nick\",\"rule\":\"path\",\"entry\":\"user.nick\",\"by\":\"user\"}");
    CHECK_CONTAINS(why, "{\"path\":\"user.pin\",\"rule\":\"name\",\"entry\":\"pin\",\"by\":\"default\"}");
    CHECK_CONTAINS(why, "\"entry\":\"mask_patterns[0]\",\"by\":\"user\"}");
    CHECK_CONTAINS(why, "\"fields_masked\":4}");
    why = told(mpr_explain_mask, "message/http", "GET / HTTP/1.1\r\nAuthorization: S3CRET\r\nAccept: x\r\n");
    CHECK(!strstr(why, "S3CR") && !strstr(why, "Accept"));
    CHECK_CONTAINS(why, "{\"path\":\"Authorization\",\"rule\":\"name\"");
    CHECK_CONTAINS(told(mpr_explain_mask, "image/png", "x"), "\"kind\":\"described\"");
    /* Buffers as for mpr_mask(). */
    size_t needed = 0;
    uint8_t byte = '#';
    CHECK_STATUS(mpr_explain_mask(NULL, (const uint8_t *)"x", 1, &byte, 1, &needed), MPR_ERR_BUFFER_TOO_SMALL);
    CHECK(byte == '#' && needed > 1);
    CHECK_STATUS(mpr_explain_mask(NULL, NULL, 1, NULL, 0, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_explain_mask("text/\xff", &byte, 1, NULL, 0, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_OK(mpr_shutdown(1000));
}

static void bad_arguments(void) {
    static const int32_t kinds[] = {0, -1, 8, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        CHECK_STATUS(capture(kinds[i], NULL, "{}", 2), MPR_ERR_INVALID_ARGUMENT);
        CHECK(mpr_capture_begin(kinds[i], trace) == NULL);
    }
    const uint8_t *body = (const uint8_t *)"{}";
    CHECK_STATUS(mpr_capture_payload(1, NULL, NULL, 0, body, 2, attribute, &seen), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_capture_payload(1, trace, NULL, 5, body, 2, attribute, &seen), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_capture_payload(1, trace, NULL, 0, NULL, 2, attribute, &seen), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_capture_payload(1, trace, NULL, 0, body, SIZE_MAX, attribute, &seen), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_capture_payload(1, trace, NULL, 0, body, 2, NULL, &seen), MPR_ERR_INVALID_ARGUMENT);
    /* Not recorded: nothing else is looked at. */
    const uint8_t other[16] = {1};
    CHECK_STATUS(mpr_capture_payload(1, other, NULL, 0, NULL, 99, NULL, NULL), MPR_SKIPPED);
    CHECK(mpr_capture_begin(1, other) == NULL);
    mpr_capture *c = mpr_capture_begin(1, trace);
    CHECK_STATUS(mpr_capture_header(c, NULL, 3, "x", 1), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_capture_header(c, "x", 1, NULL, 3), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_capture_body(c, NULL, 3), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_capture_body(c, body, SIZE_MAX), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_capture_end(c, NULL, NULL), MPR_ERR_INVALID_ARGUMENT);
    mpr_capture_free(c);
    CHECK_STATUS(mpr_mask("text/plain", NULL, 1, NULL, 0, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_mask("text/\xff", body, 2, NULL, 0, NULL), MPR_ERR_INVALID_ARGUMENT);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long peak_kb(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* 50 MB of one body: the attribute is bounded, and so are memory and time. */
static void huge(size_t len) {
    char *body = malloc(len);
    const char item[] = "{\"name\": \"ann\", \"password\": \"S3CRET\"},\n";
    body[0] = '[';
    for (size_t at = 1; at < len; at++) body[at] = item[(at - 1) % (sizeof item - 1)];
    for (int pieces = 0; pieces < 2; pieces++) {
        uint64_t truncated = stats_now().payloads_truncated;
        long before = peak_kb();
        double begin = seconds();
        if (pieces) CHECK_OK(capture_in_pieces(1, "application/json", body, len, 64 * 1024));
        else CHECK_OK(capture(1, "Content-Type: application/json", body, len));
        const char *value = value_of("multiplayer.http.request.body");
        CHECK(value != NULL);
        if (!value) continue;
        CHECK(strlen(value) <= 400000 && strlen(value) > 300000);
        CHECK_CONTAINS(value, "ann");
        CHECK(!strstr(value, "S3CR"));
        CHECK_INT(stats_now().payloads_truncated, truncated + 1);
        /* Generous, for slow machines and debug builds; without a bound these are 50 MB and many seconds. */
        if (peak_kb() - before > 20 * 1024) CHECK_FAIL("%ld KB more", peak_kb() - before);
        if (seconds() - begin > 10) CHECK_FAIL("%.1f s", seconds() - begin);
    }
    free(body);
}

int main(int argc, char **argv) {
    own_rules();
    CHECK_OK(mpr_init(NULL));
    CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
    CHECK_OK(mpr_generate_trace_id(trace));
    kinds();
    secrets();
    bad_arguments();
    huge(argc > 1 ? (size_t)atoi(argv[1]) : 50u << 20);
    mpr_stats stats = stats_now();
    CHECK(stats.payloads_captured > 0 && stats.payload_fields_masked > 0 && stats.payloads_masked_whole > 0);
    CHECK_INT(stats.mask_callback_failures, 0);
    forget();
    CHECK_OK(mpr_shutdown(10000));
    check_accounting();
    return check_result();
}
