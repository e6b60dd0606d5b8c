//! Tests over the whole module.

use std::io::Write;

use super::decode::Known;
use super::*;

type Attributes = Vec<(String, String)>;

fn run(config: &CaptureConfig, kind: Kind, headers: &[(&str, &str)], body: &[u8]) -> (Attributes, CaptureOutcome) {
    let mut list = Vec::new();
    let outcome = capture(config, kind, headers, body, &mut |k, v| list.push((k.to_owned(), v.to_owned())));
    assert_eq!(outcome.attributes as usize, list.len());
    (list, outcome)
}

fn attributes(list: &[(&str, &str)]) -> Attributes {
    list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// Applies codings, the first first.
pub(super) fn encode(stack: &[Known], data: &[u8]) -> Vec<u8> {
    stack.iter().fold(data.to_vec(), |data, known| match known {
        Known::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&data).unwrap();
            encoder.finish().unwrap()
        }
        Known::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&data).unwrap();
            encoder.finish().unwrap()
        }
        Known::Brotli => {
            let mut out = Vec::new();
            let params = brotli::enc::BrotliEncoderParams { quality: 2, ..Default::default() };
            brotli::BrotliCompress(&mut &data[..], &mut out, &params).unwrap();
            out
        }
        Known::Zstd => ruzstd::encoding::compress_to_vec(&data[..], ruzstd::encoding::CompressionLevel::Fastest),
    })
}

fn gzip(data: &[u8]) -> Vec<u8> {
    encode(&[Known::Gzip], data)
}

const JSON: (&str, &str) = ("Content-Type", "application/json; charset=utf-8");

#[test]
fn kinds_are_numbers() {
    for number in 1..=7 {
        assert_eq!(Kind::try_from(number).unwrap() as i32, number);
    }
    for number in [0, 8, -1, i32::MAX] {
        assert_eq!(Kind::try_from(number), Err(UnknownKind(number)));
    }
}

