//! When to try again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::channels::SendError;
use super::config::NotifyConfig;

/// How a channel's attempts are spaced.
#[derive(Clone, Copy, Debug)]
pub(super) struct RetryPolicy {
    initial: Duration,
    max: Duration,
    attempts_max: u32,
}

/// What follows a failed attempt.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    After(Duration),
    GiveUp,
}

impl RetryPolicy {
    pub(super) fn new(config: &NotifyConfig) -> Self {
        Self {
            initial: config.retry_initial.get(),
            max: config.retry_max.get(),
            attempts_max: config.attempts_max,
        }
    }

    pub(super) fn waits(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.initial)
            .with_max_delay(self.max)
            .without_max_times()
            .with_jitter()
            .build()
    }

    /// Obeys `Retry-After` up to the longest wait; gives up what cannot succeed.
    pub(super) fn next(&self, error: &SendError, attempts: u32, waits: &mut ExponentialBackoff) -> Next {
        match error {
            SendError::Permanent { .. } => Next::GiveUp,
            SendError::Retry { .. } if attempts >= self.attempts_max => Next::GiveUp,
            SendError::Retry { after, .. } => {
                let wait = waits.next().unwrap_or(self.max);
                Next::After(after.map_or(wait, |after| after.max(wait)).min(self.max))
            }
        }
    }
}
