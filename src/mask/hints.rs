//! Could there be a secret at this place of a string? A quick answer that is "yes" too often but never too seldom: for the
//! strings where it is "yes", text.rs looks at every word.
//!
//! The places come from scan.rs: signs between a name and its value, runs of token characters, digits or dashes, and letters of
//! authentication schemes. The string may be as it is written in JSON, with its escapes, but for `\u`.

use super::names::{Hit, Place, Slot};
use super::scan::{DASH_RUN, DIGIT_RUN, TOKEN_RUN};
use super::{commands, graphql, printed, shapes, sql, text, Rules};

/// A longer name, phrase or number is looked at in full.
const NEAR: usize = 64;
/// The longest beginning of an IBAN before its digits: `MT84 MALT `.
const IBAN_LEAD: usize = 12;

/// Longer text is looked at 64 bytes at a time.
const SHORT: usize = 64;

// What a byte is in the eyes of `quiet`. The first of two neighbours has the bit below the second's.
const SCHEME: u32 = 1;
const VOWEL: u32 = 1 << 1;
const DASH: u32 = 1 << 2;
const ALPHA: u32 = 1 << 3;
const Y: u32 = 1 << 4;
const BLANK: u32 = 1 << 5;
const BRACE: u32 = 1 << 6;
const QUIET: u32 = 1 << 7;
// Whole bytes of their own, in which runs are counted.
const IN_TOKEN: u32 = 0xFF << 8;
const IN_NUMBER: u32 = 0xFF << 16;
const IN_DASHES: u32 = 0xFF << 24;

const ONE_MORE: u32 = 0x0101_0100;
/// Added to the runs, it sets a byte's highest bit when the run is long enough.
const TO_LONG: u32 = (0x80 - TOKEN_RUN as u32) << 8 | (0x80 - DIGIT_RUN as u32) << 16 | (0x80 - DASH_RUN as u32) << 24;
const LONG: u32 = 0x8080_8000;

/// What each byte is; 0 where it may be a sign.
static SOUNDS: [u32; 256] = {
    let mut sounds = [0; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        let letter = match b | 0x20 {
            b'b' | b'g' | b'k' => SCHEME,
            b'a' | b'e' | b'o' => VOWEL,
            b'y' => Y,
            _ => 0,
        };
        sounds[i] = match b {
            b'a'..=b'z' | b'A'..=b'Z' => QUIET | IN_TOKEN | ALPHA | letter,
            b'0'..=b'9' => QUIET | IN_TOKEN | IN_NUMBER,
            b'-' => QUIET | IN_TOKEN | IN_NUMBER | IN_DASHES | DASH,
            b'_' | b'.' => QUIET | IN_TOKEN,
            b' ' => QUIET | IN_NUMBER | BLANK,
            b'{' | b'}' => QUIET | BRACE,
            b'/' | b',' | b'!' | b'*' | b'+' | b'#' | b'~' => QUIET,
            _ => 0,
        };
        i += 1;
    }
    sounds
};

/// Is there certainly nothing to see in a short text? So in most names and values of attributes: `GET`, `/cart`, `shop.example`.
/// It has no sign at all, no token or number, no run of a PEM block's dashes, no scheme's name before a blank, no option, and is no
/// statement.
pub(super) fn quiet(text: &str) -> bool {
    if text.len() > SHORT {
        return false;
    }
    let bytes = text.as_bytes();
    let (mut all, mut any, mut before, mut runs) = (QUIET, 0, 0, 0_u32);
    for (at, b) in bytes.iter().enumerate() {
        let sound = SOUNDS.get(usize::from(*b)).copied().unwrap_or(0);
        all &= sound;
        any |= sound;
        // (No run is longer than the text, so none reaches its neighbour.)
        runs = runs.wrapping_add(ONE_MORE) & sound;
        let long = runs.wrapping_add(TO_LONG) & LONG;
        let pair = (before << 1) & sound & (VOWEL | ALPHA | BLANK);
        before = sound;
        if long | pair != 0 && shows_more(bytes, at, long, pair) {
            return false;
        }
    }
    // `/cart/{id}` is neither JSON nor GraphQL.
    let plain = any & BRACE == 0 || !(text.trim_start().starts_with('{') || graphql::looks_like(text));
    all & QUIET != 0 && plain && commands::statement(bytes).is_none()
}

