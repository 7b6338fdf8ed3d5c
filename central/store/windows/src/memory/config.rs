//! Configuration of window state in memory.

use goldentime_model::units::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much the live windows may hold. What falls over a limit is not stored, is counted under
/// `goldentime_drops_total{component="windows"}` by reason, and is missing from charts of live data;
/// rules are judged all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WindowsConfig {
    /// Services whose windows are kept, hosts (`host:<name>`) included. At least 1. Default 5000.
    pub services_max: u32,
    /// Memory for encoded cells. A busy service takes about 0.5 MiB, a host about 0.1 MiB. At least
    /// `1MiB`. Default `512MiB`.
    pub cells_bytes_max: ByteSize,
}

impl Default for WindowsConfig {
    fn default() -> Self {
        Self { services_max: 5000, cells_bytes_max: ByteSize::mib(512) }
    }
}

impl WindowsConfig {
    /// Most memory that the windows take, in bytes: the cells, and what it costs to find them.
    #[must_use]
    pub fn memory_bound_bytes(&self) -> u64 {
        /// A service's name and map, in bytes.
        const SERVICE_OVERHEAD: u64 = 1024;
        // Entries in the maps are small beside the cells; a quarter more covers those of tiny cells.
        let cells = self.cells_bytes_max.get();
        cells.saturating_add(cells / 4).saturating_add(u64::from(self.services_max) * SERVICE_OVERHEAD)
    }
}
