//! What programs print into text: pairs of a name and a value (`name=password value=x`), tables, serialized data, and the values
//! that validators echo.

use super::names::{Hit, Place, Slot};
use super::text::{is_token, Scan};
use super::Rules;

/// The two of a pair stand so near each other, with so many members between them.
const WINDOW: usize = 384;
const MEMBERS: usize = 8;
/// A name that is a value has so many bytes.
const MAX_NAME: usize = 64;
/// So far above a row its table's names are looked for.
const MAX_TABLE: usize = 4096;
/// So far before a value the line above is looked for, and so long is that line.
const MAX_LINE: usize = 400;
const MAX_PATH: usize = 128;

fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

/// The name that stands for a value behind a sign: `name=password`, `"name": "password"`, also with escaped quotes. Its place.
pub(super) fn named(bytes: &[u8], after: usize) -> Option<(usize, usize)> {
    let rest = bytes.get(after..)?;
    let mut start = after + rest.iter().take(4).take_while(|b| is_blank(**b)).count();
    let slashes = bytes.get(start..)?.iter().take(4).take_while(|b| **b == b'\\').count();
    let quote = bytes.get(start + slashes).copied().filter(|b| matches!(b, b'"' | b'\'' | b'`'));
    if quote.is_some() {
        start += slashes + 1;
    }
    let inside = bytes.get(start..)?.iter().take(MAX_NAME + 1);
    let len = match quote {
        Some(quote) => inside.take_while(|b| **b != quote && !matches!(b, b'\\' | b'\n')).count(),
        None => inside.take_while(|b| is_token(**b)).count(),
    };
    (1..=MAX_NAME).contains(&len).then_some((start, start + len))
}

/// Does a value name something sensitive? `after` is behind the sign of a name with this meaning.
pub(super) fn names_secret(rules: &Rules, bytes: &[u8], after: usize, slot: Slot) -> Option<(usize, usize)> {
    if !matches!(slot, Slot::Name | Slot::Key | Slot::Type) {
        return None;
    }
    let (start, end) = named(bytes, after)?;
    let name = bytes.get(start..end)?;
    // Sentences name nothing.
    if name.iter().filter(|b| **b == b' ').count() > 2 || rules.fields.answer(name).hit(Place::Field) != Hit::Yes {
        return None;
    }
    let ends = || std::str::from_utf8(name).is_ok_and(|name| rules.fields.ends_sensitive(name));
    (slot != Slot::Type || ends()).then_some((start, end))
}

/// A path of names, one of which is sensitive: `input.password`, `body -> password`, `users[0].email.str`.
pub(super) fn is_secret_path(rules: &Rules, path: &[u8]) -> bool {
    let steps = path.split(|b| matches!(b, b'.' | b'[' | b']' | b'>' | b'/' | b' '));
    steps.into_iter().any(|step| {
        let step = step.trim_ascii();
        !step.is_empty() && rules.fields.answer(step).hit(Place::Field) == Hit::Yes
    })
}

/// What names a field wherever it stands, and what is its value, also where only blanks are between members.
const STRONG: &[&str] =
    &["name", "key", "field", "header", "param", "parameter", "property", "attribute", "variable", "var", "env"];
const WEAK_VALUES: &[&[u8]] = &[b"val", b"values", b"content", b"input"];

/// One member of a printed object: its name, and where what follows its sign begins.
struct Member {
    name: (usize, usize),
    after: usize,
}

