//! `goldentime-central setup-link`, `account` and `api-token`: who may use the central, also while it runs.

use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::{Removed, Role};
use goldentime_model::units::HumanDuration;
use goldentime_runtime::{Clock, SystemClock};

use super::print::{setup_url, shown, shown_or};
use crate::access::Access;
use crate::access::set_up::LINK_LIFETIME;
use crate::cluster::OpenCatalogue;
use crate::config::Config;
use crate::serve::make_private_dir;

/// Who is named as the maker of what the command line makes.
const MAKER: &str = "command line";

/// Longest that a set-up link can be used.
const LINK_LIFETIME_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The catalogue, beside the running central.
async fn open(config: &Config) -> anyhow::Result<(OpenCatalogue, Access)> {
    make_private_dir(&config.state_dir)?;
    let store = OpenCatalogue::open(&config.state_dir, &config.cluster).await?;
    let access = Access::new(Arc::clone(&store.access), Arc::new(SystemClock), config.http.access());
    Ok((store, access))
}

/// Makes a set-up link and prints it, this once.
pub async fn setup_link(
    config: &Config,
    role: Role,
    name: Option<String>,
    expires: Option<HumanDuration>,
) -> anyhow::Result<()> {
    let lifetime = expires.map_or(LINK_LIFETIME, HumanDuration::get);
    anyhow::ensure!(
        (Duration::from_secs(60)..=LINK_LIFETIME_MAX).contains(&lifetime),
        "--expires must be `1m` to `7d`: whoever finds the link can use it"
    );
    let (store, access) = open(config).await?;
    let secret = access.make_link(role, name, lifetime).await?;
    println!("{}", setup_url(&config.http.page_url(), &secret));
    store.alerts.close().await;
    Ok(())
}

/// Lists accounts.
pub async fn accounts(config: &Config) -> anyhow::Result<()> {
    let (store, _) = open(config).await?;
    println!("{:<32}{:<10}{:<22}sessions", "name", "role", "made");
    for account in store.access.accounts().await? {
        let sessions = store.access.sessions(&account.name).await?.len();
        println!(
            "{:<32}{:<10}{:<22}{sessions}",
            account.name,
            account.role.as_str(),
            shown(account.created_at)
        );
    }
    store.alerts.close().await;
    Ok(())
}

/// Removes an account; its sessions end at once.
pub async fn remove_account(config: &Config, name: &str) -> anyhow::Result<()> {
    let (store, _) = open(config).await?;
    let removed = store.access.remove_account(name).await?;
    store.alerts.close().await;
    match removed {
        Removed::Gone => {
            println!("removed: {name}");
            Ok(())
        }
        Removed::Unknown => {
            anyhow::bail!("there is no account `{name}`; `goldentime-central account list` shows them")
        }
        Removed::LastAdmin => anyhow::bail!(
            "`{name}` is the only admin; make another first: `goldentime-central setup-link --role admin`"
        ),
    }
}

/// Makes an API token and prints it, this once.
pub async fn create_token(
    config: &Config,
    name: &str,
    role: Role,
    expires: Option<HumanDuration>,
) -> anyhow::Result<()> {
    let (store, access) = open(config).await?;
    let (secret, _) = access.create_api_token(name, role, expires.map(HumanDuration::get), MAKER).await?;
    println!("{secret}");
    store.alerts.close().await;
    Ok(())
}

/// Lists API tokens without their secrets.
pub async fn list_tokens(config: &Config) -> anyhow::Result<()> {
    let (store, access) = open(config).await?;
    println!(
        "{:<14}{:<24}{:<8}{:<22}{:<22}{:<22}state",
        "id", "name", "role", "made", "expires", "last used"
    );
    let now = SystemClock.now();
    for token in access.api_tokens().await? {
        let state = match (token.revoked_at, token.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(at)) if at <= now => "expired",
            _ => "good",
        };
        println!(
            "{:<14}{:<24}{:<8}{:<22}{:<22}{:<22}{state}",
            token.secret.id(),
            token.name,
            token.role.as_str(),
            shown(token.created_at),
            shown_or(token.expires_at, "never"),
            shown_or(token.used_at, "never"),
        );
    }
    store.alerts.close().await;
    Ok(())
}

/// Revokes an API token by its id.
pub async fn revoke_token(config: &Config, id: &str) -> anyhow::Result<()> {
    let (store, access) = open(config).await?;
    let revoked = access.revoke_api_token(id, MAKER).await?;
    store.alerts.close().await;
    anyhow::ensure!(
        revoked,
        "no API token in force has the id {id}; `goldentime-central api-token list` shows them"
    );
    println!("revoked: {id}");
    Ok(())
}
