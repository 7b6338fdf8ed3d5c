//! What a process takes while it runs: memory, processor, open files, disk; and whether it levels off.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use goldentime_testkit::process::Process;
use tokio::time::Instant;

/// How often is looked.
pub const EVERY: Duration = Duration::from_secs(5);

/// One look.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Seconds since the start.
    pub at_s: f64,
    /// Processor time used so far, in seconds.
    pub cpu_s: f64,
    /// Resident memory.
    pub rss_mib: f64,
    /// Open file descriptors.
    pub descriptors: f64,
    /// What its folder takes.
    pub disk_mib: f64,
}

/// Looks at a process and its folder.
pub struct Watch {
    folder: PathBuf,
    start: Instant,
    /// All looks so far.
    pub readings: Vec<Reading>,
}

impl Watch {
    /// Looks at what is below `folder` too.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), start: Instant::now(), readings: Vec::new() }
    }

    /// Looks once, and says every minute what was seen.
    pub fn look(&mut self, process: &Process) -> Result<()> {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", process.pid()))?.count();
        let reading = Reading {
            at_s: self.start.elapsed().as_secs_f64(),
            cpu_s: process.cpu_time().as_secs_f64(),
            rss_mib: mib(process.rss_bytes()),
            descriptors: descriptors as f64,
            disk_mib: mib(bytes_below(&self.folder)),
        };
        if self.readings.len().is_multiple_of(12) {
            println!(
                "  {:5.1} min: {:7.1} MiB resident, {:4.0} descriptors, {:8.1} MiB on disk, {:6.1} s of processor",
                reading.at_s / 60.0,
                reading.rss_mib,
                reading.descriptors,
                reading.disk_mib,
                reading.cpu_s
            );
        }
        self.readings.push(reading);
        Ok(())
    }

    /// Share of one core over the whole time.
    #[must_use]
    pub fn core_share(&self) -> f64 {
        match (self.readings.first(), self.readings.last()) {
            (Some(first), Some(last)) => (last.cpu_s - first.cpu_s) / (last.at_s - first.at_s),
            _ => f64::NAN,
        }
    }

    /// What a file, or all files below a folder, of the watched folder take now, in MiB.
    #[must_use]
    pub fn part_mib(&self, name: &str) -> f64 {
        let path = self.folder.join(name);
        let bytes =
            if path.is_dir() { bytes_below(&path) } else { path.metadata().map_or(0, |data| data.len()) };
        mib(bytes)
    }

    /// How much a figure grew over the last third of the time, by a line through its readings.
    #[must_use]
    pub fn growth(&self, figure: impl Fn(&Reading) -> f64) -> f64 {
        let third = &self.readings[self.readings.len() * 2 / 3..];
        let points: Vec<(f64, f64)> = third.iter().map(|reading| (reading.at_s, figure(reading))).collect();
        let length_s = points.last().map_or(0.0, |(at, _)| at - points[0].0);
        slope(&points) * length_s
    }

    /// The highest value of a figure.
    #[must_use]
    pub fn max(&self, figure: impl Fn(&Reading) -> f64) -> f64 {
        self.readings.iter().map(figure).fold(f64::NAN, f64::max)
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Slope of the line of least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let over: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    over / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

/// Files that vanish meanwhile count nothing.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => bytes_below(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_of_the_last_third_alone() {
        let mut watch = Watch::new(Path::new("/nonexistent"));
        for at in 0..90_u32 {
            // Steep at first, then 2 for every second.
            let rss_mib = if at < 60 { f64::from(at * 10) } else { f64::from(600 + (at - 60) * 2) };
            let (at_s, zero) = (f64::from(at), 0.0);
            watch.readings.push(Reading { at_s, cpu_s: zero, rss_mib, descriptors: zero, disk_mib: zero });
        }
        assert!((watch.growth(|reading| reading.rss_mib) - 58.0).abs() < 1e-9);
        assert!((watch.max(|reading| reading.rss_mib) - 658.0).abs() < 1e-9);
    }
}
