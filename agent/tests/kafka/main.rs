//! The agent straight to a real Kafka: what arrives there is what was read, whatever happens between.
#![allow(clippy::expect_used, reason = "a test says by it what it needs")]

mod brokers;
mod central;
#[path = "../common/mod.rs"]
mod common;
mod host;
mod lanes;
mod lines;
mod topics;
mod world;
