//! The queue, alone and with the delivery and the spool's thread.

use real_std::collections::BTreeSet;
use real_std::fs;
use real_std::path::PathBuf;
use real_std::sync::atomic::{AtomicBool as RealBool, Ordering::SeqCst};
use real_std::sync::{Arc, Mutex as RealMutex};

use super::budget::Shared;
use super::otlp::{Envelope, Item, Signal, SIGNALS};
use super::queue::{Counts, Outcome, Queue};
use super::transport::RECEIVER;
use super::{deliver, spool, Budget, Open};
use crate::config::Config;
use crate::http::Http;
use crate::run::chance;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::thread::{self, switch};
use crate::time::{Duration, Instant, FOR_EVER};
use crate::trace::SessionPrefix;

fn item(id: u8, size: usize, envelope: &Arc<Envelope>) -> Item {
    let signal = if id % 2 == 0 { Signal::Traces } else { Signal::Logs };
    let (session, envelope) = (SessionPrefix::default(), Arc::clone(envelope));
    Item { signal, session, error: false, envelope, bytes: vec![id; size].into(), slot: None }
}

fn dropped(counts: &Counts) -> u64 {
    counts.dropped_queue_full
        + counts.dropped_rejected
        + counts.dropped_too_large
        + counts.dropped_shutdown
        + counts.dropped_internal
        + counts.dropped_expired
        + counts.dropped_consent
        + counts.dropped_spool
}

/// At every moment.
fn look(queue: &Queue) -> Counts {
    let counts = queue.counts();
    let sum = counts.exported + dropped(&counts) + counts.queued + counts.spooled;
    assert_eq!(counts.accepted, sum, "{counts:?}");
    counts
}

/// Others do this and that before.
fn later(steps: usize) {
    (0..chance(steps)).for_each(|_| switch());
}

fn for_ever() -> Instant {
    Instant::now() + FOR_EVER
}

/// Everything that was delivered, or refused, or lost: before the queue is told.
type Settled = Arc<RealMutex<BTreeSet<u8>>>;

/// Takes what is due, and settles it one way or the other, as the delivery does; nothing else wakes it than the queue.
async fn deliver_until(queue: Arc<Queue>, signal: Signal, settled: Settled, stop: Arc<AtomicBool>) {
    loop {
        while queue.pending(signal) == (true, true) {
            let Some(mut batch) = queue.take(signal) else { break };
            let items = real_std::mem::take(&mut batch.items);
            let (first, rest) = items.split_at(items.len() / 2);
            for part in [first, rest] {
                for item in part {
                    let id = item.bytes[0];
                    assert!(settled.lock().unwrap().insert(id), "{id} was delivered before");
                }
                let outcome = match chance(6) {
                    0 => Outcome::Rejected,
                    1 => Outcome::TooLarge,
                    // What is left of the batch is lost.
                    2 => continue,
                    _ => Outcome::Exported,
                };
                batch.settle(part, chance(2) as u64, outcome);
                look(&queue);
            }
        }
        if stop.load(Ordering::SeqCst) {
            return;
        }
        queue.wake(signal).notified().await;
    }
}

