//! What the agent reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{host, service, statsd, tail};

/// Sources of what the agent ships (`inputs` in `agent.yaml`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Log files. Default none.
    pub tail: Vec<tail::Config>,
    /// StatsD and DogStatsD.
    pub statsd: statsd::Config,
    /// The host itself.
    pub host: host::Config,
    /// Services whose saturation is read. Default none.
    pub services: Vec<service::Entry>,
    /// How their saturation is read.
    pub saturation: service::Config,
}
