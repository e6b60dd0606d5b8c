//! GraphQL documents: literals of sensitive arguments, input fields and variables' defaults, rewritten in one pass over
//! the tokens. A name without a literal is no secret: `{ user { password } }` stays as it is.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::explain::{self, Why};
use super::json::{self, Rewritten};
use super::names::{slot_of, Hit, Place, Slot, Words};
use super::{text, values, Rules, PLACEHOLDER};

/// A literal nested deeper than this is masked as a whole; a document nested deeper ends there.
const MAX_DEPTH: usize = 200;
/// A longer string is content, not the name of a field.
const MAX_NAME: usize = 64;
/// A list or object larger than this is not taken for the value of a name that is missing.
const MAX_NAMED: usize = 1024;

/// Masks a GraphQL document in a string; `None` when it is none. One that breaks off counts as one masked value more.
pub(super) fn mask(rules: &Rules, src: &str, cut: bool) -> Option<Rewritten> {
    let inner = rules.at(|| "(graphql)".to_owned(), || mask_document(rules, src, cut))?;
    if inner.broke_at.is_some() {
        rules.tell("", "malformed", || None);
    }
    Some(inner)
}

/// Masks a GraphQL document; `None` when it is none. `cut` says that the source is the beginning of something longer.
pub(super) fn mask_document(rules: &Rules, src: &str, cut: bool) -> Option<Rewritten> {
    if !begins(src) {
        return None;
    }
    let mut masker = Masker::new(rules, src, cut);
    let broke_at = masker.run().err().map(|Broken(at)| at);
    Some(masker.finish(broke_at))
}

/// The variables of a document that stand where a literal would be masked: `login(password: $p)`. What they are set to is secret.
pub(super) struct Bound {
    names: HashSet<String>,
    /// The document breaks off: any other may be one of them.
    pub open: bool,
}

impl Bound {
    /// Those of a document; `None` when it is none. `cut` says that the source is the beginning of something longer.
    pub(super) fn of(rules: &Rules, src: &str, cut: bool) -> Option<Self> {
        if !begins(src) {
            return None;
        }
        let mark = rules.mark();
        let mut masker = Masker { variables: Some(Vec::new()), ..Masker::new(rules, src, cut) };
        let open = masker.run().is_err();
        masker.settle_all();
        rules.forget(mark);
        // In the order in which they stand in the output, beside what would be replaced there.
        masker.patches.sort_unstable();
        let mut patches = masker.patches.iter().peekable();
        let mut replaced_to = 0;
        let mut names = HashSet::new();
        for (name, at) in masker.variables.into_iter().flatten() {
            while let Some((_, end)) = patches.next_if(|(start, _)| *start <= at.unwrap_or(0)) {
                replaced_to = replaced_to.max(*end);
            }
            if at.is_none_or(|at| at < replaced_to) {
                names.insert(src.get(name.start..name.end).unwrap_or("").to_owned());
            }
        }
        Some(Bound { names, open })
    }

    /// Is the variable of this name, without its sign, one of them?
    pub(super) fn holds(&self, name: &str) -> bool {
        self.open || self.names.contains(name)
    }

    /// All of them that are known.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Is there none?
    pub(super) fn is_empty(&self) -> bool {
        !self.open && self.names.is_empty()
    }
}

/// Does text of an unknown kind read as a whole GraphQL document?
pub(super) fn looks_like(text: &str) -> bool {
    text.trim_end().ends_with('}') && begins(text) && !is_template(text)
}

/// `{src} -> {dst}`, `{user_id}/{order}`: a message's or a URL's template. After one selection of nothing but names only another
/// definition may follow.
fn is_template(text: &str) -> bool {
    let inner = text.trim_start().strip_prefix('{').unwrap_or("");
    let Some((names, rest)) = inner.split_once('}') else { return false };
    let sign = |b: u8| b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || matches!(b, b',' | b'.' | b'_');
    // (`{id}#{part}`)
    let rest = if rest.starts_with('#') { rest } else { rest.get(ignored(rest, 0)..).unwrap_or("") };
    names.bytes().all(sign)
        && !matches!(rest.bytes().next(), None | Some(b'{' | b'"'))
        && !["query", "mutation", "subscription", "fragment"].contains(&rest.get(..name_len(rest)).unwrap_or(""))
}

/// Do these bytes begin with the head of an operation or a fragment?
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    ["query", "mutation", "subscription", "fragment"].iter().any(|head| bytes.starts_with(head.as_bytes()))
}

