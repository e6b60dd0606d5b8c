//! Tags: read, and written with what is to be masked in them.

use std::borrow::Cow;

use super::super::names::{Hit, Place};
use super::super::{json, PLACEHOLDER};
use super::entities::{decoded, escape};
use super::html::{is_secret, Asked, BLOCK, CONTROL, HARMLESS, HTML, INLINE, RAW_TEXT, VOID};
use super::{
    is_plain, secret_name, Attribute, Broken, Frame, Label, Masker, Muted, Naming, Reason, Slot, MAX_DEPTH, MAX_NAME,
    MAX_TAG,
};

impl<'a> Masker<'a> {
    /// `<!DOCTYPE …>`; its own declarations are not shown. What else begins so in HTML is a comment.
    pub(super) fn declaration(&mut self) -> Result<(), Broken> {
        let start = self.pos;
        let rest = self.rest();
        let doctype = rest.as_bytes().get(2..9).is_some_and(|d| d.eq_ignore_ascii_case(b"doctype"));
        if !self.html && (!doctype || !self.open.is_empty()) {
            return Err(Broken(start));
        }
        let mut quote = None;
        let mut subset = false;
        let mut end = None;
        let mut at = 2;
        while let Some(b) = rest.as_bytes().get(at).copied() {
            match quote {
                Some(q) if b == q => quote = None,
                Some(_) if b == b'>' && self.html => return Err(Broken(start)),
                Some(_) => {}
                None => match b {
                    b'"' | b'\'' if doctype => quote = Some(b),
                    b'[' if doctype && self.html => return Err(Broken(start)),
                    b'[' if doctype => subset = true,
                    b']' => subset = false,
                    b'<' if subset => {
                        let tail = rest.get(at..).unwrap_or("");
                        let close = match tail {
                            t if t.starts_with("<!--") => Some("-->"),
                            t if t.starts_with("<?") => Some("?>"),
                            _ => None,
                        };
                        if let Some(close) = close {
                            let Some(len) = tail.get(2..).and_then(|t| t.find(close)) else {
                                return Err(Broken(start));
                            };
                            at += 2 + len + close.len();
                            self.entities = true;
                            continue;
                        }
                        self.entities = true;
                    }
                    // As in a tag.
                    b'<' => return Err(Broken(start)),
                    b'>' if !subset => {
                        end = Some(at + 1);
                        break;
                    }
                    _ => {}
                },
            }
            at += 1;
        }
        let Some(end) = end else { return Err(Broken(start)) };
        self.pos += end;
        let raw = rest.get(..end).unwrap_or("");
        if raw.contains('[') {
            self.rules.tell("(doctype)", "unreadable", || None);
            self.entities = true;
            let root: String =
                raw.get(9..).unwrap_or("").trim_start().chars().take_while(|c| is_plain(*c)).take(MAX_NAME).collect();
            self.push(&format!("<!DOCTYPE {root} [<!-- {PLACEHOLDER} -->]>"));
            self.fields = self.fields.saturating_add(1);
        } else {
            let rules = self.rules;
            let found = rules.at(|| "(doctype)".to_owned(), || json::clean_plain(rules, raw, self.level));
            rules.swallow("(doctype)");
            match found {
                None => self.push(raw),
                Some((_, fields)) => {
                    self.push("<!-- ");
                    self.push(PLACEHOLDER);
                    self.push(" -->");
                    self.fields = self.fields.saturating_add(fields);
                }
            }
        }
        Ok(())
    }

