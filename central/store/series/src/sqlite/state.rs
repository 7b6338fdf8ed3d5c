//! Where the limits of a partition stand in the file.

use goldentime_model::Second;
use sqlx::{Row, SqliteConnection};

use crate::resolution::Resolution;
use crate::state::State;

/// The state of a partition; `None` where nothing was ever written.
pub(super) async fn load(on: &mut SqliteConnection, partition: u32) -> Result<Option<State>, sqlx::Error> {
    let rolled = sqlx::query("SELECT until FROM rolled WHERE partition = ?").bind(partition);
    let Some(row) = rolled.fetch_optional(&mut *on).await? else { return Ok(None) };
    let mut state = State { rolled_until: Second(row.try_get(0)?), dropped_until: [Second(i64::MIN); 3] };
    let rows = sqlx::query("SELECT tier, until FROM dropped WHERE partition = ?").bind(partition);
    for row in rows.fetch_all(on).await? {
        let tier: i64 = row.try_get(0)?;
        if let Some(known) = Resolution::ALL.into_iter().find(|known| known.width_s() == tier) {
            state.dropped_until[known.index()] = Second(row.try_get(1)?);
        }
    }
    Ok(Some(state))
}

/// The state of a partition, made at its first rows.
pub(super) async fn load_or_begin(
    on: &mut SqliteConnection,
    partition: u32,
    log_time: Second,
) -> Result<State, sqlx::Error> {
    if let Some(state) = load(on, partition).await? {
        return Ok(state);
    }
    let state = State::begin(log_time);
    set_rolled(on, partition, state.rolled_until).await?;
    Ok(state)
}

pub(super) async fn set_rolled(
    on: &mut SqliteConnection,
    partition: u32,
    until: Second,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT OR REPLACE INTO rolled (partition, until) VALUES (?, ?)")
        .bind(partition)
        .bind(until.0)
        .execute(on)
        .await
        .map(drop)
}

pub(super) async fn set_dropped(
    on: &mut SqliteConnection,
    tier: Resolution,
    partition: u32,
    until: Second,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT OR REPLACE INTO dropped (tier, partition, until) VALUES (?, ?, ?)")
        .bind(tier.width_s())
        .bind(partition)
        .bind(until.0)
        .execute(on)
        .await
        .map(drop)
}
