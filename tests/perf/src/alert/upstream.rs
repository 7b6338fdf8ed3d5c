//! The application behind nginx: many services in one process, each with a switch, and the counters
//! and histograms that Prometheus's own client library would keep.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use rand::Rng;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::rules::Kind;

/// Upper edges of the histogram in seconds; the rule's threshold is one of them, which favours the peer.
const EDGES_S: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// What a healthy request takes at most, in milliseconds.
const HEALTHY_MS_MAX: f64 = 20.0;
/// How much longer a slow one takes.
const SLOW_BY: Duration = Duration::from_millis(250);

/// One service's switch and counters.
#[derive(Default)]
struct Service {
    fails: AtomicBool,
    is_slow: AtomicBool,
    answered: AtomicU64,
    failed: AtomicU64,
    buckets: [AtomicU64; EDGES_S.len()],
    micros: AtomicU64,
}

/// All services. Cheap to clone.
#[derive(Clone)]
pub struct Services(Arc<Vec<Service>>);

/// A running upstream.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    /// The switches.
    pub services: Services,
    _server: JoinSet<()>,
}

/// Name of the service with this number.
#[must_use]
pub fn service_name(number: usize) -> String {
    format!("service-{number:03}")
}

impl Upstream {
    /// Serves `count` services, `/<number>/…` each, and `/metrics` of all.
    pub async fn start(count: usize) -> Result<Self> {
        let services = Services(Arc::new((0..count).map(|_| Service::default()).collect()));
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/{number}/{*rest}", get(answer))
            .with_state(services.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut server = JoinSet::new();
        server.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("upstream ended: {error}");
            }
        });
        Ok(Self { address, services, _server: server })
    }
}

impl Services {
    /// Breaks or heals one service.
    pub fn set(&self, number: usize, kind: Kind, broken: bool) {
        let service = &self.0[number];
        let switch = match kind {
            Kind::Errors => &service.fails,
            Kind::Latency => &service.is_slow,
        };
        switch.store(broken, Ordering::SeqCst);
    }
}

async fn answer(
    State(services): State<Services>,
    Path((number, _)): Path<(usize, String)>,
) -> (StatusCode, &'static str) {
    let Some(service) = services.0.get(number) else { return (StatusCode::NOT_FOUND, "") };
    let began = Instant::now();
    let mut takes = Duration::from_secs_f64(rand::rng().random_range(1.0..HEALTHY_MS_MAX) / 1000.0);
    if service.is_slow.load(Ordering::Relaxed) {
        takes += SLOW_BY;
    }
    tokio::time::sleep(takes).await;
    let fails = service.fails.load(Ordering::Relaxed);
    service.observe(began.elapsed(), fails);
    if fails { (StatusCode::INTERNAL_SERVER_ERROR, "broken") } else { (StatusCode::OK, "fine") }
}

impl Service {
    fn observe(&self, took: Duration, failed: bool) {
        if failed { &self.failed } else { &self.answered }.fetch_add(1, Ordering::Relaxed);
        for (edge, bucket) in EDGES_S.iter().zip(&self.buckets) {
            if took.as_secs_f64() <= *edge {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

async fn metrics(State(services): State<Services>) -> String {
    let mut text = "# TYPE requests_total counter\n".to_owned();
    for (number, service) in services.0.iter().enumerate() {
        for (code, counter) in [("200", &service.answered), ("500", &service.failed)] {
            let (name, value) = (service_name(number), counter.load(Ordering::Relaxed));
            let _ = writeln!(text, "requests_total{{service=\"{name}\",code=\"{code}\"}} {value}");
        }
    }
    text.push_str("# TYPE request_seconds histogram\n");
    for (number, service) in services.0.iter().enumerate() {
        let name = service_name(number);
        for (edge, bucket) in EDGES_S.iter().zip(&service.buckets) {
            let value = bucket.load(Ordering::Relaxed);
            let _ = writeln!(text, "request_seconds_bucket{{service=\"{name}\",le=\"{edge}\"}} {value}");
        }
        let count = service.answered.load(Ordering::Relaxed) + service.failed.load(Ordering::Relaxed);
        let seconds = service.micros.load(Ordering::Relaxed) as f64 / 1e6;
        let _ = writeln!(text, "request_seconds_bucket{{service=\"{name}\",le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "request_seconds_sum{{service=\"{name}\"}} {seconds}");
        let _ = writeln!(text, "request_seconds_count{{service=\"{name}\"}} {count}");
    }
    text
}