struct Delivery {
    queue: Arc<Queue>,
    settled: Settled,
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Delivery {
    fn start(queue: &Arc<Queue>) -> Self {
        let (settled, stop) = (Settled::default(), Arc::new(AtomicBool::new(false)));
        let threads = SIGNALS.map(|signal| {
            let task = deliver_until(Arc::clone(queue), signal, Arc::clone(&settled), Arc::clone(&stop));
            thread::spawn(|| shuttle::future::block_on(task))
        });
        Self { queue: Arc::clone(queue), settled, stop, threads: threads.into() }
    }

    fn end(self) -> Settled {
        self.stop.store(true, Ordering::SeqCst);
        SIGNALS.into_iter().for_each(|signal| self.queue.wake(signal).notify_one());
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.settled
    }
}

/// Pushes items and waits for them, in one of the ways that there are. The ids of those that were taken in.
fn produce(queue: &Queue, ids: real_std::ops::Range<u8>, size: usize, envelope: &Arc<Envelope>) -> Vec<u8> {
    let mut taken = Vec::new();
    for id in ids {
        if queue.push([item(id, size, envelope)]).is_ok() {
            taken.push(id);
        }
        look(queue);
    }
    taken
}

fn wait(queue: &Queue) -> bool {
    match chance(4) {
        0 => queue.flush(Instant::now() + Duration::from_millis(10)).is_ok(),
        1 => shuttle::future::block_on(queue.flushed(Duration::from_millis(10))).is_ok(),
        2 => {
            shuttle::future::block_on(queue.flushed(FOR_EVER)).unwrap();
            true
        }
        _ => {
            queue.flush(for_ever()).unwrap();
            true
        }
    }
}

/// Nothing is left: no item, no byte.
fn is_empty(queue: &Queue) {
    let counts = look(queue);
    assert_eq!((counts.queued, counts.queued_bytes, counts.open_bytes), (0, 0, 0), "{counts:?}");
    assert_eq!(queue.budget().quarters_used(), 0.0);
}

/// Producers that wait for their items, the delivery, somebody who looks; then an end in order, one in the middle, or consent
/// that is taken back.
pub fn queue() {
    let queue = Arc::new(Queue::new(1_200, 400, 2, false));
    let envelope = Envelope::from_parts(vec![0; 20], Vec::new()).on(queue.budget());
    let delivery = Delivery::start(&queue);
    let disturbed = Arc::new(RealBool::new(false));
    let producers: Vec<_> = (0..2)
        .map(|number| {
            let (queue, envelope) = (Arc::clone(&queue), Arc::clone(&envelope));
            let (settled, disturbed) = (Arc::clone(&delivery.settled), Arc::clone(&disturbed));
            thread::spawn(move || {
                let taken = produce(&queue, number * 16..number * 16 + 3, 100, &envelope);
                if wait(&queue) && !disturbed.load(SeqCst) {
                    let settled = settled.lock().unwrap();
                    assert!(
                        taken.iter().all(|id| settled.contains(id)),
                        "a flush ended with {taken:?} and {settled:?}"
                    );
                }
            })
        })
        .collect();
    let watcher = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || (0..4).for_each(|_| assert!(look(&queue).queued <= 6)))
    };
    let end = chance(3);
    later(20);
    match end {
        0 => {}
        1 => {
            disturbed.store(true, SeqCst);
            queue.close();
            assert_eq!(queue.abandon(), look(&queue).dropped_shutdown.min(queue.abandon()));
        }
        _ => {
            disturbed.store(true, SeqCst);
            queue.revoke_consent();
            if chance(2) == 0 {
                queue.give_consent();
            }
        }
    }
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    watcher.join().unwrap();
    queue.close();
    queue.flush(for_ever()).unwrap();
    let lost = queue.abandon();
    assert!(end == 1 || lost == 0, "{lost} were given up though they were delivered");
    let settled = delivery.end();
    drop(envelope);
    is_empty(&queue);
    let counts = look(&queue);
    assert!(settled.lock().unwrap().len() as u64 >= counts.exported);
}

/// A batch that is full goes though nobody waits for it.
pub fn full() {
    let queue = Arc::new(Queue::new(1_200, 400, 2, false));
    let envelope = Arc::new(Envelope::from_parts(vec![0; 20], Vec::new()));
    let delivery = Delivery::start(&queue);
    let producers: Vec<_> = (0..2)
        .map(|number| {
            let (queue, envelope) = (Arc::clone(&queue), Arc::clone(&envelope));
            thread::spawn(move || queue.push([item(2 * number, 100, &envelope)]).unwrap())
        })
        .collect();
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    let until = Instant::now() + Duration::from_secs(1);
    while look(&queue).queued > 0 {
        assert!(Instant::now() < until, "it waits for ever");
        thread::sleep(Duration::from_millis(2));
    }
    delivery.end();
    is_empty(&queue);
}

/// The same with the real delivery, and a receiver that answers all sorts of things.
pub fn delivery() {
    *RECEIVER.lock().unwrap() = super::transport::Receiver { got: Vec::new(), revoked: false };
    let queue = Arc::new(Queue::new(100_000, 400, 2, false));
    let config = Config { flush_interval: FOR_EVER, ..Config::default() };
    drop(crate::spawn(deliver::run(Arc::clone(&queue), Arc::new(config), Arc::new(Http))));
    let envelope = Envelope::from_parts(vec![0; 20], Vec::new()).on(queue.budget());
    let producers: Vec<_> = (0..2)
        .map(|number| {
            let (queue, envelope) = (Arc::clone(&queue), Arc::clone(&envelope));
            thread::spawn(move || {
                produce(&queue, number * 16..number * 16 + 3, 100, &envelope);
                wait(&queue);
                produce(&queue, number * 16 + 3..number * 16 + 4, 100, &envelope);
            })
        })
        .collect();
    let end = chance(3);
    later(150);
    if end == 1 {
        // (So that some are just taken.)
        produce(&queue, 32..36, 100, &envelope);
        later(12);
        queue.revoke_consent();
        RECEIVER.lock().unwrap().revoked = true;
    }
    if end == 2 {
        queue.close();
        queue.abandon();
    }
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    queue.close();
    queue.flush(for_ever()).unwrap();
    let counts = look(&queue);
    assert_eq!(counts.queued, 0);
    let got = real_std::mem::take(&mut RECEIVER.lock().unwrap().got);
    assert_eq!(got.iter().collect::<BTreeSet<_>>().len(), got.len(), "some were delivered twice: {got:?}");
    match end {
        0 => assert_eq!((counts.exported, counts.dropped_internal), (got.len() as u64, 0), "{counts:?}"),
        // (The receiver may have had some that were given up meanwhile.)
        _ => assert!(counts.exported <= got.len() as u64, "{counts:?}"),
    }
    assert_eq!(queue.abandon(), if end == 2 { queue.abandon() } else { 0 });
}

