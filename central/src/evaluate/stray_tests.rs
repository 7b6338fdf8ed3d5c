//! Rules on what strays, through merge and evaluator as they run together.

use std::sync::Arc;

use goldentime_model::Outcome;
use goldentime_model::indicator::{Compared, Side, Straying};

use super::engine::{Engine, EngineSettings};
use super::engine_tests::{Bench, agents};
use super::rule::{Condition, Measure, Rule};
use super::status::RuleState;
use super::testing::rule;
use super::transition::Change;

/// More than half of five seconds.
fn straying(of: Compared, side: Side) -> Rule {
    let mut rule = rule("strays", Measure::Stray(Straying { of, side, threshold: 6.0 }));
    (rule.condition, rule.window_s) = (Condition::BadShareAbove(0.5), 5);
    rule
}

fn surge() -> Rule {
    straying(Compared::Errors { bad: vec![Outcome::ServerError] }, Side::Above)
}

#[test]
fn a_surge_fires_within_seconds_and_resolves_on_complete_ones() {
    let mut bench = Bench::new(&[surge()]);
    let mut three = agents(3);
    bench.run(&mut three, 300, 7, 0);
    assert_eq!((bench.changes(), bench.state()), (vec![], RuleState::Ok));
    let broken_ms = bench.ms;
    while bench.changes().is_empty() && bench.ms < broken_ms + 60_000 {
        bench.run(&mut three, 1, 5, 2);
    }
    assert!(bench.ms - broken_ms <= 6_000, "{} ms", bench.ms - broken_ms);
    let found = bench.findings[0].subject.as_ref().expect("explained");
    assert_eq!(found.judged.bad_low, found.judged.bad_high);
    assert_eq!(bench.findings[0].transition.alert.stages.occurred, None, "no single request tipped it");
    assert!(found.usual.is_some_and(|usual| usual.mean < 0.001));
    bench.run(&mut three, 20, 7, 0);
    assert_eq!(bench.changes(), [Change::Fired, Change::Resolved]);
}

#[test]
fn one_error_of_three_requests_strays_nobody() {
    let mut bench = Bench::new(&[surge()]);
    let mut one = agents(1);
    for at in 0..400 {
        // Three requests a second, and every fifty seconds one of them fails.
        let failed = u64::from(at % 50 == 49);
        bench.run_once(&mut one[0], 3 - failed, failed);
    }
    assert_eq!(bench.changes(), []);
}

#[test]
fn an_agent_that_is_behind_is_no_drop_of_traffic() {
    let mut bench = Bench::new(&[straying(Compared::Traffic, Side::Below)]);
    let mut two = agents(2);
    bench.run(&mut two, 300, 20, 0);
    bench.silence(20);
    assert_eq!((bench.changes(), bench.state()), (vec![], RuleState::Unknown));
}

#[test]
fn agents_that_are_heard_and_have_no_requests_are_a_drop_of_traffic() {
    let mut bench = Bench::new(&[straying(Compared::Traffic, Side::Below)]);
    let mut two = agents(2);
    bench.run(&mut two, 300, 20, 0);
    bench.run(&mut two, 20, 0, 0);
    assert_eq!((bench.changes(), bench.state()), (vec![Change::Fired], RuleState::Firing));
    bench.run(&mut two, 20, 20, 0);
    assert_eq!(bench.changes(), [Change::Fired, Change::Resolved]);
}

#[test]
fn a_restart_knows_what_was_usual_before_and_goes_on_with_the_alert() {
    let mut before = Bench::new(&[surge()]);
    let mut one = agents(1);
    let mut cells = Vec::new();
    for _ in 0..200 {
        before.run(&mut one, 1, 20, 0);
        before.keep(&mut cells);
    }
    for _ in 0..8 {
        before.run(&mut one, 1, 10, 10);
        before.keep(&mut cells);
    }
    assert_eq!(before.changes(), [Change::Fired]);
    let open = before.findings[0].transition.alert.clone();

    let mut after = Bench::new(&[]);
    let settings = EngineSettings { partition: 0, partitions: 1, unknown_grace_ms: 60_000 };
    after.engine = Engine::new(settings, &[Arc::new(surge())], after.board.clone(), vec![open.clone()]);
    after.ms = before.ms;
    let now = after.now();
    after.engine.attach(&after.service, now.second(), now, false);
    assert!(after.engine.next_cold().is_some_and(|(_, reach_s)| reach_s >= 300), "minutes are read back");
    after.engine.rebuild(&after.service, &cells, now);
    after.run(&mut one, 3, 10, 10);
    assert_eq!((after.changes(), after.state()), (vec![], RuleState::Firing));
    after.run(&mut one, 20, 20, 0);
    assert_eq!(after.changes(), [Change::Resolved]);
    assert_eq!(after.findings[0].transition.alert.episode, open.episode);
}
