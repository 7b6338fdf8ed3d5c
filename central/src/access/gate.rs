//! Tells who brings a credential, each time anew: what another process ended a moment ago is ended here.
//! While the store is away, who was known just before stays known ([`super::known`]).

use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::{AccessStore, CatalogueError, SecretHash};
use goldentime_model::UnixNanos;
use goldentime_runtime::SharedClock;

use super::attempts::Attempts;
use super::known::{Answer, Known, Question};
use super::password::Passwords;
use super::principal::{By, Principal};
use super::secret::{self, Purpose};

/// Last uses are noted to the minute.
const TOUCH_EVERY_NS: i64 = 60 * 1_000_000_000;
/// How often a long-lived connection is asked whether its credential is still good.
const WATCH_EVERY: Duration = Duration::from_secs(5);

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A session that is not used for this long ends.
    pub session_idle: Duration,
    /// A session ends after this time, however much it is used.
    pub session_lifetime: Duration,
    /// While there are no accounts, who sits at this machine is let in without one.
    pub open_without_accounts: bool,
}

/// Why access could not be judged or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The store does not answer. Nobody is let in meanwhile who was not known before.
    #[error(transparent)]
    Store(#[from] CatalogueError),
    /// No random numbers.
    #[error("cannot draw a secret")]
    Random(#[source] getrandom::Error),
    /// Hashing failed.
    #[error(transparent)]
    Password(#[from] super::password::PasswordError),
}

/// Who may use the central. Cheap to clone.
#[derive(Clone)]
pub struct Access(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) store: Arc<dyn AccessStore>,
    pub(super) clock: SharedClock,
    pub(super) settings: Settings,
    pub(super) passwords: Passwords,
    pub(super) attempts: Attempts,
    pub(super) known: Known,
}

impl Access {
    /// Access over a store.
    #[must_use]
    pub fn new(store: Arc<dyn AccessStore>, clock: SharedClock, settings: Settings) -> Self {
        let (passwords, attempts, known) = (Passwords::default(), Attempts::default(), Known::default());
        Self(Arc::new(Inner { store, clock, settings, passwords, attempts, known }))
    }

    /// Whether somebody at this machine is let in without an account now.
    pub async fn is_open(&self) -> Result<bool, AccessError> {
        Ok(self.0.settings.open_without_accounts && !self.has_accounts().await?)
    }

    /// Whether there is any account.
    pub async fn has_accounts(&self) -> Result<bool, AccessError> {
        let said = self.0.store.has_accounts().await.map(|any| Some(Answer::Accounts(any)));
        let known = self.0.known.or_remembered(Question::Accounts, self.0.clock.now(), said)?;
        Ok(matches!(known, Some(Answer::Accounts(true))))
    }

    /// Whose session this is; `None` if it is nobody's or has ended.
    pub async fn of_cookie(&self, value: &str) -> Result<Option<Principal>, AccessError> {
        let Some(secret) = secret::read(Purpose::Session, value) else { return Ok(None) };
        self.of_session(secret).await
    }

    /// Whose API token this is; `None` if it is nobody's, was revoked or has expired.
    pub async fn of_api_token(&self, text: &str) -> Result<Option<Principal>, AccessError> {
        let Some(secret) = secret::read(Purpose::ApiToken, text) else { return Ok(None) };
        self.of_token(secret).await
    }

    /// Ends when this principal's credential does, or its role changes. What cannot be asked now is
    /// asked again: a store that hangs cuts nobody off.
    pub async fn ended(&self, principal: &Principal) {
        loop {
            tokio::time::sleep(WATCH_EVERY).await;
            let now = match principal.by {
                By::ThisMachine => self.is_open().await.map(|open| open.then(Principal::of_this_machine)),
                By::Session { secret, .. } => self.of_session(secret).await,
                By::ApiToken(secret) => self.of_token(secret).await,
            };
            match now {
                Ok(Some(now)) if now.role == principal.role => {}
                Ok(_) => return,
                Err(error) => tracing::warn!(%error, "cannot tell whether a live client may stay"),
            }
        }
    }

    async fn of_session(&self, secret: SecretHash) -> Result<Option<Principal>, AccessError> {
        let said = self.0.store.session(secret).await;
        let said = said.map(|found| found.map(|found| Answer::Session(Box::new(found))));
        let is_heard = said.is_ok();
        let now = self.0.clock.now();
        let known = self.0.known.or_remembered(Question::Session(secret), now, said)?;
        let Some(Answer::Session(known)) = known else { return Ok(None) };
        let (session, account) = *known;
        let unused_ns = now.since(session.seen_at);
        if now >= session.ends_at || unused_ns >= nanos(self.0.settings.session_idle) {
            return Ok(None);
        }
        if is_heard
            && unused_ns >= TOUCH_EVERY_NS
            && let Err(error) = self.0.store.touch_session(secret, now).await
        {
            tracing::warn!(%error, "a session's use was not noted");
        }
        let by = By::Session { secret, ends_at: session.ends_at };
        Ok(Some(Principal { name: account.name.into(), role: account.role, by }))
    }

    async fn of_token(&self, secret: SecretHash) -> Result<Option<Principal>, AccessError> {
        let said = self.0.store.api_token(secret).await;
        let said = said.map(|found| found.map(|found| Answer::Token(Box::new(found))));
        let is_heard = said.is_ok();
        let now = self.0.clock.now();
        let known = self.0.known.or_remembered(Question::Token(secret), now, said)?;
        let Some(Answer::Token(token)) = known else { return Ok(None) };
        if token.revoked_at.is_some() || token.expires_at.is_some_and(|at| at <= now) {
            return Ok(None);
        }
        if is_heard
            && token.used_at.is_none_or(|at| now.since(at) >= TOUCH_EVERY_NS)
            && let Err(error) = self.0.store.touch_api_token(secret, now).await
        {
            tracing::warn!(%error, "an API token's use was not noted");
        }
        Ok(Some(Principal { name: token.name.into(), role: token.role, by: By::ApiToken(secret) }))
    }
}

pub(super) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// The instant `duration` after `at`.
pub(super) fn after(at: UnixNanos, duration: Duration) -> UnixNanos {
    at.saturating_add(nanos(duration))
}
