//! How full a host is: the fullest of its processor, memory and disks.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What is fullest, and how full, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fullness {
    /// `cpu`, `memory` or `disk`.
    pub of: &'static str,
    /// From 0 to 1.
    pub value: f64,
}

/// Metrics whose readings are utilisations, and what they fill.
const METRICS: [(&str, &str); 3] = [
    ("system.memory.utilization", "memory"),
    ("system.filesystem.utilization", "disk"),
    ("system.disk.utilization", "disk"),
];

/// Modes of a processor that are not work.
const IDLE_MODES: [&str; 2] = ["mode=\"idle\"", "mode=\"iowait\""];

/// The fullest part of a host by the readings of one second; none when nothing was read.
#[must_use]
pub fn fullest(gauges: &BTreeMap<Arc<str>, f64>) -> Option<Fullness> {
    let mut cpu = None;
    let mut fullest: Option<Fullness> = None;
    for (key, value) in gauges {
        let name = key.split('{').next().unwrap_or(key);
        if name == "system.cpu.utilization" {
            let works = !IDLE_MODES.iter().any(|mode| key.contains(mode));
            *cpu.get_or_insert(0.0) += if works { *value } else { 0.0 };
        } else if let Some((_, of)) = METRICS.iter().find(|(metric, _)| *metric == name) {
            keep_larger(&mut fullest, Fullness { of, value: *value });
        }
    }
    if let Some(value) = cpu {
        keep_larger(&mut fullest, Fullness { of: "cpu", value });
    }
    fullest
}

fn keep_larger(fullest: &mut Option<Fullness>, other: Fullness) {
    if fullest.is_none_or(|known| other.value > known.value) {
        *fullest = Some(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modes_of_a_processor_that_work_are_added() {
        let gauges = BTreeMap::from([
            ("system.cpu.utilization{mode=\"user\"}".into(), 0.5),
            ("system.cpu.utilization{mode=\"system\"}".into(), 0.25),
            ("system.cpu.utilization{mode=\"idle\"}".into(), 0.25),
            ("system.memory.utilization".into(), 0.6),
        ]);
        assert_eq!(fullest(&gauges), Some(Fullness { of: "cpu", value: 0.75 }));
    }

    #[test]
    fn a_host_without_readings_has_no_fullness() {
        assert_eq!(fullest(&BTreeMap::from([("queue.length".into(), 7.0)])), None);
    }
}
