//! The contract of checkpoints: from where a partition's merge goes on.

use goldentime_model::{Second, UnixNanos};

use crate::error::StoreError;
use crate::store::BoxFuture;

/// Last number applied of one stream in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamPosition {
    /// The stream.
    pub stream: [u8; 16],
    /// Its last number applied.
    pub number: u64,
    /// Log time of that record: streams leave the table by it.
    pub log_time: UnixNanos,
}

/// From where a partition's merge goes on after a restart: dropping repeats is a function of the log
/// from `offset` on, given `table`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The partition.
    pub partition: u32,
    /// Last offset applied.
    pub offset: u64,
    /// Running maximum of log append time at `offset`.
    pub log_time: UnixNanos,
    /// Topic generation that the partition belongs to.
    pub generation: u32,
    /// Every stream's last number.
    pub table: Vec<StreamPosition>,
    /// Highest event second merged.
    pub watermark: Second,
    /// What the evaluator has learned, in bytes of its own; empty where nothing.
    pub learned: Vec<u8>,
}

/// Checkpoints of all partitions.
///
/// - **Order.** A checkpoint is saved after every cell of its partition up to its offset was put and the
///   [`WindowStore`](crate::WindowStore) has said so. A store that keeps the cells as well makes them
///   durable together with the checkpoint, whole or not at all.
/// - **Fenced.** A checkpoint of a lower generation than one that was saved, or of the same with a lower
///   offset, is not loaded any more.
/// - **Cancel safety.** Dropping `save` leaves the checkpoint either wholly saved or not at all.
/// - **Reach.** The newest checkpoint is kept for good. Older ones are kept as far back as the window
///   store that the checkpoints belong to may ask to go ([`GoBack`](crate::GoBack)).
pub trait CheckpointStore: Send + Sync + 'static {
    /// Backend's name for logs and metrics.
    fn name(&self) -> &'static str;

    /// Saves a checkpoint.
    fn save(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The newest checkpoint of a partition whose log time is not after `until`. Without one the merge
    /// begins where the log does.
    fn load(&self, partition: u32, until: UnixNanos)
    -> BoxFuture<'_, Result<Option<Checkpoint>, StoreError>>;
}
