//! Intake over real QUIC on loopback: enrolment, records once and in order, acknowledgements,
//! reconnects, restarts, forks, refusals, and garbage.

mod early_data;
mod goodbye;
mod restart;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use goldentime_central::cluster::ClusterConfig;
use goldentime_central::evaluate::openslo::RuleSet;
use goldentime_central::ingest::agents::AgentEvent;
use goldentime_central::ingest::board::AgentBoard;
use goldentime_central::ingest::embedded::{EmbeddedLog, PartitionFeed};
use goldentime_central::ingest::registry::Registry;
use goldentime_central::ingest::start::{Good, create_token, open_authority};
use goldentime_central::ingest::{self, AgentsConfig, DeadLettersConfig};
use goldentime_log::LogConfig;
use goldentime_model::ServiceId;
use goldentime_runtime::{Clock, Drained, SystemClock, TaskKind, Tasks};
use goldentime_testkit::ports::{free_udp, loopback};
use goldentime_transport::client::{Client, Session, SessionError};
use goldentime_transport::endpoint;
use goldentime_transport::enrol::{EnrolError, enrol};
use goldentime_transport::identity::Identity;
use goldentime_transport::token::JoinToken;
use goldentime_wire::proto::control::Frame;
use goldentime_wire::proto::stream_header::Class;
use goldentime_wire::proto::{self, Hello, PartitionNumber, Record, StreamState};
use prost::Message;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::time::timeout;

const PARTITIONS: u32 = 2;
const STREAM: [u8; 16] = [9; 16];
/// The longest that anything here may take.
const SOON: Duration = Duration::from_secs(20);

async fn registry_in(state: &Path) -> Registry {
    let registry = Registry::open(state, &ClusterConfig::default()).await.expect("opens");
    registry.prepare().await.expect("asked");
    registry
}

struct Central {
    address: String,
    feeds: Vec<PartitionFeed>,
    agents: tokio::sync::mpsc::Receiver<AgentEvent>,
    board: AgentBoard,
    token: JoinToken,
    tasks: Tasks,
    // Rules never change here; the sender keeps their channel open.
    _rules: tokio::sync::watch::Sender<Arc<RuleSet>>,
}

impl Central {
    async fn start(state: &Path) -> Self {
        Self::start_with(state, AgentsConfig::default()).await
    }

    async fn start_with(state: &Path, config: AgentsConfig) -> Self {
        let clock = Arc::new(SystemClock);
        let now = clock.now();
        let authority = open_authority(&config, state, now).expect("authority");
        let registry = registry_in(state).await;
        let token = create_token(&authority, &registry, "shop", now, Good::default()).await.expect("token");
        let tasks = Tasks::new();
        let shared: goldentime_runtime::SharedClock = Arc::clone(&clock) as _;
        let kept = DeadLettersConfig::default();
        let letters = ingest::open_dead_letters(state, &kept, Arc::clone(&shared), &tasks);
        let letters = letters.await.expect("opens");
        let log = EmbeddedLog::open(state, LogConfig::default()).await.expect("opens");
        let ingest = ingest::open(authority, registry, letters, clock).await.expect("opens");
        let board = ingest.board();
        let listen = loopback(free_udp());
        let config = AgentsConfig { listen, ..config };
        let (rules_sender, rules) = tokio::sync::watch::channel(Arc::new(RuleSet::default()));
        let none = vec![None; PARTITIONS as usize];
        let (behind, feeds) = log.start(&tasks, &none, &shared).await.expect("starts");
        let agents = ingest.start(&tasks, &config, behind, rules).await.expect("starts");
        Self { address: listen.to_string(), feeds, agents, board, token, tasks, _rules: rules_sender }
    }

    async fn enrolled(&self) -> Identity {
        enrol(&self.address, &self.token, "web-1").await.expect("enrolled")
    }

    /// Offsets and numbers of the next `count` records of a partition.
    async fn merged(&mut self, partition: u32, count: usize) -> Vec<(u64, u64)> {
        let records = &mut self.feeds[partition as usize].records;
        let mut merged = Vec::new();
        while merged.len() < count {
            let logged = timeout(SOON, records.recv()).await.expect("in time").expect("open");
            merged.push((logged.offset, logged.record.number));
        }
        merged
    }

