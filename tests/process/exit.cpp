// The ends of processes without mpr_shutdown(), one per mode (see test_process.py). The last line on stdout is the time,
// CLOCK_MONOTONIC in ms, at which the end began.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

extern "C" {
#include <mpr.h>
}

static void span(const char *name) {
    mpr_span *one = mpr_span_begin(name, MPR_SPAN_KIND_SERVER, nullptr);
    mpr_span_end(one);
}

static std::atomic<bool> gone{false};
// exit() was called by a signal's handler, on top of a call of the library: nothing of it may be called by this thread any more.
static std::atomic<bool> in_signal{false};

// Destroyed at exit: whoever calls the host afterwards uses what is gone.
struct Host {
    const char *name;
    bool early;
    Host(const char *name, bool early) : name(name), early(early) {}
    ~Host() {
        if (!in_signal) span(name);
        if (early) gone = true;
    }
};

static Host before_init("of an early static", true);

static void on_log(int32_t, const char *, void *) {
    if (gone) _exit(4);
}

static void on_done(mpr_status, void *) {
    if (gone) _exit(5);
}

static std::atomic<bool> shut_down{false};

static void on_free(void *) {
    if (!shut_down) _exit(6);
}

static void say_now() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    std::printf("%.3f\n", static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6);
    std::fflush(stdout);
}

static void *exit_here(void *) {
    say_now();
    std::exit(0);
}

// On the thread that delivers, which does not return from here.
static void exit_in_callback(mpr_status, void *) { exit_here(nullptr); }

static void *hammer(void *) {
    for (;;) span("load");
}

static void on_signal(int) {
    in_signal = true;
    say_now();
    std::exit(0);
}

static void late() { span("of a handler"); }

static void late_shutdown() {
    if (mpr_shutdown(20000) != MPR_OK) _exit(7);
}

int main(int argc, char **argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    // Both run after the handler that init registers.
    if (mode == "handler") std::atexit(late);
    if (mode == "shutdown in a handler") std::atexit(late_shutdown);
    mpr_options *options = mpr_options_new();
    mpr_options_set_log_level(options, "debug");
    mpr_options_set_log_callback(options, on_log, nullptr, on_free);
    if (argc > 2) mpr_options_set_exit_timeout_ms(options, static_cast<uint32_t>(std::atoi(argv[2])));
    if (argc > 3) mpr_options_set_spool_dir(options, argv[3]);
    if (mpr_init(options) != MPR_OK) return 2;
    if (mode == "no session" ? mpr_start_async(MPR_SESSION_MANUAL, nullptr, on_done, nullptr) != MPR_OK
                             : mpr_start(MPR_SESSION_MANUAL, nullptr) != MPR_OK)
        return 3;
    static Host after_init("of a late static", false);
    if (mode != "nothing recorded") span("recorded");
    if (mode == "thread") {
        pthread_t thread;
        pthread_create(&thread, nullptr, exit_here, nullptr);
        pthread_join(thread, nullptr);
    } else if (mode == "signal handled") {
        pthread_t threads[4];
        for (pthread_t &thread : threads) pthread_create(&thread, nullptr, hammer, nullptr);
        // A signal on top of whatever this thread is doing.
        struct sigaction action{};
        action.sa_handler = on_signal;
        sigaction(SIGALRM, &action, nullptr);
        ualarm(100000, 0);
        // Mostly with the queue's lock; and never in malloc, on top of which no handler may call exit().
        mpr_stats stats{};
        for (stats.struct_size = sizeof stats;;) mpr_get_stats(&stats);
    } else if (mode == "signal") {
        say_now();
        raise(SIGTERM);
    } else if (mode == "callback") {
        mpr_stop_async(nullptr, exit_in_callback, nullptr);
        for (;;) pause();
    } else if (mode == "shutdown first") {
        shut_down = true;
        mpr_shutdown(300);
    } else if (mode == "flush on another thread") {
        pthread_t thread;
        pthread_create(&thread, nullptr, [](void *) -> void * { mpr_flush(60000); return nullptr; }, nullptr);
        usleep(100000);
    }
    say_now();
    if (mode == "_exit") _exit(0);
    return 0;
}
