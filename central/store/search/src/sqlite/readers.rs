//! Connections that read: a few are kept open, whatever the number of segments.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use goldentime_follower::StoreError;
use sqlx::SqliteConnection;

use super::segment;

/// Connections that stay open while nobody searches; each is a thread and a cache.
pub(super) const CONNECTIONS_MAX: usize = 12;
/// Cache of a connection, in bytes.
pub(super) const CACHE_BYTES: u64 = 2 << 20;

/// Open connections by segment, the one used longest ago first.
#[derive(Default)]
pub(super) struct Readers(Mutex<VecDeque<(u32, SqliteConnection)>>);

impl Readers {
    fn idle(&self) -> std::sync::MutexGuard<'_, VecDeque<(u32, SqliteConnection)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to this segment, for the caller alone.
    pub(super) async fn take(&self, folder: &Path, number: u32) -> Result<SqliteConnection, StoreError> {
        let known = {
            let mut idle = self.idle();
            let at = idle.iter().position(|(segment, _)| *segment == number);
            at.and_then(|at| idle.remove(at))
        };
        match known {
            Some((_, connection)) => Ok(connection),
            None => segment::open_reader(folder, number).await,
        }
    }

    /// Keeps a connection for the next search. One that failed is not given back.
    pub(super) fn give_back(&self, number: u32, connection: SqliteConnection) {
        let mut idle = self.idle();
        idle.push_back((number, connection));
        if idle.len() > CONNECTIONS_MAX {
            idle.pop_front();
        }
    }

    /// Lets go of a segment that is to be dropped.
    pub(super) fn forget(&self, number: u32) {
        self.idle().retain(|(segment, _)| *segment != number);
    }

    /// Lets go of all.
    pub(super) fn clear(&self) {
        self.idle().clear();
    }
}