/// Looks closer at a place at which a run is long, or two neighbours make a pair.
fn shows_more(bytes: &[u8], at: usize, long: u32, pair: u32) -> bool {
    (long & IN_TOKEN != 0 && token(bytes, at))
        || (long & IN_NUMBER != 0 && number(bytes, at))
        || long & IN_DASHES != 0
        || (pair & VOWEL != 0 && scheme(bytes, at))
        || (pair & ALPHA != 0 && commands::dashes_before(bytes, at).is_some())
        || (pair & BLANK != 0 && by(bytes, at))
}

/// A `by` before a blank that a password without quotes may follow.
fn by(text: &[u8], at: usize) -> bool {
    let near = at.checked_sub(2).and_then(|from| text.get(from..at)).unwrap_or(&[]);
    near.eq_ignore_ascii_case(b"by") && commands::is_identified(text, at)
}

/// Is there certainly nothing to see at this place, whatever string it is in? Says so of most places, and quickly.
#[inline(always)]
pub(super) fn harmless(src: &[u8], at: usize) -> bool {
    // What is before the place and what is after it.
    let Some(near) = at.checked_sub(16).and_then(|from| src.get(from..)).and_then(|rest| rest.first_chunk::<24>())
    else {
        return false;
    };
    let [.., p3, p2, p1, byte, n1, n2, _, _, _, _, _] = *near;
    // An option's letter.
    if p1 == b'-' && byte.is_ascii_alphabetic() && (!p2.is_ascii_alphanumeric() || p3 == b'\\') {
        return false;
    }
    match byte {
        // The minutes of a time, which is in most logs and records.
        b':' => text::is_time(&[p3, p2, p1], n1),
        b'a' | b'e' | b'o' | b'A' | b'E' | b'O' => {
            let word = u32::from_le_bytes([p1, byte, n1, n2]) | 0x2020_2020;
            let scheme = [*b"bear", *b"basi", *b"gest", *b"goti"].map(u32::from_le_bytes).contains(&word);
            let end = [*b"ken\0", *b"key\0"].map(u32::from_le_bytes).contains(&(word & 0xFF_FFFF));
            !scheme && !end && no_token(near)
        }
        b'0'..=b'9' => no_number(near) && no_token(near),
        b' ' if p1 | 0x20 == b'y' && p2 | 0x20 == b'b' => false,
        b' ' if p1 == b'-' && n1 == b'[' => false,
        b'-' | b' ' => [p3, p2, p1] != *b"---" && no_number(near) && no_token(near),
        b'b'..=b'z' | b'B'..=b'Z' | b'_' | b'.' => no_token(near),
        _ => false,
    }
}

/// No token of known make has its sixteenth character in the middle of these.
#[inline(always)]
fn no_token(near: &[u8; 24]) -> bool {
    let [_, a, b, c, d, ..] = *near;
    let country = c.is_ascii_digit() && d.is_ascii_digit() && a.is_ascii_alphabetic() && b.is_ascii_alphabetic();
    !country && !shapes::may_be_known(a, b)
}

/// No number of twelve digits ends there.
#[inline(always)]
fn no_number(near: &[u8; 24]) -> bool {
    let [_, _, _, _, _, digits @ .., _, _, _, _, _, _, _] = *near;
    let digits: [u8; 12] = digits;
    !digits.iter().rev().all(|b| b.is_ascii_digit() || matches!(b, b' ' | b'-'))
}

