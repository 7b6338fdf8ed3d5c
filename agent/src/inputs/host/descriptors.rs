//! Open files of the whole host (`/proc/sys/fs/file-nr`).

use super::proc::{Proc, number};
use super::reading::Reading;

/// `system.file_descriptors.utilization`: share of the kernel's limit;
/// `system.file_descriptors.open`.
pub(super) fn read(proc: &mut Proc, reading: &mut Reading) {
    let Some(text) = proc.read("sys/fs/file-nr") else { return };
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let (open, unused, max) = (number(&fields, 0), number(&fields, 1), number(&fields, 2));
    if max > 0 {
        let open = open.saturating_sub(unused) as f64;
        reading.gauge("system.file_descriptors.open", "{file}", &[], open);
        reading.gauge("system.file_descriptors.utilization", "1", &[], open / max as f64);
    }
}
