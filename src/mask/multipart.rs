//! `multipart/*`: text fields are masked by name, files are reduced to name, type and size.

use std::borrow::Cow;

use super::form::Pairs;
use super::names::{Hit, Words};
use super::{describe, json, percent, Body, Masked, Rules, PLACEHOLDER};

/// A multipart body inside so many others is described.
const MAX_LEVEL: u8 = 3;
/// A part longer than this names no other.
const MAX_VALUE: usize = 256;

/// Masks a multipart body, or `None` when it is not understood. `boundary` comes from the declared type.
pub(super) fn mask(rules: &Rules, boundary: &str, body: &Body<'_>) -> Option<Masked> {
    if body.level >= MAX_LEVEL {
        return Some(body.described("nested"));
    }
    if boundary.is_empty() || boundary.len() > 200 || !boundary.bytes().all(|b| (0x20..0x7F).contains(&b)) {
        return None;
    }
    let delimiter = format!("--{boundary}");
    let delimiter = delimiter.as_bytes();
    // What stands before the first delimiter is for readers without MIME, and is left out.
    let mut at = find_delimiter(body.bytes, 0, delimiter)?.after;
    let mut closed = false;
    let mut parts = Vec::new();
    loop {
        let Some(start) = at else {
            closed = true;
            break;
        };
        // An unfinished part, or one that is not understood, ends the output.
        let Some(next) = find_delimiter(body.bytes, start, delimiter) else { break };
        let Some(part) = read_part(body.bytes.get(start..next.start).unwrap_or(&[])) else { break };
        parts.push(part);
        at = next.after;
    }
    if parts.is_empty() && !closed {
        return None;
    }
    let mut pairs = Pairs::new(!closed);
    for part in &parts {
        if let Some(value) = part.content.get(..part.content.len().min(MAX_VALUE)).and_then(|c| str::from_utf8(c).ok())
        {
            for name in &part.names {
                pairs.note(rules, name, value);
            }
        }
    }
    let mut out = String::new();
    let mut fields = 0u32;
    for part in &parts {
        fields = fields.saturating_add(write_part(rules, part, &pairs, body, boundary, &mut out));
    }
    out.push_str("--");
    out.push_str(boundary);
    if closed {
        out.push_str("--\r\n");
    } else {
        out.push_str("\r\n");
        let reason = if body.is_cut() { "cut" } else { "malformed" };
        let kept = at.unwrap_or(0).min(body.bytes.len());
        out.push_str(&super::note::from(&body.essence, body.size, kept, reason));
    }
    Some(Masked { fields_masked: fields, ..Masked::text(out) })
}

/// The boundary of text that begins with a delimiter line and has a part's header after it.
pub(super) fn boundary_of(text: &str) -> Option<&str> {
    let (first, rest) = text.trim_start().strip_prefix("--")?.split_once('\n')?;
    let found = rest.lines().any(|line| {
        let name = line.trim_start().split_once(':').map_or("", |(name, _)| name);
        ["content-disposition", "content-type", "content-id"].iter().any(|h| name.eq_ignore_ascii_case(h))
    });
    found.then(|| first.trim_end())
}

struct Delimiter {
    /// Where the part before it ends.
    start: usize,
    /// Where the next part begins; `None` after the closing delimiter.
    after: Option<usize>,
}

/// The next delimiter line at or after `from`.
fn find_delimiter(bytes: &[u8], from: usize, delimiter: &[u8]) -> Option<Delimiter> {
    let mut line = from;
    loop {
        let rest = bytes.get(line..)?;
        if let Some(tail) = rest.strip_prefix(delimiter) {
            let mut blank = tail;
            let closing = blank.starts_with(b"--");
            if closing {
                blank = blank.get(2..).unwrap_or(&[]);
            }
            while let Some(more) = blank.strip_prefix(b" ").or_else(|| blank.strip_prefix(b"\t")) {
                blank = more;
            }
            let eol = if blank.starts_with(b"\r\n") {
                Some(2)
            } else if blank.starts_with(b"\n") {
                Some(1)
            } else if closing && blank.is_empty() {
                Some(0)
            } else {
                None
            };
            if let Some(eol) = eol {
                let mut start = line;
                if start > from && bytes.get(start - 1) == Some(&b'\n') {
                    start -= 1;
                    if start > from && bytes.get(start - 1) == Some(&b'\r') {
                        start -= 1;
                    }
                }
                let after = bytes.len() - blank.len() + eol;
                return Some(Delimiter { start, after: (!closing).then_some(after) });
            }
        }
        line += rest.iter().position(|b| *b == b'\n')? + 1;
    }
}

