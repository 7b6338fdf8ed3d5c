//! Room for rows: the stretches of time that tables are divided into, made ahead and dropped whole.
//!
//! A partition is dropped under a lock that charts wait for, so it is taken only if it is there at once or
//! nearly; upkeep tries again.

use std::sync::{Mutex, PoisonError};

use goldentime_model::{Second, UnixNanos};
use goldentime_postgres::{Database, Error, Instant};
use hashbrown::HashSet;
use sqlx::postgres::PgConnection;

use super::position;
use super::rows::TABLES;
use crate::resolution::Resolution;
use crate::store::Keep;

const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;

/// Rows that are let go stay this long before they are dropped: a chart that began before may still read
/// them.
const LET_GO_FOR_S: i64 = HOUR_S;

/// Days ahead for which there is room, today among them.
const DAYS_AHEAD: i64 = 2;

/// What is known to be there.
#[derive(Debug, Default)]
pub(super) struct Room(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    days: HashSet<(Resolution, i64)>,
    /// The hour since the epoch in which room was last tended.
    tended: Option<i64>,
}

impl Room {
    /// Makes room for rows of these days, where there is none. Call it before the transaction touches any
    /// row, so that nobody who waits for it holds what another waits for.
    pub(super) async fn ensure(
        &self,
        on: &mut PgConnection,
        wanted: &HashSet<(Resolution, i64)>,
    ) -> Result<(), Error> {
        for tier in Resolution::ALL {
            let days: Vec<i64> = {
                let known = self.known();
                let missing = wanted.iter().filter(|entry| entry.0 == tier && !known.days.contains(*entry));
                missing.map(|(_, day)| *day).collect()
            };
            if days.is_empty() {
                continue;
            }
            for table in TABLES[tier.index()] {
                sqlx::query("SELECT history_ensure($1, $2)")
                    .bind(table)
                    .bind(&days)
                    .execute(&mut *on)
                    .await?;
            }
        }
        Ok(())
    }

    /// What [`Self::ensure`] made is committed.
    pub(super) fn made(&self, days: HashSet<(Resolution, i64)>) {
        self.known().days.extend(days);
    }

    /// Forgets what is there.
    pub(super) fn clear(&self) {
        *self.known() = Known::default();
    }

    /// Once an hour: makes room for the coming days and drops what was let go of; says whether it did.
    pub(super) async fn tend(&self, database: &Database, keep: &Keep, now: UnixNanos) -> Result<bool, Error> {
        let hour = now.second().0.div_euclid(HOUR_S);
        if self.known().tended == Some(hour) {
            return Ok(false);
        }
        let today = day_of(now.second());
        let ahead = today..today + DAYS_AHEAD;
        let days = Resolution::ALL.into_iter().flat_map(|tier| ahead.clone().map(move |day| (tier, day)));
        let days: HashSet<_> = days.collect();
        let mut on = database.write().await?;
        // Not by what is known: somebody may have dropped it.
        Self::default().ensure(&mut on, &days).await?;
        on.commit().await?;
        let partitions = position::at_present(database).await?;
        for tier in Resolution::ALL {
            let kept_from = now.second().offset(-keep.seconds[tier.index()]);
            let oldest = partitions.iter().filter_map(|partition| partition.oldest[tier.index()]).min();
            let before = oldest.map_or(kept_from, |oldest| oldest.min(kept_from)).offset(-LET_GO_FOR_S);
            for table in TABLES[tier.index()] {
                let_go(database, table, before).await?;
            }
        }
        *self.known() = Known { days, tended: Some(hour) };
        Ok(true)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what of a table ends by then, in a transaction of its own: who waits for a lock holds no other that
/// somebody needs.
async fn let_go(database: &Database, table: &str, before: Second) -> Result<(), Error> {
    let mut on = database.write().await?;
    sqlx::raw_sql("SET LOCAL lock_timeout = '1s'").execute(&mut *on).await?;
    sqlx::query("SELECT history_let_go($1, $2)").bind(table).bind(Instant(before)).execute(&mut *on).await?;
    on.commit().await
}

/// The day since the epoch that holds a second.
pub(super) const fn day_of(second: Second) -> i64 {
    second.0.div_euclid(DAY_S)
}
