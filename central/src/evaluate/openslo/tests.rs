//! What becomes of documents that are right.

use std::sync::Arc;
use std::time::Duration;

use goldentime_model::{Outcome, Severity};

use super::super::rule::{Condition, GroupBy, Measure, Rule};
use super::report::describe;
use super::testing::{SLO, load, with};

fn only(set: Result<super::RuleSet, Vec<String>>) -> Arc<Rule> {
    let set = set.expect("valid");
    assert_eq!(set.rules.len(), 1, "{:?}", set.rules);
    Arc::clone(&set.rules[0])
}

#[test]
fn an_error_ratio_over_five_percent_becomes_one_rule() {
    let rule = only(load(SLO));
    assert_eq!(&*rule.name, "orders/fast");
    assert_eq!(rule.slo.as_deref(), Some("orders"));
    assert_eq!(&*rule.origin, "slo.yaml:19:30");
    assert_eq!(rule.selector.service.as_deref(), Some("order-api"));
    assert_eq!(rule.measure, Measure::Availability { bad: vec![Outcome::ServerError, Outcome::Timeout] });
    assert_eq!(rule.condition, Condition::BadShareAbove(0.05));
    assert_eq!((rule.window_s, rule.hold, rule.group_by), (10, Duration::ZERO, GroupBy::Service));
    assert_eq!((rule.severity, rule.labels["severity"].as_str()), (Severity::Critical, "page"));
    assert!(rule.alert_on_resolve && !rule.alert_on_no_data && rule.targets.is_empty());
    assert_eq!(describe(&rule), "order-api: more than 5% server_error or timeout over 10s, at once, page");
}

#[test]
fn a_burn_rate_is_a_multiple_of_the_share_allowed() {
    let rule = only(with("threshold: 1\n", "threshold: 14.4\n"));
    assert_eq!(rule.condition, Condition::BadShareAbove(0.72));
}

#[test]
fn at_or_above_is_just_below_the_share() {
    let rule = only(with("op: gt", "op: gte"));
    let Condition::BadShareAbove(share) = rule.condition else { panic!("a share") };
    assert!(share < 0.05 && 0.05 - share < 1e-15);
    // OpenSLO's own examples write "exceeds" with the threshold on the left.
    assert_eq!(only(with("op: gt", "op: lte")).condition, rule.condition);
    assert_eq!(only(with("op: gt", "op: lt")).condition, Condition::BadShareAbove(0.05));
}

#[test]
fn every_request_bad_can_be_asked_for_at_or_above() {
    let text = SLO.replace("threshold: 1\n", "threshold: 20\n");
    assert!(load(&text.replace("op: gt", "op: gte")).is_ok());
    assert!(load(&text).is_err());
}

#[test]
fn annotations_reach_the_alert_the_nearer_one_wins() {
    let text = SLO
        .replace(
            "  name: orders\n",
            "  name: orders\n  labels: {team: web, service: x}\n  annotations:\n    goldentime.io/summary: a\n    \
             goldentime.io/labels: tier=1, team=orders\n    other.example/key: kept away\n",
        )
        .replace(
            "- metadata: {name: fast}",
            "- metadata: {name: fast, annotations: {goldentime.io/summary: b, goldentime.io/severity: ticket}}",
        );
    let rule = only(load(&text));
    assert_eq!(rule.annotations["summary"], "b");
    assert_eq!(rule.labels["team"], "orders");
    assert_eq!(rule.labels["tier"], "1");
    assert_eq!(rule.labels["severity"], "ticket");
    assert_eq!(rule.severity, Severity::Warning);
    assert!(!rule.labels.contains_key("service") && rule.annotations.len() == 1);
}

#[test]
fn several_objectives_are_told_apart_by_name() {
    let objectives = "    - {displayName: usual, target: 0.95}\n    - {target: 0.9}\n";
    let set = with("    - target: 0.95\n", objectives).expect("valid");
    let names: Vec<&str> = set.rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(names, ["orders/usual/fast", "orders/2/fast"]);
}

#[test]
fn an_slo_that_alerts_nobody_is_a_warning() {
    let without = SLO.split("  alertPolicies:").next().expect("the first part");
    let set = load(without).expect("valid");
    assert!(set.rules.is_empty());
    assert_eq!(set.slos[0].rules, 0);
    let place = set.warnings[0].place.as_ref().expect("known").to_string();
    assert_eq!(place, "slo.yaml:4:9");
    let set = with(
        "      spec:\n        conditions:",
        "      spec:\n        alertWhenBreaching: false\n        conditions:",
    );
    assert!(set.expect("valid").warnings[0].message.contains("alerts nobody"));
}

