//! What each component may take at most, summed before anything is started.

use std::fmt;

use crate::config::Config;
use crate::ship::{flush, live, spool, uplink};

/// The program itself: code, stacks, allocator, metrics about itself, TLS.
const PROGRAM_BYTES: u64 = 24 << 20;

/// The bound that a component declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Component, as in the configuration.
    pub component: String,
    /// Most bytes that it takes.
    pub bytes: u64,
}

/// The components' bounds do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the components may take {} together, more than `memory_bytes_max` ({}) allows. Raise it, or lower what \
     takes most (`limits` are for each input):\n{}",
    mib(bounds.iter().map(|bound| bound.bytes).sum()),
    mib(*allowed),
    Table(bounds)
)]
pub struct TooMuch {
    bounds: Vec<Bound>,
    allowed: u64,
}

/// The bounds of all components that `config` asks for, largest first; refused when their sum is
/// over `memory_bytes_max`.
pub fn bounds(config: &Config) -> Result<Vec<Bound>, TooMuch> {
    let mut bounds = vec![
        bound("program", PROGRAM_BYTES),
        bound("spool", spool::MEMORY_BYTES_MAX),
        bound("flush", flush::MEMORY_BYTES_MAX),
        bound("uplink", uplink::MEMORY_BYTES_MAX + 2 * live::LIVE_BYTES_MAX as u64),
    ];
    if let Some(kafka) = &config.kafka {
        bounds.push(bound("kafka", uplink::kafka::memory_bytes_max(kafka)));
    }
    let shard_bytes = config.limits.memory_bytes_max() as u64;
    for tail in &config.inputs.tail {
        let component = format!("inputs.tail `{}`", tail.name());
        bounds.push(Bound { component, bytes: tail.memory_bytes_max() as u64 + shard_bytes });
    }
    if config.inputs.statsd.enabled {
        let bytes = config.inputs.statsd.memory_bytes_max(config.limits.samples_max) as u64;
        bounds.push(bound("inputs.statsd", bytes + shard_bytes));
    }
    if !config.inputs.services.is_empty() {
        let bytes = config.inputs.saturation.memory_bytes_max() as u64 + shard_bytes;
        bounds.push(bound("inputs.services", bytes));
    }
    if config.inputs.host.enabled {
        let bytes = config.inputs.host.memory_bytes_max() as u64 + shard_bytes;
        bounds.push(bound("inputs.host", bytes));
    }
    bounds.sort_by_key(|bound| std::cmp::Reverse(bound.bytes));
    let allowed = config.memory_bytes_max.get();
    if bounds.iter().map(|bound| bound.bytes).sum::<u64>() > allowed {
        return Err(TooMuch { bounds, allowed });
    }
    Ok(bounds)
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn bound(component: &str, bytes: u64) -> Bound {
    Bound { component: component.to_owned(), bytes }
}

/// Bounds as lines, one a component.
struct Table<'a>(&'a [Bound]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, bound) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "  {:>12}  {}", mib(bound.bytes), bound.component)?;
        }
        Ok(())
    }
}
