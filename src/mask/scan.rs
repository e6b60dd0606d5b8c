//! The first pass over JSON: where its tokens begin, and what in its strings may be a secret.
//!
//! 64 bytes at a time become one bit per byte and class; quotes, escapes and runs are then told by arithmetic on whole words.
//! Only the classification differs between processors: with AVX2 it is a few instructions, elsewhere a loop over a table.
//! The second pass (json.rs) visits the positions found here and no other byte.

/// So many bytes are looked at before the positions are used.
const WINDOW: usize = 512;
const BLOCK: usize = 64;
/// Room for the positions, the mark after them, and what is written beyond since eight are written at a time. A power of two.
const ROOM: usize = 1024;
/// No position.
const NONE: u32 = u32::MAX;

/// The run of token characters that a secret of known make has at least, and that of digits a card has.
pub(super) const TOKEN_RUN: usize = 16;
pub(super) const DIGIT_RUN: usize = 12;
/// The dashes that tell a PEM block.
pub(super) const DASH_RUN: usize = 4;

/// One bit per byte of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Classes {
    quote: u64,
    backslash: u64,
    /// Below 0x20.
    control: u64,
    /// `{ } [ ] , :` and, as nothing else may stand there, `< =`.
    op: u64,
    /// Blank, tab, line feed, carriage return.
    space: u64,
    /// Letters, digits, `_ - .`
    token: u64,
    alnum: u64,
    digit: u64,
    /// Letters that a token of known make begins with.
    first: u64,
    /// `: = < @ % '`
    sign: u64,
    /// Blank and dash: what may set off the groups of a number.
    gap: u64,
    dash: u64,
    /// The first and the second of two letters that an authentication scheme's name has: *be*arer, *ba*sic, di*ge*st, ne*go*tiate,
    /// to*ke*n, api*ke*y.
    scheme: u64,
    vowel: u64,
}

// The bits of the two tables: a byte's classes are those that both of its halves have.
const LETTERS_LOW: u8 = 1; // rows 4 and 6
const LETTERS_HIGH: u8 = 2; // rows 5 and 7
const DIGITS: u8 = 4;
const DASH_DOT: u8 = 8;
const UNDERSCORE: u8 = 16;
const BRACKETS: u8 = 32;
const SIGNS: u8 = 64; // : < =
const COMMA: u8 = 128;

const FIRST_LOW: u8 = 1; // a d e g h k l n
const FIRST_HIGH: u8 = 2; // p r s t w x y
const PERCENT: u8 = 4; // % '
const AT: u8 = 8;
const SCHEME: u8 = 16; // b g k
const VOWEL: u8 = 32; // a e o
const GAP: u8 = 128; // blank, dash

/// For each low half of a byte, the classes that have it in some row.
const fn low(entries: &[(u8, &[u8])]) -> [u8; 16] {
    let mut table = [0; 16];
    let mut e = 0;
    while e < entries.len() {
        let (class, halves) = entries[e];
        let mut h = 0;
        while h < halves.len() {
            table[halves[h] as usize] |= class;
            h += 1;
        }
        e += 1;
    }
    table
}

