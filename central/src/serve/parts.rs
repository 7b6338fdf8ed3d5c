//! The stations of single roles, put together.

use std::sync::Arc;

use goldentime_catalog::HistoryQuery;
use goldentime_model::Alert;
use goldentime_runtime::{TaskKind, Tasks};
use goldentime_windows::WindowStore;
use tokio::sync::mpsc;

use super::{Partitions, Stores, Surroundings};
use crate::api::state::ListAgents;
use crate::api::{ApiState, Front};
use crate::config::Config;
use crate::evaluate::transition::Transition;
use crate::merge::assigned::{self, Begin};
use crate::merge::start::{Settings, Shards};
use crate::notify;
use crate::persist::Series;
use crate::publish::Publisher;
use crate::push::{self, Sources};

/// Alerts of earlier runs that the live page begins with.
const RECENT_ALERTS: u32 = 10;

/// Live connections to the dashboard.
const CLIENTS_MAX: usize = 500;

/// Nothing is judged here, and the notifier ends with its transitions: not before the central does.
pub(super) fn keep_open(tasks: &Tasks, transitions: mpsc::Sender<Transition>) {
    let stopping = tasks.stopping();
    tasks.spawn(TaskKind::Source, "no-transitions", async move {
        stopping.cancelled().await;
        drop(transitions);
    });
}

/// What shards are made with.
pub(super) fn merge_settings(config: &Config, with: &Surroundings, generation: u32) -> Settings {
    Settings {
        generation,
        partitions: config.partitions(),
        services_max: usize::try_from(config.windows.services_max).unwrap_or(usize::MAX),
        unknown_grace: config.evaluate.unknown_grace.get(),
        host_silent: config.evaluate.host_silent,
        owned: with.owned.clone(),
        exchange: with.exchange.clone(),
    }
}

/// Merges these partitions, and publishes what people and scripts read.
pub(super) fn start_merge(
    config: &Config,
    with: &Surroundings,
    stores: &Stores,
    shards: Shards,
    partitions: Partitions,
    notifier: notify::Handle,
) {
    match partitions {
        Partitions::All(partitions) => {
            for (partition, resume) in (0..).zip(partitions) {
                let shard = shards.begin(partition, resume, stores.open_alerts.clone());
                with.tasks.spawn(TaskKind::Station, "merge", shard);
            }
        }
        Partitions::Shared { events, log, readers } => {
            let begin = Begin {
                shards,
                readers,
                log,
                catalogue: Arc::clone(&stores.catalogue.alerts),
                open_alerts: stores.open_alerts.clone(),
                notifier,
                partitions: config.partitions(),
                tasks: with.tasks.clone(),
            };
            with.tasks.spawn(TaskKind::Station, "partitions", assigned::run(events, begin));
        }
    }
    if let Some(redis) = &stores.redis {
        let publisher = Publisher {
            redis: Arc::clone(redis),
            statuses: with.statuses.clone(),
            owned: with.owned.clone(),
            partitions: config.partitions(),
            clock: Arc::clone(&with.clock),
        };
        with.tasks.spawn(TaskKind::Upkeep, "publish", publisher.run());
    }
}

/// What the API answers from, with the live page's station.
pub(super) async fn api_state(
    with: &Surroundings,
    stores: &Stores,
    windows: Arc<dyn WindowStore>,
    alerts: mpsc::Receiver<Alert>,
    front: Front,
    agents: ListAgents,
    notifier: notify::Handle,
    stores_lines: bool,
) -> ApiState {
    let catalogue = Arc::clone(&stores.catalogue.alerts);
    let recent = catalogue.history(HistoryQuery { before: None, limit: RECENT_ALERTS }).await;
    let recent_alerts = recent.unwrap_or_else(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the live page begins without the last alerts"
        );
        Vec::new()
    });
    let sources = Sources {
        windows: Arc::clone(&windows),
        statuses: with.statuses.clone(),
        alerts,
        recent_alerts,
        report_self: Arc::clone(&with.report_self),
        clock: Arc::clone(&with.clock),
        started: with.started,
    };
    let push = push::start(&with.tasks, sources, CLIENTS_MAX);
    ApiState {
        http: front.http,
        access: front.access,
        windows,
        series: stores.series.as_ref().map(Series::store),
        logs: stores.logs.clone(),
        stores_lines,
        letters: Some(Arc::clone(&stores.letters)),
        statuses: with.statuses.clone(),
        catalogue,
        notifier,
        started: with.started,
        agents,
        report_self: front.report_self,
        push,
        metrics: front.metrics,
        clock: Arc::clone(&with.clock),
        tasks: with.tasks.clone(),
    }
}
