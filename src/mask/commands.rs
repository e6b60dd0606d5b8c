//! Command lines in text: what is given to an option (`--password x`, `curl -u jo:x`) or stands where a command has its secret
//! (`sqlplus jo/x@h`), and what statements have without quotes (`IDENTIFIED BY x`).
//!
//! Their signs are a dash before a letter, `by` and a blank, a dash, a blank and a bracket, and how a text begins.

use super::names::{Hit, Place};
use super::text::{is_token, Scan, PROSE};
use super::Rules;

/// A longer name is no option's.
const MAX_NAME: usize = 64;
/// So far before an option its command is looked for.
const MAX_LINE: usize = 256;
/// A statement tells the password so near its beginning.
const MAX_STATEMENT: usize = 256;
/// So many words may stand in a statement before the one that tells.
const MAX_WORDS: usize = 12;
const IDENTIFIED: &[u8] = b"identified";
/// So far before its dash the words of a bound value begin: `parameter [1] as [VARCHAR] - `.
pub(super) const MAX_BOUND: usize = 46;

/// How a command is given a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `-pSecret`: with a blank between it would be something else.
    Joined,
    /// `-p x`, `-px`
    Option,
    /// The same behind the word `login`.
    Login,
    /// `-u user:x`
    User,
    /// `-b file user x`
    Batch,
    /// `user/x@place`
    Slash,
}

/// Which letters of which commands.
const COMMANDS: &[(&[&str], &str, Form)] = &[
    (
        &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlcheck",
            "mysqlshow",
            "mysqlslap",
            "mysqlpump",
            "mysqlbinlog",
            "mariadb",
            "mariadb-dump",
            "mariadb-admin",
            "xtrabackup",
        ],
        "p",
        Form::Joined,
    ),
    (&["sshpass", "mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport"], "p", Form::Option),
    (&["docker", "podman", "nerdctl", "buildah", "skopeo", "helm", "oc", "cf", "az"], "p", Form::Login),
    (&["curl"], "uU", Form::User),
    (
        &[
            "ldapsearch",
            "ldapadd",
            "ldapmodify",
            "ldapdelete",
            "ldapwhoami",
            "ldapcompare",
            "ldapmodrdn",
            "ldappasswd",
            "ldapexop",
        ],
        "w",
        Form::Option,
    ),
    (&["redis-cli"], "a", Form::Option),
    (&["sqlcmd", "bcp", "osql", "mosquitto_pub", "mosquitto_sub", "ipmitool"], "P", Form::Option),
    (&["htpasswd"], "bBcCnmdsv25", Form::Batch),
    (&["sqlplus", "sqlldr", "expdp", "impdp", "exp", "imp", "rman"], "", Form::Slash),
];
/// Letters that some of them have.
const LETTERS: &[u8] = b"pPuUwabBcCnmdsv";
/// Options that take a user's name and, behind a colon, a password.
const USERS: &[&str] = &["user", "proxy-user"];
/// Ends of names of options that tell where a secret comes from.
const SOURCES: &[&str] = &["stdin", "file", "path", "env", "fd", "prompt", "command", "cmd"];
/// What may stand behind an option that is only spoken of, or that a help text explains.
const TALK: &[&str] = &[
    "option",
    "options",
    "flag",
    "flags",
    "argument",
    "arguments",
    "parameter",
    "parameters",
    "switch",
    "if",
    "when",
    "instead",
    "given",
    "set",
    "as",
    "on",
    "by",
    "via",
    "which",
    "that",
    "this",
    "can",
    "should",
    "will",
    "has",
    "are",
    "but",
    "requires",
    "used",
    "it",
    "at",
    "be",
    "cannot",
    "does",
    "were",
    "needs",
    "value",
    "values",
    "string",
    "strings",
    "stringarray",
    "text",
    "int",
];
/// What statements have behind the word `password` that is none.
const CLAUSES: &[&str] = &[
    "null",
    "expire",
    "expires",
    "expired",
    "lifetime",
    "default",
    "reuse",
    "history",
    "require",
    "policy",
    "disable",
    "enable",
    "unbounded",
    "random",
    "password",
    "values",
    "lock",
    "unlock",
    "using",
    "for",
    "to",
    "is",
    "option",
    "by",
];

