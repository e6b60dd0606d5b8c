//! Form bodies (`application/x-www-form-urlencoded`) and the query part of URLs.
//!
//! The signs of secrets are looked for in many pieces at once (scan.rs); a piece that shows none is copied as it is written.

use std::borrow::Cow;
use std::collections::HashMap;

use super::explain::Why;
use super::json::Rewritten;
use super::names::{Hit, Place, Words};
use super::scan::Signs;
use super::{commands, graphql, hints, json, percent, text, Rules, PLACEHOLDER};

/// A longer name is no form field's.
const MAX_NAME: usize = 256;
/// A longer value is content, not the name of a field; a name of several words is no longer than this.
const MAX_WORDS: usize = 64;
/// No secret that shows by its form is shorter (shapes.rs).
const SHORT: usize = 13;
/// About so many bytes are looked at together.
const BATCH: usize = 4096;

/// Masks `name=value&…`. With `cut`, an unfinished last pair is left out.
pub(super) fn mask(rules: &Rules, src: &str, cut: bool) -> Rewritten {
    let src = if cut { src.rfind('&').map_or("", |i| src.get(..=i).unwrap_or("")) } else { src };
    let mut masker = Masker {
        rules,
        src,
        cut,
        pairs: None,
        words: Words::default(),
        decoded: Vec::new(),
        out: String::with_capacity(src.len() + 16),
        copied: 0,
        fields: 0,
        hidden: false,
    };
    let mut plain = Vec::with_capacity(src.len().min(BATCH + MAX_NAME));
    let mut from = 0;
    loop {
        let most = src.as_bytes().get(from + BATCH..).unwrap_or(&[]);
        let to = src.len() - most.len() + percent::find(most, [b'&', b';']);
        masker.batch(from, to, &mut plain);
        if to >= src.len() {
            return masker.finish();
        }
        from = to + 1;
    }
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
    let text = text.trim_end();
    Pieces::of(text).all(|piece| {
        let name = text.get(piece.start..piece.sign).unwrap_or("");
        if !piece.is_pair() {
            return !name.contains(['\n', '\r']);
        }
        is_plain(name) || percent::decode(name, true).is_some_and(|name| is_name(rules, &name))
    })
}

/// A piece between two separators in some text: `name=value`.
#[derive(Clone, Copy)]
struct Piece {
    start: usize,
    /// Where the `=` is; the end when there is none.
    sign: usize,
    end: usize,
}

impl Piece {
    fn is_pair(&self) -> bool {
        self.sign < self.end
    }

    /// Where its value begins: without a `=` it is all value.
    fn value(&self) -> usize {
        if self.is_pair() {
            self.sign + 1
        } else {
            self.start
        }
    }
}

/// The pieces of a form, in order.
struct Pieces<'a> {
    src: &'a [u8],
    /// `None` after the last.
    at: Option<usize>,
}

impl<'a> Pieces<'a> {
    fn of(src: &'a str) -> Self {
        Pieces { src: src.as_bytes(), at: Some(0) }
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let start = self.at?;
        let rest = self.src.get(start..)?;
        let len = percent::find(rest, [b'&', b';']);
        self.at = (len < rest.len()).then_some(start + len + 1);
        let sign = percent::find(rest.get(..len)?, [b'=', b'=']);
        Some(Piece { start, sign: start + sign, end: start + len })
    }
}

/// The bytes of most names: nothing in them means anything.
static PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0u8;
    while b < 128 {
        table[b as usize] = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        b += 1;
    }
    table
};

/// Can this name be shown, since it is of ordinary signs and too short for any secret by its form?
fn is_plain(name: &str) -> bool {
    name.len() < SHORT && name.bytes().all(|b| PLAIN.get(usize::from(b)).copied().unwrap_or(false))
}

