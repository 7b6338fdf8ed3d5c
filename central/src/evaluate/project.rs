//! What one second adds to what a rule counts.

use std::sync::Arc;

use goldentime_model::indicator::{ANY, ANY_HOST_SERVICE, Compared, Selector, Signal, Straying};
use goldentime_model::{HostName, Outcome, ServiceId};
use goldentime_sketch::Sketch;
use goldentime_windows::{Aggregate, EndpointKey, SecondCell};

use super::ring::Tally;
use super::rule::{GroupBy, Measure, Rule};
use super::stray::Reading;
use super::stray::watch::Seen;

/// The part of a service that one instance of a rule judges.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// All that the rule's selector picks of the service.
    Service,
    /// One endpoint and method.
    Endpoint(EndpointKey),
    /// One host.
    Host(HostName),
}

/// A rule with what can be worked out of it once.
#[derive(Clone, Debug)]
pub struct Projection {
    rule: Arc<Rule>,
    gauge: Option<GaugeSelector>,
}

impl Projection {
    /// Prepares a rule.
    #[must_use]
    pub fn new(rule: Arc<Rule>) -> Self {
        let host = rule.selector.host.as_deref().filter(|host| *host != ANY);
        let gauge = match &rule.measure {
            Measure::Saturation { metric, .. } => Some(GaugeSelector::parse(metric, host)),
            Measure::Stray(straying) => match &straying.of {
                Compared::Saturation { metric } => Some(GaugeSelector::parse(metric, host)),
                Compared::Errors { .. } | Compared::Latency { .. } | Compared::Traffic => None,
            },
            Measure::Availability { .. } | Measure::Latency { .. } | Measure::Traffic | Measure::Shift(_) => {
                None
            }
        };
        Self { rule, gauge }
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    /// The golden signal that the rule looks at.
    #[must_use]
    pub fn signal(&self) -> Signal {
        match &self.rule.measure {
            Measure::Availability { .. } => Signal::Errors,
            Measure::Latency { .. } => Signal::Latency,
            Measure::Traffic => Signal::Traffic,
            Measure::Saturation { .. } => Signal::Saturation,
            Measure::Stray(straying) => straying.of.signal(),
            Measure::Shift(of) => of.signal(),
        }
    }

    /// Whether the rule judges this service. A rule for every service leaves out the services that
    /// stand for hosts, unless it judges saturation: nobody sends them requests.
    #[must_use]
    pub fn selects(&self, service: &ServiceId) -> bool {
        let selector = &self.rule.selector;
        let (project, environment, name) = service.parts();
        let by_name = match (&selector.services, selector.service.as_deref()) {
            (Some(several), _) => {
                service.host().is_none() && several.iter().any(|wanted| wanted == ANY || wanted == name)
            }
            (None, None | Some(ANY)) => self.gauge.is_some() || service.host().is_none(),
            (None, Some(ANY_HOST_SERVICE)) => service.host().is_some(),
            (None, Some(wanted)) => wanted == name,
        };
        let by_host = match (self.gauge.is_some(), service.host()) {
            (true, Some(host)) => part_matches(selector.host.as_deref(), host),
            _ => true,
        };
        by_name
            && by_host
            && part_matches(selector.project.as_deref(), project)
            && part_matches(selector.environment.as_deref(), environment)
    }

    /// The one service that the rule names, if it names one: that service has its instance before
    /// anything is heard of it, so that its silence shows.
    #[must_use]
    pub fn exact_service(&self) -> Option<ServiceId> {
        let Selector { project, environment, service, .. } = &self.rule.selector;
        let exact = |part: &Option<String>| {
            part.as_deref().filter(|part| *part != ANY && *part != ANY_HOST_SERVICE).map(str::to_owned)
        };
        let (project, environment, service) = (exact(project)?, exact(environment)?, exact(service)?);
        ServiceId::new(&project, &environment, &service).ok()
    }

    /// Calls `each` with every part that the second holds something of, and what it adds.
    pub fn tallies(&self, cell: &SecondCell, mut each: impl FnMut(Part, Tally)) {
        if self.gauge.is_some() {
            return each(Part::Service, self.readings(cell));
        }
        let selector = &self.rule.selector;
        match self.rule.group_by {
            GroupBy::Service => each(Part::Service, self.whole_selection(cell)),
            GroupBy::Endpoint => {
                for (key, aggregate) in
                    cell.endpoints.iter().filter(|(key, _)| selects_endpoint(selector, key))
                {
                    each(Part::Endpoint(key.clone()), self.tally(aggregate));
                }
            }
            GroupBy::Host => {
                for (host, aggregate) in &cell.hosts {
                    if part_matches(selector.host.as_deref(), host) {
                        each(Part::Host(Arc::clone(host)), self.tally(aggregate));
                    }
                }
            }
        }
    }

    /// What one aggregate adds. Of a rule on what strays these are the requests that make the reading.
    #[must_use]
    pub fn tally(&self, aggregate: &Aggregate) -> Tally {
        match &self.rule.measure {
            Measure::Availability { bad } => share_of(bad, aggregate),
            Measure::Stray(Straying { of, .. }) | Measure::Shift(of) => match of {
                Compared::Errors { bad } => share_of(bad, aggregate),
                _ => Tally { seen: aggregate.counts.total(), bad_low: 0, bad_high: 0 },
            },
            Measure::Latency { threshold_s } => {
                let above = aggregate.latency.count_above(*threshold_s);
                Tally { seen: aggregate.latency.count(), bad_low: above.low, bad_high: above.high }
            }
            Measure::Traffic => Tally { seen: aggregate.counts.total(), bad_low: 0, bad_high: 0 },
            Measure::Saturation { .. } => Tally::default(),
        }
    }

    /// What a rule on what strays compares of the second.
    pub(super) fn seen(&self, cell: &SecondCell) -> Seen {
        let Measure::Stray(straying) = &self.rule.measure else { return Seen::default() };
        let tally = self.whole_selection(cell);
        let reading = match &straying.of {
            Compared::Traffic => Some(Reading::Traffic { requests: tally.seen as f64 }),
            Compared::Errors { .. } => (tally.seen > 0)
                .then_some(Reading::Errors { bad: tally.bad_low as f64, total: tally.seen as f64 }),
            Compared::Latency { quantile } => self.selected(cell, |latency| {
                let seconds = latency.quantile(*quantile).filter(|seconds| *seconds > 0.0)?;
                Some(Reading::Latency { seconds, quantile: *quantile, requests: latency.count() as f64 })
            }),
            Compared::Saturation { .. } => {
                let mut worst = None;
                self.worst_reading(cell, &mut worst);
                worst.map(|(_, utilization)| Reading::Saturation { utilization })
            }
        };
        let share = if self.gauge.is_some() { 0.0 } else { tally.seen as f64 / events(cell).max(1) as f64 };
        Seen { reading, share }
    }

    /// A quantile of the selected latencies, in seconds.
    pub(super) fn quantile(&self, cell: &SecondCell, quantile: f64) -> Option<f64> {
        self.selected(cell, |latency| latency.quantile(quantile)).filter(|seconds| *seconds > 0.0)
    }

    /// How many of the selected requests were surely slower than `seconds`, and how many there were.
    pub(super) fn slower(&self, cell: &SecondCell, seconds: f64) -> (u64, u64) {
        let of = |latency: &Sketch| Some((latency.count_above(seconds).low, latency.count()));
        self.selected(cell, of).unwrap_or_default()
    }

    /// Replaces `worst` by the highest selected reading of the second, if that is higher.
    pub fn worst_reading(&self, cell: &SecondCell, worst: &mut Option<(String, f64)>) {
        let Some(gauge) = &self.gauge else { return };
        for (name, value) in cell.gauges.iter().filter(|(name, _)| gauge.selects(name)) {
            if worst.as_ref().is_none_or(|(_, so_far)| value > so_far) {
                *worst = Some((name.to_string(), *value));
            }
        }
    }

    /// What the second holds of the selection as a whole.
    pub(super) fn whole_selection(&self, cell: &SecondCell) -> Tally {
        let selector = &self.rule.selector;
        let picks = |part: &Option<String>| part.as_deref().is_some_and(|part| part != ANY);
        if picks(&selector.endpoint) || picks(&selector.method) {
            let selected = cell.endpoints.iter().filter(|(key, _)| selects_endpoint(selector, key));
            return selected.fold(Tally::default(), |sum, (_, aggregate)| sum.plus(self.tally(aggregate)));
        }
        match selector.host.as_deref() {
            Some(host) if host != ANY => {
                cell.hosts.get(host).map_or_else(Tally::default, |host| self.tally(host))
            }
            _ => self.tally(&cell.total),
        }
    }

    /// What `of` says of the latencies that the rule's selector picks.
    fn selected<T>(&self, cell: &SecondCell, of: impl Fn(&Sketch) -> Option<T>) -> Option<T> {
        let selector = &self.rule.selector;
        let picks = |part: &Option<String>| part.as_deref().is_some_and(|part| part != ANY);
        if picks(&selector.endpoint) || picks(&selector.method) {
            let mut sum = Sketch::new();
            for (_, aggregate) in cell.endpoints.iter().filter(|(key, _)| selects_endpoint(selector, key)) {
                sum.merge(&aggregate.latency);
            }
            return of(&sum);
        }
        match selector.host.as_deref() {
            Some(host) if host != ANY => of(&cell.hosts.get(host)?.latency),
            _ => of(&cell.total.latency),
        }
    }

    fn readings(&self, cell: &SecondCell) -> Tally {
        let (Some(gauge), Measure::Saturation { threshold, .. }) = (&self.gauge, &self.rule.measure) else {
            return Tally::default();
        };
        let mut tally = Tally::default();
        for (_, value) in cell.gauges.iter().filter(|(name, _)| gauge.selects(name)) {
            let bad = u64::from(value > threshold);
            tally = tally.plus(Tally { seen: 1, bad_low: bad, bad_high: bad });
        }
        tally
    }
}

fn share_of(bad: &[Outcome], aggregate: &Aggregate) -> Tally {
    let bad = bad.iter().map(|outcome| aggregate.counts.of(*outcome)).sum();
    Tally { seen: aggregate.counts.total(), bad_low: bad, bad_high: bad }
}

/// Everything that a second holds, whichever rule asks: what agents' rates are counted in.
#[must_use]
pub fn events(cell: &SecondCell) -> u64 {
    cell.total.counts.total().saturating_add(cell.gauges.len() as u64)
}

/// Whether a part of a selector picks this.
pub(super) fn part_matches(wanted: Option<&str>, actual: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == ANY || wanted == actual)
}

