//! What must hold for any bytes: checks for libFuzzer (fuzz_targets/) and for the test that replays the corpus and
//! mutates it for a while (tests/fuzz_corpus.rs includes this file).
//!
//! Each check panics when the property is broken. The input's first bytes are choices, the rest is content that stands
//! before and after a planted secret, wherever the format says that it is the value of a sensitive name.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::sync::OnceLock;

use flate2::{write, Compression};
use mpr::capture::{capture, parse_headers, CaptureConfig, CaptureOutcome, Kind, Stream};
use mpr::mask::{mask_body, mask_content, mask_header_value, mask_text, Body, Masked, Rules, PLACEHOLDER};
use mpr::pipeline::otlp::Signal;
use mpr::pipeline::spool::format::{append, scan, FileHead, Kind as Record, RecordHead, RECORD_HEAD};
use mpr::trace::SessionPrefix;
use serde_json::Value;

/// What must not be in any output: a secret, and how its beginning is known.
const SECRET: &str = "Zq9XsecretW7";
const MARK: &str = "Zq9X";

/// A check by its name.
pub type Check = fn(&[u8]);

/// Every check, by the name of its target and of its folder in the corpus.
pub const CHECKS: &[(&str, Check)] = &[
    ("json", json),
    ("form", form),
    ("multipart", multipart),
    ("text", text),
    ("markup", markup),
    ("events", events),
    ("headers", headers),
    ("decode", decode),
    ("stream", stream),
    ("spool", spool),
];

fn rules() -> &'static Rules {
    &config(0).rules
}

/// Configurations with limits that matter. Compiling the rules takes longer than most checks: once is enough.
fn config(choice: u8) -> &'static CaptureConfig {
    const LIMITS: [usize; 4] = [400_000, 0, 20, 300];
    static CONFIGS: OnceLock<Vec<CaptureConfig>> = OnceLock::new();
    let all = CONFIGS.get_or_init(|| {
        let default = CaptureConfig::default();
        LIMITS.iter().map(|limit| CaptureConfig { max_payload_bytes: *limit, ..default.clone() }).collect()
    });
    &all[usize::from(choice) % LIMITS.len()]
}

// ---- the input

struct Input<'a> {
    choices: [u8; 4],
    /// What stands before the secret, and after it.
    before: &'a [u8],
    after: &'a [u8],
    /// Both.
    content: &'a [u8],
}

/// libFuzzer learns what its target looks for: a secret of its own making is none.
fn learnt(data: &[u8]) -> bool {
    data.windows(3).any(|w| w.eq_ignore_ascii_case(&MARK.as_bytes()[1..]))
}

fn input(data: &[u8]) -> Input<'_> {
    let data = if learnt(data) { &[] } else { data };
    let (head, content) = data.split_at(data.len().min(5));
    let byte = |i: usize| head.get(i).copied().unwrap_or(0);
    let (before, after) = content.split_at(content.len() * usize::from(byte(4)) / 255);
    Input { choices: [byte(0), byte(1), byte(2), byte(3)], before, after, content }
}

fn pick<'a, T: ?Sized>(list: &[&'a T], choice: u8) -> &'a T {
    list[usize::from(choice) % list.len()]
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

// ---- what holds for every format

/// Masks. A second time changes nothing, where values were masked whole: of free text it may take more with it.
fn masked(content_type: Option<&str>, body: &[u8]) -> Masked {
    let once = mask_body(rules(), content_type, body);
    let in_part = |text: &str| text != PLACEHOLDER && (text.contains(PLACEHOLDER) || text.contains("not captured"));
    let whole_values = serde_json::from_str::<Value>(&once.text).is_ok_and(|v| !any_string(&v, &in_part));
    if whole_values {
        let twice = mask_body(rules(), content_type, once.text.as_bytes());
        assert_eq!(twice.text, once.text, "masked twice");
    }
    once
}

fn any_string(value: &Value, holds: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => holds(text),
        Value::Array(items) => items.iter().any(|item| any_string(item, holds)),
        Value::Object(members) => members.iter().any(|(key, item)| holds(key) || any_string(item, holds)),
        _ => false,
    }
}

