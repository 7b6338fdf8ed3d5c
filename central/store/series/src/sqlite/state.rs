//! Up to where a partition is rolled up, and up to where its rows are deleted.

use goldentime_model::Second;
use sqlx::{Row, SqliteConnection};

use crate::resolution::Resolution;
use crate::store::SETTLED_AFTER_S;

/// Rows of ten seconds are rolled up so many seconds at a time: long enough that the minutes of a series
/// are written side by side, short enough that a step blocks the writer for a fraction of a second.
pub(super) const ROLL_S: i64 = 600;

/// Both limits of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Rows of minutes and hours hold everything before this second, and nothing after it.
    pub(super) rolled_until: Second,
    /// First second whose rows are kept, by resolution.
    pub(super) dropped_until: [Second; 3],
}

/// What of a partition is over at `log_time`.
pub(super) const fn settled(log_time: Second) -> Second {
    let settled = log_time.offset(-SETTLED_AFTER_S);
    Second(settled.0 - settled.0.rem_euclid(ROLL_S))
}

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

/// The state of a partition, made at its first rows: whatever is over by then comes late, and goes into
/// every row.
pub(super) async fn load_or_begin(
    on: &mut SqliteConnection,
    partition: u32,
    log_time: Second,
) -> Result<State, sqlx::Error> {
    if let Some(state) = load(on, partition).await? {
        return Ok(state);
    }
    let state = State { rolled_until: settled(log_time), dropped_until: [Second(i64::MIN); 3] };
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

impl State {
    /// The resolutions whose rows a bucket of ten seconds that begins at `start` is added to.
    pub(super) fn tiers_of(&self, start: Second) -> impl Iterator<Item = Resolution> {
        let Self { rolled_until, dropped_until } = *self;
        Resolution::ALL.into_iter().filter(move |tier| {
            let due = *tier == Resolution::TenSeconds || start < rolled_until;
            due && tier.bucket_of(start) >= dropped_until[tier.index()]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_goes_into_every_row_that_already_holds_its_time() {
        let mut state = State { rolled_until: Second(7_200), dropped_until: [Second(i64::MIN); 3] };
        let tiers = |state: State, at| state.tiers_of(Second(at)).collect::<Vec<_>>();
        assert_eq!(tiers(state, 7_200), [Resolution::TenSeconds]);
        assert_eq!(tiers(state, 7_190), Resolution::ALL);
        state.dropped_until[0] = Second(7_000);
        assert_eq!(tiers(state, 6_990), [Resolution::Minute, Resolution::Hour]);
        state.dropped_until[2] = Second(86_400);
        assert_eq!(tiers(state, 6_990), [Resolution::Minute]);
    }

    #[test]
    fn ten_minutes_are_over_ten_seconds_after_their_end() {
        assert_eq!(settled(Second(1_209)), Second(600));
        assert_eq!(settled(Second(1_210)), Second(1_200));
    }
}
