//! What never leaves the process.
//!
//! One engine for bodies, headers and free text, with no use of the rest of the crate: bytes in, text out.
//! It is on by default and fails closed: what is not understood is replaced by a note of type and size
//! ([`describe`]), never passed on. Errors and notes hold no piece of the content.
//!
//! docs/masking.md lists what is masked and how names match.

mod charset;
mod commands;
mod events;
mod explain;
mod form;
mod graphql;
mod header;
mod hints;
mod json;
mod known;
mod markup;
mod multipart;
#[cfg(test)]
mod mutation_tests;
mod names;
mod note;
#[cfg(test)]
mod own_tests;
#[cfg(test)]
mod own_tests_formats;
mod paths;
mod percent;
mod pieces;
mod prefilter;
mod printed;
mod scan;
mod shapes;
mod sql;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_formats;
#[cfg(test)]
mod tests_text;
mod text;
mod values;

use std::borrow::Cow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use explain::Why;
use json::Rewritten;
use markup::Dialect;
use names::{Hit, NameSet, Place, Words};
use paths::{Path, Paths, Verdict};
pub use pieces::Pieces;

/// What stands in place of a masked value. In JSON it is a string, whatever type the value had.
pub const PLACEHOLDER: &str = "***MASKED***";

/// A user's own masking of bodies, in place of the built-in one: gets the content type (`""` when there is
/// none) and the body, returns the text to keep. `None`, text that is not UTF-8, or a panic masks the body whole.
pub type Custom = dyn Fn(&str, &[u8]) -> Option<Vec<u8>> + Send + Sync;

/// What the user may set; the default is what a recorder should do when nobody set anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesConfig {
    /// Mask bodies. When false, text passes as it is; binary content is still described.
    pub mask_body: bool,
    /// Mask header values. When false, they pass as they are.
    pub mask_headers: bool,
    /// Names of body fields in addition to the default list; they match by words, anywhere in a name.
    pub body_fields: Vec<String>,
    /// Names of headers in addition to the default list; they match as a whole, in any case.
    pub header_names: Vec<String>,
    /// Names of the default list that are not masked: they cover their own words, as a whole.
    pub allow_fields: Vec<String>,
    /// Exact paths of values to mask in JSON and forms, whatever their names: `user.pin`, `items[*].code`.
    pub paths: Vec<String>,
    /// Exact paths of values whose names, and the names below which, do not count.
    pub allow_paths: Vec<String>,
    /// Regular expressions: what they match in text that is kept is masked.
    pub patterns: Vec<String>,
    /// Mask e-mail addresses wherever they stand.
    pub emails: bool,
}

impl Default for RulesConfig {
    fn default() -> Self {
        RulesConfig {
            mask_body: true,
            mask_headers: true,
            body_fields: Vec::new(),
            header_names: Vec::new(),
            allow_fields: Vec::new(),
            paths: Vec::new(),
            allow_paths: Vec::new(),
            patterns: Vec::new(),
            emails: false,
        }
    }
}

/// The compiled rules: built once at init, read by every thread.
#[derive(Clone)]
pub struct Rules {
    mask_body: bool,
    mask_headers: bool,
    fields: NameSet,
    headers: NameSet,
    emails: bool,
    /// There are patterns.
    everywhere: bool,
    own: Arc<Own>,
    /// Where what is masked is told, in explanations only.
    log: Option<Arc<explain::Log>>,
}

/// The user's own rules beside names.
#[derive(Debug, Default)]
struct Own {
    paths: Paths,
    patterns: Vec<values::Pattern>,
}

/// Checks one of the lists of [`RulesConfig`] by the name of its option.
///
/// # Errors
/// What is wrong, with the entry and what would be right.
pub fn check_list(option: &str, entries: &[String]) -> Result<(), String> {
    match option {
        "mask_allow_fields" => check_allowed(entries),
        "mask_body_fields" | "mask_header_names" | "headers_to_include" | "headers_to_exclude" => check_names(entries),
        "mask_paths" | "mask_allow_paths" => parse_all(entries, "paths", paths::MOST, Path::parse).map(drop),
        "mask_patterns" => parse_all(entries, "patterns", values::MOST, values::Pattern::compile).map(drop),
        _ => Ok(()),
    }
}

