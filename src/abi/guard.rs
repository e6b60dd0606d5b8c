//! What stands around every function of the C border, and this thread's last message.

use std::cell::RefCell;
use std::ffi::{c_char, CString};

use crate::process::panics;
use crate::status::{mpr_status, Error, Result, MPR_ERR_INTERNAL};

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// Runs the body of a function that returns a status.
pub(super) fn guard(function: &str, body: impl FnOnce() -> Result<mpr_status>) -> mpr_status {
    guarded(function, body).unwrap_or_else(|status| status)
}

/// Runs the body of a function that returns a value, with what it returns on failure.
pub(super) fn guard_or<T>(function: &str, fallback: T, body: impl FnOnce() -> Result<T>) -> T {
    guarded(function, body).unwrap_or(fallback)
}

fn guarded<T>(function: &str, body: impl FnOnce() -> Result<T>) -> std::result::Result<T, mpr_status> {
    match panics::contain(body) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(function, Ok(error))),
        Err(text) => Err(failed(function, Err(text))),
    }
}

/// Tells the thread. Kept out of the functions at the border: each of them would repeat it.
#[cold]
#[inline(never)]
fn failed(function: &str, error: std::result::Result<Error, String>) -> mpr_status {
    let error = error.unwrap_or_else(|text| Error::new(MPR_ERR_INTERNAL, format!("a defect in libmpr: {text}")));
    set_last_error(&format!("{function}: {}", error.message));
    error.status
}

/// Keeps a message for mpr_last_error(). Also used before a callback gets a status.
pub(super) fn set_last_error(message: &str) {
    let message = CString::new(message.replace('\0', "\u{fffd}")).unwrap_or_default();
    // While a thread ends its message is gone already; there is nobody left to read it.
    let _ = LAST_ERROR.try_with(|last| last.try_borrow_mut().map(|mut last| *last = message));
}

/// The pointer that mpr_last_error() returns.
pub(super) fn last_error() -> *const c_char {
    let kept = LAST_ERROR.try_with(|last| last.try_borrow().map(|last| last.as_ptr()).unwrap_or(c"".as_ptr()));
    kept.unwrap_or(c"".as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn a_panic_becomes_a_status_with_its_text_and_is_counted() {
        let before = panics::caught();
        assert_eq!(guard("mpr_test", || panic!("boom {}", 1)), MPR_ERR_INTERNAL);
        assert!(panics::caught() > before);
        // SAFETY: never NULL, NUL-terminated, and this thread makes no other call meanwhile.
        let text = unsafe { CStr::from_ptr(last_error()) };
        assert_eq!(text.to_str().unwrap(), "mpr_test: a defect in libmpr: boom 1");
        assert_eq!(guard_or("mpr_test", 7, || panic!("again")), 7);
    }
}
