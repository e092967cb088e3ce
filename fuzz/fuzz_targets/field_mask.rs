//! See `tests/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tierline_fuzz::run("field_mask", data));
