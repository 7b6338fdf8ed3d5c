//! What the owner of a group's member is told.

use tokio::sync::oneshot;

use super::feed::Feed;
use super::tenure::Tenure;

/// What happened to a partition.
pub enum GroupEvent {
    /// It is ours. It is read from where its owner says; until then, nothing of this assignment is.
    Assigned(Box<Assigned>),
    /// It goes to somebody else, or we stop. State can still be written and offsets be committed.
    Revoked(Revoked),
    /// Somebody else has it already. What is held of it has to be thrown away.
    Lost {
        /// The partition.
        partition: u32,
    },
}

/// A partition that is ours from now on.
pub struct Assigned {
    /// The partition.
    pub partition: u32,
    /// Last offset that was committed, 0 for none.
    pub committed: u64,
    /// Whether it still is ours.
    pub tenure: Tenure,
    pub(super) start: oneshot::Sender<u64>,
    pub(super) feed: Feed,
}

/// A partition that is to be brought home.
pub struct Revoked {
    /// The partition.
    pub partition: u32,
    pub(super) done: oneshot::Sender<()>,
}

impl Assigned {
    /// Reads it from offset `from` on.
    #[must_use]
    pub fn start(self, from: u64) -> Feed {
        let Self { start, mut feed, .. } = self;
        feed.next = from.max(1);
        // Without a listener the assignment is over, and the feed ends at once.
        let _ = start.send(feed.next);
        feed
    }
}

impl Revoked {
    /// Everything is home, or thrown away.
    pub fn done(self) {
        // It may have waited long enough.
        let _ = self.done.send(());
    }
}
