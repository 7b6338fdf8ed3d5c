//! What is wrong with a document, and where.

use super::testing::{SLO, load, with};

/// The only fault of [`SLO`] with a change.
fn fault(from: &str, to: &str) -> String {
    let mut faults = with(from, to).expect_err("refused");
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.remove(0)
}

#[test]
fn an_unknown_key_names_the_nearest() {
    assert_eq!(
        fault("lookbackWindow", "lookBackWindw"),
        "slo.yaml:26:17: spec.alertPolicies[0].spec.conditions[0].spec.condition.lookBackWindw: unknown key \
         `lookBackWindw`; did you mean `lookbackWindow`?\
         "
        .to_owned()
    );
}

#[test]
fn a_document_that_is_none_says_how_one_begins() {
    let first = |text: &str| load(text).expect_err("refused").remove(0);
    assert_eq!(
        first("objectives: []\n"),
        "slo.yaml:1:1: apiVersion: is missing; an OpenSLO document begins with `apiVersion: openslo/v1`"
    );
    assert_eq!(
        first("apiVersion: openslo/v1alpha\nkind: SLO\n"),
        "slo.yaml:1:13: apiVersion: `openslo/v1alpha` is not supported; write `openslo/v1`"
    );
    assert_eq!(
        first("apiVersion: openslo/v1\nkind: AlertPolice\n"),
        "slo.yaml:2:7: kind: `AlertPolice` is no kind of document; did you mean `AlertPolicy`?"
    );
    assert!(first("- a\n- b\n").starts_with("slo.yaml:1:1: is no OpenSLO document"));
    assert!(first("apiVersion: [\n").starts_with("slo.yaml:"));
}

#[test]
fn a_foreign_source_is_refused_by_name_and_place() {
    assert_eq!(
        fault("good: {metricSource: {type: goldentime", "good: {metricSource: {type: Prometheus"),
        "slo.yaml:11:37: spec.indicator.spec.ratioMetric.good.metricSource.type: `Prometheus` is a foreign data \
         source: Goldentime judges what it measures itself; write `type: goldentime` with a spec of its own"
    );
}

#[test]
fn a_source_reference_must_lead_to_our_own() {
    let from = "good: {metricSource: {type: goldentime";
    let to = "good: {metricSource: {metricSourceRef: lve";
    let source = |kind: &str| {
        format!(
            "---\napiVersion: openslo/v1\nkind: DataSource\nmetadata: {{name: live}}\nspec: {{type: {kind}}}\n"
        )
    };
    let refused = |text: String| load(&text).expect_err("refused").remove(0);
    let text = SLO.replace(from, to);
    assert!(
        refused(text.clone() + &source("goldentime"))
            .contains("there is no DataSource `lve`; did you mean `live`?")
    );
    let text = text.replace("lve", "live");
    assert!(load(&(text.clone() + &source("goldentime"))).is_ok());
    assert!(refused(text + &source("Datadog")).contains("`Datadog` is a foreign data source"));
}

#[test]
fn a_burn_rate_that_cannot_be_is_refused_with_the_arithmetic() {
    assert_eq!(
        fault("threshold: 1\n", "threshold: 25\n"),
        "slo.yaml:25:28: spec.alertPolicies[0].spec.conditions[0].spec.condition.threshold: can never be: burn rate \
         25 × (1 − target 0.95) = 1.25, and no share of bad events can exceed 1.25; the highest burn rate is 20"
    );
    assert!(fault("threshold: 1\n", "threshold: -1\n").contains("no burn rate"));
}

#[test]
fn a_window_beyond_thirty_days_is_refused() {
    assert_eq!(
        fault("lookbackWindow: 10s", "lookbackWindow: 31d"),
        "slo.yaml:26:33: spec.alertPolicies[0].spec.conditions[0].spec.condition.lookbackWindow: `31d` is longer \
         than the `30d` allowed"
    );
    assert!(fault("lookbackWindow: 10s", "lookbackWindow: 1M").contains("`1M` is longer than the `30d`"));
    assert!(fault("lookbackWindow: 10s", "lookbackWindow: 0s").contains("shortest window"));
    assert!(fault("lookbackWindow: 10s", "lookbackWindow: 10").contains("has no unit"));
}

