//! Writing the history and the delivery queue, beside the pages' way and never in it.
//!
//! While the catalogue is away pages are sent unclaimed, and both that they wait and that they were delivered are
//! written when it is back. In between another central would find them waiting, and send them once more. So what
//! has ended by the time it is written does not go into the queue any more.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use goldentime_catalog::{AlertRecord, Catalogue, CatalogueError, Notification, Outcome};
use goldentime_model::UnixNanos;
use goldentime_model::metric_names::DROPS_TOTAL;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::unwritten::Unwritten;

/// Writes on their way to the catalogue, and as many more that it did not take yet; beyond, the newest are let go
/// and counted.
pub(super) const WRITES_MAX: usize = 4096;

/// Longest wait between two attempts. Less than the time between two looks of another central at what waits, so
/// that what was delivered is written before it is taken for forgotten.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Attempts once the central stops.
const ATTEMPTS_WHEN_STOPPING: u32 = 5;

/// One write.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// Writes in order until all senders are gone. What the catalogue does not take waits; at the end it is left for
/// the next start.
pub(super) async fn run(
    catalogue: Arc<dyn Catalogue>,
    mut writes: mpsc::Receiver<Write>,
    mut unwritten: Unwritten,
    stopping: CancellationToken,
) {
    let (mut waits, mut attempts) = (waits(), 0);
    let (mut due, mut is_open, mut stops) = (Instant::now(), true, false);
    loop {
        if unwritten.is_empty() {
            (waits, attempts) = (self::waits(), 0);
            let Some(write) = writes.recv().await else { return };
            match write.clone().apply(&*catalogue).await {
                Err(CatalogueError::Unavailable { .. }) => {
                    unwritten.keep(write);
                    due = Instant::now() + next(&mut waits);
                }
                Err(error) => refused(&error),
                Ok(()) => {}
            }
            continue;
        }
        if !is_open && attempts >= ATTEMPTS_WHEN_STOPPING {
            unwritten.tell_left();
            return;
        }
        let has_room = stops || unwritten.len() < WRITES_MAX;
        tokio::select! {
            write = writes.recv(), if is_open && has_room => match write {
                Some(write) => unwritten.keep(write),
                None => is_open = false,
            },
            () = stopping.cancelled(), if !stops => {
                stops = true;
                (waits, attempts, due) = (self::waits(), 0, Instant::now());
            }
            () = tokio::time::sleep_until(due) => {
                while unwritten.len() < WRITES_MAX && let Ok(write) = writes.try_recv() {
                    unwritten.keep(write);
                }
                if unwritten.give_over(&*catalogue).await.is_err() {
                    attempts += 1;
                    metrics::counter!("goldentime_catalogue_retries_total").increment(1);
                    due = Instant::now() + next(&mut waits);
                }
            }
        }
    }
}

fn waits() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(WAIT_MAX)
        .without_max_times()
        .with_jitter()
        .build()
}

fn next(waits: &mut ExponentialBackoff) -> Duration {
    waits.next().unwrap_or(WAIT_MAX)
}

/// Tells of a write that the catalogue will never take.
pub(super) fn refused(error: &CatalogueError) {
    metrics::counter!(DROPS_TOTAL, "component" => "notify_history", "reason" => "refused").increment(1);
    tracing::error!(error = error as &dyn std::error::Error, "a change is not in the history");
}

impl Write {
    pub(super) async fn apply(self, catalogue: &dyn Catalogue) -> Result<(), CatalogueError> {
        match self {
            Self::Alert(record) => catalogue.record_alert(*record).await.map(|_| ()),
            Self::Enqueue(notifications) if notifications.is_empty() => Ok(()),
            Self::Enqueue(notifications) => catalogue.enqueue(notifications).await,
            Self::Finish { notification, attempts, outcome, at } => {
                catalogue.finish(*notification, attempts, outcome, at).await
            }
        }
    }
}
