/* Sessions: all five calls, blocking and async, one after the other; test_sections.py looks at what arrived. */
#include <pthread.h>
#include <stdbool.h>

#include "check.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int calls;
    mpr_status status;
    pthread_t thread;
    char message[512];
    int try_blocking;
} result = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void done(mpr_status status, void *user) {
    CHECK(user == &result);
    snprintf(result.message, sizeof result.message, "%s", mpr_last_error());
    if (result.try_blocking) {
        CHECK_STATUS(mpr_start(MPR_SESSION_MANUAL, NULL), MPR_ERR_INVALID_STATE);
        CHECK_CONTAINS(mpr_last_error(), "mpr_start");
        CHECK_STATUS(mpr_stop(NULL), MPR_ERR_INVALID_STATE);
        CHECK_STATUS(mpr_save(NULL), MPR_ERR_INVALID_STATE);
        CHECK_STATUS(mpr_cancel(), MPR_ERR_INVALID_STATE);
        CHECK_STATUS(mpr_check_remote(NULL), MPR_ERR_INVALID_STATE);
        CHECK_STATUS(mpr_flush(1000), MPR_ERR_INVALID_STATE);
        CHECK_STATUS(mpr_shutdown(1000), MPR_ERR_INVALID_STATE);
        /* What does not block works. */
        uint8_t id[16];
        CHECK_OK(mpr_generate_trace_id(id));
        (void)stats_now();
        (void)session_info();
    }
    pthread_mutex_lock(&result.lock);
    result.calls++;
    result.status = status;
    result.thread = pthread_self();
    pthread_cond_signal(&result.changed);
    pthread_mutex_unlock(&result.lock);
}

/* The result of an async call that was taken. */
static mpr_status awaited(mpr_status taken) {
    static int expected;
    CHECK_OK(taken);
    if (taken != MPR_OK) return taken;
    pthread_mutex_lock(&result.lock);
    expected++;
    while (result.calls < expected) pthread_cond_wait(&result.changed, &result.lock);
    CHECK_INT(result.calls, expected);
    CHECK(!pthread_equal(result.thread, pthread_self()));
    mpr_status status = result.status;
    pthread_mutex_unlock(&result.lock);
    return status;
}

static void work(const char *name) {
    mpr_span *span = mpr_span_begin(name, MPR_SPAN_KIND_SERVER, NULL);
    mpr_status recorded = strcmp(name, "before") ? MPR_OK : MPR_SKIPPED;
    CHECK_STATUS(mpr_span_set_string(span, "who", name), recorded);
    mpr_span_context context;
    CHECK_OK(mpr_span_get_context(span, &context));
    CHECK_STATUS(mpr_log(MPR_SEVERITY_INFO, name, strlen(name), "{\"n\": 1}", &context), recorded);
    mpr_span_end(span);
}

static void manual(bool async) {
    const char *json = "{\"name\": \"Checkout\", \"sessionAttributes\": {\"a\": 1, \"k\": \"start\"},"
                       " \"resourceAttributes\": {\"region\": \"eu\"}, \"userAttributes\": {\"type\": \"USER\", \"userName\": \"ann\"},"
                       " \"tags\": [\"plain\", {\"key\": \"env\", \"value\": \"ci\"}], \"comment\": \"slow\"}";
    const char *more = "{\"sessionAttributes\": {\"k\": \"stop\", \"b\": 2}}";
    CHECK_CONTAINS(session_info(), "\"stopped\"");
    CHECK_STATUS(mpr_stop(NULL), MPR_ERR_INVALID_STATE);
    CHECK_STATUS(mpr_cancel(), MPR_ERR_INVALID_STATE);
    CHECK_STATUS(mpr_save(NULL), MPR_ERR_INVALID_STATE);
    work("before"); /* of no session: not delivered; its log neither */
    if (async) CHECK_OK(awaited(mpr_start_async(MPR_SESSION_MANUAL, json, done, &result)));
    else CHECK_OK(mpr_start(MPR_SESSION_MANUAL, json));
    CHECK_CONTAINS(session_info(), "\"started\"");
    CHECK_CONTAINS(session_info(), "\"name\":\"Checkout\"");
    CHECK_CONTAINS(session_info(), "\"url\":\"http");
    CHECK_CONTAINS(session_info(), "\"shortId\":");
    CHECK_CONTAINS(session_info(), "\"endsInMs\":");
    CHECK_STATUS(mpr_start(MPR_SESSION_MANUAL, NULL), MPR_ERR_INVALID_STATE);
    CHECK_STATUS(mpr_start(MPR_SESSION_CONTINUOUS, NULL), MPR_ERR_INVALID_STATE);
    CHECK_STATUS(mpr_save(NULL), MPR_ERR_INVALID_STATE); /* continuous only */
    uint8_t id[16];
    CHECK_OK(mpr_generate_trace_id(id));
    CHECK_INT(mpr_trace_kind(id), MPR_TRACE_MANUAL);
    work(async ? "manual async" : "manual");
    CHECK_CONTAINS(session_info(), "\"spans\":1");
    CHECK_CONTAINS(session_info(), "\"logs\":1");
    if (async) CHECK_OK(awaited(mpr_stop_async(more, done, &result)));
    else CHECK_OK(mpr_stop(more));
    CHECK_CONTAINS(session_info(), "\"stopped\"");
    CHECK_INT(stats_now().queued, 0); /* what was recorded before the stop is delivered first */
    CHECK_STATUS(mpr_stop(NULL), MPR_ERR_INVALID_STATE);

    CHECK_OK(mpr_start(MPR_SESSION_MANUAL, "{\"name\": \"thrown away\"}"));
    work("cancelled");
    if (async) CHECK_OK(awaited(mpr_cancel_async(done, &result)));
    else CHECK_OK(mpr_cancel());
    CHECK_CONTAINS(session_info(), "\"stopped\"");
}

