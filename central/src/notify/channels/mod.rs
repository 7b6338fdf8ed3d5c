//! The ways to people. Each sends one notification and says whether trying again can help.

mod alertmanager;
mod email;
pub(super) mod http;
mod pagerduty;
mod sign;
mod slack;
pub(super) mod template;
mod webhook;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::Notification;
use goldentime_runtime::SharedClock;

use super::config::{ChannelConfig, ONE_KIND};
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
    /// `webhook`, `slack`, `email`, `pagerduty` or `http`.
    fn kind(&self) -> &'static str;

    /// Sends one notification.
    fn send<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<(), SendError>>;

    /// What would be sent, for people, without secrets.
    fn preview(&self, notification: &Notification) -> Result<String, SendError>;

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
    let ChannelConfig { webhook, slack, email, pagerduty, http, .. } = config;
    let mut made: Vec<Arc<dyn Channel>> = Vec::new();
    if let Some(webhook) = webhook {
        made.push(Arc::new(webhook::Webhook::new(config, webhook, texts.clone(), Arc::clone(&clock))?));
    }
    if let Some(slack) = slack {
        made.push(Arc::new(slack::Slack::new(config, slack, texts.clone())?));
    }
    if let Some(email) = email {
        made.push(Arc::new(email::Email::new(config, email, texts.clone())?));
    }
    if let Some(pagerduty) = pagerduty {
        made.push(Arc::new(pagerduty::PagerDuty::new(config, pagerduty, texts.clone())?));
    }
    if let Some(http) = http {
        made.push(Arc::new(template::Templated::new(config, http, texts, clock)?));
    }
    match (made.pop(), made.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(NotifyError::Channel { name: config.name.clone(), reason: ONE_KIND.into() }),
    }
}
