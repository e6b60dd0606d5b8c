/* Hosts that lack something, one per mode (see test_process.py): the library does what it can and says the rest. Runs with
 * shim.c preloaded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "../abi/check.h"

static atomic_int lines;

static void count_lines(int32_t level, const char *message, void *user) {
    (void)user;
    if (level == 1 && strstr(message, "worker thread")) lines++;
}

static void shim(const char *name, long value) {
    void (*set)(long);
    *(void **)&set = dlsym(RTLD_DEFAULT, name);
    if (!set) {
        CHECK_FAIL("shim.c is not preloaded");
        exit(1);
    }
    set(value);
}

static void span(const char *name) { mpr_span_end(mpr_span_begin(name, MPR_SPAN_KIND_SERVER, NULL)); }

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void begin(void) {
    mpr_options *options = mpr_options_new();
    CHECK_OK(mpr_options_set_log_callback(options, count_lines, NULL, NULL));
    CHECK_OK(mpr_init(options));
}

static int compare(const void *a, const void *b) { return memcmp(a, b, 16); }

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "no threads")) {
        shim("shim_refuse_threads", 1);
        begin();
        CHECK_ERROR(mpr_start(MPR_SESSION_MANUAL, NULL), MPR_ERR_IO, "worker thread", "", "");
        double begun = now_ms();
        for (int n = 0; n < 1000; n++) span("early");
        /* It is not tried again with each of them. */
        CHECK(lines > 0 && lines <= 2 + (int)(now_ms() - begun) / 1000);
        CHECK_INT(stats_now().queued, 1000);
        CHECK_STATUS(mpr_flush(50), MPR_ERR_TIMEOUT);
        shim("shim_refuse_threads", 0);
        /* Nothing more is recorded: a flush is enough. */
        CHECK_OK(mpr_flush(20000));
        CHECK_INT(stats_now().exported, 1000);
        CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
        shim("shim_refuse_threads", 1);
        span("late");
        CHECK_OK(mpr_shutdown(5000)); /* which wants a thread to wait for the worker */
    } else if (!strcmp(mode, "no threads at all")) {
        shim("shim_refuse_threads", 1);
        begin();
        span("lost");
        CHECK_STATUS(mpr_shutdown(200), MPR_ERR_TIMEOUT);
        CHECK_INT(stats_now().dropped_shutdown, 1);
        begin();
        span("lost, too"); /* and the exit, which is no shutdown either */
    } else if (!strcmp(mode, "clock")) {
        begin();
        CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
        span("now");
        shim("shim_move_clock", -3600L * 24 * 365 * 80); /* before 1970 */
        span("long ago");
        CHECK_OK(mpr_flush(20000));
        shim("shim_move_clock", 3600L * 24 * 365 * 30);
        span("far away");
        CHECK_OK(mpr_flush(20000));
        shim("shim_move_clock", 0);
        mpr_span *across = mpr_span_begin("across", 0, NULL);
        shim("shim_move_clock", -3600);
        mpr_span_end(across);
        CHECK_OK(mpr_flush(20000));
        CHECK_OK(mpr_stop(NULL));
        CHECK_OK(mpr_shutdown(20000));
        CHECK_INT(stats_now().exported, 4);
    } else if (!strcmp(mode, "no random")) {
        shim("shim_refuse_random", 1);
        static uint8_t ids[1000][16];
        for (int n = 0; n < 1000; n++) {
            CHECK_STATUS(mpr_generate_trace_id(ids[n]), MPR_SKIPPED); /* recording is off */
            CHECK(!all_zero(ids[n], 16));
        }
        qsort(ids, 1000, 16, compare);
        for (int n = 1; n < 1000; n++) CHECK(memcmp(ids[n - 1], ids[n], 16));
        begin();
        CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
        span("all the same");
        CHECK_OK(mpr_shutdown(20000));
    } else if (!strcmp(mode, "bare")) {
        begin();
        CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
        span("all the same");
        CHECK_OK(mpr_shutdown(20000));
    } else {
        CHECK_FAIL("no such mode: %s", mode);
    }
    check_accounting();
    return check_result();
}
