//! `goldentime-central deadletter`: what could not be taken, with the reason, and its way back. Also while the
//! central runs; a replay needs it to run.

mod judge;
mod list;
mod replay;
mod show;
pub(in crate::commands) mod text;

use anyhow::Context;
use goldentime_model::UnixNanos;
use goldentime_model::units::HumanDuration;

pub use list::list;
pub use replay::replay;
pub use show::show;

use crate::cli::FilterArgs;
use crate::config::Config;
use crate::ingest::deadletter::sqlite::FILE;
use crate::ingest::deadletter::{Filter, PostgresLetters, ReplayStore, SqliteLetters};

/// The letters of the cluster, or those of this central; none where no central ever ran.
async fn letters(config: &Config) -> anyhow::Result<Option<Box<dyn ReplayStore>>> {
    if let Some((_, postgres)) = config.cluster.of_letters() {
        return Ok(Some(Box::new(PostgresLetters::new(postgres.clone()))));
    }
    let path = config.state_dir.join(FILE);
    let is_there = path.try_exists();
    if !is_there.with_context(|| whose(config))? {
        eprintln!("no central has run with the state folder {}: no dead letters", config.state_dir.display());
        return Ok(None);
    }
    let letters = SqliteLetters::open(&path).await;
    letters
        .with_context(|| format!("{}; {}", path.display(), whose(config)))
        .map(|letters| Some(Box::new(letters) as _))
}

fn whose(config: &Config) -> String {
    let folder = config.state_dir.display();
    format!("{folder} is only the central's own to read: ask as its user (`sudo -u goldentime-central ...`)")
}

fn filter(args: &FilterArgs, with_replayed: bool, now: UnixNanos) -> Filter {
    let ago = |since: HumanDuration| i64::try_from(since.get().as_nanos()).unwrap_or(i64::MAX);
    Filter {
        reason: args.reason.clone(),
        agent: args.agent.clone(),
        since: args.since.map(|since| now.saturating_add(-ago(since))),
        with_replayed,
    }
}
