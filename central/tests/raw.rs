//! What others produce to the raw topic, on a real Kafka and by real centrals that do nothing else: each line is
//! counted once, whoever reads it and whatever is killed in the middle of a transaction.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::future::try_join_all;
use goldentime_kafka::{Outgoing, Producer, ProducerHandle};
use goldentime_log::ReadLog;
use goldentime_log::kafka::{KafkaLog, KafkaLogConfig, Topic, topics};
use goldentime_runtime::{TaskKind, Tasks};
use goldentime_testkit::programs::{Central, CentralConfig};
use goldentime_testkit::servers::kafka::{Kafka, Shape};
use goldentime_testkit::wait;
use goldentime_wire::frame;
use goldentime_wire::proto::{Record, record::Body};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::sync::Mutex;

/// The longest that anything may take: a guard against hanging.
const HANG_MAX: Duration = Duration::from_secs(120);
const PARTITIONS: u32 = 3;
/// Short transactions one after the other, so that a kill meets one.
const RAW: &str = "  raw:
    inputs:
    - name: nginx
      match: {fields: {tag: 'nginx.*'}}
      service_field: service
      line_field: log
      ship_logs: true
      format: {type: regex, pattern: '^(?P<method>[A-Z]+) (?P<path>/[^ ]*) (?P<status>\\d+) (?P<duration>[0-9.]+)$'}
    commit_interval: 20ms
";

/// One Kafka at a time: the kills of one test are felt by the other's.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Topics, and who produces to the raw one.
struct World {
    kafka: Kafka,
    config: KafkaLogConfig,
    producer: ProducerHandle,
    logs: HashMap<Topic, KafkaLog>,
    folder: tempfile::TempDir,
    sent: u64,
}

/// What is in the topics.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    requests: u64,
    lines: u64,
    letters: BTreeMap<String, u64>,
}

impl World {
    async fn start() -> Result<Self> {
        let kafka = Kafka::start(Shape::brokers(1)).await?;
        let mut config =
            KafkaLogConfig { partitions: PARTITIONS, replication: 1, ..KafkaLogConfig::default() };
        config.connection.brokers = kafka.addresses();
        topics::ensure(&config).await?;
        let tasks = Tasks::new();
        let (producer, handle) = Producer::new(&config.connection, config.producer_limits());
        tasks.spawn(TaskKind::Station, "producer", producer.run());
        let mut logs = HashMap::new();
        for topic in [Topic::Deltas, Topic::Logs, Topic::DeadLetter] {
            logs.insert(topic, KafkaLog::open(&config, topic, &tasks)?);
        }
        Ok(Self { kafka, config, producer: handle, logs, folder: tempfile::tempdir()?, sent: 0 })
    }

    /// A gateway that is not started yet.
    fn gateway(&self, name: &str) -> Result<CentralConfig> {
        let mut config = CentralConfig::new(&self.folder.path().join(name), None)?;
        config.extra_yaml = format!(
            "roles: [gateway]\ncluster:\n  kafka:\n    connection: {{brokers: {:?}}}\n    partitions: {PARTITIONS}\n    \
             replication: 1\n    member: {name}\n{RAW}",
            self.config.connection.brokers
        );
        Ok(config)
    }

    async fn produce(&mut self, record: impl Into<Bytes>) -> Result<()> {
        let record = Outgoing {
            topic: Topic::Raw.name(&self.config),
            partition: (self.sent % u64::from(PARTITIONS)) as u32,
            key: Bytes::new(),
            headers: Vec::new(),
            payload: record.into(),
        };
        self.sent += 1;
        // What waits for the broker is bounded by the producer.
        drop(self.producer.send(record).await?);
        Ok(())
    }

