//! From batches to the central: the [`spool`] keeps what was flushed together with the read
//! positions. [`outgoing`] is a record on this way, [`ledger`] counts what fell off.

pub mod ledger;
pub mod outgoing;
pub mod spool;
