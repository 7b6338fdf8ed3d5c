//! The PostgreSQL backend: the suite, and what is its own.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use goldentime_follower::{Advance, Committed, StoreError};
use goldentime_model::units::HumanDuration;
use goldentime_model::{Counts, Second};
use goldentime_postgres::{PostgresConfig, Tls};
use goldentime_series::conformance::{self, KEEP, Shared};
use goldentime_series::{ChartQuery, Keep, PostgresSeries, Requests, Resolution, Rows, Span};
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
    let keep = Keep { series_max: 1_000, ..KEEP };
    Arc::new(PostgresSeries::new(config(server, server.address().port(), database), keep))
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
    conformance::run(|| async {
        let database = server.create_database().await.expect("a database");
        let config = config(&server, server.address().port(), &database);
        Arc::new(PostgresSeries::new(config, KEEP)) as Shared
    })
    .await;
}

#[tokio::test]
async fn a_central_that_is_cut_off_in_its_commits_counts_nothing_twice_and_loses_nothing() {
    let server = server().await;
    let database = server.create_database().await.expect("a database");
    let proxy = Proxy::tcp(server.address(), 1).await.expect("a proxy");
    let behind = PostgresConfig {
        connect_timeout: HumanDuration::from_millis(500),
        call_timeout: HumanDuration::from_secs(1),
        ..config(&server, proxy.address().port(), &database)
    };
    let cut_off: Shared = Arc::new(PostgresSeries::new(behind, KEEP));
    let mut follower = Follower::new(START);
    follower.until_taken(&cut_off).await;
    for round in 0..10_u64 {
        // Steps one after the other, until the link breaks at some point of one.
        let hurt = async {
            tokio::time::sleep(Duration::from_millis(20 + 7 * round)).await;
            proxy.link().set(if round % 2 == 0 { Fault::Cut } else { Fault::HalfOpen });
        };
        let at_work = async { while follower.try_step(&cut_off).await {} };
        tokio::join!(at_work, hurt);
        proxy.link().set(Fault::None);
        follower.until_taken(&cut_off).await;
    }
    let direct = store(&server, &database);
    assert_eq!(total(&direct, START, START + DAY, 10).await, follower.sent);
}

/// What a step calls into being is not there when the step is dropped, at whatever point that is.
#[tokio::test]
async fn a_step_that_is_given_up_leaves_no_name_behind_that_is_not_in_the_database() {
    let server = server().await;
    let (_, store) = fresh(&server).await;
    store.commit(&Rows::default(), &conformance::step(0, 1, START)).await.expect("commits");
    for n in 1..=30_u64 {
        let mut rows = Rows::default();
        let counts = Counts { ok: 1, ..Counts::default() };
        conformance::add(&mut rows, START, "web-1", &format!("/route/{n}"), counts, 20.0);
        let step = conformance::step(n, n + 1, START);
        let mut commit = store.commit(&rows, &step);
        // Dropped when the server's n-th answer comes.
        let mut answers = 0;
        let given_up = std::future::poll_fn(|context| {
            answers += 1;
            if answers > n { Poll::Ready(()) } else { commit.as_mut().poll(context).map(drop) }
        });
        given_up.await;
        drop(commit);
        wait::until("the step to be taken", LONG, || async {
            let _ = store.commit(&rows, &step).await;
            let position = store.position(0).await.ok().flatten();
            position.filter(|position| position.mark.offset == n + 1).map(drop)
        })
        .await
        .expect("taken");
        let of = Requests::To { endpoint: format!("/route/{n}").into(), method: None };
        let span = Span { from: Second(START), until: Second(START + 10), step_s: 10 };
        let chart = store.chart(ChartQuery { service: conformance::service(), of, span }).await;
        assert_eq!(chart.expect("charts").points.len(), 1, "/route/{n}");
    }
    assert_eq!(total(&store, START, START + 10, 10).await, 30);
}

#[tokio::test]
async fn a_server_killed_in_mid_commit_counts_nothing_twice_and_loses_nothing() {
    let mut server = server().await;
    let (_, store) = fresh(&server).await;
    let mut follower = Follower::new(START);
    follower.until_taken(&store).await;
    for round in 0..5_u64 {
        let at_work = async { while follower.try_step(&store).await {} };
        let kill = async {
            tokio::time::sleep(Duration::from_millis(20 + 15 * round)).await;
            server.kill9();
        };
        tokio::join!(at_work, kill);
        server.restart().await.expect("starts again");
        follower.until_taken(&store).await;
        assert_eq!(total(&store, START, START + DAY, 10).await, follower.sent);
        conformance::tend(&store, follower.at).await;
        assert_eq!(total(&store, START, START + DAY, 3_600).await, follower.sent);
    }
}