/// The white space with each low half; where there is none, a byte with another half.
const SPACES: [u8; 16] = [b' ', 0, 0, 0, 0, 0, 0, 0, 0, b'\t', b'\n', 0, 0, b'\r', 0, 0];
const FROM_1: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const TO_10: &[u8] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const LOW_A: [u8; 16] = low(&[
    (LETTERS_LOW, FROM_1),
    (LETTERS_HIGH, TO_10),
    (DIGITS, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    (DASH_DOT, &[13, 14]),
    (UNDERSCORE, &[15]),
    (BRACKETS, &[11, 13]),
    (SIGNS, &[10, 12, 13]),
    (COMMA, &[12]),
]);
const HIGH_A: [u8; 16] = low(&[
    (LETTERS_LOW, &[4, 6]),
    (LETTERS_HIGH, &[5, 7]),
    (DIGITS, &[3]),
    (DASH_DOT, &[2]),
    (UNDERSCORE, &[5]),
    (BRACKETS, &[5, 7]),
    (SIGNS, &[3]),
    (COMMA, &[2]),
]);
const LOW_B: [u8; 16] = low(&[
    (FIRST_LOW, &[1, 4, 5, 7, 8, 11, 12, 14]),
    (FIRST_HIGH, &[0, 2, 3, 4, 7, 8, 9]),
    (PERCENT, &[5, 7]),
    (AT, &[0]),
    (SCHEME, &[2, 7, 11]),
    (VOWEL, &[1, 5, 15]),
    (GAP, &[0, 13]),
]);
const HIGH_B: [u8; 16] = low(&[
    (FIRST_LOW, &[4, 6]),
    (FIRST_HIGH, &[5, 7]),
    (PERCENT, &[2]),
    (AT, &[4]),
    (SCHEME, &[4, 6]),
    (VOWEL, &[4, 6]),
    (GAP, &[2]),
]);
const TOKEN: u8 = LETTERS_LOW | LETTERS_HIGH | DIGITS | DASH_DOT | UNDERSCORE;
const ALNUM: u8 = LETTERS_LOW | LETTERS_HIGH | DIGITS;
const OP: u8 = BRACKETS | SIGNS | COMMA;

/// Tells the classes of a block.
trait Classify {
    fn classify(block: &[u8; BLOCK]) -> Classes;
}

struct Portable;

impl Classify for Portable {
    #[inline(always)]
    fn classify(block: &[u8; BLOCK]) -> Classes {
        let mut classes = Classes::default();
        for (i, byte) in block.iter().enumerate() {
            let mask = TABLE.get(usize::from(*byte)).copied().unwrap_or(0);
            let bit = |n: u32| u64::from(mask >> n & 1) << i;
            classes.quote |= bit(0);
            classes.backslash |= bit(1);
            classes.control |= bit(2);
            classes.op |= bit(3);
            classes.space |= bit(4);
            classes.token |= bit(5);
            classes.alnum |= bit(6);
            classes.digit |= bit(7);
            classes.first |= bit(8);
            classes.sign |= bit(9);
            classes.gap |= bit(10);
            classes.dash |= bit(11);
            classes.scheme |= bit(12);
            classes.vowel |= bit(13);
        }
        classes
    }
}

/// The classes of each byte, made from the same tables.
static TABLE: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut byte = 0usize;
    while byte < 128 {
        let a = LOW_A[byte & 15] & HIGH_A[byte >> 4];
        let b = LOW_B[byte & 15] & HIGH_B[byte >> 4];
        let classes = [
            byte == b'"' as usize,
            byte == b'\\' as usize,
            byte < 0x20,
            a & OP != 0,
            SPACES[byte & 15] as usize == byte,
            a & TOKEN != 0,
            a & ALNUM != 0,
            a & DIGITS != 0,
            b & (FIRST_LOW | FIRST_HIGH) != 0,
            a & SIGNS != 0 || b & (PERCENT | AT) != 0,
            b & GAP != 0,
            byte == b'-' as usize,
            b & SCHEME != 0,
            b & VOWEL != 0,
        ];
        let mut n = 0;
        while n < classes.len() {
            table[byte] |= (classes[n] as u16) << n;
            n += 1;
        }
        byte += 1;
    }
    table
};

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{
        Classes, Classify, ALNUM, AT, BLOCK, DIGITS, FIRST_HIGH, FIRST_LOW, GAP, HIGH_A, HIGH_B, LOW_A, LOW_B, OP,
        PERCENT, SCHEME, SIGNS, SPACES, TOKEN, VOWEL,
    };
    use std::arch::x86_64::{
        __m128i, __m256i, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256,
        _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256,
        _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16, _mm_loadu_si128,
    };

    pub(super) struct Avx2;

    impl Classify for Avx2 {
        #[inline(always)]
        fn classify(block: &[u8; BLOCK]) -> Classes {
            // SAFETY: this is inlined into `window_avx2` and `block_avx2`, which are entered only where AVX2 was found.
            unsafe { classify(block) }
        }
    }

    /// One half of a block: 32 bits for each class, the first half's in the low ones.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn classify(block: &[u8; BLOCK]) -> Classes {
        // SAFETY: a block has 64 bytes and a table 16, and these loads ask for no alignment.
        let (halves, tables) = unsafe {
            let at = block.as_ptr();
            let table = |t: &[u8; 16]| _mm256_broadcastsi128_si256(_mm_loadu_si128(t.as_ptr().cast::<__m128i>()));
            (
                [_mm256_loadu_si256(at.cast::<__m256i>()), _mm256_loadu_si256(at.add(32).cast::<__m256i>())],
                [table(&LOW_A), table(&HIGH_A), table(&LOW_B), table(&HIGH_B), table(&SPACES)],
            )
        };
        let [low_a, high_a, low_b, high_b, spaces] = tables;
        let [x, y] = halves;
        let nibble = _mm256_set1_epi8(15);
        let zero = _mm256_setzero_si256();
        let all = |byte: u8| _mm256_set1_epi8(byte as i8);
        let join = |x: i32, y: i32| u64::from(x as u32) | u64::from(y as u32) << 32;
        let equal = |byte: u8| {
            let byte = all(byte);
            join(_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, byte)), _mm256_movemask_epi8(_mm256_cmpeq_epi8(y, byte)))
        };
        let high = |v: __m256i| _mm256_and_si256(_mm256_srli_epi16::<4>(v), nibble);
        // A byte of 128 or more has no class: the shuffle gives 0 for it.
        let (hx, hy) = (high(x), high(y));
        let ax = _mm256_and_si256(_mm256_shuffle_epi8(low_a, x), _mm256_shuffle_epi8(high_a, hx));
        let ay = _mm256_and_si256(_mm256_shuffle_epi8(low_a, y), _mm256_shuffle_epi8(high_a, hy));
        let bx = _mm256_and_si256(_mm256_shuffle_epi8(low_b, x), _mm256_shuffle_epi8(high_b, hx));
        let by = _mm256_and_si256(_mm256_shuffle_epi8(low_b, y), _mm256_shuffle_epi8(high_b, hy));
        let any = |x: __m256i, y: __m256i, class: u8| {
            let class = all(class);
            !join(
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(x, class), zero)),
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(y, class), zero)),
            )
        };
        let below = {
            let top = all(0x1F);
            let is = |v: __m256i| _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(v, top), v));
            join(is(x), is(y))
        };
        let sign = {
            let either = |a: __m256i, b: __m256i| {
                _mm256_or_si256(_mm256_and_si256(a, all(SIGNS)), _mm256_and_si256(b, all(PERCENT | AT)))
            };
            any(either(ax, bx), either(ay, by), 0xFF)
        };
        // The bit of one class moves to the top, where it is read.
        const { assert!(DIGITS == 1 << 2 && SCHEME == 1 << 4 && VOWEL == 1 << 5 && GAP == 1 << 7) };
        let top = |x: __m256i, y: __m256i| join(_mm256_movemask_epi8(x), _mm256_movemask_epi8(y));
        let space = {
            let is = |v: __m256i| _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, v), v));
            join(is(x), is(y))
        };
        Classes {
            quote: equal(b'"'),
            backslash: equal(b'\\'),
            control: below,
            op: any(ax, ay, OP),
            space,
            token: any(ax, ay, TOKEN),
            alnum: any(ax, ay, ALNUM),
            digit: top(_mm256_slli_epi16::<5>(ax), _mm256_slli_epi16::<5>(ay)),
            first: any(bx, by, FIRST_LOW | FIRST_HIGH),
            sign,
            gap: top(bx, by),
            dash: equal(b'-'),
            scheme: top(_mm256_slli_epi16::<3>(bx), _mm256_slli_epi16::<3>(by)),
            vowel: top(_mm256_slli_epi16::<2>(bx), _mm256_slli_epi16::<2>(by)),
        }
    }
}

