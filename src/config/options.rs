//! The options as data: one row each with its type, environment variables and default. Setters, getters, the JSON form
//! and the environment all go through the same check.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;
use serde_json::{json, Map, Value};

use crate::process::log::LEVEL_NAMES;
use crate::status::{Error, Result};

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Type {
    /// Any text that is not empty.
    Text,
    /// The API key: text that never appears in a message.
    Key,
    /// An http or https URL with a host.
    Url,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// true or false, or 1 or 0.
    Bool,
    /// A whole number within these bounds.
    Integer(u64, u64),
    /// A number from 0 to 1.
    Ratio,
    /// A JSON array of text, or text with commas.
    Names,
    /// A JSON array of regular expressions, which have commas themselves.
    Patterns,
    /// A JSON object of plain values, or `key=value,key=value` as OpenTelemetry's environment variables have it.
    Object,
}

/// One option.
#[derive(Debug)]
pub struct Spec {
    /// The name in C (`mpr_options_set_<name>`), in JSON and in messages.
    pub name: &'static str,
    /// What a value must be.
    pub kind: Type,
    /// Environment variables that serve when it is not set, the first one that is there wins.
    pub env: &'static [&'static str],
    /// What is put behind [`COMMON_ENDPOINT`], which serves after them.
    path: Option<&'static str>,
    default: fn() -> Value,
}

/// OpenTelemetry's variable for both signals.
const COMMON_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

