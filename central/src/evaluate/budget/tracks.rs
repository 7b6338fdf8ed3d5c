//! One objective over one service, part by part.

use std::sync::Arc;

use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{Alert, Fingerprint, Second, ServiceId, StageTimes, UnixNanos};
use goldentime_windows::SecondCell;
use hashbrown::HashMap;

use super::super::engine::{Finding, closing};
use super::super::expectation::Expectation;
use super::super::instance::{Instance, Moment};
use super::super::labels::labels_of;
use super::super::project::{Part, Projection, events};
use super::super::ring::{Ring, Tally};
use super::super::rule::{GroupBy, Rule};
use super::super::rule_instances::{finding, share, status_of};
use super::super::span::Span;
use super::super::status::{RuleState, RuleStatus};
use super::burn::judgement;
use super::history::Wanted;
use super::objective::{Method, Objective};
use super::status::BudgetStatus;
use super::track::{OPEN_S, Past, Track};

/// Most parts (endpoints, hosts) of one service that one objective is kept of.
const PARTS_MAX: usize = 500;

/// What is rebuilt of live windows before a track goes on live; history must have come this far.
pub(in crate::evaluate) const REBUILT_S: u32 = 300;

/// Rows of history are so many seconds wide at least.
const ROW_S: i64 = 10;

/// One objective with its tracks, one for each part of the service.
pub(in crate::evaluate) struct Tracks {
    pub(in crate::evaluate) objective: Arc<Objective>,
    counted: Arc<Projection>,
    burns: Vec<Arc<Projection>>,
    /// All events of the service in the newest seconds: what agents' rates are a rate of.
    whole: Ring,
    parts: HashMap<Part, OfPart>,
    /// The newest seconds before the objective are counted.
    pub(in crate::evaluate) warm: bool,
    live_from: Second,
    since: UnixNanos,
}

/// One part's sums, and the rules that are judged by them.
struct OfPart {
    track: Track,
    instances: Vec<Instance>,
}

impl Tracks {
    pub(in crate::evaluate) fn new(
        service: &ServiceId,
        objective: &Arc<Objective>,
        head: Second,
        now: UnixNanos,
        warm: bool,
    ) -> Self {
        let project = |rule: &Arc<Rule>| Arc::new(Projection::new(Arc::clone(rule)));
        let mut tracks = Self {
            counted: project(&objective.counted),
            burns: objective.burns.iter().map(project).collect(),
            objective: Arc::clone(objective),
            whole: Ring::new(OPEN_S, head),
            parts: HashMap::new(),
            warm,
            live_from: row_of(head),
            since: now,
        };
        if tracks.counted.exact_service().is_some() && objective.counted.group_by == GroupBy::Service {
            tracks.add(service, Part::Service, now);
        }
        tracks
    }

    fn add(&mut self, service: &ServiceId, part: Part, now: UnixNanos) {
        let instance = |burn: &Arc<Projection>| {
            Instance::new(labels_of(service, burn, &part), Ring::new(1, self.live_from), now, true)
        };
        let instances = self.burns.iter().map(instance).collect();
        let track = Track::new(&self.objective, self.live_from);
        self.parts.insert(part, OfPart { track, instances });
    }

    pub(in crate::evaluate) fn len(&self) -> usize {
        self.parts.len() * self.burns.len().max(1)
    }

    /// Begins anew from the oldest second that is rebuilt, keeping what fires.
    pub(in crate::evaluate) fn begin_rebuild(&mut self, now: UnixNanos) {
        self.live_from = row_of(now.second().offset(ROW_S - 1 - i64::from(REBUILT_S)));
        self.whole = Ring::new(OPEN_S, self.live_from);
        for of in self.parts.values_mut() {
            of.track = Track::new(&self.objective, self.live_from);
        }
    }

