//! Says what happens here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use goldentime_kafka::{Outgoing, ProducerHandle};
use goldentime_model::ServiceId;
use goldentime_model::metric_names::DROPS_TOTAL;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use super::word::{Presence, Said, Statuses, Word};
use super::{Here, Knowledge};
use crate::evaluate::status::RuleStatus;
use crate::ingest::agents::AgentEvent;
use crate::notify::News;
use crate::notify::foreign::Posted;

/// Statuses are said this often, and when one changes its state.
const STATUSES_EVERY: Duration = Duration::from_secs(1);
/// What this central does and its agents are said this often.
const AGENTS_EVERY: Duration = Duration::from_secs(5);
/// Changes are gathered for this long.
const GATHER: Duration = Duration::from_millis(50);
/// Statuses, or agents, in one word.
const IN_A_WORD: usize = 250;

/// Alerts that others found, in one word.
const POSTED_IN_A_WORD: usize = 20;

pub(super) struct Speaker {
    pub(super) member: Arc<str>,
    pub(super) topic: Arc<str>,
    pub(super) producer: ProducerHandle,
    pub(super) knowledge: Arc<Knowledge>,
    /// Agents that come and go here, for the shards.
    pub(super) events: Option<mpsc::Sender<AgentEvent>>,
}

impl Speaker {
    /// Speaks until the uplink and the notifier have ended.
    pub(super) async fn run(mut self, here: Here) {
        let Here { mut agents, mut news, mut messages } = here;
        let mut ticks = tokio::time::interval(STATUSES_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut presence = tokio::time::interval(AGENTS_EVERY);
        presence.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut changes = self.knowledge.statuses.changes();
        let (mut round, mut has_agents, mut has_news) = (0, true, true);
        let mut changed_at: Option<Instant> = None;
        while has_agents || has_news {
            let gathered = changed_at.map_or_else(Instant::now, |at| at + GATHER);
            tokio::select! {
                biased;
                told = news.recv(), if has_news => match told {
                    Some(News::Alert(alert)) => self.say(Said::Alert(alert)).await,
                    Some(News::Pages(pages)) => self.say(Said::Pages(pages)).await,
                    Some(News::Delivered(delivery)) => self.say(Said::Delivered(delivery)).await,
                    Some(News::Posted(posted)) => self.say_posted(posted).await,
                    Some(News::Silence(silence)) => self.say(Said::Silence(silence)).await,
                    Some(News::Event(event)) => self.say(Said::Event(event)).await,
                    None => has_news = false,
                },
                event = agents.recv(), if has_agents => match event {
                    Some(event) => {
                        if let Some(said) = said(&event) {
                            self.say(said).await;
                        }
                        if let Some(events) = &self.events {
                            // Shards that ended have no use for it.
                            let _ = events.send(event).await;
                        }
                    }
                    // The shards end with the uplink; the notifier does after them.
                    None => (has_agents, self.events) = (false, None),
                },
                Some(message) = messages.recv(), if has_agents => self.say(Said::Message(message)).await,
                Ok(()) = changes.changed(), if has_agents && changed_at.is_none() => {
                    changed_at = Some(Instant::now());
                }
                () = sleep_until(gathered), if has_agents && changed_at.is_some() => {
                    changed_at = None;
                    changes.mark_unchanged();
                    self.say_statuses(&mut round).await;
                }
                _ = presence.tick(), if has_agents => {
                    self.say_present().await;
                    self.say_agents().await;
                }
                _ = ticks.tick(), if has_agents => self.say_statuses(&mut round).await,
            }
        }
    }

    /// Where the rules of our own partitions stand.
    async fn say_statuses(&self, round: &mut u64) {
        *round += 1;
        let Knowledge { statuses, owned, partitions, .. } = &*self.knowledge;
        let mut all: Vec<(ServiceId, Vec<RuleStatus>)> = Vec::new();
        for status in statuses.all() {
            if !owned.has(status.service.partition(*partitions)) {
                continue;
            }
            match all.last_mut() {
                Some((service, of_it)) if *service == status.service => of_it.push(status),
                _ => all.push((status.service.clone(), vec![status])),
            }
        }
        let words = all.chunks(IN_A_WORD).count().max(1);
        let mut chunks = all.chunks(IN_A_WORD);
        for nth in 1..=words {
            let services = chunks.next().unwrap_or_default().to_vec();
            self.say(Said::Statuses(Statuses { round: *round, is_last: nth == words, services })).await;
        }
    }

    async fn say_posted(&self, posted: Vec<Posted>) {
        for some in posted.chunks(POSTED_IN_A_WORD) {
            self.say(Said::Posted(some.to_vec())).await;
        }
    }

    async fn say_present(&self) {
        let Knowledge { roster, notifier, .. } = &*self.knowledge;
        let presence = Presence { roles: roster.own(), channels: notifier.channels() };
        self.say(Said::Present(presence)).await;
    }

    async fn say_agents(&self) {
        let connected = self.knowledge.agents.connected_here();
        for agents in connected.chunks(IN_A_WORD) {
            self.say(Said::Agents(agents.to_vec())).await;
        }
    }

    /// Gives a word in; whether Kafka takes it is not waited for. While it takes nothing, nothing is said.
    async fn say(&self, said: Said) {
        if self.producer.trouble().now().is_some() {
            drop_word("log_away");
            return;
        }
        let word = Word { member: Arc::clone(&self.member), said };
        let Ok(payload) = serde_json::to_vec(&word) else { return drop_word("not_written") };
        let outgoing = Outgoing {
            topic: Arc::clone(&self.topic),
            partition: 0,
            key: Bytes::new(),
            headers: Vec::new(),
            payload: payload.into(),
        };
        if let Err(failure) = self.producer.send(outgoing).await {
            tracing::debug!(error = %failure, "the other members were not told");
            drop_word("refused");
        }
    }
}

fn drop_word(reason: &'static str) {
    metrics::counter!(DROPS_TOTAL, "component" => "members", "reason" => reason).increment(1);
}

/// What others are told of it. Each of them ends leases by itself.
fn said(event: &AgentEvent) -> Option<Said> {
    match event {
        AgentEvent::Connected(agent) => Some(Said::Connected(agent.clone())),
        AgentEvent::Left(agent) => Some(Said::Left(agent.clone())),
        AgentEvent::LeaseEnded(_) => None,
    }
}
