/* Hosts that do unusual things, one per mode (see test_hosts.py). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"

static uint8_t trace[16];

static void attribute(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    (void)user, (void)key, (void)key_len, (void)value, (void)value_len;
}

/* A bit of everything. */
static void work(void) {
    mpr_span *span = mpr_span_begin("work", MPR_SPAN_KIND_SERVER, NULL);
    mpr_span_set_string(span, "k", "v");
    mpr_span_record_exception(span, "T", "m", "f (a.c:1)");
    const char body[] = "{\"a\": [{\"password\": \"x\"}], \"b\": \"c\"}";
    mpr_span_capture_payload(span, MPR_PAYLOAD_HTTP_REQUEST, "A: b\r\nCookie: c=d", 17, (const uint8_t *)body, sizeof body - 1);
    mpr_capture_payload(1, trace, "A: b", 4, (const uint8_t *)body, sizeof body - 1, attribute, NULL);
    mpr_log(9, "text", 4, "{\"n\": {\"deep\": [1, 2, {\"x\": 1}]}}", NULL);
    mpr_span_end(span);
    mpr_traceparent_parse("bad", NULL); /* leaves a message */
    (void)mpr_last_error();
    (void)stats_now();
}

static void begin(void) {
    CHECK_OK(mpr_init(NULL));
    CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
    CHECK_OK(mpr_generate_trace_id(trace));
}

/* exit() destroys the main thread's storage before it calls these. */
static void at_exit(void) {
    work();
    mpr_status status = mpr_shutdown(5000);
    if (status != MPR_OK || check_failures) _exit(3);
}

static pthread_key_t key;
static atomic_int destructor_rounds;

/* As late as a thread can be: its destructors run four times, Rust's own storage is gone by the last. */
static void at_thread_exit(void *again) {
    work();
    if (++destructor_rounds < PTHREAD_DESTRUCTOR_ITERATIONS) pthread_setspecific(key, again);
}

static void *thread_with_destructor(void *unused) {
    (void)unused;
    pthread_setspecific(key, trace);
    work();
    return NULL;
}

static void *thread_with_small_stack(void *unused) {
    (void)unused;
    work();
    return NULL;
}

/* Callbacks that block, free what is in use, and call everything: refused or done, but never stuck. */
static mpr_capture *in_use;
static atomic_int rounds;

static void rude(void) {
    if (rounds++ > 50) return;
    mpr_flush(10);
    mpr_start(MPR_SESSION_MANUAL, NULL);
    mpr_capture_free(in_use);
    mpr_capture_body(in_use, (const uint8_t *)"x", 1);
    mpr_generate_trace_id(trace);
    mpr_session_info(NULL, 0, NULL);
    (void)mpr_last_error();
}

static void rude_attribute(void *user, const char *key_text, size_t key_len, const char *value, size_t value_len) {
    (void)user, (void)key_text, (void)key_len, (void)value, (void)value_len;
    rude();
}

static mpr_status rude_mask(const char *type, const uint8_t *in, size_t len, uint8_t *out, size_t capacity, size_t *needed, void *user) {
    (void)type, (void)in, (void)len, (void)out, (void)capacity, (void)user;
    rude();
    *needed = 0;
    return MPR_OK;
}

static void rude_log(int32_t level, const char *message, void *user) {
    (void)level, (void)message, (void)user;
    rude();
}

static mpr_status rude_id(uint8_t *out, void *user) {
    (void)user;
    rude();
    return mpr_generate_trace_id(out) == MPR_OK ? MPR_OK : MPR_ERR_IO;
}

static int32_t rude_sampler(const uint8_t *id, double ratio, void *user) {
    (void)user;
    rude();
    return mpr_should_sample(id, ratio);
}

static void rude_free(void *user) {
    (void)user;
    rude();
    mpr_options_free(mpr_options_new());
}

