//! Which services' saturation is read, and how.

use std::path::PathBuf;
use std::time::Duration;

use goldentime_model::config::Check;
use goldentime_model::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kernel_file::TEXT_BYTES_MAX;
use super::selector::Selector;

/// How the saturation of services is read (`inputs.saturation` in `agent.yaml`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How often. Default 1s, at least 100ms, at most 1m.
    pub interval: HumanDuration,
    /// How often cgroups, processes and their limits are looked for. Default 5s, at least 1s, at most
    /// 5m. Sooner, but not before 1s has passed, where something that was read has gone.
    pub rescan_interval: HumanDuration,
    /// Where control groups are mounted, of either version or both (`unified` beside the controllers);
    /// elsewhere in a container. Default `/sys/fs/cgroup`.
    pub cgroup_root: PathBuf,
    /// Where the kernel's process file system is mounted; elsewhere in a container. Default `/proc`.
    pub proc_root: PathBuf,
    /// Cgroups read at once, over all services; further ones are counted. Default 256, at least 1, at
    /// most 10000. Each keeps about a dozen files open.
    pub groups_max: usize,
    /// Processes read at once, over all services; further ones are counted. Default 2000, at least 1,
    /// at most 50000. Each keeps a file open.
    pub processes_max: usize,
}

/// A service whose saturation is read (`inputs.services[]`): by exactly one of `unit`, `cgroup` and
/// `process`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Service that the readings are about. Default, for a `unit` without wildcards: its name without
    /// the ending; otherwise required. Beside a `cgroup`, `$1`, `$2`, … stand for what its wildcards
    /// stood for, from the left (`${1}` before a letter or digit).
    #[serde(default)]
    pub service: Option<String>,
    /// A systemd unit with its ending: `payment.service`, `worker@3.service`, `worker@*.service` for
    /// all instances, `shop.slice`. Looked for where systemd puts it, and then by its name in the whole
    /// tree, so that units of users and with a `Slice=` are found too. Default none.
    #[serde(default)]
    pub unit: Option<String>,
    /// A path below the root of control groups, from its `/`; `*`, `?` and `[a-z]` stand for characters
    /// inside one part, `**` for any number of folders: `/system.slice/docker-*.scope`,
    /// `/kubepods.slice/**/cri-containerd-*.scope`. Default none.
    #[serde(default)]
    pub cgroup: Option<String>,
    /// Processes by what they are. Default none.
    #[serde(default)]
    pub process: Option<ProcessConfig>,
}

/// Which processes belong to a service: those for which all that is given here holds. At least one of
/// `name`, `exe`, `cmdline` and `user`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessConfig {
    /// Name as in `ps -o comm`, exact. The kernel keeps 15 bytes of it, and so much is compared.
    /// Default: any.
    #[serde(default)]
    pub name: Option<String>,
    /// Absolute path of the program; `*` and `**` as in `cgroup`. The kernel tells it of other users'
    /// processes only to those with `CAP_SYS_PTRACE`. Default: any.
    #[serde(default)]
    pub exe: Option<String>,
    /// Regular expression somewhere in the command line, its arguments joined by blanks. The first 4 KiB
    /// are looked at. Default: any.
    #[serde(default)]
    pub cmdline: Option<String>,
    /// Effective user, by name as in `/etc/passwd` or by number. Default: any.
    #[serde(default)]
    pub user: Option<String>,
    /// Whether what these processes have started belongs to the service too, whatever its name. Default
    /// true.
    #[serde(default = "children")]
    pub children: bool,
}

const fn children() -> bool {
    true
}

impl Default for ProcessConfig {
    fn default() -> Self {
        Self { name: None, exe: None, cmdline: None, user: None, children: children() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: HumanDuration::from_secs(1),
            rescan_interval: HumanDuration::from_secs(5),
            cgroup_root: "/sys/fs/cgroup".into(),
            proc_root: "/proc".into(),
            groups_max: 256,
            processes_max: 2000,
        }
    }
}

/// Shortest interval.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Longest interval: a rule's window must hold a few readings.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Shortest time between two looks at all processes.
pub(super) const RESCAN_MIN: Duration = Duration::from_secs(1);
/// Longest: what is started later than that is hardly read at all.
const RESCAN_MAX: Duration = Duration::from_secs(300);
/// More would make the agent the host's load.
const GROUPS_LIMIT: usize = 10_000;
/// Likewise.
const PROCESSES_LIMIT: usize = 50_000;
/// What is kept of a cgroup: its files with their paths, its last counters, its names.
const GROUP_BYTES: usize = 8 << 10;
/// What is kept of a process.
const PROCESS_BYTES: usize = 512;

impl Config {
    /// Refuses bounds that the input cannot work with.
    pub fn validate(&self, check: &mut Check) {
        let is_interval = (INTERVAL_MIN..=INTERVAL_MAX).contains(&self.interval.get());
        check.require(is_interval, "interval", "must be between 100ms and 1m");
        let is_rescan = (RESCAN_MIN..=RESCAN_MAX).contains(&self.rescan_interval.get());
        check.require(is_rescan, "rescan_interval", "must be between 1s and 5m");
        for (setting, root) in [("cgroup_root", &self.cgroup_root), ("proc_root", &self.proc_root)] {
            check.require(root.is_absolute(), setting, "must be an absolute path");
        }
        for (setting, value, most) in [
            ("groups_max", self.groups_max, GROUPS_LIMIT),
            ("processes_max", self.processes_max, PROCESSES_LIMIT),
        ] {
            check.require((1..=most).contains(&value), setting, format!("must be between 1 and {most}"));
        }
    }

    /// The most memory that the input takes, in bytes, besides its shard.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        TEXT_BYTES_MAX + self.groups_max * GROUP_BYTES + self.processes_max * PROCESS_BYTES
    }
}

impl Entry {
    /// Refuses an entry that names nothing, or more than one thing.
    pub fn validate(&self, check: &mut Check) {
        if let Err(refusal) = Selector::new(self) {
            check.refuse(refusal.field, refusal.message);
        }
    }
}
