//! The user's own rules hold in every format that is understood, not in JSON alone.

use super::own_tests::{list, rules};
use super::*;

const MULTIPART: &str = "multipart/form-data; boundary=Bq";

/// `@` stands in harmless places: under no sensitive name, beside none.
fn harmless() -> Vec<(&'static str, &'static str)> {
    vec![
        ("application/json", r#"{"a":"@","b":["x @ y",{"c":"{\"d\":\"@\"}"}],"e":"<r s=\"@\">@<!-- @ --></r>","f":"a=@&b=1"}"#),
        ("application/json", r#"{"a":"query Q { b(c: \"@\", d: [@]) { e } }","u":"https://h/@/x?a=@#@"}"#),
        (
            "application/xml",
            "<?xml version=\"1.0\"?><!DOCTYPE r SYSTEM \"http://h/@\"><r a=\"@\" xmlns=\"urn:@\" xmlns:b='u:@'><!-- @ --><b:c>@</b:c><d>x &#64;<![CDATA[ @ ]]> y@</d><e>{\"f\":\"@\"}</e><?p @?>\
             <f>&lt;g h=\"@\"&gt;@&lt;/g&gt;</f><name>n</name><value>@</value><h id='@'/></r>",
        ),
        (
            "text/html",
            "<!doctype html><title>@</title><!-- @ --><p class=@ id='@'>@<br>x <b>@</b></p><a href=\"/x/@?y=@\">l</a><textarea>@</textarea>\
             <input name=color value=\"@\"><select><option value=@>@</option></select><script type=x>{\"a\":\"@\"}</script><?p @><![CDATA[ @ ]]>",
        ),
        (
            "application/graphql",
            "\"@\" query Q($a: String = \"@\") { # @\n b(c: \"@\", d: [\"@\"], e: {f: \"\"\"@\"\"\"}, u: \"/x/@?y=@\") { g } h(i: \"{\\\"j\\\":\\\"@\\\"}\") }",
        ),
        ("text/csv", "a,b,c\n1,@,\"x \"\"@\"\"\"\n@,2,\"{\"\"d\"\":\"\"@\"\"}\"\n\nd,e\n@,1\n"),
        // (An address is no column's name: described.)
        ("text/csv; header=present", "a,b @,c\n1,@,x\n"),
        ("text/tab-separated-values", "a\tb\n@\t/x/@?y=@\n"),
        ("text/event-stream", ": @\nevent: @\nid: @\nretry: @\ndata: x @\ndata: @\n\ndata: {\"a\":\ndata: \"@\"}\n\ndata: <a b='@'>@</a>\n\n@: x\n"),
        ("application/x-www-form-urlencoded", "a=@&@=1&b[@]=2&c=x+@&@&d=%7B%22e%22%3A%22@%22%7D&f=1;g=@"),
        ("", "a=@&@=1&c[@]=x"),
        ("", "/x/@/y?a=@&@=1#@"),
        ("", "https://h/x/@?a=@"),
        ("text/plain", "x @ y\n@\n"),
        (
            MULTIPART,
            "--Bq\r\nContent-Disposition: form-data; name=\"a @\"; filename=\"@.txt\"\r\nContent-Type: text/plain\r\n\r\n@\r\n\
             --Bq\r\nContent-Disposition: form-data; name=b\r\n\r\nx @\r\n--Bq\r\nContent-ID: <@>\r\nContent-Location: http://h/@/x\r\n\r\n{\"a\":\"@\"}\r\n\
             --Bq\r\nContent-Disposition: @; name=c\r\nContent-Type: text/xml\r\n\r\n<a b=\"@\">@</a>\r\n\
             --Bq\r\nContent-Disposition: form-data; name*=utf-8''d@\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nx=20@\r\n\
             --Bq\r\nContent-Type: multipart/mixed; boundary=In\r\n\r\n--In\r\nContent-Type: text/csv\r\n\r\na,b\r\n1,@\r\n--In--\r\n--Bq--\r\n",
        ),
    ]
}

const SECRETS: [&str; 3] = ["Zq9XsecretW7", "Zq9XblueW7", "jo.q9.blue@example.com"];

#[test]
fn patterns_and_addresses_are_found_in_every_text_that_is_kept() {
    let own = rules(|c| {
        c.patterns = list(&["[A-Z]q9X[a-z]+W7"]);
        c.emails = true;
    });
    for secret in SECRETS {
        for (kind, text) in harmless() {
            let text = text.replace('@', secret);
            let kind = (!kind.is_empty()).then_some(kind);
            for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
                let body = Body::beginning(kind, &text.as_bytes()[..end], text.len() as u64);
                for out in [mask_body(&own, kind, &text.as_bytes()[..end]), mask_content(&own, None, &body)] {
                    assert!(!out.text.contains(secret), "{kind:?} cut at {end}: {}", out.text);
                }
            }
            if kind.is_some_and(|kind| kind.ends_with("present")) {
                continue;
            }
            // All of it is shown, and without these rules so are the secrets.
            let out = mask_body(&own, kind, text.as_bytes());
            assert!(!out.text.contains("not captured from") && !out.whole, "{kind:?} {}", out.text);
            assert!(out.text.contains(PLACEHOLDER) && out.fields_masked > 1, "{kind:?} {}", out.text);
            if secret == SECRETS[1] {
                let out = mask_body(&Rules::default(), kind, text.as_bytes());
                assert!(out.text.matches(secret).count() > 1, "{kind:?} {}", out.text);
            }
            let told = explain_content(&own, None, &Body::new(kind, text.as_bytes()));
            assert!(!told.contains("q9") && !told.contains("unlisted"), "{told}");
        }
        for (name, value) in [
            ("X-Note", "a @ b"),
            ("Referer", "https://h/x/@/y?a=@&@=1#@"),
            (":path", "/x/@?b=@"),
            ("Location", "/@#a=@"),
            ("Content-Disposition", "attachment; filename=\"@\""),
            ("Set-Cookie", "a=1; Path=/@; Domain=@"),
            ("Cookie", "@=1; @"),
            ("WWW-Authenticate", "Bearer realm=\"@\""),
            ("X-Xml", "<a b='@'>@</a>"),
            ("User-Agent", "(@)"),
        ] {
            let out = mask_header_value(&own, name, &value.replace('@', secret)).into_owned();
            assert!(!out.contains("q9") && out.contains(PLACEHOLDER), "{name}: {out}");
        }
    }
}

/// A field `#` with the value `@` in every format; `+` where a name cannot have a blank.
const FIELDS: &[(&str, &str)] = &[
    ("application/json", r##"{"#":"@","a":[{"#":["@"]}],"p":{"name":"#","value":"@"},"s":"{\"#\":\"@\"}","t":"#=@ x","x":"<#>@</#>"}"##),
    ("application/xml", "<r #=\"@\"><#>@</#><a><#><b>@</b></#></a><n:# xmlns:n='u'>@</n:#><p name='#'>@</p><k><name>#</name><value>@</value></k><q>#: <b>@</b></q><!-- #=@ --><j>{\"#\":\"@\"}</j></r>"),
    ("text/html", "<form><input name=# value=@><label>#: <b>@</b></label><textarea name='#'>@</textarea><table><tr><td>#<td>@</table><dl><dt>#<dd>@</dd></dl><div data-#=\"@\">x</div><meta name=# content='@'></form>"),
    ("application/graphql", "query Q($#: String = \"@\") { a(#: \"@\", in: {#: [\"@\"]}, p: {name: \"#\", value: \"@\"}, l: [\"#\", \"@\"]) { # } #(value: \"@\") { id } }"),
    ("text/csv", "id,#,n\n1,@,x\n2,\"@\",y\n"),
    ("text/csv", "k,v\n#,@\ncolor,blue\n"),
    ("text/csv", "id,name,value\n1,#,@\n"),
    ("text/event-stream", "event: #\ndata: @\n\ndata: {\"#\":\ndata: \"@\"}\n\ndata: #=@\n\n"),
    ("application/x-www-form-urlencoded", "#=@&u[#]=@&f[0][name]=#&f[0][value]=@&j=%7B%22#%22%3A%22@%22%7D"),
    ("", "/x?#=@&a=1"),
    ("text/plain", "x #=@ y\n#: @"),
    (
        MULTIPART,
        "--Bq\r\nContent-Disposition: form-data; name=\"#\"\r\n\r\n@\r\n--Bq\r\nContent-Disposition: form-data; name=f[name]\r\n\r\n#\r\n\
         --Bq\r\nContent-Disposition: form-data; name=f[value]\r\n\r\n@\r\n--Bq\r\nContent-Disposition: form-data; name=j\r\nContent-Type: application/json\r\n\r\n{\"#\":\"@\"}\r\n\
         --Bq\r\nContent-ID: <#>\r\n\r\n@\r\n--Bq\r\nContent-Type: multipart/mixed; boundary=In\r\n\r\n--In\r\nContent-Type: text/xml\r\n\r\n<a><#>@</#></a>\r\n--In--\r\n--Bq--\r\n",
    ),
];

#[test]
fn names_that_are_allowed_or_added_are_so_in_every_format() {
    let allowing = rules(|c| c.allow_fields = list(&["email", "password"]));
    let adding = rules(|c| c.body_fields = list(&["flavour"]));
    let both = rules(|c| {
        c.allow_fields = list(&["email", "password"]);
        c.body_fields = list(&["password", "Flavour"]);
    });
    for (kind, text) in FIELDS {
        let kind = (!kind.is_empty()).then_some(*kind);
        let text = |name: &str| text.replace('#', name).replace('@', "q9x");
        let out = |rules: &Rules, name: &str| {
            let text = text(name);
            let out = mask_body(rules, kind, text.as_bytes());
            assert!(!out.whole && !out.text.contains("not captured"), "{kind:?} {text} {}", out.text);
            (out.text.replace("\r\n", "\n"), text.replace("\r\n", "\n"))
        };
        for (rules, name) in [
            (&Rules::default(), "email"),
            (&Rules::default(), "password"),
            (&adding, "flavour"),
            (&adding, "email"),
            (&both, "password"),
            (&both, "flavour"),
        ] {
            let (out, text) = out(rules, name);
            assert!(!out.contains("q9x"), "{kind:?} {text}\n{out}");
        }
        for (rules, name) in
            [(&Rules::default(), "flavour"), (&allowing, "email"), (&allowing, "password"), (&both, "email")]
        {
            let (out, text) = out(rules, name);
            assert_eq!(out.matches("q9x").count(), text.matches("q9x").count(), "{kind:?} {text}\n{out}");
            assert!(!out.contains(PLACEHOLDER), "{kind:?} {text}\n{out}");
        }
    }
}

#[test]
fn an_allowed_path_in_a_form_is_not_masked_by_a_neighbour() {
    let own = rules(|c| {
        c.allow_paths = list(&["f[0].value", "open"]);
        c.paths = list(&["g.value"]);
    });
    let form = "f[0][name]=password&f[0][value]=a&f[1][name]=pin&f[1][value]=b&open[name]=pin&open[value]=c&g[value]=d";
    let out = mask_body(&own, Some("application/x-www-form-urlencoded"), form.as_bytes()).text;
    assert_eq!(out, form.replace("=b", "=***MASKED***").replace("=d", "=***MASKED***"));
    let cut = Body::beginning(Some("application/x-www-form-urlencoded"), b"open[value]=a&value=b&x", 99);
    assert!(mask_content(&own, None, &cut).text.starts_with("open[value]=a&value=***MASKED***&"));
    let part =
        |name: &str, value: &str| format!("--Bq\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let text = [part("open[name]", "pin"), part("open[value]", "c"), part("f[name]", "pin"), part("f[value]", "d")];
    let out = mask_body(&own, Some(MULTIPART), format!("{}--Bq--\r\n", text.concat()).as_bytes()).text;
    assert!(out.contains("\r\nc\r\n") && !out.contains("\r\nd\r\n"), "{out}");
    let told = explain_content(&own, None, &Body::new(Some("application/x-www-form-urlencoded"), form.as_bytes()));
    assert!(told.contains(r#"{"path":"f.1.value","rule":"pair","entry":"pin","by":"default"}"#), "{told}");
    assert!(told.contains(r#"{"path":"g.value","rule":"path","entry":"g.value","by":"user"}"#), "{told}");
}