#[test]
fn every_kind_has_its_attributes() {
    let config = CaptureConfig::default();
    let keys = [
        ("multiplayer.http.request.headers", "multiplayer.http.request.body"),
        ("multiplayer.http.response.headers", "multiplayer.http.response.body"),
        ("multiplayer.rpc.request.headers", "multiplayer.rpc.request.message"),
        ("multiplayer.rpc.response.headers", "multiplayer.rpc.response.message"),
        ("multiplayer.rpc.grpc.request.metadata", "multiplayer.rpc.grpc.request.message"),
        ("multiplayer.rpc.grpc.response.metadata", "multiplayer.rpc.grpc.response.message"),
        ("multiplayer.messaging.message.headers", "multiplayer.messaging.message.body"),
    ];
    for (number, (headers, body)) in (1..).zip(keys) {
        let (list, _) = run(&config, Kind::try_from(number).unwrap(), &[("a", "b")], br#"{"pin":1}"#);
        assert_eq!(list, attributes(&[(headers, r#"{"a":"b"}"#), (body, r#"{"pin":"***MASKED***"}"#)]));
    }
}

#[test]
fn headers_are_one_object_masked_and_grouped() {
    let config = CaptureConfig::default();
    let headers = [
        ("Host", "h"),
        ("AUTHORIZATION", "Bearer x"),
        ("Accept", "a"),
        ("accept", "b \"q\"\t\u{1}"),
        ("Set-Cookie", "a=1; Path=/"),
        ("set-cookie", "b=2"),
    ];
    let (list, outcome) = run(&config, Kind::HttpRequest, &headers, b"");
    assert_eq!(list.len(), 1);
    assert_eq!(
        list[0].1,
        r#"{"Host":"h","AUTHORIZATION":"***MASKED***","Accept":["a","b \"q\"\t\u0001"],"Set-Cookie":["a=***MASKED***; Path=/","b=***MASKED***"]}"#
    );
    serde_json::from_str::<serde_json::Value>(&list[0].1).unwrap();
    assert_eq!(outcome.fields_masked, 3);
}

#[test]
fn headers_are_filtered_in_any_case() {
    let headers = [("Accept", "a"), ("X-Trace", "t"), ("Host", "h")];
    let config = CaptureConfig {
        headers_to_include: vec!["accept".into(), "x-trace".into()],
        headers_to_exclude: vec!["X-TRACE".into()],
        ..CaptureConfig::default()
    };
    let (list, _) = run(&config, Kind::HttpRequest, &headers, b"");
    assert_eq!(list, attributes(&[("multiplayer.http.request.headers", r#"{"Accept":"a"}"#)]));
    let config = CaptureConfig { headers_to_include: vec!["none".into()], ..CaptureConfig::default() };
    assert!(run(&config, Kind::HttpRequest, &headers, b"").0.is_empty());
    // An excluded content type still says what the body is.
    let config = CaptureConfig { headers_to_exclude: vec!["content-type".into()], ..CaptureConfig::default() };
    let (list, _) = run(&config, Kind::HttpRequest, &[("content-type", "image/png")], b"abc");
    assert_eq!(list, attributes(&[("multiplayer.http.request.body", "[image/png, 3 bytes, not captured: binary]")]));
}

#[test]
fn headers_are_bounded() {
    let config = CaptureConfig::default();
    let long = "x".repeat(20_000);
    let (list, _) = run(&config, Kind::HttpRequest, &[("A", &long)], b"");
    assert_eq!(list[0].1, r#"{"A":"[text/plain, 20000 bytes, not captured: too large]"}"#);
    let name = |i: usize| format!("h{i}");
    let many: Vec<(String, String)> = (0..5000).map(|i| (name(i), "v".repeat(100))).collect();
    let mut list = Vec::new();
    let outcome = capture(&config, Kind::HttpRequest, &many, b"", &mut |k, v| list.push((k.to_owned(), v.to_owned())));
    assert!(list[0].1.len() < 70_000);
    serde_json::from_str::<serde_json::Value>(&list[0].1).unwrap();
    assert_eq!(list[1], ("multiplayer.http.request.headers.truncated".to_owned(), "true".to_owned()));
    assert_eq!(outcome.truncated, 1);
}

#[test]
fn headers_are_bounded_in_number() {
    let config = CaptureConfig::default();
    let mut many: Vec<(String, &str)> = (0..200_000).map(|i| (format!("{i}"), "")).collect();
    many.push(("content-type".to_owned(), "application/json"));
    let (mut list, began) = (Vec::new(), std::time::Instant::now());
    let outcome = capture(&config, Kind::HttpRequest, &many, b"{", &mut |k, v| list.push((k.to_owned(), v.to_owned())));
    // A quadratic search takes minutes.
    assert!(began.elapsed().as_secs() < 5);
    let shown: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&list[0].1).unwrap();
    assert_eq!((shown.len(), outcome.truncated), (MAX_HEADERS, 1));
    assert_eq!(list[1], ("multiplayer.http.request.headers.truncated".to_owned(), "true".to_owned()));
    // What tells of the body counts wherever it stands.
    assert!(list[2].1.contains("application/json"), "{}", list[2].1);
    let (list, outcome) = run(&config, Kind::HttpRequest, &vec![("a", "b"); MAX_HEADERS], b"");
    assert_eq!((list.len(), outcome.truncated), (1, 0));
    let mut stream = Stream::begin(&config, Kind::HttpRequest);
    let refused = (0..=MAX_HEADERS).filter(|_| stream.header(b"a", b"b").is_err()).count();
    let mut list = Vec::new();
    assert_eq!(stream.end(&config, &mut |k, v| list.push((k.to_owned(), v.to_owned()))).truncated, 1);
    assert_eq!((refused, list.len()), (1, 2));
}

#[test]
fn switches_are_heeded() {
    let config = CaptureConfig { capture_body: false, ..CaptureConfig::default() };
    assert_eq!(run(&config, Kind::HttpRequest, &[JSON], b"{}").0.len(), 1);
    let config = CaptureConfig { capture_headers: false, ..CaptureConfig::default() };
    assert_eq!(run(&config, Kind::HttpRequest, &[JSON], b"{}").0.len(), 1);
    assert_eq!(run(&config, Kind::HttpRequest, &[], b"").0.len(), 0);
}

#[test]
fn a_long_body_is_cut_after_masking_and_told() {
    let config = CaptureConfig { max_payload_bytes: 30, ..CaptureConfig::default() };
    let body = r#"{"a":"0123456789","password":"s3cr3t","b":1}"#;
    let (list, outcome) = run(&config, Kind::HttpRequest, &[], body.as_bytes());
    assert_eq!(
        list,
        attributes(&[
            // The placeholder would not fit whole.
            ("multiplayer.http.request.body", r#"{"a":"0123456789","password":""#),
            ("multiplayer.http.request.body.truncated", "true"),
            ("multiplayer.http.request.body.size", "44"),
        ])
    );
    assert_eq!(outcome.truncated, 1);
}

#[test]
fn no_limit_cuts_a_character_or_a_placeholder() {
    let body = r#"{"ключ":"значение","password":"x","pin":2,"z":"é"}"#;
    let whole = mask::mask_body(&Rules::default(), None, body.as_bytes()).text;
    for max in 0..=whole.len() + 2 {
        let config = CaptureConfig { max_payload_bytes: max, ..CaptureConfig::default() };
        let (list, _) = run(&config, Kind::Message, &[], body.as_bytes());
        let shown = &list[0].1;
        assert!(shown.len() <= max && whole.starts_with(shown.as_str()));
        let rest = shown.replace(PLACEHOLDER, "");
        assert!(!rest.contains('*'), "{shown}");
        assert_eq!(list.len() == 1, shown.len() == whole.len());
    }
}

#[test]
fn a_huge_body_is_looked_at_up_to_the_bound() {
    let config = CaptureConfig::default();
    let mut body = br#"{"password":"s3cr3t","data":""#.to_vec();
    body.resize(50_000_000, b'x');
    let (list, outcome) = run(&config, Kind::HttpResponse, &[JSON], &body);
    assert!(list[1]
        .1
        .starts_with(r#"{"password":"***MASKED***","data": [application/json, 50000000 bytes, not captured"#));
    assert_eq!(list[3], ("multiplayer.http.response.body.size".to_owned(), "50000000".to_owned()));
    assert_eq!((outcome.truncated, outcome.masked_whole), (1, 0));
    let items = format!("[{}1]", "{\"pin\":1,\"a\":2},".repeat(100_000));
    let (list, _) = run(&config, Kind::HttpResponse, &[JSON], items.as_bytes());
    assert!(list[1].1.len() <= DEFAULT_MAX_PAYLOAD_BYTES && list[1].1.len() > DEFAULT_MAX_PAYLOAD_BYTES - 50);
    assert_eq!(list[3].1, items.len().to_string());
}

#[test]
fn encoded_bodies_are_decoded_or_described() {
    let config = CaptureConfig::default();
    let body = gzip(br#"{"password":"s3cr3t","a":1}"#);
    let gzipped = ("Content-Encoding", "gzip");
    let shown = |config: &CaptureConfig, headers: &[(&str, &str)], body: &[u8]| {
        run(config, Kind::HttpResponse, headers, body).0.into_iter().find(|(k, _)| k.ends_with(".body")).unwrap().1
    };
    assert_eq!(shown(&config, &[JSON, gzipped], &body), r#"{"password":"***MASKED***","a":1}"#);
    let off = CaptureConfig { decompress: false, ..CaptureConfig::default() };
    let note = |reason: &str, size: usize| format!("[application/json, {size} bytes, not captured: {reason}]");
    assert_eq!(shown(&off, &[JSON, gzipped], &body), note("content encoding", body.len()));
    let stack = [Known::Zstd, Known::Gzip, Known::Brotli];
    let stacked = encode(&stack, br#"{"password":"s3cr3t","a":1}"#);
    let named = [JSON, ("Content-Encoding", "zstd, gzip"), ("content-encoding", "br")];
    assert_eq!(shown(&config, &named, &stacked), r#"{"password":"***MASKED***","a":1}"#);
    let other = ("Content-Encoding", "compress");
    assert_eq!(shown(&config, &[JSON, other], b"abc"), note("content encoding", 3));
    assert_eq!(shown(&config, &[JSON, gzipped, gzipped], &body), note("encoded data broken", body.len()));
    assert_eq!(shown(&config, &[JSON, gzipped], b"plain"), note("encoded data broken", 5));
    let bomb = gzip(&vec![b' '; 3_000_000]);
    let hashed =
        |reason: &str, body: &[u8]| mask::describe_bytes("application/json", body, body.len() as u64, reason).text;
    assert!(hashed("compression ratio", &bomb).contains("sha256"));
    assert_eq!(shown(&config, &[JSON, gzipped], &bomb), hashed("compression ratio", &bomb));
    assert_eq!(shown(&off, &[JSON, gzipped], &bomb), hashed("content encoding", &bomb));
    // Text that is only called encoded is no binary content.
    let text = "pin=1234 ".repeat(20);
    assert_eq!(shown(&config, &[JSON, other], text.as_bytes()), note("content encoding", text.len()));
    // Compressed and not said so: binary.
    assert_eq!(shown(&config, &[], &body), format!("[unknown type, {} bytes, not captured: binary]", body.len()));
}

#[test]
fn notes_hash_the_bytes_as_they_arrived_and_only_all_of_them() {
    let config = CaptureConfig { max_payload_bytes: 0, ..CaptureConfig::default() };
    let shown = |config: &CaptureConfig, headers: &[(&str, &str)], body: &[u8]| {
        let (list, outcome) = run(config, Kind::HttpResponse, headers, body);
        assert_eq!(outcome.masked_whole, 1);
        list.into_iter().find(|(k, _)| k.ends_with(".body")).unwrap().1
    };
    let image: Vec<u8> = (0..=255).cycle().take(config.keep_limit()).collect();
    let config = CaptureConfig { max_payload_bytes: 200, ..config };
    let png = ("content-type", "image/png");
    let size = image.len();
    let hash = |bytes: &[u8]| {
        let note = mask::describe_bytes("image/png", bytes, bytes.len() as u64, "binary").text;
        note.split_once("sha256 ").unwrap().1.get(..16).unwrap().to_owned()
    };
    assert_eq!(
        shown(&config, &[png], &image),
        format!("[image/png, {size} bytes, sha256 {}, not captured: binary]", hash(&image))
    );
    let encoded = gzip(&image);
    assert_eq!(
        shown(&config, &[png, ("content-encoding", "gzip")], &encoded),
        format!("[image/png, {} bytes, sha256 {}, not captured: binary]", encoded.len(), hash(&encoded))
    );
    let long: Vec<u8> = image.iter().copied().cycle().take(config.keep_limit() + 1).collect();
    assert_eq!(shown(&config, &[png], &long), format!("[image/png, {} bytes, not captured: binary]", long.len()));
    // No type, half a text, a text of no known kind.
    assert!(shown(&config, &[], &image).contains("sha256"));
    assert!(shown(&config, &[("content-type", "application/json")], &image).contains("sha256"));
    for (kind, text) in [
        ("application/json", "[\"pin\" 1234]"),
        ("application/octet-stream", "pin=1234"),
        ("text/yaml", "pin: 1234"),
        ("text/xml", "<pin>1234</pin>"),
    ] {
        let text = format!("{text}{}", " ".repeat(100));
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(!run(&config, Kind::Message, &[("content-type", kind)], text.as_bytes()).0[1].1.contains("sha256"));
        assert!(!run(&config, Kind::Message, &[("content-type", kind)], &utf16).0[1].1.contains("sha256"));
        let kind = format!("{kind}; charset=utf-16");
        let encoded = gzip(&utf16);
        let headers = [("content-type", kind.as_str()), ("content-encoding", "gzip")];
        let (list, _) = run(&config, Kind::Message, &headers, &encoded);
        assert!(!list[1].1.contains("1234") && !list[1].1.contains("sha256"), "{list:?}");
    }
    let latin = [&b"pin=1234 \xE9"[..], &[b' '; 100]].concat();
    assert!(!shown(&config, &[("content-type", "text/plain")], &latin).contains("sha256"));
    // Strings only, and no control character.
    let msgpack = [&b"\x81\xA3key\xD9\x50"[..], &[b'x'; 80]].concat();
    assert!(shown(&config, &[("content-type", "application/msgpack")], &msgpack).contains("sha256"));
}

#[test]
fn grpc_messages_are_described_unless_they_are_json() {
    let config = CaptureConfig::default();
    let (list, outcome) = run(&config, Kind::GrpcRequest, &[], b"\x0a\x05hello");
    let note = "[application/grpc, 7 bytes, not captured: binary]";
    assert_eq!(list, attributes(&[("multiplayer.rpc.grpc.request.message", note)]));
    assert_eq!(outcome.masked_whole, 1);
    // Valid UTF-8 is not text.
    let (list, _) = run(&config, Kind::GrpcResponse, &[], b"\n hello there my friend, how are you");
    assert!(list[0].1.ends_with("not captured: binary]"));
}

#[test]
fn a_callback_replaces_the_masking_and_its_failure_is_counted() {
    let config = CaptureConfig {
        custom: Some(Arc::new(|_: &str, body: &[u8]| (body != b"bad").then(|| b"mine".to_vec()))),
        ..CaptureConfig::default()
    };
    assert_eq!(run(&config, Kind::Message, &[], b"x").0[0].1, "mine");
    let (list, outcome) = run(&config, Kind::Message, &[], b"bad");
    assert_eq!(list[0].1, PLACEHOLDER);
    assert_eq!((outcome.callback_failures, outcome.masked_whole), (1, 1));
}

#[test]
fn any_chunking_gives_the_same_attributes() {
    let config = CaptureConfig { max_payload_bytes: 60, ..CaptureConfig::default() };
    let body = r#"{"name":"né","password":"s3cr3t","list":[{"pin":1},"tail"],"more":"text that is cut"}"#.as_bytes();
    let (whole, outcome) = run(&config, Kind::HttpRequest, &[JSON, ("Cookie", "a=b")], body);
    for first in 0..=body.len() {
        for second in [first, body.len().min(first + 1), body.len().min(first + 7)] {
            let mut stream = Stream::begin(&config, Kind::HttpRequest);
            stream.header(b"Content-Type", JSON.1.as_bytes()).unwrap();
            stream.header(b"Cookie", b"a=b").unwrap();
            for chunk in [&body[..first], &body[first..second], &body[second..]] {
                stream.body(&config, chunk);
            }
            let mut list = Vec::new();
            assert_eq!(stream.end(&config, &mut |k, v| list.push((k.to_owned(), v.to_owned()))), outcome);
            assert_eq!(list, whole);
        }
    }
}

/// A body long enough to be masked as it arrives, in pieces of these sizes in turn; and what the whole becomes.
fn in_pieces(headers: &[(&str, &str)], body: &[u8], sizes: &[usize]) -> (Attributes, Attributes) {
    let config = CaptureConfig::default();
    let mut stream = Stream::begin(&config, Kind::HttpRequest);
    headers.iter().for_each(|(name, value)| stream.header(name.as_bytes(), value.as_bytes()).unwrap());
    let mut rest = body;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, more) = rest.split_at(rest.len().min(*size));
        stream.body(&config, chunk);
        rest = more;
    }
    let mut list = Vec::new();
    stream.end(&config, &mut |k, v| list.push((k.to_owned(), v.to_owned())));
    (list, run(&config, Kind::HttpRequest, headers, body).0)
}

#[test]
fn a_long_body_in_pieces_is_masked_as_the_whole_is() {
    let row = r#"{"id": 7, "name": "née", "password": "s3cr3t", "tags": ["a, b", "c"]}, "#;
    let rows = row.repeat(3000);
    let whole = format!("[{rows} 1]");
    let graphql = r#"{"variables": {"a": "s3cr3t"}, "query": "query($a: String) { login(password: $a) { id } }"}"#;
    let late = format!(r#"{{"rows": [{rows} 1], {}"#, &graphql[1..]);
    let bodies = [
        whole.clone().into_bytes(),
        // Cut off, broken, binary and no UTF-8, all of it late; a request for GraphQL in front, and behind.
        whole.as_bytes()[..whole.len() - 30].to_vec(),
        format!("[{rows} nonsense, {row} 1]").into_bytes(),
        format!("[{rows} \"a\0b\"]").into_bytes(),
        [whole.as_bytes(), b"\xFF\xFE"].concat(),
        format!("[{graphql}, {rows} 1]").into_bytes(),
        format!("\u{FEFF}{whole}\n{whole}").into_bytes(),
    ];
    let json = [("Content-Type", "application/json")];
    for body in &bodies {
        for sizes in [&[1000][..], &[65_536], &[1, 40_000, 63], &[9_999_999]] {
            let (pieces, whole) = in_pieces(&json, body, sizes);
            assert_eq!(pieces, whole);
        }
    }
    // Paths to such late variables cannot be told any more, so nothing of them is shown.
    let (pieces, _) = in_pieces(&json, late.as_bytes(), &[1000]);
    assert!(pieces.iter().all(|(_, value)| !value.contains("s3cr3t")), "{pieces:?}");
    assert!(pieces.iter().any(|(_, value)| value.contains("née")));
    // Another type, told too late.
    let config = CaptureConfig::default();
    let mut stream = Stream::begin(&config, Kind::HttpRequest);
    stream.header(b"Content-Type", b"application/json").unwrap();
    stream.body(&config, whole.as_bytes());
    stream.header(b"Content-Encoding", b"gzip").unwrap();
    let mut list = Vec::new();
    stream.end(&config, &mut |k, v| list.push((k.to_owned(), v.to_owned())));
    let note = format!("[application/json, {} bytes, not captured: type told after the body]", whole.len());
    assert!(list.iter().any(|(_, value)| *value == note), "{list:?}");
}

#[test]
fn a_long_body_in_pieces_is_not_held_as_it_arrived() {
    let config = CaptureConfig::default();
    let mut stream = Stream::begin(&config, Kind::HttpRequest);
    stream.header(b"Content-Type", b"application/json").unwrap();
    stream.body(&config, b"[");
    // What is masked takes less room than what it stands for.
    let secret = format!(r#"{{"password": "{}"}}, "#, "x".repeat(2000));
    (0..200).for_each(|_| stream.body(&config, secret.as_bytes()));
    assert!(stream.held() < 80_000, "{}", stream.held());
}

#[test]
fn a_stream_is_bounded_and_counts_on() {
    let config = CaptureConfig { max_payload_bytes: 100, ..CaptureConfig::default() };
    let mut stream = Stream::begin(&config, Kind::HttpRequest);
    stream.header(b"content-type", b"text/plain").unwrap();
    for _ in 0..1000 {
        stream.body(&config, &[b'a'; 1000]);
    }
    assert!(stream.held() <= 2 * config.keep_limit());
    let mut list = Vec::new();
    let outcome = stream.end(&config, &mut |k, v| list.push((k.to_owned(), v.to_owned())));
    // One endless word might be a token: nothing of it is shown.
    assert_eq!(list[1].1, "[text/plain, 1000000 bytes, not captured: cut]");
    assert_eq!(outcome.masked_whole, 1);
}

#[test]
fn a_stream_refuses_bad_headers_without_repeating_them() {
    let mut stream = Stream::begin(&CaptureConfig::default(), Kind::HttpRequest);
    for name in [&b""[..], b"a b", b"s3cr3t\n"] {
        // A line's end is trimmed like any blank.
        if let Err(e) = stream.header(name, b"v") {
            assert!(!e.to_string().contains("s3cr3t"));
        }
    }
    let refused = (0..2000).filter(|_| stream.header(b"a", b"b").is_err()).count();
    assert!(refused >= 999);
}

/// The beginning of every planted secret; nothing else in the bodies looks like it.
const PLANTED: &str = "Zq9";

/// Is the secret in the text: as it is, spread by zero bytes, or as what another charset makes of its bytes?
fn gives_away(text: &str) -> bool {
    let bytes =
        |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).filter(|b| *b != 0).collect::<Vec<u8>>();
    let found = |bytes: &[u8]| bytes.windows(PLANTED.len()).any(|w| w == PLANTED.as_bytes());
    found(text.as_bytes()) || found(&bytes(u16::to_le_bytes)) || found(&bytes(u16::to_be_bytes))
}

/// Bodies of every format with a secret under a sensitive name.
const BODIES: [(&str, &str); 8] = [
    ("application/json", r#"{"id":7,"naïve":"é","password":"Zq9secret","next":[1,"z"]}"#),
    (
        "application/json",
        r#"{"headers":[{"name":"Authorization","value":"Zq9secret"}],"s":"{\"token\":\"Zq9secret\"}"}"#,
    ),
    ("application/x-ndjson", "{\"a\":1}\n{\"api_key\":\"Zq9secret\"}\n"),
    ("application/x-www-form-urlencoded", "a=1&user%5Bpassword%5D=Zq9secret&b=2"),
    ("text/plain", "line é\npassword: Zq9secret\nAuthorization: Bearer Zq9secret\nend"),
    ("text/event-stream", "data: {\"token\":\"Zq9secret\"}\n\ndata: x\n\n"),
    (
        "multipart/form-data; boundary=b1",
        "--b1\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nZq9secret\r\n--b1--\r\n",
    ),
    ("", r#"{"password":"Zq9secret","b":"é"}"#),
];

type Encode = fn(&str) -> Vec<u8>;

/// Charsets as they are declared, and what they make of a text.
const CHARSETS: [(&str, Encode); 8] = [
    ("utf-8", |t| t.as_bytes().to_vec()),
    ("utf-16le", |t| t.encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ("utf-16be", |t| t.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    ("utf-16", |t| format!("\u{FEFF}{t}").encode_utf16().flat_map(u16::to_be_bytes).collect()),
    ("utf-32", |t| t.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()),
    ("utf-32be", |t| t.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
    ("iso-8859-1", |t| t.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()),
    ("utf-7", |t| t.replace("Zq9", "+AFoAcQA5-").replace('"', "+ACI-").into_bytes()),
];

/// Every attribute of every beginning of a body (or of one in `step`), told as cut and as whole.
fn for_every_cut(kind: &str, coding: &str, encoded: &[u8], step: usize, check: &mut dyn FnMut(usize, bool, &str)) {
    let config = CaptureConfig::default();
    let headers = [("Content-Type", kind), ("Content-Encoding", coding)];
    for length in (0..encoded.len()).step_by(step).chain([encoded.len()]) {
        for size in [length, encoded.len()] {
            let kept = &encoded[..length];
            let masked = |declared: &Declared| mask_body(&config, declared, kept, size as u64);
            let mut emit = |key: &str, text: &str| {
                if !key.contains("headers") {
                    check(length, length < size, text);
                }
            };
            capture_with(&config, Kind::HttpRequest, &headers, false, size as u64, &mut emit, masked);
        }
    }
}

#[test]
fn no_charset_gives_a_secret_away_at_any_cut() {
    let mut shown = 0;
    for (kind, body) in BODIES {
        for (charset, encode) in CHARSETS {
            let encoded = encode(body);
            for declared in
                ["", "utf-8", "utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32be", "latin1", "utf-7", "koi8-r"]
            {
                let kind = format!("{kind}; charset={declared}");
                // A wrong name goes wrong at the beginning, mostly; the step meets all places in a character.
                let step = if declared == charset || declared.is_empty() { 1 } else { 7 };
                for_every_cut(&kind, "", &encoded, step, &mut |length, cut, text| {
                    assert!(!gives_away(text), "{kind} in {charset}, {length} of {} {cut}: {text}", encoded.len());
                    shown += usize::from(length == encoded.len() && text.contains(PLACEHOLDER));
                });
            }
        }
    }
    // And most that is declared rightly is shown.
    assert!(shown > 100, "{shown}");
}

#[test]
fn no_coding_gives_a_secret_away_at_any_cut() {
    use Known::{Brotli, Deflate, Gzip, Zstd};
    let stacks: [(&str, &[Known]); 8] = [
        ("gzip", &[Gzip]),
        ("deflate", &[Deflate]),
        ("br", &[Brotli]),
        ("zstd", &[Zstd]),
        ("gzip, br", &[Gzip, Brotli]),
        ("zstd, gzip", &[Zstd, Gzip]),
        ("br, zstd", &[Brotli, Zstd]),
        ("deflate, gzip, zstd, br", &[Deflate, Gzip, Zstd, Brotli]),
    ];
    for (coding, stack) in stacks {
        for (index, (kind, body)) in BODIES.into_iter().enumerate() {
            // The charsets meet every coding, not also every format.
            for (charset, make) in
                [CHARSETS[0], CHARSETS[1], CHARSETS[6]].into_iter().take(if index < 2 { 3 } else { 1 })
            {
                let kind = format!("{kind}; charset={charset}");
                let encoded = encode(stack, &make(body));
                let (mut masked, mut partly) = (false, 0);
                for_every_cut(&kind, coding, &encoded, 1, &mut |length, cut, text| {
                    assert!(!gives_away(text), "{kind}, {coding}, {length} of {} {cut}: {text}", encoded.len());
                    masked |= length == encoded.len() && text.contains(PLACEHOLDER);
                    partly += usize::from(cut && !text.starts_with('['));
                });
                assert!(masked || kind.starts_with("multipart"), "{kind}, {coding}");
                // The end of a deflate stream may be missing.
                assert!(partly > 0 || stack != [Deflate] || !kind.starts_with("application/json"), "{kind}");
                // Under another coding's name it is not shown, or what is shown is masked.
                for (wrong, _) in stacks {
                    run(
                        &CaptureConfig::default(),
                        Kind::Message,
                        &[("content-type", &kind), ("content-encoding", wrong)],
                        &encoded,
                    )
                    .0
                    .iter()
                    .for_each(|(_, text)| assert!(!gives_away(text), "{kind}, {coding} as {wrong}: {text}"));
                }
            }
        }
    }
}

#[test]
fn all_payloads_in_the_making_have_one_bound() {
    // (Other tests hold a few bytes, too.)
    let config = CaptureConfig { max_held_bytes: 3_000_000, max_payload_bytes: 900_000, ..CaptureConfig::default() };
    let chunk = b"word ".repeat(2_000);
    let mut streams: Vec<Stream> = (0..10).map(|_| Stream::begin(&config, Kind::HttpRequest)).collect();
    for _ in 0..80 {
        streams.iter_mut().for_each(|stream| stream.body(&config, &chunk));
    }
    let mut kept = 0;
    for stream in streams {
        let mut attributes = std::collections::HashMap::new();
        stream.end(&config, &mut |key, value| {
            attributes.insert(key.to_owned(), value.to_owned());
        });
        let key = Kind::HttpRequest.body_key();
        kept += attributes.get(key).map_or(0, |body| body.len());
        assert_eq!(attributes.get(&format!("{key}.size")).map(String::as_str), Some("800000"));
    }
    assert!((2_000_000..=3_100_000).contains(&kept), "{kept}");
    // What was held is free again.
    let mut stream = Stream::begin(&config, Kind::HttpRequest);
    (0..80).for_each(|_| stream.body(&config, &chunk));
    let mut shown = 0;
    stream.end(&config, &mut |_, value| shown = shown.max(value.len()));
    assert_eq!(shown, 800_000);
}
