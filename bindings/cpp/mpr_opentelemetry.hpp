/* mpr_opentelemetry.hpp: libmpr beside OpenTelemetry C++.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Ids that carry the running session, sampling that keeps every session trace, and span and log processors (or exporters)
 * that hand session data to libmpr, where it is masked, queued and delivered. Spans of no session cost a few comparisons
 * and go where they went before. Header-only: it is compiled by you against your own SDK and calls only functions of
 * mpr.h. Needs opentelemetry-cpp 1.14 or newer, ABI version 1 or 2; protobuf is not needed.
 *
 *     mpr::Recorder recorder;                                     // options by the environment, or mpr::Options()
 *     std::shared_ptr<opentelemetry::trace::TracerProvider> provider =
 *         mpr::otel::make_tracer_provider(std::move(processors), resource, std::move(sampler));
 *     opentelemetry::trace::Provider::SetTracerProvider(provider);
 *
 * is a whole setup: `processors` are those that you had (none is fine), and they get what they got before. To keep session
 * data out of them, wrap their exporters: SpanExporterWrapper. In a handler:
 *
 *     mpr::otel::capture(*span, MPR_PAYLOAD_HTTP_REQUEST, headers, body);
 *     mpr::otel::record_exception(*span, exception);
 *
 * Keep the mpr::Recorder (or mpr_init() and mpr_shutdown()) around the life of the providers. The processors have no thread
 * and no lock of their own, so they work in forked children. What the capture functions set on a span is masked. Other
 * attributes, names and exception texts are masked on their way through libmpr; what your own exporters send of them is not.
 */
#ifndef MPR_OPENTELEMETRY_HPP
#define MPR_OPENTELEMETRY_HPP

#include "mpr.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <opentelemetry/common/attribute_value.h>
#include <opentelemetry/common/key_value_iterable.h>
#include <opentelemetry/common/timestamp.h>
#include <opentelemetry/sdk/common/attribute_utils.h>
#include <opentelemetry/sdk/common/exporter_utils.h>
#include <opentelemetry/sdk/instrumentationscope/instrumentation_scope.h>
#include <opentelemetry/sdk/logs/exporter.h>
#include <opentelemetry/sdk/logs/logger_provider.h>
#include <opentelemetry/sdk/logs/processor.h>
#include <opentelemetry/sdk/logs/recordable.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/sdk/trace/id_generator.h>
#include <opentelemetry/sdk/trace/processor.h>
#include <opentelemetry/sdk/trace/recordable.h>
#include <opentelemetry/sdk/trace/sampler.h>
#include <opentelemetry/sdk/trace/samplers/always_on.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/trace/span.h>
#include <opentelemetry/trace/span_context.h>
#include <opentelemetry/trace/trace_state.h>
#include <opentelemetry/version.h>

#if OPENTELEMETRY_VERSION_MAJOR < 1 || (OPENTELEMETRY_VERSION_MAJOR == 1 && OPENTELEMETRY_VERSION_MINOR < 14)
#error "mpr_opentelemetry.hpp needs opentelemetry-cpp 1.14 or newer"
#endif
#define MPR_OTEL_LIMITS (OPENTELEMETRY_VERSION_MAJOR > 1 || OPENTELEMETRY_VERSION_MINOR >= 28)

