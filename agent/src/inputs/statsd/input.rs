//! The StatsD input as the agent runs it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::intake::Intake;
use super::listening::{AnySocket, Listening};
use super::origin::{Origins, PROC};
use super::reader::Reader;
use super::resolver::{Resolver, ResolverError};
use super::status::Status;
use super::udp;
use super::unix::{Place, UnixError};
use crate::aggregate::{PositionKey, Positions, ShardHandle};
use crate::inputs::route::{Config as RouteConfig, Source};

/// Name of the input's shard.
pub const NAME: &str = "statsd";

/// Under which the shard keeps that the input runs.
const LIFE: &str = "life";

/// A StatsD input, checked and listening.
pub struct Statsd {
    config: Config,
    intake: Intake,
    sockets: Vec<Listening>,
}

/// Why an input cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It would listen nowhere.
    #[error("statsd is enabled and has neither `udp` nor `unix` to listen on")]
    Nowhere,
    /// An address is none.
    #[error("`{0}` is no address and port, such as 127.0.0.1:8125 or [::1]:8125")]
    Address(String),
    /// Rules or routes cannot be used.
    #[error(transparent)]
    Resolver(#[from] ResolverError),
    /// The Unix socket cannot be made.
    #[error("unix: {0}")]
    Unix(#[from] UnixError),
    /// The system refuses an address.
    #[error("statsd cannot listen on {address}: {source}; does another agent hold the port?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Asks a running input. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StatsdHandle {
    status: Arc<Mutex<Status>>,
}

impl StatsdHandle {
    /// How it stands, at most half a second ago.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where an input would listen.
#[derive(Debug)]
pub struct Places {
    /// By UDP.
    pub udp: Vec<SocketAddr>,
    /// On a Unix socket.
    pub unix: Option<Place>,
}

impl Statsd {
    /// Checks a configuration whose numbers are valid, without listening: where it would, and what it would take metrics for.
    pub fn check(config: &Config, routes: &RouteConfig, source: Source) -> Result<(Places, Intake), Error> {
        if config.udp.is_empty() && config.unix.is_none() {
            return Err(Error::Nowhere);
        }
        let address = |text: &String| udp::address(text).ok_or_else(|| Error::Address(text.clone()));
        let places = Places {
            udp: config.udp.iter().map(address).collect::<Result<_, _>>()?,
            unix: config.unix.as_ref().map(|unix| Place::new(unix, config.container_label)).transpose()?,
        };
        let resolver = Resolver::new(config, routes, source)?;
        Ok((places, Intake::new(config, resolver)))
    }

    /// Checks a configuration and listens. `source` says whose metrics they are; the input's own
    /// `service` goes before its.
    pub fn listen(config: &Config, routes: &RouteConfig, source: Source) -> Result<Self, Error> {
        let (places, intake) = Self::check(config, routes, source)?;
        let mut sockets = Vec::new();
        for address in places.udp {
            let socket = udp::listen(address, config.receive_buffer.as_usize());
            let socket = socket.map_err(|source| Error::Listen { address, source })?;
            let address = socket.local_addr().unwrap_or(address);
            sockets.push(Listening::new(AnySocket::Udp(socket), format!("udp {address}")));
        }
        if let Some(place) = places.unix {
            let address = format!("unix {}", place.path().display());
            sockets.push(Listening::new(AnySocket::Unix(place.listen()?, place), address));
        }
        Ok(Self { config: config.clone(), intake, sockets })
    }

    /// Starts reading, on a thread of its own. Ends with [`Tasks::stopping`], after everything that was
    /// sent before. `shard` is this input's alone.
    ///
    /// What was read since the last flush is lost with a process that is killed, for nobody can be
    /// asked for it again: where `positions` say that the last process did not end by itself, the
    /// shard counts that once under `statsd_flush_lost_by_kill`.
    pub fn start(
        self,
        tasks: &Tasks,
        clock: SharedClock,
        shard: ShardHandle,
        positions: &Positions,
    ) -> StatsdHandle {
        if !positions.of_input(NAME).is_empty() {
            tracing::warn!("the agent did not end by itself: what came by StatsD in its last flush is lost");
            shard.lock().count_drop("statsd_flush_lost_by_kill", 1);
        }
        let published = Arc::new(Mutex::new(Status::default()));
        let handle = StatsdHandle { status: Arc::clone(&published) };
        let stopping: CancellationToken = tasks.stopping();
        tasks.spawn(TaskKind::Source, "statsd", async move {
            let reader = Reader {
                sockets: self.sockets,
                intake: self.intake,
                packet_bytes: self.config.packet_bytes_max.as_usize(),
                shard,
                clock,
                runtime: tokio::runtime::Handle::current(),
                published,
                stopping,
                origins: self.config.container_label.then(|| Origins::new(Path::new(PROC))),
                life: PositionKey { input: NAME.into(), source: LIFE.into() },
            };
            let thread = tokio::task::spawn_blocking(move || reader.run());
            // A panic of the thread is this task's: the program stops in order.
            if let Err(error) = thread.await
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        });
        handle
    }
}
