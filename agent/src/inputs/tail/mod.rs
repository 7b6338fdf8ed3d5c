//! Log files, read as they grow.
//!
//! Which files there are: [`glob`] patterns, looked for by [`discover`], and [`watch`]ed for changes.
//! Which file is which over renames, copies and restarts: [`identity`], kept as a [`position`]. One
//! file's reading: [`file`] (blocks), cut into [`lines`], counted and shipped by [`sink`]. All files
//! of an input are read by one thread, the [`reader`]; [`files`] is what it knows of them,
//! [`arrivals`] how they come and go, [`away`] what is kept of those that are not there, and [`status`]
//! what it says of itself.

mod arrivals;
mod away;
pub mod config;
pub mod discover;
pub mod file;
pub mod files;
pub mod glob;
pub mod identity;
pub mod input;
pub mod lines;
pub mod position;
pub mod reader;
pub mod sink;
pub mod status;
pub mod watch;

pub use config::Config;
pub use goldentime_observe::record::preview;
pub use input::{Error, Tail, TailHandle};
pub use status::{FileStatus, Status};

#[cfg(test)]
mod tests;
