//! Free text: what is secret by its form, or by the name that stands before it.
//!
//! One pass over tokens (runs of letters, digits and `_ - . %`). Found are: PEM blocks, JWTs and base64 JSON, tokens of known
//! make, `Bearer x` and `Basic x`, `key=value` and `key: value` with a sensitive key (quoted or not, also with
//! escaped quotes), passwords in URLs, card numbers. sql.rs knows what SQL has beside that, printed.rs pairs and tables.
//!
//! The pass begins at the words around a sign of a secret (hints.rs); what it finds must not depend on where it began.

use std::collections::VecDeque;

use super::names::{Hit, Place, Words};
use super::scan::Signs;
use super::{commands, hints, percent, shapes, sql, Rules, PLACEHOLDER};

/// So many words before a colon may belong to a name: `credit card number: …`.
const PHRASE_WORDS: usize = 3;
/// Longer words belong to no phrase.
const PHRASE_WORD: usize = 64;
/// How far back the beginning of a line is looked for.
const MAX_LEAD: usize = 120;
/// A value in braces, with such braces in it, is not longer.
const MAX_BRACED: usize = 256;
/// Words after "bearer" that are no credentials.
pub(super) const PROSE: &[&str] = &[
    "token",
    "tokens",
    "auth",
    "authentication",
    "authorization",
    "realm",
    "realm=\"",
    "of",
    "is",
    "was",
    "not",
    "or",
    "and",
    "in",
    "for",
    "the",
    "to",
    "with",
    "from",
    "scheme",
    "header",
    "credential",
    "credentials",
    "required",
    "missing",
    "invalid",
    "expired",
    "error",
    "must",
    "may",
    "format",
    "type",
    "prefix",
    "schemes",
    "only",
    "security",
];
/// Words after a field's name and a colon that are no value, but often have it behind them:
/// ``password: Path `password` (`x`) is shorter …``
const ECHOES: &[&str] = &[
    "path", "rejected", "value", "invalid", "must", "should", "is", "was", "the", "input", "field", "expected", "got",
];
/// So many blanks may stand between a name and its sign: tools align what they print.
const MAX_BLANKS: usize = 64;
/// A user name and password in a URL are looked for in so many bytes.
const MAX_USERINFO: usize = 2048;

/// URLs whose path is the secret.
const WEBHOOKS: &[&str] = &[
    "hooks.slack.com/services/",
    "hooks.slack.com/workflows/",
    "hooks.slack.com/triggers/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
];
/// The prefix of an element's name (`ns:password`) is looked for in so many bytes.
const MAX_PREFIX: usize = 64;
/// A longer name is no element's: what follows it is masked to the end.
const MAX_ELEMENT: usize = 256;

/// Percent-encoding in percent-encoding is undone so often.
const MAX_ENCODED: u8 = 2;
/// So far before a literal the words are looked at that may make it a secret, and before a digit the number's beginning.
const MAX_BEFORE: usize = 192;
const MAX_NUMBER: usize = 48;
/// Quotes, brackets and blanks between a name and its sign; more of them are looked at one by one.
const MAX_GAP: usize = 64;

/// Masks secrets in text; `None` when there are none.
pub(super) fn mask(rules: &Rules, text: &str, place: Place) -> Option<(String, u32)> {
    mask_encoded(rules, text, place, MAX_ENCODED)
}

/// `encoded`: how often percent-encoded words are still looked into.
fn mask_encoded(rules: &Rules, text: &str, place: Place, encoded: u8) -> Option<(String, u32)> {
    // Longer text is no content of anything here; positions have 32 bits.
    if u32::try_from(text.len()).is_err() {
        return Some((PLACEHOLDER.to_owned(), 1));
    }
    let mut signs = Signs::new(text.as_bytes());
    let told = commands::statement(text.as_bytes());
    let first = next_sign(rules, text, &mut signs, 0);
    if first.is_none() && told.is_none() {
        return None;
    }
    let mut scan = Scan::new(rules, text, place, encoded);
    scan.ahead.extend(told);
    scan.run(&mut signs, first);
    scan.finish()
}

/// The same for what is left of markup: elements were seen to, and a value ends where a tag begins.
pub(super) fn mask_between_tags(rules: &Rules, text: &str) -> Option<(String, u32)> {
    let mut signs = Signs::new(text.as_bytes());
    let first = next_sign(rules, text, &mut signs, 0)?;
    let mut scan = Scan { markup: true, ..Scan::new(rules, text, Place::Field, MAX_ENCODED) };
    scan.run(&mut signs, Some(first));
    scan.finish()
}

/// As [`mask`], word for word: what the signs must not miss anything of.
#[cfg(test)]
pub(super) fn mask_everywhere(rules: &Rules, text: &str) -> Option<(String, u32)> {
    let mut scan = Scan::new(rules, text, Place::Field, MAX_ENCODED);
    scan.ahead.extend(commands::statement(text.as_bytes()));
    let mut at = 0;
    while at < text.len() {
        at = scan.step(at);
    }
    scan.finish()
}

/// The next place at or after `from` where there may be a secret.
fn next_sign(rules: &Rules, text: &str, signs: &mut Signs<'_>, from: usize) -> Option<usize> {
    loop {
        let at = signs.next();
        if at >= text.len() {
            return None;
        }
        // A run of digits has one sign, and may hold more than one number.
        let digits = text.as_bytes().get(at..from).unwrap_or(&[]);
        let goes_on = text.as_bytes().get(from).is_some_and(|b| is_digit_or_gap(*b));
        if goes_on && !digits.is_empty() && digits.iter().all(|b| is_digit_or_gap(*b)) {
            return Some(from);
        }
        // A table's names may lie in what was masked, and its rows not.
        let names = text.as_bytes().get(at) == Some(&b'|');
        if (at >= from || names) && hints::shows(rules, text.as_bytes(), 0, at) {
            return Some(at);
        }
    }
}

/// The beginning of text whose end is unknown: what may be an unfinished token is left out.
pub(super) fn without_last_token(text: &str) -> &str {
    let end = text.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(i, c)| i + c.len_utf8());
    // A card number may be written in groups: `4111 1111 …` is not finished at a space.
    let kept = text.get(..end).unwrap_or("");
    kept.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ' || c == '-')
}

pub(super) struct Scan<'a> {
    pub(super) rules: &'a Rules,
    pub(super) src: &'a str,
    pub(super) bytes: &'a [u8],
    place: Place,
    encoded: u8,
    /// Percent-encoded words up to here were looked into.
    decoded_to: usize,
    /// The text has tags in it that were seen to.
    markup: bool,
    /// It has no end of an element in it, as far as that was asked.
    plain: std::cell::OnceCell<bool>,
    out: String,
    pub(super) copied: usize,
    /// Where the last piece begins that was replaced; it ends at `copied`.
    pub(super) masked: usize,
    count: u32,
    words: Words,
    /// What was found to be secret ahead of the scan, in order. What lies between is still looked at.
    ahead: VecDeque<(usize, usize)>,
    /// Rows of SQL and of tables up to here were seen to.
    pub(super) rows_to: usize,
    pub(super) table_to: usize,
    /// Echoed values were looked for up to here.
    pub(super) echoed_to: usize,
    /// How far sensitive names of SQL were looked for, and where the last one is.
    pub(super) statement: (usize, usize),
    /// Where the last `?` is that was met there.
    pub(super) question: usize,
    pub(super) behind: sql::Behind,
    /// Values of statements were looked for up to here.
    pub(super) bound_to: usize,
    /// The word that a URL was last seen in: its end, and where its last `@` is (0: none).
    word: (usize, usize),
    /// From where a line was last looked at, and its end: a long line full of names must not be walked again for each.
    line: (usize, usize),
}

