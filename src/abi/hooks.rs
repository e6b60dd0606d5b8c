//! The host's callbacks: their C types, and how they become Rust closures.

use std::ffi::{c_char, c_void, CStr, CString};
use std::sync::Arc;

use super::guard::guard;
use super::options::mpr_options;
use crate::config::options::{SamplerHook, ShortIdHook, TraceIdHook};
use crate::config::Options;
use crate::status::{mpr_status, Result, MPR_OK};

/// Frees the user_data of a callback. Called exactly once: when the callback is replaced or its recorder is gone, and
/// also when registering it fails. On any thread. Since 0.1.
pub type mpr_free_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Gets one line of the library's own diagnostics; `level` is 1 error, 2 warn, 3 info, 4 debug. `message` is
/// NUL-terminated UTF-8 and valid during the call only. Called on any thread, also on the library's worker. Since 0.1.
pub type mpr_log_fn = Option<unsafe extern "C" fn(level: i32, message: *const c_char, user_data: *mut c_void)>;

/// Masks a body in place of the built-in rules. Writes the masked text (UTF-8) to `out` and its length to `*needed`. When
/// `capacity` is too small it writes `*needed` (at most 64 MiB) alone and is called again with that much. `in` is never
/// NULL. Returns MPR_OK, or anything else for "cannot": the body is then masked whole and counted. Called on the thread
/// that captures; it may be several at once. Since 0.1.
pub type mpr_mask_fn = Option<
    unsafe extern "C" fn(
        content_type: *const c_char,
        in_: *const u8,
        len: usize,
        out: *mut u8,
        capacity: usize,
        needed: *mut usize,
        user_data: *mut c_void,
    ) -> mpr_status,
>;

/// Makes the trace id of a root span that the library begins: 16 bytes to `out`, result MPR_OK. While a session runs the
/// library writes the session into the first seven of them. Any other result, or 16 zeros: the library makes the id.
/// Since 0.1.
pub type mpr_trace_id_fn = Option<unsafe extern "C" fn(out: *mut u8, user_data: *mut c_void) -> mpr_status>;

/// Gives the short id of a session whose server answers without one: 8 lower-case hex digits and a NUL to `out` (9
/// bytes), result MPR_OK. The Multiplayer platform and the local recorder always answer with one. Since 0.1.
pub type mpr_short_id_fn = Option<unsafe extern "C" fn(out: *mut c_char, user_data: *mut c_void) -> mpr_status>;

/// Decides about a root span outside a session that the library begins: MPR_RECORD_AND_SAMPLE, or any other number for
/// no. `trace_id` has 16 bytes; `ratio` is the option sample_ratio. Since 0.1.
pub type mpr_sampler_fn = Option<unsafe extern "C" fn(trace_id: *const u8, ratio: f64, user_data: *mut c_void) -> i32>;

/// A callback that asks for more has not set `*needed`, or is out of its mind.
const MASK_OUTPUT_LIMIT: usize = 64 * 1024 * 1024;

/// A callback's user_data with its finalizer.
pub(super) struct UserData {
    pointer: *mut c_void,
    free: mpr_free_fn,
}

// SAFETY: the header asks hosts for callbacks that may be called on any thread; the library only hands the pointer back.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    pub(super) fn new(pointer: *mut c_void, free: mpr_free_fn) -> Self {
        Self { pointer, free }
    }

    pub(super) fn get(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: the host registered it for this pointer, and a value is dropped once.
            unsafe { free(self.pointer) };
        }
    }
}

/// Where the library's diagnostics go; without it they go nowhere. NULL `fn` removes it. See mpr_log_fn and mpr_free_fn
/// (NULL: nothing to free). Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_log_callback(
    options: *mut mpr_options,
    fn_: mpr_log_fn,
    user_data: *mut c_void,
    free_user_data: mpr_free_fn,
) -> mpr_status {
    let data = UserData::new(user_data, free_user_data);
    guard("mpr_options_set_log_callback", || {
        let hook = fn_.map(|call| -> Arc<crate::process::log::Sink> {
            Arc::new(move |level, line: &str| {
                let line = CString::new(line.replace('\0', "\u{fffd}")).unwrap_or_default();
                // SAFETY: the host's function with the host's user_data; the line lives during the call.
                unsafe { call(level as i32, line.as_ptr(), data.get()) };
            })
        });
        set(options, move |options| options.hooks.log = hook)
    })
}

