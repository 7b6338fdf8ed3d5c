//! Putting the notifier together.

use std::path::PathBuf;
use std::sync::Arc;

use goldentime_catalog::{Catalogue, Desk};
use goldentime_model::{Alert, Labels};
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use tokio::sync::mpsc;

use super::book::ACTIVE_MAX;
use super::channels;
use super::claim::Claims;
use super::config::NotifyConfig;
use super::debounce::RESOLVES_MAX;
use super::decisions::{Decisions, SILENCES_MAX};
use super::deliver::{QUEUE_MAX, Worker};
use super::dispatch::Dispatcher;
use super::handle::Handle;
use super::health::Health;
use super::heartbeat::{Heartbeat, Pulse};
use super::message::Texts;
use super::others::{Delivery, Others};
use super::outlet::Outlet;
use super::record::{self, Recorder, WRITES_MAX};
use super::restore;
use super::retry::RetryPolicy;
use super::suppress::Suppression;
use super::unwritten::Unwritten;
use super::watchdog::Watchdog;
use crate::evaluate::transition::Transition;

/// Deliveries that wait to be noted; a channel waits for room.
const REPORTS_MAX: usize = 1024;

/// Alerts, pages and deliveries of other centrals that wait.
const ELSEWHERE_MAX: usize = 1024;

/// What one alert with its labels and texts takes in memory, for the budget: most are smaller.
const ALERT_BYTES: u64 = 2 * 1024;

/// What one waiting message takes, for the budget: most carry one alert, a large group's carries a
/// hundred, and a group sends one message an interval.
const MESSAGE_BYTES: u64 = 8 * 1024;

/// What a silence takes, for the budget: most have two short matchers.
const SILENCE_BYTES: u64 = 16 * 1024;

/// What is remembered of a resolve, in its three indices.
const RESOLVE_BYTES: u64 = 128;

/// Memory that the notifier may take, in bytes, the queues of `transitions_max` and `alerts_max` at its
/// two ends included.
#[must_use]
pub const fn memory_bound_bytes(config: &NotifyConfig, transitions_max: usize, alerts_max: usize) -> u64 {
    // An active alert stands in the book and in its group.
    let alerts = 2 * ACTIVE_MAX + transitions_max + alerts_max + REPORTS_MAX;
    let messages = 2 * WRITES_MAX + config.channels.len() * QUEUE_MAX;
    alerts as u64 * ALERT_BYTES
        + messages as u64 * MESSAGE_BYTES
        + RESOLVES_MAX as u64 * RESOLVE_BYTES
        + SILENCES_MAX as u64 * SILENCE_BYTES
}

/// What the notifier works with.
#[derive(Clone)]
pub struct Deps {
    /// History, queue and claims.
    pub catalogue: Arc<dyn Catalogue>,
    /// What people decide about alerts.
    pub desk: Arc<dyn Desk>,
    /// Whether alerts with these labels are judged here.
    pub owns: Arc<dyn Fn(&Labels) -> bool + Send + Sync>,
    /// The present.
    pub clock: SharedClock,
    /// Where its tasks run.
    pub tasks: Tasks,
    /// Every state that an alert takes, for the live page where there is one. What does not fit is counted, not
    /// waited for.
    pub alerts: Option<mpsc::Sender<Alert>>,
    /// Other centrals, where there may be any.
    pub others: Others,
    /// What is done here of it.
    pub halves: Halves,
    /// In whose name pages are claimed: no two centrals on one catalogue have the same.
    pub owner: Arc<str>,
    /// Where changes of alerts that the catalogue did not take outlast the process.
    pub unwritten: Option<PathBuf>,
}

/// The two halves of a notifier. A central may have one of them, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halves {
    /// Decides whom to tell of the transitions of its rules.
    pub decides: bool,
    /// Sends what was decided, here or elsewhere.
    pub sends: bool,
}

impl Halves {
    /// Both.
    pub const WHOLE: Self = Self { decides: true, sends: true };
    /// Neither.
    pub const NONE: Self = Self { decides: false, sends: false };
}

/// Why the notifier cannot start.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// A channel cannot be made.
    #[error("notify channel `{name}`: {reason}")]
    Channel {
        /// Its name.
        name: String,
        /// Why, and the way out.
        reason: String,
    },
    /// Routes, receivers or rules of inhibition contradict each other.
    #[error("notify: {0}")]
    Routing(String),
    /// A template of ours does not parse.
    #[error("template `{name}`: {reason}")]
    Template {
        /// Its name.
        name: &'static str,
        /// Why.
        reason: String,
    },
}

