//! Values that only some want masked: e-mail addresses, and what the user's own patterns match.
//!
//! A pass of its own over text in which text.rs has replaced what it knows. It looks at every byte, which is why strings without any
//! sign of a secret come here only when the user has patterns.

use std::ops::Range;

use regex_lite::{Regex, RegexBuilder};

use super::prefilter::Run;
use super::{Rules, PLACEHOLDER};

/// So many patterns may be set, each of so many bytes; and no pattern may grow beyond this when it is compiled.
pub(super) const MOST: usize = 64;
pub(super) const LONGEST: usize = 1000;
const COMPILED: usize = 256 * 1024;
/// The group of which the match alone is replaced, when a pattern has it.
const GROUP: &str = "secret";

/// One of the user's patterns.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// It has the group `secret`.
    grouped: bool,
    /// What every match has in it.
    run: Option<Run>,
}

impl Pattern {
    /// The error says what is wrong with it.
    pub(super) fn compile(written: &str) -> Result<Self, String> {
        if written.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes"));
        }
        let built = RegexBuilder::new(written).size_limit(COMPILED).build();
        let regex = built.map_err(|e| format!("it is not a pattern: {e}"))?;
        // Also those that match nothing between two letters, such as `\b`.
        if ["", "a", "a b", "0-"].iter().any(|text| regex.find_iter(text).any(|found| found.is_empty())) {
            return Err("it matches the empty string; use + in place of *, and something beside anchors".to_owned());
        }
        let grouped = regex.capture_names().flatten().any(|name| name == GROUP);
        Ok(Pattern { regex, grouped, run: Run::of(written) })
    }

    /// What it would replace.
    fn ranges(&self, text: &str) -> Vec<Range<usize>> {
        if self.run.as_ref().is_some_and(|run| !run.is_in(text)) {
            return Vec::new();
        }
        let mut ranges: Vec<Range<usize>> = if self.grouped {
            self.regex.captures_iter(text).filter_map(|found| found.name(GROUP).map(|m| m.range())).collect()
        } else {
            self.regex.find_iter(text).map(|m| m.range()).collect()
        };
        ranges.retain(|range| !range.is_empty());
        ranges
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        !self.ranges(text).is_empty()
    }
}

/// Which of the user's patterns matches, if any?
pub(super) fn pattern_in(rules: &Rules, text: &str) -> Option<usize> {
    rules.own.patterns.iter().position(|pattern| pattern.matches(text))
}

/// Masks e-mail addresses and the matches of patterns in text of which text.rs made `found`.
pub(super) fn mask(rules: &Rules, text: &str, found: Option<(String, u32)>) -> Option<(String, u32)> {
    if !rules.emails && rules.own.patterns.is_empty() {
        return found;
    }
    let mut done = found;
    if rules.emails {
        pass(rules, text, &mut done, "value", || "e-mail".to_owned(), emails);
    }
    for (i, pattern) in rules.own.patterns.iter().enumerate() {
        pass(rules, text, &mut done, "pattern", || format!("mask_patterns[{i}]"), |text| pattern.ranges(text));
    }
    done
}

/// Masks what one rule finds in `text`, or in what became of it.
#[inline(always)]
fn pass(
    rules: &Rules,
    text: &str,
    done: &mut Option<(String, u32)>,
    rule: &'static str,
    entry: impl Fn() -> String,
    find: impl Fn(&str) -> Vec<Range<usize>>,
) {
    let (now, count) = done.as_ref().map_or((text, 0), |(clean, count)| (clean.as_str(), *count));
    let ranges = find(now);
    if ranges.is_empty() {
        return;
    }
    let (clean, more) = replace(now, ranges, |at| {
        if let Some(log) = &rules.log {
            // After other replacements the place is no longer that of the source.
            log.add("", (count == 0).then_some(at), rule, Some((entry(), rule == "pattern")));
        }
    });
    if more > 0 {
        *done = Some((clean, count.saturating_add(more)));
    }
}

