//! Recording on and off, delivery, numbers.

use std::time::Duration;

use super::guard::guard;
use super::options::{mpr_options, TABLE};
use crate::config::Options;
use crate::recorder;
use crate::status::{mpr_status, Error, MPR_OK};

/// Turns recording on, with these options or, for NULL, with the environment's. Takes ownership of the options, also on
/// failure. Does no I/O beyond reading certificate files that are named and looking into spool_dir: the worker thread, TLS
/// and connections come when something first needs them, or when an earlier process has left something in the spool.
/// Returns MPR_OK, MPR_ERR_ALREADY_INITIALIZED, MPR_ERR_INVALID_ARGUMENT (no API key, or an unusable option or environment
/// variable), MPR_ERR_IO (a file or spool_dir cannot be used), MPR_ERR_POISONED. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_init(options: *mut mpr_options) -> mpr_status {
    guard("mpr_init", || {
        let options = if options.is_null() { Options::default() } else { TABLE.remove(options as usize)? };
        recorder::init(&options).map(|()| MPR_OK)
    })
}

/// Waits until everything recorded before the call is delivered, `timeout_ms` at most. With spool_dir it is written there at
/// once meanwhile. Not from a callback of this library. Returns MPR_OK, MPR_ERR_TIMEOUT (what is left stays queued and is still delivered),
/// MPR_ERR_NOT_INITIALIZED, MPR_ERR_INVALID_STATE (called on the worker thread). Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_flush(timeout_ms: u32) -> mpr_status {
    guard("mpr_flush", || recorder::required()?.flush(Duration::from_millis(timeout_ms.into())).map(|()| MPR_OK))
}

/// Ends the session that runs, delivers what is queued and turns recording off, `timeout_ms` at most for all of it. What
/// could not be delivered in time stays in the spool, which is no error, or is counted as dropped. Call it before main returns; recording is off afterwards
/// whatever it returns, and mpr_init() may follow. Not from a callback of this library. Returns MPR_OK, MPR_SKIPPED
/// (recording is off already), MPR_ERR_TIMEOUT (something was left), the errors of mpr_stop() for the session's end,
/// MPR_ERR_INVALID_STATE (called on the worker thread). Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_shutdown(timeout_ms: u32) -> mpr_status {
    guard("mpr_shutdown", || recorder::shutdown(Duration::from_millis(timeout_ms.into())))
}

/// The off switch. With `given` 0 everything that is recorded and not delivered is forgotten (counted as dropped_consent),
/// a request on its way is cut off, the spool's files of this process and of dead ones of the same project are removed,
/// and nothing more is kept until a call with `given` 1, also in forked children. Other processes that live keep theirs until they are
/// told, too. The session goes on; mpr_cancel() before this call has the platform forget what it has. mpr_init() begins with
/// consent given. Returns MPR_OK, MPR_SKIPPED (it is so already), MPR_ERR_NOT_INITIALIZED, MPR_ERR_INVALID_ARGUMENT (neither
/// 0 nor 1), MPR_ERR_TIMEOUT (the disk does not answer within 5 s; the files go when it does), MPR_ERR_IO. Since 0.1.
#[no_mangle]
pub extern "C" fn mpr_set_consent(given: i32) -> mpr_status {
    guard("mpr_set_consent", || match given {
        0 | 1 => recorder::required()?.set_consent(given == 1),
        _ => Err(Error::invalid(format!("given: {given}; use 0 or 1"))),
    })
}

