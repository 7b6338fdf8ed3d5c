//! The ways to people: what each of them is set to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use goldentime_model::config::{Check, Secret};
use goldentime_model::units::HumanDuration;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_http;
use crate::loopback::is_loopback_host;
use crate::notify::channels::template;

/// What is wrong with a channel of no kind, or of two.
pub(in crate::notify) const ONE_KIND: &str =
    "needs exactly one of `webhook`, `slack`, `email`, `pagerduty` and `http`";

/// One way to reach people. Exactly one of `webhook`, `slack`, `email`, `pagerduty` and `http` says which.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct ChannelConfig {
    /// Unique name; rules name their notification targets by it. 1 to 64 of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// Language of its texts: `en` (default) or `ko`.
    #[serde(default)]
    pub language: Language,
    /// Longest time of one attempt, connecting included. Default `5s`; `100ms` to `1m`.
    #[serde(default = "default_timeout")]
    pub timeout: HumanDuration,
    /// Tell when an alert is over. Default `true`; a rule may forbid it for its own alerts.
    #[serde(default = "yes")]
    pub send_resolved: bool,
    /// A generic webhook: Alertmanager's JSON by POST.
    #[serde(default)]
    pub webhook: Option<WebhookConfig>,
    /// A Slack incoming webhook.
    #[serde(default)]
    pub slack: Option<SlackConfig>,
    /// Mail by SMTP.
    #[serde(default)]
    pub email: Option<EmailConfig>,
    /// PagerDuty's Events API, version 2.
    #[serde(default)]
    pub pagerduty: Option<PagerDutyConfig>,
    /// Any service that takes a page by HTTP, by a template of its body.
    #[serde(default)]
    pub http: Option<HttpChannelConfig>,
}

/// Language of a channel's texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

/// A generic webhook.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct WebhookConfig {
    /// Where to POST, `http://` or `https://`. A secret, since such addresses often carry a token.
    pub url: Secret,
    /// Further request headers, at most 32. Values are secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Signs each body: header `Goldentime-Signature: t=<unix seconds>,v1=<hex>`, HMAC-SHA256 over
    /// `<t>.<body>`. Default: unsigned.
    #[serde(default)]
    pub signing_secret: Option<Secret>,
    /// PEM file of certificate authorities to trust beside the public ones. Certificates are always
    /// verified.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Sends a HEAD to the same address this often, so that a page finds its TLS connection open.
    /// Default `20s` for `https`, `0` (never) for `http`.
    #[serde(default)]
    pub keep_warm: Option<HumanDuration>,
}

/// A Slack incoming webhook.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct SlackConfig {
    /// The webhook's address as Slack gives it.
    pub url: Secret,
}

/// Mail by SMTP.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct EmailConfig {
    /// Mail server's name or address.
    pub server: String,
    /// Its port. Default 587 for `starttls`, 465 for `tls`, 25 for `none`.
    #[serde(default)]
    pub port: Option<u16>,
    /// `starttls` (default, required of the server), `tls`, or `none`, which is refused unless the
    /// server is on loopback.
    #[serde(default)]
    pub encryption: Encryption,
    /// Sender, such as `Goldentime <goldentime@example.com>`.
    pub from: String,
    /// Receivers, 1 to 50.
    pub to: Vec<String>,
    /// User to log in as; with `password`. Default: no login.
    #[serde(default)]
    pub username: Option<String>,
    /// Its password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// PEM file of certificate authorities to trust beside the public ones. Certificates are always
    /// verified. Default: none.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// PagerDuty's Events API, version 2.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct PagerDutyConfig {
    /// Integration key of a service there.
    pub routing_key: Secret,
    /// Where its API is. Default `https://events.pagerduty.com`; `https://events.eu.pagerduty.com` in Europe.
    #[serde(default = "pagerduty_url")]
    pub url: String,
}

/// A service that takes a page by POST.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct HttpChannelConfig {
    /// Where to POST, `http://` or `https://`. A secret, since such addresses often carry a token.
    pub url: Secret,
    /// A ready template. Default: none, `body` is one.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// Template of the body, in minijinja, over `preset`; see `docs/alerting.md`.
    #[serde(default)]
    pub body: Option<String>,
    /// Further values that the template knows by these names, such as `chat_id`.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// Request headers, at most 32. Values are secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Signs each body as `webhook` does. Default: unsigned.
    #[serde(default)]
    pub signing_secret: Option<Secret>,
    /// JSON pointer into the answer, such as `/success`, to what must be `true` there beside a status of 2xx.
    /// Default: none, `/success` with the preset `kakaowork`.
    #[serde(default)]
    pub confirm: Option<String>,
    /// PEM file of certificate authorities to trust beside the public ones. Default: none.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// A ready template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// A workflow of Microsoft Teams ("when a webhook request is received").
    Teams,
    /// A webhook of a Discord channel.
    Discord,
    /// `https://api.telegram.org/bot<token>/sendMessage`, with the value `chat_id`.
    Telegram,
    /// `https://api.kakaowork.com/v1/messages.send`, with the value `conversation_id`.
    Kakaowork,
}

