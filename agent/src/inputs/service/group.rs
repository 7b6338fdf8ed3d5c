//! One thing that was found for an entry: a cgroup with its processes, or the processes that a pattern
//! picks.

use std::path::Path;

use goldentime_model::ServiceId;

use super::cgroup::{Cgroup, Presence};
use super::hierarchy::Hierarchy;
use super::kernel_file::Text;
use super::machine::Machine;
use super::memory::Fill;
use super::processes::{Processes, Told};
use super::status::GroupStatus;
use crate::inputs::host::reading::Reading;

/// What is read of it, and what was.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) service: ServiceId,
    /// Tells its readings from those of others of the same service.
    label: (&'static str, String),
    cgroup: Option<Cgroup>,
    pub(super) processes: Processes,
    pub(super) is_up: bool,
    /// Not for the first time: what is new now was found by itself, not by the scan just before.
    is_read: bool,
    kills: u64,
    last: Last,
}

/// The newest readings, for the status.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    cpu: Option<f64>,
    memory: Option<Fill>,
    files: Option<f64>,
    threads: u64,
}

/// What reading needs besides the group.
pub(super) struct Around<'a> {
    pub(super) hierarchy: Option<&'a Hierarchy>,
    pub(super) machine: &'a Machine,
    pub(super) text: &'a mut Text,
}

impl Group {
    /// Not read yet. Without a cgroup it is the processes that it will be given.
    pub(super) fn new(service: ServiceId, label: (&'static str, String), cgroup: Option<Cgroup>) -> Self {
        Self {
            service,
            label,
            cgroup,
            processes: Processes::default(),
            is_up: false,
            is_read: false,
            kills: 0,
            last: Last::default(),
        }
    }

    /// Path of its cgroup.
    pub(super) fn path(&self) -> Option<&str> {
        self.cgroup.as_ref().map(Cgroup::path)
    }

    pub(super) fn label(&self) -> (&str, &str) {
        (self.label.0, &self.label.1)
    }

    const fn told(&self) -> Told {
        if self.cgroup.is_some() { Told::FilesAndThreads } else { Told::All }
    }

    /// Takes the processes that were found, its cgroup's own where it has one, at most `most`; looks
    /// limits up. Gives how many there were too many.
    pub(super) fn refresh(
        &mut self,
        picked: Option<Vec<u32>>,
        proc: &Path,
        most: usize,
        around: &mut Around<'_>,
    ) -> usize {
        if let Some(cgroup) = &mut self.cgroup {
            cgroup.refresh();
        }
        let own = || self.cgroup.as_ref().map(|cgroup| cgroup.processes(most, around.text));
        let mut found = picked.or_else(own).unwrap_or_default();
        found.sort_unstable();
        found.dedup();
        let over = found.len().saturating_sub(most);
        found.truncate(most);
        self.processes.update(&found, proc, around.text);
        self.processes.refresh(around.machine, around.hierarchy, self.told());
        over
    }

    /// One reading. Gives whether it is time to look for cgroups and processes again.
    pub(super) fn read(&mut self, reading: &mut Reading, around: &mut Around<'_>) -> bool {
        let label = (self.label.0, &*self.label.1);
        let mut is_populated = None;
        let mut has_changed = false;
        self.last = Last::default();
        if let Some(cgroup) = &mut self.cgroup {
            let presence = around.hierarchy.map_or(Presence::Away, |hierarchy| cgroup.look(hierarchy));
            match presence {
                Presence::There | Presence::New => {
                    let read = cgroup.read(reading, label, around.machine, around.text);
                    self.kills += read.kills;
                    (self.last.cpu, self.last.memory) = (read.cpu, read.memory);
                    is_populated = read.is_populated;
                    has_changed = presence == Presence::New;
                }
                Presence::Left => {
                    self.kills += cgroup.read_last(reading, label, around.text);
                    is_populated = Some(false);
                    has_changed = true;
                }
                Presence::Away => is_populated = Some(false),
            }
        }
        if is_populated != Some(false) || self.processes.len() > 0 {
            let told = if self.cgroup.is_some() { Told::FilesAndThreads } else { Told::All };
            let read = self.processes.read(reading, label, around.machine, told, around.text);
            (self.last.files, self.last.threads) = (read.files, read.threads);
            self.last.cpu = self.last.cpu.or(read.cpu);
            self.last.memory = self.last.memory.or(read.memory);
            has_changed |= read.has_lost_one;
        }
        let was_up = std::mem::replace(&mut self.is_up, is_populated.unwrap_or(self.processes.len() > 0));
        has_changed |= was_up != self.is_up;
        std::mem::replace(&mut self.is_read, true) && has_changed
    }

    /// How it stands.
    pub(super) fn status(&self) -> GroupStatus {
        let name = self.path().map_or_else(|| "processes".to_owned(), str::to_owned);
        GroupStatus {
            name,
            service: self.service.service().to_owned(),
            is_up: self.is_up,
            processes: self.processes.len(),
            threads: self.last.threads,
            cpu: self.last.cpu,
            memory_bytes: self.last.memory.map(|memory| memory.bytes as u64),
            memory: self.last.memory.map(|memory| memory.share),
            open_files: self.last.files,
            oom_kills: self.kills,
            restarts: self.processes.restarts(),
        }
    }
}
