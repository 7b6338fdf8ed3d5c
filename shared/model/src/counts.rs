//! Requests counted by outcome.

use serde::{Deserialize, Serialize};

use crate::Outcome;

/// Requests by outcome. Addition is exact, commutative and associative; it saturates rather than
/// wraps, which at a million requests a second takes half a million years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests that ended as [`Outcome::Ok`].
    pub ok: u64,
    /// Requests that ended as [`Outcome::ClientError`].
    pub client_error: u64,
    /// Requests that ended as [`Outcome::ServerError`].
    pub server_error: u64,
    /// Requests that ended as [`Outcome::Timeout`].
    pub timeout: u64,
}

impl Counts {
    /// Counts `weight` requests of one outcome.
    pub const fn add_outcome(&mut self, outcome: Outcome, weight: u64) {
        let slot = match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::ClientError => &mut self.client_error,
            Outcome::ServerError => &mut self.server_error,
            Outcome::Timeout => &mut self.timeout,
        };
        *slot = slot.saturating_add(weight);
    }

    /// Adds what another place counted.
    pub const fn add(&mut self, other: &Self) {
        self.ok = self.ok.saturating_add(other.ok);
        self.client_error = self.client_error.saturating_add(other.client_error);
        self.server_error = self.server_error.saturating_add(other.server_error);
        self.timeout = self.timeout.saturating_add(other.timeout);
    }

    /// All requests.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.ok
            .saturating_add(self.client_error)
            .saturating_add(self.server_error)
            .saturating_add(self.timeout)
    }

    /// Requests that spend the error budget by default ([`Outcome::is_bad`]).
    #[must_use]
    pub const fn bad(&self) -> u64 {
        self.server_error.saturating_add(self.timeout)
    }

    /// Requests of one outcome.
    #[must_use]
    pub const fn of(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Ok => self.ok,
            Outcome::ClientError => self.client_error,
            Outcome::ServerError => self.server_error,
            Outcome::Timeout => self.timeout,
        }
    }

    /// Whether nothing was counted.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.total() == 0
    }
}