namespace mpr {
inline namespace MPR_HPP_VARIANT {
namespace otel {

namespace api = ::opentelemetry;
namespace sdk = ::opentelemetry::sdk;

namespace detail {

/* OTLP is protobuf: fields of a number, a type and a value. */
inline void varint(std::string &out, uint64_t value) {
    while (value >= 0x80) {
        out += static_cast<char>(value | 0x80);
        value >>= 7;
    }
    out += static_cast<char>(value);
}
inline void number(std::string &out, unsigned field, uint64_t value) {
    varint(out, field << 3);
    varint(out, value);
}
inline void little_endian(std::string &out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) out += static_cast<char>(value >> (8 * i));
}
inline void fixed64(std::string &out, unsigned field, uint64_t value) {
    varint(out, field << 3 | 1);
    little_endian(out, value, 8);
}
inline void fixed32(std::string &out, unsigned field, uint32_t value) {
    varint(out, field << 3 | 5);
    little_endian(out, value, 4);
}
inline void bytes(std::string &out, unsigned field, const char *data, std::size_t size) {
    varint(out, field << 3 | 2);
    varint(out, size);
    out.append(data, size);
}
inline void bytes(std::string &out, unsigned field, const std::string &data) { bytes(out, field, data.data(), data.size()); }
inline void bytes(std::string &out, unsigned field, api::nostd::string_view text) {
    bytes(out, field, text.data(), text.size());
}
/// Left out when empty, as a receiver reads it anyway.
template <typename Data>
void some(std::string &out, unsigned field, const Data &data) {
    if (data.size() != 0) bytes(out, field, data);
}
template <typename Id>
void id(std::string &out, unsigned field, const Id &value) {
    if (value.IsValid()) bytes(out, field, reinterpret_cast<const char *>(value.Id().data()), value.Id().size());
}
inline uint64_t nanos(api::common::SystemTimestamp time) {
    return static_cast<uint64_t>(time.time_since_epoch().count());
}

/// Writes an AnyValue.
struct AnyValue {
    std::string &out;
    void operator()(bool value) const { number(out, 2, value ? 1 : 0); }
    void operator()(int32_t value) const { number(out, 3, static_cast<uint64_t>(static_cast<int64_t>(value))); }
    void operator()(uint32_t value) const { number(out, 3, value); }
    void operator()(int64_t value) const { number(out, 3, static_cast<uint64_t>(value)); }
    /// OTLP has no number for the upper half of these.
    void operator()(uint64_t value) const {
        if (value <= static_cast<uint64_t>(INT64_MAX)) return number(out, 3, value);
        bytes(out, 1, std::to_string(value));
    }
    void operator()(double value) const {
        uint64_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        fixed64(out, 4, bits);
    }
    void operator()(const char *value) const { bytes(out, 1, api::nostd::string_view(value ? value : "")); }
    void operator()(api::nostd::string_view value) const { bytes(out, 1, value); }
    void operator()(const std::string &value) const { bytes(out, 1, value); }
    void operator()(const std::vector<uint8_t> &value) const {
        bytes(out, 7, reinterpret_cast<const char *>(value.data()), value.size());
    }
    void operator()(api::nostd::span<const uint8_t> value) const {
        bytes(out, 7, reinterpret_cast<const char *>(value.data()), value.size());
    }
    template <typename Item>
    void operator()(const std::vector<Item> &values) const {
        array<Item>(values);
    }
    template <typename Item>
    void operator()(const api::nostd::span<const Item> &values) const {
        array<Item>(values);
    }

  private:
    template <typename Item, typename List>
    void array(const List &values) const {
        std::string items, item;
        for (const auto &value : values) {
            item.clear();
            // (Those of a vector<bool> are no bools.)
            AnyValue{item}(static_cast<const Item &>(value));
            bytes(items, 1, item);
        }
        bytes(out, 5, items);
    }
};

template <typename Value>
std::string any_value(const Value &value) {
    std::string out;
    api::nostd::visit(AnyValue{out}, value);
    return out;
}

/// A KeyValue as a field.
inline void key_value(std::string &out, unsigned field, api::nostd::string_view key, const std::string &value) {
    std::string pair;
    bytes(pair, 1, key);
    bytes(pair, 2, value);
    bytes(out, field, pair);
}
template <typename Map>
void attributes(std::string &out, unsigned field, const Map &map) {
    for (const auto &pair : map) key_value(out, field, pair.first, any_value(pair.second));
}
inline void attributes(std::string &out, unsigned field, const api::common::KeyValueIterable &list) {
    list.ForEachKeyValue([&](api::nostd::string_view key, api::common::AttributeValue value) noexcept {
        key_value(out, field, key, any_value(value));
        return true;
    });
}

/// Attributes that may be set again: the last one counts.
class Attributes {
  public:
    void set(api::nostd::string_view key, std::string value) {
        if (index_.empty() && list_.size() < MANY) {
            for (auto &pair : list_)
                if (api::nostd::string_view(pair.first) == key) return pair.second.swap(value);
        } else {
            if (index_.empty())
                for (std::size_t i = 0; i < list_.size(); i++) index_[list_[i].first] = i;
            const auto known = index_.emplace(std::string(key.data(), key.size()), list_.size());
            if (!known.second) return list_[known.first->second].second.swap(value);
        }
        list_.emplace_back(std::string(key.data(), key.size()), std::move(value));
    }
    void write(std::string &out, unsigned field) const {
        for (const auto &pair : list_) key_value(out, field, pair.first, pair.second);
    }

  private:
    static constexpr std::size_t MANY = 64;
    std::vector<std::pair<std::string, std::string>> list_;
    std::unordered_map<std::string, std::size_t> index_;
};

/// What is written once for each resource and scope, which live as long as their provider. No lock: a fork may come at
/// any time.
class Written {
  public:
    Written() = default;
    Written(const Written &) = delete;
    Written &operator=(const Written &) = delete;
    ~Written() {
        for (const Entry *entry = first_.load(); entry != nullptr;) {
            const Entry *next = entry->next;
            delete entry;
            entry = next;
        }
    }
    template <typename Write>
    const std::string &of(const void *what, Write write) {
        const Entry *first = first_.load(std::memory_order_acquire);
        for (const Entry *entry = first; entry != nullptr; entry = entry->next)
            if (entry->what == what) return entry->text;
        // Another thread may write the same beside it, which does no harm.
        Entry *entry = new Entry{what, std::string(), first};
        write(entry->text);
        while (!first_.compare_exchange_weak(entry->next, entry, std::memory_order_release, std::memory_order_acquire)) {
        }
        return entry->text;
    }

  private:
    struct Entry {
        const void *what;
        std::string text;
        const Entry *next;
    };
    std::atomic<const Entry *> first_{nullptr};
};

/// What spans and logs have in common.
struct Item {
    const sdk::resource::Resource *resource = nullptr;
    const sdk::instrumentationscope::InstrumentationScope *scope = nullptr;
};

/// Makes requests of items. ExportTraceServiceRequest and ExportLogsServiceRequest differ in nothing down to the items.
class Requests {
  public:
    /// `begin` to `end` are encoded items of one resource and scope.
    std::string request(const Item &item, const std::string &items) {
        static const Item none;
        const std::string &resource = resources_.of(item.resource ? static_cast<const void *>(item.resource) : &none,
                                                    [&](std::string &out) { write_resource(out, item.resource); });
        const std::string &scope = scopes_.of(item.scope ? static_cast<const void *>(item.scope) : &none,
                                              [&](std::string &out) { write_scope(out, item.scope); });
        std::string scoped = scope;
        scoped += items;
        std::string of_resource = resource;
        bytes(of_resource, 2, scoped);
        std::string request;
        bytes(request, 1, of_resource);
        return request;
    }

  private:
    static void write_resource(std::string &out, const sdk::resource::Resource *resource) {
        if (resource == nullptr) return;
        std::string message;
        attributes(message, 1, resource->GetAttributes());
        bytes(out, 1, message);
        some(out, 3, resource->GetSchemaURL());
    }
    static void write_scope(std::string &out, const sdk::instrumentationscope::InstrumentationScope *scope) {
        if (scope == nullptr) return;
        std::string message;
        some(message, 1, scope->GetName());
        some(message, 2, scope->GetVersion());
        attributes(message, 3, scope->GetAttributes());
        bytes(out, 1, message);
        some(out, 3, scope->GetSchemaURL());
    }
    Written resources_;
    Written scopes_;
};

inline sdk::common::ExportResult result(mpr_status status) {
    switch (status) {
        case MPR_OK:
        case MPR_SKIPPED:
            return sdk::common::ExportResult::kSuccess;
        case MPR_ERR_QUEUE_FULL:
            return sdk::common::ExportResult::kFailureFull;
        case MPR_ERR_INVALID_ARGUMENT:
            return sdk::common::ExportResult::kFailureInvalidArgument;
        default:
            return sdk::common::ExportResult::kFailure;
    }
}

/// Waits for libmpr to deliver. The SDK's "no limit" is half a minute here.
inline bool flush(std::chrono::microseconds timeout) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
    const mpr_status status = mpr_flush(static_cast<uint32_t>(ms < 0 ? 0 : ms > 30000 ? 30000 : ms));
    return status >= 0 || status == MPR_ERR_NOT_INITIALIZED;
}

inline bool is_session(const api::trace::TraceId &trace_id) {
    return mpr_trace_kind(trace_id.Id().data()) != MPR_TRACE_NONE;
}

/// False between mpr_shutdown() and mpr_init(), and without an mpr_init() that succeeded.
inline bool is_recording() {
    uint8_t id[8];
    return mpr_generate_span_id(id) == MPR_OK;
}

/// A span that is written as OTLP while it is made. One of no session keeps nothing.
class Span final : public sdk::trace::Recordable, public Item {
  public:
    bool wanted() const noexcept { return wanted_; }
    /// As the field `spans` of ScopeSpans.
    void write(std::string &out) const {
        std::string span;
        id(span, 1, context_.trace_id());
        id(span, 2, context_.span_id());
        if (context_.trace_state()) some(span, 3, context_.trace_state()->ToHeader());
        id(span, 4, parent_);
        bytes(span, 5, name_);
        number(span, 6, static_cast<uint64_t>(kind_) + 1);
        fixed64(span, 7, start_);
        fixed64(span, 8, start_ + duration_);
        attributes_.write(span, 9);
        span += fields_;
        if (status_ != 0 || !description_.empty()) {
            std::string status;
            some(status, 2, description_);
            number(status, 3, status_);
            bytes(span, 15, status);
        }
        fixed32(span, 16, context_.trace_flags().flags());
        bytes(out, 2, span);
    }

    void SetIdentity(const api::trace::SpanContext &context, api::trace::SpanId parent) noexcept override {
        context_ = context;
        parent_ = parent;
        wanted_ = is_session(context.trace_id());
    }
    void SetAttribute(api::nostd::string_view key, const api::common::AttributeValue &value) noexcept override {
        if (wanted_) attributes_.set(key, any_value(value));
    }
    void AddEvent(api::nostd::string_view name, api::common::SystemTimestamp timestamp,
                  const api::common::KeyValueIterable &list) noexcept override {
        if (!wanted_) return;
        std::string event;
        fixed64(event, 1, nanos(timestamp));
        bytes(event, 2, name);
        attributes(event, 3, list);
        bytes(fields_, 11, event);
    }
    void AddLink(const api::trace::SpanContext &context, const api::common::KeyValueIterable &list) noexcept override {
        if (!wanted_) return;
        std::string link;
        id(link, 1, context.trace_id());
        id(link, 2, context.span_id());
        if (context.trace_state()) some(link, 3, context.trace_state()->ToHeader());
        attributes(link, 4, list);
        fixed32(link, 6, context.trace_flags().flags());
        bytes(fields_, 13, link);
    }
    void SetStatus(api::trace::StatusCode code, api::nostd::string_view description) noexcept override {
        if (!wanted_) return;
        status_ = static_cast<unsigned>(code);
        description_.assign(description.data(), description.size());
    }
    void SetName(api::nostd::string_view name) noexcept override {
        if (wanted_) name_.assign(name.data(), name.size());
    }
    void SetSpanKind(api::trace::SpanKind kind) noexcept override { kind_ = static_cast<unsigned>(kind); }
    void SetResource(const sdk::resource::Resource &of) noexcept override { resource = &of; }
    void SetStartTime(api::common::SystemTimestamp time) noexcept override { start_ = nanos(time); }
    void SetDuration(std::chrono::nanoseconds duration) noexcept override {
        duration_ = static_cast<uint64_t>(duration.count());
    }
    void SetInstrumentationScope(const sdk::instrumentationscope::InstrumentationScope &of) noexcept override {
        scope = &of;
    }

  private:
    // Until the SDK has told the trace, whatever comes is kept.
    bool wanted_ = true;
    api::trace::SpanContext context_{false, false};
    api::trace::SpanId parent_;
    std::string name_;
    unsigned kind_ = 0;
    uint64_t start_ = 0;
    uint64_t duration_ = 0;
    unsigned status_ = 0;
    std::string description_;
    Attributes attributes_;
    std::string fields_;
};

/// A log, the same way. (The SDK's own recordable keeps pointers to texts of the caller's.)
class Log final : public sdk::logs::Recordable, public Item {
  public:
    bool wanted() const noexcept { return is_session(trace_id_); }
    /// As the field `log_records` of ScopeLogs.
    void write(std::string &out) const {
        std::string log;
        if (time_) fixed64(log, 1, time_);
        if (severity_) {
            number(log, 2, severity_);
            if (severity_ <= 24) bytes(log, 3, api::logs::SeverityNumToText[severity_]);
        }
        some(log, 5, body_);
        attributes_.write(log, 6);
        fixed32(log, 8, flags_);
        id(log, 9, trace_id_);
        id(log, 10, span_id_);
        if (observed_) fixed64(log, 11, observed_);
        some(log, 12, event_);
        bytes(out, 2, log);
    }

    void SetTimestamp(api::common::SystemTimestamp time) noexcept override { time_ = nanos(time); }
    void SetObservedTimestamp(api::common::SystemTimestamp time) noexcept override { observed_ = nanos(time); }
    void SetSeverity(api::logs::Severity severity) noexcept override { severity_ = static_cast<unsigned>(severity); }
    void SetBody(const api::common::AttributeValue &body) noexcept override { body_ = any_value(body); }
    void SetAttribute(api::nostd::string_view key, const api::common::AttributeValue &value) noexcept override {
        attributes_.set(key, any_value(value));
    }
    void SetEventId(int64_t, api::nostd::string_view name) noexcept override { event_.assign(name.data(), name.size()); }
    void SetTraceId(const api::trace::TraceId &trace_id) noexcept override { trace_id_ = trace_id; }
    void SetSpanId(const api::trace::SpanId &span_id) noexcept override { span_id_ = span_id; }
    void SetTraceFlags(const api::trace::TraceFlags &flags) noexcept override { flags_ = flags.flags(); }
    void SetResource(const sdk::resource::Resource &of) noexcept override { resource = &of; }
    void SetInstrumentationScope(const sdk::instrumentationscope::InstrumentationScope &of) noexcept override {
        scope = &of;
    }

  private:
    uint64_t time_ = 0;
    uint64_t observed_ = 0;
    unsigned severity_ = 0;
    std::string body_;
    Attributes attributes_;
    std::string event_;
    api::trace::TraceId trace_id_;
    api::trace::SpanId span_id_;
    uint32_t flags_ = 0;
};

/// Hands a batch over, a request for each run of items of one resource and scope.
template <typename Recorded, typename Recordable, typename Export>
sdk::common::ExportResult hand_over(Requests &requests, const api::nostd::span<std::unique_ptr<Recordable>> &batch,
                                    Export to) noexcept {
    mpr_status worst = MPR_OK;
    std::string items;
    Item of;
    const auto send = [&] {
        if (items.empty()) return;
        const std::string request = requests.request(of, items);
        const mpr_status status = to(reinterpret_cast<const uint8_t *>(request.data()), request.size());
        if (status < worst) worst = status;
        items.clear();
    };
    for (const auto &one : batch) {
        const auto *item = static_cast<const Recorded *>(one.get());
        if (item == nullptr || !item->wanted()) continue;
        if (item->resource != of.resource || item->scope != of.scope) send();
        of = *item;
        item->write(items);
    }
    send();
    return result(worst);
}

}  // namespace detail

/* ---- Ids and sampling ---- */

/// Trace ids that carry the session while one runs, and random ones otherwise.
class IdGenerator final : public sdk::trace::IdGenerator {
  public:
    // Seven of the sixteen bytes may be the session's: not what W3C's random flag promises.
    IdGenerator() : sdk::trace::IdGenerator(false) {}
    api::trace::TraceId GenerateTraceId() noexcept override {
        uint8_t id[16] = {0};
        mpr_generate_trace_id(id);
        return api::trace::TraceId(id);
    }
    api::trace::SpanId GenerateSpanId() noexcept override {
        uint8_t id[8] = {0};
        mpr_generate_span_id(id);
        return api::trace::SpanId(id);
    }
};

/// Keeps every session and documentation trace, and asks another sampler about the rest; with recording off, about all.
class SessionSampler final : public sdk::trace::Sampler {
  public:
    explicit SessionSampler(std::unique_ptr<sdk::trace::Sampler> others)
        : others_(std::move(others)),
          description_("MprSessionSampler{" + std::string(others_->GetDescription()) + "}") {}
    sdk::trace::SamplingResult ShouldSample(const api::trace::SpanContext &parent, api::trace::TraceId trace_id,
                                            api::nostd::string_view name, api::trace::SpanKind kind,
                                            const api::common::KeyValueIterable &attributes,
                                            const api::trace::SpanContextKeyValueIterable &links) noexcept override {
        // With recording off a trace of a session is one like all others.
        if (mpr_should_sample(trace_id.Id().data(), 0) == MPR_RECORD_AND_SAMPLE && detail::is_recording())
            return {sdk::trace::Decision::RECORD_AND_SAMPLE, nullptr, parent.trace_state()};
        return others_->ShouldSample(parent, trace_id, name, kind, attributes, links);
    }
    api::nostd::string_view GetDescription() const noexcept override { return description_; }

