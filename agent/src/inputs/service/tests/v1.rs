//! Control groups of version 1: a tree for each controller.

use super::*;

const DOCKER: &str = "docker/4f0e";

#[tokio::test(start_paused = true)]
async fn a_recorded_second_of_a_container_reads_as_it_was() {
    let mut record = Record::new(&[cgroup("cart", "/docker/4f0e")]);
    record.write_all(
        "cgroup",
        &[
            (&format!("cpu,cpuacct/{DOCKER}/cpuacct.usage"), "1000000000\n"),
            (&format!("cpu,cpuacct/{DOCKER}/cpu.stat"), "nr_periods 10\nnr_throttled 0\nthrottled_time 0\n"),
            (&format!("cpu,cpuacct/{DOCKER}/cpu.cfs_quota_us"), "200000\n"),
            (&format!("cpu,cpuacct/{DOCKER}/cpu.cfs_period_us"), "100000\n"),
            ("cpu,cpuacct/docker/cpu.cfs_quota_us", "-1\n"),
            ("cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n"),
            (&format!("memory/{DOCKER}/memory.usage_in_bytes"), "700\n"),
            (&format!("memory/{DOCKER}/memory.stat"), "inactive_file 9\ntotal_inactive_file 200\n"),
            (&format!("memory/{DOCKER}/memory.limit_in_bytes"), "1000\n"),
            (&format!("memory/{DOCKER}/memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"),
            ("memory/docker/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/docker/memory.usage_in_bytes", "900\n"),
            (&format!("pids/{DOCKER}/pids.current"), "3\n"),
            (&format!("pids/{DOCKER}/pids.max"), "max\n"),
            (&format!("pids/{DOCKER}/cgroup.procs"), "20\n"),
            (
                &format!("blkio/{DOCKER}/blkio.throttle.io_service_bytes_recursive"),
                "8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:0 Total 30\nTotal 30\n",
            ),
        ],
    );
    record.process((20, 1, "cart", 5, 3, 100, 10));
    record.next().await;
    record.write(&format!("cgroup/cpu,cpuacct/{DOCKER}/cpuacct.usage"), "2000000000\n");
    let stat = "nr_periods 20\nnr_throttled 5\nthrottled_time 250000000\n";
    record.write(&format!("cgroup/cpu,cpuacct/{DOCKER}/cpu.stat"), stat);
    let oom = "oom_kill_disable 0\nunder_oom 0\noom_kill 6\n";
    record.write(&format!("cgroup/memory/{DOCKER}/memory.oom_control"), oom);
    let io = "8:0 Read 10\n8:0 Write 70\n8:0 Sync 30\n8:0 Total 80\nTotal 80\n";
    record.write(&format!("cgroup/blkio/{DOCKER}/blkio.throttle.io_service_bytes_recursive"), io);
    let second = record.next().await;
    let is = |name: &str, labels: &[(&str, &str)], wanted: f64| second.is("cart", name, labels, wanted);
    is("container.cpu.usage", &[], 1.0);
    is("container.cpu.utilization", &[("cgroup", "/docker/4f0e")], 0.5);
    is("container.cpu.throttled", &[], 0.5);
    is("container.cpu.throttled_time", &[], 0.25);
    is("container.memory.utilization", &[], 0.5);
    is("container.memory.oom_kills", &[], 2.0);
    is("container.pids.count", &[], 3.0);
    is("container.disk.io", &[("direction", "write")], 50.0);
    is("process.thread.count", &[], 3.0);
    is("service.up", &[], 1.0);
    assert_eq!(second.get("cart", "container.pids.utilization", &[]), None, "there is no limit");
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_no_controller_accounts_still_has_its_processes() {
    let mut record = Record::new(&[unit("payment.service")]);
    record.write("cgroup/systemd/system.slice/payment.service/cgroup.procs", "20\n");
    record.write("cgroup/memory/system.slice/memory.usage_in_bytes", "900\n");
    record.process((20, 1, "payment", 5, 3, 100, 10));
    let reading = record.next().await;
    reading.is("payment", "service.up", &[("unit", "payment.service")], 1.0);
    reading.is("payment", "process.thread.count", &[], 3.0);
    assert_eq!(reading.get("payment", "container.memory.utilization", &[]), None);
}
