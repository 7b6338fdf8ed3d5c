//! Where a point stands in its table, and how its value is written.

use goldentime_follower::StoreError;
use goldentime_follower::sqlite::File;
use goldentime_model::{Counts, Second};
use goldentime_windows::Aggregate;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite, SqliteConnection};

use crate::reading::Reading;
use crate::resolution::Resolution;

/// Width of the stretch of time whose rows lie together, in seconds.
///
/// Ten seconds are written again and again by every step: the rows of all series lie side by side, so
/// that a step changes few pages. Minutes and hours are written once per series and stretch, and read by
/// series, so a series' rows of an hour and of a day lie side by side.
pub(super) const fn chunk_s(tier: Resolution) -> i64 {
    match tier {
        Resolution::TenSeconds => 10,
        Resolution::Minute => 3_600,
        Resolution::Hour => 86_400,
    }
}

/// The chunk that holds a second.
pub(super) const fn chunk_of(tier: Resolution, second: Second) -> i64 {
    second.0.div_euclid(chunk_s(tier))
}

/// First second of a chunk.
pub(super) const fn chunk_start(tier: Resolution, chunk: i64) -> Second {
    Second(chunk * chunk_s(tier))
}

/// A place in a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) tier: Resolution,
    pub(super) partition: u32,
    pub(super) series: i64,
    /// First second of the bucket.
    pub(super) start: Second,
}

/// The rows of one series in a stretch of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) tier: Resolution,
    pub(super) partition: u32,
    pub(super) series: i64,
    pub(super) from: Second,
    pub(super) until: Second,
}

/// The statements of one table.
pub(super) struct Statements {
    get: &'static str,
    put: &'static str,
    range: &'static str,
    pub(super) series: &'static str,
    pub(super) oldest_from: &'static str,
    pub(super) delete: &'static str,
}

/// What a table holds.
pub(super) trait Value: Clone + Send + Sync {
    const TABLE: Statements;

    fn merge(&mut self, other: &Self);

    /// Binds the columns of the value.
    fn bind<'q>(&self, start: Second, to: Bound<'q>) -> Bound<'q>;

    /// Reads them back, from column `at` on; an error says what is wrong.
    fn read(row: &SqliteRow, at: usize, start: Second) -> Result<Self, String>;
}

pub(super) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

macro_rules! statements {
    ($table:literal, $columns:literal, $values:literal) => {
        Statements {
            get: concat!(
                "SELECT ",
                $columns,
                " FROM ",
                $table,
                " WHERE tier = ? AND partition = ? AND chunk = ? AND series = ? AND slot = ?"
            ),
            put: concat!(
                "INSERT OR REPLACE INTO ",
                $table,
                " (tier, partition, chunk, series, slot, ",
                $columns,
                ") VALUES (?, ?, ?, ?, ?, ",
                $values,
                ")"
            ),
            // Chunk by chunk, each a look-up by the key: rows of other series between them are not read.
            range: concat!(
                "WITH RECURSIVE chunks (chunk) AS (SELECT ?1 UNION ALL ",
                "SELECT chunk + 1 FROM chunks WHERE chunk < ?2) ",
                "SELECT p.chunk, p.slot, ",
                $columns,
                " FROM chunks CROSS JOIN ",
                $table,
                " p ",
                "WHERE p.tier = ?3 AND p.partition = ?4 AND p.chunk = chunks.chunk AND p.series = ?5"
            ),
            series: concat!(
                "SELECT DISTINCT series FROM ",
                $table,
                " WHERE tier = ? AND partition = ? AND chunk >= ? AND chunk < ?"
            ),
            oldest_from: concat!(
                "SELECT chunk FROM ",
                $table,
                " WHERE tier = ? AND partition = ? AND chunk >= ? ORDER BY chunk LIMIT 1"
            ),
            delete: concat!("DELETE FROM ", $table, " WHERE tier = ? AND partition = ? AND chunk < ?"),
        }
    };
}

impl Value for Aggregate {
    const TABLE: Statements =
        statements!("request_points", "ok, client_error, server_error, timeout, sketch", "?, ?, ?, ?, ?");

    fn merge(&mut self, other: &Self) {
        self.merge(other);
    }

