//! What a file says, as it is written.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::straying::Side;
use crate::Outcome;

/// `metricSource.spec` of type `goldentime`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndicatorSpec {
    /// Golden signal that is measured.
    pub signal: Signal,
    /// Series that are measured. A `service` left out is the SLO's own `spec.service`.
    #[serde(default)]
    pub selector: Selector,
    /// For `errors`: what counts as good. Default: `ok` and `client_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<Good>,
    /// For `latency` the longest good duration (`200ms`), for `traffic` the floor (`50/s`), for
    /// `saturation` the highest good reading in the metric's own unit (`0.9`, `90%`, `512MiB`,
    /// `20ms`, `100/s`). May stand in the objective's `value` instead. Beside `stray`, how far from the
    /// usual a second may lie (2 to 50).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
    /// For `latency`: judge this quantile against the threshold instead of the objective's target.
    /// Beside `stray`, the quantile that is compared (default 0.95).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// For `saturation`: the metric, as `name` or `name{label="value"}`; without labels every label
    /// set of that name is a reading of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// One alert for each of these instead of one for the whole selection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// Compares each second with what is usual for the series instead of with a value: the second is
    /// bad when it lies on this side of the usual, further than `threshold` widths of what is usual
    /// (default 6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stray: Option<Side>,
    /// For `errors` and `latency`: bad is that the share left the service's own recent level for a worse
    /// one, found by a sequential change-point test. For `latency` it is the share slower than the
    /// `quantile` (default 0.95) usually is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shift: bool,
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

/// Picks series. Each part is an exact name or `*`; a part left out is not looked at, and `*` and a
/// part left out make one instance of the rule for each service (of whatever project and environment)
/// that there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// Project, as the agents' join token gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Environment, as the agents' configuration gives it. Left out: all, staging included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Service; `*` is every service that is no host (for `saturation` hosts too), `host:*` every
    /// host, `host:<name>` one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Several services by name, or `['*']` for every one: one objective over the requests of all of
    /// them together. For `errors`, `latency` and `traffic`; stands instead of `service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Vec<String>>,
    /// Normalised route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// HTTP verb or RPC method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Host. Cannot stand beside `endpoint` or `method`: totals are kept by host and by endpoint, not
    /// by both.
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

/// A threshold as it is written, text or number; what it must be depends on the signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Threshold(pub String);

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl de::Visitor<'_> for Written {
            type Value = Threshold;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a threshold such as `200ms`, `50/s`, `90%` or `0.9`")
            }

            fn visit_str<E>(self, text: &str) -> Result<Threshold, E> {
                Ok(Threshold(text.trim().to_owned()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Threshold, E> {
                Ok(Threshold(number.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Threshold, E> {
                Ok(Threshold(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Threshold, E> {
                Ok(Threshold(number.to_string()))
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl JsonSchema for Threshold {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "threshold".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "threshold",
            "anyOf": [
                { "type": "number" },
                { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(%|/[smh]|[a-zA-Zµ]+([0-9]+(\.[0-9]+)?[a-zA-Zµ]+)*)?$" },
            ],
        })
    }
}
