//! A span as OTLP bytes, written while the host records it: one buffer that each attribute is appended to, in place of a
//! tree of strings that is built, converted, walked and freed, all on the host's thread.
//!
//! protobuf lets the fields of a message stand in any order. So what is known at the begin comes first, then the
//! attributes (together, as the JSON form wants them), then the rest.

use std::sync::Arc;

use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{span, Span, Status};
use prost::encoding::{encode_key, encode_varint, encoded_len_varint, WireType};
use prost::Message;

use super::{
    append_field, append_head, field_len, Envelope, Item, Signal, INTAKE_ATTRIBUTES, MAX_ITEM_BYTES, NAME_PAIRS,
};
use crate::keys::hash;
use crate::trace::SessionPrefix;

/// More attributes and events than this are left out, and counted in the span. The exception and content stay all the same.
const MAX_ATTRIBUTES: usize = 4_096;
const MAX_EVENTS: u32 = 10_000;
/// So many more attributes that matter most.
const MAX_IMPORTANT: usize = 256;
/// Room for a usual span at once.
const USUAL_BYTES: usize = 768;
const USUAL_ATTRIBUTES: usize = 16;

/// The first bytes of fields that have a length.
const FIELD_1: u8 = 1 << 3 | 2;
const FIELD_2: u8 = 2 << 3 | 2;
const FIELD_9: u8 = 9 << 3 | 2;

/// Where a span stands in its trace, and what it is.
pub struct Begin<'a> {
    /// Trace id.
    pub trace_id: &'a [u8; 16],
    /// Span id.
    pub span_id: &'a [u8; 8],
    /// The parent's span id.
    pub parent: Option<[u8; 8]>,
    /// OTLP's SpanFlags.
    pub flags: u32,
    /// Name.
    pub name: &'a str,
    /// A number of OTLP's SpanKind.
    pub kind: i32,
    /// Nanoseconds since 1970.
    pub time: u64,
}

/// The value of an attribute.
#[derive(Debug, Clone, Copy)]
pub enum Plain<'a> {
    /// Text.
    Text(&'a str),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
}

impl Plain<'_> {
    /// As an AnyValue.
    fn len(self) -> usize {
        match self {
            Self::Text(text) => 1 + encoded_len_varint(text.len() as u64) + text.len(),
            Self::Bool(_) => 2,
            Self::Int(number) => 1 + encoded_len_varint(number as u64),
            Self::Double(_) => 9,
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                match u8::try_from(text.len()).ok().filter(|len| *len < 0x80) {
                    Some(len) => out.extend_from_slice(&[FIELD_1, len]),
                    None => append_head(1, text.len(), out),
                }
                out.extend_from_slice(text.as_bytes());
            }
            Self::Bool(truth) => out.extend_from_slice(&[2 << 3, u8::from(truth)]),
            Self::Int(number) => append_number(3, number as u64, out),
            Self::Double(number) => append_fixed64(4, number.to_bits(), out),
        }
    }
}

/// An attribute in the buffer.
struct Attribute {
    hash: u32,
    begin: u32,
    key: u32,
    value: u32,
    end: u32,
    /// Another value took its place.
    replaced: bool,
}

/// See the module.
pub struct SpanWriter {
    bytes: Vec<u8>,
    /// Where the attributes begin.
    head: usize,
    attributes: Vec<Attribute>,
    /// One bit for each hash: most keys that are looked for are not there.
    hashes: u64,
    /// How many are replaced, and their bytes.
    replaced: usize,
    replaced_bytes: usize,
    dropped_attributes: u32,
    events: Vec<u8>,
    event_count: u32,
    dropped_events: u32,
}

impl SpanWriter {
    /// Begins a span.
    pub fn new(begin: &Begin<'_>) -> Self {
        let mut bytes = Vec::with_capacity(USUAL_BYTES + begin.name.len());
        append_field(1, begin.trace_id, &mut bytes);
        append_field(2, begin.span_id, &mut bytes);
        if let Some(parent) = begin.parent {
            append_field(4, &parent, &mut bytes);
        }
        encode_key(16, WireType::ThirtyTwoBit, &mut bytes);
        bytes.extend_from_slice(&begin.flags.to_le_bytes());
        append_field(5, begin.name.as_bytes(), &mut bytes);
        append_number(6, u64::from(begin.kind.unsigned_abs()), &mut bytes);
        append_fixed64(7, begin.time, &mut bytes);
        Self {
            head: bytes.len(),
            bytes,
            attributes: Vec::with_capacity(USUAL_ATTRIBUTES),
            hashes: 0,
            replaced: 0,
            replaced_bytes: 0,
            dropped_attributes: 0,
            events: Vec::new(),
            event_count: 0,
            dropped_events: 0,
        }
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.events.len() + self.attributes.len() * size_of::<Attribute>()
    }