#[test]
fn a_share_of_different_requests_is_refused() {
    assert_eq!(
        fault(
            "total: {metricSource: {type: goldentime, spec: {signal: errors}}}",
            "total: {metricSource: {type: goldentime, spec: {signal: errors, selector: {endpoint: /a}}}}"
        ),
        "slo.yaml:12:83: spec.indicator.spec.ratioMetric.total.metricSource.spec.selector: differs from the selector \
         of `good`; a share must be of the same requests"
    );
}

#[test]
fn fields_of_the_indicator_are_refused_in_their_place() {
    let change = |spec: &str| {
        fault(
            "good: {metricSource: {type: goldentime, spec: {signal: errors}}}",
            &format!("good: {{metricSource: {{type: goldentime, spec: {spec}}}}}"),
        )
    };
    assert!(change("{signal: error}").contains("11:64"), "{}", change("{signal: error}"));
    assert!(change("{signal: error}").contains("unknown value `error`; did you mean `errors`?"));
    assert!(
        change("{signal: errors, quantile: 0.5}")
            .contains("spec.quantile: has no meaning for the signal `errors`")
    );
    assert!(
        change("{signal: errors, selector: {host: a, endpoint: b}}")
            .contains("cannot stand beside `endpoint`")
    );
    assert!(fault("service: order-api", "service: a/b").contains("spec.service: `/` cannot stand in a name"));
}

#[test]
fn a_dangling_reference_names_the_nearest() {
    let from = SLO.split("  alertPolicies:").nth(1).expect("the policies");
    let named = |item: &str| fault(from, &format!(" [{item}]\n"));
    assert_eq!(
        named("{alertPolicyRef: paging}"),
        "slo.yaml:15:36: spec.alertPolicies[0].alertPolicyRef: there is no AlertPolicy `paging`; add a document of \
         kind AlertPolicy with that name"
    );
    assert!(named("paging").contains("there is no AlertPolicy `paging`"));
    assert!(named("~").contains("is empty; write `alertPolicyRef: <name>` or the object itself"));
}

#[test]
fn two_documents_of_one_name_are_refused() {
    let faults = load(&format!("{SLO}---\n{SLO}")).expect_err("refused");
    assert_eq!(faults, ["slo.yaml:32:9: metadata.name: a second SLO `orders`; the first is at slo.yaml:4:9"]);
}

#[test]
fn two_rules_of_one_name_are_refused() {
    let twice = SLO.replace(
        "  alertPolicies:\n",
        "  alertPolicies:\n    - metadata: {name: other}\n      spec: \
        {conditions: [{metadata: {name: fast}, spec: {severity: page, condition: {kind: burnrate, op: gt, \
        threshold: 1, lookbackWindow: 1m}}}]}\n",
    );
    let faults = load(&twice).expect_err("refused");
    assert!(
        faults[0].contains("makes a second rule `orders/fast`; the first is at slo.yaml:17:45"),
        "{faults:?}"
    );
}

#[test]
fn objectives_must_be_possible() {
    assert!(
        fault("target: 0.95", "target: 1")
            .contains("slo.yaml:14:15: spec.objectives[0].target: is out of range")
    );
    assert!(fault("target: 0.95", "targetPercent: 100").contains("below 100"));
    assert!(fault("target: 0.95", "displayName: x").contains("has no `target`"));
    assert!(fault("target: 0.95", "target: 0.9\n      value: 5").contains("belongs to `thresholdMetric`"));
    assert!(
        fault("target: 0.95", "target: 0.9\n      compositeWeight: 5")
            .contains("compositeWeight: weighs objectives against one another")
    );
    assert!(
        fault("  objectives:\n", "  budgetingMethod: Timeslices\n  objectives:\n")
            .contains("objectives[0].timeSliceWindow: is missing")
    );
}

