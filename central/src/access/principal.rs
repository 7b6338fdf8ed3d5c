//! Who asks.

use std::sync::Arc;

use goldentime_catalog::{Role, SecretHash};
use goldentime_model::UnixNanos;

/// Somebody whose credential is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Name of the account, or of the API token.
    pub name: Arc<str>,
    /// What they may do.
    pub role: Role,
    /// How they were known.
    pub by: By,
}

/// How somebody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Not at all: they are on this machine, and there are no accounts yet.
    ThisMachine,
    /// By a cookie.
    Session {
        /// Hash of its value.
        secret: SecretHash,
        /// When the session ends, however much it is used.
        ends_at: UnixNanos,
    },
    /// By an API token.
    ApiToken(SecretHash),
}

impl Principal {
    /// Somebody on this machine while there are no accounts. They see everything and change nothing:
    /// what they could make (a token) would outlast the first account.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self { name: "".into(), role: Role::Viewer, by: By::ThisMachine }
    }
}
