//! Configuration of the central: `central.yaml`, one struct for each of its sections.
//!
//! Sections that belong to one station are that station's own `Config`; here stand those that belong
//! to the program as a whole.

use std::path::PathBuf;

use goldentime_log::LogConfig;
use goldentime_model::config::{Check, Settings, reference};
use goldentime_model::units::{ByteSize, HumanDuration};
use goldentime_search::LogsConfig;
use goldentime_windows::WindowsConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::HttpConfig;
use crate::budget::Budget;
use crate::cluster::ClusterConfig;
use crate::evaluate::openslo::StarterRule;
use crate::ingest::raw::RawConfig;
use crate::ingest::{AgentsConfig, DeadLettersConfig};
use crate::notify::NotifyConfig;
use crate::persist::SeriesConfig;
use crate::roles::{self, Role, Roles};

/// Most partitions: each is a task with its own state, so a few times the cores are enough.
pub const PARTITIONS_MAX: u32 = 256;

/// `central.yaml`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Dashboard, API, WebSocket and `/metrics`.
    pub http: HttpConfig,
    /// Where the central keeps its files: log, windows, catalogue, its certificate authority. Default
    /// `/var/lib/goldentime-central`.
    pub state_dir: PathBuf,
    /// Partitions of the ingest log, each merged and judged by its own task. Default 4; 1 to 256. Fixed
    /// once the log exists: agents number their records by partition.
    pub partitions: u32,
    /// The agents' uplink.
    pub agents: AgentsConfig,
    /// The ingest log.
    pub log: LogConfig,
    /// What could not be taken.
    pub dead_letters: DeadLettersConfig,
    /// Live windows.
    pub windows: WindowsConfig,
    /// History, for charts beyond live windows.
    pub series: SeriesConfig,
    /// Log lines and their search.
    pub logs: LogsConfig,
    /// Engines outside, in place of the central's own files.
    pub cluster: ClusterConfig,
    /// What this central does of what several share by `cluster`: `gateway` lets agents in, `process` merges and
    /// judges, `notify` sends pages, `api` answers dashboard and API. `serve --roles` goes over it. What no central
    /// does is told by the others. Default all four.
    pub roles: Roles,
    /// Judging.
    pub evaluate: EvaluateConfig,
    /// Folder of OpenSLO files, watched and reloaded whole or not at all. Default `/etc/goldentime/slo`.
    pub slo_dir: PathBuf,
    /// Rules that come with the program: `[all]`, or some of `errors`, `error_surge`, `traffic_drop`,
    /// `latency`, `disk`, `memory`. An SLO of the same name in `slo_dir` takes a rule's place;
    /// `goldentime-central rules starter` prints them. A silent host is a matter of `evaluate.host_silent`. Default none.
    pub starter_rules: Vec<StarterRule>,
    /// Whom to tell, and how.
    pub notify: NotifyConfig,
    /// Memory that all components together may plan for. The start is refused when their bounds add up
    /// to more. Default `2GiB`; at least `64MiB`.
    pub memory_bytes_max: ByteSize,
    /// The program's own log, to standard error.
    pub logging: LoggingConfig,
}

/// How rules are judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EvaluateConfig {
    /// A service whose rules cannot be decided for this long, because data of its agents is missing,
    /// pages as `DataIncomplete`. Default `1m`; `5s` to `1h`.
    pub unknown_grace: HumanDuration,
    /// Page as `HostSilent` when an agent is not heard for a whole lease without having said goodbye.
    /// Default `true`.
    pub host_silent: bool,
}

/// The program's own log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LoggingConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,goldentime_central::merge=debug`.
    /// Default `info`.
    pub level: String,
    /// `text` (default) or `json`.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line an event.
    #[default]
    Text,
    /// One JSON object an event.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            http: HttpConfig::default(),
            state_dir: PathBuf::from("/var/lib/goldentime-central"),
            partitions: 4,
            agents: AgentsConfig::default(),
            log: LogConfig::default(),
            dead_letters: DeadLettersConfig::default(),
            windows: WindowsConfig::default(),
            series: SeriesConfig::default(),
            logs: LogsConfig::default(),
            cluster: ClusterConfig::default(),
            roles: Roles::default(),
            evaluate: EvaluateConfig::default(),
            slo_dir: PathBuf::from("/etc/goldentime/slo"),
            starter_rules: Vec::new(),
            notify: NotifyConfig::default(),
            memory_bytes_max: ByteSize::mib(2048),
            logging: LoggingConfig::default(),
        }
    }
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        Self { unknown_grace: HumanDuration::from_secs(60), host_silent: true }
    }
}

impl Default for LoggingConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::default() }
    }
}

