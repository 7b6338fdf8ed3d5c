//! A backup under load, its return after the disk was lost, and what agents sent in between.

use std::cell::Cell;

use anyhow::{Context, Result, bail, ensure};
use goldentime_e2e::ask::{PATIENCE, agent_status, agent_until, central_command, log_lines};
use goldentime_e2e::world::{HEALTHY, World, restart};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::oracle::read_access_log;
use goldentime_testkit::programs::Central;
use goldentime_testkit::{http_client, wait};
use serde_json::Value;

const RECORDS_LOST: &str = "goldentime_merge_lost_records_total";

fn present() -> i64 {
    SystemClock.now().second().0
}

/// Requests that the central counted in the seconds from `from` to before `until`.
async fn counted(world: &World, central: &Central, from: i64, until: i64) -> Result<u64> {
    let service = format!("default/default/{}", world.service);
    let path = format!("/api/v1/windows?service={service}&seconds={}&until={until}", until - from);
    central.get(&path).await?["total"]["requests"].as_u64().context("no count")
}

/// Requests that nginx wrote in the same seconds. Nothing may be sent around them.
fn written(world: &World, from: i64, until: i64) -> Result<u64> {
    let lines = read_access_log(&world.hosts[0].log)?;
    Ok(lines.iter().filter(|line| (from as f64..until as f64).contains(&line.at)).count() as u64)
}

/// Waits until central and nginx agree over the seconds, and still do a while later.
async fn agree(world: &World, central: &Central, from: i64, until: i64) -> Result<u64> {
    let agreed = wait::until("central and nginx to agree", PATIENCE, || async {
        let (counted, written) =
            (counted(world, central, from, until).await.ok()?, written(world, from, until).ok()?);
        (counted >= written).then_some(())
    });
    let agreed = agreed.await;
    // Something counted twice may arrive late as well.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let (counted, written) = (counted(world, central, from, until).await?, written(world, from, until)?);
    ensure!(counted == written && written > 0, "central {counted}, nginx {written} ({agreed:?})");
    Ok(written)
}

/// Waits until the central has counted something in or after the second.
async fn reached(world: &World, central: &Central, second: i64) -> Result<()> {
    let what = format!("requests of second {second}");
    wait::until(&what, PATIENCE, || async {
        let until = present().max(second) + 3;
        (counted(world, central, second, until).await.ok()? > 0).then_some(())
    })
    .await
}

/// Waits for a second in which nothing is sent, and gives the one after it.
async fn quiet() -> i64 {
    let from = present();
    while present() < from + 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    from + 2
}

/// What is kept besides live windows of the seconds from `from` to before `until`: history by ten seconds,
/// and the shipped lines, in the order of their bytes.
#[derive(Debug, PartialEq)]
struct Kept {
    history: Value,
    lines: Vec<String>,
}

/// The rows of ten seconds that lie within.
fn rows_within(from: i64, until: i64) -> (i64, i64) {
    ((from + 9).div_euclid(10) * 10, until.div_euclid(10) * 10)
}

impl Kept {
    async fn read(world: &World, central: &Central, from: i64, until: i64) -> Result<Self> {
        let (first, end) = rows_within(from, until);
        let service = format!("default/default/{}", world.service);
        let path = format!("/api/v1/services/{service}/history?from={first}&to={end}&step=10");
        let history = central.get(&path).await?["points"].take();
        let within = format!("&service={service}&from_ms={}&until_ms={}", from * 1000, until * 1000);
        let lines = log_lines(central, &within).await?;
        let mut lines: Vec<String> =
            lines.iter().map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect();
        lines.sort_unstable();
        Ok(Self { history, lines })
    }

