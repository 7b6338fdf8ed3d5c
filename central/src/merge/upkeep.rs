//! What a shard does between records: it writes cells and checkpoints, explains findings, and forgets
//! what nobody needs any more.

use std::time::Duration;

use goldentime_model::Second;
use goldentime_windows::{CellKey, SecondCell, StoreError, StoredCell, Tier};

use super::accumulate::OpenCell;
use super::bases::chain;
use super::shard::Shard;
use crate::evaluate::engine::Finding;
use crate::evaluate::explain::{self, EXPLAINED_S_MAX};

/// How many ticks lie between two writings of cells of ten seconds: they are read for what is older
/// than the one-second cells, so nobody waits for them.
const TEN_SECONDS_EVERY_TICKS: u64 = 2;

/// How many ticks lie between two searches for services that were silent for long.
const FORGET_EVERY_TICKS: u64 = 60;

/// A service without records for this long leaves memory; its cells have expired by then.
const FORGET_AFTER_NS: i64 = Tier::TenSeconds.retention_s() * 1_000_000_000;

/// An alert waits for its explanation this long at most.
const EXPLAIN_WITHIN: Duration = Duration::from_millis(50);

/// What an explanation is made of, if it is read in time; one without it is counted.
pub(super) async fn at_hand<T>(read: impl Future<Output = Option<T>>) -> Option<T> {
    let read = tokio::time::timeout(EXPLAIN_WITHIN, read).await.ok().flatten();
    if read.is_none() {
        metrics::counter!("goldentime_explanations_shortened_total").increment(1);
    }
    read
}

/// Names every cell.
const ALL: fn(&OpenCell) -> bool = |_| true;

impl Shard {
    /// Writes the one-second cells that changed. What cannot be written stays dirty and is tried
    /// again; judging goes on from memory.
    pub async fn write(&mut self) {
        if std::mem::take(&mut self.written.has_dirty) && self.write_tier(Tier::OneSecond, ALL).await.is_err()
        {
            self.written.has_dirty = true;
        }
    }

    /// Writes the cells of `tier` that changed and that `which` names.
    pub(super) async fn write_tier(
        &mut self,
        tier: Tier,
        which: impl Fn(&OpenCell) -> bool,
    ) -> Result<(), StoreError> {
        let number = self.settings.partition;
        let mut cells = Vec::new();
        for service in self.partition.services.all_mut() {
            for open in service.cells.dirty(tier).filter(|open| which(open)) {
                let key = CellKey { service: service.id.clone(), tier, start: open.start };
                cells.push(StoredCell {
                    key,
                    partition: number,
                    offset: open.offset,
                    blob: open.cell.encode(),
                });
            }
        }
        if cells.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.store.put(cells).await {
            metrics::counter!("goldentime_window_write_failures_total").increment(1);
            tracing::warn!(partition = number, error = %chain(&error), "cannot write windows; trying again");
            return Err(error);
        }
        for service in self.partition.services.all_mut() {
            service.cells.dirty(tier).filter(|open| which(open)).for_each(|open| open.dirty = false);
        }
        Ok(())
    }

    /// Lets go of written cells that are not judged any more.
    pub(super) fn close_cells(&mut self) {
        let log_time = self.partition.log_time();
        let services = self.partition.services.all_mut();
        self.closed_held = services.iter_mut().map(|service| service.cells.close(log_time)).sum();
    }

    /// Whether open cells take more memory than they may.
    pub(super) fn is_crowded(&self) -> bool {
        self.partition.services.open_bytes() > self.settings.open_bytes_max
    }

    /// Writes everything and lets go of the oldest cells until a quarter of the memory is free. Encoded
    /// they take a fraction of it, in the window store and by its bound. A record that adds to one of
    /// them opens it again, as after a restart: what is counted stays the same, it only takes longer.
    pub(super) async fn make_room(&mut self) {
        metrics::counter!("goldentime_merge_crowded_total").increment(1);
        for tier in [Tier::OneSecond, Tier::TenSeconds] {
            // A failure is logged there; what is not written is not let go.
            let _ = self.write_tier(tier, ALL).await;
        }
        let mut starts: Vec<Second> =
            self.partition.services.all_mut().iter().flat_map(|service| service.cells.starts()).collect();
        starts.sort_unstable();
        starts.dedup();
        for start in starts {
            if self.partition.services.open_bytes() <= self.settings.open_bytes_max / 4 * 3 {
                break;
            }
            self.partition.services.all_mut().iter_mut().for_each(|service| service.cells.evict(start));
            self.base_horizon = self.base_horizon.max(start);
        }
        self.close_cells();
    }