/// A part: what its headers say, and its content.
#[derive(Default)]
struct Part<'a> {
    /// Every name that a reader might take.
    names: Vec<String>,
    /// A name or type that cannot be told for certain: the content is not shown.
    unclear: bool,
    /// `form-data`, and the name and file name to show.
    form: String,
    name: Option<String>,
    file: Option<String>,
    kind: String,
    encoding: String,
    /// Content-ID and Content-Location.
    ids: Vec<(&'static str, String)>,
    content: Cow<'a, [u8]>,
}

/// Reads a part; `None` when it is not understood.
fn read_part(bytes: &[u8]) -> Option<Part<'_>> {
    let (head, content) = split_head(bytes)?;
    let head = std::str::from_utf8(head).ok()?;
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ").replace("\n ", " ").replace("\n\t", " ");
    let mut part = Part { content: Cow::Borrowed(content), ..Part::default() };
    for line in head.lines() {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-disposition" => {
                let parameters = parameters(value);
                if part.form.is_empty() {
                    part.form = value.split(';').next().unwrap_or("").trim().to_owned();
                }
                let (names, unclear) = named(&parameters, "name");
                let (files, _) = named(&parameters, "filename");
                part.unclear |= unclear;
                part.name = part.name.or_else(|| names.first().cloned());
                part.file = part.file.or_else(|| files.first().cloned());
                part.names.extend(names);
            }
            "content-type" => {
                part.unclear |= !part.kind.is_empty() && part.kind != value;
                value.clone_into(&mut part.kind);
            }
            "content-transfer-encoding" => {
                part.unclear |= !part.encoding.is_empty();
                part.encoding = value.to_ascii_lowercase();
            }
            "content-id" => {
                let id = value.trim_matches(['<', '>']);
                part.names.push(id.split('@').next().unwrap_or("").to_owned());
                part.ids.push(("Content-ID", value.to_owned()));
            }
            "content-location" => {
                let path = value.split(['?', '#']).next().unwrap_or("");
                part.names.push(path.rsplit('/').next().unwrap_or("").to_owned());
                part.ids.push(("Content-Location", value.to_owned()));
            }
            _ => {}
        }
    }
    if part.file.is_none() {
        let decoded = match part.encoding.as_str() {
            "base64" => Some(base64(content)),
            "quoted-printable" => Some(quoted_printable(content)),
            _ => None,
        };
        if let Some(Some(decoded)) = decoded {
            part.content = Cow::Owned(decoded);
            part.encoding.clear();
        }
    }
    Some(part)
}

/// The values of a parameter in all the ways of writing it: `name="a"`, `name*=UTF-8''a`, `name*0="a"; name*1="b"`, and
/// whether one of them cannot be read.
fn named(parameters: &[(String, String)], wanted: &str) -> (Vec<String>, bool) {
    let mut names = Vec::new();
    let mut unclear = false;
    let mut pieces: Vec<(u32, bool, &str)> = Vec::new();
    for (key, value) in parameters {
        let Some(tail) =
            key.get(..wanted.len()).filter(|k| k.eq_ignore_ascii_case(wanted)).and(key.get(wanted.len()..))
        else {
            continue;
        };
        match tail.strip_prefix('*') {
            None if tail.is_empty() => {
                // An encoded word of mail has no place here, but some readers take it.
                unclear |= value.contains("=?");
                names.push(value.clone());
            }
            None => {}
            Some("") => match extended(value) {
                Some(decoded) => names.push(decoded),
                None => unclear = true,
            },
            Some(number) => {
                let encoded = number.ends_with('*');
                match number.trim_end_matches('*').parse() {
                    Ok(number) => pieces.push((number, encoded, value)),
                    Err(_) => unclear = true,
                }
            }
        }
    }
    if !pieces.is_empty() {
        pieces.sort_by_key(|p| p.0);
        let raw: String = pieces.iter().map(|p| p.2).collect();
        // Undecoded pieces count too: a name is asked in both forms.
        match if pieces.iter().any(|p| p.1) { extended(&raw) } else { Some(raw) } {
            Some(name) => names.push(name),
            None => unclear = true,
        }
    }
    (names, unclear)
}

