//! What every match of a pattern has in it: a run of bytes, each out of a set. Where there is none, the pattern is not tried.
//!
//! The pattern engine is small and walks every byte slowly; nearly all strings of a body hold no match. The runs are read off the
//! pattern as it is written: whatever is not certain ends a run, or leaves the pattern without one.

/// One bit for each byte.
type Set = [u64; 4];

/// A longer run tells no more.
const LONGEST: usize = 32;

/// A piece of a pattern.
#[derive(Clone, Copy)]
enum Atom {
    /// One byte out of these.
    One(Set),
    /// Anything of any length.
    Gap,
}

/// The run of a pattern.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// For each byte, the places in the run where it may stand.
    places: Box<[u32; 256]>,
    /// The last place.
    end: u32,
}

impl Run {
    /// `None` when nothing is certain.
    pub(super) fn of(pattern: &str) -> Option<Self> {
        let (pattern, any_case) = match pattern.strip_prefix("(?i)") {
            Some(rest) => (rest, true),
            None => (pattern, false),
        };
        let mut reader = Reader { rest: pattern, any_case };
        let atoms = reader.sequence(false)?;
        let bits = |run: &[Set]| run.iter().map(|set| 256 / size(set).max(1)).map(|part| part.ilog2()).sum::<u32>();
        let mut best: Vec<Set> = Vec::new();
        let mut run: Vec<Set> = Vec::new();
        for atom in atoms.into_iter().chain([Atom::Gap]) {
            match atom {
                Atom::One(set) => run.push(set),
                Atom::Gap => {
                    run.truncate(LONGEST);
                    if bits(&run) > bits(&best) {
                        best.clone_from(&run);
                    }
                    run.clear();
                }
            }
        }
        let end = u32::try_from(best.len()).ok()?.checked_sub(1)?;
        let mut places = Box::new([0; 256]);
        for (byte, places) in places.iter_mut().enumerate() {
            for (i, set) in best.iter().enumerate() {
                *places |= u32::from(has(set, byte)) << i;
            }
        }
        Some(Run { places, end: 1 << end })
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        let mut open = 0;
        text.bytes().any(|b| {
            open = (open << 1 | 1) & self.places.get(usize::from(b)).copied().unwrap_or(0);
            open & self.end != 0
        })
    }
}

fn has(set: &Set, byte: usize) -> bool {
    set.get(byte >> 6).is_some_and(|word| word >> (byte & 63) & 1 == 1)
}

fn size(set: &Set) -> u32 {
    set.iter().map(|word| word.count_ones()).sum()
}

fn add(set: &mut Set, byte: u8) {
    if let Some(word) = set.get_mut(usize::from(byte >> 6)) {
        *word |= 1 << (byte & 63);
    }
}

