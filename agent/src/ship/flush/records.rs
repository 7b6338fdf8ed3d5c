//! Records from what the shards held: stamped, and marked where a flush ends.

use std::collections::BTreeMap;

use goldentime_model::UnixNanos;
use goldentime_observe::contents::{Content, contents};
use goldentime_wire::proto::{self, record::Body};
use prost::Message;

use crate::aggregate::{Batch, Occurred, ServiceBatch};
use crate::ship::outgoing::RecordKind;
use crate::ship::spool::{Flush, NewRecord};

/// Who writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Id given at enrolment.
    pub agent: String,
    /// Name of this host.
    pub host: String,
    /// Number of partitions of the central.
    pub partitions: u32,
}

/// One flush in the making.
pub(super) struct Builder<'a> {
    author: &'a Author,
    flushed_at: UnixNanos,
    /// `None` while nothing can be promised: then no record ends a flush.
    progress: Option<UnixNanos>,
    records: Vec<(RecordKind, u64, proto::Record)>,
    positions: Flush,
}

impl<'a> Builder<'a> {
    pub(super) fn new(author: &'a Author, flushed_at: UnixNanos, progress: Option<UnixNanos>) -> Self {
        let positions = Flush { flushed_at, ..Flush::default() };
        Self { author, flushed_at, progress, records: Vec::new(), positions }
    }

    /// Takes in what one shard held.
    pub(super) fn add(&mut self, batch: Batch) {
        self.positions.positions.extend(batch.positions);
        for service in batch.services {
            self.add_service(service);
        }
    }

    /// A record that says nothing but how far the agent has come.
    pub(super) fn add_bare(&mut self, partition: u32) {
        let record = proto::Record { partition, ..self.envelope("", None) };
        self.records.push((RecordKind::Deltas, 0, record));
    }

    /// Partitions with deltas or bare progress in this flush: those that are told.
    pub(super) fn told(&self) -> impl Iterator<Item = u32> + '_ {
        self.records
            .iter()
            .filter(|(kind, ..)| *kind == RecordKind::Deltas)
            .map(|(_, _, record)| record.partition)
    }

    /// Partitions that anything goes to.
    pub(super) fn fed(&self) -> impl Iterator<Item = u32> + '_ {
        self.records.iter().map(|(_, _, record)| record.partition)
    }

    /// The flush, encoded.
    pub(super) fn finish(mut self) -> Flush {
        if self.progress.is_some() {
            let mut last = BTreeMap::new();
            for (at, (kind, _, record)) in self.records.iter().enumerate() {
                if *kind == RecordKind::Deltas {
                    last.insert(record.partition, at);
                }
            }
            for at in last.into_values() {
                self.records[at].2.flush_complete = true;
            }
        }
        self.positions.records = self.records.into_iter().map(encode).collect();
        self.positions
    }

    fn add_service(&mut self, batch: ServiceBatch) {
        let service = batch.service.clone();
        let partition = service.partition(self.author.partitions);
        for Content { events, occurred, body } in contents(batch) {
            let kind = match body {
                Body::Deltas(_) => RecordKind::Deltas,
                Body::Samples(_) => RecordKind::Samples,
                Body::Logs(_) => RecordKind::Logs,
            };
            let envelope = self.envelope(service.as_str(), occurred);
            let record = proto::Record { partition, body: Some(body), ..envelope };
            self.records.push((kind, events, record));
        }
    }

    fn envelope(&self, service: &str, occurred: Option<Occurred>) -> proto::Record {
        proto::Record {
            service: service.to_owned(),
            host: self.author.host.clone(),
            agent: self.author.agent.clone(),
            progress_ms: self.progress.map_or(0, |at| at.as_millis().max(0)),
            stamps: Some(proto::Stamps {
                occurred_ns: occurred.map_or(0, |occurred| occurred.at.0.max(0)),
                flushed_ns: self.flushed_at.0.max(0),
                occurred_is_coarse: occurred.is_some_and(|occurred| occurred.is_coarse),
            }),
            ..proto::Record::default()
        }
    }
}

