//! All rules over one service.

use std::sync::Arc;

use goldentime_model::alert::label;
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{
    Alert, Fingerprint, Interval, Labels, Second, ServiceId, Severity, StageTimes, UnixNanos,
};
use goldentime_windows::SecondCell;
use hashbrown::HashMap;

use super::engine::{Finding, Subject, change_of, closing};
use super::expectation::Expectation;
use super::incomplete::Incomplete;
use super::instance::{Instance, Moment, Step, Unseen, judge};
use super::project::{Part, Projection, events};
use super::ring::{Ring, SETTLE_SECONDS, Tally};
use super::rule::{Condition, GroupBy, Measure};
use super::status::{RuleState, RuleStatus};
use super::transition::{Change, Transition};

/// Most parts (endpoints, hosts) of one service that one rule judges one by one.
pub const PARTS_MAX: usize = 500;

/// Milliseconds of a second.
const MS: i64 = 1000;

/// The instant as of which a service is judged.
#[derive(Clone, Copy, Debug)]
pub struct Tempo {
    /// Event time of the service that is judged, in milliseconds: its window ends here.
    pub watermark_ms: i64,
    /// The central's clock.
    pub now: UnixNanos,
    /// A second ended since the last judgement: statuses are shown anew.
    pub boundary: bool,
}

/// The rules over one service with their instances.
pub(super) struct ServiceJudge {
    service: ServiceId,
    rules: Vec<RuleInstances>,
    covered_from: Second,
    /// The alert that nothing can be said of this service.
    pub(super) incomplete: Incomplete,
}

struct RuleInstances {
    projection: Arc<Projection>,
    parts: HashMap<Part, Instance>,
    /// All events of the service over the same window: what agents' rates are a rate of.
    whole: Ring,
    /// Its sums hold what was there before the rule was: parts that appear are judged at once.
    warm: bool,
}

impl ServiceJudge {
    pub(super) fn new(
        service: &ServiceId,
        projections: Vec<Arc<Projection>>,
        covered_from: Second,
        now: UnixNanos,
        warm: bool,
    ) -> Self {
        let rules = projections
            .into_iter()
            .map(|projection| RuleInstances::new(service, projection, covered_from, now, warm))
            .collect();
        Self { service: service.clone(), rules, covered_from, incomplete: Incomplete::default() }
    }

    pub(super) fn is_watched(&self) -> bool {
        !self.rules.is_empty()
    }

    pub(super) fn instances(&self) -> usize {
        self.rules.iter().map(|rule| rule.parts.len()).sum()
    }

    /// Returns how many instances appeared.
    pub(super) fn touch(
        &mut self,
        second: Second,
        cell: &SecondCell,
        now: UnixNanos,
        mut room: usize,
    ) -> usize {
        let before = room;
        for rule in &mut self.rules {
            room -= rule.touch(&self.service, second, cell, now, room, false);
        }
        before - room
    }

    pub(super) fn rebuild(
        &mut self,
        cells: &[(Second, SecondCell)],
        now: UnixNanos,
        mut room: usize,
    ) -> usize {
        let before = room;
        if let Some((first, _)) = cells.first() {
            self.covered_from = self.covered_from.min(*first);
        }
        for rule in &mut self.rules {
            for (second, cell) in cells {
                room -= rule.touch(&self.service, *second, cell, now, room, true);
            }
            rule.warm = true;
            rule.parts.values_mut().for_each(|instance| instance.warm = true);
        }
        before - room
    }

    pub(super) fn longest_cold_window_s(&self) -> Option<u32> {
        self.rules.iter().filter(|rule| !rule.warm).map(|rule| rule.whole.window_s()).max()
    }

    pub(super) fn oldest_unknown(&self) -> Option<UnixNanos> {
        let instances = self.rules.iter().flat_map(|rule| rule.parts.values());
        instances.filter(|instance| instance.state() == RuleState::Unknown).map(Instance::since).min()
    }

