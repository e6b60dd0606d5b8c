//! Payloads that arrive in pieces.

use super::{capture_kept, CaptureConfig, CaptureOutcome, HeaderError, Kind, MAX_HEADERS};

/// More bytes of headers than this are left out.
const MAX_HEADER_BYTES: usize = 256 * 1024;

/// One payload in the making. Holds at most [`CaptureConfig::keep_limit`] bytes of the body, whatever arrives; what lies beyond
/// is counted, and the body is masked up to there.
#[derive(Debug)]
pub struct Stream {
    kind: Kind,
    limit: usize,
    keeps_body: bool,
    headers: Vec<(String, String)>,
    header_bytes: usize,
    more_headers: bool,
    body: Vec<u8>,
    size: u64,
}

impl Stream {
    /// Begins a payload.
    pub fn begin(config: &CaptureConfig, kind: Kind) -> Self {
        Stream {
            kind,
            limit: config.keep_limit(),
            keeps_body: config.capture_body,
            headers: Vec::new(),
            header_bytes: 0,
            more_headers: false,
            body: Vec::new(),
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
    pub fn body(&mut self, chunk: &[u8]) {
        self.size = self.size.saturating_add(chunk.len() as u64);
        if self.keeps_body {
            let room = self.limit.saturating_sub(self.body.len());
            self.body.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
        }
    }

    /// Bytes held, for a bound over all captures.
    pub fn held(&self) -> usize {
        self.body.capacity() + self.header_bytes
    }

    /// The payload is complete: `emit` gets its attributes.
    pub fn end(self, config: &CaptureConfig, emit: &mut dyn FnMut(&str, &str)) -> CaptureOutcome {
        capture_kept(config, self.kind, &self.headers, self.more_headers, &self.body, self.size, emit)
    }
}
