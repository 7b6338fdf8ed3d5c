//! What the services of one partition add to rules over several services.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{Second, ServiceId, StageTimes};
use goldentime_windows::SecondCell;
use hashbrown::{HashMap, HashSet};

use super::super::expectation::Expectation;
use super::super::project::events;
use super::super::ring::{Ring, Tally};
use super::super::rule::Rule;
use super::part::{Part, Share};
use super::rule::Several;
use super::word::{Addend, Report};

/// Most pairs of rule and service of one partition; what is above is counted and not judged.
pub const SHARES_MAX: usize = 20_000;

/// Addends, and seconds of all of them, in one report: some hundred kilobytes, which every broker takes.
const ADDENDS_MAX: usize = 100;
const SECONDS_MAX: usize = 4000;

/// What one partition adds, and whom it owes a report.
#[derive(Debug)]
pub struct Source {
    partition: u32,
    partitions: u32,
    life: i64,
    rules: Vec<Several>,
    parts: Vec<Part>,
    by_service: HashMap<ServiceId, Vec<usize>>,
    outboxes: BTreeMap<u32, Outbox>,
    touched: HashSet<ServiceId>,
    shares: usize,
}

#[derive(Debug, Default)]
struct Outbox {
    number: u64,
    was_told: bool,
}

impl Source {
    /// Of a partition of which nothing is known yet.
    #[must_use]
    pub fn new(partition: u32, partitions: u32, rules: &[Arc<Rule>]) -> Self {
        Self {
            partition,
            partitions,
            life: 0,
            rules: Several::of(rules),
            parts: Vec::new(),
            by_service: HashMap::new(),
            outboxes: BTreeMap::new(),
            touched: HashSet::new(),
            shares: 0,
        }
    }

