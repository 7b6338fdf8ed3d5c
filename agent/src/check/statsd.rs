//! The StatsD input: where it would listen, and what examples of metrics would become.

use std::io::{self, Write};
use std::sync::Arc;

use goldentime_model::config::Check;
use goldentime_runtime::{Clock, SystemClock};

use crate::aggregate::{Aggregator, Batch};
use crate::config::Config;
use crate::inputs::route::Source;
use crate::inputs::statsd::rules::{Role, Rule};
use crate::inputs::statsd::{Config as StatsdConfig, Statsd};

/// Lines as common clients send them, each held against the configured rules.
const EXAMPLES: [&str; 5] = [
    "http.request.time:12|ms|#service:shop,endpoint:/users/42,method:GET,status:503",
    "http.request.time:12|ms",
    "checkout.duration:0.25|d|#service:shop,resource_name:GET /cart",
    "http.requests:1|c|#service:shop,endpoint:/cart,status:200",
    "queue.length:17|g|#service:shop,queue:mail",
];
/// Where the kernel says how much room a socket may ask for.
const RMEM_MAX: &str = "/proc/sys/net/core/rmem_max";

/// Writes what the input would do, and refuses what keeps it from listening.
pub(super) fn check(
    config: &Config,
    source: Source,
    check: &mut Check,
    out: &mut impl Write,
) -> io::Result<()> {
    let statsd = &config.inputs.statsd;
    writeln!(out, "\nstatsd")?;
    let (places, _) = match Statsd::check(statsd, &config.routes, source.clone()) {
        Ok(checked) => checked,
        Err(error) => {
            check.refuse("", error.to_string());
            return Ok(());
        }
    };
    for address in &places.udp {
        writeln!(out, "  listens on udp {address}")?;
        if !address.ip().is_loopback() {
            writeln!(out, "    advice: StatsD knows no authentication: whoever reaches {address} may send")?;
        }
    }
    if let Some(place) = &places.unix {
        writeln!(out, "  listens on unix {}", place.path().display())?;
        if let Some(folder) = place.path().parent().filter(|folder| !folder.is_dir()) {
            check.refuse("unix.path", format!("the folder {} is not there; make it", folder.display()));
        }
    }
    if !places.udp.is_empty() {
        advise_buffer(statsd, out)?;
    }
    for (number, rule) in statsd.rules.iter().enumerate() {
        writeln!(out, "  rules[{number}]: {}", said(rule))?;
    }
    writeln!(out, "  what matches none of them is a sample")?;
    for example in EXAMPLES {
        writeln!(out, "    read:   {example}")?;
        writeln!(out, "    ships:  {}", example_ships(config, source.clone(), example))?;
    }
    Ok(())
}

/// The kernel gives a process without `CAP_NET_ADMIN` less than it asks for, and says nothing.
fn advise_buffer(statsd: &StatsdConfig, out: &mut impl Write) -> io::Result<()> {
    let allowed = std::fs::read_to_string(RMEM_MAX).ok().and_then(|text| text.trim().parse::<u64>().ok());
    match allowed {
        Some(allowed) if allowed < statsd.receive_buffer.get() => writeln!(
            out,
            "  advice: the kernel allows {allowed} of the {} bytes of `receive_buffer`, unless the agent has \
             CAP_NET_ADMIN: sysctl net.core.rmem_max={}",
            statsd.receive_buffer.get(),
            statsd.receive_buffer.get()
        ),
        _ => Ok(()),
    }
}

/// A rule in words.
fn said(rule: &Rule) -> String {
    let names = if rule.metrics.is_empty() { "any name".to_owned() } else { rule.metrics.join(", ") };
    let types = rule.types.iter().map(|kind| kind.as_str());
    let types = types.collect::<Vec<_>>().join(", ");
    let role = match rule.role {
        Role::Request => "requests",
        Role::Sample => "samples",
        Role::Ignore => "ignored",
    };
    let mut said =
        format!("{names}{} are {role}", if types.is_empty() { types } else { format!(" ({types})") });
    if !rule.needs.is_empty() {
        let needs: Vec<String> =
            rule.needs.iter().map(|need| format!("{need:?}").to_ascii_lowercase()).collect();
        said.push_str(&format!(", where name or tags tell {}", needs.join(" or ")));
    }
    said
}

/// What one line would become, in a shard of its own, which nobody flushes.
fn example_ships(config: &Config, source: Source, line: &str) -> String {
    let Ok((_, mut intake)) = Statsd::check(&config.inputs.statsd, &config.routes, source) else {
        return "nothing".to_owned();
    };
    let aggregator = Aggregator::new(config.limits.clone(), Arc::new(SystemClock));
    let shard = aggregator.open_shard("statsd");
    let now = SystemClock.now();
    // An empty shard of default size has room for one line and what it becomes.
    let _ = intake.take(line.as_bytes(), &[], now, &mut shard.lock());
    let _ = intake.tick(now, &mut shard.lock());
    shipped(&shard.drain())
}

fn shipped(batch: &Batch) -> String {
    for service in &batch.services {
        if let Some(series) = service.series.first() {
            let key = &series.key;
            let latency: Vec<String> = series
                .buckets
                .iter()
                .filter_map(|bucket| bucket.sketch.quantile(0.5))
                .map(|seconds| format!(", {:.0} ms", seconds * 1e3))
                .collect();
            let bad: u64 = series.buckets.iter().map(|bucket| bucket.counts.bad()).sum();
            let end = if bad > 0 { ", an error" } else { "" };
            let names = format!("{} {} {}", service.service, key.method, key.endpoint);
            return format!("a request of {names}{end}{}", latency.concat());
        }
        if let Some(sample) = service.samples.first() {
            let labels: Vec<String> =
                sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let many = if service.samples.len() > 1 { " and further ones" } else { "" };
            return format!(
                "the sample {} of {} {{{}}}{many}",
                sample.name,
                service.service,
                labels.join(",")
            );
        }
    }
    "nothing".to_owned()
}
