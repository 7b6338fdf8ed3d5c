//! Any sequence of insertions, merges and subtractions.
#![no_main]

#[path = "../../../shared/sketch/tests/bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::operations(bytes));