    /// Writes everything, then from where the merge can go on.
    pub async fn checkpoint(&mut self) {
        let log_time = self.partition.log_time();
        let written = match self.write_tier(Tier::OneSecond, ALL).await {
            Ok(()) => self.write_tier(Tier::TenSeconds, ALL).await,
            Err(error) => Err(error),
        };
        let saved = match written {
            Ok(()) => {
                let mut checkpoint = self.partition.checkpoint();
                checkpoint.learned = if self.live { self.engine.keep() } else { self.learned.clone() };
                self.checkpoints.save(checkpoint).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = saved {
            metrics::counter!("goldentime_checkpoint_failures_total").increment(1);
            tracing::error!(
                partition = self.settings.partition,
                error = %chain(&error),
                "cannot write a checkpoint; a restart replays more of the log until this works again"
            );
        }
        self.cadence.written(log_time.now());
    }

    /// The end: everything that was taken in is written.
    pub(super) async fn finish(&mut self) {
        self.tell().await;
        self.checkpoint().await;
        tracing::info!(
            partition = self.settings.partition,
            offset = self.partition.offset(),
            "merged to the end"
        );
    }

    /// What a tick does besides judging.
    pub(super) async fn upkeep(&mut self) {
        let ticks = self.written.ticks;
        self.put_again_what_was_lost();
        if ticks.is_multiple_of(TEN_SECONDS_EVERY_TICKS) {
            // A failure is logged there, and what is dirty is tried again.
            let _ = self.write_tier(Tier::TenSeconds, ALL).await;
        }
        self.close_cells();
        if ticks.is_multiple_of(FORGET_EVERY_TICKS) {
            let before = self.partition.log_time().now().saturating_add(-FORGET_AFTER_NS);
            let named = self.engine.named_services();
            let now = self.clock.now();
            for service in self.partition.services.forget(before, |id| named.binary_search(id).is_ok()) {
                self.engine.detach(&service, now, &mut self.findings);
            }
            self.tell().await;
        }
        let partition = self.settings.partition.to_string();
        metrics::gauge!("goldentime_merge_open_bytes", "partition" => partition.clone())
            .set(self.partition.services.open_bytes() as f64);
        metrics::gauge!("goldentime_merge_offset", "partition" => partition)
            .set(self.partition.offset() as f64);
    }

    /// A window store that was found without its data gets every cell again that is still held.
    fn put_again_what_was_lost(&mut self) {
        let losses = self.store.health().losses;
        if losses == self.losses {
            return;
        }
        self.losses = losses;
        let services = self.partition.services.all_mut().iter_mut();
        let cells: usize = services.map(|service| service.cells.all_dirty()).sum();
        self.written.has_dirty = true;
        tracing::warn!(
            partition = self.settings.partition,
            cells,
            "live windows were lost where they are kept; writing again what is in memory"
        );
    }

    /// Writes into a finding's alert what its window says, as far as that is at hand in time.
    pub(super) async fn explain(&mut self, finding: &mut Finding) {
        if finding.service.slo().is_some() {
            return self.explain_several(finding).await;
        }
        let Some(subject) = &finding.subject else { return };
        let window_s = subject.projection.rule().window_s.min(EXPLAINED_S_MAX);
        let from = subject.until.offset(1 - i64::from(window_s));
        let within = |second: Second| second >= from && second <= subject.until;
        let mut cells = Vec::new();
        let Some(index) = self.partition.know(&finding.service) else { return };
        let (_, service) = self.partition.service_mut(index);
        let open: Vec<_> = service.cells.seconds().filter(|open| within(open.start)).collect();
        let held: Vec<_> = open.iter().map(|open| open.start).collect();
        cells.extend(open.iter().map(|open| open.cell.as_judged().clone()));
        let read = self.store.read(&finding.service, Tier::OneSecond, from, subject.until.offset(1));
        let stored = at_hand(async { read.await.ok() }).await.unwrap_or_default();
        let others = stored.iter().filter(|cell| !held.contains(&cell.key.start));
        cells.extend(others.filter_map(|cell| SecondCell::decode_judged(&cell.blob).ok()));
        let transition = &mut finding.transition;
        explain::annotate(&mut transition.alert, transition.change, subject, &cells);
    }
}
