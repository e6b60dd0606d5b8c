//! A planted secret is in no output: markup, GraphQL, tables, event streams, multipart and forms, cut off anywhere and
//! under any type.

use std::time::{Duration, Instant};

use super::*;

/// Does this take no more than linear time on hostile text? By the processor time of eight times a small one and of one eight times as
/// long: the same when linear, eight times as much when quadratic. What others do on the machine hardly counts.
pub(super) fn is_linear(work: impl Fn(&str), text: impl Fn(usize) -> String) -> bool {
    let (small, large) = (text(4_000), text(32_000));
    let (mut many, mut one) = (Duration::MAX, Duration::MAX);
    (0..8).any(|_| {
        many = many.min(cost(|| (0..8).for_each(|_| work(&small))));
        one = one.min(cost(|| work(&large)));
        one < many * 3
    })
}

/// The processor time of this thread where the system tells it, else the time.
fn cost(work: impl FnOnce()) -> Duration {
    let cpu = || {
        // (The scheduler counts when it is entered.)
        std::thread::yield_now();
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        told.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    let began = Instant::now();
    let before = cpu();
    work();
    match (before, cpu()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => began.elapsed(),
    }
}

#[test]
fn what_takes_more_than_linear_time_is_told() {
    let text = |len: usize| "a".repeat(len);
    let count = |text: &str| text.bytes().filter(|b| std::hint::black_box(*b) == b'b').count();
    assert!(is_linear(|text| assert_eq!(count(text), 0), text));
    assert!(!is_linear(|text| (0..text.len()).step_by(100).for_each(|i| assert_eq!(count(&text[i..]), 0)), text));
}

/// `@` stands for the secret, `§` for an at sign.
const XML: &str = r#"<?xml version="1.0"?><!DOCTYPE e [ <!ENTITY s "@"> ]>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><w:Security xmlns:w="urn:w">
<w:UsernameToken u:Id="1"><w:Username>jo</w:Username><w:Password Type="urn:@">@</w:Password><w:Nonce>@</w:Nonce></w:UsernameToken>
<w:BinarySecurityToken>@</w:BinarySecurityToken><d:SignatureValue>@<!-- @ --></d:SignatureValue><a:Assertion><b>@</b></a:Assertion>
</w:Security></s:Header><s:Body a="n" token='@' b="?x=1&amp;access_token=@"><login><user>jo</user><pin><b>@</b><![CDATA[ @ </pin>]]><pin>@</pin>@</pin></login>
<e><key>password</key><value>@</value></e><e><value><b>@</b></value><name>pass&#119;ord</name></e><Item Name="password"><Value>@</Value></Item>
<add key="ApiKey" value="@"/><add value="@" key="Api&#x4b;ey"/><string name="api_key">@</string><dict><key>n</key><string>v</string><key>token</key><string>@</string></dict>
<member><value><string>@</string></value><name>password</name></member><x>{"secret":"@","n":1}</x><x>&lt;pin a="@"&gt;@&lt;/pin&gt;</x><x><![CDATA[<r><entry key="pin">@</entry></r>]]></x>
<x>password: <b>@</b> @</x><x>Bearer <i>@</i></x><!-- <input name="password" value="@"/> --><?p password="@"?><api key="@"/><x>https://u:@§h/</x></s:Body></s:Envelope>"#;

const HTML: &str = r#"<!doctype html><html><head><title>t</title><meta name="csrf-token" content="@"><meta content=@ name=csrf-token>
<script>var token = "@";</script><style>a { b: "@" }</style><script type="application/json">{"token":"@","a":"<\/script>"}</script></head><body>
<h1>Account</h1><p>one<p>two<form action="/login?token=@"><input type=hidden name=csrf value=@><input type="password" value='@'><input name="user[password]" value="@" data-old="@"><br>
<textarea name=password>@ </b> @</textarea><select name=pin><option value=@>@<option>@</select><label>Password: <b>@</b></label></form>
<ul><li>a<li>b</ul><table><tr><th>Password<td>@<tr><td>Api key</td><td>@</td></table><dl><dt>Password<dd>@</dd></dl><b>Token</b>: @
<div data-password="@" onclick="login('x', {password: '@'})">x < y</div><a href="https://h/?a=1&token=@">l</a><!-- token=@ --><span id=user-password>@</span><pin>@"#;

const GRAPHQL: &str = "mutation Login($password: String = \"@\", $n: [Int!]! = [1]) §auth(token: \"@\") { # password: @
  login(password: \"@\", pin: 123, in: {user: \"jo\", secret: {a: [\"@\", {b: \"@ }\"}]}, token: @}, n: $n) { id token }
  a: setPassword(value: \"@\") { ok } b(in: {name: \"password\", value: \"@\"}, c: {value: [\"@\"], name: \"pin\"}, d: [\"Cookie\", \"@\"])
  c(text: \"\"\"{\"secret\":\"@\"}\"\"\", url: \"https://h/?token=@\", auth: \"Bearer \\u0041@\") { key(key: \"@\") }
}";

const CSV: &str = "id,\"Password\",note,url\r\n1,@,\"password: @\",https://h/?token=@\r\n2,\"a \"\"@\"\"\r\n@, @\",{},x\r\n3,\"@\",\"{\"\"pin\"\":\"\"@\"\"}\",y\r\n4,x,y,z,@\r\n";

const PAIRS: &str = "key;value\npassword;@\ncolor;blue\ntoken:;\"@\n@\"\n";

const EVENTS: &str = ": token=@\nevent: a\nid: token=@\ndata: {\"password\":\ndata:  \"@\",\ndata: \"a\":1}\n\rdata: token=@\r\rdata:<pin>\r\ndata:@</pin>\r\n\r\nevent: token\ndata: @\n\ndata: {\"a\":[{\"pin\":{\"x\":\"@\"}}]}\ndata: {\"pin\":\"@\"}\n\n@: x\n@\n\n";

const FORM: &str = "First+Name=Jo&f[0][name]=password&f[0][value]=@&f[1][name]=api+key&f[1][value]=@&New%20password=@&key=token&value=@";

fn parts() -> String {
    [
        "--Bq\r\nContent-Disposition: form-data; name*=UTF-8''pass%77ord\r\n\r\n@\r\n",
        "--Bq\r\nContent-Disposition: form-data; name*0=\"pass\"; name*1=\"word\"\r\n\r\n@\r\n",
        "--Bq\r\nContent-Disposition: form-data; name=\"f[value]\"\r\n\r\n@\r\n",
        "--Bq\r\nContent-Disposition: form-data; name=\"f[name]\"\r\n\r\npassword\r\n",
        "--Bq\r\nContent-Type: multipart/mixed; boundary=In\r\n\r\n--In\r\nContent-ID: <token@h>\r\n\r\n@\r\n",
        "--In\r\nContent-Type: application/xml\r\n\r\n<a><pin>@</pin></a>\r\n--In--\r\n",
        "--Bq\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ntok=65n=3D@ x\r\n",
        "--Bq\r\nContent-Disposition: form-data; name=a; name=password\r\n\r\n@\r\n--Bq--\r\n",
    ]
    .concat()
    .replace("token@h", "token§h")
}

/// What stands in no output.
const MARK: &str = "Zq9";

pub(super) fn planted() -> Vec<(&'static str, String)> {
    [
        ("application/soap+xml", XML.to_owned()),
        ("text/html", HTML.to_owned()),
        ("application/graphql", GRAPHQL.to_owned()),
        ("text/csv", CSV.to_owned()),
        ("text/csv", PAIRS.to_owned()),
        ("text/event-stream", EVENTS.to_owned()),
        ("application/x-www-form-urlencoded", FORM.to_owned()),
        ("multipart/form-data; boundary=Bq", parts()),
    ]
    .map(|(kind, text)| (kind, text.replace('@', "Zq9XsecretW7").replace('§', "@")))
    .to_vec()
}

fn outputs(kind: &str, text: &str, end: usize) -> [String; 2] {
    let rules = Rules::default();
    let kind = (!kind.is_empty()).then_some(kind);
    let bytes = text.as_bytes().get(..end).unwrap_or_default();
    let cut = mask_content(&rules, None, &Body::beginning(kind, bytes, text.len() as u64));
    [mask_body(&rules, kind, bytes).text, cut.text]
}

#[test]
fn a_planted_secret_is_in_no_output_of_its_format_at_any_cut() {
    for (kind, text) in planted() {
        for end in 0..=text.len() {
            for out in outputs(kind, &text, end) {
                assert!(!out.contains(MARK), "{kind} cut at {end}: {out}");
            }
        }
    }
}

/// The documents are not simply described, and what is no secret is there.
#[test]
fn what_stands_beside_the_secrets_is_shown() {
    let shown = [
        "</s:Envelope>",
        "<p>two<form",
        "a: setPassword(",
        "3,***",
        "color;blue",
        "event: token",
        "First+Name=Jo",
        "--In--",
    ];
    for ((kind, text), shown) in planted().into_iter().zip(shown) {
        let out = mask_body(&Rules::default(), Some(kind), text.as_bytes()).text;
        assert!(out.contains(shown) && out.matches(PLACEHOLDER).count() > 1, "{kind}: {out}");
    }
}

#[test]
fn a_planted_secret_is_in_no_output_under_another_type() {
    let kinds = [
        "",
        "text/plain",
        "application/json",
        "application/xml",
        "text/html",
        "application/graphql",
        "text/csv",
        "text/tab-separated-values",
        "text/event-stream",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=Bq",
        "application/octet-stream",
        "application/yaml",
    ];
    for (own, text) in planted() {
        for kind in kinds {
            // A stream of events is text to a reader who does not know better, and fields of two columns are prose.
            let text_rules = ["", "text/plain", "text/html", "application/graphql"].contains(&kind);
            if text_rules && (own == "text/event-stream" || text.starts_with("key;")) {
                continue;
            }
            for end in (0..=text.len()).step_by(13).chain([text.len()]) {
                for out in outputs(kind, &text, end) {
                    assert!(!out.contains(MARK), "{own} as {kind:?} cut at {end}: {out}");
                }
            }
        }
    }
}

#[test]
fn variables_of_a_request_in_json_are_masked_by_what_they_are_bound_to() {
    let json = |text: &str| mask_body(&Rules::default(), Some("application/json"), text.as_bytes()).text;
    let query = r#""query":"mutation($p: String!, $n: String){login(password: $p, nick: $n){id}}""#;
    let request = format!(r#"{{{query},"variables":{{"p":"x","n":"y"}}}}"#);
    let masked = request.replace(r#""x""#, r#""***MASKED***""#);
    assert_eq!(json(&request), masked);
    assert_eq!(json(&format!("[{request},{request}]")), format!("[{masked},{masked}]"));
    assert_eq!(json(&format!(r#"{{"payload":{request}}}"#)), format!(r#"{{"payload":{masked}}}"#));
    // The variables may come first, and the document may be cut off.
    let first = format!(r#"{{"variables":{{"p":"x","n":"y"}},{query}}}"#);
    assert_eq!(json(&first), first.replace(r#""x""#, r#""***MASKED***""#));
    let cut = r#"{"variables":{"p":"x"},"query":"mutation($p: String!){login("#;
    assert!(!json(cut).contains(r#""x""#));
    // Bound to nothing of the kind, or no GraphQL at all.
    for text in [
        r#"{"query":"query($p: ID){user(id: $p){id}}","variables":{"p":"x"}}"#,
        r#"{"query":"shoes","variables":{"p":"x"}}"#,
    ] {
        assert_eq!(json(text), text);
    }
    let told = explain_content(&Rules::default(), None, &Body::new(Some("application/json"), request.as_bytes()));
    assert!(told.contains(r#""path":"variables.p","rule":"path","entry":"p","by":"default""#), "{told}");
    // There is always room, or nothing is shown.
    let paths = (0..64).map(|n| format!("a{n}")).collect();
    let rules = Rules::new(&RulesConfig { paths, ..RulesConfig::default() }).unwrap();
    assert!(mask_body(&rules, Some("application/json"), request.as_bytes()).whole);
    let paths = (0..60).map(|n| format!("a{n}")).collect();
    let rules = Rules::new(&RulesConfig { paths, ..RulesConfig::default() }).unwrap();
    assert!(!mask_body(&rules, Some("application/json"), request.as_bytes()).text.contains(r#""x""#));
}
