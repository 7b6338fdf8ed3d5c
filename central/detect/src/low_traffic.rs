//! Whether few requests are evidence of a bad share, or may be chance.
//!
//! For a share `p0` that is allowed and an alternative `p > p0`, the likelihood ratio of the requests seen
//! is a supermartingale as long as the true share is at most `p0`. A mixture over alternatives (Robbins,
//! *Statistical methods related to the law of the iterated logarithm*, 1970; Howard, Ramdas, McAuliffe and
//! Sekhon, *Time-uniform, nonparametric, nonasymptotic confidence sequences*, 2021) needs no guess of how bad
//! it is. So that good requests of before do not outweigh an outage of now, a new test begins all the time:
//! the e-detector of Shin, Ramdas and Rinaldo (*E-detectors*, 2024), in its CUSUM form (Page 1954).
//!
//! A test that begins at a request weighs as many seconds as passed since the request before (at most
//! [`PAUSE_S_MAX`]). The weighted sum of all tests then grows by one a second on average at most, and the
//! time until it reaches [`FALSE_ALARM_EVERY_S`] is, whatever the traffic, that long on average at least:
//! that is the false-alarm rate, for independent requests whose true share is the allowed one. The maximum
//! that is kept here instead of the sum lies below it.

use crate::bytes::{DecodeError, Reader, Writer};

/// On average it takes at least so long until a service that fails exactly as often as allowed is taken for
/// one that fails more often; one that fails less often is so far more seldom. Half a year.
pub const FALSE_ALARM_EVERY_S: f64 = 180.0 * 86_400.0;

/// A pause counts at most so much, so that a long one does not make the next errors more telling.
pub const PAUSE_S_MAX: f64 = 60.0;

/// Alternatives that are weighed.
const ALTERNATIVES: usize = 6;
/// The highest alternative: nearly everything fails.
const SHARE_MAX: f64 = 0.95;
/// Weight of the highest alternative; the others share the rest.
const WEIGHT_OF_OUTAGE: f64 = 0.4;
/// A rule that allows more is tested against this: otherwise not even a total outage would be evidence.
const ALLOWED_MAX: f64 = 0.2;
/// Evidence does not grow further above the alarm, so that it does not take long to be gone.
const SURPLUS: f64 = 3.0;
/// An outage is over when the requests since are so many times likelier under an allowed share.
const OVER: f64 = 20.0;
const VERSION: u8 = 1;

/// The test of one rule: what each request is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct LowTraffic {
    alternatives: [Alternative; ALTERNATIVES],
    alarm: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Alternative {
    bad: f64,
    good: f64,
    log_weight: f64,
    over_bad: f64,
    over_good: f64,
}

/// What one series has shown so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    logs: [f64; ALTERNATIVES],
    at_ms: i64,
    /// While an alarm lasts: which alternative raised it, and the evidence that it is over.
    alarm: Option<(u8, f64)>,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { logs: [f64::NEG_INFINITY; ALTERNATIVES], at_ms: i64::MIN, alarm: None }
    }
}

impl LowTraffic {
    /// Tests whether more than `allowed` (a share) of the requests are bad. Where none may be, every bad one
    /// is evidence enough.
    #[must_use]
    pub fn new(allowed: f64) -> Self {
        let null = allowed.clamp(f64::MIN_POSITIVE, ALLOWED_MAX);
        let odds = |share: f64| share / (1.0 - share);
        let (lowest, highest) = ((2.0 * odds(null)).ln(), odds(SHARE_MAX).ln());
        let mut alternatives = [Alternative::default(); ALTERNATIVES];
        for (at, alternative) in alternatives.iter_mut().enumerate() {
            let part = at as f64 / (ALTERNATIVES - 1) as f64;
            let share = 1.0 / (1.0 + (-(lowest + part * (highest - lowest))).exp());
            let is_outage = at == ALTERNATIVES - 1;
            let rest = (1.0 - WEIGHT_OF_OUTAGE) / (ALTERNATIVES - 1) as f64;
            // Whether it is over is asked between what is allowed and what was found.
            let (between, calm) = ((null * share).sqrt(), null / 2.0);
            *alternative = Alternative {
                bad: (share / null).ln(),
                good: ((1.0 - share) / (1.0 - null)).ln(),
                log_weight: if is_outage { WEIGHT_OF_OUTAGE } else { rest }.ln(),
                over_bad: (calm / between).ln(),
                over_good: ((1.0 - calm) / (1.0 - between)).ln(),
            };
        }
        Self { alternatives, alarm: FALSE_ALARM_EVERY_S.ln() }
    }

