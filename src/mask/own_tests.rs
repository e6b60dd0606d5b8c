//! Tests of the user's own rules and of explanations.

use serde_json::{json, Value};

use super::tests::{planted, Random, SECRET};
use super::*;

pub(super) fn rules(set: impl FnOnce(&mut RulesConfig)) -> Rules {
    let mut config = RulesConfig::default();
    set(&mut config);
    Rules::new(&config).unwrap()
}

pub(super) fn list(entries: &[&str]) -> Vec<String> {
    entries.iter().map(|entry| (*entry).to_owned()).collect()
}

fn body(rules: &Rules, text: &str) -> String {
    mask_body(rules, Some("application/json"), text.as_bytes()).text
}

/// The body with the placeholder written short.
fn short(rules: &Rules, text: &str) -> String {
    body(rules, text).replace("\"***MASKED***\"", "X").replace("***MASKED***", "X")
}

fn explained(rules: &Rules, kind: Option<&str>, text: &str) -> (Value, String, Masked) {
    let (json, masked) = explain::explain(rules, None, &Body::new(kind, text.as_bytes()));
    (serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}")), json, masked)
}

// ---- names that are allowed

#[test]
fn an_allowed_name_covers_its_own_words() {
    let rules = rules(|c| c.allow_fields = list(&["email", "Session-Id", "key", "street address"]));
    for name in ["email", "Email", "user_email", "email2", "sessionId", "session_ids_x", "key", "street_address"] {
        let text = json!({ name: "blue" }).to_string();
        assert_eq!(body(&rules, &text) == text, name != "session_ids_x", "{name}");
    }
    for name in ["email_password", "email_address", "session_key", "api_key", "home_address", "emails", "address"] {
        assert_eq!(short(&rules, &json!({ name: "blue" }).to_string()), format!("{{\"{name}\":X}}"), "{name}");
    }
    assert_eq!(short(&rules, r#"{"email":"Bearer abcdef"}"#), r#"{"email":"Bearer X"}"#);
    assert_eq!(mask_text(&rules, "email=a password=b"), "email=a password=***MASKED***");
    assert_eq!(mask_header_value(&rules, "X-Session-Id", "a"), "a");
    assert_eq!(mask_header_value(&rules, "X-Api-Key", "a"), PLACEHOLDER);
    assert!(!rules.is_sensitive_field("email"));
}

#[test]
fn the_users_own_name_wins_over_an_allowed_one() {
    let rules = rules(|c| {
        c.allow_fields = list(&["email"]);
        c.body_fields = list(&["work email"]);
    });
    assert_eq!(short(&rules, r#"{"work_email":1,"email":2}"#), r#"{"work_email":X,"email":2}"#);
}

#[test]
fn lists_that_cannot_be_used_are_named() {
    for (option, entries, what) in [
        ("mask_allow_fields", &["email", ""][..], "entry 2 (''): it has no letter"),
        ("mask_body_fields", &["pin", "-"], "entry 2 ('-'): it has no letter or digit; use a name, e.g. pin"),
        ("mask_body_fields", &[""], "entry 1 (''): it has no letter or digit"),
        ("mask_header_names", &[" "], "entry 1 (' '): it has no letter or digit"),
        ("headers_to_include", &["a", "…"], "entry 2 ('…'): it has no letter or digit"),
        ("headers_to_exclude", &["\u{200B}"], "it has no letter or digit"),
        ("mask_allow_fields", &["colour"], "entry 1 ('colour'): no such name is masked by default"),
        ("mask_paths", &["a", "a..b"], "entry 2 ('a..b'): a step without a name at byte 1; use user.pin"),
        ("mask_allow_paths", &["a["], "entry 1 ('a['): brackets with neither"),
        ("mask_patterns", &["a("], "entry 1 ('a('): it is not a pattern"),
        ("mask_patterns", &["a*"], "entry 1 ('a*'): it matches the empty string"),
        ("mask_patterns", &["\\b"], "matches the empty string"),
        ("mask_patterns", &["(?:x{1000}){1000}"], "it is not a pattern"),
    ] {
        let error = check_list(option, &list(entries)).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
    for entries in [&["pin", "X-Pin", "名前", "7"][..], &[]] {
        assert_eq!(check_list("mask_body_fields", &list(entries)), Ok(()));
    }
    let config = RulesConfig { body_fields: list(&["-"]), ..RulesConfig::default() };
    assert!(Rules::new(&config).unwrap_err().starts_with("mask_body_fields: entry 1 ('-')"));
    let many: Vec<String> = (0..65).map(|n| format!("a{n}")).collect();
    assert_eq!(check_list("mask_paths", &many).unwrap_err(), "65 paths; at most 64 can be set");
    assert!(check_list("mask_patterns", &list(&[&"a".repeat(1001)])).is_err());
    let error = Rules::new(&RulesConfig { patterns: list(&["("]), ..RulesConfig::default() }).unwrap_err();
    assert!(error.starts_with("mask_patterns: entry 1"), "{error}");
}

// ---- paths

#[test]
fn values_at_paths_are_masked_whatever_their_names() {
    for (path, text, out) in [
        ("user.nick", r#"{"user":{"nick":"a","x":1},"nick":2}"#, r#"{"user":{"nick":X,"x":1},"nick":2}"#),
        ("$.user", r#"{"user":{"nick":["a"]}}"#, r#"{"user":X}"#),
        ("items[*].code", r#"{"items":[{"code":1},{"code":{"a":2}},3]}"#, r#"{"items":[{"code":X},{"code":X},3]}"#),
        ("items[1].code", r#"{"items":[{"code":1},{"code":2}]}"#, r#"{"items":[{"code":1},{"code":X}]}"#),
        ("*.note", r#"{"a":{"note":1},"note":2,"b":[{"note":3}]}"#, r#"{"a":{"note":X},"note":2,"b":[{"note":3}]}"#),
        ("*.note", r#"[{"note":1}]"#, r#"[{"note":X}]"#),
        ("[0]", r#"["a","b"]"#, r#"[X,"b"]"#),
        ("[\"odd.key\"].x", r#"{"odd.key":{"x":1}}"#, r#"{"odd.key":{"x":X}}"#),
        ("ab.c", r#"{"a\u0062":{"c":1}}"#, r#"{"a\u0062":{"c":X}}"#),
        ("a.b", "{\"a\":{\"b\":1}}\n{\"a\":{\"b\":2}}", "{\"a\":{\"b\":X}}\n{\"a\":{\"b\":X}}"),
        (
            "a.b.c",
            r#"{"a":{"x":{},"b":{"d":[[]],"c":1}},"b":{"c":2}}"#,
            r#"{"a":{"x":{},"b":{"d":[[]],"c":X}},"b":{"c":2}}"#,
        ),
        ("A", r#"{"a":1}"#, r#"{"a":1}"#),
        ("a[0]", r#"{"a":{"0":1}}"#, r#"{"a":{"0":1}}"#),
        // Not into JSON that lies in a string.
        ("s.a", r#"{"s":"{\"a\":1}"}"#, r#"{"s":"{\"a\":1}"}"#),
    ] {
        assert_eq!(short(&rules(|c| c.paths = list(&[path])), text), out, "{path}");
    }
}

#[test]
fn names_do_not_count_at_allowed_paths_and_below() {
    let rules = rules(|c| {
        c.allow_paths = list(&["user.email", "error", "pairs", "table"]);
        c.paths = list(&["error.secret"]);
    });
    for (text, out) in [
        (
            r#"{"user":{"email":"a","x":{"email":"b"}},"email":"c"}"#,
            r#"{"user":{"email":"a","x":{"email":X}},"email":X}"#,
        ),
        (
            r#"{"error":{"token":"a","x":[{"pin":1}],"secret":2}}"#,
            r#"{"error":{"token":"a","x":[{"pin":1}],"secret":X}}"#,
        ),
        (r#"{"error":{"x":"Bearer abcdef"}}"#, r#"{"error":{"x":"Bearer X"}}"#),
        (
            r#"{"pairs":[{"name":"token","value":1},["Cookie","a"]]}"#,
            r#"{"pairs":[{"name":"token","value":1},["Cookie","a"]]}"#,
        ),
        (r#"{"pairs":[{"value":1,"name":"token"}]}"#, r#"{"pairs":[{"value":1,"name":"token"}]}"#),
        (
            r#"{"table":{"rows":[["a",1]],"columns":["token","x"]}}"#,
            r#"{"table":{"rows":[["a",1]],"columns":["token","x"]}}"#,
        ),
        (r#"{"rows":[["a",1]],"columns":["token","x"]}"#, r#"{"rows":X,"columns":["token","x"]}"#),
        // What is in a masked value is not reached.
        (r#"{"auth":{"error":{"a":1}}}"#, r#"{"auth":X}"#),
    ] {
        assert_eq!(short(&rules, text), out, "{text}");
        for end in 0..text.len() {
            // Breaks anywhere without harm.
            let _ = body(&rules, &text[..end]);
        }
    }
}

#[test]
fn paths_hold_in_forms() {
    let rules = rules(|c| {
        c.paths = list(&["user.nick", "items[*].code", "*.note", "plain"]);
        c.allow_paths = list(&["user.email", "err"]);
    });
    let form = |text: &str| {
        mask_body(&rules, Some("application/x-www-form-urlencoded"), text.as_bytes()).text.replace(PLACEHOLDER, "X")
    };
    assert_eq!(
        form("user[nick]=a&user%5Bnick%5D=b&user[x]=c&nick=d"),
        "user[nick]=X&user%5Bnick%5D=X&user[x]=c&nick=d"
    );
    assert_eq!(
        form("items[0][code]=a&items[][code]=b&items[x][code]=c"),
        "items[0][code]=X&items[][code]=X&items[x][code]=c"
    );
    assert_eq!(form("a[note]=1&note=2&plain=3"), "a[note]=X&note=2&plain=X");
    assert_eq!(form("user[email]=a&email=b&err[token]=c"), "user[email]=a&email=X&err[token]=c");
}

// ---- patterns and addresses

#[test]
fn patterns_hold_in_every_text_that_is_kept() {
    let rules = rules(|c| c.patterns = list(&["EMP-[0-9]{4}", "ref:(?P<secret>[a-z]+)", "(?i)zebra", "\\b77[0-9]+"]));
    for (text, out) in [
        (r#"{"a":"x EMP-1234 y EMP-5678","b":["EMP-12"]}"#, r#"{"a":"x X y X","b":["EMP-12"]}"#),
        (r#"{"a":"ref:abc 1"}"#, r#"{"a":"ref:X 1"}"#),
        (r#"{"a":"a\nZEBRA\u0021"}"#, r#"{"a":"a\nX!"}"#),
        (r#"{"a":7712,"b":[77.5e1,-771,1771],"c":77}"#, r#"{"a":X,"b":[77.5e1,X,1771],"c":77}"#),
        (r#"{"s":"{\"a\":\"EMP-1234\"}"}"#, r#"{"s":"{\"a\":\"X\"}"}"#.replace("\\\"X\\\"", "X").as_str()),
        (r#"{"a":"Bearer zebra1"}"#, r#"{"a":"Bearer X"}"#),
    ] {
        let got = short(&rules, text).replace("\\\"X\\\"", "X");
        assert_eq!(got, out, "{text}");
    }
    assert_eq!(mask_text(&rules, "id EMP-1234 token=EMP-1"), "id ***MASKED*** token=***MASKED***");
    assert_eq!(mask_header_value(&rules, "X-Id", "EMP-1234"), PLACEHOLDER);
    assert_eq!(
        mask_header_value(&rules, "Referer", "https://h/EMP-1234?a=EMP-9999"),
        "https://h/***MASKED***?a=***MASKED***"
    );
    let form = mask_body(&rules, Some("application/x-www-form-urlencoded"), b"a=EMP%2D1234&b=1").text;
    assert_eq!(form, "a=***MASKED***&b=1");
    assert_eq!(mask_body(&rules, None, b"hello EMP-1234").fields_masked, 1);
}

#[test]
fn a_pattern_does_not_cut_the_placeholder() {
    let rules = rules(|c| c.patterns = list(&["MASK", "[a-z]+ \\*+M", "\\*"]));
    assert_eq!(mask_text(&rules, "x password=abc"), "x password=***MASKED***");
    assert_eq!(mask_text(&rules, "to Bearer abc *"), "to B***MASKED*** ***MASKED***");
}

#[test]
fn addresses_are_masked_when_asked() {
    let on = rules(|c| c.emails = true);
    let text = r#"{"a":"mail jo@example.com now","b":["x\u0040y.io"],"jo@x.io":1,"c":"@jo"}"#;
    assert_eq!(short(&on, text), r#"{"a":"mail X now","b":[X],X:1,"c":"@jo"}"#);
    assert_eq!(body(&Rules::default(), text), text);
    assert_eq!(mask_text(&on, "from jo@x.io: hi"), "from ***MASKED***: hi");
    assert_eq!(mask_header_value(&on, "From", "Jo <jo@x.io>"), "Jo <***MASKED***>");
    let form = mask_body(&on, Some("application/x-www-form-urlencoded"), b"to=jo%40x.io&b=1").text;
    assert_eq!(form, "to=***MASKED***&b=1");
}

#[test]
fn the_users_rules_agree_in_one_pass_and_in_all_orders() {
    // With every kind of rule at once nothing breaks, and what no rule of the user's touches is masked as before.
    let own = rules(|c| {
        c.paths = list(&["*.nothing", "a.b.c.d"]);
        c.allow_paths = list(&["*.nobody"]);
        c.patterns = list(&["neverthere[0-9]+"]);
    });
    let mut random = Random(5);
    for _ in 0..1500 {
        let text = serde_json::to_string(&random.value(0)).unwrap();
        assert_eq!(body(&own, &text), body(&Rules::default(), &text), "{text}");
    }
}

// ---- explanations

#[test]
fn an_explanation_names_rules_and_entries() {
    let own = rules(|c| {
        c.body_fields = list(&["blood type"]);
        c.paths = list(&["items[*].code"]);
        c.patterns = list(&["EMP-[0-9]+"]);
        c.emails = true;
    });
    let text = r#"{"user":{"userPassword1":"a","bloodType":"0"},"items":[{"code":1,"note":"card 4111111111111111"}],
        "h":[["Cookie","b"]],"p":{"value":"c","name":"token"},"t":{"columns":["id","pin"],"rows":[[1,2]]},"key":"k",
        "s":"{\"secret\":1}","e":"EMP-12 jo@x.io","n":5500000000000004,"sk_live_0123456789ab":1,"x y":"password=q"}"#;
    let (value, json, masked) = explained(&own, Some("application/json; charset=utf-8"), text);
    let rows: Vec<String> = value["masked"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            let of = |key: &str| e.get(key).map_or("-".to_owned(), |v| v.to_string().trim_matches('"').to_owned());
            format!("{} {} {} {} {}", e["path"].as_str().unwrap(), of("at"), of("rule"), of("entry"), of("by"))
        })
        .collect();
    let expected = [
        "user.userPassword1 - name password default",
        "user.bloodType - name bloodtype user",
        "items[0].code - path items[*].code user",
        "items[0].note 5 value card number default",
        "t.rows[0][1] - table pin default",
        "s(json).secret - name secret default",
        "e 7 value e-mail default",
        "e - pattern mask_patterns[0] user",
        "n - value card number default",
        "[\"***MASKED***\"] - value secret as a name default",
        "[\"x y\"] 9 name password default",
        "h[0][1] - pair cookie default",
        "p.value - pair token default",
        "key - name key default",
    ];
    assert_eq!(rows, expected, "{json}");
    assert_eq!(value["fields_masked"], expected.len());
    assert_eq!(masked.fields_masked as usize, expected.len());
    assert_eq!((&value["kind"], &value["content_type"]), (&json!("json"), &json!("application/json")));
    assert_eq!(value["size"], text.len());
}

#[test]
fn an_explanation_of_each_kind() {
    let rules = Rules::default();
    let rows = |kind: Option<&str>, text: &str| {
        let (value, _, _) = explained(&rules, kind, text);
        let rows = value["masked"].as_array().unwrap().iter().map(|e| {
            format!(
                "{}|{}|{}",
                e["path"].as_str().unwrap(),
                e["rule"].as_str().unwrap(),
                e["entry"].as_str().unwrap_or("-")
            )
        });
        (value["kind"].as_str().unwrap().to_owned(), rows.collect::<Vec<_>>())
    };
    let some = |kind: &str, entries: &[&str]| (kind.to_owned(), list(entries));
    assert_eq!(
        rows(Some("application/x-www-form-urlencoded"), "user[pin]=1&a=Bearer+abc&j=%7B%22pin%22%3A1%7D&z=%FF"),
        some("form", &["user.pin|name|pin", "a|value|bearer", "j(json).pin|name|pin", "z|unreadable|-"])
    );
    assert_eq!(
        rows(
            Some("text/plain"),
            "password: a b\nurl https://jo:x@h/?code=1 -----BEGIN KEY-----\nx\n-----END KEY-----\neyJhbGciOiJIUzI1NiJ9.e30.abc and credit card number: 7"
        ),
        some(
            "text",
            &["|name|password", "|value|url user", "|name|code", "|value|pem block", "|value|jwt", "|name|card number"]
        )
    );
    assert_eq!(
        rows(
            Some("message/http"),
            "GET /x HTTP/1.1\r\nAuthorization: Basic abc\r\nX-User-Email: a\r\nCookie: a=b\r\nReferer: http://h/?token=1\r\nAccept: x\r\n\r\nsecret: 1"
        ),
        some(
            "headers",
            &["Authorization|name|authorization", "X-User-Email|name|email", "Cookie|cookie|-", "Referer.token|name|token"]
        )
    );
    assert_eq!(
        rows(Some("text/event-stream"), "data: {\"pin\":1}\n"),
        some("events", &["[0].data(json).pin|name|pin"])
    );
    let parts = "--b\r\nContent-Disposition: form-data; name=\"pin\"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name=\"j\"\r\nContent-Type: application/json\r\n\r\n{\"pin\":1}\r\n--b--\r\n";
    assert_eq!(
        rows(Some("multipart/form-data; boundary=b"), parts),
        some("multipart", &["pin|name|pin", "j.pin|name|pin"])
    );
    assert_eq!(rows(Some("image/png"), "x"), some("described", &[]));
    assert_eq!(rows(None, ""), some("empty", &[]));
    let (value, _, _) = explained(&rules, Some("application/json"), "{\"pin\":1,\"a\":tru");
    assert_eq!((&value["broke_at"], &value["masked"][0]["path"]), (&json!(13), &json!("pin")));
    let (value, _, _) = explained(&rules, Some("application/json"), &format!("[{}1]", "{\"pin\":1},".repeat(1500)));
    assert_eq!((value["masked"].as_array().unwrap().len(), &value["fields_masked"]), (1000, &json!(1500)));
    assert_eq!(value["truncated_list"], true);
    let failing = |_: &str, _: &[u8]| None;
    let (json, _) = explain::explain(&rules, Some(&failing), &Body::new(None, b"secret stuff"));
    assert!(json.contains(r#""kind":"callback""#) && json.contains(r#""rule":"callback""#), "{json}");
}

#[test]
fn an_explanation_counts_what_is_masked_and_holds_no_secret() {
    let own = rules(|c| {
        c.emails = true;
        c.patterns = list(&["[A-Z]q9X[a-z]+W7", "\\bhunter[0-9]"]);
        c.paths = list(&["a", "*.name", "items[*]"]);
        c.allow_paths = list(&["user", "*.value"]);
        c.allow_fields = list(&["password"]);
    });
    let mut bodies: Vec<(String, String)> = planted().into_iter().map(|(k, t)| (k.to_owned(), t)).collect();
    bodies.extend(tests_formats::planted().into_iter().map(|(k, t)| (k.to_owned(), t)));
    bodies.extend(tests_formats::planted().into_iter().map(|(_, t)| ("".to_owned(), t)));
    // Formats in each other.
    for (_, text) in tests_formats::planted() {
        bodies.push(("application/json".into(), json!({ "a b": [text], "c": { "value": text, "d": 1 } }).to_string()));
        bodies.push(("text/xml".into(), format!("<a><b>{}</b></a>", text.replace('&', "&amp;").replace('<', "&lt;"))));
        let lines: String = text.split(['\n', '\r']).map(|line| format!("data: {line}\n")).collect();
        bodies.push(("text/event-stream".into(), format!("event: x\n{lines}\nevent: token\ndata: {SECRET}\n\n")));
        bodies.push(("text/csv".into(), format!("a,b\n1,\"{}\"\n", text.replace('"', "\"\""))));
        let part = format!("Content-Disposition: form-data; name=f; filename*=utf-8''a\r\n\r\n{text}");
        bodies.push(("multipart/mixed; boundary=Oq".into(), format!("--Oq\r\n{part}\r\n--Oq--\r\n")));
    }
    let mut random = Random(99);
    bodies.extend((0..600).map(|_| ("application/json".to_owned(), serde_json::to_string(&random.value(0)).unwrap())));
    for broken in [r#"{"a":[["#, r#"{"a":[["x"],v"#, r#"{"a":[[value]=Z"#] {
        bodies.push(("application/json".into(), broken.to_owned()));
    }
    bodies.push(("application/json".into(), format!(r#"{{"value":{{"{SECRET}":{{"token":1}}}},"name":"token"}}"#)));
    for (kind, text) in bodies {
        let kind = (!kind.is_empty()).then_some(kind.as_str());
        let ends: Vec<usize> = if text.contains(SECRET) {
            (1..=text.len()).step_by(1 + text.len() / 60).chain([text.len()]).collect()
        } else {
            vec![text.len()]
        };
        for end in ends.into_iter().filter(|end| text.is_char_boundary(*end)) {
            let text = &text[..end];
            for rules in [&Rules::default(), &own] {
                let (value, json, masked) = explained(rules, kind, text);
                assert_eq!(value["fields_masked"], masked.fields_masked, "{kind:?} {text}\n{json}");
                assert_eq!(value.get("unlisted"), None, "{kind:?} {text}\n{json}");
                assert_eq!(masked, mask_body(rules, kind, text.as_bytes()), "{text}");
                let cut = Body::beginning(kind, text.as_bytes(), text.len() as u64 + 1);
                let (of_cut, masked_cut) = explain::explain(rules, None, &cut);
                assert_eq!(masked_cut, mask_content(rules, None, &cut), "{text}");
                assert!(!of_cut.contains("\"unlisted\""), "{kind:?} {text}\n{of_cut}");
                assert!(of_cut.contains(&format!("\"fields_masked\":{}", masked_cut.fields_masked)), "{of_cut}");
                if text.contains(SECRET) {
                    // (The name of a member may be shown, where it is not masked itself.)
                    assert!(!json.contains(&SECRET[..8]) || masked.text.contains(&SECRET[..8]), "{json}");
                    assert!(!of_cut.contains(&SECRET[..8]) || masked_cut.text.contains(&SECRET[..8]), "{of_cut}");
                }
            }
        }
    }
}
