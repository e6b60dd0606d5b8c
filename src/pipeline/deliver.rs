//! From the queue to the receiver: batches, retries with backoff, every item settled once.

use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use rand::Rng;
use tokio::sync::Semaphore;

use super::answer::Answer;
use super::otlp::{Item, Signal, SIGNALS};
use super::queue::{Batch, Outcome, Queue};
use super::transport::Transport;
use crate::config::Config;
use crate::http::Http;
use crate::process::log::{self, Level};
use crate::process::panics;
use crate::trace::Kind;

/// Requests of a signal on their way at a time: one that hangs does not delay the others.
const CONCURRENT_REQUESTS: usize = 4;
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(16);
/// While somebody waits in a flush, or for the exit.
const HURRIED_BACKOFF: Duration = Duration::from_millis(200);
/// After a defect of the library.
const PAUSE_AFTER_PANIC: Duration = Duration::from_secs(1);
/// An outage is told of this often. (Each attempt is, at the level debug; the numbers are in the stats.)
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Delivers until the worker ends.
pub async fn run(queue: Arc<Queue>, config: Arc<Config>, http: Arc<Http>) {
    let sender = Arc::new(Sender {
        transport: Transport::new(Arc::clone(&config), http),
        config,
        traces: Lane::default(),
        logs: Lane::default(),
        drops: Throttle::default(),
    });
    let [traces, logs] = SIGNALS.map(|signal| {
        let (queue, sender) = (Arc::clone(&queue), Arc::clone(&sender));
        tokio::spawn(unceasingly(PAUSE_AFTER_PANIC, move || {
            deliver_batches(Arc::clone(&queue), Arc::clone(&sender), signal)
        }))
    });
    let _ = (traces.await, logs.await);
}

/// Begins the work again after a panic in it, for as long as the worker lives.
async fn unceasingly<F: Future<Output = ()> + Send + 'static>(pause: Duration, work: impl Fn() -> F) {
    while !contained(work()).await {
        tokio::time::sleep(pause).await;
    }
}

/// Runs work as a task of its own. False when it panicked, which is counted.
async fn contained(work: impl Future<Output = ()> + Send + 'static) -> bool {
    let panicked = tokio::spawn(work).await.is_err_and(|e| e.is_panic());
    if panicked {
        panics::count_one();
        log::write(Level::Error, || "the delivery failed inside the library, and goes on".into());
    }
    !panicked
}

async fn deliver_batches(queue: Arc<Queue>, sender: Arc<Sender>, signal: Signal) {
    let permits = Arc::new(Semaphore::new(CONCURRENT_REQUESTS));
    loop {
        wait_until_due(&queue, signal, sender.config.flush_interval).await;
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            // Before the items are taken: consent that is taken back in between is heard.
            let cut = Arc::clone(&queue.cut).notified_owned();
            let Some(batch) = queue.take(signal) else { break };
            let (sender, from) = (Arc::clone(&sender), Arc::clone(&queue));
            tokio::spawn(async move {
                // A panic settles what is left of the batch, and gives the permit back.
                contained(async move { unless_cut(cut, sender.send(&from, batch)).await }).await;
                drop(permit);
            });
            // What is left is no full batch, and waits for its own interval.
            if queue.pending(signal) != (true, true) {
                break;
            }
        }
    }
}

/// Does the work unless consent is taken back first, also in the middle of a request.
async fn unless_cut(cut: impl Future<Output = ()>, work: impl Future<Output = ()>) {
    let (mut cut, mut work) = (pin!(cut), pin!(work));
    poll_fn(|cx| match cut.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => work.as_mut().poll(cx),
    })
    .await;
}

async fn wait_until_due(queue: &Queue, signal: Signal, interval: Duration) {
    loop {
        match queue.pending(signal) {
            (true, true) => return,
            (true, false) => break,
            (false, _) => queue.wake(signal).notified().await,
        }
    }
    let _ = tokio::time::timeout(interval, async {
        while queue.pending(signal) == (true, false) {
            queue.wake(signal).notified().await;
        }
    })
    .await;
}

struct Sender {
    config: Arc<Config>,
    transport: Transport,
    traces: Lane,
    logs: Lane,
    drops: Throttle,
}

/// What is known of the receiver of one signal.
#[derive(Default)]
struct Lane {
    /// It asked to be left alone until then.
    held: Mutex<Option<Instant>>,
    /// Attempts that failed since the last that did not.
    failures: Throttle,
}

impl Lane {
    /// Nobody sends before the receiver wants it.
    async fn wait(&self) {
        while let Some(until) = self.held.lock().ok().and_then(|held| *held).filter(|until| *until > Instant::now()) {
            tokio::time::sleep_until(until.into()).await;
        }
    }

    fn hold(&self, pause: Duration) {
        let until = Instant::now() + pause;
        if let Ok(mut held) = self.held.lock() {
            *held = Some(held.map_or(until, |held| held.max(until)));
        }
    }
}

/// Counts what happens often, and tells when to speak of it.
#[derive(Default)]
struct Throttle(Mutex<Unsaid>);

#[derive(Default)]
struct Unsaid {
    count: u64,
    total: u64,
    last: Option<Instant>,
}

impl Throttle {
    /// Counts so many more. How many there were since the last line, when it is time for one.
    fn add(&self, count: u64) -> Option<u64> {
        let mut unsaid = self.0.lock().ok()?;
        unsaid.count += count;
        unsaid.total += count;
        if unsaid.last.is_some_and(|last| last.elapsed() < BETWEEN_LINES) {
            return None;
        }
        unsaid.last = Some(Instant::now());
        Some(std::mem::take(&mut unsaid.count))
    }

