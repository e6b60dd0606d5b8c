// Every function of mpr.hpp, against a platform. Prints nothing; what is wrong goes to stderr.
#include <mpr.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <thread>

static int failures = 0;
#define CHECK(what) \
    if (!(what)) std::fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #what, mpr_last_error()), failures++

namespace shop {
struct OutOfStock : std::runtime_error {
    explicit OutOfStock(const char *what) : std::runtime_error(what) {}
};
}  // namespace shop

static bool has(const std::string &text, const char *part) { return text.find(part) != std::string::npos; }

enum class colour { red, green };

static void recording_off() {
    mpr::Span span("early");
    CHECK(span);
    CHECK(span.set("a", 1).skipped());
    CHECK(mpr::log(MPR_SEVERITY_INFO, "early").skipped());
    CHECK(mpr::start().code() == MPR_ERR_NOT_INITIALIZED);
    CHECK(mpr::session_info().empty());
    CHECK(mpr::shutdown(1000).skipped());
    CHECK(mpr::stats().accepted == 0);
    const std::string masked = mpr::mask("application/json", "{\"password\": \"hunter2\"}");
    CHECK(masked == "{\"password\": \"***MASKED***\"}");
    CHECK(has(mpr::explain_mask("application/json", "{\"password\": \"hunter2\"}"), "\"password\""));
}

static void bad_options() {
    mpr::Options options;
    options.service_name("shop").protocol("smoke signals").sample_ratio(7);
    CHECK(options.error().code() == MPR_ERR_INVALID_ARGUMENT);
    CHECK(has(options.error().message(), "smoke signals"));
    const mpr::Status refused = mpr::init(options);
    CHECK(refused.failed() && !refused.ok() && !refused.skipped());
    CHECK(has(refused.message(), "smoke signals") && std::string(refused.name()) == "MPR_ERR_INVALID_ARGUMENT");
    CHECK(!refused.retryable());
    // Moving takes the handle along.
    mpr::Options one;
    one.service_name("a");
    mpr::Options other(std::move(one));
    CHECK(one.get() == nullptr && other.get() != nullptr);
    one = std::move(other);
    CHECK(one.get() != nullptr && other.get() == nullptr);
    CHECK(mpr::Recorder(mpr::Options().json("{\"no_such\": 1}")).status().failed());
    // Used up ones are not the environment's.
    mpr::Options used;
    used.sample_ratio(2);
    CHECK(mpr::init(used).failed() && mpr::init(other).code() == MPR_ERR_INVALID_ARGUMENT);
    CHECK(has(mpr::init(other).message(), "moved from") && mpr::log(MPR_SEVERITY_INFO, "off").skipped());
}

