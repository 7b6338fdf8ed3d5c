//! Control groups of version 2.

use std::fs;

use super::*;

const UNIT: &str = "cgroup/system.slice/payment.service";

fn payment(record: &Record) {
    record.write_all(
        UNIT,
        &[
            (
                "cpu.stat",
                "usage_usec 1000000\nuser_usec 1\nnr_periods 100\nnr_throttled 10\nthrottled_usec 5000\n",
            ),
            ("cpu.max", "50000 100000\n"),
            ("memory.current", "400000000\n"),
            ("memory.stat", "anon 1\nfile 2\ninactive_anon 7\ninactive_file 100000000\nactive_file 3\n"),
            ("memory.max", "600000000\n"),
            ("memory.high", "max\n"),
            ("memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n"),
            ("pids.current", "12\n"),
            ("pids.max", "48\n"),
            ("cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\nfull avg10=0 total=10\n"),
            ("io.stat", "8:0 rbytes=100 wbytes=50 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2\n"),
            ("cgroup.events", "populated 1\nfrozen 0\n"),
            ("cgroup.procs", "10\n11\n"),
        ],
    );
    record.process((10, 1, "payment", 100, 4, 500, 10));
    record.process((11, 10, "payment", 50, 2, 600, 10));
}

#[tokio::test(start_paused = true)]
async fn a_recorded_second_of_a_unit_reads_as_it_was() {
    let mut record = Record::v2(&[unit("payment.service")]);
    payment(&record);
    let first = record.next().await;
    assert_eq!(first.get("payment", "container.cpu.utilization", &[]), None, "a share needs two readings");

    record.write_all(
        UNIT,
        &[
            (
                "cpu.stat",
                "usage_usec 1250000\nuser_usec 1\nnr_periods 110\nnr_throttled 14\nthrottled_usec 105000\n",
            ),
            ("cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=251000\nfull avg10=0 total=10\n"),
            ("io.stat", "8:0 rbytes=1100 wbytes=50 rios=1 wios=1 dbytes=0 dios=0\n"),
        ],
    );
    let second = record.next().await;
    let is = |name: &str, labels: &[(&str, &str)], wanted: f64| second.is("payment", name, labels, wanted);
    is("service.up", &[("unit", "payment.service")], 1.0);
    is("container.cpu.usage", &[("unit", "payment.service")], 0.25);
    is("container.cpu.utilization", &[], 0.5);
    is("container.cpu.throttled", &[], 0.4);
    is("container.cpu.throttled_time", &[], 0.1);
    is("container.memory.usage", &[], 4e8);
    is("container.memory.working_set", &[], 3e8);
    is("container.memory.limit", &[], 6e8);
    is("container.memory.utilization", &[], 0.5);
    is("container.memory.oom_kills", &[], 0.0);
    is("container.pids.utilization", &[], 0.25);
    is("container.pressure", &[("resource", "cpu"), ("kind", "some")], 0.25);
    is("container.pressure", &[("resource", "cpu"), ("kind", "full")], 0.0);
    is("container.disk.io", &[("direction", "read")], 999.0);
    is("container.disk.io", &[("direction", "write")], 0.0);
    is("process.count", &[], 2.0);
    is("process.thread.count", &[], 6.0);
    is("process.unix.file_descriptor.count", &[], 4.0);
    is("process.unix.file_descriptor.utilization", &[], 0.2);
    is("service.restarts", &[], 0.0);
    assert_eq!(second.get("payment", "process.cpu.utilization", &[]), None, "the cgroup's own is exact");
}

#[tokio::test(start_paused = true)]
async fn memory_is_held_against_the_nearest_limit_of_the_whole_ancestry() {
    let mut record = Record::v2(&[cgroup("shop", "/shop.slice/shop-web.slice/web.service")]);
    let leaf = "cgroup/shop.slice/shop-web.slice/web.service";
    record.write_all(leaf, &[("memory.current", "268435456"), ("memory.max", "max"), ("memory.high", "max")]);
    let share = "container.memory.utilization";
    let reading = record.next().await;
    reading.is("shop", share, &[], 0.25);
    assert_eq!(reading.get("shop", "container.memory.limit", &[]), None);

    // The slice is shared with others that fill it.
    let slice = [("memory.current", "900"), ("memory.max", "1000"), ("memory.stat", "inactive_file 100\n")];
    record.write_all("cgroup/shop.slice", &slice);
    record.write_all("cgroup/shop.slice/shop-web.slice", &[("memory.current", "1"), ("memory.high", "500")]);
    let reading = record.rescan().await;
    reading.is("shop", share, &[], 0.8);
    reading.is("shop", "container.memory.limit", &[], 500.0);

    // A limit of its own below both.
    record.write_all(leaf, &[("memory.current", "270"), ("memory.max", "400"), ("memory.high", "300")]);
    record.rescan().await.is("shop", share, &[], 0.9);
}

