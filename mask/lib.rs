//! See src/mask.

#![deny(missing_docs)]

#[path = "../src/mask/mod.rs"]
pub mod mask;