  private:
    std::unique_ptr<sdk::trace::Sampler> others_;
    std::string description_;
};

/// Keeps every session and documentation trace, and of the rest `ratio` (0 to 1) by the trace id, whatever the parent
/// says. (To follow the parent: SessionSampler around the SDK's ParentBasedSampler.)
class TraceIdRatioBasedSampler final : public sdk::trace::Sampler {
  public:
    explicit TraceIdRatioBasedSampler(double ratio)
        : ratio_(ratio), description_("MprTraceIdRatioBasedSampler{" + std::to_string(ratio) + "}") {}
    sdk::trace::SamplingResult ShouldSample(const api::trace::SpanContext &parent, api::trace::TraceId trace_id,
                                            api::nostd::string_view, api::trace::SpanKind,
                                            const api::common::KeyValueIterable &,
                                            const api::trace::SpanContextKeyValueIterable &) noexcept override {
        const bool kept = mpr_should_sample(trace_id.Id().data(), ratio_) == MPR_RECORD_AND_SAMPLE;
        return {kept ? sdk::trace::Decision::RECORD_AND_SAMPLE : sdk::trace::Decision::DROP, nullptr,
                parent.trace_state()};
    }
    api::nostd::string_view GetDescription() const noexcept override { return description_; }

  private:
    double ratio_;
    std::string description_;
};

/* ---- Session data to libmpr ---- */

/// Hands each span of a session to libmpr when it ends, on the thread that ends it. libmpr queues and batches, so nothing
/// stands between, and nothing is dropped but what mpr_get_stats() counts.
class SpanProcessor final : public sdk::trace::SpanProcessor {
  public:
    std::unique_ptr<sdk::trace::Recordable> MakeRecordable() noexcept override {
        return std::unique_ptr<sdk::trace::Recordable>(new detail::Span);
    }
    void OnStart(sdk::trace::Recordable &, const api::trace::SpanContext &) noexcept override {}
    void OnEnd(std::unique_ptr<sdk::trace::Recordable> &&span) noexcept override {
        detail::hand_over<detail::Span>(requests_, api::nostd::span<std::unique_ptr<sdk::trace::Recordable>>(&span, 1),
                                        mpr_export_traces);
    }
    /// Waits until libmpr has delivered; 30 s at most.
    bool ForceFlush(std::chrono::microseconds timeout = (std::chrono::microseconds::max)()) noexcept override {
        return detail::flush(timeout);
    }
    /// Does not wait: mpr_shutdown() delivers what is queued.
    bool Shutdown(std::chrono::microseconds = (std::chrono::microseconds::max)()) noexcept override { return true; }

