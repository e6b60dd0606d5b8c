//! What mutation testing of this module found no test for (CONTRIBUTING.md): what comes out, to the byte.

use super::own_tests::{list, rules};
use super::*;

#[track_caller]
fn body(rules: &Rules, kind: Option<&str>, text: &str, expected: &str, fields: u32) {
    let masked = mask_body(rules, kind, text.as_bytes());
    assert_eq!((masked.text.as_str(), masked.fields_masked), (expected, fields), "{text}");
}

/// The beginning of a body of nine bytes more.
#[track_caller]
fn beginning(rules: &Rules, kind: Option<&str>, text: &str, expected: &str, fields: u32) {
    let masked = mask_content(rules, None, &Body::beginning(kind, text.as_bytes(), text.len() as u64 + 9));
    assert_eq!((masked.text.as_str(), masked.fields_masked), (expected, fields), "{text}");
}

#[track_caller]
fn text(rules: &Rules, text: &str, expected: &str) {
    assert_eq!(mask_text(rules, text), expected);
}

#[track_caller]
fn header(rules: &Rules, name: &str, value: &str, expected: &str) {
    assert_eq!(mask_header_value(rules, name, value), expected, "{name}");
}

/// The explanation without the content type.
#[track_caller]
fn explained(rules: &Rules, kind: Option<&str>, text: &str, expected: &str) {
    let told = explain_content(rules, None, &Body::new(kind, text.as_bytes()));
    let (_, rest) = told.split_once(',').unwrap_or_default();
    assert_eq!(format!("{{{rest}"), expected, "{text}");
}

#[test]
fn a_name_is_read_whatever_letters_it_is_written_in() {
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"apıkey":"x","paſſword":"y"}"#,
        r#"{"apıkey":"***MASKED***","paſſword":"***MASKED***"}"#,
        2,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"xyPin":1,"XPin":2,"HTTPCookie":3,"cardPin":4}"#,
        r#"{"xyPin":"***MASKED***","XPin":"***MASKED***","HTTPCookie":"***MASKED***","cardPin":"***MASKED***"}"#,
        4,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"mypassword_old":1,"Zq9XsecretW7":2}"#,
        r#"{"mypassword_old":"***MASKED***","Zq9XsecretW7":"***MASKED***"}"#,
        2,
    );
    body(&Rules::default(), Some("text/html"), "%70in=1 ", "%70in=***MASKED*** ", 1);
    text(&Rules::default(), "x userpassword: abc", "x userpassword: ***MASKED***");
    text(&Rules::default(), "the userpassword is: abc", "the userpassword is: abc");
    text(&Rules::default(), "Бtoken:  aB", "Бtoken:  ***MASKED***");
}

#[test]
fn a_plural_is_its_word_but_for_the_common_ones() {
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"tins":"x","emails":"y"}"#,
        r#"{"tins":"***MASKED***","emails":"***MASKED***"}"#,
        2,
    );
    body(&Rules::default(), Some("application/json"), r#"{"keys":"x","codes":"y"}"#, r#"{"keys":"x","codes":"y"}"#, 0);
    body(
        &Rules::default(),
        Some("application/x-www-form-urlencoded"),
        "keys=x&codes=y&code=z",
        "keys=x&codes=y&code=***MASKED***",
        1,
    );
    let own = rules(|c| {
        c.body_fields = list(&["averyverylongnameofafieldthatislongestofall"]);
    });
    body(
        &own,
        Some("application/json"),
        r#"{"averyverylongnameofafieldthatislongestofalls":1}"#,
        r#"{"averyverylongnameofafieldthatislongestofalls":"***MASKED***"}"#,
        1,
    );
}

#[test]
fn a_member_that_names_another_has_it_masked() {
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"type":"password","value":"s3"}"#,
        r#"{"type":"password","value":"***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"value":"s3","type":"password"}"#,
        r#"{"value":"***MASKED***","type":"password"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"type":"token.refreshed","data":"x"}"#,
        r#"{"type":"token.refreshed","data":"x"}"#,
        0,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"kind":"user password","data":"x"}"#,
        r#"{"kind":"user password","data":"***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"fieldName":"password","fieldValue":"x"}"#,
        r#"{"fieldName":"password","fieldValue":"***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"ParameterKey":"Password","ParameterValue":"x"}"#,
        r#"{"ParameterKey":"Password","ParameterValue":"***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"propPath":"password","newValue":"x"}"#,
        r#"{"propPath":"password","newValue":"***MASKED***"}"#,
        1,
    );
    beginning(
        &Rules::default(),
        Some("application/json"),
        r#"{"field": "name", "old": "a", "#,
        r#"{"field": "name", "old": "***MASKED***",  [application/json, 39 bytes, not captured from byte 30: cut]"#,
        1,
    );
    text(&Rules::default(), "api+key=s&code=1", "api+key=***MASKED***&code=***MASKED***");
}

