/* A host whose server misbehaves. Arguments: the call (start, stop, save, cancel, check, traces), the status that it must
 * have, text that the message must have (or ""), the most milliseconds that it may take. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "check.h"

static double ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    const char *what = argv[1];
    CHECK_OK(mpr_init(NULL));
    uint8_t id[16];
    if (!strcmp(what, "stop") || !strcmp(what, "cancel") || !strcmp(what, "traces")) CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
    if (!strcmp(what, "save")) CHECK_OK(mpr_start(MPR_SESSION_CONTINUOUS, NULL));
    double begin = ms();
    mpr_status status = MPR_OK;
    if (!strcmp(what, "start")) status = mpr_start(MPR_SESSION_MANUAL, "{\"name\": \"n\"}");
    if (!strcmp(what, "continuous")) status = mpr_start(MPR_SESSION_CONTINUOUS, "{\"name\": \"n\"}");
    if (!strcmp(what, "stop")) status = mpr_stop(NULL);
    if (!strcmp(what, "save")) status = mpr_save(NULL);
    if (!strcmp(what, "cancel")) status = mpr_cancel();
    if (!strcmp(what, "check")) status = mpr_check_remote(NULL);
    if (!strcmp(what, "traces")) {
        mpr_span_end(mpr_span_begin("s", 0, NULL));
        status = mpr_flush((uint32_t)atoi(argv[4]) / 2);
        check_accounting();
    }
    double took = ms() - begin;
    if (took > atof(argv[4])) CHECK_FAIL("%s took %.0f ms", what, took);
    if (strcmp(mpr_status_name(status), argv[2])) CHECK_FAIL("%s is %s: %s", what, mpr_status_name(status), mpr_last_error());
    if (status < 0) {
        if (*argv[3]) CHECK_CONTAINS(mpr_last_error(), argv[3]);
        CHECK_CONTAINS(mpr_last_error(), "mpr_");
        CHECK(!strstr(mpr_last_error(), getenv("MULTIPLAYER_API_KEY")));
        CHECK(!strstr(mpr_last_error(), "p4ss")); /* the password of a URL */
        CHECK(strlen(mpr_last_error()) < 700);
        for (const char *c = mpr_last_error(); *c; c++) CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
    }
    /* The host goes on; a failed start, and any stop or cancel, leaves the recorder stopped. */
    if (!strcmp(what, "save")) {
        CHECK_CONTAINS(session_info(), "\"started\"");
        CHECK_OK(mpr_cancel());
    }
    if (!strcmp(what, "traces")) mpr_cancel();
    CHECK_CONTAINS(session_info(), "\"state\":\"stopped\"");
    mpr_generate_trace_id(id);
    CHECK_INT(mpr_trace_kind(id), MPR_TRACE_NONE);
    CHECK_STATUS(mpr_stop(NULL), MPR_ERR_INVALID_STATE);
    mpr_span_end(mpr_span_begin("after", 0, NULL));
    begin = ms();
    mpr_shutdown(1000);
    if (ms() - begin > 1500) CHECK_FAIL("shutdown took %.0f ms", ms() - begin);
    check_accounting();
    return check_result();
}
