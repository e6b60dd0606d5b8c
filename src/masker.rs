//! Masks what a host sets on spans and logs: names, texts, attributes by their keys. (Payloads are masked in capture.)

use std::collections::HashMap;
use std::sync::RwLock;

use serde_json::{Map, Value};

use crate::mask::{mask_body, mask_text, Rules, PLACEHOLDER};

/// A host that makes up keys without end does not fill memory with them.
const MAX_KNOWN_KEYS: usize = 4096;

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
    sensitive_keys: RwLock<HashMap<Box<str>, bool>>,
}

impl Masker {
    /// By these rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules, sensitive_keys: RwLock::default() }
    }

    /// Masks secrets in free text.
    pub fn text(&self, text: &str) -> String {
        let end = (0..=MAX_TEXT.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        mask_text(&self.rules, text.get(..end).unwrap_or_default()).into_owned()
    }

    /// Masks the text of an attribute: whole by its key's words, else what looks like a secret in it.
    pub fn attribute(&self, key: &str, text: &str) -> String {
        match self.is_sensitive(key) {
            true => PLACEHOLDER.to_owned(),
            false => self.text(text),
        }
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

    /// Whether nothing of an attribute with this key may leave. A program has few keys and uses them all the time, so what
    /// the rules say of each is kept.
    pub fn is_sensitive(&self, key: &str) -> bool {
        if !self.rules.masks_body() {
            return false;
        }
        if let Some(known) = self.sensitive_keys.read().ok().and_then(|keys| keys.get(key).copied()) {
            return known;
        }
        let sensitive = !CONVENTIONS.contains(&key) && self.rules.is_sensitive_field(key);
        if let Ok(mut keys) = self.sensitive_keys.write() {
            if keys.len() < MAX_KNOWN_KEYS {
                keys.insert(key.into(), sensitive);
            }
        }
        sensitive
    }
}