#[test]
fn documents_may_be_named_from_other_files() {
    use goldentime_model::config::Source;
    let file = |name: &str, text: String| Arc::new(Source { name: name.into(), text });
    let policy = "apiVersion: openslo/v1\nkind: AlertPolicy\nmetadata: {name: p}\nspec:\n  conditions:\n  - \
                  metadata: {name: c}\n    spec:\n      severity: ticket\n      condition: {kind: burnrate, op: gt, \
                  threshold: 1, lookbackWindow: 1m}\n";
    let slo =
        format!("{}  alertPolicies: [p]\n", SLO.split("  alertPolicies:").next().expect("the first part"));
    let set = super::RuleSet::compile(&[file("a.yaml", slo), file("b.yaml", policy.into())]).expect("valid");
    assert_eq!(&*set.rules[0].name, "orders/c");
    assert_eq!(&*set.rules[0].origin, "b.yaml:6:22");
}

mod express {
    use super::super::express::thresholds;
    use super::*;
    use goldentime_wire::proto::ServiceThreshold;

    fn threshold(service: &str, slow_seconds: f64, errors: bool) -> ServiceThreshold {
        ServiceThreshold { service: service.into(), watched: true, slow_seconds, errors }
    }

    #[test]
    fn an_agent_learns_the_tightest_threshold_of_what_concerns_it() {
        let slow = |name: &str, service: &str, threshold: &str, environment: &str| {
            format!(
                "---\napiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: {name}}}\nspec:\n  service: '{service}'\n  \
                 indicator: {{metadata: {{name: i}}, spec: {{thresholdMetric: {{metricSource: {{type: goldentime, \
                 spec: {{signal: latency, threshold: {threshold}, selector: {{environment: {environment}}}}}}}}}}}}}\n  \
                 objectives: [{{target: 0.9}}]\n  alertPolicies: [{{metadata: {{name: p}}, spec: {{conditions: \
                 [{{metadata: {{name: c}}, spec: {{severity: page, condition: {{kind: burnrate, op: gt, threshold: 1, \
                 lookbackWindow: 1m}}}}}}]}}}}]\n"
            )
        };
        let text = [
            SLO.to_owned(),
            slow("a", "order-api", "300ms", "prod"),
            slow("b", "order-api", "200ms", "prod"),
            slow("c", "order-api", "10ms", "staging"),
            slow("d", "*", "1s", "'*'"),
        ]
        .concat();
        let rules = load(&text).expect("valid").rules;
        assert_eq!(
            thresholds(&rules, "shop", "prod", "web-1").services,
            [threshold("*", 1.0, false), threshold("shop/prod/order-api", 0.2, true)]
        );
        assert_eq!(
            thresholds(&rules, "shop", "staging", "web-1").services[1],
            threshold("shop/staging/order-api", 0.01, true)
        );
    }

    #[test]
    fn a_rule_over_several_services_watches_each_of_them() {
        let of = |services: &str| {
            let spec = format!("spec: {{signal: errors, selector: {{services: {services}}}}}");
            let rules = load(&SLO.replace("spec: {signal: errors}", &spec)).expect("valid").rules;
            thresholds(&rules, "shop", "prod", "web-1").services
        };
        let each = [threshold("shop/prod/cart", 0.0, true), threshold("shop/prod/payment", 0.0, true)];
        assert_eq!(of("[payment, cart]"), each);
        assert_eq!(of("['*']"), [threshold("*", 0.0, true)]);
    }

    #[test]
    fn a_rule_on_every_host_watches_the_agents_own() {
        let text = SLO.replace("service: order-api", "service: host:*").replace(
            "      ratioMetric:\n        good: {metricSource: {type: goldentime, spec: {signal: errors}}}\n        \
             total: {metricSource: {type: goldentime, spec: {signal: errors}}}\n",
            "      thresholdMetric: {metricSource: {type: goldentime, spec: {signal: saturation, metric: m, \
             threshold: 1}}}\n",
        );
        let rules = load(&text).expect("valid").rules;
        let services = thresholds(&rules, "p", "e", "db-1").services;
        assert_eq!(services, [threshold("p/e/host:db-1", 0.0, false)]);
    }
}

mod budgets {
    use super::super::super::budget::{BudgetWindow, GoodSlice, Method};
    use super::*;

