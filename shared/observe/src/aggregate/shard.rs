//! What one input has read since the last flush, and how far it has read.

use std::collections::HashMap;
use std::sync::Arc;

use goldentime_model::time::NANOS_PER_SECOND;
use goldentime_model::{Counts, LogRecord, Sample, Second, ServiceId, UnixNanos};
use goldentime_sketch::Sketch;

use super::batch::{Bucket, Occurred, OpenBucket, RawBatch};
use super::config::Config;
use super::observation::Observation;
use super::position::{PositionKey, PositionUpdate};
use super::series::{Overflow, SeriesRef, SeriesTable};
use super::signal::Pending;
use super::watch::WatchTable;

/// How far into the future an event may lie before it is taken for a wrong clock and clamped.
pub const FUTURE_NANOS_MAX: i64 = 2 * NANOS_PER_SECOND;

/// There is no room before the next flush. An input that can wait keeps what it has in hand, gives
/// the lock back and tries again after [`ShardHandle::drained`](super::ShardHandle::drained); one
/// that cannot counts it by [`Shard::count_drop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room before the next flush")]
pub struct Full;

/// One input's share of the aggregation. Always behind a [`ShardHandle`](super::ShardHandle).
pub struct Shard {
    config: Config,
    sketch_bytes_max: usize,
    log_bytes_max: usize,
    series: SeriesTable,
    /// Rises with each drain: a slot's newest bucket belongs to one epoch.
    epoch: u64,
    /// Buckets that are not the newest of their series.
    older: HashMap<(u32, i64), u32>,
    open: RawBatch,
    sketch_bytes: usize,
    log_bytes: usize,
    overflow: Overflow,
    clamped: u64,
    refused_durations: u64,
    pending: Pending,
    watch: Arc<WatchTable>,
    /// Added to every instant.
    offset_nanos: i64,
    /// Corrected instants beyond this are clamped.
    latest: UnixNanos,
}

impl Shard {
    pub(super) fn new(config: Config, watch: Arc<WatchTable>) -> Self {
        Self {
            series: SeriesTable::new(&config),
            sketch_bytes_max: config.sketch_bytes_max.as_usize(),
            log_bytes_max: config.log_bytes_max.as_usize(),
            config,
            epoch: 1,
            older: HashMap::new(),
            open: RawBatch::default(),
            sketch_bytes: 0,
            log_bytes: 0,
            overflow: Overflow::default(),
            clamped: 0,
            refused_durations: 0,
            pending: Pending::default(),
            watch,
            offset_nanos: 0,
            latest: UnixNanos(i64::MAX),
        }
    }

    /// Called whenever the lock is taken: the clock as it stands, and what rules watch.
    pub(super) fn begin(&mut self, now: UnixNanos, offset_nanos: i64, watch: &Arc<WatchTable>) {
        self.offset_nanos = offset_nanos;
        self.latest = now.saturating_add(offset_nanos).saturating_add(FUTURE_NANOS_MAX);
        if !Arc::ptr_eq(&self.watch, watch) {
            self.watch = Arc::clone(watch);
            self.series.watch(watch);
        }
    }

    /// What has come to wait since the last call.
    pub(super) fn take_pending(&mut self) -> Pending {
        std::mem::take(&mut self.pending)
    }

    /// The series of these names. Over a bound it is the service's `__other__` endpoint (or the
    /// `__other__` service), and the overflow is counted. Names are cut at 200 bytes.
    pub fn intern(&mut self, service: &ServiceId, endpoint: &str, method: &str) -> SeriesRef {
        self.series.intern(service, endpoint, method, &self.watch, &mut self.overflow)
    }

    /// Series opened so far.
    #[must_use]
    pub fn series_len(&self) -> usize {
        self.series.len()
    }

    /// Adds one observation to its second. On [`Full`] nothing was added.
    ///
    /// # Panics
    /// If `series` comes from another shard.
    #[inline]
    pub fn observe(&mut self, series: SeriesRef, observation: &Observation) -> Result<(), Full> {
        let mut at = observation.at.saturating_add(self.offset_nanos);
        let is_ahead = at > self.latest;
        if is_ahead {
            at = self.latest;
        }
        let second = at.second().0;
        let slot = self.series.get(series);
        let urgent_outcome = slot.errors && observation.outcome.is_bad();
        let (slow_s, watched) = (slot.slow_s, slot.watched);
        if self.sketch_bytes >= self.sketch_bytes_max {
            return Err(self.full());
        }
        let bucket = if slot.epoch == self.epoch && slot.second == second {
            slot.bucket
        } else {
            self.bucket_of(series, second, at)?
        };
        let open = &mut self.open.buckets[bucket as usize];
        open.bucket.counts.add_outcome(observation.outcome, u64::from(observation.weight));
        let mut is_urgent = urgent_outcome;
        if let Some(duration_s) = observation.duration_s {
            let sketch = &mut open.bucket.sketch;
            let taken = match observation.weight {
                1 => sketch.insert(duration_s),
                weight => sketch.insert_n(duration_s, u64::from(weight)),
            };
            self.refused_durations += u64::from(!taken);
            is_urgent |= duration_s > slow_s;
            let heap_bytes = sketch.heap_bytes();
            // A sketch that turns dense may take less than before.
            self.sketch_bytes = self.sketch_bytes + heap_bytes - open.heap_bytes;
            open.heap_bytes = heap_bytes;
        }
        open.occurred.keep(Occurred { at, is_coarse: observation.at_is_coarse, is_urgent });
        self.clamped += u64::from(is_ahead);
        if is_urgent {
            self.pending = self.pending.with_express();
        } else if watched {
            self.pending = self.pending.with_soon();
        } else {
            self.pending = self.pending.with_dirty();
        }
        Ok(())
    }

