//! Form bodies (`application/x-www-form-urlencoded`) and the query part of URLs.

use std::collections::HashMap;

use super::explain::Why;
use super::json::Rewritten;
use super::names::{Hit, Place, Words};
use super::{json, percent, text, Rules, PLACEHOLDER};

/// A longer name is no form field's.
const MAX_NAME: usize = 256;
/// A longer value is content, not the name of a field; a name of several words is no longer than this.
const MAX_WORDS: usize = 64;

/// Masks `name=value&…`. With `cut`, an unfinished last pair is left out.
pub(super) fn mask(rules: &Rules, src: &str, cut: bool) -> Rewritten {
    let kept = if cut { src.rfind('&').map_or("", |i| src.get(..=i).unwrap_or("")) } else { src };
    let mut out = String::with_capacity(kept.len() + 16);
    let mut fields = 0;
    let mut words = Words::default();
    let mut pairs = Pairs::new(cut);
    for (name, value) in kept.split(['&', ';']).filter_map(|pair| pair.split_once('=')) {
        if let (Some(name), Some(value)) = (percent::decode(name, true), percent::decode(value, true)) {
            pairs.note(rules, &name, &value, &mut words);
        }
    }
    for (i, pair) in kept.split('&').enumerate() {
        if i > 0 {
            out.push('&');
        }
        fields += segment(rules, pair, &pairs, &mut words, &mut out);
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
    text.trim_end().split(['&', ';']).all(|pair| match pair.split_once('=') {
        Some((name, _)) => is_name(rules, name),
        None => !pair.contains(['\n', '\r']),
    })
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
            ' ' => {}
            c if c.is_whitespace() || c.is_control() => return false,
            _ => {}
        }
    }
    !open
        && decoded.len() <= MAX_NAME
        && text::mask(rules, &decoded, Place::Field).is_none()
        && (!decoded.contains(' ') || is_phrase(rules, &decoded))
}

/// Are these words a label (`First Name`, `New password`), not a text that says a secret (`password hunter2`)?
fn is_phrase(rules: &Rules, name: &str) -> bool {
    const PROBE: &str = "Zx0aB9Q=";
    if name.len() > MAX_WORDS || name.split(' ').any(str::is_empty) {
        return false;
    }
    // A sensitive name ends a label; what stands after it might be its value.
    rules.fields.ask(name, Place::Param, &mut Words::default()) == Hit::No
        || (!name.bytes().any(|b| b.is_ascii_digit())
            && text::mask(rules, &format!("{name}: {PROBE}"), Place::Field)
                .is_some_and(|(clean, _)| !clean.contains(PROBE)))
}

/// Which fields hold what others name: `f[0][name]=password&f[0][value]=x`.
pub(super) struct Pairs {
    /// Groups of fields in which one says a sensitive name, and in explanations the entry of it.
    groups: HashMap<String, Option<Why>>,
    /// Fields are missing: any value may be named by one of them.
    open: bool,
}

impl Pairs {
    pub(super) fn new(open: bool) -> Self {
        Pairs { groups: HashMap::new(), open }
    }

    /// Takes note of a field that may name another.
    pub(super) fn note(&mut self, rules: &Rules, name: &str, value: &str, words: &mut Words) {
        let value = value.trim();
        if value.is_empty() || value.len() > MAX_WORDS {
            return;
        }
        if let Some((leaf, group)) = leaf_of(name) {
            if is_one(NAMES, &leaf) && rules.fields.ask(value, Place::Param, words) == Hit::Yes {
                let why = if rules.explains() { rules.fields.why(value, Place::Param) } else { None };
                self.groups.insert(group, why);
            }
        }
    }

    /// Does another field name this one's value?
    pub(super) fn name_value(&self, name: &str) -> bool {
        if self.groups.is_empty() && !self.open {
            return false;
        }
        leaf_of(name).is_some_and(|(leaf, group)| {
            (is_one(VALUES, &leaf) && self.groups.contains_key(&group))
                || (self.open && is_one("value|values|val|v", &leaf))
        })
    }

