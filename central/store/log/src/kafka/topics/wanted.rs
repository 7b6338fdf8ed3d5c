//! How each topic must be.

use std::collections::HashMap;

use goldentime_kafka::{Partitions, Topic};

use super::super::config::KafkaLogConfig;

/// What a batch has around its records.
const BATCH_OVERHEAD_BYTES: u64 = 4 * 1024;
/// A checkpoint holds a table of all streams of its partition.
const CHECKPOINT_BYTES_MAX: u64 = 8 << 20;
/// Dead letters are kept for somebody to look at.
const LETTERS_KEPT_MS: u128 = 7 * 24 * 60 * 60 * 1000;
/// What centrals tell each other is of the moment.
const WORDS_KEPT_MS: u128 = 60 * 60 * 1000;

/// How a value must be.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// Just this.
    Is,
    /// This or more, or -1 for no limit.
    AtLeast,
}

/// A setting of a topic.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) value: String,
    rule: Rule,
    /// What would happen otherwise.
    why: &'static str,
}

/// A topic as it must be.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) partitions: u32,
    /// Whether records are put into partitions by their service, which a different number would change.
    is_partitioned: bool,
    pub(super) replication: u16,
    pub(super) settings: Vec<Setting>,
}

impl KafkaLogConfig {
    /// The largest record that a topic must take.
    #[must_use]
    pub fn record_bytes_max_of(&self, topic: Topic) -> u64 {
        match topic {
            Topic::Checkpoints => CHECKPOINT_BYTES_MAX,
            _ => self.record_bytes_max.get(),
        }
    }
}

impl Wanted {
    /// What `topic` must be like.
    pub(super) fn of(topic: Topic, config: &KafkaLogConfig) -> Self {
        let is_partitioned = !matches!(topic, Topic::Raw | Topic::DeadLetter | Topic::Members);
        let mut settings = vec![
            Setting {
                name: "message.timestamp.type",
                value: "LogAppendTime".to_owned(),
                rule: Rule::Is,
                why: "what is late is judged by when the log took it, not by a sender's clock",
            },
            Setting {
                name: "max.message.bytes",
                value: (config.record_bytes_max_of(topic) + BATCH_OVERHEAD_BYTES).to_string(),
                rule: Rule::AtLeast,
                why: "larger records would be refused for ever",
            },
            Setting {
                name: "cleanup.policy",
                value: if topic == Topic::Checkpoints { "compact" } else { "delete" }.to_owned(),
                rule: Rule::Is,
                why: match topic {
                    Topic::Checkpoints => "the newest checkpoint must stay",
                    _ => "compaction would drop records that were not read",
                },
            },
        ];
        if topic != Topic::Checkpoints {
            let kept = match topic {
                Topic::DeadLetter => LETTERS_KEPT_MS,
                Topic::Members => WORDS_KEPT_MS,
                _ => config.retention.get().as_millis(),
            };
            settings.push(Setting {
                name: "retention.ms",
                value: kept.to_string(),
                rule: Rule::AtLeast,
                why: "records would be dropped before a central that was away has read them",
            });
        }
        if config.replication >= 3 {
            settings.push(Setting {
                name: "min.insync.replicas",
                value: "2".to_owned(),
                rule: Rule::AtLeast,
                why: "records that only one broker has would be acknowledged, and lost with it",
            });
        }
        Self {
            name: topic.name(config).to_string(),
            partitions: if matches!(topic, Topic::DeadLetter | Topic::Members) {
                1
            } else {
                config.partitions
            },
            is_partitioned,
            replication: config.replication,
            settings,
        }
    }

    /// What to do about a topic that is not there.
    pub(super) fn missing(&self, config: &KafkaLogConfig) -> String {
        let settings: Vec<String> = self
            .settings
            .iter()
            .map(|setting| format!("--config {}={}", setting.name, setting.value))
            .collect();
        format!(
            "topic {} is missing; make it by `kafka-topics.sh --bootstrap-server {} --create --topic {} \
             --partitions {} --replication-factor {} {}`",
            self.name,
            config.connection.brokers.join(","),
            self.name,
            self.partitions,
            self.replication,
            settings.join(" ")
        )
    }

    pub(super) fn compare_partitions(
        &self,
        config: &KafkaLogConfig,
        found: Partitions,
        wrong: &mut Vec<String>,
    ) {
        let name = &self.name;
        if self.is_partitioned && found.count != self.partitions {
            wrong.push(format!(
                "topic {name} has {} partitions, and `partitions` says {}: a service would change its \
                 partition; set `partitions: {}`, or begin a new `generation`",
                found.count, self.partitions, found.count
            ));
        }
        if found.replicas < u32::from(config.replication) {
            wrong.push(format!(
                "topic {name} has {} replicas, and `replication` says {}: records would be lost with a \
                 broker; reassign its partitions by `kafka-reassign-partitions.sh`, or lower `replication`",
                found.replicas, config.replication
            ));
        }
    }

    pub(super) fn compare_settings(
        &self,
        config: &KafkaLogConfig,
        found: &HashMap<String, String>,
        wrong: &mut Vec<String>,
    ) {
        for setting in &self.settings {
            let Some(found) = found.get(setting.name) else { continue };
            if setting.holds(found) {
                continue;
            }
            let (topic, brokers) = (&self.name, config.connection.brokers.join(","));
            let (name, value) = (setting.name, &setting.value);
            let bound = if matches!(setting.rule, Rule::AtLeast) { "at least " } else { "" };
            wrong.push(format!(
                "topic {topic} has {name}={found}, wanted is {bound}{value}, since {}; change it by \
                 `kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name \
                 {topic} --add-config {name}={value}`",
                setting.why
            ));
        }
    }
}

impl Setting {
    fn holds(&self, found: &str) -> bool {
        match self.rule {
            Rule::Is => found == self.value,
            Rule::AtLeast => match (found.parse::<i128>(), self.value.parse::<i128>()) {
                (Ok(found), Ok(wanted)) => found == -1 || found >= wanted,
                _ => false,
            },
        }
    }
}
