//! JSON, rewritten in one pass: no document tree, no recursion over depth.
//!
//! scan.rs finds where tokens begin, so only those bytes are visited here. Tokens are validated and copied as they are
//! written (number text and white space included), in pieces as long as nothing is replaced; the value of a sensitive key, of any
//! type, becomes `"***MASKED***"`. Several documents may follow each other (NDJSON, concatenated, JSON-seq). At the first byte that
//! is not JSON the output ends: what is complete before it is kept, nothing after it is.

mod pairs;
mod strings;

pub(super) use strings::{clean_plain, clean_string, escape, string_end, unescape};

use super::explain::Why;
use super::hints;
use super::names::{Answer, Hit, Place, Slot};
use super::paths::{self, Paths, Trail, Verdict};
use super::scan::Scan;
use super::{commands, graphql, shapes, values, Rules, PLACEHOLDER};

/// A container nested deeper than this is masked as a whole.
const MAX_DEPTH: usize = 200;
/// JSON inside a string is looked into so many levels deep; below that it is masked.
const MAX_LEVEL: u8 = 2;
/// A container larger than this is taken for content rather than for the value of a named pair when its object breaks off.
const MAX_NAMED: usize = 1024;
/// What a string may begin with that has a form of its own, where nothing else shows: a byte, and the next one.
static LEADS: [u8; 256] = letters(&[(b"{[\\ \t", 1), (b"qms", 2), (b"fcCgG", 4), (b"aA", 8), (b"sS", 16)]);
static NEXTS: [u8; 256] = {
    let mut table = letters(&[(b"u", 2), (b"rR", 4), (b"lL", 8), (b"eE", 16)]);
    let mut i = 0;
    while i < table.len() {
        table[i] |= 1;
        i += 1;
    }
    table
};

const fn letters(sets: &[(&[u8], u8)]) -> [u8; 256] {
    let mut table = [0; 256];
    let mut s = 0;
    while s < sets.len() {
        let (bytes, bit) = sets[s];
        let mut i = 0;
        while i < bytes.len() {
            table[bytes[i] as usize] |= bit;
            i += 1;
        }
        s += 1;
    }
    table
}

/// Does a string begin as JSON does, perhaps after white space, as GraphQL, or as a statement that tells a password?
#[inline(always)]
fn begins_content(raw: &[u8]) -> bool {
    let words =
        [*b"quer", *b"muta", *b"subs", *b"frag", *b"alte", *b"crea", *b"gran", *b"set "].map(u32::from_le_bytes);
    let word = raw.first_chunk::<4>().map_or(0, |four| u32::from_le_bytes(*four) | 0x2020_2020);
    matches!(raw.first(), Some(b'{' | b'[' | b'\\' | b' ' | b'\t')) || (words.contains(&word) && begins_statement(raw))
}

#[cold]
#[inline(never)]
fn begins_statement(raw: &[u8]) -> bool {
    graphql::may_begin(raw) || commands::statement(raw).is_some() || commands::identifies(raw)
}

/// So many values that may be names are kept until it shows whether their object has a value to name.
const NAMES: usize = 4;
/// Tables are looked at by their first columns; one with a sensitive column beyond is masked whole.
const COLUMNS: usize = 64;
/// No number with fewer characters is a card's.
const CARD: usize = 13;

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
    mask_with(rules, &rules.own.paths, src, cut, level)
}

/// The same with these paths in place of the user's.
pub(super) fn mask_with(rules: &Rules, paths: &Paths, src: &str, cut: bool, level: u8) -> Rewritten {
    let from = Paused { out: String::with_capacity(src.len() + src.len() / 16 + 16), ..Paused::default() };
    rest(rules, paths, src, cut, level, from)
}

/// Masks what is left of JSON text, of which the pieces before are done.
pub(super) fn rest(rules: &Rules, paths: &Paths, src: &str, cut: bool, level: u8, from: Paused) -> Rewritten {
    if u32::try_from(src.len()).is_err() {
        return Rewritten { text: String::new(), fields: 0, broke_at: Some(0) };
    }
    let mut masker = Masker::new(rules, paths, src, cut, level, from);
    let broke_at = masker.run().err().map(|Broken(at)| at);
    masker.finish(broke_at)
}

/// Masks a piece of JSON text that ends with a comma between two values ([`super::scan::Commas`]), for which there are no paths
/// and no explanation. The error is what was kept when the text turned out to be none.
pub(super) fn piece(rules: &Rules, src: &str, from: Paused) -> Result<Paused, Rewritten> {
    let mut masker = Masker::new(rules, &rules.own.paths, src, true, 0, from);
    masker.pause = src.len().saturating_sub(1);
    match masker.run() {
        Ok(()) if masker.paused => Ok(masker.into_paused()),
        Ok(()) => Err(masker.finish(Some(src.len()))),
        Err(Broken(at)) => Err(masker.finish(Some(at))),
    }
}

