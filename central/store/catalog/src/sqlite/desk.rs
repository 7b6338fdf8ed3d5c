//! What people decide about alerts.

use goldentime_model::UnixNanos;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{SqliteCatalogue, decode_json, encode_json, failed};
use crate::desk::{Acknowledgement, AlertEvent, Desk, EventKind, Silence, Told};
use crate::store::{BoxFuture, CatalogueError, ROWS_MAX};
use crate::{AlertRecord, sqlite::alerts};

impl Desk for SqliteCatalogue {
    fn put_silence(&self, silence: Silence) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(async move {
            let written = sqlx::query(
                "INSERT INTO silences (id, matchers, starts_at, ends_at, created_by, comment, edited_at) \
                 VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET matchers = excluded.matchers, \
                   starts_at = excluded.starts_at, ends_at = excluded.ends_at, created_by = excluded.created_by, \
                   comment = excluded.comment, edited_at = excluded.edited_at \
                 WHERE silences.edited_at < excluded.edited_at",
            )
            .bind(&silence.id)
            .bind(encode_json("a silence", &silence.matchers)?)
            .bind(silence.starts_at.0)
            .bind(silence.ends_at.0)
            .bind(&silence.created_by)
            .bind(&silence.comment)
            .bind(silence.edited_at.0)
            .execute(&self.writer)
            .await
            .map_err(|e| failed("keep a silence", e))?;
            Ok(written.rows_affected() > 0)
        })
    }

    fn silences(&self, ending_after: UnixNanos) -> BoxFuture<'_, Result<Vec<Silence>, CatalogueError>> {
        Box::pin(async move {
            let rows =
                sqlx::query("SELECT * FROM silences WHERE ends_at > ? ORDER BY ends_at DESC, id LIMIT ?")
                    .bind(ending_after.0)
                    .bind(ROWS_MAX)
                    .fetch_all(&self.readers)
                    .await
                    .map_err(|e| failed("read the silences", e))?;
            rows.iter().map(silence).collect()
        })
    }

    fn silence(&self, id: String) -> BoxFuture<'_, Result<Option<Silence>, CatalogueError>> {
        Box::pin(async move {
            let row = sqlx::query("SELECT * FROM silences WHERE id = ?").bind(id);
            let row = row.fetch_optional(&self.readers).await.map_err(|e| failed("read a silence", e))?;
            row.as_ref().map(silence).transpose()
        })
    }

    fn note(&self, event: AlertEvent) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(async move { self.write_event(&event).await.map_err(|e| failed("note what was done", e)) })
    }

    fn acknowledgements(&self) -> BoxFuture<'_, Result<Vec<Acknowledgement>, CatalogueError>> {
        const ACTION: &str = "read the acknowledgements";
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT a.episode, a.at, a.actor FROM acknowledgements a CROSS JOIN alerts USING (episode) \
                 WHERE status = 'firing' LIMIT ?",
            )
            .bind(ROWS_MAX)
            .fetch_all(&self.readers)
            .await
            .map_err(|e| failed(ACTION, e))?;
            let read = |row: &SqliteRow| {
                let at = UnixNanos(row.try_get("at")?);
                Ok(Acknowledgement { episode: row.try_get("episode")?, at, by: row.try_get("actor")? })
            };
            rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(|e| failed(ACTION, e))
        })
    }

    fn events(&self, episode: String) -> BoxFuture<'_, Result<Vec<AlertEvent>, CatalogueError>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT * FROM alert_events WHERE episode = ? ORDER BY at, id LIMIT ?")
                .bind(episode)
                .bind(ROWS_MAX)
                .fetch_all(&self.readers)
                .await;
            let rows = rows.and_then(|rows| rows.iter().map(event).collect::<Result<Vec<_>, _>>());
            rows.map_err(|e| failed("read what was done", e))
        })
    }

    fn told(&self, episode: String) -> BoxFuture<'_, Result<Vec<Told>, CatalogueError>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT transition, channel, lease_until FROM claims WHERE episode = ? AND done = 1 \
                 ORDER BY lease_until, channel, transition LIMIT ?",
            )
            .bind(episode)
            .bind(ROWS_MAX)
            .fetch_all(&self.readers)
            .await;
            let read = |row: &SqliteRow| {
                let at = UnixNanos(row.try_get("lease_until")?);
                Ok(Told { what: row.try_get("transition")?, channel: row.try_get("channel")?, at })
            };
            let rows = rows.and_then(|rows| rows.iter().map(read).collect::<Result<Vec<_>, _>>());
            rows.map_err(|e| failed("read what was told", e))
        })
    }

    fn alert(&self, episode: String) -> BoxFuture<'_, Result<Option<AlertRecord>, CatalogueError>> {
        Box::pin(async move { alerts::one(&self.readers, &episode).await })
    }

    fn prune_desk(&self, before: UnixNanos) -> BoxFuture<'_, Result<u64, CatalogueError>> {
        Box::pin(async move {
            let mut pruned = 0;
            for sql in [
                "DELETE FROM silences WHERE ends_at < ?",
                "DELETE FROM acknowledgements WHERE at < ? AND episode NOT IN (SELECT episode FROM alerts)",
                "DELETE FROM alert_events WHERE at < ? AND episode NOT IN (SELECT episode FROM alerts)",
            ] {
                let done = sqlx::query(sql).bind(before.0).execute(&self.writer).await;
                pruned += done.map_err(|e| failed("forget what people decided", e))?.rows_affected();
            }
            Ok(pruned)
        })
    }
}

impl SqliteCatalogue {
    async fn write_event(&self, event: &AlertEvent) -> Result<(), sqlx::Error> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let written = sqlx::query(
            "INSERT INTO alert_events (id, episode, at, actor, kind, body) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(&event.id)
        .bind(&event.episode)
        .bind(event.at.0)
        .bind(&event.by)
        .bind(event.kind.as_str())
        .bind(&event.text)
        .execute(&mut *tx)
        .await?;
        if written.rows_affected() > 0 {
            let changed = match event.kind {
                EventKind::Acknowledged => sqlx::query(
                    "INSERT INTO acknowledgements (episode, at, actor) VALUES (?, ?, ?) \
                     ON CONFLICT (episode) DO UPDATE SET at = excluded.at, actor = excluded.actor \
                     WHERE acknowledgements.at < excluded.at",
                )
                .bind(&event.episode)
                .bind(event.at.0)
                .bind(&event.by),
                EventKind::Unacknowledged => {
                    sqlx::query("DELETE FROM acknowledgements WHERE episode = ? AND at <= ?")
                        .bind(&event.episode)
                        .bind(event.at.0)
                }
                EventKind::Noted => return tx.commit().await,
            };
            changed.execute(&mut *tx).await?;
        }
        tx.commit().await
    }
}

fn silence(row: &SqliteRow) -> Result<Silence, CatalogueError> {
    let failed = |e| failed("read a silence", e);
    let id: String = row.try_get("id").map_err(failed)?;
    let matchers: String = row.try_get("matchers").map_err(failed)?;
    Ok(Silence {
        matchers: decode_json(&format!("silence {id}"), &matchers)?,
        id,
        starts_at: UnixNanos(row.try_get("starts_at").map_err(failed)?),
        ends_at: UnixNanos(row.try_get("ends_at").map_err(failed)?),
        created_by: row.try_get("created_by").map_err(failed)?,
        comment: row.try_get("comment").map_err(failed)?,
        edited_at: UnixNanos(row.try_get("edited_at").map_err(failed)?),
    })
}

fn event(row: &SqliteRow) -> Result<AlertEvent, sqlx::Error> {
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
