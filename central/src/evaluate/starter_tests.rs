//! Starter rules through the engine: each fires at what it is for, and a calm hour pages nobody.

use std::sync::Arc;

use goldentime_model::{Counts, Second, ServiceId, StageTimes};
use goldentime_sketch::Sketch;
use goldentime_windows::{Aggregate, EndpointKey, SecondCell};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::engine::{Engine, EngineSettings, Finding};
use super::expectation::NobodyExpected;
use super::handle::StatusBoard;
use super::judge::Tempo;
use super::openslo::{RuleSet, StarterRule, starter};
use super::testing::service;
use super::transition::Change;

const START: Second = Second(1_700_000_000);

/// Every starter rule over one service that is told second by second what happened.
struct Watch {
    engine: Engine,
    service: ServiceId,
    second: Second,
    findings: Vec<Finding>,
}

impl Watch {
    fn over(name: &str) -> Self {
        let rules = RuleSet::compile_over(&starter::sources(&[StarterRule::All]), &[]).expect("valid");
        let settings = EngineSettings { partition: 0, partitions: 1, unknown_grace_ms: 60_000 };
        let engine = Engine::new(settings, &rules.rules, StatusBoard::default(), Vec::new());
        let mut watch = Self { engine, service: service(name), second: START, findings: Vec::new() };
        watch.engine.attach(&watch.service, START, START.start(), true);
        watch
    }

    /// One second passes with what is in `cell`.
    fn second(&mut self, cell: &SecondCell) {
        let end = self.second.end();
        self.engine.touch(&self.service, self.second, cell, end);
        self.second = self.second.offset(1);
        let tempo = Tempo { watermark_ms: end.as_millis(), now: end, boundary: true };
        self.engine.judge(&self.service, tempo, &NobodyExpected, StageTimes::default(), &mut self.findings);
    }

    /// Names of the rules that fired, in their order, each time that they did.
    fn fired(&self) -> Vec<&str> {
        let fired = self.findings.iter().filter(|finding| finding.transition.change == Change::Fired);
        fired.map(|finding| finding.transition.alert.labels["alertname"].as_str()).collect()
    }

    fn resolved(&self) -> usize {
        self.findings.iter().filter(|finding| finding.transition.change == Change::Resolved).count()
    }
}

/// A second of one endpoint on one host.
fn requests(ok: u64, failed: u64, seconds: &[f64]) -> SecondCell {
    let counts = Counts { ok, server_error: failed, ..Counts::default() };
    let mut latency = Sketch::new();
    for seconds in seconds {
        let _ = latency.insert_n(*seconds, 1);
    }
    let endpoint = EndpointKey { endpoint: "/orders/{id}".into(), method: "GET".into() };
    let mut cell = SecondCell::default();
    if counts.total() > 0 {
        let _ = cell.add(&"web-1".into(), &endpoint, &Aggregate { counts, latency });
    }
    cell
}

fn readings(disks: [f64; 3], memory: f64) -> SecondCell {
    let mut cell = SecondCell::default();
    for (mountpoint, used) in ["/", "/boot", "/var"].into_iter().zip(disks) {
        let key = format!("system.filesystem.utilization{{mountpoint=\"{mountpoint}\"}}");
        let _ = cell.set_gauge(&Arc::from(key), used);
    }
    let _ = cell.set_gauge(&Arc::from("system.memory.utilization"), memory);
    cell
}

/// Requests of a busy second: most take some tens of milliseconds, a few up to two seconds.
fn busy(random: &mut StdRng, failing: f64) -> SecondCell {
    let total = random.random_range(30..60);
    let failed = (0..total).filter(|_| random.random_bool(failing)).count() as u64;
    let slow = |random: &mut StdRng| match random.random_bool(0.01) {
        true => random.random_range(0.5..2.0),
        false => random.random_range(0.01..0.2),
    };
    let seconds: Vec<f64> = (0..total).map(|_| slow(random)).collect();
    requests(total - failed, failed, &seconds)
}

#[test]
fn a_calm_hour_pages_nobody() {
    let mut random = StdRng::seed_from_u64(7);
    let mut shop = Watch::over("shop");
    let mut host = Watch::over("host:web-1");
    for _ in 0..3600 {
        shop.second(&busy(&mut random, 0.005));
        let memory = random.random_range(0.55..0.94);
        host.second(&readings([0.71, 0.42, 0.89], memory));
    }
    assert_eq!((shop.fired(), host.fired()), (vec![], vec![]));
}

#[test]
fn one_error_or_one_slow_request_of_three_pages_nobody() {
    let mut quiet = Watch::over("shop");
    for second in 0..3600 {
        // Three requests a minute, one of which fails after three seconds.
        quiet.second(&match second % 60 {
            5 | 25 => requests(1, 0, &[0.02]),
            45 => requests(0, 1, &[3.0]),
            _ => requests(0, 0, &[]),
        });
    }
    assert_eq!(quiet.fired(), Vec::<&str>::new());
}