#[tokio::test(start_paused = true)]
async fn kills_for_want_of_memory_are_counted_though_the_cgroup_goes_with_its_counters() {
    let mut record = Record::v2(&[unit("payment.service")]);
    payment(&record);
    let events = |kills: u64| format!("oom {kills}\noom_kill {kills}\n");
    record.write("cgroup/system.slice/memory.events", &events(7));
    record.next().await.is("payment", "container.memory.oom_kills", &[], 0.0);
    record.write(&format!("{UNIT}/memory.events"), &events(3));
    record.write("cgroup/system.slice/memory.events", &events(9));
    record.next().await.is("payment", "container.memory.oom_kills", &[], 2.0);

    // Killed, and gone before anybody looked.
    record.remove(UNIT);
    record.remove("proc/10");
    record.remove("proc/11");
    record.write("cgroup/system.slice/memory.events", &events(10));
    let gone = record.next().await;
    gone.is("payment", "container.memory.oom_kills", &[], 1.0);
    gone.is("payment", "service.up", &[], 0.0);
    assert_eq!(record.services.status()[0].groups[0].oom_kills, 3);

    // Another in its place between two readings: what both have lost is known by the one above.
    payment(&record);
    record.write(&format!("{UNIT}/memory.events"), &events(0));
    record.next().await.is("payment", "container.memory.oom_kills", &[], 0.0);
    let place = record.path(UNIT);
    let next = place.with_file_name("next");
    fs::create_dir(&next).expect("made");
    for file in fs::read_dir(&place).expect("listed").flatten() {
        fs::copy(file.path(), next.join(file.file_name())).expect("copied");
    }
    record.remove(UNIT);
    fs::rename(&next, &place).expect("moved");
    record.write("cgroup/system.slice/memory.events", &events(12));
    record.next().await.is("payment", "container.memory.oom_kills", &[], 2.0);
    record.next().await.is("payment", "container.memory.oom_kills", &[], 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_vanishes_and_returns_is_down_meanwhile_and_its_time_never_runs_backwards() {
    let mut record = Record::v2(&[unit("payment.service")]);
    record.next().await.is("payment", "service.up", &[("unit", "payment.service")], 0.0);
    payment(&record);
    record.rescan().await.is("payment", "service.up", &[], 1.0);

    record.remove(UNIT);
    record.remove("proc/10");
    record.remove("proc/11");
    for _ in 0..10 {
        let down = record.next().await;
        down.is("payment", "service.up", &[], 0.0);
        assert_eq!(down.get("payment", "container.memory.usage", &[]), None);
    }
    assert!(record.services.status()[0].problems.is_empty(), "a unit may be stopped");

    payment(&record);
    record.process((10, 1, "payment", 1, 4, 9000, 10));
    record.write(&format!("{UNIT}/cpu.stat"), "usage_usec 100000\n");
    let back = record.next().await;
    back.is("payment", "service.up", &[], 1.0);
    assert_eq!(back.get("payment", "container.cpu.usage", &[]), None, "nothing to compare with yet");
    record.write(&format!("{UNIT}/cpu.stat"), "usage_usec 200000\n");
    record.next().await.is("payment", "container.cpu.usage", &[], 0.1);
    record.rescan().await;
    assert_eq!(record.services.status()[0].groups[0].restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn garbage_and_absence_say_nothing_and_do_not_panic() {
    let mut record = Record::v2(&[unit("payment.service"), named("payment", "payment")]);
    payment(&record);
    for name in fs::read_dir(record.path(UNIT)).expect("listed").flatten() {
        fs::write(name.path(), "usage_usec x\nmax\n8:0 rbytes=y =\nsome total=\n-1\n\n\u{feff}")
            .expect("writes");
    }
    record.write("proc/10/stat", "10 (pay");
    record.write("proc/11/limits", "Max open files");
    for _ in 0..12 {
        record.next().await;
    }
    record.remove("proc");
    for _ in 0..12 {
        record.next().await;
    }
}
