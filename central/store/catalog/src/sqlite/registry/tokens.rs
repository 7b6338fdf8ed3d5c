//! Join tokens.

use goldentime_model::UnixNanos;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqlitePool};

use super::failed;
use crate::access::SecretHash;
use crate::registry::TokenInfo;
use crate::sqlite::BACKEND;
use crate::store::CatalogueError;

pub(super) async fn add<'c>(
    on: impl sqlx::Executor<'c, Database = Sqlite>,
    token: &TokenInfo,
) -> Result<(), CatalogueError> {
    sqlx::query(
        "INSERT INTO tokens (secret_hash, project, created_at, expires_at, revoked_at, uses, uses_max) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&token.secret.0[..])
    .bind(&token.project)
    .bind(token.created_at.0)
    .bind(token.expires_at.map(|at| at.0))
    .bind(token.revoked_at.map(|at| at.0))
    .bind(token.uses)
    .bind(token.uses_max)
    .execute(on)
    .await
    .map_err(|error| failed("keep a join token", error))?;
    Ok(())
}

pub(super) async fn one(pool: &SqlitePool, secret: SecretHash) -> Result<Option<TokenInfo>, CatalogueError> {
    let row = sqlx::query("SELECT * FROM tokens WHERE secret_hash = ?")
        .bind(&secret.0[..])
        .fetch_optional(pool)
        .await
        .map_err(|error| failed("read a join token", error))?;
    row.as_ref().map(info).transpose()
}

pub(super) async fn all(pool: &SqlitePool, limit: i64) -> Result<Vec<TokenInfo>, CatalogueError> {
    let rows = sqlx::query("SELECT * FROM tokens ORDER BY created_at DESC LIMIT ?")
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(|error| failed("list join tokens", error))?;
    rows.iter().map(info).collect()
}

pub(super) async fn revoke(pool: &SqlitePool, id: &str, now: UnixNanos) -> Result<u64, CatalogueError> {
    let revoked = sqlx::query(
        "UPDATE tokens SET revoked_at = ?1 WHERE revoked_at IS NULL \
         AND substr(lower(hex(secret_hash)), 1, length(?2)) = ?2",
    )
    .bind(now.0)
    .bind(id.to_ascii_lowercase())
    .execute(pool)
    .await
    .map_err(|error| failed("revoke a join token", error))?;
    Ok(revoked.rows_affected())
}

fn info(row: &SqliteRow) -> Result<TokenInfo, CatalogueError> {
    let read = || {
        let hash: Vec<u8> = row.try_get("secret_hash")?;
        let at = |column| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(UnixNanos));
        let secret =
            hash.try_into().map_err(|_| sqlx::Error::Decode("a hash that is not 32 bytes".into()))?;
        Ok::<_, sqlx::Error>(TokenInfo {
            secret: SecretHash(secret),
            project: row.try_get("project")?,
            created_at: UnixNanos(row.try_get("created_at")?),
            expires_at: at("expires_at")?,
            revoked_at: at("revoked_at")?,
            uses: row.try_get("uses")?,
            uses_max: row.try_get("uses_max")?,
        })
    };
    read().map_err(|error| {
        let (what, reason) = ("a join token".to_owned(), error.to_string());
        CatalogueError::Corrupt { backend: BACKEND, what, reason }
    })
}