    pub(super) fn end_tag(&mut self) -> Result<(), Broken> {
        let start = self.pos;
        let rest = self.rest();
        let Some(len) = rest.find('>') else { return Err(Broken(start)) };
        let inner = rest.get(2..len).unwrap_or("");
        // Another tag begins in this one: a browser takes no notice, but readers may.
        if inner.contains('<') {
            return Err(Broken(start));
        }
        let name = inner.split(|c: char| c.is_ascii_whitespace() || c == '/').next().unwrap_or("");
        if self.html {
            self.pos += len + 1;
            if let Some(muted) = &mut self.muted {
                if !muted.name.eq_ignore_ascii_case(name) {
                    return Ok(());
                }
                muted.count -= 1;
                if muted.count > 0 {
                    return Ok(());
                }
                self.muted = None;
                self.close(true);
            } else {
                let found = self.frames.iter().skip(1).rposition(|f| f.name.eq_ignore_ascii_case(name));
                if let Some(at) = found {
                    while self.frames.len() > at + 1 {
                        self.close(true);
                    }
                } else if name.len() > MAX_NAME || is_secret(self.rules, name) {
                    self.tell("value", secret_name);
                    self.fields = self.fields.saturating_add(1);
                    return Ok(());
                }
            }
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
            return Ok(());
        }
        if self.open.pop() != Some(name) || !inner.get(name.len()..).unwrap_or("").trim().is_empty() {
            return Err(Broken(start));
        }
        self.pos += len + 1;
        if let Some(muted) = &self.muted {
            if self.open.len() > muted.count {
                return Ok(());
            }
            self.muted = None;
        }
        self.close(true);
        self.out.push_str(rest.get(..=len).unwrap_or(""));
        Ok(())
    }

    pub(super) fn start_tag(&mut self) -> Result<(), Broken> {
        let start = self.pos;
        let (name, end, slash) = self.read_tag().ok_or(Broken(start))?;
        if has_stray_tag(self.src.get(start + 1..end).unwrap_or("")) {
            return Err(Broken(start));
        }
        self.pos = end;
        let asked = self.ask(name);
        let raw_text = self.html && asked.is(RAW_TEXT);
        let void = self.html && asked.is(VOID);
        let empty = (slash && !raw_text) || void;
        if let Some(muted) = &mut self.muted {
            if !empty {
                if self.html && muted.name.eq_ignore_ascii_case(name) {
                    muted.count += 1;
                }
                if !self.html {
                    self.open.push(name);
                }
                if raw_text {
                    return self.raw_text(name);
                }
            }
            return Ok(());
        }
        if self.html {
            self.close_implied(asked.closes);
        }
        if asked.secret {
            return Err(Broken(start));
        }
        let local = asked.local;
        let attributes = std::mem::take(&mut self.attributes);
        let named = self.naming_attribute(&attributes, &asked);
        // Named by what stands before it?
        let naming = self.frames.last().and_then(|f| f.naming);
        let mut by_neighbour = false;
        let mut paired = false;
        let mut goes_on = None;
        if let Some(naming) = naming {
            let same = self.same(naming.local, local);
            let names = matches!(asked.slot, Slot::Name | Slot::Key);
            let meant = !(names || (naming.foreign && asked.is(HTML)));
            if naming.goes_on {
                let inline = !self.html || asked.is(INLINE);
                by_neighbour = inline || (meant && !naming.inline);
                goes_on = Some(naming).filter(|_| inline);
            } else if same && !naming.sign {
                paired = !local.eq_ignore_ascii_case("th");
            } else {
                by_neighbour = meant;
            }
        }
        let deep = self.frames.len() > MAX_DEPTH;
        let by_column = self.begin_cell(local, &attributes);
        let mute = asked.sensitive || named.is_some_and(|n| n.content) || by_neighbour || by_column || deep;
        let mut frame = Frame { name, slot: asked.slot, paired, ..Frame::default() };
        frame.script = !self.html && matches!(local, "script" | "style");
        let hide = if asked.sensitive {
            Hide::All
        } else if mute || named.is_some() {
            Hide::Values
        } else {
            Hide::None
        };
        let reason = match named.filter(|n| n.content || !mute) {
            _ if !self.rules.explains() || hide == Hide::None => ("name", None),
            _ if asked.sensitive => ("name", self.why(local)),
            Some(named) => {
                let name = self.decoded(&attributes, named.attribute);
                let sent = || self.rules.fields.why(name.trim(), Place::Param);
                ("pair", self.why(&name).or_else(sent))
            }
            None if by_column => ("table", self.column_why.take()),
            None if by_neighbour => ("pair", self.why_before()),
            None => ("nesting", None),
        };
        let spans = self.spans.len();
        let has_value = self.write_tag(name, (start, end), slash, &attributes, hide, named, &mut frame, &reason);
        frame.attributes = (spans, self.spans.len());
        self.attributes = attributes;
        if let Some(parent) = self.frames.last_mut() {
            parent.naming = goes_on;
        }
        frame.content = self.out.len();
        if self.rules.explains() && (frame.paired || frame.slot != Slot::None) {
            self.told.paths.insert(frame.content, self.path(Some(name), None));
        }
        if empty && has_value {
            frame.key_attribute = None;
        }
        frame.has_value = has_value;
        if mute && !by_neighbour {
            frame.label = Label::Many;
        }
        // What closes itself although it may have content: the next sibling may be that.
        let loose = empty && self.html && (self.level == 0 || void);
        let follows = loose && ((named.is_some() && !has_value) || ((asked.sensitive || by_column) && !void));
        self.frames.push(frame);
        if empty {
            self.close(true);
            if follows {
                if let Some(parent) = self.frames.last_mut() {
                    parent.why = reason.1;
                    parent.naming =
                        Some(Naming { local: "", sign: true, goes_on: false, inline: false, foreign: void });
                }
            }
            return Ok(());
        }
        if mute {
            if let Some(frame) = self.frames.last_mut() {
                frame.has_text = true;
                frame.muted = true;
            }
            self.tell(reason.0, || reason.1);
            self.placeholder();
            let count = if self.html { 1 } else { self.open.len() };
            self.muted = Some(Muted { name, count, listen: by_neighbour });
        }
        if !self.html {
            self.open.push(name);
        }
        if raw_text {
            return self.raw_text(name);
        }
        Ok(())
    }

