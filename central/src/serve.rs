//! The central as a whole: its stations put together, in the order in which data flows through them.
//!
//! The order of the start: configuration and budget, rules, stores, checkpoints, replay, and only
//! then listening. The order of the stop: sources end, every queue drains, the last checkpoint is
//! written, the stores close.

mod parts;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use goldentime_catalog::CatalogueError;
use goldentime_log::ReadLog;
use goldentime_log::kafka::GroupEvent;
use goldentime_model::{Alert, UnixNanos};
use goldentime_runtime::self_metrics::SelfMetrics;
use goldentime_runtime::{Drained, ServiceManager, SharedClock, TaskKind, Tasks};
use goldentime_windows::{CheckpointStore, MemoryWindows, RedisConfig, RedisWindows, WindowStore};
use tokio::sync::mpsc;

use crate::access::Access;
use crate::api::state::ListAgents;
use crate::api::{self, Certificate, Front};
use crate::budget::Budget;
use crate::cluster::OpenCatalogue;
use crate::config::Config;
use crate::evaluate::handle::StatusBoard;
use crate::evaluate::transition::Transition;
use crate::ingest::agents::AgentEvent;
use crate::ingest::deadletter::{DeadLetters, LetterStore};
use crate::merge;
use crate::merge::exchange::Exchange;
use crate::merge::start::{Owned, Resume, Rules, Shards};
use crate::notify;
use crate::persist::{self, Logs, Readers, Series};
use crate::push;
use crate::push::sources::ReportSelf;
use crate::roles::Role;

/// Everything that was taken in must be written within this time after the signal to stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);

/// The stores close within this time; a disk that hangs must not keep the program from ending.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Transitions that may wait for the notifier. It only has to note them, so a full queue means that
/// its store hangs; then evaluation waits rather than lose a page.
pub const TRANSITIONS_MAX: usize = 4096;

/// Alerts that wait for the live page.
pub const ALERTS_MAX: usize = 1024;

/// Histograms about ourselves are folded this often even if nobody scrapes.
const METRICS_EVERY: Duration = Duration::from_secs(5);

/// The stores of a central.
pub struct Stores {
    /// Live windows, where a role of this central uses them.
    pub windows: Option<Arc<dyn WindowStore>>,
    /// Live windows in Redis, where they are: what people and scripts read is written there too.
    pub redis: Option<Arc<RedisWindows>>,
    /// From where merges go on, where the windows' file keeps it.
    pub checkpoints: Option<Arc<dyn CheckpointStore>>,
    /// Alerts, pages, history.
    pub catalogue: OpenCatalogue,
    /// History, where it is kept.
    pub series: Option<Series>,
    /// Log lines, where they are kept.
    pub logs: Option<Logs>,
    /// What could not be taken.
    pub letters: Arc<dyn LetterStore>,
    /// Alerts that were firing when the central last ran.
    pub open_alerts: Vec<Alert>,
}

/// What intake gives to the stations behind it.
pub struct Intake {
    /// What is to be merged, where that is done here.
    pub merge: Option<Merge>,
    /// Agents that come and go.
    pub agents: mpsc::Receiver<AgentEvent>,
    /// Lists agents for the API.
    pub list_agents: ListAgents,
}

/// What is to be merged.
pub struct Merge {
    /// The partitions.
    pub partitions: Partitions,
    /// From where their merges go on.
    pub checkpoints: Arc<dyn CheckpointStore>,
    /// Topic generation, written into checkpoints.
    pub generation: u32,
}

/// Whose partitions are merged here.
pub enum Partitions {
    /// All, for good: for each its records from the checkpoint on, and up to where they are a replay.
    All(Vec<Resume>),
    /// Those that a group gives to this central.
    Shared {
        /// What the group tells.
        events: mpsc::Receiver<GroupEvent>,
        /// The log that is merged.
        log: Arc<dyn ReadLog>,
        /// Begin to read a partition for a database.
        readers: Vec<Readers>,
    },
}

/// What the notifier gives to those who show alerts.
pub struct Notified {
    /// Transitions go in here; the notifier ends when every copy is gone.
    pub transitions: mpsc::Sender<Transition>,
    /// Alerts come out as they begin, change and end; for the API, where that is served.
    pub alerts: Option<mpsc::Receiver<Alert>>,
    /// What else the notifier is asked.
    pub handle: notify::Handle,
}