/// How the way to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Plain first, then TLS; given up if the server cannot.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// None; on loopback only.
    None,
}

const fn default_timeout() -> HumanDuration {
    HumanDuration::from_secs(5)
}

fn pagerduty_url() -> String {
    "https://events.pagerduty.com".to_owned()
}

const fn yes() -> bool {
    true
}

impl ChannelConfig {
    pub(super) fn validate(&self, check: &mut Check) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        check.require(
            (1..=64).contains(&self.name.len()) && self.name.chars().all(plain),
            "name",
            "must be 1 to 64 letters, digits, `.`, `_` or `-`",
        );
        let timeout = self.timeout.get();
        check.require(
            (Duration::from_millis(100)..=Duration::from_secs(60)).contains(&timeout),
            "timeout",
            "must be `100ms` to `1m`",
        );
        let kinds = [
            self.webhook.is_some(),
            self.slack.is_some(),
            self.email.is_some(),
            self.pagerduty.is_some(),
            self.http.is_some(),
        ];
        check.require(kinds.into_iter().filter(|is| *is).count() == 1, "", ONE_KIND);
        if let Some(pagerduty) = &self.pagerduty {
            check.section("pagerduty", |check| {
                check.require(is_http(&pagerduty.url), "url", "must begin with https://");
            });
        }
        if let Some(http) = &self.http {
            check.section("http", |check| http.validate(check));
        }
        if let Some(webhook) = &self.webhook {
            check.section("webhook", |check| webhook.validate(check));
        }
        if let Some(slack) = &self.slack {
            check.section("slack", |check| {
                check.require(is_http(slack.url.expose()), "url", "must begin with https://");
            });
        }
        if let Some(email) = &self.email {
            check.section("email", |check| email.validate(check));
        }
    }
}

impl WebhookConfig {
    fn validate(&self, check: &mut Check) {
        check.require(is_http(self.url.expose()), "url", "must begin with http:// or https://");
        check.require(self.headers.len() <= 32, "headers", "at most 32 headers");
        check_authorities(check, self.ca_file.as_deref());
    }
}

impl HttpChannelConfig {
    fn validate(&self, check: &mut Check) {
        check.require(is_http(self.url.expose()), "url", "must begin with http:// or https://");
        check.require(self.headers.len() <= 32, "headers", "at most 32 headers");
        check.require(self.body.is_some() || self.preset.is_some(), "", "needs `preset` or `body`");
        if let Some(Err(reason)) = self.body.as_deref().map(|body| template::environment(body, &self.values))
        {
            check.refuse("body", reason);
        }
        let needed = match (&self.body, self.preset) {
            (None, Some(Preset::Telegram)) => Some("chat_id"),
            (None, Some(Preset::Kakaowork)) => Some("conversation_id"),
            _ => None,
        };
        if let Some(needed) = needed {
            let has_it = self.values.contains_key(needed);
            check.require(has_it, "values", format!("this preset needs `{needed}`"));
        }
        let is_pointer = self.confirm.as_deref().is_none_or(|pointer| pointer.starts_with('/'));
        check.require(is_pointer, "confirm", "must begin with `/`");
        check_authorities(check, self.ca_file.as_deref());
    }
}

impl EmailConfig {
    fn validate(&self, check: &mut Check) {
        check.require(!self.server.is_empty(), "server", "must name the mail server");
        check.require((1..=50).contains(&self.to.len()), "to", "must name 1 to 50 receivers");
        check.require(
            self.encryption != Encryption::None || is_loopback_host(&self.server),
            "encryption",
            "`none` is allowed only for a server on loopback; use `starttls` or `tls`",
        );
        check.require(
            self.username.is_some() == self.password.is_some(),
            "username",
            "`username` and `password` go together",
        );
        check_authorities(check, self.ca_file.as_deref());
        for (setting, address) in
            std::iter::once(("from", &self.from)).chain(self.to.iter().map(|to| ("to", to)))
        {
            if let Err(error) = address.parse::<lettre::message::Mailbox>() {
                check.refuse(setting, format!("`{address}` is no mail address: {error}"));
            }
        }
    }
}

/// A file of authorities that is not there would else be found at the first page.
fn check_authorities(check: &mut Check, file: Option<&Path>) {
    let Some(file) = file else { return };
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => {
            check.refuse("ca_file", format!("{} holds no certificate in PEM", file.display()));
        }
        Ok(_) => {}
        Err(error) => check.refuse("ca_file", format!("cannot read {}: {error}", file.display())),
    }
}
