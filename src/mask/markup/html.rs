//! The names that mean something in markup.

use super::super::names::{self, Hit, Place, Words};
use super::super::{text, Rules};
use super::{is_plain, local_name, Slot};

/// No element of HTML's and no attribute that is listed below has a longer name.
const LONGEST: usize = 16;

/// Elements that have no content.
pub(super) const VOID: u8 = 1;
/// Elements in which no tags are read.
pub(super) const RAW_TEXT: u8 = 2;
/// Elements that hold parts of a page, not one value.
pub(super) const BLOCK: u8 = 4;
/// Elements that are part of a line of text.
pub(super) const INLINE: u8 = 8;
/// Elements whose text is about what follows, not its name.
pub(super) const HEADING: u8 = 16;
/// Attributes that hold no value of a field.
pub(super) const HARMLESS: u8 = 32;
/// Elements of HTML.
pub(super) const HTML: u8 = 64;
/// Elements that send a value with a form.
pub(super) const CONTROL: u8 = 128;

/// What HTML means by this name, in any case.
pub(super) fn kinds_of(name: &str) -> u8 {
    let mut lower = [0; LONGEST];
    let Some(lower) = lower.get_mut(..name.len()) else { return 0 };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"input" => VOID | CONTROL | HTML,
        b"textarea" => RAW_TEXT | CONTROL | HTML,
        b"select" => CONTROL | HTML,
        b"form" => BLOCK | HARMLESS | HTML,
        b"head" | b"nav" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => BLOCK | HEADING | HTML,
        b"html" | b"body" | b"div" | b"fieldset" | b"section" | b"article" | b"main" | b"header" | b"footer"
        | b"aside" | b"table" | b"ul" | b"ol" | b"dl" | b"pre" | b"blockquote" | b"details" | b"template" => {
            BLOCK | HTML
        }
        b"type" | b"id" | b"class" | b"name" | b"for" | b"itemprop" | b"http-equiv" | b"autocomplete" | b"required"
        | b"disabled" | b"readonly" | b"autofocus" | b"checked" | b"selected" | b"hidden" | b"multiple"
        | b"novalidate" | b"maxlength" | b"minlength" | b"size" | b"rows" | b"cols" | b"tabindex" | b"method"
        | b"role" | b"lang" | b"dir" | b"colspan" | b"rowspan" => HARMLESS,
        b"summary" => HEADING,
        b"button" | b"legend" | b"caption" | b"option" => HEADING | HTML,
        b"p" | b"li" | b"dt" | b"dd" | b"td" | b"th" | b"tr" | b"tbody" | b"thead" | b"tfoot" | b"label"
        | b"optgroup" | b"iframe" | b"svg" | b"video" | b"audio" | b"canvas" | b"figure" | b"figcaption"
        | b"center" | b"noscript" | b"output" | b"progress" | b"dialog" | b"picture" | b"object" | b"address" => HTML,
        b"a" => INLINE | HEADING | HTML,
        b"b" | b"i" | b"u" | b"s" | b"em" | b"strong" | b"span" | b"mark" | b"code" | b"font" | b"small" | b"big"
        | b"sub" | b"sup" | b"kbd" | b"samp" | b"var" | b"tt" | b"q" | b"ins" | b"del" | b"cite" | b"bdi" | b"bdo"
        | b"time" | b"data" | b"abbr" => INLINE | HTML,
        b"title" => RAW_TEXT | HEADING | HTML,
        b"script" | b"style" => RAW_TEXT | HTML,
        b"hr" => VOID | BLOCK | HTML,
        b"area" | b"base" | b"col" | b"embed" | b"frame" | b"img" | b"link" | b"meta" | b"param" | b"source"
        | b"track" | b"keygen" => VOID | HTML,
        b"br" | b"wbr" => VOID | INLINE | HTML,
        _ => 0,
    }
}

/// The elements that end where this one begins, since their end tags may be left out.
fn closed_by(name: &str, kinds: u8) -> &'static [&'static str] {
    let is = |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    match () {
        () if is(&["li"]) => &["p", "li"],
        () if is(&["dt", "dd"]) => &["p", "dt", "dd"],
        () if is(&["td", "th"]) => &["p", "td", "th"],
        () if is(&["tr"]) => &["p", "td", "th", "tr"],
        () if is(&["tbody", "thead", "tfoot"]) => &["p", "td", "th", "tr", "tbody", "thead", "tfoot"],
        () if is(&["option"]) => &["option"],
        () if is(&["optgroup"]) => &["option", "optgroup"],
        () if is(&["body"]) => &["head"],
        () if kinds & BLOCK != 0 || is(&["p"]) => &["p"],
        () => &[],
    }
}

