//! The library's own spans, for hosts with no OpenTelemetry of their own: opentelemetry_sdk's tracer with the library's
//! ids and sampling, its finished spans handed to the intake.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, Key, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource as OtlpResource;
use opentelemetry_proto::tonic::trace::v1::Span as OtlpSpan;
use opentelemetry_proto::transform::common::tonic::Attributes;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{IdGenerator, Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor};
use opentelemetry_sdk::Resource;
use serde_json::{Map, Value};

use crate::config::{otel_value, Config};
use crate::intake::Intake;
use crate::mask::PLACEHOLDER;
use crate::masker::Masker;
use crate::pipeline::otlp::Envelope;
use crate::pipeline::Open;
use crate::process::log::{self, Level};
use crate::status::{Error, Result, MPR_ERR_QUEUE_FULL};
use crate::trace::{ids, sampler, Kind};

/// The scope whose error rows the platform's page shows with type and message.
const EXCEPTION_SCOPE: &str = "exception";
/// The platform makes an EXCEPTION of an error only when it has a stack trace.
const NO_STACK: &str = "at <no stack trace given>";

/// The SDK's own limit of 128 would drop what a host means to keep; the size limit of an item does the rest. What is over
/// these is counted in the span's dropped_attributes_count and dropped_events_count.
const MAX_ATTRIBUTES: u32 = 4_096;
const MAX_EVENTS: u32 = 10_000;
/// What a span and an event take beside what is set on them.
const SPAN_BYTES: usize = 512;
const EVENT_BYTES: usize = 96;
/// So many attributes are looked through faster than a map is kept.
const FEW_ATTRIBUTES: usize = 32;

/// Ids and flags of a span, here or in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ids {
    /// Trace id; all zero is no trace.
    pub trace_id: [u8; 16],
    /// Span id; all zero is no span.
    pub span_id: [u8; 8],
    /// W3C flags; 1 is sampled.
    pub flags: u8,
    /// Known to be of this process.
    pub local: bool,
}

impl Ids {
    /// Neither id is all zero.
    pub fn is_valid(&self) -> bool {
        self.trace_id != [0; 16] && self.span_id != [0; 8]
    }

    fn of(context: &SpanContext) -> Self {
        Self {
            trace_id: context.trace_id().to_bytes(),
            span_id: context.span_id().to_bytes(),
            flags: context.trace_flags().to_u8(),
            local: true,
        }
    }
}

/// A span that is kept and sent. Attributes wait here until its end: the SDK's list keeps every value of a repeated key,
/// and drops what comes after its limit, which may be what matters most.
pub struct Recording {
    span: Span,
    status: Status,
    attributes: Vec<KeyValue>,
    /// Where a key stands, once there are too many to look through.
    places: HashMap<Key, usize>,
    /// The rules of the recorder that the span began in, also after its end.
    masker: Arc<Masker>,
    room: Open,
}

impl Recording {
    fn new(span: Span, masker: Arc<Masker>, room: Open) -> Self {
        Self { span, status: Status::Unset, attributes: Vec::new(), places: HashMap::new(), masker, room }
    }

    /// Sets a text, masked.
    ///
    /// # Errors
    /// MPR_ERR_QUEUE_FULL; it is then left out, and so for all that add to the span.
    pub fn set_text(&mut self, key: &str, text: &str) -> Result<()> {
        let text = self.masker.attribute(key, text);
        self.set_attribute(KeyValue::new(self.masker.text(key), text))
    }

    /// Sets a number or truth value; the placeholder when its key says that it is a secret.
    ///
    /// # Errors
    /// As for [`Recording::set_text`].
    pub fn set_plain(&mut self, key: &str, value: opentelemetry::Value) -> Result<()> {
        let value = if self.masker.is_sensitive(key) { PLACEHOLDER.into() } else { value };
        self.set_attribute(KeyValue::new(self.masker.text(key), value))
    }

    /// Sets attributes as they are, for what is masked already.
    ///
    /// # Errors
    /// As for [`Recording::set_text`].
    pub fn set_attributes(&mut self, attributes: Vec<KeyValue>) -> Result<()> {
        attributes.into_iter().try_for_each(|attribute| self.set_attribute(attribute))
    }

    fn set_attribute(&mut self, attribute: KeyValue) -> Result<()> {
        self.grow(size(&attribute))?;
        if let Some(replaced) = self.put_attribute(attribute) {
            self.room.shrink(size(&replaced));
        }
        Ok(())
    }

