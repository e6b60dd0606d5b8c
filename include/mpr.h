/* mpr.h: session recording for backend services. Generated from src/abi; do not edit.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A developer presses start, uses the system, presses stop; every trace of that session, from every service, is kept
 * whole and unsampled, with request and response content, masked. This header is the whole interface of libmpr: plain
 * integers, opaque handles, JSON text for nested data. Any language with a foreign function interface can call it.
 *
 * INSTALL AND LINK
 *   One shared library and this header; no other file is needed at run time.
 *     cc app.c $(pkg-config --cflags --libs libmpr)         or         cc app.c -lmpr
 *   Static (on Linux): cc app.c libmpr.a -lpthread -ldl -lm
 *   CMake: find_package(mpr REQUIRED), then target_link_libraries(app mpr::mpr) or mpr::mpr_static.
 *
 * QUICK START
 *   Start the local recorder (mpr-local) and set what it prints, then:
 *
 *     #include <mpr.h>
 *     #include <stdio.h>
 *     int main(void) {
 *         if (mpr_init(NULL) != MPR_OK) return 1;
 *         if (mpr_start(MPR_SESSION_MANUAL, "{\"name\": \"first\"}") != MPR_OK) puts(mpr_last_error());
 *         mpr_span *span = mpr_span_begin("GET /cart", MPR_SPAN_KIND_SERVER, NULL);
 *         const char headers[] = "Content-Type: application/json\r\nAuthorization: Bearer abc";
 *         const char body[] = "{\"user\": \"ann\", \"password\": \"secret\"}";
 *         mpr_span_capture_payload(span, MPR_PAYLOAD_HTTP_REQUEST, headers, sizeof headers - 1,
 *                                  (const uint8_t *)body, sizeof body - 1);
 *         mpr_span_end(span);
 *         mpr_stop(NULL);
 *         return mpr_shutdown(2000) == MPR_OK ? 0 : 1;
 *     }
 *
 * RESULTS
 *   Functions that can fail return mpr_status: 0 is MPR_OK, positive is "nothing to do", negative is an error.
 *   mpr_last_error() has this thread's last message. Bad input (NULL where data is needed, text that is not UTF-8, an
 *   unknown number, broken JSON, a freed handle) is an error and never undefined behaviour. The library never prints,
 *   aborts or throws; a defect inside becomes MPR_ERR_INTERNAL, and the object that it hit answers MPR_ERR_POISONED.
 *
 * RECORDING OFF
 *   Before mpr_init() and after mpr_shutdown() ids are still valid, spans still carry context, and everything that would
 *   record answers MPR_SKIPPED: a host needs no special case. (A span begun before mpr_shutdown() goes on to its end, and
 *   is then counted as dropped.)
 *
 * MEMORY
 *   Text that goes in is copied. Text that comes out goes to the caller's buffer (the size that is needed is returned) or
 *   to a callback. Handles are freed by their mpr_*_free() or mpr_span_end(), which take NULL. The caller frees nothing
 *   else.
 *
 * THREADS
 *   Any function, any thread, any time, unless its comment says otherwise. Spans, payloads, logs and ids never wait for
 *   network or disk. One thread of the library (mpr-worker; with spool_dir mpr-spool, too) does all I/O; it starts when
 *   something first needs it, with all signals blocked. No function is async-signal-safe.
 *
 * CALLBACKS
 *   A callback may call anything here, with these exceptions: from the log callback mpr_init() and mpr_shutdown(), and on the
 *   library's worker thread (where done callbacks and much of the log run) every call that waits, are refused with
 *   MPR_ERR_INVALID_STATE. A callback must not throw, longjmp or end the thread. No lock of the library is held while it runs.
 *
 * FORK
 *   After fork() the child records on with ids of its own and an empty queue (what the parent had queued, the parent
 *   delivers), and gets a worker thread when it first needs one. The running session goes on in the child; its end is
 *   the parent's. Other threads may be inside calls of this library: fork() waits until they are out of its locks, which takes
 *   microseconds (up to 10 ms during a name lookup; up to 1 s where a thread with a lock gets no processor; and for a fork of
 *   another thread to be done).
 *   A span that began before the fork is the parent's to deliver, and ends in the child without a trace; a handle that another
 *   thread was using at that moment answers MPR_ERR_POISONED in the child.
 *
 * EXIT
 *   Call mpr_shutdown() before main returns: it ends the session and delivers what is queued, within its time. Without it the
 *   same is done at the end of exit() and after main, within exit_timeout_ms; from exit() on no callback is called any more. After _exit(), abort()
 *   or a deadly signal what is queued is lost; with spool_dir only what came in the last 50 ms. dlclose() is safe: the library stays in memory.
 *
 * SECRETS
 *   Headers, bodies, log and exception texts are masked before they leave, by default and on every kind of session. What
 *   the masking does not understand is replaced by a note of its type and size. API keys appear in no message. What a host
 *   says about a session (session_json) and about itself (service_name, ...) goes as it is.
 *
 * LIMITS
 *   The platform drops a span above 1,000,000 bytes, so larger ones are cut here: the longest texts first (attribute
 *   "<key>.truncated"), then whole attributes and events, counted in the span. A span keeps 4,096 attributes and 10,000 events,
 *   a body max_payload_bytes, all unfinished captures together capture_max_bytes; what is queued is bounded by
 *   queue_max_bytes, and what finds no room is counted.
 *
 * ABI
 *   Functions and numbers are only ever added. A program compiled against this header runs with every later library of
 *   the same SONAME. mpr_abi_version() tells at run time what is there; "Since" tells when a function came.
 *   Before 1.0 a change is possible and is told in docs/abi.md.
 */

#ifndef MPR_H
#define MPR_H

#include <stddef.h>
#include <stdint.h>

// The call did what it says.
#define MPR_OK 0

// Nothing to do: recording is off, or the trace is not recorded.
#define MPR_SKIPPED 1

// An argument, option or JSON text is not usable; the message names it and says what would be right.
#define MPR_ERR_INVALID_ARGUMENT -1

// The call needs mpr_init() first.
#define MPR_ERR_NOT_INITIALIZED -2

// mpr_init() was called twice with no mpr_shutdown() between.
#define MPR_ERR_ALREADY_INITIALIZED -3

// The call does not fit the session's state, e.g. start while one runs.
#define MPR_ERR_INVALID_STATE -4

// The platform refused the API key (HTTP 401 or 403).
#define MPR_ERR_UNAUTHORIZED -5

// The platform refused the request or failed on it (any other 4xx, 500), or answered what cannot be understood.
#define MPR_ERR_REJECTED -6

// The platform cannot be reached or is not ready (429, 502, 503, 504).
#define MPR_ERR_NETWORK -7

// The time allowed was over before the answer came.
#define MPR_ERR_TIMEOUT -8

// The byte budget of the queue is full; the item was refused and counted.
#define MPR_ERR_QUEUE_FULL -9

// The caller's buffer is smaller than the result; the size needed was written.
#define MPR_ERR_BUFFER_TOO_SMALL -10

// A file could not be read, or a thread or socket could not be had from the system.
#define MPR_ERR_IO -11

