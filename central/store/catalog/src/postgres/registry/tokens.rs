//! Join tokens.

use goldentime_model::UnixNanos;
use goldentime_postgres::Database;

use super::super::Fault;
use super::rows;
use crate::access::SecretHash;
use crate::registry::TokenInfo;
use crate::store::ROWS_MAX;
use goldentime_postgres::text;

pub(super) async fn add(database: &Database, token: TokenInfo) -> Result<(), Fault> {
    let statement = sqlx::query(
        "INSERT INTO join_tokens (secret_hash, project, created_at, expires_at, revoked_at, uses, uses_max) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&token.secret.0[..])
    .bind(text(&token.project))
    .bind(token.created_at.0)
    .bind(token.expires_at.map(|at| at.0))
    .bind(token.revoked_at.map(|at| at.0))
    .bind(i64::from(token.uses))
    .bind(token.uses_max.map(i64::from));
    database.execute(statement).await?;
    Ok(())
}

pub(super) async fn one(database: &Database, secret: SecretHash) -> Result<Option<TokenInfo>, Fault> {
    let statement = sqlx::query("SELECT * FROM join_tokens WHERE secret_hash = $1").bind(&secret.0[..]);
    let found = database.fetch_optional(statement).await?;
    found.as_ref().map(rows::token).transpose()
}

pub(super) async fn all(database: &Database) -> Result<Vec<TokenInfo>, Fault> {
    let statement =
        sqlx::query("SELECT * FROM join_tokens ORDER BY created_at DESC LIMIT $1").bind(i64::from(ROWS_MAX));
    let found = database.fetch_all(statement).await?;
    found.iter().map(rows::token).collect()
}

pub(super) async fn revoke(database: &Database, id: &str, now: UnixNanos) -> Result<u64, Fault> {
    let statement = sqlx::query(
        "UPDATE join_tokens SET revoked_at = $1 WHERE revoked_at IS NULL \
         AND starts_with(encode(secret_hash, 'hex'), $2)",
    )
    .bind(now.0)
    .bind(text(&id.to_ascii_lowercase()));
    Ok(database.execute(statement).await?)
}