/// What one block leaves to the next: the last bits of each run, all at the low end.
#[derive(Clone, Copy, Default)]
struct Carry {
    /// All ones inside a string.
    in_string: u64,
    escaped: u64,
    scalar: u64,
    alnum: u64,
    backslash: u64,
    first: u64,
    tokens: [u64; 4],
    digits: [u64; 4],
    digit_run: u64,
    dashes: [u64; 2],
    dash_run: u64,
    scheme: u64,
}

/// The word moved up by `by` bits, with the last block's in front.
#[inline(always)]
fn shift(word: u64, last: &mut u64, by: u32) -> u64 {
    let moved = word << by | *last >> (64 - by);
    *last = word;
    moved
}

/// A bit for each bit that has an odd number of bits at or below it.
#[inline(always)]
fn prefix_xor(mut word: u64) -> u64 {
    for by in [1, 2, 4, 8, 16, 32] {
        word ^= word << by;
    }
    word
}

impl Carry {
    /// The characters that a backslash before them changes.
    #[inline(always)]
    fn escaped(&mut self, backslash: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let backslash = backslash & !self.escaped;
        let follows = backslash << 1 | self.escaped;
        let odd_starts = backslash & !EVEN & !follows;
        let (ends, over) = odd_starts.overflowing_add(backslash);
        self.escaped = u64::from(over);
        (EVEN ^ (ends << 1)) & follows
    }

