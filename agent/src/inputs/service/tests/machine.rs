//! On this machine.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use goldentime_model::units::HumanDuration;

use super::*;

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A name that no other process of this machine has, of another test neither: tests run side by side.
fn own_name(test: &str) -> String {
    format!("goldentime-test-{test}-{}", std::process::id())
}

/// A shell under a name of its own that waits for input for ever, or turns round and round.
fn shell(name: &str, script: &str) -> Running {
    let mut command = Command::new("sh");
    command.args(["-c", script, name]).stdin(Stdio::piped()).stdout(Stdio::null());
    Running(command.spawn().expect("sh starts"))
}

fn read(services: &mut Services) -> Reading {
    Reading(services.read(UnixNanos(0)))
}

/// Reads until `what` holds, or fails after many readings.
async fn until(services: &mut Services, what: &str, holds: impl Fn(&Reading) -> bool) -> Reading {
    for _ in 0..200 {
        let reading = read(services);
        if holds(&reading) {
            return reading;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never came: {what}: {:#?}", services.status());
}

#[tokio::test]
async fn a_child_of_this_test_is_found_read_and_missed() {
    let name = own_name("child");
    let pattern = ProcessConfig { cmdline: Some(format!("{name}$")), ..ProcessConfig::default() };
    let entry = process("child", pattern);
    let config = Config { rescan_interval: HumanDuration::from_secs(1), ..Config::default() };
    let mut services = Services::new(config, &[entry], "default", "prod").expect("valid");
    read(&mut services).is("child", "service.up", &[], 0.0);
    let child = shell(&name, "while :; do :; done");
    let works = |reading: &Reading| {
        reading.get("child", "process.cpu.utilization", &[]).is_some_and(|share| share > 0.0)
    };
    let reading = until(&mut services, "CPU time", works).await;
    reading.is("child", "service.up", &[], 1.0);
    assert!(reading.get("child", "process.memory.usage", &[]).expect("memory") > 1e5);
    let files = reading.get("child", "process.unix.file_descriptor.count", &[]).expect("open files");
    assert!((3.0..100.0).contains(&files), "{files}");
    drop(child);
    let is_down = |reading: &Reading| reading.get("child", "service.up", &[]) == Some(0.0);
    until(&mut services, "its end", is_down).await;
}

/// A cgroup of this test's own, where this machine lets us make one.
struct Own<'a>(&'a Path);

impl Drop for Own<'_> {
    fn drop(&mut self) {
        // What is left of it is empty.
        let _ = fs::remove_dir(self.0);
    }
}

#[tokio::test]
async fn a_real_cgroup_of_version_2_is_read_where_one_can_be_made() {
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
    let Some(root) = roots.into_iter().find(|root| root.join("cgroup.controllers").is_file()) else {
        eprintln!("skipped: no control groups of version 2 below /sys/fs/cgroup");
        return;
    };
    let name = own_name("cgroup");
    let folder = root.join(&name);
    if let Err(error) = fs::create_dir(&folder) {
        eprintln!("skipped: cannot make {}: {error}", folder.display());
        return;
    }
    let own = Own(&folder);
    let child = shell(&name, "while :; do :; done");
    if let Err(error) = fs::write(folder.join("cgroup.procs"), child.0.id().to_string()) {
        eprintln!("skipped: cannot move a process to {}: {error}", folder.display());
        return;
    }
    let config = Config { cgroup_root: root.into(), ..Config::default() };
    let entry = cgroup("own", &format!("/{name}"));
    let mut services = Services::new(config, &[entry], "default", "prod").expect("valid");
    let works =
        |reading: &Reading| reading.get("own", "container.cpu.usage", &[]).is_some_and(|cpus| cpus > 0.0);
    let reading = until(&mut services, "CPU time", works).await;
    reading.is("own", "service.up", &[], 1.0);
    reading.is("own", "process.count", &[], 1.0);
    drop(child);
    let is_down = |reading: &Reading| reading.get("own", "service.up", &[]) == Some(0.0);
    until(&mut services, "its end", is_down).await;
    // The kernel lets go of the processes of a cgroup a moment after they have ended.
    for _ in 0..200 {
        if fs::remove_dir(own.0).is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!folder.exists(), "the test's cgroup is left behind");
    read(&mut services).is("own", "service.up", &[], 0.0);
}
