//! Points in time as they travel: UTC nanoseconds, and the one-second bucket that holds them.
//!
//! Everything stored or sent is UTC; only the dashboard knows the viewer's zone.

use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch, UTC. Reaches from 1677 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixNanos(pub i64);

/// A one-second event-time bucket: the whole second since the Unix epoch in which something ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Second(pub i64);

/// Nanoseconds in one second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl UnixNanos {
    /// The bucket that this instant falls into (rounded down, also before the epoch).
    #[must_use]
    pub const fn second(self) -> Second {
        Second(self.0.div_euclid(NANOS_PER_SECOND))
    }

    /// Builds from milliseconds since the epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Whole milliseconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant moved by `nanos` (negative: earlier); saturates at the ends of the range.
    #[must_use]
    pub const fn saturating_add(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this instant, negative if it is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Second {
    /// The first instant of this bucket.
    #[must_use]
    pub const fn start(self) -> UnixNanos {
        UnixNanos(self.0.saturating_mul(NANOS_PER_SECOND))
    }

    /// The first instant after this bucket.
    #[must_use]
    pub const fn end(self) -> UnixNanos {
        Self(self.0.saturating_add(1)).start()
    }

    /// The bucket `seconds` later (negative: earlier).
    #[must_use]
    pub const fn offset(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_before_the_epoch_falls_into_the_bucket_that_starts_before_it() {
        assert_eq!(UnixNanos(-1).second(), Second(-1));
        assert_eq!(UnixNanos(0).second(), Second(0));
        assert_eq!(Second(-1).start(), UnixNanos(-NANOS_PER_SECOND));
    }

    #[test]
    fn a_bucket_ends_where_the_next_one_starts() {
        assert_eq!(Second(41).end(), Second(42).start());
    }
}
