//! The uplink against a small central on the real transport: enrolment, QUIC and frames are those of
//! the programs; only the log behind them is a list in memory.

mod central;
mod scenarios;