    /// Services that rules name, of whatever partition.
    pub fn named_services(&self) -> impl Iterator<Item = ServiceId> + use<'_> {
        self.rules.iter().filter_map(|rule| rule.named(&rule.only_group()?)).flatten()
    }

    /// Whether a rule over several services counts this one.
    #[must_use]
    pub fn watches(&self, service: &ServiceId) -> bool {
        !self.rules.is_empty() && self.by_service.contains_key(service)
    }

    /// Begins to add a service. Where `warm` is false it counts after [`Source::rebuild`].
    pub fn attach(&mut self, service: &ServiceId, covered_from: Second, warm: bool) {
        for at in 0..self.rules.len() {
            let rule = self.rules[at].clone();
            if rule.projection.selects(service) {
                self.share(&rule, service, covered_from, warm);
            }
        }
    }

    /// A service is gone.
    pub fn detach(&mut self, service: &ServiceId) {
        for at in self.by_service.remove(service).unwrap_or_default() {
            let part = &mut self.parts[at];
            if let Some(gone) = part.services.remove(service) {
                part.dirty.extend(gone.own.seconds());
                part.changed = true;
                part.cold -= usize::from(!gone.warm);
                self.shares -= 1;
            }
        }
        self.touched.remove(service);
    }

    /// Takes the present sums of one second over from its cell.
    pub fn touch(&mut self, service: &ServiceId, second: Second, cell: &SecondCell) {
        if self.rules.is_empty() {
            return;
        }
        let Some(parts) = self.by_service.get(service) else { return };
        for at in parts {
            let part = &mut self.parts[*at];
            let tally = part.rule.tally(cell);
            let Some(share) = part.services.get_mut(service) else { continue };
            share.own.set(second, tally);
            share.whole.set(second, Tally { seen: events(cell), ..Tally::default() });
            if !part.dirty.contains(&second) {
                part.dirty.push(second);
            }
        }
        if !self.touched.contains(service) {
            self.touched.insert(service.clone());
        }
    }

    /// Takes new rules; those that are as before keep their sums.
    pub fn reload<'a>(
        &mut self,
        rules: &[Arc<Rule>],
        services: impl Iterator<Item = &'a ServiceId>,
        now: Second,
    ) {
        self.rules = Several::of(rules);
        let stays = |part: &Part| self.rules.iter().any(|rule| rule.digest == part.rule.digest);
        self.parts.retain(stays);
        self.shares = self.parts.iter().map(|part| part.services.len()).sum();
        self.by_service.clear();
        for (at, part) in self.parts.iter().enumerate() {
            for service in part.services.keys() {
                self.by_service.entry(service.clone()).or_default().push(at);
            }
        }
        for service in services {
            self.attach(service, now, false);
        }
        self.outboxes.values_mut().for_each(|outbox| outbox.was_told = false);
    }

    /// How many seconds back the service must be read before it is added, if it must.
    #[must_use]
    pub fn cold_reach_s(&self, service: &ServiceId) -> Option<u32> {
        let parts = self.by_service.get(service)?.iter().map(|at| &self.parts[*at]);
        let shares = parts.filter_map(|part| part.services.get(service));
        shares.filter(|share| !share.warm).map(|share| share.own.window_s()).max()
    }

    /// Fills the sums of a service from stored cells, oldest first.
    pub fn rebuild(&mut self, service: &ServiceId, cells: &[(Second, SecondCell)]) {
        for at in self.by_service.get(service).into_iter().flatten() {
            let part = &mut self.parts[*at];
            let Some(share) = part.services.get_mut(service).filter(|share| !share.warm) else { continue };
            for (second, cell) in cells {
                share.own.set(*second, part.rule.tally(cell));
                share.whole.set(*second, Tally { seen: events(cell), ..Tally::default() });
            }
            if let Some((first, _)) = cells.first() {
                share.covered_from = share.covered_from.min(*first);
            }
            share.warm = true;
            part.cold -= 1;
            part.dirty.extend(share.own.seconds());
            part.changed = true;
        }
        self.touched.insert(service.clone());
    }

    /// Everybody that this partition owes something is told everything.
    pub fn begin(&mut self, life: i64) {
        self.life = life;
        for group in self.rules.iter().filter_map(Several::only_group) {
            self.outboxes.entry(group.partition(self.partitions)).or_default();
        }
    }

    /// This partition asks for everything.
    pub fn asked(&mut self, by: u32) {
        self.outboxes.entry(by).or_default().was_told = false;
    }

    /// Services whose gaps must be [noted](Self::note) before the next reports: those that were touched, or all.
    pub fn take_touched(&mut self, all: bool) -> Vec<ServiceId> {
        if all {
            self.touched.clear();
            return self.by_service.keys().cloned().collect();
        }
        self.touched.drain().collect()
    }

    /// Notes how far a service has come.
    pub fn note(
        &mut self,
        service: &ServiceId,
        watermark_ms: i64,
        expectation: &dyn Expectation,
        stages: StageTimes,
    ) {
        let mut gaps = Vec::new();
        expectation.gaps(&mut |gap| gaps.push(gap));
        for at in self.by_service.get(service).into_iter().flatten() {
            let part = &mut self.parts[*at];
            let Some(share) = part.services.get_mut(service) else { continue };
            share.watermark_ms = share.watermark_ms.max(watermark_ms);
            share.complete_until_ms = expectation.complete_until_ms();
            share.gaps.clone_from(&gaps);
            part.stages = stages;
            part.changed = true;
        }
    }

    /// What is to be reported now, as of `offset` of the partition's log.
    pub fn reports(&mut self, offset: u64) -> Vec<Report> {
        let Self { partition, life, rules, parts, outboxes, .. } = self;
        let mut reports = Vec::new();
        for (to, outbox) in outboxes {
            // What is still to be read would be missing in the sums.
            if parts.iter().any(|part| part.to == *to && part.cold > 0) {
                continue;
            }
            let is_whole = !outbox.was_told;
            let told = parts.iter_mut().filter(|part| part.to == *to && (is_whole || part.changed));
            let addends: Vec<Addend> = told.map(|part| part.addend(is_whole)).collect();
            if addends.is_empty() && !is_whole {
                continue;
            }
            outbox.was_told = true;
            let pieces = pieces(addends);
            for (at, addends) in pieces.iter().enumerate() {
                let follows = |rule: u64| pieces[at + 1..].iter().flatten().any(|addend| addend.rule == rule);
                let told = |rule: u64| at == 0 || addends.iter().any(|addend| addend.rule == rule);
                let rules = rules.iter().map(|rule| rule.digest).filter(|rule| is_whole && told(*rule));
                outbox.number += 1;
                reports.push(Report {
                    from: *partition,
                    to: *to,
                    life: *life,
                    number: outbox.number,
                    offset,
                    whole: is_whole && at == 0,
                    rules: rules.filter(|rule| !follows(*rule)).collect(),
                    addends: addends.clone(),
                });
            }
        }
        reports
    }

    fn share(&mut self, rule: &Several, service: &ServiceId, covered_from: Second, warm: bool) {
        let Some(group) = rule.group(service.project(), service.environment()) else { return };
        let found = self.parts.iter().position(|part| part.rule.digest == rule.digest && part.group == group);
        let at = found.unwrap_or_else(|| {
            let to = group.partition(self.partitions);
            self.outboxes.entry(to).or_default();
            self.parts.push(Part {
                rule: rule.clone(),
                group,
                to,
                services: BTreeMap::new(),
                cold: 0,
                dirty: Vec::new(),
                changed: true,
                stages: StageTimes::default(),
            });
            self.parts.len() - 1
        });
        if self.parts[at].services.contains_key(service) {
            return;
        }
        if self.shares >= SHARES_MAX {
            metrics::counter!(DROPS_TOTAL, "component" => "evaluate", "reason" => "shares_max").increment(1);
            return;
        }
        let window_s = rule.rule().window_s;
        let ring = Ring::new(window_s, covered_from);
        let share = Share {
            own: ring.clone(),
            whole: ring,
            warm,
            // One that appears while it is watched had nothing before.
            covered_from: if warm { Second(i64::MIN) } else { covered_from },
            watermark_ms: 0,
            complete_until_ms: None,
            gaps: Vec::new(),
        };
        self.parts[at].cold += usize::from(!warm);
        self.parts[at].services.insert(service.clone(), share);
        self.by_service.entry(service.clone()).or_default().push(at);
        self.shares += 1;
    }
}

/// Pieces that are small enough for a message; one at least.
fn pieces(addends: Vec<Addend>) -> Vec<Vec<Addend>> {
    let mut pieces = vec![Vec::new()];
    let mut seconds = 0;
    for addend in addends {
        let piece = pieces.last().map_or(0, Vec::len);
        seconds += addend.seconds.len();
        if piece > 0 && (piece >= ADDENDS_MAX || seconds > SECONDS_MAX) {
            pieces.push(Vec::new());
            seconds = addend.seconds.len();
        }
        pieces.last_mut().expect("there is one at least").push(addend);
    }
    pieces
}
