//! Percent-encoding as forms and URLs use it.

/// Decodes `%XX` (and `+` as a space when `plus`). `None` when the result is not UTF-8; a `%` without two
/// hex digits stays as it is, as browsers and servers have it.
pub(super) fn decode(text: &str, plus: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'+' if plus => out.push(b' '),
            b'%' => {
                let mut ahead = bytes.clone();
                match (ahead.next().and_then(hex), ahead.next().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        out.push(high << 4 | low);
                        bytes = ahead;
                    }
                    _ => out.push(b),
                }
            }
            _ => out.push(b),
        }
    }
    String::from_utf8(out).ok()
}

fn hex(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// Encodes as a form does, with `*` left as it is, so that the placeholder stays readable.
pub(super) fn encode(text: &str, out: &mut String) {
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(b)),
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                for digit in [b >> 4, b & 15] {
                    out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        assert_eq!(decode("a%20b+c", true).as_deref(), Some("a b c"));
        assert_eq!(decode("a+b", false).as_deref(), Some("a+b"));
        assert_eq!(decode("100%", true).as_deref(), Some("100%"));
        assert_eq!(decode("%zz%4", true).as_deref(), Some("%zz%4"));
        assert_eq!(decode("%E6%9D%B1", true).as_deref(), Some("東"));
        assert_eq!(decode("%FF", true), None);
    }

    #[test]
    fn encodes_what_it_decodes() {
        for text in ["", "a b&c=d", "東京 100%", "***MASKED***"] {
            let mut encoded = String::new();
            encode(text, &mut encoded);
            assert_eq!(decode(&encoded, true).as_deref(), Some(text));
        }
    }
}
