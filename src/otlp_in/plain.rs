//! Most spans of a host's SDK are ids, a name, times and attributes of plain values. Those are read where they stand, without a
//! tree that would be built, masked, encoded and freed on the host's thread. All that is rarer, or not right, is left to
//! the decoder.

use std::ops::Range;
use std::sync::Arc;

use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::encoding::{decode_key, decode_varint, WireType};
use prost::Message;

use super::is_captured;
use crate::mask::PLACEHOLDER;
use crate::masker::Masker;
use crate::pipeline::otlp::{Begin, Envelope, Item, Plain, SpanWriter};
use crate::trace::SessionPrefix;

/// One with more is cut by what it has, which the tree does.
const MAX_ATTRIBUTES: usize = 1_000;

/// The parts of an ExportTraceServiceRequest, where they stand in it.
#[derive(Default)]
pub struct Request<'a> {
    /// For each scope, in order.
    pub groups: Vec<Group<'a>>,
    /// Of all plain spans.
    attributes: Vec<(&'a str, Plain<'a>)>,
}

/// The spans of one scope of one resource; resource and scope as they are encoded.
pub struct Group<'a> {
    pub resource: &'a [u8],
    pub resource_schema: &'a str,
    pub scope: &'a [u8],
    pub scope_schema: &'a str,
    pub spans: Vec<Either<'a>>,
}

/// A span.
pub enum Either<'a> {
    Plain(PlainSpan<'a>),
    Tree(Box<Span>),
}

/// See the module.
pub struct PlainSpan<'a> {
    pub trace_id: &'a [u8; 16],
    span_id: &'a [u8; 8],
    parent: Option<[u8; 8]>,
    flags: u32,
    name: &'a str,
    kind: i32,
    begin: u64,
    end: u64,
    status: i32,
    status_message: &'a str,
    attributes: Range<usize>,
}

impl<'a> Request<'a> {
    /// `None` for what only the decoder understands, or nobody.
    pub fn read(request: &'a [u8]) -> Option<Self> {
        let mut read = Self::default();
        let mut fields = Fields(request);
        while let Some((number, value)) = fields.next()? {
            let (1, Value::Bytes(spans)) = (number, value) else { return None };
            read.resource_spans(spans)?;
        }
        Some(read)
    }

