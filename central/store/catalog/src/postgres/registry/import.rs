//! What another registry held, in one transaction.

use goldentime_model::UnixNanos;
use goldentime_postgres::{Database, Session};

use super::super::Fault;
use crate::registry::{Enrolled, TokenInfo};
use goldentime_postgres::text;

/// Rows of one statement.
const CHUNK: usize = 1000;

pub(super) async fn run(
    database: &Database,
    tokens: Vec<TokenInfo>,
    agents: Vec<Enrolled>,
) -> Result<bool, Fault> {
    let mut on = database.write().await?;
    // Against another central that imports, and one that enrols: whoever reads does not wait.
    sqlx::raw_sql("LOCK TABLE join_tokens, agents IN EXCLUSIVE MODE").execute(&mut *on).await?;
    let any =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM join_tokens) OR EXISTS (SELECT 1 FROM agents)");
    let is_used: bool = any.fetch_one(&mut *on).await?;
    if is_used {
        on.rollback().await?;
        return Ok(false);
    }
    for tokens in tokens.chunks(CHUNK) {
        add_tokens(&mut on, tokens).await?;
    }
    for agents in agents.chunks(CHUNK) {
        add_agents(&mut on, agents).await?;
    }
    on.commit().await?;
    Ok(true)
}

async fn add_tokens(on: &mut Session<'_>, tokens: &[TokenInfo]) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO join_tokens (secret_hash, project, created_at, expires_at, revoked_at, uses, uses_max) \
         SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], \
         $6::bigint[], $7::bigint[])",
    )
    .bind(tokens.iter().map(|token| token.secret.0.to_vec()).collect::<Vec<_>>())
    .bind(tokens.iter().map(|token| text(&token.project)).collect::<Vec<_>>())
    .bind(tokens.iter().map(|token| token.created_at.0).collect::<Vec<_>>())
    .bind(tokens.iter().map(|token| token.expires_at.map(nanos)).collect::<Vec<_>>())
    .bind(tokens.iter().map(|token| token.revoked_at.map(nanos)).collect::<Vec<_>>())
    .bind(tokens.iter().map(|token| i64::from(token.uses)).collect::<Vec<_>>())
    .bind(tokens.iter().map(|token| token.uses_max.map(i64::from)).collect::<Vec<_>>())
    .execute(&mut **on)
    .await?;
    Ok(())
}

async fn add_agents(on: &mut Session<'_>, agents: &[Enrolled]) -> Result<(), Fault> {
    let texts = |part: fn(&Enrolled) -> &str| agents.iter().map(|a| text(part(a))).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO agents (certificate_hash, agent, project, host, environment, enrolled_at, last_seen, \
         has_left, revoked_at) SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], \
         $5::text[], $6::bigint[], $7::bigint[], $8::boolean[], $9::bigint[])",
    )
    .bind(agents.iter().map(|agent| agent.certificate.0.to_vec()).collect::<Vec<_>>())
    .bind(texts(|agent| &agent.agent))
    .bind(texts(|agent| &agent.project))
    .bind(texts(|agent| &agent.host))
    .bind(texts(|agent| &agent.environment))
    .bind(agents.iter().map(|agent| agent.enrolled_at.0).collect::<Vec<_>>())
    .bind(agents.iter().map(|agent| agent.last_seen.0).collect::<Vec<_>>())
    .bind(agents.iter().map(|agent| agent.has_left).collect::<Vec<_>>())
    .bind(agents.iter().map(|agent| agent.revoked_at.map(nanos)).collect::<Vec<_>>())
    .execute(&mut **on)
    .await?;
    Ok(())
}

const fn nanos(at: UnixNanos) -> i64 {
    at.0
}
