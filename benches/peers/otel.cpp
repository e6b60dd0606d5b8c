// OpenTelemetry C++'s producer in `make bench-delivery`.
#include "workload.h"

#include <memory>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_options.h>
#include <opentelemetry/sdk/common/global_log_handler.h>
#include <opentelemetry/sdk/trace/batch_span_processor_factory.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/sdk/trace/processor.h>
#include <opentelemetry/sdk/trace/recordable.h>
#include <opentelemetry/sdk/trace/samplers/always_off.h>
#include <opentelemetry/sdk/trace/samplers/always_on.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/trace/tracer.h>

namespace sdk = opentelemetry::sdk::trace;
namespace trace = opentelemetry::trace;
namespace otlp = opentelemetry::exporter::otlp;

namespace {
// Records as the OTLP exporter does and throws it away.
class Discard final : public sdk::SpanProcessor {
  public:
    explicit Discard(std::unique_ptr<sdk::SpanExporter> exporter) : exporter_(std::move(exporter)) {}
    std::unique_ptr<sdk::Recordable> MakeRecordable() noexcept override { return exporter_->MakeRecordable(); }
    void OnStart(sdk::Recordable &, const trace::SpanContext &) noexcept override {}
    void OnEnd(std::unique_ptr<sdk::Recordable> &&span) noexcept override { span.reset(); }
    bool ForceFlush(std::chrono::microseconds) noexcept override { return true; }
    bool Shutdown(std::chrono::microseconds) noexcept override { return true; }

  private:
    std::unique_ptr<sdk::SpanExporter> exporter_;
};

std::unique_ptr<sdk::TracerProvider> provider;
opentelemetry::nostd::shared_ptr<trace::Tracer> tracer;
} // namespace

static void peer_begin(const struct run *run) {
    // Else it writes a line for each span that it drops.
    opentelemetry::sdk::common::internal_log::GlobalLogHandler::SetLogLevel(opentelemetry::sdk::common::internal_log::LogLevel::None);
    otlp::OtlpHttpExporterOptions to;
    to.url = run->endpoint;
    auto exporter = otlp::OtlpHttpExporterFactory::Create(to);
    sdk::BatchSpanProcessorOptions batch;
    if (run->queue) batch.max_queue_size = static_cast<size_t>(run->queue);
    std::unique_ptr<sdk::SpanProcessor> processor;
    if (std::string(run->mode) == "export") processor = sdk::BatchSpanProcessorFactory::Create(std::move(exporter), batch);
    else processor.reset(new Discard(std::move(exporter)));
    std::unique_ptr<sdk::Sampler> sampler;
    if (std::string(run->mode) == "unrecorded") sampler.reset(new sdk::AlwaysOffSampler);
    else sampler.reset(new sdk::AlwaysOnSampler);
    provider.reset(new sdk::TracerProvider(std::move(processor), opentelemetry::sdk::resource::Resource::Create({}), std::move(sampler)));
    tracer = provider->GetTracer("bench");
}

static void peer_span(long n) {
    trace::StartSpanOptions options;
    options.kind = trace::SpanKind::kServer;
    auto span = tracer->StartSpan("GET /cart/{id}", options);
    span->SetAttribute("http.request.method", "GET");
    span->SetAttribute("http.route", "/cart/{id}");
    span->SetAttribute("url.path", "/cart/18334");
    span->SetAttribute("http.response.status_code", 200);
    span->SetAttribute("server.address", "shop.example.com");
    span->SetAttribute("server.port", 443);
    span->SetAttribute("user_agent.original", "curl/8.5.0");
    span->SetAttribute("network.protocol.version", "1.1");
    span->SetAttribute("cart.items", static_cast<int64_t>(n));
    span->SetAttribute("cart.paid", true);
    if (workload_run.large) {
        span->SetAttribute("request.text", static_cast<const char *>(workload_text));
        span->SetAttribute("response.text", static_cast<const char *>(workload_text));
    }
    span->End();
}

// Not ForceFlush: after the first one this version takes the whole queue into each request, whatever the batch size is.
static void peer_end() {
    provider->Shutdown();
    tracer = {};
    provider.reset();
}
