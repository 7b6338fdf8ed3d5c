//! A central of one agent: enrolment, QUIC and frames are those of the programs, the log behind them
//! is a list in memory. Keeps what it is sent, and does what a test wants of it.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use goldentime_runtime::{Clock, SystemClock, TaskKind, Tasks};
use goldentime_transport::authority::{Authority, ServerCertificate};
use goldentime_transport::endpoint;
use goldentime_transport::token::JoinToken;
use goldentime_wire::REFUSED_UNAVAILABLE;
use goldentime_wire::frame::{self, FrameReader};
use goldentime_wire::proto::{self, control::Frame};

use goldentime_agent::ship::outgoing::StreamId;

/// What is known of a record: its identity and its service.
pub type Seen = (StreamId, u32, u64);

pub const PARTITIONS: u32 = 4;

/// A central that runs until dropped.
pub struct Central {
    pub address: SocketAddr,
    pub token: JoinToken,
    endpoint: quinn::Endpoint,
    shared: Arc<Shared>,
    tasks: Tasks,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
pub struct State {
    /// Every record as it came, repeats included, with the class of its QUIC stream.
    pub received: Vec<(Seen, i32)>,
    /// Last number by (stream, partition).
    pub applied: BTreeMap<(StreamId, u32), u64>,
    pub hellos: Vec<proto::Hello>,
    pub goodbyes: usize,
    /// Requests in the deltas that were no repeats.
    pub requests: u64,
    /// Withholds acknowledgements.
    pub is_mute: bool,
    /// Drops what comes, as a central does that is killed before its log has it.
    pub is_deaf: bool,
    /// Records that were dropped so.
    pub dropped: usize,
    /// Answers hellos as though these numbers had been used.
    pub pretend_applied: Option<u64>,
    /// So many enrolments meet a trouble of the central's own: one is told of it, the next sees the
    /// connection closed as by a central that stops, and so on.
    pub unavailable: usize,
    /// Added to the clock in pongs.
    pub clock_offset_ns: i64,
    connections: Vec<quinn::Connection>,
}

impl Central {
    pub fn start(folder: &std::path::Path) -> Self {
        let now = SystemClock.now();
        let authority = Arc::new(Authority::open(folder, now).expect("authority"));
        let certificate =
            Arc::new(ServerCertificate::new(Arc::clone(&authority), Vec::new(), now).expect("certificate"));
        let endpoint =
            endpoint::serve(SocketAddr::from(([127, 0, 0, 1], 0)), &certificate, "").expect("listens");
        let central = Self {
            address: endpoint.local_addr().expect("bound"),
            token: JoinToken::generate(authority.fingerprint()).expect("token"),
            endpoint: endpoint.clone(),
            shared: Arc::default(),
            tasks: Tasks::new(),
        };
        let (shared, tasks) = (Arc::clone(&central.shared), central.tasks.clone());
        central.tasks.spawn(TaskKind::Upkeep, "accept", async move {
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connecting) = incoming.accept() else { continue };
                let (shared, authority, inner) = (Arc::clone(&shared), Arc::clone(&authority), tasks.clone());
                tasks.spawn(TaskKind::Upkeep, "agent", async move {
                    if let Ok(connection) = connecting.await {
                        connection.set_receive_window(endpoint::CONNECTION_WINDOW_BYTES.into());
                        talk(connection, shared, authority, inner).await;
                    }
                });
            }
        });
        central
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no test panics while it holds this")
    }

    /// Cuts every connection, as a central does that is killed.
    pub fn cut(&self) {
        for connection in self.state().connections.drain(..) {
            connection.close(0_u32.into(), b"cut");
        }
    }

    /// Waits until the state is as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&State) -> bool) {
        self.until_or(what, wanted, String::new).await;
    }

    /// Waits until the state is as wanted, and explains by `why` if that never comes.
    pub async fn until_or(&self, what: &str, wanted: impl Fn(&State) -> bool, why: impl FnOnce() -> String) {
        let seen = async {
            while !wanted(&self.state()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), seen).await.is_err() {
            let requests = self.state().requests;
            panic!("never came: {what} ({requests} requests)\n{}", why());
        }
    }
}

impl Drop for Central {
    fn drop(&mut self) {
        self.tasks.stop();
        self.endpoint.close(0_u32.into(), b"end of the test");
    }
}