    /// What an attribute adds to that at most.
    pub fn size_of(key: &str, value: Plain<'_>) -> usize {
        size_of::<Attribute>() + attribute_len(key, value)
    }

    /// Sets an attribute. A second value for a key replaces the first.
    pub fn set(&mut self, key: &str, value: Plain<'_>) {
        if key.starts_with("multiplayer.") && INTAKE_ATTRIBUTES.contains(&key) {
            return;
        }
        let hash = hash(key.as_bytes());
        let before = self.find(hash, key);
        let most = MAX_ATTRIBUTES + if is_important(key) { MAX_IMPORTANT } else { 0 };
        let full = before.is_none() && self.attributes.len() - self.replaced >= most;
        // (Positions have 32 bits.)
        if full || u32::try_from(self.bytes.len() + attribute_len(key, value)).is_err() {
            self.dropped_attributes += 1;
            return;
        }
        let begin = self.bytes.len();
        let value_len = value.len();
        let pair_len = field_len(key.len()) + field_len(value_len);
        self.bytes.reserve(field_len(pair_len));
        let short = |len: usize| u8::try_from(len).ok().filter(|len| *len < 0x80);
        // Nearly all are short, so that each length is one byte.
        if let (Some(pair), Some(key_byte), Some(value)) = (short(pair_len), short(key.len()), short(value_len)) {
            self.bytes.extend_from_slice(&[FIELD_9, pair, FIELD_1, key_byte]);
            self.bytes.extend_from_slice(key.as_bytes());
            self.bytes.extend_from_slice(&[FIELD_2, value]);
        } else {
            append_head(9, pair_len, &mut self.bytes);
            append_field(1, key.as_bytes(), &mut self.bytes);
            append_head(2, value_len, &mut self.bytes);
        }
        let at = begin + field_len(pair_len) - field_len(value_len);
        value.write(&mut self.bytes);
        let end = self.bytes.len();
        if let Some(old) = before.and_then(|before| self.attributes.get_mut(before)) {
            if (old.end - old.begin) as usize == end - begin {
                self.bytes.copy_within(begin..end, old.begin as usize);
                self.bytes.truncate(begin);
                return;
            }
            old.replaced = true;
            self.replaced += 1;
            self.replaced_bytes += (old.end - old.begin) as usize;
        }
        self.hashes |= 1 << (hash % 64);
        let [begin, key, value, end] = [begin, at - key.len(), at, end].map(|at| at as u32);
        self.attributes.push(Attribute { hash, begin, key, value, end, replaced: false });
        if self.replaced > MAX_ATTRIBUTES || self.replaced_bytes > self.bytes.len() / 2 {
            self.leave_replaced_out();
        }
    }

    #[inline(always)]
    fn find(&self, hash: u32, key: &str) -> Option<usize> {
        if self.hashes >> (hash % 64) & 1 == 0 {
            return None;
        }
        self.find_among(hash, key)
    }

    fn find_among(&self, hash: u32, key: &str) -> Option<usize> {
        let is_it = |one: &Attribute| {
            let text = || self.bytes.get(one.key as usize..one.value as usize);
            one.hash == hash && !one.replaced && text() == Some(key.as_bytes())
        };
        self.attributes.iter().position(is_it)
    }

    fn leave_replaced_out(&mut self) {
        let mut to = self.head;
        let bytes = &mut self.bytes;
        self.attributes.retain_mut(|one| {
            if one.replaced {
                return false;
            }
            bytes.copy_within(one.begin as usize..one.end as usize, to);
            let moved = one.begin - to as u32;
            to += (one.end - one.begin) as usize;
            for place in [&mut one.begin, &mut one.key, &mut one.value, &mut one.end] {
                *place -= moved;
            }
            true
        });
        bytes.truncate(to);
        (self.replaced, self.replaced_bytes) = (0, 0);
    }

    /// Adds an event.
    pub fn add_event(&mut self, event: &span::Event) {
        let most = MAX_EVENTS + if event.name == "exception" { MAX_IMPORTANT as u32 } else { 0 };
        if self.event_count >= most {
            self.dropped_events += 1;
            return;
        }
        self.event_count += 1;
        append_field(11, &event.encode_to_vec(), &mut self.events);
    }

