//! What a service's batch comes to on the wire: contents of records, cut to size.

use goldentime_model::UnixNanos;
use goldentime_wire::limits;
use goldentime_wire::proto::{self, record::Body};
use prost::Message;

use crate::aggregate::{Occurred, SeriesDelta, ServiceBatch};

/// A record is cut when its content reaches this many bytes. Small enough that one never holds up a live
/// one for long, large enough that the envelope does not count.
pub const BODY_BYTES_MAX: usize = 128 << 10;

/// What one record is to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Requests, samples or log records in it.
    pub events: u64,
    /// For whose sake it travels.
    pub occurred: Option<Occurred>,
    /// The content, encoded.
    pub body: Body,
}

/// Everything of a batch, in contents of about [`BODY_BYTES_MAX`] that are within the limits of the wire.
#[must_use]
pub fn contents(batch: ServiceBatch) -> Vec<Content> {
    let mut contents = Vec::new();
    for (events, series) in cut_series(batch.series) {
        let body = Body::Deltas(proto::Deltas { series });
        contents.push(Content { events, occurred: batch.occurred, body });
    }
    let samples = batch.samples.into_iter().map(proto::Sample::from);
    for samples in cut_list(samples, limits::SAMPLES_MAX, proto::Sample::encoded_len) {
        let occurred = samples.iter().map(|sample| sample.at_ns).max().map(at_instant);
        let events = samples.len() as u64;
        contents.push(Content { events, occurred, body: Body::Samples(proto::Samples { samples }) });
    }
    let logs = batch.logs.into_iter().map(proto::LogRecord::from);
    for records in cut_list(logs, limits::LOG_RECORDS_MAX, proto::LogRecord::encoded_len) {
        let occurred = records.iter().map(|record| record.at_ns).max().map(at_instant);
        let events = records.len() as u64;
        contents.push(Content { events, occurred, body: Body::Logs(proto::Logs { records }) });
    }
    contents
}

const fn at_instant(nanos: i64) -> Occurred {
    Occurred { at: UnixNanos(nanos), is_coarse: false, is_urgent: false }
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
