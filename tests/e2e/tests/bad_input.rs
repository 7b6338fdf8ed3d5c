//! What nobody should send: it is bounded and counted, and what is good is counted exactly.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use goldentime_e2e::ask::{agent_until, window_of};
use goldentime_e2e::counts::assert_exact;
use goldentime_e2e::fault::Dice;
use goldentime_e2e::is_full;
use goldentime_e2e::lines::AccessLog;
use goldentime_e2e::world::{HEALTHY, World};
use goldentime_testkit::http_client;
use goldentime_testkit::ports::loopback;
use goldentime_testkit::programs::{Agent, AgentConfig, Central, CentralConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};

/// No input may bring a program beyond this, built for debugging as it is here.
const RSS_BYTES_MAX: u64 = 400 << 20;

/// A central and one agent that tails a log which the test writes.
async fn alone(folder: &Path, service: &str, ahead: Duration) -> Result<(Central, Agent, AccessLog)> {
    let central = CentralConfig::new(&folder.join("central"), None)?.start().await?;
    let log = AccessLog::create(&folder.join("access.log"), ahead)?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let config = AgentConfig::new(&folder.join("agent"), &address, &central.join_token("default")?, "web-1")?;
    let mut config = config.tail("own", &log.path, service);
    // Lines that are shipped whole have more ways to go wrong than lines that are counted.
    config.inputs_yaml.push_str("      ship_logs: true\n");
    config.clock_ahead = ahead;
    Ok((central, config.start()?, log))
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_at_every_port_changes_no_count_and_takes_no_memory() -> Result<()> {
    let world = World::start(1, HEALTHY).await?;
    let central = world.central(None)?.start().await?;
    let agents = world.start_agents(&central)?;
    let steady = world.steady(100.0);
    let mut dice = Dice::roll("garbage");
    let until = Instant::now() + Duration::from_secs(if is_full() { 30 } else { 4 });
    let udp = UdpSocket::bind(loopback(0)).await?;
    let mut sent: u64 = 0;
    while Instant::now() < until {
        for _ in 0..200 {
            let datagram = dice.bytes(1..=1500);
            // A full socket buffer refuses some: the rate is what the machine gives.
            sent += u64::from(udp.send_to(&datagram, loopback(central.config.agents_port)).await.is_ok());
        }
        let mut tcp = TcpStream::connect(loopback(central.config.http_port)).await?;
        // The server may hang up in the middle of it.
        let _ = tcp.write_all(&dice.bytes(1..=64 << 10)).await;
    }
    println!("{sent} datagrams of garbage");
    drop(steady);
    assert_exact(&world, &central).await?;
    for process in [central.process(), agents[0].process()] {
        let rss = process.rss_bytes();
        assert!((1..RSS_BYTES_MAX).contains(&rss), "{rss} bytes resident");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_line_is_cut_counted_and_costs_no_memory() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (central, agent, mut log) = alone(folder.path(), "endless", Duration::ZERO).await?;
    log.requests((0..5).map(|_| "/before".to_owned()))?;
    let block = vec![b'x'; 1 << 20];
    for _ in 0..if is_full() { 1024 } else { 300 } {
        log.bytes(&block)?;
    }
    log.bytes(b"\n")?;
    log.requests((0..7).map(|_| "/after".to_owned()))?;
    let read = |status: &serde_json::Value| status["inputs"][0]["status"]["observed"] == 12;
    let status = agent_until(&agent, "the lines behind it", read).await?;
    let input = &status["inputs"][0]["status"];
    assert_eq!(input["cut"], 1, "{input:#}");
    let unparsed = input["unparsed"].as_object().context("reasons")?;
    assert_eq!(unparsed.values().filter_map(|of| of["lines"].as_u64()).sum::<u64>(), 1, "{unparsed:#?}");
    let rss = agent.process().rss_bytes();
    assert!(rss < RSS_BYTES_MAX / 4, "{rss} bytes resident");
    window_of(&central, "endless", 300, 12).await?;
    let metrics = http_client().get(format!("{}/metrics", central.url())).send().await?.text().await?;
    let refused = metrics.lines().find(|line| line.contains("drops_total{component=\"ingest\""));
    assert_eq!(refused, None, "the cut line cost its neighbours");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn more_routes_than_anyone_can_watch_are_bounded_and_the_totals_exact() -> Result<()> {
    let (chunks, chunk) = (if is_full() { 50 } else { 10 }, 2_000_u64);
    let folder = tempfile::tempdir()?;
    let (central, agent, mut log) = alone(folder.path(), "bomb", Duration::ZERO).await?;
    for number in 0..chunks {
        log.requests((0..chunk).map(|of| format!("/{}", word(number * chunk + of))))?;
        let lines = (number + 1) * chunk;
        let read = |status: &serde_json::Value| status["inputs"][0]["status"]["lines"] == lines;
        agent_until(&agent, "the chunk to be read", read).await?;
    }
    let window = window_of(&central, "bomb", 300, chunks * chunk).await?;
    let endpoints = window["endpoints"].as_array().context("endpoints")?;
    assert!(endpoints.len() <= 501, "{} endpoints", endpoints.len());
    let parts = endpoints.iter().filter_map(|of| of["requests"].as_u64()).sum::<u64>();
    assert_eq!(parts, chunks * chunk, "endpoints do not add up");
    let others = endpoints.iter().find(|of| of["endpoint"] == "__other__").context("no __other__")?;
    let told = |status: &serde_json::Value| status["drops"]["endpoint_overflow"] == others["requests"];
    agent_until(&agent, "the overflow in the ledger", told).await?;
    for process in [central.process(), agent.process()] {
        assert!(process.rss_bytes() < RSS_BYTES_MAX, "{} bytes resident", process.rss_bytes());
    }
    Ok(())
}

/// A word of letters for a number: nothing that normalisation takes for an id.
fn word(mut number: u64) -> String {
    let mut word = String::from("route-");
    for _ in 0..5 {
        word.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or(0)));
        number /= 26;
    }
    word
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_a_host_whose_clock_is_ten_minutes_ahead_are_seen_at_present() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (central, agent, mut log) = alone(folder.path(), "ahead", Duration::from_secs(600)).await?;
    let measured = |status: &serde_json::Value| {
        status["uplink"]["clock_offset_ms"].as_f64().is_some_and(|ms| (ms + 600_000.0).abs() < 1_000.0)
    };
    agent_until(&agent, "the clock to be measured", measured).await?;
    for _ in 0..20 {
        log.requests((0..10).map(|of| format!("/orders/{of}")))?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    window_of(&central, "ahead", 60, 200).await?;
    Ok(())
}
