//! `goldentime-central backup` and `restore`.

use std::path::Path;

use goldentime_model::units::ByteSize;
use goldentime_runtime::{Clock, SystemClock};

use crate::backup;
use crate::config::Config;

/// Copies the state into a new folder, and says of what instant it is.
pub async fn take(config: &Config, folder: &Path) -> anyhow::Result<()> {
    let manifest = backup::take(&config.state_dir, folder, config.partitions, &SystemClock).await?;
    println!(
        "{}: {} in {} files, as of {}",
        folder.display(),
        ByteSize(manifest.bytes()),
        manifest.files.len(),
        manifest.instant
    );
    if let Some(elastic) = &config.cluster.elasticsearch {
        println!("not in it: log lines, which are on {}; take a snapshot there", elastic.urls.join(", "));
    }
    if let Some(postgres) = &config.cluster.postgres {
        println!(
            "not in it: history, accounts, alerts, agents and join tokens, which are in {}; copy those with pg_dump",
            postgres.place()
        );
    }
    if let Some(folder) = &config.agents.authority_dir {
        println!("not in it: the authority of agents, which is in {}; keep a copy of it", folder.display());
    }
    Ok(())
}

/// Returns a copy into the state folder.
pub fn put_back(config: &Config, folder: &Path, replace: bool) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let restored = backup::put_back(folder, &config.state_dir, config.partitions, replace, now)?;
    println!(
        "{}: {} in {} files, as of {}",
        config.state_dir.display(),
        ByteSize(restored.manifest.bytes()),
        restored.manifest.files.len(),
        restored.manifest.instant
    );
    if let Some(replaced) = restored.replaced {
        println!(
            "the state before is in {}; remove it once the restored one has proved itself",
            replaced.display()
        );
    }
    Ok(())
}
