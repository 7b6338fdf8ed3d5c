//! `goldentime-agent run`: the parts put together, started in order and ended in order.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use goldentime_model::exit::ExitCode;
use goldentime_model::metric_names;
use goldentime_runtime::self_metrics::SelfMetrics;
use goldentime_runtime::{ServiceManager, SharedClock, StateDir, SystemClock, TaskKind, Tasks};
use goldentime_transport::identity::Identity;
use goldentime_wire::proto;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::aggregate::{Aggregator, Positions};
use crate::config::Config;
use crate::inputs::{Inputs, Owner};
use crate::memory::{self, Bound};
use crate::reload;
use crate::ship::flush::{Author, FlushState, Flusher, FlusherContext};
use crate::ship::ledger::Ledger;
use crate::ship::live::LiveQueue;
use crate::ship::spool::{Spool, UNUSED_KEPT};
use crate::ship::uplink::{Link, LinkContext, PARTITIONS, UplinkState, enrolled};
use crate::status::report::{SourcesContext, SpoolReport, resident_bytes};
use crate::status::{Sources, socket};

/// How long inputs may take to reach a clean position.
const INPUTS_END_MAX: Duration = Duration::from_secs(10);

/// How long the last flush, its acknowledgement and the goodbye may take.
const SHIP_END_MAX: Duration = Duration::from_secs(10);

/// Pause between upkeeps of the metrics about oneself.
const METRICS_INTERVAL: Duration = Duration::from_secs(5);

/// Runs an agent until it is told to stop or cannot go on. `file` is where `config` was read from.
pub async fn run(config: Config, file: &Path) -> anyhow::Result<ExitCode> {
    let bounds = memory::bounds(&config)?;
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let metrics = SelfMetrics::install().map_err(anyhow::Error::msg)?;
    describe(&bounds);
    let state_dir = StateDir::hold(&config.state_dir, "agent")?;
    let agent = Agent::open(config, &state_dir, bounds).await?;

    let services = Tasks::new();
    let listener = socket::listen(&agent.config.socket())?;
    services.spawn(
        TaskKind::Upkeep,
        "status",
        socket::serve(listener, agent.sources.clone(), metrics.clone()),
    );
    services.spawn(TaskKind::Upkeep, "metrics", keep_up(metrics));
    // A central that is away is no reason to fail a start: what is read meanwhile waits in the spool.
    let manager = ServiceManager::from_environment();
    manager.ready();
    manager.watch(&services);

    let stop = CancellationToken::new();
    let ended = tokio::select! {
        ended = agent.serve(&services, &stop) => ended,
        never = signals.serve(&stop, &manager, file, &agent.config) => match never {},
    };
    // Upkeep ends with the services; the spool closes last, when nobody writes any more.
    services.drain(SHIP_END_MAX).await;
    agent.spool.close(agent.clock.now()).await.context("cannot close the spool")?;
    ended
}

/// What lives as long as the program.
struct Agent {
    config: Config,
    host: String,
    clock: SharedClock,
    ledger: Ledger,
    spool: Spool,
    positions: Positions,
    aggregator: Aggregator,
    live: LiveQueue,
    logs: LiveQueue,
    flush: FlushState,
    uplink: UplinkState,
    sources: Sources,
}

impl Agent {
    async fn open(config: Config, state_dir: &StateDir, bounds: Vec<Bound>) -> anyhow::Result<Self> {
        let clock: SharedClock = Arc::new(SystemClock);
        let ledger = Ledger::default();
        let opened =
            Spool::open(state_dir.path(), config.spool.limits(), ledger.clone(), clock.now()).await?;
        if opened.after_unclean_boot {
            tracing::warn!(
                "the machine went down since the last run: lines since the last fsync may be counted twice; \
                 `spool.durability: power` prevents that"
            );
        }
        let host = config.host_name();
        let (flush, uplink) = (FlushState::default(), UplinkState::default());
        let sources = Sources::new(SourcesContext {
            host: host.clone(),
            environment: config.environment.clone(),
            clock: Arc::clone(&clock),
            spool: opened.spool.clone(),
            spool_start: SpoolReport {
                path: opened.spool.path().to_path_buf(),
                bytes_max: config.spool.bytes_max.get(),
                after_unclean_boot: opened.after_unclean_boot,
                moved_aside: opened.moved_aside,
                ..SpoolReport::default()
            },
            flush: flush.clone(),
            uplink: uplink.clone(),
            ledger: ledger.clone(),
            bounds,
        });
        Ok(Self {
            aggregator: Aggregator::new(config.limits.clone(), Arc::clone(&clock)),
            config,
            host,
            clock,
            ledger,
            spool: opened.spool,
            positions: opened.positions,
            live: LiveQueue::default(),
            logs: LiveQueue::default(),
            flush,
            uplink,
            sources,
        })
    }

