//! Names kept once: services and series get numbers.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use goldentime_model::{ServiceId, UnixNanos};
use goldentime_postgres::{Database, Error};
use hashbrown::HashMap;
use sqlx::Row;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use tokio::sync::Mutex;

use super::position::{self, Partition};
use super::room::day_of;
use crate::columns::Columns;
use crate::key::{Part, SeriesKey};
use crate::store::Keep;

/// Most numbers of a partition that are remembered. When full they are forgotten at once and read again.
const KNOWN_MAX: usize = 200_000;

/// Names that are looked up, or made known, by one statement.
const NAMES_PER_STATEMENT: usize = 1_000;

/// Series without rows that are forgotten at a time.
const FORGET_MAX: i64 = 1_000;

/// By what a series is found (see the index `series_by_key`).
macro_rules! hash_of {
    ($row:literal) => {
        concat!(
            "md5(",
            $row,
            ".metric || E'\\x01' || ",
            $row,
            ".endpoint || E'\\x01' || ",
            $row,
            ".method || E'\\x01' || ",
            $row,
            ".host || E'\\x01' || ",
            $row,
            ".unit)"
        )
    };
}

/// The names of every partition that this process has written. A service belongs to one partition, so two
/// of them never know the same name.
#[derive(Debug, Default)]
pub(super) struct KnownNames(StdMutex<HashMap<u32, Arc<Mutex<Names>>>>);

impl KnownNames {
    pub(super) fn of(&self, partition: u32) -> Arc<Mutex<Names>> {
        let mut partitions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(partitions.entry(partition).or_default())
    }
}

/// Numbers of a partition's series, as far as they were used, with the newest day that is noted of each.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: HashMap<SeriesKey, (i64, i64)>,
    services: HashMap<ServiceId, i64>,
    epoch: i64,
}

/// A series that has rows up to a day.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) key: SeriesKey,
    pub(super) day: i64,
}

impl Names {
    /// The numbers of these series, made known where there is room. Centrals that make some known at the
    /// same instant may pass the limit by what they bring.
    pub(super) async fn numbers(
        &mut self,
        on: &mut PgConnection,
        partition: &Partition,
        wanted: &[Wanted],
        series_max: u64,
    ) -> Result<Vec<Option<i64>>, Error> {
        if self.epoch != partition.names_epoch || self.known.len() >= KNOWN_MAX {
            *self = Self { epoch: partition.names_epoch, ..Self::default() };
        }
        let missing = self.missing(wanted);
        if !missing.is_empty() {
            self.number_services(on, partition.number, &missing).await?;
            self.look_up(on, &missing).await?;
            let new = self.missing(wanted);
            if !new.is_empty() {
                let count: i64 =
                    sqlx::query_scalar("SELECT count(*) FROM series").fetch_one(&mut *on).await?;
                let room = series_max.saturating_sub(u64::try_from(count).unwrap_or(0));
                let new = &new[..new.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
                self.make_known(on, new).await?;
                self.look_up(on, new).await?;
            }
        }
        self.note_days(on, wanted).await?;
        Ok(wanted.iter().map(|wanted| self.known.get(&wanted.key).map(|(id, _)| *id)).collect())
    }

    fn missing<'w>(&self, wanted: &'w [Wanted]) -> Vec<&'w Wanted> {
        wanted.iter().filter(|wanted| !self.known.contains_key(&wanted.key)).collect()
    }

    async fn number_services(
        &mut self,
        on: &mut PgConnection,
        partition: u32,
        wanted: &[&Wanted],
    ) -> Result<(), Error> {
        let mut missing: Vec<&ServiceId> = wanted.iter().map(|wanted| &wanted.key.service).collect();
        missing.retain(|service| !self.services.contains_key(*service));
        missing.sort_unstable();
        missing.dedup();
        for services in missing.chunks(NAMES_PER_STATEMENT) {
            for sql in [
                "INSERT INTO services (partition, project, environment, service) \
                 SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING",
                "SELECT v.id, w.at FROM services v JOIN unnest($2::text[], $3::text[], $4::text[]) \
                   WITH ORDINALITY w (project, environment, service, at) USING (project, environment, service) \
                 WHERE v.partition = $1",
            ] {
                let part = |of: fn(&ServiceId) -> &str| -> Vec<&str> {
                    services.iter().map(|service| of(service)).collect()
                };
                let rows = sqlx::query(sql)
                    .bind(i64::from(partition))
                    .bind(part(ServiceId::project))
                    .bind(part(ServiceId::environment))
                    .bind(part(ServiceId::service))
                    .fetch_all(&mut *on)
                    .await?;
                for row in rows {
                    let service = *at(services, row.try_get(1)?)?;
                    self.services.insert(service.clone(), row.try_get(0)?);
                }
            }
        }
        Ok(())
    }

    async fn look_up(&mut self, on: &mut PgConnection, wanted: &[&Wanted]) -> Result<(), Error> {
        for wanted in wanted.chunks(NAMES_PER_STATEMENT) {
            let found = self.by_columns(
                concat!(
                    "SELECT s.id, s.last_day, w.at FROM unnest($1::bigint[], $2::smallint[], $3::text[], \
                     $4::text[], $5::text[], $6::text[], $7::text[]) \
                     WITH ORDINALITY w (service, kind, metric, endpoint, method, host, unit, at) \
                     JOIN series s ON s.service = w.service AND s.kind = w.kind AND ",
                    hash_of!("s"),
                    " = ",
                    hash_of!("w")
                ),
                wanted,
            );
            for row in found.fetch_all(&mut *on).await? {
                let key = at(wanted, row.try_get(2)?)?.key.clone();
                self.known.insert(key, (row.try_get(0)?, row.try_get(1)?));
            }
        }
        Ok(())
    }

    async fn make_known(&self, on: &mut PgConnection, wanted: &[&Wanted]) -> Result<(), Error> {
        for wanted in wanted.chunks(NAMES_PER_STATEMENT) {
            self.by_columns(
                "INSERT INTO series (service, kind, metric, endpoint, method, host, unit, last_day) \
                 SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::text[], \
                 $6::text[], $7::text[], $8::bigint[]) ON CONFLICT DO NOTHING",
                wanted,
            )
            .bind(wanted.iter().map(|wanted| wanted.day).collect::<Vec<_>>())
            .execute(&mut *on)
            .await?;
        }
        Ok(())
    }

    /// Binds number of service, kind and names, each an array.
    fn by_columns<'q>(
        &self,
        sql: &'static str,
        wanted: &[&'q Wanted],
    ) -> sqlx::query::Query<'q, sqlx::Postgres, PgArguments> {
        let columns: Vec<Columns<'q>> = wanted.iter().map(|wanted| Columns::from(&wanted.key.part)).collect();
        let services = wanted.iter().map(|wanted| self.services.get(&wanted.key.service).copied());
        let text = |of: fn(&Columns<'q>) -> &'q str| -> Vec<&'q str> { columns.iter().map(of).collect() };
        sqlx::query(sql)
            .bind(services.collect::<Vec<Option<i64>>>())
            .bind(columns.iter().map(|columns| columns.kind).collect::<Vec<_>>())
            .bind(text(|columns| columns.metric))
            .bind(text(|columns| columns.endpoint))
            .bind(text(|columns| columns.method))
            .bind(text(|columns| columns.host))
            .bind(text(|columns| columns.unit))
    }

    /// Notes the days of series that have newer rows than is noted.
    async fn note_days(&mut self, on: &mut PgConnection, wanted: &[Wanted]) -> Result<(), Error> {
        let (mut ids, mut days) = (Vec::new(), Vec::new());
        for Wanted { key, day } in wanted {
            if let Some((id, known)) = self.known.get_mut(key)
                && *day > *known
            {
                *known = *day;
                ids.push(*id);
                days.push(*day);
            }
        }
        if !ids.is_empty() {
            sqlx::query(
                "UPDATE series SET last_day = w.day FROM unnest($1::bigint[], $2::bigint[]) w (id, day) \
                 WHERE series.id = w.id AND series.last_day < w.day",
            )
            .bind(ids)
            .bind(days)
            .execute(on)
            .await?;
        }
        Ok(())
    }
}

