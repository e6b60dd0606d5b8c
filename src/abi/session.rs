//! Sessions: start, stop, save, cancel, the remote check, and their twins that do not wait.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::guard::{guard, set_last_error};
use super::hooks::UserData;
use super::input;
use crate::process::exit;
use crate::process::worker::Work;
use crate::recorder::{self, Recorder};
use crate::session::{Details, Policy};
use crate::status::{mpr_status, Error, Result, MPR_OK};
use crate::trace::Kind;

/// A session with a start and an end; the platform ends it by itself after 630 s.
pub const MPR_SESSION_MANUAL: i32 = 0;
/// The same under its older name.
pub const MPR_SESSION_PLAIN: i32 = 0;
/// A rolling window of the last two minutes, kept by mpr_save() and, by itself, when a span ends in error.
pub const MPR_SESSION_CONTINUOUS: i32 = 1;

/// Gets the result of an _async call: what its blocking twin would return. mpr_last_error() tells the message inside the
/// callback. Called exactly once (never after exit() began), on the library's worker thread: it must not block, and blocking calls of this library
/// answer MPR_ERR_INVALID_STATE in it. Since 0.1.
pub type mpr_done_fn = Option<unsafe extern "C" fn(status: mpr_status, user_data: *mut c_void)>;

/// Starts a session: from here to mpr_stop() every trace that begins in this process belongs to it and is recorded whole.
/// (A trace that comes from elsewhere by its traceparent keeps its own id, and is recorded when that is of a session.)
/// `session_type` is MPR_SESSION_MANUAL or MPR_SESSION_CONTINUOUS. `session_json` is NULL or a JSON object with any of
/// name (text), sessionAttributes, resourceAttributes, userAttributes (objects), tags (array of text or {key, value}),
/// comment (text), shortId (8 lower-case hex digits; serves only where the server gives none). Blocks, timeout_ms at
/// most. When it fails no session was started. Returns MPR_OK, MPR_ERR_NOT_INITIALIZED, MPR_ERR_INVALID_ARGUMENT,
/// MPR_ERR_INVALID_STATE (one runs already, or called on the worker thread), MPR_ERR_UNAUTHORIZED, MPR_ERR_REJECTED,
/// MPR_ERR_NETWORK, MPR_ERR_TIMEOUT, MPR_ERR_IO. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_start(session_type: i32, session_json: *const c_char) -> mpr_status {
    guard("mpr_start", || {
        // SAFETY: passed on with the header's rules.
        let (recorder, details) = unsafe { prepare(session_json) }?;
        let kind = kind_of(session_type)?;
        recorder.session_call(Arc::clone(&recorder.sessions).start(kind, details, Policy::default()))
    })
}

/// Ends the session. What was recorded before the call is delivered first. A manual session is closed, with
/// `session_json` (NULL, or as for mpr_start()) added to it; keys of sessionAttributes that mpr_start() gave keep their
/// first value. A continuous one is ended, and what was saved of it stays. Blocks, timeout_ms at most. Stopped afterwards, whatever the platform
/// answers (not after MPR_ERR_INVALID_ARGUMENT, which changes nothing). Returns as mpr_start(); MPR_OK also when the platform has ended the session already
/// (404), MPR_ERR_INVALID_STATE when no session runs. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_stop(session_json: *const c_char) -> mpr_status {
    guard("mpr_stop", || {
        // SAFETY: passed on with the header's rules.
        let (recorder, details) = unsafe { prepare(session_json) }?;
        recorder.session_call(Arc::clone(&recorder.sessions).stop(details))
    })
}

/// Keeps the last two minutes of the continuous session that runs, as a session of their own; it goes on running. What
/// was recorded before the call is delivered first. `session_json` (NULL, or as for mpr_start()) is laid over what the
/// start gave. mpr_session_info() then has the id and url. Blocks, timeout_ms at most. Returns as mpr_start();
/// MPR_ERR_INVALID_STATE when no continuous session runs. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_save(session_json: *const c_char) -> mpr_status {
    guard("mpr_save", || {
        // SAFETY: passed on with the header's rules.
        let (recorder, details) = unsafe { prepare(session_json) }?;
        recorder.session_call(Arc::clone(&recorder.sessions).save(details))
    })
}

/// Ends the session and has the platform throw it away. Blocks, timeout_ms at most. Stopped afterwards, whatever it
/// returns. Returns as mpr_stop(). Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_cancel() -> mpr_status {
    guard("mpr_cancel", || {
        let recorder = recorder::required()?;
        recorder.session_call(Arc::clone(&recorder.sessions).cancel())
    })
}

/// Asks the platform whether to record now, and starts a session of the kind that it wants. Call it now and then, with
/// the attributes that its conditions look at in `session_json` (NULL, or as for mpr_start()). The platform has no
/// answer that means stop, so a session that runs goes on. Blocks, timeout_ms at most. Returns MPR_OK (a session was
/// started), MPR_SKIPPED (nothing to do; also for HTTP 500, the platform's answer to a condition on an attribute that
/// was not sent), else as mpr_start(). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_check_remote(session_json: *const c_char) -> mpr_status {
    guard("mpr_check_remote", || {
        // SAFETY: passed on with the header's rules.
        let (recorder, details) = unsafe { prepare(session_json) }?;
        recorder.session_call(Arc::clone(&recorder.sessions).check_remote(details))
    })
}

