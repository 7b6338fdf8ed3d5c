//! What a shard does between records: it reads bases, writes cells and checkpoints, rebuilds rules
//! and forgets what nobody needs any more.

use std::sync::Arc;
use std::time::Duration;

use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{Second, ServiceId, UnixNanos};
use goldentime_windows::{CellKey, SecondCell, StoreError, StoredCell, Tier};

use super::accumulate::bucket_start;
use super::lateness::FUTURE_S_MAX;
use super::shard::Shard;
use crate::evaluate::engine::Finding;
use crate::evaluate::explain::{self, EXPLAINED_S_MAX};
use crate::evaluate::rule::Rule;
use crate::ingest::logged::Logged;

/// How many ticks lie between two writings of cells of ten seconds: they are read for what is older
/// than the one-second cells, so nobody waits for them.
const TEN_SECONDS_EVERY_TICKS: u64 = 2;

/// How many ticks lie between two searches for services that were silent for long.
const FORGET_EVERY_TICKS: u64 = 60;

/// A service without records for this long leaves memory; its cells have expired by then.
const FORGET_AFTER_NS: i64 = Tier::TenSeconds.retention_s() * 1_000_000_000;

/// How many services are rebuilt after a change of rules before records are merged again.
const REBUILDS_PER_TICK: usize = 50;

/// How often a base is asked for before its cell is begun without it and marked as partial.
const BASE_TRIES: u32 = 3;

/// Pause between two tries.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// An alert waits for its explanation this long at most.
const EXPLAIN_WITHIN: Duration = Duration::from_millis(50);

/// The newest second whose cell an earlier process can have written, when this one starts at `now`:
/// it clamped what was further in the future, and its clock was at most ten seconds ahead of ours.
pub(super) fn base_horizon(now: UnixNanos) -> Second {
    now.second().offset(FUTURE_S_MAX + 10)
}

impl Shard {
    /// Opens the cells that a record adds to and that an earlier process may have written.
    pub(super) async fn load_bases(&mut self, logged: &Logged) {
        let Some(service) = &logged.service else { return };
        let horizon = self.base_horizon;
        if bucket_start(Tier::TenSeconds, self.partition.log_time().oldest_open()) > horizon {
            return;
        }
        let mut needed: Vec<(Tier, Second)> = Vec::new();
        self.partition.cells_of(logged, |tier, start| {
            if start <= horizon && !needed.contains(&(tier, start)) {
                needed.push((tier, start));
            }
        });
        for (tier, start) in needed {
            let base = self.read_base(service, tier, start).await;
            self.partition.open(service, tier, start, base);
        }
    }

    async fn read_base(&self, service: &ServiceId, tier: Tier, start: Second) -> Option<(u64, SecondCell)> {
        for attempt in 1..=BASE_TRIES {
            let stored = match self.store.read(service, tier, start, start.offset(1)).await {
                Ok(stored) => stored,
                Err(error) => {
                    tracing::warn!(%service, attempt, error = %chain(&error), "cannot read a cell's base");
                    tokio::time::sleep(RETRY_AFTER).await;
                    continue;
                }
            };
            let own = stored.into_iter().filter(|cell| cell.partition == self.settings.partition);
            let newest = own.max_by_key(|cell| cell.offset)?;
            match SecondCell::decode(&newest.blob) {
                Ok(cell) => return Some((newest.offset, cell)),
                Err(error) => {
                    tracing::error!(%service, start = start.0, %error, "a stored cell cannot be read");
                    break;
                }
            }
        }
        metrics::counter!("goldentime_merge_partial_cells_total").increment(1);
        Some((0, SecondCell { partial: true, ..SecondCell::default() }))
    }

    /// Writes the one-second cells that changed. What cannot be written stays dirty and is tried
    /// again; judging goes on from memory.
    pub async fn write(&mut self) {
        if std::mem::take(&mut self.written.has_dirty) && self.write_tier(Tier::OneSecond).await.is_err() {
            self.written.has_dirty = true;
        }
    }

