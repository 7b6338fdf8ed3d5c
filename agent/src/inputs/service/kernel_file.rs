//! Files that the kernel writes anew whenever they are read from their beginning.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// Longest file that is read: what all of a service's processes are may be so long.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;

/// Where files are read to, and what is asked for at once; most are shorter.
#[derive(Debug)]
pub(super) struct Text(Vec<u8>);

const TEXT_BYTES_MIN: usize = 8 << 10;

impl Text {
    pub(super) fn new() -> Self {
        Self(vec![0; TEXT_BYTES_MIN])
    }

    /// A file of one record, which the kernel gives as a whole or cuts at the room that there is: one
    /// call where it fits, which is nearly always.
    pub(super) fn record(&mut self, file: &File) -> io::Result<&[u8]> {
        loop {
            let length = file.read_at(&mut self.0, 0)?;
            if length < self.0.len() || length >= TEXT_BYTES_MAX {
                return Ok(&self.0[..length]);
            }
            self.0.resize(2 * length, 0);
        }
    }

    /// A file of many records, of which the kernel gives as many as it likes at once.
    pub(super) fn list(&mut self, file: &File) -> io::Result<&[u8]> {
        let mut length = 0;
        loop {
            if length == self.0.len() {
                if length >= TEXT_BYTES_MAX {
                    break;
                }
                self.0.resize(2 * length, 0);
            }
            match file.read_at(&mut self.0[length..], length as u64)? {
                0 => break,
                read => length += read,
            }
        }
        Ok(&self.0[..length])
    }
}

/// A file that is opened once and kept: to look its path up again and again would cost more than the
/// reading.
#[derive(Debug)]
pub(super) struct KernelFile {
    path: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed,
    Open(File),
    /// This kernel has no such file, or not for us; not asked for again before [`KernelFile::retry`].
    Absent,
}

impl KernelFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, state: State::Closed }
    }

    /// The text; `None` where there is none. A file that has gone is looked for again at the next call.
    pub(super) fn read<'a>(&mut self, text: &'a mut Text) -> Option<&'a str> {
        if matches!(self.state, State::Closed) {
            self.state = File::open(&self.path).map_or(State::Absent, State::Open);
        }
        let State::Open(file) = &self.state else { return None };
        match text.record(file) {
            Ok(read) => std::str::from_utf8(read).ok(),
            Err(_) => {
                self.state = State::Closed;
                None
            }
        }
    }

    /// The text as one number; `None` also for `max`.
    pub(super) fn number(&mut self, text: &mut Text) -> Option<u64> {
        self.read(text)?.trim().parse().ok()
    }

    /// Asks for an absent file again: a controller may have been switched on meanwhile.
    pub(super) fn retry(&mut self) {
        if matches!(self.state, State::Absent) {
            self.state = State::Closed;
        }
    }
}

/// The number beside a name, in a text of lines of both.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}