/// `UTF-8'en'pass%77ord` (RFC 5987).
fn extended(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, text) = match (parts.next(), parts.next(), parts.next()) {
        (Some(charset), Some(_), Some(text)) => (charset, text),
        _ => ("", value),
    };
    let charset = charset.to_ascii_lowercase();
    let plain = ["", "utf-8", "us-ascii"].contains(&charset.as_str())
        || charset.starts_with("iso-8859-")
        || charset.starts_with("windows-125");
    percent::decode(text, false).filter(|_| plain)
}

/// Writes one part.
fn write_part(rules: &Rules, part: &Part<'_>, pairs: &Pairs, body: &Body<'_>, boundary: &str, out: &mut String) -> u32 {
    let mut fields = 0u32;
    let mut show = |text: &str| {
        let clean = json::clean_plain(rules, text, 0);
        fields = fields.saturating_add(clean.as_ref().map_or(0, |(_, count)| *count));
        let mut escaped = String::new();
        json::escape(clean.as_ref().map_or(text, |(clean, _)| clean), &mut escaped);
        escaped
    };
    out.push_str("--");
    out.push_str(boundary);
    out.push_str("\r\n");
    if !part.form.is_empty() {
        out.push_str("Content-Disposition: ");
        out.push_str(super::note::safe(&show(&part.form)));
        if let Some(name) = &part.name {
            out.push_str(&format!("; name=\"{}\"", show(name)));
        }
        if let Some(file) = &part.file {
            out.push_str(&format!("; filename=\"{}\"", show(file)));
        }
        out.push_str("\r\n");
    }
    let essence = super::essence(&part.kind);
    if !essence.is_empty() {
        out.push_str("Content-Type: ");
        out.push_str(super::note::safe(&essence));
        if let Some(inner) = parameter(&part.kind, "boundary").filter(|_| essence.starts_with("multipart/")) {
            out.push_str(&format!("; boundary=\"{}\"", show(&inner)));
        }
        out.push_str("\r\n");
    }
    for (name, value) in &part.ids {
        out.push_str(&format!("{name}: {}\r\n", show(value)));
    }
    out.push_str("\r\n");
    let size = part.content.len() as u64;
    let mut words = Words::default();
    // Explanations tell the name that is shown; one out of an id that is itself masked, as an address is, is not.
    let hidden = |name: &str| part.ids.iter().any(|(_, id)| id.contains(name) && rules.finds_in_name(id));
    let other = || part.names.first().map(String::as_str).filter(|name| rules.explains() && !hidden(name));
    let shown = part.name.as_deref().or_else(other);
    let named = part.names.iter().find(|name| rules.ask_form_field(name, pairs, &mut words) != Hit::No);
    let masked = if part.unclear || named.is_some() {
        rules.tell_form_field(named.or(part.names.first()).map(String::as_str), shown, pairs);
        Masked { fields_masked: 1, ..Masked::text(PLACEHOLDER.to_owned()) }
    } else if part.file.is_some() {
        super::describe_bytes(
            if essence.is_empty() { "application/octet-stream" } else { &essence },
            &part.content,
            size,
            "file",
        )
    } else if !matches!(part.encoding.as_str(), "" | "7bit" | "8bit" | "binary") {
        describe(&essence, size, "transfer encoding")
    } else {
        let kind = if part.kind.is_empty() { "text/plain" } else { &part.kind };
        let inner = Body { level: body.level + 1, ..Body::new(Some(kind), &part.content) };
        rules.within(shown, || super::mask_content(rules, None, &inner))
    };
    out.push_str(&masked.text);
    out.push_str("\r\n");
    fields.saturating_add(masked.fields_masked)
}

