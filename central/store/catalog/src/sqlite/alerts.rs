//! Alerts: one row an episode, its newest state.

use goldentime_model::{Alert, UnixNanos};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::{decode, encode, failed};
use crate::record::status_of;
use crate::store::{CatalogueError, ROWS_MAX};
use crate::{AlertRecord, HistoryQuery};

pub(super) async fn record(pool: &SqlitePool, record: &AlertRecord) -> Result<bool, CatalogueError> {
    let alert = &record.alert;
    let written = sqlx::query(
        "INSERT INTO alerts (episode, fingerprint, status, starts_at, ends_at, body) \
         VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (episode) DO UPDATE SET \
           status = excluded.status, ends_at = excluded.ends_at, body = excluded.body \
         WHERE alerts.status = 'firing' OR excluded.status = 'resolved'",
    )
    .bind(&alert.episode)
    .bind(alert.fingerprint.to_string())
    .bind(status_of(alert))
    .bind(alert.starts_at.0)
    .bind(alert.ends_at.map(|at| at.0))
    .bind(encode("an alert", record)?)
    .execute(pool)
    .await
    .map_err(|e| failed("record an alert", e))?;
    Ok(written.rows_affected() > 0)
}

pub(super) async fn active(pool: &SqlitePool) -> Result<Vec<AlertRecord>, CatalogueError> {
    let rows = sqlx::query(
        "SELECT episode, body FROM alerts WHERE status = 'firing' ORDER BY starts_at, episode LIMIT ?",
    )
    .bind(ROWS_MAX)
    .fetch_all(pool)
    .await
    .map_err(|e| failed("read active alerts", e))?;
    rows.iter().map(read).collect()
}

pub(super) async fn history(pool: &SqlitePool, query: HistoryQuery) -> Result<Vec<Alert>, CatalogueError> {
    let rows = sqlx::query(
        "SELECT episode, body FROM alerts WHERE starts_at < ? ORDER BY starts_at DESC, episode LIMIT ?",
    )
    .bind(query.before.map_or(i64::MAX, |at| at.0))
    .bind(query.limit.min(ROWS_MAX))
    .fetch_all(pool)
    .await
    .map_err(|e| failed("read the alert history", e))?;
    rows.iter().map(|row| read(row).map(|record| record.alert)).collect()
}

pub(super) async fn prune(pool: &SqlitePool, before: UnixNanos) -> Result<u64, CatalogueError> {
    sqlx::query("DELETE FROM alerts WHERE status = 'resolved' AND coalesce(ends_at, starts_at) < ?")
        .bind(before.0)
        .execute(pool)
        .await
        .map(|done| done.rows_affected())
        .map_err(|e| failed("forget old alerts", e))
}

pub(super) async fn one(pool: &SqlitePool, episode: &str) -> Result<Option<AlertRecord>, CatalogueError> {
    let row = sqlx::query("SELECT episode, body FROM alerts WHERE episode = ?").bind(episode);
    let row = row.fetch_optional(pool).await.map_err(|e| failed("read an alert", e))?;
    row.as_ref().map(read).transpose()
}

fn read(row: &SqliteRow) -> Result<AlertRecord, CatalogueError> {
    let field = |name| row.try_get::<String, _>(name).map_err(|e| failed("read an alert", e));
    decode(&format!("alert {}", field("episode")?), &field("body")?)
}