fn is_one_of(word: &[u8], known: &[&str]) -> bool {
    known.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// Could an option whose first letter is at `at` take a secret?
pub(super) fn shows(rules: &Rules, text: &[u8], at: usize) -> bool {
    let Some(dashes) = dashes_before(text, at) else { return false };
    let rest = text.get(at..).unwrap_or(&[]);
    let len = rest.iter().take(MAX_NAME + 1).take_while(|b| is_token(**b)).count();
    let name = rest.get(..len).unwrap_or(&[]);
    let short = dashes == 1 && name.first().is_some_and(|b| LETTERS.contains(b));
    // (In JSON a tab is written `\t`.)
    let blank = matches!(rest.get(len), Some(b' ' | b'\t' | b'\\'));
    let secret = || {
        name.iter().any(|b| *b >= 0x80 || *b == b'%')
            || rules.fields.answer(name).hit(Place::Field) == Hit::Yes
            || is_one_of(name, USERS)
    };
    short || len > MAX_NAME || ((blank || rest.get(len) == Some(&b'=')) && secret())
}

/// The dashes before an option's first letter, at a word's beginning.
pub(super) fn dashes_before(text: &[u8], at: usize) -> Option<usize> {
    let lead = text.get(..at)?;
    let dashes = lead.iter().rev().take(3).take_while(|b| **b == b'-').count();
    let lead = lead.get(..lead.len() - dashes)?;
    // (A line break may be written `\n`.)
    let fresh = match lead {
        [.., b'\\', b'n' | b't' | b'r'] => true,
        // (`\-` is how manuals are written.)
        [.., last] => !is_token(*last) && *last != b'\\',
        [] => true,
    };
    (fresh && (1..=2).contains(&dashes) && text.get(at).is_some_and(u8::is_ascii_alphabetic)).then_some(dashes)
}

/// Does a string begin with a statement that has `IDENTIFIED BY x` in it? (Text is looked through for the words.)
pub(super) fn identifies(text: &[u8]) -> bool {
    let near = text.get(..MAX_STATEMENT).unwrap_or(text);
    let verb = near.iter().take_while(|b| is_token(**b)).count();
    is_one_of(near.get(..verb).unwrap_or(&[]), &["create", "alter", "grant"])
        && near.windows(IDENTIFIED.len()).any(|words| words.eq_ignore_ascii_case(IDENTIFIED))
}

/// Is the blank at `at` behind a `by` that tells who somebody is to the database?
pub(super) fn is_identified(text: &[u8], at: usize) -> bool {
    let Some(lead) = text.get(at.saturating_sub(MAX_LINE)..at) else { return false };
    let mut words = words_before(lead);
    let by = words.next().unwrap_or(&[]);
    if !by.eq_ignore_ascii_case(b"by") || lead.last().is_none_or(|b| !b.is_ascii_alphabetic()) {
        return false;
    }
    let mut word = words.next().unwrap_or(&[]);
    // `IDENTIFIED WITH plugin BY x`
    if !word.eq_ignore_ascii_case(b"identified") {
        let with = words.next().unwrap_or(&[]);
        word = words.next().unwrap_or(&[]);
        if !is_one_of(with, &["with", "via"]) || !word.eq_ignore_ascii_case(b"identified") {
            return false;
        }
    }
    // `was identified by the team` is prose.
    let capitals = |word: &[u8]| word.iter().all(u8::is_ascii_uppercase);
    if capitals(by) && capitals(word) {
        return true;
    }
    let mut to = false;
    words.take(MAX_WORDS).any(|word| {
        to |= is_one_of(word, &["user", "role", "to"]);
        to && is_one_of(word, &["create", "alter", "grant", "connect"])
    })
}

/// The words of a text, the last one first.
fn words_before(lead: &[u8]) -> impl Iterator<Item = &[u8]> {
    lead.rsplit(|b| !is_token(*b)).filter(|word| !word.is_empty())
}

/// Is the `=` at `at` that of `SET PASSWORD FOR jo = x`?
pub(super) fn sets_password(text: &[u8], at: usize) -> bool {
    let Some(lead) = text.get(at.saturating_sub(MAX_LINE)..at).map(<[u8]>::trim_ascii_end) else { return false };
    let user = lead.iter().rev().take_while(|b| !b.is_ascii_whitespace()).count();
    let lead = lead.get(..lead.len() - user).unwrap_or(&[]);
    let mut words = words_before(lead);
    user > 0 && ["for", "password", "set"].iter().all(|known| words.next().is_some_and(|w| is_one_of(w, &[known])))
}

/// `ALTER USER jo PASSWORD x`, `SET PASSWORD FOR jo TO x`, where a text begins with it: the place of what is no literal.
#[inline(always)]
pub(super) fn statement(text: &[u8]) -> Option<(usize, usize)> {
    match text.first_chunk::<4>().map(|four| (u32::from_le_bytes(*four) | 0x2020_2020).to_le_bytes()) {
        Some([b'a', b'l', b't', b'e'] | [b'c', b'r', b'e', b'a'] | [b's', b'e', b't', b' ']) => {}
        // Behind blanks.
        Some([b' ' | 0x29 | 0x2a | 0x2d, ..]) => {}
        _ => return None,
    }
    told_in_statement(text)
}

#[cold]
#[inline(never)]
fn told_in_statement(text: &[u8]) -> Option<(usize, usize)> {
    let begin = text.iter().take(MAX_NAME).take_while(|b| b.is_ascii_whitespace()).count();
    let near = text.get(begin..text.len().min(begin + MAX_STATEMENT))?;
    if !matches!(near.first().map(|b| b | 0x20), Some(b'a' | b'c' | b's')) {
        return None;
    }
    let mut at = begin;
    let mut next = || {
        let rest = text.get(at..begin + near.len())?;
        let gap = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let len = rest.iter().skip(gap).take_while(|b| !b.is_ascii_whitespace()).count();
        at += gap + len;
        (len > 0).then_some((at - len, at))
    };
    let word = |(start, end): (usize, usize)| text.get(start..end).unwrap_or(&[]);
    let verb = word(next()?);
    let object = word(next()?);
    let alter = is_one_of(verb, &["alter", "create"]) && is_one_of(object, &["user", "role", "login"]);
    let set = verb.eq_ignore_ascii_case(b"set") && object.eq_ignore_ascii_case(b"password");
    let mut told = object;
    if alter {
        let name = word(next()?);
        if is_one_of(name, &["with", "and", "or", "password"]) {
            return None;
        }
        told = (0..MAX_WORDS).find_map(|_| {
            let found = word(next()?);
            found.eq_ignore_ascii_case(b"password").then_some(found)
        })?;
    } else if set {
        let mut sign = word(next()?);
        if sign.eq_ignore_ascii_case(b"for") {
            next()?;
            sign = word(next()?);
        }
        if sign != b"=" && !sign.eq_ignore_ascii_case(b"to") {
            return None;
        }
    } else {
        return None;
    }
    let (start, end) = next()?;
    // The end of what was looked at may be in it.
    let end = end + text.get(end..)?.iter().take_while(|b| !b.is_ascii_whitespace()).count();
    let value = word((start, end));
    let end = end - value.iter().rev().take_while(|b| **b == b';').count();
    let value = word((start, end));
    // Written by hand, `create user form password field` is prose.
    let capitals = [verb, object, told].iter().all(|word| word.iter().all(u8::is_ascii_uppercase));
    let odd = value.iter().any(|b| !b.is_ascii_lowercase());
    (is_bare(value) && (capitals || odd)).then_some((start, end))
}

/// Is this a password that a statement has without quotes, and not what stands for one or another word of it?
fn is_bare(value: &[u8]) -> bool {
    let begins = value.first().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'#' | b'!' | 0x80..));
    // `PASSWORD('x')` has a literal.
    begins && !is_one_of(value, CLAUSES) && !value.contains(&b'\'') && !value.contains(&b'"')
}

