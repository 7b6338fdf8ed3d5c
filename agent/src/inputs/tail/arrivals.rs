//! Files that come, go, change their names and are truncated.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use super::away::{Away, is_unmounted};
use super::config::StartAt;
use super::file::{State, TailedFile};
use super::identity::{FileId, HEAD_BYTES, MARK_BYTES, Print, find_by_id, find_copy};
use super::position::Position;
use super::reader::Reader;

impl Reader {
    /// Looks which files there are. With what the run before `left` for the first time.
    pub(super) fn scan(&mut self, left: Option<Away>) {
        let found = self.discovery.scan();
        self.watcher.set(&found.folders);
        self.note_unlisted(found.unlisted);
        self.files.wake_failed();
        let is_first = left.is_some();
        if let Some(left) = left {
            self.away = left;
        }
        // An input that was read before starts at the end of nothing: what is new came meanwhile.
        let starts_at_end = is_first && self.away.is_empty() && self.start_at == StartAt::End;
        let present: HashSet<FileId> = found.files.iter().map(|(id, ..)| *id).collect();
        let leaving = self.files.iter().filter(|file| file.state == State::Following);
        let leaving: Vec<FileId> = leaving.map(|file| file.id).filter(|id| !present.contains(id)).collect();
        for id in leaving {
            self.drain(id);
        }
        let gone = self.files.iter().filter(|file| file.state == State::Copy && !present.contains(&file.id));
        for id in gone.map(|file| file.id).collect::<Vec<_>>() {
            self.files.remove(id);
        }
        let mut over_limit = 0;
        // What was read before comes first: new files may be copies of it.
        let (known, new): (Vec<_>, Vec<_>) = found
            .files
            .into_iter()
            .partition(|(id, path, _)| self.away.knows(*id, path) || self.files.path(*id).is_some());
        for (id, path, size) in known.into_iter().chain(new) {
            if let Some(file) = self.files.get(id) {
                if matches!(file.state, State::Draining { .. }) {
                    file.state = State::Following;
                }
                self.files.rename(id, &path);
            } else if let Some(position) = self.away.take(id, &path) {
                self.resume(&path, id, position);
            } else if self.files.len() >= self.config.files_max.max(1) {
                over_limit += 1;
            } else {
                self.arrive(&path, id, starts_at_end.then_some(size));
            }
        }
        self.sink.status.files_over_limit = over_limit;
        if is_first {
            for (id, position) in self.away.take_all() {
                self.resume_moved(id, position);
            }
        }
        self.review_away();
    }

    fn note_unlisted(&mut self, unlisted: Vec<String>) {
        for folder in unlisted.iter().filter(|folder| !self.unlisted.contains(folder)) {
            tracing::warn!(%folder, "cannot be looked through: may the agent's user list it? Trying again");
        }
        self.unlisted = unlisted;
    }

    /// A file that was never seen. `start` is where to begin if not at the beginning.
    fn arrive(&mut self, path: &Path, id: FileId, start: Option<u64>) {
        let mut file = self.fresh(path, id);
        if let Some(start) = start
            && let Err(error) = file.skip_to(start)
        {
            tracing::warn!(path = %path.display(), %error, "cannot be read; trying again");
        }
        if start.is_some() {
            self.shard.lock().set_position(&file.key, &file.position.encode());
        }
        self.files.insert(file);
    }

    /// Whether to read a file of which nothing was read yet: not while it is a copy, whole or in the
    /// making, of one that is followed. Asked again whenever it grows, since files that begin alike
    /// part sooner or later.
    pub(super) fn may_read(&mut self, id: FileId) -> std::io::Result<bool> {
        let Some(file) = self.files.get(id) else { return Ok(false) };
        let candidate = file.open()?.try_clone()?;
        let size = candidate.metadata()?.len();
        if size == 0 {
            return Ok(false);
        }
        let state = if self.is_copy(id, &candidate, size) { State::Copy } else { State::Following };
        let Some(file) = self.files.get(id) else { return Ok(false) };
        if file.state == State::Copy || state == State::Copy {
            file.state = state;
        }
        Ok(state == State::Following)
    }

