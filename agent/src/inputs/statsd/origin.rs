//! Which container a process that sends belongs to, by its control groups.
//!
//! Clients in containers without a name of their own (`|c:` of the protocol) are told apart by the
//! process that the kernel says sent a datagram on the Unix socket.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use goldentime_model::Second;

/// Where the kernel tells of processes.
pub const PROC: &str = "/proc";
/// Processes that are remembered; when there are more, all are asked for again.
const PROCESSES_MAX: usize = 1024;
/// How long what was read holds: a number may by then be another process's.
const KEPT_S: i64 = 10;
/// Longest file that is read; one of version 1 has a dozen lines.
const FILE_BYTES_MAX: u64 = 16 << 10;
/// Hexadecimal digits of a container's id.
const ID_DIGITS: usize = 64;
/// Bytes that a remembered process takes in a table that may be half empty, its container's id included.
const PROCESS_BYTES: usize = 2 * (64 + ID_DIGITS);

/// Containers by the processes that sent lately.
pub(super) struct Origins {
    proc: PathBuf,
    known: HashMap<u32, Known>,
}

struct Known {
    /// Empty for a process in no container, and for one that is gone.
    container: Box<str>,
    read: Second,
}

impl Origins {
    /// Nothing known yet; processes are looked up in `proc`.
    pub(super) fn new(proc: &Path) -> Self {
        Self { proc: proc.to_owned(), known: HashMap::new() }
    }

    /// The most memory that it takes, in bytes.
    pub(super) const fn memory_bytes_max() -> usize {
        PROCESSES_MAX * PROCESS_BYTES + FILE_BYTES_MAX as usize
    }

    /// The container of a process; empty if it is in none, or cannot be asked any more.
    pub(super) fn container(&mut self, pid: u32, now: Second) -> &str {
        let is_fresh = |known: &Known| (0..KEPT_S).contains(&now.0.saturating_sub(known.read.0));
        if !self.known.get(&pid).is_some_and(is_fresh) {
            if self.known.len() >= PROCESSES_MAX {
                self.known.clear();
            }
            let container = self.read(pid).unwrap_or_default().into();
            self.known.insert(pid, Known { container, read: now });
        }
        self.known.get(&pid).map_or("", |known| &*known.container)
    }

    fn read(&self, pid: u32) -> Option<String> {
        let file = File::open(self.proc.join(pid.to_string()).join("cgroup")).ok()?;
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
        text.lines().find_map(container_of).map(str::to_owned)
    }
}

/// The id in a line of `/proc/<pid>/cgroup`: the last run of 64 hexadecimal digits in the path, as Docker
/// (`docker-<id>.scope`), containerd (`cri-containerd-<id>.scope`), CRI-O, Podman and Kubernetes name
/// their groups.
fn container_of(line: &str) -> Option<&str> {
    let path = line.splitn(3, ':').nth(2)?;
    let mut parts = path.rsplit(|c: char| !c.is_ascii_hexdigit());
    parts.find(|part| part.len() == ID_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3726184226f5d3147c25fdeab5b60097e378e8a720503a5e19ecfdf29f869860";

    fn line(path: &str) -> String {
        format!("0::{}\n", path.replace("ID", ID))
    }

    #[test]
    fn containers_are_told_by_the_groups_that_their_runtimes_make() {
        for path in [
            "/system.slice/docker-ID.scope",
            "/docker/ID",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2b_1.slice/cri-containerd-ID.scope",
            "/kubepods/besteffort/pod3d274242-8ee0-11e9-a8a6-1e68d864ef1a/ID",
            "/machine.slice/libpod-ID.scope/container",
            "/kubepods.slice/crio-ID.scope",
        ] {
            assert_eq!(container_of(line(path).trim_end()), Some(ID), "{path}");
        }
        for path in ["/", "/system.slice/nginx.service", "/user.slice/user-1000.slice", "/x/IDab"] {
            assert_eq!(container_of(line(path).trim_end()), None, "{path}");
        }
        let version_1 = format!("4:memory:/docker/{ID}");
        assert_eq!(container_of(&version_1), Some(ID));
        assert_eq!(container_of("nonsense"), None);
    }

    #[test]
    fn a_process_is_asked_again_after_a_while_for_its_number_may_be_anothers() {
        let folder = tempfile::tempdir().expect("folder");
        let group = folder.path().join("42");
        std::fs::create_dir(&group).expect("made");
        std::fs::write(group.join("cgroup"), line("/docker/ID")).expect("written");
        let mut origins = Origins::new(folder.path());
        assert_eq!(origins.container(42, Second(100)), ID);
        std::fs::write(group.join("cgroup"), line("/system.slice/cron.service")).expect("written");
        assert_eq!(origins.container(42, Second(109)), ID);
        assert_eq!(origins.container(42, Second(110)), "");
        assert_eq!(origins.container(43, Second(110)), "", "a process that is gone");
    }

    #[test]
    fn only_so_many_processes_are_remembered() {
        let folder = tempfile::tempdir().expect("folder");
        let mut origins = Origins::new(folder.path());
        for pid in 0..=PROCESSES_MAX as u32 {
            origins.container(pid, Second(1));
            assert!(origins.known.len() <= PROCESSES_MAX);
        }
    }
}
