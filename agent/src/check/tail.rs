//! One tailed input: its files, and what the newest lines would become.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use goldentime_model::config::Check;
use goldentime_runtime::{Clock, SystemClock};

use super::nginx::AccessLog;
use crate::aggregate::Aggregator;
use crate::config::Config;
use crate::inputs::parse::config::{Config as ParseConfig, Format};
use crate::inputs::parse::instant::Zone;
use crate::inputs::parse::{Fields, Parser};
use crate::inputs::redact::redact;
use crate::inputs::route::{Router, Source};
use crate::inputs::tail::{Config as TailConfig, Tail, preview};

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

/// Writes what `input` would read, and refuses what keeps it from being read.
pub(super) fn check(
    config: &Config,
    input: &TailConfig,
    source: Source,
    nginx: &[AccessLog],
    check: &mut Check,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "\ntail `{}`", input.name())?;
    let tail = match Tail::new(input.clone(), &config.routes, source.clone()) {
        Ok(tail) => tail,
        Err(error) => {
            check.refuse("", error.to_string());
            return Ok(());
        }
    };
    for advice in tail.advice().into_iter().chain(coarse_time(&input.format)).chain(useless(input)) {
        writeln!(out, "  advice: {advice}")?;
    }
    let (files, unlisted) = tail.files();
    for folder in unlisted {
        check.refuse("paths", format!("{folder}; the agent's user needs to read it"));
    }
    if files.is_empty() {
        let paths = input.paths.join(", ");
        writeln!(out, "  no file matches {paths} yet; it is read as soon as it appears")?;
        for folder in tail.missing_folders() {
            writeln!(out, "  advice: the folder {} is not there; is the path right?", folder.display())?;
        }
        return Ok(());
    }
    let bytes: u64 = files.iter().map(|(_, size)| size).sum();
    let many = if files.len() == 1 { "file" } else { "files" };
    writeln!(out, "  {} {many}, {:.1} MiB", files.len(), bytes as f64 / f64::from(1 << 20))?;
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
    let unreadable = files.iter().filter_map(|(path, _)| Some((path, File::open(path).err()?)));
    let unreadable: Vec<_> = unreadable.collect();
    if let Some((path, error)) = unreadable.first() {
        let others = match unreadable.len() - 1 {
            0 => String::new(),
            others => format!(" (and {others} more)"),
        };
        let message = format!("cannot read {}: {error}{others}; the agent's user needs to", path.display());
        check.refuse("paths", message);
    }
    match newest(&files).and_then(|path| Some((path, end_of(path).ok()?))) {
        Some((path, end)) => {
            let records = end.records(&tail);
            let word = if input.multiline_start.is_some() { "record" } else { "line" };
            let many = if records.len() == 1 { "" } else { "s" };
            writeln!(out, "  the last {} {word}{many} of {}", records.len(), path.display())?;
            sample(config, input, source, &records, check, out)?;
        }
        None if unreadable.is_empty() => writeln!(out, "  nothing is written yet")?,
        None => {}
    }
    Ok(())
}

