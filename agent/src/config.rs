//! Configuration of the agent: `agent.yaml`, the files of `agent.d/` laid over it, and environment
//! variables (`GOLDENTIME_AGENT__CENTRAL__ADDRESS`) over both.
//!
//! Sections that belong to one component are that component's own `Config`; here stand those that
//! belong to the program as a whole.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use goldentime_model::config::{Check, Faults, LoadOptions, Node, Settings, load_with_places, reference};
use goldentime_model::identity::{DEFAULT_PART, check_name};
use goldentime_model::naming::{check_given, check_given_service};
use goldentime_model::units::ByteSize;
use goldentime_runtime::logging::LogFormat;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate;
use crate::inputs::{self, route, statsd, tail};
use crate::ship::uplink::{kafka, quic};
use crate::ship::{flush, spool};

/// Where the configuration is read from by default.
pub const DEFAULT_FILE: &str = "/etc/goldentime/agent.yaml";

/// Name of the folder beside the file whose files are laid over it.
const FOLDER: &str = "agent.d";

/// The agent's configuration, read when it starts. SIGHUP reads and checks it again and logs what is
/// wrong with it, or which settings have changed and wait for a restart; the agent goes on with what it
/// was started with. A restart goes on where reading was left and loses no line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How the central is reached.
    pub central: quic::Config,
    /// Straight to Kafka: records go there and not over the central. Beside it a central that `central.address`
    /// or `central.addresses` names still corrects the clock and tells what to flush sooner. The user needs the
    /// rights Write and DescribeConfigs on the topics `deltas` and `logs`, and on brokers before 2.8
    /// IdempotentWrite on the cluster. Default: none.
    pub kafka: Option<kafka::Config>,
    /// Environment of everything that this agent reads, the middle part of service ids (`prod`,
    /// `staging`). Default `default`. No `/`, braces, control characters or blanks around it; at most 200
    /// bytes.
    pub environment: String,
    /// Name of this host in alerts and on the dashboard; it may hold what `environment` may. Default:
    /// the machine's host name.
    pub host: Option<String>,
    /// Where the agent keeps its identity, its spool and its socket. One agent at a time. Default
    /// `/var/lib/goldentime-agent`.
    pub state_dir: PathBuf,
    /// What is read.
    pub inputs: inputs::Config,
    /// How raw paths become endpoints, and what counts as what.
    pub routes: route::Config,
    /// Bounds of what one input may hold between two flushes.
    pub limits: aggregate::Config,
    /// What is kept on disk until the central or Kafka has it.
    pub spool: spool::Config,
    /// How often what was read is committed and sent.
    pub flush: flush::Interval,
    /// Flushes brought forward because something arrived that may make a rule true.
    pub express: flush::Express,
    /// Most memory that the components may declare together; if they declare more the agent does
    /// not start, and says who wants what. A bound, not what is used: that is mostly below 40 MiB.
    /// Default `1GiB`.
    pub memory_bytes_max: ByteSize,
    /// What the agent says of itself on standard error.
    pub logging: LoggingConfig,
}

/// What the agent says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoggingConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as
    /// `info,goldentime_agent::ship=debug`. Default `info`.
    pub level: String,
    /// `text` (default) or `json`.
    pub format: LoggingFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LoggingFormat {
    /// One readable line an event.
    #[default]
    Text,
    /// One JSON object an event.
    Json,
}

impl From<LoggingFormat> for LogFormat {
    fn from(format: LoggingFormat) -> Self {
        match format {
            LoggingFormat::Text => Self::Text,
            LoggingFormat::Json => Self::Json,
        }
    }
}

impl Default for LoggingConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LoggingFormat::Text }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            central: quic::Config::default(),
            kafka: None,
            environment: DEFAULT_PART.into(),
            host: None,
            state_dir: "/var/lib/goldentime-agent".into(),
            inputs: inputs::Config::default(),
            routes: route::Config::default(),
            limits: aggregate::Config::default(),
            spool: spool::Config::default(),
            flush: flush::Interval::default(),
            express: flush::Express::default(),
            memory_bytes_max: ByteSize::mib(1024),
            logging: LoggingConfig::default(),
        }
    }
}

