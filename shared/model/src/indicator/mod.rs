//! The indicator grammar: what stands in an OpenSLO `metricSource.spec` of type `goldentime`.
//!
//! OpenSLO leaves queries to vendors and knows one kind of condition, `burnrate`. That is enough:
//! "p95 under 200 ms over 10 s" is the target 0.95 for requests under 200 ms with
//! `lookbackWindow: 10s`, `threshold: 1`, `alertAfter: 0s`, so threshold alerts need no dialect.
//!
//! [`IndicatorSpec`] is what a file says, [`Indicator`] what it means once it has been checked.

mod checked;
mod spec;
mod straying;

pub use checked::{FieldFault, Indicator, Measured, check_service, parse_reading};
pub use spec::{By, Good, IndicatorSpec, Selector, Signal, Threshold};
pub use straying::{Compared, STRAY_QUANTILE, STRAY_THRESHOLD, STRAY_THRESHOLDS, Side, Straying};

/// Value of `metricSource.type` that marks a source as ours.
pub const SOURCE_TYPE: &str = "goldentime";

/// What stands for any name in a selector.
pub const ANY: &str = "*";

/// The service that stands for every host in a selector.
pub const ANY_HOST_SERVICE: &str = "host:*";

/// The grammar's JSON schema (draft 2020-12), for editors; published as `docs/slo/indicator.schema.json`.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(IndicatorSpec).to_value()
}
