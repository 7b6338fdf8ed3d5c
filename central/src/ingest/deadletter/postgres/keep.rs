//! Writes what the topic holds, and drops what is too old or too much.

use goldentime_log::Entry;
use goldentime_log::kafka::Letter as Sent;
use goldentime_model::UnixNanos;
use goldentime_postgres::{Database, Error, text};
use sqlx::postgres::PgConnection;
use sqlx::{query, query_as, query_scalar};

use crate::ingest::deadletter::post::digest;
use crate::ingest::deadletter::replays::REFUSED;

/// What is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Letters.
    pub letters: i64,
    /// What they count for against the bound, in bytes.
    pub bytes: i64,
    /// Letters that were dropped.
    pub dropped: u64,
}

pub(super) async fn keep(database: &Database, letters: &[(Sent, Entry)]) -> Result<i64, Error> {
    let mut on = database.write().await?;
    let mut added = 0;
    for (letter, entry) in letters {
        if !came_back(&mut on, letter, entry).await? {
            added += add(&mut on, letter, entry).await?;
        }
    }
    on.commit().await?;
    Ok(added)
}

/// Gives what it counts for, if it is new.
async fn add(on: &mut PgConnection, letter: &Sent, entry: &Entry) -> Result<i64, Error> {
    let kind = letter.kind.as_str();
    let added: Option<(i64, i64)> = query_as(
        "INSERT INTO dead_letters (at, last_at, kind, agent, host, project, service, source, reason, detail, record, \
         record_key, is_cut, is_shipped, digest, log_partition, log_offset, log_time) \
         VALUES ($1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
         ON CONFLICT (digest) DO UPDATE SET times = dead_letters.times + 1, last_at = excluded.at, \
           log_partition = excluded.log_partition, log_offset = excluded.log_offset, log_time = excluded.log_time \
         WHERE (dead_letters.log_time, dead_letters.log_offset) < (excluded.log_time, excluded.log_offset) \
         RETURNING times, weight",
    )
    .bind(letter.at.0)
    .bind(kind)
    .bind(text(&letter.agent))
    .bind(text(&letter.host))
    .bind(text(&letter.project))
    .bind(text(&letter.service))
    .bind(text(&letter.source))
    .bind(text(&letter.reason))
    .bind(text(&letter.detail))
    .bind(&letter.record[..])
    .bind(&letter.key[..])
    .bind(letter.cut_bytes > 0)
    .bind(letter.is_shipped)
    .bind(digest(kind, letter.place, &letter.source, &letter.record))
    .bind(i64::from(entry.partition))
    .bind(offset(entry))
    .bind(entry.append_time.0)
    .fetch_optional(on)
    .await?;
    Ok(added.filter(|(times, _)| *times == 1).map_or(0, |(_, weight)| weight))
}

/// A store rejected what the log has at this place. If a replay brought it there, the letter is one again, with the
/// new reason, and this gives `true`.
async fn came_back(on: &mut PgConnection, letter: &Sent, entry: &Entry) -> Result<bool, Error> {
    let Some(place) = letter.logged_as else { return Ok(false) };
    let replay = query_as("SELECT id, stream = $1 FROM letter_replays WHERE stream = $1 OR line_stream = $1");
    let replay: Option<(i64, bool)> = replay.bind(&place.stream[..]).fetch_optional(&mut *on).await?;
    let Some((replay, is_judged)) = replay else { return Ok(false) };
    let found = query_scalar(match is_judged {
        true => {
            "SELECT letter FROM letter_replay_letters WHERE replay = $1 AND partition = $2 AND number = $3"
        }
        false => {
            "SELECT letter FROM letter_replay_letters WHERE replay = $1 AND partition = $2 AND line_number = $3"
        }
    });
    let number = i64::try_from(place.number).unwrap_or(i64::MAX);
    let found = found.bind(replay).bind(i64::from(place.partition)).bind(number);
    let found: Option<i64> = found.fetch_optional(&mut *on).await?;
    let Some(found) = found else { return Ok(false) };
    let renewed = query(
        "UPDATE dead_letters SET reason = $2, detail = $3, replayed_at = NULL, last_at = $4, \
         log_partition = $5, log_offset = $6, log_time = $7 \
         WHERE id = $1 AND (log_time, log_offset) < ($7, $6)",
    )
    .bind(found)
    .bind(text(&letter.reason))
    .bind(text(&letter.detail))
    .bind(letter.at.0)
    .bind(i64::from(entry.partition))
    .bind(offset(entry))
    .bind(entry.append_time.0)
    .execute(&mut *on)
    .await?;
    if renewed.rows_affected() > 0 {
        let state = query("UPDATE letter_replay_letters SET state = $3 WHERE replay = $1 AND letter = $2");
        state.bind(replay).bind(found).bind(REFUSED).execute(&mut *on).await?;
    }
    Ok(true)
}

pub(super) async fn expire(database: &Database, before: UnixNanos) -> Result<Held, Error> {
    let old = query("DELETE FROM dead_letters WHERE at < $1").bind(before.0);
    let dropped = database.execute(old).await?;
    let over = query(
        "DELETE FROM letter_replays WHERE ended_at IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM letter_replay_letters WHERE replay = letter_replays.id)",
    );
    database.execute(over).await?;
    let mut on = database.session().await?;
    let held = query_as("SELECT count(*), coalesce(sum(weight), 0)::bigint FROM dead_letters");
    let (letters, bytes): (i64, i64) = held.fetch_one(&mut *on).await?;
    on.release();
    Ok(Held { letters, bytes, dropped })
}

pub(super) async fn drop_oldest(database: &Database) -> Result<Vec<i64>, Error> {
    let mut on = database.session().await?;
    let freed = query_scalar(
        "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters WHERE NOT EXISTS \
         (SELECT 1 FROM letter_replay_letters WHERE letter = dead_letters.id AND state = 1) \
         ORDER BY id LIMIT 16) RETURNING weight",
    );
    let freed: Vec<i64> = freed.fetch_all(&mut *on).await?;
    on.release();
    Ok(freed)
}

fn offset(entry: &Entry) -> i64 {
    i64::try_from(entry.offset).unwrap_or(i64::MAX)
}
