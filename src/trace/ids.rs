//! Random trace and span ids: one generator a thread, no lock, no allocation, seeded anew in a forked child.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

use super::{current, Kind, SessionPrefix};
use crate::process::fork;

static DOC_RATIO: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // Taken out while in use, so that no path can borrow it twice; no destructor, so that ids work while a thread ends.
    static RNG: Cell<Option<(u32, SmallRng)>> = const { Cell::new(None) };
}

/// Which share (0 to 1) of the traces outside a session becomes documentation traces.
pub fn set_doc_ratio(ratio: f64) {
    DOC_RATIO.store(ratio.to_bits(), Ordering::Relaxed);
}

/// A new trace id: of the running session, else a documentation trace now and then, else ordinary.
pub fn trace_id() -> [u8; 16] {
    with_rng(|rng| {
        let id = random(rng);
        stamp(id, rng)
    })
}

/// A host's own trace id, made to carry the running session; its last nine bytes stay.
pub fn stamp_host_id(id: [u8; 16]) -> [u8; 16] {
    with_rng(|rng| stamp(u128::from_be_bytes(id), rng))
}

/// A new span id, never all zero.
pub fn span_id() -> [u8; 8] {
    with_rng(|rng| loop {
        let id = rng.next_u64().to_be_bytes();
        if id != [0; 8] {
            return id;
        }
    })
}

fn stamp(mut id: u128, rng: &mut SmallRng) -> [u8; 16] {
    if let Some(SessionPrefix([a, b, c, d, e, f, g])) = current() {
        let prefix = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
        return (u128::from(prefix) << 72 | id & ((1 << 72) - 1)).to_be_bytes();
    }
    let ratio = f64::from_bits(DOC_RATIO.load(Ordering::Relaxed));
    if ratio > 0.0 && (rng.next_u32() as f64) < ratio * (u32::MAX as f64 + 1.0) {
        let [a, b, c] = Kind::Doc.prefix();
        let prefix = u32::from_be_bytes([0, a, b, c]);
        return (u128::from(prefix) << 104 | id & ((1 << 104) - 1)).to_be_bytes();
    }
    // One random id in three million would look like a session's.
    while Kind::of(&id.to_be_bytes()) != Kind::None || id == 0 {
        id = random(rng);
    }
    id.to_be_bytes()
}

fn random(rng: &mut SmallRng) -> u128 {
    u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())
}

fn with_rng<T>(draw: impl FnOnce(&mut SmallRng) -> T) -> T {
    let generation = fork::generation();
    RNG.with(|cell| {
        let (made_in, mut rng) = match cell.take() {
            Some((made_in, rng)) if made_in == generation => (made_in, rng),
            _ => {
                fork::watch();
                (generation, seeded())
            }
        };
        let result = draw(&mut rng);
        cell.set(Some((made_in, rng)));
        result
    })
}

/// From the system's entropy; where that is denied, from what differs between threads, processes and moments.
fn seeded() -> SmallRng {
    SmallRng::try_from_os_rng().unwrap_or_else(|_| {
        let seed = std::collections::hash_map::RandomState::new();
        let differs = (std::process::id(), crate::process::clock::unix_nanos(), &raw const seed as usize);
        SmallRng::seed_from_u64(std::hash::BuildHasher::hash_one(&seed, differs))
    })
}

#[cfg(test)]
mod tests {
    use super::super::set_current;
    use super::*;
    use std::collections::HashSet;

    // One test: the running session is one for the process.
    #[test]
    fn ids_carry_the_session_and_are_unique_across_threads() {
        assert_eq!(Kind::of(&trace_id()), Kind::None);
        set_doc_ratio(1.0);
        assert_eq!(Kind::of(&trace_id()), Kind::Doc);
        set_doc_ratio(0.0);

        let session = SessionPrefix::new(Kind::Manual, "0a1b2c3d").unwrap();
        set_current(Some(session));
        assert_eq!(SessionPrefix::of(&trace_id()), session);
        let host = stamp_host_id([9; 16]);
        assert_eq!((SessionPrefix::of(&host), &host[7..]), (session, &[9; 9][..]));
        set_current(None);

        let threads: Vec<_> = (0..16)
            .map(|_| std::thread::spawn(|| (0..20_000).map(|_| (trace_id(), span_id())).collect::<Vec<_>>()))
            .collect();
        let all: Vec<_> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        assert_eq!(all.iter().map(|id| id.0).collect::<HashSet<_>>().len(), all.len());
        assert_eq!(all.iter().map(|id| id.1).collect::<HashSet<_>>().len(), all.len());
    }
}
