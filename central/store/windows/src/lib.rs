//! Window state: what each service did in each second, kept for as long as live windows reach.
//!
//! [`cell`] is the value (cumulative state of one service-second with the log offset it reaches),
//! [`encode`] how it is written and [`view`] how it is read where it lies. [`store`] is the contract of
//! cells, [`checkpoint`] that of what a merge goes on from, [`resume`] what a start does with both, and
//! [`error`] what can go wrong. [`window`] is a sum over a stretch of time, [`memory`] the embedded
//! backend, which keeps checkpoints and cells in one SQLite file, [`redis`] that of the cluster, and [`conformance`] the suites that
//! every backend passes.

pub mod cell;
pub mod checkpoint;
pub mod conformance;
pub mod encode;
pub mod error;
pub mod memory;
pub mod redis;
pub mod resume;
pub mod store;
pub mod view;
mod watermark;
pub mod window;

pub use cell::{Aggregate, CellError, EndpointKey, Overflow, SecondCell};
pub use checkpoint::{Checkpoint, CheckpointStore, StreamPosition};
pub use error::StoreError;
pub use memory::{MemoryWindows, WindowsConfig, checkpoint_offsets};
pub use redis::{RedisConfig, RedisWindows};
pub use resume::resume_point;
pub use store::{CellKey, Degraded, GoBack, Health, Losses, StoredCell, Tier, WindowStore};
pub use view::CellView;
pub use window::{Detail, WindowSummary, read_window};
