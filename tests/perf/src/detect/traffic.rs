//! Ordinary traffic, second by second: daily rhythm, bursts, errors in heaps, latencies with heavy tails,
//! stalls. Nothing of it is an incident.

use goldentime_detect::Counts;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::World;
use super::random::{binomial, exponential, normal, poisson};

const DAY_S: f64 = 86_400.0;

/// Sizes and habits of one service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    /// Requests a second at noon, about.
    pub(super) rate: f64,
    /// Share of requests that fail usually.
    pub(super) errors: f64,
}

/// One second of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    pub(super) errors: Counts,
    /// By how much everything is slower than usual.
    pub(super) slowness: f64,
    /// Share of requests that are slow whatever the threshold: a stall.
    pub(super) stalled: f64,
}

/// The seconds of one service.
pub(super) struct Traffic {
    pub(super) random: StdRng,
    service: Service,
    world: World,
    second: f64,
    phase: f64,
    /// Wandering logarithms: of the rate, of the share of errors, of the latency.
    wander: [f64; 3],
    burst: (f64, f64),
    next_burst: f64,
    next_heap: f64,
    next_stall: f64,
    stall_until: f64,
    bad_spell: bool,
}

impl Traffic {
    pub(super) fn new(world: World, service: Service, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let phase = random.random::<f64>();
        let first = exponential(&mut random, 7200.0);
        Self {
            random,
            service,
            world,
            second: 0.0,
            phase,
            wander: [0.0; 3],
            burst: (0.0, 1.0),
            next_burst: first,
            next_heap: first,
            next_stall: first,
            stall_until: 0.0,
            bad_spell: false,
        }
    }

    /// The next second; `failing` is the share that fails besides what is usual.
    pub(super) fn next(&mut self, failing: f64) -> Second {
        self.second += 1.0;
        let rhythm = self.rhythm();
        self.wander();
        let rate = self.service.rate * rhythm * self.burst() * self.wander[0].exp();
        let total = poisson(&mut self.random, rate);
        let share = self.share(rhythm);
        let share = (share + failing * (1.0 - share)).min(1.0);
        let bad = binomial(&mut self.random, total, share) + self.heap();
        let total = total.max(bad);
        Second {
            errors: Counts::new(bad, total),
            slowness: ((rhythm - 1.0) * 0.15 + self.wander[2]).exp(),
            stalled: self.stall(),
        }
    }

    /// A wave in the one world; office hours, steep mornings and a quieter weekend in the other.
    fn rhythm(&self) -> f64 {
        let day = self.second / DAY_S + self.phase;
        match self.world {
            World::Tuning => 1.0 + 0.6 * (day * std::f64::consts::TAU).sin(),
            World::HeldOut => {
                let hour = day.fract() * 24.0;
                let edge = |at: f64| 1.0 / (1.0 + (-(hour - at) * 3.0).exp());
                let weekend = if day.floor().rem_euclid(7.0) >= 5.0 { 0.5 } else { 1.0 };
                (0.25 + 1.1 * (edge(8.0) - edge(19.0))) * weekend
            }
        }
    }

    fn wander(&mut self) {
        // Standard deviation, and seconds over which it is forgotten.
        let habits = match self.world {
            World::Tuning => [(0.15, 30.0), (0.5, 60.0), (0.08, 120.0)],
            World::HeldOut => [(0.3, 45.0), (0.4, 200.0), (0.12, 90.0)],
        };
        for (log, (deviation, memory_s)) in self.wander.iter_mut().zip(habits) {
            let keep = (-1.0_f64 / memory_s).exp();
            let fresh = (1.0 - keep * keep).sqrt() * deviation;
            *log = *log * keep + fresh * normal(&mut self.random);
        }
    }

    /// Four times a day, for a minute or two, several times as many requests.
    fn burst(&mut self) -> f64 {
        if self.second >= self.next_burst {
            let times = match self.world {
                World::Tuning => self.random.random_range(2.0..4.0),
                World::HeldOut => self.random.random_range(0.0_f64..1.0).powf(-0.5).min(8.0),
            };
            self.burst = (self.second + self.random.random_range(20.0..150.0), times);
            self.next_burst = self.second + exponential(&mut self.random, DAY_S / 4.0);
        }
        if self.second < self.burst.0 { self.burst.1 } else { 1.0 }
    }

    fn share(&mut self, rhythm: f64) -> f64 {
        let usual = self.service.errors;
        match self.world {
            World::Tuning => usual * (1.0 + 0.4 * (rhythm - 1.0)) * (self.wander[1] - 0.125).exp(),
            World::HeldOut => {
                // Spells of a minute or two in which more than twice as much fails.
                let turn = if self.bad_spell { 1.0 / 90.0 } else { 1.0 / 2400.0 };
                self.bad_spell ^= self.random.random_bool(turn);
                usual * if self.bad_spell { 2.5 } else { 0.95 } * (self.wander[1] - 0.08).exp()
            }
        }
    }

    /// Now and then some requests fail together: one client that tries again and again.
    fn heap(&mut self) -> u64 {
        if self.second < self.next_heap {
            return 0;
        }
        self.next_heap = self.second + exponential(&mut self.random, 3600.0);
        let most = (self.service.rate * 0.1).max(2.0);
        match self.world {
            World::Tuning => exponential(&mut self.random, most * 0.3).min(most) as u64,
            World::HeldOut => {
                let tail = self.random.random_range(f64::MIN_POSITIVE..1.0).powf(-1.0 / 1.5);
                (tail * most * 0.15).min(most * 2.0) as u64
            }
        }
    }

    /// A second or two in which most requests wait, some times a day.
    fn stall(&mut self) -> f64 {
        if self.second >= self.next_stall {
            self.stall_until = self.second + f64::from(self.random.random_range(1_u8..3));
            self.next_stall = self.second + exponential(&mut self.random, DAY_S / 6.0);
        }
        if self.second < self.stall_until { self.random.random_range(0.4..1.0) } else { 0.0 }
    }
}

/// Share of latencies above `times` the median: a lognormal body with a Pareto tail.
pub(super) fn share_above(world: World, times: f64) -> f64 {
    let (spread, part, index) = match world {
        World::Tuning => (0.5, 0.03, 1.5),
        World::HeldOut => (0.35, 0.06, 1.1),
    };
    let body = (1.0 / (1.0 + (1.702 * times.ln() / spread).exp())) * (1.0 - part);
    body + part * (times / 2.0).max(1.0).powf(-index)
}
