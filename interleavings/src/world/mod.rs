//! What the library's files find where they look for the standard library, tokio and the rest.

pub mod outside;
pub mod sync;
pub mod tasks;
pub mod thread;
pub mod time;
