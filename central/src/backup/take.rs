//! Takes a copy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use goldentime_log::peek;
use goldentime_model::UnixNanos;
use goldentime_runtime::Clock;

use super::copy;
use super::error::BackupError;
use super::files::{Files, LOG};
use super::manifest::{self, FileEntry, Manifest, PartitionEnd};

/// How long the log may take to reach the copied checkpoints. Offsets are given before the disk has the
/// record, so a checkpoint may be ahead of it by one group commit.
const LOG_FOLLOWS_WITHIN: Duration = Duration::from_secs(5);

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Copies the state below `state_dir` into the folder `target`, which must not exist yet (or be empty),
/// while the central may run. The copy appears as a whole or not at all: it is made beside `target`,
/// and what an earlier attempt left there is removed.
pub async fn take(
    state_dir: &Path,
    target: &Path,
    partitions: u32,
    clock: &dyn Clock,
) -> Result<Manifest, BackupError> {
    let target = std::path::absolute(target).map_err(BackupError::file("find", target))?;
    if !state_dir.join(LOG).is_dir() {
        return Err(BackupError::NoState(state_dir.to_owned()));
    }
    refuse_occupied(state_dir, &target)?;
    let work = Work::begin(&target)?;
    let manifest = work.fill(state_dir, partitions, clock).await?;
    work.finish(&target, &manifest)?;
    Ok(manifest)
}

fn refuse_occupied(state_dir: &Path, target: &Path) -> Result<(), BackupError> {
    let parent = target.parent().unwrap_or(target);
    let parent = parent.canonicalize().map_err(BackupError::file("use the folder", parent))?;
    let state_dir = state_dir.canonicalize().map_err(BackupError::file("use the folder", state_dir))?;
    if parent.starts_with(&state_dir) {
        return Err(BackupError::Inside(target.to_owned()));
    }
    match std::fs::read_dir(target) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(BackupError::Occupied(target.to_owned())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(BackupError::file("use the folder", target)(error)),
    }
}

/// The folder in which a copy is made. Removed when it was not finished.
struct Work {
    folder: PathBuf,
    /// Held as long as somebody works here.
    _lock: File,
    is_done: bool,
}

