//! What all links of a store share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo,
    TlsCertificates,
};
use goldentime_runtime::SharedClock;
use tokio::sync::Notify;

use super::address::Address;
use super::config::{RedisConfig, read_pem};
use super::failure::Failure;

/// Settings and counters of one opened store.
pub(super) struct Common {
    pub(super) config: RedisConfig,
    /// Tells this process's fields from all others'. One that starts later sorts later.
    pub(super) boot: String,
    pub(super) clock: SharedClock,
    /// A link came up or went down, or a slot has moved.
    pub(super) changed: Notify,
    settings: RedisConnectionInfo,
    certificates: Option<TlsCertificates>,
    epochs: AtomicU64,
    restarts: AtomicU64,
    in_flight: AtomicU64,
}

/// Bytes that wait to be written, until dropped.
pub(super) struct InFlight {
    common: Arc<Common>,
    bytes: u64,
}

impl Common {
    /// Reads the files that the configuration names. An `Err` is what is wrong with them.
    pub(super) fn new(config: RedisConfig, clock: SharedClock) -> Result<Self, String> {
        let mut settings = RedisConnectionInfo::default().set_db(i64::from(config.database));
        if let Some(user) = &config.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &config.password {
            settings = settings.set_password(password.expose());
        }
        let settings = settings.set_lib_name("goldentime", env!("CARGO_PKG_VERSION"));
        let mut certificates = None;
        if let Some(tls) = &config.tls {
            let client_tls = match (&tls.certificate_file, &tls.key_file) {
                (Some(certificate), Some(key)) => {
                    Some(ClientTlsConfig { client_cert: read_pem(certificate)?, client_key: read_pem(key)? })
                }
                _ => None,
            };
            let root_cert = tls.ca_file.as_deref().map(read_pem).transpose()?;
            certificates = Some(TlsCertificates { client_tls, root_cert });
        }
        let millis = u64::try_from(clock.now().as_millis()).unwrap_or(0);
        let mut random = [0; 5];
        getrandom::fill(&mut random).map_err(|error| format!("no random numbers: {error}"))?;
        let random = random.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        Ok(Self {
            config,
            boot: format!("{millis:012x}{random:010x}"),
            clock,
            changed: Notify::new(),
            settings,
            certificates,
            epochs: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
        })
    }

    /// A writer epoch higher than all before.
    pub(super) fn next_epoch(&self) -> u64 {
        self.epochs.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How many there have been.
    pub(super) fn epochs(&self) -> u64 {
        self.epochs.load(Ordering::SeqCst)
    }

    /// A server was started anew, or another took its place: what it said last that it had may be gone.
    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::SeqCst);
        metrics::counter!("goldentime_windows_restarts_total").increment(1);
    }

    /// How often that was so.
    pub(super) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::SeqCst)
    }

    pub(super) fn client(&self, address: &Address) -> Result<Client, Failure> {
        let (host, port) = (address.host.clone(), address.port);
        let made = match &self.certificates {
            None => {
                let info = ConnectionAddr::Tcp(host, port).into_connection_info();
                info.and_then(|info| Client::open(info.set_redis_settings(self.settings.clone())))
            }
            Some(certificates) => {
                let at = ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None };
                at.into_connection_info().and_then(|info| {
                    let info = info.set_redis_settings(self.settings.clone());
                    Client::build_with_tls(info, certificates.clone())
                })
            }
        };
        made.map_err(|error| Failure::of_connection(address, &error))
    }

    /// Timeouts are kept by whoever waits.
    pub(super) fn connection_config() -> AsyncConnectionConfig {
        AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None)
    }

    /// Takes room for `bytes` to be written. One write may stand above the limit, so that none is too
    /// large for ever.
    pub(super) fn take_off(self: &Arc<Self>, bytes: u64) -> Result<InFlight, Failure> {
        let max = self.config.in_flight_bytes_max;
        let before = self.in_flight.fetch_add(bytes, Ordering::SeqCst);
        let flight = InFlight { common: Arc::clone(self), bytes };
        if before >= max.get() { Err(Failure::Busy(max)) } else { Ok(flight) }
    }

    pub(super) const fn connect_timeout(&self) -> Duration {
        self.config.connect_timeout.get()
    }

    pub(super) const fn read_timeout(&self) -> Duration {
        self.config.read_timeout.get()
    }

    pub(super) const fn write_timeout(&self) -> Duration {
        self.config.write_timeout.get()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.common.in_flight.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}
