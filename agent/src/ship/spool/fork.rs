//! Leaving the current streams, because they have too much unsent or because they are not ours.

use std::sync::atomic::Ordering;

use sqlx::{Connection, SqliteConnection};

use super::streams::CurrentStreams;
use super::{Spool, SpoolError, Writer};
use crate::ship::outgoing::{RecordKind, StreamId};

impl Spool {
    /// Opens new streams. What waits of the old ones is backlog from now on, under its own numbers.
    pub async fn rotate(&self) -> Result<(), SpoolError> {
        let mut writer = self.0.writer.lock().await;
        writer.current = CurrentStreams::open()?;
        self.become_backlog(&writer);
        Ok(())
    }

    /// Opens new streams because another agent, a clone of this one, has used numbers of the current
    /// ones. What waits of those was never taken by the central under our name: it gets streams of
    /// its own, numbered from 1.
    pub async fn fork(&self) -> Result<(), SpoolError> {
        let mut guard = self.0.writer.lock().await;
        let writer = &mut *guard;
        let next = CurrentStreams::open()?;
        let mut transaction = writer.connection.begin().await.map_err(self.fail("beginning a fork"))?;
        for key in RecordKind::ALL.into_iter().filter_map(|kind| writer.current.key(kind)) {
            let id = StreamId::random().map_err(SpoolError::Random)?;
            number_from_one(&mut transaction, key).await.map_err(self.fail("numbering a forked stream"))?;
            sqlx::query("UPDATE stream SET id = ? WHERE key = ?")
                .bind(id.0.to_vec())
                .bind(key)
                .execute(&mut *transaction)
                .await
                .map_err(self.fail("renaming a forked stream"))?;
        }
        transaction.commit().await.map_err(self.fail("committing a fork"))?;
        writer.current = next;
        self.become_backlog(writer);
        Ok(())
    }

    fn become_backlog(&self, writer: &Writer) {
        self.0.current_from_seq.store(writer.next_seq, Ordering::Release);
    }
}

/// Numbers what waits of a stream from 1, in two steps by way of negative numbers: in one, a record
/// would meet the number of another that is still to be changed.
async fn number_from_one(connection: &mut SqliteConnection, stream_key: i64) -> Result<(), sqlx::Error> {
    let lowest: Vec<(i64, i64)> =
        sqlx::query_as("SELECT partition, min(number) FROM record WHERE stream = ? GROUP BY partition")
            .bind(stream_key)
            .fetch_all(&mut *connection)
            .await?;
    for (partition, lowest) in lowest {
        sqlx::query("UPDATE record SET number = ? - 1 - number WHERE stream = ? AND partition = ?")
            .bind(lowest)
            .bind(stream_key)
            .bind(partition)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("UPDATE record SET number = -number WHERE stream = ?")
        .bind(stream_key)
        .execute(connection)
        .await
        .map(drop)
}