/// The secret is gone from the whole body, and from what is left of it when it is cut anywhere.
fn hidden(content_type: Option<&str>, body: &[u8], cut: u8) {
    let whole = masked(content_type, body);
    assert!(!whole.text.contains(MARK), "whole: {}", whole.text);
    let end = body.len() * usize::from(cut) / 255;
    // Cut inside the secret as often as anywhere.
    let inside = body.windows(MARK.len()).position(|w| w == MARK.as_bytes()).map_or(0, |i| i + MARK.len() + 3);
    for end in [end, inside] {
        let body = Body::beginning(content_type, &body[..end.min(body.len())], body.len() as u64);
        let cut = mask_content(rules(), None, &body);
        assert!(!cut.text.contains(MARK), "cut at {end}: {}", cut.text);
    }
}

// ---- JSON

/// Every value is where it was, as it was or masked. (Masked keys may coincide: then nothing is said.)
fn same_but_masked(before: &Value, after: &Value) {
    match (before, after) {
        (_, Value::String(text)) if text == PLACEHOLDER => {}
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            a.values().zip(b.values()).for_each(|(a, b)| same_but_masked(a, b));
        }
        (Value::Object(_), Value::Object(b)) => assert!(b.contains_key(PLACEHOLDER), "members are missing"),
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "elements");
            a.iter().zip(b).for_each(|(a, b)| same_but_masked(a, b));
        }
        (Value::String(_), Value::String(_)) => {}
        (a, b) => assert_eq!(a, b, "neither kept nor masked"),
    }
}

/// Bodies of JSON, valid or not, declared or not.
pub fn json(data: &[u8]) {
    const TYPES: &[&str] =
        &["application/json", "application/problem+json; charset=utf-8", "text/plain", "text/x-unknown"];
    const NAMES: &[&str] =
        &["password", "PassWord", "user_password", "X-API-Key", "\\u0070assw\\u006Frd", "access-token", "pin", "cvv2"];
    let Input { choices: [kind, name, shape, cut], before, after, content } = input(data);

    let parsed = std::str::from_utf8(content).ok().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let out = masked(Some("application/json"), content);
    if let Some(parsed) = &parsed {
        let after: Value =
            serde_json::from_str(&out.text).unwrap_or_else(|e| panic!("valid before, not after ({e}): {}", out.text));
        same_but_masked(parsed, &after);
        if out.fields_masked == 0 {
            assert_eq!(out.text.as_bytes(), content, "nothing masked, yet changed");
        }
    }

    // The secret in a document around content that may or may not be JSON.
    let content_type = (kind % 8 != 7).then(|| pick(TYPES, kind));
    let name = pick(NAMES, name);
    let value = match shape % 6 {
        0 => format!("\"{SECRET}\""),
        1 => format!("{{\"a\":[1,\"{SECRET}\"]}}"),
        2 => format!("[\"{SECRET}\",null]"),
        3 => format!("\"\\\"{SECRET}\\n\""),
        4 => format!("[[[[[{{\"b\" : \"{SECRET}\"}}]]]]]"),
        _ => format!("{{\"password\":\"{SECRET}\"}}"),
    };
    let member = format!("\"{name}\" :{value}");
    let as_value = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) if serde_json::from_str::<Value>(text).is_ok() => text.to_owned(),
        _ => serde_json::to_string(&String::from_utf8_lossy(bytes)).unwrap_or_default(),
    };
    let valid = match shape / 6 % 4 {
        0 => format!("{{\"a\":{},{member},\"b\":{}}}", as_value(before), as_value(after)),
        1 => format!("[{},{{{member}}},{}]", as_value(before), as_value(after)),
        2 => {
            let inner = format!("{{\"x\":{},{member}}}", as_value(before));
            format!("{{\"payload\":{},\"after\":{}}}", Value::String(inner), as_value(after))
        }
        _ => {
            let inner = Value::String(SECRET.to_owned());
            format!("{{\"key\":{},\"header\":\"{name}\",\"value\":{inner}}}", as_value(before))
        }
    };
    hidden(content_type, valid.as_bytes(), cut);
    if serde_json::from_str::<Value>(&valid).is_ok() {
        let out = mask_body(rules(), Some("application/json"), valid.as_bytes());
        assert!(serde_json::from_str::<Value>(&out.text).is_ok(), "not valid: {}", out.text);
    }
    let open = joined(&[b"{\"a\":", before, b",", member.as_bytes(), b",", after]);
    hidden(content_type, &open, cut);
}

