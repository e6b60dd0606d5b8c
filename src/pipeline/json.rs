//! OTLP as JSON, made from the encoded request itself: tables say which field is what, one walk writes them. So all
//! transports carry the same request, and no second set of types has to be kept in step.
//!
//! The form is OTLP's own: ids in hex, 64-bit numbers as text, enums as numbers, lowerCamelCase names.

use std::io::Write;

use super::wire::{fields, Value};

/// prost encodes no more levels than it decodes.
const MAX_DEPTH: u32 = 128;

/// One field of a message.
struct Field {
    number: u32,
    name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// Bytes in hex: ids.
    Id,
    /// Bytes in base64.
    Bytes,
    Bool,
    /// Enums and 32-bit numbers.
    Number,
    /// An unsigned 64-bit number, as text.
    Long,
    /// A signed one.
    SignedLong,
    Double,
    Message(&'static Schema),
    Texts,
    Messages(&'static Schema),
}

/// The fields of a message. Referred to by its place, since an AnyValue may hold others.
type Schema = &'static [Field];

const fn field(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind }
}

static TRACES_REQUEST: Schema = &[field(1, "resourceSpans", Kind::Messages(&RESOURCE_SPANS))];
static LOGS_REQUEST: Schema = &[field(1, "resourceLogs", Kind::Messages(&RESOURCE_LOGS))];
static RESOURCE_SPANS: Schema = &[
    field(1, "resource", Kind::Message(&RESOURCE)),
    field(2, "scopeSpans", Kind::Messages(&SCOPE_SPANS)),
    field(3, "schemaUrl", Kind::Text),
];
static RESOURCE_LOGS: Schema = &[
    field(1, "resource", Kind::Message(&RESOURCE)),
    field(2, "scopeLogs", Kind::Messages(&SCOPE_LOGS)),
    field(3, "schemaUrl", Kind::Text),
];
static SCOPE_SPANS: Schema = &[
    field(1, "scope", Kind::Message(&SCOPE)),
    field(2, "spans", Kind::Messages(&SPAN)),
    field(3, "schemaUrl", Kind::Text),
];
static SCOPE_LOGS: Schema = &[
    field(1, "scope", Kind::Message(&SCOPE)),
    field(2, "logRecords", Kind::Messages(&LOG_RECORD)),
    field(3, "schemaUrl", Kind::Text),
];
static RESOURCE: Schema = &[
    field(1, "attributes", Kind::Messages(&KEY_VALUE)),
    field(2, "droppedAttributesCount", Kind::Number),
    field(3, "entityRefs", Kind::Messages(&ENTITY_REF)),
];
static ENTITY_REF: Schema = &[
    field(1, "schemaUrl", Kind::Text),
    field(2, "type", Kind::Text),
    field(3, "idKeys", Kind::Texts),
    field(4, "descriptionKeys", Kind::Texts),
];
static SCOPE: Schema = &[
    field(1, "name", Kind::Text),
    field(2, "version", Kind::Text),
    field(3, "attributes", Kind::Messages(&KEY_VALUE)),
    field(4, "droppedAttributesCount", Kind::Number),
];
static SPAN: Schema = &[
    field(1, "traceId", Kind::Id),
    field(2, "spanId", Kind::Id),
    field(3, "traceState", Kind::Text),
    field(4, "parentSpanId", Kind::Id),
    field(5, "name", Kind::Text),
    field(6, "kind", Kind::Number),
    field(7, "startTimeUnixNano", Kind::Long),
    field(8, "endTimeUnixNano", Kind::Long),
    field(9, "attributes", Kind::Messages(&KEY_VALUE)),
    field(10, "droppedAttributesCount", Kind::Number),
    field(11, "events", Kind::Messages(&EVENT)),
    field(12, "droppedEventsCount", Kind::Number),
    field(13, "links", Kind::Messages(&LINK)),
    field(14, "droppedLinksCount", Kind::Number),
    field(15, "status", Kind::Message(&STATUS)),
    field(16, "flags", Kind::Number),
];
static EVENT: Schema = &[
    field(1, "timeUnixNano", Kind::Long),
    field(2, "name", Kind::Text),
    field(3, "attributes", Kind::Messages(&KEY_VALUE)),
    field(4, "droppedAttributesCount", Kind::Number),
];
static LINK: Schema = &[
    field(1, "traceId", Kind::Id),
    field(2, "spanId", Kind::Id),
    field(3, "traceState", Kind::Text),
    field(4, "attributes", Kind::Messages(&KEY_VALUE)),
    field(5, "droppedAttributesCount", Kind::Number),
    field(6, "flags", Kind::Number),
];
static STATUS: Schema = &[field(2, "message", Kind::Text), field(3, "code", Kind::Number)];
static LOG_RECORD: Schema = &[
    field(1, "timeUnixNano", Kind::Long),
    field(2, "severityNumber", Kind::Number),
    field(3, "severityText", Kind::Text),
    field(5, "body", Kind::Message(&ANY_VALUE)),
    field(6, "attributes", Kind::Messages(&KEY_VALUE)),
    field(7, "droppedAttributesCount", Kind::Number),
    field(8, "flags", Kind::Number),
    field(9, "traceId", Kind::Id),
    field(10, "spanId", Kind::Id),
    field(11, "observedTimeUnixNano", Kind::Long),
    field(12, "eventName", Kind::Text),
];
static KEY_VALUE: Schema = &[field(1, "key", Kind::Text), field(2, "value", Kind::Message(&ANY_VALUE))];
static ANY_VALUE: Schema = &[
    field(1, "stringValue", Kind::Text),
    field(2, "boolValue", Kind::Bool),
    field(3, "intValue", Kind::SignedLong),
    field(4, "doubleValue", Kind::Double),
    field(5, "arrayValue", Kind::Message(&ARRAY_VALUE)),
    field(6, "kvlistValue", Kind::Message(&KEY_VALUE_LIST)),
    field(7, "bytesValue", Kind::Bytes),
];
static ARRAY_VALUE: Schema = &[field(1, "values", Kind::Messages(&ANY_VALUE))];
static KEY_VALUE_LIST: Schema = &[field(1, "values", Kind::Messages(&KEY_VALUE))];

/// An encoded ExportTraceServiceRequest as JSON.
pub fn traces(request: &[u8]) -> Vec<u8> {
    convert(TRACES_REQUEST, request)
}

/// An encoded ExportLogsServiceRequest as JSON.
pub fn logs(request: &[u8]) -> Vec<u8> {
    convert(LOGS_REQUEST, request)
}

fn convert(schema: Schema, request: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(request.len() * 2);
    message(schema, request, 0, &mut out);
    out
}

/// The values of a repeated field stand together in what prost and `encode_request` write, so one walk is enough.
fn message(schema: Schema, bytes: &[u8], depth: u32, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut open: Option<u32> = None;
    let mut first = true;
    for (number, value) in fields(bytes) {
        let Some(field) = schema.iter().find(|field| field.number == number) else { continue };
        let repeated = matches!(field.kind, Kind::Texts | Kind::Messages(&_));
        match open {
            Some(same) if same == number && repeated => out.push(b','),
            _ => {
                if open.take().is_some() {
                    out.push(b']');
                }
                if !first {
                    out.push(b',');
                }
                first = false;
                text(field.name, out);
                out.push(b':');
                if repeated {
                    out.push(b'[');
                    open = Some(number);
                }
            }
        }
        write(field.kind, value, depth, out);
    }
    if open.is_some() {
        out.push(b']');
    }
    out.push(b'}');
}

fn write(kind: Kind, value: Value, depth: u32, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = match (kind, value) {
        (Kind::Message(schema) | Kind::Messages(schema), Value::Bytes(bytes)) => {
            let bytes = if depth < MAX_DEPTH { bytes } else { &[] };
            message(schema, bytes, depth + 1, out);
            Ok(())
        }
        (Kind::Text | Kind::Texts, Value::Bytes(bytes)) => {
            text(&String::from_utf8_lossy(bytes), out);
            Ok(())
        }
        (Kind::Id, Value::Bytes(bytes)) => {
            out.push(b'"');
            for byte in bytes {
                out.extend(
                    [byte >> 4, byte & 15].map(|digit| if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }),
                );
            }
            out.push(b'"');
            Ok(())
        }
        (Kind::Bytes, Value::Bytes(bytes)) => {
            use base64::Engine;
            write!(out, "\"{}\"", base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        (Kind::Bool, Value::Number(n)) => write!(out, "{}", n != 0),
        // Negative enums and int32 are sent as 64 bits; OTLP has none of them.
        (Kind::Number, Value::Number(n)) => write!(out, "{n}"),
        (Kind::Long, Value::Number(n)) => write!(out, "\"{n}\""),
        (Kind::SignedLong, Value::Number(n)) => write!(out, "\"{}\"", n.cast_signed()),
        (Kind::Double, Value::Number(n)) => {
            let double = f64::from_bits(n);
            match double {
                _ if double.is_nan() => write!(out, "\"NaN\""),
                f64::INFINITY => write!(out, "\"Infinity\""),
                f64::NEG_INFINITY => write!(out, "\"-Infinity\""),
                // Rust's Debug form is the shortest that reads back as the same number, and JSON takes it.
                _ => write!(out, "{double:?}"),
            }
        }
        // Not as the schema has it; nothing that this library encodes.
        _ => write!(out, "null"),
    };
}

fn text(text: &str, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{
        any_value, AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
    };
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{span, ResourceSpans, ScopeSpans, Span, Status};
    use prost::Message;

    use super::*;

    fn kv(key: &str, value: any_value::Value) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
    }

    fn attributes() -> Vec<KeyValue> {
        let int = |n| AnyValue { value: Some(any_value::Value::IntValue(n)) };
        vec![
            kv("text", any_value::Value::StringValue("a \"b\" \\ \u{1} \u{1f600} </script>\n".into())),
            kv("yes", any_value::Value::BoolValue(true)),
            kv("no", any_value::Value::BoolValue(false)),
            kv("least", any_value::Value::IntValue(i64::MIN)),
            kv("most", any_value::Value::IntValue(i64::MAX)),
            kv("double", any_value::Value::DoubleValue(-0.1)),
            kv("whole", any_value::Value::DoubleValue(1e300)),
            kv("tiny", any_value::Value::DoubleValue(5e-324)),
            kv("bytes", any_value::Value::BytesValue(vec![0, 255, 1, 2])),
            kv("list", any_value::Value::ArrayValue(ArrayValue { values: vec![int(1), int(0)] })),
            kv(
                "map",
                any_value::Value::KvlistValue(KeyValueList {
                    values: vec![kv("in", any_value::Value::StringValue(String::new()))],
                }),
            ),
            KeyValue { key: "nothing".into(), value: None, ..Default::default() },
        ]
    }

    fn resource() -> Option<Resource> {
        let entity = EntityRef {
            schema_url: "u".into(),
            r#type: "host".into(),
            id_keys: vec!["a".into(), "b".into()],
            description_keys: vec!["c".into()],
        };
        Some(Resource { attributes: attributes(), dropped_attributes_count: 3, entity_refs: vec![entity] })
    }

    fn scope() -> Option<InstrumentationScope> {
        Some(InstrumentationScope {
            name: "s".into(),
            version: "1".into(),
            attributes: attributes(),
            dropped_attributes_count: 1,
        })
    }

    /// Read back by the generated types' own reader, which is the one of the local recorder.
    #[test]
    fn traces_read_back_as_they_were() {
        let one = Span {
            trace_id: (0..16).collect(),
            span_id: vec![0xff; 8],
            trace_state: "a=b".into(),
            parent_span_id: vec![1; 8],
            flags: 0x301,
            name: "GET /".into(),
            kind: 2,
            start_time_unix_nano: u64::MAX,
            end_time_unix_nano: 1,
            attributes: attributes(),
            dropped_attributes_count: u32::MAX,
            events: vec![
                span::Event {
                    time_unix_nano: 7,
                    name: "e".into(),
                    attributes: attributes(),
                    dropped_attributes_count: 9,
                },
                span::Event::default(),
            ],
            dropped_events_count: 4,
            links: vec![span::Link {
                trace_id: vec![2; 16],
                span_id: vec![3; 8],
                trace_state: "x".into(),
                attributes: attributes(),
                dropped_attributes_count: 1,
                flags: 1,
            }],
            dropped_links_count: 5,
            status: Some(Status { message: "m".into(), code: 2 }),
        };
        let scope_spans = |spans| ScopeSpans { scope: scope(), spans, schema_url: "https://s".into() };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![
                ResourceSpans {
                    resource: resource(),
                    scope_spans: vec![scope_spans(vec![one.clone(), Span::default(), one]), scope_spans(vec![])],
                    schema_url: "https://r".into(),
                },
                ResourceSpans::default(),
            ],
        };
        let json = traces(&request.encode_to_vec());
        assert_eq!(serde_json::from_slice::<ExportTraceServiceRequest>(&json).unwrap(), request);
    }

