//! Replays, kept beside the letters.

use goldentime_model::UnixNanos;
use goldentime_postgres::{Database, Error, text};
use goldentime_wire::record::StreamId;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query, query_as, query_scalar};

use super::list::{number, since};
use crate::ingest::deadletter::letter::LetterId;
use crate::ingest::deadletter::replays::{
    Decision, GIVEN, PLACED, Placed, Progress, REFUSED, Replay, Requested, StillRefused, WAITING, Wanted,
};

/// Key of the advisory lock under which letters are asked for: "letters" in ASCII. One asks at a time, so that
/// each sees what is under way already.
const ASKING: i64 = 0x6c_6574_7465_7273;

/// What is found of a letter: its number, whether it was replayed, and the open replay that it is in.
type Found = (i64, bool, Option<i64>);

pub(super) async fn request(
    database: &Database,
    wanted: &Wanted,
    again: bool,
    stream: StreamId,
    now: UnixNanos,
) -> Result<Requested, Error> {
    let mut requested = Requested::default();
    let mut on = database.write().await?;
    query("SELECT pg_advisory_xact_lock($1)").bind(ASKING).execute(&mut *on).await?;
    let found = find(&mut on, wanted, again, &mut requested).await?;
    let letters: Vec<i64> = found.into_iter().filter_map(|found| requested.sort_out(found, again)).collect();
    if !letters.is_empty() {
        let made = query_scalar(
            "INSERT INTO letter_replays (stream, line_stream, asked_at) VALUES ($1, $2, $3) RETURNING id",
        );
        let made = made.bind(stream.to_vec()).bind(of_lines(stream).to_vec()).bind(now.0);
        let replay: i64 = made.fetch_one(&mut *on).await?;
        requested.new = Some(replay);
        requested.wait_for(replay);
        let put = query(
            "INSERT INTO letter_replay_letters (replay, letter) \
             SELECT $1, id FROM dead_letters WHERE id = ANY ($2)",
        );
        requested.letters = put.bind(replay).bind(letters).execute(&mut *on).await?.rows_affected();
    }
    on.commit().await?;
    Ok(requested)
}

async fn find(
    on: &mut PgConnection,
    wanted: &Wanted,
    again: bool,
    requested: &mut Requested,
) -> Result<Vec<Found>, Error> {
    match wanted {
        Wanted::Ids(ids) => {
            let mut found = Vec::new();
            for id in ids {
                let row = query_as(
                    "SELECT id, replayed_at IS NOT NULL, (SELECT replay FROM letter_replay_letters \
                     WHERE letter = dead_letters.id AND state < 2) FROM dead_letters WHERE id = $1",
                );
                match row.bind(number(id)).fetch_optional(&mut *on).await? {
                    Some(row) => found.push(row),
                    None => requested.missing.push(id.clone()),
                }
            }
            Ok(found)
        }
        Wanted::All(filter) => Ok(query_as(
            "SELECT id, replayed_at IS NOT NULL, (SELECT replay FROM letter_replay_letters \
             WHERE letter = dead_letters.id AND state < 2) FROM dead_letters \
             WHERE ($1::text IS NULL OR reason = $1) AND ($2::text IS NULL OR agent = $2 OR host = $2) \
             AND at >= $3 AND ($4 OR replayed_at IS NULL) ORDER BY id",
        )
        .bind(filter.reason.as_deref().map(text))
        .bind(filter.agent.as_deref().map(text))
        .bind(since(filter))
        .bind(again)
        .fetch_all(&mut *on)
        .await?),
    }
}

/// The stream of a replay's log lines.
fn of_lines(stream: StreamId) -> StreamId {
    stream.map(|byte| !byte)
}

pub(super) async fn withdraw(database: &Database, replay: i64) -> Result<bool, Error> {
    let gone = query(
        "DELETE FROM letter_replays WHERE id = $1 AND begun_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM letter_replays WHERE id < $1 AND ended_at IS NULL)",
    );
    Ok(database.execute(gone.bind(replay)).await? > 0)
}