#[test]
fn a_number_is_a_card_by_its_length_and_its_neighbours() {
    text(&Rules::default(), "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1");
    text(&Rules::default(), "n 40128888888818", "n 40128888888818");
    body(
        &Rules::default(),
        Some("application/json"),
        r#"[4222222222222,"4222222222222"]"#,
        r#"["***MASKED***","***MASKED***"]"#,
        2,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"["620000000000000",620000000000000]"#,
        r#"["620000000000000",620000000000000]"#,
        0,
    );
    body(&Rules::default(), Some("application/json"), "4.111111111111111e15", r#""***MASKED***""#, 1);
    body(
        &Rules::default(),
        Some("application/json"),
        "[4.111111111111111,4111111111111111.0]",
        r#"[4.111111111111111,"***MASKED***"]"#,
        1,
    );
    text(&Rules::default(), "4111 1111 1111 1111 2025 12", "***MASKED*** 2025 12");
    text(&Rules::default(), "4111-1111-1111-1111-2025", "***MASKED***-2025");
    text(&Rules::default(), "4111111111111111x", "4111111111111111x");
}

#[test]
fn a_token_or_an_account_is_told_by_all_of_its_form() {
    text(&Rules::default(), "AKIAIOSFODNN7EXAM x", "AKIAIOSFODNN7EXAM x");
    text(&Rules::default(), "AKIAIOSFODNN7EXAMPLE x", "***MASKED*** x");
    text(&Rules::default(), "DE89 3704 0044 0532 0130 00", "***MASKED***");
    text(&Rules::default(), "DE893704 004405320130 00", "***MASKED***");
    text(&Rules::default(), "DE89 370400 44 0532 0130 00", "DE89 370400 44 0532 0130 00");
    text(&Rules::default(), "DE8A370400440532013000", "DE8A370400440532013000");
    text(&Rules::default(), "DE8937040044053201300", "DE8937040044053201300");
}

#[test]
fn a_header_is_read_by_its_name() {
    header(&Rules::default(), "WWW-Authenticate", "NTLM TlRM", "NTLM ***MASKED***");
    header(&Rules::default(), "Proxy-Authenticate", "Negotiate abc", "Negotiate ***MASKED***");
    header(&Rules::default(), "WWW-Authenticate", "Bearer abcdefghijklmnopqrstuvwxyz0123", "Bearer ***MASKED***");
    header(&Rules::default(), "Cookie", "a=1;", "a=***MASKED***; ");
    header(&Rules::default(), "Set-Cookie", "path=abc; Path=/", "path=***MASKED***; Path=/");
    header(&Rules::default(), "X-Note", "why? session=5", "why? session=5");
    header(&Rules::default(), "Referer", "why? session=5", "why? session=***MASKED***");
    header(&Rules::default(), "url", "why? session=5", "why? session=***MASKED***");
    header(&Rules::default(), "uri", "why? session=5", "why? session=***MASKED***");
    header(&Rules::default(), "X-My-Url", "why? session=5", "why? session=***MASKED***");
    header(&Rules::default(), "X-My-Uri", "why? session=5", "why? session=***MASKED***");
}

#[test]
fn headers_are_explained_line_by_line() {
    explained(
        &Rules::default(),
        Some("message/http"),
        "POST /a?x:y HTTP/1.1\r\nHost: h\r\nX-Debug: token=abc\r\nCookie: a=b\r\n\r\nAuthorization: no\r\n",
        r#"{"kind":"headers","size":85,"masked":[{"path":"X-Debug","at":6,"rule":"name","entry":"token","by":"default"},{"path":"Cookie","rule":"cookie"}],"fields_masked":2}"#,
    );
    explained(
        &Rules::default(),
        Some("message/http"),
        "HTTP/1.1 200 OK: fine\nCookie: a=b",
        r#"{"kind":"headers","size":33,"masked":[{"path":"Cookie","rule":"cookie"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("message/http"),
        "Cookie: a=b\nHTTP/1.1: x\nX-Key: c",
        r#"{"kind":"headers","size":32,"masked":[{"path":"Cookie","rule":"cookie"},{"path":"X-Key","rule":"name","entry":"x-key","by":"default"}],"fields_masked":2}"#,
    );
    explained(
        &Rules::default(),
        Some("message/http"),
        "Cookie: a=b\n\nX-Key: c",
        r#"{"kind":"headers","size":21,"masked":[{"path":"Cookie","rule":"cookie"}],"fields_masked":1}"#,
    );
    let own = rules(|c| {
        c.header_names = list(&["X-Mine"]);
    });
    explained(&own, Some("message/http"), "Cookie: a=b\nSet-Cookie: a=b\nWWW-Authenticate: NTLM x\nAuthorization: Bearer x\nX-Mine: y\nX-User-Email: e\ntrace-bin: AAAA\nX-Key: k", r#"{"kind":"headers","size":127,"masked":[{"path":"Cookie","rule":"cookie"},{"path":"Set-Cookie","rule":"cookie"},{"path":"WWW-Authenticate","rule":"value","entry":"challenge","by":"default"},{"path":"Authorization","rule":"name","entry":"authorization","by":"default"},{"path":"X-Mine","rule":"name","entry":"xmine","by":"user"},{"path":"X-User-Email","rule":"name","entry":"email","by":"default"},{"path":"trace-bin","rule":"binary"},{"path":"X-Key","rule":"name","entry":"x-key","by":"default"}],"fields_masked":8}"#);
    let own = rules(|c| {
        c.mask_body = false;
    });
    explained(
        &own,
        Some("message/http"),
        "Cookie: a=b",
        r#"{"kind":"headers","size":11,"masked":[{"path":"Cookie","rule":"cookie"}],"fields_masked":1}"#,
    );
}

#[test]
fn a_body_is_read_as_what_it_is() {
    body(
        &Rules::default(),
        Some("text/yaml"),
        "password:\n  x",
        "[text/yaml, 13 bytes, not captured: unknown type]",
        0,
    );
    body(&Rules::default(), Some("text/toml"), "a=1", "[text/toml, 3 bytes, not captured: unknown type]", 0);
    body(&Rules::default(), Some("application/javascript"), "var a = 1;", "var a = 1;", 0);
    body(
        &Rules::default(),
        Some("application/x-javascript"),
        r#"{"password":"x"}"#,
        r#"{"password":"***MASKED***"}"#,
        1,
    );
    body(&Rules::default(), Some("text/html"), "<br>hi<p>", "<br>hi<p>", 0);
    body(&Rules::default(), Some("text/html"), "hi there", "hi there", 0);
    beginning(
        &Rules::default(),
        Some("text/html"),
        "hi there",
        "hi [text/html, 17 bytes, not captured from byte 2: cut]",
        0,
    );
    body(&Rules::default(), Some("text/csv"), r#"{"password":"x"}"#, r#"{"password":"***MASKED***"}"#, 1);
    body(&Rules::default(), None, "{not json} password=x", "{not json} password=***MASKED***", 1);
    body(&Rules::default(), None, "{ a(", "{ a(", 0);
    body(&Rules::default(), None, "https://jo:pw@h/p?token=a", "https://***MASKED***@h/p?token=***MASKED***", 2);
    beginning(&Rules::default(), None, "/cb?c", "[unknown type, 14 bytes, not captured: cut]", 0);
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<a><token value="x"/>b</a>"#,
        r#"<a><token ***MASKED***"***MASKED***"/>b</a>"#,
        2,
    );
    body(
        &Rules::default(),
        Some("application/x-www-form-urlencoded"),
        "a=hello+password%3Dx",
        "a=hello+password%3D***MASKED***",
        1,
    );
}

#[test]
fn an_explanation_tells_the_kind() {
    explained(&Rules::default(), None, "{ a }", r#"{"kind":"graphql","size":5,"masked":[],"fields_masked":0}"#);
    explained(&Rules::default(), None, "{a", r#"{"kind":"text","size":2,"masked":[],"fields_masked":0}"#);
    explained(&Rules::default(), None, "/x/@?b=@", r#"{"kind":"url","size":8,"masked":[],"fields_masked":0}"#);
    explained(&Rules::default(), None, "/b", r#"{"kind":"text","size":2,"masked":[],"fields_masked":0}"#);
    explained(
        &Rules::default(),
        None,
        "https://h/a?token=c",
        r#"{"kind":"url","size":19,"masked":[{"path":"token","rule":"name","entry":"token","by":"default"}],"fields_masked":1}"#,
    );
    explained(&Rules::default(), None, "a=b&c=d?e", r#"{"kind":"form","size":9,"masked":[],"fields_masked":0}"#);
    explained(&Rules::default(), None, "/a?b=c d", r#"{"kind":"text","size":8,"masked":[],"fields_masked":0}"#);
    explained(&Rules::default(), None, "SG", r#"{"kind":"text","size":2,"masked":[],"fields_masked":0}"#);
    explained(&Rules::default(), None, "b=", r#"{"kind":"form","size":2,"masked":[],"fields_masked":0}"#);
    explained(
        &Rules::default(),
        Some("application/json"),
        r#"{"a":"#,
        r#"{"kind":"json","size":5,"masked":[],"fields_masked":0,"broke_at":5}"#,
    );
    explained(
        &Rules::default(),
        Some("application/json"),
        "nothing",
        r#"{"kind":"described","size":7,"masked":[],"fields_masked":0,"note":"[application/json, 7 bytes, not captured: malformed]"}"#,
    );
    explained(
        &Rules::default(),
        Some("application/json"),
        "",
        r#"{"kind":"empty","size":0,"masked":[],"fields_masked":0}"#,
    );
    explained(
        &Rules::default(),
        None,
        "\u{1}",
        r#"{"kind":"described","size":1,"masked":[],"fields_masked":0,"note":"[unknown type, 1 bytes, not captured: binary]"}"#,
    );
    let own = rules(|c| {
        c.mask_body = false;
    });
    explained(&own, Some("application/json"), r#"{"a":1}"#, r#"{"kind":"off","size":7,"masked":[],"fields_masked":0}"#);
}

#[test]
fn an_explanation_tells_which_entry_a_name_is_masked_by() {
    explained(
        &Rules::default(),
        Some("text/plain"),
        "/a?api_key=k",
        r#"{"kind":"url","size":12,"masked":[{"path":"api_key","rule":"name","entry":"api key","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("text/plain"),
        "credit card number: 1 2 3",
        r#"{"kind":"text","size":25,"masked":[{"path":"","at":20,"rule":"name","entry":"card number","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("text/plain"),
        "%70in=1 ",
        r#"{"kind":"text","size":8,"masked":[{"path":"","at":6,"rule":"name","entry":"pin","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("application/json"),
        r#"{"%70in":1,"user_password":2,"myapikeyx":3}"#,
        r#"{"kind":"json","size":43,"masked":[{"path":"[\"%70in\"]","rule":"name","entry":"pin","by":"default"},{"path":"user_password","rule":"name","entry":"password","by":"default"},{"path":"myapikeyx","rule":"name","entry":"apikey","by":"default"}],"fields_masked":3}"#,
    );
    explained(
        &Rules::default(),
        Some("text/plain"),
        r#""password" => "x""#,
        r#"{"kind":"text","size":17,"masked":[{"path":"","at":15,"rule":"name","entry":"password","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("text/plain"),
        "Bearer x",
        r#"{"kind":"text","size":8,"masked":[{"path":"","at":7,"rule":"value","entry":"bearer","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("text/plain"),
        "jo:pw@",
        r#"{"kind":"text","size":6,"masked":[{"path":"","at":0,"rule":"value","entry":"by its form","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("text/plain"),
        "https://jo:pw@h/",
        r#"{"kind":"text","size":16,"masked":[{"path":"","at":8,"rule":"value","entry":"url user","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("text/plain"),
        "éééééééééééééééééééééééééééééééééééééééé password: x",
        r#"{"kind":"text","size":92,"masked":[{"path":"","at":91,"rule":"name","entry":"password","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("text/plain"),
        "n digest abc password%3Dx",
        r#"{"kind":"text","size":25,"masked":[{"path":"","at":13,"rule":"value","entry":"percent-encoded","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("text/plain"),
        "<p>Bearer <b>@</b></p>",
        r#"{"kind":"markup","size":22,"masked":[{"path":"p/b","rule":"pair","entry":"bearer","by":"default"}],"fields_masked":1}"#,
    );
    let own = rules(|c| {
        c.patterns = list(&["Zq9"]);
    });
    explained(
        &own,
        Some("text/plain"),
        "Zq9",
        r#"{"kind":"text","size":3,"masked":[{"path":"","at":0,"rule":"pattern","entry":"mask_patterns[0]","by":"user"}],"fields_masked":1}"#,
    );
}

#[test]
fn an_explanation_shows_no_secret_as_a_name() {
    explained(
        &Rules::default(),
        Some("application/json"),
        r#"{"ｐａｓｓｗｏｒｄ":1}"#,
        r#"{"kind":"json","size":30,"masked":[{"path":"[\"ｐａｓｓｗｏｒｄ\"]","rule":"name","entry":"password","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("application/json"),
        r#"{"a b":{"pin":1},"":{"pin":2},"x-y_z":{"pin":3},"jo@example.com":{"pin":4},"sk_live_abcdefghijklmnopqrstuvwxyz":{"pin":5},"Bearer abcdef":{"pin":6}}"#,
        r#"{"kind":"json","size":148,"masked":[{"path":"[\"a b\"].pin","rule":"name","entry":"pin","by":"default"},{"path":"[\"\"].pin","rule":"name","entry":"pin","by":"default"},{"path":"x-y_z.pin","rule":"name","entry":"pin","by":"default"},{"path":"[\"***MASKED***\"].pin","rule":"name","entry":"pin","by":"default"},{"path":"[\"***MASKED***\"]","rule":"value","entry":"secret as a name","by":"default"},{"path":"[\"***MASKED***\"].pin","rule":"name","entry":"pin","by":"default"},{"path":"[\"***MASKED***\"]","at":7,"rule":"value","entry":"bearer","by":"default"},{"path":"[\"***MASKED***\"]","rule":"name","entry":"bearer","by":"default"}],"fields_masked":8}"#,
    );
    explained(
        &Rules::default(),
        Some("text/plain"),
        r#"/?{"password":"hunter2","u":"a=b"}"#,
        r#"{"kind":"url","size":34,"masked":[{"path":"(json).password","rule":"name","entry":"password","by":"default"},{"path":"","rule":"malformed"},{"path":"[\"***MASKED***\"]","rule":"name","entry":"password","by":"default"}],"fields_masked":3}"#,
    );
    explained(
        &Rules::default(),
        Some("application/json"),
        r#"{"value":{"pin":1},"name":"password"}"#,
        r#"{"kind":"json","size":37,"masked":[{"path":"value…","rule":"name","entry":"pin","by":"default"},{"path":"value","rule":"pair","entry":"password","by":"default"}],"fields_masked":2}"#,
    );
    explained(
        &Rules::default(),
        Some("text/html"),
        r#"<p><!-- <input name="pin" value="@"/> --></p>"#,
        r#"{"kind":"markup","size":45,"masked":[{"path":"p(comment)…","rule":"pair","entry":"pin","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("application/x-www-form-urlencoded"),
        "</w:",
        r#"{"kind":"form","size":4,"masked":[{"path":"","rule":"malformed"}],"fields_masked":1}"#,
    );
    let own = rules(|c| {
        c.paths = list(&["user.pin"]);
    });
    explained(
        &own,
        Some("application/x-www-form-urlencoded"),
        "f[0][name]=password&f[0][value]=x&g=%ff&token=1&user[pin]=2",
        r#"{"kind":"form","size":59,"masked":[{"path":"f.0.value","rule":"pair","entry":"password","by":"default"},{"path":"g","rule":"unreadable"},{"path":"token","rule":"name","entry":"token","by":"default"},{"path":"user.pin","rule":"path","entry":"user.pin","by":"user"}],"fields_masked":4}"#,
    );
}

#[test]
fn events_are_numbered() {
    explained(
        &Rules::default(),
        Some("text/event-stream"),
        "data: {\"pin\":1}\n\n\n\ndata: {\"pin\":2}\n\nretry: 1\ndata: {\"pin\":3}",
        r#"{"kind":"events","size":60,"masked":[{"path":"[0].data(json).pin","rule":"name","entry":"pin","by":"default"},{"path":"[1].data(json).pin","rule":"name","entry":"pin","by":"default"},{"path":"[2].data(json).pin","rule":"name","entry":"pin","by":"default"}],"fields_masked":3}"#,
    );
}

#[test]
fn addresses_end_where_they_end() {
    let own = rules(|c| {
        c.emails = true;
    });
    text(
        &own,
        "a@b.c,d me@example.co.uk. o'neil@x.org 'q@x.org' a%40b.de x@y..de x@.de",
        "a@b.c,d ***MASKED***. ***MASKED*** '***MASKED***' ***MASKED*** x@y..de x@.de",
    );
    text(&own, "me@example.com@example.org a@b.de%40c.de", "***MASKED***@example.org ***MASKED***%40c.de");
    let own = rules(|c| {
        c.patterns = list(&["Zq9", "MASK"]);
    });
    text(&own, "abc Zq9Zq9 ***MASKED*** Zq9", "abc ***MASKED******MASKED*** ***MASKED*** ***MASKED***");
}

#[test]
fn graphql_is_read_token_by_token() {
    body(
        &Rules::default(),
        Some("application/graphql"),
        "{ a { ghp_abcdefghijklmnopqrstuvwxyz0123456789 } }",
        "{ a {  [application/graphql, 50 bytes, not captured from byte 6: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("text/plain"),
        "# note\nquery {",
        "#\nquery { [text/plain, 14 bytes, not captured from byte 14: malformed]",
        0,
    );
    body(&Rules::default(), Some("application/graphql"), "{name}[]", "{name}[]", 0);
    body(
        &Rules::default(),
        Some("application/graphql"),
        "{text}. And",
        "{text} [application/graphql, 11 bytes, not captured from byte 6: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a } "password: x" { b }"#,
        r#"{ a } "password: ***MASKED***" { b }"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/graphql"),
        "{ a(b: $) }",
        "{ a(b:  [application/graphql, 11 bytes, not captured from byte 7: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(﻿password: "x") }"#,
        r#"{ a(password: "***MASKED***") }"#,
        1,
    );
    body(&Rules::default(), Some("application/graphql"), "{﻿a{b}}", "{a{b}}", 0);
    body(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(in: ["b", "Cookie", "y"]) }"#,
        r#"{ a(in: ["b", "Cookie", "y"]) }"#,
        0,
    );
    body(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(in: {name: "password", value: "x"}) }"#,
        r#"{ a(in: {name: "password", value: "***MASKED***"}) }"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(in: {key: "password", value: "x"}) }"#,
        r#"{ a(in: {key: "password", value: "***MASKED***"}) }"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(name: "password", name: "color", value: "x") }"#,
        r#"{ a(name: "password", name: "color", value: "***MASKED***") }"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/graphql"),
        "{ a(password: { # }\n b: \"x\" }, c: \"y\") }",
        r#"{ a(password: "***MASKED***", c: "y") }"#,
        1,
    );
    beginning(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(in: ["Cookie", "*"#,
        r#"{ a(in: ["Cookie",  [application/graphql, 30 bytes, not captured from byte 19: cut]"#,
        0,
    );
    beginning(
        &Rules::default(),
        Some("application/graphql"),
        "{ a(b: $abc",
        "{ a(b:  [application/graphql, 20 bytes, not captured from byte 7: cut]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(password: """x " \""" y""", b: 1) }"#,
        r#"{ a(password: "***MASKED***", b: 1) }"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/graphql"),
        "{ a(b: \"x\ny\") }",
        "{ a(b:  [application/graphql, 15 bytes, not captured from byte 7: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(b: "token\u003Dx \u{3d} \n\b\f\r\t\q") }"#,
        r#"{ a(b: "token=***MASKED***\n\u0008\u000c\r\tq") }"#,
        1,
    );
}

#[test]
fn graphql_is_explained_by_its_path() {
    explained(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(pin: [1], b: {pin: 2}) { c(pin: "x") } }"#,
        r#"{"kind":"graphql","size":44,"masked":[{"path":"a.pin","rule":"name","entry":"pin","by":"default"},{"path":"a.b.pin","rule":"name","entry":"pin","by":"default"},{"path":"a.c.pin","rule":"name","entry":"pin","by":"default"}],"fields_masked":3}"#,
    );
    explained(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(in: {name: "password", value: "x"}, n: ["Cookie", "x"]) }"#,
        r#"{"kind":"graphql","size":61,"masked":[{"path":"a.in.value","rule":"pair","entry":"password","by":"default"},{"path":"a.n[1]","rule":"pair","entry":"cookie","by":"default"}],"fields_masked":2}"#,
    );
    explained(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ setPassword(value: "x", id: {b: 5}) }"#,
        r#"{"kind":"graphql","size":39,"masked":[{"path":"setPassword.value","rule":"name","entry":"password","by":"default"},{"path":"setPassword.id","rule":"name","entry":"password","by":"default"}],"fields_masked":2}"#,
    );
    let own = rules(|c| {
        c.patterns = list(&["Zq9"]);
    });
    explained(
        &own,
        Some("application/graphql"),
        r#"{ a: b(c: {key: "color", value: "Zq9"}) }"#,
        r#"{"kind":"graphql","size":41,"masked":[{"path":"b.c.value","at":0,"rule":"pattern","entry":"mask_patterns[0]","by":"user"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(b: "{\"pin\":1}", c: "Bearer \u0061bc", d: 4111111111111111, e: 12345) }"#,
        r#"{"kind":"graphql","size":76,"masked":[{"path":"a.b(json).pin","rule":"name","entry":"pin","by":"default"},{"path":"a.c","at":7,"rule":"value","entry":"bearer","by":"default"},{"path":"a.d","rule":"value","entry":"card number","by":"default"}],"fields_masked":3}"#,
    );
    explained(
        &Rules::default(),
        Some("application/graphql"),
        r#"{ a(in: {key: "x", b: {key: 1}}) }"#,
        r#"{"kind":"graphql","size":34,"masked":[{"path":"a.in.key","rule":"name","entry":"key","by":"default"},{"path":"a.in.b.key","rule":"name","entry":"key","by":"default"}],"fields_masked":2}"#,
    );
    explained(
        &Rules::default(),
        Some("application/graphql"),
        "{ a(in: [[{pin: 1}], {pin: 2}]) }",
        r#"{"kind":"graphql","size":33,"masked":[{"path":"a.in[0][0].pin","rule":"name","entry":"pin","by":"default"},{"path":"a.in[1].pin","rule":"name","entry":"pin","by":"default"}],"fields_masked":2}"#,
    );
}

#[test]
fn parts_are_told_apart_however_they_are_written() {
    body(
        &Rules::default(),
        Some("multipart/form-data; boundary=b"),
        "--b\nContent-Disposition: form-data; name=\"a\"\n\nx\n--b--",
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--\r\n",
        0,
    );
    body(
        &Rules::default(),
        Some("multipart/form-data; boundary=b"),
        "--b\r\nContent-Disposition: form-data; name=\"a\"\n\nx\r\n\r\ny\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n\r\ny\r\n--b--\r\n",
        0,
    );
    body(
        &Rules::default(),
        Some("multipart/form-data; boundary=b"),
        "--b\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\n\ny\n--b--",
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\n\ny\r\n--b--\r\n",
        0,
    );
    body(&Rules::default(), Some("multipart/form-data; boundary=b"), "--b--", "--b--\r\n", 0);
    body(&Rules::default(), Some("multipart/form-data; boundary=b"), "--b\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n--b--\r\n", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n***MASKED***\r\n--b--\r\n", 1);
    body(
        &Rules::default(),
        Some("multipart/form-data; boundary=b"),
        "--b\r\nContent-Disposition: form-data; namex=\"pin\"; name=\"a\"\r\n\r\n1\r\n--b--\r\n",
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n",
        0,
    );
    body(
        &Rules::default(),
        Some("multipart/form-data; boundary=b"),
        "--b\r\nContent-Disposition: form-data; x; name=\"a\\\"b\\\\c\\d\"\r\n\r\n1\r\n--b--\r\n",
        "--b\r\nContent-Disposition: form-data; name=\"a\\\"b\\\\c\\\\d\"\r\n\r\n1\r\n--b--\r\n",
        0,
    );
    body(
        &Rules::default(),
        Some("multipart/form-data; boundary=b"),
        "--b\r\nContent-Disposition: form-data; name= \t\"pin\" ; y=1\r\n\r\n1\r\n--b--\r\n",
        "--b\r\nContent-Disposition: form-data; name=\"pin\"\r\n\r\n***MASKED***\r\n--b--\r\n",
        1,
    );
}

#[test]
fn a_part_is_explained_by_its_name() {
    explained(
        &Rules::default(),
        Some("multipart/form-data; boundary=b"),
        "--b\r\nContent-ID: <pin@x>\r\n\r\n1\r\n--b--\r\n",
        r#"{"kind":"multipart","size":38,"masked":[{"path":"pin","rule":"name","entry":"pin","by":"default"}],"fields_masked":1}"#,
    );
    let own = rules(|c| {
        c.emails = true;
    });
    explained(
        &own,
        Some("multipart/form-data; boundary=b"),
        "--b\r\nContent-ID: <me@example.com>\r\n\r\n{\"pin\":1}\r\n--b--\r\n",
        r#"{"kind":"multipart","size":55,"masked":[{"path":"","at":1,"rule":"value","entry":"e-mail","by":"default"},{"path":"pin","rule":"name","entry":"pin","by":"default"}],"fields_masked":2}"#,
    );
}

#[test]
fn a_table_is_one_by_its_rows() {
    body(&Rules::default(), Some("text/tab-separated-values"), "a,pin\n1,2", "a,pin\n1,***MASKED***", 1);
    body(&Rules::default(), Some("text/csv"), "\"a;b;c\",pin\n1,2", "\"a;b;c\",pin\n1,***MASKED***", 1);
    body(&Rules::default(), Some("text/csv"), "key,b\n1,2", "key,b\n1,2", 0);
    body(
        &Rules::default(),
        Some("text/csv"),
        "a,b,value\npassword,2,3\n\ntoken,x,y\nz,5,6",
        "a,b,value\npassword,2,***MASKED***\n\ntoken,x,***MASKED***\n***MASKED***,5,6",
        3,
    );
    body(
        &Rules::default(),
        Some("text/plain"),
        "x invalid token at line 3, column 7 y\ninvalid token at line 3, column 7",
        "x invalid token at line 3, column 7 y\ninvalid token at line 3, column 7",
        0,
    );
    body(&Rules::default(), Some("text/plain"), "password\nx", "password\nx", 0);
    body(&Rules::default(), Some("text/plain"), "a,pin\n1", "a,pin\n***MASKED***", 1);
    body(&Rules::default(), Some("text/plain"), "a,b,pin\n1\n2", "a,b,pin\n1\n2", 0);
}

#[test]
fn a_cell_is_explained_by_its_row_and_column() {
    explained(
        &Rules::default(),
        Some("text/plain"),
        "a\tpin\n1\t*",
        r#"{"kind":"table","size":9,"masked":[{"path":"[0].pin","rule":"table","entry":"pin","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("text/csv"),
        "a,pin\n*,*,*\n*\n",
        r#"{"kind":"table","size":14,"masked":[{"path":"[0].a","rule":"table"},{"path":"[0].pin","rule":"table","entry":"pin","by":"default"},{"path":"[0][2]","rule":"table"},{"path":"[1].a","rule":"table"}],"fields_masked":4}"#,
    );
}

#[test]
fn a_secret_in_a_string_shows_by_its_sign() {
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "https://hooks.slack.com/services/T00/B00/abc"}"#,
        r#"{"a": "https://hooks.slack.com/services/***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "http://jo:pw h"}"#,
        r#"{"a": "http://***MASKED*** h"}"#,
        1,
    );
    body(&Rules::default(), Some("application/json"), r#"{"a": "//jo:pw@h"}"#, r#"{"a": "//***MASKED***@h"}"#, 1);
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"}"#,
        r#"{"a": "***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "password[0]: x"}"#,
        r#"{"a": "password[0]: ***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "password\t: x"}"#,
        r#"{"a": "password\t: ***MASKED***"}"#,
        1,
    );
    body(&Rules::default(), Some("application/json"), r#"{"a": "x\\npin=1"}"#, r#"{"a": "x\\npin=***MASKED***"}"#, 1);
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "&quot;password&quot;: x"}"#,
        r#"{"a": "&quot;password&quot;: ***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "\\u0022password\\u0022: x"}"#,
        r#"{"a": "\\u0022password\\u0022: ***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "IDENTIFIED BY 'x'"}"#,
        r#"{"a": "IDENTIFIED BY '***MASKED***'"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "password (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((('x'"}"#,
        r#"{"a": "password (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((('x'"}"#,
        0,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "x bearer abc123"}"#,
        r#"{"a": "x bearer ***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "Negotiate YIIabc"}"#,
        r#"{"a": "Negotiate ***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "token abcdef123456"}"#,
        r#"{"a": "token ***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "1 2 3 4111 1111 1111 1111"}"#,
        r#"{"a": "1 2 3 ***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "x {\"table\":{\"rows\":[[\"a\",1]],\"columns\":[\"token\",\"x\"]}} y"}"#,
        r#"{"a": "x {\"table\":{\"rows\":[[\"a\",1]],\"columns\":[\"token\",\"***MASKED***\"]}} y"}"#,
        1,
    );
}

#[test]
fn a_form_is_one_by_its_names() {
    body(
        &Rules::default(),
        Some("application/x-www-form-urlencoded"),
        "' x=1",
        "[application/x-www-form-urlencoded, 5 bytes, not captured: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/x-www-form-urlencoded"),
        "[pin]=1 ",
        "[application/x-www-form-urlencoded, 8 bytes, not captured: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/x-www-form-urlencoded"),
        "%5D=1",
        "[application/x-www-form-urlencoded, 5 bytes, not captured: malformed]",
        0,
    );
    body(&Rules::default(), Some("application/x-www-form-urlencoded"), "a=%ff", "a=***MASKED***", 1);
    body(
        &Rules::default(),
        Some("application/x-www-form-urlencoded"),
        "a%00b=1",
        "[application/x-www-form-urlencoded, 7 bytes, not captured: malformed]",
        0,
    );
}

#[test]
fn json_ends_where_it_is_broken() {
    body(
        &Rules::default(),
        Some("application/json"),
        "\u{1E}abc",
        "\u{1E} [application/json, 4 bytes, not captured from byte 1: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        "[1\u{B}",
        "[ [application/json, 3 bytes, not captured from byte 1: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        "[falsy]",
        "[ [application/json, 7 bytes, not captured from byte 1: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#""a\u12g4""#,
        "[application/json, 9 bytes, not captured: malformed]",
        0,
    );
    body(&Rules::default(), Some("application/json"), r#""\ud83d\ude00 pin=5""#, r#""😀 pin=***MASKED***""#, 1);
}

#[test]
fn a_name_or_a_string_of_json_may_be_a_body() {
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"user=jo&password=x":""}"#,
        r#"{"user=jo&password=***MASKED***":"***MASKED***"}"#,
        2,
    );
    body(&Rules::default(), Some("application/json"), r#"{"<!--":1}"#, r#"{" [not captured: malformed]":1}"#, 1);
    body(&Rules::default(), Some("application/json"), r#"{"{}x{}":1}"#, r#"{"{}x{}":1}"#, 0);
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a":"mutation { a(pin: 5) { id } }"}"#,
        r#"{"a":"mutation { a(pin: \"***MASKED***\") { id } }"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a":"{[","b":"[{"}"#,
        r#"{"a":"{[","b":"[{ [not captured: malformed]"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a":"{\"a\":\"{\\\"a\\\":\\\"{pin:5}\\\"}\"}"}"#,
        r#"{"a":"{\"a\":\"{\\\"a\\\":\\\"{pin:***MASKED***\\\"}\"}"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a":"{\"a\":\"{\\\"a\\\":\\\"{\\\\\\\"pin\\\\\\\":5}\\\"}\"}"}"#,
        r#"{"a":"{\"a\":\"{\\\"a\\\":\\\"***MASKED***\\\"}\"}"}"#,
        1,
    );
}

#[test]
fn names_and_values_of_json_find_each_other() {
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"value":{"a":1},"name":"password"}"#,
        r#"{"value":"***MASKED***","name":"password"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"type":"password","value":"x"}"#,
        r#"{"type":"password","value":"***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"type":"password reset","value":"x"}"#,
        r#"{"type":"password reset","value":"x"}"#,
        0,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"["a","x","password","y"]"#,
        r#"["a","x","password","***MASKED***"]"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"[["password","x"],["b","y"]]"#,
        r#"[["password","***MASKED***"],["b","y"]]"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"loc":["body","password"],"input":"x"}"#,
        r#"{"loc":["body","password"],"input":"***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"["a",{"b":1},"password","x"]"#,
        r#"["a",{"b":1},"password","***MASKED***"]"#,
        1,
    );
    body(&Rules::default(), Some("application/json"), r#"["--password","x"]"#, r#"["--password","***MASKED***"]"#, 1);
    body(
        &Rules::default(),
        Some("application/json"),
        r#"["--password","x","y"]"#,
        r#"["--password","***MASKED***","y"]"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"columns":["password","id"],"rows":[["x",1],["y",2]]}"#,
        r#"{"columns":["password","id"],"rows":[["***MASKED***",1],["***MASKED***",2]]}"#,
        2,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"name":"password aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","value":"x"}"#,
        r#"{"name":"password aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","value":"***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"name":"password aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","value":"x"}"#,
        r#"{"name":"password aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","value":"***MASKED***"}"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"name":"password aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","value":"x"}"#,
        r#"{"name":"password aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","value":"x"}"#,
        0,
    );
}

