//! What can go wrong with the spool, told apart by what the agent does about it.

use std::path::PathBuf;

/// Why a spool operation failed. Nothing of a failed operation is kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk, or the spool's own bound on its file, is full. Try again: room comes back when
    /// records are acknowledged or the operator makes some.
    #[error("no room for the spool in {}: free some space on that file system; inputs wait until then", path.display())]
    Full {
        /// The spool's file.
        path: PathBuf,
    },
    /// The file is not a sound SQLite database. It is moved aside at the next start.
    #[error("the spool {} is damaged; it is moved aside when the agent starts again", path.display())]
    Corrupt {
        /// The spool's file.
        path: PathBuf,
        /// What SQLite found.
        #[source]
        source: sqlx::Error,
    },
    /// The file was written by a newer agent.
    #[error(
        "the spool {} has layout {found}, this agent knows up to {known}: install the newer agent again, \
         or move the file away to start without what it holds",
        path.display()
    )]
    Newer {
        /// The spool's file.
        path: PathBuf,
        /// Version of the layout found.
        found: i64,
        /// Newest version that this build reads.
        known: i64,
    },
    /// Any other failure of the database.
    #[error("spool {}: {doing}", path.display())]
    Database {
        /// The spool's file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
    /// A file beside the database could not be used.
    #[error("{doing} {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The operating system gave no random numbers for a stream's id.
    #[error("no random numbers for a new stream id: {0}")]
    Random(getrandom::Error),
}

// Primary result codes, <https://sqlite.org/rescode.html>: the low byte of an extended one.
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const NOTADB: i32 = 26;

/// Less than this left on a file system counts as full when SQLite reports an I/O error: an append
/// to the write-ahead log that hits the end of the disk comes back as IOERR_WRITE on some systems.
const LEFT_BYTES_MIN: u64 = 1 << 20;

impl SpoolError {
    /// Sorts a database error by what is to be done about it.
    pub(super) fn of(path: &std::path::Path, doing: &'static str, source: sqlx::Error) -> Self {
        let path = path.to_path_buf();
        match primary_code(&source) {
            Some(FULL) => Self::Full { path },
            Some(CORRUPT | NOTADB) => Self::Corrupt { path, source },
            Some(IOERR) if is_no_space(&path) => Self::Full { path },
            _ => Self::Database { path, doing, source },
        }
    }

    /// Whether waiting for room is the way out.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    /// Whether only a new file is the way out.
    #[must_use]
    pub const fn is_corrupt(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}

fn is_no_space(path: &std::path::Path) -> bool {
    let Some(folder) = path.parent() else { return false };
    rustix::fs::statvfs(folder).is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) < LEFT_BYTES_MIN)
}
