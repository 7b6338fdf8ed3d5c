//! Copies of the state folder, taken while the central runs, and their return.
//!
//! A copy is taken file by file, each by SQLite itself within one read transaction, by a process of its
//! own that asks the running central for nothing. That the files fit one another is a matter of
//! **order** alone:
//!
//! 1. What is derived from the log: windows with their checkpoints, series, searched lines. Each of
//!    these files says how far in the log it has read.
//! 2. The log, oldest segment first. It is copied later, so it reaches at least as far as everything
//!    derived from it, and a restart reads on from there: state = checkpoint + the log behind it. The
//!    other way round, stores would hold what the log never had, and the same offsets would be given
//!    again to other records.
//! 3. What the log needs but does not make: the catalogue, the agents and their tokens, dead letters,
//!    the certificate authority. Later, so that every agent with a record in the log is known.
//!
//! The copy's **instant** is that of the read transaction on the log's newest segment. Every record
//! that was acknowledged before is in the copy, in one cut over all partitions: a segment holds all of
//! them, and a commit is whole.
//!
//! After a return, repeats are recognised as after any restart, since the table of numbers is a function
//! of the log. What agents sent between the instant and the return has left their spools: their numbers
//! jump, and the jump is counted as lost records, not as an error.
//!
//! [`files`] knows what is what, [`copy`] copies one file, [`take`] makes a copy, [`put_back`] returns
//! it, [`manifest`] says what belongs to it.

mod copy;
mod error;
mod files;
mod manifest;
mod put_back;
mod take;

#[cfg(test)]
mod tests;

pub use error::BackupError;
pub use manifest::{FileEntry, Manifest, PartitionEnd};
pub use put_back::{Restored, put_back, refuse_unfinished};
pub use take::take;
