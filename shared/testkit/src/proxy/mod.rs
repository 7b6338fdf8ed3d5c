//! Links between real programs that a test can make hurt: a [`Proxy`] in front of a server passes
//! TCP or UDP, steered by [`fault`].

pub mod fault;
mod front;
mod tcp;
mod udp;

pub use fault::{Fault, Link};
pub use front::Proxy;