fn selects_endpoint(selector: &Selector, key: &EndpointKey) -> bool {
    part_matches(selector.endpoint.as_deref(), &key.endpoint)
        && part_matches(selector.method.as_deref(), &key.method)
}

/// `name` (any labels) or `name{a="b"}` (at least these labels).
#[derive(Clone, Debug, PartialEq, Eq)]
struct GaugeSelector {
    name: String,
    labels: Vec<String>,
    /// Label of the host that the rule picks; readings without one are of a host that is picked already.
    host: Option<String>,
}

impl GaugeSelector {
    fn parse(metric: &str, host: Option<&str>) -> Self {
        let (name, labels) = split_gauge(metric);
        Self {
            name: name.trim().to_owned(),
            labels: labels.map(|label| label.trim().to_owned()).collect(),
            host: host.map(|host| format!("host=\"{host}\"")),
        }
    }

    fn selects(&self, gauge: &str) -> bool {
        let (name, labels) = split_gauge(gauge);
        let mut hosts = labels.clone().filter(|label| label.starts_with("host="));
        let is_of_host =
            self.host.as_ref().is_none_or(|wanted| hosts.next().is_none_or(|host| host == wanted));
        is_of_host
            && name == self.name
            && self.labels.iter().all(|wanted| labels.clone().any(|label| label == wanted))
    }
}

