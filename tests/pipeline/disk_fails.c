/* Preloaded: makes the spool's disk fail. DISK_FAILS names a file that is read at every call; it holds "call errno",
 * where call is pwrite, short (half is written, then no more), hang (a pwrite waits until the file says something else, and makes
 * another with .hangs behind its name), open, ftruncate or pread. Empty or missing: nothing fails. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(const char *call) {
    const char *path = getenv("DISK_FAILS");
    int (*real_open)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    int fd = path ? real_open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return 0;
    char text[64] = "", which[32] = "";
    int error = 0;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0 || sscanf(text, "%31s %d", which, &error) != 2 || strcmp(which, call)) return 0;
    return error;
}

static void say_that_it_hangs(void) {
    int (*real_open)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    char path[4096];
    snprintf(path, sizeof path, "%s.hangs", getenv("DISK_FAILS"));
    close(real_open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static int is_spool(const char *path) {
    const char *name = strrchr(path, '/');
    return name && !strncmp(name, "/mpr-", 5) && strstr(name, ".spool");
}

static int fd_is_spool(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_spool(path);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    int error;
    if (fd_is_spool(fd)) {
        for (; fails("hang"); usleep(10000)) say_that_it_hangs();
        if ((error = fails("pwrite"))) return errno = error, -1;
        if ((error = fails("short"))) {
            /* What is left of the half is one byte: then it fails. */
            if (size > 1) return real(fd, data, size / 2, at);
            return errno = error, -1;
        }
    }
    return real(fd, data, size, at);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
    ssize_t (*real)(int, void *, size_t, off64_t) = (ssize_t(*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
    int error;
    if (fd_is_spool(fd) && (error = fails("pread"))) return errno = error, -1;
    return real(fd, data, size, at);
}

int ftruncate64(int fd, off64_t length) {
    int (*real)(int, off64_t) = (int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64");
    int error;
    if (fd_is_spool(fd) && (error = fails("ftruncate"))) return errno = error, -1;
    return real(fd, length);
}

int open64(const char *path, int flags, ...) {
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int), error;
    va_end(rest);
    if (is_spool(path) && (error = fails("open"))) return errno = error, -1;
    return real(path, flags, mode);
}
