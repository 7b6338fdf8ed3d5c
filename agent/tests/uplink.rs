//! The uplink over cut links, restarts and clones.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use goldentime_model::config::Secret;
use goldentime_model::units::HumanDuration;
use goldentime_runtime::{Clock, Drained, SystemClock, TaskKind, Tasks};
use goldentime_testkit::proxy::{Fault, Proxy};
use goldentime_wire::proto;
use goldentime_wire::proto::stream_header::Class;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use common::{Central, PARTITIONS, Seen, State};
use goldentime_agent::aggregate::{self, Aggregator};
use goldentime_agent::ship::flush::Author;
use goldentime_agent::ship::ledger::Ledger;
use goldentime_agent::ship::live::{LIVE_BYTES_MAX, LiveQueue};
use goldentime_agent::ship::outgoing::{Outgoing, RecordKind};
use goldentime_agent::ship::spool::{self, Flush, NewRecord, Spool};
use goldentime_agent::ship::uplink::quic::{Cargo, Config, Link, LinkContext, enrolled};
use goldentime_agent::ship::uplink::{Shipment, UplinkState};

/// An agent without inputs: the test flushes.
struct Agent {
    spool: Spool,
    live: LiveQueue,
    logs: LiveQueue,
    aggregator: Aggregator,
    state: UplinkState,
    offset_measured: CancellationToken,
    tasks: Tasks,
}

impl Agent {
    async fn start(central: &Central, folder: &Path) -> Self {
        Self::start_with(central, vec![central.address.to_string()], folder).await
    }

    /// One that knows these addresses, with the token of `central`.
    async fn start_with(central: &Central, addresses: Vec<String>, folder: &Path) -> Self {
        let config = Config {
            addresses,
            join_token: Some(Secret::new(central.token.to_string())),
            reconnect_interval_max: HumanDuration::from_millis(200),
            ..Config::default()
        };
        let state = UplinkState::default();
        let stop = CancellationToken::new();
        let identity =
            enrolled(&config, folder, "web-1", &state, &stop).await.expect("enrols").expect("not stopped");
        let now = SystemClock.now();
        let limits = spool::Config::default().limits();
        let spool = Spool::open(folder, limits, Ledger::default(), now).await.expect("opens").spool;
        let aggregator = Aggregator::new(aggregate::Config::default(), Arc::new(SystemClock));
        let author = Author { agent: identity.agent.clone(), host: "web-1".into(), partitions: PARTITIONS };
        let agent = Self {
            spool: spool.clone(),
            live: LiveQueue::default(),
            logs: LiveQueue::default(),
            aggregator: aggregator.clone(),
            state: state.clone(),
            offset_measured: CancellationToken::new(),
            tasks: Tasks::new(),
        };
        let shipment = Shipment {
            spool,
            live: agent.live.clone(),
            logs: agent.logs.clone(),
            author: watch::channel(author).0,
            aggregator,
            clock: Arc::new(SystemClock),
            state,
        };
        let link = Link::new(LinkContext {
            config,
            identity,
            host: "web-1".into(),
            environment: "prod".into(),
            shipment,
            cargo: Cargo::Records,
            offset_measured: agent.offset_measured.clone(),
            report: Arc::new(proto::AgentReport::default),
        })
        .expect("a usable identity");
        agent.tasks.spawn(TaskKind::Station, "uplink", link.run());
        agent
    }

    /// Flushes one record of each kind given, as the flusher does.
    async fn flush(&self, kinds: &[RecordKind], body_bytes: usize) -> Vec<Outgoing> {
        // A field that this version does not know, so that any number of bytes is a record.
        let mut body = vec![0xfa, 0x07];
        prost::encoding::encode_varint(body_bytes as u64, &mut body);
        body.resize(body.len() + body_bytes, 0);
        let record =
            |kind: &RecordKind| NewRecord { kind: *kind, partition: 1, events: 1, body: body.clone().into() };
        let records = kinds.iter().map(record).collect();
        let flush = Flush { flushed_at: SystemClock.now(), records, positions: Vec::new() };
        let committed = self.spool.commit(&flush).await.expect("commits");
        let (logs, live): (Vec<_>, Vec<_>) =
            committed.iter().cloned().partition(|record| record.kind == RecordKind::Logs);
        self.live.push(live);
        self.logs.push(logs);
        committed
    }

    async fn stop(self) {
        self.live.finish();
        self.logs.finish();
        assert_eq!(self.tasks.drain(Duration::from_secs(20)).await, Drained::Clean);
    }
}

fn seen(record: &Outgoing) -> Seen {
    (record.stream, record.partition, record.number)
}

