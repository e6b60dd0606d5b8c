//! Bytes → text: everything after this sees UTF-8 only, so no charset can carry a secret past the rules.
//!
//! What a byte order mark says holds before what is declared, and what is declared is believed only as far as the bytes
//! bear it out: text read in a wrong charset shows no secret to the rules, and gives it away to who reads it in the right one.

use std::borrow::Cow;

const UNREADABLE: &str = "charset";

/// What is declared.
#[derive(Clone, Copy)]
enum Charset {
    /// UTF-8, or a part of it.
    Utf8,
    /// UTF-16, when known with the most significant byte first or last.
    Utf16(Option<Order>),
    /// UTF-32, the same.
    Utf32(Option<Order>),
    /// One byte per character, and the table for what differs from U+0000 to U+00FF.
    Single(fn(u8) -> char),
    /// Another in which ASCII is ASCII.
    OverAscii,
    /// Another.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Most significant byte first.
    Big,
    Little,
}

fn named(label: &str) -> Charset {
    match label {
        "" | "utf-8" | "utf8" | "us-ascii" | "ascii" => Charset::Utf8,
        "utf-16" | "utf16" | "ucs-2" | "iso-10646-ucs-2" => Charset::Utf16(None),
        "utf-16le" | "utf16le" => Charset::Utf16(Some(Order::Little)),
        "utf-16be" | "utf16be" => Charset::Utf16(Some(Order::Big)),
        "utf-32" | "utf32" | "ucs-4" | "iso-10646-ucs-4" => Charset::Utf32(None),
        "utf-32le" | "utf32le" => Charset::Utf32(Some(Order::Little)),
        "utf-32be" | "utf32be" => Charset::Utf32(Some(Order::Big)),
        // As on the web: who says Latin-1 means Windows' superset of it.
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "l1" | "windows-1252" | "cp1252" | "x-cp1252" => {
            Charset::Single(windows_1252)
        }
        "iso-8859-15" | "iso8859-15" | "iso_8859-15" | "latin9" | "l9" => Charset::Single(iso_8859_15),
        c if c.starts_with("iso-8859-") || c.starts_with("windows-125") => Charset::OverAscii,
        _ => Charset::Unknown,
    }
}

/// Does this label, or that there is none, say UTF-8?
pub(super) fn is_utf8(declared: Option<&str>) -> bool {
    matches!(named(&label(declared)), Charset::Utf8)
}

fn label(declared: Option<&str>) -> String {
    declared.unwrap_or("").trim_matches([' ', '\t', '\'']).to_ascii_lowercase()
}

/// The bytes as text, without a byte order mark; of a cut body what is whole. `json` says that it is declared as JSON,
/// which tells its encoding by its first bytes. The error is the reason for the note.
pub(super) fn text<'a>(
    bytes: &'a [u8],
    declared: Option<&str>,
    json: bool,
    cut: bool,
) -> Result<Cow<'a, str>, &'static str> {
    let label = label(declared);
    let charset = named(&label);
    // In these not even ASCII is ASCII (UTF-7, ISO-2022-JP), or not all of it (Shift_JIS).
    if matches!(charset, Charset::Unknown) {
        return Err(UNREADABLE);
    }
    if let Some((marked, rest)) = marked(bytes) {
        return match marked {
            Charset::Utf16(order) => utf16(rest, order.unwrap_or(Order::Little), cut),
            Charset::Utf32(order) => utf32(rest, order.unwrap_or(Order::Little), cut),
            _ => utf8(rest, cut).map(Cow::Borrowed),
        };
    }
    match charset {
        Charset::Utf16(order) => declared_utf16(bytes, order, cut),
        Charset::Utf32(order) => utf32(bytes, order.unwrap_or_else(|| order_of(bytes)), cut),
        Charset::Utf8 if json && label.is_empty() => match sniffed(bytes) {
            Some(Charset::Utf16(order)) => declared_utf16(bytes, order, cut),
            Some(Charset::Utf32(order)) => utf32(bytes, order.unwrap_or(Order::Little), cut),
            _ => utf8(bytes, cut).map(Cow::Borrowed),
        },
        Charset::Utf8 => utf8(bytes, cut).map(Cow::Borrowed),
        // What is UTF-8 is UTF-8, whatever old default a server declares: text in another charset is none by chance.
        Charset::Single(table) => match utf8(bytes, cut) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => {
                Ok(Cow::Owned(bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { table(*b) }).collect()))
            }
        },
        Charset::OverAscii | Charset::Unknown => match utf8(bytes, cut)? {
            text if text.is_ascii() => Ok(Cow::Borrowed(text)),
            _ => Err(UNREADABLE),
        },
    }
}