#[test]
fn a_service_that_fails_pages_before_it_is_known_what_is_usual_and_resolves_when_it_is_well() {
    let mut random = StdRng::seed_from_u64(7);
    let mut shop = Watch::over("shop");
    (0..60).for_each(|_| shop.second(&busy(&mut random, 0.005)));
    let broken = shop.second;
    while shop.fired().is_empty() && shop.second.0 < broken.0 + 60 {
        shop.second(&busy(&mut random, 0.4));
    }
    assert_eq!(shop.fired(), ["starter-errors"]);
    assert!(shop.second.0 - broken.0 <= 25, "paged {} s after it broke", shop.second.0 - broken.0);
    (0..120).for_each(|_| shop.second(&busy(&mut random, 0.005)));
    assert_eq!((shop.fired(), shop.resolved()), (vec!["starter-errors"], 1));
}

#[test]
fn errors_that_surge_page_in_seconds_once_it_is_known_what_is_usual() {
    let mut random = StdRng::seed_from_u64(7);
    let mut shop = Watch::over("shop");
    (0..600).for_each(|_| shop.second(&busy(&mut random, 0.005)));
    let broken = shop.second;
    while shop.fired().is_empty() && shop.second.0 < broken.0 + 60 {
        shop.second(&busy(&mut random, 0.6));
    }
    assert_eq!(shop.fired(), ["starter-error-surge"]);
    assert!(shop.second.0 - broken.0 <= 6, "paged {} s after it broke", shop.second.0 - broken.0);
    // Twenty minutes of errors are no new usual state.
    (0..1200).for_each(|_| shop.second(&busy(&mut random, 0.6)));
    assert_eq!((shop.fired(), shop.resolved()), (vec!["starter-error-surge", "starter-errors"], 0));
    (0..90).for_each(|_| shop.second(&busy(&mut random, 0.005)));
    assert_eq!((shop.fired().len(), shop.resolved()), (2, 2));
}

#[test]
fn a_surge_is_not_over_because_few_requests_are_left() {
    let mut random = StdRng::seed_from_u64(7);
    let mut shop = Watch::over("shop");
    (0..600).for_each(|_| shop.second(&busy(&mut random, 0.005)));
    (0..8).for_each(|_| shop.second(&busy(&mut random, 0.6)));
    assert_eq!(shop.fired(), ["starter-error-surge"]);
    (0..20).for_each(|_| shop.second(&requests(0, 1, &[0.05])));
    (0..120).for_each(|_| shop.second(&requests(0, 0, &[])));
    assert_eq!(shop.resolved(), 0);
}

#[test]
fn traffic_that_stops_pages_within_the_minute_and_resolves_when_it_is_back() {
    let mut random = StdRng::seed_from_u64(7);
    let mut shop = Watch::over("shop");
    (0..600).for_each(|_| shop.second(&busy(&mut random, 0.005)));
    (0..40).for_each(|_| shop.second(&requests(0, 0, &[])));
    assert_eq!(shop.fired(), ["starter-traffic-drop"]);
    (0..600).for_each(|_| shop.second(&requests(0, 0, &[])));
    assert_eq!(shop.resolved(), 0);
    (0..60).for_each(|_| shop.second(&busy(&mut random, 0.005)));
    assert_eq!((shop.fired(), shop.resolved()), (vec!["starter-traffic-drop"], 1));
}

#[test]
fn a_service_that_is_slow_pages() {
    let mut shop = Watch::over("shop");
    (0..120).for_each(|_| shop.second(&requests(20, 0, &[0.05; 20])));
    (0..60).for_each(|_| shop.second(&requests(20, 0, &[1.6; 20])));
    assert_eq!(shop.fired(), ["starter-latency"]);
}

#[test]
fn one_full_disk_of_three_pages_after_a_minute_and_a_short_spike_does_not() {
    let mut host = Watch::over("host:web-1");
    (0..120).for_each(|_| host.second(&readings([0.5, 0.4, 0.6], 0.5)));
    (0..20).for_each(|_| host.second(&readings([0.5, 0.4, 0.6], 0.99)));
    (0..120).for_each(|_| host.second(&readings([0.5, 0.4, 0.6], 0.5)));
    assert_eq!(host.fired(), Vec::<&str>::new(), "memory was full for twenty seconds only");
    (0..90).for_each(|_| host.second(&readings([0.5, 0.4, 0.93], 0.5)));
    assert_eq!(host.fired(), ["starter-disk"]);
}

#[test]
fn memory_that_stays_full_pages() {
    let mut host = Watch::over("host:web-1");
    (0..120).for_each(|_| host.second(&readings([0.5, 0.4, 0.6], 0.5)));
    (0..60).for_each(|_| host.second(&readings([0.5, 0.4, 0.6], 0.97)));
    assert_eq!(host.fired(), ["starter-memory"]);
}

#[test]
fn an_alert_that_fires_does_not_resolve_because_few_requests_are_left() {
    let mut shop = Watch::over("shop");
    (0..60).for_each(|_| shop.second(&requests(10, 10, &[0.05; 20])));
    assert_eq!(shop.fired(), ["starter-errors"]);
    // Its callers give up, and those that are left fail still.
    (0..120).for_each(|_| shop.second(&requests(0, 1, &[0.05])));
    assert_eq!(shop.resolved(), 0);
}
