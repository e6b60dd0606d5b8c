//! Threads.

use super::time::{self, Duration};

pub use shuttle::thread::*;

/// Others run meanwhile, and time passes.
pub fn sleep(duration: Duration) {
    time::pass(duration);
    shuttle::thread::yield_now();
}

/// Another thread may run here.
pub fn switch() {
    shuttle::thread::sleep(Duration::ZERO);
}
