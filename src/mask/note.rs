//! The one form in which content that is not shown is described.
//!
//! `[application/octet-stream, 1234 bytes, not captured: binary]` for a body as a whole, and
//! `[application/json, 1234 bytes, not captured from byte 700: malformed]` after what could be kept.

/// A body that is not shown at all.
pub(super) fn whole(kind: &str, size: u64, reason: &str) -> String {
    format!("[{}, {size} bytes, not captured: {reason}]", safe(kind))
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
}
