//! The user's exact paths in bodies: `user.pin`, `items[*].code`, `["odd.key"]`.
//!
//! While JSON is copied, a [`Trail`] follows it: for each open container one bit for every path that leads so far. It is there only
//! when the user has paths, or when somebody asks for an explanation; without it a value costs one branch.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::explain::{Log, Why};
use super::{explain, json, Rules};

/// As many paths a list may have: one bit each.
pub(super) const MOST: usize = 64;
/// No path is longer, in bytes.
pub(super) const LONGEST: usize = 1000;
const RIGHT: &str = "use user.pin, items[*].code, items[0].code, *.note or [\"odd.key\"]";

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// The member of this name.
    Name(String),
    /// The element of this number.
    Index(usize),
    /// Any element: `[*]`.
    Element,
    /// Any member or element: `*`.
    Any,
}

/// Where a GraphQL request stands in JSON.
pub(super) const REQUESTS: &[&str] = &["", "[*].", "payload."];

/// A path as it was written, and its steps.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub written: String,
    /// The user wrote it.
    pub own: bool,
    steps: Vec<Step>,
}

/// The user's two lists.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    pub masked: Vec<Path>,
    pub allowed: Vec<Path>,
}

/// What the paths say of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Nothing,
    /// By this path.
    Masked(usize),
    /// Its name and those below it do not count.
    Allowed,
}

impl Path {
    /// The error says what is wrong with it and what would be right.
    pub(super) fn parse(written: &str) -> Result<Self, String> {
        let wrong = |at: usize, what: &str| Err(format!("{what} at byte {at}; {RIGHT}"));
        if written.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes"));
        }
        let text = written.trim();
        let mut rest = text.strip_prefix('$').filter(|r| r.is_empty() || r.starts_with(['.', '['])).unwrap_or(text);
        let mut after_root = rest.len() != text.len();
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let at = text.len() - rest.len();
            if let Some(inside) = rest.strip_prefix('[') {
                let (step, len) = match inside.as_bytes().first() {
                    Some(quote @ (b'"' | b'\'')) => match quoted(inside, char::from(*quote)) {
                        Some((name, len)) => (Step::Name(name), len),
                        None => return wrong(at, "a quote without its end"),
                    },
                    _ => {
                        let len = inside.find(']').unwrap_or(inside.len());
                        match inside.get(..len).unwrap_or("") {
                            "*" => (Step::Element, len),
                            number => match number.parse() {
                                Ok(index) => (Step::Index(index), len),
                                Err(_) => return wrong(at, "brackets with neither a number, nor * nor a quoted name"),
                            },
                        }
                    }
                };
                let Some(tail) = inside.get(len..).and_then(|tail| tail.strip_prefix(']')) else {
                    return wrong(at, "a bracket without its end");
                };
                steps.push(step);
                rest = tail;
            } else {
                let first = steps.is_empty() && !after_root;
                let Some(name) = (if first { Some(rest) } else { rest.strip_prefix('.') }) else {
                    return wrong(at, "neither . nor [");
                };
                let end = name.find(['.', '[', ']']).unwrap_or(name.len());
                let (name, tail) = name.split_at(end);
                match name {
                    "" => return wrong(at, "a step without a name"),
                    "*" => steps.push(Step::Any),
                    name if name.contains('*') => return wrong(at, "a * beside other letters"),
                    name => steps.push(Step::Name(name.to_owned())),
                }
                rest = tail;
            }
            after_root = false;
        }
        if steps.is_empty() {
            return Err(format!("it has no step; {RIGHT}"));
        }
        Ok(Path { written: written.to_owned(), own: true, steps })
    }

    /// To a GraphQL variable, or to all, of a request that stands there in JSON: see [`REQUESTS`].
    pub(super) fn to_variable(lead: &str, name: Option<&str>) -> Self {
        let mut steps = match lead {
            "" => Vec::new(),
            "[*]." => vec![Step::Element],
            lead => vec![Step::Name(lead.trim_end_matches('.').to_owned())],
        };
        steps.push(Step::Name("variables".to_owned()));
        steps.extend(name.map(|name| Step::Name(name.to_owned())));
        Path { written: name.unwrap_or("variables").to_owned(), own: false, steps }
    }

    fn is_form_field(&self, names: &[&str]) -> bool {
        let fits = |(step, name): (&Step, &&str)| match step {
            Step::Name(wanted) => wanted == name,
            Step::Index(index) => name.parse() == Ok(*index),
            Step::Element => name.bytes().all(|b| b.is_ascii_digit()),
            Step::Any => true,
        };
        self.steps.len() == names.len() && self.steps.iter().zip(names).all(fits)
    }
}

/// A name in quotes and the length of all that.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((name, at + 1)),
            '\\' => name.push(chars.next()?.1),
            c => name.push(c),
        }
    }
    None
}

impl Paths {
    pub(super) fn is_empty(&self) -> bool {
        self.masked.is_empty() && self.allowed.is_empty()
    }