// ---- the other text formats

/// Forms, declared or not.
pub fn form(data: &[u8]) {
    const NAMES: &[&str] = &["password", "a%5Bpass%77ord%5D", "a[password]", "api_key", "code", "access_token", "PIN"];
    let Input { choices: [name, kind, _, cut], before, after, content } = input(data);
    let declared = Some("application/x-www-form-urlencoded");
    masked(declared, content);
    masked(None, content);
    let pair = format!("&{}={SECRET}&", pick(NAMES, name));
    hidden(declared, &joined(&[before, pair.as_bytes(), after]), cut);
    // Not declared: only what reads as a form throughout is one.
    if kind % 2 == 0 {
        let plain = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().copied().filter(|b| b.is_ascii_alphanumeric() || b"-_.~+=&".contains(b)).collect()
        };
        let names = |bytes: &[u8]| bytes.split(|b| *b == b'&').all(|pair| pair.first() != Some(&b'='));
        let (before, after) = (plain(before), plain(after));
        if names(&before) && names(&after) && !learnt(&before) && !learnt(&after) {
            hidden(None, &joined(&[b"a=1&", &before, pair.as_bytes(), &after]), cut);
        }
    }
}

/// Multipart bodies.
pub fn multipart(data: &[u8]) {
    const HEADS: &[&str] = &[
        "Content-Disposition: form-data; name=\"password\"\r\n",
        "content-disposition:form-data;name=user_password\r\nContent-Type: text/plain\r\n",
        "Content-Disposition: form-data;\r\n name=\"api_key\"\r\n",
        "Content-Type: application/json\r\nContent-Disposition: form-data; name=\"\\\"token\"\r\n",
        "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n",
    ];
    let Input { choices: [head, kind, lines, cut], before, after, content } = input(data);
    let content_type = "multipart/form-data; boundary=XbX";
    masked(Some(content_type), content);
    let mut part = format!("\r\n--XbX\r\n{}\r\n{SECRET}\r\n--XbX\r\n", pick(HEADS, head));
    if lines % 2 == 1 {
        part = part.replace("\r\n", "\n");
    }
    let start: &[u8] = if kind % 4 == 0 { b"" } else { b"--XbX\r\n" };
    let body = joined(&[start, before, part.as_bytes(), after, b"\r\n--XbX--\r\n"]);
    hidden(Some(content_type), &body, cut);
    // Under a wrong type or none, it is told by its beginning.
    let first = b"--XbX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
    let content_type = pick(&["", "text/plain", "application/x-www-form-urlencoded"], kind / 4);
    let body = joined(&[first, before, part.as_bytes(), after]);
    hidden((!content_type.is_empty()).then_some(content_type), &body, cut);
}

/// Free text: the secret on a line of its own form.
pub fn text(data: &[u8]) {
    const LINES: &[&str] = &[
        "password=%",
        "password: %",
        "\"client_secret\": \"%\"",
        "api_key = '%'",
        "Authorization: Bearer %",
        "postgres://jo:%@db.example/x",
        "<password>%</password>",
        "request failed token=% status=500",
        "{\\\"password\\\":\\\"%\\\"}",
        "https://h.example/p?access_token=%&x=1",
        "Cookie: sid=%; theme=dark",
    ];
    let Input { choices: [line, kind, _, cut], before, after, content } = input(data);
    let content_type = pick(&["text/plain", "application/graphql", "text/markdown"], kind);
    masked(Some(content_type), content);
    let line = pick(LINES, line).replace('%', SECRET);
    let body = joined(&[before, b"\n", line.as_bytes(), b"\n", after]);
    hidden(Some(content_type), &body, cut);
    if let Ok(text) = std::str::from_utf8(&body) {
        let out = mask_text(rules(), text);
        assert!(!out.contains(MARK), "{out}");
    }
}

