/* Assertions of the C tests: each prints to stderr what failed and counts; main ends with `return check_result();`.
 * Nothing else is printed, so that the driver can tell the library's own output from ours (there must be none). */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpr.h>

static int check_failures;

static inline int check_result(void) { return check_failures ? 1 : 0; }

#define CHECK_FAIL(...)                                         \
    do {                                                        \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);         \
        fprintf(stderr, __VA_ARGS__);                           \
        fprintf(stderr, "\n");                                  \
        check_failures++;                                       \
    } while (0)

#define CHECK(condition)                                        \
    do {                                                        \
        if (!(condition)) CHECK_FAIL("not so: %s", #condition); \
    } while (0)

#define CHECK_INT(got, want)                                                                                  \
    do {                                                                                                      \
        int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);                                               \
        if (got_ != want_) CHECK_FAIL("%s is %" PRId64 ", expected %" PRId64, #got, got_, want_);             \
    } while (0)

/* A call of the library and the status that it must have. */
#define CHECK_STATUS(call, want)                                                                              \
    do {                                                                                                      \
        mpr_status got_ = (call), want_ = (want);                                                             \
        if (got_ != want_)                                                                                    \
            CHECK_FAIL("%s is %s (last error: %s), expected %s", #call, mpr_status_name(got_),                \
                       mpr_last_error(), mpr_status_name(want_));                                             \
    } while (0)

#define CHECK_OK(call) CHECK_STATUS(call, MPR_OK)

#define CHECK_STR(got, want)                                                                                  \
    do {                                                                                                      \
        const char *got_ = (got), *want_ = (want);                                                            \
        if (!got_ || strcmp(got_, want_)) CHECK_FAIL("%s is '%s', expected '%s'", #got, got_ ? got_ : "NULL", want_); \
    } while (0)

#define CHECK_CONTAINS(text, part)                                                                            \
    do {                                                                                                      \
        const char *text_ = (text), *part_ = (part);                                                          \
        if (!text_ || !strstr(text_, part_)) CHECK_FAIL("%s is '%s', without '%s'", #text, text_ ? text_ : "NULL", part_); \
    } while (0)

/* An error with a message that names all three: the field, the value and what would be right. "" is not looked for. */
#define CHECK_ERROR(call, want, field, value, right)                                                          \
    do {                                                                                                      \
        CHECK_STATUS(call, want);                                                                             \
        CHECK_CONTAINS(mpr_last_error(), field);                                                              \
        CHECK_CONTAINS(mpr_last_error(), value);                                                              \
        CHECK_CONTAINS(mpr_last_error(), right);                                                              \
    } while (0)

static inline int all_zero(const void *data, size_t len) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        if (bytes[i]) return 0;
    return 1;
}

static inline mpr_stats stats_now(void) {
    mpr_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_OK(mpr_get_stats(&stats));
    return stats;
}

/* The equation that holds at every moment (see mpr_stats). */
static inline void check_accounting(void) {
    mpr_stats s = stats_now();
    uint64_t sum = s.exported + s.dropped_queue_full + s.dropped_rejected + s.dropped_too_large + s.dropped_shutdown +
                   s.dropped_internal + s.dropped_expired + s.dropped_consent + s.dropped_spool + s.queued + s.spooled;
    if (s.accepted != sum) CHECK_FAIL("accepted %" PRIu64 " but accounted for %" PRIu64, s.accepted, sum);
    if (s.panics) CHECK_FAIL("%" PRIu64 " defects", s.panics);
}

/* mpr_session_info() as text, valid until the next call. */
static inline const char *session_info(void) {
    static char json[8192];
    json[0] = 0;
    CHECK_OK(mpr_session_info(json, sizeof json, NULL));
    return json;
}

#endif
