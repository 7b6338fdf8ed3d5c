//! Returns a copy into a state folder.
//!
//! Everything is copied into a folder within it and verified there, and only then moved up. A central
//! refuses to start while that folder is there ([`refuse_unfinished`]), so it sees the whole state or
//! none. Within the state folder, because that may be a mount or the only folder that the user owns.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};

use goldentime_model::UnixNanos;
use goldentime_runtime::StateDir;

use super::copy;
use super::error::BackupError;
use super::files::{LOCK, REPLACED, RESTORING};
use super::manifest::{FileEntry, Manifest};

/// What was done.
#[derive(Debug)]
pub struct Restored {
    /// What the copy holds.
    pub manifest: Manifest,
    /// Where the state that was there before is now.
    pub replaced: Option<PathBuf>,
}

/// Refuses a state folder in which a restore was cut off.
pub fn refuse_unfinished(state_dir: &Path) -> Result<(), BackupError> {
    match state_dir.join(RESTORING).exists() {
        true => Err(BackupError::Unfinished(state_dir.to_owned())),
        false => Ok(()),
    }
}

/// Returns the copy in `backup` into `state_dir`, which no central may use meanwhile. A state that is
/// there is refused, or moved aside when `replace` says so.
///
/// Blocks on the file system.
pub fn put_back(
    backup: &Path,
    state_dir: &Path,
    partitions: u32,
    replace: bool,
    now: UnixNanos,
) -> Result<Restored, BackupError> {
    let manifest = Manifest::read(backup)?;
    let has = u32::try_from(manifest.partitions.len()).unwrap_or(u32::MAX);
    if has != partitions {
        return Err(BackupError::Partitions { backup: has, config: partitions });
    }
    let held = StateDir::hold(state_dir, "central")?;
    let there = entries(held.path())?;
    if !there.is_empty() && !replace {
        return Err(BackupError::HasState(state_dir.to_owned()));
    }
    let stage = Stage::begin(held.path())?;
    for file in &manifest.files {
        stage.take(backup, file)?;
    }
    stage.give_to_owner(&manifest)?;
    let replaced = stage.finish(&there, now)?;
    Ok(Restored { manifest, replaced })
}

/// What is in a state folder, but for its lock and what restores left.
fn entries(state_dir: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let failed = |error| BackupError::file("list", state_dir)(error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(state_dir).map_err(failed)? {
        let name = PathBuf::from(entry.map_err(failed)?.file_name());
        let text = name.to_string_lossy();
        if text != LOCK && text != RESTORING && !text.starts_with(REPLACED) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The folder in which the state becomes whole. Removed while nothing was moved yet.
struct Stage<'a> {
    state_dir: &'a Path,
    folder: PathBuf,
    is_moving: bool,
}

impl<'a> Stage<'a> {
    fn begin(state_dir: &'a Path) -> Result<Self, BackupError> {
        let folder = state_dir.join(RESTORING);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(BackupError::file("remove", &folder))?;
        }
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(BackupError::file("make the folder", &folder))?;
        Ok(Self { state_dir, folder, is_moving: false })
    }

    fn take(&self, backup: &Path, file: &FileEntry) -> Result<(), BackupError> {
        let (from, to) = (backup.join(&file.path), self.folder.join(&file.path));
        let parent = to.parent().unwrap_or(&self.folder);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(BackupError::file("make the folder", parent))?;
        let found = copy::plain(&from, &to)?;
        if found.bytes != file.bytes {
            let detail = format!("it has {} bytes, not {}", found.bytes, file.bytes);
            return Err(BackupError::Damaged { path: from, detail });
        }
        if found.sha256 != file.sha256 {
            let detail = format!("its SHA-256 is {}, not {}", found.sha256, file.sha256);
            return Err(BackupError::Damaged { path: from, detail });
        }
        copy::sync_folder(parent)
    }

    /// Gives everything to whom the state folder belongs: root may restore what another user runs.
    fn give_to_owner(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let folder = std::fs::metadata(self.state_dir).map_err(BackupError::file("read", self.state_dir))?;
        let give = |path: &Path| {
            chown(path, Some(folder.uid()), Some(folder.gid())).map_err(BackupError::file("give", path))
        };
        give(&self.state_dir.join(LOCK))?;
        for file in &manifest.files {
            let below = file.path.ancestors().filter(|path| !path.as_os_str().is_empty());
            below.map(|path| self.folder.join(path)).try_for_each(|path| give(&path))?;
        }
        Ok(())
    }

    /// Moves what is there aside, then the restored state to its place.
    fn finish(mut self, there: &[PathBuf], now: UnixNanos) -> Result<Option<PathBuf>, BackupError> {
        let restored = entries(&self.folder)?;
        copy::sync_folder(&self.folder)?;
        copy::sync_folder(self.state_dir)?;
        self.is_moving = true;
        let mut replaced = None;
        if !there.is_empty() {
            let aside = self.state_dir.join(format!("{REPLACED}{}", now.second().0));
            let made = DirBuilder::new().mode(0o700).create(&aside);
            made.map_err(BackupError::file("make the folder", &aside))?;
            move_all(there, self.state_dir, &aside)?;
            copy::sync_folder(&aside)?;
            replaced = Some(aside);
        }
        move_all(&restored, &self.folder, self.state_dir)?;
        copy::sync_folder(self.state_dir)?;
        std::fs::remove_dir(&self.folder).map_err(BackupError::file("remove", &self.folder))?;
        copy::sync_folder(self.state_dir)?;
        Ok(replaced)
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if !self.is_moving {
            // What cannot be removed now is removed by the next attempt.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn move_all(names: &[PathBuf], from: &Path, to: &Path) -> Result<(), BackupError> {
    names.iter().try_for_each(|name| {
        std::fs::rename(from.join(name), to.join(name)).map_err(BackupError::file("move", from.join(name)))
    })
}