#[test]
fn the_beginning_of_json_hides_what_may_be_named_later() {
    beginning(
        &Rules::default(),
        Some("application/json"),
        r#"{"name":"password","value":"s3c"#,
        r#"{"name":"password","value": [application/json, 40 bytes, not captured from byte 27: cut]"#,
        0,
    );
    beginning(
        &Rules::default(),
        Some("application/json"),
        r#"["abc",1"#,
        r#"["abc", [application/json, 17 bytes, not captured from byte 7: cut]"#,
        0,
    );
    beginning(
        &Rules::default(),
        Some("application/json"),
        r#"[["id","b"],[1,"x"],"#,
        r#"[["id","b"],[1,"x"], [application/json, 29 bytes, not captured from byte 20: cut]"#,
        0,
    );
    beginning(
        &Rules::default(),
        Some("application/json"),
        r#"{"text":"pin=5 abc"#,
        r#"{"text": [application/json, 27 bytes, not captured from byte 8: cut]"#,
        0,
    );
}

#[test]
fn json_is_explained_by_its_paths() {
    explained(
        &Rules::default(),
        Some("application/json"),
        r#"{"rows":[["a",1]],"columns":["token","x"]}"#,
        r#"{"kind":"json","size":42,"masked":[{"path":"rows","rule":"table","entry":"token","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("application/json"),
        r#"{"name":"password","value":1}"#,
        r#"{"kind":"json","size":29,"masked":[{"path":"value","rule":"pair","entry":"password","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("application/json"),
        r#"{"loc":["body","password"],"input":{"a":1}}"#,
        r#"{"kind":"json","size":43,"masked":[{"path":"input","rule":"pair"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("application/json"),
        r#"{"sk_live_abcdefghijklmnop":{"pin":1}}"#,
        r#"{"kind":"json","size":38,"masked":[{"path":"[\"***MASKED***\"]","rule":"value","entry":"secret as a name","by":"default"},{"path":"[\"***MASKED***\"].pin","rule":"name","entry":"pin","by":"default"}],"fields_masked":2}"#,
    );
    explained(
        &Rules::default(),
        Some("application/json"),
        r#"[["id","password","pin"],[1,"y",2],[3,"z",4]]"#,
        r#"{"kind":"json","size":45,"masked":[{"path":"[1][1]","rule":"table","entry":"password","by":"default"},{"path":"[1][2]","rule":"table","entry":"pin","by":"default"},{"path":"[2][1]","rule":"table","entry":"password","by":"default"},{"path":"[2][2]","rule":"table","entry":"pin","by":"default"}],"fields_masked":4}"#,
    );
    let own = rules(|c| {
        c.paths = list(&["a.b", "items[*].pin", "value.a"]);
        c.allow_paths = list(&["b", "a[0]"]);
    });
    explained(
        &own,
        Some("application/json"),
        r#"{"value":{"a":"pin=5"},"b":[{"pin":1}],"name":"x"}"#,
        r#"{"kind":"json","size":50,"masked":[{"path":"value.a","rule":"path","entry":"value.a","by":"user"}],"fields_masked":1}"#,
    );
}

