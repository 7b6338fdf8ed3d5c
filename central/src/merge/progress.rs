//! How far each agent has come, and what is therefore expected of it but unseen.

use std::sync::Arc;

use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{ServiceId, UnixNanos};
use hashbrown::HashMap;

use super::feed::{BySecond, Feed};
use super::lateness::LATE_S;
use crate::evaluate::expectation::{Expectation, Gap};

/// Most agents that one partition follows. Beyond it nothing is expected of further ones, counted.
pub const AGENTS_MAX: usize = 50_000;

/// An agent of which no record came for this long is expected no more, whatever the uplink says.
/// A little more than the lease of 30 s, so that the uplink says it first.
pub const SILENT_NS_MAX: i64 = 35 * 1_000_000_000;

/// Stretches of missing event time that are remembered of one agent; older ones are forgotten, which
/// is safe once they have left the longest window.
const HOLES_MAX: usize = 8;

/// An agent's place in the table; not valid any more once its generation differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentRef {
    slot: u32,
    generation: u32,
}

#[derive(Debug)]
struct Agent {
    generation: u32,
    id: Arc<str>,
    host: At,
    /// Event time up to which a whole flush has come.
    flushed_ms: i64,
    /// Central's clock when something was last heard of it.
    heard: UnixNanos,
    presence: Presence,
    /// Event time of which its data came too late to be judged.
    holes: Vec<(i64, i64)>,
}

/// Where what an agent counts happened.
#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    /// It has counted nothing yet.
    Unknown,
    /// On one host: its own.
    Host(Arc<str>),
    /// On several: it reads what they send elsewhere.
    Several,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Here,
    /// Its lease ended: the next record brings it back.
    Silent,
    /// It said goodbye: records that are still on their way change nothing until it connects again.
    Left,
}

/// The agents that feed one partition.
#[derive(Debug, Default)]
pub struct Agents {
    slots: Vec<Agent>,
    by_id: HashMap<Arc<str>, u32>,
    free: Vec<u32>,
}

impl Agents {
    /// Notes that a record of an agent came, and on which host happened what it counts, if it counts anything.
    /// `None` when there are too many agents to follow.
    pub fn heard(&mut self, id: &str, host: Option<&Arc<str>>, now: UnixNanos) -> Option<AgentRef> {
        let slot = match self.by_id.get(id) {
            Some(slot) => *slot,
            None => self.admit(id, now)?,
        };
        let agent = &mut self.slots[slot as usize];
        agent.heard = now;
        if let Some(host) = host {
            match &agent.host {
                At::Unknown => agent.host = At::Host(Arc::clone(host)),
                At::Host(own) if own != host => agent.host = At::Several,
                At::Host(_) | At::Several => {}
            }
        }
        if agent.presence == Presence::Silent {
            agent.presence = Presence::Here;
        }
        Some(AgentRef { slot, generation: agent.generation })
    }

    /// Notes that a whole flush came up to `progress_ms` of event time, in a record that the log took
    /// at `log_time`. Where the agent was further behind than live windows wait for, the stretch that
    /// they do not wait for any more is remembered as a hole: its data comes too late to be judged.
    pub fn flushed(&mut self, agent: AgentRef, progress_ms: i64, log_time: UnixNanos) {
        let Some(agent) = self.get_mut(agent) else { return };
        let waited_for_ms = log_time.as_millis().saturating_sub(LATE_S * 1000);
        let hole = (agent.flushed_ms, progress_ms.min(waited_for_ms));
        if agent.flushed_ms > 0 && hole.1 > hole.0 {
            if agent.holes.len() >= HOLES_MAX {
                agent.holes.remove(0);
            }
            agent.holes.push(hole);
        }
        agent.flushed_ms = agent.flushed_ms.max(progress_ms);
    }

    /// The agent connected.
    pub fn connected(&mut self, id: &str, now: UnixNanos) {
        self.set_presence(id, Presence::Here, now);
    }

    /// The agent said goodbye: nothing more is expected.
    pub fn left(&mut self, id: &str, now: UnixNanos) {
        self.set_presence(id, Presence::Left, now);
    }

    /// The agent's lease ended: nothing more is expected until it is heard again.
    pub fn lease_ended(&mut self, id: &str) {
        if let Some(slot) = self.by_id.get(id) {
            let agent = &mut self.slots[*slot as usize];
            if agent.presence == Presence::Here {
                agent.presence = Presence::Silent;
            }
        }
    }

    /// Counts every agent as heard now: after a replay, what was heard before says nothing of now.
    pub fn heard_all(&mut self, now: UnixNanos) {
        self.slots.iter_mut().for_each(|agent| agent.heard = now);
    }