#[test]
fn an_annotation_of_ours_that_does_not_exist_is_refused() {
    let annotated = |text: &str| {
        fault("  name: orders\nspec", &format!("  name: orders\n  annotations:\n    {text}\nspec"))
    };
    assert!(
        annotated("goldentime.io/sumary: a")
            .starts_with("slo.yaml:6:5: metadata.annotations: `goldentime.io/sumary`")
    );
    assert!(annotated("goldentime.io/sumary: a").contains("did you mean `goldentime.io/summary`?"));
    assert!(annotated("goldentime.io/labels: service=a").contains("every alert has already"));
    assert!(annotated("goldentime.io/labels: a").contains("write `name=value, …`"));
}

#[test]
fn a_threshold_metric_needs_its_threshold_once() {
    let metric = |spec: &str, objective: &str| {
        let text = SLO
            .replace(
                "      ratioMetric:\n        good: {metricSource: {type: goldentime, spec: {signal: errors}}}\n        \
                 total: {metricSource: {type: goldentime, spec: {signal: errors}}}\n",
                &format!("      thresholdMetric: {{metricSource: {{type: goldentime, spec: {spec}}}}}\n"),
            )
            .replace("target: 0.95", objective);
        load(&text).map_err(|faults| faults.join("\n"))
    };
    assert!(
        metric("{signal: latency}", "target: 0.9").expect_err("refused").contains("threshold: is missing")
    );
    assert!(metric("{signal: latency}", "{op: lte, value: 0.2, target: 0.9}").is_ok());
    assert!(
        metric("{signal: latency}", "{op: gt, value: 0.2, target: 0.9}")
            .expect_err("refused")
            .contains("wrong side")
    );
    let twice = metric("{signal: latency, threshold: 200ms}", "{op: lte, value: 0.3, target: 0.9}");
    assert!(twice.expect_err("refused").contains("0.3 is not the indicator's `threshold`, 0.2 in seconds"));
    assert!(
        metric("{signal: errors}", "target: 0.9").expect_err("refused").contains("write it as `ratioMetric`")
    );
    let floor = metric("{signal: traffic, threshold: 5/s}", "target: 0.9").expect("valid");
    assert_eq!(floor.rules[0].condition, super::super::rule::Condition::RateBelow(5.0));
}

#[test]
fn everything_wrong_in_a_file_is_told_at_once() {
    let text =
        SLO.replace("severity: page", "sevrity: page").replace("service: order-api", "servce: order-api");
    let faults = load(&text).expect_err("refused");
    assert_eq!(faults.len(), 2, "{faults:#?}");
}

#[test]
fn services_that_cannot_be_judged_together_are_refused_with_their_place() {
    let both = |selector: &str| {
        let spec = format!("spec: {{signal: errors, selector: {{{selector}}}}}");
        let mut faults = load(&SLO.replace("spec: {signal: errors}", &spec)).expect_err("refused");
        // `good` and `total` have the same selector and the same mistake.
        assert_eq!(faults.len(), 2, "{faults:#?}");
        faults.remove(0)
    };
    let place = "slo.yaml:11:";
    let path = "spec.indicator.spec.ratioMetric.good.metricSource.spec.selector.services";
    let fault = both("services: [order-api]");
    assert!(fault.starts_with(place) && fault.contains(path), "{fault}");
    assert!(fault.ends_with("names one service only; write `service: order-api`"), "{fault}");
    assert_eq!(
        both("services: [cart, order-api, cart]"),
        format!("slo.yaml:11:111: {path}[2]: names `cart` a second time; its requests count once")
    );
    assert!(both("service: cart, services: [cart, order-api]").contains("`service` each by itself"));
}
