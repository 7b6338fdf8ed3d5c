//! What others produce to `goldentime.raw`: read, counted, and produced to the topics of agents' records in
//! one Kafka transaction with the offsets that it came from.
//!
//! In the order in which a record meets them: [`owner`] takes what came of one partition, [`select`] finds the
//! input that it belongs to ([`config`]) and the line in it, [`fold`] counts lines by second as an agent does,
//! [`numbered`] makes records of streams of them and letters of what could not be taken. [`start`] owns the
//! partitions that a group of centrals gives to this one.
//!
//! **A line counts once.** Its records and the offset behind it are committed together or not at all, and whoever
//! reads the topics reads what is committed. A partition has one transactional id: its next owner ends what the
//! last one left open and puts that one out, and only then asks from where it goes on.

pub mod config;
pub mod fold;
pub mod numbered;
mod owner;
pub mod select;
pub mod start;
#[cfg(test)]
mod tests;

pub use config::RawConfig;
