//! Bytes that a cgroup reads from and writes to disks.

use super::hierarchy::{Hierarchy, Version};
use super::kernel_file::{KernelFile, Text};
use crate::inputs::host::reading::Reading;

const DIRECTIONS: [&str; 2] = ["read", "write"];

/// Reads disk traffic.
#[derive(Debug)]
pub(super) struct Io {
    file: Option<(KernelFile, Version)>,
    before: Option<[u64; 2]>,
}

impl Io {
    pub(super) fn new(hierarchy: &Hierarchy, path: &str) -> Self {
        let file = hierarchy.io.as_ref().map(|base| {
            let name = match base.version {
                Version::V2 => "io.stat",
                Version::V1 => "blkio.throttle.io_service_bytes_recursive",
            };
            (KernelFile::new(base.at(path).join(name)), base.version)
        });
        Self { file, before: None }
    }

    pub(super) fn refresh(&mut self) {
        self.file.iter_mut().for_each(|(file, _)| file.retry());
    }

    /// `container.disk.io{direction}` in bytes, all disks together, as increase.
    pub(super) fn read(&mut self, reading: &mut Reading, label: (&str, &str), text: &mut Text) {
        let Some((file, version)) = &mut self.file else { return };
        let now = file.read(text).map(|text| bytes(text, *version));
        let (Some(now), Some(before)) = (now, std::mem::replace(&mut self.before, now)) else { return };
        for ((direction, now), before) in DIRECTIONS.into_iter().zip(now).zip(before) {
            // A disk that was taken out takes its count along: that is no new beginning.
            let grown = now.saturating_sub(before) as f64;
            reading.counter("container.disk.io", "By", &[label, ("direction", direction)], grown);
        }
    }
}

/// Read and written. Version 2 has a line a device, `8:0 rbytes=1 wbytes=2 …`, version 1 one for each
/// device and direction, `8:0 Read 1`.
fn bytes(text: &str, version: Version) -> [u64; 2] {
    let mut bytes = [0_u64; 2];
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace().skip(1);
        match version {
            Version::V2 => {
                for word in words {
                    let Some((name, value)) = word.split_once('=') else { continue };
                    let at = match name {
                        "rbytes" => 0,
                        "wbytes" => 1,
                        _ => continue,
                    };
                    bytes[at] = bytes[at].saturating_add(value.parse().unwrap_or(0));
                }
            }
            Version::V1 => {
                let at = match words.next() {
                    Some("Read") => 0,
                    Some("Write") => 1,
                    _ => continue,
                };
                let value = words.next().and_then(|value| value.parse().ok());
                bytes[at] = bytes[at].saturating_add(value.unwrap_or(0));
            }
        }
    }
    bytes
}
