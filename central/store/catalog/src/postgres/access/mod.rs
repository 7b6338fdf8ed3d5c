//! Who may use the central: [`accounts`] with the links that make them, [`sessions`], [`tokens`].

mod accounts;
mod links;
mod rows;
mod sessions;
mod tokens;

use goldentime_model::UnixNanos;

use super::PostgresCatalogue;
use crate::access::record::{Account, ApiToken, NewAccount, Removed, SecretHash, Session, SetupLink};
use crate::access::store::AccessStore;
use crate::store::{BoxFuture, CatalogueError};

impl AccessStore for PostgresCatalogue {
    fn has_accounts(&self) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(self.call("look for accounts", accounts::any(&self.database)))
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<Account>, CatalogueError>> {
        Box::pin(self.call("list accounts", accounts::all(&self.database)))
    }

    fn account<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<(Account, String)>, CatalogueError>> {
        Box::pin(self.call("read an account", accounts::one(&self.database, name)))
    }

    fn remove_account<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Removed, CatalogueError>> {
        Box::pin(self.call("remove an account", accounts::remove(&self.database, name)))
    }

    fn add_setup_link(&self, link: SetupLink) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(self.call("keep a set-up link", links::add(&self.database, link)))
    }

    fn setup_link(
        &self,
        secret: SecretHash,
        now: UnixNanos,
    ) -> BoxFuture<'_, Result<Option<SetupLink>, CatalogueError>> {
        Box::pin(self.call("read a set-up link", links::one(&self.database, secret, now)))
    }

    fn setup_links(&self, now: UnixNanos) -> BoxFuture<'_, Result<Vec<SetupLink>, CatalogueError>> {
        Box::pin(self.call("list set-up links", links::all(&self.database, now)))
    }

    fn use_setup_link(
        &self,
        secret: SecretHash,
        now: UnixNanos,
        account: NewAccount,
    ) -> BoxFuture<'_, Result<Option<Account>, CatalogueError>> {
        Box::pin(self.call("use a set-up link", links::take(&self.database, secret, now, account)))
    }

    fn add_session(&self, session: Session) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(self.call("keep a session", sessions::add(&self.database, session)))
    }

    fn session(
        &self,
        secret: SecretHash,
    ) -> BoxFuture<'_, Result<Option<(Session, Account)>, CatalogueError>> {
        Box::pin(self.call("read a session", sessions::one(&self.database, secret)))
    }

    fn touch_session(&self, secret: SecretHash, now: UnixNanos) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(self.call("note a session's use", sessions::touch(&self.database, secret, now)))
    }

    fn sessions<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Vec<Session>, CatalogueError>> {
        Box::pin(self.call("list sessions", sessions::of(&self.database, account)))
    }

    fn end_session(&self, secret: SecretHash) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(self.call("end a session", sessions::end(&self.database, secret)))
    }

    fn add_api_token(&self, token: ApiToken) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(self.call("keep an API token", tokens::add(&self.database, token)))
    }

    fn api_token(&self, secret: SecretHash) -> BoxFuture<'_, Result<Option<ApiToken>, CatalogueError>> {
        Box::pin(self.call("read an API token", tokens::one(&self.database, secret)))
    }

    fn api_tokens(&self) -> BoxFuture<'_, Result<Vec<ApiToken>, CatalogueError>> {
        Box::pin(self.call("list API tokens", tokens::all(&self.database)))
    }

    fn touch_api_token(
        &self,
        secret: SecretHash,
        now: UnixNanos,
    ) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(self.call("note an API token's use", tokens::touch(&self.database, secret, now)))
    }

    fn revoke_api_token<'a>(
        &'a self,
        id: &'a str,
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<bool, CatalogueError>> {
        Box::pin(self.call("revoke an API token", tokens::revoke(&self.database, id, now)))
    }

    fn prune_access(
        &self,
        now: UnixNanos,
        idle_since: UnixNanos,
        tokens_before: UnixNanos,
    ) -> BoxFuture<'_, Result<u64, CatalogueError>> {
        let pruned = async move {
            let sessions = sessions::prune(&self.database, now, idle_since).await?;
            let links = links::prune(&self.database, now).await?;
            Ok(sessions + links + tokens::prune(&self.database, tokens_before).await?)
        };
        Box::pin(self.call("forget who has no access", pruned))
    }
}