    /// It is over: how many there were, when anything was said.
    fn end(&self) -> Option<u64> {
        let unsaid = std::mem::take(&mut *self.0.lock().ok()?);
        unsaid.last.map(|_| unsaid.total)
    }
}

impl Sender {
    async fn send(&self, queue: &Queue, mut batch: Batch) {
        let items = std::mem::take(&mut batch.items);
        // The platform loses the spans that share a message with an error span of a continuous session, so those go last
        // and alone.
        let (errors, items): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| item.error && item.session.kind() == Kind::Continuous);
        let mut parts = vec![errors, items];
        while let Some(part) = parts.pop() {
            let (Some(first), count) = (part.first(), part.len()) else { continue };
            match self.deliver(queue, first.signal, &part).await {
                Answer::Delivered { refused, said } => {
                    self.tell_refused(refused.min(count as u64), &said);
                    batch.settle(&part, refused, Outcome::Exported);
                }
                Answer::TooLarge | Answer::Malformed if count > 1 => {
                    let mut part = part;
                    let half = part.split_off(count / 2);
                    parts.extend([half, part]);
                }
                Answer::TooLarge => {
                    self.tell_dropped(1, "the receiver finds it too large even alone");
                    batch.settle(&part, 0, Outcome::TooLarge);
                }
                Answer::Malformed => {
                    self.tell_dropped(1, "the receiver cannot read it (HTTP 400, gRPC INVALID_ARGUMENT)");
                    batch.settle(&part, 0, Outcome::Rejected);
                }
                Answer::Final { why } | Answer::Retry { why, .. } => {
                    self.tell_dropped(count as u64, &why);
                    batch.settle(&part, 0, Outcome::Rejected);
                }
            }
        }
    }

    /// Tries until there is a final answer.
    async fn deliver(&self, queue: &Queue, signal: Signal, items: &[Item]) -> Answer {
        let body = self.transport.encode(signal, items);
        let lane = match signal {
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
        };
        let mut backoff = FIRST_BACKOFF;
        loop {
            lane.wait().await;
            let (after, why) = match self.transport.attempt(signal, body.clone()).await {
                Answer::Retry { after, why } => (after.filter(|after| !after.is_zero()), why),
                answer => {
                    if let Some(failures) = lane.failures.end() {
                        log::write(Level::Info, || {
                            format!("the receiver answers again, after {failures} failed attempts")
                        });
                    }
                    queue.note(|counts| counts.requests += u64::from(matches!(answer, Answer::Delivered { .. })));
                    return answer;
                }
            };
            queue.note(|counts| counts.retries += 1);
            // Before the look at who waits: a flush that begins in between is heard.
            let hurry = queue.hurry.notified();
            // Full jitter: many processes that lost the same receiver do not return in step.
            let pause = match after {
                Some(after) => after.mul_f64(rand::rng().random_range(1.0..=1.1)),
                None => {
                    let pause = backoff.mul_f64(rand::rng().random_range(0.1..=1.0));
                    if queue.hurried() {
                        pause.min(HURRIED_BACKOFF)
                    } else {
                        pause
                    }
                }
            };
            let level = if lane.failures.add(1).is_some() { Level::Warn } else { Level::Debug };
            log::write(level, || format!("export failed, next try in {} ms: {why}", pause.as_millis()));
            match after {
                // The receiver's own word counts for all requests, also when somebody waits.
                Some(_) => lane.hold(pause),
                None => drop(tokio::time::timeout(pause, hurry).await),
            }
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
        }
    }

    fn tell_dropped(&self, count: u64, why: &str) {
        if let Some(count) = self.drops.add(count) {
            log::write(Level::Error, || format!("{count} items were dropped: {why}"));
        }
    }

    fn tell_refused(&self, count: u64, said: &str) {
        if count == 0 {
            return;
        }
        // The receiver may echo what it was sent.
        let said = said.replace(self.config.api_key.expose(), "***");
        let said = crate::mask::mask_text(&self.config.capture.rules, &said).into_owned();
        let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
        self.tell_dropped(count, &format!("the receiver refused them: {said}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_panic_ends_the_delivery_for_a_moment_only() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let times = Arc::new(AtomicU32::new(0));
        let before = panics::caught();
        let _ = panics::contain(|| {
            runtime.block_on(unceasingly(Duration::from_millis(1), || {
                let times = Arc::clone(&times);
                async move { assert!(times.fetch_add(1, Ordering::Relaxed) >= 3, "a defect") }
            }));
        });
        assert_eq!(times.load(Ordering::Relaxed), 4);
        assert!(panics::caught() >= before + 3);
    }

    #[test]
    fn lines_are_throttled_and_lose_no_count() {
        let throttle = Throttle::default();
        assert_eq!(throttle.end(), None);
        assert_eq!((throttle.add(2), throttle.add(1), throttle.add(1)), (Some(2), None, None));
        throttle.0.lock().unwrap().last = Instant::now().checked_sub(BETWEEN_LINES);
        assert_eq!((throttle.add(1), throttle.add(1)), (Some(3), None));
        assert_eq!((throttle.end(), throttle.end()), (Some(6), None));
    }

    #[test]
    fn the_longest_hold_counts() {
        let lane = Lane::default();
        lane.hold(Duration::from_secs(100));
        lane.hold(Duration::from_secs(1));
        let held = lane.held.lock().unwrap().unwrap();
        assert!(held > Instant::now() + Duration::from_secs(90));
    }
}
