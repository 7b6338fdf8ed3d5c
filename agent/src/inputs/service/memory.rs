//! Memory of a cgroup against the limits set for it and for those above it, and what was killed for
//! want of it.

use std::path::Path;

use super::hierarchy::{Base, Hierarchy, Version, ancestry};
use super::kernel_file::{KernelFile, Text, field};
use super::machine::Machine;
use crate::inputs::host::proc::increase;
use crate::inputs::host::reading::Reading;

/// Limits of version 1 from here up mean that there is none.
const UNLIMITED_FROM: u64 = 1 << 62;

/// Reads memory.
#[derive(Debug)]
pub(super) struct Memory {
    /// The cgroup itself, then those above it that have a limit.
    levels: Vec<Level>,
    base: Option<Base>,
    events: Option<KernelFile>,
    events_before: Option<Events>,
    /// What the one above counts, of those below that have gone, too. Version 2 only.
    above: Option<KernelFile>,
    above_before: Option<Events>,
    /// It came in the place of one that has gone with its counters.
    is_successor: bool,
}

/// How full memory is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fill {
    /// Bytes that cannot be freed at once.
    pub(super) bytes: f64,
    /// Share of the limit that is nearest.
    pub(super) share: f64,
}

/// One cgroup with what it uses and may use.
#[derive(Debug)]
struct Level {
    usage: KernelFile,
    stat: KernelFile,
    limit: Option<u64>,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default)]
struct Events {
    /// The limit was reached and nothing could be freed.
    out_of_memory: u64,
    /// Processes killed.
    kills: u64,
}

impl Memory {
    pub(super) fn new(hierarchy: &Hierarchy, path: &str) -> Self {
        let base = hierarchy.memory.clone();
        let events = base.as_ref().map(|base| events_file(&base.at(path), base.version));
        let above = base.as_ref().filter(|base| base.version == Version::V2).and_then(|base| {
            let above = ancestry(path).nth(1)?;
            Some(events_file(&base.at(above), base.version))
        });
        Self {
            levels: Vec::new(),
            base,
            events,
            events_before: None,
            above,
            above_before: None,
            is_successor: false,
        }
    }

    /// Looks the limits up.
    pub(super) fn refresh(&mut self, path: &str) {
        let Some(base) = &self.base else { return };
        let levels = ancestry(path).enumerate().filter_map(|(height, path)| {
            let folder = base.at(path);
            let limit = limit(&folder, base.version);
            (height == 0 || limit.is_some()).then(|| Level::new(&folder, base.version, limit))
        });
        self.levels = levels.collect();
        [&mut self.events, &mut self.above].into_iter().flatten().for_each(KernelFile::retry);
    }

    /// `container.memory.usage` and `container.memory.working_set` in bytes, the second without file
    /// caches that are not in use; `container.memory.limit`: the least limit of the ancestry;
    /// `container.memory.utilization`: share that the working set has of the limit, at that level of the
    /// ancestry where it is largest, or of the machine's memory where there is no limit.
    pub(super) fn read(
        &mut self,
        reading: &mut Reading,
        label: (&str, &str),
        machine: &Machine,
        text: &mut Text,
    ) -> Option<Fill> {
        let version = self.base.as_ref()?.version;
        let (own, above) = self.levels.split_first_mut()?;
        let usage = own.usage.number(text)?;
        let set = own.working_set(usage, version, text);
        let least = above.iter().filter_map(|level| level.limit).chain(own.limit).min();
        let mut share = own.limit.map(|limit| set / limit as f64);
        for level in above {
            let (Some(limit), Some(usage)) = (level.limit, level.usage.number(text)) else { continue };
            let of_level = level.working_set(usage, version, text) / limit as f64;
            share = Some(share.map_or(of_level, |share| share.max(of_level)));
        }
        let share = share.or_else(|| (machine.memory_bytes > 0.0).then(|| set / machine.memory_bytes));
        reading.gauge("container.memory.usage", "By", &[label], usage as f64);
        reading.gauge("container.memory.working_set", "By", &[label], set);
        if let Some(limit) = least {
            reading.gauge("container.memory.limit", "By", &[label], limit as f64);
        }
        if let Some(share) = share {
            reading.gauge("container.memory.utilization", "1", &[label], share);
        }
        Some(Fill { bytes: set, share: share? })
    }