/// Elements of WS-Security, SAML and XML signatures that are as good as a login, beside those whose names tell it.
const SECURITY: &str =
    "SignatureValue|Assertion|EncryptedAssertion|CipherValue|EncryptedKey|EncryptedData|BinarySecret|\
    Nonce|RSAKeyValue|DSAKeyValue|PrivateKeyValue";

/// Is this element as good as a login?
pub(super) fn is_security(local: &str) -> bool {
    one_of(SECURITY, local)
}

/// Is the name one of a list, in any case?
pub(super) fn one_of(list: &str, name: &str) -> bool {
    list.split('|').any(|one| one.eq_ignore_ascii_case(name))
}

/// What an element or attribute of this (local) name means for its neighbours: as in JSON (names.rs), but for what markup has of its own.
fn slot_of(local: &str) -> Slot {
    let joined: String = local.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match joined.as_str() {
        "itemprop" | "httpequiv" | "for" | "autocomplete" | "ref" | "term" | "dt" => return Slot::Name,
        "string" | "definition" | "dd" => return Slot::Value,
        // Of a page, not of a field.
        "title" | "username" | "filename" | "hostname" | "classname" | "nickname" | "surname" | "firstname"
        | "lastname" => return Slot::None,
        _ => {}
    }
    match names::slot_of(&joined) {
        names::Slot::Name | names::Slot::Key | names::Slot::Type => Slot::Name,
        names::Slot::Value => Slot::Value,
        names::Slot::None | names::Slot::Columns | names::Slot::Rows | names::Slot::Flag => Slot::None,
    }
}

/// What is known of the name of an element or attribute.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The name as it is written, and without its prefix.
    name: &'a str,
    pub local: &'a str,
    pub sensitive: bool,
    pub slot: Slot,
    kinds: u8,
    /// Elements that end where this one begins.
    pub closes: &'static [&'static str],
    /// It is itself a secret: `<sk_live_…>`.
    pub secret: bool,
    /// All of its signs may stand in a name.
    pub plain: bool,
}

impl<'a> Asked<'a> {
    fn new(rules: &Rules, name: &'a str, words: &mut Words) -> Self {
        let local = local_name(name);
        let hit = rules.fields.ask(local, Place::Field, words);
        let kinds = kinds_of(name);
        Asked {
            name,
            local,
            sensitive: hit == Hit::Yes || is_security(local),
            slot: if hit == Hit::Key { Slot::Key } else { slot_of(local) },
            kinds,
            closes: closed_by(name, kinds),
            secret: is_secret(rules, name),
            plain: name.chars().all(is_plain),
        }
    }

    pub(super) fn is(&self, kind: u8) -> bool {
        self.kinds & kind != 0
    }
}

/// Can this name be no name, since it is a secret by its form?
pub(super) fn is_secret(rules: &Rules, name: &str) -> bool {
    name.len() >= 13 && text::mask(rules, name, Place::Field).is_some()
}

/// Names that were asked about: a document has few, and has them often.
#[derive(Default)]
pub(super) struct Known<'a>(Vec<Option<Asked<'a>>>);

impl<'a> Known<'a> {
    /// So many are kept: a power of two.
    const MOST: usize = 128;

    pub(super) fn ask(&mut self, rules: &Rules, name: &'a str, words: &mut Words) -> Asked<'a> {
        if self.0.is_empty() {
            self.0.resize(Self::MOST, None);
        }
        let bytes = name.as_bytes();
        let byte = |at: usize| usize::from(bytes.get(at).copied().unwrap_or(0));
        let at = (bytes.len() + byte(0) * 7 + byte(1) * 11 + byte(bytes.len().wrapping_sub(1)) * 5) % Self::MOST;
        let place = self.0.get_mut(at);
        match place {
            Some(Some(known)) if known.name == name => *known,
            Some(place) => *place.insert(Asked::new(rules, name, words)),
            None => Asked::new(rules, name, words),
        }
    }
}
