//! What is recorded and not yet delivered: bounded in bytes, with the counts that account for every item.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::otlp::Item;
use crate::status::{Error, Result, MPR_ERR_QUEUE_FULL, MPR_ERR_TIMEOUT};

/// What an item costs beside its bytes: the entry itself and its share of the shared parts.
const ITEM_OVERHEAD: usize = 128;

/// Where every item that ever came in is now: accepted = exported + the dropped ones + queued.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Came in.
    pub accepted: u64,
    /// The receiver confirmed it.
    pub exported: u64,
    /// Waiting or on its way.
    pub queued: u64,
    /// Refused because the byte budget was full.
    pub dropped_queue_full: u64,
    /// Refused by the receiver for good (4xx, partial success).
    pub dropped_rejected: u64,
    /// Too large for the receiver even alone.
    pub dropped_too_large: u64,
    /// Came after the shutdown, or its deadline was over first.
    pub dropped_shutdown: u64,
    /// Lost to a defect of the library.
    pub dropped_internal: u64,
    /// Bytes that wait or are on their way.
    pub queued_bytes: u64,
    /// Requests answered with success.
    pub requests: u64,
    /// Attempts that failed and were made again.
    pub retries: u64,
}

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Confirmed by the receiver.
    Exported,
    /// Refused for good.
    Rejected,
    /// Over the receiver's limit.
    TooLarge,
    /// Lost inside.
    Internal,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Item>,
    waiting_bytes: u64,
    next_number: u64,
    /// First item number of every batch on its way.
    on_its_way: BTreeSet<u64>,
    counts: Counts,
    flushers: usize,
    closed: bool,
}

impl State {
    /// All items with a smaller number are settled.
    fn settled_up_to(&self) -> u64 {
        let oldest_waiting = self.next_number - self.waiting.len() as u64;
        self.on_its_way.first().map_or(oldest_waiting, |first| oldest_waiting.min(*first))
    }

    fn flush_result(&self, target: u64) -> Result<()> {
        if self.settled_up_to() >= target {
            return Ok(());
        }
        Err(Error::new(MPR_ERR_TIMEOUT, format!("{} items are still queued", self.counts.queued)))
    }
}

/// See the module.
pub struct Queue {
    state: Mutex<State>,
    settled: Condvar,
    settled_task: Notify,
    /// Ends the pauses between retries: somebody waits in a flush, or for the exit.
    pub hurry: Notify,
    /// Wakes the delivery: the first item after none, a full batch, a flush.
    pub wake: Notify,
    max_bytes: usize,
    batch_bytes: usize,
    batch_items: usize,
}

impl Queue {
    /// An empty queue with these bounds.
    pub fn new(max_bytes: usize, batch_bytes: usize, batch_items: usize) -> Self {
        Self {
            state: Mutex::default(),
            settled: Condvar::new(),
            settled_task: Notify::new(),
            hurry: Notify::new(),
            wake: Notify::new(),
            max_bytes,
            batch_bytes,
            batch_items,
        }
    }

    /// Takes items in, each as a whole or not at all.
    ///
    /// # Errors
    /// MPR_ERR_QUEUE_FULL when one of them found no room; it is counted.
    pub fn push(&self, items: impl IntoIterator<Item = Item>) -> Result<()> {
        let mut state = self.state.lock()?;
        let (was_empty, was_due) = (state.waiting.is_empty(), self.due(&state));
        let mut full = false;
        for item in items {
            state.counts.accepted += 1;
            let cost = cost(&item);
            if state.closed {
                state.counts.dropped_shutdown += 1;
            } else if state.counts.queued_bytes.saturating_add(cost) > self.max_bytes as u64 {
                state.counts.dropped_queue_full += 1;
                full = true;
            } else {
                state.counts.queued_bytes += cost;
                state.counts.queued += 1;
                state.waiting_bytes += cost;
                state.next_number += 1;
                state.waiting.push_back(item);
            }
        }
        let wake = (was_empty && !state.waiting.is_empty()) || (!was_due && self.due(&state));
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        match full {
            true => Err(Error::new(MPR_ERR_QUEUE_FULL, "queue_max_bytes is used up by data that waits for delivery")),
            false => Ok(()),
        }
    }

    /// Whether something waits, and whether it is enough (or wanted enough) to send now.
    pub fn pending(&self) -> (bool, bool) {
        self.state.lock().map_or((false, false), |state| (!state.waiting.is_empty(), self.due(&state)))
    }

    /// Whether a flush is waiting, so that a retry should not sleep long.
    pub fn hurried(&self) -> bool {
        self.state.lock().is_ok_and(|state| state.flushers > 0 || state.closed)
    }

