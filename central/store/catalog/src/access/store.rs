//! The contract of the store of accounts, sessions, API tokens and set-up links.

use goldentime_model::UnixNanos;

use super::record::{Account, ApiToken, NewAccount, Removed, SecretHash, Session, SetupLink};
use crate::store::{BoxFuture, CatalogueError};

/// Sessions of one account; signing in once more ends the oldest.
pub const SESSIONS_MAX: u32 = 50;

/// Accounts, sessions, API tokens and set-up links.
///
/// - **Names** of accounts are the same if they differ in case alone, in every call.
/// - **Read your writes**, in this process and in others that share the store: whoever was revoked or
///   signed out is unknown to each call that starts after the write returned.
/// - **Durable** over loss of power as well: what ends access stays ended. The instants of last use may
///   be lost.
/// - **Atomic and cancel-safe.** A call takes effect wholly or not at all, also when its future is
///   dropped.
/// - **Errors** leave everything as it was, and calls after one may succeed.
/// - Lists hold at most [`crate::ROWS_MAX`] rows.
pub trait AccessStore: Send + Sync + 'static {
    /// Whether there is any account.
    fn has_accounts(&self) -> BoxFuture<'_, Result<bool, CatalogueError>>;

    /// All accounts, by name.
    fn accounts(&self) -> BoxFuture<'_, Result<Vec<Account>, CatalogueError>>;

    /// An account and the hash of its password.
    fn account<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<(Account, String)>, CatalogueError>>;

    /// Removes an account with its sessions, unless it is the only one that is an admin.
    fn remove_account<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Removed, CatalogueError>>;

    /// Keeps a set-up link.
    fn add_setup_link(&self, link: SetupLink) -> BoxFuture<'_, Result<(), CatalogueError>>;

    /// The link of a secret, unless it has expired.
    fn setup_link(
        &self,
        secret: SecretHash,
        now: UnixNanos,
    ) -> BoxFuture<'_, Result<Option<SetupLink>, CatalogueError>>;

    /// Links that were neither used nor have expired, the longest lasting first.
    fn setup_links(&self, now: UnixNanos) -> BoxFuture<'_, Result<Vec<SetupLink>, CatalogueError>>;

    /// Uses up a link: makes the account with the link's role, or, when the link bears this account's
    /// name and it is there already, sets its password and ends its sessions. `None` changes nothing:
    /// the link is unknown, used or expired, bears another name, or bears none and the name is taken.
    fn use_setup_link(
        &self,
        secret: SecretHash,
        now: UnixNanos,
        account: NewAccount,
    ) -> BoxFuture<'_, Result<Option<Account>, CatalogueError>>;

    /// Keeps a session, and ends the account's oldest beyond [`SESSIONS_MAX`]. Gives `false` and keeps
    /// nothing if there is no such account.
    fn add_session(&self, session: Session) -> BoxFuture<'_, Result<bool, CatalogueError>>;

    /// The session of a secret with its account, however old it is: the caller judges its times.
    fn session(
        &self,
        secret: SecretHash,
    ) -> BoxFuture<'_, Result<Option<(Session, Account)>, CatalogueError>>;

    /// Notes that a session is in use. One that has ended stays so.
    fn touch_session(&self, secret: SecretHash, now: UnixNanos) -> BoxFuture<'_, Result<(), CatalogueError>>;

    /// An account's sessions, newest first.
    fn sessions<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Vec<Session>, CatalogueError>>;

    /// Ends a session; gives whether it was there.
    fn end_session(&self, secret: SecretHash) -> BoxFuture<'_, Result<bool, CatalogueError>>;

    /// Keeps a token.
    fn add_api_token(&self, token: ApiToken) -> BoxFuture<'_, Result<(), CatalogueError>>;

    /// The token of a secret, revoked and expired ones included.
    fn api_token(&self, secret: SecretHash) -> BoxFuture<'_, Result<Option<ApiToken>, CatalogueError>>;

    /// All tokens, newest first.
    fn api_tokens(&self) -> BoxFuture<'_, Result<Vec<ApiToken>, CatalogueError>>;

    /// Notes that a token is in use.
    fn touch_api_token(
        &self,
        secret: SecretHash,
        now: UnixNanos,
    ) -> BoxFuture<'_, Result<(), CatalogueError>>;

    /// Revokes the token whose [`SecretHash::id`] this is; gives whether one in force was.
    fn revoke_api_token<'a>(
        &'a self,
        id: &'a str,
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<bool, CatalogueError>>;

    /// Forgets sessions that ended before `now` or were last used before `idle_since`, links that have
    /// expired, and tokens that expired or were revoked before `tokens_before`; gives how many.
    fn prune_access(
        &self,
        now: UnixNanos,
        idle_since: UnixNanos,
        tokens_before: UnixNanos,
    ) -> BoxFuture<'_, Result<u64, CatalogueError>>;
}
