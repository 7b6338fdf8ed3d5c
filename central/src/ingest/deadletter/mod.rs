//! Dead letters: what agents sent and could not be taken, and log lines that no store will take, with the
//! reason; and their way back.
//!
//! [`writer`] keeps them in `dead-letters.db` ([`schema`] is its layout, [`config`] its bounds), [`lines`] is how
//! a log line becomes a letter. [`letter`] is what is kept, [`store`] the contract of those who look at it and
//! [`sqlite`] its backend, [`shown`] what a record says, as JSON.
//!
//! The way back: somebody asks for a replay ([`replays`] keeps who asked for what and how far it has come, in the
//! same file, whichever process asks), the running central sees it ([`replayer`]), judges each letter again
//! ([`admission`]) and gives it into the log.
//!
//! **A replay counts once.** A refused record's own number was acknowledged, and later ones have passed it: under
//! that number the merge would drop it as a repeat. So each replay is a stream of its own, with numbers 1, 2, 3, …
//! in each partition, and a letter's place in it is written down before the record leaves. Killed at any moment,
//! the next start sends what has a place and no receipt again under that place, as an agent does from its spool,
//! and what the log has is dropped as a repeat. A record that an agent sends again, because no acknowledgement
//! reached it, is the letter that is there already: letters are told apart by what they say.

pub mod admission;
pub mod config;
pub mod letter;
pub mod lines;
pub mod replayer;
pub mod replays;
mod schema;
pub mod shown;
pub mod sqlite;
pub mod store;
#[cfg(test)]
mod tests;
pub mod writer;

pub use config::DeadLettersConfig;
pub use letter::{Head, Kind, Letter, LetterId};
pub use lines::LineLetters;
pub use sqlite::SqliteLetters;
pub use store::{Filter, LetterStore, LettersError, Page, PageRequest, ReasonCount};
pub use writer::{DeadLetter, DeadLetters, Writer};