/// Starts the notifier. It reads back what an earlier run left, then tells every transition; it ends
/// when `transitions` closes and all that can be sent is sent. Without either of its halves nothing runs but what
/// knows of people's decisions.
pub async fn start(
    config: &NotifyConfig,
    deps: Deps,
    transitions: mpsc::Receiver<Transition>,
) -> Result<Handle, NotifyError> {
    let (elsewhere, from_elsewhere) = mpsc::channel(ELSEWHERE_MAX);
    let decisions = Decisions::new(Arc::clone(&deps.desk), &deps.others, Arc::clone(&deps.clock));
    let suppression = Suppression::new(config, decisions.clone(), Arc::clone(&deps.clock))?;
    let book = suppression.book.clone();
    let (owns, others) = (Arc::clone(&deps.owns), deps.others.weak());
    if deps.halves == Halves::NONE {
        deps.tasks.spawn(TaskKind::Upkeep, "notify_decisions", decisions.watch(deps.others));
        return Ok(Handle { book, channels: Vec::new(), elsewhere, suppression, owns, others });
    }
    // Clients over TLS want a provider; `main` has installed the same one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let claims = Claims {
        catalogue: Arc::clone(&deps.catalogue),
        clock: Arc::clone(&deps.clock),
        owner: deps.owner.to_string(),
    };
    let (writes, writes_rx) = mpsc::channel(WRITES_MAX);
    let recorder = Recorder(writes);
    let (reports, reports_rx) = mpsc::channel::<Delivery>(REPORTS_MAX);
    let mut outlets = Vec::with_capacity(config.channels.len());
    let mut workers = Vec::with_capacity(config.channels.len());
    for channel_config in &config.channels {
        if !deps.halves.sends {
            outlets.push(Outlet::elsewhere(channel_config));
            continue;
        }
        let texts = Texts::new(channel_config.language, config.external_url.as_deref())?;
        let channel = channels::build(channel_config, texts, Arc::clone(&deps.clock))?;
        let health = Health::new(&channel_config.name, channel.kind());
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        outlets.push(Outlet::new(channel_config, queue, health.clone()));
        workers.push((
            Worker {
                name: channel_config.name.clone(),
                is_shared: deps.others.exist(),
                overflowed: outlets.last().map(Outlet::overflow_flag).unwrap_or_default(),
                channel,
                timeout: channel_config.timeout.get(),
                policy: RetryPolicy::new(config),
                claims: claims.clone(),
                recorder: recorder.clone(),
                reports: reports.clone(),
                health,
                stopping: deps.tasks.stopping(),
                told: Default::default(),
                seen: Default::default(),
            },
            jobs,
        ));
    }
    drop(reports);
    let channels = workers.iter().map(|(worker, _)| worker.health.clone()).collect();
    let handle = Handle { book, channels, elsewhere, suppression: suppression.clone(), owns, others };
    let mut unwritten = Unwritten::open(deps.unwritten.clone());
    let left =
        restore::read(&*deps.catalogue, &decisions, &mut unwritten, deps.clock.now(), config.debounce.get())
            .await;
    let pulse = Pulse::default();
    let mut dispatcher = Dispatcher::new(config, deps.clone(), suppression, outlets, recorder, pulse.clone());
    dispatcher.resume(left);
    pulse.beat(deps.clock.now());
    if let Some(heartbeat) = config.heartbeat.as_ref().filter(|_| deps.halves.decides) {
        let (clock, owner) = (Arc::clone(&deps.clock), Arc::clone(&deps.owner));
        let heartbeat = Heartbeat::new(heartbeat, pulse, clock, owner)?;
        deps.tasks.spawn(TaskKind::Upkeep, "notify_heartbeat", heartbeat.run());
    }
    if deps.halves.sends && !config.channel_failing_after.get().is_zero() {
        let watchdog = Watchdog {
            handle: handle.clone(),
            clock: Arc::clone(&deps.clock),
            member: Arc::clone(&deps.owner),
            after: config.channel_failing_after.get(),
        };
        deps.tasks.spawn(TaskKind::Upkeep, "notify_watchdog", watchdog.run());
    }
    for (worker, jobs) in workers {
        deps.tasks.spawn(TaskKind::Station, "notify_channel", worker.run(jobs));
    }
    let (stopping, catalogue) = (deps.tasks.stopping(), Arc::clone(&deps.catalogue));
    deps.tasks.spawn(
        TaskKind::Station,
        "notify_record",
        record::run(catalogue, writes_rx, unwritten, stopping),
    );
    deps.tasks.spawn(
        TaskKind::Station,
        "notify_dispatch",
        dispatcher.run(transitions, from_elsewhere, reports_rx),
    );
    deps.tasks.spawn(
        TaskKind::Upkeep,
        "notify_prune",
        restore::prune(deps.catalogue, deps.desk, deps.clock, config.history_keep.get()),
    );
    deps.tasks.spawn(TaskKind::Upkeep, "notify_decisions", decisions.watch(deps.others));
    Ok(handle)
}
