//! Why something was masked: for people who tune the rules. Names, list entries and places; never a value.
//!
//! The rules of an explanation carry a [`Log`], all others none, and it is asked for only where something is replaced.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::names::Place;
use super::{header, json, text, values, Body, Custom, Masked, Rules, PLACEHOLDER};

/// More are counted but not listed.
pub(super) const MOST: usize = 1000;
/// A longer name is content.
const LONGEST_NAME: usize = 100;
/// A path of more bytes is cut.
pub(super) const LONGEST_PATH: usize = 2000;
/// So far before a value its name is looked for.
const LEAD: usize = 400;

/// The entry of a list by which a value was replaced, and whether it is the user's own.
pub(super) type Why = (String, bool);

/// One value that was replaced.
struct Entry {
    path: String,
    at: Option<usize>,
    rule: &'static str,
    why: Option<Why>,
}

/// What is being told.
#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    count: usize,
    kind: &'static str,
    broke_at: Option<usize>,
    prefix: Vec<String>,
    pieces: Vec<(usize, usize)>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Log(Mutex<State>);

impl Log {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A value was replaced. The path goes on from what was entered.
    pub(super) fn add(&self, path: &str, at: Option<usize>, rule: &'static str, why: Option<Why>) {
        let mut state = self.state();
        state.count += 1;
        if state.entries.len() < MOST {
            let path = state.full(path);
            state.entries.push(Entry { path, at, rule, why });
        }
    }

    /// The value at this path is replaced with all that is in it: names in it are no longer shown.
    pub(super) fn swallow(&self, path: &str) {
        let mut state = self.state();
        let path = state.full(path);
        for entry in &mut state.entries {
            if entry.path.strip_prefix(&path).is_some_and(|rest| rest.starts_with(['.', '[', '(', '/'])) {
                entry.path.truncate(path.len());
                entry.path.push('…');
                entry.at = None;
            }
        }
    }

    pub(super) fn enter(&self, path: String) {
        self.state().prefix.push(path);
    }

    pub(super) fn leave(&self) {
        self.state().prefix.pop();
    }

    /// What was told so far, to come back to when what follows is thrown away.
    pub(super) fn mark(&self) -> (usize, usize) {
        let state = self.state();
        (state.entries.len(), state.count)
    }

    pub(super) fn forget(&self, (entries, count): (usize, usize)) {
        let mut state = self.state();
        state.entries.truncate(entries);
        state.count = count;
    }

    /// How the body was understood. What is found out last, of the outermost, counts.
    pub(super) fn kind(&self, kind: &'static str) {
        let mut state = self.state();
        if state.prefix.is_empty() {
            state.kind = kind;
        }
    }

    pub(super) fn broke(&self, at: Option<usize>) {
        let mut state = self.state();
        if state.prefix.is_empty() {
            state.broke_at = at;
        }
    }

    /// text.rs replaces a piece of the text that it was given.
    pub(super) fn piece(&self, start: usize, end: usize) {
        self.state().pieces.push((start, end));
    }
}

impl State {
    fn full(&self, path: &str) -> String {
        let mut full = String::new();
        for part in self.prefix.iter().map(String::as_str).chain([path]) {
            if !full.is_empty() && !part.is_empty() && !part.starts_with(['[', '(', '.']) {
                full.push('.');
            }
            full.push_str(part);
        }
        if full.len() > LONGEST_PATH {
            let end = (0..=LONGEST_PATH).rev().find(|end| full.is_char_boundary(*end)).unwrap_or(0);
            full.truncate(end);
            full.push('…');
        }
        full
    }
}

/// Writes a step by name. `None`, and a name that would itself be masked, is written as the placeholder.
pub(super) fn step(rules: &Rules, name: Option<&str>, path: &mut String) {
    let clean = name.filter(|name| {
        name.len() <= LONGEST_NAME
            && !super::shapes::secret_token(name)
            && values::emails(name).is_empty()
            && !masks_name(rules, name)
    });
    match clean {
        Some(name)
            if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) =>
        {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
        Some(name) => {
            path.push_str("[\"");
            json::escape(name, path);
            path.push_str("\"]");
        }
        None => {
            let _ = write!(path, "[\"{PLACEHOLDER}\"]");
        }
    }
}

