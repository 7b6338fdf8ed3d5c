//! What is taken out of a shard at a flush.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use goldentime_model::{Counts, LogRecord, Sample, Second, ServiceId, UnixNanos};
use goldentime_sketch::Sketch;

use super::position::{PositionKey, PositionUpdate};
use super::series::SeriesKey;

/// Everything that one input read since its last flush, and how far it has read. To be committed in
/// one transaction or not at all.
#[derive(Debug, Default)]
pub struct Batch {
    /// By service; only those with something to say.
    pub services: Vec<ServiceBatch>,
    /// Changes of read positions.
    pub positions: Vec<(PositionKey, PositionUpdate)>,
    /// Corrected event time up to which this input has read everything there is; `None` before its
    /// first look.
    pub progress: Option<UnixNanos>,
    /// What was not taken in, by reason.
    pub drops: Drops,
}

/// Counts by reason; a reason is also the metric label.
pub type Drops = BTreeMap<&'static str, u64>;

/// What one input read of one service.
#[derive(Debug)]
pub struct ServiceBatch {
    /// Whom it is about.
    pub service: ServiceId,
    /// Increments by series.
    pub series: Vec<SeriesDelta>,
    /// Samples in the order they were read.
    pub samples: Vec<Sample>,
    /// Log records in the order they were read.
    pub logs: Vec<LogRecord>,
    /// The newest observation that a rule would care about, else the newest; `None` if there is no
    /// observation.
    pub occurred: Option<Occurred>,
}

/// When the observation happened for whose sake a batch travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurred {
    /// Its end, corrected.
    pub at: UnixNanos,
    /// Read from a stamp of whole seconds.
    pub is_coarse: bool,
    /// It is bad, or slower than a threshold.
    pub is_urgent: bool,
}

/// Increments of one series.
#[derive(Debug)]
pub struct SeriesDelta {
    /// Its names.
    pub key: Arc<SeriesKey>,
    /// By second, in the order in which the seconds were first seen.
    pub buckets: Vec<Bucket>,
}

/// Increments of one series in one second.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Event time.
    pub second: Second,
    /// Requests by outcome.
    pub counts: Counts,
    /// Durations, of those requests that have one.
    pub sketch: Sketch,
}

impl Batch {
    /// Whether there is nothing to commit (progress alone needs no commit).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.positions.is_empty()
    }
}

/// A bucket as it stands in the shard.
#[derive(Debug)]
pub(super) struct OpenBucket {
    pub(super) key: Arc<SeriesKey>,
    pub(super) series: u32,
    pub(super) bucket: Bucket,
    pub(super) occurred: Occurred,
    /// What its sketch takes on the heap.
    pub(super) heap_bytes: usize,
}

impl Occurred {
    /// Keeps the later of two, an urgent one before any other.
    #[inline]
    pub(super) fn keep(&mut self, other: Self) {
        if (other.is_urgent, other.at) > (self.is_urgent, self.at) {
            *self = other;
        }
    }
}

/// What a shard hands out under its lock; sorted into a [`Batch`] without it.
#[derive(Debug, Default)]
pub(super) struct RawBatch {
    pub(super) buckets: Vec<OpenBucket>,
    pub(super) samples: Vec<(ServiceId, Sample)>,
    pub(super) logs: Vec<(ServiceId, LogRecord)>,
    pub(super) positions: HashMap<PositionKey, PositionUpdate>,
    pub(super) progress: Option<UnixNanos>,
    pub(super) drops: Drops,
}

impl RawBatch {
    /// Sorts by service and series.
    pub(super) fn into_batch(self) -> Batch {
        let mut services = ByService::default();
        let mut series_at: HashMap<u32, (usize, usize)> = HashMap::with_capacity(self.buckets.len());
        for open in self.buckets {
            let (service_at, delta_at) = *series_at.entry(open.series).or_insert_with(|| {
                let at = services.at(&open.key.service);
                let deltas = &mut services.batches[at].series;
                deltas.push(SeriesDelta { key: Arc::clone(&open.key), buckets: Vec::new() });
                (at, deltas.len() - 1)
            });
            let service = &mut services.batches[service_at];
            service.occurred.get_or_insert(open.occurred).keep(open.occurred);
            service.series[delta_at].buckets.push(open.bucket);
        }
        for (service, sample) in self.samples {
            services.get(&service).samples.push(sample);
        }
        for (service, record) in self.logs {
            services.get(&service).logs.push(record);
        }
        Batch {
            services: services.batches,
            positions: self.positions.into_iter().collect(),
            progress: self.progress,
            drops: self.drops,
        }
    }
}

#[derive(Default)]
struct ByService {
    index: HashMap<ServiceId, usize>,
    batches: Vec<ServiceBatch>,
}

impl ByService {
    fn at(&mut self, service: &ServiceId) -> usize {
        if let Some(&at) = self.index.get(service) {
            return at;
        }
        let at = self.batches.len();
        self.index.insert(service.clone(), at);
        self.batches.push(ServiceBatch {
            service: service.clone(),
            series: Vec::new(),
            samples: Vec::new(),
            logs: Vec::new(),
            occurred: None,
        });
        at
    }

    fn get(&mut self, service: &ServiceId) -> &mut ServiceBatch {
        let at = self.at(service);
        &mut self.batches[at]
    }
}
