//! What the host input says of itself.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};

use goldentime_model::UnixNanos;
use serde::{Deserialize, Serialize};

use super::proc::Proc;

/// What is read from which file of `/proc`.
const SOURCES: [(&str, &str); 10] = [
    ("stat", "CPU time"),
    ("loadavg", "load"),
    ("meminfo", "memory and swap"),
    ("pressure/cpu", "CPU pressure"),
    ("pressure/memory", "memory pressure"),
    ("pressure/io", "I/O pressure"),
    ("diskstats", "disks"),
    ("net/dev", "network interfaces"),
    ("sys/fs/file-nr", "open files"),
    ("self/mounts", "file systems"),
];

/// How the host is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Milliseconds from one reading to the next.
    pub interval_ms: u64,
    /// Readings since the start.
    pub readings: u64,
    /// Samples of the last reading.
    pub samples: u64,
    /// When it was, by this machine's clock.
    pub last_at: Option<UnixNanos>,
    /// What could not be read then, with the reason.
    pub unavailable: BTreeMap<String, String>,
}

/// Asks the running input. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct HostHandle(Arc<Mutex<Status>>);

impl HostHandle {
    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What cannot be read from `/proc`, with the reason and, where there is one, the way out.
pub(super) fn unavailable(proc: &Proc) -> BTreeMap<String, String> {
    let said = proc.failures().map(|(file, path, error)| {
        let what = SOURCES.iter().find(|(name, _)| *name == file).map_or(file, |(_, what)| *what);
        let is_absent = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported);
        let hint = match file.starts_with("pressure/") {
            true if is_absent => "; this kernel measures none (CONFIG_PSI, or `psi=1` at its start)",
            _ => "",
        };
        (what.to_owned(), format!("{}: {error}{hint}", path.display()))
    });
    said.collect()
}
