//! What is judged of several services, against sums by hand over everything that they did.

use goldentime_model::{Interval, UnixNanos};
use proptest::prelude::*;

use super::super::expectation::Gap;
use super::super::testing::service;
use super::source::Source;
use super::testing::{NAMES, PARTITIONS, Shop, together};
use super::word::Report;

#[derive(Clone, Debug)]
enum Event {
    /// A service did something.
    Add { name: usize, second: i64, ok: u64, bad: u64 },
    /// Its agents came so far, and send so much; or there is a hole of a second in what they sent.
    Reach { name: usize, at_50ms: i64, per_s: u16, hole: bool },
    /// A partition reports, and what becomes of it.
    Report { partition: u32, fate: Fate },
    /// A partition gets another owner.
    Restart { partition: u32 },
    /// The former owner of a partition wakes and reports.
    Wake { partition: u32 },
    /// A second ends.
    Tick,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Heard,
    Lost,
    Twice,
    /// After the next one.
    Late,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let fate = prop_oneof![5 => Just(Fate::Heard), 1 => Just(Fate::Lost), 1 => Just(Fate::Twice), 1 => Just(Fate::Late)];
    let event = prop_oneof![
        8 => (0..NAMES.len(), 100_i64..150, 1_u64..50, 0_u64..20)
            .prop_map(|(name, second, ok, bad)| Event::Add { name, second, ok, bad }),
        2 => (0..NAMES.len(), 2000_i64..3000, 0_u16..300, any::<bool>())
            .prop_map(|(name, at_50ms, per_s, hole)| Event::Reach { name, at_50ms, per_s, hole }),
        6 => (0..PARTITIONS, fate).prop_map(|(partition, fate)| Event::Report { partition, fate }),
        1 => (0..PARTITIONS).prop_map(|partition| Event::Restart { partition }),
        1 => (0..PARTITIONS).prop_map(|partition| Event::Wake { partition }),
        1 => Just(Event::Tick),
    ];
    prop::collection::vec(event, 1..120)
}

/// Share of good requests in the ten seconds to the newest, by hand; `None` without any.
fn by_hand(shop: &Shop) -> Option<Interval> {
    let watermark_ms = shop.done.values().map(|done| done.watermark_ms).max()?;
    let head = watermark_ms / 1000;
    let (mut seen, mut bad, mut unseen) = (0_u64, 0_u64, 0.0);
    for done in shop.done.values() {
        for (_, (ok, failed)) in done.cells.range(head - 9..=head) {
            (seen, bad) = (seen + ok + failed, bad + failed);
        }
        let missing = done.gaps.iter().map(|gap| gap.events((head - 9) * 1000, watermark_ms));
        unseen += missing.sum::<f64>();
    }
    let share = Interval::bad_share(bad, bad, seen, unseen)?;
    Some(Interval { low: (1.0 - share.high).max(0.0), high: (1.0 - share.low).max(0.0) })
}

proptest! {
    #[test]
    fn whatever_is_lost_or_repeated_on_the_way_the_judge_sees_what_all_services_did(events in events()) {
        let mut shop = Shop::new(together());
        let mut judge = shop.judge(Vec::new());
        let mut late: Vec<Report> = Vec::new();
        let mut former: Vec<(u32, Source, u64)> = Vec::new();
        let mut at_ms = 1_000_000;
        for event in events {
            at_ms += 10;
            let now = UnixNanos::from_millis(at_ms);
            match event {
                Event::Add { name, second, ok, bad } => shop.add(NAMES[name], second, ok, bad),
                Event::Reach { name, at_50ms, per_s, hole } => {
                    let per_ms = f64::from(per_s) / 1000.0;
                    let done = shop.done.get_mut(&service(NAMES[name])).expect("known");
                    let from_ms = at_50ms * 50;
                    done.gaps = vec![Gap { from_ms, until_ms: i64::MAX, per_ms }];
                    if hole {
                        done.gaps.push(Gap { from_ms: from_ms - 3000, until_ms: from_ms - 2000, per_ms });
                    }
                }
                Event::Report { partition, fate } => {
                    let reports = shop.reports(partition, false);
                    match fate {
                        Fate::Lost => {}
                        Fate::Late => late.extend(reports),
                        Fate::Heard | Fate::Twice => {
                            judge.hear(&reports, now);
                            if matches!(fate, Fate::Twice) {
                                judge.hear(&reports, now);
                            }
                            judge.hear(&std::mem::take(&mut late), now);
                        }
                    }
                }
                Event::Restart { partition } => {
                    let offset = shop.offset;
                    former.extend(shop.restart(partition).map(|source| (partition, source, offset)));
                    shop.offset += 1;
                }
                Event::Wake { partition } => {
                    for (_, source, offset) in former.iter_mut().filter(|(of, ..)| *of == partition) {
                        source.asked(judge.group.partition(PARTITIONS));
                        judge.hear(&source.reports(*offset), now);
                    }
                }
                Event::Tick => judge.tick(&mut shop, at_ms),
            }
        }
        judge.hear(&late, UnixNanos::from_millis(at_ms));
        for second in 1..=3 {
            judge.tick(&mut shop, at_ms + second * 2_000);
        }
        let (judged, expected) = (judge.status().sli, by_hand(&shop));
        match (judged, expected) {
            (Some(judged), Some(expected)) => {
                let off = (judged.low - expected.low).abs().max((judged.high - expected.high).abs());
                prop_assert!(off < 1e-9, "{judged:?}, by hand {expected:?}");
            }
            (judged, expected) => prop_assert_eq!(judged, expected),
        }
    }
}
