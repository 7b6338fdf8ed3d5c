//! SQLite files of followers: [`file`] opens them and bounds their size, [`layout`] brings them to this
//! version's layout, [`position`] keeps the position in them.

pub mod file;
pub mod layout;
pub mod position;

pub use file::{File, FileSettings, Size};

/// The tables of [`position`]: the first step of every follower's layout.
pub const POSITION_TABLES: &str =
    include_str!("../../../../../migrations/sqlite/follower/0001_positions.sql");
