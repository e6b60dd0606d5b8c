//! Values of headers (and of RPC and message metadata, which are the same thing).

use std::borrow::Cow;

use super::explain::Why;
use super::names::{Hit, NameSet, Place};
use super::{form, hints, Rules, PLACEHOLDER};

/// Masked as a whole in addition to every name that the body list knows.
pub(super) const DEFAULTS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "authentication-info",
    "authentication",
    "x-authentication",
    "x-key",
    "x-session",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
    "x-xsrf-token",
    "x-amz-security-token",
    "x-amzn-oidc-data",
    "x-amzn-oidc-identity",
    "x-shopify-hmac-sha256",
    "x-client-cert",
    "x-ssl-client-cert",
    "x-forwarded-client-cert",
    "fastly-key",
    "dpop",
    "sec-websocket-protocol",
];

/// Masks one header's value.
pub(super) fn mask<'a>(rules: &Rules, name: &str, value: &'a str) -> Cow<'a, str> {
    let lower = name.trim().to_ascii_lowercase();
    match lower.as_str() {
        "cookie" => return own(rules, Cow::Owned(cookies(value))),
        "set-cookie" | "set-cookie2" => return own(rules, Cow::Owned(set_cookie(value))),
        "www-authenticate" | "proxy-authenticate" => return own(rules, challenge(value)),
        _ => {}
    }
    let named = |set: &NameSet| set.answer(name.as_bytes()).hit(Place::Field) != Hit::No;
    if named(&rules.headers) || named(&rules.fields) {
        return Cow::Borrowed(PLACEHOLDER);
    }
    if lower.ends_with("-bin") {
        // gRPC's binary metadata: base64 of what nobody here can read.
        return Cow::Owned(format!("[binary metadata, {} bytes, not captured: binary]", value.len()));
    }
    if is_url(&lower) {
        return url(rules, value);
    }
    if hints::quiet(value) && rules.own.patterns.is_empty() {
        return Cow::Borrowed(value);
    }
    match super::json::clean_string(rules, value, 0) {
        Some((clean, _)) => Cow::Owned(clean),
        None => Cow::Borrowed(value),
    }
}

/// What the user's own rules leave of a value that has a reading of its own.
fn own<'a>(rules: &Rules, value: Cow<'a, str>) -> Cow<'a, str> {
    match super::values::mask(rules, &value, None) {
        Some((clean, _)) => Cow::Owned(clean),
        None => value,
    }
}

/// Which rule masks the value of this header whole, and by which entry.
pub(super) fn why(rules: &Rules, name: &str) -> (&'static str, Option<Why>) {
    let lower = name.to_ascii_lowercase();
    if matches!(lower.as_str(), "cookie" | "set-cookie" | "set-cookie2") {
        return ("cookie", None);
    }
    if matches!(lower.as_str(), "www-authenticate" | "proxy-authenticate") {
        return ("value", Some(("challenge".to_owned(), false)));
    }
    if let Some((entry, own)) = rules.headers.why(name, Place::Field) {
        let listed = NameSet::whole(DEFAULTS.iter().copied()).why(name, Place::Field).is_some();
        return ("name", Some((if listed { lower } else { entry }, own || !listed)));
    }
    match rules.fields.why(name, Place::Field) {
        Some(why) => ("name", Some(why)),
        None => ("binary", None),
    }
}

fn is_url(lower: &str) -> bool {
    matches!(
        lower,
        "referer"
            | "referrer"
            | "location"
            | "content-location"
            | ":path"
            | "path"
            | "link"
            | "refresh"
            | "destination"
            | "origin"
    ) || lower.ends_with("-url")
        || lower.ends_with("-uri")
        || lower == "url"
        || lower == "uri"
}

/// Masks secret parameters and the user part of a URL, whole or only a path.
pub(super) fn url<'a>(rules: &Rules, value: &'a str) -> Cow<'a, str> {
    match clean_url(rules, value) {
        (_, 0) => Cow::Borrowed(value),
        (clean, _) => Cow::Owned(clean),
    }
}

/// The same, with how many values were replaced.
pub(super) fn clean_url(rules: &Rules, value: &str) -> (String, u32) {
    let (head, tail) = match value.find(['?', '#']) {
        Some(i) => value.split_at(i),
        None => (value, ""),
    };
    let mut fields = 0;
    let mut out = match super::json::clean_string(rules, head, 0) {
        Some((clean, count)) => {
            fields += count;
            clean
        }
        None => head.to_owned(),
    };
    // Query and fragment: `?a=b&c=d#access_token=x`.
    let mut rest = tail;
    while let Some(sign) = rest.chars().next() {
        let body = rest.get(sign.len_utf8()..).unwrap_or("");
        let end = body.find(['?', '#']).unwrap_or(body.len());
        let (part, next) = body.split_at(end);
        let masked = form::mask(rules, part, false);
        fields += masked.fields;
        out.push(sign);
        out.push_str(&masked.text);
        rest = next;
    }
    (out, fields)
}

/// `a=1; b=2`: names stay, values go.
fn cookies(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (i, pair) in value.split(';').enumerate() {
        if i > 0 {
            out.push_str("; ");
        }
        cookie(pair.trim(), &mut out);
    }
    out
}

