//! OTLP/JSON as the collector reads it.
//!
//! The generated types read the canonical form. The collector takes more (names of enum
//! values, snake_case, numbers as text, nulls) and in one point less (ids are hex of the
//! full length and nothing else), so the document is put into canonical form first.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::{json, Map, Value};

/// The requests that can come as JSON.
pub trait FromJson: Sized {
    fn from_json(value: Value) -> serde_json::Result<Self>;
}

impl FromJson for ExportTraceServiceRequest {
    fn from_json(value: Value) -> serde_json::Result<Self> {
        serde_json::from_value(value)
    }
}

impl FromJson for ExportLogsServiceRequest {
    fn from_json(value: Value) -> serde_json::Result<Self> {
        serde_json::from_value(value)
    }
}

pub fn decode<T: FromJson>(body: &[u8]) -> Result<T, String> {
    let value: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    if !value.is_object() {
        return Err("expected an object".into());
    }
    T::from_json(canonical(value)?).map_err(|e| e.to_string())
}

/// Every object in an OTLP document is a message, so every key is a field's name.
fn canonical(value: Value) -> Result<Value, String> {
    match value {
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        Value::Object(fields) => {
            let mut out = Map::new();
            for (name, value) in fields {
                if value.is_null() {
                    continue;
                }
                let name = camel(name);
                let value = field(&name, canonical(value)?)?;
                // What JSON has no number for ("NaN", "Infinity") stays the text it is.
                let name = match name.as_str() {
                    "doubleValue" if value.is_string() => "stringValue".into(),
                    _ => name,
                };
                out.insert(name, value);
            }
            Ok(Value::Object(out))
        }
        other => Ok(other),
    }
}

fn field(name: &str, value: Value) -> Result<Value, String> {
    match name {
        "traceId" => hex_id(name, value, 32),
        "spanId" | "parentSpanId" => hex_id(name, value, 16),
        "kind" => enumeration(value, |n| SpanKind::from_str_name(n).map(|k| k as i32)),
        "code" => enumeration(value, |n| StatusCode::from_str_name(n).map(|k| k as i32)),
        "severityNumber" => enumeration(value, |n| SeverityNumber::from_str_name(n).map(|k| k as i32)),
        "flags" | "droppedAttributesCount" | "droppedEventsCount" | "droppedLinksCount" | "doubleValue" => {
            Ok(number(value))
        }
        "arrayValue" | "kvlistValue" => Ok(with_values(value)),
        _ => Ok(value),
    }
}

fn hex_id(name: &str, value: Value, digits: usize) -> Result<Value, String> {
    let good = value
        .as_str()
        .is_some_and(|id| id.is_empty() || (id.len() == digits && id.bytes().all(|b| b.is_ascii_hexdigit())));
    match good {
        true => Ok(value),
        false => Err(format!("{name} must be {digits} hexadecimal digits")),
    }
}

fn enumeration(value: Value, find: impl Fn(&str) -> Option<i32>) -> Result<Value, String> {
    match value.as_str() {
        None => Ok(value),
        Some(name) => find(name).map(|number| json!(number)).ok_or_else(|| format!("unknown name '{name}'")),
    }
}

fn number(value: Value) -> Value {
    match value.as_str().and_then(|s| s.parse::<u32>().ok()) {
        Some(whole) => json!(whole),
        None => match value.as_str().and_then(|s| s.parse::<f64>().ok()) {
            Some(real) if real.is_finite() => json!(real),
            _ => value,
        },
    }
}

fn with_values(value: Value) -> Value {
    match value {
        Value::Object(mut fields) => {
            fields.entry("values").or_insert_with(|| json!([]));
            Value::Object(fields)
        }
        other => other,
    }
}

fn camel(name: String) -> String {
    if !name.contains('_') {
        return name;
    }
    let mut parts = name.split('_');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        if let Some(first) = letters.next() {
            out.push(first.to_ascii_uppercase());
            out.push_str(letters.as_str());
        }
    }
    out
}
