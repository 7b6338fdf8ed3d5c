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
