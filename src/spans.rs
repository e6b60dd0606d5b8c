//! The library's own spans, for hosts with no OpenTelemetry of their own.
//!
//! Written straight as OTLP, without opentelemetry_sdk: its spans cost several times as much on the host's thread.

use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{span::Event, span::SpanKind, SpanFlags, Status};
use prost::Message;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::intake::Intake;
use crate::mask::PLACEHOLDER;
use crate::masker::Masker;
use crate::pipeline::otlp::{key_value, Begin, Envelope, Plain, SpanWriter};
use crate::pipeline::Open;
use crate::process::clock;
use crate::process::log::{self, Level};
use crate::status::{Error, Result, MPR_ERR_QUEUE_FULL};
use crate::trace::{ids, sampler, Kind, SessionPrefix};

/// The scope of the library's own spans and logs.
pub const OWN_SCOPE: &str = "libmpr";
/// The scope whose error rows the platform's page shows with type and message.
const EXCEPTION_SCOPE: &str = "exception";
/// The platform makes an EXCEPTION of an error only when it has a stack trace.
const NO_STACK: &str = "at <no stack trace given>";

/// What a span and an event take beside what is set on them.
const SPAN_BYTES: usize = 512;
const EVENT_BYTES: usize = 96;

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
}

/// A span that is kept and sent.
pub struct Recording {
    ids: Ids,
    writer: SpanWriter,
    status: Status,
    began: u64,
    /// Of the recorder that it began in, also after that one's end.
    home: Arc<Home>,
    envelope: Arc<Envelope>,
    room: Open,
}

/// What all spans of a recorder share.
struct Home {
    own: Arc<Envelope>,
    exception: Arc<Envelope>,
    masker: Arc<Masker>,
    intake: Arc<Intake>,
}

impl Recording {
    /// Sets a text, masked.
    ///
    /// # Errors
    /// MPR_ERR_QUEUE_FULL; it is then left out, and so for all that add to the span.
    pub fn set_text(&mut self, key: &str, text: &str) -> Result<()> {
        let Self { home, writer, room, .. } = self;
        home.masker.key(key, |key| {
            let text = if key.sensitive { Cow::Borrowed(PLACEHOLDER) } else { home.masker.text(text) };
            set(writer, room, &key.text, Plain::Text(&text))
        })
    }

    /// Sets a number or truth value; the placeholder when its key says that it is a secret.
    ///
    /// # Errors
    /// As for [`Recording::set_text`].
    pub fn set_plain(&mut self, key: &str, value: Plain<'_>) -> Result<()> {
        let Self { home, writer, room, .. } = self;
        home.masker
            .key(key, |key| set(writer, room, &key.text, if key.sensitive { Plain::Text(PLACEHOLDER) } else { value }))
    }

    /// Sets texts as they are, for what is masked already.
    ///
    /// # Errors
    /// As for [`Recording::set_text`].
    pub fn set_masked(&mut self, attributes: &[(String, String)]) -> Result<()> {
        let mut texts = attributes.iter().map(|(key, text)| (key, Plain::Text(text)));
        texts.try_for_each(|(key, text)| set(&mut self.writer, &mut self.room, key, text))
    }

    /// Adds an event that happens now, masked.
    ///
    /// # Errors
    /// As for [`Recording::set_text`].
    pub fn add_event(&mut self, name: &str, attributes: Map<String, Value>) -> Result<()> {
        let attributes = self.home.masker.object(attributes).into_iter();
        let event = event(&self.home.masker.text(name), attributes);
        grow(&mut self.room, EVENT_BYTES + event.encoded_len())?;
        self.writer.add_event(&event);
        Ok(())
    }

    /// Marks the span failed, with a message that is masked.
    pub fn set_error(&mut self, message: &str) {
        let message = self.home.masker.text(message).into_owned();
        self.set_status(StatusCode::Error, message);
    }

    /// Marks the span as one that succeeded.
    pub fn set_ok(&mut self) {
        self.set_status(StatusCode::Ok, String::new());
    }

    /// OK is final; an error is not taken back, and a later one with a message replaces it.
    fn set_status(&mut self, code: StatusCode, message: String) {
        let replaces = match (self.status.code(), code) {
            (StatusCode::Ok, _) => false,
            (StatusCode::Error, StatusCode::Error) => !message.is_empty(),
            _ => true,
        };
        if replaces {
            self.status = Status { code: code.into(), message };
        }
    }

    /// Hands the span over.
    pub fn end(self) {
        // From here on it takes the room of an item.
        drop(self.room);
        let session = SessionPrefix::of(&self.ids.trace_id);
        // (The clock may have been set back.)
        let (time, writer, status, envelope) =
            (clock::unix_nanos().max(self.began), self.writer, self.status, self.envelope);
        let taken = self.home.intake.span(session, || writer.end(time, &status, session, envelope));
        // A full queue is counted there; the host's hot path is not the place to hear of it.
        if let Err(e) = taken {
            log::write_at_most_once_a_second(Level::Warn, || format!("spans are dropped: {}", e.message));
        }
    }
}

