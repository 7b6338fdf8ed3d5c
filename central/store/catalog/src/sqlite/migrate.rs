//! Brings the file to this version's layout, one numbered step after the other.

use std::path::Path;

use sqlx::{Row, SqlitePool};

use super::{BACKEND, failed};
use crate::store::CatalogueError;

/// Every step ever taken, in order; a step that has left the house is never edited.
const STEPS: [&str; 3] = [
    include_str!("../../../../../migrations/sqlite/catalogue/0001_alerts_and_notifications.sql"),
    include_str!("../../../../../migrations/sqlite/catalogue/0002_access.sql"),
    include_str!("../../../../../migrations/sqlite/catalogue/0003_what_people_decide.sql"),
];

/// Newest layout known.
pub(super) const KNOWN: i64 = STEPS.len() as i64;

/// Takes the steps that the file lacks, all in one transaction; refuses a file of a newer version.
pub(super) async fn run(pool: &SqlitePool, path: &Path) -> Result<(), CatalogueError> {
    const ACTION: &str = "bring the file to this version's layout";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| failed(ACTION, e))?;
    sqlx::query("CREATE TABLE IF NOT EXISTS layout (version INTEGER NOT NULL)")
        .execute(&mut *tx)
        .await
        .map_err(|e| failed(ACTION, e))?;
    let found: i64 = sqlx::query("SELECT coalesce(max(version), 0) FROM layout")
        .fetch_one(&mut *tx)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(|e| failed(ACTION, e))?;
    if found > KNOWN {
        return Err(CatalogueError::Newer {
            backend: BACKEND,
            place: path.display().to_string(),
            found,
            known: KNOWN,
        });
    }
    for (version, step) in (1_i64..).zip(STEPS).filter(|(version, _)| *version > found) {
        sqlx::raw_sql(step).execute(&mut *tx).await.map_err(|e| failed(ACTION, e))?;
        sqlx::query("INSERT INTO layout (version) VALUES (?)")
            .bind(version)
            .execute(&mut *tx)
            .await
            .map_err(|e| failed(ACTION, e))?;
    }
    tx.commit().await.map_err(|e| failed(ACTION, e))
}