    /// The positions of a block that the second pass has to visit.
    #[inline(always)]
    fn marks(&mut self, c: &Classes) -> u64 {
        let escaped = if c.backslash == 0 { std::mem::take(&mut self.escaped) } else { self.escaped(c.backslash) };
        let quote = c.quote & !escaped;
        let in_string = prefix_xor(quote) ^ self.in_string;
        self.in_string = ((in_string as i64) >> 63) as u64;
        let inside = in_string & !quote;

        // Outside of strings: signs, and the beginning of everything else.
        let scalar = !(c.op | c.space);
        let starts = scalar & !shift(scalar & !quote, &mut self.scalar, 1);
        let tokens = (c.op | starts) & !(in_string ^ quote);

        // Inside: escapes, what no string may hold, and what a secret shows by. An escaped letter belongs to no word.
        let alnum = c.alnum & !escaped;
        // (Where text holds the escapes of another format, so that the backslash is escaped itself, the letter after it does not either.)
        let fresh = alnum & (!shift(alnum, &mut self.alnum, 1) | shift(c.backslash, &mut self.backslash, 2));
        // Sixteen token characters whose first begins a word.
        let [t1, t2, t4, t8] = &mut self.tokens;
        let mut run = c.token & !escaped;
        run &= shift(run, t1, 1);
        run &= shift(run, t2, 2);
        run &= shift(run, t4, 4);
        run &= shift(run, t8, 8);
        let made = run & shift(fresh & c.first, &mut self.first, 15);
        // Twelve digits, with gaps between them.
        let [d1, d2, d4, d8] = &mut self.digits;
        let mut digits = c.digit;
        digits |= c.gap & shift(digits, d1, 1);
        let twos = digits & shift(digits, d2, 1);
        let fours = twos & shift(twos, d4, 2);
        let twelves = {
            let before = *d8;
            let eights = fours & shift(fours, d8, 4);
            eights & (fours << 8 | before >> 56)
        };
        let digits = twelves & !shift(twelves, &mut self.digit_run, 1);
        // Four dashes.
        let [m1, m2] = &mut self.dashes;
        let mut dashes = c.dash & shift(c.dash, m1, 1);
        dashes &= shift(dashes, m2, 2);
        let dashes = dashes & !shift(dashes, &mut self.dash_run, 1);

        let scheme = c.vowel & shift(c.scheme, &mut self.scheme, 1);
        let signs = (c.backslash & !escaped) | c.control | c.sign | made | digits | dashes | scheme;
        tokens | quote | (signs & inside)
    }

    /// The same for text that is no JSON: all of it is inside.
    #[inline(always)]
    fn text_marks(&mut self, classes: &Classes) -> u64 {
        self.in_string = u64::MAX;
        self.marks(&Classes { quote: 0, ..*classes })
    }
}

/// Which instructions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Level {
    fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let bits = is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("popcnt")
                && is_x86_feature_detected!("lzcnt");
            if bits && is_x86_feature_detected!("avx2") {
                return Level::Avx2;
            }
        }
        Level::Portable
    }
}

/// The positions in a source, in order, as many at a time as fit.
pub(super) struct Scan<'a> {
    src: &'a [u8],
    /// The next block.
    at: usize,
    carry: Carry,
    next: usize,
    level: Level,
    found: [u32; ROOM],
}

impl<'a> Scan<'a> {
    /// From the beginning of a source of less than 4 GiB.
    pub(super) fn new(src: &'a [u8]) -> Self {
        Self { src, at: 0, carry: Carry::default(), next: 0, level: Level::best(), found: [NONE; ROOM] }
    }

