//! Alerts: one row an episode, its newest state.

use goldentime_model::{Alert, UnixNanos};
use goldentime_postgres::{Database, text};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Fault, decode, encode};
use crate::record::status_of;
use crate::store::ROWS_MAX;
use crate::{AlertRecord, HistoryQuery};

pub(super) async fn record(database: &Database, record: AlertRecord) -> Result<bool, Fault> {
    let alert = &record.alert;
    let statement = sqlx::query(
        "INSERT INTO alert_history (episode, fingerprint, status, starts_at, ends_at, body) \
         VALUES ($1, $2, $3, $4, $5, $6::json) \
         ON CONFLICT (episode) DO UPDATE SET \
           status = excluded.status, ends_at = excluded.ends_at, body = excluded.body \
         WHERE alert_history.status = 'firing' OR excluded.status = 'resolved'",
    )
    .bind(&alert.episode)
    .bind(alert.fingerprint.to_string())
    .bind(status_of(alert))
    .bind(alert.starts_at.0)
    .bind(alert.ends_at.map(|at| at.0))
    .bind(encode("an alert", &record)?);
    let written = database.execute(statement).await?;
    Ok(written > 0)
}

pub(super) async fn active(database: &Database) -> Result<Vec<AlertRecord>, Fault> {
    let statement = sqlx::query(
        "SELECT episode, body::text FROM alert_history WHERE status = 'firing' \
         ORDER BY starts_at, episode LIMIT $1",
    )
    .bind(i64::from(ROWS_MAX));
    let rows = database.fetch_all(statement).await?;
    rows.iter().map(read).collect()
}

pub(super) async fn history(database: &Database, query: HistoryQuery) -> Result<Vec<Alert>, Fault> {
    let statement = sqlx::query(
        "SELECT episode, body::text FROM alert_history WHERE starts_at < $1 \
         ORDER BY starts_at DESC, episode LIMIT $2",
    )
    .bind(query.before.map_or(i64::MAX, |at| at.0))
    .bind(i64::from(query.limit.min(ROWS_MAX)));
    let rows = database.fetch_all(statement).await?;
    rows.iter().map(|row| read(row).map(|record| record.alert)).collect()
}

pub(super) async fn prune(database: &Database, before: UnixNanos) -> Result<u64, Fault> {
    let statement = sqlx::query(
        "DELETE FROM alert_history WHERE status = 'resolved' AND coalesce(ends_at, starts_at) < $1",
    )
    .bind(before.0);
    Ok(database.execute(statement).await?)
}

pub(super) async fn one(database: &Database, episode: String) -> Result<Option<AlertRecord>, Fault> {
    let statement =
        sqlx::query("SELECT episode, body::text FROM alert_history WHERE episode = $1").bind(text(&episode));
    database.fetch_optional(statement).await?.as_ref().map(read).transpose()
}

fn read(row: &PgRow) -> Result<AlertRecord, Fault> {
    let episode: String = row.try_get("episode")?;
    Ok(decode(&format!("alert {episode}"), row.try_get("body")?)?)
}
