//! Which numbers were sent and which acknowledged in one session.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

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

    fn is_settled(&self) -> bool {
        self.lock().values().all(|numbers| numbers.acknowledged >= numbers.sent)
    }

    /// Every change under the lock is complete before anything can panic.
    fn lock(&self) -> MutexGuard<'_, HashMap<(StreamId, u32), Numbers>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