pub(super) async fn progress(database: &Database, replay: i64) -> Result<Progress, Error> {
    let row = query(
        "SELECT (SELECT count(*) FROM letter_replays WHERE id = $1 AND begun_at IS NULL), \
         (SELECT count(*) FROM letter_replay_letters JOIN letter_replays ON letter_replays.id = replay \
         WHERE ended_at IS NULL AND state < 2 AND replay < $1), \
         count(*) FILTER (WHERE state < 2), count(*) FILTER (WHERE state = 2), \
         count(*) FILTER (WHERE state = 2 AND is_late), count(*) FILTER (WHERE state = 2 AND line_number IS NOT NULL), \
         count(*) FILTER (WHERE state = 3) FROM letter_replay_letters WHERE replay = $1",
    );
    let mut on = database.session().await?;
    let row = row.bind(replay).fetch_one(&mut *on).await?;
    on.release();
    let count = |at: usize| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(at)?).unwrap_or(0));
    Ok(Progress {
        not_begun: count(0)?,
        ahead: count(1)?,
        open: count(2)?,
        given: count(3)?,
        late: count(4)?,
        lines: count(5)?,
        refused: count(6)?,
    })
}

pub(super) async fn refused(
    database: &Database,
    replay: i64,
    limit: u32,
) -> Result<Vec<StillRefused>, Error> {
    let rows = query(
        "SELECT id, reason, detail FROM letter_replay_letters JOIN dead_letters ON dead_letters.id = letter \
         WHERE replay = $1 AND state = $2 ORDER BY id LIMIT $3",
    );
    let rows = database.fetch_all(rows.bind(replay).bind(REFUSED).bind(i64::from(limit))).await?;
    let refused = rows
        .iter()
        .map(|row| Ok((LetterId(row.try_get::<i64, _>(0)?.to_string()), row.try_get(1)?, row.try_get(2)?)));
    refused.collect()
}

pub(super) async fn next(database: &Database, now: UnixNanos) -> Result<Option<Replay>, Error> {
    let open = query(
        "SELECT id, stream, line_stream, begun_at FROM letter_replays WHERE ended_at IS NULL ORDER BY id LIMIT 1",
    );
    let Some(row) = database.fetch_optional(open).await? else { return Ok(None) };
    let id: i64 = row.try_get("id")?;
    let begun_at = match row.try_get("begun_at")? {
        Some(begun_at) => begun_at,
        None => {
            let begun = query(
                "UPDATE letter_replays SET begun_at = coalesce(begun_at, $2) WHERE id = $1 RETURNING begun_at",
            );
            // None: it was withdrawn in between.
            let begun = database.fetch_optional(begun.bind(id).bind(now.0)).await?;
            let Some(begun) = begun else { return Ok(None) };
            begun.try_get(0)?
        }
    };
    let stream = |column: &str| {
        let stream = StreamId::try_from(row.try_get::<&[u8], _>(column)?);
        stream.map_err(|_| Error::Corrupt(format!("the {column} of replay {id} is not 16 bytes long")))
    };
    Ok(Some(Replay {
        id,
        stream: stream("stream")?,
        lines: stream("line_stream")?,
        begun_at: UnixNanos(begun_at),
    }))
}

/// Letters are decided in the order of their ids, and numbers of both streams rise in it.
pub(super) async fn placed(database: &Database, replay: i64, limit: u32) -> Result<Vec<Placed>, Error> {
    let rows = query(
        "SELECT letter, partition, number, line_number FROM letter_replay_letters \
         WHERE replay = $1 AND state = $2 ORDER BY partition, letter LIMIT $3",
    );
    let rows = database.fetch_all(rows.bind(replay).bind(PLACED).bind(i64::from(limit))).await?;
    rows.iter().map(place).collect()
}

fn place(row: &PgRow) -> Result<Placed, Error> {
    let number = |column| {
        let number = row.try_get::<Option<i64>, _>(column)?;
        Ok::<_, sqlx::Error>(number.and_then(|number| u64::try_from(number).ok()))
    };
    Ok(Placed {
        letter: row.try_get("letter")?,
        partition: u32::try_from(row.try_get::<i64, _>("partition")?).unwrap_or(u32::MAX),
        number: number("number")?,
        line_number: number("line_number")?,
    })
}

