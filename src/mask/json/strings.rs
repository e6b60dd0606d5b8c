//! Strings: their ends, their escapes, and what is masked inside them.

use super::{looks_like, mask, MAX_LEVEL};
use crate::mask::names::Place;
use crate::mask::{explain, graphql, markup, text, values, Rules, PLACEHOLDER};

/// What ends a string whose JSON content broke off.
const BROKEN_TAIL: &str = " [not captured: malformed]";

/// The end of the string that begins at a place.
pub(in crate::mask) fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut escaped = true;
    let end = bytes.get(start..)?.iter().position(|b| {
        let ends = *b == b'"' && !escaped;
        escaped = *b == b'\\' && !escaped;
        ends
    });
    end.map(|end| start + end + 1)
}

/// Masks what a decoded string holds: JSON, markup, GraphQL, or text; `None` when nothing.
pub(in crate::mask) fn clean_string(rules: &Rules, text: &str, level: u8) -> Option<(String, u32)> {
    // (`password=<x>` is none.)
    if markup::has_tag(text) && !looks_like(text) && !text.contains("=<") {
        // What only looks like a tag (`<x` in a log line) may have a secret in it, as text has.
        let marked = markup::clean(rules, text, level);
        let shown = marked.as_ref().map_or(text, |(clean, _)| clean);
        let between = text::mask_between_tags(rules, shown);
        for _ in 0..between.as_ref().map_or(0, |(_, fields)| *fields) {
            rules.tell("", "value", || None);
        }
        return match (marked, between) {
            (marked, None) => marked,
            (None, between) => between,
            (Some((_, before)), Some((clean, fields))) => Some((clean, fields.saturating_add(before))),
        };
    }
    if graphql::looks_like(text) {
        if let Some(inner) = graphql::mask(rules, text, false) {
            return match inner.broke_at {
                None => (inner.fields > 0).then_some((inner.text, inner.fields)),
                Some(_) => Some((format!("{}{BROKEN_TAIL}", inner.text), inner.fields.saturating_add(1))),
            };
        }
    }
    clean_plain(rules, text, level)
}

/// The same for what is no markup.
pub(in crate::mask) fn clean_plain(rules: &Rules, text: &str, level: u8) -> Option<(String, u32)> {
    let begins = text.trim_start().bytes().next();
    if matches!(begins, Some(b'{' | b'[' | b'"')) {
        if level < MAX_LEVEL {
            let mark = rules.mark();
            let inner = rules.inside(|| mask(rules, text, false, level + 1));
            match inner.broke_at {
                None if inner.fields > 0 => return Some((inner.text, inner.fields)),
                None => return None,
                Some(_) if looks_like(text) => {
                    rules.tell("", "malformed", || None);
                    return Some((format!("{}{BROKEN_TAIL}", inner.text), inner.fields.saturating_add(1)));
                }
                // Text that only happens to begin with a bracket or a quote.
                Some(_) => rules.forget(mark),
            }
        } else if (looks_like(text) || begins == Some(b'"') && text.contains('\\')) && text.trim().len() > 2 {
            rules.tell("", "nesting", || None);
            return Some((PLACEHOLDER.to_owned(), 1));
        }
    }
    let found = match &rules.log {
        None => text::mask(rules, text, Place::Field),
        Some(log) => explain::masked_text(rules, log, text),
    };
    values::mask(rules, text, found)
}

/// Decodes the inside of a valid JSON string. A lone surrogate becomes U+FFFD.
pub(in crate::mask) fn unescape(raw: &str, out: &mut String) {
    out.clear();
    let mut rest = raw;
    // (Where there are escapes there are many: a plain search is quicker than a clever one.)
    while let Some(at) = rest.bytes().position(|b| b == b'\\') {
        out.push_str(rest.get(..at).unwrap_or(""));
        let mut chars = rest.get(at + 1..).unwrap_or("").chars();
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let mut code = hex4(&mut chars);
                if (0xD800..0xDC00).contains(&code) {
                    let mut ahead = chars.clone();
                    if ahead.next() == Some('\\') && ahead.next() == Some('u') {
                        let low = hex4(&mut ahead);
                        if (0xDC00..0xE000).contains(&low) {
                            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                            chars = ahead;
                        }
                    }
                }
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

fn hex4(chars: &mut std::str::Chars<'_>) -> u32 {
    chars.by_ref().take(4).fold(0, |n, c| n << 4 | c.to_digit(16).unwrap_or(0))
}

/// Writes text as the inside of a JSON string.
pub(in crate::mask) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                out.push_str("\\u00");
                for digit in [u32::from(c) >> 4, u32::from(c) & 15] {
                    out.push(char::from_digit(digit, 16).unwrap_or('0'));
                }
            }
            c => out.push(c),
        }
    }
}