#[test]
fn a_url_and_a_connection_string_lose_their_users() {
    text(&Rules::default(), "http://h:8x/a@b", "http://***MASKED***@b");
    text(&Rules::default(), "redis://:pw@h", "redis://***MASKED***@h");
    text(
        &Rules::default(),
        "https://hooks.slack.com/services/T00/B00/abc",
        "https://hooks.slack.com/services/***MASKED***",
    );
    text(&Rules::default(), "http://jo:pw h", "http://***MASKED*** h");
    text(&Rules::default(), "//jo:pw@h", "//***MASKED***@h");
    text(
        &Rules::default(),
        "https://hooks.slack.com/services/T00/B00/abc-d.e next",
        "https://hooks.slack.com/services/***MASKED*** next",
    );
    text(&Rules::default(), "http://jo:pw", "http://***MASKED***");
    text(&Rules::default(), "http://jo:pw@h:80/é@x", "http://***MASKED***@***MASKED***@x");
    text(&Rules::default(), "jdbc:oracle:thin:scott/tiger@h:1521", "jdbc:oracle:thin:***MASKED***@h:1521");
    text(&Rules::default(), "jo:Pw1x@host:5432/db", "***MASKED***@host:5432/db");
    text(&Rules::default(), "jo:P1x@h:x", "jo:P1x@h:x");
    text(&Rules::default(), "mailto:Jo1@host.example", "mailto:Jo1@host.example");
    text(&Rules::default(), "jo:@host:1", "jo:@host:1");
    text(&Rules::default(), "jo:1@h", "jo:1@h");
    text(&Rules::default(), "j+o:Pw1x@host:1", "***MASKED***@host:1");
}

