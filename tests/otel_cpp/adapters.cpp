// Real OpenTelemetry C++ with the adapters, in parts that the test chooses by the first argument. What is wrong goes to
// stderr.
#include "mpr_opentelemetry.hpp"

#include <opentelemetry/context/runtime_context.h>
#include <opentelemetry/exporters/memory/in_memory_span_data.h>
#include <opentelemetry/exporters/memory/in_memory_span_exporter.h>
#include <opentelemetry/logs/provider.h>
#include <opentelemetry/sdk/logs/batch_log_record_processor.h>
#include <opentelemetry/sdk/logs/simple_log_record_processor.h>
#include <opentelemetry/sdk/trace/batch_span_processor.h>
#include <opentelemetry/sdk/trace/samplers/always_off.h>
#include <opentelemetry/sdk/trace/samplers/parent.h>
#include <opentelemetry/sdk/trace/simple_processor.h>
#include <opentelemetry/trace/context.h>
#include <opentelemetry/trace/propagation/http_trace_context.h>
#include <opentelemetry/trace/provider.h>
#include <opentelemetry/trace/scope.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>
#include <thread>

namespace api = opentelemetry;
namespace sdk = opentelemetry::sdk;
namespace otel = mpr::otel;
namespace memory = opentelemetry::exporter::memory;

static int failures = 0;
#define CHECK(what) \
    if (!(what)) std::fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #what, mpr_last_error()), failures++

using Provider = std::shared_ptr<api::trace::TracerProvider>;

static sdk::resource::Resource resource() {
    return sdk::resource::Resource::Create({{"service.name", "shop"}, {"deployment.environment.name", "test"}});
}

/// Everything that a span can have.
static void everything() {
    mpr::Recorder recorder;
    Provider provider = otel::make_tracer_provider({}, resource());
    auto tracer = provider->GetTracer("shop.checkout", "1.2", "https://schema.example/1");
    tracer->StartSpan("before the session")->End();
    CHECK(mpr::start(MPR_SESSION_MANUAL, "{\"name\": \"otel\"}").ok());
    {
        api::trace::StartSpanOptions options;
        options.kind = api::trace::SpanKind::kServer;
        auto linked = tracer->StartSpan("linked");
        auto span = tracer->StartSpan("POST /order", {{"http.request.method", "POST"}, {"n", 1}},
                                      {{linked->GetContext(), {{"why", "retry"}}}}, options);
        CHECK(mpr_trace_kind(span->GetContext().trace_id().Id().data()) == MPR_TRACE_MANUAL);
        api::trace::Scope scope(span);
        span->SetAttribute("n", 2);
        span->SetAttribute("bool", true);
        span->SetAttribute("int64", int64_t(1) << 40);
        span->SetAttribute("uint32", 7u);
        span->SetAttribute("uint64", UINT64_MAX);
        span->SetAttribute("negative", -1);
        span->SetAttribute("double", 1.5);
        span->SetAttribute("text", "caf\xc3\xa9");
        span->SetAttribute("password", "hunter2");
        const bool bools[] = {true, false};
        const int32_t ints[] = {1, -2};
        const double doubles[] = {0.5};
        const api::nostd::string_view texts[] = {"a", "b"};
        const uint8_t bytes[] = {0, 255};
        span->SetAttribute("bools", api::nostd::span<const bool>(bools));
        span->SetAttribute("ints", api::nostd::span<const int32_t>(ints));
        span->SetAttribute("doubles", api::nostd::span<const double>(doubles));
        span->SetAttribute("texts", api::nostd::span<const api::nostd::string_view>(texts));
        span->SetAttribute("bytes", api::nostd::span<const uint8_t>(bytes));
        for (int i = 0; i < 200; i++) span->SetAttribute("many." + std::to_string(i % 100), i);
        span->AddEvent("sold", {{"count", 3}});
        otel::record_exception(*span, std::runtime_error("no bread"), "main (shop.cpp:1)");
        span->UpdateName("POST /order/:id");

        mpr::Headers headers;
        headers.add("Content-Type", "application/json").add("Authorization", "Bearer abc");
        CHECK(otel::capture(*span, MPR_PAYLOAD_HTTP_REQUEST, headers, "{\"card\": \"4111111111111111\", \"n\": 1}").ok());
        mpr::Capture pieces = otel::begin_capture(*span, MPR_PAYLOAD_HTTP_RESPONSE);
        CHECK(pieces);
        pieces.header("Content-Type", "application/json");
        pieces.body("{\"token\": \"ab");
        pieces.body("cdef\", \"ok\": true}");
        CHECK(otel::end_capture(*span, std::move(pieces)).ok());

        auto child = tracer->StartSpan("query");
        child->End();
        // A span and a log of libmpr's own, below one of OpenTelemetry's.
        mpr::Span own("own", MPR_SPAN_KIND_INTERNAL, otel::context_of(*span));
        own.end();
        CHECK(mpr::log(MPR_SEVERITY_INFO, "own log", otel::context_of(*span)).ok());

        auto logs = otel::make_logger_provider({}, resource());
        auto logger = logs->GetLogger("shop.log", "", "1.3");
        logger->Info("sold out of bread", api::common::MakeAttributes({{"left", 0}}));
        {
            // What the SDK's own recordable would keep a pointer to.
            std::string gone = "short-lived token=abcdef";
            logger->Error(api::nostd::string_view(gone));
            gone.assign(gone.size(), '?');
        }
        span->End();
        linked->End();
        logs->ForceFlush();
    }
    CHECK(static_cast<sdk::trace::TracerProvider &>(*provider).ForceFlush(std::chrono::seconds(10)));
    CHECK(mpr::stop().ok());
    tracer->StartSpan("after the session")->End();
    const mpr_stats stats = mpr::stats();
    CHECK(stats.panics == 0 && stats.dropped_queue_full == 0);
}

