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

/// A connection to one segment, for one search.
pub(super) struct Reader {
    pub(super) number: u32,
    pub(super) connection: SqliteConnection,
    /// Opened in the belief that nobody writes.
    sealed: bool,
}

/// Open connections, the one used longest ago first.
#[derive(Default)]
pub(super) struct Readers(Mutex<VecDeque<Reader>>);

impl Readers {
    fn idle(&self) -> std::sync::MutexGuard<'_, VecDeque<Reader>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to this segment, for the caller alone. `sealed` says that it gets no more lines.
    pub(super) async fn take(&self, folder: &Path, number: u32, sealed: bool) -> Result<Reader, StoreError> {
        let known = {
            let mut idle = self.idle();
            let at = idle.iter().position(|one| one.number == number && (sealed || !one.sealed));
            at.and_then(|at| idle.remove(at))
        };
        match known {
            Some(reader) => Ok(reader),
            None => {
                let connection = segment::open_reader(folder, number, sealed).await?;
                Ok(Reader { number, connection, sealed })
            }
        }
    }

    /// Keeps a connection for the next search. One that failed is not given back.
    pub(super) fn give_back(&self, reader: Reader) {
        let mut idle = self.idle();
        idle.push_back(reader);
        if idle.len() > CONNECTIONS_MAX {
            idle.pop_front();
        }
    }

    /// Sees to it that a segment which is written to can be read after its writer is gone: while the disk
    /// is full SQLite could not make its shared memory anew. What cannot be opened now is told by the
    /// search that needs it.
    pub(super) async fn hold(&self, folder: &Path, number: u32) {
        if let Ok(mut reader) = self.take(folder, number, false).await
            && segment::touch(&mut reader.connection).await.is_ok()
        {
            self.give_back(reader);
        }
    }

    /// Lets go of a segment that is to be dropped, or is sealed now.
    pub(super) fn forget(&self, number: u32) {
        self.idle().retain(|reader| reader.number != number);
    }

    /// Lets go of all.
    pub(super) fn clear(&self) {
        self.idle().clear();
    }
}
