//! JSON, rewritten in one pass over its bytes: no document tree, no recursion over depth.
//!
//! Tokens are validated and copied as they are written (number text and white space included); the value
//! of a sensitive key, of any type, becomes `"***MASKED***"`. Several documents may follow each other
//! (NDJSON, concatenated, JSON-seq). At the first byte that is not JSON the output ends: what is complete
//! before it is kept, nothing after it is.

use std::borrow::Cow;

use super::names::{Hit, Place, Words};
use super::{text, Rules, PLACEHOLDER};

/// A container nested deeper than this is masked as a whole.
const MAX_DEPTH: usize = 200;
/// JSON inside a string is looked into so many levels deep; below that it is masked.
const MAX_LEVEL: u8 = 2;
/// A longer string is content, not the name of a field.
const MAX_NAME: usize = 64;
/// A container larger than this is taken for content rather than for the value of a named pair when its object breaks off.
const MAX_NAMED: usize = 1024;
/// Answers about keys that are kept.
const KNOWN: usize = 64;
/// What ends a string whose JSON content broke off.
const BROKEN_TAIL: &str = " [not captured: malformed]";

/// What became of a body.
pub(super) struct Rewritten {
    pub text: String,
    /// How many values were replaced.
    pub fields: u32,
    /// The place in the source after which nothing was kept.
    pub broke_at: Option<usize>,
}

/// Masks JSON text. `cut` says that the source is the beginning of something longer. `level` counts how many strings
/// this text lies in.
pub(super) fn mask(rules: &Rules, src: &str, cut: bool, level: u8) -> Rewritten {
    let mut masker = Masker {
        rules,
        src,
        bytes: src.as_bytes(),
        level,
        cut,
        pos: 0,
        out: String::with_capacity(src.len() + 16),
        copied: 0,
        fields: 0,
        kinds: Vec::new(),
        frames: Vec::new(),
        muted: None,
        patches: Vec::new(),
        words: Words::default(),
        scratch: String::new(),
        known: [Known { start: 0, end: 0, hit: Hit::No, slot: Slot::None }; KNOWN],
    };
    let broke_at = masker.run().err().map(|Broken(at)| at);
    masker.finish(broke_at)
}

/// Does text that need not be JSON begin so that only JSON begins so?
pub(super) fn looks_like(text: &str) -> bool {
    let text = text.trim_start();
    let mut rest = text.chars().skip(1).skip_while(|c| c.is_ascii_whitespace());
    match text.chars().next() {
        Some('{') => matches!(rest.next(), Some('"' | '}')),
        Some('[') => matches!(rest.next(), Some('{' | '[' | '"')),
        _ => false,
    }
}

/// The source stops being JSON at this byte.
struct Broken(usize);

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    /// A document, or the end.
    Top,
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

/// What an object's member means for its neighbours.
#[derive(Clone, Copy, PartialEq)]
enum Slot {
    None,
    /// Its value names something: `{"name": "password", …}`.
    Name,
    /// Its value is what was named: `{…, "value": "x"}`.
    Value,
    /// The bare `key`: a name if the object also has a value, a secret otherwise.
    Key,
}

/// A piece of the output that may have to be replaced after all.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    scalar: bool,
}

/// An open container whose content is being copied.
struct Frame {
    object: bool,
    /// The member in hand: its meaning, and whether its name is sensitive.
    slot: Slot,
    sensitive: bool,
    /// Object: a sensitive name stood in a name slot. Array: the element before this one was one.
    named: bool,
    /// Object: a value slot was seen.
    has_value: bool,
    /// Array: elements so far; all of them strings.
    count: usize,
    only_strings: bool,
    /// Where the value in hand began in the output, when it may have to be replaced.
    open: Option<usize>,
    /// Object: values of value slots. Array: elements after a sensitive name.
    pending: Vec<Span>,
    /// Object: values of the bare `key`.
    keys: Vec<Span>,
}

impl Frame {
    fn new(object: bool) -> Self {
        Frame {
            object,
            slot: Slot::None,
            sensitive: false,
            named: false,
            has_value: false,
            count: 0,
            only_strings: true,
            open: None,
            pending: Vec::new(),
            keys: Vec::new(),
        }
    }
}

