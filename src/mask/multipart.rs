//! `multipart/*`: text fields are masked by name, files are reduced to name, type and size.

use super::names::{Hit, Place, Words};
use super::{describe, json, text, Body, Masked, Rules, PLACEHOLDER};

/// Masks a multipart body, or `None` when it is not understood. `boundary` comes from the declared type.
pub(super) fn mask(rules: &Rules, boundary: &str, body: &Body<'_>) -> Option<Masked> {
    if boundary.is_empty() || boundary.len() > 200 || !boundary.bytes().all(|b| (0x20..0x7F).contains(&b)) {
        return None;
    }
    let delimiter = format!("--{boundary}");
    let delimiter = delimiter.as_bytes();
    let mut out = String::new();
    let mut fields = 0u32;
    let mut words = Words::default();
    // What stands before the first delimiter is for readers without MIME, and is left out.
    let mut at = find_delimiter(body.bytes, 0, delimiter)?.after;
    let mut closed = false;
    let mut parts = 0usize;
    loop {
        let Some(start) = at else {
            closed = true;
            break;
        };
        let next = find_delimiter(body.bytes, start, delimiter);
        let end = next.as_ref().map_or(body.bytes.len(), |d| d.start);
        let part = body.bytes.get(start..end).unwrap_or(&[]);
        let finished = next.is_some();
        if !part_text(rules, part, finished, &mut words, &mut out, &mut fields, boundary) {
            break;
        }
        parts += 1;
        match next {
            Some(found) => at = found.after,
            None => break,
        }
    }
    if parts == 0 && !closed {
        return None;
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
    let header = b"content-disposition:";
    let found = rest.lines().any(|line| {
        line.trim_start().as_bytes().get(..header.len()).is_some_and(|name| name.eq_ignore_ascii_case(header))
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

/// Writes one part. `false` when it is unfinished or not understood: then nothing of it is written.
fn part_text(
    rules: &Rules,
    part: &[u8],
    finished: bool,
    words: &mut Words,
    out: &mut String,
    fields: &mut u32,
    boundary: &str,
) -> bool {
    let Some((head, content)) = split_head(part) else { return false };
    let Ok(head) = std::str::from_utf8(head) else { return false };
    let mut disposition = "";
    let mut kind = "";
    let mut encoding = "";
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ").replace("\n ", " ").replace("\n\t", " ");
    for line in head.lines() {
        let Some((name, value)) = line.split_once(':') else { return false };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-disposition" => disposition = value,
            "content-type" => kind = value,
            "content-transfer-encoding" => encoding = value,
            _ => {}
        }
    }
    if !finished {
        return false;
    }
    let name = parameter(disposition, "name");
    let file = parameter(disposition, "filename").or_else(|| parameter(disposition, "filename*"));
    let show = |text: &str| {
        let mut escaped = String::new();
        let clean = text::mask(rules, text, Place::Field).map_or_else(|| text.to_owned(), |(clean, _)| clean);
        json::escape(&clean, &mut escaped);
        escaped
    };
    out.push_str("--");
    out.push_str(boundary);
    out.push_str("\r\n");
    if !disposition.is_empty() {
        let form = disposition.split(';').next().unwrap_or("").trim();
        out.push_str("Content-Disposition: ");
        out.push_str(super::note::safe(form));
        if let Some(name) = &name {
            out.push_str(&format!("; name=\"{}\"", show(name)));
        }
        if let Some(file) = &file {
            out.push_str(&format!("; filename=\"{}\"", show(file)));
        }
        out.push_str("\r\n");
    }
    let essence = super::essence(kind);
    if !essence.is_empty() {
        out.push_str("Content-Type: ");
        out.push_str(super::note::safe(&essence));
        out.push_str("\r\n");
    }
    out.push_str("\r\n");
    let size = content.len() as u64;
    let secret = name.as_deref().is_some_and(|n| rules.ask_form_field(n, words) != Hit::No);
    let masked = if secret {
        *fields += 1;
        rules.tell_form_field(name.as_deref());
        Masked::text(PLACEHOLDER.to_owned())
    } else if file.is_some() {
        describe(if essence.is_empty() { "application/octet-stream" } else { &essence }, size, "file")
    } else if !encoding.is_empty() && !matches!(encoding.to_ascii_lowercase().as_str(), "7bit" | "8bit" | "binary") {
        describe(&essence, size, "transfer encoding")
    } else if essence.starts_with("multipart/") {
        describe(&essence, size, "nested")
    } else {
        let kind = (!kind.is_empty()).then_some(kind).or(Some("text/plain"));
        rules.within(name.as_deref(), || super::mask_body(rules, kind, content))
    };
    *fields += masked.fields_masked;
    out.push_str(&masked.text);
    out.push_str("\r\n");
    true
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
    let mut chars = value.chars().peekable();
    // The value itself stands before the first `;`.
    chars.by_ref().find(|c| *c == ';')?;
    loop {
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && *c != ';') {
            name.push(c);
        }
        match chars.next() {
            Some('=') => {}
            Some(_) => continue,
            None => return None,
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
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(content);
        }
    }
}
