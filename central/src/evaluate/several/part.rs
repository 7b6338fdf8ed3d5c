//! One rule over those services of one project and environment that live in one partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_model::{Second, ServiceId, StageTimes};

use super::super::expectation::Gap;
use super::super::ring::{Ring, SETTLE_SECONDS, Tally};
use super::super::span::MS;
use super::rule::Several;
use super::word::Addend;

/// Services that one report names as the worst.
const WORST_MAX: usize = 8;

/// Gaps begin on multiples of this, earlier rather than later, so that those of many agents become few.
const GAP_GRAIN_MS: i64 = 50;

/// Gaps of one report; where there are more the grain becomes coarser.
const GAPS_MAX: usize = 32;

/// One rule over the services of one project and environment.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) rule: Several,
    pub(super) group: ServiceId,
    pub(super) to: u32,
    pub(super) services: BTreeMap<ServiceId, Share>,
    /// How many of them wait to be read.
    pub(super) cold: usize,
    pub(super) dirty: Vec<Second>,
    pub(super) changed: bool,
    pub(super) stages: StageTimes,
}

/// One service of them.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) own: Ring,
    /// All events of the service: what agents' rates are a rate of.
    pub(super) whole: Ring,
    pub(super) warm: bool,
    pub(super) covered_from: Second,
    pub(super) watermark_ms: i64,
    pub(super) complete_until_ms: Option<i64>,
    pub(super) gaps: Vec<Gap>,
}

impl Part {
    /// What is to be told, of the seconds that changed or of all.
    pub(super) fn addend(&mut self, all: bool) -> Addend {
        let watermark_ms = self.services.values().map(|share| share.watermark_ms).max().unwrap_or(0);
        let head = Second(watermark_ms.div_euclid(MS));
        for share in self.services.values_mut() {
            share.own.advance(head);
            share.whole.advance(head);
        }
        let mut seconds = std::mem::take(&mut self.dirty);
        self.changed = false;
        if all {
            seconds = self
                .services
                .values()
                .max_by_key(|share| share.own.head())
                .map_or_else(Vec::new, |newest| newest.own.seconds().collect());
        }
        seconds.sort_unstable();
        seconds.dedup();
        let sum_of = |second: Second| {
            self.services.values().fold(Tally::default(), |sum, share| sum.plus(share.own.get(second)))
        };
        let sums = seconds.into_iter().map(|second| (second, sum_of(second)));
        // Of a report of everything, what is not named holds nothing.
        let sums = sums.filter(|(_, sum)| !all || *sum != Tally::default()).collect();
        Addend {
            group: self.group.clone(),
            rule: self.rule.digest,
            seconds: sums,
            gaps: self.gaps(head),
            watermark_ms,
            complete_until_ms: self.services.values().filter_map(|share| share.complete_until_ms).min(),
            covered_from: self
                .services
                .values()
                .map(|share| share.covered_from)
                .max()
                .unwrap_or(Second(i64::MIN)),
            services: u32::try_from(self.services.len()).unwrap_or(u32::MAX),
            worst: self.worst(head),
            stages: std::mem::take(&mut self.stages),
        }
    }

    /// The gaps of all services, each with its part of what the service does.
    fn gaps(&self, head: Second) -> Vec<Gap> {
        let reach_s = i64::from(self.rule.rule().window_s) + SETTLE_SECONDS as i64;
        let oldest_ms = head.offset(-reach_s).0.saturating_mul(MS);
        let mut grain_ms = GAP_GRAIN_MS;
        loop {
            let mut sums = BTreeMap::<(i64, i64), f64>::new();
            for share in self.services.values() {
                let (own, whole) = (share.own.window(head).seen as f64, share.whole.window(head).seen as f64);
                let of_it = if whole > 0.0 { (own / whole).min(1.0) } else { 1.0 };
                for gap in share.gaps.iter().filter(|gap| gap.until_ms > oldest_ms) {
                    let from_ms = gap.from_ms.max(oldest_ms);
                    let from_ms = from_ms - from_ms.rem_euclid(grain_ms);
                    let until_ms = match gap.until_ms {
                        i64::MAX => i64::MAX,
                        until_ms => until_ms + (-until_ms).rem_euclid(grain_ms),
                    };
                    *sums.entry((from_ms, until_ms)).or_default() += gap.per_ms * of_it;
                }
            }
            if sums.len() <= GAPS_MAX || grain_ms > i64::from(u32::MAX) {
                let gaps = sums.into_iter();
                return gaps.map(|((from_ms, until_ms), per_ms)| Gap { from_ms, until_ms, per_ms }).collect();
            }
            grain_ms *= 2;
        }
    }

    fn worst(&self, head: Second) -> Vec<(Arc<str>, Tally)> {
        let mut worst: Vec<(&ServiceId, Tally)> =
            self.services.iter().map(|(service, share)| (service, share.own.window(head))).collect();
        worst.sort_by_key(|(_, tally)| std::cmp::Reverse((tally.bad_high, tally.seen)));
        worst.truncate(WORST_MAX);
        worst.into_iter().map(|(service, tally)| (Arc::from(service.service()), tally)).collect()
    }
}
