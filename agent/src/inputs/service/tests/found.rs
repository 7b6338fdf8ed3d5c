//! What is found for an entry, and where.

use super::*;

fn empty_cgroup(record: &Record, path: &str) {
    record.write_all(&format!("cgroup{path}"), &[("memory.current", "10\n"), ("cgroup.procs", "")]);
}

#[tokio::test(start_paused = true)]
async fn a_unit_with_a_slice_of_its_own_and_units_of_users_are_found_by_name() {
    let mut record = Record::v2(&[unit("payment.service"), unit("notes.service")]);
    empty_cgroup(&record, "/shop.slice/shop-money.slice/payment.service");
    let of_user =
        |user: u32| format!("/user.slice/user-{user}.slice/user@{user}.service/app.slice/notes.service");
    empty_cgroup(&record, &of_user(1000));
    empty_cgroup(&record, &of_user(1001));
    let reading = record.next().await;
    reading.is("payment", "container.memory.usage", &[("unit", "payment.service")], 10.0);
    reading.is("notes", "container.memory.usage", &[("unit", &of_user(1000))], 10.0);
    reading.is("notes", "container.memory.usage", &[("unit", &of_user(1001))], 10.0);
}

#[tokio::test(start_paused = true)]
async fn the_instances_of_a_template_are_told_apart_and_come_and_go() {
    let mut record = Record::v2(&[Entry { service: Some("worker".into()), ..unit("worker@*.service") }]);
    let at = |instance: u32| format!("/system.slice/system-worker.slice/worker@{instance}.service");
    empty_cgroup(&record, &at(1));
    empty_cgroup(&record, &at(2));
    let reading = record.next().await;
    reading.is("worker", "container.memory.usage", &[("unit", "worker@1.service")], 10.0);
    reading.is("worker", "container.memory.usage", &[("unit", "worker@2.service")], 10.0);
    reading.is("worker", "service.up", &[("unit", "worker@*.service")], 0.0);
    record.remove(&format!("cgroup{}", at(1)));
    let reading = record.rescan().await;
    assert_eq!(reading.get("worker", "container.memory.usage", &[("unit", "worker@1.service")]), None);
    assert_eq!(record.services.status()[0].groups.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn containers_name_their_services_and_each_says_whether_it_runs() {
    let mut record = Record::v2(&[cgroup("shop-$2", "/kubepods.slice/**/cri-containerd-*.scope")]);
    let pod = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7.slice";
    empty_cgroup(&record, &format!("{pod}/cri-containerd-ab12.scope"));
    empty_cgroup(&record, &format!("{pod}/other-ab12.scope"));
    record.write(&format!("cgroup{pod}/cri-containerd-ab12.scope/cgroup.events"), "populated 1\n");
    let reading = record.next().await;
    reading.is("shop-ab12", "service.up", &[("cgroup", "cri-containerd-ab12.scope")], 1.0);
    assert!(reading.0.iter().all(|(service, _)| service.service() == "shop-ab12"));
}

#[tokio::test(start_paused = true)]
async fn a_container_cannot_take_a_name_that_is_kept_for_something_else() {
    let mut record = Record::v2(&[cgroup("$1", "/docker/*")]);
    for name in ["__other__", "host:web-1", "shop"] {
        empty_cgroup(&record, &format!("/docker/{name}"));
    }
    let reading = record.next().await;
    assert!(reading.0.iter().all(|(service, _)| service.service() == "shop"), "{:?}", reading.0);
    let problems = record.services.status()[0].problems.join("; ");
    for told in ["`__other__` is kept", "`host:web-1`: what begins with `host:` is kept"] {
        assert!(problems.contains(told), "{problems}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_over_a_limit_is_counted_and_said() {
    let mut record = Record::v2(&[cgroup("c", "/docker/*")]);
    record.services = Services::new(
        Config {
            groups_max: 2,
            cgroup_root: record.path("cgroup"),
            proc_root: record.path("proc"),
            ..Config::default()
        },
        &[cgroup("c", "/docker/*")],
        "default",
        "prod",
    )
    .expect("valid");
    (0..5).for_each(|number| empty_cgroup(&record, &format!("/docker/{number}")));
    record.next().await;
    assert_eq!(record.services.groups_over_limit, 3);
    let problems = &record.services.status()[0].problems;
    assert!(problems[0].contains("3 cgroups are over `inputs.saturation.groups_max`"), "{problems:?}");
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_control_groups_is_told_with_the_way_out() {
    let mut record = Record::new(&[unit("payment.service")]);
    record.next().await.is("payment", "service.up", &[], 0.0);
    let problems = &record.services.status()[0].problems;
    assert!(problems[0].contains("set `inputs.saturation.cgroup_root`"), "{problems:?}");
}
