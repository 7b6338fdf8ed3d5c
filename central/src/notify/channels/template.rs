//! Any service that takes a page over HTTP, by a template of its body.
//!
//! Ready ones for some services are in `presets/`; a configuration may have its own. Templates are minijinja's and know
//! `status`, `title`, `text`, `receiver`, `group_key`, `group_labels`, `alerts`, `pages`, `url` and `link` (to the first alert); `| tojson`
//! writes a value as JSON.

use goldentime_catalog::Notification;
use goldentime_model::AlertStatus;
use goldentime_model::config::Secret;
use goldentime_runtime::SharedClock;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, Url};
use serde_json::json;

use super::super::config::{ChannelConfig, HttpChannelConfig, Preset};
use super::super::message::{Texts, cut};
use super::super::start::NotifyError;
use super::sign::{SIGNATURE_HEADER, signature};
use super::{BoxFuture, Channel, SendError, http};

/// Name of the only template.
const BODY: &str = "body";

/// Work that one rendering may do, in minijinja's instructions.
const FUEL: u64 = 1_000_000;

/// Longest answer that is looked at.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Longest body.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// POSTs what a template makes.
pub(super) struct Templated {
    client: Client,
    url: Url,
    headers: HeaderMap,
    signing_secret: Option<Secret>,
    environment: Environment<'static>,
    /// Longest text that the service takes, in characters.
    text_chars_max: usize,
    /// What must be `true` in the answer.
    confirm: Option<String>,
    texts: Texts,
    clock: SharedClock,
}

/// The template of a preset, and the longest text that its service takes.
fn preset(preset: Preset) -> (&'static str, usize) {
    match preset {
        // A card is 28 KB at most.
        Preset::Teams => (include_str!("presets/teams.json"), 6000),
        // An embed's description.
        Preset::Discord => (include_str!("presets/discord.json"), 4096),
        Preset::Telegram => (include_str!("presets/telegram.json"), 4096),
        // A text block.
        Preset::Kakaowork => (include_str!("presets/kakaowork.json"), 500),
    }
}

/// KakaoWork answers 200 with `success: false`.
fn known_confirm(config: &HttpChannelConfig) -> Option<String> {
    (config.body.is_none() && config.preset == Some(Preset::Kakaowork)).then(|| "/success".to_owned())
}

impl Templated {
    pub(super) fn new(
        channel: &ChannelConfig,
        config: &HttpChannelConfig,
        texts: Texts,
        clock: SharedClock,
    ) -> Result<Self, NotifyError> {
        let refuse = |reason: String| NotifyError::Channel { name: channel.name.clone(), reason };
        let (source, text_chars_max) = match (&config.body, config.preset) {
            (Some(own), _) => (own.clone(), BODY_BYTES_MAX),
            (None, Some(known)) => {
                let (source, chars) = preset(known);
                (source.to_owned(), chars)
            }
            (None, None) => return Err(refuse("needs `body` or `preset`".into())),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &config.headers {
            let header =
                HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::from_str(value.expose()).ok());
            let Some((header, mut value)) = header else {
                return Err(refuse(format!("headers: `{name}` is no valid header")));
            };
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(Self {
            client: http::client(channel.timeout.get(), config.ca_file.as_deref()).map_err(refuse)?,
            url: Url::parse(config.url.expose()).map_err(|error| refuse(format!("url: {error}")))?,
            headers,
            signing_secret: config.signing_secret.clone(),
            environment: environment(&source, &config.values).map_err(refuse)?,
            text_chars_max,
            confirm: config.confirm.clone().or_else(|| known_confirm(config)),
            texts,
            clock,
        })
    }

    fn body(&self, notification: &Notification) -> Result<String, SendError> {
        let firing = notification.alerts.iter().any(|alert| alert.status == AlertStatus::Firing);
        let alerts = notification.alerts.iter().map(|alert| {
            json!({
                "status": alert.status,
                "severity": alert.severity,
                "labels": alert.labels,
                "annotations": alert.annotations,
                "episode": alert.episode,
                "text": self.texts.alert(alert),
                "url": self.texts.url(alert),
            })
        });
        let values = context! {
            status => if firing { "firing" } else { "resolved" },
            title => self.texts.title(notification),
            text => cut(&self.texts.body(notification), self.text_chars_max),
            receiver => &notification.channel,
            group_key => &notification.group_key,
            group_labels => Serde(&notification.group_labels),
            alerts => Serde(alerts.collect::<Vec<_>>()),
            pages => Serde(notification.pages.iter().map(|page| page.kind.name()).collect::<Vec<_>>()),
            url => self.texts.external_url(),
            link => notification.alerts.first().map(|alert| self.texts.url(alert)),
        };
        let rendered = self.environment.get_template(BODY).and_then(|body| body.render(values));
        let body = rendered.map_err(|error| SendError::Permanent {
            reason: format!(
                "the template `body` cannot be filled in: {error:#}; try `alerts send-test --preview`"
            ),
        })?;
        match body.len() {
            0..=BODY_BYTES_MAX => Ok(body),
            bytes => Err(SendError::Permanent {
                reason: format!("the template `body` makes {bytes} bytes, more than {BODY_BYTES_MAX}"),
            }),
        }
    }

    async fn post(&self, notification: &Notification) -> Result<(), SendError> {
        let body = self.body(notification)?;
        let mut request = self.client.post(self.url.clone()).headers(self.headers.clone());
        if let Some(secret) = &self.signing_secret {
            let at_s = self.clock.now().second().0;
            request = request.header(SIGNATURE_HEADER, signature(secret.expose(), at_s, body.as_bytes()));
        }
        let response = request.body(body).send().await.map_err(http::failed)?;
        http::judge(&response)?;
        match &self.confirm {
            Some(pointer) => confirmed(response, pointer).await,
            None => Ok(()),
        }
    }
}

/// Some services answer 200 to what they refuse: then this part of the answer is not `true`.
async fn confirmed(mut response: Response, pointer: &str) -> Result<(), SendError> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(http::failed)? {
        answer.extend_from_slice(&chunk);
        if answer.len() > ANSWER_BYTES_MAX {
            break;
        }
    }
    let json: Option<serde_json::Value> = serde_json::from_slice(&answer).ok();
    if json.as_ref().and_then(|json| json.pointer(pointer)) == Some(&serde_json::Value::Bool(true)) {
        return Ok(());
    }
    let said = cut(&String::from_utf8_lossy(&answer), 200);
    Err(SendError::Retry { reason: format!("answered, but not with `{pointer}` true: {said}"), after: None })
}

