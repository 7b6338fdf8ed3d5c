//! Disks (the kernel's Documentation/admin-guide/iostats.rst, `/proc/diskstats`).

use std::collections::HashMap;

use super::proc::{Proc, increase, number};
use super::reading::Reading;

/// Kernel sectors are 512 bytes whatever the device's are.
const SECTOR_BYTES: f64 = 512.0;

/// Reads disks.
#[derive(Debug, Default)]
pub(super) struct Disk {
    before: HashMap<String, Counters>,
}

#[derive(Clone, Copy, Debug)]
struct Counters {
    reads: u64,
    sectors_read: u64,
    read_ms: u64,
    writes: u64,
    sectors_written: u64,
    write_ms: u64,
    busy_ms: u64,
    weighted_ms: u64,
}

impl Disk {
    /// For each whole disk: `system.disk.utilization` (share of time with a request in flight),
    /// `system.disk.operation_time` (mean seconds a request), `system.disk.queue` (mean requests in
    /// flight), `system.disk.io{direction}` in bytes. Partitions, loop and RAM devices are left out.
    pub(super) fn read(&mut self, proc: &mut Proc, reading: &mut Reading, devices_max: usize) -> u64 {
        let Some(text) = proc.read("diskstats") else { return 0 };
        let mut seen: Vec<&str> = Vec::new();
        let mut over_limit = 0;
        let mut now_all = HashMap::new();
        for line in text.lines() {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let Some(&device) = fields.get(2) else { continue };
            // A partition follows its disk and begins with its name.
            let is_part = seen.iter().any(|disk| is_partition_of(device, disk));
            if is_part || ["loop", "ram", "zram", "sr", "fd"].iter().any(|kind| device.starts_with(kind)) {
                continue;
            }
            seen.push(device);
            if now_all.len() >= devices_max {
                over_limit += 1;
                continue;
            }
            let now = Counters {
                reads: number(&fields, 3),
                sectors_read: number(&fields, 5),
                read_ms: number(&fields, 6),
                writes: number(&fields, 7),
                sectors_written: number(&fields, 9),
                write_ms: number(&fields, 10),
                busy_ms: number(&fields, 12),
                weighted_ms: number(&fields, 13),
            };
            if let (Some(before), Some(elapsed_s)) = (self.before.get(device), reading.elapsed_s) {
                say(device, now, *before, elapsed_s, reading);
            }
            now_all.insert(device.to_owned(), now);
        }
        self.before = now_all;
        over_limit
    }
}

fn is_partition_of(device: &str, disk: &str) -> bool {
    device.strip_prefix(disk).is_some_and(|rest| {
        let number =
            if disk.ends_with(|c: char| c.is_ascii_digit()) { rest.strip_prefix('p') } else { Some(rest) };
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn say(device: &str, now: Counters, before: Counters, elapsed_s: f64, reading: &mut Reading) {
    let device = ("device", device);
    let busy = increase(now.busy_ms, before.busy_ms) as f64 / 1e3 / elapsed_s;
    reading.gauge("system.disk.utilization", "1", &[device], busy.min(1.0));
    let queue = increase(now.weighted_ms, before.weighted_ms) as f64 / 1e3 / elapsed_s;
    reading.gauge("system.disk.queue", "{operation}", &[device], queue);
    let operations = increase(now.reads, before.reads) + increase(now.writes, before.writes);
    if operations > 0 {
        let spent_ms = increase(now.read_ms, before.read_ms) + increase(now.write_ms, before.write_ms);
        let mean_s = spent_ms as f64 / 1e3 / operations as f64;
        reading.gauge("system.disk.operation_time", "s", &[device], mean_s);
    }
    let directions = [
        ("read", now.sectors_read, before.sectors_read),
        ("write", now.sectors_written, before.sectors_written),
    ];
    for (direction, now, before) in directions {
        let bytes = increase(now, before) as f64 * SECTOR_BYTES;
        reading.counter("system.disk.io", "By", &[device, ("direction", direction)], bytes);
    }
}