/// Does a byte belong to a number in groups?
fn is_digit_or_gap(b: u8) -> bool {
    b.is_ascii_digit() || matches!(b, b' ' | b'-')
}

/// Does a byte belong to an element's name?
fn is_word(b: u8) -> bool {
    is_token(b) || b == b':'
}

/// Does a byte belong to a token?
#[inline(always)]
pub(super) fn is_token(b: u8) -> bool {
    kind(b) != 0
}

/// What a byte of a token is; 0 for others.
#[inline(always)]
pub(super) fn kind(b: u8) -> u8 {
    KINDS.get(usize::from(b)).copied().unwrap_or(0)
}

/// A letter or `_`; another script's, or `%`. (All else is digits, dots and dashes.)
pub(super) const LETTER: u8 = 1;
pub(super) const ODD: u8 = 2;
const OTHER: u8 = 4;

static KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut b = 0;
    while b < 256 {
        kinds[b] = match b as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => LETTER,
            b'%' | 0x80.. => ODD,
            b'0'..=b'9' | b'-' | b'.' => OTHER,
            _ => 0,
        };
        b += 1;
    }
    kinds
};

impl<'a> Scan<'a> {
    fn new(rules: &'a Rules, text: &'a str, place: Place, encoded: u8) -> Self {
        Scan {
            rules,
            src: text,
            bytes: text.as_bytes(),
            place,
            encoded,
            decoded_to: 0,
            markup: false,
            plain: std::cell::OnceCell::new(),
            out: String::new(),
            copied: 0,
            masked: 0,
            count: 0,
            words: Words::default(),
            ahead: VecDeque::new(),
            rows_to: 0,
            table_to: 0,
            echoed_to: 0,
            statement: (0, 0),
            question: 0,
            behind: sql::Behind::default(),
            bound_to: 0,
            word: (0, 0),
            line: (0, 0),
        }
    }

    /// Looks at the words around each sign of a secret.
    fn run(&mut self, signs: &mut Signs<'_>, first: Option<usize>) {
        let mut sign = first;
        let mut at = 0;
        let mut gaps: Vec<(usize, usize)> = Vec::new();
        while let Some(here) = sign {
            if here < at {
                self.find_table(here);
                sign = next_sign(self.rules, self.src, signs, at);
                continue;
            }
            // A literal may belong to words that the pass has gone past, since nothing showed there.
            if let Some(far) = self.reach(here) {
                let near = self.word_start(here.saturating_sub(far).max(self.copied).min(here), self.copied);
                for (start, end) in gaps.drain(..) {
                    let mut back = start.max(near).max(self.copied);
                    self.word = (0, 0);
                    while back < end {
                        back = self.step(back);
                    }
                    at = at.max(back);
                }
            }
            let begin = self.before(here, at);
            if begin > at {
                gaps.retain(|(_, end)| end + MAX_BEFORE > here);
                gaps.push((at, begin));
            }
            at = begin;
            self.catch_rows(here);
            // The name of an element, of a pair or of a keyword stands after its sign.
            let name = match self.bytes.get(here) {
                Some(b'<') => self.bytes.iter().skip(here + 1).take(MAX_ELEMENT).take_while(|b| is_word(**b)).count(),
                Some(b'0'..=b'9' | b' ' | b'-') => {
                    self.bytes.iter().skip(here + 1).take_while(|b| is_digit_or_gap(**b)).count()
                }
                Some(b':' | b'"' | b'(') => usize::from(self.bytes.get(here + 1).is_some_and(|b| is_token(*b))),
                _ => 0,
            };
            while at <= here + name {
                at = self.step(at);
            }
            sign = next_sign(self.rules, self.src, signs, at);
        }
    }

    /// How far before this sign the words are looked at, when it is not only the one beside it.
    fn reach(&self, sign: usize) -> Option<usize> {
        match self.bytes.get(sign)? {
            b'\'' | b'"' | b'$' | b'(' => Some(MAX_BEFORE),
            b'0'..=b'9' | b' ' | b'-' => Some(MAX_NUMBER),
            _ => None,
        }
    }

    /// Where to begin for a sign: at the word that it belongs to, or that may make a secret of what follows it. The words before
    /// `from` were looked at.
    fn before(&self, sign: usize, from: usize) -> usize {
        match (self.bytes.get(sign), self.reach(sign)) {
            (_, Some(far)) => self.word_start(sign.saturating_sub(far).max(from).min(sign), from),
            (Some(b':' | b'='), _) => self.name_start(sign, from),
            (Some(b'<' | b'@' | b'|'), _) => sign,
            _ => self.word_start(sign, from),
        }
        .max(from)
    }

    /// Where the word begins that goes on or ends at a place.
    pub(super) fn word_start(&self, at: usize, from: usize) -> usize {
        let lead = self.bytes.get(from..at).unwrap_or(&[]);
        at - lead.iter().rev().take_while(|b| is_token(**b)).count()
    }

    /// Where the name before a sign begins: see [`Scan::separator`] for what may stand between.
    fn name_start(&self, sign: usize, from: usize) -> usize {
        let mut at = sign;
        for _ in 0..8 {
            let lead = self.bytes.get(from..at).unwrap_or(&[]);
            let gap = lead.iter().rev().take(MAX_GAP).take_while(|b| !is_token(**b)).count();
            if gap == MAX_GAP {
                return self.word_start(sign.saturating_sub(MAX_BEFORE).max(from), from);
            }
            at = self.word_start(at - gap, from);
            // `password[0]`, `password&quot;`, `password\u0022`.
            if !matches!(at.checked_sub(1).and_then(|i| self.bytes.get(i)), Some(b'[' | b'&' | b'#' | b'\\')) {
                break;
            }
        }
        at
    }

    fn step(&mut self, at: usize) -> usize {
        if self.ahead.front().is_some_and(|(start, _)| *start <= at) {
            return self.catch_up(at);
        }
        match self.bytes.get(at) {
            Some(b'-') if self.starts(at, "-----BEGIN ") => self.pem(at),
            Some(b':') if self.starts(at, "://") => self.authority(at + 3),
            // As some write it in JSON.
            Some(b':') if self.starts(at, ":\\/\\/") => self.authority(at + 5),
            Some(b'@') => self.user(at),
            Some(b'|') => self.table(at),
            Some(b'"') => self.echoed(at),
            Some(b) if is_token(*b) => self.token(at),
            _ => at + 1,
        }
    }

    /// Masks a piece when the scan comes to it.
    pub(super) fn later(&mut self, start: usize, end: usize) {
        let after = self.ahead.partition_point(|(before, _)| *before <= start);
        self.ahead.insert(after, (start, end));
    }

    /// Replaces what was found ahead of the scan, up to a place; returns where the scan goes on.
    fn catch_up(&mut self, mut at: usize) -> usize {
        while let Some((start, end)) = self.ahead.front().copied().filter(|(start, _)| *start <= at) {
            self.ahead.pop_front();
            at = at.max(self.replace(start.max(self.copied), end));
        }
        at
    }

