//! What the notifier's tests share: one that runs, with a real catalogue.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::{Catalogue, Desk, SqliteCatalogue};
use goldentime_model::{Alert, AlertStatus, UnixNanos};
use goldentime_runtime::{Drained, SystemClock, Tasks};
use tokio::sync::mpsc;

use super::{ChannelHealth, Deps, Halves, Handle, NotifyConfig, Others, start};
use crate::evaluate::transition::{Change, Transition};

/// The longest that anything in these tests may take.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// The section `notify` of this text.
pub(super) fn config_of(yaml: &str) -> NotifyConfig {
    let source = Arc::new(goldentime_model::config::Source { name: "t.yaml".into(), text: yaml.to_owned() });
    let node = goldentime_model::config::yaml::parse(&source).expect("YAML");
    goldentime_model::config::decode(&node).expect("typed")
}

/// A notifier on a real catalogue.
pub(super) struct Running {
    pub(super) tasks: Tasks,
    pub(super) transitions: mpsc::Sender<Transition>,
    pub(super) live: mpsc::Receiver<Alert>,
    pub(super) catalogue: Arc<SqliteCatalogue>,
    pub(super) handle: Handle,
}

impl Running {
    pub(super) async fn start(dir: &Path, yaml: &str) -> Self {
        let catalogue = Arc::new(SqliteCatalogue::open(&dir.join("catalogue.db")).await.expect("opens"));
        Self::start_over(catalogue, "embedded", yaml, Halves::WHOLE, Others::default()).await
    }

    /// One of several over a catalogue, of this name.
    pub(super) async fn start_over(
        catalogue: Arc<SqliteCatalogue>,
        owner: &str,
        yaml: &str,
        halves: Halves,
        others: Others,
    ) -> Self {
        let config = config_of(yaml);
        let tasks = Tasks::new();
        let (transitions, transitions_rx) = mpsc::channel(100);
        let (alerts, live) = mpsc::channel(100);
        let shared: Arc<dyn Catalogue> = Arc::<SqliteCatalogue>::clone(&catalogue);
        let desk: Arc<dyn Desk> = Arc::<SqliteCatalogue>::clone(&catalogue);
        let deps = Deps {
            catalogue: shared,
            desk,
            owns: Arc::new(|_| true),
            clock: Arc::new(SystemClock),
            tasks: tasks.clone(),
            alerts: Some(alerts),
            others,
            halves,
            owner: owner.into(),
            unwritten: None,
        };
        let handle = start(&config, deps, transitions_rx).await.expect("starts");
        Self { tasks, transitions, live, catalogue, handle }
    }

    pub(super) async fn tell(&self, change: Change, mut alert: Alert) {
        if change == Change::Resolved {
            alert.status = AlertStatus::Resolved;
            alert.ends_at = Some(UnixNanos::from_millis(20_000));
        }
        let transition = Transition { change, alert, targets: Vec::new(), tell_resolve: true };
        self.transitions.send(transition).await.expect("the notifier runs");
    }

    pub(super) async fn stop(self) {
        let catalogue = Arc::clone(&self.catalogue);
        self.drain().await;
        catalogue.close().await;
    }

    /// Stops and leaves the catalogue open.
    pub(super) async fn drain(self) {
        drop(self.transitions);
        assert_eq!(self.tasks.drain(LIMIT).await, Drained::Clean);
    }

    /// Waits until the only channel has given a notification up; gives its health.
    pub(super) async fn given_up(&self) -> ChannelHealth {
        let given_up = goldentime_testkit::wait::until("a dead letter", LIMIT, || async {
            self.handle.channels().into_iter().find(|health| health.dead_letters > 0)
        });
        given_up.await.expect("given up")
    }
}
