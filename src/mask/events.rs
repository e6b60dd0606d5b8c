//! Server-sent events (`text/event-stream`): what an event's `data:` lines say together.

use std::borrow::Cow;

use super::json::{self, Rewritten};
use super::names::{Hit, Place, Words};
use super::{Rules, PLACEHOLDER};

/// A longer event name names no field.
const MAX_NAME: usize = 64;

/// Masks event by event. With `cut`, an unfinished last event is left out.
pub(super) fn mask(rules: &Rules, src: &str, cut: bool) -> Rewritten {
    let mut out = String::with_capacity(src.len());
    let mut fields = 0;
    let mut words = Words::default();
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut at = 0;
    let mut begun = 0;
    let mut number = 0;
    while let Some(line) = next_line(src, at) {
        at += line.content.len() + line.ending.len();
        let blank = line.content.is_empty() && !line.ending.is_empty();
        lines.push(line);
        if blank {
            fields += rules.at(|| format!("[{number}]"), || event(rules, &lines, &mut words, &mut out));
            number += usize::from(lines.len() > 1);
            lines.clear();
            begun = at;
        }
    }
    if cut {
        return Rewritten { text: out, fields, broke_at: Some(begun) };
    }
    fields += rules.at(|| format!("[{number}]"), || event(rules, &lines, &mut words, &mut out));
    Rewritten { text: out, fields, broke_at: None }
}

/// A line and what ends it: CRLF, LF or CR.
struct Line<'a> {
    content: &'a str,
    ending: &'a str,
}

fn next_line(src: &str, at: usize) -> Option<Line<'_>> {
    let rest = src.get(at..).filter(|r| !r.is_empty())?;
    let len = rest.find(['\n', '\r']).unwrap_or(rest.len());
    let tail = rest.get(len..).unwrap_or("");
    let ending = if tail.starts_with("\r\n") { 2 } else { tail.len().min(1) };
    Some(Line { content: rest.get(..len)?, ending: tail.get(..ending)? })
}

impl<'a> Line<'a> {
    /// The field's name and its value, without the blank between them; a comment's name is empty.
    fn field(&self) -> (&'a str, &'a str) {
        match self.content.split_once(':') {
            Some((name, value)) => (name, value.strip_prefix(' ').unwrap_or(value)),
            None => (self.content, ""),
        }
    }

    /// What stands before the value.
    fn lead(&self) -> &'a str {
        self.content.get(..self.content.len() - self.field().1.len()).unwrap_or("")
    }
}

