//! On recorded trees, in the formats of the kernel's Documentation/admin-guide/cgroup-v2.rst,
//! cgroup-v1/ and proc(5), and on this machine.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use goldentime_model::{Sample, ServiceId, UnixNanos};

use super::config::{Config, ProcessConfig};
use super::{Entry, Services};

mod found;
mod machine;
mod processes;
mod v1;
mod v2;

/// A recorded `/proc` and `/sys/fs/cgroup`, read a second apart. The machine has 4 CPUs and 1 GiB.
struct Record {
    root: tempfile::TempDir,
    services: Services,
}

/// Of a process: id, parent, name, CPU ticks, threads, start, resident pages.
type Line<'a> = (u32, u32, &'a str, u64, u64, u64, u64);

impl Record {
    fn new(entries: &[Entry]) -> Self {
        let root = tempfile::tempdir().expect("folder");
        let config = Config {
            cgroup_root: root.path().join("cgroup"),
            proc_root: root.path().join("proc"),
            ..Config::default()
        };
        let services = Services::new(config, entries, "default", "prod").expect("valid");
        let record = Self { root, services };
        record.write("proc/stat", "cpu  1 1\ncpu0 1\ncpu1 1\ncpu2 1\ncpu3 1\n");
        record.write("proc/meminfo", "MemTotal:        1048576 kB\n");
        record
    }

    /// With control groups of version 2.
    fn v2(entries: &[Entry]) -> Self {
        let record = Self::new(entries);
        record.write("cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
        record
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name.trim_start_matches('/'))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("inside the root")).expect("creates");
        fs::write(path, text).expect("writes");
    }

    fn write_all(&self, folder: &str, files: &[(&str, &str)]) {
        files.iter().for_each(|(name, text)| self.write(&format!("{folder}/{name}"), text));
    }

    fn remove(&self, name: &str) {
        fs::remove_dir_all(self.path(name)).expect("removes");
    }

    /// A process with two open files, of which it may open ten.
    fn process(&self, (pid, parent, name, ticks, threads, started, pages): Line<'_>) {
        let stat = format!(
            "{pid} ({name}) S {parent} {pid} {pid} 0 -1 4194560 100 0 0 0 {ticks} 0 0 0 20 0 {threads} 0 {started} \
             1000000 {pages} 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 0 0 0 0 0 0\n"
        );
        let folder = format!("proc/{pid}");
        self.write_all(
            &folder,
            &[
                ("stat", &stat),
                ("fd/0", ""),
                ("fd/1", ""),
                ("cmdline", &format!("/usr/bin/{name}\0--port\08080\0")),
                ("status", &format!("Name:\t{name}\nUid:\t1000\t1000\t1000\t1000\n")),
                (
                    "limits",
                    "Limit                     Soft Limit           Hard Limit           Units     \nMax processes      \
                     96365                96365                processes \nMax open files            10                   \
                     20                   files     \n",
                ),
            ],
        );
    }

    /// The next second.
    async fn next(&mut self) -> Reading {
        tokio::time::advance(Duration::from_secs(1)).await;
        Reading(self.services.read(UnixNanos(0)))
    }

    /// The second in which everything is looked for again.
    async fn rescan(&mut self) -> Reading {
        for _ in 0..5 {
            self.next().await;
        }
        self.next().await
    }
}

/// What one second said.
#[derive(Debug)]
struct Reading(Vec<(ServiceId, Sample)>);

impl Reading {
    /// The one reading of a service by this name and with at least these labels.
    fn get(&self, service: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.0.iter().filter(|(id, sample)| {
            id.service() == service
                && sample.name == name
                && labels.iter().all(|(name, value)| sample.labels.get(*name).map(|v| &**v) == Some(value))
        });
        let value = found.next().map(|(_, sample)| sample.value);
        assert!(found.next().is_none(), "{name} {labels:?} is there twice in {self:#?}");
        value
    }

    #[track_caller]
    fn is(&self, service: &str, name: &str, labels: &[(&str, &str)], wanted: f64) {
        let Some(read) = self.get(service, name, labels) else { panic!("no {name} {labels:?} in {self:#?}") };
        assert!((read - wanted).abs() < 1e-9, "{name} {labels:?}: {read}, not {wanted}");
    }
}

fn unit(name: &str) -> Entry {
    Entry { unit: Some(name.into()), ..Entry::default() }
}

fn cgroup(service: &str, path: &str) -> Entry {
    Entry { service: Some(service.into()), cgroup: Some(path.into()), ..Entry::default() }
}

fn process(service: &str, process: ProcessConfig) -> Entry {
    Entry { service: Some(service.into()), process: Some(process), ..Entry::default() }
}

fn named(service: &str, name: &str) -> Entry {
    process(service, ProcessConfig { name: Some(name.into()), ..ProcessConfig::default() })
}
