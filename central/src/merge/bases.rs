//! The stored bases on which cells are opened again.

use std::time::Duration;

use goldentime_model::{Second, ServiceId, UnixNanos};
use goldentime_windows::{CellError, CellKey, SecondCell, StoreError, Tier};

use super::lateness::{FUTURE_S_MAX, Pass};
use super::shard::Shard;
use crate::ingest::logged::Logged;

/// How often a base is asked for before its cell is begun without it and marked as partial.
const BASE_TRIES: u32 = 3;

/// Pause between two tries.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Why a cell's base cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum BaseError {
    /// Try again.
    #[error("cannot read the stored cell")]
    Unread(#[from] StoreError),
    /// It stays so.
    #[error("the stored cell cannot be understood")]
    Corrupt(#[from] CellError),
}

/// The newest second whose cell an earlier process can have written, when this one starts at `now`:
/// it clamped what was further in the future, and its clock was at most ten seconds ahead of ours.
pub(super) fn base_horizon(now: UnixNanos) -> Second {
    now.second().offset(FUTURE_S_MAX + 10)
}

impl Shard {
    /// Opens the cells that are judged, that a record adds to, and that an earlier process may have
    /// written.
    pub(super) async fn load_bases(&mut self, logged: &Logged) {
        let Some(service) = &logged.service else { return };
        let horizon = self.base_horizon;
        let mut log_time = self.partition.log_time();
        if Tier::TenSeconds.bucket_of(log_time.oldest_open()) > horizon {
            return;
        }
        log_time.advance(logged.append_time);
        let mut needed: Vec<(Tier, Second)> = Vec::new();
        self.partition.cells_of(logged, log_time, Pass::Live, |tier, start| {
            if start <= horizon && !needed.contains(&(tier, start)) {
                needed.push((tier, start));
            }
        });
        for (tier, start) in needed {
            let base = self.base_or_partial(service, tier, start).await;
            self.open_on(CellKey { service: service.clone(), tier, start }, base, Pass::Live);
        }
    }

    /// The base of a cell that has to be judged now: begun anew and marked, where it cannot be had.
    async fn base_or_partial(
        &self,
        service: &ServiceId,
        tier: Tier,
        start: Second,
    ) -> Option<(u64, SecondCell)> {
        for attempt in 1..=BASE_TRIES {
            match self.base(service, tier, start).await {
                Ok(base) => return base,
                Err(error) => {
                    tracing::warn!(%service, start = start.0, attempt, error = %chain(&error), "a window begins without what was stored of it");
                    if matches!(error, BaseError::Corrupt(_)) {
                        break;
                    }
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
        metrics::counter!("goldentime_merge_partial_cells_total").increment(1);
        Some((0, SecondCell { partial: true, ..SecondCell::default() }))
    }

    /// What is stored of a cell, with the offset that it reaches.
    pub(super) async fn base(
        &self,
        service: &ServiceId,
        tier: Tier,
        start: Second,
    ) -> Result<Option<(u64, SecondCell)>, BaseError> {
        let stored = self.store.read(service, tier, start, start.offset(1)).await?;
        let own = stored.into_iter().filter(|cell| cell.partition == self.settings.partition);
        let Some(newest) = own.max_by_key(|cell| cell.offset) else { return Ok(None) };
        Ok(Some((newest.offset, SecondCell::decode(&newest.blob)?)))
    }
}

/// An error with its sources.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    text
}