impl Scan<'_> {
    /// A name whose value names what its neighbour holds: `{"name": "password", "value": "x"}`. The neighbour is masked.
    pub(super) fn pair(&mut self, start: usize, end: usize, after: usize) -> Option<usize> {
        let name = self.bytes.get(start..end)?;
        let slot = self.rules.fields.answer(name).slot();
        let (inside, named) = names_secret(self.rules, self.bytes, after, slot)?;
        let quoted = self.quotes(named) > named && inside > after;
        let strict = !quoted && self.listing(named).is_none();
        // `id=token-service type=session value=3` of a log names nothing.
        if strict
            && !STRONG.iter().any(|strong| name.eq_ignore_ascii_case(strong.as_bytes()))
            && !name.to_ascii_lowercase().ends_with(b"name")
        {
            return None;
        }
        let before = self.pair_before(start, strict);
        let behind = self.pair_behind((start, end), named, strict);
        if before.is_none() && behind.is_none() {
            return None;
        }
        if let Some((start, end)) = before {
            self.replace(start, end);
        }
        if let Some((start, end)) = behind {
            self.later(start, end);
        }
        Some(end)
    }

    /// Is this the name of what a pair's other half names? Where only blanks part them, it must say so.
    fn is_value(&self, name: (usize, usize), strict: bool) -> bool {
        let Some(name) = self.bytes.get(name.0..name.1) else { return false };
        let lower = || name.to_ascii_lowercase();
        self.rules.fields.answer(name).slot() == Slot::Value
            && (!strict || lower().ends_with(b"value") || WEAK_VALUES.contains(&lower().as_slice()))
    }

    /// The value that stands behind a name: `name=password … value=x`.
    fn pair_behind(&self, first: (usize, usize), named: usize, strict: bool) -> Option<(usize, usize)> {
        let limit = (named + WINDOW).min(self.src.len());
        let mut at = self.quotes(named);
        for _ in 0..if strict { 2 } else { MEMBERS } {
            let listed = self.listing(at);
            let Member { name, after } = self.member(at, limit)?;
            if self.is_value(name, strict) {
                let (start, end, _) = self.span(after, self.src.len(), listed);
                return Some((start, end));
            }
            // Another pair.
            if self.slice(name.0, name.1) == self.slice(first.0, first.1) {
                return None;
            }
            at = self.span(after, limit, listed).2;
        }
        None
    }

    /// The value that stands before a name: `value=x … name=password`.
    fn pair_before(&self, name: usize, strict: bool) -> Option<(usize, usize)> {
        let from = name.saturating_sub(WINDOW).max(self.copied);
        let mut at = name;
        let mut tries = 0;
        while at > from && tries < 4 {
            // The token before.
            let lead = self.bytes.get(from..at)?;
            let gap = lead.iter().rev().take_while(|b| !is_token(**b)).count();
            let len = lead.iter().rev().skip(gap).take_while(|b| is_token(**b)).count();
            let (start, end) = (at - gap - len, at - gap);
            at = start;
            if len == 0 || !self.is_value((start, end), strict) {
                continue;
            }
            let Some((_, after)) = self.separator(end).filter(|(_, after)| *after < name) else { continue };
            tries += 1;
            let listed = self.bytes.get(after..name)?.contains(&b',').then_some(b',');
            let (inside, close, mut next) = self.span(after, name, listed);
            // Members all the way to the name.
            for _ in 0..if strict { 2 } else { MEMBERS } {
                match self.member(next, name + MAX_NAME) {
                    Some(member) if member.name.0 == name => return Some((inside, close)),
                    Some(member) if member.name.0 < name => next = self.span(member.after, name, listed).2,
                    _ => break,
                }
            }
        }
        None
    }

    /// Behind a quote that closes here, however it is written.
    fn quotes(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or(&[]);
        at + rest.iter().take(4).take_while(|b| matches!(b, b'\\' | b'"' | b'\'' | b'`')).count()
    }

    /// The comma, or the like, that parts what stands here from what follows.
    fn listing(&self, at: usize) -> Option<u8> {
        let rest = self.bytes.get(at..).unwrap_or(&[]);
        rest.iter().take(8).find(|b| !b.is_ascii_whitespace()).copied().filter(|b| matches!(b, b',' | b';' | b'&'))
    }

    /// The member that follows behind commas and blanks.
    fn member(&self, at: usize, limit: usize) -> Option<Member> {
        let rest = self.bytes.get(at..limit.min(self.src.len()))?;
        let gap = rest
            .iter()
            .take_while(|b| {
                b.is_ascii_whitespace() || matches!(b, b',' | b';' | b'&' | b'\\' | b'"' | b'\'' | b':' | b'`')
            })
            .count();
        let start = at + gap;
        let len = self.bytes.get(start..)?.iter().take(MAX_NAME).take_while(|b| is_token(**b)).count();
        if gap == 0 || len == 0 {
            return None;
        }
        // `\n"value": …` as it is written in a string.
        let escaped = rest.get(..gap)?.ends_with(b"\\") && matches!(self.bytes.get(start), Some(b'n' | b't' | b'r'));
        if escaped {
            return self.member(start + 1, limit).or_else(|| self.named_member(start + 1, start + len));
        }
        self.named_member(start, start + len)
    }

    fn named_member(&self, start: usize, end: usize) -> Option<Member> {
        let (_, after) = self.separator(end)?;
        (start < end).then_some(Member { name: (start, end), after })
    }

    /// What stands behind a member's sign: its inside, and where it ends with its quotes. In a `listed` value without quotes
    /// there may be blanks.
    fn span(&self, after: usize, limit: usize, listed: Option<u8>) -> (usize, usize, usize) {
        let rest = self.bytes.get(after..limit).unwrap_or(&[]);
        let start = after + rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let slashes = self.bytes.get(start..limit).unwrap_or(&[]).iter().take_while(|b| **b == b'\\').count();
        if let Some(form) = self.written_quote(start) {
            let inside = start + form.len();
            let end = self.src.get(inside..limit).and_then(|rest| rest.find(form)).map_or(limit, |i| inside + i);
            return (inside, end, (end + form.len()).min(limit));
        }
        match self.bytes.get(start + slashes).filter(|_| start + slashes < limit) {
            Some(quote @ (b'"' | b'\'' | b'`')) => {
                let inside = start + slashes + 1;
                let end = self.closing(inside, *quote, slashes, limit);
                (inside, end, (end + slashes + 1).min(limit))
            }
            Some(b'{' | b'[' | b'(') => {
                let (_, end) = self.bracket(start + slashes, limit);
                (start, end, end)
            }
            _ => {
                let ends = |(i, b): (usize, &u8)| match b {
                    b'\n' | b'\r' | b'}' | b')' | b']' | b'>' | b'"' | b'\'' => true,
                    // What parts members parts them only where another one follows.
                    b',' | b';' | b'&' => match listed {
                        Some(sign) => sign == *b && self.member(start + i, self.src.len()).is_some(),
                        None => *b == b'&' || self.bytes.get(start + i + 1).is_none_or(|b| !is_token(*b)),
                    },
                    b => is_blank(*b) && listed.is_none(),
                };
                let rest = self.bytes.get(start..limit).unwrap_or(&[]);
                let len = rest.iter().enumerate().position(|(i, b)| ends((i, b))).unwrap_or(rest.len());
                (start, start + len, start + len)
            }
        }
    }

    /// Where the bracket closes that opens here, and the place behind it. The limit for both when it does not.
    pub(super) fn bracket(&self, open: usize, limit: usize) -> (usize, usize) {
        let mut depth = 0usize;
        let mut at = open;
        while let Some(b) = self.bytes.get(at).filter(|_| at < limit) {
            match b {
                // (An apostrophe in a word is none.)
                b'"' => at = self.closing(at + 1, b'"', 0, limit),
                b'\'' if !at.checked_sub(1).and_then(|i| self.bytes.get(i)).is_some_and(u8::is_ascii_alphanumeric) => {
                    at = self.closing(at + 1, b'\'', 0, limit);
                }
                b'{' | b'[' | b'(' => depth += 1,
                b'}' | b']' | b')' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return (at, at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        (limit, limit)
    }

    // ---- what validators echo

    /// `input_value='x'` of pydantic, with the field's name on the line above.
    pub(super) fn is_named_above(&self, start: usize, end: usize, sign: u8) -> bool {
        sign == b'='
            && matches!(self.bytes.get(start..end), Some(b"input_value" | b"input"))
            && is_named_above(self.rules, self.bytes, start)
    }

    /// `Variable "$input" got invalid value "x" at "input.password"; … value: "x"`: at a quote.
    pub(super) fn echoed(&mut self, quote: usize) -> usize {
        const GOT: &[u8] = b"invalid value ";
        let Some(path) = echo(self.rules, self.bytes, quote) else { return quote + 1 };
        // Each byte is looked at once, however many paths there are.
        let from = quote.saturating_sub(MAX_TABLE).max(self.copied).max(self.echoed_to);
        self.echoed_to = quote;
        let lead = self.bytes.get(from..quote).unwrap_or(&[]);
        let line = lead.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let lead_line = lead.get(line..).unwrap_or(&[]);
        if let Some(got) = lead_line.windows(GOT.len()).rposition(|word| word == GOT) {
            let at = lead_line.iter().rev().skip_while(|b| matches!(b, b'\\' | b'"' | b' ')).count();
            // ` at "`
            let end = (from + line + at).saturating_sub("at".len());
            let end = end - self.bytes.get(from..end).unwrap_or(&[]).iter().rev().take_while(|b| is_blank(**b)).count();
            self.replace(from + line + got + GOT.len(), end);
        }
        let line_end = self.line_end(path);
        let rest = self.bytes.get(path..line_end.min(path + MAX_LINE)).unwrap_or(&[]);
        if let Some(value) = rest.windows("value: ".len()).position(|word| word == b"value: ") {
            self.later(path + value + "value: ".len(), line_end);
        }
        quote + 1
    }

    // ---- serialized data

    /// `s:8:"password";s:6:"x";` of PHP: at the length.
    pub(super) fn serialized(&mut self, start: usize, end: usize) -> Option<usize> {
        let name = php_name(self.bytes, start, end)?;
        if self.rules.fields.answer(self.bytes.get(name.0..name.1)?).hit(Place::Field) != Hit::Yes {
            return None;
        }
        let at = self.quotes(name.1);
        let value = at + usize::from(self.bytes.get(at) == Some(&b';'));
        Some(self.php_value(value).unwrap_or(end))
    }

    /// Masks one value of PHP's: `s:6:"x";`, `i:5;`, `a:1:{…}`. Where it ends.
    fn php_value(&mut self, start: usize) -> Option<usize> {
        let rest = self.bytes.get(start..).unwrap_or(&[]);
        let len = self.src.len();
        let (inside, end) = match rest {
            [b's', b':', rest @ ..] => {
                let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
                let size =
                    rest.get(..digits).and_then(|n| std::str::from_utf8(n).ok()).and_then(|n| n.parse::<usize>().ok());
                let sign = rest.get(digits..).unwrap_or(&[]);
                let slashes = sign.iter().skip(1).take_while(|b| **b == b'\\').count();
                let inside = (start + 2 + digits + 2 + slashes).min(len);
                // As long as it says, if a quote is there; else (an escape counts twice) to the quote that closes.
                let told =
                    size.and_then(|size| inside.checked_add(size)).filter(|end| self.bytes.get(*end) == Some(&b'"'));
                (inside, told.unwrap_or_else(|| self.closing(inside, b'"', slashes, len)))
            }
            [b'a' | b'O' | b'C', b':', rest @ ..] => {
                let open = rest.iter().take(MAX_PATH).position(|b| *b == b'{').unwrap_or(0);
                (start, self.bracket(start + 2 + open, len).1)
            }
            [b'i' | b'd' | b'b', b':', rest @ ..] => {
                let value = rest.iter().take_while(|b| **b != b';').count();
                (start + 2, start + 2 + value)
            }
            _ => return None,
        };
        let end = (inside..=end.max(inside)).rev().find(|at| self.src.is_char_boundary(*at)).unwrap_or(inside);
        Some(self.replace(inside, end).max(start))
    }

    /// `{:password "x"}` of Clojure: a name behind a colon.
    pub(super) fn keyword(&mut self, start: usize, end: usize) -> Option<usize> {
        let value = keyword(self.bytes, start, end)?;
        if self.rules.fields.answer(self.bytes.get(start..end)?).hit(Place::Field) != Hit::Yes {
            return None;
        }
        let (inside, close, end) = self.span(value, self.src.len(), None);
        self.replace(inside, close);
        Some(end.max(value))
    }

    // ---- tables

    /// A table printed with `|`, at one of them: the columns with sensitive names are masked, and values beside sensitive names.
    pub(super) fn table(&mut self, at: usize) -> usize {
        self.find_table(at);
        if let Some(b'a' | b's' | b'i' | b'd' | b'b' | b'O') = self.bytes.get(at + 1) {
            // `password|s:6:"x";`: a session of PHP.
            let name = self.bytes.get(at.saturating_sub(MAX_NAME)..at).unwrap_or(&[]);
            let len = name.iter().rev().take_while(|b| is_token(**b)).count();
            let name = name.get(name.len() - len..).unwrap_or(&[]);
            if self.bytes.get(at + 2) == Some(&b':') && self.rules.fields.answer(name).hit(Place::Field) == Hit::Yes {
                return self.php_value(at + 1).unwrap_or(at + 1);
            }
        }
        at + 1
    }

    /// Looks for the rows of the table that a place is in.
    pub(super) fn find_table(&mut self, at: usize) {
        if at < self.table_to {
            return;
        }
        let top = self.table_top(at);
        let rules = self.rules;
        let secret = |cell: &str| rules.fields.answer(bare(cell).as_bytes()).hit(Place::Field) == Hit::Yes;
        let slot = |cell: &str| rules.fields.answer(bare(cell).as_bytes()).slot();
        let mut line = self.line(top);
        let (mut ruled, mut rule) = (false, line);
        while is_rule(self.slice(line.0, line.1)) && line.1 < self.src.len() {
            ruled = true;
            rule = line;
            line = self.line(self.next_line(line.1));
        }
        let heading = self.cells(line);
        let next = self.line(self.next_line(line.1));
        let next_cells = self.cells(next).len();
        let heads = heading.len() > 1
            && heading.iter().all(|cell| is_heading(self.slice(cell.0, cell.1)))
            && (is_rule(self.slice(next.0, next.1)) || next_cells >= heading.len());
        let columns: Vec<bool> = heading.iter().map(|cell| heads && secret(self.slice(cell.0, cell.1))).collect();
        let place = |wanted: &[Slot]| {
            heading.iter().position(|cell| heads && wanted.contains(&slot(self.slice(cell.0, cell.1))))
        };
        let pair = place(&[Slot::Name, Slot::Key]).zip(place(&[Slot::Value]));
        let mut row = if heads { next } else { line };
        // Of lines without names above them: was the last one masked?
        let (mut last, mut hidden) = (if ruled { rule } else { line }, false);
        while row.0 < self.src.len() {
            let text = self.slice(row.0, row.1);
            let cells = self.cells(row);
            // In a frame a value's own line break parts a row.
            let inside = ruled && heads && !text.trim().is_empty();
            if !is_rule(text) && cells.len() < 2 && !inside {
                break;
            }
            match cells.as_slice() {
                _ if is_rule(text) => {}
                cells if heads => self.table_row(row, cells, &columns, pair),
                // `password | x` under or over another such line.
                [name, value] => {
                    let place = name.1 - row.0;
                    let aligned = |other| self.cells(other).first().is_some_and(|cell| cell.1 - other.0 == place);
                    let listed = is_rule(self.slice(last.0, last.1)) || last != row && aligned(last);
                    let named = self.slice(name.0, name.1);
                    // A line break in the value.
                    hidden = (hidden && named.trim().is_empty())
                        || (secret(named) && (listed || aligned(self.line(self.next_line(row.1)))));
                    if hidden {
                        self.cell(*value);
                    }
                }
                _ => {}
            }
            last = row;
            row = self.line(self.next_line(row.1));
        }
        self.table_to = row.0.max(at + 1);
    }

    fn table_row(
        &mut self,
        row: (usize, usize),
        cells: &[(usize, usize)],
        columns: &[bool],
        pair: Option<(usize, usize)>,
    ) {
        let first = columns.iter().position(|secret| *secret);
        if cells.len() != columns.len() {
            // A value holds the sign, or a line break: nobody knows where the next column begins.
            if let Some(first) = first {
                let start = cells.get(first).map_or(row.0, |cell| cell.0);
                self.cell((start, row.1));
            }
            return;
        }
        for (cell, secret) in cells.iter().zip(columns) {
            if *secret {
                self.cell(*cell);
            }
        }
        if let Some((name, value)) = pair {
            let named = cells.get(name).map_or("", |cell| bare(self.slice(cell.0, cell.1)));
            let secret = self.rules.fields.answer(named.as_bytes()).hit(Place::Field) == Hit::Yes;
            if let Some(cell) = cells.get(value).filter(|_| secret && columns.get(value) == Some(&false)) {
                self.cell(*cell);
            }
        }
    }

    fn cell(&mut self, cell: (usize, usize)) {
        let text = self.slice(cell.0, cell.1);
        let start = cell.0 + text.len() - text.trim_start().len();
        let end = cell.1 - (text.len() - text.trim_end().len());
        if start < end && end > self.copied {
            self.later(start, end);
        }
    }

    /// The beginning of the first line of the table that a place is in.
    fn table_top(&self, at: usize) -> usize {
        let from = at.saturating_sub(MAX_TABLE).max(self.table_to);
        let lead = self.bytes.get(from..at).unwrap_or(&[]);
        let begin = |end: usize| lead.get(..end).unwrap_or(&[]).iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let mut top = begin(lead.len());
        while top > 0 {
            let above = begin(top - 1);
            let line = self.slice(from + above, from + top - 1);
            if !line.contains('|') && !is_rule(line) {
                return from + top;
            }
            top = above;
        }
        let mut top = from + top;
        while !self.src.is_char_boundary(top) {
            top += 1;
        }
        top
    }

    /// The line that begins at a place, without what ends it.
    fn line(&self, start: usize) -> (usize, usize) {
        let rest = self.bytes.get(start..).unwrap_or(&[]);
        let len = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        (start, start + len)
    }

    fn next_line(&self, end: usize) -> usize {
        (end + 1).min(self.src.len())
    }

    /// The cells of a row: what stands between the signs. A frame's first and last are empty.
    fn cells(&self, line: (usize, usize)) -> Vec<(usize, usize)> {
        let mut cells = Vec::new();
        let mut start = line.0;
        for at in line.0..line.1 {
            if self.bytes.get(at) == Some(&b'|') && at.checked_sub(1).and_then(|i| self.bytes.get(i)) != Some(&b'\\') {
                cells.push((start, at));
                start = at + 1;
            }
        }
        if !cells.is_empty() {
            cells.push((start, line.1));
        }
        cells
    }
}

/// A name as a table shows it, without what Markdown sets it off with.
pub(super) fn bare(cell: &str) -> &str {
    cell.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '`' | '"' | '\''))
}