    fn is_copy(&self, id: FileId, candidate: &File, size: u64) -> bool {
        let Some(path) = self.files.path(id).filter(|_| size >= COPY_BYTES_MIN) else { return false };
        let mut head = [0; HEAD_BYTES];
        let Ok(head_len) = candidate.read_at(&mut head, 0) else { return false };
        self.files.iter().any(|file| {
            let position = &file.position;
            let is_other =
                file.id != id && file.state == State::Following && position.offset >= COPY_BYTES_MIN;
            if !is_other || position.path.parent() != path.parent() {
                return false;
            }
            let known = usize::from(position.head.len);
            if known <= head_len && Print::of(&head[..known]) != position.head {
                return false;
            }
            if size >= position.offset {
                position.mark.stands_before(candidate, position.offset)
            } else {
                have_same_bytes(&position.path, candidate, size)
            }
        })
    }

    /// A file that was read in the run before, or whose file system is back.
    fn resume(&mut self, path: &Path, id: FileId, position: Position) {
        let before = self.key_of(&position);
        let was_away = position.away_since.is_some();
        let (device, followed_as, away_since) = (id.device, None, None);
        let position = Position { path: path.to_owned(), followed_as, device, away_since, ..position };
        let file = TailedFile::new(&self.input, position, State::Following);
        if was_away || file.key != before {
            let mut shard = self.shard.lock();
            shard.forget_position(&before);
            shard.set_position(&file.key, &file.position.encode());
        }
        let offset = file.position.offset;
        let has_same = offset == 0 || File::open(path).is_ok_and(|opened| file.position.is_of(&opened));
        self.files.insert(file);
        if !has_same {
            self.truncated(id);
        }
    }

    /// A file that was read in the run before and that `paths` do not name now: it was renamed, is
    /// gone, or the configuration is another.
    fn resume_moved(&mut self, id: FileId, position: Position) {
        if self.files.path(id).is_some() {
            // It holds the copy of another file by now.
            self.gone(&position);
            return;
        }
        let folder = position.path.parent().unwrap_or(Path::new("/")).to_owned();
        let state = State::Draining { since: Instant::now() };
        let by_id = find_by_id(&folder, id).filter(|(_, file)| position.is_of(file));
        if !self.discovery.wants(position.followed_as()) {
            self.leave_alone(position, by_id.is_some());
            return;
        }
        if let Some((path, file)) = by_id {
            let mut old = TailedFile::new(&self.input, position.moved_to(path), state);
            old.set_file(file);
            self.files.insert(old);
            return;
        }
        if is_unmounted(&folder, position.device) {
            self.keep_away(position);
            return;
        }
        if !self.read_copy(id, &folder, &position) {
            self.gone(&position);
        }
        self.shard.lock().forget_position(&self.key_of(&position));
    }

    /// A file that the configuration no longer names is not read on. Its position is kept for as long
    /// as it is there: named again, it goes on where it was left instead of being counted twice.
    fn leave_alone(&mut self, position: Position, is_there: bool) {
        let folder = position.path.parent().unwrap_or(Path::new("/"));
        if is_there {
            tracing::info!(path = %position.path.display(), "no longer among the paths; not read on");
        } else if is_unmounted(folder, position.device) {
            self.keep_away(position);
        } else {
            self.shard.lock().forget_position(&self.key_of(&position));
        }
    }

    /// A followed file is no longer where it was: it is read to its end, by whatever name.
    fn drain(&mut self, id: FileId) {
        let Some(file) = self.files.get(id) else { return };
        if file.open().is_err() {
            self.lost(id);
            return;
        }
        file.state = State::Draining { since: Instant::now() };
        self.sink.status.rotated += 1;
        self.files.keep_active(id);
    }

    /// A renamed or deleted file was read to its end.
    pub(super) fn leave(&mut self, id: FileId) {
        let Some(file) = self.files.remove(id) else { return };
        if is_unmounted(file.folder(), id.device) {
            self.keep_away(file.position);
        } else {
            self.shard.lock().forget_position(&file.key);
        }
    }

