//! The value of a window: everything that one service did in one second, as one partition saw it.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_model::naming::OVERFLOW;
use goldentime_model::{Counts, HostName};
use goldentime_sketch::Sketch;

/// Endpoint (normalised route) and method.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointKey {
    /// Normalised route, such as `/orders/{id}`.
    pub endpoint: Arc<str>,
    /// HTTP verb or RPC method.
    pub method: Arc<str>,
}

/// Requests of one series in one bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregate {
    /// Requests by outcome, those without a duration included.
    pub counts: Counts,
    /// Durations of those that had one, in seconds.
    pub latency: Sketch,
}

/// Cumulative state of one service-second.
///
/// `total` is the sum over `endpoints` and also the sum over `hosts`. Readings that are not requests
/// (saturation of a `host:<name>` service, custom metrics) stand in `gauges`, newest wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecondCell {
    /// The service as a whole.
    pub total: Aggregate,
    /// By host, so that one bad host of twenty is named.
    pub hosts: BTreeMap<HostName, Aggregate>,
    /// By endpoint and method.
    pub endpoints: BTreeMap<EndpointKey, Aggregate>,
    /// Readings by metric and label set: `name{a="b"}` with labels sorted.
    pub gauges: BTreeMap<Arc<str>, f64>,
    /// The cell began without its base (state lost, checkpoint too young): counts are a lower bound.
    pub partial: bool,
    /// The cell as the rules saw it, where requests were added that came too late to be judged; `None`
    /// where they saw all of it. Holds no such part itself.
    pub judged: Option<Box<SecondCell>>,
}

/// Most hosts told apart in one cell; further ones are counted together as [`OVERFLOW`].
pub const HOSTS_MAX: usize = 1000;

/// Most endpoints told apart in one cell; further ones are counted together as [`OVERFLOW`].
pub const ENDPOINTS_MAX: usize = 1000;

/// Most readings in one cell; further ones are left out.
pub const GAUGES_MAX: usize = 5000;

/// What of an addition was not told apart or not kept, for the caller to count by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "what does not fit has to be counted"]
pub struct Overflow {
    /// Hosts that were counted as [`OVERFLOW`].
    pub hosts: u64,
    /// Endpoints that were counted as [`OVERFLOW`].
    pub endpoints: u64,
    /// Readings that were left out.
    pub gauges: u64,
    /// Bytes by which the cell grew, about (see [`SecondCell::heap_bytes`]).
    pub grown: usize,
}

/// What a map's entry takes beside its key's text and its sketch: key, value and their share of the
/// tree's nodes, which are two thirds full.
const ENTRY_BYTES: usize = 3 * (size_of::<EndpointKey>() + size_of::<Aggregate>()) / 2;

impl Aggregate {
    /// Adds what another place counted.
    pub fn merge(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.latency.merge(&other.latency);
    }

    /// Takes away what was merged before, for running sums: counts never fall below zero.
    pub fn subtract(&mut self, other: &Self) {
        let (mine, theirs) = (&mut self.counts, &other.counts);
        mine.ok = mine.ok.saturating_sub(theirs.ok);
        mine.client_error = mine.client_error.saturating_sub(theirs.client_error);
        mine.server_error = mine.server_error.saturating_sub(theirs.server_error);
        mine.timeout = mine.timeout.saturating_sub(theirs.timeout);
        self.latency.subtract(&other.latency);
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_zero() && self.latency.is_empty()
    }
}

impl SecondCell {
    /// What the rules saw of the cell.
    #[must_use]
    pub fn as_judged(&self) -> &Self {
        self.judged.as_deref().unwrap_or(self)
    }

    /// The same, with its own memory.
    #[must_use]
    pub fn into_judged(self) -> Self {
        match self.judged {
            Some(judged) => *judged,
            None => self,
        }
    }

    /// Keeps the cell as it is for the rules: what is added from now on came too late for them.
    pub fn end_judged(&mut self) {
        if self.judged.is_none() {
            self.judged = Some(Box::new(self.clone()));
        }
    }

