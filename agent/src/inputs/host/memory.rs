//! Memory and swap (`/proc/meminfo`).

use super::proc::Proc;
use super::reading::Reading;

/// `system.memory.utilization`: share that is neither free nor can be freed without swapping
/// (`MemAvailable`). `system.memory.usage{state}` in bytes; `system.paging.utilization`: share of swap.
pub(super) fn read(proc: &mut Proc, reading: &mut Reading) {
    let Some(text) = proc.read("meminfo") else { return };
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024.0)
    };
    let (total, available) = (value("MemTotal"), value("MemAvailable"));
    let (swap, swap_free) = (value("SwapTotal"), value("SwapFree"));
    if let (Some(total), Some(available)) = (total, available)
        && total > 0.0
    {
        reading.gauge("system.memory.utilization", "1", &[], (total - available) / total);
        reading.gauge("system.memory.usage", "By", &[("state", "used")], total - available);
        reading.gauge("system.memory.usage", "By", &[("state", "available")], available);
    }
    if let (Some(swap), Some(free)) = (swap, swap_free)
        && swap > 0.0
    {
        reading.gauge("system.paging.utilization", "1", &[], (swap - free) / swap);
    }
}
