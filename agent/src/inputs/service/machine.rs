//! What the machine has, where nothing less is allowed.

use std::path::Path;

/// The machine's own limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// CPUs that run.
    pub(super) cpus: f64,
    /// Memory in bytes; 0 where the kernel does not say.
    pub(super) memory_bytes: f64,
    /// Bytes of a page.
    pub(super) page_bytes: u64,
    /// The kernel tells the number of a process's open files as the size of their folder.
    pub(super) counts_open_files: bool,
}

/// Of nearly all machines; others say so.
const PAGE_BYTES: u64 = 4096;
/// Key of the page size in the auxiliary vector (getauxval(3)).
const AT_PAGESZ: u64 = 6;
/// The first kernel that counts open files so (proc(5)).
const COUNTING_KERNEL: (u32, u32) = (6, 2);

impl Machine {
    pub(super) fn read(proc: &Path) -> Self {
        let text = |name: &str| std::fs::read_to_string(proc.join(name)).unwrap_or_default();
        let is_cpu = |line: &&str| {
            line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let cpus = text("stat").lines().filter(is_cpu).count().max(1);
        let memory_kib: Option<f64> = text("meminfo")
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse().ok());
        let is_real = rustix::fs::statfs(proc)
            .is_ok_and(|file_system| file_system.f_type == rustix::fs::PROC_SUPER_MAGIC);
        Self {
            cpus: cpus as f64,
            memory_bytes: memory_kib.unwrap_or(0.0) * 1024.0,
            page_bytes: page_bytes().unwrap_or(PAGE_BYTES),
            counts_open_files: is_real && kernel_version() >= Some(COUNTING_KERNEL),
        }
    }
}

/// From the vector that the kernel gave this process: pairs of a key and a value.
fn page_bytes() -> Option<u64> {
    let vector = std::fs::read("/proc/self/auxv").ok()?;
    let mut words = vector.chunks_exact(8).map(|word| word.try_into().map(u64::from_ne_bytes));
    while let (Some(Ok(key)), Some(Ok(value))) = (words.next(), words.next()) {
        if key == AT_PAGESZ {
            return Some(value);
        }
    }
    None
}

fn kernel_version() -> Option<(u32, u32)> {
    let name = rustix::system::uname();
    let mut parts = name.release().to_str().ok()?.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
