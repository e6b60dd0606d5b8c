//! Percent-encoding as forms and URLs use it.

/// Decodes `%XX` (and `+` as a space when `plus`). `None` when the result is not UTF-8; a `%` without two
/// hex digits stays as it is, as browsers and servers have it.
pub(super) fn decode(text: &str, plus: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    append(text.as_bytes(), plus, &mut out);
    String::from_utf8(out).ok()
}

/// Appends bytes decoded so.
pub(super) fn append(raw: &[u8], plus: bool, out: &mut Vec<u8>) {
    let mut rest = raw;
    loop {
        let (run, tail) = rest.split_at(find(rest, [b'%', b'%']));
        out.extend(run.iter().map(|b| if plus && *b == b'+' { b' ' } else { *b }));
        rest = match tail {
            [] => return,
            [_, high, low, after @ ..] if digit(*high) < 16 && digit(*low) < 16 => {
                out.push(digit(*high) << 4 | digit(*low));
                after
            }
            [sign, after @ ..] => {
                out.push(*sign);
                after
            }
        };
    }
}

/// Where the first of two bytes is, else the length. Eight bytes at a time: names and values are too short for more.
pub(super) fn find(bytes: &[u8], signs: [u8; 2]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let [one, other] = signs.map(|sign| ONES * u64::from(sign));
    // The lowest bit that is set belongs to the first byte that is zero.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    let (words, rest) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ one) | zeros(word ^ other);
        if found != 0 {
            return i * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + rest.iter().position(|b| signs.contains(b)).unwrap_or(rest.len())
}

/// A hexadecimal digit's value; 16 or more for what is none.
fn digit(b: u8) -> u8 {
    match b {
        b'0'..=b'9' => b - b'0',
        b'a'..=b'f' => b - b'a' + 10,
        b'A'..=b'F' => b - b'A' + 10,
        _ => 16,
    }
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
    fn signs_are_found_wherever_they_are() {
        for len in 0..40 {
            for at in 0..=len {
                let mut text = vec![b'\xff'; len];
                // What differs from a sign by one bit is none.
                text.iter_mut().step_by(3).for_each(|b| *b = b'\'');
                if let Some(b) = text.get_mut(at) {
                    *b = if at % 2 == 0 { b'&' } else { b';' };
                }
                if let Some(b) = text.get_mut(at + 1) {
                    *b = b'&';
                }
                assert_eq!(find(&text, [b'&', b';']), at, "{len}");
            }
        }
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
