//! Slack's incoming webhook.
//!
//! Blocks within Slack's limits: 50 a message, 3000 characters a text, 150 a header.
//! <https://docs.slack.dev/reference/block-kit/blocks>

use goldentime_catalog::Notification;
use goldentime_model::{AlertStatus, Severity};
use reqwest::{Client, Url};
use serde_json::{Value, json};

use super::super::config::{ChannelConfig, SlackConfig};
use super::super::message::{Texts, cut};
use super::super::start::NotifyError;
use super::{BoxFuture, Channel, SendError, http};

const BLOCKS_MAX: usize = 50;
const TEXT_CHARS_MAX: usize = 3000;
const HEADER_CHARS_MAX: usize = 150;

/// POSTs blocks.
pub(super) struct Slack {
    client: Client,
    url: Url,
    texts: Texts,
}

impl Slack {
    pub(super) fn new(
        channel: &ChannelConfig,
        config: &SlackConfig,
        texts: Texts,
    ) -> Result<Self, NotifyError> {
        let refuse = |reason: String| NotifyError::Channel { name: channel.name.clone(), reason };
        let url = Url::parse(config.url.expose()).map_err(|error| refuse(format!("url: {error}")))?;
        Ok(Self { client: http::client(channel.timeout.get(), None).map_err(refuse)?, url, texts })
    }

    async fn post(&self, notification: &Notification) -> Result<(), SendError> {
        let body = body(notification, &self.texts);
        let response = self.client.post(self.url.clone()).json(&body).send().await.map_err(http::failed)?;
        http::judge(&response)
    }
}

impl Channel for Slack {
    fn kind(&self) -> &'static str {
        "slack"
    }

    fn send<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.post(notification))
    }

    fn preview(&self, notification: &Notification) -> Result<String, SendError> {
        Ok(format!("{:#}", body(notification, &self.texts)))
    }
}

/// The message: a header, a section an alert, and what did not fit.
fn body(notification: &Notification, texts: &Texts) -> Value {
    let title = texts.title(notification);
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": cut(&title, HEADER_CHARS_MAX), "emoji": true},
    })];
    // One block is the header, one is kept for what does not fit.
    let room = BLOCKS_MAX - 2;
    for alert in notification.alerts.iter().take(room) {
        let mark = match (alert.status, alert.severity) {
            (AlertStatus::Resolved, _) => ":white_check_mark:",
            (AlertStatus::Firing, Severity::Critical) => ":red_circle:",
            (AlertStatus::Firing, Severity::Warning) => ":large_orange_circle:",
        };
        // Escaping lengthens the text and cutting may halve an escape, so cut first, with room.
        let text = escape(&cut(&texts.alert(alert), TEXT_CHARS_MAX / 2));
        blocks.push(json!({
            "type": "section",
            "text": {"type": "mrkdwn", "text": cut(&format!("{mark} {text}"), TEXT_CHARS_MAX)},
        }));
    }
    let left = notification.alerts.len().saturating_sub(room);
    if left > 0 {
        blocks.push(json!({
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": texts.more(left)}],
        }));
    }
    json!({"text": cut(&escape(&title), TEXT_CHARS_MAX), "blocks": blocks})
}

/// The three characters that Slack asks to escape.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::super::message::testing::{notification_of, texts};
    use super::*;

    #[test]
    fn a_message_stays_within_slacks_limits_however_much_there_is_to_say() {
        let body = body(&notification_of(300, &"<&결제>".repeat(2000)), &texts());
        let blocks = body["blocks"].as_array().expect("blocks");
        assert_eq!(blocks.len(), BLOCKS_MAX);
        let chars = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
        assert!(chars(&blocks[0]["text"]["text"]) <= HEADER_CHARS_MAX);
        assert!(blocks[1..49].iter().all(|block| chars(&block["text"]["text"]) <= TEXT_CHARS_MAX));
        assert!(blocks[49]["elements"][0]["text"].as_str().expect("text").contains("252"));
    }
}
