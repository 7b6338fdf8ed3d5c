//! Waiting for changes, by inotify.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

/// Folders watched at once; files in further ones are found by looking.
pub const FOLDERS_MAX: usize = 4096;
/// Room for the events that are read at once.
const EVENT_BYTES: usize = 16 << 10;

/// What happened since the last look.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Paths that were written to.
    pub(super) written: Vec<PathBuf>,
    /// Files came, went or changed their names.
    pub(super) is_moved: bool,
    /// Not all can be told: everything has to be looked at.
    pub(super) is_blind: bool,
}

/// Watches folders.
pub(super) struct Watcher {
    fd: Option<OwnedFd>,
    folders: HashMap<i32, PathBuf>,
    watched: HashMap<PathBuf, i32>,
    is_incomplete: bool,
}

impl Watcher {
    pub(super) fn new() -> Self {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        if let Err(error) = &fd {
            tracing::warn!(%error, "no inotify; looking for changes every {} ms", BLIND_WAIT.as_millis());
        }
        Self { fd: fd.ok(), folders: HashMap::new(), watched: HashMap::new(), is_incomplete: false }
    }

    /// Watches these folders, and no others.
    pub(super) fn set(&mut self, folders: &[PathBuf]) {
        let Some(fd) = &self.fd else { return };
        self.is_incomplete = false;
        for folder in folders {
            if self.watched.contains_key(folder) {
                continue;
            }
            let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVE | WatchFlags::DELETE;
            let added = if self.watched.len() < FOLDERS_MAX {
                inotify::add_watch(fd, folder, flags | WatchFlags::ONLYDIR)
            } else {
                Err(rustix::io::Errno::NOSPC)
            };
            match added {
                Ok(number) => {
                    self.folders.insert(number, folder.clone());
                    self.watched.insert(folder.clone(), number);
                }
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "cannot be watched; looking instead");
                    self.is_incomplete = true;
                }
            }
        }
    }

    /// Whether some changes are not told, so that one has to look.
    pub(super) fn is_blind(&self) -> bool {
        self.fd.is_none() || self.is_incomplete
    }

    /// Waits for changes, `limit` at most; shorter if it cannot see all of them.
    pub(super) fn wait(&self, limit: Duration) {
        let limit = if self.is_blind() { limit.min(BLIND_WAIT) } else { limit };
        let timeout = timespec(limit);
        // An interrupted wait is a short wait.
        let _ = match &self.fd {
            Some(fd) => poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout)),
            None => poll(&mut [], Some(&timeout)),
        };
    }

    /// Waits, whatever changes.
    pub(super) fn pause(&self, time: Duration) {
        // An interrupted pause is a short pause.
        let _ = poll(&mut [], Some(&timespec(time)));
    }

    /// What changed since the last call. Never waits.
    pub(super) fn changes(&mut self) -> Changes {
        let mut changes = Changes { is_blind: self.is_blind(), ..Changes::default() };
        let Some(fd) = &self.fd else { return changes };
        let mut buffer = [const { MaybeUninit::uninit() }; EVENT_BYTES];
        let mut reader = Reader::new(fd.as_fd(), &mut buffer);
        while let Ok(event) = reader.next() {
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                (changes.is_blind, changes.is_moved) = (true, true);
            } else if flags.contains(ReadFlags::IGNORED) {
                if let Some(folder) = self.folders.remove(&event.wd()) {
                    self.watched.remove(&folder);
                }
                changes.is_moved = true;
            } else if flags.contains(ReadFlags::MODIFY) {
                let name = event.file_name().map_or(&b""[..], |name| name.to_bytes());
                note(&mut changes.written, self.folders.get(&event.wd()), name);
            } else {
                changes.is_moved = true;
            }
        }
        changes
    }
}

/// Longest wait without notifications.
const BLIND_WAIT: Duration = Duration::from_millis(50);

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

fn note(written: &mut Vec<PathBuf>, folder: Option<&PathBuf>, name: &[u8]) {
    let Some(folder) = folder else { return };
    let path = folder.join(Path::new(OsStr::from_bytes(name)));
    // Writers repeat themselves: most events are for the file of the one before.
    if written.last() != Some(&path) {
        written.push(path);
    }
}
