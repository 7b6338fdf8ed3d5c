//! Set-up links, and the accounts that they make.

use goldentime_model::UnixNanos;
use goldentime_postgres::Database;

use super::super::Fault;
use super::rows;
use crate::access::key;
use crate::access::record::{Account, NewAccount, SecretHash, SetupLink};
use crate::store::ROWS_MAX;
use goldentime_postgres::text;

pub(super) async fn add(database: &Database, link: SetupLink) -> Result<(), Fault> {
    let statement = sqlx::query(
        "INSERT INTO setup_links (secret_hash, role, name, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (secret_hash) DO NOTHING",
    )
    .bind(&link.secret.0[..])
    .bind(link.role.as_str())
    .bind(link.name.as_deref().map(text))
    .bind(link.created_at.0)
    .bind(link.expires_at.0);
    database.execute(statement).await?;
    Ok(())
}

pub(super) async fn one(
    database: &Database,
    secret: SecretHash,
    now: UnixNanos,
) -> Result<Option<SetupLink>, Fault> {
    let statement = sqlx::query("SELECT * FROM setup_links WHERE secret_hash = $1 AND expires_at > $2")
        .bind(&secret.0[..])
        .bind(now.0);
    let found = database.fetch_optional(statement).await?;
    found.as_ref().map(rows::setup_link).transpose()
}

pub(super) async fn all(database: &Database, now: UnixNanos) -> Result<Vec<SetupLink>, Fault> {
    let statement =
        sqlx::query("SELECT * FROM setup_links WHERE expires_at > $1 ORDER BY expires_at DESC LIMIT $2")
            .bind(now.0)
            .bind(i64::from(ROWS_MAX));
    let found = database.fetch_all(statement).await?;
    found.iter().map(rows::setup_link).collect()
}

pub(super) async fn take(
    database: &Database,
    secret: SecretHash,
    now: UnixNanos,
    new: NewAccount,
) -> Result<Option<Account>, Fault> {
    let mut on = database.write().await?;
    let link = sqlx::query("DELETE FROM setup_links WHERE secret_hash = $1 AND expires_at > $2 RETURNING *")
        .bind(&secret.0[..])
        .bind(now.0)
        .fetch_optional(&mut *on)
        .await?;
    let link = link.as_ref().map(rows::setup_link).transpose()?;
    let is_for_another = |name: &str| key(name) != key(&new.name);
    // A link that does not fit is taken back, as if it had not been tried.
    let Some(link) = link.filter(|link| !link.name.as_deref().is_some_and(is_for_another)) else {
        on.rollback().await?;
        return Ok(None);
    };
    let sql = match link.name {
        Some(_) => {
            "INSERT INTO users (key, name, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (key) DO UPDATE SET password_hash = excluded.password_hash \
             RETURNING name, role, created_at"
        }
        None => {
            "INSERT INTO users (key, name, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (key) DO NOTHING RETURNING name, role, created_at"
        }
    };
    let key = text(&key(&new.name));
    let made = sqlx::query(sql)
        .bind(&key)
        .bind(text(&new.name))
        .bind(link.role.as_str())
        .bind(&new.password_hash)
        .bind(now.0)
        .fetch_optional(&mut *on)
        .await?;
    let Some(made) = made else {
        on.rollback().await?;
        return Ok(None);
    };
    sqlx::query("DELETE FROM sessions WHERE account = $1").bind(&key).execute(&mut *on).await?;
    on.commit().await?;
    rows::account(&made).map(Some)
}

pub(super) async fn prune(database: &Database, now: UnixNanos) -> Result<u64, Fault> {
    let statement = sqlx::query("DELETE FROM setup_links WHERE expires_at < $1").bind(now.0);
    Ok(database.execute(statement).await?)
}
