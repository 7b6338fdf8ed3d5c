//! Links between real programs that a test can make hurt: [`tcp`] and [`udp`], steered by [`fault`].

pub mod fault;
pub mod tcp;
pub mod udp;

pub use fault::{Fault, Link};
pub use tcp::TcpProxy;
pub use udp::UdpProxy;
