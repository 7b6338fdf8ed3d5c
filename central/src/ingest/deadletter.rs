//! What agents sent and could not be taken, with its reason.

use std::path::Path;

use bytes::Bytes;
use goldentime_model::UnixNanos;
use goldentime_model::metric_names::DROPS_TOTAL;
use sqlx::Executor;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::mpsc;

/// Letters that wait to be written; beyond it they are only counted.
const WAITING_MAX: usize = 256;
/// Letters that are kept, newest.
const KEPT_MAX: i64 = 10_000;
/// Longest record that is kept whole; a longer one is cut.
const RECORD_BYTES_MAX: usize = 64 * 1024;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS dead_letters (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, \
     agent TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, record BLOB NOT NULL)";

/// A record that was refused.
#[derive(Debug)]
pub struct DeadLetter {
    /// When.
    pub at: UnixNanos,
    /// Whose.
    pub agent: String,
    /// Stable reason.
    pub reason: &'static str,
    /// What exactly.
    pub detail: String,
    /// As it was sent.
    pub record: Bytes,
}

/// Where refused records go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DeadLetters(mpsc::Sender<DeadLetter>);

impl DeadLetters {
    /// Opens the store. The task behind it, which [`run`] is, ends when the last clone is dropped.
    pub async fn open(path: &Path) -> Result<(Self, Writer), sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        pool.execute(SCHEMA).await?;
        let (letters, waiting) = mpsc::channel(WAITING_MAX);
        Ok((Self(letters), Writer { pool, waiting }))
    }

    /// Counts a refused record by its reason, and keeps it while there is room.
    pub fn add(&self, mut letter: DeadLetter) {
        metrics::counter!(DROPS_TOTAL, "component" => "ingest", "reason" => letter.reason).increment(1);
        letter.record.truncate(RECORD_BYTES_MAX);
        if self.0.try_send(letter).is_err() {
            metrics::counter!("goldentime_dead_letters_not_kept_total").increment(1);
        }
    }
}

/// Writes letters.
pub struct Writer {
    pool: SqlitePool,
    waiting: mpsc::Receiver<DeadLetter>,
}

impl Writer {
    /// Writes until the uplink ends.
    pub async fn run(mut self) {
        while let Some(letter) = self.waiting.recv().await {
            if let Err(error) = self.write(&letter).await {
                tracing::warn!(%error, reason = letter.reason, "a dead letter is not kept");
                metrics::counter!("goldentime_dead_letters_not_kept_total").increment(1);
            }
        }
        self.pool.close().await;
    }

    async fn write(&self, letter: &DeadLetter) -> Result<(), sqlx::Error> {
        let written = sqlx::query(
            "INSERT INTO dead_letters (at, agent, reason, detail, record) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(letter.at.0)
        .bind(&letter.agent)
        .bind(letter.reason)
        .bind(&letter.detail)
        .bind(letter.record.to_vec())
        .execute(&self.pool)
        .await?;
        sqlx::query("DELETE FROM dead_letters WHERE id <= ?")
            .bind(written.last_insert_rowid() - KEPT_MAX)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
