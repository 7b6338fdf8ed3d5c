//! Processes picked by what they are.

use super::*;

#[tokio::test(start_paused = true)]
async fn all_that_match_and_what_they_start_are_one_service() {
    let mut record = Record::new(&[named("payment", "payment")]);
    record.process((10, 1, "payment", 100, 4, 500, 1000));
    record.process((11, 10, "sh", 10, 1, 600, 500));
    record.process((12, 1, "sshd", 10, 1, 600, 7));
    record.next().await;
    record.process((10, 1, "payment", 140, 4, 500, 1000));
    record.process((11, 10, "sh", 30, 1, 600, 500));
    let second = record.next().await;
    second.is("payment", "process.count", &[("process", "payment")], 2.0);
    // 60 ticks of 10 ms on four CPUs.
    second.is("payment", "process.cpu.utilization", &[], 0.15);
    let page = second.get("payment", "process.memory.usage", &[]).expect("memory") / 1500.0;
    assert!(page >= 4096.0, "{page}");
    second.is("payment", "process.memory.utilization", &[], 1500.0 * page / f64::from(1 << 30));
    second.is("payment", "process.unix.file_descriptor.utilization", &[], 0.2);
}

#[tokio::test(start_paused = true)]
async fn each_part_of_a_pattern_must_hold() {
    let pattern = |user: &str, cmdline: &str| ProcessConfig {
        name: Some("a-name-of-more-than-15-bytes".into()),
        cmdline: Some(cmdline.into()),
        user: Some(user.into()),
        ..ProcessConfig::default()
    };
    let mut record = Record::new(&[
        process("all", pattern("1000", "--port 80+")),
        process("user", pattern("1001", "--port")),
        process("cmdline", pattern("1000", "--port 9")),
        process("nobody", pattern("no-such-user", "--port")),
    ]);
    // The kernel has cut the name.
    record.process((10, 1, "a-name-of-more-", 1, 1, 1, 1));
    record.next().await;
    let status = record.services.status();
    let found: Vec<usize> = status.iter().map(|status| status.groups[0].processes).collect();
    assert_eq!(found, [1, 0, 0, 0]);
    assert!(status[3].problems[0].contains("give the user's number"), "{:?}", status[3].problems);
}

#[tokio::test(start_paused = true)]
async fn processes_that_come_and_go_are_counted_once_and_never_backwards() {
    let mut record = Record::new(&[named("payment", "payment")]);
    record.process((10, 1, "payment", 100_000, 1, 500, 1));
    record.process((11, 1, "payment", 70_000, 1, 500, 1));
    let cpu = "process.cpu.utilization";
    record.next().await;
    // One ends, and another gets its id before the next reading.
    record.process((11, 1, "payment", 20, 1, 900, 1));
    record.next().await.is("payment", cpu, &[], 0.0);
    // It is taken up by the early scan that the loss has asked for.
    record.next().await.is("payment", "process.count", &[], 2.0);
    record.process((11, 1, "payment", 60, 1, 900, 1));
    record.next().await.is("payment", cpu, &[], 0.1);
    // One that runs since long ago and matches now does not bring its past along.
    record.process((12, 1, "payment", 999_999, 1, 100, 1));
    for _ in 0..7 {
        record.next().await.is("payment", cpu, &[], 0.0);
    }
    assert_eq!(record.services.status()[0].groups[0].processes, 3);
    assert_eq!(record.services.status()[0].groups[0].restarts, 0, "something ran all the time");
}

#[tokio::test(start_paused = true)]
async fn a_service_all_of_whose_processes_are_new_was_restarted() {
    let mut record = Record::new(&[named("payment", "payment")]);
    record.process((10, 1, "payment", 1, 1, 500, 1));
    record.next().await;
    record.process((10, 1, "payment", 1, 1, 900, 1));
    record.next().await.is("payment", "process.count", &[], 0.0);
    let back = record.next().await;
    back.is("payment", "service.restarts", &[], 1.0);
    back.is("payment", "service.up", &[], 1.0);
    record.next().await.is("payment", "service.restarts", &[], 0.0);
}

#[tokio::test(start_paused = true)]
async fn memory_of_processes_is_held_against_the_limit_of_the_cgroup_they_run_in() {
    let mut record = Record::v2(&[named("payment", "payment")]);
    record.process((10, 1, "payment", 1, 1, 500, 1000));
    record.write("proc/10/cgroup", "0::/app/payment\n");
    record.write_all("cgroup/app", &[("memory.max", "8192000\n"), ("payment/memory.max", "max\n")]);
    let reading = record.next().await;
    let used = reading.get("payment", "process.memory.usage", &[]).expect("memory");
    reading.is("payment", "process.memory.utilization", &[], used / 8_192_000.0);
}
