//! The PostgreSQL backend: the suites, and what is its own.

use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::{
    AccessStore, AgentRegistry, Catalogue, CatalogueError, Claim, PageKey, PageKind, PostgresCatalogue,
    SecretHash, access, conformance, desk, registry,
};
use goldentime_model::units::HumanDuration;
use goldentime_model::{Second, UnixNanos};
use goldentime_postgres::{PostgresConfig, Tls};
use goldentime_testkit::proxy::{Fault, Proxy};
use goldentime_testkit::servers::postgres::{PASSWORD, Postgres, USER};

/// The longest that anything here may take.
const HANG_MAX: Duration = Duration::from_secs(120);

async fn server() -> Postgres {
    Postgres::start().await.expect("PostgreSQL starts")
}

fn config(server: &Postgres, database: &str) -> PostgresConfig {
    PostgresConfig {
        host: "127.0.0.1".into(),
        port: server.address().port(),
        database: database.into(),
        user: USER.into(),
        password_file: Some(server.password_file()),
        tls: Tls::Off,
        connect_timeout: HumanDuration::from_secs(2),
        call_timeout: HumanDuration::from_secs(20),
        ..PostgresConfig::default()
    }
}

async fn fresh(server: &Postgres) -> PostgresCatalogue {
    let database = server.create_database().await.expect("a database");
    PostgresCatalogue::new(config(server, &database))
}

fn claim(owner: &str) -> Claim {
    Claim {
        pages: vec![PageKey { episode: "e".into(), kind: PageKind::Fired }],
        channel: "ops".into(),
        owner: owner.into(),
        now: UnixNanos(0),
        lease_until: Second(30).start(),
    }
}

#[tokio::test]
async fn the_backend_passes_the_suites() {
    let server = server().await;
    conformance::run(|| async { Arc::new(fresh(&server).await) as Arc<dyn Catalogue> }).await;
    access::conformance::run(|| async { Arc::new(fresh(&server).await) as Arc<dyn AccessStore> }).await;
    registry::conformance::run(|| async { Arc::new(fresh(&server).await) as Arc<dyn AgentRegistry> }).await;
    desk::conformance::run(|| async {
        let opened = Arc::new(fresh(&server).await);
        desk::conformance::Both { catalogue: Arc::clone(&opened) as _, desk: opened }
    })
    .await;
}

#[tokio::test]
async fn a_token_lets_in_as_many_agents_as_it_may_over_all_centrals_together() {
    const USES: u32 = 5;
    let server = server().await;
    let database = server.create_database().await.expect("a database");
    let centrals = [(); 4].map(|()| PostgresCatalogue::new(config(&server, &database)));
    let secret = SecretHash([7; 32]);
    let token = registry::TokenInfo {
        secret,
        project: "shop".into(),
        created_at: UnixNanos(1),
        expires_at: None,
        revoked_at: None,
        uses: 0,
        uses_max: Some(USES),
    };
    centrals[0].add_token(token).await.expect("keeps");
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20_u8 {
        let central = centrals[usize::from(n) % centrals.len()].clone();
        let agent = registry::Enrolment {
            certificate: registry::Fingerprint([n; 32]),
            agent: format!("agent-{n}"),
            project: "shop".into(),
            host: "web-1".into(),
        };
        tasks.spawn(async move { central.enrol(secret, agent, UnixNanos(2)).await.expect("answers") });
    }
    let let_in = tasks.join_all().await.into_iter().filter(|is_in| *is_in).count();
    assert_eq!(let_in, USES as usize);
    assert_eq!(centrals[1].agents().await.expect("lists").len(), USES as usize);
    let token = centrals[2].token(secret).await.expect("reads").expect("there");
    assert_eq!(token.uses, USES);
}

#[tokio::test]
async fn of_two_centrals_that_import_at_once_one_is_taken_whole() {
    let server = server().await;
    let database = server.create_database().await.expect("a database");
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..2_u8 {
        let central = PostgresCatalogue::new(config(&server, &database));
        let agents = (0..1500_u32).map(|i| enrolled(n, i)).collect();
        tasks.spawn(async move { central.import(Vec::new(), agents).await.expect("answers") });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|taken| *taken).count(), 1);
    let agents = PostgresCatalogue::new(config(&server, &database)).agents().await.expect("lists");
    assert_eq!(agents.len(), 1500);
    assert!(agents.iter().all(|agent| agent.project == agents[0].project), "from one of them alone");
}

fn enrolled(project: u8, number: u32) -> registry::Enrolled {
    let mut certificate = [project; 32];
    certificate[..4].copy_from_slice(&number.to_be_bytes());
    registry::Enrolled {
        certificate: registry::Fingerprint(certificate),
        agent: format!("{project}-{number}"),
        project: format!("project-{project}"),
        host: "web-1".into(),
        environment: "default".into(),
        enrolled_at: UnixNanos(1),
        last_seen: UnixNanos(1),
        has_left: false,
        revoked_at: None,
    }
}