struct Masker<'a> {
    rules: &'a Rules,
    src: &'a str,
    bytes: &'a [u8],
    level: u8,
    cut: bool,
    pos: usize,
    out: String,
    /// The source up to here is in the output, or was replaced.
    copied: usize,
    fields: u32,
    /// Open containers, `true` for objects: one byte each, so hostile depth costs little.
    kinds: Vec<bool>,
    /// The same containers as far as they are copied (none below a masked value).
    frames: Vec<Frame>,
    /// Depth at which a masked container was opened.
    muted: Option<usize>,
    patches: Vec<(usize, usize)>,
    words: Words,
    scratch: String,
    known: [Known; KNOWN],
}

/// A key that was asked about, by its place in the source.
#[derive(Clone, Copy)]
struct Known {
    start: usize,
    end: usize,
    hit: Hit,
    slot: Slot,
}

/// The place for a key's answer; none for the empty key, which an unused place would look like.
fn known_at(raw: &str) -> Option<usize> {
    let bytes = raw.as_bytes();
    let (first, last) = (*bytes.first()?, *bytes.last()?);
    let middle = bytes.get(bytes.len() / 2)?;
    Some((bytes.len() * 7 + usize::from(first) * 3 + usize::from(last) * 5 + usize::from(*middle)) % KNOWN)
}

