//! Files of `/proc`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Longest file that is read; `/proc/stat` of a machine with a thousand cores is half as long.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// Reads files below a root into one buffer.
#[derive(Debug)]
pub(super) struct Proc {
    root: PathBuf,
    text: String,
}

impl Proc {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), text: String::new() }
    }

    /// The file's text; `None` where this kernel has no such file.
    pub(super) fn read(&mut self, name: &str) -> Option<&str> {
        self.text.clear();
        let file = File::open(self.root.join(name)).ok()?;
        file.take(FILE_BYTES_MAX).read_to_string(&mut self.text).ok()?;
        Some(&self.text)
    }
}

/// The number at a place in a line, 0 where there is none.
pub(super) fn number(fields: &[&str], at: usize) -> u64 {
    fields.get(at).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// A counter's increase. One that went back started anew: it counts from zero.
pub(super) const fn increase(now: u64, before: u64) -> u64 {
    if now >= before { now - before } else { now }
}
