/* What it costs a process to have libmpr: start LIBRARY prints microseconds of dlopen() and of mpr_init(), then KB of memory
 * before, after dlopen() and after mpr_init(). One process, one measurement: tools/size.sh takes many. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Exact, unlike /proc/self/statm. */
static long resident_kb(void) {
    char line[256];
    long kb = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "Rss:", 4)) kb = atol(line + 4);
    if (file) fclose(file);
    return kb;
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: %s LIBRARY\n", argv[0]), 2;
    resident_kb(); /* what stdio needs is there from now on */
    long before = resident_kb();
    double begun = now_us();
    void *library = dlopen(argv[1], RTLD_NOW);
    double loaded = now_us();
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    long with_library = resident_kb();
    int (*init)(void *);
    *(void **)&init = dlsym(library, "mpr_init");
    double asked = now_us();
    int status = init ? init(NULL) : -1;
    double ready = now_us();
    if (status) return fprintf(stderr, "mpr_init: %d\n", status), 1;
    printf("%.0f %.0f %ld %ld %ld\n", loaded - begun, ready - asked, before, with_library, resident_kb());
    return 0;
}
