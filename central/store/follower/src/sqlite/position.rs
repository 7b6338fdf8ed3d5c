//! The position within a file, read and moved within the caller's transaction.

use goldentime_model::UnixNanos;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::{Advance, Mark, Position, StreamPosition};

/// Most streams of a partition that are read back: the newest by log time.
const STREAMS_MAX: i64 = 100_000;

/// Rows in one statement: four values each, far below SQLite's limit of 32,766.
const ROWS_PER_STATEMENT: usize = 256;

/// The position of a partition; `None` where it was never read.
pub async fn load(on: &mut SqliteConnection, partition: u32) -> Result<Option<Position>, sqlx::Error> {
    let found = sqlx::query("SELECT generation, offset, log_time_ns FROM positions WHERE partition = ?")
        .bind(partition)
        .fetch_optional(&mut *on)
        .await?;
    let Some(row) = found else { return Ok(None) };
    let mark = Mark { generation: row.try_get(0)?, offset: row.try_get::<i64, _>(1)? as u64 };
    let log_time = UnixNanos(row.try_get(2)?);
    let rows = sqlx::query(
        "SELECT stream, number, log_time_ns FROM streams WHERE partition = ? \
         ORDER BY log_time_ns DESC LIMIT ?",
    )
    .bind(partition)
    .bind(STREAMS_MAX)
    .fetch_all(&mut *on)
    .await?;
    let mut streams = Vec::with_capacity(rows.len());
    for row in &rows {
        let stream = <[u8; 16]>::try_from(row.try_get::<&[u8], _>(0)?);
        let stream = stream.map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let number = row.try_get::<i64, _>(1)? as u64;
        streams.push(StreamPosition { stream, number, log_time: UnixNanos(row.try_get(2)?) });
    }
    Ok(Some(Position { mark, log_time, streams }))
}

/// Whether a partition still stands where a step was made.
pub async fn is_current(on: &mut SqliteConnection, advance: &Advance) -> Result<bool, sqlx::Error> {
    let found = sqlx::query("SELECT generation, offset FROM positions WHERE partition = ?")
        .bind(advance.partition)
        .fetch_optional(&mut *on)
        .await?;
    let stands = match found {
        Some(row) => Some(Mark { generation: row.try_get(0)?, offset: row.try_get::<i64, _>(1)? as u64 }),
        None => None,
    };
    Ok(stands == advance.from)
}

/// Moves a partition on. Ask [`is_current`] first, in the same transaction.
pub async fn advance(on: &mut SqliteConnection, advance: &Advance) -> Result<(), sqlx::Error> {
    for streams in advance.streams.chunks(ROWS_PER_STATEMENT) {
        let mut upsert: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO streams (partition, stream, number, log_time_ns) ");
        upsert.push_values(streams, |mut row, stream| {
            row.push_bind(advance.partition)
                .push_bind(stream.stream.to_vec())
                .push_bind(stream.number as i64)
                .push_bind(stream.log_time.0);
        });
        upsert
            .push(" ON CONFLICT DO UPDATE SET number = excluded.number, log_time_ns = excluded.log_time_ns");
        upsert.build().execute(&mut *on).await?;
    }
    if let Some(before) = advance.forget_before {
        sqlx::query("DELETE FROM streams WHERE partition = ? AND log_time_ns < ?")
            .bind(advance.partition)
            .bind(before.0)
            .execute(&mut *on)
            .await?;
    }
    sqlx::query(
        "INSERT INTO positions (partition, generation, offset, log_time_ns) VALUES (?, ?, ?, ?) \
         ON CONFLICT DO UPDATE SET generation = excluded.generation, offset = excluded.offset, \
           log_time_ns = excluded.log_time_ns",
    )
    .bind(advance.partition)
    .bind(advance.to.generation)
    .bind(advance.to.offset as i64)
    .bind(advance.log_time.0)
    .execute(&mut *on)
    .await
    .map(drop)
}
