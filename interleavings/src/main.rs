//! The library's own files, compiled a second time with the locks, threads, clock and tasks of `shuttle`, which runs them
//! one step at a time in orders of its choice. `make interleavings`.
//!
//! Nothing in the library knows of it: `std`, `tokio`, `rand`, `once_cell` and `ring` are this crate here, so that what its
//! files import from there is what stands in world/. What has no part in this (HTTP, options, masking) is small in world/.

#![allow(dead_code)]

extern crate self as once_cell;
extern crate self as rand;
extern crate self as ring;
extern crate self as std;
extern crate self as tokio;
extern crate std as real_std;

// (Declared first: what is behind it uses it in place of the standard library's.)
macro_rules! thread_local {
    ($($all:tt)*) => { shuttle::thread_local! { $($all)* } };
}

pub use real_rand::{rngs, Rng, RngCore, SeedableRng};
pub use real_std::*;
pub use world::outside::{config, digest, http, mask, panic, race, rng};
pub use world::tasks::{runtime, spawn};
pub use world::{sync, thread, time};

mod run;
mod world;

#[path = "../../src/keys.rs"]
pub mod keys;
#[path = "../../src/status.rs"]
pub mod status;
#[path = "../../src/trace/mod.rs"]
pub mod trace;

#[path = "../../src/process"]
pub mod process {
    pub mod clock;
    pub mod exit;
    pub mod fork;
    pub mod log;
    pub mod panics;
    pub mod worker;

    // (This is std::process too.)
    pub use real_std::process::id;

    #[path = "../../interleavings/src/world/os.rs"]
    pub mod os;

    pub fn at_load() {
        fork::watch();
        exit::watch_first();
    }
}

#[path = "../../src/pipeline"]
pub mod pipeline {
    mod answer;
    mod budget;
    mod deliver;
    pub mod otlp;
    mod queue;
    mod spool;
    mod wire;

    #[path = "../../interleavings/src/world/transport.rs"]
    pub mod transport;

    pub use budget::{Budget, Open};
    pub use queue::{Counts, Queue};

    #[path = "../../interleavings/src/pipeline.rs"]
    pub mod cases;
}

#[path = "../../src/abi"]
pub mod abi {
    mod handles;

    #[path = "../../interleavings/src/handles.rs"]
    pub mod cases;
}

mod exit;
mod fork;
mod keys_cases;

fn main() {
    run::main(&[
        ("queue", pipeline::cases::queue),
        ("full", pipeline::cases::full),
        ("delivery", pipeline::cases::delivery),
        ("spool", pipeline::cases::spool),
        ("budget", pipeline::cases::budget),
        ("turn", fork::turn),
        ("gate", fork::gate),
        ("handles", abi::cases::handles),
        ("poison", abi::cases::poison),
        ("dead_holder", abi::cases::dead_holder),
        ("keys", keys_cases::keys),
        ("exit", exit::exit),
        ("worker", exit::worker),
    ]);
}
