//! The catalogue in a SQLite file of its own, with one writer.
//!
//! Write-ahead log with `synchronous=NORMAL`: a commit costs no fsync, so a claim takes well under a
//! millisecond and stays within the 100 ms that a page may wait for it. [`migrate`] brings the file
//! to this version's layout, [`alerts`] and [`notifications`] are the two halves of the one contract,
//! [`access`] and [`desk`] are the others. [`registry`] has a file of its own.

mod access;
mod alerts;
mod desk;
mod migrate;
mod notifications;
mod registry;

use std::path::Path;
use std::time::Duration;

use goldentime_model::{Alert, UnixNanos};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use crate::body;
use crate::store::{BoxFuture, Catalogue, CatalogueError};
use crate::{AlertRecord, Claim, Claimed, DeadLetter, HistoryQuery, Notification, Outcome};

pub use registry::SqliteRegistry;

const BACKEND: &str = "sqlite";

/// How long a call waits for a connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a write waits for a lock that another process holds before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections that only read: the API's history beside a restart's queue.
const READERS: u32 = 2;

/// The embedded catalogue. Cheap to clone; clones share one writer.
#[derive(Clone, Debug)]
pub struct SqliteCatalogue {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteCatalogue {
    /// Opens the file, makes it if it is not there, and brings it to this version's layout.
    pub async fn open(path: &Path) -> Result<Self, CatalogueError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let pool = |connections: u32| goldentime_sqlite::pool(connections).acquire_timeout(ACQUIRE_TIMEOUT);
        let writer = pool(1).connect_with(options.clone()).await.map_err(|e| failed("open the file", e))?;
        migrate::run(&writer, path).await?;
        let readers = pool(READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(|e| failed("open the file", e))?;
        Ok(Self { writer, readers })
    }
}

fn failed(action: &'static str, source: sqlx::Error) -> CatalogueError {
    CatalogueError::Unavailable { backend: BACKEND, action, source: Box::new(source) }
}

fn encode<T: serde::Serialize>(what: &str, value: &T) -> Result<String, CatalogueError> {
    body::encode(BACKEND, what, value)
}

fn decode<T: serde::de::DeserializeOwned>(what: &str, body: &str) -> Result<T, CatalogueError> {
    body::decode(BACKEND, what, body)
}

fn encode_json<T: serde::Serialize>(what: &str, value: &T) -> Result<String, CatalogueError> {
    body::encode_json(BACKEND, what, value)
}

fn decode_json<T: serde::de::DeserializeOwned>(what: &str, json: &str) -> Result<T, CatalogueError> {
    body::decode_json(BACKEND, what, json)
}

impl Catalogue for SqliteCatalogue {
    fn name(&self) -> &'static str {
        BACKEND
    }

    fn record_alert(&self, record: AlertRecord) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(async move { alerts::record(&self.writer, &record).await })
    }

    fn active_alerts(&self) -> BoxFuture<'_, Result<Vec<AlertRecord>, CatalogueError>> {
        Box::pin(alerts::active(&self.readers))
    }

    fn history(&self, query: HistoryQuery) -> BoxFuture<'_, Result<Vec<Alert>, CatalogueError>> {
        Box::pin(alerts::history(&self.readers, query))
    }

    fn enqueue(&self, notifications: Vec<Notification>) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(async move { notifications::enqueue(&self.writer, &notifications).await })
    }

    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<Claimed, CatalogueError>> {
        Box::pin(notifications::claim(&self.writer, claim))
    }

    fn finish(
        &self,
        notification: Notification,
        attempts: u32,
        outcome: Outcome,
        at: UnixNanos,
    ) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(
            async move { notifications::finish(&self.writer, &notification, attempts, outcome, at).await },
        )
    }

    fn pending(&self) -> BoxFuture<'_, Result<Vec<Notification>, CatalogueError>> {
        Box::pin(notifications::pending(&self.readers))
    }

    fn dead_letters(&self, limit: u32) -> BoxFuture<'_, Result<Vec<DeadLetter>, CatalogueError>> {
        Box::pin(notifications::dead_letters(&self.readers, limit))
    }

    fn prune(&self, before: UnixNanos) -> BoxFuture<'_, Result<u64, CatalogueError>> {
        Box::pin(async move {
            let alerts = alerts::prune(&self.writer, before).await?;
            Ok(alerts + notifications::prune(&self.writer, before).await?)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.readers.close().await;
            self.writer.close().await;
        })
    }
}