    fn grow(&mut self, bytes: usize) -> Result<()> {
        match self.room.grow(bytes) {
            true => Ok(()),
            false => Err(Error::new(MPR_ERR_QUEUE_FULL, "queue_max_bytes is used up, also by spans that are open")),
        }
    }

    /// A second value for a key replaces the first, which is then the result.
    fn put_attribute(&mut self, attribute: KeyValue) -> Option<KeyValue> {
        let place = match self.attributes.len() {
            few @ 0..=FEW_ATTRIBUTES => self.attributes.iter().take(few).position(|kv| kv.key == attribute.key),
            _ => {
                for (place, kv) in self.attributes.iter().enumerate().skip(self.places.len()) {
                    self.places.insert(kv.key.clone(), place);
                }
                self.places.get(&attribute.key).copied()
            }
        };
        match place.and_then(|place| self.attributes.get_mut(place)) {
            Some(kv) => Some(std::mem::replace(kv, attribute)),
            None => {
                self.attributes.push(attribute);
                None
            }
        }
    }

    /// Adds an event that happens now, masked.
    ///
    /// # Errors
    /// As for [`Recording::set_text`].
    pub fn add_event(&mut self, name: &str, attributes: Map<String, Value>) -> Result<()> {
        let attributes = self.masker.object(attributes).into_iter();
        let attributes: Vec<_> = attributes.map(|(key, value)| KeyValue::new(key, otel_value(&value))).collect();
        self.grow(EVENT_BYTES + name.len() + attributes.iter().map(size).sum::<usize>())?;
        self.span.add_event(self.masker.text(name), attributes);
        Ok(())
    }

    /// Marks the span failed, with a message that is masked.
    pub fn set_error(&mut self, message: &str) {
        self.set_status(Status::error(self.masker.text(message)));
    }

    /// Says whether the work succeeded. OK is final; an error is not taken back, and a later one with a message replaces it.
    pub fn set_status(&mut self, status: Status) {
        let replaces = match (&self.status, &status) {
            (Status::Ok, _) | (_, Status::Unset) => false,
            (Status::Error { .. }, Status::Error { description }) => !description.is_empty(),
            _ => true,
        };
        if replaces {
            self.status = status;
        }
    }

    /// Hands the span over.
    pub fn end(mut self) {
        let mut attributes = std::mem::take(&mut self.attributes);
        let important = |kv: &KeyValue| ["exception.", "multiplayer."].iter().any(|p| kv.key.as_str().starts_with(p));
        if attributes.len() > MAX_ATTRIBUTES as usize {
            attributes.sort_by_key(|kv| !important(kv));
        }
        self.span.set_attributes(attributes);
        self.span.set_status(std::mem::take(&mut self.status));
        // From here on it takes the room of an item.
        drop(self.room);
        self.span.end();
    }
}

fn size(attribute: &KeyValue) -> usize {
    let value = match &attribute.value {
        opentelemetry::Value::String(text) => text.as_str().len(),
        _ => 0,
    };
    size_of::<KeyValue>() + attribute.key.as_str().len() + value
}

/// A span between begin and end.
pub enum OwnSpan {
    /// Kept and sent.
    Recording(Box<Recording>),
    /// Only its ids live on, for the services that it calls.
    Skipped(Ids),
}

impl OwnSpan {
    /// Its ids.
    pub fn ids(&self) -> Ids {
        match self {
            Self::Recording(recording) => Ids::of(recording.span.span_context()),
            Self::Skipped(ids) => *ids,
        }
    }
}

/// Makes spans.
pub struct Tracer {
    // The provider is never shut down: a span that ends after the recorder is then counted by the queue, where the SDK
    // would drop it in silence.
    spans: SdkTracer,
    exceptions: SdkTracer,
    config: Arc<Config>,
    masker: Arc<Masker>,
    intake: Arc<Intake>,
}

