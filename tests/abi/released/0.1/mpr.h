/* include/mpr.h of libmpr 0.1, kept by tests/abi/policy.py. SPDX-License-Identifier: Apache-2.0 */

#ifndef MPR_H
#define MPR_H
#include <stddef.h>
#include <stdint.h>
#define MPR_OK 0
#define MPR_SKIPPED 1
#define MPR_ERR_INVALID_ARGUMENT -1
#define MPR_ERR_NOT_INITIALIZED -2
#define MPR_ERR_ALREADY_INITIALIZED -3
#define MPR_ERR_INVALID_STATE -4
#define MPR_ERR_UNAUTHORIZED -5
#define MPR_ERR_REJECTED -6
#define MPR_ERR_NETWORK -7
#define MPR_ERR_TIMEOUT -8
#define MPR_ERR_QUEUE_FULL -9
#define MPR_ERR_BUFFER_TOO_SMALL -10
#define MPR_ERR_IO -11
#define MPR_ERR_POISONED -12
#define MPR_ERR_INTERNAL -100
#define MPR_VERSION_MAJOR 0
#define MPR_VERSION_MINOR 1
#define MPR_VERSION_PATCH 0
#define MPR_ABI_VERSION 1
#define MPR_SESSION_MANUAL 0
#define MPR_SESSION_PLAIN 0
#define MPR_SESSION_CONTINUOUS 1
#define MPR_TRACE_NONE 0
#define MPR_TRACE_DOC 1
#define MPR_TRACE_MANUAL 2
#define MPR_TRACE_CONTINUOUS 3
#define MPR_TRACE_SESSION 4
#define MPR_TRACE_SESSION_CACHE 5
#define MPR_DROP 0
#define MPR_RECORD_AND_SAMPLE 2
#define MPR_PAYLOAD_HTTP_REQUEST 1
#define MPR_PAYLOAD_HTTP_RESPONSE 2
#define MPR_PAYLOAD_RPC_REQUEST 3
#define MPR_PAYLOAD_RPC_RESPONSE 4
#define MPR_PAYLOAD_GRPC_REQUEST 5
#define MPR_PAYLOAD_GRPC_RESPONSE 6
#define MPR_PAYLOAD_MESSAGE 7
#define MPR_SPAN_KIND_INTERNAL 1
#define MPR_SPAN_KIND_SERVER 2
#define MPR_SPAN_KIND_CLIENT 3
#define MPR_SPAN_KIND_PRODUCER 4
#define MPR_SPAN_KIND_CONSUMER 5
#define MPR_SPAN_STATUS_UNSET 0
#define MPR_SPAN_STATUS_OK 1
#define MPR_SPAN_STATUS_ERROR 2
#define MPR_SEVERITY_TRACE 1
#define MPR_SEVERITY_DEBUG 5
#define MPR_SEVERITY_INFO 9
#define MPR_SEVERITY_WARN 13
#define MPR_SEVERITY_ERROR 17
#define MPR_SEVERITY_FATAL 21
typedef struct mpr_capture mpr_capture;
typedef struct mpr_options mpr_options;
typedef struct mpr_span mpr_span;
typedef int32_t mpr_status;
typedef void (*mpr_log_fn)(int32_t level, const char *message, void *user_data);
typedef void (*mpr_free_fn)(void *user_data);
typedef mpr_status (*mpr_mask_fn)(const char *content_type,
                                  const uint8_t *in,
                                  size_t len,
                                  uint8_t *out,
                                  size_t capacity,
                                  size_t *needed,
                                  void *user_data);