/// What a template is filled in by; also what says whether it can be.
pub(in crate::notify) fn environment(
    source: &str,
    values: &std::collections::BTreeMap<String, String>,
) -> Result<Environment<'static>, String> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    for (name, value) in values {
        environment.add_global(name.clone(), value.clone());
    }
    let added = environment.add_template_owned(BODY, source.to_owned());
    added.map_err(|error| format!("body: {error:#}"))?;
    Ok(environment)
}

impl Channel for Templated {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn send<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.post(notification))
    }

    fn preview(&self, notification: &Notification) -> Result<String, SendError> {
        self.body(notification)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::message::testing::{notification_of, texts};
    use super::super::super::testing::config_of;
    use super::*;
    use goldentime_runtime::SystemClock;

    fn templated(http: &str) -> Result<Templated, NotifyError> {
        let config =
            config_of(&format!("channels: [{{name: x, http: {{url: 'http://127.0.0.1:9/', {http}}}}}]"));
        let channel = &config.channels[0];
        let http = channel.http.as_ref().expect("an http channel");
        let _ = rustls::crypto::ring::default_provider().install_default();
        Templated::new(channel, http, texts(), Arc::new(SystemClock))
    }

    #[test]
    fn each_preset_makes_json_within_the_limits_of_its_service() {
        let hostile = format!("\"}}, \\ <b>{}</b>", "느립니다 ".repeat(5000));
        for (name, field, chars_max) in [
            ("teams", "/attachments/0/content/body/1/text", 6000),
            ("discord", "/embeds/0/description", 4096),
            ("telegram", "/text", 4096),
            ("kakaowork", "/blocks/1/text", 500),
        ] {
            let made = templated(&format!("preset: {name}, values: {{chat_id: '1', conversation_id: '2'}}"));
            let body = made.expect("valid").body(&notification_of(3, &hostile)).expect("filled in");
            let json: serde_json::Value =
                serde_json::from_str(&body).unwrap_or_else(|error| panic!("{name}: {error}: {body}"));
            let text = json
                .pointer(field)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_else(|| panic!("{name}: {json:#}"));
            assert!(text.contains("slow-orders") && text.chars().count() <= chars_max, "{name}");
        }
    }

    #[test]
    fn a_template_that_is_wrong_or_endless_is_told_and_sends_nothing() {
        let refused = templated("body: '{{ oh'").err().expect("refused").to_string();
        assert!(refused.contains("body"), "{refused}");
        let endless = "{% for a in range(9000) %}{% for b in range(9000) %}x{% endfor %}{% endfor %}";
        let endless = templated(&format!("body: '{endless}'")).expect("it parses");
        assert!(matches!(endless.body(&notification_of(1, "slow")), Err(SendError::Permanent { .. })));
    }

    #[test]
    fn an_own_template_has_every_alert_and_its_own_values() {
        let body = "{{ status }} {{ team }} {{ pages|join(\",\") }} {{ alerts[0].labels.host|tojson }}";
        let made = templated(&format!("body: '{body}', values: {{team: 결제}}")).expect("valid");
        let text = made.body(&notification_of(1, "slow")).expect("filled in");
        assert_eq!(text, "firing 결제 fired \"web-0\"");
    }
}
