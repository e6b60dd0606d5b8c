/* Preloaded by the tests of degraded hosts: what the system refuses, and what its clock says. Quiet until it is told. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

static atomic_int no_threads, no_random;
static atomic_long clock_offset;

void shim_refuse_threads(int on) { no_threads = on; }
void shim_refuse_random(int on) { no_random = on; }
void shim_move_clock(long seconds) { clock_offset = seconds; }

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *argument) {
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return no_threads ? EAGAIN : real(thread, attr, run, argument);
}

ssize_t getrandom(void *buffer, size_t size, unsigned flags) {
    static ssize_t (*real)(void *, size_t, unsigned);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "getrandom");
    if (!no_random) return real(buffer, size, flags);
    errno = EPERM;
    return -1;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, time);
    if (!status && clock == CLOCK_REALTIME) time->tv_sec += clock_offset;
    return status;
}