    /// Numbers and agents of the next `count` records of the service's partition.
    async fn authors(&mut self, count: usize) -> Vec<(u64, String)> {
        let records = &mut self.feeds[partition() as usize].records;
        let mut authors = Vec::new();
        while authors.len() < count {
            let logged = timeout(SOON, records.recv()).await.expect("in time").expect("open");
            authors.push((logged.record.number, logged.record.agent.clone()));
        }
        authors
    }

    /// Messages of the service's next record, which is one of logs.
    async fn messages(&mut self) -> Vec<String> {
        let records = &mut self.feeds[partition() as usize].records;
        let logged = timeout(SOON, records.recv()).await.expect("in time").expect("open");
        let Some(proto::record::Body::Logs(logs)) = logged.record.body else { panic!("it has logs") };
        logs.records.into_iter().map(|log| log.message).collect()
    }

    /// Stops, and gives what the merge had not taken yet.
    async fn stop(mut self) -> Vec<u64> {
        assert_eq!(self.tasks.drain(SOON).await, Drained::Clean);
        let mut left = Vec::new();
        for partition in &mut self.feeds {
            while let Ok(logged) = partition.records.try_recv() {
                left.push(logged.record.number);
            }
        }
        left
    }
}

fn service() -> ServiceId {
    ServiceId::new("shop", "prod", "order-api").expect("valid")
}

fn partition() -> u32 {
    service().partition(PARTITIONS)
}

fn record(agent: &str, number: u64) -> Record {
    let bucket = proto::Bucket { second: 1_800_000_000, ok: 1, ..Default::default() };
    let series =
        proto::SeriesDelta { endpoint: "/orders".into(), method: "GET".into(), buckets: vec![bucket] };
    Record {
        version: goldentime_wire::RECORD_VERSION,
        stream: Bytes::copy_from_slice(&STREAM),
        partition: partition(),
        number,
        service: service().to_string(),
        host: "web-1".into(),
        agent: agent.into(),
        body: Some(proto::record::Body::Deltas(proto::Deltas { series: vec![series] })),
        ..Default::default()
    }
}

fn encoded(record: &Record) -> Bytes {
    record.encode_to_vec().into()
}

fn hello(next: u64) -> Hello {
    let next = vec![PartitionNumber { partition: partition(), number: next }];
    let stream = StreamState { stream: Bytes::copy_from_slice(&STREAM), next, current: true };
    Hello {
        version: 1,
        host: "web-1".into(),
        agent_version: "test".into(),
        environment: "prod".into(),
        streams: vec![stream],
        started_ns: 1,
        sentinel: false,
        requests_flushed: None,
    }
}

async fn connect(central: &Central, client: &Client, next: u64) -> Session {
    client.connect(&central.address, hello(next)).await.expect("welcomed")
}

/// Waits for the acknowledgement of `number`.
async fn acknowledged(session: &mut Session, number: u64) {
    let seen = async {
        loop {
            match session.replies.next().await.expect("readable").expect("open") {
                Frame::Ack(ack) if ack.number >= number => return,
                _ => {}
            }
        }
    };
    timeout(SOON, seen).await.expect("acknowledged in time");
}

fn applied(session: &Session) -> u64 {
    let numbers = session.welcome.applied.iter().flat_map(|stream| &stream.next);
    numbers.map(|next| next.number).max().unwrap_or(0)
}

