//! The shift detector on a month of ordinary traffic, and on onsets.

use std::time::Instant;

use goldentime_detect::quantile::UsualQuantile;
use goldentime_detect::{Counts, Flap, Shift, ShiftSettings, Stand};

use rand::rngs::StdRng;

use super::World;
use super::random::binomial;
use super::traffic::{Second, Service, Traffic, share_above};

const DAY_S: i64 = 86_400;
/// Days of a month.
pub const DAYS: i64 = 30;
/// Requests a second.
const RATES: [f64; 4] = [1.0, 10.0, 50.0, 200.0];
/// Shares that fail usually.
const ERRORS: [f64; 3] = [0.0005, 0.005, 0.02];
/// Parts in which a second's counts come.
const PARTS: u64 = 10;
/// The quantile whose latency is usually exceeded by the rest.
const QUANTILE: f64 = 0.95;
/// Ordinary traffic before an onset.
const CALM_S: i64 = 4 * 3600;
/// Sizes of onsets: points that fail besides what is usual.
pub const ONSETS: [f64; 4] = [0.02, 0.05, 0.2, 0.5];

/// Sums over all services of a world.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Service-months.
    pub months: f64,
    /// Shifts of the error ratio that were told, and none was there.
    pub errors: f64,
    /// Shifts of latency that were told, and none was there.
    pub latency: f64,
    /// The most of either that one service had.
    pub worst: f64,
}

/// A month of ordinary traffic of `runs` services of each size.
#[must_use]
pub fn ordinary(world: World, runs: u64) -> Outcome {
    let mut outcome = Outcome::default();
    for (at, service) in services().enumerate() {
        for run in 0..runs {
            let found = month(world, service, world.seed(5_000_000 + at as u64 * 1000 + run));
            outcome.months += 1.0;
            outcome.errors += found[0];
            outcome.latency += found[1];
            outcome.worst = outcome.worst.max(found[0]).max(found[1]);
        }
    }
    outcome
}

fn services() -> impl Iterator<Item = Service> {
    RATES.into_iter().flat_map(|rate| ERRORS.map(|errors| Service { rate, errors }))
}

/// Shifts of errors and of latency that are told in a month.
fn month(world: World, service: Service, seed: u64) -> [f64; 2] {
    let mut traffic = Traffic::new(world, service, seed);
    let mut shifts = [ShiftSettings::ERRORS, ShiftSettings::LATENCY].map(Shift::new);
    let (mut flaps, mut told) = ([Flap::default(); 2], [0.0; 2]);
    let mut usual = UsualQuantile::new(QUANTILE, 3.0);
    for second in 0..DAYS * DAY_S {
        let now = traffic.next(0.0);
        let latency = slow(world, &mut traffic, &now, &usual);
        for (at, counts) in [now.errors, latency].into_iter().enumerate() {
            let shift = &mut shifts[at];
            let shifted = one_second(shift, second, counts, &mut traffic.random).is_some();
            shift.settle(second, |_, _| 0.0);
            let was_raised = flaps[at].is_raised();
            flaps[at].step(second, shifted);
            told[at] += f64::from(u8::from(flaps[at].is_raised() && !was_raised));
        }
        if !shifts[1].is_shifted() {
            usual.learn(latency.bad, latency.total);
        }
    }
    told
}

/// How many requests of a second are slower than usual.
fn slow(world: World, traffic: &mut Traffic, now: &Second, usual: &UsualQuantile) -> Counts {
    let share = share_above(world, usual.seconds() / now.slowness);
    let share = share + now.stalled * (1.0 - share);
    let bad = binomial(&mut traffic.random, now.errors.total as u64, share) as f64;
    Counts { bad, total: now.errors.total }
}

/// How many times slower everything gets, by onset.
pub const SLOWER: [f64; 3] = [1.5, 2.0, 4.0];

