//! An exported session comes back: the way of `document.rs` in the other direction.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::document::{kind_name, unhex};
use crate::store::{self, Added, Held, Kind, LogItem, Session, SpanItem};
use crate::{clock, sessions};

/// What an import was refused for, in words.
pub enum Refused {
    Document(String),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(e: rusqlite::Error) -> Self {
        Refused::Database(e)
    }
}

type Part<T> = Result<T, String>;

/// What our own summary added to the platform's document.
const OURS: [&str; 8] = ["kind", "live", "imported", "url", "counts", "services", "bytes", "duration_ms"];

/// Keeps an exported session as a finished one; its id is a new one when there is a session of that id already.
pub fn keep(db: &Connection, whole: &Value) -> Result<Session, Refused> {
    let refuse = Refused::Document;
    let shown = object(whole, "session").map_err(refuse)?;
    let spans = list(whole, "spans").map_err(refuse)?;
    let logs = list(whole, "logs").map_err(refuse)?;
    let text = |key: &str| shown.get(key).and_then(Value::as_str).unwrap_or_default();
    let kind = match shown.get("kind") {
        None => Kind::Manual,
        Some(kind) => kind.as_str().and_then(Kind::from_name).ok_or_else(|| {
            refuse(format!("session.kind: must be one of manual, continuous, saved, issue, not {kind}"))
        })?,
    };
    let date = |key: &str| match shown.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => clock::parse_date(value)
            .map(Some)
            .ok_or_else(|| refuse(format!("session.{key}: must be an ISO 8601 date, not {value}"))),
    };
    let now = clock::now_ms();
    let started = date("startedAt")?.unwrap_or(now);
    let stopped = date("stoppedAt")?;
    let mut doc: Map<String, Value> = shown.clone();
    OURS.iter().for_each(|key| {
        doc.shift_remove(*key);
    });
    let hexadecimal = |id: &str, lengths: &[usize]| lengths.contains(&id.len()) && unhex(id).is_some();
    let id = Some(text("_id").to_ascii_lowercase()).filter(|id| hexadecimal(id, &[8, 24]));
    let id = match id {
        Some(id) if !store::is_taken(db, &id)? => id,
        _ => sessions::object_id(now),
    };
    let short_id = Some(text("shortId").to_ascii_lowercase()).filter(|id| hexadecimal(id, &[8]));
    let short_id = match short_id {
        Some(short_id) if short_id == id || store::any_session(db, &short_id)?.is_none() => short_id,
        _ => sessions::free_short_id(db)?,
    };
    doc.insert("_id".into(), id.clone().into());
    doc.insert("shortId".into(), short_id.clone().into());
    let mut session = Session {
        id,
        short_id,
        kind,
        doc,
        started_ms: started,
        stopped_ms: Some(stopped.unwrap_or(started)),
        live_until_ms: None,
        close_at_ms: None,
        client_id: None,
        client_until_ms: None,
        source: None,
        invites: false,
        imported: true,
        held: Held::default(),
    };
    store::insert_session(db, &session)?;
    let mut origins = Origins::default();
    let mut added = Added::default();
    for (at, shown) in spans.iter().enumerate() {
        let tell = |e: String| Refused::Document(format!("spans[{at}].{e}"));
        let span = span(shown).map_err(tell)?;
        let (service, origin) = (service(shown), origins.keep(db, shown).map_err(|e| e.at("spans", at))?);
        let item = SpanItem { span: &span, service, origin, data: &span.encode_to_vec() };
        store::insert_span(db, &mut added, &session.id, &item)?;
    }
    for (at, shown) in logs.iter().enumerate() {
        let tell = |e: String| Refused::Document(format!("logs[{at}].{e}"));
        let log = log(shown).map_err(tell)?;
        let (service, origin) = (service(shown), origins.keep(db, shown).map_err(|e| e.at("logs", at))?);
        let item = LogItem { log: &log, service, origin, data: &log.encode_to_vec() };
        store::insert_log(db, &mut added, &session.id, &item)?;
    }
    added.write(db)?;
    // Of a session that was exported while it ran: it ended with the last that is known of it.
    if stopped.is_none() {
        let end = store::extent(db, &session.id)?.map_or(started, |(_, last)| last.max(started));
        session.stopped_ms = Some(end);
        store::update_session(db, &session)?;
    }
    Ok(store::any_session(db, &session.id)?.unwrap_or(session))
}