/// Is the blank at `at` the one in `binding parameter [1] as [VARCHAR] - [x]`?
pub(super) fn is_bound(text: &[u8], at: usize) -> bool {
    let lead = text.get(at.saturating_sub(MAX_BOUND)..at).unwrap_or(&[]);
    text.get(at + 1) == Some(&b'[')
        && lead.ends_with(b"] -")
        && lead.windows(b"parameter [".len()).any(|words| words.eq_ignore_ascii_case(b"parameter ["))
}

/// The command of a line that stands before a place: its form, its letters and where it ends.
fn command(text: &[u8], at: usize) -> Option<(Form, &'static str, usize)> {
    let from = at.saturating_sub(MAX_LINE);
    let lead = text.get(from..at)?;
    let line = lead.iter().rposition(|b| matches!(b, b'\n' | b'\r')).map_or(0, |i| i + 1);
    let mut end = lead.len();
    let mut login = false;
    while end > line {
        let words = lead.get(line..end)?;
        let gap = words.iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
        let len = words.iter().rev().skip(gap).take_while(|b| !b.is_ascii_whitespace()).count();
        end -= gap;
        let word = lead.get(end - len..end)?;
        // What stands before it belongs to another command.
        if matches!(word, b"|" | b"||" | b"&&" | b"&" | b";") || (word.ends_with(b";") && len > 1) {
            return None;
        }
        login |= word == b"login";
        // `/usr/bin/mysql`, `$(mysql`, `"mysql"`
        let name = word.rsplit(|b| !is_token(*b)).find(|name| !name.is_empty()).unwrap_or(&[]);
        let name = name.strip_suffix(b".exe").unwrap_or(name);
        let found = COMMANDS.iter().find(|(names, ..)| names.iter().any(|known| name == known.as_bytes()));
        if let Some((_, letters, form)) = found {
            let other = *form == Form::Login && !login;
            return (!other).then_some((*form, *letters, from + end));
        }
        end -= len;
    }
    None
}

