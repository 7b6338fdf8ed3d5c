//! Set-up links: how an account comes to be, and how one whose password is lost gets another.

use std::net::IpAddr;
use std::time::Duration;

use goldentime_catalog::{NewAccount, Role, SetupLink};

use super::AUDIT;
use super::gate::{Access, AccessError, after};
use super::password::{self, PasswordError, Weak};
use super::secret::{self, Purpose, Secret};
use super::sign_in::{SignedIn, is_name};

/// How long a link can be used unless told otherwise.
pub const LINK_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Links that wait to be used.
const LINKS_MAX: usize = 100;

/// Why no link was made.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Too many wait already.
    #[error("{LINKS_MAX} set-up links wait to be used already; they expire by themselves")]
    TooMany,
    /// The name cannot be an account's.
    #[error("a name has 1 to 64 characters and no space at its ends")]
    Name,
    /// A fault of ours.
    #[error(transparent)]
    Failed(#[from] AccessError),
}

/// Why no account was set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The link is unknown, was used, or has expired.
    #[error("the set-up link was used already or has expired; `goldentime-central setup-link` makes another")]
    Link,
    /// The name cannot be an account's.
    #[error("a name has 1 to 64 characters and no space at its ends")]
    Name,
    /// Another account has the name, or the link is for another name.
    #[error("this name is not free")]
    NameTaken,
    /// The password is not taken.
    #[error(transparent)]
    Weak(#[from] Weak),
    /// Too many passwords are hashed at this moment.
    #[error("too many sign in at once")]
    Busy,
    /// A fault of ours.
    #[error(transparent)]
    Failed(#[from] AccessError),
}

impl Access {
    /// At a start without accounts: a new link for the first admin, unless one waits to be used already
    /// (then when the last of those expires).
    pub async fn first_link(&self) -> Result<FirstLink, LinkError> {
        if self.has_accounts().await? {
            return Ok(FirstLink::NotNeeded);
        }
        let waiting = self.0.store.setup_links(self.0.clock.now()).await.map_err(AccessError::from)?;
        if let Some(link) = waiting.into_iter().find(|link| link.role == Role::Admin) {
            return Ok(FirstLink::Waiting(link));
        }
        Ok(FirstLink::Made(self.make_link(Role::Admin, None, LINK_LIFETIME).await?))
    }

    /// Makes a link. With a name it makes that account or sets its password.
    pub async fn make_link(
        &self,
        role: Role,
        name: Option<String>,
        lifetime: Duration,
    ) -> Result<Secret, LinkError> {
        if name.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(LinkError::Name);
        }
        let now = self.0.clock.now();
        let waiting = self.0.store.setup_links(now).await.map_err(AccessError::from)?;
        if waiting.len() >= LINKS_MAX {
            return Err(LinkError::TooMany);
        }
        let secret = Secret::draw(Purpose::SetupLink).map_err(AccessError::Random)?;
        let expires_at = after(now, lifetime);
        tracing::info!(target: AUDIT, event = "setup_link_made", %role, name = ?name, "made a set-up link");
        let link = SetupLink { secret: secret.hash(), role, name, created_at: now, expires_at };
        self.0.store.add_setup_link(link).await.map_err(AccessError::from)?;
        Ok(secret)
    }

    /// What a link is for; `None` if it cannot be used.
    pub async fn link(&self, text: &str) -> Result<Option<SetupLink>, AccessError> {
        let Some(secret) = secret::read(Purpose::SetupLink, text) else { return Ok(None) };
        Ok(self.0.store.setup_link(secret, self.0.clock.now()).await?)
    }

    /// Uses a link up: makes its account, or sets its password, and signs in.
    pub async fn set_up(
        &self,
        text: &str,
        name: &str,
        password: String,
        from: IpAddr,
    ) -> Result<SignedIn, SetUpError> {
        // Before the password is hashed: whoever has no link must not be able to cause that work.
        let Some(link) = self.link(text).await? else { return Err(SetUpError::Link) };
        if !is_name(name) {
            return Err(SetUpError::Name);
        }
        password::check(&password, name)?;
        let password_hash = match self.0.passwords.hash(password).await {
            Ok(hash) => hash,
            Err(PasswordError::Busy) => return Err(SetUpError::Busy),
            Err(error) => return Err(AccessError::from(error).into()),
        };
        let new = NewAccount { name: name.to_owned(), password_hash };
        let used = self.0.store.use_setup_link(link.secret, self.0.clock.now(), new).await;
        let Some(account) = used.map_err(AccessError::from)? else {
            // Either somebody was quicker, or the name is not to be had.
            return Err(if self.link(text).await?.is_some() {
                SetUpError::NameTaken
            } else {
                SetUpError::Link
            });
        };
        tracing::info!(
            target: AUDIT, event = "setup_link_used", name = ?account.name, role = %account.role, %from,
            "set up an account"
        );
        self.begin_session(account, from).await?.ok_or(SetUpError::Link)
    }
}

/// What a start without accounts has to tell.
#[derive(Debug)]
pub enum FirstLink {
    /// There are accounts.
    NotNeeded,
    /// A link that was made earlier can still be used. Its secret is known to whoever saw it then.
    Waiting(SetupLink),
    /// A new one, to be shown this once.
    Made(Secret),
}
