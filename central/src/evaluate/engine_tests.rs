//! The cases of judging what is incomplete, through merge and evaluator as they run together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use goldentime_model::{Outcome, Second, ServiceId, StageTimes, UnixNanos};
use goldentime_windows::SecondCell;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::engine::{Engine, EngineSettings, Finding};
use super::expectation::{Expectation, NobodyExpected};
use super::handle::StatusBoard;
use super::incomplete;
use super::judge::Tempo;
use super::rule::{Condition, GroupBy, Measure, Rule};
use super::status::RuleState;
use super::testing::{rule, service};
use super::transition::Change;
use crate::merge::partition::Partition;
use crate::merge::testing::{TestAgent, TestLog};

/// Where the tests' time begins, in milliseconds.
const START_MS: i64 = 1_700_000_000_000;

/// Merge and evaluator of one partition, driven by hand.
pub(super) struct Bench {
    pub(super) partition: Partition,
    pub(super) engine: Engine,
    pub(super) board: StatusBoard,
    log: TestLog,
    pub(super) service: ServiceId,
    pub(super) ms: i64,
    blind: bool,
    pub(super) findings: Vec<Finding>,
}

impl Bench {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let settings = EngineSettings { partition: 0, partitions: 1, unknown_grace_ms: 60_000 };
        let board = StatusBoard::default();
        let rules: Vec<_> = rules.iter().cloned().map(Arc::new).collect();
        let mut bench = Self {
            partition: Partition::new(0, 1, 100, None),
            engine: Engine::new(settings, &rules, board.clone(), Vec::new()),
            board,
            log: TestLog::default(),
            service: service("shop"),
            ms: START_MS,
            blind: false,
            findings: Vec::new(),
        };
        let second = UnixNanos::from_millis(START_MS).second();
        bench.engine.attach(&bench.service, second, UnixNanos::from_millis(START_MS), true);
        bench
    }

    pub(super) fn now(&self) -> UnixNanos {
        UnixNanos::from_millis(self.ms)
    }

    /// One agent sends what it saw in the present second.
    fn send(&mut self, agent: &mut TestAgent, ok: u64, bad: u64) {
        let second = self.now().second().0;
        let seen = if ok + bad > 0 { BTreeMap::from([(second, (ok, bad))]) } else { BTreeMap::new() };
        let record = agent.flush(&self.service, self.ms, &seen, 0.1);
        let logged = self.log.append(record, self.ms);
        self.partition.apply(&logged, self.now());
        self.judge(false);
    }

    /// A second's boundary without data.
    pub(super) fn tick(&mut self) {
        let now = self.now();
        self.partition.agents.tick(now);
        let index = self.partition.know(&self.service).expect("room");
        let (agents, state) = self.partition.service_mut(index);
        state.feeds.tick(agents);
        state.watermark_ms = state.watermark_ms.max(self.ms - 1000);
        self.judge(true);
        self.engine.judge_incomplete(now, &mut self.findings);
    }

    fn judge(&mut self, boundary: bool) {
        let now = self.now();
        let index = self.partition.know(&self.service).expect("room");
        let (agents, state) = self.partition.service_mut(index);
        for open in state.cells.touched() {
            open.touched = false;
            self.engine.touch(&self.service, open.start, &open.cell, now);
        }
        let tempo = Tempo { watermark_ms: state.watermark_ms, now, boundary };
        let stages = state.stages;
        let expected = state.expected(agents);
        let expectation: &dyn Expectation = if self.blind { &NobodyExpected } else { &expected };
        self.engine.judge(&self.service, tempo, expectation, stages, &mut self.findings);
    }

    /// Every agent sends `ok` and `bad` requests every 100 ms for `seconds`.
    pub(super) fn run(&mut self, agents: &mut [TestAgent], seconds: i64, ok: u64, bad: u64) {
        for _ in 0..seconds * 10 {
            self.ms += 100;
            for agent in &mut *agents {
                self.send(agent, ok, bad);
            }
            if self.ms % 1000 == 0 {
                self.tick();
            }
        }
    }

    /// A second in which one agent sends once.
    pub(super) fn run_once(&mut self, agent: &mut TestAgent, ok: u64, bad: u64) {
        self.ms += 1000;
        self.send(agent, ok, bad);
        self.tick();
    }

    /// Keeps the open cells as the store would, each second's newest.
    pub(super) fn keep(&mut self, cells: &mut Vec<(Second, SecondCell)>) {
        let index = self.partition.know(&self.service).expect("known");
        let (_, state) = self.partition.service_mut(index);
        for open in state.cells.seconds() {
            cells.retain(|(second, _)| *second != open.start);
            cells.push((open.start, open.cell.clone()));
        }
        cells.sort_by_key(|(second, _)| *second);
    }

    /// Time passes and nothing comes.
    pub(super) fn silence(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.ms += 1000;
            self.tick();
        }
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        self.findings.iter().map(|finding| finding.transition.change).collect()
    }

    pub(super) fn state(&self) -> RuleState {
        self.board.of(&self.service)[0].state
    }
}

