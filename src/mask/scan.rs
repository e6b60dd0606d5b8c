//! The first pass over JSON: where its tokens begin, and what in its strings may be a secret.
//!
//! 64 bytes at a time become one bit per byte and class; quotes, escapes and runs are then told by arithmetic on whole words.
//! Only the classification differs between processors: with AVX2 it is a few instructions, elsewhere a loop over a table.
//! The second pass (json.rs) visits the positions found here and no other byte.

/// So many bytes are looked at before the positions are used.
const WINDOW: usize = 512;
const BLOCK: usize = 64;
const BLOCKS: usize = WINDOW / BLOCK;
/// Room for the positions of a window, the mark after them, and what is written beyond since eight are written at a time. A power of
/// two.
const ROOM: usize = 1024;
/// No position.
const NONE: u16 = u16::MAX;

/// The run of token characters that a secret of known make has at least, and that of digits a card has.
pub(super) const TOKEN_RUN: usize = 16;
pub(super) const DIGIT_RUN: usize = 12;
/// The dashes that tell a PEM block.
pub(super) const DASH_RUN: usize = 4;

/// For each class one bit per byte of a block, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Classes<T = u64> {
    quote: T,
    backslash: T,
    /// `{ } [ ] , :` and, as nothing else may stand there, `< =`.
    op: T,
    /// Blank, tab, line feed, carriage return.
    space: T,
    /// Letters, digits, `_ - .`
    token: T,
    alnum: T,
    digit: T,
    /// Letters that a token of known make begins with.
    first: T,
    /// `: = < @ % ' " $ ( |`, and what is below 0x20.
    sign: T,
    /// Blank and dash: what may set off the groups of a number.
    gap: T,
    /// The first and the second of two letters that an authentication scheme's name has: *be*arer, *ba*sic, di*ge*st, ne*go*tiate,
    /// to*ke*n, api*ke*y.
    scheme: T,
    vowel: T,
}

/// The classes of the blocks of a window.
type Planes = Classes<[u64; BLOCKS]>;

impl Planes {
    #[inline(always)]
    fn set(&mut self, block: usize, classes: &Classes) {
        let set = |plane: &mut [u64; BLOCKS], bits: u64| {
            if let Some(word) = plane.get_mut(block) {
                *word = bits;
            }
        };
        set(&mut self.quote, classes.quote);
        set(&mut self.backslash, classes.backslash);
        set(&mut self.op, classes.op);
        set(&mut self.space, classes.space);
        set(&mut self.token, classes.token);
        set(&mut self.alnum, classes.alnum);
        set(&mut self.digit, classes.digit);
        set(&mut self.first, classes.first);
        set(&mut self.sign, classes.sign);
        set(&mut self.gap, classes.gap);
        set(&mut self.scheme, classes.scheme);
        set(&mut self.vowel, classes.vowel);
    }
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
const PERCENT: u8 = 4; // % ' " $ (
const AT: u8 = 8;
const SCHEME: u8 = 16; // b g k
const VOWEL: u8 = 32; // a e o
const PIPE: u8 = 64;
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
    (PERCENT, &[2, 4, 5, 7, 8]),
    (AT, &[0]),
    (SCHEME, &[2, 7, 11]),
    (VOWEL, &[1, 5, 15]),
    (PIPE, &[12]),
    (GAP, &[0, 13]),
]);
const HIGH_B: [u8; 16] = low(&[
    (FIRST_LOW, &[4, 6]),
    (FIRST_HIGH, &[5, 7]),
    (PERCENT, &[2]),
    (AT, &[4]),
    (SCHEME, &[4, 6]),
    (VOWEL, &[4, 6]),
    (PIPE, &[7]),
    (GAP, &[2]),
]);
const TOKEN: u8 = LETTERS_LOW | LETTERS_HIGH | DIGITS | DASH_DOT | UNDERSCORE;
const ALNUM: u8 = LETTERS_LOW | LETTERS_HIGH | DIGITS;
const OP: u8 = BRACKETS | SIGNS | COMMA;

impl Planes {
    /// The same of each class.
    #[inline(always)]
    fn each<T>(&self, of: impl Fn(&[u64; BLOCKS]) -> T) -> Classes<T> {
        Classes {
            quote: of(&self.quote),
            backslash: of(&self.backslash),
            op: of(&self.op),
            space: of(&self.space),
            token: of(&self.token),
            alnum: of(&self.alnum),
            digit: of(&self.digit),
            first: of(&self.first),
            sign: of(&self.sign),
            gap: of(&self.gap),
            scheme: of(&self.scheme),
            vowel: of(&self.vowel),
        }
    }

