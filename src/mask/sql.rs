//! SQL in free text: the literals of sensitive columns, the rows that are inserted, the values that are told beside a statement,
//! and what databases say of a row that they refuse.

use super::names::{Hit, Place};
use super::text::{is_token, Scan};
use super::{commands, shapes};

/// A list of columns is looked for in so many bytes, and between it and `VALUES` there may be so many.
const MAX_COLUMNS: usize = 4096;
const MAX_CLAUSE: usize = 400;
/// A literal stands so near behind its column.
const MAX_LEAD: usize = 120;
/// A statement's names are looked for in so many bytes before the values beside it.
const MAX_STATEMENT: usize = 4096;
/// The tag of a dollar-quoted literal.
const MAX_TAG: usize = 32;
/// An index with a value is told in so many bytes.
const MAX_ENTRY: usize = 1024;
/// The names of an index in `Key (a, b)=(…)`.
const MAX_LISTED: usize = 256;

/// Words that a literal stands behind which no column names.
pub(super) const LITERALS: &[&str] = &[
    "values",
    "value",
    "select",
    "entry",
    "identified",
    "crypt",
    "pgp_sym_encrypt",
    "pgp_sym_decrypt",
    "aes_encrypt",
    "aes_decrypt",
    "encryptbypassphrase",
    "decryptbypassphrase",
    "sp_addlogin",
    "sp_password",
    "__construct",
    "mysqli_connect",
    "ldap_bind",
    "simple_bind",
    "simple_bind_s",
    "password_verify",
];
/// Those of them that are given secrets to work with.
const FUNCTIONS: usize = 15;
/// Words that values in brackets stand behind.
pub(super) const BRACKETS: &[&str] = &["values", "value", "row", "contains", "is", "in", "parameter"];
/// What drivers call the values that they send beside a statement.
const PARAMETERS: &[&str] =
    &["parameters", "params", "bindings", "binds", "bind", "args", "arguments", "bound", "values", "replacements"];

/// Is this the name of a list of a statement's values?
pub(super) fn is_parameters(name: &[u8]) -> bool {
    PARAMETERS.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The length of the sign that opens a dollar-quoted literal: `$$`, `$tag$`.
pub(super) fn dollars(bytes: &[u8]) -> Option<usize> {
    let tag = bytes.strip_prefix(b"$")?;
    let len = tag.iter().take(MAX_TAG).take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    // `$1$` is no tag but a hash's beginning, `$1`.
    (tag.get(len) == Some(&b'$') && !tag.first().is_some_and(u8::is_ascii_digit)).then_some(len + 2)
}

/// What a statement inserts into.
enum Columns {
    /// Columns, and which of them are sensitive.
    Named(Vec<(bool, String)>),
    /// `INSERT INTO t VALUES (…)`: nobody knows which value is which.
    Unnamed,
}

/// How far statements were looked for behind lists of values.
#[derive(Default)]
pub(super) struct Behind {
    seen: usize,
    /// Where the last verb is, and the last one with a sensitive name behind it.
    verb: usize,
    told: usize,
}

/// Does a text end with the table of a statement that names no columns: `INSERT INTO users`, `` REPLACE `users` ``?
fn is_into_table(lead: &str) -> bool {
    let is_name = |b: &u8| is_token(*b) || matches!(b, b'"' | b'`' | b'[' | b']');
    let near = lead.as_bytes().get(lead.len().saturating_sub(MAX_LEAD)..).unwrap_or(&[]);
    let table = near.iter().rev().take_while(|b| is_name(b)).count();
    let before = near.get(..near.len() - table).unwrap_or(&[]).trim_ascii_end();
    let word = before.rsplit(|b| !is_token(*b)).next().unwrap_or(&[]);
    table > 0 && ["into", "replace", "insert", "table"].iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// Is this item of a row a text? Numbers of columns without names are left.
fn is_literal(item: &str) -> bool {
    let item = item.trim_start();
    let quote = item.find(['\'', '"']).filter(|i| *i <= 2 && item.bytes().take(*i).all(|b| b.is_ascii_alphabetic()));
    quote.is_some() || dollars(item.as_bytes()).is_some() || item.starts_with("0x")
}

/// What stands for a value that is sent beside the statement.
fn is_placeholder(item: &str, column: &str) -> bool {
    let word = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if let Some(name) = item.strip_prefix([':', '@']) {
        let numbered = name.strip_prefix(['p', 'P']).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        return word(name) && (numbered || name.to_ascii_lowercase().contains(&column.to_ascii_lowercase()));
    }
    let numbered =
        item.strip_prefix('$').is_some_and(|n| (1..4).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()));
    let named = item.strip_prefix("%(").and_then(|rest| rest.strip_suffix(")s")).is_some_and(word);
    numbered || named || matches!(item, "?" | "%s") || item.eq_ignore_ascii_case("default")
}

fn trimmed(column: &str) -> &str {
    column.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '`' | '\'' | '[' | ']' | '\\'))
}