fn grow(room: &mut Open, bytes: usize) -> Result<()> {
    match room.grow(bytes) {
        true => Ok(()),
        false => Err(Error::new(MPR_ERR_QUEUE_FULL, "queue_max_bytes is used up, also by spans that are open")),
    }
}

fn set(writer: &mut SpanWriter, room: &mut Open, key: &str, value: Plain<'_>) -> Result<()> {
    let size = SpanWriter::size_of(key, value);
    grow(room, size)?;
    put(writer, room, key, value, size);
    Ok(())
}

/// What was taken for it, and is not used by it, is free again.
fn put(writer: &mut SpanWriter, room: &mut Open, key: &str, value: Plain<'_>, size: usize) {
    let most = writer.size() + size;
    writer.set(key, value);
    room.shrink(most - writer.size());
}

fn event(name: &str, attributes: impl Iterator<Item = (String, Value)>) -> Event {
    let attributes = attributes.map(|(key, value)| key_value(&key, value)).collect();
    Event { time_unix_nano: clock::unix_nanos(), name: name.to_owned(), attributes, ..Event::default() }
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
            Self::Recording(recording) => recording.ids,
            Self::Skipped(ids) => *ids,
        }
    }
}

/// Makes spans.
pub struct Tracer {
    home: Arc<Home>,
    config: Arc<Config>,
}

impl Tracer {
    /// For this recorder.
    pub fn new(config: &Arc<Config>, intake: Arc<Intake>, masker: Arc<Masker>) -> Self {
        let resource = own_resource(config);
        let own = own_envelope(&resource, OWN_SCOPE);
        let exception = own_envelope(&resource, EXCEPTION_SCOPE);
        Self { home: Arc::new(Home { own, exception, masker, intake }), config: Arc::clone(config) }
    }

    /// Room for a span. Where there is none, the span is counted as dropped.
    fn room(&self, name: &str) -> Option<Open> {
        let pipeline = self.home.intake.pipeline();
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
        OwnSpan::Recording(Box::new(self.begin_recorded(name, kind, trace_id, parent, &self.home.own, room)))
    }

    fn begin_recorded(
        &self,
        name: &str,
        kind: SpanKind,
        trace_id: [u8; 16],
        parent: Option<Ids>,
        envelope: &Arc<Envelope>,
        room: Open,
    ) -> Recording {
        let parent = parent.filter(Ids::is_valid);
        let flags = parent.map_or(0, |parent| parent.flags) | 1;
        let ids = Ids { trace_id, span_id: ids::span_id(), flags, local: true };
        let began = clock::unix_nanos();
        let writer = SpanWriter::new(&Begin {
            trace_id: &ids.trace_id,
            span_id: &ids.span_id,
            parent: parent.map(|parent| parent.span_id),
            flags: u32::from(flags)
                | SpanFlags::ContextHasIsRemoteMask as u32
                | if parent.is_some_and(|parent| !parent.local) { SpanFlags::ContextIsRemoteMask as u32 } else { 0 },
            name: &self.home.masker.text(name),
            kind: kind.into(),
            time: began,
        });
        let (home, envelope) = (Arc::clone(&self.home), Arc::clone(envelope));
        Recording { ids, writer, status: Status::default(), began, home, envelope, room }
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
        let mut recording = self.begin_recorded(kind, SpanKind::Internal, trace_id, parent, &self.home.exception, room);
        self.record_exception(&mut recording, kind, message, stacktrace);
        recording.end();
        true
    }

    /// Puts an exception on a span as event and attributes and marks the span failed. Message and stack are masked and
    /// freed of raw addresses, which would make every crash a new issue.
    pub fn record_exception(&self, span: &mut Recording, kind: &str, message: &str, stacktrace: &str) {
        let masker = &self.home.masker;
        let clean = |text: &str| masker.text(&without_addresses(text)).into_owned();
        let kind = masker.text(kind);
        let message = clean(message);
        let stacktrace = match stacktrace {
            "" => format!("{kind}: {message}\n    {NO_STACK}"),
            given => clean(given),
        };
        let attributes =
            [("exception.type", &*kind), ("exception.message", &message), ("exception.stacktrace", &stacktrace)];
        // What a span is looked for by is kept also without room; it is little, and bounded by what the host hands over.
        let size = |(key, value): &(&str, &str)| SpanWriter::size_of(key, Plain::Text(value));
        span.room.grow(2 * attributes.iter().map(size).sum::<usize>());
        for attribute in attributes {
            put(&mut span.writer, &mut span.room, attribute.0, Plain::Text(attribute.1), size(&attribute));
        }
        let attributes = attributes.into_iter().map(|(key, value)| (key.to_owned(), value.into()));
        span.writer.add_event(&event("exception", attributes));
        span.set_status(StatusCode::Error, message);
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

/// The library's own resource as OTLP has it.
pub fn own_resource(config: &Config) -> Resource {
    let attributes = config.resource.iter().map(|(key, value)| key_value(key, value.clone())).collect();
    Resource { attributes, ..Resource::default() }
}

/// What items of this resource and scope share.
pub fn own_envelope(resource: &Resource, scope: &str) -> Arc<Envelope> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let scope = InstrumentationScope { name: scope.to_owned(), version, ..InstrumentationScope::default() };
    Arc::new(Envelope::new(resource, "", &scope, ""))
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