  private:
    detail::Requests requests_;
};

/// The same as an exporter, for a processor of the SDK's or your own. (SpanProcessor needs none.)
class SpanExporter final : public sdk::trace::SpanExporter {
  public:
    std::unique_ptr<sdk::trace::Recordable> MakeRecordable() noexcept override {
        return std::unique_ptr<sdk::trace::Recordable>(new detail::Span);
    }
    sdk::common::ExportResult Export(
        const api::nostd::span<std::unique_ptr<sdk::trace::Recordable>> &spans) noexcept override {
        return detail::hand_over<detail::Span>(requests_, spans, mpr_export_traces);
    }
    bool ForceFlush(std::chrono::microseconds timeout = (std::chrono::microseconds::max)()) noexcept override {
        return detail::flush(timeout);
    }
    bool Shutdown(std::chrono::microseconds = (std::chrono::microseconds::max)()) noexcept override { return true; }

  private:
    detail::Requests requests_;
};

/// Hands each log of a session's trace to libmpr, on the thread that emits it. As SpanProcessor.
class LogRecordProcessor final : public sdk::logs::LogRecordProcessor {
  public:
    std::unique_ptr<sdk::logs::Recordable> MakeRecordable() noexcept override {
        return std::unique_ptr<sdk::logs::Recordable>(new detail::Log);
    }
    void OnEmit(std::unique_ptr<sdk::logs::Recordable> &&log) noexcept override {
        detail::hand_over<detail::Log>(requests_, api::nostd::span<std::unique_ptr<sdk::logs::Recordable>>(&log, 1),
                                       mpr_export_logs);
    }
    bool ForceFlush(std::chrono::microseconds timeout = (std::chrono::microseconds::max)()) noexcept override {
        return detail::flush(timeout);
    }
    bool Shutdown(std::chrono::microseconds = (std::chrono::microseconds::max)()) noexcept override { return true; }

