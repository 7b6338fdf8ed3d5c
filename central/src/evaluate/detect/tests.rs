//! The guard and the watch, through merge and evaluator as they run together.

use std::sync::Arc;

use goldentime_model::Outcome;
use goldentime_model::indicator::Compared;

use super::super::engine::{Engine, EngineSettings};
use super::super::engine_tests::{Bench, agents};
use super::super::rule::{Condition, LowTrafficGuard, Measure, Rule};
use super::super::status::RuleState;
use super::super::testing::rule;
use super::super::transition::Change;
use crate::merge::testing::TestAgent;

/// More than 5% bad in a minute.
fn guarded(low_traffic: LowTrafficGuard) -> Rule {
    let mut rule = rule("errors", Measure::Availability { bad: vec![Outcome::ServerError] });
    (rule.window_s, rule.low_traffic) = (60, low_traffic);
    rule
}

fn shifts() -> Rule {
    let mut rule = rule("shift", Measure::Shift(Compared::Errors { bad: vec![Outcome::ServerError] }));
    rule.condition = Condition::BadShareAbove(0.0);
    rule
}

/// One request each fifteen seconds; `outcomes` says which ones are bad.
fn seldom(bench: &mut Bench, agent: &mut TestAgent, outcomes: &[bool]) {
    for is_bad in outcomes {
        let bad = u64::from(*is_bad);
        bench.run_once(agent, 1 - bad, bad);
        for _ in 0..14 {
            bench.run_once(agent, 0, 0);
        }
    }
}

#[test]
fn one_error_of_three_requests_pages_nobody() {
    for (guard, findings) in [(LowTrafficGuard::Sequential, 0), (LowTrafficGuard::Off, 1)] {
        let mut bench = Bench::new(&[guarded(guard)]);
        let mut one = agents(1);
        seldom(&mut bench, &mut one[0], &[false, true, false]);
        assert_eq!(bench.findings.len(), findings, "{guard:?}");
    }
}

#[test]
fn a_breach_without_evidence_is_not_unknown() {
    let mut bench = Bench::new(&[guarded(LowTrafficGuard::Sequential)]);
    let mut one = agents(1);
    seldom(&mut bench, &mut one[0], &[false, false, true]);
    assert_eq!(bench.state(), RuleState::Ok);
}

#[test]
fn an_outage_of_four_requests_a_minute_pages_and_one_good_request_does_not_end_it() {
    let mut bench = Bench::new(&[guarded(LowTrafficGuard::Sequential)]);
    let mut one = agents(1);
    seldom(&mut bench, &mut one[0], &[false; 40]);
    seldom(&mut bench, &mut one[0], &[true; 4]);
    assert_eq!(bench.changes(), []);
    seldom(&mut bench, &mut one[0], &[true; 3]);
    assert_eq!(bench.changes(), [Change::Fired]);
    seldom(&mut bench, &mut one[0], &[false; 5]);
    assert_eq!(bench.changes(), [Change::Fired], "five good ones of a service that failed are not enough");
    seldom(&mut bench, &mut one[0], &[false; 20]);
    assert_eq!(bench.changes(), [Change::Fired, Change::Resolved]);
    assert_eq!(bench.state(), RuleState::Ok);
}

#[test]
fn at_ordinary_traffic_the_tipping_request_pages_as_without_the_guard() {
    let fired_at = |guard| {
        let mut bench = Bench::new(&[guarded(guard)]);
        let mut three = agents(3);
        bench.run(&mut three, 60, 7, 0);
        while bench.changes().is_empty() {
            bench.run(&mut three, 1, 6, 1);
        }
        bench.findings[0].transition.alert.starts_at
    };
    assert_eq!(fired_at(LowTrafficGuard::Sequential), fired_at(LowTrafficGuard::Off));
}

#[test]
fn evidence_outlives_a_restart() {
    let mut bench = Bench::new(&[guarded(LowTrafficGuard::Sequential)]);
    let mut one = agents(1);
    seldom(&mut bench, &mut one[0], &[true; 4]);
    assert_eq!(bench.changes(), []);
    restart(&mut bench, &guarded(LowTrafficGuard::Sequential));
    seldom(&mut bench, &mut one[0], &[true; 2]);
    assert_eq!(bench.changes(), [Change::Fired]);
}

