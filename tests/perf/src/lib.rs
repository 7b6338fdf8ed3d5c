//! What the benchmarks behind `make bench-*` share: how they tell their figures ([`report`]).

pub mod report;
