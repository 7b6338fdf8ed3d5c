//! Brings a file to this version's layout, one numbered step after the other.

use sqlx::{Row, SqlitePool};

use super::File;
use crate::StoreError;

/// Takes the steps that the file lacks, all in one transaction; refuses a file of a newer version.
pub(super) async fn bring_up(
    file: &File,
    pool: &SqlitePool,
    steps: &'static [&'static str],
) -> Result<(), StoreError> {
    let failed = |error| file.failed("bring it to this version's layout", error);
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    sqlx::query("CREATE TABLE IF NOT EXISTS layout (version INTEGER NOT NULL)")
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    let found: i64 = sqlx::query("SELECT coalesce(max(version), 0) FROM layout")
        .fetch_one(&mut *tx)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(failed)?;
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Newer { place: file.path().display().to_string(), found, known });
    }
    for (version, step) in (1_i64..).zip(steps).filter(|(version, _)| *version > found) {
        sqlx::raw_sql(*step).execute(&mut *tx).await.map_err(failed)?;
        sqlx::query("INSERT INTO layout (version) VALUES (?)")
            .bind(version)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
    }
    tx.commit().await.map_err(failed)
}