/// Names that are names: one without a letter or digit would match nothing, or what nobody meant.
fn check_names(entries: &[String]) -> Result<(), String> {
    let check = |entry: &str| match names::is_empty(entry) {
        true => Err("it has no letter or digit; use a name, e.g. pin or X-Pin, or leave it out".to_owned()),
        false => Ok(()),
    };
    parse_all(entries, "names", usize::MAX, check).map(drop)
}

fn check_allowed(entries: &[String]) -> Result<(), String> {
    let check = |entry: &str| match () {
        () if names::is_empty(entry) => Err("it has no letter; use a name of the default list, e.g. email".to_owned()),
        () if !names::can_be_allowed(entry) => {
            Err("no such name is masked by default, so it would allow nothing; leave it out".to_owned())
        }
        () => Ok(()),
    };
    parse_all(entries, "names", usize::MAX, check).map(drop)
}

fn parse_all<T>(
    entries: &[String],
    what: &str,
    most: usize,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    if entries.len() > most {
        return Err(format!("{} {what}; at most {most} can be set", entries.len()));
    }
    let parse_one = |(i, entry): (usize, &String)| {
        let mut shown: String = entry.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if shown.len() < entry.len() {
            shown.push('…');
        }
        parse(entry).map_err(|what| format!("entry {} ('{shown}'): {what}", i + 1))
    };
    entries.iter().enumerate().map(parse_one).collect()
}

impl Rules {
    /// The default lists and the user's own rules.
    ///
    /// # Errors
    /// A list that [`check_list`] does not take: its option and why.
    pub fn new(config: &RulesConfig) -> Result<Self, String> {
        let named = |option: &'static str| move |what: String| format!("{option}: {what}");
        check_names(&config.body_fields).map_err(named("mask_body_fields"))?;
        check_names(&config.header_names).map_err(named("mask_header_names"))?;
        check_allowed(&config.allow_fields).map_err(named("mask_allow_fields"))?;
        let own = Own {
            paths: Paths {
                masked: parse_all(&config.paths, "paths", paths::MOST, Path::parse).map_err(named("mask_paths"))?,
                allowed: parse_all(&config.allow_paths, "paths", paths::MOST, Path::parse)
                    .map_err(named("mask_allow_paths"))?,
            },
            patterns: parse_all(&config.patterns, "patterns", values::MOST, values::Pattern::compile)
                .map_err(named("mask_patterns"))?,
        };
        Ok(Self::build(config, own))
    }

    fn build(config: &RulesConfig, own: Own) -> Self {
        Rules {
            mask_body: config.mask_body,
            mask_headers: config.mask_headers,
            fields: NameSet::body(
                config.body_fields.iter().map(String::as_str),
                config.allow_fields.iter().map(String::as_str),
            ),
            headers: NameSet::whole(
                header::DEFAULTS.iter().copied().chain(config.header_names.iter().map(String::as_str)),
            ),
            emails: config.emails,
            everywhere: !own.patterns.is_empty(),
            own: Arc::new(own),
            log: None,
        }
    }

    /// Whether bodies are masked.
    pub fn masks_body(&self) -> bool {
        self.mask_body
    }

    /// Whether header values are masked.
    pub fn masks_headers(&self) -> bool {
        self.mask_headers
    }

    /// Must every text be looked at in full, since what the user looks for shows by no sign that is known here?
    fn looks_everywhere(&self) -> bool {
        self.everywhere
    }

    /// Are e-mail addresses masked wherever they stand?
    fn masks_emails(&self) -> bool {
        self.emails
    }

    /// Is the field of a form sensitive: by a path of the user's, by its name, or as what another field names? A path that
    /// allows it settles both of the latter.
    fn ask_form_field(&self, name: &str, pairs: &form::Pairs, words: &mut Words) -> Hit {
        match self.own.paths.form_field(name) {
            Verdict::Masked(_) => Hit::Yes,
            Verdict::Allowed => Hit::No,
            Verdict::Nothing => match self.fields.ask(name, Place::Param, words) {
                Hit::No if pairs.name_value(name) => Hit::Yes,
                hit => hit,
            },
        }
    }

    // ---- what an explanation needs; nothing without one

