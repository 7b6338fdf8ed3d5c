//! The ways to people. Each sends one notification and says whether trying again can help.

mod alertmanager;
mod email;
mod http;
mod sign;
mod slack;
mod webhook;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::Notification;
use goldentime_runtime::SharedClock;

use super::config::ChannelConfig;
use super::message::Texts;
use super::start::NotifyError;

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a notification was not delivered. Reasons are for people and show no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Trying again may help.
    #[error("{reason}")]
    Retry {
        /// What happened.
        reason: String,
        /// How long the other side asks to wait.
        after: Option<Duration>,
    },
    /// Trying again cannot help.
    #[error("{reason}")]
    Permanent {
        /// What happened, and the way out.
        reason: String,
    },
}

/// One way to people.
///
/// - `send` is `Ok` only when the other side took the notification over.
/// - A repeat of a notification carries the same id, so that a receiver can drop it.
/// - Dropping the future (a timeout) may leave the notification sent or not.
pub trait Channel: Send + Sync + 'static {
    /// `webhook`, `slack` or `email`.
    fn kind(&self) -> &'static str;

    /// Sends one notification.
    fn send<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<(), SendError>>;

    /// How often [`Self::warm`] wants to be called; `None`: never.
    fn warm_interval(&self) -> Option<Duration> {
        None
    }

    /// Keeps the connection open, so that the next page need not wait for a handshake.
    fn warm(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Makes the channel that a configuration asks for.
pub(super) fn build(
    config: &ChannelConfig,
    texts: Texts,
    clock: SharedClock,
) -> Result<Arc<dyn Channel>, NotifyError> {
    match (&config.webhook, &config.slack, &config.email) {
        (Some(webhook), None, None) => Ok(Arc::new(webhook::Webhook::new(config, webhook, texts, clock)?)),
        (None, Some(slack), None) => Ok(Arc::new(slack::Slack::new(config, slack, texts)?)),
        (None, None, Some(email)) => Ok(Arc::new(email::Email::new(config, email, texts)?)),
        _ => Err(NotifyError::Channel {
            name: config.name.clone(),
            reason: "needs exactly one of `webhook`, `slack` and `email`".into(),
        }),
    }
}
