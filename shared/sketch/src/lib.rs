//! Mergeable base-2 exponential latency sketch

/// API of this crate, to be filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch;