// An earlier call failed inside this object; it answers only this from then on.
#define MPR_ERR_POISONED -12

// A defect in the library; the host goes on. The message says what it was.
#define MPR_ERR_INTERNAL -100

// The version that this header is of.
#define MPR_VERSION_MAJOR 0

// See MPR_VERSION_MAJOR.
#define MPR_VERSION_MINOR 1

// See MPR_VERSION_MAJOR.
#define MPR_VERSION_PATCH 0

// Goes up when functions are added; programs compiled against a smaller number go on working. Compare it with
// mpr_abi_version() before using functions that were added later.
#define MPR_ABI_VERSION 1

// A session with a start and an end; the platform ends it by itself after 630 s.
#define MPR_SESSION_MANUAL 0

// The same under its older name.
#define MPR_SESSION_PLAIN 0

// A rolling window of the last two minutes, kept by mpr_save() and, by itself, when a span ends in error.
#define MPR_SESSION_CONTINUOUS 1

// An ordinary trace, of no session.
#define MPR_TRACE_NONE 0

// A documentation trace.
#define MPR_TRACE_DOC 1

// Of a manual session.
#define MPR_TRACE_MANUAL 2

// Of a continuous session.
#define MPR_TRACE_CONTINUOUS 3

// Of a client; its errors become issues.
#define MPR_TRACE_SESSION 4

// Of a client's crash buffer.
#define MPR_TRACE_SESSION_CACHE 5

// The trace is not recorded.
#define MPR_DROP 0

// The trace is recorded and its context says so.
#define MPR_RECORD_AND_SAMPLE 2

// Headers and body of an HTTP request.
#define MPR_PAYLOAD_HTTP_REQUEST 1

// Headers and body of an HTTP response.
#define MPR_PAYLOAD_HTTP_RESPONSE 2

// Arguments of a remote call.
#define MPR_PAYLOAD_RPC_REQUEST 3

// Result of a remote call.
#define MPR_PAYLOAD_RPC_RESPONSE 4

// Metadata and message of a gRPC request.
#define MPR_PAYLOAD_GRPC_REQUEST 5

// Metadata and message of a gRPC response.
#define MPR_PAYLOAD_GRPC_RESPONSE 6

// Headers and body of a queue's message.
#define MPR_PAYLOAD_MESSAGE 7

// Work inside a service; also what 0 means.
#define MPR_SPAN_KIND_INTERNAL 1

// Handles a request of a client.
#define MPR_SPAN_KIND_SERVER 2

// Makes a request to a server.
#define MPR_SPAN_KIND_CLIENT 3

// Puts a message into a queue.
#define MPR_SPAN_KIND_PRODUCER 4

// Takes a message from a queue.
#define MPR_SPAN_KIND_CONSUMER 5

// Nothing is said about success.
#define MPR_SPAN_STATUS_UNSET 0

// Succeeded.
#define MPR_SPAN_STATUS_OK 1

// Failed.
#define MPR_SPAN_STATUS_ERROR 2

// Severity numbers are OpenTelemetry's, 1 to 24; these are the ones with plain names.
#define MPR_SEVERITY_TRACE 1

// See MPR_SEVERITY_TRACE.
#define MPR_SEVERITY_DEBUG 5

// See MPR_SEVERITY_TRACE.
#define MPR_SEVERITY_INFO 9

// See MPR_SEVERITY_TRACE.
#define MPR_SEVERITY_WARN 13

// See MPR_SEVERITY_TRACE.
#define MPR_SEVERITY_ERROR 17

// See MPR_SEVERITY_TRACE.
#define MPR_SEVERITY_FATAL 21

// A payload that arrives in pieces. Since 0.1.
typedef struct mpr_capture mpr_capture;

// Options being collected for mpr_init(). Since 0.1.
typedef struct mpr_options mpr_options;

// A span between its begin and its end. Since 0.1.
typedef struct mpr_span mpr_span;

// Result of every call that can fail. 0 is success, a positive value means "nothing to do", a negative one is an error.
// The numbers are append-only and never reused. The text behind an error is in mpr_last_error(). Since 0.1.
typedef int32_t mpr_status;

// Gets one line of the library's own diagnostics; `level` is 1 error, 2 warn, 3 info, 4 debug. `message` is
// NUL-terminated UTF-8 and valid during the call only. Called on any thread, also on the library's worker. Since 0.1.
typedef void (*mpr_log_fn)(int32_t level, const char *message, void *user_data);

// Frees the user_data of a callback. Called exactly once: when the callback is replaced or its recorder is gone, and
// also when registering it fails. On any thread. Since 0.1.
typedef void (*mpr_free_fn)(void *user_data);

// Masks a body in place of the built-in rules. Writes the masked text (UTF-8) to `out` and its length to `*needed`. When
// `capacity` is too small it writes `*needed` (at most 64 MiB) alone and is called again with that much. `in` is never
// NULL. Returns MPR_OK, or anything else for "cannot": the body is then masked whole and counted. Called on the thread
// that captures; it may be several at once. Since 0.1.
typedef mpr_status (*mpr_mask_fn)(const char *content_type,
                                  const uint8_t *in,
                                  size_t len,
                                  uint8_t *out,
                                  size_t capacity,
                                  size_t *needed,
                                  void *user_data);

// Makes the trace id of a root span that the library begins: 16 bytes to `out`, result MPR_OK. While a session runs the
// library writes the session into the first seven of them. Any other result, or 16 zeros: the library makes the id.
// Since 0.1.
typedef mpr_status (*mpr_trace_id_fn)(uint8_t *out, void *user_data);

// Gives the short id of a session whose server answers without one: 8 lower-case hex digits and a NUL to `out` (9
// bytes), result MPR_OK. The Multiplayer platform and the local recorder always answer with one. Since 0.1.
typedef mpr_status (*mpr_short_id_fn)(char *out, void *user_data);

// Decides about a root span outside a session that the library begins: MPR_RECORD_AND_SAMPLE, or any other number for
// no. `trace_id` has 16 bytes; `ratio` is the option sample_ratio. Since 0.1.
typedef int32_t (*mpr_sampler_fn)(const uint8_t *trace_id, double ratio, void *user_data);

