//! How lines are read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::role::{Role, Roles, Unit};

/// Format of an input's lines (`format`), told by `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Format {
    /// nginx's predefined `combined`. It has no duration: latency stays empty.
    Combined,
    /// Any `log_format` of nginx.
    Nginx {
        /// The text between the quotes, or the whole directive as it stands in `nginx.conf`.
        log_format: String,
    },
    /// Any `LogFormat` of Apache.
    Apache {
        /// The text between the quotes, or the whole directive as it stands in the configuration.
        log_format: String,
    },
    /// A JSON object a line; fields of objects inside are named with points (`http.status`).
    Json,
    /// `key=value` pairs.
    Logfmt,
    /// A regular expression with named groups, in the syntax of Rust's `regex`.
    Regex {
        /// The expression. It may match a part of the line.
        pattern: String,
    },
    /// Lines without structure: nothing is counted, they can be shipped as log records.
    Plain,
}

/// Which field says what. A name given here replaces the usual ones of that role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FieldNames {
    /// Request line (`GET /path HTTP/1.1`). Usually `request`.
    pub request: Option<String>,
    /// HTTP verb or RPC method. Usually `method`, `request_method`.
    pub method: Option<String>,
    /// Target of the request. Usually `path`, `uri`, `url`, `request_uri`.
    pub path: Option<String>,
    /// HTTP status. Usually `status`, `status_code`.
    pub status: Option<String>,
    /// Duration. Usually `request_time`, `duration`, `duration_ms` and the like.
    pub duration: Option<String>,
    /// Unit of `duration`: `s` (default), `ms`, `us` or `ns`.
    pub duration_unit: Option<DurationUnit>,
    /// When it happened. Usually `msec`, `time_local`, `time`, `ts`, `timestamp`. A line without a time
    /// that can be read counts at the instant at which it is read.
    pub time: Option<String>,
    /// Names the service, before the input's own `service`. Usually `service`, `service.name`.
    pub service: Option<String>,
    /// Names the endpoint, before the path. Usually `http.route`, `route`.
    pub endpoint: Option<String>,
    /// Log level. Usually `level`, `severity`.
    pub level: Option<String>,
    /// Log message. Usually `msg`, `message`.
    pub message: Option<String>,
    /// Trace id. Usually `trace_id`.
    pub trace_id: Option<String>,
    /// Span id. Usually `span_id`.
    pub span_id: Option<String>,
    /// What outcome rules look at as `field`, such as an error code. No usual name.
    pub verdict: Option<String>,
}

/// Unit of a duration field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DurationUnit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl From<DurationUnit> for Unit {
    fn from(unit: DurationUnit) -> Self {
        match unit {
            DurationUnit::S => Self::Seconds,
            DurationUnit::Ms => Self::Millis,
            DurationUnit::Us => Self::Micros,
            DurationUnit::Ns => Self::Nanos,
        }
    }
}

impl DurationUnit {
    /// Seconds in one of it.
    #[must_use]
    pub fn seconds(self) -> f64 {
        Unit::from(self).seconds()
    }
}

/// Format and fields together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Format of the lines.
    pub format: Format,
    /// Which field says what.
    pub fields: FieldNames,
}

/// Why a format cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// Nothing would be read.
    #[error("no variable or named group that says anything; name fields under `fields`")]
    NoVariable,
    /// A quote is not closed.
    #[error("a quote is not closed; give the directive whole, from its name to its end")]
    Quote,
    /// A variable cannot be read.
    #[error("cannot read the variable at `{0}`")]
    Variable(String),
    /// An unknown kind of escaping.
    #[error("escape={0} is unknown; nginx knows default, json and none")]
    Escape(String),
    /// An expression is wrong.
    #[error("{0}")]
    Regex(#[from] regex::Error),
}

impl FieldNames {
    /// Roles by name.
    #[must_use]
    pub fn roles(&self) -> Roles {
        let unit = self.duration_unit.unwrap_or(DurationUnit::S).into();
        let own: BTreeMap<&String, Role> = [
            (&self.request, Role::Request),
            (&self.method, Role::Method),
            (&self.path, Role::Path),
            (&self.status, Role::Status),
            (&self.duration, Role::Duration(unit)),
            (&self.time, Role::Time),
            (&self.service, Role::Service),
            (&self.endpoint, Role::Endpoint),
            (&self.level, Role::Level),
            (&self.message, Role::Message),
            (&self.trace_id, Role::TraceId),
            (&self.span_id, Role::SpanId),
            (&self.verdict, Role::Verdict),
        ]
        .into_iter()
        .filter_map(|(name, role)| Some((name.as_ref()?, role)))
        .collect();
        Roles::with(own.into_iter().map(|(name, role)| (name.trim_start_matches('$').to_owned(), role)))
    }
}
