//! Handles as numbers: what C holds is an index and a generation in the clothes of a pointer, never an address. A freed,
//! foreign or made-up handle is found out by looking, with no unsafe code at all.
//!
//! Each object has its own lock, so that any thread may use it at any time. A panic inside a call poisons that lock: the
//! object then answers MPR_ERR_POISONED until it is freed. So does, in a forked child, one that another thread was using at
//! the fork.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crate::process::fork;
use crate::status::{Error, Result, MPR_ERR_INTERNAL, MPR_ERR_POISONED};

/// Lowest bits: what kind of object, so that a span passed as a capture is found out.
const TAG_BITS: u32 = 3;
const INDEX_BITS: u32 = if usize::BITS == 64 { 29 } else { 18 };
const FIRST_PAGE: usize = 64;
const PAGES: usize = 24;

/// A thread of this process that has taken a lock has said so by then.
const SAYS_SO: Duration = Duration::from_millis(100);

struct Slot<T> {
    entry: Mutex<Entry<T>>,
    /// The fork generation of who took the lock last.
    holder: AtomicU32,
}

impl<T> Slot<T> {
    fn lock(&self) -> Result<MutexGuard<'_, Entry<T>>> {
        let now = fork::generation();
        let mut begin = None;
        loop {
            match self.entry.try_lock() {
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Poisoned(poisoned)) => return Err(poisoned.into()),
                Ok(entry) => {
                    self.holder.store(now, Ordering::Relaxed);
                    return Ok(entry);
                }
            }
            if self.holder.load(Ordering::Relaxed) == now {
                return Ok(self.entry.lock()?);
            }
            if begin.get_or_insert_with(Instant::now).elapsed() > SAYS_SO {
                return Err(Error::new(MPR_ERR_POISONED, "another thread was using it when the process forked"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

struct Entry<T> {
    generation: usize,
    value: Option<T>,
}

#[derive(Default)]
struct Free {
    indexes: Vec<usize>,
    never_used: usize,
    known_to_forks: bool,
}

/// The live objects of one kind. Pages double in size, are made when first needed and never move.
pub(super) struct Handles<T> {
    name: &'static str,
    tag: usize,
    pages: [OnceLock<Box<[Slot<T>]>>; PAGES],
    free: Mutex<Free>,
}

impl<T: Send + 'static> Handles<T> {
    /// `name` stands in messages; `tag` is one of 1 to 7, another for each kind.
    pub(super) const fn new(name: &'static str, tag: usize) -> Self {
        Self {
            name,
            tag,
            pages: [const { OnceLock::new() }; PAGES],
            free: Mutex::new(Free { indexes: Vec::new(), never_used: 0, known_to_forks: false }),
        }
    }

    /// A handle for this object; never 0.
    pub(super) fn insert(&'static self, value: T) -> Result<usize> {
        let (index, slot, first) = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let index = free.indexes.pop().unwrap_or_else(|| {
                free.never_used += 1;
                free.never_used - 1
            });
            // (Under the lock: a fork could cut the making of a page in two.)
            (index, self.slot(index, true), !std::mem::replace(&mut free.known_to_forks, true))
        };
        if first {
            fork::hold_during_forks(&self.free);
        }
        let slot = slot.filter(|_| index < 1 << INDEX_BITS);
        let slot = slot.ok_or_else(|| Error::new(MPR_ERR_INTERNAL, format!("{}: too many are alive", self.name)))?;
        let mut entry = slot.lock()?;
        entry.value = Some(value);
        Ok(entry.generation << (INDEX_BITS + TAG_BITS) | index << TAG_BITS | self.tag)
    }

    /// Works on an object under its lock. Callbacks of the host are not made in here: they may use the same handle.
    pub(super) fn with<R>(&self, handle: usize, work: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        let (index, generation) = self.parts(handle)?;
        let slot = self.slot(index, false).ok_or_else(|| self.not_live())?;
        let mut entry = slot.lock()?;
        match &mut *entry {
            Entry { generation: live, value: Some(value) } if *live == generation => work(value),
            _ => Err(self.not_live()),
        }
    }

    /// Takes an object out, also a poisoned one; its handle is dead from then on.
    pub(super) fn remove(&self, handle: usize) -> Result<T> {
        let (index, generation) = self.parts(handle)?;
        let slot = self.slot(index, false).ok_or_else(|| self.not_live())?;
        let value = {
            // (Once to see whether it can be had at all.)
            let mut entry = match slot.lock() {
                Ok(entry) => entry,
                Err(_) if slot.entry.is_poisoned() => slot.entry.lock().unwrap_or_else(PoisonError::into_inner),
                Err(gone) => return Err(gone),
            };
            if entry.generation != generation {
                return Err(self.not_live());
            }
            let value = entry.value.take().ok_or_else(|| self.not_live())?;
            entry.generation = next_generation(generation);
            value
        };
        slot.entry.clear_poison();
        self.free.lock().unwrap_or_else(PoisonError::into_inner).indexes.push(index);
        Ok(value)
    }

    fn parts(&self, handle: usize) -> Result<(usize, usize)> {
        if handle == 0 {
            return Err(Error::invalid(format!("{}: NULL", self.name)));
        }
        if handle & ((1 << TAG_BITS) - 1) != self.tag {
            return Err(self.not_live());
        }
        Ok((handle >> TAG_BITS & ((1 << INDEX_BITS) - 1), handle >> (INDEX_BITS + TAG_BITS)))
    }

    fn slot(&self, index: usize, make: bool) -> Option<&Slot<T>> {
        // Page p holds FIRST_PAGE << p slots.
        let page = (index / FIRST_PAGE + 1).ilog2() as usize;
        let start = FIRST_PAGE * ((1 << page) - 1);
        let cell = self.pages.get(page)?;
        let new_slot = |_| Slot {
            entry: Mutex::new(Entry { generation: 1, value: None }),
            holder: AtomicU32::new(fork::generation()),
        };
        let slots = match make {
            true => cell.get_or_init(|| (0..FIRST_PAGE << page).map(new_slot).collect()),
            false => cell.get()?,
        };
        slots.get(index - start)
    }

    fn not_live(&self) -> Error {
        Error::invalid(format!("{}: not a live handle; it was freed, or is of another kind", self.name))
    }
}

/// Wraps within the bits that are left for it, and is never 0.
fn next_generation(generation: usize) -> usize {
    let bits = usize::BITS - INDEX_BITS - TAG_BITS;
    let next = (generation + 1) & ((1 << bits) - 1);
    next.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::panics;
    use crate::status::MPR_ERR_POISONED;

    #[test]
    fn dead_foreign_and_made_up_handles_are_errors() {
        let table: &Handles<u32> = Box::leak(Box::new(Handles::new("thing", 1)));
        let other: &Handles<u32> = Box::leak(Box::new(Handles::new("other", 2)));
        let all: Vec<_> = (0..1_000).map(|n| table.insert(n).unwrap()).collect();
        for (n, handle) in all.iter().enumerate() {
            assert_eq!(table.with(*handle, |value| Ok(*value)).unwrap() as usize, n);
        }
        assert_eq!(table.remove(all[3]).unwrap(), 3);
        assert!(table.with(all[3], |_| Ok(())).is_err() && table.remove(all[3]).is_err());
        let reused = table.insert(99).unwrap();
        assert_ne!(reused, all[3]);
        assert!(table.with(all[3], |_| Ok(())).is_err());
        assert!(other.with(all[4], |_| Ok(())).is_err());
        for made_up in [0, 1, 7, 0xdead_beef, usize::MAX, usize::MAX - 6, 0x7ffd_2c3a_1b40] {
            assert!(table.with(made_up, |_| Ok(())).is_err(), "{made_up:x}");
        }
    }

    #[test]
    fn a_panic_poisons_the_one_object_until_it_is_freed() {
        let table: &Handles<u32> = Box::leak(Box::new(Handles::new("thing", 1)));
        let (hit, well) = (table.insert(1).unwrap(), table.insert(2).unwrap());
        assert!(panics::contain(|| table.with(hit, |_| -> Result<()> { panic!("inside") })).is_err());
        assert_eq!(table.with(hit, |_| Ok(())).unwrap_err().status, MPR_ERR_POISONED);
        assert!(table.with(well, |_| Ok(())).is_ok());
        assert!(table.remove(hit).is_ok());
        let again = table.insert(3).unwrap();
        assert_eq!(table.with(again, |value| Ok(*value)).unwrap(), 3);
    }
}
