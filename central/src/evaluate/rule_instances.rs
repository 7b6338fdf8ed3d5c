//! One rule over one service, part by part.

use std::sync::Arc;

use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{Fingerprint, Interval, Second, ServiceId, StageTimes, UnixNanos};
use goldentime_windows::SecondCell;
use hashbrown::HashMap;

use super::detect::guard::{Guard, is_worth_keeping};
use super::detect::kept::{Keeper, Kept};
use super::detect::watch::ShiftWatch;
use super::engine::{Finding, Subject, change_of, closing};
use super::expectation::Expectation;
use super::instance::{Instance, Moment, Step, Unseen, judge};
use super::labels::labels_of;
use super::project::{Part, Projection, events};
use super::ring::{Ring, SETTLE_SECONDS, Tally};
use super::rule::{Condition, GroupBy, Measure};
use super::span::Span;
use super::status::{RuleState, RuleStatus};
use super::stray::Usual;
use super::stray::watch::{SEED_S, StrayWatch};
use super::transition::{Change, Transition};

/// Most parts (endpoints, hosts) of one service that one rule judges one by one.
const PARTS_MAX: usize = 500;

/// One rule with its instances, one for each part of the service that it judges.
pub(super) struct RuleInstances {
    pub(super) projection: Arc<Projection>,
    pub(super) parts: HashMap<Part, Instance>,
    /// All events of the service over the same window: what agents' rates are a rate of.
    pub(super) whole: Ring,
    /// Its sums hold what was there before the rule was: parts that appear are judged at once.
    pub(super) warm: bool,
    /// What is usual, where the rule judges what strays from it.
    stray: Option<StrayWatch>,
    /// What is usual, where the rule judges what leaves it.
    shift: Option<ShiftWatch>,
    /// What few requests must show.
    guard: Option<Guard>,
}

/// Baselines of services are renewed in as many different seconds.
const STRAY_PHASES: u32 = 10;

impl RuleInstances {
    pub(super) fn new(
        service: &ServiceId,
        projection: Arc<Projection>,
        head: Second,
        now: UnixNanos,
        warm: bool,
    ) -> Self {
        let rule = projection.rule();
        let whole = Ring::new(rule.window_s, head);
        let mut parts = HashMap::new();
        let stray = matches!(rule.measure, Measure::Stray(_))
            .then(|| StrayWatch::new(service.partition(STRAY_PHASES), head.offset(-1)));
        let named = projection.exact_service().is_some() && rule.group_by == GroupBy::Service;
        if named && stray.is_none() {
            let ring = Ring::new(rule.window_s, head);
            let labels = labels_of(service, &projection, &Part::Service);
            parts.insert(Part::Service, Instance::new(labels, ring, now, warm));
        }
        let shift = match &rule.measure {
            Measure::Shift(of) => Some(ShiftWatch::new(of)),
            _ => None,
        };
        let guard = Guard::of(rule);
        Self { projection, parts, whole, warm, stray, shift, guard }
    }

