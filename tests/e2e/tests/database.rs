//! History, accounts and alerts in a PostgreSQL outside, which may be away: pages and counts do not wait.

use anyhow::{Result, ensure};
use goldentime_e2e::ask::{PATIENCE, all_ship, central_command, central_until};
use goldentime_e2e::counts::assert_exact;
use goldentime_e2e::history::{is_waiting, is_writing, store_in};
use goldentime_e2e::world::{BAD, FINE, World, restart};
use goldentime_e2e::{pages, rules};
use goldentime_testkit::engines::postgres;
use goldentime_testkit::http_client;
use goldentime_testkit::programs::CentralConfig;
use goldentime_testkit::receivers::WebhookReceiver;
use goldentime_testkit::servers::postgres::Postgres;
use goldentime_testkit::wait;
use serde_json::Value;

/// Has the central keep what a database may keep there.
fn keep_in(config: &mut CentralConfig, server: &Postgres, database: &str) {
    config.extra_yaml.push_str(&format!("cluster:\n{}", postgres(server, database)));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_counts_outlive_kills_of_the_database_and_of_the_central() -> Result<()> {
    let mut server = Postgres::start().await?;
    let database = server.create_database().await?;
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, FINE).await?;
    let mut config = world.central(Some(&hook.url()))?;
    keep_in(&mut config, &server, &database);
    rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
    let central = config.start().await?;
    let _agents = world.start_agents(&central)?;
    let steady = world.steady(200.0);
    central_until(&central, "/api/v1/status", "the first rows", is_writing).await?;

    let central = restart(central.kill9()).await?;
    central_until(&central, "/api/v1/status", "rows of the second run", is_writing).await?;

    server.kill9();
    let status = central_until(&central, "/api/v1/status", "the reader to wait", is_waiting).await?;
    let error = store_in(&status)["last_error"].as_str().unwrap_or_default();
    assert!(error.contains("PostgreSQL") && error.contains("localhost"), "{error}");
    world.change(0, BAD, BAD)?;
    let page = pages::until(&hook, "the page", |page| page.name == "errors" && page.is_firing).await?;
    assert_eq!(central.get("/readyz").await?["ready"], true);

    // Neither what fires nor what was counted is lost when both come back.
    let config = central.kill9();
    server.restart().await?;
    let central = restart(config).await?;
    central_until(&central, "/api/v1/status", "rows after the outage", is_writing).await?;
    world.change(0, FINE, FINE)?;
    pages::until(&hook, "the resolve", |other| other.name == page.name && !other.is_firing).await?;
    drop(steady);
    assert_exact(&world, &central).await?;

    let named = |alerts: &Value| alerts.to_string().contains("\"errors\"");
    central_until(&central, "/api/v1/alerts/history", "the alert's history", named).await?;
    for file in ["series.db", "catalogue.db"] {
        ensure!(!central.config.folder.join("state").join(file).exists(), "{file} was made all the same");
    }
    central.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_central_starts_and_pages_without_its_database_and_brings_history_home_later() -> Result<()> {
    let mut server = Postgres::start().await?;
    let database = server.create_database().await?;
    let hook = WebhookReceiver::start().await?;
    let world = World::start(1, FINE).await?;
    let mut config = world.central(Some(&hook.url()))?;
    keep_in(&mut config, &server, &database);
    rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
    let central = config.start().await?;
    let agents = world.start_agents(&central)?;
    let steady = world.steady(100.0);
    all_ship(&central, &agents).await?;
    let known = central.config.folder.join("state/known-agents.json");
    wait::until("the agent to be remembered", PATIENCE, async || known.exists().then_some(())).await?;

    // Whom the central knew is let in although nobody can be asked.
    let config = central.kill9();
    server.kill9();
    let central = restart(config).await?;
    world.change(0, BAD, BAD)?;
    let page = pages::until(&hook, "the page", |page| page.name == "errors" && page.is_firing).await?;
    assert_eq!(central.get("/readyz").await?["ready"], true);
    let told = http_client().get(format!("{}/api/v1/status", central.url())).send().await?;
    assert_eq!(told.status(), 503, "whether there are accounts is not known: nobody is let in");

    // What only this central knows of the alert outlasts its kill and its end.
    let central = restart(central.kill9()).await?;
    world.change(0, FINE, FINE)?;
    pages::until(&hook, "the resolve", |other| other.episode == page.episode && !other.is_firing).await?;
    let central = restart(central.stop().await?).await?;
    let unwritten = central.config.folder.join("state/unwritten-alerts.jsonl");
    ensure!(unwritten.exists(), "nothing waits for the database");

    server.restart().await?;
    central_until(&central, "/api/v1/status", "the first rows", is_writing).await?;
    drop(steady);
    assert_exact(&world, &central).await?;
    wait::until("what waited to be written", PATIENCE, async || (!unwritten.exists()).then_some(())).await?;
    let history = central.get("/api/v1/alerts/history").await?.to_string();
    assert!(history.contains(&page.episode) && history.contains("\"resolved\""), "{history}");
    let told = pages::all(&hook).into_iter().filter(|told| told.name == "errors").count();
    assert_eq!(told, 2, "one page and its end: {:#?}", pages::all(&hook));
    central.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_finds_accounts_where_the_central_keeps_them() -> Result<()> {
    let server = Postgres::start().await?;
    let database = server.create_database().await?;
    let folder = tempfile::tempdir()?;
    let mut config = CentralConfig::new(folder.path(), None)?;
    keep_in(&mut config, &server, &database);
    let central = config.start().await?;
    let file = central.config.file();
    assert!(central_command(&["migrate"], &file)?.contains(&database));
    let secret = central_command(&["api-token", "create", "--name", "scripts", "--role", "viewer"], &file)?;
    assert!(central_command(&["api-token", "list"], &file)?.contains("scripts"));
    assert!(!secret.trim().is_empty());
    assert!(central_command(&["account", "list"], &file)?.starts_with("name"));
    let backup = folder.path().join("backup");
    let said = central_command(&["backup", backup.to_str().unwrap_or_default()], &file)?;
    assert!(said.contains("pg_dump"), "{said}");
    central.stop().await?;
    Ok(())
}