/// A provider that was there, with an exporter of its own: wrapped it gets what belongs to no session.
static void beside() {
    mpr::Recorder recorder;
    std::unique_ptr<memory::InMemorySpanExporter> kept(new memory::InMemorySpanExporter);
    std::unique_ptr<memory::InMemorySpanExporter> all(new memory::InMemorySpanExporter);
    auto kept_data = kept->GetData(), all_data = all->GetData();
    std::vector<std::unique_ptr<sdk::trace::SpanProcessor>> processors;
    std::unique_ptr<sdk::trace::SpanExporter> wrapped(new otel::SpanExporterWrapper(std::move(kept)));
    processors.emplace_back(new sdk::trace::SimpleSpanProcessor(std::move(wrapped)));
    processors.emplace_back(new sdk::trace::SimpleSpanProcessor(std::move(all)));
    // One that follows its parent and drops what has none.
    std::unique_ptr<sdk::trace::Sampler> sampler(
        new sdk::trace::ParentBasedSampler(std::make_shared<sdk::trace::AlwaysOffSampler>()));
    Provider provider = otel::make_tracer_provider(std::move(processors), resource(), std::move(sampler));
    auto tracer = provider->GetTracer("shop");

    const auto below = [&](const char *name, bool sampled) {
        const uint8_t trace[16] = {0xff, 0xfe, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
        const uint8_t id[8] = {1, 2, 3, 4, 5, 6, 7, 8};
        api::trace::StartSpanOptions options;
        options.parent = api::trace::SpanContext(api::trace::TraceId(trace), api::trace::SpanId(id),
                                                 api::trace::TraceFlags(sampled ? 1 : 0), true);
        auto span = tracer->StartSpan(name, {{"a", 1}}, options);
        span->AddEvent("e", {{"b", 2}});
        span->SetStatus(api::trace::StatusCode::kOk);
        span->End();
    };
    tracer->StartSpan("root without a session")->End();
    below("sampled upstream", true);
    below("dropped upstream", false);
    CHECK(mpr::start().ok());
    tracer->StartSpan("in the session")->End();
    below("sampled elsewhere", true);
    CHECK(mpr::stop().ok());

    const auto names = [](const std::vector<std::unique_ptr<sdk::trace::SpanData>> &spans) {
        std::string list;
        for (const auto &span : spans) list += std::string(span->GetName()) + ";";
        return list;
    };
    const auto of_others = kept_data->Get();
    CHECK(names(of_others) == "sampled upstream;sampled elsewhere;");
    CHECK(of_others.size() == 2 && of_others[0]->GetAttributes().size() == 1 && of_others[0]->GetEvents().size() == 1);
    CHECK(names(all_data->Get()) == "sampled upstream;in the session;sampled elsewhere;");
    // The ratio sampler by itself: all, nothing, and the session in any case.
    otel::TraceIdRatioBasedSampler none(0), every(1);
    const api::common::NoopKeyValueIterable attributes;
    const api::trace::NullSpanContext links;
    uint8_t id[16];
    mpr_generate_trace_id(id);
    const auto decide = [&](sdk::trace::Sampler &one) {
        return one.ShouldSample(api::trace::SpanContext::GetInvalid(), api::trace::TraceId(id), "x",
                                    api::trace::SpanKind::kServer, attributes, links).decision;
    };
    CHECK(decide(none) == sdk::trace::Decision::DROP && decide(every) == sdk::trace::Decision::RECORD_AND_SAMPLE);
    CHECK(std::string(none.GetDescription()).find("0.0") != std::string::npos);
    CHECK(mpr::start().ok());
    mpr_generate_trace_id(id);
    CHECK(decide(none) == sdk::trace::Decision::RECORD_AND_SAMPLE);
    CHECK(mpr::cancel().ok());
}

/// The exporters under the SDK's own processors, with several resources' worth of scopes in a batch.
static void exporters() {
    mpr::Recorder recorder;
    CHECK(mpr::start().ok());
    std::vector<std::unique_ptr<sdk::trace::SpanProcessor>> processors;
    processors.emplace_back(new sdk::trace::BatchSpanProcessor(
        std::unique_ptr<sdk::trace::SpanExporter>(new otel::SpanExporter), sdk::trace::BatchSpanProcessorOptions()));
    sdk::trace::TracerProvider provider(std::move(processors), resource(),
                                        std::unique_ptr<sdk::trace::Sampler>(new otel::TraceIdRatioBasedSampler(0.5)),
                                        std::unique_ptr<sdk::trace::IdGenerator>(new otel::IdGenerator));
    std::vector<std::unique_ptr<sdk::logs::LogRecordProcessor>> log_processors;
    log_processors.emplace_back(new sdk::logs::SimpleLogRecordProcessor(
        std::unique_ptr<sdk::logs::LogRecordExporter>(new otel::LogRecordExporterWrapper(
            std::unique_ptr<sdk::logs::LogRecordExporter>(new otel::LogRecordExporter)))));
    log_processors.emplace_back(new sdk::logs::SimpleLogRecordProcessor(
        std::unique_ptr<sdk::logs::LogRecordExporter>(new otel::LogRecordExporter)));
    sdk::logs::LoggerProvider logs(std::move(log_processors), resource());
    for (int i = 0; i < 300; i++) {
        auto span = provider.GetTracer(i % 3 ? "first" : "second")->StartSpan("span " + std::to_string(i));
        api::trace::Scope scope(span);
        logs.GetLogger("log", "", i % 2 ? "one" : "two")->Info("log " + std::to_string(i));
        span->End();
    }
    CHECK(provider.ForceFlush(std::chrono::seconds(10)));
    CHECK(logs.ForceFlush(std::chrono::seconds(10)));
    CHECK(mpr::stop().ok());
    const mpr_stats stats = mpr::stats();
    CHECK(stats.accepted == 600 && stats.exported == 600 && stats.filtered == 0);
}

/// Text that is not UTF-8 costs its bad bytes, not the batch that it is in.
static void not_utf8() {
    mpr::Recorder recorder;
    CHECK(mpr::start().ok());
    std::vector<std::unique_ptr<sdk::trace::SpanProcessor>> processors;
    processors.emplace_back(new sdk::trace::BatchSpanProcessor(
        std::unique_ptr<sdk::trace::SpanExporter>(new otel::SpanExporter), sdk::trace::BatchSpanProcessorOptions()));
    Provider provider = otel::make_tracer_provider({}, resource());
    sdk::trace::TracerProvider batches(std::move(processors), resource(),
                                       std::unique_ptr<sdk::trace::Sampler>(new sdk::trace::AlwaysOnSampler),
                                       std::unique_ptr<sdk::trace::IdGenerator>(new otel::IdGenerator));
    for (auto tracer : {provider->GetTracer("bad\xff"), batches.GetTracer("bad\xff")})
        for (int i = 0; i < 50; i++) {
            auto span = tracer->StartSpan(i == 25 ? "caf\xe9" : "good", {{"note\xff", "value\xff"}});
            span->AddEvent("event\xff", {{"k", "\xff"}});
            otel::record_exception(*span, std::runtime_error("no caf\xe9"));
            span->End();
        }
    std::vector<std::unique_ptr<sdk::logs::LogRecordProcessor>> log_processors;
    log_processors.emplace_back(new sdk::logs::BatchLogRecordProcessor(
        std::unique_ptr<sdk::logs::LogRecordExporter>(new otel::LogRecordExporter), sdk::logs::BatchLogRecordProcessorOptions()));
    sdk::logs::LoggerProvider logs(std::move(log_processors), resource());
    auto span = provider->GetTracer("logs")->StartSpan("logs");
    {
        api::trace::Scope scope(span);
        for (int i = 0; i < 50; i++) logs.GetLogger("log", "", "one")->Info(i == 25 ? "caf\xe9" : "good");
    }
    span->End();
    CHECK(batches.ForceFlush(std::chrono::seconds(10)) && logs.ForceFlush(std::chrono::seconds(10)));
    CHECK(mpr::stop().ok());
    CHECK(mpr::stats().exported == 151);
}

/// Threads and forked children record on; nothing has to be set up again in a child.
static void threads_and_forks() {
    mpr::Recorder recorder;
    Provider provider = otel::make_tracer_provider({}, resource());
    auto tracer = provider->GetTracer("shop");
    CHECK(mpr::start().ok());
    // The SDK makes some of its own things at the first span; a child that is forked in the middle of that waits for ever.
    tracer->StartSpan("the first")->End();
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; t++)
        threads.emplace_back([&, t] {
            auto own = provider->GetTracer("scope " + std::to_string(t % 4));
            for (int i = 0; i < 250; i++) own->StartSpan("threads", {{"t", t}, {"i", i}})->End();
        });
    for (int c = 0; c < 3; c++) {
        const pid_t child = fork();
        if (child == 0) {
            for (int i = 0; i < 10; i++) tracer->StartSpan("child", {{"c", c}, {"i", i}})->End();
            const mpr_status flushed = mpr_flush(10000);
            const mpr_stats stats = mpr::stats();
            if (flushed != MPR_OK || failures || stats.exported != 10) {
                std::fprintf(stderr, "child %d: flush %d, accepted %llu, exported %llu, queued %llu\n", c, int(flushed),
                             (unsigned long long)stats.accepted, (unsigned long long)stats.exported,
                             (unsigned long long)stats.queued);
                failures++;
            }
            _exit(failures ? 1 : 0);
        }
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    for (auto &thread : threads) thread.join();
    CHECK(mpr::stop().ok());
    CHECK(mpr::stats().exported == 2001);
}

/// No recorder at all: the provider works as without us.
static void recording_off() {
    std::unique_ptr<memory::InMemorySpanExporter> exporter(new memory::InMemorySpanExporter);
    auto data = exporter->GetData();
    std::vector<std::unique_ptr<sdk::trace::SpanProcessor>> processors;
    processors.emplace_back(new sdk::trace::SimpleSpanProcessor(
        std::unique_ptr<sdk::trace::SpanExporter>(new otel::SpanExporterWrapper(std::move(exporter)))));
    Provider provider = otel::make_tracer_provider(std::move(processors), resource());
    auto span = provider->GetTracer("shop")->StartSpan("x");
    CHECK(span->GetContext().IsValid());
    CHECK(otel::capture(*span, MPR_PAYLOAD_HTTP_REQUEST, mpr::Headers(), "{}").skipped());
    CHECK(!otel::begin_capture(*span, MPR_PAYLOAD_HTTP_REQUEST));
    span->End();
    CHECK(data->Get().size() == 1);

    // A session that runs elsewhere: its traces are like all others here, where nobody records them.
    const uint8_t id[16] = {0xde, 0xbd, 0xeb, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, parent_id[8] = {1};
    CHECK(mpr_trace_kind(id) != MPR_TRACE_NONE);
    api::trace::StartSpanOptions below;
    below.parent = api::trace::SpanContext(api::trace::TraceId(id), api::trace::SpanId(parent_id), api::trace::TraceFlags(1), true);
    provider->GetTracer("shop")->StartSpan("of a session", below)->End();
    CHECK(data->Get().size() == 1);
    Provider never = otel::make_tracer_provider({}, resource(), std::unique_ptr<sdk::trace::Sampler>(new sdk::trace::AlwaysOffSampler));
    CHECK(!never->GetTracer("shop")->StartSpan("of a session", below)->IsRecording());

    CHECK(static_cast<sdk::trace::TracerProvider &>(*provider).ForceFlush(std::chrono::seconds(1)));
}

int main(int argc, char **argv) {
    const std::string part = argc > 1 ? argv[1] : "";
    if (part == "everything") everything();
    if (part == "beside") beside();
    if (part == "exporters") exporters();
    if (part == "not utf-8") not_utf8();
    if (part == "threads and forks") threads_and_forks();
    if (part == "recording off") recording_off();
    return failures ? 1 : 0;
}