// Where everything recorded is. Set struct_size to sizeof(mpr_stats) (at least 16) before the call; the library writes
// no further, so that later versions can add members at the end. At every moment accepted = exported +
// dropped_queue_full + dropped_rejected + dropped_too_large + dropped_shutdown + dropped_internal + dropped_expired +
// dropped_consent + dropped_spool + queued + spooled. Since 0.1.
typedef struct mpr_stats {
    // In: sizeof(mpr_stats) of the caller. Out: the same.
    size_t struct_size;
    // Spans and logs that came in.
    uint64_t accepted;
    // Confirmed by the receiver.
    uint64_t exported;
    // Waiting or on their way.
    uint64_t queued;
    // Bytes of those, with the resources that they share.
    uint64_t queued_bytes;
    // Refused because queue_max_bytes was used up.
    uint64_t dropped_queue_full;
    // Refused by the receiver for good.
    uint64_t dropped_rejected;
    // Too large for the receiver even alone.
    uint64_t dropped_too_large;
    // Came after the shutdown, or its time was over.
    uint64_t dropped_shutdown;
    // Lost to a defect of the library.
    uint64_t dropped_internal;
    // Handed over but part of no session, or not wanted by it. Not in accepted.
    uint64_t filtered;
    // Export requests that succeeded.
    uint64_t requests;
    // Export attempts that failed and were made again.
    uint64_t retries;
    // Payloads captured.
    uint64_t payloads_captured;
    // Payloads of which the whole body was replaced by a note or the placeholder.
    uint64_t payloads_masked_whole;
    // Values replaced by the placeholder.
    uint64_t payload_fields_masked;
    // Bodies cut at max_payload_bytes.
    uint64_t payloads_truncated;
    // Times that the mask callback failed.
    uint64_t mask_callback_failures;
    // Defects of the library that were caught; each is MPR_ERR_INTERNAL somewhere.
    uint64_t panics;
    // Forks between the process that loaded the library and this one.
    uint64_t fork_generation;
    // Spans of this library between begin and end. Not in accepted yet.
    uint64_t open_spans;
    // Bytes of those; they count towards queue_max_bytes.
    uint64_t open_bytes;
    // In the spool and not in memory; at the end of a recorder: left there for the next one.
    uint64_t spooled;
    // Left in the spool by earlier processes and found by this one. Part of accepted.
    uint64_t recovered;
    // In the spool for longer than the platform keeps such items.
    uint64_t dropped_expired;
    // Refused, or forgotten, for lack of consent; see mpr_set_consent().
    uint64_t dropped_consent;
    // In the spool alone, and the disk did not give them back.
    uint64_t dropped_spool;
    // What this recorder's files in the spool take.
    uint64_t spool_bytes;
    // Spans and logs that were written to the spool. (Those that are delivered at once are not.)
    uint64_t spool_written;
    // Damaged places in files of earlier processes, each of which may have been several items.
    uint64_t spool_damaged;
    // Times that writing to the spool failed.
    uint64_t spool_failures;
} mpr_stats;

// Gets the result of an _async call: what its blocking twin would return. mpr_last_error() tells the message inside the
// callback. Called exactly once (never after exit() began), on the library's worker thread: it must not block, and blocking calls of this library
// answer MPR_ERR_INVALID_STATE in it. Since 0.1.
typedef void (*mpr_done_fn)(mpr_status status, void *user_data);

// Gets one finished attribute: set it on the span. Key and value are UTF-8, valid during the call, and each has a NUL
// behind it that its length does not count. Called on the thread that captures, before the call returns. Since 0.1.
typedef void (*mpr_attribute_fn)(void *user_data,
                                 const char *key,
                                 size_t key_len,
                                 const char *value,
                                 size_t value_len);

// The ids and flags of a span, of this process or another: 32 bytes, to be copied as they are. Bit 0 of trace_flags is
// "sampled". `reserved` is the library's (it knows by it a parent of this process): zero in a context that a host makes.
// Since 0.1.
typedef struct mpr_span_context {
    // All zero: no trace.
    uint8_t trace_id[16];
    // All zero: no span.
    uint8_t span_id[8];
    // W3C trace flags.
    uint8_t trace_flags;
    // The library's own.
    uint8_t reserved[7];
} mpr_span_context;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/* ---- Version and errors ---- */

// The library's version, e.g. "0.1.0". Static. Since 0.1.
const char *mpr_version(void);

// The library's MPR_ABI_VERSION. Since 0.1.
uint32_t mpr_abi_version(void);

// The name of a status, e.g. "MPR_ERR_TIMEOUT"; "MPR_UNKNOWN" for another number. Static. Since 0.1.
const char *mpr_status_name(mpr_status status);

// 1 when the same call may succeed when it is made again later, else 0. Since 0.1.
int32_t mpr_status_is_retryable(mpr_status status);

// What the last failed call of this thread said, in one line: the function, what was wrong, and what would be right.
// "" before the first failure. Never NULL, never an API key or recorded content. Valid until this thread's next call
// that fails. Since 0.1.
const char *mpr_last_error(void);

/* ---- Options ---- */

// New options with nothing set. What is set wins; what is not falls back to its environment variable (an empty one
// counts as not set), then to its default. Belongs to the caller until mpr_init() takes it or mpr_options_free() frees
// it. NULL only when memory for handles is used up. Since 0.1.
mpr_options *mpr_options_new(void);

// Frees options that mpr_init() has not taken. NULL is fine. Since 0.1.
void mpr_options_free(mpr_options *options);

// Sets all options that a JSON object names, e.g. {"api_key": "…", "mask_body_fields": ["pin"]}: the names of the
// setters, text, numbers, true or false (also 1 or 0), arrays and objects as they are; null unsets. All of them or, with an error,
// none. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT (the message names line and column, or the option and what would be
// right) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_json(mpr_options *options,
                                const char *json);

// The platform's OTLP key, alone and without `Bearer`; any word for the local recorder. Required. Environment:
// MULTIPLAYER_API_KEY, then MULTIPLAYER_SDK_API_KEY, MULTIPLAYER_OTLP_KEY.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_api_key(mpr_options *options,
                                   const char *value);

// What mpr_init() would use for api_key, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_api_key(const mpr_options *options,
                                   char *out,
                                   size_t capacity,
                                   size_t *needed);

// Where the session API is. Default https://api.multiplayer.app. Environment: MULTIPLAYER_BASE_API_URL.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_api_base_url(mpr_options *options, const char *value);

// What mpr_init() would use for api_base_url, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_api_base_url(const mpr_options *options,
                                        char *out,
                                        size_t capacity,
                                        size_t *needed);

// Full URL of the OTLP traces intake. Default https://otlp.multiplayer.app/v1/traces. Environment:
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, else OTEL_EXPORTER_OTLP_ENDPOINT with /v1/traces behind it.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_traces_endpoint(mpr_options *options, const char *value);

// What mpr_init() would use for traces_endpoint, as text (lists and objects as JSON, "" for none). The size that is
// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_traces_endpoint(const mpr_options *options,
                                           char *out,
                                           size_t capacity,
                                           size_t *needed);

// Full URL of the OTLP logs intake. Default https://otlp.multiplayer.app/v1/logs. Environment:
// OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, else OTEL_EXPORTER_OTLP_ENDPOINT with /v1/logs behind it.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_logs_endpoint(mpr_options *options, const char *value);

// What mpr_init() would use for logs_endpoint, as text (lists and objects as JSON, "" for none). The size that is
// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_logs_endpoint(const mpr_options *options,
                                         char *out,
                                         size_t capacity,
                                         size_t *needed);

// How OTLP is sent: "http/protobuf" (default), "http/json" or "grpc". Of an endpoint for gRPC only scheme, host and port
// count (http://collector:4317). Session calls go over HTTP with any of them. Environment: OTEL_EXPORTER_OTLP_PROTOCOL.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_protocol(mpr_options *options,
                                    const char *value);

// What mpr_init() would use for protocol, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_protocol(const mpr_options *options,
                                    char *out,
                                    size_t capacity,
                                    size_t *needed);

