//! Routes and what holds on them.

use goldentime_model::Outcome;
use goldentime_model::config::Check;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::normalise::Normaliser;

/// How raw paths become endpoints, and what counts as what (`routes` in `agent.yaml`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Explicit patterns, tried in order before normalisation: `/users/{name}/posts`. A part in
    /// braces matches one part of the path; a `{rest*}` at the end matches all that is left.
    /// Default none; at most 1000.
    pub patterns: Vec<String>,
    /// Whether numbers, UUIDs, hexadecimal and long tokens in a path become `{id}`. Default true.
    pub normalise: bool,
    /// Rules by endpoint, the first that matches holds. Default: health checks
    /// (`/health`, `/healthz`, `/livez`, `/readyz`, `/ping`, `/metrics`) stay out of latency.
    pub rules: Vec<Rule>,
}

/// What holds for some endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Endpoints, after normalisation; `*` at the end stands for any rest. Empty: all.
    pub endpoints: Vec<String>,
    /// Methods; empty: all.
    pub methods: Vec<String>,
    /// `false` keeps durations out of the latency (health checks, WebSocket, SSE, long polls).
    /// Default true.
    pub latency: Option<bool>,
    /// `true` counts nothing at all. Default false.
    pub ignore: bool,
    /// Outcomes by HTTP status, before the usual ones.
    pub statuses: Vec<StatusOutcome>,
    /// Outcomes by the field named `verdict` in the input's `fields`, before those by status.
    pub verdicts: Vec<VerdictOutcome>,
}

/// The outcome of one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusOutcome {
    /// HTTP status.
    pub status: u16,
    /// What it counts as.
    pub outcome: Outcome,
}

/// The outcome of one value of the verdict field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictOutcome {
    /// The field's value; `*` stands for any that is not empty.
    pub value: String,
    /// What it counts as.
    pub outcome: Outcome,
}

impl Default for Config {
    fn default() -> Self {
        let health = ["/health", "/healthz", "/livez", "/readyz", "/ping", "/metrics"];
        let rule =
            Rule { endpoints: health.map(str::to_owned).to_vec(), latency: Some(false), ..Rule::default() };
        Self { patterns: Vec::new(), normalise: true, rules: vec![rule] }
    }
}

impl Config {
    /// Refuses patterns and statuses that could never match.
    pub fn validate(&self, check: &mut Check) {
        if let Err(error) = Normaliser::check_count(&self.patterns) {
            check.refuse("patterns", error.to_string());
        }
        for (at, pattern) in self.patterns.iter().enumerate() {
            if let Err(error) = Normaliser::check(pattern) {
                check.refuse(&format!("patterns[{at}]"), error.to_string());
            }
        }
        for (at, rule) in self.rules.iter().enumerate() {
            for (nth, StatusOutcome { status, .. }) in rule.statuses.iter().enumerate() {
                let setting = format!("rules[{at}].statuses[{nth}].status");
                check.require((100..=999).contains(status), &setting, "must be from 100 to 999");
            }
        }
    }
}

/// Why routes cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A pattern is no path.
    #[error("route pattern `{0}` does not begin with `/`")]
    NoSlash(String),
    /// A brace is not closed or not alone in its part.
    #[error("route pattern `{0}`: braces stand for whole parts of a path, such as /users/{{name}}")]
    Braces(String),
    /// Something follows `{rest*}`.
    #[error("route pattern `{0}`: nothing can follow a `{{…*}}`")]
    AfterRest(String),
    /// It could not be an endpoint as it is.
    #[error("route pattern `{pattern}` {message}", pattern = _0.escape_debug(), message = _1)]
    Name(String, String),
    /// More than are looked through for a path.
    #[error("{0} route patterns; at most {1} are looked through for each new path")]
    TooMany(usize, usize),
}
