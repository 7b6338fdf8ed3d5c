//! `goldentime-central token`: join tokens, also while the central runs.

use goldentime_model::naming::check_given;
use goldentime_model::units::HumanDuration;
use goldentime_runtime::{Clock, SystemClock};

use super::agents::registry;
use super::print::{shown, shown_or};
use crate::config::Config;
use crate::ingest::registry::TokenState;
use crate::ingest::start::{Good, create_token, open_authority};

/// Makes a token and prints it, this once.
pub async fn create(
    config: &Config,
    project: &str,
    expires: Option<HumanDuration>,
    uses_max: Option<u32>,
) -> anyhow::Result<()> {
    check_given(project).map_err(|message| anyhow::anyhow!("--project: {message}"))?;
    let registry = registry(config).await?;
    let now = SystemClock.now();
    let authority = open_authority(&config.agents, &config.state_dir, now)?;
    let nanos = |after: HumanDuration| i64::try_from(after.get().as_nanos()).unwrap_or(i64::MAX);
    let until = expires.map(|after| now.saturating_add(nanos(after)));
    let good = Good { until, uses_max };
    let token = create_token(&authority, &registry, project, now, good).await?;
    println!("{token}");
    Ok(())
}

/// Lists tokens without their secrets.
pub async fn list(config: &Config) -> anyhow::Result<()> {
    let registry = registry(config).await?;
    println!("{:<14}{:<24}{:<22}{:<22}{:<10}state", "id", "project", "made", "expires", "agents");
    let now = SystemClock.now();
    for token in registry.tokens().await? {
        let state = match token.state(now) {
            TokenState::Good => "good",
            TokenState::Revoked => "revoked",
            TokenState::Expired => "expired",
            TokenState::UsedUp => "used up",
            TokenState::Unknown => "unknown",
        };
        let uses = match token.uses_max {
            Some(max) => format!("{}/{max}", token.uses),
            None => token.uses.to_string(),
        };
        println!(
            "{:<14}{:<24}{:<22}{:<22}{uses:<10}{state}",
            token.secret.id(),
            token.project,
            shown(token.created_at),
            shown_or(token.expires_at, "never"),
        );
    }
    Ok(())
}

/// Ends tokens by the first digits of their ids.
pub async fn revoke(config: &Config, id: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        id.len() >= 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "`{id}` is no id of a token; `goldentime-central token list` shows them (at least four digits)"
    );
    let registry = registry(config).await?;
    let revoked = registry.revoke_token(id, SystemClock.now()).await?;
    anyhow::ensure!(revoked > 0, "no token in force has an id that begins with {id}");
    println!("revoked: {revoked}");
    Ok(())
}