    fn requests(&self) -> u64 {
        let points = self.history.as_array().into_iter().flatten();
        points.filter_map(|point| point["requests"].as_u64()).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_exact_up_to_its_instant_and_agents_go_on_without_counting_twice() -> Result<()>
{
    let world = World::start(1, HEALTHY).await?;
    let central = world.central(None)?.start().await?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let mut agent = world.agent(0, &address, &central.join_token("default")?)?;
    agent.inputs_yaml.push_str("      ship_logs: true\n");
    let agent = agent.start()?;
    let begin = present();

    // First stretch: compared with nginx's own log.
    let steady = world.steady(200.0);
    reached(&world, &central, begin + 3).await?;
    drop(steady);
    let first_end = quiet().await;
    let first = agree(&world, &central, begin, first_end).await?;

    // Second stretch: the backup is taken in the midst of it.
    let steady = world.steady(200.0);
    // Far enough for a row of ten seconds to lie within.
    let covered = first_end + 20;
    reached(&world, &central, covered).await?;
    let (first_row, end_row) = rows_within(begin, covered);
    let in_rows = written(&world, first_row, end_row)?;
    let in_all = written(&world, begin, covered)?;
    let is_whole = |kept: &Kept| kept.requests() == in_rows && kept.lines.len() as u64 == in_all;
    let whole = async || Kept::read(&world, &central, begin, covered).await.ok().filter(is_whole);
    let whole = wait::until("history and log lines to be those that nginx wrote", PATIENCE, whole).await;
    let Ok(kept) = whole else {
        let kept = Kept::read(&world, &central, begin, covered).await?;
        bail!(
            "history has {} of {in_rows} requests, the log {} of {in_all} lines; agent: {}",
            kept.requests(),
            kept.lines.len(),
            agent_status(&agent)?
        );
    };
    let folder = world.folder().join("backup");
    let target = folder.to_str().context("a path")?;
    println!("{}", central_command(&["backup", target], &central.config.file())?);
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json"))?)?;
    let instant = manifest["instant_ns"].as_i64().context("no instant")? / 1_000_000_000;
    ensure!(instant >= covered, "taken at {instant}, before {covered}");
    ensure!(central_command(&["backup", target], &central.config.file()).is_err(), "written over");
    // What is acknowledged from here on is not in the backup, and in nobody's spool once the agent cleared up:
    // until then it would be sent again.
    reached(&world, &central, instant + 3).await?;
    let spooled = |status: &Value| status["spool"]["records"].as_u64().unwrap_or_default();
    let most = Cell::new(spooled(&agent_status(&agent)?));
    agent_until(&agent, "the spool to be cleared", |status| {
        spooled(status) < most.replace(most.get().max(spooled(status)))
    })
    .await?;
    let mut before = Vec::new();
    for second in first_end..covered {
        before.push(counted(&world, &central, second, second + 1).await?);
    }
    let config = central.kill9();
    drop(steady);
    let third_begin = quiet().await;

    // The disk is lost; the backup is returned.
    std::fs::remove_dir_all(config.folder.join("state"))?;
    println!("{}", central_command(&["restore", target], &config.file())?);
    ensure!(central_command(&["restore", target], &config.file()).is_err(), "restored over a state");
    let central = restart(config).await?;
    let steady = world.steady(200.0);
    reached(&world, &central, present() + 2).await?;
    drop(steady);
    let third_end = quiet().await;

    let third = agree(&world, &central, third_begin, third_end).await?;
    let again = counted(&world, &central, begin, first_end).await?;
    ensure!(again == first, "first stretch: {again} after the return, {first} before");
    for (second, before) in (first_end..covered).zip(before) {
        let after = counted(&world, &central, second, second + 1).await?;
        ensure!(after == before, "second {second}: {after} after the return, {before} before");
    }
    ensure!(in_rows > 0, "no row of ten seconds lies within {begin} to {covered}");
    let restored =
        async || Kept::read(&world, &central, begin, covered).await.ok().filter(|restored| *restored == kept);
    wait::until("the same history and log lines as before", PATIENCE, restored).await?;
    let counted = counted(&world, &central, first_end, third_begin).await?;
    let written = written(&world, first_end, third_begin)?;
    ensure!(counted < written, "{counted} of {written}: what was acknowledged after the backup is lost");
    let metrics = http_client().get(format!("{}/metrics", central.url())).send().await?.text().await?;
    let lost = metrics.lines().find_map(|line| line.strip_prefix(RECORDS_LOST)?.trim().parse::<f64>().ok());
    ensure!(lost > Some(0.0), "the gap is counted: {lost:?}");
    println!(
        "exact: {first} before, {third} after; of {written} around the backup {counted} are there, and {lost:?} \
         records were counted as lost"
    );
    central.stop().await?;
    Ok(())
}