    /// Expects nothing more of agents that were not heard for long, and forgets those that were not
    /// heard for a day.
    pub fn tick(&mut self, now: UnixNanos) {
        const FORGET_NS: i64 = 24 * 60 * 60 * 1_000_000_000;
        for (slot, agent) in self.slots.iter_mut().enumerate() {
            let silent_ns = now.since(agent.heard);
            if silent_ns > SILENT_NS_MAX && agent.presence == Presence::Here {
                agent.presence = Presence::Silent;
            }
            if silent_ns > FORGET_NS && self.by_id.remove(&agent.id).is_some() {
                agent.generation = agent.generation.wrapping_add(1);
                agent.holes = Vec::new();
                self.free.push(slot as u32);
            }
        }
    }

    fn admit(&mut self, id: &str, now: UnixNanos) -> Option<u32> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < AGENTS_MAX => self.slots.len() as u32,
            None => {
                metrics::counter!(DROPS_TOTAL, "component" => "merge", "reason" => "agents_max").increment(1);
                return None;
            }
        };
        let generation = self.slots.get(slot as usize).map_or(0, |agent| agent.generation);
        let id: Arc<str> = id.into();
        let agent = Agent {
            generation,
            id: Arc::clone(&id),
            host: At::Unknown,
            flushed_ms: 0,
            heard: now,
            presence: Presence::Here,
            holes: Vec::new(),
        };
        match self.slots.get_mut(slot as usize) {
            Some(place) => *place = agent,
            None => self.slots.push(agent),
        }
        self.by_id.insert(id, slot);
        Some(slot)
    }

    fn set_presence(&mut self, id: &str, presence: Presence, now: UnixNanos) {
        if let Some(slot) = self.by_id.get(id) {
            let agent = &mut self.slots[*slot as usize];
            agent.presence = presence;
            agent.heard = now;
        }
    }

    fn get(&self, agent: AgentRef) -> Option<&Agent> {
        self.slots.get(agent.slot as usize).filter(|found| found.generation == agent.generation)
    }

    fn get_mut(&mut self, agent: AgentRef) -> Option<&mut Agent> {
        self.slots.get_mut(agent.slot as usize).filter(|found| found.generation == agent.generation)
    }
}

/// The agents that feed one service, with their rates.
#[derive(Debug, Default)]
pub struct Feeds {
    feeds: Vec<Feed>,
    own_progress_only: bool,
}

impl Feeds {
    /// No feeds yet of a service. Samples of a host's own service travel apart from the agent's
    /// flushes: only its own records tell how far it has come.
    #[must_use]
    pub fn of(service: &ServiceId) -> Self {
        Self { feeds: Vec::new(), own_progress_only: service.host().is_some() }
    }

    /// Takes what a record says of the service: these events more, and everything up to `progress_ms`.
    pub fn take(&mut self, agents: &Agents, agent: AgentRef, events: &BySecond, progress_ms: i64) {
        let own = self.own_progress_only;
        let at = self.feeds.iter().position(|feed| feed.agent == agent).unwrap_or_else(|| {
            self.feeds.push(Feed::since(agent, progress_ms, events));
            self.feeds.len() - 1
        });
        let feed = &mut self.feeds[at];
        feed.progress_ms = feed.progress_ms.max(progress_ms);
        let reached_ms = reached(agents, feed, own);
        feed.take(events, reached_ms);
    }

    /// Lets rates fall of agents that send nothing of this service any more, and forgets agents that
    /// are gone.
    pub fn tick(&mut self, agents: &Agents) {
        let own = self.own_progress_only;
        self.feeds.retain_mut(|feed| {
            let reached_ms = reached(agents, feed, own);
            feed.pass(reached_ms);
            agents.get(feed.agent).is_some_and(|agent| agent.presence == Presence::Here)
        });
    }

    /// Whether nobody feeds the service.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty()
    }
}

fn reached(agents: &Agents, feed: &Feed, own_progress_only: bool) -> i64 {
    let flushed_ms = agents.get(feed.agent).map_or(i64::MIN, |agent| agent.flushed_ms);
    if own_progress_only { feed.progress_ms } else { feed.progress_ms.max(flushed_ms) }
}

/// The feeds of a service seen together with the state of their agents.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// All agents.
    pub agents: &'a Agents,
    /// Those that feed the service.
    pub feeds: &'a Feeds,
}

