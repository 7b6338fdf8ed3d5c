//! Sessions.

use goldentime_model::UnixNanos;
use goldentime_postgres::Database;

use super::super::Fault;
use super::rows;
use crate::access::key;
use crate::access::record::{Account, SecretHash, Session};
use crate::access::store::SESSIONS_MAX;
use crate::store::ROWS_MAX;
use goldentime_postgres::text;

pub(super) async fn add(database: &Database, session: Session) -> Result<bool, Fault> {
    let key = text(&key(&session.account));
    let mut on = database.write().await?;
    let added = sqlx::query(
        "INSERT INTO sessions (secret_hash, account, address, created_at, seen_at, ends_at) \
         SELECT $1, key, $2, $3, $4, $5 FROM users WHERE key = $6 ON CONFLICT (secret_hash) DO NOTHING",
    )
    .bind(&session.secret.0[..])
    .bind(text(&session.address))
    .bind(session.created_at.0)
    .bind(session.seen_at.0)
    .bind(session.ends_at.0)
    .bind(&key)
    .execute(&mut *on)
    .await?;
    sqlx::query(
        "DELETE FROM sessions WHERE secret_hash IN (SELECT secret_hash FROM sessions WHERE account = $1 \
         ORDER BY created_at DESC, secret_hash OFFSET $2)",
    )
    .bind(&key)
    .bind(i64::from(SESSIONS_MAX))
    .execute(&mut *on)
    .await?;
    on.commit().await?;
    Ok(added.rows_affected() > 0)
}

pub(super) async fn one(
    database: &Database,
    secret: SecretHash,
) -> Result<Option<(Session, Account)>, Fault> {
    let statement = sqlx::query(
        "SELECT s.secret_hash, s.address, s.created_at AS began_at, s.seen_at, s.ends_at, \
         a.name, a.role, a.created_at FROM sessions s JOIN users a ON a.key = s.account \
         WHERE s.secret_hash = $1",
    )
    .bind(&secret.0[..]);
    let found = database.fetch_optional(statement).await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some((rows::session(&row)?, rows::account(&row)?)))
}

pub(super) async fn touch(database: &Database, secret: SecretHash, now: UnixNanos) -> Result<(), Fault> {
    let statement = sqlx::query("UPDATE sessions SET seen_at = $1 WHERE secret_hash = $2")
        .bind(now.0)
        .bind(&secret.0[..]);
    database.execute(statement).await?;
    Ok(())
}

pub(super) async fn of(database: &Database, account: &str) -> Result<Vec<Session>, Fault> {
    let statement = sqlx::query(
        "SELECT s.secret_hash, s.address, s.created_at AS began_at, s.seen_at, s.ends_at, a.name \
         FROM sessions s JOIN users a ON a.key = s.account WHERE s.account = $1 \
         ORDER BY s.created_at DESC, s.secret_hash LIMIT $2",
    )
    .bind(text(&key(account)))
    .bind(i64::from(ROWS_MAX));
    let found = database.fetch_all(statement).await?;
    found.iter().map(rows::session).collect()
}

pub(super) async fn end(database: &Database, secret: SecretHash) -> Result<bool, Fault> {
    let statement = sqlx::query("DELETE FROM sessions WHERE secret_hash = $1").bind(&secret.0[..]);
    let ended = database.execute(statement).await?;
    Ok(ended > 0)
}

pub(super) async fn prune(database: &Database, now: UnixNanos, idle_since: UnixNanos) -> Result<u64, Fault> {
    let statement =
        sqlx::query("DELETE FROM sessions WHERE ends_at < $1 OR seen_at < $2").bind(now.0).bind(idle_since.0);
    Ok(database.execute(statement).await?)
}