    /// The bucket of a second that is not the series' newest, opened if need be.
    #[cold]
    fn bucket_of(&mut self, series: SeriesRef, second: i64, at: UnixNanos) -> Result<u32, Full> {
        if let Some(&known) = self.older.get(&(series.0, second)) {
            return Ok(known);
        }
        if self.open.buckets.len() >= self.config.buckets_max {
            return Err(self.full());
        }
        let index = u32::try_from(self.open.buckets.len()).expect("buckets are bounded far below u32::MAX");
        let epoch = self.epoch;
        let slot = self.series.slot(series);
        self.open.buckets.push(OpenBucket {
            key: Arc::clone(&slot.key),
            series: series.0,
            bucket: Bucket { second: Second(second), counts: Counts::default(), sketch: Sketch::new() },
            occurred: Occurred { at, is_coarse: false, is_urgent: false },
            heap_bytes: 0,
        });
        if slot.epoch == epoch && slot.second > second {
            self.older.insert((series.0, second), index);
        } else {
            if slot.epoch == epoch {
                self.older.insert((series.0, slot.second), slot.bucket);
            }
            (slot.epoch, slot.second, slot.bucket) = (epoch, second, index);
        }
        Ok(index)
    }

    /// Whether that many samples fit before the next flush. An input that can wait asks first.
    #[inline]
    pub fn room_for_samples(&mut self, count: usize) -> Result<(), Full> {
        let held = self.open.samples.len();
        if held == 0 || held + count <= self.config.samples_max {
            return Ok(());
        }
        Err(self.full())
    }

    /// Adds a sample, or drops and counts it where there is no room.
    pub fn sample(&mut self, service: &ServiceId, mut sample: Sample) {
        if self.open.samples.len() >= self.config.samples_max {
            self.count_drop("samples_full", 1);
            self.pending = self.pending.with_full();
            return;
        }
        sample.at = sample.at.saturating_add(self.offset_nanos);
        self.open.samples.push((service.clone(), sample));
        self.pending =
            if self.watch.of(service).watched { self.pending.with_soon() } else { self.pending.with_dirty() };
    }

    /// Whether a log record of `bytes` fits before the next flush. An input that also counts the
    /// line asks first, so that it does neither or both.
    #[inline]
    pub fn room_for_log(&mut self, bytes: usize) -> Result<(), Full> {
        if self.open.logs.is_empty() || self.log_bytes + bytes <= self.log_bytes_max {
            return Ok(());
        }
        Err(self.full())
    }

    #[cold]
    fn full(&mut self) -> Full {
        self.pending = self.pending.with_full();
        Full
    }

    /// Adds a log record. On [`Full`] it was not added.
    pub fn log(&mut self, service: &ServiceId, mut record: LogRecord) -> Result<(), Full> {
        let bytes = log_bytes(&record);
        self.room_for_log(bytes)?;
        record.at = record.at.saturating_add(self.offset_nanos);
        self.log_bytes += bytes;
        self.open.logs.push((service.clone(), record));
        self.pending = self.pending.with_dirty();
        Ok(())
    }

    /// Everything up to `position` is in this shard or was flushed before.
    pub fn set_position(&mut self, key: &PositionKey, position: &[u8]) {
        self.pending = self.pending.with_dirty();
        if let Some(PositionUpdate::Set(known)) = self.open.positions.get_mut(key) {
            known.clear();
            known.extend_from_slice(position);
        } else {
            self.open.positions.insert(key.clone(), PositionUpdate::Set(position.to_vec()));
        }
    }

    /// The source was read to its end and is gone.
    pub fn forget_position(&mut self, key: &PositionKey) {
        self.pending = self.pending.with_dirty();
        self.open.positions.insert(key.clone(), PositionUpdate::Forget);
    }

    /// The event time, by this machine's clock, up to which this input has read everything there is.
    /// Never goes back.
    pub fn progress(&mut self, at: UnixNanos) {
        let at = at.saturating_add(self.offset_nanos).min(self.latest);
        self.open.progress = Some(self.open.progress.map_or(at, |known| known.max(at)));
    }

    /// A reading of an input that reads now and then is complete. Nothing more comes for a while, so
    /// that waiting for the long interval would only make it older.
    pub fn hand_over(&mut self) {
        self.pending = self.pending.with_soon();
    }

    /// Counts what was not taken in. `reason` is a metric label: few and constant.
    pub fn count_drop(&mut self, reason: &'static str, n: u64) {
        if n > 0 {
            *self.open.drops.entry(reason).or_default() += n;
        }
    }

    /// Takes everything out. Constant time: the buckets change hands, and the slots notice by epoch.
    pub(super) fn drain(&mut self) -> RawBatch {
        self.count_drop("endpoint_overflow", self.overflow.endpoints);
        self.count_drop("service_overflow", self.overflow.services);
        self.count_drop("clock_ahead_clamped", self.clamped);
        self.overflow = Overflow::default();
        self.count_drop("duration_refused", self.refused_durations);
        (self.clamped, self.refused_durations, self.sketch_bytes, self.log_bytes) = (0, 0, 0, 0);
        self.epoch += 1;
        self.older.clear();
        let next = RawBatch { progress: self.open.progress, ..RawBatch::default() };
        std::mem::replace(&mut self.open, next)
    }
}

/// What a record takes, near enough to bound memory by.
fn log_bytes(record: &LogRecord) -> usize {
    let attributes: usize =
        record.attributes.iter().map(|(name, value)| name.len() + value.len() + ENTRY_BYTES).sum();
    size_of::<LogRecord>()
        + record.level.len()
        + record.message.len()
        + record.trace_id.len()
        + record.span_id.len()
        + attributes
}

/// What a map's entry takes besides its bytes.
const ENTRY_BYTES: usize = 64;
