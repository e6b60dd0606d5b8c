/* Version and errors. */
#include <pthread.h>

#include "check.h"

static void *other_thread(void *unused) {
    (void)unused;
    CHECK_STR(mpr_last_error(), "");
    return NULL;
}

int main(void) {
    char version[64];
    snprintf(version, sizeof version, "%d.%d.%d", MPR_VERSION_MAJOR, MPR_VERSION_MINOR, MPR_VERSION_PATCH);
    CHECK_STR(mpr_version(), version);
    CHECK(mpr_version() == mpr_version());
    CHECK_INT(mpr_abi_version(), MPR_ABI_VERSION);

    static const struct {
        mpr_status status;
        const char *name;
        int retryable;
    } statuses[] = {
        {MPR_OK, "MPR_OK", 0},
        {MPR_SKIPPED, "MPR_SKIPPED", 0},
        {MPR_ERR_INVALID_ARGUMENT, "MPR_ERR_INVALID_ARGUMENT", 0},
        {MPR_ERR_NOT_INITIALIZED, "MPR_ERR_NOT_INITIALIZED", 0},
        {MPR_ERR_ALREADY_INITIALIZED, "MPR_ERR_ALREADY_INITIALIZED", 0},
        {MPR_ERR_INVALID_STATE, "MPR_ERR_INVALID_STATE", 0},
        {MPR_ERR_UNAUTHORIZED, "MPR_ERR_UNAUTHORIZED", 0},
        {MPR_ERR_REJECTED, "MPR_ERR_REJECTED", 0},
        {MPR_ERR_NETWORK, "MPR_ERR_NETWORK", 1},
        {MPR_ERR_TIMEOUT, "MPR_ERR_TIMEOUT", 1},
        {MPR_ERR_QUEUE_FULL, "MPR_ERR_QUEUE_FULL", 1},
        {MPR_ERR_BUFFER_TOO_SMALL, "MPR_ERR_BUFFER_TOO_SMALL", 0},
        {MPR_ERR_IO, "MPR_ERR_IO", -1}, /* either would be fine */
        {MPR_ERR_POISONED, "MPR_ERR_POISONED", 0},
        {MPR_ERR_INTERNAL, "MPR_ERR_INTERNAL", 0},
    };
    /* The numbers are part of programs that are compiled already. */
    for (size_t i = 0; i < 14; i++) CHECK_INT(statuses[i].status, i == 0 ? 0 : i == 1 ? 1 : 1 - (int64_t)i);
    CHECK_INT(MPR_ERR_INTERNAL, -100);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        CHECK_STR(mpr_status_name(statuses[i].status), statuses[i].name);
        int32_t retryable = mpr_status_is_retryable(statuses[i].status);
        CHECK(retryable == 0 || retryable == 1);
        if (statuses[i].retryable >= 0 && retryable != statuses[i].retryable)
            CHECK_FAIL("%s: retryable is %d", statuses[i].name, retryable);
    }
    static const mpr_status unknown[] = {2, 3, 100, -13, -50, -99, -101, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CHECK_STR(mpr_status_name(unknown[i]), "MPR_UNKNOWN");
        CHECK_INT(mpr_status_is_retryable(unknown[i]), 0);
    }

    /* One message per thread, kept by calls that succeed. */
    CHECK_STR(mpr_last_error(), "");
    CHECK_STATUS(mpr_get_stats(NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_CONTAINS(mpr_last_error(), "mpr_get_stats");
    CHECK_CONTAINS(mpr_last_error(), "NULL");
    CHECK(!strchr(mpr_last_error(), '\n'));
    const char *message = mpr_last_error();
    char kept[256];
    snprintf(kept, sizeof kept, "%s", message);
    (void)stats_now();
    CHECK(mpr_last_error() == message);
    CHECK_STR(message, kept);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, other_thread, NULL), 0);
    pthread_join(thread, NULL);
    CHECK_STR(mpr_last_error(), kept);
    CHECK_STATUS(mpr_traceparent_parse("x", NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_CONTAINS(mpr_last_error(), "mpr_traceparent_parse");
    return check_result();
}