static void continuous(bool async) {
    CHECK_OK(mpr_start(MPR_SESSION_CONTINUOUS, "{\"name\": \"Rolling\", \"sessionAttributes\": {\"a\": 1}, \"tags\": [\"t\"]}"));
    uint8_t id[16];
    CHECK_OK(mpr_generate_trace_id(id));
    CHECK_INT(mpr_trace_kind(id), MPR_TRACE_CONTINUOUS);
    work(async ? "continuous async" : "continuous");
    const char *more = "{\"name\": \"Saved\", \"sessionAttributes\": {\"b\": 2}}";
    if (async) CHECK_OK(awaited(mpr_save_async(more, done, &result)));
    else CHECK_OK(mpr_save(more));
    CHECK_CONTAINS(session_info(), "\"started\"");
    CHECK_CONTAINS(session_info(), "\"saved\":{");
    CHECK_INT(stats_now().queued, 0);
    CHECK_OK(mpr_save(NULL)); /* as often as one likes */
    if (async) CHECK_OK(awaited(mpr_stop_async(NULL, done, &result)));
    else CHECK_OK(mpr_stop(NULL));
    CHECK_CONTAINS(session_info(), "\"stopped\"");
    CHECK_OK(mpr_start(MPR_SESSION_CONTINUOUS, NULL));
    CHECK_OK(mpr_cancel());
    CHECK_CONTAINS(session_info(), "\"stopped\"");
}

static void bad_arguments(void) {
    static const int32_t types[] = {-1, 2, 3, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        CHECK_STATUS(mpr_start(types[i], NULL), MPR_ERR_INVALID_ARGUMENT);
        CHECK_STATUS(mpr_start_async(types[i], NULL, done, &result), MPR_ERR_INVALID_ARGUMENT);
    }
    static const char *const bad[] = {
        "", "x", "[]", "7", "null", "{\"name\": 7}", "{\"name\": }", "{\"sessionAttributes\": []}", "{\"tags\": {}}",
        "{\"tags\": [7]}", "{\"tags\": [{\"key\": \"no value\"}]}", "{\"userAttributes\": \"ann\"}",
        "{\"shortId\": \"ABCDEF01\"}", "{\"shortId\": \"abc\"}", "{\"shortId\": \"../../..\"}", "{\"nome\": \"typo\"}",
        "{\"name\": \"a\xff\"}", "{\"comment\": {}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mpr_status status = mpr_start(MPR_SESSION_MANUAL, bad[i]);
        if (status != MPR_ERR_INVALID_ARGUMENT) CHECK_FAIL("start: %s is %s", bad[i], mpr_status_name(status));
        status = mpr_check_remote(bad[i]);
        if (status != MPR_ERR_INVALID_ARGUMENT) CHECK_FAIL("check: %s is %s", bad[i], mpr_status_name(status));
        status = mpr_start_async(MPR_SESSION_MANUAL, bad[i], done, &result);
        if (status != MPR_ERR_INVALID_ARGUMENT) CHECK_FAIL("start_async: %s is %s", bad[i], mpr_status_name(status));
        CHECK_CONTAINS(session_info(), "\"stopped\"");
    }
    CHECK_ERROR(mpr_start(0, "{\"name\":\n oops}"), MPR_ERR_INVALID_ARGUMENT, "line 2", "column", "");
}

int main(int argc, char **argv) {
    CHECK_OK(mpr_init(NULL));
    result.try_blocking = argc > 1 && !strcmp(argv[1], "blocking");
    bad_arguments();
    manual(false);
    manual(true);
    continuous(false);
    continuous(true);
    /* Whatever the answer, it is one of two. */
    mpr_status status = mpr_check_remote("{\"sessionAttributes\": {\"n\": 7}}");
    CHECK(status == MPR_OK || status == MPR_SKIPPED);
    if (status == MPR_OK) CHECK_OK(mpr_cancel());
    status = awaited(mpr_check_remote_async(NULL, done, &result));
    CHECK(status == MPR_OK || status == MPR_SKIPPED);
    if (status == MPR_OK) CHECK_OK(mpr_cancel());
    /* The async result of a call in the wrong state, with its message in the callback. */
    mpr_status taken = mpr_stop_async(NULL, done, &result);
    if (taken == MPR_OK) {
        CHECK_STATUS(awaited(taken), MPR_ERR_INVALID_STATE);
        CHECK_CONTAINS(result.message, "session");
    } else {
        CHECK_STATUS(taken, MPR_ERR_INVALID_STATE);
    }
    /* No callback; the shutdown waits for it all the same. */
    CHECK_OK(mpr_start_async(MPR_SESSION_MANUAL, NULL, NULL, NULL));
    CHECK_OK(mpr_shutdown(10000));
    check_accounting();
    CHECK_INT(stats_now().queued, 0);
    return check_result();
}
