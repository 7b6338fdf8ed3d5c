//! Replays: who asked for which letters, and how far each has come. Kept beside the letters, so that any process
//! may ask and the running central finds it.

use goldentime_model::UnixNanos;
use goldentime_wire::record::StreamId;
use sqlx::Row;

use super::letter::LetterId;
use super::sqlite::{SqliteLetters, number};
use super::store::Filter;
use crate::ingest::validity::Refusal;

/// A letter waits for its turn.
const WAITING: i64 = 0;
/// Its place in the stream is written down; the log may have it or not.
const PLACED: i64 = 1;
/// The log has it.
const GIVEN: i64 = 2;
/// It was refused again.
const REFUSED: i64 = 3;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// These letters.
    Ids(Vec<LetterId>),
    /// All of these.
    All(Filter),
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requested {
    /// The replays that are to be waited for: the new one, and those at which one of the letters is already.
    pub replays: Vec<i64>,
    /// The new one, unless there was nothing for it.
    pub new: Option<i64>,
    /// Letters of the new one.
    pub letters: u64,
    /// Letters that an earlier request has under way.
    pub under_way: u64,
    /// Letters that were named and were replayed before.
    pub replayed: Vec<LetterId>,
    /// Letters that were named and are not there.
    pub missing: Vec<LetterId>,
}

/// How far replays have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Replays that no central has taken up yet.
    pub not_begun: u64,
    /// Letters of earlier replays that are still open.
    pub ahead: u64,
    /// Letters that are neither given back nor refused.
    pub open: u64,
    /// Letters that the log has.
    pub given: u64,
    /// Of these, those whose seconds are not judged any more.
    pub late: u64,
    /// Of these, log lines.
    pub lines: u64,
    /// Letters that were refused again.
    pub refused: u64,
}

/// A replay that is at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Its number.
    pub id: i64,
    /// Its stream.
    pub stream: StreamId,
    /// When a central took it up first.
    pub begun_at: UnixNanos,
}

/// A letter's place in the stream of its replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The letter.
    pub letter: i64,
    /// Partition.
    pub partition: u32,
    /// Number within it.
    pub number: u64,
}

/// What was decided about a letter.
#[derive(Clone, Debug)]
pub enum Decision {
    /// It goes into this partition.
    Admitted {
        /// Which.
        partition: u32,
        /// All of it is of seconds that are not judged any more.
        is_late: bool,
    },
    /// It stays, for this reason.
    Refused(Refusal),
}

/// The replays of a file of letters. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Replays(SqliteLetters);

impl Replays {
    /// Those of this file.
    #[must_use]
    pub const fn of(letters: SqliteLetters) -> Self {
        Self(letters)
    }

    /// The letters.
    #[must_use]
    pub const fn letters(&self) -> &SqliteLetters {
        &self.0
    }

