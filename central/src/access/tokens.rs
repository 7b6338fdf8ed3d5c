//! API tokens: how programs are known.

use std::time::Duration;

use goldentime_catalog::{ApiToken, Role};

use super::AUDIT;
use super::gate::{Access, AccessError, after};
use super::known::Question;
use super::secret::{Purpose, Secret};
use super::sign_in::is_name;

/// Tokens that are kept, those that have ended included.
const TOKENS_MAX: usize = 1000;

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name cannot be a token's.
    #[error("a token's name has 1 to 64 characters and no space at its ends")]
    Name,
    /// Too many are kept.
    #[error("there are {TOKENS_MAX} tokens already; those that have ended are forgotten after 30 days")]
    TooMany,
    /// A fault of ours.
    #[error(transparent)]
    Failed(#[from] AccessError),
}

impl Access {
    /// Makes a token. Its text is known to its maker alone.
    pub async fn create_api_token(
        &self,
        name: &str,
        role: Role,
        expires_in: Option<Duration>,
        created_by: &str,
    ) -> Result<(Secret, ApiToken), TokenError> {
        if !is_name(name) {
            return Err(TokenError::Name);
        }
        if self.api_tokens().await?.len() >= TOKENS_MAX {
            return Err(TokenError::TooMany);
        }
        let secret = Secret::draw(Purpose::ApiToken).map_err(AccessError::Random)?;
        let now = self.0.clock.now();
        let token = ApiToken {
            secret: secret.hash(),
            name: name.to_owned(),
            role,
            created_by: created_by.to_owned(),
            created_at: now,
            expires_at: expires_in.map(|lifetime| after(now, lifetime)),
            used_at: None,
            revoked_at: None,
        };
        self.0.store.add_api_token(token.clone()).await.map_err(AccessError::from)?;
        tracing::info!(
            target: AUDIT, event = "api_token_created", id = token.secret.id(), name = ?name, %role,
            by = ?created_by, "created an API token"
        );
        Ok((secret, token))
    }

    /// All tokens, newest first.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>, AccessError> {
        Ok(self.0.store.api_tokens().await?)
    }

    /// Revokes a token by its id; gives whether one in force was.
    pub async fn revoke_api_token(&self, id: &str, by: &str) -> Result<bool, AccessError> {
        let revoked = self.0.store.revoke_api_token(id, self.0.clock.now()).await?;
        if revoked {
            self.0.known.forget(|question| matches!(question, Question::Token(secret) if secret.id() == id));
            tracing::info!(target: AUDIT, event = "api_token_revoked", id, by = ?by, "revoked an API token");
        }
        Ok(revoked)
    }
}