    /// Takes requests that ended at about `at_ms` of event time and were not told of before.
    pub fn observe(&self, evidence: &mut Evidence, at_ms: i64, bad: f64, good: f64) {
        if bad + good <= 0.0 {
            return;
        }
        let passed_s = at_ms.saturating_sub(evidence.at_ms) as f64 / 1000.0;
        let log_pause = passed_s.clamp(0.0, PAUSE_S_MAX).ln();
        evidence.at_ms = evidence.at_ms.max(at_ms);
        for (log, of) in evidence.logs.iter_mut().zip(&self.alternatives) {
            let since = log.max(log_pause + of.log_weight);
            *log = (since + bad * of.bad + good * of.good).min(self.alarm + SURPLUS);
        }
        if let Some((which, over)) = &mut evidence.alarm {
            let of = &self.alternatives[usize::from(*which)];
            *over = (*over + bad * of.over_bad + good * of.over_good).clamp(0.0, OVER.ln() + SURPLUS);
        }
    }

    /// Whether there is evidence enough, even if `missing` further requests came and all were good.
    #[must_use]
    pub fn is_enough(&self, evidence: &Evidence, missing: f64) -> bool {
        self.strongest(evidence, missing).1 >= self.alarm
    }

    /// Whether `missing` further requests, all bad, would make the evidence enough.
    #[must_use]
    pub fn could_be_enough(&self, evidence: &Evidence, missing: f64) -> bool {
        let logs = evidence.logs.iter().zip(&self.alternatives);
        logs.map(|(log, of)| log.max(of.log_weight) + missing.max(0.0) * of.bad).any(|log| log >= self.alarm)
    }

    /// An alert was raised on this: from now on evidence is gathered that it is over.
    pub fn raise(&self, evidence: &mut Evidence) {
        if evidence.alarm.is_none() {
            evidence.alarm = Some((self.strongest(evidence, 0.0).0 as u8, 0.0));
        }
    }

    /// Whether what was raised is over, even if `missing` further requests came and all were bad; also where
    /// nothing was raised.
    #[must_use]
    pub fn is_over(&self, evidence: &Evidence, missing: f64) -> bool {
        evidence.alarm.is_none_or(|(which, over)| {
            let of = &self.alternatives[usize::from(which)];
            over + missing.max(0.0) * of.over_bad >= OVER.ln()
        })
    }

    fn strongest(&self, evidence: &Evidence, missing: f64) -> (usize, f64) {
        let logs = evidence.logs.iter().zip(&self.alternatives);
        let logs = logs.map(|(log, of)| log + missing.max(0.0) * of.good);
        logs.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f64::NEG_INFINITY))
    }
}

impl Evidence {
    /// Forgets everything but the time: what was raised is over.
    pub fn clear(&mut self) {
        *self = Self { at_ms: self.at_ms, ..Self::default() };
    }

    /// This or `other`, whichever is stronger: both are of the same series.
    #[must_use]
    pub fn or_stronger(self, other: Self) -> Self {
        let strength = |evidence: &Self| {
            let strongest = evidence.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if evidence.is_raised() { f64::INFINITY } else { strongest }
        };
        if strength(&other) > strength(&self) { other } else { self }
    }

    /// Whether an alert was raised on it that is not over.
    #[must_use]
    pub const fn is_raised(&self) -> bool {
        self.alarm.is_some()
    }

