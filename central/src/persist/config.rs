//! What can be set about the series store.

use std::time::Duration;

use goldentime_model::config::{Check, Settings};
use goldentime_model::units::{ByteSize, HumanDuration};
use goldentime_series::Keep;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DAY_S: u64 = 24 * 60 * 60;

/// History of requests and samples, for charts that reach further back than live windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SeriesConfig {
    /// Whether history is kept. Default `true`. While it is not, what the log drops meanwhile is never
    /// in it.
    pub enabled: bool,
    /// How long rows of ten seconds are kept. Default `2d`; at least `6h`.
    pub keep_10s: HumanDuration,
    /// How long rows of a minute are kept. Default `8d`; at least `keep_10s`.
    pub keep_1m: HumanDuration,
    /// How long rows of an hour are kept. Default `31d`; at least `keep_1m`.
    pub keep_1h: HumanDuration,
    /// Disk that `series.db` may take. Above it rows of ten seconds are deleted before their time, the
    /// oldest first, then those of a minute, then whatever is oldest; counted and shown. Default `10GiB`;
    /// at least `16MiB`.
    pub bytes_max: ByteSize,
    /// Series that are told apart: a service as a whole, each of its hosts and endpoints, each metric
    /// with its labels on each host. What belongs to further ones is dropped and counted. Default
    /// `200000`; at least `100`.
    pub series_max: u64,
    /// Records are folded in memory this long before they are written in one transaction. More of it
    /// spares the disk, less of it shows history earlier. Default `5s`; `100ms` to `1m`.
    pub fold_for: HumanDuration,
}

impl Default for SeriesConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            keep_10s: HumanDuration::from_secs(2 * DAY_S),
            keep_1m: HumanDuration::from_secs(8 * DAY_S),
            keep_1h: HumanDuration::from_secs(31 * DAY_S),
            bytes_max: ByteSize::mib(10 * 1024),
            series_max: 200_000,
            fold_for: HumanDuration::from_secs(5),
        }
    }
}

impl SeriesConfig {
    /// The same as the store understands it.
    #[must_use]
    pub fn keep(&self) -> Keep {
        let seconds = |keep: HumanDuration| i64::try_from(keep.get().as_secs()).unwrap_or(i64::MAX);
        Keep {
            seconds: [self.keep_10s, self.keep_1m, self.keep_1h].map(seconds),
            bytes_max: self.bytes_max.get(),
            series_max: self.series_max,
        }
    }
}

impl Settings for SeriesConfig {
    fn validate(&self, check: &mut Check) {
        check.require(self.keep_10s.get().as_secs() >= DAY_S / 4, "keep_10s", "is less than 6h");
        check.require(self.keep_1m.get() >= self.keep_10s.get(), "keep_1m", "is less than keep_10s");
        check.require(self.keep_1h.get() >= self.keep_1m.get(), "keep_1h", "is less than keep_1m");
        check.require(self.bytes_max >= ByteSize::mib(16), "bytes_max", "is less than 16MiB");
        check.require(self.series_max >= 100, "series_max", "is less than 100");
        let fold = self.fold_for.get();
        check.require(
            (Duration::from_millis(100)..=Duration::from_secs(60)).contains(&fold),
            "fold_for",
            "is not between 100ms and 1m",
        );
    }
}
