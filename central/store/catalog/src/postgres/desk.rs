//! What people decide about alerts.

use goldentime_model::UnixNanos;
use goldentime_postgres::{Database, text};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Fault, PostgresCatalogue, alerts, decode_json, encode_json};
use crate::AlertRecord;
use crate::desk::{Acknowledgement, AlertEvent, Desk, EventKind, Silence, Told};
use crate::store::{BoxFuture, CatalogueError, ROWS_MAX};

impl Desk for PostgresCatalogue {
    fn put_silence(&self, silence: Silence) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(self.call("keep a silence", put_silence(&self.database, silence)))
    }

    fn silences(&self, ending_after: UnixNanos) -> BoxFuture<'_, Result<Vec<Silence>, CatalogueError>> {
        let read = async move {
            let statement = sqlx::query(concat!(
                "SELECT id, matchers::text, starts_at, ends_at, created_by, comment, edited_at FROM silences ",
                "WHERE ends_at > $1 ORDER BY ends_at DESC, id LIMIT $2"
            ))
            .bind(ending_after.0)
            .bind(i64::from(ROWS_MAX));
            self.database.fetch_all(statement).await?.iter().map(silence).collect()
        };
        Box::pin(self.call("read the silences", read))
    }

    fn silence(&self, id: String) -> BoxFuture<'_, Result<Option<Silence>, CatalogueError>> {
        let read = async move {
            let statement = sqlx::query(concat!(
                "SELECT id, matchers::text, starts_at, ends_at, created_by, comment, edited_at FROM silences ",
                "WHERE id = $1"
            ))
            .bind(text(&id));
            self.database.fetch_optional(statement).await?.as_ref().map(silence).transpose()
        };
        Box::pin(self.call("read a silence", read))
    }

    fn note(&self, event: AlertEvent) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(self.call("note what was done", note(&self.database, event)))
    }

    fn acknowledgements(&self) -> BoxFuture<'_, Result<Vec<Acknowledgement>, CatalogueError>> {
        let read = async move {
            let statement = sqlx::query(
                "SELECT episode, a.at, a.actor FROM acknowledgements a JOIN alert_history USING (episode) \
                 WHERE status = 'firing' LIMIT $1",
            )
            .bind(i64::from(ROWS_MAX));
            let read = |row: &PgRow| {
                let at = UnixNanos(row.try_get("at")?);
                Ok(Acknowledgement { episode: row.try_get("episode")?, at, by: row.try_get("actor")? })
            };
            self.database.fetch_all(statement).await?.iter().map(read).collect()
        };
        Box::pin(self.call("read the acknowledgements", read))
    }

    fn events(&self, episode: String) -> BoxFuture<'_, Result<Vec<AlertEvent>, CatalogueError>> {
        let read = async move {
            let statement =
                sqlx::query("SELECT * FROM alert_events WHERE episode = $1 ORDER BY at, id LIMIT $2")
                    .bind(text(&episode))
                    .bind(i64::from(ROWS_MAX));
            self.database.fetch_all(statement).await?.iter().map(event).collect()
        };
        Box::pin(self.call("read what was done", read))
    }

    fn told(&self, episode: String) -> BoxFuture<'_, Result<Vec<Told>, CatalogueError>> {
        let read = async move {
            let statement = sqlx::query(
                "SELECT transition, channel, lease_until FROM claims WHERE episode = $1 AND done \
                 ORDER BY lease_until, channel, transition LIMIT $2",
            )
            .bind(text(&episode))
            .bind(i64::from(ROWS_MAX));
            let read = |row: &PgRow| {
                let at = UnixNanos(row.try_get("lease_until")?);
                Ok(Told { what: row.try_get("transition")?, channel: row.try_get("channel")?, at })
            };
            self.database.fetch_all(statement).await?.iter().map(read).collect()
        };
        Box::pin(self.call("read what was told", read))
    }

    fn alert(&self, episode: String) -> BoxFuture<'_, Result<Option<AlertRecord>, CatalogueError>> {
        Box::pin(self.call("read an alert", alerts::one(&self.database, episode)))
    }

    fn prune_desk(&self, before: UnixNanos) -> BoxFuture<'_, Result<u64, CatalogueError>> {
        let pruned = async move {
            let mut pruned = 0;
            for sql in [
                "DELETE FROM silences WHERE ends_at < $1",
                "DELETE FROM acknowledgements k WHERE at < $1 \
                 AND NOT EXISTS (SELECT FROM alert_history h WHERE h.episode = k.episode)",
                "DELETE FROM alert_events e WHERE at < $1 \
                 AND NOT EXISTS (SELECT FROM alert_history h WHERE h.episode = e.episode)",
            ] {
                pruned += self.database.execute(sqlx::query(sql).bind(before.0)).await?;
            }
            Ok(pruned)
        };
        Box::pin(self.call("forget what people decided", pruned))
    }
}

