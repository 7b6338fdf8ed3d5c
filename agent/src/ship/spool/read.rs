//! What the uplink reads back: which numbers wait, and their records.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::sync::{MappedMutexGuard, MutexGuard};

use super::open::{options, unsigned};
use super::{Spool, SpoolError};
use crate::ship::outgoing::{Outgoing, RecordKind, StreamId};

/// What waits of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPending {
    /// The stream.
    pub stream: StreamId,
    /// Kind of its records.
    pub kind: RecordKind,
    /// New records are numbered in it.
    pub is_current: bool,
    /// By partition, the numbers in use.
    pub partitions: BTreeMap<u32, PartitionPending>,
}

/// Numbers of one partition of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionPending {
    /// The next new number.
    pub next: u64,
    /// Bytes that wait.
    pub bytes: u64,
}

/// seq, stream, kind, partition, number, body
type Row = (i64, Vec<u8>, i64, i64, i64, Vec<u8>);

impl Spool {
    /// The streams of the agent, the current ones first, then those left by earlier runs in the
    /// order in which they were opened.
    pub async fn streams(&self) -> Result<Vec<StreamPending>, SpoolError> {
        let current = self.0.writer.lock().await.current.clone();
        let mut streams: Vec<StreamPending> = RecordKind::ALL
            .into_iter()
            .map(|kind| {
                let numbers = current.next_numbers(kind).into_iter();
                let partitions =
                    numbers.map(|(partition, next)| (partition, PartitionPending { next, bytes: 0 }));
                StreamPending {
                    stream: current.id(kind),
                    kind,
                    is_current: true,
                    partitions: partitions.collect(),
                }
            })
            .collect();
        let rows: Vec<(Vec<u8>, i64, i64, i64, i64)> = sqlx::query_as(
            "SELECT stream.id, stream.kind, record.partition, max(record.number), sum(record.bytes) \
             FROM record JOIN stream ON stream.key = record.stream \
             GROUP BY record.stream, record.partition ORDER BY record.stream, record.partition",
        )
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(self.fail("listing streams"))?;
        for (id, kind, partition, highest, bytes) in rows {
            let (Some(stream), Some(kind), Ok(partition)) =
                (StreamId::from_slice(&id), RecordKind::from_code(kind), u32::try_from(partition))
            else {
                continue;
            };
            let at = streams.iter().position(|known| known.stream == stream).unwrap_or_else(|| {
                streams.push(StreamPending { stream, kind, is_current: false, partitions: BTreeMap::new() });
                streams.len() - 1
            });
            let next = unsigned(highest) + 1;
            let known =
                streams[at].partitions.entry(partition).or_insert(PartitionPending { next, bytes: 0 });
            known.next = known.next.max(next);
            known.bytes = unsigned(bytes);
        }
        Ok(streams)
    }

    /// Records of (stream, partition) above `number`, in order, up to about `bytes_max` (at least
    /// one, if there is one).
    pub async fn read_after(
        &self,
        stream: StreamId,
        partition: u32,
        number: u64,
        bytes_max: usize,
    ) -> Result<Vec<Outgoing>, SpoolError> {
        let mut reader = self.reader().await?;
        let rows = sqlx::query_as(
            "SELECT record.seq, stream.id, record.kind, record.partition, record.number, record.body \
             FROM record JOIN stream ON stream.key = record.stream \
             WHERE stream.id = ? AND record.partition = ? AND record.number > ? ORDER BY record.number",
        )
        .bind(stream.0.to_vec())
        .bind(i64::from(partition))
        .bind(number.cast_signed())
        .fetch(&mut *reader);
        let records = up_to(rows, bytes_max).await.map_err(self.fail("reading what to send again"))?;
        Ok(records.into_iter().map(|(_, record)| record).collect())
    }

    /// Records of earlier streams flushed after the place `after_seq` (0: from the oldest), each with
    /// its place, in the order of their flushes, up to about `bytes_max` (at least one, if there is
    /// one).
    pub async fn read_backlog(
        &self,
        after_seq: i64,
        bytes_max: usize,
    ) -> Result<Vec<(i64, Outgoing)>, SpoolError> {
        let mut reader = self.reader().await?;
        let rows = sqlx::query_as(
            "SELECT record.seq, stream.id, record.kind, record.partition, record.number, record.body \
             FROM record JOIN stream ON stream.key = record.stream \
             WHERE record.seq > ? AND record.seq < ? ORDER BY record.seq",
        )
        .bind(after_seq)
        .bind(self.0.current_from_seq.load(Ordering::Acquire))
        .fetch(&mut *reader);
        up_to(rows, bytes_max).await.map_err(self.fail("reading the backlog"))
    }

    async fn reader(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, SpoolError> {
        let mut guard = self.0.reader.lock().await;
        if guard.is_none() {
            let reader = options(&self.0.path, self.0.limits.durability)
                .connect()
                .await
                .map_err(self.fail("opening it for reading"))?;
            *guard = Some(reader);
        }
        Ok(MutexGuard::map(guard, |reader| reader.as_mut().expect("opened above")))
    }

    /// Closes the reading connection until it is needed again.
    pub async fn finish_reading(&self) {
        drop(self.0.reader.lock().await.take());
    }
}

/// Takes rows until they have `bytes_max`. Rows of a kind that this build does not know cannot be
/// there: the layout's version would be newer.
async fn up_to(
    mut rows: BoxStream<'_, Result<Row, sqlx::Error>>,
    bytes_max: usize,
) -> Result<Vec<(i64, Outgoing)>, sqlx::Error> {
    let mut records = Vec::new();
    let mut bytes = 0;
    while bytes < bytes_max {
        let Some((seq, id, kind, partition, number, body)) = rows.try_next().await? else { break };
        let (Some(stream), Some(kind), Ok(partition)) =
            (StreamId::from_slice(&id), RecordKind::from_code(kind), u32::try_from(partition))
        else {
            continue;
        };
        bytes += body.len();
        let number = unsigned(number);
        records.push((seq, Outgoing { stream, kind, partition, number, body: body.into() }));
    }
    Ok(records)
}