/// Decodes base64, in lines or not, of either alphabet; `None` when it is none.
fn base64(content: &[u8]) -> Option<Vec<u8>> {
    use base64::engine::general_purpose::GeneralPurposeConfig;
    use base64::engine::{DecodePaddingMode, GeneralPurpose};
    use base64::Engine;
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let plain = |b: &u8| match b {
        b'-' => b'+',
        b'_' => b'/',
        b => *b,
    };
    let letters: Vec<u8> = content.iter().filter(|b| !b.is_ascii_whitespace()).map(plain).collect();
    GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT).decode(letters).ok()
}

/// Decodes quoted-printable; `None` when it is none.
fn quoted_printable(content: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(content.len());
    let mut bytes = content.iter();
    while let Some(b) = bytes.next() {
        if *b != b'=' {
            out.push(*b);
            continue;
        }
        match *bytes.next()? {
            b'\n' => {}
            b'\r' => {
                bytes.next().filter(|b| **b == b'\n')?;
            }
            high => {
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                out.push(digit(high)? << 4 | digit(*bytes.next()?)?);
            }
        }
    }
    Some(out)
}

/// Headers and content of a part.
fn split_head(part: &[u8]) -> Option<(&[u8], &[u8])> {
    // A part without headers begins with the empty line.
    for lead in [&b"\r\n"[..], &b"\n"[..]] {
        if let Some(content) = part.strip_prefix(lead) {
            return Some((&[], content));
        }
    }
    let crlf = part.windows(4).position(|w| w == b"\r\n\r\n").map(|i| (i, i + 4));
    let lf = part.windows(2).position(|w| w == b"\n\n").map(|i| (i, i + 2));
    let (end, start) = match (crlf, lf) {
        (Some(a), Some(b)) => {
            if a.0 < b.0 {
                a
            } else {
                b
            }
        }
        (a, b) => a.or(b)?,
    };
    Some((part.get(..end)?, part.get(start..)?))
}

/// A parameter of a header value: `name="a; \"b\""`.
pub(super) fn parameter(value: &str, wanted: &str) -> Option<String> {
    parameters(value).into_iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
}

/// All parameters, in their order.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut chars = value.chars().peekable();
    // The value itself stands before the first `;`.
    if chars.by_ref().find(|c| *c == ';').is_none() {
        return all;
    }
    loop {
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && *c != ';') {
            name.push(c);
        }
        match chars.next() {
            Some('=') => {}
            Some(_) => continue,
            None => return all,
        }
        while chars.next_if(|c| *c == ' ' || *c == '\t').is_some() {}
        let mut content = String::new();
        if chars.next_if_eq(&'"').is_some() {
            while let Some(c) = chars.next() {
                match c {
                    '"' => break,
                    // Browsers escape only the quote; a backslash may be part of a Windows path.
                    '\\' if chars.peek() == Some(&'"') || chars.peek() == Some(&'\\') => content.extend(chars.next()),
                    c => content.push(c),
                }
            }
            chars.by_ref().find(|c| *c == ';');
        } else {
            for c in chars.by_ref() {
                if c == ';' {
                    break;
                }
                content.push(c);
            }
            content.truncate(content.trim_end().len());
        }
        all.push((name.trim().to_owned(), content));
    }
}

#[cfg(test)]
mod tests {
    use super::super::mask_body;
    use super::*;

    fn part(head: &str, content: &str) -> String {
        format!("--x\r\n{head}\r\n\r\n{content}\r\n")
    }

    fn masked(parts: &[String]) -> String {
        let text = format!("{}--x--\r\n", parts.concat());
        mask_body(&Rules::default(), Some("multipart/form-data; boundary=x"), text.as_bytes()).text
    }

