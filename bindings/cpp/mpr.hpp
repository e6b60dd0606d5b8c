/* mpr.hpp: libmpr for C++, over the functions of mpr.h and nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     #include <mpr.hpp>
 *     int main() {
 *         mpr::Recorder recorder(mpr::Options().service_name("shop"));        // shuts down when it goes
 *         if (recorder.status().failed() || mpr::start(MPR_SESSION_MANUAL, "{\"name\": \"first\"}").failed())
 *             return std::fprintf(stderr, "%s\n", mpr_last_error()), 1;
 *         mpr::Span span("POST /login", MPR_SPAN_KIND_SERVER);
 *         span.capture(MPR_PAYLOAD_HTTP_REQUEST, mpr::Headers().add("Content-Type", "application/json"), body);
 *         span.set("http.response.status_code", 200);
 *         span.end();
 *         return mpr::stop().failed();
 *     }
 *
 * Needs C++11 and no exceptions or RTTI of its own (both are used where the compiler has them: for callbacks that throw,
 * and for the type's name in Span::record_exception()). It has no static state and nothing to link but libmpr: two
 * libraries of a program may include it, in different versions and with different flags. Each function does what its namesake in mpr.h does and
 * returns what that returns; the comments here tell only what is different. No function throws anything but
 * std::bad_alloc, where it copies text. All of them are thread-safe as in mpr.h; one object is for one thread at a time.
 *
 * Text goes in as const char *, std::string or (C++17) std::string_view, up to its first NUL where mpr.h asks for a
 * NUL-terminated text. What spans, exceptions and events get (a what(), a path) may be no UTF-8: U+FFFD stands for what is wrong. Session, attribute and option JSON is text, too: use the JSON library that you have.
 */
#ifndef MPR_HPP
#define MPR_HPP

#include <mpr.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#if defined(__GNUC__) && defined(__GXX_RTTI)
#include <cxxabi.h>
#include <cstdlib>
#endif
#if defined(__GXX_RTTI) || defined(_CPPRTTI)
#include <typeinfo>
#define MPR_HPP_RTTI 1
#endif
#if defined(__cplusplus) && __cplusplus >= 201703L
#include <string_view>
#endif

#if defined(__cplusplus) && __cplusplus >= 201703L
#define MPR_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define MPR_NODISCARD __attribute__((warn_unused_result))
#else
#define MPR_NODISCARD
#endif

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define MPR_HPP_TRY try
#define MPR_HPP_CATCH(what) \
    catch (...) { what; }
#else
#define MPR_HPP_TRY
#define MPR_HPP_CATCH(what)
#endif

/* Libraries of a program may be compiled with other versions of this file, or with other flags; the linker must not take the
 * functions of the one for those of the other. */
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#if defined(MPR_HPP_RTTI)
#define MPR_HPP_VARIANT v0_1
#else
#define MPR_HPP_VARIANT v0_1_without_rtti
#endif
#elif defined(MPR_HPP_RTTI)
#define MPR_HPP_VARIANT v0_1_without_exceptions
#else
#define MPR_HPP_VARIANT v0_1_without_exceptions_and_rtti
#endif

