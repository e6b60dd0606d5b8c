//! What stands between tags: text, CDATA, comments, instructions, scripts.

use std::borrow::Cow;

use super::super::names::Place;
use super::super::{json, note, text, PLACEHOLDER};
use super::entities::{decoded, escape};
use super::html::one_of;
use super::{
    begins_tag, has_tag, mask_at, Broken, Dialect, Masker, Naming, Why, BROKEN_TAIL, MAX_LEAD, MAX_LEVEL, MAX_NAME,
};

impl<'a> Masker<'a> {
    /// Everything up to the next tag: text, CDATA, comments, processing instructions. Text is looked into as a whole,
    /// since what stands between its pieces is nothing to a reader.
    pub(super) fn texts(&mut self) -> Result<(), Broken> {
        let start = self.pos;
        let written = self.out.len();
        let mut text: Cow<'a, str> = Cow::Borrowed("");
        let mut unknown = false;
        // Nothing in it needs a closer look: so far no more than one piece without entities.
        let mut quiet = true;
        while self.pos < self.src.len() {
            let rest = self.rest();
            if !rest.starts_with('<') {
                let raw = rest.get(..rest.find('<').unwrap_or(rest.len())).unwrap_or("");
                let (decoded, odd) = decoded(raw);
                quiet &= self.pos == start
                    && matches!(decoded, Cow::Borrowed(_))
                    && (self.muted.is_some() || self.signs.is_quiet(self.rules, start, start + raw.len()));
                self.pos += raw.len();
                unknown |= odd;
                append(&mut text, decoded);
                self.push(raw);
            } else if rest.starts_with("<!--") {
                self.comment(start, written)?;
            } else if let Some(inner) = rest.strip_prefix("<![CDATA[") {
                let Some(len) = inner.find("]]>") else { return self.unfinished(start, written) };
                let inner = inner.get(..len).unwrap_or("");
                // A browser ends it at the first `>`: what both ways of reading leave open ends the output.
                if self.html && has_tag(inner) {
                    let mark = self.rules.mark();
                    let unclear = self.level >= MAX_LEVEL
                        || mask_at(self.rules, inner, false, Dialect::Html, self.level + 1).broke_at.is_some();
                    self.rules.forget(mark);
                    if unclear {
                        return self.unfinished(start, written);
                    }
                }
                quiet = false;
                append(&mut text, Cow::Borrowed(inner));
                let len = "<![CDATA[".len() + len + "]]>".len();
                self.push(rest.get(..len).unwrap_or(""));
                self.pos += len;
            } else if rest.starts_with("<?") {
                let end = if self.html { rest.find('>').map(|i| i + 1) } else { rest.find("?>").map(|i| i + 2) };
                let Some(len) = end else { return self.unfinished(start, written) };
                let raw = rest.get(..len).unwrap_or("");
                self.pos += len;
                match self.search(raw.get(1..).unwrap_or(""), "(instruction)") {
                    None => self.push(raw),
                    Some(fields) => {
                        self.push(&format!("<?masked {PLACEHOLDER}?>"));
                        self.fields = self.fields.saturating_add(fields);
                    }
                }
            } else if begins_tag(rest.as_bytes()) {
                break;
            } else if self.html {
                self.pos += 1;
                quiet = false;
                append(&mut text, Cow::Borrowed("<"));
                self.push("<");
            } else {
                return self.unfinished(start, written);
            }
        }
        if self.pos > start && self.pos >= self.src.len() && (self.cut || (!self.html && self.frames.len() > 1)) {
            return self.unfinished(start, written);
        }
        if !self.html && self.frames.len() <= 1 && self.muted.is_none() && !text.trim().is_empty() {
            return self.unfinished(start, written);
        }
        self.text_done(text, unknown, quiet, written);
        Ok(())
    }

    /// Leaves out the texts in hand, of which the end is not known.
    fn unfinished(&mut self, start: usize, written: usize) -> Result<(), Broken> {
        if self.muted.is_none() {
            self.out.truncate(written);
        }
        Err(Broken(start))
    }

