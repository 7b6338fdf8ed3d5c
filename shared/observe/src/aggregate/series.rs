//! Series by name, interned: an input looks a name up once and counts by number from then on.

use std::collections::HashMap;
use std::sync::Arc;

use goldentime_model::ServiceId;
use goldentime_model::identity::NAME_BYTES_MAX;
use goldentime_model::naming::OVERFLOW;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use xxhash_rust::xxh3::Xxh3Builder;

use super::config::Config;
use super::watch::{Watch, WatchTable};

/// A series of this shard, interned. Valid for the life of the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesRef(pub u32);

/// The names of a series.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeriesKey {
    /// Whom it is about.
    pub service: ServiceId,
    /// Normalised route.
    pub endpoint: Arc<str>,
    /// HTTP verb or RPC method; empty where there is none.
    pub method: Arc<str>,
}

/// What a shard keeps of one series besides its names.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: Arc<SeriesKey>,
    /// The newest bucket, valid while `epoch` is the shard's.
    pub(super) epoch: u64,
    pub(super) second: i64,
    pub(super) bucket: u32,
    /// Slower than this goes by the express lane; infinite where no rule watches latency.
    pub(super) slow_s: f64,
    /// Bad outcomes go by the express lane.
    pub(super) errors: bool,
    /// The short flush interval holds.
    pub(super) watched: bool,
}

impl Slot {
    fn set_watch(&mut self, watch: Watch) {
        self.slow_s = watch.slow_s.unwrap_or(f64::INFINITY);
        self.errors = watch.errors;
        self.watched = watch.watched;
    }
}

/// What did not fit, by where it went instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Overflow {
    pub(super) endpoints: u64,
    pub(super) services: u64,
}

/// All series of a shard.
pub(super) struct SeriesTable {
    slots: Vec<Slot>,
    index: HashTable<u32>,
    hasher: Xxh3Builder,
    endpoints: HashMap<ServiceId, usize>,
    methods: Vec<Arc<str>>,
    series_max: usize,
    endpoints_max: usize,
    services_max: usize,
}

/// Different methods kept apart in one shard; verbs and RPC kinds are few, garbage is endless.
const METHODS_MAX: usize = 64;

impl SeriesTable {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            slots: Vec::new(),
            index: HashTable::new(),
            hasher: Xxh3Builder::new(),
            endpoints: HashMap::new(),
            methods: Vec::new(),
            series_max: config.series_max,
            endpoints_max: config.endpoints_per_service_max,
            services_max: config.services_max,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    pub(super) fn slot(&mut self, series: SeriesRef) -> &mut Slot {
        &mut self.slots[series.0 as usize]
    }

    #[inline]
    pub(super) fn get(&self, series: SeriesRef) -> &Slot {
        &self.slots[series.0 as usize]
    }

    pub(super) fn watch(&mut self, table: &WatchTable) {
        for slot in &mut self.slots {
            slot.set_watch(table.of(&slot.key.service));
        }
    }

    /// The series of these names, opened if there is room, else the one that takes its overflow.
    pub(super) fn intern(
        &mut self,
        service: &ServiceId,
        endpoint: &str,
        method: &str,
        watch: &WatchTable,
        overflow: &mut Overflow,
    ) -> SeriesRef {
        let endpoint = cut(endpoint);
        let method = cut(method);
        if let Some(known) = self.find(service, endpoint, method) {
            return known;
        }
        let Some(opened) = self.endpoints.get(service).copied() else {
            if self.endpoints.len() >= self.services_max {
                return self.intern_other_service(service, method, watch, overflow);
            }
            self.endpoints.insert(service.clone(), 0);
            return self.intern(service, endpoint, method, watch, overflow);
        };
        let room = opened < self.endpoints_max && self.slots.len() < self.series_max;
        if !room && endpoint != OVERFLOW {
            overflow.endpoints += 1;
            return self.intern(service, OVERFLOW, method, watch, overflow);
        }
        let method = self.method(method);
        if let Some(known) = self.find(service, endpoint, &method) {
            return known;
        }
        self.open(service, endpoint, method, watch)
    }

    fn intern_other_service(
        &mut self,
        service: &ServiceId,
        method: &str,
        watch: &WatchTable,
        overflow: &mut Overflow,
    ) -> SeriesRef {
        overflow.services += 1;
        let other = ServiceId::new(service.project(), service.environment(), OVERFLOW)
            .expect("parts of a valid id and a constant are valid");
        let method = self.method(method);
        if let Some(known) = self.find(&other, OVERFLOW, &method) {
            return known;
        }
        self.open(&other, OVERFLOW, method, watch)
    }

    fn find(&self, service: &ServiceId, endpoint: &str, method: &str) -> Option<SeriesRef> {
        let hash = hash_of(&self.hasher, service, endpoint, method);
        let found = self.index.find(hash, |&at| is(&self.slots[at as usize].key, service, endpoint, method));
        found.copied().map(SeriesRef)
    }

    fn open(
        &mut self,
        service: &ServiceId,
        endpoint: &str,
        method: Arc<str>,
        watch: &WatchTable,
    ) -> SeriesRef {
        let at = u32::try_from(self.slots.len()).expect("series are bounded far below u32::MAX");
        let key = Arc::new(SeriesKey { service: service.clone(), endpoint: endpoint.into(), method });
        let mut slot = Slot {
            key: Arc::clone(&key),
            epoch: 0,
            second: 0,
            bucket: 0,
            slow_s: f64::INFINITY,
            errors: false,
            watched: false,
        };
        slot.set_watch(watch.of(service));
        self.slots.push(slot);
        *self.endpoints.entry(service.clone()).or_default() += 1;
        let (hasher, slots) = (&self.hasher, &self.slots);
        let rehash = |&at: &u32| {
            let key = &slots[at as usize].key;
            hash_of(hasher, &key.service, &key.endpoint, &key.method)
        };
        let hash = hash_of(hasher, service, endpoint, &key.method);
        if let Entry::Vacant(vacant) = self.index.entry(hash, |&other| other == at, rehash) {
            vacant.insert(at);
        }
        SeriesRef(at)
    }

    fn method(&mut self, method: &str) -> Arc<str> {
        if let Some(known) = self.methods.iter().find(|known| &***known == method) {
            return Arc::clone(known);
        }
        let name: Arc<str> = if self.methods.len() < METHODS_MAX { method.into() } else { OVERFLOW.into() };
        if self.methods.len() <= METHODS_MAX {
            self.methods.push(Arc::clone(&name));
        }
        name
    }
}

fn hash_of(hasher: &Xxh3Builder, service: &ServiceId, endpoint: &str, method: &str) -> u64 {
    use std::hash::BuildHasher as _;
    hasher.hash_one((service.as_str(), endpoint, method))
}

fn is(key: &SeriesKey, service: &ServiceId, endpoint: &str, method: &str) -> bool {
    &*key.endpoint == endpoint && &*key.method == method && key.service == *service
}

/// Cuts a name to its longest length, at a character's border.
fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_BYTES_MAX)]
}