    /// A form's field was masked, and `shown` is the name to tell. (`None`: its name is no text.)
    fn tell_form_field(&self, name: Option<&str>, shown: Option<&str>, pairs: &form::Pairs) {
        let Some(log) = &self.log else { return };
        let path = self.form_path(shown);
        let (rule, why) = match name.map(|name| (name, self.own.paths.form_field(name))) {
            None => ("unreadable", None),
            Some((_, Verdict::Masked(path))) => {
                ("path", self.own.paths.masked.get(path).map(|path| (path.written.clone(), path.own)))
            }
            Some((name, _)) => match self.fields.why(name, Place::Param) {
                None if pairs.name_value(name) => ("pair", pairs.why(name)),
                None => ("unreadable", None),
                why => ("name", why),
            },
        };
        log.add(&path, None, rule, why);
    }

    fn form_path(&self, name: Option<&str>) -> String {
        let mut path = String::new();
        match name {
            None => explain::step(self, None, &mut path),
            Some(name) => paths::form_steps(name).iter().for_each(|name| explain::step(self, Some(name), &mut path)),
        }
        path
    }

    fn tell(&self, path: &str, rule: &'static str, why: impl FnOnce() -> Option<Why>) {
        if let Some(log) = &self.log {
            log.add(path, None, rule, why());
        }
    }

    /// What is told by `work` is told of the field of this name.
    fn within<T>(&self, name: Option<&str>, work: impl FnOnce() -> T) -> T {
        self.at(|| name.map_or(String::new(), |_| self.form_path(name)), work)
    }

    /// What is told by `work` is told of JSON in the string in hand.
    fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.at(|| "(json)".to_owned(), work)
    }

    /// What is told by `work` is told of this path.
    fn at<T>(&self, path: impl FnOnce() -> String, work: impl FnOnce() -> T) -> T {
        let Some(log) = &self.log else { return work() };
        log.enter(path());
        let done = work();
        log.leave();
        done
    }

    /// What was told of this path goes as a whole: its inside is no longer shown.
    fn swallow(&self, path: &str) {
        if let Some(log) = &self.log {
            log.swallow(path);
        }
    }

    /// Whether anybody listens: paths are built for that only.
    fn explains(&self) -> bool {
        self.log.is_some()
    }

    /// Would one of the user's own patterns, or the search for addresses, mask any of this name?
    fn finds_in_name(&self, name: &str) -> bool {
        (self.emails && !values::emails(name).is_empty()) || values::pattern_in(self, name).is_some()
    }

    fn mark(&self) -> Option<(usize, usize)> {
        self.log.as_ref().map(|log| log.mark())
    }

    fn forget(&self, mark: Option<(usize, usize)>) {
        if let (Some(log), Some(mark)) = (&self.log, mark) {
            log.forget(mark);
        }
    }

    fn tell_kind(&self, kind: &'static str) {
        if let Some(log) = &self.log {
            log.kind(kind);
        }
    }

    /// Would a body field of this name be masked? (The bare name `key` is told from a pair's name only in its
    /// object; here it counts as sensitive.)
    pub fn is_sensitive_field(&self, name: &str) -> bool {
        self.fields.answer(name.as_bytes()).hit(Place::Field) != names::Hit::No
    }
}

impl Default for Rules {
    fn default() -> Self {
        Rules::build(&RulesConfig::default(), Own::default())
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules")
            .field("mask_body", &self.mask_body)
            .field("mask_headers", &self.mask_headers)
            .finish_non_exhaustive()
    }
}

/// A body as it arrived, or as much of it as was kept.
#[derive(Clone, Debug)]
pub struct Body<'a> {
    content_type: Option<&'a str>,
    essence: String,
    bytes: &'a [u8],
    arrived: &'a [u8],
    size: u64,
    cut: bool,
    /// So many multipart bodies this one is a part of.
    level: u8,
}

impl<'a> Body<'a> {
    /// A whole body.
    pub fn new(content_type: Option<&'a str>, bytes: &'a [u8]) -> Self {
        let essence = essence(content_type.unwrap_or(""));
        Body { content_type, essence, bytes, arrived: bytes, size: bytes.len() as u64, cut: false, level: 0 }
    }

    /// The beginning of a body that is `size` bytes long: masked up to the cut.
    pub fn beginning(content_type: Option<&'a str>, bytes: &'a [u8], size: u64) -> Self {
        Body { cut: true, size, ..Body::new(content_type, bytes) }
    }

    /// What notes tell the size and hash of, when the bytes are not as they arrived (a decoded body): what was kept of
    /// `size` bytes.
    #[must_use]
    pub fn arrived_as(mut self, kept: &'a [u8], size: u64) -> Self {
        self.arrived = kept;
        self.size = size;
        self
    }

