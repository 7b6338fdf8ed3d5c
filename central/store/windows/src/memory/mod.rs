//! Window state in this process's memory, with checkpoints in a SQLite file of its own.
//!
//! [`cells`] holds the cells within their limits, [`file`] is what a restart finds. A cell is in the file only together with the checkpoint that it was saved
//! with: what came after is made again from the log.

mod cells;
mod config;
mod file;

use std::future::ready;
use std::path::Path;

use goldentime_model::{Second, ServiceId, UnixNanos};

pub use config::WindowsConfig;
pub use file::checkpoint_offsets;

use crate::checkpoint::{Checkpoint, CheckpointStore};
use crate::error::StoreError;
use crate::store::{BoxFuture, GoBack, Health, Losses, StoredCell, Tier, WindowStore};
use crate::watermark::Watermarks;
use cells::Cells;
use file::CheckpointFile;

const BACKEND: &str = "memory";

/// The embedded backend.
#[derive(Debug)]
pub struct MemoryWindows {
    cells: Cells,
    watermarks: Watermarks,
    file: CheckpointFile,
}

impl MemoryWindows {
    /// Opens the file, makes it if it is not there, and loads what its checkpoints hold.
    pub async fn open(path: &Path, config: &WindowsConfig) -> Result<Self, StoreError> {
        let (cells, watermarks) = (Cells::new(config), Watermarks::default());
        let file = CheckpointFile::open(path).await?;
        for checkpoint in file.checkpoints().await? {
            watermarks.advance(checkpoint.partition, checkpoint.watermark);
        }
        let horizon = watermarks.horizon();
        file.load_cells(|cell| cells.put(cell, &horizon, true)).await?;
        Ok(Self { cells, watermarks, file })
    }

    /// Cells that were not stored since the start, because they had expired or a limit was reached.
    /// The same by reason: `goldentime_drops_total{component="windows"}`.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.cells.refused()
    }

    /// Memory that encoded cells take, in bytes.
    #[must_use]
    pub fn cells_bytes(&self) -> u64 {
        self.cells.bytes()
    }

    fn put_now(&self, cells: Vec<StoredCell>) {
        let mut sweep = false;
        for cell in cells.iter().filter(|cell| cell.key.tier == Tier::OneSecond) {
            sweep |= self.watermarks.advance(cell.partition, cell.key.start);
        }
        let horizon = self.watermarks.horizon();
        for cell in cells {
            self.cells.put(cell, &horizon, false);
        }
        if sweep {
            self.cells.sweep(&horizon);
        }
    }
}

impl WindowStore for MemoryWindows {
    fn name(&self) -> &'static str {
        BACKEND
    }

    /// What the file holds of a partition is as of its checkpoint.
    fn assign(&self, _partition: u32) -> BoxFuture<'_, Result<GoBack, StoreError>> {
        Box::pin(ready(Ok(GoBack::NOTHING)))
    }

    /// Done when it returns: the order of the calls is the order in which cells are written.
    fn put(&self, cells: Vec<StoredCell>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.put_now(cells);
        Box::pin(ready(Ok(())))
    }

    fn read(
        &self,
        service: &ServiceId,
        tier: Tier,
        from: Second,
        until: Second,
    ) -> BoxFuture<'_, Result<Vec<StoredCell>, StoreError>> {
        let cells = self.cells.read(service, tier, from, until, &self.watermarks.horizon());
        Box::pin(ready(Ok(cells)))
    }

    fn services(&self) -> BoxFuture<'_, Result<Vec<ServiceId>, StoreError>> {
        Box::pin(ready(Ok(self.cells.services(&self.watermarks.horizon()))))
    }

    fn health(&self) -> Health {
        Health::default()
    }

    /// Memory is lost with the program only.
    fn look(&self) -> BoxFuture<'_, Result<Losses, StoreError>> {
        Box::pin(ready(Ok(Losses::default())))
    }

    fn made_whole(&self, _partition: u32, _losses: Losses) {}

    /// Waits for running calls as well.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.file.close())
    }
}

impl CheckpointStore for MemoryWindows {
    fn name(&self) -> &'static str {
        BACKEND
    }

    fn save(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.watermarks.advance(checkpoint.partition, checkpoint.watermark);
            let unsaved = self.cells.unsaved(checkpoint.partition, &self.watermarks.horizon());
            self.file.save(&unsaved, &checkpoint).await?;
            self.cells.mark_saved(&unsaved);
            Ok(())
        })
    }

    /// There is one checkpoint, the one that the cells were saved with.
    fn load(
        &self,
        partition: u32,
        until: UnixNanos,
    ) -> BoxFuture<'_, Result<Option<Checkpoint>, StoreError>> {
        Box::pin(async move {
            let newest = self.file.checkpoint(partition).await?;
            Ok(newest.filter(|newest| newest.log_time <= until))
        })
    }
}
