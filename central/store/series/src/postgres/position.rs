//! A partition's row: how far the store has come, and whoever may write about the partition.

use goldentime_follower::{Advance, Mark, Position, StreamPosition};
use goldentime_model::{Second, UnixNanos};
use goldentime_postgres::{Database, Error};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use crate::resolution::Resolution;
use crate::state::State;

/// Most streams of a partition that are read back: the newest by log time.
const STREAMS_MAX: i64 = 100_000;

/// Streams written by one statement.
const STREAMS_PER_STATEMENT: usize = 5_000;

/// What a partition's row says beside the position. Whoever has it holds the row's lock until the end of the
/// transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) number: u32,
    pub(super) log_time: UnixNanos,
    pub(super) state: State,
    /// First second of the oldest row of each width.
    pub(super) oldest: [Option<Second>; 3],
    /// Series that were known in an earlier epoch may be forgotten.
    pub(super) names_epoch: i64,
}

const COLUMNS: &str = "partition, log_time_ns, rolled_s, let_go_s, oldest_s, names_epoch";

/// The position of a partition; `None` where it was never read.
pub(super) async fn load(database: &Database, partition: u32) -> Result<Option<Position>, Error> {
    let mut on = database.read().await?;
    let found = sqlx::query("SELECT generation, log_offset, log_time_ns FROM positions WHERE partition = $1")
        .bind(i64::from(partition))
        .fetch_optional(&mut *on)
        .await?;
    let Some(row) = found else {
        on.commit().await?;
        return Ok(None);
    };
    let mark = Mark { generation: number(&row, "generation")?, offset: row.try_get::<i64, _>(1)? as u64 };
    let log_time = UnixNanos(row.try_get(2)?);
    let rows = sqlx::query(
        "SELECT stream, number, log_time_ns FROM streams WHERE partition = $1 \
         ORDER BY log_time_ns DESC LIMIT $2",
    )
    .bind(i64::from(partition))
    .bind(STREAMS_MAX)
    .fetch_all(&mut *on)
    .await?;
    on.commit().await?;
    let mut streams = Vec::with_capacity(rows.len());
    for row in &rows {
        let stream = <[u8; 16]>::try_from(row.try_get::<&[u8], _>(0)?);
        let stream = stream.map_err(|_| Error::Corrupt("a stream's id is not 16 bytes long".into()))?;
        let number = row.try_get::<i64, _>(1)? as u64;
        streams.push(StreamPosition { stream, number, log_time: UnixNanos(row.try_get(2)?) });
    }
    Ok(Some(Position { mark, log_time, streams }))
}

/// Takes a step by compare-and-set, with its streams; `None` where the partition does not stand where the
/// step was made. A writer that comes at the same time waits here for the other, and then finds that.
pub(super) async fn advance(on: &mut PgConnection, advance: &Advance) -> Result<Option<Partition>, Error> {
    let taken = match advance.from {
        Some(from) => {
            let set = sqlx::query(
                "UPDATE positions SET generation = $2, log_offset = $3, log_time_ns = $4 \
                 WHERE partition = $1 AND generation = $5 AND log_offset = $6 \
                 RETURNING partition, log_time_ns, rolled_s, let_go_s, oldest_s, names_epoch",
            );
            let set = to(set, advance).bind(i64::from(from.generation)).bind(from.offset as i64);
            set.fetch_optional(&mut *on).await?
        }
        None => {
            let state = State::begin(advance.log_time.second());
            let made = sqlx::query(
                "INSERT INTO positions (partition, generation, log_offset, log_time_ns, rolled_s, let_go_s, \
                 oldest_s) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING \
                 RETURNING partition, log_time_ns, rolled_s, let_go_s, oldest_s, names_epoch",
            );
            let made = to(made, advance)
                .bind(state.rolled_until.0)
                .bind(state.dropped_until.map(|second| second.0))
                .bind([None::<i64>; 3]);
            made.fetch_optional(&mut *on).await?
        }
    };
    let Some(row) = taken else { return Ok(None) };
    note_streams(on, advance).await?;
    partition(&row).map(Some)
}

/// Every partition, as it stands in this transaction and without a lock.
pub(super) async fn all(on: &mut PgConnection) -> Result<Vec<Partition>, Error> {
    let sql = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM positions ORDER BY partition"));
    sqlx::query(sql).fetch_all(on).await?.iter().map(partition).collect()
}

