//! Forks: which process this is, and what a fork must not cut in two.
//!
//! A forked child has the parent's memory but none of its threads: whatever belongs to one process (the worker, the random
//! state, the queue) is tagged with the generation that made it and made anew in the child. A lock that another thread held
//! at the fork would never be free again in the child. So the few locks that every call may need are held by the forking
//! thread itself during the fork ([`hold_during_forks`]); the one that is held for long can be taken from the dead ([`Turn`]);
//! the lock of a single object tells that its holder is gone (abi/handles.rs); and all others belong to objects that the
//! child forgets. What the system library locks inside is left in peace for a moment ([`undisturbed`]).

use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use super::os;

/// A fork waits no longer than this for a name lookup.
const PATIENCE: Duration = Duration::from_millis(10);
/// For a lock longer, since the child would find it taken for ever: who has it may get no processor for a while. (Not without end: a
/// signal's handler may fork on top of the holder.)
const PATIENCE_WITH_LOCKS: Duration = Duration::from_secs(1);
/// But for one that is forking as well: the system takes its time to copy a large process, and lets one thread do so at a time.
const PATIENCE_WITH_FORKS: Duration = Duration::from_secs(5);
const NAP: Duration = Duration::from_micros(50);

static GENERATION: AtomicU32 = AtomicU32::new(0);
static WATCHING: AtomicBool = AtomicBool::new(false);
/// How many threads prepare a fork; how many are in [`undisturbed`].
static FORKING: AtomicU32 = AtomicU32::new(0);
static INSIDE: AtomicU32 = AtomicU32::new(0);
static LOCKS: Mutex<Vec<&'static dyn Hold>> = Mutex::new(Vec::new());

thread_local! {
    /// What this thread holds while it forks.
    static HELD: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// Number of forks between the first process that loaded the library and this one. One atomic load.
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Has every later fork() counted in the child. Called by whatever holds state of one process; the first call installs.
pub fn watch() {
    if !WATCHING.swap(true, Ordering::AcqRel) {
        os::around_forks(before, in_parent, in_child);
    }
}

/// A lock that is held for moments only, and that any call may need.
pub trait Hold: Sync {
    /// Its guard; None when it was not free until then.
    fn hold(&'static self, until: Instant) -> Option<Box<dyn Any>>;
}

impl<T: Send> Hold for Mutex<T> {
    fn hold(&'static self, until: Instant) -> Option<Box<dyn Any>> {
        try_until(self, until).map(|guard| Box::new(guard) as Box<dyn Any>)
    }
}

fn try_until<T>(lock: &Mutex<T>, until: Instant) -> Option<MutexGuard<'_, T>> {
    loop {
        match lock.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(NAP),
        }
    }
}

/// From now on forks wait for this lock to be free, and hold it.
pub fn hold_during_forks(lock: &'static dyn Hold) {
    watch();
    if let Ok(mut locks) = LOCKS.lock() {
        locks.push(lock);
    }
}

/// Work of the worker's that locks something of the system's library inside (a name is resolved): a fork waits for it, for
/// its moment, and it waits for a fork.
pub fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
    /// Counts down also when the work panics.
    struct Leave(u32);
    impl Drop for Leave {
        fn drop(&mut self) {
            // (A child begins at none.)
            if self.0 == generation() {
                INSIDE.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
    loop {
        INSIDE.fetch_add(1, Ordering::SeqCst);
        let leave = Leave(generation());
        if FORKING.load(Ordering::SeqCst) == 0 {
            let done = work();
            drop(leave);
            return done;
        }
        drop(leave);
        std::thread::sleep(NAP);
    }
}

/// The locks to hold; until then another thread's fork may hold them, in whose middle this one must not come.
fn locks_of_forks() -> Option<MutexGuard<'static, Vec<&'static dyn Hold>>> {
    let begin = Instant::now();
    let (mut patience, until) = (begin + PATIENCE_WITH_LOCKS, begin + PATIENCE_WITH_FORKS);
    loop {
        // (Before the look at the locks, which a fork gives back first: taken while nobody forks, they stay so.)
        let others = FORKING.load(Ordering::SeqCst) > 1;
        let now = Instant::now();
        let locks = try_until(&LOCKS, now);
        if locks.is_some() || now >= until || (!others && now >= patience) {
            return locks;
        }
        if others {
            patience = now + PATIENCE_WITH_LOCKS;
        }
        std::thread::sleep(NAP);
    }
}

extern "C" fn before() {
    FORKING.fetch_add(1, Ordering::SeqCst);
    let locks = locks_of_forks();
    let until = Instant::now() + PATIENCE;
    while INSIDE.load(Ordering::SeqCst) > 0 && Instant::now() < until {
        std::thread::sleep(NAP);
    }
    let mut held: Vec<Box<dyn Any>> = Vec::new();
    let until = Instant::now() + PATIENCE_WITH_LOCKS;
    if let Some(locks) = locks {
        held.extend(locks.iter().filter_map(|lock| lock.hold(until)));
        held.push(Box::new(locks));
    }
    // (A thread that ends has no place for them; they are free again then.)
    let _ = HELD.try_with(|mine| mine.replace(held));
}

extern "C" fn in_parent() {
    // (In this order: who finds the locks taken and nobody forking gives up.)
    let _ = HELD.try_with(|mine| mine.take());
    FORKING.fetch_sub(1, Ordering::SeqCst);
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::SeqCst);
    os::close_locked_files();
    FORKING.store(0, Ordering::SeqCst);
    INSIDE.store(0, Ordering::SeqCst);
    let _ = HELD.try_with(|mine| mine.take());
}

/// A lock for what takes its time and happens rarely. In a child it is free, whoever had it in the parent, and a panic leaves it
/// free as well.
#[derive(Debug, Default)]
pub struct Turn {
    /// The generation of who has it, from 1; 0 when nobody has.
    holder: AtomicU32,
}

/// Gives the turn back when it is dropped.
pub struct MyTurn<'a> {
    turn: &'a Turn,
    mine: u32,
}