    /// Enrols, connects, reads, and ends when told to or when an essential part fails.
    async fn serve(&self, services: &Tasks, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
        self.sources.set_doing("asking the central for a certificate");
        let enrolled = enrolled(&self.config.central, &self.config.state_dir, &self.host, &self.uplink, stop);
        let Some(identity) = enrolled.await? else { return Ok(ExitCode::Ok) };
        self.sources.set_identity(&identity.agent, &identity.project);

        let partitions = self.known_partitions().await?;
        let author = Author { agent: identity.agent.clone(), host: self.host.clone(), partitions };
        let (author, author_seen) = watch::channel(author);
        let offset_measured = CancellationToken::new();
        let link = self.link(&identity, author, offset_measured.clone())?;
        services.spawn(TaskKind::Station, "uplink", link.run());

        self.sources.set_doing("waiting for the central: inputs begin once it has told how data is cut");
        let is_ready = self.ready_to_read(author_seen.clone(), &offset_measured, stop).await;
        let inputs_ended = CancellationToken::new();
        if !is_ready {
            self.live.finish();
            self.logs.finish();
            return Ok(ExitCode::Ok);
        }
        let failure = Arc::new(OnceLock::new());
        self.spawn_flusher(services, author_seen, inputs_ended.clone(), Arc::clone(&failure));
        let inputs = Tasks::new();
        self.spawn_inputs(&inputs, &identity)?;
        self.forget_unused_positions().await;
        self.sources.set_doing("reading");
        tracing::info!(agent = identity.agent, project = identity.project, host = self.host, "reading");

        tokio::select! {
            () = stop.cancelled() => {}
            () = cancelled(&inputs) => {}
            () = cancelled(services) => {}
        }
        self.sources.set_doing("stopping");
        tracing::info!("stopping");
        inputs.drain(INPUTS_END_MAX).await;
        inputs_ended.cancel();
        services.drain(SHIP_END_MAX).await;
        match (failure.get(), inputs.failed_task().or(services.failed_task())) {
            (Some(failure), _) => Err(anyhow::anyhow!("{failure}")),
            (None, Some(task)) => {
                Err(anyhow::anyhow!("the task `{task}` ended, without which the agent is of no use"))
            }
            (None, None) => Ok(ExitCode::Ok),
        }
    }

    /// The number of partitions that the central told in an earlier run; 0 if it never did.
    async fn known_partitions(&self) -> anyhow::Result<u32> {
        let known = self.spool.recall(PARTITIONS).await?;
        Ok(known.and_then(|partitions| partitions.parse().ok()).unwrap_or_default())
    }

    fn link(
        &self,
        identity: &Identity,
        author: watch::Sender<Author>,
        offset_measured: CancellationToken,
    ) -> anyhow::Result<Link> {
        let (flush, spool, ledger) = (self.flush.clone(), self.spool.clone(), self.ledger.clone());
        let (clock, aggregator) = (Arc::clone(&self.clock), self.aggregator.clone());
        let sources = self.sources.clone();
        let report = move || {
            let now = clock.now().saturating_add(aggregator.clock_offset());
            let status = flush.get();
            proto::AgentReport {
                lines_read: sources.lines_read(),
                spool_bytes: spool.usage().bytes,
                lag_ms: status.progress.map_or(0, |progress| now.since(progress).max(0) / 1_000_000),
                drops: ledger.by_reason().into_iter().map(|(reason, n)| (reason.to_owned(), n)).collect(),
            }
        };
        let context = LinkContext {
            config: self.config.central.clone(),
            identity: identity.clone(),
            environment: self.config.environment.clone(),
            spool: self.spool.clone(),
            live: self.live.clone(),
            logs: self.logs.clone(),
            aggregator: self.aggregator.clone(),
            author,
            offset_measured,
            report: Arc::new(report),
            clock: Arc::clone(&self.clock),
            state: self.uplink.clone(),
        };
        Ok(Link::new(context)?)
    }

