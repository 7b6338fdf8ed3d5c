//! Hears what other members say.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use goldentime_log::ReadLog;
use goldentime_log::kafka::KafkaLog;
use goldentime_model::{Alert, ServiceId};
use tokio::sync::mpsc;

use super::Knowledge;
use super::word::{Said, Statuses, Word};
use crate::evaluate::engine::service_of;
use crate::ingest::agents::AgentEvent;
use crate::notify::Delivery;

/// Words that are read at a time.
const READ_MAX: u32 = 512;
/// The topic is asked for more this often.
const LISTEN_EVERY: Duration = Duration::from_millis(100);
/// Pause after it could not be read.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Listener {
    pub(super) member: Arc<str>,
    pub(super) log: KafkaLog,
    pub(super) knowledge: Arc<Knowledge>,
    /// Agents that come and go elsewhere, for the shards.
    pub(super) events: mpsc::Sender<AgentEvent>,
    /// Services that each member judges, with the round that named them last.
    pub(super) rounds: HashMap<Arc<str>, HashMap<ServiceId, u64>>,
}

impl Listener {
    /// Listens from now on, for ever.
    pub(super) async fn run(mut self) {
        let mut next = None;
        loop {
            let (pause, place) = match self.hear(next).await {
                Ok((0, place)) => (LISTEN_EVERY, Some(place)),
                Ok((_, place)) => (Duration::ZERO, Some(place)),
                Err(error) => {
                    self.knowledge.roster.listens(false);
                    tracing::debug!(error = &error as &dyn std::error::Error, "other members are not heard");
                    (AGAIN_AFTER, next)
                }
            };
            next = place;
            tokio::time::sleep(pause).await;
        }
    }

    /// Hears words from `next` on, or from now on; gives how many there were, and where to go on.
    async fn hear(&mut self, next: Option<u64>) -> Result<(usize, u64), goldentime_log::LogError> {
        let Some(from) = next else { return Ok((0, self.log.bounds(0).await?.last + 1)) };
        let entries = self.log.read(0, from, READ_MAX).await?;
        self.knowledge.roster.listens(true);
        let next = entries.last().map_or(from, |last| last.offset + 1);
        let count = entries.len();
        for entry in entries {
            match serde_json::from_slice::<Word>(&entry.record) {
                Ok(word) if word.member != self.member => self.take(word).await,
                Ok(_) => {}
                Err(error) => {
                    metrics::counter!("goldentime_members_words_unread_total").increment(1);
                    tracing::debug!(%error, offset = entry.offset, "a word of another member is not understood");
                }
            }
        }
        Ok((count, next))
    }

    async fn take(&mut self, Word { member, said }: Word) {
        let Knowledge { agents, notifier, shown, clock, roster, exchange, .. } = &*self.knowledge;
        let now = clock.now();
        roster.heard(&member, None);
        match said {
            Said::Message(message) => exchange.heard(&message),
            Said::Present(presence) => roster.heard(&member, Some(presence)),
            Said::Pages(pages) => notifier.send(pages).await,
            Said::Delivered(delivery) => self.delivered(delivery).await,
            Said::Posted(posted) => notifier.posted_elsewhere(posted).await,
            Said::Silence(silence) => notifier.decisions().heard_silence(*silence),
            Said::Event(event) => notifier.decisions().heard_event(&event),
            Said::Connected(agent) => {
                agents.connected_elsewhere(&agent, now);
                self.tell(AgentEvent::Connected(agent)).await;
            }
            Said::Left(agent) => {
                agents.left_elsewhere(&agent, now);
                self.tell(AgentEvent::Left(agent)).await;
            }
            Said::Agents(statuses) => {
                for event in statuses.iter().filter_map(|status| agents.heard_elsewhere(status, now)) {
                    self.tell(event).await;
                }
            }
            Said::Statuses(statuses) => self.statuses(member, statuses),
            Said::Alert(record) => {
                notifier.heard(&record);
                if let Some(shown) = shown
                    && shown.try_send(record.alert).is_err()
                {
                    metrics::counter!("goldentime_members_alerts_not_shown_total").increment(1);
                }
            }
        }
    }

    /// Who judges the alerts notes that they were told.
    async fn delivered(&self, mut delivery: Delivery) {
        let Knowledge { owned, partitions, notifier, .. } = &*self.knowledge;
        let is_ours = |alert: &Alert| {
            service_of(&alert.labels).is_some_and(|service| owned.has(service.partition(*partitions)))
        };
        delivery.alerts.retain(is_ours);
        if !delivery.alerts.is_empty() {
            notifier.delivered(delivery).await;
        }
    }

    async fn tell(&self, event: AgentEvent) {
        // Shards that ended have no use for it.
        let _ = self.events.send(event).await;
    }

    /// Shows where another member's rules stand, and nothing any more of services that it does not name.
    fn statuses(&mut self, member: Arc<str>, Statuses { round, is_last, services }: Statuses) {
        let Knowledge { statuses: board, owned, partitions, .. } = &*self.knowledge;
        let known = self.rounds.entry(member).or_default();
        for (service, statuses) in services {
            // We own it since; that word was said before.
            if owned.has(service.partition(*partitions)) {
                continue;
            }
            let before = board.of(&service);
            let states = |of: &[crate::evaluate::status::RuleStatus]| {
                of.iter().map(|status| status.state).collect::<Vec<_>>()
            };
            let has_changed = states(&before) != states(&statuses);
            board.publish(&service, statuses, has_changed);
            known.insert(service, round);
        }
        if is_last {
            let gone = known.extract_if(|_, named| *named < round).map(|(service, _)| service);
            for service in gone.collect::<Vec<_>>() {
                if !owned.has(service.partition(*partitions)) {
                    board.publish(&service, Vec::new(), true);
                }
            }
        }
    }
}
