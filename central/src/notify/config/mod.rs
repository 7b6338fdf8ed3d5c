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

mod channels;
pub mod routing;

use std::collections::BTreeSet;
use std::time::Duration;

use goldentime_model::config::{Check, Secret};
use goldentime_model::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(in crate::notify) use self::channels::ONE_KIND;
pub use self::channels::{
    ChannelConfig, EmailConfig, Encryption, HttpChannelConfig, Language, PagerDutyConfig, Preset,
    SlackConfig, WebhookConfig,
};
use self::routing::{InhibitRuleConfig, ReceiverConfig, RouteConfig, TimeIntervalConfig};

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
    /// The first alert of a group (same rule and service, unless `route` groups otherwise) is told at once;
    /// further ones within this time are told together when it is over. Default `10s`; `0` tells each; at most `1h`.
    pub group_interval: HumanDuration,
    /// Channels under one name, for routes and for rules that name them as targets. Default: none.
    pub receivers: Vec<ReceiverConfig>,
    /// Which alert goes where; a rule that names targets goes there. Default: everything to every channel.
    pub route: Option<RouteConfig>,
    /// Which alerts keep people from being told of others while they fire. Default: none.
    pub inhibit_rules: Vec<InhibitRuleConfig>,
    /// Times of a week, for routes. Default: none.
    pub time_intervals: Vec<TimeIntervalConfig>,
    /// A channel that fails for so long is told over the others, as the alert `ChannelFailing`. Default `1m`; `0`
    /// never; at most `1h`.
    pub channel_failing_after: HumanDuration,
    /// An outside service that pages when it is not told any more that this central decides on pages. Default: none.
    pub heartbeat: Option<HeartbeatConfig>,
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
            channel_failing_after: HumanDuration::from_secs(60),
            heartbeat: None,
            receivers: Vec::new(),
            route: None,
            inhibit_rules: Vec::new(),
            time_intervals: Vec::new(),
            attempts_max: 12,
            retry_initial: HumanDuration::from_millis(500),
            retry_max: HumanDuration::from_secs(30),
            history_keep: HumanDuration::from_secs(90 * 86_400),
            external_url: None,
        }
    }
}

/// An outside service that pages when it is not told any more that all is well, such as healthchecks.io.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct HeartbeatConfig {
    /// Where to POST, `http://` or `https://`.
    pub url: Secret,
    /// How often. Default `30s`; `5s` to `1h`.
    #[serde(default = "default_heartbeat")]
    pub every: HumanDuration,
}

const fn default_heartbeat() -> HumanDuration {
    HumanDuration::from_secs(30)
}

impl NotifyConfig {
    /// Refuses what the types allow and the notifier does not.
    pub fn validate(&self, check: &mut Check) {
        let within = |value: HumanDuration, low_ms: u64, high_s: u64| {
            (Duration::from_millis(low_ms)..=Duration::from_secs(high_s)).contains(&value.get())
        };
        check.require(within(self.debounce, 0, 3600), "debounce", "must be `0` to `1h`");
        check.require(within(self.group_interval, 0, 3600), "group_interval", "must be `0` to `1h`");
        let is_within = within(self.channel_failing_after, 0, 3600);
        check.require(is_within, "channel_failing_after", "must be `0` to `1h`");
        if let Some(heartbeat) = &self.heartbeat {
            check.section("heartbeat", |check| {
                check.require(is_http(heartbeat.url.expose()), "url", "must begin with http:// or https://");
                check.require(within(heartbeat.every, 5_000, 3600), "every", "must be `5s` to `1h`");
            });
        }
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
        self.validate_routing(check);
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

    #[test]
    fn routes_that_lead_nowhere_are_refused_with_their_place() {
        let found = faults(
            "channels:\n- name: a\n  http: {url: 'https://x/y', preset: telegram}\nreceivers: [{name: a, channels: [c]}]\n\
             route:\n  matchers: [x=y]\n  routes:\n  - {matchers: ['x=~\"(\"'], receiver: b, repeat_interval: 1s}\n  \
             - {mute_time_intervals: [nights], escalate: {after: 1s, receiver: b}}\n\
             inhibit_rules: [{source_matchers: [x]}]\ntime_intervals: [{name: n, time_intervals: [{weekdays: [funday]}]}]\n",
        );
        for expected in [
            "channels[0].http.values: this preset needs `chat_id`",
            "receivers[0].name: `a` is empty, or the name of another",
            "receivers[0].channels: no channel has the name `c`",
            "route.matchers: not at the top",
            "route.routes[0].matchers: `x=~\"(\"`",
            "route.routes[0].receiver: no receiver and no channel has the name `b`",
            "route.routes[0].repeat_interval: must be `0` (never) or `1m` to `30d`",
            "route.routes[1].mute_time_intervals: no entry of `notify.time_intervals` has the name `nights`",
            "route.routes[1].escalate.after: must be `1m` to `7d`",
            "inhibit_rules[0].target_matchers: must have a matcher",
            "inhibit_rules[0].source_matchers: `x` is no matcher",
            "time_intervals[0].time_intervals[0]: weekdays: `funday`",
        ] {
            assert!(found.contains(expected), "{expected} not in:\n{found}");
        }
    }
}
