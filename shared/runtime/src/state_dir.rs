//! A program's state directory: made private, and held by one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Name of the lock's file.
const LOCK_FILE: &str = "lock";

/// Mode of the directory: it holds keys.
const FOLDER_MODE: u32 = 0o700;

/// Longest process id with its newline.
const PID_BYTES_MAX: u64 = 32;

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another process holds it.
    #[error(
        "another {program}{} uses the state directory {}: stop it, or give this one a `state_dir` of its own",
        holder.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        path.display()
    )]
    Held {
        /// What holds it: `agent` or `central`.
        program: &'static str,
        /// The directory.
        path: PathBuf,
        /// The other's process id, if it wrote one.
        holder: Option<String>,
    },
    /// It cannot be made, or its lock cannot be opened.
    #[error("cannot {doing} {}; the program's user needs to own the state directory", path.display())]
    Unusable {
        /// What was tried.
        doing: &'static str,
        /// The directory or file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

/// A state directory that is ours until this value is dropped or the process ends.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Makes the directory where it is missing, and takes its lock. `program` is what a refusal calls
    /// the holder.
    pub fn hold(path: &Path, program: &'static str) -> Result<Self, StateDirError> {
        let unusable = |doing, path: &Path| {
            let path = path.to_path_buf();
            move |source| StateDirError::Unusable { doing, path, source }
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path)
            .map_err(unusable("make the folder", path))?;
        let lock_path = path.join(LOCK_FILE);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(unusable("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(&lock, program, path)),
            Err(TryLockError::Error(source)) => return Err(unusable("lock", &lock_path)(source)),
        }
        // Only for others' messages: a full disk must not keep the program from starting.
        let _ = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The refusal, with the process id that the holder wrote.
fn held(lock: &File, program: &'static str, path: &Path) -> StateDirError {
    let mut holder = String::new();
    // Only for the message: an unreadable lock names nobody.
    let _ = lock.take(PID_BYTES_MAX).read_to_string(&mut holder);
    let holder = Some(holder.trim().to_owned()).filter(|pid| !pid.is_empty());
    StateDirError::Held { program, path: path.to_path_buf(), holder }
}

/// From here on files of this process are its user's own: they hold keys, and lines of logs.
pub fn make_files_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_who_holds_the_directory() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("state");
        let first = StateDir::hold(&path, "agent").expect("free");
        let error = StateDir::hold(&path, "agent").expect_err("held").to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        assert!(error.contains("state_dir"), "{error}");
        drop(first);
        StateDir::hold(&path, "agent").expect("free again");
    }
}
