//! Configuration of Elasticsearch as the log store.

use std::path::PathBuf;
use std::time::Duration;

use goldentime_model::config::{Check, Secret, Settings};
use goldentime_model::units::{ByteSize, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SearchLimits;
use super::find::SEARCHES_MAX;
use super::position::STREAMS_MAX;

/// Log lines in Elasticsearch (7.17 or newer) or OpenSearch (1.3 or newer).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ElasticConfig {
    /// Addresses of nodes, such as `https://search-1:9200`; the next one is taken when one does not
    /// answer. No default; 1 to 32.
    pub urls: Vec<String>,
    /// User name. Default none.
    pub user: Option<String>,
    /// The user's password: `{file: /path}`, `{env: NAME}`, or as it is. Default none.
    pub password: Option<Secret>,
    /// An API key in its encoded form, in place of `user` and `password`. Default none.
    pub api_key: Option<Secret>,
    /// Authorities in PEM that the server's certificate may be signed by, beside the usual ones.
    /// Default none.
    pub ca_file: Option<PathBuf>,
    /// What the names of everything that is made on the server begin with. Default `goldentime`; 1 to 64
    /// lower-case letters, digits, `-` and `_`, a letter first.
    pub prefix: String,
    /// How lines are laid out. `auto`: a data stream where the server has them, else dated indices.
    /// What was begun goes on. Default `auto`.
    pub layout: Layout,
    /// Primary shards of each index. A shard holds up to two thousand million lines. Default `1`; 1 to 64.
    pub shards: u32,
    /// Copies of each shard on other nodes. Default `1`; 0 to 8.
    pub replicas: u32,
    /// Lines are dropped when they are older, an index at a time. Default `30d`; `1d` to `3650d`.
    pub retention: HumanDuration,
    /// Room for lines and their index with all copies. When it is used up the oldest index goes,
    /// whatever its age. Default `1TiB`; at least `1GiB`.
    pub bytes_max: ByteSize,
    /// Largest request that writes lines. Default `4MiB`; `64KiB` to `64MiB`, and not above the server's
    /// `http.max_content_length`.
    pub bulk_bytes_max: ByteSize,
    /// Most lines in one request that writes. Default `2000`; 1 to 100000.
    pub bulk_lines_max: u32,
    /// Requests that write at the same time. Default `2`; 1 to 64.
    pub bulks_max: u32,
    /// How long an answer may take. Default `30s`; `1s` to `10m`.
    pub request_timeout: HumanDuration,
    /// How long a write waits for a server that is busy or takes no writes, before it is given up and
    /// later tried as a whole. Default `30s`; `0s` to `10m`.
    pub busy_timeout: HumanDuration,
}

/// How lines are laid out on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// As the server allows.
    #[default]
    Auto,
    /// A data stream, with a lifecycle where the server has them.
    DataStream,
    /// An index for each day, behind an alias.
    Dated,
}

impl Default for ElasticConfig {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            user: None,
            password: None,
            api_key: None,
            ca_file: None,
            prefix: "goldentime".to_owned(),
            layout: Layout::Auto,
            shards: 1,
            replicas: 1,
            retention: HumanDuration::from_secs(30 * DAY_S),
            bytes_max: ByteSize::mib(1024 * 1024),
            bulk_bytes_max: ByteSize::mib(4),
            bulk_lines_max: 2000,
            bulks_max: 2,
            request_timeout: HumanDuration::from_secs(30),
            busy_timeout: HumanDuration::from_secs(30),
        }
    }
}

const DAY_S: u64 = 86_400;