    /// Is this only the beginning?
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    fn described(&self, reason: &str) -> Masked {
        if matches!(reason, "binary" | "unknown type" | "not utf-8") {
            return self.described_bytes(reason);
        }
        describe(&self.essence, self.size, reason)
    }

    /// With a hash, unless it is text: who knows all of that but a short secret could find the rest by trying. (Of what
    /// begins as JSON the first bytes may be gone when it shows: see [`Pieces`].)
    fn described_bytes(&self, reason: &str) -> Masked {
        if matches!(kind_of(&self.essence), Kind::Json) && json::begins(self.bytes) {
            return describe(&self.essence, self.size, reason);
        }
        // Zero bytes alone may be UTF-16 that nobody declared.
        let control = |bytes: &[u8]| bytes.iter().any(|b| *b != 0 && is_control(*b));
        let binary = match text_of(self) {
            Ok(text) => control(text.as_bytes()),
            // What is declared as binary may have no control character (msgpack); other bytes may be a text's.
            Err(_) => control(self.bytes) || matches!(kind_of(&self.essence), Kind::Other("binary")),
        };
        if !binary {
            return describe(&self.essence, self.size, reason);
        }
        Masked::whole(note::hashed(&self.essence, self.arrived, self.size, reason))
    }
}

/// What may leave the process in place of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masked {
    /// The text to keep.
    pub text: String,
    /// Nothing of the content is in the text: it is a note, or the placeholder.
    pub whole: bool,
    /// How many values were replaced.
    pub fields_masked: u32,
    /// The user's callback gave no usable answer.
    pub failed_callback: bool,
}

impl Masked {
    fn text(text: String) -> Self {
        Masked { text, ..Masked::default() }
    }

    fn whole(note: String) -> Self {
        Masked { text: note, whole: true, ..Masked::default() }
    }
}

/// The note that stands for content which is not shown:
/// `[application/octet-stream, 1234 bytes, not captured: binary]`.
pub fn describe(content_type: &str, size: u64, reason: &str) -> Masked {
    Masked::whole(note::whole(&essence(content_type), size, reason))
}

/// As [`describe`], for content that is likely binary and of which all bytes may be at hand: then the note tells a hash,
/// `[application/octet-stream, 1234 bytes, sha256 0123456789abcdef, not captured: binary]`.
pub fn describe_bytes(content_type: &str, bytes: &[u8], size: u64, reason: &str) -> Masked {
    Body::new(Some(content_type), bytes).arrived_as(bytes, size).described_bytes(reason)
}

/// Masks a whole body of this content type (`None`: it is guessed from the content).
pub fn mask_body(rules: &Rules, content_type: Option<&str>, body: &[u8]) -> Masked {
    mask_content(rules, None, &Body::new(content_type, body))
}

/// Masks a body or the beginning of one, with the user's callback in place of the built-in masking if there is one.
/// A callback is given whole bodies only: nobody's parser can be trusted with half a body.
pub fn mask_content(rules: &Rules, custom: Option<&Custom>, body: &Body<'_>) -> Masked {
    if body.bytes.is_empty() && !body.cut {
        return Masked::default();
    }
    if !rules.mask_body {
        return match text_of(body) {
            Ok(text) if !is_binary(&text) => Masked::text(text.into_owned()),
            _ => body.described("binary"),
        };
    }
    match custom {
        Some(_) if body.cut => body.described("too large for the masking callback"),
        Some(custom) => call(custom, body),
        None => {
            let mark = rules.mark();
            let masked = built_in(rules, body);
            if masked.whole {
                rules.forget(mark);
            }
            masked
        }
    }
}

/// Tells which rules mask what of a body, as a JSON object, and never a value: for people who tune the rules. A type of
/// `message/http` has `Name: value` lines explained. Slow.
pub fn explain_content(rules: &Rules, custom: Option<&Custom>, body: &Body<'_>) -> String {
    explain::explain(rules, custom, body).0
}

/// Masks one header's (or metadata entry's) value.
pub fn mask_header_value<'a>(rules: &Rules, name: &str, value: &'a str) -> Cow<'a, str> {
    if rules.mask_headers {
        header::mask(rules, name, value)
    } else {
        Cow::Borrowed(value)
    }
}