/// What follows the log: it goes on from what the store says it has, as the central does.
struct Follower {
    offset: u64,
    at: i64,
    sent: u64,
    rows: usize,
}

impl Follower {
    const fn new(at: i64) -> Self {
        Self { offset: 0, at, sent: 0, rows: 20 }
    }

    /// Whether the next step was taken. If not, it may have been taken all the same.
    async fn try_step(&mut self, store: &Shared) -> bool {
        let step = conformance::step(self.offset, self.offset + 1, self.at);
        let taken = store.commit(&rows(self.at, self.rows), &step).await;
        let taken = taken.is_ok_and(|taken| matches!(taken, Committed::Done { .. }));
        if taken {
            self.took();
        }
        taken
    }

    /// The step that was tried is in the store, by this try or by an earlier one.
    async fn until_taken(&mut self, store: &Shared) {
        let offset = self.offset;
        wait::until("the step to be taken", LONG, || async {
            let step = conformance::step(offset, offset + 1, self.at);
            let _ = store.commit(&rows(self.at, self.rows), &step).await;
            let position = store.position(0).await.ok().flatten();
            position.filter(|position| position.mark.offset == offset + 1).map(drop)
        })
        .await
        .expect("taken");
        self.took();
    }

    const fn took(&mut self) {
        self.offset += 1;
        self.at += 7;
        self.sent += self.rows as u64;
    }
}

#[tokio::test]
async fn a_read_only_server_is_charted_and_its_steps_fail_with_the_reason() {
    let server = server().await;
    let (database, store) = fresh(&server).await;
    store.commit(&rows(START, 3), &conformance::step(0, 1, START)).await.expect("commits");
    let set = format!("ALTER DATABASE {database} SET default_transaction_read_only = on");
    server.execute("postgres", &set).await.expect("set");
    let store = self::store(&server, &database);
    assert_eq!(total(&store, START, START + 60, 10).await, 3);
    let refused = store.commit(&rows(START, 3), &conformance::step(1, 2, START)).await.expect_err("refused");
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
    let said = refused.chain();
    assert!(said.contains("read-only") && said.contains(&database), "{said}");
    assert_eq!(store.position(0).await.expect("reads").expect("there").mark.offset, 1);
}

#[tokio::test]
async fn two_centrals_write_and_tend_one_database_at_once() {
    let server = server().await;
    let database = server.create_database().await.expect("a database");
    let centrals = [store(&server, &database), store(&server, &database)];
    let mut tasks = tokio::task::JoinSet::new();
    for (n, central) in centrals.iter().enumerate() {
        let (central, partition) = (Arc::clone(central), u32::try_from(n).expect("small"));
        tasks.spawn(async move {
            for step in 0..30_u64 {
                let at = START + 300 * i64::try_from(step).expect("small");
                let advance = Advance { partition, ..conformance::step(step, step + 1, at) };
                // Each has a partition of its own; the service was once in the other's.
                let taken = central.commit(&rows(at, 4), &advance).await.expect("commits");
                assert!(matches!(taken, Committed::Done { dropped: 0, .. }), "{taken:?}");
                central.tend(Second(at).start()).await.expect("tends");
            }
        });
    }
    tasks.join_all().await;
    let end = START + 9_000;
    tokio::join!(conformance::tend(&centrals[0], end), conformance::tend(&centrals[1], end));
    conformance::tend(&centrals[0], end).await;
    for central in &centrals {
        for tier in Resolution::ALL {
            assert_eq!(total(central, START, end, tier.width_s()).await, 240, "{tier:?}");
        }
        let parts = central.parts(conformance::service(), 100).await.expect("lists");
        assert_eq!(parts.len(), 6, "each part once: {parts:?}");
    }
}

/// Another central forgets a series that this one still knows by its number.
#[tokio::test]
async fn a_series_that_was_forgotten_elsewhere_is_made_known_anew() {
    let server = server().await;
    let (database, store) = fresh(&server).await;
    store.commit(&rows(START, 1), &conformance::step(0, 1, START)).await.expect("commits");
    let later = START + 20 * DAY;
    conformance::tend(&self::store(&server, &database), later).await;
    assert_eq!(store.parts(conformance::service(), 10).await.expect("lists"), []);
    store.commit(&rows(later, 1), &conformance::step(1, 2, later)).await.expect("commits");
    assert_eq!(store.parts(conformance::service(), 10).await.expect("lists").len(), 3);
    assert_eq!(total(&store, later, later + 10, 10).await, 1);
}

async fn partitions(server: &Postgres, database: &str, table: &str) -> Vec<String> {
    let mut raw = server.connect(database).await.expect("connects");
    sqlx::query_scalar("SELECT relid::text FROM pg_partition_tree($1::regclass) WHERE isleaf ORDER BY 1")
        .bind(table)
        .fetch_all(&mut raw)
        .await
        .expect("lists")
}

