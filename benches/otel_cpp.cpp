// libmpr inside OpenTelemetry C++, beside OpenTelemetry C++'s own parts, in one program: nanoseconds a call on the thread that
// records, medians of rounds in which both take turns. The receiver is a port that nobody listens on, so that nothing but
// the producer's side is measured. `make bench-otel-cpp`.
#include "mpr_opentelemetry.hpp"

#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_options.h>
#include <opentelemetry/sdk/common/global_log_handler.h>
#include <opentelemetry/sdk/trace/batch_span_processor_factory.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/random_id_generator.h>
#include <opentelemetry/sdk/trace/samplers/always_off.h>
#include <opentelemetry/sdk/trace/samplers/trace_id_ratio.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>

namespace api = opentelemetry;
namespace sdk = opentelemetry::sdk::trace;
namespace otlp = opentelemetry::exporter::otlp;

static const int ROUNDS = 21;
// Of a manual session.
static const uint8_t SESSION[16] = {0xde, 0xbd, 0xeb, 1, 2, 3, 4, 9, 1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t ORDINARY[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t PARENT[8] = {1, 2, 3, 4, 5, 6, 7, 8};

static double once(const std::function<void()> &call, int times) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < times; i++) call();
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / times;
}

static double median(std::vector<double> &of) {
    std::sort(of.begin(), of.end());
    return of[of.size() / 2];
}

static void row(const char *what, int times, const std::function<void()> &theirs, const std::function<void()> &ours) {
    std::vector<double> their, our;
    for (int round = 0; round < ROUNDS; round++) {
        their.push_back(once(theirs, times));
        our.push_back(once(ours, times));
    }
    const double t = median(their), o = median(our);
    std::printf("%-52s %10.0f %10.0f %8.2f\n", what, t, o, o / t);
}

static std::unique_ptr<sdk::SpanProcessor> their_processor() {
    otlp::OtlpHttpExporterOptions to;
    to.url = "http://127.0.0.1:1/v1/traces";
    sdk::BatchSpanProcessorOptions batch;
    batch.max_queue_size = 1 << 17;
    return sdk::BatchSpanProcessorFactory::Create(otlp::OtlpHttpExporterFactory::Create(to), batch);
}

static std::vector<std::unique_ptr<sdk::SpanProcessor>> one(std::unique_ptr<sdk::SpanProcessor> processor) {
    std::vector<std::unique_ptr<sdk::SpanProcessor>> list;
    if (processor) list.push_back(std::move(processor));
    return list;
}

int main() {
    api::sdk::common::internal_log::GlobalLogHandler::SetLogLevel(api::sdk::common::internal_log::LogLevel::None);
    mpr::Options options;
    options.api_key("bench").api_base_url("http://127.0.0.1:1").traces_endpoint("http://127.0.0.1:1/v1/traces");
    options.logs_endpoint("http://127.0.0.1:1/v1/logs").queue_max_bytes(uint64_t(4) << 30);
    mpr::Recorder recorder(options, 1);
    if (recorder.status().failed()) return std::fprintf(stderr, "%s\n", mpr_last_error()), 1;

    const auto resource = api::sdk::resource::Resource::Create({{"service.name", "bench"}});
    sdk::RandomIdGenerator their_ids;
    mpr::otel::IdGenerator our_ids;
    sdk::TraceIdRatioBasedSampler their_sampler(0.1);
    mpr::otel::TraceIdRatioBasedSampler our_sampler(0.1);
    const api::common::NoopKeyValueIterable none;
    const api::trace::NullSpanContext links;
    const auto sample = [&](sdk::Sampler &sampler) {
        sampler.ShouldSample(api::trace::SpanContext::GetInvalid(), api::trace::TraceId(ORDINARY), "GET /cart",
                             api::trace::SpanKind::kServer, none, links);
    };
    sdk::TracerProvider theirs(one(their_processor()), resource, std::unique_ptr<sdk::Sampler>(new sdk::AlwaysOnSampler));
    sdk::TracerProvider theirs_off(one(their_processor()), resource, std::unique_ptr<sdk::Sampler>(new sdk::AlwaysOffSampler));
    auto ours = mpr::otel::make_tracer_provider({}, resource);
    auto ours_off = mpr::otel::make_tracer_provider({}, resource, std::unique_ptr<sdk::Sampler>(new sdk::AlwaysOffSampler));
    const std::string large(2048, 'x');

    const auto span = [&](api::trace::Tracer &tracer, const uint8_t *trace, bool content) {
        api::trace::StartSpanOptions start;
        start.kind = api::trace::SpanKind::kServer;
        start.parent = api::trace::SpanContext(api::trace::TraceId(api::nostd::span<const uint8_t, 16>(trace, 16)),
                                               api::trace::SpanId(PARENT), api::trace::TraceFlags(1), true);
        auto made = tracer.StartSpan("GET /cart", start);
        made->SetAttribute("http.request.method", "GET");
        made->SetAttribute("url.path", "/cart");
        made->SetAttribute("url.scheme", "https");
        made->SetAttribute("http.route", "/cart");
        made->SetAttribute("server.address", "shop.example");
        made->SetAttribute("user_agent.original", "curl/8");
        made->SetAttribute("server.port", 443);
        made->SetAttribute("http.response.status_code", 200);
        made->SetAttribute("http.response.body.size", 1234);
        made->SetAttribute("cache.hit", true);
        if (content) {
            made->SetAttribute("request", large);
            made->SetAttribute("response", large);
        }
        made->End();
    };
    const auto tracer = [](sdk::TracerProvider &provider) { return provider.GetTracer("bench", "1"); };
    auto their = tracer(theirs), their_off = tracer(theirs_off), our = tracer(*ours), our_off = tracer(*ours_off);

    std::printf("%-52s %10s %10s %8s\n", "nanoseconds a call", "OTel C++", "libmpr", "ratio");
    row("trace id", 100000, [&] { their_ids.GenerateTraceId(); }, [&] { our_ids.GenerateTraceId(); });
    row("span id", 100000, [&] { their_ids.GenerateSpanId(); }, [&] { our_ids.GenerateSpanId(); });
    row("sampling, ratio 0.1", 100000, [&] { sample(their_sampler); }, [&] { sample(our_sampler); });
    row("span with 10 attributes, not sampled", 20000, [&] { span(*their_off, ORDINARY, false); },
        [&] { span(*our_off, ORDINARY, false); });
    row("the same, sampled, of no session: for others only", 2000, [&] { span(*their, ORDINARY, false); },
        [&] { span(*our, ORDINARY, false); });
    row("span of a session, 10 attributes, to the exporter", 2000, [&] { span(*their, SESSION, false); },
        [&] { span(*our, SESSION, false); });
    row("the same with 2 x 2 KB, which libmpr masks", 500, [&] { span(*their, SESSION, true); },
        [&] { span(*our, SESSION, true); });
    const mpr_stats stats = mpr::stats();
    if (stats.dropped_queue_full) std::printf("%llu dropped\n", static_cast<unsigned long long>(stats.dropped_queue_full));
    // What is left is for nobody; the destructors would wait for the receiver.
    std::fflush(stdout);
    std::_Exit(0);
}
