//! Commits records to the log in groups, and only then has them acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goldentime_log::{Entry, IngestLog, LogConfig, LogError};
use goldentime_model::UnixNanos;
use goldentime_runtime::SharedClock;
use goldentime_windows::StreamPosition;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::ack::{AckSink, Committed};
use super::room::Taken;

/// Records that wait to be written.
pub const TO_WRITE_MAX: usize = 2048;
/// Records in one transaction.
const GROUP_MAX: usize = 512;
/// Bytes in one transaction, about: a group is closed by the record that passes it.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Pauses between attempts while the log takes nothing.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LAST: Duration = Duration::from_secs(2);
/// How often old segments are looked for.
const TRUNCATE_EVERY: Duration = Duration::from_secs(30);

/// Something that is to be acknowledged once everything before it is in the log.
pub struct ToWrite {
    /// What is to be written; `None` for a repeat and for what was not valid.
    pub entry: Option<Entry>,
    /// Its partition.
    pub partition: u32,
    /// Its stream and number.
    pub position: StreamPosition,
    /// Where it is noted.
    pub committed: Committed,
    /// Whom to tell.
    pub ack: AckSink,
    /// Memory that it takes, given back with it.
    pub room: Taken,
}

/// Whether the log takes records. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LogHealth(Arc<AtomicBool>);

impl LogHealth {
    /// The log has been refusing for at least one attempt.
    #[must_use]
    pub fn is_refusing(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Writes until the sequencers end. A log that refuses holds everything back: nothing is acknowledged,
/// queues fill up, agents keep what they have, and nothing is lost.
pub async fn run(
    log: Arc<dyn IngestLog>,
    config: LogConfig,
    clock: SharedClock,
    health: LogHealth,
    mut records: mpsc::Receiver<ToWrite>,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    let mut truncated: Option<Instant> = None;
    while let Some(first) = records.recv().await {
        group.push(first);
        let mut bytes = 0;
        while group.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX {
            let Ok(next) = records.try_recv() else { break };
            bytes += next.entry.as_ref().map_or(0, |entry| entry.record.len());
            group.push(next);
        }
        commit(&*log, &config, &clock, &health, &mut group).await;
        for done in group.drain(..) {
            done.committed.note(done.position);
            done.ack.committed(done.position.stream, done.partition, done.position.number);
        }
        if truncated.is_none_or(|last| last.elapsed() > TRUNCATE_EVERY) {
            truncated = Some(Instant::now());
            truncate(&*log, &config, clock.now()).await;
        }
    }
}

async fn commit(
    log: &dyn IngestLog,
    config: &LogConfig,
    clock: &SharedClock,
    health: &LogHealth,
    group: &mut [ToWrite],
) {
    let entries: Vec<Entry> = group.iter_mut().filter_map(|to_write| to_write.entry.take()).collect();
    if entries.is_empty() {
        return;
    }
    let began = Instant::now();
    let mut pause = RETRY_FIRST;
    loop {
        let Err(error) = log.append(&entries).await else { break };
        if is_written(log, &entries, &error).await {
            break;
        }
        health.0.store(true, Ordering::Relaxed);
        metrics::counter!("goldentime_log_append_failures_total").increment(1);
        tracing::error!(
            error = &error as &dyn std::error::Error,
            records = entries.len(),
            "the log refuses; agents keep what they have until it does not"
        );
        // What is due to go may be what takes the room.
        truncate(log, config, clock.now()).await;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_LAST);
    }
    health.0.store(false, Ordering::Relaxed);
    metrics::histogram!("goldentime_log_commit_seconds").record(began.elapsed().as_secs_f64());
    metrics::counter!("goldentime_log_records_total").increment(entries.len() as u64);
}

/// An attempt whose commit failed half-way in its answer may have been written all the same.
async fn is_written(log: &dyn IngestLog, entries: &[Entry], error: &LogError) -> bool {
    let (LogError::Order { .. }, Some(last)) = (error, entries.last()) else { return false };
    matches!(log.bounds(last.partition).await, Ok(bounds) if bounds.last >= last.offset)
}

async fn truncate(log: &dyn IngestLog, config: &LogConfig, now: UnixNanos) {
    let retention = i64::try_from(config.retention.get().as_nanos()).unwrap_or(i64::MAX);
    match log.truncate(now.saturating_add(-retention), config.bytes_max.get()).await {
        Ok(dropped) if dropped.records > 0 => {
            tracing::info!(records = dropped.records, bytes = dropped.bytes, "old log segments dropped");
            metrics::counter!("goldentime_log_truncated_records_total").increment(dropped.records);
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "old log segments cannot be dropped"),
    }
}
