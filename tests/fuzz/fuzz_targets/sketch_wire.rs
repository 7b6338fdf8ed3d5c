//! Bytes as a sketch on the wire.
#![no_main]

#[path = "../../../shared/sketch/tests/bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::wire(bytes));
