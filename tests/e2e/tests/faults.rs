//! Full disks and a copied machine: every request is counted once all the same.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_e2e::ask::{PATIENCE, acknowledged, agent_until, further};
use goldentime_e2e::counts::assert_exact;
use goldentime_e2e::is_full;
use goldentime_e2e::world::{HEALTHY, World, restart};
use goldentime_testkit::disk::SmallDisk;
use goldentime_testkit::process::Program;
use goldentime_testkit::programs::{Agent, AgentConfig, Central, program};
use goldentime_testkit::{http_client, ports, wait};
use serde_json::Value;

/// How long a disk stays full, or a central away.
fn outage() -> Duration {
    Duration::from_secs(if is_full() { 20 } else { 4 })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_state_directory_with_backlog_counts_every_request_once() -> Result<()> {
    let world = World::start(2, HEALTHY).await?;
    let central = world.central(None)?.start().await?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let token = central.join_token("default")?;
    let first = world.agent(0, &address, &token)?.start()?;
    let steady = world.steady(200.0);
    agent_until(&first, "an acknowledgement", |status| acknowledged(status) > 3).await?;
    let down = central.kill9();
    tokio::time::sleep(outage()).await;
    agent_until(&first, "a backlog", |status| status["spool"]["records"].as_u64() > Some(3)).await?;
    let first = first.kill9();
    // An input of another name: on a machine of its own the first one's log would not be there, but
    // here it is, and the positions that were copied lead to it.
    let folder = world.folder().join(&world.hosts[1].name);
    let second = AgentConfig::new(&folder, &address, &token, &world.hosts[1].name)?;
    let second = second.tail("second", &world.hosts[1].log, world.service);
    let copied = Command::new("cp").arg("-a").arg(first.state_dir()).arg(second.state_dir()).status()?;
    ensure!(copied.success(), "cp: {copied}");
    let both = [second.start()?, first.start()?];
    let central = restart(down).await?;
    for agent in &both {
        further(agent).await?;
    }
    drop(steady);
    assert_exact(&world, &central).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_belongs_to_one_central_and_its_files_to_its_user() -> Result<()> {
    let world = World::start(1, HEALTHY).await?;
    let central = world.central(None)?.start().await?;
    let other = |port: u16| format!("127.0.0.1:{port}");
    let mut second = Program::new("second-central", program("goldentime-central")?, world.folder())
        .args(["serve", "--config", &central.config.file().display().to_string()])
        .env("GOLDENTIME_CENTRAL__HTTP__LISTEN", other(ports::free_tcp()))
        .env("GOLDENTIME_CENTRAL__AGENTS__LISTEN", other(ports::free_udp()))
        .start()?;
    let ended = second.ended(PATIENCE).await?;
    ensure!(!ended.success(), "two centrals wrote to one log");
    let says = second.output();
    let pid = format!("another central (process {})", central.process().pid());
    ensure!(says.contains(&pid), "it does not say who holds the directory:\n{says}");
    let mut folders = vec![central.config.folder.join("state")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let mode = entry.metadata()?.permissions().mode();
            ensure!(mode & 0o077 == 0, "{} has mode {mode:o}", entry.path().display());
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_disk_is_full_for_a_while_counts_every_request_once() -> Result<()> {
    let world = World::start(1, HEALTHY).await?;
    let central = world.central(None)?.start().await?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let config = world.agent(0, &address, &central.join_token("default")?)?;
    let Some(disk) = SmallDisk::mount(&config.state_dir(), 16)? else { return Ok(()) };
    let agent = config.start()?;
    let steady = world.steady(200.0);
    agent_until(&agent, "an acknowledgement", |status| acknowledged(status) > 0).await?;
    disk.fill()?;
    let held =
        agent_until(&agent, "a refused flush", |status| status["flush"]["held_back"].is_string()).await?;
    println!("{}", held["flush"]["held_back"]);
    tokio::time::sleep(outage()).await;
    disk.free()?;
    let status =
        agent_until(&agent, "the next flush", |status| status["flush"]["held_back"].is_null()).await?;
    let flushes = |status: &Value| status["flush"]["flushes"].as_u64().unwrap_or_default();
    agent_until(&agent, "a flush of what was read since", |now| flushes(now) > flushes(&status) + 1).await?;
    // What it flushed since must be on the disk: it is not told to stop.
    let agent = agent.kill9().start()?;
    further(&agent).await?;
    drop(steady);
    assert_exact(&world, &central).await?;
    agent.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_central_whose_disk_is_full_for_a_while_counts_every_request_once() -> Result<()> {
    let world = World::start(1, HEALTHY).await?;
    let Some((central, agents, _disk)) = fill_for_a_while(&world).await? else { return Ok(()) };
    let exact = assert_exact(&world, &central).await;
    let status = central.get("/api/v1/status").await?;
    exact.with_context(|| format!("status {status:#}; central's output:\n{}", central.process().output()))?;
    for agent in agents {
        agent.stop().await?;
    }
    central.stop().await?;
    Ok(())
}

/// A central under load whose disk was full for a while; `None` where no small disk can be mounted.
async fn fill_for_a_while(world: &World) -> Result<Option<(Central, Vec<Agent>, SmallDisk)>> {
    let config = world.central(None)?;
    let Some(disk) = SmallDisk::mount(&config.folder.join("state"), 64)? else { return Ok(None) };
    let central = config.start().await?;
    let agents = world.start_agents(&central)?;
    let steady = world.steady(200.0);
    agent_until(&agents[0], "an acknowledgement", |status| acknowledged(status) > 0).await?;
    disk.fill()?;
    let full =
        ready_until(&central, "the full log", |ready| ready["not_ready"][0]["code"] == "log_full").await?;
    println!("{full}");
    tokio::time::sleep(outage()).await;
    disk.free()?;
    ready_until(&central, "readiness", |ready| ready["ready"] == true).await?;
    further(&agents[0]).await?;
    drop(steady);
    Ok(Some((central, agents, disk)))
}

/// Waits until `/readyz`, whatever its status, answers as it should.
async fn ready_until(central: &Central, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
    let (client, url, is_so) = (http_client(), format!("{}/readyz", central.url()), &is_so);
    let waited = wait::until(what, PATIENCE, || async {
        let answer: Value = client.get(&url).send().await.ok()?.json().await.ok()?;
        is_so(&answer).then_some(answer)
    });
    waited.await.with_context(|| format!("central's output:\n{}", central.process().output()))
}