    /// Asks for letters. What was replayed before is asked for only `again`; what is under way already is not
    /// asked for twice.
    pub async fn request(
        &self,
        wanted: &Wanted,
        again: bool,
        stream: StreamId,
        now: UnixNanos,
    ) -> Result<Requested, sqlx::Error> {
        let mut requested = Requested::default();
        let mut tx = self.0.pool.begin_with("BEGIN IMMEDIATE").await?;
        let found: Vec<(i64, bool, Option<i64>)> = match wanted {
            Wanted::Ids(ids) => {
                let mut found = Vec::new();
                for id in ids {
                    let row = sqlx::query_as(
                        "SELECT id, replayed_at IS NOT NULL, (SELECT replay FROM replay_letters \
                         WHERE letter = dead_letters.id AND state < 2) FROM dead_letters WHERE id = ?",
                    );
                    match row.bind(number(id)).fetch_optional(&mut *tx).await? {
                        Some(row) => found.push(row),
                        None => requested.missing.push(id.clone()),
                    }
                }
                found
            }
            Wanted::All(filter) => {
                sqlx::query_as(
                    "SELECT id, replayed_at IS NOT NULL, (SELECT replay FROM replay_letters \
                     WHERE letter = dead_letters.id AND state < 2) FROM dead_letters \
                     WHERE (?1 IS NULL OR reason = ?1) AND (?2 IS NULL OR agent = ?2 OR host = ?2) \
                     AND at >= ?3 AND (?4 OR replayed_at IS NULL) ORDER BY id",
                )
                .bind(&filter.reason)
                .bind(&filter.agent)
                .bind(filter.since.map_or(i64::MIN, |since| since.0))
                .bind(again)
                .fetch_all(&mut *tx)
                .await?
            }
        };
        for (letter, is_replayed, under_way) in found {
            if let Some(replay) = under_way {
                requested.under_way += 1;
                requested.wait_for(replay);
                continue;
            }
            if is_replayed && !again {
                requested.replayed.push(LetterId(letter.to_string()));
                continue;
            }
            let replay = match requested.new {
                Some(replay) => replay,
                None => {
                    let row = sqlx::query("INSERT INTO replays (stream, asked_at) VALUES (?, ?)");
                    let row = row.bind(&stream[..]).bind(now.0).execute(&mut *tx).await?;
                    *requested.new.insert(row.last_insert_rowid())
                }
            };
            requested.wait_for(replay);
            // Named twice is asked for once.
            let row = sqlx::query("INSERT OR IGNORE INTO replay_letters (replay, letter) VALUES (?, ?)");
            requested.letters += row.bind(replay).bind(letter).execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        Ok(requested)
    }

    /// Takes back what no central has taken up although nothing is before it. Gives whether that was so.
    pub async fn withdraw(&self, replay: i64) -> Result<bool, sqlx::Error> {
        let gone = sqlx::query(
            "DELETE FROM replays WHERE id = ?1 AND begun_at IS NULL \
             AND NOT EXISTS (SELECT 1 FROM replays WHERE id < ?1 AND ended_at IS NULL)",
        );
        Ok(gone.bind(replay).execute(&self.0.pool).await?.rows_affected() > 0)
    }

    /// How far a replay has come.
    pub async fn progress(&self, replay: i64) -> Result<Progress, sqlx::Error> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM replays WHERE id = ?1 AND begun_at IS NULL), \
             (SELECT count(*) FROM replay_letters JOIN replays ON replays.id = replay \
             WHERE ended_at IS NULL AND state < 2 AND replay < ?1), count(*) FILTER (WHERE state < 2), count(*) FILTER (WHERE state = 2), \
             count(*) FILTER (WHERE state = 2 AND is_late), count(*) FILTER (WHERE state = 2 AND kind = 'line'), \
             count(*) FILTER (WHERE state = 3) \
             FROM replay_letters JOIN dead_letters ON dead_letters.id = letter WHERE replay = ?1",
        );
        let row = row.bind(replay).fetch_one(&self.0.pool).await?;
        let count = |at: usize| u64::try_from(row.get::<i64, _>(at)).unwrap_or(0);
        Ok(Progress {
            not_begun: count(0),
            ahead: count(1),
            open: count(2),
            given: count(3),
            late: count(4),
            lines: count(5),
            refused: count(6),
        })
    }

    /// Some letters that a replay could not give back, with their reasons now.
    pub async fn refused(
        &self,
        replay: i64,
        limit: u32,
    ) -> Result<Vec<(LetterId, String, String)>, sqlx::Error> {
        let rows: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT id, reason, detail FROM replay_letters JOIN dead_letters ON dead_letters.id = letter \
             WHERE replay = ? AND state = ? ORDER BY id LIMIT ?",
        )
        .bind(replay)
        .bind(REFUSED)
        .bind(limit)
        .fetch_all(&self.0.pool)
        .await?;
        Ok(rows.into_iter().map(|(id, reason, detail)| (LetterId(id.to_string()), reason, detail)).collect())
    }

    /// The oldest replay that has not come to its end, begun from now on.
    pub(super) async fn next(&self, now: UnixNanos) -> Result<Option<Replay>, sqlx::Error> {
        let open = sqlx::query("SELECT id, stream FROM replays WHERE ended_at IS NULL ORDER BY id LIMIT 1");
        let Some(row) = open.fetch_optional(&self.0.pool).await? else { return Ok(None) };
        let id: i64 = row.get("id");
        let begun = sqlx::query_scalar(
            "UPDATE replays SET begun_at = coalesce(begun_at, ?) WHERE id = ? RETURNING begun_at",
        );
        // None: it was withdrawn in between.
        let begun = begun.bind(now.0).bind(id).fetch_optional(&self.0.pool).await?;
        let Some(begun_at) = begun.map(UnixNanos) else { return Ok(None) };
        match StreamId::try_from(row.get::<Vec<u8>, _>("stream")) {
            Ok(stream) => Ok(Some(Replay { id, stream, begun_at })),
            // Not written by us: a stream's id has 16 bytes.
            Err(_) => self.end(id, now).await.map(|()| None),
        }
    }

    /// Letters that have a place and no receipt, in the order of their places.
    pub(super) async fn placed(&self, replay: i64, limit: u32) -> Result<Vec<Placed>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT letter, partition, number FROM replay_letters WHERE replay = ? AND state = ? \
             ORDER BY partition, number LIMIT ?",
        );
        let rows = rows.bind(replay).bind(PLACED).bind(limit).fetch_all(&self.0.pool).await?;
        let placed = rows.iter().map(|row| Placed {
            letter: row.get("letter"),
            partition: u32::try_from(row.get::<i64, _>("partition")).unwrap_or(u32::MAX),
            number: u64::try_from(row.get::<i64, _>("number")).unwrap_or(0),
        });
        Ok(placed.collect())
    }

    /// Letters that wait for their turn, oldest first, with their sizes in bytes.
    pub(super) async fn waiting(&self, replay: i64, limit: u32) -> Result<Vec<(i64, i64)>, sqlx::Error> {
        let rows = sqlx::query_as(
            "SELECT letter, length(record) FROM replay_letters JOIN dead_letters ON dead_letters.id = letter \
             WHERE replay = ? AND state = ? ORDER BY letter LIMIT ?",
        );
        rows.bind(replay).bind(WAITING).bind(limit).fetch_all(&self.0.pool).await
    }

    /// Writes down what was decided, all or nothing: places for those that go, the new reason of those that stay.
    pub(super) async fn decide(&self, replay: i64, decisions: &[(i64, Decision)]) -> Result<(), sqlx::Error> {
        let mut tx = self.0.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (letter, decision) in decisions {
            match decision {
                Decision::Admitted { partition, is_late } => {
                    let last: i64 = sqlx::query_scalar(
                        "INSERT INTO replay_numbers (replay, partition, last) VALUES (?, ?, 1) \
                         ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last",
                    )
                    .bind(replay)
                    .bind(partition)
                    .fetch_one(&mut *tx)
                    .await?;
                    sqlx::query(
                        "UPDATE replay_letters SET state = ?, partition = ?, number = ?, is_late = ? \
                         WHERE replay = ? AND letter = ?",
                    )
                    .bind(PLACED)
                    .bind(partition)
                    .bind(last)
                    .bind(is_late)
                    .bind(replay)
                    .bind(letter)
                    .execute(&mut *tx)
                    .await?;
                }
                Decision::Refused(Refusal { reason, detail }) => {
                    let state =
                        sqlx::query("UPDATE replay_letters SET state = ? WHERE replay = ? AND letter = ?");
                    state.bind(REFUSED).bind(replay).bind(letter).execute(&mut *tx).await?;
                    let why = sqlx::query("UPDATE dead_letters SET reason = ?, detail = ? WHERE id = ?");
                    why.bind(*reason).bind(detail).bind(letter).execute(&mut *tx).await?;
                }
            }
        }
        tx.commit().await
    }

    /// Notes that the log has these letters.
    pub(super) async fn given(
        &self,
        replay: i64,
        placed: &[Placed],
        now: UnixNanos,
    ) -> Result<(), sqlx::Error> {
        let mut tx = self.0.pool.begin_with("BEGIN IMMEDIATE").await?;
        for Placed { letter, .. } in placed {
            let state = sqlx::query(
                "UPDATE replay_letters SET state = ? WHERE replay = ? AND letter = ? AND state = ?",
            );
            let state = state.bind(GIVEN).bind(replay).bind(letter).bind(PLACED).execute(&mut *tx).await?;
            // It may have come back already.
            if state.rows_affected() == 0 {
                continue;
            }
            let done = sqlx::query("UPDATE dead_letters SET replayed_at = ? WHERE id = ?");
            done.bind(now.0).bind(letter).execute(&mut *tx).await?;
        }
        tx.commit().await
    }

    /// Ends a replay.
    pub(super) async fn end(&self, replay: i64, now: UnixNanos) -> Result<(), sqlx::Error> {
        let ended = sqlx::query("UPDATE replays SET ended_at = ? WHERE id = ?");
        ended.bind(now.0).bind(replay).execute(&self.0.pool).await.map(drop)
    }

    /// A store rejected the line that the log has at this place. If a replay brought it there, the letter is one
    /// again, with the new reason, and this gives `true`.
    pub(super) async fn came_back(
        &self,
        (stream, partition, number): (StreamId, u32, u64),
        reason: &str,
        detail: &str,
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.0.pool.begin_with("BEGIN IMMEDIATE").await?;
        let found: Option<(i64, i64)> = sqlx::query_as(
            "SELECT replay, letter FROM replay_letters JOIN replays ON replays.id = replay \
             WHERE stream = ? AND partition = ? AND number = ?",
        )
        .bind(&stream[..])
        .bind(partition)
        .bind(i64::try_from(number).unwrap_or(i64::MAX))
        .fetch_optional(&mut *tx)
        .await?;
        let Some((replay, letter)) = found else { return Ok(false) };
        let state = sqlx::query("UPDATE replay_letters SET state = ? WHERE replay = ? AND letter = ?");
        state.bind(REFUSED).bind(replay).bind(letter).execute(&mut *tx).await?;
        let why =
            sqlx::query("UPDATE dead_letters SET reason = ?, detail = ?, replayed_at = NULL WHERE id = ?");
        why.bind(reason).bind(detail).bind(letter).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl Requested {
    fn wait_for(&mut self, replay: i64) {
        if !self.replays.contains(&replay) {
            self.replays.push(replay);
        }
    }
}
