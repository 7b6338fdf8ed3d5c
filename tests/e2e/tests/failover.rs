//! Agents that know several centrals: one of them dies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_e2e::ask::{agent_status, agent_until, central_until, further, is_connected_to};
use goldentime_e2e::counts::assert_exact;
use goldentime_e2e::world::{BAD, FINE, World, restart};
use goldentime_e2e::{pages, rules};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::programs::{Agent, Central};
use goldentime_testkit::receivers::WebhookReceiver;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Waits until an agent ships to this central.
async fn ships_to(agent: &Agent, central: &Central) -> Result<()> {
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    agent_until(agent, "the agent to be connected", |status| is_connected_to(status, &address)).await?;
    further(agent).await
}

/// Two centrals with one authority, and a rule on errors.
async fn both_centrals(world: &World, engines: &Engines, hook: &WebhookReceiver) -> Result<Vec<Central>> {
    let mut centrals = Vec::new();
    for config in world.two_centrals(engines, hook)? {
        rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
        centrals.push(config.start().await?);
    }
    Ok(centrals)
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_of_a_central_that_is_killed_go_on_with_another_and_nothing_is_counted_twice() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, FINE).await?;
    let mut engines = Engines::start(world.folder(), 1).await?;
    let mut centrals = both_centrals(&world, &engines, &hook).await?;
    let addresses: Vec<String> =
        centrals.iter().map(|central| format!("127.0.0.1:{}", central.config.agents_port)).collect();
    // A token of one is used at the other: the second is away, and is known by its address all the same.
    let token = centrals[0].join_token("default")?;
    let second = centrals.pop().context("two were started")?;
    let mut agents = Vec::new();
    for (host, address) in [(0, &addresses[1]), (1, &addresses[1])] {
        let mut config = world.agent(host, address, &token)?;
        let agent = config.clone().start()?;
        ships_to(&agent, &second).await?;
        // Each goes on with the addresses of both.
        agent.stop().await?;
        config.other_centrals = vec![addresses[0].clone()];
        agents.push(config.start()?);
    }
    let steady = world.steady(200.0);
    for agent in &agents {
        further(agent).await?;
    }

    // The central of the first agent in mid-flow.
    let status = agent_status(&agents[0])?;
    let first = centrals.pop().context("two were started")?;
    let (victim, survivor) =
        if is_connected_to(&status, &addresses[1]) { (second, first) } else { (first, second) };
    let killed = victim.kill9();
    let since = Instant::now();
    for agent in &agents {
        let address = format!("127.0.0.1:{}", survivor.config.agents_port);
        agent_until(agent, "the agent to change", |status| is_connected_to(status, &address)).await?;
        eprintln!("{}: with the other central after {:?}", agent.config.host, since.elapsed());
        further(agent).await?;
    }
    world.change(0, BAD, BAD)?;
    let page = pages::until(&hook, "the page", |page| page.name == "errors" && page.is_firing).await?;
    eprintln!("the other central pages {:?} after the kill", since.elapsed());
    world.change(0, FINE, FINE)?;
    pages::until(&hook, "the resolve", |other| other.name == page.name && !other.is_firing).await?;

    let returned = restart(killed).await?;
    for agent in &agents {
        further(agent).await?;
    }
    // The database away and back again: agents go on.
    engines.postgres.kill9();
    further(&agents[0]).await?;
    engines.postgres.restart().await?;
    drop(steady);
    for central in [&survivor, &returned] {
        assert_exact(&world, central).await?;
    }
    // What was told late is told by now.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told = pages::all(&hook);
    let of_rule: Vec<_> = told.iter().filter(|told| told.name == page.name).collect();
    for told in &of_rule {
        let same = of_rule
            .iter()
            .filter(|other| (&other.episode, other.is_firing) == (&told.episode, told.is_firing));
        ensure!(same.count() == 1, "told more than once: {of_rule:#?}");
    }
    for name in ["agents.db", "catalogue.db", "authority.pem"] {
        let path = survivor.config.folder.join("state").join(name);
        ensure!(!path.exists(), "{name} was made all the same");
    }
    let others: Vec<_> = told.iter().filter(|told| told.name != page.name).collect();
    eprintln!("pages of other rules: {others:#?}");
    survivor.stop().await?;
    returned.stop().await?;
    Ok(())
}

/// As an upgrade does it: one is stopped and started, then the other, while an alert fires.
#[tokio::test(flavor = "multi_thread")]
async fn centrals_that_are_restarted_in_turn_lose_nothing_and_tell_an_alert_once() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, FINE).await?;
    let engines = Engines::start(world.folder(), 1).await?;
    let mut centrals = both_centrals(&world, &engines, &hook).await?;
    let token = centrals[0].join_token("default")?;
    let addresses: Vec<String> =
        centrals.iter().map(|central| format!("127.0.0.1:{}", central.config.agents_port)).collect();
    let mut agents = Vec::new();
    for host in 0..2 {
        let mut config = world.agent(host, &addresses[0], &token)?;
        config.other_centrals = vec![addresses[1].clone()];
        agents.push(config.start()?);
    }
    let steady = world.steady(200.0);
    for agent in &agents {
        further(agent).await?;
    }
    world.change(0, BAD, BAD)?;
    let page = pages::until(&hook, "the page", |page| page.name == "errors" && page.is_firing).await?;

    for _ in 0..2 {
        let config = centrals.remove(0).stop().await?;
        for agent in &agents {
            ships_to(agent, &centrals[0]).await?;
        }
        let again = config.start().await?;
        let is_ready = |status: &Value| status["not_ready"] == json!([]);
        central_until(&again, "/api/v1/status", "it to be ready", is_ready).await?;
        let fires = |alerts: &Value| alerts.to_string().contains(&page.episode);
        central_until(&again, "/api/v1/alerts", "the alert to be shown", fires).await?;
        centrals.push(again);
    }
    let told = pages::all(&hook);
    ensure!(told.len() == 1, "one page was due: {told:#?}");

    world.change(0, FINE, FINE)?;
    pages::until(&hook, "the resolve", |other| other.name == page.name && !other.is_firing).await?;
    drop(steady);
    for central in &centrals {
        assert_exact(&world, central).await?;
    }
    let told = pages::all(&hook);
    ensure!(told.len() == 2 && told[1].episode == page.episode, "its end was due: {told:#?}");
    for central in centrals {
        central.stop().await?;
    }
    Ok(())
}
