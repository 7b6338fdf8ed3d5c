//! The contract of cells and checkpoints that a central runs with: what a restart finds.

use super::*;

/// A central's stores.
pub struct Stores {
    /// Cells.
    pub windows: Arc<dyn WindowStore>,
    /// Checkpoints.
    pub checkpoints: Arc<dyn CheckpointStore>,
}

const CASES: [(&str, Case<Stores>); 4] = [
    ("a kill loses nothing that a checkpoint covers", |p| Box::pin(kill_after_checkpoint(p))),
    ("a kill between checkpoints mixes no cell", |p| Box::pin(kill_between(p))),
    ("a checkpoint that was dropped is whole or absent", |p| Box::pin(dropped_checkpoint(p))),
    ("offsets outlive a kill", |p| Box::pin(offsets_outlive(p))),
];

/// Runs every case, each in a place that `fresh` makes.
pub async fn run<P: Place<Stores>>(fresh: impl FnMut() -> P) {
    run_cases(&CASES, fresh).await;
}

async fn kill_after_checkpoint(place: Shared<Stores>) {
    let store = place.open().await;
    let ten = cell("api", Tier::TenSeconds, NOW, 0, 7);
    put(&*store.windows, vec![second(NOW, 3), second(NOW + 1, 4), ten.clone()]).await;
    save(&*store.checkpoints, checkpoint(0, 4, NOW + 1)).await;
    put(&*store.windows, vec![second(NOW + 1, 6), second(NOW + 2, 7)]).await;
    save(&*store.checkpoints, checkpoint(0, 7, NOW + 2)).await;
    drop(store);
    let store = place.open().await;
    assert_eq!(seconds(&*store.windows).await, [(NOW, 0, 3), (NOW + 1, 0, 6), (NOW + 2, 0, 7)]);
    assert_eq!(all(&*store.windows, "api", Tier::TenSeconds).await, [ten]);
    assert_eq!(newest(&*store.checkpoints, 0).await, Some(checkpoint(0, 7, NOW + 2)));
}

async fn kill_between(place: Shared<Stores>) {
    let store = place.open().await;
    put(&*store.windows, vec![second(NOW, 3), cell("api", Tier::OneSecond, NOW, 1, 30)]).await;
    save(&*store.checkpoints, checkpoint(0, 3, NOW)).await;
    put(&*store.windows, vec![second(NOW, 5), second(NOW + 1, 6)]).await;
    drop(store);
    let store = place.open().await;
    let reached = newest(&*store.checkpoints, 0).await.expect("saved").offset;
    for (start, partition, offset) in seconds(&*store.windows).await {
        let whole = match (start - NOW, partition) {
            (0, 0) => [3, 5].contains(&offset) && offset >= reached,
            (1, 0) => offset == 6,
            _ => partition == 1 && offset == 30,
        };
        assert!(whole, "second {start} of partition {partition} reaches {offset}");
    }
}

async fn dropped_checkpoint(place: Shared<Stores>) {
    let mut store = place.open().await;
    put(&*store.windows, vec![second(NOW, 1), second(NOW + 1, 1)]).await;
    save(&*store.checkpoints, checkpoint(0, 1, NOW + 1)).await;
    for polls in 0..12 {
        let offset = u64::from(polls) + 2;
        put(&*store.windows, vec![second(NOW, offset), second(NOW + 1, offset)]).await;
        poll_and_drop(store.checkpoints.save(checkpoint(0, offset, NOW + 1)), polls).await;
        drop(store);
        store = place.open().await;
        let reached = newest(&*store.checkpoints, 0).await.expect("saved").offset;
        let cells = seconds(&*store.windows).await;
        assert_eq!(cells.len(), 2);
        for (start, _, cell) in cells {
            assert!(cell >= reached, "the checkpoint reaches {reached}, second {start} only {cell}");
        }
    }
}

async fn offsets_outlive(place: Shared<Stores>) {
    let store = place.open().await;
    put(&*store.windows, vec![second(NOW, 5)]).await;
    save(&*store.checkpoints, checkpoint(0, 5, NOW)).await;
    drop(store);
    let store = place.open().await;
    put(&*store.windows, vec![StoredCell { blob: blob(99), ..second(NOW, 5) }]).await;
    assert_eq!(seconds(&*store.windows).await, [(NOW, 0, 5)]);
    put(&*store.windows, vec![second(NOW, 6)]).await;
    assert_eq!(seconds(&*store.windows).await, [(NOW, 0, 6)]);
}
