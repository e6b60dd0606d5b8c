//! Spans and exceptions for hosts with no OpenTelemetry of their own, and W3C trace context.

use std::ffi::c_char;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Map, Value};

use super::capture::{finish, kind_of, mpr_capture, payload};
use super::guard::{guard, guard_or};
use super::handles::Handles;
use super::input;
use crate::config::options::parse_object;
use crate::pipeline::otlp::Plain;
use crate::recorder;
use crate::spans::{format_traceparent, parse_traceparent, Ids, OwnSpan, Recording};
use crate::status::{mpr_status, Error, Result, MPR_OK, MPR_SKIPPED};
use crate::trace::ids;

/// No convention comes near it, and the platform drops a span whose keys alone are too long.
const LONGEST_KEY: usize = 4096;

static TABLE: Handles<OwnSpan> = Handles::new("span", 3);

/// Work inside a service; also what 0 means.
pub const MPR_SPAN_KIND_INTERNAL: i32 = 1;
/// Handles a request of a client.
pub const MPR_SPAN_KIND_SERVER: i32 = 2;
/// Makes a request to a server.
pub const MPR_SPAN_KIND_CLIENT: i32 = 3;
/// Puts a message into a queue.
pub const MPR_SPAN_KIND_PRODUCER: i32 = 4;
/// Takes a message from a queue.
pub const MPR_SPAN_KIND_CONSUMER: i32 = 5;

/// Nothing is said about success.
pub const MPR_SPAN_STATUS_UNSET: i32 = 0;
/// Succeeded.
pub const MPR_SPAN_STATUS_OK: i32 = 1;
/// Failed.
pub const MPR_SPAN_STATUS_ERROR: i32 = 2;

/// A span between its begin and its end. Since 0.1.
pub struct mpr_span {
    _private: [u8; 0],
}

/// The ids and flags of a span, of this process or another: 32 bytes, to be copied as they are. Bit 0 of trace_flags is
/// "sampled". `reserved` is the library's (it knows by it a parent of this process): zero in a context that a host makes.
/// Since 0.1.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mpr_span_context {
    /// All zero: no trace.
    pub trace_id: [u8; 16],
    /// All zero: no span.
    pub span_id: [u8; 8],
    /// W3C trace flags.
    pub trace_flags: u8,
    /// The library's own.
    pub reserved: [u8; 7],
}

impl From<Ids> for mpr_span_context {
    fn from(ids: Ids) -> Self {
        let reserved = [u8::from(ids.local), 0, 0, 0, 0, 0, 0];
        Self { trace_id: ids.trace_id, span_id: ids.span_id, trace_flags: ids.flags, reserved }
    }
}

impl From<mpr_span_context> for Ids {
    fn from(context: mpr_span_context) -> Self {
        let local = context.reserved[0] == 1;
        Self { trace_id: context.trace_id, span_id: context.span_id, flags: context.trace_flags, local }
    }
}

/// Begins a span below `parent` (NULL or invalid: a root span). `kind` is one of MPR_SPAN_KIND_*. A session's traces are
/// recorded, others follow their parent or sample_ratio. Also for a trace that is not recorded, and with recording off,
/// the result is a span, whose context can be passed on and whose calls answer MPR_SKIPPED. It belongs to the caller
/// until mpr_span_end(). NULL for a name that is NULL or not UTF-8, or an unknown kind. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_span_begin(
    name: *const c_char,
    kind: i32,
    parent: *const mpr_span_context,
) -> *mut mpr_span {
    guard_or("mpr_span_begin", std::ptr::null_mut(), || {
        // SAFETY: a NUL-terminated string and a context or NULL, as the header asks.
        let (name, parent) = unsafe { (input::text("name", name)?, input::opt_struct(parent).map(Ids::from)) };
        let kind = match kind {
            0 | MPR_SPAN_KIND_INTERNAL => SpanKind::Internal,
            MPR_SPAN_KIND_SERVER => SpanKind::Server,
            MPR_SPAN_KIND_CLIENT => SpanKind::Client,
            MPR_SPAN_KIND_PRODUCER => SpanKind::Producer,
            MPR_SPAN_KIND_CONSUMER => SpanKind::Consumer,
            other => return Err(Error::invalid(format!("kind: {other} is not one of MPR_SPAN_KIND_* (1 to 5)"))),
        };
        let span = match recorder::current().as_ref() {
            Some(recorder) => recorder.tracer.begin(name, kind, parent),
            None => {
                let parent = parent.filter(Ids::is_valid);
                let trace_id = parent.map_or_else(ids::trace_id, |parent| parent.trace_id);
                OwnSpan::Skipped(Ids { trace_id, span_id: ids::span_id(), flags: 0, local: true })
            }
        };
        Ok(TABLE.insert(span)? as *mut mpr_span)
    })
}

