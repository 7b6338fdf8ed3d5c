//! `goldentime-central rules`: rules tried out where nobody is paged.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use goldentime_model::exit::ExitCode;
use goldentime_model::units::HumanDuration;
use goldentime_runtime::{Clock, SystemClock};
use goldentime_series::SeriesStore;

use super::print::shown;
use crate::cli::RulesReplayArgs;
use crate::config::Config;
use crate::evaluate::openslo::{RuleSet, starter};
use crate::persist::Series;
use crate::rehearse::replay::{Asked, Replayed, replay as run_replay};
use crate::rehearse::what_if::{WouldBe, budgets};
use crate::rehearse::{Episode, cases};

/// Runs files of unit tests, and says of each test whether it passed.
#[must_use]
pub fn test(files: &[PathBuf]) -> ExitCode {
    let outcomes: Vec<_> = files.iter().map(|file| cases::run(file)).collect();
    outcomes.iter().for_each(|outcome| print!("{}", outcome.text));
    if outcomes.iter().any(|outcome| !outcome.valid) {
        return ExitCode::Usage;
    }
    let failed: usize = outcomes.iter().map(|outcome| outcome.failed).sum();
    if failed == 0 { ExitCode::Ok } else { ExitCode::Failed }
}

/// Replays stored history through rules, and says what would have fired.
pub async fn replay(config: &Config, args: &RulesReplayArgs) -> anyhow::Result<()> {
    let (set, store) = (rules_of(config, args.path.as_deref())?, store_of(config)?);
    let ago = |long: HumanDuration| {
        SystemClock.now().saturating_add(-i64::try_from(long.get().as_nanos()).unwrap_or(i64::MAX)).second()
    };
    let asked = Asked { from: ago(args.since), until: ago(args.until), services: args.services.clone() };
    anyhow::ensure!(asked.from < asked.until, "--since {} is not before --until {}", args.since, args.until);
    let began = SystemClock.now();
    let replayed = run_replay(store.as_ref(), &set, &asked).await;
    let took_s = SystemClock.now().since(began).max(1) as f64 / 1e9;
    store.close().await;
    let replayed = replayed.context("the series store")?;
    replayed.desk.episodes().iter().for_each(|episode| println!("{}", told(episode)));
    tell_replayed(&replayed, &asked, took_s);
    Ok(())
}

fn tell_replayed(replayed: &Replayed, asked: &Asked, took_s: f64) {
    let Replayed { desk, services, rows, widest_s, left_out } = replayed;
    for rule in left_out {
        println!("left out: {rule} is judged by single seconds, which history does not keep");
    }
    if desk.dropped > 0 {
        println!("{} more alerts are not shown", desk.dropped);
    }
    let seconds = (asked.until.0 - asked.from.0) as f64;
    println!(
        "{} alerts from {} to {}, over {rows} rows of {services} services; windows are right to within {widest_s}s; \
         {:.0} times real time",
        desk.episodes().len(),
        shown(asked.from.start()),
        shown(asked.until.start()),
        seconds / took_s
    );
}

/// `2026-11-20T10:00:10Z  orders/fast  service=order-api: breached …, fired after 10s, over after 4m: 12% of …`.
fn told(episode: &Episode) -> String {
    let lasting = |seconds: i64| HumanDuration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let Episode { rule, labels, breached, fired, ended, summary } = episode;
    let about = ["project", "environment", "service", "slo", "endpoint", "method", "host"];
    let about: Vec<_> =
        about.iter().filter_map(|name| labels.get(*name).map(|value| format!("{name}={value}"))).collect();
    let held = lasting(fired.0 - breached.0);
    let over = match ended {
        Some(ended) => format!("over after {} at {}", lasting(ended.0 - fired.0), shown(ended.end())),
        None => "fires still".to_owned(),
    };
    format!(
        "{}  {rule}  {}: fired {held} after the breach, {over}: {summary}",
        shown(fired.end()),
        about.join(" ")
    )
}

/// Prints how budgets would stand.
pub async fn what_if(config: &Config, path: Option<&Path>, target: Option<f64>) -> anyhow::Result<()> {
    if let Some(target) = target {
        anyhow::ensure!((0.0..1.0).contains(&target), "--target {target} is not from 0 to below 1");
    }
    let (set, store) = (rules_of(config, path)?, store_of(config)?);
    let found = budgets(store.as_ref(), &set, target, SystemClock.now().second()).await;
    store.close().await;
    for WouldBe { objective, service, budget } in found.context("the series store")? {
        let percent = |share: f64| format!("{:.3}%", share * 100.0);
        let sli = budget.sli.map_or_else(|| "nothing was seen".into(), |sli| percent(sli.low));
        let left = budget.left.map_or_else(|| "not known".into(), |left| percent(left.low));
        println!(
            "{}  {service}\n    target {}, {}: good {sli}, {} of {} events bad, budget left {left}",
            objective.name,
            percent(objective.target),
            objective.window.describe(),
            budget.bad.high.round(),
            budget.events.round(),
        );
    }
    Ok(())
}

/// The rules of a path, or those in force.
fn rules_of(config: &Config, path: Option<&Path>) -> anyhow::Result<RuleSet> {
    let loaded = match path {
        Some(path) => RuleSet::load(path),
        // A folder that is not there is one without files.
        None if !config.slo_dir.exists() => {
            RuleSet::compile_over(&starter::sources(&config.starter_rules), &[])
        }
        None => RuleSet::sources(&config.slo_dir)
            .and_then(|sources| RuleSet::compile_over(&starter::sources(&config.starter_rules), &sources)),
    };
    loaded.map_err(|faults| anyhow::anyhow!("{faults}"))
}

/// Stored history, also while the central runs.
fn store_of(config: &Config) -> anyhow::Result<Arc<dyn SeriesStore>> {
    let series = Series::new(&config.state_dir, &config.series, config.cluster.postgres.as_ref());
    let series = series.context("history is not kept; set series.enabled in central.yaml")?;
    Ok(series.store())
}