impl Refused {
    fn at(self, list: &str, at: usize) -> Self {
        match self {
            Refused::Document(e) => Refused::Document(format!("{list}[{at}].{e}")),
            other => other,
        }
    }
}

fn service(shown: &Value) -> &str {
    shown["service"].as_str().unwrap_or_default()
}

/// Resources and scopes, kept once for all items that name the same.
#[derive(Default)]
struct Origins(HashMap<String, i64>);

impl Origins {
    fn keep(&mut self, db: &Connection, shown: &Value) -> Result<i64, Refused> {
        let key = format!("{}{}", shown["resource"], shown["scope"]);
        if let Some(known) = self.0.get(&key) {
            return Ok(*known);
        }
        let scope = shown.get("scope").and_then(Value::as_object);
        let word = |name: &str| scope.and_then(|s| s.get(name)).and_then(Value::as_str).unwrap_or_default().to_owned();
        let scope_attributes = scope.and_then(|s| s.get("attributes")).unwrap_or(&Value::Null);
        let message = ResourceSpans {
            resource: Some(Resource {
                attributes: attributes(shown, "resource").map_err(Refused::Document)?,
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: word("name"),
                    version: word("version"),
                    attributes: pairs(scope_attributes).unwrap_or_default(),
                    ..InstrumentationScope::default()
                }),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        };
        let id = store::origin(db, &message.encode_to_vec())?;
        self.0.insert(key, id);
        Ok(id)
    }
}

fn span(shown: &Value) -> Part<Span> {
    let kind = text(shown, "kind")?;
    let status = shown.get("status").unwrap_or(&Value::Null);
    let code = match text(status, "code").map_err(|e| format!("status.{e}"))? {
        "" | "UNSET" => 0,
        "OK" => 1,
        "ERROR" => 2,
        other => return Err(format!("status.code: must be UNSET, OK or ERROR, not {other:?}")),
    };
    Ok(Span {
        trace_id: id(shown, "traceId", 16)?,
        span_id: id(shown, "spanId", 8)?,
        parent_span_id: id(shown, "parentSpanId", 8)?,
        trace_state: text(shown, "traceState")?.to_owned(),
        flags: number(shown, "flags")?,
        name: text(shown, "name")?.to_owned(),
        kind: (0..6).find(|k| kind_name(*k) == kind).unwrap_or_default(),
        start_time_unix_nano: nanos(shown, "startTimeUnixNano")?,
        end_time_unix_nano: nanos(shown, "endTimeUnixNano")?,
        attributes: attributes(shown, "attributes")?,
        dropped_attributes_count: number(shown, "droppedAttributesCount")?,
        events: parts(shown, "events", event)?,
        dropped_events_count: number(shown, "droppedEventsCount")?,
        links: parts(shown, "links", link)?,
        dropped_links_count: number(shown, "droppedLinksCount")?,
        status: Some(Status { code, message: text(status, "message").unwrap_or_default().to_owned() }),
    })
}

fn event(shown: &Value) -> Part<Event> {
    Ok(Event {
        time_unix_nano: nanos(shown, "timeUnixNano")?,
        name: text(shown, "name")?.to_owned(),
        attributes: attributes(shown, "attributes")?,
        dropped_attributes_count: number(shown, "droppedAttributesCount")?,
    })
}

