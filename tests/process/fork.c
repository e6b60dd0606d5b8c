/* Forks, one kind per mode (see test_process.py). A child that hangs is killed by its alarm, and told. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../abi/check.h"

extern char **environ;

static const char BODY[] = "{\"a\": [{\"password\": \"x\"}], \"b\": \"c\", \"c\": [1, 2, 3, 4, 5, 6, 7, 8, 9]}";
static atomic_bool stop;
static double longest;

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void span(const char *name) {
    mpr_span *one = mpr_span_begin(name, MPR_SPAN_KIND_SERVER, NULL);
    mpr_span_set_string(one, "k", "v");
    mpr_span_end(one);
}

static void attribute(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    (void)user, (void)key, (void)key_len, (void)value, (void)value_len;
}

static void count_cut(void *user, const char *key, size_t key_len, const char *value, size_t value_len) {
    (void)key, (void)key_len, (void)value_len;
    if (strstr(key, ".truncated") || strstr(value, "not captured: cut")) ++*(int *)user;
}

/* Everything that takes a lock, over and over. */
static void *hammer(void *unused) {
    (void)unused;
    uint8_t trace[16], out[256];
    while (!stop) {
        mpr_span *one = mpr_span_begin("load", MPR_SPAN_KIND_CLIENT, NULL);
        mpr_span_set_int(one, "n", 1);
        mpr_span_capture_payload(one, 1, "Content-Type: application/json", 30, (const uint8_t *)BODY, sizeof BODY - 1);
        mpr_span_end(one);
        mpr_log(9, "text", 4, NULL, NULL);
        mpr_generate_trace_id(trace);
        mpr_capture *capture = mpr_capture_begin(1, trace);
        mpr_capture_body(capture, (const uint8_t *)BODY, sizeof BODY - 1);
        mpr_capture_end(capture, attribute, NULL);
        mpr_capture_free(capture);
        mpr_options *options = mpr_options_new();
        mpr_options_set_api_key(options, "k");
        mpr_options_free(options);
        mpr_mask(NULL, (const uint8_t *)BODY, sizeof BODY - 1, out, sizeof out, NULL);
        mpr_start(9, NULL); /* an error, with a message of this thread's */
        mpr_stats stats = {.struct_size = sizeof stats};
        mpr_get_stats(&stats);
        mpr_session_info(NULL, 0, NULL);
    }
    return NULL;
}

/* What a child does, named `name`; never returns. */
static void child(const char *name) {
    alarm(30);
    check_failures = 0;
    uint8_t trace[16], out[256];
    CHECK_OK(mpr_generate_trace_id(trace));
    span(name);
    mpr_options_free(mpr_options_new());
    CHECK_OK(mpr_mask("application/json", (const uint8_t *)BODY, sizeof BODY - 1, out, sizeof out, NULL));
    mpr_capture *capture = mpr_capture_begin(1, trace);
    CHECK(capture != NULL);
    CHECK_OK(mpr_capture_body(capture, (const uint8_t *)BODY, sizeof BODY - 1));
    CHECK_OK(mpr_capture_end(capture, attribute, NULL));
    mpr_capture_free(capture);
    CHECK_OK(mpr_flush(20000));
    mpr_stats stats = stats_now();
    CHECK(stats.fork_generation > 0);
    CHECK_INT(stats.accepted, 1);
    CHECK_INT(stats.exported, 1);
    check_accounting();
    _exit(check_failures ? 3 : 0);
}

static pid_t timed_fork(void) {
    double begin = now_ms();
    pid_t pid = fork();
    double took = now_ms() - begin;
    if (pid > 0 && took > longest) longest = took;
    return pid;
}

static void check_child(pid_t pid) {
    int status = 0;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    if (status) CHECK_FAIL("child %d ended with status 0x%x%s", pid, status, WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? " (it hung)" : "");
}

static void begin(void) {
    CHECK_OK(mpr_init(NULL));
    CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
}

static void end(void) {
    CHECK_OK(mpr_stop(NULL));
    check_accounting();
    CHECK_OK(mpr_shutdown(20000));
}

static void under_load(int forks) {
    enum { THREADS = 16 };
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++) pthread_create(&threads[n], NULL, hammer, NULL);
    for (int n = 0; n < forks; n++) {
        pid_t pid = timed_fork();
        if (pid == 0) {
            char name[32];
            snprintf(name, sizeof name, "child %d", n);
            child(name);
        }
        check_child(pid);
    }
    stop = true;
    for (int n = 0; n < THREADS; n++) pthread_join(threads[n], NULL);
}

static void *fork_here(void *name) {
    pid_t pid = fork();
    if (pid == 0) child(name);
    check_child(pid);
    return NULL;
}

static void *init_and_shutdown(void *unused) {
    (void)unused;
    while (!stop) {
        begin();
        span("between");
        mpr_shutdown(5000);
    }
    return NULL;
}

static atomic_int forked_by_log;

