//! What is recorded and not yet delivered: bounded in bytes, with the counts that account for every item.

mod spooled;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::budget::Budget;
use super::otlp::{Item, Signal, SIGNALS};
use super::spool::{Origin, Slot};
use crate::status::{Error, Result, MPR_ERR_QUEUE_FULL, MPR_ERR_TIMEOUT};

use spooled::Inbox;
pub use spooled::{Job, Work};

/// What an item costs beside its bytes: the entry itself.
const ITEM_OVERHEAD: usize = 128;

/// Where every item that ever came in is now: accepted = exported + the dropped ones + queued + spooled.
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
    /// Bytes that wait or are on their way, with the resources that they share.
    pub queued_bytes: u64,
    /// Requests answered with success.
    pub requests: u64,
    /// Attempts that failed and were made again.
    pub retries: u64,
    /// Own spans between begin and end.
    pub open_spans: u64,
    /// Bytes of those.
    pub open_bytes: u64,
    /// In the spool alone.
    pub spooled: u64,
    /// Of an earlier process, found in the spool. Part of `accepted`.
    pub recovered: u64,
    /// Older than the platform keeps them.
    pub dropped_expired: u64,
    /// Consent was taken back.
    pub dropped_consent: u64,
    /// Were in the spool alone, and could not be read back.
    pub dropped_spool: u64,
    /// Bytes of this recorder's files in the spool.
    pub spool_bytes: u64,
    /// Items written to the spool.
    pub spool_written: u64,
    /// Damaged places in the files of earlier processes.
    pub spool_damaged: u64,
    /// Times that the disk failed.
    pub spool_failures: u64,
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

/// The items of one signal: a receiver that fails for one of them does not hold up the other.
#[derive(Default)]
struct Line {
    waiting: VecDeque<Item>,
    waiting_bytes: u64,
    next_number: u64,
    /// First item number of every batch on its way.
    on_its_way: BTreeSet<u64>,
}

impl Line {
    /// All items with a smaller number are settled.
    fn settled_up_to(&self) -> u64 {
        let oldest_waiting = self.next_number - self.waiting.len() as u64;
        self.on_its_way.first().map_or(oldest_waiting, |first| oldest_waiting.min(*first))
    }
}

#[derive(Default)]
struct State {
    traces: Line,
    logs: Line,
    counts: Counts,
    flushers: usize,
    closed: bool,
    /// What the shutdown gave up, but for what is in the spool.
    given_up: u64,
    /// With a spool.
    inbox: Option<Inbox>,
    /// Items that wait or are on their way, and are written in the spool.
    written: u64,
    /// Own items that were, or are, in the spool alone, and are not settled.
    away: u64,
    /// Counts what makes all that was before worthless: consent taken back.
    era: u64,
}

impl State {
    fn line(&mut self, signal: Signal) -> &mut Line {
        match signal {
            Signal::Traces => &mut self.traces,
            Signal::Logs => &mut self.logs,
        }
    }

    /// Where a flush that begins now ends.
    fn target(&self) -> Target {
        Target { traces: self.traces.next_number, logs: self.logs.next_number }
    }

    fn reached(&self, target: Target) -> bool {
        self.away == 0 && self.traces.settled_up_to() >= target.traces && self.logs.settled_up_to() >= target.logs
    }

    fn flush_result(&self, target: Target) -> Result<()> {
        if self.reached(target) {
            return Ok(());
        }
        let left = self.counts.queued + self.counts.spooled;
        Err(Error::new(MPR_ERR_TIMEOUT, format!("{left} items are not delivered yet")))
    }

    /// An item needs its record in the spool no longer.
    fn release(&mut self, slot: &Slot) {
        let Some(place) = slot.done() else { return };
        self.away -= u64::from(slot.origin() == Origin::Away);
        if let (Some(place), Some(inbox)) = (place, &mut self.inbox) {
            self.written -= 1;
            inbox.settled.push(place);
        }
    }
}

#[derive(Clone, Copy)]
struct Target {
    traces: u64,
    logs: u64,
}

/// See the module.
pub struct Queue {
    state: Mutex<State>,
    settled: Condvar,
    settled_task: Notify,
    /// Ends the pauses between retries: somebody waits in a flush, or for the exit.
    pub hurry: Notify,
    wake_traces: Notify,
    wake_logs: Notify,
    budget: Arc<Budget>,
    batch_bytes: usize,
    batch_items: usize,
    revoked: AtomicBool,
    /// Ends what is on its way.
    pub cut: Arc<Notify>,
    spool_wake: Condvar,
}

