//! What is known of the keys of attributes. A program has few and uses them all the time, so each is looked at once.

use once_cell::race::OnceBox;

/// A host that makes up keys without end does not fill memory with them.
const PLACES: usize = 1024;
/// Nor with long ones.
const LONGEST: usize = 256;
/// So many places are tried for a key; one that finds none is looked at each time anew.
const TRIES: usize = 8;

/// A key, and what it says of its value.
pub struct Key {
    given: Box<str>,
    /// As it is sent: secrets in it are masked.
    pub text: Box<str>,
    /// Nothing of the value may leave.
    pub sensitive: bool,
}

/// The keys seen so far. No lock: a thread that is gone after a fork holds up nobody.
pub struct Keys {
    places: Box<[OnceBox<Key>]>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| OnceBox::new()).collect() }
    }
}

impl Keys {
    /// Works with what is known of a key. `look` tells its text, and whether it is sensitive, when it is new.
    pub fn with<T>(&self, given: &str, look: impl FnOnce() -> (String, bool), work: impl FnOnce(&Key) -> T) -> T {
        let begin = hash(given.as_bytes()) as usize;
        let mut places = (0..TRIES).filter_map(|n| self.places.get(begin.wrapping_add(n) % PLACES));
        let free = places.find_map(|place| match place.get() {
            Some(key) if *key.given == *given => Some(Ok(key)),
            Some(_) => None,
            None => Some(Err(place)),
        });
        if let Some(Ok(known)) = free {
            return work(known);
        }
        let (text, sensitive) = look();
        let key = Key { given: given.into(), text: text.into(), sensitive };
        let done = work(&key);
        if let (Some(Err(place)), 0..=LONGEST) = (free, given.len()) {
            // Another thread may have been quicker; then it is known the next time, or later.
            let _ = place.set(Box::new(key));
        }
        done
    }
}

/// Tells keys apart, nearly always: by eight bytes at each end and the length.
pub const fn hash(key: &[u8]) -> u32 {
    let (first, last) = match (key.first_chunk(), key.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => {
            let (mut word, mut rest) = (0, key);
            while let [byte, after @ ..] = rest {
                word = word << 8 | *byte as u64;
                rest = after;
            }
            (word, 0)
        }
    };
    let mixed = (first ^ last.rotate_left(29) ^ key.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_looked_at_once_and_too_many_are_known_as_well() {
        let keys = Keys::default();
        let ask = |given: &str, looks: &mut u32| {
            let look = || {
                *looks += 1;
                (format!("<{given}>"), given.ends_with('7'))
            };
            let (text, sensitive) = keys.with(given, look, |key| (key.text.to_string(), key.sensitive));
            assert_eq!((text, sensitive), (format!("<{given}>"), given.ends_with('7')));
        };
        let mut looks = 0;
        for _ in 0..3 {
            (0..50).for_each(|n| ask(&format!("http.request.header.x-{n}"), &mut looks));
            ask("", &mut looks);
        }
        assert_eq!(looks, 51);
        for _ in 0..2 {
            (0..5_000).for_each(|n| ask(&format!("key {n}"), &mut looks));
        }
        assert!(looks > 5_051, "not all of them are kept");
    }
}
