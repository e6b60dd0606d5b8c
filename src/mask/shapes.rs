//! Values that are secret by their form: tokens of known make, card numbers, bank accounts.
//!
//! All look at the beginning of bytes, so that a caller can ask at any place of a text.

use super::text::is_token;

/// Tokens of known make: prefix and the least length of the whole token. scan.rs knows the first letters.
const MAKES: &[(&str, usize)] = &[
    // A JWT, also cut off, and any base64 text of a JSON object.
    ("eyJ", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("whsec_", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 20),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("xoxs-", 16),
    ("xoxr-", 16),
    ("xapp-", 16),
    ("AKIA", 20),
    ("ASIA", 20),
    ("AIza", 35),
    ("ya29.", 20),
    ("SG.", 30),
    ("npm_", 30),
    ("pypi-", 30),
    ("sk-", 24),
    ("shpat_", 20),
    ("shpss_", 20),
    ("dop_v1_", 30),
    ("hf_", 30),
    ("sq0csp-", 20),
    ("key-", 36),
    ("AGE-SECRET-KEY-", 30),
    ("hvs.", 24),
    ("glrt-", 20),
    ("gldt-", 20),
    ("xoxe-", 16),
    ("xoxe.", 16),
    ("hvb.", 24),
    ("hvr.", 24),
    ("shpca_", 20),
    ("shppa_", 20),
    ("doo_v1_", 30),
    ("dor_v1_", 30),
    ("sq0atp-", 20),
    ("lin_api_", 30),
    ("dapi", 36),
    ("EAAC", 30),
    ("NRAK-", 20),
    ("dckr_pat_", 20),
    ("PMAK-", 30),
    ("ATATT3", 40),
    ("rubygems_", 30),
    ("sntrys_", 30),
    ("pul-", 40),
    ("tskey-", 20),
    ("rzp_live_", 20),
    ("nvapi-", 30),
    ("gsk_", 30),
    ("r8_", 30),
    ("secret_", 40),
    ("ntn_", 40),
    ("pat-na1-", 30),
    ("SK", 34),
    // NTLM and Negotiate.
    ("TlRMTVNTUAAB", 20),
    ("YII", 40),
];

/// No token of known make is shorter.
pub(super) const MIN_SECRET: usize = 16;

/// Is the text as a whole one token that is a secret by its form?
pub(super) fn secret_token(text: &str) -> bool {
    text.len() >= MIN_SECRET && text.bytes().all(is_token) && is_known(text.as_bytes()) || is_card(text)
}

/// The first two bytes of tokens of known make: one bit for each second byte (modulo 64), by the first.
static BEGINNINGS: [u64; 128] = {
    let mut table = [0u64; 128];
    let mut i = 0;
    while i < MAKES.len() {
        let prefix = MAKES[i].0.as_bytes();
        table[prefix[0] as usize & 127] |= 1 << (prefix[1] & 63);
        i += 1;
    }
    table
};

/// Could a token that begins so be one of known make?
#[inline(always)]
pub(super) fn may_be_known(first: u8, second: u8) -> bool {
    BEGINNINGS.get(usize::from(first)).is_some_and(|seconds| seconds >> (second & 63) & 1 == 1)
}

/// Do these bytes begin with a token that is a secret by its form?
pub(super) fn is_known(bytes: &[u8]) -> bool {
    let known = |prefix: &str, least: usize| {
        bytes.starts_with(prefix.as_bytes())
            && bytes.get(..least).is_some_and(|token| token.iter().all(|b| is_token(*b)))
            // What is percent-encoded or of another script is no such token.
            && bytes.get(..MIN_SECRET).is_some_and(|head| head.iter().all(|b| b.is_ascii() && *b != b'%'))
    };
    match bytes {
        [first, second, ..] if may_be_known(*first, *second) => {
            // Most are told apart by their first two bytes.
            MAKES.iter().any(|(prefix, least)| {
                matches!(prefix.as_bytes(), [a, b, ..] if a == first && b == second) && known(prefix, *least)
            })
        }
        _ => false,
    }
}

/// The length of the IBAN that bytes begin with: country, check digits, and groups that may be set off by blanks.
pub(super) fn iban(bytes: &[u8]) -> Option<usize> {
    let head = *bytes.first_chunk::<4>()?;
    let [a, b, check, digit] = head;
    if !(check.is_ascii_digit() && digit.is_ascii_digit()) {
        return None;
    }
    let length = usize::from(*IBAN_LENGTHS.get(letters(a, b)?)?);
    if length == 0 {
        return None;
    }
    let take = |rest: u32, b: u8| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b.to_ascii_uppercase() - b'A') + 10) % 97,
    };
    let mut rest = 0;
    let mut count = 4;
    for (i, b) in bytes.iter().enumerate().skip(4) {
        match b {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                rest = take(rest, *b);
                count += 1;
            }
            b' ' if count % 4 == 0 => continue,
            _ => return None,
        }
        if count == length {
            // The check digits count as if they stood at the end.
            let ends = bytes.get(i + 1).is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_');
            return (ends && head.into_iter().fold(rest, take) == 1).then_some(i + 1);
        }
    }
    None
}