impl Turn {
    /// Nobody has it.
    pub const fn new() -> Self {
        Self { holder: AtomicU32::new(0) }
    }

    /// Waits for it.
    pub fn take(&self) -> MyTurn<'_> {
        loop {
            if let Some(turn) = self.take_within(Duration::from_secs(60)) {
                return turn;
            }
        }
    }

    /// Waits so long for it.
    pub fn take_within(&self, limit: Duration) -> Option<MyTurn<'_>> {
        let until = Instant::now() + limit;
        loop {
            let mine = generation() + 1;
            let holder = self.holder.load(Ordering::Relaxed);
            let free = holder != mine;
            if free && self.holder.compare_exchange(holder, mine, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return Some(MyTurn { turn: self, mine });
            }
            if Instant::now() >= until {
                return None;
            }
            std::thread::sleep(NAP);
        }
    }
}

impl Drop for MyTurn<'_> {
    fn drop(&mut self) {
        // (In a child that was forked meanwhile it may be another's by now.)
        let _ = self.turn.holder.compare_exchange(self.mine, 0, Ordering::Release, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_one_at_a_time_and_free_after_a_panic() {
        let turn = Turn::new();
        let mine = turn.take();
        assert!(turn.take_within(Duration::from_millis(1)).is_none());
        drop(mine);
        let panicked = crate::process::panics::contain(|| {
            let _mine = turn.take();
            panic!("with the turn");
        });
        assert!(panicked.is_err() && turn.take_within(Duration::ZERO).is_some());
    }

    #[test]
    fn a_turn_of_a_parents_thread_is_free_in_the_child() {
        let turn = Turn { holder: AtomicU32::new(generation() + 7) };
        assert!(turn.take_within(Duration::ZERO).is_some());
    }

    #[test]
    fn a_lock_that_stays_taken_is_waited_for_so_long_only() {
        let lock: &'static Mutex<()> = Box::leak(Box::default());
        let guard = lock.lock();
        let begin = Instant::now();
        assert!(lock.hold(begin + Duration::from_millis(5)).is_none());
        assert!(begin.elapsed() >= Duration::from_millis(5));
        drop(guard);
        assert!(lock.hold(begin).is_some());
    }

    #[test]
    fn a_fork_waits_for_a_lock_whose_holder_gets_no_processor() {
        static LOCK: Mutex<()> = Mutex::new(());
        hold_during_forks(&LOCK);
        let (sender, begun) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let _guard = LOCK.lock();
            sender.send(()).unwrap();
            std::thread::sleep(10 * PATIENCE);
        });
        begun.recv().unwrap();
        before();
        other.join().unwrap();
        let held = LOCK.try_lock().is_err();
        in_parent();
        assert!(held, "the child would find it taken for ever");
    }

    #[test]
    fn a_fork_waits_for_another_threads_however_long_that_takes() {
        let (sender, begun) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            before();
            sender.send(()).unwrap();
            std::thread::sleep(10 * PATIENCE);
            in_parent();
        });
        begun.recv().unwrap();
        before();
        let held = HELD.with_borrow(Vec::len);
        in_parent();
        other.join().unwrap();
        assert!(held > 0, "the child would find the locks taken by a thread that it lacks");
    }
}
