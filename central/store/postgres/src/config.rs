//! Where the database is, and how it is spoken to.

use std::path::PathBuf;
use std::time::Duration;

use goldentime_model::config::{Check, Settings};
use goldentime_model::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Connections that it takes to keep a page's claim from waiting behind a chart.
const CONNECTIONS_MIN: u32 = 2;

/// More connections than this make one server slower, not faster.
const CONNECTIONS_MAX: u32 = 200;

/// Longest name that PostgreSQL keeps whole, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// A PostgreSQL database, of version 15 or newer and in UTF-8, with TimescaleDB where the server has it
/// loaded. The user owns the database, or may at least create tables in it. Where a pool of connections
/// stands between, it has to keep one for each session: settings and prepared statements belong to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PostgresConfig {
    /// Host name, address, or the folder of a Unix socket. Default `localhost`.
    pub host: String,
    /// Port. Default `5432`.
    pub port: u16,
    /// Database. Default `goldentime`.
    pub database: String,
    /// User. Default `goldentime`.
    pub user: String,
    /// Absolute path of a file with the user's password, which other users of the machine may not read.
    /// Read anew for each connection, so that it may change. Default none: the server knows the user by a
    /// certificate or by its socket.
    pub password_file: Option<PathBuf>,
    /// Whether the connection is encrypted. Default `verify`. A Unix socket never is.
    pub tls: Tls,
    /// Certificates in PEM of authorities that are believed beside the well-known ones. Default none.
    pub ca_file: Option<PathBuf>,
    /// Certificate in PEM by which the server knows this client; goes with `key_file`. Default none.
    pub cert_file: Option<PathBuf>,
    /// Key in PEM of `cert_file`. Default none.
    pub key_file: Option<PathBuf>,
    /// Most connections at once. What needs another waits, `connect_timeout` at most. Default `10`; `2` to
    /// `200`.
    pub connections_max: u32,
    /// How long a connection may take to be there. Default `5s`; `100ms` to `1m`.
    pub connect_timeout: HumanDuration,
    /// How long one call may take, a step of history or a chart, before it is given up and tried again. What
    /// a central that hangs has locked is free after it. Default `30s`; `1s` to `10m`.
    pub call_timeout: HumanDuration,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Encrypted, and only to a server whose certificate bears its host's name and is signed by a known
    /// authority.
    #[default]
    Verify,
    /// Encrypted, to whoever answers: passwords and data are safe from listeners, not from impostors.
    Encrypt,
    /// Not encrypted.
    Off,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 5432,
            database: "goldentime".to_owned(),
            user: "goldentime".to_owned(),
            password_file: None,
            tls: Tls::Verify,
            ca_file: None,
            cert_file: None,
            key_file: None,
            connections_max: 10,
            connect_timeout: HumanDuration::from_secs(5),
            call_timeout: HumanDuration::from_secs(30),
        }
    }
}

impl Settings for PostgresConfig {
    fn validate(&self, check: &mut Check) {
        check.require(!self.host.trim().is_empty(), "host", "is empty");
        check.require(self.port > 0, "port", "is 0");
        for (setting, name) in [("database", &self.database), ("user", &self.user)] {
            check.require(!name.trim().is_empty(), setting, "is empty");
            check.require(name.len() <= NAME_BYTES_MAX, setting, "is longer than 63 bytes");
        }
        let files = [
            ("password_file", &self.password_file),
            ("ca_file", &self.ca_file),
            ("cert_file", &self.cert_file),
            ("key_file", &self.key_file),
        ];
        for (setting, file) in files {
            let absolute = file.as_ref().is_none_or(|path| path.is_absolute());
            check.require(absolute, setting, "is not an absolute path; write it from `/` on");
        }
        let both = self.cert_file.is_some() == self.key_file.is_some();
        check.require(both, "cert_file", "goes with key_file; give both or none");
        let connections = CONNECTIONS_MIN..=CONNECTIONS_MAX;
        check.require(
            connections.contains(&self.connections_max),
            "connections_max",
            "is not between 2 and 200",
        );
        let connect = Duration::from_millis(100)..=Duration::from_secs(60);
        check.require(
            connect.contains(&self.connect_timeout.get()),
            "connect_timeout",
            "is not between 100ms and 1m",
        );
        let call = Duration::from_secs(1)..=Duration::from_secs(600);
        check.require(call.contains(&self.call_timeout.get()), "call_timeout", "is not between 1s and 10m");
    }
}

impl PostgresConfig {
    /// The database as messages name it.
    #[must_use]
    pub fn place(&self) -> String {
        format!("PostgreSQL {} at {}:{}", self.database, self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(config: &PostgresConfig) -> bool {
        let mut check = Check::new();
        config.validate(&mut check);
        !check.is_clean()
    }

    #[test]
    fn the_defaults_are_valid_and_what_cannot_work_is_refused() {
        let valid = PostgresConfig::default();
        assert!(!is_refused(&valid));
        let file = |path: &str| Some(PathBuf::from(path));
        let wrong = [
            PostgresConfig { host: " ".into(), ..valid.clone() },
            PostgresConfig { port: 0, ..valid.clone() },
            PostgresConfig { database: String::new(), ..valid.clone() },
            PostgresConfig { user: "u".repeat(64), ..valid.clone() },
            PostgresConfig { password_file: file("password"), ..valid.clone() },
            PostgresConfig { cert_file: file("/a.crt"), ..valid.clone() },
            PostgresConfig { connections_max: 1, ..valid.clone() },
            PostgresConfig { connect_timeout: HumanDuration::from_secs(61), ..valid.clone() },
            PostgresConfig { call_timeout: HumanDuration::from_millis(999), ..valid.clone() },
        ];
        for config in wrong {
            assert!(is_refused(&config), "{config:?}");
        }
        let both = PostgresConfig { cert_file: file("/a.crt"), key_file: file("/a.key"), ..valid };
        assert!(!is_refused(&both));
    }
}