    /// What they say of a form's field: `user[pin]` is `user.pin`. What lies below an allowed one is allowed as well.
    pub(super) fn form_field(&self, name: &str) -> Verdict {
        let steps = form_steps(name);
        if let Some(index) = self.masked.iter().position(|path| path.is_form_field(&steps)) {
            return Verdict::Masked(index);
        }
        let begins =
            |len: usize| steps.get(..len).is_some_and(|s| self.allowed.iter().any(|path| path.is_form_field(s)));
        if (1..=steps.len()).any(begins) {
            Verdict::Allowed
        } else {
            Verdict::Nothing
        }
    }
}

/// The steps of a form field's name.
pub(super) fn form_steps(name: &str) -> Vec<&str> {
    match name.split_once('[') {
        Some((first, rest)) if rest.ends_with(']') => {
            std::iter::once(first).chain(rest.strip_suffix(']').unwrap_or(rest).split("][")).collect()
        }
        _ => vec![name],
    }
}

/// The last step to a value of the source.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Document,
    /// The member whose name stands here, with its quotes.
    Key(u32, u32),
    Index(usize),
}

/// How far the paths lead to a value: one bit for each.
#[derive(Clone, Copy)]
struct Level {
    place: Place,
    masked: u64,
    allowed: u64,
    /// In a value that is allowed.
    inside: bool,
}

/// Where in a document the masking is. See the module.
pub(super) struct Trail<'r> {
    paths: Option<&'r Paths>,
    pub log: Option<Spans<'r>>,
    levels: Vec<Level>,
    /// The value in hand.
    now: Level,
    scratch: String,
}

impl<'r> Trail<'r> {
    /// `None` when nobody needs one. Paths do not reach into JSON that lies in a string.
    pub(super) fn new(rules: &'r Rules, paths: &'r Paths, level: u8) -> Option<Box<Self>> {
        let paths = Some(paths).filter(|paths| level == 0 && !paths.is_empty());
        let log = rules.log.as_deref();
        (paths.is_some() || log.is_some()).then(|| {
            Box::new(Trail {
                paths,
                log: log.map(Spans::new),
                levels: Vec::new(),
                now: Level { place: Place::Document, masked: 0, allowed: 0, inside: false },
                scratch: String::new(),
            })
        })
    }

    /// A value comes.
    pub(super) fn judge(&mut self, src: &str, place: Place) -> Verdict {
        let Some(above) = self.levels.last().copied() else {
            // The document itself: every path begins here.
            self.now = Level { place: Place::Document, masked: u64::MAX, allowed: u64::MAX, inside: false };
            return Verdict::Nothing;
        };
        let mut now = Level { place, masked: 0, allowed: 0, inside: above.inside };
        let Some(paths) = self.paths else {
            self.now = now;
            return Verdict::Nothing;
        };
        let mut name = "";
        if let Place::Key(start, end) = place {
            name = src.get(start as usize + 1..end as usize - 1).unwrap_or("");
            if name.contains('\\') {
                json::unescape(name, &mut self.scratch);
                name = &self.scratch;
            }
        }
        let depth = self.levels.len();
        let follow = |paths: &[Path], above: u64, next: &mut u64| {
            let mut complete = None;
            for (i, path) in paths.iter().enumerate().filter(|(i, _)| above >> i & 1 == 1) {
                let fits = match (path.steps.get(depth - 1), place) {
                    (Some(Step::Any), _) | (Some(Step::Element), Place::Index(_)) => true,
                    (Some(Step::Name(wanted)), Place::Key(..)) => wanted == name,
                    (Some(Step::Index(wanted)), Place::Index(index)) => *wanted == index,
                    _ => false,
                };
                if fits {
                    *next |= 1 << i;
                    complete = complete.or((path.steps.len() == depth).then_some(i));
                }
            }
            complete
        };
        let masked = follow(&paths.masked, above.masked, &mut now.masked);
        now.inside |= follow(&paths.allowed, above.allowed, &mut now.allowed).is_some();
        self.now = now;
        match masked {
            Some(path) => Verdict::Masked(path),
            None if now.inside => Verdict::Allowed,
            None => Verdict::Nothing,
        }
    }

    /// The value in hand is a container, and what is in it comes next.
    pub(super) fn open(&mut self) {
        self.levels.push(self.now);
        if let Some(log) = &mut self.log {
            log.open();
        }
    }