/// What a byte order mark says, and the text after it.
fn marked(bytes: &[u8]) -> Option<(Charset, &[u8])> {
    let marks: [(&[u8], Charset); 5] = [
        (&[0xEF, 0xBB, 0xBF], Charset::Utf8),
        // Before UTF-16's, as which it begins.
        (&[0xFF, 0xFE, 0, 0], Charset::Utf32(Some(Order::Little))),
        (&[0, 0, 0xFE, 0xFF], Charset::Utf32(Some(Order::Big))),
        (&[0xFF, 0xFE], Charset::Utf16(Some(Order::Little))),
        (&[0xFE, 0xFF], Charset::Utf16(Some(Order::Big))),
    ];
    marks.into_iter().find_map(|(mark, charset)| bytes.strip_prefix(mark).map(|rest| (charset, rest)))
}

/// JSON begins with an ASCII character, and mostly with two (RFC 4627).
fn sniffed(bytes: &[u8]) -> Option<Charset> {
    let &[a, b, c, d] = bytes.get(..4)? else { return None };
    match [a == 0, b == 0, c == 0, d == 0] {
        [true, true, true, false] => Some(Charset::Utf32(Some(Order::Big))),
        [false, true, true, true] => Some(Charset::Utf32(Some(Order::Little))),
        [true, false, true, false] => Some(Charset::Utf16(Some(Order::Big))),
        [false, true, false, true] => Some(Charset::Utf16(Some(Order::Little))),
        _ => None,
    }
}

/// Where the zero bytes of ASCII characters are.
fn order_of(bytes: &[u8]) -> Order {
    let zeros = |first| bytes.iter().skip(first).step_by(2).filter(|b| **b == 0).count();
    if zeros(0) > zeros(1) {
        Order::Big
    } else {
        Order::Little
    }
}

fn utf8(bytes: &[u8], cut: bool) -> Result<&str, &'static str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(e) if cut && e.error_len().is_none() => {
            let valid = bytes.get(..e.valid_up_to()).unwrap_or(&[]);
            std::str::from_utf8(valid).map_err(|_| "not utf-8")
        }
        Err(_) => Err("not utf-8"),
    }
}

/// UTF-16 that no mark vouches for. Any bytes are UTF-16, nearly: text of one byte per character, or of the other order,
/// would pass as characters that nobody wrote. So the bytes must look like UTF-16: more ASCII in this order than in
/// the other, and few pairs of bytes that would be ASCII each.
fn declared_utf16(bytes: &[u8], order: Option<Order>, cut: bool) -> Result<Cow<'_, str>, &'static str> {
    let order = order.unwrap_or_else(|| order_of(bytes));
    let (mut ascii, mut swapped, mut double) = (0usize, 0usize, 0usize);
    for pair in bytes.chunks_exact(2) {
        let &[a, b] = pair else { continue };
        let (high, low) = if order == Order::Big { (a, b) } else { (b, a) };
        match (high, low) {
            (0, 1..=0x7F) => ascii += 1,
            (1..=0x7F, 0) => swapped += 1,
            (9..=0x7F, 9..=0x7F) => double += 1,
            _ => {}
        }
    }
    if swapped > ascii || double > ascii || double > bytes.len() / 8 {
        return Err(UNREADABLE);
    }
    utf16(bytes, order, cut)
}

