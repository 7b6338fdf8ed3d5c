//! Records from what the shards held: cut to size, stamped, and marked where a flush ends.

use std::collections::BTreeMap;

use goldentime_model::UnixNanos;
use goldentime_wire::limits;
use goldentime_wire::proto::{self, record::Body};
use prost::Message;

use crate::aggregate::{Batch, Occurred, SeriesDelta, ServiceBatch};
use crate::ship::outgoing::RecordKind;
use crate::ship::spool::{Flush, NewRecord};

/// A record is cut when its content reaches this. Small enough that one never holds up a live one
/// for long, large enough that the envelope does not count.
const BODY_BYTES_MAX: usize = 128 << 10;

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
        let service = batch.service;
        let mut contents = Vec::new();
        for (events, series) in cut_series(batch.series) {
            let body = Body::Deltas(proto::Deltas { series });
            contents.push((RecordKind::Deltas, events, batch.occurred, body));
        }
        let samples = batch.samples.into_iter().map(proto::Sample::from);
        for samples in cut_list(samples, limits::SAMPLES_MAX, proto::Sample::encoded_len) {
            let occurred = samples.iter().map(|sample| sample.at_ns).max().map(at_instant);
            let events = samples.len() as u64;
            contents.push((RecordKind::Samples, events, occurred, Body::Samples(proto::Samples { samples })));
        }
        let logs = batch.logs.into_iter().map(proto::LogRecord::from);
        for records in cut_list(logs, limits::LOG_RECORDS_MAX, proto::LogRecord::encoded_len) {
            let occurred = records.iter().map(|record| record.at_ns).max().map(at_instant);
            let events = records.len() as u64;
            contents.push((RecordKind::Logs, events, occurred, Body::Logs(proto::Logs { records })));
        }
        let partition = service.partition(self.author.partitions);
        for (kind, events, occurred, body) in contents {
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

const fn at_instant(nanos: i64) -> Occurred {
    Occurred { at: UnixNanos(nanos), is_coarse: false, is_urgent: false }
}

fn encode((kind, events, record): (RecordKind, u64, proto::Record)) -> NewRecord {
    let partition = record.partition;
    // The identity is put before the body when it is sent (`Outgoing::encode`); what is at its default
    // takes no bytes.
    let body = proto::Record { partition: 0, ..record };
    NewRecord { kind, partition, events, body: body.encode_to_vec().into() }
}

/// Cuts series, and a long series' buckets, into lists that fit one record; each with its requests.
fn cut_series(series: Vec<SeriesDelta>) -> Vec<(u64, Vec<proto::SeriesDelta>)> {
    let mut lists = Vec::new();
    let mut open = OpenList::default();
    for delta in series {
        open.begin_series(&delta);
        for bucket in delta.buckets {
            let mut encoded = proto::Bucket::of_counts(bucket.second, &bucket.counts);
            if !bucket.sketch.is_empty() {
                let mut sketch = Vec::new();
                bucket.sketch.encode_wire(&mut sketch);
                encoded.sketch = sketch.into();
            }
            if !open.has_room(encoded.encoded_len()) {
                let (endpoint, method) = (delta.key.endpoint.to_string(), delta.key.method.to_string());
                lists.push(std::mem::take(&mut open).close());
                open.series.push(proto::SeriesDelta { endpoint, method, buckets: Vec::new() });
            }
            open.push(bucket.counts.total(), encoded);
        }
    }
    lists.push(open.close());
    lists.retain(|(_, series)| !series.is_empty());
    lists
}

#[derive(Default)]
struct OpenList {
    series: Vec<proto::SeriesDelta>,
    bytes: usize,
    buckets: usize,
    requests: u64,
}

impl OpenList {
    fn begin_series(&mut self, delta: &SeriesDelta) {
        let (endpoint, method) = (delta.key.endpoint.to_string(), delta.key.method.to_string());
        self.bytes += endpoint.len() + method.len();
        self.series.push(proto::SeriesDelta { endpoint, method, buckets: Vec::new() });
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.buckets == 0
            || (self.bytes + bytes <= BODY_BYTES_MAX
                && self.series.len() <= limits::SERIES_MAX
                && self.buckets < limits::BUCKETS_MAX)
    }

    fn push(&mut self, requests: u64, bucket: proto::Bucket) {
        self.bytes += bucket.encoded_len();
        self.buckets += 1;
        self.requests = self.requests.saturating_add(requests);
        if let Some(series) = self.series.last_mut() {
            series.buckets.push(bucket);
        }
    }

    fn close(mut self) -> (u64, Vec<proto::SeriesDelta>) {
        self.series.retain(|series| !series.buckets.is_empty());
        (self.requests, self.series)
    }
}

/// Cuts a list so that each part has at most `items_max` items of about [`BODY_BYTES_MAX`].
fn cut_list<T>(
    items: impl Iterator<Item = T>,
    items_max: usize,
    encoded_len: impl Fn(&T) -> usize,
) -> Vec<Vec<T>> {
    let mut lists: Vec<Vec<T>> = Vec::new();
    let mut bytes = BODY_BYTES_MAX;
    for item in items {
        let item_bytes = encoded_len(&item);
        match lists.last_mut() {
            Some(list) if bytes + item_bytes <= BODY_BYTES_MAX && list.len() < items_max => {
                bytes += item_bytes;
                list.push(item);
            }
            _ => {
                bytes = item_bytes;
                lists.push(vec![item]);
            }
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use goldentime_model::{Counts, Second, ServiceId};
    use goldentime_sketch::Sketch;

    use super::*;
    use crate::aggregate::{Bucket, SeriesKey};
    use crate::ship::outgoing::{Outgoing, StreamId};

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
            occurred: Some(at_instant(5)),
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
