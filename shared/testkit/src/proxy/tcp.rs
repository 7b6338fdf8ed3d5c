//! A TCP proxy on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::fault::{Fault, Link};

/// A proxy in front of one server. Ends when dropped.
pub struct TcpProxy {
    address: SocketAddr,
    link: Link,
    _tasks: JoinSet<()>,
}

impl TcpProxy {
    /// Listens on a free port and passes everything to `server`.
    pub async fn start(server: SocketAddr, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, link) = (listener.local_addr()?, Link::new(seed));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, server, link.clone()));
        Ok(Self { address, link, _tasks: tasks })
    }

    /// Where clients connect.
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

async fn accept(listener: TcpListener, server: SocketAddr, link: Link) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((client, _)) = listener.accept().await else { continue };
        let refused = match link.fault() {
            Fault::Cut => true,
            Fault::Drop(share) => link.dice() < share,
            _ => false,
        };
        if !refused {
            connections.spawn(serve(client, server, link.clone()));
        }
    }
}

async fn serve(client: TcpStream, server: SocketAddr, link: Link) {
    let Ok(upstream) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = upstream.into_split();
    let mut changes = link.changes();
    tokio::select! {
        () = pass(client_read, server_write, link.clone()) => {}
        () = pass(server_read, client_write, link.clone()) => {}
        _ = changes.wait_for(|fault| *fault == Fault::Cut) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, link: Link) {
    let mut buffer = vec![0; 64 * 1024];
    let mut changes = link.changes();
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        match link.fault() {
            Fault::Delay(by) => tokio::time::sleep(by).await,
            Fault::HalfOpen => {
                if changes.wait_for(|fault| *fault != Fault::HalfOpen).await.is_err() {
                    return;
                }
            }
            Fault::None | Fault::Drop(_) | Fault::Cut => {}
        }
        let write = tokio::time::timeout(Duration::from_secs(60), to.write_all(&buffer[..read]));
        if !matches!(write.await, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo_server() -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("free port");
        let address = listener.local_addr().expect("bound");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        (address, tasks)
    }

    async fn answers(stream: &mut TcpStream) -> bool {
        let mut byte = [0];
        stream.write_all(b"x").await.is_ok()
            && matches!(
                tokio::time::timeout(Duration::from_millis(200), stream.read_exact(&mut byte)).await,
                Ok(Ok(_))
            )
    }

    #[tokio::test]
    async fn a_half_open_link_passes_nothing_and_closes_nothing_and_heals() {
        let (server, _tasks) = echo_server().await;
        let proxy = TcpProxy::start(server, 1).await.expect("proxy");
        let mut stream = TcpStream::connect(proxy.address()).await.expect("connects");
        assert!(answers(&mut stream).await);
        proxy.link().set(Fault::HalfOpen);
        assert!(!answers(&mut stream).await);
        proxy.link().set(Fault::None);
        let mut late = [0];
        stream.read_exact(&mut late).await.expect("what was held back arrives");
        assert!(answers(&mut stream).await);
    }

    #[tokio::test]
    async fn a_cut_link_ends_connections_and_refuses_new_ones() {
        let (server, _tasks) = echo_server().await;
        let proxy = TcpProxy::start(server, 1).await.expect("proxy");
        let mut stream = TcpStream::connect(proxy.address()).await.expect("connects");
        assert!(answers(&mut stream).await);
        proxy.link().set(Fault::Cut);
        assert!(!answers(&mut stream).await);
        let mut refused = TcpStream::connect(proxy.address()).await.expect("the listener is there");
        assert!(!answers(&mut refused).await);
    }
}
