//! Whether a partition still is ours.
//!
//! A process that was stopped for a while may wake and go on in the middle of a page, long after somebody
//! else took over. It cannot know by looking at what it was told, so a tenure counts only as long as the
//! broker's last word that we are a member is younger than the session.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::SESSION_TIMEOUT;

/// One assignment of one partition. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tenure(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    epoch: u64,
    leaving: CancellationToken,
    ended: CancellationToken,
    confirmed: Mutex<Instant>,
}

impl Tenure {
    /// One that begins now, which is as good as a word from the broker.
    #[must_use]
    pub fn begin(epoch: u64) -> Self {
        Self(Arc::new(Inner {
            epoch,
            leaving: CancellationToken::new(),
            ended: CancellationToken::new(),
            confirmed: Mutex::new(Instant::now()),
        }))
    }

    /// Rises with each assignment within this process.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.epoch
    }

    /// Whether the partition is ours as far as anybody can know: nobody else was given it, and the broker
    /// said so within the session's time. To be asked right before a page is sent.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let confirmed = *self.0.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        !self.0.ended.is_cancelled() && confirmed.elapsed() < SESSION_TIMEOUT
    }

    /// Waits until it is over.
    pub async fn ended(&self) {
        self.0.ended.cancelled().await;
    }

    /// The broker has said that we are a member, when it was `asked`.
    pub fn confirm(&self, asked: Instant) {
        let mut confirmed = self.0.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        *confirmed = (*confirmed).max(asked);
    }

    /// It is to be brought home: nothing more is read.
    pub(super) fn leave(&self) {
        self.0.leaving.cancel();
    }

    pub(super) fn end(&self) {
        self.0.leaving.cancel();
        self.0.ended.cancel();
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.0.leaving.is_cancelled()
    }

    pub(super) async fn left(&self) {
        self.0.leaving.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_slept_longer_than_its_session_is_not_the_owner_until_the_broker_says_so() {
        let tenure = Tenure::begin(1);
        assert!(tenure.is_current());
        tokio::time::advance(SESSION_TIMEOUT).await;
        assert!(!tenure.is_current(), "it slept");
        tenure.confirm(Instant::now());
        assert!(tenure.is_current(), "the broker waited");
        tenure.leave();
        assert!(tenure.is_current(), "what it holds can still be brought home");
        tenure.end();
        tenure.confirm(Instant::now());
        assert!(!tenure.is_current());
    }
}
