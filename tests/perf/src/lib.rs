//! What the benchmarks behind `make bench-*` are made of: [`alert`], and how all of them tell their
//! figures: [`report`].

pub mod alert;
pub mod report;
