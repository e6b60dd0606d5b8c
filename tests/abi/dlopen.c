/* A plugin host: loads the library a hundred times, uses it, unloads it, with threads that have called it before and end
 * after. Argument: the library's path. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <pthread.h>

#include "check.h"

#define THREADS 4

static const char *path;
static pthread_barrier_t used, unloaded;

/* Data and function pointers are of one size on POSIX, which ISO C does not promise. */
static void get(void *lib, const char *name, void *function) {
    void *found = dlsym(lib, name);
    if (!found) {
        fprintf(stderr, "no %s\n", name);
        exit(2);
    }
    memcpy(function, &found, sizeof found);
}

static void use(void *lib, int all) {
    mpr_status (*init)(mpr_options *), (*shutdown)(uint32_t), (*start)(int32_t, const char *), (*stop)(const char *);
    mpr_span *(*begin)(const char *, int32_t, const mpr_span_context *);
    void (*end)(mpr_span *);
    mpr_status (*id)(uint8_t *), (*parse)(const char *, mpr_span_context *);
    get(lib, "mpr_init", &init);
    get(lib, "mpr_shutdown", &shutdown);
    get(lib, "mpr_start", &start);
    get(lib, "mpr_stop", &stop);
    get(lib, "mpr_span_begin", &begin);
    get(lib, "mpr_span_end", &end);
    get(lib, "mpr_generate_trace_id", &id);
    get(lib, "mpr_traceparent_parse", &parse);
    uint8_t trace[16];
    mpr_span_context context;
    id(trace);
    parse("bad", &context); /* leaves a message in this thread's storage */
    if (!all) return;
    CHECK_INT(init(NULL), MPR_OK);
    CHECK_INT(start(MPR_SESSION_MANUAL, NULL), MPR_OK);
    end(begin("plugin", 0, NULL));
    CHECK_INT(stop(NULL), MPR_OK);
    CHECK_INT(shutdown(5000), MPR_OK);
}

static void *thread(void *unused) {
    (void)unused;
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    use(lib, 0);
    dlclose(lib);
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&unloaded); /* ends, with its destructors, when every handle is closed */
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    path = argv[1];
    for (int round = 0; round < 100; round++) {
        pthread_t threads[THREADS];
        pthread_barrier_init(&used, NULL, THREADS + 1);
        pthread_barrier_init(&unloaded, NULL, THREADS + 1);
        for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, thread, NULL);
        void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!lib) {
            fprintf(stderr, "%s\n", dlerror());
            return 2;
        }
        use(lib, round % 10 == 0);
        pthread_barrier_wait(&used);
        CHECK_INT(dlclose(lib), 0);
        pthread_barrier_wait(&unloaded);
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    }
    return check_result();
}
