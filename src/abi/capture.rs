//! Payloads: captured and masked on the caller's thread, handed back as finished attributes.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::guard::{guard, guard_or};
use super::handles::Handles;
use super::input;
use crate::capture::{self, Kind, Stream};
use crate::mask;
use crate::recorder::{self, Recorder};
use crate::status::{mpr_status, Error, Result, MPR_OK, MPR_SKIPPED};

static TABLE: Handles<Capture> = Handles::new("capture", 2);

/// Headers and body of an HTTP request.
pub const MPR_PAYLOAD_HTTP_REQUEST: i32 = 1;
/// Headers and body of an HTTP response.
pub const MPR_PAYLOAD_HTTP_RESPONSE: i32 = 2;
/// Arguments of a remote call.
pub const MPR_PAYLOAD_RPC_REQUEST: i32 = 3;
/// Result of a remote call.
pub const MPR_PAYLOAD_RPC_RESPONSE: i32 = 4;
/// Metadata and message of a gRPC request.
pub const MPR_PAYLOAD_GRPC_REQUEST: i32 = 5;
/// Metadata and message of a gRPC response.
pub const MPR_PAYLOAD_GRPC_RESPONSE: i32 = 6;
/// Headers and body of a queue's message.
pub const MPR_PAYLOAD_MESSAGE: i32 = 7;

// cbindgen wants plain numbers; they are the module's own.
const _: () = assert!(
    MPR_PAYLOAD_HTTP_REQUEST == Kind::HttpRequest as i32
        && MPR_PAYLOAD_HTTP_RESPONSE == Kind::HttpResponse as i32
        && MPR_PAYLOAD_RPC_REQUEST == Kind::RpcRequest as i32
        && MPR_PAYLOAD_RPC_RESPONSE == Kind::RpcResponse as i32
        && MPR_PAYLOAD_GRPC_REQUEST == Kind::GrpcRequest as i32
        && MPR_PAYLOAD_GRPC_RESPONSE == Kind::GrpcResponse as i32
        && MPR_PAYLOAD_MESSAGE == Kind::Message as i32
);

/// Gets one finished attribute: set it on the span. Key and value are UTF-8, valid during the call, and each has a NUL
/// behind it that its length does not count. Called on the thread that captures, before the call returns. Since 0.1.
pub type mpr_attribute_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        key: *const c_char,
        key_len: usize,
        value: *const c_char,
        value_len: usize,
    ),
>;

/// A payload that arrives in pieces. Since 0.1.
pub struct mpr_capture {
    _private: [u8; 0],
}

struct Capture {
    recorder: Arc<Recorder>,
    stream: Stream,
}

/// Captures one payload for a trace: filters, decompresses, masks and bounds it, then hands each finished attribute to
/// `fn` on this thread before it returns. `kind` is one of MPR_PAYLOAD_*. `headers` is "Name: value\r\n…" without a
/// request or status line, or NULL; `body` may be NULL with length 0. Nothing of a body that is not understood leaves: a
/// note of type and size stands in its place. Never waits for the network. Returns MPR_OK, MPR_SKIPPED (the trace is not
/// recorded; costs one comparison, and nothing else is looked at), MPR_ERR_INVALID_ARGUMENT. Since 0.1.
///
/// cbindgen:ptrs-as-arrays=[[trace_id;16]]
#[no_mangle]
pub unsafe extern "C" fn mpr_capture_payload(
    kind: i32,
    trace_id: *const u8,
    headers: *const c_char,
    headers_len: usize,
    body: *const u8,
    body_len: usize,
    fn_: mpr_attribute_fn,
    user_data: *mut c_void,
) -> mpr_status {
    guard("mpr_capture_payload", || {
        // SAFETY: 16 readable bytes or NULL, as the header asks.
        let trace_id = unsafe { input::id("trace_id", trace_id) }?;
        let Some(recorder) = recording(&trace_id) else { return Ok(MPR_SKIPPED) };
        let kind = kind_of(kind)?;
        let emit = fn_.ok_or_else(|| Error::invalid("fn: NULL"))?;
        // SAFETY: readable as the header asks.
        let (headers, body) = unsafe { payload(headers, headers_len, body, body_len) }?;
        recorder.capture(kind, &headers, body, &mut |key, value| {
            // SAFETY: the host's function with the host's user_data.
            unsafe { hand_over(emit, user_data, key, value) };
        });
        Ok(MPR_OK)
    })
}