    pub(super) fn starts(&self, at: usize, with: &str) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(with.as_bytes()))
    }

    fn finish(mut self) -> Option<(String, u32)> {
        self.catch_up(self.src.len());
        if self.count == 0 {
            return None;
        }
        self.out.push_str(self.src.get(self.copied..).unwrap_or(""));
        Some((self.out, self.count))
    }

    pub(super) fn at(&self, at: usize) -> &'a str {
        self.src.get(at..).unwrap_or("")
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.src.get(start..end).unwrap_or("")
    }

    /// Replaces a piece; returns its end, where the scan goes on.
    pub(super) fn replace(&mut self, start: usize, end: usize) -> usize {
        // What was found ahead of the scan and lies before.
        while let Some((before, until)) = self.ahead.pop_front() {
            if before >= start {
                self.ahead.push_front((before, until));
                break;
            }
            self.replace_one(before, until);
        }
        self.replace_one(start, end)
    }

    fn replace_one(&mut self, start: usize, end: usize) -> usize {
        let start = start.max(self.copied);
        if start < end && self.slice(start, end) != PLACEHOLDER {
            self.out.push_str(self.src.get(self.copied..start).unwrap_or(""));
            self.out.push_str(PLACEHOLDER);
            self.masked = start;
            self.copied = end;
            self.count += 1;
            if let (Some(log), MAX_ENCODED, false) = (&self.rules.log, self.encoded, self.markup) {
                log.piece(start, end);
            }
        }
        end
    }

    fn pem(&mut self, start: usize) -> usize {
        self.pem_from(start, start)
    }

    /// Masks the block that begins at a place, with what stands before it from `from`.
    fn pem_from(&mut self, from: usize, start: usize) -> usize {
        let rest = self.at(start);
        let end = match rest.find("-----END ") {
            Some(tail) => {
                let after = tail + "-----END ".len();
                let line = rest.get(after..).and_then(|r| r.find("-----")).map(|i| after + i + 5);
                line.map_or(self.src.len(), |i| start + i)
            }
            None => self.src.len(),
        };
        self.replace(from, end)
    }

    /// `scheme://user:password@host`: after the slashes.
    fn authority(&mut self, start: usize) -> usize {
        let src = self.src;
        let rest = src.get(start..).unwrap_or("");
        if let Some((path, _)) = WEBHOOKS.iter().find_map(|lead| rest.strip_prefix(lead).map(|path| (path, lead))) {
            // Whoever has the address may post.
            let secret = start + rest.len() - path.len();
            let len = path.bytes().take_while(|b| is_token(*b) || *b == b'/').count();
            return self.replace(secret, secret + len);
        }
        // The last `@` before the path counts: passwords hold `@` more often than hosts do. A password that holds
        // a `/` or `?` unescaped still lies before an `@` on the same word.
        let stops = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'<' | b'>');
        if start >= self.word.0 {
            let bytes = rest.as_bytes();
            let mut len = bytes.iter().take(MAX_USERINFO).position(stops).unwrap_or(bytes.len().min(MAX_USERINFO));
            while !rest.is_char_boundary(len) {
                len -= 1;
            }
            let at = bytes.get(..len).and_then(|word| word.iter().rposition(|b| *b == b'@'));
            self.word = (start + len, at.map_or(0, |i| start + i));
        }
        let (word_end, last_at) = self.word;
        let first = rest.as_bytes().iter().take(word_end - start);
        let end = first.clone().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(word_end - start);
        let plain = rest.as_bytes().get(..end).and_then(|a| a.iter().rposition(|b| *b == b'@'));
        let port =
            rest.as_bytes().get(..end).and_then(|a| a.iter().position(|b| *b == b':').and_then(|i| a.get(i + 1..)));
        // `user:` and what is no port number.
        let odd = port.is_some_and(|p| !p.is_empty() && !p.iter().all(u8::is_ascii_digit)) && !rest.starts_with('[');
        let found = match plain {
            Some(at) => Some(at),
            None if odd && last_at > start => Some(last_at - start),
            // `https://jo:pw`, broken off before the `@`.
            None if odd => Some(end),
            None => None,
        };
        match found {
            Some(at) if at > 0 => self.replace(start, start + at),
            _ => start,
        }
    }

    fn token(&mut self, start: usize) -> usize {
        let len = self.bytes.get(start..).unwrap_or(&[]).iter().take_while(|b| is_token(**b)).count();
        let end = start + len;
        let before = start.checked_sub(1).and_then(|i| self.bytes.get(i)).copied();
        // In text that was written with escapes, `\n` is none of the word.
        let escape = before == Some(b'\\') && matches!(self.bytes.get(start), Some(b'n' | b't' | b'r' | b'b' | b'f'));
        if let Some(end) = self.shape(start, end, escape) {
            return end;
        }
        // `x-----BEGIN KEY`: dashes are of a word.
        if let Some(dashes) =
            self.slice(start, end).strip_suffix("-----BEGIN").filter(|_| self.bytes.get(end) == Some(&b' '))
        {
            return self.pem(start + dashes.len());
        }
        if self.encoded > 0 {
            if let Some(end) = self.hidden(start, end) {
                return end;
            }
        }
        if !self.markup
            && matches!(before, Some(b'<' | b':'))
            && matches!(self.bytes.get(end), Some(b'>' | b'/' | b' ' | b'\t' | b'\n' | b'\r'))
        {
            if let Some(end) = self.element(start, end, before == Some(b'<')) {
                return end;
            }
        }
        if let Some(value) = self.scheme(start, end) {
            return value;
        }
        let option = start + usize::from(escape);
        if self.bytes.get(option) == Some(&b'-') {
            if let Some(value) = self.option(option, end) {
                return value;
            }
        }
        let Some((sep, after)) = self.separator(end) else {
            let found = self.tuple(start, end).or_else(|| self.sql(start, end));
            let found = found.or_else(|| self.identified(start, end)).or_else(|| self.bind(start, end));
            return found.or_else(|| self.keyword(start, end)).unwrap_or(end);
        };
        for name in [start, start + 1] {
            // (`\n` is no name.)
            if if name == start { !escape || end > start + 1 } else { escape } {
                if let Some(end) = self.pair(name, end, after) {
                    return end;
                }
                if self.names_secret(name, end, sep) {
                    return self.value(name, end, sep, after);
                }
            }
        }
        let found = self.parameters(start, end, after).or_else(|| self.serialized(start, end));
        found.or_else(|| self.set_password(sep, after)).or_else(|| self.share(start, end)).unwrap_or(end)
    }

    /// A secret that shows by its form, anywhere in a token: `order-4111…`, `x_eyJ…`.
    fn shape(&mut self, start: usize, end: usize, escape: bool) -> Option<usize> {
        let mut fresh = true;
        for at in start..end {
            let b = self.bytes.get(at).copied().unwrap_or(0);
            if fresh || (escape && at == start + 1) {
                let rest = self.bytes.get(at..).unwrap_or(&[]);
                let len = match b {
                    b'0'..=b'9' => shapes::card(rest).or_else(|| bot_token(rest)),
                    b'A'..=b'Z' | b'a'..=b'z' => shapes::iban(rest),
                    _ => None,
                };
                if let Some(len) = len {
                    return Some(self.replace(at, at + len));
                }
                if shapes::is_known(rest.get(..end - at).unwrap_or(&[])) {
                    // Base64 padding and the rest of an odd token go with it.
                    let tail = rest.iter().skip(end - at);
                    let tail = tail.take_while(|b| matches!(b, b'=' | b'/' | b'+') || is_token(**b)).count();
                    return Some(self.replace(at, end + tail));
                }
            }
            fresh = !b.is_ascii_alphanumeric() && b < 0x80;
        }
        None
    }

    /// `<password a="x">y</password>`: attributes and content of a sensitive element are masked. `None` when this is
    /// no such element.
    fn element(&mut self, start: usize, end: usize, opens: bool) -> Option<usize> {
        let mut open = start - 1;
        if !opens {
            // `<ns:password>`
            let prefix = self.bytes.get(..start - 1)?;
            let len = prefix.iter().rev().take(MAX_PREFIX).take_while(|b| is_token(**b)).count();
            if len == 0 || prefix.get(prefix.len().checked_sub(len + 1)?) != Some(&b'<') {
                return None;
            }
            open -= len + 1;
        }
        let name = self.src.get(start..end)?;
        if !self.bytes.get(open + 1).is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | 0x80..)) {
            return None;
        }
        if self.rules.fields.ask(name, Place::Field, &mut self.words) != Hit::Yes {
            return None;
        }
        if name.len() > MAX_ELEMENT {
            return Some(self.replace(end, self.src.len()));
        }
        let Some(close) = self.at(end).find('>').map(|i| end + i) else {
            return Some(self.replace(end, self.src.len()));
        };
        let empty = self.slice(end, close).ends_with('/');
        let attributes = close - usize::from(empty);
        if attributes > end {
            self.replace(end, attributes);
        }
        if empty {
            return Some(close);
        }
        if opens && !empty && attributes == end && self.is_placeholder(start - 1, close) {
            return Some(close);
        }
        // To the closing tag of this name, else to the end: children and CDATA go with it.
        let content = close + 1;
        let rest = self.at(content);
        let tail = rest
            .match_indices("</")
            .find(|(i, _)| {
                let tag = rest.as_bytes().get(i + 2..).unwrap_or(&[]);
                // Bounded: a run of `</` must not be walked to its end from each of them.
                let tag = tag.get(..name.len() + MAX_PREFIX + 2).unwrap_or(tag);
                let tag = tag.split(|b| *b == b'>' || b.is_ascii_whitespace()).next().unwrap_or(&[]);
                tag.rsplit(|b| *b == b':').next() == Some(name.as_bytes())
            })
            .map_or(self.src.len(), |(i, _)| content + i);
        Some(self.replace(content, tail))
    }

    /// Is this what a usage has in place of a value, `--password <password> --user <user>`, and not an element? It stands in a
    /// line by itself, in text that has no element.
    fn is_placeholder(&self, open: usize, close: usize) -> bool {
        let before = open.checked_sub(1).and_then(|i| self.bytes.get(i));
        let after = self.bytes.get(close + 1);
        // `Vec<Token>` is a type.
        before.is_some_and(|b| b.is_ascii_alphanumeric() || b" =:[(|'\"/".contains(b))
            && after.is_none_or(|b| b" \n\r])|'\",;:@/>({&".contains(b))
            && self.no_elements()
    }

    /// Has the text no sign of an element's end? Found out once.
    fn no_elements(&self) -> bool {
        *self.plain.get_or_init(|| !self.src.contains("</") && !self.src.contains("/>") && !self.src.contains("<?"))
    }

    /// A percent-encoded word that holds a secret when it is decoded: `?q=%7B%22token%22…`. Blanks may be `+`.
    fn hidden(&mut self, start: usize, end: usize) -> Option<usize> {
        if start < self.decoded_to || !self.slice(start, end).contains('%') {
            return None;
        }
        let rest = self.bytes.get(end..).unwrap_or(&[]);
        let end = end + rest.iter().take_while(|b| is_token(**b) || **b == b'+').count();
        let src = self.src;
        let word = src.get(start..end)?;
        // Once: a run of such words must not be decoded again from each of them.
        self.decoded_to = end;
        let decoded = percent::decode(word, true)?;
        let secret = decoded != word && mask_encoded(self.rules, &decoded, self.place, self.encoded - 1).is_some();
        secret.then(|| self.replace(start, end))
    }

    /// `Bearer abc`, `Basic abc=`: the value's end after masking it.
    fn scheme(&mut self, start: usize, end: usize) -> Option<usize> {
        let scheme = self.slice(start, end);
        let bearer = scheme.eq_ignore_ascii_case("bearer");
        let other = ["basic", "digest", "negotiate", "apikey", "token"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
        if !bearer && !other {
            return None;
        }
        let rest = self.at(end);
        let gap = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if gap == 0 {
            return None;
        }
        let quote = usize::from(matches!(self.bytes.get(end + gap), Some(b'\'' | b'`')));
        let value = end + gap + quote;
        let token: &str = self.at(value);
        let len = token.bytes().take_while(|b| is_token(*b) || matches!(b, b'+' | b'/' | b'=' | b'~' | b':')).count();
        let token = self.slice(value, value + len);
        let trimmed = token.trim_end_matches([':', '.']);
        if trimmed.is_empty() || trimmed.starts_with(['=', ':']) {
            return None;
        }
        // `Bearer token required`, `the bearer of this letter`.
        if bearer && PROSE.iter().any(|word| trimmed.trim_end_matches('=').eq_ignore_ascii_case(word)) {
            return None;
        }
        // `Digest username="a", response="x"`
        if scheme.eq_ignore_ascii_case("digest") && token.ends_with('=') && self.bytes.get(value + len) == Some(&b'"') {
            let end = self.line_end(value);
            return Some(self.replace(value, end));
        }
        // `basic information` is prose; a credential has a digit, padding, or a capital inside.
        let credential = bearer
            || (trimmed.len() >= 6
                // (`token event=login` has a name in it.)
                && trimmed.trim_end_matches('=').split_once('=').is_none_or(|(name, _)| name.len() >= shapes::MIN_SECRET)
                && (trimmed.bytes().any(|b| b.is_ascii_digit() || b == b'=')
                    || trimmed.bytes().skip(1).any(|b| b.is_ascii_uppercase())));
        if !credential {
            return None;
        }
        Some(self.replace(value, value + len))
    }

    /// What stands between a name and its value: the sign, and where the value (with its blanks) begins.
    pub(super) fn separator(&self, end: usize) -> Option<(u8, usize)> {
        let mut at = end;
        // The name's closing quote (also escaped), brackets of `a[password]`, blanks.
        let mut blanks = 0;
        while let Some(b) = self.bytes.get(at) {
            match b {
                // `password[0]`
                b'[' if at == end => {
                    let rest = self.bytes.get(at + 1..).unwrap_or(&[]);
                    let len = rest.iter().take(MAX_PREFIX).take_while(|b| is_token(**b)).count();
                    if rest.get(len) != Some(&b']') {
                        break;
                    }
                    at += len + 2;
                }
                b'&' | b'\\' if self.written_quote(at).is_some() => at += self.written_quote(at).map_or(1, str::len),
                // `Key (api_token)=(x)`, `Key (lower(email::text))=(x)`
                b')' if matches!(self.bytes.get(at + 1), Some(b'=' | b')')) => at += 1,
                b'"' | b'\'' | b'\\' | b']' | b'`' => at += 1,
                b' ' | b'\t' if blanks < MAX_BLANKS => {
                    blanks += 1;
                    at += 1;
                }
                _ => break,
            }
        }
        match self.bytes.get(at)? {
            b'=' => {
                // `=>` and `==` too.
                let more = usize::from(matches!(self.bytes.get(at + 1), Some(b'>' | b'=')));
                Some((b'=', at + 1 + more))
            }
            b':' => {
                let next = self.bytes.get(at + 1);
                // What LDIF has in base64.
                if next == Some(&b':') && matches!(self.bytes.get(at + 2), Some(b' ' | b'\t')) {
                    return Some((b':', at + 2));
                }
                // `scheme://`, and paths of C++ and Rust.
                if (next == Some(&b'/') && self.bytes.get(at + 2) == Some(&b'/')) || next == Some(&b':') {
                    return None;
                }
                let more = usize::from(matches!(next, Some(b'=')));
                Some((b':', at + 1 + more))
            }
            _ => None,
        }
    }

    /// A quote as another format writes it.
    pub(super) fn written_quote(&self, at: usize) -> Option<&'static str> {
        const FORMS: &[&str] =
            &["&quot;", "&#34;", "&#39;", "&apos;", "&#x22;", "&#x27;", "&#X22;", "&#X27;", "\\u0022", "\\u0027"];
        FORMS.iter().copied().find(|form| self.starts(at, form))
    }

    fn names_secret(&mut self, start: usize, end: usize, sep: u8) -> bool {
        // In a URL the names of parameters count.
        let before = start.checked_sub(1).and_then(|i| self.bytes.get(i));
        // In a form as well, which has more than one of them.
        let form = sep == b'=' && before.is_none_or(u8::is_ascii_whitespace) && {
            let rest = self.bytes.get(end..).unwrap_or(&[]).iter().take(MAX_LEAD);
            rest.take_while(|b| !b.is_ascii_whitespace()).any(|b| *b == b'&')
        };
        let param = form || matches!(before, Some(b'?' | b'&' | b'#'));
        let place = if param { Place::Param } else { self.place };
        let name = self.src.get(start..end).unwrap_or("");
        // `TokenService.java:42` and `TokenExpiredError: …` are what stack traces are made of.
        if sep == b':' && (is_source_line(name, self.at(end)) || is_error_type(name)) {
            return false;
        }
        if sep == b':' && is_time(name.as_bytes(), self.bytes.get(end + 1).copied().unwrap_or(0)) {
            return false;
        }
        // Ratios and times: `10:30`.
        if name.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') {
            return false;
        }
        match self.rules.fields.answer(name.as_bytes()).hit(place) {
            Hit::Yes => return true,
            Hit::Key if sep == b'=' => return true,
            _ => {}
        }
        if self.is_named_above(start, end, sep) || self.is_listed(end, sep) {
            return true;
        }
        // `credit card number:` is a phrase.
        let mut first = start;
        (1..PHRASE_WORDS).any(|_| {
            let lead = self.bytes.get(self.copied..first).unwrap_or(&[]);
            let [words @ .., b' '] = lead else { return false };
            let len = words.iter().rev().take(PHRASE_WORD + 1).take_while(|b| is_token(**b)).count();
            if len == 0 || len > PHRASE_WORD {
                first = 0;
                return false;
            }
            first -= len + 1;
            let phrase = self.src.get(first..end).unwrap_or("");
            self.rules.fields.may_end(phrase.as_bytes())
                && self.rules.fields.ask_phrase(phrase, &mut self.words) == Hit::Yes
        })
    }

    /// The end of the line that `from` is on. The scan goes forward, or back by a little, so the last answer mostly holds.
    pub(super) fn line_end(&mut self, from: usize) -> usize {
        let (seen, end) = self.line;
        let breaks = |b: &u8| matches!(b, b'\n' | b'\r');
        if from >= end {
            self.line = (from, self.at(from).find(['\n', '\r']).map_or(self.src.len(), |i| from + i));
        } else if let Some(i) = self.bytes.get(from..seen).and_then(|back| back.iter().position(breaks)) {
            return from + i;
        }
        self.line.1
    }

    /// Is what stands in quotes for a value itself a sensitive name that has one? (A quote without its end was before it.)
    pub(super) fn is_name_too(&self, inside: usize, end: usize) -> bool {
        let mut rest = self.bytes.get(end..).unwrap_or(&[]).iter().take(MAX_BLANKS);
        let sign = rest.find(|b| !matches!(b, b'"' | b'\'' | b'`' | b'\\' | b' ' | b'\t'));
        matches!(sign, Some(b':' | b'='))
            && end - inside <= PHRASE_WORD
            && self.rules.fields.answer(self.slice(inside, end).as_bytes()).hit(Place::Param) != Hit::No
    }

    /// Masks the value of a sensitive name; returns where the scan goes on.
    pub(super) fn value(&mut self, name: usize, name_end: usize, sep: u8, after: usize) -> usize {
        let blanks = self.at(after).bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
        let start = after + blanks;
        if self.starts(start, "-----BEGIN ") {
            return self.pem(start);
        }
        if let Some(end) = self.block_below(name, after, start) {
            return self.replace(start, end);
        }
        if let Some(form) = self.written_quote(start).or_else(|| self.doubled_quote(start)) {
            let inside = start + form.len();
            let end = self.at(inside).find(form).map_or(self.src.len(), |i| inside + i);
            return self.replace(inside, end).max(inside);
        }
        // `N'…'` and `E'…'` of SQL, `b"…"` and `rb'…'` of Python.
        let letters = self.at(start).bytes().take(3).take_while(u8::is_ascii_alphabetic).count();
        let quoted = letters < 3 && matches!(self.bytes.get(start + letters), Some(b'\'' | b'"'));
        let start = if quoted { start + letters } else { start };
        let slashes = self.at(start).bytes().take_while(|b| *b == b'\\').count();
        let quote = self.bytes.get(start + slashes).copied();
        if let Some(q @ (b'"' | b'\'' | b'`')) = quote {
            let inside = start + slashes + 1;
            let end = self.closing(inside, q, slashes, self.src.len());
            if self.is_name_too(inside, end) {
                return inside;
            }
            return self.replace(inside, end).max(inside);
        }
        if quote == Some(b'(') {
            let end = self.line_end(start);
            let end = self.wrapped(start, end);
            return self.replace(start, end);
        }
        if matches!(quote, Some(b'{' | b'[')) {
            let end = self.behind_bracket(self.closing_bracket(start));
            let end = end.max(self.doubled_brace(name, start).unwrap_or(end));
            return self.replace(start, end);
        }
        // `["password"]=> string(7) "x"` of PHP's var_dump.
        if let Some(rest) = self.at(start).strip_prefix("string(") {
            let digits = rest.bytes().take(MAX_ELEMENT).take_while(u8::is_ascii_digit).count();
            if rest.get(digits..).is_some_and(|rest| rest.starts_with(") \"")) {
                let inside = start + "string(".len() + digits + ") \"".len();
                let end = self.closing(inside, b'"', 0, self.src.len());
                return self.replace(inside, end).max(inside);
            }
        }
        let mut line = self.line_end(start);
        if self.markup {
            line = self.slice(start, line).find('<').map_or(line, |i| start + i);
        }
        let blank = after > name_end + 1 || blanks > 0;
        let header = sep == b':' && is_header(self.slice(name, name_end));
        let rest = self.slice(start, line).trim_end();
        // Bounded: a long line of such values must not be walked to its end for each.
        let near = rest.char_indices().nth(8).map_or(rest, |(i, _)| rest.get(..i).unwrap_or(""));
        let first = near.split_whitespace().next().unwrap_or("");
        // What stands for a value in SQL, and `Unexpected token: }`.
        let stands_for = matches!(first.trim_end_matches([',', ';', ')']), "?" | "%s")
            || first.strip_prefix('$').is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()) && n.len() < 4);
        let sign = |b: u8| !b.is_ascii_alphanumeric() && b < 0x80 && b != b'|' && b != b'>';
        // `--password=<password>` of a usage.
        let usage =
            near_word(rest).is_some_and(|word| self.rules.fields.answer(word.as_bytes()).hit(Place::Field) != Hit::No);
        if sep == b'=' && (stands_for || first.starts_with([':', '@', '%'])) {
            self.bound(start);
        }
        if stands_for || usage || (rest.len() <= 2 && rest.bytes().all(sign)) {
            return start;
        }
        let end = if header {
            // Whatever the scheme and however many words: to the end of the line, or of the quotes around it.
            let before = name.checked_sub(1).and_then(|i| self.bytes.get(i)).copied();
            match before {
                Some(q @ (b'"' | b'\'' | b'`')) => {
                    let lead = self.bytes.get(..name - 1).unwrap_or(&[]);
                    let slashes = lead.iter().rev().take(MAX_PREFIX).take_while(|b| **b == b'\\').count();
                    self.closing(start, q, slashes, line)
                }
                _ => line,
            }
        } else if self.starts_line(name) && (sep == b':' || blank) {
            // A header or a line of a settings file: the value is the rest of the line, and what YAML puts below it.
            self.block(name, start, line)
        } else {
            let word = |at: usize| {
                let rest = self.slice(at, line);
                let len = rest.char_indices().find(|(i, c)| {
                    c.is_whitespace()
                        || matches!(c, '&' | '"' | '\'')
                        || (*c == ';' && sep == b'=' && next_is_pair(rest.get(i + 1..).unwrap_or("")))
                        || (*c == ',' && rest.get(i + 1..).is_none_or(|r| r.is_empty() || r.starts_with(' ')))
                });
                at + len.map_or(rest.len(), |(i, _)| i)
            };
            let mut end = word(start);
            // `Authorization: Bearer abc` has the secret in the second word.
            let first = self.slice(start, end);
            let schemes = ["bearer", "basic", "digest", "negotiate", "ntlm", "token", "apikey", "aws4-hmac-sha256"];
            if schemes.iter().any(|s| first.eq_ignore_ascii_case(s)) {
                let gap = self.slice(end, line).bytes().take_while(|b| *b == b' ').count();
                end = word(end + gap);
            }
            // `Some("x")`, `crypt('x', y)`, `<<"x">>`: what is around the value belongs to it.
            if matches!(self.bytes.get(end.wrapping_sub(1)), Some(b'(' | b'<')) && end > start {
                end = self.wrapped(end - 1, line);
            }
            // What looks like the next name belongs to the value; and on a line of its own there may be more of it.
            let first = self.slice(start, end);
            let named = first.ends_with([':', '='])
                || self.separator(end).is_some()
                || (sep == b':' && ECHOES.iter().any(|word| first.eq_ignore_ascii_case(word)));
            let below = self.slice(after, start).contains(['\n', '\r']);
            if named || below {
                end = line;
            }
            end
        };
        // The block that begins in it goes with it.
        if self.slice(start, end).ends_with("-----BEGIN") && self.bytes.get(end) == Some(&b' ') {
            return self.pem_from(start, end - "-----BEGIN".len());
        }
        self.replace(start, end)
    }

    /// The end of `{a}}b}` in a connection string, where a brace that is doubled stands for itself.
    fn doubled_brace(&self, name: usize, start: usize) -> Option<usize> {
        // In other text it is the end of what is around the value.
        let before = name.checked_sub(1).and_then(|i| self.bytes.get(i));
        let member = matches!(before, None | Some(b';' | b'"' | b'\''));
        let rest = self.bytes.get(start..self.src.len().min(start + MAX_BRACED))?;
        let mut at = 1;
        let mut doubled = false;
        loop {
            let close = at + rest.get(at..)?.iter().position(|b| matches!(b, b'}' | b'\n'))?;
            if rest.get(close) == Some(&b'\n') {
                return None;
            }
            at = close + 1;
            if rest.get(at) != Some(&b'}') {
                break;
            }
            doubled = true;
            at += 1;
        }
        let member = member || rest.get(at) == Some(&b';');
        (doubled && member && rest.first() == Some(&b'{')).then_some(start + at)
    }

    /// What belongs to a value whose bracket is closed: `{SSHA}x` of LDAP.
    fn behind_bracket(&self, end: usize) -> usize {
        let rest = self.bytes.get(end..).unwrap_or(&[]);
        end + rest.iter().take_while(|b| is_token(**b) || matches!(b, b'+' | b'/' | b'=' | b'$' | b'*' | b'~')).count()
    }

    /// `""` before a value that is quoted so since it stands in quotes: `"{""password"": ""x""}"`.
    fn doubled_quote(&self, at: usize) -> Option<&'static str> {
        let next = self.bytes.get(at + 2);
        let goes_on =
            next.is_some_and(|b| !b.is_ascii_whitespace() && !matches!(b, b',' | b'}' | b']' | b')' | b';' | b'"'));
        (goes_on && self.starts(at, "\"\"")).then_some("\"\"")
    }

    /// `user:password@host` without a scheme: at the `@`. Only where a host or a network follows, so that other uses of the
    /// two signs are left.
    fn user(&mut self, at: usize) -> usize {
        let lead = self.bytes.get(at.saturating_sub(MAX_USERINFO).max(self.copied)..at).unwrap_or(&[]);
        let stops = |b: &u8| {
            b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'=' | b',' | b';' | b'(' | b'@')
        };
        let len = lead.iter().rev().take_while(|b| !stops(b)).count();
        let word = lead.get(lead.len() - len..).unwrap_or(&[]);
        let begin = at - len;
        // After a scheme it was looked at already.
        if word.windows(3).any(|sign| sign == b"://") {
            return at + 1;
        }
        let host = self.bytes.get(at + 1..).unwrap_or(&[]);
        let name = host.iter().take_while(|b| is_token(**b)).count();
        // Without a port or a path it is a host if the password looks like one.
        let odd = |b: &u8| b.is_ascii_digit() || b.is_ascii_uppercase();
        let host = host.first().is_none_or(u8::is_ascii_alphanumeric)
            && match host.get(name) {
                Some(b'(' | b'/') => true,
                Some(b':') => host.get(name + 1).is_none_or(u8::is_ascii_digit),
                // Broken off before the host.
                None if name == 0 => word.first().is_some_and(u8::is_ascii_alphabetic),
                _ => {
                    word.first().is_some_and(u8::is_ascii_alphabetic)
                        && word.iter().skip_while(|b| **b != b':').skip(2).any(odd)
                        && host.first().is_some_and(u8::is_ascii_alphabetic)
                }
            };
        let relative = word.strip_prefix(b"//");
        let oracle = word.windows(5).position(|w| w == b"thin:").map(|i| i + 5);
        let user = relative.map_or(word, |rest| rest);
        let plain = |part: &[u8]| !part.is_empty() && part.iter().all(|b| is_token(*b) || *b == b'+');
        let colon = user.iter().position(|b| *b == b':').filter(|i| user.get(..*i).is_some_and(plain));
        let address = user.starts_with(b"mailto:") || user.starts_with(b"sip:") || user.starts_with(b"git:");
        let start = match (oracle, colon) {
            (Some(start), _) => begin + start,
            // `sqlplus jo/x@place`
            (None, None) if commands::is_slash(self.bytes, begin) => match user.iter().position(|b| *b == b'/') {
                Some(slash) if slash > 0 => begin + slash + 1,
                _ => return at + 1,
            },
            (None, Some(colon)) if (host || relative.is_some()) && colon + 1 < user.len() && !address => {
                at - user.len()
            }
            _ => return at + 1,
        };
        self.replace(start, at);
        at + 1
    }

    /// The end of a value that ends with its line, or with the lines below it that are indented more than its name:
    /// `password: |`, and those of LDIF that go on with a blank.
    fn block(&self, name: usize, start: usize, line: usize) -> usize {
        let folded = self.bytes.get(..start).is_some_and(|lead| lead.trim_ascii_end().ends_with(b"::"));
        if folded {
            return self.lines_below(line, |indent, _| indent == 1);
        }
        if !matches!(self.bytes.get(start), Some(b'|' | b'>')) || line - start > 4 {
            return line;
        }
        let own = self.indent_of(name);
        self.lines_below(line, |indent, _| indent > own)
    }

    /// The end of what YAML puts below a name: a list or more names. `start` is where the first of it stands.
    fn block_below(&self, name: usize, after: usize, start: usize) -> Option<usize> {
        let above = self.slice(after, start);
        let line = above.rfind(['\n', '\r']).map(|i| after + i + 1)?;
        let rest = self.bytes.get(start..)?;
        let word = rest.iter().take(MAX_ELEMENT).take_while(|b| is_token(**b) || matches!(b, b'"' | b'\'')).count();
        let list = rest.starts_with(b"- ") || rest.starts_with(b"-\n");
        let map = word > 0 && rest.get(word) == Some(&b':') && rest.get(word + 1).is_none_or(u8::is_ascii_whitespace);
        let own = self.indent_of(name);
        if !(list || map) || start - line < own + usize::from(!list) || !self.starts_line(name) {
            return None;
        }
        let first = self.at(start).find(['\n', '\r']).map_or(self.src.len(), |i| start + i);
        Some(self.lines_below(first, |indent, rest| indent > own || (list && indent == own && rest.starts_with(b"-"))))
    }

    /// The end of the lines below that belong to one, told by how far they are indented and what they begin with.
    fn lines_below(&self, line: usize, belongs: impl Fn(usize, &[u8]) -> bool) -> usize {
        let mut end = line;
        while let Some(next) = self.at(end).find(|c| c != '\n' && c != '\r').map(|i| end + i) {
            let rest = self.bytes.get(next..).unwrap_or(&[]);
            let indent = rest.iter().take_while(|b| **b == b' ').count();
            if !belongs(indent, rest.get(indent..).unwrap_or(&[])) {
                break;
            }
            end = self.at(next).find(['\n', '\r']).map_or(self.src.len(), |i| next + i);
        }
        end
    }

    /// How far the line is indented that a name begins; the dash of a list counts.
    fn indent_of(&self, name: usize) -> usize {
        let window = self.bytes.get(name.saturating_sub(MAX_LEAD)..name).unwrap_or(&[]);
        let line = window.iter().rposition(|b| matches!(b, b'\n' | b'\r')).map_or(0, |i| i + 1);
        window.iter().skip(line).take_while(|b| matches!(b, b' ' | b'-')).count()
    }

    /// Does only what may begin a line stand before this name on its line?
    pub(super) fn starts_line(&self, name: usize) -> bool {
        // Bounded: a long line full of names must not be walked again for each.
        let window = self.bytes.get(name.saturating_sub(MAX_LEAD)..name).unwrap_or(&[]);
        let lead = match window.iter().rposition(|b| matches!(b, b'\n' | b'\r')) {
            Some(i) => window.get(i + 1..).unwrap_or(&[]),
            None if name > MAX_LEAD => return false,
            None => window,
        };
        // Words of the same phrase count as the name.
        lead.iter()
            .skip_while(|b| b" \t-*><#\"'+".contains(b))
            .all(|b| b.is_ascii_alphanumeric() || b" _-.".contains(b))
    }

    /// The end of what a bracket opens, on this line.
    pub(super) fn wrapped(&self, open: usize, line: usize) -> usize {
        let mut depth = 0usize;
        let mut quote = None;
        for (at, b) in self.bytes.iter().enumerate().take(line).skip(open) {
            match (quote, b) {
                (Some(q), b) if b == q => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'' | b'`') => quote = Some(b),
                (None, b'(' | b'<') => depth += 1,
                (None, b')' | b'>') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        // `>>`
                        return at + 1 + usize::from(*b == b'>' && self.bytes.get(at + 1) == Some(&b'>'));
                    }
                }
                _ => {}
            }
        }
        line
    }

    /// The closing quote that is escaped as deep as the opening one was; the limit without one.
    pub(super) fn closing(&self, inside: usize, quote: u8, slashes: usize, limit: usize) -> usize {
        let mut at = inside;
        let mut run = 0;
        while let Some(b) = self.bytes.get(at).filter(|_| at < limit) {
            if *b == b'\\' {
                run += 1;
            } else {
                // Unescaped: fewer backslashes than an escaped quote of this depth has, or an even run.
                if *b == quote && (run == slashes || (slashes == 0 && run % 2 == 0) || run < slashes) {
                    // Doubled, it stands for itself (SQL, CSV, YAML).
                    if slashes > 0 || self.bytes.get(at + 1) != Some(&quote) {
                        return at - run.min(slashes);
                    }
                    at += 1;
                }
                run = 0;
            }
            at += 1;
        }
        limit
    }

    /// The end of `{…}` or `[…]`, strings left out of the count; the end of the text when it never closes.
    pub(super) fn closing_bracket(&self, start: usize) -> usize {
        let mut depth = 0usize;
        let mut quoted = false;
        let mut at = start;
        while let Some(b) = self.bytes.get(at) {
            match b {
                b'\\' if quoted => at += 1,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => depth += 1,
                b'}' | b']' if !quoted => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return at + 1;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        self.src.len()
    }
}

/// The word in `<password>`, with nothing right behind it that a value could go on with.
fn near_word(text: &str) -> Option<&str> {
    let (word, rest) = text.strip_prefix('<')?.split_once('>').filter(|(word, _)| word.len() <= MAX_PREFIX)?;
    let ends = rest.bytes().next().is_none_or(|b| matches!(b, b' ' | b']' | b')' | b'|'));
    (ends && !word.is_empty() && word.bytes().all(is_token)).then_some(word)
}

/// The length of a bot's token as Telegram has it: `123456789:AA…`
fn bot_token(bytes: &[u8]) -> Option<usize> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = bytes.get(digits..)?.strip_prefix(b":AA")?;
    let len = rest.iter().take_while(|b| is_token(**b)).count();
    ((8..=10).contains(&digits) && len >= 32).then_some(digits + 3 + len)
}