impl Masker<'_> {
    fn run(&mut self) -> Result<(), Broken> {
        let mut expect = Expect::Top;
        loop {
            self.skip_space(self.kinds.is_empty());
            let at = self.pos;
            let Some(b) = self.bytes.get(at).copied() else {
                return if self.kinds.is_empty() { Ok(()) } else { Err(Broken(at)) };
            };
            expect = match (expect, b) {
                (Expect::ValueOrEnd, b']') | (Expect::KeyOrEnd, b'}') => self.close(),
                (Expect::CommaOrEnd, b']') if !self.in_object() => self.close(),
                (Expect::CommaOrEnd, b'}') if self.in_object() => self.close(),
                (Expect::CommaOrEnd, b',') => {
                    self.pos += 1;
                    if self.in_object() {
                        Expect::Key
                    } else {
                        Expect::Value
                    }
                }
                (Expect::Colon, b':') => {
                    self.pos += 1;
                    Expect::Value
                }
                (Expect::Key | Expect::KeyOrEnd, b'"') => {
                    self.key()?;
                    Expect::Colon
                }
                (Expect::Value | Expect::ValueOrEnd | Expect::Top, _) => self.value(b)?,
                _ => return Err(Broken(at)),
            };
        }
    }

    fn in_object(&self) -> bool {
        self.kinds.last().copied().unwrap_or(false)
    }

    fn skip_space(&mut self, top: bool) {
        while let Some(b) = self.bytes.get(self.pos) {
            // RS stands before each text of a JSON sequence (RFC 7464).
            if matches!(b, b' ' | b'\t' | b'\n' | b'\r') || (top && *b == 0x1E) {
                self.pos += 1;
            } else {
                break;
            }
        }
    }

    /// Copies the source up to `to`.
    fn flush(&mut self, to: usize) {
        if let Some(piece) = self.src.get(self.copied..to) {
            self.out.push_str(piece);
        }
        self.copied = self.copied.max(to);
    }

    fn placeholder(&mut self) {
        self.out.push('"');
        self.out.push_str(PLACEHOLDER);
        self.out.push('"');
    }

    // ---- keys

    fn key(&mut self) -> Result<(), Broken> {
        let start = self.pos;
        let (end, escaped) = self.string(start)?;
        self.pos = end;
        if self.muted.is_some() {
            return Ok(());
        }
        let raw = self.src.get(start + 1..end - 1).unwrap_or("");
        let name: &str = if escaped {
            unescape(raw, &mut self.scratch);
            &self.scratch
        } else {
            raw
        };
        // Records repeat their keys: the last few answers are kept. (Escaped keys are rare.)
        let known = if escaped { None } else { known_at(raw) };
        let entry =
            known.and_then(|i| self.known.get(i)).copied().filter(|k| self.src.get(k.start..k.end) == Some(raw));
        let (hit, slot) = match entry {
            Some(entry) => (entry.hit, entry.slot),
            None => {
                let hit = self.rules.fields.ask(name, Place::Field, &mut self.words);
                let slot = match hit {
                    Hit::Key => Slot::Key,
                    _ => slot_of(self.words.joined()),
                };
                if let Some(entry) = known.and_then(|i| self.known.get_mut(i)) {
                    *entry = Known { start: start + 1, end: end - 1, hit, slot };
                }
                (hit, slot)
            }
        };
        // A key can itself be a secret: `{"sk_live_…": 1}`.
        let secret = text::secret_token(name);
        if let Some(frame) = self.frames.last_mut() {
            frame.sensitive = hit == Hit::Yes;
            frame.slot = slot;
        }
        if secret {
            self.flush(start);
            self.placeholder();
            self.copied = end;
            self.fields += 1;
        }
        Ok(())
    }

    // ---- values

    fn value(&mut self, first: u8) -> Result<Expect, Broken> {
        let start = self.pos;
        if self.muted.is_some() {
            return match first {
                b'{' | b'[' => Ok(self.open(first == b'{')),
                _ => {
                    self.pos = self.scalar(start, first)?;
                    Ok(self.after_scalar())
                }
            };
        }
        let mut masked = false;
        let mut spanned = false;
        if let Some(frame) = self.frames.last() {
            if frame.object {
                masked = frame.sensitive || (frame.slot == Slot::Value && frame.named);
                spanned = matches!(frame.slot, Slot::Value | Slot::Key);
            } else {
                spanned = frame.named;
            }
        }
        let container = matches!(first, b'{' | b'[');
        masked |= container && self.kinds.len() >= MAX_DEPTH;
        if masked {
            // A scalar must be whole before the placeholder says that there was one; a container may
            // break anywhere inside and stays masked.
            let end = if container { start } else { self.scalar(start, first)? };
            self.flush(start);
            self.placeholder();
            self.fields += 1;
            self.copied = end;
            self.pos = end;
            if container {
                self.muted = Some(self.kinds.len());
                return Ok(self.open(first == b'{'));
            }
            self.note_value(false);
            return Ok(self.after_scalar());
        }
        if spanned {
            self.flush(start);
            let open = self.out.len();
            if let Some(frame) = self.frames.last_mut() {
                frame.open = Some(open);
            }
        }
        if container {
            return Ok(self.open(first == b'{'));
        }
        let end = self.scalar(start, first)?;
        self.pos = end;
        let mut named = false;
        if first == b'"' {
            named = self.text_value(start, end);
        } else if first.is_ascii_digit() && text::is_card(self.src.get(start..end).unwrap_or("")) {
            self.flush(start);
            self.placeholder();
            self.fields += 1;
            self.copied = end;
        }
        if spanned {
            self.flush(end);
        }
        if let Some(frame) = self.frames.last_mut() {
            if !frame.object && first != b'"' {
                frame.only_strings = false;
            }
        }
        self.note_value(named);
        Ok(self.after_scalar())
    }

    /// The end of a complete scalar that begins at `start`.
    fn scalar(&mut self, start: usize, first: u8) -> Result<usize, Broken> {
        let end = match first {
            b'"' => return self.string(start).map(|(end, _)| end),
            b't' => self.literal(start, b"true")?,
            b'f' => self.literal(start, b"false")?,
            b'n' => self.literal(start, b"null")?,
            b'-' | b'0'..=b'9' => self.number(start)?,
            _ => return Err(Broken(start)),
        };
        // `01`, `truth`, `1.5.2`: not a scalar with something after it, but no scalar at all.
        if self
            .bytes
            .get(end)
            .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-' | b'_' | 0x80..))
        {
            return Err(Broken(start));
        }
        // At the end of a cut source more of it may follow.
        if end == self.bytes.len() && (self.cut || !self.kinds.is_empty()) {
            return Err(Broken(start));
        }
        Ok(end)
    }

    fn after_scalar(&self) -> Expect {
        if self.kinds.is_empty() {
            Expect::Top
        } else {
            Expect::CommaOrEnd
        }
    }

    fn open(&mut self, object: bool) -> Expect {
        self.pos += 1;
        self.kinds.push(object);
        if self.muted.is_none() {
            self.frames.push(Frame::new(object));
        }
        if object {
            Expect::KeyOrEnd
        } else {
            Expect::ValueOrEnd
        }
    }

    fn close(&mut self) -> Expect {
        self.pos += 1;
        self.kinds.pop();
        match self.muted {
            Some(depth) if depth == self.kinds.len() => {
                self.muted = None;
                self.copied = self.pos;
                self.note_container();
            }
            Some(_) => {}
            None => {
                if let Some(frame) = self.frames.pop() {
                    self.settle(frame, true);
                }
                if self.frames.last().is_some_and(|parent| parent.open.is_some()) {
                    self.flush(self.pos);
                }
                self.note_container();
            }
        }
        if self.kinds.is_empty() {
            Expect::Top
        } else {
            Expect::CommaOrEnd
        }
    }

    fn note_container(&mut self) {
        let end = self.out.len();
        if let Some(parent) = self.frames.last_mut() {
            if !parent.object {
                parent.only_strings = false;
            }
            parent.value_done(end, false, false);
        }
    }

    fn note_value(&mut self, named: bool) {
        let end = self.out.len();
        if let Some(frame) = self.frames.last_mut() {
            frame.value_done(end, true, named);
        }
    }

    /// A string value in the clear: says whether it is a sensitive name in a place for names, and masks what
    /// is secret inside it.
    fn text_value(&mut self, start: usize, end: usize) -> bool {
        let raw = self.src.get(start + 1..end - 1).unwrap_or("");
        let text: Cow<'_, str> = if raw.contains('\\') {
            unescape(raw, &mut self.scratch);
            Cow::Owned(std::mem::take(&mut self.scratch))
        } else {
            Cow::Borrowed(raw)
        };
        let names = self.frames.last().is_some_and(|f| {
            if f.object {
                matches!(f.slot, Slot::Name | Slot::Key)
            } else {
                f.count % 2 == 0
            }
        });
        let named =
            names && text.len() <= MAX_NAME && self.rules.fields.ask(&text, Place::Field, &mut self.words) == Hit::Yes;
        if let Some((clean, fields)) = clean_string(self.rules, &text, self.level) {
            self.flush(start);
            self.out.push('"');
            escape(&clean, &mut self.out);
            self.out.push('"');
            self.copied = end;
            self.fields += fields;
        }
        named
    }

    // ---- pairs

    /// A container ends (or breaks off): which of its values turned out to be named by a sensitive name?
    fn settle(&mut self, frame: Frame, complete: bool) {
        let mut patch = |spans: &[Span]| self.patches.extend(spans.iter().map(|s| (s.start, s.end)));
        if frame.object {
            if frame.named {
                patch(&frame.pending);
            }
            if !frame.has_value {
                patch(&frame.keys);
            }
            if !complete {
                // The name may have been in what is missing. (Large contents are no named value, and were masked inside.)
                let named = |s: &Span| s.scalar || s.end - s.start <= MAX_NAMED;
                let spans: Vec<Span> = frame.pending.iter().copied().filter(named).collect();
                patch(&spans);
            }
        } else if !complete || frame.count == 2 || (frame.only_strings && frame.count.is_multiple_of(2)) {
            patch(&frame.pending);
        }
    }

    fn finish(mut self, broke_at: Option<usize>) -> Rewritten {
        match broke_at {
            None => self.flush(self.bytes.len()),
            Some(at) if self.muted.is_none() => self.flush(at),
            Some(_) => {}
        }
        while let Some(frame) = self.frames.pop() {
            // What was being written when it broke is not a value yet; it is masked where it would be.
            if let Some(start) = frame.open {
                if frame.named || frame.slot == Slot::Key {
                    self.patches.push((start, self.out.len()));
                }
            }
            self.settle(frame, false);
        }
        let (text, patched) = apply(self.out, self.patches);
        Rewritten { text, fields: self.fields.saturating_add(patched), broke_at }
    }

    // ---- tokens

    /// The end of the string that begins at `start`, and whether it has escapes.
    fn string(&self, start: usize) -> Result<(usize, bool), Broken> {
        let broken = Broken(start);
        let mut at = start + 1;
        let mut escaped = false;
        loop {
            match self.bytes.get(at) {
                Some(b'"') => return Ok((at + 1, escaped)),
                Some(b'\\') => {
                    escaped = true;
                    match self.bytes.get(at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                        Some(b'u') => match self.bytes.get(at + 2..at + 6) {
                            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => at += 6,
                            _ => return Err(broken),
                        },
                        _ => return Err(broken),
                    }
                }
                Some(0x20..) => at += 1,
                _ => return Err(broken),
            }
        }
    }

    fn literal(&self, start: usize, word: &[u8]) -> Result<usize, Broken> {
        let end = start + word.len();
        if self.bytes.get(start..end) == Some(word) {
            Ok(end)
        } else {
            Err(Broken(start))
        }
    }

    fn number(&self, start: usize) -> Result<usize, Broken> {
        let broken = || Broken(start);
        let mut at = start;
        if self.bytes.get(at) == Some(&b'-') {
            at += 1;
        }
        at = match self.bytes.get(at) {
            Some(b'0') => at + 1,
            _ => self.digits(at).ok_or_else(broken)?,
        };
        if self.bytes.get(at) == Some(&b'.') {
            at = self.digits(at + 1).ok_or_else(broken)?;
        }
        if matches!(self.bytes.get(at), Some(b'e' | b'E')) {
            at += 1;
            if matches!(self.bytes.get(at), Some(b'+' | b'-')) {
                at += 1;
            }
            at = self.digits(at).ok_or_else(broken)?;
        }
        Ok(at)
    }

    /// The end of one or more digits.
    fn digits(&self, start: usize) -> Option<usize> {
        let count = self.bytes.get(start..)?.iter().take_while(|b| b.is_ascii_digit()).count();
        (count > 0).then_some(start + count)
    }
}

