//! What was captured in a span: requests and responses as the attributes of the session recorders carry them.

use std::collections::HashMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use mpr_mask::mask::{explain_content, Body, Rules, RulesConfig, PLACEHOLDER};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{json, Map, Value};

use crate::document;
use crate::store::{HAS_CONTENT, HAS_EVENTS};

/// A body above this is shown in part …
const WHOLE_BODY: usize = 256 * 1024;
/// … and this is the part.
const BODY_PART: usize = 64 * 1024;
/// As many masked places are listed of a body.
const MASKED_LIMIT: usize = 1000;
/// Deeper values are not looked at for masked places.
const DEPTH_LIMIT: usize = 100;
/// What a packed body may unpack to.
const UNPACKED_LIMIT: u64 = 20 * 1024 * 1024;

const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;

struct Carrier {
    direction: &'static str,
    protocol: &'static str,
    body: &'static str,
    headers: &'static str,
}

const fn carrier(
    direction: &'static str,
    protocol: &'static str,
    body: &'static str,
    headers: &'static str,
) -> Carrier {
    Carrier { direction, protocol, body, headers }
}

const CARRIERS: [Carrier; 7] = [
    carrier("request", "http", "multiplayer.http.request.body", "multiplayer.http.request.headers"),
    carrier("response", "http", "multiplayer.http.response.body", "multiplayer.http.response.headers"),
    carrier("request", "rpc", "multiplayer.rpc.request.message", "multiplayer.rpc.request.headers"),
    carrier("response", "rpc", "multiplayer.rpc.response.message", "multiplayer.rpc.response.headers"),
    carrier("request", "grpc", "multiplayer.rpc.grpc.request.message", "multiplayer.rpc.grpc.request.metadata"),
    carrier("response", "grpc", "multiplayer.rpc.grpc.response.message", "multiplayer.rpc.grpc.response.metadata"),
    carrier("request", "message", "multiplayer.messaging.message.body", "multiplayer.messaging.message.headers"),
];

/// One captured request or response.
pub struct Content {
    pub direction: &'static str,
    pub protocol: &'static str,
    pub headers: Option<Value>,
    pub body: Option<String>,
    /// The size of the body before it was cut.
    pub size: i64,
    pub truncated: bool,
}

pub fn find<'a>(list: &'a [KeyValue], key: &str) -> Option<&'a Any> {
    list.iter().find(|kv| kv.key == key)?.value.as_ref()?.value.as_ref()
}

pub fn text<'a>(list: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match find(list, key)? {
        Any::StringValue(text) => Some(text),
        _ => None,
    }
}

/// A number that may have come as text.
fn number(list: &[KeyValue], key: &str) -> Option<i64> {
    match find(list, key)? {
        Any::IntValue(n) => Some(*n),
        Any::DoubleValue(n) => Some(*n as i64),
        Any::StringValue(text) => text.parse().ok(),
        _ => None,
    }
}

/// Whether the attribute carries a captured body or captured headers.
pub fn is_content(key: &str) -> bool {
    key.starts_with("multiplayer.") && CARRIERS.iter().any(|c| key == c.body || key == c.headers)
}

pub fn http_status(span: &Span) -> Option<i64> {
    ["http.response.status_code", "http.status_code"].iter().find_map(|key| number(&span.attributes, key))
}

pub fn flags(span: &Span) -> i64 {
    let captured = span.attributes.iter().any(|kv| is_content(&kv.key));
    i64::from(captured) * HAS_CONTENT + i64::from(!span.events.is_empty()) * HAS_EVENTS
}

/// Whom a client's or producer's span speaks to, by its own words.
pub fn peer(span: &Span) -> Option<&str> {
    const NAMES: [&str; 10] = [
        "peer.service",
        "service.peer.name",
        "db.system.name",
        "db.system",
        "messaging.system",
        "server.address",
        "net.peer.name",
        "http.host",
        "rpc.service",
        "net.sock.peer.addr",
    ];
    if !matches!(span.kind, CLIENT | PRODUCER) {
        return None;
    }
    NAMES.iter().find_map(|key| text(&span.attributes, key)).filter(|name| !name.is_empty())
}

/// What was captured in the span, requests first.
pub fn of(span: &Span) -> Vec<Content> {
    let list = &span.attributes;
    CARRIERS
        .iter()
        .filter_map(|carrier| {
            let headers = find(list, carrier.headers).map(|value| match value {
                Any::StringValue(text) => {
                    serde_json::from_str(text).ok().filter(Value::is_object).unwrap_or_else(|| json!({ "": text }))
                }
                Any::KvlistValue(pairs) => document::attributes(&pairs.values),
                _ => json!({}),
            });
            let body = find(list, carrier.body).map(|value| match value {
                Any::StringValue(text) => unpacked(list, carrier.body, text),
                other => as_text(other),
            });
            if headers.is_none() && body.is_none() {
                return None;
            }
            let known = number(list, &format!("{}.size", carrier.body));
            let truncated = find(list, &format!("{}.truncated", carrier.body)).is_some_and(|v| as_text(v) == "true");
            let size = known.unwrap_or_else(|| body.as_ref().map_or(0, |b| b.len() as i64));
            Some(Content { direction: carrier.direction, protocol: carrier.protocol, headers, body, size, truncated })
        })
        .collect()
}