fn errors(limit: f64, window_s: u32) -> Rule {
    let mut rule = rule("errors", Measure::Availability { bad: vec![Outcome::ServerError] });
    rule.condition = Condition::BadShareAbove(limit);
    rule.window_s = window_s;
    rule
}

pub(super) fn agents(count: u8) -> Vec<TestAgent> {
    (0..count).map(TestAgent::new).collect()
}

#[test]
fn a_rule_fires_on_the_partial_second_and_resolves_on_complete_ones() {
    let mut bench = Bench::new(&[errors(0.05, 5)]);
    let mut one = agents(1);
    bench.run(&mut one, 10, 10, 0);
    assert_eq!(bench.state(), RuleState::Ok);
    bench.ms += 100;
    bench.send(&mut one[0], 0, 60);
    assert_eq!(bench.changes(), [Change::Fired], "at once, a tenth of the second in");
    let stages = bench.findings[0].transition.alert.stages;
    assert!(stages.occurred.is_some() && stages.merged.is_some() && stages.evaluated.is_some());
    bench.ms += 900;
    bench.run(&mut one, 10, 10, 0);
    assert_eq!(bench.changes(), [Change::Fired, Change::Resolved]);
    let (fired, resolved) = (&bench.findings[0].transition.alert, &bench.findings[1].transition.alert);
    assert_eq!(fired.episode, resolved.episode);
    assert!(resolved.ends_at.expect("ended").since(fired.starts_at) >= 4_000_000_000);
}

#[test]
fn a_condition_that_does_not_hold_long_enough_pages_nobody() {
    let mut held = errors(0.05, 2);
    held.hold = Duration::from_secs(5);
    let mut bench = Bench::new(&[held]);
    let mut one = agents(1);
    bench.run(&mut one, 5, 10, 0);
    bench.run(&mut one, 2, 5, 5);
    assert_eq!(bench.state(), RuleState::Pending);
    bench.run(&mut one, 5, 10, 0);
    assert_eq!((bench.changes(), bench.state()), (vec![], RuleState::Ok));
    bench.run(&mut one, 7, 5, 5);
    assert_eq!((bench.changes(), bench.state()), (vec![Change::Fired], RuleState::Firing));
}

#[test]
fn a_window_that_could_be_either_is_unknown_and_after_the_grace_period_pages_on_its_own() {
    let mut bench = Bench::new(&[errors(0.05, 10)]);
    let mut two = agents(2);
    bench.run(&mut two, 20, 10, 0);
    assert_eq!(bench.state(), RuleState::Ok);
    for _ in 0..80 {
        // The second agent is connected, for it is heard, but sends nothing of what it sees.
        let (half, behind) = (&mut two[..1], START_MS + 20_000);
        bench.run(half, 1, 10, 0);
        bench.partition.agents.connected("agent-01", bench.now());
        assert!(bench.ms > behind);
    }
    assert_eq!(bench.state(), RuleState::Unknown);
    assert_eq!(bench.changes(), [Change::Fired]);
    let labels = &bench.findings[0].transition.alert.labels;
    assert_eq!(labels["alertname"], incomplete::ALERT_NAME);
}

#[test]
fn a_firing_alert_does_not_resolve_because_its_data_is_missing() {
    let mut bench = Bench::new(&[errors(0.05, 5)]);
    let mut two = agents(2);
    bench.run(&mut two, 10, 8, 2);
    assert_eq!(bench.changes(), [Change::Fired]);
    bench.silence(20);
    assert_eq!((bench.changes(), bench.state()), (vec![Change::Fired], RuleState::Firing));
}

#[test]
fn an_alert_is_not_resolved_by_a_window_from_before_its_incident() {
    let mut bench = Bench::new(&[errors(0.05, 5)]);
    let mut one = agents(1);
    bench.run(&mut one, 10, 10, 0);
    for (ok, bad) in [(0, 30), (150, 0), (0, 20), (150, 0)] {
        bench.ms += 100;
        bench.send(&mut one[0], ok, bad);
    }
    assert_eq!(bench.changes(), [Change::Fired], "a dip within the second resolves nothing");
    bench.ms += 600;
    bench.run(&mut one, 10, 10, 0);
    assert_eq!(bench.changes(), [Change::Fired, Change::Resolved]);
}

