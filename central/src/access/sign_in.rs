//! A session for a name and a password.

use std::net::IpAddr;
use std::time::Duration;

use goldentime_catalog::{Account, SecretHash, Session};

use super::AUDIT;
use super::gate::{Access, AccessError, after};
use super::known::Question;
use super::password::PasswordError;
use super::principal::{By, Principal};
use super::secret::{Purpose, Secret};

/// Longest name of an account in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// A session that has begun. Its secret goes to the browser and nowhere else.
#[derive(Debug)]
pub struct SignedIn {
    /// Value of the cookie.
    pub secret: Secret,
    /// Who it is.
    pub principal: Principal,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No account has this name and this password. Which of the two is wrong is not told.
    #[error("no account has this name and this password")]
    Wrong,
    /// Too many wrong ones of late.
    #[error("too many attempts")]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many sign in at this moment.
    #[error("too many sign in at once")]
    Busy,
    /// A fault of ours.
    #[error(transparent)]
    Failed(#[from] AccessError),
}

/// Whether a text can be the name of an account: 1 to [`NAME_CHARS_MAX`] characters, none of them a
/// control character, no space at either end.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && name.trim() == name
}

impl Access {
    /// Checks name and password and begins a session.
    pub async fn sign_in(&self, name: &str, password: String, from: IpAddr) -> Result<SignedIn, SignInError> {
        // A name that no account can have costs nothing and fills no table.
        if !is_name(name) || password.len() > super::password::BYTES_MAX {
            refused("not_possible", None, from);
            return Err(SignInError::Wrong);
        }
        let inner = &self.0;
        if let Err(retry_after) = inner.attempts.begin(name, from, inner.clock.now()) {
            refused("too_many_attempts", None, from);
            return Err(SignInError::TooMany { retry_after });
        }
        let known = inner.store.account(name).await.map_err(AccessError::from)?;
        let (account, hash) = known.map_or((None, None), |(account, hash)| (Some(account), Some(hash)));
        let good = match inner.passwords.verify(password, hash).await {
            Ok(good) => good,
            Err(PasswordError::Busy) => {
                refused("busy", None, from);
                return Err(SignInError::Busy);
            }
            Err(error) => return Err(AccessError::from(error).into()),
        };
        // Names that are no account's are not logged: people type passwords into the wrong field.
        let Some(account) = account else {
            refused("unknown_name", None, from);
            return Err(SignInError::Wrong);
        };
        if !good {
            refused("wrong_password", Some(&account.name), from);
            return Err(SignInError::Wrong);
        }
        inner.attempts.succeeded(name, from);
        let Some(signed_in) = self.begin_session(account, from).await? else {
            return Err(SignInError::Wrong);
        };
        metrics::counter!("goldentime_sign_ins_total", "result" => "ok").increment(1);
        tracing::info!(target: AUDIT, event = "sign_in", name = ?signed_in.principal.name, %from, "signed in");
        Ok(signed_in)
    }

    /// A new session, never one that was there before: a secret that somebody planted in the browser
    /// is worth nothing. `None` if the account is gone.
    pub(super) async fn begin_session(
        &self,
        account: Account,
        from: IpAddr,
    ) -> Result<Option<SignedIn>, AccessError> {
        let secret = Secret::draw(Purpose::Session).map_err(AccessError::Random)?;
        let now = self.0.clock.now();
        let ends_at = after(now, self.0.settings.session_lifetime);
        let session = Session {
            secret: secret.hash(),
            account: account.name.clone(),
            address: from.to_string(),
            created_at: now,
            seen_at: now,
            ends_at,
        };
        if !self.0.store.add_session(session).await? {
            return Ok(None);
        }
        let by = By::Session { secret: secret.hash(), ends_at };
        let principal = Principal { name: account.name.into(), role: account.role, by };
        Ok(Some(SignedIn { secret, principal }))
    }

    /// Ends the session by which this principal is known.
    pub async fn sign_out(&self, principal: &Principal) -> Result<(), AccessError> {
        if let By::Session { secret, .. } = principal.by {
            self.0.store.end_session(secret).await?;
            self.0.known.forget(|question| *question == Question::Session(secret));
            tracing::info!(target: AUDIT, event = "sign_out", name = ?principal.name, "signed out");
        }
        Ok(())
    }

    /// The sessions of this principal's account, newest first.
    pub async fn sessions(&self, principal: &Principal) -> Result<Vec<Session>, AccessError> {
        match principal.by {
            By::Session { .. } => Ok(self.0.store.sessions(&principal.name).await?),
            By::ThisMachine | By::ApiToken(_) => Ok(Vec::new()),
        }
    }

    /// Ends the one of this principal's sessions whose [`SecretHash::id`] this is; gives whether there was.
    pub async fn end_session(&self, principal: &Principal, id: &str) -> Result<bool, AccessError> {
        let mut own = self.sessions(principal).await?.into_iter().map(|session| session.secret);
        let Some(secret) = own.find(|secret: &SecretHash| secret.id() == id) else { return Ok(false) };
        let ended = self.0.store.end_session(secret).await?;
        self.0.known.forget(|question| *question == Question::Session(secret));
        tracing::info!(target: AUDIT, event = "session_ended", name = ?principal.name, session = id, "ended a session");
        Ok(ended)
    }
}

fn refused(reason: &'static str, name: Option<&str>, from: IpAddr) {
    metrics::counter!("goldentime_sign_ins_total", "result" => reason).increment(1);
    tracing::warn!(target: AUDIT, event = "sign_in_failed", reason, name = ?name, %from, "did not sign in");
}