fn as_text(value: &Any) -> String {
    use opentelemetry_proto::tonic::common::v1::AnyValue;
    match document::any(&AnyValue { value: Some(value.clone()) }) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Some recorders send bodies as hexadecimal digits of gzip, and say so beside it.
fn unpacked(list: &[KeyValue], key: &str, body: &str) -> String {
    let packed = text(list, &format!("{key}.encoding")) == Some("gzip") && body.starts_with("1f8b");
    let plain = packed.then(|| document::unhex(body)).flatten().and_then(|bytes| {
        let mut plain = String::new();
        MultiGzDecoder::new(&*bytes).take(UNPACKED_LIMIT).read_to_string(&mut plain).ok()?;
        Some(plain)
    });
    plain.unwrap_or_else(|| body.to_owned())
}

impl Content {
    pub fn json(&self, why: &mut Why) -> Value {
        let mut masked = Vec::new();
        if let Some(headers) = &self.headers {
            for place in places(headers) {
                let name = place.trim_start_matches("$.").split('[').next().unwrap_or_default().to_owned();
                masked.push(json!({ "in": "headers", "path": name, "rule": why.header(&name) }));
            }
        }
        if let Some(body) = self.body.as_deref().filter(|b| b.contains(PLACEHOLDER)) {
            masked.extend(places_in_body(body, why));
        }
        let mut out = json!({
            "kind": self.direction,
            "type": self.protocol,
            "headers": self.headers,
            "body": self.body,
            "size": self.size,
            "truncated": self.truncated,
            "masked": masked,
        });
        if let Some(body) = self.body.as_deref().filter(|b| b.len() > WHOLE_BODY) {
            out["body"] = start_of(body, BODY_PART).into();
            out["body_more"] = true.into();
        }
        out
    }
}

/// Cuts captured bodies among a span's attributes: they are shown as content.
pub fn shorten(attributes: &mut Map<String, Value>) {
    for carrier in &CARRIERS {
        if let Some(Value::String(text)) = attributes.get_mut(carrier.body) {
            if text.len() > WHOLE_BODY {
                *text = format!("{}… ({} bytes)", start_of(text, 1024), text.len());
            }
        }
    }
}

/// The beginning of a text, cut between characters.
pub fn start_of(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Where the placeholder stands in a body: paths of JSON, names of forms, otherwise the byte.
fn places_in_body(body: &str, why: &mut Why) -> Vec<Value> {
    let entry = |path: String, rule: String| json!({ "in": "body", "path": path, "rule": rule });
    if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(body) {
        return places(&value)
            .into_iter()
            .map(|path| {
                let rule = why.field(last_name(&path));
                entry(path, rule)
            })
            .collect();
    }
    let mut from = 0;
    let mut out = Vec::new();
    while let Some(at) = body.get(from..).and_then(|rest| rest.find(PLACEHOLDER)).map(|at| at + from) {
        if out.len() >= MASKED_LIMIT {
            break;
        }
        let before = body.get(..at).unwrap_or_default();
        let name = before.strip_suffix('=').map(|b| b.rsplit(['&', '?', ' ', '\n', ';']).next().unwrap_or_default());
        out.push(match name.filter(|n| !n.is_empty() && n.len() < 200) {
            Some(name) => entry(name.to_owned(), why.field(name)),
            None => entry(format!("byte {at}"), "masked".into()),
        });
        from = at + PLACEHOLDER.len();
    }
    out
}

/// The JSON paths of all values in which the placeholder stands.
fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &mut String, depth: usize, out: &mut Vec<String>) {
        if out.len() >= MASKED_LIMIT || depth > DEPTH_LIMIT {
            return;
        }
        let length = path.len();
        match value {
            Value::String(text) if text.contains(PLACEHOLDER) => out.push(path.clone()),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    path.push_str(&format!("[{at}]"));
                    walk(item, path, depth + 1, out);
                    path.truncate(length);
                }
            }
            Value::Object(fields) => {
                for (name, item) in fields {
                    path.push('.');
                    path.push_str(name);
                    walk(item, path, depth + 1, out);
                    path.truncate(length);
                }
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(value, &mut String::from("$"), 0, &mut out);
    out
}

fn last_name(path: &str) -> &str {
    let name = path.rsplit('.').next().unwrap_or_default();
    name.split('[').next().unwrap_or_default()
}

/// Which of the default rules masks a name. What only the recording process knows (its own rules, patterns in
/// values) is "masked".
#[derive(Default)]
pub struct Why {
    rules: Option<Rules>,
    known: HashMap<(bool, String), String>,
}

impl Why {
    fn field(&mut self, name: &str) -> String {
        self.ask(false, name)
    }

    fn header(&mut self, name: &str) -> String {
        self.ask(true, name)
    }

    fn ask(&mut self, header: bool, name: &str) -> String {
        if let Some(known) = self.known.get(&(header, name.to_owned())) {
            return known.clone();
        }
        let rule = self.explain(header, name).unwrap_or_else(|| "masked".into());
        self.known.insert((header, name.to_owned()), rule.clone());
        rule
    }

    fn explain(&mut self, header: bool, name: &str) -> Option<String> {
        if self.rules.is_none() {
            self.rules = Rules::new(&RulesConfig::default()).ok();
        }
        let (kind, body) = match header {
            true => ("message/http", format!("{name}: x\r\n")),
            false => ("application/json", json!({ name: "x" }).to_string()),
        };
        let told = explain_content(self.rules.as_ref()?, None, &Body::new(Some(kind), body.as_bytes()));
        let told: Value = serde_json::from_str(&told).ok()?;
        let first = told.pointer("/masked/0")?;
        let (rule, entry) = (first["rule"].as_str()?, first["entry"].as_str().unwrap_or_default());
        Some(if entry.is_empty() { rule.to_owned() } else { format!("{rule}: {entry}") })
    }
}