/// Masks bodies by the host's own rules. NULL `fn` brings the built-in ones back. See mpr_mask_fn and mpr_free_fn.
/// Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_mask_callback(
    options: *mut mpr_options,
    fn_: mpr_mask_fn,
    user_data: *mut c_void,
    free_user_data: mpr_free_fn,
) -> mpr_status {
    let data = UserData::new(user_data, free_user_data);
    guard("mpr_options_set_mask_callback", || {
        let hook = fn_.map(|call| -> Arc<crate::mask::Custom> {
            Arc::new(move |content_type: &str, body: &[u8]| {
                let content_type = CString::new(content_type).ok()?;
                let mut out = vec![0; body.len() + 256];
                for _ in 0..2 {
                    let mut needed = usize::MAX;
                    // SAFETY: the host's function; every pointer is ours and lives during the call.
                    let status = unsafe {
                        call(
                            content_type.as_ptr(),
                            body.as_ptr(),
                            body.len(),
                            out.as_mut_ptr(),
                            out.len(),
                            &mut needed,
                            data.get(),
                        )
                    };
                    if status != MPR_OK || needed > MASK_OUTPUT_LIMIT {
                        return None;
                    }
                    if needed <= out.len() {
                        out.truncate(needed);
                        return Some(out);
                    }
                    out = vec![0; needed];
                }
                None
            })
        });
        set(options, move |options| options.hooks.mask = hook)
    })
}

/// Lets the host make trace ids. NULL `fn` removes it. See mpr_trace_id_fn and mpr_free_fn. Returns MPR_OK or
/// MPR_ERR_INVALID_ARGUMENT. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_trace_id_hook(
    options: *mut mpr_options,
    fn_: mpr_trace_id_fn,
    user_data: *mut c_void,
    free_user_data: mpr_free_fn,
) -> mpr_status {
    let data = UserData::new(user_data, free_user_data);
    guard("mpr_options_set_trace_id_hook", || {
        let hook = fn_.map(|call| -> Arc<TraceIdHook> {
            Arc::new(move || {
                let mut id = [0; 16];
                // SAFETY: the host's function; `id` is ours and has the 16 bytes that it may write.
                let status = unsafe { call(id.as_mut_ptr(), data.get()) };
                // A hook that wrote nothing must not give every trace the same id.
                (status == MPR_OK && id != [0; 16]).then_some(id)
            })
        });
        set(options, move |options| options.hooks.trace_id = hook)
    })
}

/// Lets the host make short ids where a server gives none. NULL `fn` removes it. See mpr_short_id_fn and mpr_free_fn.
/// Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_short_id_hook(
    options: *mut mpr_options,
    fn_: mpr_short_id_fn,
    user_data: *mut c_void,
    free_user_data: mpr_free_fn,
) -> mpr_status {
    let data = UserData::new(user_data, free_user_data);
    guard("mpr_options_set_short_id_hook", || {
        let hook = fn_.map(|call| -> Arc<ShortIdHook> {
            Arc::new(move || {
                let mut out = [0u8; 9];
                // SAFETY: the host's function; `out` is ours and has the 9 bytes that it may write.
                let status = unsafe { call(out.as_mut_ptr().cast(), data.get()) };
                let text = CStr::from_bytes_until_nul(&out).ok()?.to_str().ok()?;
                (status == MPR_OK).then(|| text.to_owned())
            })
        });
        set(options, move |options| options.hooks.short_id = hook)
    })
}

/// Lets the host decide which root spans outside a session are recorded. NULL `fn` brings sample_ratio back. See
/// mpr_sampler_fn and mpr_free_fn. Returns MPR_OK or MPR_ERR_INVALID_ARGUMENT. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_options_set_sampler_hook(
    options: *mut mpr_options,
    fn_: mpr_sampler_fn,
    user_data: *mut c_void,
    free_user_data: mpr_free_fn,
) -> mpr_status {
    let data = UserData::new(user_data, free_user_data);
    guard("mpr_options_set_sampler_hook", || {
        let hook = fn_.map(|call| -> Arc<SamplerHook> {
            Arc::new(move |trace_id: &[u8; 16], ratio| {
                // SAFETY: the host's function; the id's 16 bytes live during the call.
                let decision = unsafe { call(trace_id.as_ptr(), ratio, data.get()) };
                decision == super::ids::MPR_RECORD_AND_SAMPLE
            })
        });
        set(options, move |options| options.hooks.sampler = hook)
    })
}

fn set(options: *mut mpr_options, change: impl FnOnce(&mut Options)) -> Result<mpr_status> {
    // What is replaced is dropped outside the lock: the host's finalizer may use the same options.
    let mut replaced = None;
    super::options::TABLE.with(options as usize, |options| {
        replaced = Some(options.hooks.clone());
        change(options);
        Ok(MPR_OK)
    })
}
