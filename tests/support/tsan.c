/* Linked into the programs of `make tsan`: how ThreadSanitizer runs, whatever environment a program is given. There are no
 * suppressions.
 *
 * die_after_fork=0: a forked child may start threads. (What it does is not checked: TSan looks away after such a fork.)
 * report_signal_unsafe=0: exit() in a signal's handler is what tests/process/exit.cpp is about.
 * report_thread_leaks=0: a process that ends without a shutdown still has its worker.
 * atexit_sleep_ms=0: or each program would end a second late. */
#ifdef __cplusplus
extern "C"
#endif
const char *__tsan_default_options(void);

const char *__tsan_default_options(void) {
    return "die_after_fork=0:report_signal_unsafe=0:report_thread_leaks=0:atexit_sleep_ms=0";
}
