//! The queue as the spool's thread sees it: what is to be written, what is settled, what there is room for.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{cost, Counts, Queue, State, SIGNALS};
use crate::pipeline::otlp::{Envelope, Item, Signal};
use crate::pipeline::spool::{Origin, Place, Slot};
use crate::process::clock;
use crate::trace::SessionPrefix;

/// How long an item may wait for company before it is written: what a crash costs.
const INTERVAL: Duration = Duration::from_millis(50);
/// So much is written at once.
const ENOUGH_BYTES: usize = 1024 * 1024;
/// More than this does not wait to be written: the disk does not keep up.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// How full memory is (in quarters) when items are left to the spool alone, how full it may be with those that come back.
const EVICT_ABOVE: f64 = 3.0;
const LOAD_BELOW: f64 = 2.0;

/// An item that is to be written.
pub struct Job {
    /// What tells where it stands, and whether it is settled meanwhile.
    pub slot: Arc<Slot>,
    /// Traces or logs.
    pub signal: Signal,
    /// Its session.
    pub session: SessionPrefix,
    /// A span that ended in error.
    pub error: bool,
    /// Resource and scope.
    pub envelope: Arc<Envelope>,
    /// The encoded item.
    pub bytes: Bytes,
    /// Milliseconds since 1970.
    pub time: u64,
}

impl Job {
    /// Whether the item is not settled. (The usual case, where the receiver answers at once, is that it is.)
    pub fn is_wanted(&self) -> bool {
        Arc::strong_count(&self.slot) > 1
    }
}

/// What waits for the spool's thread.
#[derive(Default)]
pub struct Inbox {
    jobs: Vec<Job>,
    job_bytes: usize,
    first_job: Option<Instant>,
    pub(super) settled: Vec<Place>,
    /// Items wait in the queue that are no jobs.
    missed: bool,
    /// Nothing is written now.
    paused: bool,
    hurry: bool,
    end: bool,
    erase: bool,
    erasing: bool,
    over: bool,
}

/// Where the newest waiting item stands in the spool, if it does.
fn newest(state: &mut State, signal: Signal) -> Option<Place> {
    state.line(signal).waiting.back()?.slot.as_ref()?.place()
}

impl Inbox {
    /// Has an item written. Whether the thread has to be woken.
    pub(super) fn offer(&mut self, item: &mut Item) -> bool {
        if self.over || self.job_bytes > MOST_BYTES {
            self.missed = true;
            return false;
        }
        let slot = item.slot.insert(Arc::default());
        self.jobs.push(Job {
            slot: Arc::clone(slot),
            signal: item.signal,
            session: item.session,
            error: item.error,
            envelope: Arc::clone(&item.envelope),
            bytes: item.bytes.clone(),
            time: clock::unix_nanos() / 1_000_000,
        });
        let before = self.job_bytes;
        self.job_bytes += item.bytes.len() + 1;
        if self.first_job.is_none() {
            self.first_job = Some(Instant::now());
        }
        !self.paused && (before == 0 || (before < ENOUGH_BYTES && self.job_bytes >= ENOUGH_BYTES))
    }

    /// When jobs have to be done at the latest.
    fn due_at(&self) -> Option<Instant> {
        self.first_job.filter(|_| !self.paused).map(|first| first + INTERVAL)
    }

    fn due(&self, now: Instant, pressed: bool) -> bool {
        let jobs = self.hurry || pressed || self.job_bytes >= ENOUGH_BYTES || self.due_at().is_some_and(|at| at <= now);
        let ordered = self.end || self.erase;
        ordered || !self.settled.is_empty() || (jobs && !self.jobs.is_empty() && !self.paused)
    }

    /// The jobs, none during a pause.
    fn take_jobs(&mut self) -> Vec<Job> {
        if self.paused {
            // What is settled meanwhile takes no memory.
            self.jobs.retain(Job::is_wanted);
            self.job_bytes = self.jobs.iter().map(|job| job.bytes.len() + 1).sum();
            return Vec::new();
        }
        self.hurry = false;
        self.first_job = None;
        self.job_bytes = 0;
        std::mem::take(&mut self.jobs)
    }
}

/// What the spool's thread has to do.
#[derive(Default)]
pub struct Work {
    /// To be written.
    pub jobs: Vec<Job>,
    /// To be marked as settled.
    pub settled: Vec<Place>,
    /// There is room for items that are in the spool alone.
    pub load: bool,
    /// Consent was taken back.
    pub erase: bool,
    /// The recorder ends.
    pub end: bool,
    /// There were too many jobs for one piece of work.
    pub more: bool,
    /// Of which era all of this is.
    pub era: u64,
}