impl Config {
    /// Reads `file`, `agent.d/` beside it and the environment.
    pub fn load(file: &Path) -> Result<Self, Faults> {
        Self::load_with_places(file).map(|(config, _)| config)
    }

    /// As [`load`](Self::load), with the places at which the settings stand.
    pub fn load_with_places(file: &Path) -> Result<(Self, Node), Faults> {
        let folder = file.parent().unwrap_or(Path::new(".")).join(FOLDER);
        load_with_places(&LoadOptions::new("agent", file).with_dir(folder))
    }

    /// Whether there is a central to talk to: the one that is named, or the usual one where nothing else
    /// takes the records.
    #[must_use]
    pub const fn has_central(&self) -> bool {
        self.kafka.is_none() || self.central.address.is_some() || !self.central.addresses.is_empty()
    }

    /// The name under which this host is known.
    #[must_use]
    pub fn host_name(&self) -> String {
        self.host.clone().unwrap_or_else(machine_name)
    }

    /// The Unix socket on which a running agent answers `status`.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.state_dir.join("agent.sock")
    }
}

impl Settings for Config {
    fn validate(&self, check: &mut Check) {
        check.section("central", |check| self.central.validate(check));
        if let Some(kafka) = &self.kafka {
            check.section("kafka", |check| kafka.validate(check));
            self.validate_both(kafka, check);
        }
        for (setting, name) in [("environment", Some(&self.environment)), ("host", self.host.as_ref())] {
            if let Some(Err(message)) = name.map(|name| check_given(name)) {
                check.refuse(setting, message);
            }
        }
        check.require(self.state_dir.is_absolute(), "state_dir", "must be an absolute path");
        check.section("inputs", |check| validate_inputs(&self.inputs, &self.routes, check));
        check.section("routes", |check| self.routes.validate(check));
        check.section("limits", |check| self.limits.validate(check));
        check.section("spool", |check| self.spool.validate(check));
        check.section("flush", |check| self.flush.validate(check));
        check.section("express", |check| self.express.validate(check));
        if let Err(error) = goldentime_runtime::logging::check_level(&self.logging.level) {
            check.refuse("logging.level", error);
        }
    }
}

impl Config {
    /// Refuses what a central and Kafka would tell differently, or what neither would use.
    fn validate_both(&self, kafka: &kafka::Config, check: &mut Check) {
        check.require(
            kafka.project.is_none() || !self.has_central(),
            "kafka.project",
            "the central that `central` names gives the project with its certificate; remove one of both",
        );
        let token = [
            ("central.join_token", self.central.join_token.is_some()),
            ("central.join_token_file", self.central.join_token_file.is_some()),
        ];
        for (setting, _) in token.into_iter().filter(|(_, is_given)| *is_given && !self.has_central()) {
            let message = "with `kafka` there is a central only where `central.address` or `central.addresses` \
                           names it; name it, or remove this";
            check.refuse(setting, message);
        }
    }
}

/// Refuses inputs that could not be started, each at its place, and names that two inputs share: read
/// positions are kept under them.
fn validate_inputs(inputs: &inputs::Config, routes: &route::Config, check: &mut Check) {
    check.section("host", |check| inputs.host.validate(check));
    check.section("saturation", |check| inputs.saturation.validate(check));
    for (at, entry) in inputs.services.iter().enumerate() {
        check.section(&format!("services[{at}]"), |check| {
            entry.validate(check);
            let message = "stands there twice: its readings would overwrite one another";
            check.require(!inputs.services[..at].contains(entry), "", message);
        });
    }
    let mut names = BTreeSet::new();
    let source =
        || route::Source { project: DEFAULT_PART.into(), environment: DEFAULT_PART.into(), service: None };
    for (at, input) in inputs.tail.iter().enumerate() {
        check.section(&format!("tail[{at}]"), |check| {
            let name = input.name();
            let message = format!("two inputs are named `{name}`; give each a `name` of its own");
            check.require(names.insert(name), "name", message);
            if let Some(Err(message)) = input.service.as_deref().map(check_given_service) {
                check.refuse("service", message);
            }
            input.validate(check);
            if let Err(error) = tail::Tail::new(input.clone(), routes, source()) {
                check.refuse("", error.to_string());
            }
        });
    }
    check.section("statsd", |check| {
        inputs.statsd.validate(check);
        if !inputs.statsd.enabled {
            return;
        }
        if let Err(error) = statsd::Statsd::check(&inputs.statsd, routes, source()) {
            check.refuse("", error.to_string());
        }
    });
}