// "gzip" (default), "zstd" or "none". zstd takes a fraction of the time; collectors and the local recorder read both.
// Environment: OTEL_EXPORTER_OTLP_COMPRESSION.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_compression(mpr_options *options,
                                       const char *value);

// What mpr_init() would use for compression, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_compression(const mpr_options *options,
                                       char *out,
                                       size_t capacity,
                                       size_t *needed);

// Extra headers of OTLP requests: a JSON object, or `key=value,key=value` with percent-encoded values. An Authorization
// here replaces the API key. Environment: OTEL_EXPORTER_OTLP_HEADERS.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_headers(mpr_options *options,
                                   const char *value);

// What mpr_init() would use for headers, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_headers(const mpr_options *options,
                                   char *out,
                                   size_t capacity,
                                   size_t *needed);

// Limit of one session call and of one export request, in milliseconds, 1 to 600000. Default 10000. Environment:
// OTEL_EXPORTER_OTLP_TIMEOUT.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_timeout_ms(mpr_options *options,
                                      uint32_t value);

// Writes what mpr_init() would use for timeout_ms to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_timeout_ms(const mpr_options *options, uint32_t *out);

// PEM file of the certificate authorities to trust in place of the system's (then the bundled ones). Environment:
// OTEL_EXPORTER_OTLP_CERTIFICATE; SSL_CERT_FILE names another system bundle.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_ca_file(mpr_options *options,
                                   const char *value);

// What mpr_init() would use for ca_file, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_ca_file(const mpr_options *options,
                                   char *out,
                                   size_t capacity,
                                   size_t *needed);

// PEM file of the client's certificate chain; needs client_key. Environment: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_client_cert(mpr_options *options,
                                       const char *value);

// What mpr_init() would use for client_cert, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_client_cert(const mpr_options *options,
                                       char *out,
                                       size_t capacity,
                                       size_t *needed);

// PEM file of the client's private key. Environment: OTEL_EXPORTER_OTLP_CLIENT_KEY.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_client_key(mpr_options *options, const char *value);

// What mpr_init() would use for client_key, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_client_key(const mpr_options *options,
                                      char *out,
                                      size_t capacity,
                                      size_t *needed);

// URL of an HTTP proxy for all requests but those to the hosts of NO_PROXY. Without it HTTPS_PROXY, HTTP_PROXY and
// ALL_PROXY count. OTLP over gRPC goes through it only to an https endpoint.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_proxy(mpr_options *options,
                                 const char *value);

// What mpr_init() would use for proxy, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_proxy(const mpr_options *options,
                                 char *out,
                                 size_t capacity,
                                 size_t *needed);

// The service's name, `service.name`. Default: `unknown_service:` and the executable's name, as OpenTelemetry has it.
// Environment: OTEL_SERVICE_NAME.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_service_name(mpr_options *options,
                                        const char *value);

// What mpr_init() would use for service_name, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_service_name(const mpr_options *options,
                                        char *out,
                                        size_t capacity,
                                        size_t *needed);

// The service's version, `service.version`.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_service_version(mpr_options *options, const char *value);

// What mpr_init() would use for service_version, as text (lists and objects as JSON, "" for none). The size that is
// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_service_version(const mpr_options *options,
                                           char *out,
                                           size_t capacity,
                                           size_t *needed);

// Where it runs, e.g. "production": `deployment.environment` and `deployment.environment.name`.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_environment(mpr_options *options, const char *value);

// What mpr_init() would use for environment, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_environment(const mpr_options *options,
                                       char *out,
                                       size_t capacity,
                                       size_t *needed);

// More attributes of the OpenTelemetry resource: a JSON object of plain values, or `key=value,key=value`. Environment:
// OTEL_RESOURCE_ATTRIBUTES.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_resource_attributes(mpr_options *options,
                                               const char *value);

// What mpr_init() would use for resource_attributes, as text (lists and objects as JSON, "" for none). The size that
// is needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_resource_attributes(const mpr_options *options,
                                               char *out,
                                               size_t capacity,
                                               size_t *needed);

// Share (0 to 1) of the library's own root spans that is recorded outside a session. Default 0. A session's traces are
// always recorded. Environment: OTEL_TRACES_SAMPLER_ARG.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_sample_ratio(mpr_options *options,
                                        double value);

// Writes what mpr_init() would use for sample_ratio to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_sample_ratio(const mpr_options *options, double *out);

// Share (0 to 1) of the traces outside a session that becomes documentation traces. Default 0.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_auto_doc_traces_ratio(mpr_options *options, double value);

// Writes what mpr_init() would use for auto_doc_traces_ratio to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_auto_doc_traces_ratio(const mpr_options *options,
                                                 double *out);

// Longest text of one captured body, in bytes after masking, 0 to 900000. Default 400000: the platform drops a span
// above 1,000,000 bytes, and a span has two bodies. Environment: MULTIPLAYER_MAX_HTTP_REQUEST_RESPONSE_SIZE.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_max_payload_bytes(mpr_options *options,
                                             uint64_t value);

// Writes what mpr_init() would use for max_payload_bytes to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_max_payload_bytes(const mpr_options *options,
                                             uint64_t *out);

// Whether bodies are captured. Default 1.
// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_capture_body(mpr_options *options, int32_t value);

// Writes what mpr_init() would use for capture_body to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_capture_body(const mpr_options *options, int32_t *out);

// Whether headers are captured. Default 1.
// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_capture_headers(mpr_options *options, int32_t value);

// Writes what mpr_init() would use for capture_headers to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_capture_headers(const mpr_options *options, int32_t *out);

// Whether bodies are masked. Default 1.
// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_mask_body(mpr_options *options, int32_t value);

// Writes what mpr_init() would use for mask_body to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_mask_body(const mpr_options *options, int32_t *out);

// Whether headers are masked. Default 1.
// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_mask_headers(mpr_options *options, int32_t value);

// Writes what mpr_init() would use for mask_headers to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_mask_headers(const mpr_options *options, int32_t *out);

// Names of body fields to mask beside the default ones: a JSON array, or names with commas.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_mask_body_fields(mpr_options *options, const char *value);

// What mpr_init() would use for mask_body_fields, as text (lists and objects as JSON, "" for none). The size that is
// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_mask_body_fields(const mpr_options *options,
                                            char *out,
                                            size_t capacity,
                                            size_t *needed);

// Names of headers to mask beside the default ones: a JSON array, or names with commas.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_mask_header_names(mpr_options *options, const char *value);

// What mpr_init() would use for mask_header_names, as text (lists and objects as JSON, "" for none). The size that is
// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_mask_header_names(const mpr_options *options,
                                             char *out,
                                             size_t capacity,
                                             size_t *needed);

// Names of the default list that are not masked, e.g. `email, address, session_id`: a JSON array, or names with commas. An
// entry covers its own words in any name (`email` also `user_email`, not `email_password`); mask_body_fields wins over it.
// What is secret by its form stays masked. A name that is not on the default list is an error.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT (the message names the entry and what would be right) or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_mask_allow_fields(mpr_options *options,
                                             const char *value);

// What mpr_init() would use for mask_allow_fields, as text (lists and objects as JSON, "" for none). The size that is
// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_mask_allow_fields(const mpr_options *options,
                                             char *out,
                                             size_t capacity,
                                             size_t *needed);

