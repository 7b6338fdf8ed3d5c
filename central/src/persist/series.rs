//! The series store as a follower of the log: what a record adds to which rows.

use std::sync::Arc;

use goldentime_follower::{Advance, BoxFuture, Committed, Position, StoreError};
use goldentime_model::UnixNanos;
use goldentime_series::{MetricKey, Reading, Rows, SeriesStore};
use goldentime_wire::proto::{self, record::Body};

use super::follower::Follower;
use crate::ingest::logged::Logged;
use crate::merge::contents::Reader;
use crate::merge::lateness::LogTime;
use crate::merge::names::Names;

/// What a bucket of a new series takes in memory, about: the entries of whole, host and endpoint.
const BUCKET_BYTES: usize = 512;

/// A byte of an encoded sketch becomes this many in memory, at most, in each of the three.
const BYTES_PER_SKETCH_BYTE: usize = 3 * 16;

/// Follows the log into a series store.
pub struct SeriesFollower(pub Arc<dyn SeriesStore>);

/// Records of one partition, folded into rows.
#[derive(Default)]
pub struct Folded {
    rows: Rows,
    reader: Reader,
    names: Names,
}

impl Folded {
    fn add_deltas(&mut self, logged: &Logged, deltas: &proto::Deltas, log_time: LogTime) -> usize {
        let Some(service) = &logged.service else { return 0 };
        let Self { rows, reader, .. } = self;
        let host = reader.host(&logged.record.host);
        reader.each(&logged.record, &host, |second, _, add| {
            // Where the windows count it, history does: the same place by the same log time. What does not
            // fit a cell is counted together there as here, and by the merge as overflow.
            let _ = add(rows.cell(service, log_time.place(second).second()));
        });
        let buckets = deltas.series.iter().flat_map(|series| &series.buckets);
        buckets.map(|bucket| BUCKET_BYTES + bucket.sketch.len() * BYTES_PER_SKETCH_BYTE).sum()
    }

    fn add_samples(&mut self, logged: &Logged, samples: &proto::Samples, log_time: LogTime) -> usize {
        let Some(service) = &logged.service else { return 0 };
        let host = self.names.host(&logged.record.host);
        for sample in &samples.samples {
            let kind = match sample.counter {
                true => goldentime_model::SampleKind::Counter,
                false => goldentime_model::SampleKind::Gauge,
            };
            let key = MetricKey {
                metric: self.names.gauge(sample),
                host: Arc::clone(&host),
                kind,
                unit: self.names.text(&sample.unit),
            };
            let at = UnixNanos(sample.at_ns);
            let second = log_time.place(at.second()).second();
            // A reading from the future is one of the second in which it is counted.
            let at = if second == at.second() { at } else { second.start() };
            self.rows.add_sample(service, key, second, Reading::of(sample.value, at));
        }
        samples.samples.len() * BUCKET_BYTES / 2
    }
}

impl Follower for SeriesFollower {
    type Folded = Folded;

    fn name(&self) -> &'static str {
        "series"
    }

    fn position(&self, partition: u32) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        self.0.position(partition)
    }

    fn fold(&self, folded: &mut Folded, logged: &Logged, log_time: LogTime) -> usize {
        match &logged.record.body {
            Some(Body::Deltas(deltas)) => folded.add_deltas(logged, deltas, log_time),
            Some(Body::Samples(samples)) => folded.add_samples(logged, samples, log_time),
            Some(Body::Logs(_)) | None => 0,
        }
    }

    fn commit<'a>(
        &'a self,
        folded: &'a Folded,
        advance: &'a Advance,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        self.0.commit(&folded.rows, advance)
    }
}
