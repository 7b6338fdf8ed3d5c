//! What databases that follow the ingest log have in common: each reads the log from a position of its
//! own, and commits rows, position and the table that drops repeats in one transaction.
//!
//! [`position`] is how far one has come and how it goes on, [`error`] what may go wrong, and [`sqlite`]
//! the embedded form: a file that is opened when it can be, its layout, the position's tables in it.

pub mod error;
pub mod position;
pub mod sqlite;

pub use error::StoreError;
pub use goldentime_windows::StreamPosition;
pub use position::{Advance, BoxFuture, Committed, Mark, Position};
