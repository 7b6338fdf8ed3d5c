//! Letting go of what is too old or too much, a little at a time.

use goldentime_follower::StoreError;
use goldentime_follower::sqlite::File;
use goldentime_model::{Second, UnixNanos};
use goldentime_windows::Aggregate;
use sqlx::SqliteConnection;

use super::points::{Value, chunk_of, chunk_s, chunk_start};
use super::state;
use crate::reading::Reading;
use crate::resolution::Resolution;
use crate::state::State;
use crate::store::Keep;

/// Rows of so many seconds are deleted at a time, at least a chunk.
const DROP_S: i64 = 600;

/// However little room there is, ten seconds and minutes are kept so long, in seconds, before rows that
/// hold more are touched.
const KEPT_LEAST_S: [i64; 2] = [2 * 3_600, 24 * 3_600];

/// Free pages above this share of the file are given back, and all of them while it is over its quota.
const FREE_SHARE_MAX: u64 = 4;

/// Pages that are given back at a time.
const GIVE_BACK_PAGES: u32 = 1024;

/// The oldest rows of one resolution in one partition.
#[derive(Clone, Copy, Debug)]
struct Oldest {
    tier: Resolution,
    partition: u32,
    chunk: i64,
    state: State,
}

impl Oldest {
    /// First second of the oldest chunk.
    const fn start(&self) -> Second {
        chunk_start(self.tier, self.chunk)
    }

    /// Up to where rows may be deleted, whatever their age: those of ten seconds must have been rolled
    /// up.
    const fn limit(&self) -> Second {
        match self.tier {
            Resolution::TenSeconds => self.state.rolled_until,
            Resolution::Minute | Resolution::Hour => Second(i64::MAX),
        }
    }
}

/// Deletes the next rows that are older than what is kept; says whether there were any.
pub(super) async fn drop_old(file: &File, keep: &Keep, now: UnixNanos) -> Result<bool, StoreError> {
    for oldest in all_oldest(file).await? {
        let kept_from = now.second().offset(-keep.seconds[oldest.tier.index()]).min(oldest.limit());
        if drop_from(file, oldest, kept_from).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes the next rows while the file is larger than its quota; says whether it did.
pub(super) async fn drop_over_quota(file: &File, keep: &Keep, now: UnixNanos) -> Result<bool, StoreError> {
    if file.size().await?.used <= keep.bytes_max {
        return Ok(false);
    }
    let all = all_oldest(file).await?;
    // The finest first, down to what is kept of them in any case; then whatever is oldest.
    for (tier, least) in [Resolution::TenSeconds, Resolution::Minute].into_iter().zip(KEPT_LEAST_S) {
        let kept_from = now.second().offset(-least);
        let oldest = all.iter().filter(|oldest| oldest.tier == tier).min_by_key(|oldest| oldest.chunk);
        if let Some(oldest) = oldest
            && drop_from(file, *oldest, kept_from.min(oldest.limit())).await?
        {
            return Ok(true);
        }
    }
    let mut by_age = all;
    by_age.sort_by_key(Oldest::start);
    for oldest in by_age {
        if drop_from(file, oldest, oldest.limit().min(now.second())).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives some of the free pages back where there are too many; says whether it did.
pub(super) async fn give_back(file: &File, keep: &Keep) -> Result<bool, StoreError> {
    let size = file.size().await?;
    let total = size.used + size.free;
    if size.free == 0 || (total <= keep.bytes_max && size.free <= total / FREE_SHARE_MAX) {
        return Ok(false);
    }
    file.give_back(GIVE_BACK_PAGES).await?;
    Ok(true)
}

/// First second of the oldest rows of each resolution.
pub(super) async fn oldest(file: &File) -> Result<[Option<Second>; 3], StoreError> {
    let mut found = [None; 3];
    for oldest in all_oldest(file).await? {
        let known: &mut Option<Second> = &mut found[oldest.tier.index()];
        *known = Some(known.map_or(oldest.start(), |known| known.min(oldest.start())));
    }
    Ok(found)
}

async fn all_oldest(file: &File) -> Result<Vec<Oldest>, StoreError> {
    let failed = |error| file.failed("look for the oldest rows", error);
    let mut read = file.read().await?;
    let partitions: Vec<u32> = sqlx::query_scalar("SELECT partition FROM rolled ORDER BY partition")
        .fetch_all(&mut *read)
        .await
        .map_err(failed)?;
    let mut all = Vec::new();
    for partition in partitions {
        let Some(state) = state::load(&mut read, partition).await.map_err(failed)? else { continue };
        for tier in Resolution::ALL {
            if let Some(chunk) = oldest_chunk(&mut read, tier, partition).await.map_err(failed)? {
                all.push(Oldest { tier, partition, chunk, state });
            }
        }
    }
    Ok(all)
}

async fn oldest_chunk(
    on: &mut SqliteConnection,
    tier: Resolution,
    partition: u32,
) -> Result<Option<i64>, sqlx::Error> {
    let mut oldest: Option<i64> = None;
    for sql in [Aggregate::TABLE.oldest_from, Reading::TABLE.oldest_from] {
        let found: Option<i64> = sqlx::query_scalar(sql)
            .bind(tier.width_s())
            .bind(partition)
            .bind(i64::MIN)
            .fetch_optional(&mut *on)
            .await?;
        oldest = match (oldest, found) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Ok(oldest)
}

/// Deletes the next rows before `kept_from`, whole chunks only; says whether there were any.
async fn drop_from(file: &File, oldest: Oldest, kept_from: Second) -> Result<bool, StoreError> {
    let Oldest { tier, partition, chunk, .. } = oldest;
    let chunks = (DROP_S / chunk_s(tier)).max(1);
    let until = chunk_of(tier, kept_from).min(chunk.saturating_add(chunks));
    if until <= chunk {
        return Ok(false);
    }
    let failed = |error| file.failed("delete old rows", error);
    let mut tx = file.write().await?;
    let mut deleted = 0;
    for sql in [Aggregate::TABLE.delete, Reading::TABLE.delete] {
        let done = sqlx::query(sql).bind(tier.width_s()).bind(partition).bind(until).execute(&mut *tx).await;
        deleted += done.map_err(failed)?.rows_affected();
    }
    let dropped_until = chunk_start(tier, until);
    state::set_dropped(&mut tx, tier, partition, dropped_until).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    metrics::counter!("goldentime_series_deleted_rows_total", "resolution" => tier.as_str())
        .increment(deleted);
    Ok(true)
}
