//! Options: a setter and a getter for each, and all of them at once as JSON. What they mean and how they are checked
//! stands in src/config/options.rs.

use std::ffi::c_char;

use serde_json::{json, Value};

use super::guard::{guard, guard_or};
use super::handles::Handles;
use super::input;
use crate::config::Options;
use crate::status::{mpr_status, Error, Result, MPR_OK};

pub(super) static TABLE: Handles<Options> = Handles::new("options", 1);

/// Options being collected for mpr_init(). Since 0.1.
pub struct mpr_options {
    _private: [u8; 0],
}

/// New options with nothing set. What is set wins; what is not falls back to its environment variable (an empty one
/// counts as not set), then to its default. Belongs to the caller until mpr_init() takes it or mpr_options_free() frees
/// it. NULL only when memory for handles is used up. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_new() -> *mut mpr_options {
    guard_or("mpr_options_new", std::ptr::null_mut(), || Ok(TABLE.insert(Options::default())? as *mut mpr_options))
}

/// Frees options that mpr_init() has not taken. NULL is fine. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_free(options: *mut mpr_options) {
    guard_or(
        "mpr_options_free",
        (),
        || if options.is_null() { Ok(()) } else { TABLE.remove(options as usize).map(drop) },
    );
}

/// Sets all options that a JSON object names, e.g. {"api_key": "…", "mask_body_fields": ["pin"]}: the names of the
/// setters, text, numbers, true or false (also 1 or 0), arrays and objects as they are; null unsets. All of them or, with an error,
/// none. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT (the message names line and column, or the option and what would be
/// right) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_json(options: *mut mpr_options, json: *const c_char) -> mpr_status {
    guard("mpr_options_set_json", || {
        // SAFETY: a NUL-terminated string or NULL, as the header asks.
        let json = unsafe { input::text("json", json) }?;
        TABLE.with(options as usize, |options| options.set_json(json).map(|()| MPR_OK))
    })
}

fn set(options: *mut mpr_options, name: &str, value: Value) -> Result<mpr_status> {
    TABLE.with(options as usize, |options| options.set(name, value).map(|()| MPR_OK))
}

fn get(options: *const mpr_options, name: &str) -> Result<Value> {
    TABLE.with(options as usize, |options| options.effective(name))
}

unsafe fn set_text(options: *mut mpr_options, name: &str, value: *const c_char) -> Result<mpr_status> {
    // SAFETY: a NUL-terminated string or NULL, as the header asks.
    let value = unsafe { input::opt_text(name, value) }?;
    set(options, name, value.map_or(Value::Null, Value::from))
}

unsafe fn get_text(
    options: *const mpr_options,
    name: &str,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> Result<mpr_status> {
    let text = match get(options, name)? {
        Value::Null => String::new(),
        Value::String(text) => text,
        nested => nested.to_string(),
    };
    // SAFETY: `capacity` writable bytes and a size_t or NULL, as the header asks.
    unsafe { input::write_text(&text, out, capacity, needed) }.map(|()| MPR_OK)
}

fn set_bool(options: *mut mpr_options, name: &str, value: i32) -> Result<mpr_status> {
    match value {
        0 | 1 => set(options, name, json!(value == 1)),
        _ => Err(Error::invalid(format!("{name}: {value} is not 0 or 1"))),
    }
}

/// JSON has no NaN, so it is named here.
fn set_ratio(options: *mut mpr_options, name: &str, value: f64) -> Result<mpr_status> {
    match value.is_finite() {
        true => set(options, name, json!(value)),
        false => Err(Error::invalid(format!("{name}: {value} is not a number from 0 to 1"))),
    }
}

unsafe fn get_number<T>(
    options: *const mpr_options,
    name: &str,
    out: *mut T,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<mpr_status> {
    let value = read(&get(options, name)?).ok_or_else(|| Error::invalid(format!("{name}: no value")))?;
    // SAFETY: a writable number or NULL, as the header asks.
    unsafe { input::write(name, out, value) }.map(|()| MPR_OK)
}

// Written out one by one, since cbindgen reads functions and not macros.

/// The platform's OTLP key, alone and without `Bearer`; any word for the local recorder. Required. Environment:
/// MULTIPLAYER_API_KEY, then MULTIPLAYER_SDK_API_KEY, MULTIPLAYER_OTLP_KEY.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_api_key(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_api_key", || unsafe { set_text(options, "api_key", value) })
}

/// What mpr_init() would use for api_key, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_api_key(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_api_key", || unsafe { get_text(options, "api_key", out, capacity, needed) })
}

