//! What can be set about the log on Kafka.

use goldentime_kafka::topic::{NOT_A_NAME, is_name};
use goldentime_kafka::{KafkaConfig, ProducerLimits, TopicNames};
use goldentime_model::config::{Check, Settings};
use goldentime_model::units::{ByteSize, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The ingest log on Kafka.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct KafkaLogConfig {
    /// How Kafka is reached.
    pub connection: KafkaConfig,
    /// What the names of all topics begin with: `goldentime.deltas`. Default `goldentime`; letters,
    /// digits, `.`, `_` and `-`.
    pub topic_prefix: String,
    /// Generation of the topics. Partitions of a generation are never changed: to have more, set a higher
    /// generation, and let the topics of the old one drain. Default 1; 1 to 1000.
    pub generation: u32,
    /// Partitions of `deltas`, `logs` and `checkpoints`. At most as many centrals share the
    /// work. Default 16; 1 to 1024.
    pub partitions: u32,
    /// Brokers that hold each record. With 3 or more, a record is acknowledged once two have it, so any
    /// one may be lost. Default 3; 1 to 7.
    pub replication: u16,
    /// Make topics that are missing. Switched off, a missing topic keeps the central from starting, and
    /// says what to make. Default `true`.
    pub create_topics: bool,
    /// Records are kept for at least this long. Must reach back further than the longest outage that is to
    /// be survived. Default `24h`; at least `30m`, since live windows are rebuilt from it.
    pub retention: HumanDuration,
    /// The largest record. Topics that take less are refused. Default `1MiB`; `64KiB` to `16MiB`.
    pub record_bytes_max: ByteSize,
    /// Records that may wait for their acknowledgement, all together; beyond it nothing more is taken
    /// from agents. Default `64MiB`; at least twice `record_bytes_max`.
    pub waiting_bytes_max: ByteSize,
    /// Records of one partition that are read ahead. Default `4MiB`; at least `record_bytes_max`.
    pub ahead_bytes_max: ByteSize,
    /// The group in which centrals share partitions. Default `goldentime-central`.
    pub group: String,
    /// This central's name in the group, which no other may have. A central that is back within six
    /// seconds under its name keeps its partitions. Default: the host's name.
    pub member: Option<String>,
}

impl Default for KafkaLogConfig {
    fn default() -> Self {
        Self {
            connection: KafkaConfig::default(),
            topic_prefix: TopicNames::PREFIX.to_owned(),
            generation: 1,
            partitions: 16,
            replication: 3,
            create_topics: true,
            retention: HumanDuration::from_secs(24 * 60 * 60),
            record_bytes_max: ByteSize::mib(1),
            waiting_bytes_max: ByteSize::mib(64),
            ahead_bytes_max: ByteSize::mib(4),
            group: "goldentime-central".to_owned(),
            member: None,
        }
    }
}

impl KafkaLogConfig {
    /// How much a producer may hold.
    #[must_use]
    pub fn producer_limits(&self) -> ProducerLimits {
        ProducerLimits {
            bytes_max: self.waiting_bytes_max.as_usize(),
            record_bytes_max: self.record_bytes_max.as_usize(),
            ..ProducerLimits::default()
        }
    }
}

impl<'a> From<&'a KafkaLogConfig> for TopicNames<'a> {
    fn from(config: &'a KafkaLogConfig) -> Self {
        Self { prefix: &config.topic_prefix, generation: config.generation }
    }
}

impl Settings for KafkaLogConfig {
    fn validate(&self, check: &mut Check) {
        check.section("connection", |check| self.connection.validate(check));
        TopicNames::from(self).validate(check);
        for (setting, name) in [("group", Some(&self.group)), ("member", self.member.as_ref())] {
            check.require(name.is_none_or(|name| is_name(name)), setting, NOT_A_NAME);
        }
        check.require((1..=1024).contains(&self.partitions), "partitions", "is not between 1 and 1024");
        check.require((1..=7).contains(&self.replication), "replication", "is not between 1 and 7");
        check.require(self.retention.get().as_secs() >= 1800, "retention", "is less than 30m");
        let record = self.record_bytes_max.get();
        check.require(
            (64 << 10..=16 << 20).contains(&record),
            "record_bytes_max",
            "is not between 64KiB and 16MiB",
        );
        check.require(
            self.waiting_bytes_max.get() >= 2 * record,
            "waiting_bytes_max",
            "is less than twice record_bytes_max",
        );
        check.require(
            self.ahead_bytes_max.get() >= record,
            "ahead_bytes_max",
            "is less than record_bytes_max",
        );
    }
}