impl Queue {
    /// Waits for work, until `until` at most. `loads`: there are items to be loaded.
    pub fn spool_work(&self, until: Instant, loads: bool) -> Work {
        let over = Work { end: true, ..Work::default() };
        let Ok(mut state) = self.state.lock() else { return over };
        loop {
            self.collect_missed(&mut state);
            let load = loads && self.may_load(&state);
            let evict = self.over_pressure() && SIGNALS.iter().any(|signal| newest(&mut state, *signal).is_some());
            let era = state.era;
            let Some(inbox) = &mut state.inbox else { return over };
            let now = Instant::now();
            if load || evict || now >= until || inbox.due(now, self.over_pressure()) {
                return Work {
                    jobs: inbox.take_jobs(),
                    settled: std::mem::take(&mut inbox.settled),
                    load,
                    erase: std::mem::take(&mut inbox.erase),
                    end: inbox.end,
                    more: inbox.missed,
                    era,
                };
            }
            let until = inbox.due_at().map_or(until, |at| until.min(at));
            match self.spool_wake.wait_timeout(state, until.saturating_duration_since(now)) {
                Ok((woken, _)) => state = woken,
                Err(_) => return over,
            }
        }
    }

    /// Makes jobs of items that could not be any when they came.
    fn collect_missed(&self, state: &mut State) {
        let Some(mut inbox) = state.inbox.take_if(|inbox| inbox.missed && !inbox.paused && inbox.jobs.is_empty())
        else {
            return;
        };
        inbox.missed = false;
        for signal in SIGNALS {
            for item in state.line(signal).waiting.iter_mut().filter(|item| item.slot.is_none()) {
                inbox.offer(item);
            }
        }
        state.inbox = Some(inbox);
    }

    /// Memory is nearly used up.
    pub(super) fn over_pressure(&self) -> bool {
        self.budget.quarters_used() > EVICT_ABOVE
    }

    fn may_load(&self, state: &State) -> bool {
        // (Also while a shutdown delivers what it can.)
        state.inbox.as_ref().is_some_and(|inbox| !inbox.end) && self.budget.quarters_used() < LOAD_BELOW
    }

    pub(super) fn hurry_spool(&self, state: &mut State) {
        if let Some(inbox) = &mut state.inbox {
            inbox.hurry = true;
            self.spool_wake.notify_one();
        }
    }

    /// Items were written. Returns the places of those that are settled meanwhile.
    pub fn spool_wrote(&self, era: u64, written: &[(Arc<Slot>, Place)]) -> Vec<Place> {
        let all = || written.iter().map(|(_, place)| *place).collect();
        let Ok(mut state) = self.state.lock() else { return all() };
        if state.era != era {
            return all();
        }
        let late: Vec<_> = written.iter().filter(|(slot, place)| !slot.put(*place)).map(|(_, place)| *place).collect();
        state.written += (written.len() - late.len()) as u64;
        state.counts.spool_written += written.len() as u64;
        late
    }

    /// Nothing is written for a while, and what comes is to be collected later.
    pub fn pause_spool(&self, paused: bool) {
        if let Ok(mut state) = self.state.lock() {
            if let Some(inbox) = &mut state.inbox {
                inbox.paused = paused;
            }
        }
    }

    /// These jobs were not done, and wait for another time.
    pub fn spool_failed(&self, era: u64, mut jobs: Vec<Job>) {
        let Ok(mut state) = self.state.lock() else { return };
        if state.era != era {
            return;
        }
        if let Some(inbox) = &mut state.inbox {
            inbox.job_bytes += jobs.iter().map(|job| job.bytes.len() + 1).sum::<usize>();
            jobs.append(&mut inbox.jobs);
            inbox.jobs = jobs;
            inbox.first_job = Some(Instant::now());
        }
    }

    /// Leaves the newest items to the spool alone when memory is nearly used up: their places, oldest first.
    pub fn evict(&self) -> Vec<Place> {
        let mut places = Vec::new();
        let Ok(mut state) = self.state.lock() else { return places };
        if !self.over_pressure() {
            return places;
        }
        for signal in SIGNALS {
            while self.budget.quarters_used() > LOAD_BELOW {
                let Some(place) = newest(&mut state, signal) else { break };
                let line = state.line(signal);
                let Some(item) = line.waiting.pop_back() else { break };
                let cost = cost(&item);
                line.waiting_bytes -= cost;
                state.counts.queued_bytes -= cost;
                state.counts.queued -= 1;
                state.counts.spooled += 1;
                state.written -= 1;
                state.away += u64::from(item.slot.is_some_and(|slot| slot.origin() == Origin::New));
                self.budget.give(cost);
                places.push(place);
            }
        }
        places.reverse();
        places
    }

