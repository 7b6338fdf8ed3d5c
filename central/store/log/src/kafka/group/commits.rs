//! What was applied, kept by the group's coordinator, whose answer also tells that we are a member.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use goldentime_kafka::KafkaFailure;
use rdkafka::consumer::{CommitMode, Consumer, ConsumerGroupMetadata};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::tenure::Tenure;
use super::{Client, SESSION_TIMEOUT};
use crate::kafka::number;
use crate::kafka::reader::watermarks;

pub(super) struct Commits {
    /// Its member's own: whoever keeps a handle does not keep it alive. Another one when it joins anew.
    consumer: StdMutex<Weak<Client>>,
    topic: Arc<str>,
    rights: String,
    /// Last offset committed of each partition that is ours. Held while one commit is under way: a later
    /// one must not be overtaken by one before it.
    committed: Arc<Mutex<BTreeMap<u32, u64>>>,
}

impl Commits {
    pub(super) fn new(topic: Arc<str>, group: &str) -> Self {
        let rights = format!("Read on group {group}");
        Self { consumer: StdMutex::default(), topic, rights, committed: Arc::default() }
    }

    /// Commits over this client from now on.
    pub(super) fn go_over(&self, consumer: &Arc<Client>) {
        *self.client() = Arc::downgrade(consumer);
    }

    /// One pointer: a panic while holding the lock leaves it usable.
    fn client(&self) -> MutexGuard<'_, Weak<Client>> {
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn begin(&self, partition: u32, committed: u64) {
        self.committed.lock().await.insert(partition, committed);
    }

    pub(super) async fn end(&self, partition: u32) {
        self.committed.lock().await.remove(&partition);
    }

    pub(super) async fn commit(&self, offsets: &[(u32, u64)]) -> Result<(), KafkaFailure> {
        let committed = Arc::clone(&self.committed).lock_owned().await;
        if !offsets.iter().all(|(partition, _)| committed.contains_key(partition)) {
            return Err(KafkaFailure::Stale);
        }
        self.send(committed, offsets.to_vec()).await
    }

    pub(super) fn sign(
        &self,
        partition: u32,
        offset: u64,
    ) -> Option<(TopicPartitionList, ConsumerGroupMetadata)> {
        let member = self.client().upgrade()?.group_metadata()?;
        Some((list(&self.topic, &[(partition, offset)]).ok()?, member))
    }

    pub(super) async fn ask(&self, partition: u32) -> Result<u64, KafkaFailure> {
        let consumer = self.client().upgrade().ok_or(KafkaFailure::Stopped)?;
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&self.topic, number(partition));
        let told = tokio::task::spawn_blocking(move || consumer.committed_offsets(asked, SESSION_TIMEOUT));
        let told = told.await.map_err(|_| KafkaFailure::Stopped)?;
        let told =
            told.map_err(|error| KafkaFailure::of("ask for what was committed", &self.rights, &error))?;
        let place = told.elements_for_topic(&self.topic).first().map(|element| element.offset());
        match place {
            // Kafka's next one is the last one here.
            Some(Offset::Offset(next)) => Ok(u64::try_from(next).unwrap_or(0)),
            _ => Ok(0),
        }
    }

    pub(super) async fn end_of(&self, partition: u32) -> Result<u64, KafkaFailure> {
        let consumer = self.client().upgrade().ok_or(KafkaFailure::Stopped)?;
        let bounds = watermarks(&consumer, &self.topic, partition, SESSION_TIMEOUT).await;
        // Kafka's next one is the last one here.
        let (_, end) =
            bounds.map_err(|error| KafkaFailure::of("ask for the end of a topic", &self.rights, &error))?;
        Ok(end)
    }

    /// Asks the broker again and again, by committing what is committed, and notes when it last agreed.
    pub(super) async fn confirm_every(&self, every: Duration, held: &StdMutex<BTreeMap<u32, Tenure>>) {
        loop {
            tokio::time::sleep(every).await;
            let committed = Arc::clone(&self.committed).lock_owned().await;
            let Some((&partition, &offset)) = committed.first_key_value() else { continue };
            let tenures: Vec<Tenure> =
                held.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
            let asked = Instant::now();
            match self.send(committed, vec![(partition, offset)]).await {
                Ok(()) => tenures.iter().for_each(|tenure| tenure.confirm(asked)),
                Err(failure) => {
                    tracing::debug!(error = %failure, "the group did not confirm that we are in it")
                }
            }
        }
    }

    async fn send(
        &self,
        mut committed: tokio::sync::OwnedMutexGuard<BTreeMap<u32, u64>>,
        offsets: Vec<(u32, u64)>,
    ) -> Result<(), KafkaFailure> {
        let consumer = self.client().upgrade().ok_or(KafkaFailure::Stopped)?;
        let topic = Arc::clone(&self.topic);
        // The lock goes with it: whoever drops the call does not end the commit.
        let sent = tokio::task::spawn_blocking(move || {
            consumer.commit(&list(&topic, &offsets)?, CommitMode::Sync)?;
            committed.extend(offsets);
            Ok(())
        });
        let action = "commit offsets";
        let sent = tokio::time::timeout(2 * SESSION_TIMEOUT, sent).await;
        let sent = sent.map_err(|_| KafkaFailure::Unavailable {
            action: action.to_owned(),
            what: "the group's coordinator does not answer".to_owned(),
        })?;
        sent.map_err(|_| KafkaFailure::Stopped)?
            .map_err(|error| KafkaFailure::of(action, &self.rights, &error))
    }
}

fn list(topic: &str, offsets: &[(u32, u64)]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for &(partition, offset) in offsets {
        // The last one here is Kafka's next one.
        let next = Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX));
        list.add_partition_offset(topic, number(partition), next)?;
    }
    Ok(list)
}
