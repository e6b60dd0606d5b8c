//! Payloads → finished attributes: filtered, decoded, masked, bounded.
//!
//! A pure function over [`crate::mask`] and a configuration: no clock, no network, no state. The host sets the attributes
//! it is handed on its span. [`capture`] takes a payload at once, [`Stream`] one that arrives in pieces.

mod decode;
mod headers;
mod stream;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use crate::mask::{self, Masked, Rules, PLACEHOLDER};

pub use headers::{parse_headers, HeaderError};
pub use stream::Stream;

/// More headers than this are left out.
const MAX_HEADERS: usize = 1000;

/// How much of a body is kept, in bytes of masked text, unless the user says otherwise. The platform drops a span of more
/// than 1,000,000 bytes as a whole; a request's span carries two bodies, two sets of headers and other attributes.
pub const DEFAULT_MAX_PAYLOAD_BYTES: usize = 400_000;

/// What all payloads that arrive in pieces hold together, unless the user says otherwise.
pub const DEFAULT_MAX_HELD_BYTES: usize = 32 * 1024 * 1024;
/// Kept beyond twice the limit, so that small limits still see enough of a body to understand it.
const KEEP_EXTRA: usize = 64 * 1024;

/// What a payload is. The numbers are those of the C ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Kind {
    /// A request over HTTP.
    HttpRequest = 1,
    /// The answer to one.
    HttpResponse = 2,
    /// A remote call's arguments.
    RpcRequest = 3,
    /// A remote call's result.
    RpcResponse = 4,
    /// A gRPC request.
    GrpcRequest = 5,
    /// A gRPC response.
    GrpcResponse = 6,
    /// A message of a queue or topic.
    Message = 7,
}

/// A number that is no [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind(
    /// The number.
    pub i32,
);

impl std::fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unknown payload kind {} (1 to 7 are known)", self.0)
    }
}

impl std::error::Error for UnknownKind {}

impl TryFrom<i32> for Kind {
    type Error = UnknownKind;

    fn try_from(number: i32) -> Result<Self, UnknownKind> {
        Ok(match number {
            1 => Kind::HttpRequest,
            2 => Kind::HttpResponse,
            3 => Kind::RpcRequest,
            4 => Kind::RpcResponse,
            5 => Kind::GrpcRequest,
            6 => Kind::GrpcResponse,
            7 => Kind::Message,
            other => return Err(UnknownKind(other)),
        })
    }
}

impl Kind {
    /// The attribute that carries the body.
    pub fn body_key(self) -> &'static str {
        match self {
            Kind::HttpRequest => "multiplayer.http.request.body",
            Kind::HttpResponse => "multiplayer.http.response.body",
            Kind::RpcRequest => "multiplayer.rpc.request.message",
            Kind::RpcResponse => "multiplayer.rpc.response.message",
            Kind::GrpcRequest => "multiplayer.rpc.grpc.request.message",
            Kind::GrpcResponse => "multiplayer.rpc.grpc.response.message",
            Kind::Message => "multiplayer.messaging.message.body",
        }
    }

    /// The attribute that carries the headers or metadata.
    pub fn headers_key(self) -> &'static str {
        match self {
            Kind::HttpRequest => "multiplayer.http.request.headers",
            Kind::HttpResponse => "multiplayer.http.response.headers",
            Kind::RpcRequest => "multiplayer.rpc.request.headers",
            Kind::RpcResponse => "multiplayer.rpc.response.headers",
            Kind::GrpcRequest => "multiplayer.rpc.grpc.request.metadata",
            Kind::GrpcResponse => "multiplayer.rpc.grpc.response.metadata",
            Kind::Message => "multiplayer.messaging.message.headers",
        }
    }

    fn is_grpc(self) -> bool {
        matches!(self, Kind::GrpcRequest | Kind::GrpcResponse)
    }
}

/// What is captured, and how.
#[derive(Clone)]
pub struct CaptureConfig {
    /// Emit bodies.
    pub capture_body: bool,
    /// Emit headers.
    pub capture_headers: bool,
    /// The limit of a body's text, applied after masking.
    pub max_payload_bytes: usize,
    /// The limit of what all payloads that arrive in pieces hold together, in bytes.
    pub max_held_bytes: usize,
    /// When not empty: only these headers (any case).
    pub headers_to_include: Vec<String>,
    /// Never these headers (any case), also when included.
    pub headers_to_exclude: Vec<String>,
    /// Undo content encodings (gzip, deflate, br, zstd, stacked); otherwise such bodies are described.
    pub decompress: bool,
    /// What is masked; holds `mask_body` and `mask_headers`.
    pub rules: Rules,
    /// The user's own masking of bodies.
    pub custom: Option<Arc<mask::Custom>>,
}

impl Default for CaptureConfig {
    fn default() -> Self {
        CaptureConfig {
            capture_body: true,
            capture_headers: true,
            max_payload_bytes: DEFAULT_MAX_PAYLOAD_BYTES,
            max_held_bytes: DEFAULT_MAX_HELD_BYTES,
            headers_to_include: Vec::new(),
            headers_to_exclude: Vec::new(),
            decompress: true,
            rules: Rules::default(),
            custom: None,
        }
    }
}

impl std::fmt::Debug for CaptureConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureConfig")
            .field("capture_body", &self.capture_body)
            .field("capture_headers", &self.capture_headers)
            .field("max_payload_bytes", &self.max_payload_bytes)
            .field("max_held_bytes", &self.max_held_bytes)
            .field("headers_to_include", &self.headers_to_include)
            .field("headers_to_exclude", &self.headers_to_exclude)
            .field("decompress", &self.decompress)
            .field("rules", &self.rules)
            .field("custom", &self.custom.is_some())
            .finish()
    }
}