const fn spec(name: &'static str, kind: Type, env: &'static [&'static str], default: fn() -> Value) -> Spec {
    Spec { name, kind, env, path: None, default }
}

const MIB: u64 = 1024 * 1024;

/// OpenTelemetry's names of [`super::Protocol`].
const PROTOCOL_NAMES: &[&str] = &["http/protobuf", "http/json", "grpc"];
/// OpenTelemetry's names of [`super::Compression`].
const COMPRESSION_NAMES: &[&str] = &["gzip", "zstd", "none"];

/// Every option that is a value. (Callbacks are in [`Hooks`].)
pub static SPECS: &[Spec] = &[
    spec("api_key", Type::Key, &["MULTIPLAYER_API_KEY", "MULTIPLAYER_SDK_API_KEY", "MULTIPLAYER_OTLP_KEY"], none),
    spec("api_base_url", Type::Url, &["MULTIPLAYER_BASE_API_URL"], || json!("https://api.multiplayer.app")),
    Spec {
        path: Some("/v1/traces"),
        ..spec("traces_endpoint", Type::Url, &["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], || {
            json!("https://otlp.multiplayer.app/v1/traces")
        })
    },
    Spec {
        path: Some("/v1/logs"),
        ..spec("logs_endpoint", Type::Url, &["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"], || {
            json!("https://otlp.multiplayer.app/v1/logs")
        })
    },
    spec("protocol", Type::Choice(PROTOCOL_NAMES), &["OTEL_EXPORTER_OTLP_PROTOCOL"], || json!("http/protobuf")),
    spec("compression", Type::Choice(COMPRESSION_NAMES), &["OTEL_EXPORTER_OTLP_COMPRESSION"], || json!("gzip")),
    spec("headers", Type::Object, &["OTEL_EXPORTER_OTLP_HEADERS"], || json!({})),
    spec("timeout_ms", Type::Integer(1, 600_000), &["OTEL_EXPORTER_OTLP_TIMEOUT"], || json!(10_000)),
    spec("ca_file", Type::Text, &["OTEL_EXPORTER_OTLP_CERTIFICATE"], none),
    spec("client_cert", Type::Text, &["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"], none),
    spec("client_key", Type::Text, &["OTEL_EXPORTER_OTLP_CLIENT_KEY"], none),
    spec("proxy", Type::Url, &[], none),
    spec("service_name", Type::Text, &["OTEL_SERVICE_NAME"], none),
    spec("service_version", Type::Text, &[], none),
    spec("environment", Type::Text, &[], none),
    spec("resource_attributes", Type::Object, &["OTEL_RESOURCE_ATTRIBUTES"], || json!({})),
    spec("sample_ratio", Type::Ratio, &["OTEL_TRACES_SAMPLER_ARG"], || json!(0.0)),
    spec("auto_doc_traces_ratio", Type::Ratio, &[], || json!(0.0)),
    spec("max_payload_bytes", Type::Integer(0, 900_000), &["MULTIPLAYER_MAX_HTTP_REQUEST_RESPONSE_SIZE"], || {
        json!(crate::capture::DEFAULT_MAX_PAYLOAD_BYTES)
    }),
    spec("capture_body", Type::Bool, &[], || json!(true)),
    spec("capture_headers", Type::Bool, &[], || json!(true)),
    spec("mask_body", Type::Bool, &[], || json!(true)),
    spec("mask_headers", Type::Bool, &[], || json!(true)),
    spec("mask_body_fields", Type::Names, &[], || json!([])),
    spec("mask_header_names", Type::Names, &[], || json!([])),
    spec("mask_allow_fields", Type::Names, &[], || json!([])),
    spec("mask_paths", Type::Names, &[], || json!([])),
    spec("mask_allow_paths", Type::Names, &[], || json!([])),
    spec("mask_patterns", Type::Patterns, &[], || json!([])),
    spec("mask_emails", Type::Bool, &[], || json!(false)),
    spec("headers_to_include", Type::Names, &[], || json!([])),
    spec("headers_to_exclude", Type::Names, &[], || json!([])),
    spec("decompress", Type::Bool, &[], || json!(true)),
    spec("log_level", Type::Choice(LEVEL_NAMES), &["MPR_LOG"], || json!("warn")),
    spec("capture_max_bytes", Type::Integer(64 * 1024, 16 * 1024 * MIB), &[], || json!(32 * MIB)),
    spec("queue_max_bytes", Type::Integer(64 * 1024, 16 * 1024 * MIB), &[], || json!(32 * MIB)),
    spec("batch_max_bytes", Type::Integer(16 * 1024, 16 * MIB), &[], || json!(2 * MIB)),
    spec("batch_max_items", Type::Integer(1, 100_000), &[], || json!(2_048)),
    spec("flush_interval_ms", Type::Integer(10, 3_600_000), &[], || json!(1_000)),
    spec("spool_dir", Type::Text, &[], none),
    spec("spool_max_bytes", Type::Integer(MIB, 16 * 1024 * MIB), &[], || json!(256 * MIB)),
    spec("exit_timeout_ms", Type::Integer(0, 600_000), &["MPR_EXIT_TIMEOUT_MS"], || json!(2_000)),
    spec("session_max_seconds", Type::Integer(1, 86_400), &[], || json!(630)),
    spec("session_rollover", Type::Bool, &[], || json!(false)),
];

fn none() -> Value {
    Value::Null
}

/// Makes a trace id; None leaves it to the library.
pub type TraceIdHook = dyn Fn() -> Option<[u8; 16]> + Send + Sync;
/// Makes a session's short id.
pub type ShortIdHook = dyn Fn() -> Option<String> + Send + Sync;
/// Decides about a root trace, given its id and the configured ratio.
pub type SamplerHook = dyn Fn(&[u8; 16], f64) -> bool + Send + Sync;

/// The host's own maskers, generators and samplers, and where the library's diagnostics go.
#[derive(Default, Clone)]
pub struct Hooks {
    /// Masks bodies in place of the built-in rules.
    pub mask: Option<Arc<crate::mask::Custom>>,
    /// Makes the ids of root spans that the library begins.
    pub trace_id: Option<Arc<TraceIdHook>>,
    /// Gives a session its short id where the server's answer has none.
    pub short_id: Option<Arc<ShortIdHook>>,
    /// Decides about root spans outside a session.
    pub sampler: Option<Arc<SamplerHook>>,
    /// Gets the library's diagnostics.
    pub log: Option<Arc<crate::process::log::Sink>>,
}

/// What a host has set, before the environment and the defaults.
#[derive(Default, Clone)]
pub struct Options {
    values: BTreeMap<&'static str, Value>,
    /// The callbacks.
    pub hooks: Hooks,
}

impl Options {
    /// Sets one option; `Value::Null` unsets it.
    ///
    /// # Errors
    /// MPR_ERR_INVALID_ARGUMENT: no such option, or not a value of its type.
    pub fn set(&mut self, name: &str, value: Value) -> Result<()> {
        let spec = find(name)?;
        match value {
            Value::Null => self.values.remove(spec.name),
            value => self.values.insert(spec.name, check(spec, spec.name, value)?),
        };
        Ok(())
    }

    /// Sets all options of a JSON object, or none of them when one is not usable.
    ///
    /// # Errors
    /// MPR_ERR_INVALID_ARGUMENT: not JSON (with line and column), not an object, or as for [`Options::set`].
    pub fn set_json(&mut self, text: &str) -> Result<()> {
        let mut changed = self.clone();
        for (name, value) in parse_object("options", text)? {
            changed.set(&name, value)?;
        }
        *self = changed;
        Ok(())
    }

    /// The value that [`crate::config::Config`] would use: what was set, else the environment's, else the default; Null
    /// when there is none of them.
    ///
    /// # Errors
    /// MPR_ERR_INVALID_ARGUMENT: no such option, or the environment variable's value is not of its type.
    pub fn effective(&self, name: &str) -> Result<Value> {
        let spec = find(name)?;
        if let Some(value) = self.values.get(spec.name) {
            return Ok(value.clone());
        }
        let set = |var: &&'static str| Some((*var, std::env::var(var).ok().filter(|value| !value.is_empty())?));
        if let Some((variable, text)) = spec.env.iter().find_map(set) {
            return check(spec, variable, from_text(spec.kind, &text));
        }
        if let (Some(path), Some((variable, base))) = (spec.path, set(&COMMON_ENDPOINT)) {
            let base = check(spec, variable, json!(base))?;
            return Ok(json!(format!("{}{path}", base.as_str().unwrap_or_default())));
        }
        Ok((spec.default)())
    }
}

fn find(name: &str) -> Result<&'static Spec> {
    SPECS.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let near = SPECS.iter().find(|spec| spec.name.replace('_', "") == name.to_lowercase().replace(['_', '-'], ""));
        let hint = near.map_or(String::new(), |spec| format!("; did you mean '{}'?", spec.name));
        Error::invalid(format!("options: there is no option '{}'{hint}", shown(name)))
    })
}