    /// The next position; the source's length after the last.
    #[inline(always)]
    pub(super) fn next(&mut self) -> usize {
        let at = self.found.get(self.next % ROOM).copied().unwrap_or(NONE);
        if at == NONE {
            return self.fill();
        }
        self.next += 1;
        at as usize
    }

    #[inline(never)]
    fn fill(&mut self) -> usize {
        self.next = 1;
        while self.at < self.src.len() {
            let end = (self.at + WINDOW).min(self.src.len());
            match self.level {
                Level::Portable => self.window::<Portable>(end),
                // SAFETY: the instructions are there, as `Level::best` found.
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => unsafe { self.window_avx2(end) },
            }
            match self.found.first() {
                Some(at) if *at != NONE => return *at as usize,
                _ => {}
            }
        }
        self.next = 0;
        self.src.len()
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
    fn window_avx2(&mut self, end: usize) {
        self.window::<avx2::Avx2>(end);
    }

    /// Finds the positions up to a place, and marks their end.
    #[inline(always)]
    fn window<C: Classify>(&mut self, end: usize) {
        let mut carry = self.carry;
        let mut at = self.at;
        let mut count = 0;
        while at < end {
            let rest = self.src.get(at..).unwrap_or(&[]);
            let mut marks = match rest.first_chunk::<BLOCK>() {
                Some(block) => carry.marks(&C::classify(block)),
                None => {
                    let mut block = [b' '; BLOCK];
                    block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    carry.marks(&C::classify(&block)) & ((1 << rest.len()) - 1)
                }
            };
            let total = marks.count_ones() as usize;
            let mut to = count;
            count += total;
            while to < count {
                if let Some(slots) = self.found.get_mut(to..to + 8) {
                    for slot in slots {
                        *slot = (at as u32).wrapping_add(marks.trailing_zeros());
                        marks &= marks.wrapping_sub(1);
                    }
                }
                to += 8;
            }
            at += BLOCK;
        }
        self.at = at;
        self.carry = carry;
        if let Some(slot) = self.found.get_mut(count) {
            *slot = NONE;
        }
    }
}

/// The signs of secrets in text that is no JSON, in order. Most texts are short, so there is no room for many positions to
/// prepare here.
pub(super) struct Signs<'a> {
    src: &'a [u8],
    /// The next block.
    at: usize,
    carry: Carry,
    level: Level,
    /// Those of the last block that were not told yet.
    marks: u64,
}

impl<'a> Signs<'a> {
    /// From the beginning.
    pub(super) fn new(src: &'a [u8]) -> Self {
        Self { src, at: 0, carry: Carry::default(), level: Level::best(), marks: 0 }
    }

    /// The next position; the source's length after the last.
    pub(super) fn next(&mut self) -> usize {
        while self.marks == 0 {
            let Some(rest) = self.src.get(self.at..).filter(|rest| !rest.is_empty()) else { return self.src.len() };
            self.marks = match rest.first_chunk::<BLOCK>() {
                Some(block) => self.block(block),
                None => {
                    let mut block = [b' '; BLOCK];
                    block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    self.block(&block) & ((1 << rest.len()) - 1)
                }
            };
            self.at += BLOCK;
        }
        let at = self.at - BLOCK + self.marks.trailing_zeros() as usize;
        self.marks &= self.marks - 1;
        at
    }

    fn block(&mut self, block: &[u8; BLOCK]) -> u64 {
        match self.level {
            Level::Portable => self.carry.text_marks(&Portable::classify(block)),
            // SAFETY: the instructions are there, as `Level::best` found.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { self.block_avx2(block) },
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
    fn block_avx2(&mut self, block: &[u8; BLOCK]) -> u64 {
        self.carry.text_marks(&avx2::Avx2::classify(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn every_processor_tells_the_same_classes() {
        if Level::best() != Level::Avx2 {
            return;
        }
        let mut seed = 0x9E37_79B9_7F4A_7C15u64;
        for round in 0..2000 {
            let block: [u8; BLOCK] = std::array::from_fn(|i| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Every byte at every place, then any.
                if round < 256 {
                    (round + i) as u8
                } else {
                    (seed >> 33) as u8
                }
            });
            assert_eq!(Portable::classify(&block), avx2::Avx2::classify(&block), "{block:?}");
        }
    }
}
