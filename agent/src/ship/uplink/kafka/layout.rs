//! How the topics are laid out: whether they are there, into how many partitions they are cut, and how
//! large a record they take.

use std::sync::Arc;

use goldentime_kafka::{Cluster, KafkaFailure, Topic};

use super::config::Config;

/// What a batch has around its one record.
const BATCH_OVERHEAD_BYTES: u64 = 4 << 10;

/// The setting of a topic that says how much it takes at a time.
const BYTES_MAX: &str = "max.message.bytes";

/// The topics that an agent writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Of what is judged.
    pub(super) deltas: Arc<str>,
    /// Of log lines.
    pub(super) logs: Arc<str>,
    /// Partitions of each.
    pub(super) partitions: u32,
    /// The largest record that both take and the configuration allows.
    pub(super) record_bytes_max: u64,
}

/// Why nothing can be sent yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayoutError {
    /// Kafka does not answer, or this user may not look.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
    /// A topic is not there.
    #[error(
        "{} missing: start a central on this Kafka, which makes the topics, or look at `kafka.topic_prefix` and \
         `kafka.generation`",
        are(.0)
    )]
    Missing(Vec<Arc<str>>),
    /// The topics are cut differently, so that a service would have two partitions.
    #[error(
        "topic {deltas} has {deltas_count} partitions and topic {logs} has {logs_count}: both need the same \
         number; add partitions to the smaller one by `kafka-topics.sh --alter --partitions`, or begin a new \
         `kafka.generation`"
    )]
    Different {
        /// The topic of what is judged.
        deltas: Arc<str>,
        /// Its partitions.
        deltas_count: u32,
        /// The topic of log lines.
        logs: Arc<str>,
        /// Its partitions.
        logs_count: u32,
    },
}

impl Layout {
    /// The topics' names, for `status`.
    pub(super) fn names(config: &Config) -> [Arc<str>; 2] {
        [Topic::Deltas, Topic::Logs].map(|topic| topic.name(config))
    }

    /// Looks. The client that asks is gone afterwards, and with it its threads and connections.
    pub(super) async fn look(config: &Config) -> Result<Self, LayoutError> {
        let cluster = Cluster::new(&config.connection)?;
        let looked = Self::of(&cluster, config).await;
        // It waits for its threads to end; nobody waits for it.
        tokio::task::spawn_blocking(move || drop(cluster));
        looked
    }

    async fn of(cluster: &Cluster, config: &Config) -> Result<Self, LayoutError> {
        let [deltas, logs] = Self::names(config);
        let found = (cluster.topic(&deltas).await?, cluster.topic(&logs).await?);
        let (Some(in_deltas), Some(in_logs)) = found else {
            let missing = [(deltas, found.0), (logs, found.1)];
            let missing = missing.into_iter().filter(|(_, found)| found.is_none());
            return Err(LayoutError::Missing(missing.map(|(name, _)| name).collect()));
        };
        let (deltas_count, logs_count) = (in_deltas.count, in_logs.count);
        if deltas_count != logs_count {
            return Err(LayoutError::Different { deltas, deltas_count, logs, logs_count });
        }
        let mut record_bytes_max = config.record_bytes_max.get();
        for topic in [&deltas, &logs] {
            if let Some(taken) = taken_bytes(cluster, topic).await? {
                record_bytes_max = record_bytes_max.min(taken.saturating_sub(BATCH_OVERHEAD_BYTES));
            }
        }
        Ok(Self { deltas, logs, partitions: deltas_count, record_bytes_max })
    }
}

/// What a topic takes at a time, where this user may know it. Who may write need not have the right to
/// read settings, and sends all the same; what is too large is then refused by the broker first.
async fn taken_bytes(cluster: &Cluster, topic: &str) -> Result<Option<u64>, KafkaFailure> {
    match cluster.settings(topic).await {
        Ok(settings) => Ok(settings.get(BYTES_MAX).and_then(|bytes| bytes.parse().ok())),
        Err(KafkaFailure::Denied { .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn are(missing: &[Arc<str>]) -> String {
    match missing {
        [one] => format!("topic {one} is"),
        many => format!("topics {} are", many.join(" and ")),
    }
}
