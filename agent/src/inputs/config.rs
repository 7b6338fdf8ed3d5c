//! What the agent reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{host, tail};

/// Sources of what the agent ships (`inputs` in `agent.yaml`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Log files. Default none.
    pub tail: Vec<tail::Config>,
    /// The host itself.
    pub host: host::Config,
}

impl Config {
    /// Shards that these inputs open: each has its own bounds.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.tail.len() + usize::from(self.host.enabled)
    }

    /// The most memory that the inputs take, in bytes, besides their shards.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        let tails: usize = self.tail.iter().map(tail::Config::memory_bytes_max).sum();
        tails + if self.host.enabled { self.host.memory_bytes_max() } else { 0 }
    }
}
