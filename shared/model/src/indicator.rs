//! The indicator grammar: what stands in an OpenSLO `metricSource.spec` of type `goldentime`.
//!
//! OpenSLO leaves queries to vendors and knows one kind of condition, `burnrate`. That is enough:
//! "p95 under 200 ms over 10 s" is the target 0.95 for requests under 200 ms with
//! `lookbackWindow: 10s`, `threshold: 1`, `alertAfter: 0s`, so threshold alerts need no dialect.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Outcome;

/// Value of `metricSource.type` that marks a source as ours.
pub const SOURCE_TYPE: &str = "goldentime";

/// `metricSource.spec` of type `goldentime`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndicatorSpec {
    /// Golden signal that is measured.
    pub signal: Signal,
    /// Series that are measured. Left out parts match the SLO's own `spec.service`.
    #[serde(default)]
    pub selector: Selector,
    /// What counts as good, for `errors`. Default: `ok` and `client_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<Good>,
    /// For `latency` the longest good duration (`200ms`), for `traffic` the floor (`50/s`), for
    /// `saturation` the highest good reading (`0.9`, `90%`, `512MiB`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// For `latency`: judge this quantile against the threshold instead of the objective's target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// For `saturation`: the metric, as `name` or `name{label="value"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// One alert for each of these instead of one for the whole selection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
}

/// The four golden signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// How long requests take.
    Latency,
    /// How many of them fail.
    Errors,
    /// How many there are.
    Traffic,
    /// How full the machine is.
    Saturation,
}

/// Picks series. Each part is an exact name or `*`; a part left out is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// Project; default `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Environment; default `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Service; `*` makes one instance of the rule for every service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Normalised route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// HTTP verb or RPC method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Host. Cannot stand beside `endpoint`: totals are kept by host and by endpoint, not by both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// What counts as good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Good {
    /// Outcomes that are good.
    pub outcomes: Vec<Outcome>,
}

/// Makes one alert for each endpoint or each host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Each endpoint and method.
    Endpoint,
    /// Each host.
    Host,
}

/// The grammar's JSON schema (draft 2020-12), for editors; published as `docs/slo/indicator.schema.json`.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(IndicatorSpec).to_value()
}
