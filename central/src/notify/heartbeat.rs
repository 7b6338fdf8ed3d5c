//! Tells an outside service again and again that this central decides on pages, so that it pages when that ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use goldentime_model::UnixNanos;
use goldentime_runtime::SharedClock;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::channels::http;
use super::config::HeartbeatConfig;
use super::start::NotifyError;

/// Who decides on pages says each second that it does; one that did not for so long is stuck.
const STUCK_AFTER_NS: i64 = 15 * 1_000_000_000;

/// Longest wait for the service.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// When pages were decided on last, or could have been. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse(Arc<AtomicI64>);

impl Pulse {
    /// It could have been now.
    pub(super) fn beat(&self, now: UnixNanos) {
        self.0.store(now.0, Ordering::Relaxed);
    }

    fn is_alive(&self, now: UnixNanos) -> bool {
        now.since(UnixNanos(self.0.load(Ordering::Relaxed))) < STUCK_AFTER_NS
    }
}

/// Tells the service for ever, as long as there is a pulse.
pub(super) struct Heartbeat {
    client: reqwest::Client,
    config: HeartbeatConfig,
    pulse: Pulse,
    clock: SharedClock,
    member: Arc<str>,
}

impl Heartbeat {
    pub(super) fn new(
        config: &HeartbeatConfig,
        pulse: Pulse,
        clock: SharedClock,
        member: Arc<str>,
    ) -> Result<Self, NotifyError> {
        let client = http::client(TIMEOUT, None);
        let client = client.map_err(|reason| NotifyError::Channel { name: "heartbeat".into(), reason })?;
        Ok(Self { client, config: config.clone(), pulse, clock, member })
    }

    pub(super) async fn run(self) {
        let mut ticks = tokio::time::interval(self.config.every.get());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.clock.now();
            if !self.pulse.is_alive(now) {
                metrics::counter!("goldentime_heartbeats_withheld_total").increment(1);
                tracing::error!("pages are not decided on; the outside service is not told that all is well");
                continue;
            }
            let body = json!({"central": &*self.member, "at_ms": now.as_millis()});
            let asked = self.client.post(self.config.url.expose()).json(&body).send().await;
            let told = asked.map_err(http::failed).and_then(|answer| http::judge(&answer));
            if let Err(error) = told {
                metrics::counter!("goldentime_heartbeat_failures_total").increment(1);
                tracing::warn!(%error, "the outside service was not told that all is well");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_pulse_nothing_is_well() {
        let pulse = Pulse::default();
        let at = |seconds: i64| UnixNanos(seconds * 1_000_000_000);
        assert!(!pulse.is_alive(at(1_000)));
        pulse.beat(at(1_000));
        assert!(pulse.is_alive(at(1_014)) && !pulse.is_alive(at(1_015)));
    }
}
