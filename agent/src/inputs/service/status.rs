//! How the services stand whose saturation is read.

use serde::{Deserialize, Serialize};

/// Things shown of one entry; the rest is counted.
pub const GROUPS_SHOWN_MAX: usize = 20;

/// One entry of `inputs.services`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// The service; empty where its name comes from the path of a cgroup.
    pub service: String,
    /// What is looked for, as `unit payment.service`.
    pub looks_for: String,
    /// Something of it runs.
    pub is_up: bool,
    /// What was found, [`GROUPS_SHOWN_MAX`] of it at most.
    pub groups: Vec<GroupStatus>,
    /// How much more was found.
    pub further: usize,
    /// What keeps it from being read whole, and the way out.
    pub problems: Vec<String>,
}

/// A cgroup, or the processes that a pattern picks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// Path of the cgroup, or `processes`.
    pub name: String,
    /// The service that its readings are about.
    pub service: String,
    /// A process is in it.
    pub is_up: bool,
    /// Processes read.
    pub processes: usize,
    /// Their threads.
    pub threads: u64,
    /// Share of the CPUs that it may use; absent before the second reading.
    pub cpu: Option<f64>,
    /// Memory that cannot be freed at once, in bytes.
    pub memory_bytes: Option<u64>,
    /// Share that it has of the nearest limit.
    pub memory: Option<f64>,
    /// Share that the fullest process has of the files that it may open.
    pub open_files: Option<f64>,
    /// Processes killed for want of memory since the agent's start.
    pub oom_kills: u64,
    /// Times that all of its processes were replaced since the agent's start.
    pub restarts: u64,
}
