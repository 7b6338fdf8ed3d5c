//! What rules need to know before they judge: windows as they were before a start or before the rule.

use std::sync::Arc;

use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{Second, ServiceId, UnixNanos};
use goldentime_windows::{SecondCell, Tier};

use super::bases::chain;
use super::lateness::FUTURE_S_MAX;
use super::shard::Shard;
use crate::evaluate::rule::Rule;

/// How many services are rebuilt after a change of rules before records are merged again.
const REBUILDS_PER_TICK: usize = 50;

impl Shard {
    /// Begins to judge once everything that was in the log at the start is merged.
    pub(super) async fn begin_if_caught_up(&mut self) {
        if self.live || !self.settings.replay_end.is_reached(self.partition.offset()) {
            return;
        }
        self.live = true;
        let now = self.clock.now();
        self.partition.agents.heard_all(now);
        for service in self.services_of_store().await {
            self.partition.know(&service);
        }
        self.engine.recall(&std::mem::take(&mut self.learned));
        self.attach_all(now);
        self.warm_up_all().await;
        self.engine.close_orphans(now, &mut self.findings);
        self.begin_several();
        self.tell().await;
        self.settings.owned.caught_up(self.settings.partition);
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
        for service in self.partition.services.all_mut() {
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
        self.judges.reload(rules, now, &mut self.findings);
        if self.live {
            self.attach_all(now);
            self.warm_up().await;
            self.report(true);
            self.ask_for_reports();
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
            self.engine.touch(service, open.start, open.cell.as_judged(), now);
        }
    }

    /// A service's seconds as they were judged, oldest first: after a restart the rules stand as they
    /// would without it. Seconds that have left the one-second tier stand as buckets
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
                        SecondCell::decode_judged(&cell.blob).ok().map(|cell| (at, cell))
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
}