/// A number for two letters.
const fn letters(a: u8, b: u8) -> Option<usize> {
    let (a, b) = (a.to_ascii_uppercase(), b.to_ascii_uppercase());
    if a.is_ascii_uppercase() && b.is_ascii_uppercase() {
        Some((a - b'A') as usize * 26 + (b - b'A') as usize)
    } else {
        None
    }
}

/// The lengths of [`IBANS`] by country; 0 where there are none.
static IBAN_LENGTHS: [u8; 26 * 26] = {
    let mut table = [0; 26 * 26];
    let mut i = 0;
    while i < IBANS.len() {
        let ([a, b], length) = IBANS[i];
        if let Some(at) = letters(*a, *b) {
            table[at] = length;
        }
        i += 1;
    }
    table
};

/// How long the IBANs of each country are (registry of SWIFT).
const IBANS: &[(&[u8; 2], u8)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// Do these digits and gaps begin with what may be a card's number?
pub(super) fn begins_card(bytes: &[u8]) -> bool {
    let head = bytes.first_chunk::<4>().filter(|head| head.iter().all(u8::is_ascii_digit));
    let head = head.map(|head| head.iter().fold(0u32, |n, d| n * 10 + u32::from(d - b'0')));
    head.is_some_and(|head| (2221..=6799).contains(&head)) && bytes.iter().filter(|b| b.is_ascii_digit()).count() >= 13
}

/// Digits and gaps of a card number, and what is looked at beyond it.
const MAX_CARD: usize = 48;

/// The length of the card number that bytes begin with. Groups may be set off by single blanks or dashes.
pub(super) fn card(bytes: &[u8]) -> Option<usize> {
    // Nothing longer is one; and the rest of a long text must not be walked for each of its numbers.
    let bytes = bytes.get(..MAX_CARD).unwrap_or(bytes);
    // The first group of every card number has four digits.
    if !begins_card(bytes) {
        return None;
    }
    let mut last = 0;
    for (at, b) in bytes.iter().enumerate() {
        if b.is_ascii_digit() {
            last = at + 1;
        } else if !(matches!(b, b' ' | b'-') && last == at) {
            break;
        }
    }
    // The digits may be followed by others that do not belong, `4111 1111 1111 1111 2025`; letters beside it make it part of a
    // word.
    let ends = |at: &usize| {
        let [before, after] = [at.checked_sub(1), Some(*at)].map(|at| at.and_then(|at| bytes.get(at)));
        before.is_some_and(u8::is_ascii_digit) && !after.is_some_and(u8::is_ascii_alphanumeric)
    };
    let fits = |at: &usize| bytes.get(..*at).and_then(|b| std::str::from_utf8(b).ok()).is_some_and(is_card);
    (13..=last.min(38)).rev().filter(ends).find(fits)
}

/// Does a number, as JSON writes numbers, begin as a card's does? (It may have a point: `4.111111111111111e15`.)
#[inline(always)]
pub(super) fn begins_card_number(number: &[u8]) -> bool {
    let Some([a, b, c, d, e]) = number.first_chunk::<5>() else { return false };
    let digits = if *b == b'.' { [a, c, d, e] } else { [a, b, c, d] };
    let head = digits.iter().fold(0u32, |n, d| n * 10 + u32::from(d.wrapping_sub(b'0')));
    digits.iter().any(|d| !d.is_ascii_digit())
        || ISSUERS.iter().any(|(first, last, _)| (*first..=*last).contains(&head))
}

/// Is the number, as JSON writes numbers, a card's? Some programs write it as a float.
pub(super) fn is_card_number(text: &str) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or("");
    let whole = mantissa.split('.').next().unwrap_or("");
    is_card(whole) || (mantissa.len() < text.len() && is_card(&mantissa.replace('.', "")))
}

