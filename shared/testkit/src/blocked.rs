//! A database file that somebody else holds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};

use crate::programs::CentralConfig;

/// How long the lock is waited for.
const LOCK_MAX: Duration = Duration::from_secs(60);

/// An exclusive lock on a SQLite file, held by another process than the one that writes it.
pub struct Blocked(SqliteConnection);

impl Blocked {
    /// Takes the lock. It is held until it is released or dropped.
    pub async fn lock(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(LOCK_MAX);
        let mut connection =
            SqliteConnection::connect_with(&options).await.with_context(|| path.display().to_string())?;
        connection.execute("BEGIN EXCLUSIVE").await.with_context(|| format!("lock {}", path.display()))?;
        Ok(Self(connection))
    }

    /// Lets go of it.
    pub async fn release(mut self) -> Result<()> {
        self.0.execute("ROLLBACK").await.context("the lock is gone")?;
        Ok(self.0.close().await?)
    }
}

/// Where a central keeps its history.
#[must_use]
pub fn series_of(config: &CentralConfig) -> PathBuf {
    config.folder.join("state").join("series.db")
}