#[test]
fn a_value_ends_where_its_notation_ends() {
    text(
        &Rules::default(),
        "bot123456789:AAabcdefghijklmnopqrstuvwxyz0123456789a",
        "bot123456789:AAabcdefghijklmnopqrstuvwxyz0123456789a",
    );
    text(&Rules::default(), "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "***MASKED***");
    text(&Rules::default(), "password[0]: x", "password[0]: ***MASKED***");
    text(&Rules::default(), r#"x\npin=1"#, r#"x\npin=***MASKED***"#);
    text(&Rules::default(), r#"x\qpin=1"#, r#"x\qpin=1"#);
    text(&Rules::default(), "&quot;password&quot;: x", "&quot;password&quot;: ***MASKED***");
    text(&Rules::default(), r#"\u0022password\u0022: x"#, r#"\u0022password\u0022: ***MASKED***"#);
    text(&Rules::default(), "pass%77ord: x", "pass%77ord: ***MASKED***");
    text(&Rules::default(), "key=abc", "key=***MASKED***");
    text(&Rules::default(), "x,pin:5", "x,pin:***MASKED***");
    text(&Rules::default(), "password = x y\nz", "password = ***MASKED***\nz");
    text(&Rules::default(), "a password=x;y", "a password=***MASKED***");
    text(&Rules::default(), r#"password="x""y" z"#, r#"password="***MASKED***" z"#);
    text(&Rules::default(), "password=(x y) z", "password=***MASKED*** z");
    text(&Rules::default(), "password=(x (y) z) w", "password=***MASKED*** w");
    text(&Rules::default(), "password=('x)' y) z", "password=***MASKED*** z");
    text(&Rules::default(), "password={a: {b: 1}, c: 2} z", "password=***MASKED*** z");
    text(&Rules::default(), r#"password={"a}": "\"}"} z"#, "password=***MASKED*** z");
    text(&Rules::default(), r#"password=["["] z"#, "password=***MASKED*** z");
    text(&Rules::default(), "password=$x y", "password=***MASKED*** y");
    text(&Rules::default(), "password=$1 y", "password=$1 y");
    text(&Rules::default(), "password=$1234 y", "password=***MASKED*** y");
    text(&Rules::default(), "password==x y", "password==***MASKED***");
    text(&Rules::default(), "password:=x y", "password:=***MASKED***");
    text(&Rules::default(), "password[a][b]=x", "password[a][b]=x");
    text(&Rules::default(), r#"\npassword: x y"#, r#"\npassword: ***MASKED*** y"#);
    text(&Rules::default(), r#"""password"":""x y"",b"#, r#"""password"":""***MASKED***"",b"#);
    text(&Rules::default(), "a%2Fpassword%3Dx+y b", "***MASKED*** b");
}

#[test]
fn schemes_and_tags_have_secrets_behind_them() {
    text(&Rules::default(), "x bearer abc123", "x bearer ***MASKED***");
    text(&Rules::default(), "Negotiate YIIabc", "Negotiate ***MASKED***");
    text(&Rules::default(), "token abcdef123456", "token ***MASKED***");
    text(&Rules::default(), "DE89370400440532013000", "***MASKED***");
    text(&Rules::default(), "1 2 3 4111 1111 1111 1111", "1 2 3 ***MASKED***");
    text(&Rules::default(), "<!-- pin=5 -->", "<!-- ***MASKED*** -->");
    text(
        &Rules::default(),
        r#"x {"table":{"rows":[["a",1]],"columns":["token","x"]}} y"#,
        r#"x {"table":{"rows":[["a",1]],"columns":["token","***MASKED***"]}} y"#,
    );
    text(&Rules::default(), "digest abc= x", "digest abc= x");
    text(&Rules::default(), r#"Digest x="y" z"#, "Digest ***MASKED***");
    text(&Rules::default(), "Bearer = x", "Bearer = ***MASKED***");
    text(&Rules::default(), "ApiKey abc123 x", "ApiKey ***MASKED*** x");
    text(&Rules::default(), r#"<password a="b">x</password>"#, r#"<password a="***MASKED***">***MASKED***</password>"#);
}

#[test]
fn sql_literals_are_those_of_sensitive_columns() {
    text(&Rules::default(), "password 'x'", "password '***MASKED***'");
    text(
        &Rules::default(),
        "INSERT INTO t (id, password) VALUES (1, 'x')",
        "INSERT INTO t (id, password) VALUES (1, '***MASKED***')",
    );
    text(&Rules::default(), "IDENTIFIED BY 'x'", "IDENTIFIED BY '***MASKED***'");
    text(&Rules::default(), "identified by N'x'", "identified by N'***MASKED***'");
    text(&Rules::default(), "password = N'x'", "password = N'***MASKED***'");
    text(
        &Rules::default(),
        "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyypassword 'x'",
        "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyypassword '***MASKED***'",
    );
    text(&Rules::default(), "root:pw@tcp(h:3306)", "***MASKED***@tcp(h:3306)");
    text(
        &Rules::default(),
        "INSERT INTO t (id, password, c) VALUES (1, 'x', 2), (3, 'y', 4) RETURNING id",
        "INSERT INTO t (id, password, c) VALUES (1, '***MASKED***', 2), (3, '***MASKED***', 4) RETURNING id",
    );
    text(
        &Rules::default(),
        "insert into t (`password`) values ('x'), ( 'y' )",
        "insert into t (`password`) values ('***MASKED***'), ( '***MASKED***' )",
    );
    text(
        &Rules::default(),
        "INSERT INTO t (id, password) VALUES (f(1, 2), 'x')",
        "INSERT INTO t (id, password) VALUES (f(1, 2), '***MASKED***')",
    );
    text(
        &Rules::default(),
        "INSERT INTO t (id, [password]) VALUES (1, N'x')",
        "INSERT INTO t (id, [password]) VALUES (1, N'***MASKED***')",
    );
    text(
        &Rules::default(),
        "INSERT INTO t (id, password) VALUES ('a,b', 'x') x",
        "INSERT INTO t (id, password) VALUES ('a,b', '***MASKED***') x",
    );
    text(
        &Rules::default(),
        "INSERT INTO t (id, password) VALUES (1, 'x",
        "INSERT INTO t (id, password) VALUES (1, ***MASKED***",
    );
    text(
        &Rules::default(),
        "INSERT INTO t (id, password) VALUES (1, '')",
        "INSERT INTO t (id, password) VALUES (1, '')",
    );
    text(
        &Rules::default(),
        "password IN ('x', 'y') AND b = 'z'",
        "password IN ('***MASKED***', '***MASKED***') AND b = 'z'",
    );
    text(&Rules::default(), "password IS DISTINCT FROM 'x'", "password IS DISTINCT FROM 'x'");
    text(
        &Rules::default(),
        "CREATE USER a IDENTIFIED BY 'x', b IDENTIFIED BY 'y'",
        "CREATE USER a IDENTIFIED BY '***MASKED***', b IDENTIFIED BY '***MASKED***'",
    );
    text(
        &Rules::default(),
        "password                                                               'x'",
        "password                                                               '***MASKED***'",
    );
    text(&Rules::default(), "('password', 'x')", "('password', '***MASKED***')");
    text(&Rules::default(), "('password','x y') z", "('password','***MASKED***') z");
    text(&Rules::default(), "{'password', 'x'}", "{'password', 'x'}");
    text(&Rules::default(), r#"('password', "it's") y"#, r#"('password', "it's") y"#);
}

#[test]
fn a_block_of_yaml_goes_as_a_whole() {
    text(&Rules::default(), "password: |\n  x\n  y\nz: 1", "password: ***MASKED***\nz: 1");
    text(&Rules::default(), "a:\n  password: |2\n    x\n b", "a:\n  password: ***MASKED***\n b");
    text(&Rules::default(), "password: |xxxxx\n  y\nz", "password: ***MASKED***\n  y\nz");
}

#[test]
fn what_a_token_stands_between_is_looked_at() {
    text(&Rules::default(), "a4111111111111111", "a4111111111111111");
    text(&Rules::default(), "eyJhbGciOiJIUzI1NiJ9/+==x", "***MASKED***");
    text(&Rules::default(), r#"\nghp_abcdefghijklmnopqrstuvwxyz0123456789"#, r#"\n***MASKED***"#);
    text(&Rules::default(), "12345678:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw x", "***MASKED*** x");
    text(&Rules::default(), "1234567:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "1234567:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw");
    text(&Rules::default(), "token.rs:1234567: x", "token.rs:***MASKED***");
    text(&Rules::default(), "key: x", "key: x");
    text(&Rules::default(), "code=5", "code=5");
    text(&Rules::default(), "password: ***", "password: ***MASKED***");
    text(&Rules::default(), "api  key: x", "api  key: x");
}

#[test]
fn text_in_other_text() {
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "a:\n  password: |2\n    x\n b"}"#,
        r#"{"a": "a:\n  password: ***MASKED***\n b"}"#,
        1,
    );
    beginning(
        &Rules::default(),
        Some("text/plain"),
        "bearer\tabcdef",
        "bearer\t [text/plain, 22 bytes, not captured from byte 7: cut]",
        0,
    );
    beginning(
        &Rules::default(),
        Some("text/plain"),
        "jo:Pw1x@ h",
        "***MASKED***@ [text/plain, 19 bytes, not captured from byte 8: cut]",
        1,
    );
    beginning(
        &Rules::default(),
        Some("text/plain"),
        "password=$1 y",
        "password=$ [text/plain, 22 bytes, not captured from byte 10: cut]",
        0,
    );
    body(&Rules::default(), Some("text/plain"), "x\neyJhbGciOiJIUzI1NiJ9/+==x\nz", "x\n***MASKED***\nz", 1);
}

#[test]
fn markup_is_read_as_its_readers_read_it() {
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<!DOCTYPE a [<!ENTITY p "x"><!-- c ]> --><?pi ]>?>]><a>&p;</a>"#,
        "<!DOCTYPE a [<!-- ***MASKED*** -->]><a>***MASKED***</a>",
        2,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<!DOCTYPE a SYSTEM "x>y" 'z'><a>b</a>"#,
        r#"<!DOCTYPE a SYSTEM "x>y" 'z'><a>b</a>"#,
        0,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        "<!DOCTYPE a <b>><a/>",
        "[application/xml, 20 bytes, not captured: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        "<a><!DOCTYPE b><c/></a>",
        "<a> [application/xml, 23 bytes, not captured from byte 3: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<?xml version="1.0" password="x"?><a/>"#,
        "<?masked ***MASKED***?><a/>",
        1,
    );
    body(&Rules::default(), Some("application/xml"), "<!-- password=x --><a/>", "<!-- ***MASKED*** --><a/>", 1);
    body(&Rules::default(), Some("application/xml"), "<a><!-- <b>x</b> --></a>", "<a><!-- <b>x</b> --></a>", 0);
    body(
        &Rules::default(),
        Some("application/xml"),
        "<a><!-->x</a>",
        "<a> [application/xml, 13 bytes, not captured from byte 3: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        "<a><!-- x --!>y</a>",
        "<a> [application/xml, 19 bytes, not captured from byte 3: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        "<a><![CDATA[<password>x</password>]]></a>",
        "<a>&lt;password&gt;***MASKED***&lt;/password&gt;</a>",
        1,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        "<a>Bearer <b>abc123</b></a>",
        "<a>Bearer <b>***MASKED***</b></a>",
        1,
    );
    body(&Rules::default(), Some("application/xml"), "<p>&unknown; x</p>", "<p>&unknown; x</p>", 0);
    body(
        &Rules::default(),
        Some("application/xml"),
        "<a><name>password</name></a><b><value>x</value></b>",
        "<a><name>password</name></a><b>***MASKED***</b>",
        1,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        "<a><b>&lt;c&gt;&amp;lt;pin&amp;gt;5&amp;lt;/pin&amp;gt;&lt;/c&gt;</b></a>",
        "<a><b>&lt;c&gt;&amp;lt;pin&amp;gt;***MASKED***&amp;lt;/pin&amp;gt;&lt;/c&gt;</b></a>",
        1,
    );
    body(&Rules::default(), Some("application/xml"), "<a>&lt;b&gt;&amp;lt;c&amp;gt;&amp;amp;lt;pin&amp;amp;gt;5&amp;amp;lt;/pin&amp;amp;gt;&amp;lt;/c&amp;gt;&lt;/b&gt;</a>", "<a>&lt;b&gt;&amp;lt;c&amp;gt;***MASKED***&amp;lt;/c&amp;gt;&lt;/b&gt;</a>", 1);
    body(
        &Rules::default(),
        Some("text/html"),
        r#"<!DOCTYPE a [<!ENTITY p "x"><!-- c ]> --><?pi ]>?>]><a>&p;</a>"#,
        "[text/html, 62 bytes, not captured: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("text/html"),
        r#"<!DOCTYPE a SYSTEM "x>y" 'z'><a>b</a>"#,
        "[text/html, 37 bytes, not captured: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("text/html"),
        r#"<!DOCTYPE a [<!ELEMENT b "]">]><a/>"#,
        "[text/html, 35 bytes, not captured: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("text/html"),
        r#"<?xml version="1.0" password="x"?><a/>"#,
        "<?masked ***MASKED***?><a/>",
        1,
    );
    body(
        &Rules::default(),
        Some("text/html"),
        "<a><![CDATA[<password>x</password>]]></a>",
        "<a>&lt;password&gt;***MASKED***&lt;/password&gt;</a>",
        1,
    );
    body(&Rules::default(), Some("text/html"), r#"<a b="c" <d>"#, "[text/html, 12 bytes, not captured: malformed]", 0);
    body(&Rules::default(), Some("text/html"), r#"<a b="<c>">x</a>"#, r#"<a b="<c>">x</a>"#, 0);
    body(&Rules::default(), Some("text/plain"), "<a password>x</a>", "<a password>x</a>", 0);
    body(
        &Rules::default(),
        Some("text/plain"),
        "a <password>x</password> b <c",
        "a <password>***MASKED***</password> b  [not captured: malformed]",
        2,
    );
    text(
        &Rules::default(),
        r#"<!DOCTYPE a [<!ENTITY p "x"><!-- c ]> --><?pi ]>?>]><a>&p;</a>"#,
        " [not captured: malformed]",
    );
    text(
        &Rules::default(),
        r#"<img src="https://jo:pw@h/a?token=x" alt="pin=5">"#,
        r#"<img src="https://***MASKED***@h/a?token=***MASKED***" alt="pin=***MASKED***">"#,
    );
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a": "<add key=\"password\" value=\"x\"/>"}"#,
        r#"{"a": "<add key=\"password\" value=\"***MASKED***\"/>"}"#,
        1,
    );
}

#[test]
fn markup_is_explained_by_its_elements() {
    explained(
        &Rules::default(),
        Some("application/xml"),
        "<password>x</password>",
        r#"{"kind":"markup","size":22,"masked":[{"path":"password","rule":"name","entry":"password","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("application/xml"),
        "<p>Bearer <b>abc123</b></p>",
        r#"{"kind":"markup","size":27,"masked":[{"path":"p/b","rule":"pair","entry":"bearer","by":"default"}],"fields_masked":1}"#,
    );
}

#[test]
fn a_document_of_graphql_is_told_by_its_head() {
    explained(
        &Rules::default(),
        None,
        "fragment F on User { c }",
        r#"{"kind":"graphql","size":24,"masked":[],"fields_masked":0}"#,
    );
    explained(
        &Rules::default(),
        None,
        "fragment F of User { c }",
        r#"{"kind":"text","size":24,"masked":[],"fields_masked":0}"#,
    );
    explained(&Rules::default(), None, "query a b { c }", r#"{"kind":"text","size":15,"masked":[],"fields_masked":0}"#);
    explained(
        &Rules::default(),
        None,
        "query Q { c }",
        r#"{"kind":"graphql","size":13,"masked":[],"fields_masked":0}"#,
    );
    explained(&Rules::default(), None, "a b { c }", r#"{"kind":"text","size":9,"masked":[],"fields_masked":0}"#);
    explained(
        &Rules::default(),
        None,
        "{ abc : bcd ( c: 1) }",
        r#"{"kind":"graphql","size":21,"masked":[],"fields_masked":0}"#,
    );
    explained(&Rules::default(), None, "{ a: b c }", r#"{"kind":"text","size":10,"masked":[],"fields_masked":0}"#);
    explained(&Rules::default(), None, "{ abc  {b} }", r#"{"kind":"graphql","size":12,"masked":[],"fields_masked":0}"#);
    explained(&Rules::default(), None, "{ abc = b }", r#"{"kind":"text","size":11,"masked":[],"fields_masked":0}"#);
}

#[test]
fn a_first_line_is_no_header() {
    explained(
        &Rules::default(),
        Some("message/http"),
        "HTTP/1.1 200 password: x\nHost: h",
        r#"{"kind":"headers","size":32,"masked":[],"fields_masked":0}"#,
    );
    explained(
        &Rules::default(),
        Some("message/http"),
        "GET /token:x HTTP/1.1\nHost: h",
        r#"{"kind":"headers","size":29,"masked":[],"fields_masked":0}"#,
    );
    explained(
        &Rules::default(),
        Some("message/http"),
        "Host: h\nHTTP/1.1 200 password: x",
        r#"{"kind":"headers","size":32,"masked":[{"path":"[\"HTTP/1.1 200 password\"]","rule":"name","entry":"password","by":"default"}],"fields_masked":1}"#,
    );
}

#[test]
fn a_lead_may_begin_inside_a_character() {
    explained(&Rules::default(), Some("text/plain"), "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé password: x", r#"{"kind":"text","size":512,"masked":[{"path":"","at":511,"rule":"name","entry":"password","by":"default"}],"fields_masked":1}"#);
    explained(&Rules::default(), Some("text/plain"), "xéééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé password: x", r#"{"kind":"text","size":513,"masked":[{"path":"","at":512,"rule":"name","entry":"password","by":"default"}],"fields_masked":1}"#);
}

#[test]
fn a_part_without_a_name_is_told_by_its_id() {
    explained(
        &Rules::default(),
        Some("multipart/form-data; boundary=b"),
        "--b\r\nContent-ID: <me@example.com>\r\nContent-Type: application/json\r\n\r\n{\"pin\":1}\r\n--b--\r\n",
        r#"{"kind":"multipart","size":87,"masked":[{"path":"me.pin","rule":"name","entry":"pin","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("multipart/form-data; boundary=b"),
        "--b\r\nContent-Disposition: form-data; name=\"=?utf-8?q?a?=\"\r\n\r\n1\r\n--b--\r\n",
        r#"{"kind":"multipart","size":71,"masked":[{"path":"[\"=?utf-8?q?a?=\"]","rule":"unreadable"}],"fields_masked":1}"#,
    );
    let own = rules(|c| {
        c.paths = list(&["user.code"]);
    });
    body(
        &own,
        Some("multipart/form-data; boundary=b"),
        "--b\r\nContent-Disposition: form-data; name=\"user[code\"\r\n\r\n1\r\n--b--\r\n",
        "--b\r\nContent-Disposition: form-data; name=\"user[code\"\r\n\r\n***MASKED***\r\n--b--\r\n",
        1,
    );
    body(
        &own,
        Some("multipart/form-data; boundary=b"),
        "--b\r\nContent-Disposition: form-data; name=\"user[code]\"\r\n\r\n1\r\n--b--\r\n",
        "--b\r\nContent-Disposition: form-data; name=\"user[code]\"\r\n\r\n***MASKED***\r\n--b--\r\n",
        1,
    );
}

#[test]
fn json_at_its_ends() {
    body(
        &Rules::default(),
        Some("application/json"),
        r#"{"a":"\u000a\u001f pin=5"}"#,
        r#"{"a":"\n\u001f pin=***MASKED***"}"#,
        1,
    );
    beginning(
        &Rules::default(),
        Some("application/json"),
        r#"{"key":["a""#,
        r#"{"key":"***MASKED***" [application/json, 20 bytes, not captured from byte 11: cut]"#,
        1,
    );
    explained(
        &Rules::default(),
        Some("application/json"),
        r#"{"value":[{"value":"x","name":"token"}],"name":"password"}"#,
        r#"{"kind":"json","size":58,"masked":[{"path":"value","rule":"pair","entry":"password","by":"default"}],"fields_masked":1}"#,
    );
}

#[test]
fn text_at_the_edges_of_its_notations() {
    text(&Rules::default(), "code=5&x=1 y", "code=***MASKED***&x=1 y");
    text(&Rules::default(), "y,code=5&b=6", "y,code=5&b=6");
    text(&Rules::default(), "password:/x", "password:***MASKED***");
    text(&Rules::default(), "pin: /x", "pin: ***MASKED***");
    text(&Rules::default(), "(password) =x", "(password) =x");
    text(&Rules::default(), "password=(x)>y", "password=***MASKED***>y");
    text(&Rules::default(), r#"password='a\\' b"#, "password='***MASKED***' b");
    text(&Rules::default(), "SET PASSWORD FOR jo = 'x'", "SET PASSWORD FOR jo = '***MASKED***'");
    text(&Rules::default(), "pin is not like in by 'x'", "pin is not like in by '***MASKED***'");
    text(&Rules::default(), "my_email ~ 'x'", "my_email ~ '***MASKED***'");
    text(&Rules::default(), "my_email 'x'", "my_email 'x'");
    text(
        &Rules::default(),
        "INSERT INTO t (a, pin) VALUES ('a', '1'), ('b', '2') ; pin='3'",
        "INSERT INTO t (a, pin) VALUES ('a', '***MASKED***'), ('b', '***MASKED***') ; pin='***MASKED***'",
    );
    text(&Rules::default(), "INSERT INTO t (a, pin) VALUES ('a', n'5'), ('b', nn'6'), ('c', 'n'), ('d', n''), ('e', ' ')", "INSERT INTO t (a, pin) VALUES ('a', n'***MASKED***'), ('b', ***MASKED***), ('c', '***MASKED***'), ('d', n''), ('e', '***MASKED***')");
    text(&Rules::default(), "password: |-4x\n  y", "password: ***MASKED***");
    text(&Rules::default(), r#"x\npin:5 y"#, r#"x\npin:***MASKED*** y"#);
    text(&Rules::default(), "a//b:C1@d:5", "a//b:C1@d:5");
}

#[test]
fn attributes_and_elements_are_paired() {
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<a password = "x" />"#,
        r#"<a password = "***MASKED***" />"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<a b="1"password="x">y</a>"#,
        "[application/xml, 26 bytes, not captured: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        "<tr><td>Password</td><td>x</td><td>y</td></tr>",
        "<tr><td>Password</td><td>x</td><td>y</td></tr>",
        0,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<label for="p">Password</label> <input id="p" value="x">"#,
        r#"<label for="p">Password</label> <input id="***MASKED***" value="***MASKED***">***MASKED*** [application/xml, 56 bytes, not captured from byte 56: malformed]"#,
        3,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<label>Password <input value="x"></label>"#,
        r#"<label>Password <input value="***MASKED***"> [application/xml, 41 bytes, not captured from byte 33: malformed]"#,
        1,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<input name="password" value="x">"#,
        r#"<input name="***MASKED***" value="***MASKED***">***MASKED*** [application/xml, 33 bytes, not captured from byte 33: malformed]"#,
        3,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<param name="user" value="pin"/>"#,
        r#"<param name="user" value="pin"/>"#,
        0,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<wsse:Password Type="t">x</wsse:Password>"#,
        r#"<wsse:Password Type="***MASKED***">***MASKED***</wsse:Password>"#,
        2,
    );
    body(&Rules::default(), Some("application/xml"), "<script>var a=1</script>x", "<script>[text/javascript, 7 bytes, not captured: script]</script> [application/xml, 25 bytes, not captured from byte 24: malformed]", 1);
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<a b="<c>">x</a>"#,
        "[application/xml, 16 bytes, not captured: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<a/ pin="5">"#,
        "[application/xml, 12 bytes, not captured: malformed]",
        0,
    );
    body(
        &Rules::default(),
        Some("application/xml"),
        r#"<a ="5" pin="6">"#,
        "[application/xml, 16 bytes, not captured: malformed]",
        0,
    );
    body(&Rules::default(), Some("application/xml"), r#"<a ghp_abcdefghijklmnopqrstuvwxyz0123456789="x"/>"#, "<a/>", 1);
    body(&Rules::default(), Some("text/html"), r#"<a password = "x" />"#, r#"<a password = "***MASKED***" />"#, 1);
    body(&Rules::default(), Some("text/html"), "<a password>x</a>", "<a password>x</a>", 0);
    body(
        &Rules::default(),
        Some("text/html"),
        r#"<a b="1"password="x">y</a>"#,
        r#"<a b="1"password="***MASKED***">y</a>"#,
        1,
    );
    body(&Rules::default(), Some("text/html"), "<p>token <b>abc123</b></p>", "<p>token <b>abc123</b></p>", 0);
    body(
        &Rules::default(),
        Some("text/html"),
        "<p>Password: <b>x</b> y</p>",
        "<p>Password: <b>***MASKED***</b>***MASKED***</p>",
        2,
    );
    body(
        &Rules::default(),
        Some("text/html"),
        "<script>x</scriptx>y</script>z",
        "<script>[text/javascript, 12 bytes, not captured: script]</script>z",
        1,
    );
}

#[test]
fn pairs_of_markup_are_explained() {
    explained(
        &Rules::default(),
        Some("application/xml"),
        "<dl><dt>a</dt><dt>pin</dt><dd>x</dd><dd>y</dd></dl>",
        r#"{"kind":"markup","size":51,"masked":[{"path":"dl/dd","rule":"pair","entry":"pin","by":"default"},{"path":"dl/dd","rule":"pair","entry":"pin","by":"default"}],"fields_masked":2}"#,
    );
    explained(
        &Rules::default(),
        Some("application/xml"),
        r#"<input name="password" value="x">"#,
        r#"{"kind":"markup","size":33,"masked":[{"path":"input/@value","rule":"pair","entry":"password","by":"default"},{"path":"input","rule":"pair","entry":"password","by":"default"},{"path":"input/@name","rule":"pair"}],"fields_masked":3,"broke_at":33}"#,
    );
    explained(
        &Rules::default(),
        Some("application/xml"),
        r#"<a ghp_abcdefghijklmnopqrstuvwxyz0123456789="x"/>"#,
        r#"{"kind":"markup","size":49,"masked":[{"path":"a","rule":"value","entry":"secret as a name","by":"default"}],"fields_masked":1}"#,
    );
    explained(
        &Rules::default(),
        Some("text/html"),
        "<ul><li>a<li>pin: 5</ul>",
        r#"{"kind":"markup","size":24,"masked":[{"path":"ul/li","at":5,"rule":"name","entry":"pin","by":"default"}],"fields_masked":1}"#,
    );
}

#[test]
fn elements_of_html_end_where_the_next_begin() {
    body(
        &Rules::default(),
        Some("text/html"),
        "<table><tr><td>a<td>b<tr><td>pin<td>5</table>z",
        "<table><tr><td>a<td>b<tr><td>pin<td>***MASKED***</table>z",
        1,
    );
    body(
        &Rules::default(),
        Some("text/html"),
        "<table><tr><th>pin<td>5<tr><td>b</table>",
        "<table><tr><th>pin<td>***MASKED*** [text/html, 40 bytes, not captured from byte 40: malformed]",
        1,
    );
    body(
        &Rules::default(),
        Some("text/html"),
        "<table><tbody><tr><td>pin<td>5<tbody><tr><td>b</table>",
        "<table><tbody><tr><td>pin<td>***MASKED***<tbody><tr><td>b</table>",
        1,
    );
    body(
        &Rules::default(),
        Some("text/html"),
        "<table><thead><tr><td>pin<tfoot><tr><td>b</table>",
        "<table><thead><tr><td>pin<tfoot>***MASKED*** [text/html, 49 bytes, not captured from byte 49: malformed]",
        1,
    );
    body(
        &Rules::default(),
        Some("text/html"),
        r#"<select name="pin"><option>a<option>5</select>b"#,
        r#"<select name="pin">***MASKED***</select>b"#,
        1,
    );
    body(
        &Rules::default(),
        Some("text/html"),
        r#"<select><optgroup label="pin"><option>5<optgroup><option>6</select>"#,
        r#"<select><optgroup label="pin">***MASKED*** [text/html, 67 bytes, not captured from byte 67: malformed]"#,
        1,
    );
    body(&Rules::default(), Some("text/html"), "<p>pin:<div>5</div>", "<p>pin:<div>***MASKED***</div>", 1);
    body(
        &Rules::default(),
        Some("text/html"),
        "<p>pin:<b>5</b><ul><li>a<li>b</ul>",
        "<p>pin:<b>***MASKED***</b><ul><li>a<li>b</ul>",
        1,
    );
    body(&Rules::default(), Some("text/html"), "<p>pin<p>5", "<p>pin<p>***MASKED***", 1);
    body(&Rules::default(), Some("text/html"), "<pin>5<p>6<div>7</div></pin>8", "<pin>***MASKED***</pin>8", 1);
    body(
        &Rules::default(),
        Some("text/html"),
        "<dt>pin<dd>5<dt>b<dd>6",
        "<dt>pin<dd>***MASKED*** [text/html, 22 bytes, not captured from byte 22: malformed]",
        1,
    );
    body(
        &Rules::default(),
        Some("text/html"),
        r#"<dd name="pin">5<dt>6"#,
        r#"<dd name="***MASKED***">***MASKED*** [text/html, 21 bytes, not captured from byte 21: malformed]"#,
        2,
    );
    body(&Rules::default(), Some("application/xml"), "<a>pin=5</a>", "<a>�pin=***MASKED***</a>", 1);
}

#[test]
fn every_part_is_found_inside_a_name_and_every_ending_only_at_its_end() {
    let rules = Rules::default();
    let parts = "password passwort passwd passphrase passcode privatekey phonenumber apikey accesskey accesstoken \
                 authtoken accountnumber creditcard cardnumber credential clientsecret secretkey sessionid emailaddress";
    for part in parts.split(' ') {
        assert!(rules.is_sensitive_field(&format!("my{part}x")), "{part}");
    }
    for ending in "token secret pwd sessid csrf xsrf email basicauth".split(' ') {
        assert!(rules.is_sensitive_field(&format!("some{ending}")), "{ending}");
        assert!(!rules.is_sensitive_field(&format!("some{ending}x")), "{ending}");
    }
}

#[test]
fn lists_have_their_limits() {
    let paths = |count: usize| check_list("mask_paths", &vec!["a.b".to_owned(); count]);
    assert!(paths(paths::MOST).is_ok() && paths(paths::MOST + 1).is_err());
    let pattern = |len: usize| check_list("mask_patterns", &["a".repeat(len)]);
    assert!(pattern(values::LONGEST).is_ok() && pattern(values::LONGEST + 1).is_err());
    let path = |len: usize| check_list("mask_paths", &["a".repeat(len)]);
    assert!(path(paths::LONGEST).is_ok() && path(paths::LONGEST + 1).is_err());
    // A message shows the beginning of an entry.
    let said = |entry: &str| check_list("mask_allow_fields", &[entry.to_owned()]).unwrap_err();
    assert!(said(&"q".repeat(80)).contains(&format!("('{}')", "q".repeat(80))));
    assert!(said(&"q".repeat(81)).contains(&format!("('{}…')", "q".repeat(80))));
}

#[test]
fn the_rules_tell_what_they_do() {
    for on in [false, true] {
        let own = rules(|c| {
            c.mask_body = on;
            c.mask_headers = !on;
        });
        assert_eq!((own.masks_body(), own.masks_headers()), (on, !on));
        assert_eq!(mask_header_value(&own, "Cookie", "a=b") == "a=b", on);
    }
    let body = |cut| if cut { Body::beginning(None, b"a", 2) } else { Body::new(None, b"a") };
    assert!(body(true).is_cut() && !body(false).is_cut());
    assert!(format!("{:?}", Rules::default()).starts_with("Rules"));
}

/// Without a run every text is searched with the pattern; with a wrong one a match is lost.
#[test]
fn a_pattern_has_the_run_that_its_matches_have() {
    for (pattern, with, without) in [
        ("\\w=1", "_=1", "-=1"),
        ("\\s!x", " !x", "a!x"),
        ("ab\\D12", "ab12", "a12"),
        ("\\n-\\r\\t", "\n-\r\t", "n-rt"),
        ("a\\.b", "a.b", "ab"),
        ("(?<n>ab)-1", "ab-1", "cd-1"),
        ("(?P<a_b>ab)-1", "ab-1", "cd-1"),
        ("(a\\)|b)xy", "bxy", "bx"),
        ("((a)|b)xy", "bxy", "bx"),
        ("[&x]y", "&y", "ay"),
        ("[-a]=", "-=", "b="),
        ("[a-]=", "-=", "b="),
        ("[a\\d]=", "1=", "b="),
        ("[\\d-]=", "-=", "a="),
        // The rarest run, not the longest one.
        ("ab.\\w{4}", "ab", "zzzz"),
        // A character of several bytes is not one byte of the run.
        ("x[a-é]y", "xéy", "a"),
    ] {
        let run = prefilter::Run::of(pattern).unwrap_or_else(|| panic!("{pattern}"));
        assert!(run.is_in(with) && !run.is_in(without), "{pattern}");
    }
    for pattern in ["[]a]x", "[a-c-e]x", "[\\.-9]x", "(?x:a)b", "(?P<a-b>x)y"] {
        assert!(prefilter::Run::of(pattern).is_none(), "{pattern}");
    }
}

#[test]
fn a_card_number_may_be_followed_by_a_number_that_is_a_word() {
    let rules = Rules::default();
    text(&rules, "paid with 4111 1111 1111 1111 2nd time", "paid with ***MASKED*** 2nd time");
    text(&rules, "4111-1111-1111-1111 2025 1x", "***MASKED*** 2025 1x");
    text(&rules, "4111111111111111-3d", "***MASKED***-3d");
    text(&rules, "4111 1111 1111 1111a", "4111 1111 1111 1111a");
}

#[test]
fn parts_in_parts_are_read_three_deep() {
    let nested = |levels: usize| {
        (1..=levels).fold("Content-Disposition: form-data; name=\"a\"\r\n\r\nshown".to_owned(), |inner, level| {
            format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n{inner}\r\n--b{level}--\r\n")
        })
    };
    for levels in 0..=3 {
        let body = format!("--b\r\n{}\r\n--b--\r\n", nested(levels));
        let masked = mask_body(&Rules::default(), Some("multipart/form-data; boundary=b"), body.as_bytes());
        assert_eq!(masked.text.contains("shown"), levels < 3, "{levels}: {}", masked.text);
        assert_eq!(masked.text.contains("nested]"), levels >= 3, "{levels}: {}", masked.text);
    }
}

#[test]
fn a_boundary_has_a_limit() {
    for len in [200, 201] {
        let boundary = "b".repeat(len);
        let kind = format!("multipart/form-data; boundary={boundary}");
        let body = format!("--{boundary}\r\n\r\nshown\r\n--{boundary}--\r\n");
        let masked = mask_body(&Rules::default(), Some(&kind), body.as_bytes());
        assert_eq!(masked.text.contains("shown"), len == 200);
    }
}

#[test]
fn the_kinds_of_containers_are_known_at_any_depth() {
    for depth in [63, 64, 65, 127, 128, 129] {
        for object in [0, 1] {
            // Objects and arrays in turn; a name behind each of them shows whether the one around it is known again.
            let nested = (0..depth).fold("{\"pin\":1,\"b\":2}".to_owned(), |inner, level| {
                if level % 3 == object {
                    format!("[{inner},5]")
                } else {
                    format!("{{\"q\":{inner},\"pin\":3}}")
                }
            });
            let expected = nested
                .replace("\"pin\":1", "\"pin\":\"***MASKED***\"")
                .replace("\"pin\":3", "\"pin\":\"***MASKED***\"");
            let masked = mask_body(&Rules::default(), Some("application/json"), nested.as_bytes());
            assert_eq!(masked.text, expected, "{depth}");
        }
    }
}

#[test]
fn a_body_that_is_cut_in_a_character_is_kept_before_it() {
    let body = Body::beginning(Some("application/json"), b"{\"a\":1,\"b\":\"\xC3", 20);
    assert_eq!(
        mask_content(&Rules::default(), None, &body).text,
        "{\"a\":1,\"b\": [application/json, 20 bytes, not captured from byte 11: cut]"
    );
    // The second half of a character without the first is none that is cut.
    let body = Body::beginning(Some("text/plain"), b"\xFF\xFEa\0 \0\0\xDC", 20);
    assert!(mask_content(&Rules::default(), None, &body).whole);
    let body = Body::beginning(Some("text/plain"), b"\xFF\xFEa\0 \0\0\xD8", 20);
    assert!(!mask_content(&Rules::default(), None, &body).whole);
}

#[test]
fn utf_16_is_told_from_what_is_called_so() {
    let kind = Some("text/plain; charset=utf-16");
    let read = |bytes: &[u8]| mask_body(&Rules::default(), kind, bytes);
    // Neither order has an ASCII character.
    assert_eq!(read(&[0xB1, 0xC4]).text, "\u{C4B1}");
    // Ten ASCII characters, and more than one in eight bytes that would be a pair of them.
    let mut bytes = b"a\0".repeat(10);
    assert!(!read(&bytes).whole);
    bytes.extend(b"AB".repeat(5));
    assert!(read(&bytes).whole);
}

#[test]
fn what_is_no_text_is_described() {
    let note = |kind, bytes: &[u8]| mask_body(&Rules::default(), kind, bytes).text;
    assert_eq!(note(None, b"\xC3("), "[unknown type, 2 bytes, not captured: binary]");
    assert_eq!(note(Some("text/plain"), b"\xC3("), "[text/plain, 2 bytes, not captured: not utf-8]");
    let off = rules(|c| c.mask_body = false);
    assert!(mask_body(&off, None, b"a\x01").whole);
    assert_eq!(mask_body(&off, None, b"password=x").text, "password=x");
    // Parts of another charset than they are declared in.
    let parts = "--b\r\nContent-Disposition: form-data; name=\"pin\"\r\n\r\n5\r\n--b--\r\n";
    let bytes: Vec<u8> = [0xFEFFu16].into_iter().chain(parts.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(note(Some("text/plain"), &bytes), parts.replace('5', PLACEHOLDER));
}

#[test]
fn an_explanation_has_limits() {
    let told =
        |text: &str| explain_content(&Rules::default(), None, &Body::new(Some("application/json"), text.as_bytes()));
    let members: Vec<String> = (0..=explain::MOST).map(|i| format!("\"pin{i}\":1")).collect();
    let most = told(&format!("{{{}}}", members.join(",")));
    assert_eq!(most.matches("\"path\"").count(), explain::MOST);
    assert!(most.ends_with(&format!("\"fields_masked\":{},\"truncated_list\":true}}", explain::MOST + 1)));
    let all = told(&format!("{{{}}}", members.get(1..).unwrap().join(",")));
    assert!(all.ends_with(&format!("\"fields_masked\":{}}}", explain::MOST)));
    // Steps of sixty letters and a dot.
    let path = |len: usize| {
        let nested =
            (0..len / 61).fold("{\"pin\":1}".to_owned(), |inner, _| format!("{{\"{}\":{inner}}}", "a".repeat(60)));
        told(&format!("{{\"{}\":{nested}}}", "b".repeat(len % 61)))
    };
    // With `.` and `pin`, four more.
    assert!(path(explain::LONGEST_PATH - 4).contains(".pin\""));
    assert!(path(explain::LONGEST_PATH - 3).contains(".pi…\""));
}

#[test]
fn an_explanation_tells_of_a_callback() {
    let custom: Box<Custom> = Box::new(|_, _| None);
    let told = |kind| explain_content(&Rules::default(), Some(&custom), &Body::new(Some(kind), b"Cookie: a=b"));
    assert_eq!(
        told("text/plain"),
        "{\"content_type\":\"text/plain\",\"kind\":\"callback\",\"size\":11,\
         \"masked\":[{\"path\":\"\",\"rule\":\"callback\"}],\"fields_masked\":1}"
    );
    assert!(told("message/http").contains("\"kind\":\"headers\""));
}

#[test]
fn what_is_nested_too_deep_is_masked_under_any_name() {
    // A name that says nothing, one that names others, and none.
    for (open, close) in [("{\"q\":", "}"), ("{\"k\":", "}"), ("[", "]")] {
        for depth in [200, 201] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let masked = mask_body(&Rules::default(), Some("application/json"), nested.as_bytes());
            let hidden = format!("{}\"***MASKED***\"{}", open.repeat(200), close.repeat(200));
            assert_eq!(masked.text, if depth > 200 { hidden } else { nested }, "{open} {depth}");
        }
    }
}

#[test]
fn entities_are_the_signs_that_they_stand_for() {
    let entities = "gt> GT> amp& AMP& quot\" QUOT\" apos' excl! num# dollar$ percnt% lpar( rpar) ast* midast* plus+ comma, period. \
                    sol/ colon: semi; equals= quest? commat@ lsqb[ lbrack[ bsol\\ rsqb] rbrack] Hat^ lowbar_ UnderBar_ grave` \
                    DiacriticalGrave` lcub{ lbrace{ verbar| vert| VerticalLine| rcub} rbrace} hyphen- dash- shy\u{AD} \
                    ZeroWidthSpace\u{AD} zwj\u{AD} zwnj\u{AD} Tab\t NewLine\n";
    for entity in entities.split(' ').chain(["nbsp "]) {
        let (at, sign) = entity.char_indices().next_back().unwrap();
        let name = &entity[..at];
        let written = match sign {
            '>' => "&gt;".to_owned(),
            '&' => "&amp;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&#39;".to_owned(),
            sign => sign.to_string(),
        };
        let (text, expected) = (format!("<p>a&{name};b: pin=5</p>"), format!("<p>a{written}b: pin=***MASKED***</p>"));
        body(&Rules::default(), Some("text/html"), &text, &expected, 1);
    }
    // These five need no semicolon.
    body(&Rules::default(), Some("text/html"), "<p>a&lt b: pin=5</p>", "<p>a&lt; b: pin=***MASKED***</p>", 1);
    body(&Rules::default(), Some("text/html"), "<p>a&apos b: pin=5</p>", "<p>a&amp;apos b: pin=***MASKED***</p>", 1);
}
