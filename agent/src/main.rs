//! Goldentime central.
fn main() {}
