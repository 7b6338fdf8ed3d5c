//! A Kafka that tests share as long as one of them needs it, and what stands in its topics.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use goldentime_log::ReadLog;
use goldentime_log::kafka::{KafkaLog, KafkaLogConfig, Topic, topics};
use goldentime_runtime::Tasks;
use goldentime_testkit::servers::kafka::{Kafka, Shape};
use goldentime_wire::proto::{self, record::Body};
use goldentime_wire::record;
use prost::Message;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// The longest that anything may take: a guard against hanging.
pub(crate) const HANG_MAX: Duration = Duration::from_secs(120);

/// Partitions, unless a test wants others.
pub(crate) const PARTITIONS: u32 = 3;

static SHARED: Mutex<Weak<Kafka>> = Mutex::const_new(Weak::new());
static PREFIXES: AtomicU32 = AtomicU32::new(1);

/// One broker without anything special. It ends with the last test that has it.
pub(crate) async fn shared() -> Arc<Kafka> {
    let mut shared = SHARED.lock().await;
    if let Some(running) = shared.upgrade() {
        return running;
    }
    let kafka = Arc::new(Kafka::start(Shape::brokers(1)).await.expect("Kafka starts"));
    *shared = Arc::downgrade(&kafka);
    kafka
}

/// The topics of one test, as a central sees them.
pub(crate) struct Log {
    pub(crate) config: KafkaLogConfig,
    /// Other numbers of partitions that records were cut for.
    pub(crate) cut_for: Vec<u32>,
}

/// What stands in the topics.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Every record in the order of its partition, repeats included, with its topic.
    pub(crate) records: Vec<(Topic, proto::Record)>,
    /// Records that stand there again.
    pub(crate) repeats: usize,
    /// Requests counted in what is no repeat.
    pub(crate) requests: u64,
    /// Log lines in what is no repeat.
    pub(crate) lines: u64,
    /// Numbers that are not one more than the one before them of (stream, partition).
    pub(crate) gaps: Vec<(u32, u64, u64)>,
}

impl Log {
    /// Topics that nobody has made yet.
    pub(crate) fn of(kafka: &Kafka) -> Self {
        let number = PREFIXES.fetch_add(1, Ordering::Relaxed);
        let mut config = KafkaLogConfig {
            topic_prefix: format!("agent-{number}"),
            partitions: PARTITIONS,
            replication: 1,
            ..KafkaLogConfig::default()
        };
        config.connection.brokers = kafka.addresses();
        Self { config, cut_for: Vec::new() }
    }

    /// Topics as a central makes them.
    pub(crate) async fn made(kafka: &Kafka) -> Self {
        let log = Self::of(kafka);
        topics::ensure(&log.config).await.expect("made");
        log
    }

    /// Everything that stands in both topics, checked as a central checks it.
    pub(crate) async fn contents(&self) -> Contents {
        let mut contents = Contents::default();
        // Readers end with them, or every look would leave two clients behind.
        let tasks = Tasks::new();
        let (mut seen, mut last) = (HashSet::new(), BTreeMap::new());
        let mut cut_for = self.cut_for.clone();
        cut_for.push(self.config.partitions);
        for topic in [Topic::Deltas, Topic::Logs] {
            let log = KafkaLog::open(&self.config, topic, &tasks).expect("opens");
            for partition in 0..self.config.partitions {
                let mut next = 1;
                loop {
                    let entries = log.read(partition, next, 1000).await.expect("read");
                    let Some(end) = entries.last() else { break };
                    next = end.offset + 1;
                    for entry in &entries {
                        assert_eq!(entry.partition, partition);
                        contents.take(topic, partition, &cut_for, &entry.record, &mut seen, &mut last);
                    }
                }
            }
        }
        tasks.drain(HANG_MAX).await;
        contents
    }

    /// Waits until the topics hold what is wanted, and explains by `why` if that never comes.
    pub(crate) async fn until(
        &self,
        what: &str,
        wanted: impl Fn(&Contents) -> bool,
        why: impl FnOnce() -> String,
    ) -> Contents {
        let until = Instant::now() + HANG_MAX;
        loop {
            let looked_at = Instant::now();
            let contents = timeout(HANG_MAX, self.contents()).await.expect("Kafka can be read");
            if wanted(&contents) {
                return contents;
            }
            // Only a look that began after the whole time is word of what is missing.
            assert!(
                looked_at < until,
                "never came: {what} ({} requests, {} lines, gaps {:?})\n{}",
                contents.requests,
                contents.lines,
                contents.gaps,
                why()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Contents {
    fn take(
        &mut self,
        topic: Topic,
        partition: u32,
        cut_for: &[u32],
        bytes: &[u8],
        seen: &mut HashSet<(Vec<u8>, u32, u64)>,
        last: &mut BTreeMap<(Vec<u8>, u32), u64>,
    ) {
        let record = proto::Record::decode(bytes).expect("a record");
        assert_eq!(record.partition, partition, "{record:?}");
        let is_valid = |partitions: &u32| record::check(&record, *partitions).is_ok();
        assert!(cut_for.iter().any(is_valid), "not valid in the partition of its service: {record:?}");
        let is_logs = matches!(record.body, Some(Body::Logs(_)));
        assert_eq!(is_logs, topic == Topic::Logs, "{topic:?} holds {:?}", record.body);
        let stream = record.stream.to_vec();
        if seen.insert((stream.clone(), partition, record.number)) {
            let before = last.insert((stream, partition), record.number).unwrap_or_default();
            if record.number != before + 1 {
                self.gaps.push((partition, before, record.number));
            }
            match &record.body {
                Some(Body::Deltas(deltas)) => {
                    let buckets = deltas.series.iter().flat_map(|series| &series.buckets);
                    self.requests += buckets.map(|bucket| bucket.counts().total()).sum::<u64>();
                }
                Some(Body::Logs(logs)) => self.lines += logs.records.len() as u64,
                _ => {}
            }
        } else {
            self.repeats += 1;
        }
        self.records.push((topic, record));
    }

    /// All numbers came, each for the first time in its order.
    pub(crate) fn is_whole(&self) {
        assert_eq!(self.gaps, [], "{} repeats", self.repeats);
    }
}