    /// Returns whether an instance changed its state.
    pub(super) fn judge(
        &mut self,
        tempo: Tempo,
        expectation: &dyn Expectation,
        stages: StageTimes,
        out: &mut Vec<Finding>,
    ) -> bool {
        if self.rules.is_empty() {
            return false;
        }
        let head = Second(tempo.watermark_ms.div_euclid(MS));
        let moment = Moment {
            watermark_ms: tempo.watermark_ms,
            settled: settled_second(head, expectation.complete_until_ms()),
            now: tempo.now,
            covered_from: self.covered_from,
        };
        let mut changed = false;
        for rule in &mut self.rules {
            changed |= rule.judge(&self.service, head, &moment, expectation, stages, out);
        }
        changed
    }

    /// Returns whether sums must be rebuilt.
    pub(super) fn replace_rules(
        &mut self,
        projections: Vec<Arc<Projection>>,
        now: UnixNanos,
        out: &mut Vec<Finding>,
    ) -> bool {
        let mut former = std::mem::take(&mut self.rules);
        let mut needs_rebuild = false;
        for projection in projections {
            let same = former.iter().position(|rule| rule.projection.rule() == projection.rule());
            if let Some(at) = same {
                self.rules.push(former.swap_remove(at));
                continue;
            }
            needs_rebuild = true;
            let name = &projection.rule().name;
            let mut fresh =
                RuleInstances::new(&self.service, Arc::clone(&projection), self.covered_from, now, false);
            for rule in former.iter_mut().filter(|rule| rule.projection.rule().name == *name) {
                fresh.inherit(&self.service, rule, now);
            }
            self.rules.push(fresh);
        }
        for mut rule in former {
            rule.close_all(&self.service, now, "its rule was changed or removed", out);
        }
        needs_rebuild
    }

    pub(super) fn close_all(&mut self, now: UnixNanos, reason: &str, out: &mut Vec<Finding>) {
        for rule in &mut self.rules {
            rule.close_all(&self.service, now, reason, out);
        }
    }

    pub(super) fn adopt(&mut self, orphans: &mut HashMap<Fingerprint, Alert>) {
        for instance in self.rules.iter_mut().flat_map(|rule| rule.parts.values_mut()) {
            if instance.alert().is_none()
                && let Some(alert) = orphans.remove(&instance.fingerprint)
            {
                instance.adopt(alert);
            }
        }
    }

    pub(super) fn remember(&mut self, told: &Alert) {
        for instance in self.rules.iter_mut().flat_map(|rule| rule.parts.values_mut()) {
            if instance.fingerprint == told.fingerprint
                && let Some(alert) = instance.alert_mut()
            {
                alert.annotations.clone_from(&told.annotations);
            }
        }
    }

    pub(super) fn statuses(&self) -> Vec<RuleStatus> {
        let mut statuses: Vec<_> = self
            .rules
            .iter()
            .flat_map(|rule| rule.parts.values().map(|instance| rule.status(&self.service, instance)))
            .collect();
        statuses.sort_by(|a, b| (&a.rule, &a.labels).cmp(&(&b.rule, &b.labels)));
        statuses
    }
}

/// The newest second that is over for every agent, but at most [`SETTLE_SECONDS`] behind the head:
/// an agent that is further behind than that is judged by what is expected of it.
fn settled_second(head: Second, complete_until_ms: Option<i64>) -> Second {
    let over = head.offset(-1);
    let complete = complete_until_ms.map_or(over, |until_ms| Second(until_ms.div_euclid(MS)).offset(-1));
    complete.clamp(head.offset(-(SETTLE_SECONDS as i64)), over)
}

impl RuleInstances {
    fn new(
        service: &ServiceId,
        projection: Arc<Projection>,
        head: Second,
        now: UnixNanos,
        warm: bool,
    ) -> Self {
        let rule = projection.rule();
        let whole = Ring::new(rule.window_s, head);
        let mut parts = HashMap::new();
        let named = projection.exact_service().is_some() && rule.group_by == GroupBy::Service;
        if named {
            let ring = Ring::new(rule.window_s, head);
            let labels = labels_of(service, &projection, &Part::Service);
            parts.insert(Part::Service, Instance::new(labels, ring, now, warm));
        }
        Self { projection, parts, whole, warm }
    }

