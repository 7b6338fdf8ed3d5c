//! The suite of readers.

use std::sync::Arc;

use bytes::Bytes;
use goldentime_log::conformance::reading;
use goldentime_log::kafka::{KafkaLog, Topic};
use goldentime_log::{Entry, ReadLog};
use goldentime_testkit::servers::kafka::Kafka;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use crate::world::{World, config, shared};

struct Place {
    world: World,
    _kafka: Arc<Kafka>,
}

impl Place {
    async fn new() -> Self {
        let kafka = shared().await;
        Self { world: World::of(config(&kafka, 1)).await, _kafka: kafka }
    }
}

impl reading::Place for Place {
    type Log = KafkaLog;

    async fn open(&self) -> KafkaLog {
        self.world.log(Topic::Deltas)
    }

    async fn append(&self, _log: &KafkaLog, partition: u32, records: &[Bytes]) -> Vec<Entry> {
        let mut receipts = Vec::new();
        for record in records {
            receipts.push((record.clone(), self.world.send(partition, record.clone()).await));
        }
        let mut entries = Vec::new();
        for (record, receipt) in receipts {
            let placed = receipt.await.expect("durable");
            let offset = placed.offset.expect("told") + 1;
            entries.push(Entry { partition, offset, append_time: placed.append_time, record });
        }
        entries
    }

    async fn truncate(&self, log: &KafkaLog, partition: u32) {
        let last = log.bounds(partition).await.expect("bounds").last;
        let admin: AdminClient<DefaultClientContext> =
            goldentime_kafka::client(&self.world.config.connection).create().expect("a client");
        let mut before = TopicPartitionList::new();
        let topic = Topic::Deltas.name(&self.world.config);
        let offset = Offset::Offset(i64::try_from(last / 2).expect("small"));
        before.add_partition_offset(&topic, i32::try_from(partition).expect("small"), offset).expect("valid");
        let deleted = admin.delete_records(&before, &AdminOptions::new()).await.expect("asked");
        deleted.elements()[0].error().expect("deleted");
    }
}

macro_rules! reads {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            reading::$name(&Place::new().await).await;
        }
    )*};
}

reads!(
    what_was_appended_is_read_back,
    reading_goes_back_and_forth,
    what_comes_after_the_end_is_found,
    a_truncated_front_is_seen,
    large_records_come_in_several_reads,
);

#[tokio::test]
async fn the_end_of_a_transaction_is_a_hole_and_no_loss() {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

    let place = Place::new().await;
    let topic = Topic::Deltas.name(&place.world.config);
    let mut client = goldentime_kafka::client(&place.world.config.connection);
    client.set("transactional.id", topic.as_ref());
    let limit = std::time::Duration::from_secs(60);
    let written = tokio::task::spawn_blocking(move || {
        let producer: BaseProducer = client.create().expect("a producer");
        producer.init_transactions(limit).expect("initialised");
        for (text, is_kept) in [("given up", false), ("kept", true)] {
            producer.begin_transaction().expect("begun");
            let record = BaseRecord::<(), str>::to(&topic).partition(0).payload(text);
            producer.send(record).expect("sent");
            match is_kept {
                true => producer.commit_transaction(limit).expect("committed"),
                false => {
                    producer.flush(limit).expect("flushed");
                    producer.abort_transaction(limit).expect("given up");
                }
            }
        }
    });
    written.await.expect("written");
    let log = place.world.log(Topic::Deltas);
    let bounds = log.bounds(0).await.expect("bounds");
    assert_eq!((bounds.first, bounds.last), (1, 4));
    let read = log.read(0, 1, 10).await.expect("read");
    let texts: Vec<(u64, &[u8])> = read.iter().map(|entry| (entry.offset, &entry.record[..])).collect();
    assert_eq!(texts, [(3, &b"kept"[..])]);
    assert_eq!(log.read(0, 4, 10).await.expect("read"), []);
    place.world.append(0, "after").await;
    let read = log.read(0, 4, 10).await.expect("read");
    assert_eq!(read.first().map(|entry| (entry.offset, &entry.record[..])), Some((5, &b"after"[..])));
}
