//! Writing the history and the delivery queue, beside the pages' way and never in it.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use goldentime_catalog::{AlertRecord, Catalogue, CatalogueError, Notification, Outcome};
use goldentime_model::UnixNanos;
use goldentime_model::metric_names::DROPS_TOTAL;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Writes that wait for the catalogue; beyond, the newest are let go and counted.
pub(super) const WRITES_MAX: usize = 4096;

/// Attempts at one write once the central stops.
const ATTEMPTS_WHEN_STOPPING: u32 = 5;

/// One write.
#[derive(Clone, Debug)]
pub(super) enum Write {
    Alert(Box<AlertRecord>),
    Enqueue(Vec<Notification>),
    Finish { notification: Box<Notification>, attempts: u32, outcome: Outcome, at: UnixNanos },
}

/// Hands writes over without ever waiting.
#[derive(Clone)]
pub(super) struct Recorder(pub(super) mpsc::Sender<Write>);

impl Recorder {
    pub(super) fn write(&self, write: Write) {
        if self.0.try_send(write).is_err() {
            metrics::counter!(DROPS_TOTAL, "component" => "notify_history", "reason" => "queue_full")
                .increment(1);
            tracing::error!("the catalogue is too slow; a change of an alert is not in the history");
        }
    }
}

/// Writes in order, each until it succeeds, until all senders are gone.
pub(super) async fn run(
    catalogue: std::sync::Arc<dyn Catalogue>,
    mut writes: mpsc::Receiver<Write>,
    stopping: CancellationToken,
) {
    while let Some(write) = writes.recv().await {
        let mut waits = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_secs(5))
            .without_max_times()
            .with_jitter()
            .build();
        let mut attempts = 0;
        while let Err(error) = apply(&*catalogue, write.clone()).await {
            attempts += 1;
            let lost = !matches!(error, CatalogueError::Unavailable { .. })
                || (stopping.is_cancelled() && attempts >= ATTEMPTS_WHEN_STOPPING);
            if lost {
                metrics::counter!(DROPS_TOTAL, "component" => "notify_history", "reason" => "refused")
                    .increment(1);
                tracing::error!(error = &error as &dyn std::error::Error, "a change is not in the history");
                break;
            }
            metrics::counter!("goldentime_catalogue_retries_total").increment(1);
            tokio::time::sleep(waits.next().unwrap_or(Duration::from_secs(5))).await;
        }
    }
}

async fn apply(catalogue: &dyn Catalogue, write: Write) -> Result<(), CatalogueError> {
    match write {
        Write::Alert(record) => catalogue.record_alert(*record).await.map(|_| ()),
        Write::Enqueue(notifications) => catalogue.enqueue(notifications).await,
        Write::Finish { notification, attempts, outcome, at } => {
            catalogue.finish(*notification, attempts, outcome, at).await
        }
    }
}
