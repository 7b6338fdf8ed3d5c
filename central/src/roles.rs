//! What one central of several does: everything, or a part of it.

use std::collections::BTreeSet;
use std::fmt;

use clap::ValueEnum;
use goldentime_model::config::Check;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// A part of a central's work that it may do alone.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Lets agents in and gives what they send to Kafka.
    Gateway,
    /// Merges and judges partitions, and writes history and log lines.
    Process,
    /// Sends pages.
    Notify,
    /// Answers the API, with the dashboard and its WebSocket.
    Api,
}

impl Role {
    /// All there are, in the order of the data.
    pub const ALL: [Self; 4] = [Self::Gateway, Self::Process, Self::Notify, Self::Api];

    /// Name as it is written and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Process => "process",
            Self::Notify => "notify",
            Self::Api => "api",
        }
    }

    /// What it means when no central has it, for people.
    #[must_use]
    pub const fn when_missing(self) -> &'static str {
        match self {
            Self::Gateway => "agents that come by QUIC are let in nowhere and keep what they have",
            Self::Process => "nothing is judged, so nobody is paged",
            Self::Notify => "alerts are recorded and their pages kept, but nobody sends them",
            Self::Api => "there is no dashboard and no API",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The roles of a central. The default: all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Roles(BTreeSet<Role>);

impl Default for Roles {
    fn default() -> Self {
        Role::ALL.into_iter().collect()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<T: IntoIterator<Item = Role>>(roles: T) -> Self {
        Self(roles.into_iter().collect())
    }
}

impl Roles {
    /// Whether it has this one.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Whether it has all of them.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.len() == Role::ALL.len()
    }

    /// Whether live windows are written or read.
    #[must_use]
    pub fn use_windows(&self) -> bool {
        self.has(Role::Process) || self.has(Role::Api)
    }

    /// Its roles, in the order of the data.
    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }
}

/// Refuses roles that cannot be done with this configuration, with what to do.
pub fn validate(config: &Config, check: &mut Check) {
    let (roles, cluster) = (&config.roles, &config.cluster);
    check.require(!roles.0.is_empty(), "roles", "names none of gateway, process, notify, api");
    if cluster.kafka.is_none() {
        check.require(
            roles.is_all(),
            "roles",
            "is a part of the work, and without `cluster.kafka` there is nobody to do the rest: give all of them, or \
             set up `cluster` (docs/cluster.md)",
        );
        return;
    }
    check.require(
        cluster.redis.is_some() || !roles.use_windows(),
        "cluster.kafka",
        "needs `cluster.redis`: centrals with the role `process` write live windows there, those with `api` read them",
    );
    let (process, notify, api) = (roles.has(Role::Process), roles.has(Role::Notify), roles.has(Role::Api));
    if cluster.postgres.is_none() {
        check.require(
            process || !notify,
            "roles",
            "has `notify` without `process`, which needs `cluster.postgres`: the pages of other centrals are found there",
        );
        check.require(
            notify || !process,
            "roles",
            "has `process` without `notify`, which needs `cluster.postgres`: pages wait there for a central that sends \
             them",
        );
        check.require(
            process || !api,
            "roles",
            "has `api` without `process`, which needs `cluster.postgres`: alerts and history of other centrals are read \
             there",
        );
    }
    check.require(
        process || !api || !config.logs.enabled || cluster.elasticsearch.is_some(),
        "roles",
        "has `api` without `process`, which needs `cluster.elasticsearch`: log lines would be in files of other \
         centrals; set it, or `logs.enabled: false`",
    );
}

#[cfg(test)]
mod tests {
    use goldentime_model::config::{Flag, LoadOptions, load};

    use super::*;

    const KAFKA: &str = "  kafka: {connection: {brokers: ['k:9092']}}\n";
    const REDIS: &str = "  redis: {nodes: ['r:6379']}\n";
    const POSTGRES: &str = "  postgres: {host: p, database: d, user: u}\n";
    const NO_LINES: &str = "logs: {enabled: false}\n";

    fn read(yaml: &str, flag: Option<&str>) -> Result<Config, String> {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("central.yaml");
        std::fs::write(&file, yaml).expect("written");
        let mut options = LoadOptions::new("central", file);
        options.variables.clear();
        if let Some(roles) = flag {
            let items = roles.split(',').map(str::to_owned).collect();
            options = options.with_flag(Flag { name: "--roles", setting: "roles", items });
        }
        load(&options).map_err(|faults| faults.to_string())
    }

