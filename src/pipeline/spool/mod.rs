//! The spool: what is recorded and not delivered, kept in files that the next process sends from (docs/spool.md). One
//! thread, `mpr-spool`, does all of it, so that a disk that hangs holds up nothing else.

#[cfg(unix)]
mod dir;
#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
pub mod format;
#[cfg(unix)]
mod segment;
#[cfg(unix)]
mod thread;

use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(unix)]
pub use dir::Dir;
#[cfg(not(unix))]
pub use elsewhere::{start, Dir};
#[cfg(unix)]
pub use thread::start;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// [`segment::Segment::serial`], which is never 0.
    pub serial: u32,
    /// The record's number.
    pub number: u32,
}

/// Where an item came from.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Recorded, and in memory ever since.
    #[default]
    New,
    /// Recorded here, and in the spool alone for a while.
    Away,
    /// An earlier process's.
    TakenOver,
}

/// What the queue and the spool's thread know of an item's record. Changed under the queue's lock alone.
#[derive(Debug, Default)]
pub struct Slot {
    word: AtomicU64,
    origin: Origin,
}

const NOT_WRITTEN: u64 = 0;
const DONE: u64 = 1;

impl Slot {
    /// For an item that comes from the spool.
    pub fn loaded(place: Place, origin: Origin) -> Self {
        let slot = Self { word: AtomicU64::new(NOT_WRITTEN), origin };
        slot.put(place);
        slot
    }

    /// Where it came from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Where its record stands, if it is written and waits.
    pub fn place(&self) -> Option<Place> {
        match self.word.load(Ordering::Relaxed) {
            NOT_WRITTEN | DONE => None,
            word => Some(Place { serial: (word >> 32) as u32, number: word as u32 }),
        }
    }

    /// It is written. False when the item is settled already.
    pub fn put(&self, place: Place) -> bool {
        let waits = self.word.load(Ordering::Relaxed) != DONE;
        if waits {
            self.word.store(u64::from(place.serial) << 32 | u64::from(place.number), Ordering::Relaxed);
        }
        waits
    }

    /// The item is settled. None when it was before; else where its record stands, if it is written.
    pub fn done(&self) -> Option<Option<Place>> {
        let place = self.place();
        (self.word.swap(DONE, Ordering::Relaxed) != DONE).then_some(place)
    }
}
