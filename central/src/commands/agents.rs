//! `goldentime-central agents`: which agents may connect, also while the central runs.

use goldentime_runtime::{Clock, SystemClock};

use super::print::shown;
use crate::config::Config;
use crate::ingest::registry::Registry;
use crate::serve::make_private_dir;

/// The registry that the configuration names, ready to be asked.
pub(super) async fn registry(config: &Config) -> anyhow::Result<Registry> {
    make_private_dir(&config.state_dir)?;
    let registry = Registry::open(&config.state_dir, &config.cluster).await?;
    registry.prepare().await?;
    Ok(registry)
}

/// Lists every agent that was ever enrolled.
pub async fn list(config: &Config) -> anyhow::Result<()> {
    let mut agents = registry(config).await?.agents().await?;
    agents.sort_by(|one, other| one.agent.cmp(&other.agent));
    println!("{:<18}{:<24}{:<24}{:<22}{:<22}state", "id", "project", "host", "enrolled", "last connected");
    for agent in agents {
        let state = match (agent.revoked_at.is_some(), agent.has_left) {
            (true, _) => "revoked",
            (false, true) => "left",
            (false, false) => "good",
        };
        println!(
            "{:<18}{:<24}{:<24}{:<22}{:<22}{state}",
            agent.agent,
            agent.project,
            agent.host,
            shown(agent.enrolled_at),
            shown(agent.last_seen),
        );
    }
    Ok(())
}

/// Lets an agent in no more. The centrals that run cut its connection within a second.
pub async fn revoke(config: &Config, agent: &str) -> anyhow::Result<()> {
    let revoked = registry(config).await?.revoke_agent(agent, SystemClock.now()).await?;
    anyhow::ensure!(
        revoked,
        "no agent that may connect has the id {agent}; `goldentime-central agents list` shows them"
    );
    println!("revoked: {agent}");
    Ok(())
}

/// Lets a revoked agent in again. It comes back by itself.
pub async fn restore(config: &Config, agent: &str) -> anyhow::Result<()> {
    let restored = registry(config).await?.restore_agent(agent).await?;
    anyhow::ensure!(
        restored,
        "no revoked agent has the id {agent}; `goldentime-central agents list` shows them"
    );
    println!("restored: {agent}");
    Ok(())
}
