//! An agent's clock against its central's, as in RFC 5905 (NTP): section 8 for the four timestamps,
//! section 10 for the filter that believes the exchange with the shortest way of the last eight.

use std::collections::VecDeque;

use goldentime_model::UnixNanos;

/// Exchanges that the filter looks at (NSTAGE of RFC 5905).
const STAGES: usize = 8;

/// A way longer than this says nothing about a clock (MAXDISP of RFC 5905 is 16 s).
const DELAY_NS_MAX: i64 = 16_000_000_000;

/// One exchange of a ping and its pong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// T1: sent, by the agent's clock.
    pub sent: UnixNanos,
    /// T2: received, by the central's clock.
    pub received: UnixNanos,
    /// T3: replied, by the central's clock.
    pub replied: UnixNanos,
    /// T4: the reply received, by the agent's clock.
    pub returned: UnixNanos,
}

impl Exchange {
    /// Central's clock minus agent's, in nanoseconds: ((T2 − T1) + (T3 − T4)) / 2.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        let there = i128::from(self.received.0) - i128::from(self.sent.0);
        let back = i128::from(self.replied.0) - i128::from(self.returned.0);
        i64::try_from((there + back) / 2).unwrap_or(if there + back > 0 { i64::MAX } else { i64::MIN })
    }

    /// Nanoseconds on the way there and back: (T4 − T1) − (T3 − T2).
    #[must_use]
    pub const fn delay_ns(&self) -> i64 {
        self.returned.since(self.sent).saturating_sub(self.replied.since(self.received))
    }
}

/// The offset by which an agent corrects its clock.
#[derive(Clone, Debug, Default)]
pub struct OffsetFilter {
    /// (delay, offset) of the newest exchanges, oldest first.
    stages: VecDeque<(i64, i64)>,
}

impl OffsetFilter {
    /// Takes an exchange in; tells whether it could be believed at all (a clock that was set between
    /// ping and pong makes the way negative or absurd).
    pub fn add(&mut self, exchange: &Exchange) -> bool {
        let delay = exchange.delay_ns();
        if !(0..=DELAY_NS_MAX).contains(&delay) {
            return false;
        }
        if self.stages.len() == STAGES {
            self.stages.pop_front();
        }
        self.stages.push_back((delay, exchange.offset_ns()));
        true
    }

    /// What to add to the agent's clock to get the central's, in nanoseconds; `None` before the first
    /// exchange. Off by at most half the way, were that all in one direction; an offset within that is none:
    /// a clock that may be right is left alone, and its events stay in the seconds that its logs name.
    #[must_use]
    pub fn offset_ns(&self) -> Option<i64> {
        let &(delay, offset) = self.stages.iter().min_by_key(|(delay, _)| *delay)?;
        Some(if offset.unsigned_abs() <= delay.unsigned_abs() / 2 { 0 } else { offset })
    }

    /// Forgets everything, because the local clock was set.
    pub fn clear(&mut self) {
        self.stages.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(offset: i64, there: i64, back: i64) -> Exchange {
        let sent = 1_000_000_000_000;
        let received = sent + offset + there;
        let replied = received + 50_000;
        Exchange {
            sent: UnixNanos(sent),
            received: UnixNanos(received),
            replied: UnixNanos(replied),
            returned: UnixNanos(replied - offset + back),
        }
    }

    #[test]
    fn a_clock_ten_minutes_off_is_measured_exactly_over_an_even_way() {
        let off = -600_000_000_000;
        let measured = exchange(off, 2_000_000, 2_000_000);
        assert_eq!(measured.offset_ns(), off);
        assert_eq!(measured.delay_ns(), 4_000_000);
    }

    #[test]
    fn the_exchange_with_the_shortest_way_is_believed() {
        let mut filter = OffsetFilter::default();
        assert_eq!(filter.offset_ns(), None);
        assert!(filter.add(&exchange(5_000_000, 80_000_000, 1_000_000)));
        assert!(filter.add(&exchange(5_000_000, 1_000_000, 1_000_000)));
        assert!(filter.add(&exchange(5_000_000, 1_000_000, 300_000_000)));
        assert_eq!(filter.offset_ns(), Some(5_000_000));
    }

    #[test]
    fn an_old_exchange_is_forgotten_so_that_drift_is_followed() {
        let mut filter = OffsetFilter::default();
        filter.add(&exchange(1_000_000, 1_000, 1_000));
        for _ in 0..STAGES {
            filter.add(&exchange(9_000_000, 2_000, 2_000));
        }
        assert_eq!(filter.offset_ns(), Some(9_000_000));
    }

    #[test]
    fn a_clock_that_may_be_right_is_not_corrected_however_uneven_the_way() {
        for (there, back) in [(0, 9_000_000), (9_000_000, 0), (2_000_000, 1_000_000), (1, 0)] {
            let mut filter = OffsetFilter::default();
            filter.add(&exchange(0, there, back));
            assert_eq!(filter.offset_ns(), Some(0), "{there} ns there, {back} ns back");
        }
        let mut filter = OffsetFilter::default();
        filter.add(&exchange(-3_000_000, 1_000_000, 1_000_000));
        assert_eq!(filter.offset_ns(), Some(-3_000_000));
    }

    #[test]
    fn an_exchange_during_which_the_clock_was_set_is_not_believed() {
        let mut filter = OffsetFilter::default();
        assert!(!filter.add(&exchange(0, 1_000, -3_600_000_000_000)));
        assert!(!filter.add(&exchange(0, 1_000, 3_600_000_000_000)));
        assert_eq!(filter.offset_ns(), None);
    }
}
