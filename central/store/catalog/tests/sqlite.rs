//! The SQLite backend: the suite, and what is its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use goldentime_catalog::{
    AccessStore, AgentRegistry, Catalogue, CatalogueError, Claim, PageKey, PageKind, SqliteCatalogue,
    SqliteRegistry, access, conformance, desk, registry,
};
use goldentime_model::{Second, UnixNanos};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

fn claim() -> Claim {
    Claim {
        pages: vec![PageKey { episode: "e".into(), kind: PageKind::Fired }],
        channel: "ops".into(),
        owner: "me".into(),
        now: UnixNanos(0),
        lease_until: Second(30).start(),
    }
}

#[tokio::test]
async fn the_backend_passes_the_suite() {
    let dir = tempfile::tempdir().expect("a directory");
    let files = AtomicU32::new(0);
    conformance::run(|| {
        let path = dir.path().join(format!("{}.db", files.fetch_add(1, Ordering::Relaxed)));
        async move { Arc::new(SqliteCatalogue::open(&path).await.expect("opens")) as Arc<dyn Catalogue> }
    })
    .await;
}

#[tokio::test]
async fn the_backend_passes_the_suite_of_the_desk() {
    let dir = tempfile::tempdir().expect("a directory");
    let files = AtomicU32::new(0);
    desk::conformance::run(|| {
        let path = dir.path().join(format!("{}.db", files.fetch_add(1, Ordering::Relaxed)));
        async move {
            let opened = Arc::new(SqliteCatalogue::open(&path).await.expect("opens"));
            desk::conformance::Both { catalogue: Arc::clone(&opened) as _, desk: opened }
        }
    })
    .await;
}

#[tokio::test]
async fn the_backend_passes_the_suite_of_access() {
    let dir = tempfile::tempdir().expect("a directory");
    let files = AtomicU32::new(0);
    access::conformance::run(|| {
        let path = dir.path().join(format!("{}.db", files.fetch_add(1, Ordering::Relaxed)));
        async move { Arc::new(SqliteCatalogue::open(&path).await.expect("opens")) as Arc<dyn AccessStore> }
    })
    .await;
}

#[tokio::test]
async fn the_backend_passes_the_suite_of_the_registry() {
    let dir = tempfile::tempdir().expect("a directory");
    let files = AtomicU32::new(0);
    registry::conformance::run(|| {
        let path = dir.path().join(format!("{}.db", files.fetch_add(1, Ordering::Relaxed)));
        async move { Arc::new(SqliteRegistry::open(&path).await.expect("opens")) as Arc<dyn AgentRegistry> }
    })
    .await;
}

#[tokio::test]
async fn a_registry_of_the_first_version_is_brought_up_to_date() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("agents.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&options).await.expect("opens");
    let layout = "CREATE TABLE tokens (secret_hash BLOB PRIMARY KEY, project TEXT NOT NULL, \
        created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER) WITHOUT ROWID; \
        CREATE TABLE agents (certificate_hash BLOB PRIMARY KEY, agent TEXT NOT NULL UNIQUE, \
        project TEXT NOT NULL, host TEXT NOT NULL, environment TEXT NOT NULL DEFAULT 'default', \
        enrolled_at INTEGER NOT NULL, last_seen INTEGER NOT NULL, has_left INTEGER NOT NULL DEFAULT 0, \
        revoked_at INTEGER) WITHOUT ROWID; \
        INSERT INTO tokens VALUES (zeroblob(32), 'shop', 1, NULL, NULL); \
        INSERT INTO agents VALUES (zeroblob(32), 'a1', 'shop', 'web-1', 'prod', 1, 2, 0, NULL); \
        PRAGMA user_version = 1";
    sqlx::raw_sql(layout).execute(&mut old).await.expect("made");
    old.close().await.expect("closes");
    let registry = SqliteRegistry::open(&path).await.expect("brought up to date");
    let (tokens, agents) = registry.everything().await.expect("reads");
    assert_eq!((tokens[0].project.as_str(), tokens[0].uses, tokens[0].uses_max), ("shop", 0, None));
    assert_eq!((agents[0].agent.as_str(), agents[0].environment.as_str()), ("a1", "prod"));
    registry.close().await;
    let mut newer = connect(&path).await;
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut newer).await.expect("written");
    newer.close().await.expect("closes");
    let refused = SqliteRegistry::open(&path).await.expect_err("newer").to_string();
    assert!(refused.contains("layout 99") && refused.contains("upgrade"), "{refused}");
}

/// The command line and the running central are two processes with one file.
#[tokio::test]
async fn what_one_process_ends_is_ended_for_the_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("catalogue.db");
    let running = SqliteCatalogue::open(&path).await.expect("opens");
    let command = SqliteCatalogue::open(&path).await.expect("opens beside it");
    let secret = access::SecretHash([1; 32]);
    let token = access::ApiToken {
        secret,
        name: "scraper".into(),
        role: access::Role::Viewer,
        created_by: "kim".into(),
        created_at: UnixNanos(1),
        expires_at: None,
        used_at: None,
        revoked_at: None,
    };
    command.add_api_token(token).await.expect("keeps");
    assert!(running.api_token(secret).await.expect("reads").is_some());
    assert!(command.revoke_api_token(&secret.id(), UnixNanos(2)).await.expect("revokes"));
    let seen = running.api_token(secret).await.expect("reads").expect("there");
    assert_eq!(seen.revoked_at, Some(UnixNanos(2)));
}

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("catalogue.db");
    let first = SqliteCatalogue::open(&path).await.expect("opens");
    assert_eq!(first.claim(claim()).await.expect("claims").given.len(), 1);
    first.close().await;
    let second = SqliteCatalogue::open(&path).await.expect("opens again");
    let other = Claim { owner: "another".into(), ..claim() };
    assert_eq!(second.claim(other).await.expect("claims").given, []);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("catalogue.db");
    SqliteCatalogue::open(&path).await.expect("opens").close().await;
    let mut raw = connect(&path).await;
    sqlx::query("INSERT INTO layout (version) VALUES (99)").execute(&mut raw).await.expect("writes");
    raw.close().await.expect("closes");
    let refused = SqliteCatalogue::open(&path).await.expect_err("newer");
    assert!(matches!(refused, CatalogueError::Newer { found: 99, .. }), "{refused}");
    assert!(refused.to_string().contains("upgrade"));
}

/// A caller that gives up on a locked file must not leave a transaction behind that blocks the next.
#[tokio::test]
async fn a_claim_given_up_while_the_file_is_locked_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("catalogue.db");
    let catalogue = SqliteCatalogue::open(&path).await.expect("opens");
    let mut raw = connect(&path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut raw).await.expect("locks");
    for _ in 0..3 {
        assert!(tokio::time::timeout(Duration::from_millis(50), catalogue.claim(claim())).await.is_err());
    }
    sqlx::query("COMMIT").execute(&mut raw).await.expect("unlocks");
    assert_eq!(catalogue.claim(claim()).await.expect("claims").given.len(), 1);
}

async fn connect(path: &std::path::Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.expect("connects")
}
