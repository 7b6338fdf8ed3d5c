//! Finds the request that made a rule true, in nginx's own log and by the definition of a window alone.

use std::collections::BTreeMap;

use goldentime_model::{Second, UnixNanos};
use goldentime_testkit::oracle::AccessLine;

use super::rules::{BAD_SHARE, Kind, Rule, SLOW_S};

/// The end of the first request at or after `since` with which the rule is true: the bad share of the
/// `window_s` seconds that end with the request's own, over all requests that ended up to it.
///
/// `lines` stand in order of their ends.
#[must_use]
pub fn tipping(lines: &[AccessLine], rule: Rule, since: UnixNanos) -> Option<UnixNanos> {
    let mut seconds: BTreeMap<Second, (u64, u64)> = BTreeMap::new();
    let width = i64::from(rule.window_s);
    let first = since.second().offset(-width);
    for line in lines {
        let at = UnixNanos((line.at * 1e9) as i64);
        let second = at.second();
        if second < first {
            continue;
        }
        let bad = match rule.kind {
            Kind::Errors => line.status >= 500,
            Kind::Latency => line.seconds > SLOW_S,
        };
        let entry = seconds.entry(second).or_default();
        entry.0 += 1;
        entry.1 += u64::from(bad);
        if at < since || !bad {
            continue;
        }
        let window = seconds.range(second.offset(1 - width)..=second);
        let (total, bad) = window.fold((0, 0), |sum, (_, s)| (sum.0 + s.0, sum.1 + s.1));
        if bad as f64 > BAD_SHARE * total as f64 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: f64, status: u16) -> AccessLine {
        AccessLine { method: "GET".into(), path: "/".into(), status, seconds: 0.01, at }
    }

    #[test]
    fn the_tipping_request_is_the_first_with_which_the_share_is_above_the_rule() {
        // Ten good ones a second for ten seconds, then bad ones: 5% of 50 is passed by the third.
        let mut lines: Vec<_> = (0..100).map(|n| line(1000.0 + f64::from(n) / 10.0, 200)).collect();
        lines.extend((0..5).map(|n| line(1010.0 + f64::from(n) / 10.0, 500)));
        let rule = Rule { kind: Kind::Errors, window_s: 5 };
        // At 1010.x the window holds 1006..=1010: 40 good ones and the bad ones so far.
        let tipped = tipping(&lines, rule, UnixNanos(1_010_000_000_000)).expect("true at last");
        assert_eq!(tipped.as_millis(), 1_010_200);
    }
}
