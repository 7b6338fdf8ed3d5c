//! What is done beside flushes: removing what was acknowledged or is too old, giving space back,
//! checkpointing the write-ahead log, and closing.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use goldentime_model::UnixNanos;
use sqlx::Connection;

use super::commit::set_meta;
use super::evict::Removed;
use super::open::meta;
use super::{Spool, SpoolError, Writer};
use crate::ship::outgoing::StreamId;

/// The write-ahead log is folded into the file after this many bytes of flushes. A checkpoint reads
/// back what was written, so that a small one is cheap, and each costs an fsync.
const CHECKPOINT_BYTES: u64 = 1 << 20;

/// Space is given back to the file system after this many bytes were freed.
const VACUUM_BYTES: u64 = 4 << 20;

impl Spool {
    /// Removes what was acknowledged and what was flushed longer ago than the maximum age; folds the
    /// write-ahead log and gives space back when enough has gathered. Call about once a second.
    pub async fn upkeep(&self, now: UnixNanos) -> Result<(), SpoolError> {
        let mut writer = self.writer().await?;
        let done = self.upkeep_on(&mut writer, now).await;
        writer.has_failed = done.is_err();
        done
    }

    async fn upkeep_on(&self, writer: &mut Writer, now: UnixNanos) -> Result<(), SpoolError> {
        let age_max_ns = self.0.age_max_ns.load(Ordering::Relaxed);
        let mut removed = Removed::default();
        let applied = self.acknowledged();

        if self.usage().records > 0 {
            let mut transaction = writer.connection.begin().await.map_err(self.fail("beginning upkeep"))?;
            self.remove_acknowledged(&mut transaction, &mut removed).await?;
            self.remove_old(&mut transaction, now.0.saturating_sub(age_max_ns), &mut removed).await?;
            transaction.commit().await.map_err(self.fail("committing upkeep"))?;
        }
        self.forget_acknowledged(&applied);
        self.settle(writer, removed);

        if writer.freed_bytes >= VACUUM_BYTES {
            sqlx::query("PRAGMA incremental_vacuum")
                .execute(&mut writer.connection)
                .await
                .map_err(self.fail("giving space back"))?;
            writer.freed_bytes = 0;
        }
        if writer.uncheckpointed_bytes >= CHECKPOINT_BYTES {
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
                .execute(&mut writer.connection)
                .await
                .map_err(self.fail("folding the write-ahead log"))?;
            writer.uncheckpointed_bytes = 0;
        }
        Ok(())
    }

    /// Upkeep, and a note that the spool was closed. To be called once, after the last flush; a spool
    /// that is dropped without it is as after a kill.
    pub async fn close(&self, now: UnixNanos) -> Result<(), SpoolError> {
        self.upkeep(now).await?;
        let mut writer = self.writer().await?;
        set_meta(&mut writer.connection, "session", "closed").await.map_err(self.fail("noting the end"))?;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut writer.connection)
            .await
            .map_err(self.fail("folding the write-ahead log"))?;
        writer.session_noted = false;
        Ok(())
    }

    /// Keeps a word under `name` over restarts.
    pub async fn remember(&self, name: &str, value: &str) -> Result<(), SpoolError> {
        let mut writer = self.0.writer.lock().await;
        set_meta(&mut writer.connection, name, value).await.map_err(self.fail("remembering a word"))
    }

    /// What was remembered under `name`.
    pub async fn recall(&self, name: &str) -> Result<Option<String>, SpoolError> {
        let mut writer = self.0.writer.lock().await;
        meta(&mut writer.connection, name).await.map_err(self.fail("recalling a word"))
    }

    /// Forgets notes that were applied, unless a higher number came meanwhile.
    fn forget_acknowledged(&self, applied: &HashMap<(StreamId, u32), u64>) {
        self.0
            .acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|identity, number| applied.get(identity).is_none_or(|done| done < number));
    }
}
