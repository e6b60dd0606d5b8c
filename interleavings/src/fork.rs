//! What forks wait for, and what is free behind them.

use real_std::sync::atomic::{AtomicU32 as RealU32, Ordering::SeqCst};
use real_std::sync::Arc;

use crate::process::fork::{hold_during_forks, undisturbed, Turn};
use crate::process::os::handlers;
use crate::run::chance;
use crate::sync::{Mutex, TryLockError};
use crate::thread::{self, switch};
use crate::time::{Duration, Instant};

/// One at a time, also with a holder who is gone since a fork, and with one who gives back what is another's by now.
pub fn turn() {
    let turn: &'static Turn = Box::leak(Box::default());
    let mut stale = None;
    match chance(3) {
        0 => {}
        // A thread that the child lacks.
        1 => {
            real_std::mem::forget(turn.take());
            (handlers().0.in_child)();
        }
        // The forking thread itself.
        _ => {
            stale = Some(turn.take());
            (handlers().0.in_child)();
        }
    }
    let inside = Arc::new(RealU32::new(0));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let inside = Arc::clone(&inside);
            thread::spawn(move || {
                for _ in 0..2 {
                    let (begin, limit) = (Instant::now(), Duration::from_micros(300));
                    let mine = match chance(2) {
                        0 => Some(turn.take()),
                        _ => turn.take_within(limit),
                    };
                    let Some(mine) = mine else {
                        assert!(begin.elapsed() >= limit, "it did not wait");
                        continue;
                    };
                    assert_eq!(inside.swap(1, SeqCst), 0, "two have the turn");
                    switch();
                    switch();
                    inside.store(0, SeqCst);
                    drop(mine);
                }
            })
        })
        .collect();
    switch();
    drop(stale);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // It is free, and who waits for one that stays taken does so for a while only.
    let mine = turn.take_within(Duration::ZERO).unwrap();
    thread::spawn(move || assert!(turn.take_within(Duration::from_millis(1)).is_none())).join().unwrap();
    drop(mine);
}

static LOCK: Mutex<()> = Mutex::new(());

/// Once for the process.
pub fn at_load() {
    hold_during_forks(&LOCK);
}

/// In a fork the thread that forks has the locks, alone, and nobody is in what a fork waits for.
pub fn gate() {
    static INSIDE: RealU32 = RealU32::new(0);
    static FORKS: RealU32 = RealU32::new(0);
    let (around, _) = handlers();
    let forkers = (0..2).map(|_| {
        thread::spawn(move || {
            (around.before)();
            for _ in 0..2 {
                assert_eq!(INSIDE.load(SeqCst), 0, "a fork in the middle of undisturbed work");
                assert!(matches!(LOCK.try_lock(), Err(TryLockError::WouldBlock)), "a fork without the lock");
                FORKS.fetch_add(1, SeqCst);
                switch();
                assert_eq!(FORKS.fetch_sub(1, SeqCst), 1, "two threads have the locks");
            }
            // (Longer than anybody else is waited for.)
            thread::sleep(Duration::from_millis(30 * chance(2) as u64));
            assert!(matches!(LOCK.try_lock(), Err(TryLockError::WouldBlock)), "a long fork without the lock");
            (around.in_parent)();
            drop(LOCK.lock().unwrap());
        })
    });
    let workers = (0..2).map(|_| {
        thread::spawn(move || {
            for _ in 0..2 {
                undisturbed(|| {
                    INSIDE.fetch_add(1, SeqCst);
                    switch();
                    switch();
                    INSIDE.fetch_sub(1, SeqCst);
                });
                let _held = LOCK.lock().unwrap();
                assert_eq!(FORKS.load(SeqCst), 0, "the lock was free in a fork");
            }
        })
    });
    let threads: Vec<_> = forkers.chain(workers).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(LOCK.try_lock().is_ok(), "the lock is held behind the fork");
}
