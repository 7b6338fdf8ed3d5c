//! Which second an event may still change, by log time and never by the wall clock, so that a replay
//! gives the same windows.

use goldentime_model::{Second, UnixNanos};

/// An event whose second is this far behind the log is late: it goes to history and not into live
/// windows.
pub const LATE_S: i64 = 10;

/// An event whose second is further ahead of the log than this has a wrong clock behind it.
pub const FUTURE_S_MAX: i64 = 2;

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
    /// Nowhere live.
    Late,
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

    /// The oldest second that a record taken now can still change.
    #[must_use]
    pub const fn oldest_open(self) -> Second {
        self.0.second().offset(-LATE_S)
    }

    /// Where an event of `second` is counted.
    #[must_use]
    pub fn place(self, second: Second) -> Place {
        let present = self.0.second();
        if second < self.oldest_open() {
            Place::Late
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
        assert_eq!(at(100).place(Second(89)), Place::Late);
    }

    #[test]
    fn log_time_never_goes_back_so_a_replay_finds_the_same_events_late() {
        let mut log = at(100);
        log.advance(Second(50).start());
        assert_eq!(log.place(Second(80)), Place::Late);
    }

    #[test]
    fn an_agent_whose_clock_is_ten_minutes_ahead_counts_in_the_present() {
        assert_eq!(at(100).place(Second(700)), Place::Clamped(Second(100)));
        assert_eq!(at(100).place(Second(102)), Place::Own(Second(102)));
    }
}
