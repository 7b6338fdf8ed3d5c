//! When rules over several services fire and end, and what they say.

use std::sync::Arc;

use goldentime_model::alert::label;
use goldentime_model::{Alert, Second, UnixNanos};

use super::super::expectation::Gap;
use super::super::explain;
use super::super::status::RuleState;
use super::super::testing::service;
use super::super::transition::Change;
use super::testing::{Judge, NAMES, PARTITIONS, Shop, cell, together};

/// Every service has `bad` of 100 requests in each of these seconds; agents are through with all of them.
fn run(shop: &mut Shop, judge: &mut Judge, seconds: std::ops::Range<i64>, bad: impl Fn(&str) -> u64) {
    for second in seconds {
        for name in NAMES {
            shop.add(name, second, 100 - bad(name), bad(name));
            let done = shop.done.get_mut(&service(name)).expect("known");
            done.gaps = vec![Gap { from_ms: done.watermark_ms, until_ms: i64::MAX, per_ms: 0.1 }];
        }
        judge.tick(shop, second * 1000 + 900);
    }
}

fn found(judge: &Judge) -> Vec<(Change, Alert)> {
    judge.found.iter().map(|found| (found.transition.change, found.transition.alert.clone())).collect()
}

#[test]
fn one_page_and_one_end_are_told_of_the_group_and_name_the_worst_service() {
    let mut shop = Shop::new(together());
    let mut judge = shop.judge(Vec::new());
    run(&mut shop, &mut judge, 100..120, |_| 0);
    assert_eq!(judge.status().state, RuleState::Ok);
    run(&mut shop, &mut judge, 120..140, |name| if name == "payment" { 28 } else { 3 });
    run(&mut shop, &mut judge, 140..170, |_| 0);
    let all = found(&judge);
    let [(Change::Fired, fired), (Change::Resolved, resolved)] = all.as_slice() else { panic!("{all:#?}") };
    assert_eq!(fired.episode, resolved.episode);
    assert_eq!(fired.labels.get(label::SERVICE), None);
    assert_eq!(fired.labels[label::SLO], "shop");
    let across = judge.found[0].subject.as_ref().and_then(|subject| subject.across.clone()).expect("several");
    assert_eq!(across.services, 5);
    assert_eq!(&*across.worst[0].0, "payment");
    assert!(across.names_all());

    let subject = judge.found[0].subject.as_ref().expect("a window");
    let mut told = fired.clone();
    explain::annotate(&mut told, Change::Fired, subject, &[]);
    assert_eq!(told.annotations["service"], "payment");
    assert!(told.annotations["services"].starts_with("payment: "), "{:#?}", told.annotations);
    let (english, korean) = (&told.annotations["summary"], &told.annotations["summary_ko"]);
    assert!(english.starts_with("shop: ") && english.contains("; service payment of 5 causes "), "{english}");
    assert!(korean.contains("서비스 5개 중 payment에서 "), "{korean}");
}

#[test]
fn while_a_partition_is_not_heard_nobody_can_say_and_what_fired_goes_on() {
    let mut shop = Shop::new(together());
    let mut judge = shop.judge(Vec::new());
    run(&mut shop, &mut judge, 100..120, |_| 20);
    let (_, fired) = found(&judge).remove(0);

    // Another judge goes on, and at first hears all but one of the partitions.
    let mut next = shop.judge(vec![fired.clone()]);
    let missing = service("payment").partition(PARTITIONS);
    for partition in (0..PARTITIONS).filter(|partition| *partition != missing) {
        shop.sources.get_mut(&partition).expect("owned").asked(next.group.partition(PARTITIONS));
        let reports = shop.reports(partition, true);
        next.hear(&reports, UnixNanos::from_millis(121_000));
    }
    next.judges.tick(i64::MIN, UnixNanos::from_millis(121_000), &mut next.found);
    assert!(next.found.is_empty(), "{:#?}", found(&next));
    assert_eq!(next.status().state, RuleState::Firing);

    run(&mut shop, &mut next, 121..150, |_| 0);
    let all = found(&next);
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!((all[0].0, &all[0].1.episode), (Change::Resolved, &fired.episode));
}

#[test]
fn a_partition_whose_owner_is_gone_makes_its_services_missing_and_not_healthy() {
    let mut shop = Shop::new(together());
    let mut judge = shop.judge(Vec::new());
    run(&mut shop, &mut judge, 100..120, |_| 20);
    assert_eq!(judge.status().state, RuleState::Firing);
    // The others are well again. Of the one that is not heard as much is missing as it had.
    let silent = service("payment").partition(PARTITIONS);
    for second in 120..150 {
        for name in NAMES {
            shop.add(name, second, 100, 0);
            let done = shop.done.get_mut(&service(name)).expect("known");
            done.gaps = vec![Gap { from_ms: done.watermark_ms, until_ms: i64::MAX, per_ms: 0.1 }];
        }
        let now = UnixNanos::from_millis(second * 1000 + 900);
        for partition in (0..PARTITIONS).filter(|partition| *partition != silent) {
            let reports = shop.reports(partition, true);
            judge.hear(&reports, now);
        }
        judge.judges.tick(i64::MIN, now, &mut judge.found);
    }
    let sli = judge.status().sli.expect("judged");
    assert!(sli.high > 0.99 && sli.low < 0.9, "{sli:?}");
    assert_eq!(judge.status().state, RuleState::Firing, "what is missing may be bad");
    assert!(judge.judges.must_ask(UnixNanos::from_millis(160_000)), "it is asked for");
    judge.tick(&mut shop, 161_000);
    let changes: Vec<Change> = found(&judge).iter().map(|(change, _)| *change).collect();
    assert_eq!(changes, [Change::Fired, Change::Resolved]);
}

#[test]
fn sums_of_a_rule_that_another_central_has_in_other_words_are_not_added() {
    let mut shop = Shop::new(together());
    let mut other = together();
    other.window_s = 60;
    let mut judge = shop.judge(Vec::new());
    let changed = vec![Arc::new(other)];
    judge.judges.reload(&changed, UnixNanos::from_millis(1), &mut judge.found);
    run(&mut shop, &mut judge, 100..120, |_| 20);
    // Nothing is heard of the rule: it is its own partition's seconds that end.
    judge.judges.tick(119_000, UnixNanos::from_millis(120_900), &mut judge.found);
    assert_eq!(judge.status().state, RuleState::Unknown);
    assert!(judge.found.is_empty());

    for (partition, source) in &mut shop.sources {
        let own = shop.done.iter().filter(|(id, _)| id.partition(PARTITIONS) == *partition);
        source.reload(&changed, own.clone().map(|(id, _)| id), Second(100));
        for (id, done) in own {
            let cells: Vec<_> =
                done.cells.iter().map(|(second, counts)| (Second(*second), cell(*counts))).collect();
            source.rebuild(id, &cells);
        }
    }
    judge.tick(&mut shop, 121_000);
    assert_eq!(judge.status().state, RuleState::Firing);
}
