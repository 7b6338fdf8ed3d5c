//! What stands in front of one server and is told what to do to the link.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::fault::Link;
use super::{tcp, udp};

/// A proxy in front of one server. Ends when dropped.
pub struct Proxy {
    address: SocketAddr,
    link: Link,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free TCP port and passes everything to `server`. `seed` decides which connections
    /// [`Fault::Drop`](super::Fault::Drop) refuses.
    pub async fn tcp(server: SocketAddr, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let link = Link::new(seed);
        Ok(Self::run(listener.local_addr()?, link.clone(), tcp::accept(listener, server, link)))
    }

    /// Listens on a free UDP port and passes everything to `server`. `seed` decides which datagrams
    /// [`Fault::Drop`](super::Fault::Drop) drops.
    pub async fn udp(server: SocketAddr, seed: u64) -> Result<Self> {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let link = Link::new(seed);
        Ok(Self::run(socket.local_addr()?, link.clone(), udp::from_clients(socket, server, link)))
    }

    fn run(address: SocketAddr, link: Link, work: impl Future<Output = ()> + Send + 'static) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(work);
        Self { address, link, _tasks: tasks }
    }

    /// Where clients connect, or send to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The switch.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }
}