impl Frame {
    fn value_done(&mut self, end: usize, scalar: bool, named: bool) {
        if let Some(start) = self.open.take() {
            let span = Span { start, end, scalar };
            if self.object && self.slot == Slot::Key {
                self.keys.push(span);
            } else {
                self.pending.push(span);
            }
        }
        if self.object {
            self.named |= named;
            self.has_value |= self.slot == Slot::Value;
            self.slot = Slot::None;
            self.sensitive = false;
        } else {
            self.named = named;
        }
        self.count += 1;
    }
}

fn slot_of(joined: &str) -> Slot {
    match joined {
        "name" | "key" | "field" | "fieldname" | "header" | "headername" | "param" | "parameter" | "paramname"
        | "property" | "attribute" | "attributename" | "attr" | "id" | "type" | "system" | "label" | "path" | "k"
        | "n" | "variable" | "var" | "setting" | "option" | "column" | "columnname" | "question" | "kind" => Slot::Name,
        "value" | "values" | "val" | "v" | "old" | "new" | "oldvalue" | "newvalue" | "before" | "after" | "from"
        | "to" | "previous" | "current" | "data" | "content" | "text" | "default" | "defaultvalue" | "input"
        | "answer" | "response" | "stringvalue" | "valuestring" | "rawvalue" | "displayvalue" => Slot::Value,
        _ => Slot::None,
    }
}

