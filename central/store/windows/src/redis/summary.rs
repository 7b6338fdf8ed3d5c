//! What people and scripts read: a few small hashes for each service, written anew by whoever evaluates
//! it and gone five minutes after the last time.
//!
//! | key | fields |
//! |---|---|
//! | `metrics:{<service id>}:latency:1m` | `p50`, `p95`, `p99` in milliseconds (absent without a duration), `count` of requests with one, `unit` (`ms`), `updated_at` |
//! | `metrics:{<service id>}:error:1m` | `ratio` of bad requests (0 to 1, absent without requests), `count` of bad requests, `requests`, `updated_at` |
//! | `metrics:{<service id>}:traffic:1m` | `per_second`, `count` of requests, `updated_at` |
//! | `slo:{<service id>}:status` | for each SLO by name a JSON object: `status`, `sli` (0 to 1), `budget_left` (1 is all, below 0 overspent), `since`; and `updated_at` |
//!
//! Times are RFC 3339 in UTC, numbers plain decimals. Nothing of Goldentime reads these keys.

use ::redis::{Cmd, Value, cmd};
use goldentime_model::{ServiceId, UnixNanos};

use super::RedisWindows;
use super::failure::Failure;
use crate::error::StoreError;

/// How long a hash outlives its last writing, in seconds.
const TTL_S: u32 = 300;

/// The last minute of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServiceSummary {
    /// Median, 95th and 99th percentile of request durations, in seconds; `None` without any.
    pub quantiles: Option<[f64; 3]>,
    /// Requests with a duration.
    pub timed: u64,
    /// All requests.
    pub requests: u64,
    /// Bad requests.
    pub errors: u64,
    /// Requests per second.
    pub per_second: f64,
    /// Up to when this is true.
    pub updated_at: UnixNanos,
}

/// How an SLO stands.
#[derive(Clone, Debug, PartialEq)]
pub struct SloStatus {
    /// Its name; `updated_at` cannot be one.
    pub slo: String,
    /// What the evaluation says: `ok`, `pending`, `firing`, `unknown`, `no_data`.
    pub status: String,
    /// The indicator, 0 to 1; `None` while it is unknown.
    pub sli: Option<f64>,
    /// Share of the error budget that is left; 1 is all of it, below 0 it is overspent.
    pub budget_left: Option<f64>,
    /// Since when the status has been this.
    pub since: UnixNanos,
}

impl RedisWindows {
    /// Writes the summaries of services, all in one round trip to each node.
    pub async fn publish_summaries(
        &self,
        summaries: &[(ServiceId, ServiceSummary)],
    ) -> Result<(), StoreError> {
        let mut hashes = Vec::new();
        for (service, summary) in summaries {
            let (key, at) = (|name| format!("metrics:{{{service}}}:{name}:1m"), rfc3339(summary.updated_at));
            let mut latency = Vec::new();
            for (name, quantile) in ["p50", "p95", "p99"].into_iter().zip(summary.quantiles.iter().flatten())
            {
                latency.push((name, decimal(quantile * 1e3)));
            }
            latency.extend([("count", summary.timed.to_string()), ("unit", "ms".to_owned())]);
            let mut error =
                vec![("count", summary.errors.to_string()), ("requests", summary.requests.to_string())];
            if summary.requests > 0 {
                error.push(("ratio", decimal(summary.errors as f64 / summary.requests as f64)));
            }
            let traffic =
                vec![("per_second", decimal(summary.per_second)), ("count", summary.requests.to_string())];
            for (name, mut fields) in [("latency", latency), ("error", error), ("traffic", traffic)] {
                fields.push(("updated_at", at.clone()));
                hashes.push((key(name), fields));
            }
        }
        self.replace(hashes, "write summaries").await
    }

    /// Writes how the SLOs of services stand; those that are not named any more are gone.
    pub async fn publish_statuses(
        &self,
        services: &[(ServiceId, Vec<SloStatus>)],
        updated_at: UnixNanos,
    ) -> Result<(), StoreError> {
        let hashes = services.iter().map(|(service, statuses)| {
            let mut fields: Vec<(&str, String)> =
                statuses.iter().map(|status| (&*status.slo, status.to_json())).collect();
            fields.retain(|(name, _)| *name != "updated_at");
            fields.push(("updated_at", rfc3339(updated_at)));
            (format!("slo:{{{service}}}:status"), fields)
        });
        self.replace(hashes.collect(), "write the status of SLOs").await
    }

    async fn replace(
        &self,
        hashes: Vec<(String, Vec<(&str, String)>)>,
        action: &'static str,
    ) -> Result<(), StoreError> {
        let mut commands: Vec<(&str, Cmd)> = Vec::with_capacity(hashes.len() * 3);
        for (key, fields) in &hashes {
            let (mut delete, mut set, mut expire) = (cmd("DEL"), cmd("HSET"), cmd("EXPIRE"));
            delete.arg(key);
            set.arg(key).arg(fields);
            expire.arg(key).arg(TTL_S);
            commands.extend([(&**key, delete), (&**key, set), (&**key, expire)]);
        }
        let answers = self.0.nodes.ask(commands).await.map_err(|failure| failure.into_error(action))?;
        match answers.iter().position(|answer| matches!(answer, Value::ServerError(_))) {
            Some(at) => Err(Failure::Foreign(hashes[at / 3].0.clone()).into_error(action)),
            None => Ok(()),
        }
    }
}

impl SloStatus {
    fn to_json(&self) -> String {
        let mut object = serde_json::Map::new();
        object.insert("status".to_owned(), self.status.clone().into());
        object.insert("sli".to_owned(), self.sli.into());
        object.insert("budget_left".to_owned(), self.budget_left.into());
        object.insert("since".to_owned(), rfc3339(self.since).into());
        serde_json::Value::Object(object).to_string()
    }
}

/// Six digits behind the point at most, which is more than any of these numbers is good for.
fn decimal(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn rfc3339(at: UnixNanos) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    format!("{at:.3}")
}