    /// Takes the present sums of one second over. Returns how many instances appeared.
    pub(in crate::evaluate) fn touch(
        &mut self,
        service: &ServiceId,
        second: Second,
        cell: &SecondCell,
        now: UnixNanos,
        room: usize,
        rebuilding: bool,
    ) -> usize {
        if self.warm == rebuilding {
            return 0;
        }
        self.whole.set(second, Tally { seen: events(cell), bad_low: 0, bad_high: 0 });
        let counted = Arc::clone(&self.counted);
        let mut grown = 0;
        counted.tallies(cell, |part, tally| {
            if !self.parts.contains_key(&part) {
                if tally.seen == 0 {
                    return;
                }
                if self.parts.len() >= PARTS_MAX || grown >= room {
                    metrics::counter!(DROPS_TOTAL, "component" => "evaluate", "reason" => "budgets_max")
                        .increment(1);
                    return;
                }
                if !rebuilding {
                    self.live_from = self.live_from.max(row_of(second));
                }
                self.add(service, part.clone(), now);
                grown += self.burns.len().max(1);
            }
            if let Some(of) = self.parts.get_mut(&part) {
                of.track.set(second, tally, &self.objective.maintenance);
            }
        });
        grown
    }

    /// Judges the rules of every part. Returns whether an instance changed its state.
    pub(in crate::evaluate) fn judge(
        &mut self,
        service: &ServiceId,
        head: Second,
        moment: &Moment,
        expectation: &dyn Expectation,
        stages: StageTimes,
        out: &mut Vec<Finding>,
    ) -> bool {
        if !self.warm {
            return false;
        }
        let Self { objective, burns, whole, parts, .. } = self;
        whole.advance(head);
        let all = whole.window(head).seen as f64;
        let is_sliced = matches!(objective.method, Method::Slices { .. });
        let mut changed = false;
        for (part, OfPart { track, instances }) in parts.iter_mut() {
            let own = share(track.newest().seen, all);
            let unseen = |end: Second, window_s: u32| {
                let span = Span::ending(end, window_s, moment.watermark_ms);
                let of_host = match part {
                    Part::Host(host) => span.unseen_on(expectation, host),
                    Part::Service | Part::Endpoint(_) => None,
                };
                of_host.unwrap_or_else(|| span.unseen(expectation) * own)
            };
            let missing = |end: Second, seconds: i64| unseen(end, u32::try_from(seconds).unwrap_or(u32::MAX));
            track.advance(head, moment.settled, missing, &objective.maintenance);
            if !track.filled {
                continue;
            }
            for (burn, instance) in burns.iter().zip(instances) {
                instance.ring.advance(head);
                // Of slices that are over nothing is missing but what made them an interval.
                let missing = |window_s| if is_sliced { 0.0 } else { unseen(head, window_s) };
                let Some(judgement) = judgement(burn.rule(), track, objective.unit(), missing) else {
                    continue;
                };
                let before = instance.state();
                let step = instance.step(burn.rule(), &judgement, moment, stages);
                changed |= instance.state() != before;
                let found = finding(service, burn, part, None, instance, &step, moment);
                out.extend(found.map(|mut found| {
                    if let Some(subject) = &mut found.subject {
                        subject.judged = track.sum(burn.rule().window_s);
                    }
                    found
                }));
            }
        }
        changed
    }

    /// Takes the place of a former wording: sums are kept where the same is counted, alerts where they
    /// have the same labels.
    pub(in crate::evaluate) fn inherit(&mut self, service: &ServiceId, former: &mut Self, now: UnixNanos) {
        let counts_like = self.objective.counts_like(&former.objective);
        if counts_like {
            (self.warm, self.live_from) = (former.warm, former.live_from);
            std::mem::swap(&mut self.whole, &mut former.whole);
        }
        for (part, old) in &mut former.parts {
            let fires = old.instances.iter().any(|instance| instance.alert().is_some());
            if !self.parts.contains_key(part) && (counts_like || fires) {
                self.add(service, part.clone(), now);
            }
            let Some(of) = self.parts.get_mut(part) else { continue };
            if counts_like {
                std::mem::swap(&mut of.track, &mut old.track);
            }
            for instance in &mut of.instances {
                let fingerprint = instance.fingerprint;
                if let Some(old) = old.instances.iter_mut().find(|old| old.fingerprint == fingerprint) {
                    instance.inherit(old);
                }
            }
        }
    }

