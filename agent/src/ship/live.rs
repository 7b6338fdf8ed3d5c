//! From the flusher to the uplink: what was just committed, so that live data need not be read back
//! from the spool.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::outgoing::{Outgoing, StreamId};

/// Most bytes of bodies that wait for a slow link; what comes on top is read from the spool later.
pub const LIVE_BYTES_MAX: usize = 2 << 20;

/// A bounded queue that may be passed over: everything in it is in the spool too, and the uplink
/// finds by the numbers what it missed. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LiveQueue(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    arrived: Notify,
    /// Cancelled when nothing will come any more.
    finished: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<Outgoing>,
    bytes: usize,
    /// The highest numbers that had no room. One for each partition that this agent feeds.
    passed_over: BTreeMap<(StreamId, u32), u64>,
    /// Somebody takes out. Else nothing is kept.
    is_open: bool,
}

/// What was taken out.
#[derive(Debug, Default)]
pub struct Taken {
    /// In the order in which it was pushed.
    pub records: VecDeque<Outgoing>,
    /// The highest number that had no room, by stream and partition: perhaps nothing comes after it that
    /// would show that it is missing.
    pub passed_over: BTreeMap<(StreamId, u32), u64>,
}

impl LiveQueue {
    /// Begins to keep what is pushed, without what was there before.
    pub fn open(&self) {
        *self.lock() = State { is_open: true, ..State::default() };
    }

    /// Keeps nothing any more, until it is opened again.
    pub fn close(&self) {
        *self.lock() = State::default();
    }

    /// Adds what was committed, as far as there is room.
    pub fn push(&self, records: impl IntoIterator<Item = Outgoing>) {
        let mut state = self.lock();
        if !state.is_open {
            return;
        }
        for record in records {
            if state.bytes + record.body.len() > LIVE_BYTES_MAX && !state.records.is_empty() {
                metrics::counter!("goldentime_agent_live_passed_over_total").increment(1);
                state.passed_over.insert((record.stream, record.partition), record.number);
                continue;
            }
            state.bytes += record.body.len();
            state.records.push_back(record);
        }
        drop(state);
        self.0.arrived.notify_one();
    }

    /// Nothing will come any more.
    pub fn finish(&self) {
        self.0.finished.cancel();
    }

    /// Returns once nothing will come any more, though something may still wait.
    pub async fn finished(&self) {
        self.0.finished.cancelled().await;
    }

    /// Everything that waits, as soon as there is something; `None` once the queue is finished and
    /// empty. Cancel safe. For one taker at a time.
    pub async fn take(&self) -> Option<Taken> {
        loop {
            let is_finished = self.0.finished.is_cancelled();
            {
                let mut state = self.lock();
                if !state.records.is_empty() {
                    let State { records, passed_over, is_open, .. } = std::mem::take(&mut *state);
                    state.is_open = is_open;
                    return Some(Taken { records, passed_over });
                }
            }
            if is_finished {
                return None;
            }
            tokio::select! {
                () = self.0.arrived.notified() => {}
                () = self.0.finished.cancelled() => {}
            }
        }
    }

    /// Every change under the lock is complete before anything can panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ship::outgoing::{RecordKind, StreamId};

    fn record(number: u64, bytes: usize) -> Outgoing {
        let body = vec![0; bytes].into();
        Outgoing { stream: StreamId([0; 16]), kind: RecordKind::Deltas, partition: 0, number, body }
    }

    #[tokio::test]
    async fn a_closed_queue_keeps_nothing() {
        let queue = LiveQueue::default();
        queue.push([record(1, 10)]);
        queue.open();
        queue.push([record(2, 10)]);
        let taken = queue.take().await.expect("something waits");
        assert_eq!(taken.records.iter().map(|record| record.number).collect::<Vec<_>>(), [2]);
    }

    #[tokio::test]
    async fn what_has_no_room_is_passed_over_and_told_of_once() {
        let queue = LiveQueue::default();
        queue.open();
        queue.push((1..=5).map(|number| record(number, LIVE_BYTES_MAX / 2)));
        let taken = queue.take().await.expect("something waits");
        assert_eq!(taken.records.len(), 2);
        assert_eq!(taken.passed_over, [((StreamId([0; 16]), 0), 5)].into());
        queue.push([record(6, 10)]);
        let taken = queue.take().await.expect("something waits");
        assert_eq!((taken.records.len(), taken.passed_over.len()), (1, 0));
    }

    #[tokio::test]
    async fn a_finished_queue_gives_its_rest_and_ends() {
        let queue = LiveQueue::default();
        queue.open();
        queue.push([record(1, 10)]);
        queue.finish();
        assert_eq!(queue.take().await.map(|taken| taken.records.len()), Some(1));
        assert!(queue.take().await.is_none());
    }
}