#[tokio::test]
async fn two_centrals_share_a_catalogue_from_their_first_call_on() {
    let server = server().await;
    let database = server.create_database().await.expect("a database");
    let centrals = [(); 4].map(|()| PostgresCatalogue::new(config(&server, &database)));
    let mut tasks = tokio::task::JoinSet::new();
    for (n, central) in centrals.iter().cloned().enumerate() {
        tasks.spawn(async move {
            central.claim(claim(&format!("central-{n}"))).await.expect("claims").given.len()
        });
    }
    assert_eq!(tasks.join_all().await.iter().sum::<usize>(), 1, "one of them sends the page");
}

#[tokio::test]
async fn what_a_killed_server_had_answered_is_there_when_it_runs_again() {
    let mut server = server().await;
    let catalogue = fresh(&server).await;
    assert_eq!(catalogue.claim(claim("me")).await.expect("claims").given.len(), 1);
    server.kill9();
    let refused = catalogue.claim(claim("other")).await.expect_err("away");
    assert!(matches!(refused, CatalogueError::Unavailable { .. }), "{refused}");
    server.restart().await.expect("starts again");
    assert_eq!(catalogue.claim(claim("other")).await.expect("claims").given, []);
    assert_eq!(catalogue.claim(claim("me")).await.expect("claims").given.len(), 1);
}

/// A page waits 100 ms for its claim and is then sent all the same: calls that are given up must not use up
/// the connections.
#[tokio::test]
async fn claims_given_up_over_a_half_open_link_leave_nothing_behind() {
    let server = server().await;
    let database = server.create_database().await.expect("a database");
    let proxy = Proxy::tcp(server.address(), 1).await.expect("a proxy");
    let config =
        PostgresConfig { port: proxy.address().port(), connections_max: 2, ..config(&server, &database) };
    let catalogue = PostgresCatalogue::new(config);
    catalogue.migrate().await.expect("migrates");
    proxy.link().set(Fault::HalfOpen);
    for _ in 0..10 {
        let given_up = tokio::time::timeout(Duration::from_millis(20), catalogue.claim(claim("me"))).await;
        assert!(given_up.is_err());
    }
    proxy.link().set(Fault::None);
    let claimed = tokio::time::timeout(HANG_MAX, catalogue.claim(claim("me"))).await.expect("in time");
    assert_eq!(claimed.expect("claims").given.len(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_said_with_the_place_and_without_the_password() {
    let server = server().await;
    let database = server.create_database().await.expect("a database");
    let wrong = server.wrong_password_file().expect("written");
    let config = PostgresConfig { password_file: Some(wrong), ..config(&server, &database) };
    let refused = PostgresCatalogue::new(config).has_accounts().await.expect_err("refused");
    let source = std::error::Error::source(&refused).expect("a reason").to_string();
    assert!(source.contains(&database) && source.contains("password_file"), "{source}");
    let all = format!("{refused} {refused:?} {source}");
    assert!(!all.contains(PASSWORD) && !all.contains("wr0ng"), "{all}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_with_the_way_out() {
    let server = server().await;
    let database = server.create_database().await.expect("a database");
    PostgresCatalogue::new(config(&server, &database)).migrate().await.expect("migrates");
    server.execute(&database, "INSERT INTO layout VALUES ('catalogue', 99)").await.expect("written");
    let refused = PostgresCatalogue::new(config(&server, &database)).has_accounts().await.expect_err("newer");
    assert!(matches!(refused, CatalogueError::Newer { found: 99, .. }), "{refused}");
    assert!(refused.to_string().contains("upgrade"), "{refused}");
}

/// Names come from whoever knocks, with characters that the database cannot keep.
#[tokio::test]
async fn a_name_that_the_database_cannot_keep_is_nobody_s() {
    let server = server().await;
    let catalogue = fresh(&server).await;
    assert_eq!(catalogue.account("k\0im").await.expect("answers"), None);
    assert!(!catalogue.revoke_api_token("\0", UnixNanos(1)).await.expect("answers"));
}

/// What people set up on the dashboard has its tables.
#[tokio::test]
async fn the_tables_of_configuration_hold_what_fits_together_only() {
    let server = server().await;
    let database = server.create_database().await.expect("a database");
    PostgresCatalogue::new(config(&server, &database)).migrate().await.expect("migrates");
    for sql in [
        "INSERT INTO projects VALUES ('shop', 'Shop', 1)",
        "INSERT INTO slo_configs VALUES ('shop', 'checkout', 'apiVersion: openslo/v1', 'kim', 1)",
        "INSERT INTO alert_rules VALUES ('shop', 'slow', true, 'apiVersion: openslo/v1', 'kim', 1)",
        "INSERT INTO alert_channels VALUES ('ops', 'slack', true, '{}', 'kim', 1)",
        "INSERT INTO silences VALUES ('s1', '[]', 1, 2, 'kim', 'deploy', 1)",
    ] {
        server.execute(&database, sql).await.expect(sql);
    }
    for sql in [
        "INSERT INTO slo_configs VALUES ('nowhere', 'checkout', '', 'kim', 1)",
        "INSERT INTO alert_channels VALUES ('pigeons', 'pigeon', true, '{}', 'kim', 1)",
        "INSERT INTO silences VALUES ('s2', '[]', 2, 1, 'kim', 'backwards', 1)",
    ] {
        server.execute(&database, sql).await.expect_err(sql);
    }
}
