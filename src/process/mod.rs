//! What the library needs of the process that it lives in: its worker thread, forks, clocks, panics kept inside, and
//! the host's log callback.

pub mod clock;
pub mod exit;
pub mod fork;
pub mod log;
pub mod os;
pub mod panics;
pub mod worker;
