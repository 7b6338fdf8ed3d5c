//! What a state folder holds, in the order in which it is copied.
//!
//! Files are told apart by name, and a database that nobody named here counts as derived from the log:
//! a store that is added needs no change.

use std::path::{Path, PathBuf};

use super::error::BackupError;

/// Folder of the log's segments.
pub(super) const LOG: &str = "log";

/// Where a restored state waits until it is whole.
pub(super) const RESTORING: &str = ".restoring";

/// Folders with the states that restores replaced begin so.
pub(super) const REPLACED: &str = "before-restore-";

/// The lock of the state folder.
pub(super) const LOCK: &str = "lock";

/// Databases that are no function of the log.
const OF_THEIR_OWN: [&str; 3] = ["catalogue.db", "agents.db", "dead-letters.db"];

/// What SQLite keeps beside a database; the copy of the database has what is in it.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Folders below the state folder, as deep as anything is kept.
const DEPTH_MAX: usize = 4;

/// The files of a state folder, as paths below it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// Databases that are derived from the log.
    pub derived: Vec<PathBuf>,
    /// Databases of their own.
    pub own: Vec<PathBuf>,
    /// What is no database: the certificate authority.
    pub plain: Vec<PathBuf>,
}

impl Files {
    /// Everything but the log.
    pub(super) fn list(state_dir: &Path) -> Result<Self, BackupError> {
        let mut files = Self::default();
        files.add(state_dir, Path::new(""), DEPTH_MAX)?;
        for list in [&mut files.derived, &mut files.own, &mut files.plain] {
            list.sort();
        }
        Ok(files)
    }

    fn add(&mut self, state_dir: &Path, below: &Path, depth: usize) -> Result<(), BackupError> {
        let folder = state_dir.join(below);
        let failed = |error| BackupError::file("list", &folder)(error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = below.join(entry.file_name());
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                let is_ours = name != LOG && name != RESTORING && !name.starts_with(REPLACED);
                if is_ours && depth > 0 {
                    self.add(state_dir, &path, depth - 1)?;
                }
            } else if kind.is_file() {
                self.take(path, &name);
            }
        }
        Ok(())
    }

    fn take(&mut self, path: PathBuf, name: &str) {
        if name == LOCK || BESIDE.iter().any(|suffix| name.ends_with(suffix)) {
            return;
        }
        match name {
            name if OF_THEIR_OWN.contains(&name) => self.own.push(path),
            name if name.ends_with(".db") => self.derived.push(path),
            _ => self.plain.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_database_is_copied_before_the_log_and_a_restores_leavings_not_at_all() {
        let folder = tempfile::tempdir().expect("folder");
        for path in [
            "windows.db",
            "windows.db-wal",
            "series.db",
            "search/lines.db",
            "agents.db",
            "authority.pem",
            "lock",
            "log/segment-000000000001.db",
            ".restoring/windows.db",
            "before-restore-17/windows.db",
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("below")).expect("made");
            std::fs::write(path, "x").expect("written");
        }
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let expected = Files {
            derived: paths(&["search/lines.db", "series.db", "windows.db"]),
            own: paths(&["agents.db"]),
            plain: paths(&["authority.pem"]),
        };
        assert_eq!(Files::list(folder.path()).expect("listed"), expected);
    }
}