    /// With these engines, and no log lines.
    fn with(engines: &[&str], roles: &str) -> Result<Config, String> {
        read(&format!("roles: [{roles}]\n{NO_LINES}cluster:\n{}", engines.concat()), None)
    }

    fn assert_refused(read: Result<Config, String>, place: &str, says: &[&str]) {
        let refused = read.expect_err("refused");
        assert!(refused.contains(place), "{refused}");
        for word in says {
            assert!(refused.contains(word), "{word} is not said in: {refused}");
        }
    }

    #[test]
    fn a_central_does_everything_unless_told_otherwise() {
        assert!(Config::default().roles.is_all());
        assert!(read("", None).expect("valid").roles.is_all());
    }

    #[test]
    fn what_others_produce_to_kafka_is_read_by_gateways() {
        const RAW: &str = "  raw: {inputs: [{name: all, format: {type: json}}]}\n";
        let is_read = |roles| with(&[KAFKA, REDIS, POSTGRES, RAW], roles).expect("valid").raw().is_some();
        assert!(is_read("gateway") && is_read("gateway, process, notify, api"));
        assert!(!is_read("process, notify, api"));
    }

    #[test]
    fn a_part_of_the_work_of_a_central_that_is_alone_is_refused() {
        for roles in ["gateway", "process, notify, api", "notify"] {
            let alone = read(&format!("roles: [{roles}]\n"), None);
            assert_refused(alone, "roles", &["cluster.kafka", "give all of them"]);
        }
        assert!(read("roles: [api, notify, process, gateway]\n", None).is_ok());
    }

    #[test]
    fn no_role_at_all_and_one_that_is_not_known_are_refused() {
        assert_refused(with(&[KAFKA, REDIS, POSTGRES], ""), "roles", &["names none of gateway"]);
        assert_refused(with(&[KAFKA, REDIS, POSTGRES], "gatway"), "roles", &["gatway", "gateway"]);
    }

    #[test]
    fn who_writes_or_reads_live_windows_needs_redis_and_nobody_else() {
        for roles in ["process, notify", "api", "gateway, process, notify, api"] {
            assert_refused(with(&[KAFKA, POSTGRES], roles), "cluster.kafka", &["cluster.redis", "`api`"]);
        }
        for roles in ["gateway", "notify", "gateway, notify"] {
            assert!(with(&[KAFKA, POSTGRES], roles).is_ok(), "{roles}");
        }
    }

    #[test]
    fn who_relies_on_what_another_central_keeps_needs_a_database_that_both_use() {
        let engines = [KAFKA, REDIS];
        let pages = ["`notify` without `process`", "cluster.postgres"];
        assert_refused(with(&engines, "notify"), "roles", &pages);
        let unsent = ["`process` without `notify`", "cluster.postgres"];
        assert_refused(with(&engines, "gateway, process, api"), "roles", &unsent);
        assert_refused(with(&engines, "api"), "roles", &["`api` without `process`", "cluster.postgres"]);
        for roles in ["gateway", "process, notify, api", "gateway, process, notify"] {
            assert!(with(&engines, roles).is_ok(), "{roles}");
        }
    }

    #[test]
    fn an_api_away_from_the_lines_needs_a_search_server_or_no_lines() {
        let engines = format!("cluster:\n{KAFKA}{REDIS}{POSTGRES}");
        let api = format!("roles: [api]\n{engines}");
        assert_refused(read(&api, None), "roles", &["cluster.elasticsearch", "logs.enabled: false"]);
        assert!(read(&format!("{api}{NO_LINES}"), None).is_ok());
        let searches = format!("{api}  elasticsearch: {{urls: ['http://127.0.0.1:9200']}}\n");
        assert_eq!(read(&searches, None).map(drop), Ok(()));
        assert!(read(&format!("roles: [process, api, notify]\n{engines}"), None).is_ok());
    }

    #[test]
    fn the_flag_goes_over_the_file_and_is_named_where_it_is_wrong() {
        let file = format!("roles: [gateway]\n{NO_LINES}cluster:\n{KAFKA}{REDIS}{POSTGRES}");
        let config = read(&file, Some("process,notify")).expect("valid");
        assert_eq!(config.roles, [Role::Process, Role::Notify].into_iter().collect());
        assert_refused(read("", Some("notify")), "flag --roles", &["cluster.kafka"]);
        assert!(read("", Some("gateway,process,notify,api")).expect("valid").roles.is_all());
    }
}