/// Can this (decoded) name be shown as it is: `user[name]`, without signs of other notations or secrets?
fn is_name(rules: &Rules, name: &str) -> bool {
    let mut open = false;
    let mut words = false;
    for (i, b) in name.bytes().enumerate() {
        match b {
            b'[' if open || i == 0 => return false,
            b'[' => open = true,
            b']' if !open => return false,
            b']' => open = false,
            b'"' | b'\'' | b'`' | b'\\' | b'{' | b'}' | b'<' | b'>' | b'=' | b'&' => return false,
            b' ' => words = true,
            _ if b.is_ascii_control() => return false,
            _ => {}
        }
    }
    let blank = |c: char| c != ' ' && (c.is_whitespace() || c.is_control());
    !open
        && name.len() <= MAX_NAME
        && (name.is_ascii() || !name.contains(blank))
        && text::mask(rules, name, Place::Field).is_none()
        && (!words || is_phrase(rules, name))
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

    /// Those of a form's fields.
    fn of_form(rules: &Rules, src: &str, open: bool) -> Self {
        let mut pairs = Pairs::new(open);
        for piece in Pieces::of(src).filter(Piece::is_pair) {
            let name = src.get(piece.start..piece.sign).unwrap_or("");
            if name.contains('%') || part_of(name).is_none_or(|part| part == Part::Name) {
                let value = src.get(piece.value()..piece.end).unwrap_or("");
                if let (Some(name), Some(value)) = (percent::decode(name, true), percent::decode(value, true)) {
                    pairs.note(rules, &name, &value);
                }
            }
        }
        pairs
    }

    /// Takes note of a field that may name another.
    pub(super) fn note(&mut self, rules: &Rules, name: &str, value: &str) {
        let value = value.trim();
        let long = value.is_empty() || value.len() > MAX_WORDS;
        if long || rules.fields.answer(value.as_bytes()).hit(Place::Param) != Hit::Yes {
            return;
        }
        if let Some((leaf, group)) = leaf_of(name) {
            if part_in_pair(leaf.as_bytes()) == Part::Name {
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
            (part_in_pair(leaf.as_bytes()) == Part::Value && self.groups.contains_key(&group))
                || (self.open && matches!(leaf.as_str(), "value" | "values" | "val" | "v"))
        })
    }

    /// The entry by which it is named.
    pub(super) fn why(&self, name: &str) -> Option<Why> {
        leaf_of(name).and_then(|(_, group)| self.groups.get(&group).cloned().flatten())
    }
}

/// What a field is for the one beside it.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    None,
    /// Its value is another's name.
    Name,
    /// Its value is what another may name.
    Value,
}

/// By the last word of a field's name.
fn part_in_pair(leaf: &[u8]) -> Part {
    match leaf {
        b"name" | b"key" | b"field" | b"header" | b"param" | b"parameter" | b"property" | b"attribute" | b"attr"
        | b"id" | b"type" | b"label" | b"path" | b"k" | b"n" | b"variable" | b"var" | b"setting" | b"option"
        | b"column" | b"question" | b"kind" => Part::Name,
        b"value" | b"values" | b"val" | b"v" | b"old" | b"new" | b"before" | b"after" | b"from" | b"to"
        | b"previous" | b"current" | b"data" | b"content" | b"text" | b"default" | b"input" | b"answer"
        | b"response" => Part::Value,
        _ => Part::None,
    }
}

/// The same by the whole name, without an allocation, since every field is asked about. `None`: it is not so simple, see [`leaf_of`].
fn part_of(name: &str) -> Option<Part> {
    let mut word = [0; "parameter".len()];
    let mut at = word.len();
    let mut after = 0u8;
    for b in name.bytes().rev() {
        let begun = at < word.len();
        match b {
            0x80.. => return None,
            b'a'..=b'z' if after.is_ascii_uppercase() => break,
            b'a'..=b'z' | b'A'..=b'Z' => {
                let Some(slot) = at.checked_sub(1).and_then(|at| word.get_mut(at)) else { return Some(Part::None) };
                *slot = b.to_ascii_lowercase();
                at -= 1;
                after = b;
            }
            _ if begun => break,
            _ => {}
        }
    }
    Some(part_in_pair(word.get(at..).unwrap_or(&[])))
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
        !matches!(
            w.as_str(),
            "field"
                | "header"
                | "param"
                | "parameter"
                | "property"
                | "attribute"
                | "attr"
                | "column"
                | "variable"
                | "old"
                | "new"
                | "default"
                | "string"
        )
    });
    Some((leaf, words.join(" ")))
}

