//! TCP on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::fault::{Fault, Link};

/// Passes connections on until dropped.
pub(super) async fn accept(listener: TcpListener, server: SocketAddr, link: Link) {
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
    let born = link.stalls();
    tokio::select! {
        () = pass(client_read, server_write, link.clone(), born) => {}
        () = pass(server_read, client_write, link.clone(), born) => {}
        _ = changes.wait_for(|fault| *fault == Fault::Cut) => {}
    }
}

/// Passes one direction on. `born` is how often connections had stalled when this one was made.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, link: Link, born: u64) {
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
            Fault::Stall if link.stalls() > born => {
                if changes.wait_for(|fault| *fault != Fault::Stall).await.is_err() {
                    return;
                }
            }
            Fault::None | Fault::Stall | Fault::Drop(_) | Fault::Cut => {}
        }
        let write = tokio::time::timeout(Duration::from_secs(60), to.write_all(&buffer[..read]));
        if !matches!(write.await, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Proxy;
    use super::*;
    use tokio::time::timeout;

    /// The longest that anything here may take.
    const HANG_MAX: Duration = Duration::from_secs(60);
    /// How long nothing comes where nothing may come.
    const SILENCE: Duration = Duration::from_millis(200);

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

    /// Whether something was answered before the connection ended.
    async fn answers(stream: &mut TcpStream) -> bool {
        let mut byte = [0];
        let answered =
            async { stream.write_all(b"x").await.is_ok() && stream.read_exact(&mut byte).await.is_ok() };
        timeout(HANG_MAX, answered).await.expect("answers or ends")
    }

    /// Whether the connection stays open without an answer.
    async fn is_silent(stream: &mut TcpStream) -> bool {
        let mut byte = [0];
        stream.write_all(b"x").await.is_ok() && timeout(SILENCE, stream.read_exact(&mut byte)).await.is_err()
    }

    #[tokio::test]
    async fn a_half_open_link_passes_nothing_and_closes_nothing_and_heals() {
        let (server, _tasks) = echo_server().await;
        let proxy = Proxy::tcp(server, 1).await.expect("proxy");
        let mut stream = TcpStream::connect(proxy.address()).await.expect("connects");
        assert!(answers(&mut stream).await);
        proxy.link().set(Fault::HalfOpen);
        assert!(is_silent(&mut stream).await);
        proxy.link().set(Fault::None);
        let mut late = [0];
        stream.read_exact(&mut late).await.expect("what was held back arrives");
        assert!(answers(&mut stream).await);
    }

    #[tokio::test]
    async fn a_stalled_connection_is_overtaken_by_one_that_was_made_later() {
        let (server, _tasks) = echo_server().await;
        let proxy = Proxy::tcp(server, 1).await.expect("proxy");
        let mut old = TcpStream::connect(proxy.address()).await.expect("connects");
        assert!(answers(&mut old).await);
        proxy.link().set(Fault::Stall);
        assert!(is_silent(&mut old).await);
        let mut new = TcpStream::connect(proxy.address()).await.expect("connects");
        assert!(answers(&mut new).await);
        proxy.link().set(Fault::None);
        let mut late = [0];
        old.read_exact(&mut late).await.expect("what was held back arrives");
    }

    #[tokio::test]
    async fn a_cut_link_ends_connections_and_refuses_new_ones() {
        let (server, _tasks) = echo_server().await;
        let proxy = Proxy::tcp(server, 1).await.expect("proxy");
        let mut stream = TcpStream::connect(proxy.address()).await.expect("connects");
        assert!(answers(&mut stream).await);
        proxy.link().set(Fault::Cut);
        assert!(!answers(&mut stream).await);
        let mut refused = TcpStream::connect(proxy.address()).await.expect("the listener is there");
        assert!(!answers(&mut refused).await);
    }

    #[tokio::test]
    async fn a_late_link_passes_everything_in_order() {
        let (server, _tasks) = echo_server().await;
        let proxy = Proxy::tcp(server, 1).await.expect("proxy");
        let mut stream = TcpStream::connect(proxy.address()).await.expect("connects");
        proxy.link().set(Fault::Delay(Duration::from_millis(5)));
        for sent in 0..20_u8 {
            stream.write_all(&[sent]).await.expect("written");
        }
        let mut echoed = [0; 20];
        stream.read_exact(&mut echoed).await.expect("echoed");
        assert!(echoed.is_sorted() && echoed[19] == 19, "{echoed:?}");
    }

    #[tokio::test]
    async fn a_link_that_drops_refuses_some_connections_and_leaves_others_alone() {
        let (server, _tasks) = echo_server().await;
        let proxy = Proxy::tcp(server, 1).await.expect("proxy");
        proxy.link().set(Fault::Drop(0.5));
        let mut served = 0;
        for _ in 0..16 {
            let mut stream = TcpStream::connect(proxy.address()).await.expect("the listener is there");
            served += u32::from(answers(&mut stream).await);
        }
        assert!((1..16).contains(&served), "{served} of 16 served");
    }
}
