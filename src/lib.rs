//! libmpr: session recording for backend services as a native library.
//!
//! The product is the C ABI in [`abi`] (`include/mpr.h`); the modules below it are the same in Rust's terms. The arrow
//! between them points downwards only: abi → otlp_in → recorder → {spans, logs} → intake → session → pipeline →
//! {config, trace, capture} → {mask, process, status}. See docs/architecture.md.

#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::todo, clippy::unimplemented)
)]

#[cfg(all(panic = "abort", not(test)))]
compile_error!("libmpr turns panics into status codes: build it with panic = \"unwind\"");

pub mod abi;
pub mod capture;
pub mod config;
pub mod http;
pub mod intake;
pub mod keys;
pub mod logs;
// A package of its own, since a package is what has a level of optimisation. Tests have it here.
#[cfg(test)]
pub mod mask;
#[cfg(not(test))]
pub use mpr_mask::mask;
pub mod masker;
pub mod otlp_in;
pub mod pipeline;
pub mod process;
pub mod recorder;
pub mod session;
pub mod spans;
pub mod status;
pub mod trace;
