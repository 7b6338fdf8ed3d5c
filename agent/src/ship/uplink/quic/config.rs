//! How the central is reached (`central` in `agent.yaml`).

use std::path::PathBuf;

use goldentime_model::config::{Check, Secret};
use goldentime_model::units::{ByteSize, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a central is looked for unless told otherwise.
const ADDRESS: &str = "127.0.0.1:7701";

/// Slower than this a backlog would never end.
const BACKLOG_BYTES_PER_SECOND_MIN: u64 = 16 << 10;

/// How the central is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address of the central, `host:port`, UDP. Default `127.0.0.1:7701`; with `kafka` none, and the agent
    /// then works without a central. Beside `kafka` a central that is named here corrects the clock and
    /// tells what to flush sooner; records go to Kafka alone.
    pub address: Option<String>,
    /// The join token that the central prints at its first start. Needed once: afterwards the agent
    /// has a certificate in its state directory. Better given as `join_token_file`. Default: none.
    pub join_token: Option<Secret>,
    /// File that holds the join token, readable by the agent's user only; absolute path. Read only
    /// while the agent is not enrolled, and may be deleted then. Default: none.
    pub join_token_file: Option<PathBuf>,
    /// Most bytes a second spent on what an outage left behind, so that it never delays what is
    /// live. Default `4MiB`, at least `16KiB`.
    pub backlog_bytes_per_second_max: ByteSize,
    /// Longest pause between attempts to connect. The first comes after a tenth of a second, each
    /// further one after about twice the pause before. Default `5s`; from `100ms` to `5m`.
    pub reconnect_interval_max: HumanDuration,
    /// How long the inputs wait at start for the first measurement of the clock's offset, when the
    /// central cannot be reached. Until it is measured, a wrong clock would put requests into the
    /// wrong seconds. Default `10s`; `0s` to `5m`.
    pub clock_wait_max: HumanDuration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: None,
            join_token: None,
            join_token_file: None,
            backlog_bytes_per_second_max: ByteSize::mib(4),
            reconnect_interval_max: HumanDuration::from_secs(5),
            clock_wait_max: HumanDuration::from_secs(10),
        }
    }
}

impl Config {
    /// Where a central is looked for.
    #[must_use]
    pub fn address(&self) -> &str {
        self.address.as_deref().unwrap_or(ADDRESS)
    }

    /// Refuses values outside their limits.
    pub fn validate(&self, check: &mut Check) {
        let has_port = self
            .address()
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        check.require(has_port, "address", "must be host:port, such as `central.example.com:7701`");
        check.require(
            self.join_token.is_none() || self.join_token_file.is_none(),
            "join_token_file",
            "give either `join_token` or `join_token_file`",
        );
        check.require(
            self.backlog_bytes_per_second_max.get() >= BACKLOG_BYTES_PER_SECOND_MIN,
            "backlog_bytes_per_second_max",
            "must be at least 16KiB",
        );
        let reconnect_ms = self.reconnect_interval_max.get().as_millis();
        check.require(
            (100..=300_000).contains(&reconnect_ms),
            "reconnect_interval_max",
            "must lie between 100ms and 5m",
        );
        check.require(self.clock_wait_max.get().as_secs() <= 300, "clock_wait_max", "must be at most 5m");
    }
}
