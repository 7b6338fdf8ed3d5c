//! Which agents may connect: [`record`] is what is kept, [`store`] the contract, [`conformance`] the suite
//! that every backend passes.

pub mod conformance;
pub mod record;
pub mod store;

pub use record::{AgentNote, Enrolled, Enrolment, Fingerprint, Revocations, TokenInfo, TokenState};
pub use store::{AGENTS_MAX, AgentRegistry};
