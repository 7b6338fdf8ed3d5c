//! The PostgreSQL backend: the suite, and what is its own.

use std::sync::Arc;
use std::time::Duration;

use goldentime_follower::{Advance, Committed, StoreError};
use goldentime_model::units::HumanDuration;
use goldentime_model::{Counts, Second};
use goldentime_postgres::{PostgresConfig, Tls};
use goldentime_series::conformance::{self, KEEP, Shared};
use goldentime_series::{ChartQuery, PostgresSeries, Requests, Resolution, Rows, Span};
use goldentime_testkit::proxy::{Fault, Proxy};
use goldentime_testkit::servers::postgres::{Postgres, USER};
use goldentime_testkit::wait;

const DAY: i64 = 86_400;
const START: i64 = 19_700 * DAY;

/// How long anything here may take.
const LONG: Duration = Duration::from_secs(120);

async fn server() -> Postgres {
    Postgres::start().await.expect("PostgreSQL starts")
}

fn config(server: &Postgres, port: u16, database: &str) -> PostgresConfig {
    PostgresConfig {
        host: "127.0.0.1".into(),
        port,
        database: database.into(),
        user: USER.into(),
        password_file: Some(server.password_file()),
        tls: Tls::Off,
        connect_timeout: HumanDuration::from_secs(2),
        call_timeout: HumanDuration::from_secs(20),
        ..PostgresConfig::default()
    }
}

fn store(server: &Postgres, database: &str) -> Shared {
    Arc::new(PostgresSeries::new(config(server, server.address().port(), database), KEEP))
}

async fn fresh(server: &Postgres) -> (String, Shared) {
    let database = server.create_database().await.expect("a database");
    let store = store(server, &database);
    (database, store)
}

fn rows(at: i64, routes: usize) -> Rows {
    let mut rows = Rows::default();
    let counts = Counts { ok: 1, ..Counts::default() };
    for n in 0..routes {
        conformance::add(&mut rows, at, "web-1", &format!("/route/{n}"), counts, 20.0);
    }
    rows
}

async fn total(store: &Shared, from: i64, until: i64, step_s: i64) -> u64 {
    let span = Span { from: Second(from), until: Second(until), step_s };
    let query = ChartQuery { service: conformance::service(), of: Requests::All, span };
    let chart = store.chart(query).await.expect("charts");
    chart.points.iter().map(|point| point.value.counts.total()).sum()
}

#[tokio::test]
async fn the_backend_passes_the_suite() {
    let server = server().await;
    conformance::run(|| async { fresh(&server).await.1 }).await;
}