/// An environment variable's text as the value that it stands for; text that stands for none stays text, for the check.
fn from_text(kind: Type, text: &str) -> Value {
    let text = text.trim();
    match kind {
        Type::Bool => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => json!(true),
            "false" | "0" => json!(false),
            _ => json!(text),
        },
        Type::Integer(..) => text.parse::<u64>().map_or_else(|_| json!(text), |n| json!(n)),
        // "NaN" is a number to Rust and none to JSON.
        Type::Ratio => text.parse().ok().filter(|n: &f64| n.is_finite()).map_or_else(|| json!(text), |n| json!(n)),
        _ => json!(text),
    }
}

/// The value in its one stored form, or the error that names `field`.
fn check(spec: &Spec, field: &str, value: Value) -> Result<Value> {
    let wrong = |wanted: String| {
        let got = match (&value, spec.kind) {
            // Headers hold keys as well.
            (_, Type::Key | Type::Object) => "the given value".to_owned(),
            // A URL's parameters may hold keys, too.
            (Value::String(text), Type::Url) => format!("'{}'", shown(text.split(['?', '#']).next().unwrap_or(""))),
            (Value::String(text), _) => format!("'{}'", shown(text)),
            (other, _) => shown(&other.to_string()),
        };
        Err(Error::invalid(format!("{field}: {got} is not {wanted}")))
    };
    match (spec.kind, &value) {
        (Type::Key, Value::String(key)) => check_key(field, key).map(|()| value),
        (Type::Text, Value::String(text)) if !text.is_empty() => Ok(value),
        (Type::Url, Value::String(text)) => match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Ok(json!(text.trim_end_matches('/')))
            }
            _ => wrong("a URL; use http://host:port or https://host".into()),
        },
        (Type::Choice(words), Value::String(text)) if words.contains(&text.as_str()) => Ok(value),
        (Type::Bool, Value::Bool(_)) => Ok(value),
        // As the setters and the environment have it.
        (Type::Bool, Value::Number(n)) if n.as_u64().is_some_and(|n| n < 2) => Ok(json!(n.as_u64() == Some(1))),
        (Type::Integer(min, max), Value::Number(n)) if n.as_u64().is_some_and(|n| (min..=max).contains(&n)) => {
            Ok(value)
        }
        (Type::Ratio, Value::Number(n)) if n.as_f64().is_some_and(|n| (0.0..=1.0).contains(&n)) => Ok(value),
        (Type::Names | Type::Patterns, Value::Array(names)) if names.iter().all(|name| name.is_string()) => {
            let entries: Vec<String> = names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
            let checked = crate::mask::check_list(spec.name, &entries);
            checked.map(|()| value).map_err(|what| Error::invalid(format!("{field}: {what}")))
        }
        (Type::Names | Type::Patterns, Value::String(text)) if text.trim_start().starts_with('[') => {
            let list = serde_json::from_str(text).map_err(|e| not_json(field, &e))?;
            if matches!(list, Value::String(_)) {
                return wrong("a JSON array of names".into());
            }
            check(spec, field, list)
        }
        (Type::Names, Value::String(text)) => {
            let names: Vec<_> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
            check(spec, field, names.into())
        }
        (Type::Object, Value::Object(map)) if map.values().all(|v| !v.is_object() && !v.is_array() && !v.is_null()) => {
            Ok(value)
        }
        (Type::Object, Value::String(text)) if text.trim_start().starts_with('{') => {
            check(spec, field, Value::Object(parse_object(field, text)?))
        }
        (Type::Object, Value::String(text)) => {
            key_values(text).map(Value::Object).map_or_else(|| wrong("a JSON object or key=value,key=value".into()), Ok)
        }
        (kind, _) => wrong(match kind {
            Type::Text | Type::Key => "text with at least one character".into(),
            Type::Url => "a URL; use http://host:port or https://host".into(),
            Type::Choice(words) => format!("one of {}", words.join(", ")),
            Type::Bool => "true or false (or 1 or 0)".into(),
            Type::Integer(min, max) => format!("a whole number from {min} to {max}"),
            Type::Ratio => "a number from 0 to 1".into(),
            Type::Names => "an array of names".into(),
            Type::Patterns => "a JSON array of regular expressions".into(),
            Type::Object => "an object of plain values".into(),
        }),
    }
}