/// Is the first byte one that JSON text begins with?
pub(super) fn begins(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(bytes).trim_ascii_start();
    matches!(bytes.first(), Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' | 0x1E))
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

/// Where the masking of a text stands between two pieces of it: after a value, before the comma that follows it. All places in it are
/// those of the output.
#[derive(Default)]
pub(super) struct Paused {
    out: String,
    fields: u32,
    kinds: Kinds,
    frames: Vec<Frame>,
    frame: Frame,
    muted: Option<usize>,
    spans: Vec<Span>,
    patches: Vec<(usize, usize)>,
}

impl Paused {
    /// So many bytes it holds.
    pub(super) fn held(&self) -> usize {
        self.out.len()
            + self.frames.len() * size_of::<Frame>()
            + self.spans.len() * size_of::<Span>()
            + self.patches.len() * size_of::<(usize, usize)>()
    }
}

/// What stands at the place of a value.
#[derive(Clone, Copy, PartialEq)]
enum Found {
    Scalar,
    Object,
    Array,
}

/// The kinds of the open containers, innermost last: one bit each, so hostile depth costs little.
#[derive(Default)]
struct Kinds {
    depth: usize,
    /// The innermost up to 64; `1` for an object.
    top: u64,
    below: Vec<u64>,
    /// The innermost is one.
    object: bool,
}

impl Kinds {
    #[inline(always)]
    fn push(&mut self, object: bool) {
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            self.below.push(self.top);
        }
        self.top = self.top << 1 | u64::from(object);
        self.depth += 1;
        self.object = object;
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.top >>= 1;
        self.depth -= 1;
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            self.top = self.below.pop().unwrap_or(0);
        }
        self.object = self.depth > 0 && self.top & 1 == 1;
    }

    #[inline(always)]
    fn in_object(&self) -> bool {
        self.object
    }
}

/// A piece of the output that may have to be replaced after all.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    scalar: bool,
    kind: Kind,
}

/// What a span is.
#[derive(Clone, Copy)]
enum Kind {
    /// Object: the value of the bare `key`.
    Key,
    /// Object: a value that a name may belong to.
    Named,
    /// Object: the `k` of what may be a symmetric key.
    Symmetric,
    /// Array: what follows a name.
    Element,
    /// Object: the rows of a table whose columns may come yet.
    Rows,
    /// The same, where the rows are objects.
    RowObjects,
}

/// What an object tells of itself.
const SYMMETRIC: u8 = 1;
const FLAGGED: u8 = 2;

/// An open container whose content is being copied.
#[derive(Clone, Copy)]
struct Frame {
    object: bool,
    /// Object: what is known of the name of the member in hand, or of the last one.
    name: Answer,
    /// Object: a sensitive name stood in a name slot. Array: the element before this one was one.
    named: bool,
    /// Object: a value slot was seen.
    has_value: bool,
    /// Object: it is a symmetric key ([`SYMMETRIC`]), or says that its value is a secret ([`FLAGGED`]).
    told: u8,
    /// Array: every other element, from the first, is a string.
    names_only: bool,
    /// Array: all elements are strings.
    only_strings: bool,
    /// Array: it lists the columns of a table; they are told by `columns`.
    lists_columns: bool,
    /// They are those of the rows after it.
    heads_rows: bool,
    /// Array: its strings are the path to what is named: `{"loc": ["body", "password"], "input": "x"}`.
    names_path: bool,
    /// Array: its first element is an array.
    holds_rows: bool,
    /// Array: it stands where rows stand that may be objects. Object: it is one of them.
    of_rows: bool,
    /// Array: the cells of such rows were seen in it.
    row_objects: bool,
    /// Array: the element that follows an option which takes a secret: `["--password", "x"]`.
    option: usize,
    /// Array: where it begins in the output.
    start: usize,
    /// Array: elements so far.
    count: usize,
    /// Where the value in hand began in the output, when it may have to be replaced.
    open: Option<usize>,
    /// The first of this container's spans.
    spans: usize,
    /// Object: strings in name slots, array: the first element, that nobody asked about yet: where they begin in the source.
    names: [u32; NAMES],
    name_count: u8,
    /// Which columns of a table are sensitive. Object: as its columns tell. Array: in the list of columns or in its rows.
    columns: u64,
    /// A sensitive column beyond the first 64.
    wide: bool,
    /// How deep below the object this is, in the rows of a table.
    rows: u8,
}

impl Default for Frame {
    fn default() -> Self {
        Frame::new(false, 0)
    }
}

