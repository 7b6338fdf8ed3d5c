//! Settings of the notifier: section `notify` of `central.yaml`.
//!
//! ```yaml
//! notify:
//!   external_url: https://goldentime.example.com
//!   channels:
//!     - name: ops-hook
//!       webhook: {url: "https://hooks.example.com/goldentime", signing_secret: {file: /etc/goldentime/hook}}
//!     - name: ops-slack
//!       language: ko
//!       slack: {url: {env: SLACK_WEBHOOK_URL}}
//!     - name: ops-mail
//!       email: {server: smtp.example.com, from: goldentime@example.com, to: [oncall@example.com]}
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use goldentime_model::config::{Check, Secret};
use goldentime_model::units::HumanDuration;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::loopback::is_loopback_host;

/// Most channels that one central serves.
pub const CHANNELS_MAX: usize = 64;

/// Section `notify`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct NotifyConfig {
    /// Where pages go, at most 64 channels. Default: none, alerts are shown and kept only.
    pub channels: Vec<ChannelConfig>,
    /// An alert that fires again within this time of its resolve is recorded but not told at once; if
    /// it still fires when the time is over, it is. Default `1m`; `0` tells every time; at most `1h`.
    pub debounce: HumanDuration,
    /// The first alert of a group (same rule and service) is told at once; further ones within this
    /// time are told together when it is over. Default `10s`; `0` tells each; at most `1h`.
    pub group_interval: HumanDuration,
    /// Attempts before a notification is given up as a dead letter. Default 12 (some five minutes);
    /// 1 to 100.
    pub attempts_max: u32,
    /// Wait after the first failed attempt; it doubles with each further one, with jitter. A channel
    /// that says `Retry-After` is obeyed. Default `500ms`; `10ms` to `1m`.
    pub retry_initial: HumanDuration,
    /// Longest wait between two attempts, also the most of a `Retry-After` that is obeyed. Default
    /// `30s`; `10ms` to `1h`.
    pub retry_max: HumanDuration,
    /// How long ended alerts and notifications are kept. Default `90d`; at least `1h`.
    pub history_keep: HumanDuration,
    /// Address of the dashboard as people reach it, for links in messages. Default: none, messages
    /// link to `http://127.0.0.1:7700`.
    pub external_url: Option<String>,
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self {
            channels: Vec::new(),
            debounce: HumanDuration::from_secs(60),
            group_interval: HumanDuration::from_secs(10),
            attempts_max: 12,
            retry_initial: HumanDuration::from_millis(500),
            retry_max: HumanDuration::from_secs(30),
            history_keep: HumanDuration::from_secs(90 * 86_400),
            external_url: None,
        }
    }
}

/// One way to reach people. Exactly one of `webhook`, `slack` and `email` says which.
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

const fn yes() -> bool {
    true
}

impl NotifyConfig {
    /// Refuses what the types allow and the notifier does not.
    pub fn validate(&self, check: &mut Check) {
        let within = |value: HumanDuration, low_ms: u64, high_s: u64| {
            (Duration::from_millis(low_ms)..=Duration::from_secs(high_s)).contains(&value.get())
        };
        check.require(within(self.debounce, 0, 3600), "debounce", "must be `0` to `1h`");
        check.require(within(self.group_interval, 0, 3600), "group_interval", "must be `0` to `1h`");
        check.require((1..=100).contains(&self.attempts_max), "attempts_max", "must be 1 to 100");
        check.require(within(self.retry_initial, 10, 60), "retry_initial", "must be `10ms` to `1m`");
        check.require(within(self.retry_max, 10, 3600), "retry_max", "must be `10ms` to `1h`");
        check.require(
            self.retry_max >= self.retry_initial,
            "retry_max",
            "must not be shorter than `retry_initial`",
        );
        check.require(
            self.history_keep.get() >= Duration::from_secs(3600),
            "history_keep",
            "must be at least `1h`",
        );
        if let Some(url) = &self.external_url {
            check.require(is_http(url), "external_url", "must begin with http:// or https://");
        }
        check.require(
            self.channels.len() <= CHANNELS_MAX,
            "channels",
            format!("at most {CHANNELS_MAX} channels are served"),
        );
        let mut names = BTreeSet::new();
        for (at, channel) in self.channels.iter().enumerate() {
            check.section(&format!("channels[{at}]"), |check| {
                check.require(
                    names.insert(channel.name.as_str()),
                    "name",
                    format!("`{}` is the name of another channel; give each its own", channel.name),
                );
                channel.validate(check);
            });
        }
    }
}

impl ChannelConfig {
    fn validate(&self, check: &mut Check) {
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
        let kinds =
            [self.webhook.is_some(), self.slack.is_some(), self.email.is_some()].into_iter().filter(|is| *is);
        check.require(kinds.count() == 1, "", "needs exactly one of `webhook`, `slack` and `email`");
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

fn is_http(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(yaml: &str) -> String {
        let source = std::sync::Arc::new(goldentime_model::config::Source {
            name: "t.yaml".into(),
            text: yaml.into(),
        });
        let node = goldentime_model::config::yaml::parse(&source).expect("YAML");
        let config: NotifyConfig = goldentime_model::config::decode(&node).expect("typed");
        let mut check = Check::new();
        config.validate(&mut check);
        let line = |fault: &goldentime_model::config::Fault| fault.summary();
        check.into_faults(&node).0.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_good_section_has_no_faults() {
        assert_eq!(
            faults(
                "debounce: 0\nchannels:\n- name: a\n  webhook: {url: 'http://127.0.0.1:9/x'}\n\
                 - name: b\n  language: ko\n  email: {server: 127.0.0.1, encryption: none, \
                 from: Goldentime <g@example.com>, to: [a@example.com]}\n"
            ),
            ""
        );
    }

    #[test]
    fn a_file_of_authorities_that_cannot_be_used_is_refused_before_the_first_page() {
        let dir = tempfile::tempdir().expect("a folder");
        let empty = dir.path().join("empty.pem");
        std::fs::write(&empty, "no certificate").expect("written");
        let found = faults(&format!(
            "channels:\n- name: a\n  webhook: {{url: 'https://x/y', ca_file: /nonexistent.pem}}\n- name: b\n  \
             email: {{server: x, from: a@example.com, to: [a@example.com], ca_file: {}}}\n",
            empty.display()
        ));
        assert!(found.contains("channels[0].webhook.ca_file: cannot read /nonexistent.pem"), "{found}");
        let no_certificate = format!("channels[1].email.ca_file: {} holds no certificate", empty.display());
        assert!(found.contains(&no_certificate), "{found}");
    }

    #[test]
    fn plain_smtp_beyond_loopback_two_names_and_two_kinds_are_refused() {
        let found = faults(
            "channels:\n- name: a\n  webhook: {url: 'ftp://x'}\n- name: a\n  slack: {url: 'https://x/y'}\n  \
             email: {server: mail.example.com, encryption: none, from: nobody, to: [a@example.com]}\n",
        );
        for expected in [
            "channels[0].webhook.url: must begin with http",
            "channels[1].name: `a` is the name of another channel",
            "channels[1]: needs exactly one",
            "channels[1].email.encryption: `none` is allowed only",
            "channels[1].email.from: `nobody` is no mail address",
        ] {
            assert!(found.contains(expected), "{expected} not in:\n{found}");
        }
    }
}