struct Masker<'a> {
    rules: &'a Rules,
    src: &'a str,
    cut: bool,
    /// Made when the first field comes that may be named by another: most forms have none.
    pairs: Option<Pairs>,
    words: Words,
    decoded: Vec<u8>,
    out: String,
    /// The source is in the output up to here.
    copied: usize,
    fields: u32,
    /// Some servers take `;` as a separator as well, and a password may hold one: so a sensitive value goes on to the next `&`.
    hidden: bool,
}

impl<'a> Masker<'a> {
    /// Masks the pieces of a part of the source.
    fn batch(&mut self, from: usize, to: usize, plain: &mut Vec<u8>) {
        let text = self.src.get(from..to).unwrap_or("");
        plain.clear();
        plain.extend(text.bytes().map(|b| if b == b'+' { b' ' } else { b }));
        let mut signs = Search::new(plain);
        for piece in Pieces::of(text) {
            // (In front of the part there is a separator, or nothing.)
            let separator = (from + piece.start).checked_sub(1).and_then(|i| self.src.as_bytes().get(i));
            let goes_on = self.hidden && separator == Some(&b';');
            if self.hidden && !goes_on {
                self.hidden = false;
                self.copied = from + piece.start - 1;
            }
            let name = self.name(from, text, &piece);
            let hit = if goes_on || !piece.is_pair() { Hit::No } else { self.ask(text, &piece, name.as_deref()) };
            if goes_on {
                continue;
            }
            let (start, end) = (from + piece.value(), from + piece.end);
            if hit != Hit::No {
                if start < end || self.src.as_bytes().get(end) == Some(&b';') {
                    self.replace(start, end, PLACEHOLDER);
                    self.hidden = true;
                    self.tell(name.as_deref());
                }
                continue;
            }
            let rules = self.rules;
            if name.as_deref() == Some("variables") && self.is_bound(start, end) {
                self.replace(start, end, PLACEHOLDER);
                rules.tell("variables", "pair", || None);
            } else if !signs.is_quiet(rules, piece.value(), piece.end) {
                rules.within(name.as_deref(), || self.content(start, end));
            }
        }
    }

    /// The decoded name of a piece, after it is written as far as it can be shown. `None`: there is none, or it is no text.
    fn name(&mut self, from: usize, text: &'a str, piece: &Piece) -> Option<Cow<'a, str>> {
        let name = text.get(piece.start..piece.sign).unwrap_or("");
        if !piece.is_pair() {
            return None;
        }
        if is_plain(name) && !self.rules.finds_in_name(name) {
            return Some(Cow::Borrowed(name));
        }
        let decoded = if percent::find(name.as_bytes(), [b'%', b'+']) < name.len() {
            percent::decode(name, true).map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(name))
        };
        let shown = |name: &str| is_name(self.rules, name) && !self.rules.finds_in_name(name);
        if !self.hidden && !decoded.as_deref().is_some_and(shown) {
            self.content(from + piece.start, from + piece.sign);
        }
        decoded
    }

    /// Is the field of this name sensitive?
    fn ask(&mut self, text: &str, piece: &Piece, name: Option<&str>) -> Hit {
        // A name that is not text is not understood.
        let Some(name) = name else { return Hit::Yes };
        let (rules, src, cut) = (self.rules, self.src, self.cut);
        let may_be_named = part_of(name).is_none_or(|part| part == Part::Value);
        if !rules.own.paths.is_empty() {
            let pairs = self.pairs.get_or_insert_with(|| Pairs::of_form(rules, src, cut));
            return rules.ask_form_field(name, pairs, &mut self.words);
        }
        let answer = if name.len() == piece.sign - piece.start {
            rules.fields.answer_in(text.as_bytes(), piece.start, piece.sign)
        } else {
            rules.fields.answer(name.as_bytes())
        };
        match answer.hit(Place::Param) {
            Hit::No if may_be_named => {
                let pairs = self.pairs.get_or_insert_with(|| Pairs::of_form(rules, src, cut));
                if pairs.name_value(name) {
                    Hit::Yes
                } else {
                    Hit::No
                }
            }
            hit => hit,
        }
    }

