//! Replays, kept beside the letters.

use goldentime_log::kafka::LoggedAs;
use goldentime_model::UnixNanos;
use goldentime_wire::record::StreamId;
use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::number;
use crate::ingest::deadletter::letter::LetterId;
use crate::ingest::deadletter::replays::{
    Decision, GIVEN, PLACED, Placed, Progress, REFUSED, Replay, Requested, StillRefused, WAITING, Wanted,
};
use crate::ingest::validity::Refusal;

/// Asks for letters. What was replayed before is asked for only `again`; what is under way already is not
/// asked for twice.
pub(super) async fn request(
    pool: &SqlitePool,
    wanted: &Wanted,
    again: bool,
    stream: StreamId,
    now: UnixNanos,
) -> Result<Requested, sqlx::Error> {
    let mut requested = Requested::default();
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
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
    for found in found {
        let Some(letter) = requested.sort_out(found, again) else { continue };
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
pub(super) async fn withdraw(pool: &SqlitePool, replay: i64) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query(
        "DELETE FROM replays WHERE id = ?1 AND begun_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM replays WHERE id < ?1 AND ended_at IS NULL)",
    );
    Ok(gone.bind(replay).execute(pool).await?.rows_affected() > 0)
}

/// How far a replay has come.
pub(super) async fn progress(pool: &SqlitePool, replay: i64) -> Result<Progress, sqlx::Error> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM replays WHERE id = ?1 AND begun_at IS NULL), \
         (SELECT count(*) FROM replay_letters JOIN replays ON replays.id = replay \
         WHERE ended_at IS NULL AND state < 2 AND replay < ?1), count(*) FILTER (WHERE state < 2), count(*) FILTER (WHERE state = 2), \
         count(*) FILTER (WHERE state = 2 AND is_late), count(*) FILTER (WHERE state = 2 AND kind = 'line'), \
         count(*) FILTER (WHERE state = 3) \
         FROM replay_letters JOIN dead_letters ON dead_letters.id = letter WHERE replay = ?1",
    );
    let row = row.bind(replay).fetch_one(pool).await?;
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
pub(super) async fn refused(
    pool: &SqlitePool,
    replay: i64,
    limit: u32,
) -> Result<Vec<StillRefused>, sqlx::Error> {
    let rows: Vec<(i64, String, String)> = sqlx::query_as(
        "SELECT id, reason, detail FROM replay_letters JOIN dead_letters ON dead_letters.id = letter \
         WHERE replay = ? AND state = ? ORDER BY id LIMIT ?",
    )
    .bind(replay)
    .bind(REFUSED)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(id, reason, detail)| (LetterId(id.to_string()), reason, detail)).collect())
}

/// The oldest replay that has not come to its end, begun from now on.
pub(super) async fn next(pool: &SqlitePool, now: UnixNanos) -> Result<Option<Replay>, sqlx::Error> {
    let open = sqlx::query("SELECT id, stream FROM replays WHERE ended_at IS NULL ORDER BY id LIMIT 1");
    let Some(row) = open.fetch_optional(pool).await? else { return Ok(None) };
    let id: i64 = row.get("id");
    let begun = sqlx::query_scalar(
        "UPDATE replays SET begun_at = coalesce(begun_at, ?) WHERE id = ? RETURNING begun_at",
    );
    // None: it was withdrawn in between.
    let begun = begun.bind(now.0).bind(id).fetch_optional(pool).await?;
    let Some(begun_at) = begun.map(UnixNanos) else { return Ok(None) };
    match StreamId::try_from(row.get::<Vec<u8>, _>("stream")) {
        Ok(stream) => Ok(Some(Replay { id, stream, lines: stream, begun_at })),
        // Not written by us: a stream's id has 16 bytes.
        Err(_) => end(pool, id, now).await.map(|()| None),
    }
}

