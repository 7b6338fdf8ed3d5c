//! Which metrics are requests, which are samples, and which are nothing.

use goldentime_model::Outcome;
use goldentime_model::config::Check;
use goldentime_model::naming::{check_given_endpoint, check_given_service};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::Kind;
use super::pattern::{Captures, Pattern, PatternError};
use super::tags::first_of;
use crate::inputs::parse::config::DurationUnit;
use crate::inputs::parse::number::status;
use crate::inputs::route::router::method;

/// Most rules: each new metric is held against all of them.
pub const RULES_MAX: usize = 200;

/// Tags that name the parts of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TagNames {
    /// Default `service`, `service.name`.
    pub service: Vec<String>,
    /// What begins with `/` is a path and becomes a route as `routes` say; `GET /path` (or `GET_/path`) is
    /// method and path; anything else is the endpoint as it is. Default `endpoint`, `route`, `http.route`,
    /// `http_route`, `resource_name`, `handler`.
    pub endpoint: Vec<String>,
    /// Default `method`, `http.method`, `http_method`, `http.request.method`.
    pub method: Vec<String>,
    /// A status such as `503`, a class such as `5xx`, or `ok`, `success`, `error`, `failure`,
    /// `timeout`; other values say nothing. Default `status_code`, `http.status_code`,
    /// `http.response.status_code`, `http_status`, `status`.
    pub status: Vec<String>,
    /// A tag whose value is anything but `false`, `0`, `no` and `none` makes a request an error, where
    /// no status says otherwise. Default `error`.
    pub error: Vec<String>,
}

impl Default for TagNames {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            service: list(&["service", "service.name"]),
            endpoint: list(&["endpoint", "route", "http.route", "http_route", "resource_name", "handler"]),
            method: list(&["method", "http.method", "http_method", "http.request.method"]),
            status: list(&[
                "status_code",
                "http.status_code",
                "http.response.status_code",
                "http_status",
                "status",
            ]),
            error: list(&["error"]),
        }
    }
}

/// What some metrics are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Names, of which one must match: parts with dots between, in which `*` stands for any
    /// characters of one part, `{service}`, `{endpoint}`, `{method}` and `{status}` for a part that
    /// says so, and `**` at the end for any rest. Empty: all.
    pub metrics: Vec<String>,
    /// Types. Empty: all for samples and what is ignored; timers, histograms and distributions for
    /// requests, to which counters must be named (each counts as many requests as its value, without
    /// a duration). Gauges and sets are never requests.
    pub types: Vec<Kind>,
    /// Parts of a request of which the metric's name or tags must tell at least one. Empty: none
    /// has to be told.
    pub needs: Vec<Need>,
    /// What they are. Default `request`.
    pub role: Role,
    /// Unit of the values of requests. Default: `timer_unit` or `distribution_unit`.
    pub unit: Option<DurationUnit>,
    /// Service, whatever name and tags say; what a service of `tail` may be called. Default: by
    /// placeholder, by tag, then the input's.
    pub service: Option<String>,
    /// Endpoint, whatever name and tags say. Default: by placeholder, by tag, then the metric's name.
    pub endpoint: Option<String>,
    /// Method, whatever name and tags say. Default: by placeholder, by tag, then none.
    pub method: Option<String>,
    /// Outcome, whatever the tags say: for a counter of errors `server_error`. Default: by
    /// placeholder, by tag, then `ok`.
    pub outcome: Option<Outcome>,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Each value is a request, and the value its duration.
    #[default]
    Request,
    /// It can be charted and alerted on under its own name.
    Sample,
    /// It is not looked at.
    Ignore,
}

/// A part of a request that a metric must tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Its service.
    Service,
    /// Its endpoint.
    Endpoint,
    /// Its method.
    Method,
    /// How it ended.
    Outcome,
}

impl Rule {
    /// Timers, histograms and distributions whose tags tell an endpoint or an outcome are requests. A
    /// service alone is not enough: libraries put it on everything.
    #[must_use]
    pub fn tagged_timings() -> Self {
        Self {
            types: vec![Kind::Timer, Kind::Histogram, Kind::Distribution],
            needs: vec![Need::Endpoint, Need::Outcome],
            ..Self::default()
        }
    }

    /// Refuses names that would not stand as they are.
    pub fn validate(&self, check: &mut Check) {
        if let Some(Err(message)) = self.service.as_deref().map(check_given_service) {
            check.refuse("service", message);
        }
        if let Some(Err(message)) = self.endpoint.as_deref().map(check_given_endpoint) {
            check.refuse("endpoint", message);
        }
        if let Some(wrong) = self.method.as_deref().filter(|name| method(name.as_bytes()) != *name) {
            let message =
                format!("`{wrong}` is no method; write a verb such as `GET`, or the name of an RPC method");
            check.refuse("method", message);
        }
    }