impl Queue {
    /// An empty queue with these bounds, with or without a spool behind it.
    pub fn new(max_bytes: usize, batch_bytes: usize, batch_items: usize, spool: bool) -> Self {
        Self {
            state: Mutex::new(State { inbox: spool.then(Inbox::default), ..State::default() }),
            revoked: AtomicBool::new(false),
            cut: Arc::default(),
            spool_wake: Condvar::new(),
            settled: Condvar::new(),
            settled_task: Notify::new(),
            hurry: Notify::new(),
            wake_traces: Notify::new(),
            wake_logs: Notify::new(),
            budget: Arc::new(Budget::new(max_bytes)),
            // What is on its way cannot be left to the spool: together it is half of the memory at most.
            batch_bytes: if spool { batch_bytes.min(max_bytes / 16) } else { batch_bytes },
            batch_items,
        }
    }

    /// Takes items in, each as a whole or not at all.
    ///
    /// # Errors
    /// MPR_ERR_QUEUE_FULL when one of them found no room; it is counted.
    pub fn push(&self, items: impl IntoIterator<Item = Item>) -> Result<()> {
        let mut state = self.state.lock()?;
        let before = SIGNALS.map(|signal| self.look(&mut state, signal));
        let (mut full, mut wake_spool) = (false, false);
        for mut item in items {
            state.counts.accepted += 1;
            let cost = cost(&item);
            if self.is_revoked() {
                state.counts.dropped_consent += 1;
            } else if state.closed {
                state.counts.dropped_shutdown += 1;
            } else if !item.envelope.has_room() || !self.budget.take(cost) {
                state.counts.dropped_queue_full += 1;
                full = true;
            } else {
                state.counts.queued_bytes += cost;
                state.counts.queued += 1;
                if let Some(inbox) = &mut state.inbox {
                    wake_spool |= inbox.offer(&mut item);
                }
                let line = state.line(item.signal);
                line.waiting_bytes += cost;
                line.next_number += 1;
                line.waiting.push_back(item);
            }
        }
        let after = SIGNALS.map(|signal| self.look(&mut state, signal));
        wake_spool |= state.inbox.is_some() && self.over_pressure();
        drop(state);
        if wake_spool {
            self.spool_wake.notify_one();
        }
        for (signal, (before, after)) in SIGNALS.into_iter().zip(before.into_iter().zip(after)) {
            if before != after {
                self.wake(signal).notify_one();
            }
        }
        match full {
            true => Err(Error::new(MPR_ERR_QUEUE_FULL, "queue_max_bytes is used up by data that waits for delivery")),
            false => Ok(()),
        }
    }

    /// What recorded data may take.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Counts a span for which there was no room when it began.
    pub fn refuse_one(&self) {
        self.note(|counts| {
            counts.accepted += 1;
            counts.dropped_queue_full += 1;
        });
    }

    /// Wakes the delivery of a signal: the first item after none, a full batch, a flush.
    pub fn wake(&self, signal: Signal) -> &Notify {
        match signal {
            Signal::Traces => &self.wake_traces,
            Signal::Logs => &self.wake_logs,
        }
    }

    fn hurry_up(&self) {
        SIGNALS.into_iter().for_each(|signal| self.wake(signal).notify_one());
        self.hurry.notify_waiters();
    }

    /// Whether something of a signal waits, and whether it is enough (or wanted enough) to send now.
    pub fn pending(&self, signal: Signal) -> (bool, bool) {
        self.state.lock().map_or((false, false), |mut state| self.look(&mut state, signal))
    }

    fn look(&self, state: &mut State, signal: Signal) -> (bool, bool) {
        let wanted = state.flushers > 0 || state.closed;
        let line = state.line(signal);
        let full = line.waiting.len() >= self.batch_items || line.waiting_bytes >= self.batch_bytes as u64;
        (!line.waiting.is_empty(), wanted || full)
    }

    /// Whether a flush is waiting, so that a retry should not sleep long.
    pub fn hurried(&self) -> bool {
        self.state.lock().is_ok_and(|state| state.flushers > 0 || state.closed)
    }

    /// The oldest waiting items of a signal, as many as make a batch.
    pub fn take(self: &Arc<Self>, signal: Signal) -> Option<Batch> {
        let mut state = self.state.lock().ok()?;
        let line = state.line(signal);
        let first = line.next_number - line.waiting.len() as u64;
        let (mut items, mut bytes) = (Vec::new(), 0);
        let mut envelopes = HashSet::new();
        let mut last = std::ptr::null();
        while let Some(item) = line.waiting.front() {
            bytes += item.bytes.len();
            let envelope = Arc::as_ptr(&item.envelope);
            // Most items have that of the one before.
            if envelope != last && envelopes.insert(envelope) {
                bytes += item.envelope.size();
            }
            last = envelope;
            if items.len() >= self.batch_items || (bytes > self.batch_bytes && !items.is_empty()) {
                break;
            }
            items.extend(line.waiting.pop_front());
        }
        if items.is_empty() {
            return None;
        }
        line.on_its_way.insert(first);
        let slots = items.iter().filter_map(|item| item.slot.clone()).collect();
        let open = Open { items: items.len() as u64, bytes: items.iter().map(cost).sum() };
        line.waiting_bytes -= open.bytes;
        Some(Batch { queue: Arc::clone(self), signal, first, items, open, slots })
    }