/// `from` is where the string begins, `at` the place in it.
#[inline(never)]
pub(super) fn shows(rules: &Rules, src: &[u8], from: usize, at: usize) -> bool {
    let Some(byte) = src.get(at).copied() else { return false };
    let text = src.get(from..).unwrap_or(&[]);
    let at = at - from;
    match byte {
        b':' | b'=' => sign(rules, text, at, byte),
        // A tag.
        b'<' => {
            matches!(text.get(at + 1), Some(b) if b.is_ascii_alphabetic() || matches!(b, b'/' | b'!' | b'?' | b'_' | b'\\' | 0x80..))
        }
        b'\'' => literal(rules, text, at),
        b'|' => cell(rules, text, at),
        b'(' => bracket(text, at),
        b'"' => quoted(rules, text, at),
        b'$' => sql::dollars(text.get(at..).unwrap_or(&[])).is_some() && literal(rules, text, at),
        b'@' => rules.masks_emails() || user(text, at),
        b'%' => text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        _ => {
            (matches!(byte | 0x20, b'a' | b'e' | b'o') && scheme(text, at))
                || token(text, at)
                || ((byte.is_ascii_digit() || matches!(byte, b' ' | b'-')) && number(text, at))
                || (byte == b'-' && dashes(text, at))
                || match at.checked_sub(1).and_then(|i| text.get(i)) {
                    Some(b'-') if byte == b' ' => commands::is_bound(text, at),
                    Some(b'-') => commands::shows(rules, text, at),
                    Some(b'y' | b'Y') if byte == b' ' => commands::is_identified(text, at),
                    _ => false,
                }
        }
    }
}

/// A name before a sign.
fn sign(rules: &Rules, text: &[u8], at: usize, sign: u8) -> bool {
    let next = text.get(at + 1).copied().unwrap_or(0);
    if sign == b':' {
        if next == b'/' && text.get(at + 2) == Some(&b'/') {
            return authority(text, at + 3);
        }
        // `http:\/\/` is how some write it in JSON.
        if next == b'\\' && text.get(at + 2) == Some(&b'/') {
            return true;
        }
        // A bot's token: digits before the sign.
        if next == b'A' && text.get(at + 2) == Some(&b'A') {
            return true;
        }
        // What LDIF has in base64.
        let doubled = next == b':' && matches!(text.get(at + 2), Some(b' ' | b'\t'));
        // `{:password "x"}`
        let word = text.get(at + 1..).unwrap_or(&[]).iter().take(NEAR).take_while(|b| text::is_token(**b)).count();
        if next.is_ascii_alphabetic() && printed::keyword(text, at + 1, at + 1 + word).is_some() {
            return true;
        }
        if (next == b':' && !doubled) || text::is_time(text.get(..at).unwrap_or(&[]), next) {
            return false;
        }
    }
    // What may stand between the name and the sign: quotes, a bracket, blanks.
    let mut end = at;
    while let Some([.., before, last]) = text.get(..end) {
        end -= match (before, last) {
            (b'\\', b't' | b'n' | b'r' | b'b' | b'f') => 2,
            (_, b'"' | b'\'' | b'\\' | b']' | b')' | b'`' | b' ' | b'\t') => 1,
            // `&quot;`, and `\u0022` below.
            (_, b';') => return true,
            _ => break,
        };
        if at - end > NEAR {
            return true;
        }
    }
    let mut start = end;
    let mut kinds = 0;
    while let Some(kind) =
        start.checked_sub(1).and_then(|i| text.get(i)).map(|b| text::kind(*b)).filter(|kind| *kind != 0)
    {
        kinds |= kind;
        start -= 1;
        if end - start > NEAR {
            return true;
        }
    }
    let name = text.get(start..end).unwrap_or(&[]);
    if kinds & text::ODD != 0 {
        return true;
    }
    if name.ends_with(b"0022") || name.ends_with(b"0027") {
        return true;
    }
    // `password[0]`
    if start.checked_sub(1).and_then(|i| text.get(i)) == Some(&b'[') {
        return true;
    }
    // `Key (email, id)=(…)`
    if sign == b'=' && text.get(..at).is_some_and(|lead| lead.ends_with(b")")) && text.get(at + 1) == Some(&b'(') {
        return true;
    }
    if kinds & text::LETTER == 0 {
        let php = sign == b':' && matches!(text.get(at + 1), Some(b'"' | b'\\'));
        return php && printed::php_name(text, start, end).is_some();
    }
    let before = start.checked_sub(1).and_then(|i| text.get(i)).copied().unwrap_or(0);
    // `=>`, `==`, `:=`, `::`
    let after =
        at + 1 + usize::from(matches!((sign, text.get(at + 1)), (b'=', Some(b'>' | b'=')) | (b':', Some(b'=' | b':'))));
    let secret = |start: usize| {
        let answer = rules.fields.answer_in(text, start, end);
        let name = text.get(start..end).unwrap_or(&[]);
        answer.hit(Place::Param) != Hit::No
            || (answer.slot() != Slot::None && beside(rules, text, start, name, after, answer.slot()))
    };
    // `\n` and the like: the letter is none of the name.
    secret(start)
        || (before == b'\\' && secret(start + 1))
        || (listed(text, after) && sql::is_parameters(name))
        || (sign == b'=' && for_user(text, start, before) && commands::sets_password(text, at))
        || (sign == b':'
            && before == b'/'
            && name.eq_ignore_ascii_case(b"user")
            && commands::net_use(text, start).is_some())
        || (before == b' ' && rules.fields.may_end(text.get(end.saturating_sub(NEAR)..end).unwrap_or(&[])))
}

