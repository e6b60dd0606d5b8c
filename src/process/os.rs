//! What only the operating system can tell or do: which process this is after a fork, and which thread gets signals.
//! The unsafe lines outside src/abi are these, and those of mask/scan.rs for AVX2.
//!
//! A forked child has the parent's memory but none of its threads: whatever belongs to one process (the worker, the
//! random state, the queue) is tagged with the generation that made it and made anew in the child.

#[cfg(unix)]
use std::fs::File;
#[cfg(unix)]
use std::mem::ManuallyDrop;
#[cfg(unix)]
use std::ops::Deref;
#[cfg(unix)]
use std::sync::atomic::AtomicI32;
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
    // Everything else in the child waits for first use, outside the fork handler.
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
        for place in &LOCKED_FILES {
            let file = place.swap(-1, Ordering::Relaxed);
            if file >= 0 {
                // SAFETY: the child's copy of a LockedFile's descriptor, which nothing in the child uses any more.
                unsafe { libc::close(file) };
            }
        }
    }
    // SAFETY: in_child is async-signal-safe (atomics and close), and the library stays mapped (-z nodelete), so the handler cannot dangle.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

#[cfg(not(unix))]
fn install() {}

/// So many files can be held at a time.
#[cfg(unix)]
const MOST_LOCKED_FILES: usize = 64;
#[cfg(unix)]
static LOCKED_FILES: [AtomicI32; MOST_LOCKED_FILES] = [const { AtomicI32::new(-1) }; MOST_LOCKED_FILES];

/// A file whose lock (flock) ends with this process: a lock belongs to the open file, which a forked child shares, so the
/// child closes its copy at once.
#[cfg(unix)]
pub struct LockedFile {
    file: ManuallyDrop<File>,
    place: &'static AtomicI32,
    generation: u32,
}

#[cfg(unix)]
impl LockedFile {
    /// Locks the file. None when somebody else has it, or when too many are held.
    ///
    /// # Errors
    /// Those of the system.
    pub fn lock(file: File) -> std::io::Result<Option<Self>> {
        use std::os::fd::AsRawFd;
        let descriptor = file.as_raw_fd();
        let free =
            |place: &&AtomicI32| place.compare_exchange(-1, descriptor, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        let Some(place) = LOCKED_FILES.iter().find(free) else { return Ok(None) };
        let held = Self { file: ManuallyDrop::new(file), place, generation: generation() };
        match held.try_lock() {
            Ok(()) => Ok(Some(held)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(e),
        }
    }
}

#[cfg(unix)]
impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

#[cfg(unix)]
impl Drop for LockedFile {
    fn drop(&mut self) {
        if self.generation != generation() {
            return; // Closed already; the number may be another file's.
        }
        // Before the file is closed: a child must not close what gets its number next.
        self.place.store(-1, Ordering::Relaxed);
        // SAFETY: dropped once, and not used behind this line.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}

/// The user that files are made as.
#[cfg(unix)]
pub fn user() -> u32 {
    // SAFETY: it cannot fail.
    unsafe { libc::geteuid() }
}

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
