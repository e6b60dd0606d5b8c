//! Another static library that is written in Rust, as a host may have one: with a runtime, an allocator and a panic handler
//! of its own. Built by rustc alone (test_static.py).

use std::collections::HashMap;
use std::panic::catch_unwind;
use std::thread;

/// What a panic said that was caught in here, as its length: 22.
#[no_mangle]
pub extern "C" fn other_panics() -> i32 {
    std::panic::set_hook(Box::new(|_| ()));
    let caught = catch_unwind(|| panic!("the other library's: {}", thread_names().len()));
    caught.expect_err("it panicked").downcast_ref::<String>().map_or(-1, |text| text.len() as i32)
}

fn thread_names() -> HashMap<String, usize> {
    let named = |n| thread::Builder::new().name(format!("other-{n}")).spawn(move || (thread::current().name().map(String::from), n));
    (0..4).filter_map(|n| named(n).ok()?.join().ok()).filter_map(|(name, n)| Some((name?, n))).collect()
}
