//! What the benchmarks behind `make bench-*` are made of: [`alert`] for `bench-alert`, the simulated
//! agents of [`fleet`] and [`window_read`] for `bench-central`, and how all of them tell their figures:
//! [`report`].

pub mod alert;
pub mod fleet;
pub mod report;
pub mod window_read;
