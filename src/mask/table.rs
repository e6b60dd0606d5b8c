//! Tables (`text/csv`, `text/tab-separated-values`): the first row's names decide what of the rows below is shown.

use std::borrow::Cow;
use std::collections::HashSet;

use super::explain::{self, Why};
use super::json::Rewritten;
use super::names::{Hit, Place, Words};
use super::{json, text, Rules, PLACEHOLDER};

/// A longer text in the first row is no column's name.
const MAX_NAME: usize = 64;
/// More columns than this are no table that is looked at.
const MAX_COLUMNS: usize = 4096;

/// Masks a table; `None` when its first row holds no names. `cut` says that the source is the beginning of something
/// longer.
pub(super) fn mask(rules: &Rules, src: &str, cut: bool, tabs: bool) -> Option<Rewritten> {
    let (lead, separator) = lead_of(src, tabs);
    let mut masker = Masker::new(rules, src, cut, separator);
    masker.out.reserve(src.len() + 16);
    masker.lead(src.get(..lead).unwrap_or(""));
    let mut at = lead;
    let mut first = true;
    let mut heading = true;
    let mut row = Vec::new();
    while at < src.len() {
        let Some(end) = masker.row(at, &mut row) else {
            return (!first).then(|| masker.done(Some(at)));
        };
        let blank = src.get(at..end).unwrap_or("").trim().is_empty();
        if blank {
            masker.out.push_str(src.get(at..end).unwrap_or(""));
            // Another table may follow, with names of its own.
            heading = true;
        } else {
            if heading {
                // A row like those above may be one more of them.
                let alike = !first && row.len() == masker.columns.len();
                let above = if alike { (masker.columns.clone(), masker.slots.clone()) } else { Default::default() };
                if masker.heading(&row, first) {
                    let single = masker
                        .row(end, &mut Vec::new())
                        .is_none_or(|next| next == end || src.get(end..next).unwrap_or("").trim().is_empty());
                    masker.head_row(&row, single, &above);
                } else if alike {
                    masker.body_row(&row);
                } else {
                    return (!first).then(|| masker.done(Some(at)));
                }
                first = false;
                heading = false;
            } else if masker.is_heading_again(&row) {
                let mut above = (masker.columns.clone(), masker.slots.clone());
                if row.len() != above.0.len() {
                    // As of any row that does not fit, only what says a name is shown.
                    above.0 = vec![above.0.contains(&true); row.len()];
                }
                masker.heading(&row, false);
                masker.head_row(&row, false, &above);
            } else {
                masker.body_row(&row);
            }
            masker.out.push_str(src.get(row.last().map_or(at, |c: &Cell| c.end)..end).unwrap_or(""));
        }
        at = end;
    }
    (!first).then(|| masker.done(cut.then_some(src.len())))
}

/// Does text that no type calls a table read as one that has secrets: names in the first row, a sensitive one among
/// them, and as many cells in the second?
pub(super) fn looks_like(rules: &Rules, text: &str) -> bool {
    let (lead, separator) = lead_of(text, false);
    let mut reader = Masker::new(rules, text, false, separator);
    let mut at = lead;
    // The next row, or as much of it as there is on its first line.
    let mut next = |cells: &mut Vec<Cell>| loop {
        let line = text.get(at..).unwrap_or("");
        let len = line.find(['\n', '\r']).map_or(line.len(), |i| i + 1);
        if !line.get(..len).unwrap_or("").trim().is_empty() {
            at = reader.row(at, cells).unwrap_or(at + len);
            return true;
        }
        at += len;
        if len == 0 {
            return false;
        }
    };
    let (mut first, mut second, mut third) = (Vec::new(), Vec::new(), Vec::new());
    if !next(&mut first) || !next(&mut second) || first.len() < 2 {
        return false;
    }
    if first.len() > second.len() && next(&mut third) {
        return false;
    }
    let names: Vec<_> = first.iter().map(|cell| reader.text(cell)).collect();
    let plain = |name: &str| {
        let name = name.trim();
        is_name(name) && name.split(' ').count() <= 3 && !name.contains([':', '.', ',', ';', '!', '?', '('])
    };
    names.iter().all(|name| plain(name))
        && names.iter().any(|name| rules.fields.ask(name, Place::Field, &mut reader.words) != Hit::No)
}

