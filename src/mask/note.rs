//! The one form in which content that is not shown is described.
//!
//! `[application/octet-stream, 1234 bytes, sha256 0123456789abcdef, not captured: binary]` for a body as a whole (the hash
//! only of binary content), and `[application/json, 1234 bytes, not captured from byte 700: malformed]` after what could
//! be kept.

use std::fmt::Write;

use ring::digest;

/// What is shorter could be found by trying.
const MIN_HASHED: usize = 64;
/// So many bytes of a hash are told: enough to compare, by the note's readers.
const HASH_BYTES: usize = 8;

/// A body that is not shown at all.
pub(super) fn whole(kind: &str, size: u64, reason: &str) -> String {
    format!("[{}, {size} bytes, not captured: {reason}]", safe(kind))
}

/// As [`whole`], with the beginning of the SHA-256 of its bytes, by which the notes of two services can be compared. It
/// stays out when not all `size` bytes are at hand, or few.
pub(super) fn hashed(kind: &str, bytes: &[u8], size: u64, reason: &str) -> String {
    if bytes.len() < MIN_HASHED || bytes.len() as u64 != size {
        return whole(kind, size, reason);
    }
    let hash = digest::digest(&digest::SHA256, bytes);
    let hex = hash.as_ref().iter().take(HASH_BYTES).fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("[{}, {size} bytes, sha256 {hex}, not captured: {reason}]", safe(kind))
}

/// The end of a body that is shown up to a byte.
pub(super) fn from(kind: &str, size: u64, byte: usize, reason: &str) -> String {
    format!("[{}, {size} bytes, not captured from byte {byte}: {reason}]", safe(kind))
}

/// A type or coding named by a peer goes into the note only if it is a plain short token.
pub(super) fn safe(kind: &str) -> &str {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'.' | b'+' | b'_');
    if !kind.is_empty() && kind.len() <= 80 && kind.bytes().all(plain) {
        kind
    } else {
        "unknown type"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_have_one_form_and_hold_nothing_foreign() {
        assert_eq!(whole("image/png", 3, "binary"), "[image/png, 3 bytes, not captured: binary]");
        assert_eq!(whole("a b\nc", 0, "binary"), "[unknown type, 0 bytes, not captured: binary]");
        assert_eq!(from("text/plain", 9, 4, "cut"), "[text/plain, 9 bytes, not captured from byte 4: cut]");
        assert_eq!(safe(&"x".repeat(81)), "unknown type");
    }

    #[test]
    fn a_hash_stands_for_all_bytes_of_what_cannot_be_guessed() {
        let million = [b'a'; 1_000_000];
        assert_eq!(
            hashed("image/png", &million, 1_000_000, "binary"),
            // The standard's own example: cdc76e5c 9914fb92 81a1c7e2 ….
            "[image/png, 1000000 bytes, sha256 cdc76e5c9914fb92, not captured: binary]"
        );
        assert_eq!(hashed("a/b", &million[..63], 63, "binary"), "[a/b, 63 bytes, not captured: binary]");
        assert!(hashed("a/b", &million[..64], 64, "binary").contains("sha256"));
        assert_eq!(hashed("a/b", &million[..64], 65, "binary"), "[a/b, 65 bytes, not captured: binary]");
    }
}