/// Does text begin as only a GraphQL document does: a selection, or an operation's or a fragment's head?
fn begins(text: &str) -> bool {
    let mut at = 0;
    let mut words = 0;
    let mut operation = false;
    loop {
        at += ignored(text, at);
        let rest = text.get(at..).unwrap_or("");
        let name = name_len(rest);
        if name == 0 {
            let sign = rest.bytes().next();
            return match sign {
                // `{ a {`, `{ a(`, `{ a b`, `{ ...F`
                Some(b'{') if words == 0 => {
                    let inner = at + 1 + ignored(text, at + 1);
                    let rest = text.get(inner..).unwrap_or("");
                    let name = name_len(rest);
                    if rest.starts_with("...") {
                        return true;
                    }
                    let next = inner + name + ignored(text, inner + name);
                    let sign = text.as_bytes().get(next).copied();
                    name > 0
                        && sign.is_some_and(|b| {
                            matches!(b, b'{' | b'(' | b'@' | b'}' | b'.' | b'_') || b.is_ascii_alphabetic() || {
                                // An alias, not the member of some other notation.
                                b == b':' && {
                                    let value = next + 1 + ignored(text, next + 1);
                                    let rest = text.get(value..).unwrap_or("");
                                    let len = name_len(rest);
                                    let sign = value + len + ignored(text, value + len);
                                    len > 0 && matches!(text.as_bytes().get(sign), Some(b'(' | b'{' | b'@'))
                                }
                            }
                        })
                }
                Some(b'{' | b'(' | b'@') => operation,
                _ => false,
            };
        }
        let word = rest.get(..name).unwrap_or("");
        words += 1;
        match words {
            1 if matches!(word, "query" | "mutation" | "subscription" | "fragment") => operation = true,
            // `query Name {`, `fragment Name on Type {`
            2 | 4 if operation => {}
            3 if operation && word == "on" => {}
            _ => return false,
        }
        at += name;
    }
}

/// The source stops being GraphQL at this byte.
struct Broken(usize);

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// `{ … }` of fields (also of definitions in a schema).
    Selection,
    /// `( … )` of arguments or of variables.
    Arguments,
    /// `{ … }` of a literal.
    Object,
    /// `[ … ]` of a literal, or of a type.
    List,
}

/// An open bracket.
struct Frame {
    kind: Kind,
    /// All literals in it are secret: arguments of a sensitive field.
    sensitive: bool,
    /// The entry in hand: its name's meaning, and whether a literal comes now.
    slot: Slot,
    secret: bool,
    value: bool,
    named: bool,
    has_value: bool,
    /// A list of strings: so many, and where those after a sensitive name are.
    count: usize,
    /// Where the literal in hand began.
    from: usize,
    pending: Vec<(usize, usize)>,
    keys: Vec<(usize, usize)>,
    /// For explanations: its place in a path, the last field in it, and the entry of the name that a neighbour says.
    step: Step,
    field: Last,
    why: Option<Why>,
}

/// The last name: where it is, and whether a `:` came after it.
#[derive(Clone, Copy, Default, PartialEq)]
struct Last {
    start: usize,
    end: usize,
}

struct Masker<'a> {
    rules: &'a Rules,
    src: &'a str,
    cut: bool,
    pos: usize,
    out: String,
    fields: u32,
    frames: Vec<Frame>,
    last: Last,
    patches: Vec<(usize, usize)>,
    words: Words,
    told: Told,
    /// The variables that stand for literals, when somebody asks: where in the output; `None` for what is secret whatever its neighbours are.
    variables: Option<Vec<(Last, Option<usize>)>>,
}

/// What an explanation has to know of literals that may be replaced after all, by where they begin in the output.
#[derive(Default)]
struct Told {
    paths: HashMap<usize, String>,
    whys: HashMap<usize, (&'static str, Option<Why>)>,
}

/// How a bracket is called in a path.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    None,
    Name(Last),
    Index(usize),
}

impl<'a> Masker<'a> {
    fn new(rules: &'a Rules, src: &'a str, cut: bool) -> Self {
        Masker {
            rules,
            src,
            cut,
            pos: 0,
            out: String::with_capacity(src.len() + 16),
            fields: 0,
            frames: Vec::new(),
            last: Last::default(),
            patches: Vec::new(),
            words: Words::default(),
            told: Told::default(),
            variables: None,
        }
    }

