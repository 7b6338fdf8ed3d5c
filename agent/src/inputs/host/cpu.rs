//! CPU time by mode (proc(5), `/proc/stat`), steal among them, and load.

use super::proc::{Proc, increase, number};
use super::reading::Reading;

/// Modes in the order of `/proc/stat`. Guest time is part of user time there.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// Reads CPU time.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    before: Option<[u64; MODES.len()]>,
}

impl Cpu {
    /// `system.cpu.utilization{mode}`: share of all cores' time since the last reading; modes sum up
    /// to 1. `system.cpu.busy`: all but idle and iowait. `system.cpu.load_average.1m` per core.
    pub(super) fn read(&mut self, proc: &mut Proc, reading: &mut Reading) {
        let Some(text) = proc.read("stat") else { return };
        let cores = text.lines().filter(|line| is_core(line)).count().max(1);
        let Some(line) = text.lines().find(|line| line.starts_with("cpu ")) else { return };
        let fields: Vec<&str> = line.split_ascii_whitespace().skip(1).collect();
        let now: [u64; MODES.len()] = std::array::from_fn(|at| number(&fields, at));
        if let Some(before) = self.before.replace(now) {
            let spent: [u64; MODES.len()] = std::array::from_fn(|at| increase(now[at], before[at]));
            let all = spent.iter().sum::<u64>().max(1) as f64;
            for (mode, spent) in MODES.iter().zip(spent) {
                reading.gauge("system.cpu.utilization", "1", &[("mode", mode)], spent as f64 / all);
            }
            let idle = (spent[3] + spent[4]) as f64;
            reading.gauge("system.cpu.busy", "1", &[], (all - idle).max(0.0) / all);
        }
        let load = proc.read("loadavg").and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
        if let Some(load) = load {
            reading.gauge("system.cpu.load_average.1m", "1", &[], load / cores as f64);
        }
    }
}

fn is_core(line: &str) -> bool {
    line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