/// XML and HTML.
pub fn markup(data: &[u8]) {
    const ELEMENTS: &[&str] = &[
        "<password>%</password>",
        "<ns:Password a=\"1\"><![CDATA[%]]></ns:Password>",
        "<user password=\"%\" x=\"1\"/>",
        "<user password = '%'></user>",
        "<api-key>\n<v>%</v>\n</api-key>",
        "<input type=\"password\" name=\"password\" value=\"%\">",
    ];
    let Input { choices: [element, kind, _, cut], before, after, content } = input(data);
    let content_type = pick(&["application/xml", "text/html; charset=utf-8", "application/soap+xml", "text/xml"], kind);
    masked(Some(content_type), content);
    let element = pick(ELEMENTS, element).replace('%', SECRET);
    let body = joined(&[b"<r>", before, element.as_bytes(), after, b"</r>"]);
    hidden(Some(content_type), &body, cut);
    hidden(None, &body, cut);
}

/// Server-sent events.
pub fn events(data: &[u8]) {
    const LINES: &[&str] = &[
        "data: {\"password\":\"%\"}",
        "data:password=%",
        "data: {\"a\":[{\"token\" : {\"b\":\"%\"}}]}",
        ": password: %",
        "event: token=%",
    ];
    let Input { choices: [line, kind, _, cut], before, after, content } = input(data);
    masked(Some("text/event-stream"), content);
    let ending = pick(&["\n", "\r\n", "\n\n"], kind);
    let line = pick(LINES, line).replace('%', SECRET);
    let body = joined(&[before, ending.as_bytes(), line.as_bytes(), ending.as_bytes(), after]);
    hidden(Some("text/event-stream; charset=utf-8"), &body, cut);
}

// ---- payloads

/// What a capture hands out, after what holds for every capture was looked at.
fn captured(
    config: &CaptureConfig,
    kind: Kind,
    run: impl FnOnce(&mut dyn FnMut(&str, &str)) -> CaptureOutcome,
) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let outcome = run(&mut |key, value| out.push((key.to_owned(), value.to_owned())));
    assert_eq!(out.len(), outcome.attributes as usize, "attributes are counted");
    for (key, value) in &out {
        if key == kind.headers_key() {
            assert!(serde_json::from_str::<Value>(value).is_ok_and(|v| v.is_object()), "headers: {value}");
        }
        if key == kind.body_key() {
            assert!(value.len() <= config.max_payload_bytes, "longer than its limit: {value}");
        }
    }
    out
}

fn no_mark(attributes: &[(String, String)]) {
    attributes.iter().for_each(|(key, value)| assert!(!value.contains(MARK), "{key}: {value}"));
}

/// Header lines, and their values.
pub fn headers(data: &[u8]) {
    const VALUES: &[(&str, &str, &str)] = &[
        ("Authorization", "Bearer ", ""),
        ("proxy-authorization", "", ""),
        ("X-Api-Key", "", ""),
        ("Cookie", "a=1; sid=", "; b=2"),
        ("Set-Cookie", "sid=", "; Path=/; HttpOnly"),
        ("Referer", "https://h.example/p?token=", "&x=1"),
        (":path", "/cb?code=", "&x=1"),
        ("Location", "https://jo:", "@h.example/"),
        ("X-Debug", "password=", " "),
        ("X-Data", "{\"password\":\"", "\"}"),
        ("WWW-Authenticate", "Negotiate ", ""),
        ("x-user-token", "", ""),
    ];
    let Input { choices: [value, kind, spread, _], before, after, content } = input(data);
    if let Ok(list) = parse_headers(content) {
        for (name, value) in &list {
            let once = mask_header_value(rules(), name, value);
            // Binary metadata becomes a note of its size, and text may lose more the second time.
            if once == PLACEHOLDER || !once.contains(PLACEHOLDER) && !once.contains("not captured") {
                assert_eq!(mask_header_value(rules(), name, &once), once, "{name}: masked twice");
            }
        }
        let config = config(spread);
        let kind = Kind::try_from(i32::from(kind % 7) + 1).unwrap_or(Kind::Message);
        captured(config, kind, |emit| capture(config, kind, &list, b"", emit));
    }
    // The secret with other content around it: where a value has parts, in parts of its own.
    let &(name, lead, tail) = &VALUES[usize::from(value) % VALUES.len()];
    let around = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(['\r', '\n', '\0'], " ");
    let (before, after) = (around(before), around(after));
    let value = match name {
        "Cookie" => format!("{before}; {lead}{SECRET}{tail};{after}"),
        "Set-Cookie" => format!("{lead}{SECRET}{tail}; {after}"),
        "Referer" | ":path" => {
            format!("/{before}?{}{SECRET}{tail}&{after}", &lead[lead.find('?').map_or(0, |i| i + 1)..])
        }
        "X-Data" | "WWW-Authenticate" | "Location" => format!("{lead}{SECRET}{tail}"),
        "X-Debug" => format!("{lead}{SECRET}{tail}{after}"),
        _ => format!("{before}{lead}{SECRET}{tail}{after}"),
    };
    let out = mask_header_value(rules(), name, &value);
    assert!(!out.contains(MARK), "{name}: {out}");
    let config = config(spread);
    let list = [("Accept", after.as_str()), (name, value.as_str()), (name, value.as_str())];
    no_mark(&captured(config, Kind::HttpRequest, |emit| capture(config, Kind::HttpRequest, &list, b"", emit)));
}

