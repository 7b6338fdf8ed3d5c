//! Which numbers were sent and which acknowledged in one session.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::ship::outgoing::StreamId;

/// Numbers by (stream, partition). One entry for each partition that this agent feeds.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    numbers: Mutex<HashMap<(StreamId, u32), Numbers>>,
    acknowledged: Notify,
    sent: Notify,
}

#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    sent: u64,
    acknowledged: u64,
}

impl Outstanding {
    pub(super) fn note_sent(&self, stream: StreamId, partition: u32, number: u64) {
        let mut all = self.lock();
        let numbers = all.entry((stream, partition)).or_default();
        numbers.sent = numbers.sent.max(number);
        drop(all);
        self.sent.notify_one();
    }

    /// Returns when something was sent since the last call. Cancel safe. For one waiter.
    pub(super) async fn sent(&self) {
        self.sent.notified().await;
    }

    /// Takes an acknowledgement in, and tells how many records it covers that no earlier one did.
    pub(super) fn note_acknowledged(&self, stream: StreamId, partition: u32, number: u64) -> u64 {
        let mut all = self.lock();
        let numbers = all.entry((stream, partition)).or_default();
        let new = number.saturating_sub(numbers.acknowledged);
        numbers.acknowledged = numbers.acknowledged.max(number);
        drop(all);
        self.acknowledged.notify_one();
        new
    }

    /// Returns when everything that was sent is acknowledged. Cancel safe. For one waiter.
    pub(super) async fn settled(&self) {
        while !self.is_settled() {
            self.acknowledged.notified().await;
        }
    }

    /// Returns when nothing was acknowledged for this long though something waits for it, give or take a
    /// quarter.
    pub(super) async fn stuck(&self, limit: Duration) {
        let (mut before, mut since) = (self.sum_acknowledged(), Instant::now());
        while since.elapsed() < limit {
            tokio::time::sleep(limit / 4).await;
            let now = self.sum_acknowledged();
            if now != before || self.is_settled() {
                (before, since) = (now, Instant::now());
            }
        }
    }

    fn sum_acknowledged(&self) -> u64 {
        self.lock().values().map(|numbers| numbers.acknowledged).sum()
    }

    fn is_settled(&self) -> bool {
        self.lock().values().all(|numbers| numbers.acknowledged >= numbers.sent)
    }

    /// Every change under the lock is complete before anything can panic.
    fn lock(&self) -> MutexGuard<'_, HashMap<(StreamId, u32), Numbers>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(8);

    fn stream() -> StreamId {
        StreamId([7; 16])
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_without_any_acknowledgement_is_stuck() {
        let outstanding = Outstanding::default();
        outstanding.note_sent(stream(), 0, 1);
        outstanding.note_sent(stream(), 1, 1);
        outstanding.note_acknowledged(stream(), 1, 1);
        let began = Instant::now();
        outstanding.stuck(LIMIT).await;
        assert!(began.elapsed() >= LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_agent_and_a_slow_log_are_not_stuck() {
        let outstanding = Outstanding::default();
        let slow = async {
            tokio::time::sleep(4 * LIMIT).await;
            for number in 1..10 {
                outstanding.note_sent(stream(), 0, number + 1);
                outstanding.note_acknowledged(stream(), 0, number);
                tokio::time::sleep(LIMIT / 2).await;
            }
        };
        tokio::select! {
            () = outstanding.stuck(LIMIT) => panic!("some of it is acknowledged all the time"),
            () = slow => {}
        }
    }
}