    fn inherit(&mut self, service: &ServiceId, former: &mut Self, now: UnixNanos) {
        for (part, old) in &mut former.parts {
            let labels = labels_of(service, &self.projection, part);
            if Fingerprint::of(&labels) != old.fingerprint || old.alert().is_none() {
                continue;
            }
            let window_s = self.whole.window_s();
            let head = self.whole.head();
            self.parts
                .entry(part.clone())
                .or_insert_with(|| Instance::new(labels, Ring::new(window_s, head), now, false))
                .inherit(old);
        }
    }

    /// Returns how many instances appeared. `rebuilding` touches only those that are not warm.
    fn touch(
        &mut self,
        service: &ServiceId,
        second: Second,
        cell: &SecondCell,
        now: UnixNanos,
        room: usize,
        rebuilding: bool,
    ) -> usize {
        self.whole.set(second, Tally { seen: events(cell), bad_low: 0, bad_high: 0 });
        let Self { projection, parts, whole, warm } = self;
        let mut grown = 0;
        projection.tallies(cell, |part, tally| {
            if let Some(instance) = parts.get_mut(&part) {
                if !(rebuilding && instance.warm) {
                    instance.ring.set(second, tally);
                }
            } else if tally.seen > 0 {
                if parts.len() >= PARTS_MAX || grown >= room {
                    metrics::counter!(DROPS_TOTAL, "component" => "evaluate", "reason" => "instances_max")
                        .increment(1);
                    return;
                }
                let labels = labels_of(service, projection, &part);
                let ring = Ring::new(whole.window_s(), second);
                let mut instance = Instance::new(labels, ring, now, *warm);
                instance.born = second;
                instance.ring.set(second, tally);
                parts.insert(part, instance);
                grown += 1;
            }
        });
        grown
    }

    fn judge(
        &mut self,
        service: &ServiceId,
        head: Second,
        moment: &Moment,
        expectation: &dyn Expectation,
        stages: StageTimes,
        out: &mut Vec<Finding>,
    ) -> bool {
        let Self { projection, parts, whole, .. } = self;
        let rule = projection.rule();
        whole.advance(head);
        let at_head = Span::ending(head, whole.window_s(), moment.watermark_ms);
        let settled = Span::ending(moment.settled, whole.window_s(), moment.watermark_ms);
        let unseen = Unseen { at_head: at_head.unseen(expectation), settled: settled.unseen(expectation) };
        let seen = Unseen {
            at_head: whole.window(head).seen as f64,
            settled: whole.window(moment.settled).seen as f64,
        };
        let mut changed = false;
        for (part, instance) in parts.iter_mut().filter(|(_, instance)| instance.warm) {
            instance.ring.advance(head);
            let own = match part {
                Part::Host(host) => at_head.unseen_on(expectation, host).map(|of_host| Unseen {
                    at_head: of_host,
                    settled: settled.unseen_on(expectation, host).unwrap_or_default(),
                }),
                Part::Service | Part::Endpoint(_) => None,
            };
            let own = own.unwrap_or_else(|| Unseen {
                at_head: unseen.at_head * share(instance.ring.window(head).seen, seen.at_head),
                settled: unseen.settled * share(instance.ring.window(moment.settled).seen, seen.settled),
            });
            let covered_from = moment.covered_from.max(instance.born);
            let moment = &Moment { covered_from, ..*moment };
            let Some(judgement) = judge(rule, &instance.ring, moment, own) else { continue };
            let before = instance.state();
            let step = instance.step(rule, &judgement, moment, stages);
            changed |= instance.state() != before;
            out.extend(finding(service, projection, part, instance, &step, moment));
        }
        let keep = |part: &Part, instance: &mut Instance| {
            *part == Part::Service || instance.state() != RuleState::NoData || !instance.ring.is_empty()
        };
        let before = parts.len();
        parts.retain(keep);
        changed || parts.len() != before
    }

    fn close_all(&mut self, service: &ServiceId, now: UnixNanos, reason: &str, out: &mut Vec<Finding>) {
        let rule = self.projection.rule();
        for instance in self.parts.values_mut() {
            out.extend(closing(service, instance, now, reason, &rule.targets, rule.alert_on_resolve));
        }
    }

