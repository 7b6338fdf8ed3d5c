//! Agents that know several centrals: one of them dies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_e2e::ask::{agent_status, agent_until, further, is_connected_to, make_authority};
use goldentime_e2e::counts::assert_exact;
use goldentime_e2e::world::{BAD, FINE, World, restart};
use goldentime_e2e::{pages, rules};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::programs::{Agent, Central};
use goldentime_testkit::receivers::WebhookReceiver;
use tokio::time::Instant;

/// Waits until an agent ships to this central.
async fn ships_to(agent: &Agent, central: &Central) -> Result<()> {
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    agent_until(agent, "the agent to be connected", |status| is_connected_to(status, &address)).await?;
    further(agent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_of_a_central_that_is_killed_go_on_with_another_and_nothing_is_counted_twice() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, FINE).await?;
    let mut engines = Engines::start(world.folder(), 1).await?;
    let authority = world.folder().join("authority");
    make_authority(&authority)?;
    let mut centrals = Vec::new();
    for name in ["central-1", "central-2"] {
        let mut config = world.named_central(name, Some(&hook.url()))?;
        engines.give_to(&mut config, name)?;
        config.agents_yaml.push_str(&format!("  authority_dir: {}\n", authority.display()));
        rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
        centrals.push(config.start().await?);
    }
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
