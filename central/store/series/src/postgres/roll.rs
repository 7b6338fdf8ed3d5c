//! Rolling up: what is over is merged into minutes and hours.
//!
//! Ten minutes of one partition at a time, or less of one that is large, a few hundred series after the other: the rows of minutes and
//! hours hold exactly what lies before the partition's mark, at every instant, and what comes late is
//! added to all of them by the step that brings it. So no answer depends on when this is done, nor by which
//! central.

use goldentime_model::{Second, UnixNanos};
use goldentime_postgres::{Database, Error};
use goldentime_windows::Aggregate;
use hashbrown::HashSet;
use sqlx::postgres::PgConnection;

use super::position::{self, Partition};
use super::room::{Room, day_of};
use super::rows::{Buckets, Value, add, first_from, for_each, write};
use crate::reading::Reading;
use crate::resolution::Resolution;
use crate::state::{IDLE_NS, ROLL_S, settled};

/// Up to so many series of a partition are rolled up by [`ROLL_S`] at once.
const SERIES_FOR_WHOLE_STRETCH: i64 = 5_000;

/// Series whose rows are in memory at once.
const SERIES_AT_ONCE: i64 = 500;

/// Rolls up the next stretch of one partition that has any; says whether there was one. A partition that
/// another central is busy with is left to it.
pub(super) async fn roll_next(database: &Database, room: &Room, now: UnixNanos) -> Result<bool, Error> {
    let partitions = position::at_present(database).await?;
    let due = |partition: &Partition| partition.state.rolled_until < until(partition, now);
    for partition in partitions.iter().filter(|partition| due(partition)) {
        let mut on = database.write().await?;
        let Some(mut partition) = position::lock(&mut on, partition.number).await?.filter(due) else {
            on.rollback().await?;
            continue;
        };
        let days = step(&mut on, room, &mut partition, now).await?;
        on.commit().await?;
        room.made(days);
        return Ok(true);
    }
    Ok(false)
}

/// Up to where a partition may be rolled up.
fn until(partition: &Partition, now: UnixNanos) -> Second {
    settled(partition.log_time.max(now.saturating_add(-IDLE_NS)).second())
}

async fn step(
    on: &mut PgConnection,
    room: &Room,
    partition: &mut Partition,
    now: UnixNanos,
) -> Result<HashSet<(Resolution, i64)>, Error> {
    let (from, settled) = (partition.state.rolled_until, until(partition, now));
    // A partition that was silent is not walked through ten minutes by ten minutes.
    let requests = first_from::<Aggregate>(on, partition.number, from).await?;
    let samples = first_from::<Reading>(on, partition.number, from).await?;
    let first = [requests, samples].into_iter().flatten().min();
    let from = first.map_or(settled, |first| Second(first.0 - first.0.rem_euclid(ROLL_S)).max(from));
    let until = from.offset(stretch_s(on, partition, from).await?).min(settled);
    let mut days = HashSet::new();
    if from < until {
        let wider = Resolution::ALL.into_iter().skip(1);
        days.extend(wider.map(|tier| (tier, day_of(tier.bucket_of(from)))));
        room.ensure(on, &days).await?;
        roll::<Aggregate>(on, partition, from, until).await?;
        roll::<Reading>(on, partition, from, until).await?;
    }
    partition.state.rolled_until = until.max(partition.state.rolled_until);
    position::save(on, partition).await?;
    Ok(days)
}

/// How many seconds are rolled up at once: fewer where there are many series, so that a step ends in time and
/// the steps of the log get their turn. Whole minutes.
async fn stretch_s(on: &mut PgConnection, partition: &Partition, from: Second) -> Result<i64, Error> {
    let series: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM series s JOIN services v ON v.id = s.service \
         WHERE v.partition = $1 AND s.last_day >= $2",
    )
    .bind(i64::from(partition.number))
    .bind(day_of(from))
    .fetch_one(on)
    .await?;
    let minute = Resolution::Minute.width_s();
    let stretch = ROLL_S * SERIES_FOR_WHOLE_STRETCH / series.max(1);
    Ok((stretch - stretch % minute).clamp(minute, ROLL_S))
}

async fn roll<V: Value>(
    on: &mut PgConnection,
    partition: &mut Partition,
    from: Second,
    until: Second,
) -> Result<(), Error> {
    let mut after = i64::MIN;
    loop {
        let series: Vec<i64> = sqlx::query_scalar(
            "SELECT s.id FROM series s JOIN services v ON v.id = s.service \
             WHERE v.partition = $1 AND s.last_day >= $2 AND s.kind BETWEEN $3 AND $4 AND s.id > $5 \
             ORDER BY s.id LIMIT $6",
        )
        .bind(i64::from(partition.number))
        .bind(day_of(from))
        .bind(V::KINDS.start())
        .bind(V::KINDS.end())
        .bind(after)
        .bind(SERIES_AT_ONCE)
        .fetch_all(&mut *on)
        .await?;
        let Some(last) = series.last() else { return Ok(()) };
        after = *last;
        let mut minutes: Buckets<V> = Buckets::new();
        for_each(on, Resolution::TenSeconds, &series, (from, until), |series, start, value: V| {
            add(&mut minutes, series, Resolution::Minute.bucket_of(start), &value);
        })
        .await?;
        let mut hours: Buckets<V> = Buckets::new();
        for ((series, start), value) in &minutes {
            add(&mut hours, *series, Resolution::Hour.bucket_of(*start), value);
        }
        for (tier, buckets) in [(Resolution::Minute, minutes), (Resolution::Hour, hours)] {
            partition.note_oldest(tier, buckets.keys().map(|(_, start)| *start).min());
            write(on, tier, buckets).await?;
        }
    }
}
