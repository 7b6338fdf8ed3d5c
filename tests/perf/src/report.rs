//! What a benchmark tells: a table for people, and `target/bench/<name>.json` for comparisons.

use std::path::PathBuf;
use std::{fs, io};

use serde_json::{Map, Value, json};

/// Figures of one benchmark.
///
/// Names of figures end in their unit (`insert_ns`, `rss_mib`); a `_ratio_` is how many times better
/// Goldentime is than the peer that was measured in the same run.
pub struct Report {
    name: &'static str,
    runs: u32,
    figures: Vec<(String, f64)>,
}

impl Report {
    /// A report without figures yet, of figures that are medians (or whatever their names say) of
    /// `runs` runs.
    #[must_use]
    pub fn new(name: &'static str, runs: u32) -> Self {
        Self { name, runs, figures: Vec::new() }
    }

    /// Adds a figure. A value that is not finite stands as `null` in the file.
    pub fn figure(&mut self, name: impl Into<String>, value: f64) -> &mut Self {
        self.figures.push((name.into(), value));
        self
    }

    /// Prints the table and writes the file, over one of an earlier run. Gives the file's path.
    pub fn finish(&self) -> io::Result<PathBuf> {
        let machine = machine();
        println!("{} — {} runs on {machine}", self.name, self.runs);
        let width = self.figures.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &self.figures {
            println!("  {name:<width$}  {}", readable(*value));
        }
        let figures: Map<String, Value> =
            self.figures.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let report = json!({ "name": self.name, "machine": machine, "runs": self.runs, "figures": figures });
        let folder = target_folder().join("bench");
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.json", self.name));
        fs::write(&path, format!("{report:#}\n"))?;
        println!("  written to {}", path.display());
        Ok(path)
    }
}

/// The middle of the values, the mean of the two middle ones if their number is even; NaN of none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[len / 2],
        len => f64::midpoint(sorted[len / 2 - 1], sorted[len / 2]),
    }
}

/// Four significant digits, and no exponent where people do not want one.
fn readable(value: f64) -> String {
    let decimals = match value.abs() {
        big if big >= 1000.0 => 0,
        middle if middle >= 10.0 => 1,
        small if small >= 0.01 || small == 0.0 => 3,
        _ => 6,
    };
    format!("{value:>14.decimals$}")
}

/// Processor, cores and memory, as far as the system tells.
fn machine() -> String {
    let field = |path: &str, key: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory_kib = field("/proc/meminfo", "MemTotal")
        .and_then(|total| total.trim_end_matches(" kB").parse::<u64>().ok())
        .unwrap_or(0);
    format!("{processor}, {cores} cores, {:.1} GiB", memory_kib as f64 / f64::from(1 << 20))
}

/// Where cargo puts what it builds: beside the workspace's `Cargo.toml` unless the environment says
/// otherwise.
#[must_use]
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || {
            let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
            let workspace = here.ancestors().nth(2).unwrap_or(&here).to_owned();
            workspace.join("target")
        },
        PathBuf::from,
    )
}
