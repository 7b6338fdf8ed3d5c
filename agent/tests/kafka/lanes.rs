//! What is live before what an outage left, and topics that are cut otherwise than before.

use std::path::Path;
use std::sync::Arc;

use goldentime_agent::aggregate::{self, Aggregator};
use goldentime_agent::ship::flush::Author;
use goldentime_agent::ship::ledger::Ledger;
use goldentime_agent::ship::live::LiveQueue;
use goldentime_agent::ship::outgoing::{Outgoing, RecordKind};
use goldentime_agent::ship::spool::{self, Flush, NewRecord, Spool};
use goldentime_agent::ship::uplink::kafka::{Config, KafkaLink};
use goldentime_agent::ship::uplink::{Shipment, UplinkState};
use goldentime_model::ServiceId;
use goldentime_model::units::ByteSize;
use goldentime_runtime::{Clock, Drained, SystemClock, TaskKind, Tasks};
use goldentime_testkit::servers::kafka::{Kafka, Shape};
use goldentime_testkit::wait;
use goldentime_wire::proto::{self, record::Body};
use prost::Message;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::world::{HANG_MAX, Log, PARTITIONS, shared};

/// An agent without inputs: the test flushes.
struct Agent {
    shipment: Shipment,
    ledger: Ledger,
    partitions: watch::Receiver<Author>,
}

impl Agent {
    /// One whose data was cut into so many partitions when it ran last.
    async fn open(folder: &Path, partitions: u32) -> Self {
        let ledger = Ledger::default();
        let limits = spool::Config::default().limits();
        let opened = Spool::open(folder, limits, ledger.clone(), SystemClock.now()).await.expect("opens");
        let author = Author { agent: "a".into(), host: "web-1".into(), partitions };
        let (author, partitions) = watch::channel(author);
        let shipment = Shipment {
            spool: opened.spool,
            live: LiveQueue::default(),
            logs: LiveQueue::default(),
            author,
            aggregator: Aggregator::new(aggregate::Config::default(), Arc::new(SystemClock)),
            clock: Arc::new(SystemClock),
            state: UplinkState::default(),
        };
        Self { shipment, ledger, partitions }
    }

    fn send_to(&self, log: &Log, backlog_bytes_per_second_max: ByteSize) -> Tasks {
        let config = Config {
            connection: log.config.connection.clone(),
            topic_prefix: log.config.topic_prefix.clone(),
            backlog_bytes_per_second_max,
            ..Config::default()
        };
        let tasks = Tasks::new();
        let link = KafkaLink::new(config, self.shipment.clone(), CancellationToken::new());
        tasks.spawn(TaskKind::Station, "kafka", link.run());
        tasks
    }

    async fn stop(self, tasks: Tasks) {
        self.shipment.live.finish();
        self.shipment.logs.finish();
        assert_eq!(tasks.drain(HANG_MAX).await, Drained::Clean);
    }

    /// Flushes so many log-like records of a service, as the flusher does; each holds this many bytes.
    async fn flush(&self, service: &str, kind: RecordKind, records: usize, bytes: usize) -> Vec<Outgoing> {
        let id: ServiceId = service.parse().expect("an id");
        let partition = id.partition(self.partitions.borrow().partitions);
        let logs = proto::Logs {
            records: vec![proto::LogRecord {
                at_ns: SystemClock.now().0,
                message: noise(bytes),
                ..proto::LogRecord::default()
            }],
        };
        let record = proto::Record {
            service: service.into(),
            host: "web-1".into(),
            agent: "a".into(),
            body: (kind == RecordKind::Logs).then_some(Body::Logs(logs)),
            ..proto::Record::default()
        };
        let mut body = record.encode_to_vec();
        if kind != RecordKind::Logs {
            // A field that this version does not know, so that any number of bytes is a record.
            body.extend([0xfa, 0x07]);
            prost::encoding::encode_varint(bytes as u64, &mut body);
            body.extend(noise(bytes).into_bytes());
        }
        let new = NewRecord { kind, partition, events: 1, body: body.into() };
        let flush =
            Flush { flushed_at: SystemClock.now(), records: vec![new; records], positions: Vec::new() };
        let committed = self.shipment.spool.commit(&flush).await.expect("commits");
        let (logs, live): (Vec<_>, Vec<_>) =
            committed.iter().cloned().partition(|record| record.kind == RecordKind::Logs);
        self.shipment.live.push(live);
        self.shipment.logs.push(logs);
        committed
    }
}

/// Text that does not compress.
fn noise(bytes: usize) -> String {
    let mut state = 1_u64;
    let mut digit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + u8::try_from((state >> 33) % 90).expect("small"))
    };
    (0..bytes).map(|_| digit()).collect()
}

