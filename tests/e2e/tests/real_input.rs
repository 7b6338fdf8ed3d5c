//! Real nginx under load: what the central counts equals nginx's own log, whatever is killed or cut.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use goldentime_e2e::ask::{PATIENCE, agent_until, all_ship, further};
use goldentime_e2e::counts::assert_exact;
use goldentime_e2e::fault::Dice;
use goldentime_e2e::is_full;
use goldentime_e2e::world::{HEALTHY, World, restart};
use goldentime_testkit::ports::loopback;
use goldentime_testkit::proxy::{Fault, Proxy};
use goldentime_testkit::wait;
use serde_json::Value;

/// Requests under load: enough that percentiles say something, and more than fit in one record.
const REQUESTS: usize = 10_000;

/// Lines that stand in a log now.
fn lines(log: &Path) -> usize {
    std::fs::read(log).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
}

/// Kills at random instants, in the short and in the long form.
fn kills() -> usize {
    if is_full() { 20 } else { 3 }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_and_percentiles_under_load_equal_the_log_of_nginx() -> Result<()> {
    let world = World::start(3, HEALTHY).await?;
    let central = world.central(None)?.start().await?;
    let agents = world.start_agents(&central)?;
    let steady = world.steady(150.0);
    let wrk = world.wrk(0, 8, PATIENCE)?;
    let many = || async { (lines(&world.hosts[0].log) > REQUESTS).then_some(()) };
    wait::until("many requests", PATIENCE, many).await?;
    drop((wrk, steady));
    assert_exact(&world, &central).await?;
    for agent in agents {
        agent.stop().await?;
    }
    central.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_again_and_again_counts_every_request_once() -> Result<()> {
    let world = World::start(1, HEALTHY).await?;
    let central = world.central(None)?.start().await?;
    let mut agents = world.start_agents(&central)?;
    let mut dice = Dice::roll("killed agent");
    let steady = world.steady(300.0);
    for _ in 0..kills() {
        all_ship(&central, &agents).await?;
        tokio::time::sleep(dice.between(Duration::from_millis(200), Duration::from_millis(2500))).await;
        let config = agents.remove(0).kill9();
        agents.push(config.start()?);
    }
    all_ship(&central, &agents).await?;
    drop(steady);
    assert_exact(&world, &central).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_central_that_is_killed_again_and_again_counts_every_request_once() -> Result<()> {
    let world = World::start(2, HEALTHY).await?;
    let mut central = world.central(None)?.start().await?;
    let agents = world.start_agents(&central)?;
    let mut dice = Dice::roll("killed central");
    let steady = world.steady(300.0);
    for _ in 0..kills() {
        all_ship(&central, &agents).await?;
        tokio::time::sleep(dice.between(Duration::from_millis(200), Duration::from_millis(2500))).await;
        central = restart(central.kill9()).await?;
    }
    all_ship(&central, &agents).await?;
    drop(steady);
    assert_exact(&world, &central).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_killed_at_once_count_every_request_once() -> Result<()> {
    let world = World::start(1, HEALTHY).await?;
    let mut central = world.central(None)?.start().await?;
    let mut agents = world.start_agents(&central)?;
    let mut dice = Dice::roll("both killed");
    let steady = world.steady(300.0);
    for _ in 0..kills() {
        all_ship(&central, &agents).await?;
        tokio::time::sleep(dice.between(Duration::from_millis(200), Duration::from_millis(2500))).await;
        let (agent, killed) = (agents.remove(0).kill9(), central.kill9());
        agents.push(agent.start()?);
        central = restart(killed).await?;
    }
    all_ship(&central, &agents).await?;
    drop(steady);
    assert_exact(&world, &central).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_cut_for_a_while_loses_nothing() -> Result<()> {
    let world = World::start(1, HEALTHY).await?;
    let central = world.central(None)?.start().await?;
    let proxy = Proxy::udp(loopback(central.config.agents_port), 1).await?;
    let token = central.join_token("default")?;
    let agent = world.agent(0, &proxy.address().to_string(), &token)?.start()?;
    let steady = world.steady(200.0);
    further(&agent).await?;
    proxy.link().set(Fault::Cut);
    agent_until(&agent, "the cut to be noticed", |status| status["uplink"]["phase"] == "connecting").await?;
    tokio::time::sleep(Duration::from_secs(if is_full() { 30 } else { 5 })).await;
    proxy.link().set(Fault::None);
    further(&agent).await?;
    drop(steady);
    assert_exact(&world, &central).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_rotated_under_load_loses_no_line() -> Result<()> {
    let world = World::start(1, HEALTHY).await?;
    let central = world.central(None)?.start().await?;
    let agents = world.start_agents(&central)?;
    let steady = world.steady(400.0);
    let log = &world.hosts[0].log;
    let mut rotated = 0;
    for number in 1..=3 {
        // What is renamed before the agent knows it is none of its files.
        let is_read = |status: &Value| status["inputs"][0]["status"]["lines"].as_u64() > Some(rotated);
        agent_until(&agents[0], "the agent to read it", is_read).await?;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let old = format!("{}.{number}", log.display());
        std::fs::rename(log, &old)?;
        world.nginx.reopen_logs()?;
        wait::until("nginx to open it anew", PATIENCE, || async { (lines(log) > 0).then_some(()) }).await?;
        rotated += lines(Path::new(&old)) as u64;
    }
    drop(steady);
    assert_exact(&world, &central).await?;
    Ok(())
}