/// Begins the capture of a payload that arrives in pieces (end it with mpr_capture_end(), or with mpr_span_capture_end()
/// for a span of this library), for a trace of 16 bytes. NULL when the trace is not recorded
/// (the other calls take NULL and answer MPR_SKIPPED) or `kind` is unknown. It holds a bounded part of the body,
/// whatever arrives, and belongs to the caller until mpr_capture_free(). Since 0.1.
///
/// cbindgen:ptrs-as-arrays=[[trace_id;16]]
#[no_mangle]
pub unsafe extern "C" fn mpr_capture_begin(kind: i32, trace_id: *const u8) -> *mut mpr_capture {
    guard_or("mpr_capture_begin", std::ptr::null_mut(), || {
        // SAFETY: 16 readable bytes or NULL, as the header asks.
        let trace_id = unsafe { input::id("trace_id", trace_id) }?;
        let Some(recorder) = recording(&trace_id) else { return Ok(std::ptr::null_mut()) };
        let stream = Stream::begin(&recorder.config.capture, kind_of(kind)?);
        Ok(TABLE.insert(Capture { recorder, stream })? as *mut mpr_capture)
    })
}

/// Adds one header. Copies. Content-Type and Content-Encoding belong before the body, which is masked as it arrives: told after a
/// long one, it becomes a note. Returns MPR_OK, MPR_SKIPPED (`capture` is NULL), MPR_ERR_INVALID_ARGUMENT,
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_capture_header(
    capture: *mut mpr_capture,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
) -> mpr_status {
    guard("mpr_capture_header", || {
        if capture.is_null() {
            return Ok(MPR_SKIPPED);
        }
        // SAFETY: readable as the header asks.
        let name = unsafe { input::bytes("name", name.cast(), name_len) }?;
        // SAFETY: as above.
        let value = unsafe { input::bytes("value", value.cast(), value_len) }?;
        TABLE.with(capture as usize, |capture| {
            capture.stream.header(name, value).map_err(|e| Error::invalid(e.to_string()))?;
            Ok(MPR_OK)
        })
    })
}

/// Adds a piece of the body. Copies what is kept. Returns MPR_OK, MPR_SKIPPED (`capture` is NULL),
/// MPR_ERR_INVALID_ARGUMENT, MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_capture_body(capture: *mut mpr_capture, chunk: *const u8, len: usize) -> mpr_status {
    guard("mpr_capture_body", || {
        if capture.is_null() {
            return Ok(MPR_SKIPPED);
        }
        // SAFETY: readable as the header asks.
        let chunk = unsafe { input::bytes("chunk", chunk, len) }?;
        TABLE.with(capture as usize, |capture| {
            let Capture { recorder, stream } = capture;
            stream.body(&recorder.config.capture, chunk);
            Ok(MPR_OK)
        })
    })
}

/// The payload is complete: masks it and hands each finished attribute to `fn` on this thread before it returns. Free
/// the capture afterwards; a second end finds it empty. Returns MPR_OK, MPR_SKIPPED (`capture` is NULL),
/// MPR_ERR_INVALID_ARGUMENT, MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_capture_end(
    capture: *mut mpr_capture,
    fn_: mpr_attribute_fn,
    user_data: *mut c_void,
) -> mpr_status {
    guard("mpr_capture_end", || {
        if capture.is_null() {
            return Ok(MPR_SKIPPED);
        }
        let emit = fn_.ok_or_else(|| Error::invalid("fn: NULL"))?;
        finish(capture, &mut |key, value| {
            // SAFETY: the host's function with the host's user_data.
            unsafe { hand_over(emit, user_data, key, value) };
        })?;
        Ok(MPR_OK)
    })
}

/// Ends a capture: masked and emitted outside its lock, since `emit` may be the host's callback.
pub(super) fn finish(capture: *mut mpr_capture, emit: &mut dyn FnMut(&str, &str)) -> Result<()> {
    let (recorder, stream) = TABLE.with(capture as usize, |capture| {
        let empty = Stream::begin(&capture.recorder.config.capture, capture.stream.kind());
        Ok((Arc::clone(&capture.recorder), std::mem::replace(&mut capture.stream, empty)))
    })?;
    recorder.count_capture(&stream.end(&recorder.config.capture, emit));
    Ok(())
}

/// Frees a capture, ended or not. NULL is fine. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_capture_free(capture: *mut mpr_capture) {
    guard_or(
        "mpr_capture_free",
        (),
        || if capture.is_null() { Ok(()) } else { TABLE.remove(capture as usize).map(drop) },
    );
}

