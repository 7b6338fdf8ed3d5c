//! All rules over several services that one partition judges.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_model::{Alert, Fingerprint, Second, ServiceId, UnixNanos};
use hashbrown::HashMap;

use super::super::engine::{EngineSettings, Finding, closing, service_of};
use super::super::handle::StatusBoard;
use super::super::incomplete::Incomplete;
use super::super::instance::Instance;
use super::super::judge::Tempo;
use super::super::ring::Ring;
use super::super::rule::Rule;
use super::super::rule_instances::status_of;
use super::super::status::RuleState;
use super::group::GroupRule;
use super::rule::Several;
use super::word::Report;

/// A partition that adds something and was not heard for this long is asked for everything. One that
/// is judged reports every second.
const STALE_NS: i64 = 3_000_000_000;

/// It is asked this often at most.
const ASK_EVERY_NS: i64 = 1_000_000_000;

/// The judge of those SLOs over several services whose id hashes to one partition.
pub struct Judges {
    settings: EngineSettings,
    rules: Vec<Several>,
    groups: BTreeMap<ServiceId, Group>,
    sources: BTreeMap<u32, Heard>,
    board: StatusBoard,
    /// Alerts that were open before the start and that no rule has taken over yet.
    orphans: HashMap<Fingerprint, Alert>,
    touched: Vec<ServiceId>,
    live: bool,
    wants_all: bool,
    asked_at: UnixNanos,
}

#[derive(Default)]
struct Group {
    rules: Vec<GroupRule>,
    incomplete: Incomplete,
}

/// How far one partition was heard.
struct Heard {
    life: i64,
    number: u64,
    offset: u64,
    at: UnixNanos,
    /// Digests of the rules of which it told everything.
    rules: Vec<u64>,
}

impl Judges {
    /// A judge that heard nothing yet. Of the `open` alerts those of its own groups are gone on with.
    #[must_use]
    pub fn new(settings: EngineSettings, rules: &[Arc<Rule>], board: StatusBoard, open: Vec<Alert>) -> Self {
        let is_ours = |alert: &Alert| {
            service_of(&alert.labels).is_some_and(|group| {
                group.slo().is_some() && group.partition(settings.partitions) == settings.partition
            })
        };
        let orphans = open.into_iter().filter(is_ours).map(|alert| (alert.fingerprint, alert)).collect();
        Self {
            settings,
            rules: Several::of(rules),
            groups: BTreeMap::new(),
            sources: BTreeMap::new(),
            board,
            orphans,
            touched: Vec::new(),
            live: false,
            wants_all: false,
            asked_at: UnixNanos(0),
        }
    }

    /// Begins to judge; everybody must be asked for what they add.
    pub fn begin(&mut self, now: UnixNanos) {
        self.live = true;
        self.know_named(now);
        self.wants_all = !self.rules.is_empty();
    }

    /// Whether partitions must be asked for everything, now.
    pub fn must_ask(&mut self, now: UnixNanos) -> bool {
        let must = self.live && self.wants_all && now.since(self.asked_at) >= ASK_EVERY_NS;
        if must {
            self.asked_at = now;
            self.wants_all = false;
        }
        must
    }

    /// Takes what a partition adds.
    pub fn take(&mut self, report: &Report, now: UnixNanos) {
        let before = self.sources.get(&report.from);
        if let Some(heard) = before {
            let is_repeat = report.life == heard.life && report.number <= heard.number;
            // Somebody owned the partition before, and woke.
            let is_former =
                report.life != heard.life && report.offset < heard.offset && now.since(heard.at) < STALE_NS;
            if is_repeat || is_former {
                metrics::counter!("goldentime_several_reports_ignored_total").increment(1);
                return;
            }
        }
        let follows =
            before.is_some_and(|heard| heard.life == report.life && heard.number + 1 == report.number);
        if !follows && !report.whole {
            metrics::counter!("goldentime_several_reports_lost_total").increment(1);
            self.wants_all = true;
            return;
        }
        let (life, number, offset, at) = (report.life, report.number, report.offset, now);
        if report.whole {
            for (id, group) in &mut self.groups {
                group.rules.iter_mut().for_each(|rule| rule.remove(report.from));
                self.touched.push(id.clone());
            }
            let rules = report.rules.clone();
            self.sources.insert(report.from, Heard { life, number, offset, at, rules });
        } else if let Some(heard) = self.sources.get_mut(&report.from) {
            (heard.number, heard.offset, heard.at) = (number, offset, at);
            heard.rules.extend(&report.rules);
        }
        for addend in &report.addends {
            self.know(&addend.group, Some(Second(addend.watermark_ms.div_euclid(1000))), now);
            let rules = self.groups.get_mut(&addend.group).map(|group| group.rules.iter_mut());
            if let Some(rule) = rules.into_iter().flatten().find(|rule| rule.rule.digest == addend.rule) {
                rule.add(report.from, addend);
                self.touched.push(addend.group.clone());
            }
        }
    }

