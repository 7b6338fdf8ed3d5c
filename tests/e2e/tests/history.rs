//! History through the real programs: whatever becomes of its store, pages and counts do not wait.

use anyhow::Result;
use goldentime_e2e::ask::{acknowledged, agent_status, agent_until, central_until};
use goldentime_e2e::counts::assert_exact;
use goldentime_e2e::history::{is_waiting, is_writing, store_in};
use goldentime_e2e::world::{BAD, FINE, World};
use goldentime_e2e::{pages, rules};
use goldentime_testkit::blocked::{Blocked, series_of};
use goldentime_testkit::receivers::WebhookReceiver;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_store_delays_neither_pages_nor_acknowledgements_and_then_catches_up() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, FINE).await?;
    let config = world.central(Some(&hook.url()))?;
    rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
    let central = config.start().await?;
    let agents = world.start_agents(&central)?;
    let steady = world.steady(200.0);
    let writes = |status: &Value| store_in(status)["rows"].as_u64() > Some(0);
    central_until(&central, "/api/v1/status", "the first rows", writes).await?;

    let blocked = Blocked::lock(&series_of(&central.config)).await?;
    let status = central_until(&central, "/api/v1/status", "the reader to wait", is_waiting).await?;
    let error = store_in(&status)["last_error"].as_str().unwrap_or_default();
    assert!(error.contains("series.db") && error.contains("locked"), "{error}");
    world.change(0, BAD, BAD)?;
    // All of this comes about while the lock is held.
    pages::until(&hook, "the page", |page| page.name == "errors" && page.is_firing).await?;
    let before = acknowledged(&agent_status(&agents[0])?);
    agent_until(&agents[0], "further acknowledgements", |status| acknowledged(status) > before + 5).await?;
    assert!(is_waiting(&central.get("/api/v1/status").await?));
    assert_eq!(central.get("/readyz").await?["ready"], true);

    blocked.release().await?;
    drop(steady);
    assert_exact(&world, &central).await?;
    // Other partitions have readers of their own, each of which pauses before it tries again.
    let is_ok = |status: &Value| store_in(status)["state"] == "ok";
    let status = central_until(&central, "/api/v1/status", "every reader to go on", is_ok).await?;
    assert_eq!(store_in(&status)["lost"], 0, "{status}");
    central.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_keeps_no_central_from_paging_and_is_filled_again_from_the_log() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(1, BAD).await?;
    let config = world.central(Some(&hook.url()))?;
    rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
    let path = series_of(&config);
    std::fs::create_dir_all(path.parent().expect("a file stands in a folder"))?;
    std::fs::write(&path, vec![b'x'; 8192])?;
    let central = config.start().await?;
    let _agents = world.start_agents(&central)?;
    let steady = world.steady(100.0);
    pages::until(&hook, "the page", |page| page.name == "errors" && page.is_firing).await?;
    let status = central_until(&central, "/api/v1/status", "the reader to wait", is_waiting).await?;
    let error = store_in(&status)["last_error"].as_str().unwrap_or_default();
    assert!(error.contains("move it away"), "{error}");

    std::fs::rename(&path, path.with_extension("damaged"))?;
    central_until(&central, "/api/v1/status", "the store to be filled again", is_writing).await?;
    drop(steady);
    assert_exact(&world, &central).await?;
    Ok(())
}
