//! Where records go: over QUIC to a central, straight to Kafka, or to Kafka with a central that corrects
//! the clock and tells what to flush sooner.

use std::sync::Arc;

use goldentime_runtime::{TaskKind, Tasks};
use goldentime_transport::identity::Identity;
use goldentime_wire::proto;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Agent;
use crate::ship::flush::Author;
use crate::ship::uplink::kafka::{KafkaLink, agent_id};
use crate::ship::uplink::quic::{Cargo, Link, LinkContext, enrolled};
use crate::ship::uplink::{PARTITIONS, Shipment};

/// Who this agent is.
pub(super) struct Who {
    pub(super) agent: String,
    pub(super) project: String,
    /// What a central gave it.
    identity: Option<Identity>,
}

impl Agent {
    /// Who this agent is: by its central where it has one, else by itself and its configuration. `None`
    /// when told to stop before the central has answered.
    pub(super) async fn who(&self, stop: &CancellationToken) -> anyhow::Result<Option<Who>> {
        if let (Some(kafka), false) = (&self.config.kafka, self.config.has_central()) {
            let (agent, project) = (agent_id(&self.config.state_dir)?, kafka.project().to_owned());
            return Ok(Some(Who { agent, project, identity: None }));
        }
        self.sources.set_doing("asking the central for a certificate");
        let asked = enrolled(&self.config.central, &self.config.state_dir, &self.host, &self.uplink, stop);
        let who = |identity: Identity| Who {
            agent: identity.agent.clone(),
            project: identity.project.clone(),
            identity: Some(identity),
        };
        Ok(asked.await?.map(who))
    }

    /// The number of partitions that was told in an earlier run; 0 if it never was.
    pub(super) async fn known_partitions(&self) -> anyhow::Result<u32> {
        let known = self.spool.recall(PARTITIONS).await?;
        Ok(known.and_then(|partitions| partitions.parse().ok()).unwrap_or_default())
    }

    /// Starts to send.
    pub(super) fn spawn_uplinks(
        &self,
        services: &Tasks,
        who: &Who,
        author: watch::Sender<Author>,
        offset_measured: &CancellationToken,
    ) -> anyhow::Result<()> {
        let shipment = Shipment {
            spool: self.spool.clone(),
            live: self.live.clone(),
            logs: self.logs.clone(),
            author,
            aggregator: self.aggregator.clone(),
            clock: Arc::clone(&self.clock),
            state: self.uplink.clone(),
        };
        let left = CancellationToken::new();
        let cargo = match &self.config.kafka {
            Some(kafka) => {
                let link = KafkaLink::new(kafka.clone(), shipment.clone(), left.clone());
                services.spawn(TaskKind::Station, "kafka", link.run());
                Cargo::None { left }
            }
            None => Cargo::Records,
        };
        if let Some(identity) = &who.identity {
            let link = Link::new(LinkContext {
                config: self.config.central.clone(),
                identity: identity.clone(),
                host: self.host.clone(),
                environment: self.config.environment.clone(),
                shipment,
                cargo,
                offset_measured: offset_measured.clone(),
                report: self.report(),
            })?;
            services.spawn(TaskKind::Station, "uplink", link.run());
        }
        Ok(())
    }

    /// What is told of the agent with every ping.
    fn report(&self) -> Arc<dyn Fn() -> proto::AgentReport + Send + Sync> {
        let (flush, spool, ledger) = (self.flush.clone(), self.spool.clone(), self.ledger.clone());
        let (clock, aggregator) = (Arc::clone(&self.clock), self.aggregator.clone());
        let sources = self.sources.clone();
        Arc::new(move || {
            let now = clock.now().saturating_add(aggregator.clock_offset());
            let status = flush.get();
            proto::AgentReport {
                lines_read: sources.lines_read(),
                spool_bytes: spool.usage().bytes,
                lag_ms: status.progress.map_or(0, |progress| now.since(progress).max(0) / 1_000_000),
                requests_flushed: Some(spool.requests()),
                drops: ledger.by_reason().into_iter().map(|(reason, n)| (reason.to_owned(), n)).collect(),
            }
        })
    }

    /// Waits until data can be cut into partitions and, for a while, until the clock's offset is
    /// measured: read before that, the lines of a machine whose clock is wrong would go into wrong
    /// seconds. Without a central nobody measures it. `false` when told to stop before.
    pub(super) async fn ready_to_read(
        &self,
        mut author: watch::Receiver<Author>,
        offset_measured: &CancellationToken,
        stop: &CancellationToken,
    ) -> bool {
        let limit = self.config.central.clock_wait_max.get();
        let ready = async {
            // Fails only when the uplink has ended, which stops the program anyway.
            let _ = author.wait_for(|author| author.partitions > 0).await;
            if !self.config.has_central() {
                tracing::info!("no central is configured: the clock is taken as it is");
                return;
            }
            if tokio::time::timeout(limit, offset_measured.cancelled()).await.is_err() {
                tracing::warn!(
                    limit_s = limit.as_secs_f64(),
                    "the central cannot be reached: reading without a measured clock offset"
                );
            }
        };
        tokio::select! {
            () = stop.cancelled() => false,
            () = ready => true,
        }
    }
}