/// Would any of this name be masked if it were a text? (Nothing is told of it.)
fn masks_name(rules: &Rules, name: &str) -> bool {
    let mark = rules.mark();
    let found = json::clean_string(rules, name, 0).is_some();
    rules.forget(mark);
    found
}

/// Runs text.rs, and tells of each piece that it replaced.
pub(super) fn masked_text(rules: &Rules, log: &Log, source: &str) -> Option<(String, u32)> {
    log.state().pieces.clear();
    let done = text::mask(rules, source, Place::Field);
    let pieces = std::mem::take(&mut log.state().pieces);
    if done.is_some() {
        for (start, end) in pieces {
            let (rule, why) = reason(rules, source, start, end);
            log.add("", Some(start), rule, why);
        }
    }
    done
}

/// Why text.rs replaced this piece, as far as the piece and what stands before it tell.
pub(super) fn reason(rules: &Rules, source: &str, start: usize, end: usize) -> (&'static str, Option<Why>) {
    let piece = source.get(start..end).unwrap_or("");
    let mut from = start.saturating_sub(LEAD);
    while !source.is_char_boundary(from) {
        from += 1;
    }
    let lead = source.get(from..start).unwrap_or("");
    let value = |kind: &str| ("value", Some((kind.to_owned(), false)));
    if piece.starts_with("-----BEGIN") {
        return value("pem block");
    }
    if lead.ends_with("://") {
        return value("url user");
    }
    // The name before the sign, or that of the element.
    let token = |text: &str| -> usize { text.bytes().rev().take_while(|b| text::is_token(*b)).count() };
    let mut before = lead.trim_end_matches([' ', '\t', '\n', '\r', '"', '\'', '`', '\\', '>', '=', '{', '[']);
    before = before.strip_suffix(':').unwrap_or(before);
    before = before.trim_end_matches([' ', '\t', '"', '\'', '\\', ']', '`', '=']);
    let sign = lead.get(before.len()..).is_some_and(|signs| signs.contains([':', '=', '>']));
    let len = token(before);
    let name = before.get(before.len() - len..).unwrap_or("");
    if sign || before.get(..before.len() - len).is_some_and(|b| b.ends_with(['<', ':'])) {
        let phrase = || {
            let words = before.rsplitn(4, ' ').take(3).map(str::len).scan(0, |sum, len| {
                *sum += len + 1;
                Some(*sum - 1)
            });
            let mut phrases = words.skip(1).filter_map(|len| before.get(before.len() - len..));
            phrases.find_map(|phrase| rules.fields.why_phrase(phrase))
        };
        if let Some(why) = rules.fields.why(name, Place::Param).or_else(phrase) {
            return ("name", Some(why));
        }
        // `<password type="x">…`
        let tag = lead.rsplit_once('<').map_or("", |(_, tag)| tag);
        let element = tag.split([' ', '\t', '\n', '\r', '>', '/']).next().unwrap_or("");
        if let Some(why) = rules.fields.why(element, Place::Field) {
            return ("name", Some(why));
        }
    }
    if super::shapes::is_card(piece.trim()) {
        return value("card number");
    }
    if super::shapes::iban(piece.as_bytes()).is_some() {
        return value("iban");
    }
    if piece.starts_with("eyJ") {
        return value("jwt");
    }
    if super::shapes::is_known(piece.as_bytes()) {
        return value("known token");
    }
    let scheme = lead.trim_end_matches([' ', '\t']);
    let scheme = scheme.get(scheme.len() - token(scheme)..).unwrap_or("").to_ascii_lowercase();
    if ["bearer", "basic", "digest", "negotiate", "apikey", "token"].contains(&scheme.as_str()) {
        return value(&scheme);
    }
    value(if piece.contains('%') { "percent-encoded" } else { "by its form" })
}

