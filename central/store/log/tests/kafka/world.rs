//! A Kafka that tests share as long as one of them needs it, and what they do with it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use goldentime_kafka::{Outgoing, Placed, Producer, ProducerHandle, Receipt};
use goldentime_log::kafka::{KafkaLog, KafkaLogConfig, Topic, topics};
use goldentime_log::{Entry, ReadLog};
use goldentime_runtime::{TaskKind, Tasks};
use goldentime_testkit::servers::kafka::{Kafka, Shape};
use tokio::sync::Mutex;

/// The longest that anything may take: a guard against hanging.
pub(crate) const HANG_MAX: Duration = Duration::from_secs(120);

static SHARED: Mutex<Weak<Kafka>> = Mutex::const_new(Weak::new());
static PREFIXES: AtomicU32 = AtomicU32::new(1);

/// One broker without anything special. It ends with the last test that has it.
pub(crate) async fn shared() -> Arc<Kafka> {
    let mut shared = SHARED.lock().await;
    if let Some(running) = shared.upgrade() {
        return running;
    }
    let kafka = Arc::new(Kafka::start(Shape::brokers(1)).await.expect("Kafka starts"));
    *shared = Arc::downgrade(&kafka);
    kafka
}

/// Topics of its own for each test.
pub(crate) fn config(kafka: &Kafka, replication: u16) -> KafkaLogConfig {
    let number = PREFIXES.fetch_add(1, Ordering::Relaxed);
    let mut config = KafkaLogConfig {
        topic_prefix: format!("test-{number}"),
        group: format!("group-{number}"),
        partitions: 2,
        replication,
        ..KafkaLogConfig::default()
    };
    config.connection.brokers = kafka.addresses();
    config
}

/// Topics, a producer and its tasks.
pub(crate) struct World {
    pub(crate) config: KafkaLogConfig,
    pub(crate) producer: ProducerHandle,
    pub(crate) tasks: Tasks,
}

impl World {
    pub(crate) async fn of(config: KafkaLogConfig) -> Self {
        topics::ensure(&config).await.expect("topics");
        let tasks = Tasks::new();
        let (producer, handle) = Producer::new(&config.connection, config.producer_limits());
        tasks.spawn(TaskKind::Station, "producer", producer.run());
        Self { config, producer: handle, tasks }
    }

    pub(crate) fn outgoing(&self, partition: u32, payload: impl Into<Bytes>) -> Outgoing {
        Outgoing {
            topic: Topic::Deltas.name(&self.config),
            partition,
            key: Bytes::new(),
            headers: Vec::new(),
            payload: payload.into(),
        }
    }

    pub(crate) async fn send(&self, partition: u32, payload: impl Into<Bytes>) -> Receipt {
        self.producer.send(self.outgoing(partition, payload)).await.expect("given in")
    }

    pub(crate) async fn append(&self, partition: u32, payload: impl Into<Bytes>) -> Placed {
        let receipt = self.send(partition, payload).await;
        tokio::time::timeout(HANG_MAX, receipt).await.expect("in time").expect("durable")
    }

    pub(crate) fn log(&self, topic: Topic) -> KafkaLog {
        KafkaLog::open(&self.config, topic, &self.tasks).expect("opens")
    }

    /// What a partition holds, once it has all of it.
    pub(crate) async fn all(&self, partition: u32) -> Vec<Entry> {
        let log = self.log(Topic::Deltas);
        let (mut entries, mut next) = (Vec::new(), 1);
        loop {
            let read = log.read(partition, next, 1000).await.expect("read");
            let Some(last) = read.last() else { return entries };
            next = last.offset + 1;
            entries.extend(read);
        }
    }
}

/// A record with a number.
pub(crate) fn numbered(number: u64) -> Bytes {
    Bytes::from(format!("{number}"))
}

/// Numbers in the order in which each came for the first time, and how many came again.
pub(crate) fn first_numbers(entries: &[Entry]) -> (Vec<u64>, usize) {
    let (mut first, mut repeats) = (Vec::new(), 0);
    for entry in entries {
        let number: u64 = std::str::from_utf8(&entry.record).expect("text").parse().expect("a number");
        if first.contains(&number) {
            repeats += 1;
        } else {
            first.push(number);
        }
    }
    (first, repeats)
}