// Exact paths of values to mask in JSON bodies and form fields, whatever their names: a JSON array, or paths with commas. A
// path is `user.pin`, `items[*].code`, `items[0].code`, `*.note` (any one step) or `["odd.key"]`, from the root of each
// document, in the case of the names; at most 64. They do not reach into JSON that lies in a string. Text that begins with
// `[` is a JSON array.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT (the message names the entry and what would be right) or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_mask_paths(mpr_options *options,
                                      const char *value);

// What mpr_init() would use for mask_paths, as text (lists and objects as JSON, "" for none). The size that is
// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_mask_paths(const mpr_options *options,
                                      char *out,
                                      size_t capacity,
                                      size_t *needed);

// Exact paths, as for mask_paths, of values whose names do not count, nor those of what lies in them. mask_paths wins over
// it; what is secret by its form stays masked; what lies in a masked value is not reached.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT (the message names the entry and what would be right) or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_mask_allow_paths(mpr_options *options,
                                            const char *value);

// What mpr_init() would use for mask_allow_paths, as text (lists and objects as JSON, "" for none). The size that is
// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_mask_allow_paths(const mpr_options *options,
                                            char *out,
                                            size_t capacity,
                                            size_t *needed);

// Regular expressions: what they match in text that is kept (strings and numbers of JSON, text, form and header values) is
// masked. A JSON array, at most 64 of at most 1000 bytes. With a group `(?P<secret>…)` only the group is masked. No look-around, no
// back references; time is linear in the text, but each pattern reads all of it. A pattern that matches the empty string
// is an error.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT (the message names the entry and what would be right) or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_mask_patterns(mpr_options *options,
                                         const char *value);

// What mpr_init() would use for mask_patterns, as text (lists and objects as JSON, "" for none). The size that is
// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_mask_patterns(const mpr_options *options,
                                         char *out,
                                         size_t capacity,
                                         size_t *needed);

// Whether e-mail addresses are masked wherever they stand in text. Default 0.
// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_mask_emails(mpr_options *options, int32_t value);

// Writes what mpr_init() would use for mask_emails to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_mask_emails(const mpr_options *options, int32_t *out);

// The only headers to capture: a JSON array, or names with commas. Default: all.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_headers_to_include(mpr_options *options, const char *value);

// What mpr_init() would use for headers_to_include, as text (lists and objects as JSON, "" for none). The size that is
// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_headers_to_include(const mpr_options *options,
                                              char *out,
                                              size_t capacity,
                                              size_t *needed);

// Headers not to capture: a JSON array, or names with commas. Default: none.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_headers_to_exclude(mpr_options *options, const char *value);

// What mpr_init() would use for headers_to_exclude, as text (lists and objects as JSON, "" for none). The size that is
// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_headers_to_exclude(const mpr_options *options,
                                              char *out,
                                              size_t capacity,
                                              size_t *needed);

// Whether encoded bodies (gzip, deflate, br, zstd) are decoded; otherwise they are described. Default 1.
// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_decompress(mpr_options *options, int32_t value);

// Writes what mpr_init() would use for decompress to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_decompress(const mpr_options *options, int32_t *out);

// Least severe diagnostics for the log callback: "off", "error", "warn" (default), "info" or "debug". Environment:
// MPR_LOG. NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_log_level(mpr_options *options,
                                     const char *value);

// What mpr_init() would use for log_level, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_log_level(const mpr_options *options,
                                     char *out,
                                     size_t capacity,
                                     size_t *needed);

// What all captures that are not ended hold together (mpr_capture_begin()), in bytes of content (memory for it may be up to
// twice as much), 65536 to 16 GiB. Default 32 MiB. Past it
// no more of a body is kept: it is masked up to there, with its true size beside it.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_capture_max_bytes(mpr_options *options,
                                             uint64_t value);

// Writes what mpr_init() would use for capture_max_bytes to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_capture_max_bytes(const mpr_options *options,
                                             uint64_t *out);

// What recorded data may take in memory, in bytes, 65536 to 16 GiB: items that wait or are on their way, the resources
// that they share, and spans between begin and end. Default 32 MiB. Past it the newest is refused and counted.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_queue_max_bytes(mpr_options *options,
                                           uint64_t value);

// Writes what mpr_init() would use for queue_max_bytes to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_queue_max_bytes(const mpr_options *options, uint64_t *out);

// Most bytes of one request before compression, 16384 to 16 MiB. Default 2 MiB.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_batch_max_bytes(mpr_options *options, uint64_t value);

// Writes what mpr_init() would use for batch_max_bytes to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_batch_max_bytes(const mpr_options *options, uint64_t *out);

// Most spans and logs of one request, 1 to 100000. Default 2048.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_batch_max_items(mpr_options *options, uint32_t value);

// Writes what mpr_init() would use for batch_max_items to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_batch_max_items(const mpr_options *options, uint32_t *out);

// How long a recorded item may wait for company, in milliseconds, 10 to 3600000. Default 1000.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_flush_interval_ms(mpr_options *options, uint32_t value);

// Writes what mpr_init() would use for flush_interval_ms to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_flush_interval_ms(const mpr_options *options,
                                             uint32_t *out);

// A directory for what is recorded and not delivered: it then survives the end of this process (a crash, kill -9, a reboot)
// and is sent by the next one with the same project (or key) and api_base_url. Made with mode 0700 when it is missing; refused
// when it is another user's or others can write to it. Several processes may share it. What it holds is masked like all that
// leaves. Without it nothing is written to disk. See docs/spool.md.
// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_spool_dir(mpr_options *options,
                                     const char *value);

// What mpr_init() would use for spool_dir, as text (lists and objects as JSON, "" for none). The size that is needed,
// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_spool_dir(const mpr_options *options,
                                     char *out,
                                     size_t capacity,
                                     size_t *needed);

// What all files in spool_dir may take, of all processes together, in bytes, 1 MiB to 16 GiB. Default 256 MiB. Past it what
// is recorded is kept in memory only, as without a spool.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_spool_max_bytes(mpr_options *options,
                                           uint64_t value);

// Writes what mpr_init() would use for spool_max_bytes to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_spool_max_bytes(const mpr_options *options, uint64_t *out);

// How long the process's end may take when nobody called mpr_shutdown(), in milliseconds, 0 to 600000: as much as can be is
// delivered at exit() and after the return of main. 0 does nothing then. Default 2000. Environment: MPR_EXIT_TIMEOUT_MS.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_exit_timeout_ms(mpr_options *options,
                                           uint32_t value);

// Writes what mpr_init() would use for exit_timeout_ms to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_exit_timeout_ms(const mpr_options *options, uint32_t *out);

// When the platform ends a manual session by itself, in seconds. Default 630, the platform's own; a self-hosted one may
// have another.
// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_session_max_seconds(mpr_options *options,
                                               uint32_t value);

// Writes what mpr_init() would use for session_max_seconds to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_session_max_seconds(const mpr_options *options,
                                               uint32_t *out);

