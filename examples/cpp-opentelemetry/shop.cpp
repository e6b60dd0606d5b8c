// A service that OpenTelemetry C++ instruments, recorded: the lines with `mpr` are all that is added. Two of it are two
// services of one session: the first one begins it, and the trace context carries it on.
//
//     cpp-opentelemetry --service NAME [--port N] [--next http://HOST:PORT/PATH]… [--session NAME]
//
// SPDX-License-Identifier: Apache-2.0
#include <httplib.h>

#include <mpr_opentelemetry.hpp>

#include <opentelemetry/context/propagation/global_propagator.h>
#include <opentelemetry/logs/provider.h>
#include <opentelemetry/trace/context.h>
#include <opentelemetry/trace/propagation/http_trace_context.h>
#include <opentelemetry/trace/provider.h>
#include <opentelemetry/trace/scope.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace api = opentelemetry;
namespace sdk = opentelemetry::sdk;
namespace trace = opentelemetry::trace;

namespace {

// How the W3C propagator reads and writes cpp-httplib's headers.
struct Carrier : api::context::propagation::TextMapCarrier {
    explicit Carrier(httplib::Headers &of) : headers(of) {}
    api::nostd::string_view Get(api::nostd::string_view key) const noexcept override {
        const auto found = headers.find(std::string(key));
        return found == headers.end() ? "" : api::nostd::string_view(found->second);
    }
    void Set(api::nostd::string_view key, api::nostd::string_view value) noexcept override {
        headers.emplace(std::string(key), std::string(value));
    }
    httplib::Headers &headers;
};

mpr::Headers headers_of(const httplib::Headers &from) {
    mpr::Headers headers;
    for (const auto &header : from) headers.add(header.first, header.second);
    return headers;
}

void set_up(const std::string &service) {
    const auto resource = sdk::resource::Resource::Create({{"service.name", service}});
    // The processors and exporters that you have go into the first argument.
    std::shared_ptr<trace::TracerProvider> tracers = mpr::otel::make_tracer_provider({}, resource);
    std::shared_ptr<api::logs::LoggerProvider> loggers = mpr::otel::make_logger_provider({}, resource);
    trace::Provider::SetTracerProvider(tracers);
    api::logs::Provider::SetLoggerProvider(loggers);
    api::context::propagation::GlobalTextMapPropagator::SetGlobalPropagator(
        api::nostd::shared_ptr<api::context::propagation::TextMapPropagator>(new trace::propagation::HttpTraceContext));
}

api::nostd::shared_ptr<trace::Tracer> tracer() { return trace::Provider::GetTracerProvider()->GetTracer("shop"); }

httplib::Result call(const std::string &url, const std::string &body) {
    trace::StartSpanOptions options;
    options.kind = trace::SpanKind::kClient;
    auto span = tracer()->StartSpan("POST", {{"http.request.method", "POST"}, {"url.full", url}}, options);
    trace::Scope scope(span);
    httplib::Headers headers;
    Carrier carrier(headers);
    api::context::propagation::GlobalTextMapPropagator::GetGlobalPropagator()->Inject(
        carrier, api::context::RuntimeContext::GetCurrent());
    const std::size_t path = std::min(url.find('/', url.find("//") + 2), url.size());
    httplib::Client client(url.substr(0, path));
    httplib::Result result = client.Post(url.substr(path), headers, body, "application/json");
    if (result) span->SetAttribute("http.response.status_code", result->status);
    if (!result) span->SetStatus(trace::StatusCode::kError, httplib::to_string(result.error()));
    span->End();
    return result;
}

void checkout(const std::vector<std::string> &next, const httplib::Request &request, httplib::Response &response) {
    httplib::Headers received = request.headers;
    Carrier carrier(received);
    auto current = api::context::RuntimeContext::GetCurrent();
    trace::StartSpanOptions options;
    options.kind = trace::SpanKind::kServer;
    options.parent = api::context::propagation::GlobalTextMapPropagator::GetGlobalPropagator()->Extract(carrier, current);
    auto span = tracer()->StartSpan("POST /checkout", {{"http.request.method", "POST"}, {"http.route", "/checkout"}}, options);
    trace::Scope scope(span);
    mpr::otel::capture(*span, MPR_PAYLOAD_HTTP_REQUEST, headers_of(request.headers), request.body);
    try {
        if (request.body.empty()) throw std::invalid_argument("no card, no tea");
        api::logs::Provider::GetLoggerProvider()->GetLogger("shop")->Info("cart priced");
        for (const std::string &url : next) {
            const httplib::Result paid = call(url, request.body);
            if (!paid || paid->status >= 500) throw std::runtime_error("the payment service does not answer");
        }
        response.set_content("{\"paid\": true, \"token\": \"t-8f3a2c\"}", "application/json");
        response.status = 200;
    } catch (const std::exception &exception) {
        mpr::otel::record_exception(*span, exception);
        response.status = 500;
        response.set_content("{\"error\": \"internal error\"}", "application/json");
    }
    mpr::otel::capture(*span, MPR_PAYLOAD_HTTP_RESPONSE, headers_of(response.headers), response.body);
    span->SetAttribute("http.response.status_code", response.status);
    span->End();
}

}  // namespace

int main(int argc, char **argv) {
    int port = 0;
    std::string service = "otel-shop", session;
    std::vector<std::string> next;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--port") port = std::atoi(argv[i + 1]);
        if (option == "--service") service = argv[i + 1];
        if (option == "--next") next.push_back(argv[i + 1]);
        if (option == "--session") session = argv[i + 1];
    }
    // Signals go to the thread that waits for them.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    mpr::Recorder recorder(mpr::Options().service_name(service));
    if (recorder.status().failed()) std::fprintf(stderr, "recording is off: %s\n", mpr_last_error());
    set_up(service);
    if (!session.empty() && mpr::start(MPR_SESSION_MANUAL, "{\"name\": \"" + session + "\"}").failed())
        std::fprintf(stderr, "no session: %s\n", mpr_last_error());

    httplib::Server server;
    server.Post("/checkout", [&](const auto &request, auto &response) { checkout(next, request, response); });
    port = port ? (server.bind_to_port("127.0.0.1", port) ? port : -1) : server.bind_to_any_port("127.0.0.1");
    if (port < 0) return std::fprintf(stderr, "the port is in use\n"), 1;
    std::printf("listening on http://127.0.0.1:%d\n", port);
    std::fflush(stdout);
    std::thread serving([&] { server.listen_after_bind(); });
    int signal = 0;
    sigwait(&signals, &signal);
    server.stop();
    serving.join();
    if (!session.empty() && mpr::stop().failed()) std::fprintf(stderr, "the session's end: %s\n", mpr_last_error());
    return 0;
}