#[test]
fn the_first_good_request_after_silence_resolves_nothing_before_its_second_is_complete() {
    let mut bench = Bench::new(&[errors(0.05, 5)]);
    let mut one = agents(1);
    bench.run(&mut one, 10, 8, 2);
    bench.silence(60);
    bench.ms += 100;
    bench.send(&mut one[0], 1, 0);
    assert_eq!(bench.changes(), [Change::Fired], "its window proves nothing yet");
    bench.ms += 900;
    bench.run(&mut one, 5, 10, 0);
    assert_eq!(bench.changes(), [Change::Fired, Change::Resolved]);
}

#[test]
fn an_agent_that_says_goodbye_leaves_nothing_unknown() {
    let mut bench = Bench::new(&[errors(0.05, 10)]);
    let mut two = agents(2);
    bench.run(&mut two, 20, 10, 0);
    bench.partition.agents.left("agent-01", bench.now());
    bench.run(&mut two[..1], 5, 10, 0);
    assert_eq!(bench.state(), RuleState::Ok);
}

#[test]
fn a_traffic_floor_is_judged_on_complete_seconds_once_a_whole_window_was_watched() {
    let mut floor = rule("quiet", Measure::Traffic);
    floor.condition = Condition::RateBelow(50.0);
    let mut bench = Bench::new(&[floor]);
    let mut one = agents(1);
    bench.run(&mut one, 8, 1, 0);
    assert_eq!(bench.changes(), [], "the window of ten seconds is not full yet");
    bench.run(&mut one, 4, 1, 0);
    assert_eq!(bench.changes(), [Change::Fired]);
    bench.run(&mut one, 20, 10, 0);
    assert_eq!(bench.changes(), [Change::Fired, Change::Resolved]);
}

#[test]
fn a_new_host_is_not_below_its_floor_before_it_was_seen_for_a_whole_window() {
    let mut floor = rule("quiet", Measure::Traffic);
    floor.condition = Condition::RateBelow(50.0);
    floor.group_by = GroupBy::Host;
    let mut bench = Bench::new(&[floor]);
    let mut two = agents(2);
    bench.run(&mut two[..1], 30, 10, 0);
    bench.run(&mut two, 9, 10, 0);
    assert_eq!(bench.changes(), []);
    bench.run(&mut two, 20, 10, 0);
    assert_eq!(bench.changes(), []);
}

#[test]
fn silence_pages_where_the_rule_asks_for_it_and_only_when_nothing_is_expected() {
    let mut wanted = errors(0.05, 10);
    wanted.alert_on_no_data = true;
    let mut bench = Bench::new(&[wanted]);
    let mut one = agents(1);
    bench.run(&mut one, 20, 10, 0);
    bench.silence(25);
    assert_eq!((bench.changes(), bench.state()), (vec![], RuleState::Unknown));
    bench.silence(25);
    assert_eq!(bench.changes(), [Change::Fired], "its agent's lease ended");
    bench.run(&mut one, 40, 10, 0);
    assert_eq!(bench.changes(), [Change::Fired, Change::Resolved]);
}

#[test]
fn each_host_has_its_own_alert_where_the_rule_asks_for_it() {
    let mut by_host = errors(0.05, 5);
    by_host.group_by = GroupBy::Host;
    let mut bench = Bench::new(&[by_host]);
    let mut twenty = agents(20);
    bench.run(&mut twenty, 6, 10, 0);
    bench.ms += 100;
    bench.send(&mut twenty[7], 0, 30);
    let hosts: Vec<_> = bench.findings.iter().map(|f| f.transition.alert.labels["host"].as_str()).collect();
    assert_eq!(hosts, ["web-07"]);
    assert_eq!(bench.board.of(&bench.service).len(), 20);
}

#[test]
fn new_rules_leave_the_running_sums_of_old_ones_right() {
    let (kept, gone) = (errors(0.05, 10), {
        let mut gone = errors(0.2, 10);
        gone.name = "gone".into();
        gone
    });
    let mut bench = Bench::new(&[kept.clone(), gone]);
    let mut one = agents(1);
    bench.run(&mut one, 10, 7, 3);
    assert_eq!(bench.changes(), [Change::Fired, Change::Fired]);
    let mut fresh = errors(0.5, 4);
    fresh.name = "fresh".into();
    let mut out = Vec::new();
    let now = bench.now();
    bench.engine.reload(&[Arc::new(kept), Arc::new(fresh)], &[], now, &mut out);
    assert_eq!(out.len(), 1, "the alert of the rule that is gone is closed");
    assert_eq!(out[0].transition.alert.labels["alertname"], "gone");
    let before = bench.board.of(&bench.service).iter().find(|s| &*s.rule == "errors").and_then(|s| s.sli);
    assert_eq!(bench.engine.next_cold(), Some((bench.service.clone(), 4)));
    let index = bench.partition.know(&bench.service).expect("known");
    let (_, state) = bench.partition.service_mut(index);
    let mut cells: Vec<_> = state.cells.seconds().map(|open| (open.start, open.cell.clone())).collect();
    cells.sort_by_key(|(second, _)| *second);
    bench.engine.rebuild(&bench.service, &cells, now);
    bench.tick();
    let statuses = bench.board.of(&bench.service);
    let sli = |name: &str| statuses.iter().find(|s| &*s.rule == name).and_then(|s| s.sli).expect("judged");
    assert_eq!(Some(sli("errors")), before);
    assert!((sli("fresh").high - 0.7).abs() < 0.01, "{:?}", sli("fresh"));
    assert_eq!(bench.changes().len(), 2, "nothing fires or resolves anew");
}

