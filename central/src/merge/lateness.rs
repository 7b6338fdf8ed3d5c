//! Which second an event may still change, by log time and never by the wall clock, so that a replay
//! gives the same windows.

use goldentime_model::{Second, UnixNanos};
use goldentime_windows::Tier;

/// An event whose second is further behind the log than this is late: it is added to its window as
/// long as that is kept, and never judged.
pub const LATE_S: i64 = 10;

/// An event whose second is further ahead of the log than this has a wrong clock behind it.
pub const FUTURE_S_MAX: i64 = 2;

/// From which second of log time on a cell is not judged any more.
#[must_use]
pub const fn judged_until(tier: Tier, start: Second) -> Second {
    start.offset(tier.width_s() + LATE_S)
}

/// Running maximum of log append time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogTime(UnixNanos);

/// Where an event is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In its own second.
    Own(Second),
    /// It claims to be from the future: in the second in which the log took it, which is the
    /// latest that it can have happened in.
    Clamped(Second),
    /// In its own second, which is not judged any more, as far as windows reach back to it.
    Late(Second),
}

/// Which of its two passes a record is in: what is judged comes first, so that nothing late delays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Into cells that reach the rules.
    Live,
    /// Into cells that came to their end before.
    Late,
}

impl Place {
    /// The second in which it is counted.
    #[must_use]
    pub const fn second(self) -> Second {
        let (Self::Own(second) | Self::Clamped(second) | Self::Late(second)) = self;
        second
    }
}

impl LogTime {
    /// Log time as a checkpoint holds it.
    #[must_use]
    pub const fn restore(at: UnixNanos) -> Self {
        Self(at)
    }

    /// Takes a record's append time.
    pub fn advance(&mut self, append_time: UnixNanos) {
        self.0 = self.0.max(append_time);
    }

    /// The running maximum.
    #[must_use]
    pub const fn now(self) -> UnixNanos {
        self.0
    }

    /// The oldest second that is still judged.
    #[must_use]
    pub const fn oldest_open(self) -> Second {
        self.0.second().offset(-LATE_S)
    }

    /// Whether a cell holds seconds that are still judged. Once it does not, it never does again, so
    /// whatever changes it from then on is late.
    #[must_use]
    pub fn is_judged(self, tier: Tier, start: Second) -> bool {
        start.offset(tier.width_s()) > self.oldest_open()
    }

    /// Whether windows reach back to a cell.
    #[must_use]
    pub fn is_kept(self, tier: Tier, start: Second) -> bool {
        start >= tier.first_kept(self.0.second())
    }

    /// Whether a pass adds to a cell.
    #[must_use]
    pub fn takes(self, pass: Pass, tier: Tier, start: Second) -> bool {
        match pass {
            Pass::Live => self.is_judged(tier, start),
            Pass::Late => !self.is_judged(tier, start) && self.is_kept(tier, start),
        }
    }

    /// Where an event of `second` is counted.
    #[must_use]
    pub fn place(self, second: Second) -> Place {
        let present = self.0.second();
        if second < self.oldest_open() {
            Place::Late(second)
        } else if second > present.offset(FUTURE_S_MAX) {
            Place::Clamped(present)
        } else {
            Place::Own(second)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> LogTime {
        LogTime::restore(Second(second).start())
    }

    #[test]
    fn an_event_is_late_when_the_log_is_more_than_ten_seconds_ahead_of_it() {
        assert_eq!(at(100).place(Second(90)), Place::Own(Second(90)));
        assert_eq!(at(100).place(Second(89)), Place::Late(Second(89)));
    }

    #[test]
    fn log_time_never_goes_back_so_a_replay_finds_the_same_events_late() {
        let mut log = at(100);
        log.advance(Second(50).start());
        assert_eq!(log.place(Second(80)), Place::Late(Second(80)));
    }

    #[test]
    fn a_bucket_of_ten_is_judged_until_its_last_second_is_not_any_more() {
        assert!(at(109).is_judged(Tier::TenSeconds, Second(90)));
        assert!(!at(110).is_judged(Tier::TenSeconds, Second(90)));
    }

    #[test]
    fn windows_reach_back_six_minutes_by_seconds_and_twenty_by_tens() {
        assert!(at(1360).is_kept(Tier::OneSecond, Second(1000)));
        assert!(!at(1361).is_kept(Tier::OneSecond, Second(1000)));
        assert!(at(2209).is_kept(Tier::TenSeconds, Second(1000)));
        assert!(!at(2210).is_kept(Tier::TenSeconds, Second(1000)));
    }

    #[test]
    fn an_agent_whose_clock_is_ten_minutes_ahead_counts_in_the_present() {
        assert_eq!(at(100).place(Second(700)), Place::Clamped(Second(100)));
        assert_eq!(at(100).place(Second(102)), Place::Own(Second(102)));
    }
}