/// The name of a header whose value is secret as a whole; also written together with an option: `-HCookie`.
fn is_header(name: &str) -> bool {
    ["authorization", "cookie", "cookie2"].iter().any(|header| {
        let tail = name.len().checked_sub(header.len()).and_then(|i| name.get(i..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(header))
    })
}

/// A file of source code and what follows a line number's colon.
fn is_source_line(name: &str, rest: &str) -> bool {
    const SOURCES: &[&str] = &[
        "java", "kt", "scala", "py", "rb", "rs", "go", "js", "mjs", "cjs", "jsx", "ts", "tsx", "c", "cc", "cpp", "cxx",
        "h", "hpp", "cs", "fs", "php", "swift", "ex", "exs", "erl", "vue", "lua", "pl",
    ];
    let number = rest.strip_prefix(':').unwrap_or("");
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let ends = number.as_bytes().get(digits).is_none_or(|b| !is_token(*b));
    (1..=6).contains(&digits) && ends && name.rsplit_once('.').is_some_and(|(_, kind)| SOURCES.contains(&kind))
}

fn is_error_type(name: &str) -> bool {
    name.ends_with("Error") || name.ends_with("Exception") || name.ends_with("Warning")
}

/// After a `;`: the end, a blank, or another `name=`? If not, the `;` belongs to the value.
fn next_is_pair(rest: &str) -> bool {
    match rest.bytes().find(|b| !is_token(*b)) {
        None => rest.is_empty(),
        Some(b) => b == b'=' || rest.starts_with([' ', ';']),
    }
}

/// Is this the hour or minute of a time: `T10` with `:30` after it?
pub(super) fn is_time(before: &[u8], next: u8) -> bool {
    matches!(before, [.., b'T' | b':' | b' ', b'0'..=b'9', b'0'..=b'9']) && next.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        mask(&Rules::default(), text, Place::Field).map_or_else(|| text.to_owned(), |(clean, _)| clean)
    }

    #[test]
    fn values_after_sensitive_names_are_masked() {
        for (text, out) in [
            ("password=hunter2 next", "password=***MASKED*** next"),
            ("x password: hunter2 next", "x password: ***MASKED***"),
            ("login failed (password=hunter2) for jo", "login failed (password=***MASKED*** for jo"),
            ("user=jo, password=a,b, x=1", "user=jo, password=***MASKED***, x=1"),
            ("Server=h;Password=p;Db=x", "Server=h;Password=***MASKED***;Db=x"),
            ("{'password': 'a \\' b', 'x': 1}", "{'password': '***MASKED***', 'x': 1}"),
            ("{\\\"password\\\":\\\"a b\\\",\\\"x\\\":1}", "{\\\"password\\\":\\\"***MASKED***\\\",\\\"x\\\":1}"),
            ("api key: abc", "api key: ***MASKED***"),
            ("credit card number: 1 2 3", "credit card number: ***MASKED***"),
            ("Authorization: Basic abc def", "Authorization: ***MASKED***"),
            ("log: authorization=Bearer abc next", "log: authorization=***MASKED*** next"),
            ("sent Authorization: Own a=b c, d", "sent Authorization: ***MASKED***"),
            ("curl -H 'Proxy-Authorization: Own a b' http://h", "curl -H 'Proxy-Authorization: ***MASKED***' http://h"),
            ("got Cookie: a=b; c=d\nnext", "got Cookie: ***MASKED***\nnext"),
            ("{\\\"Set-Cookie: a=b; c=d\\\",1", "{\\\"Set-Cookie: ***MASKED***\\\",1"),
            ("password => 'x'", "password => '***MASKED***'"),
            (
                "mutation { login(password: \"x y\", name: \"jo\") }",
                "mutation { login(password: \"***MASKED***\", name: \"jo\") }",
            ),
            ("token = {\"a\": \"}\"} z", "token = ***MASKED*** z"),
            ("?code=abc&x=1", "?code=***MASKED***&x=1"),
            ("https://h/?q=%7B%22token%22%3A%22s%22%7D&x=1", "https://h/?q=***MASKED***&x=1"),
            ("x <password>a b</password> y", "x <password>***MASKED***</password> y"),
            ("<s:Password t=\"a\"><![CDATA[b]]></s:Password>", "<s:Password***MASKED***>***MASKED***</s:Password>"),
            ("<a><token value=\"x\"/>b</a>", "<a><token***MASKED***/>b</a>"),
            ("a <password>b", "a <password>***MASKED***"),
            ("--password=abc --x", "--password=***MASKED*** --x"),
        ] {
            let got = masked(text);
            assert!(!got.contains("hunter2"), "{got}");
            assert_eq!(got, out, "{text}");
        }
    }

    #[test]
    fn secrets_are_known_by_their_form() {
        for (text, out) in [
            ("got eyJhbGciOiJIUzI1NiJ9.e30.abc_-d ok", "got ***MASKED*** ok"),
            ("x=eyJhbGciOiJIUzI1NiJ9.e30.abc", "x=***MASKED***"),
            ("Bearer abc", "Bearer ***MASKED***"),
            ("sent Basic dXNlcjpwYXNz now", "sent Basic ***MASKED*** now"),
            ("card 4111 1111 1111 1111 ok", "card ***MASKED*** ok"),
            ("order-4111111111111111.", "order-***MASKED***."),
            ("5500-0000-0000-0004", "***MASKED***"),
            ("4111 1111 1111 1111 2025", "***MASKED*** 2025"),
            ("key ghp_0123456789abcdefghij", "key ***MASKED***"),
            ("AKIAIOSFODNN7EXAMPLE", "***MASKED***"),
            ("postgres://jo:pw@db:5432/x", "postgres://***MASKED***@db:5432/x"),
            ("postgres://jo:p@w/x@db/x", "postgres://***MASKED***@w/x@db/x"),
            ("a -----BEGIN KEY-----\nabc\n-----END KEY----- b", "a ***MASKED*** b"),
            ("a -----BEGIN KEY-----\nabc", "a ***MASKED***"),
        ] {
            assert_eq!(masked(text), out, "{text}");
        }
    }

    #[test]
    fn ordinary_text_is_left() {
        for text in [
            "",
            "hello",
            "at com.foo.TokenService.check(TokenService.java:42)",
            "token.rs:10:5: at crate::auth::token::check",
            "TokenExpiredError: jwt expired",
            "author: Jo",
            "10:30:00 INFO started",
            "a basic information text",
            "see https://h/p?a=b",
            "1234567890123456",
            "keyboard=x",
            "http://h:80/a@b",
            "http://[::1]:80/",
            "id 4111111111111112",
            "total: 3, tokens used",
            "****",
            "4111",
            "Error: token expired",
            "550e8400-e29b-41d4-a716-446655440000",
            "e=mc2",
            "naïve: 東京=1",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    /// The least time of a few runs, since others share the machine.
    fn cost(text: &str) -> std::time::Duration {
        let run = |_| {
            let began = std::time::Instant::now();
            let _ = masked(text);
            began.elapsed()
        };
        (0..3).map(run).min().unwrap_or_default()
    }

    #[test]
    fn hostile_text_costs_linear_time() {
        for (lead, piece) in [
            ("", "pin=1 "),
            ("", "pin=1;"),
            ("", "pin=x&"),
            ("", "[pin]=1 "),
            ("", "a pin: 1 "),
            ("", "%70in=1 "),
            ("", "{\"pin\":1}"),
            ("", "pin=, "),
            ("", "pin='1' "),
            ("", "authorization=basic a "),
            ("", "x a Cookie:\"1\" "),
            ("", "x \"Cookie: 1\" "),
            ("", "basic a/"),
            ("", "<token>"),
            ("", "<token ></token>"),
            ("<token>", "</"),
            ("<token>", "</token:"),
            ("", "<token "),
            ("", "<"),
            ("", "</"),
            ("", "x:"),
            ("", "://"),
            ("", "password"),
            ("", "password="),
            ("", "\""),
            ("", "a:"),
            ("", "{"),
            ("", "\\\""),
            ("", "1 "),
            ("", "1"),
            ("", "-----BEGIN "),
            ("", "-----BEGIN -----END "),
            ("", "x password: \""),
            ("", "://a@"),
            ("", "é"),
            ("", "%70"),
            ("", "%2525+"),
            ("", "a%20b+"),
            ("", "%2525 "),
            ("", "a b"),
        ] {
            let text = |len: usize| format!("{lead}{}", piece.repeat(len / piece.len()));
            // Sixteen times the text: 16 when linear, 256 when quadratic; the machine may be busy.
            let (small, large) = (text(3_000), text(48_000));
            let linear = (0..4).any(|_| cost(&large) < cost(&small) * 64);
            assert!(linear, "{lead}{piece}");
        }
    }
}
