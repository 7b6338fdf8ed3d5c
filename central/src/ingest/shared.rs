//! Kafka as the log of a central: what it writes and reads there, and its membership in the group that shares
//! the partitions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goldentime_kafka::{Producer, ProducerHandle, Trouble};
use goldentime_log::kafka::{
    Group, GroupEvent, KafkaCheckpoints, KafkaLog, KafkaLogConfig, Topic, TopicsError, topics,
};
use goldentime_log::{LogError, ReadLog};
use goldentime_runtime::{TaskKind, Tasks};
use goldentime_windows::CheckpointStore;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::start::IngestError;

/// Pause between attempts to reach Kafka at the start.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The log that several centrals share, opened and not taken part in yet.
pub struct SharedLog {
    config: KafkaLogConfig,
    producer: ProducerHandle,
    members: KafkaLog,
    /// What it takes to own partitions, where this central does.
    part: Option<Part>,
    health: SharedLogHealth,
}

/// A part in the group that shares the partitions, not taken yet.
struct Part {
    followed: FollowedLogs,
    group: Group,
    events: mpsc::Receiver<GroupEvent>,
}

/// What a central reads of the partitions that it owns. Cheap to clone.
#[derive(Clone)]
pub struct FollowedLogs {
    /// What is merged and judged.
    pub judged: Arc<dyn ReadLog>,
    /// The same, for whoever merges once more what live windows have lost.
    pub again: Arc<dyn ReadLog>,
    /// Log lines.
    pub lines: Arc<dyn ReadLog>,
    /// From where merges go on.
    pub checkpoints: Arc<dyn CheckpointStore>,
}

/// What a central hears that has joined.
pub struct Heard {
    /// What the group tells of partitions, where this central takes part.
    pub events: Option<mpsc::Receiver<GroupEvent>>,
    /// What other members say.
    pub members: KafkaLog,
}

/// What keeps the shared log from being used. Cheap to clone.
#[derive(Clone)]
pub struct SharedLogHealth {
    /// What ails the producer.
    trouble: Trouble,
    /// Why this central takes no part yet; none once it does.
    waiting: Arc<Mutex<Option<String>>>,
}

/// Memory that records to and from Kafka may take, in bytes.
#[must_use]
pub fn memory_bound_bytes(config: &KafkaLogConfig, owns_partitions: bool) -> u64 {
    /// The group's, that of what is merged once more, that of history and that of log lines.
    const READERS: u64 = 4;
    /// The topic of dead letters, and a batch of it.
    const LETTERS: u64 = 2;
    let partitions = if owns_partitions { READERS * u64::from(config.partitions) + LETTERS } else { 0 };
    let ahead = config.ahead_bytes_max.get().saturating_mul(partitions);
    config.waiting_bytes_max.get().saturating_mul(2).saturating_add(ahead)
}

impl SharedLog {
    /// Opens clients, those of the group only for a central that is to own partitions; nothing is asked of Kafka
    /// yet. Fails for a configuration that cannot be used.
    pub fn open(
        config: &KafkaLogConfig,
        member: &str,
        owns_partitions: bool,
        tasks: &Tasks,
    ) -> Result<Self, IngestError> {
        let (producer, handle) = Producer::new(&config.connection, config.producer_limits());
        tasks.spawn(TaskKind::Station, "kafka-producer", producer.run());
        let part = owns_partitions.then(|| Part::open(config, member, &handle, tasks)).transpose()?;
        let waiting = Arc::new(Mutex::new(Some("it was not asked yet".to_owned())));
        Ok(Self {
            members: KafkaLog::open(config, Topic::Members, tasks)?,
            part,
            config: config.clone(),
            health: SharedLogHealth { trouble: handle.trouble(), waiting },
            producer: handle,
        })
    }

    /// What is set about it.
    #[must_use]
    pub const fn config(&self) -> &KafkaLogConfig {
        &self.config
    }

    /// Topic generation.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.config.generation
    }

    /// What is read of owned partitions, where this central is to own any.
    #[must_use]
    pub fn followed(&self) -> Option<&FollowedLogs> {
        self.part.as_ref().map(|part| &part.followed)
    }

    /// Where records go.
    #[must_use]
    pub const fn producer(&self) -> &ProducerHandle {
        &self.producer
    }

    /// How it does.
    #[must_use]
    pub fn health(&self) -> SharedLogHealth {
        self.health.clone()
    }

    /// Sees to the topics, and takes part in the group once they are there, where this central is to, and in `others`,
    /// each in a task of its name. Topics that are wrong stop the program; a Kafka that is away is waited for.
    pub fn join(self, tasks: &Tasks, others: Vec<(&'static str, Group)>) -> Heard {
        let Self { config, part, health, members, .. } = self;
        let (stopping, usable) = (tasks.stopping(), CancellationToken::new());
        let (group, events) = part.map(|part| (part.group, part.events)).unzip();
        for (name, other) in others {
            let (stopping, usable) = (stopping.clone(), usable.clone());
            tasks.spawn(TaskKind::Source, name, async move {
                tokio::select! {
                    () = usable.cancelled() => take_part(other, stopping).await,
                    () = stopping.cancelled() => {}
                }
            });
        }
        tasks.spawn(TaskKind::Source, "kafka-group", async move {
            tokio::select! {
                is_usable = until_usable(&config, &health) => if !is_usable {
                    return;
                },
                () = stopping.cancelled() => return,
            }
            usable.cancel();
            match group {
                Some(group) => take_part(group, stopping).await,
                None => stopping.cancelled().await,
            }
        });
        Heard { events, members }
    }
}

impl Part {
    fn open(
        config: &KafkaLogConfig,
        member: &str,
        producer: &ProducerHandle,
        tasks: &Tasks,
    ) -> Result<Self, IngestError> {
        let joined = Group::new(config, Topic::Deltas, member);
        let (group, commits, events) = joined.map_err(|failure| LogError::Unavailable {
            action: "make a member of its group",
            source: Box::new(failure),
        })?;
        let ring = KafkaLog::open(config, Topic::Checkpoints, tasks)?;
        let followed = FollowedLogs {
            judged: Arc::new(KafkaLog::open(config, Topic::Deltas, tasks)?),
            again: Arc::new(KafkaLog::open(config, Topic::Deltas, tasks)?),
            lines: Arc::new(KafkaLog::open(config, Topic::Logs, tasks)?),
            checkpoints: Arc::new(KafkaCheckpoints::new(config, producer.clone(), ring, Some(commits))),
        };
        Ok(Self { followed, group, events })
    }
}

async fn take_part(group: Group, stopping: CancellationToken) {
    if let Err(failure) = group.run(stopping).await {
        tracing::error!(error = %failure, "this central takes no part in its group any more");
    }
}

/// Sees to the topics; gives whether they can be used.
async fn until_usable(config: &KafkaLogConfig, health: &SharedLogHealth) -> bool {
    let mut told = false;
    loop {
        match topics::ensure(config).await {
            Ok(()) => {
                health.set(None);
                return true;
            }
            Err(TopicsError::Kafka(failure)) if failure.is_passing() => {
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(error = %failure, "Kafka cannot be reached; trying until it can");
                }
                health.set(Some(failure.to_string()));
            }
            Err(error) => {
                tracing::error!(%error, "cluster.kafka cannot be used");
                return false;
            }
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

impl SharedLogHealth {
    /// What keeps it from being used now.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        waiting.or_else(|| self.trouble.now())
    }

    fn set(&self, waiting: Option<String>) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }
}
