//! From the spool to whoever takes records: over [`quic`] to a central, or straight to [`kafka`].
//!
//! What both share, in the order in which records flow: a [`shipment`] is what there is to send and
//! where its acknowledgements go, a [`lane`] sends what is live in order and without gaps, [`backlog`]
//! beside it what earlier streams left, each over a [`carrier`]; [`outstanding`] knows what is not
//! acknowledged yet, [`state`] what `status` shows.

mod backlog;
mod backoff;
mod carrier;
pub mod kafka;
mod lane;
mod outstanding;
pub mod quic;
mod shipment;
mod state;

pub use shipment::{PARTITIONS, Shipment};
pub use state::{KafkaPhase, KafkaStatus, LinkPhase, UplinkState, UplinkStatus};

/// Most memory taken beside the queues: what QUIC holds until it is confirmed, and what is read back
/// from the spool at a time.
pub const MEMORY_BYTES_MAX: u64 = 12 << 20;