/// What stands before the first row, and the sign between cells: a line may say it (`sep=;`), and comments may come before the table.
fn lead_of(src: &str, tabs: bool) -> (usize, u8) {
    let mut lead = 0;
    loop {
        let rest = src.get(lead..).unwrap_or("");
        let len = rest.find('\n').map_or(rest.len(), |i| i + 1);
        let line = rest.get(..len).unwrap_or("").trim().trim_matches('"');
        if let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', sign] = line.as_bytes() {
            if sign.is_ascii_punctuation() && !matches!(sign, b'"' | b'=' | b'_') {
                return (lead + len, *sign);
            }
        }
        if len == rest.len() || !line.starts_with('#') || line.contains([',', ';', '|', '\t']) {
            return (lead, separator_of(rest, tabs));
        }
        lead += len;
    }
}

/// Why a cell is not shown.
type Hide = Option<(&'static str, Option<Why>)>;

/// A cell in the source, with its quotes.
#[derive(Clone, Copy)]
struct Cell {
    start: usize,
    end: usize,
}

struct Masker<'a> {
    rules: &'a Rules,
    src: &'a str,
    cut: bool,
    separator: u8,
    /// Which columns are not shown, and which hold what another cell of the row names.
    columns: Vec<bool>,
    slots: Vec<bool>,
    /// The names in small letters, and which columns had no word yet that could be a name: a row of names may come again.
    heads: HashSet<String>,
    wordless: Vec<bool>,
    /// What explanations say: the columns' names, as far as they are shown, and the row in hand below them.
    names: Vec<Option<String>>,
    line: Option<usize>,
    out: String,
    fields: u32,
    words: Words,
}

impl<'a> Masker<'a> {
    fn new(rules: &'a Rules, src: &'a str, cut: bool, separator: u8) -> Self {
        Masker {
            rules,
            src,
            cut,
            separator,
            columns: Vec::new(),
            slots: Vec::new(),
            heads: HashSet::new(),
            wordless: Vec::new(),
            names: Vec::new(),
            line: None,
            out: String::new(),
            fields: 0,
            words: Words::default(),
        }
    }

    /// Writes what stands before the table.
    fn lead(&mut self, lead: &str) {
        let rules = self.rules;
        match rules.at(|| "(heading)".to_owned(), || json::clean_string(rules, lead, 0)) {
            Some((clean, fields)) => {
                self.fields = fields;
                self.out.push_str(&clean);
            }
            None => self.out.push_str(lead),
        }
    }

    /// Reads the cells of a row; its end with the line's end. `None` when it is unfinished or not well-formed.
    fn row(&self, start: usize, cells: &mut Vec<Cell>) -> Option<usize> {
        cells.clear();
        let bytes = self.src.as_bytes();
        let mut at = start;
        loop {
            let from = at;
            if bytes.get(at) == Some(&b'"') {
                at += 1;
                loop {
                    match *bytes.get(at)? {
                        b'"' if bytes.get(at + 1) == Some(&b'"') => at += 2,
                        b'"' => break,
                        _ => at += 1,
                    }
                }
                at += 1;
            } else {
                while bytes.get(at).is_some_and(|b| *b != self.separator && !matches!(b, b'\n' | b'\r')) {
                    at += 1;
                }
            }
            if cells.len() >= MAX_COLUMNS {
                return None;
            }
            cells.push(Cell { start: from, end: at });
            match bytes.get(at) {
                Some(b) if *b == self.separator => at += 1,
                Some(b'\n') => return Some(at + 1),
                Some(b'\r') if bytes.get(at + 1) == Some(&b'\n') => return Some(at + 2),
                // At the end of a cut source the `\n` may be missing.
                Some(b'\r') => return Some(at + 1),
                Some(_) => return None,
                None => return (!self.cut).then_some(at),
            }
        }
    }