/// Does a text end with a word, in any case?
fn ends_with_word(lead: &[u8], word: &[u8]) -> bool {
    lead.len().checked_sub(word.len()).and_then(|at| lead.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(word))
}

/// `binding parameter [2] as [VARCHAR] - `, `binding parameter (2:VARCHAR) <- `
fn is_binding(lead: &[u8]) -> bool {
    let line = lead.rsplit(|b| *b == b'\n').next().unwrap_or(&[]);
    line.windows("binding parameter ".len()).any(|words| words.eq_ignore_ascii_case(b"binding parameter "))
}

/// What stands before the values that SQLAlchemy and Prisma log: `[generated in 0.1s] `, `prisma:params `.
fn is_logged_list(lead: &[u8]) -> bool {
    const NOTES: &[&[u8]] =
        &[b"generated in ", b"cached since ", b"no key ", b"raw sql", b"caching disabled ", b"dialect "];
    let note = lead.strip_suffix(b"] ").and_then(|lead| lead.rsplit(|b| *b == b'[').next());
    note.is_some_and(|note| NOTES.iter().any(|known| note.starts_with(known))) || lead.ends_with(b"prisma:params ")
}

/// A list of values behind the statement itself: `… values (?, ?) ["jo", "x"]`. (`[Name]` is a name of SQL Server's.)
fn is_list(bytes: &[u8], open: usize) -> bool {
    let before = open.checked_sub(1).and_then(|i| bytes.get(i));
    let begins = |b: &u8| b.is_ascii_digit() || matches!(b, b'"' | b'\'');
    bytes.get(open) == Some(&b'[')
        && before == Some(&b' ')
        && bytes.get(open + 1..).is_some_and(|rest| {
            rest.first().is_some_and(begins) || rest.starts_with(b"null,") || rest.starts_with(b"[\"")
        })
}

/// The name of a parameter and its sign: `@p0 = `, `:p1=`, `-- @0: `, `-- p__linq__0: `
fn is_set(lead: &[u8]) -> bool {
    let lead = lead.strip_suffix(b"N").unwrap_or(lead).trim_ascii_end();
    let Some(lead) = lead.strip_suffix(b"=").or_else(|| lead.strip_suffix(b":")) else { return false };
    let lead = lead.trim_ascii_end();
    let name = lead.iter().rev().take(MAX_TAG).take_while(|b| is_token(**b)).count();
    let (before, name) = lead.split_at(lead.len() - name);
    matches!(before.last(), Some(b'@' | b':')) || name.starts_with(b"p__linq__")
}

