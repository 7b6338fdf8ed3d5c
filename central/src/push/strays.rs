//! Which seconds of a service's four signals stray from what is usual, for the page: the same scores that
//! rules are judged by, of every service, whether a rule watches it or not.

use std::num::NonZeroI16;

use goldentime_model::indicator::STRAY_THRESHOLD;
use goldentime_model::{Second, ServiceId};
use goldentime_windows::Aggregate;
use serde::{Serialize, Serializer};

use super::frame::Point;
use crate::evaluate::stray::baseline::BASELINE_BYTES;
use crate::evaluate::stray::{Baseline, Reading};

/// A score in tenths, so that a second's four take eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenths(NonZeroI16);

impl Tenths {
    fn of(score: f64) -> Option<Self> {
        NonZeroI16::new((score * 10.0).round() as i16).map(Self)
    }
}

impl Serialize for Tenths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0.get()) / 10.0)
    }
}

/// The signals of one second that stray, and how far; those that do not are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Strays {
    /// Of the p95.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Tenths>,
    /// Of the share of bad requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Tenths>,
    /// Of the requests; negative where there are fewer than usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Tenths>,
    /// Of the saturation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saturation: Option<Tenths>,
}

impl Strays {
    /// Whether no signal strays.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What one second says of each signal: latency, errors, traffic, saturation.
pub type Readings = [Option<Reading>; 4];

/// The readings of a point that is shown, and of the requests behind it.
#[must_use]
pub fn readings(point: &Point, total: Option<&Aggregate>) -> Readings {
    let requests = total.map_or(0.0, |total| total.counts.total() as f64);
    let bad = total.map_or(0.0, |total| total.counts.bad() as f64);
    let timed = total.map_or(0.0, |total| total.latency.count() as f64);
    let latency = point.p95_ms.filter(|ms| *ms > 0.0).map(|ms| Reading::Latency {
        seconds: ms / 1000.0,
        quantile: 0.95,
        requests: timed,
    });
    [
        latency,
        (requests > 0.0).then_some(Reading::Errors { bad, total: requests }),
        point.traffic.map(|requests| Reading::Traffic { requests }),
        point.saturation.map(|utilization| Reading::Saturation { utilization }),
    ]
}

/// What is usual for the signals of one service.
#[derive(Clone, Debug)]
pub struct Usuals {
    signals: [Baseline; 4],
    learned: Option<Second>,
}

/// Memory of what is usual for the signals of one service, in bytes.
pub const BYTES: u64 = 4 * BASELINE_BYTES as u64;

/// Baselines of services are renewed in as many different seconds.
const PHASES: u32 = 10;

impl Usuals {
    /// Nothing is known of the service yet.
    #[must_use]
    pub fn new(service: &ServiceId) -> Self {
        let baseline = Baseline::new(service.partition(PHASES));
        Self { signals: std::array::from_fn(|_| baseline.clone()), learned: None }
    }

    /// Which signals stray in a second. Only traffic strays downwards: the other three get better then.
    #[must_use]
    pub fn strays(&self, readings: &Readings) -> Strays {
        let score = |signal: usize| {
            let score = self.signals[signal].usual()?.score(readings[signal].as_ref()?).sure;
            let strays = score > STRAY_THRESHOLD || (signal == TRAFFIC && score < -STRAY_THRESHOLD);
            if strays { Tenths::of(score) } else { None }
        };
        Strays { latency: score(0), errors: score(1), traffic: score(TRAFFIC), saturation: score(3) }
    }

    /// Learns from a second that changes no more. One that was learned from already is passed over.
    pub fn learn(&mut self, second: Second, readings: &Readings) {
        if self.learned.is_some_and(|learned| second <= learned) {
            return;
        }
        self.learned = Some(second);
        for (baseline, reading) in self.signals.iter_mut().zip(readings) {
            let score = baseline
                .usual()
                .zip(reading.as_ref())
                .map_or(0.0, |(usual, reading)| usual.score(reading).sure);
            baseline.take(second, reading.map(|reading| reading.value()), score.abs() > STRAY_THRESHOLD);
        }
    }
}

/// Place of traffic among the signals.
const TRAFFIC: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn second(traffic: f64, p95_ms: f64, bad: u64) -> Readings {
        let mut total = Aggregate::default();
        total.counts.ok = traffic as u64 - bad;
        total.counts.server_error = bad;
        let _ = total.latency.insert_n(p95_ms / 1000.0, traffic as u64);
        let point = Point { traffic: Some(traffic), p95_ms: Some(p95_ms), ..Point::default() };
        readings(&point, Some(&total))
    }

    #[test]
    fn traffic_strays_both_ways_and_the_other_signals_only_upwards() {
        let service = ServiceId::new("default", "default", "shop").expect("valid");
        let mut usuals = Usuals::new(&service);
        let start = Second(1_700_000_000);
        for at in 0..300 {
            usuals.learn(start.offset(at), &second(200.0 + (at % 5) as f64, 40.0, 10));
        }
        assert!(usuals.strays(&second(202.0, 40.0, 10)).is_empty());
        let slow = usuals.strays(&second(202.0, 400.0, 100));
        assert!(slow.latency.is_some() && slow.errors.is_some() && slow.traffic.is_none());
        let better = usuals.strays(&second(202.0, 4.0, 0));
        assert!(better.is_empty(), "{better:?}");
        let written = |strays: Strays| serde_json::to_value(strays).expect("JSON");
        let fewer = written(usuals.strays(&second(50.0, 40.0, 3)));
        assert!(fewer["traffic"].as_f64().is_some_and(|score| score < -6.0), "{fewer}");
        let none = readings(&Point { traffic: Some(0.0), ..Point::default() }, None);
        assert!(written(usuals.strays(&none))["traffic"].as_f64().is_some_and(|score| score < -6.0));
    }
}
