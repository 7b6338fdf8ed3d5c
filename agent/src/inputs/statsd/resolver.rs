//! What a metric is that was not seen lately.

use std::collections::HashSet;

use goldentime_model::naming::OVERFLOW;
use goldentime_model::{Labels, ServiceId};

use super::config::Config;
use super::contexts::Request;
use super::fit::{fit, fit_name};
use super::line::{Kind, Metric};
use super::malformed::Malformed;
use super::rules::{Role, Rule, RuleError, Rules, Told};
use super::samples::SeriesKey;
use super::tags::tags;
use crate::aggregate::Shard;
use crate::inputs::parse::Fields;
use crate::inputs::parse::config::DurationUnit;
use crate::inputs::route::config::RouteError;
use crate::inputs::route::{Config as RouteConfig, Router, Source};

/// Label of the container that sent a sample.
pub(super) const CONTAINER_LABEL: &str = "container.id";

/// Tells by the rules what metrics are.
pub struct Resolver {
    rules: Rules,
    router: Router,
    timer_unit: DurationUnit,
    distribution_unit: DurationUnit,
    ignored_tags: HashSet<Vec<u8>>,
    has_container_label: bool,
    tags_max: usize,
    tag_bytes_max: usize,
    services: HashSet<ServiceId>,
    services_max: usize,
}

/// Why a metric cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// The rules cannot be used.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// The routes cannot be used.
    #[error(transparent)]
    Routes(#[from] RouteError),
}

/// What a metric is.
#[derive(Debug)]
pub(super) enum Resolved {
    /// Its values are requests.
    Request(Request),
    /// Its values go to a sample series, opened with some left out.
    Sample(SeriesKey, LeftOut),
    /// A rule says to ignore it.
    Ignored,
    /// It goes over a limit, named as the reason.
    Dropped(&'static str),
}

/// What does not fit a sample series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) tags: u64,
    pub(super) cut: u64,
    pub(super) services: u64,
}

impl Resolver {
    /// Compiles the configuration. `source` says whose metrics they are; the input's own `service`
    /// goes before its.
    pub fn new(config: &Config, routes: &RouteConfig, source: Source) -> Result<Self, ResolverError> {
        let service = config.service.clone().or_else(|| source.service.clone());
        Ok(Self {
            rules: Rules::new(&config.rules, config.tags.clone())?,
            router: Router::new(routes, Source { service, ..source })?,
            timer_unit: config.timer_unit,
            distribution_unit: config.distribution_unit,
            ignored_tags: config.ignored_tags.iter().map(|tag| tag.as_bytes().to_vec()).collect(),
            has_container_label: config.container_label,
            tags_max: config.tags_max,
            tag_bytes_max: config.tag_bytes_max.as_usize(),
            services: HashSet::new(),
            services_max: config.services_max,
        })
    }

    /// What a metric is; the series of a request is opened in `shard`.
    pub(super) fn resolve(&mut self, metric: &Metric<'_>, shard: &mut Shard) -> Resolved {
        let (rule, told) = self.rules.find(metric.name, metric.kind, metric.tags);
        match rule.map_or(Role::Sample, |rule| rule.role) {
            Role::Ignore => Resolved::Ignored,
            Role::Sample => self.sample(metric, told),
            Role::Request => {
                let Some(rule) = rule else { return Resolved::Ignored };
                let unit = match (rule.unit, metric.kind) {
                    (Some(unit), _) => unit,
                    (None, Kind::Timer) => self.timer_unit,
                    (None, _) => self.distribution_unit,
                };
                let fields = fields(rule, told, metric.name);
                let Some(route) = self.router.resolve(&fields, shard) else { return Resolved::Ignored };
                let is_count = metric.kind == Kind::Counter;
                Resolved::Request(Request {
                    series: route.series,
                    outcome: rule.outcome.unwrap_or(route.outcome),
                    unit_s: (route.has_latency && !is_count).then(|| unit.seconds()),
                    is_count,
                })
            }
        }
    }