typedef mpr_status (*mpr_trace_id_fn)(uint8_t *out, void *user_data);
typedef mpr_status (*mpr_short_id_fn)(char *out, void *user_data);
typedef int32_t (*mpr_sampler_fn)(const uint8_t *trace_id, double ratio, void *user_data);
typedef struct mpr_stats {
    size_t struct_size;
    uint64_t accepted;
    uint64_t exported;
    uint64_t queued;
    uint64_t queued_bytes;
    uint64_t dropped_queue_full;
    uint64_t dropped_rejected;
    uint64_t dropped_too_large;
    uint64_t dropped_shutdown;
    uint64_t dropped_internal;
    uint64_t filtered;
    uint64_t requests;
    uint64_t retries;
    uint64_t payloads_captured;
    uint64_t payloads_masked_whole;
    uint64_t payload_fields_masked;
    uint64_t payloads_truncated;
    uint64_t mask_callback_failures;
    uint64_t panics;
    uint64_t fork_generation;
    uint64_t open_spans;
    uint64_t open_bytes;
    uint64_t spooled;
    uint64_t recovered;
    uint64_t dropped_expired;
    uint64_t dropped_consent;
    uint64_t dropped_spool;
    uint64_t spool_bytes;
    uint64_t spool_written;
    uint64_t spool_damaged;
    uint64_t spool_failures;
} mpr_stats;
typedef void (*mpr_done_fn)(mpr_status status, void *user_data);
typedef void (*mpr_attribute_fn)(void *user_data,
                                 const char *key,
                                 size_t key_len,
                                 const char *value,
                                 size_t value_len);
