//! `goldentime-agent run`: the parts put together, started in order and ended in order. [`uplinks`] are
//! where records go, [`signals`] what the machine asks for.

mod signals;
mod uplinks;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use goldentime_model::exit::ExitCode;
use goldentime_model::metric_names;
use goldentime_runtime::self_metrics::SelfMetrics;
use goldentime_runtime::{ServiceManager, SharedClock, StateDir, SystemClock, TaskKind, Tasks};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::aggregate::{Aggregator, Positions};
use crate::config::Config;
use crate::inputs::{Inputs, Owner};
use crate::memory::{self, Bound};
use crate::ship::flush::{Author, FlushState, Flusher, FlusherContext};
use crate::ship::ledger::Ledger;
use crate::ship::live::LiveQueue;
use crate::ship::spool::{Spool, UNUSED_KEPT};
use crate::ship::uplink::UplinkState;
use crate::status::report::{SourcesContext, SpoolReport, resident_bytes};
use crate::status::{Sources, socket};
use signals::Signals;

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
        let Some(who) = self.who(stop).await? else { return Ok(ExitCode::Ok) };
        self.sources.set_identity(&who.agent, &who.project);

        let partitions = self.known_partitions().await?;
        let author = Author { agent: who.agent.clone(), host: self.host.clone(), partitions };
        let (author, author_seen) = watch::channel(author);
        let offset_measured = CancellationToken::new();
        self.spawn_uplinks(services, &who, author, &offset_measured)?;

        let told_by = if self.config.kafka.is_some() { "Kafka" } else { "the central" };
        self.sources
            .set_doing(&format!("waiting for {told_by}: inputs begin once it has told how data is cut"));
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
        self.spawn_inputs(&inputs, &who.project)?;
        self.forget_unused_positions().await;
        self.sources.set_doing("reading");
        tracing::info!(agent = who.agent, project = who.project, host = self.host, "reading");

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

    fn spawn_inputs(&self, tasks: &Tasks, project: &str) -> anyhow::Result<()> {
        let owner = Owner {
            project: project.to_owned(),
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
