//! What a batch comes to, as it goes into the topics: records of streams, and letters.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use goldentime_kafka::Outgoing;
use goldentime_log::kafka::letters::letter_bytes_max;
use goldentime_log::kafka::{KafkaLogConfig, Letter, LetterKind, Topic};
use goldentime_model::UnixNanos;
use goldentime_observe::contents::Content;
use goldentime_wire::RECORD_VERSION;
use goldentime_wire::proto::{self, record::Body};
use goldentime_wire::record::{STREAM_BYTES, StreamId};
use prost::Message;

use super::fold::{Refused, Said};

/// Host of a record that says nothing but how far its reader has come.
const HOST: &str = "raw";
/// Bytes around a record's content that are not known before it is numbered.
const IDENTITY_BYTES: usize = 64;

/// Who writes, and where to.
#[derive(Clone, Debug)]
pub struct Author {
    /// What its records name as their agent: `raw-<partition>`.
    agent: String,
    /// The partition that it reads, as letters name it.
    source: String,
    judged: Arc<str>,
    lines: Arc<str>,
    letters: Arc<str>,
    partitions: u32,
    record_bytes_max: usize,
}

/// Records that have no number yet.
#[derive(Debug, Default)]
pub struct Prepared {
    records: Vec<Unnumbered>,
    letters: Vec<Outgoing>,
    /// Records that would be larger than the topics take.
    pub too_large: u64,
}

#[derive(Debug)]
struct Unnumbered {
    is_log: bool,
    partition: u32,
    key: Bytes,
    body: Bytes,
}

/// The two streams of one ownership of a partition: log lines have one of their own, since they are read apart.
#[derive(Debug)]
pub struct Streams {
    judged: StreamId,
    lines: StreamId,
    last: HashMap<(bool, u32), u64>,
}

/// A batch ready to be sent, and the numbers that count once it was.
pub struct Numbered {
    /// What to send.
    pub records: Arc<[Outgoing]>,
    last: HashMap<(bool, u32), u64>,
}

impl Author {
    /// Whoever reads this partition of the raw topic.
    #[must_use]
    pub fn of(config: &KafkaLogConfig, partition: u32) -> Self {
        Self {
            agent: format!("raw-{partition}"),
            source: format!("{}/{partition}", Topic::Raw.name(config)),
            judged: Topic::Deltas.name(config),
            lines: Topic::Logs.name(config),
            letters: Topic::DeadLetter.name(config),
            partitions: config.partitions,
            record_bytes_max: config.record_bytes_max.as_usize(),
        }
    }

    /// Records of what was said, which hold everything up to `progress`; and of partitions that were told before
    /// and of which nothing was said, that this is all.
    #[must_use]
    pub fn prepare(
        &self,
        said: Vec<Said>,
        refused: Vec<Refused>,
        told: impl IntoIterator<Item = u32>,
        times: Times,
    ) -> Prepared {
        let mut prepared = Prepared::default();
        for refused in refused {
            prepared.letters.push(self.letter(refused, times.now));
        }
        let mut records = Vec::with_capacity(said.len());
        let mut last = BTreeMap::new();
        for Said { service, host, content: Content { occurred, body, .. } } in said {
            let partition = service.partition(self.partitions);
            let is_log = matches!(body, Body::Logs(_));
            if !is_log {
                last.insert(partition, records.len());
            }
            let envelope = self.envelope(service.as_str(), &host, times);
            let stamps = proto::Stamps {
                occurred_ns: occurred.map_or(0, |occurred| occurred.at.0.max(0)),
                flushed_ns: times.now.0.max(0),
                occurred_is_coarse: occurred.is_some_and(|occurred| occurred.is_coarse),
            };
            records.push((
                is_log,
                partition,
                proto::Record { body: Some(body), stamps: Some(stamps), ..envelope },
            ));
        }
        for partition in told {
            last.entry(partition).or_insert_with(|| {
                records.push((false, partition, self.envelope("", HOST, times)));
                records.len() - 1
            });
        }
        last.into_values().for_each(|at| records[at].2.flush_complete = true);
        for (is_log, partition, record) in records {
            self.put(is_log, partition, record, times.now, &mut prepared);
        }
        prepared
    }

