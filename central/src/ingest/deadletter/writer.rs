//! Keeps dead letters, within their bounds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use goldentime_model::UnixNanos;
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_runtime::SharedClock;
use goldentime_wire::record::StreamId;
use ring::digest::{Context, SHA256};
use sqlx::Row;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::config::DeadLettersConfig;
use super::letter::Kind;
use super::lines::LineLetters;
use super::replays::Replays;
use super::sqlite::{FILE, SqliteLetters};

/// What a letter takes beside its record and its detail: in memory, and in its row and its places in indices.
const LETTER_BYTES: usize = 512;
/// Bytes of letters that wait to be written; beyond it they are only counted.
pub const WAITING_BYTES_MAX: usize = 8 << 20;
/// Letters that wait to be written.
const WAITING_MAX: usize = WAITING_BYTES_MAX / LETTER_BYTES;
/// How often letters are looked for that are too old.
const RETAIN_EVERY: Duration = Duration::from_secs(60);
/// Letters that are dropped at a time for want of room.
const MAKE_ROOM: i64 = 16;

/// What a letter counts for against `bytes_max`, as [`DeadLetter::weight`] says.
const WEIGHT: &str = "length(record) + length(detail) + 512";

/// Something that was refused.
#[derive(Debug)]
pub struct DeadLetter {
    /// When.
    pub at: UnixNanos,
    /// What it is.
    pub kind: Kind,
    /// The agent's id; empty for a log line.
    pub agent: String,
    /// The host that it came from.
    pub host: String,
    /// The agent's project; empty for a log line.
    pub project: String,
    /// Stable reason.
    pub reason: &'static str,
    /// What exactly.
    pub detail: String,
    /// As it was sent.
    pub record: Bytes,
    /// Its place in the record that it was taken out of, so that two lines that say the same stay two.
    pub place: u32,
    /// Stream, partition and number under which the log has it, where it does.
    pub logged_as: Option<(StreamId, u32, u64)>,
}

/// A letter on its way, and who waits until it is kept.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) letter: DeadLetter,
    pub(super) kept: Option<oneshot::Sender<Result<(), sqlx::Error>>>,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// Where refused records go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    letters: mpsc::Sender<Posted>,
    room: Arc<Semaphore>,
    store: SqliteLetters,
}

impl DeadLetters {
    /// Opens the store below the state folder. The task behind it, which [`Writer::run`] is, ends when the last
    /// clone is dropped.
    pub async fn open(
        state_dir: &Path,
        config: &DeadLettersConfig,
        clock: SharedClock,
    ) -> Result<(Self, Writer), sqlx::Error> {
        let store = SqliteLetters::open(&state_dir.join(FILE)).await?;
        let (letters, waiting) = mpsc::channel(WAITING_MAX);
        let writer = Writer { store: store.clone(), config: config.clone(), clock, waiting, held_bytes: 0 };
        Ok((Self { letters, room: Arc::new(Semaphore::new(WAITING_BYTES_MAX)), store }, writer))
    }

    /// Counts a refused record by its reason, and keeps it while there is room.
    pub fn add(&self, letter: DeadLetter) {
        metrics::counter!(DROPS_TOTAL, "component" => "ingest", "reason" => letter.reason).increment(1);
        let bytes = u32::try_from(letter.weight()).unwrap_or(u32::MAX);
        let kept = Arc::clone(&self.room)
            .try_acquire_many_owned(bytes)
            .is_ok_and(|room| self.letters.try_send(Posted { letter, kept: None, room: Some(room) }).is_ok());
        if !kept {
            not_kept();
        }
    }

    /// The same place for log lines.
    #[must_use]
    pub fn of_lines(&self, clock: SharedClock) -> LineLetters {
        LineLetters { letters: self.letters.downgrade(), clock }
    }

    /// The letters, to be looked at.
    #[must_use]
    pub fn store(&self) -> SqliteLetters {
        self.store.clone()
    }

    /// What is to be replayed, as this and other processes ask for it.
    #[must_use]
    pub fn replays(&self) -> Replays {
        Replays::of(self.store.clone())
    }
}

/// Writes letters.
pub struct Writer {
    store: SqliteLetters,
    config: DeadLettersConfig,
    clock: SharedClock,
    waiting: mpsc::Receiver<Posted>,
    held_bytes: i64,
}

