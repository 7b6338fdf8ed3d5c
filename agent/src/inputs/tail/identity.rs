//! Which file is which, whatever it is called.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh64::xxh64;

use super::position::Position;

/// Bytes at a file's head that tell it from others.
pub(super) const HEAD_BYTES: usize = 256;
/// Bytes just before the read position that tell whether they are still the ones that were read.
pub(super) const MARK_BYTES: usize = 64;

/// A file on this machine, for as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// Device that it lies on.
    pub device: u64,
    /// Inode; used again after a deletion, which is why content is compared as well.
    pub inode: u64,
}

impl FileId {
    /// Of an open file.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from_metadata(&file.metadata()?))
    }

    /// Of the file that this was read of.
    pub(super) fn from_metadata(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl std::fmt::Display for FileId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.device, self.inode)
    }
}

/// A stretch of a file's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Print {
    pub(super) len: u16,
    pub(super) hash: u64,
}

impl Print {
    /// Of the bytes that end at `end`, at most `len` of them.
    pub(super) fn before(file: &File, end: u64, len: usize) -> io::Result<Self> {
        let len = usize::try_from(end).unwrap_or(usize::MAX).min(len);
        let mut bytes = [0; HEAD_BYTES];
        let bytes = &mut bytes[..len];
        file.read_exact_at(bytes, end - len as u64)?;
        Ok(Self::of(bytes))
    }

    /// Of these bytes, at most [`HEAD_BYTES`].
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { len: bytes.len() as u16, hash: xxh64(bytes, 0) }
    }

    /// Whether `file` has this content in the bytes that end at `end`.
    pub(super) fn stands_before(&self, file: &File, end: u64) -> bool {
        self.len == 0 || Self::before(file, end, usize::from(self.len)).is_ok_and(|print| print == *self)
    }
}

impl Position {
    /// Whether `file` holds what was read: the same head, and the same bytes just before the offset.
    pub(super) fn is_of(&self, file: &File) -> bool {
        self.head.stands_before(file, u64::from(self.head.len)) && self.mark.stands_before(file, self.offset)
    }
}

/// The file of this identity in a folder, under whatever name.
pub(super) fn find_by_id(folder: &Path, id: FileId) -> Option<(PathBuf, File)> {
    candidates(folder).find_map(|path| {
        let metadata = fs::metadata(&path).ok()?;
        if (metadata.dev(), metadata.ino()) != (id.device, id.inode) {
            return None;
        }
        let file = File::open(&path).ok()?;
        (FileId::of(&file).ok()? == id).then_some((path, file))
    })
}

/// A copy of what was read up to `position`, in a folder, in a file other than `original`: what
/// `copytruncate` leaves.
pub(super) fn find_copy(folder: &Path, original: FileId, position: &Position) -> Option<(PathBuf, File)> {
    if position.offset == 0 {
        return None;
    }
    candidates(folder).find_map(|path| {
        let metadata = fs::metadata(&path).ok()?;
        if !metadata.is_file() || metadata.len() < position.offset {
            return None;
        }
        let file = File::open(&path).ok()?;
        (FileId::of(&file).ok()? != original && position.is_of(&file)).then_some((path, file))
    })
}

/// Entries of a folder that are looked at for a lost file.
const CANDIDATES_MAX: usize = 10_000;

fn candidates(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).take(CANDIDATES_MAX)
}
