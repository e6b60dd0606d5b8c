//! Values that other values name: pairs in all their forms, and tables.

use super::strings::{string_end, unescape};
use super::{Frame, Kind, Masker, Quoted, Span, COLUMNS, FLAGGED, MAX_NAMED, SYMMETRIC};
use crate::mask::names::{self, Hit, Place, Slot};

/// A longer string is content, not the name of a field.
pub(super) const MAX_NAME: usize = 64;
/// Nor is one with more blanks or digits.
const MAX_BLANKS: usize = 2;
const MAX_DIGITS: usize = 8;

impl Masker<'_> {
    // ---- pairs

    /// A string where a name may stand. Mostly nobody has to know whether it is a sensitive one: only when there is a value
    /// to be named. Says so where it is asked at once.
    #[inline(always)]
    pub(super) fn name_value(&mut self, start: usize, quoted: Quoted) -> bool {
        let frame = &mut self.frame;
        if frame.lists_columns {
            self.column(start, quoted.end);
            // A path of two may be a pair after all: `{"header": ["Cookie", "x"]}`.
            if !self.frame.heads_rows && !self.frame.names_path {
                return false;
            }
        }
        if !self.frame.object && self.byte(start + 1) == b'-' && self.is_name(start, quoted.end) {
            self.frame.option = self.frame.count + 1;
            return false;
        }
        let frame = &mut self.frame;
        let later = match frame.object {
            true if frame.slot() == Slot::Type => return self.is_type(start, quoted.end),
            true if !matches!(frame.slot(), Slot::Name | Slot::Key) => return false,
            true => true,
            // A pair is most often an array of its own; only in longer ones each name is asked about.
            false if frame.count % 2 == 1 => return false,
            false => frame.count == 0,
        };
        if later && frame.keep_name(start) {
            return false;
        }
        self.is_name(start, quoted.end)
    }

    /// The same for what is more often a type than a name.
    fn is_type(&mut self, start: usize, end: usize) -> bool {
        if self.frame.name.is_of_key() {
            if self.bytes.get(start + 1..end - 1) == Some(b"oct") {
                self.frame.told |= SYMMETRIC;
            }
            return names::has_parts(self.bytes.get(start + 1..end - 1));
        }
        self.is_name(start, end) && {
            let raw = self.src.get(start + 1..end - 1).unwrap_or("");
            // With escapes it is no type.
            raw.contains('\\') || self.rules.fields.ends_sensitive(raw)
        }
    }

    /// Array: does the first element, which nobody asked about yet, name the one in hand? A third element shows that there is more
    /// than a pair.
    #[inline(always)]
    pub(super) fn follows_a_name(&mut self) -> bool {
        match (self.frame.name_count, self.frame.count) {
            (0, _) => false,
            (_, 1) => true,
            _ => {
                if !self.is_named() {
                    self.spans.truncate(self.frame.spans);
                }
                self.frame.named = false;
                false
            }
        }
    }

    /// Is the string at this place a sensitive name?
    pub(super) fn is_name(&mut self, start: usize, end: usize) -> bool {
        let raw = self.src.get(start + 1..end - 1).unwrap_or("");
        let most = |count: usize, what: fn(&u8) -> bool| raw.bytes().filter(what).count() <= count;
        if raw.len() > MAX_NAME || !most(MAX_BLANKS, |b| *b == b' ') || !most(MAX_DIGITS, u8::is_ascii_digit) {
            return false;
        }
        let answer = if raw.contains('\\') {
            unescape(raw, &mut self.scratch);
            self.rules.fields.answer(self.scratch.as_bytes())
        } else {
            self.rules.fields.answer(raw.as_bytes())
        };
        // `["DB_PASSWORD=x", …]` and `["--password=x", …]` have their own value.
        let own = || !self.frame.object && raw.trim_end_matches(['=', ' ']).contains('=');
        let sensitive = answer.hit(Place::Field) == Hit::Yes && !own();
        if sensitive && self.trail.is_some() {
            self.keep_name(raw);
        }
        sensitive
    }

    /// Keeps the name for the explanation of what it masks.
    #[cold]
    fn keep_name(&mut self, raw: &str) {
        let Some(trail) = &mut self.trail else { return };
        let depth = trail.depth();
        let Some(log) = &mut trail.log else { return };
        let mut name = String::new();
        unescape(raw, &mut name);
        let column = self.frame.lists_columns.then_some(self.frame.count);
        log.named(depth, column, self.rules.fields.why(&name, Place::Field));
    }

    /// Is one of the names that are kept a sensitive one?
    pub(super) fn is_named(&mut self) -> bool {
        let names = self.frame.names;
        let count = std::mem::take(&mut self.frame.name_count);
        for start in names.into_iter().take(usize::from(count)) {
            let start = start as usize;
            // (Every character may be written as an escape of six; what is longer is no name.)
            let near = self.bytes.get(..start + 6 * MAX_NAME + 2).unwrap_or(self.bytes);
            self.frame.named |= string_end(near, start).is_some_and(|end| self.is_name(start, end));
        }
        self.frame.named
    }

    /// A container ends (or breaks off): which of its values turned out to be named by a sensitive name?
    #[inline(always)]
    pub(super) fn settle(&mut self, frame: &Frame, complete: bool) {
        if self.spans.len() > frame.spans {
            self.settle_spans(frame, complete);
        }
    }

    #[inline(never)]
    fn settle_spans(&mut self, frame: &Frame, complete: bool) {
        // An array whose first name was asked about has the spans of sensitive names only.
        let asked = !frame.object && frame.name_count == 0;
        let named = asked || self.is_named();
        let pair = frame.count == 2 || (frame.names_only && frame.count.is_multiple_of(2));
        let spans = self.spans.split_off(frame.spans);
        for span in spans {
            // The name may be in what is missing. (Large contents are no named value, and were masked inside.)
            let missing = !complete && (span.scalar || span.end - span.start <= MAX_NAMED);
            let gone = match span.kind {
                Kind::Key => !frame.has_value,
                Kind::Named => named || missing || (frame.told & FLAGGED != 0 && self.is_value(span.start)),
                Kind::Symmetric => frame.told & SYMMETRIC != 0 || (missing && !frame.has_value),
                Kind::Element => named && (pair || !complete),
                Kind::Rows => frame.columns != 0 || frame.wide || missing,
                Kind::RowObjects => frame.columns != 0 || frame.wide,
            };
            if gone {
                self.patches.push((span.start, span.end));
                if let Some(trail) = &mut self.trail {
                    let depth = trail.depth();
                    if let Some(log) = &mut trail.log {
                        let (rule, why) = match span.kind {
                            Kind::Key => ("name", Some(("key".to_owned(), false))),
                            Kind::Rows | Kind::RowObjects => ("table", log.column(usize::MAX)),
                            Kind::Named | Kind::Element if named => ("pair", log.name(depth)),
                            Kind::Named | Kind::Element | Kind::Symmetric => ("pair", None),
                        };
                        log.goes(span.start, rule, why);
                    }
                }
            }
        }
    }

    /// Is `value` the name of what begins at a place of the output? (`content` and the like may be flagged for other reasons.)
    fn is_value(&self, at: usize) -> bool {
        let copied = self.out.len().min(at);
        let from = self.copied + at - copied;
        let ends = |text: &[u8]| {
            let name = text.trim_ascii_end().strip_suffix(b":").map(<[u8]>::trim_ascii_end);
            name.is_some_and(|name| name.ends_with(b"\"value\"") || name.ends_with(b"\"values\""))
        };
        let lead = self.out.as_bytes().get(..copied).unwrap_or(&[]);
        let rest = self.bytes.get(self.copied..from).unwrap_or(&[]);
        let near = |text: &[u8]| text.get(text.len().saturating_sub(MAX_NAME)..).unwrap_or(&[]).to_vec();
        ends(&[near(lead), near(rest)].concat())
    }

    // ---- tables

    /// An array opens at a place: does it list columns, or hold the rows of a table or one of them?
    pub(super) fn open_table(&mut self, inner: &mut Frame, at: usize) {
        inner.start = self.place(at);
        let outer = &mut self.frame;
        if outer.object {
            inner.names_path = matches!(outer.slot(), Slot::Name | Slot::Key);
            inner.lists_columns = outer.slot() == Slot::Columns || inner.names_path;
            inner.of_rows = outer.slot() == Slot::Rows;
            if outer.columns != 0 || outer.wide {
                (inner.columns, inner.wide, inner.rows) = (outer.columns, outer.wide, 1);
            }
            // `{"rows": [{"f": [{"v": "x"}]}]}`: in this one are the cells of a row.
            let rest = self.bytes.get(at + 1..).unwrap_or(&[]);
            if outer.of_rows && rest.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
                if let Some(rows) = self.frames.last_mut() {
                    rows.row_objects = true;
                    (inner.columns, inner.wide, inner.rows) = (rows.columns, rows.wide, 2);
                }
            }
        } else if outer.rows == 1 {
            (inner.columns, inner.wide, inner.rows) = (outer.columns, outer.wide, 2);
        } else if outer.count == 0 && !outer.lists_columns && !self.frames.is_empty() {
            // `[["id", "password"], [1, "x"]]`
            (inner.lists_columns, inner.heads_rows) = (true, true);
            outer.holds_rows = true;
        }
    }

    /// An element of a list of columns.
    fn column(&mut self, start: usize, end: usize) {
        if self.is_name(start, end) {
            self.mark_column();
        }
    }

    /// The element in hand of a list of columns is a sensitive one.
    pub(super) fn mark_column(&mut self) {
        match self.frame.count {
            count @ 0..COLUMNS => self.frame.columns |= 1 << count,
            _ => self.frame.wide = true,
        }
    }

    /// A container was closed, which ends here in the source; `frame` is the one around it again.
    #[inline(always)]
    pub(super) fn close_table(&mut self, closed: &Frame, end: usize) {
        if closed.lists_columns && (closed.columns != 0 || closed.wide) {
            // The first of many pairs is no list of columns: `[["password", "x"], ["user", "jo"]]`.
            if closed.names_path {
                self.frame.named = true;
            } else if !closed.heads_rows {
                self.frame.columns |= closed.columns;
                self.frame.wide |= closed.wide;
            } else if closed.only_strings && (closed.count != 2 || closed.columns & 1 == 0) {
                (self.frame.columns, self.frame.wide, self.frame.rows) = (closed.columns, closed.wide, 1);
            }
        }
        // `{"schema": {"fields": [{"name": "password"}]}, "rows": …}`
        if closed.object && self.frame.object && self.frame.slot() == Slot::Columns {
            self.frame.columns |= closed.columns;
            self.frame.wide |= closed.wide;
        }
        // The names of the columns may come after the rows.
        let allowed = self.trail.as_ref().is_some_and(|trail| trail.is_allowed());
        if (closed.holds_rows || closed.row_objects) && self.frame.object && closed.rows == 0 && !allowed {
            let end = self.place(end);
            let kind = if closed.holds_rows { Kind::Rows } else { Kind::RowObjects };
            self.spans.push(Span { start: closed.start, end, scalar: false, kind });
        }
    }
}