    /// Ends the span: as an item, as the platform wants it.
    pub fn end(mut self, time: u64, status: &Status, session: SessionPrefix, envelope: Arc<Envelope>) -> Item {
        if self.replaced > 0 {
            self.leave_replaced_out();
        }
        self.add_paired_names();
        let counts = [(10, self.dropped_attributes), (12, self.dropped_events)].map(|(n, count)| (n, u64::from(count)));
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        let has_status = *status != Status::default();
        // At its length: it may wait for long, and what it takes is what is counted.
        let end_len = 9
            + counts.clone().map(|(_, count)| 1 + encoded_len_varint(count)).sum::<usize>()
            + if has_status { field_len(status.encoded_len()) } else { 0 };
        let mut bytes = Vec::with_capacity(self.bytes.len() + end_len + self.events.len());
        bytes.extend_from_slice(&self.bytes);
        append_fixed64(8, time, &mut bytes);
        counts.for_each(|(number, count)| append_number(number, count, &mut bytes));
        bytes.extend_from_slice(&self.events);
        if has_status {
            append_head(15, status.encoded_len(), &mut bytes);
            let _ = status.encode(&mut bytes);
        }
        debug_assert_eq!(bytes.len(), bytes.capacity());
        let error = status.code == StatusCode::Error as i32;
        if error || bytes.len() > MAX_ITEM_BYTES {
            // What is rarely needed is done to the tree.
            if let Ok(span) = Span::decode(bytes.as_slice()) {
                return Item::span(span, envelope);
            }
        }
        Item { signal: Signal::Traces, session, error, envelope, bytes: bytes.into(), slot: None }
    }

    /// As [`super::add_paired_names`].
    fn add_paired_names(&mut self) {
        for ((new, old), (new_hash, old_hash)) in NAME_PAIRS.iter().zip(PAIR_HASHES) {
            let (present, missing) = match (self.find(new_hash, new), self.find(old_hash, old)) {
                (Some(present), None) => (present, old),
                (None, Some(present)) => (present, new),
                _ => continue,
            };
            let Some(value) = self.attributes.get(present).map(|one| one.value as usize..one.end as usize) else {
                continue;
            };
            encode_key(9, WireType::LengthDelimited, &mut self.bytes);
            let key_len = 1 + encoded_len_varint(missing.len() as u64) + missing.len();
            encode_varint((key_len + value.len()) as u64, &mut self.bytes);
            append_field(1, missing.as_bytes(), &mut self.bytes);
            self.bytes.extend_from_within(value);
        }
    }
}

/// Does it stay when there are too many?
fn is_important(key: &str) -> bool {
    key.starts_with("exception.") || key.starts_with("multiplayer.")
}

/// As a field of a span.
fn attribute_len(key: &str, value: Plain<'_>) -> usize {
    field_len(field_len(key.len()) + field_len(value.len()))
}

fn append_number(field: u32, number: u64, out: &mut Vec<u8>) {
    encode_key(field, WireType::Varint, out);
    encode_varint(number, out);
}

fn append_fixed64(field: u32, number: u64, out: &mut Vec<u8>) {
    encode_key(field, WireType::SixtyFourBit, out);
    out.extend_from_slice(&number.to_le_bytes());
}

