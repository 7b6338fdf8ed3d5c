//! Accounts: the table `users`.

use goldentime_postgres::Database;
use sqlx::Row;

use super::super::Fault;
use super::rows;
use crate::access::key;
use crate::access::record::{Account, Removed};
use crate::store::ROWS_MAX;
use goldentime_postgres::text;

pub(super) async fn any(database: &Database) -> Result<bool, Fault> {
    let found = database.fetch_optional(sqlx::query("SELECT FROM users LIMIT 1")).await?;
    Ok(found.is_some())
}

pub(super) async fn all(database: &Database) -> Result<Vec<Account>, Fault> {
    let statement =
        sqlx::query("SELECT name, role, created_at FROM users ORDER BY key COLLATE \"C\" LIMIT $1")
            .bind(i64::from(ROWS_MAX));
    let found = database.fetch_all(statement).await?;
    found.iter().map(rows::account).collect()
}

pub(super) async fn one(database: &Database, name: &str) -> Result<Option<(Account, String)>, Fault> {
    let statement = sqlx::query("SELECT name, role, created_at, password_hash FROM users WHERE key = $1")
        .bind(text(&key(name)));
    let found = database.fetch_optional(statement).await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some((rows::account(&row)?, row.try_get("password_hash")?)))
}

pub(super) async fn remove(database: &Database, name: &str) -> Result<Removed, Fault> {
    let key = text(&key(name));
    let mut on = database.write().await?;
    // Who removes an admin holds all of them, so that two removals at once cannot take the last two.
    let admins: Vec<String> =
        sqlx::query_scalar("SELECT key FROM users WHERE role = 'admin' ORDER BY key FOR UPDATE")
            .fetch_all(&mut *on)
            .await?;
    if admins == [key.clone()] {
        on.rollback().await?;
        return Ok(Removed::LastAdmin);
    }
    let gone = sqlx::query("DELETE FROM users WHERE key = $1").bind(key).execute(&mut *on).await?;
    on.commit().await?;
    Ok(if gone.rows_affected() > 0 { Removed::Gone } else { Removed::Unknown })
}