    fn resource_spans(&mut self, bytes: &'a [u8]) -> Option<()> {
        let (mut resource, mut schema, first) = (None, None, self.groups.len());
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => once(&mut resource, bytes)?,
                (2, Value::Bytes(bytes)) => self.scope_spans(bytes)?,
                (3, Value::Bytes(bytes)) => once(&mut schema, std::str::from_utf8(bytes).ok()?)?,
                _ => return None,
            }
        }
        for group in self.groups.iter_mut().skip(first) {
            group.resource = resource.unwrap_or_default();
            group.resource_schema = schema.unwrap_or_default();
        }
        Some(())
    }

    fn scope_spans(&mut self, bytes: &'a [u8]) -> Option<()> {
        let (mut scope, mut schema, mut spans) = (None, None, Vec::new());
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => once(&mut scope, bytes)?,
                (2, Value::Bytes(bytes)) => {
                    let before = self.attributes.len();
                    spans.push(match self.span(bytes) {
                        Some(span) => Either::Plain(span),
                        None => {
                            self.attributes.truncate(before);
                            Either::Tree(Box::new(Span::decode(bytes).ok()?))
                        }
                    });
                }
                (3, Value::Bytes(bytes)) => once(&mut schema, std::str::from_utf8(bytes).ok()?)?,
                _ => return None,
            }
        }
        let (scope, scope_schema) = (scope.unwrap_or_default(), schema.unwrap_or_default());
        self.groups.push(Group { resource: &[], resource_schema: "", scope, scope_schema, spans });
        Some(())
    }

    fn span(&mut self, bytes: &'a [u8]) -> Option<PlainSpan<'a>> {
        let (mut trace_id, mut span_id, mut status, mut status_message) = (None, None, 0, "");
        let (mut parent, mut flags, mut name, mut kind, mut begin, mut end) = (None, 0, "", 0, 0, 0);
        let first = self.attributes.len();
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(id)) => trace_id = Some(<&[u8; 16]>::try_from(id).ok()?),
                (2, Value::Bytes(id)) => span_id = Some(<&[u8; 8]>::try_from(id).ok()?),
                (4, Value::Bytes([])) => parent = None,
                (4, Value::Bytes(id)) => parent = Some(<[u8; 8]>::try_from(id).ok()?),
                (5, Value::Bytes(text)) => name = std::str::from_utf8(text).ok()?,
                (6, Value::Varint(number @ 0..=5)) => kind = number as i32,
                (7, Value::Fixed64(time)) => begin = time,
                (8, Value::Fixed64(time)) => end = time,
                (9, Value::Bytes(pair)) => self.attributes.push(attribute(pair)?),
                // A trace state, links, events and what was left out are rare.
                (3, Value::Bytes([])) | (10 | 12 | 14, Value::Varint(0)) => {}
                (15, Value::Bytes(bytes)) if status == 0 && status_message.is_empty() => {
                    (status, status_message) = status_of(bytes)?;
                }
                (16, Value::Fixed32(word)) => flags = word,
                _ => return None,
            }
        }
        let attributes = first..self.attributes.len();
        let (trace_id, span_id) = (trace_id?, span_id?);
        let few = attributes.len() <= MAX_ATTRIBUTES;
        few.then_some(PlainSpan {
            trace_id,
            span_id,
            parent,
            flags,
            name,
            kind,
            begin,
            end,
            status,
            status_message,
            attributes,
        })
    }

    /// Masked, and as the platform wants it.
    pub fn item(&self, span: &PlainSpan<'_>, masker: &Masker, session: SessionPrefix, envelope: Arc<Envelope>) -> Item {
        let mut writer = SpanWriter::new(&Begin {
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent: span.parent,
            flags: span.flags,
            name: &masker.text(span.name),
            kind: span.kind,
            time: span.begin,
        });
        for (key, value) in self.attributes.get(span.attributes.clone()).unwrap_or_default() {
            if is_captured(key) {
                writer.set(key, *value);
                continue;
            }
            masker.key(key, |known| match value {
                _ if known.sensitive => writer.set(key, Plain::Text(PLACEHOLDER)),
                Plain::Text(text) => writer.set(key, Plain::Text(&masker.text(text))),
                _ => writer.set(key, *value),
            });
        }
        let status = Status { code: span.status, message: masker.text(span.status_message).into_owned() };
        writer.end(span.end, &status, session, envelope)
    }
}

/// A second one of what stands once in a message would be laid over the first.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

fn attribute(pair: &[u8]) -> Option<(&str, Plain<'_>)> {
    let (mut key, mut value) = (None, None);
    let mut fields = Fields(pair);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Value::Bytes(text)) => once(&mut key, std::str::from_utf8(text).ok()?)?,
            (2, Value::Bytes(bytes)) => once(&mut value, plain(bytes)?)?,
            _ => return None,
        }
    }
    Some((key?, value?))
}

fn plain(value: &[u8]) -> Option<Plain<'_>> {
    let mut fields = Fields(value);
    let plain = match fields.next()?? {
        (1, Value::Bytes(text)) => Plain::Text(std::str::from_utf8(text).ok()?),
        (2, Value::Varint(truth)) => Plain::Bool(truth != 0),
        (3, Value::Varint(number)) => Plain::Int(number as i64),
        (4, Value::Fixed64(bits)) => Plain::Double(f64::from_bits(bits)),
        _ => return None,
    };
    fields.0.is_empty().then_some(plain)
}

fn status_of(bytes: &[u8]) -> Option<(i32, &str)> {
    let (mut code, mut message) = (0, "");
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (2, Value::Bytes(text)) => message = std::str::from_utf8(text).ok()?,
            (3, Value::Varint(number @ 0..=2)) => code = number as i32,
            _ => return None,
        }
    }
    // An error's span goes through the tree.
    (code != StatusCode::Error as i32).then_some((code, message))
}

