//! The seven kinds of OpenSLO v1, field by field as its README writes them.
//!
//! What may be a name or an object in place (an alert policy, a condition) has no type of its own
//! here: [`super::read`] looks at what was written.

use std::collections::BTreeMap;

use goldentime_model::units::Shorthand;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The one version that is read.
pub(super) const API_VERSION: &str = "openslo/v1";

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    DataSource,
    Slo,
    Sli,
    AlertPolicy,
    AlertCondition,
    AlertNotificationTarget,
    Service,
}

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::DataSource,
        Self::Slo,
        Self::Sli,
        Self::AlertPolicy,
        Self::AlertCondition,
        Self::AlertNotificationTarget,
        Self::Service,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::DataSource => "DataSource",
            Self::Slo => "SLO",
            Self::Sli => "SLI",
            Self::AlertPolicy => "AlertPolicy",
            Self::AlertCondition => "AlertCondition",
            Self::AlertNotificationTarget => "AlertNotificationTarget",
            Self::Service => "Service",
        }
    }
}

/// The spec of one kind of document.
pub(super) trait Spec: serde::de::DeserializeOwned {
    const KIND: Kind;
}

macro_rules! kinds {
    ($($spec:ident => $kind:ident),* $(,)?) => {$(
        impl Spec for $spec {
            const KIND: Kind = Kind::$kind;
        }
    )*};
}

kinds! {
    DataSourceSpec => DataSource,
    SloSpec => Slo,
    SliSpec => Sli,
    PolicySpec => AlertPolicy,
    ConditionSpec => AlertCondition,
    TargetSpec => AlertNotificationTarget,
    ServiceSpec => Service,
}

/// A document, or an object that stands in place of a reference to one.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<T> {
    #[serde(default)]
    pub(super) api_version: Option<String>,
    #[serde(default)]
    pub(super) kind: Option<String>,
    pub(super) metadata: Metadata,
    pub(super) spec: T,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(default)]
    pub(super) display_name: Option<String>,
    /// Text or lists of text; read from the tree.
    #[serde(default, rename = "labels")]
    pub(super) _labels: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceSpec {
    #[serde(default, rename = "description")]
    pub(super) _description: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DataSourceSpec {
    #[serde(default, rename = "description")]
    pub(super) _description: Option<String>,
    #[serde(rename = "type")]
    pub(super) source_type: String,
    #[serde(default, rename = "connectionDetails")]
    pub(super) _connection_details: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetSpec {
    /// What kind of channel it is (`slack`, `email`); the name says which.
    pub(super) target: String,
    #[serde(default)]
    pub(super) description: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SloSpec {
    #[serde(default)]
    pub(super) description: Option<String>,
    pub(super) service: String,
    #[serde(default, rename = "indicator")]
    pub(super) _indicator: Option<IgnoredAny>,
    #[serde(default, rename = "indicatorRef")]
    pub(super) _indicator_ref: Option<String>,
    #[serde(default)]
    pub(super) time_window: Vec<TimeWindow>,
    #[serde(default)]
    pub(super) budgeting_method: Option<BudgetingMethod>,
    #[serde(default)]
    pub(super) objectives: Vec<Objective>,
    #[serde(default, rename = "alertPolicies")]
    pub(super) _alert_policies: Vec<IgnoredAny>,
}

/// The budget's period. Alerts have their own windows.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimeWindow {
    pub(super) duration: Shorthand,
    #[serde(default)]
    pub(super) is_rolling: bool,
    #[serde(default)]
    pub(super) calendar: Option<Calendar>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Calendar {
    pub(super) start_time: jiff::civil::DateTime,
    pub(super) time_zone: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum BudgetingMethod {
    Occurrences,
    Timeslices,
    RatioTimeslices,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Objective {
    #[serde(default)]
    pub(super) display_name: Option<String>,
    #[serde(default)]
    pub(super) op: Option<Comparison>,
    #[serde(default)]
    pub(super) value: Option<f64>,
    #[serde(default)]
    pub(super) target: Option<f64>,
    #[serde(default)]
    pub(super) target_percent: Option<f64>,
    #[serde(default)]
    pub(super) time_slice_target: Option<f64>,
    #[serde(default)]
    pub(super) time_slice_window: Option<Shorthand>,
    #[serde(default, rename = "indicator")]
    pub(super) _indicator: Option<IgnoredAny>,
    #[serde(default, rename = "indicatorRef")]
    pub(super) _indicator_ref: Option<String>,
    #[serde(default)]
    pub(super) composite_weight: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Comparison {
    Lte,
    Gte,
    Lt,
    Gt,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SliSpec {
    #[serde(default, rename = "description")]
    pub(super) _description: Option<String>,
    #[serde(default)]
    pub(super) threshold_metric: Option<Metric>,
    #[serde(default)]
    pub(super) ratio_metric: Option<RatioMetric>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RatioMetric {
    #[serde(default, rename = "counter")]
    pub(super) _counter: Option<bool>,
    #[serde(default)]
    pub(super) good: Option<Metric>,
    #[serde(default)]
    pub(super) bad: Option<Metric>,
    #[serde(default)]
    pub(super) total: Option<Metric>,
    #[serde(default)]
    pub(super) raw: Option<Metric>,
    #[serde(default, rename = "rawType")]
    pub(super) _raw_type: Option<RawType>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawType {
    Success,
    Failure,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metric {
    pub(super) metric_source: MetricSource,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetricSource {
    #[serde(default)]
    pub(super) metric_source_ref: Option<String>,
    #[serde(default, rename = "type")]
    pub(super) source_type: Option<String>,
    /// Free to every vendor; read from the tree where the source is ours.
    #[serde(default, rename = "spec")]
    pub(super) _spec: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicySpec {
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) alert_when_no_data: Option<bool>,
    #[serde(default)]
    pub(super) alert_when_resolved: Option<bool>,
    #[serde(default)]
    pub(super) alert_when_breaching: Option<bool>,
    #[serde(default, rename = "conditions")]
    pub(super) _conditions: Vec<IgnoredAny>,
    #[serde(default, rename = "notificationTargets")]
    pub(super) _notification_targets: Vec<IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConditionSpec {
    #[serde(default)]
    pub(super) description: Option<String>,
    pub(super) severity: String,
    pub(super) condition: BurnRate,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BurnRate {
    #[serde(rename = "kind")]
    pub(super) _kind: ConditionKind,
    pub(super) op: Comparison,
    pub(super) threshold: f64,
    pub(super) lookback_window: Shorthand,
    #[serde(default)]
    pub(super) alert_after: Option<Shorthand>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ConditionKind {
    Burnrate,
}
