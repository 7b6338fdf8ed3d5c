//! What one second says of one signal, and how much of that may be chance.

/// One second of one signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// Share of requests that ended badly.
    Errors {
        /// Bad requests.
        bad: f64,
        /// All requests; more than 0.
        total: f64,
    },
    /// A quantile of the latencies, compared by its logarithm: twice as slow is as far from the usual as
    /// half as slow.
    Latency {
        /// The quantile in seconds; more than 0.
        seconds: f64,
        /// Which one, above 0 and below 1.
        quantile: f64,
        /// Requests that it is taken of; more than 0.
        requests: f64,
    },
    /// Number of requests.
    Traffic {
        /// Requests.
        requests: f64,
    },
    /// How full something is.
    Saturation {
        /// In the metric's own unit; 1 is full for a utilisation.
        utilization: f64,
    },
}

/// Errors are never reckoned rarer than this: one of a thousand is no surge where none was usual.
const ERRORS_LEAST: f64 = 0.0025;
/// Requests are never reckoned rarer than this in a second.
const REQUESTS_LEAST: f64 = 0.1;
/// Narrowest width of the usual for a logarithm of latency: 5%.
const LATENCY_WIDTH: f64 = 0.048_790_164_169_432;
/// Narrowest width of the usual for traffic, as a share of the usual.
const TRAFFIC_WIDTH: f64 = 0.05;
/// Narrowest width of the usual for a utilisation: two points.
pub(super) const SATURATION_WIDTH: f64 = 0.02;

impl Reading {
    /// What is compared.
    #[must_use]
    pub fn value(&self) -> f64 {
        match *self {
            Self::Errors { bad, total } => bad / total,
            Self::Latency { seconds, .. } => seconds.ln(),
            Self::Traffic { requests } => requests,
            Self::Saturation { utilization } => utilization,
        }
    }

    /// The width that the usual has at least: a series that never moved does not stray by a
    /// millisecond.
    pub(super) fn width_least(&self, median: f64) -> f64 {
        match self {
            Self::Errors { .. } => ERRORS_LEAST,
            Self::Latency { .. } => LATENCY_WIDTH,
            Self::Traffic { .. } => (median * TRAFFIC_WIDTH).max(1.0),
            Self::Saturation { .. } => SATURATION_WIDTH,
        }
    }

    /// How many standard deviations the reading lies from `usual` by the chance of its own few
    /// requests alone; infinite where there is no chance in it.
    ///
    /// Counts are compared by their signed root deviance (McCullagh and Nelder, *Generalized Linear
    /// Models*, 1989, section 2.4), which follows the normal distribution far into its tail
    /// where (x − np)/√np(1−p) does not: one error of three requests is 2.6, four of four are 6.7. The
    /// deviation of a sample's quantile is that of exponential latencies.
    pub(super) fn chance(&self, median: f64, mean: f64) -> f64 {
        match *self {
            Self::Errors { bad, total } => {
                let usual = mean.clamp(ERRORS_LEAST, 1.0 - ERRORS_LEAST);
                let deviance = ratio(bad, total * usual) + ratio(total - bad, total * (1.0 - usual));
                signed_root(deviance, bad - total * usual)
            }
            Self::Traffic { requests } => {
                let usual = mean.max(REQUESTS_LEAST);
                signed_root(ratio(requests, usual) - (requests - usual), requests - usual)
            }
            Self::Latency { requests, quantile, .. } => {
                let deviation = (quantile / (1.0 - quantile)).sqrt() / -(1.0 - quantile).ln();
                (self.value() - median) * requests.sqrt() / deviation
            }
            Self::Saturation { .. } => f64::INFINITY.copysign(self.value() - median),
        }
    }

    /// The reading if `missing` further requests came and ended well, and if they ended badly.
    pub(super) fn with_missing(self, missing: f64) -> [Self; 2] {
        match self {
            Self::Errors { bad, total } => {
                let total = total + missing;
                [Self::Errors { bad, total }, Self::Errors { bad: bad + missing, total }]
            }
            Self::Traffic { requests } => [self, Self::Traffic { requests: requests + missing }],
            Self::Latency { .. } | Self::Saturation { .. } => [self; 2],
        }
    }
}

/// `seen · ln(seen / expected)`.
fn ratio(seen: f64, expected: f64) -> f64 {
    if seen > 0.0 { seen * (seen / expected).ln() } else { 0.0 }
}

fn signed_root(half_deviance: f64, side: f64) -> f64 {
    (2.0 * half_deviance).max(0.0).sqrt().copysign(side)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(bad: f64, total: f64) -> f64 {
        Reading::Errors { bad, total }.chance(0.005, 0.005)
    }

    #[test]
    fn one_error_of_three_requests_may_be_chance_and_four_of_four_are_not() {
        assert!((2.0..3.5).contains(&errors(1.0, 3.0)), "{}", errors(1.0, 3.0));
        assert!(errors(1.0, 1.0) < 4.0, "{}", errors(1.0, 1.0));
        assert!(errors(4.0, 4.0) > 6.0, "{}", errors(4.0, 4.0));
        assert!(errors(0.0, 200.0) < 0.0);
    }

    #[test]
    fn silence_is_no_chance_where_many_requests_are_usual() {
        let silence = |mean| Reading::Traffic { requests: 0.0 }.chance(mean, mean);
        assert!(silence(3.0) > -3.0);
        assert!(silence(30.0) < -6.0);
    }

    #[test]
    fn nothing_in_a_second_makes_a_score_that_is_no_number() {
        for mean in [0.0, 0.5, 1.0] {
            assert!(Reading::Errors { bad: 0.0, total: 1.0 }.chance(mean, mean).is_finite());
            assert!(Reading::Errors { bad: 1.0, total: 1.0 }.chance(mean, mean).is_finite());
            assert!(Reading::Traffic { requests: 0.0 }.chance(mean, mean).is_finite());
        }
    }
}