/// Who may come in over HTTP, and how it is encrypted.
pub struct Door {
    /// Who may ask.
    pub access: Access,
    /// With what connections are encrypted, if they are.
    pub certificate: Option<Certificate>,
}

/// What every station shares.
#[derive(Clone)]
pub struct Surroundings {
    /// The program's tasks.
    pub tasks: Tasks,
    /// The present.
    pub clock: SharedClock,
    /// Metrics about ourselves.
    pub metrics: SelfMetrics,
    /// When the central started.
    pub started: UnixNanos,
    /// What the central says of itself. Not ready while a partition of [`Owned`] has not caught up.
    pub report_self: ReportSelf,
    /// Partitions that are merged here.
    pub owned: Owned,
    /// Where rules stand.
    pub statuses: StatusBoard,
    /// The way between partitions, for rules over several services.
    pub exchange: Exchange,
}

impl Stores {
    /// Opens the stores that the roles need, in the state folder and outside. Lines that a log store will not take
    /// go to the dead letters.
    pub async fn open(
        config: &Config,
        dead_letters: &DeadLetters,
        tasks: &Tasks,
        clock: &SharedClock,
    ) -> anyhow::Result<Self> {
        let mut windows: Option<Arc<dyn WindowStore>> = None;
        let (mut redis, mut checkpoints) = (None, None);
        match &config.cluster.redis {
            _ if !config.roles.use_windows() => {}
            Some(server) => {
                let opened = RedisWindows::open(server.clone(), tasks, Arc::clone(clock)).await;
                let opened = Arc::new(opened.context("cluster.redis")?);
                windows = Some(Arc::clone(&opened) as _);
                redis = Some(opened);
            }
            None => {
                let file = config.state_dir.join("windows.db");
                let memory = Arc::new(MemoryWindows::open(&file, &config.windows).await?);
                windows = Some(Arc::clone(&memory) as _);
                checkpoints = Some(memory as Arc<dyn CheckpointStore>);
            }
        }
        let catalogue = OpenCatalogue::open(&config.state_dir, &config.cluster).await?;
        let open_alerts = match catalogue.alerts.active_alerts().await {
            Ok(active) => active.into_iter().map(|record| record.alert).collect(),
            // A database that is away keeps no page back.
            Err(error @ CatalogueError::Unavailable { .. }) if config.cluster.postgres.is_some() => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "starting without the alerts that were firing before");
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        // Written and read by the same roles as live windows.
        let is_used = config.roles.use_windows();
        let series = Series::new(&config.state_dir, &config.series, config.cluster.postgres.as_ref());
        let series = series.filter(|_| is_used);
        let logs = match &config.cluster.elasticsearch {
            _ if !is_used => None,
            Some(elastic) => {
                let rejects = dead_letters.of_lines(Arc::clone(clock));
                let logs = Logs::on_server(&config.logs, elastic, rejects);
                logs.map_err(|error| anyhow::anyhow!("cluster.elasticsearch: {error}"))?
            }
            None => Logs::new(&config.state_dir, &config.logs),
        };
        let letters = dead_letters.replays();
        Ok(Self { windows, redis, checkpoints, catalogue, series, logs, letters, open_alerts })
    }

    /// What has to be closed after the drain. Windows in Redis are let go of now: their links end with their
    /// last user, and the drain waits for that.
    fn until_drained(self) -> Closing {
        let windows = self.windows.filter(|_| self.redis.is_none());
        Closing { windows, catalogue: self.catalogue, series: self.series, logs: self.logs }
    }
}

/// Stores that are closed after everything that uses them has ended.
struct Closing {
    windows: Option<Arc<dyn WindowStore>>,
    catalogue: OpenCatalogue,
    series: Option<Series>,
    logs: Option<Logs>,
}

impl Closing {
    /// Closes files and connections. What was committed is safe either way; a clean close also empties their
    /// write-ahead logs.
    async fn close(&self) {
        let windows = async {
            if let Some(windows) = &self.windows {
                windows.close().await;
            }
        };
        let series = async {
            if let Some(series) = &self.series {
                series.close().await;
            }
        };
        let logs = async {
            if let Some(logs) = &self.logs {
                logs.close().await;
            }
        };
        let closing = async { tokio::join!(windows, self.catalogue.alerts.close(), series, logs) };
        if tokio::time::timeout(CLOSE_WITHIN, closing).await.is_err() {
            tracing::warn!(
                "windows, catalogue, history or log lines did not close in {} s",
                CLOSE_WITHIN.as_secs()
            );
        }
    }
}