/// Where the session API is. Default https://api.multiplayer.app. Environment: MULTIPLAYER_BASE_API_URL.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_api_base_url(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_api_base_url", || unsafe { set_text(options, "api_base_url", value) })
}

/// What mpr_init() would use for api_base_url, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_api_base_url(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_api_base_url", || unsafe { get_text(options, "api_base_url", out, capacity, needed) })
}

/// Full URL of the OTLP traces intake. Default https://otlp.multiplayer.app/v1/traces. Environment:
/// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, else OTEL_EXPORTER_OTLP_ENDPOINT with /v1/traces behind it.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_traces_endpoint(
    options: *mut mpr_options,
    value: *const c_char,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_traces_endpoint", || unsafe { set_text(options, "traces_endpoint", value) })
}

/// What mpr_init() would use for traces_endpoint, as text (lists and objects as JSON, "" for none). The size that is
/// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_traces_endpoint(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_traces_endpoint", || unsafe { get_text(options, "traces_endpoint", out, capacity, needed) })
}

/// Full URL of the OTLP logs intake. Default https://otlp.multiplayer.app/v1/logs. Environment:
/// OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, else OTEL_EXPORTER_OTLP_ENDPOINT with /v1/logs behind it.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_logs_endpoint(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_logs_endpoint", || unsafe { set_text(options, "logs_endpoint", value) })
}

/// What mpr_init() would use for logs_endpoint, as text (lists and objects as JSON, "" for none). The size that is
/// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_logs_endpoint(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_logs_endpoint", || unsafe { get_text(options, "logs_endpoint", out, capacity, needed) })
}

/// How OTLP is sent: "http/protobuf" (default), "http/json" or "grpc". Of an endpoint for gRPC only scheme, host and port
/// count (http://collector:4317). Session calls go over HTTP with any of them. Environment: OTEL_EXPORTER_OTLP_PROTOCOL.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_protocol(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_protocol", || unsafe { set_text(options, "protocol", value) })
}

/// What mpr_init() would use for protocol, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_protocol(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_protocol", || unsafe { get_text(options, "protocol", out, capacity, needed) })
}

/// "gzip" (default), "zstd" or "none". zstd takes a fraction of the time; collectors and the local recorder read both.
/// Environment: OTEL_EXPORTER_OTLP_COMPRESSION.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_compression(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_compression", || unsafe { set_text(options, "compression", value) })
}

/// What mpr_init() would use for compression, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_compression(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_compression", || unsafe { get_text(options, "compression", out, capacity, needed) })
}

/// Extra headers of OTLP requests: a JSON object, or `key=value,key=value` with percent-encoded values. An Authorization
/// here replaces the API key. Environment: OTEL_EXPORTER_OTLP_HEADERS.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_headers(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_headers", || unsafe { set_text(options, "headers", value) })
}

/// What mpr_init() would use for headers, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_headers(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_headers", || unsafe { get_text(options, "headers", out, capacity, needed) })
}

/// Limit of one session call and of one export request, in milliseconds, 1 to 600000. Default 10000. Environment:
/// OTEL_EXPORTER_OTLP_TIMEOUT.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_timeout_ms(options: *mut mpr_options, value: u32) -> mpr_status {
    guard("mpr_options_set_timeout_ms", || set(options, "timeout_ms", json!(value)))
}

/// Writes what mpr_init() would use for timeout_ms to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_timeout_ms(options: *const mpr_options, out: *mut u32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_timeout_ms", || unsafe {
        get_number(options, "timeout_ms", out, |v| u32::try_from(v.as_u64()?).ok())
    })
}

