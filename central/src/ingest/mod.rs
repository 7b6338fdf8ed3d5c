//! Intake: from the uplink into the log, each record once and in order.
//!
//! [`agents`] is who sends, [`logged`] what the merge gets.

pub mod agents;
pub mod logged;
