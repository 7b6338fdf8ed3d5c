//! Listens.

use std::net::SocketAddr;

use goldentime_runtime::{TaskKind, Tasks};
use tokio::net::TcpListener;

use super::router::router;
use super::state::ApiState;

/// Why HTTP is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Not loopback, while there are no accounts.
    #[error(
        "http.listen: {0} is not a loopback address, and there are no accounts yet that would keep others \
         out; listen on 127.0.0.1 and reach it through an SSH tunnel"
    )]
    NotLoopback(SocketAddr),
    /// The address is taken or not ours.
    #[error("http.listen: cannot listen on {address}; is another central running?")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

/// Takes the address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })
}

/// Serves until the program stops, then lets the requests in flight end.
pub fn serve(tasks: &Tasks, listener: TcpListener, state: ApiState) {
    let stopping = tasks.stopping();
    tasks.spawn(TaskKind::Source, "http", async move {
        let server = axum::serve(listener, router(state));
        if let Err(error) = server.with_graceful_shutdown(stopping.cancelled_owned()).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
}
