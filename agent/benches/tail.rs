//! Lines per core-second through the real reader, parser, router and shard.
//!
//! Writes nginx lines (combined with request time and milliseconds) to a temporary file, tails it from
//! its beginning while a flusher drains as the agent's does, and divides the lines by the CPU time
//! of the whole process. `LINES` and `RUNS` in the environment set how many; the last line printed is
//! JSON with the figures.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use goldentime_agent::aggregate::{Aggregator, Config as Limits, Positions};
use goldentime_agent::inputs::parse::config::Format;
use goldentime_agent::inputs::route::{Config as Routes, Source};
use goldentime_agent::inputs::tail::config::StartAt;
use goldentime_agent::inputs::tail::{Config, Tail};
use goldentime_runtime::{Clock as _, SystemClock, Tasks};

const LOG_FORMAT: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
                          \"$http_referer\" \"$http_user_agent\" $request_time $msec";

fn main() {
    let lines = number("LINES", 1_000_000);
    let runs = number("RUNS", 3);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime starts");
    let folder = tempfile::tempdir().expect("a temporary folder is made");
    let path = folder.path().join("access.log");
    let bytes = write_lines(&path, lines);
    println!("{lines} lines of {} bytes on average", bytes / lines);
    let mut rates: Vec<f64> = (0..runs).map(|_| runtime.block_on(run(&path, lines))).collect();
    rates.sort_by(f64::total_cmp);
    let median = rates[rates.len() / 2];
    println!("{{\"name\":\"tail\",\"runs\":{runs},\"figures\":{{\"tail_lines_per_core_s\":{median:.0}}}}}");
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).filter(|n| *n > 0).unwrap_or(usual)
}

/// Lines as a shop's front door writes them: 40 routes, ids in half of them, a few errors, latencies
/// over three orders of magnitude, 5,000 requests a second.
fn write_lines(path: &Path, lines: u64) -> u64 {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("the file is created"));
    let start_ms = SystemClock.now().as_millis() - i64::try_from(lines / 5).unwrap_or(0);
    let (mut random, mut bytes, mut line) = (0x9e37_79b9_7f4a_7c15_u64, 0, String::new());
    for n in 0..lines {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (route, id) = (random % 40, (random >> 8) % 20_000);
        let target =
            if route < 20 { format!("/v1/r{route}/{id}") } else { format!("/v1/page{route}?q={id}") };
        let status = if random.is_multiple_of(97) { 503 } else { 200 };
        let millis = 1 << ((random >> 20) % 11);
        let at_ms = start_ms + i64::try_from(n / 5).unwrap_or(0);
        let (seconds, part) = (at_ms.div_euclid(1000), at_ms.rem_euclid(1000));
        line.clear();
        let written = writeln!(
            line,
            "10.0.{}.{} - - [22/Nov/2026:15:40:04 +0000] \"GET {target} HTTP/1.1\" {status} {} \
             \"https://shop.example/start\" \"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0\" \
             {}.{:03} {seconds}.{part:03}",
            random >> 3 & 255,
            random >> 11 & 255,
            random >> 40,
            millis / 1000,
            millis % 1000,
        );
        written.expect("a string takes everything");
        bytes += line.len() as u64;
        file.write_all(line.as_bytes()).expect("the file is written");
    }
    file.flush().expect("the file is written");
    bytes
}

async fn run(path: &Path, lines: u64) -> f64 {
    let clock = Arc::new(SystemClock);
    let aggregator = Aggregator::new(Limits::default(), clock.clone());
    let shard = aggregator.open_shard("bench");
    let mut config =
        Config::new(vec![path.display().to_string()], Format::Nginx { log_format: LOG_FORMAT.into() });
    config.start_at = StartAt::Beginning;
    let source = Source { project: "p".into(), environment: "e".into(), service: Some("shop".into()) };
    let tail = Tail::new(config, &Routes::default(), source).expect("the configuration is valid");
    let tasks = Tasks::new();
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let handle = tail.start(&tasks, clock, shard.clone(), &Positions::default());
    let mut counted = 0;
    while counted < lines {
        tokio::select! {
            () = aggregator.signal().sooner() => {}
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        aggregator.signal().take();
        for service in shard.drain().services {
            let buckets = service.series.iter().flat_map(|series| &series.buckets);
            counted += buckets.map(|bucket| bucket.counts.total()).sum::<u64>();
        }
        // As the agent does: express flushes are bounded to a few dozen a second.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    tasks.drain(Duration::from_secs(5)).await;
    assert_eq!(counted, lines, "{:?}", handle.status());
    let rate = lines as f64 / cpu;
    println!("{took:.2} s, {cpu:.2} s of CPU: {rate:.0} lines per core-second");
    rate
}

/// CPU time of this process, user and system.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells CPU times");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}
