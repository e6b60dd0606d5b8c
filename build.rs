//! Link settings of the shared library that cargo has no key for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // std registers thread-exit destructors on the host's threads: unmapping their code would crash the host, so
        // dlclose keeps the library in memory.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libmpr.so.0");
    }
}