/// PEM file of the certificate authorities to trust in place of the system's (then the bundled ones). Environment:
/// OTEL_EXPORTER_OTLP_CERTIFICATE; SSL_CERT_FILE names another system bundle.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_ca_file(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_ca_file", || unsafe { set_text(options, "ca_file", value) })
}

/// What mpr_init() would use for ca_file, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_ca_file(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_ca_file", || unsafe { get_text(options, "ca_file", out, capacity, needed) })
}

/// PEM file of the client's certificate chain; needs client_key. Environment: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_client_cert(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_client_cert", || unsafe { set_text(options, "client_cert", value) })
}

/// What mpr_init() would use for client_cert, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_client_cert(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_client_cert", || unsafe { get_text(options, "client_cert", out, capacity, needed) })
}

/// PEM file of the client's private key. Environment: OTEL_EXPORTER_OTLP_CLIENT_KEY.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_client_key(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_client_key", || unsafe { set_text(options, "client_key", value) })
}

/// What mpr_init() would use for client_key, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_client_key(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_client_key", || unsafe { get_text(options, "client_key", out, capacity, needed) })
}

/// URL of an HTTP proxy for all requests but those to the hosts of NO_PROXY. Without it HTTPS_PROXY, HTTP_PROXY and
/// ALL_PROXY count. OTLP over gRPC goes through it only to an https endpoint.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_proxy(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_proxy", || unsafe { set_text(options, "proxy", value) })
}

/// What mpr_init() would use for proxy, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_proxy(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_proxy", || unsafe { get_text(options, "proxy", out, capacity, needed) })
}

/// The service's name, `service.name`. Default: `unknown_service:` and the executable's name, as OpenTelemetry has it.
/// Environment: OTEL_SERVICE_NAME.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_service_name(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_service_name", || unsafe { set_text(options, "service_name", value) })
}

/// What mpr_init() would use for service_name, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_service_name(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_service_name", || unsafe { get_text(options, "service_name", out, capacity, needed) })
}

/// The service's version, `service.version`.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_service_version(
    options: *mut mpr_options,
    value: *const c_char,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_service_version", || unsafe { set_text(options, "service_version", value) })
}

/// What mpr_init() would use for service_version, as text (lists and objects as JSON, "" for none). The size that is
/// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_service_version(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_service_version", || unsafe { get_text(options, "service_version", out, capacity, needed) })
}

/// Where it runs, e.g. "production": `deployment.environment` and `deployment.environment.name`.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_environment(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_environment", || unsafe { set_text(options, "environment", value) })
}

/// What mpr_init() would use for environment, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_environment(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_environment", || unsafe { get_text(options, "environment", out, capacity, needed) })
}

/// More attributes of the OpenTelemetry resource: a JSON object of plain values, or `key=value,key=value`. Environment:
/// OTEL_RESOURCE_ATTRIBUTES.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_resource_attributes(
    options: *mut mpr_options,
    value: *const c_char,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_resource_attributes", || unsafe { set_text(options, "resource_attributes", value) })
}

/// What mpr_init() would use for resource_attributes, as text (lists and objects as JSON, "" for none). The size that
/// is needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_resource_attributes(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_resource_attributes", || unsafe {
        get_text(options, "resource_attributes", out, capacity, needed)
    })
}

/// Share (0 to 1) of the library's own root spans that is recorded outside a session. Default 0. A session's traces are
/// always recorded. Environment: OTEL_TRACES_SAMPLER_ARG.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_sample_ratio(options: *mut mpr_options, value: f64) -> mpr_status {
    guard("mpr_options_set_sample_ratio", || set_ratio(options, "sample_ratio", value))
}

/// Writes what mpr_init() would use for sample_ratio to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_sample_ratio(options: *const mpr_options, out: *mut f64) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_sample_ratio", || unsafe { get_number(options, "sample_ratio", out, Value::as_f64) })
}

/// Share (0 to 1) of the traces outside a session that becomes documentation traces. Default 0.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_auto_doc_traces_ratio(options: *mut mpr_options, value: f64) -> mpr_status {
    guard("mpr_options_set_auto_doc_traces_ratio", || set_ratio(options, "auto_doc_traces_ratio", value))
}

