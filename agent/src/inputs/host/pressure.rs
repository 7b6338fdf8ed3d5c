//! Pressure stall information (the kernel's Documentation/accounting/psi.rst): the share of time in
//! which work waited for CPU, memory or I/O.

use super::proc::{Proc, increase};
use super::reading::Reading;

const RESOURCES: [(&str, &str); 3] =
    [("cpu", "pressure/cpu"), ("memory", "pressure/memory"), ("io", "pressure/io")];
const KINDS: [&str; 2] = ["some", "full"];

/// Reads stall times.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    /// Microseconds stalled, by resource and kind.
    before: [[Option<u64>; KINDS.len()]; RESOURCES.len()],
}

impl Pressure {
    /// `system.pressure{resource,kind}`: share of the time since the last reading, exact where the
    /// kernel's own averages lag by ten seconds.
    pub(super) fn read(&mut self, proc: &mut Proc, reading: &mut Reading) {
        for (&(resource, file), before) in RESOURCES.iter().zip(&mut self.before) {
            let Some(text) = proc.read(file) else { continue };
            for (kind, before) in KINDS.iter().zip(before) {
                let Some(total) = stalled_us(text, kind) else { continue };
                if let (Some(before), Some(elapsed_s)) = (before.replace(total), reading.elapsed_s) {
                    let share = (increase(total, before) as f64 / 1e6 / elapsed_s).min(1.0);
                    let labels = [("resource", resource), ("kind", kind)];
                    reading.gauge("system.pressure", "1", &labels, share);
                }
            }
        }
    }
}

/// Microseconds stalled so far: all tasks (`full`) or at least one (`some`).
pub(in crate::inputs) fn stalled_us(text: &str, kind: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
    line.rsplit("total=").next()?.trim().parse().ok()
}
