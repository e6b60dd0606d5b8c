//! Tests over the whole module: a slow reference, and properties.

use std::panic;

use serde_json::Value;

use super::*;

fn body(content_type: &str, text: &str) -> String {
    mask_body(&Rules::default(), Some(content_type), text.as_bytes()).text
}

fn json_body(text: &str) -> String {
    body("application/json", text)
}

// ---- the reference: a document tree, walked

struct Reference {
    rules: Rules,
}

impl Reference {
    fn ask(&self, name: &str) -> names::Hit {
        self.rules.fields.ask(name, Place::Field, &mut names::Words::default())
    }

    /// Is this string, where a name may stand, a sensitive one? As it is written it has at most 64 bytes.
    fn names(&self, s: &str) -> bool {
        let blanks = s.bytes().filter(|b| *b == b' ').count();
        let digits = s.bytes().filter(u8::is_ascii_digit).count();
        let written = serde_json::to_string(s).unwrap().len() - 2;
        written <= 64 && blanks <= 2 && digits <= 8 && self.ask(s) == names::Hit::Yes
    }

    /// The same in an array, where `password=x` has its own value.
    fn lists(&self, s: &str) -> bool {
        !s.trim_end_matches(['=', ' ']).contains('=') && self.names(s)
    }

    fn mask(&self, value: &Value, level: u8) -> Value {
        let placeholder = || Value::String(PLACEHOLDER.to_owned());
        match value {
            Value::Object(members) => {
                let joined = |k: &str| {
                    k.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect::<String>()
                };
                let is_name = |k: &str| ["name", "key", "id", "field", "type", "header"].contains(&joined(k).as_str());
                let is_value = |k: &str| ["value", "data", "oldvalue", "newvalue", "v"].contains(&joined(k).as_str());
                let named = members.iter().any(|(k, v)| match v {
                    Value::String(s) if joined(k) == "type" => self.names(s) && self.rules.fields.ends_sensitive(s),
                    Value::String(s) => is_name(k) && self.names(s),
                    // A path to what is named.
                    Value::Array(path) => {
                        is_name(k)
                            && joined(k) != "type"
                            && path.iter().any(|v| v.as_str().is_some_and(|s| self.lists(s)))
                    }
                    _ => false,
                });
                let has_value = members.keys().any(|k| is_value(k));
                members
                    .iter()
                    .map(|(k, v)| {
                        let gone = match self.ask(k) {
                            names::Hit::Yes => true,
                            names::Hit::Key => !has_value,
                            names::Hit::No => is_value(k) && named,
                        };
                        (k.clone(), if gone { placeholder() } else { self.mask(v, level) })
                    })
                    .collect()
            }
            Value::Array(items) => {
                let pairs = items.len() == 2 || (items.len() % 2 == 0 && items.iter().step_by(2).all(Value::is_string));
                let sensitive = |v: &Value| v.as_str().is_some_and(|s| self.lists(s));
                items
                    .iter()
                    .enumerate()
                    .map(|(i, v)| {
                        if pairs && i % 2 == 1 && sensitive(&items[i - 1]) {
                            placeholder()
                        } else {
                            self.mask(v, level)
                        }
                    })
                    .collect()
            }
            Value::String(text) => Value::String(self.string(text, level)),
            Value::Number(number) if shapes::is_card(&number.to_string()) => placeholder(),
            other => other.clone(),
        }
    }

    fn string(&self, text: &str, level: u8) -> String {
        if text.starts_with(['{', '[', '"']) {
            if let Ok(inner) = serde_json::from_str::<Value>(text) {
                if level < 2 {
                    return serde_json::to_string(&self.mask(&inner, level + 1)).unwrap();
                }
                if json::looks_like(text) && text.len() > 2 {
                    return PLACEHOLDER.to_owned();
                }
            }
        }
        text::mask(&self.rules, text, Place::Field).map_or_else(|| text.to_owned(), |(clean, _)| clean)
    }
}

// ---- generated documents

pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }

    pub(super) fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.next(list.len())]
    }

    fn string(&mut self) -> String {
        const TEXT: &[&str] = &[
            "",
            "plain",
            "a \"quoted\" \\ text\n",
            "naïve 東京 😀",
            "password: hunter2",
            "x=1&token=abc",
            "Bearer abc.def",
            "password",
            "Authorization",
            "apiKey",
            "4111 1111 1111 1111",
            "1234567890123456",
            "https://a:b@h/p?key=v",
            "{not json",
            "[info] started",
            "\u{1}\u{7f}\u{2028}",
            "{}",
            "[]",
            "color",
            "eyJhbGciOiJIUzI1NiJ9.e30.abc",
            "-----BEGIN X-----\nabc",
        ];
        self.pick(TEXT).to_owned()
    }

    pub(super) fn value(&mut self, depth: usize) -> Value {
        const KEYS: &[&str] = &[
            "a",
            "name",
            "value",
            "key",
            "id",
            "data",
            "oldValue",
            "password",
            "user_password",
            "Token",
            "author",
            "ip_address",
            "e-mail",
            "x y",
            "",
            "pass\"word",
            "täst",
            "field",
            "type",
            "v",
            "new_value",
            "status",
            "ＰＩＮ",
        ];
        match self.next(if depth > 5 { 6 } else { 11 }) {
            0 => Value::Null,
            1 => Value::Bool(self.next(2) == 0),
            2 => Value::from(self.next(100_000) as i64 - 50_000),
            3 => Value::from([4111111111111111u64, 1234567890123456, 0, 7][self.next(4)]),
            4 | 5 => Value::String(self.string()),
            6 => {
                let inner = self.value(depth + 2);
                Value::String(serde_json::to_string(&inner).unwrap())
            }
            7 => (0..self.next(5)).map(|_| self.value(depth + 1)).collect(),
            _ => {
                Value::Object((0..self.next(6)).map(|_| (self.pick(KEYS).to_owned(), self.value(depth + 1))).collect())
            }
        }
    }
}

