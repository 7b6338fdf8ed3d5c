//! File systems on local disks (`/proc/self/mounts`, statvfs(3)).

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::proc::Proc;
use super::reading::Reading;

/// Kinds that hold files on a disk of this host. Network file systems are left out: asking one whose
/// server is away would hang.
const KINDS: [&str; 9] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay", "vfat"];

/// What is mounted changes seldom, and the kernel's list of it is long: it is read every so many
/// readings. How full each one is, is asked at every reading.
const MOUNTS_EVERY: u64 = 10;

/// The mounted file systems, one entry a device.
#[derive(Debug, Default)]
pub(super) struct FileSystems {
    mounts: Vec<Mount>,
    readings: u64,
}

#[derive(Debug)]
struct Mount {
    /// As the label names it.
    point: String,
    /// Where this process finds it.
    path: PathBuf,
    /// Why it could not be asked the last time.
    failure: Option<rustix::io::Errno>,
}

impl FileSystems {
    /// For each device, at its first mount point: `system.filesystem.utilization{mountpoint}` as `df`
    /// computes it (used of what users may use) and `system.filesystem.inodes.utilization`. Returns
    /// how many mount points were over the limit.
    pub(super) fn read(
        &mut self,
        proc: &mut Proc,
        root: &Path,
        reading: &mut Reading,
        devices_max: usize,
    ) -> u64 {
        let mut over_limit = 0;
        if self.readings.is_multiple_of(MOUNTS_EVERY) {
            over_limit = self.list(proc, root, devices_max);
        }
        self.readings += 1;
        for Mount { point, path, failure } in &mut self.mounts {
            let space = match rustix::fs::statvfs(&*path) {
                Ok(space) => space,
                Err(error) => {
                    *failure = Some(error);
                    continue;
                }
            };
            *failure = None;
            let used = space.f_blocks.saturating_sub(space.f_bfree) as f64;
            let usable = used + space.f_bavail as f64;
            let label = [("mountpoint", point.as_str())];
            if usable > 0.0 {
                reading.gauge("system.filesystem.utilization", "1", &label, used / usable);
            }
            if space.f_files > 0 {
                let (used, all) = (space.f_files.saturating_sub(space.f_ffree) as f64, space.f_files as f64);
                reading.gauge("system.filesystem.inodes.utilization", "1", &label, used / all);
            }
        }
        over_limit
    }

    /// The file systems that could not be asked the last time, with the reason.
    pub(super) fn failures(&self) -> impl Iterator<Item = (String, String)> {
        let failed = self.mounts.iter().filter_map(|mount| Some((mount, mount.failure?)));
        failed.map(|(mount, error)| {
            (format!("file system {}", mount.point), format!("{}: {error}", mount.path.display()))
        })
    }

    /// Lists what is mounted anew; returns how many mount points were over the limit.
    fn list(&mut self, proc: &mut Proc, root: &Path, devices_max: usize) -> u64 {
        let Some(text) = proc.read("self/mounts") else { return 0 };
        let (mut devices, mut over_limit) = (HashSet::new(), 0);
        self.mounts.clear();
        for line in text.lines() {
            let mut fields = line.split(' ');
            let (Some(device), Some(point), Some(kind)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            if !KINDS.contains(&kind) || !devices.insert(device) {
                continue;
            }
            if devices.len() > devices_max {
                over_limit += 1;
                continue;
            }
            let point = point.replace("\\040", " ");
            let path = root.join(point.trim_start_matches('/'));
            self.mounts.push(Mount { point, path, failure: None });
        }
        over_limit
    }
}
