//! Agents.

use goldentime_model::UnixNanos;
use goldentime_postgres::Database;
use sqlx::Row;

use super::super::Fault;
use super::rows;
use crate::access::SecretHash;
use crate::registry::{AGENTS_MAX, AgentNote, Enrolled, Enrolment, Fingerprint, Revocations};
use goldentime_postgres::text;

/// The token's row is locked by its use, so that centrals take their turns: whoever comes after the last use
/// sees it, and finds the token used up.
pub(super) async fn enrol(
    database: &Database,
    secret: SecretHash,
    agent: Enrolment,
    now: UnixNanos,
) -> Result<bool, Fault> {
    let mut on = database.write().await?;
    let used = sqlx::query(
        "UPDATE join_tokens SET uses = uses + 1 WHERE secret_hash = $1 AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > $2) AND (uses_max IS NULL OR uses < uses_max)",
    )
    .bind(&secret.0[..])
    .bind(now.0)
    .execute(&mut *on)
    .await?;
    if used.rows_affected() == 0 {
        on.rollback().await?;
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO agents (certificate_hash, agent, project, host, enrolled_at, last_seen) \
         VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(&agent.certificate.0[..])
    .bind(text(&agent.agent))
    .bind(text(&agent.project))
    .bind(text(&agent.host))
    .bind(now.0)
    .execute(&mut *on)
    .await?;
    on.commit().await?;
    Ok(true)
}

pub(super) async fn one(database: &Database, certificate: Fingerprint) -> Result<Option<Enrolled>, Fault> {
    let statement = sqlx::query("SELECT * FROM agents WHERE certificate_hash = $1").bind(&certificate.0[..]);
    let found = database.fetch_optional(statement).await?;
    found.as_ref().map(rows::agent).transpose()
}

pub(super) async fn all(database: &Database) -> Result<Vec<Enrolled>, Fault> {
    let statement = sqlx::query("SELECT * FROM agents ORDER BY last_seen DESC, agent LIMIT $1")
        .bind(i64::from(AGENTS_MAX));
    let found = database.fetch_all(statement).await?;
    found.iter().map(rows::agent).collect()
}

pub(super) async fn revoke(database: &Database, agent: &str, now: UnixNanos) -> Result<bool, Fault> {
    let statement = sqlx::query("UPDATE agents SET revoked_at = $1 WHERE agent = $2 AND revoked_at IS NULL")
        .bind(now.0)
        .bind(text(agent));
    Ok(database.execute(statement).await? > 0)
}

pub(super) async fn restore(database: &Database, agent: &str) -> Result<bool, Fault> {
    let statement =
        sqlx::query("UPDATE agents SET revoked_at = NULL WHERE agent = $1 AND revoked_at IS NOT NULL")
            .bind(text(agent));
    Ok(database.execute(statement).await? > 0)
}

pub(super) async fn revocations(database: &Database) -> Result<Revocations, Fault> {
    let statement =
        sqlx::query("SELECT count(*), coalesce(max(revoked_at), 0) FROM agents WHERE revoked_at IS NOT NULL");
    let Some(row) = database.fetch_optional(statement).await? else { return Ok(Revocations::default()) };
    Ok(Revocations { count: row.try_get(0)?, last: UnixNanos(row.try_get(1)?) })
}

pub(super) async fn revoked(database: &Database) -> Result<Vec<String>, Fault> {
    let statement = sqlx::query("SELECT agent FROM agents WHERE revoked_at IS NOT NULL LIMIT $1")
        .bind(i64::from(AGENTS_MAX));
    let rows = database.fetch_all(statement).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(super) async fn note(database: &Database, notes: Vec<AgentNote>) -> Result<(), Fault> {
    let of = |part: fn(&AgentNote) -> &str| -> Vec<String> { notes.iter().map(|n| text(part(n))).collect() };
    let at: Vec<i64> = notes.iter().map(|note| note.at.0).collect();
    let has_left: Vec<bool> = notes.iter().map(|note| note.has_left).collect();
    let statement = sqlx::query(
        "UPDATE agents SET host = said.host, environment = said.environment, last_seen = said.at, \
         has_left = said.has_left FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], \
         $5::boolean[]) AS said (agent, host, environment, at, has_left) \
         WHERE agents.agent = said.agent AND agents.last_seen <= said.at",
    )
    .bind(of(|note| &note.agent))
    .bind(of(|note| &note.host))
    .bind(of(|note| &note.environment))
    .bind(at)
    .bind(has_left);
    database.execute(statement).await?;
    Ok(())
}