fn cookie(pair: &str, out: &mut String) {
    match pair.split_once('=') {
        Some((name, _)) => {
            out.push_str(name);
            out.push('=');
            out.push_str(PLACEHOLDER);
        }
        // A cookie without a name is all value.
        None if pair.is_empty() => {}
        None => out.push_str(PLACEHOLDER),
    }
}

/// `sid=x; Path=/; HttpOnly`: the first pair is the cookie, what follows describes it.
fn set_cookie(value: &str) -> String {
    const KEPT: &[&str] = &[
        "path",
        "domain",
        "expires",
        "max-age",
        "samesite",
        "secure",
        "httponly",
        "partitioned",
        "priority",
        "version",
    ];
    let mut out = String::with_capacity(value.len());
    for (i, part) in value.split(';').enumerate() {
        let part = part.trim();
        if i > 0 {
            out.push_str("; ");
        }
        let name = part.split_once('=').map_or(part, |(name, _)| name).trim();
        // Several cookies joined by a comma (an old habit of proxies) hide in an attribute's value.
        let joined =
            part.contains(',') && !name.eq_ignore_ascii_case("expires") || part.matches(['=', ',']).count() > 2;
        if i > 0 && !joined && KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept)) {
            out.push_str(part);
        } else {
            cookie(part, &mut out);
        }
    }
    out
}

/// A challenge says how to log in and is worth seeing; `Negotiate` and `NTLM` carry tokens.
fn challenge(value: &str) -> Cow<'_, str> {
    let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    let open = ["basic", "bearer", "digest"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
    if rest.is_empty() || (open && rest.trim_start().split('=').next().is_some_and(|n| !n.is_empty() && n.len() <= 24))
    {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(format!("{scheme} {PLACEHOLDER}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> String {
        mask(&Rules::default(), name, value).into_owned()
    }

    #[test]
    fn sensitive_headers_are_masked_whole() {
        for name in [
            "Authorization",
            "PROXY-AUTHORIZATION",
            "x-api-key",
            "X-Auth-Token",
            "X-CSRF-Token",
            "X-Session-Token",
            "Api-Key",
            "X_API_KEY",
            "X-Amz-Security-Token",
            "X-Hub-Signature-256",
            "X-User-Email",
            "X-Key",
            "Key",
            "Authentication",
            "X-Session",
            "X-Pw",
        ] {
            assert_eq!(header(name, "s3cret"), PLACEHOLDER, "{name}");
        }
    }

    #[test]
    fn ordinary_headers_are_left() {
        for (name, value) in [
            ("Accept", "text/html;q=0.9, */*"),
            ("User-Agent", "curl/8.0"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("Content-Type", "multipart/form-data; boundary=abc"),
            ("Idempotency-Key", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            ("ETag", "\"abc\""),
            ("Location", "/a?b=c#d"),
            ("Cache-Control", "max-age=3600"),
            ("WWW-Authenticate", "Bearer realm=\"api\", error=\"invalid_token\""),
            ("Access-Control-Allow-Headers", "Authorization, X-Api-Key"),
        ] {
            assert_eq!(header(name, value), value, "{name}");
        }
    }

    #[test]
    fn cookies_keep_their_names() {
        assert_eq!(header("Cookie", "sid=abc; theme=dark;bare"), "sid=***MASKED***; theme=***MASKED***; ***MASKED***");
        assert_eq!(
            header("Set-Cookie", "sid=abc; Path=/; Expires=Wed, 09 Jun 2027 10:18:14 GMT; HttpOnly"),
            "sid=***MASKED***; Path=/; Expires=Wed, 09 Jun 2027 10:18:14 GMT; HttpOnly"
        );
        let joined = header("set-cookie", "a=s1; Path=/, b=s2; HttpOnly, c=s3");
        assert!(!joined.contains("s2") && !joined.contains("s3"), "{joined}");
        let joined = header("set-cookie", "a=s1; Expires=Wed, 09 Jun 2027 10:18:14 GMT, b=s2; Path=/");
        assert!(!joined.contains("s2"), "{joined}");
    }

    #[test]
    fn urls_lose_parameters_and_users() {
        assert_eq!(
            header("Referer", "https://jo:pw@h/p?token=a&x=1"),
            "https://***MASKED***@h/p?token=***MASKED***&x=1"
        );
        assert_eq!(header("Location", "/cb?code=abc&state=1"), "/cb?code=***MASKED***&state=1");
        assert_eq!(header(":path", "/x?pass%77ord=p"), "/x?pass%77ord=***MASKED***");
        assert_eq!(header("Location", "https://h/#access_token=a&b=c"), "https://h/#access_token=***MASKED***&b=c");
        assert_eq!(header("X-Original-URL", "/a?api_key=k"), "/a?api_key=***MASKED***");
    }

    #[test]
    fn secrets_in_other_headers_are_found() {
        assert_eq!(header("X-Debug", "Bearer abc.def"), "Bearer ***MASKED***");
        assert_eq!(header("X-Data", "{\"password\":\"p\"}"), "{\"password\":\"***MASKED***\"}");
        assert_eq!(header("WWW-Authenticate", "Negotiate YIIabc="), "Negotiate ***MASKED***");
        assert_eq!(header("trace-bin", "AAAA"), "[binary metadata, 4 bytes, not captured: binary]");
    }
}
