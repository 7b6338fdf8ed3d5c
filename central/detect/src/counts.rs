//! What a stretch of time holds.

/// Requests, and how many of them were bad.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Bad requests.
    pub bad: f64,
    /// All requests.
    pub total: f64,
}

impl Counts {
    /// Counts of whole requests.
    #[must_use]
    pub const fn new(bad: u64, total: u64) -> Self {
        Self { bad: bad as f64, total: total as f64 }
    }

    /// Requests that were not bad.
    #[must_use]
    pub const fn good(self) -> f64 {
        (self.total - self.bad).max(0.0)
    }

    /// Share of bad requests; nothing without requests.
    #[must_use]
    pub fn share(self) -> Option<f64> {
        (self.total > 0.0).then(|| self.bad / self.total)
    }

    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { bad: self.bad + other.bad, total: self.total + other.total }
    }

    /// What this has more than `before`. Counts only ever grow; what shrank has no more.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self { bad: (self.bad - before.bad).max(0.0), total: (self.total - before.total).max(0.0) }
    }
}