/// Bodies that are compressed, or say so.
pub fn decode(data: &[u8]) {
    const CODINGS: &[&str] =
        &["gzip", "deflate", "deflate", "x-gzip", "GZIP, identity", "br", "gzip, gzip", "", "identity"];
    let Input { choices: [coding, limit, shape, cut], before, after, content } = input(data);
    let declared = pick(CODINGS, coding);
    let config = config(limit);
    let kind = Kind::HttpResponse;
    let send = |content_type: &str, body: &[u8]| {
        let list = [("Content-Type", content_type), ("content-encoding", declared)];
        captured(config, kind, |emit| capture(config, kind, &list, body, emit))
    };
    send("application/json", content);

    // Now and then more than is kept, which takes its time.
    let filler = if shape % 64 == 15 { 70_000 } else { 0 };
    let lossy = Value::String(String::from_utf8_lossy(before).into_owned());
    let plain = format!("{{\"a\":{lossy},\"fill\":\"{}\",\"password\":\"{SECRET}\"}}", " ".repeat(filler));
    let plain = joined(&[plain.as_bytes(), String::from_utf8_lossy(after).as_bytes()]);
    let level = Compression::new(u32::from(shape >> 4) % 10);
    let encoded = match coding % 9 {
        1 => write::ZlibEncoder::new(Vec::new(), level).finish_with(&plain),
        2 => write::DeflateEncoder::new(Vec::new(), level).finish_with(&plain),
        7 | 8 => plain,
        _ => write::GzEncoder::new(Vec::new(), level).finish_with(&plain),
    };
    no_mark(&send("application/json", &encoded));
    // Broken off, and with what does not belong there after it.
    no_mark(&send("application/json", &encoded[..encoded.len() * usize::from(cut) / 255]));
    no_mark(&send("text/plain", &joined(&[&encoded, b"\n", after])));
}

/// The three encoders have no trait in common that ends them.
trait FinishWith: Sized {
    fn finish_with(self, data: &[u8]) -> Vec<u8>;
}

macro_rules! finish_with {
    ($($encoder:ident),*) => {$(
        impl FinishWith for write::$encoder<Vec<u8>> {
            fn finish_with(mut self, data: &[u8]) -> Vec<u8> {
                self.write_all(data).and_then(|()| self.finish()).unwrap_or_default()
            }
        }
    )*};
}
finish_with!(GzEncoder, ZlibEncoder, DeflateEncoder);

/// A payload in pieces is captured as it is at once.
pub fn stream(data: &[u8]) {
    const TYPES: &[&str] = &[
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=XbX",
        "text/event-stream",
        "application/grpc",
        "",
    ];
    let Input { choices: [kind, limit, shape, step], before, after, content } = input(data);
    let kind_of = Kind::try_from(i32::from(kind % 7) + 1).unwrap_or(Kind::Message);
    let config = config(limit);
    // Now and then more than is kept of a body.
    let repeats = if shape % 64 == 15 { 70_000 / content.len().max(1) + 1 } else { 1 };
    let json = format!("{{\"token\":\"{SECRET}\",\"a\":");
    let body = joined(&[if shape % 2 == 0 { json.as_bytes() } else { b"" }, &content.repeat(repeats)]);
    let mut list = vec![("Content-Type".to_owned(), pick(TYPES, kind / 7).to_owned())];
    list.extend(parse_headers(before).unwrap_or_default());

    let mut stream = Stream::begin(config, kind_of);
    // A stream takes no name with a blank in it, and trims.
    list.retain(|(name, value)| stream.header(name.as_bytes(), value.as_bytes()).is_ok());
    let list: Vec<_> = list.iter().map(|(name, value)| (name.as_str(), value.trim_ascii())).collect();
    let mut rest = body.as_slice();
    let mut sizes = after.iter().cycle().map(|b| usize::from(*b) * usize::from(step % 8 + 1));
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
        let (chunk, tail) = rest.split_at(size);
        stream.body(config, chunk);
        rest = tail;
    }
    let pieces = captured(config, kind_of, |emit| stream.end(config, emit));
    let whole = captured(config, kind_of, |emit| capture(config, kind_of, &list, &body, emit));
    assert_eq!(pieces, whole, "in pieces and at once");
    if kind / 7 % 7 == 0 && shape % 2 == 0 {
        pieces.iter().filter(|(key, _)| key == kind_of.body_key()).for_each(|(_, value)| {
            assert!(!value.contains(MARK), "{value}");
        });
    }
}

