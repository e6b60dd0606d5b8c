//! The end of the process without a call to shutdown: something is still done, within a bound.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::{os, panics};

static WATCHING: AtomicBool = AtomicBool::new(false);

static BEGUN: AtomicBool = AtomicBool::new(false);

/// From here on no callback of the host's is called: what it needs (an interpreter, a static object) may be gone.
pub fn has_begun() -> bool {
    BEGUN.load(Ordering::Acquire)
}

/// What is done, and how long it may take; None when there is nothing to do.
pub type Last = fn() -> Option<(Duration, Box<dyn FnOnce() + Send>)>;

static LAST: std::sync::OnceLock<Last> = std::sync::OnceLock::new();

/// Has `last` asked at exit() and after the return of main.
pub fn watch(last: Last) {
    if !WATCHING.swap(true, Ordering::AcqRel) {
        let _ = LAST.set(last);
        os::at_exit(at_exit);
    }
}

/// exit() may be called anywhere, also by a signal's handler on top of a thread that holds locks of ours, or when this thread's
/// own storage is gone: so the work has a thread of its own, and this one waits for it no longer than it may take.
extern "C" fn at_exit() {
    BEGUN.store(true, Ordering::Release);
    let _ = panics::contain(|| {
        let Some((limit, work)) = LAST.get().and_then(|last| last()) else { return };
        let (sender, done) = mpsc::sync_channel(1);
        let started = os::without_signals(|| {
            std::thread::Builder::new().name("mpr-exit".into()).spawn(move || {
                let _ = panics::contain(work);
                let _ = sender.send(());
            })
        });
        if started.is_ok() {
            let _ = done.recv_timeout(limit);
        }
    });
}
