//! The StatsD input.

use std::time::Duration;

use goldentime_model::config::Check;
use goldentime_model::naming::check_given_service;
use goldentime_model::units::{ByteSize, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::origin::Origins;
use super::rules::{Rule, TagNames};
use crate::inputs::parse::config::DurationUnit;

/// StatsD and DogStatsD (`inputs.statsd` in `agent.yaml`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether the agent listens at all. Default false: another agent may hold the port.
    pub enabled: bool,
    /// Addresses to listen on by UDP, `127.0.0.1:8125` or `[::1]:8125`. Default `127.0.0.1:8125`.
    /// StatsD knows no authentication: whoever reaches an address may send.
    pub udp: Vec<String>,
    /// A Unix datagram socket to listen on. Senders wait where it is full, so that it loses nothing.
    /// Default none.
    pub unix: Option<Unix>,
    /// Room that the kernel is asked for on each UDP socket, for what comes while the agent is busy.
    /// Without the right to more (`CAP_NET_ADMIN`) it gives at most `net.core.rmem_max`; `status`
    /// shows what it gave. Default 8MiB, at most 1GiB.
    pub receive_buffer: ByteSize,
    /// Longest datagram; of a longer one the whole lines before the cut are taken, and it is counted.
    /// Default 16KiB; from 1KiB to 64KiB.
    pub packet_bytes_max: ByteSize,
    /// Service of what names none; what a service of `tail` may be called. Default: none, counted as
    /// `unknown`.
    pub service: Option<String>,
    /// Tags that name the parts of a request. Where several are there, the first of the list holds.
    pub tags: TagNames,
    /// What metrics are, by name, type and tags: the first rule that matches holds, and what matches
    /// none is a sample. Default: one rule, by which timers, histograms and distributions whose tags
    /// tell an endpoint or how it ended are requests. At most 200.
    pub rules: Vec<Rule>,
    /// Unit of timers (`ms`) that are requests, where their rule names none. Python's `datadog` sends
    /// seconds as timers unless told `use_ms`. Default `ms`.
    pub timer_unit: DurationUnit,
    /// Unit of histograms (`h`) and distributions (`d`) that are requests, where their rule names
    /// none. Default `ms`.
    pub distribution_unit: DurationUnit,
    /// What a gauge with a minus is: `value` as in DogStatsD, `delta` as in plain StatsD, or `auto`
    /// (default): a value where it has tags, else a delta. A plus is always a delta.
    pub negative_gauges: NegativeGauges,
    /// Tags that tell no samples apart, such as ids that never come back. Default none.
    pub ignored_tags: Vec<String>,
    /// Whether the container that sent a sample becomes its label `container.id`: the one that it names
    /// itself, else, on the Unix socket, the one of the process that the kernel says sent it. Default
    /// false.
    pub container_label: bool,
    /// Metrics by raw name and tags that are remembered at once. Beyond it requests are still
    /// counted, only slower, and new samples are dropped and counted. Default 20000, from 16 to 1000000.
    pub contexts_max: usize,
    /// Sample series at once; further ones are dropped and counted. Default 2000, at most 100000.
    pub series_max: usize,
    /// Services that samples may name; those of further ones are counted under `__other__`. Default
    /// 200, at least 1.
    pub services_max: usize,
    /// Tags of one sample; further ones are left out and counted. Default 30, at most 30.
    pub tags_max: usize,
    /// Bytes of all tags of one metric; a sample with more is dropped and counted. Default 1KiB, at
    /// most 8KiB.
    pub tag_bytes_max: ByteSize,
    /// Different members of one set in one second; further ones are not counted in, and counted as
    /// dropped. Default 1000, from 1 to 100000.
    pub set_members_max: usize,
    /// Bytes that the sketches of all sampled timers, histograms and distributions take together;
    /// beyond it values are dropped and counted. Default 8MiB, at least 64KiB.
    pub sketch_bytes_max: ByteSize,
    /// After this time without a value a metric is forgotten, a gauge's value with it. Default 5m, at
    /// least 10s.
    pub idle_after: HumanDuration,
    /// How old a value with a timestamp may be; older ones are dropped and counted. Default 1h, at least
    /// 10s.
    pub timestamp_age_max: HumanDuration,
}

/// A Unix datagram socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unix {
    /// Its absolute path, at most 100 bytes, in a folder that is there. A socket that nobody listens
    /// on any more is replaced; anything else in its place is an error.
    pub path: String,
    /// Its permissions in octal, in quotes; who may write may send. Default `"0722"`.
    #[serde(default = "mode")]
    pub mode: String,
    /// Its owner, a name or a number. Default the agent's user.
    #[serde(default)]
    pub owner: Option<String>,
    /// Its group, a name or a number. Default the agent's group.
    #[serde(default)]
    pub group: Option<String>,
}