/// A file of the spool, however damaged, gives back each record that is whole, and nothing that was never written.
pub fn spool(data: &[u8]) {
    // The input must not know the salt of its own file: libFuzzer copies what it sees compared, whole records too.
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let mut salt = *b"salt and pepper.";
    salt[8..].copy_from_slice(&hasher.finish().to_le_bytes());
    let file = FileHead { places: 64, destination: [7; 16], salt };
    let other = FileHead { salt: *b"another's salt..", ..file };
    // The input is a program: records, pieces that are none, then damages.
    let mut disk = file.bytes().to_vec();
    disk.resize(file.start() as usize, 0);
    let mut written: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut damages: Vec<(usize, u8)> = Vec::new();
    let mut rest = data;
    while let [what, length, more @ ..] = rest {
        let (piece, after) = more.split_at(usize::from(*length).min(more.len()));
        rest = after;
        let number = written.len() as u32;
        let head = RecordHead {
            number: number % 64,
            time: u64::from(*what) << 40,
            kind: [Record::Item(Signal::Traces), Record::Item(Signal::Logs), Record::Envelope]
                [usize::from(what / 8 % 3)],
            error: what & 1 == 1,
            session: SessionPrefix([*what; 7]),
            envelope: 128,
            length: piece.len() as u32,
        };
        let begin = disk.len();
        match what % 8 {
            // What looks like a record of another file, in a record of this one.
            0 => {
                let mut forged = Vec::new();
                append(&mut forged, &other, &head, piece);
                append(&mut disk, &file, &RecordHead { length: forged.len() as u32, ..head }, &forged);
                written.push((begin, disk[begin..].to_vec()));
            }
            1..=4 => {
                append(&mut disk, &file, &head, piece);
                written.push((begin, disk[begin..].to_vec()));
            }
            // Torn, unless what comes next happens to be the rest of it.
            5 => {
                append(&mut disk, &file, &head, piece);
                written.push((begin, disk[begin..].to_vec()));
                disk.truncate(begin + (disk.len() - begin) / 2);
            }
            6 => disk.extend_from_slice(piece),
            _ => damages.extend(piece.chunks_exact(3).map(|d| (usize::from(u16::from_le_bytes([d[0], d[1]])), d[2]))),
        }
    }
    let start = file.start() as usize;
    for (at, bits) in damages {
        if let Some(byte) = disk.get_mut(start + at) {
            *byte ^= bits;
        }
    }
    let whole: Vec<_> =
        written.iter().filter(|(begin, record)| disk[*begin..].starts_with(record)).map(|one| one.0 as u64).collect();
    // As a disk may give it.
    let most = data.first().map_or(1, |b| usize::from(*b) * 7 + 1);
    let mut read = |at: u64, out: &mut [u8]| {
        let rest = disk.get(at as usize..).unwrap_or_default();
        let count = rest.len().min(out.len()).min(most);
        out[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    };
    let mut found = Vec::new();
    let gaps = scan(&file, &mut read, &mut |at, head, payload| {
        let begin = at as usize;
        assert_eq!(disk[begin + RECORD_HEAD..][..payload.len()], *payload, "another's payload");
        assert_eq!(head.length as usize, payload.len());
        found.push(at);
    });
    assert!(gaps.is_ok_and(|gaps| gaps <= disk.len() as u64));
    assert_eq!(found, whole, "what is whole");
}