    /// Waits until everything that was accepted before the call is settled.
    ///
    /// # Errors
    /// MPR_ERR_TIMEOUT when the deadline comes first; the data stays queued.
    pub fn flush(&self, deadline: Instant) -> Result<()> {
        let mut state = self.state.lock()?;
        let target = state.target();
        state.flushers += 1;
        self.hurry_spool(&mut state);
        self.hurry_up();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if state.reached(target) || left.is_zero() {
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
            self.hurry_spool(&mut state);
            state.target()
        };
        self.hurry_up();
        let settled = async {
            loop {
                let next = self.settled_task.notified();
                if self.state.lock().map_or(true, |state| state.reached(target)) {
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

    /// Gives up what is left, after [`Queue::close`]: counted, not silent. What is written in the spool stays there. Returns
    /// how many items are lost.
    pub fn abandon(&self) -> u64 {
        let Ok(mut state) = self.state.lock() else { return 0 };
        let (left, kept) = (self.clear(&mut state), std::mem::take(&mut state.written));
        let lost = left.saturating_sub(kept);
        state.counts.spooled += left - lost;
        state.counts.dropped_shutdown += lost;
        state.given_up += lost;
        state.given_up
    }

    /// Forgets all items that wait or are on their way: how many.
    fn clear(&self, state: &mut State) -> u64 {
        for signal in SIGNALS {
            let line = state.line(signal);
            line.waiting.clear();
            line.waiting_bytes = 0;
            line.on_its_way.clear();
        }
        state.away = 0;
        self.budget.give(std::mem::take(&mut state.counts.queued_bytes));
        self.settled.notify_all();
        self.settled_task.notify_waiters();
        std::mem::take(&mut state.counts.queued)
    }

    /// The counts of one moment; they add up.
    pub fn counts(&self) -> Counts {
        let mut counts = self.state.lock().map_or_else(|poisoned| poisoned.into_inner().counts, |state| state.counts);
        counts.queued_bytes += self.budget.shared();
        (counts.open_spans, counts.open_bytes) = self.budget.open();
        counts
    }

    /// Counts requests and retries.
    pub fn note(&self, change: impl FnOnce(&mut Counts)) {
        if let Ok(mut state) = self.state.lock() {
            change(&mut state.counts);
        }
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
    signal: Signal,
    first: u64,
    /// The items, until they are taken out to be sent.
    pub items: Vec<Item>,
    open: Open,
    slots: Vec<Arc<Slot>>,
}

impl Batch {
    /// Settles these many of `items` with an outcome and gives back their bytes.
    pub fn settle(&mut self, items: &[Item], refused: u64, outcome: Outcome) {
        let count = items.len() as u64;
        let slots = items.iter().filter_map(|item| item.slot.as_deref());
        self.settle_count(count, items.iter().map(cost).sum(), refused.min(count), outcome, slots);
    }

    fn settle_count<'a>(
        &mut self,
        count: u64,
        bytes: u64,
        refused: u64,
        outcome: Outcome,
        slots: impl Iterator<Item = &'a Slot>,
    ) {
        self.open.items = self.open.items.saturating_sub(count);
        self.open.bytes = self.open.bytes.saturating_sub(bytes);
        let Ok(mut state) = self.queue.state.lock() else { return };
        if !state.line(self.signal).on_its_way.contains(&self.first) {
            return; // Given up by the shutdown, and counted there.
        }
        let counts = &mut state.counts;
        counts.queued -= count;
        counts.queued_bytes -= bytes;
        self.queue.budget.give(bytes);
        counts.dropped_rejected += refused;
        *match outcome {
            Outcome::Exported => &mut counts.exported,
            Outcome::Rejected => &mut counts.dropped_rejected,
            Outcome::TooLarge => &mut counts.dropped_too_large,
            Outcome::Internal => &mut counts.dropped_internal,
        } += count - refused;
        slots.for_each(|slot| state.release(slot));
        if state.inbox.is_some() {
            self.queue.spool_wake.notify_one();
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if self.open.items > 0 {
            let slots = std::mem::take(&mut self.slots);
            // Also in the spool: what broke this process must not break the next one.
            self.settle_count(self.open.items, self.open.bytes, 0, Outcome::Internal, slots.iter().map(Arc::as_ref));
        }
        if let Ok(mut state) = self.queue.state.lock() {
            state.line(self.signal).on_its_way.remove(&self.first);
            self.queue.settled.notify_all();
            self.queue.settled_task.notify_waiters();
        }
    }
}