  private:
    detail::Requests requests_;
};

/// The same as an exporter.
class LogRecordExporter final : public sdk::logs::LogRecordExporter {
  public:
    std::unique_ptr<sdk::logs::Recordable> MakeRecordable() noexcept override {
        return std::unique_ptr<sdk::logs::Recordable>(new detail::Log);
    }
    sdk::common::ExportResult Export(
        const api::nostd::span<std::unique_ptr<sdk::logs::Recordable>> &logs) noexcept override {
        return detail::hand_over<detail::Log>(requests_, logs, mpr_export_logs);
    }
    bool ForceFlush(std::chrono::microseconds timeout = (std::chrono::microseconds::max)()) noexcept override {
        return detail::flush(timeout);
    }
    bool Shutdown(std::chrono::microseconds = (std::chrono::microseconds::max)()) noexcept override { return true; }

  private:
    detail::Requests requests_;
};

/* ---- Session data kept out of another exporter ---- */

namespace detail {

/// Another exporter's recordable, with the trace known beside it.
class WrappedSpan final : public sdk::trace::Recordable {
  public:
    explicit WrappedSpan(std::unique_ptr<sdk::trace::Recordable> of) : inside(std::move(of)) {}
    bool session = false;
    std::unique_ptr<sdk::trace::Recordable> inside;

