//! From batches to the central or to Kafka, in the order in which data flows: the flusher ([`flush`]) takes what
//! the shards hold, the [`spool`] keeps it together with the read positions, the [`uplink`] sends it
//! until it is acknowledged. [`outgoing`] is a record on this way, [`live`] the short cut past the
//! disk, [`ledger`] counts what fell off.

pub mod flush;
pub mod ledger;
pub mod live;
pub mod outgoing;
pub mod spool;
pub mod uplink;