/// Name and labels (`a="b"`) of a gauge's key. A comma inside a value cuts it in two on both sides
/// alike, so that equal keys still match.
fn split_gauge(key: &str) -> (&str, impl Iterator<Item = &str> + Clone) {
    let (name, labels) = key.split_once('{').unwrap_or((key, ""));
    let labels = labels.strip_suffix('}').unwrap_or(labels);
    (name, labels.split(',').filter(|label| !label.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::rule::Condition;
    use super::super::testing::{rule, service};
    use super::*;

    fn gauge_rule(metric: &str) -> Projection {
        let mut rule = rule("full", Measure::Saturation { metric: metric.into(), threshold: 0.9 });
        rule.selector.service = Some(ANY.into());
        Projection::new(Arc::new(rule))
    }

    #[test]
    fn a_gauge_is_picked_by_name_and_by_the_labels_that_the_rule_names() {
        let mut cell = SecondCell::default();
        cell.gauges.insert(r#"disk.used{device="sda",host="a"}"#.into(), 0.95);
        cell.gauges.insert(r#"disk.used{device="sdb",host="a"}"#.into(), 0.5);
        cell.gauges.insert("disk.used_inodes".into(), 0.99);
        let all = gauge_rule("disk.used").readings(&cell);
        assert_eq!(all, Tally { seen: 2, bad_low: 1, bad_high: 1 });
        let one = gauge_rule(r#"disk.used{device="sdb"}"#).readings(&cell);
        assert_eq!(one, Tally { seen: 1, bad_low: 0, bad_high: 0 });
    }

    #[test]
    fn a_rule_for_one_host_of_a_service_passes_over_the_readings_of_others() {
        let mut rule = rule("full", Measure::Saturation { metric: "disk.used".into(), threshold: 0.9 });
        rule.selector.host = Some("a".into());
        let mut cell = SecondCell::default();
        cell.gauges.insert(r#"disk.used{host="a"}"#.into(), 0.5);
        cell.gauges.insert(r#"disk.used{host="b"}"#.into(), 0.95);
        let seen = Projection::new(Arc::new(rule)).readings(&cell);
        assert_eq!(seen, Tally { seen: 1, bad_low: 0, bad_high: 0 });
    }

    #[test]
    fn a_rule_for_every_service_leaves_the_services_of_hosts_alone() {
        let host = ServiceId::of_host("default", "default", "web-1").expect("valid");
        let mut errors = rule("errors", Measure::Availability { bad: vec![] });
        errors.selector.service = Some(ANY.into());
        let errors = Projection::new(Arc::new(errors));
        assert!(!errors.selects(&host));
        assert!(errors.selects(&service("shop")));
        assert!(gauge_rule("disk.used").selects(&host));
        assert_eq!(errors.exact_service(), None);
    }

    #[test]
    fn a_rule_that_names_its_service_has_that_service_before_it_is_heard_of() {
        let mut floor = rule("quiet", Measure::Traffic);
        floor.condition = Condition::RateBelow(1.0);
        assert_eq!(Projection::new(Arc::new(floor)).exact_service(), Some(service("shop")));
    }
}