    /// `container.memory.oom` and `container.memory.oom_kills` as increases. Gives the kills.
    pub(super) fn read_events(&mut self, reading: &mut Reading, label: (&str, &str), text: &mut Text) -> u64 {
        let above = self.above.as_mut().and_then(|file| Events::read(file, text));
        let above_before = std::mem::replace(&mut self.above_before, above);
        let Some(now) = self.events.as_mut().and_then(|file| Events::read(file, text)) else { return 0 };
        let grown = match (self.events_before.replace(now), above, above_before) {
            (None, Some(above), Some(before)) if self.is_successor => above.since(before),
            (Some(before), ..) => now.since(before),
            (None, ..) => Events::default(),
        };
        self.is_successor = false;
        grown.say(reading, label);
        grown.kills
    }

    /// The cgroup has gone, and its counters with it: what the one above has counted since the reading
    /// before was this one's, as a unit that is restarted after it was killed is a new cgroup. Gives the
    /// kills.
    pub(super) fn read_last(&mut self, reading: &mut Reading, label: (&str, &str), text: &mut Text) -> u64 {
        let now = self.above.as_mut().and_then(|file| Events::read(file, text));
        let (Some(now), Some(before)) = (now, self.above_before.take()) else { return 0 };
        let last = now.since(before);
        last.say(reading, label);
        last.kills
    }

    /// Goes on after another cgroup of the same path: what that one's last reading did not see is known
    /// by the one above, or else this one is counted from its beginning.
    pub(super) fn follow(&mut self, before: &Self) {
        self.above_before = before.above_before;
        self.is_successor = self.above_before.is_some();
        if !self.is_successor {
            self.events_before = Some(Events::default());
        }
    }
}

impl Level {
    fn new(folder: &Path, version: Version, limit: Option<u64>) -> Self {
        let usage = match version {
            Version::V2 => "memory.current",
            Version::V1 => "memory.usage_in_bytes",
        };
        Self {
            usage: KernelFile::new(folder.join(usage)),
            stat: KernelFile::new(folder.join("memory.stat")),
            limit,
        }
    }

    /// Usage without file caches that nobody has used lately: the kernel takes those back first.
    fn working_set(&mut self, usage: u64, version: Version, text: &mut Text) -> f64 {
        let name = match version {
            Version::V2 => "inactive_file",
            Version::V1 => "total_inactive_file",
        };
        let cache = self.stat.read(text).and_then(|stat| field(stat, name)).unwrap_or(0);
        usage.saturating_sub(cache) as f64
    }
}

impl Events {
    fn read(file: &mut KernelFile, text: &mut Text) -> Option<Self> {
        let read = file.read(text)?;
        let count = |name: &str| field(read, name).unwrap_or(0);
        Some(Self { out_of_memory: count("oom"), kills: count("oom_kill") })
    }

    const fn since(self, before: Self) -> Self {
        Self {
            out_of_memory: increase(self.out_of_memory, before.out_of_memory),
            kills: increase(self.kills, before.kills),
        }
    }

    fn say(self, reading: &mut Reading, label: (&str, &str)) {
        reading.counter("container.memory.oom", "{event}", &[label], self.out_of_memory as f64);
        reading.counter("container.memory.oom_kills", "{process}", &[label], self.kills as f64);
    }
}

fn events_file(folder: &Path, version: Version) -> KernelFile {
    let name = match version {
        Version::V2 => "memory.events",
        Version::V1 => "memory.oom_control",
    };
    KernelFile::new(folder.join(name))
}

/// A cgroup's own limit in bytes: beyond `memory.high` it is held back so hard that it hardly runs.
fn limit(folder: &Path, version: Version) -> Option<u64> {
    let number =
        |name: &str| -> Option<u64> { std::fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok() };
    let limits = match version {
        Version::V2 => [number("memory.max"), number("memory.high")],
        Version::V1 => [number("memory.limit_in_bytes").filter(|limit| *limit < UNLIMITED_FROM), None],
    };
    limits.into_iter().flatten().filter(|limit| *limit > 0).min()
}

/// The least limit of a cgroup's ancestry.
pub(super) fn least_limit(hierarchy: &Hierarchy, path: &str) -> Option<u64> {
    let base = hierarchy.memory.as_ref()?;
    ancestry(path).filter_map(|path| limit(&base.at(path), base.version)).min()
}
