//! Rolling up: what is over is merged into minutes and hours.
//!
//! Ten minutes at a time, series by series: the rows of minutes and hours hold exactly what lies before
//! the partition's mark, at every instant, and what comes late is added to all of them by the step
//! that brings it. So no answer depends on when this is done.

use goldentime_follower::StoreError;
use goldentime_follower::sqlite::File;
use goldentime_model::{Second, UnixNanos};
use goldentime_windows::Aggregate;
use sqlx::SqliteConnection;

use super::points::{Place, Stretch, Value, chunk_of, for_each, merge_at};
use super::state;
use crate::reading::Reading;
use crate::resolution::Resolution;
use crate::state::{IDLE_NS, ROLL_S, settled};

/// Rolls up the next ten minutes of one partition that has any; says whether there was one.
pub(super) async fn roll_next(file: &File, now: UnixNanos) -> Result<bool, StoreError> {
    let failed = |error| file.failed("roll up", error);
    let mut read = file.read().await?;
    let partitions: Vec<(u32, i64)> =
        sqlx::query_as("SELECT partition, log_time_ns FROM positions ORDER BY partition")
            .fetch_all(&mut *read)
            .await
            .map_err(failed)?;
    let mut due = None;
    for (partition, log_time) in partitions {
        let log_time = UnixNanos(log_time).max(now.saturating_add(-IDLE_NS));
        let state = state::load(&mut read, partition).await.map_err(failed)?;
        if state.is_some_and(|state| state.rolled_until < settled(log_time.second())) {
            due = Some((partition, log_time));
            break;
        }
    }
    drop(read);
    let Some((partition, log_time)) = due else { return Ok(false) };
    let mut tx = file.write().await?;
    let state = state::load_or_begin(&mut tx, partition, log_time.second()).await.map_err(failed)?;
    let settled = settled(log_time.second());
    let from = state.rolled_until;
    if from >= settled {
        return Ok(true);
    }
    // A partition that was silent is not walked through ten minutes by ten minutes.
    let oldest = oldest_unrolled(&mut tx, partition, from).await.map_err(failed)?;
    let from = oldest.map_or(settled, |oldest| Second(oldest.0 - oldest.0.rem_euclid(ROLL_S)).max(from));
    let until = from.offset(ROLL_S).min(settled);
    if from < until {
        roll::<Aggregate>(file, &mut tx, partition, from, until).await?;
        roll::<Reading>(file, &mut tx, partition, from, until).await?;
    }
    state::set_rolled(&mut tx, partition, until).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    Ok(true)
}

/// First second of the oldest row of ten seconds from `from` on.
async fn oldest_unrolled(
    on: &mut SqliteConnection,
    partition: u32,
    from: Second,
) -> Result<Option<Second>, sqlx::Error> {
    const TIER: Resolution = Resolution::TenSeconds;
    let mut oldest: Option<Second> = None;
    for sql in [Aggregate::TABLE.oldest_from, Reading::TABLE.oldest_from] {
        let chunk: Option<i64> = sqlx::query_scalar(sql)
            .bind(TIER.width_s())
            .bind(partition)
            .bind(chunk_of(TIER, from))
            .fetch_optional(&mut *on)
            .await?;
        if let Some(start) = chunk.map(|chunk| super::points::chunk_start(TIER, chunk)) {
            oldest = Some(oldest.map_or(start, |known| known.min(start)));
        }
    }
    Ok(oldest)
}

async fn roll<V: Value>(
    file: &File,
    on: &mut SqliteConnection,
    partition: u32,
    from: Second,
    until: Second,
) -> Result<(), StoreError> {
    const TIER: Resolution = Resolution::TenSeconds;
    let series: Vec<i64> = sqlx::query_scalar(V::TABLE.series)
        .bind(TIER.width_s())
        .bind(partition)
        .bind(chunk_of(TIER, from))
        .bind(chunk_of(TIER, until))
        .fetch_all(&mut *on)
        .await
        .map_err(|error| file.failed("roll up", error))?;
    for series in series {
        let mut minutes: Vec<(Second, V)> = Vec::new();
        let stretch = Stretch { tier: TIER, partition, series, from, until };
        for_each(file, on, stretch, |start, value: V| add(&mut minutes, Resolution::Minute, start, value))
            .await?;
        let mut hours: Vec<(Second, V)> = Vec::new();
        for (start, value) in &minutes {
            add(&mut hours, Resolution::Hour, *start, value.clone());
        }
        for (tier, rows) in [(Resolution::Minute, minutes), (Resolution::Hour, hours)] {
            for (start, value) in rows {
                merge_at(file, on, Place { tier, partition, series, start }, &value).await?;
            }
        }
    }
    Ok(())
}

/// Adds a row to the bucket that holds it; rows come by time.
fn add<V: Value>(buckets: &mut Vec<(Second, V)>, tier: Resolution, start: Second, value: V) {
    let start = tier.bucket_of(start);
    match buckets.last_mut() {
        Some((last, sum)) if *last == start => sum.merge(&value),
        _ => buckets.push((start, value)),
    }
}