/// Masks secrets in free text (exception messages and the like): by their form, and after sensitive names.
pub fn mask_text<'a>(rules: &Rules, text: &'a str) -> Cow<'a, str> {
    if !rules.mask_body || (hints::quiet(text) && rules.own.patterns.is_empty()) {
        return Cow::Borrowed(text);
    }
    match json::clean_string(rules, text, 0) {
        Some((clean, _)) => Cow::Owned(clean),
        None => Cow::Borrowed(text),
    }
}

/// Writes text as the inside of a JSON string.
pub fn escape_json(text: &str, out: &mut String) {
    json::escape(text, out);
}

fn call(custom: &Custom, body: &Body<'_>) -> Masked {
    let answer = catch_unwind(AssertUnwindSafe(|| custom(body.content_type.unwrap_or(""), body.bytes)));
    let text = match answer {
        Ok(answer) => answer.and_then(|bytes| String::from_utf8(bytes).ok()),
        Err(payload) => {
            // What was thrown may itself throw when it is dropped.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            if let Err(second) = dropped {
                std::mem::forget(second);
            }
            None
        }
    };
    match text {
        Some(text) => Masked::text(text),
        None => Masked { text: PLACEHOLDER.to_owned(), whole: true, fields_masked: 1, failed_callback: true },
    }
}

