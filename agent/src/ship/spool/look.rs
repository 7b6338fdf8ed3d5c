//! What `check` says of the spool: read off the file's head, without opening the database, which would
//! change it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::SpoolError;
use super::open::{FILE_NAME, MIGRATIONS};

/// How SQLite's files begin (its "Database File Format", section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Where the head holds `PRAGMA user_version`, in four bytes, the highest first.
const VERSION_AT: usize = 60;
/// Length of the head.
const HEAD_BYTES: usize = 100;

/// What is found in a state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// No spool yet, or one that nothing was written to.
    Nothing,
    /// A spool that `run` opens.
    Usable,
    /// No database: `run` moves it aside, and what it held is lost.
    Damaged,
}

/// The spool's file in `state_dir`.
#[must_use]
pub fn file(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE_NAME)
}

/// Looks at the spool in `state_dir`. Fails as [`Spool::open`](super::Spool::open) does for a newer
/// layout, and where the file cannot be read.
pub fn look(state_dir: &Path) -> Result<Found, SpoolError> {
    let path = file(state_dir);
    let mut head = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(HEAD_BYTES as u64).read_to_end(&mut head));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(source) => return Err(SpoolError::File { path, doing: "reading", source }),
        Ok(0) => return Ok(Found::Nothing),
        Ok(_) => {}
    }
    let version = head.get(VERSION_AT..).and_then(|rest| rest.first_chunk::<4>());
    let Some(version) = version.filter(|_| head.starts_with(MAGIC)) else { return Ok(Found::Damaged) };
    let (found, known) = (i64::from(u32::from_be_bytes(*version)), MIGRATIONS.len() as i64);
    if found > known {
        return Err(SpoolError::Newer { path, found, known });
    }
    Ok(Found::Usable)
}