/// Writes what mpr_init() would use for auto_doc_traces_ratio to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_auto_doc_traces_ratio(
    options: *const mpr_options,
    out: *mut f64,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_auto_doc_traces_ratio", || unsafe {
        get_number(options, "auto_doc_traces_ratio", out, Value::as_f64)
    })
}

/// Longest text of one captured body, in bytes after masking, 0 to 900000. Default 400000: the platform drops a span
/// above 1,000,000 bytes, and a span has two bodies. Environment: MULTIPLAYER_MAX_HTTP_REQUEST_RESPONSE_SIZE.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_max_payload_bytes(options: *mut mpr_options, value: u64) -> mpr_status {
    guard("mpr_options_set_max_payload_bytes", || set(options, "max_payload_bytes", json!(value)))
}

/// Writes what mpr_init() would use for max_payload_bytes to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_max_payload_bytes(options: *const mpr_options, out: *mut u64) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_max_payload_bytes", || unsafe {
        get_number(options, "max_payload_bytes", out, Value::as_u64)
    })
}

/// Whether bodies are captured. Default 1.
/// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_capture_body(options: *mut mpr_options, value: i32) -> mpr_status {
    guard("mpr_options_set_capture_body", || set_bool(options, "capture_body", value))
}

/// Writes what mpr_init() would use for capture_body to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_capture_body(options: *const mpr_options, out: *mut i32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_capture_body", || unsafe {
        get_number(options, "capture_body", out, |v| v.as_bool().map(i32::from))
    })
}

/// Whether headers are captured. Default 1.
/// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_capture_headers(options: *mut mpr_options, value: i32) -> mpr_status {
    guard("mpr_options_set_capture_headers", || set_bool(options, "capture_headers", value))
}

/// Writes what mpr_init() would use for capture_headers to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_capture_headers(options: *const mpr_options, out: *mut i32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_capture_headers", || unsafe {
        get_number(options, "capture_headers", out, |v| v.as_bool().map(i32::from))
    })
}

/// Whether bodies are masked. Default 1.
/// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_mask_body(options: *mut mpr_options, value: i32) -> mpr_status {
    guard("mpr_options_set_mask_body", || set_bool(options, "mask_body", value))
}

/// Writes what mpr_init() would use for mask_body to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_mask_body(options: *const mpr_options, out: *mut i32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_mask_body", || unsafe {
        get_number(options, "mask_body", out, |v| v.as_bool().map(i32::from))
    })
}

/// Whether headers are masked. Default 1.
/// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_mask_headers(options: *mut mpr_options, value: i32) -> mpr_status {
    guard("mpr_options_set_mask_headers", || set_bool(options, "mask_headers", value))
}

/// Writes what mpr_init() would use for mask_headers to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_mask_headers(options: *const mpr_options, out: *mut i32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_mask_headers", || unsafe {
        get_number(options, "mask_headers", out, |v| v.as_bool().map(i32::from))
    })
}

/// Names of body fields to mask beside the default ones: a JSON array, or names with commas.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_mask_body_fields(
    options: *mut mpr_options,
    value: *const c_char,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_mask_body_fields", || unsafe { set_text(options, "mask_body_fields", value) })
}

/// What mpr_init() would use for mask_body_fields, as text (lists and objects as JSON, "" for none). The size that is
/// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_mask_body_fields(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_mask_body_fields", || unsafe {
        get_text(options, "mask_body_fields", out, capacity, needed)
    })
}

/// Names of headers to mask beside the default ones: a JSON array, or names with commas.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_mask_header_names(
    options: *mut mpr_options,
    value: *const c_char,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_mask_header_names", || unsafe { set_text(options, "mask_header_names", value) })
}

/// What mpr_init() would use for mask_header_names, as text (lists and objects as JSON, "" for none). The size that is
/// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_mask_header_names(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_mask_header_names", || unsafe {
        get_text(options, "mask_header_names", out, capacity, needed)
    })
}

