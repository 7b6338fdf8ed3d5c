//! How full a host is: the fullest of its processor, memory and disks. How full a service is by its own
//! readings, where an agent reads it: the same of what it may use.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What is fullest, and how full, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fullness {
    /// `cpu`, `memory`, `disk`, `files` or `tasks`.
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

/// Metrics of a service whose readings are utilisations, and what they fill.
const OWN_METRICS: [(&str, &str); 6] = [
    ("container.cpu.utilization", "cpu"),
    ("process.cpu.utilization", "cpu"),
    ("container.memory.utilization", "memory"),
    ("process.memory.utilization", "memory"),
    ("process.unix.file_descriptor.utilization", "files"),
    ("container.pids.utilization", "tasks"),
];

/// Beginning of the label that names a reading's host.
const HOST_LABEL: &str = "host=\"";

/// Adds one gauge of a service to what is fullest on each host, if it tells how full something is.
pub fn keep_own(fullest: &mut BTreeMap<Arc<str>, Fullness>, key: &str, value: f64) {
    let (name, labels) = key.split_once('{').unwrap_or((key, ""));
    let Some((_, of)) = OWN_METRICS.iter().find(|(metric, _)| *metric == name) else { return };
    let labels = labels.trim_end_matches('}').split(',');
    let host = labels.filter_map(|label| label.strip_prefix(HOST_LABEL)?.strip_suffix('"')).next();
    let host = host.unwrap_or_default();
    let own = Fullness { of, value };
    match fullest.get_mut(host) {
        Some(known) if known.value >= value => {}
        Some(known) => *known = own,
        None => drop(fullest.insert(host.into(), own)),
    }
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
    fn a_service_is_as_full_as_the_fullest_of_what_it_may_use_on_each_host() {
        let mut fullest = BTreeMap::new();
        for (key, value) in [
            (r#"container.memory.utilization{host="web-1",unit="a.service"}"#, 0.5),
            (r#"container.cpu.utilization{host="web-1",unit="a.service"}"#, 0.7),
            (r#"container.pids.utilization{host="web-1",unit="a.service"}"#, 0.6),
            (r#"process.unix.file_descriptor.utilization{host="web-2",unit="a.service"}"#, 0.2),
            (r#"container.memory.usage{host="web-2",unit="a.service"}"#, 900.0),
        ] {
            keep_own(&mut fullest, key, value);
        }
        assert_eq!(fullest["web-1"], Fullness { of: "cpu", value: 0.7 });
        assert_eq!(fullest["web-2"], Fullness { of: "files", value: 0.2 });
    }

    #[test]
    fn a_host_without_readings_has_no_fullness() {
        assert_eq!(fullest(&BTreeMap::from([("queue.length".into(), 7.0)])), None);
    }
}
