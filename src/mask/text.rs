//! Free text: what is secret by its form, or by the name that stands before it.
//!
//! One pass over tokens (runs of letters, digits and `_ - . %`). Found are: PEM blocks, JWTs and base64 JSON, tokens of known
//! make, `Bearer x` and `Basic x`, `key=value` and `key: value` with a sensitive key (quoted or not, also with
//! escaped quotes), passwords in URLs, card numbers.

use super::names::{Hit, Place, Words};
use super::{percent, Rules, PLACEHOLDER};

/// Tokens of known make: prefix and the least length of the whole token.
const MAKES: &[(&str, usize)] = &[
    // A JWT, also cut off, and any base64 text of a JSON object.
    ("eyJ", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("whsec_", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 20),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("xoxs-", 16),
    ("xoxr-", 16),
    ("xapp-", 16),
    ("AKIA", 20),
    ("ASIA", 20),
    ("AIza", 35),
    ("ya29.", 20),
    ("SG.", 30),
    ("npm_", 30),
    ("pypi-", 30),
    ("sk-", 24),
    ("shpat_", 20),
    ("shpss_", 20),
    ("dop_v1_", 30),
    ("hf_", 30),
    ("sq0csp-", 20),
    ("key-", 36),
    ("AGE-SECRET-KEY-", 30),
    ("hvs.", 24),
];
/// So many words before a colon may belong to a name: `credit card number: …`.
const PHRASE_WORDS: usize = 3;
/// How far back the beginning of a line is looked for.
const MAX_LEAD: usize = 120;
/// No token of known make is shorter.
const MIN_SECRET: usize = 16;
/// A user name and password in a URL are looked for in so many bytes.
const MAX_USERINFO: usize = 2048;

/// The prefix of an element's name (`ns:password`) is looked for in so many bytes.
const MAX_PREFIX: usize = 64;
/// A longer name is no element's: what follows it is masked to the end.
const MAX_ELEMENT: usize = 256;

/// Masks secrets in text; `None` when there are none.
pub(super) fn mask(rules: &Rules, text: &str, place: Place) -> Option<(String, u32)> {
    mask_encoded(rules, text, place, true)
}

/// `encoded`: percent-encoded words are looked into (once).
fn mask_encoded(rules: &Rules, text: &str, place: Place, encoded: bool) -> Option<(String, u32)> {
    if !worth_scanning(text) {
        return None;
    }
    let mut scan = Scan {
        rules,
        src: text,
        bytes: text.as_bytes(),
        place,
        encoded,
        out: String::new(),
        copied: 0,
        count: 0,
        word: (0, 0),
        words: Words::default(),
        recent: [0; PHRASE_WORDS],
        recent_len: 0,
        last_end: 0,
        line_end: 0,
    };
    scan.run();
    scan.finish()
}

/// Most strings hold none of the signs that every secret needs: a sign between name and value, a long
/// token, many digits, or a scheme's last letter before a blank.
fn worth_scanning(text: &str) -> bool {
    let mut run = 0;
    let mut digits = 0;
    let mut last = 0;
    for b in text.bytes() {
        if is_token(b) {
            run += 1;
            digits += u32::from(b.is_ascii_digit());
            if run >= MIN_SECRET || digits >= 13 || b == b'%' {
                return true;
            }
        } else {
            run = 0;
            let blank = matches!(b, b' ' | b'\t');
            if matches!(b, b':' | b'=' | b'<')
                || (blank && matches!(last | 0x20, b'r' | b'c' | b't' | b'e' | b'm' | b'y' | b'n'))
            {
                return true;
            }
        }
        last = b;
    }
    false
}

/// Is the text as a whole one token that is a secret by its form?
pub(super) fn secret_token(text: &str) -> bool {
    text.len() >= MIN_SECRET && text.bytes().all(is_token) && is_known(text.as_bytes()) || is_card(text)
}

/// The beginning of text whose end is unknown: what may be an unfinished token is left out.
pub(super) fn without_last_token(text: &str) -> &str {
    let end = text.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(i, c)| i + c.len_utf8());
    // A card number may be written in groups: `4111 1111 …` is not finished at a space.
    let kept = text.get(..end).unwrap_or("");
    kept.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ' || c == '-')
}