/// The platform takes the key raw and refuses any space in it, so a pasted "Bearer " is found here and not in production.
fn check_key(field: &str, key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::invalid(format!("{field}: the key is empty")));
    }
    if key.to_ascii_lowercase().starts_with("bearer") && key.contains(' ') {
        return Err(Error::invalid(format!("{field}: leave out the leading 'Bearer '; give the key alone")));
    }
    if let Some(position) = key.bytes().position(|c| !c.is_ascii_graphic()) {
        return Err(Error::invalid(format!(
            "{field}: the key has a space or another character that no key has, at position {position}"
        )));
    }
    Ok(())
}

/// A JSON object from text.
///
/// # Errors
/// MPR_ERR_INVALID_ARGUMENT with line and column, never with the text itself.
pub fn parse_object(field: &str, text: &str) -> Result<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Error::invalid(format!("{field}: the JSON is not an object; use {{\"key\": value}}"))),
        Err(e) => Err(not_json(field, &e)),
    }
}

fn not_json(field: &str, e: &serde_json::Error) -> Error {
    Error::invalid(format!("{field}: not valid JSON: {e}"))
}

/// OpenTelemetry's list form, with percent-encoded values.
fn key_values(text: &str) -> Option<Map<String, Value>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let decoded = pairs.map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let key = key.trim();
        (!key.is_empty()).then(|| (key.to_owned(), json!(percent_decoded(value.trim()))))
    });
    decoded.collect()
}