namespace mpr {
inline namespace MPR_HPP_VARIANT {

/// Text that goes in. Made from what a caller has; nobody needs to name it.
class Text {
  public:
    Text() noexcept : text_(nullptr) {}
    Text(std::nullptr_t) noexcept : text_(nullptr) {}
    Text(const char *text) noexcept : text_(text) {}
    Text(const std::string &text) noexcept : text_(text.c_str()) {}
#if defined(__cplusplus) && __cplusplus >= 201703L
    Text(std::string_view text) : own_(text), text_(own_.c_str()) {}
#endif
    Text(const Text &) = delete;
    Text &operator=(const Text &) = delete;
    /// NUL-terminated; NULL for none.
    const char *c_str() const noexcept { return text_; }

  private:
    std::string own_;
    const char *text_;
};

/// Content that goes in: any bytes. Does not own them.
class Bytes {
  public:
    Bytes() noexcept : data_(nullptr), size_(0) {}
    Bytes(std::nullptr_t) noexcept : data_(nullptr), size_(0) {}
    Bytes(const void *data, std::size_t size) noexcept : data_(static_cast<const uint8_t *>(data)), size_(size) {}
    Bytes(const std::string &text) noexcept : Bytes(text.data(), text.size()) {}
    /// NUL-terminated text.
    Bytes(const char *text) noexcept : Bytes(text, text ? std::strlen(text) : 0) {}
#if defined(__cplusplus) && __cplusplus >= 201703L
    Bytes(std::string_view text) noexcept : Bytes(text.data(), text.size()) {}
#endif
    const uint8_t *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

  private:
    const uint8_t *data_;
    std::size_t size_;
};

namespace detail {
/// Bytes of the UTF-8 character at `p`; 0 where there is none.
inline std::size_t utf8_size(const char *p) noexcept {
    const auto at = [p](int i) { return static_cast<unsigned char>(p[i]); };
    const auto in = [&](int i, unsigned low, unsigned high) { return at(i) >= low && at(i) <= high; };
    const unsigned first = at(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return in(1, 0x80, 0xBF) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF)
        return in(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF) && in(2, 0x80, 0xBF) ? 3 : 0;
    if (first >= 0xF0 && first <= 0xF4)
        return in(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF) ? 4 : 0;
    return 0;
}
/// Whether something had to be replaced; then `out` is the text without it.
inline bool mend(const char *text, std::string &out) {
    const char *p = text;
    while (p && *p && utf8_size(p)) p += utf8_size(p);
    if (!p || !*p) return false;
    out.assign(text, p);
    while (*p) {
        const std::size_t size = utf8_size(p);
        if (size) out.append(p, size);
        else out.append("\xEF\xBF\xBD");
        p += size ? size : 1;
    }
    return true;
}
/// Calls once more with what is no UTF-8 replaced, when that may be what is wrong.
template <typename Call>
mpr_status with_utf8(Call call, const char *a, const char *b = nullptr, const char *c = nullptr) {
    const mpr_status status = call(a, b, c);
    if (status != MPR_ERR_INVALID_ARGUMENT) return status;
    std::string own[3];
    const bool mended[3] = {mend(a, own[0]), mend(b, own[1]), mend(c, own[2])};
    if (!mended[0] && !mended[1] && !mended[2]) return status;
    return call(mended[0] ? own[0].c_str() : a, mended[1] ? own[1].c_str() : b, mended[2] ? own[2].c_str() : c);
}
}  // namespace detail

/// What a call returned, with the message of an error.
class Status {
  public:
    /// Of a call that was just made on this thread.
    explicit Status(mpr_status code) : code_(code) {
        if (code < 0) message_ = mpr_last_error();
    }
    Status(mpr_status code, std::string message) : code_(code), message_(std::move(message)) {}
    /// One of MPR_OK, MPR_SKIPPED, MPR_ERR_*.
    mpr_status code() const noexcept { return code_; }
    /// It did what it says.
    bool ok() const noexcept { return code_ == MPR_OK; }
    /// Nothing to do: recording is off, or the trace is not recorded. No error.
    bool skipped() const noexcept { return code_ > 0; }
    bool failed() const noexcept { return code_ < 0; }
    /// The same call may succeed when it is made again later.
    bool retryable() const noexcept { return mpr_status_is_retryable(code_) != 0; }
    /// "MPR_ERR_TIMEOUT"
    const char *name() const noexcept { return mpr_status_name(code_); }
    /// What was wrong and what would be right, in one line; "" without an error.
    const std::string &message() const noexcept { return message_; }

  private:
    mpr_status code_;
    std::string message_;
};

/// Options for mpr::init(), set in a chain. The first one that is not usable is told by error(), and by mpr::init().
class Options {
  public:
    /// Gets the library's own diagnostics: level (1 error, 2 warn, 3 info, 4 debug) and message. On any thread.
    using LogCallback = std::function<void(int32_t level, const char *message)>;
    /// Masks a body: content type (may be NULL), the body, and where the masked text goes (UTF-8). False, or an
    /// exception: the body is masked whole. On the thread that captures; several at once.
    using MaskCallback = std::function<bool(const char *content_type, Bytes body, std::string &masked)>;
    /// Writes the 16 bytes of a root span's trace id. False: the library makes it.
    using TraceIdHook = std::function<bool(uint8_t *trace_id)>;
    /// Gives the short id of a session whose server gives none: 8 lower-case hex digits.
    using ShortIdHook = std::function<std::string()>;
    /// Is a root span outside a session recorded? Gets the 16 bytes of the trace id and sample_ratio.
    using SamplerHook = std::function<bool(const uint8_t *trace_id, double ratio)>;

    Options() : options_(mpr_options_new()) {
        if (!options_) error_ = Status(MPR_ERR_IO, "mpr::Options: no memory for handles is left");
    }
    Options(Options &&other) noexcept : options_(other.release()), error_(std::move(other.error_)) {}
    Options &operator=(Options &&other) noexcept {
        if (this != &other) {
            mpr_options_free(options_);
            options_ = other.release();
            error_ = std::move(other.error_);
        }
        return *this;
    }
    Options(const Options &) = delete;
    Options &operator=(const Options &) = delete;
    ~Options() { mpr_options_free(options_); }

    /// All options that a JSON object names.
    Options &json(const Text &object) { return note(mpr_options_set_json(options_, object.c_str())); }

#define MPR_HPP_TEXT(name) \
    Options &name(const Text &value) { return note(mpr_options_set_##name(options_, value.c_str())); }
#define MPR_HPP_NUMBER(name, type) \
    Options &name(type value) { return note(mpr_options_set_##name(options_, value)); }
#define MPR_HPP_BOOL(name) \
    Options &name(bool value) { return note(mpr_options_set_##name(options_, value ? 1 : 0)); }
    // Each as mpr_options_set_<name>().
    MPR_HPP_TEXT(api_key)
    MPR_HPP_TEXT(api_base_url)
    MPR_HPP_TEXT(traces_endpoint)
    MPR_HPP_TEXT(logs_endpoint)
    MPR_HPP_TEXT(protocol)
    MPR_HPP_TEXT(compression)
    MPR_HPP_TEXT(headers)
    MPR_HPP_NUMBER(timeout_ms, uint32_t)
    MPR_HPP_TEXT(ca_file)
    MPR_HPP_TEXT(client_cert)
    MPR_HPP_TEXT(client_key)
    MPR_HPP_TEXT(proxy)
    MPR_HPP_TEXT(service_name)
    MPR_HPP_TEXT(service_version)
    MPR_HPP_TEXT(environment)
    MPR_HPP_TEXT(resource_attributes)
    MPR_HPP_NUMBER(sample_ratio, double)
    MPR_HPP_NUMBER(auto_doc_traces_ratio, double)
    MPR_HPP_NUMBER(max_payload_bytes, uint64_t)
    MPR_HPP_BOOL(capture_body)
    MPR_HPP_BOOL(capture_headers)
    MPR_HPP_BOOL(mask_body)
    MPR_HPP_BOOL(mask_headers)
    MPR_HPP_TEXT(mask_body_fields)
    MPR_HPP_TEXT(mask_header_names)
    MPR_HPP_TEXT(mask_allow_fields)
    MPR_HPP_TEXT(mask_paths)
    MPR_HPP_TEXT(mask_allow_paths)
    MPR_HPP_TEXT(mask_patterns)
    MPR_HPP_BOOL(mask_emails)
    MPR_HPP_TEXT(headers_to_include)
    MPR_HPP_TEXT(headers_to_exclude)
    MPR_HPP_BOOL(decompress)
    MPR_HPP_TEXT(log_level)
    MPR_HPP_NUMBER(capture_max_bytes, uint64_t)
    MPR_HPP_NUMBER(queue_max_bytes, uint64_t)
    MPR_HPP_NUMBER(batch_max_bytes, uint64_t)
    MPR_HPP_NUMBER(batch_max_items, uint32_t)
    MPR_HPP_NUMBER(flush_interval_ms, uint32_t)
    MPR_HPP_TEXT(spool_dir)
    MPR_HPP_NUMBER(spool_max_bytes, uint64_t)
    MPR_HPP_NUMBER(exit_timeout_ms, uint32_t)
    MPR_HPP_NUMBER(session_max_seconds, uint32_t)
    MPR_HPP_BOOL(session_rollover)
#undef MPR_HPP_TEXT
#undef MPR_HPP_NUMBER
#undef MPR_HPP_BOOL

    Options &log_callback(LogCallback callback) {
        return hook(std::move(callback), mpr_options_set_log_callback, &call_log);
    }
    Options &mask_callback(MaskCallback callback) {
        return hook(std::move(callback), mpr_options_set_mask_callback, &call_mask);
    }
    Options &trace_id_hook(TraceIdHook callback) {
        return hook(std::move(callback), mpr_options_set_trace_id_hook, &call_trace_id);
    }
    Options &short_id_hook(ShortIdHook callback) {
        return hook(std::move(callback), mpr_options_set_short_id_hook, &call_short_id);
    }
    Options &sampler_hook(SamplerHook callback) {
        return hook(std::move(callback), mpr_options_set_sampler_hook, &call_sampler);
    }

    /// The first setter that failed, or MPR_OK.
    const Status &error() const noexcept { return error_; }
    /// For functions of mpr.h that are not here.
    mpr_options *get() const noexcept { return options_; }
    /// Gives the handle away: free it with mpr_options_free(), or hand it to mpr_init().
    mpr_options *release() noexcept {
        mpr_options *options = options_;
        options_ = nullptr;
        return options;
    }

  private:
    Options &note(mpr_status code) {
        if (code < 0 && !error_.failed()) error_ = Status(code);
        return *this;
    }
    template <typename Function>
    static void drop(void *function) {
        delete static_cast<Function *>(function);
    }
    // An empty function removes the callback. The library frees what it gets, also when it refuses it.
    template <typename Function, typename Setter, typename Call>
    Options &hook(Function function, Setter set, Call call) {
        if (!function) return note(set(options_, nullptr, nullptr, nullptr));
        return note(set(options_, call, new Function(std::move(function)), &drop<Function>));
    }
    static void call_log(int32_t level, const char *message, void *function) {
        MPR_HPP_TRY { (*static_cast<LogCallback *>(function))(level, message); }
        MPR_HPP_CATCH((void)0)
    }
    // The library asks again with more room: the text is made twice then, which is rare, and keeps nothing between.
    static mpr_status call_mask(const char *content_type, const uint8_t *in, size_t len, uint8_t *out, size_t capacity,
                                size_t *needed, void *function) {
        MPR_HPP_TRY {
            std::string masked;
            if (!(*static_cast<MaskCallback *>(function))(content_type, Bytes(in, len), masked)) return MPR_ERR_INTERNAL;
            *needed = masked.size();
            if (masked.size() > capacity) return MPR_OK;
            if (!masked.empty()) std::memcpy(out, masked.data(), masked.size());
            return MPR_OK;
        }
        MPR_HPP_CATCH(return MPR_ERR_INTERNAL)
    }
    static mpr_status call_trace_id(uint8_t *out, void *function) {
        MPR_HPP_TRY { return (*static_cast<TraceIdHook *>(function))(out) ? MPR_OK : MPR_SKIPPED; }
        MPR_HPP_CATCH(return MPR_ERR_INTERNAL)
    }
    static mpr_status call_short_id(char *out, void *function) {
        MPR_HPP_TRY {
            const std::string id = (*static_cast<ShortIdHook *>(function))();
            if (id.size() != 8) return MPR_ERR_INVALID_ARGUMENT;
            std::memcpy(out, id.c_str(), 9);
            return MPR_OK;
        }
        MPR_HPP_CATCH(return MPR_ERR_INTERNAL)
    }
    static int32_t call_sampler(const uint8_t *trace_id, double ratio, void *function) {
        MPR_HPP_TRY { return (*static_cast<SamplerHook *>(function))(trace_id, ratio) ? MPR_RECORD_AND_SAMPLE : MPR_DROP; }
        MPR_HPP_CATCH(return MPR_DROP)
    }

    mpr_options *options_;
    Status error_{MPR_OK, std::string()};
};

/* ---- Recording on and off ---- */

/// With these options, which are empty afterwards. One that is not usable is an error, and recording stays off.
MPR_NODISCARD inline Status init(Options &options) {
    if (options.error().failed()) return options.error();
    mpr_options *given = options.release();
    if (!given) return Status(MPR_ERR_INVALID_ARGUMENT, "mpr::Options: used by an earlier mpr::init(), or moved from; make new ones");
    return Status(mpr_init(given));
}
MPR_NODISCARD inline Status init(Options &&options) { return init(options); }
/// With the environment's options.
MPR_NODISCARD inline Status init() { return Status(mpr_init(nullptr)); }
MPR_NODISCARD inline Status flush(uint32_t timeout_ms) { return Status(mpr_flush(timeout_ms)); }
inline Status shutdown(uint32_t timeout_ms) { return Status(mpr_shutdown(timeout_ms)); }
MPR_NODISCARD inline Status set_consent(bool given) { return Status(mpr_set_consent(given ? 1 : 0)); }
inline mpr_stats stats() noexcept {
    mpr_stats stats;
    std::memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    mpr_get_stats(&stats);
    return stats;
}

/// Recording for as long as this object lives: mpr_init() at its beginning, mpr_shutdown() at its end.
class Recorder {
  public:
    /// The shutdown may take `shutdown_timeout_ms`.
    explicit Recorder(Options &options, uint32_t shutdown_timeout_ms = 2000)
        : timeout_(shutdown_timeout_ms), status_(init(options)) {}
    explicit Recorder(Options &&options, uint32_t shutdown_timeout_ms = 2000) : Recorder(options, shutdown_timeout_ms) {}
    Recorder() : Recorder(Options()) {}
    Recorder(const Recorder &) = delete;
    Recorder &operator=(const Recorder &) = delete;
    ~Recorder() {
        if (status_.ok()) mpr_shutdown(timeout_);
    }
    /// What mpr_init() returned. With an error nothing is recorded, and every other call is harmless.
    const Status &status() const noexcept { return status_; }

  private:
    uint32_t timeout_;
    Status status_;
};

/* ---- Sessions ---- */

MPR_NODISCARD inline Status start(int32_t session_type = MPR_SESSION_MANUAL, const Text &session_json = nullptr) {
    return Status(mpr_start(session_type, session_json.c_str()));
}
MPR_NODISCARD inline Status stop(const Text &session_json = nullptr) { return Status(mpr_stop(session_json.c_str())); }
MPR_NODISCARD inline Status save(const Text &session_json = nullptr) { return Status(mpr_save(session_json.c_str())); }
MPR_NODISCARD inline Status cancel() { return Status(mpr_cancel()); }
MPR_NODISCARD inline Status check_remote(const Text &session_json = nullptr) {
    return Status(mpr_check_remote(session_json.c_str()));
}

namespace detail {
// The result of a function that writes to a buffer and tells the size: its status, and the text.
template <typename Call>
mpr_status fill(std::string &to, std::size_t guess, bool nul, Call call) {
    for (;;) {
        to.resize(guess);
        std::size_t needed = 0;
        const mpr_status status = call(guess ? &to[0] : nullptr, guess, &needed);
        if (status == MPR_ERR_BUFFER_TOO_SMALL && needed > guess) {
            guess = needed;
            continue;
        }
        to.resize(status == MPR_OK ? needed - (nul && needed ? 1 : 0) : 0);
        return status;
    }
}
using Done = std::function<void(const Status &)>;
inline void call_done(mpr_status status, void *function) {
    std::unique_ptr<Done> done(static_cast<Done *>(function));
    MPR_HPP_TRY { (*done)(Status(status)); }
    MPR_HPP_CATCH((void)0)
}
template <typename Call>
Status later(Done done, Call call) {
    if (!done) return Status(call(nullptr, nullptr));
    std::unique_ptr<Done> held(new Done(std::move(done)));
    const mpr_status status = call(&call_done, held.get());
    if (status == MPR_OK) held.release();
    return Status(status);
}
}  // namespace detail

/// The session's state as a JSON object; "" before mpr::init().
MPR_NODISCARD inline std::string session_info() {
    std::string json;
    detail::fill(json, 1024, true, mpr_session_info);
    return json;
}

/// Gets the result of an _async call, on the library's worker thread: it must not block.
using Done = detail::Done;
MPR_NODISCARD inline Status start_async(int32_t session_type, const Text &session_json = nullptr, Done done = nullptr) {
    return detail::later(std::move(done), [&](mpr_done_fn fn, void *data) {
        return mpr_start_async(session_type, session_json.c_str(), fn, data);
    });
}
MPR_NODISCARD inline Status stop_async(const Text &session_json = nullptr, Done done = nullptr) {
    return detail::later(std::move(done), [&](mpr_done_fn fn, void *data) {
        return mpr_stop_async(session_json.c_str(), fn, data);
    });
}
MPR_NODISCARD inline Status save_async(const Text &session_json = nullptr, Done done = nullptr) {
    return detail::later(std::move(done), [&](mpr_done_fn fn, void *data) {
        return mpr_save_async(session_json.c_str(), fn, data);
    });
}
MPR_NODISCARD inline Status cancel_async(Done done = nullptr) {
    return detail::later(std::move(done), [](mpr_done_fn fn, void *data) { return mpr_cancel_async(fn, data); });
}
MPR_NODISCARD inline Status check_remote_async(const Text &session_json = nullptr, Done done = nullptr) {
    return detail::later(std::move(done), [&](mpr_done_fn fn, void *data) {
        return mpr_check_remote_async(session_json.c_str(), fn, data);
    });
}

/* ---- Context ---- */

/// The ids and flags of a span, of this process or another.
class Context {
  public:
    /// No trace: a span below it begins one.
    Context() noexcept { std::memset(&context_, 0, sizeof context_); }
    Context(const mpr_span_context &context) noexcept : context_(context) {}
    /// From a W3C traceparent header. What is no valid one is no trace, as in a request without the header.
    static Context from_traceparent(const Text &traceparent) noexcept {
        Context context;
        mpr_traceparent_parse(traceparent.c_str(), &context.context_);
        return context;
    }
    /// As a W3C traceparent header; "" where there is no trace.
    std::string traceparent() const {
        char text[56] = "";
        return mpr_traceparent_format(&context_, text) == MPR_OK ? text : "";
    }
    bool valid() const noexcept {
        static const mpr_span_context none = {};
        return std::memcmp(context_.trace_id, none.trace_id, sizeof none.trace_id) != 0 &&
               std::memcmp(context_.span_id, none.span_id, sizeof none.span_id) != 0;
    }
    bool sampled() const noexcept { return (context_.trace_flags & 1) != 0; }
    /// 16 bytes.
    const uint8_t *trace_id() const noexcept { return context_.trace_id; }
    /// 8 bytes.
    const uint8_t *span_id() const noexcept { return context_.span_id; }
    /// 32 lower-case hex digits, for a log line.
    std::string trace_id_hex() const { return hex(context_.trace_id, sizeof context_.trace_id); }
    /// 16 lower-case hex digits.
    std::string span_id_hex() const { return hex(context_.span_id, sizeof context_.span_id); }
    const mpr_span_context *get() const noexcept { return &context_; }

  private:
    static std::string hex(const uint8_t *bytes, std::size_t count) {
        std::string text;
        for (std::size_t i = 0; i < count; i++) {
            text += "0123456789abcdef"[bytes[i] >> 4];
            text += "0123456789abcdef"[bytes[i] & 15];
        }
        return text;
    }
    mpr_span_context context_;
};

/* ---- Payloads ---- */

/// Headers of a payload, one by one.
class Headers {
  public:
    Headers() {}
    /// "Name: value\r\n…" as it came over the wire, without a request or status line.
    explicit Headers(std::string block) : block_(std::move(block)) {}
    Headers &add(const std::string &name, const std::string &value) {
        append(name);
        block_ += ": ";
        append(value);
        block_ += "\r\n";
        return *this;
    }
    const std::string &str() const noexcept { return block_; }

  private:
    // A line break would begin another header.
    void append(const std::string &text) {
        for (const char c : text) block_ += c == '\r' || c == '\n' ? ' ' : c;
    }
    std::string block_;
};

/// Gets each finished attribute of a payload: set it on the span.
using Attribute = std::function<void(const std::string &key, const std::string &value)>;

namespace detail {
inline void call_attribute(void *function, const char *key, size_t key_len, const char *value, size_t value_len) {
    MPR_HPP_TRY {
        (*static_cast<const Attribute *>(function))(std::string(key, key_len), std::string(value, value_len));
    }
    MPR_HPP_CATCH((void)0)
}
inline Status no_function() { return Status(MPR_ERR_INVALID_ARGUMENT, "fn: empty; give a function that sets the attribute"); }
inline void *data_of(const Attribute &fn) { return const_cast<void *>(static_cast<const void *>(&fn)); }
}  // namespace detail

/// mpr_capture_payload(): masked attributes for a span of another library. `kind` is one of MPR_PAYLOAD_*, `trace_id`
/// has 16 bytes.
inline Status capture_payload(int32_t kind, const uint8_t *trace_id, const Headers &headers, Bytes body,
                              const Attribute &fn) {
    if (!fn) return detail::no_function();
    return Status(mpr_capture_payload(kind, trace_id, headers.str().data(), headers.str().size(), body.data(), body.size(),
                                      &detail::call_attribute, detail::data_of(fn)));
}

/// A payload that arrives in pieces. For a trace that is not recorded it is empty, and each call costs a comparison.
class Capture {
  public:
    Capture() noexcept : capture_(nullptr) {}
    /// `trace_id` has 16 bytes.
    Capture(int32_t kind, const uint8_t *trace_id) noexcept : capture_(mpr_capture_begin(kind, trace_id)) {}
    Capture(int32_t kind, const Context &context) noexcept : Capture(kind, context.trace_id()) {}
    Capture(Capture &&other) noexcept : capture_(other.release()) {}
    Capture &operator=(Capture &&other) noexcept {
        if (this != &other) {
            mpr_capture_free(capture_);
            capture_ = other.release();
        }
        return *this;
    }
    Capture(const Capture &) = delete;
    Capture &operator=(const Capture &) = delete;
    ~Capture() { mpr_capture_free(capture_); }
    /// Is this payload captured?
    explicit operator bool() const noexcept { return capture_ != nullptr; }
    Status header(Bytes name, Bytes value) {
        return Status(mpr_capture_header(capture_, chars(name), name.size(), chars(value), value.size()));
    }
    Status body(Bytes piece) { return Status(mpr_capture_body(capture_, piece.data(), piece.size())); }
    /// Complete: hands each attribute to `fn`. (For a span of this library: Span::capture().)
    Status end(const Attribute &fn) {
        if (!fn) return detail::no_function();
        return Status(mpr_capture_end(capture_, &detail::call_attribute, detail::data_of(fn)));
    }
    mpr_capture *get() const noexcept { return capture_; }
    mpr_capture *release() noexcept {
        mpr_capture *capture = capture_;
        capture_ = nullptr;
        return capture;
    }

  private:
    static const char *chars(Bytes bytes) noexcept { return reinterpret_cast<const char *>(bytes.data()); }
    mpr_capture *capture_;
};

/// A body masked by the rules in force. `content_type` may be NULL.
MPR_NODISCARD inline std::string mask(const Text &content_type, Bytes body) {
    std::string masked;
    detail::fill(masked, body.size() + 64, false, [&](char *out, std::size_t capacity, std::size_t *needed) {
        return mpr_mask(content_type.c_str(), body.data(), body.size(), reinterpret_cast<uint8_t *>(out), capacity, needed);
    });
    return masked;
}
/// What mask() masks and by which rule, as JSON.
MPR_NODISCARD inline std::string explain_mask(const Text &content_type, Bytes body) {
    std::string told;
    detail::fill(told, 4096, false, [&](char *out, std::size_t capacity, std::size_t *needed) {
        return mpr_explain_mask(content_type.c_str(), body.data(), body.size(), reinterpret_cast<uint8_t *>(out), capacity,
                                needed);
    });
    return told;
}

/* ---- Spans and exceptions ---- */

/// What an exception is called: its type's name where the compiler tells it.
inline std::string type_name(const std::exception &exception) {
#if defined(MPR_HPP_RTTI)
    const char *name = typeid(exception).name();
#if defined(__GNUC__)
    int failed = 0;
    std::unique_ptr<char, void (*)(void *)> plain(abi::__cxa_demangle(name, nullptr, nullptr, &failed), &std::free);
    if (plain) return plain.get();
#endif
    return name;
#else
    (void)exception;
    return "std::exception";
#endif
}

/// A span, which ends when this object goes.
class Span {
  public:
    /// No span: every call is skipped.
    Span() noexcept : span_(nullptr) {}
    /// A span of a trace of its own. `kind` is one of MPR_SPAN_KIND_*.
    explicit Span(const Text &name, int32_t kind = MPR_SPAN_KIND_INTERNAL) noexcept
        : span_(begin(name.c_str(), kind, nullptr)) {}
    /// Below another one, of this process or of a caller: Context::from_traceparent(header).
    Span(const Text &name, int32_t kind, const Context &parent) noexcept
        : span_(begin(name.c_str(), kind, parent.get())) {}
    Span(const Text &name, const Span &parent) noexcept : Span(name, MPR_SPAN_KIND_INTERNAL, parent.context()) {}
    Span(Span &&other) noexcept : span_(other.release()) {}
    Span &operator=(Span &&other) noexcept {
        if (this != &other) {
            mpr_span_end(span_);
            span_ = other.release();
        }
        return *this;
    }
    Span(const Span &) = delete;
    Span &operator=(const Span &) = delete;
    ~Span() { mpr_span_end(span_); }

    Status set(const Text &key, const Text &value) {
        const auto call = [&](const char *k, const char *v, const char *) { return mpr_span_set_string(span_, k, v); };
        return done([&] { return detail::with_utf8(call, key.c_str(), value.c_str()); });
    }
    Status set(const Text &key, const char *value) { return set(key, Text(value)); }
    Status set(const Text &key, const std::string &value) { return set(key, Text(value)); }
    Status set(const Text &key, bool value) {
        const auto call = [&](const char *k, const char *, const char *) { return mpr_span_set_bool(span_, k, value ? 1 : 0); };
        return done([&] { return detail::with_utf8(call, key.c_str()); });
    }
    Status set(const Text &key, double value) {
        const auto call = [&](const char *k, const char *, const char *) { return mpr_span_set_double(span_, k, value); };
        return done([&] { return detail::with_utf8(call, key.c_str()); });
    }
    Status set(const Text &key, int64_t value) {
        const auto call = [&](const char *k, const char *, const char *) { return mpr_span_set_int(span_, k, value); };
        return done([&] { return detail::with_utf8(call, key.c_str()); });
    }
    /// Any other whole number. One beyond int64_t goes as text.
    template <typename Number>
    typename std::enable_if<std::is_integral<Number>::value, Status>::type set(const Text &key, Number value) {
        if (value > 0 && static_cast<uint64_t>(value) > static_cast<uint64_t>(INT64_MAX))
            return set(key, Text(std::to_string(value)));
        return set(key, static_cast<int64_t>(value));
    }
    Status set(const Text &key, float value) { return set(key, static_cast<double>(value)); }
    Status set(const Text &key, long double value) { return set(key, static_cast<double>(value)); }
    /// An enum's number.
    template <typename Enum>
    typename std::enable_if<std::is_enum<Enum>::value, Status>::type set(const Text &key, Enum value) {
        return set(key, static_cast<typename std::underlying_type<Enum>::type>(value));
    }

    Status add_event(const Text &name, const Text &attributes_json = nullptr) {
        const auto call = [&](const char *n, const char *json, const char *) { return mpr_span_add_event(span_, n, json); };
        return done([&] { return detail::with_utf8(call, name.c_str(), attributes_json.c_str()); });
    }
    /// `code` is one of MPR_SPAN_STATUS_*.
    Status set_status(int32_t code, const Text &message = nullptr) {
        const auto call = [&](const char *text, const char *, const char *) { return mpr_span_set_status(span_, code, text); };
        return done([&] { return detail::with_utf8(call, message.c_str()); });
    }
    Status record_exception(const Text &type, const Text &message, const Text &stacktrace = nullptr) {
        const auto call = [&](const char *t, const char *m, const char *s) { return mpr_span_record_exception(span_, t, m, s); };
        return done([&] { return detail::with_utf8(call, type.c_str(), message.c_str(), stacktrace.c_str()); });
    }
    Status record_exception(const std::exception &exception, const Text &stacktrace = nullptr) {
        return record_exception(type_name(exception), exception.what(), stacktrace);
    }
    /// `kind` is one of MPR_PAYLOAD_*.
    Status capture(int32_t kind, const Headers &headers, Bytes body) {
        return done([&] {
            return mpr_span_capture_payload(span_, kind, headers.str().data(), headers.str().size(), body.data(), body.size());
        });
    }
    /// A payload that came in pieces and is complete.
    Status capture(Capture &&payload) {
        const Capture held(std::move(payload));
        return done([&] { return mpr_span_capture_end(span_, held.get()); });
    }
    /// To be the parent of other spans, or to be sent: context().traceparent().
    Context context() const noexcept {
        mpr_span_context context;
        std::memset(&context, 0, sizeof context);
        if (span_) mpr_span_get_context(span_, &context);
        return Context(context);
    }
    void end() noexcept { mpr_span_end(release()); }
    /// False where mpr_span_begin() gave none; the message is in mpr_last_error().
    explicit operator bool() const noexcept { return span_ != nullptr; }
    mpr_span *get() const noexcept { return span_; }
    mpr_span *release() noexcept {
        mpr_span *span = span_;
        span_ = nullptr;
        return span;
    }

  private:
    static mpr_span *begin(const char *name, int32_t kind, const mpr_span_context *parent) noexcept {
        mpr_span *span = mpr_span_begin(name, kind, parent);
        MPR_HPP_TRY {
            std::string own;
            if (!span && detail::mend(name, own)) span = mpr_span_begin(own.c_str(), kind, parent);
        }
        MPR_HPP_CATCH((void)0)
        return span;
    }
    template <typename Call>
    Status done(Call call) const {
        return span_ ? Status(call()) : Status(MPR_SKIPPED, std::string());
    }
    mpr_span *span_;
};

namespace detail {
inline Status capture_exception(const char *type, const char *message, const char *stacktrace, const mpr_span_context *context) {
    const auto call = [&](const char *t, const char *m, const char *s) { return mpr_capture_exception(t, m, s, context); };
    return Status(with_utf8(call, type, message, stacktrace));
}
}  // namespace detail

/// An exception that no span stands for.
inline Status capture_exception(const Text &type, const Text &message, const Text &stacktrace = nullptr) {
    return detail::capture_exception(type.c_str(), message.c_str(), stacktrace.c_str(), nullptr);
}
inline Status capture_exception(const std::exception &exception, const Text &stacktrace = nullptr) {
    return capture_exception(type_name(exception), exception.what(), stacktrace);
}
/// Below a span of this process or of a caller.
inline Status capture_exception(const std::exception &exception, const Context &context, const Text &stacktrace = nullptr) {
    return detail::capture_exception(type_name(exception).c_str(), exception.what(), stacktrace.c_str(), context.get());
}

/* ---- Logs ---- */

/// A log of the running session. `severity` is OpenTelemetry's number, e.g. MPR_SEVERITY_INFO.
inline Status log(int32_t severity, Bytes body, const Text &attributes_json = nullptr) {
    return Status(mpr_log(severity, reinterpret_cast<const char *>(body.data()), body.size(), attributes_json.c_str(), nullptr));
}
/// A log of a span's trace.
inline Status log(int32_t severity, Bytes body, const Context &context, const Text &attributes_json = nullptr) {
    return Status(
        mpr_log(severity, reinterpret_cast<const char *>(body.data()), body.size(), attributes_json.c_str(), context.get()));
}

}  // inline namespace
}  // namespace mpr

#undef MPR_HPP_TRY
#undef MPR_HPP_CATCH
#endif  // MPR_HPP
