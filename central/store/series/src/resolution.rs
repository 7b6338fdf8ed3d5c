//! Widths of buckets.

use goldentime_model::Second;

/// Width of the buckets that a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resolution {
    /// Ten seconds: what comes in.
    TenSeconds,
    /// A minute, merged from ten seconds.
    Minute,
    /// An hour, merged from minutes.
    Hour,
}

impl Resolution {
    /// All of them, the finest first.
    pub const ALL: [Self; 3] = [Self::TenSeconds, Self::Minute, Self::Hour];

    /// Width in seconds.
    #[must_use]
    pub const fn width_s(self) -> i64 {
        match self {
            Self::TenSeconds => 10,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    /// The bucket that holds `second`.
    #[must_use]
    pub const fn bucket_of(self, second: Second) -> Second {
        Second(second.0 - second.0.rem_euclid(self.width_s()))
    }

    /// Name as shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenSeconds => "10s",
            Self::Minute => "1m",
            Self::Hour => "1h",
        }
    }

    /// Its place in [`Self::ALL`].
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::TenSeconds => 0,
            Self::Minute => 1,
            Self::Hour => 2,
        }
    }
}
