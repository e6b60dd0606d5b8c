//! Elements: what their ends mean for their neighbours.

use super::super::names::{Hit, Place};
use super::html::{kinds_of, HEADING};
use super::{local_name, Frame, Item, Label, Masker, Naming, Slot, MAX_NAMED};

impl<'a> Masker<'a> {
    pub(super) fn same(&self, a: &str, b: &str) -> bool {
        if self.html {
            a.eq_ignore_ascii_case(b)
        } else {
            a == b
        }
    }

    /// Elements of HTML whose end tags may be left out end where the next of them begins.
    pub(super) fn close_implied(&mut self, closes: &[&str]) {
        while self.frames.len() > 1
            && self.frames.last().is_some_and(|f| closes.iter().any(|c| f.name.eq_ignore_ascii_case(c)))
        {
            self.close(true);
        }
    }

    /// The last open element ends: what does it mean for its neighbours, and which of its children were named?
    pub(super) fn close(&mut self, complete: bool) {
        if self.frames.len() < 2 {
            return;
        }
        let Some(mut frame) = self.frames.pop() else { return };
        self.end_cell(frame.content, frame.muted);
        self.settle(&frame, complete);
        let item =
            Item { attributes: frame.attributes, content: (frame.content, self.out.len()), leaf: frame.children == 0 };
        let mut label = std::mem::take(&mut frame.label);
        let mut naming = None;
        let mut named = false;
        let mut why = None;
        if let Label::One(text) = &label {
            let marks = |c: char| c.is_whitespace() || matches!(c, ':' | '=' | '*' | '?' | '"' | '\'');
            let bare = text.trim_matches(marks);
            let sign = text.trim_end_matches(['*', ' ', '"', '\'']).ends_with([':', '=']);
            if self.rules.fields.answer(bare.as_bytes()).hit(Place::Field) == Hit::Yes {
                let heading = self.html && kinds_of(frame.name) & HEADING != 0;
                why = self.why(bare);
                named = matches!(frame.slot, Slot::Name | Slot::Key);
                let names = named || (frame.slot != Slot::Value && self.names(&format!("{bare}: ")));
                if heading && !sign {
                    label = Label::Many;
                } else if names {
                    let local = local_name(frame.name);
                    naming = Some(Naming { local, sign, goes_on: false, inline: false, foreign: false });
                }
            }
        }
        if local_name(frame.name).eq_ignore_ascii_case("dt") {
            self.next_term();
        }
        let Some(parent) = self.frames.last_mut() else { return };
        parent.children += 1;
        if named || (naming.is_some() && !parent.named) {
            parent.why = why;
        }
        parent.named |= named;
        if naming.is_some_and(|n| n.sign) || parent.naming.is_none_or(|n| !n.goes_on) && naming.is_some() {
            parent.naming = naming;
        }
        match frame.slot {
            Slot::Value => {
                parent.has_value = true;
                parent.pending.push(item);
            }
            Slot::Key => parent.keys.push(item),
            _ => {}
        }
        if frame.paired {
            parent.pairs.push(item);
        }
        parent.label.merge(label);
    }

    /// In a list that begins with a `dt`, what stands before the next `dt` belongs to those before it.
    fn next_term(&mut self) {
        let Some(list) = self.frames.last_mut() else { return };
        list.terms |= list.children == 0;
        if !list.terms || list.pending.is_empty() {
            return;
        }
        let term = Frame {
            named: std::mem::take(&mut list.named),
            why: list.why.clone(),
            pending: std::mem::take(&mut list.pending),
            ..Frame::default()
        };
        self.settle(&term, true);
    }

    pub(super) fn settle(&mut self, frame: &Frame<'a>, complete: bool) {
        let mut items: Vec<Item> = Vec::new();
        let small = |i: &&Item| i.leaf || i.content.1 - i.content.0 <= MAX_NAMED;
        if frame.named {
            items.extend(&frame.pending);
        } else if !complete {
            // The name may have been in what is missing.
            items.extend(frame.pending.iter().filter(small));
        }
        let pending = items.len();
        // In a property list what follows a key is its value, whatever its name.
        if !complete || !(frame.has_value || local_name(frame.name) == "dict") {
            items.extend(&frame.keys);
        }
        let keys = if items.len() > pending { pending..items.len() } else { 0..0 };
        if !complete || frame.children.is_multiple_of(2) {
            items.extend(&frame.pairs);
        }
        for (i, item) in items.into_iter().enumerate() {
            self.patches.push(item.content);
            let spans = self.spans.get(item.attributes.0..item.attributes.1).unwrap_or(&[]);
            self.patches.extend(spans);
            if self.rules.explains() {
                let reason = if keys.contains(&i) { ("name", self.why("key")) } else { ("pair", frame.why.clone()) };
                for (start, _) in spans.iter().chain([&item.content]) {
                    self.told.whys.entry(*start).or_insert_with(|| reason.clone());
                }
            }
        }
        if let Some(span) = frame.key_attribute {
            if !complete || !(frame.has_text || frame.has_value) {
                let reason = ("name", self.why("key"));
                self.told.whys.insert(span.0, reason);
                self.patches.push(span);
            }
        }
    }
}
