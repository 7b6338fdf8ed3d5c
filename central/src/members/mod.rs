//! What centrals that share a log tell each other: what each of them does, which agents come and go, where rules
//! stand, which alerts changed, which pages are to be sent, and what their services add to rules over several. So each of them shows everything, whoever owns a
//! service or serves its agents.
//!
//! [`word`] is what is said, on a topic of one partition; [`speak`] says what happens here, [`listen`] hears the
//! others and [`hear`] understands them, whatever version they are, [`roster`] is who they are. A word that is lost is said again within seconds, but for those of alerts and
//! pages, which the catalogue has. Pages do not wait for any of it where who judges sends them too.

#[cfg(test)]
mod golden_tests;
mod hear;
pub mod listen;
pub mod roster;
pub mod speak;
pub mod word;

use std::sync::Arc;

use goldentime_kafka::ProducerHandle;
use goldentime_log::kafka::KafkaLog;
use goldentime_model::Alert;
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use tokio::sync::mpsc;

use crate::evaluate::handle::StatusBoard;
use crate::evaluate::several::word::Message;
use crate::ingest::agents::AgentEvent;
use crate::ingest::board::AgentBoard;
use crate::merge::exchange::Exchange;
use crate::merge::start::Owned;
use crate::notify::{self, News};
use listen::Listener;
use roster::Roster;
use speak::Speaker;

/// Agents that come or go and were not told to the shards yet.
const EVENTS_MAX: usize = 1024;

/// How members reach each other.
pub struct Link {
    /// This member's name.
    pub member: Arc<str>,
    /// The topic's name.
    pub topic: Arc<str>,
    /// Where words are given in.
    pub producer: ProducerHandle,
    /// Where they are heard.
    pub log: KafkaLog,
}

/// What this central knows, and what it shows.
pub struct Knowledge {
    /// Agents.
    pub agents: AgentBoard,
    /// Where rules stand.
    pub statuses: StatusBoard,
    /// Partitions that are judged here.
    pub owned: Owned,
    /// Partitions of the log.
    pub partitions: u32,
    /// Alerts as the notifier knows them.
    pub notifier: notify::Handle,
    /// Alerts for the live page, where there is one.
    pub shown: Option<mpsc::Sender<Alert>>,
    /// Who does what.
    pub roster: Roster,
    /// The way to the partitions that are judged here.
    pub exchange: Exchange,
    /// The present.
    pub clock: SharedClock,
}

/// What happens here, for the others.
pub struct Here {
    /// Agents that come and go.
    pub agents: mpsc::Receiver<AgentEvent>,
    /// What the notifier says.
    pub news: mpsc::Receiver<News>,
    /// What partitions say to those that are judged elsewhere.
    pub messages: mpsc::Receiver<Message>,
}

/// Begins to speak of what happens `here`, and to listen; gives the agents that come and go anywhere.
pub fn start(tasks: &Tasks, link: Link, knowledge: Knowledge, here: Here) -> mpsc::Receiver<AgentEvent> {
    let (events, everywhere) = mpsc::channel(EVENTS_MAX);
    let knowledge = Arc::new(knowledge);
    let Link { member, topic, producer, log } = link;
    let speaker = Speaker {
        member: Arc::clone(&member),
        topic,
        producer,
        knowledge: Arc::clone(&knowledge),
        events: Some(events.clone()),
    };
    tasks.spawn(TaskKind::Station, "members-speak", speaker.run(here));
    tasks.spawn(TaskKind::Upkeep, "members-roster", knowledge.roster.clone().watch());
    let listener = Listener { member, log, knowledge, events, rounds: Default::default() };
    tasks.spawn(TaskKind::Upkeep, "members-listen", listener.run());
    everywhere
}
