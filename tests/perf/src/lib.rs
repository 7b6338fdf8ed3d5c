//! What the benchmarks behind `make bench-*` are made of: [`agent_load`] for `bench-agent` and
//! `bench-statsd`, [`alert`] for `bench-alert`, the simulated agents of [`fleet`] and [`window_read`] for
//! `bench-central`, the simulated services of [`detect`], [`series`] for `bench-series`, [`log_lines`] for `bench-search`, and how all of them tell
//! their figures ([`report`]) and read each other's ([`earlier`]).

pub mod agent_load;
pub mod alert;
pub mod detect;
pub mod earlier;
pub mod fleet;
pub mod log_lines;
pub mod report;
pub mod series;
pub mod window_read;
