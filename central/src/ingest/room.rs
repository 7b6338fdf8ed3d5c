//! Memory for records on their way to the log, counted in bytes: a queue of a thousand records may
//! hold a mebibyte or a gibibyte.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of records on their way to the log, over all connections. Above it intake waits, and by
/// QUIC's flow control so do the agents.
pub const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of one connection, so that no agent takes all of the room.
pub const CONNECTION_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The room of one connection, within that of all.
#[derive(Clone, Debug)]
pub struct Room {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

/// Room that a record takes; given back when dropped.
#[derive(Debug)]
pub struct Taken {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Room {
    /// The room of all connections.
    #[must_use]
    pub fn of_all() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(BYTES_MAX))
    }

    /// The room of a new connection.
    #[must_use]
    pub fn of_connection(all: &Arc<Semaphore>) -> Self {
        Self { all: Arc::clone(all), own: Arc::new(Semaphore::new(CONNECTION_BYTES_MAX)) }
    }

    /// Waits for room for `bytes` (at most a frame). Cancel safe. `None` only once intake is closed.
    pub async fn take(&self, bytes: usize) -> Option<Taken> {
        let bytes = u32::try_from(bytes.min(CONNECTION_BYTES_MAX)).ok()?;
        let own = Arc::clone(&self.own).acquire_many_owned(bytes).await.ok()?;
        let all = Arc::clone(&self.all).acquire_many_owned(bytes).await.ok()?;
        Some(Taken { _own: own, _all: all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_connection_that_fills_its_room_leaves_room_for_others() {
        let all = Room::of_all();
        let (greedy, other) = (Room::of_connection(&all), Room::of_connection(&all));
        let held = greedy.take(CONNECTION_BYTES_MAX).await.expect("open");
        let wait = std::time::Duration::from_secs(1);
        assert!(tokio::time::timeout(wait, greedy.take(1)).await.is_err());
        assert!(other.take(1024).await.is_some());
        drop(held);
        assert!(greedy.take(1).await.is_some());
    }
}
