//! What is read of `goldentime.raw`, and how.

use std::collections::{BTreeMap, BTreeSet};

use goldentime_model::config::{Check, Settings};
use goldentime_model::identity::DEFAULT_PART;
use goldentime_model::naming::{check_given, check_given_service};
use goldentime_model::units::HumanDuration;
use goldentime_observe::parse::config::{FieldNames, Format};
use goldentime_observe::route;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fold::Input;

/// Most inputs: each record is compared with one after the other.
const INPUTS_MAX: usize = 100;

/// What others produce to `goldentime.raw` (`cluster.raw`): Fluent Bit, rsyslog and the like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RawConfig {
    /// Inputs, of which a record belongs to the first that matches. What matches none goes to the dead letters.
    /// Every central has to have the same ones. No default; 1 to 100.
    pub inputs: Vec<RawInput>,
    /// Records are taken together for this long before they are counted and committed. Default `100ms`; `10ms`
    /// to `5s`.
    pub commit_interval: HumanDuration,
    /// How long senders may hold a line before they produce it. Windows wait for it before they count as
    /// complete. Default `2s`, for senders that flush each second; `0s` to `1m`.
    pub sender_delay: HumanDuration,
}

/// Records of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RawInput {
    /// Name of the input, unique among them, for logs and metrics.
    pub name: String,
    /// Which records belong to it. Default: all.
    #[serde(default, rename = "match")]
    pub matching: Match,
    /// Project of what is read. Who may write to the topic may write into it. Default `default`.
    #[serde(default = "default_part")]
    pub project: String,
    /// Environment of what is read. Default `default`.
    #[serde(default = "default_part")]
    pub environment: String,
    /// Service that the lines are about, unless `service_field` or a field of theirs names it. Default: none,
    /// counted as `unknown`.
    #[serde(default)]
    pub service: Option<String>,
    /// Field of the record that names the service, such as `kubernetes.labels.app`. Fields of objects inside
    /// are named with points. Default none.
    #[serde(default)]
    pub service_field: Option<String>,
    /// Host of records that name none. Default `unknown`.
    #[serde(default)]
    pub host: Option<String>,
    /// Field of the record, or of the line, that names the host. Default: `host`, `hostname`, `_HOSTNAME` or
    /// `kubernetes.host`.
    #[serde(default)]
    pub host_field: Option<String>,
    /// Field of the record that holds the line, such as Fluent Bit's `log`. Default none: the record is the line.
    #[serde(default)]
    pub line_field: Option<String>,
    /// Field of the record that says when it happened, for lines that do not say it. What has neither counts at
    /// the time at which Kafka took it. Default `@timestamp`.
    #[serde(default = "time_field")]
    pub time_field: String,
    /// Zone of times that name none, such as `Asia/Seoul`. Default `UTC`.
    #[serde(default = "time_zone")]
    pub time_zone: String,
    /// Format of the lines.
    pub format: Format,
    /// Which field of a line says what, where the usual names do not hold.
    #[serde(default)]
    pub fields: FieldNames,
    /// How raw paths become endpoints, and what counts as what.
    #[serde(default)]
    pub routes: route::Config,
    /// Ships the lines as log records as well, without secrets and numbers of persons. Default false.
    #[serde(default)]
    pub ship_logs: bool,
}

/// What a record has to have, all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Match {
    /// Its key in Kafka; `*` stands for any characters. Default: any key, or none.
    pub key: Option<String>,
    /// Fields of it, which is JSON then, with their values; `*` stands for any characters. Default none.
    pub fields: BTreeMap<String, String>,
}

impl Default for RawConfig {
    fn default() -> Self {
        Self {
            inputs: Vec::new(),
            commit_interval: HumanDuration::from_millis(100),
            sender_delay: HumanDuration::from_secs(2),
        }
    }
}

fn default_part() -> String {
    DEFAULT_PART.to_owned()
}

fn time_field() -> String {
    "@timestamp".to_owned()
}

fn time_zone() -> String {
    "UTC".to_owned()
}

impl Settings for RawConfig {
    fn validate(&self, check: &mut Check) {
        let count = self.inputs.len();
        let is_some = (1..=INPUTS_MAX).contains(&count);
        check.require(is_some, "inputs", format!("{count} inputs are not between 1 and {INPUTS_MAX}"));
        let mut names = BTreeSet::new();
        for (at, input) in self.inputs.iter().enumerate() {
            check.section(&format!("inputs[{at}]"), |check| {
                let twice = format!("two inputs are named `{}`; give each a `name` of its own", input.name);
                check.require(names.insert(&input.name), "name", twice);
                input.validate(check);
            });
        }
        let commit_ms = self.commit_interval.get().as_millis();
        check.require((10..=5000).contains(&commit_ms), "commit_interval", "is not between 10ms and 5s");
        check.require(self.sender_delay.get().as_secs() <= 60, "sender_delay", "is more than 1m");
    }
}

impl Settings for RawInput {
    fn validate(&self, check: &mut Check) {
        let named = [("name", Some(&self.name)), ("project", Some(&self.project))];
        let others = [("environment", Some(&self.environment)), ("host", self.host.as_ref())];
        for (setting, name) in named.into_iter().chain(others) {
            if let Some(Err(message)) = name.map(|name| check_given(name)) {
                check.refuse(setting, message);
            }
        }
        if let Some(Err(message)) = self.service.as_deref().map(check_given_service) {
            check.refuse("service", message);
        }
        check.section("routes", |check| self.routes.validate(check));
        if let Err(error) = Input::check(self) {
            check.refuse(error.setting(), error.to_string());
        }
    }
}
