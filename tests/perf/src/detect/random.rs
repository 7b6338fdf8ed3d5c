//! Draws that simulations need.

use rand::Rng;
use rand::rngs::StdRng;

/// Above this mean, counts are drawn from the normal distribution of the same mean and variance.
const EXACT_MAX: f64 = 30.0;

/// A standard normal draw (Box and Muller 1958).
pub(super) fn normal(random: &mut StdRng) -> f64 {
    let (a, b) = (random.random_range(f64::MIN_POSITIVE..1.0), random.random::<f64>());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

/// A waiting time of the given mean.
pub(super) fn exponential(random: &mut StdRng, mean: f64) -> f64 {
    -mean * random.random_range(f64::MIN_POSITIVE..1.0).ln()
}

/// A count of independent events.
pub(super) fn poisson(random: &mut StdRng, mean: f64) -> u64 {
    if mean > EXACT_MAX {
        return (mean + mean.sqrt() * normal(random)).round().max(0.0) as u64;
    }
    let (mut count, mut left, least) = (0, random.random::<f64>(), (-mean).exp());
    while left > least {
        left *= random.random::<f64>();
        count += 1;
    }
    count
}

/// How many of `total` happen, each with the chance `share`.
pub(super) fn binomial(random: &mut StdRng, total: u64, share: f64) -> u64 {
    if share > 0.5 {
        return total - binomial(random, total, 1.0 - share);
    }
    let mean = total as f64 * share;
    if mean > EXACT_MAX {
        let drawn = mean + (mean * (1.0 - share)).sqrt() * normal(random);
        return (drawn.round().max(0.0) as u64).min(total);
    }
    if share <= 0.0 {
        return 0;
    }
    // Gaps between those that happen are geometric.
    let (mut count, mut at, log) = (0, 0.0, (1.0 - share).ln());
    loop {
        at += (random.random_range(f64::MIN_POSITIVE..1.0).ln() / log).floor() + 1.0;
        if at > total as f64 {
            return count;
        }
        count += 1;
    }
}