    /// Judges the groups that were touched since the last call.
    pub fn judge_touched(&mut self, now: UnixNanos, out: &mut Vec<Finding>) {
        let mut touched = std::mem::take(&mut self.touched);
        if self.live {
            touched.sort_unstable();
            touched.dedup();
            let tempo = Tempo { watermark_ms: i64::MIN, now, boundary: false };
            touched.iter().for_each(|group| self.judge(group, tempo, out));
        }
    }

    /// A second ended: every group is judged, what was not heard for long is asked for.
    pub fn tick(&mut self, watermark_ms: i64, now: UnixNanos, out: &mut Vec<Finding>) {
        if !self.live || (self.groups.is_empty() && self.orphans.is_empty()) {
            return;
        }
        let tempo = Tempo { watermark_ms, now, boundary: true };
        let groups: Vec<ServiceId> = self.groups.keys().cloned().collect();
        for group in &groups {
            self.judge(group, tempo, out);
        }
        for (id, group) in &mut self.groups {
            let unknown = group.rules.iter().map(|rule| &rule.instance);
            let unknown = unknown.filter(|instance| instance.state() == RuleState::Unknown);
            let oldest = unknown.map(Instance::since).min();
            Incomplete::step(&mut group.incomplete, id, oldest, self.settings.unknown_grace_ms, now, out);
        }
        self.wants_all |= self.misses_somebody(now);
        self.close_orphans(now, out);
    }

    /// Takes a new set of rules. Unchanged ones keep sums and state; changed ones keep their alert until they are
    /// judged; alerts of rules that are gone are closed.
    pub fn reload(&mut self, rules: &[Arc<Rule>], now: UnixNanos, out: &mut Vec<Finding>) {
        self.rules = Several::of(rules);
        for (id, group) in std::mem::take(&mut self.groups) {
            let mut former = group.rules;
            let mut kept = Group { rules: Vec::new(), incomplete: group.incomplete };
            for rule in self.rules.iter().filter(|rule| rule.has(&id)) {
                match former.iter().position(|old| old.rule.rule() == rule.rule()) {
                    Some(at) => kept.rules.push(former.swap_remove(at)),
                    None => {
                        let mut fresh = GroupRule::new(rule.clone(), &id, now);
                        let same =
                            |old: &&mut GroupRule| old.instance.fingerprint == fresh.instance.fingerprint;
                        if let Some(old) = former.iter_mut().find(same) {
                            fresh.instance.inherit(&mut old.instance);
                        }
                        kept.rules.push(fresh);
                    }
                }
            }
            for mut gone in former {
                out.extend(close(&id, &mut gone, now, "its rule was changed or removed"));
            }
            if kept.rules.is_empty() {
                Incomplete::step(&mut kept.incomplete, &id, None, 0, now, out);
                self.board.publish(&id, Vec::new(), true);
            } else {
                self.groups.insert(id, kept);
            }
        }
        if self.live {
            self.know_named(now);
            self.wants_all = !self.rules.is_empty();
        }
    }

    /// Keeps what was found out about an alert, so that its end is told with it.
    pub fn remember(&mut self, group: &ServiceId, told: &Alert) {
        let rules = self.groups.get_mut(group).map(|group| group.rules.iter_mut());
        for rule in rules.into_iter().flatten() {
            if rule.instance.fingerprint == told.fingerprint
                && let Some(alert) = rule.instance.alert_mut()
            {
                alert.annotations.clone_from(&told.annotations);
            }
        }
    }

