//! Intake: from the uplink into the log, each record once and in order.
//!
//! In the order in which a record meets them: [`quic`] lets agents in that the [`registry`] knows and
//! checks what they send ([`validity`]); [`deadletter`] keeps what is not valid, and gives it back when asked.
//! What a group gives to this central has [`owners`].
//! Behind it stands the central's own log ([`embedded`]): [`sequencer`] gives each record its place, hands it to the merge as [`logged`] and to the
//! [`writer`], which commits it and only then has it acknowledged ([`ack`]). Or Kafka does ([`shared`]): [`produce`]; and [`raw`] reads there what others than agents produce.
//! [`room`] bounds what is on this way. [`agents`] and [`board`] are who sends, [`pulse`] when each was last
//! heard, [`flushed`] whether it was put back to an older state, [`config`] what can be set, [`start`] puts it together.

pub mod ack;
pub mod agents;
pub mod board;
pub mod config;
pub mod deadletter;
pub mod embedded;
pub mod flushed;
pub mod logged;
mod owners;
pub mod produce;
pub mod pulse;
pub mod quic;
pub mod raw;
pub mod registry;
pub mod room;
pub mod sequencer;
pub mod shared;
pub mod start;
pub mod validity;
pub mod writer;

pub use config::AgentsConfig;
pub use deadletter::DeadLettersConfig;
pub use start::{Ingest, IngestError, open, open_dead_letters, open_elsewhere};
