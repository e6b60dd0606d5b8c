//! Masks what a host sets on spans and logs: names, texts, attributes by their keys. (Payloads are masked in capture.)

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::keys::{Key, Keys};
use crate::mask::{mask_body, mask_text, Rules};

/// A span or log with more is cut to less than this before it is sent, with a note of the cut. So there is no point in
/// masking the rest, which is work on the host's thread; and what this cut leaves unfinished at its end never leaves.
const MAX_TEXT: usize = 1_000_000;

/// OpenTelemetry's attribute names with a word in them that would make a body field sensitive.
const CONVENTIONS: &[&str] = &[
    "client.address",
    "destination.address",
    "net.peer.address",
    "net.sock.host.addr",
    "net.sock.peer.addr",
    "network.local.address",
    "network.peer.address",
    "server.address",
    "session.id",
    "session.previous_id",
    "source.address",
];

/// See the module.
pub struct Masker {
    rules: Rules,
    keys: Keys,
}

impl Masker {
    /// By these rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules, keys: Keys::default() }
    }

    /// Masks secrets in free text.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let end = (0..=MAX_TEXT.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        mask_text(&self.rules, text.get(..end).unwrap_or_default())
    }

    /// Masks the attributes of an event or a log.
    pub fn object(&self, object: Map<String, Value>) -> Map<String, Value> {
        // What comes out of valid JSON is valid JSON; were it not, nothing would be kept of it.
        serde_json::from_str(&self.json(&Value::Object(object))).unwrap_or_default()
    }

    /// Masks a JSON value, as text.
    pub fn json(&self, value: &Value) -> String {
        mask_body(&self.rules, Some("application/json"), value.to_string().as_bytes()).text
    }

    /// Works with what the rules say of the key of an attribute.
    pub fn key<T>(&self, given: &str, work: impl FnOnce(&Key) -> T) -> T {
        let look = || {
            let sensitive =
                self.rules.masks_body() && !CONVENTIONS.contains(&given) && self.rules.is_sensitive_field(given);
            (self.text(given).into_owned(), sensitive)
        };
        self.keys.with(given, look, work)
    }

    /// Whether nothing of an attribute with this key may leave.
    pub fn is_sensitive(&self, key: &str) -> bool {
        self.key(key, |key| key.sensitive)
    }
}
