//! One tailed input: its files, and what the newest lines would become.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use goldentime_runtime::{Clock, SystemClock};

use super::nginx::AccessLog;
use crate::aggregate::Aggregator;
use crate::config::Config;
use crate::inputs::parse::config::{Config as ParseConfig, Format};
use crate::inputs::parse::instant::Zone;
use crate::inputs::parse::{Fields, Parser};
use crate::inputs::redact::redact;
use crate::inputs::route::{Router, Source};
use crate::inputs::tail::{Config as TailConfig, Tail};

/// Files named one by one.
const FILES_SHOWN: usize = 10;
/// How much of the newest file's end is read.
const SAMPLE_BYTES: u64 = 64 << 10;
/// Lines shown one by one.
const LINES_SHOWN: usize = 3;
/// Series shown.
const SERIES_SHOWN: usize = 12;
/// Bytes shown of a line.
const LINE_BYTES_SHOWN: usize = 160;

/// Writes what `input` would read, and gives the number of problems.
pub(super) fn check(
    config: &Config,
    input: &TailConfig,
    source: Source,
    nginx: &[AccessLog],
    out: &mut impl Write,
) -> io::Result<usize> {
    writeln!(out, "\ntail `{}`", input.name())?;
    let tail = match Tail::new(input.clone(), &config.routes, source.clone()) {
        Ok(tail) => tail,
        Err(error) => {
            writeln!(out, "  PROBLEM: {error}")?;
            return Ok(1);
        }
    };
    for advice in tail.advice().into_iter().chain(coarse_time(&input.format)) {
        writeln!(out, "  advice: {advice}")?;
    }
    let files = tail.files();
    if files.is_empty() {
        writeln!(out, "  no file yet matches {}; it is read as soon as it appears", input.paths.join(", "))?;
        return Ok(0);
    }
    let bytes: u64 = files.iter().map(|(_, size)| size).sum();
    writeln!(out, "  {} files, {:.1} MiB", files.len(), bytes as f64 / f64::from(1 << 20))?;
    for (path, size) in files.iter().take(FILES_SHOWN) {
        writeln!(out, "    {} ({size} bytes)", path.display())?;
        for log in nginx.iter().filter(|log| log.path == *path && log.is_buffered) {
            writeln!(
                out,
                "    advice: nginx writes this log in blocks ({}): its lines come late. Take out `buffer=`, \
                 `flush=` and `gzip` from `access_log`",
                log.place
            )?;
        }
    }
    if files.len() > FILES_SHOWN {
        writeln!(out, "    and {} more", files.len() - FILES_SHOWN)?;
    }
    let mut problems = 0;
    for (path, _) in files.iter().take(FILES_SHOWN) {
        if let Err(error) = File::open(path) {
            writeln!(out, "  PROBLEM: cannot read {}: {error}; the agent's user needs to", path.display())?;
            problems += 1;
        }
    }
    match newest(&files).map(|path| (path, last_lines(path))) {
        Some((path, Ok(lines))) if !lines.is_empty() => {
            writeln!(out, "  the last {} lines of {}", lines.len(), path.display())?;
            problems += sample(config, input, source, &lines, out)?;
        }
        _ => writeln!(out, "  nothing is written yet")?,
    }
    Ok(problems)
}

/// Counts lines in a shard of their own, which nobody flushes, and shows what is in it.
fn sample(
    config: &Config,
    input: &TailConfig,
    source: Source,
    lines: &[Vec<u8>],
    out: &mut impl Write,
) -> io::Result<usize> {
    let parse = ParseConfig { format: input.format.clone(), fields: input.fields.clone() };
    let (Ok(mut parser), Ok(mut router)) =
        (Parser::new(&parse, Zone::of_host(), input.ship_logs), Router::new(&config.routes, source))
    else {
        return Ok(0);
    };
    let aggregator = Aggregator::new(config.limits.clone(), Arc::new(SystemClock));
    let shard = aggregator.open_shard(&input.name());
    let (mut unread, mut shown) = (0, 0);
    for line in lines {
        match parser.read(line) {
            Ok(fields) => {
                if shown < LINES_SHOWN {
                    shown += 1;
                    writeln!(out, "    read:   {}", said(&fields))?;
                }
                // A shard of default size has room for every line of a sample.
                let _ = router.count(&fields, SystemClock.now(), &mut shard.lock());
            }
            Err(reason) => {
                if unread == 0 {
                    let head =
                        String::from_utf8_lossy(&line[..line.len().min(LINE_BYTES_SHOWN)]).into_owned();
                    writeln!(out, "    unread: {reason}: {}", redact(&head))?;
                }
                unread += 1;
            }
        }
    }
    let mut series = Vec::new();
    for service in shard.drain().services {
        for delta in service.series {
            let requests: u64 = delta.buckets.iter().map(|bucket| bucket.counts.total()).sum();
            series.push((requests, service.service.clone(), delta.key));
        }
    }
    series.sort_by_key(|(requests, ..)| std::cmp::Reverse(*requests));
    for (requests, service, key) in series.iter().take(SERIES_SHOWN) {
        writeln!(out, "    ships:  {service} {} {} ({requests} requests)", key.method, key.endpoint)?;
    }
    if series.len() > SERIES_SHOWN {
        writeln!(out, "    and {} more series", series.len() - SERIES_SHOWN)?;
    }
    if input.ship_logs {
        writeln!(out, "    ships:  each line as a log record")?;
    }
    if unread == lines.len() {
        writeln!(out, "  PROBLEM: not one line has the configured format")?;
        return Ok(1);
    }
    Ok(0)
}

/// What was read from a line.
fn said(fields: &Fields<'_>) -> String {
    let text = |bytes: &[u8]| redact(&String::from_utf8_lossy(bytes)).into_owned();
    let mut said = vec![text(&fields.method), text(&fields.path)];
    said.retain(|part| !part.is_empty());
    said.extend(fields.status.map(|status| format!("status {status}")));
    said.extend(fields.duration_s.map(|seconds| format!("{seconds} s")));
    said.extend(
        fields
            .at
            .map(|at| format!("at {}", jiff::Timestamp::from_nanosecond(at.0.into()).unwrap_or_default())),
    );
    if said.is_empty() { "a line that speaks of no request".into() } else { said.join(", ") }
}

/// nginx stamps whole seconds unless told otherwise.
fn coarse_time(format: &Format) -> Option<&'static str> {
    let is_coarse = match format {
        Format::Combined => true,
        Format::Nginx { log_format } => log_format.contains("$time_") && !log_format.contains("$msec"),
        _ => false,
    };
    is_coarse.then_some("the time has whole seconds: add $msec to the log_format to get milliseconds")
}

fn newest(files: &[(PathBuf, u64)]) -> Option<&Path> {
    let written = files.iter().filter(|(_, size)| *size > 0);
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    written.max_by_key(|(path, _)| modified(path)).map(|(path, _)| path.as_path())
}

/// The whole lines in the last [`SAMPLE_BYTES`] of a file.
fn last_lines(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let from = size.saturating_sub(SAMPLE_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(SAMPLE_BYTES).read_to_end(&mut bytes)?;
    let begins_inside_a_line = usize::from(from > 0);
    let ends_inside_a_line = usize::from(bytes.last() != Some(&b'\n'));
    let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let whole = lines.len().saturating_sub(ends_inside_a_line);
    Ok(lines.into_iter().take(whole).skip(begins_inside_a_line).filter(|line| !line.is_empty()).collect())
}
