//! Files of `/proc`.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Longest file that is read; `/proc/stat` of a machine with a thousand cores is half as long.
pub(super) const FILE_BYTES_MAX: usize = 256 << 10;

/// What is asked for at first; most files are shorter.
const FILE_BYTES_MIN: usize = 4 << 10;

/// Reads files below a root into one buffer. The kernel writes such a file anew whenever it is read
/// from its beginning, so that each is opened once and kept: to look its path up again and again
/// would cost more than the reading.
#[derive(Debug)]
pub(super) struct Proc {
    root: PathBuf,
    /// Those that could be opened, by name: the few that the collectors name.
    files: HashMap<&'static str, File>,
    text: Vec<u8>,
    /// Why files could not be read the last time, by name.
    failures: BTreeMap<&'static str, io::Error>,
}

impl Proc {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: HashMap::new(),
            text: vec![0; FILE_BYTES_MIN],
            failures: BTreeMap::new(),
        }
    }

    /// The file's text, up to [`FILE_BYTES_MAX`]; `None` where this kernel has no such file.
    pub(super) fn read(&mut self, name: &'static str) -> Option<&str> {
        match self.fill(name) {
            Ok(length) => {
                if !self.failures.is_empty() {
                    self.failures.remove(name);
                }
                std::str::from_utf8(&self.text[..length]).ok()
            }
            Err(error) => {
                // Mounted anew, perhaps: it is opened again next time.
                self.files.remove(name);
                self.failures.insert(name, error);
                None
            }
        }
    }

    fn fill(&mut self, name: &'static str) -> io::Result<usize> {
        let file = match self.files.entry(name) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => place.insert(File::open(self.root.join(name))?),
        };
        read_whole(file, &mut self.text)
    }

    /// The files that cannot be read here, each with its path and the reason.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&'static str, PathBuf, &io::Error)> {
        self.failures.iter().map(|(name, error)| (*name, self.root.join(name), error))
    }
}

/// Fills `text` from the file's beginning, and says how far.
fn read_whole(file: &File, text: &mut Vec<u8>) -> io::Result<usize> {
    let mut length = 0;
    loop {
        if length == text.len() {
            if length >= FILE_BYTES_MAX {
                return Ok(length);
            }
            text.resize(2 * length, 0);
        }
        // A short answer is not the end: the kernel gives whole records, as many as fit.
        match file.read_at(&mut text[length..], length as u64)? {
            0 => return Ok(length),
            read => length += read,
        }
    }
}

/// The number at a place in a line, 0 where there is none.
pub(super) fn number(fields: &[&str], at: usize) -> u64 {
    fields.get(at).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// A counter's increase. One that went back started anew: it counts from zero.
pub(in crate::inputs) const fn increase(now: u64, before: u64) -> u64 {
    if now >= before { now - before } else { now }
}