impl Frame {
    #[inline(always)]
    fn new(object: bool, spans: usize) -> Self {
        Frame {
            object,
            name: Answer::NOTHING,
            named: false,
            has_value: false,
            told: 0,
            names_only: true,
            only_strings: true,
            lists_columns: false,
            heads_rows: false,
            names_path: false,
            holds_rows: false,
            of_rows: false,
            row_objects: false,
            option: 0,
            start: 0,
            count: 0,
            open: None,
            spans,
            names: [0; NAMES],
            name_count: 0,
            columns: 0,
            wide: false,
            rows: 0,
        }
    }
}

struct Masker<'a> {
    rules: &'a Rules,
    paths: &'a Paths,
    src: &'a str,
    bytes: &'a [u8],
    scan: Scan<'a>,
    level: u8,
    cut: bool,
    out: String,
    /// The source up to here is in the output, or was replaced.
    copied: usize,
    fields: u32,
    kinds: Kinds,
    /// The open containers as far as they are copied (none below a masked value), but for the innermost, which is `frame`.
    frames: Vec<Frame>,
    frame: Frame,
    /// Depth at which a masked container was opened.
    muted: Option<usize>,
    spans: Vec<Span>,
    patches: Vec<(usize, usize)>,
    scratch: String,
    /// The name in hand or the last one: where it stands, with its quotes.
    key_at: (u32, u32),
    /// Shorter numbers are not looked at.
    least: usize,
    /// The path that masks the value in hand.
    by_path: Option<usize>,
    /// The user's paths, or an explanation's: mostly there is none.
    trail: Option<Box<Trail<'a>>>,
    /// There is one, or the innermost container is in a masked value.
    aside: bool,
    /// Whether every string is looked at.
    everywhere: bool,
    /// The comma that ends this piece of the text, and whether it was reached.
    pause: usize,
    paused: bool,
}

/// A string as the scan shows it.
#[derive(Clone, Copy)]
struct Quoted {
    /// After the closing quote.
    end: usize,
    escaped: bool,
    /// Something in it may be a secret.
    hinted: bool,
}

impl<'a> Masker<'a> {
    fn new(rules: &'a Rules, paths: &'a Paths, src: &'a str, cut: bool, level: u8, from: Paused) -> Self {
        let Paused { out, fields, kinds, frames, frame, muted, spans, patches } = from;
        let trail = Trail::new(rules, paths, level);
        Masker {
            rules,
            paths,
            src,
            bytes: src.as_bytes(),
            scan: Scan::new(src.as_bytes()),
            level,
            cut,
            out,
            copied: 0,
            fields,
            kinds,
            frames,
            frame,
            muted,
            spans,
            patches,
            scratch: String::new(),
            key_at: (0, 0),
            least: if rules.looks_everywhere() { 1 } else { CARD },
            by_path: None,
            aside: trail.is_some() || muted.is_some(),
            everywhere: rules.looks_everywhere(),
            pause: usize::MAX,
            paused: false,
            trail,
        }
    }

    /// Leaves nothing behind that points into this piece.
    fn into_paused(mut self) -> Paused {
        if self.muted.is_none() {
            self.flush(self.pause);
        }
        // Names that nobody asked about yet are asked about now, in every open container.
        let mut frames = std::mem::take(&mut self.frames);
        self.ask_names();
        for frame in &mut frames {
            std::mem::swap(&mut self.frame, frame);
            self.ask_names();
            std::mem::swap(&mut self.frame, frame);
        }
        Paused {
            out: self.out,
            fields: self.fields,
            kinds: self.kinds,
            frames,
            frame: self.frame,
            muted: self.muted,
            spans: self.spans,
            patches: self.patches,
        }
    }

    fn ask_names(&mut self) {
        if self.frame.name_count == 0 {
            return;
        }
        let named = self.is_named();
        let frame = &mut self.frame;
        if frame.object {
            return;
        }
        // Of an array it is the first element that was kept: it names the next one and no other.
        frame.named = named && frame.count == 1;
        if !named {
            frame.open = None;
            if frame.count > 1 {
                self.spans.truncate(frame.spans);
            }
        }
    }

    fn run(&mut self) -> Result<(), Broken> {
        let mut inside = self.kinds.depth > 0;
        while !self.paused {
            let mut first = None;
            if !std::mem::take(&mut inside) {
                let mut at = self.scan.next();
                // RS stands before each text of a JSON sequence (RFC 7464).
                while self.byte(at) == 0x1E {
                    at = self.scan.next();
                }
                if at >= self.bytes.len() {
                    return Ok(());
                }
                first = Some(at);
            }
            self.document(first)?;
        }
        Ok(())
    }

    /// A value of the outermost level, with all that is in it; or (`None`) what is left of one.
    #[inline(always)]
    fn document(&mut self, mut next: Option<usize>) -> Result<(), Broken> {
        loop {
            let at = match next {
                Some(at) => at,
                None => match self.after_value()? {
                    Some(at) => at,
                    None => return Ok(()),
                },
            };
            next = match self.value(at, self.byte(at))? {
                Found::Scalar => None,
                Found::Object => self.first_member()?,
                Found::Array => self.first_element(),
            };
        }
    }

