/* OTLP in. Argument: a file with two requests, each led by its length (4 bytes, little endian): traces and logs. Ids of
 * sixteen bytes 0xa7 in them stand for a trace of the session and are replaced here. */
#include "check.h"

static uint8_t *data[2];
static size_t len[2];

static void read_requests(const char *path) {
    FILE *file = fopen(path, "rb");
    for (int i = 0; i < 2; i++) {
        uint8_t size[4];
        if (fread(size, 1, 4, file) != 4) exit(2);
        len[i] = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
        data[i] = malloc(len[i]);
        if (fread(data[i], 1, len[i], file) != len[i]) exit(2);
    }
    fclose(file);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    read_requests(argv[1]);
    CHECK_OK(mpr_init(NULL));
    /* Nothing in it belongs to a session, yet. */
    CHECK_STATUS(mpr_export_traces(data[0], len[0]), MPR_SKIPPED);
    CHECK_STATUS(mpr_export_logs(data[1], len[1]), MPR_SKIPPED);
    CHECK_STATUS(mpr_export_traces(NULL, 0), MPR_SKIPPED); /* empty is a valid request */
    CHECK_STATUS(mpr_export_logs(NULL, 0), MPR_SKIPPED);
    CHECK_STATUS(mpr_export_traces(NULL, 1), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_export_logs(NULL, 1), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_export_traces(data[0], SIZE_MAX), MPR_ERR_INVALID_ARGUMENT);

    CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
    uint8_t trace[16], marker[16];
    CHECK_OK(mpr_generate_trace_id(trace));
    memset(marker, 0xa7, sizeof marker);
    for (int i = 0; i < 2; i++)
        for (size_t at = 0; at + 16 <= len[i]; at++)
            if (!memcmp(data[i] + at, marker, 16)) memcpy(data[i] + at, trace, 16);
    mpr_stats before = stats_now();
    CHECK_OK(mpr_export_traces(data[0], len[0]));
    CHECK_OK(mpr_export_logs(data[1], len[1]));
    mpr_stats after = stats_now();
    CHECK_INT(after.accepted - before.accepted, 3); /* two spans and a log; see test_sections.py */
    CHECK_INT(after.filtered - before.filtered, 2);
    check_accounting();

    /* Cut at every byte: an error, except between the two ResourceSpans, where a smaller request ends. */
    int taken[2] = {0, 0};
    for (int i = 0; i < 2; i++)
        for (size_t cut = 0; cut < len[i]; cut++) {
            uint8_t *copy = malloc(cut + 1); /* of the exact size, for valgrind */
            memcpy(copy, data[i], cut);
            mpr_status status = i ? mpr_export_logs(copy, cut) : mpr_export_traces(copy, cut);
            taken[i] += status == MPR_OK;
            if (status != MPR_OK) CHECK_STATUS(status, cut ? MPR_ERR_INVALID_ARGUMENT : MPR_SKIPPED);
            free(copy);
        }
    CHECK_INT(taken[0], 1);
    CHECK_INT(taken[1], 0);
    /* Every byte turned: whatever it is, in order. */
    CHECK_OK(mpr_flush(10000));
    for (int i = 0; i < 2; i++)
        for (size_t at = 0; at < len[i]; at++) {
            data[i][at] ^= 0xff;
            mpr_status status = i ? mpr_export_logs(data[i], len[i]) : mpr_export_traces(data[i], len[i]);
            CHECK(status == MPR_OK || status == MPR_SKIPPED || status == MPR_ERR_INVALID_ARGUMENT);
            data[i][at] ^= 0xff;
        }
    /* Nesting that would end a parser without a limit: kvlist in kvlist. */
    size_t size = 1 << 20;
    uint8_t *deep = malloc(size);
    memset(deep, 0x0a, size); /* field 1, 10 bytes, field 1, 10 bytes, … */
    CHECK_STATUS(mpr_export_traces(deep, size), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_export_logs(deep, size), MPR_ERR_INVALID_ARGUMENT);
    free(deep);
    CHECK_STATUS(mpr_export_traces((const uint8_t *)"hello, world", 12), MPR_ERR_INVALID_ARGUMENT);
    CHECK_OK(mpr_stop(NULL));
    CHECK_OK(mpr_shutdown(10000));
    check_accounting();
    free(data[0]);
    free(data[1]);
    return check_result();
}
