//! XML, SOAP and HTML, rewritten in one pass over tags and texts: no tree, no recursion over depth, no DTD.
//!
//! Tags are copied as they are written. The content and the attributes of a sensitive element, and what an attribute
//! or a neighbour names (`<input name="password" value="x">`, `<key>password</key><value>x</value>`), become the
//! placeholder; all other texts and attribute values are decoded and looked into. XML ends where it is not
//! well-formed; in HTML mismatches are normal, and a sensitive element that never closes masks to the end.

use std::borrow::Cow;
use std::collections::HashMap;

use super::explain::{self, Why};
use super::json::{self, Rewritten};
use super::names::{Hit, Place, Words};
use super::{note, text, Rules, PLACEHOLDER};

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
/// Answers about names that are kept.
const KNOWN: usize = 256;
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
    if is_html(name) {
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
    attribute || bytes.get(len..).is_some_and(|rest| rest.starts_with(b"/>")) || is_html(name)
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
        attributes: Vec::new(),
        spans: Vec::new(),
        patches: Vec::new(),
        entities: false,
        key_block: false,
        words: Words::default(),
        known: HashMap::new(),
        told: Told::default(),
    };
    let broke_at = masker.run().err().map(|Broken(at)| at);
    masker.finish(broke_at)
}

/// Is this text, broken off as a tag, without any sign of an attribute?
fn is_prose(tail: &str) -> bool {
    tail.starts_with('<') && !tail.contains(['=', ':', '>', '!', '?', '"', '\''])
}

