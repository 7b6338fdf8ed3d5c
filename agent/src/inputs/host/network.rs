//! Network interfaces (proc(5), `/proc/net/dev`).

use std::collections::HashMap;

use super::proc::{Proc, increase, number};
use super::reading::Reading;

/// Bytes, packets, errors and drops of one direction.
type Direction = [u64; 4];

/// Reads interfaces.
#[derive(Debug, Default)]
pub(super) struct Network {
    before: HashMap<String, [Direction; 2]>,
}

const NAMES: [(&str, &str); 4] = [
    ("system.network.io", "By"),
    ("system.network.packets", "{packet}"),
    ("system.network.errors", "{error}"),
    ("system.network.dropped", "{packet}"),
];

impl Network {
    /// For each interface but the loopback, by direction: `system.network.io`, `.packets`, `.errors`,
    /// `.dropped`, as increases. Virtual Ethernet pairs of containers are left out: their traffic is
    /// counted at the interface that it leaves by. Returns how many were over the limit.
    pub(super) fn read(&mut self, proc: &mut Proc, reading: &mut Reading, devices_max: usize) -> u64 {
        let Some(text) = proc.read("net/dev") else { return 0 };
        let mut now_all = HashMap::new();
        let mut over_limit = 0;
        for line in text.lines() {
            let Some((device, counters)) = line.split_once(':') else { continue };
            let device = device.trim();
            if device == "lo" || device.starts_with("veth") {
                continue;
            }
            if now_all.len() >= devices_max {
                over_limit += 1;
                continue;
            }
            let fields: Vec<&str> = counters.split_ascii_whitespace().collect();
            let direction = |from: usize| std::array::from_fn(|at| number(&fields, from + at));
            let now: [Direction; 2] = [direction(0), direction(8)];
            if let Some(before) = self.before.get(device) {
                for (at, direction) in ["receive", "transmit"].into_iter().enumerate() {
                    let labels = [("device", device), ("direction", direction)];
                    for (counter, (name, unit)) in NAMES.into_iter().enumerate() {
                        let grown = increase(now[at][counter], before[at][counter]) as f64;
                        reading.counter(name, unit, &labels, grown);
                    }
                }
            }
            now_all.insert(device.to_owned(), now);
        }
        self.before = now_all;
        over_limit
    }
}