/// Writes one event. Its data is one text, as readers join it; if that changes, it is written at the first data line.
fn event(rules: &Rules, lines: &[Line<'_>], words: &mut Words, out: &mut String) -> u32 {
    let mut fields = 0u32;
    let mut named = None;
    let mut data: Option<Cow<'_, str>> = None;
    for line in lines {
        match line.field() {
            ("data", value) => match &mut data {
                Some(text) => {
                    let text = text.to_mut();
                    text.push('\n');
                    text.push_str(value);
                }
                None => data = Some(Cow::Borrowed(value)),
            },
            // `event: password` names its data.
            ("event", name) if name.len() <= MAX_NAME && rules.fields.ask(name, Place::Field, words) == Hit::Yes => {
                named = Some(name);
            }
            _ => {}
        }
    }
    let text = data.as_deref().unwrap_or("");
    let mut clean = match named.filter(|_| !text.is_empty()) {
        Some(name) => {
            rules.tell("data", "pair", || rules.fields.why(name, Place::Field));
            Some((PLACEHOLDER.to_owned(), 1))
        }
        None => rules.at(|| "data".to_owned(), || json::clean_string(rules, text, 0)),
    };
    let changed = clean.is_some();
    for line in lines {
        match line.field() {
            ("data", _) if changed => {
                // All data lines are written at the first of them.
                let Some((text, count)) = clean.take() else { continue };
                fields = fields.saturating_add(count);
                let ending = if line.ending.is_empty() { "\n" } else { line.ending };
                for (i, piece) in text.split('\n').enumerate() {
                    if i > 0 {
                        out.push_str(ending);
                    }
                    // A line that was only `data` has no sign of its own.
                    out.push_str(if line.content == "data" { "data: " } else { line.lead() });
                    out.push_str(piece.trim_end_matches('\r'));
                }
                out.push_str(line.ending);
            }
            ("data", _) => {
                out.push_str(line.content);
                out.push_str(line.ending);
            }
            (name @ ("" | "event" | "id" | "retry"), text) => {
                out.push_str(line.lead());
                let path = || if name.is_empty() { "(comment)" } else { name }.to_owned();
                match rules.at(path, || clean_line(rules, text)) {
                    Some((clean, count)) => {
                        out.push_str(&clean);
                        fields = fields.saturating_add(count);
                    }
                    None => out.push_str(text),
                }
                out.push_str(line.ending);
            }
            // No reader takes such a line: it is no event stream's.
            _ => {
                rules.tell("", "unreadable", || None);
                out.push_str(PLACEHOLDER);
                out.push_str(line.ending);
                fields = fields.saturating_add(1);
            }
        }
    }
    fields
}

/// Masks a single line; what it becomes is one line too.
fn clean_line(rules: &Rules, text: &str) -> Option<(String, u32)> {
    let (clean, fields) = json::clean_string(rules, text, 0)?;
    Some((clean.replace(['\n', '\r'], " "), fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(src: &str) -> String {
        mask(&Rules::default(), src, false).text
    }

    #[test]
    fn data_lines_are_masked() {
        let src = "event: x\nid: 7\ndata: {\"password\":\"p\",\"a\":1}\n\ndata:token=abc\n: note\n";
        let out = mask(&Rules::default(), src, false);
        assert_eq!(
            out.text,
            "event: x\nid: 7\ndata: {\"password\":\"***MASKED***\",\"a\":1}\n\ndata:token=***MASKED***\n: note\n"
        );
        assert_eq!((out.fields, out.broke_at), (2, None));
        for src in
            ["", "\n", "data\n\n", "data: a\rdata: b\r\r\nid\n", "data: [DONE]\n\n", "data: {\ndata: \"a\":1}\n\n"]
        {
            assert_eq!(events(src), src);
        }
    }

    #[test]
    fn the_lines_of_an_event_are_one_text() {
        for (src, out) in [
            (
                "data: {\"password\":\ndata:  \"x\",\nid: 1\ndata: \"a\":1}\n\n",
                "data: {\"password\":\ndata:  \"***MASKED***\",\ndata: \"a\":1}\nid: 1\n\n",
            ),
            ("data: {\"pin\":\rdata:1}\r\rdata: 2\r\r", "data: {\"pin\":\rdata: \"***MASKED***\"}\r\rdata: 2\r\r"),
            ("data: <pin>\r\ndata: x</pin>\r\n\r\n", "data: <pin>***MASKED***</pin>\r\n\r\n"),
            (
                "data: {\"pin\":1}\ndata: {\"pin\":2}\n",
                "data: {\"pin\":\"***MASKED***\"}\ndata: {\"pin\":\"***MASKED***\"}\n",
            ),
            ("event: token\ndata: x\n\n", "event: token\ndata: ***MASKED***\n\n"),
            ("data: x\nevent: token\n\n", "data: ***MASKED***\nevent: token\n\n"),
            (
                "id: token=x\n: pin=1\npassword: x\npin=1\n",
                "id: token=***MASKED***\n: pin=***MASKED***\n***MASKED***\n***MASKED***\n",
            ),
        ] {
            assert_eq!(events(src), out, "{src}");
        }
    }

    #[test]
    fn an_unfinished_event_is_left_out() {
        let out = mask(&Rules::default(), "data: 1\n\nid: 3\ndata: hunt\n", true);
        assert_eq!((out.text.as_str(), out.broke_at), ("data: 1\n\n", Some(9)));
        let out = mask(&Rules::default(), "data: hunt", true);
        assert_eq!((out.text.as_str(), out.broke_at), ("", Some(0)));
    }
}
