//! `make bench-search`: ten million log lines into the embedded store, what they cost in processor time
//! and on disk, and how long searches in them take.
//!
//! `RUNS` is the number of million lines (default 10).

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use goldentime_follower::{Advance, Committed, Mark};
use goldentime_model::UnixNanos;
use goldentime_perf::log_lines::{self, FIRST_AT, Lines, RARE_EVERY, RARE_KOREAN, RARE_WORD};
use goldentime_perf::report::{Report, median};
use goldentime_search::{LogStore, LogsConfig, NewLine, PageRequest, Query, Span, SqliteLogs};
use goldentime_testkit::process::own_cpu_time;

/// Lines of one commit: about what a second brings.
const COMMIT_LINES: u64 = 5000;
/// Searches of each kind.
const SEARCHES: u64 = 40;
/// Lines on a page.
const PAGE_LINES: u32 = 100;
/// A substring is found within this time, p99.
const SUBSTRING_MS_MAX: f64 = 200.0;

#[tokio::main]
async fn main() -> Result<()> {
    let millions: u32 = std::env::var("RUNS").ok().map_or(Ok(10), |runs| runs.parse()).context("RUNS")?;
    let count = u64::from(millions) * 1_000_000;
    let folder = tempfile::Builder::new().prefix("goldentime-bench-search-").tempdir()?;
    let store = SqliteLogs::new(folder.path().join("logs"), &LogsConfig::default());
    let lines = Lines::default();
    let mut report = Report::new("search", millions);

    // What making the lines costs is not the store's.
    let making = own_cpu_time();
    for number in 0..count / 20 {
        std::hint::black_box(lines.line(number));
    }
    let making = (own_cpu_time() - making) * 20;
    let (cpu_before, begun) = (own_cpu_time(), Instant::now());
    let mut slowest_commit = Duration::ZERO;
    for first in (0..count).step_by(usize::try_from(COMMIT_LINES)?) {
        let batch: Vec<NewLine> = (first..first + COMMIT_LINES).map(|number| lines.line(number)).collect();
        let commit = Instant::now();
        let taken = store.commit(&batch, &step(first)).await?;
        ensure!(matches!(taken, Committed::Done { .. }), "a commit was refused");
        slowest_commit = slowest_commit.max(commit.elapsed());
    }
    let cpu = (own_cpu_time() - cpu_before).saturating_sub(making);
    let stats = store.stats().await?;
    ensure!(stats.lines == count, "{} of {count} lines are there", stats.lines);
    report
        .figure("lines", count as f64)
        .figure("indexed_lines_per_core_s", count as f64 / cpu.as_secs_f64())
        .figure("stored_lines_per_s", count as f64 / begun.elapsed().as_secs_f64())
        .figure("slowest_commit_ms", slowest_commit.as_secs_f64() * 1000.0)
        .figure("text_bytes_per_line", stats.text_bytes as f64 / count as f64)
        .figure("disk_bytes_per_line", stats.disk_bytes as f64 / count as f64)
        .figure("disk_to_text", stats.disk_bytes as f64 / stats.text_bytes as f64);

    let end = UnixNanos(log_lines::at(count));
    let some = |n: u64| (n * 2_654_435_761) % count;
    // A line of those that name their order.
    let order = |n: u64| {
        let ids = (some(n)..count).map(|number| (log_lines::order_id(number), lines.line(number)));
        let mut named = ids.filter(|(id, line)| line.record.message.contains(id.as_str()));
        named.next().map(|(id, _)| id).context("no line names its order")
    };
    let text = |text: String| -> Result<Query> { Ok(Query { terms: text.parse()?, ..Query::default() }) };
    let service = lines.service(3).into();
    let narrow = Query { service: Some(service), levels: "error".parse()?, ..text("timed".into())? };
    let hour = Query { from: UnixNanos(end.0 - 3_600_000_000_000), ..text("latency_ms".into())? };
    let mut bench = Bench { store: &store, report: &mut report };
    bench.search("common_word", |_| text("GET".into()), PAGE_LINES as usize).await?;
    let rare = usize::try_from(count / RARE_EVERY)?.min(PAGE_LINES as usize);
    bench.search("rare_word", |_| text(RARE_WORD.into()), rare).await?;
    let substring = bench.search("substring", |n| text(order(n)?[5..14].into()), 1).await?;
    bench.search("whole_id", |n| text(order(n)?), 1).await?;
    let absent = bench.search("absent", |n| text(format!("{:07}x{n}", some(n))), 0).await?;
    bench.search("common_korean", |_| text("결제".into()), PAGE_LINES as usize).await?;
    bench.search("rare_korean", |_| text(RARE_KOREAN.into()), rare).await?;
    bench.search("two_words", |_| text("재고 timed -GET".into()), 0).await?;
    bench.search("service_level_word", |_| Ok(narrow.clone()), PAGE_LINES as usize).await?;
    bench.search("last_hour", |_| Ok(hour.clone()), PAGE_LINES as usize).await?;
    bench
        .search(
            "level_alone",
            |_| Ok(Query { levels: "error".parse()?, ..Query::default() }),
            PAGE_LINES as usize,
        )
        .await?;
    bench
        .search(
            "trace",
            |n| Ok(Query { trace_id: Some(log_lines::trace_id(some(n))), ..Query::default() }),
            1,
        )
        .await?;
    let width_ns = (end.0 - FIRST_AT) / 60;
    let span = Span { from: UnixNanos(FIRST_AT), width_ns, buckets: 60 };
    bench.histogram("all", &Query::default(), span).await?;
    bench.histogram("rare_word", &text(RARE_WORD.into())?, span).await?;
    bench.histogram("common_word", &text("GET".into())?, span).await?;
    report.finish()?;
    store.close().await;
    for (what, p99) in [("part of an id", substring), ("a text that is nowhere", absent)] {
        ensure!(p99 < SUBSTRING_MS_MAX, "{what} takes {p99:.0} ms to look for, {SUBSTRING_MS_MAX} allowed");
    }
    Ok(())
}