    /// Waits until data can be cut into partitions and, for a while, until the clock's offset is
    /// measured: read before that, the lines of a machine whose clock is wrong would go into wrong
    /// seconds. `false` when told to stop before.
    async fn ready_to_read(
        &self,
        mut author: watch::Receiver<Author>,
        offset_measured: &CancellationToken,
        stop: &CancellationToken,
    ) -> bool {
        let limit = self.config.central.clock_wait_max.get();
        let ready = async {
            // Fails only when the uplink has ended, which stops the program anyway.
            let _ = author.wait_for(|author| author.partitions > 0).await;
            if tokio::time::timeout(limit, offset_measured.cancelled()).await.is_err() {
                tracing::warn!(
                    limit_s = limit.as_secs_f64(),
                    "the central cannot be reached: reading without a measured clock offset"
                );
            }
        };
        tokio::select! {
            () = stop.cancelled() => false,
            () = ready => true,
        }
    }

    fn spawn_flusher(
        &self,
        services: &Tasks,
        author: watch::Receiver<Author>,
        inputs_ended: CancellationToken,
        failure: Arc<OnceLock<String>>,
    ) {
        let context = FlusherContext {
            aggregator: self.aggregator.clone(),
            spool: self.spool.clone(),
            live: self.live.clone(),
            logs: self.logs.clone(),
            author,
            ledger: self.ledger.clone(),
            clock: Arc::clone(&self.clock),
            state: self.flush.clone(),
            inputs_ended,
        };
        let flusher = Flusher::new(self.config.flush.clone(), &self.config.express, context);
        let stopping = services.clone();
        services.spawn(TaskKind::Station, "flusher", async move {
            if let Err(error) = flusher.run().await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the spool cannot be used any more"
                );
                // The first failure is the one that is told.
                let _ = failure.set(error.to_string());
                stopping.stop();
            }
        });
    }

    fn spawn_inputs(&self, tasks: &Tasks, identity: &Identity) -> anyhow::Result<()> {
        let owner = Owner {
            project: identity.project.clone(),
            environment: self.config.environment.clone(),
            host: self.host.clone(),
        };
        let inputs = Inputs::new(&self.config.inputs, &self.config.routes, &owner)?;
        let started = inputs.start(tasks, &self.clock, &self.aggregator, &self.positions);
        started.tails.into_iter().for_each(|tail| self.sources.add_tail(tail));
        started.host.into_iter().for_each(|host| self.sources.set_host(host));
        started.statsd.into_iter().for_each(|statsd| self.sources.set_statsd(statsd));
        started.services.into_iter().for_each(|services| self.sources.set_services(services));
        Ok(())
    }

    /// Positions of inputs that are long gone. A disk that is full is no reason not to read.
    async fn forget_unused_positions(&self) {
        let started = self.aggregator.shards();
        let configured = started.iter().map(|shard| shard.name().to_string()).collect();
        match self.spool.forget_unused_positions(&configured, self.clock.now()).await {
            Ok(forgotten) if forgotten.is_empty() => {}
            Ok(forgotten) => tracing::info!(
                inputs = forgotten.join(", "),
                "not configured for {} days; where reading was left is forgotten",
                UNUSED_KEPT.as_secs() / 86_400
            ),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "trying at the next start")
            }
        }
    }
}

async fn cancelled(tasks: &Tasks) {
    tasks.stopping().cancelled().await;
}

/// What the machine's signals ask for.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Cancels `stop` at the first SIGTERM or SIGINT, and checks the configuration in `file` again at
    /// each SIGHUP. Never returns.
    async fn serve(
        &mut self,
        stop: &CancellationToken,
        manager: &ServiceManager,
        file: &Path,
        config: &Config,
    ) -> Infallible {
        let asked = || {
            manager.stopping();
            stop.cancel();
        };
        loop {
            tokio::select! {
                _ = self.terminate.recv() => asked(),
                _ = self.interrupt.recv() => asked(),
                _ = self.hangup.recv() => reload::check_again(file, config),
            }
        }
    }
}

/// Folds the metrics about oneself now and then, so that histograms do not grow.
async fn keep_up(metrics: SelfMetrics) {
    loop {
        tokio::time::sleep(METRICS_INTERVAL).await;
        metrics::gauge!(metric_names::RESIDENT_BYTES).set(resident_bytes() as f64);
        metrics.upkeep();
    }
}

fn describe(bounds: &[Bound]) {
    for metric in metric_names::SHARED {
        match metric.kind {
            metric_names::MetricKind::Counter => metrics::describe_counter!(metric.name, metric.help),
            metric_names::MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    metrics::gauge!(metric_names::BUILD_INFO, "program" => "agent", "version" => version).set(1.0);
    for bound in bounds {
        metrics::gauge!(metric_names::MEMORY_BOUND_BYTES, "component" => bound.component.clone())
            .set(bound.bytes as f64);
    }
}
