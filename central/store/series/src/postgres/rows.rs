//! Where buckets stand in the tables, and how their values are written and read.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use futures_util::TryStreamExt as _;
use goldentime_model::{Counts, Second};
use goldentime_postgres::{Error, Instant};
use goldentime_windows::Aggregate;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Postgres, Row};

use crate::reading::Reading;
use crate::resolution::Resolution;

/// Buckets that are looked up, and written, by one statement.
const BUCKETS_PER_STATEMENT: usize = 1_000;

/// The tables of each width.
pub(super) const TABLES: [[&str; 2]; 3] =
    [["api_metrics", "samples"], ["api_metrics_1m", "samples_1m"], ["api_metrics_1h", "samples_1h"]];

/// Buckets of one table by series and first second. In this order they are written, so that two writers
/// never wait for each other.
pub(super) type Buckets<V> = BTreeMap<(i64, Second), V>;

pub(super) type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// The statements of one table.
pub(super) struct Statements {
    find: &'static str,
    put: &'static str,
    range: &'static str,
    first: &'static str,
}

/// What a table holds.
pub(super) trait Value: Clone + Send + Sync {
    /// Its tables by width.
    const STATEMENTS: [Statements; 3];

    /// Kinds of series that have such rows.
    const KINDS: RangeInclusive<i16>;

    fn merge(&mut self, other: &Self);

    /// Binds a column after the other, each an array.
    fn bind<'q>(values: &[&Self], to: Query<'q>) -> Query<'q>;

    /// Reads the columns back, from the third on; an error says what is wrong.
    fn read(row: &PgRow) -> Result<Self, String>;
}

macro_rules! statements {
    ($table:literal, $columns:literal, $types:literal, $update:literal) => {
        Statements {
            // The bounds are those of the buckets: they tell the planner which partitions to leave alone.
            find: concat!(
                "SELECT t.series, t.time, ",
                $columns,
                " FROM unnest($1::bigint[], $2::timestamptz[]) w (series, time) JOIN ",
                $table,
                " t ON t.series = w.series AND t.time = w.time WHERE t.time BETWEEN $3 AND $4"
            ),
            put: concat!(
                "INSERT INTO ",
                $table,
                " (series, time, ",
                $columns,
                ") SELECT * FROM unnest($1::bigint[], $2::timestamptz[], ",
                $types,
                ") ON CONFLICT (series, time) DO UPDATE SET ",
                $update
            ),
            range: concat!(
                "SELECT series, time, ",
                $columns,
                " FROM ",
                $table,
                " WHERE series = ANY($1) AND time >= $2 AND time < $3"
            ),
            first: concat!(
                "SELECT min(first.time) FROM services v JOIN series s ON s.service = v.id CROSS JOIN LATERAL ",
                "(SELECT t.time FROM ",
                $table,
                " t WHERE t.series = s.id AND t.time >= $2 ORDER BY t.time LIMIT 1) first ",
                "WHERE v.partition = $1 AND s.last_day >= $3 AND s.kind BETWEEN $4 AND $5"
            ),
        }
    };
}

macro_rules! request_statements {
    ($table:literal) => {
        statements!(
            $table,
            "ok, client_error, server_error, timeout, sketch",
            "$3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[]",
            "ok = excluded.ok, client_error = excluded.client_error, \
             server_error = excluded.server_error, timeout = excluded.timeout, sketch = excluded.sketch"
        )
    };
}

macro_rules! sample_statements {
    ($table:literal) => {
        statements!(
            $table,
            "count, sum, min, max, last, last_ms",
            "$3::bigint[], $4::float8[], $5::float8[], $6::float8[], $7::float8[], $8::bigint[]",
            "count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max, \
             last = excluded.last, last_ms = excluded.last_ms"
        )
    };
}

impl Value for Aggregate {
    const STATEMENTS: [Statements; 3] = [
        request_statements!("api_metrics"),
        request_statements!("api_metrics_1m"),
        request_statements!("api_metrics_1h"),
    ];
    const KINDS: RangeInclusive<i16> = 0..=2;

    fn merge(&mut self, other: &Self) {
        self.merge(other);
    }

    fn bind<'q>(values: &[&Self], to: Query<'q>) -> Query<'q> {
        let column = |of: fn(&Counts) -> u64| -> Vec<i64> {
            values.iter().map(|value| of(&value.counts) as i64).collect()
        };
        let sketch = |value: &&Self| {
            let mut bytes = Vec::new();
            value.latency.encode_wire(&mut bytes);
            bytes
        };
        to.bind(column(|counts| counts.ok))
            .bind(column(|counts| counts.client_error))
            .bind(column(|counts| counts.server_error))
            .bind(column(|counts| counts.timeout))
            .bind(values.iter().map(sketch).collect::<Vec<_>>())
    }

    fn read(row: &PgRow) -> Result<Self, String> {
        let count = |at: usize| row.try_get::<i64, _>(at).map(|count| count as u64);
        let counts = || {
            Ok::<_, sqlx::Error>(Counts {
                ok: count(2)?,
                client_error: count(3)?,
                server_error: count(4)?,
                timeout: count(5)?,
            })
        };
        let mut value = Self { counts: counts().map_err(|error| error.to_string())?, ..Self::default() };
        let sketch = row.try_get::<&[u8], _>(6).map_err(|error| error.to_string())?;
        value.latency.merge_wire(sketch).map_err(|error| error.to_string())?;
        Ok(value)
    }
}

