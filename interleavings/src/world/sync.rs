//! Shuttle's, with what it lacks: timeouts, poison that a test asks for, OnceLock; and tokio's.

use real_std::cell::Cell;
use real_std::ops::{Deref, DerefMut};
use real_std::sync::atomic::AtomicBool as RealBool;
use real_std::sync::atomic::AtomicU64 as RealU64;

use shuttle::sync as inner;

use super::thread::{sleep, switch};
use super::time::{self, Duration, Instant};

pub use super::tasks::{oneshot, Notify, Semaphore};
pub use inner::{atomic, Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak};
use real_std::sync::atomic::Ordering::Relaxed;

#[derive(Debug, Default)]
pub struct Mutex<T> {
    inner: inner::Mutex<T>,
    poisoned: RealBool,
}

#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    guard: Option<inner::MutexGuard<'a, T>>,
    lock: &'a Mutex<T>,
}

thread_local! {
    static AS_IF_PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// The locks that this thread gives back next are left as by a panic. (A real one cannot be interrupted.)
pub fn as_if_panicked(panicked: bool) {
    AS_IF_PANICKED.with(|mine| mine.set(panicked));
}

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Self { inner: inner::Mutex::new(value), poisoned: RealBool::new(false) }
    }

    fn guarded<'a>(&'a self, guard: inner::MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let guard = MutexGuard { guard: Some(guard), lock: self };
        match self.is_poisoned() {
            true => Err(PoisonError::new(guard)),
            false => Ok(guard),
        }
    }

    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.guarded(self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(guard) => Ok(self.guarded(guard)?),
            Err(TryLockError::Poisoned(guard)) => Ok(self.guarded(guard.into_inner())?),
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
        }
    }

    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Relaxed)
    }

    pub fn clear_poison(&self) {
        self.poisoned.store(false, Relaxed);
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.guard.as_ref().unwrap()
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().unwrap()
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if AS_IF_PANICKED.try_with(Cell::get).unwrap_or(false) {
            self.lock.poisoned.store(true, Relaxed);
        }
    }
}

#[derive(Debug, Default)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

#[derive(Debug)]
pub struct Condvar {
    inner: inner::Condvar,
    told: RealU64,
}

impl Condvar {
    pub const fn new() -> Self {
        Self { inner: inner::Condvar::new(), told: RealU64::new(0) }
    }

    pub fn notify_one(&self) {
        self.inner.notify_one();
        self.told.fetch_add(1, Relaxed);
    }

    pub fn notify_all(&self) {
        self.inner.notify_all();
        self.told.fetch_add(1, Relaxed);
    }

    pub fn wait_timeout<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let lock = guard.lock;
        if !time::ends(limit) {
            let inner = self.inner.wait(guard.guard.take().unwrap()).unwrap_or_else(PoisonError::into_inner);
            drop(guard);
            return Ok((lock.guarded(inner).unwrap(), WaitTimeoutResult(false)));
        }
        let (told, until) = (self.told.load(Relaxed), Instant::now() + limit);
        drop(guard);
        while self.told.load(Relaxed) == told && Instant::now() < until {
            sleep(time::step(limit));
        }
        let timed_out = self.told.load(Relaxed) == told;
        Ok((lock.lock().unwrap(), WaitTimeoutResult(timed_out)))
    }
}

pub struct OnceLock<T> {
    once: inner::Once,
    value: real_std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub const fn new() -> Self {
        Self { once: inner::Once::new(), value: real_std::sync::OnceLock::new() }
    }

    pub fn get(&self) -> Option<&T> {
        switch();
        self.value.get()
    }

    pub fn set(&self, value: T) -> Result<(), T> {
        switch();
        self.value.set(value)
    }

    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.once.call_once(|| drop(self.value.set(make())));
        self.value.get().unwrap()
    }
}

pub mod mpsc {
    use super::*;
    pub use inner::mpsc::{RecvError, RecvTimeoutError, SendError, SyncSender, TryRecvError};

    pub struct Receiver<T>(inner::mpsc::Receiver<T>);

    pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
        let (sender, receiver) = inner::mpsc::sync_channel(bound);
        (sender, Receiver(receiver))
    }

    impl<T> Receiver<T> {
        pub fn recv_timeout(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
            if !time::ends(limit) {
                return self.0.recv().map_err(|_| RecvTimeoutError::Disconnected);
            }
            let until = Instant::now() + limit;
            loop {
                match self.0.try_recv() {
                    Ok(value) => return Ok(value),
                    Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                    Err(TryRecvError::Empty) if Instant::now() >= until => return Err(RecvTimeoutError::Timeout),
                    Err(TryRecvError::Empty) => sleep(time::step(limit)),
                }
            }
        }
    }
}
