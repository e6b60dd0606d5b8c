//! Form bodies (`application/x-www-form-urlencoded`) and the query part of URLs.

use super::json::Rewritten;
use super::names::{Hit, Place, Words};
use super::{json, percent, text, Rules, PLACEHOLDER};

/// A longer name is no form field's.
const MAX_NAME: usize = 256;

/// Masks `name=value&…`. With `cut`, an unfinished last pair is left out.
pub(super) fn mask(rules: &Rules, src: &str, cut: bool) -> Rewritten {
    let kept = if cut { src.rfind('&').map_or("", |i| src.get(..=i).unwrap_or("")) } else { src };
    let mut out = String::with_capacity(kept.len() + 16);
    let mut fields = 0;
    let mut words = Words::default();
    for (i, pair) in kept.split('&').enumerate() {
        if i > 0 {
            out.push('&');
        }
        fields += segment(rules, pair, &mut words, &mut out);
    }
    Rewritten { text: out, fields, broke_at: cut.then_some(kept.len()) }
}

/// Does text without a declared type read as a form?
pub(super) fn looks_like(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~%+*[]!$'(),;:@/?".contains(&b);
    text.contains('=')
        && text.split('&').all(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (!name.is_empty() || pair.is_empty())
                && name.bytes().all(plain)
                && value.bytes().all(|b| plain(b) || b == b'=')
        })
}

/// Are the names of this form names? If not, it is something else that happens to hold a `=`.
pub(super) fn is_form(rules: &Rules, text: &str) -> bool {
    text.split(['&', ';']).all(|pair| pair.split_once('=').is_none_or(|(name, _)| is_name(rules, name)))
}

/// Can this (encoded) name be shown as it is: `user[name]`, without signs of other notations or secrets?
fn is_name(rules: &Rules, name: &str) -> bool {
    let Some(decoded) = percent::decode(name, true) else { return false };
    let mut open = false;
    for (i, c) in decoded.char_indices() {
        match c {
            '[' if open || i == 0 => return false,
            '[' => open = true,
            ']' if !open => return false,
            ']' => open = false,
            '"' | '\'' | '`' | '\\' | '{' | '}' | '<' | '>' | '=' | '&' => return false,
            c if c.is_whitespace() || c.is_control() => return false,
            _ => {}
        }
    }
    !open && decoded.len() <= MAX_NAME && text::mask(rules, &decoded, Place::Field).is_none()
}

/// What stands between two `&`. Some servers take `;` as a separator as well, and a password may hold one: so a
/// sensitive value goes on to the next `&`.
fn segment(rules: &Rules, segment: &str, words: &mut Words, out: &mut String) -> u32 {
    let mut fields = 0;
    let mut rest = segment;
    let mut first = true;
    loop {
        if !first {
            out.push(';');
        }
        first = false;
        let (pair, tail) = match rest.split_once(';') {
            Some((pair, tail)) => (pair, Some(tail)),
            None => (rest, None),
        };
        match pair.split_once('=') {
            Some((name, value)) => {
                let decoded = percent::decode(name, true);
                // A name that is not text is not understood.
                let hit = decoded.as_deref().map_or(Hit::Yes, |n| rules.ask_form_field(n, words));
                if is_name(rules, name) {
                    out.push_str(name);
                } else {
                    fields += content(rules, name, out);
                }
                out.push('=');
                if hit != Hit::No {
                    if value.is_empty() && tail.is_none() {
                        return fields;
                    }
                    out.push_str(PLACEHOLDER);
                    rules.tell_form_field(decoded.as_deref());
                    return fields + 1;
                }
                fields += rules.within(decoded.as_deref(), || content(rules, value, out));
            }
            None => fields += content(rules, pair, out),
        }
        match tail {
            Some(tail) => rest = tail,
            None => return fields,
        }
    }
}

/// A value whose name says nothing: JSON and secrets by their form are looked for in the decoded text.
fn content(rules: &Rules, value: &str, out: &mut String) -> u32 {
    let Some(decoded) = percent::decode(value, true) else {
        out.push_str(PLACEHOLDER);
        rules.tell("", "unreadable", || None);
        return 1;
    };
    match json::clean_string(rules, &decoded, 0) {
        Some((clean, fields)) => {
            percent::encode(&clean, out);
            fields
        }
        None => {
            out.push_str(value);
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(src: &str) -> String {
        mask(&Rules::default(), src, false).text
    }

    #[test]
    fn values_of_sensitive_names_are_masked() {
        assert_eq!(form("user=jo&password=hunter2&x=1"), "user=jo&password=***MASKED***&x=1");
        assert_eq!(form("a%5Bpass%77ord%5D=s&b=1"), "a%5Bpass%77ord%5D=***MASKED***&b=1");
        assert_eq!(form("a[password]=s"), "a[password]=***MASKED***");
        assert_eq!(form("password=a&password=b"), "password=***MASKED***&password=***MASKED***");
        assert_eq!(form("api+key=s&code=1"), "api+key=***MASKED***&code=***MASKED***");
        assert_eq!(form("user=jo;token=s;t=u&x=1"), "user=jo;token=***MASKED***&x=1");
        assert_eq!(form("password=a=b;c"), "password=***MASKED***");
        assert_eq!(form("password=&x=+1"), "password=&x=+1");
        assert_eq!(form(""), "");
        assert_eq!(form("plain"), "plain");
    }

    #[test]
    fn values_are_looked_into() {
        assert_eq!(
            form("payload=%7B%22password%22%3A%22s3%22%7D"),
            "payload=%7B%22password%22%3A%22***MASKED***%22%7D"
        );
        assert_eq!(form("n=4111+1111+1111+1111"), "n=***MASKED***");
        assert_eq!(form("x=%FF%00"), "x=***MASKED***");
        assert_eq!(form("u=https%3A%2F%2Fa%3Ab%40h%2F"), "u=https%3A%2F%2F***MASKED***%40h%2F");
    }

    #[test]
    fn a_cut_form_keeps_whole_pairs_only() {
        let cut = mask(&Rules::default(), "a=1&b=2&nam", true);
        assert_eq!((cut.text.as_str(), cut.broke_at), ("a=1&b=2&", Some(8)));
        assert_eq!(mask(&Rules::default(), "a=1", true).text, "");
    }

    #[test]
    fn forms_are_told_from_text() {
        assert!(looks_like("a=1&b=%20"));
        assert!(looks_like("token=YWJj=="));
        assert!(!looks_like("a = 1"));
        assert!(!looks_like("hello"));
        assert!(!looks_like("=x"));
    }
}
