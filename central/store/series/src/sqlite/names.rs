//! Names kept once: services and series get numbers.

use goldentime_model::{Second, ServiceId};
use hashbrown::HashMap;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::columns::Columns;
use crate::key::{Part, SeriesKey};

/// Most numbers that are remembered in memory. When full they are forgotten at once and read again.
pub(super) const KNOWN_MAX: usize = 200_000;

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// Numbers of series, as far as they were used. Belongs to one writer: it is put away while a step is
/// being written, and read anew after one that failed.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: HashMap<SeriesKey, (i64, i64)>,
    services: HashMap<ServiceId, i64>,
    /// Series in the file.
    count: u64,
}

impl Names {
    /// None are known yet.
    pub(super) async fn load(on: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM series").fetch_one(on).await?;
        Ok(Self { count: u64::try_from(count).unwrap_or(0), ..Self::default() })
    }

    /// The number of a series that has points at `at`, made known where there is room.
    pub(super) async fn number(
        &mut self,
        on: &mut SqliteConnection,
        partition: u32,
        key: &SeriesKey,
        at: Second,
        series_max: u64,
    ) -> Result<Option<i64>, sqlx::Error> {
        let day = at.0.div_euclid(DAY_S);
        if let Some((id, last_day)) = self.known.get_mut(key) {
            if day > *last_day {
                *last_day = day;
                mark(on, *id, day).await?;
            }
            return Ok(Some(*id));
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        let service = self.service(on, partition, &key.service).await?;
        let columns = Columns::from(&key.part);
        let found = at_key(
            "SELECT id, last_day FROM series WHERE service = ? AND kind = ? AND metric = ? AND endpoint = ? \
             AND method = ? AND host = ? AND unit = ?",
            service,
            &columns,
        );
        let (id, last_day): (i64, i64) = match found.fetch_optional(&mut *on).await? {
            Some(row) => (row.try_get(0)?, row.try_get(1)?),
            None if self.count >= series_max => return Ok(None),
            None => {
                let insert = at_key(
                    "INSERT INTO series (service, kind, metric, endpoint, method, host, unit, last_day) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    service,
                    &columns,
                );
                self.count += 1;
                (insert.bind(day).execute(&mut *on).await?.last_insert_rowid(), day)
            }
        };
        if day > last_day {
            mark(on, id, day).await?;
        }
        self.known.insert(key.clone(), (id, day.max(last_day)));
        Ok(Some(id))
    }

    async fn service(
        &mut self,
        on: &mut SqliteConnection,
        partition: u32,
        service: &ServiceId,
    ) -> Result<i64, sqlx::Error> {
        if let Some(id) = self.services.get(service) {
            return Ok(*id);
        }
        if self.services.len() >= KNOWN_MAX {
            self.services.clear();
        }
        let (project, environment, name) = service.parts();
        sqlx::query(
            "INSERT INTO services (partition, project, environment, service) VALUES (?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
        )
        .bind(partition)
        .bind(project)
        .bind(environment)
        .bind(name)
        .execute(&mut *on)
        .await?;
        let found = find_service(on, service).await?;
        let (id, _) = found.ok_or(sqlx::Error::RowNotFound)?;
        self.services.insert(service.clone(), id);
        Ok(id)
    }
}

/// Number and partition of a service.
pub(super) async fn find_service(
    on: &mut SqliteConnection,
    service: &ServiceId,
) -> Result<Option<(i64, u32)>, sqlx::Error> {
    let (project, environment, name) = service.parts();
    let found = sqlx::query(
        "SELECT id, partition FROM services WHERE project = ? AND environment = ? AND service = ?",
    )
    .bind(project)
    .bind(environment)
    .bind(name)
    .fetch_optional(on)
    .await?;
    found.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// Series of a service with their numbers, at most `max`.
pub(super) async fn series_of(
    on: &mut SqliteConnection,
    service: i64,
    max: u32,
) -> Result<Vec<(i64, Part)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, kind, metric, endpoint, method, host, unit FROM series WHERE service = ? \
         ORDER BY kind, metric, endpoint, method, host, unit LIMIT ?",
    )
    .bind(service)
    .bind(max)
    .fetch_all(on)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, part_of(row)?))).collect()
}

/// Forgets up to `max` series without points since `day`; gives how many.
pub(super) async fn forget(on: &mut SqliteConnection, day: i64, max: u32) -> Result<u64, sqlx::Error> {
    sqlx::query("DELETE FROM series WHERE id IN (SELECT id FROM series WHERE last_day < ? LIMIT ?)")
        .bind(day)
        .bind(max)
        .execute(on)
        .await
        .map(|done| done.rows_affected())
}

/// The day that holds a second.
pub(super) const fn day_of(second: Second) -> i64 {
    second.0.div_euclid(DAY_S)
}

async fn mark(on: &mut SqliteConnection, id: i64, day: i64) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE series SET last_day = ? WHERE id = ?").bind(day).bind(id).execute(on).await.map(drop)
}

fn at_key<'q>(sql: &'static str, service: i64, columns: &Columns<'q>) -> super::points::Bound<'q> {
    sqlx::query(sql)
        .bind(service)
        .bind(columns.kind)
        .bind(columns.metric)
        .bind(columns.endpoint)
        .bind(columns.method)
        .bind(columns.host)
        .bind(columns.unit)
}

fn part_of(row: &SqliteRow) -> Result<Part, sqlx::Error> {
    let columns = Columns {
        kind: row.try_get("kind")?,
        host: row.try_get("host")?,
        endpoint: row.try_get("endpoint")?,
        method: row.try_get("method")?,
        metric: row.try_get("metric")?,
        unit: row.try_get("unit")?,
    };
    Ok(columns.into())
}
