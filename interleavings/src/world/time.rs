//! A clock that goes on when somebody sleeps, so that the same run is the same again.

use real_std::sync::atomic::{AtomicU64, Ordering};

pub use real_std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use super::tasks::{sleep, sleep_until, timeout, Elapsed};

/// A wait for so long does not end by itself: one that nobody ends is a deadlock, which shuttle tells.
pub const FOR_EVER: Duration = Duration::from_secs(1_000_000_000);
/// Others wait in so many steps.
const STEPS: u32 = 8;

static NOW: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

impl Instant {
    pub fn now() -> Self {
        Self(Duration::from_micros(NOW.load(Ordering::Relaxed)))
    }

    pub fn elapsed(&self) -> Duration {
        Self::now().saturating_duration_since(*self)
    }

    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl real_std::ops::Add<Duration> for Instant {
    type Output = Self;
    fn add(self, more: Duration) -> Self {
        Self(self.0 + more)
    }
}

impl real_std::ops::Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, less: Duration) -> Self {
        Self(self.0.saturating_sub(less))
    }
}

/// At the begin of each run.
pub fn begin() {
    NOW.store(0, Ordering::Relaxed);
}

/// Time that somebody sleeps.
pub fn pass(duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 4);
    NOW.fetch_add(micros.max(1), Ordering::Relaxed);
}

/// A part of a wait for so long.
pub fn step(limit: Duration) -> Duration {
    limit / STEPS
}

/// Whether a wait for so long ends by itself.
pub fn ends(limit: Duration) -> bool {
    limit < FOR_EVER / 2
}