/// Where everything recorded is. Set struct_size to sizeof(mpr_stats) (at least 16) before the call; the library writes
/// no further, so that later versions can add members at the end. At every moment accepted = exported +
/// dropped_queue_full + dropped_rejected + dropped_too_large + dropped_shutdown + dropped_internal + dropped_expired +
/// dropped_consent + dropped_spool + queued + spooled. Since 0.1.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mpr_stats {
    /// In: sizeof(mpr_stats) of the caller. Out: the same.
    pub struct_size: usize,
    /// Spans and logs that came in.
    pub accepted: u64,
    /// Confirmed by the receiver.
    pub exported: u64,
    /// Waiting or on their way.
    pub queued: u64,
    /// Bytes of those, with the resources that they share.
    pub queued_bytes: u64,
    /// Refused because queue_max_bytes was used up.
    pub dropped_queue_full: u64,
    /// Refused by the receiver for good.
    pub dropped_rejected: u64,
    /// Too large for the receiver even alone.
    pub dropped_too_large: u64,
    /// Came after the shutdown, or its time was over.
    pub dropped_shutdown: u64,
    /// Lost to a defect of the library.
    pub dropped_internal: u64,
    /// Handed over but part of no session, or not wanted by it. Not in accepted.
    pub filtered: u64,
    /// Export requests that succeeded.
    pub requests: u64,
    /// Export attempts that failed and were made again.
    pub retries: u64,
    /// Payloads captured.
    pub payloads_captured: u64,
    /// Payloads of which the whole body was replaced by a note or the placeholder.
    pub payloads_masked_whole: u64,
    /// Values replaced by the placeholder.
    pub payload_fields_masked: u64,
    /// Bodies cut at max_payload_bytes.
    pub payloads_truncated: u64,
    /// Times that the mask callback failed.
    pub mask_callback_failures: u64,
    /// Defects of the library that were caught; each is MPR_ERR_INTERNAL somewhere.
    pub panics: u64,
    /// Forks between the process that loaded the library and this one.
    pub fork_generation: u64,
    /// Spans of this library between begin and end. Not in accepted yet.
    pub open_spans: u64,
    /// Bytes of those; they count towards queue_max_bytes.
    pub open_bytes: u64,
    /// In the spool and not in memory; at the end of a recorder: left there for the next one.
    pub spooled: u64,
    /// Left in the spool by earlier processes and found by this one. Part of accepted.
    pub recovered: u64,
    /// In the spool for longer than the platform keeps such items.
    pub dropped_expired: u64,
    /// Refused, or forgotten, for lack of consent; see mpr_set_consent().
    pub dropped_consent: u64,
    /// In the spool alone, and the disk did not give them back.
    pub dropped_spool: u64,
    /// What this recorder's files in the spool take.
    pub spool_bytes: u64,
    /// Spans and logs that were written to the spool. (Those that are delivered at once are not.)
    pub spool_written: u64,
    /// Damaged places in files of earlier processes, each of which may have been several items.
    pub spool_damaged: u64,
    /// Times that writing to the spool failed.
    pub spool_failures: u64,
}

/// Writes the numbers since mpr_init(); after mpr_shutdown() those of its end; before both zeros. Returns MPR_OK or
/// MPR_ERR_INVALID_ARGUMENT (NULL, or struct_size is not set). Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn mpr_get_stats(stats: *mut mpr_stats) -> mpr_status {
    guard("mpr_get_stats", || {
        if stats.is_null() {
            return Err(Error::invalid("stats: NULL"));
        }
        // SAFETY: not NULL, and struct_size stands first in every version of the struct.
        let size = unsafe { stats.cast::<usize>().read_unaligned() };
        if !(2 * size_of::<usize>()..=64 * 1024).contains(&size) {
            return Err(Error::invalid(format!("stats.struct_size: {size}; set it to sizeof(mpr_stats)")));
        }
        let now = recorder::stats();
        let full = mpr_stats {
            struct_size: size,
            accepted: now.items.accepted,
            exported: now.items.exported,
            queued: now.items.queued,
            queued_bytes: now.items.queued_bytes,
            dropped_queue_full: now.items.dropped_queue_full,
            dropped_rejected: now.items.dropped_rejected,
            dropped_too_large: now.items.dropped_too_large,
            dropped_shutdown: now.items.dropped_shutdown,
            dropped_internal: now.items.dropped_internal,
            filtered: now.filtered,
            requests: now.items.requests,
            retries: now.items.retries,
            payloads_captured: now.payloads_captured,
            payloads_masked_whole: now.payloads_masked_whole,
            payload_fields_masked: now.payload_fields_masked,
            payloads_truncated: now.payloads_truncated,
            mask_callback_failures: now.mask_callback_failures,
            panics: now.panics,
            fork_generation: now.fork_generation.into(),
            open_spans: now.items.open_spans,
            open_bytes: now.items.open_bytes,
            spooled: now.items.spooled,
            recovered: now.items.recovered,
            dropped_expired: now.items.dropped_expired,
            dropped_consent: now.items.dropped_consent,
            dropped_spool: now.items.dropped_spool,
            spool_bytes: now.items.spool_bytes,
            spool_written: now.items.spool_written,
            spool_damaged: now.items.spool_damaged,
            spool_failures: now.items.spool_failures,
        };
        let known = size.min(size_of::<mpr_stats>());
        // SAFETY: the caller says that `size` bytes are writable; at most those are written, the unknown tail with zeros.
        unsafe {
            std::ptr::copy_nonoverlapping((&raw const full).cast::<u8>(), stats.cast::<u8>(), known);
            stats.cast::<u8>().add(known).write_bytes(0, size - known);
        }
        Ok(MPR_OK)
    })
}