    /// The entry by which it is named.
    pub(super) fn why(&self, name: &str) -> Option<Why> {
        leaf_of(name).and_then(|(_, group)| self.groups.get(&group).cloned().flatten())
    }
}

const NAMES: &str =
    "name|key|field|header|param|parameter|property|attribute|attr|id|type|label|path|k|n|variable|var|\
    setting|option|column|question|kind";
const VALUES: &str =
    "value|values|val|v|old|new|before|after|from|to|previous|current|data|content|text|default|input|\
    answer|response";

fn is_one(list: &str, word: &str) -> bool {
    list.split('|').any(|one| one == word)
}

/// The word that says what a field is, and the others, which it shares with the fields beside it:
/// `items[0][fieldName]` → `name`, `items 0`.
fn leaf_of(name: &str) -> Option<(String, String)> {
    if name.len() > MAX_NAME {
        return None;
    }
    let mut words: Vec<String> = Vec::new();
    let mut last = None;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            last = None;
            continue;
        }
        let kind = (c.is_numeric(), c.is_uppercase());
        let joined = last.is_some_and(|(digit, upper)| digit == kind.0 && (upper || !kind.1));
        last = Some(kind);
        let small = c.to_lowercase();
        match words.last_mut().filter(|_| joined) {
            Some(word) => word.extend(small),
            None => words.push(small.collect()),
        }
    }
    let at = words.iter().rposition(|w| !w.chars().all(char::is_numeric))?;
    let leaf = words.remove(at);
    // Words that only say more about the leaf.
    words.retain(|w| {
        !is_one("field|header|param|parameter|property|attribute|attr|column|variable|old|new|default|string", w)
    });
    Some((leaf, words.join(" ")))
}

/// What stands between two `&`. Some servers take `;` as a separator as well, and a password may hold one: so a
/// sensitive value goes on to the next `&`.
fn segment(rules: &Rules, segment: &str, pairs: &Pairs, words: &mut Words, out: &mut String) -> u32 {
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
                let hit = decoded.as_deref().map_or(Hit::Yes, |n| rules.ask_form_field(n, pairs, words));
                if is_name(rules, name) && !decoded.as_deref().is_some_and(|n| rules.finds_in_name(n)) {
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
                    rules.tell_form_field(decoded.as_deref(), decoded.as_deref(), pairs);
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
    fn what_another_field_names_is_masked() {
        for (src, out) in [
            ("f[0][name]=password&f[0][value]=x&f[1][value]=y", "f[0][name]=password&f[0][value]=*&f[1][value]=y"),
            ("value=x;name=pass%77ord&a=b", "value=*&a=b"),
            (
                "a.1.key=n&a.1.value=v&name[]=a&name[]=pin&value[]=x",
                "a.1.key=n&a.1.value=v&name[]=a&name[]=pin&value[]=*",
            ),
            ("fieldName=token&newValue=x&oldValue=y", "fieldName=token&newValue=*&oldValue=*"),
            ("name_1=pin&value_1=x&name2=Jo&value2=y", "name_1=pin&value_1=*&name2=Jo&value2=y"),
            ("type=text&content=Hello&name=Jo", "type=text&content=Hello&name=Jo"),
        ] {
            assert_eq!(form(src), out.replace('*', PLACEHOLDER), "{src}");
        }
        assert_eq!(mask(&Rules::default(), "v=x&text=y&na", true).text, "v=***MASKED***&text=y&");
    }

    #[test]
    fn names_may_be_several_words() {
        let rules = Rules::default();
        for text in ["First+Name=Jo&New%20password=x&E-Mail+address=x", "x+y=1"] {
            assert!(is_form(&rules, text), "{text}");
        }
        assert_eq!(form("First+Name=Jo&New%20password=x"), "First+Name=Jo&New%20password=***MASKED***");
        for text in ["password+hunter=1", "my+pin+1234=1", "password+is+hunter2=1", "a++b=1", "+a=1", "a%0Ab=1"] {
            assert!(!is_form(&rules, text), "{text}");
        }
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
