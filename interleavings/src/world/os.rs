//! The library's own, but for what calls back: a fork and the end of the process come when a test wants them.

use real_std::sync::Mutex;

use super::fork;

#[path = "../../../src/process/os.rs"]
mod real;

pub use real::{close_locked_files, user, without_signals, LockedFile};

extern "C" fn at_load() {}

#[derive(Clone, Copy)]
pub struct AroundForks {
    pub before: extern "C" fn(),
    pub in_parent: extern "C" fn(),
    pub in_child: extern "C" fn(),
}

static AROUND_FORKS: Mutex<Option<AroundForks>> = Mutex::new(None);
static AT_EXIT: Mutex<Vec<extern "C" fn()>> = Mutex::new(Vec::new());

pub fn around_forks(before: extern "C" fn(), in_parent: extern "C" fn(), in_child: extern "C" fn()) {
    *AROUND_FORKS.lock().unwrap() = Some(AroundForks { before, in_parent, in_child });
}

pub fn at_exit(last: extern "C" fn()) {
    AT_EXIT.lock().unwrap().push(last);
}

/// What the system would call.
pub fn handlers() -> (AroundForks, Vec<extern "C" fn()>) {
    let forks = *AROUND_FORKS.lock().unwrap();
    (forks.unwrap(), AT_EXIT.lock().unwrap().iter().rev().copied().collect())
}
