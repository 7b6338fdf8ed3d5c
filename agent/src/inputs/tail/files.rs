//! The files that are followed, by identity and by path.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::file::{State, TailedFile};
use super::identity::FileId;

/// The files of an input.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<FileId, TailedFile>,
    by_path: HashMap<PathBuf, FileId>,
    /// Files that may have something to read.
    active: HashSet<FileId>,
    /// Rounds of reading so far.
    round: u64,
}

impl Files {
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn get(&mut self, id: FileId) -> Option<&mut TailedFile> {
        self.files.get_mut(&id)
    }

    pub(super) fn path(&self, id: FileId) -> Option<&Path> {
        self.files.get(&id).map(|file| &*file.position.path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &TailedFile> {
        self.files.values()
    }

    pub(super) fn insert(&mut self, file: TailedFile) {
        self.name(file.id, file.position.path.clone(), file.target.clone());
        self.active.insert(file.id);
        self.files.insert(file.id, file);
    }

    pub(super) fn remove(&mut self, id: FileId) -> Option<TailedFile> {
        self.active.remove(&id);
        self.by_path.retain(|_, named| *named != id);
        self.files.remove(&id)
    }

    /// The input's `paths` name a file by `path`, which may be a new name of it.
    pub(super) fn rename(&mut self, id: FileId, path: &Path) {
        let Some(file) = self.files.get_mut(&id) else { return };
        file.position.followed_as = None;
        if file.position.path == path {
            return;
        }
        file.position.path = path.to_owned();
        file.target = std::fs::canonicalize(path).ok().filter(|target| target != path);
        let target = file.target.clone();
        self.by_path.retain(|_, named| *named != id);
        self.name(id, path.to_owned(), target);
        self.active.insert(id);
    }

    fn name(&mut self, id: FileId, path: PathBuf, target: Option<PathBuf>) {
        self.by_path.insert(path, id);
        if let Some(target) = target {
            self.by_path.insert(target, id);
        }
    }

    /// A path was written to. `false` if no file of that name is known.
    pub(super) fn wake(&mut self, path: &Path) -> bool {
        self.by_path.get(path).is_some_and(|id| {
            self.active.insert(*id);
            true
        })
    }

    pub(super) fn wake_all(&mut self) {
        self.active.extend(self.files.keys());
    }

    /// Files that leave are looked at all the time: nobody tells of changes under their new name.
    pub(super) fn wake_leaving(&mut self) -> bool {
        let before = self.active.len();
        let is_leaving = |file: &&TailedFile| matches!(file.state, State::Draining { .. });
        self.active.extend(self.files.values().filter(is_leaving).map(|file| file.id));
        self.active.len() > before
    }

    /// Files with an unfinished last line are looked at to see how long it waits.
    pub(super) fn wake_partial(&mut self) {
        self.active.extend(self.files.values().filter(|file| file.partial.is_some()).map(|file| file.id));
    }

    /// Files that could not be read are tried again now and then, whether they are written to or not.
    pub(super) fn wake_failed(&mut self) {
        self.active.extend(self.files.values().filter(|file| file.failure.is_some()).map(|file| file.id));
    }

    /// What is to be read in this round: first what will be gone.
    pub(super) fn take_active(&mut self) -> Vec<FileId> {
        self.round += 1;
        let mut active: Vec<FileId> = self.active.drain().collect();
        let files = &self.files;
        let is_leaving =
            |id: &FileId| files.get(id).is_some_and(|file| matches!(file.state, State::Draining { .. }));
        active.sort_by_key(|id| (!is_leaving(id), *id));
        active
    }

    pub(super) fn keep_active(&mut self, id: FileId) {
        self.active.insert(id);
    }

    pub(super) const fn round(&self) -> u64 {
        self.round
    }

    /// Closes the longest unused quarter when more than `open_max` are open. What leaves stays open:
    /// it may have no name left to be opened by.
    pub(super) fn close_unused(&mut self, open_max: usize) {
        let open = self.files.values().filter(|file| file.is_open());
        let mut open: Vec<_> = open.map(|file| (file.used, file.id)).collect();
        if open.len() <= open_max {
            return;
        }
        open.sort_unstable();
        let excess = open.len() - open_max + open_max / 4;
        for (_, id) in open.into_iter().take(excess) {
            if let Some(file) = self.files.get_mut(&id).filter(|file| file.state == State::Following) {
                file.close();
            }
        }
    }
}