/// Sets an attribute; a second value for a key (1 to 4096 bytes) replaces the first. Secrets in the text are masked.
/// Returns MPR_OK, MPR_SKIPPED (not recorded), MPR_ERR_QUEUE_FULL (queue_max_bytes is used up, the attribute is left out),
/// MPR_ERR_INVALID_ARGUMENT, MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_span_set_string(
    span: *mut mpr_span,
    key: *const c_char,
    value: *const c_char,
) -> mpr_status {
    guard("mpr_span_set_string", || {
        // SAFETY: a NUL-terminated string, as the header asks.
        let value = unsafe { input::text("value", value) }?;
        // SAFETY: as above.
        unsafe { set(span, key, |span, key| span.set_text(key, value)) }
    })
}

/// Sets an attribute that is a whole number. Returns as mpr_span_set_string(). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_span_set_int(span: *mut mpr_span, key: *const c_char, value: i64) -> mpr_status {
    // SAFETY: a NUL-terminated string, as the header asks.
    guard("mpr_span_set_int", || unsafe { set(span, key, |span, key| span.set_plain(key, Plain::Int(value))) })
}

/// Sets an attribute that is a number. Returns as mpr_span_set_string(). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_span_set_double(span: *mut mpr_span, key: *const c_char, value: f64) -> mpr_status {
    // SAFETY: a NUL-terminated string, as the header asks.
    guard("mpr_span_set_double", || unsafe { set(span, key, |span, key| span.set_plain(key, Plain::Double(value))) })
}

/// Sets an attribute that is true (1) or false (0). Returns as mpr_span_set_string(). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_span_set_bool(span: *mut mpr_span, key: *const c_char, value: i32) -> mpr_status {
    guard("mpr_span_set_bool", || match value {
        // SAFETY: a NUL-terminated string, as the header asks.
        0 | 1 => unsafe { set(span, key, |span, key| span.set_plain(key, Plain::Bool(value == 1))) },
        _ => Err(Error::invalid(format!("value: {value} is not 0 or 1"))),
    })
}

/// Adds an event that happens now. `attributes_json` is NULL or a JSON object. Returns as mpr_span_set_string().
/// Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_span_add_event(
    span: *mut mpr_span,
    name: *const c_char,
    attributes_json: *const c_char,
) -> mpr_status {
    guard("mpr_span_add_event", || {
        // SAFETY: NUL-terminated strings or NULL, as the header asks.
        let (name, json) =
            unsafe { (input::text("name", name)?, input::opt_text("attributes_json", attributes_json)?) };
        let attributes = attributes(json)?;
        recorded(span, |span| span.add_event(name, attributes))
    })
}

/// Says whether the work succeeded. `code` is one of MPR_SPAN_STATUS_*; `message` (may be NULL) is kept with
/// MPR_SPAN_STATUS_ERROR. OK is final; an error is not taken back, and a later one with a message replaces it. Returns
/// as mpr_span_set_string(). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_span_set_status(span: *mut mpr_span, code: i32, message: *const c_char) -> mpr_status {
    guard("mpr_span_set_status", || {
        // SAFETY: a NUL-terminated string or NULL, as the header asks.
        let message = unsafe { input::opt_text("message", message) }?.unwrap_or_default();
        match code {
            MPR_SPAN_STATUS_UNSET | MPR_SPAN_STATUS_OK | MPR_SPAN_STATUS_ERROR => {}
            other => return Err(Error::invalid(format!("code: {other} is not one of MPR_SPAN_STATUS_* (0 to 2)"))),
        }
        recorded(span, |span| {
            match code {
                MPR_SPAN_STATUS_OK => span.set_ok(),
                MPR_SPAN_STATUS_ERROR => span.set_error(message),
                _ => {}
            }
            Ok(())
        })
    })
}

