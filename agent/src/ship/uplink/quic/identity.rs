//! Who this agent is to its central: loaded from the state directory, or obtained once by a join
//! token.

use std::io::ErrorKind;
use std::path::Path;

use goldentime_model::config::Secret;
use goldentime_model::config::secret::SecretError;
use goldentime_transport::client::SessionError;
use goldentime_transport::enrol::{EnrolError, enrol};
use goldentime_transport::identity::{Identity, IdentityError};
use goldentime_transport::token::{JoinToken, TokenError};
use goldentime_wire::REFUSED_UNAVAILABLE;
use tokio_util::sync::CancellationToken;

use super::centrals::Centrals;
use super::config::Config;
use crate::ship::uplink::backoff::Backoff;
use crate::ship::uplink::state::{LinkPhase, UplinkState};

/// Why there is no identity. Trying again without a change does not help.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFailure {
    /// The identity's file cannot be used.
    #[error(transparent)]
    File(#[from] IdentityError),
    /// Neither an identity nor a token.
    #[error(
        "this host is not enrolled yet: put the join token that the central prints into a file and name it \
         under `central.join_token_file`"
    )]
    NoToken,
    /// The token's file cannot be read.
    #[error("central.join_token_file: {0}")]
    TokenFile(String),
    /// The token is none.
    #[error("the join token cannot be used")]
    Token(#[from] TokenError),
    /// The central does not take the token.
    #[error("the central did not enrol this host: {detail} ({code})")]
    Refused {
        /// Stable code.
        code: String,
        /// What to do.
        detail: String,
    },
    /// The identity is of another central than the token.
    #[error(
        "this host is enrolled at another central than the one that made the join token: to move it, stop \
         the agent and delete its identity in {state_dir}"
    )]
    OtherCentral {
        /// Where the identity is.
        state_dir: String,
    },
}

impl IdentityFailure {
    /// Whether the configuration has to be changed, so that a restart alone is of no use.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::NoToken | Self::TokenFile(_) | Self::Token(_) | Self::OtherCentral { .. })
    }
}

/// The identity in `state_dir`, or a new one from the central. Tries until the central answers
/// for good or ill; that it cannot for now is no answer. `None` when told to stop before.
pub async fn enrolled(
    config: &Config,
    state_dir: &Path,
    host: &str,
    state: &UplinkState,
    stopping: &CancellationToken,
) -> Result<Option<Identity>, IdentityFailure> {
    if let Some(identity) = Identity::load(state_dir)? {
        // A token that is still there must be of the same central; one that is gone has done its work.
        let other =
            token(config).ok().is_some_and(|token| token.authority != identity.authority_fingerprint());
        if other {
            return Err(IdentityFailure::OtherCentral { state_dir: state_dir.display().to_string() });
        }
        return Ok(Some(identity));
    }
    let token = token(config)?;
    let mut backoff = Backoff::new(config.reconnect_interval_max.get());
    state.set_phase(LinkPhase::Enrolling);
    let mut centrals = Centrals::new(config.addresses());
    loop {
        state.update(|status| centrals.address().clone_into(&mut status.address));
        // An attempt that is given up may have used the token once; nobody waits for a stop instead.
        let asked = tokio::select! {
            biased;
            () = stopping.cancelled() => return Ok(not_enrolled()),
            asked = enrol(centrals.address(), &token, host) => asked,
        };
        match asked {
            Ok(identity) => {
                identity.save(state_dir)?;
                tracing::info!(agent = identity.agent, project = identity.project, "enrolled");
                return Ok(Some(identity));
            }
            Err(EnrolError::Session(SessionError::Refused { code, detail }))
                if code != REFUSED_UNAVAILABLE =>
            {
                return Err(IdentityFailure::Refused { code, detail });
            }
            Err(error) => {
                state.note_failure(&error);
                tracing::warn!(error = &error as &dyn std::error::Error, "not enrolled yet; trying again");
            }
        }
        if !centrals.give_up() {
            continue;
        }
        tokio::select! {
            () = stopping.cancelled() => return Ok(not_enrolled()),
            () = backoff.wait() => {}
        }
    }
}

fn not_enrolled() -> Option<Identity> {
    tracing::info!("told to stop before the central has answered; the next start asks again");
    None
}

/// The join token, from where the configuration says. Fails as `run` does for a host that is not
/// enrolled.
pub(crate) fn token(config: &Config) -> Result<JoinToken, IdentityFailure> {
    let secret = match (&config.join_token, &config.join_token_file) {
        (Some(token), _) => token.clone(),
        (None, Some(path)) => Secret::from_file(path).map_err(|error| token_file(&error))?,
        (None, None) => return Err(IdentityFailure::NoToken),
    };
    Ok(secret.expose().trim().parse()?)
}

fn token_file(error: &SecretError) -> IdentityFailure {
    let hint = match error {
        SecretError::Read { source, .. } if source.kind() == ErrorKind::NotFound => {
            "; this host is not enrolled yet: put the join token there that the central printed at its first \
             start or that `goldentime-central token create` prints, and `chmod 600` it"
        }
        SecretError::Read { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "; let the agent's user own the file"
        }
        _ => "",
    };
    IdentityFailure::TokenFile(format!("{error}{hint}"))
}
