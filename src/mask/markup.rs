//! XML, SOAP and HTML, rewritten in one pass over tags and texts: no tree, no recursion over depth, no DTD.
//!
//! Tags are copied as they are written. The content and the attributes of a sensitive element, and what an attribute
//! or a neighbour names (`<input name="password" value="x">`, `<key>password</key><value>x</value>`), become the
//! placeholder; all other texts and attribute values are decoded and looked into. XML ends where it is not
//! well-formed; in HTML mismatches are normal, and a sensitive element that never closes masks to the end.

mod elements;
mod entities;
mod html;
mod tables;
mod tags;
#[cfg(test)]
mod tests;
mod texts;

use std::borrow::Cow;
use std::collections::HashMap;

use super::explain::{self, Why};
use super::form::Search;
use super::json::{self, Rewritten};
use super::names::{Place, Words};
use super::{Rules, PLACEHOLDER};
use html::{is_security, kinds_of, Asked, Known};
use tables::Table;

/// An element nested deeper than this is masked as a whole.
const MAX_DEPTH: usize = 200;
/// Markup inside a text is looked into so many levels deep; below that it is masked.
const MAX_LEVEL: u8 = 2;
/// A longer text is content, not the name of a field.
const MAX_NAME: usize = 64;
/// A longer name is no element's or attribute's.
const MAX_TAG: usize = 256;
/// Content larger than this is not taken for the value of a name that is missing.
const MAX_NAMED: usize = 1024;
/// How much of a text's end is asked whether it names what follows.
const MAX_LEAD: usize = 120;
/// What ends a text whose markup broke off.
const BROKEN_TAIL: &str = " [not captured: malformed]";

/// How strict the source is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Xml,
    Html,
}

/// Masks markup. `cut` says that the source is the beginning of something longer.
pub(super) fn mask(rules: &Rules, src: &str, cut: bool, dialect: Dialect) -> Rewritten {
    mask_at(rules, src, cut, dialect, 0)
}

/// Does text begin with a tag?
pub(super) fn looks_like(text: &str) -> bool {
    let text = text.trim_start();
    begins_tag(text.as_bytes()) && !is_link(text.as_bytes()) && has_tag(text)
}

/// What text of no declared type is read as: HTML only if it begins as only HTML does.
pub(super) fn dialect_of(text: &str) -> Dialect {
    let text = text.trim_start();
    let name = text.strip_prefix("<!").or_else(|| text.strip_prefix('<')).unwrap_or("");
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or("");
    if name.eq_ignore_ascii_case("doctype") {
        let root = text.get("<!doctype".len()..).unwrap_or("").trim_start().as_bytes();
        let html = root.get(..4).is_some_and(|r| r.eq_ignore_ascii_case(b"html"));
        return if html { Dialect::Html } else { Dialect::Xml };
    }
    if kinds_of(name) & html::HTML != 0 {
        Dialect::Html
    } else {
        Dialect::Xml
    }
}

/// Does text hold anything that might be a tag, and not only what usages and types have: `--user <user>`, `Vec<String>`? Then it has
/// an end tag, an empty element, a comment or the like, an attribute, or an element of HTML.
pub(super) fn has_tag(text: &str) -> bool {
    text.match_indices('<').any(|(i, _)| {
        let rest = text.as_bytes().get(i..).unwrap_or(&[]);
        begins_tag(rest) && !is_link(rest) && is_meant(text, i)
    })
}

/// Is this `<` one of a tag? See [`has_tag`].
fn is_meant(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes().get(at + 1..).unwrap_or(&[]);
    if matches!(bytes.first(), Some(b'/' | b'!' | b'?')) {
        return true;
    }
    let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'>' | b'/' | b'<' | b'=');
    let len = bytes.iter().take(MAX_NAME).position(ends).unwrap_or(bytes.len().min(MAX_NAME));
    let name = text.get(at + 1..at + 1 + len).unwrap_or("");
    // (An attribute has its sign near.)
    let tag = bytes.get(len..).unwrap_or(&[]).iter().take(MAX_NAME).take_while(|b| !matches!(b, b'<' | b'>'));
    let mut last = 0;
    let attribute = tag.copied().any(|b| std::mem::replace(&mut last, b) != 0 && b == b'=');
    attribute || bytes.get(len..).is_some_and(|rest| rest.starts_with(b"/>")) || kinds_of(name) & html::HTML != 0
}

