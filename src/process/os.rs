//! What only the operating system can tell or do: what runs around a fork and at the end of the process, and which thread
//! gets signals. The unsafe lines outside src/abi are these, and those of mask/scan.rs for AVX2.

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
