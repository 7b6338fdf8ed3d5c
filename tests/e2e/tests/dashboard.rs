//! The dashboard in a real browser, as the central serves it, over what a real nginx and agent send.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_e2e::world::World;
use goldentime_testkit::process::{Program, find};
use goldentime_testkit::programs::Central;

/// The rule: at most 5% of the requests of any service may fail over ten seconds.
const RULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/shop/slo/shop.yaml");
/// Where `npm run smoke` is.
const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../central/dashboard");
/// How long the browser may take for all steps, on a busy machine.
const SMOKE_MAX: Duration = Duration::from_secs(180);

const CALM: &str = "location / { return 200 'fine'; }";
const BROKEN: &str = "location / { return 503; }";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_in_a_browser_while_all_is_calm_and_when_a_service_breaks() -> Result<()> {
    let world = World::start(1, CALM).await?;
    let config = world.central(None)?;
    std::fs::copy(RULE, config.slo_dir.join("errors.yaml")).context(RULE)?;
    let central = config.start().await?;
    let token = central.join_token("default")?;
    let mut agent = world.agent(0, &format!("127.0.0.1:{}", central.config.agents_port), &token)?;
    agent.inputs_yaml.push_str("  host: {}\n");
    let _agent = agent.start()?;
    let _steady = world.steady(50.0);

    smoke(&central, world.folder(), "ok").await?;
    world.change(0, CALM, BROKEN)?;
    smoke(&central, world.folder(), "critical").await
}

/// Runs the browser until the wall has shown a service in `state` and all its steps are through.
async fn smoke(central: &Central, folder: &Path, state: &str) -> Result<()> {
    let url = format!("{}/", central.url());
    let mut browser = Program::new(&format!("smoke-{state}"), find("npm")?, folder)
        .args(["--prefix", DASHBOARD, "run", "--silent", "smoke", "--", &url, state])
        .start()?;
    let status = browser.ended(SMOKE_MAX).await?;
    let hint = "(is the dashboard in the central? `make dashboard`, then build the central)";
    ensure!(status.success(), "the browser found faults {hint}:\n{}", browser.output());
    Ok(())
}
