//! The waist: one recorded span or log as encoded OTLP with the session that it belongs to, and the requests made of
//! such items. Everything that the library records, and everything that a host's SDK hands over, becomes this.
//!
//! Here also stands what the platform needs of spans and logs beyond OTLP (docs/protocol.md): its intake looks at old
//! attribute names, at the first event only, and at one trace type per ResourceSpans.

mod writer;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::{any_value, AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{json, Value};

use super::budget::{Budget, Shared};
use super::spool::Slot;
use crate::process::clock;
use crate::trace::{Kind, SessionPrefix};

pub use writer::{Begin, Plain, SpanWriter};

/// The platform drops a span or log above 1,000,000 bytes; what the intake adds needs some of that.
const MAX_ITEM_BYTES: usize = 950_000;
/// Texts up to this length are not worth cutting.
const LONGEST_SHORT_TEXT: usize = 1024;

/// Which of the two requests an item goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// A span.
    Traces,
    /// A log record.
    Logs,
}

/// Both.
pub const SIGNALS: [Signal; 2] = [Signal::Traces, Signal::Logs];

/// The parts that many items share: their resource and scope, encoded as they stand in a request.
pub struct Envelope {
    resource: Vec<u8>,
    scope: Vec<u8>,
    room: Room,
}

/// Where a shared part has its room from.
enum Room {
    /// The library's own, which live as long as it does.
    Own,
    Budget {
        _held: Shared,
    },
    /// There was none.
    None,
}

impl Envelope {
    /// Encodes a resource and a scope with their schema URLs.
    pub fn new(resource: &Resource, resource_schema: &str, scope: &InstrumentationScope, scope_schema: &str) -> Self {
        Self { resource: part(resource, resource_schema), scope: part(scope, scope_schema), room: Room::Own }
    }

    /// The same on a budget, which it may find used up.
    pub fn on(self, budget: &Arc<Budget>) -> Arc<Self> {
        let room = match Shared::take(budget, self.size() as u64) {
            Some(held) => Room::Budget { _held: held },
            None => Room::None,
        };
        Arc::new(Self { room, ..self })
    }

    /// Its two parts, as they stand in a request.
    pub fn parts(&self) -> (&[u8], &[u8]) {
        (&self.resource, &self.scope)
    }

    /// From its parts.
    pub fn from_parts(resource: Vec<u8>, scope: Vec<u8>) -> Self {
        Self { resource, scope, room: Room::Own }
    }

    /// Whether its items can be kept.
    pub fn has_room(&self) -> bool {
        !matches!(self.room, Room::None)
    }

    /// Bytes.
    pub fn size(&self) -> usize {
        self.resource.len() + self.scope.len()
    }
}

/// Fields 1 (the message) and 3 (its schema URL) of ResourceSpans, ScopeSpans, ResourceLogs and ScopeLogs alike.
fn part(message: &impl Message, schema_url: &str) -> Vec<u8> {
    let mut out = Vec::new();
    append_field(1, &message.encode_to_vec(), &mut out);
    if !schema_url.is_empty() {
        append_field(3, schema_url.as_bytes(), &mut out);
    }
    out
}

/// One recorded span or log.
pub struct Item {
    /// Traces or logs.
    pub signal: Signal,
    /// The session that it belongs to; the default outside sessions.
    pub session: SessionPrefix,
    /// A span that ended in error.
    pub error: bool,
    /// Resource and scope.
    pub envelope: Arc<Envelope>,
    /// The encoded Span or LogRecord.
    pub bytes: Bytes,
    /// Where it stands in the spool, if there is one.
    pub slot: Option<Arc<Slot>>,
}

impl Item {
    /// A span as the platform wants it.
    pub fn span(mut span: Span, envelope: Arc<Envelope>) -> Self {
        adapt_span(&mut span);
        let mut bytes = span.encode_to_vec();
        if bytes.len() > MAX_ITEM_BYTES {
            shrink(&mut span);
            bytes = span.encode_to_vec();
        }
        let (session, error) = (session_of(&span.trace_id), is_error(&span));
        Self { signal: Signal::Traces, session, error, envelope, bytes: bytes.into(), slot: None }
    }

    /// A log record as the platform wants it.
    pub fn log(mut record: LogRecord, envelope: Arc<Envelope>) -> Self {
        let session = session_of(&record.trace_id);
        adapt_log(&mut record, session);
        let mut bytes = record.encode_to_vec();
        if bytes.len() > MAX_ITEM_BYTES {
            shrink_log(&mut record);
            bytes = record.encode_to_vec();
        }
        Self { signal: Signal::Logs, session, error: false, envelope, bytes: bytes.into(), slot: None }
    }
}

