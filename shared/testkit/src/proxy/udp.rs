//! UDP on loopback, good enough for QUIC: one socket towards the server for each client.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::fault::{Fault, Link};

/// Most clients at once; a further one is not served.
const CLIENTS_MAX: usize = 1024;
/// Datagrams under way in one direction; beyond it they are dropped, as a full router would.
const IN_FLIGHT_MAX: usize = 16 * 1024;
/// Largest datagram on loopback.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Passes datagrams on until dropped.
pub(super) async fn from_clients(socket: Arc<UdpSocket>, server: SocketAddr, link: Link) {
    let mut clients: HashMap<SocketAddr, (Arc<UdpSocket>, Lane)> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let Ok((read, client)) = socket.recv_from(&mut buffer).await else { continue };
        if !clients.contains_key(&client) {
            if clients.len() >= CLIENTS_MAX {
                continue;
            }
            let Ok(upstream) = UdpSocket::bind("127.0.0.1:0").await else { continue };
            if upstream.connect(server).await.is_err() {
                continue;
            }
            let upstream = Arc::new(upstream);
            let (lane, carry) = Lane::new(link.clone());
            let towards = Arc::clone(&upstream);
            tasks.spawn(carry.run(move |datagram| {
                let towards = Arc::clone(&towards);
                async move { drop(towards.send(&datagram).await) }
            }));
            tasks.spawn(from_server(Arc::clone(&upstream), Arc::clone(&socket), client, link.clone()));
            clients.insert(client, (upstream, lane));
        }
        if let Some((_, lane)) = clients.get(&client) {
            lane.offer(&buffer[..read]);
        }
    }
}

async fn from_server(upstream: Arc<UdpSocket>, socket: Arc<UdpSocket>, client: SocketAddr, link: Link) {
    let (lane, carry) = Lane::new(link);
    let mut tasks = JoinSet::new();
    tasks.spawn(carry.run(move |datagram| {
        let socket = Arc::clone(&socket);
        async move { drop(socket.send_to(&datagram, client).await) }
    }));
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        // An unreachable server answers with an error for each datagram; it may come back.
        if let Ok(read) = upstream.recv(&mut buffer).await {
            lane.offer(&buffer[..read]);
        }
    }
}

/// One direction of one client: applies the fault when a datagram comes in, keeps order under delay.
struct Lane {
    link: Link,
    queue: mpsc::Sender<(Instant, Vec<u8>)>,
}

struct Carry(mpsc::Receiver<(Instant, Vec<u8>)>);

impl Lane {
    fn new(link: Link) -> (Self, Carry) {
        let (queue, waiting) = mpsc::channel(IN_FLIGHT_MAX);
        (Self { link, queue }, Carry(waiting))
    }

    fn offer(&self, datagram: &[u8]) {
        let due = match self.link.fault() {
            Fault::None | Fault::Stall => Instant::now(),
            Fault::Delay(by) => Instant::now() + by,
            Fault::Drop(share) if self.link.dice() >= share => Instant::now(),
            Fault::Drop(_) | Fault::Cut | Fault::HalfOpen => return,
        };
        // A full lane drops, as the network does.
        let _ = self.queue.try_send((due, datagram.to_vec()));
    }
}

impl Carry {
    async fn run<F, Fut>(mut self, send: F)
    where
        F: Fn(Vec<u8>) -> Fut,
        Fut: Future<Output = ()>,
    {
        while let Some((due, datagram)) = self.0.recv().await {
            tokio::time::sleep_until(due).await;
            send(datagram).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Proxy;
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    /// The longest that anything here may take.
    const HANG_MAX: Duration = Duration::from_secs(60);
    /// How long nothing comes where nothing may come.
    const SILENCE: Duration = Duration::from_millis(200);

    /// The next echo, if it comes in time.
    async fn echo(client: &UdpSocket, within: Duration) -> Option<u8> {
        let mut byte = [0];
        let came = timeout(within, client.recv(&mut byte)).await.ok()?;
        came.expect("received");
        Some(byte[0])
    }

    async fn ping(client: &UdpSocket, number: u8) {
        client.send(&[number]).await.expect("sent");
    }

    async fn echo_server() -> (SocketAddr, JoinSet<()>) {
        let server = UdpSocket::bind("127.0.0.1:0").await.expect("free port");
        let address = server.local_addr().expect("bound");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut buffer = [0; 64];
            while let Ok((read, from)) = server.recv_from(&mut buffer).await {
                let _ = server.send_to(&buffer[..read], from).await;
            }
        });
        (address, tasks)
    }

    async fn client_of(proxy: &Proxy) -> UdpSocket {
        let client = UdpSocket::bind("127.0.0.1:0").await.expect("free port");
        client.connect(proxy.address()).await.expect("connects");
        client
    }

    #[tokio::test]
    async fn a_cut_link_drops_datagrams_and_a_healed_one_passes_them() {
        let (server, _tasks) = echo_server().await;
        let proxy = Proxy::udp(server, 1).await.expect("proxy");
        let client = client_of(&proxy).await;
        ping(&client, 1).await;
        assert_eq!(echo(&client, HANG_MAX).await, Some(1));
        proxy.link().set(Fault::Cut);
        ping(&client, 2).await;
        assert_eq!(echo(&client, SILENCE).await, None);
        proxy.link().set(Fault::None);
        ping(&client, 3).await;
        assert_eq!(echo(&client, HANG_MAX).await, Some(3));
    }

    #[tokio::test]
    async fn a_link_that_drops_loses_some_datagrams_and_passes_others() {
        let (server, _tasks) = echo_server().await;
        let proxy = Proxy::udp(server, 1).await.expect("proxy");
        let client = client_of(&proxy).await;
        proxy.link().set(Fault::Drop(0.3));
        // Order is kept: what comes before an earlier one tells that the earlier one was lost.
        let some_lost = async {
            let mut expected = 0_u16;
            for number in 0..=u8::MAX {
                ping(&client, number).await;
                while let Some(passed) = echo(&client, Duration::from_millis(20)).await {
                    if u16::from(passed) > expected {
                        return true;
                    }
                    expected = u16::from(passed) + 1;
                }
            }
            false
        };
        assert!(timeout(HANG_MAX, some_lost).await.expect("in time"), "256 pings passed, or none");
    }

    #[tokio::test]
    async fn a_late_link_keeps_the_order() {
        let (server, _tasks) = echo_server().await;
        let proxy = Proxy::udp(server, 1).await.expect("proxy");
        let client = client_of(&proxy).await;
        proxy.link().set(Fault::Delay(Duration::from_millis(20)));
        for sent in 0..20_u8 {
            ping(&client, sent).await;
        }
        for expected in 0..20_u8 {
            assert_eq!(echo(&client, HANG_MAX).await, Some(expected));
        }
    }
}
