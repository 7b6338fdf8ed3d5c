//! What is kept about agents and the tokens that they join with.

use goldentime_model::UnixNanos;

use crate::access::SecretHash;

/// SHA-256 of an agent's certificate in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// A join token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// Hash of its secret; [`SecretHash::id`] is what people call it by.
    pub secret: SecretHash,
    /// Project that its agents join.
    pub project: String,
    /// When it was made.
    pub created_at: UnixNanos,
    /// When it ends, if ever.
    pub expires_at: Option<UnixNanos>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<UnixNanos>,
    /// Agents that joined with it.
    pub uses: u32,
    /// Agents that may join with it in all, if there is a limit.
    pub uses_max: Option<u32>,
}

/// Whether a token lets agents in, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It does, into its project.
    Good,
    /// Nobody made it.
    Unknown,
    /// It has expired.
    Expired,
    /// It was revoked.
    Revoked,
    /// As many agents as allowed have joined with it.
    UsedUp,
}

impl TokenInfo {
    /// Whether it lets agents in at `now`.
    #[must_use]
    pub fn state(&self, now: UnixNanos) -> TokenState {
        if self.revoked_at.is_some() {
            TokenState::Revoked
        } else if self.expires_at.is_some_and(|at| at <= now) {
            TokenState::Expired
        } else if self.uses_max.is_some_and(|max| self.uses >= max) {
            TokenState::UsedUp
        } else {
            TokenState::Good
        }
    }
}

/// An enrolled agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// By what it is known when it connects.
    pub certificate: Fingerprint,
    /// Its id.
    pub agent: String,
    /// Its project, given by its token.
    pub project: String,
    /// Its host's name at its last hello.
    pub host: String,
    /// Its environment at its last hello.
    pub environment: String,
    /// When it was enrolled.
    pub enrolled_at: UnixNanos,
    /// When it was last connected.
    pub last_seen: UnixNanos,
    /// Nothing is expected of it: it said goodbye, or never connected.
    pub has_left: bool,
    /// When it was revoked, if it may not connect any more.
    pub revoked_at: Option<UnixNanos>,
}

/// An agent that is to be enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// Its certificate.
    pub certificate: Fingerprint,
    /// Its id.
    pub agent: String,
    /// Its project.
    pub project: String,
    /// Its host's name.
    pub host: String,
}

/// What an agent said at its hello, or that it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentNote {
    /// Its id.
    pub agent: String,
    /// Its host's name.
    pub host: String,
    /// Its environment.
    pub environment: String,
    /// When it said so.
    pub at: UnixNanos,
    /// It said goodbye.
    pub has_left: bool,
}

/// How many agents are revoked, and when the last one was: whoever compares it with an earlier answer sees
/// whether anything changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Agents that are revoked.
    pub count: i64,
    /// When the last of them was.
    pub last: UnixNanos,
}