/// The first four digits of cards' numbers, and how many digits they have: one bit each.
const ISSUERS: &[(u32, u32, u32)] = &[
    (4000, 4999, 1 << 13 | 1 << 16 | 1 << 19),
    (5100, 5599, 1 << 16),
    (2221, 2720, 1 << 16),
    (3400, 3499, 1 << 15),
    (3700, 3799, 1 << 15),
    (3000, 3059, 1 << 14 | 1 << 16),
    (3600, 3699, 1 << 14 | 1 << 16),
    (3800, 3999, 1 << 14 | 1 << 16),
    (3528, 3589, FROM_16),
    (6011, 6011, FROM_16),
    (6440, 6599, FROM_16),
    (6200, 6299, FROM_16),
    (5000, 5000, FROM_13),
    (5018, 5019, FROM_13),
    (5020, 5020, FROM_13),
    (5038, 5038, FROM_13),
    (5600, 5899, FROM_13),
    (6304, 6304, FROM_13),
    (6759, 6759, FROM_13),
    (6761, 6763, FROM_13),
    (6766, 6772, FROM_13),
    (6799, 6799, FROM_13),
];
const FROM_16: u32 = 0xF_0000;
const FROM_13: u32 = 0xF_E000;

/// Is this a card number (digits, single blanks and dashes)? By the issuers' prefixes and Luhn's sum: a number of that length
/// alone passes Luhn one time in ten, and ids are common.
pub(super) fn is_card(text: &str) -> bool {
    if !(13..=38).contains(&text.len()) || !begins_card(text.as_bytes()) {
        return false;
    }
    let mut digits = [0u8; 19];
    let mut count = 0;
    for b in text.bytes() {
        match b {
            b'0'..=b'9' => {
                let Some(slot) = digits.get_mut(count) else { return false };
                *slot = b - b'0';
                count += 1;
            }
            b' ' | b'-' => {}
            _ => return false,
        }
    }
    let Some(digits) = digits.get(..count) else { return false };
    if count < 13 {
        return false;
    }
    let head = digits.iter().take(4).fold(0u32, |n, d| n * 10 + u32::from(*d));
    let known =
        ISSUERS.iter().any(|(first, last, lengths)| (*first..=*last).contains(&head) && lengths >> count & 1 == 1);
    if !known {
        return false;
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let d = u32::from(*d);
            match i % 2 {
                0 => d,
                _ if d > 4 => d * 2 - 9,
                _ => d * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_begin_with_letters_that_the_scan_knows() {
        for (prefix, _) in MAKES {
            assert!("adeghklnprstwxy".contains(&prefix[..1].to_ascii_lowercase()), "{prefix}");
        }
    }

    #[test]
    fn cards_are_told_from_other_numbers() {
        for (text, len) in [
            ("4111111111111111", 16),
            ("4111 1111 1111 1111 2025", 19),
            ("5500-0000-0000-0004.", 19),
            ("378282246310005", 15),
            ("6799990100000000019", 19),
            ("5019717010103742", 16),
        ] {
            assert_eq!(card(text.as_bytes()), Some(len), "{text}");
        }
        for text in ["4111111111111112", "4111111111111111a", "1234567890123456", "4111", "", "4111  1111 1111 1111"] {
            assert_eq!(card(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn bank_accounts_are_told_by_their_check_digits() {
        for text in [
            "DE89370400440532013000",
            "GB29NWBK60161331926819",
            "NL91 ABNA 0417 1643 00",
            "NO93 8601 1117 947",
            "FR14 2004 1010 0505 0001 3M02 606",
            "MT84MALT011000012345MTLCAST001S",
        ] {
            assert_eq!(iban(text.as_bytes()), Some(text.len()), "{text}");
            assert_eq!(iban(format!("{text}. And").as_bytes()), Some(text.len()), "{text}");
        }
        for text in ["DE88370400440532013000", "DE89", "", "XX89370400440532013000", "DE89370400440532013000x"] {
            assert_eq!(iban(text.as_bytes()), None, "{text}");
        }
    }
}
