//! How records go straight to Kafka (`kafka` in `agent.yaml`).

use goldentime_kafka::{KafkaConfig, TopicNames};
use goldentime_model::config::{Check, Settings};
use goldentime_model::identity::DEFAULT_PART;
use goldentime_model::naming::check_given;
use goldentime_model::units::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Slower than this a backlog would never end.
const BACKLOG_BYTES_PER_SECOND_MIN: u64 = 16 << 10;
/// Smallest limit of one record. Ordinary ones are cut at an eighth of a mebibyte; one log line may make
/// it more.
const RECORD_BYTES_MIN: u64 = 256 << 10;
const RECORD_BYTES_MAX: u64 = 16 << 20;
/// Most that may wait for brokers: the spool keeps the rest, and needs no memory for it.
const WAITING_BYTES_MAX: u64 = 256 << 20;

/// How records go straight to Kafka.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How Kafka is reached.
    pub connection: KafkaConfig,
    /// Project of everything that this agent reads, the first part of service ids; it may hold what
    /// `environment` may. Default `default`. Not to be given beside a central: the project then
    /// comes with the central's certificate.
    pub project: Option<String>,
    /// What the names of the topics begin with: `goldentime.deltas` and `goldentime.logs`. As the centrals
    /// that read them have it. Default `goldentime`; letters, digits, `.`, `_` and `-`.
    pub topic_prefix: String,
    /// Generation of the topics, as the centrals have it. What an agent had not sent when it was set to
    /// another generation goes there as it was cut before: let agents send what they have, then change
    /// it. Default 1; 1 to 1000.
    pub generation: u32,
    /// The largest record. One that is larger, or larger than its topic takes, is dropped and counted.
    /// Default `1MiB`; `256KiB` to `16MiB`.
    pub record_bytes_max: ByteSize,
    /// Records that may be on their way to the brokers without their acknowledgement; the spool keeps the
    /// rest. What is judged may have all of it, log lines and what an outage left a quarter each. Memory is
    /// twice that. Default `4MiB`; at least twice `record_bytes_max`, at most `256MiB`.
    pub waiting_bytes_max: ByteSize,
    /// Most bytes a second spent on what an outage left behind, so that it never delays what is live.
    /// Default `4MiB`, at least `16KiB`.
    pub backlog_bytes_per_second_max: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connection: KafkaConfig::default(),
            project: None,
            topic_prefix: TopicNames::PREFIX.to_owned(),
            generation: 1,
            record_bytes_max: ByteSize::mib(1),
            waiting_bytes_max: ByteSize::mib(4),
            backlog_bytes_per_second_max: ByteSize::mib(4),
        }
    }
}

impl<'a> From<&'a Config> for TopicNames<'a> {
    fn from(config: &'a Config) -> Self {
        Self { prefix: &config.topic_prefix, generation: config.generation }
    }
}

impl Config {
    /// The project of an agent that no central gives one.
    #[must_use]
    pub fn project(&self) -> &str {
        self.project.as_deref().unwrap_or(DEFAULT_PART)
    }

    /// Refuses values outside their limits.
    pub fn validate(&self, check: &mut Check) {
        check.section("connection", |check| self.connection.validate(check));
        if let Some(Err(message)) = self.project.as_deref().map(check_given) {
            check.refuse("project", message);
        }
        TopicNames::from(self).validate(check);
        let record = self.record_bytes_max.get();
        check.require(
            (RECORD_BYTES_MIN..=RECORD_BYTES_MAX).contains(&record),
            "record_bytes_max",
            "must lie between 256KiB and 16MiB",
        );
        check.require(
            (2 * record..=WAITING_BYTES_MAX).contains(&self.waiting_bytes_max.get()),
            "waiting_bytes_max",
            "must be at least twice `record_bytes_max`, and at most 256MiB",
        );
        check.require(
            self.backlog_bytes_per_second_max.get() >= BACKLOG_BYTES_PER_SECOND_MIN,
            "backlog_bytes_per_second_max",
            "must be at least 16KiB",
        );
    }
}
