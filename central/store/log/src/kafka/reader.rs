//! Reads partitions from any offset on, for those who keep their own position.
//!
//! One client reads all partitions, each from a queue of its own that is bounded; a reader that goes on
//! where it was costs nothing, one that jumps has the partition assigned anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use goldentime_kafka::{Context, KafkaFailure, Topic, Trouble, brokers, client};
use goldentime_runtime::{TaskKind, Tasks};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use rdkafka::consumer::{Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::config::KafkaLogConfig;
use super::{entry, number, place, unavailable};
use crate::store::{Bounds, BoxFuture, Entry, LogError, ReadLog};

/// Bytes after which a read ends, whatever it was asked for.
const READ_BYTES_MAX: usize = 8 << 20;
/// The queue is looked at again this often, should its word of something new be missed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What does not come for this long after the end was seen is a hole.
const HOLE_AFTER: Duration = Duration::from_secs(1);

type Queue = StreamPartitionQueue<Context>;

/// A topic as a log.
pub struct KafkaLog {
    consumer: Arc<StreamConsumer<Context>>,
    topic: Arc<str>,
    timeout: Duration,
    trouble: Trouble,
    partitions: StdMutex<HashMap<u32, Arc<Mutex<Option<Place>>>>>,
}

/// Where a partition is read.
struct Place {
    queue: Queue,
    /// The entry that comes next.
    next: u64,
    /// The last offset of the partition when its end was seen from `next`.
    end: Option<u64>,
}

impl KafkaLog {
    /// A log that reads `topic`. Says what ails it in a task of `tasks`.
    pub fn open(config: &KafkaLogConfig, topic: Topic, tasks: &Tasks) -> Result<Self, LogError> {
        let trouble = Trouble::default();
        let ahead_kib = (config.ahead_bytes_max.get() / 1024).max(1).to_string();
        let mut client = client(&config.connection);
        client
            // Its name is asked for and not used: positions are the readers' own.
            .set("group.id", format!("{}-reader", config.group))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("queued.max.messages.kbytes", &ahead_kib)
            .set("fetch.queue.backoff.ms", "20")
            .set("allow.auto.create.topics", "false");
        let context = Context::new("reader", trouble.clone());
        let consumer = StreamConsumer::from_config_and_context(&client, context)
            .map_err(|error| unavailable("open it", KafkaFailure::of("make a reader", "", &error)))?;
        let consumer = Arc::new(consumer);
        let (events, said) = (Arc::clone(&consumer), trouble.clone());
        tasks.spawn(TaskKind::Upkeep, "kafka-reader", async move {
            loop {
                // No record comes here: each partition has a queue of its own before it is assigned.
                if let Ok(Err(error)) = timeout(brokers::LOOK_EVERY, events.recv()).await {
                    tracing::debug!(%error, trouble = said.now(), "reading from Kafka");
                }
                brokers::remember(events.client());
            }
        });
        Ok(Self {
            consumer,
            topic: topic.name(config),
            timeout: config.connection.request_timeout.get(),
            trouble,
            partitions: StdMutex::default(),
        })
    }

    fn failure(&self, action: &'static str, error: &KafkaError) -> LogError {
        let rights = format!("Read and Describe on topic {}", self.topic);
        let what = format!("{action} topic {}", self.topic);
        unavailable(action, KafkaFailure::of(&what, &rights, error).with_trouble(self.trouble.now()))
    }

    fn place_of(&self, partition: u32) -> Arc<Mutex<Option<Place>>> {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(partitions.entry(partition).or_default())
    }

    /// Begins to read a partition at `from`.
    fn begin(&self, partition: u32, from: u64) -> Result<Place, LogError> {
        let failed = |error: KafkaError| self.failure("read", &error);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, number(partition), Offset::Offset(place(from)))
            .map_err(failed)?;
        let queue = self.consumer.split_partition_queue(&self.topic, number(partition));
        let queue = queue.ok_or_else(|| failed(KafkaError::Canceled))?;
        self.consumer.incremental_assign(&list).map_err(failed)?;
        Ok(Place { queue, next: from, end: None })
    }

    fn end(&self, partition: u32) -> Result<(), LogError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, number(partition));
        self.consumer.incremental_unassign(&list).map_err(|error| self.failure("read", &error))
    }

    async fn read_from(&self, partition: u32, from: u64, max: u32) -> Result<Vec<Entry>, LogError> {
        let from = from.max(1);
        let last = self.bounds_of(partition).await?.last;
        if last < from {
            return Ok(Vec::new());
        }
        let shared = self.place_of(partition);
        let mut held = shared.lock().await;
        if held.as_ref().is_some_and(|place| place.next != from)
            && let Some(old) = held.take()
        {
            drop(old);
            self.end(partition)?;
        }
        if held.is_none() {
            *held = Some(self.begin(partition, from)?);
        }
        let Some(place) = held.as_mut() else { return Ok(Vec::new()) };
        self.take(place, last, max as usize).await
    }

    /// What the queue has; waits for the first entry, or until it is sure that there is none: the
    /// partition's last offsets may be a hole.
    async fn take(&self, place: &mut Place, last: u64, max: usize) -> Result<Vec<Entry>, LogError> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let mut is_end = place.end.is_some_and(|end| end >= last);
        let mut until = Instant::now() + if is_end { Duration::ZERO } else { 2 * self.timeout };
        while entries.len() < max && bytes < READ_BYTES_MAX {
            let wait = match entries.is_empty() {
                true => LOOK_EVERY.min(until.saturating_duration_since(Instant::now())),
                false => Duration::ZERO,
            };
            match timeout(wait, place.queue.recv()).await {
                Ok(Ok(message)) => match entry(&message) {
                    // Of an assignment before this one.
                    Some(entry) if entry.offset < place.next => {}
                    Some(entry) => {
                        (place.next, place.end, is_end) = (entry.offset + 1, None, false);
                        bytes += entry.record.len();
                        entries.push(entry);
                    }
                    None => {}
                },
                // What was appended since that end was seen is on its way.
                Ok(Err(KafkaError::PartitionEOF(_))) if place.next <= last => {
                    (is_end, until) = (true, until.min(Instant::now() + HOLE_AFTER));
                }
                Ok(Err(KafkaError::PartitionEOF(_))) => break,
                Ok(Err(error)) => return Err(self.failure("read", &error)),
                Err(_) if !entries.is_empty() => break,
                Err(_) if Instant::now() < until => {}
                Err(_) if is_end => {
                    place.end = Some(last);
                    break;
                }
                Err(_) => return Err(self.failure("read", &KafkaError::NoMessageReceived)),
            }
        }
        if !entries.is_empty() {
            self.trouble.clear();
        }
        Ok(entries)
    }

    async fn bounds_of(&self, partition: u32) -> Result<Bounds, LogError> {
        let asked = watermarks(&self.consumer, &self.topic, partition, self.timeout).await;
        let (first, next) = asked.map_err(|error| self.failure("ask for the bounds of", &error))?;
        Ok(Bounds { first: first + 1, last: next })
    }
}

