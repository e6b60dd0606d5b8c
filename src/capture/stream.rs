//! Payloads that arrive in pieces.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::{capture_with, decode, mask_body, CaptureConfig, CaptureOutcome, Declared, HeaderError, Kind, MAX_HEADERS};
use crate::mask::{self, Masked, Pieces};
use crate::process::fork;

/// More bytes of headers than this are left out.
const MAX_HEADER_BYTES: usize = 256 * 1024;
/// What a header takes beside its name and value.
const HEADER_OVERHEAD: usize = 64;

/// Bytes that all payloads in the making hold, and the fork generation that counted them: what a parent's threads were capturing
/// nobody ends in the child.
static HELD: AtomicUsize = AtomicUsize::new(0);
static HELD_IN: AtomicU32 = AtomicU32::new(0);

/// One payload in the making. Takes at most [`CaptureConfig::keep_limit`] bytes of the body, whatever arrives, and no more when
/// all payloads of the process hold [`CaptureConfig::max_held_bytes`]; what lies beyond is counted, and the body is masked up to
/// there. A JSON body whose type was told before it is masked as it arrives.
#[derive(Debug)]
pub struct Stream {
    kind: Kind,
    limit: usize,
    limit_of_all: usize,
    /// What of [`HELD`] is this one's, and since which generation.
    held: usize,
    generation: u32,
    keeps_body: bool,
    headers: Vec<(String, String)>,
    header_bytes: usize,
    more_headers: bool,
    body: Option<Body>,
    /// Bytes of the body that were taken, and that arrived.
    taken: usize,
    size: u64,
}

#[derive(Debug)]
struct Body {
    pieces: Pieces,
    /// What it was said to be when it began.
    declared: Declared,
    /// What of `Stream::held` is the body's.
    held: usize,
}

impl Body {
    fn begin(config: &CaptureConfig, declared: Declared) -> Self {
        let identity = matches!(decode::coding(&declared.coding), decode::Coding::Identity);
        let content_type = declared.content_type.as_deref().filter(|_| identity && config.custom.is_none());
        Body { pieces: Pieces::new(&config.rules, content_type), declared, held: 0 }
    }

    /// The masked body, and whether it is only the beginning.
    fn end(self, config: &CaptureConfig, declared: &Declared, taken: usize, size: u64) -> (Masked, bool) {
        if let Some(kept) = self.pieces.whole() {
            return mask_body(config, declared, kept, size);
        }
        let cut = (taken as u64) < size;
        let content_type = declared.content_type.as_deref();
        // What is masked already was masked as something else.
        if *declared != self.declared {
            return (mask::describe(content_type.unwrap_or(""), size, "type told after the body"), cut);
        }
        (self.pieces.end(&config.rules, content_type, size, cut), cut)
    }
}

impl Stream {
    /// Begins a payload.
    pub fn begin(config: &CaptureConfig, kind: Kind) -> Self {
        Stream {
            kind,
            limit: config.keep_limit(),
            limit_of_all: config.max_held_bytes,
            held: 0,
            generation: fork::generation(),
            keeps_body: config.capture_body,
            headers: Vec::new(),
            header_bytes: 0,
            more_headers: false,
            body: None,
            taken: 0,
            size: 0,
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Adds one header. Bytes that are not UTF-8 become U+FFFD.
    pub fn header(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeaderError> {
        let line = self.headers.len() + 1;
        let name = name.trim_ascii();
        if name.is_empty() {
            return Err(HeaderError { line, reason: "no name" });
        }
        if name.iter().any(|b| *b <= b' ' || *b == 0x7F) {
            return Err(HeaderError { line, reason: "a blank in the name" });
        }
        self.header_bytes = self.header_bytes.saturating_add(name.len() + value.len());
        if self.headers.len() >= MAX_HEADERS || self.header_bytes > MAX_HEADER_BYTES {
            self.more_headers = true;
            return Err(HeaderError { line, reason: "too many headers" });
        }
        // Some for the two texts themselves.
        if !self.hold(name.len() + value.len() + HEADER_OVERHEAD) {
            self.more_headers = true;
            return Ok(());
        }
        self.headers.push((
            String::from_utf8_lossy(name).into_owned(),
            String::from_utf8_lossy(value.trim_ascii()).into_owned(),
        ));
        Ok(())
    }

    /// Adds parsed headers.
    pub fn headers(&mut self, headers: impl IntoIterator<Item = (String, String)>) -> Result<(), HeaderError> {
        headers.into_iter().try_for_each(|(name, value)| self.header(name.as_bytes(), value.as_bytes()))
    }

    /// Adds a piece of the body.
    pub fn body(&mut self, config: &CaptureConfig, chunk: &[u8]) {
        self.size = self.size.saturating_add(chunk.len() as u64);
        if !self.keeps_body {
            return;
        }
        let room = self.limit.saturating_sub(self.taken);
        let kept = chunk.get(..room).unwrap_or(chunk);
        if kept.is_empty() {
            return;
        }
        if !self.hold(kept.len()) {
            // A gap would make another body of it: from here on nothing is kept.
            self.limit = self.taken;
            return;
        }
        self.taken += kept.len();
        let body = self.body.get_or_insert_with(|| Body::begin(config, Declared::of(self.kind, &self.headers)));
        body.held += kept.len();
        body.pieces.push(&config.rules, kept);
        // Masked text is shorter or longer than what it stands for.
        let (held, now) = (std::mem::take(&mut body.held), body.pieces.held());
        body.held = now;
        if now < held {
            self.release(held - now);
        } else if !self.hold(now - held) {
            if let Some(body) = &mut self.body {
                body.held = held;
            }
            self.limit = self.taken;
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.body.as_ref().map_or(0, |body| body.pieces.held())
    }

    /// Is there room for so many bytes more, among all payloads in the making?
    fn hold(&mut self, bytes: usize) -> bool {
        self.forget_parents();
        let all = HELD.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if all > self.limit_of_all {
            HELD.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.held += bytes;
        true
    }

    fn release(&mut self, bytes: usize) {
        self.forget_parents();
        let counted = bytes.min(self.held);
        HELD.fetch_sub(counted, Ordering::Relaxed);
        self.held -= counted;
    }

    /// In a forked child the count begins anew, also that of a payload which goes on there.
    fn forget_parents(&mut self) {
        let now = fork::generation();
        if HELD_IN.load(Ordering::Relaxed) != now && HELD_IN.swap(now, Ordering::Relaxed) != now {
            HELD.store(0, Ordering::Relaxed);
        }
        if self.generation != now {
            (self.generation, self.held) = (now, 0);
        }
    }

    /// The payload is complete: `emit` gets its attributes.
    pub fn end(mut self, config: &CaptureConfig, emit: &mut dyn FnMut(&str, &str)) -> CaptureOutcome {
        let (headers, body) = (std::mem::take(&mut self.headers), self.body.take());
        let (taken, size) = (self.taken, self.size);
        capture_with(config, self.kind, &headers, self.more_headers, size, emit, |declared| match body {
            Some(body) => body.end(config, declared, taken, size),
            None => mask_body(config, declared, &[], size),
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.release(self.held);
    }
}