// Whether a manual session that reaches that limit goes on in a new one ("… (part 2)"). Default 0: the log callback and
// mpr_session_info() tell, and the session ends.
// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_set_session_rollover(mpr_options *options,
                                            int32_t value);

// Writes what mpr_init() would use for session_rollover to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_options_get_session_rollover(const mpr_options *options,
                                            int32_t *out);

/* ---- Callbacks ---- */

// Where the library's diagnostics go; without it they go nowhere. NULL `fn` removes it. See mpr_log_fn and mpr_free_fn
// (NULL: nothing to free). Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT. Since 0.1.
mpr_status mpr_options_set_log_callback(mpr_options *options,
                                        mpr_log_fn fn,
                                        void *user_data,
                                        mpr_free_fn free_user_data);

// Masks bodies by the host's own rules. NULL `fn` brings the built-in ones back. See mpr_mask_fn and mpr_free_fn.
// Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT. Since 0.1.
mpr_status mpr_options_set_mask_callback(mpr_options *options,
                                         mpr_mask_fn fn,
                                         void *user_data,
                                         mpr_free_fn free_user_data);

// Lets the host make trace ids. NULL `fn` removes it. See mpr_trace_id_fn and mpr_free_fn. Returns MPR_OK or
// MPR_ERR_INVALID_ARGUMENT. Since 0.1.
mpr_status mpr_options_set_trace_id_hook(mpr_options *options,
                                         mpr_trace_id_fn fn,
                                         void *user_data,
                                         mpr_free_fn free_user_data);

// Lets the host make short ids where a server gives none. NULL `fn` removes it. See mpr_short_id_fn and mpr_free_fn.
// Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT. Since 0.1.
mpr_status mpr_options_set_short_id_hook(mpr_options *options,
                                         mpr_short_id_fn fn,
                                         void *user_data,
                                         mpr_free_fn free_user_data);

// Lets the host decide which root spans outside a session are recorded. NULL `fn` brings sample_ratio back. See
// mpr_sampler_fn and mpr_free_fn. Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT. Since 0.1.
mpr_status mpr_options_set_sampler_hook(mpr_options *options,
                                        mpr_sampler_fn fn,
                                        void *user_data,
                                        mpr_free_fn free_user_data);

/* ---- Recording on and off ---- */

// Turns recording on, with these options or, for NULL, with the environment's. Takes ownership of the options, also on
// failure. Does no I/O beyond reading certificate files that are named and looking into spool_dir: the worker thread, TLS
// and connections come when something first needs them, or when an earlier process has left something in the spool.
// Returns MPR_OK, MPR_ERR_ALREADY_INITIALIZED, MPR_ERR_INVALID_ARGUMENT (no API key, or an unusable option or environment
// variable), MPR_ERR_IO (a file or spool_dir cannot be used), MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_init(mpr_options *options);

// Waits until everything recorded before the call is delivered, `timeout_ms` at most. With spool_dir it is written there at
// once meanwhile. Not from a callback of this library. Returns MPR_OK, MPR_ERR_TIMEOUT (what is left stays queued and is still delivered),
// MPR_ERR_NOT_INITIALIZED, MPR_ERR_INVALID_STATE (called on the worker thread). Since 0.1.
mpr_status mpr_flush(uint32_t timeout_ms);

// Ends the session that runs, delivers what is queued and turns recording off, `timeout_ms` at most for all of it. What
// could not be delivered in time stays in the spool, which is no error, or is counted as dropped. Call it before main returns; recording is off afterwards
// whatever it returns, and mpr_init() may follow. Not from a callback of this library. Returns MPR_OK, MPR_SKIPPED
// (recording is off already), MPR_ERR_TIMEOUT (something was left), the errors of mpr_stop() for the session's end,
// MPR_ERR_INVALID_STATE (called on the worker thread). Since 0.1.
mpr_status mpr_shutdown(uint32_t timeout_ms);

// The off switch. With `given` 0 everything that is recorded and not delivered is forgotten (counted as dropped_consent),
// a request on its way is cut off, the spool's files of this process and of dead ones of the same project are removed,
// and nothing more is kept until a call with `given` 1, also in forked children. Other processes that live keep theirs until they are
// told, too. The session goes on; mpr_cancel() before this call has the platform forget what it has. mpr_init() begins with
// consent given. Returns MPR_OK, MPR_SKIPPED (it is so already), MPR_ERR_NOT_INITIALIZED, MPR_ERR_INVALID_ARGUMENT (neither
// 0 nor 1), MPR_ERR_TIMEOUT (the disk does not answer within 5 s; the files go when it does), MPR_ERR_IO. Since 0.1.
mpr_status mpr_set_consent(int32_t given);

// Writes the numbers since mpr_init(); after mpr_shutdown() those of its end; before both zeros. Returns MPR_OK or
// MPR_ERR_INVALID_ARGUMENT (NULL, or struct_size is not set). Since 0.1.
mpr_status mpr_get_stats(mpr_stats *stats);

/* ---- Sessions ---- */

// Starts a session: from here to mpr_stop() every trace that begins in this process belongs to it and is recorded whole.
// (A trace that comes from elsewhere by its traceparent keeps its own id, and is recorded when that is of a session.)
// `session_type` is MPR_SESSION_MANUAL or MPR_SESSION_CONTINUOUS. `session_json` is NULL or a JSON object with any of
// name (text), sessionAttributes, resourceAttributes, userAttributes (objects), tags (array of text or {key, value}),
// comment (text), shortId (8 lower-case hex digits; serves only where the server gives none). Blocks, timeout_ms at
// most. When it fails no session was started. Returns MPR_OK, MPR_ERR_NOT_INITIALIZED, MPR_ERR_INVALID_ARGUMENT,
// MPR_ERR_INVALID_STATE (one runs already, or called on the worker thread), MPR_ERR_UNAUTHORIZED, MPR_ERR_REJECTED,
// MPR_ERR_NETWORK, MPR_ERR_TIMEOUT, MPR_ERR_IO. Since 0.1.
mpr_status mpr_start(int32_t session_type,
                     const char *session_json);

// Ends the session. What was recorded before the call is delivered first. A manual session is closed, with
// `session_json` (NULL, or as for mpr_start()) added to it; keys of sessionAttributes that mpr_start() gave keep their
// first value. A continuous one is ended, and what was saved of it stays. Blocks, timeout_ms at most. Stopped afterwards, whatever the platform
// answers (not after MPR_ERR_INVALID_ARGUMENT, which changes nothing). Returns as mpr_start(); MPR_OK also when the platform has ended the session already
// (404), MPR_ERR_INVALID_STATE when no session runs. Since 0.1.
mpr_status mpr_stop(const char *session_json);

// Keeps the last two minutes of the continuous session that runs, as a session of their own; it goes on running. What
// was recorded before the call is delivered first. `session_json` (NULL, or as for mpr_start()) is laid over what the
// start gave. mpr_session_info() then has the id and url. Blocks, timeout_ms at most. Returns as mpr_start();
// MPR_ERR_INVALID_STATE when no continuous session runs. Since 0.1.
mpr_status mpr_save(const char *session_json);

// Ends the session and has the platform throw it away. Blocks, timeout_ms at most. Stopped afterwards, whatever it
// returns. Returns as mpr_stop(). Since 0.1.
mpr_status mpr_cancel(void);

