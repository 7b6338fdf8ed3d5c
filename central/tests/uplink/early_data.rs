//! 0-RTT: what an agent that connects again sends with its first packets.

use std::sync::{Arc, Mutex, PoisonError};

use goldentime_transport::authority::SERVER_NAME;
use goldentime_wire::frame::{self, FrameReader};
use tokio::net::UdpSocket;

use super::*;

type Datagrams = Arc<Mutex<Vec<Vec<u8>>>>;

/// Stands between an agent and its central and keeps a copy of what the agent sends.
struct Eavesdropper {
    address: SocketAddr,
    heard: Datagrams,
}

impl Eavesdropper {
    async fn start(tasks: &Tasks, central: SocketAddr) -> Self {
        let near = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
        let far = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
        far.connect(central).await.expect("an address");
        let address = near.local_addr().expect("bound");
        let heard = Datagrams::default();
        tasks.spawn(TaskKind::Upkeep, "eavesdropper", relay(near, far, Arc::clone(&heard)));
        Self { address, heard }
    }

    fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers go to who spoke last: agents connect one after the other here.
async fn relay(near: UdpSocket, far: UdpSocket, heard: Datagrams) {
    let (mut up, mut down) = ([0; 2048], [0; 2048]);
    let mut agent = None;
    loop {
        tokio::select! {
            Ok((length, from)) = near.recv_from(&mut up) => {
                agent = Some(from);
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(up[..length].to_vec());
                far.send(&up[..length]).await.expect("the central listens");
            }
            Ok(length) = far.recv(&mut down) => {
                let Some(agent) = agent else { continue };
                near.send_to(&down[..length], agent).await.expect("sent");
            }
        }
    }
}

/// What an agent has said on one connection. The streams end when it is dropped.
struct Said {
    replies: FrameReader<quinn::RecvStream>,
    _control: quinn::SendStream,
    _live: quinn::SendStream,
}

/// Says hello with the next new number and sends records, without waiting for an answer.
async fn say(connection: &quinn::Connection, next: u64, numbers: std::ops::RangeInclusive<u64>) -> Said {
    let (mut control, receive) = connection.open_bi().await.expect("stream");
    let hello = proto::Control { frame: Some(Frame::Hello(hello(next))) };
    control.write_all(&frame::to_bytes(&hello).expect("fits")).await.expect("written");
    let mut live = connection.open_uni().await.expect("stream");
    let header = proto::StreamHeader { class: Class::Live.into() };
    live.write_all(&frame::to_bytes(&header).expect("fits")).await.expect("written");
    for number in numbers {
        live.write_all(&frame::to_bytes(&record("web-1", number)).expect("fits")).await.expect("written");
    }
    Said { replies: FrameReader::new(receive), _control: control, _live: live }
}

impl Said {
    async fn acknowledged(&mut self, number: u64) {
        let seen = async {
            loop {
                let control = self.replies.next::<proto::Control>().await.expect("readable").expect("open");
                if matches!(control.frame, Some(Frame::Ack(ack)) if ack.number >= number) {
                    return;
                }
            }
        };
        timeout(SOON, seen).await.expect("acknowledged in time");
    }
}

/// A packet of a handshake or of early data (RFC 9000, section 17.2).
fn has_long_header(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & 0x80 != 0)
}

/// Sends the datagrams from an address of their own, again and again until the central answers with a
/// handshake: as long as it remembers the connection that they began it drops them.
async fn replay(datagrams: &[Vec<u8>], central: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
    let mut answer = [0; 2048];
    let answered = async {
        loop {
            for datagram in datagrams {
                socket.send_to(datagram, central).await.expect("sent");
            }
            let patience = Duration::from_millis(50);
            if let Ok(Ok((length, _))) = timeout(patience, socket.recv_from(&mut answer)).await
                && has_long_header(&answer[..length])
            {
                return;
            }
        }
    };
    timeout(SOON, answered).await.expect("the central begins a handshake");
}

#[tokio::test]
async fn a_second_connection_sends_early_data_and_a_replay_of_it_is_counted_by_nobody() {
    let state = tempfile::tempdir().expect("temporary folder");
    let mut central = Central::start(state.path()).await;
    let eavesdropper =
        Eavesdropper::start(&central.tasks, central.address.parse().expect("an address")).await;
    let config = endpoint::enrolled_client(&central.enrolled().await).expect("config");
    let agent = quinn::Endpoint::client("127.0.0.1:0".parse().expect("valid")).expect("endpoint");
    let connect = || agent.connect_with(config.clone(), eavesdropper.address, SERVER_NAME).expect("begun");

    let connecting = connect().into_0rtt().err().expect("without a ticket nothing goes early");
    let connection = connecting.await.expect("connected");
    let mut said = say(&connection, 1, 1..=3).await;
    said.acknowledged(3).await;
    connection.close(0_u32.into(), b"cut");
    eavesdropper.take();

    let Ok((connection, accepted)) = connect().into_0rtt() else {
        panic!("the first connection left a ticket")
    };
    let mut said = say(&connection, 4, 4..=5).await;
    assert!(accepted.await, "hello and records went with the first packets");
    said.acknowledged(5).await;
    let first_flight: Vec<_> = eavesdropper.take().into_iter().filter(|it| has_long_header(it)).collect();
    connection.close(0_u32.into(), b"cut");

    replay(&first_flight, &central.address).await;
    let connection = connect().await.expect("connected");
    // Number 5 once more, as after a lost acknowledgement.
    let mut said = say(&connection, 6, 5..=6).await;
    said.acknowledged(6).await;
    let merged = central.merged(partition(), 6).await;
    assert_eq!(merged, [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)]);
    let mut connected = 0;
    while let Ok(event) = central.agents.try_recv() {
        connected += usize::from(matches!(event, AgentEvent::Connected(_)));
    }
    assert_eq!(connected, 3, "a replayed hello is not heard");
    connection.close(0_u32.into(), b"done");
    assert!(central.stop().await.is_empty());
}