#[test]
fn a_restart_goes_on_with_the_alert_that_was_firing() {
    let mut bench = Bench::new(&[errors(0.05, 5)]);
    let mut one = agents(1);
    bench.run(&mut one, 10, 7, 3);
    let open = bench.findings[0].transition.alert.clone();
    let mut after = Bench::new(&[]);
    let settings = EngineSettings { partition: 0, partitions: 1, unknown_grace_ms: 60_000 };
    after.engine =
        Engine::new(settings, &[Arc::new(errors(0.05, 5))], after.board.clone(), vec![open.clone()]);
    after.ms = bench.ms;
    let now = after.now();
    after.engine.attach(&after.service, now.second(), now, true);
    after.run(&mut one, 2, 7, 3);
    assert_eq!((after.changes(), after.state()), (vec![], RuleState::Firing));
    after.run(&mut one, 10, 10, 0);
    assert_eq!(after.changes(), [Change::Resolved]);
    assert_eq!(after.findings[0].transition.alert.episode, open.episode);
}

/// How what the hosts see reaches the central in [`fired_in_a_minute`].
#[derive(Clone, Copy, PartialEq)]
enum Flush {
    /// Everything within 10 ms: what complete data would say.
    AtOnce,
    /// Bad observations within 10 ms, with all that their host holds; else every 200 ms.
    Express,
}

/// 50 hosts with 20 requests a second each, 4% truly bad, under a rule at 5%. Returns how often the
/// rule fired.
fn fired_in_a_minute(flush: Flush, blind: bool) -> usize {
    let mut random = StdRng::seed_from_u64(42);
    let mut bench = Bench::new(&[errors(0.05, 2)]);
    bench.blind = blind;
    let mut hosts = agents(50);
    let phases: Vec<i64> = hosts.iter().map(|_| random.random_range(0..200)).collect();
    let mut waiting: Vec<BTreeMap<i64, (u64, u64)>> = vec![BTreeMap::new(); hosts.len()];
    for _ in 0..6_000 {
        bench.ms += 10;
        let second = bench.now().second().0;
        for (index, host) in hosts.iter_mut().enumerate() {
            let mut due = flush == Flush::AtOnce || (bench.ms + phases[index]) % 200 < 10;
            if random.random_bool(0.2) {
                let bad = random.random_bool(0.04);
                let slot = waiting[index].entry(second).or_default();
                if bad {
                    slot.1 += 1
                } else {
                    slot.0 += 1
                }
                due |= bad;
            }
            if due {
                let seen = std::mem::take(&mut waiting[index]);
                let record = host.flush(&bench.service, bench.ms, &seen, 0.1);
                let logged = bench.log.append(record, bench.ms);
                bench.partition.apply(&logged, bench.now());
                bench.judge(false);
            }
        }
        if bench.ms % 1000 == 0 {
            bench.tick();
        }
    }
    bench.changes().iter().filter(|change| **change == Change::Fired).count()
}

#[test]
fn the_express_lane_adds_no_false_alarms_because_what_is_unseen_is_expected() {
    let complete = fired_in_a_minute(Flush::AtOnce, false);
    let express = fired_in_a_minute(Flush::Express, false);
    let blind = fired_in_a_minute(Flush::Express, true);
    assert!(express <= complete, "express lane: {express}, complete data: {complete}");
    assert!(blind >= 2 * express, "not expecting the unseen: {blind}, expecting it: {express}");
}

#[test]
fn an_instance_that_was_never_judged_shows_as_no_data() {
    let mut bench = Bench::new(&[errors(0.05, 5)]);
    bench.judge(true);
    assert_eq!(bench.state(), RuleState::NoData);
    let stages = StageTimes::default();
    assert!(bench.findings.is_empty() && stages.evaluated.is_none());
}