fn utf16(bytes: &[u8], order: Order, cut: bool) -> Result<Cow<'_, str>, &'static str> {
    let pairs = bytes.chunks_exact(2);
    let mut whole = pairs.remainder().is_empty();
    let units = pairs.map(|pair| match (pair, order) {
        (&[a, b], Order::Big) => u16::from_be_bytes([a, b]),
        (&[a, b], Order::Little) => u16::from_le_bytes([a, b]),
        _ => 0,
    });
    let count = bytes.len() / 2;
    let mut out = String::with_capacity(bytes.len());
    let mut read = 0;
    for decoded in char::decode_utf16(units) {
        match decoded {
            Ok(c) => {
                out.push(c);
                read += c.len_utf16();
            }
            // The first half of a character at the end.
            Err(e) if read + 1 == count && e.unpaired_surrogate() < 0xDC00 => {
                whole = false;
            }
            Err(_) => return Err(UNREADABLE),
        }
    }
    if whole || cut {
        Ok(Cow::Owned(out))
    } else {
        Err(UNREADABLE)
    }
}

fn utf32(bytes: &[u8], order: Order, cut: bool) -> Result<Cow<'_, str>, &'static str> {
    let units = bytes.chunks_exact(4);
    if !units.remainder().is_empty() && !cut {
        return Err(UNREADABLE);
    }
    let decoded: Option<String> = units
        .map(|unit| match (unit, order) {
            (&[a, b, c, d], Order::Big) => char::from_u32(u32::from_be_bytes([a, b, c, d])),
            (&[a, b, c, d], Order::Little) => char::from_u32(u32::from_le_bytes([a, b, c, d])),
            _ => None,
        })
        .collect();
    decoded.map(Cow::Owned).ok_or(UNREADABLE)
}

/// Windows' table puts letters and signs where Latin-1 has control characters.
fn windows_1252(byte: u8) -> char {
    const FROM_80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
    ];
    byte.checked_sub(0x80).and_then(|i| FROM_80.get(usize::from(i))).copied().unwrap_or(char::from(byte))
}

