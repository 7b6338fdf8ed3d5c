//! What of a window came from where: which hosts, endpoints and services are to blame.

use std::fmt::Write as _;

use goldentime_windows::{Aggregate, SecondCell};

use super::project::{Part, Projection};
use super::ring::Tally;
use super::several::group::Across;

/// At most this many hosts, endpoints and services are named.
const NAMED_MAX: usize = 3;

/// One of them is to blame alone from this share of the bad events.
const CULPRIT_SHARE: f64 = 0.5;

/// What of a window came from where.
#[derive(Debug, Default)]
pub(super) struct Blame {
    pub(super) whole: Tally,
    pub(super) hosts: Vec<(String, Tally)>,
    pub(super) endpoints: Vec<(String, Tally)>,
    pub(super) latency: Aggregate,
    pub(super) worst_reading: Option<(String, f64)>,
}

/// Adds up what `cells` hold of a part.
pub(super) fn blame(projection: &Projection, part: &Part, cells: &[SecondCell]) -> Blame {
    let mut blame = Blame::default();
    let mut hosts = std::collections::BTreeMap::<&str, Tally>::new();
    let mut endpoints = std::collections::BTreeMap::<String, Tally>::new();
    for cell in cells {
        projection.tallies(cell, |of, tally| {
            if of == *part {
                blame.whole = blame.whole.plus(tally);
            }
        });
        projection.worst_reading(cell, &mut blame.worst_reading);
        match part {
            Part::Service => {
                blame.latency.latency.merge(&cell.total.latency);
                for (host, aggregate) in &cell.hosts {
                    let slot = hosts.entry(host).or_default();
                    *slot = slot.plus(projection.tally(aggregate));
                }
                for (key, aggregate) in &cell.endpoints {
                    let slot = endpoints.entry(format!("{} {}", key.method, key.endpoint)).or_default();
                    *slot = slot.plus(projection.tally(aggregate));
                }
            }
            Part::Endpoint(key) => {
                if let Some(aggregate) = cell.endpoints.get(key) {
                    blame.latency.latency.merge(&aggregate.latency);
                }
            }
            Part::Host(host) => {
                if let Some(aggregate) = cell.hosts.get(host) {
                    blame.latency.latency.merge(&aggregate.latency);
                }
            }
        }
    }
    blame.hosts = hosts.into_iter().map(|(host, tally)| (host.to_owned(), tally)).collect();
    blame.endpoints = endpoints.into_iter().collect();
    blame
}

/// The services of a rule over several, as parts of it.
pub(super) fn services_of(across: &Across) -> Vec<(String, Tally)> {
    across.worst.iter().map(|(service, tally)| (service.to_string(), *tally)).collect()
}

/// The one of several that is to blame: what it is in both languages, with what it is counted by in Korean.
pub(super) struct Culprit<'a> {
    pub(super) kind: (&'static str, &'static str, &'static str),
    pub(super) name: &'a str,
    pub(super) share: f64,
    pub(super) of: usize,
}

/// The one part that most bad events come from, though others were seen too.
pub(super) fn culprit<'a>(parts: &'a [(String, Tally)], whole: &Tally) -> Option<(&'a str, f64)> {
    let (name, tally) = parts.iter().max_by_key(|(_, tally)| tally.bad_high)?;
    let share = tally.bad_high as f64 / whole.bad_high.max(1) as f64;
    (parts.len() > 1 && tally.bad_high > 0 && share >= CULPRIT_SHARE).then_some((name, share.min(1.0)))
}

/// The worst parts as `web-7: 120 of 124 bad (97% of all bad)`.
pub(super) fn contributions(parts: &[(String, Tally)], whole: &Tally) -> String {
    let mut worst: Vec<_> = parts.iter().filter(|(_, tally)| tally.bad_high > 0).collect();
    worst.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.bad_high));
    let mut text = String::new();
    for (name, tally) in worst.iter().take(NAMED_MAX) {
        let of_all = tally.bad_high as f64 / whole.bad_high.max(1) as f64;
        let separator = if text.is_empty() { "" } else { "; " };
        let (bad, seen, of_all) = (tally.bad_high, tally.seen, percent(of_all.min(1.0)));
        let _ = write!(text, "{separator}{name}: {bad} of {seen} bad ({of_all} of all bad)");
    }
    if worst.len() > NAMED_MAX {
        let _ = write!(text, "; {} more", worst.len() - NAMED_MAX);
    }
    text
}

/// A share as people read it.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}
