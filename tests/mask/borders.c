/* Masking at the border to C: every input and output stands in a block of exactly its size, so that valgrind sees a byte
 * read or written beyond; callbacks that call the library again; handles that are freed in every state. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

static uint8_t trace[16] = {0xde, 0xbd, 0xeb, 0x0a, 0x0a, 0x0a, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 1};

static const struct { const char *type, *body; } bodies[] = {
    {"application/json", "{\"a\": [1, {\"Password\": \"S3CRET\\\"\\u0041\", \"b\": \"\xc3\xa9\"}], \"token\": {\"x\": [\"S3CRET\"]}}"},
    {"application/x-www-form-urlencoded", "user=ann&pass%77ord=S3CRET%4&x=%"},
    {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nS3CRET\r\n--x--\r\n"},
    {"text/event-stream", "data: {\"token\": \"S3CRET\"}\n\ndata: x\n\n"},
    {"text/plain", "password=S3CRET http://u:S3CRET@h/?token=S3CRET -----BEGIN PRIVATE KEY-----\nS3CRET"},
    {"application/xml", "<a><password x='1'>S3CRET</password><![CDATA[x]]>&amp;</a>"},
    {"text/html", "<html><input name=password value='S3CRET'></html>"},
    {"text/csv", "id,password\n1,\"S3CRET\"\n"},
    {"application/graphql", "{ a(password: \"S3CRET\") { id } }"},
    {"application/json; charset=utf-16", "\xff\xfe{\0\"\0p\0i\0n\0\"\0:\0\x31\0}"},
    {"image/png", "\x89PNG S3CRET"},
    {NULL, "{\"password\": \"S3CRET\"}"},
};

static void *copy(const void *from, size_t len) {
    void *to = malloc(len ? len : 1);
    memcpy(to, from, len);
    return to;
}

static int count;

static void attribute(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    CHECK(user == &count);
    CHECK(key[key_len] == 0 && value[value_len] == 0);
    char *text = malloc(value_len + 1);
    memcpy(text, value, value_len + 1);
    CHECK(!strstr(text, "S3CR"));
    free(text);
    count++;
}

/* Every beginning of every body, with buffers of every size about the right one. */
static void sizes(size_t step) {
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        size_t len = i == 9 ? 18 : strlen(bodies[i].body);
        for (size_t cut = 0; cut <= len; cut += step) {
            uint8_t *body = copy(bodies[i].body, cut);
            size_t needed = 77777;
            mpr_status status = mpr_mask(bodies[i].type, body, cut, NULL, 0, &needed);
            CHECK(status == (needed ? MPR_ERR_BUFFER_TOO_SMALL : MPR_OK) || needed == 0);
            for (size_t size = needed > 3 ? needed - 3 : 0; size <= needed + 2; size++) {
                uint8_t *out = malloc(size ? size : 1);
                size_t again = 0;
                status = mpr_mask(bodies[i].type, body, cut, out, size, &again);
                CHECK_INT(again, needed);
                CHECK_STATUS(status, size < needed ? MPR_ERR_BUFFER_TOO_SMALL : MPR_OK);
                if (!status) {
                    uint8_t *text = malloc(needed + 1);
                    memcpy(text, out, needed);
                    text[needed] = 0;
                    if (strstr((char *)text, "S3CR")) CHECK_FAIL("body %zu cut at %zu leaves as %s", i, cut, text);
                    free(text);
                }
                free(out);
            }
            CHECK(mpr_mask(bodies[i].type, body, cut, NULL, 0, NULL) <= 0);
            free(body);
        }
    }
}

