//! From raw pointers to references and back, with every check in one place.

use std::ffi::{c_char, CStr};

use crate::status::{Error, Result, MPR_ERR_BUFFER_TOO_SMALL};

/// Text that must be there.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that lives as long as the C call.
pub(super) unsafe fn text<'a>(name: &str, text: *const c_char) -> Result<&'a str> {
    // SAFETY: the caller's promise.
    unsafe { opt_text(name, text) }?.ok_or_else(|| Error::invalid(format!("{name}: NULL")))
}

/// Text that may be NULL.
///
/// # Safety
/// As for [`text`].
pub(super) unsafe fn opt_text<'a>(name: &str, text: *const c_char) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and NUL-terminated by the caller's promise.
    let bytes = unsafe { CStr::from_ptr(text) };
    if bytes.to_bytes().is_ascii() {
        // SAFETY: ASCII is UTF-8. (The general check takes half of the time of a call on a span that is not recorded.)
        return Ok(Some(unsafe { std::str::from_utf8_unchecked(bytes.to_bytes()) }));
    }
    let valid = bytes.to_str();
    valid.map(Some).map_err(|e| Error::invalid(format!("{name}: not UTF-8 at byte {}", e.valid_up_to())))
}

/// Content. NULL with length 0 is empty.
///
/// # Safety
/// `data` is NULL or points to `len` bytes that live and do not change as long as the C call.
pub(super) unsafe fn bytes<'a>(name: &str, data: *const u8, len: usize) -> Result<&'a [u8]> {
    match (data.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Error::invalid(format!("{name}: NULL with length {len}"))),
        (false, _) if len > isize::MAX as usize => Err(Error::invalid(format!("{name}: length {len} is impossible"))),
        // SAFETY: not NULL, of a possible length, and readable by the caller's promise; bytes have no alignment.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(data, len) }),
    }
}

/// The bytes of an id.
///
/// # Safety
/// `id` is NULL or points to N readable bytes.
pub(super) unsafe fn id<const N: usize>(name: &str, id: *const u8) -> Result<[u8; N]> {
    // SAFETY: the caller's promise; bytes have no alignment.
    unsafe { opt_struct(id.cast()) }.ok_or_else(|| Error::invalid(format!("{name}: NULL")))
}

/// A copy of a C struct that may be NULL.
///
/// # Safety
/// `value` is NULL or points to a readable T.
pub(super) unsafe fn opt_struct<T: Copy>(value: *const T) -> Option<T> {
    // SAFETY: not NULL and readable by the caller's promise; a foreign language may not align it.
    (!value.is_null()).then(|| unsafe { value.read_unaligned() })
}

/// Writes a result of fixed size.
///
/// # Safety
/// `out` is NULL or points to a writable T.
pub(super) unsafe fn write<T>(name: &str, out: *mut T, value: T) -> Result<()> {
    if out.is_null() {
        return Err(Error::invalid(format!("{name}: NULL")));
    }
    // SAFETY: not NULL and writable by the caller's promise; a foreign language may not align it.
    unsafe { out.write_unaligned(value) };
    Ok(())
}

/// Writes bytes into the caller's buffer, all or none, and always the size that is needed.
///
/// # Errors
/// MPR_ERR_BUFFER_TOO_SMALL.
///
/// # Safety
/// `out` is NULL or points to `capacity` writable bytes; `needed` is NULL or points to a writable size_t.
pub(super) unsafe fn write_bytes(data: &[u8], out: *mut u8, capacity: usize, needed: *mut usize) -> Result<()> {
    if !needed.is_null() {
        // SAFETY: the caller's promise.
        unsafe { needed.write_unaligned(data.len()) };
    }
    if data.is_empty() {
        return Ok(());
    }
    if out.is_null() && capacity > 0 {
        return Err(Error::invalid(format!("the output buffer: NULL with capacity {capacity}")));
    }
    if capacity < data.len() {
        let text = format!("the output buffer has {capacity} bytes and {} are needed", data.len());
        return Err(Error::new(MPR_ERR_BUFFER_TOO_SMALL, text));
    }
    // SAFETY: `out` is not NULL and has room by the caller's promise; `data` is ours, so they do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), out, data.len()) };
    Ok(())
}

/// Writes text with its NUL; the size needed counts the NUL.
///
/// # Errors
/// MPR_ERR_BUFFER_TOO_SMALL.
///
/// # Safety
/// As for [`write_bytes`].
pub(super) unsafe fn write_text(text: &str, out: *mut c_char, capacity: usize, needed: *mut usize) -> Result<()> {
    let mut with_nul = text.replace('\0', "\u{fffd}").into_bytes();
    with_nul.push(0);
    // SAFETY: the caller's promise.
    unsafe { write_bytes(&with_nul, out.cast(), capacity, needed) }
}