typedef struct mpr_span_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t trace_flags;
    uint8_t reserved[7];
} mpr_span_context;
#ifdef __cplusplus
extern "C" {
#endif 
const char *mpr_version(void);
uint32_t mpr_abi_version(void);
const char *mpr_status_name(mpr_status status);
int32_t mpr_status_is_retryable(mpr_status status);
const char *mpr_last_error(void);
mpr_options *mpr_options_new(void);
void mpr_options_free(mpr_options *options);
mpr_status mpr_options_set_json(mpr_options *options,
                                const char *json);
mpr_status mpr_options_set_api_key(mpr_options *options,
                                   const char *value);
mpr_status mpr_options_get_api_key(const mpr_options *options,
                                   char *out,
                                   size_t capacity,
                                   size_t *needed);
mpr_status mpr_options_set_api_base_url(mpr_options *options, const char *value);
mpr_status mpr_options_get_api_base_url(const mpr_options *options,
                                        char *out,
                                        size_t capacity,
                                        size_t *needed);
mpr_status mpr_options_set_traces_endpoint(mpr_options *options, const char *value);
mpr_status mpr_options_get_traces_endpoint(const mpr_options *options,
                                           char *out,
                                           size_t capacity,
                                           size_t *needed);
mpr_status mpr_options_set_logs_endpoint(mpr_options *options, const char *value);
mpr_status mpr_options_get_logs_endpoint(const mpr_options *options,
                                         char *out,
                                         size_t capacity,
                                         size_t *needed);
mpr_status mpr_options_set_protocol(mpr_options *options,
                                    const char *value);
mpr_status mpr_options_get_protocol(const mpr_options *options,
                                    char *out,
                                    size_t capacity,
                                    size_t *needed);
mpr_status mpr_options_set_compression(mpr_options *options,
                                       const char *value);
mpr_status mpr_options_get_compression(const mpr_options *options,
                                       char *out,
                                       size_t capacity,
                                       size_t *needed);
mpr_status mpr_options_set_headers(mpr_options *options,
                                   const char *value);
mpr_status mpr_options_get_headers(const mpr_options *options,
                                   char *out,
                                   size_t capacity,
                                   size_t *needed);
mpr_status mpr_options_set_timeout_ms(mpr_options *options,
                                      uint32_t value);
mpr_status mpr_options_get_timeout_ms(const mpr_options *options, uint32_t *out);
mpr_status mpr_options_set_ca_file(mpr_options *options,
                                   const char *value);
mpr_status mpr_options_get_ca_file(const mpr_options *options,
                                   char *out,
                                   size_t capacity,
                                   size_t *needed);
mpr_status mpr_options_set_client_cert(mpr_options *options,
                                       const char *value);
mpr_status mpr_options_get_client_cert(const mpr_options *options,
                                       char *out,
                                       size_t capacity,
                                       size_t *needed);
mpr_status mpr_options_set_client_key(mpr_options *options, const char *value);
mpr_status mpr_options_get_client_key(const mpr_options *options,
                                      char *out,
                                      size_t capacity,
                                      size_t *needed);
mpr_status mpr_options_set_proxy(mpr_options *options,
                                 const char *value);
mpr_status mpr_options_get_proxy(const mpr_options *options,
                                 char *out,
                                 size_t capacity,
                                 size_t *needed);
mpr_status mpr_options_set_service_name(mpr_options *options,
                                        const char *value);
mpr_status mpr_options_get_service_name(const mpr_options *options,
                                        char *out,
                                        size_t capacity,
                                        size_t *needed);
mpr_status mpr_options_set_service_version(mpr_options *options, const char *value);
mpr_status mpr_options_get_service_version(const mpr_options *options,
                                           char *out,
                                           size_t capacity,
                                           size_t *needed);
mpr_status mpr_options_set_environment(mpr_options *options, const char *value);
mpr_status mpr_options_get_environment(const mpr_options *options,
                                       char *out,
                                       size_t capacity,
                                       size_t *needed);
mpr_status mpr_options_set_resource_attributes(mpr_options *options,
                                               const char *value);
mpr_status mpr_options_get_resource_attributes(const mpr_options *options,
                                               char *out,
                                               size_t capacity,
                                               size_t *needed);
mpr_status mpr_options_set_sample_ratio(mpr_options *options,
                                        double value);
mpr_status mpr_options_get_sample_ratio(const mpr_options *options, double *out);
mpr_status mpr_options_set_auto_doc_traces_ratio(mpr_options *options, double value);
mpr_status mpr_options_get_auto_doc_traces_ratio(const mpr_options *options,
                                                 double *out);
mpr_status mpr_options_set_max_payload_bytes(mpr_options *options,
                                             uint64_t value);
mpr_status mpr_options_get_max_payload_bytes(const mpr_options *options,
                                             uint64_t *out);
mpr_status mpr_options_set_capture_body(mpr_options *options, int32_t value);
mpr_status mpr_options_get_capture_body(const mpr_options *options, int32_t *out);
mpr_status mpr_options_set_capture_headers(mpr_options *options, int32_t value);
mpr_status mpr_options_get_capture_headers(const mpr_options *options, int32_t *out);
mpr_status mpr_options_set_mask_body(mpr_options *options, int32_t value);
mpr_status mpr_options_get_mask_body(const mpr_options *options, int32_t *out);
mpr_status mpr_options_set_mask_headers(mpr_options *options, int32_t value);
mpr_status mpr_options_get_mask_headers(const mpr_options *options, int32_t *out);
mpr_status mpr_options_set_mask_body_fields(mpr_options *options, const char *value);
mpr_status mpr_options_get_mask_body_fields(const mpr_options *options,
                                            char *out,
                                            size_t capacity,
                                            size_t *needed);
mpr_status mpr_options_set_mask_header_names(mpr_options *options, const char *value);
mpr_status mpr_options_get_mask_header_names(const mpr_options *options,
                                             char *out,
                                             size_t capacity,
                                             size_t *needed);
mpr_status mpr_options_set_mask_allow_fields(mpr_options *options,
                                             const char *value);
mpr_status mpr_options_get_mask_allow_fields(const mpr_options *options,
                                             char *out,
                                             size_t capacity,
                                             size_t *needed);
mpr_status mpr_options_set_mask_paths(mpr_options *options,
                                      const char *value);
mpr_status mpr_options_get_mask_paths(const mpr_options *options,
                                      char *out,
                                      size_t capacity,
                                      size_t *needed);
mpr_status mpr_options_set_mask_allow_paths(mpr_options *options,
                                            const char *value);
mpr_status mpr_options_get_mask_allow_paths(const mpr_options *options,
                                            char *out,
                                            size_t capacity,
                                            size_t *needed);
mpr_status mpr_options_set_mask_patterns(mpr_options *options,
                                         const char *value);
mpr_status mpr_options_get_mask_patterns(const mpr_options *options,
                                         char *out,
                                         size_t capacity,
                                         size_t *needed);
mpr_status mpr_options_set_mask_emails(mpr_options *options, int32_t value);
mpr_status mpr_options_get_mask_emails(const mpr_options *options, int32_t *out);
mpr_status mpr_options_set_headers_to_include(mpr_options *options, const char *value);
mpr_status mpr_options_get_headers_to_include(const mpr_options *options,
                                              char *out,
                                              size_t capacity,
                                              size_t *needed);
mpr_status mpr_options_set_headers_to_exclude(mpr_options *options, const char *value);
mpr_status mpr_options_get_headers_to_exclude(const mpr_options *options,
                                              char *out,
                                              size_t capacity,
                                              size_t *needed);
mpr_status mpr_options_set_decompress(mpr_options *options, int32_t value);
mpr_status mpr_options_get_decompress(const mpr_options *options, int32_t *out);
mpr_status mpr_options_set_log_level(mpr_options *options,
                                     const char *value);
mpr_status mpr_options_get_log_level(const mpr_options *options,
                                     char *out,
                                     size_t capacity,
                                     size_t *needed);
mpr_status mpr_options_set_capture_max_bytes(mpr_options *options,
                                             uint64_t value);
mpr_status mpr_options_get_capture_max_bytes(const mpr_options *options,
                                             uint64_t *out);
mpr_status mpr_options_set_queue_max_bytes(mpr_options *options,
                                           uint64_t value);
mpr_status mpr_options_get_queue_max_bytes(const mpr_options *options, uint64_t *out);
mpr_status mpr_options_set_batch_max_bytes(mpr_options *options, uint64_t value);
mpr_status mpr_options_get_batch_max_bytes(const mpr_options *options, uint64_t *out);
mpr_status mpr_options_set_batch_max_items(mpr_options *options, uint32_t value);
mpr_status mpr_options_get_batch_max_items(const mpr_options *options, uint32_t *out);
mpr_status mpr_options_set_flush_interval_ms(mpr_options *options, uint32_t value);
mpr_status mpr_options_get_flush_interval_ms(const mpr_options *options,
                                             uint32_t *out);
mpr_status mpr_options_set_spool_dir(mpr_options *options,
                                     const char *value);
mpr_status mpr_options_get_spool_dir(const mpr_options *options,
                                     char *out,
                                     size_t capacity,
                                     size_t *needed);
mpr_status mpr_options_set_spool_max_bytes(mpr_options *options,
                                           uint64_t value);
mpr_status mpr_options_get_spool_max_bytes(const mpr_options *options, uint64_t *out);
mpr_status mpr_options_set_exit_timeout_ms(mpr_options *options,
                                           uint32_t value);
mpr_status mpr_options_get_exit_timeout_ms(const mpr_options *options, uint32_t *out);
mpr_status mpr_options_set_session_max_seconds(mpr_options *options,
                                               uint32_t value);
mpr_status mpr_options_get_session_max_seconds(const mpr_options *options,
                                               uint32_t *out);
mpr_status mpr_options_set_session_rollover(mpr_options *options,
                                            int32_t value);
mpr_status mpr_options_get_session_rollover(const mpr_options *options,
                                            int32_t *out);
mpr_status mpr_options_set_log_callback(mpr_options *options,
                                        mpr_log_fn fn,
                                        void *user_data,
                                        mpr_free_fn free_user_data);
mpr_status mpr_options_set_mask_callback(mpr_options *options,
                                         mpr_mask_fn fn,
                                         void *user_data,
                                         mpr_free_fn free_user_data);
mpr_status mpr_options_set_trace_id_hook(mpr_options *options,
                                         mpr_trace_id_fn fn,
                                         void *user_data,
                                         mpr_free_fn free_user_data);
mpr_status mpr_options_set_short_id_hook(mpr_options *options,
                                         mpr_short_id_fn fn,
                                         void *user_data,
                                         mpr_free_fn free_user_data);
mpr_status mpr_options_set_sampler_hook(mpr_options *options,
                                        mpr_sampler_fn fn,
                                        void *user_data,
                                        mpr_free_fn free_user_data);
mpr_status mpr_init(mpr_options *options);
mpr_status mpr_flush(uint32_t timeout_ms);
mpr_status mpr_shutdown(uint32_t timeout_ms);
mpr_status mpr_set_consent(int32_t given);
mpr_status mpr_get_stats(mpr_stats *stats);
mpr_status mpr_start(int32_t session_type,
                     const char *session_json);
mpr_status mpr_stop(const char *session_json);
mpr_status mpr_save(const char *session_json);
mpr_status mpr_cancel(void);
mpr_status mpr_check_remote(const char *session_json);
mpr_status mpr_session_info(char *json,
                            size_t capacity,
                            size_t *needed);
mpr_status mpr_start_async(int32_t session_type,
                           const char *session_json,
                           mpr_done_fn done,
                           void *user_data);
mpr_status mpr_stop_async(const char *session_json, mpr_done_fn done, void *user_data);
mpr_status mpr_save_async(const char *session_json, mpr_done_fn done, void *user_data);
mpr_status mpr_cancel_async(mpr_done_fn done, void *user_data);
mpr_status mpr_check_remote_async(const char *session_json, mpr_done_fn done, void *user_data);
mpr_status mpr_generate_trace_id(uint8_t out[16]);
mpr_status mpr_generate_span_id(uint8_t out[8]);
int32_t mpr_trace_kind(const uint8_t trace_id[16]);
int32_t mpr_should_sample(const uint8_t trace_id[16],
                          double ratio);
mpr_status mpr_capture_payload(int32_t kind,
                               const uint8_t trace_id[16],
                               const char *headers,
                               size_t headers_len,
                               const uint8_t *body,
                               size_t body_len,
                               mpr_attribute_fn fn,
                               void *user_data);
mpr_capture *mpr_capture_begin(int32_t kind,
                                      const uint8_t trace_id[16]);
mpr_status mpr_capture_header(mpr_capture *capture,
                              const char *name,
                              size_t name_len,
                              const char *value,
                              size_t value_len);
mpr_status mpr_capture_body(mpr_capture *capture, const uint8_t *chunk, size_t len);
mpr_status mpr_capture_end(mpr_capture *capture,
                           mpr_attribute_fn fn,
                           void *user_data);
void mpr_capture_free(mpr_capture *capture);
mpr_status mpr_mask(const char *content_type,
                    const uint8_t *in,
                    size_t len,
                    uint8_t *out,
                    size_t capacity,
                    size_t *needed);
mpr_status mpr_explain_mask(const char *content_type,
                            const uint8_t *in,
                            size_t len,
                            uint8_t *out,
                            size_t capacity,
                            size_t *needed);
mpr_span *mpr_span_begin(const char *name,
                                int32_t kind,
                                const mpr_span_context *parent);
mpr_status mpr_span_set_string(mpr_span *span,
                               const char *key,
                               const char *value);
mpr_status mpr_span_set_int(mpr_span *span, const char *key, int64_t value);
mpr_status mpr_span_set_double(mpr_span *span, const char *key, double value);
mpr_status mpr_span_set_bool(mpr_span *span, const char *key, int32_t value);
mpr_status mpr_span_add_event(mpr_span *span,
                              const char *name,
                              const char *attributes_json);
mpr_status mpr_span_set_status(mpr_span *span,
                               int32_t code,
                               const char *message);
mpr_status mpr_span_record_exception(mpr_span *span,
                                     const char *type,
                                     const char *message,
                                     const char *stacktrace);
mpr_status mpr_span_capture_payload(mpr_span *span,
                                    int32_t kind,
                                    const char *headers,
                                    size_t headers_len,
                                    const uint8_t *body,
                                    size_t body_len);
mpr_status mpr_span_capture_end(mpr_span *span,
                                mpr_capture *capture);
mpr_status mpr_span_get_context(const mpr_span *span,
                                mpr_span_context *context);
void mpr_span_end(mpr_span *span);
mpr_status mpr_traceparent_parse(const char *traceparent,
                                 mpr_span_context *context);
mpr_status mpr_traceparent_format(const mpr_span_context *context,
                                  char out[56]);
mpr_status mpr_capture_exception(const char *type,
                                 const char *message,
                                 const char *stacktrace,
                                 const mpr_span_context *context);
mpr_status mpr_log(int32_t severity_number,
                   const char *body,
                   size_t len,
                   const char *attributes_json,
                   const mpr_span_context *context);
mpr_status mpr_export_traces(const uint8_t *otlp_request,
                             size_t len);
mpr_status mpr_export_logs(const uint8_t *otlp_request,
                           size_t len);
#ifdef __cplusplus
}  
#endif  
#endif  