/// Masks a decoded text that has tags in it; `None` when there is nothing to mask. `level` counts how many texts it lies in.
pub(super) fn clean(rules: &Rules, text: &str, level: u8) -> Option<(String, u32)> {
    if level >= MAX_LEVEL {
        rules.tell("", "nesting", || None);
        return Some((PLACEHOLDER.to_owned(), 1));
    }
    let inner = rules.at(|| "(markup)".to_owned(), || mask_at(rules, text, false, Dialect::Html, level + 1));
    match inner.broke_at {
        None if inner.fields == 0 => None,
        None => Some((inner.text, inner.fields)),
        // A less-than sign in front of a word.
        Some(at) if inner.fields == 0 && text.get(at..).is_some_and(is_prose) => json::clean_plain(rules, text, level),
        Some(_) => {
            rules.tell("", "malformed", || None);
            Some((inner.text + BROKEN_TAIL, inner.fields.saturating_add(1)))
        }
    }
}

fn mask_at(rules: &Rules, src: &str, cut: bool, dialect: Dialect, level: u8) -> Rewritten {
    let mut masker = Masker {
        rules,
        src,
        html: dialect == Dialect::Html,
        cut,
        level,
        pos: 0,
        out: String::with_capacity(src.len() + 16),
        fields: 0,
        frames: vec![Frame::default()],
        open: Vec::new(),
        muted: None,
        tables: Vec::new(),
        column_why: None,
        attributes: Vec::new(),
        spans: Vec::new(),
        patches: Vec::new(),
        entities: false,
        key_block: false,
        words: Words::default(),
        known: Known::default(),
        signs: Search::new(src.as_bytes()),
        told: Told::default(),
    };
    let broke_at = masker.run().err().map(|Broken(at)| at);
    masker.finish(broke_at)
}

/// Is this text, broken off as a tag, without any sign of an attribute?
fn is_prose(tail: &str) -> bool {
    tail.starts_with('<') && !tail.contains(['=', ':', '>', '!', '?', '"', '\''])
}

/// `<jo@host>` and `<https://host>`, as mail and plain text have them.
fn is_link(bytes: &[u8]) -> bool {
    let word = bytes
        .iter()
        .skip(1)
        .take(MAX_NAME)
        .take_while(|b| !b.is_ascii_whitespace() && !matches!(b, b'>' | b'/' | b'='));
    word.copied().any(|b| b == b'@') || bytes.starts_with(b"<http://") || bytes.starts_with(b"<https://")
}

/// `<a`, `</a`, `<!`, `<?`: not a less-than sign.
fn begins_tag(bytes: &[u8]) -> bool {
    let starts = |b: &u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b':' | 0x80..);
    match bytes {
        [b'<', b'!' | b'?', ..] => true,
        [b'<', b'/', b, ..] | [b'<', b, ..] => starts(b),
        _ => false,
    }
}

/// The source cannot be read from this byte on.
struct Broken(usize);

/// What an element or attribute means for its neighbours.
#[derive(Clone, Copy, Default, PartialEq)]
enum Slot {
    #[default]
    None,
    /// Its value names something: `<name>password</name>`.
    Name,
    /// Its value is what was named.
    Value,
    /// The bare `key`: a name if there is a value beside it, a secret otherwise.
    Key,
}

/// What stood before names what comes next.
#[derive(Clone, Copy)]
struct Naming<'a> {
    /// The naming element, if it was one: the cells of a row have one name.
    local: &'a str,
    /// Said with a sign: text that follows is meant too.
    sign: bool,
    /// What is meant may go on over several inline elements and texts; and nothing else is meant.
    goes_on: bool,
    inline: bool,
    /// HTML's own elements are not meant.
    foreign: bool,
}

/// The one text that an element holds, if it can be a name.
#[derive(Default)]
enum Label<'a> {
    #[default]
    None,
    One(Cow<'a, str>),
    Many,
}

impl<'a> Label<'a> {
    fn add(&mut self, text: Cow<'a, str>) {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return;
        }
        *self = match self {
            Label::None if trimmed.len() <= MAX_NAME => Label::One(match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
                Cow::Owned(_) => Cow::Owned(trimmed.to_owned()),
            }),
            _ => Label::Many,
        };
    }

    fn merge(&mut self, other: Label<'a>) {
        match other {
            Label::None => {}
            Label::One(text) => self.add(text),
            Label::Many => *self = Label::Many,
        }
    }
}

