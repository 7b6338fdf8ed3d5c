//! All rules over one service.

use std::sync::Arc;

use goldentime_model::{Alert, Fingerprint, Second, ServiceId, StageTimes, UnixNanos};
use goldentime_windows::SecondCell;
use hashbrown::HashMap;

use super::budget::history::Wanted;
use super::budget::tracks::{REBUILT_S, Tracks};
use super::budget::{Answer, Objective};
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
    /// What its objectives count.
    tracks: Vec<Tracks>,
    covered_from: Second,
    /// The alert that nothing can be said of this service.
    pub(super) incomplete: Incomplete,
}

impl ServiceJudge {
    pub(super) fn new(
        service: &ServiceId,
        projections: Vec<Arc<Projection>>,
        objectives: &[Arc<Objective>],
        covered_from: Second,
        now: UnixNanos,
        warm: bool,
    ) -> Self {
        let rules = projections
            .into_iter()
            .map(|projection| RuleInstances::new(service, projection, covered_from, now, warm))
            .collect();
        let tracks = objectives
            .iter()
            .map(|objective| Tracks::new(service, objective, covered_from, now, warm))
            .collect();
        Self { service: service.clone(), rules, tracks, covered_from, incomplete: Incomplete::default() }
    }

    pub(super) fn is_watched(&self) -> bool {
        !self.rules.is_empty() || !self.tracks.is_empty()
    }

    pub(super) fn instances(&self) -> usize {
        self.rules.iter().map(|rule| rule.parts.len()).chain(self.tracks.iter().map(Tracks::len)).sum()
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
        for tracks in &mut self.tracks {
            let grown = tracks.touch(&self.service, second, cell, now, room, false);
            room = room.saturating_sub(grown);
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
        for tracks in self.tracks.iter_mut().filter(|tracks| !tracks.warm) {
            tracks.begin_rebuild(now);
            for (second, cell) in cells {
                let grown = tracks.touch(&self.service, *second, cell, now, room, true);
                room = room.saturating_sub(grown);
            }
            tracks.warm = true;
        }
        before - room
    }

    pub(super) fn longest_cold_reach_s(&self) -> Option<u32> {
        let of_tracks = self.tracks.iter().filter(|tracks| !tracks.warm).map(|_| REBUILT_S);
        let of_rules = self.rules.iter().filter(|rule| !rule.warm).map(RuleInstances::reach_s);
        of_rules.chain(of_tracks).max()
    }

    pub(super) fn oldest_unknown(&self) -> Option<UnixNanos> {
        let instances = self.rules.iter().flat_map(|rule| rule.parts.values());
        let unknown =
            instances.filter(|instance| instance.state() == RuleState::Unknown).map(Instance::since);
        unknown.chain(self.tracks.iter().filter_map(Tracks::oldest_unknown)).min()
    }

    /// Returns whether an instance changed its state.
    pub(super) fn judge(
        &mut self,
        tempo: Tempo,
        expectation: &dyn Expectation,
        stages: StageTimes,
        out: &mut Vec<Finding>,
    ) -> bool {
        if !self.is_watched() {
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
        for tracks in &mut self.tracks {
            changed |= tracks.judge(&self.service, head, &moment, expectation, stages, out);
        }
        changed
    }

    /// Returns whether sums must be rebuilt.
    pub(super) fn replace_rules(
        &mut self,
        projections: Vec<Arc<Projection>>,
        objectives: &[Arc<Objective>],
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
        self.replace_objectives(objectives, now, out) || needs_rebuild
    }

    fn replace_objectives(
        &mut self,
        objectives: &[Arc<Objective>],
        now: UnixNanos,
        out: &mut Vec<Finding>,
    ) -> bool {
        let mut former = std::mem::take(&mut self.tracks);
        for objective in objectives {
            let Some(at) = former.iter().position(|old| old.objective.name == objective.name) else {
                self.tracks.push(Tracks::new(&self.service, objective, self.covered_from, now, false));
                continue;
            };
            let mut old = former.swap_remove(at);
            if *old.objective != **objective {
                let mut fresh = Tracks::new(&self.service, objective, self.covered_from, now, false);
                fresh.inherit(&self.service, &mut old, now);
                old.close_all(&self.service, now, "its rule was changed or removed", out);
                old = fresh;
            }
            self.tracks.push(old);
        }
        for mut old in former {
            old.close_all(&self.service, now, "its rule was changed or removed", out);
        }
        self.tracks.iter().any(|tracks| !tracks.warm)
    }

    /// What is wanted of stored history.
    pub(super) fn wanted(&mut self, out: &mut Vec<Wanted>) {
        self.tracks.iter_mut().for_each(|tracks| tracks.wanted(&self.service, out));
    }

    /// Takes what was wanted.
    pub(super) fn fill(&mut self, answer: &Answer) {
        for tracks in self.tracks.iter_mut().filter(|one| one.objective.name == answer.wanted.objective.name)
        {
            tracks.fill(&answer.wanted, &answer.past);
        }
    }

    pub(super) fn close_all(&mut self, now: UnixNanos, reason: &str, out: &mut Vec<Finding>) {
        for rule in &mut self.rules {
            rule.close_all(&self.service, now, reason, out);
        }
        for tracks in &mut self.tracks {
            tracks.close_all(&self.service, now, reason, out);
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
        self.tracks.iter_mut().for_each(|tracks| tracks.adopt(orphans));
    }

    pub(super) fn remember(&mut self, told: &Alert) {
        let of_rules = self.rules.iter_mut().flat_map(|rule| rule.parts.values_mut());
        for instance in of_rules.chain(self.tracks.iter_mut().flat_map(Tracks::instances_mut)) {
            if instance.fingerprint == told.fingerprint
                && let Some(alert) = instance.alert_mut()
            {
                alert.annotations.clone_from(&told.annotations);
            }
        }
    }

    pub(super) fn statuses(&self) -> Vec<RuleStatus> {
        let mut statuses = Vec::new();
        for rule in &self.rules {
            let objective = rule.projection.rule().objective.as_ref();
            let tracks = self.tracks.iter().find(|tracks| Some(&tracks.objective.name) == objective);
            for (part, instance) in &rule.parts {
                let budget = tracks.and_then(|tracks| tracks.budget(part));
                statuses.push(RuleStatus { budget, ..rule.status(&self.service, instance) });
            }
        }
        for tracks in &self.tracks {
            let has_rules = |rule: &RuleInstances| {
                rule.projection.rule().objective.as_ref() == Some(&tracks.objective.name)
            };
            tracks.statuses(&self.service, self.rules.iter().any(has_rules), &mut statuses);
        }
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
