//! What was answered about a name before: programs use few names and use them all the time.

use std::sync::atomic::{AtomicU64, Ordering};

/// Each name has two places.
const PLACES: usize = 1024;
/// Longer names are asked about anew.
const LONGEST: usize = 32;

/// A name of at most 32 bytes as numbers: equal numbers, equal names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    len: u64,
    words: [u64; 4],
}

impl Key {
    /// `None` for the empty name and for long ones.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let mut padded = [0; LONGEST];
        padded.get_mut(..name.len())?.copy_from_slice(name);
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(padded.chunks_exact(8)) {
            *word = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        }
        (!name.is_empty()).then_some(Key { len: name.len() as u64, words })
    }

    #[inline(always)]
    fn mixed(&self) -> u64 {
        let [a, b, c, d] = self.words;
        // (Nothing for a short name.)
        mix(a, b, self.len) ^ (c ^ d.rotate_left(17)).wrapping_mul(0x1656_67B1_9E37_79F9)
    }
}

#[inline(always)]
fn mix(a: u64, b: u64, len: u64) -> u64 {
    let mixed = (a ^ len << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b.wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    mixed ^ mixed >> 29
}

/// Ones in as many low bytes. (No name is empty.)
const SHORT: [u128; 17] = {
    let mut ones = [u128::MAX; 17];
    let mut bytes = 0;
    while bytes < 16 {
        ones[bytes] = (1 << (8 * bytes)) - 1;
        bytes += 1;
    }
    ones
};

/// One name and what was answered. The answer lies in the low byte of `answer`, the rest of which is made from the whole name:
/// so an answer is never read with a name that somebody else is just writing, and no lock is needed.
#[derive(Default)]
struct Place {
    answer: AtomicU64,
    words: [AtomicU64; 4],
}

/// Answers that all threads share.
pub(super) struct Known {
    places: Box<[Place; PLACES]>,
}

impl Known {
    pub(super) fn new() -> Self {
        Known { places: Box::new(std::array::from_fn(|_| Place::default())) }
    }

    pub(super) fn get(&self, key: &Key) -> Option<u8> {
        let mixed = key.mixed();
        let (one, two) = places(mixed);
        let read = |at: usize| self.places.get(at).and_then(|place| place.read(key, mixed));
        read(one).or_else(|| read(two))
    }

    /// The same for a name of at most 16 bytes in a source, as most are, in few steps. `None` says nothing.
    #[inline(always)]
    pub(super) fn get_short(&self, source: &[u8], start: usize, end: usize) -> Option<u8> {
        let bytes = source.get(start..)?.first_chunk::<16>()?;
        let len = end.wrapping_sub(start);
        let mask = SHORT.get(len)?;
        let words = u128::from_le_bytes(*bytes) & mask;
        let (a, b) = (words as u64, (words >> 64) as u64);
        let mixed = mix(a, b, len as u64);
        let (one, two) = places(mixed);
        let read = |at: usize| {
            let place = self.places.get(at)?;
            let [x, y, ..] = &place.words;
            let answer = place.answer.load(Ordering::Acquire);
            let differ = ((answer ^ mixed) & !0xFF) | (x.load(Ordering::Relaxed) ^ a) | (y.load(Ordering::Relaxed) ^ b);
            (differ == 0).then_some((answer & 0xFF) as u8)
        };
        read(one).or_else(|| read(two))
    }

    pub(super) fn put(&self, key: &Key, answer: u8) {
        let mixed = key.mixed();
        let (one, two) = places(mixed);
        let (Some(first), Some(second)) = (self.places.get(one), self.places.get(two)) else { return };
        // The name that stood there moves on, so that two names that share a place keep both.
        let old = first.answer.load(Ordering::Relaxed);
        if old != 0 {
            for (to, from) in second.words.iter().zip(&first.words) {
                to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            second.answer.store(old, Ordering::Release);
        }
        for (to, from) in first.words.iter().zip(key.words) {
            to.store(from, Ordering::Relaxed);
        }
        first.answer.store(mixed & !0xFF | u64::from(answer), Ordering::Release);
    }
}

/// The two places for a name: neighbours.
#[inline(always)]
fn places(mixed: u64) -> (usize, usize) {
    let at = ((mixed >> 40) as usize % PLACES) & !1;
    (at, at + 1)
}

impl Place {
    #[inline(always)]
    fn read(&self, key: &Key, mixed: u64) -> Option<u8> {
        let answer = self.answer.load(Ordering::Acquire);
        let [a, b, c, d] = &self.words;
        let [x, y, z, w] = key.words;
        let mut differ = (answer ^ mixed) & !0xFF;
        differ |= (a.load(Ordering::Relaxed) ^ x) | (b.load(Ordering::Relaxed) ^ y);
        if key.len > 16 {
            differ |= (c.load(Ordering::Relaxed) ^ z) | (d.load(Ordering::Relaxed) ^ w);
        }
        (differ == 0).then_some((answer & 0xFF) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_every_byte() {
        let known = Known::new();
        for len in 1..=LONGEST {
            let name = vec![b'a'; len];
            let key = Key::of(&name).unwrap();
            known.put(&key, len as u8);
            assert_eq!(known.get(&key), Some(len as u8));
            for at in 0..len {
                let mut other = name.clone();
                other[at] = b'b';
                assert!(Key::of(&other) != Some(key), "{len} {at}");
            }
        }
        assert!(Key::of(b"").is_none() && Key::of(&[b'a'; LONGEST + 1]).is_none());
        assert_eq!(known.get(&Key::of(b"new").unwrap()), None);
        assert!(Key::of(b"a") != Key::of(b"aa") && Key::of(b"a\0a") != Key::of(b"aaa"));
    }

    #[test]
    fn threads_never_read_another_names_answer() {
        let known = Known::new();
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let known = &known;
                scope.spawn(move || {
                    for n in 0..40_000u64 {
                        let name = (n * 7 + thread).wrapping_mul(2654435761) % 5000;
                        let key = Key::of(format!("name{name}").as_bytes()).unwrap();
                        match known.get(&key) {
                            Some(answer) => assert_eq!(answer, (name % 251) as u8),
                            None => known.put(&key, (name % 251) as u8),
                        }
                    }
                });
            }
        });
    }
}
