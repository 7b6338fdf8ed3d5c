//! What documents say of few requests and of shifts.

use std::sync::Arc;

use goldentime_model::indicator::Compared;

use super::super::rule::{LowTrafficGuard, Measure, Rule};
use super::report::describe;
use super::testing::{SLO, load, with};

const RATIO: &str = "ratioMetric:
        good: {metricSource: {type: goldentime, spec: {signal: errors}}}
        total: {metricSource: {type: goldentime, spec: {signal: errors}}}
";

fn only(text: &str) -> Arc<Rule> {
    Arc::clone(&load(text).expect("valid").rules[0])
}

fn annotated(annotations: &str) -> String {
    SLO.replacen("  name: orders\n", &format!("  name: orders\n  annotations: {{{annotations}}}\n"), 1)
}

#[test]
fn few_requests_need_evidence_unless_the_author_says_otherwise_or_how_many_it_takes() {
    let guard = |annotations: &str| only(&annotated(annotations)).low_traffic;
    assert_eq!(only(SLO).low_traffic, LowTrafficGuard::Sequential);
    assert_eq!(guard("goldentime.io/low_traffic: 'off'"), LowTrafficGuard::Off);
    assert_eq!(guard("goldentime.io/requests_min: '50'"), LowTrafficGuard::Off);
    let both = "goldentime.io/requests_min: '3', goldentime.io/low_traffic: sequential";
    assert_eq!(guard(both), LowTrafficGuard::Sequential);
    let refused = load(&annotated("goldentime.io/low_traffic: bayes")).expect_err("refused");
    assert!(refused[0].contains("is `bayes`; write `sequential` or `off`"), "{refused:?}");
}

#[test]
fn a_shift_is_a_rule_without_a_value() {
    let shift = "thresholdMetric: {metricSource: {type: goldentime, spec: {signal: latency, shift: true}}}\n";
    let text = SLO.replace(RATIO, shift);
    let rule = only(&text);
    assert_eq!(rule.measure, Measure::Shift(Compared::Latency { quantile: 0.95 }));
    assert_eq!(describe(&rule), "order-api: latency shifted from the usual over 10s, at once, page");
    let refused = load(&text.replace("threshold: 1\n", "threshold: 2\n")).expect_err("refused");
    assert!(refused[0].contains("a shift is there or not"), "{refused:?}");
    let refused = load(&text.replace("target: 0.95", "target: 0.95\n      value: 3")).expect_err("refused");
    assert!(refused[0].contains("has no meaning beside `shift`"), "{refused:?}");
    let refused = with("spec: {signal: errors}", "spec: {signal: errors, shift: true}").expect_err("refused");
    assert!(refused[0].contains("as `thresholdMetric`"), "{refused:?}");
}
