//! Goes on sending to Kafka as its topics come, change and go.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::layout::{Layout, LayoutError};
use super::session::{self, Ended};
use crate::ship::uplink::backoff::Backoff;
use crate::ship::uplink::shipment::Shipment;
use crate::ship::uplink::state::{KafkaPhase, chain};

/// Longest pause between two looks for topics that cannot be used yet.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(5);

/// Sends what there is straight to Kafka.
pub struct KafkaLink {
    config: Config,
    shipment: Shipment,
    left: CancellationToken,
}

/// Why nothing is sent for now.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Ended(#[from] Ended),
}

impl KafkaLink {
    /// A link that has not begun. It cancels `left` at its end.
    #[must_use]
    pub fn new(config: Config, shipment: Shipment, left: CancellationToken) -> Self {
        shipment.state.update_kafka(|status| {
            status.brokers.clone_from(&config.connection.brokers);
            status.topics = Layout::names(&config).map(|name| name.to_string()).into();
        });
        Self { config, shipment, left }
    }

    /// Runs until the queues are finished: then what was given in is waited for, briefly. While the
    /// topics cannot be used it ends at once, for everything is in the spool.
    pub async fn run(self) {
        let _left = self.left.clone().drop_guard();
        let mut backoff = Backoff::new(LOOK_INTERVAL_MAX);
        loop {
            let sent = tokio::select! {
                biased;
                () = self.shipment.live.finished() => break,
                layout = Layout::look(&self.config) => match layout {
                    Ok(layout) => Ok(layout),
                    Err(error) => Err(Failure::from(error)),
                },
            };
            let sent = match sent {
                Ok(layout) => self.send(&layout).await.map_err(Failure::from),
                Err(failure) => Err(failure),
            };
            self.shipment.close();
            self.shipment.state.update_kafka(|status| {
                status.phase = KafkaPhase::Looking;
                (status.sending_since, status.in_flight) = (None, 0);
            });
            match sent {
                Ok(()) => break,
                Err(Failure::Ended(reason @ (Ended::Behind | Ended::Changed))) => {
                    tracing::info!(%reason, "sending to Kafka begins anew");
                    backoff.reset();
                    continue;
                }
                Err(failure) => self.note(&failure),
            }
            tokio::select! {
                () = self.shipment.live.finished() => break,
                () = backoff.wait() => {}
            }
        }
        self.shipment.state.update_kafka(|status| status.phase = KafkaPhase::Left);
    }

    /// Sends to topics that are laid out like this.
    async fn send(&self, layout: &Layout) -> Result<(), Ended> {
        let shipment = &self.shipment;
        if let Some(before) = shipment.take_partitions(layout.partitions).await? {
            tracing::warn!(
                before,
                now = layout.partitions,
                "the topics have other partitions; opening new streams"
            );
            shipment.spool.rotate().await?;
        }
        let streams = shipment.open().await?;
        let now = shipment.corrected_now();
        tracing::info!(
            deltas = %layout.deltas,
            logs = %layout.logs,
            partitions = layout.partitions,
            record_bytes_max = layout.record_bytes_max,
            "sending to Kafka"
        );
        shipment.state.update_kafka(|status| {
            status.phase = KafkaPhase::Sending;
            status.partitions = Some(layout.partitions);
            status.sending_since = Some(now);
            status.trouble = None;
        });
        session::run(&self.config, shipment, layout, &streams).await
    }

    /// Each attempt may fail alike; that is logged once.
    fn note(&self, failure: &Failure) {
        let told = chain(failure);
        self.shipment.state.update_kafka(|status| {
            if status.trouble.as_ref() != Some(&told) {
                tracing::warn!(error = failure as &dyn std::error::Error, "nothing is sent to Kafka yet");
                status.trouble = Some(told);
            }
        });
    }
}
