//! What belongs to a copy: `manifest.json` in its folder.

use std::path::{Component, Path, PathBuf};

use goldentime_model::UnixNanos;
use serde::{Deserialize, Serialize};

use super::error::BackupError;

/// Name of the manifest's file.
pub(super) const FILE: &str = "manifest.json";

/// The form that this version writes; older ones are read.
const FORMAT: u32 = 1;

/// Largest manifest: some hundred bytes for each file, and there are at most some thousand.
const BYTES_MAX: u64 = 16 << 20;

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form.
    pub format: u32,
    /// Version of the program that took the copy.
    pub version: String,
    /// When the copy was cut out of the log, RFC 3339 in UTC: what was acknowledged before is in it.
    pub instant: String,
    /// The same in nanoseconds since the epoch.
    pub instant_ns: i64,
    /// How far the log reaches, by partition.
    pub partitions: Vec<PartitionEnd>,
    /// Every file.
    pub files: Vec<FileEntry>,
}

/// The end of one partition in the copied log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionEnd {
    /// Which.
    pub partition: u32,
    /// Its last record's offset; 0 if it never had one.
    pub last_offset: u64,
}

/// One file of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Below the copy's folder.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Of its content, in hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// The manifest of a copy that this version has just taken.
    pub(super) fn new(instant: UnixNanos, partitions: Vec<PartitionEnd>, files: Vec<FileEntry>) -> Self {
        let shown = jiff::Timestamp::from_nanosecond(i128::from(instant.0)).unwrap_or_default();
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instant: shown.to_string(),
            instant_ns: instant.0,
            partitions,
            files,
        }
    }

    /// Size of all files, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Reads the manifest of the copy in `folder`.
    pub fn read(folder: &Path) -> Result<Self, BackupError> {
        let path = folder.join(FILE);
        let wrong = |detail: String| BackupError::Manifest { path: path.clone(), detail };
        let size = std::fs::metadata(&path).map_err(BackupError::file("read", &path))?.len();
        if size > BYTES_MAX {
            return Err(wrong(format!("it has {size} bytes")));
        }
        let text = std::fs::read(&path).map_err(BackupError::file("read", &path))?;
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if manifest.format > FORMAT {
            let (found, version) = (manifest.format, &manifest.version);
            return Err(wrong(format!(
                "its form is {found}, written by {version}; use that version or newer"
            )));
        }
        match manifest.files.iter().find(|file| !is_below(&file.path)) {
            Some(file) => Err(wrong(format!("the path {:?} leads out of the folder", file.path))),
            None => Ok(manifest),
        }
    }
}

/// Whether a path stays below the folder that it is joined to.
fn is_below(path: &Path) -> bool {
    path.components().next().is_some() && path.components().all(|part| matches!(part, Component::Normal(_)))
}
