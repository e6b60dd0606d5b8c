#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mpr_fuzz::spool(data));