    /// After a value: where the next one is. `None` at the end of the document, and of this piece of it.
    #[inline(always)]
    fn after_value(&mut self) -> Result<Option<usize>, Broken> {
        loop {
            if self.kinds.depth == 0 {
                return Ok(None);
            }
            let at = self.scan.next();
            let object = self.kinds.in_object();
            match self.byte(at) {
                b',' => {
                    if at == self.pause {
                        self.paused = true;
                        return Ok(None);
                    }
                    break;
                }
                b'}' if object => self.close(at),
                b']' if !object => self.close(at),
                _ => return Err(Broken(at)),
            }
        }
        let at = self.scan.next();
        match self.kinds.in_object() {
            true => self.member(at).map(Some),
            false => Ok(Some(at)),
        }
    }

    /// Where the value of the first member is; `None` when there is no member.
    #[inline(always)]
    fn first_member(&mut self) -> Result<Option<usize>, Broken> {
        let at = self.scan.next();
        if self.byte(at) == b'}' {
            self.close(at);
            return Ok(None);
        }
        self.member(at).map(Some)
    }

    /// A member's name and colon. Returns where its value is.
    #[inline(always)]
    fn member(&mut self, at: usize) -> Result<usize, Broken> {
        if self.byte(at) != b'"' {
            return Err(Broken(at));
        }
        self.key(at)?;
        let colon = self.scan.next();
        if self.byte(colon) != b':' {
            return Err(Broken(colon));
        }
        Ok(self.scan.next())
    }

    /// Where the first element is, if there is one.
    #[inline(always)]
    fn first_element(&mut self) -> Option<usize> {
        let at = self.scan.next();
        if self.byte(at) == b']' {
            self.close(at);
            return None;
        }
        Some(at)
    }

    /// The byte at a place; 0, which no token begins with, after the end.
    #[inline(always)]
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// Copies the source up to `to`.
    fn flush(&mut self, to: usize) {
        if let Some(piece) = self.src.get(self.copied..to) {
            self.out.push_str(piece);
        }
        self.copied = self.copied.max(to);
    }

    /// Puts the placeholder in place of a piece of the source.
    #[inline(always)]
    fn replace(&mut self, start: usize, end: usize) {
        self.flush(start);
        self.out.push('"');
        self.out.push_str(PLACEHOLDER);
        self.out.push('"');
        self.fields += 1;
        self.copied = end;
    }

    // ---- keys

    #[inline(always)]
    fn key(&mut self, start: usize) -> Result<(), Broken> {
        let close = self.scan.next();
        let quoted = match self.byte(close) {
            b'"' => Quoted { end: close + 1, escaped: false, hinted: false },
            _ => self.string(start, close)?,
        };
        if !self.aside || !self.passes_key(start, quoted.end) {
            self.known_key(start, quoted);
        }
        Ok(())
    }

    #[inline(always)]
    fn known_key(&mut self, start: usize, quoted: Quoted) {
        let answer = match quoted {
            Quoted { escaped: false, hinted: false, end } => {
                self.rules.fields.answer_in(self.bytes, start + 1, end - 1)
            }
            _ => self.odd_key(start, quoted),
        };
        self.frame.name = answer;
    }

    /// A name that is not copied, or that a trail has to know.
    #[inline(never)]
    fn passes_key(&mut self, start: usize, end: usize) -> bool {
        self.key_at = (start as u32, end as u32);
        self.muted.is_some()
    }

    /// A key with escapes, or one that can itself be a secret: `{"sk_live_…": 1}`.
    #[cold]
    fn odd_key(&mut self, start: usize, quoted: Quoted) -> Answer {
        let raw = self.src.get(start + 1..quoted.end - 1).unwrap_or("");
        unescape(raw, &mut self.scratch);
        let answer = self.rules.fields.answer(self.scratch.as_bytes());
        let address = self.rules.emails && !values::emails(&self.scratch).is_empty();
        if address || shapes::secret_token(&self.scratch) {
            self.replace(start, quoted.end);
            if let Some(trail) = &mut self.trail {
                trail.at_key(start, quoted.end);
            }
            self.tell(false, "value", |_| {
                Some((if address { "e-mail" } else { "secret as a name" }.to_owned(), false))
            });
        } else if quoted.hinted || self.scratch.starts_with(['{', '[', '"']) {
            // A body under a wrong type often comes out as one key: `{"user=jo&password=x": ""}`.
            self.clean(start, quoted, true);
        }
        answer
    }

    // ---- values