/// Names of the default list that are not masked, e.g. `email, address, session_id`: a JSON array, or names with commas. An
/// entry covers its own words in any name (`email` also `user_email`, not `email_password`); mask_body_fields wins over it.
/// What is secret by its form stays masked. A name that is not on the default list is an error.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT (the message names the entry and what would be right) or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_mask_allow_fields(
    options: *mut mpr_options,
    value: *const c_char,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_mask_allow_fields", || unsafe { set_text(options, "mask_allow_fields", value) })
}

/// What mpr_init() would use for mask_allow_fields, as text (lists and objects as JSON, "" for none). The size that is
/// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_mask_allow_fields(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_mask_allow_fields", || unsafe {
        get_text(options, "mask_allow_fields", out, capacity, needed)
    })
}

/// Exact paths of values to mask in JSON bodies and form fields, whatever their names: a JSON array, or paths with commas. A
/// path is `user.pin`, `items[*].code`, `items[0].code`, `*.note` (any one step) or `["odd.key"]`, from the root of each
/// document, in the case of the names; at most 64. They do not reach into JSON that lies in a string. Text that begins with
/// `[` is a JSON array.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT (the message names the entry and what would be right) or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_mask_paths(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_mask_paths", || unsafe { set_text(options, "mask_paths", value) })
}

/// What mpr_init() would use for mask_paths, as text (lists and objects as JSON, "" for none). The size that is
/// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_mask_paths(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_mask_paths", || unsafe { get_text(options, "mask_paths", out, capacity, needed) })
}

/// Exact paths, as for mask_paths, of values whose names do not count, nor those of what lies in them. mask_paths wins over
/// it; what is secret by its form stays masked; what lies in a masked value is not reached.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT (the message names the entry and what would be right) or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_mask_allow_paths(
    options: *mut mpr_options,
    value: *const c_char,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_mask_allow_paths", || unsafe { set_text(options, "mask_allow_paths", value) })
}

/// What mpr_init() would use for mask_allow_paths, as text (lists and objects as JSON, "" for none). The size that is
/// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_mask_allow_paths(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_mask_allow_paths", || unsafe {
        get_text(options, "mask_allow_paths", out, capacity, needed)
    })
}

/// Regular expressions: what they match in text that is kept (strings and numbers of JSON, text, form and header values) is
/// masked. A JSON array, at most 64 of at most 1000 bytes. With a group `(?P<secret>…)` only the group is masked. No look-around, no
/// back references; time is linear in the text, but each pattern reads all of it. A pattern that matches the empty string
/// is an error.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT (the message names the entry and what would be right) or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_mask_patterns(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_mask_patterns", || unsafe { set_text(options, "mask_patterns", value) })
}

/// What mpr_init() would use for mask_patterns, as text (lists and objects as JSON, "" for none). The size that is
/// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_mask_patterns(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_mask_patterns", || unsafe { get_text(options, "mask_patterns", out, capacity, needed) })
}

/// Whether e-mail addresses are masked wherever they stand in text. Default 0.
/// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_mask_emails(options: *mut mpr_options, value: i32) -> mpr_status {
    guard("mpr_options_set_mask_emails", || set_bool(options, "mask_emails", value))
}

/// Writes what mpr_init() would use for mask_emails to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_mask_emails(options: *const mpr_options, out: *mut i32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_mask_emails", || unsafe {
        get_number(options, "mask_emails", out, |v| v.as_bool().map(i32::from))
    })
}

/// The only headers to capture: a JSON array, or names with commas. Default: all.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_headers_to_include(
    options: *mut mpr_options,
    value: *const c_char,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_headers_to_include", || unsafe { set_text(options, "headers_to_include", value) })
}

/// What mpr_init() would use for headers_to_include, as text (lists and objects as JSON, "" for none). The size that is
/// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_headers_to_include(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_headers_to_include", || unsafe {
        get_text(options, "headers_to_include", out, capacity, needed)
    })
}

/// Headers not to capture: a JSON array, or names with commas. Default: none.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_headers_to_exclude(
    options: *mut mpr_options,
    value: *const c_char,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_headers_to_exclude", || unsafe { set_text(options, "headers_to_exclude", value) })
}

