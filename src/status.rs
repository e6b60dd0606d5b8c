//! The status codes of the C ABI and the one error type that becomes them.

use std::fmt;

/// Result of every call that can fail. 0 is success, a positive value means "nothing to do", a negative one is an error.
/// The numbers are append-only and never reused. The text behind an error is in mpr_last_error(). Since 0.1.
#[allow(non_camel_case_types)]
pub type mpr_status = i32;

/// The call did what it says.
pub const MPR_OK: i32 = 0;
/// Nothing to do: recording is off, or the trace is not recorded.
pub const MPR_SKIPPED: i32 = 1;
/// An argument, option or JSON text is not usable; the message names it and says what would be right.
pub const MPR_ERR_INVALID_ARGUMENT: i32 = -1;
/// The call needs mpr_init() first.
pub const MPR_ERR_NOT_INITIALIZED: i32 = -2;
/// mpr_init() was called twice with no mpr_shutdown() between.
pub const MPR_ERR_ALREADY_INITIALIZED: i32 = -3;
/// The call does not fit the session's state, e.g. start while one runs.
pub const MPR_ERR_INVALID_STATE: i32 = -4;
/// The platform refused the API key (HTTP 401 or 403).
pub const MPR_ERR_UNAUTHORIZED: i32 = -5;
/// The platform refused the request or failed on it (any other 4xx, 500), or answered what cannot be understood.
pub const MPR_ERR_REJECTED: i32 = -6;
/// The platform cannot be reached or is not ready (429, 502, 503, 504).
pub const MPR_ERR_NETWORK: i32 = -7;
/// The time allowed was over before the answer came.
pub const MPR_ERR_TIMEOUT: i32 = -8;
/// The byte budget of the queue is full; the item was refused and counted.
pub const MPR_ERR_QUEUE_FULL: i32 = -9;
/// The caller's buffer is smaller than the result; the size needed was written.
pub const MPR_ERR_BUFFER_TOO_SMALL: i32 = -10;
/// A file could not be read, or a thread or socket could not be had from the system.
pub const MPR_ERR_IO: i32 = -11;
/// An earlier call failed inside this object; it answers only this from then on.
pub const MPR_ERR_POISONED: i32 = -12;
/// A defect in the library; the host goes on. The message says what it was.
pub const MPR_ERR_INTERNAL: i32 = -100;

/// Every status with its name and whether the same call may succeed when it is made again: the one table behind
/// mpr_status_name() and mpr_status_is_retryable().
const TABLE: &[(mpr_status, &std::ffi::CStr, bool)] = &[
    (MPR_OK, c"MPR_OK", false),
    (MPR_SKIPPED, c"MPR_SKIPPED", false),
    (MPR_ERR_INVALID_ARGUMENT, c"MPR_ERR_INVALID_ARGUMENT", false),
    (MPR_ERR_NOT_INITIALIZED, c"MPR_ERR_NOT_INITIALIZED", false),
    (MPR_ERR_ALREADY_INITIALIZED, c"MPR_ERR_ALREADY_INITIALIZED", false),
    (MPR_ERR_INVALID_STATE, c"MPR_ERR_INVALID_STATE", false),
    (MPR_ERR_UNAUTHORIZED, c"MPR_ERR_UNAUTHORIZED", false),
    (MPR_ERR_REJECTED, c"MPR_ERR_REJECTED", false),
    (MPR_ERR_NETWORK, c"MPR_ERR_NETWORK", true),
    (MPR_ERR_TIMEOUT, c"MPR_ERR_TIMEOUT", true),
    (MPR_ERR_QUEUE_FULL, c"MPR_ERR_QUEUE_FULL", true),
    (MPR_ERR_BUFFER_TOO_SMALL, c"MPR_ERR_BUFFER_TOO_SMALL", false),
    (MPR_ERR_IO, c"MPR_ERR_IO", true),
    (MPR_ERR_POISONED, c"MPR_ERR_POISONED", false),
    (MPR_ERR_INTERNAL, c"MPR_ERR_INTERNAL", false),
];

/// The constant's name, e.g. "MPR_ERR_TIMEOUT"; "MPR_UNKNOWN" for a number that is no status of this version.
pub fn name(status: mpr_status) -> &'static std::ffi::CStr {
    TABLE.iter().find(|row| row.0 == status).map_or(c"MPR_UNKNOWN", |row| row.1)
}

/// Whether the same call may succeed when it is made again later.
pub fn is_retryable(status: mpr_status) -> bool {
    TABLE.iter().any(|row| row.0 == status && row.2)
}

/// What went wrong: the status that the C caller gets and the text that mpr_last_error() gives. The text never holds
/// an API key or recorded content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The C status.
    pub status: mpr_status,
    /// One line for a person: what was wrong, with which value, and what would be right.
    pub message: String,
}

/// Result of everything below the C border.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with this status and text.
    pub fn new(status: mpr_status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// MPR_ERR_INVALID_ARGUMENT.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(MPR_ERR_INVALID_ARGUMENT, message)
    }

    /// MPR_ERR_INVALID_STATE.
    pub fn state(message: impl Into<String>) -> Self {
        Self::new(MPR_ERR_INVALID_STATE, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, name(self.status).to_string_lossy())
    }
}

impl std::error::Error for Error {}

/// A lock whose holder panicked guards half-changed state: whoever asks next is told, and does not run on it.
impl<T> From<std::sync::PoisonError<T>> for Error {
    fn from(_: std::sync::PoisonError<T>) -> Self {
        Self::new(MPR_ERR_POISONED, "an earlier call failed inside this object; it can only be freed")
    }
}
