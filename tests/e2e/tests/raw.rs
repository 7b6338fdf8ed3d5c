//! What others than agents produce to Kafka: real rsyslog follows nginx's logs, centrals count them, and whatever
//! is killed, counts are nginx's.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_e2e::ask::{PATIENCE, central_until, log_lines};
use goldentime_e2e::counts::assert_exact_without_agents;
use goldentime_e2e::rules;
use goldentime_e2e::world::{BAD, FINE, World, restart};
use goldentime_e2e::{is_full, pages};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::nginx::LOG_FORMAT;
use goldentime_testkit::oracle::read_access_log;
use goldentime_testkit::peers::rsyslog::{Rsyslog, RsyslogProps};
use goldentime_testkit::programs::{Central, CentralConfig};
use goldentime_testkit::receivers::WebhookReceiver;
use goldentime_testkit::wait;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Has a central read what rsyslog sends of both hosts: as JSON of the first, as plain lines of the second.
fn read_raw(config: &mut CentralConfig, world: &World) {
    let input = |name: &str, more: &str| {
        format!(
            "    - name: {name}\n      match: {{key: {name}}}\n      service: {}\n      ship_logs: true\n{more}      \
             format: {{type: nginx, log_format: '{LOG_FORMAT}'}}\n",
            world.service
        )
    };
    let (json, plain) =
        (input("web-1", "      line_field: message\n"), input("web-2", "      host: web-2\n"));
    let _ = write!(config.extra_yaml, "  raw:\n    inputs:\n{json}{plain}");
}

fn start_rsyslog(world: &World, engines: &Engines) -> Result<Vec<Rsyslog>> {
    let brokers = engines.kafka.addresses();
    let hosts = world.hosts.iter().zip([false, true]);
    hosts
        .map(|(host, is_plain)| {
            let props = RsyslogProps {
                host: &host.name,
                file: &host.log,
                brokers: &brokers,
                topic: "goldentime.raw",
                is_plain,
            };
            Rsyslog::start(&world.folder().join(format!("rsyslog-{}", host.name)), &props)
        })
        .collect()
}

async fn counts_further(world: &World, central: &Central) -> Result<()> {
    let path = format!("/api/v1/windows?service=default/default/{}&seconds=1200", world.service);
    let requests = |window: &serde_json::Value| window["total"]["requests"].as_u64();
    let before = central_until(central, &path, "a window", |window| requests(window).is_some()).await?;
    let more = |window: &serde_json::Value| requests(window) > requests(&before);
    central_until(central, &path, "more to be counted", more).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_rsyslog_produces_are_counted_once_whatever_is_killed() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, FINE).await?;
    let engines = Engines::start(world.folder(), 1).await?;
    let mut centrals = Vec::new();
    for name in ["central-1", "central-2"] {
        let mut config = world.named_central(name, Some(&hook.url()))?;
        engines.give_to(&mut config, name)?;
        read_raw(&mut config, &world);
        rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
        centrals.push(config.start().await?);
    }
    let rsyslogs = start_rsyslog(&world, &engines)?;
    let steady = world.steady(300.0);
    counts_further(&world, &centrals[0]).await?;

    // One by one, each at another point of a transaction; the other goes on with its partitions, or it is back
    // before.
    let seed: u64 = rand::random();
    let kills = if is_full() { 20 } else { 4 };
    println!("{kills} kills with seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for kill in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1500))).await;
        let config = centrals.remove(kill % 2).kill9();
        if kill == 1 {
            // Longer than a session: the other takes over.
            tokio::time::sleep(Duration::from_secs(8)).await;
            counts_further(&world, &centrals[0]).await?;
        }
        centrals
            .insert(kill % 2, restart(config).await.with_context(|| format!("seed {seed}, kill {kill}"))?);
    }

    // The way is whole: errors page.
    world.change(0, BAD, BAD)?;
    let page = pages::until(&hook, "the page", |page| page.name == "errors" && page.is_firing).await?;
    world.change(0, FINE, FINE)?;
    pages::until(&hook, "the resolve", |other| other.name == page.name && !other.is_firing).await?;

    drop(steady);
    for central in &centrals {
        assert_exact_without_agents(&world, central).await.with_context(|| format!("seed {seed}"))?;
    }
    for rsyslog in rsyslogs {
        rsyslog.stop().await?;
    }
    for central in centrals {
        central.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_rsyslog_produces_are_found_once_over_a_kill() -> Result<()> {
    let world = World::start(2, FINE).await?;
    let engines = Engines::start(world.folder(), 1).await?.and_search().await?;
    let mut config = world.central(None)?;
    engines.give_to(&mut config, "central-1")?;
    read_raw(&mut config, &world);
    let central = config.start().await?;
    let rsyslogs = start_rsyslog(&world, &engines)?;
    let steady = world.steady(200.0);
    counts_further(&world, &central).await?;
    let central = restart(central.kill9()).await?;
    counts_further(&world, &central).await?;
    drop(steady);
    assert_exact_without_agents(&world, &central).await?;
    let mut written = 0;
    for host in &world.hosts {
        written += read_access_log(&host.log)?.len();
    }
    let whole = async || log_lines(&central, "").await.ok().filter(|lines| lines.len() >= written).map(drop);
    wait::until("every line", PATIENCE, whole).await?;
    // Something stored twice may arrive late as well.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(log_lines(&central, "").await?.len(), written);
    for rsyslog in rsyslogs {
        rsyslog.stop().await?;
    }
    central.stop().await?;
    Ok(())
}