static void fork_in_callback(int32_t level, const char *message, void *user) {
    (void)level, (void)message, (void)user;
    if (forked_by_log++) return;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        (void)stats_now();
        span("of a callback");
        mpr_shutdown(100);
        _exit(check_failures ? 3 : 0);
    }
    check_child(pid);
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "under load")) {
        begin();
        under_load(atoi(argv[2]));
        end();
    } else if (!strcmp(mode, "twice")) {
        begin();
        span("parent");
        pid_t pid = fork();
        if (pid == 0) {
            alarm(40);
            span("child");
            pid_t second = fork();
            if (second == 0) child("child's child");
            check_child(second);
            CHECK_OK(mpr_flush(20000));
            CHECK_INT(stats_now().exported, 1);
            pthread_t thread;
            pthread_create(&thread, NULL, fork_here, "of a child's thread");
            pthread_join(thread, NULL);
            _exit(check_failures ? 3 : 0);
        }
        check_child(pid);
        end();
    } else if (!strcmp(mode, "in a thread")) {
        begin();
        pthread_t threads[4];
        char names[4][16];
        for (int n = 0; n < 4; n++) {
            snprintf(names[n], sizeof names[n], "thread %d", n);
            pthread_create(&threads[n], NULL, fork_here, names[n]);
        }
        for (int n = 0; n < 4; n++) pthread_join(threads[n], NULL);
        end();
    } else if (!strcmp(mode, "in a callback")) {
        mpr_options *options = mpr_options_new();
        CHECK_OK(mpr_options_set_log_level(options, "debug"));
        CHECK_OK(mpr_options_set_log_callback(options, fork_in_callback, NULL, NULL));
        CHECK_OK(mpr_init(options));
        CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
        CHECK(forked_by_log > 0);
        end();
    } else if (!strcmp(mode, "open span")) {
        begin();
        mpr_span *open = mpr_span_begin("open", MPR_SPAN_KIND_SERVER, NULL);
        pid_t pid = fork();
        if (pid == 0) {
            alarm(30);
            CHECK_OK(mpr_span_set_string(open, "child", "x"));
            mpr_span_end(open);
            CHECK_OK(mpr_flush(5000));
            CHECK_INT(stats_now().accepted, 0);
            _exit(check_failures ? 3 : 0);
        }
        check_child(pid);
        mpr_span_end(open);
        end();
    } else if (!strcmp(mode, "captures")) {
        mpr_options *options = mpr_options_new();
        CHECK_OK(mpr_options_set_capture_max_bytes(options, 65536));
        CHECK_OK(mpr_init(options));
        CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
        uint8_t trace[16];
        CHECK_OK(mpr_generate_trace_id(trace));
        mpr_capture *capture = mpr_capture_begin(1, trace);
        static char much[60000];
        memset(much, 'x', sizeof much);
        CHECK_OK(mpr_capture_body(capture, (const uint8_t *)much, sizeof much));
        pid_t pid = fork();
        if (pid == 0) {
            alarm(30);
            mpr_capture *own = mpr_capture_begin(1, trace); /* (the other one is a thread's that is gone) */
            CHECK_OK(mpr_capture_body(own, (const uint8_t *)much, sizeof much));
            int cut = 0;
            CHECK_OK(mpr_capture_end(own, count_cut, &cut));
            CHECK(!cut);
            mpr_capture_free(own);
            mpr_capture_free(capture);
            _exit(check_failures ? 3 : 0);
        }
        check_child(pid);
        mpr_capture_free(capture);
        end();
    } else if (!strcmp(mode, "exec")) {
        begin();
        span("before");
        char *const command[] = {"true", NULL};
        for (int n = 0; n < 20; n++) {
            pid_t pid = vfork();
            if (pid == 0) {
                execvp("true", command);
                _exit(9);
            }
            check_child(pid);
            CHECK_INT(posix_spawnp(&pid, "true", NULL, NULL, command, environ), 0);
            check_child(pid);
        }
        span("after");
        CHECK_INT(stats_now().fork_generation, 0);
        end();
    } else if (!strcmp(mode, "in a request")) {
        /* The receiver never answers. */
        begin();
        span("waits");
        CHECK_STATUS(mpr_flush(300), MPR_ERR_TIMEOUT);
        for (int n = 0; n < 10; n++) {
            pid_t pid = timed_fork();
            if (pid == 0) {
                alarm(30);
                span("waits too");
                double begun = now_ms();
                CHECK_STATUS(mpr_shutdown(200), MPR_ERR_TIMEOUT);
                CHECK(now_ms() - begun < 5000);
                _exit(check_failures ? 3 : 0);
            }
            check_child(pid);
        }
        CHECK_STATUS(mpr_shutdown(1000), MPR_ERR_TIMEOUT);
    } else if (!strcmp(mode, "in init")) {
        pthread_t thread;
        pthread_create(&thread, NULL, init_and_shutdown, NULL);
        for (int n = 0; n < 100; n++) {
            pid_t pid = timed_fork();
            if (pid == 0) {
                alarm(30);
                mpr_status status = mpr_init(NULL);
                CHECK(status == MPR_OK || status == MPR_ERR_ALREADY_INITIALIZED);
                status = mpr_start(MPR_SESSION_MANUAL, NULL);
                CHECK(status == MPR_OK || status == MPR_ERR_INVALID_STATE);
                span("child's own");
                CHECK_OK(mpr_shutdown(20000));
                _exit(check_failures ? 3 : 0);
            }
            check_child(pid);
        }
        stop = true;
        pthread_join(thread, NULL);
    } else if (!strcmp(mode, "exits")) {
        begin();
        pid_t pid = fork();
        if (pid == 0) {
            alarm(30);
            span("delivered at exit");
            exit(check_failures ? 3 : 0);
        }
        check_child(pid);
        pid = fork();
        if (pid == 0) exit(0); /* never recorded: the session's end is its parent's */
        check_child(pid);
        span("parent");
        end();
    } else {
        CHECK_FAIL("no such mode: %s", mode);
    }
    printf("longest fork: %.2f ms\n", longest);
    return check_result();
}