impl Value for Reading {
    const STATEMENTS: [Statements; 3] =
        [sample_statements!("samples"), sample_statements!("samples_1m"), sample_statements!("samples_1h")];
    const KINDS: RangeInclusive<i16> = 3..=4;

    fn merge(&mut self, other: &Self) {
        self.merge(other);
    }

    fn bind<'q>(values: &[&Self], to: Query<'q>) -> Query<'q> {
        let column = |of: fn(&Self) -> f64| -> Vec<f64> { values.iter().map(|value| of(value)).collect() };
        to.bind(values.iter().map(|value| value.count as i64).collect::<Vec<_>>())
            .bind(column(|value| value.sum))
            .bind(column(|value| value.min))
            .bind(column(|value| value.max))
            .bind(column(|value| value.last))
            .bind(values.iter().map(|value| value.last_ms).collect::<Vec<_>>())
    }

    fn read(row: &PgRow) -> Result<Self, String> {
        let read = || {
            Ok::<_, sqlx::Error>(Self {
                count: row.try_get::<i64, _>(2)? as u64,
                sum: row.try_get(3)?,
                min: row.try_get(4)?,
                max: row.try_get(5)?,
                last: row.try_get(6)?,
                last_ms: row.try_get(7)?,
            })
        };
        let value = read().map_err(|error| error.to_string())?;
        if value.count == 0 { Err("it has no readings".into()) } else { Ok(value) }
    }
}

/// Adds `value` to its bucket.
pub(super) fn add<V: Value>(buckets: &mut Buckets<V>, series: i64, start: Second, value: &V) {
    match buckets.get_mut(&(series, start)) {
        Some(sum) => sum.merge(value),
        None => drop(buckets.insert((series, start), value.clone())),
    }
}

/// Adds buckets to what stands in their table.
pub(super) async fn write<V: Value>(
    on: &mut PgConnection,
    tier: Resolution,
    mut buckets: Buckets<V>,
) -> Result<(), Error> {
    let Statements { find, put, .. } = &V::STATEMENTS[tier.index()];
    let keys: Vec<(i64, Second)> = buckets.keys().copied().collect();
    for keys in keys.chunks(BUCKETS_PER_STATEMENT) {
        let times = || keys.iter().map(|(_, start)| *start);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { continue };
        let at = |sql: &'static str| {
            sqlx::query(sql)
                .bind(keys.iter().map(|(series, _)| *series).collect::<Vec<_>>())
                .bind(times().map(Instant).collect::<Vec<_>>())
        };
        let mut stored = at(find).bind(Instant(first)).bind(Instant(last)).fetch(&mut *on);
        while let Some(row) = stored.try_next().await? {
            let (series, start, value) = bucket::<V>(&row)?;
            add(&mut buckets, series, start, &value);
        }
        drop(stored);
        let values: Vec<&V> = keys.iter().filter_map(|key| buckets.get(key)).collect();
        V::bind(&values, at(put)).execute(&mut *on).await?;
    }
    Ok(())
}

/// Hands every row of some series between two seconds to `each`, in no order.
pub(super) async fn for_each<V: Value>(
    on: &mut PgConnection,
    tier: Resolution,
    series: &[i64],
    (from, until): (Second, Second),
    mut each: impl FnMut(i64, Second, V) + Send,
) -> Result<(), Error> {
    if from >= until || series.is_empty() {
        return Ok(());
    }
    let mut rows = sqlx::query(V::STATEMENTS[tier.index()].range)
        .bind(series)
        .bind(Instant(from))
        .bind(Instant(until))
        .fetch(on);
    while let Some(row) = rows.try_next().await? {
        let (series, start, value) = bucket(&row)?;
        each(series, start, value);
    }
    Ok(())
}

/// First second of the oldest bucket of ten seconds of a partition from `from` on.
pub(super) async fn first_from<V: Value>(
    on: &mut PgConnection,
    partition: u32,
    from: Second,
) -> Result<Option<Second>, Error> {
    let first: Option<Instant> = sqlx::query_scalar(V::STATEMENTS[0].first)
        .bind(i64::from(partition))
        .bind(Instant(from))
        .bind(super::room::day_of(from))
        .bind(V::KINDS.start())
        .bind(V::KINDS.end())
        .fetch_one(on)
        .await?;
    Ok(first.map(|Instant(second)| second))
}

fn bucket<V: Value>(row: &PgRow) -> Result<(i64, Second, V), Error> {
    let series: i64 = row.try_get(0)?;
    let Instant(start) = row.try_get(1)?;
    match V::read(row) {
        Ok(value) => Ok((series, start, value)),
        Err(what) => Err(Error::Corrupt(format!("the row of series {series} at {} s: {what}", start.0))),
    }
}
