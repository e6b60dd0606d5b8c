//! The delivery waist: recorded items in, confirmed requests out, every item accounted for.

mod answer;
mod budget;
mod deliver;
mod json;
pub mod otlp;
mod queue;
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
use crate::status::Result;
use otlp::Item;

/// Where there is no thread to be had it is asked for so often.
const RETRY_MS: u64 = 1_000;

/// One recorder's delivery.
pub struct Pipeline {
    queue: Arc<Queue>,
    config: Arc<Config>,
    http: Arc<Http>,
    worker: Arc<Worker>,
    started: AtomicBool,
    /// When the system gave no thread: when it is asked again, in ms since `made`.
    not_before: AtomicU64,
    made: Instant,
}

impl Pipeline {
    /// Nothing runs until something is recorded.
    pub fn new(config: Arc<Config>, http: Arc<Http>, worker: Arc<Worker>) -> Self {
        let queue = Arc::new(Queue::new(config.queue_max_bytes, config.batch_max_bytes, config.batch_max_items));
        let (started, not_before) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { queue, config, http, worker, started, not_before, made: Instant::now() }
    }

    /// Takes items in and returns at once.
    ///
    /// # Errors
    /// MPR_ERR_QUEUE_FULL when one of them found no room.
    pub fn push(&self, items: impl IntoIterator<Item = Item>) -> Result<()> {
        let pushed = self.queue.push(items);
        if !self.started.load(Ordering::Relaxed) && self.elapsed() >= self.not_before.load(Ordering::Relaxed) {
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

    /// Delivers what it can until the deadline, and counts the rest as dropped: how many.
    pub fn close(&self, deadline: Instant) -> u64 {
        self.start_if_needed();
        self.queue.close();
        let _ = self.queue.flush(deadline);
        self.queue.abandon()
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

    /// Somebody waits for what the system may have had no thread for.
    fn start_if_needed(&self) {
        if !self.started.load(Ordering::Relaxed) && self.counts().queued > 0 {
            self.start();
        }
    }

    /// The delivery starts with the first item. Where the system gives no thread it is tried again, with an item a second later, or
    /// when somebody waits.
    fn start(&self) {
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