#[tokio::test]
async fn days_get_their_partition_ahead_or_with_their_first_row_and_lose_it_when_nothing_in_it_is_kept() {
    let server = server().await;
    let (database, store) = fresh(&server).await;
    let (days, hours) = ("api_metrics", "api_metrics_1h");
    conformance::tend(&store, START).await;
    assert_eq!(
        partitions(&server, &database, days).await,
        ["api_metrics_p20231209", "api_metrics_p20231210"]
    );
    // A row of a day that nobody made room for, and one of a day long before it.
    store.commit(&rows(START, 3), &conformance::step(0, 1, START)).await.expect("commits");
    let ahead = START + 3 * DAY;
    store.commit(&rows(ahead, 3), &conformance::step(1, 2, ahead)).await.expect("commits");
    store.commit(&rows(START - 2 * DAY, 3), &conformance::step(2, 3, ahead)).await.expect("commits");
    let made = partitions(&server, &database, days).await;
    let expected = ["07", "09", "10", "12"].map(|day| format!("api_metrics_p202312{day}"));
    assert_eq!(made, expected);
    assert_eq!(total(&store, START - 2 * DAY, ahead + 10, 10).await, 9);
    // Six hours are kept of these rows; those of the last day are not all past it.
    conformance::tend(&store, ahead + 7 * 3_600).await;
    assert_eq!(
        partitions(&server, &database, days).await,
        ["api_metrics_p20231212", "api_metrics_p20231213"]
    );
    assert_eq!(total(&store, START - 2 * DAY, ahead + 10, 3_600).await, 9, "hours are kept for a week");
    let widest = partitions(&server, &database, hours).await;
    conformance::tend(&store, ahead + 30 * DAY).await;
    let left = partitions(&server, &database, hours).await;
    assert!(!left.iter().any(|partition| widest.contains(partition)), "{widest:?} {left:?}");
    assert_eq!(store.usage().await.expect("a usage").oldest, [None; 3]);
}

#[tokio::test]
async fn a_partition_that_was_dropped_by_hand_is_made_again() {
    let server = server().await;
    let (database, store) = fresh(&server).await;
    store.commit(&rows(START, 3), &conformance::step(0, 1, START)).await.expect("commits");
    server.execute(&database, "DROP TABLE api_metrics_p20231209").await.expect("dropped");
    let step = conformance::step(1, 2, START);
    store.commit(&rows(START, 4), &step).await.expect_err("there is no room");
    store.commit(&rows(START, 4), &step).await.expect("makes room and commits");
    assert_eq!(total(&store, START, START + 10, 10).await, 4);
}

/// The view and the tables are for people too.
#[tokio::test]
async fn history_is_read_by_name_in_sql_and_names_of_any_length_have_room() {
    let server = server().await;
    let (database, store) = fresh(&server).await;
    let mut rows = Rows::default();
    let long = format!("/{}", "결제".repeat(2_000));
    let counts = Counts { ok: 3, client_error: 2, server_error: 4, timeout: 1 };
    conformance::add(&mut rows, START, "web-1", &long, counts, 20.0);
    store.commit(&rows, &conformance::step(0, 1, START)).await.expect("commits");
    let mut raw = server.connect(&database).await.expect("connects");
    let (service, requests, errors): (String, i64, i64) = sqlx::query_as(
        "SELECT service, request_count, error_count FROM requests \
         WHERE endpoint = $1 AND resolution_s = 10 AND time = to_timestamp($2::bigint)",
    )
    .bind(&long)
    .bind(START)
    .fetch_one(&mut raw)
    .await
    .expect("one row");
    assert_eq!((service.as_str(), requests, errors), ("order-api", 10, 5));
    let usage = store.usage().await.expect("a usage");
    assert!(usage.bytes > 0 && usage.oldest[0] == Some(Second(START)), "{usage:?}");
}

#[tokio::test]
async fn a_row_that_cannot_be_understood_is_named_and_nothing_is_written_over_it() {
    let server = server().await;
    let (database, store) = fresh(&server).await;
    store.commit(&rows(START, 1), &conformance::step(0, 1, START)).await.expect("commits");
    server.execute(&database, "UPDATE api_metrics SET sketch = 'nonsense'").await.expect("damaged");
    let refused = store.commit(&rows(START, 1), &conformance::step(1, 2, START)).await.expect_err("damaged");
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
    assert!(refused.to_string().contains(&START.to_string()), "{refused}");
    server.execute(&database, "DROP TABLE api_metrics CASCADE").await.expect("dropped");
    let refused = store.commit(&rows(START, 1), &conformance::step(1, 2, START)).await.expect_err("missing");
    assert!(refused.chain().contains("tables are missing"), "{}", refused.chain());
}
