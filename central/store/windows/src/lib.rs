//! Window state: what each service did in each second, kept for as long as live windows reach.
//!
//! [`cell`] is the value (cumulative state of one service-second with the log offset it reaches),
//! [`encode`] how it is written and [`view`] how it is read where it lies. [`store`] is the contract,
//! [`window`] a sum over a stretch of time, [`memory`] the embedded backend with its checkpoints in
//! SQLite, and [`conformance`] the suite that every backend passes.

pub mod cell;
pub mod conformance;
pub mod encode;
pub mod memory;
pub mod store;
pub mod view;
pub mod window;

pub use cell::{Aggregate, CellError, EndpointKey, Overflow, SecondCell};
pub use memory::{MemoryWindows, WindowsConfig, checkpoint_offsets};
pub use store::{CellKey, Checkpoint, StoreError, StoredCell, StreamPosition, Tier, WindowStore};
pub use view::CellView;
pub use window::{Detail, WindowSummary, read_window};
