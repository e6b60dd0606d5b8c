//! The delivery waist: recorded items in, confirmed requests out, every item accounted for.

mod answer;
mod budget;
mod deliver;
mod json;
pub mod otlp;
mod queue;
pub mod spool;
mod transport;
mod wire;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use budget::{Budget, Open};
pub use queue::{Counts, Queue};

use crate::config::Config;
use crate::http::Http;
use crate::process::log::{self, Level};
use crate::process::worker::Worker;
use crate::status::{Error, Result, MPR_ERR_IO, MPR_ERR_TIMEOUT};
use otlp::Item;

/// What of a shutdown's time is kept for the spool, at most and at least.
const SPOOL_TIME: Duration = Duration::from_millis(500);
const SHORTEST_SPOOL_TIME: Duration = Duration::from_millis(50);
/// How long taking consent back waits for the disk.
const ERASURE_TIME: Duration = Duration::from_secs(5);
/// Where there is no thread to be had it is asked for so often.
const RETRY_MS: u64 = 1_000;

/// One recorder's delivery.
pub struct Pipeline {
    queue: Arc<Queue>,
    config: Arc<Config>,
    http: Arc<Http>,
    worker: Arc<Worker>,
    started: AtomicBool,
    spool: Option<spool::Dir>,
    spool_started: AtomicBool,
    /// When the system gave no thread: when it is asked again, in ms since `made`.
    not_before: AtomicU64,
    made: Instant,
}

impl Pipeline {
    /// Nothing runs until something is recorded.
    pub fn new(config: Arc<Config>, http: Arc<Http>, worker: Arc<Worker>) -> Self {
        let spool = spool::Dir::new(&config);
        let (max, batch) = (config.queue_max_bytes, config.batch_max_bytes);
        let queue = Arc::new(Queue::new(max, batch, config.batch_max_items, spool.is_some()));
        let (started, spool_started) = (AtomicBool::new(false), AtomicBool::new(false));
        let not_before = AtomicU64::new(0);
        Self { queue, config, http, worker, started, spool, spool_started, not_before, made: Instant::now() }
    }

    /// Checks the spool's directory, and starts when an earlier process has left something there.
    ///
    /// # Errors
    /// MPR_ERR_IO for a directory that cannot be used.
    pub fn open_spool(&self) -> Result<()> {
        let Some(spool) = &self.spool else { return Ok(()) };
        let unusable = |e| Error::new(MPR_ERR_IO, format!("spool_dir: '{}' cannot be used: {e}", spool.name()));
        spool.check().map_err(unusable)?;
        if spool.has_left() {
            self.start();
        }
        Ok(())
    }

    /// Takes items in and returns at once.
    ///
    /// # Errors
    /// MPR_ERR_QUEUE_FULL when one of them found no room.
    pub fn push(&self, items: impl IntoIterator<Item = Item>) -> Result<()> {
        let pushed = self.queue.push(items);
        if !self.is_started() && self.elapsed() >= self.not_before.load(Ordering::Relaxed) {
            self.start();
        }
        pushed
    }

    /// What recorded data may take.
    pub fn budget(&self) -> &Arc<Budget> {
        self.queue.budget()
    }

    /// Counts a span for which there was no room when it began.
    pub fn refuse_one(&self) {
        self.queue.refuse_one();
    }

    /// Waits until everything recorded before the call is delivered or refused for good.
    ///
    /// # Errors
    /// MPR_ERR_TIMEOUT; what is left stays queued.
    pub fn flush(&self, deadline: Instant) -> Result<()> {
        self.start_if_needed();
        self.queue.flush(deadline)
    }

    /// [`Pipeline::flush`] for the worker's own tasks, which must not block its thread.
    ///
    /// # Errors
    /// MPR_ERR_TIMEOUT; what is left stays queued.
    pub async fn flushed(&self, limit: Duration) -> Result<()> {
        self.queue.flushed(limit).await
    }

    /// Delivers what it can until the deadline. The rest stays in the spool, or is counted as dropped: how many.
    pub fn close(&self, deadline: Instant) -> u64 {
        self.start_if_needed();
        self.queue.close();
        if !self.spool_started.load(Ordering::Acquire) {
            let _ = self.queue.flush(deadline);
            return self.queue.abandon();
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let _ = self.queue.flush(deadline - (left / 4).min(SPOOL_TIME));
        self.queue.end_spool(deadline.max(Instant::now() + SHORTEST_SPOOL_TIME));
        self.queue.abandon()
    }

    /// Whether consent was taken back. One atomic load.
    pub fn is_revoked(&self) -> bool {
        self.queue.is_revoked()
    }

    /// Consent is given again, or, in a forked child, still missing.
    pub fn inherit_revoked(&self, revoked: bool) {
        self.queue.inherit_revoked(revoked);
    }

    /// Forgets what is not delivered, counted, and takes nothing more. The files of the spool are removed when it returns.
    ///
    /// # Errors
    /// MPR_ERR_TIMEOUT when the disk does not answer; MPR_ERR_IO when the system gives no thread.
    pub fn revoke(&self) -> Result<()> {
        self.queue.revoke_consent();
        let Some(spool) = &self.spool else { return Ok(()) };
        self.start_spool(spool)?;
        match self.queue.wait_for_erasure(Instant::now() + ERASURE_TIME) {
            true => Ok(()),
            false => Err(Error::new(MPR_ERR_TIMEOUT, "the disk does not answer; the spool is erased when it does")),
        }
    }

    fn start_spool(&self, spool: &spool::Dir) -> Result<()> {
        if self.spool_started.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let started = spool::start(spool.clone(), Arc::clone(&self.queue));
        if started.is_err() {
            self.spool_started.store(false, Ordering::Release);
        }
        started
    }

    /// The queue, which outlives the rest to count what comes too late.
    pub fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }

    /// Where every item is.
    pub fn counts(&self) -> Counts {
        self.queue.counts()
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_started(&self) -> bool {
        let spool = self.spool.is_none() || self.spool_started.load(Ordering::Relaxed);
        spool && self.started.load(Ordering::Relaxed)
    }

    /// Somebody waits for what the system may have had no thread for.
    fn start_if_needed(&self) {
        if !self.is_started() && self.counts().queued > 0 {
            self.start();
        }
    }

    /// The delivery starts with the first item. Where the system gives no thread it is tried again, with an item a second later, or
    /// when somebody waits.
    fn start(&self) {
        if let Some(Err(e)) = self.spool.as_ref().map(|spool| self.start_spool(spool)) {
            self.not_before.store(self.elapsed().saturating_add(RETRY_MS), Ordering::Relaxed);
            log::write(Level::Error, || e.to_string());
        }
        if self.started.swap(true, Ordering::AcqRel) {
            return;
        }
        let (queue, config, http) = (Arc::clone(&self.queue), Arc::clone(&self.config), Arc::clone(&self.http));
        let started = self.worker.spawn(deliver::run(queue, config, http));
        if let Err(e) = started {
            self.not_before.store(self.elapsed().saturating_add(RETRY_MS), Ordering::Relaxed);
            self.started.store(false, Ordering::Release);
            log::write(Level::Error, || e.to_string());
        }
    }
}