int main() {
    recording_off();
    bad_options();

    std::atomic<int> lines(0), ids(0), asked(0), masks(0);
    mpr::Options options;
    options.service_name("shop").service_version(std::string("1.2")).environment("test").compression("none");
    options.mask_body_fields("[\"pet\"]").sample_ratio(0).flush_interval_ms(50).log_level("debug").mask_emails(true);
    options.log_callback([&](int32_t, const char *) { lines++; });
    options.trace_id_hook([&](uint8_t *id) {
        for (int i = 0; i < 16; i++) id[i] = static_cast<uint8_t>(ids + i + 1);
        return ++ids % 2 == 0;
    });
    options.short_id_hook([] { return std::string("0123abcd"); });
    options.sampler_hook([&](const uint8_t *, double ratio) { return asked++, ratio > 1; });
    options.mask_callback([&](const char *type, mpr::Bytes body, std::string &masked) {
        masks++;
        const std::string text(reinterpret_cast<const char *>(body.data()), body.size());
        if (has(text, "throw")) throw std::runtime_error("no");
        if (has(text, "refuse")) return false;
        masked = std::string(type ? type : "none") + " " + std::string(5000, 'm');
        return true;
    });
    CHECK(!options.error().failed());
    {
        mpr::Recorder recorder(options);
        CHECK(recorder.status().ok());
        mpr::Span("outside").set("a", 1);
        CHECK(asked == 1);
        CHECK(mpr::start(MPR_SESSION_MANUAL, "{\"name\": \"cpp\"}").ok());
        CHECK(has(mpr::session_info(), "\"started\""));
        CHECK(mpr::start().code() == MPR_ERR_INVALID_STATE);

        mpr::Span span("POST /order", MPR_SPAN_KIND_SERVER);
        CHECK(span.set("int", 1).ok() && span.set("long", 1L << 40).ok() && span.set("unsigned", 7u).ok());
        CHECK(span.set("huge", UINT64_MAX).ok() && span.set("size", sizeof span).ok() && span.set("char", 'c').ok());
        CHECK(span.set("double", 1.5).ok() && span.set("float", 0.5f).ok() && span.set("bool", true).ok());
        CHECK(span.set("literal", "a").ok() && span.set("string", std::string("b")).ok());
        CHECK(span.set(std::string("text"), "c").ok());
#if __cplusplus >= 201703L
        CHECK(span.set("view", std::string_view("dxx", 1)).ok());
#endif
        CHECK(span.set("", 1).code() == MPR_ERR_INVALID_ARGUMENT);
        CHECK(span.set("enum", colour::green).ok() && span.set("long double", 2.5L).ok());
        CHECK(span.set("caf\xe9", "\xff!").ok() && span.set("n\xff", 1).ok() && span.add_event("e\xff").ok());
        CHECK(mpr::capture_exception(std::runtime_error("no caf\xe9: \xe2\x82\xac")).ok());
        mpr::Span mended("GET /caf\xe9", span);
        CHECK(mended && mended.record_exception(std::runtime_error("\xed\xa0\x80")).ok() && mended.set_status(MPR_SPAN_STATUS_ERROR, "\xf8").ok());
        mended.end();
        CHECK(span.add_event("sold", "{\"count\": 3}").ok() && span.add_event("bare").ok());
        CHECK(span.add_event("bad", "{").code() == MPR_ERR_INVALID_ARGUMENT);
        CHECK(span.record_exception(shop::OutOfStock("no bread"), "main (shop.cpp:1)").ok());
        CHECK(span.set_status(MPR_SPAN_STATUS_ERROR, "sold out").ok());
        mpr::Headers headers;
        headers.add("Content-Type", "text/plain").add("Authorization", "Bearer abc").add("X-Split", "a\r\nX-Injected: b");
        CHECK(span.capture(MPR_PAYLOAD_HTTP_REQUEST, headers, "the body").ok());
        CHECK(masks > 0);
        CHECK(span.capture(MPR_PAYLOAD_HTTP_RESPONSE, mpr::Headers("Content-Type: text/plain\r\n"), "throw").ok());
        CHECK(mpr::stats().mask_callback_failures == 1);
        CHECK(span.capture(99, headers, nullptr).code() == MPR_ERR_INVALID_ARGUMENT);

        const mpr::Context context = span.context();
        CHECK(context.valid() && context.sampled() && context.trace_id_hex().size() == 32);
        CHECK(context.span_id_hex().size() == 16);
        const mpr::Context read = mpr::Context::from_traceparent(context.traceparent());
        CHECK(read.trace_id_hex() == context.trace_id_hex() && read.span_id_hex() == context.span_id_hex());
        CHECK(!mpr::Context::from_traceparent("nonsense").valid() && !mpr::Context().valid());
        CHECK(mpr::Context().traceparent().empty());

        mpr::Span child("query", span);
        mpr::Span moved(std::move(child));
        CHECK(!child && moved && child.set("a", 1).skipped());
        mpr::Capture capture(MPR_PAYLOAD_RPC_RESPONSE, moved.context());
        CHECK(capture && capture.header("Content-Type", "text/plain").ok());
        CHECK(capture.body("two ").ok() && capture.body(std::string("pieces")).ok());
        mpr::Capture other(std::move(capture));
        CHECK(!capture && other);
        CHECK(moved.capture(std::move(other)).ok() && !other);
        child = std::move(moved);
        child.end();
        CHECK(!child);
        mpr::Span remote("remote", MPR_SPAN_KIND_CLIENT, mpr::Context::from_traceparent(context.traceparent()));
        remote.end();

        int attributes = 0;
        const mpr::Attribute count = [&](const std::string &key, const std::string &) { attributes += key.empty() ? 0 : 1; };
        CHECK(mpr::capture_payload(MPR_PAYLOAD_MESSAGE, context.trace_id(), headers, "x", count).ok());
        CHECK(attributes > 0);
        mpr::Capture pieces(MPR_PAYLOAD_MESSAGE, context);
        CHECK(pieces.body("x").ok() && pieces.end(count).ok());
        CHECK(mpr::capture_payload(MPR_PAYLOAD_MESSAGE, context.trace_id(), headers, "x", nullptr).code() == MPR_ERR_INVALID_ARGUMENT);
        CHECK(mpr::Capture(MPR_PAYLOAD_MESSAGE, context).end(nullptr).code() == MPR_ERR_INVALID_ARGUMENT);
        const mpr::Attribute thrower = [](const std::string &, const std::string &) { throw std::runtime_error("no"); };
        CHECK(mpr::capture_payload(MPR_PAYLOAD_MESSAGE, context.trace_id(), headers, "x", thrower).ok());
        CHECK(mpr::Capture(MPR_PAYLOAD_MESSAGE, mpr::Context()).body("x").skipped());

        CHECK(mpr::log(MPR_SEVERITY_WARN, "low on bread", "{\"left\": 1}").ok());
        CHECK(mpr::log(MPR_SEVERITY_WARN, std::string("of the span"), context).ok());
        CHECK(mpr::capture_exception(shop::OutOfStock("gone")).ok());
        CHECK(mpr::capture_exception(shop::OutOfStock("gone, too"), context).ok());
        CHECK(mpr::capture_exception("Custom", "said so").ok());
        span.end();
        CHECK(mpr::flush(10000).ok());
        CHECK(mpr::set_consent(false).ok() && mpr::set_consent(true).ok());
        CHECK(mpr::check_remote().skipped());  // one runs

        // The calls that do not wait.
        std::mutex mutex;
        std::condition_variable changed;
        int answers = 0;
        const mpr::Done done = [&](const mpr::Status &status) {
            CHECK(status.ok());
            std::lock_guard<std::mutex> held(mutex);
            answers++;
            changed.notify_all();
        };
        CHECK(mpr::stop_async(nullptr, done).ok());
        CHECK(mpr::start_async(MPR_SESSION_CONTINUOUS, "{\"name\": \"c\"}", done).ok());
        CHECK(mpr::save_async(nullptr, done).ok());
        CHECK(mpr::cancel_async(done).ok());
        CHECK(mpr::start_async(MPR_SESSION_MANUAL, "{", done).code() == MPR_ERR_INVALID_ARGUMENT);
        std::unique_lock<std::mutex> held(mutex);
        CHECK(changed.wait_for(held, std::chrono::seconds(20), [&] { return answers == 4; }));
        held.unlock();
        CHECK(mpr::start(MPR_SESSION_CONTINUOUS).ok() && mpr::save().ok() && mpr::cancel().ok());
        CHECK(mpr::stop().code() == MPR_ERR_INVALID_STATE);
        CHECK(mpr::init().code() == MPR_ERR_ALREADY_INITIALIZED);
        CHECK(mpr::stats().panics == 0);
    }
    CHECK(lines > 0 && ids > 0);
    CHECK(mpr::start().code() == MPR_ERR_NOT_INITIALIZED);
    return failures ? 1 : 0;
}
