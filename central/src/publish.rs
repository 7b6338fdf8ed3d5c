//! What people and scripts read in Redis: for each service that is judged here its last minute, and where its
//! rules stand. Nothing of the central reads it.

use std::sync::Arc;
use std::time::Duration;

use goldentime_model::indicator::Signal;
use goldentime_model::{ServiceId, UnixNanos};
use goldentime_runtime::SharedClock;
use goldentime_windows::redis::{ServiceSummary, SloStatus};
use goldentime_windows::{Detail, RedisWindows, StoreError, Tier, WindowStore, WindowSummary, read_window};
use tokio::time::MissedTickBehavior;

use crate::evaluate::handle::StatusBoard;
use crate::merge::start::Owned;
use crate::push::frame;
use crate::push::status::bad_of_seen;

/// Statuses are written this often.
const STATUSES_EVERY: Duration = Duration::from_secs(1);
/// Summaries are written with every so many of them: each is a read of a minute's cells.
const SUMMARIES_EVERY: u64 = 10;
/// What a summary sums up, in seconds.
const MINUTE_S: i64 = 60;
/// Services in one round trip.
const BATCH: usize = 256;

/// Writes for people and scripts.
pub struct Publisher {
    /// Where.
    pub redis: Arc<RedisWindows>,
    /// Where rules stand.
    pub statuses: StatusBoard,
    /// Partitions that are judged here.
    pub owned: Owned,
    /// Partitions of the log.
    pub partitions: u32,
    /// The present.
    pub clock: SharedClock,
}

impl Publisher {
    /// Writes for ever. What fails is written the next time.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(STATUSES_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in 0_u64.. {
            ticks.tick().await;
            // It says by itself that it is away.
            if self.redis.health().degraded.is_some() {
                continue;
            }
            let mut written = self.statuses().await;
            if tick.is_multiple_of(SUMMARIES_EVERY) {
                written = written.and(self.summaries().await);
            }
            if let Err(error) = written {
                metrics::counter!("goldentime_redis_published_failures_total").increment(1);
                tracing::debug!(error = &error as &dyn std::error::Error, "not written for others to read");
            }
        }
    }

    fn is_ours(&self, service: &ServiceId) -> bool {
        self.owned.has(service.partition(self.partitions))
    }

    async fn statuses(&self) -> Result<(), StoreError> {
        let mut services: Vec<(ServiceId, Vec<SloStatus>)> = Vec::new();
        for status in self.statuses.all() {
            if !self.is_ours(&status.service) {
                continue;
            }
            let shown = slo_status(&frame::SloStatus::from(&status), status.since);
            match services.last_mut() {
                Some((service, statuses)) if *service == status.service => statuses.push(shown),
                _ => services.push((status.service.clone(), vec![shown])),
            }
        }
        let now = self.clock.now();
        for services in services.chunks(BATCH) {
            self.redis.publish_statuses(services, now).await?;
        }
        Ok(())
    }

    async fn summaries(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let until = now.second();
        let mut summaries = Vec::new();
        for service in self.redis.services().await? {
            if !self.is_ours(&service) {
                continue;
            }
            let from = until.offset(-MINUTE_S);
            let minute =
                read_window(&*self.redis, &service, Tier::OneSecond, from, until, Detail::TOTAL).await?;
            summaries.push((service, summary(&minute, now)));
            if summaries.len() == BATCH {
                self.redis.publish_summaries(&std::mem::take(&mut summaries)).await?;
            }
        }
        self.redis.publish_summaries(&summaries).await
    }
}

fn summary(minute: &WindowSummary, now: UnixNanos) -> ServiceSummary {
    let mut quantiles = [0.0; 3];
    let timed = minute.total.latency.quantiles(&[0.5, 0.95, 0.99], &mut quantiles);
    ServiceSummary {
        quantiles: timed.then_some(quantiles),
        timed: minute.total.latency.count(),
        requests: minute.total.counts.total(),
        errors: minute.total.counts.bad(),
        per_second: minute.total.counts.total() as f64 / MINUTE_S as f64,
        updated_at: now,
    }
}

/// Share of good events among those that were seen. A rate is none.
fn good_share(status: &frame::SloStatus) -> Option<f64> {
    let is_rate = status.signal == Signal::Traffic && !status.strays;
    status.sli.filter(|_| !is_rate).and_then(bad_of_seen).map(|bad| 1.0 - bad)
}

/// Named by its rule, and by what of the service it judges where that is a part.
fn slo_status(status: &frame::SloStatus, since: UnixNanos) -> SloStatus {
    let parts = [("method", &status.method), ("endpoint", &status.endpoint), ("host", &status.host)];
    let parts: Vec<String> =
        parts.iter().filter_map(|(name, value)| Some(format!("{name}={:?}", value.as_ref()?))).collect();
    let slo = match parts.is_empty() {
        true => status.rule.to_string(),
        false => format!("{}{{{}}}", status.rule, parts.join(",")),
    };
    let state = serde_json::to_value(status.state).ok();
    SloStatus {
        slo,
        status: state.and_then(|state| Some(state.as_str()?.to_owned())).unwrap_or_default(),
        sli: good_share(status),
        budget_left: status.budget_left,
        since,
    }
}
