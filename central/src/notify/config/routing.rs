//! Who is told of what, when: receivers, the routing tree, inhibition and time intervals. Names and meaning are
//! Alertmanager's wherever it has the same.

use std::collections::BTreeSet;
use std::time::Duration;

use goldentime_model::config::Check;
use goldentime_model::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NotifyConfig;
use crate::notify::intervals::Interval;
use crate::notify::matching::Matchers;

/// Routes in the whole tree, and how deep it may be.
const ROUTES_MAX: usize = 1000;
const DEPTH_MAX: usize = 8;

/// Receivers, inhibition rules, time intervals, and parts of one interval.
const LIST_MAX: usize = 200;

/// Channels under one name.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct ReceiverConfig {
    /// Unique name, also among channels; routes and rules name it.
    pub name: String,
    /// Names of channels, 1 to 64.
    pub channels: Vec<String>,
}

/// A node of the routing tree. An alert goes to the first of `routes` that matches it, and below that one on; where
/// none does, it stays here. What is not set is as in the node above.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct RouteConfig {
    /// All of these match: `severity="page"`, `host=~"web-.*"`, `team!="batch"`, `"팀"!~"결제|주문"`. Expressions match
    /// the whole value. Not at the top. Default: every alert.
    pub matchers: Vec<String>,
    /// Name of a receiver, or of a channel. Default at the top: every channel.
    pub receiver: Option<String>,
    /// Look at the following routes too when this one matches. Default `false`.
    #[serde(rename = "continue")]
    pub goes_on: bool,
    /// Labels by which alerts are told together; `['...']` by all. Default at the top: `alertname`, `project`,
    /// `environment`, `service`.
    pub group_by: Option<Vec<String>>,
    /// Wait before the first page of a group. Default `0`: it leaves at once; at most `1h`.
    pub group_wait: Option<HumanDuration>,
    /// Further alerts of a group within this time are told together when it is over. Default at the top:
    /// `notify.group_interval`; at most `1h`.
    pub group_interval: Option<HumanDuration>,
    /// Tell again what still fires and nobody acknowledged, this often. Default `0`: never; else `1m` to `30d`.
    pub repeat_interval: Option<HumanDuration>,
    /// Nobody is told while any of these time intervals lasts; what still fires afterwards is told then. Not at the top.
    pub mute_time_intervals: Vec<String>,
    /// Nobody is told unless one of these time intervals lasts. Not at the top.
    pub active_time_intervals: Vec<String>,
    /// Whom to tell too when nobody acknowledges. Default: nobody.
    pub escalate: Option<EscalateConfig>,
    /// The nodes below.
    pub routes: Vec<RouteConfig>,
}

/// Whom to tell too when nobody acknowledges.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct EscalateConfig {
    /// So long after the first page. `1m` to `7d`.
    pub after: HumanDuration,
    /// Name of a receiver, or of a channel.
    pub receiver: String,
}

/// While a source fires, nobody is told of its targets.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct InhibitRuleConfig {
    /// All of these match an alert that inhibits others.
    pub source_matchers: Vec<String>,
    /// All of these match an alert that is inhibited.
    pub target_matchers: Vec<String>,
    /// Labels that are the same on both. Default: none.
    pub equal: Vec<String>,
}

/// Times under one name.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct TimeIntervalConfig {
    /// Unique name; routes name it.
    pub name: String,
    /// It lasts while any of these does.
    pub time_intervals: Vec<IntervalConfig>,
}

/// Times of a week. It lasts while each list that is given has the present.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct IntervalConfig {
    /// Days: `sunday` to `saturday`, or ranges such as `monday:friday`. Default: every day.
    pub weekdays: Vec<String>,
    /// Times of the day. Default: all of it.
    pub times: Vec<TimesConfig>,
    /// Time zone of both, such as `Asia/Seoul`. Default `UTC`.
    pub location: Option<String>,
}

/// Times of a day.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct TimesConfig {
    /// From then on, such as `09:00`.
    pub start_time: String,
    /// Until then, such as `18:00` or `24:00`. Where it is earlier than `start_time`, it is on the day after.
    pub end_time: String,
}

impl NotifyConfig {
    pub(super) fn validate_routing(&self, check: &mut Check) {
        self.validate_receivers(check);
        let mut names = BTreeSet::new();
        for (at, named) in self.time_intervals.iter().enumerate() {
            check.section(&format!("time_intervals[{at}]"), |check| {
                let is_new = names.insert(named.name.as_str());
                check.require(
                    is_new,
                    "name",
                    format!("`{}` is the name of another; give each its own", named.name),
                );
                named.validate(check);
            });
        }
        for (at, rule) in self.inhibit_rules.iter().enumerate() {
            check.section(&format!("inhibit_rules[{at}]"), |check| rule.validate(check));
        }
        for (setting, count) in [
            ("receivers", self.receivers.len()),
            ("time_intervals", self.time_intervals.len()),
            ("inhibit_rules", self.inhibit_rules.len()),
        ] {
            check.require(count <= LIST_MAX, setting, format!("at most {LIST_MAX}"));
        }
        if let Some(route) = &self.route {
            check.require(route.count() <= ROUTES_MAX, "route", format!("at most {ROUTES_MAX} routes"));
            check.section("route", |check| {
                for (setting, list) in [
                    ("matchers", &route.matchers),
                    ("mute_time_intervals", &route.mute_time_intervals),
                    ("active_time_intervals", &route.active_time_intervals),
                ] {
                    check.require(
                        list.is_empty(),
                        setting,
                        "not at the top, which takes what nothing else does; set it in one of `routes`",
                    );
                }
                route.validate(check, self, &names, 0);
            });
        }
    }

