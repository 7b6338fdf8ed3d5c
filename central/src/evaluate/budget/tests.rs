//! Budgets through the evaluator, as services are merged and rules change.

use std::sync::Arc;
use std::time::Duration;

use goldentime_follower::{Advance, Mark};
use goldentime_model::{Counts, Second, StageTimes, UnixNanos};
use goldentime_series::{Rows, SeriesStore, SqliteSeries, SqliteSettings};
use goldentime_windows::SecondCell;

use super::super::engine::{Engine, EngineSettings, Finding};
use super::super::expectation::NobodyExpected;
use super::super::handle::StatusBoard;
use super::super::judge::Tempo;
use super::super::rule::{Burn, Condition, Measure, Rule};
use super::super::status::RuleState;
use super::super::testing::{objective, rule, service};
use super::super::transition::Change;
use super::history::read;
use super::{Answer, BudgetStatus, GoodSlice, Maintenance, Method, Objective, Past};
use crate::persist::SeriesConfig;

/// The beginning of an hour.
const START: i64 = 1_699_999_200;

struct Desk {
    engine: Engine,
    board: StatusBoard,
    second: i64,
    found: Vec<(i64, Finding)>,
}

impl Desk {
    fn new(objectives: &[Objective]) -> Self {
        let settings = EngineSettings { partition: 0, partitions: 1, unknown_grace_ms: 60_000 };
        let (objectives, rules) = shared(objectives);
        let board = StatusBoard::default();
        let mut engine =
            Engine::new(settings, &rules, board.clone(), Vec::new()).with_objectives(&objectives);
        engine.attach(&service("shop"), Second(START), Second(START).start(), true);
        Self { engine, board, second: START, found: Vec::new() }
    }

    fn without_past(objectives: &[Objective]) -> Self {
        let mut desk = Self::new(objectives);
        desk.fill(&[]);
        desk
    }

    fn now(&self) -> UnixNanos {
        Second(self.second).start()
    }

    fn fill(&mut self, past: &[Past]) -> usize {
        let mut asked = 0;
        while let Some(wanted) = self.engine.next_wanted() {
            self.engine.fill(&Answer { wanted, past: past.to_vec() });
            asked += 1;
        }
        asked
    }

    /// So many requests in each of the next seconds.
    fn run(&mut self, seconds: i64, ok: u64, bad: u64) {
        for _ in 0..seconds {
            let mut cell = SecondCell::default();
            cell.total.counts = Counts { ok, server_error: bad, ..Counts::default() };
            let (second, now) = (Second(self.second), self.now());
            if ok + bad > 0 {
                self.engine.touch(&service("shop"), second, &cell, now);
            }
            let tempo = Tempo { watermark_ms: self.second * 1000 + 999, now, boundary: true };
            let mut found = Vec::new();
            self.engine.judge(&service("shop"), tempo, &NobodyExpected, StageTimes::default(), &mut found);
            self.found.extend(found.into_iter().map(|finding| (self.second - START, finding)));
            self.second += 1;
        }
    }

    fn reload(&mut self, objectives: &[Objective]) {
        let (objectives, rules) = shared(objectives);
        let (now, mut found) = (self.now(), Vec::new());
        self.engine.reload(&rules, &objectives, now, &mut found);
        self.found.extend(found.into_iter().map(|finding| (self.second - START, finding)));
    }

    fn budget(&self) -> BudgetStatus {
        self.board.of(&service("shop"))[0].budget.clone().expect("kept")
    }

    fn changes(&self) -> Vec<(i64, Change)> {
        self.found.iter().map(|(at, finding)| (*at, finding.transition.change)).collect()
    }
}

fn shared(objectives: &[Objective]) -> (Vec<Arc<Objective>>, Vec<Arc<Rule>>) {
    let rules = objectives.iter().flat_map(|objective| objective.burns.iter().cloned()).collect();
    (objectives.iter().cloned().map(Arc::new).collect(), rules)
}

fn burn(rate: f64, window_s: u32, short_window_s: Option<u32>) -> Arc<Rule> {
    let bad = vec![goldentime_model::Outcome::ServerError];
    Arc::new(Rule {
        window_s,
        objective: Some("orders".into()),
        burn: Some(Burn { short_window_s, slice_s: None }),
        condition: Condition::BadShareAbove(rate * 0.001),
        ..rule("orders/burn", Measure::Availability { bad })
    })
}