/// Seconds until it is seen that everything is `times` as slow; infinite where it is not in ten minutes.
#[must_use]
pub fn slowness_seconds(world: World, rate: f64, times: f64, runs: u64) -> Vec<f64> {
    let service = Service { rate, errors: 0.005 };
    (0..runs).map(|run| slowness(world, service, times, world.seed(9_500_000 + run))).collect()
}

fn slowness(world: World, service: Service, times: f64, seed: u64) -> f64 {
    let mut traffic = Traffic::new(world, service, seed);
    let mut shift = Shift::new(ShiftSettings::LATENCY);
    let mut usual = UsualQuantile::new(QUANTILE, 3.0);
    for second in 0..CALM_S + 600 {
        let mut now = traffic.next(0.0);
        now.slowness *= if second < CALM_S { 1.0 } else { times };
        let counts = slow(world, &mut traffic, &now, &usual);
        let found = one_second(&mut shift, second, counts, &mut traffic.random);
        if second >= CALM_S && found.is_some() {
            return (second - CALM_S + 1) as f64;
        }
        if !shift.is_shifted() {
            usual.learn(counts.bad, counts.total);
        }
        shift.settle(second, |_, _| 0.0);
    }
    f64::INFINITY
}

/// Delays of an onset of errors at `rate` requests a second, in requests; infinite where it is not seen in
/// ten minutes.
#[must_use]
pub fn onset_requests(world: World, rate: f64, points: f64, runs: u64) -> Vec<f64> {
    (0..runs).map(|run| onset(world, Service { rate, errors: 0.005 }, points, 9_000_000 + run)).collect()
}

fn onset(world: World, service: Service, points: f64, seed: u64) -> f64 {
    let mut traffic = Traffic::new(world, service, world.seed(seed));
    let mut shift = Shift::new(ShiftSettings::ERRORS);
    let mut requests = 0.0;
    for second in 0..CALM_S + 600 {
        let failing = if second < CALM_S { 0.0 } else { points };
        let counts = traffic.next(failing).errors;
        let found = one_second(&mut shift, second, counts, &mut traffic.random);
        if second >= CALM_S {
            if let Some(after) = found {
                return requests + after;
            }
            requests += counts.total;
        }
        shift.settle(second, |_, _| 0.0);
    }
    f64::INFINITY
}

/// Tells and judges one second part by part, as it grows; after how many of its requests it was shifted.
fn one_second(shift: &mut Shift, second: i64, counts: Counts, random: &mut StdRng) -> Option<f64> {
    let parts = if counts.bad > 0.0 { PARTS } else { 1 };
    let (mut so_far, mut left) = (Counts::default(), (counts.bad as u64, counts.total as u64));
    let mut found = None;
    for part in 0..parts {
        // A part of the rest, its bad ones drawn among the rest's.
        let (is_last, size) = (part + 1 == parts, left.1 / (parts - part));
        let share = left.0 as f64 / left.1.max(1) as f64;
        let failed = if is_last { left.0 } else { binomial(random, size, share).min(left.0) };
        left = (left.0 - failed, left.1 - size);
        so_far = so_far.plus(Counts::new(failed, size.max(failed)));
        if so_far.total > 0.0 {
            shift.note(second, so_far);
        }
        if found.is_none() && matches!(shift.judge(0.0), Stand::Shifted(_)) {
            found = Some(so_far.total);
        }
    }
    found
}

/// Nanoseconds that one part of a second costs, noted and judged.
#[must_use]
pub fn nanoseconds_per_update() -> f64 {
    let mut shift = Shift::new(ShiftSettings::ERRORS);
    let (seconds, begun) = (200_000_i64, Instant::now());
    for second in 0..seconds {
        for part in 1..=PARTS {
            shift.note(second, Counts::new(u64::from(second % 20 == 0), part * 20));
            std::hint::black_box(shift.judge(0.0));
        }
        shift.settle(second, |_, _| 0.0);
    }
    begun.elapsed().as_secs_f64() * 1e9 / (seconds as f64 * PARTS as f64)
}
