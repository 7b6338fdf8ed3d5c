//! The series store in a SQLite file of its own, with one writer.
//!
//! [`names`] gives services and series numbers, [`points`] is where rows stand and how they are written,
//! [`state`] up to where they are rolled up and deleted. [`commit`] writes a step of the log, [`roll`] and
//! [`keep`] are upkeep, [`read`] the answers.

mod commit;
mod keep;
mod names;
mod points;
mod read;
mod roll;
mod state;

use std::path::PathBuf;
use std::time::Duration;

use goldentime_follower::sqlite::{File, FileSettings, POSITION_TABLES, position};
use goldentime_follower::{Advance, BoxFuture, Committed, Position, StoreError};
use goldentime_model::{ServiceId, UnixNanos};
use goldentime_windows::Aggregate;
use tokio::sync::Mutex;

use self::names::Names;
use crate::chart::{Chart, ChartQuery, MetricChart, SamplesQuery};
use crate::key::Part;
use crate::rows::Rows;
use crate::store::{Keep, SeriesStore, Tended, Usage};

/// Every step of the layout ever taken, in order; a step that has left the house is never edited.
const STEPS: &[&str] =
    &[POSITION_TABLES, include_str!("../../../../../migrations/sqlite/series/0001_points.sql")];

/// Connections that only read.
const READERS: u32 = 3;

/// Page cache of each connection, in KiB.
const CACHE_KIB: u32 = 8 * 1024;

/// What a name takes in memory, about.
const NAME_BYTES: u64 = 256;

/// Series without points that are forgotten at a time.
const FORGET_MAX: u32 = 1000;

/// How the store is opened.
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// Its file.
    pub path: PathBuf,
    /// What it keeps.
    pub keep: Keep,
    /// How long a write waits for a lock that another process holds before it fails and is tried again.
    pub busy_timeout: Duration,
}

/// The embedded series store. The file is opened by its first use that succeeds.
#[derive(Debug)]
pub struct SqliteSeries {
    file: File,
    keep: Keep,
    /// Of the writer; `None` before the first step and after one that failed.
    names: Mutex<Option<Names>>,
}

/// Memory that the store may take, in bytes.
#[must_use]
pub const fn memory_bound_bytes(series_max: u64) -> u64 {
    let known = if series_max < names::KNOWN_MAX as u64 { series_max } else { names::KNOWN_MAX as u64 };
    known * NAME_BYTES + (READERS as u64 + 1) * CACHE_KIB as u64 * 1024
}

impl SqliteSeries {
    /// A store that is not opened yet.
    #[must_use]
    pub fn new(settings: SqliteSettings) -> Self {
        let SqliteSettings { path, keep, busy_timeout } = settings;
        let settings =
            FileSettings { path, steps: STEPS, cache_kib: CACHE_KIB, readers: READERS, busy_timeout };
        Self { file: File::new(settings), keep, names: Mutex::new(None) }
    }

    async fn take_step(&self, rows: &Rows, advance: &Advance) -> Result<Committed, StoreError> {
        let mut names = self.names.lock().await;
        commit::commit(&self.file, &mut names, &self.keep, rows, advance).await
    }

    async fn tend_once(&self, now: UnixNanos) -> Result<Tended, StoreError> {
        let (file, keep) = (&self.file, &self.keep);
        let did = roll::roll_next(file, now).await?
            || keep::drop_old(file, keep, now).await?
            || keep::drop_over_quota(file, keep, now).await?
            || keep::give_back(file, keep).await?
            || self.forget_names(now).await?;
        Ok(if did { Tended::More } else { Tended::Rest })
    }

    /// Forgets series that have no points any more; says whether there were any.
    async fn forget_names(&self, now: UnixNanos) -> Result<bool, StoreError> {
        let [_, _, longest] = self.keep.seconds;
        // A day more: the day of a series is that of its newest point.
        let day = names::day_of(now.second().offset(-longest)) - 1;
        let mut names = self.names.lock().await;
        let mut tx = self.file.write().await?;
        let failed = |error| self.file.failed("forget series", error);
        let forgotten = names::forget(&mut tx, day, FORGET_MAX).await.map_err(failed)?;
        if forgotten == 0 {
            return Ok(false);
        }
        tx.commit().await.map_err(failed)?;
        *names = None;
        Ok(true)
    }

    async fn usage_now(&self) -> Result<Usage, StoreError> {
        let size = self.file.size().await?;
        let mut read = self.file.read().await?;
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM series").fetch_one(&mut *read).await;
        let count = count.map_err(|error| self.file.failed("count series", error))?;
        drop(read);
        let oldest = keep::oldest(&self.file).await?;
        Ok(Usage { bytes: size.used + size.free, series: u64::try_from(count).unwrap_or(0), oldest })
    }

    async fn load_position(&self, partition: u32) -> Result<Option<Position>, StoreError> {
        let mut read = self.file.read().await?;
        let loaded = position::load(&mut read, partition).await;
        loaded.map_err(|error| self.file.failed("read its position in the log", error))
    }
}

impl SeriesStore for SqliteSeries {
    fn backend(&self) -> &'static str {
        "sqlite"
    }

    fn position(&self, partition: u32) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        Box::pin(self.load_position(partition))
    }

    fn commit<'a>(
        &'a self,
        rows: &'a Rows,
        advance: &'a Advance,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(self.take_step(rows, advance))
    }

    fn chart(&self, query: ChartQuery) -> BoxFuture<'_, Result<Chart<Aggregate>, StoreError>> {
        Box::pin(read::chart(&self.file, query))
    }

    fn samples(&self, query: SamplesQuery) -> BoxFuture<'_, Result<Vec<MetricChart>, StoreError>> {
        Box::pin(read::samples(&self.file, query))
    }

    fn services(&self, max: u32) -> BoxFuture<'_, Result<Vec<ServiceId>, StoreError>> {
        Box::pin(async move { read::services(&self.file, max).await })
    }

    fn parts(&self, service: ServiceId, max: u32) -> BoxFuture<'_, Result<Vec<Part>, StoreError>> {
        Box::pin(async move { read::parts(&self.file, &service, max).await })
    }

    fn tend(&self, now: UnixNanos) -> BoxFuture<'_, Result<Tended, StoreError>> {
        Box::pin(self.tend_once(now))
    }

    fn usage(&self) -> BoxFuture<'_, Result<Usage, StoreError>> {
        Box::pin(self.usage_now())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.file.close())
    }
}
