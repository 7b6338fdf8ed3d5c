//! Breaks one service at a random instant, waits for both sides to page, heals it, waits for both to
//! resolve, and again.

use std::time::Duration;

use goldentime_model::UnixNanos;
use goldentime_runtime::{Clock, SystemClock};
use rand::Rng;
use tokio::time::{Instant, sleep};

use super::receiver::Words;
use super::rules::{Kind, Rule, WINDOWS_S};
use super::upstream::{Services, service_name};

/// How long both sides may take to page.
const PAGE_WITHIN: Duration = Duration::from_secs(20);
/// How long both sides may take to resolve.
const RESOLVE_WITHIN: Duration = Duration::from_secs(120);

/// One trial: what was broken, when, and when each side paged each rule.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Which service.
    pub service: String,
    /// What was broken.
    pub kind: Kind,
    /// When it was broken.
    pub onset: UnixNanos,
    /// When our webhook and the peer's arrived, by rule.
    pub pages: Vec<(Rule, Option<UnixNanos>, Option<UnixNanos>)>,
}

/// Both sides' words.
#[derive(Clone)]
pub struct Sides {
    /// Goldentime's.
    pub ours: Words,
    /// The peer's; `None` when it does not take part.
    pub peer: Option<Words>,
}

/// Runs `count` trials on one service, errors and latency in turn.
pub async fn run(number: usize, count: usize, services: Services, sides: Sides) -> Vec<Trial> {
    let mut trials = Vec::new();
    let service = service_name(number);
    for round in 0..count {
        let kind = if (round + number).is_multiple_of(2) { Kind::Errors } else { Kind::Latency };
        // Every window must hold good seconds only, and the onset must fall anywhere in a second.
        let longest = u64::from(WINDOWS_S[WINDOWS_S.len() - 1]);
        let calm =
            Duration::from_secs(longest + 2) + Duration::from_millis(rand::rng().random_range(0..3000));
        sleep(calm).await;
        let onset = SystemClock.now();
        services.set(number, kind, true);
        let rules: Vec<Rule> = Rule::all().into_iter().filter(|rule| rule.kind == kind).collect();
        let deadline = Instant::now() + PAGE_WITHIN;
        while Instant::now() < deadline && !all_fired(&sides, &service, &rules, onset) {
            sleep(Duration::from_millis(50)).await;
        }
        services.set(number, kind, false);
        let pages = rules.iter().map(|rule| {
            let key = (service.clone(), rule.name());
            let peer = sides.peer.as_ref().and_then(|peer| peer.fired_since(&key, onset));
            (*rule, sides.ours.fired_since(&key, onset), peer)
        });
        trials.push(Trial { service: service.clone(), kind, onset, pages: pages.collect() });
        let deadline = Instant::now() + RESOLVE_WITHIN;
        while Instant::now() < deadline && any_firing(&sides, &service) {
            sleep(Duration::from_millis(100)).await;
        }
    }
    trials
}

fn all_fired(sides: &Sides, service: &str, rules: &[Rule], since: UnixNanos) -> bool {
    rules.iter().all(|rule| {
        let key = (service.to_owned(), rule.name());
        sides.ours.fired_since(&key, since).is_some()
            && sides.peer.as_ref().is_none_or(|peer| peer.fired_since(&key, since).is_some())
    })
}

fn any_firing(sides: &Sides, service: &str) -> bool {
    Rule::all().iter().any(|rule| {
        let key = (service.to_owned(), rule.name());
        sides.ours.is_firing(&key) || sides.peer.as_ref().is_some_and(|peer| peer.is_firing(&key))
    })
}