    void SetIdentity(const api::trace::SpanContext &context, api::trace::SpanId parent) noexcept override {
        session = is_session(context.trace_id()) && is_recording();
        inside->SetIdentity(context, parent);
    }
    void SetAttribute(api::nostd::string_view key, const api::common::AttributeValue &value) noexcept override {
        if (!session) inside->SetAttribute(key, value);
    }
    void AddEvent(api::nostd::string_view name, api::common::SystemTimestamp time,
                  const api::common::KeyValueIterable &list) noexcept override {
        if (!session) inside->AddEvent(name, time, list);
    }
    void AddLink(const api::trace::SpanContext &context, const api::common::KeyValueIterable &list) noexcept override {
        if (!session) inside->AddLink(context, list);
    }
    void SetStatus(api::trace::StatusCode code, api::nostd::string_view description) noexcept override {
        inside->SetStatus(code, description);
    }
    void SetName(api::nostd::string_view name) noexcept override { inside->SetName(name); }
    void SetTraceFlags(api::trace::TraceFlags flags) noexcept override { inside->SetTraceFlags(flags); }
    void SetSpanKind(api::trace::SpanKind kind) noexcept override { inside->SetSpanKind(kind); }
    void SetResource(const sdk::resource::Resource &resource) noexcept override { inside->SetResource(resource); }
    void SetStartTime(api::common::SystemTimestamp time) noexcept override { inside->SetStartTime(time); }
    void SetDuration(std::chrono::nanoseconds duration) noexcept override { inside->SetDuration(duration); }
#if MPR_OTEL_LIMITS
    void SetSpanLimits(const sdk::trace::SpanLimits &limits) noexcept override { inside->SetSpanLimits(limits); }
#endif
    explicit operator sdk::trace::SpanData *() const override { return static_cast<sdk::trace::SpanData *>(*inside); }
    void SetInstrumentationScope(const sdk::instrumentationscope::InstrumentationScope &scope) noexcept override {
        inside->SetInstrumentationScope(scope);
    }
};

class WrappedLog final : public sdk::logs::Recordable {
  public:
    explicit WrappedLog(std::unique_ptr<sdk::logs::Recordable> of) : inside(std::move(of)) {}
    bool session = false;
    std::unique_ptr<sdk::logs::Recordable> inside;

