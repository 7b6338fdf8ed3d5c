//! The server that the tests share, and stores on it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex as StdMutex, Weak};

use goldentime_follower::{BoxFuture, Committed, StoreError};
use goldentime_model::config::Secret;
use goldentime_model::units::HumanDuration;
use goldentime_search::conformance::{Place, all, step};
use goldentime_search::elastic::SearchLimits;
use goldentime_search::{ElasticConfig, ElasticLogs, LogStore, NewLine, Query, Rejected, Rejects};
use goldentime_testkit::servers::elasticsearch::{Elasticsearch, PASSWORD, USER};
use tokio::sync::Mutex;

/// One for all tests that run at the same time; the last of them stops it.
pub(crate) async fn shared() -> Arc<Elasticsearch> {
    static SHARED: Mutex<Weak<Elasticsearch>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(Elasticsearch::start().await.expect("Elasticsearch starts"));
    *shared = Arc::downgrade(&server);
    server
}

/// A place of its own on a server that is reached `at`.
pub(crate) fn config(server: &Elasticsearch, at: SocketAddr) -> ElasticConfig {
    ElasticConfig {
        urls: vec![Elasticsearch::url(at)],
        user: Some(USER.to_owned()),
        password: Some(Secret::new(PASSWORD)),
        ca_file: Some(server.certificate_file()),
        ..a_place()
    }
}

/// Names that no other test has, on some server.
pub(crate) fn a_place() -> ElasticConfig {
    static PLACES: AtomicU32 = AtomicU32::new(0);
    ElasticConfig {
        prefix: format!("test-{}", PLACES.fetch_add(1, Ordering::Relaxed)),
        replicas: 0,
        busy_timeout: HumanDuration::from_secs(60),
        ..ElasticConfig::default()
    }
}

/// A store that rejects nothing.
pub(crate) fn open(config: &ElasticConfig) -> ElasticLogs {
    open_with(config, &Arc::default())
}

pub(crate) fn open_with(config: &ElasticConfig, rejects: &Arc<DeadLetters>) -> ElasticLogs {
    ElasticLogs::new(config.clone(), Arc::clone(rejects) as _).expect("a good configuration")
}

pub(crate) fn open_limited(config: &ElasticConfig, limits: SearchLimits) -> ElasticLogs {
    let rejects = Arc::new(DeadLetters::default());
    ElasticLogs::with_limits(config.clone(), rejects, limits).expect("a good configuration")
}

/// Lines that were rejected.
#[derive(Default)]
pub(crate) struct DeadLetters {
    pub(crate) taken: StdMutex<Vec<Rejected>>,
    pub(crate) is_full: StdMutex<bool>,
}

impl Rejects for DeadLetters {
    fn take<'a>(&'a self, rejected: &'a [Rejected]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async {
            if *self.is_full.lock().expect("unpoisoned") {
                return Err(StoreError::Full { place: "dead letters".to_owned() });
            }
            self.taken.lock().expect("unpoisoned").extend_from_slice(rejected);
            Ok(())
        })
    }
}

/// A place on the shared server, for the conformance suite.
pub(crate) struct Fresh(pub(crate) ElasticConfig);

impl Place for Fresh {
    fn open(&self) -> BoxFuture<'_, Arc<dyn LogStore>> {
        Box::pin(async { Arc::new(open(&self.0)) as Arc<dyn LogStore> })
    }
}

pub(crate) async fn put(store: &ElasticLogs, from: u64, lines: &[NewLine]) {
    let taken = store.commit(lines, &step(from, from + 1)).await.expect("stored");
    assert!(matches!(taken, Committed::Done { .. }), "{taken:?}");
}

/// Goes on from where the store stands, as a follower does, until the step to `to` is taken.
pub(crate) async fn put_somehow(store: &ElasticLogs, to: u64, lines: &[NewLine]) {
    let stands = store.position(0).await.expect("read").map_or(0, |position| position.mark.offset);
    if stands < to {
        assert_eq!(stands, to - 1, "the step before was taken");
        put(store, stands, lines).await;
    }
}

pub(crate) async fn messages(store: &ElasticLogs) -> Vec<String> {
    all(store, &Query::default(), 1000).await.into_iter().map(|line| line.record.message).collect()
}