    fn comment(&mut self, start: usize, written: usize) -> Result<(), Broken> {
        let rest = self.rest();
        let inner = rest.get("<!--".len()..).unwrap_or("");
        let short = ["<!-->", "<!--->"].iter().find(|c| self.html && rest.starts_with(**c));
        let end = match short {
            Some(short) => Some((0, short.len())),
            None => inner.match_indices("--").find_map(|(i, _)| {
                let tail = inner.get(i + 2..).unwrap_or("");
                let sign = if tail.starts_with('>') { 1 } else { 2 };
                (sign == 1 || (self.html && tail.starts_with("!>"))).then_some((i, 4 + i + 2 + sign))
            }),
        };
        let Some((len, whole)) = end else { return self.unfinished(start, written) };
        let inner = inner.get(..len).unwrap_or("");
        self.pos += whole;
        match self.search(inner, "(comment)") {
            None => self.push(rest.get(..whole).unwrap_or("")),
            Some(fields) => {
                self.push("<!-- ");
                self.push(PLACEHOLDER);
                self.push(" -->");
                self.fields = self.fields.saturating_add(fields);
            }
        }
        Ok(())
    }

    /// A text is whole: its raw form stands in the output from `written` on. `quiet`: there is nothing to look for in it.
    fn text_done(&mut self, decoded: Cow<'a, str>, unknown: bool, quiet: bool, written: usize) {
        let trimmed = decoded.trim();
        if trimmed.is_empty() {
            return;
        }
        if let Some(muted) = &self.muted {
            if muted.listen {
                if let Some(frame) = self.frames.last_mut() {
                    frame.label.add(decoded);
                }
            }
            return;
        }
        let (naming, script) = self.frames.last().map_or((None, false), |f| (f.naming, f.script));
        let signs = |c: char| c.is_whitespace() || matches!(c, ':' | '=' | '>' | '-' | '"' | '\'' | '|' | ',' | ';');
        let mut next = None;
        let mut reason = ("unreadable", None);
        let mut hide = self.entities && unknown;
        if let Some(naming) = naming {
            if trimmed.chars().all(signs) {
                // Signs between a name and its value.
                let sign = naming.sign || trimmed.contains([':', '=']);
                if let Some(frame) = self.frames.last_mut() {
                    frame.naming = Some(Naming { sign, ..naming });
                }
                return;
            }
            if naming.sign || trimmed.starts_with([':', '=']) {
                hide = true;
                reason = ("pair", self.why_before());
            }
            next = Some(naming).filter(|n| n.goes_on);
        }
        if self.key_block || (!quiet && trimmed.contains("-----BEGIN ")) {
            if self.key_block {
                hide = true;
                reason = ("value", Some(("pem block".to_owned(), false)));
            }
            let tail = trimmed.rfind("-----BEGIN ").and_then(|i| trimmed.get(i..)).unwrap_or(trimmed);
            self.key_block = !tail.contains("-----END ");
        }
        if hide {
            self.out.truncate(written);
            self.tell(reason.0, || reason.1);
            self.placeholder();
        } else if script {
            self.out.truncate(written);
            self.script(&decoded, "script");
        } else if let Some((clean, fields)) = (!quiet)
            .then(|| self.rules.at(|| self.path(None, None), || json::clean_string(self.rules, &decoded, self.level)))
            .flatten()
        {
            self.out.truncate(written);
            escape(&clean, &mut self.out);
            self.fields = self.fields.saturating_add(fields);
            if clean.ends_with(PLACEHOLDER) || clean.ends_with(BROKEN_TAIL) {
                next = Some(Naming { local: "", sign: true, goes_on: true, inline: true, foreign: false });
            }
        }
        let mut why = self.why_before().filter(|_| next.is_some());
        if self.leads(trimmed) {
            why = self.why_lead(trimmed);
            next = Some(Naming { local: "", sign: true, goes_on: true, inline: false, foreign: false });
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.has_text = true;
            frame.naming = next;
            if !frame.named {
                frame.why = why;
            }
            frame.label.add(if unknown { Cow::Borrowed("password") } else { decoded });
        }
    }

