//! What can be set about HTTP.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use goldentime_model::config::{Check, Settings};
use goldentime_model::units::{HumanDuration, listen_address};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access;
use crate::loopback::is_loopback_host;

/// Names and proxies that may be listed.
const LIST_MAX: usize = 64;

/// Where dashboards and the API are served, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HttpConfig {
    /// Address and port of dashboard, API, WebSocket and `/metrics`. Default `127.0.0.1:7700`. Beyond
    /// loopback it needs `tls`, or `trusted_proxies`, and everybody signs in.
    #[serde(deserialize_with = "listen_address")]
    pub listen: SocketAddr,
    /// Names and addresses by which browsers reach this central beyond loopback: they stand in its own
    /// certificate, and without TLS a request that asks for another name is refused. The first one stands
    /// in the set-up link. Default none; at most 64.
    pub names: Vec<String>,
    /// Whether this machine's own users must sign in while there is no account yet. Once there is one,
    /// and beyond loopback, everybody must. Default `loopback_open`.
    pub auth: Auth,
    /// Encryption.
    pub tls: TlsConfig,
    /// Addresses of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Without TLS and
    /// beyond loopback nobody else may connect. Default none; at most 64.
    pub trusted_proxies: Vec<IpAddr>,
    /// Connections at once; a further one waits in the system's queue. Default 1000; 10 to 100000.
    pub connections_max: usize,
    /// Connections at once from one address that is neither this machine's nor a trusted proxy's; a
    /// further one is closed and counted. Default 100; 1 to `connections_max`.
    pub connections_per_address_max: usize,
    /// Who is signed in and asks nothing for this long must sign in again; an open live page asks all the
    /// time. Default `24h`; `5m` to `30d`.
    pub session_idle: HumanDuration,
    /// Who is signed in must sign in again after this time at the latest. Default `30d`; at least
    /// `session_idle`, at most `365d`.
    pub session_lifetime: HumanDuration,
}

/// Who must sign in while there is no account yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// Nobody on this machine: the page is open to look at, and says how to set up the first account.
    #[default]
    LoopbackOpen,
    /// Everybody: the set-up link comes first.
    Required,
}

/// Encryption of HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TlsConfig {
    /// `off` (default), `self_made` or `files`.
    pub mode: TlsMode,
    /// With `files`: the certificate and those that lead to its authority, in PEM. Read again when it
    /// changes and on SIGHUP. No default.
    pub cert_file: Option<PathBuf>,
    /// With `files`: the certificate's key in PEM, not readable by everybody. No default.
    pub key_file: Option<PathBuf>,
}

/// Where the certificate comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// Nothing is encrypted: on loopback, or behind a proxy that speaks TLS.
    #[default]
    Off,
    /// Signed by the central's own authority, which `goldentime-central authority` prints for browsers
    /// and programs to trust; renewed by itself.
    SelfMade,
    /// Read from `cert_file` and `key_file`.
    Files,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7700)),
            names: Vec::new(),
            auth: Auth::default(),
            tls: TlsConfig::default(),
            trusted_proxies: Vec::new(),
            connections_max: 1000,
            connections_per_address_max: 100,
            session_idle: HumanDuration::from_secs(24 * 60 * 60),
            session_lifetime: HumanDuration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

impl HttpConfig {
    /// Whether nobody beyond this machine can connect.
    #[must_use]
    pub fn is_local(&self) -> bool {
        is_loopback_host(&self.listen.ip().to_string())
    }

    /// Whether browsers speak TLS with the central itself.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        self.tls.mode != TlsMode::Off
    }

    /// Where a browser finds the dashboard: by the first of `names`, else by the address itself, else by
    /// the machine's name.
    #[must_use]
    pub fn page_url(&self) -> String {
        let (scheme, port) = (if self.speaks_tls() { "https" } else { "http" }, self.listen.port());
        match self.names.first() {
            Some(name) if self.speaks_tls() => format!("https://{}/", with_port(name, port)),
            // A proxy that speaks TLS does so on its own port.
            Some(name) if !self.trusted_proxies.is_empty() => format!("https://{name}/"),
            _ if self.listen.ip().is_unspecified() => {
                let machine = machine_name().unwrap_or_else(|| "localhost".into());
                format!("{scheme}://{}/", with_port(&machine, port))
            }
            _ => format!("{scheme}://{}/", self.listen),
        }
    }

    /// How access is to be judged.
    #[must_use]
    pub fn access(&self) -> access::Settings {
        access::Settings {
            session_idle: self.session_idle.get(),
            session_lifetime: self.session_lifetime.get(),
            open_without_accounts: self.auth == Auth::LoopbackOpen && self.is_local(),
        }
    }
}

/// The machine's own name.
pub(super) fn machine_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    (!name.is_empty()).then_some(name)
}

fn with_port(name: &str, port: u16) -> String {
    if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") }
}