/// The fields of a message.
pub(super) struct Fields<'a>(pub &'a [u8]);

pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Fields<'a> {
    /// The next one, `Some(None)` at the end, `None` for what is not protobuf, or a group.
    pub fn next(&mut self) -> Option<Option<(u32, Value<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let (number, wire) = decode_key(&mut self.0).ok()?;
        let value = match wire {
            WireType::Varint => Value::Varint(decode_varint(&mut self.0).ok()?),
            WireType::SixtyFourBit => Value::Fixed64(u64::from_le_bytes(*self.take(8)?.first_chunk()?)),
            WireType::ThirtyTwoBit => Value::Fixed32(u32::from_le_bytes(*self.take(4)?.first_chunk()?)),
            WireType::LengthDelimited => {
                let len = usize::try_from(decode_varint(&mut self.0).ok()?).ok()?;
                Value::Bytes(self.take(len)?)
            }
            _ => return None,
        };
        Some(Some((number, value)))
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};

    use super::super::mask_span;
    use super::*;
    use crate::mask::Rules;
    use crate::pipeline::otlp::session_of;

    struct Random(u64);

    impl Random {
        fn below(&mut self, most: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % most
        }

        fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
            list.get(self.below(list.len() as u64) as usize).copied().unwrap_or_default()
        }

        fn rarely<T: Default>(&mut self, value: impl FnOnce(&mut Self) -> T) -> T {
            if self.below(12) == 0 {
                value(self)
            } else {
                T::default()
            }
        }

        fn value(&mut self) -> Option<AnyValue> {
            let text =
                self.of(&["", "x", "token=abcdef", "naïve", "GET", "Bearer abcdefghijklmnop", "4111111111111111"]);
            let value = match self.below(24) {
                0 => Any::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(Any::IntValue(1)) }] }),
                1 => Any::BytesValue(vec![1]),
                2 => return None,
                3 => return Some(AnyValue { value: None }),
                4..=7 => Any::BoolValue(self.below(2) == 0),
                8..=11 => Any::IntValue(self.below(9) as i64 - 4),
                12..=14 => Any::DoubleValue(1.5),
                _ => Any::StringValue(text.into()),
            };
            Some(AnyValue { value: Some(value) })
        }

        fn attributes(&mut self, most: u64) -> Vec<KeyValue> {
            const KEYS: &[&str] = &[
                "a",
                "http.request.method",
                "http.method",
                "password",
                "server.address",
                "multiplayer.http.request.body",
                "multiplayer.workspace.id",
                "é",
                "",
            ];
            let one = |random: &mut Self| KeyValue {
                key: random.of(KEYS).into(),
                value: random.value(),
                ..Default::default()
            };
            (0..self.below(most)).map(|_| one(self)).collect()
        }

        fn span(&mut self) -> Span {
            let id = |random: &mut Self, len: usize| vec![random.below(255) as u8 + 1; len];
            let status = |random: &mut Self| {
                Some(Status { code: random.below(3) as i32, message: random.of(&["", "token=abcdef"]).into() })
            };
            let lens = |random: &mut Self, len| if random.below(30) == 0 { 3 } else { len };
            let (trace, span) = (lens(self, 16), lens(self, 8));
            Span {
                trace_id: id(self, trace),
                span_id: id(self, span),
                trace_state: self.rarely(|_| "a=b".into()),
                parent_span_id: if self.below(2) == 0 { id(self, 8) } else { Vec::new() },
                flags: self.below(1024) as u32,
                name: self.of(&["", "GET /cart", "token=abcdef"]).into(),
                kind: self.below(6) as i32,
                start_time_unix_nano: self.below(9),
                end_time_unix_nano: self.below(9),
                attributes: self.attributes(9),
                dropped_attributes_count: self.rarely(|_| 3),
                events: self.rarely(|r| {
                    vec![Event { name: "exception".into(), attributes: r.attributes(3), ..Default::default() }]
                }),
                links: self.rarely(|r| vec![Link { trace_id: id(r, 16), span_id: id(r, 8), ..Default::default() }]),
                status: self.rarely(status),
                ..Default::default()
            }
        }
    }

    /// What a receiver makes of it: an order of attributes means nothing to it.
    fn read(item: &Item) -> (Span, SessionPrefix, bool) {
        let mut span = Span::decode(&*item.bytes).unwrap();
        span.attributes.sort_by(|a, b| a.key.cmp(&b.key));
        span.status = span.status.filter(|status| *status != Status::default());
        (span, item.session, item.error)
    }

    #[test]
    fn reads_what_the_decoder_reads() {
        let mut random = Random(7);
        let masker = Masker::new(Rules::default());
        let envelope = Arc::new(Envelope::from_parts(Vec::new(), Vec::new()));
        let (mut plain, mut trees) = (0, 0);
        for _ in 0..4_000 {
            let resource = Resource { attributes: random.attributes(4), ..Default::default() };
            let scope = InstrumentationScope { name: "s".into(), ..Default::default() };
            let spans: Vec<_> = (0..=random.below(3)).map(|_| random.span()).collect();
            let schema_url = random.rarely(|_| "https://schema".into());
            let of_scope = ScopeSpans { scope: Some(scope.clone()), spans: spans.clone(), schema_url };
            let request = ExportTraceServiceRequest {
                resource_spans: vec![ResourceSpans {
                    resource: Some(resource.clone()),
                    scope_spans: vec![of_scope.clone()],
                    ..Default::default()
                }],
            };
            let bytes = request.encode_to_vec();
            let read_here = Request::read(&bytes).unwrap();
            let [group] = &read_here.groups[..] else { panic!() };
            assert_eq!(Resource::decode(group.resource).unwrap(), resource);
            assert_eq!(InstrumentationScope::decode(group.scope).unwrap(), scope);
            assert_eq!((group.resource_schema, group.scope_schema), ("", &*of_scope.schema_url));
            assert_eq!(group.spans.len(), spans.len());
            for (seen, mut span) in group.spans.iter().zip(spans) {
                match seen {
                    Either::Tree(tree) => {
                        trees += 1;
                        assert_eq!(**tree, span);
                    }
                    Either::Plain(seen) => {
                        plain += 1;
                        let session = session_of(&span.trace_id);
                        let ours = read_here.item(seen, &masker, session, Arc::clone(&envelope));
                        mask_span(&masker, &mut span);
                        assert_eq!(read(&ours), read(&Item::span(span, Arc::clone(&envelope))));
                    }
                }
            }
            // What the decoder refuses is not read here, wherever it is cut.
            for cut in 0..bytes.len() {
                let cut = &bytes[..cut];
                assert!(ExportTraceServiceRequest::decode(cut).is_ok() || Request::read(cut).is_none());
            }
        }
        assert!(plain > 1_000 && trees > 1_000, "{plain} plain, {trees} trees");
    }

    #[test]
    fn what_is_damaged_is_read_as_the_decoder_reads_it_or_not_at_all() {
        let mut random = Random(3);
        for _ in 0..2_000 {
            let scope_spans = vec![ScopeSpans { spans: vec![random.span()], ..Default::default() }];
            let request =
                ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] };
            let mut bytes = request.encode_to_vec();
            for _ in 0..20 {
                let (at, bit) = (random.below(bytes.len() as u64) as usize, random.below(8));
                bytes[at] ^= 1 << bit;
                let Some(here) = Request::read(&bytes) else { continue };
                let there = ExportTraceServiceRequest::decode(&*bytes).expect("the decoder refuses it");
                let spans = there.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
                let names: Vec<_> = spans.map(|span| (span.name.clone(), span.attributes.len())).collect();
                let spans = here.groups.iter().flat_map(|group| &group.spans);
                let seen = spans.map(|span| match span {
                    Either::Plain(span) => (span.name.to_owned(), span.attributes.len()),
                    Either::Tree(span) => (span.name.clone(), span.attributes.len()),
                });
                assert_eq!(seen.collect::<Vec<_>>(), names);
            }
        }
    }
}
