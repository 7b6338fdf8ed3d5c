//! Takes connections, and bounds how many there are.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use goldentime_runtime::TaskKind;
use quinn::{Endpoint, Incoming, VarInt};
use tokio::time::{Instant, timeout};

use super::session;
use super::shared::Shared;
use crate::ingest::config::AgentsConfig;
use crate::places::{Place, Places};

/// Whose a connection is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Of an agent that is not known yet, on this address.
    Stranger(IpAddr),
    /// Of this agent, wherever it is: many may share an address behind a translator or a proxy.
    Agent(Arc<str>),
}

/// A handshake that takes longer is given up.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Handshakes begun in a second; each costs a signature. Above it agents are refused and come back.
const HANDSHAKES_PER_SECOND_MAX: u32 = 1000;
/// How long connections may take to close when the central stops.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// Close code: the central stops; come back.
const STOPPING: VarInt = VarInt::from_u32(1);

/// Handshakes of the present second.
struct Rate {
    since: Instant,
    begun: u32,
}

impl Rate {
    fn allows_one_more(&mut self) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            (self.since, self.begun) = (Instant::now(), 0);
        }
        self.begun += 1;
        self.begun <= HANDSHAKES_PER_SECOND_MAX
    }
}

/// Takes connections until the program stops.
pub async fn run(endpoint: Endpoint, config: AgentsConfig, shared: Arc<Shared>) {
    let stopping = shared.tasks.stopping();
    let places = Places::default();
    let mut rate = Rate { since: Instant::now(), begun: 0 };
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            () = stopping.cancelled() => break,
        };
        let Some(incoming) = incoming else { break };
        // An address that was not proved could be anybody's: ask for a proof before it costs anything.
        if !incoming.remote_address_validated() && incoming.may_retry() {
            let _ = incoming.retry();
            continue;
        }
        if !rate.allows_one_more() {
            metrics::counter!("goldentime_uplink_refused_total", "reason" => "handshake_rate").increment(1);
            incoming.refuse();
            continue;
        }
        let Some(place) = places.take(
            Peer::Stranger(incoming.remote_address().ip().to_canonical()),
            config.connections_max,
            config.connections_per_address_max,
        ) else {
            metrics::counter!("goldentime_uplink_refused_total", "reason" => "connections").increment(1);
            incoming.refuse();
            continue;
        };
        let tasks = shared.tasks.clone();
        tasks.spawn(
            TaskKind::Connection,
            "agent connection",
            connection(incoming, Arc::clone(&shared), place),
        );
    }
    endpoint.close(STOPPING, b"the central stops");
    // Whoever does not take the close in time finds out by its own timeout.
    let _ = timeout(CLOSE_WITHIN, endpoint.wait_idle()).await;
}

async fn connection(incoming: Incoming, shared: Arc<Shared>, place: Place<Peer>) {
    let address = incoming.remote_address();
    let connecting = match incoming.accept() {
        Ok(connecting) => connecting,
        Err(error) => {
            tracing::debug!(%address, %error, "a connection was not accepted");
            return;
        }
    };
    // 0-RTT: what came with the first flight is read at once; the handshake goes on beside it.
    let connection = match connecting.into_0rtt() {
        Ok((connection, _)) => connection,
        Err(connecting) => match timeout(HANDSHAKE_WITHIN, connecting).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                metrics::counter!("goldentime_uplink_refused_total", "reason" => "handshake").increment(1);
                tracing::debug!(%address, %error, "a handshake failed");
                return;
            }
            Err(_) => {
                metrics::counter!("goldentime_uplink_refused_total", "reason" => "handshake_timeout")
                    .increment(1);
                return;
            }
        },
    };
    session::serve(&connection, &shared, place).await;
}