impl Writer {
    /// Writes until the uplink ends.
    pub async fn run(mut self) {
        let mut look_at = Instant::now();
        loop {
            match timeout_at(look_at, self.waiting.recv()).await {
                Ok(Some(posted)) => self.take(posted).await,
                Ok(None) => break,
                Err(_) => {
                    look_at = Instant::now() + RETAIN_EVERY;
                    if let Err(error) = self.retain().await {
                        tracing::warn!(%error, "old dead letters cannot be dropped; trying again");
                    }
                }
            }
        }
        self.store.pool.close().await;
    }

    async fn take(&mut self, Posted { letter, kept, room }: Posted) {
        let written = self.write(&letter).await;
        drop(room);
        match (kept, written) {
            // Who waits tries again; who is gone does so as well.
            (Some(kept), written) => drop(kept.send(written)),
            (None, Err(error)) => {
                tracing::warn!(%error, reason = letter.reason, "a dead letter is not kept");
                not_kept();
            }
            (None, Ok(())) => {}
        }
        if let Err(error) = self.make_room().await {
            tracing::warn!(%error, "no room can be made for dead letters; trying again with the next");
        }
    }

    /// Keeps a letter. One that is there already is only counted; a line that was replayed and was rejected anew
    /// is the letter that it was.
    async fn write(&mut self, letter: &DeadLetter) -> Result<(), sqlx::Error> {
        if let Some(place) = letter.logged_as
            && Replays::of(self.store.clone()).came_back(place, letter.reason, &letter.detail).await?
        {
            return Ok(());
        }
        let written = sqlx::query(
            "INSERT INTO dead_letters (at, agent, host, project, kind, reason, detail, record, digest) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (digest) WHERE digest IS NOT NULL DO UPDATE SET times = times + 1 RETURNING times",
        )
        .bind(letter.at.0)
        .bind(&letter.agent)
        .bind(&letter.host)
        .bind(&letter.project)
        .bind(letter.kind.as_str())
        .bind(letter.reason)
        .bind(&letter.detail)
        .bind(&letter.record[..])
        .bind(letter.digest())
        .fetch_one(&self.store.pool)
        .await?;
        if written.get::<i64, _>("times") == 1 {
            self.held_bytes += i64::try_from(letter.weight()).unwrap_or(i64::MAX);
        }
        Ok(())
    }

    /// Drops what is too old, and counts anew what is held.
    async fn retain(&mut self) -> Result<(), sqlx::Error> {
        let retention = i64::try_from(self.config.retention.get().as_nanos()).unwrap_or(i64::MAX);
        let before = self.clock.now().saturating_add(-retention);
        let old = sqlx::query("DELETE FROM dead_letters WHERE at < ?").bind(before.0);
        expired("age", old.execute(&self.store.pool).await?.rows_affected());
        sqlx::query(
            "DELETE FROM replays WHERE ended_at IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM replay_letters WHERE replay = replays.id)",
        )
        .execute(&self.store.pool)
        .await?;
        let held = format!("SELECT count(*), coalesce(sum({WEIGHT}), 0) FROM dead_letters");
        let (letters, bytes): (i64, i64) =
            sqlx::query_as(sqlx::AssertSqlSafe(held)).fetch_one(&self.store.pool).await?;
        self.held_bytes = bytes;
        metrics::gauge!("goldentime_dead_letters").set(letters as f64);
        metrics::gauge!("goldentime_dead_letters_bytes").set(bytes as f64);
        self.make_room().await
    }

    /// Drops the oldest while all take more than allowed. What is just being replayed stays.
    async fn make_room(&mut self) -> Result<(), sqlx::Error> {
        let allowed = i64::try_from(self.config.bytes_max.get()).unwrap_or(i64::MAX);
        while self.held_bytes > allowed {
            let oldest = format!(
                "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters WHERE id NOT IN \
                 (SELECT letter FROM replay_letters WHERE state = 1) ORDER BY id LIMIT {MAKE_ROOM}) \
                 RETURNING {WEIGHT}"
            );
            let freed: Vec<i64> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(oldest)).fetch_all(&self.store.pool).await?;
            if freed.is_empty() {
                return Ok(());
            }
            self.held_bytes -= freed.iter().sum::<i64>();
            expired("quota", freed.len() as u64);
        }
        Ok(())
    }
}

