//! One rule over one group of services: sums of what partitions add, judged as one.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_model::{Second, ServiceId, StageTimes, UnixNanos, Verdict};

use super::super::engine::Finding;
use super::super::expectation::Gap;
use super::super::instance::{Instance, Judgement, Moment, Step, Unseen, judge};
use super::super::judge::{Tempo, settled_second};
use super::super::labels::labels_of;
use super::super::project::Part;
use super::super::ring::{Ring, SETTLE_SECONDS, Tally};
use super::super::rule_instances::finding;
use super::super::span::{MS, Span};
use super::rule::Several;
use super::word::Addend;

/// Which services a finding comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Across {
    /// How many there are.
    pub services: u32,
    /// Those with the most bad events, worst first; not all where they are many.
    pub worst: Vec<(Arc<str>, Tally)>,
}

impl Across {
    /// Services that are looked into at most.
    pub const LOOKED_INTO_MAX: usize = 8;

    /// Whether all services are among those that are looked into.
    #[must_use]
    pub fn names_all(&self) -> bool {
        let looked_into = self.worst.len().min(Self::LOOKED_INTO_MAX);
        usize::try_from(self.services).is_ok_and(|services| services <= looked_into)
    }
}

/// One rule over one group.
pub(super) struct GroupRule {
    pub(super) rule: Several,
    pub(super) instance: Instance,
    group: ServiceId,
    sources: BTreeMap<u32, Added>,
}

/// What one partition added so far.
struct Added {
    ring: Ring,
    gaps: Vec<Gap>,
    watermark_ms: i64,
    complete_until_ms: Option<i64>,
    covered_from: Second,
    services: u32,
    worst: Vec<(Arc<str>, Tally)>,
    stages: StageTimes,
}

impl GroupRule {
    pub(super) fn new(rule: Several, group: &ServiceId, now: UnixNanos) -> Self {
        let labels = labels_of(group, &rule.projection, &Part::Service);
        let ring = Ring::new(rule.rule().window_s, now.second().offset(-1 - SETTLE_SECONDS as i64));
        let instance = Instance::new(labels, ring, now, true);
        Self { rule, instance, group: group.clone(), sources: BTreeMap::new() }
    }

    /// Adds what a partition reported, in the place of what it said of the same seconds before.
    pub(super) fn add(&mut self, from: u32, addend: &Addend) {
        let window_s = self.rule.rule().window_s;
        let Self { instance, sources, .. } = self;
        let total = &mut instance.ring;
        let added = sources.entry(from).or_insert_with(|| Added {
            ring: Ring::new(window_s, total.head()),
            gaps: Vec::new(),
            watermark_ms: 0,
            complete_until_ms: None,
            covered_from: Second(i64::MIN),
            services: 0,
            worst: Vec::new(),
            stages: StageTimes::default(),
        });
        for (second, tally) in &addend.seconds {
            total.advance(*second);
            added.ring.advance(*second);
            let others = total.get(*second).minus(added.ring.get(*second));
            total.set(*second, others.plus(*tally));
            added.ring.set(*second, *tally);
        }
        added.gaps.clone_from(&addend.gaps);
        added.watermark_ms = added.watermark_ms.max(addend.watermark_ms);
        added.complete_until_ms = addend.complete_until_ms;
        added.covered_from = addend.covered_from;
        added.services = addend.services;
        added.worst.clone_from(&addend.worst);
        added.stages = addend.stages;
    }

    /// Takes away what a partition added.
    pub(super) fn remove(&mut self, from: u32) {
        let Some(gone) = self.sources.remove(&from) else { return };
        let total = &mut self.instance.ring;
        for second in gone.ring.seconds().filter(|second| second <= &total.head()).collect::<Vec<_>>() {
            total.set(second, total.get(second).minus(gone.ring.get(second)));
        }
    }

    /// Whether something of this partition is counted or expected.
    pub(super) fn has_of(&self, from: u32) -> bool {
        self.sources.contains_key(&from)
    }

    /// Partitions whose services it may count; `None`: all.
    pub(super) fn named_partitions(&self, partitions: u32) -> Option<Vec<u32>> {
        let named = self.rule.named(&self.group)?;
        Some(named.iter().map(|service| service.partition(partitions)).collect())
    }

    /// Judges it. Unless `is_whole`, there are partitions that were not heard: nobody can say.
    pub(super) fn judge(&mut self, tempo: Tempo, is_whole: bool, out: &mut Vec<Finding>) -> bool {
        let newest_ms = self.sources.values().map(|added| added.watermark_ms).max();
        let watermark_ms = tempo.watermark_ms.max(newest_ms.unwrap_or(i64::MIN));
        if watermark_ms == i64::MIN {
            return false;
        }
        let head = Second(watermark_ms.div_euclid(MS));
        self.instance.ring.advance(head);
        let complete_until_ms = self.sources.values().filter_map(|added| added.complete_until_ms).min();
        let covered = self.sources.values().map(|added| added.covered_from).max();
        let moment = Moment {
            watermark_ms,
            settled: settled_second(head, complete_until_ms),
            now: tempo.now,
            covered_from: covered.unwrap_or(Second(i64::MIN)).max(self.instance.born),
        };
        let judgement = if is_whole {
            let rule = self.rule.rule();
            judge(rule, &self.instance.ring, &moment, self.unseen(head, &moment))
        } else {
            let value = self.instance.value();
            Some(Judgement { head: Verdict::Unknown, settled: Some(Verdict::Unknown), empty: false, value })
        };
        let Some(judgement) = judgement else { return false };
        let stages = self.take_stages(tempo.boundary);
        let before = self.instance.state();
        let step = self.instance.step(self.rule.rule(), &judgement, &moment, stages);
        if step != Step::Same {
            let projection = &self.rule.projection;
            let found =
                finding(&self.group, projection, &Part::Service, None, &mut self.instance, &step, &moment);
            let across = self.across();
            out.extend(found.map(|mut found| {
                if let Some(subject) = &mut found.subject {
                    subject.across = Some(across);
                }
                found
            }));
        }
        self.instance.state() != before
    }

    fn unseen(&self, head: Second, moment: &Moment) -> Unseen {
        let window_s = self.instance.ring.window_s();
        let of = |end: Second| {
            let span = Span::ending(end, window_s, moment.watermark_ms);
            self.sources.values().map(|added| span.unseen_in(&added.gaps)).sum()
        };
        Unseen { at_head: of(head), settled: of(moment.settled) }
    }

    /// The stages of the newest record; what a tick finds was tipped by time and not by a request.
    fn take_stages(&mut self, boundary: bool) -> StageTimes {
        let newest = self.sources.values_mut().map(|added| std::mem::take(&mut added.stages));
        let newest = newest.max_by_key(|stages| stages.merged.map_or(i64::MIN, |at| at.0));
        newest.filter(|_| !boundary).unwrap_or_default()
    }

    fn across(&self) -> Across {
        let mut worst: Vec<_> = self.sources.values().flat_map(|added| added.worst.iter().cloned()).collect();
        worst.sort_by_key(|(_, tally)| std::cmp::Reverse((tally.bad_high, tally.seen)));
        Across { services: self.sources.values().map(|added| added.services).sum(), worst }
    }
}
