//! The contract of the registry of agents.

use goldentime_model::UnixNanos;

use super::record::{AgentNote, Enrolled, Enrolment, Fingerprint, Revocations, TokenInfo};
use crate::access::SecretHash;
use crate::store::{BoxFuture, CatalogueError};

/// Most agents that a list holds: as many as a central may have connected. Those last seen come first.
pub const AGENTS_MAX: u32 = 100_000;

/// Join tokens, and the agents that joined with them.
///
/// - **Read your writes**, in this process and in others that share the store: whoever was revoked is so for
///   each call that starts after the write returned.
/// - **Durable** over loss of power as well: who was enrolled stays so, a used token stays used. What an
///   agent last said may be lost.
/// - **Atomic and cancel-safe.** A call takes effect wholly or not at all, also when its future is dropped.
/// - **Errors** leave everything as it was, and calls after one may succeed.
pub trait AgentRegistry: Send + Sync + 'static {
    /// Keeps a new token.
    fn add_token(&self, token: TokenInfo) -> BoxFuture<'_, Result<(), CatalogueError>>;

    /// The token of a secret, whatever its state. It is looked up by its hash: whoever does not have the
    /// secret cannot choose the hash either, so how long that takes tells nothing.
    fn token(&self, secret: SecretHash) -> BoxFuture<'_, Result<Option<TokenInfo>, CatalogueError>>;

    /// All tokens, newest first, at most [`crate::ROWS_MAX`].
    fn tokens(&self) -> BoxFuture<'_, Result<Vec<TokenInfo>, CatalogueError>>;

    /// Revokes the tokens in force whose id begins with these hexadecimal digits; gives how many.
    fn revoke_token<'a>(&'a self, id: &'a str, now: UnixNanos) -> BoxFuture<'a, Result<u64, CatalogueError>>;

    /// Enrols an agent with a token, which is used up by one; gives `false` and keeps nothing if the token is
    /// not good any more. However many ask at once, in however many processes, a token lets in no more agents
    /// than it may.
    fn enrol(
        &self,
        secret: SecretHash,
        agent: Enrolment,
        now: UnixNanos,
    ) -> BoxFuture<'_, Result<bool, CatalogueError>>;

    /// The agent of a certificate, revoked ones included.
    fn agent(&self, certificate: Fingerprint) -> BoxFuture<'_, Result<Option<Enrolled>, CatalogueError>>;

    /// Every agent, the last seen first, at most [`AGENTS_MAX`].
    fn agents(&self) -> BoxFuture<'_, Result<Vec<Enrolled>, CatalogueError>>;

    /// Lets an agent in no more. Gives whether there was such an agent that was not revoked yet.
    fn revoke_agent<'a>(
        &'a self,
        agent: &'a str,
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<bool, CatalogueError>>;

    /// Lets a revoked agent in again. Gives whether there was such an agent.
    fn restore_agent<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<bool, CatalogueError>>;

    /// Whether anybody was revoked or restored since an earlier answer.
    fn revocations(&self) -> BoxFuture<'_, Result<Revocations, CatalogueError>>;

    /// Ids of the agents that are revoked, at most [`AGENTS_MAX`].
    fn revoked(&self) -> BoxFuture<'_, Result<Vec<String>, CatalogueError>>;

    /// Notes what agents said. What one said earlier than is known already changes nothing, and neither does
    /// what is said of an agent that nobody enrolled.
    fn note(&self, notes: Vec<AgentNote>) -> BoxFuture<'_, Result<(), CatalogueError>>;

    /// Takes over another registry, unless there is a token or an agent already; gives whether it did. All
    /// of it or nothing; of several that ask at once one is taken.
    fn import(
        &self,
        tokens: Vec<TokenInfo>,
        agents: Vec<Enrolled>,
    ) -> BoxFuture<'_, Result<bool, CatalogueError>>;
}
