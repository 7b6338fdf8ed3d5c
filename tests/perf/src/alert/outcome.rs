//! What the trials say: times from the tipping request and from the onset, by rule and over all.

use std::collections::BTreeMap;

use goldentime_model::UnixNanos;
use goldentime_testkit::oracle::{AccessLine, quantile};

use super::oracle::tipping;
use super::rules::Rule;
use super::trial::Trial;

/// Milliseconds of one side.
#[derive(Default)]
pub struct Side {
    /// From the tipping request to the webhook.
    pub tipping_ms: Vec<f64>,
    /// From the onset to the webhook.
    pub onset_ms: Vec<f64>,
    /// Trials without a page.
    pub missed: usize,
}

/// Both sides.
#[derive(Default)]
pub struct Outcome {
    /// Goldentime.
    pub ours: Side,
    /// The peer.
    pub peer: Side,
    /// Trials in which nginx's log shows no tipping request; they are left out.
    pub without_tipping: usize,
}

impl Side {
    fn add(&mut self, tipped: UnixNanos, onset: UnixNanos, paged: Option<UnixNanos>) {
        match paged {
            Some(at) => {
                self.tipping_ms.push(at.since(tipped) as f64 / 1e6);
                self.onset_ms.push(at.since(onset) as f64 / 1e6);
            }
            None => self.missed += 1,
        }
    }

    /// The quantile of the time since the tipping request; NaN without any page.
    #[must_use]
    pub fn tipping(&self, q: f64) -> f64 {
        quantile(&self.tipping_ms, q).unwrap_or(f64::NAN)
    }

    /// The quantile of the time since the onset; NaN without any page.
    #[must_use]
    pub fn onset(&self, q: f64) -> f64 {
        quantile(&self.onset_ms, q).unwrap_or(f64::NAN)
    }
}

/// Puts trials and logs together, by rule. `logs` holds each service's lines in order of their ends.
#[must_use]
pub fn outcomes(trials: &[Trial], logs: &BTreeMap<String, Vec<AccessLine>>) -> BTreeMap<Rule, Outcome> {
    let mut outcomes: BTreeMap<Rule, Outcome> = BTreeMap::new();
    for trial in trials {
        let lines = logs.get(&trial.service).map_or(&[][..], Vec::as_slice);
        for (rule, ours, peer) in &trial.pages {
            let outcome = outcomes.entry(*rule).or_default();
            let Some(tipped) = tipping(lines, *rule, trial.onset) else {
                outcome.without_tipping += 1;
                continue;
            };
            outcome.ours.add(tipped, trial.onset, *ours);
            outcome.peer.add(tipped, trial.onset, *peer);
        }
    }
    outcomes
}

/// All rules together.
#[must_use]
pub fn together(outcomes: BTreeMap<Rule, Outcome>) -> Outcome {
    let mut all = Outcome::default();
    for (_, outcome) in outcomes {
        for (sum, side) in [(&mut all.ours, outcome.ours), (&mut all.peer, outcome.peer)] {
            sum.tipping_ms.extend(side.tipping_ms);
            sum.onset_ms.extend(side.onset_ms);
            sum.missed += side.missed;
        }
        all.without_tipping += outcome.without_tipping;
    }
    all
}
