//! StatsD, as DogStatsD and as plain StatsD speak it, over UDP and a Unix datagram socket.
//!
//! In the order in which a datagram meets them: a socket ([`udp`], [`unix`]; either is a [`listening`]
//! one, of which the kernel tells the [`queue`]) is emptied in batches ([`receive`]) by the one thread
//! of the [`reader`], and where wanted its sender's container found ([`origin`]). A [`line`] (its numbers by [`number`], its [`tags`]) that says nothing readable
//! is [`malformed`]; [`event`]s become log records. The [`intake`] looks up what a metric of this name
//! and these tags is: known ones stand in [`contexts`], new ones are told by the [`resolver`] from the
//! [`rules`], whose names are [`pattern`]s. What times a request is counted in the shard, by the
//! [`weight`] of its sample rate; every other [`reading`] is summed up in [`samples`] and shipped once a
//! second. [`fit`] makes names out of bytes.
//!
//! A known metric costs two hashes, one look-up and no allocation.

pub mod config;
pub mod contexts;
pub mod event;
pub mod fit;
pub mod input;
pub mod intake;
pub mod line;
pub mod listening;
pub mod malformed;
pub mod number;
pub mod origin;
pub mod pattern;
pub mod queue;
pub mod reader;
pub mod reading;
pub mod receive;
pub mod resolver;
pub mod rules;
pub mod samples;
pub mod status;
pub mod tags;
pub mod udp;
pub mod unix;
pub mod weight;

pub use config::Config;
pub use input::{Error, Statsd, StatsdHandle};
pub use status::Status;

#[cfg(test)]
mod tests;
