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

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy { initial: Duration::from_millis(100), max: Duration::from_secs(30), attempts_max: 5 }
    }

    fn asked_for(after: Option<u64>) -> SendError {
        SendError::Retry { reason: "busy".into(), after: after.map(Duration::from_secs) }
    }

    #[test]
    fn retry_after_is_obeyed_up_to_the_longest_wait() {
        let (policy, mut waits) = (policy(), policy().waits());
        assert_eq!(policy.next(&asked_for(Some(7)), 1, &mut waits), Next::After(Duration::from_secs(7)));
        assert_eq!(policy.next(&asked_for(Some(900)), 2, &mut waits), Next::After(policy.max));
    }

    #[test]
    fn waits_grow_until_the_attempts_end_and_what_cannot_succeed_is_given_up_at_once() {
        let (policy, mut waits) = (policy(), policy().waits());
        let mut last = Duration::ZERO;
        for attempt in 1..5 {
            let Next::After(wait) = policy.next(&asked_for(None), attempt, &mut waits) else {
                panic!("gave up at attempt {attempt}");
            };
            // The jitter is less than one doubling.
            assert!(wait >= last && wait >= policy.initial, "{wait:?} after {last:?}");
            last = wait;
        }
        assert_eq!(policy.next(&asked_for(None), 5, &mut waits), Next::GiveUp);
        let refused = SendError::Permanent { reason: "no".into() };
        assert_eq!(policy.next(&refused, 1, &mut policy.waits()), Next::GiveUp);
    }
}
