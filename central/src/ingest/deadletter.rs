//! What agents sent and could not be taken, and log lines that no store will take, with the reason.

use std::path::Path;

use bytes::Bytes;
use goldentime_follower::{BoxFuture, StoreError};
use goldentime_model::UnixNanos;
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_runtime::SharedClock;
use goldentime_search::{Rejected, Rejects};
use serde_json::json;
use sqlx::Executor;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::{mpsc, oneshot};

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
    /// Whose: an agent's id, or the host that a log line is of.
    pub agent: String,
    /// Stable reason.
    pub reason: &'static str,
    /// What exactly.
    pub detail: String,
    /// As it was sent.
    pub record: Bytes,
}

/// A letter on its way, and who waits until it is kept.
#[derive(Debug)]
struct Posted {
    letter: DeadLetter,
    kept: Option<oneshot::Sender<Result<(), sqlx::Error>>>,
}

/// Where refused records go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DeadLetters(mpsc::Sender<Posted>);

/// Where log lines go that no store will take. It does not keep the letters open: what comes after intake
/// has ended waits for the next start.
pub struct LineLetters {
    letters: mpsc::WeakSender<Posted>,
    clock: SharedClock,
}

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
        if self.0.try_send(Posted { letter, kept: None }).is_err() {
            metrics::counter!("goldentime_dead_letters_not_kept_total").increment(1);
        }
    }

    /// The same place for log lines.
    #[must_use]
    pub fn of_lines(&self, clock: SharedClock) -> LineLetters {
        LineLetters { letters: self.0.downgrade(), clock }
    }
}

impl LineLetters {
    async fn keep(&self, rejected: &Rejected) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let line = &rejected.line;
        let record = json!({
            "service": line.service.to_string(),
            "time_unix_nano": line.record.at.0,
            "level": line.record.level,
            "message": line.record.message,
            "trace_id": line.record.trace_id,
            "span_id": line.record.span_id,
            "attributes": line.record.attributes,
        });
        let letter = DeadLetter {
            at: self.clock.now(),
            agent: line.host.to_string(),
            reason: "log_store_rejected",
            detail: rejected.reason.clone(),
            record: record.to_string().into(),
        };
        let letters = self.letters.upgrade().ok_or("the central is stopping")?;
        let (kept, is_kept) = oneshot::channel();
        letters.send(Posted { letter, kept: Some(kept) }).await.map_err(|_| "the central is stopping")?;
        Ok(is_kept.await??)
    }
}

impl Rejects for LineLetters {
    fn take<'a>(&'a self, rejected: &'a [Rejected]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            for line in rejected {
                self.keep(line).await.map_err(|source| StoreError::Unavailable {
                    place: "dead-letters.db".to_owned(),
                    action: "keep a log line that the store will not take",
                    source,
                })?;
            }
            Ok(())
        })
    }
}

/// Writes letters.
pub struct Writer {
    pool: SqlitePool,
    waiting: mpsc::Receiver<Posted>,
}

impl Writer {
    /// Writes until the uplink ends.
    pub async fn run(mut self) {
        while let Some(Posted { letter, kept }) = self.waiting.recv().await {
            let written = self.write(&letter).await;
            match (kept, written) {
                // Who waits tries again; who is gone does so as well.
                (Some(kept), written) => drop(kept.send(written)),
                (None, Err(error)) => {
                    tracing::warn!(%error, reason = letter.reason, "a dead letter is not kept");
                    metrics::counter!("goldentime_dead_letters_not_kept_total").increment(1);
                }
                (None, Ok(())) => {}
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