/// A piece of the output that may have to be replaced after all.
#[derive(Clone, Copy)]
struct Item {
    /// Its attributes' values, by place in `spans`.
    attributes: (usize, usize),
    content: (usize, usize),
    leaf: bool,
}

/// An open element.
#[derive(Default)]
struct Frame<'a> {
    name: &'a str,
    slot: Slot,
    /// Where its content began in the output, and its attributes in `spans`.
    content: usize,
    attributes: (usize, usize),
    label: Label<'a>,
    /// Its attribute `key`, until it is known whether that is a name.
    key_attribute: Option<(usize, usize)>,
    /// Named by the neighbour of the same name, if they come in pairs.
    paired: bool,
    /// Its content is left out.
    muted: bool,
    script: bool,
    children: usize,
    has_text: bool,
    /// A child in a name slot had a sensitive name; a child in a value slot was seen.
    named: bool,
    has_value: bool,
    /// Its first child was a `dt`.
    terms: bool,
    naming: Option<Naming<'a>>,
    /// For explanations: the entry of the last name that a child or text said.
    why: Option<Why>,
    pending: Vec<Item>,
    keys: Vec<Item>,
    pairs: Vec<Item>,
}

/// An element whose content is left out.
struct Muted<'a> {
    name: &'a str,
    /// HTML: open elements of this name. XML: how many elements are open around it.
    count: usize,
    /// Its text may be another name.
    listen: bool,
}

/// An attribute's name and value in the source; the value's quotes are outside of it.
#[derive(Clone, Copy)]
struct Attribute {
    name: (usize, usize),
    /// `None`: only the name.
    value: Option<(usize, usize)>,
    quoted: bool,
    /// Blanks stand before it.
    apart: bool,
}

struct Masker<'a> {
    rules: &'a Rules,
    src: &'a str,
    html: bool,
    cut: bool,
    level: u8,
    pos: usize,
    out: String,
    fields: u32,
    /// The document and its open elements, none inside a muted one.
    frames: Vec<Frame<'a>>,
    /// XML: the names of all open elements.
    open: Vec<&'a str>,
    muted: Option<Muted<'a>>,
    /// Open tables, and by which entry the cell in hand is in a sensitive column.
    tables: Vec<Table>,
    column_why: Option<Why>,
    attributes: Vec<Attribute>,
    /// Attribute values in the output.
    spans: Vec<(usize, usize)>,
    patches: Vec<(usize, usize)>,
    /// The document may declare entities of its own.
    entities: bool,
    /// Inside of a PEM block that goes on over several texts.
    key_block: bool,
    words: Words,
    known: Known<'a>,
    /// The signs of secrets in the source.
    signs: Search<'a>,
    told: Told,
}

/// What an explanation has to know of values that may be replaced after all, by where they begin in the output.
#[derive(Default)]
struct Told {
    paths: HashMap<usize, String>,
    whys: HashMap<usize, Reason>,
}

