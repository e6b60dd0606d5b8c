//! Panics stay inside the library: caught, counted, turned into text, and never printed to the host's stderr.

use std::any::Any;
use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static CAUGHT: AtomicU64 = AtomicU64::new(0);
/// (No lock, which a fork could leave held.)
static HOOKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Panics caught since the library was loaded; part of mpr_stats.
pub fn caught() -> u64 {
    CAUGHT.load(Ordering::Relaxed)
}

/// Counts one panic that somebody else caught (tokio, for a task).
pub fn count_one() {
    CAUGHT.fetch_add(1, Ordering::Relaxed);
}

/// Runs `body`; a panic in it becomes Err with its text.
pub fn contain<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    if !HOOKED.load(Ordering::Relaxed) {
        install_hook();
    }
    let outer = QUIET.try_with(|quiet| quiet.replace(true)).unwrap_or(true);
    let result = catch_unwind(AssertUnwindSafe(body)).map_err(describe);
    let _ = QUIET.try_with(|quiet| quiet.set(outer));
    result
}

// The compiler would repeat these two in every function of the C border.
#[cold]
#[inline(never)]
fn install_hook() {
    if HOOKED.swap(true, Ordering::Relaxed) {
        return;
    }
    // A Rust host shares this hook with us, so only panics on threads that are inside the library are silenced.
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !QUIET.try_with(Cell::get).unwrap_or(false) {
            previous(info);
        }
    }));
}

#[cold]
#[inline(never)]
fn describe(payload: Box<dyn Any + Send>) -> String {
    count_one();
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "panic without a text".to_owned(),
    };
    // A payload may panic again while it is dropped.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    text
}
