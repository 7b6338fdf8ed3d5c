//! How far a file was read, as it is kept over restarts.

use std::path::PathBuf;

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
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Start of the first line that was not taken yet.
    pub(super) offset: u64,
    /// The offset is inside a line whose rest is to be stepped over.
    pub(super) is_skipping: bool,
    pub(super) head: Print,
    /// The bytes just before the offset.
    pub(super) mark: Print,
}

impl Position {
    pub(super) fn new(path: PathBuf, id: super::identity::FileId) -> Self {
        let (head, mark) = (Print::default(), Print::default());
        let (device, inode) = (id.device, id.inode);
        Self { version: VERSION, path, device, inode, offset: 0, is_skipping: false, head, mark }
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