fn burning(burns: Vec<Arc<Rule>>) -> Objective {
    Objective { burns, ..objective("orders") }
}

#[test]
fn a_page_needs_both_windows_and_ends_with_the_short_one() {
    let mut desk = Desk::without_past(&[burning(vec![burn(14.4, 3600, Some(300))])]);
    desk.run(3600, 100, 0);
    assert_eq!(desk.changes(), []);
    // Half of all fail: 1.44% of an hour's 360,000 are 5,184, after 104 seconds.
    desk.run(200, 50, 50);
    let [(fired, Change::Fired)] = desk.changes()[..] else { panic!("{:?}", desk.changes()) };
    assert!((3_703..=3_706).contains(&fired), "{fired}");
    let subject = desk.found[0].1.subject.as_ref().expect("explained");
    assert!((5_150..5_300).contains(&subject.judged.bad_low), "{:?}", subject.judged);
    // The short one is calm once at most 432 bad ones are left in it.
    desk.run(600, 100, 0);
    let [_, (ended, Change::Resolved)] = desk.changes()[..] else { panic!("{:?}", desk.changes()) };
    assert!((3_800 + 285..3_800 + 300).contains(&ended), "{ended}");
    let status = &desk.board.of(&service("shop"))[0];
    assert!(status.sli.expect("judged").high < 0.99, "the long window still is bad: {:?}", status.sli);
}

#[test]
fn a_budget_says_what_is_left_and_how_long_it_lasts() {
    let mut desk = Desk::without_past(&[objective("orders")]);
    desk.run(1000, 1000, 0);
    let calm = desk.budget();
    assert_eq!((calm.events, calm.bad.low, calm.burn_rate), (1_000_000.0, 0.0, Some(0.0)));
    assert_eq!((calm.left.expect("some").low, calm.exhausted_in_s), (1.0, None));
    desk.run(1000, 999, 1);
    let budget = desk.budget();
    assert_eq!((budget.events, budget.bad.high, budget.allowed.round()), (2_000_000.0, 1000.0, 2000.0));
    assert!((budget.left.expect("some").low - 0.5).abs() < 1e-9);
    assert!((budget.burn_rate.expect("some") - 0.5).abs() < 1e-9);
    // Half is left, and is spent at half the speed: it lasts a whole period.
    assert!((budget.exhausted_in_s.expect("some") - 28.0 * 86_400.0).abs() < 1.0);
    let status = &desk.board.of(&service("shop"))[0];
    assert_eq!((&*status.rule, status.state), ("orders", RuleState::Ok));
    desk.run(10, 0, 1000);
    assert_eq!(desk.budget().exhausted_in_s, Some(0.0));
    assert!(desk.budget().left.expect("some").high < 0.0);
}

#[test]
fn sums_outlast_another_target_and_are_asked_for_anew_when_something_else_is_counted() {
    let before = burning(vec![burn(14.4, 3600, Some(300))]);
    let mut desk = Desk::without_past(std::slice::from_ref(&before));
    desk.run(600, 95, 5);
    assert_eq!(desk.changes().len(), 1, "it fires");
    let looser = Objective { target: 0.9, burns: vec![burn(1.0, 3600, Some(300))], ..before.clone() };
    desk.reload(std::slice::from_ref(&looser));
    desk.run(1, 95, 5);
    let budget = desk.budget();
    assert_eq!((budget.target, budget.events, budget.complete), (0.9, 60_100.0, true));
    assert_eq!(desk.fill(&[]), 0, "nothing is asked for");
    assert_eq!(desk.changes().len(), 1, "the same alert goes on");
    let mut other = looser;
    let counted = Rule { measure: Measure::Latency { threshold_s: 0.2 }, ..(*other.counted).clone() };
    other.counted = Arc::new(counted);
    desk.reload(&[other]);
    assert_eq!(desk.engine.next_cold().map(|(_, seconds)| seconds), Some(300));
    desk.engine.rebuild(&service("shop"), &[], Second(desk.second).start());
    assert_eq!(desk.fill(&[]), 1, "history is asked for");
}

