//! What people decide about alerts: silences, acknowledgements, notes. [`store`] is the contract, [`record`] what is
//! kept, [`conformance`] the suite.

pub mod conformance;
pub mod record;
pub mod store;

pub use record::{Acknowledgement, AlertEvent, EventKind, Silence, Told};
pub use store::Desk;