fn step(first: u64) -> Advance {
    let mark = |offset| Mark { generation: 1, offset };
    Advance { from: (first > 0).then(|| mark(first)), to: mark(first + COMMIT_LINES), ..Advance::default() }
}

struct Bench<'a> {
    store: &'a SqliteLogs,
    report: &'a mut Report,
}

impl Bench<'_> {
    /// Searches until everything was looked at or a page is full; gives the 99th percentile in
    /// milliseconds.
    async fn search(
        &mut self,
        name: &str,
        query: impl Fn(u64) -> Result<Query>,
        at_least: usize,
    ) -> Result<f64> {
        let (mut times, mut rounds_max) = (Vec::new(), 0);
        for number in 0..SEARCHES {
            let query = query(number)?;
            let (begun, mut found, mut before, mut rounds) = (Instant::now(), 0, None, 0);
            loop {
                let page =
                    self.store.search(query.clone(), PageRequest { before, limit: PAGE_LINES }).await?;
                found += page.lines.len();
                rounds += 1;
                before = page.next;
                if before.is_none() || found >= PAGE_LINES as usize {
                    break;
                }
            }
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            rounds_max = rounds_max.max(rounds);
            ensure!(found >= at_least, "{name} {number}: {found} lines found, {at_least} expected");
        }
        times.sort_by(f64::total_cmp);
        let p99 = times[times.len() * 99 / 100];
        self.report.figure(format!("{name}_p50_ms"), median(&times)).figure(format!("{name}_p99_ms"), p99);
        if rounds_max > 1 {
            self.report.figure(format!("{name}_answers"), f64::from(rounds_max));
        }
        Ok(p99)
    }

    async fn histogram(&mut self, name: &str, query: &Query, span: Span) -> Result<()> {
        let mut times = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            std::hint::black_box(self.store.histogram(query.clone(), span).await?);
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        self.report.figure(format!("histogram_{name}_p50_ms"), median(&times));
        Ok(())
    }
}
