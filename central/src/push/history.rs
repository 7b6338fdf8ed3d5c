//! The last five minutes of one service, a point a second.

use std::collections::VecDeque;

use goldentime_model::Second;
use goldentime_windows::Aggregate;

use super::frame::{History, Point, StraySecond};
use super::strays::Strays;

/// Seconds that are kept and shown.
pub const HISTORY_S: usize = 300;

/// Memory of one service's ring, in bytes.
pub const RING_BYTES: u64 = (HISTORY_S * size_of::<Point>()) as u64;

/// The quantiles that are shown.
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// A ring of points. Index 0 is the second `from`; a second that nothing is known of is a point
/// without values.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    points: VecDeque<Point>,
}

impl Ring {
    /// Writes a point; gives whether it differs from what stood there. Points older than the ring are
    /// passed over.
    pub fn write(&mut self, point: Point) -> bool {
        let Some(newest) = self.points.back().map(|newest| newest.s) else {
            self.points.push_back(point);
            return true;
        };
        if point.s > newest {
            if point.s - newest > HISTORY_S as i64 {
                self.points.clear();
            } else {
                self.points.extend((newest + 1..point.s).map(unknown));
            }
            self.points.push_back(point);
            while self.points.len() > HISTORY_S {
                self.points.pop_front();
            }
            return true;
        }
        let back = usize::try_from(newest - point.s).unwrap_or(usize::MAX);
        if back >= HISTORY_S {
            return false;
        }
        while back >= self.points.len() {
            let first = self.points.front().map_or(point.s, |first| first.s);
            self.points.push_front(unknown(first - 1));
        }
        let at = self.points.len() - 1 - back;
        let differs = self.points[at] != point;
        self.points[at] = point;
        differs
    }

    /// The point of a second, if it is in the ring.
    #[must_use]
    pub fn at(&self, second: Second) -> Option<&Point> {
        let first = self.points.front()?.s;
        self.points.get(usize::try_from(second.0 - first).ok()?)
    }

    /// The newest second that something is known of.
    #[must_use]
    pub fn newest_known(&self) -> Option<&Point> {
        self.points.iter().rev().find(|point| point.traffic.is_some() || point.saturation.is_some())
    }

    /// The ring as columns that end with the second `until`.
    #[must_use]
    pub fn columns(&self, until: Second) -> History {
        let from = until.offset(1 - HISTORY_S as i64);
        let mut columns = History { from_s: from.0, ..History::default() };
        for second in from.0..=until.0 {
            let point = self.at(Second(second)).copied().unwrap_or_default();
            columns.traffic.push(point.traffic);
            columns.errors.push(point.errors);
            columns.p50_ms.push(point.p50_ms);
            columns.p95_ms.push(point.p95_ms);
            columns.p99_ms.push(point.p99_ms);
            columns.saturation.push(point.saturation);
            if !point.strays.is_empty() {
                columns.strays.push(StraySecond { s: second, strays: point.strays });
            }
        }
        columns
    }
}

/// A second of which nothing is known.
const fn unknown(second: i64) -> Point {
    Point {
        s: second,
        traffic: None,
        errors: None,
        p50_ms: None,
        p95_ms: None,
        p99_ms: None,
        saturation: None,
        strays: Strays { latency: None, errors: None, traffic: None, saturation: None },
    }
}

/// What a second's requests show.
#[must_use]
pub fn point(second: Second, total: &Aggregate, saturation: Option<f64>) -> Point {
    let requests = total.counts.total();
    let mut quantiles = [0.0; QUANTILES.len()];
    let timed = total.latency.quantiles(&QUANTILES, &mut quantiles);
    let [p50_ms, p95_ms, p99_ms] = quantiles.map(|seconds| timed.then_some(round(seconds * 1000.0)));
    Point {
        s: second.0,
        traffic: Some(requests as f64),
        errors: error_ratio(total),
        p50_ms,
        p95_ms,
        p99_ms,
        saturation: saturation.map(round),
        strays: Strays::default(),
    }
}

/// Share of bad requests; none without requests.
#[must_use]
pub fn error_ratio(total: &Aggregate) -> Option<f64> {
    let requests = total.counts.total();
    (requests > 0).then(|| round(total.counts.bad() as f64 / requests as f64))
}

/// Five significant digits: a tenth of the sketch's error, and half the bytes on the wire.
#[must_use]
pub fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powi(4 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64, traffic: f64) -> Point {
        Point { s, traffic: Some(traffic), ..Point::default() }
    }

    #[test]
    fn a_gap_is_unknown_and_not_zero() {
        let mut ring = Ring::default();
        assert!(ring.write(at(10, 1.0)));
        assert!(ring.write(at(13, 2.0)));
        assert_eq!(ring.at(Second(11)).and_then(|point| point.traffic), None);
        assert_eq!(ring.columns(Second(13)).traffic[HISTORY_S - 4..], [Some(1.0), None, None, Some(2.0)]);
    }

    #[test]
    fn a_late_second_is_written_into_its_place_and_told_once() {
        let mut ring = Ring::default();
        ring.write(at(10, 1.0));
        assert!(ring.write(at(7, 3.0)), "older than all that is known");
        assert!(!ring.write(at(7, 3.0)), "the same again");
        assert!(ring.write(at(7, 4.0)));
        assert_eq!(ring.at(Second(7)).and_then(|point| point.traffic), Some(4.0));
        assert_eq!(ring.at(Second(8)).and_then(|point| point.traffic), None);
    }

    #[test]
    fn the_ring_forgets_what_is_older_than_five_minutes() {
        let mut ring = Ring::default();
        for s in 0..1000 {
            ring.write(at(s, 1.0));
        }
        assert_eq!(ring.points.len(), HISTORY_S);
        assert_eq!(ring.at(Second(699)), None);
        assert!(!ring.write(at(5, 1.0)));
        assert!(ring.write(at(5000, 1.0)), "a service that comes back after a long time");
        assert_eq!(ring.points.len(), 1);
    }

    #[test]
    fn rounding_keeps_five_digits_of_any_size() {
        assert_eq!(round(0.000_123_456_7), 0.000_123_46);
        assert_eq!(round(123_456.7), 123_460.0);
        assert_eq!(round(0.0), 0.0);
    }
}
