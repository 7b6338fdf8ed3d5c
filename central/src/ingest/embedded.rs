//! The central's own log behind intake: one sequencer a partition, and the writer.

use std::path::Path;
use std::sync::Arc;

use goldentime_log::{IngestLog, LogConfig, LogError, ReadLog, SqliteLog};
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use goldentime_windows::Checkpoint;
use tokio::sync::{mpsc, oneshot};

use super::logged::Logged;
use super::quic::shared::PartitionDoor;
use super::sequencer::{INCOMING_MAX, LOGGED_MAX, Sequencer};
use super::start::{Behind, IngestError};
use super::writer::{self, LogHealth, TO_WRITE_MAX};

/// Topic generation of the embedded log: its partitions never change.
pub const GENERATION: u32 = 1;

/// The central's own log, open and not written to yet.
pub struct EmbeddedLog {
    log: Arc<dyn IngestLog>,
    config: LogConfig,
    health: LogHealth,
}

/// What the merge reads of one partition.
pub struct PartitionFeed {
    /// Its records from the checkpoint on.
    pub records: mpsc::Receiver<Logged>,
    /// Last offset that was in the log at the start: up to it, it is a replay.
    pub replay_until: u64,
}

impl EmbeddedLog {
    /// Opens the log below the state folder.
    pub async fn open(state_dir: &Path, config: LogConfig) -> Result<Self, LogError> {
        let log = SqliteLog::open(&state_dir.join("log"), config.segment_bytes.get()).await?;
        Ok(Self { log: Arc::new(log), config, health: LogHealth::default() })
    }

    /// The log, for those who read it once more.
    #[must_use]
    pub fn log(&self) -> Arc<dyn ReadLog> {
        Arc::clone(&self.log) as _
    }

    /// Whether the log takes records.
    #[must_use]
    pub fn health(&self) -> LogHealth {
        self.health.clone()
    }

    /// Starts sequencers and writer; each partition goes on behind its checkpoint. Gives what intake and
    /// merge take of it.
    pub async fn start(
        self,
        tasks: &Tasks,
        checkpoints: &[Option<Checkpoint>],
        clock: &SharedClock,
    ) -> Result<(Behind, Vec<PartitionFeed>), IngestError> {
        let (to_write, waiting) = mpsc::channel(TO_WRITE_MAX);
        let (retention, health) = (self.config.retention.get(), self.health.clone());
        let write = writer::run(Arc::clone(&self.log), self.config, Arc::clone(clock), health, waiting);
        tasks.spawn(TaskKind::Station, "log", write);

        let (mut feeds, mut doors, mut opened) = (Vec::new(), Vec::new(), Vec::new());
        for (partition, checkpoint) in (0..).zip(checkpoints) {
            let (logged, records) = mpsc::channel(LOGGED_MAX);
            let (sender, incoming) = mpsc::channel(INCOMING_MAX);
            let (log, checkpoint) = (&self.log, checkpoint.as_ref());
            let sequencer =
                Sequencer::new(log, partition, checkpoint, Arc::clone(clock), logged, to_write.clone())
                    .await?;
            let from = checkpoint.map_or(1, |checkpoint| checkpoint.offset + 1);
            let (replayed, replay) = oneshot::channel();
            doors.push(PartitionDoor { records: sender, committed: sequencer.committed() });
            feeds.push(PartitionFeed { records, replay_until: sequencer.replay_until() });
            opened.push(replay);
            let run = sequencer.run(Arc::clone(log), from, replayed, incoming);
            tasks.spawn(TaskKind::Station, "sequencer", run);
        }
        Ok((Behind { doors, opened, generation: GENERATION, retention, member: String::new() }, feeds))
    }
}
