//! A whole session as one JSON document: what the page, the terminal and the export show.
//! Ids are hex, times are nanoseconds as strings, typed attributes are plain JSON.

use std::collections::HashMap;

use base64::prelude::BASE64_STANDARD;
use base64::Engine;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;
use rusqlite::Connection;
use serde_json::{json, Map, Value};

use crate::clock;
use crate::store::{self, Kind, Session, Stored};

/// `{session, spans, logs}`. Without a `base` (no server, no page) the session has no `url`.
pub fn whole(db: &Connection, session: &Session, base: Option<&str>) -> store::Result<Value> {
    let mut origins = Origins::default();
    let mut spans = Vec::new();
    for stored in store::spans(db, &session.id)? {
        spans.extend(origins.span(db, &stored)?);
    }
    let mut logs = Vec::new();
    for stored in store::logs(db, &session.id)? {
        logs.extend(origins.log(db, &stored)?);
    }
    let services = store::services(db, &session.id)?;
    Ok(json!({ "session": summary(session, &services, base), "spans": spans, "logs": logs }))
}

/// What the list shows of a session.
pub fn listed(db: &Connection, session: &Session, base: Option<&str>) -> store::Result<Value> {
    let mut shown = summary(session, &store::services(db, &session.id)?, base);
    // (Not in the whole document, which is the same whenever it is asked for.)
    let until = session.stopped_ms.unwrap_or_else(clock::now_ms);
    shown["duration_ms"] = (until - session.started_ms).max(0).into();
    Ok(shown)
}

/// Whether something is still recorded into it.
pub fn is_live(session: &Session) -> bool {
    match session.kind {
        _ if session.imported => false,
        Kind::Continuous => session.stopped_ms.is_none(),
        // What a saved session still collects ends with its short id.
        Kind::Saved => session.live_until_ms.is_some_and(|t| t > clock::now_ms()),
        Kind::Manual | Kind::Issue => session.stopped_ms.is_none(),
    }
}

/// One session without its content.
fn summary(session: &Session, services: &[String], base: Option<&str>) -> Value {
    let mut doc = match session.kind {
        Kind::Continuous if !session.imported => continuous_doc(session),
        _ => session.doc.clone(),
    };
    let live = is_live(session);
    doc.insert("kind".into(), session.kind.name().into());
    doc.insert("live".into(), live.into());
    if session.imported {
        doc.insert("imported".into(), true.into());
    }
    if let Some(base) = base {
        doc.insert("url".into(), page(base, &session.id).into());
    }
    let held = &session.held;
    doc.insert(
        "counts".into(),
        json!({ "spans": held.spans, "errors": held.errors, "logs": held.logs, "traces": held.traces }),
    );
    doc.insert("services".into(), json!(services));
    doc.insert("bytes".into(), held.bytes.into());
    Value::Object(doc)
}

/// The address of a session on our own page.
pub fn page(base: &str, id: &str) -> String {
    format!("{base}/sessions/{id}")
}

/// A continuous session has no document of its own yet: give it the shape of one.
fn continuous_doc(session: &Session) -> Map<String, Value> {
    let mut doc = Map::new();
    doc.insert("_id".into(), session.id.clone().into());
    doc.insert("shortId".into(), session.short_id.clone().into());
    for key in ["workspace", "project"] {
        doc.insert(key.into(), session.doc.get(key).cloned().into());
    }
    doc.insert("sessionType".into(), "CONTINUOUS".into());
    if let Some(Value::Object(data)) = session.doc.get("debugSessionData") {
        doc.extend(data.clone());
    }
    doc.insert("startedAt".into(), clock::iso(session.started_ms).into());
    doc
}

/// Resources and scopes, decoded once for all items that share them.
#[derive(Default)]
pub struct Origins(HashMap<i64, (Value, Value)>);

impl Origins {
    /// A stored span as JSON; nothing when it is none.
    pub fn span(&mut self, db: &Connection, stored: &Stored) -> store::Result<Option<Value>> {
        let Ok(span) = Span::decode(&*stored.data) else { return Ok(None) };
        Ok(Some(span_json(&span, self.get(db, stored.origin)?)))
    }

    pub fn log(&mut self, db: &Connection, stored: &Stored) -> store::Result<Option<Value>> {
        let Ok(log) = LogRecord::decode(&*stored.data) else { return Ok(None) };
        Ok(Some(log_json(&log, self.get(db, stored.origin)?)))
    }

    /// The attributes of a resource, and the scope.
    pub fn get(&mut self, db: &Connection, id: i64) -> store::Result<&(Value, Value)> {
        match self.0.entry(id) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(free) => {
                let data = store::origin_data(db, id)?;
                let origin = ResourceSpans::decode(&*data).unwrap_or_default();
                let scope = origin.scope_spans.first().and_then(|s| s.scope.as_ref());
                Ok(free.insert((resource_json(origin.resource.as_ref()), scope_json(scope))))
            }
        }
    }
}

