//! `make demo`, as a stranger's first minute with Goldentime.

use std::time::Duration;

use anyhow::{Result, ensure};
use goldentime_e2e::is_full;
use goldentime_testkit::ports;
use goldentime_testkit::process::Program;
use goldentime_testkit::programs::program;

/// How long the whole story may take, on a busy machine.
const DEMO_MAX: Duration = Duration::from_secs(240);
/// How long it may take to stop when it did not end by itself.
const STOP_MAX: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_breaks_a_service_and_prints_the_page_with_its_stage_times() -> Result<()> {
    demo(&[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_of_a_cluster_tells_the_same_story() -> Result<()> {
    // The way itself is tested by `cluster.rs`.
    if !is_full() {
        return Ok(());
    }
    demo(&["--cluster"]).await
}

async fn demo(further: &[&str]) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("goldentime-e2e-").tempdir()?;
    let port = ports::free_tcp().to_string();
    let mut demo = Program::new("demo", program("goldentime-demo")?, folder.path())
        .args(["--once", "--calm-seconds", "4", "--port", &port])
        .args(further)
        .start()?;
    let ended = demo.ended(DEMO_MAX).await;
    // Asked to stop, it takes its own programs with it; killed, it would leave them behind.
    demo.stop(STOP_MAX).await?;
    let (status, output) = (ended?, demo.output());
    ensure!(status.success(), "the demo ended with {status}:\n{output}");
    // Who calls the broken service fails with it, and its page may come first.
    let page = output.split("FIRING").skip(1).find(|page| page.contains("of payment-api"));
    let page = page.ok_or_else(|| anyhow::anyhow!("no page of payment-api was printed:\n{output}"))?;
    for part in ["flushed", "delivered", "request to page"] {
        ensure!(page.contains(part), "the page does not tell {part:?}:\n{output}");
    }
    Ok(())
}
