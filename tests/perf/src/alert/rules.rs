//! The rules of the benchmark, each in both languages and of the same meaning.

use std::fmt::Write as _;

use goldentime_testkit::peers::prometheus::PrometheusRule;

/// Slower than this is bad, in seconds.
pub const SLOW_S: f64 = 0.2;
/// A rule is true when more than this share is bad: an error ratio over 5%, a p95 over [`SLOW_S`].
pub const BAD_SHARE: f64 = 0.05;
/// Windows in seconds.
pub const WINDOWS_S: [u32; 3] = [5, 10, 60];

/// What a rule judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Error ratio over [`BAD_SHARE`].
    Errors,
    /// 95th percentile over [`SLOW_S`].
    Latency,
}

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// What it judges.
    pub kind: Kind,
    /// Over how many seconds.
    pub window_s: u32,
}

impl Kind {
    /// Name as it stands in alerts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Latency => "latency",
        }
    }
}

impl Rule {
    /// All rules.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let kinds = [Kind::Errors, Kind::Latency];
        kinds.into_iter().flat_map(|kind| WINDOWS_S.map(|window_s| Self { kind, window_s })).collect()
    }

    /// Name of its alert on both sides.
    #[must_use]
    pub fn name(self) -> String {
        format!("{}-{}s", self.kind.as_str(), self.window_s)
    }

    /// The rule in PromQL.
    #[must_use]
    pub fn prometheus(self) -> PrometheusRule {
        let window = self.window_s;
        let expression = match self.kind {
            Kind::Errors => format!(
                "sum by (service) (rate(requests_total{{code=\"500\"}}[{window}s])) / \
                 sum by (service) (rate(requests_total[{window}s])) > {BAD_SHARE}"
            ),
            Kind::Latency => format!(
                "histogram_quantile({}, sum by (service, le) (rate(request_seconds_bucket[{window}s]))) > {SLOW_S}",
                1.0 - BAD_SHARE
            ),
        };
        PrometheusRule { name: self.name(), expression }
    }
}

/// All rules as one OpenSLO file.
#[must_use]
pub fn openslo() -> String {
    let mut text = String::new();
    for rule in Rule::all() {
        let indicator = match rule.kind {
            Kind::Errors => "ratioMetric: {counter: true, \
                 good: {metricSource: {type: goldentime, spec: {signal: errors}}}, \
                 total: {metricSource: {type: goldentime, spec: {signal: errors}}}}"
                .to_owned(),
            Kind::Latency => format!(
                "thresholdMetric: {{metricSource: {{type: goldentime, spec: {{signal: latency, threshold: {}ms}}}}}}",
                SLOW_S * 1000.0
            ),
        };
        let (name, window, target) = (rule.name(), rule.window_s, 1.0 - BAD_SHARE);
        let _ = write!(
            text,
            "---\n\
             apiVersion: openslo/v1\n\
             kind: SLO\n\
             metadata: {{name: {name}}}\n\
             spec:\n\
             \x20 service: \"*\"\n\
             \x20 indicator: {{metadata: {{name: {name}}}, spec: {{{indicator}}}}}\n\
             \x20 timeWindow: [{{duration: 30d, isRolling: true}}]\n\
             \x20 budgetingMethod: Occurrences\n\
             \x20 objectives: [{{displayName: {name}, target: {target}}}]\n\
             \x20 alertPolicies:\n\
             \x20   - kind: AlertPolicy\n\
             \x20     metadata: {{name: {name}}}\n\
             \x20     spec:\n\
             \x20       alertWhenBreaching: true\n\
             \x20       alertWhenResolved: true\n\
             \x20       conditions:\n\
             \x20         - kind: AlertCondition\n\
             \x20           metadata: {{name: {name}}}\n\
             \x20           spec:\n\
             \x20             severity: page\n\
             \x20             condition: {{kind: burnrate, op: gt, threshold: 1, lookbackWindow: {window}s, alertAfter: 0s}}\n\
             \x20       notificationTargets: []\n"
        );
    }
    text
}
