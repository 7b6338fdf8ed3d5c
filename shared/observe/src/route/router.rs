//! From a parsed line to an observation of a series.

use std::collections::HashMap;

use goldentime_model::identity::{NAME_BYTES_MAX, UNKNOWN_SERVICE};
use goldentime_model::naming::{OVERFLOW, fit_service, not_overflow};
use goldentime_model::{Outcome, ServiceId, UnixNanos};

use super::cache::{CACHE_ENTRIES, Cache, Routed};
use super::config::{Config, RouteError};
use super::normalise::Normaliser;
use super::rules::{Rules, SWITCHING_PROTOCOLS, outcome};
use crate::aggregate::{Full, Observation, SeriesRef, Shard};
use crate::parse::Fields;

/// Endpoint of requests that have no readable target.
pub const NO_ENDPOINT: &str = "__none__";
/// Method of what is no method (OpenTelemetry's name for it).
pub const OTHER_METHOD: &str = "_OTHER";
/// Services that lines may name and that are remembered.
const NAMES_MAX: usize = 1024;

/// Where lines come from, as far as it says whom they are about.
#[derive(Clone, Debug)]
pub struct Source {
    /// Project of the agent.
    pub project: String,
    /// Environment of the agent.
    pub environment: String,
    /// The input's service; `None` if only lines may name it.
    pub service: Option<String>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It was added to its series.
    Observed,
    /// It speaks of no request: it has neither target, status nor duration.
    NotARequest,
    /// A rule says to ignore it.
    Ignored,
}

/// What requests of the same names and the same end have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolved {
    /// Where they are counted.
    pub series: SeriesRef,
    /// How they ended.
    pub outcome: Outcome,
    /// Their durations count.
    pub has_latency: bool,
}

/// Counts the lines of one input in its shard.
pub struct Router {
    normaliser: Normaliser,
    rules: Rules,
    cache: Cache,
    source: Source,
    service: ServiceId,
    named: HashMap<Box<[u8]>, ServiceId>,
    endpoint: String,
}

impl Router {
    /// Compiles routes.
    ///
    /// # Errors
    /// When a pattern is none. The source's names were checked when the configuration was.
    pub fn new(config: &Config, source: Source) -> Result<Self, RouteError> {
        let name = source.service.as_deref().unwrap_or(UNKNOWN_SERVICE);
        let service = service_id(&source, name);
        Ok(Self {
            normaliser: Normaliser::new(&config.patterns, config.normalise)?,
            rules: Rules::new(config),
            cache: Cache::new(),
            source,
            service,
            named: HashMap::new(),
            endpoint: String::new(),
        })
    }

    /// The most memory that one takes, in bytes.
    #[must_use]
    pub const fn memory_bytes_max() -> usize {
        CACHE_ENTRIES * 32 + NAMES_MAX * 4 * NAME_BYTES_MAX
    }

    /// Counts a line. `now` stands for the time of a line that has none.
    #[inline]
    pub fn count(&mut self, fields: &Fields<'_>, now: UnixNanos, shard: &mut Shard) -> Result<Counted, Full> {
        let is_request = fields.status.is_some() || fields.duration_s.is_some() || !fields.path.is_empty();
        if !is_request {
            return Ok(Counted::NotARequest);
        }
        let Some(resolved) = self.resolve(fields, shard) else { return Ok(Counted::Ignored) };
        let observation = Observation {
            duration_s: fields.duration_s.filter(|_| resolved.has_latency),
            outcome: resolved.outcome,
            at: fields.at.unwrap_or(now),
            at_is_coarse: fields.at_is_coarse,
            weight: 1,
        };
        shard.observe(resolved.series, &observation)?;
        Ok(Counted::Observed)
    }