    void SetTimestamp(api::common::SystemTimestamp time) noexcept override { inside->SetTimestamp(time); }
    void SetObservedTimestamp(api::common::SystemTimestamp time) noexcept override { inside->SetObservedTimestamp(time); }
    void SetSeverity(api::logs::Severity severity) noexcept override { inside->SetSeverity(severity); }
    void SetBody(const api::common::AttributeValue &body) noexcept override { inside->SetBody(body); }
    void SetAttribute(api::nostd::string_view key, const api::common::AttributeValue &value) noexcept override {
        inside->SetAttribute(key, value);
    }
    void SetEventId(int64_t id, api::nostd::string_view name) noexcept override { inside->SetEventId(id, name); }
    void SetTraceId(const api::trace::TraceId &trace_id) noexcept override {
        session = is_session(trace_id) && is_recording();
        inside->SetTraceId(trace_id);
    }
    void SetSpanId(const api::trace::SpanId &span_id) noexcept override { inside->SetSpanId(span_id); }
    void SetTraceFlags(const api::trace::TraceFlags &flags) noexcept override { inside->SetTraceFlags(flags); }
    void SetResource(const sdk::resource::Resource &resource) noexcept override { inside->SetResource(resource); }
    void SetInstrumentationScope(const sdk::instrumentationscope::InstrumentationScope &scope) noexcept override {
        inside->SetInstrumentationScope(scope);
    }
#if MPR_OTEL_LIMITS
    void SetLogRecordLimits(const sdk::logs::LogRecordLimits &limits) noexcept override {
        inside->SetLogRecordLimits(limits);
    }
#endif
};

/// Those of a batch that belong to no session, as their own exporter made them.
template <typename Wrapped, typename Recordable, typename Exporter>
sdk::common::ExportResult pass_on(const api::nostd::span<std::unique_ptr<Recordable>> &batch, Exporter &to) noexcept {
    std::vector<std::unique_ptr<Recordable>> others;
    for (auto &one : batch) {
        auto *wrapped = static_cast<Wrapped *>(one.get());
        if (wrapped != nullptr && !wrapped->session) others.push_back(std::move(wrapped->inside));
    }
    if (others.empty()) return sdk::common::ExportResult::kSuccess;
    return to.Export(api::nostd::span<std::unique_ptr<Recordable>>(others.data(), others.size()));
}

}  // namespace detail

/// Another exporter without the session's spans, while there is a recorder that has them.
class SpanExporterWrapper final : public sdk::trace::SpanExporter {
  public:
    explicit SpanExporterWrapper(std::unique_ptr<sdk::trace::SpanExporter> exporter) : exporter_(std::move(exporter)) {}
    std::unique_ptr<sdk::trace::Recordable> MakeRecordable() noexcept override {
        auto inside = exporter_->MakeRecordable();
        if (!inside) return nullptr;
        return std::unique_ptr<sdk::trace::Recordable>(new detail::WrappedSpan(std::move(inside)));
    }
    sdk::common::ExportResult Export(
        const api::nostd::span<std::unique_ptr<sdk::trace::Recordable>> &spans) noexcept override {
        return detail::pass_on<detail::WrappedSpan>(spans, *exporter_);
    }
    bool ForceFlush(std::chrono::microseconds timeout = (std::chrono::microseconds::max)()) noexcept override {
        return exporter_->ForceFlush(timeout);
    }
    bool Shutdown(std::chrono::microseconds timeout = (std::chrono::microseconds::max)()) noexcept override {
        return exporter_->Shutdown(timeout);
    }

  private:
    std::unique_ptr<sdk::trace::SpanExporter> exporter_;
};

/// Another exporter without the session's logs. As SpanExporterWrapper.
class LogRecordExporterWrapper final : public sdk::logs::LogRecordExporter {
  public:
    explicit LogRecordExporterWrapper(std::unique_ptr<sdk::logs::LogRecordExporter> exporter)
        : exporter_(std::move(exporter)) {}
    std::unique_ptr<sdk::logs::Recordable> MakeRecordable() noexcept override {
        auto inside = exporter_->MakeRecordable();
        if (!inside) return nullptr;
        return std::unique_ptr<sdk::logs::Recordable>(new detail::WrappedLog(std::move(inside)));
    }
    sdk::common::ExportResult Export(
        const api::nostd::span<std::unique_ptr<sdk::logs::Recordable>> &logs) noexcept override {
        return detail::pass_on<detail::WrappedLog>(logs, *exporter_);
    }
    bool ForceFlush(std::chrono::microseconds timeout = (std::chrono::microseconds::max)()) noexcept override {
        return exporter_->ForceFlush(timeout);
    }
    bool Shutdown(std::chrono::microseconds timeout = (std::chrono::microseconds::max)()) noexcept override {
        return exporter_->Shutdown(timeout);
    }