    pub(super) fn close(&mut self) {
        if let Some(closed) = self.levels.pop() {
            self.now = closed;
        }
        if let Some(log) = &mut self.log {
            log.close(self.levels.len());
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// The innermost container is allowed, or lies in what is.
    pub(super) fn is_allowed(&self) -> bool {
        self.levels.last().is_some_and(|level| level.inside)
    }

    /// The path to the value in hand, for people; `key_too` says that its own name may be shown.
    pub(super) fn path(&self, rules: &Rules, src: &str, key_too: bool) -> String {
        let mut path = String::new();
        let above = self.levels.iter().skip(1).map(|level| (level.place, true));
        let now = (!self.levels.is_empty()).then_some((self.now.place, key_too));
        for (place, shown) in above.chain(now) {
            match place {
                Place::Document => {}
                Place::Index(index) => {
                    let _ = write!(path, "[{index}]");
                }
                Place::Key(start, end) => {
                    let mut name = String::new();
                    json::unescape(src.get(start as usize + 1..end as usize - 1).unwrap_or(""), &mut name);
                    explain::step(rules, shown.then_some(&name), &mut path);
                }
            }
        }
        path
    }

    /// The member's name itself is in hand.
    pub(super) fn at_key(&mut self, start: usize, end: usize) {
        self.now.place = Place::Key(start as u32, end as u32);
    }
}

/// What an explanation has to know of values that may be replaced after all, when a name for them shows up.
pub(super) struct Spans<'r> {
    pub log: &'r Log,
    /// Where such values of the open containers begin in the output, in order, and the paths to them.
    places: Vec<(usize, String)>,
    /// For each open container, how many of them stand before it and with it.
    before: Vec<usize>,
    /// The last sensitive names by the number of containers around them, and by the column.
    names: Vec<Option<Why>>,
    columns: Vec<(usize, Why)>,
    /// Values that will be replaced, by where they begin: the path, the rule and the entry.
    going: HashMap<usize, (String, &'static str, Option<Why>)>,
}

impl<'r> Spans<'r> {
    fn new(log: &'r Log) -> Self {
        Spans {
            log,
            places: Vec::new(),
            before: Vec::new(),
            names: Vec::new(),
            columns: Vec::new(),
            going: HashMap::new(),
        }
    }

    pub(super) fn begins(&mut self, start: usize, path: String) {
        self.places.push((start, path));
    }

    fn open(&mut self) {
        self.before.push(self.places.len());
    }

    fn close(&mut self, depth: usize) {
        self.names.truncate(depth + 1);
        if let Some(before) = self.before.pop() {
            self.places.truncate(before);
        }
    }

    pub(super) fn named(&mut self, depth: usize, column: Option<usize>, why: Option<Why>) {
        self.names.resize(self.names.len().max(depth + 1), None);
        if let (Some(column), Some(why)) = (column, &why) {
            self.columns.retain(|(known, _)| *known != column);
            self.columns.push((column, why.clone()));
        }
        if let Some(name) = self.names.get_mut(depth) {
            *name = why;
        }
    }

    pub(super) fn name(&self, depth: usize) -> Option<Why> {
        self.names.get(depth).cloned().flatten()
    }

    pub(super) fn column(&self, column: usize) -> Option<Why> {
        let known = self.columns.iter().find(|(known, _)| *known == column).or_else(|| self.columns.first());
        known.map(|(_, why)| why.clone())
    }

    /// The value that begins here will be replaced, unless one around it is.
    pub(super) fn goes(&mut self, start: usize, rule: &'static str, why: Option<Why>) {
        let place = self.places.binary_search_by_key(&start, |(start, _)| *start);
        let path = place.ok().and_then(|i| self.places.get(i)).map_or("", |(_, path)| path);
        self.going.insert(start, (path.to_owned(), rule, why));
    }

    /// It was replaced.
    pub(super) fn gone(&mut self, start: usize) {
        if let Some((path, rule, why)) = self.going.remove(&start) {
            self.log.swallow(&path);
            self.log.add(&path, None, rule, why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_errors_name_the_place() {
        let steps = |text: &str| Path::parse(text).unwrap().steps;
        let name = |name: &str| Step::Name(name.to_owned());
        assert_eq!(steps("user.pin"), [name("user"), name("pin")]);
        assert_eq!(steps("$.user.pin"), [name("user"), name("pin")]);
        assert_eq!(steps("items[*].code"), [name("items"), Step::Element, name("code")]);
        assert_eq!(steps("$[0][1]"), [Step::Index(0), Step::Index(1)]);
        assert_eq!(steps("*.note"), [Step::Any, name("note")]);
        assert_eq!(steps("a[\"odd.key\"]['x\\'y']"), [name("a"), name("odd.key"), name("x'y")]);
        assert_eq!(steps("$ref.x"), [name("$ref"), name("x")]);
        for (text, what) in [
            ("", "no step"),
            ("$", "no step"),
            ("a..b", "a step without a name at byte 1"),
            (".a", "a step without a name at byte 0"),
            ("a.", "a step without a name at byte 1"),
            ("a[", "neither a number"),
            ("a[x]", "neither a number, nor * nor a quoted name at byte 1"),
            ("a[0", "a bracket without its end"),
            ("a[\"x]", "a quote without its end"),
            ("a[0]b", "neither . nor [ at byte 4"),
            ("a]b", "neither . nor ["),
            ("a*", "beside other letters"),
            ("$..a", "a step without a name"),
        ] {
            let error = Path::parse(text).unwrap_err();
            assert!(error.contains(what) && error.contains("use user.pin"), "{text}: {error}");
        }
        assert!(Path::parse(&"a".repeat(1001)).is_err());
    }
}