impl Settings for HttpConfig {
    fn validate(&self, check: &mut Check) {
        let is_behind_proxy = !self.speaks_tls() && !self.trusted_proxies.is_empty();
        check.require(
            self.is_local() || self.speaks_tls() || is_behind_proxy,
            "listen",
            "is not a loopback address, and passwords would cross the network unencrypted. Set `http.tls.mode` \
             to `self_made`, or to `files` with a certificate of yours; behind a proxy that speaks TLS name its \
             address in `http.trusted_proxies`",
        );
        check.require(
            self.is_local() || !is_behind_proxy || !self.names.is_empty(),
            "names",
            "is empty: behind a proxy, name here what browsers ask for, such as `goldentime.example.com`",
        );
        check.require(self.names.len() <= LIST_MAX, "names", format!("more than {LIST_MAX} names"));
        for (at, name) in self.names.iter().enumerate() {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            check.require(
                name.parse::<IpAddr>().is_ok()
                    || ((1..=253).contains(&name.len()) && name.chars().all(is_plain)),
                &format!("names[{at}]"),
                format!("`{name}` is neither a host name nor an address; write it without scheme and port"),
            );
        }
        check.require(
            self.trusted_proxies.len() <= LIST_MAX,
            "trusted_proxies",
            format!("more than {LIST_MAX} proxies"),
        );
        check.section("tls", |check| self.tls.validate(check));
        check.require(
            (10..=100_000).contains(&self.connections_max),
            "connections_max",
            format!("{} is not between 10 and 100000", self.connections_max),
        );
        check.require(
            (1..=self.connections_max).contains(&self.connections_per_address_max),
            "connections_per_address_max",
            format!("{} is not between 1 and connections_max", self.connections_per_address_max),
        );
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let (idle, lifetime) = (self.session_idle.get(), self.session_lifetime.get());
        check.require(
            (Duration::from_secs(300)..=DAY * 30).contains(&idle),
            "session_idle",
            "is not between 5m and 30d",
        );
        check.require(
            (idle..=DAY * 365).contains(&lifetime),
            "session_lifetime",
            "is not between session_idle and 365d",
        );
    }
}

impl Settings for TlsConfig {
    fn validate(&self, check: &mut Check) {
        let files = [("cert_file", &self.cert_file), ("key_file", &self.key_file)];
        for (setting, file) in files {
            match (self.mode, file) {
                (TlsMode::Files, None) => {
                    check.refuse(setting, "is missing: with `mode: files` give certificate and key");
                }
                (TlsMode::Files, Some(file)) => check.require(
                    file.is_absolute(),
                    setting,
                    format!("{} is not an absolute path; write it from `/` on", file.display()),
                ),
                (TlsMode::Off | TlsMode::SelfMade, Some(_)) => {
                    check.refuse(setting, "is used with `mode: files` only; set that, or remove this");
                }
                (TlsMode::Off | TlsMode::SelfMade, None) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(config: &HttpConfig) -> String {
        let mut check = Check::new();
        config.validate(&mut check);
        let source = goldentime_model::config::Source { name: "t.yaml".into(), text: "a: 1\n".into() };
        let node = goldentime_model::config::yaml::parse(&std::sync::Arc::new(source)).expect("YAML");
        let faults = check.into_faults(&node);
        faults.0.iter().map(|fault| format!("{}: {}\n", fault.path, fault.message)).collect()
    }

    fn beyond() -> HttpConfig {
        HttpConfig { listen: "0.0.0.0:7700".parse().expect("an address"), ..HttpConfig::default() }
    }

    fn tls(mode: TlsMode) -> TlsConfig {
        TlsConfig { mode, ..TlsConfig::default() }
    }

    #[test]
    fn beyond_loopback_it_needs_tls_or_a_trusted_proxy_with_names() {
        assert_eq!(faults(&HttpConfig::default()), "");
        let plain = faults(&beyond());
        assert!(plain.starts_with("listen: is not a loopback address"), "{plain}");
        assert!(plain.contains("http.tls.mode") && plain.contains("trusted_proxies"), "{plain}");
        assert_eq!(faults(&HttpConfig { tls: tls(TlsMode::SelfMade), ..beyond() }), "");
        let proxied =
            HttpConfig { trusted_proxies: vec!["10.0.0.1".parse().expect("an address")], ..beyond() };
        assert!(faults(&proxied).starts_with("names: is empty"), "{}", faults(&proxied));
        let named = HttpConfig { names: vec!["goldentime.example.com".into()], ..proxied };
        assert_eq!(faults(&named), "");
        assert_eq!(named.page_url(), "https://goldentime.example.com/");
    }

    #[test]
    fn certificate_files_go_with_their_mode_alone() {
        let missing = faults(&HttpConfig { tls: tls(TlsMode::Files), ..beyond() });
        assert!(
            missing.contains("tls.cert_file: is missing") && missing.contains("tls.key_file"),
            "{missing}"
        );
        let cert_file = Some(PathBuf::from("cert.pem"));
        let unused = TlsConfig { cert_file, ..tls(TlsMode::SelfMade) };
        let unused = faults(&HttpConfig { tls: unused, ..beyond() });
        assert!(unused.contains("tls.cert_file: is used with `mode: files` only"), "{unused}");
    }

    #[test]
    fn names_have_neither_scheme_nor_port() {
        let names = vec!["https://goldentime.example.com".into(), "2001:db8::1".into()];
        let found = faults(&HttpConfig { names, ..HttpConfig::default() });
        assert!(found.contains("names[0]: `https://") && !found.contains("names[1]"), "{found}");
    }
}