    /// Reads a start tag: its name, its end, and whether it closes itself; its attributes go to `attributes`.
    fn read_tag(&mut self) -> Option<(&'a str, usize, bool)> {
        self.attributes.clear();
        let bytes = self.src.as_bytes();
        let blank = |b: u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0C);
        let mut at = self.pos + 1;
        let first = at;
        while bytes.get(at).is_some_and(|b| !blank(*b) && !matches!(b, b'/' | b'>')) {
            at += 1;
        }
        let name = self.src.get(first..at)?;
        if name.len() > MAX_TAG || (!self.html && !self.ask(name).plain) {
            return None;
        }
        loop {
            let before = at;
            while bytes.get(at).is_some_and(|b| blank(*b)) {
                at += 1;
            }
            let apart = at > before;
            match *bytes.get(at)? {
                b'>' => return Some((name, at + 1, false)),
                b'/' if bytes.get(at + 1) == Some(&b'>') => return Some((name, at + 2, true)),
                b'/' if self.html => {
                    at += 1;
                    continue;
                }
                _ if !self.html && !apart => return None,
                _ => {}
            }
            let start = at;
            at += 1;
            while bytes.get(at).is_some_and(|b| !blank(*b) && !matches!(b, b'/' | b'>' | b'=')) {
                at += 1;
            }
            let mut attribute = Attribute { name: (start, at), value: None, quoted: false, apart };
            let key = self.src.get(start..at)?;
            if key.len() > MAX_TAG || (!self.html && !self.ask(key).plain) {
                return None;
            }
            let after_name = at;
            while bytes.get(at).is_some_and(|b| blank(*b)) {
                at += 1;
            }
            if *bytes.get(at)? != b'=' {
                if !self.html {
                    return None;
                }
                at = after_name;
                self.attributes.push(attribute);
                continue;
            }
            at += 1;
            while bytes.get(at).is_some_and(|b| blank(*b)) {
                at += 1;
            }
            match *bytes.get(at)? {
                quote @ (b'"' | b'\'') => {
                    let from = at + 1;
                    let len = bytes.get(from..)?.iter().position(|b| *b == quote || (!self.html && *b == b'<'))?;
                    at = from + len;
                    if bytes.get(at) != Some(&quote) {
                        return None;
                    }
                    attribute.value = Some((from, at));
                    attribute.quoted = true;
                    at += 1;
                }
                _ if !self.html => return None,
                _ => {
                    let from = at;
                    while bytes.get(at).is_some_and(|b| !blank(*b) && *b != b'>') {
                        at += 1;
                    }
                    attribute.value = Some((from, at));
                }
            }
            self.attributes.push(attribute);
        }
    }

    /// Does an attribute name what this element holds?
    fn naming_attribute(&mut self, attributes: &[Attribute], element: &Asked<'a>) -> Option<Named> {
        let mut found: Option<Named> = None;
        for (i, attribute) in attributes.iter().enumerate() {
            let Some(value) = attribute.value else { continue };
            let asked = self.ask(self.slice(attribute.name));
            if value.1 - value.0 > MAX_NAME * 4 || !matches!(asked.slot, Slot::Name | Slot::Key) {
                continue;
            }
            let (decoded, unknown) = decoded(self.slice(value));
            // `urn:oid:mail`, `/user/password`, `xs:password`: words of any of these count.
            let answer = self.rules.fields.answer(decoded.trim().as_bytes());
            // What a page's form sends under this name is masked in the form as well.
            let sent = element.is(CONTROL) && asked.local.eq_ignore_ascii_case("name") && self.is_page();
            let hit = unknown
                || (decoded.len() <= MAX_NAME
                    && (answer.hit(Place::Field) == Hit::Yes || (sent && answer.hit(Place::Param) != Hit::No)));
            if !hit {
                continue;
            }
            // On a page, the id of a block or what a label is for says less.
            let weak = ["id", "type", "for", "label", "path", "kind", "autocomplete"]
                .iter()
                .any(|w| asked.local.eq_ignore_ascii_case(w));
            let content = if self.html && weak && element.is(HTML) {
                !element.is(BLOCK) && self.names(&format!("{}: ", decoded.trim()))
            } else {
                !(self.html && element.is(BLOCK))
            };
            let hit = Named { attribute: i, content };
            found = Some(found.map_or(hit, |f| Named { content: f.content || hit.content, ..f }));
        }
        found
    }

    /// HTML, or written as XML.
    fn is_page(&self) -> bool {
        self.html || self.frames.get(1).is_some_and(|root| root.name.eq_ignore_ascii_case("html"))
    }

    /// An attribute's value without entities.
    fn decoded(&self, attributes: &[Attribute], place: usize) -> Cow<'a, str> {
        let value = attributes.get(place).and_then(|attribute| attribute.value);
        value.map_or(Cow::Borrowed(""), |value| decoded(self.slice(value)).0)
    }

    /// Writes a start tag. Says whether it has an attribute for values.
    #[allow(clippy::too_many_arguments)]
    fn write_tag(
        &mut self,
        name: &'a str,
        (start, end): (usize, usize),
        slash: bool,
        attributes: &[Attribute],
        hide: Hide,
        named: Option<Named>,
        frame: &mut Frame<'a>,
        reason: &Reason,
    ) -> bool {
        let rules = self.rules;
        let mut has_value = false;
        let mut copied = start + 1 + name.len();
        // In a masked tag of HTML a stray quote makes pieces of a value look like attributes.
        let mut stray = false;
        self.out.push('<');
        self.out.push_str(name);
        for (i, attribute) in attributes.iter().enumerate() {
            let whole = self.slice(attribute.name);
            let namespace = whole == "xmlns" || whole.starts_with("xmlns:");
            let asked = self.ask(whole);
            let local = asked.local;
            let harmless = asked.is(HARMLESS);
            stray |= !attribute.apart;
            let Some(value) = attribute.value else {
                let drop = hide != Hide::None && (stray || !harmless) || asked.secret;
                if drop {
                    self.tell_dropped(name, hide, reason);
                    self.fields = self.fields.saturating_add(1);
                } else {
                    self.out.push_str(self.slice((copied, attribute.name.1)));
                }
                copied = attribute.name.1;
                continue;
            };
            let quotes = usize::from(attribute.quoted);
            let after = value.1 + quotes;
            if (hide != Hide::None && self.html && (stray || !asked.plain)) || asked.secret {
                self.tell_dropped(name, hide, reason);
                self.fields = self.fields.saturating_add(1);
                copied = after;
                continue;
            }
            let naming = named.is_some_and(|n| n.attribute == i);
            has_value |= asked.slot == Slot::Value;
            let raw = self.slice(value);
            let keep = namespace
                || match hide {
                    Hide::None => !asked.sensitive,
                    Hide::Values => !asked.sensitive && (naming || (self.html && harmless)),
                    Hide::All => local == "Type" && raw.starts_with("http://docs.oasis-open.org/wss/"),
                };
            self.out.push_str(self.slice((copied, value.0)));
            copied = after;
            let from = self.out.len();
            let path = self.path(Some(name), Some(whole));
            if !keep {
                match asked.sensitive {
                    true => rules.tell(&path, "name", || self.why(local)),
                    false => rules.tell(&path, reason.0, || reason.1.clone()),
                }
                self.placeholder();
            } else {
                let (decoded, unknown) = decoded(raw);
                let quiet = matches!(decoded, Cow::Borrowed(_)) && self.signs.is_quiet(rules, value.0, value.1);
                if self.entities && unknown {
                    rules.tell(&path, "unreadable", || None);
                    self.placeholder();
                } else if let Some((clean, fields)) = (!quiet)
                    .then(|| rules.at(|| path.clone(), || json::clean_string(rules, &decoded, self.level)))
                    .flatten()
                {
                    self.fields = self.fields.saturating_add(fields);
                    if attribute.quoted {
                        escape(&clean, &mut self.out);
                    } else {
                        self.out.push('"');
                        escape(&clean, &mut self.out);
                        self.out.push('"');
                    }
                } else {
                    self.out.push_str(raw);
                }
                if asked.slot == Slot::Value && matches!(frame.slot, Slot::Name | Slot::Key) {
                    frame.label.add(decoded);
                }
            }
            let written = (from, self.out.len());
            if rules.explains() {
                self.told.paths.insert(from, path);
            }
            self.out.push_str(self.slice((value.1, after)));
            if !namespace {
                self.spans.push(written);
            }
            if asked.slot == Slot::Key && keep {
                frame.key_attribute = Some(written);
            }
        }
        if hide != Hide::None && self.html {
            self.out.push_str(if slash { "/>" } else { ">" });
        } else {
            self.out.push_str(self.slice((copied, end)));
        }
        has_value
    }

    /// An attribute is left out with its name.
    fn tell_dropped(&self, element: &str, hide: Hide, reason: &Reason) {
        if self.rules.explains() {
            let (rule, why) = if hide == Hide::None { ("value", secret_name()) } else { reason.clone() };
            self.rules.tell(&self.path(Some(element), None), rule, || why);
        }
    }
}

/// An attribute that names its element's value, and whether the element's content is meant too.
#[derive(Clone, Copy)]
struct Named {
    attribute: usize,
    content: bool,
}

/// What of a tag is not shown.
#[derive(Clone, Copy, PartialEq)]
enum Hide {
    None,
    /// All values but those that are certain to be none.
    Values,
    All,
}

/// Does another tag begin in this one, outside of quoted values?
fn has_stray_tag(tag: &str) -> bool {
    // (Hardly any tag has the sign.)
    if !tag.contains('<') {
        return false;
    }
    let mut quote = None;
    let mut last = 0;
    for b in tag.bytes() {
        match (quote, b) {
            (Some(q), b) if b == q => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') if last == b'=' => quote = Some(b),
            (None, b'<') => return true,
            _ => {}
        }
        if !b.is_ascii_whitespace() {
            last = b;
        }
    }
    false
}
