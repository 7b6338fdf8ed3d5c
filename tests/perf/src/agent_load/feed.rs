//! An agent that has as much to read as it can, from its start to the central's last acknowledgement.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::programs::{Agent, AgentConfig, CentralConfig};
use tokio::time::{Instant, sleep};

use super::lines::Traffic;
use super::status::{Status, until_connected};

/// Lines written at once to all logs together. They are stamped when they are written, and the next
/// ones wait until these are read, so that no line is late however slow the machine.
const BLOCK_LINES: u32 = 250_000;
/// Pause between two questions to the agent; answers cost it processor time that counts.
const ASK_INTERVAL: Duration = Duration::from_millis(100);
/// A block that is not read within this time will not be.
const BLOCK_WITHIN: Duration = Duration::from_secs(120);

/// What reading and shipping cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Lines that were read, aggregated, sent and acknowledged.
    pub lines: u64,
    /// Processor time of the agent for it.
    pub cpu: Duration,
    /// Most resident memory seen meanwhile, in bytes.
    pub rss_bytes_max: u64,
}

/// Feeds `lines` lines to an agent that tails one log for each of `traffic`, each a service, and ships
/// to a central.
pub async fn feed(folder: &Path, traffic: Vec<Traffic>, lines: u64) -> Result<Cost> {
    let central = CentralConfig::new(&folder.join("central"), None)?.start().await?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let mut agent =
        AgentConfig::new(&folder.join("agent"), &address, &central.join_token("default")?, "bench-1")?;
    let mut logs = Vec::new();
    for (number, traffic) in traffic.into_iter().enumerate() {
        let (name, path) = (format!("shop-{number}"), folder.join(format!("shop-{number}.log")));
        let file = File::create(&path).with_context(|| format!("log {}", path.display()))?;
        agent = agent.tail(&name, &path, &name);
        logs.push(Log { file, traffic });
    }
    // What the flusher counts as events are then requests only.
    agent.inputs_yaml.push_str("  host:\n    enabled: false\n");
    let agent = agent.start()?;
    until_connected(&agent).await?;
    let cost = measure(&agent, &mut logs, lines).await.with_context(|| agent.process().output())?;
    agent.stop().await?;
    central.stop().await?;
    Ok(cost)
}

struct Log {
    file: File,
    traffic: Traffic,
}

async fn measure(agent: &Agent, logs: &mut [Log], lines: u64) -> Result<Cost> {
    let cpu_before = agent.process().cpu_time();
    let (mut written, mut rss_bytes_max) = (0, 0);
    let each = BLOCK_LINES / u32::try_from(logs.len())?;
    while written < lines {
        for log in &mut *logs {
            let block = log.traffic.lines(each, SystemClock.now());
            log.file.write_all(block.as_bytes())?;
            written += u64::from(each);
        }
        until(agent, &mut rss_bytes_max, |status| status.lines() >= written).await?;
    }
    let last = until(agent, &mut rss_bytes_max, |status| status.has_shipped(written)).await?;
    let cpu = agent.process().cpu_time() - cpu_before;
    last.ensure_all_counted(written)?;
    Ok(Cost { lines: written, cpu, rss_bytes_max })
}

/// Asks until the agent is as far as `wanted`, and looks at its memory each time.
async fn until(agent: &Agent, rss_bytes_max: &mut u64, wanted: impl Fn(&Status) -> bool) -> Result<Status> {
    let deadline = Instant::now() + BLOCK_WITHIN;
    loop {
        let status = Status::of(agent).await?;
        *rss_bytes_max = agent.process().rss_bytes().max(*rss_bytes_max);
        if wanted(&status) {
            return Ok(status);
        }
        anyhow::ensure!(Instant::now() < deadline, "the agent does not get on: {status:?}");
        sleep(ASK_INTERVAL).await;
    }
}
