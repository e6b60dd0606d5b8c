/* Spans, exceptions, logs, traceparent; test_sections.py looks at what arrived. */
#include <math.h>

#include "check.h"

static void traceparent_vectors(void) {
    mpr_span_context context;
    char out[56];
    static const char *const good[] = {
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "00-debdeb01234567000000000000000001-0000000000000001-ff",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        memset(&context, 0xa5, sizeof context);
        CHECK_OK(mpr_traceparent_parse(good[i], &context));
        CHECK(all_zero(context.reserved, sizeof context.reserved));
        memset(out, '#', sizeof out);
        CHECK_OK(mpr_traceparent_format(&context, out));
        CHECK_INT(strlen(out), 55);
        CHECK(!memcmp(out, good[i], 53)); /* of the flags only "sampled" is defined for version 00 */
        CHECK_INT(context.trace_flags & 1, good[i][54] == '1' || good[i][54] == 'f');
    }
    CHECK_OK(mpr_traceparent_parse(good[0], &context));
    CHECK_INT(context.trace_id[0], 0x0a);
    CHECK_INT(context.trace_id[15], 0x9c);
    CHECK_INT(context.span_id[0], 0xb7);
    CHECK_INT(context.span_id[7], 0x31);
    /* A later version may have more behind it (W3C Trace Context, 4.3). */
    CHECK_OK(mpr_traceparent_parse("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", &context));
    CHECK_OK(mpr_traceparent_parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &context));
    static const char *const bad[] = {
        "", "0", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-001",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319cc-b7ad6b7169203331-01",
        "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01", "00-0af7651916cd43dd8448eb211c80319z-b7ad6b7169203331-01",
        "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-+1",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0\xff", "\xff\xfe",
        "00-0af7651916cd43dd8448eb211c8031\xc3\xa9-b7ad6b7169203331-01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&context, 0xa5, sizeof context);
        if (mpr_traceparent_parse(bad[i], &context) != MPR_ERR_INVALID_ARGUMENT) CHECK_FAIL("taken: %s", bad[i]);
        CHECK(all_zero(&context, sizeof context));
    }
    CHECK_STATUS(mpr_traceparent_parse(NULL, &context), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_traceparent_parse(good[0], NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_traceparent_format(NULL, out), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_traceparent_format(&context, NULL), MPR_ERR_INVALID_ARGUMENT);
    memset(&context, 0, sizeof context);
    CHECK_STATUS(mpr_traceparent_format(&context, out), MPR_ERR_INVALID_ARGUMENT); /* would not be a valid one */
}

