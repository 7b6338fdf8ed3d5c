//! One process (proc(5), `/proc/<pid>/stat`).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::kernel_file::Text;
use super::machine::Machine;

/// Ticks a second in which the kernel tells times to programs, on every architecture that this is built
/// for (`USER_HZ`).
pub(super) const TICKS_PER_SECOND: f64 = 100.0;

/// Open files counted one by one where the kernel does not say how many there are.
const COUNTED_MAX: usize = 65_536;

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat<'a> {
    pub(super) name: &'a [u8],
    /// It has ended, and nobody has asked yet how.
    pub(super) is_zombie: bool,
    pub(super) parent: u32,
    /// CPU time of its own, in user and kernel mode.
    pub(super) cpu_ticks: u64,
    pub(super) threads: u64,
    /// When it was started, in ticks since the machine was: with its id the process's identity.
    pub(super) started: u64,
    pub(super) resident_pages: u64,
}

impl<'a> Stat<'a> {
    /// Reads `pid (name) state ppid …`. A name may hold blanks and parentheses.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let open = text.iter().position(|byte| *byte == b'(')?;
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let name = text.get(open + 1..close)?;
        let mut fields = std::str::from_utf8(&text[close + 1..]).ok()?.split_ascii_whitespace();
        let is_zombie = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        let mut number = |skipped: usize| fields.nth(skipped)?.parse::<u64>().ok();
        let (user, system) = (number(9)?, number(0)?);
        let (threads, started, resident_pages) = (number(4)?, number(1)?, number(1)?);
        let cpu_ticks = user.saturating_add(system);
        Some(Self { name, is_zombie, parent, cpu_ticks, threads, started, resident_pages })
    }
}

/// A process whose file is kept open: it stays that process's, whoever gets its id next.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    started: u64,
    folder: PathBuf,
    stat: File,
    cpu_ticks: u64,
    files_open: Option<u64>,
    files_max: Option<u64>,
    /// Place in the list of cgroups whose memory its service's processes share.
    pub(super) pool: usize,
}

/// What one reading says of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) cpu_ticks: u64,
    pub(super) threads: u64,
    pub(super) resident_pages: u64,
}

impl Process {
    /// Begins with what it has used so far.
    pub(super) fn open(proc: &Path, pid: u32, text: &mut Text) -> Option<Self> {
        let folder = proc.join(pid.to_string());
        let file = File::open(folder.join("stat")).ok()?;
        let stat = Stat::parse(text.record(&file).ok()?).filter(|stat| !stat.is_zombie)?;
        let (started, cpu_ticks) = (stat.started, stat.cpu_ticks);
        let process =
            Self { pid, started, folder, stat: file, cpu_ticks, files_open: None, files_max: None, pool: 0 };
        Some(process)
    }

    /// CPU time since the reading before, threads and memory; `None` when the process has ended.
    pub(super) fn read(&mut self, text: &mut Text) -> Option<Now> {
        let stat = Stat::parse(text.record(&self.stat).ok()?)?;
        if stat.is_zombie || stat.started != self.started {
            return None;
        }
        let before = std::mem::replace(&mut self.cpu_ticks, stat.cpu_ticks);
        // The kernel's sum of both times may step back by a tick.
        let cpu_ticks = stat.cpu_ticks.saturating_sub(before);
        Some(Now { cpu_ticks, threads: stat.threads, resident_pages: stat.resident_pages })
    }

    /// Whether it is still the process that was opened.
    pub(super) fn is_alive(&self, text: &mut Text) -> bool {
        let stat = text.record(&self.stat).ok().and_then(Stat::parse);
        stat.is_some_and(|stat| !stat.is_zombie && stat.started == self.started)
    }

    /// Looks the limit of open files up, and counts them where that is dear. An error is a lack of
    /// permission.
    pub(super) fn refresh(&mut self, machine: &Machine) -> io::Result<()> {
        self.files_max = fs::read_to_string(self.folder.join("limits")).ok().and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
            line.split_ascii_whitespace().next()?.parse().ok()
        });
        if machine.counts_open_files {
            return Ok(());
        }
        match fs::read_dir(self.folder.join("fd")) {
            Ok(entries) => self.files_open = Some(entries.take(COUNTED_MAX).count() as u64),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            Err(_) => self.files_open = None,
        }
        Ok(())
    }

    /// Open files, and how many it may open; `None` where that is not known.
    pub(super) fn open_files(&mut self, machine: &Machine) -> (Option<u64>, Option<u64>) {
        if machine.counts_open_files {
            self.files_open = fs::metadata(self.folder.join("fd")).ok().map(|folder| folder.len());
        }
        (self.files_open, self.files_max)
    }

    /// Its cgroup in the tree that accounts memory, as `/proc/<pid>/cgroup` names it.
    pub(super) fn cgroup(&self) -> Option<String> {
        let text = fs::read_to_string(self.folder.join("cgroup")).ok()?;
        let path_in = |wanted: fn(&str) -> bool| {
            text.lines().find_map(|line| {
                let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
                controllers.split(',').any(wanted).then(|| path.to_owned())
            })
        };
        path_in(|name| name == "memory").or_else(|| path_in(str::is_empty))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_may_hold_what_stands_around_it() {
        let text =
            b"42 (a) (b c) S 7 42 42 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 5 0 900 1000 256 18 1 1 0\n";
        let stat = Stat::parse(text).expect("read");
        assert_eq!(
            stat,
            Stat {
                name: b"a) (b c",
                is_zombie: false,
                parent: 7,
                cpu_ticks: 33,
                threads: 5,
                started: 900,
                resident_pages: 256
            }
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Stat::parse(&text);
        }
    }
}