/// Text with its %xx put back.
pub fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (byte, hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(decoded)) => {
                out.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A value in a message: short, and nothing of it when it may be a key pasted into the wrong place.
fn shown(text: &str) -> String {
    if text.starts_with("eyJ") || text.contains('@') {
        return "(hidden)".into();
    }
    let mut short: String = text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_named_with_what_would_be_right() {
        let mut options = Options::default();
        for (name, value, message) in [
            (
                "api_base_url",
                json!("not a url"),
                "api_base_url: 'not a url' is not a URL; use http://host:port or https://host",
            ),
            (
                "api_base_url",
                json!("ftp://x"),
                "api_base_url: 'ftp://x' is not a URL; use http://host:port or https://host",
            ),
            ("sample_ratio", json!(1.5), "sample_ratio: 1.5 is not a number from 0 to 1"),
            ("timeout_ms", json!("soon"), "timeout_ms: 'soon' is not a whole number from 1 to 600000"),
            ("protocol", json!("udp"), "protocol: 'udp' is not one of http/protobuf, http/json, grpc"),
            ("apiKey", json!("k"), "options: there is no option 'apiKey'; did you mean 'api_key'?"),
            ("api_key", json!("Bearer abc"), "api_key: leave out the leading 'Bearer '; give the key alone"),
            ("headers", json!("novalue"), "headers: the given value is not a JSON object or key=value,key=value"),
            ("mask_patterns", json!("a{1,2}"), "mask_patterns: 'a{1,2}' is not a JSON array of regular expressions"),
            ("mask_patterns", json!(["a", "("]), "mask_patterns: entry 2 ('('): it is not a pattern: "),
            ("mask_paths", json!("a.b, a[x]"), "mask_paths: entry 2 ('a[x]'): brackets with neither a number, "),
            ("mask_allow_fields", json!(["colour"]), "mask_allow_fields: entry 1 ('colour'): no such name is masked "),
            (
                "mask_body_fields",
                json!(["pin", "-"]),
                "mask_body_fields: entry 2 ('-'): it has no letter or digit; use a ",
            ),
            ("mask_header_names", json!([""]), "mask_header_names: entry 1 (''): it has no letter or digit; use a "),
            ("mask_emails", json!(2), "mask_emails: 2 is not true or false (or 1 or 0)"),
            ("mask_emails", json!("yes"), "mask_emails: 'yes' is not true or false (or 1 or 0)"),
        ] {
            let error = options.set(name, value).unwrap_err();
            assert!(error.message.starts_with(message), "{error}");
        }
        let error = options.set("api_key", json!("sec ret")).unwrap_err();
        assert!(!error.message.contains("sec") && error.message.contains("position 3"), "{error}");
        let error = options.set_json("{\"api_key\": \n oops}").unwrap_err();
        assert!(error.message.contains("line 2 column"), "{error}");
    }

    #[test]
    fn a_json_object_is_taken_whole_or_not_at_all() {
        let mut options = Options::default();
        assert!(options.set_json(r#"{"api_key":"k","timeout_ms":-1}"#).is_err());
        assert_eq!(options.values.len(), 0);
        options.set_json(r#"{"api_key":"k","mask_body_fields":["a","b"],"headers":"x=1%202,y=3"}"#).unwrap();
        assert_eq!(options.effective("headers").unwrap(), json!({"x": "1 2", "y": "3"}));
        assert_eq!(options.effective("mask_body_fields").unwrap(), json!(["a", "b"]));
        options.set_json(r#"{"mask_emails":1,"mask_body":0,"decompress":true}"#).unwrap();
        assert_eq!(options.effective("mask_emails").unwrap(), json!(true));
        assert_eq!(options.effective("mask_body").unwrap(), json!(false));
        options.set("mask_body_fields", json!("pin, otp")).unwrap();
        assert_eq!(options.effective("mask_body_fields").unwrap(), json!(["pin", "otp"]));
    }
}
