//! What every backend must do: each sentence of the contracts as a case.
//!
//! [`cells`] holds every [`WindowStore`] to its contract, [`checkpoints`] every [`CheckpointStore`], and
//! [`together`] a pair of them that a central runs with. A backend's test calls their `run` with a way to
//! make an empty [`Place`]; a case that fails panics with its name, as a test does. A kill is a store
//! that is dropped without a word and opened again.

pub mod cells;
pub mod checkpoints;
pub mod together;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use goldentime_model::{Counts, Second, ServiceId, UnixNanos};

use crate::store::BoxFuture;
use crate::{
    CellKey, Checkpoint, CheckpointStore, SecondCell, StoredCell, StreamPosition, Tier, WindowStore,
};

/// Where a backend keeps its state: opening it again finds what the store before it left.
pub trait Place<Store>: Send + Sync + 'static {
    /// Opens the store.
    fn open(&self) -> BoxFuture<'_, Store>;
}

type Shared<Store> = Arc<dyn Place<Store>>;
type Case<Store> = fn(Shared<Store>) -> BoxFuture<'static, ()>;

async fn run_cases<Store, P: Place<Store>>(cases: &[(&str, Case<Store>)], mut fresh: impl FnMut() -> P) {
    for (name, case) in cases {
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
        learned: Vec::new(),
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

async fn save(store: &dyn CheckpointStore, checkpoint: Checkpoint) {
    store.save(checkpoint).await.expect("save a checkpoint");
}

/// The newest checkpoint.
async fn newest(store: &dyn CheckpointStore, partition: u32) -> Option<Checkpoint> {
    store.load(partition, UnixNanos(i64::MAX)).await.expect("load")
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
