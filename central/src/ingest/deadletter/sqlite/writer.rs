//! Keeps dead letters in the file, within their bounds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use goldentime_runtime::SharedClock;
use sqlx::Row;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::{FILE, SqliteLetters, replays};
use crate::ingest::deadletter::config::DeadLettersConfig;
use crate::ingest::deadletter::post::{DeadLetter, DeadLetters, Posted, expired, held};
use crate::ingest::deadletter::turn::Turn;

/// How often letters are looked for that are too old.
const RETAIN_EVERY: Duration = Duration::from_secs(60);
/// Letters that are dropped at a time for want of room.
const MAKE_ROOM: i64 = 16;

/// What a letter counts for against `bytes_max`, as [`DeadLetter::weight`] says.
const WEIGHT: &str = "length(record) + length(detail) + 512";

impl DeadLetters {
    /// Opens the store below the state folder. The task behind it, which [`Writer::run`] is, ends when the last
    /// clone is dropped.
    pub async fn open(
        state_dir: &Path,
        config: &DeadLettersConfig,
        clock: SharedClock,
    ) -> Result<(Self, Writer), sqlx::Error> {
        let store = SqliteLetters::open(&state_dir.join(FILE)).await?;
        let (letters, waiting) = Self::before(FILE, Arc::new(store.clone()), Turn::Always, None);
        let writer = Writer { store, config: config.clone(), clock, waiting, held_bytes: 0 };
        Ok((letters, writer))
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

    pub(in crate::ingest::deadletter) async fn take(&mut self, posted: Posted) {
        match self.write(&posted.letter).await {
            Ok(()) => posted.done(),
            Err(error) => posted.fail("store_failed", error.into()),
        }
        if let Err(error) = self.make_room().await {
            tracing::warn!(%error, "no room can be made for dead letters; trying again with the next");
        }
    }

    /// Keeps a letter. One that is there already is only counted; a line that was replayed and was rejected anew
    /// is the letter that it was.
    async fn write(&mut self, letter: &DeadLetter) -> Result<(), sqlx::Error> {
        if let Some(place) = letter.logged_as
            && replays::came_back(&self.store.pool, place, letter.reason, &letter.detail).await?
        {
            return Ok(());
        }
        let written = sqlx::query(
            "INSERT INTO dead_letters (at, last_at, agent, host, project, service, kind, reason, detail, record, \
             digest) VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
             ON CONFLICT (digest) WHERE digest IS NOT NULL \
             DO UPDATE SET times = times + 1, last_at = excluded.at RETURNING times",
        )
        .bind(letter.at.0)
        .bind(&letter.agent)
        .bind(&letter.host)
        .bind(&letter.project)
        .bind(&letter.service)
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
    pub(in crate::ingest::deadletter) async fn retain(&mut self) -> Result<(), sqlx::Error> {
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
        let sum = format!("SELECT count(*), coalesce(sum({WEIGHT}), 0) FROM dead_letters");
        let (letters, bytes): (i64, i64) =
            sqlx::query_as(sqlx::AssertSqlSafe(sum)).fetch_one(&self.store.pool).await?;
        self.held_bytes = bytes;
        held(letters, bytes);
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

#[cfg(test)]
mod tests {
    use goldentime_model::UnixNanos;
    use goldentime_model::units::{ByteSize, HumanDuration};
    use goldentime_runtime::ManualClock;

    use super::*;
    use crate::ingest::deadletter::letter::Kind;
    use crate::ingest::deadletter::store::{Filter, PageRequest};

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
            service: String::new(),
            reason: "name",
            detail: String::new(),
            record: record.into(),
            place: 0,
            logged_as: None,
        }
    }

    fn posted(letter: DeadLetter) -> Posted {
        Posted { letter, kept: None, _settled: None, _room: None }
    }

    async fn ids(letters: &DeadLetters) -> Vec<String> {
        let page = PageRequest { before: None, limit: 1000 };
        let page = letters.replays().list(Filter::default(), page).await.expect("lists");
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
            writer.take(posted(letter)).await;
        }
        // Sixteen at a time make room, once there were nineteen.
        assert_eq!(ids(&letters).await, ["20", "19", "18", "17"]);
        let letter = |number| letter(number, 11 * HOUR_NS + 5, 10);
        writer.take(posted(letter(21))).await;
        clock.set(UnixNanos(11 * HOUR_NS + 1));
        writer.retain().await.expect("retained");
        assert_eq!(ids(&letters).await, ["21"]);
        clock.set(UnixNanos(20 * HOUR_NS));
        writer.retain().await.expect("retained");
        assert!(ids(&letters).await.is_empty());
        writer.take(posted(letter(22))).await;
        writer.take(posted(letter(22))).await;
        assert_eq!(ids(&letters).await, ["22"]);
    }

    #[tokio::test]
    async fn records_that_wait_to_be_written_are_bounded_by_their_bytes() {
        let folder = tempfile::tempdir().expect("folder");
        let clock: SharedClock = ManualClock::at(UnixNanos(10 * HOUR_NS));
        let opened = DeadLetters::open(folder.path(), &DeadLettersConfig::default(), clock).await;
        let (letters, writer) = opened.expect("opens");
        for number in 0..20 {
            let _ = letters.add(letter(number, 10 * HOUR_NS, 1 << 20));
        }
        let store = writer.store.clone();
        drop(letters);
        let waited = writer.waiting.len();
        writer.run().await;
        assert_eq!((waited, store.pool.is_closed()), (7, true));
    }
}
