//! Letting go of what is too old, and what is held.
//!
//! Rows are let go partition by partition, up to a mark: from then on they are in no answer. They go from the
//! disk by whole stretches of time, once no partition needs any of them ([`super::room`]).

use goldentime_model::{Second, UnixNanos};
use goldentime_postgres::{Database, Error};

use super::position::{self, Partition};
use crate::resolution::Resolution;
use crate::store::{Keep, Usage};

/// Marks are moved by so many seconds at least, by width.
const MARK_S: [i64; 3] = [600, 3_600, 86_400];

/// Lets go of rows of one partition that are older than what is kept; says whether there were any.
pub(super) async fn let_go(database: &Database, keep: &Keep, now: UnixNanos) -> Result<bool, Error> {
    let partitions = position::at_present(database).await?;
    for mut partition in partitions {
        if !move_marks(&mut partition, keep, now) {
            continue;
        }
        let mut on = database.write().await?;
        let locked = position::lock(&mut on, partition.number).await?;
        if let Some(mut partition) = locked
            && move_marks(&mut partition, keep, now)
        {
            position::save(&mut on, &partition).await?;
            on.commit().await?;
            return Ok(true);
        }
        on.rollback().await?;
    }
    Ok(false)
}

/// Moves the marks of a partition over rows that are too old; says whether there were any.
fn move_marks(partition: &mut Partition, keep: &Keep, now: UnixNanos) -> bool {
    let mut moved = false;
    for tier in Resolution::ALL {
        let at = tier.index();
        let kept_from = now.second().offset(-keep.seconds[at]);
        // Rows of ten seconds must have been rolled up.
        let limit = if tier == Resolution::TenSeconds { partition.state.rolled_until } else { kept_from };
        let mark = kept_from.min(limit);
        let mark = Second(mark.0 - mark.0.rem_euclid(MARK_S[at]));
        if partition.oldest[at].is_some_and(|oldest| oldest < mark) {
            partition.state.dropped_until[at] = mark.max(partition.state.dropped_until[at]);
            // No row begins after the newest record but by the few seconds that clocks go wrong.
            let any = mark <= partition.log_time.second().offset(MARK_S[at]);
            partition.oldest[at] = any.then_some(mark);
            moved = true;
        }
    }
    moved
}

/// What is held.
pub(super) async fn usage(database: &Database) -> Result<Usage, Error> {
    let mut on = database.read().await?;
    let asked = sqlx::query_as(
        "SELECT history_bytes() + pg_total_relation_size('series') + pg_total_relation_size('services') \
           + pg_total_relation_size('streams'), (SELECT count(*) FROM series)",
    );
    let (bytes, series): (i64, i64) = asked.fetch_one(&mut *on).await?;
    let partitions = position::all(&mut on).await?;
    on.commit().await?;
    let oldest = Resolution::ALL
        .map(|tier| partitions.iter().filter_map(|partition| partition.oldest[tier.index()]).min());
    let number = |value| u64::try_from(value).unwrap_or(0);
    Ok(Usage { bytes: number(bytes), series: number(series), oldest })
}
