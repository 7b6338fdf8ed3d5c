//! The contract of checkpoints.

use super::*;

type Store = Arc<dyn CheckpointStore>;

const CASES: [(&str, Case<Store>); 4] = [
    ("a partition without a checkpoint has none", |p| Box::pin(no_checkpoint(p))),
    ("a checkpoint is read back as it was saved", |p| Box::pin(checkpoint_round_trip(p))),
    ("an older checkpoint does not replace a newer one", |p| Box::pin(older_checkpoint(p))),
    ("a load goes no further than it was asked to", |p| Box::pin(load_until(p))),
];

/// Runs every case, each in a place that `fresh` makes.
pub async fn run<P: Place<Store>>(fresh: impl FnMut() -> P) {
    run_cases(&CASES, fresh).await;
}

async fn no_checkpoint(place: Shared<Store>) {
    let store = place.open().await;
    save(&*store, checkpoint(1, 10, NOW)).await;
    assert_eq!(newest(&*store, 0).await, None);
}

async fn checkpoint_round_trip(place: Shared<Store>) {
    let first = Checkpoint {
        table: vec![
            StreamPosition { stream: [0xff; 16], number: u64::MAX, log_time: UnixNanos(i64::MIN) },
            StreamPosition { stream: [0; 16], number: 1, log_time: UnixNanos(i64::MAX) },
        ],
        learned: (0..=255).collect(),
        ..checkpoint(0, 10, NOW)
    };
    let empty = Checkpoint { table: Vec::new(), ..checkpoint(7, 3, NOW) };
    let store = place.open().await;
    save(&*store, first.clone()).await;
    save(&*store, empty.clone()).await;
    for _ in 0..2 {
        let store = place.open().await;
        assert_eq!(newest(&*store, 0).await, Some(first.clone()));
        assert_eq!(newest(&*store, 7).await, Some(empty.clone()));
    }
    let newer = checkpoint(0, 11, NOW + 30);
    save(&*store, newer.clone()).await;
    assert_eq!(newest(&*store, 0).await, Some(newer));
}

async fn older_checkpoint(place: Shared<Store>) {
    let store = place.open().await;
    let second = Checkpoint { generation: 2, ..checkpoint(0, 10, NOW) };
    save(&*store, second.clone()).await;
    save(&*store, Checkpoint { generation: 1, ..checkpoint(0, 99, NOW) }).await;
    save(&*store, Checkpoint { generation: 2, ..checkpoint(0, 9, NOW) }).await;
    assert_eq!(newest(&*store, 0).await, Some(second));
}

async fn load_until(place: Shared<Store>) {
    let store = place.open().await;
    let saved: Vec<_> = (0..60).map(|at| checkpoint(0, at + 1, NOW + 30 * at as i64)).collect();
    for checkpoint in &saved {
        save(&*store, checkpoint.clone()).await;
    }
    let last = saved.last().expect("saved");
    for (back, exact) in [(0, true), (1, false), (30_000_000_000, false), (1_200_000_000_000, false)] {
        let until = last.log_time.saturating_add(-back);
        let loaded = store.load(0, until).await.expect("load");
        assert!(loaded.is_some() || !exact, "the newest checkpoint is kept");
        if let Some(loaded) = loaded {
            assert!(loaded.log_time <= until && saved.contains(&loaded), "{loaded:?}");
        }
    }
    assert_eq!(newest(&*store, 0).await.as_ref(), Some(last));
}
