/* dlopen, record, dlclose, exit: the library stays in memory and does its last work. argv[1] is its path. */
#include <dlfcn.h>
#include <stdio.h>

#include <mpr.h>

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) return 3;
    mpr_status (*init)(mpr_options *);
    mpr_status (*start)(int32_t, const char *);
    mpr_span *(*begin)(const char *, int32_t, const char *);
    mpr_status (*end)(mpr_span *);
    *(void **)&init = dlsym(library, "mpr_init");
    *(void **)&start = dlsym(library, "mpr_start");
    *(void **)&begin = dlsym(library, "mpr_span_begin");
    *(void **)&end = dlsym(library, "mpr_span_end");
    if (!init || !start || !begin || !end || init(NULL) != MPR_OK || start(MPR_SESSION_MANUAL, NULL) != MPR_OK) return 4;
    end(begin("recorded", 0, NULL));
    return dlclose(library) ? 5 : 0;
}
