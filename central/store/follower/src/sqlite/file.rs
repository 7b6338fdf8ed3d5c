//! A file with one writer and connections that only read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};
use tokio::sync::OnceCell;

use super::layout;
use crate::StoreError;

/// How long a call waits for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How a file is opened.
#[derive(Clone, Debug)]
pub struct FileSettings {
    /// Where it is.
    pub path: PathBuf,
    /// Every step of its layout ever taken, in order.
    pub steps: &'static [&'static str],
    /// Page cache of each connection, in KiB.
    pub cache_kib: u32,
    /// Connections that only read, and so never wait for the writer.
    pub readers: u32,
    /// How long a write waits for a lock that another process holds before it fails.
    pub busy_timeout: Duration,
}

/// A file that is opened by its first use that succeeds: a central starts, judges and pages whatever
/// is wrong with it.
///
/// Write-ahead log with `synchronous=NORMAL`: a commit is whole or absent after a power loss too, and
/// may then be absent although it was reported. Its position is in the same commit, so that the log is
/// read again from there.
#[derive(Debug)]
pub struct File {
    settings: FileSettings,
    pools: OnceCell<Pools>,
}

#[derive(Debug)]
struct Pools {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// What a file takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes in pages that hold something.
    pub used: u64,
    /// Bytes in pages that are free, to be given back or used again.
    pub free: u64,
}

impl File {
    /// A file that is not opened yet.
    #[must_use]
    pub fn new(settings: FileSettings) -> Self {
        Self { settings, pools: OnceCell::new() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.settings.path
    }

    /// Begins to write. Writers of this process wait for each other; one of another process is waited
    /// for as long as the settings say.
    pub async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        let pools = self.pools().await?;
        let begun = pools.writer.begin_with("BEGIN IMMEDIATE").await;
        begun.map_err(|error| self.failed("begin to write", error))
    }

    /// Begins to read what was committed until now.
    pub async fn read(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        let pools = self.pools().await?;
        pools.readers.begin().await.map_err(|error| self.failed("begin to read", error))
    }

    /// The writer's connection, outside of a transaction.
    pub async fn writer(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        let pools = self.pools().await?;
        pools.writer.acquire().await.map_err(|error| self.failed("reach the writer", error))
    }

    /// What it takes at present, without its write-ahead log.
    pub async fn size(&self) -> Result<Size, StoreError> {
        let mut read = self.read().await?;
        let mut pages = [0_i64; 3];
        let pragmas = ["PRAGMA page_size", "PRAGMA page_count", "PRAGMA freelist_count"];
        for (value, pragma) in pages.iter_mut().zip(pragmas) {
            let asked = sqlx::query_scalar(pragma).fetch_one(&mut *read).await;
            *value = asked.map_err(|error| self.failed("ask for its size", error))?;
        }
        let [page, count, free] = pages.map(|value| u64::try_from(value).unwrap_or(0));
        Ok(Size { used: count.saturating_sub(free) * page, free: free * page })
    }

    /// Gives up to `pages` free pages back to the file system.
    pub async fn give_back(&self, pages: u32) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        // The pragma takes no parameters; a number cannot hold anything else.
        let pragma = sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({pages})"));
        let done = sqlx::raw_sql(pragma).execute(&mut *writer).await;
        done.map(drop).map_err(|error| self.failed("give free pages back", error))
    }

    /// Waits for running calls and closes the file.
    pub async fn close(&self) {
        if let Some(pools) = self.pools.get() {
            pools.readers.close().await;
            pools.writer.close().await;
        }
    }

    /// An engine's error as one of this file.
    #[must_use]
    pub fn failed(&self, action: &'static str, source: sqlx::Error) -> StoreError {
        let place = self.settings.path.display().to_string();
        if goldentime_sqlite::is_full(&source) {
            return StoreError::Full { place };
        }
        let code = source.as_database_error().and_then(|error| error.code());
        let code = code.and_then(|code| code.parse::<u32>().ok()).unwrap_or(0);
        // SQLITE_CORRUPT is 11, SQLITE_NOTADB 26; the lower byte is the primary code.
        match code & 0xff {
            11 | 26 => StoreError::Corrupt { place, what: source.to_string() },
            _ => StoreError::Unavailable { place, action, source: Box::new(source) },
        }
    }

    /// Something stored that cannot be understood.
    #[must_use]
    pub fn corrupt(&self, what: impl Into<String>) -> StoreError {
        StoreError::Corrupt { place: self.settings.path.display().to_string(), what: what.into() }
    }

    async fn pools(&self) -> Result<&Pools, StoreError> {
        self.pools.get_or_try_init(|| self.open()).await
    }

    async fn open(&self) -> Result<Pools, StoreError> {
        let settings = &self.settings;
        let failed = |error| self.failed("open it", error);
        let options = SqliteConnectOptions::new()
            .filename(&settings.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(settings.busy_timeout)
            .pragma("cache_size", format!("-{}", settings.cache_kib));
        let pool = |connections: u32| goldentime_sqlite::pool(connections).acquire_timeout(ACQUIRE_TIMEOUT);
        // Only the writer says so: it is a write, and takes effect where the file is made.
        let making = options.clone().auto_vacuum(SqliteAutoVacuum::Incremental);
        let writer = pool(1).connect_with(making).await.map_err(failed)?;
        layout::bring_up(self, &writer, settings.steps).await?;
        let readers = pool(settings.readers).connect_with(options.read_only(true)).await;
        Ok(Pools { writer, readers: readers.map_err(failed)? })
    }
}