/// Does the name at `start` look like a user's behind `for`, as most before an `=` do not?
fn for_user(text: &[u8], start: usize, before: u8) -> bool {
    match before {
        b' ' => matches!(start.checked_sub(2).and_then(|i| text.get(i)), Some(b'r' | b'R' | b' ')),
        b'@' | b'\'' | b'"' | b'`' | b'\t' => true,
        _ => false,
    }
}

/// What stands beside a name that has a meaning for its neighbours: `name=password`, and the line above `input_value='x'`.
#[cold]
fn beside(rules: &Rules, text: &[u8], start: usize, name: &[u8], after: usize, slot: Slot) -> bool {
    match slot {
        Slot::Value => matches!(name, b"input_value" | b"input") && printed::is_named_above(rules, text, start),
        _ => printed::names_secret(rules, text, after, slot).is_some(),
    }
}

/// A list of values behind a sign.
fn listed(text: &[u8], after: usize) -> bool {
    let rest = text.get(after..).unwrap_or(&[]);
    rest.iter().take(5).find(|b| **b != b' ').is_some_and(|b| matches!(b, b'[' | b'(' | b'{' | b'a'))
}

/// A cell of a table with a sensitive name in it, on either side of the sign.
fn cell(rules: &Rules, text: &[u8], at: usize) -> bool {
    let ends = |b: &u8| matches!(b, b'|' | b'\n' | b'\r');
    let after = text.get(at + 1..).unwrap_or(&[]);
    let after =
        after.get(..after.iter().take(NEAR + 1).position(ends).unwrap_or(after.len().min(NEAR + 1))).unwrap_or(&[]);
    let lead = text.get(at.saturating_sub(NEAR + 1)..at).unwrap_or(&[]);
    let before = lead.iter().rposition(ends).map_or(lead, |i| lead.get(i + 1..).unwrap_or(&[]));
    // In JSON a line break is written `\n`.
    let written = |b: &u8| *b == b'\\';
    let line = before.iter().rposition(written).map_or(before, |i| before.get(i + 2..).unwrap_or(&[]));
    let first = after.get(..after.iter().position(written).unwrap_or(after.len())).unwrap_or(&[]);
    let secret = |name: &[u8]| !name.is_empty() && rules.fields.answer(name).hit(Place::Field) == Hit::Yes;
    // `password|s:6:"x"`, which may stand behind others.
    let last = lead.iter().rev().take(NEAR).take_while(|b| text::is_token(**b)).count();
    secret(lead.get(lead.len() - last..).unwrap_or(&[]))
        || [before, line, after, first].into_iter().any(|cell| {
            cell.len() <= NEAR && std::str::from_utf8(cell).is_ok_and(|cell| secret(printed::bare(cell).as_bytes()))
        })
}