fn resource_json(resource: Option<&Resource>) -> Value {
    resource.map_or_else(|| json!({}), |r| attributes(&r.attributes))
}

fn scope_json(scope: Option<&InstrumentationScope>) -> Value {
    scope.map_or_else(
        || json!({ "name": "", "version": "", "attributes": {} }),
        |s| json!({ "name": s.name, "version": s.version, "attributes": attributes(&s.attributes) }),
    )
}

fn span_json(span: &Span, (resource, scope): &(Value, Value)) -> Value {
    let status = span.status.clone().unwrap_or_default();
    let attributes = attributes(&span.attributes);
    json!({
        "traceId": hex(&span.trace_id),
        "spanId": hex(&span.span_id),
        "parentSpanId": hex(&span.parent_span_id),
        "traceState": span.trace_state,
        "flags": span.flags,
        "name": span.name,
        "kind": kind_name(span.kind),
        "service": service(resource, &attributes),
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "endTimeUnixNano": span.end_time_unix_nano.to_string(),
        "durationNano": span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano).to_string(),
        "status": { "code": status_name(status.code), "message": status.message },
        "attributes": attributes,
        "events": span.events.iter().map(event_json).collect::<Vec<_>>(),
        "links": span.links.iter().map(link_json).collect::<Vec<_>>(),
        "droppedAttributesCount": span.dropped_attributes_count,
        "droppedEventsCount": span.dropped_events_count,
        "droppedLinksCount": span.dropped_links_count,
        "resource": resource,
        "scope": scope,
    })
}

fn event_json(event: &Event) -> Value {
    json!({
        "name": event.name,
        "timeUnixNano": event.time_unix_nano.to_string(),
        "attributes": attributes(&event.attributes),
        "droppedAttributesCount": event.dropped_attributes_count,
    })
}

fn link_json(link: &Link) -> Value {
    json!({
        "traceId": hex(&link.trace_id),
        "spanId": hex(&link.span_id),
        "traceState": link.trace_state,
        "flags": link.flags,
        "attributes": attributes(&link.attributes),
        "droppedAttributesCount": link.dropped_attributes_count,
    })
}

fn log_json(log: &LogRecord, (resource, scope): &(Value, Value)) -> Value {
    let attributes = attributes(&log.attributes);
    json!({
        "traceId": hex(&log.trace_id),
        "spanId": hex(&log.span_id),
        "timeUnixNano": log.time_unix_nano.to_string(),
        "observedTimeUnixNano": log.observed_time_unix_nano.to_string(),
        "severityNumber": log.severity_number,
        "severityText": log.severity_text,
        "service": service(resource, &attributes),
        // The intake keeps text bodies only, as the platform does.
        "body": log.body.as_ref().map_or(json!(""), any),
        "attributes": attributes,
        "eventName": log.event_name,
        "flags": log.flags,
        "droppedAttributesCount": log.dropped_attributes_count,
        "resource": resource,
        "scope": scope,
    })
}

fn service(resource: &Value, attributes: &Value) -> Value {
    let name = |v: &Value| v.get("service.name").filter(|n| n.is_string()).cloned();
    name(resource).or_else(|| name(attributes)).unwrap_or_else(|| "".into())
}

pub fn attributes(list: &[KeyValue]) -> Value {
    let pairs = list.iter().map(|kv| {
        let value = kv.value.as_ref().map_or(Value::Null, any);
        (kv.key.clone(), value)
    });
    Value::Object(pairs.collect())
}

pub fn any(value: &AnyValue) -> Value {
    match &value.value {
        None => Value::Null,
        Some(Any::StringValue(s)) => json!(s),
        Some(Any::BoolValue(b)) => json!(b),
        Some(Any::IntValue(i)) => json!(i),
        Some(Any::DoubleValue(d)) if d.is_nan() => json!("NaN"),
        Some(Any::DoubleValue(d)) if *d == f64::INFINITY => json!("Infinity"),
        Some(Any::DoubleValue(d)) if *d == f64::NEG_INFINITY => json!("-Infinity"),
        Some(Any::DoubleValue(d)) => json!(d),
        Some(Any::BytesValue(b)) => json!(BASE64_STANDARD.encode(b)),
        Some(Any::ArrayValue(a)) => a.values.iter().map(any).collect(),
        Some(Any::KvlistValue(l)) => attributes(&l.values),
        Some(Any::StringValueStrindex(i)) => json!(i),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
    text
}

/// The bytes of hexadecimal digits of either case.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    let digits = digits.filter(|d| d.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

pub fn kind_name(kind: i32) -> &'static str {
    const NAMES: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    usize::try_from(kind).ok().and_then(|k| NAMES.get(k)).unwrap_or(&NAMES[0])
}

pub fn status_name(code: i32) -> &'static str {
    match code {
        1 => "OK",
        2 => "ERROR",
        _ => "UNSET",
    }
}