// Asks the platform whether to record now, and starts a session of the kind that it wants. Call it now and then, with
// the attributes that its conditions look at in `session_json` (NULL, or as for mpr_start()). The platform has no
// answer that means stop, so a session that runs goes on. Blocks, timeout_ms at most. Returns MPR_OK (a session was
// started), MPR_SKIPPED (nothing to do; also for HTTP 500, the platform's answer to a condition on an attribute that
// was not sent), else as mpr_start(). Since 0.1.
mpr_status mpr_check_remote(const char *session_json);

// Writes the session's state as a JSON object, NUL-terminated: state ("stopped", "starting", "started", "ending"), and
// of the session that runs, or ran last, type, id, shortId, name, url, startedAt, counts {spans, logs, errors}; while
// a manual one runs endsAt and endsInMs (the platform's limit) and part (of a recording that was rolled over); saved
// {id, url, at} after a save; endedBy ("stop", "cancel", "platform_limit", "shutdown", "failed_start"). The size that
// is needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT (NULL with a capacity), MPR_ERR_NOT_INITIALIZED, MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_session_info(char *json,
                            size_t capacity,
                            size_t *needed);

// mpr_start() without waiting: returns at once, and `done` (may be NULL) gets the result. Session calls take turns in
// the order in which they are made, so a stop may follow a start at once. Returns MPR_OK, or what is wrong with the
// call itself (`done` is then not called). Since 0.1.
mpr_status mpr_start_async(int32_t session_type,
                           const char *session_json,
                           mpr_done_fn done,
                           void *user_data);

// mpr_stop() without waiting; see mpr_start_async(). Since 0.1.
mpr_status mpr_stop_async(const char *session_json, mpr_done_fn done, void *user_data);

// mpr_save() without waiting; see mpr_start_async(). Since 0.1.
mpr_status mpr_save_async(const char *session_json, mpr_done_fn done, void *user_data);

// mpr_cancel() without waiting; see mpr_start_async(). Since 0.1.
mpr_status mpr_cancel_async(mpr_done_fn done, void *user_data);

// mpr_check_remote() without waiting; see mpr_start_async(). Since 0.1.
mpr_status mpr_check_remote_async(const char *session_json, mpr_done_fn done, void *user_data);

/* ---- Ids and sampling, for a host's own OpenTelemetry ---- */

// Writes a new random trace id of 16 bytes. While a session runs the id carries it. Never blocks or allocates. Returns
// MPR_OK, MPR_SKIPPED (recording is off; the id is valid all the same) or MPR_ERR_INVALID_ARGUMENT. Since 0.1.
//
mpr_status mpr_generate_trace_id(uint8_t out[16]);

// Writes a new random span id of 8 bytes. Never blocks or allocates. Returns as mpr_generate_trace_id(). Since 0.1.
//
mpr_status mpr_generate_span_id(uint8_t out[8]);

// What a trace id of 16 bytes says: MPR_TRACE_NONE, _DOC, _MANUAL, _CONTINUOUS, _SESSION or _SESSION_CACHE. NULL is
// MPR_TRACE_NONE. Works with recording off. Since 0.1.
//
int32_t mpr_trace_kind(const uint8_t trace_id[16]);

// Whether a root trace is recorded: MPR_RECORD_AND_SAMPLE for a session's and for documentation traces, others by
// `ratio` (0 to 1) on the low 64 bits of the id, as the OpenTelemetry SDKs do it; else MPR_DROP. NULL is MPR_DROP.
// Works with recording off. Since 0.1.
//
int32_t mpr_should_sample(const uint8_t trace_id[16],
                          double ratio);

/* ---- Payloads ---- */

// Captures one payload for a trace: filters, decompresses, masks and bounds it, then hands each finished attribute to
// `fn` on this thread before it returns. `kind` is one of MPR_PAYLOAD_*. `headers` is "Name: value\r\n…" without a
// request or status line, or NULL; `body` may be NULL with length 0. Nothing of a body that is not understood leaves: a
// note of type and size stands in its place. Never waits for the network. Returns MPR_OK, MPR_SKIPPED (the trace is not
// recorded; costs one comparison, and nothing else is looked at), MPR_ERR_INVALID_ARGUMENT. Since 0.1.
//
mpr_status mpr_capture_payload(int32_t kind,
                               const uint8_t trace_id[16],
                               const char *headers,
                               size_t headers_len,
                               const uint8_t *body,
                               size_t body_len,
                               mpr_attribute_fn fn,
                               void *user_data);

// Begins the capture of a payload that arrives in pieces (end it with mpr_capture_end(), or with mpr_span_capture_end()
// for a span of this library), for a trace of 16 bytes. NULL when the trace is not recorded
// (the other calls take NULL and answer MPR_SKIPPED) or `kind` is unknown. It holds a bounded part of the body,
// whatever arrives, and belongs to the caller until mpr_capture_free(). Since 0.1.
//
mpr_capture *mpr_capture_begin(int32_t kind,
                                      const uint8_t trace_id[16]);

// Adds one header. Copies. Content-Type and Content-Encoding belong before the body, which is masked as it arrives: told after a
// long one, it becomes a note. Returns MPR_OK, MPR_SKIPPED (`capture` is NULL), MPR_ERR_INVALID_ARGUMENT,
// MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_capture_header(mpr_capture *capture,
                              const char *name,
                              size_t name_len,
                              const char *value,
                              size_t value_len);

// Adds a piece of the body. Copies what is kept. Returns MPR_OK, MPR_SKIPPED (`capture` is NULL),
// MPR_ERR_INVALID_ARGUMENT, MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_capture_body(mpr_capture *capture, const uint8_t *chunk, size_t len);

// The payload is complete: masks it and hands each finished attribute to `fn` on this thread before it returns. Free
// the capture afterwards; a second end finds it empty. Returns MPR_OK, MPR_SKIPPED (`capture` is NULL),
// MPR_ERR_INVALID_ARGUMENT, MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_capture_end(mpr_capture *capture,
                           mpr_attribute_fn fn,
                           void *user_data);

// Frees a capture, ended or not. NULL is fine. Since 0.1.
void mpr_capture_free(mpr_capture *capture);

// Masks a body by the rules of mpr_init(), or by the default ones before it: what mpr_capture_payload() would send,
// uncut. `content_type` may be NULL (it is guessed); `in` may be any bytes, and what is not text becomes a note.
// Writes the masked text to `out` with no NUL, and its length to `*needed` (may be NULL). Returns MPR_OK,
// MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT. Since 0.1.
mpr_status mpr_mask(const char *content_type,
                    const uint8_t *in,
                    size_t len,
                    uint8_t *out,
                    size_t capacity,
                    size_t *needed);