    fn text(&self, cell: &Cell) -> Cow<'a, str> {
        let raw = self.src.get(cell.start..cell.end).unwrap_or("");
        match raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')) {
            Some(inner) if inner.contains("\"\"") => Cow::Owned(inner.replace("\"\"", "\"")),
            Some(inner) => Cow::Borrowed(inner),
            None => Cow::Borrowed(raw),
        }
    }

    /// Takes a row's cells for the columns' names; `false` when they are none.
    fn heading(&mut self, row: &[Cell], first: bool) -> bool {
        let mut columns = Vec::with_capacity(row.len());
        let mut slots = Vec::with_capacity(row.len());
        let mut names = 0;
        for cell in row {
            let text = self.text(cell);
            let name = text.trim();
            if !name.is_empty() && (!is_name(name) || text::mask(self.rules, name, Place::Field).is_some()) {
                return false;
            }
            names += usize::from(!name.is_empty());
            let hit = self.rules.fields.ask(name, Place::Field, &mut self.words);
            // A value in a line of its own below its name.
            let lines = name.contains(['\n', '\r']) && name.lines().any(|line| self.names(line));
            if lines && !self.rules.fields.ends_sensitive(name) {
                return false;
            }
            let value = is_value(name);
            // What has no name may be anything.
            columns.push(hit == Hit::Yes || name.is_empty());
            slots.push(value);
        }
        // The bare `key` is a name where another column has values.
        let pairs = slots.contains(&true) || row.len() == 2;
        for (column, cell) in columns.iter_mut().zip(row) {
            *column |= !pairs && self.text(cell).trim().eq_ignore_ascii_case("key");
        }
        if !first {
            // It may as well be one more row of the table above.
            if row.len() == self.columns.len() {
                columns.iter_mut().zip(&self.columns).for_each(|(new, old)| *new |= old);
                slots.iter_mut().zip(&self.slots).for_each(|(new, old)| *new |= old);
            }
        }
        self.columns = columns;
        self.slots = slots;
        self.heads = row.iter().map(|cell| self.text(cell).trim().to_lowercase()).collect();
        self.wordless.clear();
        names > 0
    }

    /// Is this row below the names another row of names, with a sensitive one: of a table that was joined to this one? It does not fit, or
    /// repeats a name, or has words where there were none.
    fn is_heading_again(&mut self, row: &[Cell]) -> bool {
        let texts: Vec<Cow<'a, str>> = row.iter().map(|cell| self.text(cell)).collect();
        let fits = row.len() == self.columns.len();
        let above = fits && self.wordless.len() == row.len();
        let words: Vec<bool> = texts.iter().map(|text| is_name(text.trim()) && !text.contains(['\n', '\r'])).collect();
        let new_words = above && row.len() > 2 && words.iter().zip(&self.wordless).any(|(word, none)| *word && *none);
        let repeats = || texts.iter().any(|text| self.heads.contains(&text.trim().to_lowercase()));
        let heading = row.len() > 1
            && words.iter().all(|word| *word)
            && (!fits || new_words || repeats())
            && texts.iter().all(|text| text::mask(self.rules, text.trim(), Place::Field).is_none())
            && texts.iter().any(|text| self.names(text));
        if fits && !heading {
            self.wordless.resize(row.len(), true);
            // (An empty cell says nothing.)
            let cells = texts.iter().zip(words);
            self.wordless
                .iter_mut()
                .zip(cells)
                .for_each(|(none, (text, word))| *none &= !word && !text.trim().is_empty());
        }
        heading
    }

    /// Writes the row of names. `single`: no other row follows, so it may be no such row at all. `above`: the columns and
    /// slots of a table above that this may be one more row of; in those only what says a name is shown.
    fn head_row(&mut self, row: &[Cell], single: bool, above: &(Vec<bool>, Vec<bool>)) {
        let (columns, slots) = above;
        let texts = row.iter().filter(|_| slots.contains(&true)).map(|c| self.text(c)).collect::<Vec<_>>();
        let naming = texts.iter().find(|t| self.names(t));
        let mut before: Option<Cow<'a, str>> = None;
        self.line = None;
        self.names.clear();
        for (i, cell) in row.iter().enumerate() {
            let text = self.text(cell);
            let named = before.filter(|_| single || row.len() == 2);
            let hide = match named {
                Some(name) => Some(("pair", self.why(&name))),
                None if self.names(&text) => None,
                None if columns.get(i) == Some(&true) => Some(("table", None)),
                None if slots.get(i) == Some(&true) => naming.map(|name| ("pair", self.why(name))),
                None => None,
            };
            if self.rules.explains() {
                // What is masked is no name to show.
                self.names.push(hide.is_none().then(|| text.trim().to_owned()));
            }
            before = self.names(&text).then_some(text);
            self.cell(i, cell, hide);
        }
    }

    fn body_row(&mut self, row: &[Cell]) {
        self.line = Some(self.line.map_or(0, |line| line + 1));
        let texts: Vec<Cow<'a, str>> = row.iter().map(|c| self.text(c)).collect();
        let odd = row.len() != self.columns.len() && self.columns.contains(&true);
        let named = row.len() <= 2 || self.slots.contains(&true);
        let naming = texts.iter().find(|t| named && self.names(t));
        // A table of two columns may have its names in the first of them.
        let upright = row.len() == 2 && texts.first().is_some_and(|t| self.names(t));
        for (i, cell) in row.iter().enumerate() {
            let sensitive = self.columns.get(i).copied().unwrap_or(false);
            let value = naming.is_some() && self.slots.get(i).copied().unwrap_or(false);
            let hide = if sensitive {
                let name = self.names.get(i).cloned().flatten();
                Some(("table", name.and_then(|name| self.why(&name))))
            } else if value || (upright && i == 1) {
                Some(("pair", naming.and_then(|name| self.why(name))))
            } else {
                odd.then_some(("table", None))
            };
            self.cell(i, cell, hide);
        }
    }

    fn names(&mut self, text: &str) -> bool {
        let name = text.trim().trim_end_matches(':');
        is_name(name) && self.rules.fields.ask(name, Place::Field, &mut self.words) == Hit::Yes
    }

    fn why(&self, name: &str) -> Option<Why> {
        let name = name.trim().trim_end_matches(':');
        if self.rules.explains() {
            self.rules.fields.why(name, Place::Field)
        } else {
            None
        }
    }

    /// `[3].Password`, `(heading)[1]`.
    fn path(&self, place: usize) -> String {
        let mut path = self.line.map_or("(heading)".to_owned(), |line| format!("[{line}]"));
        let name = self.line.and_then(|_| self.names.get(place)?.as_deref()).filter(|name| !name.is_empty());
        match name {
            Some(name) => explain::step(self.rules, Some(name), &mut path),
            None => path.push_str(&format!("[{place}]")),
        }
        path
    }

    fn cell(&mut self, place: usize, cell: &Cell, hide: Hide) {
        if place > 0 {
            self.out.push(char::from(self.separator));
        }
        let raw = self.src.get(cell.start..cell.end).unwrap_or("");
        let path = if self.rules.explains() { self.path(place) } else { String::new() };
        if let Some((rule, why)) = hide {
            self.rules.tell(&path, rule, || why);
            self.out.push_str(PLACEHOLDER);
            self.fields = self.fields.saturating_add(1);
            return;
        }
        match self.rules.at(|| path, || json::clean_string(self.rules, &self.text(cell), 0)) {
            Some((clean, fields)) => {
                self.fields = self.fields.saturating_add(fields);
                self.out.push('"');
                self.out.push_str(&clean.replace('"', "\"\""));
                self.out.push('"');
            }
            None => self.out.push_str(raw),
        }
    }

    fn done(self, broke_at: Option<usize>) -> Rewritten {
        Rewritten { text: self.out, fields: self.fields, broke_at }
    }
}

