//! The suite of checkpoints.

use std::sync::Arc;

use bytes::Bytes;
use goldentime_kafka::Outgoing;
use goldentime_log::kafka::{KafkaCheckpoints, Topic, topics};
use goldentime_model::UnixNanos;
use goldentime_testkit::servers::kafka::Kafka;
use goldentime_windows::conformance::{self, Place as _};
use goldentime_windows::store::BoxFuture;
use goldentime_windows::{Checkpoint, CheckpointStore};

use crate::world::{World, config, shared};

struct Place {
    world: tokio::sync::OnceCell<World>,
    kafka: Arc<Kafka>,
}

impl Place {
    async fn world(&self) -> &World {
        let made = self.world.get_or_init(|| async {
            let mut config = config(&self.kafka, 1);
            config.partitions = 8;
            World::of(config).await
        });
        made.await
    }
}

impl conformance::Place<Arc<dyn CheckpointStore>> for Place {
    fn open(&self) -> BoxFuture<'_, Arc<dyn CheckpointStore>> {
        Box::pin(async {
            let world = self.world().await;
            let reader = world.log(Topic::Checkpoints);
            Arc::new(KafkaCheckpoints::new(&world.config, world.producer.clone(), reader, None)) as _
        })
    }
}

#[tokio::test]
async fn checkpoints_conform() {
    let kafka = shared().await;
    let fresh = || Place { world: tokio::sync::OnceCell::new(), kafka: Arc::clone(&kafka) };
    conformance::checkpoints::run(fresh).await;
}

/// The n-th of half a minute each.
fn checkpoint(n: u64) -> Checkpoint {
    Checkpoint {
        partition: 1,
        offset: n,
        log_time: at(n),
        generation: 1,
        table: Vec::new(),
        watermark: goldentime_model::Second(0),
    }
}

fn at(n: u64) -> UnixNanos {
    UnixNanos(i64::try_from(n).expect("small") * 30_000_000_000)
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_read_is_passed_over_in_favour_of_an_older_one() {
    let kafka = shared().await;
    let place = Place { world: tokio::sync::OnceCell::new(), kafka };
    let world = place.world().await;
    topics::ensure(&world.config).await.expect("topics");
    let store = place.open().await;
    for n in 1..=3 {
        store.save(checkpoint(n)).await.expect("saved");
    }
    // As a newer version writes it, and as nobody does.
    for (slot, payload) in [(4_u32, &b"\x02 whatever a later layout holds"[..]), (5, b"\x01cut")] {
        let record = Outgoing {
            topic: Topic::Checkpoints.name(&world.config),
            partition: 1,
            key: Bytes::copy_from_slice(&[1_u32.to_be_bytes(), slot.to_be_bytes()].concat()),
            headers: Vec::new(),
            payload: Bytes::from_static(payload),
        };
        world.producer.send(record).await.expect("given").await.expect("written");
    }
    for store in [&store, &place.open().await] {
        let newest = store.load(1, UnixNanos(i64::MAX)).await.expect("load").expect("there");
        assert_eq!(newest.offset, 3);
    }
    store.save(checkpoint(6)).await.expect("goes on");
    let next = place.open().await;
    assert_eq!(next.load(1, UnixNanos(i64::MAX)).await.expect("load").expect("there").offset, 6);
    assert_eq!(next.load(1, at(5)).await.expect("load").expect("there").offset, 3);
}

#[tokio::test]
async fn twenty_minutes_of_checkpoints_are_still_there() {
    let kafka = shared().await;
    let place = Place { world: tokio::sync::OnceCell::new(), kafka };
    topics::ensure(&place.world().await.config).await.expect("topics");
    let store = place.open().await;
    for n in 1..=100 {
        store.save(checkpoint(n)).await.expect("saved");
    }
    let again = place.open().await;
    for n in [100, 99, 80, 60] {
        let found = again.load(1, at(n)).await.expect("load").expect("there");
        assert_eq!(found.offset, n);
    }
}
