//! To a central: [`identity`] is who we are to it, [`link`] keeps a session up with one of the
//! [`centrals`], [`session`] runs one, in which [`control`] talks of numbers, clocks and thresholds while
//! records go over QUIC streams of their class ([`sender`]), or go elsewhere.

mod centrals;
mod config;
mod control;
mod identity;
mod link;
mod sender;
mod session;
mod thresholds;

pub use config::Config;
pub(crate) use identity::token;
pub use identity::{IdentityFailure, enrolled};
pub use link::{Cargo, Link, LinkContext};