/// Counts lines in a shard of their own, which nobody flushes, and shows what is in it.
fn sample(
    config: &Config,
    input: &TailConfig,
    source: Source,
    lines: &[&[u8]],
    check: &mut Check,
    out: &mut impl Write,
) -> io::Result<()> {
    let parse = ParseConfig { format: input.format.clone(), fields: input.fields.clone() };
    let (Ok(mut parser), Ok(mut router)) =
        (Parser::new(&parse, Zone::of_host(), input.ship_logs), Router::new(&config.routes, source))
    else {
        return Ok(());
    };
    let aggregator = Aggregator::new(config.limits.clone(), Arc::new(SystemClock));
    let shard = aggregator.open_shard(&input.name());
    let (mut unread, mut without_duration, mut without_time, mut shown) = (0, 0, 0, 0);
    for line in lines {
        let read = parser.read(line);
        if shown < LINES_SHOWN {
            shown += 1;
            if let Ok(fields) = &read {
                writeln!(out, "    read:   {}", said(fields))?;
            }
            if input.ship_logs {
                let record = preview(line, read.as_ref().ok());
                writeln!(out, "    record: {}", shortened(&record))?;
            }
        }
        match read {
            Ok(fields) => {
                without_duration += usize::from(fields.duration_is_unread);
                without_time += usize::from(fields.time_is_unread);
                // A shard of default size has room for every line of a sample.
                let _ = router.count(&fields, SystemClock.now(), &mut shard.lock());
            }
            Err(reason) => {
                if unread == 0 {
                    let head = String::from_utf8_lossy(line);
                    writeln!(out, "    unread: {reason}: {}", shortened(&redact(&head)))?;
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
        writeln!(
            out,
            "    ships:  {service} {} {} ({requests} request{})",
            key.method,
            key.endpoint,
            if *requests == 1 { "" } else { "s" }
        )?;
    }
    if series.len() > SERIES_SHOWN {
        writeln!(out, "    and {} more series", series.len() - SERIES_SHOWN)?;
    }
    if input.ship_logs {
        writeln!(out, "    ships:  each of them as a log record")?;
    }
    let duration =
        "is no number, so that they count without latency; does the format end where the lines do?";
    let time = "is of no known form, so that they count at the instant they are read; write ISO 8601, or seconds \
                since the epoch";
    let parts = [("duration", without_duration, duration), ("time", without_time, time)];
    for (part, count, what) in parts.into_iter().filter(|(_, count, _)| *count > 0) {
        let message = format!("the {part} of {count} of them {what}");
        if count == lines.len() {
            check.refuse("format", message);
        } else {
            writeln!(out, "    advice: {message}")?;
        }
    }
    if unread == lines.len() && unread > 0 {
        check.refuse(
            "format",
            "not one of the last lines has the configured format; hold it against the first above",
        );
    } else if unread > 0 {
        writeln!(
            out,
            "    advice: {unread} of them do not have the configured format, and are counted as such"
        )?;
    }
    Ok(())
}

/// What was read from a line.
fn said(fields: &Fields<'_>) -> String {
    let text = |bytes: &[u8]| redact(&String::from_utf8_lossy(bytes)).into_owned();
    let mut said = vec![text(&fields.method), text(&fields.path)];
    said.retain(|part| !part.is_empty());
    said.extend(fields.status.map(|status| format!("status {status}")));
    said.extend(fields.duration_s.map(|seconds| format!("{seconds} s")));
    said.extend(fields.duration_is_unread.then(|| "NO READABLE DURATION".to_owned()));
    said.extend(fields.time_is_unread.then(|| "NO READABLE TIME".to_owned()));
    said.extend(
        fields
            .at
            .map(|at| format!("at {}", jiff::Timestamp::from_nanosecond(at.0.into()).unwrap_or_default())),
    );
    if said.is_empty() { "speaks of no request".into() } else { said.join(", ") }
}

/// A text in one line of a terminal.
fn shortened(text: &str) -> String {
    let text = text.replace('\n', "\\n");
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let end = text.floor_char_boundary(LINE_BYTES_SHOWN);
    if end < text.len() { format!("{} ...", &text[..end]) } else { text }
}

/// Plain lines are records of a log, or nothing.
fn useless(input: &TailConfig) -> Option<&'static str> {
    let is_useless = input.format == Format::Plain && !input.ship_logs;
    is_useless.then_some("plain lines speak of no requests: set `ship_logs: true`, or nothing is shipped")
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

/// The end of a file.
struct End {
    bytes: Vec<u8>,
    /// It begins in the midst of a record.
    begins_inside: bool,
}

impl End {
    /// The whole lines or records in it.
    fn records(&self, tail: &Tail) -> Vec<&[u8]> {
        let whole = self.bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let mut records = tail.records(&self.bytes[..whole]);
        if self.begins_inside && !records.is_empty() {
            records.remove(0);
        }
        records.retain(|record| !record.is_empty());
        records
    }
}

/// The last [`SAMPLE_BYTES`] of a file.
fn end_of(path: &Path) -> io::Result<End> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let from = size.saturating_sub(SAMPLE_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(SAMPLE_BYTES).read_to_end(&mut bytes)?;
    Ok(End { bytes, begins_inside: from > 0 })
}
