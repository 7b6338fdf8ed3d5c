//! `goldentime-central serve`: puts the stations together and runs them until told to stop.

use std::sync::Arc;

use anyhow::Context;
use goldentime_model::Labels;
use goldentime_model::metric_names::BUILD_INFO;
use goldentime_runtime::self_metrics::SelfMetrics;
use goldentime_runtime::{ServiceManager, SharedClock, StateDir, SystemClock, Tasks};
use goldentime_transport::token::JoinToken;
use goldentime_windows::WindowStore;
use tokio::sync::mpsc;

use crate::access::Access;
use crate::access::set_up::{FirstLink, LINK_LIFETIME};
use crate::api::Certificate;
use crate::backup;
use crate::budget::Budget;
use crate::commands::print::{setup_url, shown};
use crate::config::Config;
use crate::evaluate::engine::partition_of;
use crate::evaluate::handle::StatusBoard;
use crate::evaluate::openslo::{RuleSet, RulesHandle, RulesWatch};
use crate::ingest;
use crate::ingest::board::AgentBoard;
use crate::line::{self, AskLog, OpenLog};
use crate::members::roster::Roster;
use crate::members::{self, Here, Knowledge};
use crate::merge::exchange::Exchange;
use crate::merge::start::Owned;
use crate::notify::{self, Halves, Others};
use crate::persist::health::Health;
use crate::persist::start::SeriesReport;
use crate::persist::{Logs, Series};
use crate::push::frame::{AgentCount, ChannelView, MissingRole, NotReady, RuleCount, StoreView};
use crate::push::sources::{ReportSelf, SelfReport};
use crate::roles::Role;
use crate::serve::{self, ALERTS_MAX, Door, Intake, Notified, Stores, Surroundings, TRANSITIONS_MAX};