/// Declares the bounds of merge, windows, history, log lines and push. Intake and notifier add their own
/// before the budget is checked.
pub fn declare_memory(config: &Config, budget: &mut Budget) {
    if config.roles.use_windows() {
        let windows = config.cluster.redis.as_ref().map(RedisConfig::memory_bound_bytes);
        budget.declare("windows", windows.unwrap_or_else(|| config.windows.memory_bound_bytes()));
        let partitions = if config.does(Role::Process) { config.partitions() } else { 0 };
        budget.declare("series", persist::start::memory_bound_bytes(&config.series, partitions));
        budget.declare("logs", persist::logs_start::memory_bound_bytes(&config.logs, partitions));
    }
    if config.does(Role::Api) {
        budget.declare("push", push::memory_bound_bytes(u64::from(config.windows.services_max)));
    }
    if config.does(Role::Process) {
        budget.declare("merge", merge::start::memory_bound_bytes(u64::from(config.windows.services_max)));
    }
}

/// Starts everything behind intake: merge with evaluation, push, HTTP, each where a role of this central asks for
/// it. Listens once this returns; `/readyz` answers so when the replay is done.
pub async fn start(
    config: &Config,
    with: &Surroundings,
    stores: &Stores,
    rules: Rules,
    intake: Intake,
    notified: Notified,
    door: Door,
) -> anyhow::Result<()> {
    let listener = api::bind(config.http.listen, door.certificate.as_ref()).await?;
    let Notified { transitions, alerts, handle } = notified;
    match intake.merge.zip(stores.windows.clone()) {
        Some((merge, windows)) => {
            let surroundings = merge::start::Surroundings {
                windows,
                checkpoints: merge.checkpoints,
                clock: Arc::clone(&with.clock),
                board: with.statuses.clone(),
                rules,
                transitions,
            };
            let settings = parts::merge_settings(config, with, merge.generation);
            let shards = Shards::new(&with.tasks, settings, surroundings, intake.agents, &stores.open_alerts);
            parts::start_merge(config, with, stores, shards, merge.partitions, handle.clone());
        }
        None => parts::keep_open(&with.tasks, transitions),
    }
    door.access.keep(&with.tasks);
    if let Some(certificate) = &door.certificate {
        certificate.keep(&with.tasks, Arc::clone(&with.clock));
    }
    let front = Front {
        http: Arc::new(config.http.clone()),
        access: door.access,
        report_self: Arc::clone(&with.report_self),
        metrics: with.metrics.clone(),
    };
    match alerts.zip(stores.windows.clone()) {
        Some((alerts, windows)) => {
            let lines = config.does(Role::Process);
            let state =
                parts::api_state(with, stores, windows, alerts, front, intake.list_agents, handle, lines)
                    .await;
            api::serve(&with.tasks, listener, state);
        }
        None => api::serve_health(&with.tasks, listener, front),
    }
    let metrics = with.metrics.clone();
    with.tasks.spawn(TaskKind::Upkeep, "metrics", async move {
        loop {
            tokio::time::sleep(METRICS_EVERY).await;
            metrics.upkeep();
        }
    });
    Ok(())
}

/// Waits for SIGTERM, SIGINT or the end of a task that the central cannot do without; then drains
/// everything and closes the stores.
pub async fn run_until_stopped(
    tasks: &Tasks,
    stores: Stores,
    manager: &ServiceManager,
) -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("cannot listen for SIGTERM")?;
    let stopping = tasks.stopping();
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("cannot listen for SIGINT")?;
            tracing::info!("SIGINT: stopping");
        }
        () = stopping.cancelled() => {}
    }
    manager.stopping();
    let stores = stores.until_drained();
    let drained = tasks.drain(DRAIN_WITHIN).await;
    stores.close().await;
    if let Some(task) = tasks.failed_task() {
        anyhow::bail!("task `{task}` ended; see the log above");
    }
    match drained {
        Drained::Clean => Ok(()),
        Drained::TimedOut(left) => {
            anyhow::bail!(
                "{} did not end within {} s and were cut off",
                left.join(", "),
                DRAIN_WITHIN.as_secs()
            )
        }
    }
}

/// Makes a folder that only its owner may read: it holds keys.
pub fn make_private_dir(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("state_dir: cannot make {}", dir.display()))
}