/// Latin-1 but for eight characters.
fn iso_8859_15(byte: u8) -> char {
    match byte {
        0xA4 => '€',
        0xA6 => 'Š',
        0xA8 => 'š',
        0xB4 => 'Ž',
        0xB8 => 'ž',
        0xBC => 'Œ',
        0xBD => 'œ',
        0xBE => 'Ÿ',
        other => char::from(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], charset: &str) -> Result<String, &'static str> {
        text(bytes, Some(charset), false, false).map(Cow::into_owned)
    }

    fn units16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    fn units32(text: &str, order: fn(u32) -> [u8; 4]) -> Vec<u8> {
        text.chars().flat_map(|c| order(c.into())).collect()
    }

    const TEXT: &str = "naïve 😀 text, 漢字";

    #[test]
    fn utf_16_and_32_are_converted_by_name_and_by_mark() {
        let encoded: [(&[&str], Vec<u8>); 4] = [
            (&["utf-16le", "utf-16"], units16(TEXT, u16::to_le_bytes)),
            (&["UTF-16BE", "utf-16"], units16(TEXT, u16::to_be_bytes)),
            (&["utf-32le", "utf-32"], units32(TEXT, u32::to_le_bytes)),
            (&["utf-32be", "'utf-32'"], units32(TEXT, u32::to_be_bytes)),
        ];
        for (labels, bytes) in encoded {
            for label in labels {
                assert_eq!(read(&bytes, label).as_deref(), Ok(TEXT), "{label}");
            }
        }
        let mark = format!("\u{FEFF}{TEXT}");
        let encoded = [
            mark.clone().into_bytes(),
            units16(&mark, u16::to_le_bytes),
            units16(&mark, u16::to_be_bytes),
            units32(&mark, u32::to_le_bytes),
            units32(&mark, u32::to_be_bytes),
        ];
        for bytes in encoded {
            for label in ["", "utf-16", "utf-8", "utf-16le", "latin1", "utf-16be"] {
                assert_eq!(read(&bytes, label).as_deref(), Ok(TEXT), "{label} {bytes:?}");
            }
            assert_eq!(read(&bytes, "utf-7"), Err(UNREADABLE));
        }
        // Of what might as well be `pa ss wo rd` only what a mark vouches for.
        assert_eq!(read(&units16("慰獳潷摲", u16::to_be_bytes), "utf-16be"), Err(UNREADABLE));
        assert_eq!(read(&units16("\u{FEFF}慰獳潷摲", u16::to_be_bytes), ""), Ok("慰獳潷摲".to_owned()));
    }

    #[test]
    fn json_tells_its_encoding() {
        let src = r#"{"a":"é"}"#;
        let encoded = [
            units16(src, u16::to_le_bytes),
            units16(src, u16::to_be_bytes),
            units32(src, u32::to_le_bytes),
            units32(src, u32::to_be_bytes),
        ];
        for bytes in encoded {
            assert_eq!(text(&bytes, None, true, false).as_deref(), Ok(src));
            assert!(text(&bytes, Some("utf-8"), true, false).map_or(true, |t| t.contains('\0')));
            assert!(text(&bytes, None, false, false).map_or(true, |t| t.contains('\0')));
        }
    }

    #[test]
    fn latin_is_converted_by_its_tables() {
        assert_eq!(read(b"caf\xE9 \x80\x9F\x81", "ISO-8859-1").as_deref(), Ok("café €Ÿ\u{81}"));
        assert_eq!(read(b"\xA4\xBC\xE9", "iso-8859-15").as_deref(), Ok("€Œé"));
        assert_eq!(read(b"\x93x\x94\xFF", "windows-1252").as_deref(), Ok("“x”ÿ"));
        // UTF-8 under a wrong name.
        assert_eq!(read("pásswörd".as_bytes(), "latin1").as_deref(), Ok("pásswörd"));
        assert_eq!(read(b"plain", "iso-8859-5").as_deref(), Ok("plain"));
        assert_eq!(read("é".as_bytes(), "iso-8859-5"), Err(UNREADABLE));
    }

    #[test]
    fn others_are_refused_even_as_ascii() {
        for label in ["utf-7", "shift_jis", "iso-2022-jp", "hz-gb-2312", "gb18030", "utf-ebcdic", "cp037", "x"] {
            assert_eq!(read(b"plain +AHAAYQBz-", label), Err(UNREADABLE), "{label}");
        }
    }

    #[test]
    fn a_wrong_name_hides_nothing() {
        let secret = "password=hunter2&a=1";
        for label in ["utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be"] {
            for wrong in [
                secret.as_bytes().to_vec(),
                format!("{secret}\n\0").into_bytes(),
                b"pass=hunter2 \xE9\xE9\xE9".to_vec(),
            ] {
                assert_eq!(read(&wrong, label), Err(UNREADABLE), "{label}");
            }
        }
        assert_eq!(read(&units16(secret, u16::to_le_bytes), "utf-16be"), Err(UNREADABLE));
        assert_eq!(read(&units16(secret, u16::to_be_bytes), "utf-16le"), Err(UNREADABLE));
        assert_eq!(read(&units32(secret, u32::to_be_bytes), "utf-32le"), Err(UNREADABLE));
    }

    #[test]
    fn halves_are_dropped_of_cut_bodies_only() {
        let bytes = units16("ab😀", u16::to_le_bytes);
        for (length, shown) in [(8, "ab😀"), (7, "ab"), (6, "ab"), (5, "ab"), (4, "ab"), (3, "a")] {
            let kept = &bytes[..length];
            assert_eq!(text(kept, Some("utf-16le"), false, true).as_deref(), Ok(shown));
            let whole = length == 8 || length == 4;
            assert_eq!(text(kept, Some("utf-16le"), false, false).is_ok(), whole, "{length}");
        }
        // Second halves first, and first halves alone, are nothing.
        for unit in [0xDC00u16, 0xD800] {
            let bytes: Vec<u8> = [0x61, unit, 0x62].into_iter().flat_map(u16::to_le_bytes).collect();
            assert_eq!(text(&bytes, Some("utf-16le"), false, true), Err(UNREADABLE));
        }
        let bytes = units32("ab", u32::to_be_bytes);
        assert_eq!(text(&bytes[..7], Some("utf-32be"), false, true).as_deref(), Ok("a"));
        assert_eq!(text(&bytes[..7], Some("utf-32be"), false, false), Err(UNREADABLE));
        assert_eq!(read(&0xD800u32.to_be_bytes(), "utf-32be"), Err(UNREADABLE));
    }

    #[test]
    fn utf_8_is_not_copied() {
        assert!(matches!(text("é".as_bytes(), None, true, false), Ok(Cow::Borrowed("é"))));
    }
}