pub(super) async fn waiting(database: &Database, replay: i64, limit: u32) -> Result<Vec<(i64, i64)>, Error> {
    let rows = query(
        "SELECT letter, octet_length(record)::bigint FROM letter_replay_letters \
         JOIN dead_letters ON dead_letters.id = letter WHERE replay = $1 AND state = $2 ORDER BY letter LIMIT $3",
    );
    let rows = database.fetch_all(rows.bind(replay).bind(WAITING).bind(i64::from(limit))).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

pub(super) async fn decide(
    database: &Database,
    replay: i64,
    decisions: &[(i64, Decision)],
) -> Result<(), Error> {
    let mut on = database.write().await?;
    // One decides at a time, so that numbers are given in the order in which they are committed.
    query("SELECT FROM letter_replays WHERE id = $1 FOR UPDATE").bind(replay).execute(&mut *on).await?;
    for (letter, decision) in decisions {
        match decision {
            Decision::Admitted { partition, is_judged, is_line, is_late } => {
                let open = query(
                    "UPDATE letter_replay_letters SET state = $3, partition = $4, is_late = $5 \
                     WHERE replay = $1 AND letter = $2 AND state = $6",
                );
                let open = open.bind(replay).bind(letter).bind(PLACED).bind(i64::from(*partition));
                let open = open.bind(is_late).bind(WAITING).execute(&mut *on).await?;
                // Somebody else has decided about it meanwhile.
                if open.rows_affected() == 0 {
                    continue;
                }
                let mut numbers = [None, None];
                for (is_wanted, is_line) in [(*is_judged, false), (*is_line, true)] {
                    if is_wanted {
                        numbers[usize::from(is_line)] =
                            Some(take_number(&mut on, replay, *partition, is_line).await?);
                    }
                }
                let placed = query(
                    "UPDATE letter_replay_letters SET number = $3, line_number = $4 \
                     WHERE replay = $1 AND letter = $2",
                );
                let placed = placed.bind(replay).bind(letter).bind(numbers[0]).bind(numbers[1]);
                placed.execute(&mut *on).await?;
            }
            Decision::Refused(refusal) => {
                let state = query(
                    "UPDATE letter_replay_letters SET state = $3 WHERE replay = $1 AND letter = $2 AND state < $4",
                );
                let state = state.bind(replay).bind(letter).bind(REFUSED).bind(GIVEN);
                if state.execute(&mut *on).await?.rows_affected() > 0 {
                    let why = query("UPDATE dead_letters SET reason = $2, detail = $3 WHERE id = $1");
                    let why = why.bind(letter).bind(refusal.reason).bind(text(&refusal.detail));
                    why.execute(&mut *on).await?;
                }
            }
        }
    }
    on.commit().await
}

async fn take_number(
    on: &mut PgConnection,
    replay: i64,
    partition: u32,
    is_line: bool,
) -> Result<i64, Error> {
    let taken = query_scalar(
        "INSERT INTO letter_replay_numbers (replay, partition, is_line, last) VALUES ($1, $2, $3, 1) \
         ON CONFLICT (replay, partition, is_line) \
         DO UPDATE SET last = letter_replay_numbers.last + 1 RETURNING last",
    );
    Ok(taken.bind(replay).bind(i64::from(partition)).bind(is_line).fetch_one(on).await?)
}

pub(super) async fn given(
    database: &Database,
    replay: i64,
    placed: &[Placed],
    now: UnixNanos,
) -> Result<(), Error> {
    let given = query(
        // What has come back already stays so.
        "WITH given AS (UPDATE letter_replay_letters SET state = $3 \
         WHERE replay = $1 AND letter = ANY ($2) AND state = $4 RETURNING letter) \
         UPDATE dead_letters SET replayed_at = $5 FROM given WHERE id = given.letter",
    );
    let letters: Vec<i64> = placed.iter().map(|place| place.letter).collect();
    let given = given.bind(replay).bind(letters).bind(GIVEN).bind(PLACED).bind(now.0);
    database.execute(given).await.map(drop)
}

pub(super) async fn end(database: &Database, replay: i64, now: UnixNanos) -> Result<(), Error> {
    let ended = query("UPDATE letter_replays SET ended_at = $2 WHERE id = $1");
    database.execute(ended.bind(replay).bind(now.0)).await.map(drop)
}
