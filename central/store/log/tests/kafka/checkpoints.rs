//! The suite of checkpoints.

use std::sync::Arc;

use goldentime_log::kafka::{KafkaCheckpoints, Topic, topics};
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

#[tokio::test]
async fn twenty_minutes_of_checkpoints_are_still_there() {
    let kafka = shared().await;
    let place = Place { world: tokio::sync::OnceCell::new(), kafka };
    topics::ensure(&place.world().await.config).await.expect("topics");
    let store = place.open().await;
    let at = |n: u64| goldentime_model::UnixNanos(i64::try_from(n).expect("small") * 30_000_000_000);
    for n in 1..=100 {
        let checkpoint = Checkpoint {
            partition: 1,
            offset: n,
            log_time: at(n),
            generation: 1,
            table: Vec::new(),
            watermark: goldentime_model::Second(0),
            learned: Vec::new(),
        };
        store.save(checkpoint).await.expect("saved");
    }
    let again = place.open().await;
    for n in [100, 99, 80, 60] {
        let found = again.load(1, at(n)).await.expect("load").expect("there");
        assert_eq!(found.offset, n);
    }
}
