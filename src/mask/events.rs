//! Server-sent events (`text/event-stream`): the JSON or text after `data:`.

use super::json::{self, Rewritten};
use super::Rules;

/// Masks line by line. JSON that goes on over several `data:` lines is not understood: nothing is kept after it begins.
pub(super) fn mask(rules: &Rules, src: &str, cut: bool) -> Rewritten {
    let mut out = String::with_capacity(src.len());
    let mut fields = 0;
    let mut at = 0;
    for line in src.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let ending = line.get(content.len()..).unwrap_or("");
        if cut && ending.is_empty() {
            return Rewritten { text: out, fields, broke_at: Some(at) };
        }
        let (lead, value) = match content.split_once(':') {
            Some((field, value)) => {
                let value = value.strip_prefix(' ').unwrap_or(value);
                (content.get(..content.len() - value.len()).unwrap_or(field), value)
            }
            None => (content, ""),
        };
        // A first line that breaks off inside JSON says nothing about the lines after it.
        if value.trim_start().starts_with(['{', '[']) && json::breaks(rules, value) {
            return Rewritten { text: out, fields, broke_at: Some(at) };
        }
        out.push_str(lead);
        match json::clean_string(rules, value, 0) {
            Some((clean, count)) => {
                out.push_str(&clean);
                fields += count;
            }
            None => out.push_str(value),
        }
        out.push_str(ending);
        at += line.len();
    }
    Rewritten { text: out, fields, broke_at: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_lines_are_masked() {
        let src = "event: x\nid: 7\ndata: {\"password\":\"p\",\"a\":1}\n\ndata:token=abc\n: note\n";
        let out = mask(&Rules::default(), src, false);
        assert_eq!(
            out.text,
            "event: x\nid: 7\ndata: {\"password\":\"***MASKED***\",\"a\":1}\n\ndata:token=***MASKED***\n: note\n"
        );
        assert_eq!((out.fields, out.broke_at), (2, None));
    }

    #[test]
    fn json_over_several_lines_ends_the_output() {
        let out = mask(&Rules::default(), "data: 1\ndata: {\"password\":\ndata: \"hunter2\"}\n", false);
        assert_eq!((out.text.as_str(), out.broke_at), ("data: 1\n", Some(8)));
        let out = mask(&Rules::default(), "data: 1\ndata: hunt", true);
        assert_eq!((out.text.as_str(), out.broke_at), ("data: 1\n", Some(8)));
    }
}
