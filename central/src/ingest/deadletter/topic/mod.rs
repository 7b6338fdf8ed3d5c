//! Dead letters of a cluster on their way: every central gives its own to a topic ([`sender`]), and whoever owns the
//! topic writes them to the database that all look at ([`reader`]).

mod reader;
mod sender;
#[cfg(test)]
pub(super) mod testing;

use std::sync::Arc;

use goldentime_kafka::{KafkaFailure, ProducerHandle};
use goldentime_log::kafka::{DeadLetterTopic, Group, KafkaLogConfig, Tenure, Topic};
use goldentime_postgres::PostgresConfig;
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use tokio::sync::{mpsc, watch};

use super::config::DeadLettersConfig;
use super::post::{DeadLetters, Posted};
use super::postgres::PostgresLetters;
use super::turn::Turn;
use crate::ingest::raw::fold::Fold;
use reader::Reader;
use sender::Sender;

/// Letters of a cluster that are neither sent nor read yet.
pub struct SharedLetters {
    waiting: mpsc::Receiver<Posted>,
    store: PostgresLetters,
    owner: watch::Sender<Option<Tenure>>,
    config: DeadLettersConfig,
    clock: SharedClock,
}

impl SharedLetters {
    /// Letters in this database; those of the raw topic are replayed as `raw` reads them.
    #[must_use]
    pub fn new(
        kafka: &KafkaLogConfig,
        postgres: &PostgresConfig,
        config: &DeadLettersConfig,
        raw: Option<Fold>,
        clock: SharedClock,
    ) -> (DeadLetters, Self) {
        let store = PostgresLetters::new(postgres.clone());
        let (owner, turn) = watch::channel(None);
        let place = Topic::DeadLetter.name(kafka);
        let (letters, waiting) = DeadLetters::before(&place, Arc::new(store.clone()), Turn::Owner(turn), raw);
        (letters, Self { waiting, store, owner, config: config.clone(), clock })
    }

    /// Sends what is refused here. Where this central `owns` a part, gives the member that will read the topic.
    ///
    /// # Errors
    /// For a configuration of Kafka that cannot be used.
    pub fn start(
        self,
        tasks: &Tasks,
        kafka: &KafkaLogConfig,
        producer: &ProducerHandle,
        reads_as: Option<&str>,
    ) -> Result<Option<Group>, KafkaFailure> {
        let topic = DeadLetterTopic::new(kafka, producer.clone());
        tasks.spawn(TaskKind::Station, "dead-letters", Sender::new(topic, self.waiting).run());
        let Some(member) = reads_as else { return Ok(None) };
        // Apart from the group that merges: a database that is away must not hold it up.
        let kafka = KafkaLogConfig { group: format!("{}-letters", kafka.group), ..kafka.clone() };
        let (group, handle, events) = Group::with_headers(&kafka, Topic::DeadLetter, member)?;
        let reader = Reader {
            store: self.store,
            handle,
            owner: self.owner,
            config: self.config,
            clock: self.clock,
            stopping: tasks.stopping(),
        };
        tasks.spawn(TaskKind::Station, "letters", reader.run(events, tasks.clone()));
        Ok(Some(group))
    }
}