impl Tracer {
    /// For this recorder.
    pub fn new(config: &Arc<Config>, intake: Arc<Intake>, masker: Arc<Masker>) -> Self {
        let scope =
            |name: &'static str| InstrumentationScope::builder(name).with_version(env!("CARGO_PKG_VERSION")).build();
        let (own, exception) = (scope("libmpr"), scope(EXCEPTION_SCOPE));
        let resource = own_resource(config);
        let handover = Handover {
            own: envelope(&resource, &own),
            exception: envelope(&resource, &exception),
            intake: Arc::clone(&intake),
        };
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder_empty().build())
            .with_id_generator(Ids::default())
            .with_sampler(Sampler::AlwaysOn)
            .with_max_attributes_per_span(MAX_ATTRIBUTES)
            .with_max_attributes_per_event(MAX_ATTRIBUTES)
            .with_max_events_per_span(MAX_EVENTS)
            .with_span_processor(handover)
            .build();
        Self {
            spans: provider.tracer_with_scope(own),
            exceptions: provider.tracer_with_scope(exception),
            config: Arc::clone(config),
            masker,
            intake,
        }
    }

    /// Room for a span. Where there is none, the span is counted as dropped.
    fn room(&self, name: &str) -> Option<Open> {
        let pipeline = self.intake.pipeline();
        let room = Open::take(pipeline.budget(), SPAN_BYTES + name.len());
        if room.is_none() {
            pipeline.refuse_one();
            log::write_at_most_once_a_second(Level::Warn, || "spans are dropped: queue_max_bytes is used up".into());
        }
        room
    }

    /// Begins a span below `parent`, or a root span. A session's traces are always recorded, others follow their parent
    /// or, at the root, the host's sampler hook or the configured ratio.
    pub fn begin(&self, name: &str, kind: SpanKind, parent: Option<Ids>) -> OwnSpan {
        let parent = parent.filter(Ids::is_valid);
        let trace_id = parent.map_or_else(|| self.root_id(), |parent| parent.trace_id);
        if !self.recorded(&trace_id, parent) {
            return OwnSpan::Skipped(Ids { trace_id, span_id: ids::span_id(), flags: 0, local: true });
        }
        let Some(room) = self.room(name) else {
            // Its children elsewhere may be recorded all the same.
            return OwnSpan::Skipped(Ids { trace_id, span_id: ids::span_id(), flags: 1, local: true });
        };
        let span = begin_recorded(&self.spans, self.masker.text(name), kind, trace_id, parent);
        OwnSpan::Recording(Box::new(Recording::new(span, Arc::clone(&self.masker), room)))
    }

    /// Records an exception that no span of this library stands for, as a span of its own in the scope that the platform
    /// shows as an error row. False when it belongs to no recorded trace.
    pub fn exception(&self, kind: &str, message: &str, stacktrace: &str, parent: Option<Ids>) -> bool {
        let parent = parent.filter(|parent| parent.trace_id != [0; 16]);
        let trace_id = parent.map_or_else(|| self.root_id(), |parent| parent.trace_id);
        if !self.recorded(&trace_id, parent) {
            return false;
        }
        let Some(room) = self.room(kind) else { return false };
        let span = begin_recorded(&self.exceptions, self.masker.text(kind), SpanKind::Internal, trace_id, parent);
        let mut recording = Recording::new(span, Arc::clone(&self.masker), room);
        self.record_exception(&mut recording, kind, message, stacktrace);
        recording.end();
        true
    }

    /// Puts an exception on a span as event and attributes and marks the span failed. Message and stack are masked and
    /// freed of raw addresses, which would make every crash a new issue.
    pub fn record_exception(&self, span: &mut Recording, kind: &str, message: &str, stacktrace: &str) {
        let clean = |text: &str| self.masker.text(&without_addresses(text));
        let kind = self.masker.text(kind);
        let message = clean(message);
        let stacktrace = match stacktrace {
            "" => format!("{kind}: {message}\n    {NO_STACK}"),
            given => clean(given),
        };
        let attributes = vec![
            KeyValue::new("exception.type", kind),
            KeyValue::new("exception.message", message.clone()),
            KeyValue::new("exception.stacktrace", stacktrace),
        ];
        // What a span is looked for by is kept also without room; it is little, and bounded by what the host hands over.
        span.room.grow(2 * attributes.iter().map(size).sum::<usize>());
        for attribute in attributes.clone() {
            span.put_attribute(attribute);
        }
        span.span.add_event("exception", attributes);
        span.set_status(Status::error(message));
    }

    fn recorded(&self, trace_id: &[u8; 16], parent: Option<Ids>) -> bool {
        if Kind::of(trace_id) != Kind::None {
            return true;
        }
        match (parent, &self.config.hooks.sampler) {
            (Some(parent), _) => parent.flags & 1 == 1,
            (None, Some(hook)) => hook(trace_id, self.config.sample_ratio),
            (None, None) => sampler::should_sample(trace_id, self.config.sample_ratio),
        }
    }

    fn root_id(&self) -> [u8; 16] {
        let from_host = self.config.hooks.trace_id.as_ref().and_then(|hook| hook());
        from_host.map_or_else(ids::trace_id, ids::stamp_host_id)
    }
}