// Tells what mpr_mask() masks of a body and by which rule, for tuning the rules; never a value. Parameters as for mpr_mask();
// with the content type message/http the body is "Name: value\r\n…", whose values are explained as headers. Writes a
// JSON object: content_type, kind ("json", "form", "headers", "described", …), size, fields_masked, and masked, an array with
// an entry {path, at, rule, entry, by} for each value: where it is (`at`: the byte in a text), the kind of rule ("name",
// "pair", "table", "path", "pattern", "value", …), the list's entry, and "default" or "user". At most 1000 are
// listed, then truncated_list is true. broke_at is where the body was no longer understood, note what stands for it. Slow,
// and for development: calls the mask callback if there is one. Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
// MPR_ERR_INVALID_ARGUMENT. Since 0.1.
mpr_status mpr_explain_mask(const char *content_type,
                            const uint8_t *in,
                            size_t len,
                            uint8_t *out,
                            size_t capacity,
                            size_t *needed);

/* ---- Spans and exceptions, for hosts with no OpenTelemetry of their own ---- */

// Begins a span below `parent` (NULL or invalid: a root span). `kind` is one of MPR_SPAN_KIND_*. A session's traces are
// recorded, others follow their parent or sample_ratio. Also for a trace that is not recorded, and with recording off,
// the result is a span, whose context can be passed on and whose calls answer MPR_SKIPPED. It belongs to the caller
// until mpr_span_end(). NULL for a name that is NULL or not UTF-8, or an unknown kind. Since 0.1.
mpr_span *mpr_span_begin(const char *name,
                                int32_t kind,
                                const mpr_span_context *parent);

// Sets an attribute; a second value for a key (1 to 4096 bytes) replaces the first. Secrets in the text are masked.
// Returns MPR_OK, MPR_SKIPPED (not recorded), MPR_ERR_QUEUE_FULL (queue_max_bytes is used up, the attribute is left out),
// MPR_ERR_INVALID_ARGUMENT, MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_span_set_string(mpr_span *span,
                               const char *key,
                               const char *value);

// Sets an attribute that is a whole number. Returns as mpr_span_set_string(). Since 0.1.
mpr_status mpr_span_set_int(mpr_span *span, const char *key, int64_t value);

// Sets an attribute that is a number. Returns as mpr_span_set_string(). Since 0.1.
mpr_status mpr_span_set_double(mpr_span *span, const char *key, double value);

// Sets an attribute that is true (1) or false (0). Returns as mpr_span_set_string(). Since 0.1.
mpr_status mpr_span_set_bool(mpr_span *span, const char *key, int32_t value);

// Adds an event that happens now. `attributes_json` is NULL or a JSON object. Returns as mpr_span_set_string().
// Since 0.1.
mpr_status mpr_span_add_event(mpr_span *span,
                              const char *name,
                              const char *attributes_json);

// Says whether the work succeeded. `code` is one of MPR_SPAN_STATUS_*; `message` (may be NULL) is kept with
// MPR_SPAN_STATUS_ERROR. OK is final; an error is not taken back, and a later one with a message replaces it. Returns
// as mpr_span_set_string(). Since 0.1.
mpr_status mpr_span_set_status(mpr_span *span,
                               int32_t code,
                               const char *message);

// Puts an exception on a span and marks the span failed. `type` is required (e.g. "std::out_of_range"), `message` and
// `stacktrace` may be NULL. Secrets are masked, raw addresses (0x7ffd…) left out: write frames as function (file:line)
// or module+offset. Returns as mpr_span_set_string(). Since 0.1.
mpr_status mpr_span_record_exception(mpr_span *span,
                                     const char *type,
                                     const char *message,
                                     const char *stacktrace);

// Captures a payload onto a span: mpr_capture_payload() for spans of this library. Returns as mpr_span_set_string().
// Since 0.1.
mpr_status mpr_span_capture_payload(mpr_span *span,
                                    int32_t kind,
                                    const char *headers,
                                    size_t headers_len,
                                    const uint8_t *body,
                                    size_t body_len);

// mpr_capture_end() for spans of this library: the payload is complete, and its attributes go onto the span as they are.
// (mpr_span_set_string() in a callback would mask them a second time.) Free the capture afterwards. Returns MPR_OK,
// MPR_SKIPPED (`capture` is NULL, or the span is not recorded), MPR_ERR_INVALID_ARGUMENT, MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_span_capture_end(mpr_span *span,
                                mpr_capture *capture);

// Writes the span's ids and flags, to be the parent of other spans or to be sent as traceparent. Works for every span
// until its end. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT, MPR_ERR_POISONED. Since 0.1.
mpr_status mpr_span_get_context(const mpr_span *span,
                                mpr_span_context *context);

// Ends a span, queues it for delivery and frees it. NULL is fine. Never waits for the network. Since 0.1.
void mpr_span_end(mpr_span *span);

// Reads a W3C traceparent header. Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT (NULL, or not a valid one; `*context` is
// then all zero, which begins a new trace: the result need not be looked at). Works with recording off. Since 0.1.
mpr_status mpr_traceparent_parse(const char *traceparent,
                                 mpr_span_context *context);

// Writes a W3C traceparent header of 55 characters and a NUL. Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT. Works with
// recording off. Since 0.1.
//
mpr_status mpr_traceparent_format(const mpr_span_context *context,
                                  char out[56]);

// Records an exception that no span of this library stands for, below `context` (NULL: a trace of its own in the running
// session). Arguments as for mpr_span_record_exception(). Returns MPR_OK, MPR_SKIPPED (recording is off, or the trace is
// not recorded), MPR_ERR_INVALID_ARGUMENT. Since 0.1.
mpr_status mpr_capture_exception(const char *type,
                                 const char *message,
                                 const char *stacktrace,
                                 const mpr_span_context *context);

/* ---- Logs ---- */

// Records a log in the session of `context` (NULL: the running session). `body` is text of `len` bytes; bytes that are
// not UTF-8 become U+FFFD, secrets are masked. `attributes_json` is NULL or a JSON object. Never waits for the network.
// Returns MPR_OK, MPR_SKIPPED (recording is off, or it belongs to no session), MPR_ERR_INVALID_ARGUMENT,
// MPR_ERR_QUEUE_FULL. Since 0.1.
mpr_status mpr_log(int32_t severity_number,
                   const char *body,
                   size_t len,
                   const char *attributes_json,
                   const mpr_span_context *context);

/* ---- OTLP in, for hosts with an OpenTelemetry SDK in any language ---- */

// Takes the protobuf bytes of an ExportTraceServiceRequest. What belongs to a session (by its trace ids) is kept and
// delivered with the library's own spans; the rest is the host's other exporter's. Names, attributes, exception and
// status texts are masked; the attributes that mpr_capture_payload() makes stay as they are.
// Text that is not UTF-8 is kept with U+FFFD for what is wrong. Copies; never waits for the network.
// Returns MPR_OK, MPR_SKIPPED (recording is off, or nothing in it belongs to a session), MPR_ERR_INVALID_ARGUMENT (not
// such a request), MPR_ERR_QUEUE_FULL (part of it was refused and counted). Since 0.1.
mpr_status mpr_export_traces(const uint8_t *otlp_request,
                             size_t len);

// Takes the protobuf bytes of an ExportLogsServiceRequest, as mpr_export_traces() takes traces. Logs belong to a session
// by their trace id; their bodies and attributes are masked. Since 0.1.
mpr_status mpr_export_logs(const uint8_t *otlp_request,
                           size_t len);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MPR_H */