#[test]
fn maintenance_is_taken_out_of_the_budget() {
    // From 22:01 to 22:03 UTC.
    let at = jiff::Timestamp::from_second(START).expect("valid").to_string();
    assert_eq!(at, "2023-11-14T22:00:00Z");
    let moving: Maintenance = "2023-11-14T22:01/2m kim: moving the database".parse().expect("valid");
    let maintained = Objective { maintenance: [moving].into(), ..objective("orders") };
    let mut desk = Desk::without_past(&[maintained]);
    desk.run(60, 100, 0);
    desk.run(60, 0, 100);
    assert!(desk.budget().maintenance);
    desk.run(60, 0, 100);
    desk.run(60, 99, 1);
    let budget = desk.budget();
    assert_eq!((budget.events, budget.bad.high, budget.maintenance), (12_000.0, 60.0, false));
}

#[test]
fn a_bad_minute_is_one_event_of_timeslices() {
    let method = Method::Slices { slice_s: 60, good: GoodSlice::ShareAtLeast(0.95) };
    let rule = Rule { condition: Condition::BadShareAbove(0.2), ..(*burn(1.0, 180, None)).clone() };
    let timeslices = Objective { method, target: 0.9, burns: vec![Arc::new(rule)], ..objective("orders") };
    let mut desk = Desk::without_past(&[timeslices]);
    desk.run(60, 100, 5);
    desk.run(60, 100, 20);
    desk.run(59, 100, 0);
    assert_eq!((desk.budget().events, desk.budget().bad.high), (2.0, 1.0));
    desk.run(10, 100, 0);
    let budget = desk.budget();
    assert_eq!((budget.events, budget.bad.high, budget.slice_s), (3.0, 1.0, Some(60)));
    // How many slices four weeks have is known.
    assert!((budget.allowed - 28.0 * 1440.0 * 0.1).abs() < 1e-6);
    // One of two slices, once the second is over and settled.
    assert_eq!(desk.changes(), [(120, Change::Fired)]);
}

fn rows(from: i64, seconds: i64, ok: u64, bad: u64, rows: &mut Rows) {
    for second in from..from + seconds {
        let counts = Counts { ok, server_error: bad, ..Counts::default() };
        rows.cell(&service("shop"), Second(second)).total.counts.add(&counts);
    }
}

#[tokio::test]
async fn what_was_before_the_start_is_read_from_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("series.db");
    let keep = SeriesConfig::default().keep();
    let store = SqliteSeries::new(SqliteSettings { path, keep, busy_timeout: Duration::from_secs(1) });
    let mut stored = Rows::default();
    rows(START - 2 * 86_400, 3600, 99, 1, &mut stored);
    rows(START - 600, 600, 90, 10, &mut stored);
    // What was counted live is not read.
    rows(START, 30, 0, 100, &mut stored);
    let advance = Advance {
        to: Mark { generation: 1, offset: 7 },
        log_time: Second(START + 60).start(),
        ..Advance::default()
    };
    store.commit(&stored, &advance).await.expect("committed");
    while store.tend(Second(START + 60).start()).await.expect("tended") == goldentime_series::Tended::More {}

    let mut desk = Desk::new(&[burning(vec![burn(1.0, 3600, None)])]);
    desk.run(1, 100, 0);
    assert_eq!((desk.budget().complete, desk.changes().len()), (false, 0), "nobody can say yet");
    let wanted = desk.engine.next_wanted().expect("history");
    let past = read(&store, &wanted).await.expect("read");
    desk.engine.fill(&Answer { wanted, past });
    desk.run(1, 100, 0);
    let budget = desk.budget();
    assert_eq!((budget.complete, budget.events, budget.bad.low), (true, 420_200.0, 9_600.0));
    assert_eq!(desk.changes(), [(1, Change::Fired)], "600 s of 10% are far more than 0.1% of an hour");
    let judged = desk.found[0].1.subject.as_ref().expect("explained").judged;
    assert_eq!((judged.seen, judged.bad_low), (60_200, 6_000));
    store.close().await;
}
