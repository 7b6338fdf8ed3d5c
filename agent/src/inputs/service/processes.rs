//! The processes of one service.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use super::hierarchy::Hierarchy;
use super::kernel_file::Text;
use super::machine::Machine;
use super::memory::{Fill, least_limit};
use super::process::{Process, TICKS_PER_SECOND};
use crate::inputs::host::reading::Reading;

/// Processes that are read, and what they were before.
#[derive(Debug, Default)]
pub(super) struct Processes {
    members: HashMap<u32, Process>,
    /// Cgroups whose memory they share.
    pools: Vec<Pool>,
    /// There was one before.
    has_run: bool,
    restarts: u64,
    restarts_unsaid: u64,
    /// Open files cannot be counted for want of permission.
    pub(super) are_files_denied: bool,
}

#[derive(Debug)]
struct Pool {
    path: Option<String>,
    limit_bytes: f64,
    resident_bytes: f64,
}

/// What one reading says in short.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Use {
    pub(super) cpu: Option<f64>,
    pub(super) memory: Option<Fill>,
    /// Share that the fullest has of the files that it may open.
    pub(super) files: Option<f64>,
    pub(super) threads: u64,
    /// One has ended since the last look.
    pub(super) has_lost_one: bool,
}

/// What is told of processes: those of a cgroup have CPU and memory accounted there, and better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    All,
    FilesAndThreads,
}

impl Processes {
    /// Takes the ids that were found. One that is known and lives is read on; a process is told from
    /// a later one with its id by when it was started. It is a restart when all that ran is gone and
    /// something runs.
    pub(super) fn update(&mut self, found: &[u32], proc: &Path, text: &mut Text) {
        let found: HashSet<u32> = found.iter().copied().collect();
        let before = self.members.len();
        self.members.retain(|pid, process| found.contains(pid) && process.is_alive(text));
        let has_survivor = before > 0 && !self.members.is_empty();
        for pid in found {
            if !self.members.contains_key(&pid)
                && let Some(process) = Process::open(proc, pid, text)
            {
                self.members.insert(pid, process);
            }
        }
        let runs = !self.members.is_empty();
        if self.has_run && runs && !has_survivor {
            self.restarts += 1;
            self.restarts_unsaid += 1;
        }
        self.has_run |= runs;
    }

    /// Looks limits up. Where `hierarchy` is given, those on memory, too.
    pub(super) fn refresh(&mut self, machine: &Machine, hierarchy: Option<&Hierarchy>, told: Told) {
        self.pools.clear();
        self.are_files_denied = false;
        for process in self.members.values_mut() {
            self.are_files_denied |= process.refresh(machine).is_err();
            if told == Told::All {
                process.pool = pool_of(&mut self.pools, process.cgroup(), hierarchy, machine);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Restarts counted so far.
    pub(super) const fn restarts(&self) -> u64 {
        self.restarts
    }

    /// `process.count`, `process.thread.count`, `process.unix.file_descriptor.count` over all;
    /// `process.unix.file_descriptor.utilization` of the one that is nearest to its limit;
    /// `service.restarts` as increase. Told of all, also `process.cpu.utilization`: share of all CPUs;
    /// `process.memory.usage`: resident bytes, pages that are shared counted for each;
    /// `process.memory.utilization`: share of the least limit on the cgroups they run in, else of the
    /// machine's memory.
    pub(super) fn read(
        &mut self,
        reading: &mut Reading,
        label: (&str, &str),
        machine: &Machine,
        told: Told,
        text: &mut Text,
    ) -> Use {
        let (mut ticks, mut threads, mut open, mut fullest) = (0, 0, None, None::<f64>);
        self.pools.iter_mut().for_each(|pool| pool.resident_bytes = 0.0);
        let before = self.members.len();
        let pools = &mut self.pools;
        self.members.retain(|_, process| {
            let Some(now) = process.read(text) else { return false };
            ticks += now.cpu_ticks;
            threads += now.threads;
            if let Some(pool) = pools.get_mut(process.pool) {
                pool.resident_bytes += now.resident_pages.saturating_mul(machine.page_bytes) as f64;
            }
            let (files, files_max) = process.open_files(machine);
            if let Some(files) = files {
                open = Some(open.unwrap_or(0) + files);
                if let Some(most) = files_max.filter(|most| *most > 0) {
                    let share = files as f64 / most as f64;
                    fullest = Some(fullest.map_or(share, |known| known.max(share)));
                }
            }
            true
        });
        reading.gauge("process.count", "{process}", &[label], self.members.len() as f64);
        reading.gauge("process.thread.count", "{thread}", &[label], threads as f64);
        if let Some(open) = open {
            reading.gauge("process.unix.file_descriptor.count", "{file_descriptor}", &[label], open as f64);
        }
        if let Some(fullest) = fullest {
            reading.gauge("process.unix.file_descriptor.utilization", "1", &[label], fullest);
        }
        let restarts = std::mem::take(&mut self.restarts_unsaid);
        reading.counter("service.restarts", "{restart}", &[label], restarts as f64);
        let (cpu, memory) = match told {
            Told::All => self.say_use(reading, label, machine, ticks),
            Told::FilesAndThreads => (None, None),
        };
        Use { cpu, memory, files: fullest, threads, has_lost_one: self.members.len() < before }
    }

    fn say_use(
        &self,
        reading: &mut Reading,
        label: (&str, &str),
        machine: &Machine,
        ticks: u64,
    ) -> (Option<f64>, Option<Fill>) {
        if self.members.is_empty() {
            return (None, None);
        }
        let cpu =
            reading.elapsed_s.map(|elapsed_s| ticks as f64 / TICKS_PER_SECOND / elapsed_s / machine.cpus);
        if let Some(cpu) = cpu {
            reading.gauge("process.cpu.utilization", "1", &[label], cpu);
        }
        let bytes = self.pools.iter().map(|pool| pool.resident_bytes).sum();
        reading.gauge("process.memory.usage", "By", &[label], bytes);
        let limited = self.pools.iter().filter(|pool| pool.limit_bytes > 0.0);
        let share = limited.map(|pool| pool.resident_bytes / pool.limit_bytes).max_by(f64::total_cmp);
        if let Some(share) = share {
            reading.gauge("process.memory.utilization", "1", &[label], share);
        }
        (cpu, share.map(|share| Fill { bytes, share }))
    }

    /// One of them, for messages.
    pub(super) fn any(&self) -> Option<u32> {
        self.members.values().map(|process| process.pid).min()
    }
}

/// The place of a cgroup among the pools, where it gets one.
fn pool_of(
    pools: &mut Vec<Pool>,
    path: Option<String>,
    hierarchy: Option<&Hierarchy>,
    machine: &Machine,
) -> usize {
    if let Some(known) = pools.iter().position(|pool| pool.path == path) {
        return known;
    }
    let limit = hierarchy.zip(path.as_deref()).and_then(|(hierarchy, path)| least_limit(hierarchy, path));
    let machines = machine.memory_bytes;
    let limit_bytes = match limit.map(|limit| limit as f64) {
        Some(limit) if machines > 0.0 => limit.min(machines),
        Some(limit) => limit,
        None => machines,
    };
    pools.push(Pool { path, limit_bytes, resident_bytes: 0.0 });
    pools.len() - 1
}

/// Whether an error is a lack of permission.
pub(super) fn is_denied<T>(result: &io::Result<T>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}
