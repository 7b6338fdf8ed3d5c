//! QUIC endpoints: ALPN `goldentime/1`, TLS 1.3, no datagrams, every window bounded.
//!
//! **Certificates.** TLS lets a client in without one, because enrolment has none yet; the central
//! then takes nothing but an enrolment from it (checked per frame, see `goldentime_central::ingest`).
//!
//! **0-RTT.** rustls accepts early data only from sessions that it keeps itself, each ticket once
//! ([`SESSIONS_MAX`] of them; a stateless ticketer would turn early data off), so early data cannot be
//! replayed. With client authentication the session carries the certificate that was verified when
//! it began, and the resumed connection has the agent's identity before its handshake ends; whether
//! that agent may still connect is asked of the registry each time. A central that restarted has
//! forgotten its sessions: early data is then refused and sent again after the handshake. Only the
//! hello goes early: what an agent sends next depends on the welcome. It is idempotent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{IdleTimeout, TransportConfig, VarInt};
use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};

use crate::authority::{ServerCertificate, provider};
use crate::identity::Identity;
use crate::pin::PinnedAuthority;
use crate::reset;
use crate::token::CertificateHash;

/// Protocol name and version.
pub const ALPN: &[u8] = b"goldentime/1";

/// A peer that is not heard for this long is gone.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Agents keep their connection alive this often; also through address translation.
pub const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// Sessions that the central keeps for resumption: two tickets for each of 2,048 agents.
pub const SESSIONS_MAX: usize = 4096;

/// Bidirectional streams of one agent at a time: one for control, one to spare while a refused early
/// one is closed.
const CONTROL_STREAMS_MAX: u32 = 2;
/// Unidirectional streams of one agent at a time: three classes, and spares while old ones end.
const RECORD_STREAMS_MAX: u32 = 8;
/// Unread bytes of one stream. Three full streams stay below [`CONNECTION_WINDOW_BYTES`], so backlog
/// that is not read can never hold up what is live.
const STREAM_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// Unread bytes of one enrolled agent's connection.
pub const CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// Unread bytes of a connection before its agent is known.
pub const STRANGER_WINDOW_BYTES: u32 = 64 * 1024;
/// Bytes that an agent has in flight.
const SEND_WINDOW_BYTES: u64 = 8 * 1024 * 1024;
/// Handshakes begun but not yet accepted by the central.
const INCOMING_MAX: usize = 1024;
/// Early data buffered for one handshake not yet accepted, and for all of them.
const INCOMING_BYTES_MAX: u64 = 64 * 1024;
const INCOMING_BYTES_TOTAL_MAX: u64 = 8 * 1024 * 1024;

/// Why an endpoint cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address cannot be bound.
    #[error("cannot listen for agents on {address}/udp; is another central running, or the port below 1024?")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The TLS library refuses the certificates.
    #[error("cannot set up TLS: {detail}")]
    Tls {
        /// What it says.
        detail: String,
    },
}

fn tls(error: impl std::fmt::Display) -> EndpointError {
    EndpointError::Tls { detail: error.to_string() }
}

/// A central's endpoint on `address`; `name` tells it from others with the same authority, and stays the same
/// over restarts.
pub fn serve(
    address: SocketAddr,
    certificate: &Arc<ServerCertificate>,
    name: &str,
) -> Result<quinn::Endpoint, EndpointError> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.authority().certificate().clone()).map_err(tls)?;
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(tls)?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls)?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::clone(certificate) as _);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
    // The only value besides zero that QUIC knows (RFC 9001, section 4.6.1); the flow-control windows
    // bound what comes.
    config.max_early_data_size = u32::MAX;

    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(idle_timeout()))
        .max_concurrent_bidi_streams(CONTROL_STREAMS_MAX.into())
        .max_concurrent_uni_streams(RECORD_STREAMS_MAX.into())
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .receive_window(STRANGER_WINDOW_BYTES.into())
        .datagram_receive_buffer_size(None);
    let crypto = QuicServerConfig::try_from(config).map_err(tls)?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    server
        .transport_config(Arc::new(transport))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES_MAX)
        .incoming_buffer_size_total(INCOMING_BYTES_TOTAL_MAX);
    let known = reset::config(certificate.authority().key_der(), name);
    let listening = std::net::UdpSocket::bind(address)
        .and_then(|socket| quinn::Endpoint::new(known, Some(server), socket, Arc::new(quinn::TokioRuntime)));
    listening.map_err(|source| EndpointError::Bind { address, source })
}

/// An agent's configuration once it is enrolled. Keep it: it holds the tickets for 0-RTT.
pub fn enrolled_client(identity: &Identity) -> Result<quinn::ClientConfig, EndpointError> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.authority()).map_err(tls)?;
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls)?
        .with_root_certificates(roots)
        .with_client_auth_cert(identity.chain(), identity.key())
        .map_err(tls)?;
    config.enable_early_data = true;
    config.resumption = Resumption::in_memory_sessions(4);
    client(config)
}

/// An agent's configuration for its enrolment.
pub fn stranger_client(authority: CertificateHash) -> Result<quinn::ClientConfig, EndpointError> {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedAuthority::new(authority)))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    client(config)
}

fn client(mut config: rustls::ClientConfig) -> Result<quinn::ClientConfig, EndpointError> {
    config.alpn_protocols = vec![ALPN.to_vec()];
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(idle_timeout()))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_bidi_streams(0_u32.into())
        .max_concurrent_uni_streams(0_u32.into())
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(None);
    let crypto = QuicClientConfig::try_from(config).map_err(tls)?;
    let mut client = quinn::ClientConfig::new(Arc::new(crypto));
    client.transport_config(Arc::new(transport));
    Ok(client)
}

fn idle_timeout() -> IdleTimeout {
    let millis = u32::try_from(IDLE_TIMEOUT.as_millis()).expect("seconds fit");
    IdleTimeout::from(VarInt::from_u32(millis))
}