/// Another evaluator goes on with what the checkpoint of this one kept.
fn restart(bench: &mut Bench, rule: &Rule) {
    let kept = bench.engine.keep();
    let settings = EngineSettings { partition: 0, partitions: 1, unknown_grace_ms: 60_000 };
    bench.engine = Engine::new(settings, &[Arc::new(rule.clone())], bench.board.clone(), Vec::new());
    bench.engine.recall(&kept);
    let now = bench.now();
    bench.engine.attach(&bench.service, now.second(), now, true);
}

#[test]
fn a_shift_is_told_within_a_second_with_what_moved_and_ends_with_it() {
    let mut bench = Bench::new(&[shifts()]);
    let mut two = agents(2);
    bench.run(&mut two, 420, 10, 0);
    assert_eq!((bench.changes(), bench.state()), (vec![], RuleState::Ok));
    let onset_ms = bench.ms;
    bench.run(&mut two, 1, 5, 5);
    assert_eq!(bench.changes(), [Change::Fired]);
    let alert = &bench.findings[0].transition.alert;
    assert!(alert.starts_at.as_millis() - onset_ms <= 500, "{} {onset_ms}", alert.starts_at.as_millis());
    let shifted = bench.findings[0].subject.as_ref().and_then(|subject| subject.shifted).expect("told");
    assert!(shifted.moved.usual < 0.001 && (shifted.moved.now - 0.5).abs() < 0.1, "{shifted:?}");
    assert!((shifted.moved.since * 1000 - onset_ms).abs() <= 1000, "{shifted:?}");
    bench.run(&mut two, 10, 5, 5);
    assert_eq!(bench.changes(), [Change::Fired]);
    bench.run(&mut two, 40, 10, 0);
    assert_eq!((bench.changes(), bench.state()), (vec![Change::Fired, Change::Resolved], RuleState::Ok));
}

#[test]
fn nothing_shifts_before_the_usual_is_known_and_a_restart_knows_it() {
    let mut bench = Bench::new(&[shifts()]);
    let mut two = agents(2);
    bench.run(&mut two, 60, 10, 0);
    bench.run(&mut two, 5, 5, 5);
    assert_eq!((bench.changes(), bench.state()), (vec![], RuleState::NoData));
    bench.run(&mut two, 420, 10, 0);
    restart(&mut bench, &shifts());
    bench.run(&mut two, 3, 10, 0);
    assert_eq!(bench.changes(), []);
    bench.run(&mut two, 2, 3, 7);
    assert_eq!(bench.changes(), [Change::Fired]);
}

#[test]
fn a_start_without_a_checkpoint_learns_from_the_seconds_that_are_stored() {
    let mut bench = Bench::new(&[]);
    let (mut two, mut cells) = (agents(2), Vec::new());
    for _ in 0..338 {
        bench.run(&mut two, 1, 10, 0);
        bench.keep(&mut cells);
    }
    let settings = EngineSettings { partition: 0, partitions: 1, unknown_grace_ms: 60_000 };
    bench.engine = Engine::new(settings, &[Arc::new(shifts())], bench.board.clone(), Vec::new());
    let now = bench.now();
    bench.engine.attach(&bench.service, now.second(), now, false);
    assert!(bench.engine.next_cold().is_some_and(|(_, reach_s)| reach_s >= 340));
    bench.engine.rebuild(&bench.service, &cells, now);
    bench.run(&mut two, 40, 10, 0);
    bench.run(&mut two, 2, 5, 5);
    assert_eq!(bench.changes(), [Change::Fired]);
}

#[test]
fn bad_requests_of_an_agent_that_is_behind_are_no_shift() {
    let mut bench = Bench::new(&[shifts()]);
    let mut two = agents(2);
    bench.run(&mut two, 420, 10, 0);
    bench.silence(20);
    assert_eq!((bench.changes(), bench.state()), (vec![], RuleState::Unknown));
}