/// The sign that stands most often in the first row, outside of quotes.
fn separator_of(src: &str, tabs: bool) -> u8 {
    let mut counts = [(b'\t', 0usize), (b',', 0), (b';', 0), (b'|', 0)];
    let mut quoted = false;
    for b in src.trim_start().bytes() {
        match b {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            b if !quoted => {
                if let Some(count) = counts.iter_mut().find(|c| c.0 == b) {
                    count.1 += 1;
                }
            }
            _ => {}
        }
    }
    if tabs && counts.first().is_some_and(|c| c.1 > 0) {
        return b'\t';
    }
    let mut best = if tabs { (b'\t', 0) } else { (b',', 0) };
    for count in counts {
        if count.1 > best.1 {
            best = count;
        }
    }
    best.0
}

/// Can this be a column's name: words, not a number, an address or a piece of data?
fn is_name(name: &str) -> bool {
    let letters = name.chars().filter(|c| c.is_alphabetic()).count();
    let digits = name.chars().filter(char::is_ascii_digit).count();
    letters > digits
        && name.len() <= MAX_NAME
        // (A name in quotes may have two lines.)
        && !name.chars().any(|c| (c.is_control() && !matches!(c, '\n' | '\r')) || "@={}<>\"\\`".contains(c))
        && !name.contains("://")
}