impl Settings for ElasticConfig {
    fn validate(&self, check: &mut Check) {
        let secs = |value: HumanDuration| value.get().as_secs();
        check.require((1..=32).contains(&self.urls.len()), "urls", "must name 1 to 32 addresses of nodes");
        for (at, url) in self.urls.iter().enumerate() {
            let setting = format!("urls[{at}]");
            match reqwest::Url::parse(url) {
                Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                    check.refuse(&setting, "holds a user or password; give them as `user` and `password`");
                }
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
                _ => check.refuse(&setting, "must begin with http:// or https:// and name a host"),
            }
        }
        let has_user = self.user.is_some();
        check.require(has_user == self.password.is_some(), "user", "`user` and `password` go together");
        check.require(!(has_user && self.api_key.is_some()), "api_key", "give either `api_key` or `user`");
        let sends_secret = has_user || self.api_key.is_some();
        let is_plain = |url: &String| {
            reqwest::Url::parse(url).is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url))
        };
        check.require(
            !(sends_secret && self.urls.iter().any(is_plain)),
            "urls",
            "a password or key is sent over https only, except on loopback",
        );
        if let Some(Err(error)) = self.ca_file.as_ref().map(std::fs::metadata) {
            check.refuse("ca_file", format!("cannot be read: {error}"));
        }
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        check.require(
            (1..=64).contains(&self.prefix.len())
                && self.prefix.starts_with(|c: char| c.is_ascii_lowercase())
                && self.prefix.chars().all(is_plain),
            "prefix",
            "must be 1 to 64 lower-case letters, digits, `-` and `_`, a letter first",
        );
        check.require((1..=64).contains(&self.shards), "shards", "must be 1 to 64");
        check.require(self.replicas <= 8, "replicas", "must be 0 to 8");
        check.require(
            (DAY_S..=3650 * DAY_S).contains(&secs(self.retention)),
            "retention",
            "is not between 1d and 3650d",
        );
        check.require(self.bytes_max >= ByteSize::mib(1024), "bytes_max", "is less than 1GiB");
        let bulk = self.bulk_bytes_max.get();
        check.require(
            ((64 << 10)..=(64 << 20)).contains(&bulk),
            "bulk_bytes_max",
            "is not between 64KiB and 64MiB",
        );
        check.require((1..=100_000).contains(&self.bulk_lines_max), "bulk_lines_max", "must be 1 to 100000");
        check.require((1..=64).contains(&self.bulks_max), "bulks_max", "must be 1 to 64");
        check.require(
            (1..=600).contains(&secs(self.request_timeout)),
            "request_timeout",
            "is not between 1s and 10m",
        );
        check.require(secs(self.busy_timeout) <= 600, "busy_timeout", "is more than 10m");
    }
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl ElasticConfig {
    /// Most memory that the store takes, in bytes: requests under way, what searches hold of answers, and
    /// the tables of streams.
    #[must_use]
    pub fn memory_bound_bytes(&self, partitions: u32) -> u64 {
        /// A stream in its table, about.
        const STREAM_BYTES: u64 = 64;
        let bulks = u64::from(self.bulks_max) * (2 * self.bulk_bytes_max.get() + LINE_BYTES_MAX);
        // As bytes, as values and as lines.
        let searches = 3 * SEARCHES_MAX as u64 * SearchLimits::default().answer_bytes as u64;
        bulks + searches + u64::from(partitions) * STREAMS_MAX as u64 * STREAM_BYTES
    }

    /// Days that one dated index holds: there are some sixty of them at most.
    pub(super) fn days_per_index(&self) -> i64 {
        /// Indices that a full retention is made of.
        const INDICES: u64 = 60;
        let days = (self.retention.get().as_secs() / DAY_S).div_ceil(INDICES).max(1);
        i64::try_from(days).unwrap_or(1)
    }

    pub(super) fn retention_ns(&self) -> i64 {
        i64::try_from(self.retention.get().as_nanos()).unwrap_or(i64::MAX)
    }

    pub(super) fn busy_timeout(&self) -> Duration {
        self.busy_timeout.get()
    }
}

/// A line of extreme length, as it is sent.
const LINE_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(change: impl FnOnce(&mut ElasticConfig)) -> String {
        let mut config =
            ElasticConfig { urls: vec!["https://search:9200".to_owned()], ..ElasticConfig::default() };
        change(&mut config);
        let mut check = Check::new();
        config.validate(&mut check);
        format!("{check:?}")
    }

    #[test]
    fn what_cannot_work_is_refused_and_no_secret_is_shown() {
        let clean = faults(|_| ());
        assert!(clean.contains("found: []"), "{clean}");
        for (change, named) in [
            ((|config| config.urls.clear()) as fn(&mut ElasticConfig), "urls"),
            (|config| config.urls = vec!["search:9200".into()], "urls[0]"),
            (|config| config.urls = vec!["https://me:hush@search".into()], "urls[0]"),
            (|config| config.user = Some("me".into()), "user"),
            (|config| config.prefix = "Logs".into(), "prefix"),
            (|config| config.retention = HumanDuration::from_secs(60), "retention"),
            (|config| config.bulk_lines_max = 0, "bulk_lines_max"),
        ] {
            let told = faults(change);
            assert!(told.contains(named) && !told.contains("hush"), "{told}");
        }
        let plain = faults(|config| {
            config.urls = vec!["http://search:9200".into()];
            config.api_key = Some(Secret::new("hush"));
        });
        assert!(plain.contains("https only") && !plain.contains("hush"), "{plain}");
    }
}
