//! Version, status names, this thread's last message.

use std::ffi::{c_char, CStr};

use super::guard::{guard_or, last_error};
use crate::status::{is_retryable, mpr_status, name};

/// The version that this header is of.
pub const MPR_VERSION_MAJOR: u32 = 0;
/// See MPR_VERSION_MAJOR.
pub const MPR_VERSION_MINOR: u32 = 1;
/// See MPR_VERSION_MAJOR.
pub const MPR_VERSION_PATCH: u32 = 0;
/// Goes up when functions are added; programs compiled against a smaller number go on working. Compare it with
/// mpr_abi_version() before using functions that were added later.
pub const MPR_ABI_VERSION: u32 = 1;

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// The library's version, e.g. "0.1.0". Static. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The library's MPR_ABI_VERSION. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_abi_version() -> u32 {
    MPR_ABI_VERSION
}

/// The name of a status, e.g. "MPR_ERR_TIMEOUT"; "MPR_UNKNOWN" for another number. Static. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_status_name(status: mpr_status) -> *const c_char {
    guard_or("mpr_status_name", c"MPR_UNKNOWN", || Ok(name(status))).as_ptr()
}

/// 1 when the same call may succeed when it is made again later, else 0. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_status_is_retryable(status: mpr_status) -> i32 {
    guard_or("mpr_status_is_retryable", 0, || Ok(i32::from(is_retryable(status))))
}

/// What the last failed call of this thread said, in one line: the function, what was wrong, and what would be right.
/// "" before the first failure. Never NULL, never an API key or recorded content. Valid until this thread's next call
/// that fails. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_last_error() -> *const c_char {
    last_error()
}
