//! `goldentime-demo`: starts everything on one machine, breaks a service, and shows the page.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use goldentime_shop::demo::pages::{self, Receiver};
use goldentime_shop::demo::stack::{self, Plan, Stack};
use goldentime_shop::fault::Fault;
use goldentime_testkit::ports;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

/// The service that breaks. Those that call it fail with it, and may be paged a moment sooner.
const BROKEN: &str = "payment-api";
/// How long the broken service stays broken after its page.
const BROKEN_FOR: Duration = Duration::from_secs(15);
/// How long the page may take before the demo says that it failed.
const PAGE_WITHIN: Duration = Duration::from_secs(15);

/// Starts a shop with Goldentime over it, breaks a service, and shows the page arriving.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Seconds of calm before the fault.
    #[arg(long, default_value_t = 12, env = "DEMO_CALM_SECONDS")]
    calm_seconds: u64,
    /// End after the page instead of going on until Ctrl-C; fails when no page arrived.
    #[arg(long, env = "DEMO_ONCE")]
    once: bool,
    /// Two centrals over a real Kafka, Redis, PostgreSQL and Elasticsearch, which `scripts/setup services`
    /// installs, instead of one central with files of its own.
    #[arg(long)]
    cluster: bool,
    /// Port of the dashboard; any free one when it is taken.
    #[arg(long, default_value_t = 7700)]
    port: u16,
    /// Rule files.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/slo"))]
    slo_dir: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    goldentime_runtime::logging::start("warn", goldentime_runtime::logging::LogFormat::Text)
        .map_err(anyhow::Error::msg)?;
    // The central runs in a folder of its own, where a relative path would lead elsewhere.
    let slo_dir = arguments.slo_dir.canonicalize();
    let slo_dir = slo_dir.with_context(|| format!("rule files in {}", arguments.slo_dir.display()))?;
    let folder = tempfile::Builder::new().prefix("goldentime-demo-").tempdir()?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut receiver = pages::receive().await?;
    match arguments.cluster {
        true => println!(
            "Starting the shop, Kafka, Redis, PostgreSQL, Elasticsearch, two centrals and an agent …"
        ),
        false => println!("Starting the shop, the central and an agent …"),
    }
    let plan = Plan {
        folder: folder.path(),
        slo_dir: &slo_dir,
        webhook: &receiver.url,
        http_port: dashboard_port(arguments.port),
        as_cluster: arguments.cluster,
    };
    let stack = tokio::select! {
        stack = stack::start(plan) => stack?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    introduce(&stack, folder.path());
    let story = tokio::select! {
        story = tell(arguments, &stack, &mut receiver) => story,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    println!("\nStopping …");
    let stopped = stack.stop().await;
    if story.is_err() || stopped.is_err() {
        println!("Output of all programs is kept in {}", folder.keep().display());
    }
    story.and(stopped)
}

/// The wanted port, or a free one when somebody has it.
fn dashboard_port(wanted: u16) -> u16 {
    match std::net::TcpListener::bind(("127.0.0.1", wanted)) {
        Ok(_) => wanted,
        Err(_) => ports::free_tcp(),
    }
}

fn introduce(stack: &Stack, folder: &Path) {
    let front =
        if stack.nginx.is_some() { "behind a real nginx" } else { "without nginx: it is not installed" };
    println!();
    for central in &stack.centrals {
        println!("  Dashboard  {}/", central.url());
    }
    if let Some(engines) = &stack.engines {
        println!("  Kafka      {}", engines.kafka.addresses().join(", "));
        println!("  Redis      {}", engines.redis.address());
        println!("  PostgreSQL {}", engines.postgres.address());
        if let Some(search) = &engines.search {
            println!("  Search     https://{}/", search.address());
        }
    }
    println!("  Shop       five services {front}, 60 requests a second");
    println!("  Files      {}\n", folder.display());
}

/// Calm, fault, page, recovery; then whatever comes until somebody stops it.
async fn tell(arguments: &Arguments, stack: &Stack, receiver: &mut Receiver) -> Result<()> {
    println!("All is calm for {} s. Then {BROKEN} breaks.", arguments.calm_seconds);
    let calm = Instant::now() + Duration::from_secs(arguments.calm_seconds);
    while let Ok(Some(page)) = tokio::time::timeout_at(calm, receiver.pages.recv()).await {
        if arguments.once {
            bail!("a page arrived while all was calm: {:?}", page.alerts);
        }
        print(&page)?;
    }

    println!("\nFault: {BROKEN} now answers half of its requests with 500.");
    let broken = Fault { errors: 0.5, ..Fault::default() };
    stack.inject(BROKEN, broken).await?;
    let paged = timeout(PAGE_WITHIN, print_until_page_of(BROKEN, receiver)).await;
    paged.unwrap_or_else(|_| bail!("no page of {BROKEN} within {PAGE_WITHIN:?}")).with_context(|| {
        let said: Vec<String> = stack.centrals.iter().map(|central| central.process().output()).collect();
        format!("the story ends here; the central says:\n{}", said.join("\n"))
    })?;
    if arguments.once {
        return Ok(());
    }

    let healed = async {
        sleep(BROKEN_FOR).await;
        println!("\n{BROKEN} is healed.");
        let healed = stack.inject(BROKEN, Fault::default()).await;
        println!("Ctrl-C ends the demo.");
        healed
    };
    tokio::pin!(healed);
    let mut is_healed = false;
    loop {
        tokio::select! {
            result = &mut healed, if !is_healed => {
                result?;
                is_healed = true;
            }
            page = receiver.pages.recv() => print(&page.context("the receiver of pages ended")?)?,
        }
    }
}

/// Prints what is paged, until the page of `service` is among it.
async fn print_until_page_of(service: &str, receiver: &mut Receiver) -> Result<()> {
    loop {
        let page = receiver.pages.recv().await.context("the receiver of pages ended")?;
        print(&page)?;
        if page.alerts.iter().any(|alert| alert.status == "firing" && alert.label("service") == service) {
            return Ok(());
        }
    }
}

fn print(page: &pages::Page) -> Result<()> {
    for alert in &page.alerts {
        println!("\n{}", alert.render(page.arrived)?);
    }
    Ok(())
}