/// Could this be a column's name? (The outer cells of a frame are empty.)
fn is_heading(cell: &str) -> bool {
    let cell = bare(cell);
    cell.len() <= MAX_NAME
        && !cell.contains([':', '=', '/', '{'])
        && cell.bytes().filter(|b| *b == b' ').count() <= 3
        && (cell.is_empty() || cell.bytes().any(|b| b.is_ascii_alphabetic() || b >= 0x80 || b == b'#'))
}

/// A line between a table's rows, or between its names and them.
fn is_rule(line: &str) -> bool {
    let line = line.trim();
    // The second is what psql sets over a record.
    line.starts_with("-[ ")
        || (line.len() > 2
            && line.contains(['-', '='])
            && line.bytes().all(|b| matches!(b, b'-' | b'+' | b'|' | b'=' | b':' | b' ')))
}

/// The path after `at "`, when it is a sensitive one: where it ends.
pub(super) fn echo(rules: &Rules, bytes: &[u8], quote: usize) -> Option<usize> {
    let lead = bytes.get(quote.saturating_sub(8)..quote)?;
    let slashes = lead.iter().rev().take_while(|b| **b == b'\\').count();
    if !lead.get(..lead.len() - slashes)?.ends_with(b" at ") {
        return None;
    }
    let rest = bytes.get(quote + 1..)?;
    let len = rest.iter().take(MAX_PATH).take_while(|b| is_token(**b) || matches!(b, b'[' | b']')).count();
    let path = rest.get(..len)?;
    (path.contains(&b'.') && is_secret_path(rules, path)).then_some(quote + 1 + len)
}

