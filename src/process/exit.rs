//! The end of the process without a call to shutdown: something is still done, within a bound.
//!
//! Handlers of exit() are called in the reverse order of their registration. What was recorded is delivered by one that is registered
//! when the library is loaded, before nearly all of the host's: theirs, and the destructors of its static objects, may still
//! record, or shut down themselves. Callbacks end by another, registered by init: what they need was there before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::{log, os, panics};

/// (LAST alone would do, but who sets it waits for another that does, and a fork may have cut that one off.)
static WATCHING: AtomicBool = AtomicBool::new(false);
static BEGUN: AtomicBool = AtomicBool::new(false);

/// From here on no callback of the host's is called: what it needs (an interpreter, a static object) may be gone.
pub fn has_begun() -> bool {
    BEGUN.load(Ordering::Acquire)
}

/// What is done, and how long it may take; None when there is nothing to do.
pub type Last = fn() -> Option<(Duration, Box<dyn FnOnce() + Send>)>;

static LAST: std::sync::OnceLock<Last> = std::sync::OnceLock::new();

/// Has `last` asked at the end, and callbacks ended by then.
pub fn watch(last: Last) {
    if !WATCHING.swap(true, Ordering::AcqRel) {
        let _ = LAST.set(last);
        os::at_exit(end_callbacks);
    }
}

/// When the library is loaded.
pub(super) fn watch_first() {
    os::at_exit(at_exit);
}

extern "C" fn end_callbacks() {
    BEGUN.store(true, Ordering::Release);
    // Not dropped: the finalizer is a callback as well.
    std::mem::forget(log::set_sink(None, 0));
}

/// exit() may be called anywhere, also by a signal's handler on top of a thread that holds locks of ours, or when this thread's
/// own storage is gone: so the work has a thread of its own, and this one waits for it no longer than it may take.
extern "C" fn at_exit() {
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
