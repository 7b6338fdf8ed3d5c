//! What is asked for, as query parameters.

use goldentime_model::UnixNanos;
use goldentime_model::problem::ProblemCode;
use goldentime_search::page::LINES_MAX;
use goldentime_search::{PageRequest, Query};
use serde::Deserialize;

use super::super::problem::Refusal;

/// Longest trace id or host name that can be asked for, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// Lines on a page that names no number.
const LINES_USUAL: u32 = 100;

/// What lines are meant, as query parameters; an absent one means any.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Filter {
    /// Words, `"phrases"` and `-exclusions`.
    #[serde(default)]
    pub(super) q: String,
    /// `warn`: at least that. `=warn`: just that. `info,error,unknown`: any of these.
    pub(super) level: Option<String>,
    /// `project/environment/service`, each part a name or `*`.
    pub(super) service: Option<String>,
    /// Host name.
    pub(super) host: Option<String>,
    /// W3C trace id.
    pub(super) trace_id: Option<String>,
}

/// A search.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Asked {
    #[serde(default)]
    q: String,
    level: Option<String>,
    service: Option<String>,
    host: Option<String>,
    trace_id: Option<String>,
    /// First millisecond.
    pub(super) from_ms: Option<i64>,
    /// First millisecond after.
    pub(super) until_ms: Option<i64>,
    /// Lines in the answer.
    pub(super) limit: Option<u32>,
    /// `next` of the page before.
    pub(super) before: Option<String>,
    /// Buckets of a histogram.
    pub(super) buckets: Option<u32>,
}

/// How much context.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Reach {
    #[serde(default = "default_reach")]
    pub(super) before: u32,
    #[serde(default = "default_reach")]
    pub(super) after: u32,
}

const fn default_reach() -> u32 {
    20
}

/// Which part of a trace.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Part {
    pub(super) limit: Option<u32>,
    pub(super) before: Option<String>,
}

/// A parameter is not as documented.
pub(super) fn refuse(detail: impl Into<String>) -> Refusal {
    Refusal::new(ProblemCode::InvalidRequest, detail)
}

impl Filter {
    /// The query, or what is wrong with it.
    pub(super) fn query(&self) -> Result<Query, Refusal> {
        let name = |what: &str, name: &Option<String>| match name {
            Some(name) if name.is_empty() || name.len() > NAME_BYTES_MAX => Err(refuse(format!(
                "{what}: 1 to {NAME_BYTES_MAX} bytes are allowed; leave it out to mean any"
            ))),
            name => Ok(name.clone()),
        };
        let service = self.service.as_deref().map(str::parse).transpose();
        Ok(Query {
            terms: self.q.parse().map_err(|error| refuse(format!("q: {error}")))?,
            levels: match &self.level {
                Some(levels) => levels.parse().map_err(|error| refuse(format!("level: {error}")))?,
                None => Query::default().levels,
            },
            service: service.map_err(|error| refuse(format!("service: {error}")))?,
            host: name("host", &self.host)?,
            trace_id: name("trace_id", &self.trace_id)?,
            ..Query::default()
        })
    }
}

impl Asked {
    pub(super) fn query(&self) -> Result<Query, Refusal> {
        let Self { q, level, service, host, trace_id, .. } = self;
        let (q, level, service) = (q.clone(), level.clone(), service.clone());
        let query = Filter { q, level, service, host: host.clone(), trace_id: trace_id.clone() }.query()?;
        let from = self.from_ms.map_or(query.from, UnixNanos::from_millis);
        let until = self.until_ms.map_or(query.until, UnixNanos::from_millis);
        if until <= from {
            return Err(refuse("until_ms is not after from_ms"));
        }
        Ok(Query { from, until, ..query })
    }
}

pub(super) fn page(limit: Option<u32>, before: Option<&str>) -> Result<PageRequest, Refusal> {
    let limit = limit.unwrap_or(LINES_USUAL);
    if !(1..=LINES_MAX).contains(&limit) {
        return Err(refuse(format!("limit: {limit} is not between 1 and {LINES_MAX}")));
    }
    let before = before.map(str::parse).transpose().map_err(|error| refuse(format!("before: {error}")))?;
    Ok(PageRequest { before, limit })
}