impl ReadLog for KafkaLog {
    fn read(&self, partition: u32, from: u64, max: u32) -> BoxFuture<'_, Result<Vec<Entry>, LogError>> {
        Box::pin(self.read_from(partition, from, max))
    }

    fn bounds(&self, partition: u32) -> BoxFuture<'_, Result<Bounds, LogError>> {
        Box::pin(self.bounds_of(partition))
    }
}

/// Kafka's first and next offset of a partition. Asks again while its leader is being found.
pub(super) async fn watermarks<C: ConsumerContext + 'static>(
    consumer: &Arc<StreamConsumer<C>>,
    topic: &Arc<str>,
    partition: u32,
    limit: Duration,
) -> Result<(u64, u64), KafkaError> {
    let until = Instant::now() + limit;
    loop {
        let (consumer, topic) = (Arc::clone(consumer), Arc::clone(topic));
        let ask = move || consumer.fetch_watermarks(&topic, number(partition), limit);
        let asked = tokio::task::spawn_blocking(ask).await.unwrap_or(Err(KafkaError::Canceled));
        match asked {
            Ok((first, next)) => {
                let count = |offset: i64| u64::try_from(offset).unwrap_or(0);
                return Ok((count(first), count(next)));
            }
            Err(error) if is_passing(&error) && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::FencedLeaderEpoch
                | RDKafkaErrorCode::UnknownLeaderEpoch
                | RDKafkaErrorCode::OffsetNotAvailable
        )
    )
}