    /// Whether the rule is about metrics of this type.
    #[must_use]
    pub fn takes(&self, kind: Kind) -> bool {
        let is_named = self.types.contains(&kind);
        match self.role {
            Role::Request if kind.has_spread() => self.types.is_empty() || is_named,
            Role::Request => kind == Kind::Counter && is_named,
            Role::Sample | Role::Ignore => self.types.is_empty() || is_named,
        }
    }
}

/// Why rules cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A pattern is none.
    #[error("rules[{0}]: metrics: {1}")]
    Pattern(usize, PatternError),
    /// Gauges and sets count nothing.
    #[error("rules[{0}]: a {kind} is never a request; make it a `sample`", kind = _1.as_str())]
    NoRequest(usize, Kind),
    /// Too many.
    #[error("{0} rules; at most {RULES_MAX} are held against each new metric")]
    TooMany(usize),
}

/// What name and tags say of a request; nothing where they say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told<'a> {
    /// Its service.
    pub service: Option<&'a [u8]>,
    /// Its endpoint, a path, or method and path.
    pub endpoint: Option<&'a [u8]>,
    /// Its method.
    pub method: Option<&'a [u8]>,
    /// HTTP status that stands for how it ended.
    pub status: Option<u16>,
}

/// Compiled rules.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<(Vec<Pattern>, Rule)>,
    tags: TagNames,
}

impl Rules {
    /// Compiles rules.
    pub fn new(rules: &[Rule], tags: TagNames) -> Result<Self, RuleError> {
        if rules.len() > RULES_MAX {
            return Err(RuleError::TooMany(rules.len()));
        }
        let compile = |(number, rule): (usize, &Rule)| {
            let patterns = rule.metrics.iter().map(|text| Pattern::new(text));
            let patterns: Result<Vec<_>, _> = patterns.collect();
            let patterns = patterns.map_err(|error| RuleError::Pattern(number, error))?;
            let wrong = rule.types.iter().find(|kind| rule.role == Role::Request && !rule.takes(**kind));
            match wrong {
                Some(&kind) => Err(RuleError::NoRequest(number, kind)),
                None => Ok((patterns, rule.clone())),
            }
        };
        Ok(Self { rules: rules.iter().enumerate().map(compile).collect::<Result<_, _>>()?, tags })
    }

    /// The first rule that holds on a metric, and what name and tags say. Without one nobody asked
    /// for it: it is a sample.
    #[must_use]
    pub fn find<'a>(&self, name: &'a [u8], kind: Kind, tags: &'a [u8]) -> (Option<&Rule>, Told<'a>) {
        let by_tags = self.told(tags);
        for (patterns, rule) in &self.rules {
            if !rule.takes(kind) {
                continue;
            }
            let captures = match patterns.as_slice() {
                [] => Some(Captures::default()),
                patterns => patterns.iter().find_map(|pattern| pattern.captures(name)),
            };
            let Some(captures) = captures else { continue };
            let told = Told {
                service: captures.service.or(by_tags.service),
                endpoint: captures.endpoint.or(by_tags.endpoint),
                method: captures.method.or(by_tags.method),
                status: captures.status.and_then(status_of).or(by_tags.status),
            };
            let is_told = |need: &Need| match need {
                Need::Service => told.service.is_some(),
                Need::Endpoint => told.endpoint.is_some(),
                Need::Method => told.method.is_some(),
                Need::Outcome => told.status.is_some(),
            };
            if rule.needs.is_empty() || rule.needs.iter().any(is_told) {
                return (Some(rule), told);
            }
        }
        (None, by_tags)
    }

    /// Whether a tag names the service, and so is no label of a sample.
    #[must_use]
    pub fn is_service_tag(&self, name: &[u8]) -> bool {
        self.tags.service.iter().any(|known| known.as_bytes() == name)
    }

    fn told<'a>(&self, tags: &'a [u8]) -> Told<'a> {
        let by_error = || first_of(tags, &self.tags.error).map(|value| if is_no(value) { OK } else { ERROR });
        Told {
            service: first_of(tags, &self.tags.service),
            endpoint: first_of(tags, &self.tags.endpoint),
            method: first_of(tags, &self.tags.method),
            status: first_of(tags, &self.tags.status).and_then(status_of).or_else(by_error),
        }
    }
}

const OK: u16 = 200;
const ERROR: u16 = 500;
const TIMEOUT: u16 = 504;

fn is_no(value: &[u8]) -> bool {
    [&b"false"[..], b"0", b"no", b"none"].iter().any(|no| no.eq_ignore_ascii_case(value))
}

/// The HTTP status that a value stands for.
fn status_of(value: &[u8]) -> Option<u16> {
    if let Some(status) = status(value) {
        return Some(status);
    }
    match value.to_ascii_lowercase().as_slice() {
        [class @ b'1'..=b'5', b'x', b'x'] => Some(u16::from(class - b'0') * 100),
        b"ok" | b"success" => Some(OK),
        b"error" | b"failure" | b"failed" => Some(ERROR),
        b"timeout" => Some(TIMEOUT),
        _ => None,
    }
}