/// The session of a trace id as OTLP carries it; the default for an id that is missing or of the wrong length.
pub fn session_of(trace_id: &[u8]) -> SessionPrefix {
    <&[u8; 16]>::try_from(trace_id).map(SessionPrefix::of).unwrap_or_default()
}

/// Encodes items as one ExportTraceServiceRequest or ExportLogsServiceRequest (they differ in nothing but their items):
/// one ResourceSpans per session and resource, since the platform's intake lets the last span of a ResourceSpans decide
/// for all of them.
pub fn encode_request(items: &[Item]) -> Vec<u8> {
    let mut order: Vec<(&Envelope, Vec<Vec<&Item>>)> = Vec::new();
    let mut resources: HashMap<(SessionPrefix, &[u8]), usize> = HashMap::new();
    let mut scopes: HashMap<(usize, &[u8]), usize> = HashMap::new();
    let mut last = None;
    for item in items {
        let envelope = item.envelope.as_ref();
        // Most items stand where the one before does.
        let (resource, scope) = match last {
            Some((session, same, place)) if session == item.session && std::ptr::eq(same, envelope) => place,
            _ => {
                let resource = *resources.entry((item.session, &envelope.resource)).or_insert_with(|| {
                    order.push((envelope, Vec::new()));
                    order.len() - 1
                });
                let Some((_, lists)) = order.get_mut(resource) else { continue };
                let scope = *scopes.entry((resource, &envelope.scope)).or_insert_with(|| {
                    lists.push(Vec::new());
                    lists.len() - 1
                });
                (resource, scope)
            }
        };
        last = Some((item.session, envelope, (resource, scope)));
        if let Some(list) = order.get_mut(resource).and_then(|(_, lists)| lists.get_mut(scope)) {
            list.push(item);
        }
    }
    // The lengths first, so that everything is written once, where it stays: a request is as large as many items.
    let scope_len = |list: &[&Item]| {
        let scope = list.first().map_or(0, |item| item.envelope.scope.len());
        scope + list.iter().map(|item| field_len(item.bytes.len())).sum::<usize>()
    };
    let resource_len = |envelope: &Envelope, lists: &[Vec<&Item>]| {
        envelope.resource.len() + lists.iter().map(|list| field_len(scope_len(list))).sum::<usize>()
    };
    let all = order.iter().map(|(envelope, lists)| field_len(resource_len(envelope, lists)));
    let mut request = Vec::with_capacity(all.sum());
    for (envelope, lists) in order {
        append_head(1, resource_len(envelope, &lists), &mut request);
        request.extend_from_slice(&envelope.resource);
        for list in lists {
            append_head(2, scope_len(&list), &mut request);
            request.extend_from_slice(list.first().map_or(&[], |item| &item.envelope.scope));
            list.iter().for_each(|item| append_field(2, &item.bytes, &mut request));
        }
    }
    request
}

/// A field of so many bytes with its head. (All of them have numbers below 16.)
#[inline]
fn field_len(bytes: usize) -> usize {
    1 + prost::encoding::encoded_len_varint(bytes as u64) + bytes
}

fn append_head(number: u32, len: usize, out: &mut Vec<u8>) {
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, out);
    prost::encoding::encode_varint(len as u64, out);
}