    /// Groups that are named whole are there before anything is heard of them, so that their silence shows.
    fn know_named(&mut self, now: UnixNanos) {
        for group in self.rules.iter().filter_map(Several::only_group).collect::<Vec<_>>() {
            self.know(&group, None, now);
        }
    }

    /// Makes a group known. One that is first heard of at `born` had nothing before.
    fn know(&mut self, id: &ServiceId, born: Option<Second>, now: UnixNanos) {
        if self.groups.contains_key(id) || id.partition(self.settings.partitions) != self.settings.partition {
            return;
        }
        let is_named = self.rules.iter().any(|rule| rule.only_group().as_ref() == Some(id));
        let born = born.filter(|_| !is_named);
        let mut group = Group::default();
        for rule in self.rules.iter().filter(|rule| rule.has(id)) {
            let mut rule = GroupRule::new(rule.clone(), id, now);
            if let Some(alert) = self.orphans.remove(&rule.instance.fingerprint) {
                rule.instance.adopt(alert);
            } else if let Some(born) = born {
                rule.instance.born = born;
            }
            group.rules.push(rule);
        }
        if !group.rules.is_empty() {
            Incomplete::adopt(&mut group.incomplete, id, &mut self.orphans);
            self.groups.insert(id.clone(), group);
        }
    }

    fn judge(&mut self, id: &ServiceId, tempo: Tempo, out: &mut Vec<Finding>) {
        let Self { groups, sources, settings, board, .. } = self;
        let Some(group) = groups.get_mut(id) else { return };
        let mut changed = false;
        for rule in &mut group.rules {
            let is_whole = is_heard(rule, sources, settings.partitions);
            changed |= rule.judge(tempo, is_whole, out);
        }
        if changed || tempo.boundary {
            let mut statuses: Vec<_> =
                group.rules.iter().map(|rule| status_of(id, &rule.rule.projection, &rule.instance)).collect();
            statuses.sort_by(|a, b| a.rule.cmp(&b.rule));
            board.publish(id, statuses, changed);
        }
    }

    /// Whether a partition that matters was never heard, or not for long.
    fn misses_somebody(&self, now: UnixNanos) -> bool {
        let mut rules = self.groups.values().flat_map(|group| &group.rules);
        rules.any(|rule| !is_heard(rule, &self.sources, self.settings.partitions))
            || self.sources.iter().any(|(from, heard)| {
                let adds =
                    || self.groups.values().flat_map(|group| &group.rules).any(|rule| rule.has_of(*from));
                now.since(heard.at) >= STALE_NS && adds()
            })
    }

    /// Closes alerts that were open before the start and that no rule claims, once everybody was heard.
    fn close_orphans(&mut self, now: UnixNanos, out: &mut Vec<Finding>) {
        let all_heard = (0..self.settings.partitions).all(|partition| self.sources.contains_key(&partition));
        if self.orphans.is_empty() || !(all_heard || self.rules.is_empty()) {
            return;
        }
        for (_, alert) in self.orphans.drain() {
            let Some(group) = service_of(&alert.labels) else { continue };
            let mut instance = Instance::new(alert.labels.clone(), Ring::new(1, Second(0)), now, true);
            instance.adopt(alert);
            out.extend(closing(&group, &mut instance, now, "its rule is gone", &[], true));
        }
    }
}

/// Whether every partition that may add to a rule was heard of it.
fn is_heard(rule: &GroupRule, sources: &BTreeMap<u32, Heard>, partitions: u32) -> bool {
    let speaks =
        |partition: u32| sources.get(&partition).is_some_and(|heard| heard.rules.contains(&rule.rule.digest));
    match rule.named_partitions(partitions) {
        Some(named) => named.into_iter().all(speaks),
        None => (0..partitions).all(speaks),
    }
}

fn close(id: &ServiceId, rule: &mut GroupRule, now: UnixNanos, reason: &str) -> Option<Finding> {
    let of = Arc::clone(rule.rule.rule());
    closing(id, &mut rule.instance, now, reason, &of.targets, of.alert_on_resolve)
}