    #[test]
    fn logs_read_back_as_they_were() {
        let one = LogRecord {
            time_unix_nano: 1,
            observed_time_unix_nano: u64::MAX,
            severity_number: 9,
            severity_text: "info".into(),
            body: Some(AnyValue { value: Some(any_value::Value::StringValue("hello".into())) }),
            attributes: attributes(),
            dropped_attributes_count: 2,
            flags: u32::MAX,
            trace_id: vec![0xab; 16],
            span_id: vec![0xcd; 8],
            event_name: "n".into(),
        };
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: resource(),
                scope_logs: vec![ScopeLogs {
                    scope: scope(),
                    log_records: vec![one, LogRecord::default()],
                    schema_url: "https://s".into(),
                }],
                schema_url: String::new(),
            }],
        };
        let json = logs(&request.encode_to_vec());
        assert_eq!(serde_json::from_slice::<ExportLogsServiceRequest>(&json).unwrap(), request);
    }

    #[test]
    fn the_form_is_otlps_own() {
        let span = Span {
            trace_id: vec![0xab; 16],
            start_time_unix_nano: 5,
            kind: 3,
            attributes: vec![
                kv("n", any_value::Value::IntValue(-1)),
                kv("nan", any_value::Value::DoubleValue(f64::NAN)),
                kv("inf", any_value::Value::DoubleValue(f64::NEG_INFINITY)),
                kv("bytes", any_value::Value::BytesValue(vec![255; 2])),
            ],
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
        let request =
            ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] };
        let id = "ab".repeat(16);
        let expected = format!(
            concat!(
                r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{}","kind":3,"startTimeUnixNano":"5","#,
                r#""attributes":[{{"key":"n","value":{{"intValue":"-1"}}}},"#,
                r#"{{"key":"nan","value":{{"doubleValue":"NaN"}}}},{{"key":"inf","value":{{"doubleValue":"-Infinity"}}}},"#,
                r#"{{"key":"bytes","value":{{"bytesValue":"//8="}}}}]}}]}}]}}]}}"#
            ),
            id
        );
        assert_eq!(String::from_utf8(traces(&request.encode_to_vec())).unwrap(), expected);
    }

    /// Whatever the bytes are, the output is JSON.
    #[test]
    fn any_bytes_give_json() {
        let mut state = 7_u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..state % 40)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    [10, 18, 2, 0, 255, 9, 8, (state >> 33) as u8][(state >> 56) as usize % 8]
                })
                .collect();
            state = state.wrapping_add(1);
            serde_json::from_slice::<serde_json::Value>(&traces(&bytes)).unwrap();
        }
        // Lists in lists without end.
        let mut deep = vec![];
        for _ in 0..2_000 {
            let mut list = Vec::new();
            prost::encoding::bytes::encode(1, &deep, &mut list);
            deep.clear();
            prost::encoding::bytes::encode(5, &list, &mut deep);
        }
        let mut out = Vec::new();
        message(ANY_VALUE, &deep, 0, &mut out);
        let levels = out.iter().filter(|c| **c == b'{').count();
        assert_eq!((levels, out.iter().filter(|c| **c == b'}').count()), (MAX_DEPTH as usize + 2, levels));
    }
}