/// Replaces ranges, which come in order. What lies in a placeholder stays; one that is touched goes as a whole.
fn replace(text: &str, ranges: Vec<Range<usize>>, mut each: impl FnMut(usize)) -> (String, u32) {
    let mut out = String::new();
    let mut at = 0;
    let mut count = 0;
    let mut taken = text.match_indices(PLACEHOLDER).map(|(i, _)| i..i + PLACEHOLDER.len()).peekable();
    for mut range in ranges {
        while taken.next_if(|taken| taken.end <= range.start).is_some() {}
        let mut own = taken.clone();
        if own.peek().is_some_and(|taken| taken.start <= range.start && range.end <= taken.end) {
            continue;
        }
        while let Some(touched) = own.next_if(|taken| taken.start < range.end) {
            range = range.start.min(touched.start)..range.end.max(touched.end);
        }
        if range.start < at {
            continue;
        }
        out.push_str(text.get(at..range.start).unwrap_or(""));
        out.push_str(PLACEHOLDER);
        each(range.start);
        at = range.end;
        count += 1;
    }
    out.push_str(text.get(at..).unwrap_or(""));
    (out, count)
}

/// The e-mail addresses in text, with an `@` as it is or percent-encoded.
pub(super) fn emails(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    while let Some(len) = bytes.get(from..).and_then(|rest| rest.iter().position(|b| matches!(b, b'@' | b'%'))) {
        let at = from + len;
        from = at + 1;
        let sign = match bytes.get(at..) {
            Some([b'@', ..]) => 1,
            Some([b'%', b'4', b'0', ..]) => 3,
            _ => continue,
        };
        let least = found.last().map_or(0, |last| last.end);
        let local = bytes.get(least..at).unwrap_or(&[]);
        let start = at - local.iter().rev().take(MAX_LOCAL).take_while(|b| is_local(**b)).count();
        let Some(domain) = bytes.get(at + sign..).and_then(domain) else { continue };
        // An apostrophe belongs to a name, `o'neil@…`, and otherwise quotes the address.
        let mut start = start;
        while matches!(bytes.get(start), Some(b'\'' | b'.' | 0x80..=0xBF)) {
            start += 1;
        }
        if start < at {
            found.push(start..at + sign + domain);
            from = at + sign + domain;
        }
    }
    found
}

/// No longer name stands before the sign (64 bytes by the standard; more in other scripts).
const MAX_LOCAL: usize = 256;
const MAX_DOMAIN: usize = 255;

fn is_local(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'') || b >= 0x80
}

/// The length of a host's name with at least one dot and a word at its end.
fn domain(bytes: &[u8]) -> Option<usize> {
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.') || *b >= 0x80;
    let mut len = bytes.iter().take(MAX_DOMAIN).take_while(|b| part(b)).count();
    // A name that is cut off in a character is no name; dots and dashes at the end are the sentence's.
    while matches!(bytes.get(..len), Some([.., b'.' | b'-'])) || matches!(bytes.get(len), Some(0x80..=0xBF)) {
        len = len.checked_sub(1)?;
    }
    let name = bytes.get(..len)?;
    let (first, last) = name.split_at(name.iter().rposition(|b| *b == b'.')?);
    let word = last.get(1..).unwrap_or(&[]);
    let letters = word.len() >= 2 && word.iter().any(|b| b.is_ascii_alphabetic() || *b >= 0x80);
    (letters && !first.is_empty() && !name.windows(2).any(|two| two == b"..") && first.first() != Some(&b'.'))
        .then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found() {
        for (text, out) in [
            ("jo@example.com", "***"),
            ("mail jo.doe+x@mail.example.co.uk, please", "mail ***, please"),
            ("<jo@x.io>; 'o'neil@x.io'", "<***>; '***'"),
            ("to jo%40x.io.", "to ***."),
            ("a@b.cd@e.fg", "***@e.fg"),
            ("é@x.io und jo@münchen.de", "*** und ***"),
            ("jo@host and @x.io and jo@ and jo@1.2.3.4 and a@.b.cd and a@b..cd", ""),
            ("x@-", ""),
            ("***MASKED***@db.example.com", ""),
        ] {
            let mut got = text.to_owned();
            for range in emails(text).into_iter().rev() {
                got.replace_range(range, "***");
            }
            assert_eq!(got, if out.is_empty() { text } else { out });
        }
    }

    #[test]
    fn what_is_masked_stays_so() {
        let out = |text: &str, range: Range<usize>| replace(text, vec![range], |_| {}).0;
        assert_eq!(out("a ***MASKED*** b", 5..8), "a ***MASKED*** b");
        assert_eq!(out("a ***MASKED*** b", 0..5), "***MASKED*** b");
        assert_eq!(out("a ***MASKED*** b", 8..16), "a ***MASKED***");
        assert_eq!(out("a ***MASKED*** b", 0..16), "***MASKED***");
        assert_eq!(out("abc", 1..2), "a***MASKED***c");
    }
}
