//! Metrics that are no requests, summed up between two seconds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use goldentime_model::{Labels, Sample, SampleKind, ServiceId, UnixNanos};
use goldentime_sketch::Sketch;

use super::config::Config;
use super::line::Kind;
use super::reading::Reading;
use super::weight;
use crate::aggregate::{Full, Shard};

/// Members that an emptied set has room for.
const MEMBERS_KEPT: usize = 32;
/// Quantiles that a spread is shipped with.
const QUANTILES: [(f64, &str); 3] = [(0.50, "p50"), (0.95, "p95"), (0.99, "p99")];

/// The names of a sample series.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SeriesKey {
    pub(super) service: ServiceId,
    pub(super) name: String,
    pub(super) labels: Labels,
    pub(super) kind: Kind,
}

/// Sample series by number.
pub(super) struct Samples {
    series: Vec<Series>,
    free: Vec<u32>,
    index: HashMap<Arc<SeriesKey>, u32>,
    dirty: Vec<u32>,
    series_max: usize,
    members_each_max: usize,
    members_max: usize,
    members: usize,
    sketch_bytes_max: usize,
    sketch_bytes: usize,
}

struct Series {
    key: Arc<SeriesKey>,
    used: u32,
    is_dirty: bool,
    state: State,
}

enum State {
    Counter(f64),
    Gauge(f64),
    Set(HashSet<u64>),
    Spread(Box<Spread>),
}

#[derive(Default)]
struct Spread {
    sketch: Sketch,
    sum: f64,
    max: f64,
    carry: f64,
}

impl State {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter(0.0),
            Kind::Gauge => Self::Gauge(0.0),
            Kind::Set => Self::Set(HashSet::default()),
            Kind::Timer | Kind::Histogram | Kind::Distribution => Self::Spread(Box::default()),
        }
    }
}

