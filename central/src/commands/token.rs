//! `goldentime-central token`: join tokens, also while the central runs.

use anyhow::Context;
use goldentime_model::UnixNanos;
use goldentime_model::identity::check_name;
use goldentime_model::units::HumanDuration;
use goldentime_runtime::{Clock, SystemClock};

use crate::config::Config;
use crate::ingest::start::{create_token, open_registry};
use crate::serve::make_private_dir;

/// Makes a token and prints it, this once.
pub async fn create(config: &Config, project: &str, expires_in: Option<HumanDuration>) -> anyhow::Result<()> {
    check_name(project).with_context(|| format!("--project {project}"))?;
    make_private_dir(&config.state_dir)?;
    let now = SystemClock.now();
    let (authority, registry) = open_registry(&config.state_dir, now).await?;
    let nanos = |after: HumanDuration| i64::try_from(after.get().as_nanos()).unwrap_or(i64::MAX);
    let expires_at = expires_in.map(|after| now.saturating_add(nanos(after)));
    let token = create_token(&authority, &registry, project, now, expires_at).await?;
    println!("{token}");
    Ok(())
}

/// Lists tokens without their secrets.
pub async fn list(config: &Config) -> anyhow::Result<()> {
    make_private_dir(&config.state_dir)?;
    let (_, registry) = open_registry(&config.state_dir, SystemClock.now()).await?;
    println!("{:<14}{:<24}{:<22}{:<22}state", "id", "project", "made", "expires");
    for token in registry.tokens().await? {
        let state = match (token.revoked_at, token.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(at)) if at <= SystemClock.now() => "expired",
            _ => "good",
        };
        let expires = token.expires_at.map_or_else(|| "never".to_owned(), shown);
        println!("{:<14}{:<24}{:<22}{expires:<22}{state}", token.id, token.project, shown(token.created_at));
    }
    Ok(())
}

/// Ends tokens by the first digits of their ids.
pub async fn revoke(config: &Config, id: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        id.len() >= 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "`{id}` is no id of a token; `goldentime-central token list` shows them (at least four digits)"
    );
    make_private_dir(&config.state_dir)?;
    let (_, registry) = open_registry(&config.state_dir, SystemClock.now()).await?;
    let revoked = registry.revoke_token(id, SystemClock.now()).await?;
    anyhow::ensure!(revoked > 0, "no token in force has an id that begins with {id}");
    println!("revoked: {revoked}");
    Ok(())
}

fn shown(at: UnixNanos) -> String {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
