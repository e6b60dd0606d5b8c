//! The library's own diagnostics: to the host's callback and nowhere else. Never to stdout or stderr, never to the
//! recording itself, and never with an API key or recorded content.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicU8, Ordering};
use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// How much a line matters; the numbers are the ABI's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Something recorded was lost, or a session could not be kept.
    Error = 1,
    /// Something is not as configured, and recording goes on.
    Warn = 2,
    /// Sessions starting and ending, the worker coming and going.
    Info = 3,
    /// Single requests.
    Debug = 4,
}

/// The names that the option log_level and MPR_LOG take, in the order of severity; "off" silences everything.
pub const LEVEL_NAMES: &[&str] = &["off", "error", "warn", "info", "debug"];

/// The host's sink: a level and one line of text.
pub type Sink = dyn Fn(Level, &str) + Send + Sync;

static SINK: ArcSwapOption<Box<Sink>> = ArcSwapOption::const_empty();
static MAX_LEVEL: AtomicU8 = AtomicU8::new(0);

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Sets or removes the sink and the least severe level that reaches it. What it was is returned, to be dropped where no
/// lock is held: the host's finalizer runs then.
#[must_use]
pub fn set_sink(sink: Option<Box<Sink>>, max_level: u8) -> Option<Arc<Box<Sink>>> {
    MAX_LEVEL.store(if sink.is_some() { max_level } else { 0 }, Ordering::Relaxed);
    SINK.swap(sink.map(Arc::new))
}

/// [`write`] for what may happen with every span: the first of a second stands for all. (The numbers are in the stats.)
pub fn write_at_most_once_a_second(level: Level, text: impl FnOnce() -> String) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = super::clock::unix_nanos() / 1_000_000_000;
    if LAST.swap(now, Ordering::Relaxed) != now {
        write(level, text);
    }
}

/// Whether this thread is inside the sink, so that a call of it which would wait for the caller can be refused.
pub fn is_inside() -> bool {
    INSIDE.try_with(Cell::get).unwrap_or(false)
}

/// Hands a line to the sink. The text is made only when somebody listens. A sink that calls back into the library, which
/// then wants to log, is not called a second time.
pub fn write(level: Level, text: impl FnOnce() -> String) {
    if level as u8 > MAX_LEVEL.load(Ordering::Relaxed) {
        return;
    }
    let already_inside = INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(true);
    if already_inside {
        return;
    }
    if let Some(sink) = SINK.load_full() {
        sink(level, &text());
    }
    let _ = INSIDE.try_with(|inside| inside.set(false));
}
