//! What only the operating system can tell or do: which process this is after a fork, and which thread gets signals.
//! The unsafe lines outside src/abi are these, and those of mask/scan.rs for AVX2.
//!
//! A forked child has the parent's memory but none of its threads: whatever belongs to one process (the worker, the
//! random state, the queue) is tagged with the generation that made it and made anew in the child.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;

static GENERATION: AtomicU32 = AtomicU32::new(0);
static INSTALLED: Once = Once::new();

/// Number of forks between the first process that loaded the library and this one. One atomic load.
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Has every later fork() counted in the child. Called by whatever holds state of one process; the first call installs.
pub fn watch_forks() {
    INSTALLED.call_once(install);
}

#[cfg(unix)]
fn install() {
    // Only an atomic add: everything else in the child waits for first use, outside the fork handler.
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: in_child is async-signal-safe, and the library stays mapped (-z nodelete), so the handler cannot dangle.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

#[cfg(not(unix))]
fn install() {}

/// Runs `spawn` so that a thread it starts gets no signals: the host's handlers are for the host's threads.
#[cfg(unix)]
pub fn without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    // SAFETY: zero is a valid sigset_t, both calls write only the two local sets and this thread's own mask.
    let before = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        before
    };
    let result = spawn();
    // SAFETY: `before` is the mask that the first call read.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
    result
}

/// Elsewhere threads have no signal mask to keep.
#[cfg(not(unix))]
pub fn without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    spawn()
}