async fn put_silence(database: &Database, silence: Silence) -> Result<bool, Fault> {
    let statement = sqlx::query(
        "INSERT INTO silences (id, matchers, starts_at, ends_at, created_by, comment, edited_at) \
         VALUES ($1, $2::json, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET matchers = excluded.matchers, \
           starts_at = excluded.starts_at, ends_at = excluded.ends_at, created_by = excluded.created_by, \
           comment = excluded.comment, edited_at = excluded.edited_at \
         WHERE silences.edited_at < excluded.edited_at",
    )
    .bind(text(&silence.id))
    .bind(encode_json("a silence", &silence.matchers)?)
    .bind(silence.starts_at.0)
    .bind(silence.ends_at.0)
    .bind(text(&silence.created_by))
    .bind(text(&silence.comment))
    .bind(silence.edited_at.0);
    Ok(database.execute(statement).await? > 0)
}

async fn note(database: &Database, event: AlertEvent) -> Result<(), Fault> {
    let (episode, by) = (text(&event.episode), text(&event.by));
    let mut on = database.write().await?;
    let written = sqlx::query(
        "INSERT INTO alert_events (id, episode, at, actor, kind, body) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(text(&event.id))
    .bind(&episode)
    .bind(event.at.0)
    .bind(&by)
    .bind(event.kind.as_str())
    .bind(text(&event.text))
    .execute(&mut *on)
    .await?;
    if written.rows_affected() > 0 {
        let changed = match event.kind {
            EventKind::Acknowledged => sqlx::query(
                "INSERT INTO acknowledgements (episode, at, actor) VALUES ($1, $2, $3) \
                 ON CONFLICT (episode) DO UPDATE SET at = excluded.at, actor = excluded.actor \
                 WHERE acknowledgements.at < excluded.at",
            )
            .bind(&episode)
            .bind(event.at.0)
            .bind(&by),
            EventKind::Unacknowledged => {
                sqlx::query("DELETE FROM acknowledgements WHERE episode = $1 AND at <= $2")
                    .bind(&episode)
                    .bind(event.at.0)
            }
            EventKind::Noted => return Ok(on.commit().await?),
        };
        changed.execute(&mut *on).await?;
    }
    Ok(on.commit().await?)
}

fn silence(row: &PgRow) -> Result<Silence, Fault> {
    let id: String = row.try_get("id")?;
    Ok(Silence {
        matchers: decode_json(&format!("silence {id}"), row.try_get("matchers")?)?,
        id,
        starts_at: UnixNanos(row.try_get("starts_at")?),
        ends_at: UnixNanos(row.try_get("ends_at")?),
        created_by: row.try_get("created_by")?,
        comment: row.try_get("comment")?,
        edited_at: UnixNanos(row.try_get("edited_at")?),
    })
}

fn event(row: &PgRow) -> Result<AlertEvent, Fault> {
    let kind: String = row.try_get("kind")?;
    Ok(AlertEvent {
        id: row.try_get("id")?,
        episode: row.try_get("episode")?,
        at: UnixNanos(row.try_get("at")?),
        by: row.try_get("actor")?,
        // The table takes no other.
        kind: EventKind::read(&kind).unwrap_or(EventKind::Noted),
        text: row.try_get("body")?,
    })
}
