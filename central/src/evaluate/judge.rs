//! All rules over one service.

use std::sync::Arc;

use goldentime_model::{Alert, Fingerprint, Second, ServiceId, StageTimes, UnixNanos};
use goldentime_windows::SecondCell;
use hashbrown::HashMap;

use super::detect::kept::{Keeper, Kept};
use super::engine::Finding;
use super::expectation::Expectation;
use super::incomplete::Incomplete;
use super::instance::{Instance, Moment};
use super::project::Projection;
use super::ring::SETTLE_SECONDS;
use super::rule_instances::RuleInstances;
use super::span::MS;
use super::status::{RuleState, RuleStatus};

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

    pub(super) fn longest_cold_reach_s(&self) -> Option<u32> {
        self.rules.iter().filter(|rule| !rule.warm).map(RuleInstances::reach_s).max()
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

    pub(super) fn recall(&mut self, kept: &mut Kept) {
        let service = &self.service;
        self.rules.iter_mut().for_each(|rule| rule.recall(service, kept));
    }

    pub(super) fn keep(&self, keeper: &mut Keeper) {
        self.rules.iter().for_each(|rule| rule.keep(&self.service, keeper));
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
pub(super) fn settled_second(head: Second, complete_until_ms: Option<i64>) -> Second {
    let over = head.offset(-1);
    let complete = complete_until_ms.map_or(over, |until_ms| Second(until_ms.div_euclid(MS)).offset(-1));
    complete.clamp(head.offset(-(SETTLE_SECONDS as i64)), over)
}