/// Of the two names in each of NAME_PAIRS.
const PAIR_HASHES: [(u32, u32); NAME_PAIRS.len()] = {
    let mut hashes = [(0, 0); NAME_PAIRS.len()];
    let mut i = 0;
    while i < hashes.len() {
        hashes[i] = (hash(NAME_PAIRS[i].0.as_bytes()), hash(NAME_PAIRS[i].1.as_bytes()));
        i += 1;
    }
    hashes
};

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use serde_json::json;

    use super::super::key_value;
    use super::*;

    struct Random(u64);

    impl Random {
        fn next(&mut self, below: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % below
        }
    }

    fn envelope() -> Arc<Envelope> {
        Arc::new(Envelope::new(&Resource::default(), "", &Default::default(), ""))
    }

    fn begin() -> SpanWriter {
        SpanWriter::new(&Begin {
            trace_id: &[7; 16],
            span_id: &[8; 8],
            parent: Some([9; 8]),
            flags: 0x303,
            name: "näme",
            kind: 2,
            time: 1_700_000_000_000_000_000,
        })
    }

    fn tree(item: &Item) -> Span {
        Span::decode(&*item.bytes).unwrap()
    }

    fn sorted(mut span: Span) -> Span {
        span.attributes.sort_by(|a, b| a.key.cmp(&b.key));
        span
    }

    /// The same span as a tree, which prost writes and the slow functions adapt.
    #[test]
    fn it_writes_what_the_tree_would_be() {
        let mut random = Random(5);
        for round in 0..1_000 {
            let mut writer = begin();
            let mut span = tree(&begin().end(1, &Status::default(), SessionPrefix::default(), envelope()));
            span.end_time_unix_nano = 1_800_000_000_000_000_000;
            for _ in 0..random.next(40) {
                let key = match random.next(4) {
                    0 => NAME_PAIRS[random.next(NAME_PAIRS.len())].0.to_owned(),
                    1 => NAME_PAIRS[random.next(NAME_PAIRS.len())].1.to_owned(),
                    2 => {
                        ["multiplayer.workspace.id", "multiplayer.x", "exception.type", "k"][random.next(4)].to_owned()
                    }
                    _ => "k".repeat(random.next(300)) + &random.next(9).to_string(),
                };
                let text = "é".repeat(random.next(4).pow(random.next(9) as u32) % 20_000);
                let (value, as_json) = match random.next(6) {
                    0 => (Plain::Bool(random.next(2) == 0), None),
                    1 => (Plain::Int(-(random.next(1 << 30) as i64) << random.next(30)), None),
                    2 => (Plain::Double(0.25 - random.next(9) as f64), None),
                    _ => (Plain::Text(&text), Some(json!(text))),
                };
                let as_json = as_json.unwrap_or_else(|| match value {
                    Plain::Bool(truth) => json!(truth),
                    Plain::Int(number) => json!(number),
                    Plain::Double(number) => json!(number),
                    Plain::Text(text) => json!(text),
                });
                let before = writer.size();
                writer.set(&key, value);
                assert!(writer.size() <= before + SpanWriter::size_of(&key, value));
                span.attributes.push(key_value(&key, as_json));
            }
            for n in 0..random.next(3) {
                let name = ["exception", "other"][random.next(2)].to_owned();
                let event = span::Event { time_unix_nano: n as u64, name, ..span::Event::default() };
                writer.add_event(&event);
                span.events.push(event);
            }
            if round % 20 == 0 {
                // More than the platform takes.
                let text = "long ".repeat(250_000);
                writer.set("long", Plain::Text(&text));
                span.attributes.push(key_value("long", json!(text)));
            }
            let status = match random.next(3) {
                0 => Status::default(),
                1 => Status { code: StatusCode::Ok.into(), message: String::new() },
                _ => Status { code: StatusCode::Error.into(), message: "no".into() },
            };
            span.status = Some(status.clone()).filter(|status| *status != Status::default());
            let written = writer.end(span.end_time_unix_nano, &status, SessionPrefix::default(), envelope());
            let built = Item::span(span, envelope());
            assert_eq!((written.error, written.session), (built.error, built.session));
            // A value that comes again stands where the last one was set, or where the first one was.
            assert_eq!(sorted(tree(&written)), sorted(tree(&built)), "round {round}");
        }
    }

    #[test]
    fn what_is_too_much_is_counted_and_what_matters_stays() {
        let mut writer = begin();
        for n in 0..MAX_ATTRIBUTES + 10 {
            writer.set(&format!("k{n}"), Plain::Int(1));
        }
        for n in 0..50_000 {
            writer.set("k1", Plain::Text(if n % 2 == 0 { "a" } else { "longer" }));
        }
        assert!(writer.size() < 300_000, "{}", writer.size());
        writer.set("exception.type", Plain::Text("Oops"));
        let event = |name: &str| span::Event { name: name.into(), ..span::Event::default() };
        (0..MAX_EVENTS + 5).for_each(|_| writer.add_event(&event("tick")));
        writer.add_event(&event("exception"));
        let span = tree(&writer.end(1, &Status::default(), SessionPrefix::default(), envelope()));
        assert_eq!((span.dropped_attributes_count, span.dropped_events_count), (10, 5));
        assert_eq!((span.attributes.len(), span.events.len()), (MAX_ATTRIBUTES + 1, MAX_EVENTS as usize + 1));
        assert!(span.attributes.iter().any(|kv| kv.key == "exception.type"));
        assert_eq!(span.attributes.iter().filter(|kv| kv.key == "k1").count(), 1);
    }
}
