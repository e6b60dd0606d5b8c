//! The spool's thread.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dir::Dir;
use super::format::Kind;
use super::segment::{Batch, Segment};
use super::{Origin, Place, Slot};
use crate::pipeline::otlp::Item;
use crate::pipeline::queue::{Job, Queue, Work};
use crate::process::log::{self, Level};
use crate::process::{clock, os, panics};
use crate::status::{Error, Result, MPR_ERR_IO};
use crate::trace;

/// How often it looks for files of processes that died.
const BETWEEN_SEARCHES: Duration = Duration::from_secs(30);
/// After a failure of the disk, twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// So much is written, or loaded, at once.
const WRITE_BYTES: usize = 1024 * 1024;
const LOAD_BYTES: usize = 256 * 1024;
/// Files that are held at a time.
const MOST_SEGMENTS: usize = 48;
/// How long the platform keeps what is recorded (docs/protocol.md): older items are not sent.
const AGE_CONTINUOUS: u64 = 5 * 60 * 1000;
const AGE: u64 = 3 * 3600 * 1000;

/// Starts the thread. It ends with [`Queue::end_spool`].
///
/// # Errors
/// MPR_ERR_IO when the system gives no thread.
pub fn start(dir: Dir, queue: Arc<Queue>) -> Result<()> {
    let run = move || {
        let spool = || {
            Spool {
                dir,
                queue: &queue,
                segments: Vec::new(),
                active: None,
                serial: 0,
                era: 0,
                search_at: Instant::now(),
                load_at: Instant::now(),
                pause: FIRST_PAUSE,
                paused_until: None,
            }
            .run();
        };
        if panics::contain(spool).is_err() {
            log::write(Level::Error, || "the spool failed inside the library, and is off".into());
        }
        queue.spool_is_over();
    };
    let started = os::without_signals(|| std::thread::Builder::new().name("mpr-spool".into()).spawn(run));
    started.map(drop).map_err(|e| Error::new(MPR_ERR_IO, format!("the spool's thread cannot be started: {e}")))
}

struct Spool<'a> {
    dir: Dir,
    queue: &'a Arc<Queue>,
    segments: Vec<Segment>,
    /// The one that is written to.
    active: Option<u32>,
    serial: u32,
    era: u64,
    search_at: Instant,
    /// No item is loaded before: the last ones found no room.
    load_at: Instant,
    pause: Duration,
    paused_until: Option<Instant>,
}

