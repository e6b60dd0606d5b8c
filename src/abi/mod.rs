//! The C border: checks, converts, guards. The only `extern "C"` functions and, but for src/process/os.rs, the only unsafe.
//!
//! Every function is one call of a guard from [`guard`] with a closure: it turns a panic into MPR_ERR_INTERNAL and an
//! error into its status and this thread's message. Raw pointers become references in [`input`] and nowhere else.
//! Handles are numbers into tables ([`handles`]): a freed or foreign one is an error, never a read of freed memory.
//!
//! cbindgen makes `include/mpr.h` of these files in the order that tests/header.rs names; the comments here are the
//! header's, written for C programmers.

// The rules for pointers stand in every function's C comment; a "# Safety" section in each would say them twice.
#![allow(clippy::missing_safety_doc)]
// The names are the C header's.
#![allow(non_camel_case_types)]

pub mod capture;
pub mod export;
pub mod guard;
mod handles;
pub mod hooks;
pub mod ids;
mod input;
pub mod lifecycle;
pub mod logs;
pub mod options;
pub mod session;
pub mod spans;
pub mod version;