/// Does a tool of Oracle's stand before this place, where `user/password@place` would be?
pub(super) fn is_slash(text: &[u8], at: usize) -> bool {
    command(text, at).is_some_and(|(form, ..)| form == Form::Slash)
}

/// `net use` before a place on its line: where it ends.
pub(super) fn net_use(text: &[u8], at: usize) -> Option<usize> {
    let from = at.saturating_sub(MAX_LINE);
    let lead = text.get(from..at)?;
    let line = lead.iter().rposition(|b| matches!(b, b'\n' | b'\r')).map_or(0, |i| i + 1);
    let lead = lead.get(line..)?;
    let begin = lead.windows(b"net use ".len()).rposition(|words| words.eq_ignore_ascii_case(b"net use "))?;
    Some(from + line + begin + b"net use".len())
}

impl Scan<'_> {
    /// A word that begins with a dash: the end of the value it takes after masking that.
    pub(super) fn option(&mut self, start: usize, end: usize) -> Option<usize> {
        let word = self.bytes.get(start..end)?;
        let at = start + word.iter().take(3).take_while(|b| **b == b'-').count();
        let dashes = dashes_before(self.bytes, at)?;
        if dashes == 1 {
            if let Some(end) = self.short_option(at, end) {
                return Some(end);
            }
        }
        let name = self.bytes.get(at..end)?;
        let gap = self.blanks(end);
        let joined = self.bytes.get(end) == Some(&b'=');
        if is_one_of(name, USERS) && (gap > 0 || joined) {
            let value = if joined { end + 1 } else { end + gap };
            let (form, ..) = command(self.bytes, start)?;
            return if form == Form::User { self.user_argument(value) } else { None };
        }
        if gap == 0 || name.len() < 2 || name.len() > MAX_NAME {
            return None;
        }
        let last = name.rsplit(|b| matches!(b, b'-' | b'_')).next().unwrap_or(&[]);
        if name.starts_with(b"no-")
            || is_one_of(last, SOURCES)
            || self.rules.fields.answer(name).hit(Place::Field) != Hit::Yes
            || self.is_help(start, gap)
            // A list's item may be written so: `-token handling`.
            || (dashes == 1 && self.begins_line(start))
        {
            return None;
        }
        let (value, close) = self.argument(end + gap)?;
        if self.stands_for_value(self.slice(at, end), value, close) {
            return None;
        }
        Some(self.replace(value, close).max(value))
    }

    /// `-pSecret`, `-u jo:x`: `at` is the letter.
    fn short_option(&mut self, at: usize, end: usize) -> Option<usize> {
        let letter = *self.bytes.get(at).filter(|b| LETTERS.contains(b))?;
        let (form, letters, command_end) = command(self.bytes, at - 1)?;
        if !letters.as_bytes().contains(&letter) {
            return None;
        }
        if form == Form::Batch {
            return self.batch(command_end, at, end);
        }
        let gap = self.blanks(at + 1);
        if form == Form::Joined && gap > 0 {
            return None;
        }
        if form == Form::User {
            return self.user_argument(at + 1 + gap);
        }
        let (value, close) = self.argument(at + 1 + gap)?;
        if self.stands_for_value("", value, close) {
            return None;
        }
        Some(self.replace(value, close).max(value))
    }

    /// `jo:x`, of which all is masked: tokens stand in the user's place too.
    fn user_argument(&mut self, start: usize) -> Option<usize> {
        let (value, close) = self.argument(start)?;
        let text = self.slice(value, close);
        if text.len() <= MAX_LINE && (!text.contains(':') || text.starts_with('<')) {
            return None;
        }
        Some(self.replace(value, close).max(value))
    }

    /// `htpasswd -b file user x`, `htpasswd -nb user x`: the last of what is no option.
    fn batch(&mut self, from: usize, at: usize, end: usize) -> Option<usize> {
        let letters = self.bytes.get(at..end)?;
        if !letters.contains(&b'b') {
            return None;
        }
        let options = self.slice(from, end).split_ascii_whitespace();
        let prints = options.into_iter().any(|word| word.starts_with('-') && word.contains('n'));
        let mut left = if prints { 2 } else { 3 };
        let mut at = end;
        for _ in 0..MAX_WORDS {
            let gap = self.blanks(at);
            let (value, close) = self.argument_before(at + gap, end + MAX_LINE).filter(|_| gap > 0)?;
            let option = self.slice(value, close).starts_with('-');
            if !option {
                left -= 1;
            }
            if left == 0 {
                return Some(self.replace(value, close).max(value));
            }
            at = close + usize::from(matches!(self.bytes.get(close), Some(b'"' | b'\'')));
        }
        None
    }

    /// So many blanks stand here.
    fn blanks(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or(&[]);
        rest.iter().take(MAX_NAME).take_while(|b| matches!(b, b' ' | b'\t')).count()
    }

    /// A word of a command line: its inside when it is quoted. `None` where there is none.
    fn argument(&self, start: usize) -> Option<(usize, usize)> {
        self.argument_before(start, self.src.len())
    }

    /// The same for one that is only looked at: no further than to `limit`.
    fn argument_before(&self, start: usize, limit: usize) -> Option<(usize, usize)> {
        let rest = self.bytes.get(start..limit.min(self.src.len()))?;
        let slashes = rest.iter().take(MAX_NAME).take_while(|b| **b == b'\\').count();
        if let Some(quote @ (b'"' | b'\'')) = rest.get(slashes).copied() {
            let inside = start + slashes + 1;
            let close = self.closing(inside, quote, slashes, limit.min(self.src.len()));
            return Some((inside, self.whole(close)));
        }
        // A quote that is around the whole line ends the word, and a quote in the word does not.
        let mut len = 0;
        while let Some(b) = rest.get(len).filter(|b| !b.is_ascii_whitespace()) {
            let next = rest.get(len + 1);
            let ends = next.is_none_or(|b| b.is_ascii_whitespace() || b",:;)]}>\"'`\\<".contains(b));
            if matches!(b, b'"' | b'\'' | b'`') && ends {
                len -= rest.get(..len)?.iter().rev().take_while(|b| **b == b'\\').count();
                break;
            }
            len += 1;
        }
        (len > 0).then_some((start, self.whole(start + len)))
    }

    /// The end of the character that a place may be in.
    fn whole(&self, at: usize) -> usize {
        (at..self.src.len()).find(|at| self.src.is_char_boundary(*at)).unwrap_or(self.src.len())
    }

    /// Is this no value but what stands for one, `<password>`, `PASSWORD`, `$1`, or another word: the option is spoken of, or another one
    /// follows?
    fn stands_for_value(&self, name: &str, value: usize, close: usize) -> bool {
        let text = self.slice(value, close);
        // In quotes it is one.
        if value > 0 && matches!(self.bytes.get(value - 1), Some(b'"' | b'\'')) {
            return false;
        }
        let bare = text.trim_matches(|c: char| matches!(c, '[' | ']' | '(' | ')' | ',' | '.' | ';' | ':' | '{' | '}'));
        let usage = text.starts_with('<') && text.contains('>');
        let capitals = !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'-'));
        let place = capitals
            && (bare.eq_ignore_ascii_case(name)
                || is_one_of(bare.as_bytes(), &["key", "text", "value", "string", "pw", "pass"])
                || self.rules.fields.answer(bare.as_bytes()).hit(Place::Field) == Hit::Yes);
        let talk = is_one_of(bare.as_bytes(), TALK) || is_one_of(bare.as_bytes(), PROSE);
        bare.is_empty() || usage || place || talk || text.starts_with('-') || text.starts_with("|")
    }

    /// Is this an option that a help text explains, on the right of it?
    fn is_help(&self, start: usize, gap: usize) -> bool {
        gap > 1 && self.begins_line(start)
    }

    /// Stand only blanks and short options before this place on its line: `  -p, --password`?
    fn begins_line(&self, start: usize) -> bool {
        let lead = self.bytes.get(start.saturating_sub(MAX_NAME)..start).unwrap_or(&[]);
        let line = lead.rsplit(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or(&[]).trim_ascii();
        line.is_empty() || (line.len() == 3 && line.starts_with(b"-") && line.ends_with(b","))
    }

    /// `IDENTIFIED BY x`, at its `by`.
    pub(super) fn identified(&mut self, start: usize, end: usize) -> Option<usize> {
        if end - start != 2 || !self.slice(start, end).eq_ignore_ascii_case("by") || !is_identified(self.bytes, end) {
            return None;
        }
        if self.bytes.get(end) != Some(&b' ') {
            return None;
        }
        let close = self.bare_word(end + self.gap(end))?;
        // `IDENTIFIED BY new REPLACE old`
        let after = close + self.gap(close);
        if self.slice(after, after + "replace ".len()).eq_ignore_ascii_case("replace ") {
            let old = after + "replace".len();
            return Some(self.bare_word(old + self.gap(old)).unwrap_or(close));
        }
        Some(close)
    }

    /// `SET PASSWORD FOR jo = x`, behind its sign.
    pub(super) fn set_password(&mut self, sign: u8, after: usize) -> Option<usize> {
        if sign != b'=' || !sets_password(self.bytes, after.checked_sub(1)?) {
            return None;
        }
        self.bare_word(after + self.gap(after))
    }

    fn gap(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or(&[]);
        rest.iter().take(MAX_NAME).take_while(|b| b.is_ascii_whitespace()).count()
    }

    /// Masks a password without quotes.
    fn bare_word(&mut self, start: usize) -> Option<usize> {
        let rest = self.bytes.get(start..)?;
        let len = rest.iter().take_while(|b| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b'`')).count();
        let word = rest.get(..len)?;
        // (`PASSWORD('x')` has a literal.)
        let called = word.ends_with(b"(");
        let len = len - word.iter().rev().take_while(|b| **b == b';').count();
        (!called && is_bare(rest.get(..len)?) && !is_one_of(rest.get(..len)?, PROSE))
            .then(|| self.replace(start, start + len))
    }

    /// `net use \\host\share x /user:jo`, at the name: what is neither an option nor a place.
    pub(super) fn share(&mut self, start: usize, end: usize) -> Option<usize> {
        if !self.slice(start, end).eq_ignore_ascii_case("user") || !self.starts(start.checked_sub(1)?, "/") {
            return None;
        }
        let mut at = net_use(self.bytes, start)?;
        let near = self.bytes.get(start..).unwrap_or(&[]);
        let line = start + near.iter().take(MAX_LINE).take_while(|b| !matches!(b, b'\n' | b'\r')).count();
        for _ in 0..MAX_WORDS {
            let gap = self.blanks(at);
            let (value, close) = self.argument_before(at + gap, line).filter(|_| gap > 0)?;
            if value >= line {
                return None;
            }
            let word = self.slice(value, close);
            let drive = word.len() == 2 && word.ends_with(':');
            if !word.starts_with(['/', '\\']) && !drive && word != "*" {
                self.later(value, close);
            }
            at = close + usize::from(matches!(self.bytes.get(close), Some(b'"' | b'\'')));
        }
        None
    }

    /// `simple bind "cn=jo" "x"`, at its word: the second text in quotes.
    pub(super) fn bind(&mut self, start: usize, end: usize) -> Option<usize> {
        if !is_one_of(self.bytes.get(start..end)?, &["bind", "simple_bind"]) {
            return None;
        }
        let quoted = |at: usize, limit: usize| {
            let at = at + self.blanks(at);
            (self.bytes.get(at) == Some(&b'"')).then(|| (at + 1, self.closing(at + 1, b'"', 0, limit)))
        };
        let (name, close) = quoted(end, self.src.len().min(end + MAX_LINE))?;
        if !self.slice(name, close.min(name + MAX_LINE)).contains('=') {
            return None;
        }
        let (value, close) = quoted(close + 1, self.src.len())?;
        Some(self.replace(value, close).max(value))
    }
}
