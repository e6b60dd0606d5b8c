//! OTLP in: spans and logs of a host's own OpenTelemetry SDK.

use super::guard::guard;
use super::input;
use crate::otlp_in;
use crate::recorder;
use crate::status::{mpr_status, MPR_SKIPPED};

/// Takes the protobuf bytes of an ExportTraceServiceRequest. What belongs to a session (by its trace ids) is kept and
/// delivered with the library's own spans; the rest is the host's other exporter's. Names, attributes, exception and
/// status texts are masked; the attributes that mpr_capture_payload() makes stay as they are.
/// Text that is not UTF-8 is kept with U+FFFD for what is wrong. Copies; never waits for the network.
/// Returns MPR_OK, MPR_SKIPPED (recording is off, or nothing in it belongs to a session), MPR_ERR_INVALID_ARGUMENT (not
/// such a request), MPR_ERR_QUEUE_FULL (part of it was refused and counted). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_export_traces(otlp_request: *const u8, len: usize) -> mpr_status {
    guard("mpr_export_traces", || {
        // SAFETY: `len` readable bytes or NULL, as the header asks.
        let request = unsafe { input::bytes("otlp_request", otlp_request, len) }?;
        recorder::current().as_ref().map_or(Ok(MPR_SKIPPED), |recorder| otlp_in::traces(recorder, request))
    })
}

/// Takes the protobuf bytes of an ExportLogsServiceRequest, as mpr_export_traces() takes traces. Logs belong to a session
/// by their trace id; their bodies and attributes are masked. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_export_logs(otlp_request: *const u8, len: usize) -> mpr_status {
    guard("mpr_export_logs", || {
        // SAFETY: `len` readable bytes or NULL, as the header asks.
        let request = unsafe { input::bytes("otlp_request", otlp_request, len) }?;
        recorder::current().as_ref().map_or(Ok(MPR_SKIPPED), |recorder| otlp_in::logs(recorder, request))
    })
}