/// Puts an exception on a span and marks the span failed. `type` is required (e.g. "std::out_of_range"), `message` and
/// `stacktrace` may be NULL. Secrets are masked, raw addresses (0x7ffd…) left out: write frames as function (file:line)
/// or module+offset. Returns as mpr_span_set_string(). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_span_record_exception(
    span: *mut mpr_span,
    type_: *const c_char,
    message: *const c_char,
    stacktrace: *const c_char,
) -> mpr_status {
    guard("mpr_span_record_exception", || {
        // SAFETY: NUL-terminated strings or NULL, as the header asks.
        let (kind, message, stacktrace) = unsafe { exception(type_, message, stacktrace) }?;
        let Some(recorder) = recorder::current().as_ref().map(std::sync::Arc::clone) else { return Ok(MPR_SKIPPED) };
        recorded(span, |span| {
            recorder.tracer.record_exception(span, kind, message, stacktrace);
            Ok(())
        })
    })
}

/// Captures a payload onto a span: mpr_capture_payload() for spans of this library. Returns as mpr_span_set_string().
/// Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_span_capture_payload(
    span: *mut mpr_span,
    kind: i32,
    headers: *const c_char,
    headers_len: usize,
    body: *const u8,
    body_len: usize,
) -> mpr_status {
    guard("mpr_span_capture_payload", || {
        let kind = kind_of(kind)?;
        let trace_id = TABLE.with(span as usize, |span| Ok(span.ids().trace_id))?;
        let recorder = recorder::current().as_ref().filter(|r| r.wants_content(&trace_id)).map(std::sync::Arc::clone);
        let Some(recorder) = recorder else { return Ok(MPR_SKIPPED) };
        // SAFETY: readable as the header asks.
        let (headers, body) = unsafe { payload(headers, headers_len, body, body_len) }?;
        let mut attributes = Vec::new();
        // Masked outside the span's lock: a mask callback of the host may use the span.
        recorder.capture(kind, &headers, body, &mut |key, value| {
            attributes.push((key.to_owned(), value.to_owned()));
        });
        recorded(span, |span| span.set_masked(&attributes))
    })
}

/// mpr_capture_end() for spans of this library: the payload is complete, and its attributes go onto the span as they are.
/// (mpr_span_set_string() in a callback would mask them a second time.) Free the capture afterwards. Returns MPR_OK,
/// MPR_SKIPPED (`capture` is NULL, or the span is not recorded), MPR_ERR_INVALID_ARGUMENT, MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_span_capture_end(span: *mut mpr_span, capture: *mut mpr_capture) -> mpr_status {
    guard("mpr_span_capture_end", || {
        if capture.is_null() {
            return Ok(MPR_SKIPPED);
        }
        TABLE.with(span as usize, |_| Ok(()))?;
        let mut attributes = Vec::new();
        finish(capture, &mut |key, value| attributes.push((key.to_owned(), value.to_owned())))?;
        recorded(span, |span| span.set_masked(&attributes))
    })
}

/// Writes the span's ids and flags, to be the parent of other spans or to be sent as traceparent. Works for every span
/// until its end. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT, MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_span_get_context(span: *const mpr_span, context: *mut mpr_span_context) -> mpr_status {
    guard("mpr_span_get_context", || {
        let ids = TABLE.with(span as usize, |span| Ok(span.ids()))?;
        // SAFETY: a writable context or NULL, as the header asks.
        unsafe { input::write("context", context, ids.into()) }.map(|()| MPR_OK)
    })
}

/// Ends a span, queues it for delivery and frees it. NULL is fine. Never waits for the network. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_span_end(span: *mut mpr_span) {
    guard_or("mpr_span_end", (), || {
        if span.is_null() {
            return Ok(());
        }
        if let OwnSpan::Recording(span) = TABLE.remove(span as usize)? {
            span.end();
        }
        Ok(())
    });
}

