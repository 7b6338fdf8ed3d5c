//! The layout of the registry's file, step by step. `user_version` says how many were taken; each step sets it.

use std::path::Path;

use sqlx::SqlitePool;

use super::failed;
use crate::sqlite::BACKEND;
use crate::store::CatalogueError;

const ACTION: &str = "bring the registry of agents to this version's layout";

/// Every step ever taken, in order; a step that has left the house is never edited.
const STEPS: [&str; 2] = [
    include_str!("../../../../../../migrations/sqlite/agents/0001_tokens_and_agents.sql"),
    include_str!("../../../../../../migrations/sqlite/agents/0002_uses.sql"),
];

/// Takes the steps that the file lacks, all or none; refuses a file of a newer version.
pub(super) async fn bring_up_to_date(pool: &SqlitePool, path: &Path) -> Result<(), CatalogueError> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| failed(ACTION, error))?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *tx)
        .await
        .map_err(|error| failed(ACTION, error))?;
    let known = STEPS.len();
    let Some(taken) = usize::try_from(found).ok().filter(|taken| *taken <= known) else {
        let (place, known) = (path.display().to_string(), i64::try_from(known).unwrap_or(i64::MAX));
        return Err(CatalogueError::Newer { backend: BACKEND, place, found, known });
    };
    for step in &STEPS[taken..] {
        sqlx::raw_sql(*step).execute(&mut *tx).await.map_err(|error| failed(ACTION, error))?;
    }
    tx.commit().await.map_err(|error| failed(ACTION, error))
}
