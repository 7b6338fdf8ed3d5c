//! What one agent sends of one service: at which rate, and what of it is there beyond its progress.

use goldentime_model::Second;

use super::progress::AgentRef;
use crate::evaluate::expectation::Gap;

/// Time constant of the rate's moving average.
const RATE_MS: f64 = 10_000.0;

/// A rate is taken over at least this much event time.
const RATE_SAMPLE_MS: i64 = 1_000;

/// Seconds that are remembered of one feed: whoever reads what others send may say for a minute that some of it
/// is still on its way. Beyond it the oldest is forgotten, and counts as unseen.
const SECONDS_MAX: usize = 80;

/// Events by the second in which they happened.
#[derive(Debug, Default)]
pub struct BySecond(Vec<(Second, u64)>);

impl BySecond {
    /// Adds to a second. There are few, and mostly it is the one that was added to before.
    pub fn add(&mut self, second: Second, events: u64) {
        match self.0.iter_mut().rfind(|(known, _)| *known == second) {
            Some((_, sum)) => *sum = sum.saturating_add(events),
            None => {
                if self.0.len() >= SECONDS_MAX {
                    self.0.remove(0);
                }
                self.0.push((second, events));
            }
        }
    }

    /// Empty again, with its room.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes out what began before `ms`, and gives its sum.
    fn take_before(&mut self, ms: i64) -> u64 {
        let mut sum = 0_u64;
        self.0.retain(|(second, events)| {
            let is_before = starts_ms(*second) < ms;
            sum = sum.saturating_add(if is_before { *events } else { 0 });
            !is_before
        });
        sum
    }

    /// Where the last second ends.
    fn end_ms(&self) -> Option<i64> {
        self.0.iter().map(|(second, _)| starts_ms(second.offset(1))).max()
    }

    fn between(&self, from_ms: i64, until_ms: i64) -> u64 {
        let inside = self.0.iter().filter(|(second, _)| (from_ms..until_ms).contains(&starts_ms(*second)));
        inside.map(|(_, events)| events).sum()
    }
}

const fn starts_ms(second: Second) -> i64 {
    second.start().as_millis()
}

/// One agent and one service.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) agent: AgentRef,
    /// Event time up to which its records say that there is nothing more.
    pub(super) progress_ms: i64,
    /// Its rate.
    pub(super) per_ms: f64,
    has_rate: bool,
    rated_until_ms: i64,
    pending: u64,
    /// What came of seconds that begin beyond its progress. An agent counts nothing there; whoever reads what
    /// others send cannot promise as much as it has.
    ahead: BySecond,
}

impl Feed {
    /// Of which nothing is known before `progress_ms`, or before the first of these events where all lie beyond.
    pub(super) fn since(agent: AgentRef, progress_ms: i64, events: &BySecond) -> Self {
        let first_ms = events.0.iter().map(|(second, _)| starts_ms(*second)).min();
        Self {
            agent,
            progress_ms,
            per_ms: 0.0,
            has_rate: false,
            rated_until_ms: first_ms.map_or(progress_ms, |first_ms| first_ms.max(progress_ms)),
            pending: 0,
            ahead: BySecond::default(),
        }
    }

    /// These came. Everything up to `reached_ms` is there.
    pub(super) fn take(&mut self, events: &BySecond, reached_ms: i64) {
        for (second, events) in &events.0 {
            if starts_ms(*second) >= reached_ms {
                self.ahead.add(*second, *events);
            } else if self.has_rate || reached_ms > self.rated_until_ms {
                // What came with its first progress may be of any length of time before.
                self.pending = self.pending.saturating_add(*events);
            }
        }
        self.pass(reached_ms);
    }

    /// Everything up to `reached_ms` is there.
    pub(super) fn pass(&mut self, reached_ms: i64) {
        self.pending = self.pending.saturating_add(self.ahead.take_before(reached_ms));
        let took_ms = reached_ms.saturating_sub(self.rated_until_ms);
        if took_ms < RATE_SAMPLE_MS {
            return;
        }
        let sample = self.pending as f64 / took_ms as f64;
        let weight = if self.has_rate { 1.0 - (-(took_ms as f64) / RATE_MS).exp() } else { 1.0 };
        self.per_ms += weight * (sample - self.per_ms);
        self.has_rate = true;
        self.pending = 0;
        self.rated_until_ms = reached_ms;
    }

    /// What its rate lets expect of a stretch beyond its progress, less what is there.
    pub(super) fn unseen_between(&self, from_ms: i64, until_ms: i64) -> f64 {
        let missing_ms = until_ms.saturating_sub(from_ms).max(0);
        (self.per_ms * missing_ms as f64 - self.ahead.between(from_ms, until_ms) as f64).max(0.0)
    }

    /// The same as gaps, for who sees no single second: what is there beyond `from_ms` is taken evenly from the
    /// stretch in which it lies.
    pub(super) fn gaps_beyond(&self, from_ms: i64) -> [Gap; 2] {
        let partly_ms = self.ahead.end_ms().unwrap_or(from_ms).max(from_ms);
        let length_ms = partly_ms.saturating_sub(from_ms).max(1);
        let missing = self.unseen_between(from_ms, partly_ms);
        [
            Gap { from_ms, until_ms: partly_ms, per_ms: missing / length_ms as f64 },
            Gap { from_ms: partly_ms, until_ms: i64::MAX, per_ms: self.per_ms },
        ]
    }
}