/// `<a`, `</a`, `<!`, `<?`: not a less-than sign.
/// Does another tag begin in this one, outside of quoted values?
fn has_stray_tag(tag: &str) -> bool {
    let mut quote = None;
    let mut last = 0;
    for b in tag.bytes() {
        match (quote, b) {
            (Some(q), b) if b == q => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') if last == b'=' => quote = Some(b),
            (None, b'<') => return true,
            _ => {}
        }
        if !b.is_ascii_whitespace() {
            last = b;
        }
    }
    false
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

/// What is known about a local name.
#[derive(Clone, Copy)]
struct Asked {
    sensitive: bool,
    slot: Slot,
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
enum Label {
    #[default]
    None,
    One(String),
    Many,
}

impl Label {
    fn add(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        *self = match self {
            Label::None if text.len() <= MAX_NAME => Label::One(text.to_owned()),
            _ => Label::Many,
        };
    }

    fn merge(&mut self, other: Label) {
        match other {
            Label::None => {}
            Label::One(text) => self.add(&text),
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
    label: Label,
    /// Its attribute `key`, until it is known whether that is a name.
    key_attribute: Option<(usize, usize)>,
    /// Named by the neighbour of the same name, if they come in pairs.
    paired: bool,
    script: bool,
    children: usize,
    has_text: bool,
    /// A child in a name slot had a sensitive name; a child in a value slot was seen.
    named: bool,
    has_value: bool,
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
    attributes: Vec<Attribute>,
    /// Attribute values in the output.
    spans: Vec<(usize, usize)>,
    patches: Vec<(usize, usize)>,
    /// The document may declare entities of its own.
    entities: bool,
    /// Inside of a PEM block that goes on over several texts.
    key_block: bool,
    words: Words,
    known: HashMap<&'a str, Asked>,
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
        let listed = || one_of(SECURITY, local).then(|| (local.to_owned(), false));
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

    // ---- texts

    /// Everything up to the next tag: text, CDATA, comments, processing instructions. Text is looked into as a whole,
    /// since what stands between its pieces is nothing to a reader.
    fn texts(&mut self) -> Result<(), Broken> {
        let start = self.pos;
        let written = self.out.len();
        let mut decoded = String::new();
        let mut unknown = false;
        while self.pos < self.src.len() {
            let rest = self.rest();
            if !rest.starts_with('<') {
                let raw = rest.get(..rest.find('<').unwrap_or(rest.len())).unwrap_or("");
                self.pos += raw.len();
                unknown |= decode(raw, &mut decoded);
                self.push(raw);
            } else if rest.starts_with("<!--") {
                self.comment(start, written)?;
            } else if let Some(inner) = rest.strip_prefix("<![CDATA[") {
                let Some(len) = inner.find("]]>") else { return self.unfinished(start, written) };
                let inner = inner.get(..len).unwrap_or("");
                // A browser ends it at the first `>`: what both ways of reading leave open ends the output.
                if self.html && has_tag(inner) {
                    let mark = self.rules.mark();
                    let unclear = self.level >= MAX_LEVEL
                        || mask_at(self.rules, inner, false, Dialect::Html, self.level + 1).broke_at.is_some();
                    self.rules.forget(mark);
                    if unclear {
                        return self.unfinished(start, written);
                    }
                }
                decoded.push_str(inner);
                let len = "<![CDATA[".len() + len + "]]>".len();
                self.push(rest.get(..len).unwrap_or(""));
                self.pos += len;
            } else if rest.starts_with("<?") {
                let end = if self.html { rest.find('>').map(|i| i + 1) } else { rest.find("?>").map(|i| i + 2) };
                let Some(len) = end else { return self.unfinished(start, written) };
                let raw = rest.get(..len).unwrap_or("");
                self.pos += len;
                match self.search(raw.get(1..).unwrap_or(""), "(instruction)") {
                    None => self.push(raw),
                    Some(fields) => {
                        self.push(&format!("<?masked {PLACEHOLDER}?>"));
                        self.fields = self.fields.saturating_add(fields);
                    }
                }
            } else if begins_tag(rest.as_bytes()) {
                break;
            } else if self.html {
                self.pos += 1;
                decoded.push('<');
                self.push("<");
            } else {
                return self.unfinished(start, written);
            }
        }
        if self.pos > start && self.pos >= self.src.len() && (self.cut || (!self.html && self.frames.len() > 1)) {
            return self.unfinished(start, written);
        }
        if !self.html && self.frames.len() <= 1 && self.muted.is_none() && !decoded.trim().is_empty() {
            return self.unfinished(start, written);
        }
        self.text_done(&decoded, unknown, written);
        Ok(())
    }

    /// Leaves out the texts in hand, of which the end is not known.
    fn unfinished(&mut self, start: usize, written: usize) -> Result<(), Broken> {
        if self.muted.is_none() {
            self.out.truncate(written);
        }
        Err(Broken(start))
    }

    fn comment(&mut self, start: usize, written: usize) -> Result<(), Broken> {
        let rest = self.rest();
        let inner = rest.get("<!--".len()..).unwrap_or("");
        let short = ["<!-->", "<!--->"].iter().find(|c| self.html && rest.starts_with(**c));
        let end = match short {
            Some(short) => Some((0, short.len())),
            None => inner.match_indices("--").find_map(|(i, _)| {
                let tail = inner.get(i + 2..).unwrap_or("");
                let sign = if tail.starts_with('>') { 1 } else { 2 };
                (sign == 1 || (self.html && tail.starts_with("!>"))).then_some((i, 4 + i + 2 + sign))
            }),
        };
        let Some((len, whole)) = end else { return self.unfinished(start, written) };
        let inner = inner.get(..len).unwrap_or("");
        self.pos += whole;
        match self.search(inner, "(comment)") {
            None => self.push(rest.get(..whole).unwrap_or("")),
            Some(fields) => {
                self.push("<!-- ");
                self.push(PLACEHOLDER);
                self.push(" -->");
                self.fields = self.fields.saturating_add(fields);
            }
        }
        Ok(())
    }

    /// A text is whole: its raw form stands in the output from `written` on.
    fn text_done(&mut self, decoded: &str, unknown: bool, written: usize) {
        let trimmed = decoded.trim();
        if trimmed.is_empty() {
            return;
        }
        if let Some(muted) = &self.muted {
            if muted.listen {
                if let Some(frame) = self.frames.last_mut() {
                    frame.label.add(trimmed);
                }
            }
            return;
        }
        let (naming, script) = self.frames.last().map_or((None, false), |f| (f.naming, f.script));
        let signs = |c: char| c.is_whitespace() || matches!(c, ':' | '=' | '>' | '-' | '"' | '\'' | '|' | ',' | ';');
        let mut next = None;
        let mut reason = ("unreadable", None);
        let mut hide = self.entities && unknown;
        if let Some(naming) = naming {
            if trimmed.chars().all(signs) {
                // Signs between a name and its value.
                let sign = naming.sign || trimmed.contains([':', '=']);
                if let Some(frame) = self.frames.last_mut() {
                    frame.naming = Some(Naming { sign, ..naming });
                }
                return;
            }
            if naming.sign || trimmed.starts_with([':', '=']) {
                hide = true;
                reason = ("pair", self.why_before());
            }
            next = Some(naming).filter(|n| n.goes_on);
        }
        if self.key_block || trimmed.contains("-----BEGIN ") {
            if self.key_block {
                hide = true;
                reason = ("value", Some(("pem block".to_owned(), false)));
            }
            let tail = trimmed.rfind("-----BEGIN ").and_then(|i| trimmed.get(i..)).unwrap_or(trimmed);
            self.key_block = !tail.contains("-----END ");
        }
        if hide {
            self.out.truncate(written);
            self.tell(reason.0, || reason.1);
            self.placeholder();
        } else if script {
            self.out.truncate(written);
            self.script(decoded, "script");
        } else if let Some((clean, fields)) =
            self.rules.at(|| self.path(None, None), || json::clean_string(self.rules, decoded, self.level))
        {
            self.out.truncate(written);
            escape(&clean, &mut self.out);
            self.fields = self.fields.saturating_add(fields);
            if clean.ends_with(PLACEHOLDER) || clean.ends_with(BROKEN_TAIL) {
                next = Some(Naming { local: "", sign: true, goes_on: true, inline: true, foreign: false });
            }
        }
        let mut why = self.why_before().filter(|_| next.is_some());
        if self.leads(trimmed) {
            why = self.why_lead(trimmed);
            next = Some(Naming { local: "", sign: true, goes_on: true, inline: false, foreign: false });
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.has_text = true;
            frame.naming = next;
            if !frame.named {
                frame.why = why;
            }
            frame.label.add(if unknown { "password" } else { decoded });
        }
    }

    /// Does this text's end name what follows: `Password: <b>…`, `Bearer <b>…`?
    fn leads(&self, text: &str) -> bool {
        let word = text.rsplit(char::is_whitespace).next().unwrap_or("");
        let scheme = ["bearer", "basic"].iter().any(|s| word.eq_ignore_ascii_case(s));
        if !scheme && !text.ends_with([':', '=', '"', '\'', '>']) {
            return false;
        }
        let mut from = text.len().saturating_sub(MAX_LEAD);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        self.names(&format!("{} ", text.get(from..).unwrap_or("")))
    }

    /// The entry by which a text's end names what follows; of `Bearer <b>…` the scheme.
    fn why_lead(&self, text: &str) -> Option<Why> {
        let end = text.trim_end_matches(|c: char| !c.is_alphanumeric());
        let word = end.rsplit(char::is_whitespace).next().unwrap_or("");
        if !self.rules.explains() {
            return None;
        }
        let scheme = || Some((word.to_ascii_lowercase(), false)).filter(|(word, _)| one_of("bearer|basic", word));
        self.rules.fields.why_phrase(end.get(end.len().saturating_sub(MAX_NAME)..).unwrap_or(word)).or_else(scheme)
    }

    /// Would a text with this beginning hide what follows?
    fn names(&self, lead: &str) -> bool {
        const PROBE: &str = "Zx0aB9Q=";
        let probed = text::mask(self.rules, &format!("{lead}{PROBE}"), Place::Field);
        probed.is_some_and(|(clean, _)| !clean.contains(PROBE))
    }

    /// A script's text: only JSON is understood.
    fn script(&mut self, decoded: &str, name: &str) {
        let kind = if name.eq_ignore_ascii_case("style") { "text/css" } else { "text/javascript" };
        if json::looks_like(decoded) {
            let mark = self.rules.mark();
            let rules = self.rules;
            let inner = rules.at(|| self.path(None, None) + "(json)", || json::mask(rules, decoded, false, 1));
            if inner.broke_at.is_none() {
                self.fields = self.fields.saturating_add(inner.fields);
                // Only strings hold it, and there it means the same.
                let safe = inner.text.replace("</", "<\\/");
                if self.html {
                    self.out.push_str(&safe);
                } else {
                    escape(&safe, &mut self.out);
                }
                return;
            }
            self.rules.forget(mark);
        }
        self.tell("script", || None);
        let note = note::whole(kind, decoded.len() as u64, "script");
        self.out.push_str(&note);
        self.fields = self.fields.saturating_add(1);
    }

    // ---- tags

    /// `<!DOCTYPE …>`; its own declarations are not shown. What else begins so in HTML is a comment.
    fn declaration(&mut self) -> Result<(), Broken> {
        let start = self.pos;
        let rest = self.rest();
        let doctype = rest.as_bytes().get(2..9).is_some_and(|d| d.eq_ignore_ascii_case(b"doctype"));
        if !self.html && (!doctype || !self.open.is_empty()) {
            return Err(Broken(start));
        }
        let mut quote = None;
        let mut subset = false;
        let mut end = None;
        let mut at = 2;
        while let Some(b) = rest.as_bytes().get(at).copied() {
            match quote {
                Some(q) if b == q => quote = None,
                Some(_) if b == b'>' && self.html => return Err(Broken(start)),
                Some(_) => {}
                None => match b {
                    b'"' | b'\'' if doctype => quote = Some(b),
                    b'[' if doctype && self.html => return Err(Broken(start)),
                    b'[' if doctype => subset = true,
                    b']' => subset = false,
                    b'<' if subset => {
                        let tail = rest.get(at..).unwrap_or("");
                        let close = match tail {
                            t if t.starts_with("<!--") => Some("-->"),
                            t if t.starts_with("<?") => Some("?>"),
                            _ => None,
                        };
                        if let Some(close) = close {
                            let Some(len) = tail.get(2..).and_then(|t| t.find(close)) else {
                                return Err(Broken(start));
                            };
                            at += 2 + len + close.len();
                            self.entities = true;
                            continue;
                        }
                        self.entities = true;
                    }
                    // As in a tag.
                    b'<' => return Err(Broken(start)),
                    b'>' if !subset => {
                        end = Some(at + 1);
                        break;
                    }
                    _ => {}
                },
            }
            at += 1;
        }
        let Some(end) = end else { return Err(Broken(start)) };
        self.pos += end;
        let raw = rest.get(..end).unwrap_or("");
        if raw.contains('[') {
            self.rules.tell("(doctype)", "unreadable", || None);
            self.entities = true;
            let root: String =
                raw.get(9..).unwrap_or("").trim_start().chars().take_while(|c| is_plain(*c)).take(MAX_NAME).collect();
            self.push(&format!("<!DOCTYPE {root} [<!-- {PLACEHOLDER} -->]>"));
            self.fields = self.fields.saturating_add(1);
        } else {
            let rules = self.rules;
            let found = rules.at(|| "(doctype)".to_owned(), || json::clean_plain(rules, raw, self.level));
            rules.swallow("(doctype)");
            match found {
                None => self.push(raw),
                Some((_, fields)) => {
                    self.push("<!-- ");
                    self.push(PLACEHOLDER);
                    self.push(" -->");
                    self.fields = self.fields.saturating_add(fields);
                }
            }
        }
        Ok(())
    }

    fn end_tag(&mut self) -> Result<(), Broken> {
        let start = self.pos;
        let rest = self.rest();
        let Some(len) = rest.find('>') else { return Err(Broken(start)) };
        let inner = rest.get(2..len).unwrap_or("");
        // Another tag begins in this one: a browser takes no notice, but readers may.
        if inner.contains('<') {
            return Err(Broken(start));
        }
        let name = inner.split(|c: char| c.is_ascii_whitespace() || c == '/').next().unwrap_or("");
        if self.html {
            self.pos += len + 1;
            if let Some(muted) = &mut self.muted {
                if !muted.name.eq_ignore_ascii_case(name) {
                    return Ok(());
                }
                muted.count -= 1;
                if muted.count > 0 {
                    return Ok(());
                }
                self.muted = None;
                self.close(true);
            } else {
                let found = self.frames.iter().skip(1).rposition(|f| f.name.eq_ignore_ascii_case(name));
                if let Some(at) = found {
                    while self.frames.len() > at + 1 {
                        self.close(true);
                    }
                } else if name.len() > MAX_NAME || self.is_secret_name(name) {
                    self.tell("value", secret_name);
                    self.fields = self.fields.saturating_add(1);
                    return Ok(());
                }
            }
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
            return Ok(());
        }
        if self.open.pop() != Some(name) || !inner.get(name.len()..).unwrap_or("").trim().is_empty() {
            return Err(Broken(start));
        }
        self.pos += len + 1;
        if let Some(muted) = &self.muted {
            if self.open.len() > muted.count {
                return Ok(());
            }
            self.muted = None;
        }
        self.close(true);
        self.out.push_str(rest.get(..=len).unwrap_or(""));
        Ok(())
    }

    fn start_tag(&mut self) -> Result<(), Broken> {
        let start = self.pos;
        let (name, end, slash) = self.read_tag().ok_or(Broken(start))?;
        if has_stray_tag(self.src.get(start + 1..end).unwrap_or("")) {
            return Err(Broken(start));
        }
        self.pos = end;
        let raw_text = self.html && one_of(RAW_TEXT, name);
        let void = self.html && one_of(VOID, name);
        let empty = (slash && !raw_text) || void;
        if let Some(muted) = &mut self.muted {
            if !empty {
                if self.html && muted.name.eq_ignore_ascii_case(name) {
                    muted.count += 1;
                }
                if !self.html {
                    self.open.push(name);
                }
                if raw_text {
                    return self.raw_text(name);
                }
            }
            return Ok(());
        }
        if self.html {
            self.close_implied(name);
        }
        if self.is_secret_name(name) {
            return Err(Broken(start));
        }
        let local = local_name(name);
        let asked = self.ask(local);
        let attributes = std::mem::take(&mut self.attributes);
        let named = self.naming_attribute(&attributes, name);
        // Named by what stands before it?
        let naming = self.frames.last().and_then(|f| f.naming);
        let mut by_neighbour = false;
        let mut paired = false;
        let mut goes_on = None;
        if let Some(naming) = naming {
            let same = self.same(naming.local, local);
            let names = matches!(asked.slot, Slot::Name | Slot::Key);
            let meant = !(names || (naming.foreign && is_html(name)));
            if naming.goes_on {
                let inline = !self.html || one_of(INLINE, name);
                by_neighbour = inline || (meant && !naming.inline);
                goes_on = Some(naming).filter(|_| inline);
            } else if same && !naming.sign {
                paired = !local.eq_ignore_ascii_case("th");
            } else {
                by_neighbour = meant;
            }
        }
        let deep = self.frames.len() > MAX_DEPTH;
        let mute = asked.sensitive || named.is_some_and(|n| n.content) || by_neighbour || deep;
        let mut frame = Frame { name, slot: asked.slot, paired, ..Frame::default() };
        frame.script = !self.html && matches!(local, "script" | "style");
        let hide = if asked.sensitive {
            Hide::All
        } else if mute || named.is_some() {
            Hide::Values
        } else {
            Hide::None
        };
        let reason = match named.filter(|n| n.content || !mute) {
            _ if !self.rules.explains() || hide == Hide::None => ("name", None),
            _ if asked.sensitive => ("name", self.why(local)),
            Some(named) => ("pair", self.why(&self.decoded(&attributes, named.attribute))),
            None if by_neighbour => ("pair", self.why_before()),
            None => ("nesting", None),
        };
        let spans = self.spans.len();
        let has_value = self.write_tag(name, (start, end), slash, &attributes, hide, named, &mut frame, &reason);
        frame.attributes = (spans, self.spans.len());
        self.attributes = attributes;
        if let Some(parent) = self.frames.last_mut() {
            parent.naming = goes_on;
        }
        frame.content = self.out.len();
        if self.rules.explains() && (frame.paired || frame.slot != Slot::None) {
            self.told.paths.insert(frame.content, self.path(Some(name), None));
        }
        if empty && has_value {
            frame.key_attribute = None;
        }
        frame.has_value = has_value;
        if mute && !by_neighbour {
            frame.label = Label::Many;
        }
        // What closes itself although it may have content: the next sibling may be that.
        let loose = empty && self.html && (self.level == 0 || void);
        let follows = loose && ((named.is_some() && !has_value) || (asked.sensitive && !void));
        self.frames.push(frame);
        if empty {
            self.close(true);
            if follows {
                if let Some(parent) = self.frames.last_mut() {
                    parent.why = reason.1;
                    parent.naming =
                        Some(Naming { local: "", sign: true, goes_on: false, inline: false, foreign: void });
                }
            }
            return Ok(());
        }
        if mute {
            if let Some(frame) = self.frames.last_mut() {
                frame.has_text = true;
            }
            self.tell(reason.0, || reason.1);
            self.placeholder();
            let count = if self.html { 1 } else { self.open.len() };
            self.muted = Some(Muted { name, count, listen: by_neighbour });
        }
        if !self.html {
            self.open.push(name);
        }
        if raw_text {
            return self.raw_text(name);
        }
        Ok(())
    }

    /// Reads a start tag: its name, its end, and whether it closes itself; its attributes go to `attributes`.
    fn read_tag(&mut self) -> Option<(&'a str, usize, bool)> {
        self.attributes.clear();
        let bytes = self.src.as_bytes();
        let blank = |b: u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0C);
        let mut at = self.pos + 1;
        let first = at;
        while bytes.get(at).is_some_and(|b| !blank(*b) && !matches!(b, b'/' | b'>')) {
            at += 1;
        }
        let name = self.src.get(first..at)?;
        if name.len() > MAX_TAG || (!self.html && !name.chars().all(is_plain)) {
            return None;
        }
        loop {
            let before = at;
            while bytes.get(at).is_some_and(|b| blank(*b)) {
                at += 1;
            }
            let apart = at > before;
            match *bytes.get(at)? {
                b'>' => return Some((name, at + 1, false)),
                b'/' if bytes.get(at + 1) == Some(&b'>') => return Some((name, at + 2, true)),
                b'/' if self.html => {
                    at += 1;
                    continue;
                }
                _ if !self.html && !apart => return None,
                _ => {}
            }
            let start = at;
            at += 1;
            while bytes.get(at).is_some_and(|b| !blank(*b) && !matches!(b, b'/' | b'>' | b'=')) {
                at += 1;
            }
            let mut attribute = Attribute { name: (start, at), value: None, quoted: false, apart };
            let key = self.src.get(start..at)?;
            if key.len() > MAX_TAG || (!self.html && !key.chars().all(is_plain)) {
                return None;
            }
            let after_name = at;
            while bytes.get(at).is_some_and(|b| blank(*b)) {
                at += 1;
            }
            if *bytes.get(at)? != b'=' {
                if !self.html {
                    return None;
                }
                at = after_name;
                self.attributes.push(attribute);
                continue;
            }
            at += 1;
            while bytes.get(at).is_some_and(|b| blank(*b)) {
                at += 1;
            }
            match *bytes.get(at)? {
                quote @ (b'"' | b'\'') => {
                    let from = at + 1;
                    let len = bytes.get(from..)?.iter().position(|b| *b == quote || (!self.html && *b == b'<'))?;
                    at = from + len;
                    if bytes.get(at) != Some(&quote) {
                        return None;
                    }
                    attribute.value = Some((from, at));
                    attribute.quoted = true;
                    at += 1;
                }
                _ if !self.html => return None,
                _ => {
                    let from = at;
                    while bytes.get(at).is_some_and(|b| !blank(*b) && *b != b'>') {
                        at += 1;
                    }
                    attribute.value = Some((from, at));
                }
            }
            self.attributes.push(attribute);
        }
    }

    /// Does an attribute name what this element holds?
    fn naming_attribute(&mut self, attributes: &[Attribute], element: &str) -> Option<Named> {
        let mut found: Option<Named> = None;
        for (i, attribute) in attributes.iter().enumerate() {
            let Some(value) = attribute.value else { continue };
            let name = local_name(self.slice(attribute.name));
            if value.1 - value.0 > MAX_NAME * 4 || !matches!(self.ask(name).slot, Slot::Name | Slot::Key) {
                continue;
            }
            let mut decoded = String::new();
            let unknown = decode(self.slice(value), &mut decoded);
            // `urn:oid:mail`, `/user/password`, `xs:password`: words of any of these count.
            let hit = unknown
                || (decoded.len() <= MAX_NAME
                    && self.rules.fields.ask(decoded.trim(), Place::Field, &mut self.words) == Hit::Yes);
            if !hit {
                continue;
            }
            // On a page, the id of a block or what a label is for says less.
            let weak = ["id", "type", "for", "label", "path", "kind", "autocomplete"]
                .iter()
                .any(|w| name.eq_ignore_ascii_case(w));
            let content = if self.html && weak && is_html(element) {
                !one_of(BLOCKS, element) && self.names(&format!("{}: ", decoded.trim()))
            } else {
                !(self.html && one_of(BLOCKS, element))
            };
            let hit = Named { attribute: i, content };
            found = Some(found.map_or(hit, |f| Named { content: f.content || hit.content, ..f }));
        }
        found
    }

    /// An attribute's value without entities.
    fn decoded(&self, attributes: &[Attribute], place: usize) -> String {
        let mut text = String::new();
        if let Some(value) = attributes.get(place).and_then(|attribute| attribute.value) {
            decode(self.slice(value), &mut text);
        }
        text
    }

    /// Writes a start tag. Says whether it has an attribute for values.
    #[allow(clippy::too_many_arguments)]
    fn write_tag(
        &mut self,
        name: &'a str,
        (start, end): (usize, usize),
        slash: bool,
        attributes: &[Attribute],
        hide: Hide,
        named: Option<Named>,
        frame: &mut Frame<'a>,
        reason: &Reason,
    ) -> bool {
        let rules = self.rules;
        let mut has_value = false;
        let mut copied = start + 1 + name.len();
        // In a masked tag of HTML a stray quote makes pieces of a value look like attributes.
        let mut stray = false;
        self.out.push('<');
        self.out.push_str(name);
        for (i, attribute) in attributes.iter().enumerate() {
            let whole = self.slice(attribute.name);
            let local = local_name(whole);
            let namespace = whole == "xmlns" || whole.starts_with("xmlns:");
            let asked = self.ask(local);
            let harmless = one_of(HARMLESS, whole);
            stray |= !attribute.apart;
            let Some(value) = attribute.value else {
                let drop = hide != Hide::None && (stray || !harmless) || self.is_secret_name(whole);
                if drop {
                    self.tell_dropped(name, hide, reason);
                    self.fields = self.fields.saturating_add(1);
                } else {
                    self.out.push_str(self.slice((copied, attribute.name.1)));
                }
                copied = attribute.name.1;
                continue;
            };
            let quotes = usize::from(attribute.quoted);
            let after = value.1 + quotes;
            if (hide != Hide::None && self.html && (stray || !whole.chars().all(is_plain)))
                || self.is_secret_name(whole)
            {
                self.tell_dropped(name, hide, reason);
                self.fields = self.fields.saturating_add(1);
                copied = after;
                continue;
            }
            let naming = named.is_some_and(|n| n.attribute == i);
            has_value |= asked.slot == Slot::Value;
            let raw = self.slice(value);
            let keep = namespace
                || match hide {
                    Hide::None => !asked.sensitive,
                    Hide::Values => !asked.sensitive && (naming || (self.html && harmless)),
                    Hide::All => local == "Type" && raw.starts_with("http://docs.oasis-open.org/wss/"),
                };
            self.out.push_str(self.slice((copied, value.0)));
            copied = after;
            let from = self.out.len();
            let path = self.path(Some(name), Some(whole));
            if !keep {
                match asked.sensitive {
                    true => rules.tell(&path, "name", || self.why(local)),
                    false => rules.tell(&path, reason.0, || reason.1.clone()),
                }
                self.placeholder();
            } else {
                let mut decoded = Cow::Borrowed(raw);
                let mut unknown = false;
                if raw.contains('&') {
                    let mut text = String::new();
                    unknown = decode(raw, &mut text);
                    decoded = Cow::Owned(text);
                }
                if self.entities && unknown {
                    rules.tell(&path, "unreadable", || None);
                    self.placeholder();
                } else if let Some((clean, fields)) =
                    rules.at(|| path.clone(), || json::clean_string(rules, &decoded, self.level))
                {
                    self.fields = self.fields.saturating_add(fields);
                    if attribute.quoted {
                        escape(&clean, &mut self.out);
                    } else {
                        self.out.push('"');
                        escape(&clean, &mut self.out);
                        self.out.push('"');
                    }
                } else {
                    self.out.push_str(raw);
                }
                if asked.slot == Slot::Value && matches!(frame.slot, Slot::Name | Slot::Key) {
                    frame.label.add(&decoded);
                }
            }
            let written = (from, self.out.len());
            if rules.explains() {
                self.told.paths.insert(from, path);
            }
            self.out.push_str(self.slice((value.1, after)));
            if !namespace {
                self.spans.push(written);
            }
            if asked.slot == Slot::Key && keep {
                frame.key_attribute = Some(written);
            }
        }
        if hide != Hide::None && self.html {
            self.out.push_str(if slash { "/>" } else { ">" });
        } else {
            self.out.push_str(self.slice((copied, end)));
        }
        has_value
    }

    /// An attribute is left out with its name.
    fn tell_dropped(&self, element: &str, hide: Hide, reason: &Reason) {
        if self.rules.explains() {
            let (rule, why) = if hide == Hide::None { ("value", secret_name()) } else { reason.clone() };
            self.rules.tell(&self.path(Some(element), None), rule, || why);
        }
    }

    /// Text in which no tags are read: up to the element's end tag.
    fn raw_text(&mut self, name: &'a str) -> Result<(), Broken> {
        let start = self.pos;
        let rest = self.rest();
        let ends = |i: usize| {
            let tail = rest.as_bytes().get(i + 2..).unwrap_or(&[]);
            tail.get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name.as_bytes()))
                && tail.get(name.len()).is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>'))
        };
        let Some(len) = rest.match_indices("</").map(|(i, _)| i).find(|i| ends(*i)) else {
            return Err(Broken(start));
        };
        let raw = rest.get(..len).unwrap_or("");
        let code = ["script", "style"].iter().any(|s| name.eq_ignore_ascii_case(s));
        // A comment inside a script may hold end tags that do not end it.
        if code && raw.rfind("<!--") > raw.rfind("-->") {
            return Err(Broken(start));
        }
        self.pos += len;
        if self.muted.is_some() || raw.trim().is_empty() {
            self.push(raw);
            return Ok(());
        }
        if code {
            self.script(raw, name);
            return Ok(());
        }
        let written = self.out.len();
        let mut decoded = String::new();
        let unknown = decode(raw, &mut decoded);
        self.out.push_str(raw);
        self.text_done(&decoded, unknown, written);
        Ok(())
    }

    // ---- elements

    fn same(&self, a: &str, b: &str) -> bool {
        if self.html {
            a.eq_ignore_ascii_case(b)
        } else {
            a == b
        }
    }

    /// Elements of HTML whose end tags may be left out end where the next of them begins.
    fn close_implied(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        let closes: &[&str] = match name.as_str() {
            "li" => &["p", "li"],
            "dt" | "dd" => &["p", "dt", "dd"],
            "td" | "th" => &["p", "td", "th"],
            "tr" => &["p", "td", "th", "tr"],
            "tbody" | "thead" | "tfoot" => &["p", "td", "th", "tr", "tbody", "thead", "tfoot"],
            "option" => &["option"],
            "optgroup" => &["option", "optgroup"],
            "body" => &["head"],
            n if n == "p" || one_of(BLOCKS, n) => &["p"],
            _ => return,
        };
        while self.frames.len() > 1
            && self.frames.last().is_some_and(|f| closes.iter().any(|c| f.name.eq_ignore_ascii_case(c)))
        {
            self.close(true);
        }
    }

    /// The last open element ends: what does it mean for its neighbours, and which of its children were named?
    fn close(&mut self, complete: bool) {
        if self.frames.len() < 2 {
            return;
        }
        let Some(mut frame) = self.frames.pop() else { return };
        self.settle(&frame, complete);
        let item =
            Item { attributes: frame.attributes, content: (frame.content, self.out.len()), leaf: frame.children == 0 };
        let mut label = std::mem::take(&mut frame.label);
        let mut naming = None;
        let mut named = false;
        let mut why = None;
        if let Label::One(text) = &label {
            let marks = |c: char| c.is_whitespace() || matches!(c, ':' | '=' | '*' | '?' | '"' | '\'');
            let bare = text.trim_matches(marks);
            let sign = text.trim_end_matches(['*', ' ', '"', '\'']).ends_with([':', '=']);
            let heading = self.html && one_of(HEADINGS, frame.name);
            if self.rules.fields.ask(bare, Place::Field, &mut self.words) == Hit::Yes {
                why = self.why(bare);
                named = matches!(frame.slot, Slot::Name | Slot::Key);
                let names = named || (frame.slot != Slot::Value && self.names(&format!("{bare}: ")));
                if heading && !sign {
                    label = Label::Many;
                } else if names {
                    let local = local_name(frame.name);
                    naming = Some(Naming { local, sign, goes_on: false, inline: false, foreign: false });
                }
            }
        }
        let Some(parent) = self.frames.last_mut() else { return };
        parent.children += 1;
        if named || (naming.is_some() && !parent.named) {
            parent.why = why;
        }
        parent.named |= named;
        if naming.is_some_and(|n| n.sign) || parent.naming.is_none_or(|n| !n.goes_on) && naming.is_some() {
            parent.naming = naming;
        }
        match frame.slot {
            Slot::Value => {
                parent.has_value = true;
                parent.pending.push(item);
            }
            Slot::Key => parent.keys.push(item),
            _ => {}
        }
        if frame.paired {
            parent.pairs.push(item);
        }
        parent.label.merge(label);
    }

    fn settle(&mut self, frame: &Frame<'a>, complete: bool) {
        let mut items: Vec<Item> = Vec::new();
        let small = |i: &&Item| i.leaf || i.content.1 - i.content.0 <= MAX_NAMED;
        if frame.named {
            items.extend(&frame.pending);
        } else if !complete {
            // The name may have been in what is missing.
            items.extend(frame.pending.iter().filter(small));
        }
        let pending = items.len();
        // In a property list what follows a key is its value, whatever its name.
        if !complete || !(frame.has_value || local_name(frame.name) == "dict") {
            items.extend(&frame.keys);
        }
        let keys = if items.len() > pending { pending..items.len() } else { 0..0 };
        if !complete || frame.children.is_multiple_of(2) {
            items.extend(&frame.pairs);
        }
        for (i, item) in items.into_iter().enumerate() {
            self.patches.push(item.content);
            let spans = self.spans.get(item.attributes.0..item.attributes.1).unwrap_or(&[]);
            self.patches.extend(spans);
            if self.rules.explains() {
                let reason = if keys.contains(&i) { ("name", self.why("key")) } else { ("pair", frame.why.clone()) };
                for (start, _) in spans.iter().chain([&item.content]) {
                    self.told.whys.entry(*start).or_insert_with(|| reason.clone());
                }
            }
        }
        if let Some(span) = frame.key_attribute {
            if !complete || !(frame.has_text || frame.has_value) {
                let reason = ("name", self.why("key"));
                self.told.whys.insert(span.0, reason);
                self.patches.push(span);
            }
        }
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

    fn ask(&mut self, local: &'a str) -> Asked {
        if let Some(known) = self.known.get(local) {
            return *known;
        }
        let hit = self.rules.fields.ask(local, Place::Field, &mut self.words);
        let slot = if hit == Hit::Key { Slot::Key } else { slot_of(local) };
        let sensitive = hit == Hit::Yes || one_of(SECURITY, local);
        let asked = Asked { sensitive, slot };
        if self.known.len() < KNOWN {
            self.known.insert(local, asked);
        }
        asked
    }

    /// A name can itself be a secret: `<sk_live_…>`.
    fn is_secret_name(&self, name: &str) -> bool {
        name.len() >= 13 && text::mask(self.rules, name, Place::Field).is_some()
    }
}

/// An attribute that names its element's value, and whether the element's content is meant too.
#[derive(Clone, Copy)]
struct Named {
    attribute: usize,
    content: bool,
}

/// What of a tag is not shown.
#[derive(Clone, Copy, PartialEq)]
enum Hide {
    None,
    /// All values but those that are certain to be none.
    Values,
    All,
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

fn slot_of(local: &str) -> Slot {
    let joined: String = local.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match joined.as_str() {
        "name" | "key" | "field" | "fieldname" | "header" | "headername" | "param" | "parameter" | "paramname"
        | "property" | "attribute" | "attributename" | "attr" | "id" | "type" | "label" | "path" | "k" | "n"
        | "variable" | "var" | "setting" | "option" | "column" | "columnname" | "question" | "kind" | "itemprop"
        | "httpequiv" | "for" | "autocomplete" | "ref" | "term" | "dt" => Slot::Name,
        "value" | "values" | "val" | "v" | "old" | "new" | "oldvalue" | "newvalue" | "before" | "after" | "from"
        | "to" | "previous" | "current" | "data" | "content" | "text" | "default" | "defaultvalue" | "input"
        | "answer" | "response" | "string" | "definition" | "dd" => Slot::Value,
        "username" | "filename" | "hostname" | "classname" | "nickname" | "surname" | "firstname" | "lastname" => {
            Slot::None
        }
        j if j.ends_with("name") || (j.ends_with("key") && j.len() > 3) => Slot::Name,
        j if j.ends_with("value") => Slot::Value,
        _ => Slot::None,
    }
}

/// Elements of WS-Security, SAML and XML signatures that are as good as a login, beside those whose names tell it.
const SECURITY: &str =
    "SignatureValue|Assertion|EncryptedAssertion|CipherValue|EncryptedKey|EncryptedData|BinarySecret|\
    Nonce|RSAKeyValue|DSAKeyValue|PrivateKeyValue";

/// Elements that have no content in HTML.
const VOID: &str = "area|base|br|col|embed|frame|hr|img|input|link|meta|param|source|track|wbr|keygen";

/// Elements in which HTML reads no tags.
const RAW_TEXT: &str = "script|style|textarea|title";

/// Elements that hold parts of a page, not one value.
const BLOCKS: &str =
    "html|head|body|div|form|fieldset|section|article|main|nav|header|footer|aside|table|ul|ol|dl|h1|h2|\
    h3|h4|h5|h6|hr|pre|blockquote|details|template";

/// Elements that are part of a line of text.
const INLINE: &str =
    "a|b|i|u|s|em|strong|span|wbr|br|mark|code|font|small|big|sub|sup|kbd|samp|var|tt|q|ins|del|cite|bdi|\
    bdo|time|data|abbr";

/// Elements whose text is about what follows, not its name.
const HEADINGS: &str = "head|title|h1|h2|h3|h4|h5|h6|a|button|legend|caption|option|summary|nav";

/// Attributes of HTML that hold no value of a field.
const HARMLESS: &str = "type|id|class|name|for|itemprop|http-equiv|autocomplete|required|disabled|readonly|autofocus|\
    checked|selected|hidden|multiple|novalidate|maxlength|minlength|size|rows|cols|tabindex|method|role|\
    lang|dir|form|colspan|rowspan";

/// Is the name one of a list, in any case?
fn one_of(list: &str, name: &str) -> bool {
    list.split('|').any(|one| one.eq_ignore_ascii_case(name))
}

fn is_html(name: &str) -> bool {
    const MORE: &str =
        "p|li|dt|dd|td|th|tr|tbody|thead|tfoot|caption|label|select|option|optgroup|button|legend|iframe|svg|\
    video|audio|canvas|figure|figcaption|img|center|noscript|output|progress|dialog|picture|object|\
    address";
    [VOID, RAW_TEXT, BLOCKS, INLINE, MORE].iter().any(|list| one_of(list, name))
}

/// Appends text with its entities decoded; says whether one of them is not known.
fn decode(raw: &str, out: &mut String) -> bool {
    let mut unknown = false;
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        out.push_str(rest.get(..at).unwrap_or(""));
        rest = rest.get(at + 1..).unwrap_or("");
        let end = rest.bytes().take(32).position(|b| !b.is_ascii_alphanumeric() && b != b'#');
        let end = end.unwrap_or(rest.len().min(32));
        let Some(name) = rest.get(..end) else {
            out.push('&');
            continue;
        };
        let ended = rest.as_bytes().get(end) == Some(&b';');
        let number = name.strip_prefix('#').map(|n| match n.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => {
                // Without a `;` the number ends where its digits do.
                let digits = n.bytes().take_while(u8::is_ascii_digit).count();
                n.get(..digits).unwrap_or("").parse()
            }
        });
        let (text, used) = match number {
            Some(Ok(code)) => {
                let digits = match name.get(1..2) {
                    Some("x" | "X") => end,
                    _ => 1 + name.bytes().skip(1).take_while(u8::is_ascii_digit).count(),
                };
                let c = char::from_u32(code).filter(|c| *c != '\0').unwrap_or(char::REPLACEMENT_CHARACTER);
                (Some(c), digits)
            }
            Some(Err(_)) => (Some(char::REPLACEMENT_CHARACTER), end),
            None => (entity(name, ended), end),
        };
        match text {
            Some(c) => {
                out.push(c);
                rest = rest.get(used..).unwrap_or("");
                rest = rest.strip_prefix(';').unwrap_or(rest);
            }
            None => {
                unknown |= ended && !name.is_empty() || !ended && rest.as_bytes().get(end).is_some_and(|b| *b >= 0x80);
                out.push('&');
            }
        }
    }
    out.push_str(rest);
    unknown
}

/// The five of XML, and those of HTML that stand for signs which matter between a name and a value.
fn entity(name: &str, ended: bool) -> Option<char> {
    Some(match name {
        "lt" | "LT" => '<',
        "gt" | "GT" => '>',
        "amp" | "AMP" => '&',
        "quot" | "QUOT" => '"',
        "nbsp" => ' ',
        _ if !ended => return None,
        "apos" => '\'',
        "Tab" => '\t',
        "NewLine" => '\n',
        "excl" => '!',
        "num" => '#',
        "dollar" => '$',
        "percnt" => '%',
        "lpar" => '(',
        "rpar" => ')',
        "ast" | "midast" => '*',
        "plus" => '+',
        "comma" => ',',
        "period" => '.',
        "sol" => '/',
        "colon" => ':',
        "semi" => ';',
        "equals" => '=',
        "quest" => '?',
        "commat" => '@',
        "lsqb" | "lbrack" => '[',
        "bsol" => '\\',
        "rsqb" | "rbrack" => ']',
        "Hat" => '^',
        "lowbar" | "UnderBar" => '_',
        "grave" | "DiacriticalGrave" => '`',
        "lcub" | "lbrace" => '{',
        "verbar" | "vert" | "VerticalLine" => '|',
        "rcub" | "rbrace" => '}',
        "hyphen" | "dash" => '-',
        "shy" | "ZeroWidthSpace" | "zwj" | "zwnj" => '\u{AD}',
        _ => return None,
    })
}

/// Writes text as it stands in content or inside of quotes.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(src: &str) -> String {
        let out = mask(&Rules::default(), src, false, Dialect::Xml);
        assert_eq!(out.broke_at, None, "{src} -> {}", out.text);
        out.text
    }

    fn html(src: &str) -> String {
        mask(&Rules::default(), src, false, Dialect::Html).text
    }

    #[test]
    fn sensitive_elements_and_attributes_are_masked() {
        for (src, out) in [
            ("<a><password>x</password>b</a>", "<a><password>***MASKED***</password>b</a>"),
            ("<a><pin n='1'>x<pin>y</pin>z</pin>b</a>", "<a><pin n='***MASKED***'>***MASKED***</pin>b</a>"),
            ("<a><pin/><pin v='1'/>b</a>", "<a><pin/><pin v='***MASKED***'/>b</a>"),
            ("<u pass&#119;ord='x'/>", ""),
            ("<u password='x' n=\"1\"/>", "<u password='***MASKED***' n=\"1\"/>"),
            ("<u><pin><![CDATA[</pin>]]></pin></u>", "<u><pin>***MASKED***</pin></u>"),
            ("<u><pin><!-- </pin> --><b/></pin></u>", "<u><pin>***MASKED***</pin></u>"),
            (
                "<w:Security xmlns:w=\"u\"><w:Password Type=\"http://docs.oasis-open.org/wss/2004/01/x#PasswordText\">x</w:Password></w:Security>",
                "<w:Security xmlns:w=\"u\"><w:Password Type=\"http://docs.oasis-open.org/wss/2004/01/x#PasswordText\">***MASKED***</w:Password></w:Security>",
            ),
            ("<d:SignatureValue>x</d:SignatureValue>", "<d:SignatureValue>***MASKED***</d:SignatureValue>"),
            ("<a x='1' y=\"2\"> t <b/>\n<!-- c --><?p i?></a>", "<a x='1' y=\"2\"> t <b/>\n<!-- c --><?p i?></a>"),
        ] {
            if out.is_empty() {
                let broken = mask(&Rules::default(), src, false, Dialect::Xml);
                assert_eq!(broken.broke_at, Some(0), "{src}");
            } else {
                assert_eq!(xml(src), out, "{src}");
            }
        }
    }

    #[test]
    fn pairs_are_understood() {
        for src in [
            "<input name=\"password\" value=\"@\"/>",
            "<r><input value=\"@\" name=\"password\"/></r>",
            "<r><param name=\"token\">@</param></r>",
            "<r><property key=\"password\" value=\"@\"/></r>",
            "<r><property name=\"password\"><value>@</value></property></r>",
            "<r><add key=\"ApiKey\" value=\"@\"/></r>",
            "<r><entry><key>password</key><value>@</value></entry></r>",
            "<r><entry><value>@</value><key>password</key></entry></r>",
            "<r><Item><Value a=\"@\">@<b>@</b></Value><Name>password</Name></Item></r>",
            "<r><string name=\"api_key\">@</string></r>",
            "<dict><key>n</key><string>v</string><key>password</key><string>@</string></dict>",
            "<dict><key>type</key><string>password</string><key>token</key><data>@</data></dict>",
            "<meta name=\"csrf-token\" content=\"@\"/>",
            "<Item Name=\"password\"><Value>@</Value></Item>",
            "<member><name>password</name><value><string>@</string></value></member>",
            "<member><name>pass<!-- -->word</name><value>@</value></member>",
            "<member><name>pass<![CDATA[word]]></name><value>@</value></member>",
            "<member><name>p&#97;ssw&#x6F;rd</name><value>@</value></member>",
            "<member><name><b>password</b></name><other>@</other></member>",
            "<row><cell>password</cell><cell>@</cell></row>",
            "<row><name v=\"password\"/><value v=\"@\"/></row>",
            "<row><name value=\"password\"/><value v=\"@\"/></row>",
            "<p>password: <b>@</b></p>",
            "<p>Bearer <b>@</b></p>",
            "<p>password=<![CDATA[@]]></p>",
            "<p>{&quot;password&quot;:<![CDATA[\"@\"]]>}</p>",
            "<p>{\"a\":\"{\\\"secret\\\":\\\"@\\\"}\"}</p>",
            "<p>&lt;login&gt;&lt;pin&gt;@&lt;/pin&gt;&lt;/login&gt;</p>",
            "<p>x &lt;input name=\"pin\" value=\"@\"/&gt;</p>",
            "<p><![CDATA[<a><entry key=\"pin\">@</entry></a>]]></p>",
            "<p a=\"https://h/?a=b&amp;token=@&amp;c=d\"/>",
            "<p a=\"{&quot;pin&quot;:&quot;@&quot;}\"/>",
            "<p><!-- <input name=\"pin\" value=\"@\"/> --></p>",
            "<p><?php $password = \"@\"; ?></p>",
            "<!DOCTYPE x [ <!ENTITY p \"@]>\"> <!-- ]> --> ]><x>&p;</x>",
            "<!DOCTYPE x [ <!ENTITY p \"password\"> ]><x name=\"&p;\" value=\"@\"/>",
            "<c key=\"@\"/>",
            "<c><key>@</key></c>",
            "<a:Attribute Name=\"email\"><a:AttributeValue>@</a:AttributeValue></a:Attribute>",
            "<script>var pin = '@'</script>",
            "<c>-----BEGIN KEY-----<br/>@<br/>@<br/>-----END KEY-----</c>",
            "<r><a>email</a><b>password</b><c>@</c></r>",
            "<r><tr><td>x</td></tr><tr><td>Password</td><td>@</td></tr></r>",
            "<r><b>Password</b>: @ </r>",
            "<r><b>\"password\"</b>: <i>\"@\"</i> </r>",
            "<r>password: \"a<b>@</b>@\"</r>",
            "<r>&lt;input name=\"password\" value=\"\" @&gt;</r>",
        ] {
            let src = src.replace('@', "hunter2");
            let inner = json::clean_string(&Rules::default(), &src, 0).map_or_else(|| src.clone(), |(clean, _)| clean);
            for out in [xml(&src), html(&src), inner] {
                assert!(!out.contains("hunter2"), "{src}: {out}");
            }
            assert!(xml(&src).contains("***") || xml(&src).contains("[text/"), "{src}");
            let twice = format!("<z>{}</z>", src.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
            assert!(!xml(&twice).contains("hunter2"), "{}", xml(&twice));
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for src in [
            "<?xml version=\"1.0\"?>\n<a xmlns:b=\"urn:x\">\n  <b:c d='1'>t &amp; u</b:c>\n</a>\n",
            "<entry><key>color</key><value>blue</value></entry>",
            "<entry><value>blue</value><key>color</key></entry>",
            "<add key=\"color\" value=\"blue\"/>",
            "<add key=\"color\">blue</add>",
            "<dict><key>color</key><string>blue</string></dict>",
            "<!DOCTYPE html PUBLIC \"-//W3C//DTD\" \"http://www.w3.org/x.dtd\"><html><p>Hello</p></html>",
            "<l><error>password is invalid</error><code>12</code></l>",
            "<a><![CDATA[1 < 2 && 3 > 2]]></a>",
            "<faults><string>author</string><string>b</string></faults>",
            "<a></a><b/>",
        ] {
            assert_eq!(xml(src), src);
            assert_eq!(html(src), src);
        }
    }

    #[test]
    fn html_is_read_as_browsers_read_it() {
        for (src, out) in [
            ("<p>a<p>b<br>c<ul><li>d<li>e</ul>", "<p>a<p>b<br>c<ul><li>d<li>e</ul>"),
            (
                "<form><input type=password name=pw value=x><input name=user value=jo></form>",
                "<form><input type=password name=pw value=***MASKED***><input name=user value=jo></form>",
            ),
            (
                "<input TYPE='password' VALUE=\"a\"hunter2\" x=hunter2>",
                "<input TYPE='password' VALUE=\"***MASKED***\">",
            ),
            ("<textarea name=password>x <b></textarea>y", "<textarea name=password>***MASKED***</textarea>y"),
            ("<textarea>pin=x <b></textarea>y", "<textarea>pin=***MASKED*** &lt;b&gt;</textarea>y"),
            (
                "<script>var a = \"</b>\"</script>x",
                "<script>[text/javascript, 14 bytes, not captured: script]</script>x",
            ),
            (
                "<script type=application/json>{\"pin\":1,\"u\":\"<\\/script>\"}</script>",
                "<script type=application/json>{\"pin\":\"***MASKED***\",\"u\":\"<\\/script>\"}</script>",
            ),
            ("<select name=pin><option>1<option>2</select>z", "<select name=pin>***MASKED***</select>z"),
            ("<dl><dt>Password<dd>x<dt>Name<dd>Jo</dl>", "<dl><dt>Password<dd>***MASKED***"),
            ("<h1>Reset password</h1><p>Hello</p>", "<h1>Reset password</h1><p>Hello</p>"),
            (
                "<head><title>Reset password</title></head><p>a &lt;b</p>",
                "<head><title>Reset password</title></head><p>a &lt;b</p>",
            ),
            ("<div><pin>x</div>", "<div><pin>***MASKED***"),
            ("1 < 2 <b>x</B>", "1 < 2 <b>x</B>"),
            ("<div id=email-form><p>x</p></div>", "<div id=email-form><p>x</p></div>"),
            ("<span id=user-email>x</span>", "<span id=user-email>***MASKED***</span>"),
        ] {
            assert_eq!(html(src), out, "{src}");
        }
        // Elements that close themselves in HTML only.
        for src in ["<param name=token>@</param>", "<meta name='token'><value>@</value></meta>", "<token/>@</token>"] {
            assert!(!html(&src.replace('@', "hunter2")).contains("hunter2"), "{src}");
        }
    }

    #[test]
    fn nothing_is_kept_after_a_break() {
        for (src, kept) in [
            ("<a><b>x</c>hunter2</a>", "<a><b>x"),
            ("<a><b>x</b>hunter2", "<a><b>x</b>"),
            ("<a><b>x</b>t<b y=1>hunter2", "<a><b>x</b>t"),
            ("<a><b x=\"hunter2", "<a>"),
            ("<a>t<!-- hunter2 ", "<a>"),
            ("<a>t<![CDATA[hunter2 ", "<a>"),
            ("<a>t</a>hunter2", "<a>t</a>"),
            ("hunter2", ""),
            ("<a><pin><b>hunter2</pin>hunter2</b></a>", "<a><pin>***MASKED***"),
            ("<a x=\"y><pin>hunter2</pin><b z=\"1\"/></a>", ""),
            ("<?xml version='1.0' encoding='utf-7'?><a>+hunter2</a>", ""),
            ("<a><e><value>hunter2</value><na", "<a><e><value>***MASKED***</value>"),
            ("<a><e><value><b>hunter2</b>", "<a><e><value>***MASKED***"),
            ("<a><key>hunter2</key>", "<a><key>***MASKED***</key>"),
        ] {
            let out = mask(&Rules::default(), src, false, Dialect::Xml);
            assert_eq!(out.text, kept, "{src}");
            assert!(out.broke_at.is_some(), "{src}");
        }
        for src in ["<a>hunter2", "<a>t</a> hunter2", "<a>&amp;<", "<a>"] {
            for dialect in [Dialect::Xml, Dialect::Html] {
                let out = mask(&Rules::default(), src, true, dialect);
                assert!(!out.text.contains("hunter2") && out.broke_at.is_some(), "{src}");
            }
        }
    }

    #[test]
    fn hostile_depth_is_masked() {
        let deep = |n: usize| format!("{}x{}", "<a>".repeat(n), "</a>".repeat(n));
        assert_eq!(xml(&deep(150)), deep(150));
        assert!(xml(&deep(100_000)).len() < 2000);
        assert!(html(&"<a>".repeat(100_000)).len() < 2000);
    }

    #[test]
    fn entities_are_decoded() {
        let decoded = |raw: &str| {
            let mut out = String::new();
            let unknown = decode(raw, &mut out);
            (out, unknown)
        };
        assert_eq!(decoded("a&lt;&#65;&#x42;&#67 &amp&colon;&&;"), ("a<ABC &:&&;".to_owned(), false));
        assert_eq!(decoded("&foo; é&é; &x"), ("&foo; é&é; &x".to_owned(), true));
        assert_eq!(decoded("&#0;&#99999999;&#x;"), ("\u{FFFD}\u{FFFD}\u{FFFD}".to_owned(), false));
    }

    /// The least time of a few runs, since others share the machine.
    fn cost(text: &str, dialect: Dialect) -> std::time::Duration {
        let run = |_| {
            let began = std::time::Instant::now();
            let _ = mask(&Rules::default(), text, false, dialect);
            began.elapsed()
        };
        (0..3).map(run).min().unwrap_or_default()
    }

    #[test]
    fn hostile_markup_costs_linear_time() {
        for (lead, piece) in [
            ("", "<a>"),
            ("", "<p>"),
            ("", "</a>"),
            ("", "<a x='1'"),
            ("<a ", "x='1' "),
            ("<a ", "x "),
            ("", "<pin>"),
            ("<pin>", "</"),
            ("<pin>", "</a>"),
            ("", "<!--"),
            ("", "<!-- <a> -->"),
            ("", "<!-- <!-- <a --!>"),
            ("", "<![CDATA["),
            ("", "<![CDATA[<a>]]>"),
            ("<a>", "&lt;a&gt;"),
            ("<a>", "&"),
            ("<a>", "&#"),
            ("<a>", "&amp;lt;"),
            ("<textarea>", "</textare"),
            ("<script>", "</"),
            ("<script>", "<!--"),
            ("", "<key>a</key>"),
            ("", "<value>a</value>"),
            ("<r>", "<name>pin</name>"),
            ("<r>", "<a>pin</a><b>pin</b>"),
            ("<r>", "<value><name>pin</name>"),
            ("", "<b>pin: "),
            ("", "<?"),
            ("", "<!DOCTYPE a>"),
            ("<!DOCTYPE a [", "<!--"),
            ("<!DOCTYPE a [", "<? ?>"),
            ("<!DOCTYPE ", "'\""),
            ("", "<a name='pin'>"),
            ("", "<a><b></a>"),
            ("", "<"),
        ] {
            let text = |len: usize| format!("{lead}{}", piece.repeat(len / piece.len()));
            let (small, large) = (text(4_000), text(32_000));
            for dialect in [Dialect::Xml, Dialect::Html] {
                // Eight times the text: 8 when linear, 64 when quadratic; the least of many runs, since others share the machine.
                let (mut least, mut most) = (std::time::Duration::MAX, std::time::Duration::MAX);
                let linear = (0..8).any(|_| {
                    least = least.min(cost(&small, dialect));
                    most = most.min(cost(&large, dialect));
                    most < least * 24
                });
                assert!(linear, "{dialect:?} {lead}{piece}");
            }
        }
    }
}
