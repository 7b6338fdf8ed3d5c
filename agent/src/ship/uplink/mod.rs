//! From the spool to the central: [`identity`] is who we are to it, [`link`] keeps a session up
//! with one of the [`centrals`],
//! [`session`] runs one, in which [`control`] talks of numbers, clocks and thresholds while a
//! [`lane`] sends what is live, another the log lines, and [`backlog`] what earlier streams left.

mod backlog;
mod centrals;
mod config;
mod control;
mod identity;
mod lane;
mod link;
mod outstanding;
mod session;
mod state;

mod thresholds;

/// Most memory taken beside the queues: what QUIC holds until it is confirmed, and what is read back
/// from the spool at a time.
pub const MEMORY_BYTES_MAX: u64 = 12 << 20;

pub use config::Config;
pub(crate) use identity::token;
pub use identity::{IdentityFailure, enrolled};
pub(crate) use link::PARTITIONS;
pub use link::{Link, LinkContext};
pub use state::{LinkPhase, UplinkState, UplinkStatus};
