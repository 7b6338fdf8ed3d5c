//! Window state: what each service did in each second, kept for as long as live windows reach.
//!
//! [`cell`] is the value (cumulative state of one service-second with the log offset it reaches),
//! [`store`] the contract, [`memory`] the embedded backend with its checkpoints in SQLite, and
//! [`conformance`] the suite that every backend passes.

pub mod cell;
pub mod store;

pub use cell::{Aggregate, CellError, EndpointKey, SecondCell};
pub use store::{CellKey, Checkpoint, StoreError, StoredCell, StreamPosition, Tier, WindowStore};
