//! How far a file was read, as it is kept over restarts.

use std::path::{Path, PathBuf};

use goldentime_model::UnixNanos;
use serde::{Deserialize, Serialize};

use super::identity::Print;

/// Version of the layout that this build writes.
const VERSION: u8 = 1;

/// How far a file was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) version: u8,
    /// Where it was last seen.
    pub(super) path: PathBuf,
    /// The path by which the input's `paths` named it, where that is not `path`: of a file that was
    /// renamed since, or of the original of a copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) followed_as: Option<PathBuf>,
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Start of the first line that was not taken yet.
    pub(super) offset: u64,
    /// The offset is inside a line whose rest is to be stepped over.
    pub(super) is_skipping: bool,
    pub(super) head: Print,
    /// The bytes just before the offset.
    pub(super) mark: Print,
    /// Length of a copy that `copytruncate` has left, which nobody writes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) copy_bytes: Option<u64>,
    /// Since when the file is missing together with its file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) away_since: Option<UnixNanos>,
}

impl Position {
    pub(super) fn new(path: PathBuf, id: super::identity::FileId) -> Self {
        let (head, mark) = (Print::default(), Print::default());
        let (device, inode) = (id.device, id.inode);
        Self {
            version: VERSION,
            path,
            followed_as: None,
            device,
            inode,
            offset: 0,
            is_skipping: false,
            head,
            mark,
            copy_bytes: None,
            away_since: None,
        }
    }

    /// Of a copy that was read to its end: whatever is done to it now, no line of it is lost.
    pub(super) fn is_read_copy(&self) -> bool {
        self.copy_bytes.is_some_and(|bytes| self.offset >= bytes)
    }

    /// The path by which the input's `paths` named it last.
    pub(super) fn followed_as(&self) -> &Path {
        self.followed_as.as_deref().unwrap_or(&self.path)
    }

    /// The same place in the file that now goes by `path`, which the input's `paths` do not name.
    pub(super) fn moved_to(self, path: PathBuf) -> Self {
        let followed_as = Some(self.followed_as().to_owned()).filter(|named| *named != path);
        Self { path, followed_as, ..self }
    }

    /// As kept by the spool.
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain fields always serialise")
    }

    /// `None` if it was written by a version that is not known here, or damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|position| position.version == VERSION)
    }
}
