//! One step of the log, written.

use goldentime_follower::sqlite::{File, position};
use goldentime_follower::{Advance, Committed, StoreError};
use goldentime_model::{Second, ServiceId};
use goldentime_windows::{Aggregate, SecondCell};
use sqlx::SqliteConnection;

use super::names::Names;
use super::points::{Place, Value, merge_at};
use super::state;
use crate::key::{Part, SeriesKey};
use crate::rows::Rows;
use crate::state::State;
use crate::store::{Keep, count_drops};

/// Writes one step within its transaction.
struct Writer<'a> {
    file: &'a File,
    on: &'a mut SqliteConnection,
    names: &'a mut Names,
    keep: &'a Keep,
    partition: u32,
    state: State,
    /// First second that is kept at all.
    horizon: Second,
    rows: u64,
    too_old: u64,
    refused: u64,
}

/// Commits `rows` with the step, if the partition still stands where it was made. The names are left
/// away by a step that fails: what it called into being is not in the file.
pub(super) async fn commit(
    file: &File,
    names: &mut Option<Names>,
    keep: &Keep,
    rows: &Rows,
    advance: &Advance,
) -> Result<Committed, StoreError> {
    let failed = |error| file.failed("write a step of the log", error);
    let mut tx = file.write().await?;
    if !position::is_current(&mut tx, advance).await.map_err(failed)? {
        return Ok(Committed::Stale);
    }
    let mut known = match names.take() {
        Some(known) => known,
        None => Names::load(&mut tx).await.map_err(failed)?,
    };
    let log_time = advance.log_time.second();
    let state = state::load_or_begin(&mut tx, advance.partition, log_time).await.map_err(failed)?;
    let [_, _, longest] = keep.seconds;
    let mut writer = Writer {
        file,
        on: &mut tx,
        names: &mut known,
        keep,
        partition: advance.partition,
        state,
        horizon: log_time.offset(-longest),
        rows: 0,
        too_old: 0,
        refused: 0,
    };
    for (service, cells) in &rows.requests {
        for (start, cell) in cells {
            writer.cell(service, *start, cell).await?;
        }
    }
    for (service, metrics) in &rows.samples {
        for (key, buckets) in metrics {
            let key = SeriesKey { service: service.clone(), part: Part::Metric(key.clone()) };
            for (start, reading) in buckets {
                writer.point(&key, *start, reading, reading.count).await?;
            }
        }
    }
    let Writer { rows, too_old, refused, .. } = writer;
    position::advance(&mut tx, advance).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    *names = Some(known);
    count_drops(too_old, refused);
    Ok(Committed::Done { rows, dropped: too_old + refused })
}

impl Writer<'_> {
    async fn cell(
        &mut self,
        service: &ServiceId,
        start: Second,
        cell: &SecondCell,
    ) -> Result<(), StoreError> {
        let key = |part| SeriesKey { service: service.clone(), part };
        let events = |of: &Aggregate| of.counts.total();
        if !cell.total.is_empty() {
            self.point(&key(Part::Whole), start, &cell.total, events(&cell.total)).await?;
        }
        for (host, aggregate) in &cell.hosts {
            // What is dropped is counted once, with the whole.
            self.point(&key(Part::Host(host.clone())), start, aggregate, 0).await?;
        }
        for (endpoint, aggregate) in &cell.endpoints {
            self.point(&key(Part::Endpoint(endpoint.clone())), start, aggregate, 0).await?;
        }
        Ok(())
    }

    /// Adds a bucket of ten seconds to every row that holds its time; `events` are counted where there
    /// is none.
    async fn point<V: Value>(
        &mut self,
        key: &SeriesKey,
        start: Second,
        value: &V,
        events: u64,
    ) -> Result<(), StoreError> {
        let state = self.state;
        let mut tiers = state.tiers_of(start).peekable();
        if start < self.horizon || tiers.peek().is_none() {
            self.too_old += events;
            return Ok(());
        }
        let (partition, series_max) = (self.partition, self.keep.series_max);
        let number = self.names.number(self.on, partition, key, start, series_max).await;
        let number = number.map_err(|error| self.file.failed("number a series", error))?;
        let Some(series) = number else {
            self.refused += events.max(1);
            return Ok(());
        };
        for tier in tiers {
            let place = Place { tier, partition, series, start: tier.bucket_of(start) };
            merge_at(self.file, self.on, place, value).await?;
            self.rows += 1;
        }
        Ok(())
    }
}
