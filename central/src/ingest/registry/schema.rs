//! The layout of the registry's file, step by step. `user_version` says how many were taken; each step sets it.

use sqlx::SqlitePool;

/// Every step ever taken, in order; a step that has left the house is never edited.
const STEPS: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS tokens (secret_hash BLOB PRIMARY KEY, project TEXT NOT NULL, \
     created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER) WITHOUT ROWID; \
     CREATE TABLE IF NOT EXISTS agents (certificate_hash BLOB PRIMARY KEY, agent TEXT NOT NULL UNIQUE, \
     project TEXT NOT NULL, host TEXT NOT NULL, environment TEXT NOT NULL DEFAULT 'default', \
     enrolled_at INTEGER NOT NULL, last_seen INTEGER NOT NULL, has_left INTEGER NOT NULL DEFAULT 0, \
     revoked_at INTEGER) WITHOUT ROWID; PRAGMA user_version = 1",
    "ALTER TABLE tokens ADD COLUMN uses_max INTEGER; \
     ALTER TABLE tokens ADD COLUMN uses INTEGER NOT NULL DEFAULT 0; \
     CREATE INDEX agents_revoked ON agents (revoked_at) WHERE revoked_at IS NOT NULL; \
     PRAGMA user_version = 2",
];

/// Takes the steps that the file lacks, all or none; refuses a file of a newer version.
pub(super) async fn bring_up_to_date(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await?;
    let known = STEPS.len();
    let taken = usize::try_from(found).ok().filter(|taken| *taken <= known).ok_or_else(|| {
        let detail =
            format!("agents.db has layout {found}, this version knows up to {known}; upgrade the central");
        sqlx::Error::Configuration(detail.into())
    })?;
    for step in &STEPS[taken..] {
        sqlx::raw_sql(*step).execute(&mut *tx).await?;
    }
    tx.commit().await
}