fn link(shown: &Value) -> Part<Link> {
    Ok(Link {
        trace_id: id(shown, "traceId", 16)?,
        span_id: id(shown, "spanId", 8)?,
        trace_state: text(shown, "traceState")?.to_owned(),
        attributes: attributes(shown, "attributes")?,
        dropped_attributes_count: number(shown, "droppedAttributesCount")?,
        flags: number(shown, "flags")?,
    })
}

fn log(shown: &Value) -> Part<LogRecord> {
    Ok(LogRecord {
        trace_id: id(shown, "traceId", 16)?,
        span_id: id(shown, "spanId", 8)?,
        time_unix_nano: nanos(shown, "timeUnixNano")?,
        observed_time_unix_nano: nanos(shown, "observedTimeUnixNano")?,
        severity_number: number(shown, "severityNumber")? as i32,
        severity_text: text(shown, "severityText")?.to_owned(),
        body: shown.get("body").filter(|b| **b != "").map(any),
        attributes: attributes(shown, "attributes")?,
        event_name: text(shown, "eventName")?.to_owned(),
        flags: number(shown, "flags")?,
        dropped_attributes_count: number(shown, "droppedAttributesCount")?,
    })
}

fn object<'v>(value: &'v Value, key: &str) -> Part<&'v Map<String, Value>> {
    value.get(key).and_then(Value::as_object).ok_or_else(|| {
        format!(
            "{key}: must be an object, as `mpr-local export` writes it: {{\"session\":…,\"spans\":[…],\"logs\":[…]}}"
        )
    })
}

fn list<'v>(value: &'v Value, key: &str) -> Part<&'v [Value]> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(format!("{key}: must be an array")),
    }
}

fn parts<T>(value: &Value, key: &str, part: fn(&Value) -> Part<T>) -> Part<Vec<T>> {
    list(value, key)?.iter().enumerate().map(|(at, item)| part(item).map_err(|e| format!("{key}[{at}].{e}"))).collect()
}

fn text<'v>(value: &'v Value, key: &str) -> Part<&'v str> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("{key}: must be a text, not {other}")),
    }
}

fn id(value: &Value, key: &str, bytes: usize) -> Part<Vec<u8>> {
    let text = text(value, key)?;
    unhex(text)
        .filter(|id| id.is_empty() || id.len() == bytes)
        .ok_or_else(|| format!("{key}: must be {} hexadecimal digits, not {text:?}", bytes * 2))
}

fn nanos(value: &Value, key: &str) -> Part<u64> {
    let wrong = |v: &dyn std::fmt::Display| format!("{key}: must be nanoseconds as a text of digits, not {v}");
    match value.get(key) {
        None | Some(Value::Null) => Ok(0),
        Some(Value::String(text)) => text.parse().map_err(|_| wrong(text)),
        Some(other) => other.as_u64().ok_or_else(|| wrong(other)),
    }
}

fn number(value: &Value, key: &str) -> Part<u32> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(0),
        Some(other) => other
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .ok_or_else(|| format!("{key}: must be a whole number, not {other}")),
    }
}

fn attributes(value: &Value, key: &str) -> Part<Vec<KeyValue>> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(object) => pairs(object).ok_or_else(|| format!("{key}: must be an object")),
    }
}

fn pairs(value: &Value) -> Option<Vec<KeyValue>> {
    let pair =
        |(key, value): (&String, &Value)| KeyValue { key: key.clone(), value: Some(any(value)), ..KeyValue::default() };
    Some(value.as_object()?.iter().map(pair).collect())
}

fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::Null => None,
        Value::Bool(b) => Some(Any::BoolValue(*b)),
        Value::Number(n) => n.as_i64().map(Any::IntValue).or_else(|| n.as_f64().map(Any::DoubleValue)),
        Value::String(text) => Some(Any::StringValue(text.clone())),
        Value::Array(items) => Some(Any::ArrayValue(ArrayValue { values: items.iter().map(any).collect() })),
        Value::Object(_) => Some(Any::KvlistValue(KeyValueList { values: pairs(value).unwrap_or_default() })),
    };
    AnyValue { value }
}
