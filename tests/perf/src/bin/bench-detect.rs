//! `make bench-detect`: false pages a month and delays of the sequential test for low traffic, beside a
//! threshold and burn rates, and of the shift detector, over simulated services.
//!
//! `RUNS` is the number of services of each kind; default 4.

use std::time::Instant;

use anyhow::{Context, Result};
use goldentime_detect::{Evidence, LowTraffic};
use goldentime_perf::detect::low_traffic::{self, METHODS};
use goldentime_perf::detect::{World, shift};
use goldentime_perf::report::{Report, median};

fn main() -> Result<()> {
    let runs: u64 = std::env::var("RUNS").ok().map_or(Ok(4), |runs| runs.parse()).context("RUNS")?;
    let mut report = Report::new("detect", u32::try_from(runs)?);
    for world in World::ALL {
        low_traffic_of(world, runs, &mut report);
    }
    for world in World::ALL {
        shifts_of(world, runs, &mut report);
    }
    report.figure("low_traffic_update_ns", low_traffic_update_ns());
    report.figure("shift_update_ns", shift::nanoseconds_per_update());
    report.finish()?;
    Ok(())
}

fn low_traffic_of(world: World, runs: u64, report: &mut Report) {
    let outcome = low_traffic::simulate(world, runs);
    let world = world.name();
    println!(
        "low traffic, {world}: {} service-months of {} days, 1 to 60 requests a minute, 0.1% to 5% bad, limit {}% in 1 min",
        outcome.months,
        low_traffic::DAYS,
        low_traffic::LIMIT * 100.0
    );
    println!("  {:<18} {:>12} {}", "", "false/month", onset_heads());
    for (method, name) in METHODS.iter().enumerate() {
        let pages = outcome.pages[method] / outcome.months;
        let delays: Vec<f64> = outcome.delays_min.iter().map(|of| median(&of[method])).collect();
        let cells: String = delays.iter().map(|delay| format!("{delay:>14.1}")).collect();
        println!("  {name:<18} {pages:>12.3} {cells}");
        report.figure(format!("low_traffic_{name}_false_pages_a_month_{world}"), pages);
        for (onset, delay) in low_traffic::ONSETS.iter().zip(delays) {
            report.figure(format!("low_traffic_{name}_onset_{}_p50_min_{world}", onset * 100.0), delay);
        }
    }
}

fn onset_heads() -> String {
    let heads = low_traffic::ONSETS.iter();
    heads.map(|onset| format!("{:>14}", format!("to {}%, min", onset * 100.0))).collect()
}

fn shifts_of(world: World, runs: u64, report: &mut Report) {
    let outcome = shift::ordinary(world, runs);
    let name = world.name();
    let (errors, latency) = (outcome.errors / outcome.months, outcome.latency / outcome.months);
    println!(
        "shifts, {name}: {} service-months of ordinary traffic; false a month: errors {errors:.3}, latency {latency:.3}, most of one service {}",
        outcome.months, outcome.worst
    );
    report.figure(format!("shift_errors_false_a_month_{name}"), errors);
    report.figure(format!("shift_latency_false_a_month_{name}"), latency);
    for rate in [20.0, 200.0] {
        for points in shift::ONSETS {
            let requests = median(&shift::onset_requests(world, rate, points, 10 * runs));
            println!(
                "  onset of {:>4} points at {rate:>4}/s: {requests:>7.0} requests (p50)",
                points * 100.0
            );
            report.figure(format!("shift_onset_{}_at_{rate}_p50_requests_{name}", points * 100.0), requests);
        }
        for times in shift::SLOWER {
            let seconds = median(&shift::slowness_seconds(world, rate, times, 10 * runs));
            println!("  {times:>4} times as slow at {rate:>4}/s: {seconds:>7.0} s (p50)");
            report.figure(format!("shift_slower_{times}_at_{rate}_p50_s_{name}"), seconds);
        }
    }
}

fn low_traffic_update_ns() -> f64 {
    let (test, mut evidence) = (LowTraffic::new(0.01), Evidence::default());
    let (updates, begun) = (2_000_000_i64, Instant::now());
    for at in 0..updates {
        test.observe(&mut evidence, at * 100, f64::from(u8::from(at % 50 == 0)), 20.0);
        std::hint::black_box(test.is_enough(&evidence, 0.0));
    }
    begun.elapsed().as_secs_f64() * 1e9 / updates as f64
}
