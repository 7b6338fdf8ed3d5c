//! Dead letters: what agents sent and could not be taken, and log lines that no store will take, with the
//! reason; and their way back.
//!
//! [`post`] is the queue before whoever keeps them, [`lines`] is how a log line becomes a letter, [`letter`] what is
//! kept, [`config`] its bounds. [`store`] is the contract of those who look at letters, [`replays`] that of their
//! way back, [`conformance`] the suite of both, and [`shown`] what a record says, as JSON.
//!
//! A central that is alone keeps its letters in a file ([`sqlite`]). Those of a cluster go to a topic, and from there to
//! the database that all centrals ask ([`topic`], [`postgres`]).
//!
//! The way back: somebody asks for a replay, whichever process asks. The running central sees it ([`replayer`]), one
//! of several if it is its [`turn`], judges each letter again ([`admission`]) and gives it into the log.
//!
//! **A replay counts once.** A refused record's own number was acknowledged, and later ones have passed it: under
//! that number the merge would drop it as a repeat. So each replay is a stream of its own, with numbers 1, 2, 3, …
//! in each partition, and a letter's place in it is written down before the record leaves. Killed at any moment,
//! the next start sends what has a place and no receipt again under that place, as an agent does from its spool,
//! and what the log has is dropped as a repeat. A record that an agent sends again, because no acknowledgement
//! reached it, is the letter that is there already: letters are told apart by what they say.

pub mod admission;
pub mod config;
#[cfg(test)]
mod conformance;
pub mod letter;
pub mod lines;
pub mod post;
pub mod postgres;
pub mod replayer;
pub mod replays;
pub mod shown;
pub mod sqlite;
pub mod store;
pub mod topic;
pub mod turn;

pub use config::DeadLettersConfig;
pub use letter::{Head, Kind, Letter, LetterId};
pub use lines::LineLetters;
pub use post::{DeadLetter, DeadLetters, Settled};
pub use postgres::PostgresLetters;
pub use replays::ReplayStore;
pub use sqlite::SqliteLetters;
pub use sqlite::writer::Writer;
pub use store::{Filter, LetterStore, LettersError, Page, PageRequest, ReasonCount};
pub use topic::SharedLetters;
