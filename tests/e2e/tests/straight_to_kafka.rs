//! Agents that send straight to Kafka, one beside a central and one that has none: whatever is killed, counts are
//! nginx's and the page comes.

use anyhow::Result;
use goldentime_e2e::ask::{agent_status, agent_until, central_until, further};
use goldentime_e2e::counts::assert_exact;
use goldentime_e2e::world::{BAD, FINE, World, restart};
use goldentime_e2e::{pages, rules};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::programs::{Agent, AgentConfig};
use goldentime_testkit::receivers::WebhookReceiver;
use serde_json::{Value, json};

fn start(mut config: AgentConfig, engines: &Engines) -> Result<Agent> {
    let brokers = engines.kafka.addresses();
    config.extra_yaml.push_str(&format!("kafka:\n  connection: {{brokers: {brokers:?}}}\n"));
    config.start()
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_straight_to_kafka_are_counted_exactly_and_page_whatever_is_killed() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, FINE).await?;
    let mut engines = Engines::start(world.folder(), 1).await?;
    let mut config = world.central(Some(&hook.url()))?;
    engines.give_to(&mut config, "central-1")?;
    rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
    let central = config.start().await?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let beside = start(world.agent(0, &address, &central.join_token("default")?)?, &engines)?;
    let alone = start(world.agent(1, "", "")?, &engines)?;
    let steady = world.steady(200.0);
    let of_one = |status: &Value| status["agents"]["connected"] == 1;
    central_until(&central, "/api/v1/status", "the control connection", of_one).await?;
    for agent in [&beside, &alone] {
        further(agent).await?;
    }

    // Both agents in mid-flow, then whoever merges what they sent.
    let agents = [beside.kill9().start()?, alone.kill9().start()?];
    for agent in &agents {
        further(agent).await?;
    }
    let central = restart(central.kill9()).await?;
    central_until(&central, "/api/v1/status", "the control connection", of_one).await?;

    // The brokers: agents say so, and keep what they have.
    engines.kafka.kill9_all();
    for agent in &agents {
        let is_told = |status: &Value| status["uplink"]["kafka"]["trouble"].is_string();
        agent_until(agent, "word of the broker", is_told).await?;
    }
    engines.kafka.restart_all().await?;
    for agent in &agents {
        let is_over = |status: &Value| status["uplink"]["kafka"]["trouble"].is_null();
        agent_until(agent, "the trouble to be over", is_over).await?;
        further(agent).await?;
    }

    world.change(0, BAD, BAD)?;
    let page = pages::until(&hook, "the page", |page| page.name == "errors" && page.is_firing).await?;
    world.change(0, FINE, FINE)?;
    pages::until(&hook, "the resolve", |other| other.name == page.name && !other.is_firing).await?;
    drop(steady);
    assert_exact(&world, &central).await?;
    for agent in &agents {
        let status = agent_status(agent)?;
        assert_eq!(status["drops"], json!({}), "{status:#}");
        assert_eq!(status["project"], "default", "{status:#}");
    }
    central.stop().await?;
    Ok(())
}