/// A column of values that another column names.
fn is_value(name: &str) -> bool {
    const WORDS: &str =
        "value|values|val|v|old|new|before|after|from|to|previous|current|data|content|text|default|answer|\
        response";
    let last = name.trim().rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or("").to_ascii_lowercase();
    last.ends_with("value") || WORDS.split('|').any(|w| w == last)
}

#[cfg(test)]
mod tests {
    use super::super::tests_formats::is_linear;
    use super::*;

    fn table(src: &str) -> String {
        let out = mask(&Rules::default(), src, false, false).unwrap();
        assert_eq!(out.broke_at, None, "{src} -> {}", out.text);
        out.text
    }

    #[test]
    fn columns_are_masked_by_their_names() {
        for (src, out) in [
            ("user,password,n\njo,x,1\nal,\"y,\n\"\"z\",2\n", "user,password,n\njo,*,1\nal,*,2\n"),
            ("a;\"E-Mail\";b\r\n1;x;2\r\n", "a;\"E-Mail\";b\r\n1;*;2\r\n"),
            ("a\tpin\n1\t2", "a\tpin\n1\t*"),
            ("a|pin|b\r1|2|3\r", "a|pin|b\r1|*|3\r"),
            ("password\nx\n", "password\n*\n"),
            ("a,b,\n1,2,3\n", "a,b,\n1,2,*\n"),
            ("a,b\n\"{\"\"pin\"\":1}\",token=x\n", "a,b\n\"{\"\"pin\"\":\"\"*\"\"}\",\"token=*\"\n"),
            ("a,b\n\"1 < 2\",https://u:p@h/\n", "a,b\n\"1 < 2\",\"https://*@h/\"\n"),
            // Names in the first column, in a column beside values, in no certain place.
            ("password,hunter2\nuser,jo\n", "password,*\n*,jo\n"),
            ("key,value\ncolor,blue\nApi key:,x\n", "key,value\ncolor,blue\nApi key:,*\n"),
            ("id,name,value,n\n1,pin,x,2\n2,color,y,3\n", "id,name,value,n\n1,pin,*,2\n2,color,y,3\n"),
            ("user,jo,password,hunter2", "user,jo,password,*"),
            // Another row of names below: it does not fit, repeats a name, or has words where there were none.
            ("id,name\n1,jo\nid,password\n2,hunter2\n", "id,name\n1,jo\nid,password\n2,*\n"),
            ("name,id\njo,1\nid,password,name\n2,hunter2,al\n", "name,id\njo,1\nid,password,name\n2,*,al\n"),
            ("a,b,c\n1,2,x\nuser,pin,d\njo,hunter2,4\n", "a,b,c\n1,2,x\nuser,pin,d\njo,*,4\n"),
            (
                "x,pin,b\n1,2,3\nuser,pin,jo,y\n1,hunter2,4,5\n1,2,hunter2\n",
                "x,pin,b\n1,*,3\n*,pin,*,*\n1,*,4,5\n*,*,*\n",
            ),
            ("id;pin\n1;2\nid;pin\n3;\"4\n\n5\"\n", "id;pin\n1;*\nid;pin\n3;*\n"),
            (
                "user,action\njo,login\nal,password reset\nbo,logout\n",
                "user,action\njo,login\nal,password reset\nbo,logout\n",
            ),
            // What stands before the table, and names in two lines.
            ("sep=;\nid;pin\n1;2\n", "sep=;\nid;pin\n1;*\n"),
            ("\"SEP=:\"\r\nid:pin\r\n1:2\r\n", "\"SEP=:\"\r\nid:pin\r\n1:*\r\n"),
            ("# users pin=1\nid,a\n1,2\n", "# users pin=*\nid,a\n1,2\n"),
            ("# users\n# token=1\nid,pin\n1,2\n", "# users\n# token=*\nid,pin\n1,*\n"),
            ("id;\"pass\nword\"\n1;2\n", "id;\"pass\nword\"\n1;*\n"),
            // Rows that do not fit, and a second table.
            ("a,pin\nx,y,hunter2\nhunter2\n", "a,pin\n*,*,*\n*\n"),
            ("a,pin\n1,2\n\n5,hunter2\n\njo,hunter\nal,x\n", "a,pin\n1,*\n\n5,*\n\njo,*\nal,*\n"),
            ("a,name,value\n1,b,c\n\n2,pin,hunter2\nd,pin,hunter\n", "a,name,value\n1,b,c\n\n2,pin,*\nd,pin,*\n"),
            ("a,pin\n1,2\n\na,pin\n3,4\n", "a,pin\n1,*\n\na,pin\n3,*\n"),
            ("a,b\n1,2\n\npin,b\nhunter2,2\n", "a,b\n1,2\n\npin,*\n*,2\n"),
        ] {
            assert_eq!(table(src), out.replace('*', PLACEHOLDER), "{src}");
        }
        for src in ["a,b\n1,2\n", "a, \"b\" ,c\n1,2,3", "First name,Last name\nJo,Doe\n\n", "name\n"] {
            if !src.contains(" \"b") {
                assert_eq!(table(src), src);
            }
        }
    }