impl<'a> Expected<'a> {
    fn here(&self) -> impl Iterator<Item = (&'a Feed, &'a Agent)> {
        let agents = self.agents;
        let with_agent = move |feed: &'a Feed| Some((feed, agents.get(feed.agent)?));
        self.feeds.feeds.iter().filter_map(with_agent).filter(|(_, agent)| agent.presence == Presence::Here)
    }

    fn unseen_of(&self, feed: &Feed, agent: &Agent, from_ms: i64, until_ms: i64) -> f64 {
        let reached_ms = reached(self.agents, feed, self.feeds.own_progress_only);
        let mut missing_ms = 0;
        for (hole_from, hole_until) in &agent.holes {
            let overlap =
                (*hole_until).min(until_ms).min(reached_ms).saturating_sub((*hole_from).max(from_ms));
            missing_ms += overlap.max(0);
        }
        feed.unseen_between(reached_ms.max(from_ms), until_ms) + feed.per_ms * missing_ms as f64
    }
}

impl Expectation for Expected<'_> {
    fn unseen(&self, from_ms: i64, until_ms: i64) -> f64 {
        self.here().map(|(feed, agent)| self.unseen_of(feed, agent, from_ms, until_ms)).sum()
    }

    fn unseen_on_host(&self, host: &str, from_ms: i64, until_ms: i64) -> Option<f64> {
        let is_of_host = |agent: &Agent| matches!(&agent.host, At::Host(own) if **own == *host);
        let of_host = self.here().filter(|(_, agent)| is_of_host(agent));
        of_host.map(|(feed, agent)| self.unseen_of(feed, agent, from_ms, until_ms)).reduce(|a, b| a + b)
    }

    fn complete_until_ms(&self) -> Option<i64> {
        self.here().map(|(feed, _)| reached(self.agents, feed, self.feeds.own_progress_only)).min()
    }

    fn gaps(&self, each: &mut dyn FnMut(Gap)) {
        for (feed, agent) in self.here().filter(|(feed, _)| feed.per_ms > 0.0) {
            let reached_ms = reached(self.agents, feed, self.feeds.own_progress_only);
            let beyond = feed.gaps_beyond(reached_ms).into_iter();
            beyond.filter(|gap| gap.from_ms < gap.until_ms && gap.per_ms > 0.0).for_each(&mut *each);
            for (from_ms, until_ms) in &agent.holes {
                each(Gap { from_ms: *from_ms, until_ms: (*until_ms).min(reached_ms), per_ms: feed.per_ms });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(start_ms: i64, events: u64) -> BySecond {
        let mut seconds = BySecond::default();
        seconds.add(UnixNanos::from_millis(start_ms).second(), events);
        seconds
    }

    fn one_agent(events_per_s: u64, until_ms: i64) -> (Agents, Feeds, AgentRef) {
        let (mut agents, mut feeds) = (Agents::default(), Feeds::default());
        let agent = agents.heard("a", Some(&"web-1".into()), UnixNanos(0)).expect("room");
        for ms in (0..=until_ms).step_by(1000) {
            feeds.take(&agents, agent, &second(ms - 1000, events_per_s), ms);
            agents.flushed(agent, ms, UnixNanos::from_millis(ms));
        }
        (agents, feeds, agent)
    }

    #[test]
    fn what_an_agent_has_not_sent_yet_is_its_rate_times_the_time_since_its_progress() {
        let (agents, feeds, _) = one_agent(200, 60_000);
        let expected = Expected { agents: &agents, feeds: &feeds };
        let unseen = expected.unseen(50_000, 60_500);
        assert!((unseen - 100.0).abs() < 1.0, "{unseen}");
        assert_eq!(expected.unseen_on_host("web-1", 50_000, 60_500), Some(unseen));
        assert_eq!(expected.unseen_on_host("web-2", 50_000, 60_500), None);
    }

    #[test]
    fn an_agent_with_nothing_to_say_is_idle_and_not_dead() {
        let (mut agents, mut feeds, agent) = one_agent(200, 60_000);
        for ms in (61_000..180_000).step_by(1000) {
            agents.flushed(agent, ms, UnixNanos::from_millis(ms));
            feeds.tick(&agents);
        }
        let expected = Expected { agents: &agents, feeds: &feeds };
        assert!(expected.unseen(170_000, 180_000) < 0.1);
        assert_eq!(expected.complete_until_ms(), Some(179_000));
    }

    #[test]
    fn nothing_is_expected_of_an_agent_that_said_goodbye() {
        let (mut agents, feeds, _) = one_agent(200, 60_000);
        agents.left("a", UnixNanos(0));
        agents.heard("a", Some(&"web-1".into()), UnixNanos(1));
        assert!(Expected { agents: &agents, feeds: &feeds }.unseen(0, 90_000) == 0.0);
    }

    #[test]
    fn nothing_is_expected_after_the_lease_until_the_agent_is_heard_again() {
        let (mut agents, feeds, _) = one_agent(200, 60_000);
        agents.lease_ended("a");
        assert!(Expected { agents: &agents, feeds: &feeds }.unseen(0, 90_000) == 0.0);
        agents.heard("a", Some(&"web-1".into()), UnixNanos(1));
        assert!(Expected { agents: &agents, feeds: &feeds }.unseen(0, 90_000) > 5000.0);
    }

    #[test]
    fn an_outage_whose_data_comes_late_stays_missing_in_the_windows_that_hold_it() {
        let (mut agents, feeds, agent) = one_agent(100, 60_000);
        agents.flushed(agent, 90_000, UnixNanos::from_millis(90_000));
        let expected = Expected { agents: &agents, feeds: &feeds };
        let unseen = expected.unseen(60_000, 90_000);
        assert!((unseen - 2000.0).abs() < 20.0, "20 of the 30 s came too late: {unseen}");
        for (from_ms, until_ms) in [(60_000, 90_000), (0, 95_500), (75_000, 85_000), (91_000, 99_000)] {
            let mut of_gaps = 0.0;
            expected.gaps(&mut |gap| of_gaps += gap.events(from_ms, until_ms));
            let unseen = expected.unseen(from_ms, until_ms);
            assert!((of_gaps - unseen).abs() < 1e-6, "{of_gaps} of {unseen} in {from_ms}..{until_ms}");
        }
    }

    /// A reader of what others send: it has everything, but says so two seconds later.
    #[test]
    fn what_is_there_before_its_agent_has_come_so_far_is_not_missing_once_more() {
        let (mut agents, mut feeds) = (Agents::default(), Feeds::default());
        let agent = agents.heard("raw-1", Some(&"web-1".into()), UnixNanos(0)).expect("room");
        for ms in (3000..=60_000).step_by(1000) {
            feeds.take(&agents, agent, &second(ms - 1000, 200), ms - 2000);
            agents.flushed(agent, ms - 2000, UnixNanos::from_millis(ms));
        }
        let expected = Expected { agents: &agents, feeds: &feeds };
        assert_eq!(expected.complete_until_ms(), Some(58_000));
        assert!(expected.unseen(55_000, 60_000) < 2.0, "{}", expected.unseen(55_000, 60_000));
        let further = expected.unseen(55_000, 61_000);
        assert!((further - 200.0).abs() < 2.0, "{further}");
        for (from_ms, until_ms) in [(55_000, 60_000), (55_000, 61_000), (57_000, 60_500)] {
            let mut of_gaps = 0.0;
            expected.gaps(&mut |gap| of_gaps += gap.events(from_ms, until_ms));
            let unseen = expected.unseen(from_ms, until_ms);
            assert!((of_gaps - unseen).abs() < 2.0, "{of_gaps} of {unseen} in {from_ms}..{until_ms}");
        }
        // More than usual in one second says nothing of another agent's.
        feeds.take(&agents, agent, &second(60_000, 5000), 58_000);
        let other = agents.heard("raw-2", Some(&"web-2".into()), UnixNanos(0)).expect("room");
        for ms in (50_000..=58_000).step_by(1000) {
            feeds.take(&agents, other, &second(ms - 1000, 100), ms);
        }
        let further = Expected { agents: &agents, feeds: &feeds }.unseen(55_000, 61_000);
        assert!((further - 300.0).abs() < 2.0, "{further}");
    }

    #[test]
    fn what_is_missing_of_one_host_is_told_by_agents_of_that_host_alone() {
        let (mut agents, mut feeds, _) = one_agent(100, 60_000);
        let reader = agents.heard("raw-1", Some(&"web-2".into()), UnixNanos(0)).expect("room");
        feeds.take(&agents, reader, &BySecond::default(), 60_000);
        let of = |agents: &Agents, host| Expected { agents, feeds: &feeds }.unseen_on_host(host, 0, 60_000);
        assert_eq!(of(&agents, "web-2"), Some(0.0));
        agents.heard("raw-1", None, UnixNanos(0));
        assert_eq!(of(&agents, "web-2"), Some(0.0));
        agents.heard("raw-1", Some(&"web-3".into()), UnixNanos(0));
        assert_eq!((of(&agents, "web-2"), of(&agents, "web-3")), (None, None));
        assert_eq!(of(&agents, "web-1"), Some(0.0));
    }
}