/// Runs the central until SIGTERM or SIGINT.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let _state_dir = StateDir::hold(&config.state_dir, "central")?;
    backup::refuse_unfinished(&config.state_dir)?;

    let tasks = Tasks::new();
    let clock: SharedClock = Arc::new(SystemClock);
    let metrics = SelfMetrics::install().map_err(anyhow::Error::msg)?;
    metrics::gauge!(BUILD_INFO, "program" => "goldentime-central", "version" => env!("CARGO_PKG_VERSION"))
        .set(1.0);
    Budget::of(&config).show();

    let rules =
        RulesWatch::start(config.slo_dir.clone(), &config.starter_rules, Arc::clone(&clock), &tasks).await;
    if let Some(refused) = rules.refused() {
        tracing::error!("the rules are not in force:\n{}", refused.faults);
    }
    if config.cluster.kafka.is_some() && config.cluster.postgres.is_none() {
        tracing::warn!(
            "without cluster.postgres each central keeps history, accounts, alerts and dead letters of its own; set \
             it before a second one starts"
        );
    }
    warn_of_unknown_targets(&rules.current(), &config);
    serve::make_private_dir(&config.state_dir)?;
    let (dead_letters, shared_letters) = line::open_letters(&config, &tasks, &clock).await?;
    let stores = Stores::open(&config, &dead_letters, &tasks, &clock).await?;
    let log = OpenLog::open(&config, &stores, shared_letters, &tasks).await?;
    let is_gateway = config.does(Role::Gateway);
    let authority = ingest::start::open_authority(&config.agents, &config.state_dir, clock.now())?;
    if is_gateway && config.cluster.kafka.is_some() && config.agents.authority_dir.is_none() {
        tracing::warn!(
            "agents.authority_dir is not set: agents that join here are strangers to other centrals of this cluster"
        );
    }
    let registry = stores.catalogue.registry(&config.state_dir).await?;
    let mut intake = match is_gateway {
        true => ingest::open(authority, registry, dead_letters.clone(), Arc::clone(&clock)).await?,
        false => {
            ingest::open_elsewhere(authority, registry, dead_letters.clone(), Arc::clone(&clock)).await?
        }
    };
    let first_token = intake.first_token.take();
    // Before anything listens: a certificate that cannot be read is told at once.
    let certificate = Certificate::open(&config.http, intake.authority(), clock.now())?;
    let access = Access::new(Arc::clone(&stores.catalogue.access), Arc::clone(&clock), config.http.access());
    let first_link = match config.does(Role::Api) {
        true => first_link(&access, config.cluster.postgres.is_some()).await?,
        false => None,
    };
    let (board, ask_log) = (intake.board(), log.ask());

    let (transitions, incoming) = mpsc::channel(TRANSITIONS_MAX);
    let (shown, alerts) = mpsc::channel(ALERTS_MAX);
    let alerts = config.does(Role::Api).then_some(alerts);
    let shown = alerts.is_some().then_some(shown);
    let (to_others, for_others) = mpsc::channel(ALERTS_MAX);
    let (owned, statuses) = (Owned::default(), StatusBoard::default());
    let deps = notify::Deps {
        catalogue: Arc::clone(&stores.catalogue.alerts),
        desk: Arc::clone(&stores.catalogue.desk),
        owns: owns(&config, owned.clone()),
        clock: Arc::clone(&clock),
        tasks: tasks.clone(),
        alerts: shown.clone(),
        others: config.cluster.member().map(|_| Others::over(to_others)).unwrap_or_default(),
        halves: Halves { decides: config.does(Role::Process), sends: config.does(Role::Notify) },
        owner: config.cluster.member().unwrap_or_else(|| "embedded".into()),
        unwritten: Some(config.state_dir.join("unwritten-alerts.jsonl")),
    };
    let notifier = notify::start(&config.notify, deps, incoming).await?;

    let in_force = rules.subscribe();
    let (judged, lines) = log.followed(&config).unzip();
    let series = stores.series.clone().zip(judged).map(|(series, judged)| {
        let (readers, health) = series.start(&tasks, judged, Arc::clone(&clock));
        (series, readers, health)
    });
    let logs = stores.logs.clone().zip(lines).map(|(logs, lines)| {
        let (readers, health) = logs.start(&tasks, lines, Arc::clone(&clock));
        (logs, readers, health)
    });
    let of_series = series.as_ref().map(|(_, readers, _)| readers.clone());
    let readers = of_series.into_iter().chain(logs.as_ref().map(|(_, readers, _)| readers.clone())).collect();
    let line = log.start(&tasks, readers, &dead_letters, &clock).await?;
    drop(dead_letters);
    let agents = match line.behind {
        Some(behind) if is_gateway => intake.start(&tasks, &config.agents, behind, in_force.clone()).await?,
        behind => intake.start_elsewhere(&tasks, &config.agents, behind).await,
    };
    let roster = line.link.as_ref().map(|_| Roster::new(config.roles.clone()));
    let (exchange, messages) = match line.link {
        Some(_) => Exchange::between_centrals(),
        None => (Exchange::within(), mpsc::channel(1).1),
    };
    let agents = match line.link.zip(roster.clone()) {
        Some((link, roster)) => {
            let knowledge = Knowledge {
                agents: board.clone(),
                statuses: statuses.clone(),
                owned: owned.clone(),
                partitions: config.partitions(),
                notifier: notifier.clone(),
                shown,
                roster,
                exchange: exchange.clone(),
                clock: Arc::clone(&clock),
            };
            let here = Here { agents, news: for_others, messages };
            members::start(&tasks, link, knowledge, here)
        }
        None => {
            // The live page's alerts end with the notifier.
            drop(shown);
            agents
        }
    };
    let handle = notifier.clone();
    let report = Report {
        owned: owned.clone(),
        ask_log,
        windows: stores.windows.clone(),
        board: board.clone(),
        roster,
        rules,
        notifier,
        series: series.map(|(series, _, health)| (series, health)),
        logs: logs.map(|(logs, _, health)| (logs, health)),
        clock: Arc::clone(&clock),
    };
    let report_self: ReportSelf = Arc::new(move || report.now());
    let surroundings = Surroundings {
        tasks: tasks.clone(),
        clock: Arc::clone(&clock),
        metrics,
        started: clock.now(),
        report_self,
        owned,
        statuses,
        exchange,
    };
    let intake = Intake { merge: line.merge, agents, list_agents: Arc::new(move || board.all()) };
    let notified = Notified { transitions, alerts, handle };
    let door = Door { access, certificate };
    serve::start(&config, &surroundings, &stores, in_force, intake, notified, door).await?;
    // What it asks of would otherwise outlive its last user.
    drop(surroundings);
    greet(&config, first_token.as_ref(), first_link.as_ref());
    // It listens; how far the replay has come is `/readyz`'s to say.
    let manager = ServiceManager::from_environment();
    manager.ready();
    manager.watch(&tasks);
    serve::run_until_stopped(&tasks, stores, &manager).await
}

