/* What a producer of spans does in `make bench-delivery`, the same for every library beside which libmpr is measured: this
 * header has main() and is included by a program that says how its library makes a span (the last three declarations).
 * benches/peers/rust is the same in Rust. One run a process; arguments are name=value, the result is a line of JSON. */
#ifndef WORKLOAD_H
#define WORKLOAD_H
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct run {
    const char *mode;        /* export; discard: recorded and thrown away; unrecorded */
    const char *endpoint;    /* http://127.0.0.1:PORT/v1/traces */
    const char *compression; /* none or gzip */
    const char *spool;       /* a folder, or "" */
    long queue;              /* spans that the queue must hold, 0 for the library's default */
    long spans, producers, rounds;
    long rate;   /* spans a second of each producer, 0 for as fast as it goes */
    long large;  /* two attributes of 2 KB beside the small ones */
    long gentle; /* paced by sleeping (in bursts of a millisecond), not by waiting actively */
};

/* Once a round: makes the library ready. */
static void peer_begin(const struct run *run);
/* One span with workload's attributes; `n` differs from call to call. */
static void peer_span(long n);
/* Once a round: delivers everything. */
static void peer_end(void);

static struct run workload_run = {"export", "", "none", "", 0, 100000, 1, 1, 0, 0, 0};
static char workload_text[2049];
static uint32_t *workload_took; /* ns of each span of a paced run */

static double workload_clock(clockid_t which) {
    struct timespec now;
    clock_gettime(which, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double workload_processor(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct workload_thread {
    pthread_t thread;
    long first, spans;
    double cpu;
};

static void *workload_produce(void *argument) {
    struct workload_thread *self = (struct workload_thread *)argument;
    double cpu = workload_clock(CLOCK_THREAD_CPUTIME_ID), start = workload_clock(CLOCK_MONOTONIC);
    for (long i = 0; i < self->spans; i++) {
        if (!workload_run.rate) {
            peer_span(self->first + i);
            continue;
        }
        double due = start + (double)i / (double)workload_run.rate, begin;
        while ((begin = workload_clock(CLOCK_MONOTONIC)) < due)
            if (workload_run.gentle) {
                struct timespec pause = {0, 1000000};
                nanosleep(&pause, NULL);
            }
        peer_span(self->first + i);
        workload_took[self->first + i] = (uint32_t)((workload_clock(CLOCK_MONOTONIC) - begin) * 1e9);
    }
    self->cpu = workload_clock(CLOCK_THREAD_CPUTIME_ID) - cpu;
    return NULL;
}

static int workload_order(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The most memory that the process ever had, without what the process had that started it. */
static long workload_peak_kb(void) {
    char line[128];
    long kb = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM:", 6)) kb = strtol(line + 6, NULL, 10);
    if (status) fclose(status);
    return kb;
}

static long workload_number(const char *text) { return strtol(text, NULL, 10); }

int main(int argc, char **argv) {
    struct run *run = &workload_run;
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value) return fprintf(stderr, "%s: not name=value\n", argv[i]), 2;
        *value++ = 0;
        if (!strcmp(argv[i], "mode")) run->mode = value;
        else if (!strcmp(argv[i], "endpoint")) run->endpoint = value;
        else if (!strcmp(argv[i], "compression")) run->compression = value;
        else if (!strcmp(argv[i], "spool")) run->spool = value;
        else if (!strcmp(argv[i], "queue")) run->queue = workload_number(value);
        else if (!strcmp(argv[i], "spans")) run->spans = workload_number(value);
        else if (!strcmp(argv[i], "producers")) run->producers = workload_number(value);
        else if (!strcmp(argv[i], "rounds")) run->rounds = workload_number(value);
        else if (!strcmp(argv[i], "rate")) run->rate = workload_number(value);
        else if (!strcmp(argv[i], "large")) run->large = workload_number(value);
        else if (!strcmp(argv[i], "gentle")) run->gentle = workload_number(value);
        else return fprintf(stderr, "%s: no such argument\n", argv[i]), 2;
    }
    memset(workload_text, 'x', sizeof workload_text - 1);
    workload_took = (uint32_t *)calloc((size_t)run->spans, sizeof *workload_took);
    struct workload_thread threads[16];
    if (!workload_took || run->producers < 1 || run->producers > 16) return 2;
    for (long round = 0; round < run->rounds; round++) {
        peer_begin(run);
        /* What a library does once a thread or at the first span is not the price of a span. A delivery has only what is asked for. */
        if (strcmp(run->mode, "export"))
            for (long i = 0; i < 1000; i++) peer_span(i);
        double begin = workload_clock(CLOCK_MONOTONIC), cpu = workload_processor(), producers = 0;
        long each = run->spans / run->producers;
        for (long i = 0; i < run->producers; i++) {
            threads[i].first = i * each;
            threads[i].spans = each;
            if (pthread_create(&threads[i].thread, NULL, workload_produce, &threads[i])) return 2;
        }
        for (long i = 0; i < run->producers; i++) {
            pthread_join(threads[i].thread, NULL);
            producers += threads[i].cpu;
        }
        double made = workload_clock(CLOCK_MONOTONIC);
        peer_end();
        cpu = workload_processor() - cpu;
        if (run->rate) qsort(workload_took, (size_t)run->spans, sizeof *workload_took, workload_order);
#define WORKLOAD_QUANTILE(q) (workload_took[(long)((double)(run->spans - 1) * (q))] / 1e3)
        printf("{\"begin\": %.6f, \"made\": %.6f, \"producer_us\": %.4f, \"cpu_s\": %.4f, \"peak_kb\": %ld, \"p50\": %.3f, "
               "\"p99\": %.3f, \"p999\": %.3f}\n",
               begin, made, producers * 1e6 / (double)(each * run->producers), cpu, workload_peak_kb(), WORKLOAD_QUANTILE(0.5),
               WORKLOAD_QUANTILE(0.99), WORKLOAD_QUANTILE(0.999));
    }
    return 0;
}
#endif