/// Writes the session's state as a JSON object, NUL-terminated: state ("stopped", "starting", "started", "ending"), and
/// of the session that runs, or ran last, type, id, shortId, name, url, startedAt, counts {spans, logs, errors}; while
/// a manual one runs endsAt and endsInMs (the platform's limit) and part (of a recording that was rolled over); saved
/// {id, url, at} after a save; endedBy ("stop", "cancel", "platform_limit", "shutdown", "failed_start"). The size that
/// is needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (NULL with a capacity), MPR_ERR_NOT_INITIALIZED, MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_session_info(json: *mut c_char, capacity: usize, needed: *mut usize) -> mpr_status {
    guard("mpr_session_info", || {
        let info = recorder::required()?.session_info()?.to_string();
        // SAFETY: `capacity` writable bytes and a size_t or NULL, as the header asks.
        unsafe { input::write_text(&info, json, capacity, needed) }.map(|()| MPR_OK)
    })
}

/// mpr_start() without waiting: returns at once, and `done` (may be NULL) gets the result. Session calls take turns in
/// the order in which they are made, so a stop may follow a start at once. Returns MPR_OK, or what is wrong with the
/// call itself (`done` is then not called). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_start_async(
    session_type: i32,
    session_json: *const c_char,
    done: mpr_done_fn,
    user_data: *mut c_void,
) -> mpr_status {
    guard("mpr_start_async", || {
        // SAFETY: passed on with the header's rules.
        let (recorder, details) = unsafe { prepare(session_json) }?;
        let kind = kind_of(session_type)?;
        let call = Box::pin(Arc::clone(&recorder.sessions).start(kind, details, Policy::default()));
        later(&recorder, "mpr_start_async", call, done, user_data)
    })
}

/// mpr_stop() without waiting; see mpr_start_async(). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_stop_async(
    session_json: *const c_char,
    done: mpr_done_fn,
    user_data: *mut c_void,
) -> mpr_status {
    guard("mpr_stop_async", || {
        // SAFETY: passed on with the header's rules.
        let (recorder, details) = unsafe { prepare(session_json) }?;
        let call = Box::pin(Arc::clone(&recorder.sessions).stop(details));
        later(&recorder, "mpr_stop_async", call, done, user_data)
    })
}

/// mpr_save() without waiting; see mpr_start_async(). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_save_async(
    session_json: *const c_char,
    done: mpr_done_fn,
    user_data: *mut c_void,
) -> mpr_status {
    guard("mpr_save_async", || {
        // SAFETY: passed on with the header's rules.
        let (recorder, details) = unsafe { prepare(session_json) }?;
        let call = Box::pin(Arc::clone(&recorder.sessions).save(details));
        later(&recorder, "mpr_save_async", call, done, user_data)
    })
}

/// mpr_cancel() without waiting; see mpr_start_async(). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_cancel_async(done: mpr_done_fn, user_data: *mut c_void) -> mpr_status {
    guard("mpr_cancel_async", || {
        let recorder = recorder::required()?;
        let call = Box::pin(Arc::clone(&recorder.sessions).cancel());
        later(&recorder, "mpr_cancel_async", call, done, user_data)
    })
}

/// mpr_check_remote() without waiting; see mpr_start_async(). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_check_remote_async(
    session_json: *const c_char,
    done: mpr_done_fn,
    user_data: *mut c_void,
) -> mpr_status {
    guard("mpr_check_remote_async", || {
        // SAFETY: passed on with the header's rules.
        let (recorder, details) = unsafe { prepare(session_json) }?;
        let call = Box::pin(Arc::clone(&recorder.sessions).check_remote(details));
        later(&recorder, "mpr_check_remote_async", call, done, user_data)
    })
}

unsafe fn prepare(session_json: *const c_char) -> Result<(Arc<Recorder>, Details)> {
    // SAFETY: a NUL-terminated string or NULL, as the header asks.
    let json = unsafe { input::opt_text("session_json", session_json) }?;
    recorder::for_session(json)
}

fn kind_of(session_type: i32) -> Result<Kind> {
    match session_type {
        MPR_SESSION_MANUAL => Ok(Kind::Manual),
        MPR_SESSION_CONTINUOUS => Ok(Kind::Continuous),
        other => Err(Error::invalid(format!(
            "session_type: {other} is not MPR_SESSION_MANUAL (0) or MPR_SESSION_CONTINUOUS (1)"
        ))),
    }
}

fn later(
    recorder: &Recorder,
    function: &'static str,
    call: Work<Result<mpr_status>>,
    done: mpr_done_fn,
    user_data: *mut c_void,
) -> Result<mpr_status> {
    // No finalizer: the callback comes exactly once, so the host frees in it.
    let data = UserData::new(user_data, None);
    let done = move |result: Result<mpr_status>| {
        let status = result.unwrap_or_else(|error| {
            set_last_error(&format!("{function}: {}", error.message));
            error.status
        });
        if let Some(done) = done.filter(|_| !exit::has_begun()) {
            // SAFETY: the host's function with the host's user_data.
            unsafe { done(status, data.get()) };
        }
    };
    recorder.session_call_async(call, done).map(|()| MPR_OK)
}