fn received(central: &Central, records: &[Outgoing]) -> Vec<usize> {
    let state = central.state();
    records
        .iter()
        .map(|record| state.received.iter().filter(|(got, _)| *got == seen(record)).count())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_flushed_arrives_once_is_acknowledged_and_leaves_the_spool() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let agent = Agent::start(&central, &folder.path().join("agent")).await;
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.extend(agent.flush(&[RecordKind::Deltas, RecordKind::Samples, RecordKind::Logs], 100).await);
    }
    central.until("all records", |state| state.received.len() >= 60).await;
    assert_eq!(received(&central, &sent), [1; 60]);
    central.until("every acknowledgement", |_| agent.state.get().acknowledged >= 60).await;
    let spool = agent.spool.clone();
    agent.stop().await;
    spool.upkeep(SystemClock.now()).await.expect("kept up");
    assert_eq!(spool.usage().records, 0);
    central.until("the goodbye", |state| state.goodbyes == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_central_that_cannot_enrol_anybody_for_now_is_asked_again() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    central.state().unavailable = 4;
    let agent = Agent::start(&central, &folder.path().join("agent")).await;
    central.until("a session", |state| state.hellos.len() == 1).await;
    assert_eq!(central.state().unavailable, 0);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_cut_exactly_what_was_not_taken_is_sent_again() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let agent = Agent::start(&central, &folder.path().join("agent")).await;
    let taken = agent.flush(&[RecordKind::Deltas; 5], 100).await;
    central.until("the first five", |state| state.received.len() >= 5).await;

    central.state().is_deaf = true;
    let lost = agent.flush(&[RecordKind::Deltas; 5], 100).await;
    central.until("five that are lost", |state| state.dropped == 5).await;
    central.cut();
    central.state().is_deaf = false;
    let while_away = agent.flush(&[RecordKind::Deltas; 5], 100).await;

    let all: Vec<_> = [taken, lost, while_away].concat();
    central
        .until("all records", |state| all.iter().all(|one| state.received.iter().any(|r| r.0 == seen(one))))
        .await;
    assert_eq!(received(&central, &all), [1; 15]);
    let numbers: Vec<_> = central.state().received.iter().map(|((_, _, number), _)| *number).collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<_>>());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_that_is_larger_than_the_queue_arrives_though_nothing_comes_after_it() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let agent = Agent::start(&central, &folder.path().join("agent")).await;
    central.until("a session", |state| !state.hellos.is_empty()).await;
    let burst = [RecordKind::Logs; 40];
    let sent = agent.flush(&burst, 4 * LIVE_BYTES_MAX / burst.len()).await;
    central.until("the whole burst", |state| state.received.len() >= burst.len()).await;
    assert_eq!(received(&central, &sent), [1; 40]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_taken_but_never_acknowledged_are_not_sent_again() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let agent = Agent::start(&central, &folder.path().join("agent")).await;
    central.state().is_mute = true;
    let sent = agent.flush(&[RecordKind::Deltas; 8], 100).await;
    central.until("eight records", |state| state.received.len() >= 8).await;
    central.cut();
    central.state().is_mute = false;
    central.until("a second session", |state| state.hellos.len() >= 2).await;
    let more = agent.flush(&[RecordKind::Deltas], 100).await;
    central.until("a ninth", |state| state.received.len() >= 9).await;
    assert_eq!(received(&central, &[sent, more].concat()), [1; 9]);
    agent.stop().await;
}

