//! The series store in PostgreSQL, with TimescaleDB where the server has it.
//!
//! Any number of centrals may use one database. All that concerns a partition of the log happens under the
//! lock of its row in [`position`], so that a step and the upkeep of the same partition never meet.
//! [`names`] gives services and series numbers, [`rows`] is where buckets stand and how they are written,
//! [`room`] makes room for them ahead. [`commit`] writes a step of the log, [`roll`] and [`keep`] are upkeep,
//! [`read`] the answers.

mod commit;
mod keep;
mod names;
mod position;
mod read;
mod roll;
mod room;
mod rows;

use std::future::Future;

use goldentime_follower::{Advance, BoxFuture, Committed, Position, StoreError};
use goldentime_model::{ServiceId, UnixNanos};
use goldentime_postgres::{Database, Error, Layout, PostgresConfig};
use goldentime_windows::Aggregate;

use self::names::KnownNames;
use self::room::Room;
use crate::chart::{Chart, ChartQuery, MetricChart, SamplesQuery};
use crate::key::Part;
use crate::rows::Rows;
use crate::store::{Keep, SeriesStore, Tended, Usage};

const LAYOUT: Layout = Layout {
    part: "series",
    steps: &[
        include_str!("../../../../../migrations/postgres/series/0001_positions_and_names.sql"),
        include_str!("../../../../../migrations/postgres/series/0002_rows.sql"),
    ],
};

/// The series store of a cluster. The database is reached by its first use that succeeds.
///
/// What it keeps goes by time: [`Keep::bytes_max`] is not looked at, for the disk is the server's.
/// [`SeriesStore::usage`] says what is held.
#[derive(Debug)]
pub struct PostgresSeries {
    database: Database,
    keep: Keep,
    names: KnownNames,
    room: Room,
}

impl PostgresSeries {
    /// A store that nothing was asked of yet.
    #[must_use]
    pub fn new(config: PostgresConfig, keep: Keep) -> Self {
        let database = Database::new(config, LAYOUT);
        Self { database, keep, names: KnownNames::default(), room: Room::default() }
    }

    /// Brings the database to this version's layout, which its first use does as well.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.call("bring it to this version's layout", self.database.migrate()).await
    }

    async fn call<T>(
        &self,
        action: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        self.database.within(call).await.map_err(|error| {
            let place = self.database.place();
            match error {
                Error::Full => StoreError::Full { place },
                Error::Corrupt(what) => StoreError::Corrupt { place, what },
                Error::Newer { found, known, .. } => StoreError::Newer { place, found, known },
                other => StoreError::Unavailable { place, action, source: Box::new(other) },
            }
        })
    }

    async fn take_step(&self, rows: &Rows, advance: &Advance) -> Result<Committed, Error> {
        let names = self.names.of(advance.partition);
        let mut names = names.lock().await;
        // They are put away until the step is taken, for it may be dropped at any point: what a step called
        // into being that was not taken is not there.
        let mut known = std::mem::take(&mut *names);
        let taken = commit::commit(&self.database, &mut known, &self.room, &self.keep, rows, advance).await;
        match taken {
            Ok(Committed::Done { .. }) => *names = known,
            // The reason may be that the database is not the one that it was.
            Ok(Committed::Stale) | Err(_) => self.room.clear(),
        }
        taken
    }

    async fn tend_once(&self, now: UnixNanos) -> Result<Tended, Error> {
        let (database, keep) = (&self.database, &self.keep);
        let did = roll::roll_next(database, &self.room, now).await?
            || keep::let_go(database, keep, now).await?
            || self.room.tend(database, keep, now).await?
            || names::forget(database, keep, now).await?;
        Ok(if did { Tended::More } else { Tended::Rest })
    }
}

impl SeriesStore for PostgresSeries {
    fn backend(&self) -> &'static str {
        "postgres"
    }

    fn position(&self, partition: u32) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        Box::pin(self.call("read its position in the log", position::load(&self.database, partition)))
    }

    fn commit<'a>(
        &'a self,
        rows: &'a Rows,
        advance: &'a Advance,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(self.call("write a step of the log", self.take_step(rows, advance)))
    }

    fn chart(&self, query: ChartQuery) -> BoxFuture<'_, Result<Chart<Aggregate>, StoreError>> {
        Box::pin(self.call("read a chart", read::chart(&self.database, query)))
    }

    fn samples(&self, query: SamplesQuery) -> BoxFuture<'_, Result<Vec<MetricChart>, StoreError>> {
        Box::pin(self.call("read readings", read::samples(&self.database, query)))
    }

    fn services(&self, max: u32) -> BoxFuture<'_, Result<Vec<ServiceId>, StoreError>> {
        Box::pin(self.call("list services", read::services(&self.database, max)))
    }

    fn parts(&self, service: ServiceId, max: u32) -> BoxFuture<'_, Result<Vec<Part>, StoreError>> {
        Box::pin(self.call("list series", read::parts(&self.database, service, max)))
    }

    fn tend(&self, now: UnixNanos) -> BoxFuture<'_, Result<Tended, StoreError>> {
        Box::pin(self.call("tend it", self.tend_once(now)))
    }

    fn usage(&self) -> BoxFuture<'_, Result<Usage, StoreError>> {
        Box::pin(self.call("ask what it holds", keep::usage(&self.database)))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.database.close())
    }
}
