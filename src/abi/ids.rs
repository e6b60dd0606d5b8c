//! Id and sampler hooks: the library's generator and sampler for a host's own OpenTelemetry.

use super::guard::{guard, guard_or};
use super::input;
use crate::recorder;
use crate::status::{mpr_status, Result, MPR_OK, MPR_SKIPPED};
use crate::trace::{ids, sampler, Kind};

/// An ordinary trace, of no session.
pub const MPR_TRACE_NONE: i32 = 0;
/// A documentation trace.
pub const MPR_TRACE_DOC: i32 = 1;
/// Of a manual session.
pub const MPR_TRACE_MANUAL: i32 = 2;
/// Of a continuous session.
pub const MPR_TRACE_CONTINUOUS: i32 = 3;
/// Of a client; its errors become issues.
pub const MPR_TRACE_SESSION: i32 = 4;
/// Of a client's crash buffer.
pub const MPR_TRACE_SESSION_CACHE: i32 = 5;

// cbindgen wants plain numbers; they are the module's own.
const _: () = assert!(
    MPR_TRACE_NONE == Kind::None as i32
        && MPR_TRACE_DOC == Kind::Doc as i32
        && MPR_TRACE_MANUAL == Kind::Manual as i32
        && MPR_TRACE_CONTINUOUS == Kind::Continuous as i32
        && MPR_TRACE_SESSION == Kind::Session as i32
        && MPR_TRACE_SESSION_CACHE == Kind::SessionCache as i32
);

/// The trace is not recorded.
pub const MPR_DROP: i32 = 0;
/// The trace is recorded and its context says so.
pub const MPR_RECORD_AND_SAMPLE: i32 = 2;

/// Writes a new random trace id of 16 bytes. While a session runs the id carries it. Never blocks or allocates. Returns
/// MPR_OK, MPR_SKIPPED (recording is off; the id is valid all the same) or MPR_ERR_INVALID_ARGUMENT. Since 0.1.
///
/// cbindgen:ptrs-as-arrays=[[out;16]]
#[no_mangle]
pub unsafe extern "C" fn mpr_generate_trace_id(out: *mut u8) -> mpr_status {
    // SAFETY: 16 writable bytes or NULL, as the header asks.
    guard("mpr_generate_trace_id", || unsafe { input::write("out", out.cast(), ids::trace_id()) }.and_then(on_or_off))
}

/// Writes a new random span id of 8 bytes. Never blocks or allocates. Returns as mpr_generate_trace_id(). Since 0.1.
///
/// cbindgen:ptrs-as-arrays=[[out;8]]
#[no_mangle]
pub unsafe extern "C" fn mpr_generate_span_id(out: *mut u8) -> mpr_status {
    // SAFETY: 8 writable bytes or NULL, as the header asks.
    guard("mpr_generate_span_id", || unsafe { input::write("out", out.cast(), ids::span_id()) }.and_then(on_or_off))
}

/// What a trace id of 16 bytes says: MPR_TRACE_NONE, _DOC, _MANUAL, _CONTINUOUS, _SESSION or _SESSION_CACHE. NULL is
/// MPR_TRACE_NONE. Works with recording off. Since 0.1.
///
/// cbindgen:ptrs-as-arrays=[[trace_id;16]]
#[no_mangle]
pub unsafe extern "C" fn mpr_trace_kind(trace_id: *const u8) -> i32 {
    guard_or("mpr_trace_kind", MPR_TRACE_NONE, || {
        // SAFETY: 16 readable bytes or NULL, as the header asks.
        Ok(Kind::of(&unsafe { input::id("trace_id", trace_id) }?) as i32)
    })
}

/// Whether a root trace is recorded: MPR_RECORD_AND_SAMPLE for a session's and for documentation traces, others by
/// `ratio` (0 to 1) on the low 64 bits of the id, as the OpenTelemetry SDKs do it; else MPR_DROP. NULL is MPR_DROP.
/// Works with recording off. Since 0.1.
///
/// cbindgen:ptrs-as-arrays=[[trace_id;16]]
#[no_mangle]
pub unsafe extern "C" fn mpr_should_sample(trace_id: *const u8, ratio: f64) -> i32 {
    guard_or("mpr_should_sample", MPR_DROP, || {
        // SAFETY: 16 readable bytes or NULL, as the header asks.
        let trace_id = unsafe { input::id("trace_id", trace_id) }?;
        Ok(if sampler::should_sample(&trace_id, ratio) { MPR_RECORD_AND_SAMPLE } else { MPR_DROP })
    })
}

fn on_or_off((): ()) -> Result<mpr_status> {
    Ok(if recorder::is_on() { MPR_OK } else { MPR_SKIPPED })
}