/// Explains what [`super::mask_content`] does with a body, as a JSON object; also what was masked, for tests.
pub(super) fn explain(rules: &Rules, custom: Option<&Custom>, body: &Body<'_>) -> (String, Masked) {
    let log = std::sync::Arc::new(Log::default());
    let rules = Rules { log: Some(std::sync::Arc::clone(&log)), ..rules.clone() };
    let masked = match std::str::from_utf8(body.bytes) {
        Ok(lines) if body.essence == "message/http" => {
            log.kind("headers");
            headers(&rules, &log, lines);
            Masked::default()
        }
        _ => super::mask_content(&rules, custom, body),
    };
    let mut state = log.state();
    let mut out = String::from("{\"content_type\":\"");
    json::escape(super::note::safe(&body.essence), &mut out);
    let called = rules.mask_body && custom.is_some() && body.essence != "message/http";
    let kind = match state.kind {
        _ if called => "callback",
        _ if body.essence != "message/http" && !rules.mask_body => "off",
        _ if masked.whole => "described",
        "" if body.bytes.is_empty() => "empty",
        "" => "other",
        kind => kind,
    };
    let _ = write!(out, "\",\"kind\":\"{kind}\",\"size\":{}", body.size);
    if masked.failed_callback {
        state.count = 1;
        state.entries = vec![Entry { path: String::new(), at: None, rule: "callback", why: None }];
    }
    out.push_str(",\"masked\":[");
    for (i, entry) in state.entries.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        entry.write(&mut out);
    }
    // What a format masks without telling is counted all the same.
    let count = state.count.max(masked.fields_masked as usize);
    let _ = write!(out, "],\"fields_masked\":{count}");
    if count > state.count {
        let _ = write!(out, ",\"unlisted\":{}", count - state.count);
    }
    if state.count > state.entries.len() {
        out.push_str(",\"truncated_list\":true");
    }
    if let Some(at) = state.broke_at.filter(|_| !masked.whole) {
        let _ = write!(out, ",\"broke_at\":{at}");
    }
    if masked.whole && !called {
        out.push_str(",\"note\":\"");
        json::escape(&masked.text, &mut out);
        out.push('"');
    }
    out.push('}');
    (out, masked)
}

impl Entry {
    fn write(&self, out: &mut String) {
        out.push_str("{\"path\":\"");
        json::escape(&self.path, out);
        out.push('"');
        if let Some(at) = self.at {
            let _ = write!(out, ",\"at\":{at}");
        }
        let _ = write!(out, ",\"rule\":\"{}\"", self.rule);
        if let Some((entry, own)) = &self.why {
            out.push_str(",\"entry\":\"");
            json::escape(entry, out);
            let _ = write!(out, "\",\"by\":\"{}\"", if *own { "user" } else { "default" });
        }
        out.push('}');
    }
}

/// `Name: value` lines, perhaps under a request's or a status line, as far as the empty line.
fn headers(rules: &Rules, log: &Log, lines: &str) {
    let first = |line: &str| line.starts_with("HTTP/") || line.trim_end().ends_with(" HTTP/1.1");
    for (i, line) in lines.lines().enumerate() {
        let Some((name, value)) = line.split_once(':').filter(|_| !(i == 0 && first(line))) else {
            if line.is_empty() {
                return;
            }
            continue;
        };
        let value = value.trim();
        let mut path = String::new();
        step(rules, Some(name.trim()), &mut path);
        log.enter(path);
        let mark = log.mark();
        let masked = super::mask_header_value(rules, name.trim(), value);
        if masked != value && log.mark() == mark {
            let (rule, why) = header::why(rules, name.trim());
            log.add("", None, rule, why);
        }
        log.leave();
    }
}
