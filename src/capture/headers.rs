//! Headers and metadata: parsed, filtered, masked, and written as one JSON object.

use std::borrow::Cow;

use super::{CaptureConfig, CaptureOutcome, Kind, MAX_HEADERS};
use crate::mask;

/// A longer value is described: it is content, not a header.
const MAX_VALUE: usize = 16 * 1024;
/// The attribute ends after so many bytes; the headers left out are told by `….truncated`.
const MAX_TOTAL: usize = 64 * 1024;

/// A line that is no header. Holds nothing of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl std::fmt::Display for HeaderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "header line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for HeaderError {}

/// Parses `Name: value` lines that end in CRLF or LF. An empty line ends them, a line that begins with a blank
/// goes on with the value before it, and bytes that are not UTF-8 become U+FFFD. A request or status line is an error.
pub fn parse_headers(raw: &[u8]) -> Result<Vec<(String, String)>, HeaderError> {
    let mut list: Vec<(String, String)> = Vec::new();
    for (index, line) in raw.split(|b| *b == b'\n').enumerate() {
        let fail = |reason| HeaderError { line: index + 1, reason };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line.contains(&0) || line.contains(&b'\r') {
            return Err(fail("a control character"));
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            let (_, value) = list.last_mut().ok_or_else(|| fail("goes on with a header, but none came before it"))?;
            let more = String::from_utf8_lossy(line.trim_ascii());
            if !value.is_empty() && !more.is_empty() {
                value.push(' ');
            }
            value.push_str(&more);
            continue;
        }
        // A name may begin with a colon (`:path` of HTTP/2).
        let search = line.get(1..).unwrap_or(&[]);
        let colon =
            search.iter().position(|b| *b == b':').ok_or_else(|| fail("no colon: not a `Name: value` line"))? + 1;
        let name = line.get(..colon).unwrap_or(&[]).trim_ascii_end();
        let value = line.get(colon + 1..).unwrap_or(&[]).trim_ascii();
        if name.is_empty() || name == b":" {
            return Err(fail("no name before the colon"));
        }
        if name.iter().any(|b| *b <= b' ' || *b == 0x7F) {
            return Err(fail("a blank in the name: not a `Name: value` line"));
        }
        list.push((String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(value).into_owned()));
    }
    Ok(list)
}

/// The first value of a header.
pub(super) fn find<'a, N: AsRef<str>, V: AsRef<str>>(headers: &'a [(N, V)], name: &str) -> Option<Cow<'a, str>> {
    headers
        .iter()
        .find(|(n, _)| n.as_ref().trim().eq_ignore_ascii_case(name))
        .map(|(_, v)| Cow::Borrowed(v.as_ref().trim()))
}

/// All values of a header, joined as HTTP joins them.
pub(super) fn find_all<N: AsRef<str>, V: AsRef<str>>(headers: &[(N, V)], name: &str) -> String {
    let values: Vec<&str> = headers
        .iter()
        .filter(|(n, _)| n.as_ref().trim().eq_ignore_ascii_case(name))
        .map(|(_, v)| v.as_ref().trim())
        .collect();
    values.join(",")
}

/// Emits the headers' attribute, if any header is left. `more`: some were left out before.
pub(super) fn emit<N: AsRef<str>, V: AsRef<str>>(
    config: &CaptureConfig,
    kind: Kind,
    headers: &[(N, V)],
    more: bool,
    outcome: &mut CaptureOutcome,
    emit: &mut dyn FnMut(&str, &str),
) {
    let mut groups: Vec<(&str, Vec<Cow<'_, str>>)> = Vec::new();
    let mut total = 2;
    let mut left_out = more || headers.len() > MAX_HEADERS;
    for (name, value) in headers.iter().take(MAX_HEADERS) {
        let (name, value) = (name.as_ref().trim(), value.as_ref());
        if !wanted(config, name) {
            continue;
        }
        let shown = if value.len() > MAX_VALUE {
            Cow::Owned(mask::describe("text/plain", value.len() as u64, "too large").text)
        } else {
            mask::mask_header_value(&config.rules, name, value)
        };
        // Six bytes of quotes, colon, comma and brackets; escapes may add to it, by a small factor.
        total += name.len() + shown.len() + 6;
        if total > MAX_TOTAL {
            left_out = true;
            break;
        }
        outcome.fields_masked = outcome.fields_masked.saturating_add(u32::from(shown != value));
        // (There are few, and most have lengths of their own.)
        match groups.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.push(shown),
            None => groups.push((name, vec![shown])),
        }
    }
    if groups.is_empty() && !left_out {
        return;
    }
    outcome.attributes += 1;
    emit(kind.headers_key(), &object(&groups, total));
    if left_out {
        outcome.truncated += 1;
        outcome.attributes += 1;
        emit(&format!("{}.truncated", kind.headers_key()), "true");
    }
}

fn wanted(config: &CaptureConfig, name: &str) -> bool {
    let listed = |list: &[String]| list.iter().any(|n| n.trim().eq_ignore_ascii_case(name));
    (config.headers_to_include.is_empty() || listed(&config.headers_to_include)) && !listed(&config.headers_to_exclude)
}

/// One JSON object; a repeated header has an array.
fn object(groups: &[(&str, Vec<Cow<'_, str>>)], capacity: usize) -> String {
    let mut out = String::with_capacity(capacity);
    let quote = |text: &str, out: &mut String| {
        out.push('"');
        mask::escape_json(text, out);
        out.push('"');
    };
    out.push('{');
    for (i, (name, values)) in groups.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        quote(name, &mut out);
        out.push(':');
        if let [value] = values.as_slice() {
            quote(value, &mut out);
            continue;
        }
        out.push('[');
        for (j, value) in values.iter().enumerate() {
            if j > 0 {
                out.push(',');
            }
            quote(value, &mut out);
        }
        out.push(']');
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn lines_are_parsed() {
        assert_eq!(parse_headers(b""), Ok(vec![]));
        assert_eq!(parse_headers(b"A: 1\r\nB:2\r\n\r\nC: 3"), Ok(pairs(&[("A", "1"), ("B", "2")])));
        assert_eq!(parse_headers(b"A: 1\nB: x:y "), Ok(pairs(&[("A", "1"), ("B", "x:y")])));
        assert_eq!(parse_headers(b"A: 1\r\n  2\r\n\t3"), Ok(pairs(&[("A", "1 2 3")])));
        assert_eq!(parse_headers(b":path: /x\r\nE:"), Ok(pairs(&[(":path", "/x"), ("E", "")])));
        assert_eq!(parse_headers(b"A: \xFF"), Ok(pairs(&[("A", "\u{FFFD}")])));
    }

    #[test]
    fn errors_name_the_line_and_not_its_content() {
        let fails = |raw: &[u8]| parse_headers(raw).unwrap_err();
        assert_eq!(fails(b"GET / HTTP/1.1\r\nA: 1").line, 1);
        assert_eq!(fails(b"A: 1\r\nhunter2\r\n").line, 2);
        assert_eq!(fails(b": x").line, 1);
        assert_eq!(fails(b" x").line, 1);
        assert_eq!(fails(b"A b: x").line, 1);
        assert_eq!(fails(b"GET http://h/ HTTP/1.1").line, 1);
        assert_eq!(fails(b"A: \0").line, 1);
        assert!(!fails(b"A: 1\r\nhunter2\r\n").to_string().contains("hunter2"));
    }
}
