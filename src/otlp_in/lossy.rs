//! A request whose texts are not all UTF-8, which protobuf wants and many SDKs do not see to: the same with U+FFFD in place of what
//! is wrong. Only asked for what the decoder refuses.

use super::plain::{Fields, Value};
use crate::pipeline::otlp::append_field;

/// The fields of a message that are texts, or messages with texts.
pub type Parts = &'static [(u32, Part)];

/// What a field is.
pub enum Part {
    Text,
    Message(Parts),
    /// AnyValue, which has lists and maps of its like.
    AnyValue,
}
use Part::{AnyValue, Message, Text};

/// As deep as the decoder goes.
const DEEPEST: usize = 100;

/// ExportTraceServiceRequest.
pub const TRACES: Parts = &[(1, Message(&[(1, RESOURCE), (2, SCOPE_SPANS), (3, Text)]))];
/// ExportLogsServiceRequest.
pub const LOGS: Parts = &[(1, Message(&[(1, RESOURCE), (2, SCOPE_LOGS), (3, Text)]))];

const RESOURCE: Part = Message(&[(1, KEY_VALUE), (3, Message(&[(1, Text), (2, Text), (3, Text), (4, Text)]))]);
const SCOPE: Part = Message(&[(1, Text), (2, Text), (3, KEY_VALUE)]);
const SCOPE_SPANS: Part = Message(&[(1, SCOPE), (2, SPAN), (3, Text)]);
const SCOPE_LOGS: Part = Message(&[(1, SCOPE), (2, LOG), (3, Text)]);
const EVENT: Part = Message(&[(2, Text), (3, KEY_VALUE)]);
const LINK: Part = Message(&[(3, Text), (4, KEY_VALUE)]);
const STATUS: Part = Message(&[(2, Text)]);
const SPAN: Part = Message(&[(3, Text), (5, Text), (9, KEY_VALUE), (11, EVENT), (13, LINK), (15, STATUS)]);
const LOG: Part = Message(&[(3, Text), (5, AnyValue), (6, KEY_VALUE), (12, Text)]);
const KEY_VALUE: Part = Message(&[(1, Text), (2, AnyValue)]);
const ANY_VALUE: Parts = &[(1, Text), (5, Message(&[(1, AnyValue)])), (6, Message(&[(1, KEY_VALUE)]))];

/// `None` for what is no protobuf.
pub fn with_utf8(message: &[u8], parts: Parts) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(message.len() + 16);
    write(message, parts, 0, &mut out)?;
    Some(out)
}

fn write(message: &[u8], parts: Parts, depth: usize, out: &mut Vec<u8>) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    let mut fields = Fields(message);
    loop {
        let before = fields.0;
        let Some((number, value)) = fields.next()? else { return Some(()) };
        let part = parts.iter().find(|(known, _)| *known == number).map(|(_, part)| part);
        let inner = match (part, &value) {
            (Some(Text), Value::Bytes(text)) => {
                append_field(number, String::from_utf8_lossy(text).as_bytes(), out);
                continue;
            }
            (Some(Message(parts)), Value::Bytes(inner)) => Some((*inner, *parts)),
            (Some(AnyValue), Value::Bytes(inner)) => Some((*inner, ANY_VALUE)),
            _ => None,
        };
        if let Some((inner, parts)) = inner {
            let mut whole = Vec::with_capacity(inner.len());
            write(inner, parts, depth + 1, &mut whole)?;
            append_field(number, &whole, out);
        } else {
            out.extend_from_slice(before.get(..before.len() - fields.0.len())?);
        }
    }
}
