//! The generic webhook.

use std::time::Duration;

use goldentime_catalog::Notification;
use goldentime_model::config::Secret;
use goldentime_runtime::SharedClock;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};

use super::super::config::{ChannelConfig, WebhookConfig};
use super::super::message::Texts;
use super::super::start::NotifyError;
use super::alertmanager::Body;
use super::sign::{SIGNATURE_HEADER, signature};
use super::{BoxFuture, Channel, SendError, http};

/// Header with the notification's id, the same in every repeat.
const ID_HEADER: &str = "goldentime-notification";

/// How often a TLS connection is kept warm unless the configuration says otherwise.
const WARM_INTERVAL: Duration = Duration::from_secs(20);

/// POSTs Alertmanager's JSON.
pub(super) struct Webhook {
    client: Client,
    url: Url,
    headers: HeaderMap,
    signing_secret: Option<Secret>,
    external_url: String,
    warm: Option<Duration>,
    clock: SharedClock,
}

impl Webhook {
    pub(super) fn new(
        channel: &ChannelConfig,
        config: &WebhookConfig,
        texts: Texts,
        clock: SharedClock,
    ) -> Result<Self, NotifyError> {
        let refuse = |reason: String| NotifyError::Channel { name: channel.name.clone(), reason };
        let url = Url::parse(config.url.expose()).map_err(|error| refuse(format!("url: {error}")))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &config.headers {
            let parsed = HeaderName::try_from(name.as_str()).ok();
            let value = HeaderValue::from_str(value.expose()).ok();
            let (Some(header), Some(mut value)) = (parsed, value) else {
                return Err(refuse(format!("headers: `{name}` is no valid header")));
            };
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        let default_warm = if url.scheme() == "https" { WARM_INTERVAL } else { Duration::ZERO };
        let warm = config.keep_warm.map_or(default_warm, |interval| interval.get());
        Ok(Self {
            client: http::client(channel.timeout.get(), config.ca_file.as_deref()).map_err(refuse)?,
            url,
            headers,
            signing_secret: config.signing_secret.clone(),
            external_url: texts.external_url().to_owned(),
            warm: (!warm.is_zero()).then_some(warm),
            clock,
        })
    }

    async fn post(&self, notification: &Notification) -> Result<(), SendError> {
        let body = serde_json::to_vec(&Body::of(notification, &self.external_url))
            .map_err(|error| SendError::Permanent { reason: format!("cannot write the body: {error}") })?;
        let mut request = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .header(ID_HEADER, &notification.id);
        if let Some(secret) = &self.signing_secret {
            let at_s = self.clock.now().second().0;
            request = request.header(SIGNATURE_HEADER, signature(secret.expose(), at_s, &body));
        }
        let response = request.body(body).send().await.map_err(http::failed)?;
        http::judge(&response)
    }
}

impl Channel for Webhook {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn send<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.post(notification))
    }

    fn preview(&self, notification: &Notification) -> Result<String, SendError> {
        let body = serde_json::to_string_pretty(&Body::of(notification, &self.external_url));
        body.map_err(|error| SendError::Permanent { reason: format!("cannot write the body: {error}") })
    }

    fn warm_interval(&self) -> Option<Duration> {
        self.warm
    }

    fn warm(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // Whatever it answers, the connection is open; a failure shows when a page is sent.
            if self.client.head(self.url.clone()).send().await.is_err() {
                metrics::counter!("goldentime_webhook_warm_failures_total").increment(1);
            }
        })
    }
}
