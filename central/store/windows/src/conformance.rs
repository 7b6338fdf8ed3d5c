//! What every backend must do: each sentence of the contract on [`WindowStore`] as a case.
//!
//! A backend's test calls [`run`] with a way to make an empty [`Place`]; a case that fails panics with
//! its name, as a test does. A kill is a store that is dropped without a word and opened again.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use goldentime_model::{Counts, Second, ServiceId, UnixNanos};

use crate::store::BoxFuture;
use crate::{CellKey, Checkpoint, SecondCell, StoredCell, StreamPosition, Tier, WindowStore};

/// Where a backend keeps its state: opening it again finds what the store before it left.
pub trait Place: Send + Sync + 'static {
    /// Opens the store.
    fn open(&self) -> BoxFuture<'_, Arc<dyn WindowStore>>;
}

type Shared = Arc<dyn Place>;
type Case = fn(Shared) -> BoxFuture<'static, ()>;

const CASES: [(&str, Case); 17] = [
    ("a cell is read back as it was put", |p| Box::pin(round_trip(p))),
    ("a put at or below the stored offset changes nothing", |p| Box::pin(idempotent(p))),
    ("offsets of other partitions do not matter", |p| Box::pin(partitions_apart(p))),
    ("a read sees what was put before it", |p| Box::pin(read_your_writes(p))),
    ("puts are applied in the order of their calls", |p| Box::pin(ordered(p))),
    ("a read gives its range in order of start", |p| Box::pin(ranges(p))),
    ("tiers and services are kept apart", |p| Box::pin(kept_apart(p))),
    ("a put that was dropped is whole or absent", |p| Box::pin(dropped_put(p))),
    ("what has expired is not read", |p| Box::pin(expiry(p))),
    ("a service whose cells have expired is gone", |p| Box::pin(services_expire(p))),
    ("a partition without a checkpoint has none", |p| Box::pin(no_checkpoint(p))),
    ("a checkpoint is read back as it was saved", |p| Box::pin(checkpoint_round_trip(p))),
    ("an older checkpoint does not replace a newer one", |p| Box::pin(older_checkpoint(p))),
    ("a kill loses nothing that a checkpoint covers", |p| Box::pin(kill_after_checkpoint(p))),
    ("a kill between checkpoints mixes no cell", |p| Box::pin(kill_between(p))),
    ("a checkpoint that was dropped is whole or absent", |p| Box::pin(dropped_checkpoint(p))),
    ("offsets outlive a kill", |p| Box::pin(offsets_outlive(p))),
];

/// Runs every case, each in a place that `fresh` makes.
pub async fn run<F, P>(mut fresh: F)
where
    F: FnMut() -> P,
    P: Place,
{
    for (name, case) in CASES {
        eprintln!("windows: {name}");
        case(Arc::new(fresh())).await;
    }
}

/// An event second well within the range of everything.
const NOW: i64 = 1_700_000_000;

fn service(name: &str) -> ServiceId {
    ServiceId::new("shop", "prod", name).expect("a valid name")
}

/// A cell whose content tells the offset that it was put with.
fn blob(offset: u64) -> Bytes {
    let mut cell = SecondCell::default();
    cell.total.counts = Counts { ok: offset, ..Counts::default() };
    cell.total.latency.insert_n(0.1, offset);
    cell.encode()
}

fn cell(name: &str, tier: Tier, start: i64, partition: u32, offset: u64) -> StoredCell {
    let key = CellKey { service: service(name), tier, start: Second(start) };
    StoredCell { key, partition, offset, blob: blob(offset) }
}

fn second(start: i64, offset: u64) -> StoredCell {
    cell("api", Tier::OneSecond, start, 0, offset)
}

fn checkpoint(partition: u32, offset: u64, watermark: i64) -> Checkpoint {
    Checkpoint {
        partition,
        offset,
        log_time: UnixNanos(watermark * 1_000_000_000 + 5),
        generation: 1,
        table: vec![StreamPosition { stream: [7; 16], number: offset, log_time: UnixNanos(watermark) }],
        watermark: Second(watermark),
    }
}

