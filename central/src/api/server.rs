//! Listens, and serves each connection in a task of its own: a bounded number at once, with a bounded time
//! for handshake and headers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use goldentime_runtime::{TaskKind, Tasks};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::config::HttpConfig;
use super::peer::{Connected, is_trusted_proxy};
use super::router::{health_router, router};
use super::state::{ApiState, Front};
use super::tls::{Certificate, CertificateError};
use crate::places::{Place, Places};

/// A TLS handshake that takes longer is given up.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// A connection that has not sent the whole head of its next request by then is closed.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// What is read ahead of one connection, and so the largest head.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long requests in flight may take when the central stops.
const END_WITHIN: Duration = Duration::from_secs(5);
/// After an error of `accept` (no more file descriptors, mostly) it rests this long.
const REST: Duration = Duration::from_millis(100);

/// Why HTTP is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not ours.
    #[error("http.listen: cannot listen on {address}; is another central running?")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing to encrypt with.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// An address that was taken, and how its connections are to be encrypted.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    /// Where it listens: of port 0, the one that the system chose.
    pub address: SocketAddr,
}

/// Takes the address.
pub async fn bind(address: SocketAddr, certificate: Option<&Certificate>) -> Result<Listener, ServeError> {
    let tls = certificate.map(Certificate::server_config).transpose()?.map(TlsAcceptor::from);
    let failed = |source| ServeError::Bind { address, source };
    let tcp = TcpListener::bind(address).await.map_err(failed)?;
    let address = tcp.local_addr().map_err(failed)?;
    Ok(Listener { tcp, tls, address })
}

/// Serves until the program stops, then lets the requests in flight end.
pub fn serve(tasks: &Tasks, listener: Listener, state: ApiState) {
    let http = Arc::clone(&state.http);
    start(tasks, listener, http, router(state));
}

/// The same for a central without the role `api`: health and metrics.
pub fn serve_health(tasks: &Tasks, listener: Listener, front: Front) {
    let http = Arc::clone(&front.http);
    start(tasks, listener, http, health_router(front));
}

fn start(tasks: &Tasks, listener: Listener, http: Arc<HttpConfig>, router: Router) {
    let server = Server {
        all: Arc::new(Semaphore::new(http.connections_max)),
        config: http,
        places: Places::default(),
        tls: listener.tls,
        router,
        tasks: tasks.clone(),
    };
    tasks.spawn(TaskKind::Source, "http", server.accept(listener.tcp));
}

struct Server {
    config: Arc<HttpConfig>,
    all: Arc<Semaphore>,
    places: Places<IpAddr>,
    tls: Option<TlsAcceptor>,
    router: Router,
    tasks: Tasks,
}

/// What one connection holds while it lasts.
struct Held {
    _all: OwnedSemaphorePermit,
    _of_address: Option<Place<IpAddr>>,
}

impl Server {
    async fn accept(self, tcp: TcpListener) {
        let stopping = self.tasks.stopping();
        loop {
            let next = async {
                let permit = Arc::clone(&self.all).acquire_owned().await.ok()?;
                Some((permit, tcp.accept().await))
            };
            let (permit, accepted) = tokio::select! {
                next = next => match next {
                    Some(next) => next,
                    None => return,
                },
                () = stopping.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if let Some(of_address) = self.admit(peer) {
                        self.begin(stream, peer, Held { _all: permit, _of_address: of_address });
                    }
                }
                Err(error) => {
                    metrics::counter!("goldentime_http_refused_total", "reason" => "accept").increment(1);
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Whether an address may have one more connection; this machine and proxies have no limit of their
    /// own.
    fn admit(&self, peer: SocketAddr) -> Option<Option<Place<IpAddr>>> {
        let address = peer.ip().to_canonical();
        if address.is_loopback() || is_trusted_proxy(address, &self.config) {
            return Some(None);
        }
        // Beyond loopback without TLS: passwords would cross the network unencrypted.
        if self.tls.is_none() {
            metrics::counter!("goldentime_http_refused_total", "reason" => "untrusted_address").increment(1);
            tracing::debug!(%peer, "closed: not among http.trusted_proxies");
            return None;
        }
        let place =
            self.places.take(address, self.config.connections_max, self.config.connections_per_address_max);
        if place.is_none() {
            metrics::counter!("goldentime_http_refused_total", "reason" => "connections").increment(1);
        }
        place.map(Some)
    }

    fn begin(&self, stream: TcpStream, peer: SocketAddr, held: Held) {
        // Frames of the live page are small and must not wait for each other; without it they are late.
        let _ = stream.set_nodelay(true);
        let (router, stopping) = (self.router.clone(), self.tasks.stopping());
        let connected = Connected { peer, is_tls: self.tls.is_some() };
        let tls = self.tls.clone();
        self.tasks.spawn(TaskKind::Connection, "http connection", async move {
            match tls {
                None => converse(stream, connected, router, stopping).await,
                Some(acceptor) => match timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, connected, router, stopping).await,
                    Ok(Err(error)) => {
                        metrics::counter!("goldentime_http_refused_total", "reason" => "handshake")
                            .increment(1);
                        tracing::debug!(%peer, %error, "a TLS handshake failed");
                    }
                    Err(_) => {
                        metrics::counter!("goldentime_http_refused_total", "reason" => "handshake_timeout")
                            .increment(1);
                    }
                },
            }
            drop(held);
        });
    }
}

/// Serves one connection to its end. One that became a WebSocket goes on as a live client.
async fn converse<S>(stream: S, connected: Connected, router: Router, stopping: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connected);
        answer.call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(BUFFER_BYTES_MAX);
    let serving = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stopping.cancelled() => {
            serving.as_mut().graceful_shutdown();
            match timeout(END_WITHIN, serving).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %connected.peer, %error, "a connection ended early");
    }
}
