/* Options: every setter and getter, the environment, precedence, bad values. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>

#include "check.h"

#define KEY "Tr0ub4dor-n3ver-sh0wn"

typedef mpr_status (*set_text)(mpr_options *, const char *);
typedef mpr_status (*get_text)(const mpr_options *, char *, size_t, size_t *);

static const struct text {
    const char *name;
    set_text set;
    get_text get;
    const char *fallback; /* NULL: not looked at */
    const char *in, *out;
    const char *env;
} texts[] = {
#define TEXT(name, fallback, in, out, env) \
    {#name, mpr_options_set_##name, mpr_options_get_##name, fallback, in, out, env}
    TEXT(api_key, "", "abc.def", "abc.def", "MULTIPLAYER_API_KEY"),
    TEXT(api_base_url, "https://api.multiplayer.app", "http://localhost:5318", "http://localhost:5318",
         "MULTIPLAYER_BASE_API_URL"),
    TEXT(traces_endpoint, "https://otlp.multiplayer.app/v1/traces", "http://[::1]:1/t", "http://[::1]:1/t",
         "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
    TEXT(logs_endpoint, "https://otlp.multiplayer.app/v1/logs", "http://h/l?x=1", "http://h/l?x=1",
         "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"),
    TEXT(protocol, "http/protobuf", "grpc", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL"),
    TEXT(compression, "gzip", "none", "none", "OTEL_EXPORTER_OTLP_COMPRESSION"),
    TEXT(headers, NULL, "a=1%202,b=x", "{\"a\":\"1 2\",\"b\":\"x\"}", "OTEL_EXPORTER_OTLP_HEADERS"),
    TEXT(ca_file, "", "/no/ca.pem", "/no/ca.pem", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
    TEXT(client_cert, "", "/no/c.pem", "/no/c.pem", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
    TEXT(client_key, "", "/no/k.pem", "/no/k.pem", "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
    TEXT(proxy, "", "http://proxy:3128", "http://proxy:3128", NULL),
    TEXT(service_name, NULL, "sh\xc3\xb6p", "sh\xc3\xb6p", "OTEL_SERVICE_NAME"),
    TEXT(service_version, "", "1.2.3", "1.2.3", NULL),
    TEXT(environment, "", "production", "production", NULL),
    TEXT(resource_attributes, NULL, "{\"a\":1,\"b\":\"c\"}", "{\"a\":1,\"b\":\"c\"}", "OTEL_RESOURCE_ATTRIBUTES"),
    TEXT(mask_body_fields, NULL, "pin, otp", "[\"pin\",\"otp\"]", NULL),
    TEXT(mask_header_names, NULL, "[\"x-pin\"]", "[\"x-pin\"]", NULL),
    TEXT(mask_allow_fields, "[]", "email, Session-Id", "[\"email\",\"Session-Id\"]", NULL),
    TEXT(mask_paths, "[]", "user.pin,items[*].x", "[\"user.pin\",\"items[*].x\"]", NULL),
    TEXT(mask_allow_paths, "[]", "[\"[\\\"odd.key\\\"]\"]", "[\"[\\\"odd.key\\\"]\"]", NULL),
    TEXT(mask_patterns, "[]", "[\"a{1,2}\"]", "[\"a{1,2}\"]", NULL),
    TEXT(headers_to_include, NULL, "accept", "[\"accept\"]", NULL),
    TEXT(headers_to_exclude, NULL, "cookie,via", "[\"cookie\",\"via\"]", NULL),
    TEXT(log_level, "warn", "debug", "debug", "MPR_LOG"),
};

static const char *read_text(const struct text *option, mpr_options *options) {
    static char out[512];
    size_t needed = 0;
    strcpy(out, "?");
    CHECK_OK(option->get(options, out, sizeof out, &needed));
    CHECK_INT(needed, strlen(out) + 1);
    return out;
}

static void texts_round_trip(void) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct text *option = &texts[i];
        mpr_options *options = mpr_options_new();
        if (option->fallback) CHECK_STR(read_text(option, options), option->fallback);
        if (option->env) {
            setenv(option->env, option->in, 1);
            CHECK_STR(read_text(option, options), option->out);
            setenv(option->env, "", 1); /* empty is as good as none */
            if (option->fallback) CHECK_STR(read_text(option, options), option->fallback);
            setenv(option->env, "zzz", 1); /* what is set wins, and what is not used is not looked at */
        }
        CHECK_OK(option->set(options, option->in));
        CHECK_STR(read_text(option, options), option->out);
        /* What a getter gives, the setter takes. */
        char copy[512];
        strcpy(copy, read_text(option, options));
        CHECK_OK(option->set(options, copy));
        CHECK_STR(read_text(option, options), option->out);
        if (option->env) unsetenv(option->env);

        /* Buffers: the size alone, one byte too few, exact. Nothing is written past them or, when too small, into them. */
        size_t size = strlen(option->out) + 1, needed = 0;
        char buffer[512];
        memset(buffer, '#', sizeof buffer);
        CHECK_STATUS(option->get(options, NULL, 0, &needed), MPR_ERR_BUFFER_TOO_SMALL);
        CHECK_INT(needed, size);
        needed = 0;
        CHECK_STATUS(option->get(options, buffer, size - 1, &needed), MPR_ERR_BUFFER_TOO_SMALL);
        CHECK_INT(needed, size);
        for (size_t at = size - 1; at < sizeof buffer; at++) CHECK(buffer[at] == '#');
        CHECK_OK(option->get(options, buffer, size, NULL));
        CHECK_STR(buffer, option->out);
        CHECK(buffer[size] == '#');
        CHECK_STATUS(option->get(options, NULL, 100, &needed), MPR_ERR_INVALID_ARGUMENT);

        /* A bad value changes nothing. */
        CHECK_ERROR(option->set(options, "caf\xe9"), MPR_ERR_INVALID_ARGUMENT, "UTF-8", "", "");
        CHECK_STR(read_text(option, options), option->out);
        CHECK_OK(option->set(options, NULL));
        if (option->fallback) CHECK_STR(read_text(option, options), option->fallback);
        mpr_options_free(options);
    }
}

/* Numbers of each C type: default, round trip, bounds. */
#define NUMBER(type, name, fallback, low, high, below, above)                                    \
    do {                                                                                         \
        mpr_options *o = mpr_options_new();                                                      \
        type v = (type)77;                                                                       \
        CHECK_OK(mpr_options_get_##name(o, &v));                                                 \
        CHECK(v == (type)(fallback));                                                            \
        CHECK_OK(mpr_options_set_##name(o, (type)(low)));                                        \
        CHECK_OK(mpr_options_get_##name(o, &v));                                                 \
        CHECK(v == (type)(low));                                                                 \
        CHECK_OK(mpr_options_set_##name(o, (type)(high)));                                       \
        CHECK_OK(mpr_options_get_##name(o, &v));                                                 \
        CHECK(v == (type)(high));                                                                \
        type bad_[] = {(type)(below), (type)(above)};                                            \
        for (int i_ = 0; i_ < 2; i_++) {                                                         \
            CHECK_ERROR(mpr_options_set_##name(o, bad_[i_]), MPR_ERR_INVALID_ARGUMENT, #name, "is not", ""); \
            CHECK_OK(mpr_options_get_##name(o, &v));                                             \
            CHECK(v == (type)(high));                                                            \
        }                                                                                        \
        CHECK_STATUS(mpr_options_get_##name(o, NULL), MPR_ERR_INVALID_ARGUMENT);                 \
        CHECK_OK(mpr_options_set_json(o, "{\"" #name "\": null}"));                              \
        CHECK_OK(mpr_options_get_##name(o, &v));                                                 \
        CHECK(v == (type)(fallback));                                                            \
        mpr_options_free(o);                                                                     \
    } while (0)

static void numbers_round_trip(void) {
    NUMBER(uint32_t, timeout_ms, 10000, 1, 600000, 0, 600001);
    NUMBER(double, sample_ratio, 0, 0, 1, -0.001, 1.001);
    NUMBER(double, sample_ratio, 0, 0, 1, -INFINITY, NAN);
    NUMBER(double, auto_doc_traces_ratio, 0, 0, 1, -1, INFINITY);
    NUMBER(double, auto_doc_traces_ratio, 0, 0, 1, 2, NAN);
    NUMBER(uint64_t, max_payload_bytes, 400000, 0, 900000, UINT64_MAX, 900001);
    NUMBER(int32_t, capture_body, 1, 0, 1, -1, 2);
    NUMBER(int32_t, capture_headers, 1, 0, 1, -1, 2);
    NUMBER(int32_t, mask_body, 1, 0, 1, -1, 2);
    NUMBER(int32_t, mask_headers, 1, 0, 1, INT32_MIN, INT32_MAX);
    NUMBER(int32_t, mask_emails, 0, 0, 1, -1, 2);
    NUMBER(int32_t, decompress, 1, 0, 1, -1, 2);
    NUMBER(int32_t, session_rollover, 0, 0, 1, -1, 2);
    NUMBER(uint64_t, capture_max_bytes, 32u << 20, 65536, 16ull << 30, 65535, (16ull << 30) + 1);
    NUMBER(uint64_t, queue_max_bytes, 32u << 20, 65536, 16ull << 30, 65535, (16ull << 30) + 1);
    NUMBER(uint64_t, batch_max_bytes, 2u << 20, 16384, 16u << 20, 16383, (16u << 20) + 1);
    NUMBER(uint32_t, batch_max_items, 2048, 1, 100000, 0, 100001);
    NUMBER(uint32_t, flush_interval_ms, 1000, 10, 3600000, 9, 3600001);
    NUMBER(uint64_t, spool_max_bytes, 256u << 20, 1u << 20, 16ull << 30, (1u << 20) - 1, (16ull << 30) + 1);
    NUMBER(uint32_t, exit_timeout_ms, 2000, 0, 600000, 600001, 4000000000u);
    NUMBER(uint32_t, session_max_seconds, 630, 1, 3600, 0, UINT32_MAX);
}

static void bad_values_are_named(void) {
    mpr_options *o = mpr_options_new();
#define BAD(call, field, value, right) CHECK_ERROR(call, MPR_ERR_INVALID_ARGUMENT, field, value, right)
    BAD(mpr_options_set_api_base_url(o, "not a url"), "api_base_url", "not a url", "http://");
    BAD(mpr_options_set_api_base_url(o, "localhost:5318"), "api_base_url", "localhost:5318", "http://");
    BAD(mpr_options_set_api_base_url(o, "http://"), "api_base_url", "http://", "https://host");
    BAD(mpr_options_set_api_base_url(o, "file:///etc/passwd"), "api_base_url", "file:", "http");
    BAD(mpr_options_set_api_base_url(o, "javascript:alert(1)"), "api_base_url", "javascript:", "http");
    BAD(mpr_options_set_traces_endpoint(o, "ftp://x/v1"), "traces_endpoint", "ftp://x/v1", "http");
    BAD(mpr_options_set_logs_endpoint(o, ""), "logs_endpoint", "''", "http");
    BAD(mpr_options_set_protocol(o, "carrier pigeon"), "protocol", "'carrier pigeon'", "http/json");
    BAD(mpr_options_set_compression(o, "brotli"), "compression", "'brotli'", "gzip, zstd, none");
    BAD(mpr_options_set_log_level(o, "loud"), "log_level", "'loud'", "warn");
    BAD(mpr_options_set_headers(o, "novalue"), "headers", "", "key=value");
    BAD(mpr_options_set_headers(o, "{\"a\": {}}"), "headers", "", "object of plain values");
    BAD(mpr_options_set_headers(o, "{\"a\": "), "headers", "line 1 column", "");
    BAD(mpr_options_set_resource_attributes(o, "{\"a\": [1]}"), "resource_attributes", "", "plain values");
    BAD(mpr_options_set_mask_body_fields(o, "[1]"), "mask_body_fields", "[1]", "names");
    BAD(mpr_options_set_mask_allow_fields(o, "email,colour"), "mask_allow_fields: entry 2", "'colour'", "allow nothing");
    BAD(mpr_options_set_mask_allow_fields(o, "[\"\"]"), "mask_allow_fields: entry 1", "''", "name of the default list");
    BAD(mpr_options_set_mask_paths(o, "a.b,a..b"), "mask_paths: entry 2", "'a..b'", "use user.pin");
    BAD(mpr_options_set_mask_paths(o, "$"), "mask_paths", "'$'", "no step");
    BAD(mpr_options_set_mask_allow_paths(o, "a[x]"), "mask_allow_paths", "'a[x]'", "at byte 1");
    BAD(mpr_options_set_mask_patterns(o, "a+"), "mask_patterns", "'a+'", "JSON array");
    BAD(mpr_options_set_mask_patterns(o, "[\"a\", \"(\"]"), "mask_patterns: entry 2", "'('", "not a pattern");
    BAD(mpr_options_set_mask_patterns(o, "[\"a*\"]"), "mask_patterns", "'a*'", "empty string");
    BAD(mpr_options_set_json(o, "{\"mask_patterns\": [\"a\", \"b|\"]}"), "mask_patterns: entry 2", "'b|'", "empty string");
    BAD(mpr_options_set_service_name(o, ""), "service_name", "''", "at least one character");
    BAD(mpr_options_set_timeout_ms(o, 0), "timeout_ms", "0", "1 to 600000");
    BAD(mpr_options_set_capture_body(o, 7), "capture_body", "7", "0 or 1");
    BAD(mpr_options_set_sample_ratio(o, 1.5), "sample_ratio", "1.5", "0 to 1");
    BAD(mpr_options_set_sample_ratio(o, NAN), "sample_ratio", "", "0 to 1");

    /* The key: never shown, whatever is wrong with it. */
    static const char *const keys[] = {KEY " ", " " KEY, "Bearer " KEY, "bearer " KEY, KEY "\n", KEY "\r\nX: y", KEY "\x01", KEY "\xc3\xa9", KEY "\xff", ""};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        BAD(mpr_options_set_api_key(o, keys[i]), "api_key", "", "");
        CHECK(!strstr(mpr_last_error(), "Tr0ub4dor"));
        setenv("MULTIPLAYER_API_KEY", keys[i], 1); /* blanks around a variable's value are nobody's intention */
        if (keys[i][0] == ' ' || strchr(" \n", keys[i][strlen(keys[i]) - 1])) {
            mpr_status status = mpr_init(NULL);
            CHECK(status == MPR_OK || status == MPR_ERR_INVALID_ARGUMENT || !keys[i][0]);
            mpr_shutdown(1000);
        } else {
            CHECK_STATUS(mpr_init(NULL), MPR_ERR_INVALID_ARGUMENT);
        }
        CHECK(!strstr(mpr_last_error(), "Tr0ub4dor"));
    }
    unsetenv("MULTIPLAYER_API_KEY");
    BAD(mpr_options_set_api_key(o, "Bearer " KEY), "api_key", "Bearer", "alone");
    BAD(mpr_options_set_json(o, "{\"api_key\": [\"" KEY "\"]}"), "api_key", "", "");
    CHECK(!strstr(mpr_last_error(), "Tr0ub4dor"));
    BAD(mpr_options_set_json(o, "{\"api_key\": \"" KEY "\" \"x\"}"), "line 1 column", "", "");
    CHECK(!strstr(mpr_last_error(), "Tr0ub4dor"));
    BAD(mpr_options_set_json(o, "{\"" KEY "-0123456789\": 1}"), "option", "", "");
    BAD(mpr_options_set_headers(o, "{\"Authorization\": [\"" KEY "\"]}"), "headers", "", "");
    CHECK(!strstr(mpr_last_error(), "Tr0ub4dor"));
    BAD(mpr_options_set_headers(o, "Authorization: " KEY), "headers", "", "");
    CHECK(!strstr(mpr_last_error(), "Tr0ub4dor"));
    BAD(mpr_options_set_proxy(o, "http:user:" KEY "@proxy:x"), "proxy", "", "");
    CHECK(!strstr(mpr_last_error(), "Tr0ub4dor"));

    /* From the environment: the message names the variable. */
    static const struct { const char *name, *value; } bad_env[] = {
        {"OTEL_EXPORTER_OTLP_TIMEOUT", "soon"}, {"OTEL_EXPORTER_OTLP_TIMEOUT", "-1"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT", "10.5"}, {"OTEL_TRACES_SAMPLER_ARG", "NaN"},
        {"OTEL_TRACES_SAMPLER_ARG", "2"}, {"MPR_LOG", "shout"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"}, {"OTEL_EXPORTER_OTLP_COMPRESSION", "rar"},
        {"MULTIPLAYER_BASE_API_URL", "nope"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "nope"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "n"}, {"OTEL_RESOURCE_ATTRIBUTES", "n"}, /* not shown: may hold a key */
        {"MULTIPLAYER_MAX_HTTP_REQUEST_RESPONSE_SIZE", "1e9"},
    };
    for (size_t i = 0; i < sizeof bad_env / sizeof *bad_env; i++) {
        mpr_options *fresh = mpr_options_new();
        CHECK_OK(mpr_options_set_api_key(fresh, "k"));
        setenv(bad_env[i].name, bad_env[i].value, 1);
        if (mpr_init(fresh) == MPR_OK)
            CHECK_FAIL("mpr_init() took %s=%s", bad_env[i].name, bad_env[i].value);
        else {
            CHECK_CONTAINS(mpr_last_error(), bad_env[i].name);
            CHECK_CONTAINS(mpr_last_error(), bad_env[i].value);
        }
        unsetenv(bad_env[i].name);
        mpr_shutdown(1000);
    }
    mpr_options_free(o);
}

static void json_all_or_nothing(void) {
    mpr_options *o = mpr_options_new();
    char text[64];
    uint32_t number = 0;
    CHECK_OK(mpr_options_set_json(o, "{}"));
    CHECK_OK(mpr_options_set_json(o, " {\"api_key\": \"k\", \"timeout_ms\": 5, \"mask_body_fields\": [\"pin\"],"
                                     "\"headers\": {\"a\": \"b\"}, \"capture_body\": false, \"sample_ratio\": 0.5} "));
    CHECK_OK(mpr_options_get_timeout_ms(o, &number));
    CHECK_INT(number, 5);
    static const char *const bad[] = {
        "{\"timeout_ms\": 7, \"compression\": \"rar\"}", "{\"timeout_ms\": 7, \"no_such\": 1}", "{\"timeout_ms\": 7",
        "{\"timeout_ms\": 7} x", "[]", "7", "null", "", "\"x\"", "{\"timeout_ms\": \"7\"}", "{\"timeout_ms\": 7.5}",
        "{\"timeout_ms\": 1e3}", "{\"timeout_ms\": -7}", "{\"capture_body\": 2}", "{'timeout_ms': 7}",
        "{\"timeout_ms\": 18446744073709551617}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (mpr_options_set_json(o, bad[i]) != MPR_ERR_INVALID_ARGUMENT) CHECK_FAIL("taken: %s", bad[i]);
        CHECK_OK(mpr_options_get_timeout_ms(o, &number));
        CHECK_INT(number, 5);
        CHECK_OK(mpr_options_get_compression(o, text, sizeof text, NULL));
        CHECK_STR(text, "gzip");
    }
    CHECK_ERROR(mpr_options_set_json(o, "{\"api_key\":\n  oops}"), MPR_ERR_INVALID_ARGUMENT, "line 2", "column 3", "");
    CHECK_ERROR(mpr_options_set_json(o, "{\"apiKey\": \"x\"}"), MPR_ERR_INVALID_ARGUMENT, "apiKey", "api_key", "");
    CHECK_STATUS(mpr_options_set_json(o, NULL), MPR_ERR_INVALID_ARGUMENT);
    CHECK_OK(mpr_options_set_json(o, "{\"timeout_ms\": null, \"api_key\": null}"));
    CHECK_OK(mpr_options_get_timeout_ms(o, &number));
    CHECK_INT(number, 10000);
    /* Nesting that would end a parser without a limit. */
    size_t deep = 200000;
    char *nested = malloc(2 * deep + 1);
    memset(nested, '[', deep);
    memset(nested + deep, ']', deep);
    nested[2 * deep] = 0;
    CHECK_STATUS(mpr_options_set_json(o, nested), MPR_ERR_INVALID_ARGUMENT);
    free(nested);
    mpr_options_free(o);
}

static void environment_in_order(void) {
    mpr_options *o = mpr_options_new();
    const struct text *key = &texts[0], *traces = &texts[2], *logs = &texts[3];
    setenv("MULTIPLAYER_OTLP_KEY", "third", 1);
    CHECK_STR(read_text(key, o), "third");
    setenv("MULTIPLAYER_SDK_API_KEY", "second", 1);
    CHECK_STR(read_text(key, o), "second");
    setenv("MULTIPLAYER_API_KEY", "first", 1);
    CHECK_STR(read_text(key, o), "first");
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://both:4318/", 1);
    CHECK_STR(read_text(traces, o), "http://both:4318/v1/traces");
    CHECK_STR(read_text(logs, o), "http://both:4318/v1/logs");
    setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://one:4318/t", 1);
    CHECK_STR(read_text(traces, o), "http://one:4318/t");
    CHECK_STR(read_text(logs, o), "http://both:4318/v1/logs");
    setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1234", 1);
    setenv("OTEL_TRACES_SAMPLER_ARG", "0.25", 1);
    setenv("MULTIPLAYER_MAX_HTTP_REQUEST_RESPONSE_SIZE", "1000", 1);
    uint32_t ms = 0;
    uint64_t bytes = 0;
    double ratio = 0;
    CHECK_OK(mpr_options_get_timeout_ms(o, &ms));
    CHECK_OK(mpr_options_get_sample_ratio(o, &ratio));
    CHECK_OK(mpr_options_get_max_payload_bytes(o, &bytes));
    CHECK_INT(ms, 1234);
    CHECK(ratio == 0.25);
    CHECK_INT(bytes, 1000);
    setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "never", 1);
    CHECK_ERROR(mpr_options_get_timeout_ms(o, &ms), MPR_ERR_INVALID_ARGUMENT, "OTEL_EXPORTER_OTLP_TIMEOUT", "never", "600000");
    static const char *const names[] = {
        "MULTIPLAYER_OTLP_KEY", "MULTIPLAYER_SDK_API_KEY", "MULTIPLAYER_API_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_TRACES_SAMPLER_ARG",
        "MULTIPLAYER_MAX_HTTP_REQUEST_RESPONSE_SIZE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
    mpr_options_free(o);
}

int main(void) {
    texts_round_trip();
    numbers_round_trip();
    environment_in_order();
    json_all_or_nothing();
    bad_values_are_named();
    /* No key anywhere: the message says where one may come from. */
    CHECK_ERROR(mpr_init(NULL), MPR_ERR_INVALID_ARGUMENT, "api_key", "MULTIPLAYER_API_KEY", "");
    CHECK_ERROR(mpr_init(mpr_options_new()), MPR_ERR_INVALID_ARGUMENT, "api_key", "MULTIPLAYER_API_KEY", "");
    /* A named file that is not there. */
    mpr_options *o = mpr_options_new();
    CHECK_OK(mpr_options_set_json(o, "{\"api_key\": \"k\", \"ca_file\": \"/no/such/ca.pem\"}"));
    CHECK_ERROR(mpr_init(o), MPR_ERR_IO, "ca_file", "/no/such/ca.pem", "");
    o = mpr_options_new();
    CHECK_OK(mpr_options_set_json(o, "{\"api_key\": \"k\", \"client_cert\": \"/no/such/c.pem\"}"));
    CHECK_STATUS(mpr_init(o), MPR_ERR_INVALID_ARGUMENT); /* the key is missing */
    CHECK_CONTAINS(mpr_last_error(), "client_key");
    return check_result();
}
