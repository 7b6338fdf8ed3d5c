//! Which agents may connect: [`tokens`], [`agents`], and what another registry held ([`import`]).

mod agents;
mod import;
mod rows;
mod tokens;

use goldentime_model::UnixNanos;

use super::PostgresCatalogue;
use crate::access::SecretHash;
use crate::registry::{AgentNote, AgentRegistry, Enrolled, Enrolment, Fingerprint, Revocations, TokenInfo};
use crate::store::{BoxFuture, CatalogueError};

impl AgentRegistry for PostgresCatalogue {
    fn add_token(&self, token: TokenInfo) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(self.call("keep a join token", tokens::add(&self.database, token)))
    }

    fn token(&self, secret: SecretHash) -> BoxFuture<'_, Result<Option<TokenInfo>, CatalogueError>> {
        Box::pin(self.call("read a join token", tokens::one(&self.database, secret)))
    }

    fn tokens(&self) -> BoxFuture<'_, Result<Vec<TokenInfo>, CatalogueError>> {
        Box::pin(self.call("list join tokens", tokens::all(&self.database)))
    }

    fn revoke_token<'a>(&'a self, id: &'a str, now: UnixNanos) -> BoxFuture<'a, Result<u64, CatalogueError>> {
        Box::pin(self.call("revoke a join token", tokens::revoke(&self.database, id, now)))
    }

    fn enrol(
        &self,
        secret: SecretHash,
        agent: Enrolment,
        now: UnixNanos,
    ) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(self.call("enrol an agent", agents::enrol(&self.database, secret, agent, now)))
    }

    fn agent(&self, certificate: Fingerprint) -> BoxFuture<'_, Result<Option<Enrolled>, CatalogueError>> {
        Box::pin(self.call("read an agent", agents::one(&self.database, certificate)))
    }

    fn agents(&self) -> BoxFuture<'_, Result<Vec<Enrolled>, CatalogueError>> {
        Box::pin(self.call("list agents", agents::all(&self.database)))
    }

    fn revoke_agent<'a>(
        &'a self,
        agent: &'a str,
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<bool, CatalogueError>> {
        Box::pin(self.call("revoke an agent", agents::revoke(&self.database, agent, now)))
    }

    fn restore_agent<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<bool, CatalogueError>> {
        Box::pin(self.call("restore an agent", agents::restore(&self.database, agent)))
    }

    fn revocations(&self) -> BoxFuture<'_, Result<Revocations, CatalogueError>> {
        Box::pin(self.call("see whether agents were revoked", agents::revocations(&self.database)))
    }

    fn revoked(&self) -> BoxFuture<'_, Result<Vec<String>, CatalogueError>> {
        Box::pin(self.call("see which agents were revoked", agents::revoked(&self.database)))
    }

    fn note(&self, notes: Vec<AgentNote>) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(self.call("note what agents said", agents::note(&self.database, notes)))
    }

    fn import(
        &self,
        tokens: Vec<TokenInfo>,
        agents: Vec<Enrolled>,
    ) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(self.call("take over a registry of agents", import::run(&self.database, tokens, agents)))
    }
}
