/* A program that holds libmpr.a beside another Rust library, and (WITH_ZSTD) a libzstd of its own; see test_static.py. With the
 * argument "clock" the system's clock fails for it, which the library meets with a panic inside. */
#include <execinfo.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include <mpr.h>
#ifdef WITH_ZSTD
#include <zstd.h>
#endif

extern "C" int other_panics(void);

static bool clock_fails;

/* In the place of libc's, in a program that the library is linked into. */
extern "C" int clock_gettime(clockid_t clock, struct timespec *time) noexcept {
    if (clock_fails) return -1;
    return static_cast<int>(syscall(SYS_clock_gettime, clock, time));
}

static int failed;
#define CHECK(what) ((what) ? (void)0 : (void)(failed++, std::fprintf(stderr, "%d: %s: %s\n", __LINE__, #what, mpr_last_error())))

struct Seen {
    int attributes, frames;
};

/* Called by the library: the way up from here goes through its frames, by its unwind tables. */
static void attribute(void *user, const char *, size_t, const char *, size_t) {
    Seen *seen = static_cast<Seen *>(user);
    void *frames[64];
    seen->attributes++;
    seen->frames = backtrace(frames, 64);
}

static __attribute__((noinline)) int frames_here() {
    void *frames[64];
    return backtrace(frames, 64);
}

static void work() {
    mpr_span *span = mpr_span_begin("beside", MPR_SPAN_KIND_SERVER, nullptr);
    mpr_span_context context;
    CHECK(mpr_span_get_context(span, &context) == MPR_OK);
    const char body[] = "{\"user\": \"ann\", \"password\": \"correct-horse\"}";
    Seen seen = {0, 0};
    CHECK(mpr_capture_payload(MPR_PAYLOAD_HTTP_REQUEST, context.trace_id, nullptr, 0, reinterpret_cast<const uint8_t *>(body),
                              sizeof body - 1, attribute, &seen) == MPR_OK);
    /* The frames up to this one, and several of the library between. */
    CHECK(seen.attributes == 1);
    CHECK(seen.frames > frames_here() + 2);
    /* The host's own exceptions pass its own frames. */
    try {
        throw std::out_of_range("item 7");
    } catch (const std::exception &e) {
        CHECK(mpr_span_record_exception(span, "std::out_of_range", e.what(), nullptr) == MPR_OK);
    }
    mpr_span_end(span);
}

int main(int argc, char **argv) {
    CHECK(other_panics() == 22);
    CHECK(mpr_init(nullptr) == MPR_OK);
    CHECK(mpr_start(MPR_SESSION_MANUAL, "{\"name\": \"beside\"}") == MPR_OK);
    work();
#ifdef WITH_ZSTD
    const std::string text(10000, 'z');
    char packed[1000], plain[10000];
    const size_t size = ZSTD_compress(packed, sizeof packed, text.data(), text.size(), 19);
    CHECK(!ZSTD_isError(size) && ZSTD_decompress(plain, sizeof plain, packed, size) == text.size());
    CHECK(ZSTD_versionNumber() == ZSTD_VERSION_NUMBER);
#endif
    if (argc > 1 && !std::strcmp(argv[1], "clock")) {
        clock_fails = true;
        mpr_status status = mpr_flush(1000);
        clock_fails = false;
        std::printf("%s %s\n", mpr_status_name(status), mpr_last_error());
        std::fflush(stdout);
        std::_Exit(failed); /* the rest of its work had no clock */
    }
    CHECK(mpr_stop(nullptr) == MPR_OK);
    CHECK(mpr_shutdown(5000) == MPR_OK);
    CHECK(other_panics() == 22);
    return failed ? 1 : 0;
}
