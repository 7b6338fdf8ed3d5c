//! The log on Kafka, against real brokers: the conformance suites, and what only this backend can suffer.

mod checkpoints;
mod group;
mod letters;
mod producing;
mod reading;
mod secured;
mod topics;
mod world;
