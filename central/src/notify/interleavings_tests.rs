//! Whatever happens in whatever order, what people heard last of an alert is what it is.

use std::collections::{BTreeMap, BTreeSet};

use goldentime_model::{Alert, AlertStatus, Matcher, UnixNanos};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::receivers::WebhookReceiver;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::decisions::Wanted;
use super::message::testing::alert_of;
use super::testing::{LIMIT, Running};
use crate::evaluate::transition::{Change, Transition};

const HOSTS: usize = 4;
const STEPS: usize = 80;

/// What is true, and who is to be told.
struct World {
    dice: StdRng,
    firing: BTreeMap<usize, Alert>,
    /// Every episode so far that is over.
    over: BTreeSet<String>,
    episodes: usize,
    silences: Vec<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let dice = StdRng::seed_from_u64(seed);
        Self { dice, firing: BTreeMap::new(), over: BTreeSet::new(), episodes: 0, silences: Vec::new() }
    }

    async fn step(&mut self, notifier: &Running) {
        let host = self.dice.random_range(0..HOSTS);
        match self.dice.random_range(0..10) {
            0..6 => self.flip(host, notifier).await,
            6 | 7 => {
                let now = SystemClock.now();
                let wanted = Wanted {
                    id: None,
                    matchers: Matcher::parse_all(&format!("host=web-{host}")).expect("matchers"),
                    starts_at: now,
                    ends_at: now.saturating_add(3600 * 1_000_000_000),
                    by: "kim".into(),
                    comment: "deploy".into(),
                };
                let kept = notifier.handle.decisions().silence(wanted).await.expect("silenced");
                self.silences.push(kept.id);
            }
            _ => self.end_a_silence(notifier).await,
        }
    }

    async fn flip(&mut self, host: usize, notifier: &Running) {
        let (change, alert) = match self.firing.remove(&host) {
            Some(alert) => {
                self.over.insert(alert.episode.clone());
                let over = AlertStatus::Resolved;
                (Change::Resolved, Alert { status: over, ends_at: Some(UnixNanos(20_000_000_000)), ..alert })
            }
            None => {
                self.episodes += 1;
                let mut alert = alert_of(&format!("web-{host}"), "slow");
                alert.episode = format!("{}-test-{}", alert.fingerprint, self.episodes);
                self.firing.insert(host, alert.clone());
                (Change::Fired, alert)
            }
        };
        let transition = Transition { change, alert, targets: Vec::new(), tell_resolve: true };
        notifier.transitions.send(transition).await.expect("the notifier runs");
    }

    async fn end_a_silence(&mut self, notifier: &Running) {
        if let Some(id) = self.silences.pop() {
            notifier.handle.decisions().expire(&id).await.expect("ended");
        }
    }

    /// What is wrong with what people heard, once everything was told.
    fn fault(&self, heard: &[(String, bool)]) -> Option<String> {
        let mut told: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
        for (episode, fires) in heard {
            told.entry(episode).or_default().push(*fires);
        }
        let is_over = |episode: &str| self.over.contains(episode);
        let wrong = told.iter().find(|(episode, news)| {
            let expected: &[bool] = if is_over(episode) { &[true, false] } else { &[true] };
            news.as_slice() != expected
        });
        let missed = self.firing.values().find(|alert| !told.contains_key(alert.episode.as_str()));
        let wrong = wrong.map(|(episode, news)| format!("{episode}, over: {}: {news:?}", is_over(episode)));
        wrong.or_else(|| missed.map(|alert| format!("{} fires and was not told", alert.episode)))
    }
}

/// Episodes of all messages, and whether each was said to fire.
fn heard(receiver: &WebhookReceiver) -> Vec<(String, bool)> {
    let received = receiver.received();
    let alerts = received.iter().flat_map(|page| page.body["alerts"].as_array().into_iter().flatten());
    let news = alerts.map(|alert| {
        let episode = alert["goldentime"]["episode"].as_str().unwrap_or_default().to_owned();
        (episode, alert["status"] == "firing")
    });
    news.collect()
}

#[tokio::test]
async fn nothing_is_lost_told_twice_or_said_to_be_over_while_it_fires() {
    for seed in 0..5 {
        let (dir, receiver) =
            (tempfile::tempdir().expect("dir"), WebhookReceiver::start().await.expect("starts"));
        let yaml = format!(
            "debounce: 0\nroute: {{group_by: ['...'], group_interval: 0}}\nchannels:\n- name: ops\n  webhook: {{url: '{}'}}\n",
            receiver.url()
        );
        let mut world = World::new(seed);
        let mut notifier = Running::start(dir.path(), &yaml).await;
        for step in 1..=STEPS {
            world.step(&notifier).await;
            if step % 27 == 0 {
                notifier.stop().await;
                notifier = Running::start(dir.path(), &yaml).await;
            }
        }
        while !world.silences.is_empty() {
            world.end_a_silence(&notifier).await;
        }
        let settled = goldentime_testkit::wait::until("everything to be told", LIMIT, || async {
            world.fault(&heard(&receiver)).is_none().then_some(())
        });
        let settled = settled.await;
        assert!(settled.is_ok(), "seed {seed}: {:?}", world.fault(&heard(&receiver)));
        notifier.stop().await;
        assert_eq!(world.fault(&heard(&receiver)), None, "seed {seed}, after the stop");
    }
}
