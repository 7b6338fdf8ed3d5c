//! A real server: who is let in, how the layout comes to be, and what becomes of calls when it or the link to
//! it goes away.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use goldentime_model::units::HumanDuration;
use goldentime_postgres::{Database, Error, Layout, PostgresConfig, Tls};
use goldentime_testkit::proxy::{Fault, Proxy};
use goldentime_testkit::servers::postgres::{PASSWORD, Postgres, USER};
use goldentime_testkit::wait;

const LAYOUT: Layout = Layout {
    part: "test",
    steps: &[
        "CREATE TABLE numbers (n bigint PRIMARY KEY)",
        "INSERT INTO numbers VALUES (1); ALTER TABLE numbers ADD COLUMN note text",
    ],
};

/// The longest that anything here may take.
const HANG_MAX: Duration = Duration::from_secs(120);

async fn server() -> (Postgres, PostgresConfig) {
    let server = Postgres::start().await.expect("PostgreSQL starts");
    let config = PostgresConfig {
        host: "127.0.0.1".into(),
        port: server.address().port(),
        database: server.create_database().await.expect("a database"),
        user: USER.into(),
        password_file: Some(server.password_file()),
        tls: Tls::Off,
        connections_max: 3,
        connect_timeout: HumanDuration::from_millis(500),
        call_timeout: HumanDuration::from_secs(1),
        ..PostgresConfig::default()
    };
    (server, config)
}

async fn insert(database: &Database, n: i64) -> Result<(), Error> {
    database
        .within(async {
            let mut on = database.write().await?;
            sqlx::query("INSERT INTO numbers VALUES ($1)").bind(n).execute(&mut *on).await?;
            on.commit().await
        })
        .await
}

async fn sum(database: &Database) -> Result<i64, Error> {
    let sum = async {
        let mut on = database.read().await?;
        let sum: i64 = sqlx::query_scalar("SELECT sum(n)::bigint FROM numbers").fetch_one(&mut *on).await?;
        on.commit().await?;
        Ok(sum)
    };
    database.within(sum).await
}

/// What the error says; never the password.
fn said<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.expect_err("refused");
    let said = format!("{error} {error:?}");
    assert!(!said.contains(PASSWORD) && !said.contains("wr0ng"), "{said}");
    said
}

#[tokio::test]
async fn who_may_not_enter_is_told_what_to_change_and_no_secret() {
    let (server, right) = server().await;
    let wrong = PostgresConfig {
        password_file: Some(server.wrong_password_file().expect("written")),
        ..right.clone()
    };
    let cases = [
        (wrong, "check `user` and `password_file`"),
        (PostgresConfig { password_file: None, ..right.clone() }, "check `user` and `password_file`"),
        (PostgresConfig { password_file: Some("/nowhere/password".into()), ..right.clone() }, "/nowhere"),
        (PostgresConfig { database: "nowhere".into(), ..right.clone() }, "create the database"),
        (PostgresConfig { port: 1, ..right.clone() }, "check `host` and `port`"),
    ];
    for (config, hint) in cases {
        let said = said(Database::new(config, LAYOUT).migrate().await);
        assert!(said.contains(hint), "{said}");
    }
    let owned = PostgresConfig { database: "postgres".into(), ..right.clone() };
    let said = said(Database::new(owned, LAYOUT).migrate().await);
    assert!(said.contains("give the user its rights"), "{said}");
    Database::new(right, LAYOUT).migrate().await.expect("may enter");
}

#[tokio::test]
async fn encryption_is_as_strict_as_it_is_configured() {
    let (server, plain) = server().await;
    let named = PostgresConfig { host: "localhost".into(), tls: Tls::Verify, ..plain.clone() };
    let known = PostgresConfig { ca_file: Some(server.authority()), ..named.clone() };
    let believing = PostgresConfig { tls: Tls::Encrypt, ..plain.clone() };
    for (config, is_encrypted) in [(known.clone(), true), (believing, true), (plain.clone(), false)] {
        let database = Database::new(config, LAYOUT);
        let mut on = database.session().await.expect("connects");
        let asked = sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
        assert_eq!(asked.fetch_one(&mut *on).await.ok(), Some(is_encrypted));
    }
    let elsewhere = PostgresConfig { host: "127.0.0.1".into(), ..known };
    let no_file = PostgresConfig { ca_file: Some(PathBuf::from("/nowhere/ca.crt")), ..named.clone() };
    for config in [named, elsewhere] {
        let said = said(Database::new(config, LAYOUT).migrate().await);
        assert!(said.contains("ca_file") && said.contains("certificate"), "{said}");
    }
    assert!(said(Database::new(no_file, LAYOUT).migrate().await).contains("No such file"));
}

#[tokio::test]
async fn any_number_of_centrals_bring_an_empty_database_to_its_layout_at_once() {
    let (_server, config) = server().await;
    let config = PostgresConfig { call_timeout: HumanDuration::from_secs(60), ..config };
    let all: Vec<_> = (0..8).map(|_| Arc::new(Database::new(config.clone(), LAYOUT))).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for database in &all {
        let database = Arc::clone(database);
        tasks.spawn(async move { database.migrate().await });
    }
    for migrated in tasks.join_all().await {
        migrated.expect("migrates, or waits until it is done");
    }
    assert_eq!(sum(&all[0]).await.expect("reads"), 1, "each step was taken once");
}

