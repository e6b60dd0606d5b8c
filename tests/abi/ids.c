/* Ids and sampling. The platform is not needed, except for the ids of a session. */
#include <math.h>

#include "check.h"

/* A trace id from its 32 hex digits. */
static const uint8_t *id(const char *hex) {
    static uint8_t out[16];
    for (int i = 0; i < 16; i++) {
        unsigned byte = 0;
        sscanf(hex + 2 * i, "%2x", &byte);
        out[i] = (uint8_t)byte;
    }
    return out;
}

static void kinds(void) {
    static const struct { const char *hex; int32_t kind; } vectors[] = {
        {"debdeb0123456789abcdef0123456789", MPR_TRACE_MANUAL},
        {"cdbcdb0123456789abcdef0123456789", MPR_TRACE_CONTINUOUS},
        {"debcdb0123456789abcdef0123456789", MPR_TRACE_SESSION_CACHE},
        {"cdbcac0123456789abcdef0123456789", MPR_TRACE_SESSION},
        {"d0cd0c0123456789abcdef0123456789", MPR_TRACE_DOC},
        {"debdea0123456789abcdef0123456789", MPR_TRACE_NONE},
        {"eebdeb0123456789abcdef0123456789", MPR_TRACE_NONE},
        {"00000000000000000000000000000000", MPR_TRACE_NONE},
        {"ffffffffffffffffffffffffffffffff", MPR_TRACE_NONE},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        int32_t kind = mpr_trace_kind(id(vectors[i].hex));
        if (kind != vectors[i].kind) CHECK_FAIL("%s is of kind %d", vectors[i].hex, kind);
        int32_t wanted = kind == MPR_TRACE_NONE ? MPR_DROP : MPR_RECORD_AND_SAMPLE;
        if (mpr_should_sample(id(vectors[i].hex), 0) != wanted) CHECK_FAIL("%s at ratio 0", vectors[i].hex);
    }
    CHECK_INT(mpr_trace_kind(NULL), MPR_TRACE_NONE);
    CHECK_INT(mpr_should_sample(NULL, 1), MPR_DROP);
}

/* As the OpenTelemetry SDKs do it: the low 63 or 64 bits, big endian, below ratio times their range. */
static void ratio(void) {
    static const struct { const char *hex; double ratio; int32_t wanted; } vectors[] = {
        {"aaaaaaaaaaaaaaaa0000000000000000", 0.000001, MPR_RECORD_AND_SAMPLE},
        {"aaaaaaaaaaaaaaaa0000000000000001", 0.5, MPR_RECORD_AND_SAMPLE},
        {"00000000000000007fffffffffffff00", 0.999999999, MPR_RECORD_AND_SAMPLE},
        {"ffffffffffffffff1000000000000000", 0.25, MPR_RECORD_AND_SAMPLE},
        {"0000000000000000ffffffffffffffff", 0.5, MPR_DROP},
        {"0000000000000000ffffffffffffffff", 1, MPR_RECORD_AND_SAMPLE},
        {"00000000000000000000000000000001", 0, MPR_DROP},
        {"00000000000000010000000000000000", 0, MPR_DROP},
        {"0000000000000000ffffffffffffffff", 2, MPR_RECORD_AND_SAMPLE},
        {"00000000000000010000000000000001", -1, MPR_DROP},
        {"00000000000000010000000000000001", NAN, MPR_DROP},
        {"0000000000000000ffffffffffffffff", INFINITY, MPR_RECORD_AND_SAMPLE},
        {"00000000000000010000000000000001", -INFINITY, MPR_DROP},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        int32_t got = mpr_should_sample(id(vectors[i].hex), vectors[i].ratio);
        if (got != vectors[i].wanted) CHECK_FAIL("%s at %g: %d", vectors[i].hex, vectors[i].ratio, got);
    }
    /* The share comes out, and a higher ratio keeps all that a lower one keeps. */
    int kept = 0;
    for (int i = 0; i < 10000; i++) {
        uint8_t out[16];
        mpr_generate_trace_id(out);
        int32_t quarter = mpr_should_sample(out, 0.25), half = mpr_should_sample(out, 0.5);
        CHECK(half >= quarter);
        kept += quarter == MPR_RECORD_AND_SAMPLE;
    }
    if (kept < 2250 || kept > 2750) CHECK_FAIL("%d of 10000 at 0.25", kept);
}

static int compare(const void *a, const void *b) { return memcmp(a, b, 16); }

static void unique(int from) {
    static uint8_t ids[20000][16];
    unsigned or_all[16] = {0}, and_all[16];
    memset(and_all, 0xff, sizeof and_all);
    for (int i = 0; i < 20000; i++) {
        mpr_generate_trace_id(ids[i]);
        for (int at = 0; at < 16; at++) or_all[at] |= ids[i][at], and_all[at] &= ids[i][at];
    }
    /* Every random bit is 0 in one id and 1 in another. */
    for (int at = from; at < 16; at++)
        if ((or_all[at] & 0xff) != 0xff || (and_all[at] & 0xff)) CHECK_FAIL("byte %d is not random", at);
    qsort(ids, 20000, 16, compare);
    for (int i = 1; i < 20000; i++) CHECK(memcmp(ids[i - 1], ids[i], 16));
}

int main(void) {
    kinds();
    ratio();
    unique(0);
    CHECK_STATUS(mpr_generate_trace_id(NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(mpr_generate_span_id(NULL), MPR_ERR_INVALID_ARGUMENT);

    CHECK_OK(mpr_init(NULL));
    uint8_t out[16], span[8];
    CHECK_OK(mpr_generate_trace_id(out));
    CHECK_INT(mpr_trace_kind(out), MPR_TRACE_NONE);
    CHECK_OK(mpr_generate_span_id(span));
    CHECK(!all_zero(span, 8));
    CHECK_OK(mpr_start(MPR_SESSION_MANUAL, NULL));
    /* Prefix and the session's short id, then 72 random bits. */
    CHECK_OK(mpr_generate_trace_id(out));
    char carried[15] = "";
    for (int i = 0; i < 7; i++) snprintf(carried + 2 * i, 3, "%02x", out[i]);
    CHECK(!memcmp(carried, "debdeb", 6));
    char wanted[32];
    snprintf(wanted, sizeof wanted, "\"shortId\":\"%s\"", carried + 6);
    CHECK_CONTAINS(session_info(), wanted);
    unique(7);
    mpr_span *root = mpr_span_begin("root", 0, NULL);
    mpr_span_context context;
    CHECK_OK(mpr_span_get_context(root, &context));
    CHECK(!memcmp(context.trace_id, out, 7) && memcmp(context.trace_id, out, 16));
    CHECK_INT(context.trace_flags & 1, 1);
    mpr_span_end(root);
    CHECK_OK(mpr_stop(NULL));
    CHECK_OK(mpr_generate_trace_id(out));
    CHECK_INT(mpr_trace_kind(out), MPR_TRACE_NONE);
    CHECK_OK(mpr_shutdown(10000));

    /* Documentation traces: a share of those outside a session. */
    mpr_options *options = mpr_options_new();
    CHECK_OK(mpr_options_set_auto_doc_traces_ratio(options, 1));
    CHECK_OK(mpr_init(options));
    CHECK_OK(mpr_generate_trace_id(out));
    CHECK_INT(mpr_trace_kind(out), MPR_TRACE_DOC);
    CHECK_OK(mpr_shutdown(10000));
    return check_result();
}