    /// Lines in the form of Fluent Bit, of two services on three hosts.
    async fn lines(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            let (id, at_s) = (self.sent, 1_795_362_004 + self.sent / 1000);
            let (host, service) = (id % 3, id % 2);
            self.produce(format!(
                r#"{{"@timestamp":{at_s}.25,"tag":"nginx.access","hostname":"web-{host}","service":"shop-{service}","log":"GET /orders/{id} 200 0.0{id}"}}"#
            ))
            .await?;
        }
        Ok(())
    }

    async fn entries(&self, topic: Topic, partitions: u32) -> Result<Vec<Bytes>> {
        let log = &self.logs[&topic];
        let read = (0..partitions).map(async |partition| {
            // Gateways say once a second how far they are: the end moves on.
            let end = log.bounds(partition).await?.last;
            let (mut all, mut next) = (Vec::new(), 1);
            while next <= end {
                let read = log.read(partition, next, 1000).await?;
                let Some(last) = read.last() else { break };
                next = last.offset + 1;
                all.extend(read.into_iter().map(|entry| entry.record));
            }
            anyhow::Ok(all)
        });
        Ok(try_join_all(read).await?.concat())
    }

    /// What the topics hold; no number of a stream is missing or comes twice.
    async fn counted(&self) -> Result<Counted> {
        let mut counted = Counted::default();
        let mut streams: BTreeMap<(Vec<u8>, u32), u64> = BTreeMap::new();
        let (judged, lines, letters) = tokio::try_join!(
            self.entries(Topic::Deltas, PARTITIONS),
            self.entries(Topic::Logs, PARTITIONS),
            self.entries(Topic::DeadLetter, 1)
        )?;
        for record in judged.into_iter().chain(lines) {
            let record: Record = frame::decode(record).context("a record")?;
            let last = streams.entry((record.stream.to_vec(), record.partition)).or_default();
            assert_eq!(record.number, *last + 1, "{} in partition {}", record.agent, record.partition);
            *last = record.number;
            match record.body {
                Some(Body::Deltas(deltas)) => {
                    let buckets = deltas.series.iter().flat_map(|series| &series.buckets);
                    counted.requests += buckets.map(|bucket| bucket.counts().total()).sum::<u64>();
                }
                Some(Body::Logs(logs)) => counted.lines += logs.records.len() as u64,
                Some(Body::Samples(_)) | None => {}
            }
        }
        for letter in letters {
            *counted.letters.entry(String::from_utf8_lossy(&letter).into_owned()).or_default() += 1;
        }
        Ok(counted)
    }

    /// How far each partition reaches, and how much of it is read.
    async fn extent(&self) -> String {
        let mut extent = String::new();
        for (topic, partitions) in
            [(Topic::Deltas, PARTITIONS), (Topic::Logs, PARTITIONS), (Topic::DeadLetter, 1)]
        {
            for partition in 0..partitions {
                let log = &self.logs[&topic];
                let (bounds, read) = (log.bounds(partition).await, log.read(partition, 1, 10_000).await);
                let read = read.map(|read| read.last().map(|last| (read.len(), last.offset)));
                extent.push_str(&format!("{topic:?} {partition}: {bounds:?}, read {read:?}; "));
            }
        }
        extent
    }

    /// Waits until at least as many requests were counted.
    async fn until_counted(&self, requests: u64) -> Result<()> {
        let enough = async || {
            let counted = self.counted().await.ok()?;
            (counted.requests >= requests).then_some(())
        };
        let waited = wait::until(&format!("{requests} requests"), HANG_MAX, enough).await;
        match waited {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(format!("{:?}; {}", self.counted().await, self.extent().await))),
        }
    }

    /// What was counted, and shipped, and kept, once all requests were and everybody who reads has ended.
    async fn settled(&self, requests: u64, gateways: Vec<Central>) -> Result<Counted> {
        self.until_counted(requests).await?;
        for gateway in gateways {
            gateway.stop().await?;
        }
        self.counted().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_count_once_while_readers_are_killed_anywhere_and_partitions_change_hands() -> Result<()> {
    let _alone = ALONE.lock().await;
    let mut world = World::start().await?;
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut gateways = vec![world.gateway("one")?.start().await?];
    world.lines(500).await?;
    world.until_counted(500).await?;
    gateways.push(world.gateway("two")?.start().await?);
    for kill in 0..12_usize {
        world.lines(random.random_range(200..2000)).await?;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1500))).await;
        gateways[kill % 2].crash();
        if kill % 3 == 2 {
            // Its partitions go to the other, which counts on.
            let sent = world.sent;
            world.lines(500).await?;
            world.until_counted(sent + 500).await.with_context(|| format!("seed {seed}, kill {kill}"))?;
        }
        gateways[kill % 2].revive().await.with_context(|| format!("seed {seed}, kill {kill}"))?;
    }
    let requests = world.sent;
    let counted = world.settled(requests, gateways).await.with_context(|| format!("seed {seed}"))?;
    assert_eq!(counted, Counted { requests, lines: requests, letters: BTreeMap::new() }, "seed {seed}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_kept_once_over_an_outage_of_kafka_and_costs_nothing_else() -> Result<()> {
    let _alone = ALONE.lock().await;
    let mut world = World::start().await?;
    let gateway = world.gateway("one")?.start().await?;
    world.lines(500).await?;
    let garbage: [&[u8]; 4] =
        [b"plain", b"{\"tag\":\"nginx.a\"}", b"{\"tag\":\"nginx.a\",\"log\":\"?\"}", b"\xff\xfe\x00"];
    for record in garbage {
        world.produce(record).await?;
    }
    world.lines(500).await?;
    world.until_counted(500).await?;
    world.kafka.kill9_all();
    world.lines(500).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.kafka.restart_all().await?;
    world.lines(500).await?;
    let counted = world.settled(2000, vec![gateway]).await?;
    let letters = garbage.map(|record| (String::from_utf8_lossy(record).into_owned(), 1));
    // The line that has no known form is shipped all the same.
    assert_eq!(counted, Counted { requests: 2000, lines: 2001, letters: letters.into_iter().collect() });
    Ok(())
}