/// Reads a W3C traceparent header. Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT (NULL, or not a valid one; `*context` is
/// then all zero, which begins a new trace: the result need not be looked at). Works with recording off. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_traceparent_parse(
    traceparent: *const c_char,
    context: *mut mpr_span_context,
) -> mpr_status {
    guard("mpr_traceparent_parse", || {
        // SAFETY: a NUL-terminated string or NULL, as the header asks.
        let parsed = unsafe { input::opt_text("traceparent", traceparent) }.ok().flatten().and_then(parse_traceparent);
        // SAFETY: a writable context or NULL, as the header asks.
        unsafe { input::write("context", context, parsed.unwrap_or_default().into()) }?;
        parsed.map(|_| MPR_OK).ok_or_else(|| Error::invalid("traceparent: not 00-<32 hex>-<16 hex>-<2 hex>"))
    })
}

/// Writes a W3C traceparent header of 55 characters and a NUL. Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT. Works with
/// recording off. Since 0.1.
///
/// cbindgen:ptrs-as-arrays=[[out;56]]
#[no_mangle]
pub unsafe extern "C" fn mpr_traceparent_format(context: *const mpr_span_context, out: *mut c_char) -> mpr_status {
    guard("mpr_traceparent_format", || {
        // SAFETY: a readable context or NULL, as the header asks.
        let context = unsafe { input::opt_struct(context) }.ok_or_else(|| Error::invalid("context: NULL"))?;
        let ids = Ids::from(context);
        if !ids.is_valid() {
            return Err(Error::invalid("context: the trace id or the span id is all zero"));
        }
        if out.is_null() {
            return Err(Error::invalid("out: NULL"));
        }
        // SAFETY: 56 writable bytes, as the header asks.
        unsafe { input::write_text(&format_traceparent(&ids), out, 56, std::ptr::null_mut()) }.map(|()| MPR_OK)
    })
}

/// Records an exception that no span of this library stands for, below `context` (NULL: a trace of its own in the running
/// session). Arguments as for mpr_span_record_exception(). Returns MPR_OK, MPR_SKIPPED (recording is off, or the trace is
/// not recorded), MPR_ERR_INVALID_ARGUMENT. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_capture_exception(
    type_: *const c_char,
    message: *const c_char,
    stacktrace: *const c_char,
    context: *const mpr_span_context,
) -> mpr_status {
    guard("mpr_capture_exception", || {
        // SAFETY: NUL-terminated strings or NULL and a context or NULL, as the header asks.
        let (kind, message, stacktrace) = unsafe { exception(type_, message, stacktrace) }?;
        // SAFETY: as above.
        let context = unsafe { input::opt_struct(context) }.map(Ids::from);
        let recorder = recorder::current();
        let recorded = recorder.as_ref().is_some_and(|r| r.tracer.exception(kind, message, stacktrace, context));
        Ok(if recorded { MPR_OK } else { MPR_SKIPPED })
    })
}

unsafe fn exception<'a>(
    kind: *const c_char,
    message: *const c_char,
    stacktrace: *const c_char,
) -> Result<(&'a str, &'a str, &'a str)> {
    // SAFETY: the caller's promise.
    unsafe {
        Ok((
            input::text("type", kind)?,
            input::opt_text("message", message)?.unwrap_or_default(),
            input::opt_text("stacktrace", stacktrace)?.unwrap_or_default(),
        ))
    }
}

unsafe fn set(
    span: *mut mpr_span,
    key: *const c_char,
    set: impl FnOnce(&mut Recording, &str) -> Result<()>,
) -> Result<mpr_status> {
    // SAFETY: a NUL-terminated string, as the header asks.
    let key = unsafe { input::text("key", key) }?;
    if !(1..=LONGEST_KEY).contains(&key.len()) {
        return Err(Error::invalid(format!("key: {} bytes; use 1 to {LONGEST_KEY}", key.len())));
    }
    recorded(span, |span| set(span, key))
}

/// Works on a span that is recorded.
fn recorded(span: *mut mpr_span, work: impl FnOnce(&mut Recording) -> Result<()>) -> Result<mpr_status> {
    TABLE.with(span as usize, |span| match span {
        OwnSpan::Recording(span) => work(span).map(|()| MPR_OK),
        OwnSpan::Skipped(_) => Ok(MPR_SKIPPED),
    })
}

/// The attributes of a JSON object.
pub(super) fn attributes(json: Option<&str>) -> Result<Map<String, Value>> {
    json.map_or_else(|| Ok(Map::new()), |json| parse_object("attributes_json", json))
}