static void captures(size_t step) {
    static const char block[] = "Content-Type: application/json\r\nAuthorization: S3CRET\r\nCookie: a=S3CRET\r\nX: y";
    for (size_t cut = 0; cut < sizeof block; cut += step) {
        char *headers = copy(block, cut);
        uint8_t *body = copy(bodies[0].body, strlen(bodies[0].body));
        mpr_status status = mpr_capture_payload(MPR_PAYLOAD_HTTP_REQUEST, trace, headers, cut, body, strlen(bodies[0].body), attribute, &count);
        CHECK(status == MPR_OK || status == MPR_ERR_INVALID_ARGUMENT);
        free(headers);
        free(body);
    }
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        size_t len = i == 9 ? 18 : strlen(bodies[i].body);
        mpr_capture *c = mpr_capture_begin(MPR_PAYLOAD_HTTP_RESPONSE, trace);
        CHECK(c != NULL);
        if (bodies[i].type) {
            char *type = copy(bodies[i].type, strlen(bodies[i].type)), *name = copy("content-type", 12);
            CHECK_OK(mpr_capture_header(c, name, 12, type, strlen(bodies[i].type)));
            free(type);
            free(name);
        }
        for (size_t at = 0; at < len; at++) {
            uint8_t *one = copy(bodies[i].body + at, 1);
            CHECK_OK(mpr_capture_body(c, one, 1));
            free(one);
        }
        count = 0;
        CHECK_OK(mpr_capture_end(c, attribute, &count));
        CHECK(count >= 1);
        mpr_capture_free(c);
    }
    /* Freed in every state; a freed handle is an error, not a crash. */
    mpr_capture *c = mpr_capture_begin(1, trace);
    mpr_capture_free(c);
    CHECK_STATUS(mpr_capture_body(c, (const uint8_t *)"x", 1), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_capture_header(c, "a", 1, "b", 1), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_capture_end(c, attribute, &count), MPR_ERR_INVALID_ARGUMENT);
    mpr_capture_free(c);
    mpr_capture_free(NULL);
    c = mpr_capture_begin(1, trace);
    CHECK_OK(mpr_capture_body(c, (const uint8_t *)"{\"password\":", 12));
    mpr_capture_free(c);
}

/* A callback for attributes that uses the library, and frees what it is called for. */
static mpr_capture *running;

static void nested(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    uint8_t out[256];
    size_t needed;
    CHECK(mpr_mask(NULL, (const uint8_t *)value, value_len, out, sizeof out, &needed) <= 0);
    CHECK_OK(mpr_capture_payload(1, trace, NULL, 0, (const uint8_t *)"{\"pin\": 1}", 10, attribute, &count));
    mpr_capture_body(running, (const uint8_t *)"more", 4);
    mpr_capture_header(running, "a", 1, "b", 1);
    mpr_capture_free(running);
    CHECK(user == &running && key[key_len] == 0);
}

static void callbacks(void) {
    running = mpr_capture_begin(1, trace);
    CHECK_OK(mpr_capture_header(running, "Authorization", 13, "S3CRET", 6));
    CHECK_OK(mpr_capture_body(running, (const uint8_t *)"{\"password\":\"S3CRET\"}", 21));
    mpr_status status = mpr_capture_end(running, nested, &running);
    CHECK(status == MPR_OK);
    mpr_capture_free(running);
}

/* A mask callback that says a size, then another. */
static int freed, asked;

static mpr_status liar(const char *type, const uint8_t *in, size_t len, uint8_t *out, size_t capacity, size_t *needed, void *user) {
    (void)type;
    CHECK(in != NULL && user == &asked);
    (void)len;
    asked++;
    /* Each time a little more than there is room for. */
    *needed = capacity + 1;
    if (capacity) memset(out, 'S', capacity);
    return MPR_OK;
}

static mpr_status late(const char *type, const uint8_t *in, size_t len, uint8_t *out, size_t capacity, size_t *needed, void *user) {
    (void)type, (void)user;
    *needed = len;
    if (capacity < len) return MPR_OK;
    memcpy(out, in, len);
    return 1; /* what is written does not count */
}

static void forget(void *user) {
    CHECK(user == &asked);
    freed++;
}

static void with(mpr_mask_fn fn) {
    mpr_options *options = mpr_options_new();
    CHECK_OK(mpr_options_set_api_key(options, "k"));
    CHECK_OK(mpr_options_set_mask_callback(options, fn, &asked, forget));
    CHECK_OK(mpr_init(options));
    CHECK_OK(mpr_capture_payload(1, trace, NULL, 0, (const uint8_t *)"S3CRET body", 11, attribute, &count));
    uint8_t out[64];
    size_t needed = 0;
    CHECK_OK(mpr_mask("text/plain", (const uint8_t *)"S3CRET", 6, out, sizeof out, &needed));
    CHECK(needed == 12 && !memcmp(out, "***MASKED***", 12));
    CHECK(stats_now().mask_callback_failures >= 1);
    int before = freed;
    mpr_shutdown(1000);
    CHECK_INT(freed, before + 1);
}

int main(int argc, char **argv) {
    (void)argv;
    size_t step = argc > 1 ? 17 : 1;
    sizes(step); /* by the default rules, before mpr_init() */
    mpr_options *options = mpr_options_new();
    CHECK_OK(mpr_options_set_api_key(options, "k"));
    CHECK_OK(mpr_init(options));
    sizes(step);
    captures(step);
    callbacks();
    mpr_shutdown(1000);
    with(liar);
    with(late);
    CHECK(asked > 0);
    return check_result();
}
