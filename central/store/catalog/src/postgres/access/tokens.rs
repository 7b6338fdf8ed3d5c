//! API tokens.

use goldentime_model::UnixNanos;
use goldentime_postgres::Database;

use super::super::Fault;
use super::rows;
use crate::access::record::{ApiToken, SecretHash};
use crate::store::ROWS_MAX;
use goldentime_postgres::text;

pub(super) async fn add(database: &Database, token: ApiToken) -> Result<(), Fault> {
    let statement = sqlx::query(
        "INSERT INTO api_tokens (secret_hash, id, name, role, created_by, created_at, expires_at, \
         used_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (secret_hash) DO NOTHING",
    )
    .bind(&token.secret.0[..])
    .bind(token.secret.id())
    .bind(text(&token.name))
    .bind(token.role.as_str())
    .bind(text(&token.created_by))
    .bind(token.created_at.0)
    .bind(token.expires_at.map(|at| at.0))
    .bind(token.used_at.map(|at| at.0))
    .bind(token.revoked_at.map(|at| at.0));
    database.execute(statement).await?;
    Ok(())
}

pub(super) async fn one(database: &Database, secret: SecretHash) -> Result<Option<ApiToken>, Fault> {
    let statement = sqlx::query("SELECT * FROM api_tokens WHERE secret_hash = $1").bind(&secret.0[..]);
    let found = database.fetch_optional(statement).await?;
    found.as_ref().map(rows::api_token).transpose()
}

pub(super) async fn all(database: &Database) -> Result<Vec<ApiToken>, Fault> {
    let statement = sqlx::query("SELECT * FROM api_tokens ORDER BY created_at DESC, id LIMIT $1")
        .bind(i64::from(ROWS_MAX));
    let found = database.fetch_all(statement).await?;
    found.iter().map(rows::api_token).collect()
}

pub(super) async fn touch(database: &Database, secret: SecretHash, now: UnixNanos) -> Result<(), Fault> {
    let statement = sqlx::query("UPDATE api_tokens SET used_at = $1 WHERE secret_hash = $2")
        .bind(now.0)
        .bind(&secret.0[..]);
    database.execute(statement).await?;
    Ok(())
}

pub(super) async fn revoke(database: &Database, id: &str, now: UnixNanos) -> Result<bool, Fault> {
    let statement = sqlx::query("UPDATE api_tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
        .bind(now.0)
        .bind(text(id));
    let revoked = database.execute(statement).await?;
    Ok(revoked > 0)
}

pub(super) async fn prune(database: &Database, before: UnixNanos) -> Result<u64, Fault> {
    let statement =
        sqlx::query("DELETE FROM api_tokens WHERE expires_at < $1 OR revoked_at < $1").bind(before.0);
    Ok(database.execute(statement).await?)
}
