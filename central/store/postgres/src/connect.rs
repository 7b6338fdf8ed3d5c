//! One connection: who asks, how it is encrypted, and what limits the server holds it to.

use std::time::Duration;

use goldentime_model::config::Secret;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use crate::config::{PostgresConfig, Tls};
use crate::error::Error;

/// Name under which the server lists its connections.
const APPLICATION: &str = "goldentime-central";

/// A statement waits for another's lock so long; then it fails and is tried again.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// While a statement runs, the server looks this often whether anybody still waits for it.
const CLIENT_CHECK: Duration = Duration::from_secs(5);

/// Opens a connection, or gives up after the configured time.
pub(crate) async fn connect(config: &PostgresConfig) -> Result<PgConnection, Error> {
    let options = options(config)?;
    let limit = config.connect_timeout.get();
    // The handshake takes much room, and is rarely needed.
    let connecting = Box::pin(PgConnection::connect_with(&options));
    match tokio::time::timeout(limit, connecting).await {
        Ok(connected) => Ok(connected?),
        Err(_) => Err(Error::Silent(limit)),
    }
}

fn options(config: &PostgresConfig) -> Result<PgConnectOptions, Error> {
    // Never from the environment: what is not configured is nothing.
    let password = match &config.password_file {
        Some(path) => Secret::from_file(path).map_err(Error::Password)?,
        None => Secret::new(""),
    };
    let call_ms = config.call_timeout.get().as_millis();
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&config.host)
        .port(config.port)
        .database(&config.database)
        .username(&config.user)
        .password(password.expose())
        .application_name(APPLICATION)
        .ssl_mode(match config.tls {
            Tls::Verify => PgSslMode::VerifyFull,
            Tls::Encrypt => PgSslMode::Require,
            Tls::Off => PgSslMode::Disable,
        })
        .options([
            ("statement_timeout", call_ms),
            // What a central that hangs or is cut off has locked must not stay locked.
            ("idle_in_transaction_session_timeout", call_ms),
            ("lock_timeout", LOCK_TIMEOUT.as_millis().min(call_ms)),
            ("client_connection_check_interval", CLIENT_CHECK.as_millis()),
        ]);
    if let Some(path) = &config.ca_file {
        options = options.ssl_root_cert(path);
    }
    if let (Some(cert), Some(key)) = (&config.cert_file, &config.key_file) {
        options = options.ssl_client_cert(cert).ssl_client_key(key);
    }
    Ok(options.disable_statement_logging())
}