async fn put(store: &dyn WindowStore, cells: Vec<StoredCell>) {
    store.put(cells).await.expect("put");
}

async fn save(store: &dyn WindowStore, checkpoint: Checkpoint) {
    store.save_checkpoint(checkpoint).await.expect("save a checkpoint");
}

/// Everything of a service in a tier.
async fn all(store: &dyn WindowStore, name: &str, tier: Tier) -> Vec<StoredCell> {
    store.read(&service(name), tier, Second(0), Second(NOW * 2)).await.expect("read")
}

/// Start, partition and offset of every second of the service `api`; each cell must be whole.
async fn seconds(store: &dyn WindowStore) -> Vec<(i64, u32, u64)> {
    let cells = all(store, "api", Tier::OneSecond).await;
    for cell in &cells {
        assert_eq!(cell.blob, blob(cell.offset), "a cell holds what its offset says");
    }
    cells.iter().map(|cell| (cell.key.start.0, cell.partition, cell.offset)).collect()
}

/// Polls a future a few times and drops it, as a cancelled caller does.
async fn poll_and_drop<T>(future: impl Future<Output = T>, polls: u32) {
    let mut future = pin!(future);
    for _ in 0..polls {
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        // Lets the engine get on; what the cases assert holds however far it comes.
        tokio::time::sleep(std::time::Duration::from_micros(200)).await;
    }
}

async fn round_trip(place: Shared) {
    let store = place.open().await;
    let cells = vec![second(NOW, 1), second(NOW + 1, u64::MAX)];
    put(&*store, cells.clone()).await;
    assert_eq!(all(&*store, "api", Tier::OneSecond).await, cells);
    assert_eq!(store.services().await.expect("services"), [service("api")]);
    assert!(!store.name().is_empty());
}

async fn idempotent(place: Shared) {
    let store = place.open().await;
    put(&*store, vec![second(NOW, 5)]).await;
    for offset in [5, 4, 0] {
        let other = StoredCell { blob: blob(99), ..second(NOW, offset) };
        put(&*store, vec![other]).await;
        assert_eq!(seconds(&*store).await, [(NOW, 0, 5)]);
    }
    put(&*store, vec![second(NOW, 6)]).await;
    assert_eq!(seconds(&*store).await, [(NOW, 0, 6)]);
}

async fn partitions_apart(place: Shared) {
    let store = place.open().await;
    put(&*store, vec![second(NOW, 9)]).await;
    put(&*store, vec![cell("api", Tier::OneSecond, NOW, 3, 2)]).await;
    assert_eq!(seconds(&*store).await, [(NOW, 0, 9), (NOW, 3, 2)]);
}

async fn read_your_writes(place: Shared) {
    let store = place.open().await;
    for offset in 1..50 {
        put(&*store, vec![second(NOW, offset)]).await;
        assert_eq!(seconds(&*store).await, [(NOW, 0, offset)]);
    }
}

async fn ordered(place: Shared) {
    let store = place.open().await;
    let calls: Vec<_> = (1..=20).map(|offset| store.put(vec![second(NOW + offset, 1)])).collect();
    for call in calls {
        call.await.expect("put");
    }
    let expected: Vec<_> = (1..=20).map(|offset| (NOW + offset, 0, 1)).collect();
    assert_eq!(seconds(&*store).await, expected);
    put(&*store, vec![second(NOW, 2), second(NOW, 4), second(NOW, 3)]).await;
    assert_eq!(seconds(&*store).await[0], (NOW, 0, 4));
}

async fn ranges(place: Shared) {
    let store = place.open().await;
    put(&*store, [4, 1, 3, 0, 2].into_iter().map(|at| second(NOW + at, 1)).collect()).await;
    let read = |from: i64, until: i64| {
        let store = Arc::clone(&store);
        async move {
            let (from, until) = (Second(NOW + from), Second(NOW + until));
            let cells = store.read(&service("api"), Tier::OneSecond, from, until).await.expect("read");
            cells.iter().map(|cell| cell.key.start.0 - NOW).collect::<Vec<_>>()
        }
    };
    assert_eq!(read(0, 5).await, [0, 1, 2, 3, 4]);
    assert_eq!(read(1, 3).await, [1, 2]);
    assert_eq!(read(3, 3).await, [0; 0]);
    assert_eq!(read(3, 1).await, [0; 0]);
    assert_eq!(read(-100, 1).await, [0]);
    assert_eq!(read(5, 100).await, [0; 0]);
}