impl Work {
    fn begin(target: &Path) -> Result<Self, BackupError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let folder = target.with_file_name(format!(".{name}.partial"));
        if folder.exists() {
            // Somebody is at work, or was cut off.
            drop(lock(&folder, target)?);
            std::fs::remove_dir_all(&folder).map_err(BackupError::file("remove", &folder))?;
        }
        let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(BackupError::file("make the folder", &folder))?;
        let _lock = lock(&folder, target)?;
        Ok(Self { folder, _lock, is_done: false })
    }

    async fn fill(
        &self,
        state_dir: &Path,
        partitions: u32,
        clock: &dyn Clock,
    ) -> Result<Manifest, BackupError> {
        let mut copied = Vec::new();
        for path in Files::list(state_dir)?.derived {
            // Log lines have their end too: what cannot be searched any more need not be copied.
            copied.extend(self.unless_dropped(state_dir, path).await?);
        }
        self.log_follows(&state_dir.join(LOG), partitions).await?;
        let (instant, log) = self.log(state_dir, clock).await?;
        copied.extend(log);
        // Listed again: an authority or a catalogue may have been made meanwhile.
        let files = Files::list(state_dir)?;
        for path in files.own {
            copied.push(self.database(state_dir, path).await?);
        }
        for path in files.plain {
            let of = copy::plain(&state_dir.join(&path), &self.place(&path)?)?;
            copied.push(FileEntry { path, bytes: of.bytes, sha256: of.sha256 });
        }
        let log = self.folder.join(LOG);
        let ends = peek::ends(&log, partitions).await.map_err(|source| database_error(&log, source))?;
        let ends = ends.into_iter().map(|(partition, last_offset)| PartitionEnd { partition, last_offset });
        let manifest = Manifest::new(instant, ends.collect(), copied);
        self.note(&manifest)?;
        Ok(manifest)
    }

    /// Copies the log's segments, oldest first, and gives the instant of the newest.
    ///
    /// Segments that are begun meanwhile are left out: the log of the copy ends with the one that was
    /// the newest when this began.
    async fn log(
        &self,
        state_dir: &Path,
        clock: &dyn Clock,
    ) -> Result<(UnixNanos, Vec<FileEntry>), BackupError> {
        let folder = state_dir.join(LOG);
        let segments = peek::segments(&folder).map_err(BackupError::file("list", &folder))?;
        let mut copied = Vec::new();
        let mut instant = clock.now();
        for (place, name) in segments.iter().enumerate() {
            let (path, is_newest) = (Path::new(LOG).join(name), place + 1 == segments.len());
            if is_newest {
                instant = clock.now();
            }
            // Retention drops the oldest; what a start reads is far younger.
            match is_newest {
                true => copied.push(self.database(state_dir, path).await?),
                false => copied.extend(self.unless_dropped(state_dir, path).await?),
            }
        }
        Ok((instant, copied))
    }

    /// Waits until the log's disk has what the copied checkpoints have read.
    async fn log_follows(&self, log: &Path, partitions: u32) -> Result<(), BackupError> {
        let windows = self.folder.join("windows.db");
        if !windows.exists() {
            return Ok(());
        }
        let read = goldentime_windows::checkpoint_offsets(&windows).await;
        let read: BTreeMap<u32, u64> = read.map_err(|source| database_error(&windows, source))?;
        let follows = async {
            loop {
                let ends = peek::ends(log, partitions).await.map_err(|source| database_error(log, source))?;
                if read.iter().all(|(partition, offset)| ends.get(partition) >= Some(offset)) {
                    return Ok(());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        match tokio::time::timeout(LOG_FOLLOWS_WITHIN, follows).await {
            Ok(result) => result,
            Err(_) => {
                eprintln!(
                    "the log ends before the newest checkpoint (a central that was killed, or a full disk); a \
                     start from this copy goes on behind the checkpoint, as the next start here does"
                );
                Ok(())
            }
        }
    }

    /// Copies a database; none if its owner drops it meanwhile.
    async fn unless_dropped(
        &self,
        state_dir: &Path,
        path: PathBuf,
    ) -> Result<Option<FileEntry>, BackupError> {
        match self.database(state_dir, path.clone()).await {
            Ok(entry) => Ok(Some(entry)),
            Err(_) if !state_dir.join(&path).exists() => {
                let left = self.folder.join(&path);
                std::fs::remove_file(&left).map_err(BackupError::file("remove", &left))?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn database(&self, state_dir: &Path, path: PathBuf) -> Result<FileEntry, BackupError> {
        let of = copy::database(&state_dir.join(&path), &self.place(&path)?).await?;
        Ok(FileEntry { path, bytes: of.bytes, sha256: of.sha256 })
    }

    /// Where a file of the copy goes, with its folder made.
    fn place(&self, path: &Path) -> Result<PathBuf, BackupError> {
        let place = self.folder.join(path);
        let parent = place.parent().unwrap_or(&self.folder);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(BackupError::file("make the folder", parent))?;
        Ok(place)
    }

    fn note(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let path = self.folder.join(manifest::FILE);
        let mut file = copy::make(&path)?;
        let written = serde_json::to_writer_pretty(&mut file, manifest).map_err(std::io::Error::from);
        let written = written.and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all());
        written.map_err(BackupError::file("write", &path))
    }

    /// Puts the whole copy in its place.
    fn finish(mut self, target: &Path, manifest: &Manifest) -> Result<(), BackupError> {
        let folders: BTreeSet<_> =
            manifest.files.iter().flat_map(|file| file.path.ancestors().skip(1)).collect();
        for folder in folders {
            copy::sync_folder(&self.folder.join(folder))?;
        }
        std::fs::rename(&self.folder, target).map_err(BackupError::file("make", target))?;
        self.is_done = true;
        copy::sync_folder(target.parent().unwrap_or(target))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.is_done {
            // What cannot be removed now is removed by the next attempt.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn lock(folder: &Path, target: &Path) -> Result<File, BackupError> {
    let file = File::open(folder).map_err(BackupError::file("open", folder))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(BackupError::Running(target.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(BackupError::file("lock", folder)(error)),
    }
}

fn database_error(path: &Path, source: sqlx::Error) -> BackupError {
    BackupError::Database { path: path.to_owned(), source }
}