thread_local! {
    /// The trace id that the SDK's next root span on this thread gets: the SDK asks a generator, and the decision that
    /// the span is worth making needs the id before.
    static NEXT_TRACE_ID: Cell<[u8; 16]> = const { Cell::new([0; 16]) };
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from_bytes(NEXT_TRACE_ID.get())
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from_bytes(ids::span_id())
    }
}

fn begin_recorded(tracer: &SdkTracer, name: String, kind: SpanKind, trace_id: [u8; 16], parent: Option<Ids>) -> Span {
    NEXT_TRACE_ID.set(trace_id);
    let context = match parent.filter(Ids::is_valid) {
        None => Context::new(),
        Some(parent) => Context::new().with_remote_span_context(SpanContext::new(
            TraceId::from_bytes(parent.trace_id),
            SpanId::from_bytes(parent.span_id),
            TraceFlags::new(parent.flags),
            !parent.local,
            TraceState::NONE,
        )),
    };
    tracer.build_with_context(SpanBuilder::from_name(name).with_kind(kind), &context)
}

/// The SDK's processor: each finished span goes straight to the intake.
struct Handover {
    own: Arc<Envelope>,
    exception: Arc<Envelope>,
    intake: Arc<Intake>,
}

impl std::fmt::Debug for Handover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handover")
    }
}

impl SpanProcessor for Handover {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let envelope = if span.instrumentation_scope.name() == EXCEPTION_SCOPE { &self.exception } else { &self.own };
        // A full queue is counted there; the host's hot path is not the place to hear of it.
        if let Err(e) = self.intake.span(OtlpSpan::from(span), Arc::clone(envelope)) {
            log::write_at_most_once_a_second(Level::Warn, || format!("spans are dropped: {}", e.message));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The library's own resource as OTLP has it.
pub fn own_resource(config: &Config) -> OtlpResource {
    OtlpResource { attributes: Attributes::from(config.resource.clone()).0, ..OtlpResource::default() }
}

/// What items of this resource and scope share.
pub fn envelope(resource: &OtlpResource, scope: &InstrumentationScope) -> Arc<Envelope> {
    Arc::new(Envelope::new(resource, "", &(scope.clone(), None).into(), ""))
}

/// Replaces raw addresses (`0x7ffd2c3a1b40`): they differ in every run, and the platform tells issues apart by text.
pub fn without_addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        let (before, from) = rest.split_at(at);
        let digits = from.bytes().skip(2).take_while(u8::is_ascii_hexdigit).count();
        let (number, after) = from.split_at(2 + digits);
        out.push_str(before);
        // A short number is an offset or a flag, and stays.
        out.push_str(if digits >= 6 { "0x…" } else { number });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Reads a W3C traceparent header. None for anything that the specification calls invalid.
pub fn parse_traceparent(text: &str) -> Option<Ids> {
    let bytes = text.trim().as_bytes();
    let hex = |range: std::ops::Range<usize>, out: &mut [u8]| {
        for (i, pair) in bytes.get(range)?.chunks_exact(2).enumerate() {
            if !pair.iter().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(c)) {
                return None;
            }
            *out.get_mut(i)? = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(())
    };
    let (mut version, mut ids, mut flags) = ([0], Ids::default(), [0]);
    hex(0..2, &mut version)?;
    hex(3..35, &mut ids.trace_id)?;
    hex(36..52, &mut ids.span_id)?;
    hex(53..55, &mut flags)?;
    ids.flags = flags[0];
    let dashes = [2, 35, 52].iter().all(|at| bytes.get(*at) == Some(&b'-'));
    // A later version may go on after another dash; version ff never exists.
    let length = bytes.len() == 55 || (version[0] > 0 && bytes.get(55) == Some(&b'-'));
    (dashes && length && version[0] != 0xff && ids.is_valid()).then_some(ids)
}

/// Writes a W3C traceparent header: 55 characters.
pub fn format_traceparent(ids: &Ids) -> String {
    format!("00-{:032x}-{:016x}-{:02x}", u128::from_be_bytes(ids.trace_id), u64::from_be_bytes(ids.span_id), ids.flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparent_as_the_specification_has_it() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let ids = parse_traceparent(good).unwrap();
        assert_eq!(format_traceparent(&ids), good);
        assert_eq!(ids.flags, 1);
        assert!(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes").is_some());
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(parse_traceparent(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_go_and_offsets_stay() {
        assert_eq!(without_addresses("at 0x7ffd2c3a1b40 in f+0x1f, 0x"), "at 0x… in f+0x1f, 0x");
    }
}
