//! The delivery queue, and the claims that keep two senders from telling the same.

use std::collections::BTreeSet;

use goldentime_model::UnixNanos;
use goldentime_postgres::Database;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Fault, decode, encode};
use crate::store::ROWS_MAX;
use crate::{Claim, Claimed, DeadLetter, Notification, Outcome, PageKey};
use goldentime_postgres::text;

pub(super) async fn enqueue(database: &Database, notifications: Vec<Notification>) -> Result<(), Fault> {
    let bodies = notifications.iter().map(|notification| encode("a notification", notification));
    let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
    let text = |of: fn(&Notification) -> &str| notifications.iter().map(of).collect::<Vec<_>>();
    let statement = sqlx::query(
        "INSERT INTO notifications (id, channel, state, created_at, body) \
         SELECT id, channel, 'pending', created_at, body::json \
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) n (id, channel, created_at, body) \
         ORDER BY id ON CONFLICT (id) DO NOTHING",
    )
    .bind(text(|notification| &notification.id))
    .bind(text(|notification| &notification.channel))
    .bind(notifications.iter().map(|notification| notification.created_at.0).collect::<Vec<_>>())
    .bind(bodies);
    database.execute(statement).await?;
    Ok(())
}

pub(super) async fn claim(database: &Database, claim: Claim) -> Result<Claimed, Fault> {
    // Each once and in one order for all, so that two who claim the same never wait for each other.
    let pages: BTreeSet<&PageKey> = claim.pages.iter().collect();
    let statement = sqlx::query(
        "INSERT INTO claims (episode, transition, channel, owner, lease_until) \
         SELECT episode, transition, $3, $4, $5 FROM unnest($1::text[], $2::text[]) p (episode, transition) \
         ON CONFLICT (episode, transition, channel) DO UPDATE SET \
           owner = excluded.owner, lease_until = excluded.lease_until \
         WHERE NOT claims.done AND (claims.owner = excluded.owner OR claims.lease_until <= $6) \
         RETURNING episode, transition",
    )
    .bind(pages.iter().map(|page| page.episode.as_str()).collect::<Vec<_>>())
    .bind(pages.iter().map(|page| page.kind.name().into_owned()).collect::<Vec<_>>())
    .bind(&claim.channel)
    .bind(&claim.owner)
    .bind(claim.lease_until.0)
    .bind(claim.now.0);
    let taken: Vec<(String, String)> = database
        .fetch_all(statement)
        .await?
        .iter()
        .map(|row| Ok((row.try_get("episode")?, row.try_get("transition")?)))
        .collect::<Result<_, sqlx::Error>>()?;
    let is_given = |page: &PageKey| {
        taken.iter().any(|(episode, kind)| *episode == page.episode && *kind == page.kind.name())
    };
    let (given, rest): (Vec<PageKey>, Vec<PageKey>) = claim.pages.into_iter().partition(is_given);
    let mut elsewhere = false;
    if !rest.is_empty() {
        let statement = sqlx::query(
            "SELECT FROM claims JOIN unnest($1::text[], $2::text[]) p (episode, transition) \
             USING (episode, transition) WHERE channel = $3 AND NOT done LIMIT 1",
        )
        .bind(rest.iter().map(|page| page.episode.as_str()).collect::<Vec<_>>())
        .bind(rest.iter().map(|page| page.kind.name().into_owned()).collect::<Vec<_>>())
        .bind(&claim.channel);
        elsewhere = database.fetch_optional(statement).await?.is_some();
    }
    Ok(Claimed { given, elsewhere })
}

pub(super) async fn finish(
    database: &Database,
    notification: Notification,
    attempts: u32,
    outcome: Outcome,
    at: UnixNanos,
) -> Result<(), Fault> {
    let (state, ended_at, reason) = match outcome {
        Outcome::Delivered => ("delivered", Some(at.0), None),
        Outcome::Dead { reason } => ("dead", Some(at.0), Some(text(&reason))),
        Outcome::Retrying { reason } => ("pending", None, Some(text(&reason))),
    };
    let mut on = database.write().await?;
    sqlx::query(
        "INSERT INTO notifications (id, channel, state, created_at, attempts, ended_at, reason, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::json) \
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, \
           ended_at = excluded.ended_at, reason = excluded.reason \
         WHERE notifications.state = 'pending'",
    )
    .bind(&notification.id)
    .bind(&notification.channel)
    .bind(state)
    .bind(notification.created_at.0)
    .bind(i64::from(attempts))
    .bind(ended_at)
    .bind(reason)
    .bind(encode("a notification", &notification)?)
    .execute(&mut *on)
    .await?;
    if ended_at.is_some() {
        let pages: BTreeSet<&PageKey> = notification.pages.iter().collect();
        sqlx::query(
            "INSERT INTO claims (episode, transition, channel, owner, lease_until, done) \
             SELECT episode, transition, $3, '', $4, true \
             FROM unnest($1::text[], $2::text[]) p (episode, transition) \
             ON CONFLICT (episode, transition, channel) DO UPDATE SET \
               done = true, lease_until = excluded.lease_until",
        )
        .bind(pages.iter().map(|page| page.episode.as_str()).collect::<Vec<_>>())
        .bind(pages.iter().map(|page| page.kind.name().into_owned()).collect::<Vec<_>>())
        .bind(&notification.channel)
        .bind(at.0)
        .execute(&mut *on)
        .await?;
    }
    Ok(on.commit().await?)
}

pub(super) async fn pending(database: &Database) -> Result<Vec<Notification>, Fault> {
    let statement = sqlx::query(
        "SELECT id, attempts, body::text FROM notifications WHERE state = 'pending' \
         ORDER BY created_at, id LIMIT $1",
    )
    .bind(i64::from(ROWS_MAX));
    let rows = database.fetch_all(statement).await?;
    rows.iter().map(read).collect()
}

pub(super) async fn dead_letters(database: &Database, limit: u32) -> Result<Vec<DeadLetter>, Fault> {
    let statement = sqlx::query(
        "SELECT id, attempts, ended_at, reason, body::text FROM notifications WHERE state = 'dead' \
         ORDER BY ended_at DESC, id LIMIT $1",
    )
    .bind(i64::from(limit.min(ROWS_MAX)));
    let rows = database.fetch_all(statement).await?;
    rows.iter()
        .map(|row| {
            let notification = read(row)?;
            Ok(DeadLetter {
                attempts: notification.attempts,
                notification,
                reason: row.try_get("reason")?,
                ended_at: UnixNanos(row.try_get("ended_at")?),
            })
        })
        .collect()
}

/// Claims go by the instant at which they were finished; an unfinished one whose lease ended that long ago
/// belongs to a sender that is gone.
pub(super) async fn prune(database: &Database, before: UnixNanos) -> Result<u64, Fault> {
    let mut forgotten = 0;
    for sql in [
        "DELETE FROM notifications WHERE state <> 'pending' AND ended_at < $1",
        "DELETE FROM claims WHERE lease_until < $1",
    ] {
        forgotten += database.execute(sqlx::query(sql).bind(before.0)).await?;
    }
    Ok(forgotten)
}

fn read(row: &PgRow) -> Result<Notification, Fault> {
    let id: String = row.try_get("id")?;
    let mut notification: Notification = decode(&format!("notification {id}"), row.try_get("body")?)?;
    notification.attempts = u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX);
    notification.recovered = true;
    Ok(notification)
}