    pub(in crate::evaluate) fn close_all(
        &mut self,
        service: &ServiceId,
        now: UnixNanos,
        reason: &str,
        out: &mut Vec<Finding>,
    ) {
        for of in self.parts.values_mut() {
            for (burn, instance) in self.burns.iter().zip(&mut of.instances) {
                let rule = burn.rule();
                out.extend(closing(service, instance, now, reason, &rule.targets, rule.alert_on_resolve));
            }
        }
    }

    /// Goes on with alerts that were open before the start.
    pub(in crate::evaluate) fn adopt(&mut self, orphans: &mut HashMap<Fingerprint, Alert>) {
        for instance in self.instances_mut() {
            if instance.alert().is_none()
                && let Some(alert) = orphans.remove(&instance.fingerprint)
            {
                instance.adopt(alert);
            }
        }
    }

    pub(in crate::evaluate) fn instances_mut(&mut self) -> impl Iterator<Item = &mut Instance> {
        self.parts.values_mut().flat_map(|of| of.instances.iter_mut())
    }

    /// Since when a rule cannot be decided, of those that wait for nothing but agents.
    pub(in crate::evaluate) fn oldest_unknown(&self) -> Option<UnixNanos> {
        let instances = self.parts.values().flat_map(|of| &of.instances);
        instances.filter(|instance| instance.state() == RuleState::Unknown).map(Instance::since).min()
    }

    /// What is wanted of stored history, each once.
    pub(in crate::evaluate) fn wanted(&mut self, service: &ServiceId, out: &mut Vec<Wanted>) {
        if !self.warm {
            return;
        }
        for (part, of) in &mut self.parts {
            if of.track.filled || std::mem::replace(&mut of.track.asked, true) {
                continue;
            }
            out.push(Wanted {
                service: service.clone(),
                objective: Arc::clone(&self.objective),
                part: part.clone(),
                until: of.track.live_from(),
                reaches: of.track.reaches(),
            });
        }
    }

    /// Takes what was wanted; `None` where there is none to be had.
    pub(in crate::evaluate) fn fill(&mut self, wanted: &Wanted, past: &[Past]) {
        if !self.objective.counts_like(&wanted.objective) {
            return;
        }
        if let Some(of) = self.parts.get_mut(&wanted.part)
            && of.track.live_from() == wanted.until
        {
            of.track.fill(past);
        }
    }

    /// How the budget of each part stands.
    pub(in crate::evaluate) fn budget(&self, part: &Part) -> Option<BudgetStatus> {
        self.parts.get(part).map(|of| BudgetStatus::of(&self.objective, &of.track))
    }

    /// Where its rules stand; where the objective has none, where its budget stands.
    pub(in crate::evaluate) fn statuses(
        &self,
        service: &ServiceId,
        has_others: bool,
        out: &mut Vec<RuleStatus>,
    ) {
        for (part, of) in &self.parts {
            let budget = BudgetStatus::of(&self.objective, &of.track);
            if self.burns.is_empty() && !has_others {
                out.push(self.status(service, part, of, budget));
                continue;
            }
            for (burn, instance) in self.burns.iter().zip(&of.instances) {
                let status = status_of(service, burn, instance);
                out.push(RuleStatus { budget: Some(budget.clone()), ..status });
            }
        }
    }

    /// An objective without rules: nobody is told, and all see it.
    fn status(&self, service: &ServiceId, part: &Part, of: &OfPart, budget: BudgetStatus) -> RuleStatus {
        let rule = self.counted.rule();
        let state = if budget.events > 0.0 { RuleState::Ok } else { RuleState::NoData };
        RuleStatus {
            rule: Arc::clone(&rule.name),
            slo: rule.slo.clone(),
            service: service.clone(),
            services: Vec::new(),
            labels: labels_of(service, &self.counted, part),
            signal: self.counted.signal(),
            state,
            severity: rule.severity,
            since: self.since,
            sli: budget.sli,
            objective: self.objective.target,
            window_s: u32::try_from(budget.until_s - budget.from_s).unwrap_or(u32::MAX),
            strays: false,
            watermark: of.track.head(),
            budget: Some(budget),
        }
    }
}

/// First second of the row of history that holds `second`.
const fn row_of(second: Second) -> Second {
    Second(second.0 - second.0.rem_euclid(ROW_S))
}