  private:
    std::unique_ptr<sdk::logs::LogRecordExporter> exporter_;
};

/* ---- All of it ---- */

/// A tracer provider with your processors (in place of TracerProviderFactory::Create()), whose ids carry the session,
/// which samples every session trace and asks `sampler` (empty: all) about the rest, and which hands session spans to
/// libmpr.
inline std::unique_ptr<sdk::trace::TracerProvider> make_tracer_provider(
    std::vector<std::unique_ptr<sdk::trace::SpanProcessor>> processors = {},
    const sdk::resource::Resource &resource = sdk::resource::Resource::Create({}),
    std::unique_ptr<sdk::trace::Sampler> sampler = nullptr) {
    if (!sampler) sampler.reset(new sdk::trace::AlwaysOnSampler);
    processors.emplace_back(new SpanProcessor);
    return std::unique_ptr<sdk::trace::TracerProvider>(new sdk::trace::TracerProvider(
        std::move(processors), resource, std::unique_ptr<sdk::trace::Sampler>(new SessionSampler(std::move(sampler))),
        std::unique_ptr<sdk::trace::IdGenerator>(new IdGenerator)));
}

/// A logger provider with your processors, which also hands logs of session traces to libmpr.
inline std::unique_ptr<sdk::logs::LoggerProvider> make_logger_provider(
    std::vector<std::unique_ptr<sdk::logs::LogRecordProcessor>> processors = {},
    const sdk::resource::Resource &resource = sdk::resource::Resource::Create({})) {
    processors.emplace_back(new LogRecordProcessor);
    return std::unique_ptr<sdk::logs::LoggerProvider>(new sdk::logs::LoggerProvider(std::move(processors), resource));
}

/* ---- Content on a span ---- */

namespace detail {
inline void set_attribute(void *span, const char *key, size_t key_len, const char *value, size_t value_len) {
    static_cast<api::trace::Span *>(span)->SetAttribute(api::nostd::string_view(key, key_len),
                                                        api::nostd::string_view(value, value_len));
}
}  // namespace detail

/// Puts headers and body onto a span of a session, masked. `kind` is one of MPR_PAYLOAD_*.
inline mpr::Status capture(api::trace::Span &span, int32_t kind, const Headers &headers, Bytes body) {
    const api::trace::SpanContext context = span.GetContext();
    if (!span.IsRecording()) return mpr::Status(MPR_SKIPPED, std::string());
    return mpr::Status(mpr_capture_payload(kind, context.trace_id().Id().data(), headers.str().data(),
                                           headers.str().size(), body.data(), body.size(), &detail::set_attribute, &span));
}
/// Begins a payload that comes in pieces. Empty for a span of no session.
inline Capture begin_capture(const api::trace::Span &span, int32_t kind) {
    return span.IsRecording() ? Capture(kind, span.GetContext().trace_id().Id().data()) : Capture();
}
/// The payload is complete: puts it onto the span.
inline mpr::Status end_capture(api::trace::Span &span, Capture &&payload) {
    const Capture held(std::move(payload));
    return mpr::Status(mpr_capture_end(held.get(), &detail::set_attribute, &span));
}

/// Puts an exception onto a span and marks it failed, as OpenTelemetry's conventions say.
inline void record_exception(api::trace::Span &span, const std::exception &exception, const std::string &stacktrace = "") {
    if (!span.IsRecording()) return;
    const std::string type = type_name(exception), message = exception.what();
    std::map<std::string, api::common::AttributeValue> list{{"exception.type", api::nostd::string_view(type)},
                                                            {"exception.message", api::nostd::string_view(message)}};
    if (!stacktrace.empty()) list["exception.stacktrace"] = api::nostd::string_view(stacktrace);
    span.AddEvent("exception", list);
    span.SetStatus(api::trace::StatusCode::kError, message);
}

/// A span's ids for the functions of mpr.hpp: the parent of a span of libmpr's, or the trace of a log.
inline Context context_of(const api::trace::Span &span) noexcept {
    const api::trace::SpanContext context = span.GetContext();
    mpr_span_context plain;
    std::memset(&plain, 0, sizeof plain);
    std::memcpy(plain.trace_id, context.trace_id().Id().data(), sizeof plain.trace_id);
    std::memcpy(plain.span_id, context.span_id().Id().data(), sizeof plain.span_id);
    plain.trace_flags = context.trace_flags().flags();
    return Context(plain);
}

}  // namespace otel
}  // inline namespace
}  // namespace mpr

#endif  // MPR_OPENTELEMETRY_HPP