fn encode((kind, events, record): (RecordKind, u64, proto::Record)) -> NewRecord {
    let partition = record.partition;
    // The identity is put before the body when it is sent (`Outgoing::encode`); what is at its default
    // takes no bytes.
    let body = proto::Record { partition: 0, ..record };
    NewRecord { kind, partition, events, body: body.encode_to_vec().into() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use goldentime_model::{Counts, Second, ServiceId};
    use goldentime_sketch::Sketch;

    use super::*;
    use crate::aggregate::{Bucket, SeriesDelta, SeriesKey};
    use crate::ship::outgoing::{Outgoing, StreamId};
    use goldentime_observe::contents::BODY_BYTES_MAX;

    fn author() -> Author {
        Author { agent: "a1".into(), host: "web-1".into(), partitions: 4 }
    }

    fn service(name: &str) -> ServiceId {
        ServiceId::new("shop", "prod", name).expect("valid")
    }

    fn batch(service: &ServiceId, buckets: usize) -> Batch {
        let mut sketch = Sketch::new();
        for i in 1..200 {
            sketch.insert(f64::from(i) * 0.37);
        }
        let counts = Counts { ok: 199, ..Counts::default() };
        let bucket = |at| Bucket { second: Second(1_700_000_000 + at), counts, sketch: sketch.clone() };
        let key = SeriesKey { service: service.clone(), endpoint: "/orders".into(), method: "GET".into() };
        let series = SeriesDelta { key: Arc::new(key), buckets: (0..buckets as i64).map(bucket).collect() };
        let one = ServiceBatch {
            service: service.clone(),
            series: vec![series],
            samples: Vec::new(),
            logs: Vec::new(),
            occurred: Some(Occurred { at: UnixNanos(5), is_coarse: false, is_urgent: false }),
        };
        Batch { services: vec![one], ..Batch::default() }
    }

    /// As the central sees them.
    fn sent(flush: Flush) -> Vec<proto::Record> {
        let records = flush.records.into_iter().zip(1..).map(|(record, number)| Outgoing {
            stream: StreamId([1; 16]),
            kind: record.kind,
            partition: record.partition,
            number,
            body: record.body,
        });
        records.map(|record| proto::Record::decode(record.encode().as_slice()).expect("decodes")).collect()
    }

    #[test]
    fn every_record_passes_the_centrals_own_check() {
        let author = author();
        let mut builder = Builder::new(&author, UnixNanos(7), Some(UnixNanos(6_000_000)));
        builder.add(batch(&service("order-api"), 3));
        builder.add_bare(1);
        for record in sent(builder.finish()) {
            goldentime_wire::record::check(&record, 4).expect("valid");
        }
    }

    #[test]
    fn a_long_series_is_cut_into_records_that_lose_nothing() {
        let author = author();
        let mut builder = Builder::new(&author, UnixNanos(7), Some(UnixNanos(6)));
        builder.add(batch(&service("order-api"), 4000));
        let flush = builder.finish();
        assert!(flush.records.len() > 1);
        assert_eq!(flush.records.iter().map(|record| record.events).sum::<u64>(), 4000 * 199);
        assert!(flush.records.iter().all(|record| record.body.len() < 2 * BODY_BYTES_MAX));
        let mut seconds: Vec<_> = Vec::new();
        for record in sent(flush) {
            goldentime_wire::record::check(&record, 4).expect("valid");
            let Some(Body::Deltas(deltas)) = record.body else { panic!("deltas") };
            for series in deltas.series {
                assert_eq!((series.endpoint.as_str(), series.method.as_str()), ("/orders", "GET"));
                seconds.extend(series.buckets.iter().map(|bucket| bucket.second));
            }
        }
        assert_eq!(seconds, (1_700_000_000..1_700_004_000).collect::<Vec<_>>());
    }

    #[test]
    fn the_last_record_of_a_partition_ends_the_flush_there() {
        let author = author();
        let mut builder = Builder::new(&author, UnixNanos(7), Some(UnixNanos(6)));
        builder.add(batch(&service("order-api"), 1));
        builder.add(batch(&service("order-api"), 1));
        let complete: Vec<_> = sent(builder.finish()).iter().map(|record| record.flush_complete).collect();
        assert_eq!(complete, [false, true]);
    }

    #[test]
    fn no_flush_is_complete_before_every_input_has_looked() {
        let author = author();
        let mut builder = Builder::new(&author, UnixNanos(7), None);
        builder.add(batch(&service("order-api"), 1));
        assert!(sent(builder.finish()).iter().all(|record| !record.flush_complete));
    }
}