    #[test]
    fn a_table_without_names_is_none() {
        for src in [
            "\"pin\nhunter2\",a\n1,2\n",
            "1,2\n3,4\n",
            "\n",
            "a,1\n",
            ",,\n",
            "a@b.c,d\n",
            "{\"a\":1}\n",
            "\"a",
            "a=b,c\n",
        ] {
            assert!(mask(&Rules::default(), src, false, false).is_none(), "{src}");
        }
        assert!(mask(&Rules::default(), "a,b", true, false).is_none());
    }

    #[test]
    fn nothing_is_kept_after_a_break() {
        for (src, kept) in [
            ("a,pin\n1,2\n3,\"hunter2", "a,pin\n1,*\n"),
            ("a,pin\n\"x\"y,hunter2\n", "a,pin\n"),
            ("a,b\n1,2\n\n1@2,hunter2,3\n", "a,b\n1,2\n\n"),
        ] {
            let out = mask(&Rules::default(), src, false, false).unwrap();
            assert_eq!((out.text, out.broke_at.is_some()), (kept.replace('*', PLACEHOLDER), true), "{src}");
        }
        let out = mask(&Rules::default(), "a,b\n1,2\n3,hunt", true, false).unwrap();
        assert_eq!((out.text.as_str(), out.broke_at), ("a,b\n1,2\n", Some(8)));
    }

    #[test]
    fn tables_are_told_from_text() {
        let rules = Rules::default();
        for text in [
            "user,password\njo,x\n",
            "a;Api key\r\n1;2",
            "\"id\"\t\"email\"\n1\t2",
            "id;n;pin\n1;\"a\nb\";x\n",
            "sep=;\nid;pin\n1;x",
            "# a\n\"pass\nword\";b\n1;2",
        ] {
            assert!(looks_like(&rules, text), "{text}");
        }
        for text in [
            "Dear Jo,\nyour password is, well\na",
            "a,b\n1,2",
            "email",
            "email,\n",
            "password: x, y\na, b",
            "my email, ok?\na,b",
        ] {
            assert!(!looks_like(&rules, text), "{text}");
        }
    }

    #[test]
    fn hostile_tables_cost_linear_time() {
        let rules = Rules::default();
        for (lead, piece) in [
            ("a,b\n", "\n"),
            ("a,b\n", "\n\"x\",\n"),
            ("a,b\n", "a,b\n\n"),
            ("a,b\n", "\n\""),
            ("a,b\n", "\"\"\"\","),
            ("", "pin,"),
            ("", "pin\n\n"),
            ("pin\n", "pin\n"),
            ("a,b\n", "pin,b,c\na,pin\n"),
            ("", "#\n"),
            ("pin,b\n", "1,\"\n"),
        ] {
            let text = |len: usize| format!("{lead}{}", piece.repeat(len / piece.len()));
            assert!(is_linear(|text| drop(mask(&rules, text, false, false)), text), "{lead}{piece}");
        }
    }
}