async fn talk(connection: quinn::Connection, shared: Arc<Shared>, authority: Arc<Authority>, tasks: Tasks) {
    let lock = || shared.state.lock().expect("no test panics while it holds this");
    let Ok((mut send, receive)) = connection.accept_bi().await else { return };
    let mut frames = FrameReader::new(receive);
    let (acks, mut acks_due) = tokio::sync::mpsc::unbounded_channel::<proto::Ack>();
    loop {
        let frame = tokio::select! {
            frame = frames.next::<proto::Control>() => frame,
            Some(ack) = acks_due.recv() => {
                if reply(&mut send, Frame::Ack(ack)).await.is_err() { return }
                continue;
            }
        };
        let Ok(Some(proto::Control { frame: Some(frame) })) = frame else { return };
        let answer = match frame {
            Frame::EnrolRequest(_) if lock().unavailable > 0 => {
                let left = lock().unavailable - 1;
                lock().unavailable = left;
                if left.is_multiple_of(2) {
                    return connection.close(1_u32.into(), b"the central stops");
                }
                let (code, detail) = (REFUSED_UNAVAILABLE.into(), "its log has the cause".into());
                Some(Frame::Refused(proto::Refused { code, detail }))
            }
            Frame::EnrolRequest(request) => {
                let now = SystemClock.now();
                let signed = authority.sign_agent(&request.csr_der, "agent-1", "shop", now).expect("signed");
                Some(Frame::EnrolReply(proto::EnrolReply {
                    agent: "agent-1".into(),
                    project: "shop".into(),
                    certificate_der: signed.to_vec().into(),
                }))
            }
            Frame::Hello(hello) => {
                let welcome = welcome(&mut lock(), &hello);
                lock().connections.push(connection.clone());
                let (connection, shared, inner) = (connection.clone(), Arc::clone(&shared), tasks.clone());
                let acks = acks.clone();
                tasks.spawn(TaskKind::Upkeep, "streams", async move {
                    while let Ok(stream) = connection.accept_uni().await {
                        inner.spawn(
                            TaskKind::Upkeep,
                            "stream",
                            records(stream, Arc::clone(&shared), acks.clone()),
                        );
                    }
                });
                lock().hellos.push(hello);
                Some(Frame::Welcome(welcome))
            }
            Frame::Ping(ping) => {
                let now_ns = SystemClock.now().0 + lock().clock_offset_ns;
                let (received_ns, replied_ns) = (now_ns, now_ns);
                Some(Frame::Pong(proto::Pong { sent_ns: ping.sent_ns, received_ns, replied_ns }))
            }
            Frame::Goodbye(_) => {
                lock().goodbyes += 1;
                None
            }
            _ => None,
        };
        if let Some(answer) = answer
            && reply(&mut send, answer).await.is_err()
        {
            return;
        }
    }
}

async fn reply(send: &mut quinn::SendStream, frame: Frame) -> Result<(), quinn::WriteError> {
    let bytes = frame::to_bytes(&proto::Control { frame: Some(frame) }).expect("fits");
    send.write_all(&bytes).await
}

fn welcome(state: &mut State, hello: &proto::Hello) -> proto::Welcome {
    let applied = hello.streams.iter().map(|stream| {
        let id = StreamId::from_slice(&stream.stream).expect("an id");
        let last = |partition: u32| {
            state
                .pretend_applied
                .unwrap_or_else(|| state.applied.get(&(id, partition)).copied().unwrap_or_default())
        };
        let next = stream
            .next
            .iter()
            .map(|next| proto::PartitionNumber { partition: next.partition, number: last(next.partition) });
        proto::StreamState { stream: stream.stream.clone(), next: next.collect(), current: false }
    });
    proto::Welcome {
        version: 1,
        project: "shop".into(),
        partitions: PARTITIONS,
        generation: 1,
        applied: applied.collect(),
        lease_ms: 30_000,
        record_age_ms_max: 86_400_000,
    }
}

async fn records(
    stream: quinn::RecvStream,
    shared: Arc<Shared>,
    acks: tokio::sync::mpsc::UnboundedSender<proto::Ack>,
) {
    let mut frames = FrameReader::new(stream);
    let Ok(Some(header)) = frames.next::<proto::StreamHeader>().await else { return };
    // What has lost one record takes none of the later ones.
    let mut has_dropped = false;
    while let Ok(Some(record)) = frames.next::<proto::Record>().await {
        let stream = StreamId::from_slice(&record.stream).expect("an id");
        let mut state = shared.state.lock().expect("no test panics while it holds this");
        has_dropped |= state.is_deaf;
        if has_dropped {
            state.dropped += 1;
            continue;
        }
        state.received.push(((stream, record.partition, record.number), header.class));
        let last = state.applied.entry((stream, record.partition)).or_default();
        if record.number > *last {
            assert_eq!(record.number, *last + 1, "a number is missing");
            *last = record.number;
            state.requests += requests(&record);
        }
        if !state.is_mute {
            let ack =
                proto::Ack { stream: record.stream, partition: record.partition, number: record.number };
            // Fails when the agent has gone.
            let _ = acks.send(ack);
        }
    }
}

fn requests(record: &proto::Record) -> u64 {
    let Some(proto::record::Body::Deltas(deltas)) = &record.body else { return 0 };
    let buckets = deltas.series.iter().flat_map(|series| &series.buckets);
    buckets.map(|bucket| bucket.counts().total()).sum()
}
