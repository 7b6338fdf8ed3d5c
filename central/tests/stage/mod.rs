//! The push station and the API over empty stores, on a real listener: what tests of HTTP stand on.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::SqliteCatalogue;
use goldentime_central::access::Access;
use goldentime_central::api::{self, ApiState, Certificate, HttpConfig};
use goldentime_central::evaluate::handle::StatusBoard;
use goldentime_central::notify::{self, Halves, NotifyConfig, Others};
use goldentime_central::persist::{Logs, SeriesConfig};
use goldentime_central::push::{self, Sources, sources::SelfReport};
use goldentime_model::Alert;
use goldentime_runtime::self_metrics::SelfMetrics;
use goldentime_runtime::{SharedClock, SystemClock, Tasks};
use goldentime_search::LogsConfig;
use goldentime_series::{SeriesStore, SqliteSeries, SqliteSettings};
use goldentime_windows::{MemoryWindows, WindowStore, WindowsConfig};
use serde_json::Value;
use tokio::sync::mpsc;

/// See the module.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) windows: Arc<dyn WindowStore>,
    pub(crate) series: Arc<dyn SeriesStore>,
    pub(crate) logs: Logs,
    pub(crate) alerts: mpsc::Sender<Alert>,
    pub(crate) access: Access,
    pub(crate) tasks: Tasks,
    _folder: tempfile::TempDir,
}

/// How a stage differs from the default.
pub(crate) struct Props {
    pub(crate) clients_max: usize,
    pub(crate) http: HttpConfig,
    /// The present as access sees it.
    pub(crate) clock: SharedClock,
    pub(crate) certificate: Option<Certificate>,
}

impl Default for Props {
    fn default() -> Self {
        Self { clients_max: 4, http: HttpConfig::default(), clock: Arc::new(SystemClock), certificate: None }
    }
}

impl Stage {
    pub(crate) async fn start(props: Props) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let windows = MemoryWindows::open(&folder.path().join("windows.db"), &WindowsConfig::default()).await;
        let windows: Arc<dyn WindowStore> = Arc::new(windows.expect("window store"));
        let catalogue = SqliteCatalogue::open(&folder.path().join("catalogue.db")).await;
        let catalogue = Arc::new(catalogue.expect("catalogue"));
        let series = SqliteSettings {
            path: folder.path().join("series.db"),
            keep: SeriesConfig::default().keep(),
            busy_timeout: Duration::from_secs(1),
        };
        let series: Arc<dyn SeriesStore> = Arc::new(SqliteSeries::new(series));
        let logs = Logs::new(folder.path(), &LogsConfig::default()).expect("enabled");
        let clock: SharedClock = Arc::new(SystemClock);
        let (alerts, incoming) = mpsc::channel(16);
        let (tasks, statuses) = (Tasks::new(), StatusBoard::default());
        let report_self: push::sources::ReportSelf = Arc::new(SelfReport::default);
        let sources = Sources {
            windows: Arc::clone(&windows),
            statuses: statuses.clone(),
            alerts: incoming,
            recent_alerts: Vec::new(),
            report_self: Arc::clone(&report_self),
            clock: Arc::clone(&clock),
            started: clock.now(),
        };
        let deps = notify::Deps {
            catalogue: Arc::clone(&catalogue) as _,
            desk: Arc::clone(&catalogue) as _,
            owns: Arc::new(|_| true),
            clock: Arc::clone(&clock),
            tasks: tasks.clone(),
            alerts: None,
            others: Others::default(),
            halves: Halves::NONE,
            owner: "stage".into(),
            unwritten: None,
        };
        let (_, transitions) = mpsc::channel(1);
        let notifier = notify::start(&NotifyConfig::default(), deps, transitions).await.expect("starts");
        let push = push::start(&tasks, sources, props.clients_max);
        let access = Access::new(Arc::clone(&catalogue) as _, props.clock, props.http.access());
        let state = ApiState {
            http: Arc::new(props.http),
            access: access.clone(),
            windows: Arc::clone(&windows),
            series: Some(Arc::clone(&series)),
            logs: Some(logs.clone()),
            stores_lines: true,
            letters: None,
            statuses,
            catalogue,
            notifier,
            started: clock.now(),
            agents: Arc::new(Vec::new),
            report_self,
            push,
            metrics: metrics(),
            clock,
            tasks: tasks.clone(),
        };
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = api::bind(loopback, props.certificate.as_ref()).await.expect("a free port");
        let address = listener.address;
        api::serve(&tasks, listener, state);
        Self { address, windows, series, logs, alerts, access, tasks, _folder: folder }
    }

    /// A path of this central.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Gets JSON without any credential.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let answer = goldentime_testkit::http_client().get(self.url(path)).send().await.expect("answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

/// The process has one recorder, whichever test comes first.
fn metrics() -> SelfMetrics {
    static METRICS: std::sync::OnceLock<SelfMetrics> = std::sync::OnceLock::new();
    METRICS.get_or_init(|| SelfMetrics::install().expect("one recorder")).clone()
}