impl Settings for Config {
    fn validate(&self, check: &mut Check) {
        check.section("http", |check| self.http.validate(check));
        check.require(
            (1..=PARTITIONS_MAX).contains(&self.partitions),
            "partitions",
            format!("{} is not between 1 and {PARTITIONS_MAX}", self.partitions),
        );
        check.section("agents", |check| self.agents.validate(check));
        check.section("log", |check| self.log.validate(check));
        check.section("dead_letters", |check| self.dead_letters.validate(check));
        check.section("series", |check| self.series.validate(check));
        check.section("logs", |check| self.logs.validate(check));
        check.section("cluster", |check| self.cluster.validate(check));
        roles::validate(self, check);
        check.section("notify", |check| self.notify.validate(check));
        check.section("evaluate", |check| {
            let grace_s = self.evaluate.unknown_grace.get().as_secs();
            check.require((5..=3600).contains(&grace_s), "unknown_grace", "is not between 5s and 1h");
        });
        if let Err(error) = goldentime_runtime::logging::check_level(&self.logging.level) {
            check.refuse("logging.level", error);
        }
        check.require(
            self.memory_bytes_max >= ByteSize::mib(64),
            "memory_bytes_max",
            "is less than 64MiB, which is not enough to start",
        );
        if check.is_clean()
            && let Err(too_much) = Budget::of(self).check(self.memory_bytes_max)
        {
            check.refuse("memory_bytes_max", too_much.to_string());
        }
    }
}

impl Config {
    /// Partitions of the log, wherever it is.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.cluster.kafka.as_ref().map_or(self.partitions, |kafka| kafka.partitions)
    }

    /// Whether this central has a role.
    #[must_use]
    pub fn does(&self, role: Role) -> bool {
        self.roles.has(role)
    }

    /// What others than agents produce to Kafka, where this central reads it: gateways do.
    #[must_use]
    pub fn raw(&self) -> Option<&RawConfig> {
        self.cluster.raw.as_ref().filter(|_| self.does(Role::Gateway))
    }
}

/// The manual page of the configuration, in Markdown, made from its types.
#[must_use]
pub fn reference() -> String {
    reference::markdown("central.yaml", &schemars::schema_for!(Config).to_value())
}

impl LoggingConfig {
    /// The format as the runtime knows it.
    #[must_use]
    pub const fn runtime_format(&self) -> goldentime_runtime::logging::LogFormat {
        match self.format {
            LogFormat::Text => goldentime_runtime::logging::LogFormat::Text,
            LogFormat::Json => goldentime_runtime::logging::LogFormat::Json,
        }
    }
}

#[cfg(test)]
mod tests {
    use goldentime_model::config::{LoadOptions, load};

    use super::*;

    fn read(yaml: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("central.yaml");
        std::fs::write(&file, yaml).expect("written");
        let mut options = LoadOptions::new("central", file);
        options.variables.clear();
        load(&options).map_err(|faults| faults.to_string())
    }

    #[test]
    fn the_packaged_file_says_what_the_defaults_are() {
        let packaged = include_str!("../../packaging/config/central.yaml");
        let config = read(packaged).expect("valid");
        let as_json = |config: &Config| serde_json::to_value(config).expect("plain data");
        assert_eq!(as_json(&config), as_json(&Config::default()));
    }

    /// Paths of all settings; lists and empty values have nothing below them.
    fn paths(value: &serde_json::Value, path: &str, all: &mut std::collections::BTreeSet<String>) {
        match value.as_object() {
            Some(object) => {
                object.iter().for_each(|(key, value)| paths(value, &format!("{path}.{key}"), all))
            }
            None => drop(all.insert(path.to_owned())),
        }
    }

    #[test]
    fn the_packaged_file_names_every_setting() {
        let packaged = include_str!("../../packaging/config/central.yaml");
        let written: serde_json::Value = serde_saphyr::from_str(packaged).expect("YAML");
        let (mut known, mut named) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        paths(&serde_json::to_value(Config::default()).expect("plain data"), "", &mut known);
        paths(&written, "", &mut named);
        let missing: Vec<_> = known.difference(&named).collect();
        // They have no default that could be written.
        assert_eq!(
            missing,
            [
                ".agents.authority_dir",
                ".cluster.elasticsearch",
                ".cluster.kafka",
                ".cluster.postgres",
                ".cluster.raw",
                ".cluster.redis",
                ".http.tls.cert_file",
                ".http.tls.key_file",
                ".notify.external_url",
                ".notify.heartbeat",
                ".notify.route"
            ]
        );
    }

    #[test]
    fn the_channels_that_the_packaged_file_shows_are_valid() {
        let packaged = include_str!("../../packaging/config/central.yaml");
        let (before, example) = packaged.split_once("  channels: []\n").expect("no channels by default");
        let shown: String = example
            .lines()
            .take_while(|line| line.starts_with("  # channels:") || line.starts_with("  #   "))
            .map(|line| line.replacen("# ", "", 1) + "\n")
            .collect();
        let rest = &example[example.find("\n  debounce:").expect("the next setting")..];
        let secrets = tempfile::tempdir().expect("a folder");
        let hook = secrets.path().join("hook");
        std::fs::write(&hook, "secret").expect("written");
        std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("private");
        let yaml = format!("{before}{shown}{rest}")
            .replace("/etc/goldentime/hook", &hook.display().to_string())
            .replace("{env: SLACK_WEBHOOK_URL}", "https://hooks.slack.com/services/a/b/c");
        assert_eq!(read(&yaml).expect("valid").notify.channels.len(), 3);
    }

    #[test]
    fn an_address_beyond_loopback_is_refused_with_its_place() {
        let refused = read("http:\n  listen: 0.0.0.0:7700\n").expect_err("refused");
        assert!(refused.contains("http.tls.mode") && refused.contains(":2:"), "{refused}");
    }

    #[test]
    fn an_unknown_setting_is_refused_with_the_nearest_known_one() {
        let refused = read("partition: 4\n").expect_err("refused");
        assert!(refused.contains("partitions"), "{refused}");
    }
}