static void rude_callbacks(void) {
    mpr_options *o = mpr_options_new();
    CHECK_OK(mpr_options_set_log_level(o, "debug"));
    CHECK_OK(mpr_options_set_timeout_ms(o, 2000));
    CHECK_OK(mpr_options_set_log_callback(o, rude_log, NULL, rude_free));
    CHECK_OK(mpr_options_set_mask_callback(o, rude_mask, NULL, rude_free));
    CHECK_OK(mpr_options_set_trace_id_hook(o, rude_id, NULL, rude_free));
    CHECK_OK(mpr_options_set_sampler_hook(o, rude_sampler, NULL, rude_free));
    CHECK_OK(mpr_options_set_log_callback(o, rude_log, NULL, rude_free)); /* frees the first */
    CHECK_OK(mpr_init(o));
    mpr_span_end(mpr_span_begin("outside", 0, NULL));
    mpr_status status = mpr_start(MPR_SESSION_MANUAL, NULL);
    CHECK(status == MPR_OK || status == MPR_ERR_INVALID_STATE); /* a hook was first */
    CHECK_OK(mpr_generate_trace_id(trace));
    rounds = 0;
    work();
    in_use = mpr_capture_begin(1, trace);
    mpr_capture_body(in_use, (const uint8_t *)"{}", 2);
    mpr_capture_end(in_use, rude_attribute, NULL);
    mpr_capture_free(in_use);
    rounds = 0;
    mpr_stop(NULL);
    rounds = 0;
    mpr_shutdown(5000);
}

static void *waits_for_signal(void *seen) {
    sigset_t set;
    int signal = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (!sigwait(&set, &signal)) *(int *)seen = signal;
    return NULL;
}

static volatile sig_atomic_t handled_by_worker;
static pthread_t main_thread;
static void handler(int signal) {
    (void)signal;
    if (!pthread_equal(pthread_self(), main_thread)) handled_by_worker = 1;
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "atexit")) {
        begin();
        work();
        atexit(at_exit);
        return check_result();
    }
    if (!strcmp(mode, "atexit first")) { /* registered before the library's own destructors */
        atexit(at_exit);
        begin();
        work();
        exit(check_result());
    }
    if (!strcmp(mode, "exit without shutdown")) {
        CHECK_OK(mpr_init(NULL));
        CHECK_OK(mpr_start_async(MPR_SESSION_MANUAL, NULL, NULL, NULL)); /* the server never answers */
        work();
        return check_result();
    }
    if (!strcmp(mode, "rude callbacks")) {
        rude_callbacks();
        return check_result();
    }
    begin();
    pthread_t thread;
    if (!strcmp(mode, "thread exit")) {
        pthread_key_create(&key, at_thread_exit);
        for (int i = 0; i < 10; i++) {
            destructor_rounds = 0;
            pthread_create(&thread, NULL, thread_with_destructor, NULL);
            pthread_join(thread, NULL);
            CHECK_INT(destructor_rounds, PTHREAD_DESTRUCTOR_ITERATIONS);
        }
    }
    if (!strcmp(mode, "small stack")) {
        pthread_attr_t attr;
        pthread_attr_init(&attr);
        CHECK_INT(pthread_attr_setstacksize(&attr, 64 * 1024), 0);
        pthread_create(&thread, &attr, thread_with_small_stack, NULL);
        pthread_join(thread, NULL);
    }
    if (!strcmp(mode, "errno and signals")) {
        errno = 4711;
        work();
        CHECK_INT(errno, 4711);
        /* Signals to the process reach the host's threads only. */
        main_thread = pthread_self();
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_handler = handler;
        sigaction(SIGUSR2, &action, NULL);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        sigaddset(&set, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        int seen = 0;
        pthread_create(&thread, NULL, waits_for_signal, &seen);
        for (int i = 0; i < 100; i++) kill(getpid(), SIGUSR2); /* would go to the one thread that does not block it */
        kill(getpid(), SIGUSR1);
        pthread_join(thread, NULL);
        CHECK_INT(seen, SIGUSR1);
        CHECK(!handled_by_worker);
        /* The host's answer to a broken pipe stays what it was. */
        sigaction(SIGPIPE, NULL, &action);
        CHECK(action.sa_handler == SIG_DFL);
    }
    if (!strcmp(mode, "no more files")) {
        struct rlimit limit = {0, 0};
        getrlimit(RLIMIT_NOFILE, &limit);
        CHECK_OK(mpr_stop(NULL));
        CHECK_OK(mpr_shutdown(5000));
        limit.rlim_cur = 3;
        setrlimit(RLIMIT_NOFILE, &limit);
        CHECK_OK(mpr_init(NULL));
        mpr_status status = mpr_start(MPR_SESSION_MANUAL, NULL);
        CHECK(status == MPR_ERR_IO || status == MPR_ERR_NETWORK);
        CHECK_CONTAINS(mpr_last_error(), "open files");
        work();
        mpr_shutdown(1000);
        limit.rlim_cur = 256;
        setrlimit(RLIMIT_NOFILE, &limit);
        begin(); /* as if nothing had been */
    }
    CHECK_OK(mpr_flush(5000));
    CHECK_OK(mpr_shutdown(5000));
    check_accounting();
    return check_result();
}