    const FOUR: &str = "  annotations: {goldentime.io/burn_rates: default}\nspec:\n  service: order-api";

    fn with_usual(target: &str) -> Result<super::super::RuleSet, Vec<String>> {
        load(&SLO.replacen("spec:\n  service: order-api", FOUR, 1).replace("target: 0.95", target))
    }

    #[test]
    fn every_objective_has_a_budget_over_four_weeks_unless_it_says_otherwise() {
        let set = load(SLO).expect("valid");
        let objective = &set.objectives[0];
        assert_eq!(
            (&*objective.name, objective.target, objective.method),
            ("orders", 0.95, Method::Occurrences)
        );
        assert_eq!(objective.window, BudgetWindow::Rolling(28 * 86_400));
        assert!(objective.burns.is_empty() && set.rules[0].burn.is_none());
        assert_eq!(set.rules[0].objective.as_deref(), Some("orders"));
    }

    #[test]
    fn one_line_makes_the_usual_burn_rate_alerts() {
        let set = with_usual("target: 0.999").expect("valid");
        let told: Vec<_> = set.rules.iter().map(|rule| (&*rule.name, describe(rule))).collect();
        assert_eq!(told[0].0, "orders/burn-1h");
        assert_eq!(
            told[0].1,
            "order-api: more than 1.44% server_error or timeout over 1h and 5m, at once, page"
        );
        assert_eq!(
            told.iter().map(|(name, _)| *name).collect::<Vec<_>>()[1..],
            ["orders/burn-6h", "orders/burn-1d", "orders/burn-3d", "orders/fast"]
        );
        assert_eq!(set.rules[3].severity, Severity::Warning);
        assert_eq!(set.objectives[0].burns.len(), 4);
        assert_eq!(
            set.objectives[0].windows_s(),
            [300, 1_800, 3_600, 7_200, 21_600, 86_400, 259_200, 28 * 86_400]
        );
    }

