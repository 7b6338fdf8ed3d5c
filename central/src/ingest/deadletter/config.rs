//! What can be set about dead letters.

use std::time::Duration;

use goldentime_model::config::{Check, Settings};
use goldentime_model::units::{ByteSize, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Records that were refused and log lines that no store took, kept with the reason:
/// `goldentime-central deadletter` lists, shows and replays them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DeadLettersConfig {
    /// How long they are kept, replayed ones too. Default `7d`; `1h` to `365d`.
    pub retention: HumanDuration,
    /// What all together may take in `dead-letters.db`, or in the database of a cluster. Above it the oldest go before their time, counted. Default
    /// `64MiB`; `16MiB` to `16GiB`.
    pub bytes_max: ByteSize,
}

impl Default for DeadLettersConfig {
    fn default() -> Self {
        Self { retention: HumanDuration::from_secs(7 * DAY.as_secs()), bytes_max: ByteSize::mib(64) }
    }
}

impl Settings for DeadLettersConfig {
    fn validate(&self, check: &mut Check) {
        check.require(
            (DAY / 24..=DAY * 365).contains(&self.retention.get()),
            "retention",
            "is not between 1h and 365d",
        );
        check.require(
            (ByteSize::mib(16)..=ByteSize::mib(16 * 1024)).contains(&self.bytes_max),
            "bytes_max",
            "is not between 16MiB and 16GiB",
        );
    }
}