async fn kept_apart(place: Shared) {
    let store = place.open().await;
    let ten = cell("api", Tier::TenSeconds, NOW, 0, 2);
    let other = cell("web", Tier::OneSecond, NOW, 0, 3);
    put(&*store, vec![second(NOW, 1), ten.clone(), other.clone()]).await;
    assert_eq!(seconds(&*store).await, [(NOW, 0, 1)]);
    assert_eq!(all(&*store, "api", Tier::TenSeconds).await, [ten]);
    assert_eq!(all(&*store, "web", Tier::OneSecond).await, [other]);
    assert_eq!(all(&*store, "unheard-of", Tier::OneSecond).await, []);
    let mut services = store.services().await.expect("services");
    services.sort();
    assert_eq!(services, [service("api"), service("web")]);
}

async fn dropped_put(place: Shared) {
    let store = place.open().await;
    put(&*store, vec![second(NOW, 1), second(NOW + 1, 1)]).await;
    for polls in 0..4 {
        let offset = u64::from(polls) + 2;
        poll_and_drop(store.put(vec![second(NOW, offset), second(NOW + 1, offset)]), polls).await;
        let found = seconds(&*store).await;
        assert!(found.iter().all(|(_, _, found)| (1..=offset).contains(found)), "{found:?}");
    }
}

async fn expiry(place: Shared) {
    let store = place.open().await;
    put(&*store, vec![second(NOW, 1), cell("api", Tier::TenSeconds, NOW, 0, 1)]).await;
    let one = Tier::OneSecond.retention_s();
    put(&*store, vec![second(NOW + one, 2)]).await;
    assert_eq!(seconds(&*store).await, [(NOW, 0, 1), (NOW + one, 0, 2)], "kept for its retention");
    put(&*store, vec![second(NOW + one + 1, 3)]).await;
    assert_eq!(seconds(&*store).await, [(NOW + one, 0, 2), (NOW + one + 1, 0, 3)], "then not");
    put(&*store, vec![second(NOW, 9)]).await;
    assert_eq!(seconds(&*store).await.len(), 2, "what comes after its time is not kept");

    let ten = Tier::TenSeconds.width_s() + Tier::TenSeconds.retention_s();
    put(&*store, vec![second(NOW + ten - 1, 4)]).await;
    assert_eq!(all(&*store, "api", Tier::TenSeconds).await.len(), 1);
    put(&*store, vec![second(NOW + ten, 5)]).await;
    assert_eq!(all(&*store, "api", Tier::TenSeconds).await.len(), 0);
}

async fn services_expire(place: Shared) {
    let store = place.open().await;
    put(&*store, vec![cell("gone", Tier::OneSecond, NOW, 0, 1)]).await;
    put(&*store, vec![second(NOW + Tier::OneSecond.retention_s() + 1, 2)]).await;
    assert_eq!(store.services().await.expect("services"), [service("api")]);
}

async fn no_checkpoint(place: Shared) {
    let store = place.open().await;
    save(&*store, checkpoint(1, 10, NOW)).await;
    assert_eq!(store.load_checkpoint(0).await.expect("load"), None);
}

async fn checkpoint_round_trip(place: Shared) {
    let first = Checkpoint {
        table: vec![
            StreamPosition { stream: [0xff; 16], number: u64::MAX, log_time: UnixNanos(i64::MIN) },
            StreamPosition { stream: [0; 16], number: 1, log_time: UnixNanos(i64::MAX) },
        ],
        ..checkpoint(0, 10, NOW)
    };
    let empty = Checkpoint { table: Vec::new(), ..checkpoint(7, 3, NOW) };
    let store = place.open().await;
    save(&*store, first.clone()).await;
    save(&*store, empty.clone()).await;
    for _ in 0..2 {
        let store = place.open().await;
        assert_eq!(store.load_checkpoint(0).await.expect("load"), Some(first.clone()));
        assert_eq!(store.load_checkpoint(7).await.expect("load"), Some(empty.clone()));
    }
    let newer = checkpoint(0, 11, NOW + 30);
    save(&*store, newer.clone()).await;
    assert_eq!(store.load_checkpoint(0).await.expect("load"), Some(newer));
}