/// What databases put in brackets: `VALUES (1, 2)`, `Failing row contains (1, x)`.
fn bracket(text: &[u8], at: usize) -> bool {
    let lead = text.get(at.saturating_sub(16)..at).unwrap_or(&[]).trim_ascii_end();
    let word = lead.rsplit(|b| !text::is_token(*b)).next().unwrap_or(&[]);
    sql::BRACKETS.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// A quote that text has around a name or a literal: `["password", "x"]`, `IDENTIFIED BY "x"`, `at "input.password"`.
fn quoted(rules: &Rules, text: &[u8], at: usize) -> bool {
    let lead = text.get(at.saturating_sub(NEAR)..at).unwrap_or(&[]);
    let slashes = lead.iter().rev().take_while(|b| **b == b'\\').count();
    let lead = lead.get(..lead.len() - slashes).unwrap_or(&[]);
    match lead.last() {
        Some(b'[' | b'(') => {
            let rest = text.get(at + 1..).unwrap_or(&[]);
            let len = rest.iter().take(NEAR + 1).take_while(|b| text::is_token(**b)).count();
            let name = rest.get(..len).unwrap_or(&[]);
            let tail = rest.get(len..).unwrap_or(&[]);
            let tail = tail.get(tail.iter().take_while(|b| **b == b'\\').count()..).unwrap_or(&[]);
            tail.starts_with(b"\",") && (len > NEAR || rules.fields.answer(name).hit(Place::Field) != Hit::No)
        }
        Some(b) if b.is_ascii_whitespace() => {
            if printed::echo(rules, text, at).is_some() {
                return true;
            }
            let word = lead.trim_ascii_end().rsplit(|b| !text::is_token(*b)).next().unwrap_or(&[]);
            let by = word.eq_ignore_ascii_case(b"by") || word.eq_ignore_ascii_case(b"using");
            let by = by || word.eq_ignore_ascii_case(b"bind") || word.eq_ignore_ascii_case(b"simple_bind");
            by || rules.fields.answer(word).hit(Place::Field) != Hit::No
        }
        _ => false,
    }
}

/// A literal as in SQL, with a sensitive name before it.
fn literal(rules: &Rules, text: &[u8], at: usize) -> bool {
    let lead = text.get(at.saturating_sub(NEAR)..at).unwrap_or(&[]);
    match lead.last() {
        // An apostrophe, but for `N'…'` and a line break written `\n`.
        Some(b) if text.get(at) == Some(&b'\'') && (b.is_ascii_alphanumeric() || *b >= 0x80) => {
            let before = lead.len().checked_sub(2).and_then(|i| lead.get(i));
            if before.is_some_and(|b| b.is_ascii_alphanumeric()) {
                return false;
            }
        }
        Some(_) => {}
        None => return false,
    }
    let names = lead.split(|b| !text::is_token(*b)).filter(|name| !name.is_empty());
    let cut = lead.len() == NEAR && lead.first().is_some_and(|b| text::is_token(*b));
    cut || names.into_iter().any(|name| {
        name.iter().any(|b| *b == b'%' || *b >= 0x80)
            || sql::LITERALS.iter().any(|word| name.eq_ignore_ascii_case(word.as_bytes()))
            || rules.fields.answer(name).hit(Place::Param) != Hit::No
            || rules.fields.answer(name.get(1..).unwrap_or(&[])).hit(Place::Param) != Hit::No
    })
}

/// A user's name and password before a host, after `//`.
fn authority(text: &[u8], start: usize) -> bool {
    let rest = text.get(start..).unwrap_or(&[]);
    if rest.starts_with(b"hooks.slack.com/") || rest.starts_with(b"discord") {
        return true;
    }
    // Most have neither a port nor a user: then this first look is all.
    let near = rest.get(..NEAR).unwrap_or(rest);
    match near.iter().find(|b| TELLING.get(usize::from(**b)).is_some_and(|telling| *telling)) {
        None => rest.len() > NEAR,
        Some(b':') => userinfo(near, rest.len() > NEAR),
        Some(b) => matches!(b, b'@' | b'\\'),
    }
}

/// What ends a URL or shows that there may be a user's name in it.
static TELLING: [bool; 256] = {
    let mut table = [false; 256];
    let telling = b"@\\ \"'<>\t\n\r:";
    let mut i = 0;
    while i < telling.len() {
        table[telling[i] as usize] = true;
        i += 1;
    }
    table
};

/// The same where there is a colon.
fn userinfo(near: &[u8], more: bool) -> bool {
    let mut port = false;
    let mut odd = false;
    for b in near {
        match b {
            b'@' | b'\\' => return true,
            b' ' | b'"' | b'\'' | b'<' | b'>' | b'\t' | b'\n' | b'\r' => return odd,
            // An `@` may still come in a password that holds such a sign.
            b'/' | b'?' | b'#' if odd => return true,
            b'/' | b'?' | b'#' => port = false,
            b':' if !port => port = true,
            _ => odd |= port && !b.is_ascii_digit(),
        }
    }
    odd || more
}

/// `user:password@host` without a scheme.
fn user(text: &[u8], at: usize) -> bool {
    let word = text.get(..at).unwrap_or(&[]).iter().rev().take_while(|b| !b.is_ascii_whitespace());
    word.take(NEAR + 1).enumerate().any(|(i, b)| i == NEAR || matches!(b, b':' | b'\\' | b'/'))
}

/// The name of an authentication scheme that has this letter, and a blank after it.
fn scheme(text: &[u8], at: usize) -> bool {
    let near = |index: usize| at.checked_sub(index).and_then(|i| text.get(i)).map_or(0, |b| b | 0x20);
    let name: (&[u8], usize) = match (near(2), near(1), text.get(at + 1).map_or(0, |b| b | 0x20)) {
        (_, b'b', b'a') => (b"bearer", 1),
        (_, b'b', b's') => (b"basic", 1),
        (b'i', b'g', b's') => (b"digest", 3),
        (b'e', b'g', b't') => (b"negotiate", 3),
        (b'o', b'k', b'n') => (b"token", 3),
        (b'i', b'k', b'y') => (b"apikey", 4),
        _ => return false,
    };
    let (name, index) = name;
    let word = at.checked_sub(index).and_then(|start| text.get(start..start + name.len()));
    word.is_some_and(|word| word.eq_ignore_ascii_case(name))
        && matches!(text.get(at - index + name.len()), Some(b' ' | b'\t' | b'\\'))
}

/// A token of known make: its sixteenth character is at `at`.
fn token(text: &[u8], at: usize) -> bool {
    let Some(start) = (at + 1).checked_sub(TOKEN_RUN) else { return false };
    let Some([first, second]) = text.get(start..).and_then(|rest| rest.first_chunk::<2>()) else { return false };
    let rest = text.get(start..).unwrap_or(&[]);
    (shapes::may_be_known(*first, *second) && shapes::is_known(rest))
        || (first.is_ascii_alphabetic() && second.is_ascii_alphabetic() && shapes::iban(rest).is_some())
}

/// A card's number or a bank account's: its twelfth digit (or gap between digits) is at `at`.
fn number(text: &[u8], at: usize) -> bool {
    let Some(start) = (at + 1).checked_sub(DIGIT_RUN) else { return false };
    let rest = text.get(start..).unwrap_or(&[]);
    let len = rest.iter().take(NEAR).take_while(|b| b.is_ascii_digit() || matches!(b, b' ' | b'-')).count();
    if len == NEAR {
        return true;
    }
    let group = |i: &usize| *i == 0 || rest.get(i - 1).is_some_and(|b| !b.is_ascii_digit());
    if (0..len).filter(group).any(|i| shapes::begins_card(rest.get(i..len).unwrap_or(&[]))) {
        return true;
    }
    let lead = start.saturating_sub(IBAN_LEAD);
    let letters = text.get(lead..start).unwrap_or(&[]);
    letters.iter().any(u8::is_ascii_alphabetic)
        && (lead..start).any(|i| shapes::iban(text.get(i..).unwrap_or(&[])).is_some())
}

/// A PEM block: its fourth dash is at `at`.
fn dashes(text: &[u8], at: usize) -> bool {
    let rest = (at + 1).checked_sub(DASH_RUN).and_then(|start| text.get(start..)).unwrap_or(&[]);
    let dashes = rest.iter().take_while(|b| **b == b'-').count();
    dashes > DASH_RUN && rest.get(dashes..).is_some_and(|rest| rest.starts_with(b"BEGIN "))
}