    fn validate_receivers(&self, check: &mut Check) {
        let channels: BTreeSet<&str> = self.channels.iter().map(|channel| channel.name.as_str()).collect();
        let mut names = channels.clone();
        for (at, receiver) in self.receivers.iter().enumerate() {
            check.section(&format!("receivers[{at}]"), |check| {
                let is_new = !receiver.name.is_empty() && names.insert(receiver.name.as_str());
                let name = &receiver.name;
                check.require(
                    is_new,
                    "name",
                    format!("`{name}` is empty, or the name of another receiver or channel"),
                );
                check.require(!receiver.channels.is_empty(), "channels", "must name a channel");
                for channel in &receiver.channels {
                    check.require(
                        channels.contains(channel.as_str()),
                        "channels",
                        format!("no channel has the name `{channel}`"),
                    );
                }
            });
        }
    }

    /// The channels that a receiver's or a channel's name stands for.
    pub(crate) fn channels_of(&self, receiver: &str) -> Option<Vec<String>> {
        match self.receivers.iter().find(|one| one.name == receiver) {
            Some(found) => Some(found.channels.clone()),
            None => {
                let is_channel = self.channels.iter().any(|channel| channel.name == receiver);
                is_channel.then(|| vec![receiver.to_owned()])
            }
        }
    }
}

impl RouteConfig {
    fn count(&self) -> usize {
        1 + self.routes.iter().map(Self::count).sum::<usize>()
    }

    fn validate(&self, check: &mut Check, config: &NotifyConfig, intervals: &BTreeSet<&str>, depth: usize) {
        check_matchers(check, "matchers", &self.matchers);
        if let Some(receiver) = &self.receiver {
            check_receiver(check, config, receiver);
        }
        let hour = Duration::from_secs(3600);
        for (setting, value) in [("group_wait", self.group_wait), ("group_interval", self.group_interval)] {
            check.require(value.is_none_or(|value| value.get() <= hour), setting, "must be `0` to `1h`");
        }
        let is_repeat = |value: HumanDuration| {
            value.get().is_zero() || (60..=30 * 86_400).contains(&value.get().as_secs())
        };
        check.require(
            self.repeat_interval.is_none_or(is_repeat),
            "repeat_interval",
            "must be `0` (never) or `1m` to `30d`",
        );
        for (setting, names) in [
            ("mute_time_intervals", &self.mute_time_intervals),
            ("active_time_intervals", &self.active_time_intervals),
        ] {
            for name in names {
                let is_known = intervals.contains(name.as_str());
                check.require(
                    is_known,
                    setting,
                    format!("no entry of `notify.time_intervals` has the name `{name}`"),
                );
            }
        }
        if let Some(escalate) = &self.escalate {
            check.section("escalate", |check| {
                let is_within = (60..=7 * 86_400).contains(&escalate.after.get().as_secs());
                check.require(is_within, "after", "must be `1m` to `7d`");
                check_receiver(check, config, &escalate.receiver);
            });
        }
        if depth >= DEPTH_MAX {
            check.require(self.routes.is_empty(), "routes", format!("at most {DEPTH_MAX} inside each other"));
            return;
        }
        for (at, route) in self.routes.iter().enumerate() {
            check.section(&format!("routes[{at}]"), |check| {
                route.validate(check, config, intervals, depth + 1)
            });
        }
    }
}

impl InhibitRuleConfig {
    fn validate(&self, check: &mut Check) {
        for (setting, matchers) in
            [("source_matchers", &self.source_matchers), ("target_matchers", &self.target_matchers)]
        {
            check.require(
                !matchers.is_empty(),
                setting,
                "must have a matcher: without one it is every alert",
            );
            check_matchers(check, setting, matchers);
        }
    }
}

impl TimeIntervalConfig {
    fn validate(&self, check: &mut Check) {
        check.require(!self.name.is_empty(), "name", "must not be empty");
        let count = self.time_intervals.len();
        check.require((1..=LIST_MAX).contains(&count), "time_intervals", format!("must be 1 to {LIST_MAX}"));
        for (at, interval) in self.time_intervals.iter().enumerate() {
            if let Err(reason) = Interval::new(interval) {
                check.refuse(&format!("time_intervals[{at}]"), reason);
            }
        }
    }
}

fn check_matchers(check: &mut Check, setting: &str, texts: &[String]) {
    if let Err(reason) = Matchers::parse(texts) {
        check.refuse(setting, reason);
    }
}

fn check_receiver(check: &mut Check, config: &NotifyConfig, name: &str) {
    let is_known = config.channels_of(name).is_some();
    check.require(is_known, "receiver", format!("no receiver and no channel has the name `{name}`"));
}