    /// The oldest waiting items, as many as make a batch.
    pub fn take(self: &Arc<Self>) -> Option<Batch> {
        let mut state = self.state.lock().ok()?;
        let first = state.next_number - state.waiting.len() as u64;
        let (mut items, mut bytes) = (Vec::new(), 0);
        while let Some(item) = state.waiting.front() {
            bytes += item.bytes.len();
            if items.len() >= self.batch_items || (bytes > self.batch_bytes && !items.is_empty()) {
                break;
            }
            items.extend(state.waiting.pop_front());
        }
        if items.is_empty() {
            return None;
        }
        state.on_its_way.insert(first);
        let open = Open { items: items.len() as u64, bytes: items.iter().map(cost).sum() };
        state.waiting_bytes -= open.bytes;
        Some(Batch { queue: Arc::clone(self), first, items, open })
    }

    /// Waits until everything that was accepted before the call is settled.
    ///
    /// # Errors
    /// MPR_ERR_TIMEOUT when the deadline comes first; the data stays queued.
    pub fn flush(&self, deadline: Instant) -> Result<()> {
        let mut state = self.state.lock()?;
        let target = state.next_number;
        state.flushers += 1;
        self.wake.notify_one();
        self.hurry.notify_waiters();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if state.settled_up_to() >= target || left.is_zero() {
                state.flushers -= 1;
                return state.flush_result(target);
            }
            state = self.settled.wait_timeout(state, left)?.0;
        }
    }

    /// The same for a task of the worker, which must not block.
    ///
    /// # Errors
    /// As for [`Queue::flush`].
    pub async fn flushed(&self, limit: Duration) -> Result<()> {
        let target = {
            let mut state = self.state.lock()?;
            state.flushers += 1;
            state.next_number
        };
        self.wake.notify_one();
        self.hurry.notify_waiters();
        let settled = async {
            loop {
                let next = self.settled_task.notified();
                if self.state.lock().map_or(true, |state| state.settled_up_to() >= target) {
                    return;
                }
                next.await;
            }
        };
        let _ = tokio::time::timeout(limit, settled).await;
        let mut state = self.state.lock()?;
        state.flushers -= 1;
        state.flush_result(target)
    }

    /// Refuses what comes from now on; it is counted as dropped by the shutdown.
    pub fn close(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.closed = true;
        }
    }

    /// Gives up what is left, after [`Queue::close`]: counted, not silent. Returns how many items.
    pub fn abandon(&self) -> u64 {
        let Ok(mut state) = self.state.lock() else { return 0 };
        state.waiting.clear();
        state.waiting_bytes = 0;
        state.on_its_way.clear();
        let left = std::mem::take(&mut state.counts.queued);
        state.counts.queued_bytes = 0;
        state.counts.dropped_shutdown += left;
        self.settled.notify_all();
        self.settled_task.notify_waiters();
        left
    }

    /// The counts of one moment; they add up.
    pub fn counts(&self) -> Counts {
        match self.state.lock() {
            Ok(state) => state.counts,
            Err(poisoned) => poisoned.into_inner().counts,
        }
    }

    /// Counts requests and retries.
    pub fn note(&self, change: impl FnOnce(&mut Counts)) {
        if let Ok(mut state) = self.state.lock() {
            change(&mut state.counts);
        }
    }

    fn due(&self, state: &MutexGuard<State>) -> bool {
        state.flushers > 0
            || state.closed
            || state.waiting.len() >= self.batch_items
            || state.waiting_bytes >= self.batch_bytes as u64
    }
}

fn cost(item: &Item) -> u64 {
    (item.bytes.len() + ITEM_OVERHEAD) as u64
}

struct Open {
    items: u64,
    bytes: u64,
}

/// Items on their way. Each is settled once; what is left when the batch is dropped (a panic, a cancelled task) counts
/// as lost inside.
pub struct Batch {
    queue: Arc<Queue>,
    first: u64,
    /// The items, until they are taken out to be sent.
    pub items: Vec<Item>,
    open: Open,
}

impl Batch {
    /// Settles these many of `items` with an outcome and gives back their bytes.
    pub fn settle(&mut self, items: &[Item], refused: u64, outcome: Outcome) {
        let count = items.len() as u64;
        self.settle_count(count, items.iter().map(cost).sum(), refused.min(count), outcome);
    }

    fn settle_count(&mut self, count: u64, bytes: u64, refused: u64, outcome: Outcome) {
        self.open.items = self.open.items.saturating_sub(count);
        self.open.bytes = self.open.bytes.saturating_sub(bytes);
        let Ok(mut state) = self.queue.state.lock() else { return };
        if !state.on_its_way.contains(&self.first) {
            return; // Given up by the shutdown, and counted there.
        }
        let counts = &mut state.counts;
        counts.queued -= count;
        counts.queued_bytes -= bytes;
        counts.dropped_rejected += refused;
        *match outcome {
            Outcome::Exported => &mut counts.exported,
            Outcome::Rejected => &mut counts.dropped_rejected,
            Outcome::TooLarge => &mut counts.dropped_too_large,
            Outcome::Internal => &mut counts.dropped_internal,
        } += count - refused;
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if self.open.items > 0 {
            self.settle_count(self.open.items, self.open.bytes, 0, Outcome::Internal);
        }
        if let Ok(mut state) = self.queue.state.lock() {
            state.on_its_way.remove(&self.first);
            self.queue.settled.notify_all();
            self.queue.settled_task.notify_waiters();
        }
    }
}