/// A field of bytes, a text or a message.
pub fn append_field(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    append_head(number, bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn is_error(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32)
}

/// The new names that hosts set and the old ones that the platform reads; whichever is missing is added.
const NAME_PAIRS: &[(&str, &str)] = &[
    ("http.request.method", "http.method"),
    ("http.response.status_code", "http.status_code"),
    ("url.full", "http.url"),
    ("url.path", "http.target"),
    ("server.address", "http.host"),
    ("db.system.name", "db.system"),
    ("db.query.text", "db.statement"),
    ("messaging.destination.name", "messaging.destination"),
];

/// Set by the platform's intake from the key; a client's own value would win there and misplace the span.
const INTAKE_ATTRIBUTES: &[&str] =
    &["multiplayer.workspace.id", "multiplayer.project.id", "multiplayer.integration.id"];

fn adapt_span(span: &mut Span) {
    span.attributes.retain(|kv| !INTAKE_ATTRIBUTES.contains(&kv.key.as_str()));
    keep_last_of_each_key(&mut span.attributes);
    add_paired_names(&mut span.attributes);
    if is_error(span) {
        // The title comes from the first attribute that has "message" in its name, its category from the first
        // event: both must be the exception's.
        span.attributes.sort_by_key(|kv| !kv.key.starts_with("exception."));
        span.events.sort_by_key(|event| event.name != "exception");
    }
}

fn keep_last_of_each_key(attributes: &mut Vec<KeyValue>) {
    // Comparing a few is faster than hashing them.
    let later = |i: usize, kv: &KeyValue| attributes.iter().skip(i + 1).any(|later| later.key == kv.key);
    if attributes.len() <= 16 && !attributes.iter().enumerate().any(|(i, kv)| later(i, kv)) {
        return;
    }
    let mut seen = HashSet::with_capacity(attributes.len());
    let keep: Vec<bool> = attributes.iter().rev().map(|kv| seen.insert(kv.key.as_str())).collect();
    let mut keep = keep.into_iter().rev();
    attributes.retain(|_| keep.next().unwrap_or(true));
}

fn add_paired_names(attributes: &mut Vec<KeyValue>) {
    for (new, old) in NAME_PAIRS {
        let find = |key: &str| attributes.iter().find(|kv| kv.key == key);
        let missing = match (find(new), find(old)) {
            (Some(kv), None) => KeyValue { key: (*old).into(), ..kv.clone() },
            (None, Some(kv)) => KeyValue { key: (*new).into(), ..kv.clone() },
            _ => continue,
        };
        attributes.push(missing);
    }
}

/// Brings a span that is over the platform's limit below it, so that the span itself is kept: its longest texts are cut,
/// then what is many is dropped from its end and counted. The exception stays as long as anything does.
fn shrink(span: &mut Span) {
    cut(&mut span.name, LONGEST_SHORT_TEXT);
    if let Some(status) = &mut span.status {
        cut(&mut status.message, LONGEST_SHORT_TEXT);
    }
    for event in &mut span.events {
        cut(&mut event.name, LONGEST_SHORT_TEXT);
        let over = event.encoded_len().saturating_sub(MAX_ITEM_BYTES / 8);
        shorten(&mut event.attributes, None, over);
    }
    let over = span.encoded_len().saturating_sub(MAX_ITEM_BYTES);
    shorten(&mut span.attributes, None, over);
    let mut over = span.encoded_len().saturating_sub(MAX_ITEM_BYTES);
    drop_last(&mut span.events, &mut over, &mut span.dropped_events_count, |event| event.name == "exception");
    drop_last(&mut span.links, &mut over, &mut span.dropped_links_count, |_| false);
    let important = |kv: &KeyValue| kv.key.starts_with("exception.") || kv.key.starts_with("multiplayer.");
    drop_last(&mut span.attributes, &mut over, &mut span.dropped_attributes_count, important);
    drop_last(&mut span.attributes, &mut over, &mut span.dropped_attributes_count, |_| false);
    drop_last(&mut span.events, &mut over, &mut span.dropped_events_count, |_| false);
}

/// The same for a log record.
fn shrink_log(record: &mut LogRecord) {
    let over = record.encoded_len().saturating_sub(MAX_ITEM_BYTES);
    let body = match record.body.as_mut().and_then(|body| body.value.as_mut()) {
        Some(any_value::Value::StringValue(body)) => Some(body),
        _ => None,
    };
    shorten(&mut record.attributes, body, over);
    let mut over = record.encoded_len().saturating_sub(MAX_ITEM_BYTES);
    let needed = |kv: &KeyValue| kv.key == "multiplayer.session.id";
    drop_last(&mut record.attributes, &mut over, &mut record.dropped_attributes_count, needed);
}

/// Cuts the longest texts until `over` bytes are gone or only short ones are left, with a note for each.
fn shorten(attributes: &mut Vec<KeyValue>, mut body: Option<&mut String>, mut over: usize) {
    let mut notes: Vec<KeyValue> = Vec::new();
    while over > 0 {
        let texts = attributes.iter_mut().filter_map(|kv| match kv.value.as_mut()?.value.as_mut()? {
            any_value::Value::StringValue(text) => Some((kv.key.as_str(), text)),
            _ => None,
        });
        let texts = texts.chain(body.as_deref_mut().map(|body| ("body", body)));
        let longest = texts.filter(|(_, text)| text.len() > LONGEST_SHORT_TEXT).max_by_key(|(_, text)| text.len());
        let Some((key, text)) = longest else { break };
        let before = text.len();
        let note = format!("{key}.truncated");
        // Half at a time: two equally long bodies share the loss. The notes cost a little as well.
        cut(text, (before / 2).max(before.saturating_sub(over + 512)).max(LONGEST_SHORT_TEXT));
        over = over.saturating_sub(before - text.len());
        if !notes.iter().any(|kv| kv.key == note) {
            notes.push(key_value(&note, json!(true)));
        }
    }
    attributes.extend(notes);
    keep_last_of_each_key(attributes);
}

/// Drops what is large, then from the end, until `over` bytes are gone, except what is to be kept.
fn drop_last<M: Message>(list: &mut Vec<M>, over: &mut usize, dropped: &mut u32, keep: impl Fn(&M) -> bool) {
    list.retain(|one| {
        let large = *over > 0 && !keep(one) && one.encoded_len() > MAX_ITEM_BYTES / 16;
        if large {
            *over = over.saturating_sub(one.encoded_len());
            *dropped += 1;
        }
        !large
    });
    let mut kept: Vec<M> = Vec::with_capacity(list.len());
    while let Some(last) = list.pop() {
        if *over == 0 || keep(&last) {
            kept.push(last);
            continue;
        }
        *over = over.saturating_sub(last.encoded_len());
        *dropped += 1;
    }
    kept.reverse();
    *list = kept;
}

fn cut(text: &mut String, mut length: usize) {
    if length >= text.len() {
        return;
    }
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    text.truncate(length);
}

/// A record's severity number, from its text where it has none; 0 when neither tells.
pub fn severity_number(record: &LogRecord) -> i32 {
    if record.severity_number != SeverityNumber::Unspecified as i32 {
        return record.severity_number;
    }
    severity_of_word(&record.severity_text)
}

/// The severity number that a word stands for; 0 for other words.
pub fn severity_of_word(word: &str) -> i32 {
    match word.to_ascii_lowercase().as_str() {
        "trace" => 1,
        "debug" => 5,
        "info" | "information" => 9,
        "warn" | "warning" => 13,
        "error" => 17,
        "fatal" | "critical" => 21,
        _ => 0,
    }
}

/// The words that the platform's log view filters by.
fn severity_word(number: i32) -> Option<&'static str> {
    match number {
        1..=8 => Some("debug"),
        9..=12 => Some("info"),
        13..=16 => Some("warn"),
        17..=24 => Some("error"),
        _ => None,
    }
}