    fn run(&mut self) -> Result<(), Broken> {
        loop {
            self.skip_ignored();
            let start = self.pos;
            let Some(b) = self.byte(start) else {
                return if self.frames.is_empty() && !self.cut { Ok(()) } else { Err(Broken(start)) };
            };
            let value = self.frames.last().is_some_and(|f| f.value);
            match b {
                _ if value && b != b'}' && b != b']' && b != b')' => self.literal(b)?,
                b'"' => {
                    // A description in a schema.
                    let (end, text) = self.string(start)?;
                    self.text(start, end, &text);
                }
                b'{' => self.open(Kind::Selection, b'{')?,
                b'(' => self.open(Kind::Arguments, b'(')?,
                b'[' => self.open(Kind::List, b'[')?,
                b'}' | b']' | b')' => self.close(b)?,
                b':' => {
                    self.copy(1);
                    self.colon();
                }
                b'=' => {
                    self.copy(1);
                    self.named();
                }
                b'$' => {
                    let len = name_len(self.src.get(start + 1..).unwrap_or(""));
                    if len == 0 {
                        return Err(Broken(start));
                    }
                    self.copy(1);
                }
                b'!' | b'|' | b'&' | b'@' => self.copy(1),
                b'.' if self.src.get(start..start + 3) == Some("...") => self.copy(3),
                _ => {
                    let len = name_len(self.src.get(start..).unwrap_or(""));
                    if len == 0 || self.ends_at(start + len) || self.secret_name(start, start + len) {
                        return Err(Broken(start));
                    }
                    self.last = Last { start, end: start + len };
                    let directive = start.checked_sub(1).and_then(|i| self.byte(i)) == Some(b'@');
                    if let Some(frame) = self.frames.last_mut().filter(|_| !directive) {
                        frame.field = self.last;
                    }
                    self.copy(len);
                }
            }
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.src.as_bytes().get(at).copied()
    }

    /// Does the source end here, so that more of the token may follow?
    fn ends_at(&self, end: usize) -> bool {
        end >= self.src.len() && (self.cut || !self.frames.is_empty())
    }

    fn secret_name(&self, start: usize, end: usize) -> bool {
        end - start >= 13 && self.src.get(start..end).is_some_and(|n| text::mask(self.rules, n, Place::Field).is_some())
    }

    fn copy(&mut self, len: usize) {
        self.out.push_str(self.src.get(self.pos..self.pos + len).unwrap_or(""));
        self.pos += len;
    }

    fn placeholder(&mut self) {
        self.out.push('"');
        self.out.push_str(PLACEHOLDER);
        self.out.push('"');
        self.fields = self.fields.saturating_add(1);
    }

    // ---- explanations

    fn name(&self, last: Last) -> &str {
        self.src.get(last.start..last.end).unwrap_or("")
    }

    /// `login.in.password`, `login.codes[1]`: the path to the literal in hand.
    fn path(&self) -> String {
        let mut path = String::new();
        if !self.rules.explains() {
            return path;
        }
        for frame in &self.frames {
            match frame.step {
                Step::None => {}
                Step::Name(last) => explain::step(self.rules, Some(self.name(last)), &mut path),
                Step::Index(index) => {
                    let _ = write!(path, "[{index}]");
                }
            }
        }
        match self.frames.last() {
            Some(Frame { kind: Kind::List, count, .. }) => {
                let _ = write!(path, "[{count}]");
            }
            Some(frame) if frame.value => explain::step(self.rules, Some(self.name(self.last)), &mut path),
            _ => {}
        }
        path
    }

    /// Tells why the literal in hand is not shown.
    fn tell_literal(&self, secret: bool) {
        if !self.rules.explains() {
            return;
        }
        let Some(frame) = self.frames.last() else { return };
        let why = |last: Last| self.rules.fields.why(self.name(last), Place::Field);
        let own = Some(self.last).filter(|_| frame.kind != Kind::List).and_then(why);
        let (rule, why) = match (own, frame.step) {
            _ if !secret => ("nesting", None),
            (Some(own), _) => ("name", Some(own)),
            (None, Step::Name(field)) if frame.sensitive => ("name", why(field)),
            _ => ("pair", frame.why.clone()),
        };
        self.rules.tell(&self.path(), rule, || why);
    }

    /// Blanks and commas are copied; of comments, which may hold old code with its secrets, only the sign is.
    fn skip_ignored(&mut self) {
        while let Some(b) = self.byte(self.pos) {
            match b {
                b' ' | b'\t' | b'\n' | b'\r' | b',' => self.copy(1),
                b'#' => {
                    self.out.push('#');
                    self.pos += comment_len(self.src, self.pos);
                }
                0xEF if self.src.get(self.pos..).is_some_and(|r| r.starts_with('\u{FEFF}')) => self.pos += 3,
                _ => return,
            }
        }
    }

    /// The entry's name is known, and its literal comes next.
    fn named(&mut self) {
        let name = self.src.get(self.last.start..self.last.end).unwrap_or("");
        let hit = self.rules.fields.ask(name, Place::Field, &mut self.words);
        let slot = if hit == Hit::Key { Slot::Key } else { slot_of(self.words.joined()) };
        if let Some(frame) = self.frames.last_mut() {
            frame.secret = hit == Hit::Yes || frame.sensitive;
            frame.slot = slot;
            frame.value = true;
        }
    }

    /// After a `:` stands a literal, a type or an alias's field.
    fn colon(&mut self) {
        let variable = self.last.start.checked_sub(1).and_then(|i| self.byte(i)) == Some(b'$');
        let kind = self.frames.last().map(|f| f.kind);
        match kind {
            Some(Kind::Object) => self.named(),
            Some(Kind::Arguments) if !variable && !self.is_type() => self.named(),
            Some(Kind::Arguments) => {
                // The type's names are not the variable's: the default's sign comes right after it.
                let last = self.last;
                self.skip_type();
                self.last = last;
            }
            Some(Kind::Selection) if self.is_definition() => {
                let last = self.last;
                self.skip_type();
                self.last = last;
            }
            _ => {}
        }
    }

    /// In a schema's `field(arg: Type = default)` a type stands after the colon: it has a default or another name after
    /// it, or begins as no literal does.
    fn is_type(&self) -> bool {
        let (end, _) = self.type_end(self.pos);
        end > self.pos && self.after_type(end)
    }

    fn is_definition(&self) -> bool {
        let (end, _) = self.type_end(self.pos);
        let next = end + ignored(self.src, end);
        end > self.pos && self.byte(next) == Some(b'=')
    }

    fn after_type(&self, end: usize) -> bool {
        let next = end + ignored(self.src, end);
        let mark = end.checked_sub(1).and_then(|i| self.byte(i));
        self.byte(next) == Some(b'=') || mark == Some(b'!')
    }

    /// The end of `[Name!]!` and how many brackets it has.
    fn type_end(&self, from: usize) -> (usize, usize) {
        let mut at = from + ignored(self.src, from);
        let mut depth = 0;
        while self.byte(at) == Some(b'[') && depth < 8 {
            depth += 1;
            at += 1;
            at += ignored(self.src, at);
        }
        let len = name_len(self.src.get(at..).unwrap_or(""));
        if len == 0 {
            return (from, 0);
        }
        at += len;
        let mut end = at;
        let mut open = depth;
        loop {
            at += ignored(self.src, at);
            match self.byte(at) {
                Some(b'!') => at += 1,
                Some(b']') if open > 0 => {
                    open -= 1;
                    at += 1;
                }
                _ => return if open == 0 { (end, depth) } else { (from, 0) },
            }
            end = at;
        }
    }

    fn skip_type(&mut self) {
        let (end, _) = self.type_end(self.pos);
        while self.pos < end {
            self.skip_ignored();
            let len = name_len(self.src.get(self.pos..).unwrap_or("")).max(1);
            self.copy(len);
        }
    }

    // ---- literals

    fn literal(&mut self, first: u8) -> Result<(), Broken> {
        let start = self.pos;
        let mut secret = false;
        if let Some(frame) = self.frames.last_mut() {
            frame.from = self.out.len();
            secret = frame.secret || (frame.slot == Slot::Value && frame.named);
        }
        if self.rules.explains() {
            self.told.paths.insert(self.out.len(), self.path());
        }
        if first == b'$' {
            // A variable's name; its value is elsewhere.
            let len = name_len(self.src.get(start + 1..).unwrap_or(""));
            if len == 0 || self.ends_at(start + 1 + len) {
                return Err(Broken(start));
            }
            let at = Some(self.out.len()).filter(|_| !secret);
            if let Some(variables) = &mut self.variables {
                variables.push((Last { start: start + 1, end: start + 1 + len }, at));
            }
            self.copy(1 + len);
            self.literal_done(None, self.variables.is_some());
            return Ok(());
        }
        if matches!(first, b'{' | b'[') {
            if secret || self.frames.len() >= MAX_DEPTH {
                self.tell_literal(secret);
                self.placeholder();
                let end = self.bracket_end(start);
                self.note_variables(start, end.as_ref().map_or(self.src.len(), |end| *end));
                self.pos = end?;
                self.literal_done(None, true);
                return Ok(());
            }
            return self.open(if first == b'{' { Kind::Object } else { Kind::List }, first);
        }
        if first == b'"' {
            let (end, text) = self.string(start)?;
            if secret {
                self.tell_literal(true);
                self.placeholder();
                self.pos = end;
            } else {
                self.text(start, end, &text);
            }
            self.literal_done(Some(&text), true);
            return Ok(());
        }
        let rest = self.src.get(start..).unwrap_or("");
        let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'.');
        let len = rest.bytes().take_while(word).count();
        if len == 0 || self.ends_at(start + len) {
            return Err(Broken(start));
        }
        let raw = rest.get(..len).unwrap_or("");
        let found = len >= 13 && text::mask(self.rules, raw, Place::Field).is_some();
        let pattern = if secret || found { None } else { values::pattern_in(self.rules, raw) };
        if secret || found || pattern.is_some() {
            match pattern {
                _ if secret => self.tell_literal(true),
                Some(i) => self.rules.tell(&self.path(), "pattern", || Some((format!("mask_patterns[{i}]"), true))),
                None if self.rules.explains() => {
                    let (rule, why) = explain::reason(self.rules, raw, 0, len);
                    self.rules.tell(&self.path(), rule, || why);
                }
                None => {}
            }
            self.placeholder();
            self.pos += len;
        } else {
            self.copy(len);
        }
        self.literal_done(Some(raw), true);
        Ok(())
    }

