//! On a recorded `/proc` of a machine with two cores, one disk and one interface, a second apart.

use std::fs;
use std::path::Path;
use std::time::Duration;

use goldentime_model::{Sample, UnixNanos};

use super::{Config, Host};

fn record(root: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("inside the root")).expect("creates");
        fs::write(path, text).expect("writes");
    }
}

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |sample: &&Sample| {
        sample.name == name
            && labels.iter().all(|(name, value)| sample.labels.get(*name).map(|v| &**v) == Some(value))
    };
    samples.iter().find(has).unwrap_or_else(|| panic!("no {name} {labels:?} in {samples:?}")).value
}

const MEMORY: &str =
    "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\nSwapTotal: 100 kB\nSwapFree: 90 kB\n";
const DEV: &str = "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop\n    lo: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n";

#[tokio::test(start_paused = true)]
async fn a_recorded_second_reads_as_it_was() {
    let root = tempfile::tempdir().expect("folder");
    let config = Config { proc_root: root.path().into(), ..Config::default() };
    let mut host = Host::new(config);
    record(
        root.path(),
        &[
            ("stat", "cpu  100 0 50 800 40 0 5 5 0 0\ncpu0 1 1\ncpu1 1 1\n"),
            ("loadavg", "1.00 0.5 0.2 1/2 3\n"),
            ("meminfo", MEMORY),
            ("pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\nfull avg10=0 total=5\n"),
            ("diskstats", "8 0 sda 10 0 100 20 10 0 200 30 0 100 500\n8 1 sda1 9 0 9 9 9 0 9 9 0 9 9\n"),
            ("net/dev", &format!("{DEV}  eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n")),
            ("sys/fs/file-nr", "500\t0\t1000\n"),
        ],
    );
    let first = host.read(UnixNanos(0));
    assert_eq!(value(&first, "system.memory.utilization", &[]), 0.75);
    assert!(first.iter().all(|sample| sample.name != "system.cpu.utilization"), "a share needs two readings");

    record(
        root.path(),
        &[
            ("stat", "cpu  150 0 60 920 40 0 5 25 0 0\ncpu0 1 1\ncpu1 1 1\n"),
            ("pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1250000\nfull avg10=0 total=5\n"),
            ("diskstats", "8 0 sda 20 0 300 40 20 0 200 60 0 600 1500\n8 1 sda1 99 0 9 9 9 0 9 9 0 9 9\n"),
            ("net/dev", &format!("{DEV}  eth0: 5000 50 1 7 0 0 0 0 100 1 3 4 0 0 0 0\n")),
        ],
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    let second = host.read(UnixNanos(1_000_000_000));
    let is = |name: &str, labels: &[(&str, &str)], wanted: f64| {
        let read = value(&second, name, labels);
        assert!((read - wanted).abs() < 1e-9, "{name} {labels:?}: {read}, not {wanted}");
    };
    is("system.cpu.utilization", &[("mode", "user")], 0.25);
    is("system.cpu.utilization", &[("mode", "steal")], 0.1);
    is("system.cpu.busy", &[], 0.4);
    is("system.cpu.load_average.1m", &[], 0.5);
    is("system.paging.utilization", &[], 0.1);
    is("system.pressure", &[("resource", "io"), ("kind", "some")], 0.25);
    is("system.disk.utilization", &[("device", "sda")], 0.5);
    is("system.disk.queue", &[("device", "sda")], 1.0);
    is("system.disk.operation_time", &[("device", "sda")], 0.0025);
    is("system.disk.io", &[("device", "sda"), ("direction", "read")], 200.0 * 512.0);
    is("system.network.io", &[("device", "eth0"), ("direction", "receive")], 4000.0);
    is("system.network.io", &[("device", "eth0"), ("direction", "transmit")], 100.0);
    is("system.network.dropped", &[("device", "eth0"), ("direction", "receive")], 5.0);
    is("system.file_descriptors.utilization", &[], 0.5);
    assert!(second.iter().all(|sample| sample.labels.get("device").is_none_or(|d| d != "sda1" && d != "lo")));
}

#[tokio::test(start_paused = true)]
async fn garbage_and_absence_say_nothing_and_do_not_panic() {
    let root = tempfile::tempdir().expect("folder");
    let mut host = Host::new(Config { proc_root: root.path().into(), ..Config::default() });
    assert!(host.read(UnixNanos(0)).is_empty());
    for name in [
        "stat",
        "loadavg",
        "meminfo",
        "pressure/cpu",
        "diskstats",
        "net/dev",
        "self/mounts",
        "sys/fs/file-nr",
    ] {
        record(root.path(), &[(name, "cpu \n:\n some x\nMemTotal: y kB\n8 0 sda\n\n - - \n")]);
    }
    for _ in 0..2 {
        tokio::time::advance(Duration::from_secs(1)).await;
        host.read(UnixNanos(0));
    }
}

#[test]
fn this_machine_can_be_read() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("starts");
    runtime.block_on(async {
        let samples = Host::new(Config::default()).read(UnixNanos(0));
        let share = value(&samples, "system.memory.utilization", &[]);
        assert!((0.0..=1.0).contains(&share));
    });
}