    #[inline(always)]
    fn value(&mut self, start: usize, first: u8) -> Result<Found, Broken> {
        if self.aside {
            return self.value_aside(start, first);
        }
        if !self.frame.object || !self.frame.name.is_plain() {
            return self.copied_value::<false>(start, first);
        }
        match first {
            b'"' => {
                self.string_value(start)?;
            }
            b'{' | b'[' if self.kinds.depth < MAX_DEPTH => return Ok(self.open(start, first == b'{')),
            b'{' | b'[' => return self.masked_value(start, first),
            _ => {
                self.number_value(start, first)?;
            }
        }
        Ok(Found::Scalar)
    }

    /// A value in a masked one, or one that a trail has to know.
    #[inline(never)]
    fn value_aside(&mut self, start: usize, first: u8) -> Result<Found, Broken> {
        if self.muted.is_some() {
            return match first {
                b'{' | b'[' => Ok(self.open(start, first == b'{')),
                _ => {
                    self.scalar(start, first)?;
                    Ok(Found::Scalar)
                }
            };
        }
        self.copied_value::<true>(start, first)
    }

    #[inline(always)]
    fn copied_value<const FOLLOWED: bool>(&mut self, start: usize, first: u8) -> Result<Found, Broken> {
        let frame = &self.frame;
        let (masked, spanned) = if frame.object {
            let masked = frame.sensitive() || (frame.slot() == Slot::Value && self.is_named());
            let symmetric = self.frame.slot() == Slot::Name && self.frame.name.is_of_key();
            (masked, symmetric || matches!(self.frame.slot(), Slot::Value | Slot::Key))
        } else {
            (
                (frame.option > 0 && frame.option == frame.count) || (frame.rows > 0 && frame.in_column()),
                frame.named || self.follows_a_name(),
            )
        };
        let (masked, spanned) = if FOLLOWED { self.follow(start, masked, spanned) } else { (masked, spanned) };
        let container = matches!(first, b'{' | b'[');
        if masked || (container && self.kinds.depth >= MAX_DEPTH) {
            return self.masked_value(start, first);
        }
        if spanned {
            self.frame.open = Some(self.place(start));
        }
        if container {
            return Ok(self.open(start, first == b'{'));
        }
        let mut named = false;
        let end;
        if first == b'"' {
            let quoted = self.string_value(start)?;
            end = quoted.end;
            named = self.name_value(start, quoted);
        } else {
            end = self.number_value(start, first)?;
            if first == b't' && self.frame.object && self.frame.slot() == Slot::Flag {
                self.frame.told |= FLAGGED;
            }
        }
        if first != b'"' {
            self.frame.only_strings = false;
            self.frame.names_only &= self.frame.count % 2 == 1;
        }
        self.value_done(end, true, named);
        Ok(Found::Scalar)
    }

    /// A string that is kept, but for what is secret in it.
    #[inline(always)]
    fn string_value(&mut self, start: usize) -> Result<Quoted, Broken> {
        let close = self.scan.next();
        let quoted = match self.byte(close) {
            b'"' => Quoted { end: close + 1, escaped: false, hinted: false },
            _ => self.string(start, close)?,
        };
        let (lead, next) = (self.byte(start + 1), self.byte(start + 2));
        let hinted = quoted.hinted || {
            let [lead, next] = [lead, next].map(usize::from);
            LEADS.get(lead).zip(NEXTS.get(next)).is_some_and(|(lead, next)| lead & next != 0)
                && begins_content(self.bytes.get(start + 1..quoted.end - 1).unwrap_or(&[]))
        };
        if hinted || self.everywhere {
            self.clean(start, quoted, hinted);
        }
        Ok(quoted)
    }

    /// A number or a word that is kept, unless it is a card's number or as a pattern has it.
    #[inline(always)]
    fn number_value(&mut self, start: usize, first: u8) -> Result<usize, Broken> {
        let end = self.scalar(start, first)?;
        if end - start >= self.least {
            self.odd_number(start, end);
        }
        Ok(end)
    }

    /// A value of which nothing is kept.
    fn masked_value(&mut self, start: usize, first: u8) -> Result<Found, Broken> {
        if matches!(first, b'{' | b'[') {
            // It may break anywhere inside and stays masked.
            self.replace(start, start);
            self.tell_why();
            self.muted = Some(self.kinds.depth);
            self.aside = true;
            return Ok(self.open(start, first == b'{'));
        }
        // A scalar must be whole before the placeholder says that there was one.
        let end = self.scalar(start, first)?;
        self.replace(start, end);
        self.tell_why();
        self.value_done(end, true, false);
        Ok(Found::Scalar)
    }