    /// What a request is by its names and its end; `None` if a rule says to ignore it.
    #[inline]
    pub fn resolve(&mut self, fields: &Fields<'_>, shard: &mut Shard) -> Option<Resolved> {
        let routed = self.route(fields, shard);
        let rule = self.rules.get(routed.rule);
        if rule.is_some_and(|rule| rule.ignore) {
            return None;
        }
        let is_latency = rule.is_none_or(|rule| rule.latency != Some(false));
        Some(Resolved {
            series: routed.series,
            outcome: outcome(rule, fields.status, &fields.verdict),
            has_latency: is_latency && fields.status != Some(SWITCHING_PROTOCOLS),
        })
    }

    /// The service that a line is about.
    pub fn service(&mut self, fields: &Fields<'_>) -> ServiceId {
        if fields.service.trim_ascii().is_empty() {
            self.service.clone()
        } else {
            self.named_service(&fields.service)
        }
    }

    /// The series of a line: one look-up for what was seen lately.
    #[inline]
    fn route(&mut self, fields: &Fields<'_>, shard: &mut Shard) -> Routed {
        let named = !fields.service.is_empty() || !fields.endpoint.is_empty();
        let path = before_query(&fields.path);
        let mut hash = self.cache.hash([&fields.method, path]);
        if named {
            hash ^= self.cache.hash([&fields.service, &fields.endpoint]).rotate_left(64) << 1;
        }
        match self.cache.get(hash) {
            Some(routed) => routed,
            None => self.route_new(hash, fields, path, shard),
        }
    }

    #[cold]
    fn route_new(&mut self, hash: u128, fields: &Fields<'_>, path: &[u8], shard: &mut Shard) -> Routed {
        let service = self.service(fields);
        let method = method(&fields.method);
        if fields.endpoint.trim_ascii().is_empty() {
            self.normaliser.endpoint(&String::from_utf8_lossy(path), &mut self.endpoint);
        } else {
            self.endpoint.clear();
            self.endpoint.push_str(&String::from_utf8_lossy(&fields.endpoint));
        }
        fit_endpoint(&mut self.endpoint);
        let series = shard.intern(&service, &self.endpoint, method);
        let routed = Routed { series, rule: self.rules.find(&self.endpoint, method) };
        self.cache.put(hash, routed);
        routed
    }

    fn named_service(&mut self, name: &[u8]) -> ServiceId {
        if let Some(known) = self.named.get(name) {
            return known.clone();
        }
        let text = String::from_utf8_lossy(name);
        let id = service_id(&self.source, &text);
        if self.named.len() < NAMES_MAX {
            self.named.insert(name.into(), id.clone());
        }
        id
    }
}

/// The id of a service whose name comes from data: one from a configuration was checked there.
fn service_id(source: &Source, name: &str) -> ServiceId {
    let fit = fit_service(name);
    ServiceId::new(&source.project, &source.environment, &fit).unwrap_or_else(|_| {
        ServiceId::new("default", "default", UNKNOWN_SERVICE).expect("constants are valid")
    })
}

/// Makes an endpoint from data fit for a record: control characters go, what is too long is cut, what is
/// blank is [`NO_ENDPOINT`], and nothing is called as what takes the overflow.
fn fit_endpoint(endpoint: &mut String) {
    endpoint.retain(|c| !c.is_control());
    endpoint.truncate(endpoint.floor_char_boundary(NAME_BYTES_MAX));
    let fit = if endpoint.trim().is_empty() { NO_ENDPOINT } else { not_overflow(endpoint) };
    if fit != endpoint.as_str() {
        *endpoint = fit.to_owned();
    }
}

/// What tells paths apart: the query string does not.
#[inline]
fn before_query(path: &[u8]) -> &[u8] {
    memchr::memchr2(b'?', b'#', path).map_or(path, |at| &path[..at])
}

/// A verb in capitals, or a name of an RPC method; anything else is [`OTHER_METHOD`].
pub fn method(raw: &[u8]) -> &str {
    match std::str::from_utf8(raw) {
        Ok(text)
            if text.len() <= 64
                && text != OVERFLOW
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b)) =>
        {
            text
        }
        _ => OTHER_METHOD,
    }
}