    /// Does this hold the variables of a GraphQL document in the field `query`, and one that is secret there?
    fn is_bound(&self, start: usize, end: usize) -> bool {
        let field = |start: usize, end: usize| percent::decode(self.src.get(start..end).unwrap_or(""), true);
        let Some(variables) = field(start, end) else { return true };
        let documents = Pieces::of(self.src).filter(|piece| self.src.get(piece.start..piece.sign) == Some("query"));
        let mut bound = documents.filter_map(|piece| {
            graphql::Bound::of(self.rules, &field(piece.value(), piece.end)?, false).filter(|bound| !bound.is_empty())
        });
        // Names and what follows them. (With an escape a name may be written in any way.)
        let names = || variables.split('"').zip(variables.split('"').skip(1)).skip(1).step_by(2);
        let is_name = |after: &str| after.trim_start().starts_with(':');
        bound.any(|bound| variables.contains('\\') || names().any(|(name, after)| is_name(after) && bound.holds(name)))
    }

    fn tell(&mut self, name: Option<&str>) {
        let (rules, src, cut) = (self.rules, self.src, self.cut);
        if rules.explains() {
            let pairs = self.pairs.get_or_insert_with(|| Pairs::of_form(rules, src, cut));
            rules.tell_form_field(name, name, pairs);
        }
    }

    /// Content whose name says nothing: JSON and secrets by their form are looked for in the decoded text.
    fn content(&mut self, start: usize, end: usize) {
        self.decoded.clear();
        percent::append(self.src.as_bytes().get(start..end).unwrap_or(&[]), true, &mut self.decoded);
        let quiet = Search::new(&self.decoded).is_quiet(self.rules, 0, self.decoded.len());
        let Ok(decoded) = std::str::from_utf8(&self.decoded) else {
            self.replace(start, end, PLACEHOLDER);
            self.rules.tell("", "unreadable", || None);
            return;
        };
        if quiet {
            return;
        }
        if let Some((clean, fields)) = json::clean_string(self.rules, decoded, 0) {
            self.replace(start, end, "");
            percent::encode(&clean, &mut self.out);
            self.fields = self.fields.saturating_add(fields);
        }
    }

    fn replace(&mut self, start: usize, end: usize, with: &str) {
        self.out.push_str(self.src.get(self.copied..start).unwrap_or(""));
        self.out.push_str(with);
        self.copied = end;
        self.fields = self.fields.saturating_add(u32::from(!with.is_empty()));
    }

    fn finish(mut self) -> Rewritten {
        if !self.hidden {
            self.out.push_str(self.src.get(self.copied..).unwrap_or(""));
        }
        Rewritten { text: self.out, fields: self.fields, broke_at: self.cut.then_some(self.src.len()) }
    }
}

/// The signs of secrets in a text, of which pieces are asked about in their order.
pub(super) struct Search<'a> {
    text: &'a [u8],
    signs: Signs<'a>,
    sign: usize,
    /// Where the last piece ended.
    from: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let mut signs = Signs::new(text);
        let sign = signs.next();
        Search { text, signs, sign, from: 0 }
    }

    /// Is there nothing to look for in this piece: would [`json::clean_string`] find nothing to mask? "No" too often, but "yes" never
    /// too often. In front of the piece stands none of the signs that the words and numbers of secrets have.
    pub(super) fn is_quiet(&mut self, rules: &Rules, start: usize, end: usize) -> bool {
        let before = self.text.get(..end).unwrap_or(self.text);
        let mut quiet =
            start >= self.from && !rules.looks_everywhere() && has_plain_ends(before.get(start..).unwrap_or(&[]));
        self.from = end;
        while self.sign < end {
            if quiet && self.sign >= start {
                // (A tag, and dashes in front of a PEM block's.)
                let sign = matches!(before.get(self.sign), Some(b'<' | b'-'));
                quiet = !sign && !hints::shows(rules, before, start, self.sign);
            }
            self.sign = self.signs.next();
        }
        quiet
    }
}