impl Spool<'_> {
    fn run(mut self) {
        loop {
            let loads = self.segments.iter().any(|segment| !segment.unloaded.is_empty());
            let mut until = self.search_at.min(self.paused_until.unwrap_or(self.search_at));
            let now = Instant::now();
            if loads && now < self.load_at {
                until = until.min(self.load_at);
            }
            let work = self.queue.spool_work(until, loads && now >= self.load_at);
            self.era = work.era;
            let (load, end) = (work.load, work.end);
            self.pass(work);
            if end {
                return self.end();
            }
            if load {
                self.load();
            }
            if Instant::now() >= self.search_at {
                self.search();
            }
            self.tidy();
        }
    }

    fn pass(&mut self, work: Work) {
        if work.erase {
            self.erase();
        }
        if self.paused_until.is_some_and(|until| until <= Instant::now()) {
            self.paused_until = None;
            self.queue.pause_spool(false);
        }
        self.settle(work.settled);
        self.write(work.jobs);
        for place in self.queue.evict() {
            if let Some(segment) = self.segment(place.serial) {
                segment.unloaded.push_back(place.number);
            }
        }
    }

    fn segment(&mut self, serial: u32) -> Option<&mut Segment> {
        self.segments.iter_mut().find(|segment| segment.serial == serial)
    }

    fn settle(&mut self, places: Vec<Place>) {
        let mut numbers: HashMap<u32, Vec<u32>> = HashMap::new();
        places.into_iter().for_each(|place| numbers.entry(place.serial).or_default().push(place.number));
        for (serial, numbers) in numbers {
            let active = self.active == Some(serial);
            let Some(segment) = self.segment(serial) else { continue };
            let mut settled = segment.settle(numbers);
            // At once: what is written next would have the old records look as if they waited.
            if active && segment.waiting == 0 {
                settled = settled.and_then(|()| segment.reset());
            }
            if let Err(e) = settled {
                self.active = self.active.filter(|active| *active != serial);
                self.failed(&e);
                self.pause();
            }
        }
    }

    /// Writes jobs, as long as the disk does.
    fn write(&mut self, mut jobs: Vec<Job>) {
        while !jobs.is_empty() {
            match self.write_some(&jobs) {
                Ok(0) => {
                    if self.paused_until.is_none() {
                        log::write(Level::Warn, || "the spool is full; what comes is kept in memory only".into());
                    }
                    break;
                }
                Ok(count) => drop(jobs.drain(..count)),
                Err(e) => {
                    self.active = None;
                    self.failed(&e);
                    break;
                }
            }
        }
        if !jobs.is_empty() {
            self.pause();
            self.queue.spool_failed(self.era, jobs);
        }
    }

    /// Writes the first jobs: how many. 0 when there is no room.
    fn write_some(&mut self, jobs: &[Job]) -> io::Result<usize> {
        if self.paused_until.is_some() {
            return Ok(0);
        }
        let first = jobs.first().map_or(0, |job| job.bytes.len());
        let (queue, era) = (self.queue, self.era);
        let Some(segment) = self.active_segment(first)? else { return Ok(0) };
        let serial = segment.serial;
        let (mut batch, mut slots, mut count) = (Batch::default(), Vec::new(), 0);
        let dir = self.dir.clone();
        let Some(segment) = self.segment(serial) else { return Ok(0) };
        for job in jobs {
            if job.is_wanted() {
                if batch.len() >= WRITE_BYTES || !segment.has_room(&dir, &batch, job.bytes.len()) {
                    break;
                }
                if segment.put(&mut batch, job) {
                    slots.push(Arc::clone(&job.slot));
                }
            }
            count += 1;
        }
        if batch.len() > 0 {
            if !segment.write(&dir, &batch)? {
                self.active = None;
                return Ok(0);
            }
            let places = batch.numbers.iter().map(|number| Place { serial, number: *number });
            let late = queue.spool_wrote(era, &slots.into_iter().zip(places).collect::<Vec<_>>());
            self.settle(late);
            self.pause = FIRST_PAUSE;
        }
        Ok(count)
    }

    /// The file to write to, with room for so many bytes. None when the spool is full.
    fn active_segment(&mut self, bytes: usize) -> io::Result<Option<&mut Segment>> {
        let dir = self.dir.clone();
        let active = self.active;
        let usable = |segment: &&mut Segment| {
            Some(segment.serial) == active && segment.has_room(&dir, &Batch::default(), bytes) && segment.is_there()
        };
        if self.segments.iter_mut().find(usable).is_none() {
            self.active = None;
            self.tidy();
            if self.segments.len() >= MOST_SEGMENTS {
                return Ok(None);
            }
            self.serial += 1;
            let Some(made) = Segment::create(&dir, self.serial)? else { return Ok(None) };
            self.active = Some(made.serial);
            self.segments.push(made);
        }
        let active = self.active;
        Ok(self.segments.iter_mut().find(|segment| Some(segment.serial) == active))
    }

    /// Brings back items that are in the spool alone, oldest first.
    fn load(&mut self) {
        let now = clock::unix_nanos() / 1_000_000;
        let (mut items, mut bytes) = (Vec::new(), 0);
        let mut stuck = false;
        let queue = self.queue;
        for at in 0..self.segments.len() {
            let Some(segment) = self.segments.get_mut(at) else { break };
            let (mut expired, mut damaged, mut gone) = (0, 0, Vec::new());
            while bytes < LOAD_BYTES && !stuck {
                let Some(number) = segment.unloaded.pop_front() else { break };
                let record = segment.load(number).ok().flatten();
                let Some((head, payload)) = record else {
                    damaged += 1;
                    gone.push(number);
                    continue;
                };
                if is_expired(head.session.kind(), head.time, now) {
                    expired += 1;
                    gone.push(number);
                    continue;
                }
                let envelope = segment.envelope(head.envelope, queue.budget()).ok().flatten();
                let (Some(envelope), Kind::Item(signal)) = (envelope, head.kind) else {
                    damaged += 1;
                    gone.push(number);
                    continue;
                };
                if !envelope.has_room() {
                    segment.unloaded.push_front(number);
                    stuck = true;
                    continue;
                }
                bytes += payload.len() + 256;
                let origin = if segment.taken_over { Origin::TakenOver } else { Origin::Away };
                let slot = Slot::loaded(Place { serial: segment.serial, number }, origin);
                let (session, error) = (head.session, head.error);
                items.push(Item {
                    signal,
                    session,
                    error,
                    envelope,
                    bytes: payload.into(),
                    slot: Some(Arc::new(slot)),
                });
            }
            self.drop_records(at, gone, expired, damaged);
        }
        let left = self.queue.load(self.era, items);
        stuck |= !left.is_empty();
        for place in left.iter().rev().filter_map(|item| item.slot.as_ref()?.place()) {
            if let Some(segment) = self.segment(place.serial) {
                segment.unloaded.push_front(place.number);
            }
        }
        if stuck {
            self.load_at = Instant::now() + Duration::from_millis(200);
        }
    }

    /// Gives up records that are in the spool alone.
    fn drop_records(&mut self, at: usize, gone: Vec<u32>, expired: u64, damaged: u64) {
        let Some(segment) = self.segments.get_mut(at).filter(|_| !gone.is_empty()) else { return };
        let count = gone.len() as u64;
        let own = if segment.taken_over { 0 } else { count };
        let settled = segment.settle(gone);
        self.queue.note_spool(self.era, own, |counts| {
            counts.spooled = counts.spooled.saturating_sub(count);
            counts.dropped_expired += expired;
            counts.dropped_spool += damaged;
        });
        if let Err(e) = settled {
            self.active = None;
            self.failed(&e);
            self.pause();
        }
        let line = |level, what: &str| log::write(level, || format!("{count} items of the spool were dropped: {what}"));
        match damaged {
            0 => line(Level::Warn, "they are older than the platform takes them"),
            _ => line(Level::Error, "they could not be read back, or are too old"),
        }
    }

    /// Takes over what processes that died have left, and gives up what is too old.
    fn search(&mut self) {
        // (In any case: the thread waits until then.)
        self.search_at = Instant::now() + BETWEEN_SEARCHES;
        if self.queue.is_revoked() {
            return;
        }
        let now = clock::unix_nanos() / 1_000_000;
        for at in 0..self.segments.len() {
            let old = |segment: &&mut Segment| is_expired(trace::Kind::None, segment.newest, now);
            let Some(segment) = self.segments.get_mut(at).filter(old) else { continue };
            let gone: Vec<u32> = segment.unloaded.drain(..).collect();
            let count = gone.len() as u64;
            self.drop_records(at, gone, count, 0);
        }
        // An empty one is not kept open for nothing.
        let idle = self.segments.iter().position(|segment| Some(segment.serial) == self.active && segment.is_empty());
        if let Some(idle) = idle {
            self.active = None;
            self.segments.swap_remove(idle).remove();
        }
        let Ok(files) = self.dir.files() else { return };
        for path in files {
            if self.segments.len() >= MOST_SEGMENTS / 2 {
                break;
            }
            if self.segments.iter().any(|segment| segment.is(&path)) {
                continue;
            }
            self.serial += 1;
            match self.dir.take_over(&path, self.serial) {
                Ok(Some(segment)) => {
                    let count = segment.waiting;
                    self.queue.note_spool(self.era, 0, |counts| {
                        counts.accepted += count;
                        counts.recovered += count;
                        counts.spooled += count;
                        counts.spool_damaged += segment.damaged;
                    });
                    log::write(Level::Info, || format!("{count} items of an earlier process were found in the spool"));
                    self.segments.push(segment);
                }
                Ok(None) => {}
                // Removed by its owner.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => log::write(Level::Warn, || format!("a file of the spool cannot be read: {e}")),
            }
        }
    }

    /// Removes files in which nothing waits, and begins the one that is written to anew.
    fn tidy(&mut self) {
        let mut at = 0;
        while let Some(segment) = self.segments.get_mut(at) {
            let done = segment.waiting == 0;
            let active = Some(segment.serial) == self.active;
            if done && !(active && (segment.is_empty() || segment.reset().is_ok())) {
                if active {
                    self.active = None;
                }
                self.segments.swap_remove(at).remove();
                // Room for files that were left over.
                if self.segments.len() + 1 == MOST_SEGMENTS / 2 {
                    self.search_at = Instant::now();
                }
            } else {
                at += 1;
            }
        }
        let bytes = self.segments.iter().map(|segment| segment.length).sum();
        self.queue.note(|counts| counts.spool_bytes = bytes);
    }

    fn failed(&mut self, error: &io::Error) {
        self.queue.note(|counts| counts.spool_failures += 1);
        if self.paused_until.is_some() {
            return; // Told.
        }
        let (dir, pause) = (self.dir.name(), self.pause.as_secs());
        log::write(Level::Warn, || format!("the spool in '{dir}' is off for {pause} s: {error}"));
    }

    /// Writes nothing for a while. Delivery goes on from memory.
    fn pause(&mut self) {
        if self.paused_until.is_none() {
            self.paused_until = Some(Instant::now() + self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            self.queue.pause_spool(true);
        }
    }

    /// Removes every file that is held, and those that processes of this service have left.
    fn erase(&mut self) {
        self.active = None;
        self.segments.drain(..).for_each(Segment::remove);
        for path in self.dir.files().unwrap_or_default() {
            self.serial += 1;
            if let Ok(Some(segment)) = self.dir.take_over(&path, self.serial) {
                segment.remove();
            }
        }
        self.tidy();
        self.queue.spool_is_erased();
    }

    fn end(mut self) {
        // What could not be written before has a last chance.
        if self.paused_until.take().is_some() {
            self.queue.pause_spool(false);
        }
        let mut more = true;
        while more && self.paused_until.is_none() {
            let work = self.queue.spool_work(Instant::now(), false);
            (self.era, more) = (work.era, work.more);
            self.pass(work);
        }
        self.queue.abandon();
        let work = self.queue.spool_work(Instant::now(), false);
        self.settle(work.settled);
        self.active = None;
        self.tidy();
        self.segments.iter().for_each(Segment::sync);
    }
}

fn is_expired(kind: trace::Kind, time: u64, now: u64) -> bool {
    let limit = if kind == trace::Kind::Continuous { AGE_CONTINUOUS } else { AGE };
    now.saturating_sub(time) > limit
}