/// Masks what a decoded string holds; `None` when nothing.
pub(super) fn clean_string(rules: &Rules, text: &str, level: u8) -> Option<(String, u32)> {
    let begins = text.trim_start().bytes().next();
    if matches!(begins, Some(b'{' | b'[' | b'"')) {
        if level < MAX_LEVEL {
            let inner = mask(rules, text, false, level + 1);
            match inner.broke_at {
                None if inner.fields > 0 => return Some((inner.text, inner.fields)),
                None => return None,
                Some(_) if looks_like(text) => {
                    return Some((format!("{}{BROKEN_TAIL}", inner.text), inner.fields.saturating_add(1)))
                }
                // Text that only happens to begin with a bracket or a quote.
                Some(_) => {}
            }
        } else if (looks_like(text) || begins == Some(b'"') && text.contains('\\')) && text.trim().len() > 2 {
            return Some((PLACEHOLDER.to_owned(), 1));
        }
    }
    text::mask(rules, text, Place::Field)
}

/// Replaces spans of the output. A span inside another is covered by it.
fn apply(out: String, mut patches: Vec<(usize, usize)>) -> (String, u32) {
    if patches.is_empty() {
        return (out, 0);
    }
    patches.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    let mut text = String::with_capacity(out.len());
    let mut at = 0;
    let mut count = 0;
    for (start, end) in patches {
        if start < at {
            continue;
        }
        text.push_str(out.get(at..start).unwrap_or(""));
        text.push('"');
        text.push_str(PLACEHOLDER);
        text.push('"');
        at = end;
        count += 1;
    }
    text.push_str(out.get(at..).unwrap_or(""));
    (text, count)
}

/// Decodes the inside of a valid JSON string. A lone surrogate becomes U+FFFD.
pub(super) fn unescape(raw: &str, out: &mut String) {
    out.clear();
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
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
    }
}

fn hex4(chars: &mut std::str::Chars<'_>) -> u32 {
    chars.by_ref().take(4).fold(0, |n, c| n << 4 | c.to_digit(16).unwrap_or(0))
}

/// Writes text as the inside of a JSON string.
pub(crate) fn escape(text: &str, out: &mut String) {
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
