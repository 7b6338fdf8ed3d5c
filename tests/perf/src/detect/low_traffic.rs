//! Services of one to sixty requests a minute: who pages for nothing, and how long an onset takes to be seen.

use goldentime_detect::{Evidence, LowTraffic};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::World;
use super::others::{BurnRates, Window};
use super::random::exponential;

/// The rule of every service: more than this share is bad, in a minute.
pub const LIMIT: f64 = 0.05;
const WINDOW_S: i64 = 60;
/// Requests a minute.
const RATES: [f64; 5] = [1.0, 3.0, 10.0, 30.0, 60.0];
/// True shares of bad requests, none above [`LIMIT`].
const SHARES: [f64; 5] = [0.001, 0.003, 0.01, 0.03, 0.05];
/// Shares that an onset brings.
pub const ONSETS: [f64; 4] = [0.1, 0.25, 0.5, 1.0];
const DAY_MS: i64 = 86_400_000;
/// Days of a month.
pub const DAYS: i64 = 30;
/// An onset that is not seen for so long is not seen.
const SEEN_WITHIN_MS: i64 = DAY_MS;

/// Ways to page.
pub const METHODS: [&str; 4] = ["sequential", "threshold", "burn_rates_fixed", "burn_rates_own"];

/// Sums over all services of a world.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Service-months.
    pub months: f64,
    /// False pages of each method.
    pub pages: [f64; 4],
    /// For each onset and method the delays in minutes; infinite where it was not seen in a day.
    pub delays_min: [[Vec<f64>; 4]; 4],
}

/// All methods over one service.
struct Pagers {
    test: LowTraffic,
    evidence: Evidence,
    window: Window,
    burn: [BurnRates; 2],
    firing: [bool; 4],
}

impl Pagers {
    fn new(share: f64) -> Self {
        Self {
            test: LowTraffic::new(LIMIT),
            evidence: Evidence::default(),
            window: Window::new(WINDOW_S),
            // One objective for all, and one that the service meets with half of its budget.
            burn: [BurnRates::new(LIMIT), BurnRates::new(2.0 * share)],
            firing: [false; 4],
        }
    }

    /// Returns which methods page at this request.
    fn request(&mut self, at_ms: i64, is_bad: bool) -> [bool; 4] {
        // Until it came the window only emptied.
        while let Some(next) = self.window.next_ms().filter(|next| *next <= at_ms) {
            self.window.forget(next);
            self.settle();
        }
        self.window.push(at_ms, is_bad);
        let bad = f64::from(u8::from(is_bad));
        self.test.observe(&mut self.evidence, at_ms, bad, 1.0 - bad);
        let breaching = self.window.share() > LIMIT;
        let [fixed, own] = self.burn.each_mut().map(|burn| burn.push(at_ms, is_bad));
        let enough = breaching && (self.firing[0] || self.test.is_enough(&self.evidence, 0.0));
        let pages = [enough, breaching, fixed, own];
        let mut begun = [false; 4];
        for (at, is_true) in pages.into_iter().enumerate() {
            begun[at] = is_true && !self.firing[at];
            // The first two resolve as the window says, below.
            self.firing[at] = if at < 2 { self.firing[at] || is_true } else { is_true };
        }
        if begun[0] {
            self.test.raise(&mut self.evidence);
        }
        self.settle();
        begun
    }

    fn settle(&mut self) {
        if self.window.share() > LIMIT {
            return;
        }
        self.firing[1] = false;
        if self.firing[0] && self.window.total() > 0 && self.test.is_over(&self.evidence, 0.0) {
            self.firing[0] = false;
            self.evidence.clear();
        }
    }
}

/// Requests of one service, one after another.
struct Requests {
    random: StdRng,
    world: World,
    mean_ms: f64,
    at_ms: f64,
    /// Requests of the present visit that are still to come, one every second.
    visit: u32,
}

impl Requests {
    fn new(world: World, per_minute: f64, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { random, world, mean_ms: 60_000.0 / per_minute, at_ms: 0.0, visit: 0 }
    }

    /// Time of the next request. In the held-out world they come in visits, and fewer at night.
    fn next_ms(&mut self) -> i64 {
        match self.world {
            World::Tuning => self.at_ms += exponential(&mut self.random, self.mean_ms),
            World::HeldOut if self.visit > 0 => {
                self.visit -= 1;
                self.at_ms += exponential(&mut self.random, self.mean_ms.min(1000.0));
            }
            World::HeldOut => {
                self.visit = self.random.random_range(0..5);
                let at_night = (self.at_ms / DAY_MS as f64).fract() < 0.33;
                let pause = if at_night { 6.0 } else { 2.2 };
                self.at_ms += exponential(&mut self.random, self.mean_ms * pause);
            }
        }
        self.at_ms as i64
    }

    fn is_bad(&mut self, share: f64) -> bool {
        self.random.random_bool(share)
    }
}

/// Simulates `runs` services of each size and share for a month each.
#[must_use]
pub fn simulate(world: World, runs: u64) -> Outcome {
    let mut outcome = Outcome::default();
    for (at, (rate, share)) in cells().enumerate() {
        for run in 0..runs {
            let seed = world.seed(at as u64 * 1000 + run);
            month(world, rate, share, seed, &mut outcome);
            for (size, onset) in ONSETS.into_iter().enumerate() {
                let delays = onset_delays(world, rate, share, onset, seed + 500 + size as u64 * 100_000);
                for (method, delay) in delays.into_iter().enumerate() {
                    outcome.delays_min[size][method].push(delay);
                }
            }
        }
    }
    outcome
}

fn cells() -> impl Iterator<Item = (f64, f64)> {
    RATES.into_iter().flat_map(|rate| SHARES.map(|share| (rate, share)))
}

fn month(world: World, rate: f64, share: f64, seed: u64, outcome: &mut Outcome) {
    let (mut requests, mut pagers) = (Requests::new(world, rate, seed), Pagers::new(share));
    loop {
        let at_ms = requests.next_ms();
        if at_ms >= DAYS * DAY_MS {
            break;
        }
        let is_bad = requests.is_bad(share);
        for (pages, begun) in outcome.pages.iter_mut().zip(pagers.request(at_ms, is_bad)) {
            *pages += f64::from(u8::from(begun));
        }
    }
    outcome.months += 1.0;
}

/// Minutes from the onset, half a day after the start, to the page of each method.
fn onset_delays(world: World, rate: f64, share: f64, onset: f64, seed: u64) -> [f64; 4] {
    let (mut requests, mut pagers) = (Requests::new(world, rate, seed), Pagers::new(share));
    let (from_ms, mut delays) = (DAY_MS / 2, [f64::INFINITY; 4]);
    loop {
        let at_ms = requests.next_ms();
        if at_ms >= from_ms + SEEN_WITHIN_MS || delays.iter().all(|delay| delay.is_finite()) {
            return delays;
        }
        let is_bad = requests.is_bad(if at_ms >= from_ms { onset } else { share });
        pagers.request(at_ms, is_bad);
        if at_ms >= from_ms {
            for (delay, firing) in delays.iter_mut().zip(pagers.firing) {
                if firing && delay.is_infinite() {
                    *delay = (at_ms - from_ms) as f64 / 60_000.0;
                }
            }
        }
    }
}
