//! The report as a page of text.

use std::fmt::{self, Display, Formatter};

use super::report::Report;
use super::{services, uplink};

/// Shows a report for people.
pub struct Page<'a>(pub &'a Report);

impl Display for Page<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.0;
        writeln!(f, "goldentime-agent {} on {} (process {})", report.version, report.host, report.pid)?;
        writeln!(f, "  {}, up {}", report.doing, seconds(report.now.since(report.started_at)))?;
        writeln!(
            f,
            "  memory {} resident, {} at most by its bounds",
            size(report.resident_bytes),
            size(report.memory_bound_bytes)
        )?;
        self.inputs(f)?;
        self.statsd(f)?;
        self.host(f)?;
        services::write(f, &self.0.services)?;
        uplink::write(f, self.0)?;
        self.spool(f)?;
        self.flush(f)?;
        self.drops(f)
    }
}

impl Page<'_> {
    fn inputs(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for input in &self.0.inputs {
            let count =
                |name: &str| input.status.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
            writeln!(f, "\ninput {}", input.name)?;
            writeln!(
                f,
                "  {}, {} ({:.0} a second), {} behind",
                counted(count("files"), "file"),
                counted(count("lines"), "line"),
                input.lines_per_second,
                size(count("bytes_behind"))
            )?;
            if ["files", "unreadable", "files_away"].into_iter().all(|name| count(name) == 0) {
                writeln!(
                    f,
                    "  NO FILE matches its `paths` yet; `goldentime-agent check` says what is looked for"
                )?;
            }
            if let Some(first) = input.status.get("first_unreadable").and_then(serde_json::Value::as_str) {
                writeln!(f, "  CANNOT READ {}: {first}", counted(count("unreadable"), "path"))?;
            }
            let notes = [
                ("ignored", "ignored by a rule"),
                ("not_requests", "that speak of no request"),
                ("cut", "cut at the longest length"),
                ("invalid_utf8", "log records that were no UTF-8 and were repaired"),
                ("truncated_without_copy", "truncations or overwritten copies with lines that may be lost"),
                ("lost_files", "files gone whose end may be lost"),
                ("files_away", "files whose file system is not mounted; read on when it is back"),
                ("files_over_limit", "files over the limit"),
            ];
            for (name, words) in notes.into_iter().filter(|(name, _)| count(name) > 0) {
                writeln!(f, "  {:>12}  {words}", count(name))?;
            }
            let unparsed = input.status.get("unparsed").and_then(serde_json::Value::as_object);
            for (reason, unread) in unparsed.into_iter().flatten() {
                let text = |name: &str| unread.get(name).map(ToString::to_string).unwrap_or_default();
                writeln!(f, "  {:>12}  {reason}, the first: {}", text("lines"), text("sample"))?;
            }
        }
        Ok(())
    }

    fn host(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(host) = &self.0.host_input else { return Ok(()) };
        let age = host.last_at.map_or_else(
            || "not read yet".to_owned(),
            |at| format!("the last {} ago with {} values", seconds(self.0.now.since(at)), host.samples),
        );
        let every = seconds(i64::try_from(host.interval_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000));
        writeln!(f, "\ninput host\n  {} readings, one every {every}, {age}", host.readings)?;
        for (what, why) in &host.unavailable {
            writeln!(f, "  not available here: {what} ({why})")?;
        }
        Ok(())
    }

    fn statsd(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(report) = &self.0.statsd else { return Ok(()) };
        let status = &report.status;
        writeln!(f, "\ninput statsd")?;
        for listener in &status.listeners {
            writeln!(
                f,
                "  {}, kernel buffer {}, {} datagrams dropped there",
                listener.address,
                size(listener.buffer_bytes),
                listener.kernel_drops
            )?;
        }
        writeln!(
            f,
            "  {} metrics ({:.0} a second) in {} datagrams ({:.0} a second)",
            status.taken(),
            report.metrics_per_second,
            status.packets,
            report.packets_per_second
        )?;
        writeln!(
            f,
            "  {} requests, {} values in {} sample series, {} names and tags remembered",
            status.requests, status.sampled, status.series, status.contexts
        )?;
        let notes = [
            (status.ignored, "ignored by a rule"),
            (status.events, "events, shipped as log records"),
            (status.service_checks, "service checks"),
            (status.cut_packets, "datagrams cut at packet_bytes_max"),
        ];
        for (count, words) in notes.into_iter().filter(|(count, _)| *count > 0) {
            writeln!(f, "  {count:>12}  {words}")?;
        }
        for (reason, unread) in &status.malformed {
            writeln!(f, "  {:>12}  {reason}, the first: {:?}", unread.lines, unread.first)?;
        }
        Ok(())
    }

    fn spool(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let spool = &self.0.spool;
        writeln!(f, "\nspool {}", spool.path.display())?;
        writeln!(
            f,
            "  {} records kept, {} of {}; they leave some seconds after {taker} has them",
            spool.records,
            size(spool.bytes),
            size(spool.bytes_max),
            taker = if self.0.uplink.kafka.is_some() { "Kafka" } else { "the central" },
        )?;
        if let Some(aside) = &spool.moved_aside {
            writeln!(f, "  a damaged spool was moved to {}; what it held is lost", aside.display())?;
        }
        if spool.after_unclean_boot {
            writeln!(f, "  the machine went down: the last lines before that may be counted twice")?;
        }
        for stream in self.0.streams.iter().filter(|stream| stream.current || stream.bytes > 0) {
            let next: Vec<_> =
                stream.next.iter().map(|(partition, next)| format!("{partition}:{next}")).collect();
            writeln!(
                f,
                "  stream {} {:<8} {:<8} {:>10}  next {}",
                &stream.stream[..stream.stream.len().min(8)],
                stream.kind,
                if stream.current { "current" } else { "left" },
                size(stream.bytes),
                if next.is_empty() { "-".to_owned() } else { next.join(" ") },
            )?;
        }
        Ok(())
    }

    fn flush(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let flush = &self.0.flush;
        writeln!(
            f,
            "\nflushes {} ({} by the express lane), {} events, the last commit took {:.2} ms",
            flush.flushes, flush.express, flush.events, flush.last_commit_ms
        )?;
        if let Some(reason) = &flush.held_back {
            writeln!(f, "  HELD BACK: {reason}")?;
        }
        Ok(())
    }

    fn drops(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.drops.is_empty() {
            return writeln!(f, "\nnothing dropped");
        }
        writeln!(f, "\ndropped since the start")?;
        self.0.drops.iter().try_for_each(|(reason, events)| writeln!(f, "  {events:>12}  {reason}"))
    }
}

/// `1 file`, `2 files`.
fn counted(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

pub(super) fn or_none(text: &str) -> &str {
    if text.is_empty() { "(none yet)" } else { text }
}

pub(super) fn seconds(nanos: i64) -> String {
    let seconds = nanos.max(0) / 1_000_000_000;
    match seconds {
        0..60 => format!("{:.1} s", nanos.max(0) as f64 / 1e9),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// With the largest unit that leaves a number to read.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    let unit = (bytes.ilog2() as usize / 10).min(UNITS.len());
    format!("{:.1} {}", bytes as f64 / (1_u64 << (10 * unit)) as f64, UNITS[unit - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_their_digits() {
        let sizes = [0, 1023, 1536, 5 << 20, 1 << 30, 3 << 40].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.5 KiB", "5.0 MiB", "1.0 GiB", "3.0 TiB"]);
    }
}