/// What stands at an ordinality.
fn at<T>(all: &[T], ordinality: i64) -> Result<&T, Error> {
    let index = usize::try_from(ordinality - 1).ok();
    index.and_then(|index| all.get(index)).ok_or_else(|| Error::Corrupt("an answer to nothing asked".into()))
}

/// Numbers of a service, each with its partition.
pub(super) async fn services(on: &mut PgConnection, service: &ServiceId) -> Result<Vec<(i64, i64)>, Error> {
    let (project, environment, name) = service.parts();
    let found = sqlx::query_as(
        "SELECT id, partition FROM services WHERE project = $1 AND environment = $2 AND service = $3",
    );
    Ok(found.bind(project).bind(environment).bind(name).fetch_all(on).await?)
}

/// What a row of the table `series` names.
pub(super) fn part(row: &PgRow) -> Result<Part, Error> {
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

/// Forgets series of one partition that have no rows any more; says whether there were any.
pub(super) async fn forget(database: &Database, keep: &Keep, now: UnixNanos) -> Result<bool, Error> {
    let [_, _, longest] = keep.seconds;
    // A day more: the day of a series is that of its newest row.
    let day = day_of(now.second().offset(-longest)) - 1;
    let mut on = database.write().await?;
    let due: Option<i64> = sqlx::query_scalar(
        "SELECT v.partition FROM series s JOIN services v ON v.id = s.service WHERE s.last_day < $1 LIMIT 1",
    )
    .bind(day)
    .fetch_optional(&mut *on)
    .await?;
    let due = due.and_then(|number| u32::try_from(number).ok());
    let locked = match due {
        Some(number) => position::lock(&mut on, number).await?,
        None => None,
    };
    let Some(mut partition) = locked else {
        on.rollback().await?;
        return Ok(false);
    };
    let forgotten = sqlx::query(
        "DELETE FROM series WHERE id IN (SELECT s.id FROM series s JOIN services v ON v.id = s.service \
         WHERE v.partition = $1 AND s.last_day < $2 LIMIT $3)",
    )
    .bind(i64::from(partition.number))
    .bind(day)
    .bind(FORGET_MAX)
    .execute(&mut *on)
    .await?;
    partition.names_epoch += 1;
    position::save(&mut on, &partition).await?;
    on.commit().await?;
    Ok(forgotten.rows_affected() > 0)
}
