/* An outage with far more recorded than can be delivered: memory stays within queue_max_bytes and a little, and every span is
 * accounted for. argv: seconds of outage. Writes "down" and "up" to stdout when it waits for the receiver to go and come. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "../abi/check.h"

enum { BUDGET = 16 << 20, THREADS = 4 };

static atomic_bool stop;
static atomic_long made;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long resident(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1) CHECK_FAIL("no /proc/self/statm");
    if (file) fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void record(void) {
    mpr_span *span = mpr_span_begin("work", MPR_SPAN_KIND_SERVER, NULL);
    char text[400];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    mpr_span_set_string(span, "text", text);
    mpr_span_set_int(span, "n", made++);
    mpr_span_end(span);
}

static void *producer(void *unused) {
    (void)unused;
    while (!stop) {
        record();
        if (made % 64 == 0) usleep(200);
    }
    return NULL;
}

static int ten_times_too_few(void) {
    mpr_stats full = stats_now();
    return full.dropped_queue_full <= 9 * full.queued;
}

static void wait_for(const char *what) {
    printf("%s\n", what);
    fflush(stdout);
    if (getchar() == EOF) exit(9);
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 5;
    mpr_options *options = mpr_options_new();
    CHECK_OK(mpr_options_set_queue_max_bytes(options, BUDGET));
    CHECK_OK(mpr_options_set_timeout_ms(options, 2000));
    CHECK_OK(mpr_init(options));
    CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
    for (int n = 0; n < 1000; n++) record();
    CHECK_OK(mpr_flush(20000));
    wait_for("down");
    long before = resident(), most = before;
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++) pthread_create(&threads[n], NULL, producer, NULL);
    /* However slow the machine: as long as it takes to make ten times what fits, within reason. */
    for (double end = now() + seconds; now() < end || (ten_times_too_few() && now() < end + 120); usleep(20000)) {
        long is = resident();
        if (is > most) most = is;
        check_accounting();
    }
    stop = true;
    for (int n = 0; n < THREADS; n++) pthread_join(threads[n], NULL);
    mpr_stats full = stats_now();
    CHECK_INT(full.accepted, made);
    CHECK(full.dropped_queue_full > 9 * full.queued);
    CHECK(full.queued_bytes <= BUDGET);
#ifndef __SANITIZE_THREAD__ /* which keeps a shadow of all memory beside it */
    if (most - before > BUDGET + (8 << 20))
        CHECK_FAIL("%.1f MiB more, with a budget of %d", (double)(most - before) / (1 << 20), BUDGET >> 20);
#endif
    wait_for("up");
    CHECK_OK(mpr_flush(60000));
    mpr_stats after = stats_now();
    CHECK_INT(after.exported, full.accepted - full.dropped_queue_full);
    CHECK_INT(after.queued_bytes, 0);
    check_accounting();
    CHECK_OK(mpr_stop(NULL));
    CHECK_OK(mpr_shutdown(20000));
    printf("%.1f MiB more than before at most; %ld spans made, %ld kept\n", (double)(most - before) / (1 << 20), (long)made, (long)after.exported);
    return check_result();
}
