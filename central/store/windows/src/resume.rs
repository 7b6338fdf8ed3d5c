//! From where a partition's merge goes on after a start.

use goldentime_model::UnixNanos;

use crate::checkpoint::{Checkpoint, CheckpointStore};
use crate::error::StoreError;
use crate::store::{GoBack, WindowStore};

/// Begins an assignment and gives the checkpoint to go on from: as far before the newest one as the
/// windows want. Dropping repeats is a function of the log given that checkpoint's table, so going back
/// further is only slower; so a window store that does not answer counts as empty. `None`: from the log's
/// beginning.
pub async fn resume_point(
    windows: &dyn WindowStore,
    checkpoints: &dyn CheckpointStore,
    partition: u32,
) -> Result<Option<Checkpoint>, StoreError> {
    let back = windows.assign(partition).await.unwrap_or_else(|error| {
        tracing::warn!(
            partition,
            error = &error as &dyn std::error::Error,
            "the live windows cannot be asked what they hold; merging again all that they may show"
        );
        GoBack::EVERYTHING
    });
    let newest = checkpoints.load(partition, UnixNanos(i64::MAX)).await?;
    match newest {
        Some(newest) if back > GoBack::NOTHING => {
            let until = newest.log_time.saturating_add(-back.log_s.saturating_mul(1_000_000_000));
            checkpoints.load(partition, until).await
        }
        newest => Ok(newest),
    }
}