/// Is there an array whose first row may be the names of columns, or a list of names beside rows?
fn has_heading(reference: &Reference, value: &Value) -> bool {
    let sensitive = |v: &Value| v.as_str().is_some_and(|s| reference.names(s));
    match value {
        Value::Array(items) => {
            items.first().and_then(Value::as_array).is_some_and(|row| row.iter().any(sensitive))
                || items.iter().any(|item| has_heading(reference, item))
        }
        Value::Object(members) => members.values().any(|item| has_heading(reference, item)),
        _ => false,
    }
}

#[test]
fn json_agrees_with_the_reference() {
    let reference = Reference { rules: Rules::default() };
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..4000 {
        let value = random.value(0);
        // (Tables have a test of their own.)
        if has_heading(&reference, &value) {
            continue;
        }
        let text =
            if round % 2 == 0 { serde_json::to_string(&value) } else { serde_json::to_string_pretty(&value) }.unwrap();
        let out = json::mask(&reference.rules, &text, false, 0);
        assert_eq!(out.broke_at, None, "{text}");
        let got: Value = serde_json::from_str(&out.text).unwrap_or_else(|e| panic!("{e}: {text} -> {}", out.text));
        assert_eq!(got, reference.mask(&value, 0), "{text}");
        if out.fields == 0 {
            assert_eq!(out.text, text);
        }
    }
}

/// Every cut of a masked document ends cleanly: no panic, and nothing that the whole would have masked.
#[test]
fn every_cut_of_generated_json_is_a_prefix_of_something_masked() {
    let rules = Rules::default();
    let mut random = Random(77);
    for _ in 0..60 {
        let text = serde_json::to_string(&random.value(0)).unwrap();
        for (end, _) in text.char_indices() {
            let out = json::mask(&rules, &text[..end], true, 0);
            assert!(!out.text.contains("hunter2") && !out.text.contains("eyJhbG"), "{}", &text[..end]);
        }
    }
}

// ---- JSON

#[test]
fn any_value_of_a_sensitive_key_is_masked() {
    assert_eq!(
        json_body(
            r#"{"password":"x","pin":1234,"token":null,"secret":true,"auth":{"a":[1]},"cookie":["a","b"],"n":1.50}"#
        ),
        r#"{"password":"***MASKED***","pin":"***MASKED***","token":"***MASKED***","secret":"***MASKED***","auth":"***MASKED***","cookie":"***MASKED***","n":1.50}"#
    );
}

#[test]
fn tokens_are_copied_as_they_are_written() {
    for text in [
        "1.0e+10",
        "  [1, 2.50 ,-0.0]\n",
        r#"{"a" : "\u00e9\/"}"#,
        "123456789012345678901234567890",
        "null",
        r#""x""#,
        " ",
    ] {
        assert_eq!(json_body(text), text);
    }
}