/// What mpr_init() would use for headers_to_exclude, as text (lists and objects as JSON, "" for none). The size that is
/// needed, with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL,
/// MPR_ERR_INVALID_ARGUMENT (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_headers_to_exclude(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_headers_to_exclude", || unsafe {
        get_text(options, "headers_to_exclude", out, capacity, needed)
    })
}

/// Whether encoded bodies (gzip, deflate, br, zstd) are decoded; otherwise they are described. Default 1.
/// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_decompress(options: *mut mpr_options, value: i32) -> mpr_status {
    guard("mpr_options_set_decompress", || set_bool(options, "decompress", value))
}

/// Writes what mpr_init() would use for decompress to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_decompress(options: *const mpr_options, out: *mut i32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_decompress", || unsafe {
        get_number(options, "decompress", out, |v| v.as_bool().map(i32::from))
    })
}

/// Least severe diagnostics for the log callback: "off", "error", "warn" (default), "info" or "debug". Environment:
/// MPR_LOG. NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_log_level(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_log_level", || unsafe { set_text(options, "log_level", value) })
}

/// What mpr_init() would use for log_level, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_log_level(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_log_level", || unsafe { get_text(options, "log_level", out, capacity, needed) })
}

/// What all captures that are not ended hold together (mpr_capture_begin()), in bytes of content (memory for it may be up to
/// twice as much), 65536 to 16 GiB. Default 32 MiB. Past it
/// no more of a body is kept: it is masked up to there, with its true size beside it.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_capture_max_bytes(options: *mut mpr_options, value: u64) -> mpr_status {
    guard("mpr_options_set_capture_max_bytes", || set(options, "capture_max_bytes", json!(value)))
}

/// Writes what mpr_init() would use for capture_max_bytes to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_capture_max_bytes(options: *const mpr_options, out: *mut u64) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_capture_max_bytes", || unsafe {
        get_number(options, "capture_max_bytes", out, Value::as_u64)
    })
}

/// What recorded data may take in memory, in bytes, 65536 to 16 GiB: items that wait or are on their way, the resources
/// that they share, and spans between begin and end. Default 32 MiB. Past it the newest is refused and counted.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_queue_max_bytes(options: *mut mpr_options, value: u64) -> mpr_status {
    guard("mpr_options_set_queue_max_bytes", || set(options, "queue_max_bytes", json!(value)))
}

/// Writes what mpr_init() would use for queue_max_bytes to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_queue_max_bytes(options: *const mpr_options, out: *mut u64) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_queue_max_bytes", || unsafe { get_number(options, "queue_max_bytes", out, Value::as_u64) })
}

/// Most bytes of one request before compression, 16384 to 16 MiB. Default 2 MiB.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_batch_max_bytes(options: *mut mpr_options, value: u64) -> mpr_status {
    guard("mpr_options_set_batch_max_bytes", || set(options, "batch_max_bytes", json!(value)))
}

/// Writes what mpr_init() would use for batch_max_bytes to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_batch_max_bytes(options: *const mpr_options, out: *mut u64) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_batch_max_bytes", || unsafe { get_number(options, "batch_max_bytes", out, Value::as_u64) })
}

/// Most spans and logs of one request, 1 to 100000. Default 2048.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_batch_max_items(options: *mut mpr_options, value: u32) -> mpr_status {
    guard("mpr_options_set_batch_max_items", || set(options, "batch_max_items", json!(value)))
}

/// Writes what mpr_init() would use for batch_max_items to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_batch_max_items(options: *const mpr_options, out: *mut u32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_batch_max_items", || unsafe {
        get_number(options, "batch_max_items", out, |v| u32::try_from(v.as_u64()?).ok())
    })
}

/// How long a recorded item may wait for company, in milliseconds, 10 to 3600000. Default 1000.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_flush_interval_ms(options: *mut mpr_options, value: u32) -> mpr_status {
    guard("mpr_options_set_flush_interval_ms", || set(options, "flush_interval_ms", json!(value)))
}

