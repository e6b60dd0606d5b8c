// A service with nothing but OpenTelemetry C++ and its own exporter, which takes its endpoint from the environment.
#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/sdk/trace/simple_processor_factory.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/sdk/trace/tracer_provider_factory.h>
#include <opentelemetry/trace/scope.h>

#include <memory>

namespace sdk = opentelemetry::sdk::trace;
namespace api = opentelemetry::trace;

int main() {
    auto provider = sdk::TracerProviderFactory::Create(
        sdk::SimpleSpanProcessorFactory::Create(opentelemetry::exporter::otlp::OtlpHttpExporterFactory::Create()),
        opentelemetry::sdk::resource::Resource::Create({{"service.name", "cpp-shop"}}));
    auto tracer = provider->GetTracer("shop", "1.0");
    api::StartSpanOptions server;
    server.kind = api::SpanKind::kServer;
    auto span = tracer->StartSpan("POST /pay", {{"http.response.status_code", 402}}, server);
    {
        api::Scope scope(span);
        auto child = tracer->StartSpan("charge");
        child->AddEvent("declined", {{"code", "05"}});
        child->SetStatus(api::StatusCode::kError, "declined");
        child->End();
    }
    span->End();
    return provider->ForceFlush() ? 0 : 1;
}