    /// Whether anything is lost when this is not kept over a restart.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        self.alarm.is_some() || self.logs.iter().any(|log| *log > PAUSE_S_MAX.ln())
    }

    /// Event time of the newest request, in milliseconds.
    #[must_use]
    pub const fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// Appends this to `bytes`.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let mut writer = Writer(bytes);
        writer.byte(VERSION);
        writer.integer(self.at_ms);
        self.logs.iter().for_each(|log| writer.number(*log));
        let (which, over) = self.alarm.unwrap_or((u8::MAX, 0.0));
        writer.byte(which);
        writer.number(over);
    }

    /// Takes what [`Self::encode`] wrote off the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        reader.version(VERSION)?;
        let at_ms = reader.integer()?;
        let mut logs = [0.0; ALTERNATIVES];
        for log in &mut logs {
            *log = reader.number(f64::NEG_INFINITY)?;
        }
        let (which, over) = (reader.byte()?, reader.number(0.0)?);
        if which != u8::MAX && usize::from(which) >= ALTERNATIVES {
            return Err(DecodeError::Number);
        }
        Ok(Self { logs, at_ms, alarm: (which != u8::MAX).then_some((which, over)) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// One request a minute; returns after how many of these outcomes an alarm is raised.
    fn alarm_after(test: &LowTraffic, outcomes: impl IntoIterator<Item = bool>) -> Option<usize> {
        let mut evidence = Evidence::default();
        for (at, is_bad) in outcomes.into_iter().enumerate() {
            let bad = f64::from(u8::from(is_bad));
            test.observe(&mut evidence, at as i64 * 60_000, bad, 1.0 - bad);
            if test.is_enough(&evidence, 0.0) {
                return Some(at + 1);
            }
        }
        None
    }

    #[test]
    fn one_error_of_three_requests_is_no_evidence_and_an_outage_is_within_five() {
        let test = LowTraffic::new(0.05);
        assert_eq!(alarm_after(&test, [false, true, false]), None);
        assert_eq!(alarm_after(&test, [true, false, true]), None);
        let calm = std::iter::repeat_n(false, 10_000);
        let found = alarm_after(&test, calm.chain(std::iter::repeat_n(true, 20)));
        assert!(found.is_some_and(|at| at <= 10_005), "good operation of before does not delay: {found:?}");
    }

    #[test]
    fn where_no_error_is_allowed_one_is_enough() {
        assert_eq!(alarm_after(&LowTraffic::new(0.0), [false, true]), Some(2));
    }

    #[test]
    fn a_rule_that_allows_nearly_everything_still_sees_an_outage() {
        let found = alarm_after(&LowTraffic::new(1.0), std::iter::repeat_n(true, 20));
        assert!(found.is_some_and(|at| at <= 9), "{found:?}");
    }

    #[test]
    fn bad_requests_that_came_first_are_weighed_with_the_good_ones_that_are_missing() {
        let (test, mut evidence) = (LowTraffic::new(0.05), Evidence::default());
        test.observe(&mut evidence, 0, 6.0, 0.0);
        assert!(test.is_enough(&evidence, 0.0));
        assert!(!test.is_enough(&evidence, 200.0));
        assert!(test.could_be_enough(&evidence, 200.0));
    }

    #[test]
    fn what_was_raised_is_over_when_it_is_and_not_by_one_good_request() {
        let (test, mut evidence) = (LowTraffic::new(0.05), Evidence::default());
        (0..6).for_each(|at| test.observe(&mut evidence, at * 60_000, 1.0, 0.0));
        test.raise(&mut evidence);
        assert!(!test.is_over(&evidence, 0.0));
        test.observe(&mut evidence, 400_000, 0.0, 1.0);
        assert!(!test.is_over(&evidence, 0.0));
        test.observe(&mut evidence, 500_000, 0.0, 30.0);
        assert!(test.is_over(&evidence, 0.0));
        assert!(!test.is_over(&evidence, 3.0));
        evidence.clear();
        assert!(!test.is_enough(&evidence, 0.0) && test.is_over(&evidence, 9.0));
    }

    #[test]
    fn false_alarms_at_the_very_limit_are_rarer_than_stated() {
        let (test, mut evidence, mut alarms) = (LowTraffic::new(0.05), Evidence::default(), 0.0);
        let mut random = StdRng::seed_from_u64(1);
        // Ten years of one request in ten seconds.
        let requests = 10 * 365 * 8640;
        for at in 0..requests {
            let bad = f64::from(u8::from(random.random_bool(0.05)));
            test.observe(&mut evidence, at * 10_000, bad, 1.0 - bad);
            if test.is_enough(&evidence, 0.0) {
                alarms += 1.0;
                evidence.clear();
            }
        }
        let stated = requests as f64 * 10.0 / FALSE_ALARM_EVERY_S;
        assert!(alarms <= stated, "{alarms} alarms of {stated} stated");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_anything_else_is_refused_without_a_panic(
            steps in prop::collection::vec((0_u8..5, 0_u8..50), 0..40), raised: bool, junk: Vec<u8>,
        ) {
            let (test, mut evidence) = (LowTraffic::new(0.01), Evidence::default());
            for (at, (bad, good)) in steps.into_iter().enumerate() {
                test.observe(&mut evidence, at as i64 * 1000, f64::from(bad), f64::from(good));
            }
            if raised {
                test.raise(&mut evidence);
            }
            let mut bytes = Vec::new();
            evidence.encode(&mut bytes);
            let read = Evidence::decode(&mut bytes.as_slice()).expect("readable");
            prop_assert_eq!(read.is_raised(), evidence.is_raised());
            prop_assert_eq!(test.is_enough(&read, 0.0), test.is_enough(&evidence, 0.0));
            prop_assert!(Evidence::decode(&mut &bytes[..bytes.len() - 1]).is_err());
            let _ = Evidence::decode(&mut junk.as_slice());
        }
    }
}