    /// Items that were in the spool alone come back. Returns those that find no room.
    pub fn load(&self, era: u64, items: Vec<Item>) -> Vec<Item> {
        let Ok(mut state) = self.state.lock() else { return items };
        if state.era != era {
            return Vec::new();
        }
        let ends = state.inbox.as_ref().is_none_or(|inbox| inbox.end);
        let mut rest = Vec::new();
        for item in items {
            let cost = cost(&item);
            // (What would be left to the spool again at once stays there.)
            let pressed = state.counts.queued > 0 && self.budget.quarters_with(cost) > EVICT_ABOVE;
            if ends || pressed || !rest.is_empty() || !self.budget.take(cost) {
                rest.push(item);
                continue;
            }
            state.counts.spooled -= 1;
            state.counts.queued += 1;
            state.counts.queued_bytes += cost;
            state.written += 1;
            let line = state.line(item.signal);
            line.waiting_bytes += cost;
            line.next_number += 1;
            line.waiting.push_back(item);
        }
        drop(state);
        SIGNALS.into_iter().for_each(|signal| self.wake(signal).notify_one());
        rest
    }

    /// Changes the counts of items that are in the spool alone: found there, or gone. `own` of the gone ones were this
    /// recorder's.
    pub fn note_spool(&self, era: u64, own: u64, change: impl FnOnce(&mut Counts)) {
        let Ok(mut state) = self.state.lock() else { return };
        if state.era == era {
            state.away = state.away.saturating_sub(own);
            change(&mut state.counts);
            self.settled.notify_all();
            self.settled_task.notify_waiters();
        }
    }

    /// Has the spool's thread write what is left and end. Waits until it has, or until the deadline.
    pub fn end_spool(&self, deadline: Instant) {
        if let Ok(mut state) = self.state.lock() {
            if let Some(inbox) = &mut state.inbox {
                inbox.end = true;
                self.spool_wake.notify_one();
            }
        }
        self.wait_for_spool(deadline, |inbox| inbox.over);
    }

    /// The spool's thread is at its end.
    pub fn spool_is_over(&self) {
        self.tell_spool(|inbox| inbox.over = true);
    }

    /// The spool is erased.
    pub fn spool_is_erased(&self) {
        self.tell_spool(|inbox| inbox.erasing = false);
    }

    fn tell_spool(&self, change: impl FnOnce(&mut Inbox)) {
        if let Ok(mut state) = self.state.lock() {
            state.inbox.as_mut().map(change);
            self.settled.notify_all();
        }
    }

    /// Waits until the spool is erased. False when the deadline comes first.
    pub fn wait_for_erasure(&self, deadline: Instant) -> bool {
        self.wait_for_spool(deadline, |inbox| inbox.over || !inbox.erasing)
    }

    fn wait_for_spool(&self, deadline: Instant, done: impl Fn(&Inbox) -> bool) -> bool {
        let Ok(mut state) = self.state.lock() else { return false };
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if state.inbox.as_ref().is_none_or(&done) || left.is_zero() {
                return state.inbox.as_ref().is_none_or(&done);
            }
            match self.settled.wait_timeout(state, left) {
                Ok((woken, _)) => state = woken,
                Err(_) => return false,
            }
        }
    }

    /// Whether consent was taken back. One atomic load.
    pub fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Relaxed)
    }

    /// For the queue of a forked child.
    pub fn inherit_revoked(&self, revoked: bool) {
        self.revoked.store(revoked, Ordering::Relaxed);
    }

    /// Takes items again.
    pub fn give_consent(&self) {
        if let Ok(_state) = self.state.lock() {
            self.revoked.store(false, Ordering::Relaxed);
        }
    }

    /// Forgets everything, counted, and takes nothing more.
    pub fn revoke_consent(&self) {
        let Ok(mut state) = self.state.lock() else { return };
        self.revoked.store(true, Ordering::Relaxed);
        state.era += 1;
        state.written = 0;
        let gone = self.clear(&mut state) + std::mem::take(&mut state.counts.spooled);
        state.counts.dropped_consent += gone;
        if let Some(inbox) = &mut state.inbox {
            inbox.jobs.clear();
            inbox.settled.clear();
            inbox.job_bytes = 0;
            inbox.first_job = None;
            inbox.missed = false;
            inbox.erase = true;
            inbox.erasing = true;
        }
        drop(state);
        self.spool_wake.notify_one();
        self.cut.notify_waiters();
    }
}