impl DeadLetter {
    fn weight(&self) -> usize {
        self.record.len() + self.detail.len() + LETTER_BYTES
    }

    /// What tells letters apart. An agent that heard no acknowledgement sends a refused record again, byte for
    /// byte, perhaps under an id that it got since: that is the same letter. The stream's random id and the number
    /// are among the bytes.
    fn digest(&self) -> Vec<u8> {
        let mut digest = Context::new(&SHA256);
        digest.update(self.kind.as_str().as_bytes());
        digest.update(&self.place.to_be_bytes());
        digest.update(&self.record);
        digest.finish().as_ref().to_vec()
    }
}

fn not_kept() {
    metrics::counter!("goldentime_dead_letters_not_kept_total").increment(1);
}

fn expired(reason: &'static str, letters: u64) {
    if letters > 0 {
        tracing::info!(letters, reason, "old dead letters dropped");
        metrics::counter!("goldentime_dead_letters_expired_total", "reason" => reason).increment(letters);
    }
}

#[cfg(test)]
mod tests {
    use goldentime_model::units::{ByteSize, HumanDuration};
    use goldentime_runtime::ManualClock;

    use super::super::store::{Filter, LetterStore, PageRequest};
    use super::*;

    const HOUR_NS: i64 = 3600 * 1_000_000_000;

    fn letter(number: u8, at: i64, bytes: usize) -> DeadLetter {
        let mut record = vec![0; bytes];
        record[0] = number;
        DeadLetter {
            at: UnixNanos(at),
            kind: Kind::Record,
            agent: "a1".into(),
            host: "web-1".into(),
            project: "shop".into(),
            reason: "name",
            detail: String::new(),
            record: record.into(),
            place: 0,
            logged_as: None,
        }
    }

    async fn ids(letters: &DeadLetters) -> Vec<String> {
        let page = PageRequest { before: None, limit: 1000 };
        let page = letters.store().list(Filter::default(), page).await.expect("lists");
        page.letters.into_iter().map(|head| head.id.0).collect()
    }

    #[tokio::test]
    async fn letters_go_by_age_and_the_oldest_for_want_of_room_and_no_id_is_used_again() {
        let folder = tempfile::tempdir().expect("folder");
        let config =
            DeadLettersConfig { retention: HumanDuration::from_secs(3600), bytes_max: ByteSize::mib(16) };
        let clock = ManualClock::at(UnixNanos(10 * HOUR_NS));
        let opened = DeadLetters::open(folder.path(), &config, Arc::clone(&clock) as SharedClock).await;
        let (letters, mut writer) = opened.expect("opens");
        for number in 1..=20 {
            let letter = letter(number, 10 * HOUR_NS, 900 << 10);
            writer.take(Posted { letter, kept: None, room: None }).await;
        }
        // Sixteen at a time make room, once there were nineteen.
        assert_eq!(ids(&letters).await, ["20", "19", "18", "17"]);
        let letter = |number| letter(number, 11 * HOUR_NS + 5, 10);
        writer.take(Posted { letter: letter(21), kept: None, room: None }).await;
        clock.set(UnixNanos(11 * HOUR_NS + 1));
        writer.retain().await.expect("retained");
        assert_eq!(ids(&letters).await, ["21"]);
        clock.set(UnixNanos(20 * HOUR_NS));
        writer.retain().await.expect("retained");
        assert!(ids(&letters).await.is_empty());
        writer.take(Posted { letter: letter(22), kept: None, room: None }).await;
        writer.take(Posted { letter: letter(22), kept: None, room: None }).await;
        assert_eq!(ids(&letters).await, ["22"]);
    }

    #[tokio::test]
    async fn records_that_wait_to_be_written_are_bounded_by_their_bytes() {
        let folder = tempfile::tempdir().expect("folder");
        let clock: SharedClock = ManualClock::at(UnixNanos(10 * HOUR_NS));
        let opened = DeadLetters::open(folder.path(), &DeadLettersConfig::default(), clock).await;
        let (letters, writer) = opened.expect("opens");
        for number in 0..20 {
            letters.add(letter(number, 10 * HOUR_NS, 1 << 20));
        }
        let store = letters.store();
        drop(letters);
        let waited = writer.waiting.len();
        writer.run().await;
        assert_eq!((waited, store.pool.is_closed()), (7, true));
    }
}