    #[test]
    fn a_burn_rate_that_cannot_be_is_refused_with_the_arithmetic() {
        let faults = with_usual("target: 0.9").expect_err("refused");
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].contains(
                "`goldentime.io/burn_rates` 14.4: can never be: burn rate 14.4 × (1 − target 0.9) = 1.44"
            ),
            "{faults:?}"
        );
    }

    #[test]
    fn a_condition_may_ask_for_a_second_window() {
        let second = |short: &str| {
            let name =
                format!("- metadata: {{name: fast, annotations: {{goldentime.io/short_window: {short}}}}}");
            let text = SLO.replace("- metadata: {name: fast}", &name);
            load(&text.replace("lookbackWindow: 10s", "lookbackWindow: 1h"))
        };
        let rule = only(second("5m"));
        assert_eq!((rule.window_s, rule.burn.and_then(|burn| burn.short_window_s)), (3_600, Some(300)));
        assert!(second("2h").expect_err("refused")[0].contains("`2h` is not shorter"));
    }

    fn timeslices(method: &str, objective: &str) -> Result<super::super::RuleSet, Vec<String>> {
        let text = SLO.replace("  objectives:\n", &format!("  budgetingMethod: {method}\n  objectives:\n"));
        let text = text.replace("target: 0.95", objective);
        load(&text.replace("lookbackWindow: 10s", "lookbackWindow: 10m"))
    }

    #[test]
    fn slices_of_time_are_events() {
        let set = timeslices("Timeslices", "{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 1m}");
        let set = set.expect("valid");
        let good = GoodSlice::ShareAtLeast(0.95);
        assert_eq!(set.objectives[0].method, Method::Slices { slice_s: 60, good });
        assert!(set.rules[0].burn.is_some(), "judged by slices, too");
        let ratio =
            timeslices("RatioTimeslices", "{target: 0.99, op: gt, timeSliceWindow: 1m}").expect("valid");
        assert_eq!(ratio.objectives[0].method, Method::Slices { slice_s: 60, good: GoodSlice::AsItsShare });
    }

    #[test]
    fn slices_that_cannot_be_judged_are_refused() {
        let refused = |method: &str, objective: &str| {
            let mut faults = timeslices(method, objective).expect_err("refused");
            assert_eq!(faults.len(), 1, "{faults:?}");
            faults.remove(0)
        };
        let none = refused("Timeslices", "{target: 0.99, timeSliceWindow: 1m}");
        assert!(none.contains("objectives[0].timeSliceTarget: is missing"), "{none}");
        let long = refused("Timeslices", "{target: 0.99, timeSliceTarget: 0.9, timeSliceWindow: 1h}");
        assert!(long.contains("`10m` is shorter than one `timeSliceWindow` of 3600s"), "{long}");
        let both = refused("RatioTimeslices", "{target: 0.9, timeSliceTarget: 0.9, timeSliceWindow: 1m}");
        assert!(both.contains("belongs to `Timeslices`"), "{both}");
        let plain = refused("Occurrences", "{target: 0.9, timeSliceWindow: 1m}");
        assert!(plain.contains("every request counts alike"), "{plain}");
    }

    #[test]
    fn periods_follow_a_calendar_in_its_time_zone() {
        let period = |text: &str| {
            load(&SLO.replace("  objectives:\n", &format!("  timeWindow:\n    - {text}\n  objectives:\n")))
        };
        let month = "{duration: 1M, calendar: {startTime: 2026-01-01 00:00:00, timeZone: Asia/Seoul}}";
        let set = period(month).expect("valid");
        assert_eq!(set.objectives[0].window.describe(), "1M from 2026-01-01T00:00:00 Asia/Seoul");
        let refused = |text: &str| period(text).expect_err("refused").remove(0);
        assert!(refused("{duration: 28d}").contains("neither rolling nor aligned"));
        assert!(refused("{duration: 1M, isRolling: true}").contains("no fixed length"));
        assert!(refused("{duration: 93d, isRolling: true}").contains("longer than the `92d`"));
        assert!(
            refused(&month.replace("Asia/Seoul", "Asia/Soul"))
                .contains("timeZone: `Asia/Soul` is no time zone")
        );
    }

    #[test]
    fn weights_make_objectives_one() {
        let objectives =
            "    - {displayName: a, target: 0.95, compositeWeight: 3}\n    - {displayName: b, target: 0.9}\n";
        let set = with("    - target: 0.95\n", objectives).expect("valid");
        let weights: Vec<_> = set.objectives.iter().map(|objective| objective.weight).collect();
        assert_eq!(weights, [Some(3.0), Some(1.0)]);
    }

    #[test]
    fn maintenance_of_an_slo_and_of_its_service_is_taken_out() {
        let service = "---\napiVersion: openslo/v1\nkind: Service\nmetadata:\n  name: order-api\n  annotations:\n    \
                       goldentime.io/maintenance: |\n      sun 03:00/2h Asia/Seoul ops: reindex\nspec: {}\n";
        let own = "  annotations:\n    goldentime.io/maintenance: '2026-11-24T02:00/2h kim: moving'\nspec:\n  service: order-api";
        let text = SLO.replacen("spec:\n  service: order-api", own, 1) + service;
        let set = load(&text).expect("valid");
        let who: Vec<_> = set.objectives[0].maintenance.iter().map(|one| one.who.as_str()).collect();
        assert_eq!(who, ["ops", "kim"]);
        let faults = load(&text.replace("kim: moving", "kim moving")).expect_err("refused");
        assert!(faults[0].contains("slo.yaml:6:5") && faults[0].contains("who and why"), "{faults:?}");
    }

    #[test]
    fn a_floor_over_slices_has_a_burn_rate() {
        let floor = |method: &str| {
            let text = SLO.replace(
                "      ratioMetric:\n        good: {metricSource: {type: goldentime, spec: {signal: errors}}}\n        \
                 total: {metricSource: {type: goldentime, spec: {signal: errors}}}\n",
                "      thresholdMetric: {metricSource: {type: goldentime, spec: {signal: traffic, threshold: 5/s}}}\n",
            );
            let text = text.replace("lookbackWindow: 10s", "lookbackWindow: 10m");
            load(&text.replace("  objectives:\n    - target: 0.95\n", method)).expect("valid")
        };
        let plain = floor("  objectives:\n    - target: 0.95\n");
        assert_eq!(plain.rules[0].condition, Condition::RateBelow(5.0));
        let good = GoodSlice::RateAtLeast(5.0);
        assert_eq!(plain.objectives[0].method, Method::Slices { slice_s: 10, good });
        let slices = floor(
            "  budgetingMethod: Timeslices\n  objectives:\n    - {target: 0.95, timeSliceWindow: 1m, timeSliceTarget: 1}\n",
        );
        assert_eq!(slices.rules[0].condition, Condition::BadShareAbove(0.05));
        assert_eq!(slices.objectives[0].method, Method::Slices { slice_s: 60, good });
    }
}
