//! queue_max_bytes: what recorded data may take, wherever it is: waiting, on its way, in spans that are still open, and in
//! the resources that many items share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// Open spans grow by small values; they take room in steps of this.
const STEP: u64 = 1024;

/// See the module.
pub struct Budget {
    max: u64,
    used: AtomicU64,
    open_bytes: AtomicU64,
    open_spans: AtomicU64,
    shared_bytes: AtomicU64,
}

impl Budget {
    /// So many bytes.
    pub fn new(max: usize) -> Self {
        Self {
            max: max as u64,
            used: AtomicU64::new(0),
            open_bytes: AtomicU64::new(0),
            open_spans: AtomicU64::new(0),
            shared_bytes: AtomicU64::new(0),
        }
    }

    /// Takes bytes, all or none. Whoever takes gives back.
    pub fn take(&self, bytes: u64) -> bool {
        let room = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    /// Gives bytes back.
    pub fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How much of it is used, in quarters.
    pub fn quarters_used(&self) -> f64 {
        self.quarters_with(0)
    }

    /// How much of it, in quarters, would be used with so many bytes more.
    pub fn quarters_with(&self, more: u64) -> f64 {
        self.used.load(Ordering::Relaxed).saturating_add(more) as f64 / (self.max as f64 / 4.0)
    }

    /// How many spans are open, and the bytes of all of them.
    pub fn open(&self) -> (u64, u64) {
        (self.open_spans.load(Ordering::Relaxed), self.open_bytes.load(Ordering::Relaxed))
    }

    /// The bytes that items share.
    pub fn shared(&self) -> u64 {
        self.shared_bytes.load(Ordering::Relaxed)
    }
}

/// Room of what several items share; given back when it is dropped.
pub struct Shared {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Shared {
    /// None when there is not so much.
    pub fn take(budget: &Arc<Budget>, bytes: u64) -> Option<Self> {
        budget.take(bytes).then(|| {
            budget.shared_bytes.fetch_add(bytes, Ordering::Relaxed);
            Self { budget: Arc::clone(budget), bytes }
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
        self.budget.shared_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Room of a span between its begin and its end; given back when it is dropped.
pub struct Open {
    budget: Arc<Budget>,
    taken: u64,
    used: u64,
}

impl Open {
    /// None when there is not so much.
    pub fn take(budget: &Arc<Budget>, bytes: usize) -> Option<Self> {
        let mut open = Self { budget: Arc::clone(budget), taken: 0, used: 0 };
        budget.open_spans.fetch_add(1, Ordering::Relaxed);
        open.grow(bytes).then_some(open)
    }

    /// Whether there is room for so many bytes more, which are then taken.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes as u64);
        if used > self.taken {
            let more = (used - self.taken).max(STEP);
            if !self.budget.take(more) {
                return false;
            }
            self.budget.open_bytes.fetch_add(more, Ordering::Relaxed);
            self.taken += more;
        }
        self.used = used;
        true
    }

    /// So many bytes can be used for something else of the span.
    pub fn shrink(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes as u64);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.budget.give(self.taken);
        self.budget.open_bytes.fetch_sub(self.taken, Ordering::Relaxed);
        self.budget.open_spans.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_taken_is_given_back() {
        let budget = Arc::new(Budget::new(10_000));
        let shared = Shared::take(&budget, 4_000).unwrap();
        assert!(Shared::take(&budget, 6_001).is_none());
        let mut open = Open::take(&budget, 300).unwrap();
        assert_eq!((budget.open(), budget.shared()), ((1, 1024), 4_000));
        assert!(open.grow(700) && open.grow(2_000) && !open.grow(5_000));
        open.shrink(2_000);
        assert!(open.grow(1_500) && open.grow(500));
        assert!(Open::take(&budget, 9_000).is_none());
        assert_eq!(budget.open(), (1, 3_000));
        assert!(budget.take(3_000) && !budget.take(1) && !budget.take(u64::MAX));
        budget.give(3_000);
        drop((shared, open));
        assert_eq!((budget.open(), budget.shared(), budget.used.load(Ordering::Relaxed)), ((0, 0), 0, 0));
    }
}