/// The same as of now.
pub(super) async fn at_present(database: &Database) -> Result<Vec<Partition>, Error> {
    let mut on = database.session().await?;
    let partitions = all(&mut on).await?;
    on.release();
    Ok(partitions)
}

/// Locks a partition; `None` while somebody else writes about it.
pub(super) async fn lock(on: &mut PgConnection, number: u32) -> Result<Option<Partition>, Error> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM positions WHERE partition = $1 FOR UPDATE SKIP LOCKED"
    ));
    let row = sqlx::query(sql).bind(i64::from(number)).fetch_optional(on).await?;
    row.as_ref().map(partition).transpose()
}

/// Writes what has changed of a partition that is locked, but for its position.
pub(super) async fn save(on: &mut PgConnection, partition: &Partition) -> Result<(), Error> {
    sqlx::query(
        "UPDATE positions SET rolled_s = $2, let_go_s = $3, oldest_s = $4, names_epoch = $5 \
         WHERE partition = $1",
    )
    .bind(i64::from(partition.number))
    .bind(partition.state.rolled_until.0)
    .bind(partition.state.dropped_until.map(|second| second.0))
    .bind(partition.oldest.map(|oldest| oldest.map(|second| second.0)))
    .bind(partition.names_epoch)
    .execute(on)
    .await?;
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn to<'q>(query: Query<'q>, advance: &Advance) -> Query<'q> {
    query
        .bind(i64::from(advance.partition))
        .bind(i64::from(advance.to.generation))
        .bind(advance.to.offset as i64)
        .bind(advance.log_time.0)
}

async fn note_streams(on: &mut PgConnection, advance: &Advance) -> Result<(), Error> {
    for streams in advance.streams.chunks(STREAMS_PER_STATEMENT) {
        sqlx::query(
            "INSERT INTO streams (partition, stream, number, log_time_ns) \
             SELECT $1, * FROM unnest($2::bytea[], $3::bigint[], $4::bigint[]) \
             ON CONFLICT (partition, stream) DO UPDATE SET \
               number = excluded.number, log_time_ns = excluded.log_time_ns",
        )
        .bind(i64::from(advance.partition))
        .bind(streams.iter().map(|stream| stream.stream.to_vec()).collect::<Vec<_>>())
        .bind(streams.iter().map(|stream| stream.number as i64).collect::<Vec<_>>())
        .bind(streams.iter().map(|stream| stream.log_time.0).collect::<Vec<_>>())
        .execute(&mut *on)
        .await?;
    }
    if let Some(before) = advance.forget_before {
        sqlx::query("DELETE FROM streams WHERE partition = $1 AND log_time_ns < $2")
            .bind(i64::from(advance.partition))
            .bind(before.0)
            .execute(on)
            .await?;
    }
    Ok(())
}

fn partition(row: &PgRow) -> Result<Partition, Error> {
    let three = |what: &str| Error::Corrupt(format!("the partition's `{what}` has not three entries"));
    let let_go = row.try_get::<Vec<i64>, _>("let_go_s")?;
    let oldest = row.try_get::<Vec<Option<i64>>, _>("oldest_s")?;
    let let_go = <[i64; 3]>::try_from(let_go).map_err(|_| three("let_go_s"))?;
    let oldest = <[Option<i64>; 3]>::try_from(oldest).map_err(|_| three("oldest_s"))?;
    Ok(Partition {
        number: number(row, "partition")?,
        log_time: UnixNanos(row.try_get("log_time_ns")?),
        state: State { rolled_until: Second(row.try_get("rolled_s")?), dropped_until: let_go.map(Second) },
        oldest: oldest.map(|oldest| oldest.map(Second)),
        names_epoch: row.try_get("names_epoch")?,
    })
}

fn number(row: &PgRow, column: &str) -> Result<u32, Error> {
    let number: i64 = row.try_get(column)?;
    u32::try_from(number).map_err(|_| Error::Corrupt(format!("{column} {number} is out of range")))
}

impl Partition {
    /// Notes that there are rows from `start` on.
    pub(super) fn note_oldest(&mut self, tier: Resolution, start: Option<Second>) {
        let known = &mut self.oldest[tier.index()];
        *known = known.iter().chain(&start).min().copied();
    }
}