static void bad_arguments(void) {
    CHECK(mpr_span_begin(NULL, 0, NULL) == NULL);
    CHECK(mpr_span_begin("a\xff", 0, NULL) == NULL);
    CHECK_CONTAINS(mpr_last_error(), "mpr_span_begin");
    CHECK(mpr_span_begin("k", 6, NULL) == NULL);
    CHECK(mpr_span_begin("k", -1, NULL) == NULL);
    mpr_span *span = mpr_span_begin("bad arguments", 0, NULL);
    CHECK_STATUS(mpr_span_set_string(span, NULL, "v"), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_set_string(span, "k", NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_set_string(span, "k\xff", "v"), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_set_string(span, "", "v"), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_set_int(span, NULL, 1), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_set_double(span, NULL, 1), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_set_bool(span, NULL, 1), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_set_bool(span, "k", 2), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_add_event(span, NULL, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_ERROR(mpr_span_add_event(span, "e", "{\"a\": oops}"), MPR_ERR_INVALID_ARGUMENT, "line 1", "column", "");
    CHECK_STATUS(mpr_span_add_event(span, "e", "[]"), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_set_status(span, 3, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_set_status(span, -1, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_record_exception(span, NULL, "m", NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_capture_payload(span, 0, NULL, 0, NULL, 0), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_capture_payload(span, 1, NULL, 3, NULL, 0), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_capture_payload(span, 1, NULL, 0, NULL, 3), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_span_get_context(span, NULL), MPR_ERR_INVALID_ARGUMENT);
    mpr_span_end(span);
    CHECK_STATUS(mpr_span_set_int(span, "k", 1), MPR_ERR_INVALID_ARGUMENT); /* ended */
    mpr_span_end(span);
    mpr_span_end(NULL);
    CHECK_STATUS(mpr_capture_exception(NULL, "m", NULL, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_log(0, "b", 1, NULL, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_log(25, "b", 1, NULL, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_log(-1, "b", 1, NULL, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_log(9, NULL, 1, NULL, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_log(9, "b", SIZE_MAX, NULL, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_ERROR(mpr_log(9, "b", 1, "{\"a\": }", NULL), MPR_ERR_INVALID_ARGUMENT, "line 1", "column", "");
    CHECK_STATUS(mpr_log(9, "b", 1, "[]", NULL), MPR_ERR_INVALID_ARGUMENT);
}

int main(void) {
    traceparent_vectors();
    CHECK_OK(mpr_init(NULL));
    CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));

    mpr_span *root = mpr_span_begin("root", MPR_SPAN_KIND_SERVER, NULL);
    mpr_span_context context, child_context;
    CHECK_OK(mpr_span_get_context(root, &context));
    CHECK_OK(mpr_span_set_string(root, "text", "first"));
    CHECK_OK(mpr_span_set_string(root, "text", "h\xc3\xa9llo")); /* replaces */
    CHECK_OK(mpr_span_set_string(root, "empty", ""));
    CHECK_OK(mpr_span_set_string(root, "url", "http://x/?a=b&token=S3CRET"));
    CHECK_OK(mpr_span_set_string(root, "auth", "Bearer S3CRET"));
    CHECK_OK(mpr_span_set_int(root, "low", INT64_MIN));
    CHECK_OK(mpr_span_set_int(root, "high", INT64_MAX));
    CHECK_OK(mpr_span_set_double(root, "pi", 3.25));
    mpr_status status = mpr_span_set_double(root, "nan", NAN); /* either way, but in order */
    CHECK(status == MPR_OK || status == MPR_ERR_INVALID_ARGUMENT);
    CHECK_OK(mpr_span_set_bool(root, "yes", 1));
    CHECK_OK(mpr_span_set_bool(root, "no", 0));
    CHECK_OK(mpr_span_add_event(root, "cache", "{\"hit\": true, \"n\": 3, \"password\": \"S3CRET\"}"));
    CHECK_OK(mpr_span_add_event(root, "plain", NULL));
    CHECK_OK(mpr_span_set_status(root, MPR_SPAN_STATUS_OK, "not kept"));
    const char body[] = "{\"user\": \"ann\", \"password\": \"S3CRET\"}", headers[] = "Content-Type: application/json\r\nCookie: a=S3CRET";
    CHECK_OK(mpr_span_capture_payload(root, MPR_PAYLOAD_HTTP_REQUEST, headers, sizeof headers - 1, (const uint8_t *)body, sizeof body - 1));
    CHECK_OK(mpr_span_capture_payload(root, MPR_PAYLOAD_HTTP_RESPONSE, NULL, 0, (const uint8_t *)"\"done\"", 6));

    mpr_span *child = mpr_span_begin("child", MPR_SPAN_KIND_CLIENT, &context);
    CHECK_OK(mpr_span_get_context(child, &child_context));
    CHECK(!memcmp(child_context.trace_id, context.trace_id, 16) && memcmp(child_context.span_id, context.span_id, 8));
    CHECK_OK(mpr_span_add_event(child, "before", NULL));
    CHECK_OK(mpr_span_record_exception(child, "std::out_of_range", "at 0x7ffdeadbeef0, token=S3CRET", "main (a.c:3)\n#1 0x7f00dead0000 in f"));
    mpr_span *grandchild = mpr_span_begin("grandchild", 0, &child_context);
    CHECK_OK(mpr_span_set_status(grandchild, MPR_SPAN_STATUS_ERROR, "broke"));
    CHECK_OK(mpr_log(MPR_SEVERITY_ERROR, "b\xff" "d\0x", 5, "{\"k\": \"v\", \"token\": \"S3CRET\"}", &child_context));
    CHECK_OK(mpr_log(MPR_SEVERITY_INFO, NULL, 0, NULL, NULL)); /* empty */
    CHECK_OK(mpr_log(MPR_SEVERITY_WARN, "password=S3CRET", 15, NULL, NULL));
    /* In any order. */
    mpr_span_end(root);
    mpr_span_end(grandchild);
    mpr_span_end(child);
    /* From another process, by header; of this session. */
    char header[56];
    CHECK_OK(mpr_traceparent_format(&context, header));
    CHECK_OK(mpr_traceparent_parse(header, &child_context));
    mpr_span_end(mpr_span_begin("remote", MPR_SPAN_KIND_CONSUMER, &child_context));
    /* Of no session: not recorded, whatever its flags say about other backends' sampling. */
    CHECK_OK(mpr_traceparent_parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", &child_context));
    mpr_span *foreign = mpr_span_begin("foreign", 0, &child_context);
    CHECK_STATUS(mpr_span_set_int(foreign, "k", 1), MPR_SKIPPED);
    mpr_span_end(foreign);
    CHECK_STATUS(mpr_log(9, "foreign", 7, NULL, &child_context), MPR_SKIPPED);
    CHECK_STATUS(mpr_capture_exception("E", "foreign", NULL, &child_context), MPR_SKIPPED);
    /* An invalid parent begins a trace. */
    memset(&child_context, 0, sizeof child_context);
    mpr_span_end(mpr_span_begin("new trace", 0, &child_context));
    CHECK_OK(mpr_capture_exception("Alone", "no span", NULL, NULL));
    CHECK_OK(mpr_capture_exception("Below", NULL, "f (b.c:1)", &context));
    bad_arguments();
    CHECK_OK(mpr_stop(NULL));
    CHECK_OK(mpr_shutdown(10000));
    check_accounting();
    return check_result();
}
