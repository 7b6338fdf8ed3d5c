//! What can go wrong.

use std::io;
use std::path::PathBuf;

/// Why a copy was not taken or not returned. Nothing half done is left in its place.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("{} holds no state of a central; is `state_dir` in the configuration the right one?", .0.display())]
    NoState(PathBuf),
    /// A copy is never written over anything.
    #[error("{} is there already and not empty; name a folder that does not exist yet", .0.display())]
    Occupied(PathBuf),
    /// It would be copied into itself.
    #[error("{} lies in the state folder; a backup belongs elsewhere, best on another disk", .0.display())]
    Inside(PathBuf),
    /// Two at once.
    #[error("another backup is being written to {}", .0.display())]
    Running(PathBuf),
    /// The disk.
    #[error("no room for {}: nothing was kept; free some or name a folder on another disk", .0.display())]
    Full(PathBuf),
    /// A file or folder.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A database.
    #[error("cannot copy the database {}", path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// What the engine said.
        #[source]
        source: sqlx::Error,
    },
    /// The manifest is not one.
    #[error("{} is no manifest of a backup that this version understands: {detail}", path.display())]
    Manifest {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A file of the copy is not what it was.
    #[error("{} is damaged: {detail}; nothing was restored", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What differs.
        detail: String,
    },
    /// The state folder is in use as a state folder.
    #[error(
        "{} holds a state already; `--replace` moves it into a folder beside the restored one",
        .0.display()
    )]
    HasState(PathBuf),
    /// The configuration asks for another number of partitions.
    #[error("the backup has {backup} partitions, the configuration {config}; set `partitions: {backup}`")]
    Partitions {
        /// The backup's.
        backup: u32,
        /// The configuration's.
        config: u32,
    },
    /// Somebody uses the state folder.
    #[error(transparent)]
    Held(#[from] goldentime_runtime::StateDirError),
    /// A restore was cut off.
    #[error(
        "a restore into {} was cut off, and what is there is neither the old state nor the restored one: \
         run `goldentime-central restore <folder> --replace` again",
        .0.display()
    )]
    Unfinished(PathBuf),
}

impl BackupError {
    /// Wraps what the operating system said; a full disk is told as such.
    pub(super) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path),
            _ => Self::File { doing, path, source },
        }
    }
}