/// The manual page of the configuration, in Markdown, made from its types.
#[must_use]
pub fn reference() -> String {
    reference::markdown("agent.yaml", &schemars::schema_for!(Config).to_value())
}

/// The kernel's name for this machine, made fit for a service id.
fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if check_name(&name).is_ok() { name } else { "unnamed-host".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, Faults> {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("agent.yaml");
        std::fs::write(&file, text).expect("written");
        Config::load(&file)
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(read("").expect("valid"), Config::default());
    }

    #[test]
    fn a_wrong_setting_is_told_with_its_place_and_the_way_out() {
        let faults = read("central:\n  address: central.example.com\nflush:\n  interval: 1ms\n")
            .expect_err("wrong")
            .to_string();
        assert!(faults.contains("agent.yaml:2:"), "{faults}");
        assert!(faults.contains("host:port"), "{faults}");
        assert!(faults.contains("agent.yaml:4:"), "{faults}");
        assert!(faults.contains("between 100ms and 10s"), "{faults}");
    }

    #[test]
    fn records_go_to_a_central_to_kafka_or_to_kafka_beside_a_central() {
        let kafka = "kafka:\n  connection: {brokers: ['kafka-1:9092']}\n";
        let alone = read(kafka).expect("valid");
        assert!(!alone.has_central());
        assert_eq!(alone.kafka.as_ref().map(kafka::Config::project), Some("default"));
        assert!(read(&format!("{kafka}central: {{address: 'c:7701'}}\n")).expect("valid").has_central());
        assert!(read(&format!("{kafka}central: {{addresses: ['c:7701']}}\n")).expect("valid").has_central());
        assert!(Config::default().has_central());
        for (more, place, told) in [
            ("  project: a/b\n", "3:12: kafka.project: ", "write `a_b`"),
            ("  topic_prefix: a b\n", "3:17: kafka.topic_prefix: ", "letters"),
            ("  waiting_bytes_max: 1MiB\n", "3:22: kafka.waiting_bytes_max: ", "twice"),
            ("  topics: x\n", "3:3: kafka.topics: ", "topic_prefix"),
            ("central: {join_token: x}\n", "3:23: central.join_token: ", "`central.address`"),
            ("  project: a\ncentral: {address: 'c:7701'}\n", "3:12: kafka.project: ", "certificate"),
        ] {
            let refused = refused(&format!("{kafka}{more}"));
            assert!(
                refused.len() == 1 && refused[0].starts_with(place) && refused[0].contains(told),
                "{refused:?}"
            );
        }
        assert!(refused("kafka: {}\n")[0].contains("name at least one as `host:port`"));
    }

    #[test]
    fn statsd_is_refused_outside_of_its_limits_even_where_it_is_not_enabled() {
        let faults =
            read("inputs:\n  statsd:\n    packet_bytes_max: 1MiB\n    idle_after: 1s\n    contexts_max: 0\n")
                .expect_err("wrong")
                .to_string();
        for told in ["agent.yaml:3:", "between 1KiB and 64KiB", "at least 10s", "between 16 and 1000000"] {
            assert!(faults.contains(told), "{told}: {faults}");
        }
        let faults =
            read("inputs:\n  statsd:\n    enabled: true\n    udp: [localhost]\n").expect_err("wrong");
        assert!(faults.to_string().contains("127.0.0.1:8125"), "{faults}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        let faults = read("spool:\n  bytes_maximum: 1GiB\n").expect_err("unknown").to_string();
        assert!(faults.contains("bytes_max"), "{faults}");
    }

    #[test]
    fn a_service_that_names_nothing_or_stands_there_twice_is_refused_with_its_place() {
        let text = "inputs:\n  services:\n  - service: a\n  - unit: b.service\n  - unit: b.service\n  saturation:\n    \
                    interval: 1ms\n";
        let faults = read(text).expect_err("wrong").to_string();
        for said in ["agent.yaml:3:", "names nothing", "agent.yaml:5:", "twice", "agent.yaml:7:", "100ms"] {
            assert!(faults.contains(said), "{said}: {faults}");
        }
    }

    /// The lines of what is refused.
    fn refused(text: &str) -> Vec<String> {
        let faults = read(text).expect_err("wrong").to_string();
        let lines = faults.lines().filter_map(|line| Some(line.split_once("agent.yaml:")?.1.to_owned()));
        lines.collect()
    }

    #[test]
    fn a_name_that_would_not_stand_as_it_is_is_refused_with_its_place_and_what_to_write() {
        let tail = "inputs:\n  tail:\n  - paths: [/a.log]\n    format: {type: json}\n    service: ";
        for (setting, place, told) in [
            (format!("{tail}host:x\n"), "5:14: inputs.tail[0].service: ", "write `host_x`"),
            (format!("{tail}__other__\n"), "5:14: inputs.tail[0].service: ", "write `_other_`"),
            (format!("{tail}shop/cart\n"), "5:14: inputs.tail[0].service: ", "write `shop_cart`"),
            (format!("{tail}' '\n"), "5:14: inputs.tail[0].service: ", "leave the setting out"),
            (
                "inputs:\n  statsd:\n    service: host:x\n".into(),
                "3:14: inputs.statsd.service: ",
                "write `host_x`",
            ),
            (
                "inputs:\n  services:\n  - service: host:x\n    unit: b.service\n".into(),
                "3:14: inputs.services[0].service: ",
                "write `host_x`",
            ),
            (
                "inputs:\n  services:\n  - service: host:$1\n    cgroup: /docker/*\n".into(),
                "3:14: inputs.services[0].service: ",
                "write `host_x`",
            ),
            ("host: a/b\n".into(), "1:7: host: ", "write `a_b`"),
            ("environment: ' prod'\n".into(), "1:14: environment: ", "write `prod`"),
            ("routes:\n  patterns: [/a, users]\n".into(), "2:18: routes.patterns[1]: ", "begin with `/`"),
        ] {
            let refused = refused(&setting);
            assert!(
                refused.len() == 1 && refused[0].starts_with(place) && refused[0].contains(told),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn names_in_rules_of_statsd_are_refused_where_they_stand_and_once() {
        let rule = "inputs:\n  statsd:\n    enabled: true\n    rules:\n    - types: [timer]\n      ";
        for (setting, place, told) in [
            ("service: host:x", "6:16: inputs.statsd.rules[0].service: ", "write `host_x`"),
            ("endpoint: __other__", "6:17: inputs.statsd.rules[0].endpoint: ", "write `_other_`"),
            ("method: a b", "6:15: inputs.statsd.rules[0].method: ", "a verb such as `GET`"),
        ] {
            let refused = refused(&format!("{rule}{setting}\n"));
            assert!(
                refused.len() == 1 && refused[0].starts_with(place) && refused[0].contains(told),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn files_of_the_folder_are_laid_over_the_main_one() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("agent.yaml");
        std::fs::create_dir(folder.path().join("agent.d")).expect("made");
        std::fs::write(&file, "environment: prod\nspool:\n  age_max: 1h\n").expect("written");
        std::fs::write(folder.path().join("agent.d/10.yaml"), "spool:\n  bytes_max: 2GiB\n")
            .expect("written");
        let config = Config::load(&file).expect("valid");
        assert_eq!(config.environment, "prod");
        assert_eq!(config.spool.bytes_max, ByteSize::mib(2048));
        assert_eq!(config.spool.age_max.get().as_secs(), 3600);
    }
}