    fn bind<'q>(&self, _: Second, to: Bound<'q>) -> Bound<'q> {
        let counts = &self.counts;
        let mut sketch = Vec::new();
        self.latency.encode_wire(&mut sketch);
        to.bind(counts.ok as i64)
            .bind(counts.client_error as i64)
            .bind(counts.server_error as i64)
            .bind(counts.timeout as i64)
            .bind(sketch)
    }

    fn read(row: &SqliteRow, at: usize, _: Second) -> Result<Self, String> {
        let count = |n: usize| row.try_get::<i64, _>(at + n).map(|count| count as u64);
        let counts = || {
            Ok::<_, sqlx::Error>(Counts {
                ok: count(0)?,
                client_error: count(1)?,
                server_error: count(2)?,
                timeout: count(3)?,
            })
        };
        let mut value = Self { counts: counts().map_err(|error| error.to_string())?, ..Self::default() };
        let sketch = row.try_get::<&[u8], _>(at + 4).map_err(|error| error.to_string())?;
        value.latency.merge_wire(sketch).map_err(|error| error.to_string())?;
        Ok(value)
    }
}

impl Value for Reading {
    const TABLE: Statements = statements!("sample_points", "reading", "?");

    fn merge(&mut self, other: &Self) {
        self.merge(other);
    }

    fn bind<'q>(&self, start: Second, to: Bound<'q>) -> Bound<'q> {
        to.bind(self.encode(start))
    }

    fn read(row: &SqliteRow, at: usize, start: Second) -> Result<Self, String> {
        let bytes = row.try_get::<&[u8], _>(at).map_err(|error| error.to_string())?;
        Self::decode(bytes, start).ok_or_else(|| "no reading".to_owned())
    }
}

/// Adds `value` to what stands at `place`.
pub(super) async fn merge_at<V: Value>(
    file: &File,
    on: &mut SqliteConnection,
    place: Place,
    value: &V,
) -> Result<(), StoreError> {
    let failed = |error| file.failed("write points", error);
    let at_place = |query: Bound<'static>| {
        let chunk = chunk_of(place.tier, place.start);
        let slot = (place.start.0 - chunk_start(place.tier, chunk).0) / place.tier.width_s();
        query.bind(place.tier.width_s()).bind(place.partition).bind(chunk).bind(place.series).bind(slot)
    };
    let found = at_place(sqlx::query(V::TABLE.get)).fetch_optional(&mut *on).await.map_err(failed)?;
    let put = at_place(sqlx::query(V::TABLE.put));
    let put = match found {
        Some(row) => {
            let stored = V::read(&row, 0, place.start);
            let mut sum = stored.map_err(|what| damaged(file, place.series, place.start, &what))?;
            sum.merge(value);
            sum.bind(place.start, put)
        }
        None => value.bind(place.start, put),
    };
    put.execute(on).await.map(drop).map_err(failed)
}

/// Hands every row of a stretch to `each`, by time.
pub(super) async fn for_each<V: Value>(
    file: &File,
    on: &mut SqliteConnection,
    stretch: Stretch,
    mut each: impl FnMut(Second, V) + Send,
) -> Result<(), StoreError> {
    use futures_util::TryStreamExt as _;

    let Stretch { tier, partition, series, from, until } = stretch;
    if from >= until {
        return Ok(());
    }
    let mut rows = sqlx::query(V::TABLE.range)
        .bind(chunk_of(tier, from))
        .bind(chunk_of(tier, until.offset(-1)))
        .bind(tier.width_s())
        .bind(partition)
        .bind(series)
        .fetch(on);
    let failed = |error| file.failed("read points", error);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let chunk: i64 = row.try_get(0).map_err(failed)?;
        let slot: i64 = row.try_get(1).map_err(failed)?;
        let start = chunk_start(tier, chunk).offset(slot * tier.width_s());
        if start >= from && start < until {
            let value = V::read(&row, 2, start);
            each(start, value.map_err(|what| damaged(file, series, start, &what))?);
        }
    }
    Ok(())
}

fn damaged(file: &File, series: i64, start: Second, what: &str) -> StoreError {
    file.corrupt(format!("the point of series {series} at {} s: {what}", start.0))
}