    fn put(
        &self,
        is_log: bool,
        partition: u32,
        record: proto::Record,
        now: UnixNanos,
        prepared: &mut Prepared,
    ) {
        let (key, body) = (Bytes::from(record.service.clone()), Bytes::from(record.encode_to_vec()));
        if key.len() + body.len() + IDENTITY_BYTES > self.record_bytes_max {
            let detail = format!("a record of {} bytes; raise cluster.kafka.record_bytes_max", body.len());
            let letter = Letter {
                source: self.source.clone(),
                host: record.host,
                service: record.service,
                detail,
                ..Letter::bare(now, LetterKind::Record, "too_large", body)
            };
            prepared.letters.push(self.give(letter));
            prepared.too_large += 1;
            return;
        }
        prepared.records.push(Unnumbered { is_log, partition, key, body });
    }

    fn letter(&self, refused: Refused, at: UnixNanos) -> Outgoing {
        let Refused { offset, reason, detail, record, key, names, is_shipped } = refused;
        self.give(Letter {
            // As Kafka's own tools count.
            source: format!("{}@{}", self.source, offset.saturating_sub(1)),
            host: names.host,
            project: names.project,
            service: names.service,
            detail,
            key,
            is_shipped,
            ..Letter::bare(at, LetterKind::Raw, reason, record)
        })
    }

    fn give(&self, letter: Letter) -> Outgoing {
        letter.outgoing(&self.letters, letter_bytes_max(self.record_bytes_max))
    }

    fn envelope(&self, service: &str, host: &str, times: Times) -> proto::Record {
        proto::Record {
            service: service.to_owned(),
            host: host.to_owned(),
            agent: self.agent.clone(),
            progress_ms: times.progress.as_millis().max(0),
            ..proto::Record::default()
        }
    }
}

/// When a batch was made, and the event time up to which there is nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The present.
    pub now: UnixNanos,
    /// Everything up to here has been read.
    pub progress: UnixNanos,
}

impl Prepared {
    /// Partitions of judged records, each once or more.
    pub fn told(&self) -> impl Iterator<Item = u32> + '_ {
        self.records.iter().filter(|record| !record.is_log).map(|record| record.partition)
    }

    /// Letters among them.
    #[must_use]
    pub const fn letters(&self) -> usize {
        self.letters.len()
    }
}

impl Streams {
    /// New ones.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn open() -> Result<Self, getrandom::Error> {
        let random = || {
            let mut id = [0; STREAM_BYTES];
            getrandom::fill(&mut id).map(|()| id)
        };
        Ok(Self { judged: random()?, lines: random()?, last: HashMap::new() })
    }

    /// Gives records their numbers. They count once [`Streams::sent`] says so: those of a transaction that was
    /// aborted were never seen, and are given again.
    #[must_use]
    pub fn number(&self, author: &Author, prepared: &Prepared) -> Numbered {
        let mut last = self.last.clone();
        let records = prepared.records.iter().map(|record| {
            let number = last.entry((record.is_log, record.partition)).or_default();
            *number += 1;
            let (stream, topic) = match record.is_log {
                true => (&self.lines, &author.lines),
                false => (&self.judged, &author.judged),
            };
            let identity = proto::Record {
                version: RECORD_VERSION,
                stream: Bytes::copy_from_slice(stream),
                partition: record.partition,
                number: *number,
                ..proto::Record::default()
            };
            // Two messages written one after the other are read as their union.
            let mut payload = identity.encode_to_vec();
            payload.extend_from_slice(&record.body);
            Outgoing {
                topic: Arc::clone(topic),
                partition: record.partition,
                key: record.key.clone(),
                headers: Vec::new(),
                payload: payload.into(),
            }
        });
        let records = records.collect::<Vec<_>>().into_iter().chain(prepared.letters.iter().cloned());
        Numbered { records: records.collect(), last }
    }

    /// They were committed.
    pub fn sent(&mut self, numbered: Numbered) {
        self.last = numbered.last;
    }
}