    pub(super) fn inherit(&mut self, service: &ServiceId, former: &mut Self, now: UnixNanos) {
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

    /// How far back cells are read before it is judged, in seconds.
    pub(super) fn reach_s(&self) -> u32 {
        let seed_s = if self.stray.is_some() || self.shift.is_some() { SEED_S as u32 } else { 0 };
        self.whole.window_s().max(seed_s)
    }

    /// Takes over what its tests had learned before the start.
    pub(super) fn recall(&mut self, service: &ServiceId, kept: &mut Kept) {
        if let Some(shift) = &mut self.shift {
            let labels = labels_of(service, &self.projection, &Part::Service);
            kept.take_shift(Fingerprint::of(&labels), shift);
        }
        if let Some(guard) = &self.guard {
            for instance in self.parts.values_mut() {
                if let Some(evidence) = kept.take_guard(instance.fingerprint, guard) {
                    instance.evidence = std::mem::take(&mut instance.evidence).or_stronger(evidence);
                }
            }
        }
    }

    /// Gives what its tests have learned.
    pub(super) fn keep(&self, service: &ServiceId, keeper: &mut Keeper) {
        if let Some(shift) = self.shift.as_ref().filter(|shift| shift.usual().is_some()) {
            let labels = labels_of(service, &self.projection, &Part::Service);
            keeper.shift(Fingerprint::of(&labels), shift);
        }
        if let Some(guard) = &self.guard {
            let head = self.whole.head();
            let worth = self.parts.values().filter(|instance| is_worth_keeping(&instance.evidence, head));
            worth.for_each(|instance| keeper.guard(instance.fingerprint, guard, &instance.evidence));
        }
    }

    /// The instance of a rule on what strays: there is one, for the whole selection, once there is something
    /// to compare with, or an alert to go on with.
    fn note(
        &mut self,
        service: &ServiceId,
        second: Second,
        cell: &SecondCell,
        now: UnixNanos,
        rebuilding: bool,
    ) -> usize {
        let Self { projection, parts, whole, warm, stray: Some(watch) } = self else { return 0 };
        watch.note(second, projection.seen(cell));
        if !parts.is_empty() || (watch.usual().is_none() && !rebuilding) {
            return 0;
        }
        let labels = labels_of(service, projection, &Part::Service);
        // It ends with the newest second that is complete, which is a few seconds old.
        let ring = Ring::new(whole.window_s(), second.offset(-1 - SETTLE_SECONDS as i64));
        parts.insert(Part::Service, Instance::new(labels, ring, now, *warm));
        1
    }

    /// Returns how many instances appeared. `rebuilding` touches only those that are not warm.
    pub(super) fn touch(
        &mut self,
        service: &ServiceId,
        second: Second,
        cell: &SecondCell,
        now: UnixNanos,
        room: usize,
        rebuilding: bool,
    ) -> usize {
        self.whole.set(second, Tally { seen: events(cell), bad_low: 0, bad_high: 0 });
        if self.stray.is_some() {
            // Buckets of ten seconds, which long windows are rebuilt of, are no readings of a second.
            let is_taken = room > 0 && !(rebuilding && (self.warm || second < now.second().offset(-SEED_S)));
            return if is_taken { self.note(service, second, cell, now, rebuilding) } else { 0 };
        }
        let Self { projection, parts, whole, warm, shift, guard, .. } = self;
        match shift {
            Some(shift) if !rebuilding => shift.note(projection, second, cell),
            // Buckets of ten seconds are no seconds here either.
            Some(shift) if !*warm && second >= now.second().offset(-SEED_S) => {
                shift.note_past(projection, second, cell);
            }
            _ => {}
        }
        let mut grown = 0;
        projection.tallies(cell, |part, tally| {
            if let Some(instance) = parts.get_mut(&part) {
                if !(rebuilding && instance.warm) {
                    set(instance, guard.as_ref(), second, tally);
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
                set(&mut instance, guard.as_ref(), second, tally);
                parts.insert(part, instance);
                grown += 1;
            }
        });
        grown
    }

    pub(super) fn judge(
        &mut self,
        service: &ServiceId,
        head: Second,
        moment: &Moment,
        expectation: &dyn Expectation,
        stages: StageTimes,
        out: &mut Vec<Finding>,
    ) -> bool {
        if self.stray.is_some() {
            return self.judge_stray(service, moment, expectation, out);
        }
        let Self { projection, parts, whole, shift, guard, .. } = self;
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
            let judged = match shift {
                Some(shift) => shift.judge(head, moment, expectation, instance.alert().is_some()),
                None => judge(rule, &instance.ring, moment, own),
            };
            let Some(mut judgement) = judged else { continue };
            if let Some(guard) = guard {
                let (evidence, is_firing) = (&instance.evidence, instance.alert().is_some());
                judgement = guard.weigh(evidence, &instance.ring, moment.settled, own, is_firing, judgement);
            }
            let before = instance.state();
            let step = instance.step(rule, &judgement, moment, stages);
            if let Some(guard) = guard {
                guard.note(&mut instance.evidence, &step);
            }
            changed |= instance.state() != before;
            let mut found = finding(service, projection, part, None, instance, &step, moment);
            if let Some(subject) = found.as_mut().and_then(|found| found.subject.as_mut()) {
                subject.shifted = shift.as_ref().and_then(ShiftWatch::shifted);
            }
            out.extend(found);
        }
        let keep = |part: &Part, instance: &mut Instance| {
            *part == Part::Service
                || instance.state() != RuleState::NoData
                || !instance.ring.is_empty()
                || is_worth_keeping(&instance.evidence, head)
        };
        let before = parts.len();
        parts.retain(keep);
        changed || parts.len() != before
    }

    /// Seconds are judged when they are settled, so the window ends there, and nothing of it is missing
    /// that could still come.
    fn judge_stray(
        &mut self,
        service: &ServiceId,
        moment: &Moment,
        expectation: &dyn Expectation,
        out: &mut Vec<Finding>,
    ) -> bool {
        let Self { projection, parts, warm: true, stray: Some(watch), .. } = self else { return false };
        let rule = projection.rule();
        let Measure::Stray(straying) = &rule.measure else { return false };
        let mut instance = parts.get_mut(&Part::Service).filter(|instance| instance.warm);
        let firing = instance.as_ref().is_some_and(|instance| instance.alert().is_some());
        let missing = |second: Second| Span::ending(second, 1, moment.watermark_ms).unseen(expectation);
        watch.advance(straying, moment.settled, firing, missing, |second, tally| {
            if let Some(instance) = &mut instance {
                instance.ring.set(second, tally);
            }
        });
        let Some(instance) = instance else { return false };
        instance.ring.advance(moment.settled);
        let Some(mut judgement) = judge(rule, &instance.ring, moment, Unseen::default()) else {
            return false;
        };
        // A second without requests does not stray; only an alert asks for some to be over.
        judgement.empty &= firing || rule.alert_on_no_data;
        let before = instance.state();
        // A whole second tipped it and not the request that came just now.
        let step = instance.step(rule, &judgement, moment, StageTimes::default());
        let usual = watch.usual().copied();
        out.extend(finding(service, projection, &Part::Service, usual, instance, &step, moment));
        instance.state() != before
    }

    pub(super) fn close_all(
        &mut self,
        service: &ServiceId,
        now: UnixNanos,
        reason: &str,
        out: &mut Vec<Finding>,
    ) {
        let rule = self.projection.rule();
        for instance in self.parts.values_mut() {
            out.extend(closing(service, instance, now, reason, &rule.targets, rule.alert_on_resolve));
        }
    }

    pub(super) fn status(&self, service: &ServiceId, instance: &Instance) -> RuleStatus {
        let mut status = status_of(service, &self.projection, instance);
        if let Some(usual) = self.shift.as_ref().and_then(ShiftWatch::usual) {
            status.objective = 1.0 - usual;
        }
        status
    }
}

/// Replaces what an instance counts of one second; what that is more than before is evidence.
fn set(instance: &mut Instance, guard: Option<&Guard>, second: Second, tally: Tally) {
    if let Some(guard) = guard {
        let is_held = second > instance.ring.head() || instance.ring.holds(second);
        let before = if is_held { instance.ring.get(second) } else { tally };
        guard.observe(&mut instance.evidence, second, before, tally);
    }
    instance.ring.set(second, tally);
}

/// Where an instance stands.
pub(super) fn status_of(service: &ServiceId, projection: &Projection, instance: &Instance) -> RuleStatus {
    let rule = projection.rule();
    let (objective, is_share) = match rule.condition {
        Condition::BadShareAbove(limit) => (1.0 - limit, true),
        Condition::RateBelow(floor) => (floor, false),
    };
    let good = |bad: Interval| Interval { low: (1.0 - bad.high).max(0.0), high: (1.0 - bad.low).max(0.0) };
    RuleStatus {
        rule: Arc::clone(&rule.name),
        slo: rule.slo.clone(),
        service: service.clone(),
        services: rule.selector.services.clone().unwrap_or_default(),
        labels: instance.labels.clone(),
        signal: projection.signal(),
        state: instance.state(),
        severity: rule.severity,
        since: instance.since(),
        sli: instance.value().map(|value| if is_share { good(value) } else { value }),
        objective,
        window_s: rule.window_s,
        strays: matches!(rule.measure, Measure::Stray(_)),
        watermark: instance.ring.head(),
    }
}

/// The part's share of what the service does: all of it where nothing was seen yet.
fn share(seen: u64, whole: f64) -> f64 {
    if whole > 0.0 { (seen as f64 / whole).min(1.0) } else { 1.0 }
}

pub(super) fn finding(
    service: &ServiceId,
    projection: &Arc<Projection>,
    part: &Part,
    usual: Option<Usual>,
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
    let judged = instance.ring.window(until);
    Some(Finding {
        service: service.clone(),
        transition: Transition {
            change,
            alert,
            targets: rule.targets.clone(),
            tell_resolve: rule.alert_on_resolve,
        },
        subject: Some(Subject {
            projection: Arc::clone(projection),
            part: part.clone(),
            until,
            judged,
            usual,
            shifted: None,
            across: None,
        }),
    })
}