/// Does this text begin and end otherwise than JSON and GraphQL do?
fn has_plain_ends(text: &[u8]) -> bool {
    let plain = |b: Option<&u8>| b.is_none_or(|b| b.is_ascii_graphic() && !matches!(b, b'{' | b'[' | b'"' | b'}'));
    let text = text.trim_ascii();
    if plain(text.first()) && plain(text.last()) {
        return commands::statement(text).is_none();
    }
    // In other scripts, where other blanks count as well.
    let odd = |b: Option<&u8>| b.is_some_and(|b| !b.is_ascii());
    (odd(text.first()) || odd(text.last()))
        && std::str::from_utf8(text)
            .is_ok_and(|text| !text.trim().starts_with(['{', '[', '"']) && !text.trim().ends_with('}'))
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
    fn variables_that_a_document_makes_secret_are_masked() {
        let query = "query=mutation($p:String){login(password:$p,n:$n){id}}";
        for variables in
            ["{\"p\":\"hunter2\"}", "%7B%22n%22%3A1%2C%22p%22%3A%22hunter2%22%7D", "{\"\\u0070\":\"hunter2\"}"]
        {
            assert_eq!(
                form(&format!("{query}&variables={variables}&a=b")),
                format!("{query}&variables=***MASKED***&a=b")
            );
            assert_eq!(form(&format!("variables={variables}&{query}")), format!("variables=***MASKED***&{query}"));
        }
        for text in [format!("{query}&variables={{\"n\":\"p\"}}"), "query=shoes&variables={\"p\":1}".to_owned()] {
            assert_eq!(form(&text), text);
        }
    }

    /// What is looked at together ends somewhere: nothing depends on where.
    #[test]
    fn long_forms_are_masked_as_short_ones() {
        let piece =
            "a=1;b=%7B%22pin%22%3A1%7D&f[name]=pin;c&f[value]=x;y;z&n=4111+1111+1111+1111&password=s;t;&=&é=%FF&";
        let masked = form(piece);
        assert_eq!(masked.matches(PLACEHOLDER).count(), 5, "{masked}");
        let many = BATCH * 3 / piece.len();
        for lead in 0..piece.len() {
            let (lead, tail) = ("x".repeat(lead), "y".repeat(BATCH + lead));
            assert_eq!(
                form(&format!("{lead}&{}{tail}", piece.repeat(many))),
                format!("{lead}&{}{tail}", masked.repeat(many))
            );
        }
    }

    #[test]
    fn a_name_means_the_same_looked_at_quickly() {
        const PIECES: &[&str] =
            &["name", "Name", "value", "VALUE", "key", "f", "[", "]", "0", "12", ".", "_", "-", "K", "old", "New", "X"];
        let mut seed = 7usize;
        let mut meant = [0; 3];
        for _ in 0..20_000 {
            let mut name = String::new();
            while !seed.is_multiple_of(5) {
                name.push_str(PIECES[seed / 5 % PIECES.len()]);
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 3;
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 3;
            let slowly = leaf_of(&name).map_or(Part::None, |(leaf, _)| part_in_pair(leaf.as_bytes()));
            assert!(part_of(&name) == Some(slowly), "{name}");
            meant[slowly as usize] += 1;
        }
        assert!(meant.iter().all(|count| *count > 1000), "{meant:?}");
        assert!(part_of("namé").is_none() && part_of("é.name") == Some(Part::Name) && part_of("éname").is_none());
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