    /// Does this text's end name what follows: `Password: <b>…`, `Bearer <b>…`?
    fn leads(&self, text: &str) -> bool {
        let scheme = |text: &str| {
            let word = text.rsplit(char::is_whitespace).next().unwrap_or("");
            ["bearer", "basic"].iter().any(|s| word.eq_ignore_ascii_case(s))
        };
        match text.as_bytes().last() {
            Some(b':' | b'=' | b'"' | b'\'' | b'>') => {}
            Some(b'r' | b'R' | b'c' | b'C') if scheme(text) => {}
            _ => return false,
        }
        let mut from = text.len().saturating_sub(MAX_LEAD);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        self.names(&format!("{} ", text.get(from..).unwrap_or("")))
    }

    /// The entry by which a text's end names what follows; of `Bearer <b>…` the scheme.
    fn why_lead(&self, text: &str) -> Option<Why> {
        let end = text.trim_end_matches(|c: char| !c.is_alphanumeric());
        let word = end.rsplit(char::is_whitespace).next().unwrap_or("");
        if !self.rules.explains() {
            return None;
        }
        let scheme = || Some((word.to_ascii_lowercase(), false)).filter(|(word, _)| one_of("bearer|basic", word));
        self.rules.fields.why_phrase(end.get(end.len().saturating_sub(MAX_NAME)..).unwrap_or(word)).or_else(scheme)
    }

    /// Would a text with this beginning hide what follows?
    pub(super) fn names(&self, lead: &str) -> bool {
        const PROBE: &str = "Zx0aB9Q=";
        let probed = text::mask(self.rules, &format!("{lead}{PROBE}"), Place::Field);
        probed.is_some_and(|(clean, _)| !clean.contains(PROBE))
    }

    /// A script's text: only JSON is understood.
    fn script(&mut self, decoded: &str, name: &str) {
        let kind = if name.eq_ignore_ascii_case("style") { "text/css" } else { "text/javascript" };
        if json::looks_like(decoded) {
            let mark = self.rules.mark();
            let rules = self.rules;
            let inner = rules.at(|| self.path(None, None) + "(json)", || json::mask(rules, decoded, false, 1));
            if inner.broke_at.is_none() {
                self.fields = self.fields.saturating_add(inner.fields);
                // Only strings hold it, and there it means the same.
                let safe = inner.text.replace("</", "<\\/");
                if self.html {
                    self.out.push_str(&safe);
                } else {
                    escape(&safe, &mut self.out);
                }
                return;
            }
            self.rules.forget(mark);
        }
        self.tell("script", || None);
        let note = note::whole(kind, decoded.len() as u64, "script");
        self.out.push_str(&note);
        self.fields = self.fields.saturating_add(1);
    }

    /// Text in which no tags are read: up to the element's end tag.
    pub(super) fn raw_text(&mut self, name: &'a str) -> Result<(), Broken> {
        let start = self.pos;
        let rest = self.rest();
        let ends = |i: usize| {
            let tail = rest.as_bytes().get(i + 2..).unwrap_or(&[]);
            tail.get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name.as_bytes()))
                && tail.get(name.len()).is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>'))
        };
        let Some(len) = rest.match_indices("</").map(|(i, _)| i).find(|i| ends(*i)) else {
            return Err(Broken(start));
        };
        let raw = rest.get(..len).unwrap_or("");
        let code = ["script", "style"].iter().any(|s| name.eq_ignore_ascii_case(s));
        // A comment inside a script may hold end tags that do not end it.
        if code && raw.rfind("<!--") > raw.rfind("-->") {
            return Err(Broken(start));
        }
        self.pos += len;
        if self.muted.is_some() || raw.trim().is_empty() {
            self.push(raw);
            return Ok(());
        }
        if code {
            self.script(raw, name);
            return Ok(());
        }
        let written = self.out.len();
        let (decoded, unknown) = decoded(raw);
        self.out.push_str(raw);
        self.text_done(decoded, unknown, false, written);
        Ok(())
    }
}

/// Adds a piece to a text; alone it is no copy.
fn append<'a>(text: &mut Cow<'a, str>, piece: Cow<'a, str>) {
    if text.is_empty() {
        *text = piece;
    } else {
        text.to_mut().push_str(&piece);
    }
}