#[test]
fn keys_are_decoded_before_they_are_compared() {
    assert_eq!(json_body(r#"{"\u0070assword":"x"}"#), r#"{"\u0070assword":"***MASKED***"}"#);
    assert_eq!(json_body(r#"{"p\u0061ss\u0077ord":{"a":1}}"#), r#"{"p\u0061ss\u0077ord":"***MASKED***"}"#);
    assert_eq!(json_body(r#"{"\uff50assword":1}"#), r#"{"\uff50assword":"***MASKED***"}"#);
}

#[test]
fn every_duplicate_is_masked() {
    assert_eq!(json_body(r#"{"pin":1,"pin":2}"#), r#"{"pin":"***MASKED***","pin":"***MASKED***"}"#);
}

#[test]
fn pairs_are_understood_in_any_order() {
    let masked = |text: &str| !json_body(text).contains("s3cr3t");
    assert!(masked(r#"{"name":"password","value":"s3cr3t"}"#));
    assert!(masked(r#"{"value":"s3cr3t","name":"password"}"#));
    assert!(masked(r#"{"value":{"a":["s3cr3t"]},"id":7,"key":"api_key"}"#));
    assert!(masked(r#"{"op":"replace","path":"/user/password","value":"s3cr3t"}"#));
    assert!(masked(r#"{"field":"password","oldValue":"s3cr3t","newValue":"s3cr3t"}"#));
    assert!(masked(r#"[["Authorization","s3cr3t"],["Host","x"]]"#));
    assert!(masked(r#"["Host","h","Cookie","s3cr3t"]"#));
    assert!(masked(r#"{"key":"s3cr3t"}"#));
    let kept = |text: &str| assert_eq!(json_body(text), text);
    kept(r#"{"key":"color","value":"blue"}"#);
    kept(r#"{"value":"blue","key":"color"}"#);
    kept(r#"["email","name","x"]"#);
    kept(r#"{"name":"Jo","value":3}"#);
}

#[test]
fn json_inside_strings_is_masked() {
    let inner = r#"{"password":"s3cr3t","a":1}"#.to_owned();
    let once = serde_json::to_string(&serde_json::json!({ "payload": inner })).unwrap();
    assert_eq!(json_body(&once), r#"{"payload":"{\"password\":\"***MASKED***\",\"a\":1}"}"#);
    let mut deep = inner;
    for _ in 0..5 {
        deep = serde_json::to_string(&serde_json::json!({ "payload": deep })).unwrap();
        let out = json_body(&deep);
        assert!(!out.contains("s3cr3t"), "{out}");
        serde_json::from_str::<Value>(&out).unwrap();
    }
    let broken = json_body(r#"{"payload":"{\"a\":1,\"password\":\"s3cr"}"#);
    assert_eq!(broken, r#"{"payload":"{\"a\":1,\"password\": [not captured: malformed]"}"#);
}

#[test]
fn documents_may_follow_each_other() {
    assert_eq!(
        body("application/x-ndjson", "{\"pin\":1}\n{\"pin\":2}\n"),
        "{\"pin\":\"***MASKED***\"}\n{\"pin\":\"***MASKED***\"}\n"
    );
    assert_eq!(json_body(r#"{"pin":1}{"a":2}[]"#), r#"{"pin":"***MASKED***"}{"a":2}[]"#);
    assert_eq!(body("application/json-seq", "\u{1e}{\"pin\":1}\n"), "\u{1e}{\"pin\":\"***MASKED***\"}\n");
    assert_eq!(json_body("\u{feff}{\"pin\":1}"), r#"{"pin":"***MASKED***"}"#);
}

#[test]
fn nothing_is_kept_after_a_break() {
    assert_eq!(
        json_body(r#"{"a":1,"b":tru"#),
        r#"{"a":1,"b": [application/json, 14 bytes, not captured from byte 11: malformed]"#
    );
    for (text, kept) in [
        (r#"{"a":1} s3cr3t"#, r#"{"a":1}"#),
        (r#"{"a":1,'b':"s3cr3t"}"#, r#"{"a":1,"#),
        (r#"{"a":1,"b":"s3cr3t"#, r#"{"a":1,"b":"#),
        (r#"{"a":1,"s3cr3t"#, r#"{"a":1,"#),
        (r#"{"a":1,"b":12"#, r#"{"a":1,"b":"#),
        (r#"{"a":1,"b":NaN,"c":"s3cr3t"}"#, r#"{"a":1,"b":"#),
        (r#"{"a":01,"c":"s3cr3t"}"#, r#"{"a":"#),
        (r#"{"a":1,}"#, r#"{"a":1,"#),
        (r#"{"a":1 /* s3cr3t */}"#, r#"{"a":1 "#),
        (r#"{"a":"x\q s3cr3t"}"#, r#"{"a":"#),
        ("[1,2] 3 4s3cr3t", "[1,2] 3 "),
        (r#"["a","b"}"#, r#"["a","b""#),
        (r#"{"password":{"x":"s3cr3t"]}"#, r#"{"password":"***MASKED***""#),
        (r#"{"password":"s3cr3t"#, r#"{"password":"#),
    ] {
        let out = json_body(text);
        assert!(!out.contains("s3cr3t"), "{out}");
        assert!(out.starts_with(kept), "{text}: {out}");
        assert!(out[kept.len()..].trim_start().starts_with("[application/json, "), "{text}: {out}");
    }
    for text in ["hello s3cr3t", ")]}',\n{\"a\":1}", "'x'", "\u{1}"] {
        let out = mask_body(&Rules::default(), Some("application/json"), text.as_bytes());
        assert!(out.whole, "{text}");
        assert_eq!(out.text, format!("[application/json, {} bytes, not captured: malformed]", text.len()));
    }
}

/// Right after a number or a word too, before anybody has asked about it.
#[test]
fn a_value_right_before_a_break_is_not_kept() {
    for junk in ["\u{1}", "&", "=", "'", "/", ";", "\u{7f}", "\\"] {
        for (lead, value) in [
            ("{\"f\":", "4111111111111111"),
            ("{\"pin\":", "-1234"),
            ("[1,4111111111111111", ""),
            ("{\"a\":[{\"token\":", "null"),
        ] {
            for tail in ["", "x", ",\"b\":1}"] {
                let out = json_body(&format!("{lead}{value}{junk}{tail}"));
                assert!(!out.contains("4111") && !out.contains("1234") && !out.contains("null"), "{out}");
            }
        }
    }
}

#[test]
fn a_value_before_its_missing_name_is_masked() {
    for text in [
        r#"[{"value":"s3cr3t","na"#,
        r#"{"key":"s3cr3t","x":"#,
        r#"{"value":{"a":["s3cr3t"]},"x":"#,
        r#"{"a":[["Cookie","s3cr3t","#,
    ] {
        let out = json_body(text);
        assert!(!out.contains("s3cr3t"), "{out}");
    }
}

#[test]
fn hostile_depth_is_masked_and_bounded() {
    let deep = |n: usize| format!("{}{}{}", "[".repeat(n), "\"s3cr3t\"", "]".repeat(n));
    assert_eq!(json_body(&deep(150)), deep(150));
    let out = json_body(&deep(100_000));
    assert!(!out.contains("s3cr3t") && out.len() < 1000);
    assert_eq!(out.matches(PLACEHOLDER).count(), 1);
    let out = json_body(&format!("{{\"a\":1,\"b\":{}", "[".repeat(100_000)));
    assert!(out.len() < 1000);
    let objects = format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    assert!(json_body(&objects).len() < 2000);
    assert!(mask_body(&Rules::default(), None, "[[".repeat(50_000).as_bytes()).text.len() < 1000);
}

#[test]
fn validity_is_judged_as_serde_json_does() {
    for text in [
        "[]",
        "{}",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{:1}",
        "[1 2]",
        "-",
        "-1",
        "01",
        "1.",
        ".1",
        "1e",
        "1e5",
        "1E+5",
        "tru",
        "true",
        "nul",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u1234\"",
        "\"a\nb\"",
        "[\"a\"",
        "{\"a\":1,\"a\":2}",
        "[[[]]]",
        "[[[]]",
        "+1",
        "0",
        "-0",
        "\"",
        "{\"a\":1}}",
        "]",
        "[1]]",
        "{1:2}",
        "[true,false,null]",
        "\"\\\\\"",
        "\"\\\"",
        "[1,2",
        "{\"a\":[}",
        "1 ",
        "\u{b}1",
        "--1",
        "0x1",
    ] {
        let ours = json::mask(&Rules::default(), text, false, 0).broke_at.is_none();
        let theirs = serde_json::Deserializer::from_str(text).into_iter::<Value>().all(|v| v.is_ok());
        assert_eq!(ours, theirs, "{text}");
    }
}

#[test]
fn secrets_as_keys_and_numbers_are_masked() {
    assert_eq!(json_body(r#"{"sk_live_abcdefghijklmnop":1}"#), r#"{"***MASKED***":1}"#);
    assert_eq!(json_body(r#"{"n":4111111111111111}"#), r#"{"n":"***MASKED***"}"#);
    assert_eq!(json_body(r#"{"n":1700000000000000000}"#), r#"{"n":1700000000000000000}"#);
}

#[test]
fn the_corpus_names_are_masked_in_any_spelling() {
    for name in [
        "password",
        "token",
        "access_token",
        "refreshToken",
        "secret",
        "api_key",
        "apiKey",
        "authorization",
        "sessionId",
        "client_secret",
        "privateKey",
        "creditCard",
        "card_number",
        "cvv",
        "ssn",
        "pin",
        "iban",
        "otp",
        "phone_number",
        "phoneNumber",
        "email",
        "address",
        "dob",
        "passport_number",
        "cookie",
    ] {
        for name in
            [name.to_owned(), name.to_uppercase(), name.replace('_', "-"), format!("user_{name}"), format!("{name}[]")]
        {
            let out = json_body(&format!("{{\"{name}\":\"s3cr3t\"}}"));
            assert!(!out.contains("s3cr3t"), "{out}");
        }
    }
}

// ---- other bodies

const MULTIPART: &str = "multipart/form-data; boundary=XyZ";

fn multipart_body() -> String {
    [
        "preamble s3cr3t\r\n--XyZ\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\njo\r\n",
        "--XyZ\r\nContent-Disposition: form-data; name=\"user_password\"\r\n\r\ns3cr3t\r\nmore s3cr3t\r\n",
        "--XyZ\r\nContent-Disposition: form-data; name=\"doc\"; filename=\"a \\\"b\\\".png\"\r\nContent-Type: image/png\r\n\r\ns3cr3t\0\r\n",
        "--XyZ\r\ncontent-disposition: form-data; name=meta\r\nContent-Type: application/json\r\n\r\n{\"pin\":\"s3cr3t\"}\r\n--XyZ--\r\nepilogue s3cr3t",
    ]
    .concat()
}

#[test]
fn multipart_fields_are_masked_and_files_described() {
    let out = mask_body(&Rules::default(), Some(MULTIPART), multipart_body().as_bytes());
    assert_eq!(
        out.text,
        [
            "--XyZ\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\njo\r\n",
            "--XyZ\r\nContent-Disposition: form-data; name=\"user_password\"\r\n\r\n***MASKED***\r\n",
            "--XyZ\r\nContent-Disposition: form-data; name=\"doc\"; filename=\"a \\\"b\\\".png\"\r\nContent-Type: image/png\r\n\r\n",
            "[image/png, 7 bytes, not captured: file]\r\n",
            "--XyZ\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{\"pin\":\"***MASKED***\"}\r\n--XyZ--\r\n",
        ]
        .concat()
    );
    assert_eq!(out.fields_masked, 2);
}

#[test]
fn multipart_that_is_not_understood_is_described() {
    let rules = Rules::default();
    for (kind, text) in [
        ("multipart/form-data", "--x\r\n\r\ns3cr3t\r\n--x--"),
        ("multipart/form-data; boundary=x", "s3cr3t"),
        ("multipart/form-data; boundary=x", "--x\r\nno header s3cr3t\r\n\r\nv\r\n--x--"),
        ("multipart/form-data; boundary=\"\"", "--\r\n\r\ns3cr3t\r\n----"),
    ] {
        let out = mask_body(&rules, Some(kind), text.as_bytes());
        assert!(!out.text.contains("s3cr3t"), "{}", out.text);
    }
    let nested = "--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\npin=s3cr3t\r\n--y--\r\n--x--";
    let out = body("multipart/mixed; boundary=x", nested);
    assert!(out.contains("\r\n\r\npin=***MASKED***\r\n--y--"), "{out}");
}

#[test]
fn a_json_body_under_a_form_type_is_masked_as_json() {
    assert_eq!(body("application/x-www-form-urlencoded", r#"{"password":"x"}"#), r#"{"password":"***MASKED***"}"#);
}

#[test]
fn types_are_guessed_when_none_is_declared() {
    let rules = Rules::default();
    let guess = |text: &str| mask_body(&rules, None, text.as_bytes()).text;
    assert_eq!(guess(r#"{"pin":1}"#), r#"{"pin":"***MASKED***"}"#);
    assert_eq!(guess("a=1&pin=2"), "a=1&pin=***MASKED***");
    assert_eq!(guess("just text"), "just text");
    assert_eq!(guess("<pin>s3cr3t</pin>"), "<pin>***MASKED***</pin>");
    assert_eq!(guess("a\0b"), "[unknown type, 3 bytes, not captured: binary]");
    assert_eq!(body("text/plain", r#"{"pin":1}"#), r#"{"pin":"***MASKED***"}"#);
}

#[test]
fn what_is_not_understood_is_described() {
    let rules = Rules::default();
    for (kind, bytes, note) in [
        ("application/octet-stream", &b"abc"[..], "[application/octet-stream, 3 bytes, not captured: binary]"),
        ("image/png", b"\x89PNG", "[image/png, 4 bytes, not captured: binary]"),
        ("application/x-protobuf", b"\x0a\x03abc", "[application/x-protobuf, 5 bytes, not captured: binary]"),
        ("application/grpc", b"\0\0\0\0\0", "[application/grpc, 5 bytes, not captured: binary]"),
        ("application/msgpack", b"\x81\xa3", "[application/msgpack, 2 bytes, not captured: binary]"),
        ("application/cbor", b"\xa1", "[application/cbor, 1 bytes, not captured: binary]"),
        ("application/foo", b"abc", "[application/foo, 3 bytes, not captured: unknown type]"),
        ("application/soap+xml", b"<a", "[application/soap+xml, 2 bytes, not captured: malformed]"),
        ("text/csv", b"1,2\nx", "[text/csv, 5 bytes, not captured: table]"),
        ("application/json", b"{\"a\":1,\"p\0i\0n\":2}", "[application/json, 17 bytes, not captured: binary]"),
        ("application/json", b"{\"a\":\"\xff\"}", "[application/json, 9 bytes, not captured: not utf-8]"),
        ("application/json; charset=utf-7", b"{}", "[application/json, 2 bytes, not captured: charset]"),
        ("text/plain; charset=iso-8859-5", "é".as_bytes(), "[text/plain, 2 bytes, not captured: charset]"),
        ("evil type\n", b"abc", "[unknown type, 3 bytes, not captured: unknown type]"),
    ] {
        let out = mask_body(&rules, Some(kind), bytes);
        assert_eq!((out.text.as_str(), out.whole), (note, true));
    }
    assert_eq!(body("application/grpc", r#"{"pin":1}"#), r#"{"pin":"***MASKED***"}"#);
    assert_eq!(body("text/plain; charset=iso-8859-5", "pin=1 x"), "pin=***MASKED*** x");
    let latin = mask_body(&Rules::default(), Some("text/plain; charset=latin1"), b"pin=1 caf\xE9");
    assert_eq!(latin.text, "pin=***MASKED*** café");
    assert_eq!(mask_body(&rules, Some("application/json"), b""), Masked::default());
}

// ---- switches and callbacks

#[test]
fn masking_can_be_switched_off_and_binary_stays_out() {
    let rules = Rules::new(&RulesConfig { mask_body: false, mask_headers: false, ..RulesConfig::default() }).unwrap();
    assert_eq!(mask_body(&rules, Some("application/json"), br#"{"pin":1}"#).text, r#"{"pin":1}"#);
    assert!(mask_body(&rules, None, b"\xff\x00").whole);
    assert_eq!(mask_header_value(&rules, "Authorization", "x"), "x");
    assert_eq!(mask_text(&rules, "pin=1"), "pin=1");
}

#[test]
fn the_users_names_are_added_to_the_defaults() {
    let rules = Rules::new(&RulesConfig {
        body_fields: vec!["colour".into()],
        header_names: vec!["X-Colour-Code".into()],
        ..RulesConfig::default()
    })
    .unwrap();
    assert_eq!(
        mask_body(&rules, None, br#"{"favColour":1,"pin":2}"#).text,
        r#"{"favColour":"***MASKED***","pin":"***MASKED***"}"#
    );
    assert_eq!(mask_header_value(&rules, "x-colour-code", "x"), PLACEHOLDER);
    assert!(rules.is_sensitive_field("favColour") && !rules.is_sensitive_field("flavour"));
}

#[test]
fn a_failing_callback_masks_the_body_whole() {
    let rules = Rules::default();
    let run = |custom: &Custom| mask_content(&rules, Some(custom), &Body::new(Some("text/plain"), b"s3cr3t"));
    assert_eq!(run(&|kind, bytes| Some(format!("{kind} {}", bytes.len()).into_bytes())).text, "text/plain 6");
    let failed = Masked { text: PLACEHOLDER.into(), whole: true, fields_masked: 1, failed_callback: true };
    assert_eq!(run(&|_, _| None), failed);
    assert_eq!(run(&|_, _| Some(vec![0xff])), failed);
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("again");
            }
        }
    }
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let outcomes = (run(&|_, _| panic!("s3cr3t")), run(&|_, _| panic::panic_any(Bomb)));
    panic::set_hook(hook);
    assert_eq!(outcomes, (failed.clone(), failed));
    let cut = mask_content(&rules, Some(&|_, _| Some(vec![])), &Body::beginning(Some("text/plain"), b"abc", 9));
    assert_eq!(cut.text, "[text/plain, 9 bytes, not captured: too large for the masking callback]");
}

// ---- the property: a planted secret is in no output, whatever is cut off

pub(super) const SECRET: &str = "Zq9XsecretW7";

pub(super) fn planted() -> Vec<(&'static str, String)> {
    let json = r#"{"id":1,"name":"né","user":{"pass\u0077ord":"@","x":[{"api_key":["@",{"a":"@"}]}]},"items":[{"value":"@","name":"token"},{"name":"pin","value":{"a":"@"}}],"headers":[["Cookie","@"],["A","b"]],"key":"@","s":"{\"secret\":\"@\",\"b\":[1]}","t":"password: @","card":4111111111111111,"u":"https://u:@§h/?token=@","end":true}"#;
    let form =
        "a=1&password=@&user%5Bapi_key%5D=@&x=%7B%22token%22%3A%22@%22%7D&pin=@&z=2;secret=@;@&u=https://h/?token=@";
    let text = "Line one\npassword: @ @ tail\nurl https://jo:@§host/p?access_token=@&b=1 end\nconfig {\"secret\": \"@ @\", 'pin': '@'}\nAuthorization: Bearer @\nx password=@, y token = @\nsecret={\"a\":\"@ }\"} end\n-----BEGIN PRIVATE KEY-----\n@\n@\n-----END PRIVATE KEY-----\nCookie: a=@; b=@\ndone";
    let events = "event: a\ndata: {\"password\":\"@\",\"a\":1}\ndata: token=@\n\ndata: {\"token\":\ndata: \"@\"}\n";
    let parts = multipart_body().replace("s3cr3t", "@");
    [
        ("application/json", json.to_owned()),
        ("application/x-ndjson", format!("{json}\n{json}\n")),
        ("application/x-www-form-urlencoded", form.to_owned()),
        ("text/plain", text.to_owned()),
        ("text/plain", json.to_owned()),
        ("text/plain", form.to_owned()),
        ("", json.to_owned()),
        ("", text.to_owned()),
        ("text/event-stream", events.to_owned()),
        (MULTIPART, parts),
        ("text/html", "<input name=password value=@>".to_owned()),
        ("application/octet-stream", "@".to_owned()),
    ]
    .map(|(kind, text)| (kind, text.replace('@', SECRET).replace('§', "@")))
    .to_vec()
}

#[test]
fn a_planted_secret_is_in_no_output_at_any_cut() {
    let rules = Rules::default();
    for (kind, text) in planted() {
        for end in 0..=text.len() {
            let bytes = &text.as_bytes()[..end];
            let kind = (!kind.is_empty()).then_some(kind);
            let whole = mask_body(&rules, kind, bytes);
            let cut = mask_content(&rules, None, &Body::beginning(kind, bytes, text.len() as u64));
            for out in [whole, cut] {
                // The first letters are enough to tell it.
                assert!(!out.text.contains("Zq9"), "{kind:?} cut at {end}: {}", out.text);
            }
        }
    }
}

#[test]
fn a_planted_secret_is_in_no_header() {
    let rules = Rules::default();
    for (name, value) in [
        ("Authorization", "Bearer @"),
        ("Cookie", "a=@; @; b=\"@\""),
        ("Set-Cookie", "a=@; Path=/; Weird=@"),
        ("Referer", "https://u:@§h/?token=@&pass%77ord=@#id_token=@"),
        ("X-Other", "token=@; password=\"@\""),
        ("X-Json", "{\"password\":\"@\"}"),
        ("X-Api-Key", "@"),
        ("Proxy-Authorization", "Basic @"),
    ] {
        let out = mask_header_value(&rules, name, &value.replace('@', SECRET).replace('§', "@")).into_owned();
        assert!(!out.contains("Zq9"), "{name}: {out}");
    }
}

#[test]
fn hostile_bodies_cost_linear_time() {
    let rules = Rules::default();
    for piece in ["pin=1 ", "pin=1;", "pin=x&", "[pin]=1 ", "a pin: 1 ", "%70in=1 ", "{\"pin\":1}"] {
        for (kind, lead, tail) in [
            (Some("text/event-stream"), "data: ", "\n"),
            (Some("application/json"), "{\"a\":\"", "\"}"),
            (Some("application/x-www-form-urlencoded"), "a=", ""),
            (Some("text/plain"), "", ""),
            (Some("text/plain"), "x ", ""),
            (None, "", ""),
        ] {
            let piece = if kind == Some("application/json") { piece.replace('"', "\\\"") } else { piece.to_owned() };
            let body = |len: usize| format!("{lead}{}{tail}", piece.repeat(len / piece.len()));
            let work = |body: &str| drop(mask_body(&rules, kind, body.as_bytes()));
            assert!(tests_formats::is_linear(work, body), "{kind:?} {lead}{piece}");
        }
    }
}

#[test]
fn multipart_under_another_type_is_not_shown_as_text() {
    let part = "--b1\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--b1--\r\n";
    let broken = "--b1\nX: y\ncontent-disposition: form-data; name=\"password\"\n\nhunter2\n--b2--\n";
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("text/event-stream")] {
        for text in [part, broken] {
            let out = mask_body(&Rules::default(), kind, text.as_bytes()).text;
            assert!(!out.contains("hunter2"), "{kind:?} {out}");
        }
    }
    assert_eq!(body("text/plain", "-- a\nselect 1"), "-- a\nselect 1");
}

#[test]
fn what_is_no_form_is_not_shown_as_one() {
    for text in [
        "{password:\"hunter2\", url:\"a=b\"}",
        "password: hunter2\nurl: http://h/?a=b",
        "[1,{\"password\":\"hunter2\",\"x\":\"a=b\"}]",
        "password%3Ahunter2%2Curl=b",
        "password%3Dhunter2=1",
        "a%5B%7Bpassword%3Ahunter2=1",
    ] {
        let kind = "application/x-www-form-urlencoded";
        let out = body(kind, text);
        assert!(out.contains("not captured") && !out.contains("hunter2"), "{out}");
        for kind in [Some("text/plain"), None] {
            let out = mask_body(&Rules::default(), kind, text.as_bytes()).text;
            assert!(!out.contains("hunter2"), "{out}");
        }
    }
    let kind = "application/x-www-form-urlencoded";
    assert_eq!(body(kind, "user[name]=jo&a[0].b=1&c[]=2&j:k=3&x"), "user[name]=jo&a[0].b=1&c[]=2&j:k=3&x");
    assert!(!mask_header_value(&Rules::default(), "Location", "/?{\"password\":\"hunter2\",\"u\":\"a=b\"}")
        .contains("hunter2"));
    assert!(body(kind, &format!("{}=1", "n".repeat(300))).contains("not captured"));
}

#[test]
fn looking_only_where_a_sign_is_finds_what_looking_at_every_word_finds() {
    const PIECES: &[&str] = &[
        "password",
        "token",
        "user",
        "=",
        ":",
        ": ",
        " = ",
        " ",
        "\n",
        "\"",
        "'",
        "\\\"",
        "\\n",
        "x",
        "hunter2",
        "Bearer ",
        "basic ",
        "Token ",
        "abc.DEF1",
        "ghp_0123456789abcdefghij",
        "4111 1111 1111 1111",
        "DE89370400440532013000",
        "https://",
        "jo:pw@",
        "h/p?",
        "&code=1",
        "<pin>",
        "</pin>",
        "%7B%22pin%22%3A1%7D",
        "-----BEGIN KEY-----",
        "12:30:45",
        "credit card",
        "values ('a')",
        "{\"a\":1}",
        "é",
        "&quot;",
        "eyJhbGciOiJIUzI1NiJ9",
        ",",
        ";",
        "(",
        "\\u0022",
        "sk",
        "//",
    ];
    let rules = Rules::default();
    let mut random = Random(0x5eed_1234_5678_9abc);
    let mut wrong = Vec::new();
    for _ in 0..10_000 {
        let text: String = (0..random.next(8) + 1).map(|_| random.pick(PIECES)).collect();
        let quick = text::mask(&rules, &text, Place::Field);
        let slow = text::mask_everywhere(&rules, &text);
        if quick != slow {
            wrong.push((text.clone(), quick, slow));
        }
        // In JSON, the same string as it is written there.
        if !text.starts_with(['{', '[', '"', ' ', '\n']) {
            let written = serde_json::to_string(&text).unwrap();
            let masked = json::clean_string(&rules, &text, 0).map_or_else(|| text.clone(), |(clean, _)| clean);
            let out = json_body(&format!("[{written},1,2]"));
            let back: Value = serde_json::from_str(&out).unwrap();
            if back[0].as_str() != Some(masked.as_str()) {
                wrong.push((written, Some((back[0].to_string(), 0)), Some((masked, 0))));
            }
        }
    }
    wrong.sort_by_key(|(text, ..)| text.len());
    wrong.truncate(12);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_only_looks_like_a_tag_is_text_all_the_same() {
    for text in [
        "ientB-AA<passworA\npassword: hunter2\nA<p[s",
        "a <b c\npassword: hunter2",
        "List<String> password=hunter2 x",
        "<b>x</b> password=hunter2 <i>y</i>",
    ] {
        for kind in [None, Some("text/plain")] {
            let out = mask_body(&Rules::default(), kind, text.as_bytes()).text;
            assert!(!out.contains("hunter2"), "{kind:?} {out}");
        }
        assert!(!mask_text(&Rules::default(), text).contains("hunter2"), "{text}");
        let json = serde_json::to_string(text).unwrap();
        assert!(!json_body(&format!("[{json}]")).contains("hunter2"), "{text}");
    }
    assert_eq!(mask_text(&Rules::default(), "Jo <jo@x.io> a < b"), "Jo <jo@x.io> a < b");
}

#[test]
fn what_is_around_a_value_goes_with_it() {
    for text in [
        "Config { password: Some(\"hunter2\"), x: 1 }",
        "UPDATE users SET password=crypt('hunter2', gen_salt('bf')) WHERE id=1",
        "WHERE password = MD5('hunter2')",
        "#{password => <<\"hunter2\">>, a => 1}",
        "Digest username=\"a\", response=\"hunter2\"",
        "failed: password: Path `password` (`hunter2`) is shorter than 8.",
        "on field 'password': rejected value [hunter2]; codes",
        "DETAIL: Key (api_token)=(hunter2) already exists.",
        "INSERT INTO users (id, password) VALUES\n(1, 'hunter2');",
        "INSERT INTO users (\n id,\n password\n)\nVALUES (\n 1,\n 'hunter2'\n)",
        "ImmutableMultiDict([('username','a'), ('password', 'hunter2')])",
    ] {
        let out = mask_body(&Rules::default(), Some("text/plain"), text.as_bytes()).text;
        assert!(!out.contains("hunter2"), "{out}");
        let json = serde_json::to_string(text).unwrap();
        let out = json_body(&format!("{{\"message\":{json}}}"));
        assert!(!out.contains("hunter2"), "{out}");
    }
}

#[test]
fn odd_tags_hide_nothing() {
    for text in [
        "#<User id: 1, email: \"a@b.c\", encrypted_password: \"hunter2\", created_at: nil>",
        "x <User {\"password\": \"hunter2\"}>",
        "x <User password: hunter2>",
        "x <Client name: \"a\", api_key: \"hunter2\", timeout: 3> failed",
        "x <User card 4111 1111 1111 1111 hunter2>",
        "ERROR x<y\n  at foo\nAuthorization: Basic hunter2\nDB_PASSWORD: hunter2\n a->b\n",
        "if (i<n) { password: \"hunter2\"; a->b }",
        "i <max\npassword: \"hunter2\"\nfoo->bar",
        "<html><pre>#&lt;User id: 1, password: \"hunter2\"&gt;</pre></html>",
        "<User authorization: Basic hunter2>",
    ] {
        let json = format!("[{}]", serde_json::to_string(text).unwrap());
        for (kind, text) in [
            (None, text),
            (Some("text/plain"), text),
            (Some("text/html"), text),
            (Some("application/json"), json.as_str()),
        ] {
            let out = mask_body(&Rules::default(), kind, text.as_bytes()).text;
            assert!(!out.contains("hunter2") || out.contains("card ***"), "{kind:?} {out}");
            assert!(!out.contains("4111"), "{kind:?} {out}");
        }
    }
}

#[test]
fn columns_of_tables_are_masked() {
    for text in [
        r#"[["id","password","x"],[1,"hunter2",2]]"#,
        r#"{"a":[["id","password","x"],[1,"hunter2",2]]}"#,
        r#"{"columns":["id","password"],"rows":[[1,"hunter2"],[2,{"a":"hunter2"}]]}"#,
        r#"{"data":[[1,"hunter2"]],"columns":["id","password"]}"#,
        r#"{"rows":[[1,"hunter2"]],"fields":[{"name":"id"},{"name":"password"}]}"#,
        r#"[["user","password"],["jo","hunter2"]]"#,
        // BigQuery, RDS, Athena, Snowflake.
        r#"{"schema":{"fields":[{"name":"id"},{"name":"password"}]},"rows":[{"f":[{"v":"1"},{"v":"hunter2"}]}]}"#,
        r#"{"rows":[{"f":[{"v":"1"},{"v":"hunter2"}]}],"schema":{"fields":[{"name":"id"},{"name":"password"}]}}"#,
        r#"{"columnMetadata":[{"name":"id"},{"name":"password"}],"records":[[{"longValue":1},{"stringValue":"hunter2"}]]}"#,
        r#"{"Rows":[{"Data":[{"VarCharValue":"1"},{"VarCharValue":"hunter2"}]}],"ResultSetMetadata":{"ColumnInfo":[{"Name":"id"},{"Name":"password"}]}}"#,
        r#"{"resultSetMetaData":{"rowType":[{"name":"ID"},{"name":"PASSWORD"}]},"data":[["1","hunter2"]]}"#,
    ] {
        let out = json_body(text);
        assert!(!out.contains("hunter2"), "{out}");
        assert!(serde_json::from_str::<Value>(&out).is_ok(), "{out}");
    }
    for text in [
        r#"{"columns":["id","x"],"rows":[[1,"y"]],"coordinates":[[1.5,2],[3,4]]}"#,
        // Rows that name their cells themselves.
        r#"{"rows":[{"id":1,"tags":["a","b"],"x":"y"}],"fields":[{"name":"id"},{"name":"password"}]}"#,
        r#"{"fields":[{"name":"id"},{"name":"password"}],"rows":[{"id":1,"tags":["a","b"],"x":"y"}]}"#,
        r#"{"schema":{"fields":[{"name":"id"},{"name":"x"}]},"rows":[{"f":[{"v":"1"},{"v":"y"}]}]}"#,
    ] {
        assert_eq!(json_body(text), text);
    }
}

#[test]
fn what_follows_a_separator_at_once_is_looked_at() {
    let json = |text: &str| mask_body(&Rules::default(), Some("application/json"), text.as_bytes()).text;
    assert_eq!(json("0.5\x1e4111111111111111"), "0.5\x1e\"***MASKED***\"");
    assert_eq!(json("1\x1ehunter2"), "1\x1e [application/json, 9 bytes, not captured from byte 2: malformed]");
}
