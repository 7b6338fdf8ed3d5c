//! Configuration of the central: `central.yaml`, one struct for each of its sections.
//!
//! Sections that belong to one station are that station's own `Config`; here stand those that belong
//! to the program as a whole.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where dashboards and the API are served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port of dashboard, API, WebSocket and `/metrics`. Default `127.0.0.1:7700`. Until
    /// there are accounts, an address that is not loopback is refused at start: put a proxy that
    /// knows who asks before it.
    pub listen: SocketAddr,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7700)) }
    }
}

/// Where the central keeps its files by default.
#[must_use]
pub fn default_state_dir() -> PathBuf {
    PathBuf::from("/var/lib/goldentime-central")
}

/// Where the rules are read from by default.
#[must_use]
pub fn default_slo_dir() -> PathBuf {
    PathBuf::from("/etc/goldentime/slo")
}
