//! Where systemd puts a unit among the control groups (systemd.slice(5), systemd.unit(5); `cg_escape`
//! and `unit_set_default_slice` in its source).

use std::fmt::Write as _;

/// Kinds of units that have a cgroup.
const ENDINGS: [&str; 6] = ["service", "scope", "slice", "socket", "mount", "swap"];

/// The slice that everything is in: that is the host.
const ROOT_SLICE: &str = "-.slice";

/// Files of a cgroup, which a folder inside it cannot be called.
const FILES: [&str; 3] = ["notify_on_release", "release_agent", "tasks"];

/// Beginnings of the names of a cgroup's other files.
const CONTROLLERS: [&str; 14] = [
    "cgroup", "cpu", "cpuacct", "cpuset", "io", "blkio", "memory", "devices", "pids", "freezer", "net_cls",
    "hugetlb", "rdma", "misc",
];

/// The name before the ending; `None` where a unit with a cgroup has no such name.
pub(super) fn stem(unit: &str) -> Option<&str> {
    let (stem, ending) = unit.rsplit_once('.')?;
    (!stem.is_empty() && unit != ROOT_SLICE && !unit.contains('/') && ENDINGS.contains(&ending))
        .then_some(stem)
}

/// Whether the name stands for several units.
pub(super) fn is_wild(unit: &str) -> bool {
    unit.contains(['*', '?', '['])
}

/// The unit's name as that of a folder: one that would hide a file of the cgroup begins with `_`.
pub(super) fn folder_name(unit: &str) -> String {
    let hides = unit.starts_with(['_', '.'])
        || FILES.contains(&unit)
        || CONTROLLERS.iter().any(|name| unit.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
    if hides { format!("_{unit}") } else { unit.to_owned() }
}

/// Where a unit of the system is that does not set `Slice=`. An instance of a template is in a slice of
/// its template's.
pub(super) fn expected_path(unit: &str) -> Option<String> {
    let stem = stem(unit)?;
    let name = folder_name(unit);
    if unit.ends_with(".slice") {
        return slice_path(stem);
    }
    match stem.split_once('@') {
        Some((template, _)) => Some(format!("/system.slice/system-{}.slice/{name}", escape(template))),
        None => Some(format!("/system.slice/{name}")),
    }
}

/// A slice is inside of those that its name begins with, cut at each `-`.
fn slice_path(stem: &str) -> Option<String> {
    if stem.split('-').any(str::is_empty) {
        return None;
    }
    let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
    Some(ends.map(|end| format!("/{}.slice", &stem[..end])).collect())
}

/// A text as a part of a unit's name: `-` would be a `/`.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for (at, byte) in text.bytes().enumerate() {
        let is_plain =
            byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_') || (byte == b'.' && at > 0);
        match byte {
            b'/' => escaped.push('-'),
            _ if is_plain => escaped.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(escaped, "\\x{byte:02x}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_expected_where_systemd_puts_it() {
        for (unit, path) in [
            ("payment.service", "/system.slice/payment.service"),
            ("worker@3.service", "/system.slice/system-worker.slice/worker@3.service"),
            (
                "serial-getty@ttyS0.service",
                r"/system.slice/system-serial\x2dgetty.slice/serial-getty@ttyS0.service",
            ),
            ("cpu.service", "/system.slice/_cpu.service"),
            ("_odd.service", "/system.slice/__odd.service"),
            ("shop.slice", "/shop.slice"),
            ("shop-web-blue.slice", "/shop.slice/shop-web.slice/shop-web-blue.slice"),
        ] {
            assert_eq!(expected_path(unit).as_deref(), Some(path), "{unit}");
        }
    }

    #[test]
    fn what_is_no_unit_with_a_cgroup_is_told_apart() {
        for name in ["payment", ".service", "a/b.service", "backup.timer", "-.slice", ""] {
            assert_eq!(stem(name), None, "{name}");
        }
        assert_eq!(stem("payment.v2.service"), Some("payment.v2"));
    }
}
