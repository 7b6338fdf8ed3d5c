//! The delivery queue, and the claims that keep two senders from telling the same.

use goldentime_model::UnixNanos;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::{decode, encode, failed};
use crate::store::{CatalogueError, ROWS_MAX};
use crate::{Claim, Claimed, DeadLetter, Notification, Outcome};

pub(super) async fn enqueue(pool: &SqlitePool, notifications: &[Notification]) -> Result<(), CatalogueError> {
    const ACTION: &str = "queue a notification";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| failed(ACTION, e))?;
    for notification in notifications {
        sqlx::query(
            "INSERT INTO notifications (id, channel, state, created_at, body) \
             VALUES (?, ?, 'pending', ?, ?) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&notification.id)
        .bind(&notification.channel)
        .bind(notification.created_at.0)
        .bind(encode("a notification", notification)?)
        .execute(&mut *tx)
        .await
        .map_err(|e| failed(ACTION, e))?;
    }
    tx.commit().await.map_err(|e| failed(ACTION, e))
}

pub(super) async fn claim(pool: &SqlitePool, claim: Claim) -> Result<Claimed, CatalogueError> {
    const ACTION: &str = "claim a page";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| failed(ACTION, e))?;
    let mut claimed = Claimed::default();
    for page in claim.pages {
        let taken = sqlx::query(
            "INSERT INTO claims (episode, transition, channel, owner, lease_until) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (episode, transition, channel) DO UPDATE SET \
               owner = excluded.owner, lease_until = excluded.lease_until \
             WHERE done = 0 AND (owner = excluded.owner OR claims.lease_until <= ?)",
        )
        .bind(&page.episode)
        .bind(page.kind.name())
        .bind(&claim.channel)
        .bind(&claim.owner)
        .bind(claim.lease_until.0)
        .bind(claim.now.0)
        .execute(&mut *tx)
        .await
        .map_err(|e| failed(ACTION, e))?;
        if taken.rows_affected() > 0 {
            claimed.given.push(page);
            continue;
        }
        let done: bool = sqlx::query_scalar(
            "SELECT done FROM claims WHERE episode = ? AND transition = ? AND channel = ?",
        )
        .bind(&page.episode)
        .bind(page.kind.name())
        .bind(&claim.channel)
        .fetch_one(&mut *tx)
        .await
        .map_err(|e| failed(ACTION, e))?;
        claimed.elsewhere |= !done;
    }
    tx.commit().await.map_err(|e| failed(ACTION, e))?;
    Ok(claimed)
}

pub(super) async fn finish(
    pool: &SqlitePool,
    notification: &Notification,
    attempts: u32,
    outcome: Outcome,
    at: UnixNanos,
) -> Result<(), CatalogueError> {
    const ACTION: &str = "note how a notification ended";
    let (state, ended_at, reason) = match outcome {
        Outcome::Delivered => ("delivered", Some(at.0), None),
        Outcome::Dead { reason } => ("dead", Some(at.0), Some(reason)),
        Outcome::Retrying { reason } => ("pending", None, Some(reason)),
    };
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| failed(ACTION, e))?;
    sqlx::query(
        "INSERT INTO notifications (id, channel, state, created_at, attempts, ended_at, reason, body) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, \
           ended_at = excluded.ended_at, reason = excluded.reason \
         WHERE notifications.state = 'pending'",
    )
    .bind(&notification.id)
    .bind(&notification.channel)
    .bind(state)
    .bind(notification.created_at.0)
    .bind(attempts)
    .bind(ended_at)
    .bind(reason)
    .bind(encode("a notification", notification)?)
    .execute(&mut *tx)
    .await
    .map_err(|e| failed(ACTION, e))?;
    if ended_at.is_some() {
        for page in &notification.pages {
            sqlx::query(
                "INSERT INTO claims (episode, transition, channel, owner, lease_until, done) \
                 VALUES (?, ?, ?, '', ?, 1) \
                 ON CONFLICT (episode, transition, channel) DO UPDATE SET \
                   done = 1, lease_until = excluded.lease_until",
            )
            .bind(&page.episode)
            .bind(page.kind.name())
            .bind(&notification.channel)
            .bind(at.0)
            .execute(&mut *tx)
            .await
            .map_err(|e| failed(ACTION, e))?;
        }
    }
    tx.commit().await.map_err(|e| failed(ACTION, e))
}

pub(super) async fn pending(pool: &SqlitePool) -> Result<Vec<Notification>, CatalogueError> {
    let rows = sqlx::query(
        "SELECT id, attempts, body FROM notifications WHERE state = 'pending' \
         ORDER BY created_at, id LIMIT ?",
    )
    .bind(ROWS_MAX)
    .fetch_all(pool)
    .await
    .map_err(|e| failed("read the delivery queue", e))?;
    rows.iter().map(read).collect()
}

pub(super) async fn dead_letters(pool: &SqlitePool, limit: u32) -> Result<Vec<DeadLetter>, CatalogueError> {
    const ACTION: &str = "read the dead letters";
    let rows = sqlx::query(
        "SELECT id, attempts, ended_at, reason, body FROM notifications WHERE state = 'dead' \
         ORDER BY ended_at DESC, id LIMIT ?",
    )
    .bind(limit.min(ROWS_MAX))
    .fetch_all(pool)
    .await
    .map_err(|e| failed(ACTION, e))?;
    rows.iter()
        .map(|row| {
            let notification = read(row)?;
            Ok(DeadLetter {
                attempts: notification.attempts,
                notification,
                reason: row.try_get("reason").map_err(|e| failed(ACTION, e))?,
                ended_at: UnixNanos(row.try_get("ended_at").map_err(|e| failed(ACTION, e))?),
            })
        })
        .collect()
}

/// Claims go by the instant at which they were finished; an unfinished one whose lease ended that
/// long ago belongs to a sender that is gone.
pub(super) async fn prune(pool: &SqlitePool, before: UnixNanos) -> Result<u64, CatalogueError> {
    const ACTION: &str = "forget old notifications";
    let notifications = sqlx::query("DELETE FROM notifications WHERE state <> 'pending' AND ended_at < ?")
        .bind(before.0)
        .execute(pool)
        .await
        .map_err(|e| failed(ACTION, e))?;
    let claims = sqlx::query("DELETE FROM claims WHERE lease_until < ?")
        .bind(before.0)
        .execute(pool)
        .await
        .map_err(|e| failed(ACTION, e))?;
    Ok(notifications.rows_affected() + claims.rows_affected())
}

fn read(row: &SqliteRow) -> Result<Notification, CatalogueError> {
    const ACTION: &str = "read a notification";
    let field = |name| row.try_get::<String, _>(name).map_err(|e| failed(ACTION, e));
    let mut notification: Notification = decode(&format!("notification {}", field("id")?), &field("body")?)?;
    notification.attempts = row.try_get("attempts").map_err(|e| failed(ACTION, e))?;
    notification.recovered = true;
    Ok(notification)
}
