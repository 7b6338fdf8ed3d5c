//! Pauses between attempts.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// First pause.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Each pause is about twice the one before, up to a limit, with jitter, so that the agents of a
/// central that comes back do not all knock at once.
pub(super) struct Backoff {
    builder: ExponentialBuilder,
    pauses: ExponentialBackoff,
}

impl Backoff {
    pub(super) fn new(interval_max: Duration) -> Self {
        let builder = ExponentialBuilder::default()
            .with_min_delay(INTERVAL_MIN)
            .with_max_delay(interval_max)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times();
        Self { builder, pauses: builder.build() }
    }

    pub(super) fn reset(&mut self) {
        self.pauses = self.builder.build();
    }

    /// Cancel safe; a wait that is cut short counts as one.
    pub(super) async fn wait(&mut self) {
        self.wait_at_least(Duration::ZERO).await;
    }

    pub(super) async fn wait_at_least(&mut self, pause_min: Duration) {
        let pause = self.pauses.next().unwrap_or(INTERVAL_MIN);
        tokio::time::sleep(pause.max(pause_min)).await;
    }
}
