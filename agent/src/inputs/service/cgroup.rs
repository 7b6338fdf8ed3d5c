//! One control group, as all collectors read it.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::cpu::Cpu;
use super::hierarchy::{Base, Hierarchy, folders};
use super::io::Io;
use super::kernel_file::{KernelFile, Text, field};
use super::machine::Machine;
use super::memory::{Fill, Memory};
use super::pressure::Pressure;
use super::tasks::Tasks;
use crate::inputs::host::reading::Reading;

/// Cgroups inside of one whose processes are looked up: a unit that divides itself, a pod.
const INNER_MAX: usize = 256;

/// The files of a cgroup.
#[derive(Debug)]
pub(super) struct Cgroup {
    path: String,
    /// Where it was found.
    folder: PathBuf,
    /// Tells it from one of the same name that came after it.
    inode: Option<u64>,
    /// It was looked for before: what comes now is new, and not only new to us.
    is_known: bool,
    events: KernelFile,
    collectors: Collectors,
}

#[derive(Debug)]
struct Collectors {
    cpu: Cpu,
    memory: Memory,
    tasks: Tasks,
    pressure: Pressure,
    io: Io,
}

/// Whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// As before.
    There,
    /// It came, or one came in its place.
    New,
    /// It has gone since the last reading.
    Left,
    /// It was not there before either.
    Away,
}

/// What one reading says in short.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Use {
    /// Share of the CPUs that it may use.
    pub(super) cpu: Option<f64>,
    pub(super) memory: Option<Fill>,
    /// Processes killed for want of memory since the reading before.
    pub(super) kills: u64,
    /// Whether the kernel says that a process is in it; version 2 only.
    pub(super) is_populated: Option<bool>,
}

impl Cgroup {
    /// A cgroup in `base` that was not looked at yet.
    pub(super) fn new(hierarchy: &Hierarchy, base: &Base, path: &str) -> Self {
        let folder = base.at(path);
        Self {
            events: KernelFile::new(folder.join("cgroup.events")),
            collectors: Collectors::new(hierarchy, path),
            path: path.to_owned(),
            folder,
            inode: None,
            is_known: false,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Looks whether it is there. One that is new is read from its beginning.
    pub(super) fn look(&mut self, hierarchy: &Hierarchy) -> Presence {
        let inode = fs::metadata(&self.folder).ok().map(|folder| folder.ino());
        match (std::mem::replace(&mut self.inode, inode), inode) {
            (None, None) => {
                self.is_known = true;
                Presence::Away
            }
            (Some(_), None) => Presence::Left,
            (Some(before), Some(now)) if before == now => Presence::There,
            (_, Some(_)) => {
                self.events = KernelFile::new(self.folder.join("cgroup.events"));
                let before = std::mem::replace(&mut self.collectors, Collectors::new(hierarchy, &self.path));
                if self.is_known {
                    self.collectors.memory.follow(&before.memory);
                }
                self.is_known = true;
                self.refresh();
                Presence::New
            }
        }
    }

    /// Looks limits up, and files that were absent.
    pub(super) fn refresh(&mut self) {
        let Collectors { cpu, memory, tasks, pressure, io } = &mut self.collectors;
        cpu.refresh(&self.path);
        memory.refresh(&self.path);
        tasks.refresh(&self.path);
        pressure.refresh();
        io.refresh();
    }

    /// All readings of a cgroup that is there.
    pub(super) fn read(
        &mut self,
        reading: &mut Reading,
        label: (&str, &str),
        machine: &Machine,
        text: &mut Text,
    ) -> Use {
        let Collectors { cpu, memory, tasks, pressure, io } = &mut self.collectors;
        let cpu = cpu.read(reading, label, machine, text);
        let (kills, memory) =
            (memory.read_events(reading, label, text), memory.read(reading, label, machine, text));
        tasks.read(reading, label, text);
        pressure.read(reading, label, text);
        io.read(reading, label, text);
        let populated = self.events.read(text).and_then(|events| field(events, "populated"));
        Use { cpu, memory, kills, is_populated: populated.map(|populated| populated > 0) }
    }

    /// What can still be read of one that has left; gives the processes killed for want of memory.
    pub(super) fn read_last(&mut self, reading: &mut Reading, label: (&str, &str), text: &mut Text) -> u64 {
        self.collectors.memory.read_last(reading, label, text)
    }

    /// The processes in it and in the cgroups inside of it, `most` at most.
    pub(super) fn processes(&self, most: usize, text: &mut Text) -> Vec<u32> {
        let mut found = Vec::new();
        let mut waiting = vec![self.folder.clone()];
        let mut looked_at = 0;
        while let Some(folder) = waiting.pop() {
            looked_at += 1;
            if looked_at > INNER_MAX || found.len() > most {
                break;
            }
            listed(&folder, text, &mut found);
            waiting.extend(folders(&folder).map(|name| folder.join(name)));
        }
        found
    }
}

impl Collectors {
    fn new(hierarchy: &Hierarchy, path: &str) -> Self {
        Self {
            cpu: Cpu::new(hierarchy, path),
            memory: Memory::new(hierarchy, path),
            tasks: Tasks::new(hierarchy, path),
            pressure: Pressure::new(hierarchy, path),
            io: Io::new(hierarchy, path),
        }
    }
}

/// Adds the processes of one cgroup. Those of another process namespace are listed as 0.
fn listed(folder: &Path, text: &mut Text, found: &mut Vec<u32>) {
    let Ok(file) = File::open(folder.join("cgroup.procs")) else { return };
    let Ok(read) = text.list(&file) else { return };
    let lines = read.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    found.extend(lines.filter_map(|line| line.trim().parse::<u32>().ok()).filter(|process| *process > 0));
}
