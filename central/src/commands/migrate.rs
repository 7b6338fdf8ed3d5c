//! `goldentime-central migrate`: brings the databases of `cluster` to this version's layout.

use goldentime_catalog::PostgresCatalogue;
use goldentime_series::PostgresSeries;

use crate::config::Config;
use crate::ingest::deadletter::PostgresLetters;
use crate::ingest::registry::Registry;

/// Brings them up, one after another. Safe to repeat, and beside centrals that run.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let Some(postgres) = &config.cluster.postgres else {
        println!("cluster.postgres is not set: the files below state_dir are brought up by `serve` itself");
        return Ok(());
    };
    PostgresCatalogue::new(postgres.clone()).migrate().await?;
    // Brings in what `agents.db` held, as a start does.
    Registry::open(&config.state_dir, &config.cluster).await?.prepare().await?;
    if config.cluster.kafka.is_some() {
        PostgresLetters::new(postgres.clone()).migrate().await?;
    }
    if config.series.enabled {
        PostgresSeries::new(postgres.clone(), config.series.keep()).migrate().await?;
    }
    println!("{} has this version's layout", postgres.place());
    Ok(())
}