#[tokio::test]
async fn records_arrive_once_and_in_order_over_a_reconnect_and_a_restart() {
    let state = tempfile::tempdir().expect("temporary folder");
    let mut central = Central::start(state.path()).await;
    let identity = central.enrolled().await;
    let agent = identity.agent.clone();
    let client = Client::new(&identity).expect("client");
    let mut session = connect(&central, &client, 1).await;
    assert_eq!((applied(&session), session.welcome.partitions), (0, PARTITIONS));
    let mut live = session.uplink.open_stream(Class::Live).await.expect("stream");
    for number in 1..=5 {
        live.send(encoded(&record(&agent, number))).await.expect("sent");
    }
    acknowledged(&mut session, 5).await;
    assert_eq!(central.merged(partition(), 5).await, [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
    session.uplink.close("cut");

    // The same numbers again, as after a lost acknowledgement, and one more.
    let mut session = connect(&central, &client, 6).await;
    assert_eq!(applied(&session), 5);
    let mut live = session.uplink.open_stream(Class::Live).await.expect("stream");
    for number in 3..=6 {
        live.send(encoded(&record(&agent, number))).await.expect("sent");
    }
    acknowledged(&mut session, 6).await;
    assert_eq!(central.merged(partition(), 1).await, [(6, 6)]);
    session.uplink.close("done");
    assert!(central.stop().await.is_empty());

    // What was acknowledged is read back, and its numbers are known.
    let mut central = Central::start(state.path()).await;
    assert_eq!(central.feeds[partition() as usize].replay_until, 6);
    let again = central.merged(partition(), 6).await;
    assert_eq!(again.first().zip(again.last()), Some((&(1, 1), &(6, 6))));
    let session = connect(&central, &client, 7).await;
    assert_eq!(applied(&session), 6);
    session.uplink.close("done");
    central.stop().await;
}

#[tokio::test]
async fn numbers_that_were_used_already_are_told_and_shown_as_a_fork() {
    let state = tempfile::tempdir().expect("temporary folder");
    let central = Central::start(state.path()).await;
    let identity = central.enrolled().await;
    let agent = identity.agent.clone();
    let client = Client::new(&identity).expect("client");
    let mut session = connect(&central, &client, 1).await;
    let mut live = session.uplink.open_stream(Class::Live).await.expect("stream");
    for number in 1..=4 {
        live.send(encoded(&record(&agent, number))).await.expect("sent");
    }
    acknowledged(&mut session, 4).await;
    assert!(!central.board.all()[0].forked);
    let restored = connect(&central, &client, 3).await;
    assert_eq!(applied(&restored), 4, "the agent sees that its number 3 was used");
    assert!(central.board.all()[0].forked);
    restored.uplink.close("done");
    session.uplink.close("done");
    central.stop().await;
}

#[tokio::test]
async fn a_wrong_token_and_a_wrong_central_enrol_nobody() {
    let (state, other) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let central = Central::start(state.path()).await;
    let stranger = Central::start(other.path()).await;
    let forged = JoinToken::generate(central.token.authority).expect("random");
    let refused = enrol(&central.address, &forged, "web-1").await.expect_err("refused");
    assert!(
        matches!(&refused, EnrolError::Session(SessionError::Refused { code, .. }) if code == "token_unknown"),
        "{refused:?}"
    );
    let elsewhere = enrol(&stranger.address, &central.token, "web-1").await.expect_err("not the pinned one");
    assert!(matches!(&elsewhere, EnrolError::Session(SessionError::NotOurCentral { .. })), "{elsewhere:?}");
    central.stop().await;
    stranger.stop().await;
}

#[tokio::test]
async fn an_agent_that_another_process_revokes_is_cut_off_at_once_and_refused_until_it_is_restored() {
    let state = tempfile::tempdir().expect("temporary folder");
    let mut central = Central::start(state.path()).await;
    let identity = central.enrolled().await;
    let client = Client::new(&identity).expect("client");
    let session = connect(&central, &client, 1).await;
    // The command line opens the file anew, beside the running central.
    let command = registry_in(state.path()).await;
    assert!(command.revoke_agent(&identity.agent, SystemClock.now()).await.expect("revoked"));
    timeout(SOON, session.uplink.closed()).await.expect("cut off, although it says nothing");
    let refused = client.connect(&central.address, hello(1)).await.err().expect("refused");
    assert!(matches!(&refused, SessionError::Refused { code, .. } if code == "revoked"), "{refused:?}");
    let left = async { while !matches!(central.agents.recv().await, Some(AgentEvent::Left(_))) {} };
    timeout(SOON, left).await.expect("its silence is no alert");
    assert_eq!(central.board.counts(), (0, 0));

    assert!(command.restore_agent(&identity.agent).await.expect("restored"));
    let back = async { while client.connect(&central.address, hello(1)).await.is_err() {} };
    timeout(SOON, back).await.expect("let in again");
    central.stop().await;
}

#[tokio::test]
async fn a_token_for_two_agents_lets_two_in() {
    let state = tempfile::tempdir().expect("temporary folder");
    let central = Central::start(state.path()).await;
    let config = AgentsConfig::default();
    let authority = open_authority(&config, state.path(), SystemClock.now()).expect("opens");
    let registry = registry_in(state.path()).await;
    let good = Good { uses_max: Some(2), until: None };
    let token = create_token(&authority, &registry, "shop", SystemClock.now(), good).await.expect("made");
    for host in ["web-1", "web-2"] {
        enrol(&central.address, &token, host).await.expect("enrolled");
    }
    let refused = enrol(&central.address, &token, "web-3").await.expect_err("refused");
    assert!(
        matches!(&refused, EnrolError::Session(SessionError::Refused { code, .. }) if code == "token_used_up"),
        "{refused:?}"
    );
    let listed = registry.tokens().await.expect("lists");
    assert!(listed.iter().any(|token| (token.uses, token.uses_max) == (2, Some(2))), "{listed:?}");
    central.stop().await;
}

#[tokio::test]
async fn agents_that_are_known_leave_the_places_of_their_address_to_others() {
    const STRANGERS_MAX: usize = 4;
    let state = tempfile::tempdir().expect("temporary folder");
    let config = AgentsConfig { connections_per_address_max: STRANGERS_MAX, ..AgentsConfig::default() };
    let central = Central::start_with(state.path(), config).await;
    let mut sessions = Vec::new();
    for _ in 0..3 * STRANGERS_MAX {
        let identity = central.enrolled().await;
        sessions.push(connect(&central, &Client::new(&identity).expect("configured"), 1).await);
    }
    let mut silent = Vec::new();
    for _ in 0..STRANGERS_MAX {
        silent.push(stranger(&central).await);
    }
    let refused = enrol(&central.address, &central.token, "web-1").await.expect_err("refused");
    assert!(matches!(&refused, EnrolError::Session(SessionError::Busy { .. })), "{refused:?}");
    // Whoever says nothing has to go, and makes room.
    for connection in silent {
        timeout(SOON, connection.closed()).await.expect("closed by the central");
    }
    central.enrolled().await;
    for session in &mut sessions {
        session.control.send(Frame::Ping(proto::Ping::default())).await.expect("still connected");
    }
    central.stop().await;
}

#[tokio::test]
async fn one_identity_cannot_take_the_places_of_all() {
    let state = tempfile::tempdir().expect("temporary folder");
    let central = Central::start(state.path()).await;
    let identity = central.enrolled().await;
    let client = Client::new(&identity).expect("configured");
    let mut sessions = Vec::new();
    let refused = loop {
        assert!(sessions.len() < 50, "connected {} times", sessions.len());
        match client.connect(&central.address, hello(1)).await {
            Ok(session) => sessions.push(session),
            Err(refused) => break refused,
        }
    };
    assert!(
        matches!(&refused, SessionError::Refused { code, .. } if code == "too_many_connections"),
        "{refused:?}"
    );
    central.stop().await;
}

#[tokio::test]
async fn a_goodbye_is_told_as_leaving_and_a_ping_is_answered_with_its_times() {
    let state = tempfile::tempdir().expect("temporary folder");
    let mut central = Central::start(state.path()).await;
    let client = Client::new(&central.enrolled().await).expect("client");
    let mut session = connect(&central, &client, 1).await;
    let before = SystemClock.now();
    session
        .control
        .send(Frame::Ping(proto::Ping { sent_ns: before.0, ..Default::default() }))
        .await
        .expect("sent");
    let pong = loop {
        let frame = timeout(SOON, session.replies.next()).await.expect("in time").expect("readable");
        if let Some(Frame::Pong(pong)) = frame {
            break pong;
        }
    };
    assert!(pong.sent_ns == before.0 && pong.received_ns >= before.0 && pong.replied_ns >= pong.received_ns);
    session.control.send(Frame::Goodbye(proto::Goodbye { reason: "test".into() })).await.expect("sent");
    let event = |event: Option<AgentEvent>| event.expect("open");
    assert!(matches!(
        event(timeout(SOON, central.agents.recv()).await.expect("told")),
        AgentEvent::Connected(_)
    ));
    assert!(matches!(event(timeout(SOON, central.agents.recv()).await.expect("told")), AgentEvent::Left(_)));
    central.stop().await;
}

#[tokio::test]
async fn garbage_of_every_kind_changes_no_good_count() {
    let state = tempfile::tempdir().expect("temporary folder");
    let mut central = Central::start(state.path()).await;
    let identity = central.enrolled().await;
    let agent = identity.agent.clone();
    let client = Client::new(&identity).expect("client");
    let mut session = connect(&central, &client, 1).await;
    let mut live = session.uplink.open_stream(Class::Live).await.expect("stream");

    // Datagrams that are no QUIC, and some that pretend to be.
    let noise = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("bound");
    let mut bytes = [0_u8; 1200];
    for round in 0..2000_u32 {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (round.wrapping_mul(2_654_435_761).wrapping_add(at as u32 * 40_503) >> 13) as u8;
        }
        bytes[0] = if round % 2 == 0 { bytes[0] } else { 0xc0 };
        // A full buffer drops some, which is as well.
        let _ = noise.send_to(&bytes, &central.address).await;
        if round % 500 == 0 {
            live.send(encoded(&record(&agent, u64::from(round / 500) + 1))).await.expect("sent");
        }
    }

    // A record that is no protobuf, one of another project, one whose partition is wrong.
    live.send(Bytes::from_static(&[0xff; 40])).await.expect("sent");
    let theirs = ServiceId::new("bank", "prod", "order-api").expect("valid");
    let foreign =
        Record { service: theirs.to_string(), partition: theirs.partition(PARTITIONS), ..record(&agent, 1) };
    live.send(encoded(&foreign)).await.expect("sent");
    let lost = Record { number: 5, partition: partition() ^ 1, ..record(&agent, 5) };
    live.send(encoded(&lost)).await.expect("sent");
    live.send(encoded(&record(&agent, 5))).await.expect("sent");
    acknowledged(&mut session, 5).await;
    assert_eq!(central.merged(partition(), 5).await.last(), Some(&(5, 5)));

    // A stranger's frames, and a length that nobody may announce.
    for opening in [&[0xff; 64][..], &u32::MAX.to_be_bytes(), &[0, 0, 0, 1, 0]] {
        stranger_says(&central, opening).await;
    }
    let rogue = Client::new(&identity).expect("client");
    let huge = connect(&central, &rogue, 6).await;
    let mut stream = huge.uplink.open_stream(Class::Live).await.expect("stream");
    let limit = <Record as goldentime_wire::frame::Framed>::BYTES_MAX;
    assert!(stream.send(vec![0; limit + 1].into()).await.is_err(), "refused before it is sent");

    live.send(encoded(&record(&agent, 6))).await.expect("sent");
    acknowledged(&mut session, 6).await;
    assert_eq!(central.merged(partition(), 1).await, [(6, 6)]);
    huge.uplink.close("done");
    session.uplink.close("done");
    assert!(central.stop().await.is_empty());
}

#[tokio::test]
async fn an_agent_enrolled_anew_loses_nothing_and_speaks_in_its_own_name_only() {
    let state = tempfile::tempdir().expect("temporary folder");
    let mut central = Central::start(state.path()).await;
    let (former, identity) = (central.enrolled().await, central.enrolled().await);
    let client = Client::new(&identity).expect("client");
    let mut session = connect(&central, &client, 1).await;
    let mut backlog = session.uplink.open_stream(Class::Backlog).await.expect("stream");
    backlog.send(encoded(&record(&former.agent, 1))).await.expect("sent");
    backlog.send(encoded(&record(&identity.agent, 2))).await.expect("sent");
    acknowledged(&mut session, 2).await;
    session.uplink.close("done");
    let both = [(1, identity.agent.clone()), (2, identity.agent.clone())];
    assert_eq!(central.authors(2).await, both);
    assert!(central.stop().await.is_empty());

    // The log says the same as the merge heard.
    let mut central = Central::start(state.path()).await;
    assert_eq!(central.authors(2).await, both);
    central.stop().await;
}

#[tokio::test]
async fn one_log_line_that_is_too_long_costs_none_of_its_neighbours() {
    let state = tempfile::tempdir().expect("temporary folder");
    let mut central = Central::start(state.path()).await;
    let identity = central.enrolled().await;
    let client = Client::new(&identity).expect("client");
    let mut session = connect(&central, &client, 1).await;
    let mut lines = session.uplink.open_stream(Class::Logs).await.expect("stream");
    let log = |message: String| proto::LogRecord { at_ns: 1, message, ..Default::default() };
    let too_long = "x".repeat(goldentime_wire::limits::MESSAGE_BYTES_MAX + 1);
    let records = vec![log("before".into()), log(too_long), log("after".into())];
    let body = Some(proto::record::Body::Logs(proto::Logs { records }));
    lines.send(encoded(&Record { body, ..record(&identity.agent, 1) })).await.expect("sent");
    acknowledged(&mut session, 1).await;
    session.uplink.close("done");
    assert_eq!(central.board.all()[0].refused, 1);
    assert_eq!(central.messages().await, ["before", "after"]);
    assert!(central.stop().await.is_empty());

    let letters = dead_letters(state.path()).await;
    let detail = "message of 65537 bytes, 65536 allowed".to_owned();
    assert_eq!(letters, [(identity.agent.clone(), "too_long".to_owned(), detail)]);
    let mut central = Central::start(state.path()).await;
    assert_eq!(central.messages().await, ["before", "after"], "and so says the log");
    central.stop().await;
}

#[tokio::test]
async fn names_that_nobody_could_read_become_dead_letters_with_the_reason() {
    let state = tempfile::tempdir().expect("temporary folder");
    let mut central = Central::start(state.path()).await;
    let identity = central.enrolled().await;
    let client = Client::new(&identity).expect("client");
    let mut session = connect(&central, &client, 1).await;
    let mut live = session.uplink.open_stream(Class::Live).await.expect("stream");
    let agent = identity.agent.as_str();
    let series = |endpoint: &str| {
        let bucket = proto::Bucket { second: 1_800_000_000, ok: 1, ..Default::default() };
        let series =
            proto::SeriesDelta { endpoint: endpoint.into(), buckets: vec![bucket], ..Default::default() };
        Some(proto::record::Body::Deltas(proto::Deltas { series: vec![series] }))
    };
    let sample = proto::Sample { name: "\u{3000}".into(), ..Default::default() };
    let samples = Some(proto::record::Body::Samples(proto::Samples { samples: vec![sample] }));
    let bad = [
        Record { service: "shop/prod/ ".into(), ..record(agent, 1) },
        Record { service: "shop/prod/a\u{7}b".into(), ..record(agent, 2) },
        Record { host: "\t".into(), ..record(agent, 3) },
        Record { body: series(" "), ..record(agent, 4) },
        Record { body: series("/a\u{1b}[2J"), ..record(agent, 5) },
        Record { body: samples, ..record(agent, 6) },
    ];
    for record in &bad {
        live.send(encoded(record)).await.expect("sent");
    }
    live.send(encoded(&record(agent, 7))).await.expect("sent");
    acknowledged(&mut session, 7).await;
    session.uplink.close("done");
    assert_eq!(central.merged(partition(), 1).await, [(1, 7)]);
    assert!(central.stop().await.is_empty());
    let letters = dead_letters(state.path()).await;
    let letters: Vec<_> = letters.iter().map(|(_, reason, detail)| (&**reason, &**detail)).collect();
    let expected = [
        ("service", "a name is empty or blank"),
        ("service", "`\\u{7}` cannot stand in a name (not allowed: / { } and control characters)"),
        ("name", "host: a name is empty or blank"),
        ("name", "endpoint is blank"),
        ("name", "endpoint holds a control character"),
        ("name", "metric is blank"),
    ];
    assert_eq!(letters, expected);
}

/// Agent, reason and detail of what was refused.
async fn dead_letters(state: &Path) -> Vec<(String, String, String)> {
    let options = SqliteConnectOptions::new().filename(state.join("dead-letters.db"));
    let mut letters = SqliteConnection::connect_with(&options).await.expect("opens");
    let rows = sqlx::query_as("SELECT agent, reason, detail FROM dead_letters ORDER BY id");
    rows.fetch_all(&mut letters).await.expect("readable")
}

/// Opens a connection without a certificate.
async fn stranger(central: &Central) -> quinn::Connection {
    let address: SocketAddr = central.address.parse().expect("an address");
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().expect("valid")).expect("endpoint");
    let config = endpoint::stranger_client(central.token.authority).expect("config");
    let name = goldentime_transport::authority::SERVER_NAME;
    endpoint.connect_with(config, address, name).expect("begun").await.expect("connected")
}

/// Comes as a stranger and says something; waits until the central closes the connection.
async fn stranger_says(central: &Central, bytes: &[u8]) {
    let connection = stranger(central).await;
    let (mut send, _receive) = connection.open_bi().await.expect("stream");
    send.write_all(&BytesMut::from(bytes)).await.expect("sent");
    send.finish().expect("open");
    timeout(SOON, connection.closed()).await.expect("closed by the central");
}
