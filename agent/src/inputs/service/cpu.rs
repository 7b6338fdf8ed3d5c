//! CPU time of a cgroup, its quota, and how often it was held back by it.

use std::fs;
use std::path::Path;

use super::hierarchy::{Base, Hierarchy, Version, ancestry};
use super::kernel_file::{KernelFile, Text, field};
use super::machine::Machine;
use crate::inputs::host::proc::increase;
use crate::inputs::host::reading::Reading;

/// Reads CPU time.
#[derive(Debug)]
pub(super) struct Cpu {
    /// `cpuacct.usage`; none where `cpu.stat` holds all.
    time: Option<KernelFile>,
    stat: Option<KernelFile>,
    limit_base: Option<Base>,
    /// CPUs that the quota allows, the least of the ancestry; none where there is no quota.
    limit: Option<f64>,
    before: Option<Counters>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    used_ns: u64,
    periods: u64,
    throttled_periods: u64,
    throttled_ns: u64,
}

impl Cpu {
    pub(super) fn new(hierarchy: &Hierarchy, path: &str) -> Self {
        let of_v1 = |base: &&Base| base.version == Version::V1;
        let time = hierarchy.cpu_time.as_ref().filter(of_v1);
        let stat = hierarchy.cpu_limit.as_ref().or(hierarchy.cpu_time.as_ref());
        Self {
            time: time.map(|base| KernelFile::new(base.at(path).join("cpuacct.usage"))),
            stat: stat.map(|base| KernelFile::new(base.at(path).join("cpu.stat"))),
            limit_base: hierarchy.cpu_limit.clone(),
            limit: None,
            before: None,
        }
    }

    /// Looks the limits up.
    pub(super) fn refresh(&mut self, path: &str) {
        [&mut self.time, &mut self.stat].into_iter().flatten().for_each(KernelFile::retry);
        self.limit = self.limit_base.as_ref().and_then(|base| {
            let quotas = ancestry(path).filter_map(|path| quota(&base.at(path), base.version));
            quotas.min_by(f64::total_cmp)
        });
    }

    /// `container.cpu.usage` in CPUs; `container.cpu.utilization`: share of the CPUs that the quotas of
    /// the ancestry allow, else of all; `container.cpu.throttled`: share of the quota's periods in which
    /// it was held back; `container.cpu.throttled_time`: for how long, all CPUs together, as increase.
    /// Gives the utilisation.
    pub(super) fn read(
        &mut self,
        reading: &mut Reading,
        label: (&str, &str),
        machine: &Machine,
        text: &mut Text,
    ) -> Option<f64> {
        let now = self.counters(text);
        let (Some(now), Some(before), Some(elapsed_s)) =
            (now, std::mem::replace(&mut self.before, now), reading.elapsed_s)
        else {
            return None;
        };
        let cpus = increase(now.used_ns, before.used_ns) as f64 / 1e9 / elapsed_s;
        let utilization = cpus / self.limit.unwrap_or(machine.cpus);
        reading.gauge("container.cpu.usage", "{cpu}", &[label], cpus);
        reading.gauge("container.cpu.utilization", "1", &[label], utilization);
        let periods = increase(now.periods, before.periods);
        if self.limit.is_some() || periods > 0 {
            let throttled = increase(now.throttled_periods, before.throttled_periods);
            let share = throttled as f64 / periods.max(throttled).max(1) as f64;
            reading.gauge("container.cpu.throttled", "1", &[label], share);
            let throttled_s = increase(now.throttled_ns, before.throttled_ns) as f64 / 1e9;
            reading.counter("container.cpu.throttled_time", "s", &[label], throttled_s);
        }
        Some(utilization)
    }

    fn counters(&mut self, text: &mut Text) -> Option<Counters> {
        let mut counters = Counters::default();
        if let Some(time) = &mut self.time {
            counters.used_ns = time.number(text)?;
        }
        let Some(stat) = self.stat.as_mut().and_then(|stat| stat.read(text)) else {
            // Without the controller there are no quotas; the time stands by itself in version 1.
            return self.time.is_some().then_some(counters);
        };
        if let Some(used_us) = field(stat, "usage_usec")
            && self.time.is_none()
        {
            counters.used_ns = used_us.saturating_mul(1000);
        }
        counters.periods = field(stat, "nr_periods").unwrap_or(0);
        counters.throttled_periods = field(stat, "nr_throttled").unwrap_or(0);
        let of_v2 = field(stat, "throttled_usec").map(|us| us.saturating_mul(1000));
        counters.throttled_ns = of_v2.or_else(|| field(stat, "throttled_time")).unwrap_or(0);
        Some(counters)
    }
}

/// CPUs that a cgroup's own quota allows.
fn quota(folder: &Path, version: Version) -> Option<f64> {
    let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let (quota, period) = match version {
        Version::V2 => {
            let text = text("cpu.max")?;
            let (quota, period) = text.trim().split_once(' ')?;
            (quota.parse::<f64>().ok()?, period.parse::<f64>().ok()?)
        }
        // A quota of -1 is none.
        Version::V1 => (
            text("cpu.cfs_quota_us")?.trim().parse::<f64>().ok()?,
            text("cpu.cfs_period_us")?.trim().parse::<f64>().ok()?,
        ),
    };
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}
