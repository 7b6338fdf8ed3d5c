//! Ten thousand SLOs, each over a service of its own that is busy in every second.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use goldentime_central::evaluate::budget::Answer;
use goldentime_central::evaluate::engine::{Engine, EngineSettings, Finding};
use goldentime_central::evaluate::expectation::NobodyExpected;
use goldentime_central::evaluate::handle::StatusBoard;
use goldentime_central::evaluate::judge::Tempo;
use goldentime_central::evaluate::openslo::RuleSet;
use goldentime_model::config::load::source;
use goldentime_model::{Counts, Second, ServiceId, StageTimes};
use goldentime_testkit::process::own_cpu_time;
use goldentime_windows::SecondCell;

/// A Monday.
const START: i64 = 1_767_571_200;

/// SLOs that are judged.
pub const SLOS: usize = 10_000;

/// Partitions that a central has by default.
const PARTITIONS: u32 = 4;

/// Seconds before the measured ones.
const WARM_UP_S: i64 = 5;

/// What was measured.
pub struct Measured {
    /// Share of one core that judging takes, every SLO in every second.
    pub core_share: f64,
    /// The same with the four usual burn-rate alerts for each SLO.
    pub core_share_four_burn_rates: f64,
}

/// Judges [`SLOS`] SLOs for `seconds` seconds, of one condition each and of the usual four.
pub fn measure(seconds: i64) -> Result<Measured> {
    Ok(Measured {
        core_share: share(&text(false), seconds)?,
        core_share_four_burn_rates: share(&text(true), seconds)?,
    })
}

/// The SLOs: a budget of 0.1% each, with an alert over five minutes, or with the usual four over days.
fn text(four: bool) -> String {
    let mut text = String::new();
    for number in 0..SLOS {
        let annotations = if four { ", annotations: {goldentime.io/burn_rates: default}" } else { "" };
        let _ = write!(
            text,
            "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: slo-{number}{annotations}}}\nspec:\n  service: \
             service-{number}\n  timeWindow: [{{duration: 28d, isRolling: true}}]\n  indicator: {{metadata: {{name: i}}, \
             spec: {{ratioMetric: {{good: {{metricSource: {{type: goldentime, spec: {{signal: errors}}}}}}, total: \
             {{metricSource: {{type: goldentime, spec: {{signal: errors}}}}}}}}}}}}\n  objectives: [{{target: 0.999}}]\n"
        );
        if !four {
            text.push_str(
                "  alertPolicies: [{metadata: {name: p}, spec: {conditions: [{metadata: {name: c}, spec: {severity: page, \
                 condition: {kind: burnrate, op: gt, threshold: 14.4, lookbackWindow: 5m}}}]}}]\n",
            );
        }
        text.push_str("---\n");
    }
    text
}

fn share(text: &str, seconds: i64) -> Result<f64> {
    // One text has some megabytes at most; a folder has many.
    let parts: Vec<&str> = text.split_inclusive("---\n").collect();
    let sources: Vec<_> =
        parts.chunks(1_000).map(|part| source(Path::new("slo.yaml"), part.concat())).collect();
    let set = RuleSet::compile(&sources).map_err(|faults| anyhow!("{faults}"))?;
    let board = StatusBoard::default();
    let mut engines = engines(&set, &board)?;
    let mut found = Vec::new();
    let mut second = START;
    for _ in 0..WARM_UP_S {
        for (engine, services) in &mut engines {
            step(engine, services, second, &mut found);
            while let Some(wanted) = engine.next_wanted() {
                engine.fill(&Answer { wanted, past: Vec::new() });
            }
        }
        second += 1;
    }
    let before = own_cpu_time();
    for _ in 0..seconds {
        engines.iter_mut().for_each(|(engine, services)| step(engine, services, second, &mut found));
        second += 1;
    }
    let took_s = (own_cpu_time() - before).as_secs_f64();
    let judged = board.all().iter().filter(|status| status.budget.is_some()).count();
    anyhow::ensure!(judged >= SLOS, "{judged} of {SLOS} SLOs are judged");
    Ok(took_s / seconds as f64)
}

/// The evaluators of as many partitions as a central has by default, with their services.
fn engines(set: &RuleSet, board: &StatusBoard) -> Result<Vec<(Engine, Vec<ServiceId>)>> {
    let mut engines: Vec<(Engine, Vec<ServiceId>)> = (0..PARTITIONS)
        .map(|partition| {
            let settings = EngineSettings { partition, partitions: PARTITIONS, unknown_grace_ms: 60_000 };
            let engine = Engine::new(settings, &set.rules, board.clone(), Vec::new());
            (engine.with_objectives(&set.objectives), Vec::new())
        })
        .collect();
    for number in 0..SLOS {
        let service = ServiceId::new("default", "default", &format!("service-{number}")).context("a name")?;
        let partition = usize::try_from(service.partition(PARTITIONS))?;
        let (engine, services) = &mut engines[partition];
        engine.attach(&service, Second(START), Second(START).start(), true);
        services.push(service);
    }
    Ok(engines)
}

/// One second of every service, as a shard drives it: merged seconds are taken over, then judged.
fn step(engine: &mut Engine, services: &[ServiceId], second: i64, found: &mut Vec<Finding>) {
    let mut cell = SecondCell::default();
    cell.total.counts = Counts { ok: 100, ..Counts::default() };
    let now = Second(second).end();
    let tempo = Tempo { watermark_ms: second * 1000 + 999, now, boundary: true };
    for service in services {
        engine.touch(service, Second(second), &cell, now);
        engine.judge(service, tempo, &NobodyExpected, StageTimes::default(), found);
    }
}