    #[inline(always)]
    fn lanes(&self, quad: usize) -> Classes<Bits> {
        self.each(|plane| lanes(plane, quad))
    }

    #[inline(always)]
    fn block(&self, block: usize) -> Classes {
        self.each(|plane| plane.get(block).copied().unwrap_or(0))
    }
}

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
            let bit = |n: u16| u64::from(mask >> n & 1) << i;
            classes.quote |= bit(0);
            classes.backslash |= bit(1);
            classes.op |= bit(2);
            classes.space |= bit(3);
            classes.token |= bit(4);
            classes.alnum |= bit(5);
            classes.digit |= bit(6);
            classes.first |= bit(7);
            classes.sign |= bit(8);
            classes.gap |= bit(9);
            classes.scheme |= bit(10);
            classes.vowel |= bit(11);
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
            a & OP != 0,
            SPACES[byte & 15] as usize == byte,
            a & TOKEN != 0,
            a & ALNUM != 0,
            a & DIGITS != 0,
            b & (FIRST_LOW | FIRST_HIGH) != 0,
            a & SIGNS != 0 || b & (PERCENT | AT | PIPE) != 0 || byte < 0x20,
            b & GAP != 0,
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
        PERCENT, PIPE, SCHEME, SIGNS, SPACES, TOKEN, VOWEL,
    };
    use std::arch::x86_64::{
        __m128i, __m256i, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8,
        _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
        _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16, _mm_loadu_si128,
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
        let none =
            |v: __m256i, class: u8| _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(v, all(class)), zero));
        // (None of these classes has the top bit, so that a number above 0 is what has one of them.)
        let any = |x: __m256i, y: __m256i, class: u8| {
            let is = |v: __m256i| _mm256_movemask_epi8(_mm256_cmpgt_epi8(_mm256_and_si256(v, all(class)), zero));
            join(is(x), is(y))
        };
        let sign = {
            let is = |v: __m256i, a: __m256i, b: __m256i| {
                let signs =
                    _mm256_or_si256(_mm256_and_si256(a, all(SIGNS)), _mm256_and_si256(b, all(PERCENT | AT | PIPE)));
                let control = _mm256_cmpeq_epi8(_mm256_min_epu8(v, all(0x1F)), v);
                _mm256_movemask_epi8(_mm256_or_si256(_mm256_cmpgt_epi8(signs, zero), control))
            };
            join(is(x, ax, bx), is(y, ay, by))
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
            op: !join(none(ax, OP), none(ay, OP)),
            space,
            token: any(ax, ay, TOKEN),
            alnum: any(ax, ay, ALNUM),
            digit: top(_mm256_slli_epi16::<5>(ax), _mm256_slli_epi16::<5>(ay)),
            first: any(bx, by, FIRST_LOW | FIRST_HIGH),
            sign,
            gap: top(bx, by),
            scheme: top(_mm256_slli_epi16::<3>(bx), _mm256_slli_epi16::<3>(by)),
            vowel: top(_mm256_slli_epi16::<2>(bx), _mm256_slli_epi16::<2>(by)),
        }
    }
}

/// What one window leaves to the next.
#[derive(Clone, Copy, Default)]
struct Carry {
    /// All ones inside a string.
    in_string: u64,
    escaped: u64,
    scalar: u64,
    signs: SignCarry,
}

/// The last words of what is shifted.
#[derive(Clone, Copy, Default)]
struct SignCarry {
    alnum: u64,
    backslash: u64,
    first: u64,
    tokens: [u64; 4],
    digits: [u64; 4],
    digit_run: u64,
    dashes: [u64; 2],
    dash_run: u64,
    scheme: u64,
    option: u64,
    by: [u64; 2],
}

/// One bit per byte of several blocks.
type Bits = [u64; LANES];
/// So many blocks are worked on at once.
const LANES: usize = 4;

