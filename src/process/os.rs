//! What only the operating system can tell or do: what runs around a fork and at the end of the process, and which thread
//! gets signals. The unsafe lines outside src/abi are these, and those of mask/scan.rs for AVX2.

#[cfg(unix)]
use std::fs::File;
#[cfg(unix)]
use std::mem::ManuallyDrop;
#[cfg(unix)]
use std::ops::Deref;
#[cfg(unix)]
use std::sync::atomic::{AtomicI32, Ordering};

#[cfg(unix)]
use super::fork;

/// Has these called around every later fork(): before it, then in the parent and in the child.
#[cfg(unix)]
pub fn around_forks(before: extern "C" fn(), in_parent: extern "C" fn(), in_child: extern "C" fn()) {
    // SAFETY: the library stays mapped (-z nodelete), so the handlers cannot dangle.
    unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
}

/// Elsewhere nothing forks.
#[cfg(not(unix))]
pub fn around_forks(_: extern "C" fn(), _: extern "C" fn(), _: extern "C" fn()) {}

/// When the library is loaded.
#[cfg(unix)]
#[used]
#[cfg_attr(target_vendor = "apple", link_section = "__DATA,__mod_init_func")]
#[cfg_attr(not(target_vendor = "apple"), link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = super::at_load;

/// Has this called when the process ends by exit() or by the return of main: the last that asked for it is called first.
pub fn at_exit(last: extern "C" fn()) {
    // SAFETY: as for forks, the handler cannot dangle.
    unsafe { libc::atexit(last) };
}

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
        let held = Self { file: ManuallyDrop::new(file), place, generation: fork::generation() };
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
        if self.generation != fork::generation() {
            return; // Closed already; the number may be another file's.
        }
        // Before the file is closed: a child must not close what gets its number next.
        self.place.store(-1, Ordering::Relaxed);
        // SAFETY: dropped once, and not used behind this line.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}

/// In a forked child: closes its copies of all [`LockedFile`]s. Async-signal-safe.
pub fn close_locked_files() {
    #[cfg(unix)]
    for place in &LOCKED_FILES {
        let file = place.swap(-1, Ordering::Relaxed);
        if file >= 0 {
            // SAFETY: the child's copy of a LockedFile's descriptor, which nothing in the child uses any more.
            unsafe { libc::close(file) };
        }
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
