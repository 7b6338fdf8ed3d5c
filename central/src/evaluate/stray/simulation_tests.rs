//! Calm hours over services of every size, and surges: what strays by chance, and how soon what is real does.

use goldentime_model::Second;
use goldentime_sketch::Sketch;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Baseline, Reading};

/// The threshold of the page and of the starter rule for errors.
const THRESHOLD: f64 = 6.0;
const START: i64 = 1_700_000_000;

/// A service that is simulated second by second.
#[derive(Clone, Copy, Debug)]
struct Simulated {
    /// Requests per second.
    rate: f64,
    /// By how much the rate rises and falls within two hours, as a share of it: a steep morning.
    swing: f64,
    /// By how much it moves from second to second beside chance, as a share of it.
    unrest: f64,
    /// Share of requests that fail.
    failing: f64,
}

/// The calm services: few requests and many, steady, restless and swinging.
fn calm() -> Vec<Simulated> {
    let mut all = Vec::new();
    for rate in [0.3, 3.0, 30.0, 300.0] {
        for (swing, unrest) in [(0.0, 0.0), (0.0, 0.2), (0.5, 0.05)] {
            for failing in [0.0, 0.002, 0.03] {
                all.push(Simulated { rate, swing, unrest, failing });
            }
        }
    }
    all
}

/// A second's readings: traffic, errors, latency.
fn second(random: &mut StdRng, of: Simulated, at: i64) -> [Option<Reading>; 3] {
    let turn = (at as f64 / 7200.0 * std::f64::consts::TAU).sin();
    let rate = of.rate * (1.0 + of.swing * turn) * (of.unrest * normal(random)).exp();
    let requests = poisson(random, rate);
    let bad = poisson(random, requests * of.failing).min(requests);
    // Latencies with a long tail: the p99 is ten times the median.
    let mut latency = Sketch::new();
    for _ in 0..requests as u64 {
        let _ = latency.insert_n(0.02 * normal(random).exp(), 1);
    }
    let seconds = latency.quantile(0.95);
    [
        Some(Reading::Traffic { requests }),
        (requests > 0.0).then_some(Reading::Errors { bad, total: requests }),
        seconds.map(|seconds| Reading::Latency { seconds, quantile: 0.95, requests }),
    ]
}

/// Box and Muller.
fn normal(random: &mut StdRng) -> f64 {
    let (radius, angle): (f64, f64) = (random.random_range(f64::MIN_POSITIVE..1.0), random.random());
    (-2.0 * radius.ln()).sqrt() * (angle * std::f64::consts::TAU).cos()
}

/// Knuth's, a hundred at a time.
fn poisson(random: &mut StdRng, mean: f64) -> f64 {
    let (mut count, mut left) = (0.0, mean);
    while left > 0.0 {
        let limit = (-left.min(100.0)).exp();
        let mut product: f64 = random.random();
        while product > limit {
            count += 1.0;
            product *= random.random::<f64>();
        }
        left -= 100.0;
    }
    count
}

/// One signal of a service.
struct Series {
    baseline: Baseline,
}

impl Series {
    /// The score of the next second, once something is usual.
    fn take(&mut self, at: i64, reading: Option<Reading>) -> Option<f64> {
        let score = self.baseline.usual().zip(reading).map(|(usual, reading)| usual.score(&reading).sure);
        let strays = score.is_some_and(|score| score.abs() > THRESHOLD);
        self.baseline.take(Second(START + at), reading.map(|reading| reading.value()), strays);
        score
    }
}

#[test]
fn in_calm_hours_hardly_a_second_strays() {
    let mut random = StdRng::seed_from_u64(11);
    let (mut scored, mut strayed, mut in_a_row) = ([0_u32; 3], [0_u32; 3], [0_u32; 3]);
    for of in calm() {
        let mut series = [0, 1, 2].map(|phase| Series { baseline: Baseline::new(phase) });
        let mut row = [0; 3];
        for at in 0..3600 {
            for (signal, reading) in second(&mut random, of, at).into_iter().enumerate() {
                let Some(score) = series[signal].take(at, reading) else { continue };
                scored[signal] += 1;
                let strays = score.abs() > THRESHOLD;
                strayed[signal] += u32::from(strays);
                row[signal] = if strays { row[signal] + 1 } else { 0 };
                in_a_row[signal] = in_a_row[signal].max(row[signal]);
            }
        }
    }
    println!("strayed {strayed:?} of {scored:?} seconds (traffic, errors, latency), in a row {in_a_row:?}");
    assert!(scored.iter().all(|scored| *scored > 80_000), "{scored:?}");
    for (strayed, scored) in strayed.into_iter().zip(scored) {
        assert!(strayed * 20_000 <= scored, "{strayed} of {scored} seconds");
    }
    assert!(in_a_row.iter().all(|row| *row <= 1), "{in_a_row:?}");
}

#[test]
fn a_surge_of_errors_strays_from_its_first_second_on() {
    let mut random = StdRng::seed_from_u64(12);
    for (rate, failing, surging) in
        [(200.0, 0.002, 0.2), (200.0, 0.0, 0.1), (30.0, 0.01, 0.5), (2000.0, 0.01, 0.05)]
    {
        let calm = Simulated { rate, swing: 0.2, unrest: 0.1, failing };
        let mut errors = Series { baseline: Baseline::new(0) };
        for at in 0..600 {
            errors.take(at, second(&mut random, calm, at)[1]);
        }
        let surge = Simulated { failing: surging, ..calm };
        let strayed = (600..630).filter(|at| {
            let score = errors.take(*at, second(&mut random, surge, *at)[1]);
            score.is_some_and(|score| score > THRESHOLD)
        });
        let strayed: Vec<i64> = strayed.collect();
        assert!(strayed.len() >= 27 && strayed[0] <= 601, "{calm:?} to {surging}: {strayed:?}");
    }
}

#[test]
fn latency_that_doubles_strays_where_requests_are_many() {
    let mut random = StdRng::seed_from_u64(13);
    let calm = Simulated { rate: 300.0, swing: 0.0, unrest: 0.1, failing: 0.0 };
    let mut latency = Series { baseline: Baseline::new(0) };
    for at in 0..600 {
        latency.take(at, second(&mut random, calm, at)[2]);
    }
    let slower = |reading: Option<Reading>| match reading {
        Some(Reading::Latency { seconds, quantile, requests }) => {
            Some(Reading::Latency { seconds: seconds * 2.5, quantile, requests })
        }
        other => other,
    };
    let strayed = (600..630).filter(|at| {
        latency.take(*at, slower(second(&mut random, calm, *at)[2])).is_some_and(|score| score > THRESHOLD)
    });
    assert!(strayed.count() >= 24);
}

#[test]
fn traffic_that_stops_strays_where_chance_is_no_answer() {
    let mut random = StdRng::seed_from_u64(14);
    for (rate, least) in [(300.0, 6.0), (30.0, 4.0), (3.0, 0.0)] {
        let calm = Simulated { rate, swing: 0.2, unrest: 0.0, failing: 0.0 };
        let mut traffic = Series { baseline: Baseline::new(0) };
        for at in 0..600 {
            traffic.take(at, second(&mut random, calm, at)[0]);
        }
        let score = traffic.take(600, Some(Reading::Traffic { requests: 0.0 })).expect("learned");
        assert!(-score > least, "{rate}: {score}");
    }
}
