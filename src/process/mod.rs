//! What the library needs of the process that it lives in: its worker thread, forks, clocks, panics kept inside, and
//! the host's log callback.

pub mod clock;
pub mod exit;
pub mod fork;
pub mod log;
pub mod os;
pub mod panics;
pub mod worker;

/// Handlers of forks and of the end are there before anything can need them: a fork may come in the middle of the first init, and
/// what is registered first is called last.
extern "C" fn at_load() {
    fork::watch();
    exit::watch_first();
}