    /// Writes a string that is not secret by its name.
    fn text(&mut self, start: usize, end: usize, text: &str) {
        match self.rules.at(|| self.path(), || json::clean_string(self.rules, text, 1)) {
            Some((clean, fields)) => {
                self.out.push('"');
                json::escape(&clean, &mut self.out);
                self.out.push('"');
                self.fields = self.fields.saturating_add(fields);
            }
            None => self.out.push_str(self.src.get(start..end).unwrap_or("")),
        }
        self.pos = end;
    }

    /// A literal is written: what does it mean for its neighbours?
    fn literal_done(&mut self, text: Option<&str>, literal: bool) {
        let end = self.out.len();
        let name = text.filter(|t| t.len() <= MAX_NAME);
        let Some(frame) = self.frames.last_mut() else { return };
        let named = name.is_some_and(|n| self.rules.fields.ask(n, Place::Field, &mut self.words) == Hit::Yes);
        if let Some(name) = name.filter(|_| named && self.rules.explains()) {
            // (In a list what stood before it is still wanted below.)
            let why = self.rules.fields.why(name, Place::Field);
            let before = std::mem::replace(&mut frame.why, why);
            if frame.kind == Kind::List && frame.named {
                self.told.whys.insert(frame.from, ("pair", before));
            }
        } else if frame.kind == Kind::List && frame.named && self.rules.explains() {
            self.told.whys.insert(frame.from, ("pair", frame.why.clone()));
        }
        let span = (frame.from, end);
        if frame.kind == Kind::List {
            if literal && frame.named {
                frame.pending.push(span);
            }
            frame.named = named && frame.count.is_multiple_of(2);
            frame.count += 1;
            return;
        }
        match frame.slot {
            Slot::Name | Slot::Type => frame.named |= named,
            Slot::Value => {
                frame.has_value = true;
                if literal {
                    frame.pending.push(span);
                }
            }
            Slot::Key => {
                frame.named |= named;
                if literal {
                    frame.keys.push(span);
                }
            }
            Slot::None | Slot::Columns | Slot::Rows | Slot::Flag => {}
        }
        frame.slot = Slot::None;
        frame.secret = false;
        frame.value = false;
    }