struct Scan<'a> {
    rules: &'a Rules,
    src: &'a str,
    bytes: &'a [u8],
    place: Place,
    encoded: bool,
    out: String,
    copied: usize,
    count: u32,
    words: Words,
    /// The word that a URL was last seen in: its end, and where its last `@` is (0: none).
    word: (usize, usize),
    /// Where the last tokens of this line began, newest last, and where the last one ended.
    recent: [usize; PHRASE_WORDS],
    recent_len: usize,
    last_end: usize,
    /// The end of the line that was last looked at: a long line full of names must not be walked again for each.
    line_end: usize,
}

/// Does a byte belong to a token?
pub(super) fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'%') || b >= 0x80
}

impl Scan<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(b) = self.bytes.get(at).copied() {
            at = if b == b'-' && self.at(at).starts_with("-----BEGIN ") {
                self.pem(at)
            } else if is_token(b) {
                self.token(at)
            } else if b == b':' && self.at(at).starts_with("://") {
                self.authority(at)
            } else {
                at + 1
            };
        }
    }

    fn finish(mut self) -> Option<(String, u32)> {
        if self.count == 0 {
            return None;
        }
        self.out.push_str(self.src.get(self.copied..).unwrap_or(""));
        Some((self.out, self.count))
    }

    fn at(&self, at: usize) -> &str {
        self.src.get(at..).unwrap_or("")
    }

    fn slice(&self, start: usize, end: usize) -> &str {
        self.src.get(start..end).unwrap_or("")
    }

    /// Replaces a piece; returns its end, where the scan goes on.
    fn replace(&mut self, start: usize, end: usize) -> usize {
        if start < end && self.slice(start, end) != PLACEHOLDER {
            self.out.push_str(self.src.get(self.copied..start).unwrap_or(""));
            self.out.push_str(PLACEHOLDER);
            self.copied = end;
            self.count += 1;
            if let (Some(log), true) = (&self.rules.log, self.encoded) {
                log.piece(start, end);
            }
        }
        self.recent_len = 0;
        end
    }

    fn pem(&mut self, start: usize) -> usize {
        let rest = self.at(start);
        let end = match rest.find("-----END ") {
            Some(tail) => {
                let after = tail + "-----END ".len();
                let line = rest.get(after..).and_then(|r| r.find("-----")).map(|i| after + i + 5);
                line.map_or(self.src.len(), |i| start + i)
            }
            None => self.src.len(),
        };
        self.replace(start, end)
    }

    /// `scheme://user:password@host`: at the `:`.
    fn authority(&mut self, colon: usize) -> usize {
        let start = colon + 3;
        let src = self.src;
        let rest = src.get(start..).unwrap_or("");
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
        // A secret may begin inside the token: `order-4111…`, `x_eyJ…`.
        let mut fresh = true;
        for at in start..end {
            let b = self.bytes.get(at).copied().unwrap_or(0);
            if fresh {
                if b.is_ascii_digit() {
                    if let Some(card) = self.card(at) {
                        return self.replace(at, card);
                    }
                }
                if let Some(len) = iban(self.bytes.get(at..).unwrap_or(&[])) {
                    return self.replace(at, at + len);
                }
                if is_known(self.bytes.get(at..end).unwrap_or(&[])) {
                    // Base64 padding and the rest of an odd token go with it.
                    let rest = self.bytes.get(end..).unwrap_or(&[]).iter();
                    let tail = rest.take_while(|b| matches!(b, b'=' | b'/' | b'+') || is_token(**b)).count();
                    return self.replace(at, end + tail);
                }
            }
            fresh = !b.is_ascii_alphanumeric() && b < 0x80;
        }
        if self.encoded && self.hides(start, end) {
            return self.replace(start, end);
        }
        let before = start.checked_sub(1).and_then(|i| self.bytes.get(i));
        if matches!(before, Some(b'<' | b':'))
            && matches!(self.bytes.get(end), Some(b'>' | b'/' | b' ' | b'\t' | b'\n' | b'\r'))
        {
            if let Some(end) = self.element(start, end, before == Some(&b'<')) {
                return end;
            }
        }
        if let Some(value) = self.scheme(start, end) {
            return value;
        }
        self.remember(start, end);
        match self.separator(end) {
            Some((sep, after)) if self.names_secret(start, end, sep) => self.value(start, end, sep, after),
            _ => end,
        }
    }

    /// `<password a="x">y</password>`: attributes and content of a sensitive element are masked. `None` when this is
    /// no such element.
    fn element(&mut self, start: usize, end: usize, opens: bool) -> Option<usize> {
        if !opens {
            // `<ns:password>`
            let prefix = self.bytes.get(..start - 1)?;
            let len = prefix.iter().rev().take(MAX_PREFIX).take_while(|b| is_token(**b)).count();
            if len == 0 || prefix.get(prefix.len().checked_sub(len + 1)?) != Some(&b'<') {
                return None;
            }
        }
        let name = self.src.get(start..end)?;
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

    /// Does a percent-encoded word hold a secret when it is decoded? (`?q=%7B%22token%22…`)
    fn hides(&self, start: usize, end: usize) -> bool {
        let token = self.slice(start, end);
        if !token.contains('%') {
            return false;
        }
        let Some(decoded) = percent::decode(token, true) else { return false };
        decoded != token && mask_encoded(self.rules, &decoded, self.place, false).is_some()
    }

    /// Keeps where this token began, if it follows the last one by a space only.
    fn remember(&mut self, start: usize, end: usize) {
        let joined = self.recent_len > 0 && self.slice(self.last_end, start) == " ";
        if !joined {
            self.recent_len = 0;
        }
        if self.recent_len == PHRASE_WORDS {
            self.recent.rotate_left(1);
            self.recent_len -= 1;
        }
        if let Some(slot) = self.recent.get_mut(self.recent_len) {
            *slot = start;
            self.recent_len += 1;
        }
        self.last_end = end;
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
        let value = end + gap;
        let token: &str = self.at(value);
        let len = token.bytes().take_while(|b| is_token(*b) || matches!(b, b'+' | b'/' | b'=' | b'~' | b':')).count();
        let token = self.slice(value, value + len);
        let trimmed = token.trim_end_matches([':', '.']);
        if trimmed.is_empty() || (bearer && trimmed.starts_with("realm=")) {
            return None;
        }
        // `basic information` is prose; a credential has a digit, padding, or a capital inside.
        let credential = bearer
            || (trimmed.len() >= 6
                && (trimmed.bytes().any(|b| b.is_ascii_digit() || b == b'=')
                    || trimmed.bytes().skip(1).any(|b| b.is_ascii_uppercase())));
        if !credential {
            return None;
        }
        Some(self.replace(value, value + len))
    }

    /// What stands between a name and its value: the sign, and where the value (with its blanks) begins.
    fn separator(&self, end: usize) -> Option<(u8, usize)> {
        let mut at = end;
        // The name's closing quote (also escaped), brackets of `a[password]`, blanks.
        let mut blanks = 0;
        while let Some(b) = self.bytes.get(at) {
            match b {
                b'"' | b'\'' | b'\\' | b']' | b'`' => at += 1,
                b' ' | b'\t' if blanks < 16 => {
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

    fn names_secret(&mut self, start: usize, end: usize, sep: u8) -> bool {
        // In a URL the names of parameters count.
        let before = start.checked_sub(1).and_then(|i| self.bytes.get(i));
        let place = if matches!(before, Some(b'?' | b'&' | b'#')) { Place::Param } else { self.place };
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
        match self.rules.fields.ask(name, place, &mut self.words) {
            Hit::Yes => return true,
            Hit::Key if sep == b'=' => return true,
            _ => {}
        }
        // `a[password]` has its name in the brackets; `credit card number:` is a phrase.
        (1..self.recent_len).any(|i| {
            let first = self.recent.get(i - 1).copied().unwrap_or(start);
            let phrase = self.src.get(first..end).unwrap_or("");
            self.rules.fields.ask_phrase(phrase, &mut self.words) == Hit::Yes
        })
    }

    /// The end of the line that `from` is on. The scan only goes forward, so the last answer holds up to that end.
    fn line_end(&mut self, from: usize) -> usize {
        if from >= self.line_end {
            self.line_end = self.at(from).find(['\n', '\r']).map_or(self.src.len(), |i| from + i);
        }
        self.line_end
    }

    /// Masks the value of a sensitive name; returns where the scan goes on.
    fn value(&mut self, name: usize, name_end: usize, sep: u8, after: usize) -> usize {
        let blanks = self.at(after).bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
        let start = after + blanks;
        let slashes = self.at(start).bytes().take_while(|b| *b == b'\\').count();
        let quote = self.bytes.get(start + slashes).copied();
        if let Some(q @ (b'"' | b'\'' | b'`')) = quote {
            let inside = start + slashes + 1;
            let end = self.closing(inside, q, slashes, self.src.len());
            return self.replace(inside, end).max(inside);
        }
        if matches!(quote, Some(b'{' | b'[')) {
            let end = self.closing_bracket(start);
            return self.replace(start, end);
        }
        let line = self.line_end(start);
        let blank = after > name_end + 1 || blanks > 0;
        let header = sep == b':' && is_header(self.slice(name, name_end));
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
            // A header or a line of a settings file: the value is the rest of the line.
            line
        } else {
            let word = |at: usize| {
                let rest = self.slice(at, line);
                let len = rest.char_indices().find(|(i, c)| {
                    c.is_whitespace()
                        || matches!(c, '&' | '"' | '\'' | '<' | '>')
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
            end
        };
        self.replace(start, end)
    }

    /// Does only what may begin a line stand before this name on its line?
    fn starts_line(&self, name: usize) -> bool {
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

    /// The closing quote that is escaped as deep as the opening one was; the limit without one.
    fn closing(&self, inside: usize, quote: u8, slashes: usize, limit: usize) -> usize {
        let mut at = inside;
        let mut run = 0;
        while let Some(b) = self.bytes.get(at).filter(|_| at < limit) {
            if *b == b'\\' {
                run += 1;
            } else {
                // Unescaped: fewer backslashes than an escaped quote of this depth has, or an even run.
                if *b == quote && (run == slashes || (slashes == 0 && run % 2 == 0) || run < slashes) {
                    return at - run.min(slashes);
                }
                run = 0;
            }
            at += 1;
        }
        limit
    }

    /// The end of `{…}` or `[…]`, strings left out of the count; the end of the text when it never closes.
    fn closing_bracket(&self, start: usize) -> usize {
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

    /// A card number that begins here: its end. Groups may be set off by single blanks or dashes.
    fn card(&self, start: usize) -> Option<usize> {
        if !self.bytes.get(start)?.is_ascii_digit() {
            return None;
        }
        // The first group of every card number has four digits.
        if !self.bytes.get(start..start + 4)?.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut at = start;
        let mut digits = 0;
        let mut last = start;
        while let Some(b) = self.bytes.get(at) {
            if b.is_ascii_digit() {
                digits += 1;
                last = at + 1;
            } else if !(matches!(b, b' ' | b'-') && last == at) || digits > 19 {
                break;
            }
            at += 1;
        }
        // Letters beside it make it part of a word.
        if self.bytes.get(last).is_some_and(u8::is_ascii_alphabetic) {
            return None;
        }
        if digits >= 13 && is_card(self.slice(start, last)) {
            return Some(last);
        }
        // The digits may be followed by others that do not belong: `4111 1111 1111 1111 2025`.
        let mut digits = 0;
        let mut best = None;
        for (i, b) in self.slice(start, last).bytes().enumerate() {
            if b.is_ascii_digit() {
                digits += 1;
                let stop = start + i + 1;
                let ends = !self.bytes.get(stop).is_some_and(u8::is_ascii_digit);
                if ends && (13..=19).contains(&digits) && is_card(self.slice(start, stop)) {
                    best = Some(stop);
                }
            }
        }
        best
    }
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

/// The first two bytes of tokens of known make: one bit for each second byte (modulo 64), by the first.
static BEGINNINGS: [u64; 128] = {
    let mut table = [0u64; 128];
    let mut i = 0;
    while i < MAKES.len() {
        let prefix = MAKES[i].0.as_bytes();
        table[prefix[0] as usize & 127] |= 1 << (prefix[1] & 63);
        i += 1;
    }
    table
};

/// Could a token that begins so be one of known make?
#[inline(always)]
pub(super) fn may_be_known(first: u8, second: u8) -> bool {
    BEGINNINGS.get(usize::from(first)).is_some_and(|seconds| seconds >> (second & 63) & 1 == 1)
}

/// Do these bytes begin with a token that is a secret by its form?
pub(super) fn is_known(bytes: &[u8]) -> bool {
    let known = |prefix: &str, least: usize| {
        bytes.starts_with(prefix.as_bytes())
            && bytes.get(..least).is_some_and(|token| token.iter().all(|b| is_token(*b)))
            // What is percent-encoded or of another script is no such token.
            && bytes.get(..MIN_SECRET).is_some_and(|head| head.iter().all(|b| b.is_ascii() && *b != b'%'))
    };
    match bytes {
        [first, second, ..] if may_be_known(*first, *second) => {
            MAKES.iter().any(|(prefix, least)| known(prefix, *least))
        }
        _ => false,
    }
}

/// The length of the IBAN that bytes begin with: country, check digits, and groups that may be set off by blanks.
pub(super) fn iban(bytes: &[u8]) -> Option<usize> {
    let [country, letter, check, digit] = *bytes.first_chunk::<4>()?;
    let letters = country.is_ascii_uppercase() && letter.is_ascii_uppercase();
    if !(letters && check.is_ascii_digit() && digit.is_ascii_digit()) {
        return None;
    }
    let mut rest = 0u32;
    let take = |rest: u32, b: u8| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b.to_ascii_uppercase() - b'A') + 10) % 97,
    };
    let ends = |at: usize| !bytes.get(at).is_some_and(|b| is_token(*b) && *b != b'.');
    let mut count = 4;
    let mut found = None;
    for (i, b) in bytes.iter().enumerate().skip(4).take(50) {
        match b {
            b'0'..=b'9' | b'A'..=b'Z' => {
                rest = take(rest, *b);
                count += 1;
                // The check digits count as if they stood at the end.
                if count >= 15 && ends(i + 1) {
                    let sum = [country, letter, check, digit].into_iter().fold(rest, take);
                    if sum == 1 {
                        found = Some(i + 1);
                    }
                }
            }
            b' ' if count % 4 == 0 => {}
            _ => break,
        }
        if count == 34 {
            break;
        }
    }
    found
}

/// Do these digits and gaps begin with what may be a card's number?
pub(super) fn begins_card(bytes: &[u8]) -> bool {
    let head = bytes.first_chunk::<4>().filter(|head| head.iter().all(u8::is_ascii_digit));
    let head = head.map(|head| head.iter().fold(0u32, |n, d| n * 10 + u32::from(d - b'0')));
    head.is_some_and(|head| (2221..=6763).contains(&head)) && bytes.iter().filter(|b| b.is_ascii_digit()).count() >= 13
}

/// The first four digits of cards' numbers, and how many digits they have: one bit each.
const ISSUERS: &[(u32, u32, u32)] = &[
    (4000, 4999, 1 << 13 | 1 << 16 | 1 << 19),
    (5100, 5599, 1 << 16),
    (2221, 2720, 1 << 16),
    (3400, 3499, 1 << 15),
    (3700, 3799, 1 << 15),
    (3000, 3059, 1 << 14 | 1 << 16),
    (3600, 3699, 1 << 14 | 1 << 16),
    (3800, 3999, 1 << 14 | 1 << 16),
    (3528, 3589, FROM_16),
    (6011, 6011, FROM_16),
    (6440, 6599, FROM_16),
    (6200, 6299, FROM_16),
    (5000, 5000, FROM_13),
    (5018, 5018, FROM_13),
    (5020, 5020, FROM_13),
    (5038, 5038, FROM_13),
    (5600, 5899, FROM_13),
    (6304, 6304, FROM_13),
    (6759, 6759, FROM_13),
    (6761, 6763, FROM_13),
];
const FROM_16: u32 = 0xF_0000;
const FROM_13: u32 = 0xF_E000;

/// Is this a card number (digits, single blanks and dashes)? By the issuers' prefixes and Luhn's sum: a number of that length
/// alone passes Luhn one time in ten, and ids are common.
pub(super) fn is_card(text: &str) -> bool {
    if !(13..=38).contains(&text.len()) || !begins_card(text.as_bytes()) {
        return false;
    }
    let mut digits = [0u8; 19];
    let mut count = 0;
    for b in text.bytes() {
        match b {
            b'0'..=b'9' => {
                let Some(slot) = digits.get_mut(count) else { return false };
                *slot = b - b'0';
                count += 1;
            }
            b' ' | b'-' => {}
            _ => return false,
        }
    }
    let Some(digits) = digits.get(..count) else { return false };
    if count < 13 {
        return false;
    }
    let head = digits.iter().take(4).fold(0u32, |n, d| n * 10 + u32::from(*d));
    let known =
        ISSUERS.iter().any(|(first, last, lengths)| (*first..=*last).contains(&head) && lengths >> count & 1 == 1);
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let d = u32::from(*d);
            match i % 2 {
                0 => d,
                _ if d > 4 => d * 2 - 9,
                _ => d * 2,
            }
        })
        .sum();
    known && sum.is_multiple_of(10)
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