/// Whether this central decides on the pages of alerts with these labels.
fn owns(config: &Config, owned: Owned) -> Arc<dyn Fn(&Labels) -> bool + Send + Sync> {
    let partitions = config.partitions();
    match config.cluster.member() {
        Some(_) => Arc::new(move |labels| owned.has(partition_of(labels, partitions))),
        None => Arc::new(|_| true),
    }
}

/// The link by which the first account is set up. A shared database may be away.
async fn first_link(access: &Access, is_shared: bool) -> anyhow::Result<Option<FirstLink>> {
    match access.first_link().await {
        Ok(link) => Ok(Some(link)),
        Err(error) if is_shared => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "nobody can sign in before the database of accounts answers");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// A rule that names a target which is no channel would page nobody.
fn warn_of_unknown_targets(rules: &RuleSet, config: &Config) {
    for target in &rules.targets {
        if config.notify.channels_of(&target.name).is_none() {
            tracing::warn!(
                target = %target.name,
                place = %target.place,
                "neither a channel nor a receiver under `notify` has the name of this notification target; its \
                 alerts go where those without targets go"
            );
        }
    }
    if config.notify.channels.is_empty() && (config.does(Role::Process) || config.does(Role::Notify)) {
        tracing::warn!("`notify.channels` is empty: alerts are shown and kept, but told to nobody");
    }
}

/// What a first start tells on standard output; where to look, on every start.
fn greet(config: &Config, first_token: Option<&JoinToken>, first_link: Option<&FirstLink>) {
    let page = config.http.page_url();
    if config.does(Role::Api) {
        println!("Dashboard: {page}");
    }
    if let Some(token) = first_token {
        println!(
            "Join token for agents of project `default`, shown this once (more: goldentime-central token create):\n\
             {token}"
        );
    }
    let is_open = config.http.access().open_without_accounts;
    let who = if is_open { "everybody on this machine may look" } else { "nobody can sign in" };
    match first_link {
        None | Some(FirstLink::NotNeeded) => {}
        Some(FirstLink::Made(secret)) => println!(
            "No account yet, so {who}. Set up the first one within {} h, by this link, shown this once:\n{}",
            LINK_LIFETIME.as_secs() / 3600,
            setup_url(&page, secret)
        ),
        Some(FirstLink::Waiting(link)) => println!(
            "No account yet, so {who}. The set-up link that was shown before works until {}; \
             `goldentime-central setup-link` makes another.",
            shown(link.expires_at)
        ),
    }
}

/// Asks every station how it does.
struct Report {
    owned: Owned,
    ask_log: AskLog,
    windows: Option<Arc<dyn WindowStore>>,
    board: AgentBoard,
    roster: Option<Roster>,
    rules: RulesHandle,
    notifier: notify::Handle,
    series: Option<(Series, Health)>,
    logs: Option<(Logs, Health)>,
    clock: SharedClock,
}

impl Report {
    fn now(&self) -> SelfReport {
        let (connected, total) = self.board.counts();
        SelfReport {
            not_ready: self.not_ready(),
            roles: self.roster.as_ref().map(Roster::own).unwrap_or_default(),
            missing_roles: self.missing_roles(),
            agents: AgentCount { connected, total },
            rules: RuleCount { loaded: self.rules.current().rules.len(), error: self.rules.complaint() },
            channels: self.channels().into_iter().map(ChannelView::from).collect(),
            stores: self.stores(),
        }
    }

    /// How the channels do, as those say who send: this central, or the others.
    fn channels(&self) -> Vec<notify::ChannelHealth> {
        let own = self.notifier.channels();
        match &self.roster {
            Some(roster) if own.is_empty() => roster.channels(),
            _ => own,
        }
    }

    fn missing_roles(&self) -> Vec<MissingRole> {
        let missing = self.roster.as_ref().map(Roster::missing).unwrap_or_default();
        missing.into_iter().map(|role| MissingRole { role, detail: role.when_missing() }).collect()
    }

    fn stores(&self) -> Vec<StoreView> {
        let mut stores = Vec::new();
        if let Some(degraded) = self.windows.as_ref().and_then(|windows| windows.health().degraded) {
            let behind_s = Some(self.clock.now().since(degraded.since).max(0) as f64 / 1e9);
            stores.push(StoreView {
                name: "windows",
                state: "waiting",
                behind_s,
                last_error: Some(degraded.why),
                ..StoreView::default()
            });
        }
        if let Some((series, health)) = &self.series {
            let SeriesReport { usage, bytes_max } = series.report();
            let [oldest_10s_s, oldest_1m_s, oldest_1h_s] = usage.oldest.map(|oldest| oldest.map(|at| at.0));
            let (bytes, series) = (usage.bytes, usage.series);
            let view = self.store_view(health);
            stores.push(StoreView {
                bytes,
                bytes_max,
                series,
                oldest_10s_s,
                oldest_1m_s,
                oldest_1h_s,
                ..view
            });
        }
        if let Some((logs, health)) = &self.logs {
            let (stats, bytes_max) = logs.report();
            let (bytes, lines) = (stats.disk_bytes, stats.lines);
            let oldest_line_ms = stats.oldest.map(goldentime_model::UnixNanos::as_millis);
            let view = self.store_view(health);
            stores.push(StoreView { bytes, bytes_max, lines, oldest_line_ms, ..view });
        }
        stores
    }

    /// How far a store's readers have come; what it holds is its own to say.
    fn store_view(&self, health: &Health) -> StoreView {
        let summary = health.summary();
        let now = self.clock.now();
        let behind_s = summary.behind_since.map(|since| now.since(since).max(0) as f64 / 1e9);
        metrics::gauge!("goldentime_persist_lag_seconds", "store" => health.name())
            .set(behind_s.unwrap_or(0.0));
        StoreView {
            name: health.name(),
            state: if summary.error.is_some() { "waiting" } else { "ok" },
            behind_records: summary.behind_records,
            behind_s,
            rows: summary.rows,
            lost: summary.lost,
            failures: summary.failures,
            last_error: summary.error,
            ..StoreView::default()
        }
    }

    fn not_ready(&self) -> Vec<NotReady> {
        let mut not_ready: Vec<NotReady> = (self.ask_log)().into_iter().collect();
        let (owned, behind) = self.owned.counts();
        if behind > 0 {
            let detail = format!("{behind} of {owned} partitions still read the log of before the start");
            not_ready.push(NotReady { code: "replaying", detail });
        }
        not_ready
    }
}

impl From<notify::ChannelHealth> for ChannelView {
    fn from(health: notify::ChannelHealth) -> Self {
        Self {
            name: health.name,
            kind: health.kind,
            state: health.state.as_str(),
            queued: health.queued,
            delivered: health.delivered,
            failed: health.failed,
            dead_letters: health.dead_letters,
            last_error: health.last_error,
            last_delivered_ms: health.last_delivered.map(goldentime_model::UnixNanos::as_millis),
        }
    }
}

/// Runs the central on a runtime of its own, after its log was started.
pub fn main(config: Config) -> anyhow::Result<()> {
    goldentime_runtime::logging::start(&config.logging.level, config.logging.runtime_format())
        .map_err(anyhow::Error::msg)?;
    // Both our TLS ends use it; installed once, before anything asks for it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start threads")?.block_on(run(config))
}