struct Reader<'a> {
    rest: &'a str,
    any_case: bool,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or("");
        Some(c)
    }

    fn eat(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Up to the end, or to the group's end. `None` also where there is a choice.
    fn sequence(&mut self, group: bool) -> Option<Vec<Atom>> {
        let mut atoms = Vec::new();
        loop {
            let Some(c) = self.next() else { return (!group).then_some(atoms) };
            let piece = match c {
                ')' if group => return Some(atoms),
                '|' | '*' | '+' | '?' | '{' | ')' => return None,
                '^' | '$' => continue,
                '(' => self.group()?,
                '[' => vec![self.class()?],
                '.' => vec![Atom::Gap],
                '\\' => match self.next()? {
                    'b' | 'B' if self.rest.starts_with('{') => return None,
                    'b' | 'B' | 'A' | 'z' => continue,
                    escaped => match self.escape(escaped)? {
                        Some(set) => vec![Atom::One(set)],
                        None => vec![Atom::Gap],
                    },
                },
                c => self.literal(c),
            };
            let (least, most) = self.repetition()?;
            for _ in 0..least.min(LONGEST) {
                atoms.extend_from_slice(&piece);
            }
            if most != Some(least) {
                // The last ones stand before what follows, as the first ones stand after what was before.
                atoms.push(Atom::Gap);
                for _ in 0..least.min(LONGEST) {
                    atoms.extend_from_slice(&piece);
                }
            }
            if atoms.len() > 4096 {
                return None;
            }
        }
    }

    /// How often the piece before stands at least and at most.
    fn repetition(&mut self) -> Option<(usize, Option<usize>)> {
        let found = match self.rest.chars().next() {
            Some('*' | '?') => {
                self.next();
                (0, None)
            }
            Some('+') => {
                self.next();
                (1, None)
            }
            Some('{') => {
                let (inside, _) = self.rest.get(1..)?.split_once('}')?;
                self.rest = self.rest.get(inside.len() + 2..)?;
                match inside.split_once(',') {
                    None => {
                        let count = inside.parse().ok()?;
                        (count, Some(count))
                    }
                    Some((least, _)) => (least.parse().ok()?, None),
                }
            }
            _ => return Some((1, Some(1))),
        };
        self.eat("?");
        // A repetition of a repetition: `a{2}*`.
        (!self.rest.starts_with(['*', '+', '?', '{'])).then_some(found)
    }

    /// A group without flags; one with a choice may be anything.
    fn group(&mut self) -> Option<Vec<Atom>> {
        if self.eat("?") && !self.eat(":") {
            if !self.eat("P<") && !self.eat("<") {
                return None;
            }
            let (name, rest) = self.rest.split_once('>')?;
            if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return None;
            }
            self.rest = rest;
        }
        let begin = self.rest;
        if let Some(atoms) = self.sequence(true) {
            return Some(atoms);
        }
        self.rest = begin;
        self.skip_group().map(|()| vec![Atom::Gap])
    }

    fn skip_group(&mut self) -> Option<()> {
        let mut depth = 1;
        while depth > 0 {
            match self.next()? {
                '\\' => {
                    self.next()?;
                }
                '[' => {
                    self.class()?;
                }
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
        }
        Some(())
    }

    fn literal(&self, c: char) -> Vec<Atom> {
        if !c.is_ascii() && self.any_case {
            return vec![Atom::Gap];
        }
        let mut bytes = [0; 4];
        c.encode_utf8(&mut bytes).bytes().map(|b| Atom::One(self.both(b))).collect()
    }

    fn both(&self, byte: u8) -> Set {
        let mut set = Set::default();
        add(&mut set, byte);
        if self.any_case {
            add(&mut set, byte.to_ascii_lowercase());
            add(&mut set, byte.to_ascii_uppercase());
        }
        set
    }

    /// What stands after a backslash: a set, or `Some(None)` for characters of several bytes.
    fn escape(&self, c: char) -> Option<Option<Set>> {
        let of = |is: fn(&u8) -> bool| {
            let mut set = Set::default();
            (0..128).filter(is).for_each(|b| add(&mut set, b));
            Some(Some(set))
        };
        match c {
            'd' => of(u8::is_ascii_digit),
            'w' => of(|b| b.is_ascii_alphanumeric() || *b == b'_'),
            's' => of(|b| matches!(b, b' ' | 9..=13)),
            'D' | 'W' | 'S' => Some(None),
            'n' => Some(Some(self.both(b'\n'))),
            'r' => Some(Some(self.both(b'\r'))),
            't' => Some(Some(self.both(b'\t'))),
            c if c.is_ascii_punctuation() && !matches!(c, '<' | '>') => Some(Some(self.both(c as u8))),
            _ => None,
        }
    }

    /// A class, after its bracket.
    fn class(&mut self) -> Option<Atom> {
        let negated = self.eat("^");
        let mut set = Set::default();
        let mut wide = negated;
        let mut first = true;
        loop {
            let c = self.next()?;
            let low = match c {
                ']' if first => return None,
                ']' => return Some(if wide { Atom::Gap } else { Atom::One(set) }),
                '[' => return None,
                '&' | '~' if self.rest.starts_with(c) => return None,
                '-' if !first && !self.rest.starts_with(']') => return None,
                '\\' => {
                    let escaped = self.next()?;
                    match self.escape(escaped)? {
                        None => wide = true,
                        Some(escaped) => set.iter_mut().zip(escaped).for_each(|(word, more)| *word |= more),
                    }
                    first = false;
                    // A range may begin with an escaped sign.
                    if self.rest.starts_with('-') && !self.rest.starts_with("-]") {
                        return None;
                    }
                    continue;
                }
                c => c,
            };
            first = false;
            let mut high = low;
            if self.rest.starts_with('-') && !self.rest.starts_with("-]") {
                self.next();
                high = self.next()?;
                if matches!(high, '\\' | '[' | '-') {
                    return None;
                }
            }
            if !low.is_ascii() || !high.is_ascii() {
                wide = true;
                continue;
            }
            for byte in low as u8..=high as u8 {
                set.iter_mut().zip(self.both(byte)).for_each(|(word, more)| *word |= more);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_lite::Regex;

    #[test]
    fn runs_are_read_off_patterns() {
        for (pattern, with, without) in [
            ("EMP-[0-9]{4}", "x EMP-1234", "EMP-123"),
            ("(?i)zebra", "a ZEbRA", "zebr"),
            ("\\b[A-Z]{2}\\d{6}\\b", "AB123456", "AB12345"),
            ("ref:(?P<secret>[a-z]+)", "ref:a", "ref:1"),
            ("(?:ab|cd)-12", "x-12", "cd-1"),
            ("a.*bcd", "bcd", "a bc"),
            ("[^a]x{2,}y?", "xx", "x"),
            ("é+z", "éz", "éé"),
            ("a(b(c)d)e", "abcde", "abcd"),
        ] {
            let run = Run::of(pattern).unwrap();
            assert!(run.is_in(with) && !run.is_in(without), "{pattern}");
        }
        for pattern in ["a|b", "(?x)a b", ".*", "[^a]+", "(?i:a)", "\\x41", "[[:alpha:]]", "[a&&b]", "a{2}{3}"] {
            assert!(Run::of(pattern).is_none(), "{pattern}");
        }
    }

    /// Whatever a pattern matches has the pattern's run.
    #[test]
    fn no_match_is_without_its_run() {
        const PIECES: &[&str] = &[
            "a",
            "b",
            "ab",
            "-",
            "\\d",
            "\\w",
            "\\s",
            "\\S",
            "[ab]",
            "[^a]",
            "[a-c]",
            "[b\\-]",
            ".",
            "é",
            "[é]",
            "K",
            "\\.",
            "\\b",
            "^",
            "$",
            "(a)",
            "(?:ab)",
            "(a|b)",
            "(?:a|)",
            "(?P<x>b1)",
            "((a)b)",
            "[-a]",
            "[a-]",
            "[\\d]",
            "(?:[)]|b)",
        ];
        const COUNTS: &[&str] = &["", "", "", "", "*", "+", "?", "{2}", "{1,2}", "{2,}", "+?", "{0}", "*?"];
        const TEXT: &[&str] = &["a", "b", "c", "1", "-", " ", "é", "K", "k", "\u{212a}", ".", "A", "B", "ab", ")"];
        let mut seed = 7u64;
        let mut random = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 11) as usize % below
        };
        let (mut with_run, mut matches) = (0, 0);
        for _ in 0..6000 {
            let mut pattern = if random(4) == 0 { "(?i)".to_owned() } else { String::new() };
            for _ in 0..1 + random(4) {
                pattern.push_str(PIECES[random(PIECES.len())]);
                pattern.push_str(COUNTS[random(COUNTS.len())]);
            }
            let (Ok(regex), Some(run)) = (Regex::new(&pattern), Run::of(&pattern)) else { continue };
            with_run += 1;
            for _ in 0..12 {
                let text: String = (0..1 + random(6)).map(|_| TEXT[random(TEXT.len())]).collect();
                if regex.is_match(&text) {
                    matches += 1;
                    assert!(run.is_in(&text), "{pattern} in {text}");
                }
            }
        }
        assert!(with_run > 2000 && matches > 3000, "{with_run} {matches}");
    }
}