    /// The end of a literal's `{…}` or `[…]` that is not shown.
    fn bracket_end(&self, start: usize) -> Result<usize, Broken> {
        let mut depth = 0usize;
        let mut at = start;
        while let Some(b) = self.byte(at) {
            match b {
                b'"' => {
                    at = self.string_end(at).ok_or(Broken(self.src.len()))?.0;
                    continue;
                }
                b'#' => {
                    at += comment_len(self.src, at);
                    continue;
                }
                b'{' | b'[' | b'(' => depth += 1,
                b'}' | b']' | b')' => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        Err(Broken(self.src.len()))
    }

    /// All variables in a literal that is not shown.
    fn note_variables(&mut self, start: usize, end: usize) {
        let Some(mut variables) = self.variables.take() else { return };
        let mut at = start;
        while at < end {
            at += match self.byte(at) {
                Some(b'"') => self.string_end(at).map_or(end, |(end, _)| end) - at,
                Some(b'#') => comment_len(self.src, at).max(1),
                Some(b'$') => {
                    let len = name_len(self.src.get(at + 1..).unwrap_or(""));
                    variables.push((Last { start: at + 1, end: at + 1 + len }, None));
                    1 + len
                }
                _ => 1,
            };
        }
        self.variables = Some(variables);
    }

    // ---- brackets

    fn open(&mut self, kind: Kind, sign: u8) -> Result<(), Broken> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(Broken(self.pos));
        }
        // The arguments of a sensitive field are secret, whatever their names are: `setPassword(value: "x")`.
        let sensitive = sign == b'('
            && self.out.trim_end().ends_with(self.src.get(self.last.start..self.last.end).unwrap_or("\0"))
            && self.frames.last().is_some_and(|f| f.kind == Kind::Selection)
            && {
                let name = self.src.get(self.last.start..self.last.end).unwrap_or("");
                self.rules.fields.ask(name, Place::Field, &mut self.words) == Hit::Yes
            };
        let step = match (kind, self.frames.last()) {
            (Kind::Selection, above) => above.map_or(Step::None, |above| Step::Name(above.field)),
            (Kind::Object | Kind::List, Some(Frame { kind: Kind::List, count, .. })) => Step::Index(*count),
            _ => Step::Name(self.last),
        };
        self.copy(1);
        self.frames.push(Frame {
            kind,
            step,
            field: Last::default(),
            why: None,
            sensitive,
            slot: Slot::None,
            secret: false,
            value: kind == Kind::List,
            named: false,
            has_value: false,
            count: 0,
            from: self.out.len(),
            pending: Vec::new(),
            keys: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self, sign: u8) -> Result<(), Broken> {
        let wanted = match self.frames.last() {
            Some(Frame { kind: Kind::Arguments, .. }) => b')',
            Some(Frame { kind: Kind::List, .. }) => b']',
            Some(_) => b'}',
            None => 0,
        };
        if sign != wanted {
            return Err(Broken(self.pos));
        }
        self.copy(1);
        if let Some(frame) = self.frames.pop() {
            let literal = matches!(frame.kind, Kind::Object | Kind::List);
            self.settle(&frame, true);
            if literal && self.frames.last().is_some_and(|f| f.value) {
                self.literal_done(None, true);
            }
        }
        Ok(())
    }

    fn settle(&mut self, frame: &Frame, complete: bool) {
        if self.rules.explains() {
            for (start, _) in &frame.pending {
                self.told.whys.entry(*start).or_insert_with(|| ("pair", frame.why.clone()));
            }
            for (start, _) in &frame.keys {
                self.told.whys.entry(*start).or_insert_with(|| ("name", self.rules.fields.why("key", Place::Field)));
            }
        }
        let small = |s: &&(usize, usize)| s.1 - s.0 <= MAX_NAMED;
        if frame.kind == Kind::List {
            if !complete || frame.count.is_multiple_of(2) {
                self.patches.extend(&frame.pending);
            }
            return;
        }
        if frame.named {
            self.patches.extend(&frame.pending);
        } else if !complete {
            self.patches.extend(frame.pending.iter().filter(small));
        }
        if !complete || !frame.has_value {
            self.patches.extend(&frame.keys);
        }
    }

    /// What is open ends here.
    fn settle_all(&mut self) {
        while let Some(frame) = self.frames.pop() {
            // A literal that breaks off may be the value of a name in what is missing.
            if frame.value && (frame.named || matches!(frame.slot, Slot::Value | Slot::Key)) {
                self.patches.push((frame.from, self.out.len()));
            }
            self.settle(&frame, false);
        }
    }

    fn finish(mut self, broke_at: Option<usize>) -> Rewritten {
        self.settle_all();
        let mut patches = self.patches;
        patches.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        let mut text = String::with_capacity(self.out.len());
        let mut at = 0;
        for (start, end) in patches {
            let piece = self.out.get(start..end).unwrap_or("");
            if start < at || piece.trim().is_empty() || piece.trim_matches('"') == PLACEHOLDER {
                continue;
            }
            text.push_str(self.out.get(at..start).unwrap_or(""));
            text.push('"');
            text.push_str(PLACEHOLDER);
            text.push('"');
            at = end;
            self.fields = self.fields.saturating_add(1);
            if self.rules.explains() {
                let path = self.told.paths.remove(&start).unwrap_or_default();
                let (rule, why) = self.told.whys.remove(&start).unwrap_or(("pair", None));
                self.rules.swallow(&path);
                self.rules.tell(&path, rule, || why);
            }
        }
        text.push_str(self.out.get(at..).unwrap_or(""));
        Rewritten { text, fields: self.fields, broke_at }
    }

    // ---- strings

    /// The string that begins here: its end and its content.
    fn string(&self, start: usize) -> Result<(usize, String), Broken> {
        let (end, block) = self.string_end(start).ok_or(Broken(start))?;
        let quotes = if block { 3 } else { 1 };
        let raw = self.src.get(start + quotes..end - quotes).unwrap_or("");
        Ok((end, if block { raw.replace("\\\"\"\"", "\"\"\"") } else { unescape(raw) }))
    }

    /// The end of a string, and whether it is a block.
    fn string_end(&self, start: usize) -> Option<(usize, bool)> {
        let bytes = self.src.as_bytes();
        if bytes.get(start..start + 3) == Some(b"\"\"\"") {
            let mut at = start + 3;
            loop {
                match *bytes.get(at)? {
                    b'\\' if bytes.get(at + 1..at + 4) == Some(b"\"\"\"") => at += 4,
                    b'"' if bytes.get(at..at + 3) == Some(b"\"\"\"") => return Some((at + 3, true)),
                    _ => at += 1,
                }
            }
        }
        let mut at = start + 1;
        loop {
            match *bytes.get(at)? {
                b'"' => return Some((at + 1, false)),
                b'\\' => at += 2,
                b'\n' | b'\r' => return None,
                _ => at += 1,
            }
        }
    }
}

/// The length of the name at the beginning.
fn name_len(text: &str) -> usize {
    match text.bytes().next() {
        Some(b) if b.is_ascii_alphabetic() || b == b'_' => {
            text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
        }
        _ => 0,
    }
}

/// A comment's length, up to the end of its line.
fn comment_len(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or("");
    rest.find(['\n', '\r']).unwrap_or(rest.len())
}

/// The length of what stands between tokens.
fn ignored(text: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(b) = text.as_bytes().get(at) {
        match b {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => at += 1,
            b'#' => at += comment_len(text, at),
            0xEF if text.get(at..).is_some_and(|r| r.starts_with('\u{FEFF}')) => at += 3,
            _ => break,
        }
    }
    at - from
}

fn unescape(raw: &str) -> String {
    if !raw.contains('\\') {
        return raw.to_owned();
    }
    let mut out = String::with_capacity(raw.len());
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
                let mut code = 0u32;
                let mut ahead = chars.clone();
                if ahead.next() == Some('{') {
                    chars.next();
                    for c in chars.by_ref().take_while(|c| *c != '}').take(8) {
                        code = code << 4 | c.to_digit(16).unwrap_or(0);
                    }
                } else {
                    code = chars.by_ref().take(4).fold(0, |n, c| n << 4 | c.to_digit(16).unwrap_or(0));
                }
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests_formats::is_linear;
    use super::*;

    fn graphql(src: &str) -> String {
        let out = mask_document(&Rules::default(), src, false).unwrap();
        assert_eq!(out.broke_at, None, "{src} -> {}", out.text);
        out.text
    }

    #[test]
    fn literals_of_sensitive_names_are_masked() {
        for (src, out) in [
            (
                "mutation { login(password: \"x\", n: 1) { token } }",
                "mutation { login(password: \"*\", n: 1) { token } }",
            ),
            ("{ a(pin: 1234, b: 2) { c } }", "{ a(pin: \"*\", b: 2) { c } }"),
            (
                "{ a(pin: [1, 2], secret: {b: \"}\"} # x }\n token: ENUM, auth: true) }",
                "{ a(pin: \"*\", secret: \"*\" #\n token: \"*\", auth: \"*\") }",
            ),
            (
                "{ a(in: {user: {pass_word: \"\"\"x \\\"\"\" y\"\"\", b: \"c\"}}) }",
                "{ a(in: {user: {pass_word: \"*\", b: \"c\"}}) }",
            ),
            (
                "query Q($password: String! = \"x\", $n: [Int!]! = [1]) @d(token: \"x\") { a(password: $password) }",
                "query Q($password: String! = \"*\", $n: [Int!]! = [1]) @d(token: \"*\") { a(password: $password) }",
            ),
            ("{ a(in: {name: \"password\", value: \"x\"}) }", "{ a(in: {name: \"password\", value: \"*\"}) }"),
            ("{ a(in: {value: {b: \"x\"}, name: \"password\"}) }", "{ a(in: {value: \"*\", name: \"password\"}) }"),
            ("{ a(in: [\"Cookie\", \"x\"], key: \"x\") }", "{ a(in: [\"Cookie\", \"*\"], key: \"*\") }"),
            ("{ setPassword(value: \"x\", id: 5) }", "{ setPassword(value: \"*\", id: \"*\") }"),
            (
                "{ a(b: \"{\\\"pin\\\":1}\", c: \"Bearer \\u0061bc\", d: 4111111111111111) }",
                "{ a(b: \"{\\\"pin\\\":\\\"*\\\"}\", c: \"Bearer *\", d: \"*\") }",
            ),
            ("input I { password: String = \"x\" }", ""),
            ("# password: x\nquery { a }", "#\nquery { a }"),
            (
                "{ a(b: \"u\") @include(if: $x) { ...F } } fragment F on T { pin(of: 1) }",
                "{ a(b: \"u\") @include(if: $x) { ...F } } fragment F on T { pin(of: \"*\") }",
            ),
        ] {
            if out.is_empty() {
                assert!(mask_document(&Rules::default(), src, false).is_none(), "{src}");
            } else {
                assert_eq!(graphql(src), out.replace('*', PLACEHOLDER), "{src}");
            }
        }
        let schema =
            "query { a } input I { password: String = \"x\" b: [Int!] = [1] } type T { f(pin: Int = 5, a: Int!): B }";
        let out = "query { a } input I { password: String = \"***MASKED***\" b: [Int!] = [1] } type T { f(pin: Int = \"***MASKED***\", a: Int!): B }";
        assert_eq!(graphql(schema), out);
    }

    #[test]
    fn variables_of_sensitive_arguments_are_told() {
        for (src, bound) in [
            ("mutation($p: String!, $u: String) { login(password: $p, user: $u) { id } }", "p"),
            ("mutation M($a: In) { a(in: {user: {pass_word: $p, b: $b}}, c: [$c]) }", "p"),
            ("{ a(in: {name: \"password\", value: $v}, b: $b) }", "v"),
            ("{ a(in: {value: {x: [$v, {y: $w}]}, name: \"password\", z: $z}) }", "v w"),
            ("{ a(in: {name: \"color\", value: $v}) }", ""),
            ("{ a(secret: {x: [$v, \"$n\"] # $m\n y: $w}) }", "v w"),
            ("{ a(in: [\"Cookie\", $c], key: $k) b(key: $l, value: $v) }", "c k"),
            ("{ setPassword(value: $v, id: $i) { a(b: $b) } }", "i v"),
            ("query Q($t: String = \"x\") @d(token: $t) { a(n: $n) }", "t"),
            ("query Q($password: String) { a(b: $password) }", ""),
            ("{ a(b: $b) } fragment F on T { pin(of: $f) c(b: $f) }", "f"),
        ] {
            let found = Bound::of(&Rules::default(), src, false).unwrap();
            let mut names: Vec<_> = found.names.iter().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!((names.join(" ").as_str(), found.open), (bound, false), "{src}");
            // Nothing but the literals changes in what is shown.
            assert!(!graphql(src).contains("$$"), "{src}");
        }
        assert!(Bound::of(&Rules::default(), "{\"a\": 1}", false).is_none());
        for src in ["{ a(pin: {x: $p", "{ a(in: {value: $v, na", "{ a(b: $"] {
            let found = Bound::of(&Rules::default(), src, true).unwrap();
            assert!(found.open && found.holds("p") && !found.is_empty(), "{src}");
        }
    }

    #[test]
    fn names_without_a_literal_stay() {
        for src in [
            "{ user { password } }",
            "query Me($token: String!) { me(token: $token) { password: name, token } }",
            "subscription { a }",
            "{ a: b(c: {key: \"color\", value: \"blue\"}, d: [\"x\", \"y\"], e: null, f: -1.5e3) { g } }",
            "{ ...F }",
            "{a}",
        ] {
            assert_eq!(graphql(src), src);
        }
    }

    #[test]
    fn other_text_is_not_taken_for_graphql() {
        for text in [
            "",
            "hello",
            "{\"a\":1}",
            "{}",
            "mutation rates in mice",
            "query",
            "a { b }",
            "{a: 1}",
            "{a: b, c: d}",
            "query: x",
        ] {
            assert!(mask_document(&Rules::default(), text, false).is_none(), "{text}");
        }
        for template in
            ["{src} -> {dst}", "{user_id}/{order}", "{a b}-{c}", "{id}#{part}", "{name} has {n}", " {a.b}: {c}"]
        {
            assert!(!looks_like(template), "{template}");
        }
        for document in
            ["{ a } { b }", "{a} query B { b }", "{...F} fragment F on T { a }", "{ a(b: 1) } - {c}", "{ a { b } } x }"]
        {
            assert!(looks_like(document), "{document}");
        }
        assert!(looks_like("{ a }\n") && !looks_like("{not json") && !looks_like("query of {x"));
    }

    #[test]
    fn nothing_is_kept_after_a_break() {
        for (src, kept) in [
            ("{ a(b: \"hunter2", "{ a(b: "),
            ("{ a(b: hunter2", "{ a(b: "),
            ("{ a(b: 'hunter2') }", "{ a(b: "),
            ("{ a(pin: {x: \"hunter2", "{ a(pin: \"***MASKED***\""),
            ("{ a(in: {value: \"hunter2\", na", "{ a(in: {value: \"***MASKED***\", "),
            ("{ a(in: {value: {b: \"hunter2\", c: ", "{ a(in: {value: \"***MASKED***\""),
            ("{ a(in: [\"pin\", \"hunter2\", ", "{ a(in: [\"pin\", \"***MASKED***\", "),
            ("{ a(b: 1) ] hunter2 }", "{ a(b: 1) "),
        ] {
            let out = mask_document(&Rules::default(), src, false).unwrap();
            assert_eq!(out.text, kept, "{src}");
            assert!(out.broke_at.is_some(), "{src}");
        }
        assert!(mask_document(&Rules::default(), "query { a }", true).unwrap().broke_at.is_some());
        assert!(mask_document(&Rules::default(), &"{ a ".repeat(100_000), false).unwrap().text.len() < 2000);
    }

    #[test]
    fn hostile_documents_cost_linear_time() {
        let rules = Rules::default();
        for (lead, piece) in [
            ("{ a(b: ", "["),
            ("{ a(b: [", "\"pin\" "),
            ("{ a(pin: ", "["),
            ("{ a(pin: [", "\"\"\"x\"\"\""),
            ("{ a(", "pin: [1] "),
            ("{ a(", "b: [c "),
            ("{ a(", "b: # x\n"),
            ("{ ", "a(b: 1) "),
            ("{ a", " # x\n"),
            ("{ a ", "("),
            ("{ ", "a: #\n"),
            ("{ ", "a: b "),
            ("{ ", "a: [b "),
            ("{ a(b: ", "\""),
        ] {
            let text = |len: usize| format!("{lead}{}", piece.repeat(len / piece.len()));
            assert!(is_linear(|text| drop(mask_document(&rules, text, false)), text), "{lead}{piece}");
        }
    }
}
