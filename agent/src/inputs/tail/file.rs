//! One file that is followed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::identity::{FileId, HEAD_BYTES, MARK_BYTES, Print, find_by_id};
use super::position::Position;
use crate::aggregate::PositionKey;

/// A file that is followed.
#[derive(Debug)]
pub(super) struct TailedFile {
    pub(super) id: FileId,
    pub(super) key: PositionKey,
    pub(super) position: Position,
    pub(super) state: State,
    /// Another name by which changes are told: what a symbolic link leads to.
    pub(super) target: Option<PathBuf>,
    file: Option<File>,
    pub(super) size: u64,
    /// Round in which it was last read, to close the longest unused.
    pub(super) used: u64,
    /// An unfinished last line, as long as it does not grow: where it ends, and since when.
    pub(super) partial: Option<(u64, Instant)>,
    /// Why it could not be read the last time.
    pub(super) failure: Option<String>,
}

/// What is to be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Read what comes.
    Following,
    /// Renamed or deleted: read what still comes until nothing has come for a while.
    Draining { since: Instant },
    /// A copy, being made, of a file that is followed: read only if that is truncated.
    Copy,
}

impl TailedFile {
    pub(super) fn new(input: &std::sync::Arc<str>, position: Position, state: State) -> Self {
        let id = FileId { device: position.device, inode: position.inode };
        let key = PositionKey { input: input.clone(), source: id.to_string().into() };
        let target = std::fs::canonicalize(&position.path).ok().filter(|target| *target != position.path);
        Self { id, key, position, state, target, file: None, size: 0, used: 0, partial: None, failure: None }
    }

    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// The folder that it was last seen in, where its renamed self and its copies are looked for.
    pub(super) fn folder(&self) -> &Path {
        let path = self.target.as_deref().unwrap_or(&self.position.path);
        path.parent().unwrap_or(Path::new("/"))
    }

    /// The open file. It is the one of this identity, by whatever name it goes now.
    pub(super) fn open(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            let by_path = File::open(&self.position.path).and_then(|file| Ok((FileId::of(&file)?, file)));
            let file = match by_path {
                Ok((id, file)) if id == self.id => file,
                _ => {
                    let gone = || io::Error::new(io::ErrorKind::NotFound, "replaced by another file");
                    find_by_id(self.folder(), self.id).ok_or_else(gone)?.1
                }
            };
            self.file = Some(file);
        }
        self.file.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Gives it the file that was found for it.
    pub(super) fn set_file(&mut self, file: File) {
        self.file = Some(file);
    }

    /// Whether what was read is no longer there: the file was truncated, and perhaps filled again.
    pub(super) fn is_truncated(&mut self) -> io::Result<bool> {
        let (offset, mark) = (self.position.offset, self.position.mark);
        let file = self.open()?;
        let size = file.metadata()?.len();
        let is_truncated = size < offset || !mark.stands_before(file, offset);
        self.size = size;
        Ok(is_truncated)
    }

    /// Reads what stands at the offset.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let offset = self.position.offset;
        self.open()?.read_at(buffer, offset)
    }

    /// Notes that `taken` bytes of what stands at the offset are done with. `block` begins there.
    pub(super) fn advance(&mut self, block: &[u8], taken: usize) {
        if taken == 0 {
            return;
        }
        self.partial = None;
        let done = &block[..taken];
        if self.position.offset == 0 {
            self.position.head = Print::of(&done[..done.len().min(HEAD_BYTES)]);
        }
        self.position.offset += taken as u64;
        self.size = self.size.max(self.position.offset);
        if done.len() >= MARK_BYTES {
            self.position.mark = Print::of(&done[done.len() - MARK_BYTES..]);
        } else {
            self.print();
        }
    }

    /// Moves the offset to where it is known to stand, such as a file's end.
    pub(super) fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        self.open()?;
        self.position.offset = offset;
        let mut last = [0];
        if offset > 0 {
            self.open()?.read_exact_at(&mut last, offset - 1)?;
        }
        self.position.is_skipping = offset > 0 && last != *b"\n";
        self.print();
        Ok(())
    }

    /// Starts again at the beginning.
    pub(super) fn restart(&mut self) {
        let fresh = Position::new(self.position.path.clone(), self.id);
        self.position = fresh;
        self.partial = None;
    }

    /// Takes the fingerprints from the file. Where that fails they stay as they were, and the next
    /// look takes the file for a truncated one and says so.
    fn print(&mut self) {
        let offset = self.position.offset;
        let Ok(file) = self.open() else { return };
        let head_len = usize::try_from(offset).unwrap_or(usize::MAX).min(HEAD_BYTES);
        let prints =
            (Print::before(file, head_len as u64, head_len), Print::before(file, offset, MARK_BYTES));
        if let (Ok(head), Ok(mark)) = prints {
            (self.position.head, self.position.mark) = (head, mark);
        }
    }
}
