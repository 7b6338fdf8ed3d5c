//! Pressure stall information of a cgroup (the kernel's Documentation/accounting/psi.rst); version 2
//! only.

use super::hierarchy::Hierarchy;
use super::kernel_file::{KernelFile, Text};
use crate::inputs::host::pressure::stalled_us;
use crate::inputs::host::proc::increase;
use crate::inputs::host::reading::Reading;

const RESOURCES: [(&str, &str); 3] =
    [("cpu", "cpu.pressure"), ("memory", "memory.pressure"), ("io", "io.pressure")];
const KINDS: [&str; 2] = ["some", "full"];

/// Reads stall times.
#[derive(Debug)]
pub(super) struct Pressure {
    /// One for each resource; empty where there is no tree of version 2.
    files: Vec<KernelFile>,
    /// Microseconds stalled, by resource and kind.
    before: [[Option<u64>; KINDS.len()]; RESOURCES.len()],
}

impl Pressure {
    pub(super) fn new(hierarchy: &Hierarchy, path: &str) -> Self {
        let files = hierarchy
            .pressure
            .iter()
            .flat_map(|base| RESOURCES.map(|(_, name)| KernelFile::new(base.at(path).join(name))));
        Self { files: files.collect(), before: Default::default() }
    }

    pub(super) fn refresh(&mut self) {
        self.files.iter_mut().for_each(KernelFile::retry);
    }

    /// `container.pressure{resource,kind}`: share of the time since the last reading in which some or
    /// all of the cgroup's tasks waited.
    pub(super) fn read(&mut self, reading: &mut Reading, label: (&str, &str), text: &mut Text) {
        for ((file, before), (resource, _)) in self.files.iter_mut().zip(&mut self.before).zip(RESOURCES) {
            let read = file.read(text);
            for (kind, before) in KINDS.into_iter().zip(before) {
                let now = read.and_then(|text| stalled_us(text, kind));
                let (Some(now), Some(before), Some(elapsed_s)) =
                    (now, std::mem::replace(before, now), reading.elapsed_s)
                else {
                    continue;
                };
                let share = (increase(now, before) as f64 / 1e6 / elapsed_s).min(1.0);
                let labels = [label, ("resource", resource), ("kind", kind)];
                reading.gauge("container.pressure", "1", &labels, share);
            }
        }
    }
}