fn adapt_log(record: &mut LogRecord, session: SessionPrefix) {
    if record.time_unix_nano == 0 {
        // The platform loses the rest of a message after a record without a time.
        record.time_unix_nano = match record.observed_time_unix_nano {
            0 => clock::unix_nanos(),
            observed => observed,
        };
    }
    record.severity_number = severity_number(record);
    if let Some(word) = severity_word(record.severity_number) {
        record.severity_text = word.into();
    }
    // Only text survives there.
    if let Some(body) =
        record.body.as_mut().filter(|body| !matches!(body.value, Some(any_value::Value::StringValue(_))))
    {
        let text = plain(body).to_string();
        body.value = Some(any_value::Value::StringValue(text));
    }
    if session.kind() == Kind::Continuous {
        // The intake places a log of a continuous session by this attribute alone.
        record.attributes.retain(|kv| kv.key != "multiplayer.session.id");
        record.attributes.push(key_value("multiplayer.session.id", json!(session.short_id())));
    }
}

/// A resource for logs: the platform drops logs without a service name, and shows them live only when workspace and
/// project stand there.
pub fn adapt_log_resource(resource: &mut Resource, workspace: Option<&str>, project: Option<&str>) {
    let mut add = |key: &str, value: Option<&str>| {
        if let (Some(value), false) = (value, resource.attributes.iter().any(|kv| kv.key == key)) {
            resource.attributes.push(key_value(key, json!(value)));
        }
    };
    add("service.name", Some("unknown_service"));
    add("multiplayer.workspace.id", workspace);
    add("multiplayer.project.id", project);
}

/// An attribute from a plain JSON value; nested ones become their JSON text, which is all that the platform keeps.
pub fn key_value(key: &str, value: Value) -> KeyValue {
    let value = match value {
        Value::Bool(b) => any_value::Value::BoolValue(b),
        Value::String(text) => any_value::Value::StringValue(text),
        Value::Number(n) => match n.as_i64() {
            Some(i) => any_value::Value::IntValue(i),
            None => any_value::Value::DoubleValue(n.as_f64().unwrap_or_default()),
        },
        nested => any_value::Value::StringValue(nested.to_string()),
    };
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// An attribute value as JSON; bytes as a note of their size.
pub fn plain(value: &AnyValue) -> Value {
    match &value.value {
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::BoolValue(b)) => json!(b),
        Some(any_value::Value::IntValue(i)) => json!(i),
        Some(any_value::Value::DoubleValue(d)) => json!(d),
        Some(any_value::Value::BytesValue(bytes)) => json!(format!("[{} bytes]", bytes.len())),
        Some(any_value::Value::ArrayValue(list)) => list.values.iter().map(plain).collect(),
        Some(any_value::Value::KvlistValue(map)) => {
            let pairs = map.values.iter().map(|kv| (kv.key.clone(), kv.value.as_ref().map_or(Value::Null, plain)));
            Value::Object(pairs.collect())
        }
        _ => Value::Null,
    }
}