    fn status(&self, service: &ServiceId, instance: &Instance) -> RuleStatus {
        let rule = self.projection.rule();
        let (objective, is_share) = match rule.condition {
            Condition::BadShareAbove(limit) => (1.0 - limit, true),
            Condition::RateBelow(floor) => (floor, false),
        };
        let good =
            |bad: Interval| Interval { low: (1.0 - bad.high).max(0.0), high: (1.0 - bad.low).max(0.0) };
        RuleStatus {
            rule: Arc::clone(&rule.name),
            slo: rule.slo.clone(),
            service: service.clone(),
            labels: instance.labels.clone(),
            signal: self.projection.signal(),
            state: instance.state(),
            severity: rule.severity,
            since: instance.since(),
            sli: instance.value().map(|value| if is_share { good(value) } else { value }),
            objective,
            window_s: rule.window_s,
            watermark: instance.ring.head(),
        }
    }
}

/// A window's reach in event time, as far as the watermark has come.
#[derive(Clone, Copy)]
struct Span {
    from_ms: i64,
    until_ms: i64,
}

impl Span {
    fn ending(end: Second, window_s: u32, watermark_ms: i64) -> Self {
        let until_ms = end.0.saturating_add(1).saturating_mul(MS);
        Self {
            from_ms: until_ms.saturating_sub(i64::from(window_s) * MS),
            until_ms: until_ms.min(watermark_ms),
        }
    }

    fn unseen(self, expectation: &dyn Expectation) -> f64 {
        expectation.unseen(self.from_ms, self.until_ms)
    }

    fn unseen_on(self, expectation: &dyn Expectation, host: &str) -> Option<f64> {
        expectation.unseen_on_host(host, self.from_ms, self.until_ms)
    }
}

/// The part's share of what the service does: all of it where nothing was seen yet.
fn share(seen: u64, whole: f64) -> f64 {
    if whole > 0.0 { (seen as f64 / whole).min(1.0) } else { 1.0 }
}

fn finding(
    service: &ServiceId,
    projection: &Arc<Projection>,
    part: &Part,
    instance: &mut Instance,
    step: &Step,
    moment: &Moment,
) -> Option<Finding> {
    let change = change_of(step)?;
    let rule = projection.rule();
    if *step == Step::GaveUp {
        let reason = "nothing was seen and nothing is expected of it for ten minutes";
        return closing(service, instance, moment.now, reason, &rule.targets, rule.alert_on_resolve);
    }
    let alert = match change {
        Change::Fired | Change::Updated => instance.alert()?.clone(),
        Change::Resolved => instance.close(moment.now)?,
    };
    let until = if change == Change::Resolved { moment.settled } else { instance.ring.head() };
    Some(Finding {
        service: service.clone(),
        transition: Transition {
            change,
            alert,
            targets: rule.targets.clone(),
            tell_resolve: rule.alert_on_resolve,
        },
        subject: Some(Subject { projection: Arc::clone(projection), part: part.clone(), until }),
    })
}

/// The labels that identify the alerts of one part.
fn labels_of(service: &ServiceId, projection: &Projection, part: &Part) -> Labels {
    let rule = projection.rule();
    let mut labels = rule.labels.clone();
    let (project, environment, name) = service.parts();
    let mut set = |name: &str, value: &str| labels.insert(name.to_owned(), value.to_owned());
    set(label::ALERTNAME, &rule.name);
    set(label::PROJECT, project);
    set(label::ENVIRONMENT, environment);
    set(label::SERVICE, name);
    set(label::SIGNAL, signal_name(&rule.measure));
    if let Some(slo) = &rule.slo {
        set(label::SLO, slo);
    }
    match part {
        Part::Endpoint(key) => {
            set(label::ENDPOINT, &key.endpoint);
            set(label::METHOD, &key.method);
        }
        Part::Host(host) => {
            set(label::HOST, host);
        }
        Part::Service => {
            if let Some(host) = service.host() {
                set(label::HOST, host);
            }
        }
    }
    labels.entry(label::SEVERITY.to_owned()).or_insert_with(|| severity_name(rule.severity).to_owned());
    labels
}

const fn signal_name(measure: &Measure) -> &'static str {
    match measure {
        Measure::Availability { .. } => "errors",
        Measure::Latency { .. } => "latency",
        Measure::Traffic => "traffic",
        Measure::Saturation { .. } => "saturation",
    }
}

pub(super) const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}