/// Waits until one of them has a session, and gives which.
async fn chosen(centrals: &[Central]) -> usize {
    let hello = |central: &Central| !central.state().hellos.is_empty();
    centrals[0].until("a session", |state| !state.hellos.is_empty() || hello(&centrals[1])).await;
    usize::from(hello(&centrals[1]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_goes_on_with_another_central_when_its_own_stops() {
    let folder = tempfile::tempdir().expect("folder");
    let mut centrals = Vec::from([(); 2].map(|()| Central::start(&folder.path().join("authority"))));
    let addresses = centrals.iter().map(|central| central.address.to_string()).collect();
    let agent = Agent::start_with(&centrals[0], addresses, &folder.path().join("agent")).await;
    let own = chosen(&centrals).await;
    let taken = agent.flush(&[RecordKind::Deltas; 5], 100).await;
    centrals[own].until("the first five", |state| state.received.len() >= 5).await;
    assert_eq!(received(&centrals[own], &taken), [1; 5]);
    drop(centrals.remove(own));
    let more = agent.flush(&[RecordKind::Deltas; 5], 100).await;
    let has = |state: &State| more.iter().all(|one| state.received.iter().any(|r| r.0 == seen(one)));
    centrals[0].until("what came later", has).await;
    assert_eq!(received(&centrals[0], &more), [1; 5]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_goes_on_with_another_central_when_nothing_comes_from_its_own() {
    let folder = tempfile::tempdir().expect("folder");
    let centrals = [(); 2].map(|()| Central::start(&folder.path().join("authority")));
    let mut links = Vec::new();
    for central in &centrals {
        links.push(Proxy::udp(central.address, 1).await.expect("a proxy"));
    }
    // One more, on a machine that is gone.
    let gone = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("bound");
    let mut addresses: Vec<String> = links.iter().map(|link| link.address().to_string()).collect();
    addresses.push(gone.local_addr().expect("bound").to_string());
    let agent = Agent::start_with(&centrals[0], addresses, &folder.path().join("agent")).await;
    let own = chosen(&centrals).await;
    links[own].link().set(Fault::HalfOpen);
    let sent = agent.flush(&[RecordKind::Deltas; 5], 100).await;
    let has = |state: &State| sent.iter().all(|one| state.received.iter().any(|r| r.0 == seen(one)));
    centrals[1 - own].until("what was sent meanwhile", has).await;
    assert_eq!(received(&centrals[1 - own], &sent), [1; 5]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_outage_left_goes_as_backlog_while_live_records_have_new_streams() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let agent = Agent::start(&central, &folder.path().join("agent")).await;
    central.until("a session", |state| state.hellos.len() == 1).await;
    central.state().is_deaf = true;
    let left = agent.flush(&[RecordKind::Deltas; 40], 20_000).await;
    central.until("forty that are lost", |state| state.dropped == 40).await;
    central.cut();
    central.state().is_deaf = false;
    central.until("a second hello", |state| state.hellos.len() >= 2).await;
    let live = agent.flush(&[RecordKind::Deltas], 100).await;
    assert_ne!(live[0].stream, left[0].stream);
    central
        .until("backlog and live", |state| {
            left.iter().chain(&live).all(|one| state.received.iter().any(|r| r.0 == seen(one)))
        })
        .await;
    let received = central.state().received.clone();
    for (record, class) in &received {
        let is_live = record.0 == live[0].stream;
        assert_eq!(*class, i32::from(if is_live { Class::Live } else { Class::Backlog }));
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_run_left_is_sent_under_its_old_numbers() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let first = Agent::start(&central, &folder.path().join("agent")).await;
    central.until("a session", |state| state.hellos.len() == 1).await;
    central.state().is_deaf = true;
    central.state().is_mute = true;
    let left = first.flush(&[RecordKind::Deltas, RecordKind::Logs], 100).await;
    first.stop().await;
    central.state().is_deaf = false;
    central.state().is_mute = false;

    let second = Agent::start(&central, &folder.path().join("agent")).await;
    central
        .until("what was left", |state| {
            left.iter().all(|one| state.received.iter().any(|r| r.0 == seen(one)))
        })
        .await;
    let hello = central.state().hellos.last().cloned().expect("said");
    let current: Vec<_> = hello.streams.iter().map(|stream| stream.current).collect();
    assert_eq!(current, [true, true, true, false, false]);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_numbers_were_used_by_a_clone_opens_new_streams_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let agent = Agent::start(&central, &folder.path().join("agent")).await;
    central.until("a session", |state| state.hellos.len() == 1).await;
    central.state().is_deaf = true;
    let ours = agent.flush(&[RecordKind::Deltas; 3], 100).await;
    central.until("three that are lost", |state| state.dropped == 3).await;
    central.state().pretend_applied = Some(50);
    central.cut();
    central.state().is_deaf = false;
    central.until("a hello that is a fork", |state| state.hellos.len() >= 2).await;
    central.state().pretend_applied = None;
    central.until("our three records", |state| state.received.len() >= 3).await;
    let received = central.state().received.clone();
    assert!(received.iter().all(|((stream, ..), _)| *stream != ours[0].stream));
    let numbers: Vec<_> = received.iter().map(|((_, _, number), _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(agent.state.get().forks >= 1);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_ten_minutes_off_is_corrected() {
    let folder = tempfile::tempdir().expect("folder");
    let central = Central::start(&folder.path().join("central"));
    let ten_minutes_ns = 600_000_000_000;
    central.state().clock_offset_ns = ten_minutes_ns;
    let agent = Agent::start(&central, &folder.path().join("agent")).await;
    tokio::time::timeout(Duration::from_secs(10), agent.offset_measured.cancelled()).await.expect("measured");
    // On a busy machine one ping may take longer than its pong; of several the quickest counts.
    let error_ns = || (agent.aggregator.clock_offset() - ten_minutes_ns).abs();
    central.until("an offset within 100 ms", |_| error_ns() < 100_000_000).await;
    agent.stop().await;
}
