//! Entities, decoded and written.

/// Appends text with its entities decoded; says whether one of them is not known.
pub(super) fn decode(raw: &str, out: &mut String) -> bool {
    let mut unknown = false;
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        out.push_str(rest.get(..at).unwrap_or(""));
        rest = rest.get(at + 1..).unwrap_or("");
        let end = rest.bytes().take(32).position(|b| !b.is_ascii_alphanumeric() && b != b'#');
        let end = end.unwrap_or(rest.len().min(32));
        let Some(name) = rest.get(..end) else {
            out.push('&');
            continue;
        };
        let ended = rest.as_bytes().get(end) == Some(&b';');
        let number = name.strip_prefix('#').map(|n| match n.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => {
                // Without a `;` the number ends where its digits do.
                let digits = n.bytes().take_while(u8::is_ascii_digit).count();
                n.get(..digits).unwrap_or("").parse()
            }
        });
        let (text, used) = match number {
            Some(Ok(code)) => {
                let digits = match name.get(1..2) {
                    Some("x" | "X") => end,
                    _ => 1 + name.bytes().skip(1).take_while(u8::is_ascii_digit).count(),
                };
                let c = char::from_u32(code).filter(|c| *c != '\0').unwrap_or(char::REPLACEMENT_CHARACTER);
                (Some(c), digits)
            }
            Some(Err(_)) => (Some(char::REPLACEMENT_CHARACTER), end),
            None => (entity(name, ended), end),
        };
        match text {
            Some(c) => {
                out.push(c);
                rest = rest.get(used..).unwrap_or("");
                rest = rest.strip_prefix(';').unwrap_or(rest);
            }
            None => {
                unknown |= ended && !name.is_empty() || !ended && rest.as_bytes().get(end).is_some_and(|b| *b >= 0x80);
                out.push('&');
            }
        }
    }
    out.push_str(rest);
    unknown
}

/// The five of XML, and those of HTML that stand for signs which matter between a name and a value.
fn entity(name: &str, ended: bool) -> Option<char> {
    Some(match name {
        "lt" | "LT" => '<',
        "gt" | "GT" => '>',
        "amp" | "AMP" => '&',
        "quot" | "QUOT" => '"',
        "nbsp" => ' ',
        _ if !ended => return None,
        "apos" => '\'',
        "Tab" => '\t',
        "NewLine" => '\n',
        "excl" => '!',
        "num" => '#',
        "dollar" => '$',
        "percnt" => '%',
        "lpar" => '(',
        "rpar" => ')',
        "ast" | "midast" => '*',
        "plus" => '+',
        "comma" => ',',
        "period" => '.',
        "sol" => '/',
        "colon" => ':',
        "semi" => ';',
        "equals" => '=',
        "quest" => '?',
        "commat" => '@',
        "lsqb" | "lbrack" => '[',
        "bsol" => '\\',
        "rsqb" | "rbrack" => ']',
        "Hat" => '^',
        "lowbar" | "UnderBar" => '_',
        "grave" | "DiacriticalGrave" => '`',
        "lcub" | "lbrace" => '{',
        "verbar" | "vert" | "VerticalLine" => '|',
        "rcub" | "rbrace" => '}',
        "hyphen" | "dash" => '-',
        "shy" | "ZeroWidthSpace" | "zwj" | "zwnj" => '\u{AD}',
        _ => return None,
    })
}

/// Writes text as it stands in content or inside of quotes.
pub(super) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
}
