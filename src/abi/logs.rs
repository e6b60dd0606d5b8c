//! Logs for hosts with no OpenTelemetry of their own.

use std::ffi::c_char;

use super::guard::guard;
use super::input;
use super::spans::{attributes, mpr_span_context};
use crate::recorder;
use crate::spans::Ids;
use crate::status::{mpr_status, Error, MPR_SKIPPED};

/// Severity numbers are OpenTelemetry's, 1 to 24; these are the ones with plain names.
pub const MPR_SEVERITY_TRACE: i32 = 1;
/// See MPR_SEVERITY_TRACE.
pub const MPR_SEVERITY_DEBUG: i32 = 5;
/// See MPR_SEVERITY_TRACE.
pub const MPR_SEVERITY_INFO: i32 = 9;
/// See MPR_SEVERITY_TRACE.
pub const MPR_SEVERITY_WARN: i32 = 13;
/// See MPR_SEVERITY_TRACE.
pub const MPR_SEVERITY_ERROR: i32 = 17;
/// See MPR_SEVERITY_TRACE.
pub const MPR_SEVERITY_FATAL: i32 = 21;

/// Records a log in the session of `context` (NULL: the running session). `body` is text of `len` bytes; bytes that are
/// not UTF-8 become U+FFFD, secrets are masked. `attributes_json` is NULL or a JSON object. Never waits for the network.
/// Returns MPR_OK, MPR_SKIPPED (recording is off, or it belongs to no session), MPR_ERR_INVALID_ARGUMENT,
/// MPR_ERR_QUEUE_FULL. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_log(
    severity_number: i32,
    body: *const c_char,
    len: usize,
    attributes_json: *const c_char,
    context: *const mpr_span_context,
) -> mpr_status {
    guard("mpr_log", || {
        if !(1..=24).contains(&severity_number) {
            return Err(Error::invalid(format!("severity_number: {severity_number} is not 1 (trace) to 24 (fatal)")));
        }
        // SAFETY: readable or NULL, as the header asks.
        let (body, json) =
            unsafe { (input::bytes("body", body.cast(), len)?, input::opt_text("attributes_json", attributes_json)?) };
        // SAFETY: as above.
        let context = unsafe { input::opt_struct(context) }.map(Ids::from);
        let recorder = recorder::current();
        let Some(recorder) = recorder.as_ref() else { return Ok(MPR_SKIPPED) };
        recorder.logger.log(severity_number, &String::from_utf8_lossy(body), attributes(json)?, context)
    })
}
