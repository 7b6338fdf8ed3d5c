//! When to flush.

use tokio::time::Instant;

use super::config::Interval;
use crate::aggregate::Pending;

/// How many express flushes may come at once before the rate alone decides.
const EXPRESS_BURST: f64 = 8.0;

/// Lets through so many express flushes a second (a token bucket).
#[derive(Debug)]
pub(super) struct ExpressLimit {
    per_second: f64,
    tokens: f64,
    filled_at: Instant,
}

impl ExpressLimit {
    pub(super) fn new(per_second_max: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second_max);
        Self { per_second, tokens: per_second.min(EXPRESS_BURST), filled_at: now }
    }

    /// Takes one; `false` when the flush has to wait for the next ordinary one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at);
        self.filled_at = now;
        self.tokens = passed
            .as_secs_f64()
            .mul_add(self.per_second, self.tokens)
            .min(self.per_second.min(EXPRESS_BURST));
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

/// When the next ordinary flush is due, by what waits. It may have been due already: what comes to an
/// agent that was quiet is flushed at once.
pub(super) fn due(pending: Pending, last_flush: Instant, interval: &Interval) -> Instant {
    let pause = if pending.is_soon() { interval.watched_interval } else { interval.interval };
    last_flush + pause.get()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use goldentime_model::UnixNanos;
    use goldentime_runtime::ManualClock;

    use super::*;
    use crate::aggregate::{Aggregator, Config};

    #[tokio::test(start_paused = true)]
    async fn a_storm_of_bad_requests_gets_no_more_express_flushes_than_allowed() {
        let mut limit = ExpressLimit::new(30, Instant::now());
        let mut taken = 0;
        for _ in 0..10_000 {
            tokio::time::advance(Duration::from_millis(1)).await;
            taken += u32::from(limit.take(Instant::now()));
        }
        assert!((295..=310).contains(&taken), "{taken} in ten seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_bad_request_never_waits() {
        let mut limit = ExpressLimit::new(1, Instant::now());
        assert!(limit.take(Instant::now()));
        assert!(!limit.take(Instant::now()));
        assert!(!ExpressLimit::new(0, Instant::now()).take(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_watches_is_flushed_at_the_long_interval_and_a_reading_at_the_short_one() {
        let (interval, last) = (Interval::default(), Instant::now());
        let aggregator = Aggregator::new(Config::default(), ManualClock::at(UnixNanos(0)));
        assert_eq!(due(aggregator.signal().peek(), last, &interval), last + interval.interval.get());
        aggregator.open_shard("host").lock().hand_over();
        assert_eq!(due(aggregator.signal().peek(), last, &interval), last + interval.watched_interval.get());
    }
}
