//! Making room: what leaves the spool unsent, and what that costs.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::open::unsigned;
use super::{Spool, SpoolError, Writer};
use crate::ship::outgoing::{RecordKind, StreamId};

/// Records removed by one statement, so that a sweep of a full spool works in steps.
const STEP_RECORDS: i64 = 256;

/// Who makes room first: log lines can be read again on the host, deltas are what pages rest on.
const EVICTION_ORDER: [RecordKind; 3] = [RecordKind::Logs, RecordKind::Samples, RecordKind::Deltas];

/// Why something left unsent, as metrics and `status` name it.
const SPOOL_FULL: &str = "spool_full";
const SPOOL_TOO_OLD: &str = "spool_too_old";

/// What a transaction removes; applied to the counts once it is committed.
#[derive(Debug, Default)]
pub(super) struct Removed {
    bytes: u64,
    records: u64,
    /// Events lost, by reason. Acknowledged records are removed without a loss.
    lost: BTreeMap<&'static str, u64>,
}

impl Removed {
    fn take(&mut self, rows: &[(i64, i64)], lost_for: Option<&'static str>) {
        for (bytes, events) in rows {
            self.bytes += unsigned(*bytes);
            self.records += 1;
            if let Some(reason) = lost_for {
                *self.lost.entry(reason).or_default() += unsigned(*events);
            }
        }
    }
}

impl Spool {
    /// Removes the oldest records until `needed_bytes` more fit the quota.
    pub(super) async fn make_room(
        &self,
        connection: &mut SqliteConnection,
        needed_bytes: u64,
    ) -> Result<Removed, SpoolError> {
        let mut removed = Removed::default();
        let bytes_max = self.0.limits.bytes_max;
        let has_room = |removed: &Removed| {
            self.usage().bytes.saturating_sub(removed.bytes).saturating_add(needed_bytes) <= bytes_max
        };
        if has_room(&removed) {
            return Ok(removed);
        }
        // What the central has is no loss: it goes first.
        self.remove_acknowledged(connection, &mut removed).await?;
        for kind in EVICTION_ORDER {
            while !has_room(&removed) {
                let rows: Vec<(i64, i64)> = sqlx::query_as(
                    "DELETE FROM record WHERE seq IN \
                     (SELECT seq FROM record WHERE kind = ? ORDER BY seq LIMIT ?) RETURNING bytes, events",
                )
                .bind(kind.code())
                .bind(STEP_RECORDS)
                .fetch_all(&mut *connection)
                .await
                .map_err(self.fail("making room"))?;
                if rows.is_empty() {
                    break;
                }
                removed.take(&rows, Some(SPOOL_FULL));
            }
        }
        Ok(removed)
    }

    /// Removes everything that was acknowledged. The notes of it are kept until
    /// [`forget_acknowledged`](Self::forget_acknowledged), so that a rolled back transaction loses none.
    pub(super) async fn remove_acknowledged(
        &self,
        connection: &mut SqliteConnection,
        removed: &mut Removed,
    ) -> Result<(), SpoolError> {
        for ((stream, partition), number) in self.acknowledged() {
            let rows: Vec<(i64, i64)> = sqlx::query_as(
                "DELETE FROM record WHERE stream = (SELECT key FROM stream WHERE id = ?) \
                 AND partition = ? AND number <= ? RETURNING bytes, events",
            )
            .bind(stream.0.to_vec())
            .bind(i64::from(partition))
            .bind(number.cast_signed())
            .fetch_all(&mut *connection)
            .await
            .map_err(self.fail("removing what was acknowledged"))?;
            removed.take(&rows, None);
        }
        Ok(())
    }

    /// Removes what was flushed before `flushed_before_ns`.
    pub(super) async fn remove_old(
        &self,
        connection: &mut SqliteConnection,
        flushed_before_ns: i64,
        removed: &mut Removed,
    ) -> Result<(), SpoolError> {
        loop {
            let rows: Vec<(i64, i64)> = sqlx::query_as(
                "DELETE FROM record WHERE seq IN (SELECT seq FROM record ORDER BY seq LIMIT ?) \
                 AND flushed_ns < ? RETURNING bytes, events",
            )
            .bind(STEP_RECORDS)
            .bind(flushed_before_ns)
            .fetch_all(&mut *connection)
            .await
            .map_err(self.fail("removing what is too old"))?;
            removed.take(&rows, Some(SPOOL_TOO_OLD));
            if (rows.len() as i64) < STEP_RECORDS {
                return Ok(());
            }
        }
    }

    /// Removes one record that could never be sent, and counts what it held as lost for `reason`.
    pub async fn discard(
        &self,
        stream: StreamId,
        partition: u32,
        number: u64,
        reason: &'static str,
    ) -> Result<(), SpoolError> {
        let mut writer = self.writer().await?;
        let removed = sqlx::query_as(
            "DELETE FROM record WHERE stream = (SELECT key FROM stream WHERE id = ?) AND partition = ? \
             AND number = ? RETURNING bytes, events",
        )
        .bind(stream.0.to_vec())
        .bind(i64::from(partition))
        .bind(number.cast_signed())
        .fetch_all(&mut writer.connection)
        .await
        .map_err(self.fail("discarding a record"));
        writer.has_failed = removed.is_err();
        let (rows, mut discarded): (Vec<(i64, i64)>, _) = (removed?, Removed::default());
        discarded.take(&rows, Some(reason));
        self.settle(&mut writer, discarded);
        Ok(())
    }

    /// Counts what a committed transaction removed.
    pub(super) fn settle(&self, writer: &mut Writer, removed: Removed) {
        if removed.records == 0 {
            return;
        }
        writer.freed_bytes += removed.bytes;
        self.subtract_usage(removed.bytes, removed.records);
        for (reason, events) in removed.lost {
            tracing::warn!(reason, events, "dropped what was never sent");
            self.0.ledger.add("spool", reason, events);
        }
    }
}
