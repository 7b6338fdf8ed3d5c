//! What is there, to be looked at.

use bytes::Bytes;
use goldentime_model::UnixNanos;
use goldentime_postgres::{Database, Error, text};
use sqlx::postgres::PgRow;
use sqlx::{Row, query};

use crate::ingest::deadletter::letter::{Head, Kind, Letter, LetterId};
use crate::ingest::deadletter::store::{Filter, PAGE_MAX, Page, PageRequest, ReasonCount};

pub(super) async fn page(database: &Database, filter: Filter, page: PageRequest) -> Result<Page, Error> {
    let before = match &page.before {
        None => i64::MAX,
        Some(id) => match number(id) {
            Some(number) => number,
            None => return Ok(Page::default()),
        },
    };
    let limit = page.limit.clamp(1, PAGE_MAX);
    let rows = query(
        "SELECT id, at, last_at, agent, host, service, source, kind, reason, detail, \
         octet_length(record)::bigint AS bytes, times, replayed_at FROM dead_letters \
         WHERE ($1::text IS NULL OR reason = $1) AND ($2::text IS NULL OR agent = $2 OR host = $2) \
         AND at >= $3 AND ($4 OR replayed_at IS NULL) AND id < $5 ORDER BY id DESC LIMIT $6",
    )
    .bind(filter.reason.as_deref().map(text))
    .bind(filter.agent.as_deref().map(text))
    .bind(since(&filter))
    .bind(filter.with_replayed)
    .bind(before)
    .bind(i64::from(limit) + 1);
    let rows = database.fetch_all(rows).await?;
    let mut letters = rows.iter().map(head).collect::<Result<Vec<_>, _>>()?;
    let is_more = letters.len() > limit as usize;
    letters.truncate(limit as usize);
    let next = letters.last().filter(|_| is_more).map(|last| last.id.clone());
    Ok(Page { letters, next })
}

pub(super) async fn counts(database: &Database, filter: Filter) -> Result<Vec<ReasonCount>, Error> {
    let rows = query(
        "SELECT reason, count(*) AS letters, count(DISTINCT agent || '/' || host) AS senders, \
         sum(octet_length(record))::bigint AS bytes, min(at) AS first, max(last_at) AS last FROM dead_letters \
         WHERE ($1::text IS NULL OR reason = $1) AND ($2::text IS NULL OR agent = $2 OR host = $2) \
         AND at >= $3 AND ($4 OR replayed_at IS NULL) GROUP BY reason ORDER BY letters DESC, reason",
    )
    .bind(filter.reason.as_deref().map(text))
    .bind(filter.agent.as_deref().map(text))
    .bind(since(&filter))
    .bind(filter.with_replayed);
    let rows = database.fetch_all(rows).await?;
    let counts = rows.iter().map(|row| {
        Ok(ReasonCount {
            reason: row.try_get("reason")?,
            letters: count(row, "letters")?,
            senders: count(row, "senders")?,
            bytes: count(row, "bytes")?,
            first_ms: UnixNanos(row.try_get("first")?).as_millis(),
            last_ms: UnixNanos(row.try_get("last")?).as_millis(),
        })
    });
    counts.collect()
}

pub(super) async fn letter(database: &Database, id: i64) -> Result<Option<Letter>, Error> {
    let row = query("SELECT *, octet_length(record)::bigint AS bytes FROM dead_letters WHERE id = $1");
    let Some(row) = database.fetch_optional(row.bind(id)).await? else { return Ok(None) };
    Ok(Some(Letter {
        head: head(&row)?,
        project: row.try_get("project")?,
        record: row.try_get::<Vec<u8>, _>("record")?.into(),
        key: Bytes::from(row.try_get::<Vec<u8>, _>("record_key")?),
        is_shipped: row.try_get("is_shipped")?,
        is_cut: row.try_get("is_cut")?,
    }))
}

/// The number that an id stands for, if it is one of this store.
pub(super) fn number(id: &LetterId) -> Option<i64> {
    id.0.parse().ok().filter(|number| *number > 0)
}

pub(super) fn since(filter: &Filter) -> i64 {
    filter.since.map_or(i64::MIN, |since| since.0)
}

fn count(row: &PgRow, name: &str) -> Result<u64, sqlx::Error> {
    Ok(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or(0))
}

fn head(row: &PgRow) -> Result<Head, sqlx::Error> {
    Ok(Head {
        id: LetterId(row.try_get::<i64, _>("id")?.to_string()),
        at: UnixNanos(row.try_get("at")?),
        last_at: UnixNanos(row.try_get("last_at")?),
        agent: row.try_get("agent")?,
        host: row.try_get("host")?,
        service: row.try_get("service")?,
        source: row.try_get("source")?,
        kind: Kind::read(row.try_get("kind")?),
        reason: row.try_get("reason")?,
        detail: row.try_get("detail")?,
        bytes: count(row, "bytes")?,
        times: count(row, "times")?,
        replayed_at: row.try_get::<Option<i64>, _>("replayed_at")?.map(UnixNanos),
    })
}