    async fn write_tier(&mut self, tier: Tier) -> Result<(), StoreError> {
        let number = self.settings.partition;
        let mut cells = Vec::new();
        for service in self.partition.services_mut().1 {
            for open in service.cells.dirty(tier) {
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
        for service in self.partition.services_mut().1 {
            service.cells.dirty(tier).for_each(|open| open.dirty = false);
        }
        Ok(())
    }

    /// Writes everything, then from where the merge can go on.
    pub async fn checkpoint(&mut self) {
        let log_time = self.partition.log_time();
        let written = match self.write_tier(Tier::OneSecond).await {
            Ok(()) => self.write_tier(Tier::TenSeconds).await,
            Err(error) => Err(error),
        };
        let saved = match written {
            Ok(()) => {
                let checkpoint = self.partition.checkpoint();
                self.store.save_checkpoint(checkpoint).await
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
        if ticks.is_multiple_of(TEN_SECONDS_EVERY_TICKS) {
            // A failure is logged there, and what is dirty is tried again.
            let _ = self.write_tier(Tier::TenSeconds).await;
        }
        let oldest = self.partition.log_time().oldest_open();
        for service in self.partition.services_mut().1 {
            service.cells.close_before(oldest);
        }
        if ticks.is_multiple_of(FORGET_EVERY_TICKS) {
            let before = self.partition.log_time().now().saturating_add(-FORGET_AFTER_NS);
            let named = self.engine.named_services();
            let now = self.clock.now();
            for service in self.partition.forget(before, |id| named.binary_search(id).is_ok()) {
                self.engine.detach(&service, now, &mut self.findings);
            }
            self.tell().await;
        }
        let partition = self.settings.partition.to_string();
        metrics::gauge!("goldentime_merge_offset", "partition" => partition)
            .set(self.partition.offset() as f64);
    }

    /// Begins to judge once everything that was in the log at the start is merged.
    pub(super) async fn begin_if_caught_up(&mut self) {
        if self.live || self.partition.offset() < self.settings.replay_until {
            return;
        }
        self.live = true;
        let now = self.clock.now();
        self.partition.agents.heard_all(now);
        for service in self.services_of_store().await {
            self.partition.know(&service);
        }
        self.attach_all(now);
        self.warm_up_all().await;
        self.engine.close_orphans(now, &mut self.findings);
        self.tell().await;
        self.settings.caught_up.one_more();
        tracing::info!(
            partition = self.settings.partition,
            offset = self.partition.offset(),
            "caught up with the log; judging begins"
        );
    }

    fn attach_all(&mut self, now: UnixNanos) {
        for service in self.engine.named_services() {
            if self.partition.know(&service).is_none() {
                metrics::counter!(DROPS_TOTAL, "component" => "merge", "reason" => "services_max")
                    .increment(1);
            }
        }
        for service in self.partition.services_mut().1 {
            self.engine.attach(&service.id, now.second(), now, false);
        }
    }

    async fn services_of_store(&self) -> Vec<ServiceId> {
        match self.store.services().await {
            Ok(services) => {
                let ours = |id: &ServiceId| id.partition(self.settings.partitions) == self.settings.partition;
                services.into_iter().filter(ours).collect()
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "cannot list stored services; windows begin empty");
                Vec::new()
            }
        }
    }

    /// Takes new rules; sums of new ones are rebuilt from the windows tick by tick.
    pub(super) async fn reload(&mut self, rules: &[Arc<Rule>]) {
        let now = self.clock.now();
        self.engine.reload(rules, now, &mut self.findings);
        if self.live {
            self.attach_all(now);
            self.warm_up().await;
        }
        self.tell().await;
    }

    async fn warm_up_all(&mut self) {
        while let Some((service, window_s)) = self.engine.next_cold() {
            self.rebuild(&service, window_s).await;
        }
    }

    /// Rebuilds some of the services that wait for it.
    pub(super) async fn warm_up(&mut self) {
        for _ in 0..REBUILDS_PER_TICK {
            let Some((service, window_s)) = self.engine.next_cold() else { return };
            self.rebuild(&service, window_s).await;
        }
    }

    async fn rebuild(&mut self, service: &ServiceId, window_s: u32) {
        let now = self.clock.now();
        let until = now.second().offset(FUTURE_S_MAX + 1);
        let from = now.second().offset(-i64::from(window_s) - 5);
        let cells = self.read_cells(service, from, until).await;
        self.engine.rebuild(service, &cells, now);
        let Some(index) = self.partition.know(service) else { return };
        let (_, state) = self.partition.service_mut(index);
        for open in state.cells.seconds() {
            self.engine.touch(service, open.start, &open.cell, now);
        }
    }

    /// A service's seconds, oldest first. Seconds that have left the one-second tier stand as buckets
    /// of ten at the last of their seconds: a window rebuilt over them is right to within ten.
    async fn read_cells(
        &self,
        service: &ServiceId,
        from: Second,
        until: Second,
    ) -> Vec<(Second, SecondCell)> {
        let fine_from = self.clock.now().second().offset(15 - Tier::OneSecond.retention_s());
        let border = Second(fine_from.0 - fine_from.0.rem_euclid(10)).max(from);
        let mut cells = Vec::new();
        let spans = [(Tier::TenSeconds, from, border), (Tier::OneSecond, border, until)];
        for (tier, from, until) in spans.into_iter().filter(|(_, from, until)| from < until) {
            match self.store.read(service, tier, from, until).await {
                Ok(stored) => {
                    let decoded = stored.iter().filter_map(|cell| {
                        let at = cell.key.start.offset(tier.width_s() - 1);
                        SecondCell::decode(&cell.blob).ok().map(|cell| (at, cell))
                    });
                    cells.extend(decoded);
                }
                Err(error) => {
                    tracing::warn!(%service, error = %chain(&error), "cannot read windows; rules begin without them");
                }
            }
        }
        cells
    }

    /// Writes into a finding's alert what its window says, as far as that is at hand in time.
    pub(super) async fn explain(&mut self, finding: &mut Finding) {
        let Some(subject) = &finding.subject else { return };
        let window_s = subject.projection.rule().window_s.min(EXPLAINED_S_MAX);
        let from = subject.until.offset(1 - i64::from(window_s));
        let within = |second: Second| second >= from && second <= subject.until;
        let mut cells = Vec::new();
        let Some(index) = self.partition.know(&finding.service) else { return };
        let (_, service) = self.partition.service_mut(index);
        let open: Vec<_> = service.cells.seconds().filter(|open| within(open.start)).collect();
        let oldest_open = open.iter().map(|open| open.start).min().unwrap_or(subject.until.offset(1));
        cells.extend(open.iter().map(|open| open.cell.clone()));
        if from < oldest_open {
            let read = self.store.read(&finding.service, Tier::OneSecond, from, oldest_open);
            match tokio::time::timeout(EXPLAIN_WITHIN, read).await {
                Ok(Ok(stored)) => {
                    cells.extend(stored.iter().filter_map(|cell| SecondCell::decode(&cell.blob).ok()));
                }
                Ok(Err(_)) | Err(_) => {
                    metrics::counter!("goldentime_explanations_shortened_total").increment(1);
                }
            }
        }
        let transition = &mut finding.transition;
        explain::annotate(&mut transition.alert, transition.change, subject, &cells);
    }
}

/// An error with its sources.
fn chain(error: &StoreError) -> String {
    use std::error::Error as _;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    text
}