    /// A card's number is masked, and a number that one of the user's patterns matches is, as a whole.
    #[cold]
    fn odd_number(&mut self, start: usize, end: usize) {
        // Most long numbers are none, which their first digits tell.
        if !self.everywhere && !shapes::begins_card_number(self.bytes.get(start..end).unwrap_or(&[])) {
            return;
        }
        let number = self.src.get(start..end).unwrap_or("");
        if !number.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
            return;
        }
        if shapes::is_card_number(number) {
            self.replace(start, end);
            self.tell(true, "value", |_| Some(("card number".to_owned(), false)));
        } else if self.rules.looks_everywhere() {
            if let Some(pattern) = values::pattern_in(self.rules, number) {
                self.replace(start, end);
                self.tell(true, "pattern", |_| Some((format!("mask_patterns[{pattern}]"), true)));
            }
        }
    }

    // ---- the user's paths, and explanations

    /// What paths say of the value that begins here: is it masked, and may a name beside it still mask it?
    #[inline(never)]
    fn follow(&mut self, start: usize, masked: bool, spanned: bool) -> (bool, bool) {
        let frame = &self.frame;
        let place = match frame.object {
            true => paths::Place::Key(self.key_at.0, self.key_at.1),
            false => paths::Place::Index(frame.count),
        };
        let may_open = spanned || self.byte(start) == b'[';
        let at = self.place(start);
        let Some(trail) = &mut self.trail else { return (masked, spanned) };
        self.by_path = None;
        let answer = match trail.judge(self.src, place) {
            Verdict::Nothing => (masked, spanned),
            Verdict::Masked(path) => {
                self.by_path = Some(path);
                (true, false)
            }
            Verdict::Allowed => (false, false),
        };
        if may_open && !answer.0 {
            let path = trail.log.is_some().then(|| trail.path(self.rules, self.src, true));
            if let (Some(log), Some(path)) = (&mut trail.log, path) {
                log.begins(at, path);
            }
        }
        answer
    }

    /// Tells of the value (or name) in hand, which was just replaced.
    fn tell(&self, key_too: bool, rule: &'static str, why: impl FnOnce(&Self) -> Option<Why>) {
        if let Some((trail, log)) = self.trail.as_ref().and_then(|trail| Some((trail, trail.log.as_ref()?))) {
            log.log.add(&trail.path(self.rules, self.src, key_too), None, rule, why(self));
        }
    }

    /// Tells why the value in hand was masked as a whole.
    #[inline(always)]
    fn tell_why(&self) {
        if self.trail.is_some() {
            self.find_why();
        }
    }

    #[cold]
    #[inline(never)]
    fn find_why(&self) {
        let frame = &self.frame;
        let Some(trail) = &self.trail else { return };
        let Some(log) = &trail.log else { return };
        let (rule, why) = if let Some(path) = self.by_path {
            ("path", self.paths.masked.get(path).map(|path| (path.written.clone(), path.own)))
        } else if frame.object && frame.sensitive() {
            let (start, end) = self.key_at;
            let mut name = String::new();
            unescape(self.src.get(start as usize + 1..end as usize - 1).unwrap_or(""), &mut name);
            ("name", self.rules.fields.why(&name, Place::Field))
        } else if frame.object && frame.slot() == Slot::Value && frame.named {
            ("pair", log.name(trail.depth()))
        } else if !frame.object && frame.rows > 0 && frame.in_column() {
            ("table", log.column(frame.count))
        } else {
            ("nesting", None)
        };
        self.tell(true, rule, |_| why);
    }

    /// The end of a complete scalar that begins at `start`.
    #[inline(always)]
    fn scalar(&mut self, start: usize, first: u8) -> Result<usize, Broken> {
        let end = match first {
            b'"' => {
                let close = self.scan.next();
                if self.byte(close) == b'"' {
                    return Ok(close + 1);
                }
                return self.string(start, close).map(|quoted| quoted.end);
            }
            b't' => self.literal(start, *b"true")?,
            b'f' => self.literal(start + 1, *b"alse")?,
            b'n' => self.literal(start, *b"null")?,
            b'-' | b'0'..=b'9' => self.number(start)?,
            _ => return Err(Broken(start)),
        };
        // `01`, `truth`, `1.5.2`: not a scalar with something after it, but no scalar at all.
        match self.bytes.get(end) {
            Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'{' | b'[' | b':' | 0x1E) => Ok(end),
            Some(b) if b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-' | b'_' | 0x80..) => {
                Err(Broken(start))
            }
            // No place of its own shows what comes right after a scalar, so it has to be looked at here. (Nobody has asked yet
            // whether this one may be seen.)
            Some(_) => Err(Broken(start)),
            // At the end of a cut source more of it may follow.
            None if self.cut || self.kinds.depth > 0 => Err(Broken(start)),
            None => Ok(end),
        }
    }

    #[inline(always)]
    fn open(&mut self, at: usize, object: bool) -> Found {
        self.kinds.push(object);
        if !self.aside || self.muted.is_none() {
            let mut inner = Frame::new(object, self.spans.len());
            if !object {
                self.open_table(&mut inner, at);
            } else if self.frame.of_rows && !self.frame.object {
                inner.of_rows = true;
            }
            self.frames.push(std::mem::replace(&mut self.frame, inner));
            if let Some(trail) = &mut self.trail {
                trail.open();
            }
        }
        if object {
            Found::Object
        } else {
            Found::Array
        }
    }

    fn close(&mut self, at: usize) {
        self.kinds.pop();
        match self.muted {
            Some(depth) if depth == self.kinds.depth => {
                self.muted = None;
                self.aside = self.trail.is_some();
                self.copied = at + 1;
                self.value_done(at + 1, false, false);
            }
            Some(_) => {}
            None => {
                // `{"fields": [{"name": "password"}], "rows": …}`
                let column = self.frame.object
                    && self.frames.last().is_some_and(|outer| outer.lists_columns && !outer.names_path)
                    && self.is_named();
                let frame = self.frame;
                self.settle(&frame, true);
                if let Some(parent) = self.frames.pop() {
                    self.frame = parent;
                }
                if column {
                    self.mark_column();
                }
                self.close_table(&frame, at + 1);
                if let Some(trail) = &mut self.trail {
                    trail.close();
                }
                self.value_done(at + 1, false, false);
            }
        }
    }

    /// Where a place in the source that is not copied yet will be in the output.
    #[inline(always)]
    fn place(&self, at: usize) -> usize {
        self.out.len() + at.saturating_sub(self.copied)
    }

    /// The value in hand of the innermost container is complete; it ends here in the source.
    #[inline(always)]
    fn value_done(&mut self, end: usize, scalar: bool, named: bool) {
        if self.frame.open.is_some() {
            self.span_done(end, scalar);
        }
        let frame = &mut self.frame;
        if frame.object {
            frame.named |= named;
            frame.has_value |= frame.slot() == Slot::Value && !frame.name.is_of_key();
        } else {
            frame.named = named;
            if !scalar {
                frame.only_strings = false;
                frame.names_only &= frame.count % 2 == 1;
            }
            frame.count += 1;
        }
    }

    fn span_done(&mut self, end: usize, scalar: bool) {
        let end = self.place(end);
        let frame = &mut self.frame;
        let kind = match (frame.object, frame.slot()) {
            (true, Slot::Key) => Kind::Key,
            (true, Slot::Name) => Kind::Symmetric,
            (true, _) => Kind::Named,
            (false, _) => Kind::Element,
        };
        if let Some(start) = frame.open.take() {
            self.spans.push(Span { start, end, scalar, kind });
        }
    }

    /// Masks what is secret inside a string value.
    #[cold]
    #[inline(never)]
    fn clean(&mut self, start: usize, quoted: Quoted, hinted: bool) {
        let raw = self.src.get(start + 1..quoted.end - 1).unwrap_or("");
        let mut scratch = std::mem::take(&mut self.scratch);
        // (Escapes may stand before the first place that was looked at.)
        let text: &str = if raw.contains('\\') {
            unescape(raw, &mut scratch);
            &scratch
        } else {
            raw
        };
        let told = self.trail.as_ref().and_then(|trail| {
            let log = trail.log.as_ref()?.log;
            log.enter(trail.path(self.rules, self.src, true));
            Some(log)
        });
        let cleaned = match hinted {
            true => clean_string(self.rules, text, self.level),
            false => values::mask(self.rules, text, None),
        };
        if let Some(log) = told {
            log.leave();
        }
        if let Some((clean, fields)) = cleaned {
            self.flush(start);
            self.out.push('"');
            escape(&clean, &mut self.out);
            self.out.push('"');
            self.copied = quoted.end;
            self.fields += fields;
        }
        self.scratch = scratch;
    }

    /// What was written from here on is replaced after all.
    fn gone_at_the_end(&mut self, start: usize, rule: &'static str) {
        self.patches.push((start, self.out.len()));
        if let Some(trail) = &mut self.trail {
            let depth = trail.depth();
            if let Some(log) = &mut trail.log {
                log.goes(start, rule, log.name(depth));
            }
        }
    }

    fn finish(mut self, broke_at: Option<usize>) -> Rewritten {
        match broke_at {
            None => self.flush(self.bytes.len()),
            Some(at) if self.muted.is_none() => self.flush(at),
            Some(_) => {}
        }
        while let Some(outer) = self.frames.pop() {
            // What was being written when it broke is not a value yet; it is masked where it would be.
            if let Some(start) = self.frame.open {
                let small = self.frame.object && (1..=MAX_NAMED).contains(&self.out.len().saturating_sub(start));
                if self.frame.slot() == Slot::Key || self.is_named() || small {
                    self.gone_at_the_end(start, "pair");
                }
            }
            // Nor are the rows of a table whose columns may be in what is missing.
            if self.frame.holds_rows && outer.object && self.out.len().saturating_sub(self.frame.start) <= MAX_NAMED {
                self.gone_at_the_end(self.frame.start, "table");
            }
            let frame = self.frame;
            self.settle(&frame, false);
            if let Some(trail) = &mut self.trail {
                trail.close();
            }
            self.frame = outer;
        }
        let mut trail = self.trail;
        let (text, patched) = apply(self.out, self.patches, |start| {
            if let Some(log) = trail.as_mut().and_then(|trail| trail.log.as_mut()) {
                log.gone(start);
            }
        });
        Rewritten { text, fields: self.fields.saturating_add(patched), broke_at }
    }

    // ---- tokens

    /// The end of the string that begins at `start`. The scan's place after the quote, `at`, is none that ends it.
    #[inline(never)]
    fn string(&mut self, start: usize, mut at: usize) -> Result<Quoted, Broken> {
        let mut quoted = Quoted { end: 0, escaped: false, hinted: false };
        loop {
            match self.bytes.get(at) {
                Some(b'"') => {
                    quoted.end = at + 1;
                    return Ok(quoted);
                }
                Some(b'\\') => {
                    quoted.escaped = true;
                    match self.bytes.get(at + 1) {
                        Some(b'"') => {
                            quoted.hinted = quoted.hinted || hints::shows(self.rules, self.bytes, start + 1, at + 1);
                        }
                        Some(b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                        // What such escapes hide is seen only when they are undone.
                        Some(b'u') => match self.bytes.get(at + 2..at + 6) {
                            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => quoted.hinted = true,
                            _ => return Err(Broken(start)),
                        },
                        _ => return Err(Broken(start)),
                    }
                }
                Some(0x20..) => {
                    quoted.hinted = quoted.hinted
                        || (!hints::harmless(self.bytes, at) && hints::shows(self.rules, self.bytes, start + 1, at));
                }
                _ => return Err(Broken(start)),
            }
            at = self.scan.next();
        }
    }

    #[inline(always)]
    fn literal(&self, start: usize, word: [u8; 4]) -> Result<usize, Broken> {
        match self.bytes.get(start..).and_then(|rest| rest.first_chunk::<4>()) {
            Some(found) if *found == word => Ok(start + 4),
            _ => Err(Broken(if word == *b"alse" { start - 1 } else { start })),
        }
    }

    #[inline(always)]
    fn number(&self, start: usize) -> Result<usize, Broken> {
        let broken = || Broken(start);
        let mut at = start;
        if self.byte(at) == b'-' {
            at += 1;
        }
        at = match self.byte(at) {
            b'0' => at + 1,
            _ => self.digits(at).ok_or_else(broken)?,
        };
        if self.byte(at) == b'.' {
            at = self.digits(at + 1).ok_or_else(broken)?;
        }
        if matches!(self.byte(at), b'e' | b'E') {
            at += 1;
            if matches!(self.byte(at), b'+' | b'-') {
                at += 1;
            }
            at = self.digits(at).ok_or_else(broken)?;
        }
        Ok(at)
    }

    /// The end of one or more digits.
    #[inline(always)]
    fn digits(&self, start: usize) -> Option<usize> {
        let mut at = start;
        // Eight at a time: a bit for each that is no digit.
        while let Some(bytes) = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let bits = u64::from_le_bytes(*bytes) ^ 0x3030_3030_3030_3030;
            let other = (((bits & 0x7F7F_7F7F_7F7F_7F7F) + 0x7676_7676_7676_7676) | bits) & 0x8080_8080_8080_8080;
            at += other.trailing_zeros() as usize / 8;
            if other != 0 {
                return (at > start).then_some(at);
            }
        }
        while self.byte(at).is_ascii_digit() {
            at += 1;
        }
        (at > start).then_some(at)
    }
}

impl Frame {
    #[inline(always)]
    fn slot(&self) -> Slot {
        self.name.slot()
    }

    /// Keeps a name until it shows whether there is something to name; says whether there was room.
    #[inline(always)]
    fn keep_name(&mut self, start: usize) -> bool {
        let Some(name) = self.names.get_mut(usize::from(self.name_count)) else { return false };
        *name = start as u32;
        self.name_count += 1;
        true
    }

    #[inline(always)]
    fn sensitive(&self) -> bool {
        self.name.hit(Place::Field) == Hit::Yes
    }

    /// Is the element in hand in a sensitive column? (`rows` and not deeper: an array of rows is no row.)
    fn in_column(&self) -> bool {
        self.rows == 2 && (self.wide || (self.count < COLUMNS && self.columns >> self.count & 1 == 1))
    }
}

/// Replaces spans of the output. A span inside another is covered by it.
fn apply(out: String, mut patches: Vec<(usize, usize)>, mut each: impl FnMut(usize)) -> (String, u32) {
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
        each(start);
    }
    text.push_str(out.get(at..).unwrap_or(""));
    (text, count)
}