/// Writes what mpr_init() would use for flush_interval_ms to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_flush_interval_ms(options: *const mpr_options, out: *mut u32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_flush_interval_ms", || unsafe {
        get_number(options, "flush_interval_ms", out, |v| u32::try_from(v.as_u64()?).ok())
    })
}

/// A directory for what is recorded and not delivered: it then survives the end of this process (a crash, kill -9, a reboot)
/// and is sent by the next one with the same project (or key) and api_base_url. Made with mode 0700 when it is missing; refused
/// when it is another user's or others can write to it. Several processes may share it. What it holds is masked like all that
/// leaves. Without it nothing is written to disk. See docs/spool.md.
/// NULL unsets it. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_spool_dir(options: *mut mpr_options, value: *const c_char) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_set_spool_dir", || unsafe { set_text(options, "spool_dir", value) })
}

/// What mpr_init() would use for spool_dir, as text (lists and objects as JSON, "" for none). The size that is needed,
/// with the NUL, goes to `*needed` (may be NULL). Returns MPR_OK, MPR_ERR_BUFFER_TOO_SMALL, MPR_ERR_INVALID_ARGUMENT
/// (also for an environment variable that is not usable) or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_spool_dir(
    options: *const mpr_options,
    out: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_spool_dir", || unsafe { get_text(options, "spool_dir", out, capacity, needed) })
}

/// What all files in spool_dir may take, of all processes together, in bytes, 1 MiB to 16 GiB. Default 256 MiB. Past it what
/// is recorded is kept in memory only, as without a spool.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_spool_max_bytes(options: *mut mpr_options, value: u64) -> mpr_status {
    guard("mpr_options_set_spool_max_bytes", || set(options, "spool_max_bytes", json!(value)))
}

/// Writes what mpr_init() would use for spool_max_bytes to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_spool_max_bytes(options: *const mpr_options, out: *mut u64) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_spool_max_bytes", || unsafe { get_number(options, "spool_max_bytes", out, Value::as_u64) })
}

/// How long the process's end may take when nobody called mpr_shutdown(), in milliseconds, 0 to 600000: as much as can be is
/// delivered at exit() and after the return of main. 0 does nothing then. Default 2000. Environment: MPR_EXIT_TIMEOUT_MS.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_exit_timeout_ms(options: *mut mpr_options, value: u32) -> mpr_status {
    guard("mpr_options_set_exit_timeout_ms", || set(options, "exit_timeout_ms", json!(value)))
}

/// Writes what mpr_init() would use for exit_timeout_ms to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_exit_timeout_ms(options: *const mpr_options, out: *mut u32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_exit_timeout_ms", || unsafe {
        get_number(options, "exit_timeout_ms", out, |v| u32::try_from(v.as_u64()?).ok())
    })
}

/// When the platform ends a manual session by itself, in seconds. Default 630, the platform's own; a self-hosted one may
/// have another.
/// Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_session_max_seconds(options: *mut mpr_options, value: u32) -> mpr_status {
    guard("mpr_options_set_session_max_seconds", || set(options, "session_max_seconds", json!(value)))
}

/// Writes what mpr_init() would use for session_max_seconds to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_session_max_seconds(options: *const mpr_options, out: *mut u32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_session_max_seconds", || unsafe {
        get_number(options, "session_max_seconds", out, |v| u32::try_from(v.as_u64()?).ok())
    })
}

/// Whether a manual session that reaches that limit goes on in a new one ("… (part 2)"). Default 0: the log callback and
/// mpr_session_info() tell, and the session ends.
/// Takes 0 or 1. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_options_set_session_rollover(options: *mut mpr_options, value: i32) -> mpr_status {
    guard("mpr_options_set_session_rollover", || set_bool(options, "session_rollover", value))
}

/// Writes what mpr_init() would use for session_rollover to `*out`. Returns MPR_OK, MPR_ERR_INVALID_ARGUMENT or
/// MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_get_session_rollover(options: *const mpr_options, out: *mut i32) -> mpr_status {
    // SAFETY: passed on with the header's rules.
    guard("mpr_options_get_session_rollover", || unsafe {
        get_number(options, "session_rollover", out, |v| v.as_bool().map(i32::from))
    })
}
