/* Sizes that nobody means: every call answers, in bounded time and memory, and what is sent stays deliverable. */
#include "check.h"

static char *text_of(size_t len, char fill) {
    char *text = malloc(len + 1);
    memset(text, fill, len);
    text[len] = 0;
    return text;
}

int main(void) {
    CHECK_OK(mpr_init(NULL));
    char *big = text_of(10u << 20, 'x');
    /* Text of 10 MB wherever text goes in. */
    mpr_span *span = NULL;
    (void)mpr_start(MPR_SESSION_MANUAL, big); /* not JSON */
    CHECK(strlen(mpr_last_error()) < 1000);
    CHECK_STATUS(mpr_traceparent_parse(big, &(mpr_span_context){0}), MPR_ERR_INVALID_ARGUMENT);
    CHECK(strlen(mpr_last_error()) < 1000);
    mpr_options *options = mpr_options_new();
    CHECK_STATUS(mpr_options_set_compression(options, big), MPR_ERR_INVALID_ARGUMENT);
    CHECK(strlen(mpr_last_error()) < 1000);
    CHECK_STATUS(mpr_options_set_json(options, big), MPR_ERR_INVALID_ARGUMENT);
    mpr_options_free(options);

    CHECK_OK(mpr_start(MPR_SESSION_MANUAL, "{\"name\": \"limits\"}"));
    span = mpr_span_begin(big, 0, NULL);
    CHECK(span != NULL);
    mpr_span_end(span);
    span = mpr_span_begin("big attribute", 0, NULL);
    CHECK_OK(mpr_span_set_string(span, "big", big));
    CHECK_OK(mpr_span_set_int(span, "small", 7));
    mpr_span_end(span);
    span = mpr_span_begin("big key", 0, NULL);
    (void)mpr_span_set_string(span, big, "v");
    CHECK_OK(mpr_span_set_int(span, "small", 7));
    mpr_span_end(span);
    span = mpr_span_begin("many", 0, NULL);
    for (int i = 0; i < 10000; i++) {
        char key[32];
        snprintf(key, sizeof key, "key %d", i);
        mpr_status status = mpr_span_set_int(span, key, i);
        CHECK(status == MPR_OK || status == MPR_SKIPPED || status == MPR_ERR_INVALID_ARGUMENT);
        status = mpr_span_add_event(span, key, "{\"a\": 1}");
        CHECK(status == MPR_OK || status == MPR_SKIPPED || status == MPR_ERR_INVALID_ARGUMENT);
    }
    mpr_span_end(span);
    span = mpr_span_begin("big exception", 0, NULL);
    CHECK_OK(mpr_span_record_exception(span, "T", big, big));
    CHECK_OK(mpr_span_set_status(span, MPR_SPAN_STATUS_ERROR, big));
    mpr_span_end(span);
    CHECK_OK(mpr_log(9, big, 10u << 20, NULL, NULL));
    char *json = malloc(400100);
    memset(json, '[', 200000);
    memset(json + 200000, ']', 200000);
    json[400000] = 0;
    CHECK_STATUS(mpr_log(9, "x", 1, json, NULL), MPR_ERR_INVALID_ARGUMENT);
    free(json);
    char *headers = malloc(2u << 20);
    size_t len = 0;
    for (int i = 0; i < 50000; i++) len += (size_t)sprintf(headers + len, "X-%d: value\r\n", i);
    span = mpr_span_begin("many headers", 0, NULL);
    CHECK_OK(mpr_span_capture_payload(span, 1, headers, len, NULL, 0));
    mpr_span_end(span);
    free(headers);

    /* 100000 handles alive at once. They fill the budget, and what still waits then would be dropped, oldest first. */
    CHECK_OK(mpr_flush(20000));
    static mpr_span *spans[100000];
    for (int i = 0; i < 100000; i++) CHECK((spans[i] = mpr_span_begin("h", 0, NULL)) != NULL);
    for (int i = 0; i < 100000; i++) mpr_span_end(spans[i]);
    check_accounting();
    CHECK_OK(mpr_cancel());
    CHECK_OK(mpr_shutdown(20000));
    check_accounting();
    free(big);
    return check_result();
}