    /// A file cannot be opened by any name any more.
    pub(super) fn lost(&mut self, id: FileId) {
        let Some(file) = self.files.get(id) else { return };
        let is_read = file.size <= file.position.offset;
        if !is_read && !is_unmounted(file.folder(), id.device) {
            let position = file.position.clone();
            self.gone(&position);
        }
        self.leave(id);
    }

    /// A file no longer holds what was read: what was written before the cut is looked for in a copy,
    /// and the file is read from its beginning.
    pub(super) fn truncated(&mut self, id: FileId) {
        let Some(file) = self.files.get(id) else { return };
        let (folder, position) = (file.folder().to_owned(), file.position.clone());
        if position.copy_bytes.is_some() {
            self.overwritten(id, &position);
            return;
        }
        file.restart();
        let (key, fresh) = (file.key.clone(), file.position.encode());
        self.sink.status.truncated += 1;
        let has_copy = self.read_copy(id, &folder, &position);
        if !has_copy {
            self.without_copy(
                &position,
                "truncated and no copy found; lines written just before may be lost (prefer rotation by rename)",
            );
        }
        self.shard.lock().set_position(&key, &fresh);
        self.files.keep_active(id);
    }

    /// The next copy was written over one. Nobody writes to a copy, so that nothing is lost with one
    /// that was read to its end.
    fn overwritten(&mut self, id: FileId, position: &Position) {
        self.lost_copy(position);
        let Some(file) = self.files.get(id) else { return };
        if file.state == State::Following {
            file.restart();
            let (key, fresh) = (file.key.clone(), file.position.encode());
            self.shard.lock().set_position(&key, &fresh);
            self.files.keep_active(id);
        } else {
            // What it holds now is looked for when its original is found truncated.
            self.leave(id);
        }
    }

    fn lost_copy(&mut self, position: &Position) {
        if !position.is_read_copy() {
            self.without_copy(
                position,
                "a rotated copy was overwritten before it was read to its end; the rest of its lines is lost \
                 (rotate less often, or keep more copies)",
            );
        }
    }

    fn without_copy(&mut self, position: &Position, told: &'static str) {
        self.sink.status.truncated_without_copy += 1;
        self.shard.lock().count_drop("truncated_without_copy", 1);
        tracing::warn!(path = %position.path.display(), offset = position.offset, "{told}");
    }

    /// Reads what a copy holds beyond what was read of its original. Whether there is a copy.
    fn read_copy(&mut self, original: FileId, folder: &Path, position: &Position) -> bool {
        let Some((path, copy)) = find_copy(folder, original, position) else { return false };
        let (Ok(id), Ok(metadata)) = (FileId::of(&copy), copy.metadata()) else { return false };
        let known = self.files.get(id).map(|known| known.position.clone());
        if let Some(known) = known.filter(|known| known.offset > 0) {
            if known.is_of(&copy) {
                // It is followed by itself: a hard link, or a copy that was taken for a file of its own.
                return true;
            }
            // It held an older copy, which this one was written over just now.
            self.lost_copy(&known);
        }
        let copy_bytes = Some(metadata.len());
        let position = Position { device: id.device, inode: id.inode, copy_bytes, ..position.clone() };
        let (state, position) = if self.discovery.wants(&path) {
            (State::Following, Position { path, followed_as: None, ..position })
        } else {
            (State::Draining { since: Instant::now() }, position.moved_to(path))
        };
        let mut file = TailedFile::new(&self.input, position, state);
        file.set_file(copy);
        self.shard.lock().set_position(&file.key, &file.position.encode());
        self.files.remove(id);
        self.files.insert(file);
        true
    }
}

/// Less than this is no proof that one file is a copy of another.
const COPY_BYTES_MIN: u64 = 32;

/// Whether the first `size` bytes of both are alike, as far as their beginning and end show.
fn have_same_bytes(original: &Path, candidate: &File, size: u64) -> bool {
    let Ok(original) = File::open(original) else { return false };
    let head_end = size.min(HEAD_BYTES as u64);
    let same = |end: u64, len: usize| {
        let (one, other) = (Print::before(&original, end, len), Print::before(candidate, end, len));
        matches!((one, other), (Ok(one), Ok(other)) if one == other)
    };
    same(head_end, HEAD_BYTES) && same(size, MARK_BYTES)
}