/// What to do with a declared type.
enum Kind {
    /// No type: guess.
    Undeclared,
    Json,
    Form,
    Multipart,
    Text,
    Events,
    Markup(Dialect),
    Graphql,
    Table,
    /// Understood as JSON or not at all, for this reason.
    Other(&'static str),
}

fn kind_of(essence: &str) -> Kind {
    if essence.is_empty() {
        return Kind::Undeclared;
    }
    if essence.ends_with("+json") {
        return Kind::Json;
    }
    if essence.ends_with("+xml") {
        return Kind::Markup(Dialect::Xml);
    }
    match essence {
        "application/json"
        | "text/json"
        | "application/x-json"
        | "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/json-lines"
        | "application/jsonlines"
        | "application/json-seq"
        | "application/csp-report"
        | "text/x-json" => Kind::Json,
        "application/x-www-form-urlencoded" => Kind::Form,
        "text/event-stream" => Kind::Events,
        "text/html" | "application/xhtml" => Kind::Markup(Dialect::Html),
        "text/xml" | "application/xml" => Kind::Markup(Dialect::Xml),
        "text/csv" | "application/csv" | "text/tab-separated-values" => Kind::Table,
        // A block's name stands far from its values.
        "text/yaml" | "text/x-yaml" | "text/vnd.yaml" | "text/toml" => Kind::Other("unknown type"),
        "application/graphql" => Kind::Graphql,
        "application/javascript" | "application/x-javascript" => Kind::Text,
        "application/octet-stream"
        | "application/pdf"
        | "application/zip"
        | "application/gzip"
        | "application/wasm" => Kind::Other("binary"),
        _ => {
            let (class, sub) = essence.split_once('/').unwrap_or((essence, ""));
            match class {
                "text" => Kind::Text,
                "multipart" => Kind::Multipart,
                "image" | "audio" | "video" | "font" | "model" => Kind::Other("binary"),
                _ if sub.starts_with("grpc")
                    || ["protobuf", "msgpack", "cbor", "avro", "thrift"].iter().any(|s| sub.contains(s)) =>
                {
                    Kind::Other("binary")
                }
                _ => Kind::Other("unknown type"),
            }
        }
    }
}

fn built_in(rules: &Rules, body: &Body<'_>) -> Masked {
    let kind = kind_of(&body.essence);
    if let Kind::Multipart = kind {
        let boundary = multipart::parameter(body.content_type.unwrap_or(""), "boundary").unwrap_or_default();
        rules.tell_kind("multipart");
        return multipart::mask(rules, &boundary, body).unwrap_or_else(|| body.described("malformed"));
    }
    let text = match text_of(body) {
        Ok(text) => text,
        Err(reason) => {
            return body.described(match kind {
                Kind::Other("unknown type") | Kind::Undeclared => "binary",
                Kind::Other(reason) => reason,
                _ => reason,
            })
        }
    };
    let text = text.as_ref();
    // Zero bytes between the letters would hide a name from the rules: text in another charset than it was read in. (In JSON
    // they end it.)
    if !matches!(kind, Kind::Json | Kind::Other(_)) && is_binary(text) {
        return body.described("binary");
    }
    // Parts under a wrong type or none. (What is not shown anyway stays so.)
    let shown = !matches!(kind, Kind::Json | Kind::Multipart | Kind::Other(_));
    if let Some(boundary) = shown.then(|| multipart::boundary_of(text)).flatten() {
        rules.tell_kind("multipart");
        let converted = Body { bytes: text.as_bytes(), ..body.clone() };
        return multipart::mask(rules, boundary, &converted).unwrap_or_else(|| body.described("malformed"));
    }
    match kind {
        Kind::Json => json_body(rules, body, text),
        Kind::Form if json::looks_like(text) => json_body(rules, body, text),
        Kind::Form if !form::is_form(rules, text) => body.described("malformed"),
        Kind::Form => kept(rules, "form", body, form::mask(rules, text, body.cut)),
        Kind::Events => kept(rules, "events", body, events::mask(rules, text, body.cut)),
        Kind::Text | Kind::Undeclared => free_text(rules, body, text),
        Kind::Graphql => match graphql::mask_document(rules, text, body.cut) {
            Some(rewritten) => kept(rules, "graphql", body, rewritten),
            None => free_text(rules, body, text),
        },
        // A page without a tag is none.
        Kind::Markup(Dialect::Html) if !markup::has_tag(text) => free_text(rules, body, text),
        Kind::Markup(dialect) => markup_body(rules, body, text, dialect),
        Kind::Table if json::looks_like(text) => json_body(rules, body, text),
        Kind::Table => {
            let tabs = body.essence.contains("tab");
            table::mask(rules, text, body.cut, tabs)
                .map_or_else(|| body.described("table"), |t| kept(rules, "table", body, t))
        }
        Kind::Multipart => body.described("malformed"),
        Kind::Other(reason) => {
            // Mislabelled JSON is common, and can be told for certain when it is whole.
            if json::looks_like(text) {
                let rewritten = json::mask(rules, text, body.cut, 0);
                if rewritten.broke_at.is_none() {
                    return kept(rules, "json", body, rewritten);
                }
            }
            body.described(reason)
        }
    }
}

/// Text that is declared as such, or not declared at all.
fn free_text(rules: &Rules, body: &Body<'_>, text: &str) -> Masked {
    if json::looks_like(text) {
        return json_body(rules, body, text);
    }
    if markup::looks_like(text) {
        return markup_body(rules, body, text, markup::dialect_of(text));
    }
    if !text.trim_start().starts_with('{') || graphql::looks_like(text) {
        if let Some(rewritten) = graphql::mask_document(rules, text, body.cut) {
            return kept(rules, "graphql", body, rewritten);
        }
    }
    // A URL alone has the parameters of a form.
    let query = text.find('?').filter(|at| !text.get(..*at).is_some_and(|head| head.contains(['=', '&'])));
    let url = query.is_some() && (text.contains("://") || text.starts_with('/'));
    if url && !body.cut && !text.contains(char::is_whitespace) {
        let (text, fields) = header::clean_url(rules, text);
        return kept(rules, "url", body, Rewritten { text, fields, broke_at: None });
    }
    if !url && form::looks_like(text) && form::is_form(rules, text) {
        return kept(rules, "form", body, form::mask(rules, text, body.cut));
    }
    if table::looks_like(rules, text) {
        if let Some(rewritten) = table::mask(rules, text, body.cut, false) {
            return kept(rules, "table", body, rewritten);
        }
    }
    let kept_text = if body.cut { text::without_last_token(text) } else { text };
    let (clean, fields) = json::clean_string(rules, kept_text, 0).unwrap_or_else(|| (kept_text.to_owned(), 0));
    kept(rules, "text", body, Rewritten { text: clean, fields, broke_at: body.cut.then_some(kept_text.len()) })
}

/// Markup; and what stands in its tags that is none, as in text.
fn markup_body(rules: &Rules, body: &Body<'_>, text: &str, dialect: Dialect) -> Masked {
    let mut rewritten = markup::mask(rules, text, body.cut, dialect);
    if let Some((clean, fields)) = text::mask_between_tags(rules, &rewritten.text) {
        (0..fields).for_each(|_| rules.tell("", "value", || None));
        rewritten = Rewritten { text: clean, fields: rewritten.fields.saturating_add(fields), ..rewritten };
    }
    kept(rules, "markup", body, rewritten)
}

/// The members of a GraphQL request in JSON, as they are written.
const VARIABLES: &str = "\"variables\"";
const QUERY: &str = "\"query\"";

/// The user's paths and those to the GraphQL variables that a request in JSON binds to what is sensitive: `login(password: $p)`.
/// `None` when there are no such variables, an error when there is no room for them.
fn with_variables(rules: &Rules, text: &str) -> Result<Option<Paths>, ()> {
    if !text.contains(VARIABLES) {
        return Ok(None);
    }
    let mut names = Vec::new();
    let mut document = String::new();
    for (at, _) in text.match_indices(QUERY) {
        let rest = text.get(at + QUERY.len()..).unwrap_or("").trim_start();
        let Some(value) = rest.strip_prefix(':').map(str::trim_start).filter(|v| v.starts_with('"')) else { continue };
        let end = json::string_end(value.as_bytes(), 0);
        json::unescape(value.get(1..end.map_or(value.len(), |end| end - 1)).unwrap_or(""), &mut document);
        match graphql::Bound::of(rules, &document, end.is_none()) {
            Some(bound) if bound.open => names.push(None),
            Some(bound) => names.extend(bound.names().map(|name| Some(name.to_owned()))),
            None => {}
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    // Alone, one of several, or in a message over a socket; where there are too many, all variables.
    let own = &rules.own;
    let room = paths::MOST.saturating_sub(own.paths.masked.len()) / paths::REQUESTS.len();
    if names.len() > room || names.contains(&None) {
        names = vec![None];
    }
    if room == 0 {
        return Err(());
    }
    let mut masked = own.paths.masked.clone();
    for name in &names {
        masked.extend(paths::REQUESTS.iter().map(|lead| Path::to_variable(lead, name.as_deref())));
    }
    Ok(Some(Paths { masked, allowed: own.paths.allowed.clone() }))
}

fn json_body(rules: &Rules, body: &Body<'_>, text: &str) -> Masked {
    let Ok(paths) = with_variables(rules, text) else { return body.described("too many paths") };
    let rewritten = json::mask_with(rules, paths.as_ref().unwrap_or(&rules.own.paths), text, body.cut, 0);
    json_kept(rules, body, text, rewritten)
}

fn json_kept(rules: &Rules, body: &Body<'_>, text: &str, rewritten: Rewritten) -> Masked {
    if rewritten.broke_at.is_some() && text.as_bytes().contains(&0) {
        return body.described("binary");
    }
    kept(rules, "json", body, rewritten)
}

/// What was kept of a body of this kind, with a note where it breaks off.
fn kept(rules: &Rules, kind: &'static str, body: &Body<'_>, rewritten: Rewritten) -> Masked {
    let Rewritten { mut text, fields, broke_at } = rewritten;
    if let Some(log) = &rules.log {
        log.kind(kind);
        log.broke(broke_at);
    }
    if let Some(at) = broke_at {
        let reason = if body.cut { "cut" } else { "malformed" };
        if text.trim().is_empty() {
            return body.described(reason);
        }
        text.push(' ');
        text.push_str(&note::from(&body.essence, body.size, at, reason));
    }
    Masked { fields_masked: fields, ..Masked::text(text) }
}

/// The body as text, without a byte order mark; of a cut body what is whole. The error is the reason for the note.
fn text_of<'a>(body: &Body<'a>) -> Result<Cow<'a, str>, &'static str> {
    let declared = body.content_type.and_then(|t| multipart::parameter(t, "charset"));
    charset::text(body.bytes, declared.as_deref(), matches!(kind_of(&body.essence), Kind::Json), body.cut)
}

/// Control characters that no text has.
fn is_binary(text: &str) -> bool {
    // (Many at a time: this is asked of all text.)
    text.as_bytes().chunks(256).any(|chunk| chunk.iter().fold(0, |any, b| any | u8::from(is_control(*b))) != 0)
}

fn is_control(byte: u8) -> bool {
    let allowed =
        (byte == b'\t') | (byte == b'\n') | (byte == b'\r') | (byte == 0x0C) | (byte == 0x1B) | (byte == 0x1E);
    ((byte < 0x20) & !allowed) | (byte == 0x7F)
}

/// `Text/HTML; charset=x` → `text/html`.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}