#[tokio::test]
async fn a_layout_is_brought_up_from_where_it_is_and_a_newer_one_is_refused() {
    let (server, config) = server().await;
    let old = Layout { steps: &LAYOUT.steps[..1], ..LAYOUT };
    Database::new(config.clone(), old).migrate().await.expect("migrates");
    let now = Database::new(config.clone(), LAYOUT);
    assert_eq!(sum(&now).await.expect("goes on"), 1);
    let refused = Database::new(config.clone(), old).migrate().await.expect_err("newer");
    assert!(matches!(refused, Error::Newer { part: "test", found: 2, known: 1 }), "{refused}");
    // Other tables in the same database are none of its business.
    let other = Layout { part: "other", steps: &["CREATE TABLE other (n bigint)"] };
    Database::new(config.clone(), other).migrate().await.expect("migrates");
    // A step that fails leaves nothing behind.
    let broken = Layout { part: "broken", steps: &["CREATE TABLE half (n bigint)", "SELECT nonsense"] };
    said(Database::new(config.clone(), broken).migrate().await);
    let mut raw = server.connect(&config.database).await.expect("connects");
    let half: bool = sqlx::query_scalar(
        "SELECT to_regclass('half') IS NOT NULL OR EXISTS (SELECT FROM layout WHERE part = 'broken')",
    )
    .fetch_one(&mut raw)
    .await
    .expect("reads");
    assert!(!half);
}

#[tokio::test]
async fn a_database_that_is_not_in_unicode_is_refused() {
    let (server, config) = server().await;
    server
        .execute(
            "postgres",
            &format!("CREATE DATABASE latin OWNER {USER} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"),
        )
        .await
        .expect("made");
    let said =
        said(Database::new(PostgresConfig { database: "latin".into(), ..config }, LAYOUT).migrate().await);
    assert!(said.contains("LATIN1") && said.contains("UTF8"), "{said}");
}

#[tokio::test]
async fn a_read_only_server_is_read_and_says_why_it_is_not_written() {
    let (server, config) = server().await;
    Database::new(config.clone(), LAYOUT).migrate().await.expect("migrates");
    let read_only =
        |on: &str| format!("ALTER DATABASE {} SET default_transaction_read_only = {on}", config.database);
    server.execute("postgres", &read_only("on")).await.expect("set");
    let database = Database::new(config.clone(), LAYOUT);
    assert_eq!(sum(&database).await.expect("reads"), 1);
    let said = said(insert(&database, 2).await);
    assert!(said.contains("the server is read-only"), "{said}");
    server.execute("postgres", &read_only("off")).await.expect("set");
    let again = Database::new(config.clone(), LAYOUT);
    insert(&again, 2).await.expect("writes");
}

#[tokio::test]
async fn calls_fail_in_time_over_a_link_that_is_cut_or_half_open_and_succeed_once_it_is_whole() {
    let (server, config) = server().await;
    let proxy = Proxy::tcp(server.address(), 1).await.expect("a proxy");
    let database = Database::new(PostgresConfig { port: proxy.address().port(), ..config }, LAYOUT);
    assert_eq!(sum(&database).await.expect("reads"), 1);
    for (n, fault) in [(10, Fault::Cut), (100, Fault::HalfOpen)] {
        proxy.link().set(fault);
        // More often than there are connections: none of them is lost for good.
        for _ in 0..5 {
            let refused = tokio::time::timeout(HANG_MAX, insert(&database, n)).await.expect("in time");
            said(refused);
        }
        proxy.link().set(Fault::None);
        wait::until("a write over the whole link", HANG_MAX, || async { insert(&database, n).await.ok() })
            .await
            .expect("writes");
    }
    assert_eq!(sum(&database).await.expect("reads"), 111);
}

/// A transaction of somebody who is gone without a word must not hold others up for ever.
#[tokio::test]
async fn what_a_silent_writer_has_locked_is_free_after_a_call_s_time() {
    let (_server, config) = server().await;
    let database = Database::new(config.clone(), LAYOUT);
    let mut silent = database.write().await.expect("begins");
    sqlx::raw_sql("UPDATE numbers SET note = 'mine'").execute(&mut *silent).await.expect("locks");
    let other = Database::new(config, LAYOUT);
    wait::until("the lock to be free", HANG_MAX, || async {
        let update = async {
            let mut on = other.write().await?;
            sqlx::raw_sql("UPDATE numbers SET note = 'ours'").execute(&mut *on).await?;
            on.commit().await
        };
        other.within(update).await.ok()
    })
    .await
    .expect("is free");
    assert!(silent.commit().await.is_err(), "it was ended");
}

#[tokio::test]
async fn calls_succeed_again_after_the_server_was_killed_and_restarted() {
    let (mut server, config) = server().await;
    let database = Database::new(config, LAYOUT);
    insert(&database, 2).await.expect("writes");
    server.kill9();
    said(insert(&database, 4).await);
    server.restart().await.expect("starts again");
    insert(&database, 4).await.expect("writes");
    assert_eq!(sum(&database).await.expect("reads"), 7);
}

#[tokio::test]
async fn a_call_that_finds_all_connections_in_use_says_so() {
    let (_server, config) = server().await;
    let database = Database::new(PostgresConfig { connections_max: 2, ..config }, LAYOUT);
    let (one, two) = (database.session().await.expect("one"), database.session().await.expect("two"));
    let refused = database.session().await.map(|_| ());
    assert!(said(refused).contains("connections_max"));
    one.release();
    drop(two);
    let (_one, _two) = (database.session().await.expect("one"), database.session().await.expect("two"));
}