impl CaptureConfig {
    /// So many bytes of a body are looked at (and kept by a [`Stream`]): twice the limit, since masking may shorten, and
    /// 64 KiB. What lies beyond is counted only.
    pub fn keep_limit(&self) -> usize {
        self.max_payload_bytes.saturating_mul(2).saturating_add(KEEP_EXTRA)
    }
}

/// What happened, for the statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureOutcome {
    /// Attributes handed out.
    pub attributes: u32,
    /// Bodies of which nothing is shown: described, or masked by a failed callback.
    pub masked_whole: u32,
    /// Bodies and headers that were cut.
    pub truncated: u32,
    /// Values replaced.
    pub fields_masked: u32,
    /// Failures of the user's callback.
    pub callback_failures: u32,
}

/// Captures one payload: `emit` gets each finished attribute, before this returns.
pub fn capture<N: AsRef<str>, V: AsRef<str>>(
    config: &CaptureConfig,
    kind: Kind,
    headers: &[(N, V)],
    body: &[u8],
    emit: &mut dyn FnMut(&str, &str),
) -> CaptureOutcome {
    let kept = body.get(..config.keep_limit()).unwrap_or(body);
    let size = body.len() as u64;
    capture_with(config, kind, headers, false, size, emit, |declared| mask_body(config, declared, kept, size))
}

/// What a body is, as its headers say.
#[derive(Debug, PartialEq, Eq)]
struct Declared {
    content_type: Option<String>,
    coding: String,
}

impl Declared {
    fn of<N: AsRef<str>, V: AsRef<str>>(kind: Kind, headers: &[(N, V)]) -> Self {
        let content_type = headers::find(headers, "content-type").filter(|t| !t.is_empty()).map(Cow::into_owned);
        Declared {
            content_type: content_type.or_else(|| kind.is_grpc().then(|| "application/grpc".to_owned())),
            coding: headers::find_all(headers, "content-encoding"),
        }
    }
}

/// As [`capture`], for a body of `size` bytes that `masked` masks. `more_headers`: some were left out before.
fn capture_with<N: AsRef<str>, V: AsRef<str>>(
    config: &CaptureConfig,
    kind: Kind,
    headers: &[(N, V)],
    more_headers: bool,
    size: u64,
    emit: &mut dyn FnMut(&str, &str),
    masked: impl FnOnce(&Declared) -> (Masked, bool),
) -> CaptureOutcome {
    let mut outcome = CaptureOutcome::default();
    if config.capture_headers {
        headers::emit(config, kind, headers, more_headers, &mut outcome, emit);
    }
    if config.capture_body && size > 0 {
        let (masked, cut) = masked(&Declared::of(kind, headers));
        emit_body(config, kind, &masked, cut, size, &mut outcome, emit);
    }
    outcome
}

/// `cut`: only the beginning of the body was masked.
fn emit_body(
    config: &CaptureConfig,
    kind: Kind,
    masked: &Masked,
    cut: bool,
    size: u64,
    outcome: &mut CaptureOutcome,
    emit: &mut dyn FnMut(&str, &str),
) {
    let shown = bound(&masked.text, config.max_payload_bytes);
    outcome.masked_whole += u32::from(masked.whole);
    outcome.fields_masked = outcome.fields_masked.saturating_add(masked.fields_masked);
    outcome.callback_failures += u32::from(masked.failed_callback);
    outcome.attributes += 1;
    emit(kind.body_key(), shown);
    // A note already tells the size of what it stands for.
    if shown.len() < masked.text.len() || (cut && !masked.whole) {
        outcome.truncated += 1;
        outcome.attributes += 2;
        emit(&format!("{}.truncated", kind.body_key()), "true");
        emit(&format!("{}.size", kind.body_key()), &size.to_string());
    }
}

/// Decodes and masks the kept beginning of a body of `size` bytes; says also whether only the beginning was looked at.
fn mask_body(config: &CaptureConfig, declared: &Declared, kept: &[u8], size: u64) -> (Masked, bool) {
    let content_type = declared.content_type.as_deref();
    let cut = (kept.len() as u64) < size;
    let custom = config.custom.as_deref();
    let plain = |bytes: &[u8], cut: bool| {
        let body =
            if cut { mask::Body::beginning(content_type, bytes, size) } else { mask::Body::new(content_type, bytes) };
        (mask::mask_content(&config.rules, custom, &body.arrived_as(kept, size)), cut)
    };
    let described = |reason: &str| (mask::describe_bytes(content_type.unwrap_or(""), kept, size, reason), cut);
    match decode::coding(&declared.coding) {
        decode::Coding::Identity => plain(kept, cut),
        decode::Coding::Known(stack) if config.decompress => {
            match decode::decode(&stack, kept, cut, config.keep_limit()) {
                Ok(decoded) => plain(&decoded.bytes, decoded.cut),
                Err(reason) => described(reason),
            }
        }
        decode::Coding::Known(_) | decode::Coding::Unknown => described("content encoding"),
    }
}

/// The longest beginning of at most `max` bytes that ends on a character's border and not inside a placeholder.
fn bound(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // A placeholder that is cut would begin less than its length before the end.
    for start in end.saturating_sub(PLACEHOLDER.len() - 1)..end {
        if text.get(start..).is_some_and(|rest| rest.starts_with(PLACEHOLDER)) {
            end = start;
            break;
        }
    }
    text.get(..end).unwrap_or("")
}