impl Samples {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            series: Vec::new(),
            free: Vec::new(),
            index: HashMap::default(),
            dirty: Vec::new(),
            series_max: config.series_max,
            members_each_max: config.set_members_max,
            members_max: config.members_max(),
            members: 0,
            sketch_bytes_max: config.sketch_bytes_max.as_usize(),
            sketch_bytes: 0,
        }
    }

    /// Series at present.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The number of a series, opened if there is room.
    pub(super) fn open(&mut self, key: SeriesKey, tick: u32) -> Option<u32> {
        if let Some(&known) = self.index.get(&key) {
            return Some(known);
        }
        if self.index.len() >= self.series_max {
            return None;
        }
        let state = State::new(key.kind);
        let key = Arc::new(key);
        let series = Series { key: Arc::clone(&key), used: tick, is_dirty: false, state };
        let number = match self.free.pop() {
            Some(number) => {
                self.series[number as usize] = series;
                number
            }
            None => {
                self.series.push(series);
                u32::try_from(self.series.len() - 1).expect("series are bounded far below u32::MAX")
            }
        };
        self.index.insert(key, number);
        Some(number)
    }

    /// Notes that a series is in use, whatever becomes of the value.
    #[inline]
    pub(super) fn touch(&mut self, number: u32, tick: u32) {
        self.series[number as usize].used = tick;
    }

    /// Adds a value. The error is the reason under which it is counted as dropped.
    #[inline]
    pub(super) fn add(&mut self, number: u32, reading: Reading) -> Result<(), &'static str> {
        let series = &mut self.series[number as usize];
        match (&mut series.state, reading) {
            (State::Counter(sum), Reading::Increase(by)) => *sum += by,
            (State::Gauge(value), Reading::Value(new)) => *value = new,
            (State::Gauge(value), Reading::Change(by)) => *value += by,
            (State::Set(members), Reading::Member(member)) => {
                if members.len() >= self.members_each_max || self.members >= self.members_max {
                    if !members.contains(&member) {
                        return Err("statsd_set_full");
                    }
                } else {
                    self.members += usize::from(members.insert(member));
                }
            }
            (State::Spread(spread), Reading::Spread(value, exact)) => {
                if self.sketch_bytes >= self.sketch_bytes_max {
                    return Err("statsd_sketches_full");
                }
                let weight = u64::from(weight::whole(exact, &mut spread.carry));
                let before = spread.sketch.heap_bytes();
                if !spread.sketch.insert_n(value, weight) {
                    return Err("statsd_value");
                }
                spread.sum += value * weight as f64;
                spread.max = spread.max.max(value);
                self.sketch_bytes = self.sketch_bytes + spread.sketch.heap_bytes() - before;
            }
            // A series and the values of its type; there are no others.
            _ => return Err("statsd_type"),
        }
        if !series.is_dirty {
            series.is_dirty = true;
            self.dirty.push(number);
        }
        Ok(())
    }

    /// Whether something waits to be shipped.
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Ships what was summed up as of `at`. On [`Full`] the rest goes on summing up.
    pub(super) fn ship(&mut self, at: UnixNanos, shard: &mut Shard) -> Result<(), Full> {
        while let Some(&number) = self.dirty.last() {
            shard.room_for_samples(3 + QUANTILES.len())?;
            let series = &mut self.series[number as usize];
            let key = &series.key;
            let mut push = |suffix: &str, kind, unit: &str, value: f64| {
                let name =
                    if suffix.is_empty() { key.name.clone() } else { format!("{}.{suffix}", key.name) };
                let (labels, unit) = (key.labels.clone(), unit.to_owned());
                if value.is_finite() {
                    shard.sample(&key.service, Sample { name, labels, kind, value, unit, at });
                } else {
                    shard.count_drop("statsd_value", 1);
                }
            };
            match &mut series.state {
                State::Counter(sum) => push("", SampleKind::Counter, "1", std::mem::take(sum)),
                State::Gauge(value) => push("", SampleKind::Gauge, "", *value),
                State::Set(members) => {
                    push("", SampleKind::Gauge, "1", members.len() as f64);
                    self.members -= members.len();
                    members.clear();
                    // What is kept for the next second is no part of the bound on members.
                    members.shrink_to(MEMBERS_KEPT);
                }
                State::Spread(spread) => {
                    let unit = if key.kind == Kind::Timer { "ms" } else { "" };
                    push("count", SampleKind::Counter, "1", spread.sketch.count() as f64);
                    push("sum", SampleKind::Counter, unit, spread.sum);
                    push("max", SampleKind::Gauge, unit, spread.max);
                    for (q, suffix) in QUANTILES {
                        push(suffix, SampleKind::Gauge, unit, spread.sketch.quantile(q).unwrap_or_default());
                    }
                    self.sketch_bytes -= spread.sketch.heap_bytes();
                    **spread = Spread { carry: spread.carry, ..Spread::default() };
                }
            }
            series.is_dirty = false;
            self.dirty.pop();
        }
        Ok(())
    }

    /// Ships a value that brings its own time: what the client summed up is not summed up again.
    #[cold]
    pub(super) fn ship_stamped(
        &self,
        number: u32,
        reading: Reading,
        at: UnixNanos,
        shard: &mut Shard,
    ) -> Result<(), Full> {
        let (kind, unit, value) = match reading {
            Reading::Increase(value) => (SampleKind::Counter, "1", value),
            Reading::Value(value) | Reading::Change(value) => (SampleKind::Gauge, "", value),
            Reading::Member(_) | Reading::Spread(..) => return Ok(()),
        };
        shard.room_for_samples(1)?;
        let key = &self.series[number as usize].key;
        let (name, labels, unit) = (key.name.clone(), key.labels.clone(), unit.to_owned());
        if value.is_finite() {
            shard.sample(&key.service, Sample { name, labels, kind, value, unit, at });
        } else {
            shard.count_drop("statsd_value", 1);
        }
        Ok(())
    }

    /// Forgets series that were not used since `tick` and have nothing to ship.
    pub(super) fn forget_before(&mut self, tick: u32) {
        let Self { series, index, free, .. } = self;
        index.retain(|_, number| {
            let known = &series[*number as usize];
            let is_kept = known.is_dirty || known.used >= tick;
            if !is_kept {
                free.push(*number);
            }
            is_kept
        });
    }
}