/// A directory in memory where there is one: a real disk takes most of the time.
fn fresh_directory() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    let base = if shared.is_dir() { shared } else { real_std::env::temp_dir() };
    let path = base.join(format!("mpr-interleavings-{}", real_std::process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

/// With the real thread of the spool and real files, and so little memory that items are in the files alone for a while. What
/// the end leaves there is what the next process finds.
pub fn spool() {
    let path = fresh_directory();
    let config = Config { spool_dir: Some(path.clone()), spool_max_bytes: 16 << 20, ..Config::default() };
    let dir = spool::Dir::new(&config).unwrap();
    dir.check().unwrap();
    let queue = Arc::new(Queue::new(2_000, 400, 2, true));
    let envelope = Arc::new(Envelope::from_parts(vec![0; 20], Vec::new()));
    spool::start(dir.clone(), Arc::clone(&queue)).unwrap();
    let delivery = Delivery::start(&queue);
    let producers: Vec<_> = (0..2)
        .map(|number| {
            let (queue, envelope) = (Arc::clone(&queue), Arc::clone(&envelope));
            thread::spawn(move || {
                produce(&queue, number * 16..number * 16 + 4, 150, &envelope);
                later(12);
                produce(&queue, number * 16 + 4..number * 16 + 5, 150, &envelope);
                if chance(2) == 0 {
                    wait(&queue);
                }
            })
        })
        .collect();
    let mut revoked = chance(3) == 0;
    if revoked {
        later(60);
        queue.revoke_consent();
        assert!(queue.wait_for_erasure(for_ever()));
        assert!(dir.files().unwrap().is_empty(), "files are left though consent was taken back");
        if chance(2) == 0 {
            queue.give_consent();
            revoked = false;
            produce(&queue, 32..35, 150, &envelope);
        }
    }
    if chance(3) > 0 {
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    }
    // As pipeline/mod.rs does.
    queue.close();
    let _ = queue.flush(if chance(2) == 0 { for_ever() } else { Instant::now() + Duration::from_millis(20) });
    queue.end_spool(for_ever());
    queue.abandon();
    let left = look(&queue);
    assert_eq!(left.queued, 0, "{left:?}");
    delivery.end();
    if revoked {
        assert_eq!(left.spooled, 0, "{left:?}");
    }

    let next = Arc::new(Queue::new(100_000, 400, 2, true));
    spool::start(dir.clone(), Arc::clone(&next)).unwrap();
    let until = Instant::now() + Duration::from_secs(200);
    while left.spooled > look(&next).recovered && Instant::now() < until {
        thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(look(&next).recovered, left.spooled, "{left:?} {:?}", next.counts());
    next.revoke_consent();
    assert!(next.wait_for_erasure(for_ever()));
    assert!(dir.files().unwrap().is_empty());
    next.close();
    next.end_spool(for_ever());
    is_empty(&next);
    let _ = fs::remove_dir_all(&path);
}

/// Never more than there is, and all of it back.
pub fn budget() {
    let budget = Arc::new(Budget::new(3_000));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || {
                for _ in 0..3 {
                    let plain = budget.take(700);
                    let open = Open::take(&budget, 300).map(|mut open| {
                        open.grow(900);
                        open.shrink(500);
                        open.grow(400);
                        open
                    });
                    let shared = Shared::take(&budget, 500);
                    assert!(budget.quarters_used() <= 4.0, "more than there is was taken");
                    drop((open, shared));
                    if plain {
                        budget.give(700);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((budget.quarters_used(), budget.open(), budget.shared()), (0.0, (0, 0), 0));
}