/// Those blocks of a plane.
#[inline(always)]
fn lanes(plane: &[u64], quad: usize) -> Bits {
    plane.get(quad * LANES..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
}

/// The bits moved up by `by`, with those of the last block in front.
#[inline(always)]
fn shift(bits: Bits, last: &mut u64, by: u32) -> Bits {
    let [a, b, c, d] = bits;
    let before = [*last, a, b, c];
    *last = d;
    let mut out = [0; LANES];
    for ((out, word), before) in out.iter_mut().zip(bits).zip(before) {
        *out = word << by | before >> (64 - by);
    }
    out
}

#[inline(always)]
fn and(a: Bits, b: Bits) -> Bits {
    let mut out = a;
    out.iter_mut().zip(b).for_each(|(out, b)| *out &= b);
    out
}

#[inline(always)]
fn or(a: Bits, b: Bits) -> Bits {
    let mut out = a;
    out.iter_mut().zip(b).for_each(|(out, b)| *out |= b);
    out
}

/// Those of `a` that are not in `b`.
#[inline(always)]
fn less(a: Bits, b: Bits) -> Bits {
    let mut out = a;
    out.iter_mut().zip(b).for_each(|(out, b)| *out &= !b);
    out
}

/// A bit for each bit that has an odd number of bits at or below it.
#[inline(always)]
fn prefix_xor(mut word: u64) -> u64 {
    for by in [1, 2, 4, 8, 16, 32] {
        word ^= word << by;
    }
    word
}

/// The characters that a backslash before them changes.
#[inline(always)]
fn escaped(backslash: u64, last: &mut u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    if backslash == 0 {
        return std::mem::take(last);
    }
    let backslash = backslash & !*last;
    let follows = backslash << 1 | *last;
    let odd_starts = backslash & !EVEN & !follows;
    let (ends, over) = odd_starts.overflowing_add(backslash);
    *last = u64::from(over);
    (EVEN ^ (ends << 1)) & follows
}

/// What is in a string (its first quote is, its last is not), the quotes that delimit strings, and what is escaped.
#[inline(always)]
fn strings(c: &Classes, last_in_string: &mut u64, last_escaped: &mut u64) -> (u64, u64, u64) {
    let escaped = escaped(c.backslash, last_escaped);
    let quote = c.quote & !escaped;
    let in_string = prefix_xor(quote) ^ *last_in_string;
    *last_in_string = ((in_string as i64) >> 63) as u64;
    (in_string, quote, escaped)
}

impl SignCarry {
    /// Escapes, what no string may hold, and what a secret shows by. `TEXT`: also the words that JSON's strings are not looked
    /// through for.
    #[inline(always)]
    fn signs<const TEXT: bool>(&mut self, c: &Classes<Bits>, escaped: Bits) -> Bits {
        let backslash = c.backslash;
        // An escaped letter belongs to no word.
        let alnum = less(c.alnum, escaped);
        // (Where text holds the escapes of another format, so that the backslash is escaped itself, the letter after it does not either.)
        let word = shift(alnum, &mut self.alnum, 1);
        let fresh = and(alnum, or(less([u64::MAX; LANES], word), shift(backslash, &mut self.backslash, 2)));
        // Sixteen token characters whose first begins a word.
        let [t1, t2, t4, t8] = &mut self.tokens;
        let run = less(c.token, escaped);
        let run = and(run, shift(run, t1, 1));
        let run = and(run, shift(run, t2, 2));
        let run = and(run, shift(run, t4, 4));
        let run = and(run, shift(run, t8, 8));
        let made = and(run, shift(and(fresh, c.first), &mut self.first, 15));
        // Twelve digits, with gaps between them.
        let [d1, d2, d4, d8] = &mut self.digits;
        let digits = c.digit;
        let digits = or(digits, and(c.gap, shift(digits, d1, 1)));
        let twos = and(digits, shift(digits, d2, 1));
        let fours = and(twos, shift(twos, d4, 2));
        let mut last = *d8;
        let eights = and(fours, shift(fours, d8, 4));
        let twelves = and(eights, shift(fours, &mut last, 8));
        let digits = less(twelves, shift(twelves, &mut self.digit_run, 1));
        // Most of what is looked at at once has no dash.
        let dash = and(c.gap, c.token);
        let dashed = TEXT || dash.iter().fold(self.dashed(), |any, word| any | word) != 0;
        let dashes = if dashed { self.dash_signs(c, dash, alnum, word) } else { Bits::default() };

        let scheme = and(c.vowel, shift(c.scheme, &mut self.scheme, 1));
        let signs = or(c.sign, less(backslash, escaped));
        let signs = or(or(signs, scheme), or(or(made, digits), dashes));
        if !TEXT {
            return signs;
        }
        // A word like `by`, and a blank.
        let [b1, b2] = &mut self.by;
        let by = and(c.first, shift(and(c.scheme, fresh), b1, 1));
        or(signs, and(less(c.gap, c.token), shift(by, b2, 1)))
    }

    /// What the last dashes leave to the next words: 0 when there were none.
    #[inline(always)]
    fn dashed(&self) -> u64 {
        let [m1, m2] = self.dashes;
        m1 | m2 | self.dash_run | self.option
    }

    /// Four dashes, a letter behind those of an option, and a blank behind one.
    #[inline(always)]
    fn dash_signs(&mut self, c: &Classes<Bits>, dash: Bits, alnum: Bits, word: Bits) -> Bits {
        let [m1, m2] = &mut self.dashes;
        let behind = shift(dash, m1, 1);
        let dashes = and(dash, behind);
        let dashes = and(dashes, shift(dashes, m2, 2));
        let dashes = less(dashes, shift(dashes, &mut self.dash_run, 1));
        let option = and(less(alnum, c.digit), shift(less(dash, word), &mut self.option, 1));
        or(dashes, or(option, and(less(c.gap, c.token), behind)))
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

/// The positions in a source, in order, a window at a time.
pub(super) struct Scan<'a> {
    src: &'a [u8],
    /// Where the next window begins, and the last one began.
    at: usize,
    base: usize,
    carry: Carry,
    next: usize,
    level: Level,
    /// Counted from where the window begins.
    found: [u16; ROOM],
}

impl<'a> Scan<'a> {
    /// From the beginning.
    pub(super) fn new(src: &'a [u8]) -> Self {
        let carry = Carry::default();
        Self { src, at: 0, base: 0, carry, next: 0, level: Level::best(), found: [NONE; ROOM] }
    }

    /// The next position; the source's length after the last.
    #[inline(always)]
    pub(super) fn next(&mut self) -> usize {
        let at = self.found.get(self.next % ROOM).copied().unwrap_or(NONE);
        if at == NONE {
            return self.fill();
        }
        self.next += 1;
        self.base + usize::from(at)
    }

    #[inline(never)]
    fn fill(&mut self) -> usize {
        self.next = 1;
        while self.at < self.src.len() {
            self.base = self.at;
            match self.level {
                Level::Portable => self.window::<Portable>(),
                // SAFETY: the instructions are there, as `Level::best` found.
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => unsafe { self.window_avx2() },
            }
            match self.found.first() {
                Some(at) if *at != NONE => return self.base + usize::from(*at),
                _ => {}
            }
        }
        self.next = 0;
        self.src.len()
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
    fn window_avx2(&mut self) {
        self.window::<avx2::Avx2>();
    }

    /// Finds the positions of a window, and marks their end.
    #[inline(always)]
    fn window<C: Classify>(&mut self) {
        let rest = self.src.get(self.base..).unwrap_or(&[]);
        let rest = rest.get(..WINDOW).unwrap_or(rest);
        self.at = self.base + rest.len();
        let mut planes = Planes::default();
        let mut blocks = 0;
        while blocks < BLOCKS {
            let rest = rest.get(blocks * BLOCK..).unwrap_or(&[]);
            let mut padded = [b' '; BLOCK];
            let block = match rest.first_chunk::<BLOCK>() {
                Some(block) => block,
                None if rest.is_empty() => break,
                None => {
                    padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    &padded
                }
            };
            planes.set(blocks, &C::classify(block));
            blocks += 1;
        }

        let carry = &mut self.carry;
        let mut escapes = [0; BLOCKS];
        let mut insides = [0; BLOCKS];
        let mut places = [0; BLOCKS];
        for i in 0..blocks {
            let c = planes.block(i);
            let (in_string, quote, escaped) = strings(&c, &mut carry.in_string, &mut carry.escaped);
            let outside = !(in_string | quote);
            // Outside of strings: signs, whatever cannot stand there, and the beginning of everything else.
            let op = (c.op | c.sign) & outside & !c.space;
            let scalar = outside & !(c.space | op);
            let starts = scalar & !(scalar << 1 | carry.scalar);
            carry.scalar = scalar >> 63;
            let [to_escapes, to_insides, to_places] =
                [&mut escapes, &mut insides, &mut places].map(|words: &mut [u64; BLOCKS]| words.get_mut(i));
            if let (Some(to_escapes), Some(to_insides), Some(to_places)) = (to_escapes, to_insides, to_places) {
                // (A quote inside is an escaped one: its backslash is there.)
                (*to_escapes, *to_insides, *to_places) = (escaped, in_string & !c.quote, op | starts | quote);
            }
        }
        for (quad, places) in places.chunks_exact_mut(LANES).enumerate() {
            let signs = carry.signs.signs::<false>(&planes.lanes(quad), lanes(&escapes, quad));
            let signs = and(signs, lanes(&insides, quad));
            places.iter_mut().zip(signs).for_each(|(to, signs)| *to |= signs);
        }

        let mut count = 0;
        let mut rest = rest.len();
        for (block, places) in places.iter().take(blocks).enumerate() {
            // The last block may be longer than the source.
            let mut places = if rest < BLOCK { places & ((1 << rest) - 1) } else { *places };
            rest = rest.saturating_sub(BLOCK);
            let mut to = count;
            count += places.count_ones() as usize;
            while to < count {
                if let Some(slots) = self.found.get_mut(to..to + 8) {
                    for slot in slots {
                        *slot = ((block * BLOCK) as u32).wrapping_add(places.trailing_zeros()) as u16;
                        places &= places.wrapping_sub(1);
                    }
                }
                to += 8;
            }
        }
        if let Some(slot) = self.found.get_mut(count) {
            *slot = NONE;
        }
    }
}

/// The commas outside of strings, in JSON text that grows at its end and is taken from its front.
#[derive(Debug, Default)]
pub(super) struct Commas {
    /// What is looked at next.
    at: usize,
    last: Option<usize>,
    in_string: u64,
    escaped: u64,
}

impl Commas {
    /// Where the last one is. (The last bytes of the text, less than a block, are not looked at yet.)
    pub(super) fn last(&mut self, text: &[u8]) -> Option<usize> {
        match Level::best() {
            Level::Portable => self.blocks::<Portable>(text),
            // SAFETY: the instructions are there, as `Level::best` found.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { self.blocks_avx2(text) },
        }
        self.last
    }

    /// So many bytes are gone from the front.
    pub(super) fn taken(&mut self, bytes: usize) {
        self.at = self.at.saturating_sub(bytes);
        self.last = self.last.and_then(|last| last.checked_sub(bytes)).filter(|last| *last > 0);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
    fn blocks_avx2(&mut self, text: &[u8]) {
        self.blocks::<avx2::Avx2>(text);
    }

    #[inline(always)]
    fn blocks<C: Classify>(&mut self, text: &[u8]) {
        while let Some(block) = text.get(self.at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
            let classes = C::classify(block);
            let (in_string, quote, _) = strings(&classes, &mut self.in_string, &mut self.escaped);
            let mut ops = classes.op & !(in_string | quote);
            while let Some(top) = ops.checked_ilog2() {
                if block.get(top as usize) == Some(&b',') {
                    self.last = Some(self.at + top as usize);
                    break;
                }
                ops ^= 1 << top;
            }
            self.at += BLOCK;
        }
    }
}

/// The signs of secrets in text that is no JSON, in order. Most texts are short, so there is no room for many positions to
/// prepare here.
pub(super) struct Signs<'a> {
    src: &'a [u8],
    /// What is looked at next.
    at: usize,
    escaped: u64,
    carry: SignCarry,
    level: Level,
    /// Those of the last blocks that were not told yet, and the block in hand.
    marks: Bits,
    block: usize,
}

impl<'a> Signs<'a> {
    /// From the beginning.
    pub(super) fn new(src: &'a [u8]) -> Self {
        let carry = SignCarry::default();
        Self { src, at: 0, escaped: 0, carry, level: Level::best(), marks: [0; LANES], block: LANES }
    }

    /// The next position; the source's length after the last.
    pub(super) fn next(&mut self) -> usize {
        loop {
            while let Some(marks) = self.marks.get_mut(self.block) {
                if *marks != 0 {
                    let at = self.at + self.block * BLOCK + marks.trailing_zeros() as usize - LANES * BLOCK;
                    *marks &= *marks - 1;
                    return at;
                }
                self.block += 1;
            }
            let Some(rest) = self.src.get(self.at..).filter(|rest| !rest.is_empty()) else { return self.src.len() };
            self.block = 0;
            self.at += LANES * BLOCK;
            match self.level {
                Level::Portable => self.quad::<Portable>(rest),
                // SAFETY: the instructions are there, as `Level::best` found.
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => unsafe { self.quad_avx2(rest) },
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
    fn quad_avx2(&mut self, rest: &[u8]) {
        self.quad::<avx2::Avx2>(rest);
    }

    #[inline(always)]
    fn quad<C: Classify>(&mut self, rest: &[u8]) {
        let mut planes = Planes::default();
        let mut escapes = [0; LANES];
        let mut real = [0; LANES];
        for (block, (escape, real)) in escapes.iter_mut().zip(&mut real).enumerate() {
            let rest = rest.get(block * BLOCK..).unwrap_or(&[]);
            let mut padded = [b' '; BLOCK];
            let (block_here, bits) = match rest.first_chunk::<BLOCK>() {
                Some(block) => (block, u64::MAX),
                None if rest.is_empty() => break,
                None => {
                    padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    (&padded, (1 << rest.len()) - 1)
                }
            };
            *real = bits;
            let classes = C::classify(block_here);
            *escape = escaped(classes.backslash, &mut self.escaped);
            planes.set(block, &classes);
        }
        self.marks = and(self.carry.signs::<true>(&planes.lanes(0), escapes), real);
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