impl Scan<'_> {
    /// Literals that SQL compares with a sensitive column or sets it to, without a sign that other text has: `password IN ('x')`,
    /// `WITH PASSWORD 'x'`, `INSERT INTO t (id, password) VALUES (1, 'x')`.
    pub(super) fn sql(&mut self, start: usize, end: usize) -> Option<usize> {
        let word = self.slice(start, end);
        if LITERALS.iter().chain(BRACKETS).any(|known| word.eq_ignore_ascii_case(known)) {
            let is = |known: &str| word.eq_ignore_ascii_case(known);
            let found = match () {
                () if is("values") || is("value") => self.inserted(start, end),
                () if is("select") => self.selected(start, end),
                () if is("entry") => self.duplicate(start, end),
                () if is("contains") || is("is") => self.refused(start, end),
                () if is("parameter") => self.binding(start, end),
                // Of PHP's classes those that connect.
                () if is("__construct") && !["PDO->", "mysqli->"].iter().any(|class| self.follows(start, class)) => {
                    None
                }
                () if LITERALS.iter().rev().take(FUNCTIONS).any(|known| is(known)) => self.arguments(end),
                () => None,
            };
            if found.is_some() || !is("identified") {
                return found;
            }
        }
        let identified = word.eq_ignore_ascii_case("identified");
        let letters = |at: usize| {
            at.checked_sub(2)
                .and_then(|i| self.bytes.get(i..at))
                .is_some_and(|two| two.iter().all(|b| b.is_ascii_alphanumeric() || *b >= 0x80))
        };
        let blank = |at: usize| at.checked_sub(1).and_then(|i| self.bytes.get(i)).is_some_and(u8::is_ascii_whitespace);
        let mut at = end;
        let mut words = 0;
        let (mut last, mut last_end) = ("", end);
        let is_opening = |word: &str| word.is_empty() || ["by", "using"].iter().any(|by| word.eq_ignore_ascii_case(by));
        loop {
            let rest = self.bytes.get(at..)?;
            at += match rest.first()? {
                // (An apostrophe opens nothing.)
                b'\'' if at > end && !letters(at) => break,
                b'$' if at > end && dollars(rest).is_some() => break,
                // `pin IN (1234, ?)`
                b'0'..=b'9' | b'-' | b'?' | b'$' | b':' | b'@' | b'%' if last.eq_ignore_ascii_case("in") => {
                    return self.numbers(start, last_end, at);
                }
                // Names have double quotes, but for those of a password in MySQL and Oracle.
                b'"' if blank(at) && is_opening(last) && self.slice(last_end, at).trim().is_empty() => break,
                b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'`' | b']' | b'<' | b'>' | b'!' | b'=' | b'~' | b'(' => 1,
                b if b.is_ascii_alphabetic() && rest.get(1) == Some(&b'\'') => 1,
                b if b.is_ascii_alphabetic() && words < 5 => {
                    let len = rest.iter().take_while(|b| is_token(**b)).count();
                    let operator = self.slice(at, at + len);
                    const KNOWN: &[&str] =
                        &["not", "like", "ilike", "in", "is", "by", "with", "as", "for", "via", "using", "between"];
                    // `IDENTIFIED WITH ed25519 BY 'x'`
                    let plugin = identified && ["with", "via"].iter().any(|with| last.eq_ignore_ascii_case(with));
                    let hash = identified && operator.eq_ignore_ascii_case("values");
                    if !plugin && !hash && !KNOWN.iter().any(|known| operator.eq_ignore_ascii_case(known)) {
                        return None;
                    }
                    words += 1;
                    last = self.src.get(at..at + len).unwrap_or("");
                    last_end = at + len;
                    match last.eq_ignore_ascii_case("for") {
                        // `SET PASSWORD FOR 'ann'@'%' = 'x'`
                        true => len + self.user_name(at + len),
                        false => len,
                    }
                }
                _ => return None,
            };
            if at - end > MAX_LEAD {
                return None;
            }
        }
        // `Unexpected token 'a'` is no SQL.
        let plain = words == 0 && self.slice(end, at).trim().is_empty();
        let quote = self.bytes.get(at).copied();
        let parts: &[&str] =
            if quote == Some(b'"') { &["passw", "passphrase", "pwd"] } else { &["pass", "pwd", "pin", "secret"] };
        let lower = word.to_ascii_lowercase();
        if plain && !parts.iter().any(|part| lower.contains(part)) {
            return None;
        }
        let sensitive =
            identified && words > 0 || self.rules.fields.answer(word.as_bytes()).hit(Place::Field) == Hit::Yes;
        let (inside, close, _) = self.quoted(at);
        if !sensitive || self.is_name_too(inside, close) {
            return None;
        }
        loop {
            let (inside, close, after) = self.quoted(at);
            self.replace(inside, close);
            // The next one of a list.
            let rest = self.bytes.get(after..).unwrap_or(&[]);
            let gap = rest.iter().take_while(|b| matches!(b, b' ' | b',' | b'\n' | b'\r' | b'\t')).count();
            let list = rest.get(..gap).is_some_and(|gap| gap.contains(&b','));
            if !list || quote != Some(b'\'') || rest.get(gap) != Some(&b'\'') {
                return Some(after.min(self.src.len()));
            }
            at = after + gap;
        }
    }

    /// A literal that begins here: its inside, and where it ends with its quotes.
    fn quoted(&self, at: usize) -> (usize, usize, usize) {
        let len = self.src.len();
        let rest = self.bytes.get(at..).unwrap_or(&[]);
        if let Some(sign) = dollars(rest) {
            let inside = at + sign;
            let tag = self.slice(at, inside);
            let close = self.at(inside).find(tag).map_or(len, |i| inside + i);
            return (inside, close, (close + sign).min(len));
        }
        let close = self.closing((at + 1).min(len), rest.first().copied().unwrap_or(b'\''), 0, len);
        ((at + 1).min(len), close, (close + 1).min(len))
    }

    /// The length of a user's name, blanks before it included: ` ann@localhost`, ` 'ann'@'%'`.
    fn user_name(&self, at: usize) -> usize {
        let mut end = at;
        for sign in [b' ', b'@'] {
            let Some((first, rest)) = self.bytes.get(end..).and_then(<[u8]>::split_first) else { break };
            if *first != sign {
                break;
            }
            let len = match rest.first() {
                Some(quote @ (b'\'' | b'"' | b'`')) => {
                    let inside = rest.iter().skip(1).take(MAX_LEAD).take_while(|b| *b != quote).count();
                    inside + 2
                }
                _ => rest.iter().take(MAX_LEAD).take_while(|b| is_token(**b)).count(),
            };
            end += 1 + len;
        }
        end.min(self.src.len()) - at
    }

    /// What is inserted behind `VALUES` or `SELECT`: the columns in brackets before it. `None`: nothing sensitive, or it was seen to.
    fn columns(&self, start: usize) -> Option<Columns> {
        if start < self.rows_to {
            return None;
        }
        let mut from = start.saturating_sub(MAX_COLUMNS);
        while !self.src.is_char_boundary(from) {
            from += 1;
        }
        let lead = self.src.get(from..start)?;
        let mut list = lead.trim_end().trim_end_matches('(').trim_end();
        if !list.ends_with(')') {
            if is_into_table(list) {
                return Some(Columns::Unnamed);
            }
            // `(id, password) OUTPUT inserted.id VALUES (…)`, `… OVERRIDING SYSTEM VALUE VALUES (…)`, `WITH t (id, password) AS (VALUES …`
            let near = list.bytes().rev().take(MAX_CLAUSE).position(|b| b == b')')?;
            let clause = list.get(list.len() - near..)?.trim_start();
            let word = clause.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
            if !["output", "overriding", "as"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
                return None;
            }
            list = list.get(..list.len() - near)?;
        }
        let columns = |list: &str| -> Option<(usize, Vec<(bool, String)>)> {
            let open = list.rfind('(')?;
            let names = self.slice(from + open + 1, from + list.len() - 1).split(',').map(trimmed);
            let secret = |name: &str| self.rules.fields.answer(name.as_bytes()).hit(Place::Field) == Hit::Yes;
            Some((open, names.map(|name| (secret(name), name.to_owned())).collect()))
        };
        let (open, mut found) = columns(list)?;
        // `(id, password) OUTPUT inserted.id INTO @t (id) VALUES (…)`
        let before = list.get(..open).unwrap_or("").trim_end();
        if !found.iter().any(|(secret, _)| *secret) && before.len() > MAX_TAG {
            let table = before.rsplit(char::is_whitespace).next().unwrap_or("");
            if table.starts_with(['@', '#']) {
                let above = before.rfind(')').filter(|i| before.len() - i < MAX_CLAUSE)?;
                found = columns(before.get(..=above)?)?.1;
            }
        }
        found.iter().any(|(secret, _)| *secret).then_some(Columns::Named(found))
    }

    /// The rows after `VALUES`, where a list of columns stands before it.
    fn inserted(&mut self, start: usize, end: usize) -> Option<usize> {
        let columns = self.columns(start)?;
        let mut at = end;
        let mut depth = 0usize;
        // The items of a row: where each begins.
        let mut items: Vec<usize> = Vec::new();
        while let Some(b) = self.bytes.get(at).copied() {
            match b {
                b'\'' | b'"' | b'`' => at = self.closing(at + 1, b, 0, self.src.len()),
                b'$' => {
                    let rest = self.bytes.get(at..).unwrap_or(&[]);
                    if dollars(rest).is_some() {
                        at = self.quoted(at).2.saturating_sub(1);
                    }
                }
                b'(' => {
                    depth += 1;
                    if depth == 1 {
                        items.clear();
                        items.push(at + 1);
                    }
                }
                b',' if depth == 1 => items.push(at + 1),
                // A `)` in a value that has no quotes: `values (a@b.c, pass)word)`.
                b')' if depth == 1 && self.bytes.get(at + 1).is_some_and(|b| is_token(*b)) && self.is_bare(&items) => {}
                b')' => {
                    if depth == 1 {
                        self.row(&columns, &items, at, false);
                        items.clear();
                    }
                    depth = depth.saturating_sub(1);
                }
                b' ' | b'\t' | b'\n' | b'\r' | b',' => {}
                // `VALUES ROW(1, 'x')`
                b'r' | b'R' if depth == 0 && self.slice(at, at + 3).eq_ignore_ascii_case("row") => at += 2,
                // The statement goes on with something else.
                _ if depth == 0 => break,
                _ => {}
            }
            at += 1;
        }
        // Broken off inside a row.
        if depth > 0 {
            self.row(&columns, &items, self.src.len(), true);
        }
        self.rows_to = at.min(self.src.len());
        Some(end)
    }

    /// Has the last item of a row no quotes?
    fn is_bare(&self, items: &[usize]) -> bool {
        let item = items.last().and_then(|item| self.bytes.get(*item..)).unwrap_or(&[]);
        !matches!(item.trim_ascii_start().first(), Some(b'\'' | b'"' | b'$' | b')'))
    }

    /// The rows of a statement whose keyword the scan has passed already, for the sign of a literal in them.
    pub(super) fn catch_rows(&mut self, sign: usize) {
        if !matches!(self.bytes.get(sign), Some(b'\'' | b'"' | b'$' | b'(')) {
            return;
        }
        let mut at = self.word_start(sign.saturating_sub(MAX_LEAD), 0).max(self.rows_to);
        while at < self.masked.min(sign) {
            let rest = self.bytes.get(at..).unwrap_or(&[]);
            let end = at + rest.iter().take_while(|b| is_token(**b)).count();
            let word = self.slice(at, end);
            if ["values", "value"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
                let _ = self.inserted(at, end);
            } else if word.eq_ignore_ascii_case("select") {
                let _ = self.selected(at, end);
            }
            at = end + 1;
        }
    }

    /// The items of a row, each up to the next.
    fn row(&mut self, columns: &Columns, items: &[usize], end: usize, cut: bool) {
        let ends = items.iter().skip(1).map(|next| next - 1).chain([end]);
        let columns = match columns {
            Columns::Named(columns) => columns,
            Columns::Unnamed => {
                for (start, end) in items.iter().zip(ends) {
                    let item = self.slice(*start, end).trim();
                    if is_literal(item) || is_placeholder(item, "") {
                        self.item(*start, end, "");
                    }
                }
                return;
            }
        };
        if items.len() > columns.len() || (items.len() < columns.len() && !cut) {
            // Values without quotes that hold commas: who knows which is which.
            if let Some(first) = items.first() {
                self.later(*first, end);
            }
            return;
        }
        for ((start, end), (secret, name)) in items.iter().zip(ends).zip(columns) {
            if *secret {
                self.item(*start, end, name);
            }
        }
    }

    /// One literal of a sensitive column, its quotes left.
    fn item(&mut self, start: usize, end: usize, column: &str) {
        let text = self.slice(start, end);
        let first = start + text.len() - text.trim_start().len();
        let last = end - (text.len() - text.trim_end().len());
        let text = self.slice(first, last.max(first));
        if text.is_empty() {
            return;
        }
        if is_placeholder(text, column) {
            self.bound(last);
            return;
        }
        match text.find(['\'', '"']) {
            Some(quote)
                if quote <= 1 && text.len() > quote + 1 && text.as_bytes().get(quote) == text.as_bytes().last() =>
            {
                self.later(first + quote + 1, last - 1);
            }
            _ => self.later(first, last),
        }
    }

    /// `INSERT INTO t (id, password) SELECT 1, 'x' FROM …`
    fn selected(&mut self, start: usize, end: usize) -> Option<usize> {
        let columns = self.columns(start)?;
        let mut at = end;
        let mut depth = 0usize;
        let mut items = vec![end];
        let mut literal = vec![false];
        while let Some(b) = self.bytes.get(at).copied() {
            match b {
                b'\'' => {
                    at = self.closing(at + 1, b, 0, self.src.len());
                    if let Some(found) = literal.last_mut() {
                        *found = true;
                    }
                }
                b'$' if self.bytes.get(at..).and_then(dollars).is_some() => {
                    at = self.quoted(at).2.saturating_sub(1);
                    if let Some(found) = literal.last_mut() {
                        *found = true;
                    }
                }
                b'(' => depth += 1,
                b')' if depth == 0 => break,
                b')' => depth -= 1,
                b',' if depth == 0 => {
                    items.push(at + 1);
                    literal.push(false);
                }
                b';' if depth == 0 => break,
                b'a'..=b'z' | b'A'..=b'Z' => {
                    let len = self.bytes.iter().skip(at).take_while(|b| is_token(**b)).count();
                    let word = self.slice(at, at + len);
                    let ends = ["from", "where", "union", "on", "returning"];
                    if depth == 0 && ends.iter().any(|known| word.eq_ignore_ascii_case(known)) {
                        break;
                    }
                    // `N'x'`
                    if self.bytes.get(at + len) != Some(&b'\'') {
                        at += len.saturating_sub(1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        let end_of = at.min(self.src.len());
        let ends: Vec<usize> = items.iter().skip(1).map(|next| next - 1).chain([end_of]).collect();
        for (i, ((start, end), literal)) in items.iter().zip(ends).zip(literal).enumerate() {
            let (secret, name) = match &columns {
                Columns::Unnamed => (is_literal(self.slice(*start, end)), ""),
                Columns::Named(columns) => {
                    columns.get(i).map_or((false, ""), |(secret, name)| (*secret, name.as_str()))
                }
            };
            if secret && literal {
                self.item(*start, end, name);
            }
        }
        self.rows_to = end_of;
        Some(end)
    }

    /// `Duplicate entry 'x' for key 'users.email'`
    fn duplicate(&mut self, start: usize, end: usize) -> Option<usize> {
        const KEY: &str = "' for key ";
        self.src.get(end..)?.strip_prefix(" '")?;
        if !self.slice(start.checked_sub("duplicate ".len())?, start).eq_ignore_ascii_case("duplicate ") {
            return None;
        }
        let line = self.line_end(start).min(end + MAX_ENTRY);
        let line = (end + 2..=line).rev().find(|at| self.src.is_char_boundary(*at))?;
        let rest = self.slice(end + 2, line);
        let close = rest.rfind(KEY)?;
        let name = rest.get(close + KEY.len()..)?.trim_start_matches(['\'', '"', '`', '\\']);
        let name = name.get(..name.bytes().take_while(|b| is_token(*b)).count())?;
        if !self.names_index(name) {
            return None;
        }
        Some(self.replace(end + 2, end + 2 + close))
    }

    /// Is an index named after a sensitive column? `users.email`, `users_email_unique`, `uk_email`
    fn names_index(&self, name: &str) -> bool {
        let secret = |name: &str| self.rules.fields.answer(name.as_bytes()).hit(Place::Field) == Hit::Yes;
        let mut rest = name.rsplit('.').next().unwrap_or(name);
        loop {
            if secret(rest) {
                return true;
            }
            // `users_email_unique`: what the index is comes last.
            match rest.rsplit_once(['_', '-']) {
                Some((before, _)) if rest.len() <= shapes::MIN_SECRET * 8 => rest = before,
                _ => return false,
            }
        }
    }

    /// `Failing row contains (1, x).`, `The duplicate key value is (x).`: nothing tells which value is which.
    fn refused(&mut self, start: usize, end: usize) -> Option<usize> {
        let open = end + 1;
        if self.bytes.get(end..end + 2) != Some(b" (") {
            return None;
        }
        let from = start.checked_sub("failing row ".len())?;
        let before = self.src.get(from..start)?;
        if !before.eq_ignore_ascii_case("failing row ") && !before.to_ascii_lowercase().ends_with("key value ") {
            return None;
        }
        let mut close = self.line_end(open);
        // A value may go over lines; the sentence ends behind the bracket.
        let whole =
            |line: &str| line.trim_end().trim_end_matches(['.', '"', '\'', ';', ',', '\\', '}', ']']).ends_with(')');
        while close < self.src.len() && !whole(self.slice(open, close)) {
            let next = close + 1;
            close = self.at(next).find(['\n', '\r']).map_or(self.src.len(), |i| next + i);
        }
        let inside = self.slice(open + 1, close);
        let end = inside.rfind(')').map_or(close, |i| open + 1 + i);
        Some(self.replace(open + 1, end).max(end))
    }

    /// `Key (email, tenant_id)=(x, 1)`, `Key (lower(email))=(x)`: the names of a database's index before the sign.
    pub(super) fn is_listed(&self, end: usize, sign: u8) -> bool {
        if sign != b'=' || self.bytes.get(end) != Some(&b')') {
            return false;
        }
        let signs = self.bytes.get(end..).unwrap_or(&[]).iter().take_while(|b| **b == b')').count();
        if self.bytes.get(end + signs..end + signs + 2) != Some(b"=(") {
            return false;
        }
        let lead = self.bytes.get(end.saturating_sub(MAX_LISTED)..end).unwrap_or(&[]);
        let from = lead.windows(5).rposition(|key| key.eq_ignore_ascii_case(b"key (")).map_or(0, |i| i + 5);
        let names = lead.get(from..).unwrap_or(&[]).split(|b| !is_token(*b));
        names.into_iter().any(|name| self.rules.fields.answer(name).hit(Place::Field) == Hit::Yes)
    }

    /// The values that are told beside a statement with a sensitive column: `[parameters: ('x', 1)]`, `-- PARAMETERS: ["x"]`.
    pub(super) fn parameters(&mut self, start: usize, end: usize, after: usize) -> Option<usize> {
        if !is_parameters(self.bytes.get(start..end)?) {
            return None;
        }
        let rest = self.bytes.get(after..)?;
        let gap = rest.iter().take(4).take_while(|b| **b == b' ').count();
        let open = after + gap;
        let rest = rest.get(gap..)?;
        let open = open + if rest.starts_with(b"array{") { "array".len() } else { 0 };
        match self.bytes.get(open)? {
            b'[' | b'(' => {}
            // By place, not by name: `{"1":"x","2":"y"}`.
            b'{' => {
                let inside = self.bytes.iter().skip(open + 1);
                let first = inside.take(16).find(|b| !matches!(b, b' ' | b'"' | b'\'' | b'\\' | b':' | b'$'));
                if !first.is_some_and(u8::is_ascii_digit) {
                    return None;
                }
            }
            _ => return None,
        }
        if !self.has_statement(start) && !self.has_statement_behind(open) {
            return None;
        }
        let (close, end) = self.bracket(open, self.src.len());
        self.replace(open + 1, close);
        Some(end)
    }

    /// Does a statement that names a sensitive column stand behind this place: `[Parameters=[@p0='x'], …] UPDATE …`?
    fn has_statement_behind(&mut self, at: usize) -> bool {
        const VERBS: &[&str] = &["insert", "update", "select", "delete", "merge", "replace", "with", "call", "exec"];
        // Each byte is looked at once, however many lists of values there are.
        let end = (at + MAX_STATEMENT).min(self.src.len());
        let mut from = self.behind.seen.max(at);
        while self.behind.told < at && from < end {
            let rest = self.bytes.get(from..end).unwrap_or(&[]);
            let len = rest.iter().take_while(|b| is_token(**b)).count();
            let word = rest.get(..len).unwrap_or(&[]);
            if VERBS.iter().any(|verb| word.eq_ignore_ascii_case(verb.as_bytes())) {
                self.behind.verb = from;
            } else if len > 0 && self.behind.verb >= at && self.rules.fields.answer(word).hit(Place::Field) == Hit::Yes
            {
                self.behind.told = self.behind.verb;
            }
            from += len + 1;
        }
        self.behind.seen = from;
        self.behind.told >= at
    }

    /// A place that stands for a value of a sensitive column: the values that are told behind the statement are masked, as its
    /// driver or its logger writes them.
    pub(super) fn bound(&mut self, from: usize) {
        let mut at = from.max(self.bound_to);
        let end = (from + MAX_STATEMENT).min(self.src.len());
        let mut line = from;
        while at < end {
            let Some(b) = self.bytes.get(at).copied() else { break };
            let lead = self.bytes.get(at.saturating_sub(MAX_LEAD).max(from)..at).unwrap_or(&[]);
            match b {
                b'\n' => line = at,
                b'[' if lead.ends_with(b"parameter value ") || (lead.ends_with(b"- ") && is_binding(lead)) => {
                    let close = self.logged(at + 1);
                    self.later(at + 1, close);
                    at = close;
                }
                // `[["email", "a"], ["password", "x"]]`: the names tell.
                b'[' if line == from && self.names_columns(at) => {
                    at = self.bracket(at, self.src.len()).1.max(at + 1) - 1
                }
                b'[' | b'(' if line == from && is_list(self.bytes, at) || is_logged_list(lead) => {
                    let (close, next) = self.bracket(at, self.src.len());
                    self.later(at + 1, close);
                    at = next.saturating_sub(1).max(at);
                }
                // `Parameters: jo(String), x(String)`, `parameters: $1 = 'x'`
                b':' if ends_with_word(lead, b"parameters") => {
                    let start = at + 1 + self.bytes.iter().skip(at + 1).take_while(|b| **b == b' ').count();
                    if !matches!(self.bytes.get(start), Some(b'[' | b'(' | b'{' | b'a')) || start == at + 1 {
                        let close = self.told_values(start);
                        self.later(start, close);
                        at = close;
                    }
                }
                // `;@p0 = 'x' [Type: String (0)]`, `-- @0: 'x' (Type = String)`
                b'\'' if is_set(lead) => {
                    let close = self.closing(at + 1, b, 0, self.src.len());
                    self.later(at + 1, close);
                    at = close;
                }
                _ => {}
            }
            at += 1;
        }
        self.bound_to = self.bound_to.max(at);
    }

    /// A list of pairs, the first of which has the name of a column of the statement before it.
    fn names_columns(&self, open: usize) -> bool {
        let rest = self.bytes.get(open..).unwrap_or(&[]);
        let Some(rest) = rest.strip_prefix(b"[[\"") else { return false };
        let name = rest.get(..rest.iter().take(MAX_TAG).take_while(|b| is_token(**b)).count()).unwrap_or(&[]);
        let lead = self.bytes.get(open.saturating_sub(MAX_ENTRY)..open).unwrap_or(&[]);
        !name.is_empty()
            && rest.get(name.len()..).is_some_and(|rest| rest.starts_with(b"\", "))
            && lead.split(|b| !is_token(*b)).any(|word| word.eq_ignore_ascii_case(name))
    }

    /// Where a value in brackets ends that a logger wrote: where the line does, or what it always writes behind a value begins.
    fn logged(&self, start: usize) -> usize {
        let rest = self.bytes.get(start..).unwrap_or(&[]);
        let rest = rest.get(..MAX_STATEMENT).unwrap_or(rest);
        let close = rest.iter().enumerate().position(|(i, b)| {
            let tail = rest.get(i + 1..).unwrap_or(&[]);
            *b == b']'
                && (matches!(tail.first(), None | Some(b'\n' | b'\r' | b'"' | b'\\'))
                    || tail.starts_with(b", value class"))
        });
        let close = start + close.unwrap_or(rest.len());
        (close..=self.src.len()).find(|at| self.src.is_char_boundary(*at)).unwrap_or(close)
    }

    /// Where a list of values without brackets ends: at the end of a line on which no quote is open.
    fn told_values(&self, start: usize) -> usize {
        let mut at = start;
        while let Some(b) = self.bytes.get(at) {
            match b {
                b'\n' | b'\r' => break,
                b'\'' => at = self.closing(at + 1, b'\'', 0, self.src.len()),
                _ => {}
            }
            at += 1;
        }
        at.min(self.src.len())
    }

    /// `binding parameter (2:VARCHAR) <- [x]`, on its own or below a statement that does not tell which values are secret.
    fn binding(&mut self, start: usize, end: usize) -> Option<usize> {
        let lead = self.bytes.get(start.checked_sub("binding ".len())?..start)?;
        if !lead.eq_ignore_ascii_case(b"binding ") {
            return None;
        }
        // Hibernate 6 and 5.
        let (sign, most) = match self.bytes.get(end..end + 2)? {
            b" (" => ("<- [", MAX_LEAD),
            b" [" => ("] - [", commands::MAX_BOUND - "parameter".len()),
            _ => return None,
        };
        let line = self.line_end(end);
        let near = self.bytes.get(end..line.min(end + most + sign.len()))?;
        let open = end + near.windows(sign.len()).position(|w| w == sign.as_bytes())? + sign.len();
        let secret = self.has_statement(start);
        let told = self.question > 0 && self.question + MAX_STATEMENT >= start;
        if told && !secret {
            return None;
        }
        let close = self.logged(open);
        Some(self.replace(open, close).max(end))
    }

    /// A sensitive column that is compared with numbers: `pin IN (1234, 5678)`. `at` is behind the bracket.
    fn numbers(&mut self, start: usize, operator: usize, at: usize) -> Option<usize> {
        let name = self.slice(start, start + self.bytes.iter().skip(start).take_while(|b| is_token(**b)).count());
        if !self.slice(operator, at).contains('(')
            || self.rules.fields.answer(name.as_bytes()).hit(Place::Field) != Hit::Yes
        {
            return None;
        }
        let line = self.line_end(at);
        let rest = self.bytes.get(at..line.min(at + MAX_ENTRY)).unwrap_or(&[]);
        let close = at + rest.iter().position(|b| *b == b')').unwrap_or(rest.len());
        let close = (close..=line).find(|at| self.src.is_char_boundary(*at)).unwrap_or(line);
        if self.slice(at, close).split(',').all(|item| is_placeholder(item.trim(), name)) {
            self.bound(close);
            return Some(close);
        }
        Some(self.replace(at, close).max(at))
    }

    /// Does this text stand right before a place?
    fn follows(&self, at: usize, text: &str) -> bool {
        self.bytes.get(..at).is_some_and(|lead| lead.ends_with(text.as_bytes()))
    }

    /// What a function is given to work with: `crypt('x', gen_salt('bf'))`, `sp_addlogin 'jo', 'x'`.
    fn arguments(&mut self, end: usize) -> Option<usize> {
        if end < self.rows_to {
            return None;
        }
        let rest = self.bytes.get(end..)?;
        let gap = rest.iter().take(4).take_while(|b| **b == b' ').count();
        let mut depth = 0usize;
        let mut at = end + gap;
        let bracket = match self.bytes.get(at)? {
            b'(' => true,
            b'\'' | b'N' | b'@' if gap > 0 => false,
            _ => return None,
        };
        while let Some(b) = self.bytes.get(at) {
            match b {
                b'\'' => {
                    let close = self.closing(at + 1, b'\'', 0, self.src.len());
                    self.later(at + 1, close);
                    at = close;
                }
                b'(' => depth += 1,
                b')' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                }
                b'\n' | b';' if !bracket => break,
                _ => {}
            }
            at += 1;
        }
        self.rows_to = at.min(self.src.len());
        Some(end)
    }

    /// Does a statement that names a sensitive column stand before this place?
    fn has_statement(&mut self, at: usize) -> bool {
        let (seen, _) = self.statement;
        // Each byte is looked at once, however many lists of values there are.
        let mut from = at.saturating_sub(MAX_STATEMENT).max(seen);
        while from < at {
            let rest = self.bytes.get(from..at).unwrap_or(&[]);
            let len = rest.iter().take_while(|b| is_token(**b)).count();
            let word = rest.get(..len).unwrap_or(&[]);
            if len > 0 && self.rules.fields.answer(word).hit(Place::Field) == Hit::Yes {
                self.statement.1 = from + len;
            }
            if self.bytes.get(from + len) == Some(&b'?') && from + len < at {
                self.question = from + len;
            }
            from += len + 1;
        }
        self.statement.0 = at;
        let last = self.statement.1;
        last > 0 && last + MAX_STATEMENT >= at
    }

    /// `('password', 'x')`, as Python shows forms: the value's place.
    pub(super) fn tuple(&mut self, start: usize, end: usize) -> Option<usize> {
        let quote = *self.bytes.get(end).filter(|b| matches!(b, b'\'' | b'"'))?;
        let [bracket, before] = [2, 1].map(|i| start.checked_sub(i).and_then(|at| self.bytes.get(at)).copied());
        if before != Some(quote) || !matches!(bracket, Some(b'(' | b'[')) || self.bytes.get(end + 1) != Some(&b',') {
            return None;
        }
        let rest = self.bytes.get(end + 2..)?;
        let gap = rest.iter().take_while(|b| matches!(b, b' ' | b'b' | b'u' | b'r')).count();
        let value = end + 2 + gap;
        let quote = *self.bytes.get(value).filter(|b| matches!(b, b'\'' | b'"'))?;
        let name = self.slice(start, end);
        if self.rules.fields.answer(name.as_bytes()).hit(Place::Field) == Hit::No || self.is_column(start - 2) {
            return None;
        }
        let close = self.closing(value + 1, quote, 0, self.src.len());
        Some(self.replace(value + 1, close).max(value + 1))
    }

    /// Does a bracket open the columns of a statement? `INSERT INTO "users" ("email", …`
    fn is_column(&self, open: usize) -> bool {
        let lead = self.bytes.get(open.saturating_sub(MAX_LEAD)..open).unwrap_or(&[]).trim_ascii_end();
        let table = lead.iter().rev().take_while(|b| is_token(**b) || matches!(b, b'"' | b'`' | b'[' | b']')).count();
        let lead = lead.get(..lead.len() - table).unwrap_or(&[]).trim_ascii_end();
        table > 0
            && lead.len() >= 4
            && lead.get(lead.len() - 4..).is_some_and(|word| word.eq_ignore_ascii_case(b"into"))
    }
}
