/* Records spans for ever, to be killed in the middle; tells on stdout how many are safe: delivered, or written to the spool.
 * Arguments: options as JSON, the run's name. Spans are named "<run>-<n>" and have an attribute that their name can be
 * checked by. */
#include "check.h"

#include <unistd.h>

static uint32_t sum(const char *text) {
    uint32_t sum = 2166136261u;
    for (; *text; text++) sum = (sum ^ (uint8_t)*text) * 16777619u;
    return sum;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    mpr_options *options = mpr_options_new();
    CHECK_OK(mpr_options_set_json(options, argv[1]));
    CHECK_OK(mpr_init(options));
    static char padding[3000];
    memset(padding, 'x', sizeof padding - 1);
    for (unsigned n = 0; !check_failures;) {
        for (unsigned end = n + 1 + n % 40; n < end; n++) {
            char name[64];
            snprintf(name, sizeof name, "%s-%u", argv[2], n);
            mpr_span *span = mpr_span_begin(name, MPR_SPAN_KIND_INTERNAL, NULL);
            CHECK_OK(mpr_span_set_int(span, "sum", sum(name)));
            CHECK_OK(mpr_span_set_string(span, "padding", padding + n * 7 % sizeof padding));
            mpr_span_end(span);
        }
        int safe = mpr_flush(10) == MPR_OK;
        while (!safe) {
            mpr_stats s = stats_now();
            safe = s.spool_written + s.recovered >= s.accepted;
            if (!safe) safe = mpr_flush(5) == MPR_OK;
        }
        check_accounting();
        char line[16];
        int length = snprintf(line, sizeof line, "%u\n", n);
        if (write(1, line, (size_t)length) != length) return 3;
    }
    return check_result();
}