/// Masks a body by the rules of mpr_init(), or by the default ones before it: what mpr_capture_payload() would send,
/// uncut. `content_type` may be NULL (it is guessed); `in` may be any bytes, and what is not text becomes a note.
/// Writes the masked text to `out` with no NUL, and its length to `*needed` (may be NULL). Returns MPR_OK,
/// MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_mask(
    content_type: *const c_char,
    in_: *const u8,
    len: usize,
    out: *mut u8,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    guard("mpr_mask", || {
        // SAFETY: readable as the header asks.
        let (content_type, body) =
            unsafe { (input::opt_text("content_type", content_type)?, input::bytes("in", in_, len)?) };
        let masked =
            with_rules(|rules, custom| mask::mask_content(rules, custom, &mask::Body::new(content_type, body)));
        // SAFETY: `capacity` writable bytes and a size_t or NULL, as the header asks.
        unsafe { input::write_bytes(masked.text.as_bytes(), out, capacity, needed) }.map(|()| MPR_OK)
    })
}

/// Tells what mpr_mask() masks of a body and by which rule, for tuning the rules; never a value. Parameters as for mpr_mask();
/// with the content type message/http the body is "Name: value\r\n…", whose values are explained as headers. Writes a
/// JSON object: content_type, kind ("json", "form", "headers", "described", …), size, fields_masked, and masked, an array with
/// an entry {path, at, rule, entry, by} for each value: where it is (`at`: the byte in a text), the kind of rule ("name",
/// "pair", "table", "path", "pattern", "value", …), the list's entry, and "default" or "user". At most 1000 are
/// listed, then truncated_list is true. broke_at is where the body was no longer understood, note what stands for it. Slow,
/// and for development: calls the mask callback if there is one. Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_explain_mask(
    content_type: *const c_char,
    in_: *const u8,
    len: usize,
    out: *mut u8,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    guard("mpr_explain_mask", || {
        // SAFETY: readable as the header asks.
        let (content_type, body) =
            unsafe { (input::opt_text("content_type", content_type)?, input::bytes("in", in_, len)?) };
        let told =
            with_rules(|rules, custom| mask::explain_content(rules, custom, &mask::Body::new(content_type, body)));
        // SAFETY: `capacity` writable bytes and a size_t or NULL, as the header asks.
        unsafe { input::write_bytes(told.as_bytes(), out, capacity, needed) }.map(|()| MPR_OK)
    })
}

/// The rules of mpr_init(), or the default ones before it, which are compiled once.
fn with_rules<T>(work: impl FnOnce(&mask::Rules, Option<&mask::Custom>) -> T) -> T {
    // (No lock, which a fork could leave held: at worst two threads compile them.)
    static DEFAULTS: ArcSwapOption<mask::Rules> = ArcSwapOption::const_empty();
    match recorder::current().as_ref() {
        Some(recorder) => work(&recorder.config.capture.rules, recorder.config.capture.custom.as_deref()),
        None => {
            let rules = DEFAULTS.load_full().unwrap_or_else(|| {
                let made = Arc::new(mask::Rules::default());
                DEFAULTS.store(Some(Arc::clone(&made)));
                made
            });
            work(&rules, None)
        }
    }
}

/// The recorder, when this trace's content is wanted. The comparison comes first: most traces are ordinary.
fn recording(trace_id: &[u8; 16]) -> Option<Arc<Recorder>> {
    if !crate::trace::Kind::of(trace_id).in_session() {
        return None;
    }
    recorder::current().as_ref().filter(|recorder| recorder.wants_content(trace_id)).map(Arc::clone)
}

pub(super) fn kind_of(kind: i32) -> Result<Kind> {
    Kind::try_from(kind).map_err(|e| Error::invalid(format!("kind: {e}")))
}

type HeaderList = Vec<(String, String)>;

/// # Safety
/// Each pointer is NULL or has its length of readable bytes.
pub(super) unsafe fn payload<'a>(
    headers: *const c_char,
    headers_len: usize,
    body: *const u8,
    body_len: usize,
) -> Result<(HeaderList, &'a [u8])> {
    // SAFETY: the caller's promise.
    let headers = unsafe { input::bytes("headers", headers.cast(), headers_len) }?;
    // SAFETY: the caller's promise.
    let body = unsafe { input::bytes("body", body, body_len) }?;
    let headers = capture::parse_headers(headers).map_err(|e| Error::invalid(format!("headers: {e}")))?;
    Ok((headers, body))
}

type Emit = unsafe extern "C" fn(*mut c_void, *const c_char, usize, *const c_char, usize);

/// # Safety
/// `emit` and `user_data` are the host's and belong together.
unsafe fn hand_over(emit: Emit, user_data: *mut c_void, key: &str, value: &str) {
    let with_nul = |text: &str| {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
        bytes
    };
    let (key_nul, value_nul) = (with_nul(key), with_nul(value));
    // SAFETY: the caller's promise; both buffers live during the call.
    unsafe { emit(user_data, key_nul.as_ptr().cast(), key.len(), value_nul.as_ptr().cast(), value.len()) };
}