fn mode() -> String {
    "0722".into()
}

/// What a gauge with a minus is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NegativeGauges {
    /// A value where it has tags, else a delta.
    #[default]
    Auto,
    /// Always a delta.
    Delta,
    /// Always a value.
    Value,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: false,
            udp: vec!["127.0.0.1:8125".into()],
            unix: None,
            receive_buffer: ByteSize::mib(8),
            packet_bytes_max: ByteSize::kib(16),
            service: None,
            tags: TagNames::default(),
            rules: vec![Rule::tagged_timings()],
            timer_unit: DurationUnit::Ms,
            distribution_unit: DurationUnit::Ms,
            negative_gauges: NegativeGauges::Auto,
            ignored_tags: Vec::new(),
            container_label: false,
            contexts_max: 20_000,
            series_max: 2000,
            services_max: 200,
            tags_max: TAGS_MAX,
            tag_bytes_max: ByteSize::kib(1),
            set_members_max: 1000,
            sketch_bytes_max: ByteSize::mib(8),
            idle_after: HumanDuration::from_secs(300),
            timestamp_age_max: HumanDuration::from_secs(3600),
        }
    }
}

/// Most tags of a sample: the wire's limit with room for a label of our own.
pub const TAGS_MAX: usize = 30;
/// Least `idle_after` and `timestamp_age_max`.
const TIME_MIN: Duration = Duration::from_secs(10);
/// Datagrams taken out of the kernel at once.
pub const BATCH_PACKETS: usize = 64;
/// What a remembered metric takes in a table that may be half empty.
const CONTEXT_BYTES: usize = 160;
/// What a sample series takes besides its labels and its sketch.
const SERIES_BYTES: usize = 1024;
/// What a member of a set takes in a table that may be half empty.
const MEMBER_BYTES: usize = 24;
/// Sets that are at their bound at once; what is held of them all together is bounded by it.
pub const FULL_SETS: usize = 100;

impl Config {
    /// Refuses what lies outside of the documented limits.
    pub fn validate(&self, check: &mut Check) {
        let mut require = |holds, key, message: &str| check.require(holds, key, message);
        require(self.receive_buffer <= ByteSize::mib(1024), "receive_buffer", "must be at most 1GiB");
        let is_packet = (ByteSize::kib(1)..=ByteSize::kib(64)).contains(&self.packet_bytes_max);
        require(is_packet, "packet_bytes_max", "must be between 1KiB and 64KiB");
        let is_table = (16..=1_000_000).contains(&self.contexts_max);
        require(is_table, "contexts_max", "must be between 16 and 1000000");
        require(self.series_max <= 100_000, "series_max", "must be at most 100000");
        require(self.services_max >= 1, "services_max", "must be at least 1");
        require(self.tags_max <= TAGS_MAX, "tags_max", "must be at most 30");
        require(self.tag_bytes_max <= ByteSize::kib(8), "tag_bytes_max", "must be at most 8KiB");
        let is_set = (1..=100_000).contains(&self.set_members_max);
        require(is_set, "set_members_max", "must be between 1 and 100000");
        require(self.sketch_bytes_max >= ByteSize::kib(64), "sketch_bytes_max", "must be at least 64KiB");
        require(self.idle_after.get() >= TIME_MIN, "idle_after", "must be at least 10s");
        require(self.timestamp_age_max.get() >= TIME_MIN, "timestamp_age_max", "must be at least 10s");
        if let Some(Err(message)) = self.service.as_deref().map(check_given_service) {
            check.refuse("service", message);
        }
        for (at, rule) in self.rules.iter().enumerate() {
            check.section(&format!("rules[{at}]"), |check| rule.validate(check));
        }
    }

    /// Members of all sets together.
    #[must_use]
    pub const fn members_max(&self) -> usize {
        self.set_members_max * FULL_SETS
    }

    /// The most memory that the input takes, in bytes, besides its shard, in which up to
    /// `samples_max` samples wait with their labels.
    #[must_use]
    pub fn memory_bytes_max(&self, samples_max: usize) -> usize {
        BATCH_PACKETS * (self.packet_bytes_max.as_usize() + 1024)
            + self.contexts_max * CONTEXT_BYTES
            + self.series_max * (SERIES_BYTES + 2 * self.tag_bytes_max.as_usize())
            + self.members_max() * MEMBER_BYTES
            + self.sketch_bytes_max.as_usize()
            + 2 * samples_max * self.tag_bytes_max.as_usize()
            + Origins::memory_bytes_max()
            + crate::inputs::route::Router::memory_bytes_max()
    }
}