async fn arrived(log: &Log, records: &[Outgoing]) -> usize {
    let contents = log.contents().await;
    let is_there = |one: &Outgoing| {
        contents.records.iter().any(|(_, record)| {
            record.stream == one.stream.0.as_slice()
                && (record.partition, record.number) == (one.partition, one.number)
        })
    };
    records.iter().filter(|one| is_there(one)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_outage_left_goes_beside_what_is_live_and_never_before_it() {
    let kafka = shared().await;
    let log = Log::made(&kafka).await;
    let folder = tempfile::tempdir().expect("folder");
    let agent = Agent::open(folder.path(), PARTITIONS).await;
    // At this share it would take ten minutes.
    let left = agent.flush("p/e/s", RecordKind::Deltas, 500, 20_000).await;
    let tasks = agent.send_to(&log, ByteSize(16 << 10));
    let sending = || async { agent.shipment.state.get().kafka.and_then(|kafka| kafka.sending_since) };
    wait::until("sending", HANG_MAX, sending).await.expect("sends");
    for _ in 0..5 {
        let live = agent.flush("p/e/s", RecordKind::Deltas, 1, 100).await;
        assert_ne!(live[0].stream, left[0].stream, "what is live has a stream of its own");
        let there = || async { (arrived(&log, &live).await == 1).then_some(()) };
        wait::until("what is live", HANG_MAX, there).await.expect("arrives");
    }
    let of_left = || async { Some(arrived(&log, &left).await).filter(|arrived| *arrived > 0) };
    let of_left = wait::until("some of what was left", HANG_MAX, of_left).await.expect("arrives");
    assert!(of_left < left.len(), "the share is kept");
    agent.stop(tasks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_live_after_an_outage_waits_for_nothing_that_waited_during_it() {
    let mut kafka = Kafka::start(Shape::brokers(1)).await.expect("Kafka starts");
    let log = Log::made(&kafka).await;
    let folder = tempfile::tempdir().expect("folder");
    let agent = Agent::open(folder.path(), PARTITIONS).await;
    // At this share what waits would take ten minutes.
    let tasks = agent.send_to(&log, ByteSize(16 << 10));
    let first = agent.flush("p/e/s", RecordKind::Deltas, 1, 100).await;
    let acknowledged = || async { (agent.shipment.state.get().acknowledged > 0).then_some(()) };
    wait::until("the first record", HANG_MAX, acknowledged).await.expect("acknowledged");
    kafka.kill9_all();
    // Twice as much as fits in what is on its way and in the queue together.
    let mut waiting = Vec::new();
    for _ in 0..60 {
        waiting.extend(agent.flush("p/e/s", RecordKind::Deltas, 10, 20_000).await);
    }
    kafka.restart_all().await.expect("Kafka starts again");
    let new_stream = || async {
        let live = agent.flush("p/e/s", RecordKind::Deltas, 1, 100).await;
        (live[0].stream != first[0].stream).then_some(live)
    };
    let live = wait::until("a new stream", HANG_MAX, new_stream).await.expect("opened");
    let there = || async { (arrived(&log, &live).await == 1).then_some(()) };
    wait::until("what is live", HANG_MAX, there).await.expect("arrives");
    let before = arrived(&log, &waiting).await;
    assert!(before < waiting.len(), "some of what waited is backlog");
    let more = || async { (arrived(&log, &waiting).await > before).then_some(()) };
    wait::until("more of what waited", HANG_MAX, more).await.expect("arrives");
    log.contents().await.is_whole();
    agent.stop(tasks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_with_other_partitions_open_new_streams_and_what_has_no_place_is_counted() {
    let kafka = shared().await;
    let mut log = Log::of(&kafka);
    log.config.partitions = 2;
    goldentime_log::kafka::topics::ensure(&log.config).await.expect("made");
    let folder = tempfile::tempdir().expect("folder");
    let agent = Agent::open(folder.path(), 8).await;
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    for service in 0..40 {
        let name = format!("p/e/s{service}");
        let id: ServiceId = name.parse().expect("an id");
        match (id.partition(8), id.partition(2)) {
            (before, now) if before == now => kept.extend(agent.flush(&name, RecordKind::Logs, 1, 10).await),
            (2.., _) => gone.extend(agent.flush(&name, RecordKind::Logs, 1, 10).await),
            _ => {}
        }
    }
    assert!(!kept.is_empty() && !gone.is_empty());
    let tasks = agent.send_to(&log, ByteSize::mib(4));
    let mut partitions = agent.partitions.clone();
    partitions.wait_for(|author| author.partitions == 2).await.expect("told");
    let live = agent.flush("p/e/s", RecordKind::Deltas, 1, 10).await;
    let all = [kept, live].concat();
    let there = || async { (arrived(&log, &all).await == all.len()).then_some(()) };
    wait::until("what has a place", HANG_MAX, there).await.expect("arrives");
    let counted = || async {
        let drops = agent.ledger.by_reason();
        (drops.get("kafka_no_such_partition").copied().unwrap_or_default() == gone.len() as u64).then_some(())
    };
    wait::until("what has none", HANG_MAX, counted).await.expect("counted");
    agent.stop(tasks).await;
}
