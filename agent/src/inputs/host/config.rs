//! What is read of the host.

use std::path::PathBuf;
use std::time::Duration;

use goldentime_model::config::Check;
use goldentime_model::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::proc::FILE_BYTES_MAX;

/// Saturation of the host (`inputs.host` in `agent.yaml`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether the host is read at all. Default true.
    pub enabled: bool,
    /// How often. Default 1s, at least 100ms. What is mounted is looked up at every tenth reading.
    pub interval: HumanDuration,
    /// Where the kernel's process file system is mounted; elsewhere in a container. Default `/proc`.
    pub proc_root: PathBuf,
    /// Prefix of the mount points, where the host's root is mounted elsewhere. Default `/`.
    pub root: PathBuf,
    /// Devices, interfaces and mount points that are read at most, each. What is beyond is counted.
    /// Default 64.
    pub devices_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: HumanDuration::from_secs(1),
            proc_root: "/proc".into(),
            root: "/".into(),
            devices_max: 64,
        }
    }
}

/// Shortest interval.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// What one collector keeps of one device: its name and its last counters.
const DEVICE_BYTES: usize = 512;

impl Config {
    /// Refuses an interval that would make the agent the host's load.
    pub fn validate(&self, check: &mut Check) {
        check.require(self.interval.get() >= INTERVAL_MIN, "interval", "must be at least 100ms");
        check.require(self.devices_max >= 1, "devices_max", "must be at least 1");
    }

    /// The most memory that the input takes, in bytes, besides its shard.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        FILE_BYTES_MAX + 3 * self.devices_max * DEVICE_BYTES
    }
}
