//! Tables of HTML, and spreadsheets in XML: a row of headings says what stands in the columns below it.

use super::super::names::{Hit, Place};
use super::entities::decoded;
use super::{local_name, Attribute, Masker, Why, MAX_NAME};

/// A cell spans no more columns, and a table has no more that are told apart: what lies beyond counts as the last one.
const MAX_SPAN: usize = 64;
const MAX_COLUMNS: usize = 256;
/// A heading's markup is no longer.
const MAX_HEADING: usize = 1024;

/// An open table.
#[derive(Default)]
pub(super) struct Table {
    /// So many elements were open when it began.
    depth: usize,
    columns: Vec<Column>,
    row: Row,
    /// A row was seen.
    begun: bool,
}

#[derive(Clone, Default)]
struct Column {
    secret: bool,
    why: Option<Why>,
    /// For so many rows, this one included, a cell stands in it.
    held: usize,
}

#[derive(Default)]
struct Row {
    /// So many elements are open where its cells begin; 0: none is open.
    depth: usize,
    head: bool,
    /// The column of the next cell.
    next: usize,
    cells: Vec<Cell>,
}

struct Cell {
    columns: (usize, usize),
    heading: bool,
    /// It has a text that may be a heading's.
    plain: bool,
    secret: bool,
    why: Option<Why>,
}

/// Could this be what a column is called?
fn is_heading(text: &str) -> bool {
    let text = text.trim();
    text.len() <= MAX_NAME
        && text.chars().any(char::is_alphabetic)
        && !text.contains(['@', ':', '=', '/', '{'])
        && text.split_whitespace().count() <= 4
}

impl<'a> Masker<'a> {
    /// An element begins whose frame is not open yet. Is it a cell of a sensitive column?
    pub(super) fn begin_cell(&mut self, local: &str, attributes: &[Attribute]) -> bool {
        let is = |name: &str| local.eq_ignore_ascii_case(name);
        let depth = self.frames.len();
        if is("table") {
            self.tables.push(Table { depth, ..Table::default() });
            return false;
        }
        let row = is("tr") || is("row");
        if self.tables.is_empty() || !(row || is("td") || is("th") || is("cell")) {
            return false;
        }
        // Spreadsheets leave out empty cells.
        let index = attributes.iter().find(|attribute| local_name(self.slice(attribute.name)) == "Index");
        let index = index.and_then(|index| index.value).and_then(|value| self.slice(value).parse().ok());
        let index = index.map_or(0, |index: usize| index.saturating_sub(1)).min(MAX_COLUMNS);
        let [columns, rows] = ["colspan", "rowspan"].map(|name| self.span_of(attributes, name));
        let head = self.frames.last().is_some_and(|frame| local_name(frame.name).eq_ignore_ascii_case("thead"));
        let Some(table) = self.tables.last_mut() else { return false };
        if row {
            table.row = Row { depth: depth + 1, head, ..Row::default() };
            table.columns.iter_mut().for_each(|column| column.held = column.held.saturating_sub(1));
            return false;
        }
        if table.row.depth != depth {
            return false;
        }
        let held = |column: &Column| column.held > 0;
        let start = table.columns.iter().skip(table.row.next).take_while(|column| held(column)).count();
        let start = (table.row.next + start).max(index).min(MAX_COLUMNS - 1);
        let end = (start + columns).min(MAX_COLUMNS);
        if table.columns.len() < end {
            table.columns.resize(end, Column::default());
        }
        let mut secret = None;
        for column in table.columns.iter_mut().take(end).skip(start) {
            column.held = rows;
            if column.secret && secret.is_none() {
                secret = Some(column.why.clone());
            }
        }
        table.row.next = end;
        let heading = is("th");
        table.row.cells.push(Cell { columns: (start, end), heading, plain: false, secret: false, why: None });
        // (The second row of headings.)
        if heading && table.row.head {
            return false;
        }
        let found = secret.is_some();
        self.column_why = secret.flatten();
        found
    }

    /// How many columns or rows a cell spans.
    fn span_of(&self, attributes: &[Attribute], name: &str) -> usize {
        let attribute = attributes.iter().find(|attribute| self.slice(attribute.name).eq_ignore_ascii_case(name));
        let value = attribute.and_then(|attribute| attribute.value).map_or("", |value| self.slice(value));
        match value.trim().parse() {
            // To the last row.
            Ok(0) if name == "rowspan" => usize::MAX,
            Ok(n) => usize::clamp(n, 1, MAX_SPAN),
            Err(_) if value.bytes().all(|b| b.is_ascii_digit()) && !value.is_empty() => MAX_SPAN,
            Err(_) => 1,
        }
    }

    /// An element has ended, and its frame is closed: its content is in the output from `content` on.
    pub(super) fn end_cell(&mut self, content: usize, muted: bool) {
        let depth = self.frames.len();
        let Some(table) = self.tables.last_mut() else { return };
        if depth <= table.depth {
            self.tables.pop();
        } else if depth == table.row.depth {
            self.end_heading(content, muted);
        } else if depth + 1 == table.row.depth {
            self.end_row();
        }
    }

    fn end_heading(&mut self, content: usize, muted: bool) {
        let written = self.out.get(content..).filter(|written| written.len() <= MAX_HEADING).unwrap_or("");
        // The texts between tags, each and together.
        let texts: Vec<&str> =
            written.split('<').map(|tag| tag.split_once('>').map_or(tag, |(_, text)| text)).collect();
        let texts: Vec<&str> = texts.into_iter().filter(|text| !text.trim().is_empty()).collect();
        let whole = texts.join(" ");
        let plain = !texts.is_empty() && is_heading(&decoded(&whole).0);
        let mut secret = muted;
        let mut why = None;
        for text in texts.into_iter().chain([whole.as_str()]) {
            let text = decoded(text).0;
            if !secret && self.rules.fields.answer(text.trim().as_bytes()).hit(Place::Field) == Hit::Yes {
                secret = true;
                why = self.why(text.trim());
            }
        }
        let cell = self.tables.last_mut().and_then(|table| table.row.cells.last_mut());
        if let Some(cell) = cell {
            (cell.plain, cell.secret, cell.why) = (plain, secret, why);
        }
    }

    /// A row is whole: is it one of headings?
    fn end_row(&mut self) {
        let Some(table) = self.tables.last_mut() else { return };
        let Row { head, cells, .. } = std::mem::take(&mut table.row);
        let first = !std::mem::replace(&mut table.begun, true);
        // Without `th` the first row is one, if it has names only. (`Password | x` is a name and a value.)
        let pair = || matches!(cells.as_slice(), [one, _] if one.secret);
        let names = || first && cells.len() > 1 && cells.iter().all(|cell| cell.plain) && !pair();
        if !head && !cells.iter().all(|cell| cell.heading) && !names() {
            return;
        }
        for Cell { columns: (start, end), secret, why, .. } in cells {
            for column in table.columns.iter_mut().take(end).skip(start).filter(|_| secret) {
                column.secret = true;
                column.why = why.clone();
            }
        }
    }
}