async fn older_checkpoint(place: Shared) {
    let store = place.open().await;
    let newest = Checkpoint { generation: 2, ..checkpoint(0, 10, NOW) };
    save(&*store, newest.clone()).await;
    save(&*store, Checkpoint { generation: 1, ..checkpoint(0, 99, NOW) }).await;
    save(&*store, Checkpoint { generation: 2, ..checkpoint(0, 9, NOW) }).await;
    assert_eq!(store.load_checkpoint(0).await.expect("load"), Some(newest));
}

async fn kill_after_checkpoint(place: Shared) {
    let store = place.open().await;
    let ten = cell("api", Tier::TenSeconds, NOW, 0, 7);
    put(&*store, vec![second(NOW, 3), second(NOW + 1, 4), ten.clone()]).await;
    save(&*store, checkpoint(0, 4, NOW + 1)).await;
    put(&*store, vec![second(NOW + 1, 6), second(NOW + 2, 7)]).await;
    save(&*store, checkpoint(0, 7, NOW + 2)).await;
    drop(store);
    let store = place.open().await;
    assert_eq!(seconds(&*store).await, [(NOW, 0, 3), (NOW + 1, 0, 6), (NOW + 2, 0, 7)]);
    assert_eq!(all(&*store, "api", Tier::TenSeconds).await, [ten]);
    assert_eq!(store.load_checkpoint(0).await.expect("load"), Some(checkpoint(0, 7, NOW + 2)));
}

async fn kill_between(place: Shared) {
    let store = place.open().await;
    put(&*store, vec![second(NOW, 3), cell("api", Tier::OneSecond, NOW, 1, 30)]).await;
    save(&*store, checkpoint(0, 3, NOW)).await;
    put(&*store, vec![second(NOW, 5), second(NOW + 1, 6)]).await;
    drop(store);
    let store = place.open().await;
    let reached = store.load_checkpoint(0).await.expect("load").expect("saved").offset;
    for (start, partition, offset) in seconds(&*store).await {
        let whole = match (start - NOW, partition) {
            (0, 0) => [3, 5].contains(&offset) && offset >= reached,
            (1, 0) => offset == 6,
            _ => partition == 1 && offset == 30,
        };
        assert!(whole, "second {start} of partition {partition} reaches {offset}");
    }
}

async fn dropped_checkpoint(place: Shared) {
    let mut store = place.open().await;
    put(&*store, vec![second(NOW, 1), second(NOW + 1, 1)]).await;
    save(&*store, checkpoint(0, 1, NOW + 1)).await;
    for polls in 0..12 {
        let offset = u64::from(polls) + 2;
        put(&*store, vec![second(NOW, offset), second(NOW + 1, offset)]).await;
        poll_and_drop(store.save_checkpoint(checkpoint(0, offset, NOW + 1)), polls).await;
        drop(store);
        store = place.open().await;
        let reached = store.load_checkpoint(0).await.expect("load").expect("saved").offset;
        let cells = seconds(&*store).await;
        assert_eq!(cells.len(), 2);
        for (start, _, cell) in cells {
            assert!(cell >= reached, "the checkpoint reaches {reached}, second {start} only {cell}");
        }
    }
}

async fn offsets_outlive(place: Shared) {
    let store = place.open().await;
    put(&*store, vec![second(NOW, 5)]).await;
    save(&*store, checkpoint(0, 5, NOW)).await;
    drop(store);
    let store = place.open().await;
    put(&*store, vec![StoredCell { blob: blob(99), ..second(NOW, 5) }]).await;
    assert_eq!(seconds(&*store).await, [(NOW, 0, 5)]);
    put(&*store, vec![second(NOW, 6)]).await;
    assert_eq!(seconds(&*store).await, [(NOW, 0, 6)]);
}