    /// Bytes that the cell takes in memory, about: its entries and their sketches. Names are shared
    /// between cells and not reckoned.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let sketches = self.hosts.values().chain(self.endpoints.values()).chain([&self.total]);
        let entries = self.hosts.len() + self.endpoints.len() + self.gauges.len();
        sketches.map(|aggregate| aggregate.latency.heap_bytes()).sum::<usize>()
            + entries * ENTRY_BYTES
            + self.judged.as_ref().map_or(0, |judged| judged.heap_bytes() + size_of::<Self>())
    }

    /// Adds an increment of one series on one host to the total, the host and the endpoint.
    pub fn add(&mut self, host: &HostName, endpoint: &EndpointKey, delta: &Aggregate) -> Overflow {
        let before = self.total.latency.heap_bytes();
        self.total.merge(delta);
        let total = self.total.latency.heap_bytes().saturating_sub(before);
        let of_host = merge_into(&mut self.hosts, HOSTS_MAX, host, delta, || OVERFLOW.into());
        let of_endpoint = merge_into(&mut self.endpoints, ENDPOINTS_MAX, endpoint, delta, EndpointKey::other);
        Overflow {
            hosts: of_host.folded.into(),
            endpoints: of_endpoint.folded.into(),
            gauges: 0,
            grown: total + of_host.grown + of_endpoint.grown,
        }
    }

    /// Takes a reading; it replaces the one before. `key` is `name{a="b"}` with labels sorted.
    pub fn set_gauge(&mut self, key: &Arc<str>, value: f64) -> Overflow {
        let mut overflow = Overflow::default();
        if let Some(reading) = self.gauges.get_mut(key) {
            *reading = value;
        } else if self.gauges.len() < GAUGES_MAX {
            self.gauges.insert(Arc::clone(key), value);
            overflow.grown = ENTRY_BYTES;
        } else {
            overflow.gauges = 1;
        }
        overflow
    }

    /// Adds a whole cell: another partition's part of the same second, or a second of the same ten.
    /// `other` counts as the newer one, so its readings win. What the rules saw is not summed.
    pub fn merge(&mut self, other: &Self) -> Overflow {
        let mut overflow = Overflow::default();
        self.total.merge(&other.total);
        self.partial |= other.partial;
        for (host, aggregate) in &other.hosts {
            let merged = merge_into(&mut self.hosts, HOSTS_MAX, host, aggregate, || OVERFLOW.into());
            overflow.hosts += u64::from(merged.folded);
            overflow.grown += merged.grown;
        }
        for (endpoint, aggregate) in &other.endpoints {
            let merged =
                merge_into(&mut self.endpoints, ENDPOINTS_MAX, endpoint, aggregate, EndpointKey::other);
            overflow.endpoints += u64::from(merged.folded);
            overflow.grown += merged.grown;
        }
        for (key, value) in &other.gauges {
            let set = self.set_gauge(key, *value);
            overflow.gauges += set.gauges;
            overflow.grown += set.grown;
        }
        overflow
    }
}

impl EndpointKey {
    /// Stands for the endpoints beyond what a cell tells apart.
    #[must_use]
    pub fn other() -> Self {
        Self { endpoint: OVERFLOW.into(), method: OVERFLOW.into() }
    }
}

/// How an addition to a map went.
struct Merged {
    /// It went to the entry that stands for others.
    folded: bool,
    /// Bytes by which the map grew.
    grown: usize,
}

/// Adds to the entry of `key`, or to that of `other` once `max` keys are told apart.
fn merge_into<K: Ord + Clone>(
    map: &mut BTreeMap<K, Aggregate>,
    max: usize,
    key: &K,
    delta: &Aggregate,
    other: impl FnOnce() -> K,
) -> Merged {
    let known = map.len();
    let folded = known >= max && !map.contains_key(key);
    let aggregate = match map.get_mut(key) {
        Some(aggregate) => aggregate,
        None => map.entry(if folded { other() } else { key.clone() }).or_default(),
    };
    let before = aggregate.latency.heap_bytes();
    aggregate.merge(delta);
    let grown = aggregate.latency.heap_bytes().saturating_sub(before);
    Merged { folded, grown: grown + (map.len() - known) * ENTRY_BYTES }
}

/// Why bytes are no cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// Written by a newer version.
    #[error("cell layout version {0} is not known to this version; upgrade, or drop the window state")]
    Version(u8),
    /// The bytes end early or contradict themselves.
    #[error("cell is corrupt at byte {0}")]
    Corrupt(usize),
}
