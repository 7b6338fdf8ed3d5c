//! Read positions of inputs that the configuration no longer names.

use std::collections::BTreeSet;
use std::time::Duration;

use goldentime_model::UnixNanos;
use sqlx::{Connection, SqliteConnection};

use super::commit::set_meta;
use super::open::meta;
use super::{Spool, SpoolError};

/// How long the positions of an input are kept that is not configured any more: named again within
/// this time, it goes on where it was left.
pub const UNUSED_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// Under this prefix the spool remembers since when an input is not configured.
const UNUSED_SINCE: &str = "unused_since:";

impl Spool {
    /// Forgets the positions of inputs that are not among `configured` for longer than
    /// [`UNUSED_KEPT`], as counted from the first call that did not name them, and gives their names.
    /// To be called once at a start, with the names of all inputs.
    pub async fn forget_unused_positions(
        &self,
        configured: &BTreeSet<String>,
        now: UnixNanos,
    ) -> Result<Vec<String>, SpoolError> {
        let mut writer = self.writer().await?;
        let done = forget(&mut writer.connection, configured, now).await;
        writer.has_failed = done.is_err();
        done.map_err(self.fail("forgetting the positions of inputs that are gone"))
    }
}

async fn forget(
    connection: &mut SqliteConnection,
    configured: &BTreeSet<String>,
    now: UnixNanos,
) -> Result<Vec<String>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let known: Vec<String> = sqlx::query_scalar("SELECT DISTINCT input FROM position ORDER BY input")
        .fetch_all(&mut *transaction)
        .await?;
    let mut forgotten = Vec::new();
    for input in known {
        let name = format!("{UNUSED_SINCE}{input}");
        if configured.contains(&input) {
            forget_meta(&mut transaction, &name).await?;
            continue;
        }
        let since = meta(&mut transaction, &name).await?.and_then(|since| since.parse().ok()).map(UnixNanos);
        // A clock that was ahead when this was noted would keep them for as long again.
        let Some(since) = since.filter(|since| *since <= now) else {
            set_meta(&mut transaction, &name, &now.0.to_string()).await?;
            continue;
        };
        if u128::try_from(now.since(since)).is_ok_and(|ns| ns > UNUSED_KEPT.as_nanos()) {
            sqlx::query("DELETE FROM position WHERE input = ?")
                .bind(&input)
                .execute(&mut *transaction)
                .await?;
            forget_meta(&mut transaction, &name).await?;
            forgotten.push(input);
        }
    }
    transaction.commit().await?;
    Ok(forgotten)
}

async fn forget_meta(connection: &mut SqliteConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM meta WHERE name = ?").bind(name).execute(connection).await.map(drop)
}