    /// The service of a log record or a sample with these tags, and whether it is over the limit.
    pub(super) fn service(&mut self, told: Option<&[u8]>) -> (ServiceId, bool) {
        let fields = Fields { service: told.unwrap_or_default().into(), ..Fields::default() };
        let service = self.router.service(&fields);
        if self.services.contains(&service) {
            return (service, false);
        }
        if self.services.len() < self.services_max {
            self.services.insert(service.clone());
            return (service, false);
        }
        let other = ServiceId::new(service.project(), service.environment(), OVERFLOW);
        (other.unwrap_or(service), true)
    }

    /// The service that tags name.
    pub(super) fn told_service<'a>(&self, tags: &'a [u8]) -> Option<&'a [u8]> {
        self.rules.find(b"", Kind::Set, tags).1.service
    }

    fn sample(&mut self, metric: &Metric<'_>, told: Told<'_>) -> Resolved {
        if metric.tags.len() > self.tag_bytes_max {
            return Resolved::Dropped("statsd_tags_too_long");
        }
        let mut left_out = LeftOut::default();
        let (service, is_other) = self.service(told.service);
        left_out.services += u64::from(is_other);
        let mut labels = Labels::new();
        for (name, value) in tags(metric.tags) {
            if name.is_empty() || self.rules.is_service_tag(name) || self.ignored_tags.contains(name) {
                continue;
            }
            if labels.len() >= self.tags_max {
                left_out.tags += 1;
                continue;
            }
            let (name, value) = (fit(name), fit(value));
            if name.text.trim().is_empty() {
                continue;
            }
            left_out.cut += u64::from(name.is_cut || value.is_cut);
            // A tag that is there twice keeps its first value: a label has one.
            labels.entry(name.text).or_insert(value.text);
        }
        if self.has_container_label && !metric.container.is_empty() {
            labels.insert(CONTAINER_LABEL.to_owned(), fit(container_id(metric.container)).text);
        }
        let name = fit_name(metric.name);
        if name.text.trim().is_empty() {
            return Resolved::Dropped(Malformed::Name.as_str());
        }
        left_out.cut += u64::from(name.is_cut);
        Resolved::Sample(SeriesKey { service, name: name.text, labels, kind: metric.kind }, left_out)
    }
}

/// The id of a container without the mark of protocol 1.4 (`ci-` for an id, `in-` for an inode stays).
pub(super) fn container_id(container: &[u8]) -> &[u8] {
    container.strip_prefix(b"ci-").unwrap_or(container)
}

/// A request as log lines tell it, so that routes hold on both alike.
fn fields<'a>(rule: &'a Rule, told: Told<'a>, name: &'a [u8]) -> Fields<'a> {
    let fixed = |text: &'a Option<String>| text.as_deref().map(str::as_bytes);
    let mut fields = Fields { status: told.status, ..Fields::default() };
    fields.service = fixed(&rule.service).or(told.service).unwrap_or_default().into();
    let endpoint = fixed(&rule.endpoint).or(told.endpoint).unwrap_or(name);
    let (verb, path) = method_and_path(endpoint);
    if path.first() == Some(&b'/') {
        fields.path = path.into();
    } else {
        fields.endpoint = endpoint.into();
    }
    fields.method = fixed(&rule.method).or(told.method).or(verb).unwrap_or_default().into();
    fields
}

/// Splits `GET /path`, as `resource_name` has it, and `GET_/path`, as clients send it that allow no
/// spaces in tags.
fn method_and_path(endpoint: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let verb = endpoint.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    match &endpoint[verb..] {
        [b' ' | b'_', path @ ..] if verb > 0 && path.first() == Some(&b'/') => {
            (Some(&endpoint[..verb]), path)
        }
        _ => (None, endpoint),
    }
}