/// A rule, and the entry by which it holds.
type Reason = (&'static str, Option<Why>);

impl<'a> Masker<'a> {
    fn run(&mut self) -> Result<(), Broken> {
        if odd_encoding(self.src) {
            return Err(Broken(0));
        }
        loop {
            self.texts()?;
            if self.pos >= self.src.len() {
                break;
            }
            match self.byte(self.pos + 1) {
                Some(b'/') => self.end_tag()?,
                Some(b'!') => self.declaration()?,
                _ => self.start_tag()?,
            }
        }
        // What never closes: the note says so.
        let open = self.muted.is_some() || (!self.html && self.frames.len() > 1);
        if open {
            return Err(Broken(self.src.len()));
        }
        Ok(())
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.src.as_bytes().get(at).copied()
    }

    fn rest(&self) -> &'a str {
        self.src.get(self.pos..).unwrap_or("")
    }

    fn slice(&self, (start, end): (usize, usize)) -> &'a str {
        self.src.get(start..end).unwrap_or("")
    }

    fn push(&mut self, text: &str) {
        if self.muted.is_none() {
            self.out.push_str(text);
        }
    }

    fn placeholder(&mut self) {
        self.out.push_str(PLACEHOLDER);
        self.fields = self.fields.saturating_add(1);
    }

    // ---- explanations

    /// `Envelope/Body/Login`, with the element in hand and its attribute, if there is one: `…/@Password`.
    fn path(&self, element: Option<&str>, attribute: Option<&str>) -> String {
        let mut path = String::new();
        if !self.rules.explains() {
            return path;
        }
        for name in self.frames.iter().skip(1).map(|f| f.name).chain(element) {
            self.step(local_name(name), "", &mut path);
        }
        if let Some(name) = attribute {
            self.step(local_name(name), "@", &mut path);
        }
        path
    }

    fn step(&self, name: &str, sign: &str, path: &mut String) {
        let mut step = String::new();
        explain::step(self.rules, Some(name), &mut step);
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(sign);
        path.push_str(&step);
    }

    /// Tells of something in the innermost open element.
    fn tell(&self, rule: &'static str, why: impl FnOnce() -> Option<Why>) {
        if self.rules.explains() {
            self.rules.tell(&self.path(None, None), rule, why);
        }
    }

    /// Why this name is sensitive.
    fn why(&self, local: &str) -> Option<Why> {
        if !self.rules.explains() {
            return None;
        }
        let listed = || is_security(local).then(|| (local.to_owned(), false));
        self.rules.fields.why(local, Place::Field).or_else(listed)
    }

    /// The entry of what stood before the element or text in hand.
    fn why_before(&self) -> Option<Why> {
        self.frames.last().and_then(|frame| frame.why.clone())
    }

    /// Looks into a text that goes as a whole when there is anything to mask in it; how many values that are.
    fn search(&self, text: &str, kind: &str) -> Option<u32> {
        let path = || self.path(None, None) + kind;
        let (_, fields) = self.rules.at(path, || json::clean_string(self.rules, text, self.level))?;
        self.rules.swallow(&path());
        Some(fields)
    }

    fn finish(mut self, broke_at: Option<usize>) -> Rewritten {
        while self.frames.len() > 1 {
            self.close(false);
        }
        if let Some(document) = self.frames.pop() {
            self.settle(&document, broke_at.is_none() && !self.cut);
        }
        let (rules, mut told) = (self.rules, self.told);
        let (text, patched) = apply(self.out, self.patches, |start| {
            if rules.explains() {
                let path = told.paths.remove(&start).unwrap_or_default();
                let (rule, why) = told.whys.remove(&start).unwrap_or(("pair", None));
                rules.swallow(&path);
                rules.tell(&path, rule, || why);
            }
        });
        let broke_at = broke_at.or(self.cut.then_some(self.src.len()));
        Rewritten { text, fields: self.fields.saturating_add(patched), broke_at }
    }

    fn ask(&mut self, name: &'a str) -> Asked<'a> {
        self.known.ask(self.rules, name, &mut self.words)
    }
}

/// Replaces pieces of the output. One inside another is covered by it, blanks stay.
fn apply(out: String, mut patches: Vec<(usize, usize)>, mut each: impl FnMut(usize)) -> (String, u32) {
    if patches.is_empty() {
        return (out, 0);
    }
    patches.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    let mut text = String::with_capacity(out.len());
    let mut at = 0;
    let mut count = 0;
    for (start, end) in patches {
        let piece = out.get(start..end).unwrap_or("").trim();
        if start < at || piece.is_empty() || piece == PLACEHOLDER {
            continue;
        }
        text.push_str(out.get(at..start).unwrap_or(""));
        text.push_str(PLACEHOLDER);
        at = end;
        count += 1;
        each(start);
    }
    text.push_str(out.get(at..).unwrap_or(""));
    (text, count)
}

fn secret_name() -> Option<Why> {
    Some(("secret as a name".to_owned(), false))
}

/// `wsse:Password` → `Password`.
fn local_name(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((_, local)) if !local.is_empty() => local,
        _ => name,
    }
}

/// May this stand in the name of an element or attribute?
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '\u{B7}' | '\u{300}'..='\u{36F}')
}

/// An XML declaration that names an encoding in which ASCII bytes mean something else.
fn odd_encoding(src: &str) -> bool {
    let Some(rest) = src.trim_start().strip_prefix("<?xml") else { return false };
    let head = rest.get(..rest.find('>').unwrap_or(rest.len())).unwrap_or("").to_ascii_lowercase();
    let Some((_, encoding)) = head.split_once("encoding") else { return false };
    ["utf-7", "utf7", "iso-2022", "hz-gb", "ebcdic", "cp037", "ibm"].iter().any(|odd| encoding.contains(odd))
}
