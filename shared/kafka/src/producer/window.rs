//! What was sent and is not acknowledged yet, in its order.

use std::collections::VecDeque;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Outgoing, Placed};
use crate::error::KafkaFailure;

/// A record that waits for its acknowledgement.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) record: Outgoing,
    pub(super) told: oneshot::Sender<Result<Placed, KafkaFailure>>,
    pub(super) _room: OwnedSemaphorePermit,
}

/// Numbered from the first record ever sent on; what is settled leaves a hole until all before it is.
#[derive(Debug, Default)]
pub(super) struct Window {
    first: usize,
    records: VecDeque<Option<Waiting>>,
    open: usize,
    settled: u64,
}

impl Window {
    /// Adds a record and gives it its number.
    pub(super) fn push(&mut self, waiting: Waiting) -> (usize, &Waiting) {
        let number = self.first + self.records.len();
        self.open += 1;
        let place = self.records.push_back_mut(Some(waiting));
        (number, place.as_ref().expect("just put there"))
    }

    /// Those that wait, lowest first.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (usize, &Waiting)> {
        (self.first..).zip(&self.records).filter_map(|(number, waiting)| Some((number, waiting.as_ref()?)))
    }

    /// Tells whoever waits for a record where it stands, or why it never will.
    pub(super) fn settle(&mut self, number: usize, outcome: Result<Placed, KafkaFailure>) {
        let place = number.checked_sub(self.first).and_then(|at| self.records.get_mut(at));
        let Some(waiting) = place.and_then(Option::take) else { return };
        self.open -= 1;
        self.settled += 1;
        // Nobody has to wait for it.
        let _ = waiting.told.send(outcome);
        while let Some(None) = self.records.front() {
            self.records.pop_front();
            self.first += 1;
        }
    }

    /// Records that wait.
    pub(super) const fn len(&self) -> usize {
        self.open
    }

    /// Records that were ever settled.
    pub(super) const fn settled(&self) -> u64 {
        self.settled
    }
}
