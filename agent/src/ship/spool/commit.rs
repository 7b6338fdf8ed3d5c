//! Taking a flush.

use std::sync::atomic::Ordering;

use goldentime_model::UnixNanos;
use sqlx::{Connection, SqliteConnection};

use super::streams::CurrentStreams;
use super::{Flush, NewRecord, RECORD_OVERHEAD_BYTES, Spool, SpoolError, Writer};
use crate::aggregate::{PositionKey, PositionUpdate};
use crate::ship::outgoing::{Outgoing, RecordKind};

/// Name under which the spool remembers how many requests were flushed.
pub(super) const REQUESTS: &str = "requests_flushed";

impl Spool {
    /// Commits a flush and gives its records with their identity, in order.
    ///
    /// On an error nothing was committed and the same flush may be given again. Not cancel safe: a
    /// future that is dropped may or may not have committed.
    pub async fn commit(&self, flush: &Flush) -> Result<Vec<Outgoing>, SpoolError> {
        let mut writer = self.writer().await?;
        let committed = self.commit_on(&mut writer, flush).await;
        writer.has_failed = committed.is_err();
        committed
    }

    async fn commit_on(&self, writer: &mut Writer, flush: &Flush) -> Result<Vec<Outgoing>, SpoolError> {
        let needed_bytes = flush.records.iter().map(|record| cost_bytes(record.body.len())).sum();
        let is_of_requests = |record: &&NewRecord| record.kind == RecordKind::Deltas;
        let requests: u64 = flush.records.iter().filter(is_of_requests).map(|record| record.events).sum();
        let requests = self.requests() + requests;

        let mut current = writer.current.clone();
        let mut transaction = writer.connection.begin().await.map_err(self.fail("beginning a flush"))?;
        if !writer.session_noted {
            note_session(&mut transaction, &writer.boot_id)
                .await
                .map_err(self.fail("noting this session"))?;
        }
        let evicted = self.make_room(&mut transaction, needed_bytes).await?;
        let mut seq = writer.next_seq;
        let mut outgoing = Vec::with_capacity(flush.records.len());
        for record in &flush.records {
            let key = stream_key(&mut transaction, &mut current, record.kind, flush.flushed_at)
                .await
                .map_err(self.fail("opening a stream"))?;
            let number = current.take_number(record.kind, record.partition);
            sqlx::query(
                "INSERT INTO record (seq, stream, kind, partition, number, flushed_ns, events, bytes, body) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(seq)
            .bind(key)
            .bind(record.kind.code())
            .bind(i64::from(record.partition))
            .bind(number.cast_signed())
            .bind(flush.flushed_at.0)
            .bind(record.events.cast_signed())
            .bind(cost_bytes(record.body.len()).cast_signed())
            .bind(record.body.as_ref())
            .execute(&mut *transaction)
            .await
            .map_err(self.fail("writing a record"))?;
            seq += 1;
            outgoing.push(Outgoing {
                stream: current.id(record.kind),
                kind: record.kind,
                partition: record.partition,
                number,
                body: record.body.clone(),
            });
        }
        write_positions(&mut transaction, &flush.positions).await.map_err(self.fail("writing positions"))?;
        if requests != self.requests() {
            set_meta(&mut transaction, REQUESTS, &requests.to_string())
                .await
                .map_err(self.fail("noting how many requests were flushed"))?;
        }
        transaction.commit().await.map_err(self.fail("committing a flush"))?;

        self.0.requests.store(requests, Ordering::Relaxed);
        writer.current = current;
        writer.next_seq = seq;
        writer.session_noted = true;
        writer.uncheckpointed_bytes += needed_bytes + RECORD_OVERHEAD_BYTES;
        self.settle(writer, evicted);
        self.add_usage(needed_bytes, outgoing.len() as u64);
        Ok(outgoing)
    }
}

/// What a record of `body_bytes` takes of the quota.
pub(super) const fn cost_bytes(body_bytes: usize) -> u64 {
    body_bytes as u64 + RECORD_OVERHEAD_BYTES
}

/// Says who writes from now on, so that the next start can tell a clean end from another.
async fn note_session(connection: &mut SqliteConnection, boot_id: &str) -> Result<(), sqlx::Error> {
    set_meta(connection, "session", boot_id).await
}

pub(super) async fn set_meta(
    connection: &mut SqliteConnection,
    name: &str,
    value: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(name)
        .bind(value)
        .execute(connection)
        .await
        .map(drop)
}

async fn stream_key(
    connection: &mut SqliteConnection,
    current: &mut CurrentStreams,
    kind: RecordKind,
    now: UnixNanos,
) -> Result<i64, sqlx::Error> {
    if let Some(key) = current.key(kind) {
        return Ok(key);
    }
    let key = sqlx::query_scalar("INSERT INTO stream (id, kind, opened_ns) VALUES (?, ?, ?) RETURNING key")
        .bind(current.id(kind).0.as_slice())
        .bind(kind.code())
        .bind(now.0)
        .fetch_one(connection)
        .await?;
    current.set_key(kind, key);
    Ok(key)
}

async fn write_positions(
    connection: &mut SqliteConnection,
    positions: &[(PositionKey, PositionUpdate)],
) -> Result<(), sqlx::Error> {
    for (key, update) in positions {
        let query = match update {
            PositionUpdate::Set(value) => sqlx::query(
                "INSERT INTO position (input, source, value) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (input, source) DO UPDATE SET value = excluded.value",
            )
            .bind(&*key.input)
            .bind(&*key.source)
            .bind(value.as_slice()),
            PositionUpdate::Forget => sqlx::query("DELETE FROM position WHERE input = ?1 AND source = ?2")
                .bind(&*key.input)
                .bind(&*key.source),
        };
        query.execute(&mut *connection).await?;
    }
    Ok(())
}
