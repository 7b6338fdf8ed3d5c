//! Positions of files that are not there: what the run before left, until the files are found, and
//! files that are missing together with their file system.
//!
//! A file that is gone while its folder, or the nearest one above that is left, still lies on the
//! file's device was deleted or moved: its position is forgotten. One whose file system is not mounted
//! comes back with it, perhaps under another device number, and must not be counted twice then. Its
//! position is kept for [`KEPT`].

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use goldentime_model::UnixNanos;

use super::identity::FileId;
use super::position::Position;
use super::reader::Reader;
use crate::aggregate::PositionKey;

/// How long the position of a file is kept whose file system is not mounted.
pub(super) const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// Positions without a file, by identity.
#[derive(Debug, Default)]
pub(super) struct Away {
    positions: HashMap<FileId, Position>,
    by_path: HashMap<PathBuf, FileId>,
    /// How many there were when it was last said.
    told: usize,
}

impl Away {
    /// From the spool's bytes; what cannot be read is left out and said.
    pub(super) fn decode(bytes: &HashMap<Arc<str>, Vec<u8>>) -> Self {
        let mut away = Self::default();
        for (source, bytes) in bytes {
            match Position::decode(bytes) {
                Some(position) => away.insert(position),
                None => tracing::warn!(%source, "a read position cannot be read; the file counts as new"),
            }
        }
        away
    }

    pub(super) fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.positions.len()
    }

    pub(super) fn insert(&mut self, position: Position) {
        let id = FileId { device: position.device, inode: position.inode };
        self.by_path.insert(position.path.clone(), id);
        self.positions.insert(id, position);
    }

    /// Whether the file that was found is one of these.
    pub(super) fn knows(&self, id: FileId, path: &Path) -> bool {
        self.positions.contains_key(&id) || self.under_other_device(id, path).is_some()
    }

    /// The position of a file that was found.
    pub(super) fn take(&mut self, id: FileId, path: &Path) -> Option<Position> {
        let known = if self.positions.contains_key(&id) { id } else { self.under_other_device(id, path)? };
        self.remove(known)
    }

    /// All of them, to be looked for one by one.
    pub(super) fn take_all(&mut self) -> Vec<(FileId, Position)> {
        self.by_path.clear();
        self.positions.drain().collect()
    }

    fn remove(&mut self, id: FileId) -> Option<Position> {
        let position = self.positions.remove(&id)?;
        self.by_path.remove(&position.path);
        Some(position)
    }

    /// A reboot or a new mount may give the device another number: the file is the same if path,
    /// inode and content are.
    fn under_other_device(&self, id: FileId, path: &Path) -> Option<FileId> {
        let known = *self.by_path.get(path)?;
        let position = self.positions.get(&known).filter(|position| position.offset > 0)?;
        let is_same = known.inode == id.inode && File::open(path).is_ok_and(|file| position.is_of(&file));
        is_same.then_some(known)
    }

    /// Removes those that are away for longer than [`KEPT`].
    fn take_expired(&mut self, now: UnixNanos) -> Vec<Position> {
        let is_over =
            |since: UnixNanos| u128::try_from(now.since(since)).is_ok_and(|ns| ns > KEPT.as_nanos());
        let expired = self.positions.iter().filter(|(_, position)| position.away_since.is_some_and(is_over));
        let expired: Vec<FileId> = expired.map(|(id, _)| *id).collect();
        expired.into_iter().filter_map(|id| self.remove(id)).collect()
    }
}

impl Reader {
    /// Keeps the position of a file that is missing together with its file system.
    pub(super) fn keep_away(&mut self, position: Position) {
        if self.away.len() >= self.config.files_max {
            self.gone(&position);
            self.shard.lock().forget_position(&self.key_of(&position));
            return;
        }
        let since = position.away_since.unwrap_or_else(|| self.clock.now());
        let position = Position { away_since: Some(since), ..position };
        self.shard.lock().set_position(&self.key_of(&position), &position.encode());
        self.away.insert(position);
    }

    /// Forgets what has been away for too long, and says what is away now.
    pub(super) fn review_away(&mut self) {
        for position in self.away.take_expired(self.clock.now()) {
            self.gone(&position);
            self.shard.lock().forget_position(&self.key_of(&position));
        }
        let now = self.away.len();
        if now > self.away.told {
            tracing::warn!(
                files = now,
                "missing together with their file system: is it mounted? They are read on when it is back \
                 within {} days",
                KEPT.as_secs() / 86_400
            );
        }
        self.away.told = now;
    }

    /// A file is gone for good that may not have been read to its end.
    pub(super) fn gone(&mut self, position: &Position) {
        if position.is_read_copy() {
            return;
        }
        self.sink.status.lost_files += 1;
        self.shard.lock().count_drop("file_gone", 1);
        tracing::warn!(path = %position.path.display(), "the file is gone; its end may be lost");
    }

    pub(super) fn key_of(&self, position: &Position) -> PositionKey {
        let id = FileId { device: position.device, inode: position.inode };
        PositionKey { input: Arc::clone(&self.input), source: id.to_string().into() }
    }
}

/// Whether the file system that held a file of `folder` is not mounted there: the nearest folder that
/// is left lies on another device.
pub(super) fn is_unmounted(folder: &Path, device: u64) -> bool {
    let nearest = folder.ancestors().find_map(|folder| fs::metadata(folder).ok());
    nearest.is_none_or(|metadata| metadata.dev() != device)
}