/// Letters that have a place and no receipt, in the order of their places.
pub(super) async fn placed(pool: &SqlitePool, replay: i64, limit: u32) -> Result<Vec<Placed>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT letter, partition, number FROM replay_letters WHERE replay = ? AND state = ? \
         ORDER BY partition, number LIMIT ?",
    );
    let rows = rows.bind(replay).bind(PLACED).bind(limit).fetch_all(pool).await?;
    let number = |row: &SqliteRow| u64::try_from(row.get::<i64, _>("number")).ok();
    let placed = rows.iter().map(|row| Placed {
        letter: row.get("letter"),
        partition: u32::try_from(row.get::<i64, _>("partition")).unwrap_or(u32::MAX),
        number: number(row),
        // One log has both, and one stream.
        line_number: number(row),
    });
    Ok(placed.collect())
}

/// Letters that wait for their turn, oldest first, with their sizes in bytes.
pub(super) async fn waiting(
    pool: &SqlitePool,
    replay: i64,
    limit: u32,
) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT letter, length(record) FROM replay_letters JOIN dead_letters ON dead_letters.id = letter \
         WHERE replay = ? AND state = ? ORDER BY letter LIMIT ?",
    );
    rows.bind(replay).bind(WAITING).bind(limit).fetch_all(pool).await
}

/// Writes down what was decided, all or nothing: places for those that go, the new reason of those that stay.
pub(super) async fn decide(
    pool: &SqlitePool,
    replay: i64,
    decisions: &[(i64, Decision)],
) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    for (letter, decision) in decisions {
        match decision {
            Decision::Admitted { partition, is_late, .. } => {
                let open = sqlx::query(
                    "UPDATE replay_letters SET state = ?, partition = ?, is_late = ? \
                     WHERE replay = ? AND letter = ? AND state = ?",
                );
                let open = open.bind(PLACED).bind(partition).bind(is_late).bind(replay).bind(letter);
                // Somebody else has decided about it meanwhile.
                if open.bind(WAITING).execute(&mut *tx).await?.rows_affected() == 0 {
                    continue;
                }
                let last: i64 = sqlx::query_scalar(
                    "INSERT INTO replay_numbers (replay, partition, last) VALUES (?, ?, 1) \
                     ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last",
                )
                .bind(replay)
                .bind(partition)
                .fetch_one(&mut *tx)
                .await?;
                let placed =
                    sqlx::query("UPDATE replay_letters SET number = ? WHERE replay = ? AND letter = ?");
                placed.bind(last).bind(replay).bind(letter).execute(&mut *tx).await?;
            }
            Decision::Refused(Refusal { reason, detail }) => {
                let state = sqlx::query(
                    "UPDATE replay_letters SET state = ? WHERE replay = ? AND letter = ? AND state < ?",
                );
                let state = state.bind(REFUSED).bind(replay).bind(letter).bind(GIVEN);
                if state.execute(&mut *tx).await?.rows_affected() > 0 {
                    let why = sqlx::query("UPDATE dead_letters SET reason = ?, detail = ? WHERE id = ?");
                    why.bind(*reason).bind(detail).bind(letter).execute(&mut *tx).await?;
                }
            }
        }
    }
    tx.commit().await
}

/// Notes that the log has these letters.
pub(super) async fn given(
    pool: &SqlitePool,
    replay: i64,
    placed: &[Placed],
    now: UnixNanos,
) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    for Placed { letter, .. } in placed {
        let state =
            sqlx::query("UPDATE replay_letters SET state = ? WHERE replay = ? AND letter = ? AND state = ?");
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
pub(super) async fn end(pool: &SqlitePool, replay: i64, now: UnixNanos) -> Result<(), sqlx::Error> {
    let ended = sqlx::query("UPDATE replays SET ended_at = ? WHERE id = ?");
    ended.bind(now.0).bind(replay).execute(pool).await.map(drop)
}

/// A store rejected the line that the log has at this place. If a replay brought it there, the letter is one
/// again, with the new reason, and this gives `true`.
pub(super) async fn came_back(
    pool: &SqlitePool,
    LoggedAs { stream, partition, number }: LoggedAs,
    reason: &str,
    detail: &str,
) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
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
    let why = sqlx::query("UPDATE dead_letters SET reason = ?, detail = ?, replayed_at = NULL WHERE id = ?");
    why.bind(reason).bind(detail).bind(letter).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(true)
}
