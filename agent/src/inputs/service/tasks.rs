//! Tasks (processes and their threads) of a cgroup against their limit.

use super::hierarchy::{Base, Hierarchy, ancestry};
use super::kernel_file::{KernelFile, Text};
use crate::inputs::host::reading::Reading;

/// Reads tasks.
#[derive(Debug)]
pub(super) struct Tasks {
    current: Option<KernelFile>,
    base: Option<Base>,
    /// The least of the ancestry.
    limit: Option<u64>,
}

impl Tasks {
    pub(super) fn new(hierarchy: &Hierarchy, path: &str) -> Self {
        let base = hierarchy.tasks.clone();
        let current = base.as_ref().map(|base| KernelFile::new(base.at(path).join("pids.current")));
        Self { current, base, limit: None }
    }

    /// Looks the limits up.
    pub(super) fn refresh(&mut self, path: &str) {
        self.current.iter_mut().for_each(KernelFile::retry);
        self.limit = self.base.as_ref().and_then(|base| {
            let own = |path: &str| -> Option<u64> {
                std::fs::read_to_string(base.at(path).join("pids.max")).ok()?.trim().parse().ok()
            };
            ancestry(path).filter_map(own).filter(|limit| *limit > 0).min()
        });
    }

    /// `container.pids.count`, and `container.pids.utilization` where there is a limit.
    pub(super) fn read(&mut self, reading: &mut Reading, label: (&str, &str), text: &mut Text) {
        let Some(current) = self.current.as_mut().and_then(|file| file.number(text)) else { return };
        reading.gauge("container.pids.count", "{task}", &[label], current as f64);
        if let Some(limit) = self.limit {
            reading.gauge("container.pids.utilization", "1", &[label], current as f64 / limit as f64);
        }
    }
}