    #[test]
    fn a_name_is_found_in_every_way_of_writing_it() {
        for head in [
            "Content-Disposition: form-data; name*=UTF-8''pass%77ord",
            "Content-Disposition: form-data; name*=utf-16''a",
            "Content-Disposition: form-data; name=\"=?utf-8?B?cGFzc3dvcmQ=?=\"",
            "Content-Disposition: form-data; name*1=word; name*0=\"pass\"",
            "Content-Disposition: form-data; name*0*=UTF-8''pass; name*1*=%77ord",
            "Content-Disposition: form-data; name=\"a\"; name=\"password\"",
            "Content-Disposition: form-data; name=a\r\ncontent-disposition: form-data; NAME=password",
            "Content-Disposition: form-data;\r\n name=\"password\"",
            "Content-ID: <password@h>",
            "Content-Type: text/plain\r\nContent-Location: https://h/a/token?x",
            "Content-Type: text/plain\r\nContent-Type: application/json",
        ] {
            let out = masked(&[part(head, "hunter2")]);
            assert!(out.contains(PLACEHOLDER) && !out.contains("hunter2"), "{head}: {out}");
        }
        let out = masked(&[part("Content-Disposition: form-data; name*=UTF-8''na%C3%AFve", "x")]);
        assert!(out.contains("name=\"naïve\"\r\n\r\nx\r\n"), "{out}");
    }

    #[test]
    fn parts_name_each_other() {
        let field = |name: &str, value: &str| part(&format!("Content-Disposition: form-data; name=\"{name}\""), value);
        let out =
            masked(&[field("f[0][value]", "hunter2"), field("f[0][name]", "password"), field("f[1][value]", "y")]);
        assert!(!out.contains("hunter2") && out.contains("y\r\n"), "{out}");
        let cut = format!("{}--x\r\nContent-Disposition: form-data; na", field("value", "hunter2"));
        let kind = "multipart/form-data; boundary=x";
        let out = mask_body(&Rules::default(), Some(kind), cut.as_bytes()).text;
        assert!(!out.contains("hunter2") && out.contains("not captured from byte"), "{out}");
    }

    #[test]
    fn transfer_encodings_are_decoded() {
        for (encoding, content, expected) in [
            ("base64", "eyJwaW4iOjEs\r\nImEiOjF9", "{\"pin\":\"***MASKED***\",\"a\":1}"),
            ("Quoted-Printable", "{\"p=69n\":=\r\n1,\"a\":1}", "{\"pin\":\"***MASKED***\",\"a\":1}"),
            ("base64", "hunter2!", "[application/json, 8 bytes, not captured: transfer encoding]"),
            ("quoted-printable", "hunter2=x", "[application/json, 9 bytes, not captured: transfer encoding]"),
            ("x-uuencode", "hunter2", "[application/json, 7 bytes, not captured: transfer encoding]"),
        ] {
            let head = format!("Content-Type: application/json\r\nContent-Transfer-Encoding: {encoding}");
            let out = masked(&[part(&head, content)]);
            assert!(out.contains(expected) && !out.contains("hunter2"), "{out}");
        }
    }

    #[test]
    fn nested_parts_are_masked_within_bounds() {
        let mut inner = "--b0\r\n\r\npin=hunter2 x\r\n--b0--".to_owned();
        for level in 1..5 {
            inner = format!(
                "--b{level}\r\nContent-Type: multipart/mixed; boundary=b{}\r\n\r\n{inner}\r\n--b{level}--",
                level - 1
            );
            let kind = format!("multipart/mixed; boundary=b{level}");
            let out = mask_body(&Rules::default(), Some(&kind), inner.as_bytes()).text;
            assert!(!out.contains("hunter2"), "{out}");
            assert_eq!(out.contains("pin=***MASKED***"), level <= 2, "{out}");
        }
        // Also when no type says so: hostile depth costs neither stack nor square time.
        let deep: String = (0..20_000).map(|i| format!("--b{i}\r\nContent-Disposition: x\r\n\r\n")).collect();
        let ends: String = (0..20_000).rev().map(|i| format!("\r\n--b{i}--")).collect();
        assert!(!mask_body(&Rules::default(), None, format!("{deep}hunter2{ends}").as_bytes())
            .text
            .contains("hunter2"));
    }
}