/// Is the line above a path with a sensitive name, and nothing else?
pub(super) fn is_named_above(rules: &Rules, bytes: &[u8], at: usize) -> bool {
    let lead = bytes.get(at.saturating_sub(MAX_LINE)..at).unwrap_or(&[]);
    // A line break may be written `\n`, as in JSON.
    let breaks = |lead: &[u8]| {
        let raw = lead.iter().rposition(|b| *b == b'\n').map(|i| (i, i + 1));
        let written = lead.windows(2).rposition(|two| two == b"\\n").map(|i| (i, i + 2));
        raw.max(written)
    };
    let Some((end, _)) = breaks(lead) else { return false };
    let lead = lead.get(..end).unwrap_or(&[]);
    let start = breaks(lead).map_or(0, |(_, start)| start);
    let path = lead.get(start..).unwrap_or(&[]).trim_ascii();
    path.len() <= MAX_PATH
        && path.iter().all(|b| is_token(*b) || matches!(b, b' ' | b'>' | b'[' | b']' | b'/'))
        && path.iter().filter(|b| **b == b' ').count() <= 8
        && is_secret_path(rules, path)
}

/// The name in `s:8:"password"`: `start` and `end` are of its length.
pub(super) fn php_name(bytes: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let digits = bytes.get(start..end)?;
    let size: usize = std::str::from_utf8(digits).ok().filter(|n| n.len() < 4)?.parse().ok()?;
    if !bytes.get(..start)?.ends_with(b"s:") || bytes.get(end) != Some(&b':') {
        return None;
    }
    let slashes = bytes.get(end + 1..)?.iter().take(4).take_while(|b| **b == b'\\').count();
    let quote = end + 1 + slashes;
    (bytes.get(quote) == Some(&b'"') && size <= MAX_NAME).then_some(())?;
    bytes.get(quote + 1..quote + 1 + size)?;
    Some((quote + 1, quote + 1 + size))
}

/// The value behind `:password`: where it begins. Words have none.
pub(super) fn keyword(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    let lead = bytes.get(..start)?.strip_suffix(b":")?;
    if !lead.last().is_none_or(|b| matches!(b, b' ' | b'\t' | b'\n' | b'{' | b'(' | b'[' | b',')) {
        return None;
    }
    let rest = bytes.get(end..)?;
    let gap = rest.iter().take(16).take_while(|b| is_blank(**b)).count();
    let value = rest.get(gap..)?;
    let slashes = value.iter().take(4).take_while(|b| **b == b'\\').count();
    let begins =
        value.get(slashes).is_some_and(|b| b.is_ascii_digit() || matches!(b, b'"' | b'\'' | b'[' | b'{' | b'#'));
    (gap > 0 && begins).then_some(end + gap)
}
